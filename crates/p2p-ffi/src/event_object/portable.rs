//! Event objects where the system has none: a flag, a condition, and a socket pair whose one end is readable while the
//! flag is set.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::layout::HANDLE;
use crate::runtime::Process;

/// A reference to an event object, kept by a registration.
#[derive(Clone)]
pub(crate) struct Signal(Arc<Object>);

impl Signal {
    /// The event object behind a handle.
    pub(crate) fn of(handle: HANDLE) -> Option<Signal> {
        Process::current().events.get(handle)
    }

    /// Signals it.
    pub(crate) fn set(&self) {
        self.0.set();
    }
}

struct Object {
    manual_reset: bool,
    state: Mutex<State>,
    changed: Condvar,
    /// Holds one byte while the object is signalled.
    readable: UnixStream,
    written: UnixStream,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Quiet,
    Signalled,
    Closed,
}

pub(super) fn create(manual_reset: bool, signalled: bool) -> HANDLE {
    let handle = Object::new(manual_reset, signalled)
        .map_err(|error| tracing::error!("event object: {error}"));
    let signal = handle.ok().map(|object| Signal(Arc::new(object)));
    signal
        .and_then(|signal| Process::current().events.insert(signal))
        .unwrap_or(core::ptr::null_mut())
}

pub(super) fn set(handle: HANDLE) -> Option<()> {
    Signal::of(handle).map(|signal| signal.set())
}

pub(super) fn reset(handle: HANDLE) -> Option<()> {
    Signal::of(handle).map(|signal| signal.0.reset())
}

pub(super) fn wait(handle: HANDLE, limit: Option<Duration>) -> Option<bool> {
    Signal::of(handle)?.0.wait(limit)
}

pub(super) fn descriptor(handle: HANDLE) -> i32 {
    Signal::of(handle).map_or(-1, |signal| signal.0.readable.as_raw_fd())
}

pub(super) fn close(handle: HANDLE) -> Option<()> {
    Process::current().events.remove(handle).map(|signal| signal.0.close())
}

impl Object {
    fn new(manual_reset: bool, signalled: bool) -> io::Result<Object> {
        let (readable, written) = UnixStream::pair()?;
        readable.set_nonblocking(true)?;
        written.set_nonblocking(true)?;
        let object = Object {
            manual_reset,
            state: Mutex::new(State::Quiet),
            changed: Condvar::new(),
            readable,
            written,
        };
        if signalled {
            object.set();
        }
        Ok(object)
    }

    fn set(&self) {
        let mut state = self.lock();
        if *state == State::Quiet {
            *state = State::Signalled;
            self.mark();
        }
        // Also when it was signalled already: a waiter may have been told and not have looked yet, and another be asleep.
        if self.manual_reset { self.changed.notify_all() } else { self.changed.notify_one() }
    }

    fn reset(&self) {
        let mut state = self.lock();
        if *state == State::Signalled {
            self.quieten(&mut state);
        }
    }

    /// Whether it was signalled in time; `None` if it was closed meanwhile.
    fn wait(&self, limit: Option<Duration>) -> Option<bool> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        while *state == State::Quiet {
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Some(false);
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        if *state == State::Closed {
            return None;
        }
        if !self.manual_reset {
            self.quieten(&mut state);
        }
        Some(true)
    }

    fn close(&self) {
        *self.lock() = State::Closed;
        self.changed.notify_all();
    }

    fn quieten(&self, state: &mut State) {
        *state = State::Quiet;
        let mut drained = [0; 8];
        // Nothing to read means that the program has read from our descriptor, against its description: then it is
        // quiet already.
        while matches!((&self.readable).read(&mut drained), Ok(1..)) {}
    }

    fn mark(&self) {
        if let Err(error) = (&self.written).write_all(&[1]) {
            tracing::error!(
                "event object: its descriptor is not readable though it is signalled: {error}"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

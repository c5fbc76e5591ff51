//! One event queue of a group, and who is told when something is put into it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex};
use std::task::Waker;
use std::thread::{self, ThreadId};

use p2p_core::{Cause, ConnectionId, Guid, Payload, Taken};
use tokio::sync::Notify;

use crate::events::{ConnectionEvent, Filter, GroupEvent, Message};
use crate::peer::Peer;
use crate::sync::lock;

/// A handle of a group; never reused by its instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct HandleId(pub(crate) u64);

/// A queue of a group; never reused by its instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct QueueId(pub(crate) u64);

/// What a queue is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A subscription: everything that passes the filter.
    Filter(Filter),
    /// A `DirectConnection`: the outcome of opening, the data and the end of this one connection.
    Feed(ConnectionId),
    /// An `Incoming`: connections that peers opened.
    Acceptor,
}

/// What a queue holds. Payloads are joined when they are taken, outside the locks.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Event(GroupEvent),
    Data { id: ConnectionId, peer: Peer, kind: Guid, payload: Payload },
    Incoming(ConnectionEvent, QueueId),
}

impl Item {
    /// What the node is to be told when the last queue has given this item out.
    pub(crate) fn debt(&self) -> Option<(ConnectionId, Taken)> {
        match self {
            Item::Data { id, payload, .. } => Some((*id, Taken::Data { bytes: payload.len() })),
            Item::Event(GroupEvent::Direct(event))
                if event.change == p2p_core::ConnectionChange::Disconnected =>
            {
                Some((event.id, Taken::Disconnected))
            }
            _ => None,
        }
    }

    /// The event as the program sees it; `None` for an incoming connection.
    pub(crate) fn into_event(self) -> Option<GroupEvent> {
        match self {
            Item::Event(event) => Some(event),
            Item::Data { id, peer, kind, payload } => {
                Some(GroupEvent::Data(Message { id, peer, kind, bytes: payload.into_bytes() }))
            }
            Item::Incoming(..) => None,
        }
    }
}

/// How many queues hold an item whose taking the node waits for.
#[derive(Clone, Debug)]
pub(crate) enum Share {
    /// Nobody waits.
    Free,
    /// This queue alone.
    Sole,
    /// Several: whoever gives up the last reference was the last.
    One(Arc<()>),
}

impl Share {
    /// Whether this was the last.
    pub(crate) fn release(self) -> bool {
        match self {
            Share::Free => false,
            Share::Sole => true,
            Share::One(counter) => Arc::into_inner(counter).is_some(),
        }
    }
}

/// One queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) handle: HandleId,
    pub(crate) purpose: Purpose,
    pub(crate) entries: VecDeque<(Item, Share)>,
    /// Its handle is closed: what is in it may still be taken, nothing more is put in.
    pub(crate) frozen: bool,
    /// A feed's connection has ended.
    pub(crate) ended: Option<Cause>,
    pub(crate) notify: Arc<Notify>,
    pub(crate) waker: Option<Waker>,
    pub(crate) ready: Option<Arc<Callback>>,
}

impl Queue {
    pub(crate) fn new(handle: HandleId, purpose: Purpose) -> Queue {
        Queue {
            handle,
            purpose,
            entries: VecDeque::new(),
            frozen: false,
            ended: None,
            notify: Arc::default(),
            waker: None,
            ready: None,
        }
    }

    /// Puts an item in and notes who is to be told.
    pub(crate) fn push(&mut self, item: Item, share: Share, wakes: &mut Vec<Wake>) {
        self.entries.push_back((item, share));
        self.wake(wakes);
    }

    /// Notes everybody who waits for this queue.
    pub(crate) fn wake(&mut self, wakes: &mut Vec<Wake>) {
        wakes.push(Wake::Notify(Arc::clone(&self.notify)));
        wakes.extend(self.waker.take().map(Wake::Waker));
        wakes.extend(self.ready.clone().map(Wake::Ready));
    }
}

/// Somebody to be told, after all locks are released.
#[derive(Debug)]
pub(crate) enum Wake {
    Notify(Arc<Notify>),
    Waker(Waker),
    Ready(Arc<Callback>),
}

impl Wake {
    /// Tells them. Runs application code: no lock may be held.
    pub(crate) fn fire(self) {
        match self {
            Wake::Notify(notify) => notify.notify_waiters(),
            Wake::Waker(waker) => waker.wake(),
            Wake::Ready(callback) => callback.fire(),
        }
    }
}

/// A function of the application that is called when a queue has something. After [`stop`](Self::stop) has returned it
/// is not called again, and no call of it runs on another thread.
pub(crate) struct Callback {
    function: Box<dyn Fn() + Send + Sync>,
    calls: Mutex<Calls>,
    idle: Condvar,
}

#[derive(Default)]
struct Calls {
    stopped: bool,
    running: Vec<ThreadId>,
}

impl Callback {
    pub(crate) fn new(function: Box<dyn Fn() + Send + Sync>) -> Callback {
        Callback { function, calls: Mutex::default(), idle: Condvar::new() }
    }

    fn fire(&self) {
        let me = thread::current().id();
        {
            let mut calls = lock(&self.calls);
            if calls.stopped {
                return;
            }
            calls.running.push(me);
        }
        let _done = Done { callback: self, me };
        (self.function)();
    }

    /// Ends all calls. May itself be called from within the function.
    pub(crate) fn stop(&self) {
        let me = thread::current().id();
        let mut calls = lock(&self.calls);
        calls.stopped = true;
        while calls.running.iter().any(|thread| *thread != me) {
            calls = self.idle.wait(calls).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

/// Strikes a running call off, also when the function panics.
struct Done<'a> {
    callback: &'a Callback,
    me: ThreadId,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut calls = lock(&self.callback.calls);
        if let Some(at) = calls.running.iter().position(|thread| *thread == self.me) {
            calls.running.swap_remove(at);
        }
        drop(calls);
        self.callback.idle.notify_all();
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_callback_is_not_called_after_it_was_stopped() {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let callback = Callback::new(Box::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        }));
        callback.fire();
        callback.stop();
        callback.fire();
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn stopping_waits_for_a_call_that_runs_on_another_thread() {
        let (entered_tx, entered) = mpsc::channel();
        let (go, go_rx) = mpsc::channel::<()>();
        let go_rx = Mutex::new(go_rx);
        let finished = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&finished);
        let callback = Arc::new(Callback::new(Box::new(move || {
            entered_tx.send(()).unwrap();
            go_rx.lock().unwrap().recv().unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
        })));
        let firing = Arc::clone(&callback);
        let thread = thread::spawn(move || firing.fire());
        entered.recv().unwrap();
        let stopping = Arc::clone(&callback);
        let stopper = thread::spawn(move || stopping.stop());
        go.send(()).unwrap();
        stopper.join().unwrap();
        assert_eq!(finished.load(Ordering::SeqCst), 1);
        thread.join().unwrap();
    }

    #[test]
    fn a_callback_may_stop_itself() {
        let slot: Arc<Mutex<Option<Arc<Callback>>>> = Arc::default();
        let own = Arc::clone(&slot);
        let callback = Arc::new(Callback::new(Box::new(move || {
            let callback = own.lock().unwrap().take();
            callback.unwrap().stop();
        })));
        *slot.lock().unwrap() = Some(Arc::clone(&callback));
        callback.fire();
        assert!(slot.lock().unwrap().is_none());
    }
}

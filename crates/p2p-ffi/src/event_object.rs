//! Event objects: what a program waits on until something is queued for it.
//!
//! On Windows a HANDLE is the system's own event, and the functions here are thin covers of the system's. Elsewhere it is
//! an object of this library that comes with a descriptor for `poll` and its kin. Either way a registration keeps its own
//! reference, so that closing the handle first is safe.

use core::time::Duration;

use p2p_group::Code;

use crate::guard::{self, Failure};
use crate::layout::{BOOL, HANDLE, HRESULT, INFINITE};

#[cfg(not(windows))]
#[path = "event_object/portable.rs"]
mod system;
#[cfg(windows)]
#[path = "event_object/windows.rs"]
mod system;

pub(crate) use system::Signal;

/// A wait that timed out: a success code.
const S_FALSE: Code = Code(1);

/// Makes an event object. `bManualReset`: it stays signalled until [`P2PResetEvent`]; otherwise until one wait has seen
/// it. Null if memory or descriptors have run out.
#[unsafe(no_mangle)]
pub extern "system" fn P2PCreateEvent(bManualReset: BOOL, bInitialState: BOOL) -> HANDLE {
    guard::quiet(|| Handle(system::create(bManualReset != 0, bInitialState != 0))).0
}

/// Signals an event object.
///
/// `E_INVALIDARG` if the handle is not one.
#[unsafe(no_mangle)]
pub extern "system" fn P2PSetEvent(h: HANDLE) -> HRESULT {
    guard::call(|| done(system::set(h)))
}

/// Ends the signal of an event object.
///
/// `E_INVALIDARG` if the handle is not one.
#[unsafe(no_mangle)]
pub extern "system" fn P2PResetEvent(h: HANDLE) -> HRESULT {
    guard::call(|| done(system::reset(h)))
}

/// Waits until an event object is signalled, at most `dwMilliseconds` (0xFFFFFFFF: without an end).
///
/// `S_OK` signalled, `S_FALSE` timed out, `E_INVALIDARG` if the handle is not one, or is closed while waiting.
#[unsafe(no_mangle)]
pub extern "system" fn P2PWaitEvent(h: HANDLE, dwMilliseconds: u32) -> HRESULT {
    guard::call(|| {
        let limit =
            (dwMilliseconds != INFINITE).then(|| Duration::from_millis(dwMilliseconds.into()));
        let signalled = system::wait(h, limit).ok_or(Code::E_INVALIDARG)?;
        Ok(if signalled { Code::S_OK } else { S_FALSE })
    })
}

/// A descriptor that is readable while the event object is signalled, for `poll`, `epoll` and `kqueue`. It belongs to
/// the object: neither read from it nor close it. -1 if the handle is not one, and always on Windows.
#[unsafe(no_mangle)]
pub extern "system" fn P2PEventFd(h: HANDLE) -> i32 {
    guard::quiet(|| Descriptor(system::descriptor(h))).0
}

/// Closes an event object. Registrations that were made with it go on; nobody sees their signals any more.
///
/// `E_INVALIDARG` if the handle is not one.
#[unsafe(no_mangle)]
pub extern "system" fn P2PCloseEvent(h: HANDLE) -> HRESULT {
    guard::call(|| done(system::close(h)))
}

fn done(found: Option<()>) -> Result<Code, Failure> {
    found.map(|()| Code::S_OK).ok_or(Code::E_INVALIDARG.into())
}

/// What a function returns that could not do its work: no handle.
struct Handle(HANDLE);

impl Default for Handle {
    fn default() -> Self {
        Handle(core::ptr::null_mut())
    }
}

/// What a function returns that could not do its work: no descriptor.
struct Descriptor(i32);

impl Default for Descriptor {
    fn default() -> Self {
        Descriptor(-1)
    }
}

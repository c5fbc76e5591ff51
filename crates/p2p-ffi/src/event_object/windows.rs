//! Event objects where the system has them: thin covers of the system's own.

use core::ptr;
use core::time::Duration;
use std::sync::Arc;

use windows_sys::Win32::Foundation::{
    CloseHandle, DUPLICATE_SAME_ACCESS, DuplicateHandle, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Threading::{
    CreateEventW, GetCurrentProcess, INFINITE, ResetEvent, SetEvent, WaitForSingleObject,
};

use crate::layout::HANDLE;

/// A duplicate of the program's handle, kept by a registration.
#[derive(Clone)]
pub(crate) struct Signal(Arc<Duplicate>);

struct Duplicate(HANDLE);

// SAFETY: a handle is a number of this process; the system synchronises its use.
unsafe impl Send for Duplicate {}
// SAFETY: as above.
unsafe impl Sync for Duplicate {}

impl Signal {
    /// The event object behind a handle.
    pub(crate) fn of(handle: HANDLE) -> Option<Signal> {
        let mut duplicate = ptr::null_mut();
        // SAFETY: the system checks the handle; the out pointer is ours.
        let done = unsafe {
            let process = GetCurrentProcess();
            DuplicateHandle(process, handle, process, &mut duplicate, 0, 0, DUPLICATE_SAME_ACCESS)
        };
        (!handle.is_null() && done != 0).then(|| Signal(Arc::new(Duplicate(duplicate))))
    }

    /// Signals it.
    pub(crate) fn set(&self) {
        if set(self.0.0).is_none() {
            tracing::error!("event object: the system did not signal it");
        }
    }
}

impl Drop for Duplicate {
    fn drop(&mut self) {
        // SAFETY: ours alone, and closed once.
        unsafe { CloseHandle(self.0) };
    }
}

pub(super) fn create(manual_reset: bool, signalled: bool) -> HANDLE {
    // SAFETY: no security attributes, no name.
    unsafe { CreateEventW(ptr::null(), manual_reset.into(), signalled.into(), ptr::null()) }
}

pub(super) fn set(handle: HANDLE) -> Option<()> {
    // SAFETY: the system checks the handle.
    (unsafe { SetEvent(handle) } != 0).then_some(())
}

pub(super) fn reset(handle: HANDLE) -> Option<()> {
    // SAFETY: the system checks the handle.
    (unsafe { ResetEvent(handle) } != 0).then_some(())
}

pub(super) fn wait(handle: HANDLE, limit: Option<Duration>) -> Option<bool> {
    let milliseconds = limit.map_or(INFINITE, |limit| limit.as_millis() as u32);
    // SAFETY: the system checks the handle.
    match unsafe { WaitForSingleObject(handle, milliseconds) } {
        WAIT_OBJECT_0 => Some(true),
        WAIT_TIMEOUT => Some(false),
        _ => None,
    }
}

pub(super) fn descriptor(_: HANDLE) -> i32 {
    -1
}

pub(super) fn close(handle: HANDLE) -> Option<()> {
    // SAFETY: the system checks the handle.
    (unsafe { CloseHandle(handle) } != 0).then_some(())
}

//! The library in this process: its tables, and whether it is started.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use crate::enumeration::Enumeration;
use crate::event_object::Signal;
use crate::handle::{Kind, Table};

/// Everything that belongs to this process and to no other: a child made by `fork` starts with nothing.
pub(crate) struct Process {
    id: u32,
    /// Event objects that are open.
    #[cfg_attr(windows, allow(dead_code, reason = "there the system's own handles are used"))]
    pub(crate) events: Table<Signal>,
    /// Snapshots that are being read.
    pub(crate) enumerations: Table<Arc<Enumeration>>,
}

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

impl Process {
    /// The state of the process that asks. What a parent had is left alone: its threads do not exist here, and its
    /// locks may be held by them for ever.
    pub(crate) fn current() -> &'static Process {
        let id = std::process::id();
        let known = CURRENT.load(Ordering::Acquire);
        // SAFETY: what is stored was leaked by `begin` and is never freed.
        match unsafe { known.as_ref() } {
            Some(process) if process.id == id => process,
            _ => Process::begin(id, known),
        }
    }

    fn begin(id: u32, known: *mut Process) -> &'static Process {
        let process = Box::into_raw(Box::new(Process {
            id,
            events: Table::new(Kind::Event),
            enumerations: Table::new(Kind::Enumeration),
        }));
        match CURRENT.compare_exchange(known, process, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: just leaked, and never freed from now on.
            Ok(_) => unsafe { &*process },
            Err(other) => {
                // SAFETY: made above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(process) });
                // SAFETY: stored by another thread of this process, which leaked it.
                unsafe { &*other }
            }
        }
    }
}

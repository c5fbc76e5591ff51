//! Memory that runs out while something is being returned: `E_OUTOFMEMORY` from every function that returns a block,
//! and nothing has happened.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use super::*;

/// What a block of the library is aligned to, and hardly anything else.
const ALIGN: usize = 16;

thread_local! {
    /// Whether there is no memory for blocks on this thread.
    static EXHAUSTED: Cell<bool> = const { Cell::new(false) };
}

struct Failing;

// SAFETY: all of it is the system's, and a null is what an allocator may give at any time.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() == ALIGN && EXHAUSTED.try_with(Cell::get).unwrap_or(false) {
            return ptr::null_mut();
        }
        // SAFETY: as our caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as our caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as our caller promises.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as our caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// The call fails for want of memory and gives nothing, and then works.
#[track_caller]
pub(crate) fn runs_out<T>(call: impl Fn(*mut *mut T) -> HRESULT) -> *mut T {
    let mut out = ptr::dangling_mut();
    EXHAUSTED.set(true);
    let code = call(&mut out);
    EXHAUSTED.set(false);
    is(Code::E_OUTOFMEMORY, code);
    assert!(out.is_null());
    is(Code::S_OK, call(&mut out));
    out
}

#[test]
fn an_identity_whose_name_cannot_be_returned_is_not_there() {
    let _session = Session::new();
    let none = ptr::null();
    // SAFETY: ours, or null.
    let ann = take(runs_out(|out| unsafe { PeerIdentityCreate(none, none, 0, out) }));
    assert_eq!(count(), 1);
    let (name, word) = (wide(&ann), wide("secret"));
    // SAFETY: ours.
    let text = take(runs_out(|out| unsafe { PeerIdentityExport(name.ptr(), word.ptr(), out) }));
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityDelete(name.ptr()) });
    let text = wide(&text);
    // SAFETY: ours.
    let again = take(runs_out(|out| unsafe { PeerIdentityImport(text.ptr(), word.ptr(), out) }));
    assert_eq!((again, count()), (ann, 1));
}

fn count() -> u32 {
    let (mut handle, mut count) = (ptr::null_mut(), 77);
    // SAFETY: ours.
    unsafe {
        is(Code::S_OK, PeerEnumIdentities(&mut handle));
        is(Code::S_OK, PeerGetItemCount(handle, &mut count));
    }
    is(Code::S_OK, PeerEndEnumeration(handle));
    count
}

#[test]
fn what_an_identity_shows_needs_memory() {
    let _session = Session::new();
    let ann = identity("Ann");
    let name = wide(&ann);
    // SAFETY: ours.
    let shown = unsafe {
        [
            take(runs_out(|out| PeerIdentityGetXML(name.ptr(), out))),
            take(runs_out(|out| PeerIdentityGetFriendlyName(name.ptr(), out))),
            take(runs_out(|out| PeerIdentityGetDefault(out))),
            take(runs_out(|out| PeerCreatePeerName(name.ptr(), ptr::null(), out))),
            take(runs_out(|out| PeerCreatePeerName(ptr::null(), wide("x").ptr(), out))),
        ]
    };
    assert_eq!(shown, [xml(&ann), "Ann".into(), ann.clone(), ann, "0.x".into()]);
}

#[test]
fn what_was_not_returned_can_be_had_again() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = wide(&xml(&identity("Bob")));
    // SAFETY: ours, or null.
    let text = take(runs_out(|out| unsafe {
        PeerGroupCreateInvitation(group, bob.ptr(), ptr::null(), 0, ptr::null(), out)
    }));
    let text = wide(&text);
    // SAFETY: ours.
    PeerFreeData(runs_out(|out| unsafe { PeerGroupParseInvitation(text.ptr(), out) }).cast());
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    is(Code::S_OK, PeerGroupConnect(group));
    is(Code::S_OK, P2PWaitEvent(handle, 60_000));
    // SAFETY: ours.
    let data = runs_out(|out| unsafe { PeerGroupGetEventData(queue, out) });
    // SAFETY: an event of the library.
    assert_eq!(unsafe { (*data).eventType }, PEER_GROUP_EVENT_STATUS_CHANGED);
    PeerFreeData(data.cast());
    let mut members = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGroupEnumMembers(group, 0, ptr::null(), &mut members) });
    let items = runs_out(|out| {
        let mut count = 5;
        // SAFETY: ours.
        let code = unsafe { PeerGetNextItem(members, &mut count, out) };
        assert_eq!(count, u32::from(code == 0), "the position is where it was");
        code
    });
    PeerFreeData(items.cast());
    is(Code::S_OK, PeerEndEnumeration(members));
}

#[test]
fn snapshots_run_out_and_come_back() {
    let _session = Session::new();
    let mut open = Vec::new();
    let snapshot = || {
        let mut handle = ptr::dangling_mut();
        // SAFETY: ours.
        let code = unsafe { PeerEnumIdentities(&mut handle) };
        (code, handle)
    };
    let last = loop {
        match snapshot() {
            (0, handle) => open.push(handle),
            last => break last,
        }
    };
    assert_eq!(last, (Code::E_OUTOFMEMORY.0, ptr::null_mut()));
    let ann = identity("Ann");
    let mut handle = ptr::dangling_mut();
    // SAFETY: ours.
    is(Code::E_OUTOFMEMORY, unsafe { PeerEnumGroups(wide(&ann).ptr(), &mut handle) });
    assert!(handle.is_null());
    open.into_iter().for_each(|handle| is(Code::S_OK, PeerEndEnumeration(handle)));
    is(Code::S_OK, PeerEndEnumeration(snapshot().1));
}

//! Event objects, through the exported functions. (That `poll` agrees is checked in C: `c/events.c`.)
#![cfg(not(windows))]

mod seen;

use core::ptr;
use std::sync::mpsc;

use p2p_group::Code;
use peergroup::layout::{HANDLE, INFINITE};
use seen::functions::{
    P2PCloseEvent, P2PCreateEvent, P2PEventFd, P2PResetEvent, P2PSetEvent, P2PWaitEvent,
};

const S_OK: i32 = Code::S_OK.0;
const S_FALSE: i32 = 1;
const E_INVALIDARG: i32 = Code::E_INVALIDARG.0;
/// Far longer than anything here takes; a test that waits so long has failed.
const LONG: u32 = 30_000;

fn event(manual_reset: bool, signalled: bool) -> HANDLE {
    let event = P2PCreateEvent(manual_reset.into(), signalled.into());
    assert!(!event.is_null());
    event
}

/// A handle that another thread may have: it is a number.
#[derive(Clone, Copy)]
struct Shared(usize);

impl Shared {
    fn handle(self) -> HANDLE {
        ptr::without_provenance_mut(self.0)
    }
}

#[test]
fn an_automatic_event_is_seen_by_one_wait() {
    let event = event(false, false);
    assert_eq!(P2PWaitEvent(event, 0), S_FALSE);
    assert_eq!(P2PSetEvent(event), S_OK);
    assert_eq!(P2PSetEvent(event), S_OK);
    assert_eq!((P2PWaitEvent(event, LONG), P2PWaitEvent(event, 0)), (S_OK, S_FALSE));
    assert_eq!(P2PCloseEvent(event), S_OK);
}

#[test]
fn a_manual_event_stays_signalled_until_it_is_reset() {
    let event = event(true, true);
    for _ in 0..3 {
        assert_eq!(P2PWaitEvent(event, INFINITE), S_OK);
    }
    assert_eq!(P2PResetEvent(event), S_OK);
    assert_eq!(P2PResetEvent(event), S_OK);
    assert_eq!(P2PWaitEvent(event, 1), S_FALSE);
    assert_eq!(P2PCloseEvent(event), S_OK);
}

#[test]
fn every_signal_of_another_thread_wakes_a_waiter() {
    let event = Shared(event(false, false).addr());
    let (done, seen) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        for _ in 0..200 {
            assert_eq!(P2PWaitEvent(event.handle(), LONG), S_OK);
            done.send(()).unwrap();
        }
    });
    for _ in 0..200 {
        assert_eq!(P2PSetEvent(event.handle()), S_OK);
        seen.recv().unwrap();
    }
    waiter.join().unwrap();
    assert_eq!(P2PCloseEvent(event.handle()), S_OK);
}

#[test]
fn a_manual_event_wakes_all_that_wait() {
    let event = Shared(event(true, false).addr());
    let waiters: Vec<_> =
        (0..8).map(|_| std::thread::spawn(move || P2PWaitEvent(event.handle(), LONG))).collect();
    assert_eq!(P2PSetEvent(event.handle()), S_OK);
    assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap() == S_OK));
    assert_eq!(P2PCloseEvent(event.handle()), S_OK);
}

#[test]
fn closing_ends_a_wait_and_the_handle() {
    let event = Shared(event(false, false).addr());
    let (started, waiting) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        started.send(()).unwrap();
        P2PWaitEvent(event.handle(), INFINITE)
    });
    waiting.recv().unwrap();
    // Whether the other thread waits already or is about to: it must not wait for ever.
    assert_eq!(P2PCloseEvent(event.handle()), S_OK);
    assert_eq!(waiter.join().unwrap(), E_INVALIDARG);
    assert_eq!(P2PCloseEvent(event.handle()), E_INVALIDARG);
    assert_eq!(P2PWaitEvent(event.handle(), 0), E_INVALIDARG);
}

#[test]
fn what_is_no_event_is_refused_by_every_function() {
    let stale = event(true, true);
    assert_eq!(P2PCloseEvent(stale), S_OK);
    let garbage = ptr::without_provenance_mut(0x1234_5678);
    for wrong in [ptr::null_mut(), stale, garbage] {
        for code in
            [P2PSetEvent(wrong), P2PResetEvent(wrong), P2PWaitEvent(wrong, 0), P2PCloseEvent(wrong)]
        {
            assert_eq!(code, E_INVALIDARG);
        }
        assert_eq!(P2PEventFd(wrong), -1);
    }
}

#[test]
fn each_event_has_a_descriptor_of_its_own() {
    let (one, two) = (event(false, false), event(false, true));
    assert!(P2PEventFd(one) >= 0 && P2PEventFd(two) >= 0);
    assert_ne!(P2PEventFd(one), P2PEventFd(two));
    assert_eq!((P2PCloseEvent(one), P2PCloseEvent(two)), (S_OK, S_OK));
}

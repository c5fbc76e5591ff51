//! Several threads, handles and registrations on the same things. What many C threads do to a group that is online, and to
//! a library that is taken away under them, `c/threads.c` shows.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use super::*;

const THREADS: usize = 8;

/// A handle that threads share: a number, and never followed.
#[derive(Clone, Copy)]
struct Shared(usize);

impl Shared {
    fn new(handle: *mut c_void) -> Shared {
        Shared(handle.addr())
    }

    fn get(self) -> *mut c_void {
        ptr::without_provenance_mut(self.0)
    }
}

/// The same on every thread, begun at the same time.
fn at_once<R: Send>(work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let start = Barrier::new(THREADS);
    let run = |number| {
        start.wait();
        work(number)
    };
    thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Just one of many threads does it; the others are told that it was done.
#[track_caller]
fn once(others: Code, work: impl Fn() -> HRESULT + Sync) {
    let codes = at_once(|_| work());
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1);
    assert_eq!(codes.iter().filter(|code| **code == others.0).count(), THREADS - 1);
}

#[test]
fn whatever_is_ended_is_ended_by_one_thread() {
    let _session = Session::started();
    let ann = identity("Ann");
    let handle = group();
    let chess = name(handle);
    for _ in 0..20 {
        let (code, group) = open(&ann, &chess);
        is(Code::S_OK, code);
        let (code, object, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
        is(Code::S_OK, code);
        let (mut members, mut key) = (ptr::null_mut(), 0);
        // SAFETY: ours.
        unsafe {
            is(Code::S_OK, PeerGroupEnumMembers(group, 0, ptr::null(), &mut members));
            is(Code::S_OK, P2PKeyGenerate(&mut key));
        }
        let (group, object) = (Shared::new(group), Shared::new(object));
        let (queue, members) = (Shared::new(queue), Shared::new(members));
        once(Code::E_INVALIDARG, || PeerEndEnumeration(members.get()));
        once(Code::E_INVALIDARG, || PeerGroupUnregisterEvent(queue.get()));
        once(Code::E_INVALIDARG, || P2PCloseEvent(object.get()));
        once(Code::PEER_E_INVALID_GROUP, || PeerGroupClose(group.get()));
        once(Code::ERROR_INVALID_HANDLE, || P2PKeyRelease(key));
    }
    is(Code::S_OK, status(handle).0);
}

/// Handles, their registrations and an event object end in any order; then nothing is left.
#[test]
fn everything_ends_in_any_order() {
    let _session = Session::started();
    let ann = identity("Ann");
    let first = group();
    let chess = name(first);
    is(Code::S_OK, PeerGroupClose(first));
    for order in orders(&[0, 1, 2, 3, 4]) {
        let (one, other) = (open(&ann, &chess).1, open(&ann, &chess).1);
        let (_, object, queue) = register(one, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
        let entry = PEER_GROUP_EVENT_REGISTRATION {
            eventType: PEER_GROUP_EVENT_PROPERTY_CHANGED,
            pType: ptr::null(),
        };
        let mut second = ptr::null_mut();
        // SAFETY: ours.
        is(Code::S_OK, unsafe { PeerGroupRegisterEvent(other, object, 1, &entry, &mut second) });
        let mut open_handles = 2;
        for step in &order {
            let code = match step {
                0 | 1 => {
                    open_handles -= 1;
                    PeerGroupClose(if *step == 0 { one } else { other })
                }
                2 => PeerGroupUnregisterEvent(queue),
                3 => PeerGroupUnregisterEvent(second),
                _ => P2PCloseEvent(object),
            };
            assert_eq!(Code(code), Code::S_OK, "step {step} of {order:?}");
            // What is still open works.
            let gone = |handle: u32| order.iter().take_while(|s| *s != step).any(|s| *s == handle);
            for (number, handle) in [(0, one), (1, other)] {
                let closed = *step == number || gone(number);
                let expected = if closed { Code::PEER_E_INVALID_GROUP } else { Code::S_OK };
                assert_eq!(Code(status(handle).0), expected, "after {step} of {order:?}");
            }
        }
        assert_eq!(open_handles, 0);
    }
    is(Code::S_OK, delete(&ann, &chess));
}

/// All orders of some things.
fn orders(things: &[u32]) -> Vec<Vec<u32>> {
    if things.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for thing in things {
        let others: Vec<u32> = things.iter().copied().filter(|other| other != thing).collect();
        all.extend(orders(&others).into_iter().map(|rest| [vec![*thing], rest].concat()));
    }
    all
}

#[test]
fn a_snapshot_gives_each_item_to_one_of_its_readers() {
    let _session = Session::started();
    let names: BTreeSet<String> = (0..50).map(|number| identity(&number.to_string())).collect();
    let mut snapshot = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerEnumIdentities(&mut snapshot) });
    // A snapshot: what comes and goes now is not in it.
    let late = identity("late");
    let snapshot = Shared::new(snapshot);
    let read = at_once(|number| {
        let mut found = Vec::new();
        loop {
            let (mut count, mut items) = (1 + number as u32 % 3, ptr::null_mut());
            // SAFETY: ours.
            is(Code::S_OK, unsafe { PeerGetNextItem(snapshot.get(), &mut count, &mut items) });
            for index in 0..count as usize {
                // SAFETY: the library gave so many items of this kind.
                let pair = unsafe { &**items.add(index).cast::<*mut PEER_NAME_PAIR>() };
                found.push(super::read(pair.pwzPeerName));
            }
            PeerFreeData(items.cast());
            if count == 0 {
                return found;
            }
        }
    });
    let read: Vec<String> = read.into_iter().flatten().collect();
    assert_eq!(read.len(), names.len());
    assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), names);
    assert!(!names.contains(&late));
    is(Code::S_OK, PeerEndEnumeration(snapshot.get()));
}

/// Sets the comment of a group.
fn comment(group: HGROUP, text: &str) -> HRESULT {
    let mut properties = ptr::null_mut();
    // SAFETY: ours, and a block of the library.
    unsafe {
        is(Code::S_OK, PeerGroupGetProperties(group, &mut properties));
        let text = wide(text);
        let mut changed = *properties;
        changed.pwzComment = text.ptr();
        let code = PeerGroupSetProperties(group, &changed);
        PeerFreeData(properties.cast());
        code
    }
}

#[test]
fn properties_that_many_threads_set_are_all_set() {
    const ROUNDS: usize = 10;
    let _session = Session::started();
    let ann = identity("Ann");
    let handle = group();
    let chess = name(handle);
    let handles: Vec<Shared> = (0..THREADS).map(|_| Shared::new(open(&ann, &chess).1)).collect();
    at_once(|number| {
        for round in 0..ROUNDS {
            is(Code::S_OK, comment(handles[number].get(), &format!("{number} in {round}")));
        }
    });
    let mut properties = ptr::null_mut();
    // SAFETY: ours, and a block of the library.
    let last = unsafe {
        is(Code::S_OK, PeerGroupGetProperties(handle, &mut properties));
        super::read((*properties).pwzComment)
    };
    PeerFreeData(properties.cast());
    assert!(last.ends_with(&format!(" in {}", ROUNDS - 1)), "{last}");
}

#[test]
fn each_event_goes_to_every_registration_and_there_to_one_of_many_threads() {
    const CHANGES: u32 = 60;
    let _session = Session::started();
    let ann = identity("Ann");
    let handle = group();
    let chess = name(handle);
    let queues: Vec<Shared> = (0..3)
        .map(|_| {
            let (code, group) = open(&ann, &chess);
            is(Code::S_OK, code);
            let (code, object, queue) = register(group, &[PEER_GROUP_EVENT_PROPERTY_CHANGED]);
            is(Code::S_OK, code);
            // The queue and the event object are each kept by themselves.
            is(Code::S_OK, P2PCloseEvent(object));
            Shared::new(queue)
        })
        .collect();
    let (group, done) = (Shared::new(handle), AtomicBool::new(false));
    let counts: Vec<AtomicU32> = queues.iter().map(|_| AtomicU32::new(0)).collect();
    at_once(|number| {
        if number == 0 {
            for change in 0..CHANGES {
                is(Code::S_OK, comment(group.get(), &change.to_string()));
            }
            done.store(true, Ordering::Release);
            return;
        }
        let queue = number % queues.len();
        loop {
            let finished = done.load(Ordering::Acquire);
            let mut data = ptr::null_mut();
            // SAFETY: ours.
            match Code(unsafe { PeerGroupGetEventData(queues[queue].get(), &mut data) }) {
                Code::S_OK => {
                    // SAFETY: an event of the library.
                    let kind = unsafe { (*data).eventType };
                    assert_eq!(kind, PEER_GROUP_EVENT_PROPERTY_CHANGED);
                    counts[queue].fetch_add(1, Ordering::Relaxed);
                    PeerFreeData(data.cast());
                }
                // The event of a change is queued when the change has returned.
                Code::PEER_S_NO_EVENT_DATA if finished => return,
                code => assert_eq!(code, Code::PEER_S_NO_EVENT_DATA),
            }
            thread::yield_now();
        }
    });
    for count in counts {
        assert_eq!(count.into_inner(), CHANGES);
    }
}

/// The library is started and shut down while other threads open, use and close a group.
#[test]
fn a_group_is_used_while_the_library_comes_and_goes() {
    const USES: u32 = 5;
    let mut session = Session::started();
    let ann = identity("Ann");
    let chess = name(group());
    PeerGroupShutdown();
    session.started = 0;
    let users = AtomicU32::new(THREADS as u32 - 2);
    at_once(|number| {
        if number < 2 {
            while users.load(Ordering::Acquire) > 0 {
                let mut version = PEER_VERSION_DATA::default();
                // SAFETY: ours.
                is(Code::S_OK, unsafe { PeerGroupStartup(PEER_GROUP_VERSION, &mut version) });
                thread::yield_now();
                is(Code::S_OK, PeerGroupShutdown());
            }
            return;
        }
        let mut used = 0;
        while used < USES {
            let (code, group) = open(&ann, &chess);
            if code == 0 {
                use_and_close(group);
                used += 1;
            } else {
                let known = [Code::PEER_E_NOT_INITIALIZED, Code::PEER_E_GROUP_IN_USE];
                assert!(group.is_null() && known.contains(&Code(code)), "{}", Code(code));
            }
        }
        users.fetch_sub(1, Ordering::AcqRel);
    });
    is(Code::PEER_E_NOT_INITIALIZED, PeerGroupShutdown());
    // Nobody holds the group.
    session.start();
    let (code, group) = open(&ann, &chess);
    is(Code::S_OK, code);
    is(Code::S_OK, status(group).0);
}

/// Each call works, or says that the handle or the library is gone.
fn use_and_close(group: HGROUP) {
    let known = [Code::S_OK, Code::PEER_E_INVALID_GROUP, Code::PEER_E_NOT_INITIALIZED];
    let (code, object, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    assert!(known.contains(&Code(code)) && queue.is_null() == (code != 0));
    assert!(known.contains(&Code(status(group).0)));
    assert!(known.contains(&Code(PeerGroupClose(group))));
    is(Code::S_OK, P2PCloseEvent(object));
}

//! Events.

use super::*;

#[test]
fn kinds_of_events_are_checked() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    for kind in [1, 2, 3, 4, 5, 6, 8, 10, 11] {
        let (code, handle, queue) = register(group, &[kind, kind]);
        is(Code::S_OK, code);
        is(Code::S_OK, PeerGroupUnregisterEvent(queue));
        is(Code::S_OK, P2PCloseEvent(handle));
    }
    for kind in [0, 7, 9, 12, -1, i32::MIN] {
        let (code, handle, queue) = register(group, &[4, kind]);
        is(Code::E_INVALIDARG, code);
        assert!(queue.is_null());
        is(Code::S_OK, P2PCloseEvent(handle));
    }
    is(Code::E_INVALIDARG, register(group, &[]).0);
    is(Code::E_INVALIDARG, register(group, &[4; 4097]).0);
    is(Code::PEER_E_INVALID_GROUP, register(ptr::null_mut(), &[4]).0);
}

#[test]
fn a_queue_outlives_its_handle_and_ends_once() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    is(Code::S_OK, PeerGroupConnect(group));
    is(Code::S_OK, P2PWaitEvent(handle, 60_000));
    is(Code::S_OK, PeerGroupClose(group));
    // What was queued is still there; that closing ended the status is not told to who closed.
    PeerFreeData(event(handle, queue).cast());
    let mut data = ptr::dangling_mut();
    // SAFETY: ours.
    is(Code::PEER_S_NO_EVENT_DATA, unsafe { PeerGroupGetEventData(queue, &mut data) });
    assert!(data.is_null());
    is(Code::S_OK, PeerGroupUnregisterEvent(queue));
    is(Code::E_INVALIDARG, PeerGroupUnregisterEvent(queue));
    // SAFETY: ours.
    is(Code::E_INVALIDARG, unsafe { PeerGroupGetEventData(queue, &mut data) });
}

//! Group time and UTC.

use super::*;

const ANY: FILETIME = FILETIME { dwLowDateTime: 0x89ab_cdef, dwHighDateTime: 0x01dc_4567 };
const MAX: FILETIME = FILETIME { dwLowDateTime: u32::MAX, dwHighDateTime: 0x7fff_ffff };

type Conversion = unsafe fn(HGROUP, *const FILETIME, *mut FILETIME) -> i32;
const BOTH: [Conversion; 2] = [PeerGroupPeerTimeToUniversalTime, PeerGroupUniversalTimeToPeerTime];

#[test]
fn times_go_there_and_back() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    for (there, back) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
        let (mut time, mut again) = (FILETIME::default(), FILETIME::default());
        // SAFETY: ours.
        unsafe {
            is(Code::S_OK, there(group, &ANY, &mut time));
            is(Code::S_OK, back(group, &time, &mut again));
        }
        assert_eq!(again, ANY);
    }
}

#[test]
fn no_time_stays_none_and_the_end_of_time_is_the_end() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let beyond = FILETIME { dwHighDateTime: 0x8000_0000, ..MAX };
    let last = FILETIME { dwLowDateTime: u32::MAX, dwHighDateTime: u32::MAX };
    for convert in BOTH {
        for (given, expected) in
            [(FILETIME::default(), FILETIME::default()), (MAX, MAX), (beyond, MAX), (last, MAX)]
        {
            // One object for both.
            let mut time = given;
            let place = &raw mut time;
            // SAFETY: ours.
            is(Code::S_OK, unsafe { convert(group, place, place) });
            assert_eq!(time, expected);
        }
    }
}

#[test]
fn what_fails_leaves_the_time_as_it_was() {
    let session = Session::new();
    let wrong: HGROUP = ptr::without_provenance_mut(0x70);
    let refused = |convert: Conversion, expected: Code, group: HGROUP, from: *const FILETIME| {
        let mut time = MAX;
        // SAFETY: ours, or null.
        is(expected, unsafe { convert(group, from, &mut time) });
        assert_eq!(time, MAX);
    };
    for convert in BOTH {
        refused(convert, Code::PEER_E_NOT_INITIALIZED, wrong, ptr::null());
        // SAFETY: ours, or null.
        let code = unsafe { convert(wrong, &ANY, ptr::null_mut()) };
        is(Code::PEER_E_NOT_INITIALIZED, code);
    }
    drop(session);

    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let (code, bobs) = join(&bob, &invitation(group, &xml(&bob)));
    is(Code::S_OK, code);
    for convert in BOTH {
        // SAFETY: ours, or null.
        is(Code::E_INVALIDARG, unsafe { convert(wrong, ptr::null(), ptr::null_mut()) });
        refused(convert, Code::PEER_E_INVALID_GROUP, wrong, ptr::null());
        refused(convert, Code::PEER_E_INVALID_GROUP, ptr::null_mut(), &ANY);
        refused(convert, Code::E_INVALIDARG, group, ptr::null());
        // Bob has met nobody yet; what else is wrong is said first.
        refused(convert, Code::E_INVALIDARG, bobs, ptr::null());
        refused(convert, Code::PEER_E_GROUP_NOT_READY, bobs, &ANY);
    }
    is(Code::S_OK, PeerGroupClose(group));
    for convert in BOTH {
        refused(convert, Code::PEER_E_INVALID_GROUP, group, &ANY);
    }
}

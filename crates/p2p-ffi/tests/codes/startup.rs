//! Startup and shutdown, and what they mean for everything else.

use super::*;

#[test]
fn startup_grants_a_version_and_is_counted() {
    let _session = Session::new();
    let mut version = PEER_VERSION_DATA { wVersion: 9, wHighestVersion: 9 };
    // SAFETY: ours.
    unsafe {
        is(Code::E_INVALIDARG, PeerGroupStartup(PEER_GROUP_VERSION, ptr::null_mut()));
        is(Code::PEER_E_UNSUPPORTED_VERSION, PeerGroupStartup(0x0102, &mut version));
        assert_eq!((version.wVersion, version.wHighestVersion), (0, 0));
        is(Code::PEER_E_NOT_INITIALIZED, PeerGroupShutdown());
        is(Code::S_OK, PeerGroupStartup(0x0001, &mut version));
        assert_eq!((version.wVersion, version.wHighestVersion), (0x0001, 0x0101));
        is(Code::S_OK, PeerGroupStartup(0x0301, &mut version));
        assert_eq!(version.wVersion, 0x0101);
    }
    is(Code::S_OK, PeerGroupShutdown());
    is(Code::PEER_E_INVALID_GROUP, PeerGroupConnect(ptr::null_mut()));
    is(Code::S_OK, PeerGroupShutdown());
    is(Code::PEER_E_NOT_INITIALIZED, PeerGroupConnect(ptr::null_mut()));
}

#[test]
fn startup_refuses_a_damaged_identity() {
    let mut session = Session::new();
    identity("Ann");
    let mut files = vec![session.home.path().to_owned()];
    while let Some(path) = files.pop() {
        match path.is_dir() {
            true => {
                files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()))
            }
            false => std::fs::write(path, b"damaged").unwrap(),
        }
    }
    let mut version = PEER_VERSION_DATA::default();
    // SAFETY: ours.
    is(Code::PEER_E_CERT_STORE_CORRUPTED, unsafe {
        PeerGroupStartup(PEER_GROUP_VERSION, &mut version)
    });
    is(Code::PEER_E_NOT_INITIALIZED, PeerGroupShutdown());
    session.home = TempDir::new().unwrap();
}

#[test]
fn nothing_of_the_group_works_before_startup() {
    let _session = Session::new();
    let (mut handle, mut text, mut number, mut id) =
        (ptr::dangling_mut::<c_void>(), ptr::dangling_mut(), 1, 1);
    let (mut event, mut info) = (ptr::dangling_mut(), ptr::dangling_mut());
    let (mut properties, mut statistics) = (ptr::dangling_mut(), ptr::dangling_mut());
    let none = ptr::null();
    // SAFETY: ours, or null.
    let codes = unsafe {
        [
            PeerGroupCreate(ptr::null(), &mut handle),
            PeerGroupOpen(none, none, none, &mut handle),
            PeerGroupJoin(none, none, none, &mut handle),
            PeerGroupConnect(handle),
            PeerGroupConnectByAddress(handle, 0, ptr::null()),
            PeerGroupClose(handle),
            PeerGroupDelete(none, none),
            PeerGroupGetStatus(handle, &mut number),
            PeerGroupGetProperties(handle, &mut properties),
            PeerGroupSetProperties(handle, ptr::null()),
            P2PGetStatistics(handle, &mut statistics),
            PeerGroupCreateInvitation(handle, none, ptr::null(), 0, ptr::null(), &mut text),
            PeerGroupParseInvitation(none, &mut info),
            PeerGroupCreatePasswordInvitation(handle, &mut text),
            PeerGroupPasswordJoin(none, none, none, none, &mut handle),
            PeerGroupResumePasswordAuthentication(handle, handle),
            PeerGroupIssueCredentials(handle, none, ptr::null(), 0, &mut text),
            P2PGroupRevoke(handle, none, 0),
            P2PGroupDemote(handle, none, 0, ptr::null()),
            PeerGroupEnumMembers(handle, 0, none, &mut handle),
            PeerGroupEnumConnections(handle, 0, &mut handle),
            PeerGroupOpenDirectConnection(handle, none, ptr::null(), &mut id),
            PeerGroupCloseDirectConnection(handle, 1),
            PeerGroupSendData(handle, 1, ptr::null(), 0, ptr::null()),
            PeerGroupRegisterEvent(handle, handle, 0, ptr::null(), &mut handle),
            PeerGroupUnregisterEvent(handle),
            PeerGroupGetEventData(handle, &mut event),
            PeerGroupShutdown(),
        ]
    };
    for (index, code) in codes.into_iter().enumerate() {
        assert_eq!(Code(code), Code::PEER_E_NOT_INITIALIZED, "call {index}");
    }
    assert!(
        handle.is_null() && text.is_null() && event.is_null() && info.is_null(),
        "cleared all the same"
    );
    assert!(properties.is_null() && statistics.is_null());
    assert_eq!((number, id), (0, 0));
}

#[test]
fn snapshots_and_memory_outlive_the_library_but_handles_do_not() {
    let mut session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    let mut members = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGroupEnumMembers(group, 0, ptr::null(), &mut members) });
    let group_name = name(group);
    is(Code::S_OK, PeerGroupShutdown());
    session.started = 0;
    let (mut count, mut items) = (1, ptr::null_mut());
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGetNextItem(members, &mut count, &mut items) });
    assert_eq!(count, 1);
    is(Code::S_OK, PeerEndEnumeration(members));
    PeerFreeData(items.cast());
    is(Code::S_OK, P2PSetEvent(handle));
    is(Code::PEER_E_NOT_INITIALIZED, PeerGroupUnregisterEvent(queue));
    session.start();
    is(Code::E_INVALIDARG, PeerGroupUnregisterEvent(queue));
    is(Code::PEER_E_INVALID_GROUP, PeerGroupClose(group));
    let (code, again) = open(&ann, &group_name);
    is(Code::S_OK, code);
    assert_ne!(again, group);
}

//! Groups: making, opening, connecting, listing.

use super::*;

#[test]
fn properties_of_a_group_are_checked() {
    let _session = Session::started();
    let (code, handle) = create(&properties());
    is(Code::PEER_E_NOT_FOUND, code);
    assert!(handle.is_null());
    let ann = identity("Ann");
    let text = |length| wide(&"x".repeat(length));
    let (long, longer, empty, word) = (text(150), text(256), text(0), text(1));
    let (ann, global, stranger) =
        (wide(&ann), wide("Global_"), wide(&format!("{}.", "0".repeat(40))));
    let (weak, short, good) = (wide("aaaaaaaa"), wide("1234567"), wide("12345678"));
    let (huge, half, control) = (text(1_025), Wide(vec![0xd800, 0]), wide("\u{7}"));
    let with_password = |p: &mut PEER_GROUP_PROPERTIES, schemes, password: &Wide| {
        p.dwAuthenticationSchemes = schemes;
        p.groupPasswordRole = Roles::GUIDS[2].1.into();
        p.pwzGroupPassword = password.ptr();
    };
    let wrong = Code::PEER_E_INVALID_GROUP_PROPERTIES;
    type Row<'a> = (Code, Box<dyn Fn(&mut PEER_GROUP_PROPERTIES) + 'a>);
    let rows: Vec<Row<'_>> = vec![
        (Code::S_OK, Box::new(|_| {})),
        (Code::S_OK, Box::new(|p| p.pwzCreatorPeerName = ann.ptr())),
        (Code::S_OK, Box::new(|p| p.pwzCloud = global.ptr())),
        (Code::S_OK, Box::new(|p| p.dwAuthenticationSchemes = 1)),
        (Code::S_OK, Box::new(|p| (p.ulPresenceLifetime, p.ulMemberDataLifetime) = (300, 28_800))),
        (Code::S_OK, Box::new(|p| p.dwSize = PEER_GROUP_PROPERTIES::OLD_SIZE as u32)),
        (Code::E_INVALIDARG, Box::new(|p| p.dwSize -= 1)),
        (Code::E_INVALIDARG, Box::new(|p| p.dwSize = 0)),
        (Code::PEER_E_INVALID_PEER_NAME, Box::new(|p| p.pwzCreatorPeerName = word.ptr())),
        (Code::PEER_E_NOT_FOUND, Box::new(|p| p.pwzCreatorPeerName = stranger.ptr())),
        (Code::PEER_E_CLASSIFIER_TOO_LONG, Box::new(|p| p.pwzClassifier = long.ptr())),
        (Code::PEER_E_INVALID_CLASSIFIER, Box::new(|p| p.pwzClassifier = empty.ptr())),
        (Code::PEER_E_INVALID_FRIENDLY_NAME, Box::new(|p| p.pwzFriendlyName = longer.ptr())),
        (Code::PEER_E_NO_CLOUD, Box::new(|p| p.pwzCloud = word.ptr())),
        (Code::PEER_E_NO_CLOUD, Box::new(|p| p.pwzCloud = longer.ptr())),
        (Code::PEER_E_INVALID_ROLE_PROPERTY, Box::new(|p| p.dwAuthenticationSchemes = 2)),
        (Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY, Box::new(|p| with_password(p, 2, &weak))),
        (Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY, Box::new(|p| with_password(p, 3, &short))),
        (Code::E_INVALIDARG, Box::new(|p| with_password(p, 3, &huge))),
        (Code::S_OK, Box::new(|p| with_password(p, 3, &good))),
        (wrong, Box::new(|p| with_password(p, 1, &good))),
        (wrong, Box::new(|p| with_password(p, 6, &good))),
        (wrong, Box::new(|p| p.pwzGroupPeerName = stranger.ptr())),
        (wrong, Box::new(|p| p.pwzComment = longer.ptr())),
        (wrong, Box::new(|p| p.pwzGroupPassword = word.ptr())),
        (wrong, Box::new(|p| p.dwAuthenticationSchemes = 4)),
        (wrong, Box::new(|p| p.dwFlags = 8)),
        (wrong, Box::new(|p| p.pwzComment = control.ptr())),
        (Code::S_OK, Box::new(|p| p.dwFlags = PEER_DISABLE_PRESENCE)),
        (Code::E_INVALIDARG, Box::new(|p| p.pwzComment = half.ptr())),
        (wrong, Box::new(|p| p.ulPresenceLifetime = 299)),
        (wrong, Box::new(|p| p.ulMemberDataLifetime = 28_799)),
        (wrong, Box::new(|p| p.ulMemberDataLifetime = 315_360_001)),
        (
            wrong,
            Box::new(|p| {
                p.dwAuthenticationSchemes = 2;
                p.groupPasswordRole = Roles::GUIDS[2].1.into();
            }),
        ),
    ];
    for (index, (expected, spoil)) in rows.into_iter().enumerate() {
        let mut properties = properties();
        spoil(&mut properties);
        let (code, group) = create(&properties);
        assert_eq!(Code(code), expected, "row {index}");
        assert_eq!(group.is_null(), expected != Code::S_OK);
        if expected == Code::S_OK {
            is(Code::S_OK, PeerGroupClose(group));
        }
    }
}

#[test]
fn a_group_is_opened_by_name_shared_and_closed() {
    let _session = Session::started();
    let ann = identity("Ann");
    let first = group();
    let group_name = name(first);
    let (code, second) = open(&ann, &group_name);
    is(Code::S_OK, code);
    assert_ne!(first, second);
    is(Code::S_OK, PeerGroupClose(first));
    is(Code::PEER_E_INVALID_GROUP, PeerGroupClose(first));
    assert_eq!(status(first), (Code::PEER_E_INVALID_GROUP.0, 0));
    assert_eq!(status(second), (0, 0));
    is(Code::S_OK, PeerGroupClose(second));
    let (code, third) = open(&ann, &group_name);
    is(Code::S_OK, code);
    // Open already: what cloud is named does not matter.
    let mut fourth = ptr::null_mut();
    // SAFETY: ours.
    unsafe {
        let names = (wide(&ann), wide(&group_name), wide("Elsewhere"));
        is(Code::S_OK, PeerGroupOpen(names.0.ptr(), names.1.ptr(), names.2.ptr(), &mut fourth));
        is(Code::S_OK, PeerGroupClose(fourth));
        is(Code::S_OK, PeerGroupClose(third));
        is(
            Code::PEER_E_NO_CLOUD,
            PeerGroupOpen(names.0.ptr(), names.1.ptr(), names.2.ptr(), &mut fourth),
        );
    }
    let stranger = format!("{}.", "0".repeat(40));
    is(Code::PEER_E_NOT_FOUND, open(&ann, &stranger).0);
    is(Code::PEER_E_NOT_FOUND, open(&stranger, &group_name).0);
    is(Code::PEER_E_INVALID_PEER_NAME, open("Ann", &group_name).0);
    is(Code::PEER_E_INVALID_PEER_NAME, open(&ann, "Friends").0);
    is(Code::PEER_E_INVALID_PEER_NAME, open(&ann, &"0".repeat(300)).0);
}

#[test]
fn a_deleted_group_takes_its_handles_with_it() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let group_name = name(group);
    is(Code::PEER_E_INVALID_PEER_NAME, delete(&ann, "Friends"));
    is(Code::PEER_E_INVALID_PEER_NAME, delete("Ann", &group_name));
    // SAFETY: ours; no identity means the default one.
    is(Code::S_OK, unsafe { PeerGroupDelete(ptr::null(), wide(&group_name).ptr()) });
    is(Code::PEER_E_INVALID_GROUP, PeerGroupClose(group));
    is(Code::PEER_E_INVALID_GROUP, PeerGroupConnect(group));
    is(Code::PEER_E_NOT_FOUND, delete(&ann, &group_name));
    is(Code::PEER_E_NOT_FOUND, open(&ann, &group_name).0);
}

#[test]
fn connecting_twice_is_a_success_of_its_own() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    assert_eq!(status(group), (0, 0));
    let (code, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    is(Code::S_OK, code);
    is(Code::S_OK, PeerGroupConnect(group));
    let data = event(handle, queue);
    // SAFETY: an event of the library.
    let (kind, bits) = unsafe { ((*data).eventType, (*data).payload.dwStatus) };
    assert_eq!((kind, bits), (PEER_GROUP_EVENT_STATUS_CHANGED, PEER_GROUP_STATUS_LISTENING));
    is(Code::S_OK, P2PGetEventDetail(data));
    PeerFreeData(data.cast());
    is(Code::E_INVALIDARG, P2PGetEventDetail(data));
    is(Code::PEER_S_ALREADY_CONNECTED, PeerGroupConnect(group));
    assert_eq!(status(group), (0, 1));
    is(Code::S_OK, PeerGroupClose(group));
}

#[test]
fn addresses_to_connect_to_are_checked() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let connect = |addresses: &[PEER_ADDRESS]| {
        // SAFETY: ours.
        unsafe { PeerGroupConnectByAddress(group, addresses.len() as u32, addresses.as_ptr()) }
    };
    is(Code::E_INVALIDARG, connect(&[]));
    is(Code::E_INVALIDARG, connect(&[address(1); 65]));
    is(Code::E_INVALIDARG, connect(&[address(1), address(0)]));
    let mut family = address(1);
    family.sin6.sin6_family = 10;
    is(Code::E_INVALIDARG, connect(&[family]));
    let mut size = address(1);
    size.dwSize = 28;
    is(Code::E_INVALIDARG, connect(&[size]));
    is(Code::S_OK, connect(&[address(1)]));
    is(Code::S_OK, PeerGroupClose(group));
    // SAFETY: ours.
    is(Code::PEER_E_INVALID_GROUP, unsafe { PeerGroupConnectByAddress(group, 1, &address(1)) });
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the C interface has no other way to be told")]
fn a_taken_port_is_an_event() {
    let taken = std::net::UdpSocket::bind("[::1]:0").unwrap();
    let session = Session::started();
    // SAFETY: no other test runs; no identity has been started in this session.
    unsafe { std::env::set_var("P2P_LISTEN", taken.local_addr().unwrap().to_string()) };
    identity("Ann");
    let group = group();
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_CONNECTION_FAILED]);
    is(Code::S_OK, PeerGroupConnect(group));
    let data = event(handle, queue);
    // SAFETY: an event of the library.
    is(Code::PEER_E_UNABLE_TO_LISTEN, unsafe { (*data).payload.hrConnectionFailedReason });
    PeerFreeData(data.cast());
    assert_eq!(status(group), (0, 0));
    drop(session);
}

#[test]
fn members_and_connections_are_listed_by_flags() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let count = |flags: u32, identity: Option<&str>| {
        let (mut handle, mut count) = (ptr::dangling_mut(), 77);
        let identity = identity.map(wide);
        let text = identity.as_ref().map_or(ptr::null(), |text| text.ptr().cast_const());
        // SAFETY: ours.
        let code = unsafe { PeerGroupEnumMembers(group, flags, text, &mut handle) };
        if code < 0 {
            assert!(handle.is_null());
            return Err(Code(code));
        }
        // SAFETY: ours.
        is(Code::S_OK, unsafe { PeerGetItemCount(handle, &mut count) });
        is(Code::S_OK, PeerEndEnumeration(handle));
        Ok(count)
    };
    assert_eq!(count(0, None), Ok(1));
    assert_eq!(count(0, Some(&ann)), Ok(1));
    assert_eq!(count(0, Some(&format!("{}.", "0".repeat(40)))), Ok(0));
    assert_eq!(count(PEER_MEMBER_PRESENT, None), Ok(0), "offline");
    assert_eq!(count(2, None), Err(Code::E_INVALIDARG));
    assert_eq!(count(0, Some("Ann")), Err(Code::E_INVALIDARG));
    for (flags, expected) in [(0, Code::E_INVALIDARG), (4, Code::E_INVALIDARG), (3, Code::S_OK)] {
        let mut handle = ptr::dangling_mut();
        // SAFETY: ours.
        is(expected, unsafe { PeerGroupEnumConnections(group, flags, &mut handle) });
        assert_eq!(handle.is_null(), expected != Code::S_OK);
    }
    let mut handle = ptr::null_mut();
    // SAFETY: ours.
    unsafe {
        is(
            Code::PEER_E_INVALID_GROUP,
            PeerGroupEnumMembers(ptr::null_mut(), 0, ptr::null(), &mut handle),
        );
        is(Code::PEER_E_INVALID_GROUP, PeerGroupEnumConnections(ptr::null_mut(), 3, &mut handle));
    }
}

#[test]
fn a_member_shows_its_key_and_where_it_listens() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = group();
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    is(Code::S_OK, PeerGroupConnect(group));
    PeerFreeData(event(handle, queue).cast());
    let (mut members, mut count, mut items) = (ptr::null_mut(), 5, ptr::null_mut());
    // SAFETY: ours, then a block of the library.
    unsafe {
        is(Code::S_OK, PeerGroupEnumMembers(group, PEER_MEMBER_PRESENT, ptr::null(), &mut members));
        is(Code::S_OK, PeerGetNextItem(members, &mut count, &mut items));
        assert_eq!(count, 1);
        let member = &**items.cast::<*mut PEER_MEMBER>();
        assert_eq!((member.dwFlags, member.cAddresses), (PEER_MEMBER_PRESENT, 1));
        assert_ne!(member.ullNodeId, 0);
        let own = (*member.pAddresses).to_address().unwrap();
        assert!(own.is_loopback() && own.port != 0);
        let key = &*(*member.pCredentialInfo).pPublicKey;
        assert_eq!((key.PublicKey.cbData, key.PublicKey.cUnusedBits), (32, 0));
        // To oneself, where one listens: refused before anything is tried.
        let mut id = 9;
        let to_self =
            PeerGroupOpenDirectConnection(group, wide(&ann).ptr(), member.pAddresses, &mut id);
        is(Code::PEER_E_CONNECT_SELF, to_self);
        assert_eq!(id, 0);
    }
    PeerFreeData(items.cast());
    is(Code::S_OK, PeerEndEnumeration(members));
}

#[test]
fn a_direct_connection_needs_a_group_that_is_online() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let bob = identity("Bob");
    let open = |name: &str, address: &PEER_ADDRESS| {
        let mut id = 9;
        // SAFETY: ours.
        let code =
            unsafe { PeerGroupOpenDirectConnection(group, wide(name).ptr(), address, &mut id) };
        assert_eq!(id, 0);
        code
    };
    is(Code::PEER_E_GROUP_NOT_READY, open(&bob, &address(1)));
    is(Code::E_INVALIDARG, open("", &address(1)));
    is(Code::E_INVALIDARG, open("Bob", &address(1)));
    is(Code::E_INVALIDARG, open(&bob, &address(0)));
    let mut family = address(1);
    family.sin6.sin6_family = 2;
    is(Code::E_INVALIDARG, open(&bob, &family));
    is(Code::PEER_E_CONNECTION_NOT_FOUND, PeerGroupCloseDirectConnection(group, 1));
    is(Code::PEER_E_CONNECTION_NOT_FOUND, send(group, 1, 1));
    is(Code::E_INVALIDARG, send(group, 1, (16 << 20) + 1));
    is(Code::PEER_E_INVALID_GROUP, send(ptr::null_mut(), 1, 1));
    let mut id = 9;
    // SAFETY: ours.
    unsafe {
        let nowhere =
            PeerGroupOpenDirectConnection(ptr::null_mut(), wide(&bob).ptr(), &address(1), &mut id);
        is(Code::PEER_E_INVALID_GROUP, nowhere);
    }
}

#[test]
fn a_damaged_database_is_a_code_and_not_the_end() {
    let mut session = Session::started();
    let ann = identity("Ann");
    let group_name = name(group());
    is(Code::S_OK, PeerGroupShutdown());
    session.started = 0;
    let (mut folders, mut damaged) = (vec![session.home.path().to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "redb") {
                std::fs::write(path, [0x55; 8192]).unwrap();
                damaged += 1;
            }
        }
    }
    assert!(damaged > 0, "the store keeps members in a database");
    session.start();
    is(Code::PEER_E_DBINITIALIZATION_FAILED, open(&ann, &group_name).0);
    // Nothing else is lost: another group works.
    let (code, other) = create(&properties());
    is(Code::S_OK, code);
    is(Code::S_OK, PeerGroupClose(other));
}

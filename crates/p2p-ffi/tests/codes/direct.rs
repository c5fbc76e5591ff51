//! Direct connections between two identities of one process.

use super::*;

const CHAT: GUID = GUID { Data1: 1, Data2: 2, Data3: 3, Data4: [4; 8] };
const OTHER: GUID = GUID { Data1: 9, Data2: 9, Data3: 9, Data4: [9; 8] };

/// One end: a group handle with a queue for direct connections and data.
pub(crate) struct End {
    pub(crate) name: String,
    pub(crate) group: HGROUP,
    pub(crate) handle: HANDLE,
    pub(crate) queue: HPEEREVENT,
}

impl End {
    pub(crate) fn new(name: String, group: HGROUP) -> End {
        let (code, handle, queue) =
            register(group, &[PEER_GROUP_EVENT_DIRECT_CONNECTION, PEER_GROUP_EVENT_INCOMING_DATA]);
        is(Code::S_OK, code);
        End { name, group, handle, queue }
    }

    pub(crate) fn connect(&self, bits: u32) {
        let (_, handle, queue) = register(self.group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
        is(Code::S_OK, PeerGroupConnect(self.group));
        while status(self.group).1 & bits != bits {
            PeerFreeData(event(handle, queue).cast());
        }
        is(Code::S_OK, PeerGroupUnregisterEvent(queue));
        is(Code::S_OK, P2PCloseEvent(handle));
    }

    /// The next event as a change of a direct connection: id, status, reason, detail.
    pub(crate) fn change(&self) -> (u64, i32, Code, Code) {
        let data = event(self.handle, self.queue);
        let detail = Code(P2PGetEventDetail(data));
        // SAFETY: an event of the library, of the kind that is checked.
        let change = unsafe {
            assert_eq!((*data).eventType, PEER_GROUP_EVENT_DIRECT_CONNECTION);
            (*data).payload.connectionChangeData
        };
        PeerFreeData(data.cast());
        (change.ullConnectionId, change.status, Code(change.hrConnectionFailedReason), detail)
    }

    /// The next event as data: id, type, bytes.
    pub(crate) fn data(&self) -> (u64, GUID, Option<Vec<u8>>) {
        let data = event(self.handle, self.queue);
        // SAFETY: an event of the library, of the kind that is checked.
        let incoming = unsafe {
            assert_eq!((*data).eventType, PEER_GROUP_EVENT_INCOMING_DATA);
            (*data).payload.incomingData
        };
        let found = (!incoming.data.pbData.is_null()).then(|| {
            // SAFETY: as many bytes as are said.
            unsafe {
                core::slice::from_raw_parts(incoming.data.pbData, incoming.data.cbData as usize)
            }
            .to_vec()
        });
        PeerFreeData(data.cast());
        (incoming.ullConnectionId, incoming.r#type, found)
    }

    pub(crate) fn open(&self, name: &str, address: &PEER_ADDRESS) -> u64 {
        let mut id = 0;
        // SAFETY: ours.
        is(Code::S_OK, unsafe {
            PeerGroupOpenDirectConnection(self.group, wide(name).ptr(), address, &mut id)
        });
        id
    }

    pub(crate) fn send(&self, id: u64, kind: &GUID, bytes: &[u8]) -> Code {
        // SAFETY: ours.
        Code(unsafe {
            PeerGroupSendData(self.group, id, kind, bytes.len() as u32, bytes.as_ptr().cast())
        })
    }

    pub(crate) fn address(&self) -> PEER_ADDRESS {
        let (mut members, mut count, mut items) = (ptr::null_mut(), 1, ptr::null_mut());
        // SAFETY: ours, then a block of the library.
        let address = unsafe {
            is(
                Code::S_OK,
                PeerGroupEnumMembers(self.group, 0, wide(&self.name).ptr(), &mut members),
            );
            is(Code::S_OK, PeerGetNextItem(members, &mut count, &mut items));
            let member = &**items.cast::<*mut PEER_MEMBER>();
            assert!(member.cAddresses > 0);
            *member.pAddresses
        };
        PeerFreeData(items.cast());
        is(Code::S_OK, PeerEndEnumeration(members));
        address
    }
}

/// Ann, who made the group, and Bob, whom she invited; both online, neighbours of each other.
pub(crate) fn pair() -> (Session, End, End) {
    let session = Session::started();
    let (ann, bob) = (identity("Ann"), identity("Bob"));
    let anns = group();
    let ann = End::new(ann, anns);
    ann.connect(PEER_GROUP_STATUS_LISTENING);
    let (code, bobs) = join(&bob, &invitation(anns, &xml(&bob)));
    is(Code::S_OK, code);
    let bob = End::new(bob, bobs);
    bob.connect(PEER_GROUP_STATUS_LISTENING | PEER_GROUP_STATUS_HAS_CONNECTIONS);
    (session, ann, bob)
}

/// A direct connection that stands: Bob's id and Ann's.
pub(crate) fn connected(ann: &End, bob: &End) -> (u64, u64) {
    let id = bob.open(&ann.name, &ann.address());
    assert_eq!(bob.change(), (id, PEER_CONNECTED, Code::S_OK, Code::S_OK));
    let (theirs, ..) = ann.change();
    (id, theirs)
}

#[test]
fn messages_keep_their_type_and_their_bounds() {
    let (_session, ann, bob) = pair();
    let (id, theirs) = connected(&ann, &bob);
    let large = vec![7; 16 << 20];
    assert_eq!(bob.send(id, &CHAT, b"hello"), Code::S_OK);
    assert_eq!(bob.send(id, &OTHER, b""), Code::S_OK);
    assert_eq!(bob.send(id, &CHAT, &large), Code::S_OK);
    assert_eq!(ann.data(), (theirs, CHAT, Some(b"hello".to_vec())));
    assert_eq!(ann.data(), (theirs, OTHER, None));
    assert_eq!(ann.data(), (theirs, CHAT, Some(large)));
    assert_eq!(ann.send(theirs, &OTHER, b"back"), Code::S_OK);
    assert_eq!(bob.data(), (id, OTHER, Some(b"back".to_vec())));
    assert_ne!(bob.send(theirs, &CHAT, b"each end has its own number"), Code::S_OK);
}

#[test]
fn a_registration_for_one_type_gets_no_other() {
    let (_session, ann, bob) = pair();
    let handle = P2PCreateEvent(0, 0);
    let entry =
        PEER_GROUP_EVENT_REGISTRATION { eventType: PEER_GROUP_EVENT_INCOMING_DATA, pType: &OTHER };
    let mut queue = ptr::null_mut();
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGroupRegisterEvent(ann.group, handle, 1, &entry, &mut queue) });
    let (id, theirs) = connected(&ann, &bob);
    for (kind, text) in [(CHAT, "one"), (OTHER, "two"), (CHAT, "three")] {
        assert_eq!(bob.send(id, &kind, text.as_bytes()), Code::S_OK);
    }
    for _ in 0..3 {
        ann.data();
    }
    let narrow = End { name: String::new(), group: ann.group, handle, queue };
    assert_eq!(narrow.data(), (theirs, OTHER, Some(b"two".to_vec())));
    let mut data = ptr::null_mut();
    // SAFETY: ours.
    is(Code::PEER_S_NO_EVENT_DATA, unsafe { PeerGroupGetEventData(queue, &mut data) });
}

#[test]
fn a_full_queue_refuses_and_harms_nothing() {
    let (_session, ann, bob) = pair();
    let (id, _) = connected(&ann, &bob);
    let block = vec![1; 1 << 20];
    // Ann takes nothing: her end holds 8 MiB, Bob's another 8 MiB, the network some.
    let mut accepted = 0;
    let refused = loop {
        match bob.send(id, &CHAT, &block) {
            Code::S_OK => accepted += 1,
            code => break code,
        }
        assert!(accepted < 1_000, "there is no end to it");
    };
    assert_eq!(refused, Code::E_OUTOFMEMORY);
    for _ in 0..accepted {
        assert_eq!(ann.data().2.as_ref(), Some(&block));
    }
    // There is room again as soon as the node has heard of it.
    while bob.send(id, &CHAT, b"more") == Code::E_OUTOFMEMORY {
        std::thread::yield_now();
    }
    while ann.data().2.as_deref() != Some(b"more") {}
}

#[test]
fn whoever_answers_must_be_who_was_asked_for() {
    let (_session, ann, bob) = pair();
    let eve = identity("Eve");
    let id = bob.open(&eve, &ann.address());
    let (found, status, reason, detail) = bob.change();
    assert_eq!((found, status), (id, PEER_CONNECTION_FAILED));
    assert_eq!(
        (reason, detail),
        (Code::PEER_E_CONNECTION_NOT_AUTHENTICATED, Code::CRYPT_E_NO_MATCH)
    );
    is(Code::PEER_E_CONNECTION_NOT_FOUND, PeerGroupCloseDirectConnection(bob.group, id));
}

#[test]
fn a_connection_belongs_to_all_handles_of_the_group() {
    let (_session, ann, bob) = pair();
    let group_name = name(ann.group);
    let (code, second) = open(&bob.name, &group_name);
    is(Code::S_OK, code);
    let other = End::new(bob.name.clone(), second);
    let (id, theirs) = connected(&ann, &bob);
    assert_eq!(other.change().0, id);
    is(Code::S_OK, PeerGroupCloseDirectConnection(second, id));
    for end in [&bob, &other] {
        assert_eq!(end.change(), (id, PEER_DISCONNECTED, Code::S_OK, Code::S_OK));
    }
    assert_eq!(ann.change(), (theirs, PEER_DISCONNECTED, Code::S_OK, Code::S_OK));
    // One handle less is nothing to a connection.
    let (id, _) = connected(&ann, &bob);
    is(Code::S_OK, PeerGroupClose(second));
    assert_eq!(bob.send(id, &CHAT, b"still here"), Code::S_OK);
    is(Code::S_OK, PeerGroupCloseDirectConnection(bob.group, id));
}

#[test]
fn the_last_handle_and_the_deleted_group_close_connections() {
    let (_session, ann, bob) = pair();
    let (id, theirs) = connected(&ann, &bob);
    is(Code::S_OK, PeerGroupClose(bob.group));
    assert_eq!(ann.change(), (theirs, PEER_DISCONNECTED, Code::S_OK, Code::S_OK));
    is(Code::PEER_E_INVALID_GROUP, PeerGroupCloseDirectConnection(bob.group, id));
    let group_name = name(ann.group);
    is(Code::S_OK, delete(&ann.name, &group_name));
    is(Code::PEER_E_INVALID_GROUP, PeerGroupCloseDirectConnection(ann.group, theirs));
}

#[test]
fn a_member_may_not_invite_and_neighbours_are_listed() {
    let (_session, ann, bob) = pair();
    let eve = xml(&identity("Eve"));
    is(Code::PEER_E_NOT_AUTHORIZED, invite(bob.group, &eve, None, &[]).0);
    let neighbours = |end: &End, flags: u32| {
        let (mut handle, mut count) = (ptr::null_mut(), 0);
        // SAFETY: ours.
        unsafe {
            is(Code::S_OK, PeerGroupEnumConnections(end.group, flags, &mut handle));
            is(Code::S_OK, PeerGetItemCount(handle, &mut count));
        }
        is(Code::S_OK, PeerEndEnumeration(handle));
        count
    };
    assert_eq!(
        (neighbours(&bob, PEER_CONNECTION_NEIGHBOR), neighbours(&bob, PEER_CONNECTION_DIRECT)),
        (1, 0)
    );
    let (id, _) = connected(&ann, &bob);
    assert_eq!(
        (neighbours(&bob, PEER_CONNECTION_NEIGHBOR), neighbours(&bob, PEER_CONNECTION_DIRECT)),
        (1, 1)
    );
    assert_eq!(neighbours(&bob, 3), 2);
    is(Code::S_OK, PeerGroupCloseDirectConnection(bob.group, id));
    assert_eq!(neighbours(&bob, 3), 1);
    // What the library made is not the program's to close, nor to send on.
    let (mut handle, mut count, mut items) = (ptr::null_mut(), 1, ptr::null_mut());
    // SAFETY: ours, then a block of the library.
    let id = unsafe {
        is(Code::S_OK, PeerGroupEnumConnections(bob.group, PEER_CONNECTION_NEIGHBOR, &mut handle));
        is(Code::S_OK, PeerGetNextItem(handle, &mut count, &mut items));
        (**items.cast::<*mut PEER_CONNECTION_INFO>()).ullConnectionId
    };
    PeerFreeData(items.cast());
    is(Code::S_OK, PeerEndEnumeration(handle));
    is(Code::PEER_E_CONNECTION_NOT_FOUND, PeerGroupCloseDirectConnection(bob.group, id));
    assert_eq!(bob.send(id, &CHAT, b"no"), Code::PEER_E_CONNECTION_NOT_FOUND);
    assert_eq!(neighbours(&bob, 3), 1);
    // Ann is a neighbour already.
    // SAFETY: ours.
    is(Code::PEER_S_ALREADY_CONNECTED, unsafe {
        PeerGroupConnectByAddress(bob.group, 1, &ann.address())
    });
}

#[test]
fn members_come_and_go_as_events() {
    let session = Session::started();
    let (ann, bob) = (identity("Ann"), identity("Bob"));
    let anns = group();
    let (_, handle, queue) = register(anns, &[PEER_GROUP_EVENT_MEMBER_CHANGED]);
    let ann = End::new(ann, anns);
    ann.connect(PEER_GROUP_STATUS_LISTENING);
    let (_, bobs) = join(&bob, &invitation(anns, &xml(&bob)));
    let bob = End::new(bob, bobs);
    bob.connect(PEER_GROUP_STATUS_HAS_CONNECTIONS);
    let mut seen = Vec::new();
    // Until he is there: first of all he is met for the first time.
    while seen.last() != Some(&PEER_MEMBER_CONNECTED) {
        let data = event(handle, queue);
        // SAFETY: an event of the library, of the kind that was registered for.
        let change = unsafe { (*data).payload.memberChangeData };
        // SAFETY: text of the same block.
        let units: Vec<u16> = unsafe {
            (0..)
                .map(|index| *change.pwzIdentity.add(index))
                .take_while(|unit| *unit != 0)
                .collect()
        };
        if String::from_utf16(&units).unwrap() == bob.name {
            seen.push(change.changeType);
        }
        PeerFreeData(data.cast());
    }
    assert!(seen.contains(&PEER_MEMBER_JOINED));
    drop(session);
}

//! What there is no more room for: `E_OUTOFMEMORY`, nothing has happened, and there is room again once something has gone.

use p2p_core::StoreChange;
use p2p_crypto::{GroupIdentity, Identity, Invitation, IssueRequest};
use p2p_group::{GroupPassword, GroupProperties, now};
use p2p_store::{GroupRecord, Store};

use super::admin::issue;
use super::direct::{connected, pair};
use super::memory::runs_out;
use super::password::{PASSWORD, invitation_by_password, invite_by_password, join_with};
use super::*;

/// Calls until it is refused: what it gave before.
fn fill<T>(expected: Code, mut call: impl FnMut() -> (HRESULT, T)) -> Vec<T> {
    let mut given = Vec::new();
    loop {
        match call() {
            (0, value) => given.push(value),
            (code, _) => {
                is(expected, code);
                return given;
            }
        }
    }
}

/// An offline group of an identity, which may be joined in both ways.
fn open_to_all(creator: &str) -> HGROUP {
    let (creator, password) = (wide(creator), wide(PASSWORD));
    let mut wanted = properties();
    wanted.pwzCreatorPeerName = creator.ptr();
    wanted.dwAuthenticationSchemes = 3;
    wanted.groupPasswordRole = Roles::GUIDS[2].1.into();
    wanted.pwzGroupPassword = password.ptr();
    let (code, group) = create(&wanted);
    is(Code::S_OK, code);
    group
}

/// Registers with one group after the other, until there is no room.
fn fill_with_registrations(groups: &[HGROUP]) {
    let event = P2PCreateEvent(0, 0);
    let kind = PEER_GROUP_EVENT_STATUS_CHANGED;
    let entry = PEER_GROUP_EVENT_REGISTRATION { eventType: kind, pType: ptr::null() };
    let mut next = groups.iter().cycle();
    let mut register = || {
        let (group, mut queue) = (next.next().unwrap(), ptr::dangling_mut());
        // SAFETY: ours.
        let code = unsafe { PeerGroupRegisterEvent(*group, event, 1, &entry, &mut queue) };
        assert_eq!(queue.is_null(), code < 0);
        (code, queue)
    };
    let queues = fill(Code::E_OUTOFMEMORY, &mut register);
    assert_eq!(queues.len(), 65_536);
    is(Code::S_OK, PeerGroupUnregisterEvent(queues[0]));
    is(Code::S_OK, register().0);
}

fn groups_of(identity: &str) -> u32 {
    let (mut handle, mut count) = (ptr::null_mut(), 0);
    // SAFETY: ours.
    unsafe {
        is(Code::S_OK, PeerEnumGroups(wide(identity).ptr(), &mut handle));
        is(Code::S_OK, PeerGetItemCount(handle, &mut count));
    }
    is(Code::S_OK, PeerEndEnumeration(handle));
    count
}

#[test]
fn an_identity_has_256_groups_open_and_a_program_65536_registrations() {
    let _session = Session::started();
    let (ann, bob) = (identity("Ann"), identity("Bob"));
    let bobs = open_to_all(&bob);
    let (named, by_password) = (invitation(bobs, &xml(&ann)), invitation_by_password(bobs));
    let groups = fill(Code::E_OUTOFMEMORY, || create(&properties()));
    assert_eq!(groups.len(), 256);
    fill_with_registrations(&groups);
    is(Code::E_OUTOFMEMORY, join(&ann, &named).0);
    is(Code::E_OUTOFMEMORY, join_with(&ann, &by_password, PASSWORD).0);
    assert_eq!(groups_of(&ann), 256, "what was refused left nothing behind");
    let closed = name(groups[0]);
    is(Code::S_OK, PeerGroupClose(groups[0]));
    let (code, joined) = join(&ann, &named);
    is(Code::S_OK, code);
    let (code, refused) = open(&ann, &closed);
    is(Code::E_OUTOFMEMORY, code);
    assert!(refused.is_null());
    is(Code::S_OK, PeerGroupClose(joined));
    is(Code::S_OK, open(&ann, &closed).0);
}

#[test]
fn a_peer_has_64_direct_connections() {
    let (_session, ann, bob) = pair();
    let (name, address) = (wide(&ann.name), ann.address());
    let open = || {
        let mut id = 77;
        // SAFETY: ours.
        let code =
            unsafe { PeerGroupOpenDirectConnection(bob.group, name.ptr(), &address, &mut id) };
        (code, id)
    };
    let ids = fill(Code::E_OUTOFMEMORY, open);
    assert_eq!(ids.len(), 64);
    for _ in &ids {
        assert_eq!(bob.change().1, PEER_CONNECTED);
    }
    is(Code::S_OK, PeerGroupCloseDirectConnection(bob.group, ids[0]));
    assert_eq!(bob.change(), (ids[0], PEER_DISCONNECTED, Code::S_OK, Code::S_OK));
    // At the other end it counts until its end was heard of.
    for _ in &ids {
        assert_eq!(ann.change().1, PEER_CONNECTED);
    }
    assert_eq!(ann.change().1, PEER_DISCONNECTED);
    connected(&ann, &bob);
}

#[test]
fn snapshots_of_a_group_run_out_and_come_back() {
    let _session = Session::started();
    identity("Ann");
    let group = group();
    let members = || {
        let mut handle = ptr::dangling_mut();
        // SAFETY: ours.
        let code = unsafe { PeerGroupEnumMembers(group, 0, ptr::null(), &mut handle) };
        assert_eq!(handle.is_null(), code < 0);
        (code, handle)
    };
    let snapshots = fill(Code::E_OUTOFMEMORY, members);
    let mut handle = ptr::dangling_mut();
    // SAFETY: ours.
    is(Code::E_OUTOFMEMORY, unsafe { PeerGroupEnumConnections(group, 3, &mut handle) });
    assert!(handle.is_null());
    is(Code::S_OK, PeerEndEnumeration(snapshots[0]));
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerGroupEnumConnections(group, 3, &mut handle) });
}

#[test]
fn what_a_group_shows_needs_memory() {
    let _session = Session::started();
    let ann = identity("Ann");
    let group = open_to_all(&ann);
    let bob = identity("Bob");
    let (code, bobs) = join(&bob, &invitation(group, &xml(&bob)));
    is(Code::S_OK, code);
    is(Code::S_OK, PeerGroupClose(bobs));
    // SAFETY: ours, or null.
    unsafe {
        PeerFreeData(runs_out(|out| PeerGroupGetProperties(group, out)).cast());
        PeerFreeData(runs_out(|out| P2PGetStatistics(group, out)).cast());
        PeerFreeData(runs_out(|out| PeerGroupCreatePasswordInvitation(group, out)).cast());
        let word = wide(PASSWORD);
        PeerFreeData(runs_out(|out| PeerGroupExportConfig(group, word.ptr(), out)).cast());
        let credential = credential_of(&bob);
        let name = wide(&bob);
        PeerFreeData(
            runs_out(|out| PeerGroupIssueCredentials(group, name.ptr(), &credential.1, 0, out))
                .cast(),
        );
    }
    is(Code::S_OK, issue(group, &bob, Some(&credential_of(&bob).1), 0).0);
}

/// What a credential for a local identity says, with what it points to.
fn credential_of(identity: &str) -> (Box<Parts>, PEER_CREDENTIAL_INFO) {
    let home = p2p_store::Home::at(std::env::var_os("P2P_HOME").unwrap());
    let identity = home.load(&p2p_group::PeerName::parse(identity).unwrap()).unwrap();
    super::refusals::credential(&identity)
}

type Parts = (CERT_PUBLIC_KEY_INFO, Vec<u8>);

/// The chain of a membership has room for 24; the last one of them hands on nothing, to whoever knows the password too.
#[test]
fn the_24th_member_invites_nobody_by_password() {
    let mut session = Session::new();
    let root = GroupIdentity::create(None, None, now()).unwrap();
    let mut last = Identity::create(None, Some("1"), now()).unwrap();
    let mut chain = root.issue_creator(&last.info(), now()).unwrap();
    let mut wanted = GroupProperties::new("", last.key_id(), last.name().clone());
    GroupPassword::new(PASSWORD, p2p_group::Roles::MEMBER)
        .apply(&root.key_id(), &mut wanted)
        .unwrap();
    for number in 2..=24 {
        let next = Identity::create(None, Some(&number.to_string()), now()).unwrap();
        let (subject, roles) = (&next.info(), p2p_group::Roles::ADMIN);
        let request = IssueRequest { subject, roles, expires: None, hints: &[], now: now() };
        chain = Invitation::issue(&last, &chain, &request).unwrap().chain().clone();
        last = next;
    }
    let group = root.key_id();
    let bytes = root.sign_properties(&wanted).unwrap();
    let kind = p2p_core::ObjectKind::Properties;
    let id = p2p_crypto::verify_object(&group, kind, &bytes).unwrap().id();
    let home = p2p_store::Home::at(session.home.path());
    home.create(&last).unwrap();
    let store = home.store(&last);
    store.save_group(&group, &GroupRecord { chain: chain.clone(), root: None }).unwrap();
    store.set_hints(&group, &[], true).unwrap();
    store.commit(&[StoreChange::Object { group, id, kind, bytes }]).unwrap();
    drop(store);
    session.start();
    let name = p2p_crypto::inspect_chain(&chain).unwrap().group_name.to_string();
    let (code, group) = open(last.name().as_str(), &name);
    is(Code::S_OK, code);
    is(Code::PEER_E_CHAIN_TOO_LONG, invite_by_password(group).0);
}

//! Every row of the table of refusals at every function of C where it can be met: the code that the function gives, and
//! what is behind it. The tests go by the table: a row without something broken for it fails.

mod material;
mod peer;

use core::fmt::Debug;
use std::path::PathBuf;

use bytes::Bytes;
use p2p_core::KeyId;
use p2p_crypto::{Cause, Identity, Surface};
use p2p_store::{GroupRecord, Store};

use super::*;
use crate::admin::{ROLE_MEMBER, demote, issue, revoke};
use crate::portable::import;
use material::{Material, PASSWORD, behind, last_of_24};
use peer::Peers;

/// Surfaces that tell no code in C. What members pass on: a node that is handed something broken counts it
/// (`objects_refused` of `P2PGetStatistics`) and, after a few, ends the link. Joining by password: whatever is wrong, the joiner gets
/// `PEER_E_NOT_AUTHORIZED` (`password.rs`), and the member gets nothing, as of everybody whom it turns away.
const NOT_IN_C: &[Surface] = &[Surface::Object, Surface::Password];

/// The rows of the table that can be met at a surface.
fn rows(surface: Surface) -> impl Iterator<Item = Cause> {
    Cause::all().filter(move |cause| cause.surfaces().contains(&surface))
}

/// What there must be something broken for.
#[track_caller]
fn due<T>(material: Option<T>, cause: impl Debug, surface: Surface) -> T {
    material.unwrap_or_else(|| panic!("nothing broken at hand for {cause:?} at {surface:?}"))
}

#[track_caller]
fn refused(cause: Cause, expected: Code, code: HRESULT) {
    assert_eq!(Code(code), expected, "{cause:?}");
    let detail = behind(expected, cause.refusal());
    assert_eq!(Code(P2PGetLastErrorDetail()), detail, "behind {cause:?}");
}

/// Keeps an identity and its membership in the session's home, as if it had been used there before.
fn keep(session: &Session, identity: &Identity, group: KeyId, chain: &[u8]) {
    let home = p2p_store::Home::at(session.home.path());
    home.create(identity).unwrap();
    home.set_default(identity.name()).unwrap();
    keep_chain(session, identity, group, chain);
}

fn keep_chain(session: &Session, identity: &Identity, group: KeyId, chain: &[u8]) {
    let store = p2p_store::Home::at(session.home.path()).store(identity);
    let record = GroupRecord { chain: Bytes::copy_from_slice(chain), root: None };
    store.save_group(&group, &record).unwrap();
    store.set_hints(&group, &[], true).unwrap();
}

/// The peer name of the corpus's group.
fn chess(material: &Material) -> String {
    let info = p2p_crypto::inspect_chain(material.file("valid-creator.chain")).unwrap();
    info.group_name.to_string()
}

/// A member of the corpus's group, with its group open.
fn opened(session: &mut Session, material: &Material, member: &Identity, chain: &[u8]) -> HGROUP {
    keep(session, member, material.group, chain);
    session.start();
    let (code, group) = open(member.name().as_str(), &chess(material));
    is(Code::S_OK, code);
    group
}

#[test]
fn every_surface_has_its_test() {
    let tested = [
        Surface::Tls,
        Surface::Chain,
        Surface::Description,
        Surface::Invitation,
        Surface::Joining,
        Surface::Issuing,
        Surface::Loading,
        Surface::Importing,
        Surface::Configuration,
        Surface::Store,
    ];
    for cause in Cause::all() {
        for surface in cause.surfaces() {
            let known = tested.contains(surface) || NOT_IN_C.contains(surface);
            assert!(known, "{cause:?} at {surface:?}");
        }
    }
}

#[test]
fn descriptions() {
    let (material, _session) = (Material::new(), Session::started());
    identity("Ann");
    let group = group();
    for cause in rows(Surface::Description) {
        let text = due(material.description(cause), cause, Surface::Description);
        let expected = match cause {
            Cause::Container | Cause::Base64 => Code::E_INVALIDARG,
            _ => cause.refusal().code,
        };
        refused(cause, expected, invite(group, &text, None, &[]).0);
        refused(cause, expected, revoke(group, &text, 0));
        refused(cause, expected, demote(group, &text, &[ROLE_MEMBER]));
    }
}

#[test]
fn invitations() {
    let (material, _session) = (Material::new(), Session::started());
    let ann = identity("Ann");
    for cause in rows(Surface::Invitation) {
        let text = due(material.invitation(cause), cause, Surface::Invitation);
        let (code, info) = parse(&text);
        match cause {
            // One of the other kind is shown, as it should.
            Cause::OtherKind => is(Code::S_OK, code),
            _ => refused(cause, cause.incoming_code(), code),
        }
        PeerFreeData(info.cast());
        refused(cause, cause.incoming_code(), join(&ann, &text).0);
    }
}

#[test]
fn joining() {
    let (material, session) = (Material::new(), Session::started());
    p2p_store::Home::at(session.home.path()).create(&material.bob).unwrap();
    let bob = material.bob.name().as_str();
    for cause in rows(Surface::Joining) {
        let text = due(material.joining(cause), cause, Surface::Joining);
        let (code, info) = parse(&text);
        is(Code::S_OK, code);
        PeerFreeData(info.cast());
        refused(cause, cause.incoming_code(), join(bob, &text).0);
    }
}

#[test]
fn imports() {
    let (material, _session) = (Material::new(), Session::new());
    for cause in rows(Surface::Importing) {
        let (text, password) = due(material.export(cause), cause, Surface::Importing);
        refused(cause, Code::E_INVALIDARG, import(&text, password).0);
        assert_eq!(default_name().0, Code::PEER_E_NOT_FOUND.0, "{cause:?} left something behind");
    }
    // A key by itself: the code itself.
    for (cause, bytes) in
        [(Cause::KeyMissing, &[][..]), (Cause::KeyUnreadable, material.file("key-cut.p8"))]
    {
        let mut key = 77;
        // SAFETY: ours.
        let code = unsafe { P2PKeyImportPkcs8(bytes.as_ptr(), bytes.len() as u32, &mut key) };
        refused(cause, cause.refusal().code, code);
    }
    let good = material.bob.export(PASSWORD).unwrap();
    is(Code::S_OK, import(&good, PASSWORD).0);
}

#[test]
fn configurations() {
    let (material, session) = (Material::new(), Session::started());
    p2p_store::Home::at(session.home.path()).create(&material.bob).unwrap();
    for cause in rows(Surface::Configuration) {
        let text = due(material.configuration(cause), cause, Surface::Configuration);
        let (code, names) = crate::config::import(&text, PASSWORD, 1);
        refused(cause, cause.configuring_code(), code);
        assert_eq!(names, None, "{cause:?}");
    }
    let groups = p2p_group::Home::at(session.home.path()).groups(material.bob.name()).unwrap();
    assert!(groups.is_empty(), "what was refused left something behind");
}

/// The folder of an identity in the session's home.
fn folder(session: &Session, identity: &Identity) -> PathBuf {
    session.home.path().join("identities").join(identity.name().authority())
}

#[test]
fn loading() {
    let (material, mut session) = (Material::new(), Session::new());
    let bob = &material.bob;
    p2p_store::Home::at(session.home.path()).create(bob).unwrap();
    let (folder, name) = (folder(&session, bob), wide(bob.name().as_str()));
    for cause in rows(Surface::Loading) {
        let (key, certificate) = due(material.parts(cause), cause, Surface::Loading);
        std::fs::write(folder.join("key"), key).unwrap();
        std::fs::write(folder.join("certificate"), certificate).unwrap();
        let mut text = ptr::dangling_mut();
        // SAFETY: ours.
        let code = unsafe { PeerIdentityGetXML(name.ptr(), &mut text) };
        // Whatever is wrong with it, a file is damaged.
        refused(Cause::StoreDamaged, Code::PEER_E_CERT_STORE_CORRUPTED, code);
        assert!(text.is_null(), "{cause:?}");
        let mut version = PEER_VERSION_DATA::default();
        // SAFETY: ours.
        is(Code::PEER_E_CERT_STORE_CORRUPTED, unsafe {
            PeerGroupStartup(PEER_GROUP_VERSION, &mut version)
        });
    }
    std::fs::write(folder.join("key"), bob.pkcs8().unwrap()).unwrap();
    std::fs::write(folder.join("certificate"), bob.certificate()).unwrap();
    session.start();
}

#[test]
fn stored_files() {
    let session = Session::new();
    let ann = identity("Ann");
    for cause in rows(Surface::Store) {
        // Longer than anything that is stored there.
        spoil(session.home.path(), "certificate", Some(&[0; 100_000]));
        let mut text = ptr::dangling_mut();
        // SAFETY: ours.
        let code = unsafe { PeerIdentityGetXML(wide(&ann).ptr(), &mut text) };
        refused(cause, Code::PEER_E_CERT_STORE_CORRUPTED, code);
    }
}

/// What is granted is refused for what was asked, or for the granting member's own chain. With a chain that is broken in
/// itself, which nothing of ours has stored, a group is not even opened.
#[test]
fn issuing() {
    let material = Material::new();
    for cause in rows(Surface::Issuing) {
        let mut session = Session::new();
        let Some((member, group, chain)) = issuer(&material, cause) else {
            let chain = due(material.chain(cause), cause, Surface::Issuing);
            keep(&session, &material.bob, material.group, &chain);
            session.start();
            let code = open(material.bob.name().as_str(), &chess(&material)).0;
            refused(cause, Code::PEER_E_CERT_STORE_CORRUPTED, code);
            continue;
        };
        keep(&session, &member, group, &chain);
        session.start();
        let name = p2p_crypto::inspect_chain(&chain).unwrap().group_name.to_string();
        let (code, group) = open(member.name().as_str(), &name);
        is(Code::S_OK, code);
        if cause == Cause::NotAdministrator {
            // Found before anything is signed, so there is nothing behind it.
            let name = material.ada.name().as_str();
            is(cause.issuing_code(), issue(group, name, None, PEER_GROUP_STORE_CREDENTIALS).0);
            is(cause.issuing_code(), revoke(group, &material.ada.to_xml(), 0));
            continue;
        }
        if cause == Cause::ChainTooLong {
            let (_parts, credential) = credential(&material.ada);
            let name = material.ada.name().as_str();
            refused(cause, cause.issuing_code(), issue(group, name, Some(&credential), 0).0);
        }
        let seconds = |seconds: u64| FILETIME::from(p2p_group::now().plus_seconds(seconds));
        let (expires, role) = match cause {
            Cause::Expired => (Some(FILETIME::default()), Roles::MEMBER),
            Cause::OutlivesIssuer => {
                (Some(FILETIME { dwLowDateTime: !0, dwHighDateTime: !0 }), Roles::MEMBER)
            }
            Cause::RoleNotDelegable => (Some(seconds(3_600)), Roles::ADMIN),
            _ => (None, Roles::MEMBER),
        };
        let guest = match cause {
            Cause::KeyTwice => xml(member.name().as_str()),
            Cause::TooLarge => xml(&of_long_names()),
            _ => xml(&identity("Guest")),
        };
        let role = GUID::from(role.guids().next().unwrap());
        refused(cause, cause.issuing_code(), invite(group, &guest, expires, &[role]).0);
    }
}

/// Who is refused an invitation for this cause: an identity, its group, and its chain.
fn issuer(material: &Material, cause: Cause) -> Option<(Identity, KeyId, Bytes)> {
    let corpus = |who: &Identity, file: &str| {
        Some((who.clone(), material.group, Bytes::copy_from_slice(material.file(file))))
    };
    match cause {
        Cause::ChainTooLong => Some(last_of_24()),
        Cause::NotYetValid => {
            let chain = material.chain(cause)?;
            Some((material.bob.clone(), material.group, chain.into()))
        }
        Cause::RoleNotDelegable | Cause::NotAdministrator => {
            corpus(&material.bob, "valid-member.chain")
        }
        Cause::Expired | Cause::OutlivesIssuer | Cause::KeyTwice | Cause::TooLarge => {
            corpus(&material.ada, "valid-creator.chain")
        }
        _ => None,
    }
}

/// An identity whose names fit into its own certificate and into no membership.
fn of_long_names() -> String {
    let mut name = ptr::null_mut();
    let (classifier, friendly_name) = (wide(&"漢".repeat(149)), wide(&"漢".repeat(255)));
    // SAFETY: ours.
    is(Code::S_OK, unsafe {
        PeerIdentityCreate(classifier.ptr(), friendly_name.ptr(), 0, &mut name)
    });
    take(name)
}

/// The reason of the failure of a direct connection to Bob at this address, and what is behind it.
fn failure(group: HGROUP, bob: &str, address: PEER_ADDRESS) -> (Code, Code) {
    let (code, handle, queue) = register(group, &[PEER_GROUP_EVENT_DIRECT_CONNECTION]);
    is(Code::S_OK, code);
    let mut id = 0;
    // SAFETY: ours.
    is(Code::S_OK, unsafe {
        PeerGroupOpenDirectConnection(group, wide(bob).ptr(), &address, &mut id)
    });
    let data = event(handle, queue);
    // SAFETY: an event of this kind.
    let change = unsafe { (*data).payload.connectionChangeData };
    assert_eq!((change.ullConnectionId, change.status), (id, PEER_CONNECTION_FAILED));
    let seen = (Code(change.hrConnectionFailedReason), Code(P2PGetEventDetail(data)));
    PeerFreeData(data.cast());
    is(Code::S_OK, PeerGroupUnregisterEvent(queue));
    is(Code::S_OK, P2PCloseEvent(handle));
    seen
}

/// Ada, the creator of the corpus's group, online in it.
fn ada_online(session: &mut Session, material: &Material) -> HGROUP {
    let chain = material.file("valid-creator.chain");
    let group = opened(session, material, &material.ada, chain);
    let (_, handle, queue) = register(group, &[PEER_GROUP_EVENT_STATUS_CHANGED]);
    is(Code::S_OK, PeerGroupConnect(group));
    PeerFreeData(event(handle, queue).cast());
    is(Code::S_OK, PeerGroupUnregisterEvent(queue));
    group
}

#[test]
fn handshakes() {
    let (material, peers, mut session) = (Material::new(), Peers::new(), Session::new());
    let group = ada_online(&mut session, &material);
    let bob = &material.bob;
    for cause in rows(Surface::Tls) {
        let certificate = due(material.tls(cause), cause, Surface::Tls);
        let address = peers.show(bob, &certificate, material.group, &[]);
        let seen = failure(group, bob.name().as_str(), address);
        let expected = (Code::PEER_E_CONNECTION_NOT_AUTHENTICATED, cause.refusal().code);
        assert_eq!(seen, expected, "{cause:?}");
    }
}

#[test]
fn memberships_that_are_shown() {
    let (material, peers, mut session) = (Material::new(), Peers::new(), Session::new());
    let group = ada_online(&mut session, &material);
    let bob = &material.bob;
    // What was revoked comes last: nothing else is found in its chains afterwards.
    let (revoked, others): (Vec<_>, Vec<_>) =
        rows(Surface::Chain).partition(|cause| *cause == Cause::Revoked);
    assert_eq!(revoked.len(), 1);
    for cause in others.into_iter().chain(revoked) {
        let chain = match cause {
            Cause::Revoked => {
                is(Code::S_OK, revoke(group, &bob.to_xml(), 1));
                material.file("valid-member.chain").to_vec()
            }
            _ => due(material.chain(cause), cause, Surface::Chain),
        };
        let address = peers.show(bob, bob.tls_certificate(), material.group, &chain);
        let seen = failure(group, bob.name().as_str(), address);
        let expected = (Code::PEER_E_CONNECTION_NOT_AUTHENTICATED, cause.refusal().code);
        assert_eq!(seen, expected, "{cause:?}");
    }
}

/// What a credential for the holder of an Ed25519 key says, and what it points to.
pub(crate) fn credential(
    identity: &Identity,
) -> (Box<(CERT_PUBLIC_KEY_INFO, Vec<u8>)>, PEER_CREDENTIAL_INFO) {
    let spki = identity.info().public_key;
    let bits = spki[spki.len() - 32..].to_vec();
    // SAFETY: plain data, for which zeros are fine.
    let (mut key, mut credential) = unsafe {
        (core::mem::zeroed::<CERT_PUBLIC_KEY_INFO>(), core::mem::zeroed::<PEER_CREDENTIAL_INFO>())
    };
    key.Algorithm.pszObjId = c"1.3.101.112".as_ptr().cast_mut();
    (key.PublicKey.cbData, key.PublicKey.pbData) = (32, bits.as_ptr().cast_mut());
    let mut parts = Box::new((key, bits));
    credential.dwSize = size_of::<PEER_CREDENTIAL_INFO>() as u32;
    credential.pPublicKey = &mut parts.0;
    (parts, credential)
}

//! Groups of an identity whose key is gone, and of one that another process uses.

use p2p_group::PeerName;
use p2p_store::{Home, Store};

use super::password::{PASSWORD, invitation_by_password, join_with};
use super::*;

#[test]
fn a_group_needs_the_key_of_its_identity() {
    let mut session = Session::started();
    let (ann, bob) = (identity("Ann"), identity("Bob"));
    let (password, bobs_name) = (wide(PASSWORD), wide(&bob));
    let mut wanted = properties();
    wanted.pwzCreatorPeerName = bobs_name.ptr();
    wanted.dwAuthenticationSchemes = 3;
    wanted.groupPasswordRole = Roles::GUIDS[2].1.into();
    wanted.pwzGroupPassword = password.ptr();
    let (code, bobs) = create(&wanted);
    is(Code::S_OK, code);
    let (named, by_password) = (invitation(bobs, &xml(&ann)), invitation_by_password(bobs));
    let anns = name(group());
    is(Code::S_OK, PeerGroupShutdown());
    session.started = 0;
    std::fs::remove_file(session.home.path().join("identities").join(&ann[..40]).join("key"))
        .unwrap();
    session.start();
    let no_key = Code::PEER_E_NO_KEY_ACCESS;
    for (index, code) in [
        create(&properties()).0,
        open(&ann, &anns).0,
        join(&ann, &named).0,
        join_with(&ann, &by_password, PASSWORD).0,
        delete(&ann, &anns),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(Code(code), no_key, "call {index}");
        is(Code::CRYPT_E_NO_KEY_PROPERTY, P2PGetLastErrorDetail());
    }
}

#[test]
fn what_another_process_has_open_is_not_deleted() {
    let mut session = Session::started();
    let ann = identity("Ann");
    let group_name = name(group());
    is(Code::S_OK, PeerGroupShutdown());
    session.started = 0;
    let home = Home::at(session.home.path());
    let store = home.store(&home.load(&PeerName::parse(&ann).unwrap()).unwrap());
    let (key, _) = store.groups().unwrap().remove(0);
    let claim = store.lock(&key).unwrap();
    session.start();
    is(Code::PEER_E_GROUP_IN_USE, delete(&ann, &group_name));
    is(Code::PEER_E_GROUP_IN_USE, open(&ann, &group_name).0);
    drop(claim);
    is(Code::S_OK, delete(&ann, &group_name));
    is(Code::PEER_E_NOT_FOUND, delete(&ann, &group_name));
}

//! Creating, inviting, joining, and what is left of it on disk.

mod common;

use common::*;
use p2p_group::{
    Code, Error, Filter, Group, GroupError, GroupOptions, Home, Identity, IdentityError,
    IdentityOptions, Invitation, InviteError, InviteOptions, Library, Limits, MemberFilter, Node,
    PeerName, Roles, Status, now,
};
use tempfile::TempDir;

fn home() -> (TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home"));
    (folder, home)
}

#[tokio::test]
async fn a_new_group_is_offline_synchronised_and_has_its_creator_as_administrator() {
    let ann = node("Ann");
    let options =
        GroupOptions { classifier: Some("chess".into()), ..GroupOptions::from("Chess Club") };
    let group = Group::create(&ann, options).unwrap();
    assert_eq!((group.name().classifier(), group.friendly_name()), ("chess", "Chess Club"));
    assert_eq!(group.status().unwrap(), Status::default());
    assert!(group.synchronised().unwrap());
    let members = group.members(&MemberFilter::default()).unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].member.key, ann.identity().key());
    assert!(members[0].member.roles.contains(Roles::ADMIN) && !members[0].present);
    assert!(group.members(&MemberFilter { present: true, identity: None }).unwrap().is_empty());
}

#[test]
fn names_that_are_not_allowed_store_nothing() {
    let ann = node("Ann");
    let classifier =
        |text: String| GroupOptions { classifier: Some(text), ..GroupOptions::default() };
    let long = classifier("x".repeat(150));
    assert_eq!(Group::create(&ann, long).unwrap_err().code(), Code::PEER_E_CLASSIFIER_TOO_LONG);
    let bell = classifier("ding\u{7}".into());
    assert_eq!(Group::create(&ann, bell).unwrap_err().code(), Code::PEER_E_INVALID_CLASSIFIER);
    let name = "y".repeat(256);
    assert_eq!(
        Group::create(&ann, name.as_str()).unwrap_err().code(),
        Code::PEER_E_INVALID_FRIENDLY_NAME
    );
    assert_eq!(
        Identity::in_memory(name.as_str()).unwrap_err().code(),
        Code::PEER_E_INVALID_FRIENDLY_NAME
    );
    assert!(ann.groups().unwrap().is_empty() && ann.open_groups().is_empty());
}

#[tokio::test]
async fn an_invitation_is_for_one_identity_only() {
    let ann = End::creator(node("Ann")).await;
    let (bob, eve) = (node("Bob"), node("Eve"));
    let invitation = ann.invite(&bob);
    let refused = Group::join(&eve, &invitation).unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_INVITATION_NOT_TRUSTED);
    assert_eq!(refused.refusal().unwrap().code, Code::CRYPT_E_NO_MATCH);
    assert!(eve.groups().unwrap().is_empty());
    Group::join(&bob, &invitation).unwrap();
}

#[tokio::test]
async fn an_altered_invitation_is_not_trusted() {
    let ann = End::creator(node("Ann")).await;
    let xml = ann.invite(&node("Bob")).as_xml().to_owned();
    assert!(Invitation::parse(&xml).is_ok());
    for broken in
        [xml[..xml.len() / 2].to_owned(), xml.replacen("Ann", "Eve", 1) + " ", String::new()]
    {
        let error = Error::from(Invitation::parse(&broken).unwrap_err());
        assert_eq!(error.code(), Code::PEER_E_INVITATION_NOT_TRUSTED, "{error}");
        assert!(error.refusal().is_some());
    }
}

#[tokio::test]
async fn roles_bound_what_may_be_granted() {
    let (ann, bob) = pair().await;
    let carol = Identity::in_memory("Carol").unwrap().info();
    let denied = bob.group.invite(&carol, InviteOptions::default()).unwrap_err();
    assert_eq!(denied.code(), Code::PEER_E_NOT_AUTHORIZED);
    let past =
        InviteOptions { expires: Some(now().minus_seconds(3600)), ..InviteOptions::default() };
    assert_eq!(
        ann.group.invite(&carol, past).unwrap_err().code(),
        Code::PEER_E_INVALID_TIME_PERIOD
    );
    let again = ann.group.invite(&ann.node.identity().info(), InviteOptions::default());
    assert_eq!(again.unwrap_err().code(), Code::PEER_E_CIRCULAR_CHAIN_DETECTED);

    let deputy = node("Deputy");
    let info = deputy.identity().info();
    let invitation = ann.group.invite(&info, InviteOptions::roles(Roles::INVITING_MEMBER)).unwrap();
    let deputies = Group::join(&deputy, &invitation).unwrap();
    assert!(matches!(
        deputies.invite(&carol, InviteOptions::default()),
        Err(InviteError::NotReady)
    ));
    within(deputies.connect_and_wait()).await.unwrap();
    let admin = deputies.invite(&carol, InviteOptions::roles(Roles::ADMIN)).unwrap_err();
    assert_eq!(admin.code(), Code::PEER_E_NOT_AUTHORIZED);
    assert_eq!(deputies.invite(&carol, InviteOptions::default()).unwrap().member().depth, 3);
}

#[tokio::test]
async fn an_invitation_says_where_its_issuer_and_other_members_are() {
    let (ann, bob) = pair().await;
    let carol = node("Carol");
    let invitation = ann.invite(&carol);
    let hints = invitation.hints();
    assert_eq!(hints[0], (ann.key(), vec![ann.address()]));
    assert!(hints.contains(&(bob.key(), vec![bob.address()])), "{hints:?}");
    let carols = ann.member(carol).await;
    assert_eq!(carols.group.friendly_name(), "Friends");
}

#[tokio::test]
async fn a_group_cannot_be_joined_while_it_is_open_and_again_when_it_is_closed() {
    let (ann, bob) = pair().await;
    let again = ann.invite(&bob.node);
    assert!(matches!(Group::join(&bob.node, &again), Err(GroupError::InUse)));
    bob.group.close().await.unwrap();
    let group = Group::join(&bob.node, &again).unwrap();
    assert!(group.synchronised().unwrap(), "what was known is kept");
    assert_eq!(group.own().chain, *again.chain(), "the younger membership counts");
    within(group.connect_and_wait()).await.unwrap();
}

#[tokio::test]
async fn a_group_that_is_not_here_is_not_found() {
    let (ann, bob) = (node("Ann"), node("Bob"));
    let group = Group::create(&ann, "Friends").unwrap();
    assert!(matches!(Group::open(&bob, group.name()), Err(GroupError::NotFound)));
    assert!(matches!(bob.delete_group(group.name()).await, Err(GroupError::NotFound)));
    let other = PeerName::parse(&format!("{}.other", group.name().authority())).unwrap();
    assert!(
        matches!(Group::open(&ann, &other), Err(GroupError::NotFound)),
        "the whole name counts"
    );
}

#[tokio::test]
async fn groups_members_and_addresses_outlive_the_node() {
    let (_folder, home) = home();
    let ann = End::creator(node_in(&home, "Ann")).await;
    let bob = ann.member(node_in(&home, "Bob")).await;
    let (name, key) = (ann.group.name().clone(), bob.key());
    let (anns, bobs) = (ann.node.identity().name().clone(), bob.node.identity().name().clone());
    within(bob.node.shutdown()).await;
    within(ann.node.shutdown()).await;
    drop((ann, bob));

    let ann = start(home.identity(&anns).unwrap(), Limits::default());
    let bob = start(home.identity(&bobs).unwrap(), Limits::default());
    let group = Group::open(&ann, &name).unwrap();
    assert!(
        group.members(&MemberFilter::default()).unwrap().iter().any(|info| info.member.key == key)
    );
    let other = Group::open(&bob, &name).unwrap();
    within(group.connect_and_wait()).await.unwrap();
    // Ann's port is another one now.
    within(other.connect_by_address_and_wait(&ann.listening())).await.unwrap();
    let incoming = group.incoming().unwrap();
    let connection =
        within(other.direct_at(ann.identity().key(), ann.listening()[0])).await.unwrap();
    assert_eq!(within(incoming.accept()).await.unwrap().peer().friendly_name(), Some("Bob"));
    connection.close().unwrap();
}

#[tokio::test]
async fn a_group_is_open_in_one_node_at_a_time() {
    let (_folder, home) = home();
    let first = node_in(&home, "Ann");
    let group = Group::create(&first, "Friends").unwrap();
    let second = start(first.identity().clone(), Limits::default());
    assert!(matches!(Group::open(&second, group.name()), Err(GroupError::InUse)));
    assert!(matches!(
        home.delete_group(first.identity().name(), group.name()),
        Err(GroupError::InUse)
    ));
    group.close().await.unwrap();
    let again = Group::open(&second, group.name()).unwrap();
    assert!(matches!(Group::open(&first, again.name()), Err(GroupError::InUse)));
    assert!(matches!(first.delete_group(again.name()).await, Err(GroupError::InUse)));
}

#[tokio::test]
async fn inviting_needs_no_lock_on_the_group() {
    let (_folder, home) = home();
    let ann = End::creator(node_in(&home, "Ann")).await;
    let bob = node("Bob");
    let (identity, group) = (ann.node.identity().name().clone(), ann.group.name().clone());
    let info = bob.identity().info();
    // What a second process of the same user would do: the node is not touched.
    let written = async || loop {
        // The addresses are written in the background.
        let invitation = home.invite(&identity, &group, &info, InviteOptions::default()).unwrap();
        if !invitation.hints().is_empty() {
            return invitation;
        }
        tokio::task::yield_now().await;
    };
    let invitation = within(written()).await;
    assert_eq!(invitation.hints(), [(ann.key(), vec![ann.address()])]);
    let bobs = Group::join(&bob, &invitation).unwrap();
    within(bobs.connect_and_wait()).await.unwrap();

    let bobs_address = bob.listening();
    let knows_bob = || {
        let members = ann.group.members(&MemberFilter::default()).unwrap();
        members
            .iter()
            .any(|info| info.member.key == bob.identity().key() && info.addresses == bobs_address)
    };
    while !knows_bob() {
        tokio::task::yield_now().await;
    }
    ann.group.close().await.unwrap();
    let expected = [(bob.identity().key(), bobs_address)];
    let written = async || {
        while home.invite(&identity, &group, &info, InviteOptions::default()).unwrap().hints()
            != expected
        {
            tokio::task::yield_now().await;
        }
    };
    within(written()).await;
}

#[tokio::test]
async fn an_invitation_does_not_name_where_a_killed_process_listened() {
    let (_folder, home) = home();
    let ann = End::creator(node_in(&home, "Ann")).await;
    let (identity, group) = (ann.node.identity().name().clone(), ann.group.name().clone());
    let info = node("Bob").identity().info();
    let invite = || home.invite(&identity, &group, &info, InviteOptions::default()).unwrap();
    while invite().hints().is_empty() {
        tokio::task::yield_now().await;
    }
    let groups = home.path().join("identities").join(identity.authority()).join("groups");
    let folder = std::fs::read_dir(groups).unwrap().next().unwrap().unwrap().path();
    let written = std::fs::read(folder.join("listening")).unwrap();
    ann.group.close().await.unwrap();
    // A process that is killed does not take its addresses back.
    std::fs::write(folder.join("listening"), written).unwrap();
    assert_eq!(invite().hints(), []);
}

#[test]
fn an_identity_that_cannot_become_the_default_is_not_stored() {
    let (_folder, home) = home();
    std::fs::create_dir_all(home.path()).unwrap();
    std::fs::write(home.path().join("default"), "damaged").unwrap();
    let refused = home.create_identity("Ann").unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_CERT_STORE_CORRUPTED);
    assert!(home.identities().unwrap().is_empty());
}

#[tokio::test]
async fn who_never_met_a_member_cannot_invite() {
    let (_folder, home) = home();
    let ann = node("Ann");
    let group = Group::create(&ann, "Friends").unwrap();
    let bob = node_in(&home, "Bob");
    let options = InviteOptions::roles(Roles::ADMIN);
    let bobs = Group::join(&bob, &group.invite(&bob.identity().info(), options).unwrap()).unwrap();
    let carol = Identity::in_memory("Carol").unwrap().info();
    for refused in [
        bobs.invite(&carol, InviteOptions::default()).unwrap_err(),
        home.invite(bob.identity().name(), group.name(), &carol, InviteOptions::default())
            .unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::PEER_E_GROUP_NOT_READY);
    }
}

#[test]
fn an_identity_with_groups_is_not_deleted() {
    let (_folder, home) = home();
    let library = Library::new(home.clone()).listen(p2p_group::Listen::At(vec![loopback()]));
    let ann = home.create_identity("Ann").unwrap();
    let group = library.create(None, "Friends").unwrap();
    let name = group.name().clone();
    assert_eq!(home.delete_identity(ann.name()).unwrap_err().code(), Code::PEER_E_GROUPS_EXIST);
    assert_eq!(home.groups(ann.name()).unwrap()[0].friendly_name, "Friends");
    library.delete_blocking(None, &name).unwrap();
    assert!(group.status().is_err());
    library.delete_identity_blocking(ann.name()).unwrap();
    assert_eq!(home.identity(ann.name()).unwrap_err().code(), Code::PEER_E_NOT_FOUND);
    assert_eq!(library.create(None, "Nobody's").unwrap_err().code(), Code::PEER_E_NOT_FOUND);
}

#[test]
fn the_first_identity_is_the_default_one() {
    let (_folder, home) = home();
    assert!(home.default_identity().unwrap().is_none());
    let ann = home.create_identity("Ann").unwrap();
    let options = IdentityOptions { classifier: Some("work".into()), ..IdentityOptions::default() };
    let bob = home.create_identity(options).unwrap();
    assert_eq!(home.default_identity().unwrap().unwrap().key(), ann.key());
    assert_eq!(bob.friendly_name(), bob.name().as_str(), "without a name the peer name is shown");
    home.delete_identity(ann.name()).unwrap();
    assert!(home.default_identity().unwrap().is_none());
    home.set_default_identity(bob.name()).unwrap();
    assert_eq!(home.default_identity().unwrap().unwrap().key(), bob.key());
    assert_eq!(home.identities().unwrap().len(), 1);
    assert!(matches!(home.delete_identity(ann.name()), Err(IdentityError::Store(_))));
}

#[test]
fn a_library_shares_its_groups_and_can_be_used_after_shutting_down() {
    let (_folder, home) = home();
    let library = Library::new(home).listen(p2p_group::Listen::At(vec![loopback()]));
    let ann = library.home().create_identity("Ann").unwrap();
    let first = library.create(Some(ann.name()), "Friends").unwrap();
    let second = library.open(ann.name(), first.name()).unwrap();
    let events = second.subscribe(Filter::all()).unwrap();
    first.close_blocking().unwrap();
    assert!(first.close_blocking().is_err());
    assert!(second.status().is_ok());
    library.shutdown_blocking();
    assert!(second.status().is_err() && events.try_recv().is_none());
    drop((first, events));
    let third = library.open(ann.name(), second.name()).unwrap();
    assert!(third.status().is_ok() && second.status().is_err());
    library.shutdown_blocking();
}

#[tokio::test]
async fn a_taken_port_fails_the_connect_and_nothing_else() {
    let taken = std::net::UdpSocket::bind(loopback()).unwrap();
    let identity = Identity::in_memory("Ann").unwrap();
    let ann = Node::builder(identity).listen_at([taken.local_addr().unwrap()]).start().unwrap();
    let group = Group::create(&ann, "Friends").unwrap();
    let failed = within(group.connect_and_wait()).await.unwrap_err();
    assert_eq!(failed.code(), Code::PEER_E_UNABLE_TO_LISTEN);
    drop(taken);
    within(group.connect_and_wait()).await.unwrap();
}

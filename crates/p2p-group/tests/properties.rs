//! The group's properties: made with the group, changed by its creator, known to everybody.

mod common;

use common::*;
use p2p_group::{
    AdminError, Code, EventKind, Filter, Group, GroupEvent, GroupFlags, GroupOptions,
    GroupPassword, GroupProperties, Home, InviteOptions, Limits, Roles, Schemes,
};

fn options() -> GroupOptions {
    GroupOptions {
        comment: "Sundays, bring a board".into(),
        flags: GroupFlags::MEMBER_DATA_OPTIONAL,
        member_data_lifetime: 28_800,
        presence_lifetime: 600,
        ..GroupOptions::from("Chess Club")
    }
}

/// The next change of properties.
async fn changed(events: &Watch) -> GroupProperties {
    match events.next().await {
        GroupEvent::PropertiesChanged { properties } => (*properties).clone(),
        other => panic!("not a change of properties: {other:?}"),
    }
}

fn property() -> Filter {
    Filter::of([EventKind::Property])
}

#[tokio::test]
async fn a_new_group_has_the_properties_it_was_made_with_and_members_get_them() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let node = node_in(&home, "Ann");
    let group = Group::create(&node, options()).unwrap();
    let properties = group.properties().unwrap();
    assert_eq!(properties.friendly_name, "Chess Club");
    assert_eq!(properties.comment, "Sundays, bring a board");
    assert_eq!(properties.flags, GroupFlags::MEMBER_DATA_OPTIONAL);
    assert_eq!((properties.member_data_lifetime, properties.presence_lifetime), (28_800, 600));
    assert_eq!((properties.version, properties.schemes), (1, Schemes::CERTIFICATE));
    assert_eq!(properties.creator, node.identity().key());
    assert_eq!(properties.creator_name, *node.identity().name());

    within(group.connect_and_wait()).await.unwrap();
    let ann = End { node, group };
    let bobs = node_in(&home, "Bob");
    let bob = Group::join(&bobs, &ann.invite(&bobs)).unwrap();
    assert!(matches!(bob.properties(), Err(AdminError::NotReady)), "connect first");
    let events = watch(&bob, property());
    within(bob.connect_and_wait()).await.unwrap();
    assert_eq!(changed(&events).await, properties);
    assert_eq!(bob.properties().unwrap(), properties);

    let (name, identity) = (bob.name().clone(), bobs.identity().name().clone());
    within(bobs.shutdown()).await;
    drop((bob, bobs, events));
    let bobs = start(home.identity(&identity).unwrap(), Limits::default());
    let bob = Group::open(&bobs, &name).unwrap();
    assert_eq!(bob.properties().unwrap(), properties, "also offline, after a restart");
}

#[tokio::test]
async fn the_creator_changes_properties_for_everybody() {
    let (ann, bob) = pair().await;
    let [at_ann, at_bob] = [&ann, &bob].map(|end| watch(&end.group, property()));
    let mut properties = ann.group.properties().unwrap();
    properties.friendly_name = "Close Friends".into();
    properties.comment = "two\nlines".into();
    properties.version = 77;
    within(ann.group.set_properties(&properties)).await.unwrap();
    let Some(GroupEvent::PropertiesChanged { properties: told }) = at_ann.now() else {
        panic!("the event is there before the call returns");
    };
    assert_eq!(told.version, 2, "counted here, whatever is said");
    assert_eq!(told.friendly_name, "Close Friends");
    assert_eq!(changed(&at_bob).await, *told);
    assert_eq!(bob.group.properties().unwrap(), *told);

    ann.group.set_properties_blocking(&ann.group.properties().unwrap()).unwrap();
    assert_eq!(changed(&at_bob).await.version, 3);
    // Who comes later gets the last ones only.
    let carol = ann.member(node("Carol")).await;
    assert_eq!(carol.group.properties().unwrap().version, 3);
}

#[tokio::test]
async fn properties_changed_offline_reach_the_members_later() {
    let (ann, bob) = pair().await;
    within(ann.group.close()).await.unwrap();
    let group = Group::open(&ann.node, bob.group.name()).unwrap();
    let mut properties = group.properties().unwrap();
    properties.presence_lifetime = 900;
    within(group.set_properties(&properties)).await.unwrap();
    let at_bob = watch(&bob.group, property());
    within(group.connect_and_wait()).await.unwrap();
    group.connect_by_address(&[bob.address()]).unwrap();
    assert_eq!(changed(&at_bob).await.presence_lifetime, 900);
}

#[tokio::test]
async fn nobody_but_the_creator_sets_properties() {
    let ann = End::creator(node("Ann")).await;
    let doras = node("Dora");
    let info = doras.identity().info();
    let invitation = ann.group.invite(&info, InviteOptions::roles(Roles::ADMIN)).unwrap();
    let dora = Group::join(&doras, &invitation).unwrap();
    let properties = ann.group.properties().unwrap();
    let early = dora.set_properties_blocking(&properties).unwrap_err();
    assert_eq!(early.code(), Code::PEER_E_GROUP_NOT_READY);
    within(dora.connect_and_wait()).await.unwrap();
    let denied = dora.set_properties_blocking(&properties).unwrap_err();
    assert_eq!(denied.code(), Code::PEER_E_NOT_AUTHORIZED);
    within(dora.close()).await.unwrap();
    let closed = dora.set_properties_blocking(&properties).unwrap_err();
    assert_eq!(closed.code(), Code::PEER_E_INVALID_GROUP);
    assert!(dora.properties().is_err());
}

#[tokio::test]
async fn properties_that_are_not_allowed_change_nothing() {
    let ann = node("Ann");
    let group = Group::create(&ann, "Friends").unwrap();
    let good = group.properties().unwrap();
    let invalid = Code::PEER_E_INVALID_GROUP_PROPERTIES;
    let stranger = node("Bob").identity().info();
    type Change = fn(&mut GroupProperties);
    let rows: [(Change, Code); 7] = [
        (|p| p.comment = "x".repeat(256), invalid),
        (|p| p.flags = GroupFlags(8), invalid),
        (|p| p.member_data_lifetime = 28_799, invalid),
        (|p| p.presence_lifetime = 299, invalid),
        (|p| p.schemes = Schemes::BOTH, invalid),
        (|p| p.friendly_name = "x".repeat(256), Code::PEER_E_INVALID_FRIENDLY_NAME),
        (|p| p.password_role = Some(Roles::MEMBER), Code::PEER_E_INVALID_ROLE_PROPERTY),
    ];
    for (change, code) in rows {
        let mut properties = good.clone();
        change(&mut properties);
        let error = group.set_properties_blocking(&properties).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    let other =
        GroupProperties { creator: stranger.key, creator_name: stranger.name, ..good.clone() };
    assert_eq!(group.set_properties_blocking(&other).unwrap_err().code(), invalid);
    assert_eq!(group.properties().unwrap(), good);

    let create = |options: GroupOptions| Group::create(&ann, options).unwrap_err().code();
    assert_eq!(create(GroupOptions { presence_lifetime: 1, ..options() }), invalid);
    let weak = GroupPassword::new("aaaaaaaa", Roles::MEMBER);
    let weak = GroupOptions { password: Some(weak), ..options() };
    assert_eq!(create(weak), Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY);
    assert_eq!(ann.groups().unwrap().len(), 1, "none of these is left");
}

#[tokio::test]
async fn a_group_may_be_made_with_a_password_that_nobody_can_read() {
    let ann = node("Ann");
    let password = GroupPassword::new("open sesame", Roles::INVITING_MEMBER);
    assert!(!format!("{password:?}").contains("sesame"));
    let options = GroupOptions { password: Some(password), ..options() };
    let properties = Group::create(&ann, options).unwrap().properties().unwrap();
    assert_eq!(properties.schemes, Schemes::BOTH);
    assert_eq!(properties.password_role, Some(Roles::INVITING_MEMBER));
    let verifier = properties.password_verifier.unwrap();
    assert!(!verifier.windows(6).any(|bytes| bytes == b"sesame"));
    let both = GroupPassword::new("open sesame", Roles::ADMIN.with(Roles::MEMBER));
    let both = GroupOptions { password: Some(both), ..GroupOptions::default() };
    let error = Group::create(&ann, both).unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_INVALID_ROLE_PROPERTY);
}

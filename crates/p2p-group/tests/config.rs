//! A group goes to another machine with its configuration.

mod common;

use common::*;
use p2p_group::{
    Code, Group, GroupError, GroupOptions, Home, Identity, IdentityOptions, Limits, Roles,
};

const PASSWORD: &str = "correct horse battery staple";

/// Two homes, as on two machines, and an identity that is in both.
fn homes(name: &str) -> (tempfile::TempDir, Home, Home, Identity, Identity) {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Home::at(folder.path().join("one")), Home::at(folder.path().join("two")));
    let here = one.create_identity(name).unwrap();
    let text = here.export("secret").unwrap();
    let there = two.add_identity(&Identity::import(&text, "secret").unwrap()).unwrap();
    (folder, one, two, here, there)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creator_goes_on_elsewhere_with_the_group_s_key() {
    let (_folder, _, two, here, there) = homes("Ann");
    let ann = End::creator(start(here, Limits::default())).await;
    let bob = ann.member(node("Bob")).await;
    let text = ann.group.export_config(PASSWORD).await.unwrap();
    ann.node.shutdown().await;

    let (identity, info) = two.import_config(&text, PASSWORD, false).unwrap();
    assert_eq!((identity.key(), info.key), (there.key(), bob.group.key()));
    assert_eq!((&info.name, &*info.friendly_name), (bob.group.name(), "Friends"));
    assert_eq!(info.own.roles, Roles::ADMIN);
    let again = start(identity, Limits::default());
    let group = Group::open(&again, &info.name).unwrap();
    // Like somebody who has just joined: the members know the rest.
    assert_eq!(group.synchronised(), Ok(false));
    let refused = group.invite(&node("Eve").identity().info(), Default::default()).unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_GROUP_NOT_READY);
    within(group.connect_by_address_and_wait(&[bob.address()])).await.unwrap();
    // Only the group's key can sign these.
    let mut properties = group.properties().unwrap();
    properties.comment = "Moved".into();
    within(group.set_properties(&properties)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_finds_the_group_by_the_addresses_in_its_configuration() {
    let ann = End::creator(node("Ann")).await;
    let (_folder, _, two, here, there) = homes("Bob");
    let bob = ann.member(start(here, Limits::default())).await;
    let text = bob.group.export_config("").await.unwrap();
    assert!(!text.contains("GROUPKEY"), "nothing of it is secret");
    bob.node.shutdown().await;

    let again = start(there, Limits::default());
    let info = again.import_config(&text, "any", false).await.unwrap();
    let group = Group::open(&again, &info.name).unwrap();
    within(group.connect_and_wait()).await.unwrap();
    assert!(group.synchronised().unwrap());
    assert_eq!(two.groups(again.identity().name()).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_closed_is_overwritten_and_nothing_known_is_lost() {
    let (_folder, one, _, here, _) = homes("Ann");
    let ann = start(here, Limits::default());
    let group = Group::create(&ann, "Friends").unwrap();
    let text = group.export_config(PASSWORD).await.unwrap();
    let without_key = text[..text.find("<GROUPKEY").unwrap()].to_owned() + "</PEERGROUPCONFIG>";
    let name = group.name().clone();
    for overwrite in [false, true] {
        let refused = ann.import_config(&text, PASSWORD, overwrite).await;
        assert!(matches!(refused, Err(GroupError::InUse)));
        let refused = one.import_config(&text, PASSWORD, overwrite);
        assert!(matches!(refused, Err(GroupError::InUse)));
    }
    group.close().await.unwrap();
    let refused = ann.import_config(&text, PASSWORD, false).await.unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_ALREADY_EXISTS);
    for text in [text, without_key] {
        ann.import_config(&text, PASSWORD, true).await.unwrap();
        let group = Group::open(&ann, &name).unwrap();
        assert_eq!(group.synchronised(), Ok(true), "its creator has nothing to wait for");
        let properties = group.properties().unwrap();
        within(group.set_properties(&properties)).await.unwrap();
        group.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_in_leaves_nothing_behind() {
    let ann = node("Ann");
    let group = Group::create(&ann, "Friends").unwrap();
    let text = group.export_config(PASSWORD).await.unwrap();
    let (_folder, _, two, _, eve) = homes("Eve");
    let eve = start(eve, Limits::default());
    for refused in [
        eve.import_config(&text, PASSWORD, true).await.unwrap_err(),
        two.import_config(&text, PASSWORD, true).unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::PEER_E_IDENTITY_NOT_FOUND);
    }
    let refused = eve.import_config(&text, "another", false).await.unwrap_err();
    assert_eq!(refused.code(), Code::E_INVALIDARG);
    assert_eq!(refused.refusal().unwrap().code, Code::CRYPT_E_BAD_MSG);
    assert!(eve.groups().unwrap().is_empty());
    eve.shutdown().await;
    let refused = eve.import_config(&text, PASSWORD, false).await.unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_NOT_INITIALIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn exporting_says_what_is_missing() {
    let ann = End::creator(node("Ann")).await;
    for (password, code) in [("", Code::E_INVALIDARG), (&*"x".repeat(1_025), Code::E_INVALIDARG)] {
        assert_eq!(ann.group.export_config(password).await.unwrap_err().code(), code);
    }
    let options = GroupOptions {
        password: Some(p2p_group::GroupPassword::new("open sesame", Roles::MEMBER)),
        ..GroupOptions::from("By password")
    };
    let group = Group::create(&ann.node, options).unwrap();
    let invitation = group.invite_by_password().unwrap();
    let bob = Identity::in_memory(IdentityOptions::from("Bob")).unwrap();
    let bob = start(bob, Limits::default());
    let pending = Group::join_by_password(&bob, &invitation, "open sesame").await.unwrap();
    let refused = pending.export_config("").await.unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_GROUP_NOT_READY);
    pending.close().await.unwrap();
    let refused = pending.export_config("").await.unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_INVALID_GROUP);
}

#[tokio::test(flavor = "multi_thread")]
async fn group_time_is_utc_for_whoever_has_met_a_member() {
    let ann = End::creator(node("Ann")).await;
    let bob = node("Bob");
    let bobs = Group::join(&bob, &ann.invite(&bob)).unwrap();
    let time = p2p_group::now();
    for convert in [Group::to_group_time, Group::from_group_time] {
        assert_eq!(convert(&ann.group, time).unwrap(), time);
        assert_eq!(convert(&bobs, time).unwrap_err().code(), Code::PEER_E_GROUP_NOT_READY);
        let end = convert(&ann.group, p2p_group::FileTime(u64::MAX)).unwrap();
        assert_eq!(end.0, i64::MAX as u64);
    }
    within(bobs.connect_and_wait()).await.unwrap();
    assert_eq!(bobs.to_group_time(time).unwrap(), time);
    bobs.close().await.unwrap();
    assert_eq!(bobs.to_group_time(time).unwrap_err().code(), Code::PEER_E_INVALID_GROUP);
}

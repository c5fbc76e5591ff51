//! Joining by password: who knows it becomes a member, and nobody else does.

mod common;

use std::path::{Path, PathBuf};

use common::*;
use p2p_group::{
    AnyInvitation, Code, ConnectError, EventKind, Filter, Group, GroupEvent, GroupOptions,
    GroupPassword, Home, InviteError, InviteOptions, Limits, MemberFilter, Node,
    PasswordInvitation, Reason, Roles, Schemes,
};

const PASSWORD: &str = "correct horse";

fn options(role: Roles) -> GroupOptions {
    let password = Some(GroupPassword::new(PASSWORD, role));
    GroupOptions { password, ..GroupOptions::from("Friends") }
}

/// A creator whose group has a password for this role, online.
async fn creator(node: Node, role: Roles) -> End {
    let group = Group::create(&node, options(role)).unwrap();
    within(group.connect_and_wait()).await.unwrap();
    End { node, group }
}

/// The invitation as it is passed on.
fn invitation(end: &End) -> PasswordInvitation {
    PasswordInvitation::parse(&end.group.invite_by_password().unwrap().to_line()).unwrap()
}

async fn join(node: &Node, invitation: &PasswordInvitation, password: &str) -> Group {
    within(Group::join_by_password(node, invitation, password)).await.unwrap()
}

async fn fails(group: &Group) {
    let failed = within(group.connect_and_wait()).await;
    assert_eq!(failed, Err(ConnectError::Failed(Code::PEER_E_NOT_AUTHORIZED)));
}

/// Events about passwords, and failures.
fn passwords() -> Filter {
    use EventKind::{AuthenticationFailed, ConnectionFailed, PasswordTried};
    Filter::of([AuthenticationFailed, ConnectionFailed, PasswordTried])
}

/// The file of a membership that is still to be gained.
fn pending_files(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(home).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pending_files(&path));
        } else if path.file_name().unwrap() == "pending" {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn who_knows_the_password_becomes_a_member_and_talks() {
    let ann = creator(node("Ann"), Roles::MEMBER).await;
    let node = node("Bob");
    let group = join(&node, &invitation(&ann), PASSWORD).await;
    assert!(group.is_pending() && !group.synchronised().unwrap());
    assert_eq!((group.name(), group.friendly_name()), (ann.group.name(), "Friends"));
    assert!(group.own().roles.is_empty() && group.own().friendly_name == "Bob");
    assert!(matches!(group.invite_by_password(), Err(InviteError::NotReady)));
    let listed = node.groups().unwrap();
    assert_eq!((&listed[0].name, listed[0].own.chain.len()), (ann.group.name(), 0));
    let told = watch(&group, Filter::of([EventKind::Member]));
    within(group.connect_and_wait()).await.unwrap();
    assert!(!group.is_pending() && group.synchronised().unwrap());
    let own = group.own();
    assert_eq!((own.roles, own.depth, &*own.issuer_friendly_name), (Roles::MEMBER, 2, "Ann"));
    loop {
        match told.next().await {
            GroupEvent::Renewed { member } => break assert_eq!(member, own),
            GroupEvent::Member { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let bob = End { node, group };
    let incoming = ann.group.incoming().unwrap();
    let (to_ann, to_bob) = bob.direct(&ann, &incoming).await;
    within(to_ann.send(TEXT, "hello")).await.unwrap();
    assert_eq!(within(to_bob.recv()).await.unwrap().bytes, "hello");
    assert_eq!(to_bob.peer().friendly_name(), Some("Bob"));
    // Now that it is a member, joining again is no more than opening.
    let again = join(&bob.node, &invitation(&ann), "not even right").await;
    assert!(!again.is_pending() && again.status() == bob.group.status());
}

#[tokio::test]
async fn a_wrong_password_fails_on_both_sides_and_can_be_corrected() {
    let ann = creator(node("Ann"), Roles::MEMBER).await;
    let at_ann = watch(&ann.group, passwords());
    let bob = node("Bob");
    let group = join(&bob, &invitation(&ann), "correct h0rse").await;
    let at_bob = watch(&group, passwords());
    fails(&group).await;
    let (peer, remote) = (ann.key(), ann.address());
    assert_eq!(at_bob.next().await, GroupEvent::PasswordRejected { peer, remote });
    let reason = Code::PEER_E_NOT_AUTHORIZED;
    assert_eq!(at_bob.next().await, GroupEvent::ConnectionFailed { reason });
    let GroupEvent::PasswordFailed { peer, .. } = at_ann.next().await else { panic!() };
    assert_eq!(peer, bob.identity().key());
    assert!(group.is_pending());
    let met = ann.group.members(&MemberFilter::default()).unwrap();
    assert!(met.iter().all(|info| info.member.key != peer));
    // The same group, another handle, the right password.
    let again = join(&bob, &invitation(&ann), PASSWORD).await;
    within(again.connect_and_wait()).await.unwrap();
    assert!(!group.is_pending() && group.status().unwrap().connected);
}

#[tokio::test]
async fn a_failure_is_held_back_for_who_may_know_better() {
    let ann = creator(node("Ann"), Roles::MEMBER).await;
    let bob = node("Bob");
    let group = join(&bob, &invitation(&ann), "correct h0rse").await;
    let events = watch(&group, passwords().hold_rejected_password());
    group.resume_password().unwrap();
    events.quiet().await;
    group.connect().unwrap();
    assert!(matches!(events.next().await, GroupEvent::PasswordRejected { .. }));
    events.quiet().await;
    // Going on with the same password is another try.
    group.resume_password().unwrap();
    assert!(matches!(events.next().await, GroupEvent::PasswordRejected { .. }));
    let waiting = tokio::spawn({
        let group = group.clone();
        async move { group.connect_and_wait().await }
    });
    assert!(matches!(events.next().await, GroupEvent::PasswordRejected { .. }));
    join(&bob, &invitation(&ann), PASSWORD).await;
    group.resume_password().unwrap();
    within(waiting).await.unwrap().unwrap();
    assert!(!group.is_pending());
    events.quiet().await;
}

#[tokio::test]
async fn what_is_pending_survives_a_restart_and_is_wiped_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let ann = creator(node("Ann"), Roles::MEMBER).await;
    let bob = home.create_identity("Bob").unwrap();
    let name = ann.group.name().clone();
    {
        let node = start(bob.clone(), Limits::default());
        join(&node, &invitation(&ann), PASSWORD).await;
        within(node.shutdown()).await;
    }
    let files = pending_files(folder.path());
    assert_eq!(files.len(), 1);
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode;
        assert_eq!(mode(&files[0].metadata().unwrap().permissions()) & 0o777, 0o600);
    }
    let kept = std::fs::read(&files[0]).unwrap();
    assert!(!kept.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()));
    assert_eq!(home.groups(bob.name()).unwrap()[0].name, name);
    let refused = home.delete_identity(bob.name()).unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_GROUPS_EXIST);
    let refused = home.invite(bob.name(), &name, &bob.info(), InviteOptions::default());
    assert_eq!(refused.unwrap_err().code(), Code::PEER_E_GROUP_NOT_READY);

    let node = start(bob.clone(), Limits::default());
    let group = Group::open(&node, &name).unwrap();
    assert!(group.is_pending());
    within(group.connect_and_wait()).await.unwrap();
    assert_eq!(pending_files(folder.path()), [] as [PathBuf; 0]);
    within(node.shutdown()).await;
    drop((node, group));

    let node = start(bob, Limits::default());
    let group = Group::open(&node, &name).unwrap();
    assert!(!group.is_pending() && group.own().roles == Roles::MEMBER);
    within(group.connect_and_wait()).await.unwrap();
}

#[tokio::test]
async fn a_pending_group_can_be_deleted_or_joined_by_name_instead() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let ann = creator(node("Ann"), Roles::MEMBER).await;
    let node = node_in(&home, "Bob");
    let group = join(&node, &invitation(&ann), PASSWORD).await;
    within(group.delete()).await.unwrap();
    assert!(node.groups().unwrap().is_empty() && pending_files(folder.path()).is_empty());
    let group = join(&node, &invitation(&ann), "wrong").await;
    within(group.close()).await.unwrap();
    let bob = ann.member(node).await;
    assert!(!bob.group.is_pending() && pending_files(folder.path()).is_empty());
}

#[tokio::test]
async fn a_further_invitation_says_where_members_are_now() {
    let ann = Group::create(&node("Ann"), options(Roles::MEMBER)).unwrap();
    let homeless = ann.invite_by_password().unwrap();
    assert!(homeless.hints().is_empty());
    within(ann.connect_and_wait()).await.unwrap();
    let found = ann.invite_by_password().unwrap();
    let bob = node("Bob");
    let group = join(&bob, &homeless, PASSWORD).await;
    let again = join(&bob, &found, PASSWORD).await;
    within(again.close()).await.unwrap();
    within(group.close()).await.unwrap();
    let group = Group::open(&bob, ann.name()).unwrap();
    within(group.connect_and_wait()).await.unwrap();
    assert!(!group.is_pending());
}

#[tokio::test]
async fn who_may_not_issue_names_one_who_may() {
    // Made while the creator is offline, it names nobody; so Carol asks Bob first.
    let ann_node = node("Ann");
    let group = Group::create(&ann_node, options(Roles::MEMBER)).unwrap();
    let nowhere = group.invite_by_password().unwrap();
    assert!(nowhere.hints().is_empty());
    within(group.connect_and_wait()).await.unwrap();
    let ann = End { node: ann_node, group };
    let bob = ann.member(node("Bob")).await;
    let refused = bob.group.invite_by_password().unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_NOT_AUTHORIZED);
    let carol = node("Carol");
    let group = join(&carol, &nowhere, PASSWORD).await;
    within(group.connect_by_address_and_wait(&[bob.address()])).await.unwrap();
    assert_eq!(&*group.own().issuer_friendly_name, "Ann");
}

#[tokio::test]
async fn too_many_tries_have_to_wait_and_that_is_told() {
    let few = Limits { password_tries_per_peer: 1, ..Limits::default() };
    let ann = creator(node_with("Ann", few), Roles::MEMBER).await;
    let at_ann = watch(&ann.group, passwords());
    let bob = node("Bob");
    let key = bob.identity().key();
    let group = join(&bob, &invitation(&ann), "correct h0rse").await;
    fails(&group).await;
    let GroupEvent::PasswordFailed { peer, .. } = at_ann.next().await else { panic!() };
    assert_eq!(peer, key);
    fails(&group).await;
    let GroupEvent::PasswordDelayed { peer, .. } = at_ann.next().await else { panic!() };
    assert_eq!(peer, key);
}

#[tokio::test]
async fn the_password_gives_the_role_that_the_creator_chose() {
    for role in [Roles::INVITING_MEMBER, Roles::ADMIN] {
        let ann = creator(node("Ann"), role).await;
        let text = invitation(&ann);
        assert_eq!(text.role(), role);
        let bob = node("Bob");
        let group = join(&bob, &text, PASSWORD).await;
        within(group.connect_and_wait()).await.unwrap();
        assert_eq!(group.own().roles, role);
        // Whoever got it by password may pass it on, and lets others in himself.
        let theirs = group.invite_by_password().unwrap();
        assert_eq!(theirs.issuer().key, bob.identity().key());
        within(ann.group.close()).await.unwrap();
        let carol = node("Carol");
        let group = join(&carol, &theirs, PASSWORD).await;
        within(group.connect_by_address_and_wait(&[bob.listening()[0]])).await.unwrap();
        assert_eq!(&*group.own().issuer_friendly_name, "Bob");
    }
    let node = node("Ann");
    for role in [Roles::empty(), Roles::MEMBER.with(Roles::ADMIN)] {
        let refused = Group::create(&node, options(role)).unwrap_err();
        assert_eq!(refused.code(), Code::PEER_E_INVALID_ROLE_PROPERTY);
    }
}

#[tokio::test]
async fn who_was_revoked_does_not_come_back_by_the_password() {
    let ann = creator(node("Ann"), Roles::MEMBER).await;
    let bob = node("Bob");
    within(ann.group.revoke(bob.identity().key(), Reason::KeyCompromise)).await.unwrap();
    let group = join(&bob, &invitation(&ann), PASSWORD).await;
    fails(&group).await;
    assert!(group.is_pending());
    let met = ann.group.members(&MemberFilter::default()).unwrap();
    assert_eq!(met.len(), 1);
}

#[tokio::test]
async fn another_password_ends_what_was_invited_by_the_former_one() {
    let ann = creator(node("Ann"), Roles::MEMBER).await;
    let former = invitation(&ann);
    let password = GroupPassword::new("battery staple", Roles::MEMBER);
    within(ann.group.set_password(Some(password))).await.unwrap();
    let bob = node("Bob");
    let group = join(&bob, &former, PASSWORD).await;
    let told = watch(&group, passwords());
    fails(&group).await;
    assert!(matches!(told.next().await, GroupEvent::PasswordRejected { .. }));
    // Nor does the new password help with the old invitation: the salt is another one.
    let group = join(&bob, &former, "battery staple").await;
    fails(&group).await;
    let group = join(&bob, &invitation(&ann), "battery staple").await;
    within(group.connect_and_wait()).await.unwrap();

    within(ann.group.set_password(None)).await.unwrap();
    assert!(matches!(ann.group.invite_by_password(), Err(InviteError::NoPassword)));
    let carol = node("Carol");
    let group = join(&carol, &former, PASSWORD).await;
    fails(&group).await;
    let weak = GroupPassword::new("1234567", Roles::MEMBER);
    let refused = within(ann.group.set_password(Some(weak))).await.unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY);
    let weak = Some(GroupPassword::new("aaaaaaaa", Roles::MEMBER));
    let weak = GroupOptions { password: weak, ..GroupOptions::from("Friends") };
    let refused = Group::create(&ann.node, weak).unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY);
    let refused = within(Group::join_by_password(&carol, &former, "")).await.unwrap_err();
    assert_eq!(refused.code(), Code::E_INVALIDARG);
}

#[tokio::test]
async fn only_the_creator_changes_the_password() {
    let ann = creator(node("Ann"), Roles::ADMIN).await;
    let bob = node("Bob");
    let group = join(&bob, &invitation(&ann), PASSWORD).await;
    within(group.connect_and_wait()).await.unwrap();
    let refused = within(group.set_password(None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_NOT_AUTHORIZED);
}

#[tokio::test]
async fn a_group_without_password_invites_nobody_by_it() {
    let (ann, _bob) = pair().await;
    let refused = ann.group.invite_by_password().unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_INVALID_GROUP_PROPERTIES);
}

#[tokio::test]
async fn a_group_with_nothing_but_a_password_invites_nobody_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let node = node_in(&home, "Ann");
    let mut options = options(Roles::MEMBER);
    options.password.as_mut().unwrap().only = true;
    let group = Group::create(&node, options).unwrap();
    assert_eq!(group.properties().unwrap().schemes, Schemes::PASSWORD);
    let carol = p2p_group::Identity::in_memory("Carol").unwrap().info();
    let refused = group.invite(&carol, InviteOptions::default()).unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_INVALID_GROUP_PROPERTIES);
    let ann = node.identity().name();
    let refused = home.invite(ann, group.name(), &carol, InviteOptions::default()).unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_INVALID_GROUP_PROPERTIES);
    assert!(group.invite_by_password().is_ok());
}

#[tokio::test]
async fn an_invitation_by_password_is_issued_beside_the_process_that_listens() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let ann = creator(node_in(&home, "Ann"), Roles::MEMBER).await;
    let identity = ann.node.identity().name();
    let text = home.invite_by_password(identity, ann.group.name()).unwrap().to_line();
    let Ok(AnyInvitation::ByPassword(invitation)) = AnyInvitation::parse(&text) else { panic!() };
    let bob = node("Bob");
    let group = join(&bob, &invitation, PASSWORD).await;
    within(group.connect_and_wait()).await.unwrap();
    // What is issued beside it follows a change of the password.
    within(ann.group.set_password(None)).await.unwrap();
    let refused = home.invite_by_password(identity, ann.group.name()).unwrap_err();
    assert!(matches!(refused, InviteError::NoPassword));
    // And needs a group that is there.
    within(ann.group.close()).await.unwrap();
    let refused = home.invite_by_password(identity, ann.group.name()).unwrap_err();
    assert!(matches!(refused, InviteError::NoPassword));
    let other = home.invite_by_password(identity, identity).unwrap_err();
    assert_eq!(other.code(), Code::PEER_E_NOT_FOUND);
}

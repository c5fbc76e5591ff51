//! Taking memberships back, wholly or in part: over real sockets, with everybody who learns of it.

mod common;

use common::*;
use p2p_group::{
    AdminError, Cause, Code, ConnectionChange, CredentialOptions, DirectConnection, EventKind,
    Filter, Group, GroupEvent, Home, Identity, Invitation, InviteOptions, KeyId, Limits,
    MemberChange, MemberFilter, Node, Peer, PeerName, Reason, Roles,
};
use tempfile::TempDir;

/// The kinds that tell of revocations and of who is turned away.
const TELLING: [EventKind; 2] = [EventKind::Member, EventKind::Refused];

/// The next revocation that is told; other changes of members are passed over.
async fn revoked(events: &Watch) -> (Peer, Peer, Reason) {
    loop {
        if let GroupEvent::Revoked { who, by, reason, .. } = events.next().await {
            return (who, by, reason);
        }
    }
}

/// The next peer that is turned away, and the code.
async fn refused(events: &Watch) -> (KeyId, Code) {
    loop {
        if let GroupEvent::Refused { peer, refusal, .. } = events.next().await {
            return (peer, refusal.code);
        }
    }
}

/// Whether `end` lists this member, and with what roles.
fn roles(end: &End, key: KeyId) -> Option<Roles> {
    let members = end.group.members(&MemberFilter::default()).unwrap();
    members.iter().find(|info| info.member.key == key).map(|info| info.member.roles)
}

/// Waits until `end` has these roles for a member.
async fn until_roles(end: &End, key: KeyId, expected: Option<Roles>) {
    let events = watch(&end.group, Filter::of([EventKind::Member]));
    while roles(end, key) != expected {
        events.next().await;
    }
}

/// The same identity on another machine, which knows nothing but an invitation: it goes to `at`, and is turned away.
async fn is_turned_away(who: &Identity, invitation: &Invitation, at: &End) {
    let told = watch(&at.group, Filter::of([EventKind::Refused]));
    let elsewhere = Node::builder(who.clone()).in_memory().listen_at([loopback()]);
    let elsewhere = elsewhere.start().unwrap();
    let group = Group::join(&elsewhere, invitation).unwrap();
    group.connect_by_address(&[at.address()]).unwrap();
    let expected = (who.key(), Code::CRYPT_E_REVOKED);
    assert_eq!(refused(&told).await, expected, "what the one who refuses knows");
}

/// The other end of a connection whose member was revoked.
async fn ended(end: &DirectConnection) {
    let cause = within(end.closed()).await.unwrap();
    assert_eq!((cause, cause.code()), (Cause::Revoked, Code::PEER_E_CONNECTION_FAILED));
}

/// Looks for members, and for a later membership of its own, for 3 s instead of 30.
fn hasty() -> Limits {
    Limits { connect: 3_000_000, ..Limits::default() }
}

async fn admin(of: &End, node: Node) -> End {
    let invitation = of.group.invite(&node.identity().info(), InviteOptions::roles(Roles::ADMIN));
    let group = Group::join(&node, &invitation.unwrap()).unwrap();
    within(group.connect_and_wait()).await.unwrap();
    End { node, group }
}

#[tokio::test]
async fn connections_of_a_revoked_member_end_at_both_ends_with_the_reason() {
    let ann = End::creator(node("Ann")).await;
    let bobs = node_with("Bob", hasty());
    let invitation = ann.invite(&bobs);
    let bob = ann.member(bobs).await;
    let carol = ann.member(node("Carol")).await;
    let (to_ann, to_carol) = (ann.group.incoming().unwrap(), carol.group.incoming().unwrap());
    let (bob_ann, ann_bob) = bob.direct(&ann, &to_ann).await;
    let (bob_carol, carol_bob) = bob.direct(&carol, &to_carol).await;
    let [at_ann, at_bob, at_carol] =
        [&ann, &bob, &carol].map(|end| watch(&end.group, Filter::of(TELLING)));
    let fate = watch(&bob.group, Filter::of([EventKind::Status, EventKind::ConnectionFailed]));

    within(ann.group.revoke(bob.key(), Reason::KeyCompromise)).await.unwrap();
    assert_eq!(within(ann_bob.closed()).await, Some(Cause::Revoked));
    for end in [&bob_ann, &bob_carol] {
        ended(end).await;
    }
    // Bob is gone as soon as he knows; Carol may see that first, and learns why after it.
    let cause = within(carol_bob.closed()).await.unwrap();
    assert!(matches!(cause, Cause::Revoked | Cause::Lost), "{cause:?}");
    assert_eq!(Cause::Revoked.refusal().unwrap().code, Code::CRYPT_E_REVOKED);
    for events in [&at_ann, &at_bob, &at_carol] {
        let (who, by, reason) = revoked(events).await;
        assert_eq!((who.key(), by.key()), (bob.key(), ann.group.key()), "by the group's own key");
        assert_eq!((who.friendly_name(), reason), (Some("Bob"), Reason::KeyCompromise));
    }
    let failed = loop {
        match fate.next().await {
            GroupEvent::ConnectionFailed { reason } => break reason,
            GroupEvent::Status(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failed, Code::PEER_E_NOT_AUTHORIZED);
    assert!(!bob.group.status().unwrap().listening, "offline");
    for end in [&ann, &carol] {
        until_roles(end, bob.key(), None).await;
        is_turned_away(bob.node.identity(), &invitation, end).await;
    }
    let again = within(bob.group.connect_and_wait()).await.unwrap_err();
    assert_eq!(again.code(), Code::PEER_E_NOT_AUTHORIZED);
}

fn home() -> (TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    (folder, home)
}

/// Ends a node, and starts its identity anew from what is on disk.
async fn restart(home: &Home, end: End) -> End {
    restart_with(home, end, Limits::default()).await
}

async fn restart_with(home: &Home, end: End, limits: Limits) -> End {
    let identity = end.node.identity().name().clone();
    let name = end.group.name().clone();
    within(end.node.shutdown()).await;
    drop(end);
    let node = start(home.identity(&identity).unwrap(), limits);
    let group = Group::open(&node, &name).unwrap();
    End { node, group }
}

#[tokio::test]
async fn a_revocation_outlives_the_nodes_of_all() {
    let (_folder, home) = home();
    let ann = End::creator(node_in(&home, "Ann")).await;
    let bobs = node_in(&home, "Bob");
    let invitation = ann.invite(&bobs);
    let bob = ann.member(bobs).await;
    let carol = ann.member(node_in(&home, "Carol")).await;
    let at_carol = watch(&carol.group, Filter::of(TELLING));
    ann.group.revoke_blocking(bob.node.identity().name(), Reason::Unspecified).unwrap();
    revoked(&at_carol).await;
    drop(at_carol);

    let bob = restart_with(&home, bob, hasty()).await;
    let ann = restart(&home, ann).await;
    let carol = restart(&home, carol).await;
    for end in [&ann, &carol] {
        assert_eq!(end.group.revocations().unwrap().len(), 1);
        assert_eq!(roles(end, bob.key()), None);
        within(end.group.connect_and_wait()).await.unwrap();
        is_turned_away(bob.node.identity(), &invitation, end).await;
    }
    let failed = within(bob.group.connect_by_address_and_wait(&[ann.address()])).await;
    assert_eq!(failed.unwrap_err().code(), Code::PEER_E_NOT_AUTHORIZED);
}

#[tokio::test]
async fn a_member_that_was_away_learns_of_it_at_its_next_session() {
    let ann = End::creator(node("Ann")).await;
    let bobs = node("Bob");
    let invitation = ann.invite(&bobs);
    let bob = ann.member(bobs).await;
    let carol = ann.member(node("Carol")).await;
    let away = End { group: carol.another_handle(), node: carol.node.clone() };
    within(carol.group.close()).await.unwrap();
    within(away.group.close()).await.unwrap();

    within(ann.group.revoke(bob.key(), Reason::CessationOfOperation)).await.unwrap();
    let carol = End { group: Group::open(&carol.node, ann.group.name()).unwrap(), ..carol };
    let events = watch(&carol.group, Filter::of(TELLING));
    assert!(carol.group.revocations().unwrap().is_empty());
    within(carol.group.connect_by_address_and_wait(&[ann.address()])).await.unwrap();
    let (who, _, reason) = revoked(&events).await;
    assert_eq!((who.key(), reason), (bob.key(), Reason::CessationOfOperation));
    is_turned_away(bob.node.identity(), &invitation, &carol).await;
}

#[tokio::test]
async fn whom_a_revoked_administrator_invited_goes_too() {
    let ann = End::creator(node("Ann")).await;
    let dora = admin(&ann, node("Dora")).await;
    let eves = node("Eve");
    let invitation = dora.invite(&eves);
    let eve = dora.member(eves).await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = eve.direct(&ann, &incoming).await;

    within(ann.group.revoke(dora.key(), Reason::Unspecified)).await.unwrap();
    assert_eq!(within(theirs.closed()).await, Some(Cause::Revoked));
    ended(&ours).await;
    until_roles(&ann, eve.key(), None).await;
    is_turned_away(eve.node.identity(), &invitation, &ann).await;
    // Whoever is invited by somebody else may come back.
    let info = eve.node.identity().info();
    let anew = within(ann.group.issue_credentials(&info, Default::default())).await.unwrap();
    within(eve.group.close()).await.unwrap();
    let group = Group::join(&eve.node, &anew).unwrap();
    within(group.connect_by_address_and_wait(&[ann.address()])).await.unwrap();
    assert_eq!(group.own().depth, 2);
}

#[tokio::test]
async fn nobody_revokes_those_who_stand_as_high_or_higher() {
    let ann = End::creator(node("Ann")).await;
    let dora = admin(&ann, node("Dora")).await;
    let frank = admin(&ann, node("Frank")).await;
    let bob = ann.member(node("Bob")).await;
    let eve = dora.member(node("Eve")).await;
    until_roles(&frank, eve.key(), Some(Roles::MEMBER)).await;
    until_roles(&dora, frank.key(), Some(Roles::ADMIN)).await;
    until_roles(&dora, bob.key(), Some(Roles::MEMBER)).await;
    until_roles(&ann, bob.key(), Some(Roles::MEMBER)).await;
    until_roles(&ann, dora.key(), Some(Roles::ADMIN)).await;

    let not_authorized = |result: Result<(), AdminError>| {
        assert_eq!(result.unwrap_err().code(), Code::PEER_E_NOT_AUTHORIZED);
    };
    let revoke = |by: &End, whom: &End| by.group.revoke_blocking(whom.key(), Reason::Unspecified);
    not_authorized(revoke(&dora, &frank));
    not_authorized(revoke(&frank, &dora));
    not_authorized(revoke(&dora, &ann));
    not_authorized(revoke(&dora, &bob));
    not_authorized(revoke(&bob, &eve));
    not_authorized(dora.group.demote_blocking(frank.key(), Roles::MEMBER));

    let invalid = |result: Result<(), AdminError>| {
        assert_eq!(result.unwrap_err().code(), Code::E_INVALIDARG);
    };
    invalid(revoke(&ann, &ann));
    invalid(revoke(&dora, &dora));
    invalid(ann.group.revoke_blocking(ann.group.key(), Reason::Unspecified));
    invalid(ann.group.demote_blocking(bob.key(), Roles::MEMBER));
    invalid(ann.group.demote_blocking(dora.key(), Roles::empty()));
    let stranger = PeerName::parse(&format!("{}.", "ab".repeat(20))).unwrap();
    let unknown = ann.group.revoke_blocking(&stranger, Reason::Unspecified).unwrap_err();
    assert_eq!(unknown.code(), Code::PEER_E_IDENTITY_NOT_FOUND);
    assert!([&ann, &dora].iter().all(|end| end.group.revocations().unwrap().is_empty()));

    // Frank has not invited Eve, and stands above her all the same.
    revoke(&frank, &eve).unwrap();
    let events = watch(&ann.group, Filter::of(TELLING));
    if ann.group.revocations().unwrap().is_empty() {
        let (who, by, _) = revoked(&events).await;
        assert_eq!((who.key(), by.key()), (eve.key(), frank.key()));
    }
    until_roles(&dora, eve.key(), None).await;
    ann.group.close_blocking().unwrap();
    assert_eq!(revoke(&ann, &bob).unwrap_err().code(), Code::PEER_E_INVALID_GROUP);
}

#[tokio::test]
async fn who_was_never_met_can_be_revoked_offline_and_once() {
    let ann = End::creator(node("Ann")).await;
    let zed = node("Zed");
    let invitation = ann.invite(&zed);
    within(ann.group.close()).await.unwrap();
    let ann = End { group: Group::open(&ann.node, ann.group.name()).unwrap(), ..ann };
    ann.group.revoke_blocking(zed.identity().key(), Reason::Superseded).unwrap();
    ann.group.revoke_blocking(zed.identity().name(), Reason::KeyCompromise).unwrap();
    let revocations = ann.group.revocations().unwrap();
    assert_eq!(revocations.len(), 1, "revoking once more changes nothing");
    assert_eq!(revocations[0].reason, Reason::Superseded);

    within(ann.group.connect_and_wait()).await.unwrap();
    is_turned_away(zed.identity(), &invitation, &ann).await;
    let options = CredentialOptions { store: true, ..CredentialOptions::default() };
    let anew = ann.group.issue_credentials_blocking(&zed.identity().info(), options).unwrap_err();
    assert_eq!(anew.code(), Code::PEER_E_NOT_AUTHORIZED);
    assert_eq!(anew.refusal().unwrap().code, Code::CRYPT_E_REVOKED);
    let anew = ann.group.invite(&zed.identity().info(), InviteOptions::default()).unwrap_err();
    assert_eq!(anew.code(), Code::PEER_E_NOT_AUTHORIZED);
    assert_eq!(anew.refusal().unwrap().code, Code::CRYPT_E_REVOKED);
}

#[tokio::test]
async fn a_demoted_member_keeps_its_place_with_fewer_roles() {
    let (_folder, home) = home();
    let ann = End::creator(node_in(&home, "Ann")).await;
    let dora = admin(&ann, node_in(&home, "Dora")).await;
    let bob = ann.member(node_in(&home, "Bob")).await;
    until_roles(&bob, dora.key(), Some(Roles::ADMIN)).await;
    let incoming = bob.group.incoming().unwrap();
    let (doras, bobs) = dora.direct(&bob, &incoming).await;
    let events = watch(&dora.group, Filter::of([EventKind::Member]));

    within(ann.group.demote(dora.key(), Roles::MEMBER)).await.unwrap();
    for end in [&ann, &bob] {
        until_roles(end, dora.key(), Some(Roles::MEMBER)).await;
    }
    let (who, _, reason) = revoked(&events).await;
    assert_eq!((who.key(), reason), (dora.key(), Reason::PrivilegeWithdrawn));
    let renewed = loop {
        if let GroupEvent::Renewed { member } = events.next().await {
            break member;
        }
    };
    assert_eq!((renewed.roles, renewed.depth), (Roles::MEMBER, 2));
    assert_eq!(dora.group.own(), renewed);
    let carol = Identity::in_memory("Carol").unwrap().info();
    let denied = dora.group.invite(&carol, InviteOptions::default()).unwrap_err();
    assert_eq!(denied.code(), Code::PEER_E_NOT_AUTHORIZED);
    // The connection stands: what it stood on was replaced before it was taken away.
    within(doras.send(TEXT, "still here")).await.unwrap();
    assert_eq!(within(bobs.recv()).await.unwrap().bytes, "still here");

    let dora = restart(&home, dora).await;
    assert_eq!(dora.group.own(), renewed, "also from disk");
    within(dora.group.connect_by_address_and_wait(&[ann.address()])).await.unwrap();
    assert_eq!(roles(&ann, dora.key()), Some(Roles::MEMBER));
}

#[tokio::test]
async fn events_of_a_revocation_come_in_order() {
    let (ann, bob) = pair().await;
    let kinds = [EventKind::Member, EventKind::Direct, EventKind::Neighbour];
    let events = watch(&ann.group, Filter::of(kinds));
    within(ann.group.revoke(bob.key(), Reason::Unspecified)).await.unwrap();
    assert_eq!(revoked(&events).await.0.key(), bob.key());
    let left = events.next().await;
    let GroupEvent::Neighbour(event) = left else { panic!("{left:?}") };
    assert_eq!((event.change, event.cause), (ConnectionChange::Disconnected, Cause::Revoked));
    let gone = events.next().await;
    let GroupEvent::Member { change, member } = gone else { panic!("{gone:?}") };
    assert_eq!((change, member.key), (MemberChange::Disconnected, bob.key()));
}

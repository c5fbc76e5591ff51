//! Several handles of one group, closing them, and deleting the group.

mod common;

use common::*;
use p2p_group::{
    Cause, CloseError, Closed, Code, ConnectError, ConnectionKind, DirectError, EventKind, Filter,
    Group, GroupError, GroupEvent, InviteError, InviteOptions, MemberFilter, SendError, Status,
};

const ONLINE: Status = Status { listening: true, connected: true };

#[tokio::test]
async fn all_handles_share_the_connections() {
    let (ann, bob) = pair().await;
    let other = bob.another_handle();
    assert_eq!(other.status().unwrap(), ONLINE, "online at once");
    let (_anns, first, second) =
        (ann.watch(), bob.watch(), watch(&other, Filter::of([EventKind::Direct])));
    let id = bob.open(&ann);
    first.connected(id).await;
    second.connected(id).await;
    other.close_direct(id).unwrap();
    assert_eq!(bob.group.close_direct(id), Err(CloseError::NotFound));
    first.disconnected(id, Code::S_OK).await;
    second.disconnected(id, Code::S_OK).await;
}

#[tokio::test]
async fn closing_one_of_two_handles_changes_nothing_else() {
    let (ann, bob) = pair().await;
    let other = bob.another_handle();
    let (anns, events) = (ann.watch(), watch(&other, Filter::all()));
    let id = bob.open(&ann);
    events.connected(id).await;
    bob.group.close().await.unwrap();
    assert_eq!(bob.group.close().await, Err(Closed));
    assert_eq!(other.status().unwrap(), ONLINE);
    assert_eq!(other.connections(ConnectionKind::Direct).unwrap()[0].id, id);
    let theirs = anns.any_connected().await;
    other.send(id, TEXT, "still here").unwrap();
    assert_eq!(anns.message().await.id, theirs);
    other.close_direct(id).unwrap();
    anns.disconnected(theirs, Code::S_OK).await;
}

#[tokio::test]
async fn the_last_handle_takes_the_group_offline_and_delivers_before() {
    let (ann, bob) = pair().await;
    let anns = ann.watch();
    let bobs = bob.watch();
    let id = bob.open(&ann);
    bobs.connected(id).await;
    let theirs = anns.any_connected().await;
    bob.group.send(id, TEXT, "goodbye").unwrap();
    within(bob.group.close()).await.unwrap();
    assert_eq!(anns.message().await.bytes, "goodbye");
    anns.disconnected(theirs, Code::S_OK).await;
    assert!(bob.node.listening().is_empty());
    assert!(bob.node.open_groups().is_empty());
    assert!(within(bobs.0.recv()).await.is_none(), "nothing of the end is queued here");
}

#[tokio::test]
async fn a_closed_handle_answers_that_it_is_closed_to_everything() {
    let (ann, bob) = pair().await;
    let group = &bob.group;
    group.close().await.unwrap();
    assert_eq!(group.status(), Err(Closed));
    assert_eq!(group.synchronised(), Err(Closed));
    assert_eq!(group.node_id(), Err(Closed));
    assert_eq!(group.connect().unwrap_err(), ConnectError::Closed(Closed));
    assert_eq!(
        group.connect_by_address(&[ann.address()]).unwrap_err(),
        ConnectError::Closed(Closed)
    );
    assert_eq!(within(group.connect_and_wait()).await.unwrap_err(), ConnectError::Closed(Closed));
    assert_eq!(group.members(&MemberFilter::default()).unwrap_err(), Closed);
    assert_eq!(group.connections(ConnectionKind::Direct).unwrap_err(), Closed);
    let info = ann.node.identity().info();
    assert!(matches!(group.invite(&info, InviteOptions::default()), Err(InviteError::Closed(_))));
    let id = p2p_group::ConnectionId(1);
    assert_eq!(group.close_direct(id), Err(CloseError::Closed(Closed)));
    assert_eq!(group.send(id, TEXT, ""), Err(SendError::Closed(Closed)));
    assert_eq!(group.open_direct(ann.key(), ann.address()), Err(DirectError::Closed(Closed)));
    assert!(matches!(within(group.direct(ann.key())).await, Err(DirectError::Closed(_))));
    assert_eq!(group.subscribe(Filter::all()).unwrap_err(), Closed);
    assert_eq!(group.incoming().unwrap_err(), Closed);
    assert!(within(group.accept()).await.is_none());
    assert_eq!(group.name(), ann.group.name(), "what it was stays readable");
    assert_eq!(Closed.code(), Code::PEER_E_INVALID_GROUP);
}

#[tokio::test]
async fn a_closed_handles_subscription_can_be_drained() {
    let (ann, bob) = pair().await;
    let (anns, bobs) = (ann.watch(), bob.watch());
    let id = bob.open(&ann);
    bobs.connected(id).await;
    let theirs = anns.any_connected().await;
    let other = ann.another_handle();
    let live = watch(&other, Filter::of([EventKind::Direct]));
    for n in 0..3 {
        bob.group.send(id, TEXT, n.to_string()).unwrap();
    }
    while !anns
        .now()
        .is_some_and(|event| matches!(&event, GroupEvent::Data(data) if data.bytes == "0"))
    {
        tokio::task::yield_now().await;
    }
    // The rest has either been queued or never will be.
    ann.group.close().await.unwrap();
    bob.group.close_direct(id).unwrap();
    live.disconnected(theirs, Code::S_OK).await;
    let mut next = 1;
    while let Some(event) = within(anns.0.recv()).await {
        assert!(matches!(event, GroupEvent::Data(data) if data.bytes == next.to_string()));
        next += 1;
    }
}

#[tokio::test]
async fn a_connection_object_of_a_closed_handle_ends_and_its_connection_lives_on() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let other = bob.another_handle();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    theirs.send(TEXT, "queued").await.unwrap();
    let id = ours.id();
    bob.group.close().await.unwrap();
    while within(ours.recv()).await.is_some() {}
    assert_eq!(within(ours.closed()).await, None);
    assert_eq!(ours.close(), Err(CloseError::Closed(Closed)));
    drop(ours);
    other.send(id, TEXT, "from the other handle").unwrap();
    assert_eq!(within(theirs.recv()).await.unwrap().bytes, "from the other handle");
    other.close_direct(id).unwrap();
    assert_eq!(within(theirs.closed()).await, Some(Cause::Orderly));
}

#[tokio::test]
async fn dropping_everything_closes_the_group() {
    let (ann, bob) = pair().await;
    let events = watch(&ann.group, Filter::of([EventKind::Status]));
    let subscription = bob.group.subscribe(Filter::all()).unwrap();
    let name = bob.group.name().clone();
    drop(bob.group);
    assert_eq!(bob.node.open_groups(), std::slice::from_ref(&name), "the subscription holds it");
    drop(subscription);
    assert_eq!(events.status().await, Status { listening: true, connected: false });
    // It closes in the background; until then it is in use.
    let again = loop {
        match Group::open(&bob.node, &name) {
            Ok(group) => break group,
            Err(error) => assert!(matches!(error, GroupError::InUse), "{error}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(again.status().unwrap(), Status::default());
}

#[tokio::test]
async fn a_closed_group_opens_again_and_connects_by_itself() {
    let (ann, bob) = pair().await;
    let name = bob.group.name().clone();
    bob.group.close().await.unwrap();
    let group = Group::open(&bob.node, &name).unwrap();
    assert!(group.synchronised().unwrap());
    let events = watch(&ann.group, Filter::of([EventKind::Status]));
    assert!(
        group
            .members(&MemberFilter::default())
            .unwrap()
            .iter()
            .any(|info| info.member.key == ann.key())
    );
    within(group.connect_and_wait()).await.unwrap();
    // Who was connected before listens at once and finds the others from there.
    while !events.status().await.connected {}
}

#[tokio::test]
async fn deleting_a_group_invalidates_every_handle() {
    let (ann, bob) = pair().await;
    let other = bob.another_handle();
    let status = watch(&ann.group, Filter::of([EventKind::Status]));
    within(bob.group.delete()).await.unwrap();
    assert_eq!((bob.group.status(), other.status()), (Err(Closed), Err(Closed)));
    assert!(matches!(Group::open(&bob.node, bob.group.name()), Err(GroupError::NotFound)));
    assert!(bob.node.groups().unwrap().is_empty());
    assert!(matches!(within(bob.group.delete()).await, Err(GroupError::NotFound)));
    assert_eq!(status.status().await, Status { listening: true, connected: false });
}

#[tokio::test]
async fn shutting_a_node_down_closes_everything() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    ours.send(TEXT, "last").await.unwrap();
    within(bob.node.shutdown()).await;
    assert_eq!(within(theirs.recv()).await.unwrap().bytes, "last");
    assert_eq!(within(theirs.closed()).await, Some(Cause::Orderly));
    assert_eq!(bob.group.status(), Err(Closed));
    assert!(matches!(Group::open(&bob.node, ann.group.name()), Err(GroupError::Stopped)));
    within(bob.node.shutdown()).await;
}

#[test]
fn everything_can_be_sent_to_and_shared_with_other_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    fn future<T: Send>(_: &T) {}
    shared::<p2p_group::Node>();
    shared::<p2p_group::NodeBuilder>();
    shared::<p2p_group::Library>();
    shared::<p2p_group::Home>();
    shared::<p2p_group::Identity>();
    shared::<p2p_group::Group>();
    shared::<p2p_group::Subscription>();
    shared::<p2p_group::Incoming>();
    shared::<p2p_group::DirectConnection>();
    shared::<p2p_group::GroupEvent>();
    shared::<p2p_group::Invitation>();
    shared::<p2p_group::Error>();
    // Never polled: only their types matter.
    let _ = |group: Group, connection: p2p_group::DirectConnection| {
        future(&group.connect_and_wait());
        future(&group.close());
        future(&group.delete());
        future(&group.direct(connection.peer()));
        future(&group.accept());
        future(&connection.send(TEXT, ""));
        future(&connection.recv());
        future(&connection.closed());
    };
}

//! Subscriptions: what is queued, for whom, and who is woken.

mod common;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Wake, Waker};

use common::*;
use futures_core::Stream;
use p2p_group::{
    Code, ConnectionChange, EventKind, Filter, Group, GroupEvent, InviteOptions, MemberChange,
    Status,
};

#[tokio::test]
async fn connecting_tells_of_the_neighbour_then_the_member_then_the_status() {
    let ann = End::creator(node("Ann")).await;
    let bob = node("Bob");
    let group = Group::join(&bob, &ann.invite(&bob)).unwrap();
    let events = watch(&group, Filter::all());
    let status = within(group.connect_and_wait());
    status.await.unwrap();
    let mut kinds = Vec::new();
    loop {
        let event = events.next().await;
        if let GroupEvent::Member { member, .. } = &event {
            assert_eq!(member.friendly_name, "Ann");
        }
        kinds.push(event.kind());
        if let GroupEvent::Status(status) = event {
            assert_eq!(
                status,
                Status { listening: true, connected: true },
                "both bits in one event"
            );
            break;
        }
    }
    let at = |kind| kinds.iter().position(|other| *other == kind);
    assert!(
        at(EventKind::Neighbour).is_some() && at(EventKind::Neighbour) < at(EventKind::Status),
        "{kinds:?}"
    );
    assert!(
        at(EventKind::Member).is_some() && at(EventKind::Member) < at(EventKind::Status),
        "{kinds:?}"
    );
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::Status).count(), 1);
}

#[tokio::test]
async fn members_learn_who_joins_and_who_leaves() {
    let ann = End::creator(node("Ann")).await;
    let members = watch(&ann.group, Filter::of([EventKind::Member]));
    let bob = ann.member(node("Bob")).await;
    let mut changes = Vec::new();
    let next = async || match members.next().await {
        GroupEvent::Member { change, member } => {
            assert_eq!(member.key, bob.key());
            change
        }
        other => panic!("{other:?}"),
    };
    while changes.last() != Some(&MemberChange::Connected) {
        changes.push(next().await);
    }
    assert!(changes.contains(&MemberChange::Joined), "{changes:?}");
    bob.group.close().await.unwrap();
    assert_eq!(next().await, MemberChange::Disconnected);
}

#[tokio::test]
async fn each_filter_gets_its_own_and_once() {
    let (ann, bob) = pair().await;
    let text = watch(&ann.group, Filter::default().data(TEXT));
    let everything = watch(&ann.group, Filter::of([EventKind::Data, EventKind::Direct]).data(TEXT));
    let bobs = bob.watch();
    let id = bob.open(&ann);
    bobs.connected(id).await;
    bob.group.send(id, OTHER, "other").unwrap();
    bob.group.send(id, TEXT, "text").unwrap();
    bob.group.close_direct(id).unwrap();
    assert_eq!(text.message().await.bytes, "text");
    let theirs = everything.any_connected().await;
    assert_eq!(everything.message().await.bytes, "other");
    assert_eq!(everything.message().await.bytes, "text");
    everything.disconnected(theirs, Code::S_OK).await;
    text.quiet().await;
}

#[tokio::test]
async fn data_that_nobody_wants_is_read_and_dropped() {
    let (ann, bob) = pair().await;
    let direct = watch(&ann.group, Filter::of([EventKind::Direct]));
    let bobs = bob.watch();
    let id = bob.open(&ann);
    bobs.connected(id).await;
    let theirs = direct.any_connected().await;
    // More than all queues on the way hold: it flows only because it is dropped at the far end.
    for _ in 0..40 {
        within(bob.group.send_wait(id, TEXT, vec![0; 1 << 20])).await.unwrap();
    }
    bob.group.close_direct(id).unwrap();
    direct.disconnected(theirs, Code::S_OK).await;
    bobs.disconnected(id, Code::S_OK).await;
}

#[tokio::test]
async fn a_subscription_does_not_see_the_past() {
    let (ann, bob) = pair().await;
    let (anns, bobs) = (ann.watch(), bob.watch());
    let id = bob.open(&ann);
    bobs.connected(id).await;
    let theirs = anns.any_connected().await;
    let late = ann.watch();
    bob.group.close_direct(id).unwrap();
    late.disconnected(theirs, Code::S_OK).await;
}

#[tokio::test]
async fn a_connection_stays_listed_until_every_queue_has_given_its_end_out() {
    use p2p_group::ConnectionKind::Direct;
    let (ann, bob) = pair().await;
    let (first, second, bobs) = (ann.watch(), ann.watch(), bob.watch());
    let id = bob.open(&ann);
    bobs.connected(id).await;
    let theirs = first.any_connected().await;
    second.connected(theirs).await;
    bob.group.close_direct(id).unwrap();
    first.disconnected(theirs, Code::S_OK).await;
    assert_eq!(ann.group.connections(Direct).unwrap()[0].id, theirs);
    assert_eq!(ann.group.connections(Direct).unwrap()[0].peer.key(), bob.key());
    drop(second);
    assert!(ann.group.connections(Direct).unwrap().is_empty(), "the other queue is gone");
    assert_eq!(
        ann.group.close_direct(theirs).unwrap_err().code(),
        Code::PEER_E_CONNECTION_NOT_FOUND
    );
}

#[tokio::test]
async fn the_callback_is_called_after_every_append_and_never_after_the_drop() {
    let (ann, bob) = pair().await;
    let bobs = bob.watch();
    let subscription =
        Arc::new(ann.group.subscribe(Filter::of([EventKind::Direct, EventKind::Data])).unwrap());
    let (tell, mut told) = tokio::sync::mpsc::channel(64);
    let calls = Arc::new(AtomicUsize::new(0));
    let (queue, counter) = (Arc::downgrade(&subscription), Arc::clone(&calls));
    subscription.on_ready(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        // Taking, and even closing, from within the callback must not block.
        while let Some(event) = queue.upgrade().and_then(|queue| queue.try_recv()) {
            tell.try_send(event).expect("the test takes what it is told");
        }
    });
    let id = bob.open(&ann);
    bobs.connected(id).await;
    bob.group.send(id, TEXT, "hello").unwrap();
    let GroupEvent::Direct(event) = within(told.recv()).await.unwrap() else {
        panic!("not a connection")
    };
    assert_eq!(event.change, ConnectionChange::Connected);
    let GroupEvent::Data(message) = within(told.recv()).await.unwrap() else {
        panic!("not a message")
    };
    assert_eq!(message.bytes, "hello");

    drop(Arc::into_inner(subscription).expect("no callback runs, so nobody else holds it"));
    let before = calls.load(Ordering::SeqCst);
    bob.group.close_direct(id).unwrap();
    bobs.disconnected(id, Code::S_OK).await;
    assert_eq!(calls.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn a_callback_set_late_is_called_for_what_is_there() {
    let (ann, bob) = pair().await;
    let bobs = bob.watch();
    let anns = ann.watch();
    let probe = ann.watch();
    let id = bob.open(&ann);
    bobs.connected(id).await;
    probe.any_connected().await;
    let (tell, mut told) = tokio::sync::mpsc::channel(64);
    anns.0.on_ready(move || tell.try_send(()).unwrap_or_default());
    within(told.recv()).await.unwrap();
    assert!(anns.now().is_some());
}

#[tokio::test]
async fn a_callback_may_close_the_connection_it_hears_of() {
    let (ann, bob) = pair().await;
    let bobs = bob.watch();
    let subscription =
        Arc::new(ann.group.subscribe(Filter::of([EventKind::Direct, EventKind::Data])).unwrap());
    let (queue, group) = (Arc::downgrade(&subscription), ann.group.clone());
    subscription.on_ready(move || {
        while let Some(event) = queue.upgrade().and_then(|queue| queue.try_recv()) {
            if let GroupEvent::Data(message) = event {
                group.close_direct(message.id).unwrap();
            }
        }
    });
    let id = bob.open(&ann);
    bobs.connected(id).await;
    bob.group.send(id, TEXT, "close me").unwrap();
    bobs.disconnected(id, Code::S_OK).await;
}

#[tokio::test]
async fn a_callback_that_panics_stops_nobody_else() {
    let (ann, bob) = pair().await;
    let (anns, bobs) = (ann.watch(), bob.watch());
    let broken = ann.watch();
    broken.0.on_ready(|| panic!("a mistake of the application"));
    let id = bob.open(&ann);
    bobs.connected(id).await;
    anns.any_connected().await;
    // Waited for before it is sent: somebody has to wake this task.
    let (message, sent) =
        tokio::join!(anns.message(), async { bob.group.send(id, TEXT, "still here") });
    sent.unwrap();
    assert_eq!(message.bytes, "still here");
}

#[test]
fn a_waker_that_is_replaced_may_use_the_group_while_it_goes() {
    /// As an executor's waker that is the last to hold its task, and with it what the task holds.
    struct Task(Group);
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Task {
        fn drop(&mut self) {
            drop(self.0.subscribe(Filter::all()));
        }
    }
    let (done, told) = mpsc::channel();
    std::thread::spawn(move || {
        let group = Group::create(&node("Ann"), "Friends").unwrap();
        let mut events = group.subscribe(Filter::all()).unwrap();
        for waker in [Waker::from(Arc::new(Task(group.clone()))), Waker::noop().clone()] {
            assert!(Pin::new(&mut events).poll_next(&mut Context::from_waker(&waker)).is_pending());
        }
        done.send(()).unwrap();
    });
    told.recv_timeout(PATIENCE).expect("no lock is held while a waker is dropped");
}

#[tokio::test]
async fn a_subscription_is_a_stream_that_ends_with_its_handle() {
    let (ann, bob) = pair().await;
    let mut events = ann.group.subscribe(Filter::of([EventKind::Direct])).unwrap();
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(event) = poll_fn(|cx| Pin::new(&mut events).poll_next(cx)).await {
            seen.push(event.kind());
        }
        seen
    });
    let bobs = bob.watch();
    let id = bob.open(&ann);
    bobs.connected(id).await;
    bob.group.close_direct(id).unwrap();
    bobs.disconnected(id, Code::S_OK).await;
    ann.group.close().await.unwrap();
    assert_eq!(within(task).await.unwrap(), [EventKind::Direct, EventKind::Direct]);
}

#[tokio::test]
async fn incoming_connections_are_a_stream_too() {
    let (ann, bob) = pair().await;
    let mut incoming = ann.group.incoming().unwrap();
    let ours = within(bob.group.direct(ann.key())).await.unwrap();
    let theirs = within(poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx))).await.unwrap();
    assert_eq!(theirs.peer().key(), bob.key());
    assert_eq!(theirs.node(), bob.group.node_id().unwrap());
    assert_eq!(ours.node(), ann.group.node_id().unwrap());
}

#[tokio::test]
async fn a_dropped_receive_takes_nothing() {
    let (ann, bob) = pair().await;
    let (anns, bobs) = (ann.watch(), bob.watch());
    assert!(tokio::time::timeout(QUIET, anns.0.recv()).await.is_err());
    let id = bob.open(&ann);
    bobs.connected(id).await;
    anns.any_connected().await;
}

#[tokio::test]
async fn a_lonely_newcomer_fails_to_connect_and_may_try_again() {
    let limits = p2p_group::Limits { connect: 2_000_000, ..Default::default() };
    let ann = node("Ann");
    let group = Group::create(&ann, "Friends").unwrap();
    let bob = node_with("Bob", limits);
    let invitation = group.invite(&bob.identity().info(), InviteOptions::default()).unwrap();
    let bobs = Group::join(&bob, &invitation).unwrap();
    let events = watch(&bobs, Filter::of([EventKind::ConnectionFailed, EventKind::Status]));
    let failed = within(bobs.connect_and_wait()).await.unwrap_err();
    assert_eq!(failed.code(), Code::PEER_E_NO_MEMBERS_FOUND);
    assert_eq!(
        events.next().await,
        GroupEvent::ConnectionFailed { reason: Code::PEER_E_NO_MEMBERS_FOUND }
    );
    assert_eq!(bobs.status().unwrap(), Status::default());
    within(group.connect_and_wait()).await.unwrap();
    within(bobs.connect_by_address_and_wait(&ann.listening())).await.unwrap();
}

//! Direct connections as objects: data, ends, owners, waiting.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use p2p_group::{Bytes, Cause, CloseError, Code, ConnectionKind, DirectError, Limits, SendError};

#[tokio::test]
async fn messages_arrive_whole_in_order_and_with_their_type() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    assert_eq!(ours.peer().key(), ann.key());
    assert_eq!(theirs.peer().friendly_name(), Some("Bob"));
    assert_ne!(ours.id(), theirs.id());

    let big = Bytes::from(vec![7; 16 << 20]);
    ours.send(TEXT, "one").await.unwrap();
    ours.send(OTHER, Bytes::new()).await.unwrap();
    ours.send(TEXT, big.clone()).await.unwrap();
    for (kind, bytes) in [(TEXT, Bytes::from("one")), (OTHER, Bytes::new()), (TEXT, big)] {
        let message = within(theirs.recv()).await.unwrap();
        assert!(message.kind == kind && message.bytes == bytes && message.id == theirs.id());
    }
    theirs.send(TEXT, "back").await.unwrap();
    assert_eq!(within(ours.recv()).await.unwrap().bytes, "back");
}

#[tokio::test]
async fn closing_delivers_what_was_sent_and_both_ends_learn_that_nothing_was_lost() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    for n in 0..100 {
        ours.send(TEXT, format!("{n}")).await.unwrap();
    }
    ours.close().unwrap();
    assert_eq!(ours.close(), Err(CloseError::NotFound));
    assert_eq!(ours.try_send(TEXT, "late"), Err(SendError::NotFound));
    for n in 0..100 {
        assert_eq!(within(theirs.recv()).await.unwrap().bytes, format!("{n}"));
    }
    assert!(within(theirs.recv()).await.is_none());
    assert_eq!(within(theirs.closed()).await, Some(Cause::Orderly));
    assert_eq!(within(ours.closed()).await, Some(Cause::Orderly));
    assert!(within(ours.recv()).await.is_none());
}

#[tokio::test]
async fn the_end_can_be_known_before_the_last_message_is_read() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    ours.send(TEXT, "read me").await.unwrap();
    ours.close().unwrap();
    assert_eq!(within(theirs.closed()).await, Some(Cause::Orderly));
    assert!(ann.group.connections(ConnectionKind::Direct).unwrap().is_empty());
    assert_eq!(
        theirs.close(),
        Err(CloseError::NotFound),
        "no close is owed after the end was told"
    );
    assert_eq!(within(theirs.recv()).await.unwrap().bytes, "read me");
    assert!(within(theirs.recv()).await.is_none());
}

#[tokio::test]
async fn dropping_a_connection_closes_it() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    ours.send(TEXT, "last words").await.unwrap();
    drop(ours);
    assert!(bob.group.connections(ConnectionKind::Direct).unwrap().is_empty());
    assert_eq!(within(theirs.recv()).await.unwrap().bytes, "last words");
    assert_eq!(within(theirs.closed()).await, Some(Cause::Orderly));
}

#[tokio::test]
async fn who_does_not_accept_refuses() {
    let (ann, bob) = pair().await;
    let refused = within(bob.group.direct(ann.key())).await.unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_CONNECTION_REFUSED);

    let incoming = ann.group.incoming().unwrap();
    let connection = within(bob.group.direct(ann.key())).await.unwrap();
    drop(incoming);
    assert_eq!(within(connection.closed()).await, Some(Cause::Orderly), "nobody accepted it");
    let refused = within(bob.group.direct(ann.key())).await.unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_CONNECTION_REFUSED);
}

#[tokio::test]
async fn accepting_by_the_handle_shares_one_queue() {
    let (ann, bob) = pair().await;
    let group = ann.group.clone();
    let first = tokio::spawn(async move { group.accept().await });
    let group = ann.group.clone();
    let second = tokio::spawn(async move { group.accept().await });
    let attempt = async || loop {
        match bob.group.direct(ann.key()).await {
            Ok(connection) => return connection,
            // Until one of the two tasks has begun to accept.
            Err(error) => assert_eq!(error.code(), Code::PEER_E_CONNECTION_REFUSED),
        }
    };
    let _ours = (within(attempt()).await, within(attempt()).await);
    let (one, two) =
        (within(first).await.unwrap().unwrap(), within(second).await.unwrap().unwrap());
    assert_ne!(one.id(), two.id());
    ann.group.close().await.unwrap();
    assert!(within(ann.group.accept()).await.is_none());
}

#[tokio::test]
async fn giving_up_an_attempt_leaves_nothing() {
    let (ann, bob) = pair().await;
    let events = bob.watch();
    let nowhere = BlackHole::new();
    let attempt = bob.group.direct_at(ann.key(), nowhere.address());
    assert!(tokio::time::timeout(Duration::from_millis(50), attempt).await.is_err());
    let event = events.direct().await;
    assert_eq!(
        (event.change, event.cause.code()),
        (p2p_group::ConnectionChange::Failed, Code::PEER_E_CONNECTION_FAILED)
    );
    events.quiet().await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_at_once() {
    let (ann, bob) = pair().await;
    let group = &bob.group;
    let unspecified = "[::]:1".parse::<std::net::SocketAddr>().unwrap().into();
    assert!(matches!(group.open_direct(ann.key(), unspecified), Err(DirectError::Argument(_))));
    assert_eq!(group.open_direct(bob.key(), bob.address()), Err(DirectError::Itself));
    let stranger = p2p_group::Identity::in_memory("Eve").unwrap();
    assert_eq!(within(group.direct(stranger.key())).await.unwrap_err(), DirectError::NoAddress);
    let offline = p2p_group::Group::create(&ann.node, "Offline").unwrap();
    assert_eq!(offline.open_direct(bob.key(), bob.address()), Err(DirectError::Offline));
}

#[tokio::test]
async fn a_full_queue_refuses_and_waiting_goes_on_when_there_is_room() {
    let limits = Limits { send_queue: 64 << 10, receive_queue: 64 << 10, ..Limits::default() };
    let (ann, bob) = pair_with(limits).await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    let block = Bytes::from(vec![1; 32 << 10]);
    let mut sent = 0;
    while ours.try_send(TEXT, block.clone()).is_ok() {
        sent += 1;
        tokio::task::yield_now().await;
        assert!(sent < 10_000, "nothing stops a sender whom nobody reads");
    }
    assert_eq!(ours.try_send(TEXT, block.clone()), Err(SendError::Full));
    let ours = Arc::new(ours);
    let waiting = {
        let (ours, block) = (Arc::clone(&ours), block.clone());
        tokio::spawn(async move { ours.send(TEXT, block).await })
    };
    for _ in 0..=sent {
        assert_eq!(within(theirs.recv()).await.unwrap().bytes.len(), block.len());
    }
    within(waiting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_send_that_is_given_up_sent_nothing() {
    let limits = Limits { send_queue: 64 << 10, receive_queue: 64 << 10, ..Limits::default() };
    let (ann, bob) = pair_with(limits).await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    let block = Bytes::from(vec![1; 32 << 10]);
    let mut sent = 0;
    // Full for good: nobody reads, so the first send that has to wait waits for ever.
    while let Ok(result) = tokio::time::timeout(QUIET, ours.send(TEXT, block.clone())).await {
        result.unwrap();
        sent += 1;
    }
    ours.close().unwrap();
    let mut received = 0;
    while within(theirs.recv()).await.is_some() {
        received += 1;
    }
    assert_eq!(received, sent);
}

#[tokio::test]
async fn a_receive_that_is_given_up_loses_nothing() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    let sender = tokio::spawn(async move {
        for n in 0..200_u32 {
            ours.send(TEXT, n.to_string()).await.unwrap();
            tokio::task::yield_now().await;
        }
        ours
    });
    let mut expected = 0_u32;
    while expected < 200 {
        // Every second receive is dropped in favour of a timer that is due at once.
        let message = tokio::select! {
            biased;
            message = theirs.recv() => message,
            () = tokio::time::sleep(Duration::from_micros(50)) => continue,
        };
        assert_eq!(message.unwrap().bytes, expected.to_string());
        expected += 1;
    }
    drop(within(sender).await.unwrap());
}

#[tokio::test]
async fn a_waiting_sender_learns_that_the_connection_is_closed() {
    let limits = Limits { send_queue: 64 << 10, receive_queue: 64 << 10, ..Limits::default() };
    let (ann, bob) = pair_with(limits).await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, _theirs) = bob.direct(&ann, &incoming).await;
    let block = Bytes::from(vec![1; 32 << 10]);
    while tokio::time::timeout(QUIET, ours.send(TEXT, block.clone())).await.is_ok() {}
    let ours = Arc::new(ours);
    let waiting = {
        let ours = Arc::clone(&ours);
        tokio::spawn(async move { ours.send(TEXT, block).await })
    };
    tokio::task::yield_now().await;
    ours.close().unwrap();
    assert_eq!(within(waiting).await.unwrap(), Err(SendError::NotFound));
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_harms_nothing() {
    let (ann, bob) = pair().await;
    let incoming = ann.group.incoming().unwrap();
    let (ours, theirs) = bob.direct(&ann, &incoming).await;
    let long = Bytes::from(vec![0; (16 << 20) + 1]);
    assert_eq!(ours.send(TEXT, long).await.unwrap_err().code(), Code::E_INVALIDARG);
    ours.send(TEXT, "fits").await.unwrap();
    assert_eq!(within(theirs.recv()).await.unwrap().bytes, "fits");
}

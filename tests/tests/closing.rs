//! Every situation in which a direct connection is closed, over real QUIC, one test each. The numbers are those of the
//! project's list of situations; what the remote end does is done by a second process where the situation is about it.

use p2p_group::{Code, ConnectionId, ConnectionKind, EventKind, Filter};
use p2p_tests::world::{CONNECTED, close, send};
use p2p_tests::{pair, still_alive, watch};

const NOT_FOUND: Code = Code::PEER_E_CONNECTION_NOT_FOUND;

#[tokio::test]
async fn c01_open_connected_close() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    assert_eq!(bob.close(here), Code::S_OK);
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
}

#[tokio::test]
async fn c02_the_second_close_finds_nothing() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    assert_eq!((bob.close(here), bob.close(here)), (Code::S_OK, NOT_FOUND));
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    assert_eq!((bob.close(here), ann.close(there)), (NOT_FOUND, NOT_FOUND));
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
}

#[tokio::test]
async fn c09_ids_that_were_never_given() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    for id in [0, u64::MAX, here.0.wrapping_add(1), here.0.wrapping_sub(1)] {
        assert_eq!(bob.close(ConnectionId(id)), NOT_FOUND, "{id}");
    }
    assert_eq!(bob.directs(), [here]);
    assert_eq!(bob.close(here), Code::S_OK);
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
}

#[tokio::test]
async fn c10_a_handle_that_is_not_open() {
    let (ann, bob) = pair().await;
    let stale = bob.another_handle();
    let clone = stale.clone();
    stale.close().await.unwrap();
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, _) = bob.connect(&at_bob, &ann, &at_ann).await;
    for id in [here.0, 0, u64::MAX] {
        assert_eq!(close(&stale, ConnectionId(id)), Code::PEER_E_INVALID_GROUP);
        assert_eq!(close(&clone, ConnectionId(id)), Code::PEER_E_INVALID_GROUP);
    }
    assert_eq!(bob.directs(), [here], "untouched");
    assert_eq!(send(&bob.group, here, "alive"), Code::S_OK);
    assert_eq!(at_ann.message().await.bytes, "alive");
}

#[tokio::test]
async fn c21_closing_changes_no_status() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let others = Filter::of([EventKind::Status, EventKind::Neighbour, EventKind::Member]);
    let quiet = [watch(&ann.group, others.clone()), watch(&bob.group, others)];
    let before = bob.group.connections(ConnectionKind::Neighbour).unwrap();
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    assert_eq!(bob.close(here), Code::S_OK);
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
    assert_eq!((ann.group.status().unwrap(), bob.group.status().unwrap()), (CONNECTED, CONNECTED));
    assert_eq!(bob.group.connections(ConnectionKind::Neighbour).unwrap(), before);
    // Events of one group are queued in the order in which they become true: what belonged to the closing is here.
    for queue in quiet {
        assert_eq!(queue.now(), None);
    }
}

#[tokio::test]
async fn c22_the_list_before_and_after() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    assert!(bob.directs().is_empty());
    let opening = bob.open(&ann);
    at_bob.connected(opening).await;
    let there = at_ann.any_connected().await;
    let list = bob.group.connections(ConnectionKind::Direct).unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].id, list[0].peer.key()), (opening, ann.key()));
    assert_eq!(list[0].node, ann.group.node_id().unwrap());
    assert_eq!(list[0].address, ann.address());
    assert_eq!(ann.directs(), [there]);
    assert_eq!(bob.close(opening), Code::S_OK);
    assert!(bob.directs().is_empty(), "at once");
    at_bob.disconnected(opening, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    assert!(ann.directs().is_empty() && bob.directs().is_empty());
    assert_eq!(list[0].id, opening, "a list that was made is not changed");
}

#[tokio::test]
async fn c23_nothing_can_be_sent_after_closing() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    assert_eq!(bob.close(here), Code::S_OK);
    assert_eq!(send(&bob.group, here, "too late"), NOT_FOUND);
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    assert_eq!(send(&bob.group, here, "too late"), NOT_FOUND);
    assert_eq!(send(&ann.group, there, "too late"), NOT_FOUND);
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
}

#[tokio::test]
async fn c24_a_new_connection_has_a_new_id() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
        assert!(!ours.contains(&here) && !theirs.contains(&there));
        assert_eq!(bob.close(here), Code::S_OK);
        at_bob.disconnected(here, Code::S_OK).await;
        at_ann.disconnected(there, Code::S_OK).await;
        assert!(ours.iter().all(|id| bob.close(*id) == NOT_FOUND));
        ours.push(here);
        theirs.push(there);
    }
}

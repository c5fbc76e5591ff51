//! Every situation in which a direct connection is closed, over real QUIC, one test each. The numbers are those of the
//! project's list of situations; what the remote end does is done by a second process where the situation is about it.

use std::net::UdpSocket;
use std::sync::{Arc, Barrier, Mutex};

use p2p_group::{
    Cause, Code, ConnectionChange, ConnectionId, ConnectionKind, EventKind, Filter, Group,
    GroupError, GroupEvent,
};
use p2p_tests::watch::direct_and_data;
use p2p_tests::world::{CONNECTED, close, send};
use p2p_tests::{End, Remote, Watch, loopback, node, pair, still_alive, watch, within};

const NOT_FOUND: Code = Code::PEER_E_CONNECTION_NOT_FOUND;
const INVALID_GROUP: Code = Code::PEER_E_INVALID_GROUP;
const PEER: &str = env!("CARGO_BIN_EXE_p2p-tests-peer");

/// Ann here, with a queue, and Bob in a process of his own, with his; online and connected with each other.
async fn apart() -> (End, Watch, Remote) {
    let ann = End::creator(node("Ann")).await;
    let bob = meet(&ann, "Bob").await;
    let at_ann = ann.watch();
    (ann, at_ann, bob)
}

/// Somebody new in a process of its own.
async fn meet(ann: &End, name: &str) -> Remote {
    let mut bob = Remote::start(PEER, name).await;
    bob.join(&ann.invite_info(&bob.info)).await;
    bob.online().await;
    bob
}

/// A direct connection that Bob opens. Its id here and there.
async fn called(ann: &End, at_ann: &Watch, bob: &mut Remote) -> (ConnectionId, ConnectionId) {
    bob.get(&["direct", ann.name().as_str(), &ann.address().to_string()]).await;
    let there = bob.connected().await;
    (at_ann.any_connected().await, there)
}

/// A direct connection that Ann opens. Its id here and there.
async fn calling(ann: &End, at_ann: &Watch, bob: &mut Remote) -> (ConnectionId, ConnectionId) {
    let address = bob.address().await;
    let here = ann.group.open_direct(bob.key(), address).unwrap();
    at_ann.connected(here).await;
    (here, bob.connected().await)
}

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
async fn c03_the_peer_closes_first() {
    let (ann, at_ann, mut bob) = apart().await;
    // Closed there, and its end is queued here but not taken.
    let (here, there) = called(&ann, &at_ann, &mut bob).await;
    assert_eq!(bob.close(there).await, Code::S_OK.to_string());
    bob.disconnected(there, Code::S_OK).await;
    assert_eq!(ann.directs(), [here], "what can be seen can be closed");
    assert_eq!((ann.close(here), ann.close(here)), (Code::S_OK, NOT_FOUND));
    assert!(ann.directs().is_empty());
    at_ann.disconnected(here, Code::S_OK).await;
    assert_eq!(ann.close(here), NOT_FOUND);
    // Closed there, and its end is taken here.
    let (here, there) = calling(&ann, &at_ann, &mut bob).await;
    assert_eq!(bob.close(there).await, Code::S_OK.to_string());
    at_ann.disconnected(here, Code::S_OK).await;
    assert!(ann.directs().is_empty());
    assert_eq!(ann.close(here), NOT_FOUND);
    bob.disconnected(there, Code::S_OK).await;
    bob.quit().await;
}

#[tokio::test]
async fn c04_the_accepting_side_closes() {
    let (ann, at_ann, mut bob) = apart().await;
    let (here, there) = called(&ann, &at_ann, &mut bob).await;
    assert_eq!(ann.close(here), Code::S_OK);
    at_ann.disconnected(here, Code::S_OK).await;
    bob.disconnected(there, Code::S_OK).await;
    assert_eq!(bob.close(there).await, NOT_FOUND.to_string());
    let (here, there) = calling(&ann, &at_ann, &mut bob).await;
    assert_eq!(bob.close(there).await, Code::S_OK.to_string());
    bob.disconnected(there, Code::S_OK).await;
    at_ann.disconnected(here, Code::S_OK).await;
    bob.quit().await;
}

#[tokio::test]
async fn c05_closing_while_nobody_has_answered() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let nobody = UdpSocket::bind(loopback()).unwrap();
    let address = nobody.local_addr().unwrap().into();
    let id = bob.group.open_direct(ann.key(), address).unwrap();
    assert!(bob.directs().is_empty(), "what is opening is not listed, and can be closed");
    assert_eq!((bob.close(id), bob.close(id)), (Code::S_OK, NOT_FOUND));
    let event = at_bob.failed(id, Code::PEER_E_CONNECTION_FAILED).await;
    assert_eq!(event.cause, Cause::Cancelled);
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
}

/// Further to C05: whoever is called may have accepted meanwhile.
#[tokio::test]
async fn c05_closing_while_the_peer_answers() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    for n in 0..20 {
        let id = bob.open(&ann);
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        assert_eq!(bob.close(id), Code::S_OK);
        let event = at_bob.direct().await;
        assert_eq!(event.id, id);
        match event.change {
            ConnectionChange::Failed => assert_eq!(event.cause, Cause::Cancelled),
            ConnectionChange::Connected => {
                at_bob.disconnected(id, Code::S_OK).await;
            }
            ConnectionChange::Disconnected => panic!("it never stood: {event:?}"),
        }
    }
    let last = bob.open(&ann);
    at_bob.connected(last).await;
    assert_eq!(send(&bob.group, last, "the last"), Code::S_OK);
    // What Ann saw of the others, she saw begin and end.
    let mut open = Vec::new();
    at_ann
        .until(|event| match event {
            GroupEvent::Direct(event) if event.change == ConnectionChange::Connected => {
                open.push(event.id);
                None
            }
            GroupEvent::Direct(event) => {
                assert_eq!(event.change, ConnectionChange::Disconnected);
                let at = open.iter().position(|id| *id == event.id);
                open.swap_remove(at.expect("it stood"));
                None
            }
            GroupEvent::Data(message) => {
                assert_eq!(message.bytes, "the last");
                Some(())
            }
            other => panic!("{other:?}"),
        })
        .await;
    while open.len() > 1 {
        let event = at_ann.direct().await;
        assert_eq!(event.change, ConnectionChange::Disconnected);
        open.retain(|id| *id != event.id);
    }
    assert_eq!(ann.directs(), open);
}

#[tokio::test]
async fn c06_the_peer_accepts_no_direct_connections() {
    let ann = End::creator(node("Ann")).await;
    let at_ann = ann.watch();
    let mut bob = Remote::start(PEER, "Bob").await;
    bob.join(&ann.invite_info(&bob.info)).await;
    bob.get(&["connect"]).await;
    let address = bob.address().await;
    let id = ann.group.open_direct(bob.key(), address).unwrap();
    at_ann.failed(id, Code::PEER_E_CONNECTION_REFUSED).await;
    assert_eq!(ann.close(id), NOT_FOUND);
    // Neither does a close find it before its failure is taken.
    let arrival = at_ann.arrival();
    let id = ann.group.open_direct(bob.key(), address).unwrap();
    arrival.wait().await;
    assert_eq!(ann.close(id), NOT_FOUND);
    at_ann.failed(id, Code::PEER_E_CONNECTION_REFUSED).await;
    // As soon as Bob wants them, they come.
    bob.get(&["watch"]).await;
    calling(&ann, &at_ann, &mut bob).await;
    bob.quit().await;
}

#[tokio::test]
async fn c07_an_id_of_another_group() {
    let (ann, bob) = pair().await;
    let ann_too = End::creator(ann.node.clone()).await;
    let bob_too = ann_too.member(bob.node.clone()).await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (too_at_ann, too_at_bob) = (ann_too.watch(), bob_too.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    assert_eq!(bob_too.close(here), NOT_FOUND);
    assert_eq!(ann_too.close(there), NOT_FOUND);
    assert_eq!((bob.directs(), bob_too.directs()), (vec![here], vec![]));
    assert_eq!(send(&bob_too.group, here, "not yours"), NOT_FOUND);
    assert_eq!(send(&bob.group, here, "alive"), Code::S_OK);
    at_ann.text(there, "alive").await;
    assert_eq!(bob.close(here), Code::S_OK);
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    still_alive(&ann_too, &too_at_ann, &bob_too, &too_at_bob).await;
}

#[tokio::test]
async fn c08_an_id_of_a_neighbour() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let before = bob.group.connections(ConnectionKind::Neighbour).unwrap();
    assert_eq!(before.len(), 1);
    assert_eq!(bob.close(before[0].id), NOT_FOUND);
    assert_eq!(bob.group.connections(ConnectionKind::Neighbour).unwrap(), before);
    assert_eq!(bob.group.status().unwrap(), CONNECTED);
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
async fn c11_another_handle_closes() {
    let (ann, bob) = pair().await;
    let other = bob.another_handle();
    let (at_ann, first) = (ann.watch(), bob.watch());
    let second = watch(&other, direct_and_data());
    let (here, there) = bob.connect(&first, &ann, &at_ann).await;
    second.connected(here).await;
    assert_eq!((close(&other, here), bob.close(here)), (Code::S_OK, NOT_FOUND));
    first.disconnected(here, Code::S_OK).await;
    second.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    still_alive(&ann, &at_ann, &bob, &first).await;
}

#[tokio::test]
async fn c12_one_of_two_handles_is_closed() {
    let (ann, at_ann, mut bob) = apart().await;
    let other = ann.another_handle();
    let at_other = watch(&other, direct_and_data());
    let (here, there) = called(&ann, &at_ann, &mut bob).await;
    at_other.connected(here).await;
    within(ann.group.close()).await.unwrap();
    assert_eq!((ann.close(here), ann.close(ConnectionId(0))), (INVALID_GROUP, INVALID_GROUP));
    assert_eq!(send(&other, here, "still here"), Code::S_OK);
    bob.text(there, "still here").await;
    assert_eq!(other.status().unwrap(), CONNECTED);
    assert_eq!(close(&other, here), Code::S_OK);
    at_other.disconnected(here, Code::S_OK).await;
    bob.disconnected(there, Code::S_OK).await;
    assert_eq!(at_ann.now(), None, "its handle was closed");
    bob.quit().await;
}

#[tokio::test]
async fn c13_the_last_handle_is_closed() {
    let (ann, at_ann, mut bob) = apart().await;
    let other = ann.another_handle();
    let (here, there) = called(&ann, &at_ann, &mut bob).await;
    assert_eq!(send(&ann.group, here, "goodbye"), Code::S_OK);
    within(other.close()).await.unwrap();
    within(ann.group.close()).await.unwrap();
    assert_eq!((ann.close(here), close(&other, here)), (INVALID_GROUP, INVALID_GROUP));
    bob.text(there, "goodbye").await;
    bob.disconnected(there, Code::S_OK).await;
    assert_eq!(bob.close(there).await, NOT_FOUND.to_string());
    assert!(within(at_ann.0.recv()).await.is_none(), "there is nobody left to be told");
    bob.quit().await;
}

#[tokio::test]
async fn c14_the_group_is_deleted() {
    let (ann, at_ann, mut bob) = apart().await;
    let other = ann.another_handle();
    let (here, there) = called(&ann, &at_ann, &mut bob).await;
    within(ann.group.delete()).await.unwrap();
    assert_eq!((ann.close(here), close(&other, here)), (INVALID_GROUP, INVALID_GROUP));
    bob.disconnected(there, Code::S_OK).await;
    let again = Group::open(&ann.node, ann.group.name());
    assert_eq!(again.unwrap_err().code(), Code::PEER_E_NOT_FOUND);
    bob.quit().await;
}

#[tokio::test]
async fn c15_the_node_is_shut_down() {
    let (ann, at_ann, mut bob) = apart().await;
    let (here, there) = called(&ann, &at_ann, &mut bob).await;
    within(ann.node.shutdown()).await;
    assert_eq!(ann.close(here), INVALID_GROUP);
    bob.disconnected(there, Code::S_OK).await;
    let again = Group::open(&ann.node, ann.group.name()).unwrap_err();
    assert!(matches!(again, GroupError::Stopped));
    assert_eq!(again.code(), Code::PEER_E_NOT_INITIALIZED);
    bob.quit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c16_many_threads_close_one() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    let start = Arc::new(Barrier::new(64));
    let closing = (0..64).map(|_| {
        let (group, start) = (bob.group.clone(), Arc::clone(&start));
        std::thread::spawn(move || {
            start.wait();
            close(&group, here)
        })
    });
    let threads: Vec<_> = closing.collect();
    let codes: Vec<Code> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Code::S_OK).count(), 1);
    assert_eq!(codes.iter().filter(|code| **code == NOT_FOUND).count(), 63);
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
}

#[tokio::test]
async fn c17_closing_while_draining() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    assert_eq!(send(&bob.group, here, "close me"), Code::S_OK);
    // In the loop that takes events: the same loop meets the end.
    let mut seen = Vec::new();
    while let Some(event) = within(at_ann.0.recv()).await {
        match event {
            GroupEvent::Data(message) => seen.push(format!("{}", ann.close(message.id))),
            GroupEvent::Direct(event) => {
                seen.push(format!("{:?} {}", event.change, event.cause.code()));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [Code::S_OK.to_string(), format!("Disconnected {}", Code::S_OK)]);
    assert_eq!(ann.close(there), NOT_FOUND);
    at_bob.disconnected(here, Code::S_OK).await;
}

/// Further to C17: in the function that is called when there are events.
#[tokio::test]
async fn c17_closing_in_a_callback() {
    let (ann, bob) = pair().await;
    let at_bob = bob.watch();
    let at_ann = Arc::new(ann.watch());
    let (tell, mut told) = tokio::sync::mpsc::channel(8);
    let (group, queue) = (ann.group.clone(), Arc::downgrade(&at_ann));
    let called = Mutex::new(Vec::new());
    at_ann.0.on_ready(move || {
        let Some(queue) = queue.upgrade() else { return };
        while let Some(event) = queue.now() {
            match event {
                GroupEvent::Data(message) => {
                    called.lock().unwrap().push(close(&group, message.id));
                }
                GroupEvent::Direct(event) if event.change == ConnectionChange::Disconnected => {
                    tell.try_send((called.lock().unwrap().clone(), event.cause)).unwrap();
                }
                _ => {}
            }
        }
    });
    let here = bob.open(&ann);
    at_bob.connected(here).await;
    assert_eq!(send(&bob.group, here, "close me"), Code::S_OK);
    assert_eq!(within(told.recv()).await, Some((vec![Code::S_OK], Cause::Orderly)));
    at_bob.disconnected(here, Code::S_OK).await;
}

#[tokio::test]
async fn c18_a_thousand_messages_and_then_the_end() {
    let (ann, at_ann, mut bob) = apart().await;
    let (here, there) = calling(&ann, &at_ann, &mut bob).await;
    for n in 0..1_000 {
        assert_eq!(send(&ann.group, here, n.to_string()), Code::S_OK);
    }
    assert_eq!(ann.close(here), Code::S_OK);
    for n in 0..1_000 {
        bob.text(there, &n.to_string()).await;
    }
    bob.disconnected(there, Code::S_OK).await;
    at_ann.disconnected(here, Code::S_OK).await;
    bob.quit().await;
}

#[tokio::test]
async fn c19_a_thousand_messages_wait_and_the_peer_has_closed() {
    let (ann, at_ann, mut bob) = apart().await;
    let (here, there) = called(&ann, &at_ann, &mut bob).await;
    bob.get(&["count", &there.0.to_string(), "1000"]).await;
    assert_eq!(bob.close(there).await, Code::S_OK.to_string());
    bob.disconnected(there, Code::S_OK).await;
    // Bob was told that all has arrived here, so it has; nobody has taken any of it.
    for n in 0..1_000 {
        assert_eq!(ann.directs(), [here]);
        at_ann.text(here, &n.to_string()).await;
    }
    assert_eq!(send(&ann.group, here, "nobody reads it"), NOT_FOUND);
    assert_eq!(ann.directs(), [here]);
    at_ann.disconnected(here, Code::S_OK).await;
    assert_eq!(ann.close(here), NOT_FOUND);
    assert!(ann.directs().is_empty());
    bob.quit().await;
}

#[tokio::test]
async fn c20_what_was_queued_stays_readable() {
    let (ann, bob) = pair().await;
    let other = ann.another_handle();
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    let first = watch(&other, direct_and_data());
    for n in 0..10 {
        assert_eq!(send(&bob.group, here, n.to_string()), Code::S_OK);
    }
    for n in 0..10 {
        first.text(there, &n.to_string()).await;
    }
    assert_eq!(ann.close(there), Code::S_OK);
    for n in 0..10 {
        at_ann.text(there, &n.to_string()).await;
    }
    at_ann.disconnected(there, Code::S_OK).await;
    first.disconnected(there, Code::S_OK).await;
    at_bob.disconnected(here, Code::S_OK).await;
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
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

#[tokio::test]
async fn c25_both_ends_close_at_the_same_time() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    // On this one thread nothing travels between the two calls: the notices cross.
    assert_eq!((bob.close(here), ann.close(there)), (Code::S_OK, Code::S_OK));
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
}

/// Further to C25: in two processes, in whatever order it happens there.
#[tokio::test]
async fn c25_two_processes_close_at_the_same_time() {
    let (ann, at_ann, mut bob) = apart().await;
    for _ in 0..20 {
        let (here, there) = called(&ann, &at_ann, &mut bob).await;
        bob.say(&["close", &there.0.to_string()]).await;
        assert_eq!(ann.close(here), Code::S_OK);
        assert_eq!(bob.hear().await, Ok(vec![String::new()]));
        at_ann.disconnected(here, Code::S_OK).await;
        bob.disconnected(there, Code::S_OK).await;
    }
    bob.quit().await;
}

#[tokio::test]
async fn c26_the_peer_was_killed() {
    let (ann, at_ann, mut bob) = apart().await;
    let (here, _) = called(&ann, &at_ann, &mut bob).await;
    bob.kill().await;
    assert_eq!((ann.close(here), ann.close(here)), (Code::S_OK, NOT_FOUND));
    assert!(ann.directs().is_empty());
    at_ann.disconnected(here, Code::PEER_E_CONNECTION_FAILED).await;
    let mut bea = meet(&ann, "Bea").await;
    let (here, there) = called(&ann, &at_ann, &mut bea).await;
    assert_eq!(ann.close(here), Code::S_OK);
    at_ann.disconnected(here, Code::S_OK).await;
    bea.disconnected(there, Code::S_OK).await;
    bea.quit().await;
}

#[tokio::test]
async fn c27_both_ends_open_at_the_same_time() {
    let (ann, bob) = pair().await;
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    let (from_bob, from_ann) = (bob.open(&ann), ann.open(&bob));
    let at_anns = [at_ann.any_connected().await, at_ann.any_connected().await];
    let at_bobs = [at_bob.any_connected().await, at_bob.any_connected().await];
    assert!(at_anns.contains(&from_ann) && at_bobs.contains(&from_bob));
    assert_ne!(at_anns[0], at_anns[1]);
    let other = |ids: [ConnectionId; 2], own| ids.into_iter().find(|id| *id != own).unwrap();
    let to_ann = other(at_anns, from_ann);
    let to_bob = other(at_bobs, from_bob);
    assert_eq!(send(&bob.group, from_bob, "mine"), Code::S_OK);
    at_ann.text(to_ann, "mine").await;
    assert_eq!(send(&ann.group, from_ann, "and mine"), Code::S_OK);
    at_bob.text(to_bob, "and mine").await;
    assert_eq!(ann.close(to_ann), Code::S_OK);
    at_ann.disconnected(to_ann, Code::S_OK).await;
    at_bob.disconnected(from_bob, Code::S_OK).await;
    assert_eq!((ann.directs(), bob.directs()), (vec![from_ann], vec![to_bob]));
    assert_eq!(send(&bob.group, to_bob, "the other lives on"), Code::S_OK);
    at_ann.text(from_ann, "the other lives on").await;
    assert_eq!(bob.close(to_bob), Code::S_OK);
    at_bob.disconnected(to_bob, Code::S_OK).await;
    at_ann.disconnected(from_ann, Code::S_OK).await;
}

#[tokio::test]
async fn c28_a_sender_closes_and_a_receiver_looks_it_up() {
    let (ann, at_ann, mut bob) = apart().await;
    for wait_for_the_end in [true, false] {
        let (here, there) = called(&ann, &at_ann, &mut bob).await;
        bob.get(&["send", &there.0.to_string(), "here it is"]).await;
        assert_eq!(bob.close(there).await, Code::S_OK.to_string());
        if wait_for_the_end {
            bob.disconnected(there, Code::S_OK).await;
        }
        let mut ended = false;
        while !ended {
            match at_ann.next().await {
                GroupEvent::Data(message) => {
                    let list = ann.group.connections(ConnectionKind::Direct).unwrap();
                    let sender = list.iter().find(|info| info.id == message.id).unwrap();
                    assert_eq!(sender.peer.key(), bob.key());
                    assert_eq!(sender.peer.name(), bob.name().as_str());
                    assert_eq!(ann.close(message.id), Code::S_OK);
                }
                GroupEvent::Direct(event) => {
                    let what = (event.id, event.change, event.cause.code());
                    assert_eq!(what, (here, ConnectionChange::Disconnected, Code::S_OK));
                    ended = true;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(ann.close(here), NOT_FOUND);
        if !wait_for_the_end {
            bob.disconnected(there, Code::S_OK).await;
        }
    }
    bob.quit().await;
}

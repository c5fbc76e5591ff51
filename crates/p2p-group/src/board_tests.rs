//! The board alone, fed with events as a node would emit them.

use p2p_core::{Code, FileTime, MemberChange, NodeId, Roles, Status};

use super::*;

const PEER: KeyId = KeyId([7; 32]);
const TEXT: Guid = Guid::from_u128(1);
const FILE: Guid = Guid::from_u128(2);

fn member(key: KeyId, name: &str) -> Arc<Member> {
    Arc::new(Member {
        key,
        name: format!("{key}.{name}"),
        friendly_name: name.to_owned(),
        issuer_name: String::new(),
        issuer_friendly_name: String::new(),
        roles: Roles::MEMBER,
        depth: 2,
        not_before: FileTime(0),
        not_after: FileTime::NO_END,
        chain: Default::default(),
        path: Arc::from([]),
    })
}

fn direct(id: u64, change: ConnectionChange) -> Event {
    let cause =
        if change == ConnectionChange::Failed { Cause::Unreachable } else { Cause::Orderly };
    Event::Direct(Connection {
        id: ConnectionId(id),
        change,
        peer: Some(PEER),
        node: NodeId(9),
        cause,
    })
}

fn data(id: u64, kind: Guid, text: &'static str) -> Event {
    let payload = Payload::One(text.as_bytes().into());
    Event::Data { id: ConnectionId(id), peer: PEER, kind, payload }
}

fn taken(id: u64, bytes: usize) -> (ConnectionId, Taken) {
    (ConnectionId(id), Taken::Data { bytes })
}

fn end(id: u64) -> (ConnectionId, Taken) {
    (ConnectionId(id), Taken::Disconnected)
}

/// A board with one handle, and what it asked for last.
struct World {
    board: Board,
    handle: HandleId,
}

impl World {
    fn new() -> World {
        let mut board = Board::new([member(PEER, "bob")]);
        let handle = board.open_handle();
        World { board, handle }
    }

    fn event(&mut self, event: Event) -> Effects {
        let mut fx = Effects::default();
        self.board.event(event, &mut fx);
        fx
    }

    /// What is taken, in short, and what the node is told.
    fn pop(&mut self, queue: QueueId) -> (Option<String>, Vec<(ConnectionId, Taken)>) {
        let mut fx = Effects::default();
        let item = self.board.pop(queue, &mut fx);
        let text = item.map(|item| match item {
            Item::Incoming(event, _) => format!("incoming {}", event.id.0),
            item => match item.into_event().unwrap() {
                GroupEvent::Direct(event) => format!("{:?} {}", event.change, event.id.0),
                GroupEvent::Data(message) => String::from_utf8(message.bytes.to_vec()).unwrap(),
                event => format!("{:?}", event.kind()),
            },
        });
        (text, fx.taken)
    }

    fn drain(&mut self, queue: QueueId) -> Vec<String> {
        std::iter::from_fn(|| self.pop(queue).0).collect()
    }

    fn remove(&mut self, queue: QueueId) -> Effects {
        let mut fx = Effects::default();
        self.board.remove(queue, &mut fx);
        fx
    }

    fn close(&mut self, handle: HandleId) -> Effects {
        let mut fx = Effects::default();
        assert!(self.board.close_handle(handle, &mut fx).is_some());
        fx
    }
}

use ConnectionChange::{Connected, Disconnected, Failed};

#[test]
fn a_queue_gets_what_its_filter_lets_pass_once_and_in_order() {
    let mut world = World::new();
    let kinds = [EventKind::Direct, EventKind::Data];
    let queue = world.board.subscribe(world.handle, Filter::of(kinds).data(TEXT)).unwrap();
    world.event(Event::Status(Status { listening: true, connected: false }));
    world.event(direct(1, Connected));
    world.event(data(1, TEXT, "hello"));
    world.event(data(1, FILE, "file"));
    world.event(direct(1, Disconnected));
    assert_eq!(world.drain(queue), ["Connected 1", "hello", "file", "Disconnected 1"]);
}

#[test]
fn a_filter_for_one_type_of_data_gets_no_other() {
    let mut world = World::new();
    let queue = world.board.subscribe(world.handle, Filter::default().data(TEXT)).unwrap();
    assert_eq!(world.event(data(1, FILE, "file")).taken, [taken(1, 4)]);
    assert!(world.event(data(1, TEXT, "text")).taken.is_empty());
    assert_eq!(world.drain(queue), ["text"]);
}

#[test]
fn what_no_queue_wants_is_taken_at_once() {
    let mut world = World::new();
    world.board.subscribe(world.handle, Filter::of([EventKind::Status])).unwrap();
    assert_eq!(world.event(data(1, TEXT, "lost")).taken, [taken(1, 4)]);
    assert_eq!(world.event(direct(1, Disconnected)).taken, [end(1)]);
    assert!(world.event(direct(2, Failed)).taken.is_empty());
}

#[test]
fn data_and_the_end_are_taken_when_the_last_queue_gave_them_out() {
    let mut world = World::new();
    let first = world.board.subscribe(world.handle, Filter::all()).unwrap();
    let second = world.board.subscribe(world.handle, Filter::all()).unwrap();
    world.event(data(1, TEXT, "hello"));
    world.event(direct(1, Disconnected));
    assert_eq!(world.pop(first), (Some("hello".into()), vec![]));
    assert_eq!(world.pop(first), (Some("Disconnected 1".into()), vec![]));
    assert_eq!(world.pop(second), (Some("hello".into()), vec![]), "reported with what follows");
    assert_eq!(world.pop(second), (Some("Disconnected 1".into()), vec![taken(1, 5), end(1)]));
}

#[test]
fn a_dropped_queue_owes_nothing_any_more() {
    let mut world = World::new();
    let reader = world.board.subscribe(world.handle, Filter::all()).unwrap();
    let sleeper = world.board.subscribe(world.handle, Filter::all()).unwrap();
    world.event(data(1, TEXT, "hello"));
    world.event(direct(1, Disconnected));
    world.drain(reader);
    assert_eq!(world.remove(sleeper).taken, [taken(1, 5), end(1)]);
    assert_eq!(world.pop(sleeper), (None, vec![]));
}

#[test]
fn taken_data_is_reported_when_the_queue_is_empty_or_the_batch_is_full() {
    let mut world = World::new();
    let queue = world.board.subscribe(world.handle, Filter::all()).unwrap();
    let big = Payload::One(vec![0; BATCH_BYTES].into());
    world.event(data(1, TEXT, "a"));
    world.event(Event::Data { id: ConnectionId(1), peer: PEER, kind: TEXT, payload: big });
    world.event(data(1, TEXT, "b"));
    assert_eq!(world.pop(queue).1, []);
    assert_eq!(world.pop(queue).1, [taken(1, 1), taken(1, BATCH_BYTES)]);
    assert_eq!(world.pop(queue).1, [taken(1, 1)]);

    for _ in 0..=BATCH_MESSAGES {
        world.event(data(1, TEXT, ""));
    }
    let told: Vec<usize> = (0..=BATCH_MESSAGES).map(|_| world.pop(queue).1.len()).collect();
    assert_eq!(told.iter().sum::<usize>(), BATCH_MESSAGES + 1);
    assert_eq!(told[BATCH_MESSAGES - 1], BATCH_MESSAGES);
}

#[test]
fn a_closed_handle_freezes_its_queues_and_they_stay_readable() {
    let mut world = World::new();
    let other = world.board.open_handle();
    let frozen = world.board.subscribe(world.handle, Filter::all()).unwrap();
    let live = world.board.subscribe(other, Filter::all()).unwrap();
    world.event(data(1, TEXT, "before"));
    let fx = world.close(world.handle);
    assert!(fx.taken.is_empty(), "the other queue has not given it out");
    world.event(data(1, TEXT, "after"));
    world.event(direct(1, Disconnected));
    assert_eq!(world.drain(frozen), ["before"]);
    assert!(!world.board.is_live(frozen) && world.board.is_live(live));
    assert_eq!(world.pop(live).1, []);
    assert_eq!(world.pop(live).1, []);
    assert_eq!(world.pop(live).1, [taken(1, 6), taken(1, 5), end(1)]);
    assert!(world.board.subscribe(world.handle, Filter::all()).is_none());
    assert!(world.board.close_handle(world.handle, &mut Effects::default()).is_none());
    assert_eq!(world.board.close_handle(other, &mut Effects::default()), Some(true));
}

#[test]
fn an_unread_frozen_queue_holds_nobody_back() {
    let mut world = World::new();
    world.board.open_handle();
    world.board.subscribe(world.handle, Filter::all()).unwrap();
    world.event(data(1, TEXT, "unread"));
    world.event(direct(1, Disconnected));
    assert_eq!(world.close(world.handle).taken, [taken(1, 6), end(1)]);
}

#[test]
fn the_opener_of_a_connection_gets_its_outcome_its_data_and_its_end() {
    let mut world = World::new();
    let feed = world.board.opened_with_feed(world.handle, ConnectionId(1)).unwrap();
    world.event(direct(1, Connected));
    world.event(data(1, TEXT, "for it"));
    assert_eq!(world.event(data(2, TEXT, "for nobody")).taken, [taken(2, 10)]);
    assert_eq!(world.board.end(feed, &mut Effects::default()), End::Open);
    world.event(direct(1, Disconnected));
    assert_eq!(world.drain(feed), ["Connected 1", "for it", "Disconnected 1"]);
    assert!(!world.board.is_live(feed));
    assert!(world.remove(feed).close.is_empty(), "it has ended, there is nothing to close");
}

#[test]
fn a_failed_attempt_ends_its_feed() {
    let mut world = World::new();
    let feed = world.board.opened_with_feed(world.handle, ConnectionId(1)).unwrap();
    world.event(direct(1, Failed));
    assert_eq!(world.drain(feed), ["Failed 1"]);
    assert_eq!(world.board.end(feed, &mut Effects::default()), End::Ended(Cause::Unreachable));
}

#[test]
fn whoever_asks_for_the_end_has_taken_it_before_the_data() {
    let mut world = World::new();
    let feed = world.board.opened_with_feed(world.handle, ConnectionId(1)).unwrap();
    world.event(direct(1, Connected));
    world.pop(feed);
    world.event(data(1, TEXT, "unread"));
    world.event(direct(1, Disconnected));
    let mut fx = Effects::default();
    assert_eq!(world.board.end(feed, &mut fx), End::Ended(Cause::Orderly));
    assert_eq!(fx.taken, [end(1)]);
    assert_eq!(world.pop(feed), (Some("unread".into()), vec![]));
    assert_eq!(
        world.pop(feed),
        (Some("Disconnected 1".into()), vec![taken(1, 6)]),
        "and not taken twice"
    );
}

#[test]
fn dropping_an_owner_closes_its_connection() {
    let mut world = World::new();
    let opening = world.board.opened_with_feed(world.handle, ConnectionId(1)).unwrap();
    let standing = world.board.opened_with_feed(world.handle, ConnectionId(2)).unwrap();
    world.event(direct(2, Connected));
    assert_eq!(world.remove(opening).close, [ConnectionId(1)]);
    assert_eq!(world.remove(standing).close, [ConnectionId(2)]);
}

#[test]
fn a_closed_handle_leaves_its_connections_to_the_others() {
    let mut world = World::new();
    world.board.open_handle();
    let feed = world.board.opened_with_feed(world.handle, ConnectionId(1)).unwrap();
    world.event(direct(1, Connected));
    assert!(world.close(world.handle).close.is_empty());
    assert_eq!(world.board.end(feed, &mut Effects::default()), End::Frozen);
    assert!(world.remove(feed).close.is_empty());
}

#[test]
fn an_incoming_connection_goes_to_the_oldest_acceptor_with_its_data() {
    let mut world = World::new();
    let first = world.board.accept(world.handle).unwrap();
    let second = world.board.accept(world.handle).unwrap();
    world.event(direct(1, Connected));
    world.event(data(1, TEXT, "early"));
    assert_eq!(world.pop(second).0, None);
    let Some(Item::Incoming(event, feed)) = world.board.pop(first, &mut Effects::default()) else {
        panic!("no incoming connection");
    };
    assert_eq!(event.peer.as_ref().and_then(Peer::friendly_name), Some("bob"));
    assert_eq!(world.drain(feed), ["early"]);
}

#[test]
fn our_own_connections_do_not_come_in() {
    let mut world = World::new();
    let acceptor = world.board.accept(world.handle).unwrap();
    world.board.opened(ConnectionId(1));
    world.event(direct(1, Connected));
    assert_eq!(world.pop(acceptor).0, None);
}

#[test]
fn a_dropped_acceptor_closes_what_was_not_accepted() {
    let mut world = World::new();
    let acceptor = world.board.accept(world.handle).unwrap();
    world.event(direct(1, Connected));
    world.event(data(1, TEXT, "unheard"));
    world.event(direct(2, Connected));
    world.event(direct(2, Disconnected));
    let fx = world.remove(acceptor);
    assert_eq!(fx.close, [ConnectionId(1)]);
    let mut told = fx.taken;
    told.sort_by_key(|(id, _)| *id);
    assert_eq!(told, [taken(1, 7), end(2)]);
}

#[test]
fn incoming_connections_are_wanted_while_somebody_asks() {
    let mut world = World::new();
    assert!(!world.board.wants_direct());
    world.board.subscribe(world.handle, Filter::of([EventKind::Data])).unwrap();
    assert!(!world.board.wants_direct());
    let subscription =
        world.board.subscribe(world.handle, Filter::of([EventKind::Direct])).unwrap();
    let acceptor = world.board.accept(world.handle).unwrap();
    assert!(world.board.wants_direct());
    world.remove(subscription);
    assert!(world.board.wants_direct());
    world.remove(acceptor);
    assert!(!world.board.wants_direct());
    let other = world.board.open_handle();
    world.board.accept(other).unwrap();
    world.close(other);
    assert!(!world.board.wants_direct(), "a closed handle asks for nothing");
}

#[test]
fn every_event_wakes_the_queue_it_goes_into() {
    let mut world = World::new();
    let queue = world.board.subscribe(world.handle, Filter::of([EventKind::Data])).unwrap();
    let callback = Arc::new(Callback::new(Box::new(|| {})));
    world.board.set_ready(queue, callback, &mut Effects::default());
    let ready = |fx: Effects| fx.wakes.iter().filter(|wake| matches!(wake, Wake::Ready(_))).count();
    assert_eq!(ready(world.event(data(1, TEXT, "one"))), 1);
    assert_eq!(ready(world.event(data(1, TEXT, "two"))), 1);
    assert_eq!(ready(world.event(direct(1, Connected))), 0);
    let mut fx = Effects::default();
    world.board.set_ready(queue, Arc::new(Callback::new(Box::new(|| {}))), &mut fx);
    assert_eq!(ready(fx), 1, "something is in already");
}

#[test]
fn senders_are_woken_by_room_by_the_end_and_by_a_closed_handle() {
    let mut world = World::new();
    let count =
        |fx: Effects| fx.wakes.iter().filter(|wake| matches!(wake, Wake::Notify(_))).count();
    world.board.room(ConnectionId(1));
    assert_eq!(count(world.event(Event::Writable(ConnectionId(2)))), 0);
    assert_eq!(count(world.event(Event::Writable(ConnectionId(1)))), 1);
    world.board.room(ConnectionId(1));
    assert_eq!(count(world.event(direct(1, Disconnected))), 1);
    world.board.room(ConnectionId(1));
    assert_eq!(count(world.close(world.handle)), 1);
}

#[test]
fn a_sender_that_is_late_for_one_wake_up_is_there_for_the_next() {
    let mut world = World::new();
    // It has asked whom to wait for, and does not wait yet.
    let room = world.board.room(ConnectionId(1));
    world.event(Event::Writable(ConnectionId(1)));
    // Another sender took the room; now it waits.
    let woken = |fx: Effects| {
        fx.wakes.iter().any(|wake| matches!(wake, Wake::Notify(other) if Arc::ptr_eq(other, &room)))
    };
    assert!(woken(world.event(Event::Writable(ConnectionId(1)))), "room again");
    let other = world.board.open_handle();
    assert!(woken(world.close(other)), "a handle was closed");
    assert!(woken(world.close(world.handle)), "another one was");
}

#[test]
fn a_peer_gets_its_name_with_its_membership() {
    let mut world = World::new();
    let stranger = KeyId([8; 32]);
    assert_eq!(world.board.peer(PEER).friendly_name(), Some("bob"));
    assert_eq!(world.board.peer(stranger).friendly_name(), None);
    world.event(Event::Member { change: MemberChange::Joined, member: member(stranger, "eve") });
    assert_eq!(world.board.peer(stranger).friendly_name(), Some("eve"));
}

#[test]
fn every_kind_of_event_reaches_a_filter_for_everything() {
    let mut world = World::new();
    let queue = world.board.subscribe(world.handle, Filter::all()).unwrap();
    let Event::Direct(connection) = direct(1, Connected) else {
        unreachable!("that is what it makes")
    };
    let refusal =
        p2p_core::Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH };
    let remote = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
    world.event(Event::Status(Status::default()));
    world.event(Event::ConnectionFailed { reason: Code::PEER_E_NO_MEMBERS_FOUND });
    world.event(Event::Neighbour(connection));
    world.event(Event::Member { change: MemberChange::Joined, member: member(PEER, "bob") });
    world.event(Event::Refused { peer: PEER, remote, refusal });
    world.event(Event::StoreFailed { code: Code::PEER_E_DISK_FULL });
    assert_eq!(
        world.drain(queue),
        ["Status", "ConnectionFailed", "Neighbour", "Member", "Refused", "StoreFailed"]
    );
}

#[test]
fn strangers_cannot_fill_a_queue_that_nobody_reads() {
    let mut world = World::new();
    let queue = world.board.subscribe(world.handle, Filter::all()).unwrap();
    let refusal =
        p2p_core::Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH };
    let remote = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
    for _ in 0..2 * REFUSED_MAX {
        world.event(Event::Refused { peer: PEER, remote, refusal });
    }
    world.event(Event::Status(Status::default()));
    let queued = world.drain(queue);
    assert_eq!(queued.len(), REFUSED_MAX + 1);
    assert_eq!(queued.last().unwrap(), "Status", "what is left out is refusals only");
    world.event(Event::Refused { peer: PEER, remote, refusal });
    assert_eq!(world.drain(queue), ["Refused"], "there is room again");
}

#[test]
fn whoever_published_an_object_is_told_once_what_became_of_it() {
    let (mut board, mut fx) = (Board::new([]), Effects::default());
    let (id, other) = (ObjectId([1; 32]), ObjectId([2; 32]));
    let waiting: Vec<Arc<Outcome>> = (0..4).map(|_| Arc::default()).collect();
    board.await_object(id, Arc::clone(&waiting[0]));
    board.await_object(id, Arc::clone(&waiting[1]));
    board.await_object(other, Arc::clone(&waiting[2]));
    board.event(Event::Published { id, result: Ok(()) }, &mut fx);
    assert_eq!(fx.wakes.len(), 2, "both of them");
    for outcome in &waiting[..2] {
        assert!(outcome.wait_blocking().is_ok());
    }
    let full = Err(Code::PEER_E_DISK_FULL);
    board.event(Event::Published { id: other, result: full }, &mut fx);
    let refused = waiting[2].wait_blocking().unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_DISK_FULL);

    board.await_object(other, Arc::clone(&waiting[3]));
    board.abandon(&mut fx);
    assert!(matches!(waiting[3].wait_blocking(), Err(AdminError::Closed(_))));
    let before = fx.wakes.len();
    board.event(Event::Published { id: other, result: Ok(()) }, &mut fx);
    assert_eq!(fx.wakes.len(), before, "nobody waits any longer");
}

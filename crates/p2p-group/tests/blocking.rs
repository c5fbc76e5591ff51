//! A program without tokio: everything that is not `async`, on threads of its own.

mod common;

use std::sync::mpsc;
use std::time::Instant;

use common::*;
use p2p_group::{
    Connecting, ConnectionChange, EventKind, Filter, Group, GroupEvent, InviteOptions, Subscription,
};

/// Waits for events as a program without tokio does: by the callback.
struct Ready {
    events: Subscription,
    told: mpsc::Receiver<()>,
}

impl Ready {
    fn new(group: &Group) -> Ready {
        let kinds =
            [EventKind::Status, EventKind::Direct, EventKind::Data, EventKind::ConnectionFailed];
        let events = group.subscribe(Filter::of(kinds)).unwrap();
        let (tell, told) = mpsc::channel();
        events.on_ready(move || tell.send(()).unwrap_or_default());
        Ready { events, told }
    }

    fn next(&self) -> GroupEvent {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.events.try_recv() {
                return event;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.told.recv_timeout(left).expect("it must come in time");
        }
    }
}

#[test]
fn two_peers_meet_and_part_without_a_runtime() {
    let (ann, bob) = (node("Ann"), node("Bob"));
    let anns = Group::create(&ann, "Friends").unwrap();
    let at_ann = Ready::new(&anns);
    assert_eq!(anns.connect().unwrap(), Connecting::Started);
    assert!(matches!(at_ann.next(), GroupEvent::Status(status) if status.listening));
    assert_eq!(anns.connect().unwrap(), Connecting::AlreadyConnected);

    let invitation = anns.invite(&bob.identity().info(), InviteOptions::default()).unwrap();
    let bobs = Group::join(&bob, &invitation).unwrap();
    let at_bob = Ready::new(&bobs);
    bobs.connect().unwrap();
    assert!(matches!(at_bob.next(), GroupEvent::Status(status) if status.connected));
    assert!(matches!(at_ann.next(), GroupEvent::Status(status) if status.connected));

    let id = bobs.open_direct(ann.identity().key(), ann.listening()[0]).unwrap();
    assert!(matches!(at_bob.next(), GroupEvent::Direct(event) if event.id == id));
    assert!(
        matches!(at_ann.next(), GroupEvent::Direct(event) if event.change == ConnectionChange::Connected)
    );
    bobs.send(id, TEXT, "hello").unwrap();
    assert!(matches!(at_ann.next(), GroupEvent::Data(message) if message.bytes == "hello"));
    bobs.close_blocking().unwrap();
    // The end of the connection and the loss of the neighbour come in either order.
    let mut ends = [at_ann.next().kind(), at_ann.next().kind()];
    ends.sort();
    assert_eq!(ends, [EventKind::Status, EventKind::Direct]);
    ann.shutdown_blocking();
    assert!(anns.status().is_err());
    assert!(Group::create(&ann, "Late").is_err());
}

#[test]
fn sixty_four_threads_close_one_connection_and_one_succeeds() {
    let (ann, bob) = (node("Ann"), node("Bob"));
    let anns = Group::create(&ann, "Friends").unwrap();
    let at_ann = Ready::new(&anns);
    anns.connect().unwrap();
    at_ann.next();
    let bobs =
        Group::join(&bob, &anns.invite(&bob.identity().info(), InviteOptions::default()).unwrap())
            .unwrap();
    let at_bob = Ready::new(&bobs);
    bobs.connect().unwrap();
    assert!(matches!(at_bob.next(), GroupEvent::Status(_)));
    let id = bobs.open_direct(ann.identity().key(), ann.listening()[0]).unwrap();
    assert!(
        matches!(at_bob.next(), GroupEvent::Direct(event) if event.change == ConnectionChange::Connected)
    );
    let closed: usize = std::thread::scope(|scope| {
        let close = || usize::from(bobs.close_direct(id).is_ok());
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(close)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(closed, 1);
    assert!(
        matches!(at_bob.next(), GroupEvent::Direct(event) if event.change == ConnectionChange::Disconnected)
    );
    assert!(at_bob.events.try_recv().is_none());
}

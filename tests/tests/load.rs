//! Many at once: threads, connections, peers. Each test says which promise of direct connections it checks; none asserts
//! a time.
//!
//! Limits are raised where the test is about something else: all peers share one address here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Barrier};

use p2p_core::Roles;
use p2p_crypto::{Invitation, IssueRequest};
use p2p_group::{
    Code, ConnectionChange, ConnectionId, ConnectionKind, Group, GroupEvent, Limits, MemberFilter,
};
use p2p_tests::forge::stranger;
use p2p_tests::world::{close, send};
use p2p_tests::{End, Remote, Watch, node, node_with, start, still_alive, within};
use tokio::task::JoinSet;

const NOT_FOUND: Code = Code::PEER_E_CONNECTION_NOT_FOUND;
const PEER: &str = env!("CARGO_BIN_EXE_p2p-tests-peer");

/// One `S_OK` per id, however many close it, and whoever is first: the other end closes it at the same time. Both ends hear
/// once that it is over, and that nothing went wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_threads_that_close_one_id_one_succeeds() {
    const ROUNDS: usize = 8;
    let ann = End::creator(node("Ann")).await;
    let mut bob = Remote::start(PEER, "Bob").await;
    bob.join(&ann.invite_info(&bob.info)).await;
    bob.online().await;
    let (at_ann, to_bob) = (ann.watch(), bob.address().await);
    for _ in 0..ROUNDS {
        let here = ann.group.open_direct(bob.key(), to_bob).unwrap();
        at_ann.connected(here).await;
        let there = bob.connected().await;
        let start = Arc::new(Barrier::new(65));
        let threads: Vec<_> = (0..64)
            .map(|_| {
                let (group, start) = (ann.group.clone(), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    close(&group, here)
                })
            })
            .collect();
        bob.say(&["close", &there.0.to_string()]).await;
        start.wait();
        let codes: Vec<Code> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let count = |code| codes.iter().filter(|found| **found == code).count();
        assert_eq!((count(Code::S_OK), count(NOT_FOUND)), (1, 63));
        assert_eq!(
            bob.hear().await,
            Ok(vec![String::new()]),
            "it could be seen there, so it could be closed"
        );
        at_ann.disconnected(here, Code::S_OK).await;
        bob.disconnected(there, Code::S_OK).await;
        assert_eq!(bob.close(there).await, NOT_FOUND.to_string());
    }
    assert!(ann.directs().is_empty());
    bob.quit().await;
}

/// A number below `sides`, from one fixed sequence.
fn dice(state: &mut u64, sides: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 16).unwrap() % sides
}

/// One of many: where it was opened, its id there and its id at the other end.
#[derive(Clone, Copy, Debug)]
struct Line {
    peer: usize,
    at_ann: ConnectionId,
    at_peer: ConnectionId,
}

/// Ann, and peers that are all connected with her.
struct Star {
    ann: End,
    at_ann: Watch,
    peers: Vec<(End, Watch)>,
}

impl Star {
    async fn new(peers: usize, limits: &Limits) -> Star {
        let ann = End::creator(node_with("Ann", limits.clone())).await;
        let mut found = Vec::new();
        for n in 0..peers {
            let peer = ann.member(node_with(&format!("Peer {n}"), limits.clone())).await;
            let watch = peer.watch();
            found.push((peer, watch));
        }
        Star { at_ann: ann.watch(), ann, peers: found }
    }

    /// Which peer has the connection with this number, and whether Ann opens it.
    fn place(&self, n: usize) -> (usize, bool) {
        let (round, peer) = (n / self.peers.len(), n % self.peers.len());
        (peer, round.is_multiple_of(2))
    }

    /// Opens `count` connections, by turns with each peer and from each side. Whoever opened one sends its number, by which
    /// the other end knows which it is.
    async fn open(&self, count: usize) -> Vec<Line> {
        let open = |n| match self.place(n) {
            (peer, true) => self.ann.open(&self.peers[peer].0),
            (peer, false) => self.peers[peer].0.open(&self.ann),
        };
        let opened: Vec<ConnectionId> = (0..count).map(open).collect();
        let numbers_of = |wanted: usize| (0..count).filter(move |n| self.place(*n).0 == wanted);
        // Every end of every connection stands, once.
        let at_ann = ends(&self.at_ann, count, ConnectionChange::Connected).await;
        let mut at_peers = Vec::new();
        for (peer, (_, watch)) in self.peers.iter().enumerate() {
            let own = numbers_of(peer).count();
            at_peers.push(ends(watch, own, ConnectionChange::Connected).await);
        }
        for (n, id) in opened.iter().enumerate() {
            let from = match self.place(n) {
                (_, true) => &self.ann,
                (peer, false) => &self.peers[peer].0,
            };
            assert_eq!(send(&from.group, *id, n.to_string()), Code::S_OK);
        }
        let mut lines = BTreeMap::new();
        let by_peers = (0..count).filter(|n| !self.place(*n).1).count();
        for (n, at_ann) in heard(&self.at_ann, by_peers).await {
            let (peer, by_ann) = self.place(n);
            assert!(!by_ann);
            lines.insert(n, Line { peer, at_ann, at_peer: opened[n] });
        }
        for (peer, (_, watch)) in self.peers.iter().enumerate() {
            let by_ann = numbers_of(peer).filter(|n| self.place(*n).1).count();
            for (n, at_peer) in heard(watch, by_ann).await {
                assert_eq!(self.place(n), (peer, true));
                lines.insert(n, Line { peer, at_ann: opened[n], at_peer });
            }
        }
        // The ids that were heard from are those that stand.
        assert_eq!(at_ann, lines.values().map(|line| line.at_ann).collect());
        for (peer, standing) in at_peers.into_iter().enumerate() {
            let own = lines.values().filter(|line| line.peer == peer);
            assert_eq!(standing, own.map(|line| line.at_peer).collect());
        }
        lines.into_values().collect()
    }
}

/// The next `count` events, which are messages: the number in each, and its connection.
async fn heard(watch: &Watch, count: usize) -> BTreeMap<usize, ConnectionId> {
    let mut found = BTreeMap::new();
    for _ in 0..count {
        let message = watch.message().await;
        assert_eq!(found.insert(number(&message.bytes), message.id), None, "once each");
    }
    found
}

fn number(text: &[u8]) -> usize {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// The ids of the next `count` events, which are all this change, with `S_OK`, and each of another connection.
async fn ends(watch: &Watch, count: usize, change: ConnectionChange) -> BTreeSet<ConnectionId> {
    let mut ids = BTreeSet::new();
    for _ in 0..count {
        let event = watch.direct().await;
        assert_eq!((event.change, event.cause.code()), (change, Code::S_OK), "{event:?}");
        assert!(ids.insert(event.id), "twice: {event:?}");
    }
    ids
}

/// Every open has one outcome and every end of it one end; what is listed is what can be closed; one `S_OK` per id. With a
/// thousand at once, all within the limits of 64 for each peer and 1,024 for the group, and closed from either end in no
/// order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_are_closed_in_any_order() {
    const COUNT: usize = 1_000;
    let limits = Limits { neighbours: 32, ..Limits::default() };
    let star = Star::new(16, &limits).await;
    let mut lines = star.open(COUNT).await;
    assert_eq!(lines.len(), COUNT);
    assert_eq!(star.ann.directs().len(), COUNT);
    let mut state = 0x1234_5678_9abc_def1;
    for last in (1..COUNT).rev() {
        lines.swap(last, dice(&mut state, last + 1));
    }
    for line in &lines {
        let (peer, _) = &star.peers[line.peer];
        let (end, id) = match dice(&mut state, 2) {
            0 => (&star.ann, line.at_ann),
            _ => (peer, line.at_peer),
        };
        assert_eq!((end.close(id), end.close(id)), (Code::S_OK, NOT_FOUND), "{line:?}");
        assert!(!end.directs().contains(&id));
    }
    let closed = ends(&star.at_ann, COUNT, ConnectionChange::Disconnected).await;
    assert_eq!(closed, lines.iter().map(|line| line.at_ann).collect());
    for (at, (peer, watch)) in star.peers.iter().enumerate() {
        let own: BTreeSet<_> =
            lines.iter().filter(|line| line.peer == at).map(|line| line.at_peer).collect();
        assert_eq!(ends(watch, own.len(), ConnectionChange::Disconnected).await, own);
        assert!(peer.directs().is_empty());
    }
    assert!(star.ann.directs().is_empty());
    // Nothing has been left over.
    for (peer, watch) in &star.peers {
        still_alive(&star.ann, &star.at_ann, peer, watch).await;
    }
}

/// The same promises with many peers instead of many connections: each has one connection, is heard, is answered, and loses
/// nothing when half of the others leave.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_has_five_hundred_peers() {
    const PEERS: usize = 500;
    /// So many come at a time.
    const AT_ONCE: usize = 20;
    let limits = Limits { neighbours: PEERS + 1, checks: 10_000, ..Limits::default() };
    let keys = stranger("Ann");
    let ann = End::creator(start(keys.clone().into(), limits)).await;
    let chain = ann.group.own().chain.clone();
    let hints = [(ann.key(), vec![ann.address()])];
    let mut coming = JoinSet::new();
    let mut peers: Vec<End> = Vec::new();
    for n in 0..PEERS {
        // One neighbour is enough for them: that is Ann, who is all that they know.
        let node = node_with(&format!("Peer {n}"), Limits { neighbours: 1, ..Limits::default() });
        let subject = &node.identity().info();
        let (roles, now) = (Roles::MEMBER, p2p_group::now());
        let request = IssueRequest { subject, roles, expires: None, hints: &hints, now };
        let invitation = Invitation::issue(&keys, &chain, &request).unwrap();
        coming.spawn(async move {
            let group = Group::join(&node, &invitation).unwrap();
            within(group.connect_and_wait()).await.expect("Ann is there");
            End { node, group }
        });
        if coming.len() == AT_ONCE {
            peers.push(within(coming.join_next()).await.unwrap().unwrap());
        }
    }
    while let Some(peer) = within(coming.join_next()).await {
        peers.push(peer.unwrap());
    }
    let neighbours = || ann.group.connections(ConnectionKind::Neighbour).unwrap().len();
    assert_eq!(neighbours(), PEERS);
    assert_eq!(ann.group.members(&MemberFilter::default()).unwrap().len(), PEERS + 1);

    // Everybody speaks with Ann at once.
    let at_ann = ann.watch();
    let watches: Vec<Watch> = peers.iter().map(End::watch).collect();
    let ids: Vec<ConnectionId> = peers.iter().map(|peer| peer.open(&ann)).collect();
    for (watch, id) in watches.iter().zip(&ids) {
        watch.connected(*id).await;
    }
    for (n, (peer, id)) in peers.iter().zip(&ids).enumerate() {
        assert_eq!(send(&peer.group, *id, n.to_string()), Code::S_OK);
    }
    let mut connected = BTreeSet::new();
    let mut heard = BTreeMap::new();
    while heard.len() < PEERS {
        match at_ann.next().await {
            GroupEvent::Direct(event) => {
                assert_eq!(event.change, ConnectionChange::Connected, "{event:?}");
                assert!(connected.insert(event.id), "{event:?}");
            }
            GroupEvent::Data(message) => {
                assert!(connected.contains(&message.id), "first it stands, then it speaks");
                let n = number(&message.bytes);
                assert_eq!(message.peer.key(), peers[n].key(), "who speaks is who it is");
                assert_eq!(heard.insert(n, message.id), None);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((connected.len(), ann.directs().len()), (PEERS, PEERS));
    for (n, id) in &heard {
        assert_eq!(send(&ann.group, *id, format!("to {n}")), Code::S_OK);
    }
    for (n, (watch, id)) in watches.iter().zip(&ids).enumerate() {
        watch.text(*id, &format!("to {n}")).await;
    }

    // Half of them go. Their connections end at Ann's, and no others.
    let mut state = 0x9876_5432_10fe_dcb1;
    let mut staying: Vec<usize> = (0..PEERS).collect();
    let mut going = JoinSet::new();
    let mut gone = BTreeSet::new();
    while staying.len() > PEERS / 2 {
        let n = staying.swap_remove(dice(&mut state, staying.len()));
        gone.insert(heard[&n]);
        let node = peers[n].node.clone();
        going.spawn(async move { node.shutdown().await });
    }
    assert_eq!(ends(&at_ann, PEERS / 2, ConnectionChange::Disconnected).await, gone);
    while let Some(done) = within(going.join_next()).await {
        done.unwrap();
    }
    let left: BTreeSet<ConnectionId> = ann.directs().into_iter().collect();
    assert_eq!(left, staying.iter().map(|n| heard[n]).collect());
    // The others are there as before, until Ann closes what she has with them.
    for n in &staying {
        assert_eq!(send(&ann.group, heard[n], "still here"), Code::S_OK);
    }
    for n in &staying {
        watches[*n].text(ids[*n], "still here").await;
        let id = heard[n];
        assert_eq!((ann.close(id), ann.close(id)), (Code::S_OK, NOT_FOUND));
    }
    assert_eq!(ends(&at_ann, PEERS / 2, ConnectionChange::Disconnected).await, left);
    for n in &staying {
        watches[*n].disconnected(ids[*n], Code::S_OK).await;
    }
    assert!(ann.directs().is_empty());
    assert_eq!(neighbours(), PEERS / 2);
}

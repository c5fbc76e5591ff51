//! What breaks outside of the program: a process that is killed, one that is stopped, a network that loses packets, stands
//! still, or gives somebody another address, a peer that does not read. Real processes, real sockets, and a relay of
//! ours between them. Each test says which promise of direct connections it checks; none asserts a time.
#![cfg(unix)]

use std::collections::BTreeSet;

use p2p_group::{Code, ConnectionChange, ConnectionId, GroupEvent, Limits};
use p2p_tests::forge::Forge;
use p2p_tests::world::send;
use p2p_tests::{End, Relay, Remote, TEXT, Watch, Weather, within};

const FAILED: Code = Code::PEER_E_CONNECTION_FAILED;
const NOT_FOUND: Code = Code::PEER_E_CONNECTION_NOT_FOUND;
const PEER: &str = env!("CARGO_BIN_EXE_p2p-tests-peer");
const SECOND: u64 = p2p_core::SECOND;

/// Ann, here, who listens and has a queue; her keys.
struct Ann {
    forge: Forge,
    end: End,
    at: Watch,
    _home: tempfile::TempDir,
}

impl Ann {
    async fn new(limits: Limits) -> Ann {
        let home = tempfile::tempdir().unwrap();
        let forge = Forge::new(home.path());
        let end = forge.open(limits).await;
        Ann { forge, at: end.watch(), end, _home: home }
    }

    /// Somebody in a process of its own.
    async fn meet(&self, name: &str) -> Remote {
        let mut peer = Remote::start(PEER, name).await;
        peer.join(&self.end.invite_info(&peer.info)).await;
        peer.online().await;
        peer
    }

    /// The same, and all that is said between the two goes through a relay.
    async fn meet_through(&self, relay: &Relay, name: &str) -> Remote {
        let mut peer = Remote::start(PEER, name).await;
        peer.join(&self.forge.invite_by(&peer.info, relay.address())).await;
        // As often as a user would: what is lost in a handshake may cost it its time.
        let mut attempts = 1;
        while peer.ask(&["connect"]).await.is_err() {
            attempts += 1;
            assert!(attempts <= 5, "no way through");
        }
        peer.get(&["watch"]).await;
        peer
    }

    /// A direct connection that the peer opens. Its id here and there.
    async fn called(&self, peer: &mut Remote) -> (ConnectionId, ConnectionId) {
        let address = self.end.address().to_string();
        peer.get(&["direct", self.end.name().as_str(), &address]).await;
        (self.at.any_connected().await, peer.connected().await)
    }

    /// A direct connection that Ann opens. Its id here and there.
    async fn calling(&self, peer: &mut Remote) -> (ConnectionId, ConnectionId) {
        let here = self.end.group.open_direct(peer.key(), peer.address().await).unwrap();
        self.at.connected(here).await;
        (here, peer.connected().await)
    }

    /// Each of the two says something and hears it; `n` tells it from other times.
    async fn talk(&self, peer: &mut Remote, (here, there): (ConnectionId, ConnectionId), n: usize) {
        assert_eq!(send(&self.end.group, here, format!("{n} there")), Code::S_OK);
        peer.text(there, &format!("{n} there")).await;
        peer.get(&["send", &there.0.to_string(), &format!("{n} back")]).await;
        self.at.text(here, &format!("{n} back")).await;
    }

    /// The next event, which may take as long as QUIC needs to give up a link: 30 s without a word, nearly as long as a
    /// test waits for other events. Which connection has failed.
    async fn lost(&self) -> ConnectionId {
        let event = tokio::time::timeout(2 * p2p_tests::PATIENCE, self.at.0.recv());
        match event.await.expect("it must come in time").expect("the group is open") {
            GroupEvent::Direct(event) => {
                let seen = (event.change, event.cause.code());
                assert_eq!(seen, (ConnectionChange::Disconnected, FAILED), "{event:?}");
                event.id
            }
            other => panic!("{other:?}"),
        }
    }

    /// Everything goes on as if nothing had happened, and nothing is left over.
    async fn goes_on(&self, peer: &mut Remote) {
        let ids = self.called(peer).await;
        self.talk(peer, ids, 0).await;
        assert_eq!(self.end.close(ids.0), Code::S_OK);
        self.at.disconnected(ids.0, Code::S_OK).await;
        peer.disconnected(ids.1, Code::S_OK).await;
        assert!(self.end.directs().is_empty());
        assert!(peer.get(&["connections"]).await.concat().is_empty());
    }
}

/// The peer's next event: which connection has failed.
async fn lost_there(peer: &mut Remote) -> ConnectionId {
    let event = peer.get(&["next"]).await;
    assert_eq!((&*event[1], &*event[3]), ("Disconnected", &*FAILED.to_string()), "{event:?}");
    ConnectionId(event[2].parse().unwrap())
}

/// Each connection ends exactly once, with a failure that is named; it can be closed until its end was taken, once; what was
/// received is a beginning of what was sent; nobody else's connection minds; and who comes back is welcome.
#[tokio::test]
async fn a_peer_is_killed() {
    let ann = Ann::new(Limits::default()).await;
    let home = tempfile::tempdir().unwrap();
    let mut bob = Remote::start_in(PEER, home.path(), Some("Bob")).await;
    bob.join(&ann.end.invite_info(&bob.info)).await;
    bob.online().await;
    let mut cora = ann.meet("Cora").await;
    let with_cora = ann.called(&mut cora).await;
    let mut with_bob = Vec::new();
    for n in 0..10 {
        let ids = if n % 2 == 0 { ann.called(&mut bob).await } else { ann.calling(&mut bob).await };
        with_bob.push(ids);
    }
    // He is in the middle of a thousand messages.
    bob.say(&["count", &with_bob[0].1.0.to_string(), "100000"]).await;
    ann.at.text(with_bob[0].0, "0").await;
    ann.at.text(with_bob[0].0, "1").await;
    bob.kill().await;
    // Three of them are closed before anybody here knows that he is gone.
    for (here, _) in &with_bob[7..] {
        assert_eq!((ann.end.close(*here), ann.end.close(*here)), (Code::S_OK, NOT_FOUND));
    }
    // He comes back as himself: that ends what was left of the time before.
    let mut bob = Remote::start_in(PEER, home.path(), None).await;
    bob.get(&["open", ann.end.group.name().as_str()]).await;
    bob.online().await;
    let (mut ended, mut next) = (BTreeSet::new(), 2);
    while ended.len() < 10 {
        match ann.at.next().await {
            GroupEvent::Data(message) => {
                assert_eq!(
                    (message.id, &*message.bytes),
                    (with_bob[0].0, next.to_string().as_bytes())
                );
                assert!(!ended.contains(&message.id), "nothing comes after the end");
                next += 1;
            }
            GroupEvent::Direct(event) => {
                assert_eq!(event.change, ConnectionChange::Disconnected, "{event:?}");
                assert_eq!(event.cause.code(), FAILED, "{event:?}");
                assert!(ended.insert(event.id), "twice: {event:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(with_bob.iter().all(|(here, _)| ended.contains(here)));
    assert!(next < 100_000, "he was killed in the middle");
    assert!(with_bob.iter().all(|(here, _)| ann.end.close(*here) == NOT_FOUND));
    assert_eq!(ann.end.directs(), [with_cora.0]);
    ann.talk(&mut cora, with_cora, 1).await;
    assert_eq!(cora.close(with_cora.1).await, Code::S_OK.to_string());
    cora.disconnected(with_cora.1, Code::S_OK).await;
    ann.at.disconnected(with_cora.0, Code::S_OK).await;
    ann.goes_on(&mut bob).await;
    ann.goes_on(&mut cora).await;
    bob.quit().await;
    cora.quit().await;
}

/// Close is counted: all that was accepted for sending is delivered before the close, also when the peer stands still in
/// between. Calls return meanwhile, and others are served.
#[tokio::test]
async fn a_peer_stands_still_for_a_moment() {
    let ann = Ann::new(Limits { direct_linger: 25 * SECOND, ..Limits::default() }).await;
    let mut bob = ann.meet("Bob").await;
    let mut cora = ann.meet("Cora").await;
    let (here, there) = ann.calling(&mut bob).await;
    bob.pause();
    for n in 0..500 {
        assert_eq!(send(&ann.end.group, here, n.to_string()), Code::S_OK);
    }
    assert_eq!((ann.end.close(here), ann.end.close(here)), (Code::S_OK, NOT_FOUND));
    assert!(ann.end.directs().is_empty());
    ann.goes_on(&mut cora).await;
    bob.resume();
    for n in 0..500 {
        bob.text(there, &n.to_string()).await;
    }
    bob.disconnected(there, Code::S_OK).await;
    ann.at.disconnected(here, Code::S_OK).await;
    ann.goes_on(&mut bob).await;
    bob.quit().await;
    cora.quit().await;
}

/// Lingering is bounded: a close whose peer stands still ends as failed when its time is up, and the peer learns of it when
/// it goes on. Both hear it once.
#[tokio::test]
async fn a_peer_stands_still_while_it_is_closed() {
    let ann = Ann::new(Limits { direct_linger: SECOND, ..Limits::default() }).await;
    let mut bob = ann.meet("Bob").await;
    let closed = ann.calling(&mut bob).await;
    let kept = ann.called(&mut bob).await;
    bob.pause();
    assert_eq!(ann.end.close(closed.0), Code::S_OK);
    ann.at.disconnected(closed.0, FAILED).await;
    assert_eq!(ann.end.close(closed.0), NOT_FOUND);
    assert_eq!(ann.end.directs(), [kept.0], "the link stands, and so does the other one");
    bob.resume();
    // What was said in time counts, or that the time was up: he knows only what has reached him.
    let event = bob.get(&["next"]).await;
    assert_eq!(event[..3], ["direct", "Disconnected", &closed.1.0.to_string()]);
    assert!([Code::S_OK, FAILED].map(|code| code.to_string()).contains(&event[3]), "{event:?}");
    ann.talk(&mut bob, kept, 1).await;
    assert_eq!(bob.close(kept.1).await, Code::S_OK.to_string());
    bob.disconnected(kept.1, Code::S_OK).await;
    ann.at.disconnected(kept.0, Code::S_OK).await;
    ann.goes_on(&mut bob).await;
    bob.quit().await;
}

/// No end is missed: a peer that stands still for so long that its link is given up hears of it when it goes on, as the
/// other did, each once for each connection; and what is opened then is new.
#[tokio::test]
async fn a_peer_stands_still_for_too_long() {
    let ann = Ann::new(Limits::default()).await;
    let mut bob = ann.meet("Bob").await;
    let first = ann.calling(&mut bob).await;
    let second = ann.called(&mut bob).await;
    bob.pause();
    let ended = [ann.lost().await, ann.lost().await];
    assert_eq!(BTreeSet::from(ended), [first.0, second.0].into());
    assert!(ann.end.directs().is_empty());
    bob.resume();
    let theirs = [lost_there(&mut bob).await, lost_there(&mut bob).await];
    assert_eq!(BTreeSet::from(theirs), [first.1, second.1].into());
    ann.goes_on(&mut bob).await;
    bob.quit().await;
}

/// Every promise holds in a network that loses one packet in ten, doubles and reorders others, and takes 200 ms there and
/// back: a session comes about, messages arrive whole, once, and in order, in both directions; closes are orderly, also
/// when they cross, and everything accepted before them has arrived.
#[tokio::test]
async fn a_network_loses_delays_reorders_and_doubles() {
    let ann = Ann::new(Limits { direct_linger: 30 * SECOND, ..Limits::default() }).await;
    let relay = Relay::before(ann.end.address(), Weather::STORM).await;
    let mut bob = ann.meet_through(&relay, "Bob").await;
    let ids = ann.called(&mut bob).await;
    let other = ann.calling(&mut bob).await;
    // Both ways at once, on two connections, small messages and a long one.
    bob.say(&["count", &ids.1.0.to_string(), "300"]).await;
    for n in 0..300 {
        ann.end.group.send_wait(other.0, TEXT, n.to_string()).await.unwrap();
    }
    let long = "a long message of many packets ".repeat(2_000);
    ann.end.group.send_wait(other.0, TEXT, long.clone()).await.unwrap();
    for n in 0..300 {
        ann.at.text(ids.0, &n.to_string()).await;
    }
    assert_eq!(bob.hear().await, Ok(vec![String::new()]), "all were accepted");
    for n in 0..300 {
        bob.text(other.1, &n.to_string()).await;
    }
    bob.text(other.1, &long).await;
    // A close behind a hundred messages.
    for n in 0..100 {
        assert_eq!(send(&ann.end.group, ids.0, n.to_string()), Code::S_OK);
    }
    assert_eq!((ann.end.close(ids.0), ann.end.close(ids.0)), (Code::S_OK, NOT_FOUND));
    for n in 0..100 {
        bob.text(ids.1, &n.to_string()).await;
    }
    bob.disconnected(ids.1, Code::S_OK).await;
    ann.at.disconnected(ids.0, Code::S_OK).await;
    // Closes that cross.
    bob.say(&["close", &other.1.0.to_string()]).await;
    assert_eq!(ann.end.close(other.0), Code::S_OK);
    assert_eq!(bob.hear().await, Ok(vec![String::new()]));
    ann.at.disconnected(other.0, Code::S_OK).await;
    bob.disconnected(other.1, Code::S_OK).await;
    // Ten more, opened and closed.
    for n in 0..10 {
        let ids = if n % 2 == 0 { ann.called(&mut bob).await } else { ann.calling(&mut bob).await };
        ann.talk(&mut bob, ids, n).await;
        let by_ann = n % 3 == 0;
        let code = if by_ann { ann.end.close(ids.0).to_string() } else { bob.close(ids.1).await };
        assert_eq!(code, Code::S_OK.to_string());
        ann.at.disconnected(ids.0, Code::S_OK).await;
        bob.disconnected(ids.1, Code::S_OK).await;
    }
    ann.goes_on(&mut bob).await;
    let tally = relay.tally();
    assert!(tally.lost > 20 && tally.doubled > 2 && tally.overtaken > 2, "{tally:?}");
    bob.quit().await;
}

/// A connection is not lost for a while without any network: what was sent meanwhile arrives, and the close behind it is
/// orderly.
#[tokio::test]
async fn a_network_stands_still() {
    let ann = Ann::new(Limits { direct_linger: 30 * SECOND, ..Limits::default() }).await;
    let relay = Relay::before(ann.end.address(), Weather::default()).await;
    let mut bob = ann.meet_through(&relay, "Bob").await;
    let ids = ann.called(&mut bob).await;
    let other = ann.calling(&mut bob).await;
    ann.talk(&mut bob, ids, 1).await;
    relay.weather(Weather::OUTAGE);
    let before = relay.tally();
    for n in 0..200 {
        assert_eq!(send(&ann.end.group, ids.0, n.to_string()), Code::S_OK);
    }
    bob.get(&["count", &other.1.0.to_string(), "200"]).await;
    assert_eq!(ann.end.close(ids.0), Code::S_OK);
    // Both have tried, and tried again, ever less often, until half a second lies between two attempts.
    relay.quiet().await;
    let after = relay.tally();
    assert!(after.lost > before.lost + 10, "{after:?}");
    assert_eq!(after.passed, before.passed);
    assert_eq!(ann.at.now(), None);
    relay.weather(Weather::default());
    for n in 0..200 {
        bob.text(ids.1, &n.to_string()).await;
    }
    bob.disconnected(ids.1, Code::S_OK).await;
    let (mut next, mut ended) = (0, false);
    while next < 200 || !ended {
        match ann.at.next().await {
            GroupEvent::Data(message) => {
                assert_eq!((message.id, &*message.bytes), (other.0, next.to_string().as_bytes()));
                next += 1;
            }
            GroupEvent::Direct(event) => {
                assert!(!ended);
                assert_eq!((event.id, event.cause.code()), (ids.0, Code::S_OK), "{event:?}");
                ended = true;
            }
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(bob.close(other.1).await, Code::S_OK.to_string());
    bob.disconnected(other.1, Code::S_OK).await;
    ann.at.disconnected(other.0, Code::S_OK).await;
    ann.goes_on(&mut bob).await;
    bob.quit().await;
}

/// Every connection has an end at both sides, once, also when no word gets through any more; a close does not wait for that
/// longer than it may linger. Who is reached at another address is reached.
#[tokio::test]
async fn a_network_is_gone_for_good() {
    let ann = Ann::new(Limits { direct_linger: SECOND, ..Limits::default() }).await;
    let relay = Relay::before(ann.end.address(), Weather::default()).await;
    let mut bob = ann.meet_through(&relay, "Bob").await;
    let closed = ann.called(&mut bob).await;
    let lost = ann.calling(&mut bob).await;
    ann.talk(&mut bob, lost, 1).await;
    relay.quiet().await;
    relay.weather(Weather::OUTAGE);
    assert_eq!(send(&ann.end.group, lost.0, "into the dark"), Code::S_OK);
    assert_eq!((ann.end.close(closed.0), ann.end.close(closed.0)), (Code::S_OK, NOT_FOUND));
    ann.at.disconnected(closed.0, FAILED).await;
    assert_eq!(ann.end.directs(), [lost.0], "nobody knows yet");
    assert_eq!(ann.lost().await, lost.0);
    let theirs = [lost_there(&mut bob).await, lost_there(&mut bob).await];
    assert_eq!(BTreeSet::from(theirs), [closed.1, lost.1].into());
    // Ann's own address, which is not the relay's.
    ann.goes_on(&mut bob).await;
    bob.quit().await;
}

/// A connection belongs to two keys, not to two addresses: it stands when one of them gets another address, with everything
/// that is under way on it.
#[tokio::test]
async fn a_peer_gets_another_address() {
    let ann = Ann::new(Limits::default()).await;
    let mut relay = Relay::before(ann.end.address(), Weather::default()).await;
    let mut bob = ann.meet_through(&relay, "Bob").await;
    let ids = ann.called(&mut bob).await;
    let other = ann.calling(&mut bob).await;
    let mut seen = vec![relay.client_as_seen()];
    for n in 0..4 {
        relay.move_client().await;
        assert!(!seen.contains(&relay.client_as_seen()));
        seen.push(relay.client_as_seen());
        // Whoever has moved speaks first.
        bob.get(&["send", &ids.1.0.to_string(), &format!("{n} moved")]).await;
        ann.at.text(ids.0, &format!("{n} moved")).await;
        ann.talk(&mut bob, ids, n).await;
        ann.talk(&mut bob, other, n).await;
    }
    // In the middle of many messages both ways; what was under way to the old address is sent again.
    bob.say(&["count", &ids.1.0.to_string(), "3000"]).await;
    let sending = tokio::spawn({
        let group = ann.end.group.clone();
        async move {
            for n in 0..3_000 {
                group.send_wait(other.0, TEXT, n.to_string()).await.unwrap();
            }
        }
    });
    for n in 0..3_000 {
        if n % 1_000 == 500 {
            relay.move_client().await;
        }
        ann.at.text(ids.0, &n.to_string()).await;
    }
    assert_eq!(bob.hear().await, Ok(vec![String::new()]));
    within(sending).await.unwrap();
    for n in 0..3_000 {
        bob.text(other.1, &n.to_string()).await;
    }
    // And in the middle of a close.
    relay.move_client().await;
    assert_eq!(bob.close(ids.1).await, Code::S_OK.to_string());
    bob.disconnected(ids.1, Code::S_OK).await;
    ann.at.disconnected(ids.0, Code::S_OK).await;
    assert_eq!(ann.end.directs(), [other.0]);
    assert_eq!(ann.end.close(other.0), Code::S_OK);
    ann.at.disconnected(other.0, Code::S_OK).await;
    bob.disconnected(other.1, Code::S_OK).await;
    ann.goes_on(&mut bob).await;
    bob.quit().await;
}

/// Whoever has not moved may be the one who speaks: what it says arrives as soon as the other is heard again, which is when
/// the link is kept alive.
#[tokio::test]
async fn a_peer_gets_another_address_and_says_nothing() {
    let ann = Ann::new(Limits { direct_linger: 30 * SECOND, ..Limits::default() }).await;
    let mut relay = Relay::before(ann.end.address(), Weather::default()).await;
    let mut bob = ann.meet_through(&relay, "Bob").await;
    let ids = ann.calling(&mut bob).await;
    ann.talk(&mut bob, ids, 1).await;
    relay.quiet().await;
    relay.move_client().await;
    assert_eq!(send(&ann.end.group, ids.0, "where are you?"), Code::S_OK);
    assert_eq!(ann.end.close(ids.0), Code::S_OK);
    bob.text(ids.1, "where are you?").await;
    bob.disconnected(ids.1, Code::S_OK).await;
    ann.at.disconnected(ids.0, Code::S_OK).await;
    ann.goes_on(&mut bob).await;
    bob.quit().await;
}

/// Send never blocks and queues nothing that it refuses; a peer that does not read costs its sender a full queue, and nobody
/// else anything, on the same link or on another; when it reads again all that was accepted is there, in order.
#[tokio::test]
async fn a_peer_stops_reading() {
    let ann = Ann::new(Limits { direct_linger: 30 * SECOND, ..Limits::default() }).await;
    let mut bob = ann.meet("Bob").await;
    let mut cora = ann.meet("Cora").await;
    let silent = ann.calling(&mut bob).await;
    // His queue is in one order, so nothing of his other connection can be seen before this one's messages are taken; what
    // he says on it can.
    let other = ann.called(&mut bob).await;
    let block = |n: usize| format!("{n} {}", "x".repeat(64 << 10));
    let mut accepted = 0;
    let mut refused = 0;
    // Full, and full again after he was given time to take what he would.
    while refused < 20 {
        match ann.end.group.send(silent.0, TEXT, block(accepted)) {
            Ok(()) => accepted += 1,
            Err(error) => {
                assert_eq!(error.code(), Code::E_OUTOFMEMORY);
                refused += 1;
                bob.get(&["send", &other.1.0.to_string(), "still here"]).await;
                ann.at.text(other.0, "still here").await;
            }
        }
        if accepted % 100 == 0 {
            ann.goes_on_beside(&mut cora, 2).await;
        }
    }
    // At least what fits into one queue of 8 MiB; and far less than without end.
    assert!((120..1_000).contains(&accepted), "{accepted} blocks of 64 KiB");
    assert_eq!(ann.end.close(silent.0), Code::S_OK);
    ann.goes_on_beside(&mut cora, 1).await;
    for n in 0..accepted {
        bob.text(silent.1, &block(n)).await;
    }
    bob.disconnected(silent.1, Code::S_OK).await;
    ann.at.disconnected(silent.0, Code::S_OK).await;
    assert_eq!(bob.close(other.1).await, Code::S_OK.to_string());
    bob.disconnected(other.1, Code::S_OK).await;
    ann.at.disconnected(other.0, Code::S_OK).await;
    ann.goes_on(&mut bob).await;
    bob.quit().await;
    cora.quit().await;
}

impl Ann {
    /// As [`goes_on`](Ann::goes_on), while `others` connections stand with somebody else.
    async fn goes_on_beside(&self, peer: &mut Remote, others: usize) {
        let ids = self.called(peer).await;
        self.talk(peer, ids, 0).await;
        assert_eq!(self.end.close(ids.0), Code::S_OK);
        self.at.disconnected(ids.0, Code::S_OK).await;
        peer.disconnected(ids.1, Code::S_OK).await;
        assert_eq!(self.end.directs().len(), others);
    }
}

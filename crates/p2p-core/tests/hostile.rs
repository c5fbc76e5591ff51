//! One node, and a peer that says what it likes, byte by byte.

mod world;

use bytes::Bytes;
use p2p_core::{
    Address, Authority, Cause, Code, Config, ConnectionChange, Event, GroupKey, GroupSnapshot,
    Input, KeyId, Limits, LinkId, Node, Now, Output, SECOND, StreamId, Taken, Tick, close, reset,
};
use proptest::prelude::*;
use world::raw::*;
use world::{Fake, GENESIS, MS, Paper, at, key};

/// A node with one group, and the peers' end of every link to it.
struct Target {
    node: Node<Fake>,
    group: GroupKey,
    tick: u64,
    credit: std::collections::BTreeMap<(LinkId, StreamId), usize>,
    log: Vec<(u64, Output)>,
}

impl Target {
    fn new() -> Target {
        Target::with(Limits::default())
    }

    fn with(limits: Limits) -> Target {
        let own = Paper::new(key(1), key(100));
        let chains = [(key(1), own.chain())].into();
        let fake = Fake { own: own.member, chains, passwords: Default::default() };
        let config = Config { limits, previous: None };
        let now = Now { tick: Tick(0), wall: GENESIS };
        let mut node = Node::new(config, fake, [5; 32], now);
        let snapshot = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
        let group = node.open_group(key(1), own.member(), snapshot, now).unwrap();
        node.connect(group, &[], now).unwrap();
        node.accept_direct(group, true, now).unwrap();
        let log = Vec::new();
        let mut target = Target { node, group, tick: 0, credit: Default::default(), log };
        target.input(Input::Listening { addresses: world::addresses(&[at(0)]) });
        target
    }

    fn now(&self) -> Now {
        Now { tick: Tick(self.tick), wall: p2p_core::FileTime(GENESIS.0 + self.tick * 10) }
    }

    /// Hands something in; what came of it.
    fn input(&mut self, input: Input) -> Vec<Output> {
        self.node.handle(input, self.now());
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        let mut new = Vec::new();
        assert_eq!(self.node.audit(), Ok(()));
        while let Some(output) = self.node.poll() {
            if let Output::Credit { link, stream, bytes } = output {
                *self.credit.entry((link, stream)).or_default() += bytes as usize;
            }
            if let Output::Store { ticket, .. } = output {
                self.node.handle(Input::Stored { ticket, result: Ok(()) }, self.now());
            }
            self.log.push((self.tick, output.clone()));
            new.push(output);
        }
        for (what, received, accounted) in p2p_core::balance(&self.node.stats(), &self.node.load())
        {
            assert_eq!(received, accounted, "{what}");
        }
        new
    }

    /// Lets time pass, timer by timer.
    fn wait(&mut self, micros: u64) -> Vec<Output> {
        let end = self.tick + micros;
        let mut new = Vec::new();
        while let Some((due, _)) = self.node.next_timeout().filter(|(due, _)| due.0 <= end) {
            self.tick = self.tick.max(due.0);
            new.extend(self.input(Input::Timeout));
        }
        self.tick = end;
        new
    }

    fn link(&mut self, n: u64, peer: KeyId, remote: Address) -> LinkId {
        let link = LinkId(n);
        self.input(Input::LinkUp { link, dial: None, peer, binding: binding(n), remote });
        link
    }

    /// Bytes on a stream of the peer's, as far as credit goes, in chunks of `size`.
    fn say_in(&mut self, link: LinkId, stream: u64, bytes: &[u8], size: usize) -> Vec<Output> {
        let stream = StreamId(stream);
        let mut new = Vec::new();
        if !self.credit.contains_key(&(link, stream)) {
            new.extend(self.input(Input::Accepted { link, stream }));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let credit = self.credit.entry((link, stream)).or_default();
            let (chunk, later) = rest.split_at(size.min(*credit).min(rest.len()));
            if chunk.is_empty() {
                break;
            }
            *credit -= chunk.len();
            rest = later;
            let bytes = Bytes::copy_from_slice(chunk);
            new.extend(self.input(Input::Chunk { link, stream, bytes }));
        }
        new
    }

    fn say(&mut self, link: LinkId, stream: u64, bytes: &[u8]) -> Vec<Output> {
        self.say_in(link, stream, bytes, usize::MAX)
    }

    /// The tag that the dialler of a link shows for the group.
    fn tag(&self, link: LinkId, group: u8) -> [u8; 16] {
        let session = self.node.authority().session(&binding(link.0), &key(group));
        self.node.authority().tag(&session, true)
    }

    /// A link on which member `n` has proved itself on stream 1.
    fn member(&mut self, n: u8) -> LinkId {
        let link = self.link(u64::from(n), key(n), at(usize::from(n)));
        let hello = hello(self.tag(link, 1), u64::from(n));
        let chain = Paper::new(key(1), key(n)).chain();
        let answer = self.say(link, 1, &[hello, proof(&chain)].concat());
        assert!(answer.iter().any(|o| matches!(o, Output::Trust { .. })), "{answer:#?}");
        link
    }

    /// A direct connection of that member on `stream`.
    fn direct(&mut self, link: LinkId, stream: u64) -> Vec<Output> {
        let tag = self.tag(link, 1);
        self.say(link, stream, &frame(DC_OPEN, &tag))
    }
}

fn binding(n: u64) -> [u8; 32] {
    world::fake::mix(&[b"binding", &n.to_be_bytes()])
}

fn closes(outputs: &[Output]) -> Vec<u64> {
    let code = |o: &Output| if let Output::CloseLink { code, .. } = o { Some(*code) } else { None };
    outputs.iter().filter_map(code).collect()
}

fn aborts(outputs: &[Output]) -> Vec<u64> {
    let code = |o: &Output| if let Output::Abort { code, .. } = o { Some(*code) } else { None };
    outputs.iter().filter_map(code).collect()
}

fn directs(outputs: &[Output]) -> Vec<(ConnectionChange, Cause)> {
    let seen = |o: &Output| match o {
        Output::Event { event: Event::Direct(c), .. } => Some((c.change, c.cause)),
        _ => None,
    };
    outputs.iter().filter_map(seen).collect()
}

/// Control before direct connections, whichever side opened the stream; and no direct connection before another.
#[test]
fn control_frames_go_before_direct_connections() {
    let mut target = Target::new();
    let link = target.member(2);
    let opened = target.direct(link, 3);
    assert_eq!(directs(&opened), [(ConnectionChange::Connected, Cause::Orderly)]);
    let (group, now) = (target.group, target.now());
    let peer = p2p_core::Expect::Key(key(2));
    target.node.open_direct(group, peer, at(2), now).unwrap();
    // Another member: this time the session is ours.
    let peer = p2p_core::Expect::Key(key(3));
    target.node.open_direct(group, peer, at(3), now).unwrap();
    target.drain();
    let dialled = |o: &Output| if let Output::Dial { dial, .. } = o { Some(*dial) } else { None };
    let dial = target.log.iter().rev().find_map(|(_, o)| dialled(o));
    let (other, remote) = (LinkId(9), at(3));
    target.input(Input::LinkUp { link: other, dial, peer: key(3), binding: binding(9), remote });
    let ranks = target.log.iter().filter_map(|(_, o)| match o {
        Output::Open { link, stream, priority } | Output::Priority { link, stream, priority } => {
            Some((*link, stream.0, *priority))
        }
        _ => None,
    });
    let expected = [(link, 1, 100), (link, 0, 0), (other, 0, 100), (other, 2, 0)];
    assert_eq!(ranks.collect::<Vec<_>>(), expected, "those of peers are 0 until said otherwise");
}

#[test]
fn a_silent_stranger_is_closed_after_ten_seconds() {
    let mut target = Target::new();
    let link = target.link(1, key(1), at(1));
    assert_eq!(target.wait(10 * SECOND - 1), []);
    assert_eq!(target.wait(1), [Output::CloseLink { link, code: close::NO_SESSION }]);
}

#[test]
fn a_proof_that_is_taken_back_looks_the_same_for_every_reason() {
    let me = key(7);
    let good = Paper::new(key(1), me);
    let expired = GENESIS.minus_seconds(3_000);
    let variants: Vec<(&str, u8, Bytes)> = vec![
        ("unknown group", 9, Paper::new(key(9), me).chain()),
        ("another group's chain", 1, Paper::new(key(2), me).chain()),
        ("forged", 1, Paper { genuine: false, ..good.clone() }.chain()),
        ("somebody else's", 1, Paper::new(key(1), key(8)).chain()),
        ("expired", 1, Paper { not_after: expired, ..good.clone() }.chain()),
        ("no chain at all", 1, Bytes::from_static(b"nonsense")),
    ];
    let mut first = None;
    for (name, group, chain) in variants {
        let mut target = Target::new();
        let link = target.link(1, me, at(1));
        let hello = hello(target.tag(link, group), 3);
        target.wait(MS);
        target.say_in(link, 1, &[hello, proof(&chain)].concat(), 7);
        target.input(Input::Finished { link, stream: StreamId(1) });
        target.wait(30 * SECOND);
        let seen: Vec<(u64, Output)> = target
            .log
            .into_iter()
            .filter(|(_, o)| !matches!(o, Output::Event { .. } | Output::Credit { .. }))
            .filter(|(tick, _)| *tick > 0)
            .collect();
        let refusal = seen.iter().find(|(_, o)| matches!(o, Output::Write { .. }));
        assert!(refusal.is_none(), "{name}: FIN took the proof back");
        assert!(first.get_or_insert(seen.clone()) == &seen, "{name}: {seen:#?}");
    }
}

#[test]
fn the_refusal_leaves_25_ms_after_the_last_byte_for_every_reason() {
    let me = key(7);
    let mut first = None;
    for (group, chain) in [
        (9, Paper::new(key(9), me).chain()),
        (1, Paper::new(key(2), me).chain()),
        (1, Paper { genuine: false, ..Paper::new(key(1), me) }.chain()),
        (1, Paper { not_after: GENESIS.minus_seconds(3_000), ..Paper::new(key(1), me) }.chain()),
        (1, Bytes::from_static(b"nonsense")),
    ] {
        let mut target = Target::new();
        let link = target.link(1, me, at(1));
        let hello = hello(target.tag(link, group), 3);
        target.say(link, 1, &hello);
        target.wait(3 * SECOND);
        target.say_in(link, 1, &proof(&chain), 7);
        assert!(directs(&target.drain()).is_empty());
        target.wait(30 * SECOND);
        let seen: Vec<(u64, Output)> = target
            .log
            .into_iter()
            .filter(|(tick, o)| {
                *tick > 0 && !matches!(o, Output::Event { .. } | Output::Credit { .. })
            })
            .collect();
        let written: Vec<u64> =
            seen.iter().filter(|o| matches!(o.1, Output::Write { .. })).map(|o| o.0).collect();
        assert_eq!(written, [3 * SECOND + 25 * MS]);
        assert!(first.get_or_insert(seen.clone()) == &seen, "{seen:#?}");
        assert_eq!(seen.last().unwrap().0, 10 * SECOND, "the link follows: {seen:?}");
    }
}

#[test]
fn half_a_proof_is_no_proof() {
    for known in [1, 9] {
        let mut target = Target::new();
        let link = target.link(1, key(7), at(1));
        let hello = hello(target.tag(link, known), 3);
        let proof = proof(&Paper::new(key(1), key(7)).chain());
        target.say(link, 1, &[&hello[..], &proof[..proof.len() - 1]].concat());
        let outputs = target.wait(10 * SECOND);
        assert_eq!(closes(&outputs), [close::NO_SESSION]);
        assert!(!outputs.iter().any(|o| matches!(o, Output::Write { .. } | Output::Event { .. })));
    }
}

#[test]
fn what_does_not_decode_closes_the_link() {
    let unknown = frame(0x3f, b"");
    let oversize = [varint(DC_OPEN), varint(65)].concat();
    let not_shortest = vec![0x40, 0x01, 0];
    let trailing = frame(DC_OPEN, &[0; 17]);
    let short = frame(DC_OPEN, &[0; 15]);
    for (bytes, code) in [
        (unknown, close::UNSUPPORTED),
        (oversize, close::PROTOCOL),
        (not_shortest, close::PROTOCOL),
        (trailing, close::PROTOCOL),
        (short, close::PROTOCOL),
    ] {
        for size in [1, usize::MAX] {
            let mut target = Target::new();
            let link = target.link(1, key(7), at(1));
            let outputs = target.say_in(link, 1, &bytes, size);
            assert_eq!(closes(&outputs), [code], "{bytes:?}");
            let late =
                Input::Chunk { link, stream: StreamId(1), bytes: Bytes::from(bytes.clone()) };
            assert_eq!(target.input(late), [], "nothing is heard on a closed link");
            assert_eq!(
                target.input(Input::LinkDown { link, cause: p2p_core::DownCause::Local }),
                []
            );
        }
    }
    let mut target = Target::new();
    let link = target.member(7);
    let skipped = frame(0x4001, &[9; 100]);
    assert_eq!(target.say(link, 1, &skipped), [], "types of later versions are skipped");
}

#[test]
fn the_third_violation_within_ten_minutes_closes_the_link() {
    let mut target = Target::new();
    let link = target.member(7);
    for (stream, pause, closed) in [(3, 0, 0), (5, 601, 0), (7, 10, 0), (9, 0, 1)] {
        target.wait(pause * SECOND);
        let outputs = target.say(link, stream, &frame(CONNECT, b""));
        assert_eq!(closes(&outputs).len(), closed);
        assert_eq!(aborts(&outputs), [reset::VIOLATION]);
    }
}

#[test]
fn a_replayed_proof_is_worth_nothing() {
    let mut target = Target::new();
    let link = target.member(7);
    let hello = hello(target.tag(link, 1), 7);
    let recorded = [hello, proof(&Paper::new(key(1), key(7)).chain())].concat();
    let again = target.say(link, 3, &recorded);
    assert_eq!(aborts(&again), [reset::DUPLICATE], "on the same link");
    let other = target.link(50, key(7), at(7));
    target.say(other, 1, &recorded);
    let outputs = target.wait(25 * MS);
    let refused =
        |o: &Output| matches!(o, Output::Write { head, .. } if head.as_slice() == [4, 1, 0]);
    assert!(outputs.iter().any(refused), "on another link its tag means nothing: {outputs:?}");
    let thief = target.link(51, key(8), at(8));
    let fresh = self::hello(target.tag(thief, 1), 8);
    let stolen = [fresh, proof(&Paper::new(key(1), key(7)).chain())].concat();
    target.say(thief, 1, &stolen);
    assert!(target.wait(25 * MS).iter().any(refused), "nor does a chain in another's hands");
}

#[test]
fn strangers_are_few_and_the_oldest_goes_first() {
    let mut target = Target::new();
    let near = |n: u64| Address { port: n as u16 + 1, ..at(3) };
    for n in 0..9 {
        target.link(n, key(n as u8), near(n));
        target.wait(MS);
    }
    let closed: Vec<&Output> =
        target.log.iter().map(|l| &l.1).filter(|o| matches!(o, Output::CloseLink { .. })).collect();
    assert_eq!(closed, [&Output::CloseLink { link: LinkId(0), code: close::LIMIT }]);
    let loopback = |n: u64| Address { ip: std::net::Ipv6Addr::LOCALHOST, ..near(n) };
    for n in 100..340 {
        target.link(n, key(n as u8), loopback(n));
    }
    assert_eq!(closes(&target.drain()).len(), 0);
    let before = target.log.len();
    for n in 400..410 {
        target.link(n, key(n as u8), loopback(n));
    }
    let over: Vec<Output> = target.log[before..].iter().map(|l| l.1.clone()).collect();
    assert_eq!(closes(&over), [close::LIMIT; 2], "256 of the whole node");
}

#[test]
fn checks_over_the_limit_wait_and_are_not_refused() {
    let mut target = Target::with(Limits { strangers_per_prefix: 100, ..Limits::default() });
    for n in 10..20_u8 {
        let remote = Address { port: u16::from(n), ..at(3) };
        let link = target.link(u64::from(n), key(n), remote);
        let hello = hello(target.tag(link, 1), u64::from(n));
        let chain = Paper::new(key(1), key(n)).chain();
        target.say(link, 1, &[hello, proof(&chain)].concat());
    }
    let trusted = |t: &Target| {
        let up = |l: &&(u64, Output)| matches!(l.1, Output::Trust { .. });
        t.log.iter().filter(up).map(|l| l.0).collect::<Vec<_>>()
    };
    assert_eq!(trusted(&target), [0; 8]);
    target.wait(SECOND);
    assert_eq!(trusted(&target)[8..], [125 * MS, 250 * MS]);
}

#[test]
fn opens_before_the_session_are_held_and_only_a_few() {
    let mut target = Target::new();
    let link = target.link(1, key(7), at(1));
    let tag = target.tag(link, 1);
    let open = frame(DC_OPEN, &tag);
    for n in 0..8 {
        assert_eq!(aborts(&target.say(link, 3 + 2 * n, &open)), []);
    }
    assert_eq!(aborts(&target.say(link, 19, &open)), [reset::NO_SESSION]);
    let chain = Paper::new(key(1), key(7)).chain();
    let outputs = target.say(link, 1, &[hello(tag, 3), proof(&chain)].concat());
    assert_eq!(directs(&outputs).len(), 8, "all are served once the session stands");

    let mut target = Target::new();
    let link = target.link(1, key(7), at(1));
    target.say(link, 3, &frame(DC_OPEN, &target.tag(link, 1)));
    let forged = Paper { genuine: false, ..Paper::new(key(1), key(7)) }.chain();
    target.say(link, 1, &[hello(target.tag(link, 1), 3), proof(&forged)].concat());
    let outputs = target.wait(25 * MS);
    assert_eq!(aborts(&outputs), [reset::NO_SESSION]);
    assert_eq!(directs(&outputs), []);
}

#[test]
fn a_flood_of_control_frames_closes_the_link() {
    let mut target = Target::new();
    let link = target.member(7);
    let update = frame(ADDR_UPDATE, &[0]);
    let mut outputs = Vec::new();
    let mut count = 0;
    while closes(&outputs).is_empty() && count < 1_000 {
        outputs = target.say(link, 1, &update);
        count += 1;
    }
    assert_eq!(closes(&outputs), [close::FLOOD]);
    assert!((190..=201).contains(&count), "after a burst of 200: {count}");
    let mut target = Target::new();
    let link = target.member(7);
    for _ in 0..2_000 {
        target.wait(20 * MS);
        assert_eq!(closes(&target.say(link, 1, &update)), [], "fifty a second are fine");
    }
}

fn object(kind: u64, id: [u8; 32], bytes: &[u8]) -> Vec<u8> {
    frame(OBJECT, &[&varint(kind), &id[..], bytes].concat())
}

#[test]
fn an_object_that_does_not_verify_costs_its_sender_the_session() {
    let good = world::fake::properties(key(1), 1, "as the creator wrote them");
    let id = world::fake::object_id(p2p_core::ObjectKind::Properties, &good).0;
    let foreign = world::fake::properties(key(2), 1, "of another group");
    let mut other = id;
    other[31] ^= 1;
    for (id, bytes) in [(id, &foreign), (other, &good), (id, &bytes::Bytes::new())] {
        let mut target = Target::new();
        let link = target.member(7);
        let outputs = target.say(link, 1, &object(2, id, bytes));
        assert_eq!(aborts(&outputs), [reset::VIOLATION]);
        assert_eq!(target.node.properties(target.group), Ok(None));
    }
    let mut target = Target::new();
    let link = target.member(7);
    // What a later version knows is no offence, and nothing that is kept.
    assert_eq!(aborts(&target.say(link, 1, &object(9, [9; 32], b"later"))), []);
    assert_eq!(aborts(&target.say(link, 1, &object(2, id, &good))), []);
    assert_eq!(target.node.properties(target.group).unwrap().unwrap().bytes, good);
    // Whoever asks for what is not there gets an answer, and nothing else.
    let outputs = target.say(link, 1, &frame(OBJECT_WANT, &[&[1][..], &[9; 32]].concat()));
    let writes = outputs.iter().filter(|o| matches!(o, Output::Write { .. })).count();
    assert_eq!((writes, aborts(&outputs)), (1, Vec::new()));
}

#[test]
fn objects_that_nobody_asked_for_count_as_a_flood() {
    let mut target = Target::new();
    let link = target.member(7);
    let mut outputs = Vec::new();
    let mut count = 0_u64;
    while closes(&outputs).is_empty() && count < 1_000 {
        count += 1;
        outputs = target.say(link, 1, &object(9, [count as u8; 32], b"later"));
    }
    assert_eq!(closes(&outputs), [close::FLOOD]);
    assert!((190..=201).contains(&count), "after a burst of 200: {count}");
}

#[test]
fn a_direct_connection_that_breaks_the_rules_is_reset() {
    let ended = (ConnectionChange::Disconnected, Cause::Protocol);
    let mixed = [data(1, true, b"a"), data(2, false, b"b")].concat();
    let cases = [
        ("a count that is not right", frame(DC_CLOSE, &[1])),
        ("an acknowledgement of nothing", frame(DC_CLOSE_ACK, &[1])),
        ("a second acceptance", frame(DC_ACCEPT, b"")),
        ("another type in mid-message", mixed),
        ("a close in mid-message", [data(1, true, b"a"), frame(DC_CLOSE, &[0])].concat()),
        ("a control frame", frame(CONNECT, b"")),
        ("a second open", frame(DC_OPEN, &[0; 16])),
    ];
    for (name, bytes) in cases {
        let mut target = Target::new();
        let link = target.member(7);
        target.direct(link, 3);
        let outputs = target.say(link, 3, &bytes);
        assert_eq!(directs(&outputs), [ended], "{name}");
        assert_eq!(aborts(&outputs), [reset::VIOLATION], "{name}");
        assert_eq!(closes(&outputs), [], "{name}");
        assert_eq!(target.say(link, 3, &data(1, false, b"more")), [], "{name}: nobody listens");
    }
}

#[test]
fn a_message_over_the_limit_is_a_violation_and_what_is_held_stays_bounded() {
    let mut target = Target::new();
    let link = target.member(7);
    target.direct(link, 3);
    let mebibyte = data(1, true, &vec![0; 1 << 20]);
    for _ in 0..16 {
        assert_eq!(directs(&target.say(link, 3, &mebibyte)), []);
    }
    let outputs = target.say(link, 3, &data(1, true, b"x"));
    assert_eq!(directs(&outputs), [(ConnectionChange::Disconnected, Cause::Protocol)]);
}

#[test]
fn one_peer_cannot_use_more_than_its_share() {
    let mut target = Target::new();
    let link = target.member(7);
    let message = data(1, false, &vec![0; 60_000]);
    let mut events = 0;
    for stream in 0..64 {
        target.direct(link, 3 + 2 * stream);
    }
    for _ in 0..1_000 {
        let before = events;
        for stream in 0..64 {
            let key = (link, StreamId(3 + 2 * stream));
            if target.credit[&key] >= message.len() {
                let outputs = target.say(link, 3 + 2 * stream, &message);
                let data =
                    |o: &&Output| matches!(o, Output::Event { event: Event::Data { .. }, .. });
                events += outputs.iter().filter(data).count();
            }
        }
        if events == before {
            break;
        }
    }
    let held = events * 60_000;
    assert!((31 << 20..97 << 20).contains(&held), "{held} bytes wait for the application");
    // Another peer has its own share.
    let other = target.member(8);
    target.direct(other, 3);
    assert!(target.credit[&(other, StreamId(3))] >= 1 << 19);
    // What is taken makes room again.
    let ids: Vec<_> = target
        .log
        .iter()
        .filter_map(|(_, o)| match o {
            Output::Event { event: Event::Data { id, .. }, .. } => Some(*id),
            _ => None,
        })
        .collect();
    let before: usize = target.credit.values().sum();
    for id in ids {
        target.node.taken(target.group, id, Taken::Data { bytes: 60_000 }, target.now());
    }
    target.drain();
    assert!(target.credit.values().sum::<usize>() > before + (16 << 20));
}

#[test]
fn a_hello_of_another_version_is_told_so() {
    let mut target = Target::new();
    let link = target.link(1, key(7), at(1));
    let ids = [3_u64, 0, 77].map(u64::to_be_bytes).concat();
    let newer = frame(1, &[&[1, 2][..], &target.tag(link, 1), &ids, &varint(4 << 20)].concat());
    let outputs = target.say(link, 1, &newer);
    let told = |o: &Output| matches!(o, Output::Write { head, .. } if head.as_slice() == [4, 1, 1]);
    assert!(outputs.iter().any(told), "{outputs:?}");
}

#[test]
fn what_the_node_does_not_know_is_ignored() {
    let mut target = Target::new();
    let (link, stream) = (LinkId(999), StreamId(1));
    let before = target.log.len();
    for input in [
        Input::LinkDown { link, cause: p2p_core::DownCause::Timeout },
        Input::DialFailed { dial: p2p_core::DialId(999), cause: p2p_core::DownCause::Refused },
        Input::Accepted { link, stream },
        Input::Chunk { link, stream, bytes: Bytes::from_static(b"hello") },
        Input::Finished { link, stream },
        Input::Reset { link, stream, code: 0 },
        Input::Sent { link, stream, bytes: 1 },
        Input::Stored { ticket: p2p_core::Ticket(999), result: Err(Code::PEER_E_DISK_FULL) },
        Input::Timeout,
    ] {
        target.input(input);
    }
    assert_eq!(target.log.len(), before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes come on whatever streams: no panic, nothing told but ends, and the peer's links can always be
    /// closed.
    #[test]
    fn any_bytes_lead_to_a_frame_a_reset_or_a_close(
        member in any::<bool>(),
        says in prop::collection::vec((0..6_u64, any::<u8>(), prop::collection::vec(any::<u8>(), 0..60), 1..40_usize), 0..40),
    ) {
        let mut target = Target::new();
        let link = if member { target.member(7) } else { target.link(7, key(7), at(1)) };
        let tag = target.tag(link, 1);
        let good = proof(&Paper::new(key(1), key(7)).chain());
        for (stream, how, junk, size) in says {
            let bytes = match how % 12 {
                0 => hello(tag, 7),
                1 => good.clone(),
                2 => frame(DC_OPEN, &tag),
                3 => data(how, how > 100, &junk),
                4 => frame(DC_CLOSE, &varint(u64::from(how) % 3)),
                5 => frame(DC_CLOSE_ACK, &varint(u64::from(how) % 3)),
                6 => frame(CONNECT, b""),
                7 => frame(u64::from(how) % 0x46, &junk),
                8 => frame(0x13, &[1]),
                9 => frame(0x11, &[0]),
                10 => frame(DC_ACCEPT, b""),
                _ => junk,
            };
            target.say_in(link, 1 + 2 * stream, &bytes, size);
            match how {
                250.. => _ = target.input(Input::Finished { link, stream: StreamId(1 + 2 * stream) }),
                240.. => _ = target.input(Input::Reset { link, stream: StreamId(1 + 2 * stream), code: 3 }),
                220.. => _ = target.wait(SECOND),
                _ => {}
            }
        }
        let connected = target.log.iter().filter(|l| directs(std::slice::from_ref(&l.1)).first().is_some_and(|d| d.0 == ConnectionChange::Connected)).count();
        target.input(Input::LinkDown { link, cause: p2p_core::DownCause::Timeout });
        target.wait(100 * SECOND);
        let ended = target.log.iter().filter(|l| directs(std::slice::from_ref(&l.1)).first().is_some_and(|d| d.0 == ConnectionChange::Disconnected)).count();
        prop_assert_eq!(connected, ended);
        prop_assert_eq!(target.node.directs(target.group).unwrap(), []);
        prop_assert!(target.node.neighbours(target.group).unwrap().is_empty());
    }
}

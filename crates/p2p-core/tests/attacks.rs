//! What a hostile peer could gain, one attack at a time: knowledge of groups that are not its own, memory, or a node
//! that waits for it for ever.

mod world;

use std::collections::BTreeMap;

use bytes::Bytes;
use p2p_core::{
    Address, Authority, Code, Config, ConnectionChange, ConnectionId, Event, Expect, GroupKey,
    GroupSnapshot, Input, KeyId, Limits, LinkId, Node, Now, Output, SECOND, StoreChange, StreamId,
    Taken, Tick, reset,
};
use world::raw::*;
use world::{Fake, GENESIS, MS, Paper, at, key};

fn binding(n: u64) -> [u8; 32] {
    world::fake::mix(&[b"binding", &n.to_be_bytes()])
}

/// A node in groups 1 and 2, both synchronised and online, and the peers' end of every link to it.
struct Target {
    node: Node<Fake>,
    groups: [GroupKey; 2],
    tick: u64,
    credit: BTreeMap<(LinkId, StreamId), usize>,
    log: Vec<(u64, Output)>,
}

impl Target {
    fn new() -> Target {
        Target::with(Limits::default(), [true, true])
    }

    fn with(limits: Limits, synchronised: [bool; 2]) -> Target {
        let papers = [1, 2].map(|n| Paper::new(key(n), key(100)));
        Target::of(papers, limits, synchronised)
    }

    fn of(papers: [Paper; 2], limits: Limits, synchronised: [bool; 2]) -> Target {
        let chains = papers.iter().map(|paper| (paper.group, paper.chain())).collect();
        let fake = Fake { own: papers[0].member, chains, passwords: Default::default() };
        let now = Now { tick: Tick(0), wall: GENESIS };
        let mut node = Node::new(Config { limits, previous: None }, fake, [5; 32], now);
        let groups = [0, 1].map(|n| {
            let snapshot =
                GroupSnapshot { synchronised: synchronised[n], ..GroupSnapshot::default() };
            node.open_group(papers[n].group, papers[n].member(), snapshot, now).unwrap()
        });
        for (group, synchronised) in groups.into_iter().zip(synchronised) {
            if synchronised {
                node.connect(group, &[], now).unwrap();
                node.accept_direct(group, true, now).unwrap();
            }
        }
        let credit = BTreeMap::new();
        let mut target = Target { node, groups, tick: 0, credit, log: Vec::new() };
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

    /// Bytes on a stream of the peer's, as far as credit goes, in chunks of `size`; how many went.
    fn pour(&mut self, link: LinkId, stream: u64, bytes: &[u8], size: usize) -> usize {
        let stream = StreamId(stream);
        if !self.credit.contains_key(&(link, stream)) {
            self.input(Input::Accepted { link, stream });
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
            self.input(Input::Chunk { link, stream, bytes });
        }
        bytes.len() - rest.len()
    }

    /// The same in chunks as large as may be; what came of it.
    fn say(&mut self, link: LinkId, stream: u64, bytes: &[u8]) -> Vec<Output> {
        let before = self.log.len();
        self.pour(link, stream, bytes, usize::MAX);
        self.log[before..].iter().map(|(_, output)| output.clone()).collect()
    }

    fn tag(&self, link: LinkId, group: u8) -> [u8; 16] {
        let session = self.node.authority().session(&binding(link.0), &key(group));
        self.node.authority().tag(&session, true)
    }

    /// A link on which member `n` of group 1 has proved itself on stream 1.
    fn member(&mut self, n: u8) -> LinkId {
        let link = self.link(u64::from(n), key(n), at(usize::from(n)));
        let chain = Paper::new(key(1), key(n)).chain();
        let words = [hello(self.tag(link, 1), u64::from(n)), proof(&chain)].concat();
        let answer = self.say(link, 1, &words);
        assert!(answer.iter().any(|o| matches!(o, Output::Trust { .. })), "{answer:#?}");
        link
    }

    /// What the peers can see of what was done since `from`.
    fn visible(&self, from: usize) -> Vec<(u64, Output)> {
        let hidden = |o: &Output| {
            matches!(o, Output::Event { .. } | Output::Credit { .. } | Output::Store { .. })
        };
        self.log[from..].iter().filter(|(_, o)| !hidden(o)).cloned().collect()
    }
}

/// The same attack on a group that is here (2) and on one that is not (9) must look the same.
fn same_for_unknown(attack: impl Fn(&mut Target, u8)) {
    let [known, unknown] = [2, 9].map(|group| {
        let mut target = Target::new();
        let from = target.log.len();
        attack(&mut target, group);
        target.visible(from)
    });
    assert_eq!(known, unknown, "a group that is here can be told from one that is not");
}

#[test]
fn a_second_hello_for_a_group_tells_nothing() {
    same_for_unknown(|target, group| {
        let link = target.link(1, key(7), at(1));
        let hello = hello(target.tag(link, group), 3);
        target.say(link, 1, &hello);
        target.say(link, 3, &hello);
        target.wait(MS);
        target.say(link, 1, &proof(b"nonsense"));
        target.say(link, 5, &hello);
        target.wait(30 * SECOND);
    });
}

#[test]
fn a_member_of_one_group_cannot_probe_for_another_by_the_life_of_its_link() {
    same_for_unknown(|target, group| {
        let link = target.member(7);
        let tag = target.tag(link, group);
        target.say(link, 3, &hello(tag, 7));
        target.input(Input::Finished { link, stream: StreamId(1) });
        target.wait(30 * SECOND);
    });
}

#[test]
fn a_proof_that_waits_for_an_answer_tells_nothing_when_its_group_closes() {
    same_for_unknown(|target, group| {
        let link = target.link(1, key(7), at(1));
        target.say(link, 1, &hello(target.tag(link, group), 3));
        target.node.close_group(target.groups[1], target.now()).unwrap();
        target.drain();
        target.wait(30 * SECOND);
    });
}

#[test]
fn a_refusal_that_had_to_wait_for_its_check_does_not_tell_how_long_the_check_took() {
    let limits = Limits { strangers_per_prefix: 100, ..Limits::default() };
    for group in [1, 9] {
        let mut target = Target::with(limits.clone(), [true, true]);
        for n in 10..19_u8 {
            let link = target.link(u64::from(n), key(n), Address { port: n.into(), ..at(3) });
            let words = [hello(target.tag(link, group), 3), proof(b"nonsense")].concat();
            target.say(link, 1, &words);
        }
        target.wait(SECOND);
        let written =
            |(tick, o): &(u64, Output)| matches!(o, Output::Write { .. }).then_some(*tick);
        let times: Vec<u64> = target.log.iter().filter_map(written).collect();
        let mut expected = [25 * MS; 9];
        expected[8] = 125 * MS + 25 * MS;
        assert_eq!(times, expected);
    }
}

#[test]
fn messages_that_never_end_are_bounded_over_all_connections_of_a_peer() {
    let mut target = Target::new();
    let link = target.member(7);
    let tag = target.tag(link, 1);
    let streams: Vec<u64> = (3..131).step_by(2).collect();
    for stream in &streams {
        target.say(link, *stream, &frame(DC_OPEN, &tag));
    }
    let message =
        [data(1, true, &vec![0; 1_000_000]).repeat(4), data(1, false, b"the end")].concat();
    let mut sent = vec![0; streams.len()];
    let pour = |target: &mut Target, sent: &mut Vec<usize>| {
        let before = target.log.len();
        for (stream, sent) in streams.iter().zip(sent) {
            // All but the end, so that none becomes whole by itself.
            let end = (message.len() - 30).max(*sent);
            *sent += target.pour(link, *stream, &message[*sent..end], usize::MAX);
        }
        before
    };
    while target.log.len() > pour(&mut target, &mut sent) {}
    let held: usize = sent.iter().sum();
    assert!((31 << 20..97 << 20).contains(&held), "{held} bytes of messages that never end");
    // Whoever ends its messages gets them all through, the oldest first.
    let mut taken = 0;
    for _ in 0..200 {
        let before = pour(&mut target, &mut sent);
        for (stream, sent) in streams.iter().zip(&mut sent) {
            if *sent >= message.len() - 30 {
                *sent += target.pour(link, *stream, &message[*sent..], usize::MAX);
            }
        }
        for (group, id, bytes) in delivered(&target.log[before..]) {
            taken += 1;
            target.node.taken(group, id, Taken::Data { bytes }, target.now());
            target.drain();
        }
    }
    assert_eq!(taken, streams.len(), "messages that became whole");
}

fn delivered(log: &[(u64, Output)]) -> Vec<(GroupKey, ConnectionId, usize)> {
    let data = |o: &(u64, Output)| match &o.1 {
        Output::Event { group, event: Event::Data { id, payload, .. } } => {
            Some((*group, *id, payload.len()))
        }
        _ => None,
    };
    log.iter().filter_map(data).collect()
}

#[test]
fn a_message_in_crumbs_costs_what_it_weighs() {
    for fragment in [100_000, 1] {
        let mut target = Target::new();
        let link = target.member(7);
        let tag = target.tag(link, 1);
        target.say(link, 3, &frame(DC_OPEN, &tag));
        let message = vec![9; 100_000];
        let mut frames = Vec::new();
        for (n, piece) in message.chunks(fragment).enumerate() {
            frames.extend(data(1, (n + 1) * fragment < message.len(), piece));
        }
        let before = target.log.len();
        assert_eq!(target.pour(link, 3, &frames, if fragment == 1 { 60 } else { 1 }), frames.len());
        let payload = target.log[before..].iter().find_map(|(_, o)| match o {
            Output::Event { event: Event::Data { payload, .. }, .. } => Some(payload.clone()),
            _ => None,
        });
        let payload = payload.expect("the message is whole");
        let pieces = payload.pieces().len();
        assert!(pieces <= message.len() / 200, "{pieces} pieces of {} bytes", message.len());
        assert!(payload.into_bytes() == message);
    }
}

#[test]
fn a_peer_that_says_its_own_stream_carries_on_and_then_says_nothing_is_given_up() {
    let mut target = Target::with(Limits::default(), [true, false]);
    let link = target.member(7);
    target.node.connect(target.groups[1], &[at(7)], target.now()).unwrap();
    let outputs = target.drain();
    let offer = outputs.iter().find_map(|o| match o {
        Output::Open { stream, .. } => Some(*stream),
        _ => None,
    });
    let stream = offer.expect("a session is offered");
    target.input(Input::Reset { link, stream, code: reset::DUPLICATE });
    let outputs = target.wait(11 * SECOND);
    let failed = |o: &Output| {
        let reason = Code::PEER_E_NOT_AUTHORIZED;
        *o == Output::Event { group: target.groups[1], event: Event::ConnectionFailed { reason } }
    };
    assert!(outputs.iter().any(failed), "{outputs:#?}");
}

#[test]
fn one_source_does_not_use_up_the_checks_of_others() {
    let limits = Limits { strangers_per_prefix: 1_000, ..Limits::default() };
    let mut target = Target::with(limits, [true, true]);
    for n in 0..250_u64 {
        let remote = Address { port: 1_000 + n as u16, ..at(3) };
        let link = target.link(1_000 + n, key(n as u8), remote);
        target.say(link, 1, &[hello(target.tag(link, 9), 3), proof(b"nonsense")].concat());
    }
    target.member(7);
}

#[test]
fn a_group_that_closes_at_once_is_no_longer_said_to_listen() {
    let mut target = Target::new();
    let group = target.groups[0];
    target.node.open_direct(group, Expect::Key(key(7)), at(7), target.now()).unwrap();
    target.drain();
    target.node.close_group(group, target.now()).unwrap();
    let outputs = target.drain();
    let gone = |o: &Output| {
        let change = StoreChange::Listening { group: key(1), addresses: Vec::new() };
        matches!(o, Output::Store { change: c, .. } if **c == change)
    };
    assert!(outputs.iter().any(gone), "{outputs:#?}");
    assert!(
        outputs
            .iter()
            .chain(&target.wait(SECOND))
            .any(|o| matches!(o, Output::Event { event: Event::Closed, .. }))
    );
}

#[test]
fn the_end_of_a_stream_is_read_also_when_its_credit_is_used_up() {
    let limits = Limits { receive_queue: 1_000, ..Limits::default() };
    let mut target = Target::with(limits, [true, true]);
    let link = target.member(7);
    let tag = target.tag(link, 1);
    target.say(link, 3, &frame(DC_OPEN, &tag));
    target.say(link, 3, &data(1, false, &[0; 744]));
    let close = frame(DC_CLOSE, &[1]);
    let left = target.credit[&(link, StreamId(3))] - close.len();
    // A frame that is skipped, as long as it takes.
    let skipped = frame(0x4000, &vec![0; left - 6]);
    assert_eq!(skipped.len(), left, "the last byte of credit goes with the close");
    let outputs = target.say(link, 3, &[skipped, close].concat());
    assert!(outputs.iter().any(|o| matches!(o, Output::Finish { .. })), "{outputs:#?}");
    assert!(target.credit[&(link, StreamId(3))] > 0, "nobody would see the peer's FIN");
}

#[test]
fn a_group_that_went_offline_offers_no_session() {
    let limits = Limits { direct_open: 3_600 * SECOND, ..Limits::default() };
    let not_after = GENESIS.plus_seconds(10);
    let papers = [1, 2].map(|n| Paper { not_after, ..Paper::new(key(n), key(100)) });
    let mut target = Target::of(papers, limits, [true, false]);
    let group = target.groups[0];
    target.node.open_direct(group, Expect::Key(key(7)), at(7), target.now()).unwrap();
    let dials = target.drain();
    let dial = dials.iter().find_map(|o| match o {
        Output::Dial { dial, .. } => Some(*dial),
        _ => None,
    });
    // The membership ends while the address is being dialled.
    let outputs = target.wait(620 * SECOND);
    let gone = |o: &Output| {
        let change = StoreChange::Listening { group: key(1), addresses: Vec::new() };
        matches!(o, Output::Store { change: c, .. } if **c == change)
    };
    assert!(outputs.iter().any(gone), "{outputs:#?}");
    let (link, binding) = (LinkId(5), binding(5));
    let outputs = target.input(Input::LinkUp { link, dial, peer: key(7), binding, remote: at(7) });
    assert!(!outputs.iter().any(|o| matches!(o, Output::Open { .. })), "{outputs:#?}");
    let failed = |o: &Output| match o {
        Output::Event { event: Event::Direct(c), .. } => c.change == ConnectionChange::Failed,
        _ => false,
    };
    assert_eq!(outputs.iter().filter(|o| failed(o)).count(), 1, "{outputs:#?}");
}

#[test]
fn a_stream_that_its_opener_calls_a_duplicate_tells_nothing() {
    same_for_unknown(|target, group| {
        let link = target.member(7);
        let tag = target.tag(link, group);
        target.say(link, 3, &hello(tag, 7));
        target.input(Input::Reset { link, stream: StreamId(3), code: reset::DUPLICATE });
        target.input(Input::Finished { link, stream: StreamId(1) });
        target.wait(30 * SECOND);
    });
}

#[test]
fn a_hello_on_a_losing_link_is_not_answered_with_our_chain_on_the_other() {
    let peer = (1..100).find(|n| key(*n) > key(100)).expect("a key above ours");
    let mut target = Target::new();
    let group = target.groups[0];
    target.node.open_direct(group, Expect::Key(key(peer)), at(7), target.now()).unwrap();
    let dial = target.drain().iter().find_map(|o| match o {
        Output::Dial { dial, .. } => Some(*dial),
        _ => None,
    });
    // The link that we dialled survives: our key is the lower one.
    let ours = LinkId(1);
    let remote = at(7);
    target.input(Input::LinkUp { link: ours, dial, peer: key(peer), binding: binding(1), remote });
    let session = target.node.authority().session(&binding(1), &key(1));
    let tag = target.node.authority().tag(&session, false);
    let chain = Paper::new(key(1), key(peer)).chain();
    let body = [&hello(tag, 3)[2..], &chain[..]].concat();
    let answer = target.say(ours, 0, &frame(3, &body));
    assert!(answer.iter().any(|o| matches!(o, Output::Trust { .. })), "{answer:#?}");
    // On a link of its own the peer names group 2, of which it is no member, and then proves itself for group 1.
    let theirs = target.link(2, key(peer), at(8));
    let before = target.log.len();
    target.say(theirs, 1, &hello(target.tag(theirs, 2), 3));
    let proved = [hello(target.tag(theirs, 1), 3), proof(&chain)].concat();
    let answer = target.say(theirs, 3, &proved);
    assert!(answer.iter().any(|o| matches!(o, Output::Trust { .. })), "{answer:#?}");
    target.wait(SECOND);
    let offered = |(_, o): &(u64, Output)| matches!(o, Output::Open { .. });
    assert!(!target.log[before..].iter().any(offered), "{:#?}", &target.log[before..]);
}

/// Properties of group 1 that are as large as an object may be, and their id.
fn large(version: u64) -> (Bytes, [u8; 32]) {
    let bytes = world::fake::properties(key(1), version, &"x".repeat(33_000));
    let id = world::fake::object_id(p2p_core::ObjectKind::Properties, &bytes).0;
    (bytes, id)
}

fn written(outputs: &[(u64, Output)]) -> usize {
    let bytes = |o: &Output| match o {
        Output::Write { head, body, .. } => head.as_slice().len() + body.len(),
        _ => 0,
    };
    outputs.iter().map(|(_, o)| bytes(o)).sum()
}

fn closed(outputs: &[(u64, Output)]) -> Vec<u64> {
    let code = |o: &Output| if let Output::CloseLink { code, .. } = o { Some(*code) } else { None };
    outputs.iter().filter_map(|(_, o)| code(o)).collect()
}

#[test]
fn who_asks_for_much_and_reads_nothing_is_not_kept_for() {
    let mut target = Target::new();
    let link = target.member(9);
    let (bytes, id) = large(1);
    let (group, now) = (target.groups[0], target.now());
    target.node.publish(group, p2p_core::ObjectKind::Properties, &bytes, now).unwrap();
    target.drain();
    let from = target.log.len();
    let want = frame(OBJECT_WANT, &[&varint(64)[..], &id.repeat(64)].concat());
    target.say(link, 1, &want.repeat(20));
    assert_eq!(closed(&target.log[from..]), [p2p_core::close::SLOW]);
    assert!(written(&target.log[from..]) < 9 << 20);
}

#[test]
fn who_reads_nothing_is_not_sent_whatever_is_new() {
    let mut target = Target::new();
    target.member(9);
    let (group, from) = (target.groups[0], target.log.len());
    for version in 1..400 {
        let now = target.now();
        let (bytes, _) = large(version);
        target.node.publish(group, p2p_core::ObjectKind::Properties, &bytes, now).unwrap();
        target.drain();
    }
    assert_eq!(closed(&target.log[from..]), [p2p_core::close::SLOW]);
    assert!(written(&target.log[from..]) < 9 << 20);
}

#[test]
fn objects_that_bring_nothing_new_are_counted_though_they_were_asked_for() {
    let old = world::fake::properties(key(1), 1, "old");
    let id = world::fake::object_id(p2p_core::ObjectKind::Properties, &old).0;
    let object = frame(OBJECT, &[&[2][..], &id, &old].concat());
    let offers = frame(0x17, &[&varint(1_000)[..], &id.repeat(1_000)].concat());
    for asked in [true, false] {
        let mut target = Target::new();
        let link = target.member(9);
        let (group, now) = (target.groups[0], target.now());
        let new = world::fake::properties(key(1), 2, "new");
        target.node.publish(group, p2p_core::ObjectKind::Properties, &new, now).unwrap();
        target.drain();
        let from = target.log.len();
        let round =
            [if asked { offers.clone() } else { Vec::new() }, object.repeat(1_000)].concat();
        for _ in 0..5 {
            target.pour(link, 1, &round, 16 << 10);
        }
        assert_eq!(closed(&target.log[from..]), [], "whoever was away long may bring much");
        for _ in 0..6 {
            target.pour(link, 1, &round, 16 << 10);
        }
        assert_eq!(closed(&target.log[from..]), [p2p_core::close::FLOOD], "asked: {asked}");
    }
}

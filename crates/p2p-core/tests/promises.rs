//! The promises of the core, over random runs of a random world: what a driver and an embedder may build on.

mod world;

use bytes::Bytes;
use p2p_core::trace::{Entry, Trace, replay};
use p2p_core::{
    ConnectionChange, ConnectionId, Event, Expect, GroupKey, GroupSnapshot, Input, Limits, Node,
    Now, Output, SECOND, Taken,
};
use proptest::prelude::*;
use world::{Act, Fake, MS, Machine, World, at, key};

/// What the fates may send.
#[derive(Clone, Debug)]
enum Fate {
    Open(usize, usize),
    Close(usize, usize),
    Send(usize, usize, usize),
    /// The application stops taking, or takes again.
    Takes(usize, bool),
    Accept(usize, bool),
    Wait(u64),
    /// A direction of some wire stalls or is freed.
    Stall(usize, usize, bool),
    /// A path breaks.
    Snap(usize),
    Kill(usize),
    Restart(usize, bool),
    CloseGroup(usize),
    Connect(usize),
    Disk(usize, u64),
}

const MACHINES: usize = 3;

/// So many runs, or as many as `PROPTEST_CASES` says.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        max_shrink_iters: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    let m = || 0..MACHINES;
    prop_oneof![
        6 => (m(), m()).prop_map(|(a, b)| Fate::Open(a, b)),
        4 => (m(), any::<usize>()).prop_map(|(a, n)| Fate::Close(a, n)),
        8 => (m(), any::<usize>(), 0..200_000_usize).prop_map(|(a, n, len)| Fate::Send(a, n, len)),
        1 => (m(), any::<bool>()).prop_map(|(a, on)| Fate::Takes(a, on)),
        1 => (m(), prop::bool::weighted(0.8)).prop_map(|(a, on)| Fate::Accept(a, on)),
        6 => (0..300 * MS).prop_map(Fate::Wait),
        2 => (0..40 * SECOND).prop_map(Fate::Wait),
        1 => (any::<usize>(), 0..2_usize, any::<bool>()).prop_map(|(w, d, on)| Fate::Stall(w, d, on)),
        1 => any::<usize>().prop_map(Fate::Snap),
        1 => m().prop_map(Fate::Kill),
        2 => (m(), any::<bool>()).prop_map(|(a, previous)| Fate::Restart(a, previous)),
        1 => m().prop_map(Fate::CloseGroup),
        1 => m().prop_map(Fate::Connect),
        1 => (m(), 0..SECOND).prop_map(|(a, delay)| Fate::Disk(a, delay)),
    ]
}

fn fates(n: usize) -> impl Strategy<Value = Vec<Fate>> {
    prop::collection::vec(fate(), 1..n)
}

/// A world that lived through some fates, and what every run of every machine left behind.
struct Story {
    world: World,
    groups: Vec<Option<GroupKey>>,
    past: Vec<Machine>,
    /// What was accepted for sending: machine, run, connection, messages.
    sent: std::collections::BTreeMap<(usize, u32, ConnectionId), Vec<Bytes>>,
    serial: u64,
}

impl Story {
    fn begin(seed: u64) -> Story {
        let mut world = World::new(seed);
        world.net.chunk = 60_000;
        let everybody: Vec<_> = (0..MACHINES)
            .map(|_| {
                let m = world.machine();
                (world.machines[m].key, vec![world.machines[m].address])
            })
            .collect();
        let mut groups = Vec::new();
        for m in 0..MACHINES {
            let addresses = everybody.clone();
            let snapshot =
                GroupSnapshot { synchronised: m == 0, addresses, ..GroupSnapshot::default() };
            let group = world.join(m, key(1), snapshot);
            world.connect(m, group, &[]);
            world.accept(m, group, true);
            groups.push(Some(group));
            world.run(world.net.delay * (m as u64));
        }
        Story { world, groups, past: Vec::new(), sent: Default::default(), serial: 0 }
    }

    fn ids(&self, m: usize) -> Vec<ConnectionId> {
        self.world.machines[m].direct_events().into_iter().map(|c| c.id).collect()
    }

    fn undergo(&mut self, fate: &Fate) {
        let world = &mut self.world;
        match *fate {
            Fate::Open(a, b) if a != b && world.machines[a].alive => {
                let (expect, address) = (Expect::Key(world.machines[b].key), at(b));
                if let Some(group) = self.groups[a] {
                    let _ = world.call(a, Act::Open(group, expect, address));
                }
            }
            Fate::Close(m, n) if world.machines[m].alive => {
                let ids = self.ids(m);
                if let (Some(group), false) = (self.groups[m], ids.is_empty()) {
                    let _ = self.world.close(m, group, ids[n % ids.len()]);
                }
            }
            Fate::Send(m, n, len) if world.machines[m].alive => {
                let ids = self.ids(m);
                if let (Some(group), false) = (self.groups[m], ids.is_empty()) {
                    self.serial += 1;
                    let mut message = self.serial.to_be_bytes().to_vec();
                    message.resize(len.max(8), 0);
                    let (id, message) = (ids[n % ids.len()], Bytes::from(message));
                    if self.world.send_message(m, group, id, message.clone()).is_ok() {
                        let epoch = self.world.machines[m].epoch;
                        self.sent.entry((m, epoch, id)).or_default().push(message);
                    }
                }
            }
            Fate::Takes(m, on) if world.machines[m].alive => {
                world.machines[m].takes = on;
                world.drain(m);
            }
            Fate::Accept(m, on) => {
                if let Some(group) = self.groups[m].filter(|_| world.machines[m].alive) {
                    let _ = world.call(m, Act::Accept(group, on));
                }
            }
            Fate::Wait(micros) => world.run(micros),
            Fate::Stall(w, direction, on) => {
                if let Some(w) = pick(&world.live_wires(), w) {
                    world.stall(w, direction, on);
                }
            }
            Fate::Snap(w) => {
                if let Some(w) = pick(&world.live_wires(), w) {
                    world.snap(w);
                }
            }
            Fate::Kill(m) if world.machines[m].alive => {
                world.kill(m);
                self.groups[m] = None;
            }
            Fate::Restart(m, previous) if !world.machines[m].alive => {
                let old = world.restart(m, previous);
                self.past.push(old);
                self.open(m);
            }
            Fate::CloseGroup(m) => {
                if let Some(group) = self.groups[m].take() {
                    world.close_group(m, group);
                }
            }
            Fate::Connect(m) => self.open(m),
            Fate::Disk(m, delay) => world.machines[m].disk_delay = delay,
            _ => {}
        }
    }

    /// The group is opened if it is not, and brought online.
    fn open(&mut self, m: usize) {
        let world = &mut self.world;
        if !world.machines[m].alive {
            return;
        }
        let group = self.groups[m].unwrap_or_else(|| {
            // A group that still closes has to be gone first.
            world.run(6 * SECOND);
            world.join(m, key(1), world.machines[m].disk[&key(1)].clone())
        });
        self.groups[m] = Some(group);
        world.connect(m, group, &[]);
        let _ = world.call(m, Act::Accept(group, true));
    }

    /// No more faults, everything taken, all closed: what is left must be nothing.
    fn end(&mut self) {
        for m in 0..MACHINES {
            self.world.machines[m].disk_delay = 0;
            if self.world.machines[m].alive {
                self.world.take_all(m);
            }
        }
        let stalled: Vec<u64> = self.world.live_wires();
        for w in stalled {
            if self.world.wires[&w].stalled != [false; 2] {
                self.world.cut(w);
            }
        }
        self.world.run(100 * SECOND);
        for m in 0..MACHINES {
            let (Some(group), ids) = (self.groups[m], self.ids(m)) else { continue };
            for id in ids {
                let _ = self.world.close(m, group, id);
            }
        }
        self.world.run(100 * SECOND);
    }

    fn run(seed: u64, fates: &[Fate]) -> Story {
        let mut story = Story::begin(seed);
        for fate in fates {
            story.undergo(fate);
        }
        story
    }

    fn everybody(&self) -> impl Iterator<Item = &Machine> {
        self.past.iter().chain(&self.world.machines)
    }
}

fn pick(from: &[u64], n: usize) -> Option<u64> {
    (!from.is_empty()).then(|| from[n % from.len()])
}

/// The same node, from its seed.
fn reborn(machine: &Machine) -> Node<Fake> {
    machine.start.node(machine.node.authority().clone())
}

/// What was recorded, by way of its text.
fn written_and_read(machine: &Machine) -> Trace {
    let recorded = Trace { start: machine.start.clone(), entries: machine.acts.clone() };
    let text = recorded.to_string();
    let read = Trace::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    assert!(read == recorded, "what is read is what was written");
    read
}

fn all(node: &mut Node<Fake>) -> Vec<Output> {
    std::iter::from_fn(|| node.poll()).collect()
}

/// The messages that began to be sent by the peer end of a connection: found by their serial numbers.
fn is_part(received: &[Bytes], sent: &[Bytes]) -> bool {
    sent.len() >= received.len() && sent[..received.len()] == *received
}

proptest! {
    #![proptest_config(config(60))]

    /// Promises 1, 2 and 4: the same calls make the same outputs in the same order, whether they are collected after each
    /// call, now and then, or at the end, and whether they come from memory or from a written trace.
    #[test]
    fn the_same_calls_make_the_same_outputs_however_late_they_are_collected(
        seed in any::<u64>(),
        fates in fates(60),
        rhythm in prop::collection::vec(0..20_usize, 1..5),
    ) {
        let story = Story::run(seed, &fates);
        for machine in story.everybody() {
            let (mut prompt, mut late, mut last) = (reborn(machine), reborn(machine), reborn(machine));
            let (mut prompt_out, mut late_out) = (Vec::new(), Vec::new());
            let mut patience = rhythm.iter().cycle();
            let mut wait = 0;
            for Entry { now, act } in &machine.acts {
                let answer = act.apply(&mut prompt, *now);
                prompt_out.extend(all(&mut prompt));
                prop_assert_eq!(&act.apply(&mut late, *now), &answer);
                prop_assert_eq!(&act.apply(&mut last, *now), &answer);
                if wait == 0 {
                    late_out.extend(all(&mut late));
                    wait = *patience.next().unwrap_or(&0);
                } else {
                    wait -= 1;
                }
            }
            late_out.extend(all(&mut late));
            prop_assert!(prompt_out == machine.outputs, "the recorded run is repeated");
            prop_assert!(late_out == machine.outputs);
            prop_assert!(all(&mut last) == machine.outputs);
            let trace = written_and_read(machine);
            let mut again = trace.start.node(machine.node.authority().clone());
            prop_assert!(replay(&trace.entries, &mut again) == machine.outputs, "so is its text");
        }
    }

    /// Promise 3: a Timeout too many changes nothing, nor does a clock that seems to run back.
    #[test]
    fn early_and_repeated_timeouts_are_harmless_and_time_never_runs_back(
        seed in any::<u64>(),
        fates in fates(40),
        back in 1..SECOND,
    ) {
        let story = Story::run(seed, &fates);
        for machine in story.everybody() {
            let mut node = reborn(machine);
            let mut outputs = Vec::new();
            for (n, Entry { now, act }) in machine.acts.iter().enumerate() {
                let _ = act.apply(&mut node, *now);
                outputs.extend(all(&mut node));
                let due = node.next_timeout();
                if due.is_none_or(|(due, _)| due > now.tick) {
                    let tick = if n % 2 == 0 { now.tick } else { p2p_core::Tick(now.tick.0.saturating_sub(back)) };
                    let early = Now { tick, wall: now.wall };
                    node.handle(Input::Timeout, early);
                    node.handle(Input::Timeout, early);
                    prop_assert_eq!(node.poll(), None);
                    prop_assert_eq!(node.next_timeout(), due);
                }
            }
            prop_assert!(outputs == machine.outputs);
        }
    }

    /// Invariants 36 to 40: every open has one outcome and every connection one end, messages come in order and whole,
    /// an orderly end means that all has arrived, and nothing is left over. Rules that hold at every step are asserted by
    /// the world itself.
    #[test]
    fn connections_keep_their_word_whatever_the_network_does(seed in any::<u64>(), fates in fates(80)) {
        let mut story = Story::run(seed, &fates);
        story.end();
        for (m, machine) in story.world.machines.iter().enumerate().filter(|(_, x)| x.alive) {
            prop_assert_eq!(machine.check.unfinished(), vec![], "machine {}", m);
            if let Some(group) = story.groups[m] {
                prop_assert_eq!(machine.node.directs(group).unwrap(), vec![]);
            }
        }
        let inboxes: Vec<(&Machine, ConnectionId, &Vec<Bytes>)> = story
            .everybody()
            .flat_map(|machine| machine.inbox.iter().map(move |(id, got)| (machine, *id, got)))
            .collect();
        for (_, _, got) in &inboxes {
            // The serial number of the first message tells who sent it and on which connection.
            let sent = story.sent.values().find(|sent| sent.contains(&got[0])).expect("a sender");
            prop_assert!(is_part(got, sent), "received is a beginning of what was sent");
        }
        for ((m, epoch, id), sent) in &story.sent {
            let Some(machine) = story.everybody().find(|x| x.key == key(*m as u8 + 1) && x.epoch == *epoch) else {
                continue;
            };
            let closed_here = machine.acts.iter().any(|entry| matches!(&entry.act, Act::Close(_, closed) if closed == id));
            let orderly = machine.story(*id).last().is_some_and(|(change, code)| {
                *change == ConnectionChange::Disconnected && code.is_success()
            });
            let closed_by_peer = machine.acts.iter().any(|entry| {
                matches!(&entry.act, Act::Taken(_, ended, Taken::Disconnected) if ended == id)
            });
            let group_closed = machine.acts.iter().any(|entry| matches!(&entry.act, Act::CloseGroup(_)));
            if closed_here && orderly && !group_closed && !closed_by_peer {
                let arrived = inboxes.iter().any(|(_, _, got)| *got == sent);
                prop_assert!(arrived, "an orderly close has delivered everything");
            }
        }
    }
}

proptest! {
    #![proptest_config(config(16))]

    /// Liveness: when the faults are over, everybody finds everybody again, over one link each.
    #[test]
    fn the_mesh_heals_when_the_faults_are_over(seed in any::<u64>(), fates in fates(60)) {
        let mut story = Story::run(seed, &fates);
        story.end();
        for m in 0..MACHINES {
            story.undergo(&Fate::Restart(m, false));
            story.open(m);
            story.world.run(10 * SECOND);
        }
        story.world.run(700 * SECOND);
        for m in 0..MACHINES {
            let group = story.groups[m].expect("opened");
            let neighbours = story.world.machines[m].node.neighbours(group).unwrap();
            prop_assert_eq!(neighbours.len(), MACHINES - 1, "machine {}", m);
        }
        prop_assert_eq!(story.world.live_wires().len(), MACHINES * (MACHINES - 1) / 2);
    }

    /// Promise 5: a peer that sends without end to an application that takes nothing makes us hold a bounded amount.
    #[test]
    fn what_a_peer_can_make_us_hold_is_bounded(seed in any::<u64>(), len in 0..100_000_usize, connections in 1..6_usize) {
        let mut world = World::new(seed);
        world.machine();
        world.machine_with(Limits { receive_queue: 1 << 20, ..Limits::default() });
        let groups = world::introduce(&mut world, 0, 1, 1);
        let ids: Vec<_> = (0..connections).map(|_| world.direct(0, 1, groups)).collect();
        world.machines[1].takes = false;
        let message = Bytes::from(vec![0; len]);
        for _ in 0..8 {
            for [here, _] in &ids {
                for _ in 0..(1 << 20) / (len + 100) {
                    let _ = world.send_message(0, groups[0], *here, message.clone());
                }
            }
            world.run(50 * MS);
        }
        for [_, there] in &ids {
            let held: usize = world.machines[1].inbox.get(there).map_or(0, |got| got.len() * (len + 256));
            // The queue, and one window of messages as small as they get: 19 bytes on the wire count as 256.
            prop_assert!(held <= (1 << 20) * (1 + 256 / 19) + len, "{held}");
        }
    }
}

#[test]
fn a_recorded_run_is_replayed_from_its_text() {
    let (world, _) = world::pair(5);
    let machine = &world.machines[0];
    let trace = written_and_read(machine);
    let run = || replay(&trace.entries, &mut trace.start.node(machine.node.authority().clone()));
    let outputs = run();
    let told =
        outputs.iter().filter(|o| matches!(o, Output::Event { event: Event::Status(_), .. }));
    assert_eq!(told.count(), 2);
    assert!(outputs == machine.outputs);
    assert_eq!(format!("{outputs:?}"), format!("{:?}", run()), "two replays are equal");
}

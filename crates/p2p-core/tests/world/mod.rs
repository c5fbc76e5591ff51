//! A world in one process: nodes, the network between them, their disks, and one virtual clock.
//!
//! It is the driver of every node in it and keeps the duties that `p2p_core`'s contract lists; it asserts that the nodes
//! keep theirs. The same seed gives the same run.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of the world")]

pub mod check;
pub mod fake;
mod machine;
pub mod net;
pub mod raw;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

use p2p_core::{
    Address, FileTime, GroupKey, GroupSnapshot, Input, KeyId, Limits, Now, SECOND, Tick,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

#[allow(unused_imports, reason = "each test file uses a part of the world")]
pub use fake::{Fake, GENESIS, Paper, key};
#[allow(unused_imports, reason = "each test file uses a part of the world")]
pub use machine::{Act, Answer, Drain, KIND, Machine};
use net::Happening;
use wire::Wire;

pub const MS: u64 = 1_000;

/// How the network behaves.
#[derive(Clone, Debug)]
pub struct Net {
    /// One way, µs.
    pub delay: u64,
    /// Added at random, per packet; streams overtake each other by it.
    pub jitter: u64,
    /// Largest chunk; each is cut at random.
    pub chunk: usize,
    /// Addresses that never answer.
    pub black_holes: BTreeSet<Address>,
}

pub struct World {
    pub tick: u64,
    /// Wall clock when the world began, and jumps since.
    pub wall: FileTime,
    pub net: Net,
    pub machines: Vec<Machine>,
    pub wires: BTreeMap<u64, Wire>,
    queue: BTreeMap<(u64, u64), Happening>,
    seq: u64,
    rng: ChaCha8Rng,
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            tick: 0,
            wall: GENESIS,
            net: Net {
                delay: 10 * MS,
                jitter: 2 * MS,
                chunk: 16_384,
                black_holes: BTreeSet::new(),
            },
            machines: Vec::new(),
            wires: BTreeMap::new(),
            queue: BTreeMap::new(),
            seq: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A machine with an identity and an address of its own; its number.
    pub fn machine(&mut self) -> usize {
        self.machine_with(Limits::default())
    }

    pub fn machine_with(&mut self, limits: Limits) -> usize {
        let n = self.machines.len();
        let seed = fake::mix(&[b"seed", &self.random().to_be_bytes()]);
        self.machines.push(Machine::new(key(n as u8 + 1), at(n), limits, seed, self.now()));
        n
    }

    /// Gives a machine a membership and opens the group on it.
    pub fn join(&mut self, m: usize, group: KeyId, snapshot: GroupSnapshot) -> GroupKey {
        let paper = Paper::new(group, self.machines[m].key);
        self.join_as(m, &paper, snapshot)
    }

    pub fn join_as(&mut self, m: usize, paper: &Paper, snapshot: GroupSnapshot) -> GroupKey {
        let group = paper.group;
        self.machines[m].node.authority_mut().chains.insert(group, paper.chain());
        self.machines[m].disk.insert(group, snapshot.clone());
        let act = Act::OpenGroup(group, paper.member(), Box::new(snapshot));
        match self.call(m, act) {
            Ok(Answer::Group(key)) => {
                self.machines[m].groups.insert(key, group);
                key
            }
            other => panic!("open_group: {other:?}"),
        }
    }

    /// Opens the group as its creator does.
    pub fn found(&mut self, m: usize, group: KeyId) -> GroupKey {
        self.join(m, group, GroupSnapshot { synchronised: true, ..GroupSnapshot::default() })
    }

    /// Opens the group as one does who was invited by `by`.
    pub fn invited(&mut self, m: usize, group: KeyId, by: usize) -> GroupKey {
        let addresses = vec![(self.machines[by].key, vec![self.machines[by].address])];
        self.join(m, group, GroupSnapshot { addresses, ..GroupSnapshot::default() })
    }

    pub fn now(&self) -> Now {
        Now { tick: Tick(self.tick), wall: FileTime(self.wall.0 + self.tick * 10) }
    }

    pub fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.random() % end }
    }

    fn at(&mut self, tick: u64, what: Happening) {
        self.seq += 1;
        self.queue.insert((tick.max(self.tick), self.seq), what);
    }

    fn soon(&mut self, m: usize, after: u64, input: Input) {
        let epoch = self.machines[m].epoch;
        self.at(self.tick + after, Happening::Input(m, epoch, input));
    }

    /// When something happens next.
    fn next(&self) -> Option<(u64, Option<usize>)> {
        let timers =
            self.machines.iter().enumerate().filter(|(_, m)| m.alive).filter_map(|(n, m)| {
                m.node.next_timeout().map(|(tick, _)| (tick.0.max(self.tick), Some(n)))
            });
        let timer = timers.min_by_key(|(tick, n)| (*tick, *n));
        let queued = self.queue.first_key_value().map(|((tick, _), _)| (*tick, None));
        // A timer that is due comes before the inputs of its moment.
        [timer, queued].into_iter().flatten().min_by_key(|(tick, n)| (*tick, n.is_none()))
    }

    /// One thing happens, unless it is later than `until`.
    pub fn step(&mut self, until: u64) -> bool {
        let Some((tick, timer)) = self.next().filter(|(tick, _)| *tick <= until) else {
            return false;
        };
        self.tick = self.tick.max(tick);
        match timer {
            Some(m) => self.input(m, Input::Timeout),
            None => {
                if let Some((_, what)) = self.queue.pop_first() {
                    self.happen(what);
                }
            }
        }
        true
    }

    pub fn run(&mut self, micros: u64) {
        let until = self.tick + micros;
        let mut steps = 0_u64;
        while self.step(until) {
            steps += 1;
            assert!(steps < 5_000_000, "the world does not come to rest");
        }
        self.tick = until;
    }

    /// Until `done`, for at most a minute of the world's time.
    #[track_caller]
    pub fn until(&mut self, what: &str, done: impl Fn(&World) -> bool) {
        let end = self.tick + 60 * SECOND;
        while !done(self) {
            if !self.step(end) {
                let logs: Vec<_> = self.machines.iter().map(|m| &m.events).collect();
                panic!("waited in vain for {what}; events: {logs:#?}");
            }
        }
    }

    /// Until only timers are left.
    pub fn settle(&mut self) {
        let end = self.tick + 600 * SECOND;
        while !self.queue.is_empty() && self.step(end) {}
    }
}

/// The address of a machine.
pub fn at(n: usize) -> Address {
    Address { ip: Ipv6Addr::new(0x2001, 0xdb8, n as u16 + 1, 0, 0, 0, 0, 1), port: 3_587, scope: 0 }
}

/// Two machines that are neighbours in one group; direct connections are accepted on both.
pub fn pair(seed: u64) -> (World, [GroupKey; 2]) {
    let mut world = World::new(seed);
    world.machine();
    world.machine();
    let groups = introduce(&mut world, 0, 1, 0xaa);
    (world, groups)
}

/// Makes `a` the founder of a group and `b` its second member, and waits until both are online.
pub fn introduce(world: &mut World, a: usize, b: usize, group: u8) -> [GroupKey; 2] {
    let group = key(group);
    let ga = world.found(a, group);
    let gb = world.invited(b, group, a);
    world.connect(a, ga, &[]);
    world.settle();
    world.connect(b, gb, &[]);
    let online = |w: &World, m: usize, g| w.machines[m].node.status(g).is_ok_and(|s| s.bits() == 3);
    world.until("both online", |w| online(w, a, ga) && online(w, b, gb));
    world.accept(a, ga, true);
    world.accept(b, gb, true);
    [ga, gb]
}

/// A shared list of addresses, as `Listening` wants it.
pub fn addresses(list: &[Address]) -> Arc<[Address]> {
    Arc::from(list)
}

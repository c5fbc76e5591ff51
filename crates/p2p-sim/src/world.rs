//! Nodes, the network between them, their disks, and one virtual clock.
//!
//! The world is the driver of every node in it and keeps the duties that `p2p_core::io` lists. After every call it writes
//! down what can be seen from outside (`observe.rs`), asks every check of [`invariants`], and only then
//! obeys. At the first broken rule it stops.

mod act;
mod net;
mod observe;
mod raw;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv6Addr;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::trace::{Act, Answer, Entry, Start};
use p2p_core::{
    Address, Config, DialId, DownCause, Error, Expect, FileTime, GroupSnapshot, Input, KeyId, Now,
    Output, Roles, Tick,
};

use crate::bug::Bug;
use crate::dice::Dice;
use crate::fake::{Fake, GENESIS, Paper, mix};
use crate::hash::Fingerprint;
use crate::host::{App, Disk, Host, Ledger};
use crate::invariants::{self, Violation};
use crate::plan::{Planned, Settings, Speed};
use crate::wire::{Item, Key, Wire};

/// What is going to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    Input(usize, u32, Input),
    Dialled {
        host: usize,
        epoch: u32,
        dial: DialId,
        address: Address,
        expect: Expect,
    },
    Up(u64, usize, Input),
    Arrive(u64, usize, Item),
    /// The receiver reads what credit allows.
    Read(u64, usize, Key),
    Down(u64, usize, DownCause),
    /// The silence of this number may have lasted too long.
    Silence(u64, u64),
    /// A commit is done.
    Synced(usize, u32),
    /// An application takes one thing.
    Take(usize, u32),
    /// The checks that look at all hosts together.
    Beat,
}

/// One call to a node, and what came of it.
pub struct Step<'a> {
    /// Whose node.
    pub host: usize,
    /// When.
    pub now: Now,
    /// What.
    pub act: &'a Act,
    /// What it said.
    pub answer: &'a Result<Answer, Error>,
    /// What it wants done.
    pub outputs: &'a [Output],
}

/// What is wrong with a chain that somebody in the world holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// Nobody signed it.
    Forged,
    /// A member who may not issue issued it, or more than it may.
    OverRole,
    /// It is longer than a chain may be.
    TooLong,
    /// It is another group's.
    OtherGroup,
}

/// A chain that exists in the world: the truth about it, whatever anybody verifies.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Whose.
    pub key: KeyId,
    /// Of which of the world's groups.
    pub group: usize,
    /// What it grants.
    pub roles: Roles,
    /// Its end.
    pub until: FileTime,
    /// Who stands in it, the creator first.
    pub path: Vec<KeyId>,
    /// Why it grants nothing.
    pub flaw: Option<Flaw>,
}

/// A membership taken back, as its bytes say it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revoked {
    /// Who stands in the signer's chain: the fewer, the more it counts.
    pub signer: Vec<KeyId>,
    /// In which of the world's groups.
    pub group: usize,
    /// Whose membership.
    pub target: KeyId,
}

impl Revoked {
    /// Whether it takes a chain back: its target stands there, deeper than the signer in its own.
    fn covers(&self, group: usize, path: &[KeyId]) -> bool {
        self.group == group && path.iter().skip(self.signer.len()).any(|key| *key == self.target)
    }
}

/// A world.
pub struct World {
    /// How it was built.
    pub settings: Settings,
    /// µs since it began.
    pub tick: u64,
    /// All machines: honest ones first.
    pub hosts: Vec<Host>,
    /// All connections that ever were.
    pub wires: BTreeMap<u64, Wire>,
    /// Those of them that may still carry anything.
    pub live: BTreeSet<u64>,
    /// The keys of its groups.
    pub groups: Vec<KeyId>,
    /// Every chain.
    pub registry: BTreeMap<Bytes, Truth>,
    /// Revocations that somebody honest has told of.
    pub revoked: BTreeSet<Revoked>,
    /// Who cannot dial whom.
    pub no_dial: BTreeSet<(usize, usize)>,
    /// Who hears nothing from whom.
    pub partition: Option<u64>,
    /// Calls so far.
    pub steps: u64,
    /// Over everything that went in and came out.
    pub print: Fingerprint,
    /// The rule that was broken, if one was.
    pub violation: Option<Violation>,
    /// What is broken on purpose.
    pub bug: Option<Bug>,
    /// Since when one host lists a neighbour that does not list it.
    pub lopsided: BTreeMap<(usize, usize, usize), u64>,
    /// Lines for whoever wants to read along, if anybody does.
    pub script: Option<String>,
    /// What the quiet period has found out.
    pub talks: Vec<crate::quiet::Talk>,
    /// No more faults.
    pub quiet: bool,
    /// Serial number of the last message.
    pub serial: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    seq: u64,
    dice: Dice,
}

/// How often the checks run that look at all hosts together, in µs.
const BEAT: u64 = 250_000;
/// Steps after which a world that does not come to rest is given up.
const STEPS_MAX: u64 = 3_000_000;

impl World {
    /// A world whose nodes have opened nothing yet.
    pub fn new(settings: &Settings, bug: Option<Bug>) -> World {
        let groups: Vec<KeyId> = (0..settings.groups as u8).map(|g| key(b"group", g)).collect();
        let mut world = World {
            settings: settings.clone(),
            tick: 0,
            hosts: Vec::new(),
            wires: BTreeMap::new(),
            live: BTreeSet::new(),
            groups,
            registry: BTreeMap::new(),
            revoked: BTreeSet::new(),
            no_dial: BTreeSet::new(),
            partition: None,
            steps: 0,
            print: Fingerprint::default(),
            violation: None,
            bug,
            lopsided: BTreeMap::new(),
            script: None,
            talks: Vec::new(),
            quiet: false,
            serial: 0,
            queue: BTreeMap::new(),
            seq: 0,
            dice: Dice::new(settings.seed, 2),
        };
        (0..settings.nodes()).for_each(|n| world.add_host(n));
        world.at(BEAT, Happening::Beat);
        world
    }

    fn add_host(&mut self, n: usize) {
        let settings = self.settings.clone();
        let honest = n < settings.honest;
        let cloned = settings.clone && n + 1 == settings.honest;
        let key = key(b"host", if cloned { 0 } else { n as u8 });
        let drift = self.dice.below(1_001) as i64 - 500;
        let papers = self.papers(n, key, honest);
        let chains = self.groups.iter().zip(&papers);
        let chains = chains.filter_map(|(g, p)| Some((*g, p.as_ref()?.chain.clone()))).collect();
        let trusting = self.bug == Some(Bug::TrustingAuthority) && honest;
        let fake = Fake { own: key, chains, trusting, bug: self.bug.filter(|_| honest && n > 0) };
        let start = self.start(None);
        let mut synced = BTreeMap::new();
        let hints = self.hints(n);
        for (g, group) in self.groups.iter().enumerate().filter(|(g, _)| papers[*g].is_some()) {
            // The first host founded the first group, and the second the second.
            let synchronised = n == g;
            let addresses = hints.clone();
            let snapshot = GroupSnapshot { synchronised, addresses, ..GroupSnapshot::default() };
            synced.insert(*group, snapshot);
        }
        let disk = Disk { synced, waiting: VecDeque::new(), committing: 0, speed: Speed::Fast };
        // One run of each world is replayed in the end.
        let calls = (n as u64 == settings.seed % settings.honest as u64).then(Vec::new);
        let ledger = Ledger { calls, ..Ledger::default() };
        self.hosts.push(Host {
            index: n,
            honest,
            key,
            address: at(n, 0),
            node: start.node(fake),
            start,
            alive: true,
            epoch: 0,
            wants_socket: false,
            listening: false,
            can_listen: true,
            links: BTreeMap::new(),
            next_link: 1,
            dials: BTreeSet::new(),
            open: vec![None; papers.len()],
            papers,
            disk,
            app: App::default(),
            wall: 0,
            drift,
            bends: 0,
            ledger,
        });
    }

    /// How a run begins.
    pub(crate) fn start(&mut self, previous: Option<p2p_core::InstanceId>) -> Start {
        let mut limits = self.settings.limits.clone();
        match self.bug {
            Some(Bug::EagerDials) => (limits.dials, limits.dial_pause) = (1_000, 1),
            Some(Bug::ManyNeighbours) => limits.neighbours = 60,
            _ => {}
        }
        let mut seed = mix(&[b"seed", &self.dice.roll().to_be_bytes()]);
        if self.bug == Some(Bug::OtherSeed) {
            // An address in memory, which is another one in every run.
            let place = Box::new(0_u8);
            seed[..8].copy_from_slice(&(std::ptr::from_ref(&*place) as u64).to_be_bytes());
            seed[8..16].copy_from_slice(&crate::bug::counted().to_be_bytes());
        }
        Start {
            config: Config { limits, previous },
            seed,
            now: Now { tick: Tick(self.tick), wall: GENESIS },
        }
    }

    /// What a host shows in each group: honest members get good chains of various lengths, hostile ones whatever.
    fn papers(&mut self, n: usize, key: KeyId, honest: bool) -> Vec<Option<Arc<p2p_core::Member>>> {
        (0..self.groups.len()).map(|g| self.paper(n, key, honest, g)).collect()
    }

    fn paper(
        &mut self,
        n: usize,
        key: KeyId,
        honest: bool,
        g: usize,
    ) -> Option<Arc<p2p_core::Member>> {
        let (group, founder) = (self.groups[g], self::key(b"host", g as u8));
        let root = Paper::founder(group, founder);
        let belongs = g == 0 || n == g || !self.dice.one_in(3);
        let flaw = [
            None,
            Some(Flaw::Forged),
            Some(Flaw::OverRole),
            Some(Flaw::TooLong),
            Some(Flaw::OtherGroup),
        ][if honest { 0 } else { self.dice.index(5) }];
        if !belongs {
            return None;
        }
        let middle = self::key(b"absent", n as u8);
        let mut paper = match flaw {
            _ if key == founder => root.clone(),
            None if self.dice.one_in(2) => {
                root.issue(middle, Roles::INVITING_MEMBER).issue(key, Roles::MEMBER)
            }
            None => root.issue(key, Roles::ADMIN),
            Some(Flaw::OverRole) => root.issue(middle, Roles::MEMBER).issue(key, Roles::ADMIN),
            Some(Flaw::TooLong) => {
                let longer = |p: Paper, n: u8| p.issue(self::key(b"rung", n), Roles::ADMIN);
                (0..24).fold(root.clone(), longer).issue(key, Roles::ADMIN)
            }
            Some(Flaw::Forged) => Paper { genuine: false, ..root.issue(key, Roles::ADMIN) },
            Some(Flaw::OtherGroup) => Paper::founder(self::key(b"elsewhere", n as u8), key),
        };
        if honest && n > 1 && self.dice.one_in(6) {
            // This one ends while the world turns, or an hour's jump makes it end.
            let last = paper.rungs.len() - 1;
            paper.rungs[last].until = GENESIS.plus_seconds(self.dice.below(3_000));
        }
        let member = paper.member();
        let truth = Truth {
            key,
            group: g,
            roles: member.roles,
            until: member.not_after,
            path: paper.rungs.iter().map(|rung| rung.key).collect(),
            flaw,
        };
        self.registry.insert(member.chain.clone(), truth);
        Some(member)
    }

    /// Whom an invitation told a host of: the first two, and some others.
    fn hints(&mut self, n: usize) -> Vec<(KeyId, Vec<Address>)> {
        let mut hints = Vec::new();
        for other in (0..self.settings.nodes()).filter(|other| *other != n) {
            if other < 2 || self.dice.one_in(3) {
                let cloned = self.settings.clone && other + 1 == self.settings.honest;
                hints
                    .push((key(b"host", if cloned { 0 } else { other as u8 }), vec![at(other, 0)]));
            }
        }
        hints
    }

    /// Everybody opens the groups that they belong to, one after another.
    pub fn begin(&mut self) {
        for m in 0..self.hosts.len() {
            for g in 0..self.groups.len() {
                self.open_group(m, g);
            }
            self.run(self.settings.delay);
        }
    }

    /// What a host's clocks say.
    pub fn now(&self, host: usize) -> Now {
        let host = &self.hosts[host];
        let gone = self.tick as i64 * 10;
        let wall = GENESIS.0 as i64 + gone + gone / 1_000_000 * host.drift + host.wall;
        Now { tick: Tick(self.tick), wall: FileTime(wall.max(0) as u64) }
    }

    /// The network's dice.
    pub(crate) fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    pub(crate) fn at(&mut self, tick: u64, what: Happening) {
        self.seq += 1;
        self.queue.insert((tick.max(self.tick), self.seq), what);
    }

    pub(crate) fn soon(&mut self, host: usize, after: u64, input: Input) {
        let epoch = self.hosts[host].epoch;
        self.at(self.tick + after, Happening::Input(host, epoch, input));
    }

    /// One call to a host's node: recorded, watched, checked, obeyed.
    pub fn call(&mut self, host: usize, act: Act) -> Result<Answer, Error> {
        if self.violation.is_some() {
            return Err(Error::NotReady);
        }
        let now = self.now(host);
        let entry = &mut self.hosts[host];
        if let Some(calls) = &mut entry.ledger.calls {
            calls.push(Entry { now, act: act.clone() });
        }
        self.steps += 1;
        let answer = act.apply(&mut entry.node, now);
        let mut outputs: Vec<Output> = std::iter::from_fn(|| entry.node.poll()).collect();
        entry.ledger.print.add(&outputs);
        if let Some(bug) = self.bug {
            bug.corrupt(&entry.open, &mut outputs);
        }
        self.fold(host, &act, &answer, &outputs);
        let step = Step { host, now, act: &act, answer: &answer, outputs: &outputs };
        self.observe(&step);
        self.violation = invariants::after(self, &step);
        if self.violation.is_some() {
            return answer;
        }
        for output in outputs {
            self.obey(host, output);
        }
        answer
    }

    /// Takes a step into the fingerprint, and into the script.
    fn fold(&mut self, host: usize, act: &Act, answer: &Result<Answer, Error>, outputs: &[Output]) {
        self.print.add(&(self.tick, host));
        match act {
            Act::Input(input) => self.print.add(input),
            other => self.print.add(&format!("{other:?}{answer:?}")),
        }
        self.print.add(&outputs);
        if let Some(script) = &mut self.script {
            script.push_str(&format!("{} #{host} {act:?} -> {answer:?}\n", self.tick));
            outputs.iter().for_each(|output| script.push_str(&format!("    {output:?}\n")));
        }
    }

    pub(crate) fn input(&mut self, host: usize, input: Input) {
        // An input has no answer.
        let _ = self.call(host, Act::Input(input));
    }

    /// When something happens next; a timer that is due comes before the inputs of its moment.
    fn next(&self) -> Option<(u64, Option<usize>)> {
        let due = |host: &Host| {
            let (tick, _) = host.node.next_timeout().filter(|_| host.alive)?;
            Some((tick.0.max(self.tick), Some(host.index)))
        };
        let stopped = self.bug == Some(Bug::NoTimeouts);
        let timer = self.hosts.iter().filter_map(due).filter(|_| !stopped).min();
        let queued = self.queue.first_key_value().map(|((tick, _), _)| (*tick, None));
        [timer, queued].into_iter().flatten().min_by_key(|(tick, n)| (*tick, n.is_none()))
    }

    /// One thing happens, unless it is later than `until`.
    fn step(&mut self, until: u64) -> bool {
        let Some((tick, timer)) = self.next().filter(|(tick, _)| *tick <= until) else {
            return false;
        };
        self.tick = self.tick.max(tick);
        match timer {
            Some(host) => self.input(host, Input::Timeout),
            None => {
                if let Some((_, what)) = self.queue.pop_first() {
                    self.happen(what);
                }
            }
        }
        true
    }

    /// The world turns for so many µs, or until a rule is broken.
    pub fn run(&mut self, micros: u64) {
        let until = self.tick + micros;
        while self.violation.is_none() && self.step(until) {
            if self.steps > STEPS_MAX {
                self.break_rule("world", None, "the world does not come to rest".to_owned());
            }
        }
        if self.violation.is_none() {
            self.tick = until;
        }
    }

    /// Everything that was planned.
    pub fn undergo(&mut self, planned: &Planned) {
        self.run(planned.wait);
        if self.violation.is_none() {
            self.perform(&planned.action);
        }
    }

    pub(crate) fn beat(&mut self) {
        if self.violation.is_none() {
            self.watch_neighbours();
            self.violation = invariants::on_beat(self);
        }
        self.at(self.tick + BEAT, Happening::Beat);
    }

    /// A rule that is not one of the table was broken: the contract between a node and its driver, or the world itself.
    pub(crate) fn break_rule(&mut self, row: &'static str, host: Option<usize>, text: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation::new(self, row, host, text));
        }
    }

    /// Whether a host was told, before `tick`, of revocations that take all good chains of a key back and that hold.
    pub fn knows_revoked(&self, host: usize, group: usize, key: &KeyId, tick: u64) -> bool {
        let told = self.hosts[host].ledger.revoked.iter().filter(|(_, at)| **at < tick);
        let told: Vec<&Revoked> = told.map(|(revoked, _)| revoked).collect();
        let good = |t: &&Truth| t.key == *key && t.group == group && t.flaw.is_none();
        let over = |t: &Truth| {
            let holds =
                |r: &&&Revoked| r.covers(group, &t.path) && !self.is_taken_back(group, &r.signer);
            told.iter().any(|r| holds(&r))
        };
        !told.is_empty() && self.registry.values().filter(good).all(over)
    }

    /// Whether a chain is taken back, as everybody will know who knows everything. A revocation is void if its signer's chain was taken back from above.
    pub fn is_taken_back(&self, group: usize, path: &[KeyId]) -> bool {
        let mut order: Vec<&Revoked> = self.revoked.iter().filter(|r| r.group == group).collect();
        order.sort_by_key(|revoked| revoked.signer.len());
        let mut in_force: Vec<&Revoked> = Vec::new();
        for revoked in order {
            if !in_force.iter().any(|r| r.covers(group, &revoked.signer)) {
                in_force.push(revoked);
            }
        }
        in_force.iter().any(|r| r.covers(group, path))
    }

    /// Whether packets pass from one host to another.
    pub fn hears(&self, from: usize, to: usize) -> bool {
        self.partition.is_none_or(|mask| (mask >> (from % 64)) & 1 == (mask >> (to % 64)) & 1)
    }
}

/// A key of the world.
pub(crate) fn key(kind: &[u8], n: u8) -> KeyId {
    KeyId(mix(&[kind, &[n]]))
}

/// The address of a host, after so many moves.
pub(crate) fn at(n: usize, moves: u16) -> Address {
    let ip = Ipv6Addr::new(0x2001, 0xdb8, n as u16 + 1, 0, 0, 0, 0, 1);
    Address { ip, port: 3_587 + moves, scope: 0 }
}

//! A world: machines and the network between them, and everything that may happen next.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use p2p_core::{Canonical, ConnectionId, DownCause, FileTime, Input, Now, SECOND, Taken, Tick};

use crate::app::{App, Broken, Label, Notice, Phase};
use crate::digest::digest;
use crate::fake::GENESIS;
use crate::machine::{Machine, endpoints, limits};
use crate::mutations::Mutation;
use crate::scope::{Scope, Start};
use crate::wire::{Dialling, Wire};

/// Deadlines further away than this are not waited for: 95 s is what everything must be over in.
pub(crate) const HORIZON: u64 = 95 * SECOND;

/// One thing that may happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// The open with this number in the scope's list.
    Open(usize),
    /// A machine sends a message on a connection.
    Send(usize, ConnectionId),
    /// A machine closes a connection.
    Close(usize, ConnectionId),
    /// A machine's application takes the next thing from its queue.
    Take(usize),
    /// A machine accepts direct connections, or does so no longer.
    Accept(usize, bool),
    /// A machine closes its group.
    Leave(usize),
    /// The next thing of a stream arrives: wire, opener and number of the stream, sending end.
    Deliver(u32, usize, u64, usize),
    /// An end of a wire hears of its link's end.
    Notice(u32, usize),
    /// A dial succeeds.
    Answer(usize),
    /// A dial fails.
    Fail(usize),
    /// A link breaks.
    Cut(u32),
    /// A machine dies.
    Crash(usize),
    /// A machine starts again.
    Restart(usize),
    /// Nothing happens until the next deadline.
    Wait,
}

/// What the scope still allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    opens: Vec<bool>,
    sends: Vec<u8>,
    losses: u8,
    unreachable: u8,
    crashes: u8,
    toggles: u8,
    leaves: u8,
    waits: u8,
}

/// A world between two happenings: everything that can arrive is still under way.
#[derive(Clone)]
pub struct World {
    pub(crate) scope: Scope,
    pub(crate) mutation: Option<&'static Mutation>,
    pub(crate) now: Tick,
    pub(crate) machines: Vec<Arc<Machine>>,
    pub(crate) wires: BTreeMap<u32, Arc<Wire>>,
    pub(crate) dials: Vec<Dialling>,
    left: Left,
    /// Nothing has gone wrong but what applications did.
    pub(crate) clean: bool,
    /// Somebody has not accepted direct connections at some time.
    pub(crate) declined: bool,
    /// Messages handed to an application, by the connection that sent them, and on which connection they came.
    pub(crate) delivered: BTreeMap<Label, (u8, Label)>,
    pub(crate) next_wire: u32,
    pub(crate) broken: Option<Broken>,
    /// What was told, for those who read a history.
    pub(crate) log: Option<Vec<String>>,
}

impl World {
    /// A world as the scope says that it begins.
    pub fn new(scope: &Scope, mutation: Option<&'static Mutation>) -> World {
        let mut world = World {
            scope: *scope,
            mutation: None,
            now: Tick(0),
            machines: Vec::new(),
            wires: BTreeMap::new(),
            dials: Vec::new(),
            left: Left {
                opens: vec![true; scope.opens.len()],
                sends: vec![scope.sends; scope.nodes],
                losses: scope.losses,
                unreachable: scope.unreachable,
                crashes: scope.crashes,
                toggles: scope.toggles,
                leaves: scope.leaves,
                waits: scope.waits,
            },
            clean: scope.stranger.is_none(),
            declined: false,
            delivered: BTreeMap::new(),
            next_wire: 1,
            broken: None,
            log: None,
        };
        for m in 0..scope.nodes {
            world.machines.push(Arc::new(Machine::new(scope, m, 0, None, world.time())));
            world.begin(m);
        }
        world.introduce(scope.start);
        world.mutation = mutation;
        #[cfg(feature = "mutations")]
        for m in 0..scope.nodes {
            world.patch(m);
        }
        world
    }

    /// Makes the links that the world begins with.
    fn introduce(&mut self, start: Start) {
        let pairs = (0..self.scope.nodes).flat_map(|b| (0..b).map(move |a| (a, b)));
        for (a, b) in pairs.filter(|_| start != Start::Apart) {
            if start == Start::Neighbours {
                let now = self.time();
                let machine = self.machine(a);
                let group = machine.group;
                machine.node.connect(group, &endpoints(b), now).expect("connect");
                self.drain(a);
            } else {
                let id = self.open(a, b).expect("open");
                self.run_dry();
                self.close(a, id);
            }
            self.run_dry();
        }
        self.now = self.now + 2 * SECOND;
        for m in 0..self.scope.nodes {
            while !self.machines[m].app.queue.is_empty() {
                self.take(m);
            }
            self.machine(m).app = App::default();
        }
        assert_eq!(self.broken, None, "the world begins whole");
    }

    /// A machine that was switched on goes online.
    fn begin(&mut self, m: usize) {
        let now = self.time();
        let machine = self.machine(m);
        let group = machine.group;
        machine.node.connect(group, &[], now).expect("a group can go online");
        machine.node.accept_direct(group, true, now).expect("a group accepts");
        machine.accepting = true;
        self.drain(m);
    }

    /// Both clocks.
    pub(crate) fn time(&self) -> Now {
        Now { tick: self.now, wall: FileTime(GENESIS.0 + self.now.0 * 10) }
    }

    pub(crate) fn machine(&mut self, m: usize) -> &mut Machine {
        let machine = Arc::make_mut(&mut self.machines[m]);
        machine.digest = OnceLock::new();
        machine
    }

    #[cfg(feature = "mutations")]
    fn patch(&mut self, m: usize) {
        if let Some(patch) = self.mutation.and_then(Mutation::patch) {
            self.machine(m).node.patch(patch);
        }
    }

    pub(crate) fn wire(&mut self, w: u32) -> Option<&mut Wire> {
        self.wires.get_mut(&w).map(Arc::make_mut)
    }

    /// From now on what happens is written down.
    pub fn record(&mut self) {
        self.log.get_or_insert_default();
    }

    /// What was written down.
    pub fn history(&self) -> &[String] {
        self.log.as_deref().unwrap_or_default()
    }

    /// What is broken, if anything.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Everything that may happen next.
    pub fn actions(&self) -> Vec<Action> {
        let mut all = self.arrivals();
        let left = &self.left;
        for (n, (from, _)) in self.scope.opens.iter().enumerate() {
            if left.opens[n] && self.machines[*from].is_here() {
                all.push(Action::Open(n));
            }
        }
        for (m, machine) in self.machines.iter().enumerate() {
            if !machine.alive {
                all.push(Action::Restart(m));
                continue;
            }
            if machine.is_here() {
                self.calls(m, machine, &mut all);
            }
            if !machine.app.queue.is_empty() {
                all.push(Action::Take(m));
            }
            if left.crashes > 0 {
                all.push(Action::Crash(m));
            }
        }
        if left.unreachable > 0 {
            let answered = (0..self.dials.len()).filter(|n| self.is_answered(*n));
            all.extend(answered.map(Action::Fail));
        }
        if left.losses > 0 {
            let whole = |w: &Wire| w.ends.iter().all(|e| !e.over && e.notice.is_none());
            all.extend(self.wires.iter().filter(|(_, w)| whole(w)).map(|(w, _)| Action::Cut(*w)));
        }
        if left.waits > 0 && self.deadline().is_some() {
            all.push(Action::Wait);
        }
        all
    }

    /// What an application may call.
    fn calls(&self, m: usize, machine: &Machine, all: &mut Vec<Action>) {
        let limits = limits(&self.scope);
        for (id, seen) in &machine.app.seen {
            if seen.phase == Phase::Standing && !seen.closed && self.left.sends[m] > 0 {
                all.push(Action::Send(m, *id));
            }
            let closes = self.scope.closers.contains(&m);
            if closes && machine.app.may_close(*id, self.now, &limits) {
                all.push(Action::Close(m, *id));
            }
        }
        if self.left.toggles > 0 {
            all.push(Action::Accept(m, !machine.accepting));
        }
        if self.left.leaves > 0 {
            all.push(Action::Leave(m));
        }
    }

    /// What is under way and may arrive now.
    pub(crate) fn arrivals(&self) -> Vec<Action> {
        let mut all = Vec::new();
        for (w, wire) in &self.wires {
            for key in wire.streams.keys() {
                for from in [0, 1].into_iter().filter(|from| wire.delivers(*key, *from)) {
                    all.push(Action::Deliver(*w, key.0, key.1, from));
                }
            }
            for (end, entry) in wire.ends.iter().enumerate() {
                if entry.notice.is_some() && !entry.over {
                    all.push(Action::Notice(*w, end));
                }
            }
        }
        for n in 0..self.dials.len() {
            let outcome = if self.is_answered(n) { Action::Answer(n) } else { Action::Fail(n) };
            all.push(outcome);
        }
        all
    }

    fn is_answered(&self, dial: usize) -> bool {
        let Dialling { target, expect, .. } = &self.dials[dial];
        let there = |m: &usize| {
            let machine = &self.machines[*m];
            machine.alive && machine.listening && expect.admits(&crate::fake::key(*m))
        };
        target.as_ref().is_some_and(there)
    }

    /// The next deadline of anybody, if it is near.
    pub(crate) fn deadline(&self) -> Option<Tick> {
        let timers = self.machines.iter().filter(|m| m.alive).filter_map(|m| m.node.next_timeout());
        timers.map(|(at, _)| at).min().filter(|at| at.since(self.now) <= HORIZON)
    }

    /// One thing happens. What is broken by it stays in the world.
    pub fn apply(&mut self, action: Action) {
        if self.log.is_some() {
            let line = self.show(action);
            self.note(|| line);
        }
        match action {
            Action::Open(n) => {
                self.left.opens[n] = false;
                let (from, to) = self.scope.opens[n];
                self.open(from, to);
            }
            Action::Send(m, id) => {
                self.left.sends[m] -= 1;
                self.send(m, id);
            }
            Action::Close(m, id) => self.close(m, id),
            Action::Take(m) => self.take(m),
            Action::Accept(m, on) => {
                self.left.toggles -= 1;
                self.declined = true;
                self.accept(m, on);
            }
            Action::Leave(m) => {
                self.left.leaves -= 1;
                self.clean = false;
                self.leave(m);
            }
            Action::Deliver(w, opener, number, from) => self.deliver(w, (opener, number), from),
            Action::Notice(w, end) => self.notice(w, end),
            Action::Answer(n) => self.answer(n),
            Action::Fail(n) => {
                if self.is_answered(n) {
                    self.left.unreachable -= 1;
                    self.clean = false;
                }
                self.fail(n);
            }
            Action::Cut(w) => {
                self.left.losses -= 1;
                self.clean = false;
                if let Some(wire) = self.wire(w) {
                    wire.cut();
                }
            }
            Action::Crash(m) => self.crash(m),
            Action::Restart(m) => self.restart(m),
            Action::Wait => {
                self.left.waits -= 1;
                self.wait();
            }
        }
        self.sweep();
        if let Err(broken) = self.check() {
            self.broken.get_or_insert(broken);
        }
    }

    fn accept(&mut self, m: usize, on: bool) {
        let now = self.time();
        let machine = self.machine(m);
        machine.accepting = on;
        let answer = machine.node.accept_direct(machine.group, on, now);
        self.expect(answer == Ok(()), || format!("accept_direct answers {answer:?}"));
        self.drain(m);
    }

    fn answer(&mut self, n: usize) {
        let Dialling { machine, dial, target, .. } = self.dials.remove(n);
        let Some(target) = target else { return };
        let first = self.machine(machine).fresh_link();
        let second = self.machine(target).fresh_link();
        let w = self.next_wire;
        self.next_wire += 1;
        self.wires.insert(w, Arc::new(Wire::new([(machine, first), (target, second)])));
        self.machine(machine).links.insert(first, (w, 0));
        self.machine(target).links.insert(second, (w, 1));
        let mut binding = [0; 32];
        binding[..4].copy_from_slice(&w.to_be_bytes());
        for (me, link, other, dial) in
            [(machine, first, target, Some(dial)), (target, second, machine, None)]
        {
            let (peer, remote) = (crate::fake::key(other), crate::machine::at(other));
            self.input(me, Input::LinkUp { link, dial, peer, binding, remote });
            self.drain(me);
        }
    }

    pub(crate) fn fail(&mut self, n: usize) {
        let Dialling { machine, dial, .. } = self.dials.remove(n);
        self.input(machine, Input::DialFailed { dial, cause: DownCause::Unreachable });
        self.drain(machine);
    }

    fn crash(&mut self, m: usize) {
        self.left.crashes -= 1;
        self.clean = false;
        self.note(|| format!("{} dies", name(m)));
        let machine = self.machine(m);
        machine.alive = false;
        machine.listening = false;
        let links = std::mem::take(&mut machine.links);
        self.dials.retain(|dial| dial.machine != m);
        for (w, end) in links.into_values() {
            let Some(wire) = self.wire(w) else { continue };
            wire.ends[end].over = true;
            let other = &mut wire.ends[1 - end];
            if !other.over {
                other.notice.get_or_insert(DownCause::Timeout);
            }
        }
    }

    fn restart(&mut self, m: usize) {
        let old = &self.machines[m];
        let previous = self.scope.remembers.then(|| old.node.instance());
        let mut new = Machine::new(&self.scope, m, old.run + 1, previous, self.time());
        new.next_link = old.next_link;
        self.machines[m] = Arc::new(new);
        #[cfg(feature = "mutations")]
        self.patch(m);
        self.begin(m);
    }

    /// Time passes until the next deadline.
    pub(crate) fn wait(&mut self) {
        let Some(at) = self.deadline() else { return };
        self.clean = false;
        self.now = self.now.max(at);
        for m in 0..self.machines.len() {
            let due = |m: &Machine| m.node.next_timeout().is_some_and(|(tick, _)| tick <= at);
            if self.machines[m].alive && due(&self.machines[m]) {
                self.input(m, Input::Timeout);
                self.drain(m);
            }
        }
    }

    /// The application takes the next thing from its queue.
    pub(crate) fn take(&mut self, m: usize) {
        let now = self.time();
        let machine = self.machine(m);
        let Some(notice) = machine.app.queue.pop_front() else { return };
        let (id, what) = match notice {
            Notice::Data(id, bytes) => (id, Taken::Data { bytes }),
            Notice::Ended(id) => {
                if let Some(seen) = machine.app.seen.get_mut(&id) {
                    seen.taken = true;
                }
                (id, Taken::Disconnected)
            }
        };
        machine.node.taken(machine.group, id, what, now);
        self.drain(m);
    }

    /// Forgets wires and streams that are over.
    fn sweep(&mut self) {
        self.wires.retain(|_, wire| !wire.ends.iter().all(|end| end.over));
        for wire in self.wires.values_mut().filter(|wire| wire.has_waste()) {
            Arc::make_mut(wire).sweep();
        }
    }

    /// One number for all worlds in which the same may happen; two that differ have, for all that is likely, two.
    pub fn digest(&self) -> u128 {
        let mut form = Canonical::new();
        for (m, machine) in self.machines.iter().enumerate() {
            let write = || {
                let mut form = Canonical::new();
                machine.canonical(&mut form, m, self.now);
                (self.now, digest(form.text()), form.names())
            };
            let cached = machine.digest.get_or_init(write);
            // Seen from another moment it is another text.
            let (_, digest, names) = if cached.0 == self.now { cached.clone() } else { write() };
            form.enter(m, self.now);
            form.know(names);
            form.add(&digest);
        }
        self.write_network(&mut form);
        digest(form.text())
    }

    fn write_network(&self, form: &mut Canonical) {
        for wire in self.wires.values() {
            for end in &wire.ends {
                form.enter(end.machine, self.now);
                form.add(end);
            }
            form.add(&(&wire.streams, wire.dead));
        }
        for dial in &self.dials {
            form.enter(dial.machine, self.now);
            form.add(dial);
        }
        form.add(&(&self.left, self.clean, self.declined, &self.delivered));
    }

    /// Adds a line to the history, if one is kept.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(line());
        }
    }

    pub(crate) fn expect(&mut self, holds: bool, broken: impl FnOnce() -> Broken) {
        if !holds {
            self.broken.get_or_insert_with(broken);
        }
    }
}

impl Machine {
    /// Whether its application can make calls in the group.
    fn is_here(&self) -> bool {
        self.alive && !self.app.left
    }
}

/// What a machine is called.
pub(crate) fn name(machine: usize) -> char {
    char::from(b'A' + machine as u8)
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = Canonical::new();
        for (m, machine) in self.machines.iter().enumerate() {
            machine.canonical(&mut form, m, self.now);
        }
        self.write_network(&mut form);
        f.write_str(&String::from_utf8_lossy(form.text()))
    }
}

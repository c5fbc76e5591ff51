//! What must hold in every state, and what must hold when a world has come to rest.

use std::sync::Arc;

use p2p_core::{Input, SECOND, Tick};

use crate::app::{Broken, Phase};
use crate::machine::{Machine, limits};
use crate::world::{HORIZON, World, name};

/// Steps after which a world that does not come to rest counts as one that never will.
const STEPS_MAX: usize = 10_000;
/// Until a link on which nothing is heard is found to be dead: the idle time-out.
const IDLE: u64 = 30 * SECOND;

impl World {
    /// Invariants 38, 40 and 41, as far as one moment shows them. The others are checked as events come.
    pub(crate) fn check(&self) -> Result<(), Broken> {
        for (m, machine) in self.machines.iter().enumerate().filter(|(_, m)| m.alive) {
            self.check_list(machine).map_err(|broken| format!("{}: {broken}", name(m)))?;
        }
        let (aborted, cancelled) = self
            .machines
            .iter()
            .map(|m| &m.app)
            .fold((0, 0), |sum, app| (sum.0 + app.aborted, sum.1 + app.cancelled));
        if self.clean && aborted > cancelled {
            return Err("39: a connection was aborted that nobody cancelled".to_owned());
        }
        Ok(())
    }

    fn check_list(&self, machine: &Machine) -> Result<(), Broken> {
        let (limits, app) = (limits(&self.scope), &machine.app);
        let listed = app.seen.iter().filter(|(_, seen)| seen.is_listed(self.now, &limits));
        let expected: Vec<_> = listed.map(|(id, _)| *id).collect();
        if let Ok(found) = machine.node.directs(machine.group) {
            let found: Vec<_> = found.iter().map(|info| info.id).collect();
            if found != expected {
                return Err(format!("38: listed are {found:?}, not {expected:?}"));
            }
        } else if !app.left {
            return Err("the list of connections is not to be had".to_owned());
        }
        let held = app.seen.values().filter(|seen| seen.is_held(self.now, &limits)).count();
        let directs = machine.node.census().directs;
        if directs != held {
            return Err(format!("41: {directs} objects for {held} connections"));
        }
        Ok(())
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.dials.is_empty() && self.arrivals().is_empty()
    }

    /// Everything that is under way arrives.
    pub(crate) fn run_dry(&mut self) {
        for _ in 0..STEPS_MAX {
            let Some(action) = self.arrivals().first().copied() else { return };
            self.apply(action);
        }
        self.expect(false, || "40: the network never comes to rest".to_owned());
    }

    /// From any world, best from one at rest: what follows if nobody does anything any more. Invariants 36, 39, 40 and 41.
    ///
    /// # Errors
    /// What is broken.
    pub fn settle(&self) -> Result<(), Broken> {
        let mut world = self.clone();
        world.log = None;
        world.run_dry();
        if world.clean {
            world.check_done()?;
        }
        let end = world.now + HORIZON;
        for _ in 0..STEPS_MAX {
            world.run_dry();
            match world.deadline().filter(|at| *at <= end) {
                Some(_) => world.wait(),
                None => break,
            }
        }
        world.now = Tick(world.now.0.max(end.0 + SECOND));
        for m in 0..world.machines.len() {
            while !world.machines[m].app.queue.is_empty() {
                world.take(m);
            }
        }
        world.run_dry();
        world.check()?;
        if let Some(broken) = &world.broken {
            return Err(broken.clone());
        }
        for m in 0..world.machines.len() {
            world.rest(m).map_err(|broken| format!("{}, at the end: {broken}", name(m)))?;
        }
        world.probe()
    }

    /// From any world: what becomes of one machine if it never hears of anybody again. Invariant 40.
    ///
    /// # Errors
    /// What is not over in time.
    pub fn strand(&self, m: usize) -> Result<(), Broken> {
        if !self.machines[m].alive {
            return Ok(());
        }
        let mut world = self.clone();
        world.log = None;
        world.clean = false;
        let begun = world.now;
        for silence in [IDLE, HORIZON] {
            world.let_pass(m, begun + silence);
            world.check_timers(m)?;
            // The links are found to be dead, dials end.
            world.wires.values_mut().for_each(|wire| Arc::make_mut(wire).cut());
            for (w, end) in world.machines[m].links.clone().into_values() {
                world.notice(w, end);
            }
            while let Some(n) = world.dials.iter().position(|dial| dial.machine == m) {
                world.fail(n);
            }
        }
        world.let_pass(m, begun + HORIZON);
        while !world.machines[m].app.queue.is_empty() {
            world.take(m);
        }
        let machine = &world.machines[m];
        let alive = machine.app.seen.values().filter(|seen| seen.phase != Phase::Over).count();
        let census = machine.node.census();
        let held = [census.directs, census.streams, census.ghosts, census.links, census.buffered];
        if alive > 0 || held != [0; 5] || machine.app.left != machine.app.closed {
            let m = name(m);
            return Err(format!("40: 95 s after {m} is alone {alive} connections, {census:?}"));
        }
        world.broken.map_or(Ok(()), Err)
    }

    /// After a long silence nothing opens any longer, and nothing closes.
    fn check_timers(&self, m: usize) -> Result<(), Broken> {
        for seen in self.machines[m].app.seen.values() {
            if seen.phase == Phase::Opening {
                return Err(format!(
                    "40: {}: 30 s of silence, and an open has no outcome",
                    name(m)
                ));
            }
            if seen.phase == Phase::Standing && seen.closed {
                return Err(format!("40: {}: 30 s of silence, and a close has no end", name(m)));
            }
        }
        Ok(())
    }

    /// Time passes for one machine, with nobody to hear from.
    fn let_pass(&mut self, m: usize, until: Tick) {
        for _ in 0..STEPS_MAX {
            let next = self.machines[m].node.next_timeout().map(|(at, _)| at);
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            self.input(m, Input::Timeout);
            self.drain(m);
        }
        self.now = until;
    }

    /// In a world without faults nothing waits for a timer: 39.
    fn check_done(&self) -> Result<(), Broken> {
        for (m, machine) in self.machines.iter().enumerate() {
            for seen in machine.app.seen.values() {
                let m = name(m);
                if seen.phase == Phase::Opening {
                    return Err(format!(
                        "39: {m}: nothing is under way, and an open has no outcome"
                    ));
                }
                if seen.phase == Phase::Standing && seen.closed {
                    return Err(format!("39: {m}: nothing is under way, and a close has no end"));
                }
            }
        }
        Ok(())
    }

    /// What one machine may still hold at the end.
    fn rest(&self, m: usize) -> Result<(), Broken> {
        let machine = &self.machines[m];
        if !machine.alive {
            return Ok(());
        }
        let mut standing = 0;
        for seen in machine.app.seen.values().filter(|seen| seen.phase != Phase::Over) {
            if seen.phase == Phase::Opening {
                return Err("36: an open has no outcome".to_owned());
            }
            if seen.closed {
                return Err("40: a closed connection has no end".to_owned());
            }
            let Some(peer) = seen.peer else {
                return Err("a connection stands with nobody".to_owned());
            };
            let (here, there) = (self.standing(m, peer), self.standing(peer, m));
            if here != there {
                let (m, peer) = (name(m), name(peer));
                return Err(format!("40: {here} connections of {m} to {peer}, {there} back"));
            }
            standing += 1;
        }
        if machine.app.left != machine.app.closed {
            return Err("a group that was closed does not end".to_owned());
        }
        let census = machine.node.census();
        let held = [census.ghosts, census.dials, census.tickets, census.buffered];
        let streams = census.directs == standing && census.streams == standing;
        if !streams || census.budgets > standing || held != [0; 4] {
            return Err(format!("41: {standing} connections stand, and it holds {census:?}"));
        }
        Ok(())
    }

    /// The connections of a machine that stand, to another.
    fn standing(&self, m: usize, peer: usize) -> usize {
        let machine = &self.machines[m];
        let stands = |seen: &&crate::app::Seen| seen.phase == Phase::Standing;
        let all = machine.app.seen.values().filter(stands);
        if machine.alive { all.filter(|seen| seen.peer == Some(peer)).count() } else { 0 }
    }

    /// What stands must work: a message each way.
    fn probe(mut self) -> Result<(), Broken> {
        self.scope.sends = 1;
        let mut probes = Vec::new();
        for m in 0..self.machines.len() {
            let machine = self.machines[m].clone();
            if !machine.alive {
                continue;
            }
            let stand = machine.app.seen.iter().filter(|(_, seen)| seen.phase == Phase::Standing);
            for (id, seen) in stand {
                self.send(m, *id);
                probes.push(((m as u8, machine.run, seen.nth), seen.sent + 1));
            }
        }
        self.run_dry();
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        for (label, sent) in probes {
            let got = self.delivered.get(&label).map_or(0, |delivered| delivered.0);
            if got != sent {
                return Err(format!("39: a connection that stands delivers {got} of {sent}"));
            }
        }
        Ok(())
    }
}

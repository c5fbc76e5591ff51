//! Doing what was planned.

use bytes::Bytes;
use p2p_core::trace::{Act, Answer};
use p2p_core::{Address, ConnectionId, Expect, GroupKey, Guid, ObjectKind, Roles, Tick};

use super::{Happening, World, at};
use crate::fake::{Paper, revocation};
use crate::frame;
use crate::host::Ledger;
use crate::plan::{Action, Speed, Taking};

/// The type of every message.
const KIND: Guid = Guid::from_u128(0x6d65_7373_6167_6520_6b69_6e64_206f_6e65);

impl World {
    pub(super) fn perform(&mut self, action: &Action) {
        let (all, honest) = (self.hosts.len(), self.settings.honest);
        let groups = self.groups.len();
        match *action {
            Action::Open { host, to, group } => {
                self.open_direct(host % honest, to % all, group % groups);
            }
            Action::Cross { a, b, group } => {
                self.open_direct(a % honest, b % honest, group % groups);
                self.open_direct(b % honest, a % honest, group % groups);
            }
            Action::Close { host, nth } => self.close_nth(host % honest, nth),
            Action::CloseBoth { nth } => self.close_both(nth),
            Action::Send { host, nth, count, len } => {
                let host = host % honest;
                if let Some((group, id)) = self.known(host, nth) {
                    (0..count).for_each(|_| {
                        self.send_message(host, group, id, len);
                    });
                }
            }
            Action::Take { host, how } => self.take(host % honest, how),
            Action::Accept { host, group, on } => self.accept(host % honest, group % groups, on),
            Action::CloseGroup { host, group } => self.close_group(host % honest, group % groups),
            Action::OpenGroup { host, group } => self.open_group(host % honest, group % groups),
            Action::Connect { host, group, to } => {
                self.connect(host % honest, group % groups, &[self.hosts[to % all].address]);
            }
            Action::Revoke { host, target, group } => {
                self.revoke(host % all, target % all, group % groups);
            }
            Action::Stale { host, nth } => self.stale(host % honest, nth),
            Action::Break { nth } => self.on_wire(nth, |world, w| world.cut(w, true)),
            Action::Stall { nth, from, on } => {
                self.on_wire(nth, |world, w| world.stall(w, from % 2, on))
            }
            Action::OneWay { from, to, on } => {
                let pair = (from % honest, to % all);
                if on {
                    self.no_dial.insert(pair)
                } else {
                    self.no_dial.remove(&pair)
                };
            }
            Action::Partition { mask } => self.divide(mask),
            Action::Heal => self.heal(),
            Action::Crash { host } => self.crash(host % honest),
            Action::Restart { host, knows } => self.restart(host % honest, knows),
            Action::Disk { host, speed } => self.hosts[host % honest].disk.speed = speed,
            Action::Listen { host, can } => self.listen(host % honest, can),
            Action::Move { host } => self.relocate(host % honest),
            Action::Jump { host, seconds } => {
                let wall = &mut self.hosts[host % honest].wall;
                *wall = (*wall + seconds * 10_000_000).clamp(-36_000_000_000, 36_000_000_000);
            }
            Action::Mischief { host, what, target } if honest < all => {
                self.mischief(honest + host % (all - honest), what, target % honest);
            }
            Action::Mischief { .. } => {}
        }
    }

    /// An application's call; a host without power makes none.
    fn ask(&mut self, m: usize, act: Act) -> Option<Answer> {
        if !self.hosts[m].alive { None } else { self.call(m, act).ok() }
    }

    /// Opens a group on a host that belongs to it, with what its disk holds, and connects it.
    pub fn open_group(&mut self, m: usize, g: usize) {
        let (host, group) = (&self.hosts[m], self.groups[g]);
        let Some(paper) = host.papers[g].clone() else { return };
        if host.open[g].is_none() {
            let snapshot = host.disk.synced[&group].clone();
            let Some(Answer::Group(key)) =
                self.ask(m, Act::OpenGroup(group, paper, Box::new(snapshot)))
            else {
                return;
            };
            self.hosts[m].open[g] = Some(key);
            self.hosts[m].ledger.groups.insert(key, g);
            self.accept(m, g, true);
        }
        self.connect(m, g, &[]);
    }

    /// Brings an open group online.
    pub fn connect(&mut self, m: usize, g: usize, addresses: &[Address]) {
        if let Some(key) = self.hosts[m].open[g] {
            self.ask(m, Act::Connect(key, addresses.to_vec()));
        }
    }

    /// Wants incoming direct connections, or none.
    pub fn accept(&mut self, m: usize, g: usize, on: bool) {
        if let Some(key) = self.hosts[m].open[g] {
            self.ask(m, Act::Accept(key, on));
        }
    }

    /// Closes a group, if it is open.
    pub fn close_group(&mut self, m: usize, g: usize) {
        if !self.hosts[m].alive {
            return;
        }
        if let Some(key) = self.hosts[m].open[g].take() {
            self.ask(m, Act::CloseGroup(key));
            let id =
                self.hosts[m].app.known.iter().find(|known| known.0 == key).map(|known| known.1);
            self.hosts[m].app.stale.push((key, id.unwrap_or(ConnectionId(1))));
        }
    }

    /// Opens a direct connection, if the group is open; its id.
    pub fn open_direct(&mut self, m: usize, to: usize, g: usize) -> Option<ConnectionId> {
        let key = self.hosts[m].open[g]?;
        let (peer, address) = (Expect::Key(self.hosts[to].key), self.hosts[to].address);
        match self.ask(m, Act::Open(key, peer, address))? {
            Answer::Connection(id) => Some(id),
            _ => None,
        }
    }

    /// Closes a direct connection; whether that was said to be done.
    pub fn close_direct(&mut self, m: usize, group: GroupKey, id: ConnectionId) -> bool {
        self.ask(m, Act::Close(group, id)).is_some()
    }

    /// Sends a message that no other is like; whether it was accepted.
    pub fn send_message(
        &mut self,
        m: usize,
        group: GroupKey,
        id: ConnectionId,
        len: usize,
    ) -> bool {
        self.serial += 1;
        let bytes = Bytes::from(frame::content(self.serial, len));
        self.ask(m, Act::Send(group, id, KIND, bytes)).is_some()
    }

    /// Changes how an application takes.
    pub fn take(&mut self, m: usize, how: Taking) {
        self.hosts[m].app.taking = how;
        let (epoch, waiting) = (self.hosts[m].epoch, self.hosts[m].app.queue.len());
        if how != Taking::Never && self.hosts[m].alive {
            let tick = self.tick;
            (0..waiting).for_each(|_| self.at(tick, Happening::Take(m, epoch)));
        }
    }

    fn known(&self, m: usize, nth: usize) -> Option<(GroupKey, ConnectionId)> {
        let known = &self.hosts[m].app.known;
        // Late ones more often than early ones, which are mostly over.
        let late = known.len().min(8);
        let nth = if nth < 48 {
            known.len() - late + nth % late.max(1)
        } else {
            nth % known.len().max(1)
        };
        known.get(nth).copied()
    }

    fn close_nth(&mut self, m: usize, nth: usize) {
        if let Some((group, id)) = self.known(m, nth) {
            self.close_direct(m, group, id);
        }
    }

    fn close_both(&mut self, nth: usize) {
        let stands = |w: &u64| {
            let wire = self.wires.get(w)?;
            let both = wire.streams.values().filter_map(|s| Some([s.talk.ids[0]?, s.talk.ids[1]?]));
            Some(both.map(|ids| (ids, [wire.ends[0].host, wire.ends[1].host])).collect::<Vec<_>>())
        };
        let pairs: Vec<_> = self.live.iter().filter_map(stands).flatten().collect();
        let Some((ids, hosts)) = pairs.get(nth % pairs.len().max(1)).copied() else { return };
        for (id, m) in ids.into_iter().zip(hosts) {
            if let Some(group) = self.hosts[m].ledger.directs.get(&id).map(|d| d.group) {
                self.close_direct(m, group, id);
            }
        }
    }

    /// Takes a membership back, if the host may.
    fn revoke(&mut self, m: usize, target: usize, g: usize) {
        let own = self.hosts[m].papers[g].as_ref().and_then(|member| Paper::parse(&member.chain));
        let admin = own.filter(|paper| paper.holder().roles.contains(Roles::ADMIN));
        if let (Some(key), Some(paper)) = (self.hosts[m].open[g], admin) {
            let bytes = revocation(&paper, self.hosts[target].key, None);
            self.ask(m, Act::Publish(key, ObjectKind::Revocation, bytes));
        }
    }

    /// Every call that names a group, with the key of one that was closed.
    fn stale(&mut self, m: usize, nth: usize) {
        let stale = &self.hosts[m].app.stale;
        let Some((group, id)) = stale.get(nth % stale.len().max(1)).copied() else { return };
        let (peer, address) = (Expect::Key(self.hosts[0].key), at(0, 0));
        for act in [
            Act::Connect(group, vec![address]),
            Act::Accept(group, true),
            Act::Open(group, peer, address),
            Act::Close(group, id),
            Act::Send(group, id, KIND, Bytes::from_static(b"too late")),
            Act::CloseGroup(group),
        ] {
            self.ask(m, act);
        }
    }

    fn on_wire(&mut self, nth: usize, then: impl FnOnce(&mut World, u64)) {
        let alive = |w: &&u64| self.wires[w].ends.iter().all(|end| end.is_usable());
        let usable: Vec<u64> = self.live.iter().filter(alive).copied().collect();
        if let Some(w) = usable.get(nth % usable.len().max(1)).copied() {
            then(self, w);
        }
    }

    fn divide(&mut self, mask: u64) {
        self.heal();
        self.partition = Some(mask);
        for w in self.live.clone() {
            let [a, b] = [0, 1].map(|end| self.wires[&w].ends[end].host);
            if !self.hears(a, b) {
                [0, 1].into_iter().for_each(|from| self.stall(w, from, true));
            }
        }
    }

    /// No more partition, and no silent directions.
    pub fn heal(&mut self) {
        self.partition = None;
        for w in self.live.clone() {
            [0, 1].into_iter().for_each(|from| self.stall(w, from, false));
        }
    }

    /// Power fails.
    pub fn crash(&mut self, m: usize) {
        if !std::mem::replace(&mut self.hosts[m].alive, false) {
            return;
        }
        self.hosts[m].open.iter_mut().for_each(|key| *key = None);
        self.hosts[m].listening = false;
        for w in self.live.clone() {
            let here = |end: &crate::wire::End| end.host == m && !end.down;
            if self.wires[&w].ends.iter().any(here) {
                self.cut(w, false);
            }
        }
    }

    /// A new run of a host without power, with what its disk kept.
    pub fn restart(&mut self, m: usize, knows: bool) {
        if self.hosts[m].alive {
            return;
        }
        let previous = knows.then(|| self.hosts[m].node.instance());
        let start = self.start(previous);
        let host = &mut self.hosts[m];
        host.node = start.node(host.node.authority().clone());
        host.start = start;
        host.alive = true;
        host.epoch += 1;
        host.dials.clear();
        host.wants_socket = false;
        host.disk.waiting.clear();
        host.disk.committing = 0;
        host.app = Default::default();
        let recorded = host.ledger.calls.is_some();
        host.ledger = Ledger { calls: recorded.then(Vec::new), ..Ledger::default() };
        for g in 0..self.groups.len() {
            self.open_group(m, g);
        }
    }

    /// A socket cannot be opened any longer, and the one that is open is lost; or it can again.
    pub fn listen(&mut self, m: usize, can: bool) {
        let host = &mut self.hosts[m];
        host.can_listen = can;
        let listening = can && host.alive && host.wants_socket;
        if std::mem::replace(&mut host.listening, listening) != listening {
            self.tell_addresses(m);
        }
    }

    fn relocate(&mut self, m: usize) {
        let moves = self.hosts[m].address.port - at(m, 0).port + 1;
        self.hosts[m].address = at(m, moves);
        if self.hosts[m].alive && self.hosts[m].listening {
            self.tell_addresses(m);
        }
    }

    /// Where honest hosts are that have moved.
    pub fn moved(&self) -> Vec<Address> {
        let moved = |h: &&crate::host::Host| h.honest && h.address != at(h.index, 0);
        self.hosts.iter().filter(moved).map(|h| h.address).collect()
    }

    /// All faults are over: every machine runs, every path is open, every application is attentive.
    pub fn calm(&mut self) {
        self.quiet = true;
        self.heal();
        self.no_dial.clear();
        for m in 0..self.hosts.len() {
            if !self.hosts[m].honest {
                self.crash(m);
                continue;
            }
            self.hosts[m].disk.speed = Speed::Fast;
            self.listen(m, true);
            self.restart(m, true);
            self.take(m, Taking::Promptly);
        }
    }

    /// Whether a membership is in force by its holder's own clock and every other, and was not taken back.
    pub fn is_member(&self, m: usize, g: usize) -> bool {
        let Some(paper) = &self.hosts[m].papers[g] else { return false };
        let Some(truth) = self.registry.get(&paper.chain) else { return false };
        let latest = self.hosts.iter().map(|h| self.now(h.index).wall).max().unwrap_or_default();
        let lasts = latest.plus_seconds(4_000) < paper.not_after;
        self.hosts[m].honest && lasts && !self.is_taken_back(g, &truth.path)
    }

    /// Time since the world began.
    pub fn ticks(&self) -> Tick {
        Tick(self.tick)
    }
}

//! Writing down what can be seen of a step from outside. Nothing is judged here.

use p2p_core::trace::{Act, Answer};
use p2p_core::{ConnectionChange, Event, GroupKey, Input, Output, Payload, Taken};

use super::{Happening, Revoked, Step, World};
use crate::fake::{session, tag};
use crate::frame::{self, kind};
use crate::host::{Closing, Direct};
use crate::plan::Taking;
use crate::wire::{Key, Wire};

impl World {
    pub(super) fn observe(&mut self, step: &Step<'_>) {
        self.hosts[step.host].ledger.touched.clear();
        self.hosts[step.host].ledger.accepted = None;
        self.observe_call(step);
        let place = self.chunk_place(step);
        for output in step.outputs {
            match output {
                Output::Write { link, stream, head, body } => {
                    let Some(&(w, end)) = self.hosts[step.host].links.get(link) else { continue };
                    self.observe_write(
                        step.host,
                        w,
                        end,
                        Wire::key(end, *stream),
                        head.as_slice(),
                        body,
                    );
                }
                Output::Dial { dial, .. } => {
                    let ledger = &mut self.hosts[step.host].ledger;
                    ledger.dialled.insert(*dial);
                    ledger.dials.push_back(self.tick);
                }
                Output::Event { group, event } => {
                    self.observe_event(step.host, *group, event, place);
                }
                _ => {}
            }
        }
    }

    /// Where the bytes came from that this step is about.
    pub fn chunk_place(&self, step: &Step<'_>) -> Option<(u64, Key, usize)> {
        let Act::Input(Input::Chunk { link, stream, .. }) = step.act else { return None };
        let (w, end) = *self.hosts[step.host].links.get(link)?;
        Some((w, Wire::key(end, *stream), end))
    }

    fn observe_call(&mut self, step: &Step<'_>) {
        let tick = self.tick;
        let ledger = &mut self.hosts[step.host].ledger;
        match (step.act, step.answer) {
            (Act::Open(group, ..), Ok(Answer::Connection(id))) => {
                ledger.asked.push_back(tick);
                ledger.directs.insert(*id, direct(*group, true, tick));
                ledger.touched.push(*id);
                self.hosts[step.host].app.known.push((*group, *id));
            }
            (Act::Connect(_, addresses), Ok(_)) => {
                ledger.asked.extend(std::iter::repeat_n(tick, addresses.len()));
            }
            (Act::Close(_, id), Ok(_)) => {
                ledger.touched.push(*id);
                if let Some(direct) = ledger.directs.get_mut(id) {
                    direct.closes += 1;
                    direct.closed = Some(tick);
                    let place = direct.place;
                    if let Some((w, key, end)) = place {
                        self.stream_mut(w, key).talk.closed[end] = true;
                    }
                }
            }
            (Act::Send(_, id, _, bytes), Ok(_)) => {
                if let Some((w, key, end)) = ledger.directs.get(id).and_then(|d| d.place) {
                    let message = frame::message(bytes);
                    self.stream_mut(w, key).talk.sent[end].push(message);
                }
            }
            (Act::Taken(_, id, what), _) => {
                if let Some(direct) = ledger.directs.get_mut(id) {
                    match what {
                        Taken::Data { bytes } => direct.untaken -= bytes,
                        Taken::Disconnected => direct.taken = true,
                    }
                }
            }
            (Act::Publish(group, _, bytes), Ok(_)) => {
                // Whether it is stored will be told; until then nobody counts on its target.
                let group = ledger.groups.get(group).copied();
                if let (Some(group), Some((target, signer))) = (group, crate::fake::revoked(bytes))
                {
                    self.revoked.insert(Revoked { signer, group, target });
                }
            }
            (Act::CloseGroup(group), Ok(_)) => {
                ledger.closed.insert(*group, Closing { asked: tick, done: None, later: 0 });
                let of = |d: &&mut Direct| d.group == *group && d.group_closed.is_none();
                ledger.directs.values_mut().filter(of).for_each(|d| d.group_closed = Some(tick));
            }
            _ => {}
        }
    }

    fn observe_write(
        &mut self,
        m: usize,
        w: u64,
        end: usize,
        key: Key,
        head: &[u8],
        body: &Payload,
    ) {
        let Some((what, at)) = frame::kind_of(head) else { return };
        let first = match body {
            Payload::One(bytes) => &bytes[..],
            Payload::Many(pieces) => pieces.first().map_or(&[][..], |piece| &piece[..]),
        };
        let body = [&head[at.min(head.len())..], &first[..first.len().min(40)]].concat();
        let tick = self.tick;
        let named = |offset: usize| {
            let tag = body.get(offset..offset + 16)?;
            self.group_of_tag(w, end, tag)
        };
        let group = match what {
            // Two varints of one byte come before the tag.
            kind::HELLO | kind::SESSION_OK => named(2),
            kind::DC_OPEN => named(0),
            _ => None,
        };
        let wire = self.wire(w);
        let talk = &mut wire.streams.entry(key).or_default().talk;
        if end == key.0 && talk.since == 0 {
            talk.since = tick.max(1);
        }
        talk.answered |= end != key.0;
        match (what, group) {
            (kind::HELLO, group) => {
                (talk.is_control, talk.group) = (true, group);
                wire.said[end].hello.extend(group);
            }
            (kind::SESSION_OK, Some(group)) => {
                wire.said[end].ok.entry(group).or_insert(tick);
            }
            (kind::DC_OPEN, group) => talk.group = group,
            (kind::DC_ACCEPT, _) => self.hosts[m].ledger.accepted = Some((w, key)),
            (kind::DC_REFUSE, _) => talk.refused = true,
            _ => {}
        }
    }

    /// The group that a tag names, when `end` says it.
    fn group_of_tag(&self, w: u64, end: usize, said: &[u8]) -> Option<usize> {
        let binding = &self.wires[&w].binding;
        let is = |group: &p2p_core::KeyId| tag(&session(binding, group), end == 0) == *said;
        self.groups.iter().position(is)
    }

    fn observe_event(
        &mut self,
        m: usize,
        group: GroupKey,
        event: &Event,
        place: Option<(u64, Key, usize)>,
    ) {
        let tick = self.tick;
        let host = &mut self.hosts[m];
        if let Some(closing) = host.ledger.closed.get_mut(&group) {
            closing.later += u32::from(closing.done.is_some());
            if matches!(event, Event::Closed) {
                closing.done = Some(tick);
            }
        }
        match event {
            Event::Direct(c) => {
                if !host.ledger.directs.contains_key(&c.id) {
                    host.app.known.push((group, c.id));
                }
                let closed = host.ledger.closed.contains_key(&group).then_some(tick);
                let accepted = host.ledger.accepted.take();
                let fresh = || Direct { group_closed: closed, ..direct(group, false, tick) };
                let direct = host.ledger.directs.entry(c.id).or_insert_with(fresh);
                direct.story.push(c.change);
                match c.change {
                    ConnectionChange::Connected if direct.opened_here => direct.place = place,
                    ConnectionChange::Connected => {
                        let end = |(w, key): (u64, Key)| (w, key, 1 - key.0);
                        direct.place = accepted.map(end);
                    }
                    _ => {
                        direct.ended = Some(tick);
                        direct.orderly = c.cause.code().is_success();
                    }
                }
                let at = direct.place;
                host.ledger.touched.push(c.id);
                if let Some((w, key, end)) = at {
                    self.stream_mut(w, key).talk.ids[end] = Some(c.id);
                }
            }
            Event::Data { id, payload, .. } => {
                host.ledger.touched.push(*id);
                let Some(direct) = host.ledger.directs.get_mut(id) else { return };
                direct.untaken += payload.len();
                direct.misplaced += u32::from(direct.story != [ConnectionChange::Connected]);
                let at = direct.place;
                if let Some((w, key, end)) = at {
                    let message = frame::message(&payload.clone().into_bytes());
                    self.stream_mut(w, key).talk.got[end].push(message);
                }
            }
            Event::Neighbour(c) => {
                host.ledger.neighbours.entry(c.id).or_default().push(c.change);
            }
            Event::Revoked { revocation } => self.observe_revoked(m, group, &revocation.bytes),
            Event::Member { member, .. } => {
                if let Some(g) = host.ledger.groups.get(&group) {
                    host.ledger.members.insert((*g, member.key), member.roles);
                }
            }
            _ => {}
        }
    }

    fn observe_revoked(&mut self, m: usize, group: GroupKey, bytes: &[u8]) {
        let ledger = &mut self.hosts[m].ledger;
        let group = ledger.groups.get(&group).copied();
        if let (Some(group), Some((target, signer))) = (group, crate::fake::revoked(bytes)) {
            let revoked = Revoked { signer, group, target };
            ledger.revoked.entry(revoked.clone()).or_insert(self.tick);
            self.revoked.insert(revoked);
        }
    }

    /// What the application does about an event: it queues what is to be taken.
    pub(super) fn tell(&mut self, m: usize, group: GroupKey, event: &Event) {
        let taken = match event {
            Event::Data { id, payload, .. } => (*id, Taken::Data { bytes: payload.len() }),
            Event::Direct(c) if c.change == ConnectionChange::Disconnected => {
                (c.id, Taken::Disconnected)
            }
            _ => return,
        };
        let (host, tick) = (&mut self.hosts[m], self.tick);
        host.app.queue.push_back((group, taken.0, taken.1));
        let epoch = host.epoch;
        match host.app.taking {
            Taking::Promptly => self.at(tick, Happening::Take(m, epoch)),
            Taking::After(micros) => self.at(tick + micros, Happening::Take(m, epoch)),
            Taking::Never => {}
        }
    }

    pub(super) fn take_one(&mut self, m: usize) {
        if self.hosts[m].app.taking == Taking::Never {
            return;
        }
        if let Some((group, id, what)) = self.hosts[m].app.queue.pop_front() {
            // It has no answer.
            let _ = self.call(m, Act::Taken(group, id, what));
        }
    }

    /// Keeps since when one host lists a neighbour that does not list it, while nothing is in the way.
    pub(super) fn watch_neighbours(&mut self) {
        let mut lopsided = std::mem::take(&mut self.lopsided);
        let before = std::mem::take(&mut lopsided);
        for group in 0..self.groups.len() {
            let listed: Vec<_> =
                self.hosts.iter().map(|h| self.neighbours_of(h.index, group)).collect();
            for (a, list) in listed.iter().enumerate() {
                for (key, node) in list {
                    let there = |b: &usize| {
                        let host = &self.hosts[*b];
                        *b != a
                            && host.plays(group)
                            && host.key == *key
                            && self.node_of(*b, group) == Some(*node)
                    };
                    let Some(b) = (0..self.hosts.len()).find(there) else { continue };
                    let mine = (self.hosts[a].key, self.node_of(a, group).unwrap_or_default());
                    if !listed[b].contains(&mine) && self.is_clear(a, b) {
                        let since = before.get(&(a, b, group)).copied().unwrap_or(self.tick);
                        lopsided.insert((a, b, group), since);
                    }
                }
            }
        }
        self.lopsided = lopsided;
    }

    /// The neighbours that an honest host lists.
    pub fn neighbours_of(
        &self,
        m: usize,
        group: usize,
    ) -> Vec<(p2p_core::KeyId, p2p_core::NodeId)> {
        let host = &self.hosts[m];
        let Some(key) = host.open[group].filter(|_| host.plays(group)) else { return Vec::new() };
        let list = host.node.neighbours(key).unwrap_or_default();
        list.into_iter().map(|c| (c.peer, c.node)).collect()
    }

    /// A host's node id in a group.
    pub fn node_of(&self, m: usize, group: usize) -> Option<p2p_core::NodeId> {
        self.hosts[m].node.node_id(self.hosts[m].open[group]?).ok()
    }

    /// Whether every connection between two hosts is well and was for a while.
    pub fn is_clear(&self, a: usize, b: usize) -> bool {
        let between = |wire: &&Wire| {
            let ends = [wire.ends[0].host, wire.ends[1].host];
            ends == [a, b] || ends == [b, a]
        };
        let wires = self.live.iter().filter_map(|w| self.wires.get(w));
        wires.filter(between).all(Wire::is_well)
    }
}

fn direct(group: GroupKey, opened_here: bool, since: u64) -> Direct {
    Direct {
        group,
        opened_here,
        story: Vec::new(),
        orderly: false,
        misplaced: 0,
        since,
        ended: None,
        closed: None,
        closes: 0,
        taken: false,
        place: None,
        untaken: 0,
        group_closed: None,
    }
}

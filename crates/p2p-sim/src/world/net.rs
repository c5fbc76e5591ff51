//! The network and the disks: obeying outputs, and making inputs of what comes of it.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Address, Code, DialId, DownCause, Expect, Head, Input, LinkId, Output, Payload, Refusal,
    SECOND, StreamId,
};

use super::{Happening, World};
use crate::bug::Bug;
use crate::fake::mix;
use crate::plan::Speed;
use crate::wire::{End, Half, Item, Key, Said, Stream, Wire};

/// Until a connection counts as dead: nothing heard for this long.
const IDLE: u64 = 30 * SECOND;
/// Until a handshake that nobody answers is given up.
const HANDSHAKE: u64 = 10 * SECOND;
/// A commit of a disk that is well, in µs.
const COMMIT: u64 = 100;

impl World {
    pub(super) fn obey(&mut self, m: usize, output: Output) {
        match output {
            Output::Listen { on } => {
                let host = &mut self.hosts[m];
                host.wants_socket = on;
                host.listening = on && host.can_listen;
                if on {
                    self.tell_addresses(m);
                }
            }
            Output::Dial { dial, address, expect } => self.dial(m, dial, address, expect),
            Output::CancelDial { dial } => {
                self.duty(m, self.hosts[m].ledger.dialled.contains(&dial), "cancels no dial");
                self.hosts[m].dials.remove(&dial);
            }
            Output::Open { link, stream, .. } => self.open(m, link, stream),
            Output::Priority { link, stream, .. } => {
                let known = self.place(m, link, stream).is_some();
                self.duty(m, !known || stream.0 % 2 == 1, "ranks a stream of its own twice");
            }
            Output::Write { link, stream, head, body } => self.write(m, link, stream, &head, body),
            Output::Credit { link, stream, bytes } => {
                let Some((w, end, key)) = self.place(m, link, stream) else { return };
                let greedy = self.bug == Some(Bug::NoCredit);
                let bytes = if greedy { u64::from(u32::MAX) } else { u64::from(bytes) };
                self.half(w, key, 1 - end).credit += bytes;
                self.at(self.tick, Happening::Read(w, end, key));
            }
            Output::Finish { link, stream } => {
                let Some((w, end, key)) = self.place(m, link, stream) else { return };
                let twice = std::mem::replace(&mut self.half(w, key, end).fin, true);
                self.duty(m, !twice, "ends a stream twice");
                self.pump(w, end, key);
            }
            Output::Forget { link, stream } => {
                let Some((w, end, key)) = self.place(m, link, stream) else { return };
                let bytes = self.half(w, key, end).forget() as u32;
                self.soon(m, 0, Input::Sent { link, stream, bytes });
            }
            Output::Abort { link, stream, code } => {
                let Some((w, end, key)) = self.place(m, link, stream) else { return };
                self.stream_mut(w, key).gone[end] = true;
                self.half(w, key, end).clear();
                self.send(w, end, Item::Reset(key, code), None);
                self.pump_all(w);
            }
            Output::Trust { link, streams, window } => {
                let Some((w, end)) = self.end(m, link) else { return };
                let wire = self.wire(w);
                wire.ends[end].streams = u64::from(streams);
                wire.ends[end].window = window as usize;
                self.pump_all(w);
            }
            Output::CloseLink { link, code } => {
                let Some((w, end)) = self.end(m, link) else { return };
                self.close_end(w, end, code);
            }
            Output::Store { ticket, change } => {
                self.hosts[m].disk.waiting.push_back((ticket, *change));
                if self.bug == Some(Bug::EarlyAnswer) {
                    self.soon(m, 0, Input::Stored { ticket, result: Ok(()) });
                }
                self.commit(m);
            }
            Output::Event { group, event } => self.tell(m, group, &event),
        }
    }

    /// A duty of the node towards its driver.
    fn duty(&mut self, m: usize, kept: bool, what: &str) {
        if !kept {
            self.break_rule("contract", Some(m), format!("the node {what}"));
        }
    }

    pub(super) fn tell_addresses(&mut self, m: usize) {
        let host = &self.hosts[m];
        let list = if host.listening { vec![host.address] } else { vec![] };
        self.soon(m, 1, Input::Listening { addresses: Arc::from(list) });
    }

    fn open(&mut self, m: usize, link: LinkId, stream: StreamId) {
        let Some((w, end)) = self.end(m, link) else { return };
        let wire = self.wire(w);
        let counted = stream.0 == 2 * wire.opened[end];
        wire.opened[end] += 1;
        // What it says was written down before this is obeyed.
        wire.streams.entry((end, stream.0 / 2)).or_default();
        self.duty(m, counted, "does not count its streams");
    }

    fn write(&mut self, m: usize, link: LinkId, stream: StreamId, head: &Head, body: Payload) {
        let Some((w, end, key)) = self.place(m, link, stream) else { return };
        let fin = self.half(w, key, end).fin;
        self.duty(m, !fin, "writes after the end of a stream");
        let bends = self.hosts[m].bends;
        if bends > 0 {
            return self.write_bent(w, end, key, [head.as_slice(), &body.into_bytes()].concat());
        }
        let head = Bytes::copy_from_slice(head.as_slice());
        let pieces = match body {
            Payload::One(bytes) => vec![head, bytes],
            Payload::Many(bytes) => [vec![head], bytes].concat(),
        };
        self.half(w, key, end).write(pieces);
        self.pump(w, end, key);
    }

    /// The end of a wire that a host calls `link`; `None` if it is gone already.
    pub(super) fn end(&mut self, m: usize, link: LinkId) -> Option<(u64, usize)> {
        self.duty(m, link.0 < self.hosts[m].next_link, "names a link that never was");
        let (w, end) = *self.hosts[m].links.get(&link)?;
        let there = &self.wires[&w].ends[end];
        (!there.down && !there.closed).then_some((w, end))
    }

    fn place(&mut self, m: usize, link: LinkId, id: StreamId) -> Option<(u64, usize, Key)> {
        let (w, end) = self.end(m, link)?;
        let key = Wire::key(end, id);
        let wire = &self.wires[&w];
        let known = if key.0 == end { wire.opened[end] } else { wire.ends[end].accepted };
        let gone = wire.streams.get(&key).is_none_or(|stream| stream.gone[end]);
        self.duty(m, key.1 < known, "names a stream that never was");
        (!gone).then_some((w, end, key))
    }

    pub(super) fn wire(&mut self, w: u64) -> &mut Wire {
        self.wires.get_mut(&w).expect("wires are kept")
    }

    pub(super) fn stream_mut(&mut self, w: u64, key: Key) -> &mut Stream {
        self.wire(w).streams.entry(key).or_default()
    }

    pub(super) fn half(&mut self, w: u64, key: Key, sender: usize) -> &mut Half {
        &mut self.stream_mut(w, key).halves[sender]
    }

    fn dial(&mut self, m: usize, dial: DialId, address: Address, expect: Expect) {
        let trip = 2 * self.settings.delay;
        let epoch = self.hosts[m].epoch;
        self.hosts[m].dials.insert(dial);
        let there = self.hosts.iter().position(|h| h.address == address);
        let silent = there.is_none_or(|peer| {
            self.no_dial.contains(&(m, peer)) || !self.hears(m, peer) || !self.hosts[peer].alive
        });
        if silent {
            let failed = Input::DialFailed { dial, cause: DownCause::Timeout };
            return self.at(self.tick + HANDSHAKE, Happening::Input(m, epoch, failed));
        }
        self.at(self.tick + trip, Happening::Dialled { host: m, epoch, dial, address, expect });
    }

    fn dialled(&mut self, m: usize, dial: DialId, address: Address, expect: Expect) {
        if !self.hosts[m].dials.contains(&dial) {
            return;
        }
        let there = |h: &crate::host::Host| h.alive && h.listening && h.address == address;
        let Some(peer) = self.hosts.iter().position(there) else {
            return self.soon(m, 0, Input::DialFailed { dial, cause: DownCause::Unreachable });
        };
        if !expect.admits(&self.hosts[peer].key) {
            let refusal =
                Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH };
            let cause = DownCause::Verdict(refusal);
            return self.soon(m, 0, Input::DialFailed { dial, cause });
        }
        self.hosts[m].dials.remove(&dial);
        self.join(m, peer, Some(dial), false);
    }

    /// Makes a connection that `a` dialled to `b`; its number. `raw`: the dialler's node knows nothing of it.
    pub(super) fn join(&mut self, a: usize, b: usize, dial: Option<DialId>, raw: bool) -> u64 {
        let w = self.wires.len() as u64 + 1;
        let ends = [a, b].map(|host| {
            let entry = &mut self.hosts[host];
            let link = LinkId(entry.next_link);
            entry.next_link += 1;
            End {
                host,
                epoch: entry.epoch,
                link,
                raw: raw && host == a,
                up: false,
                down: false,
                closed: false,
                streams: 8,
                window: 64 << 10,
                accepted: 0,
            }
        });
        let binding = mix(&[b"binding", &w.to_be_bytes()]);
        let wrong = self.bug == Some(Bug::WrongKey) && w.is_multiple_of(3);
        let up = |end: usize, dial| {
            let peer = [b, a][end];
            let key = self.hosts[if wrong { (peer + 1) % self.hosts.len() } else { peer }].key;
            let remote = self.hosts[peer].address;
            Input::LinkUp { link: ends[end].link, dial, peer: key, binding, remote }
        };
        let (first, second) = (up(0, dial), up(1, None));
        for (end, host) in [(0, a), (1, b)] {
            self.hosts[host].links.insert(ends[end].link, (w, end));
        }
        let wire = Wire {
            ends,
            binding,
            streams: Default::default(),
            opened: [0; 2],
            stalled: [false; 2],
            dead: false,
            silences: 0,
            held: Vec::new(),
            troubled: 0,
            said: [Said::default(), Said::default()],
        };
        self.wires.insert(w, wire);
        self.live.insert(w);
        self.at(self.tick, Happening::Up(w, 0, first));
        self.at(self.tick + self.settings.delay, Happening::Up(w, 1, second));
        w
    }

    /// Puts an item on its way; `floor`: not before this moment. When it arrives.
    pub(super) fn send(&mut self, w: u64, from: usize, item: Item, floor: Option<u64>) -> u64 {
        let (delay, jitter, loss) = (self.settings.delay, self.settings.jitter, self.settings.loss);
        let late = if loss > 0 && self.dice().one_in(loss) { 3 * delay } else { 0 };
        let jitter = self.dice().below(jitter + 1);
        let due = (self.tick + delay + jitter + late).max(floor.unwrap_or(0));
        self.at(due, Happening::Arrive(w, from, item));
        due
    }

    /// Sends what the window allows.
    pub(super) fn pump(&mut self, w: u64, end: usize, key: Key) {
        let wire = &self.wires[&w];
        let (link, m, raw) = (wire.ends[end].link, wire.ends[end].host, wire.ends[end].raw);
        let window = wire.ends[1 - end].window;
        if !wire.ends[end].up || wire.ends[end].closed || (key.0 == end && !wire.may_send(key)) {
            return;
        }
        let mut sent = 0;
        while self.half(w, key, end).queued > 0 {
            let chunk = self.settings.chunk as u64;
            let most = if self.dice().one_in(4) { chunk.min(40) } else { chunk };
            let cut = 1 + self.dice().below(most) as usize;
            let half = self.half(w, key, end);
            let bytes = half.take(cut.min(window.saturating_sub(half.unread)));
            let floor = half.last_arrival;
            if bytes.is_empty() {
                break;
            }
            sent += bytes.len();
            let due = self.send(w, end, Item::Bytes(key, bytes), Some(floor));
            self.half(w, key, end).last_arrival = due;
        }
        if sent > 0 && !raw && self.hosts[m].bends == 0 {
            let stream = Wire::id(end, key);
            self.soon(m, 1, Input::Sent { link, stream, bytes: sent as u32 });
        }
        let half = self.half(w, key, end);
        if half.fin && !half.fin_sent && half.queued == 0 {
            half.fin_sent = true;
            let floor = half.last_arrival;
            self.send(w, end, Item::Fin(key), Some(floor));
        }
    }

    /// A limit was raised, or a stream has ended: others may go on.
    pub(super) fn pump_all(&mut self, w: u64) {
        let waits = |(key, s): (&Key, &Stream)| {
            let one = |end: usize| {
                let half = &s.halves[end];
                !s.gone[end] && (half.queued > 0 || half.fin && !half.fin_sent)
            };
            (one(0) || one(1)).then_some(*key)
        };
        let waiting: Vec<Key> = self.wires[&w].streams.iter().filter_map(waits).collect();
        for key in waiting {
            for end in [0, 1] {
                if !self.wires[&w].streams[&key].gone[end] {
                    self.pump(w, end, key);
                }
            }
        }
    }

    pub(super) fn happen(&mut self, what: Happening) {
        match what {
            Happening::Input(m, epoch, input) => {
                if self.runs(m, epoch) {
                    if let Input::DialFailed { dial, .. } = &input
                        && !self.hosts[m].dials.remove(dial)
                        && matches!(input, Input::DialFailed { cause: DownCause::Timeout, .. })
                    {
                        return;
                    }
                    self.input(m, input);
                }
            }
            Happening::Dialled { host, epoch, dial, address, expect } => {
                if self.runs(host, epoch) {
                    self.dialled(host, dial, address, expect);
                }
            }
            Happening::Up(w, end, input) => {
                let there = &mut self.wire(w).ends[end];
                there.up = true;
                let (m, silent) = (there.host, there.down || there.raw);
                if !silent && self.is_here(w, end) {
                    self.input(m, input);
                }
                self.pump_all(w);
            }
            Happening::Arrive(w, from, item) => self.arrive(w, from, item),
            Happening::Read(w, end, key) => self.read(w, end, key),
            Happening::Down(w, end, cause) => self.down(w, end, cause),
            Happening::Silence(w, number) => {
                let wire = &self.wires[&w];
                if wire.dead || wire.silences == number && wire.stalled != [false; 2] {
                    [0, 1].into_iter().for_each(|end| self.down(w, end, DownCause::Timeout));
                }
            }
            Happening::Synced(m, epoch) => {
                if self.runs(m, epoch) {
                    self.synced(m);
                }
            }
            Happening::Take(m, epoch) => {
                if self.runs(m, epoch) {
                    self.take_one(m);
                }
            }
            Happening::Beat => self.beat(),
        }
    }

    fn runs(&self, m: usize, epoch: u32) -> bool {
        self.hosts[m].alive && self.hosts[m].epoch == epoch
    }

    /// Whether the run that an end belongs to still lasts.
    pub(crate) fn is_here(&self, w: u64, end: usize) -> bool {
        let end = &self.wires[&w].ends[end];
        self.runs(end.host, end.epoch)
    }

    pub(super) fn down(&mut self, w: u64, end: usize, cause: DownCause) {
        let here = self.is_here(w, end);
        let entry = &mut self.wire(w).ends[end];
        let first = !std::mem::replace(&mut entry.down, true);
        let (m, link, up, raw) = (entry.host, entry.link, entry.up, entry.raw);
        if self.wires[&w].ends.iter().all(|e| e.down) {
            self.live.remove(&w);
        }
        if first && here && up && !raw && self.bug != Some(Bug::MuteDown) {
            self.input(m, Input::LinkDown { link, cause });
        }
    }

    pub(super) fn close_end(&mut self, w: u64, end: usize, code: u64) {
        let m = self.wires[&w].ends[end].host;
        let twice = std::mem::replace(&mut self.wire(w).ends[end].closed, true);
        self.duty(m, !twice, "closes a link twice");
        self.send(w, end, Item::Close(code), None);
        self.at(self.tick, Happening::Down(w, end, DownCause::Local));
        // Should the news get lost, silence tells.
        self.at(self.tick + IDLE, Happening::Down(w, 1 - end, DownCause::Timeout));
    }

    fn arrive(&mut self, w: u64, from: usize, item: Item) {
        let (to, wire) = (1 - from, self.wire(w));
        if wire.dead {
            return;
        }
        if wire.stalled[from] {
            return wire.held.push((from, item));
        }
        if let Item::Close(code) = item {
            return self.down(w, to, DownCause::Peer(code));
        }
        if wire.ends[to].down || wire.ends[to].closed || !self.is_here(w, to) {
            return;
        }
        if self.wires[&w].ends[to].raw {
            // Whoever says nothing reads everything, or its peer would have nothing to say.
            if let Item::Bytes(key, bytes) = item {
                self.send(w, to, Item::Window(key, bytes.len()), None);
            }
            return;
        }
        match item {
            Item::Close(_) => {}
            Item::Bytes(key, bytes) => {
                self.announce(w, to, key);
                self.half(w, key, from).inbox.push_back(bytes);
                self.read(w, to, key);
            }
            Item::Fin(key) => {
                self.announce(w, to, key);
                self.half(w, key, from).fin_arrived = true;
                self.read(w, to, key);
            }
            Item::Window(key, bytes) => {
                let half = self.half(w, key, to);
                half.unread = half.unread.saturating_sub(bytes);
                if !self.wires[&w].streams[&key].gone[to] {
                    self.pump(w, to, key);
                }
            }
            Item::Reset(key, code) => {
                self.announce(w, to, key);
                let stream = self.stream_mut(w, key);
                if stream.is_over(to) {
                    return;
                }
                stream.gone[to] = true;
                stream.halves[to].clear();
                let (m, link) = (self.wires[&w].ends[to].host, self.wires[&w].ends[to].link);
                self.input(m, Input::Reset { link, stream: Wire::id(to, key), code });
                self.pump_all(w);
            }
        }
    }

    /// Tells a host of streams that its peer opened, in order.
    fn announce(&mut self, w: u64, end: usize, key: Key) {
        let opener = key.0;
        while opener != end && self.wires[&w].ends[end].accepted <= key.1 {
            let entry = &mut self.wire(w).ends[end];
            let stream = Wire::id(end, (opener, entry.accepted));
            entry.accepted += 1;
            let (m, link) = (entry.host, entry.link);
            self.input(m, Input::Accepted { link, stream });
        }
    }

    /// Hands in what has arrived, as far as credit goes.
    fn read(&mut self, w: u64, end: usize, key: Key) {
        while self.violation.is_none() && self.is_here(w, end) {
            let entry = &self.wires[&w].ends[end];
            let (m, link, up) = (entry.host, entry.link, entry.is_usable() && !entry.raw);
            let Some(stream) = self.wire(w).streams.get_mut(&key).filter(|s| up && !s.gone[end])
            else {
                return;
            };
            let (id, half) = (Wire::id(end, key), &mut stream.halves[1 - end]);
            if let Some(front) = half.inbox.front_mut() {
                let bytes: Bytes = front.split_to(front.len().min(half.credit as usize));
                if bytes.is_empty() {
                    return;
                }
                if front.is_empty() {
                    half.inbox.pop_front();
                }
                half.credit -= bytes.len() as u64;
                self.send(w, end, Item::Window(key, bytes.len()), None);
                self.hand_in(m, link, (w, end, key), bytes);
            } else if half.fin_arrived && !half.over {
                half.over = true;
                self.input(m, Input::Finished { link, stream: id });
                return self.pump_all(w);
            } else {
                return;
            }
        }
    }

    /// A chunk, or what a broken driver makes of one of a direct connection.
    fn hand_in(&mut self, m: usize, link: LinkId, (w, end, key): (u64, usize, Key), bytes: Bytes) {
        let (stream, talks) = (Wire::id(end, key), self.stream_mut(w, key).talk.ids[end].is_some());
        let bug = self.bug.filter(|_| talks && bytes.len() > 1);
        let mut chunk = |bytes| self.input(m, Input::Chunk { link, stream, bytes });
        match bug {
            Some(Bug::DoubledChunk) => {
                chunk(bytes.clone());
                chunk(bytes);
            }
            Some(Bug::SwappedChunk) => {
                let half = bytes.len() / 2;
                chunk(bytes.slice(half..));
                chunk(bytes.slice(..half));
            }
            Some(Bug::LostChunk) if bytes.len().is_multiple_of(3) => {}
            _ => chunk(bytes),
        }
    }

    fn commit(&mut self, m: usize) {
        let disk = &mut self.hosts[m].disk;
        if disk.committing > 0 || disk.waiting.is_empty() {
            return;
        }
        disk.committing = disk.waiting.len();
        let after = if let Speed::Slow(micros) = disk.speed { micros } else { COMMIT };
        let epoch = self.hosts[m].epoch;
        self.at(self.tick + after, Happening::Synced(m, epoch));
    }

    fn synced(&mut self, m: usize) {
        let disk = &mut self.hosts[m].disk;
        let count = std::mem::take(&mut disk.committing);
        let done: Vec<_> = disk.waiting.drain(..count).collect();
        let early = self.bug == Some(Bug::EarlyAnswer);
        for (ticket, change) in done {
            let result = self.hosts[m].disk.commit(change);
            if !early {
                self.soon(m, 1, Input::Stored { ticket, result });
            }
        }
        self.commit(m);
    }

    /// One direction of a wire falls silent, or is heard again.
    pub(super) fn stall(&mut self, w: u64, from: usize, on: bool) {
        let tick = self.tick;
        let wire = self.wire(w);
        wire.troubled = tick;
        if std::mem::replace(&mut wire.stalled[from], on) == on || wire.dead {
            return;
        }
        if on {
            wire.silences += 1;
            let number = wire.silences;
            return self.at(tick + IDLE, Happening::Silence(w, number));
        }
        let held = std::mem::take(&mut wire.held);
        let (free, rest): (Vec<_>, Vec<_>) = held.into_iter().partition(|(f, _)| *f == from);
        self.wire(w).held = rest;
        free.into_iter().for_each(|(from, item)| self.at(tick, Happening::Arrive(w, from, item)));
    }

    /// Nothing passes any more; the ends notice at once, or when they have heard nothing for long enough.
    pub(super) fn cut(&mut self, w: u64, at_once: bool) {
        self.wire(w).dead = true;
        self.wire(w).troubled = self.tick;
        if at_once {
            [0, 1].into_iter().for_each(|end| self.down(w, end, DownCause::Timeout));
        } else {
            self.at(self.tick + IDLE, Happening::Silence(w, 0));
        }
    }
}

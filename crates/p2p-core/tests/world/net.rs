//! The network and the disks: obeying outputs, and making inputs of what comes of it.

use bytes::Bytes;
use p2p_core::{
    Address, Code, DialId, DownCause, Expect, Input, LinkId, Output, Refusal, SECOND, StreamId,
};

use super::fake::mix;
use super::wire::{End, Item, Key, Stream, Wire};
use super::{World, addresses};

/// What is going to happen.
#[derive(Debug)]
pub enum Happening {
    Input(usize, u32, Input),
    Dialled {
        machine: usize,
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
}

/// Until a connection counts as dead: nothing heard for this long.
const IDLE: u64 = 30 * SECOND;

impl World {
    pub(super) fn obey(&mut self, m: usize, output: Output) {
        match output {
            Output::Listen { on } => {
                let machine = &mut self.machines[m];
                machine.listening = on && machine.can_listen;
                if on {
                    let list = if machine.can_listen { vec![machine.address] } else { vec![] };
                    self.soon(m, 1, Input::Listening { addresses: addresses(&list) });
                }
            }
            Output::Dial { dial, address, expect } => self.dial(m, dial, address, expect),
            Output::CancelDial { dial } => {
                assert!(self.machines[m].dials_known.contains(&dial), "cancels {dial:?}");
                self.machines[m].dials.remove(&dial);
            }
            Output::Open { link, stream, .. } => {
                let Some((w, end)) = self.end(m, link) else { return };
                let wire = self.wires.get_mut(&w).expect("wire");
                assert_eq!(stream.0, 2 * wire.opened[end], "streams are counted");
                wire.opened[end] += 1;
                wire.streams.insert((end, stream.0 / 2), Stream::default());
            }
            // All that is written here arrives after the same time.
            Output::Priority { link, stream, .. } => {
                if self.stream(m, link, stream).is_some() {
                    assert_eq!(stream.0 % 2, 1, "our own streams have theirs");
                }
            }
            Output::Write { link, stream, head, body } => {
                let Some((w, end, key)) = self.stream(m, link, stream) else { return };
                let half = self.half(w, key, end);
                assert!(!half.fin, "writes after FIN on {stream:?}");
                half.write(&head, &body);
                self.pump(w, end, key);
            }
            Output::Credit { link, stream, bytes } => {
                let Some((w, end, key)) = self.stream(m, link, stream) else { return };
                self.half(w, key, 1 - end).credit += u64::from(bytes);
                self.at(self.tick, Happening::Read(w, end, key));
            }
            Output::Finish { link, stream } => {
                let Some((w, end, key)) = self.stream(m, link, stream) else { return };
                let half = self.half(w, key, end);
                assert!(!half.fin, "finishes {stream:?} twice");
                half.fin = true;
                self.pump(w, end, key);
            }
            Output::Forget { link, stream } => {
                let Some((w, end, key)) = self.stream(m, link, stream) else { return };
                let bytes = self.half(w, key, end).forget() as u32;
                self.soon(m, 0, Input::Sent { link, stream, bytes });
            }
            Output::Abort { link, stream, code } => {
                let Some((w, end, key)) = self.stream(m, link, stream) else { return };
                let gone = &mut self.wires.get_mut(&w).expect("wire").streams.get_mut(&key);
                gone.as_mut().expect("stream").gone[end] = true;
                self.half(w, key, end).queue.clear();
                self.send(w, end, Item::Reset(key, code), None);
                self.pump_all(w);
            }
            Output::Trust { link, streams, window } => {
                let Some((w, end)) = self.end(m, link) else { return };
                let wire = self.wires.get_mut(&w).expect("wire");
                wire.ends[end].streams = u64::from(streams);
                wire.ends[end].window = window as usize;
                self.pump_all(w);
            }
            Output::CloseLink { link, code } => {
                let Some((w, end)) = self.end(m, link) else { return };
                let wire = self.wires.get_mut(&w).expect("wire");
                assert!(!wire.ends[end].closed, "closes {link:?} twice");
                wire.ends[end].closed = true;
                self.send(w, end, Item::Close(code), None);
                self.at(self.tick, Happening::Down(w, end, DownCause::Local));
                // Should the news get lost, silence tells.
                self.at(self.tick + IDLE, Happening::Down(w, 1 - end, DownCause::Timeout));
            }
            Output::Store { ticket, change } => {
                let machine = &mut self.machines[m];
                let result = machine.commit(&change);
                let after = machine.disk_delay;
                // In order: a later change is never answered before an earlier one.
                let due = machine.disk_free.max(self.tick + after);
                machine.disk_free = due;
                self.soon(m, due - self.tick, Input::Stored { ticket, result });
            }
            Output::Event { group, event } => self.tell(m, group, event),
        }
    }

    /// The end of a wire that a machine calls `link`; `None` if it is gone already.
    fn end(&self, m: usize, link: LinkId) -> Option<(u64, usize)> {
        assert!(link.0 < self.machines[m].next_link, "{link:?} never was");
        let (w, end) = *self.machines[m].links.get(&link)?;
        (!self.wires[&w].ends[end].down && !self.wires[&w].ends[end].closed).then_some((w, end))
    }

    fn stream(&self, m: usize, link: LinkId, id: StreamId) -> Option<(u64, usize, Key)> {
        let (w, end) = self.end(m, link)?;
        let key = Wire::key(end, id);
        let wire = &self.wires[&w];
        let known = if key.0 == end { wire.opened[end] } else { wire.ends[end].accepted };
        assert!(key.1 < known, "{id:?} of {link:?} never was");
        let stream = wire.streams.get(&key)?;
        (!stream.gone[end]).then_some((w, end, key))
    }

    fn half(&mut self, w: u64, key: Key, sender: usize) -> &mut super::wire::Half {
        let wire = self.wires.get_mut(&w).expect("wire");
        &mut wire.streams.get_mut(&key).expect("stream").halves[sender]
    }

    fn dial(&mut self, m: usize, dial: DialId, address: Address, expect: Expect) {
        let (trip, epoch) = (2 * self.net.delay, self.machines[m].epoch);
        assert!(address.is_dialable() && self.machines[m].dials_known.insert(dial));
        self.machines[m].dials.insert(dial);
        if !self.net.black_holes.contains(&address) {
            let what = Happening::Dialled { machine: m, epoch, dial, address, expect };
            self.at(self.tick + trip, what);
        }
    }

    fn dialled(&mut self, m: usize, dial: DialId, address: Address, expect: Expect) {
        if !self.machines[m].dials.remove(&dial) {
            return;
        }
        let there = |x: &super::Machine| x.alive && x.listening && x.address == address;
        let Some(peer) = self.machines.iter().position(there) else {
            return self.soon(m, 0, Input::DialFailed { dial, cause: DownCause::Unreachable });
        };
        if !expect.admits(&self.machines[peer].key) {
            let refusal =
                Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH };
            let cause = DownCause::Verdict(refusal);
            return self.soon(m, 0, Input::DialFailed { dial, cause });
        }
        self.connect_wire(m, peer, Some(dial));
    }

    /// Makes a connection that `a` dialled to `b`; its number.
    pub fn connect_wire(&mut self, a: usize, b: usize, dial: Option<DialId>) -> u64 {
        let w = self.wires.len() as u64 + 1;
        let ends = [a, b].map(|machine| {
            let entry = &mut self.machines[machine];
            let link = LinkId(entry.next_link);
            entry.next_link += 1;
            End {
                machine,
                epoch: entry.epoch,
                link,
                up: false,
                down: false,
                closed: false,
                streams: 8,
                window: 64 << 10,
                accepted: 0,
            }
        });
        let binding = mix(&[b"binding", &w.to_be_bytes()]);
        let up = |end: usize, dial| Input::LinkUp {
            link: ends[end].link,
            dial,
            peer: self.machines[[b, a][end]].key,
            binding,
            remote: self.machines[[b, a][end]].address,
        };
        let (first, second) = (up(0, dial), up(1, None));
        for (end, machine) in [(0, a), (1, b)] {
            self.machines[machine].links.insert(ends[end].link, (w, end));
        }
        let wire = Wire {
            ends,
            streams: Default::default(),
            opened: [0; 2],
            stalled: [false; 2],
            held: Vec::new(),
        };
        self.wires.insert(w, wire);
        self.at(self.tick, Happening::Up(w, 0, first));
        self.at(self.tick + self.net.delay, Happening::Up(w, 1, second));
        w
    }

    /// Puts an item on its way; `floor`: not before this moment.
    fn send(&mut self, w: u64, from: usize, item: Item, floor: Option<u64>) -> u64 {
        let jitter = self.below(self.net.jitter + 1);
        let due = (self.tick + self.net.delay + jitter).max(floor.unwrap_or(0));
        self.at(due, Happening::Arrive(w, from, item));
        due
    }

    /// Sends what the window allows.
    fn pump(&mut self, w: u64, end: usize, key: Key) {
        let wire = &self.wires[&w];
        let (link, m) = (wire.ends[end].link, wire.ends[end].machine);
        let window = wire.ends[1 - end].window;
        if !wire.ends[end].up || wire.ends[end].closed || (key.0 == end && !wire.may_send(key)) {
            return;
        }
        let mut sent = 0;
        loop {
            let chunk = self.net.chunk as u64;
            let most = if self.below(4) == 0 { chunk.min(40) } else { chunk };
            let cut = 1 + self.below(most);
            let half = self.half(w, key, end);
            let bytes = half.take((cut as usize).min(window.saturating_sub(half.unread)));
            let floor = half.last_arrival;
            if bytes.is_empty() {
                break;
            }
            sent += bytes.len();
            let due = self.send(w, end, Item::Bytes(key, bytes), Some(floor));
            self.half(w, key, end).last_arrival = due;
        }
        if sent > 0 {
            let stream = Wire::id(end, key);
            self.soon(m, 1, Input::Sent { link, stream, bytes: sent as u32 });
        }
        let half = self.half(w, key, end);
        if half.fin && !half.fin_sent && half.queue.is_empty() {
            half.fin_sent = true;
            let floor = half.last_arrival;
            self.send(w, end, Item::Fin(key), Some(floor));
        }
    }

    /// A limit was raised, or a stream has ended: others may go on.
    fn pump_all(&mut self, w: u64) {
        let waiting: Vec<Key> = self.wires[&w].streams.keys().copied().collect();
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
                if self.machines[m].alive && self.machines[m].epoch == epoch {
                    self.input(m, input);
                }
            }
            Happening::Dialled { machine, epoch, dial, address, expect } => {
                if self.machines[machine].alive && self.machines[machine].epoch == epoch {
                    self.dialled(machine, dial, address, expect);
                }
            }
            Happening::Up(w, end, input) => {
                let wire = self.wires.get_mut(&w).expect("wire");
                wire.ends[end].up = true;
                let (m, down) = (wire.ends[end].machine, wire.ends[end].down);
                if !down && self.is_here(w, end) {
                    self.input(m, input);
                    self.pump_all(w);
                }
            }
            Happening::Arrive(w, from, item) => self.arrive(w, from, item),
            Happening::Read(w, end, key) => self.read(w, end, key),
            Happening::Down(w, end, cause) => self.down(w, end, cause),
        }
    }

    fn is_here(&self, w: u64, end: usize) -> bool {
        let end = &self.wires[&w].ends[end];
        self.machines[end.machine].alive && self.machines[end.machine].epoch == end.epoch
    }

    fn down(&mut self, w: u64, end: usize, cause: DownCause) {
        let here = self.is_here(w, end);
        let entry = &mut self.wires.get_mut(&w).expect("wire").ends[end];
        if !std::mem::replace(&mut entry.down, true) && here && entry.up {
            let (m, link) = (entry.machine, entry.link);
            self.input(m, Input::LinkDown { link, cause });
        }
    }

    fn arrive(&mut self, w: u64, from: usize, item: Item) {
        let (to, wire) = (1 - from, self.wires.get_mut(&w).expect("wire"));
        if wire.stalled[from] {
            return wire.held.push((from, item));
        }
        if let Item::Close(code) = item {
            return self.down(w, to, DownCause::Peer(code));
        }
        if wire.ends[to].down || wire.ends[to].closed || !self.is_here(w, to) {
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
                self.half(w, key, to).unread -= bytes;
                if !self.wires[&w].streams[&key].gone[to] {
                    self.pump(w, to, key);
                }
            }
            Item::Reset(key, code) => {
                self.announce(w, to, key);
                let wire = self.wires.get_mut(&w).expect("wire");
                let stream = wire.streams.get_mut(&key).expect("stream");
                if stream.is_over(to) {
                    return;
                }
                stream.gone[to] = true;
                stream.halves[to].queue.clear();
                let (m, link) = (wire.ends[to].machine, wire.ends[to].link);
                self.input(m, Input::Reset { link, stream: Wire::id(to, key), code });
                self.pump_all(w);
            }
        }
    }

    /// Tells a machine of streams that its peer opened, in order.
    fn announce(&mut self, w: u64, end: usize, key: Key) {
        let opener = key.0;
        while opener != end && self.wires[&w].ends[end].accepted <= key.1 {
            let entry = &mut self.wires.get_mut(&w).expect("wire").ends[end];
            let stream = Wire::id(end, (opener, entry.accepted));
            entry.accepted += 1;
            let (m, link) = (entry.machine, entry.link);
            self.input(m, Input::Accepted { link, stream });
        }
    }

    /// Hands in what has arrived, as far as credit goes.
    fn read(&mut self, w: u64, end: usize, key: Key) {
        loop {
            if !self.is_here(w, end) {
                return;
            }
            let wire = self.wires.get_mut(&w).expect("wire");
            let entry = &wire.ends[end];
            let (m, link, up) = (entry.machine, entry.link, entry.up && !entry.down);
            let Some(stream) = wire.streams.get_mut(&key).filter(|s| up && !s.gone[end]) else {
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
                self.input(m, Input::Chunk { link, stream: id, bytes });
            } else if half.fin_arrived && !half.over {
                half.over = true;
                self.input(m, Input::Finished { link, stream: id });
                return self.pump_all(w);
            } else {
                return;
            }
        }
    }

    /// Stops or frees one direction of a wire.
    pub fn stall(&mut self, w: u64, from: usize, on: bool) {
        let wire = self.wires.get_mut(&w).expect("wire");
        wire.stalled[from] = on;
        if !on {
            let held = std::mem::take(&mut wire.held);
            let (free, rest): (Vec<_>, Vec<_>) = held.into_iter().partition(|(f, _)| *f == from);
            self.wires.get_mut(&w).expect("wire").held = rest;
            for (from, item) in free {
                self.at(self.tick, Happening::Arrive(w, from, item));
            }
        }
    }

    /// The path is dead; both ends notice when they have heard nothing for long enough.
    pub fn cut(&mut self, w: u64) {
        self.wires.get_mut(&w).expect("wire").stalled = [true; 2];
        for end in [0, 1] {
            self.at(self.tick + IDLE, Happening::Down(w, end, DownCause::Timeout));
        }
    }

    /// The path broke, and both ends know.
    pub fn snap(&mut self, w: u64) {
        self.wires.get_mut(&w).expect("wire").stalled = [true; 2];
        for end in [0, 1] {
            self.at(self.tick, Happening::Down(w, end, DownCause::Timeout));
        }
    }

    /// Wires on which neither end is down.
    pub fn live_wires(&self) -> Vec<u64> {
        let live = |w: &Wire| w.ends.iter().all(|e| !e.down && !e.closed);
        self.wires.iter().filter(|(_, w)| live(w)).map(|(w, _)| *w).collect()
    }
}

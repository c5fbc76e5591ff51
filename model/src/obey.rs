//! Calls and their answers; obeying a node's outputs; what arrives.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Cause, Connection, ConnectionChange, ConnectionId, DownCause, Error, Event, Expect, Guid,
    Input, KeyId, LinkId, Output, StreamId,
};

use crate::app::Phase;
use crate::fake::key;
use crate::history::shown;
use crate::machine::{at, endpoints, limits};
use crate::wire::{Dialling, Item, Key, Stream, Wire};
use crate::world::{World, name};

/// The type of every message.
const KIND: Guid = Guid([7; 16]);

/// Streams that were written to since the node was last at rest: what follows joins what is there.
type Burst = BTreeSet<(u32, Key)>;

impl World {
    pub(crate) fn input(&mut self, m: usize, input: Input) {
        let now = self.time();
        self.machine(m).node.handle(input, now);
    }

    pub(crate) fn open(&mut self, from: usize, to: usize) -> Option<ConnectionId> {
        let now = self.time();
        let machine = self.machine(from);
        let answer = machine.node.open_direct(machine.group, Expect::Key(key(to)), at(to), now);
        let id = match answer {
            Ok(id) => id,
            // A group that lost its socket or its peers stays online: the scope closes none of them unseen.
            Err(error) => {
                self.expect(false, || format!("open_direct answers {error:?}"));
                return None;
            }
        };
        if let Err(broken) = machine.app.opened(id, to) {
            self.expect(false, || broken);
        }
        self.drain(from);
        Some(id)
    }

    pub(crate) fn send(&mut self, m: usize, id: ConnectionId) {
        let now = self.time();
        let machine = self.machine(m);
        let (run, group) = (machine.run, machine.group);
        let Some(seen) = machine.app.seen.get_mut(&id) else { return };
        let message = [m as u8, run, seen.nth, seen.sent];
        seen.sent += 1;
        let bytes = Bytes::copy_from_slice(&message);
        let answer = machine.node.send(group, id, KIND, bytes, now);
        self.expect(answer == Ok(()), || {
            format!("send on a connection that stands answers {answer:?}")
        });
        self.drain(m);
    }

    pub(crate) fn close(&mut self, m: usize, id: ConnectionId) {
        let (now, limits) = (self.time(), limits(&self.scope));
        let tick = self.now;
        let machine = self.machine(m);
        let group = machine.group;
        let may = machine.app.may_close(id, tick, &limits);
        let answer = machine.node.close_direct(group, id, now);
        if let Some(seen) = machine.app.seen.get_mut(&id).filter(|_| answer.is_ok()) {
            seen.closed = true;
            machine.app.cancelled += u8::from(seen.phase == Phase::Opening);
        }
        self.expect(answer.is_ok() == may, || {
            format!("38: close_direct answers {answer:?}, the connection can be seen: {may}")
        });
        self.drain(m);
        let machine = self.machine(m);
        let again = machine.node.close_direct(group, id, now);
        self.expect(again == Err(Error::ConnectionNotFound), || {
            format!("38: a second close_direct answers {again:?}")
        });
        self.drain(m);
    }

    pub(crate) fn leave(&mut self, m: usize) {
        let now = self.time();
        let machine = self.machine(m);
        machine.app.leave();
        let answer = machine.node.close_group(machine.group, now);
        self.expect(answer == Ok(()), || format!("close_group answers {answer:?}"));
        self.drain(m);
    }

    /// Obeys all outputs of a machine; then its application takes what it was told, unless it is lazy.
    pub(crate) fn drain(&mut self, m: usize) {
        let mut burst = Burst::new();
        while let Some(output) = self.machine(m).poll() {
            match self.mutation {
                Some(mutation) => {
                    let outputs = mutation.change(output);
                    outputs.into_iter().for_each(|output| self.obey(m, output, &mut burst));
                }
                None => self.obey(m, output, &mut burst),
            }
        }
        if !self.scope.lazy && !self.machines[m].app.queue.is_empty() {
            // Drains again.
            self.take(m);
        }
    }

    fn obey(&mut self, m: usize, output: Output, burst: &mut Burst) {
        match output {
            Output::Listen { on } => {
                self.machine(m).listening = on;
                if on {
                    self.input(m, Input::Listening { addresses: endpoints(m) });
                }
            }
            Output::Dial { dial, address, expect } => {
                let target = (0..self.machines.len()).find(|n| at(*n) == address);
                self.dials.push(Dialling { machine: m, dial, target, expect });
            }
            Output::CancelDial { dial } => {
                self.dials.retain(|known| (known.machine, known.dial) != (m, dial));
            }
            Output::Open { link, stream, .. } => {
                let Some((w, end)) = self.end(m, link) else { return };
                let Some(wire) = self.wire(w) else { return };
                let number = wire.ends[end].opened;
                wire.ends[end].opened += 1;
                wire.streams.insert((end, number), Stream::default());
                self.expect(stream.0 == 2 * number, || format!("{stream:?} is not the next"));
            }
            Output::Write { link, stream, head, body } => {
                let bytes = [head.as_slice(), &body.into_bytes()].concat();
                self.write(m, link, stream, bytes, burst);
            }
            Output::Credit { link, stream, bytes } => {
                let Some((w, end, key)) = self.stream(m, link, stream) else { return };
                self.half(w, key, 1 - end).credit += u64::from(bytes);
            }
            Output::Finish { link, stream } => {
                let Some((w, end, key)) = self.stream(m, link, stream) else { return };
                let half = self.half(w, key, end);
                let twice = std::mem::replace(&mut half.finished, true);
                half.flight.push_back(Item::Fin);
                self.expect(!twice, || format!("{stream:?} is finished twice"));
            }
            Output::Forget { link, stream } => self.forget(m, link, stream),
            Output::Abort { link, stream, code } => self.abort(m, link, stream, code),
            Output::Priority { .. } | Output::Trust { .. } => {}
            Output::CloseLink { link, code } => {
                let Some((w, end)) = self.end(m, link) else { return };
                self.machine(m).links.remove(&link);
                let Some(wire) = self.wire(w) else { return };
                wire.ends[end].over = true;
                wire.ends[end].notice = None;
                let other = &mut wire.ends[1 - end];
                if !other.over {
                    other.notice.get_or_insert(DownCause::Peer(code));
                }
                self.input(m, Input::LinkDown { link, cause: DownCause::Local });
            }
            Output::Store { ticket, .. } => {
                self.input(m, Input::Stored { ticket, result: Ok(()) });
            }
            Output::Event { event, .. } => self.tell(m, event),
        }
    }

    fn write(&mut self, m: usize, link: LinkId, id: StreamId, bytes: Vec<u8>, burst: &mut Burst) {
        let Some((w, end, key)) = self.stream(m, link, id) else { return };
        let swift = self.scope.swift;
        let sent = bytes.len() as u32;
        let half = self.half(w, key, end);
        let finished = half.finished;
        match half.flight.back_mut() {
            // What one call writes on a stream may arrive at once; what may be dropped by itself stays by itself.
            Some(Item::Bytes(last)) if swift && burst.contains(&(w, key)) => {
                *last = [&last[..], &bytes].concat().into();
            }
            _ => half.flight.push_back(Item::Bytes(bytes.into())),
        }
        burst.insert((w, key));
        self.expect(!finished, || format!("{id:?} is written to after its end"));
        if swift {
            self.input(m, Input::Sent { link, stream: id, bytes: sent });
        }
    }

    /// Drops what has not left. What has left is only what has arrived, unless everything leaves at once.
    fn forget(&mut self, m: usize, link: LinkId, id: StreamId) {
        let swift = self.scope.swift;
        let Some((w, end, key)) = self.stream(m, link, id) else { return };
        let half = self.half(w, key, end);
        let mut dropped = 0;
        half.flight.retain(|item| match item {
            Item::Bytes(bytes) if !swift => {
                dropped += bytes.len();
                false
            }
            _ => true,
        });
        self.input(m, Input::Sent { link, stream: id, bytes: dropped as u32 });
    }

    fn abort(&mut self, m: usize, link: LinkId, id: StreamId, code: u64) {
        let Some((w, end, key)) = self.stream(m, link, id) else { return };
        let Some(stream) = self.wire(w).and_then(|wire| wire.streams.get_mut(&key)) else { return };
        stream.gone[end] = true;
        stream.halves.iter_mut().for_each(|half| half.flight.clear());
        stream.halves[end].flight.push_back(Item::Reset(code));
    }

    /// The end of a wire that a machine calls `link`; `None` if it is over.
    fn end(&self, m: usize, link: LinkId) -> Option<(u32, usize)> {
        self.machines[m].links.get(&link).copied()
    }

    fn stream(&self, m: usize, link: LinkId, id: StreamId) -> Option<(u32, usize, Key)> {
        let (w, end) = self.end(m, link)?;
        let key = Wire::key(end, id);
        let stream = self.wires.get(&w)?.streams.get(&key)?;
        (!stream.gone[end]).then_some((w, end, key))
    }

    /// A stream that is known to be there: what an end sends on it.
    fn half(&mut self, w: u32, key: Key, sender: usize) -> &mut crate::wire::Half {
        let wire = self.wires.get_mut(&w).map(Arc::make_mut).expect("the wire was found");
        &mut wire.streams.get_mut(&key).expect("the stream was found").halves[sender]
    }

    /// The next thing of a stream arrives.
    pub(crate) fn deliver(&mut self, w: u32, key: Key, from: usize) {
        let to = 1 - from;
        self.announce(w, key, to);
        let Some(wire) = self.wires.get(&w).filter(|wire| wire.delivers(key, from)) else { return };
        let (m, link) = (wire.ends[to].machine, wire.ends[to].link);
        let sender = (!wire.ends[from].over).then_some((
            wire.ends[from].machine,
            wire.ends[from].link,
            Wire::id(from, key),
        ));
        let id = Wire::id(to, key);
        let half = self.half(w, key, from);
        match half.flight.pop_front() {
            Some(Item::Bytes(mut bytes)) => {
                let now = bytes.split_to(bytes.len().min(half.credit as usize));
                half.credit -= now.len() as u64;
                if !bytes.is_empty() {
                    half.flight.push_front(Item::Bytes(bytes));
                }
                if let Some((sender, link, stream)) = sender.filter(|_| !self.scope.swift) {
                    self.input(sender, Input::Sent { link, stream, bytes: now.len() as u32 });
                    self.drain(sender);
                }
                self.input(m, Input::Chunk { link, stream: id, bytes: now });
            }
            Some(Item::Fin) => {
                half.over = true;
                self.input(m, Input::Finished { link, stream: id });
            }
            Some(Item::Reset(code)) => {
                let Some(stream) = self.wire(w).and_then(|wire| wire.streams.get_mut(&key)) else {
                    return;
                };
                let heard = stream.is_over(to);
                stream.gone[to] = true;
                stream.halves[to].flight.clear();
                if !heard {
                    self.input(m, Input::Reset { link, stream: id, code });
                }
            }
            None => {}
        }
        self.drain(m);
    }

    /// Tells a machine of streams that its peer opened, in order.
    fn announce(&mut self, w: u32, key: Key, to: usize) {
        let known = |wire: &Wire| key.0 == to || wire.ends[to].accepted > key.1;
        while let Some(wire) = self.wires.get(&w).filter(|wire| !known(wire)) {
            let (m, link) = (wire.ends[to].machine, wire.ends[to].link);
            let stream = Wire::id(to, (key.0, wire.ends[to].accepted));
            if let Some(wire) = self.wire(w) {
                wire.ends[to].accepted += 1;
            }
            self.input(m, Input::Accepted { link, stream });
            self.drain(m);
        }
    }

    /// An end of a wire hears that its link has ended.
    pub(crate) fn notice(&mut self, w: u32, end: usize) {
        let Some(wire) = self.wire(w) else { return };
        let entry = &mut wire.ends[end];
        let (m, link) = (entry.machine, entry.link);
        let Some(cause) = entry.notice.take() else { return };
        entry.over = true;
        self.machine(m).links.remove(&link);
        self.input(m, Input::LinkDown { link, cause });
        self.drain(m);
    }

    /// The application is told of something.
    fn tell(&mut self, m: usize, event: Event) {
        if let Some(log) = &mut self.log {
            log.push(shown(m, &event));
        }
        match event {
            Event::Direct(connection) => self.tell_direct(m, &connection),
            Event::Data { id, payload, .. } => {
                let bytes = payload.into_bytes();
                let machine = self.machine(m);
                let here = (m as u8, machine.run, machine.app.seen.get(&id).map_or(0, |s| s.nth));
                match machine.app.received(id, &bytes) {
                    Ok(from) => {
                        let entry = self.delivered.entry(from).or_insert((0, here));
                        entry.0 += 1;
                        let there = entry.1;
                        self.expect(there == here, || {
                            "37: one connection's messages came on two".to_owned()
                        });
                    }
                    Err(broken) => self.expect(false, || format!("{}: {broken}", name(m))),
                }
            }
            Event::Closed => {
                let app = &mut self.machine(m).app;
                let open = app.seen.values().filter(|seen| seen.phase != Phase::Over).count();
                app.closed = true;
                self.expect(open == 0, || format!("36: {open} connections outlive their group"));
            }
            _ => {}
        }
    }

    fn tell_direct(&mut self, m: usize, told: &Connection) {
        let (now, clean, declined) = (self.now, self.clean, self.declined);
        let peer = told.peer.and_then(|key| self.number(key));
        let machine = self.machine(m);
        let mut outcome = machine.app.told(told.id, told.change, peer, now);
        if clean && outcome.is_ok() {
            outcome = match (told.change, told.cause) {
                (ConnectionChange::Connected, _) => Ok(()),
                (ConnectionChange::Disconnected, cause) => machine.app.end_is_clean(told.id, cause),
                (ConnectionChange::Failed, Cause::Cancelled) => Ok(()),
                (ConnectionChange::Failed, Cause::Refused(_)) if declined => Ok(()),
                (ConnectionChange::Failed, cause) => {
                    Err(format!("39: an open failed by {cause:?} in a world without faults"))
                }
            };
        }
        let run = machine.run;
        let seen = machine.app.seen.get(&told.id);
        let (nth, sent, closed) = seen.map_or((0, 0, false), |s| (s.nth, s.sent, s.closed));
        if let Err(broken) = outcome {
            self.expect(false, || format!("{}: {broken}", name(m)));
        }
        let orderly = (told.change, told.cause) == (ConnectionChange::Disconnected, Cause::Orderly);
        if orderly && closed {
            let got = self.delivered.get(&(m as u8, run, nth)).map_or(0, |d| d.0);
            self.expect(got == sent, || {
                format!("37: closed in order, yet {got} of {sent} messages were delivered")
            });
        }
    }

    fn number(&self, peer: KeyId) -> Option<usize> {
        (0..self.machines.len()).find(|m| key(*m) == peer)
    }
}

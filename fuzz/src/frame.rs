//! Bytes on a node's streams: invariant 42.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use p2p_core::{
    ConnectionChange, ConnectionId, DownCause, Event, Input, Limits, LinkId, Output, SECOND,
    StreamId, Taken, close, reset,
};

use crate::raw::frame as frame_of;
use crate::rig::Rig;
use crate::{bounded, heap_used};

/// Outputs that one input may cause besides those of its bytes: a session lets 8 waiting opens in, and a link that ends
/// ends all that it carries.
const OUTPUTS_ONCE: usize = 64;
/// Outputs per byte: the shortest frame has two, and none is worth more than a reply, an event and a change to store.
const OUTPUTS_PER_BYTE: usize = 2;
/// Bytes that may be written once, and per byte received. The shortest question, OBJECT_WANT and CONNECT aside, is longer
/// than its answer; those two are answered from what the node holds, which is nothing here.
const WRITTEN_ONCE: usize = 1 << 10;
const WRITTEN_PER_BYTE: usize = 4;
/// What our own application asks for is not the peer's doing: an opening, and its end.
const WRITTEN_PER_OPEN: usize = 64;
/// Memory that may be held besides what was received, and per byte received: what is kept of a message of crumbs.
const HELD_ONCE: usize = 64 << 10;
const HELD_PER_BYTE: usize = 32;
/// Bytes of an input that are looked at.
const INPUT_MAX: usize = 4 << 10;

const LINK: LinkId = LinkId(1);

/// Types that bytes are put in frames of, so that more comes of them than the end of a link.
const FRAMES: [u64; 16] = [
    0x10, 0x11, 0x12, 0x13, 0x14, 0x1c, 0x1d, 0x41, 0x42, 0x43, 0x43, 0x44, 0x45, 0x4001, 0x02,
    0x05,
];

const RESETS: [u64; 7] = [
    reset::CANCELLED,
    reset::PROOF,
    reset::NO_SESSION,
    reset::DUPLICATE,
    reset::VIOLATION,
    reset::EXPIRED,
    reset::MEMBERSHIP,
];

/// A peer that says anything on any stream of one link.
///
/// The first byte chooses who it is (a member whose session stands, or somebody who has said nothing), and whether the
/// application takes what it is told. Then a byte chooses a stream (its low three bits) and what happens on it: mostly that
/// the number of bytes which the next byte says arrive, taken from what follows, as they are or as the body of a frame.
pub fn frame(bytes: &[u8]) {
    let Some((&first, mut rest)) = bytes.split_first() else { return };
    rest = &rest[..rest.len().min(INPUT_MAX)];
    let before = heap_used();
    let mut talk = Talk::new(first & 1 == 1, first & 2 == 2);
    while let [what, tail @ ..] = rest {
        rest = talk.step(*what, tail);
        let held = heap_used().saturating_sub(before);
        let allowed = HELD_ONCE + HELD_PER_BYTE * talk.received;
        assert!(held <= allowed, "{held} bytes are held for {} received", talk.received);
    }
    talk.end();
}

/// One link, and what is known of it.
struct Talk {
    rig: Rig,
    member: bool,
    takes: bool,
    streams: BTreeMap<StreamId, Stream>,
    received: usize,
    written: usize,
    /// Connections that our own application has opened.
    opened: usize,
    over: bool,
    untaken: Vec<(ConnectionId, Taken)>,
}

#[derive(Default)]
struct Stream {
    /// Arrived, and waiting for credit.
    waiting: Vec<u8>,
    /// The peer has said its last, or the node wants no more.
    over: bool,
}

impl Talk {
    fn new(member: bool, takes: bool) -> Talk {
        let mut rig = Rig::new(Limits::default());
        rig.link(LINK);
        let mut streams = BTreeMap::new();
        if member {
            rig.greet(LINK);
            streams.insert(StreamId(1), Stream::default());
        }
        let untaken = Vec::new();
        Talk {
            rig,
            member,
            takes,
            streams,
            received: 0,
            written: 0,
            opened: 0,
            over: false,
            untaken,
        }
    }

    /// One thing that the peer does; the bytes that are left.
    fn step<'a>(&mut self, what: u8, rest: &'a [u8]) -> &'a [u8] {
        let stream = StreamId(2 * u64::from(what & 7) + 1);
        match what >> 3 {
            kind @ 0..24 => {
                let Some((&length, rest)) = rest.split_first() else { return rest };
                let (chunk, rest) = rest.split_at(rest.len().min(usize::from(length)));
                match FRAMES.get(usize::from(kind)) {
                    Some(kind) => self.hear(stream, &frame_of(*kind, chunk)),
                    None => self.hear(stream, chunk),
                }
                return rest;
            }
            24 => {
                self.end_stream(stream, |link, stream| Input::Finished { link, stream });
            }
            25 => {
                let reset = |link, stream| Input::Reset { link, stream, code: reset::CANCELLED };
                self.end_stream(stream, reset);
            }
            26 => {
                let outputs = self.rig.wait(SECOND << (what & 7));
                self.look(outputs, 0);
            }
            // The greeting of a member, so that what comes later is not all noise.
            27 if !self.member && !self.over => {
                let greeting = self.rig.greeting(LINK);
                self.hear(StreamId(1), &greeting);
            }
            28 => {
                let opening = self.rig.opening(LINK);
                self.hear(stream, &opening);
            }
            _ => {
                // A direct connection's own opening, asked for by our application.
                let (group, now) = (self.rig.group, self.rig.now());
                let expect = p2p_core::Expect::Key(crate::rig::peer());
                let here = crate::rig::at(crate::rig::PEER);
                if self.rig.node.open_direct(group, expect, here, now).is_ok() {
                    self.opened += 1;
                    let outputs = self.rig.drain();
                    self.look(outputs, 0);
                }
            }
        }
        rest
    }

    fn hear(&mut self, stream: StreamId, bytes: &[u8]) {
        if self.over {
            return;
        }
        // Streams are announced in order.
        for earlier in (1..=stream.0).step_by(2).map(StreamId) {
            if let Entry::Vacant(new) = self.streams.entry(earlier) {
                new.insert(Stream::default());
                let outputs = self.rig.input(Input::Accepted { link: LINK, stream: earlier });
                self.look(outputs, 0);
            }
        }
        if let Some(known) = self.streams.get_mut(&stream).filter(|s| !s.over) {
            known.waiting.extend_from_slice(bytes);
        }
        self.read();
    }

    /// Hands in what credit allows.
    fn read(&mut self) {
        loop {
            let credit = &self.rig.credit;
            let ready = |(id, s): &(&StreamId, &Stream)| {
                !s.over
                    && !s.waiting.is_empty()
                    && credit.get(&(LINK, **id)).is_some_and(|c| *c > 0)
            };
            let Some(id) = self.streams.iter().find(ready).map(|(id, _)| *id) else { return };
            let Some(stream) = self.streams.get_mut(&id).filter(|_| !self.over) else { return };
            let waiting = std::mem::take(&mut stream.waiting);
            let (said, outputs) = bounded(|| self.rig.say(LINK, id, &waiting));
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.waiting = waiting[said..].to_vec();
            }
            self.received += said;
            self.look(outputs, said);
        }
    }

    fn end_stream(&mut self, stream: StreamId, input: fn(LinkId, StreamId) -> Input) {
        let Some(known) = self.streams.get_mut(&stream).filter(|s| !s.over && !self.over) else {
            return;
        };
        known.over = true;
        known.waiting.clear();
        let outputs = self.rig.input(input(LINK, stream));
        self.look(outputs, 0);
    }

    /// What came of so many bytes: every outcome has a code, and none is out of proportion.
    fn look(&mut self, outputs: Vec<Output>, bytes: usize) {
        let allowed = OUTPUTS_ONCE + OUTPUTS_PER_BYTE * bytes;
        assert!(outputs.len() <= allowed, "{} outputs for {bytes} bytes", outputs.len());
        for output in outputs {
            self.look_at(output);
        }
        let asked = WRITTEN_PER_OPEN * self.opened;
        let allowed = WRITTEN_ONCE + WRITTEN_PER_BYTE * self.received + asked;
        assert!(self.written <= allowed, "{} bytes for {}", self.written, self.received);
        if self.takes {
            self.take();
        }
    }

    fn look_at(&mut self, output: Output) {
        match output {
            Output::CloseLink { link, code } => {
                assert!(link == LINK && !self.over, "a link is closed once");
                assert_ne!(close::name(code), "unknown", "{code:#x}");
                self.over = true;
            }
            Output::Abort { stream, code, .. } => {
                assert!(!self.over && RESETS.contains(&code), "reset {code:#x} of {stream:?}");
                if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.over = true;
                    stream.waiting.clear();
                }
            }
            Output::Write { link, stream, head, body } => {
                assert!(!self.over, "nothing is said on a closed link");
                let bytes = head.as_slice().len() + body.len();
                self.written += bytes;
                let bytes = bytes as u32;
                let sent = self.rig.input(Input::Sent { link, stream, bytes });
                self.look(sent, 0);
            }
            Output::Event { event: Event::Data { id, payload, .. }, .. } => {
                self.untaken.push((id, Taken::Data { bytes: payload.len() }));
            }
            Output::Event { event: Event::Direct(c), .. }
                if c.change == ConnectionChange::Disconnected =>
            {
                self.untaken.push((c.id, Taken::Disconnected));
            }
            _ => {}
        }
    }

    fn take(&mut self) {
        for (id, what) in std::mem::take(&mut self.untaken) {
            let now = self.rig.now();
            self.rig.node.taken(self.rig.group, id, what, now);
            let outputs = self.rig.drain();
            self.look(outputs, 0);
        }
        self.read();
    }

    /// The link ends and time passes: nothing is left of what was said.
    fn end(mut self) {
        if !self.over {
            let (link, cause) = (LINK, DownCause::Timeout);
            let outputs = self.rig.input(Input::LinkDown { link, cause });
            self.over = true;
            outputs.into_iter().for_each(|output| self.look_at(output));
        }
        for output in self.rig.wait(95 * SECOND) {
            self.look_at(output);
        }
        self.take();
        let census = self.rig.node.census();
        let left = [census.links, census.controls, census.streams, census.directs];
        assert_eq!((left, census.ghosts, census.buffered), ([0; 4], 0, 0), "{census:?}");
        // It still works.
        let link = LinkId(2);
        self.rig.link(link);
        self.rig.greet(link);
        let _ = self.rig.input(Input::Accepted { link, stream: StreamId(3) });
        let opening = self.rig.opening(link);
        let (_, outputs) = self.rig.say(link, StreamId(3), &opening);
        let connected = |output: &Output| matches!(output, Output::Event { event: Event::Direct(c), .. } if c.change == ConnectionChange::Connected);
        assert!(outputs.iter().any(connected), "{outputs:#?}");
    }
}

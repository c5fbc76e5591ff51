//! What hostile nodes do. Their nodes are real ones, whose frames are bent on the way out; and they make connections of
//! their own, of which their nodes know nothing.

use bytes::Bytes;
use p2p_core::Input;

use super::World;
use crate::fake::{session, tag};
use crate::frame::{self, kind};
use crate::plan::Mischief;
use crate::wire::{Key, Stream, Wire};

/// Frames that a flood consists of: more than a link allows at a time.
const FLOOD: usize = 260;
/// Connections that one mischief makes.
const SILENT: usize = 6;

impl World {
    pub(super) fn mischief(&mut self, m: usize, what: Mischief, target: usize) {
        if !self.hosts[m].alive {
            return;
        }
        if let Mischief::Bend(one_in) = what {
            // Once bent, its driver keeps other books than an honest one: it never goes back.
            self.hosts[m].bends = if one_in == 0 { u64::MAX } else { one_in };
            for g in 0..self.groups.len() {
                self.open_group(m, g);
            }
            self.open_direct(m, target, 0);
            return;
        }
        if !self.hosts[target].alive || !self.hosts[target].listening || !self.hears(m, target) {
            return;
        }
        let w = self.join(m, target, None, true);
        match what {
            Mischief::Noise => self.noise(w),
            Mischief::WrongStates => {
                self.introduce(w, m);
                self.wrong_states(w);
            }
            Mischief::Flood => {
                let key = self.introduce(w, m);
                let one = frame::frame(kind::CONNECT, &[]);
                self.say(w, key, one.repeat(FLOOD));
            }
            Mischief::Referrals => {
                let key = self.introduce(w, m);
                let welcome = self.referrals();
                self.say(w, key, frame::frame(kind::CONNECT, &[]));
                self.say(w, key, frame::frame(kind::WELCOME, &welcome));
            }
            Mischief::Silence => {
                (1..SILENT).for_each(|_| {
                    self.join(m, target, None, true);
                });
            }
            Mischief::Bend(_) => {}
        }
    }

    /// Streams of random bytes, some of which begin like frames.
    fn noise(&mut self, w: u64) {
        for _ in 0..4 {
            let key = self.raw_stream(w);
            let len = self.dice().index(400);
            let mut bytes = self.dice().bytes(len);
            if self.dice().one_in(2) {
                let kinds = [kind::HELLO, kind::DC_OPEN, kind::CONNECT, 0x4001, 0x05];
                let kind = self.dice().pick(&kinds);
                let claimed = self.dice().index(len + 1);
                bytes = [frame::varint(kind), frame::varint(claimed as u64), bytes].concat();
            }
            self.say(w, key, bytes);
        }
    }

    /// Says hello, and shows whatever chain the host has.
    fn introduce(&mut self, w: u64, m: usize) -> Key {
        let key = self.raw_stream(w);
        let group = self.groups[0];
        let tag = tag(&session(&self.wires[&w].binding, &group), true);
        let instance = self.dice().roll();
        let chain = self.hosts[m].papers[0].as_ref().map(|p| p.chain.clone()).unwrap_or_default();
        let mut bytes = frame::hello(tag, instance);
        bytes.extend(frame::frame(kind::MEMBER_PROOF, &chain));
        self.say(w, key, bytes);
        key
    }

    /// Well-formed frames where they mean nothing, on the session's stream and on others.
    fn wrong_states(&mut self, w: u64) {
        let group = self.groups[0];
        let tag = tag(&session(&self.wires[&w].binding, &group), true);
        let frames = [
            frame::frame(kind::WELCOME, &[0]),
            frame::frame(0x12, &[1, 0]),
            frame::frame(0x13, &[1]),
            frame::frame(kind::ADDR_UPDATE, &[0]),
            frame::frame(kind::SESSION_OK, &[0; 60]),
            frame::frame(0x04, &[0]),
            frame::frame(kind::DC_OPEN, &tag),
            frame::frame(kind::DC_ACCEPT, &[]),
            frame::frame(kind::DC_REFUSE, &[4]),
            frame::frame(0x43, &[[1; 16].as_slice(), &[0], b"a message"].concat()),
            frame::frame(0x43, &[[1; 16].as_slice(), &[1], b"a part"].concat()),
            frame::frame(0x44, &[0]),
            frame::frame(0x44, &[9]),
            frame::frame(0x45, &[0]),
            frame::frame(0x45, &[7]),
            frame::hello(tag, 5),
        ];
        for _ in 0..3 {
            let key = self.raw_stream(w);
            let mut bytes = if self.dice().one_in(3) { Vec::new() } else { frames[6].clone() };
            for _ in 0..self.dice().below(6) {
                let n = self.dice().index(frames.len());
                bytes.extend_from_slice(&frames[n]);
            }
            self.say(w, key, bytes);
        }
    }

    /// Thirty-two members that nobody knows, at addresses of others.
    fn referrals(&mut self) -> Vec<u8> {
        let mut body = frame::varint(32);
        for _ in 0..32 {
            body.extend(self.dice().bytes(40));
            body.push(4);
            for n in 0..4 {
                let third_party = [0x20, 0x01, 0x0d, 0xb8, 0xff, n];
                body.extend(third_party);
                body.extend(self.dice().bytes(10));
                body.extend([0x0e, 3]);
            }
        }
        body
    }

    fn raw_stream(&mut self, w: u64) -> Key {
        let wire = self.wire(w);
        let key = (0, wire.opened[0]);
        wire.opened[0] += 1;
        wire.streams.insert(key, Stream::default());
        key
    }

    /// Puts bytes on a stream, whether or not the connection stands already; in pieces, some of them late.
    fn say(&mut self, w: u64, key: Key, bytes: Vec<u8>) {
        self.half(w, key, 0).write([Bytes::from(bytes)]);
        self.pump(w, 0, key);
    }

    /// A frame of a hostile node, bent or not. The node hears that it was sent as it was.
    pub(super) fn write_bent(&mut self, w: u64, end: usize, key: Key, mut bytes: Vec<u8>) {
        let (m, link) = (self.wires[&w].ends[end].host, self.wires[&w].ends[end].link);
        let sent = Input::Sent { link, stream: Wire::id(end, key), bytes: bytes.len() as u32 };
        self.soon(m, 1, sent);
        let bends = self.hosts[m].bends;
        if self.dice().one_in(bends) {
            let at = self.dice().index(bytes.len());
            match self.dice().below(6) {
                0 => bytes[at] ^= 1 << self.dice().below(8),
                1 => bytes.truncate(at),
                2 => bytes = bytes.repeat(2),
                3 => bytes.extend(self.dice().bytes(9)),
                4 => bytes = self.dice().bytes(30),
                _ => bytes.clear(),
            }
        }
        self.half(w, key, end).write([Bytes::from(bytes)]);
        self.pump(w, end, key);
    }
}

//! The clock and the network of the game: one moves by a frame at a time, the other keeps everything for a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{DownCause, FileTime, Input, KeyId, LinkId, Now, Output, StreamId, Tick};

use crate::Player;
use crate::inbox::Inbox;
use crate::trusting::address;

/// Microseconds of a frame.
pub(crate) const FRAME: u64 = 16_667;
/// Microseconds that anything takes to the other player.
const DELAY: u64 = 30_000;
/// The only link of this world, by its number on both sides.
const LINK: LinkId = LinkId(1);

/// What is on its way.
pub(crate) enum Packet {
    Input(Input),
    Bytes(StreamId, Bytes),
    Fin(StreamId),
}

/// Both players, and all that is between them.
pub(crate) struct World {
    pub(crate) tick: u64,
    pub(crate) players: [Player; 2],
    /// By the moment of arrival, then in the order of sending.
    network: BTreeMap<(u64, u64), (usize, Packet)>,
    sent: u64,
    linked: bool,
    pub(crate) outputs: Vec<(u64, usize, Output)>,
}

/// The clock: microseconds of the match, on a day in 2026.
pub(crate) fn at(tick: u64) -> Now {
    Now { tick: Tick(tick), wall: FileTime::from_unix(1_795_000_000 + (tick / 1_000_000) as i64) }
}

impl World {
    pub(crate) fn new(players: [Player; 2]) -> World {
        let (network, outputs) = (BTreeMap::new(), Vec::new());
        World { tick: 0, players, network, sent: 0, linked: false, outputs }
    }

    /// One turn of the loop.
    pub(crate) fn frame(&mut self) {
        self.tick += FRAME;
        let now = at(self.tick);
        while let Some(next) = self.network.first_entry().filter(|next| next.key().0 <= self.tick) {
            let (whose, packet) = next.remove();
            self.players[whose].receive(packet, now);
        }
        for me in [0, 1] {
            let player = &mut self.players[me];
            if player.node.next_timeout().is_some_and(|(due, _)| due <= now.tick) {
                player.node.handle(Input::Timeout, now);
            }
            player.play(me, now);
            while let Some(output) = self.players[me].node.poll() {
                self.outputs.push((self.tick, me, output.clone()));
                self.obey(me, output);
            }
        }
    }

    fn send(&mut self, to: usize, delay: u64, packet: Packet) {
        self.sent += 1;
        self.network.insert((self.tick + delay, self.sent), (to, packet));
    }

    fn obey(&mut self, me: usize, output: Output) {
        let (peer, now) = (1 - me, at(self.tick));
        let theirs = |stream: StreamId| StreamId(stream.0 ^ 1);
        // What is on the way to the other player; what has an answer here gets it at once.
        let packet = match output {
            Output::Open { link, stream, .. } => {
                Packet::Input(Input::Accepted { link, stream: theirs(stream) })
            }
            Output::Write { link, stream, head, body } => {
                let bytes = [head.as_slice(), &body.into_bytes()].concat();
                let sent = Input::Sent { link, stream, bytes: bytes.len() as u32 };
                self.players[me].node.handle(sent, now);
                Packet::Bytes(theirs(stream), bytes.into())
            }
            Output::Finish { stream, .. } => Packet::Fin(theirs(stream)),
            Output::Abort { link, stream, code } => {
                Packet::Input(Input::Reset { link, stream: theirs(stream), code })
            }
            Output::CloseLink { link, code } if std::mem::take(&mut self.linked) => {
                self.players[me]
                    .node
                    .handle(Input::LinkDown { link, cause: DownCause::Local }, now);
                Packet::Input(Input::LinkDown { link, cause: DownCause::Peer(code) })
            }
            Output::Dial { dial, .. } => {
                self.linked = true;
                let up = |other: usize, dial| {
                    let (peer, remote) = (KeyId([other as u8; 32]), address(other as u8 + 1));
                    Packet::Input(Input::LinkUp {
                        link: LINK,
                        dial,
                        peer,
                        binding: [7; 32],
                        remote,
                    })
                };
                self.send(me, 2 * DELAY, up(peer, Some(dial)));
                up(me, None)
            }
            Output::Listen { on: true } => {
                let addresses = Arc::from([address(me as u8 + 1)]);
                return self.players[me].node.handle(Input::Listening { addresses }, now);
            }
            Output::Store { ticket, .. } => {
                let stored = Input::Stored { ticket, result: Ok(()) };
                return self.players[me].node.handle(stored, now);
            }
            Output::Credit { stream, bytes, .. } => {
                return self.players[me].credit(stream, bytes, now);
            }
            Output::Event { event, .. } => return self.players[me].hear(me, event, now),
            // Nothing waits in this network, and its streams have no limits.
            Output::Listen { on: false }
            | Output::CancelDial { .. }
            | Output::CloseLink { .. }
            | Output::Forget { .. }
            | Output::Priority { .. }
            | Output::Trust { .. } => return,
        };
        self.send(peer, DELAY, packet);
    }
}

/// What a driver keeps for each stream.
impl Player {
    fn receive(&mut self, packet: Packet, now: Now) {
        match packet {
            Packet::Input(input) => self.node.handle(input, now),
            Packet::Bytes(stream, bytes) => self.inbox(stream).chunks.push_back(bytes),
            Packet::Fin(stream) => self.inbox(stream).fin = true,
        }
        self.read(now);
    }

    fn credit(&mut self, stream: StreamId, bytes: u32, now: Now) {
        self.inbox(stream).credit += bytes as usize;
        self.read(now);
    }

    fn inbox(&mut self, stream: StreamId) -> &mut Inbox {
        self.inboxes.entry(stream).or_default()
    }

    /// Hands in what has arrived, never more than the credit.
    fn read(&mut self, now: Now) {
        let link = LINK;
        for (&stream, inbox) in &mut self.inboxes {
            while let Some(bytes) = inbox.next() {
                self.node.handle(Input::Chunk { link, stream, bytes }, now);
            }
            if inbox.is_over() {
                self.node.handle(Input::Finished { link, stream }, now);
            }
        }
    }
}

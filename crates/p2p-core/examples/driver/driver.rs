//! The canonical driver: all that whoever drives a node owes it. A real one has QUIC where this one has channels.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use p2p_core::{
    Address, Authority, DownCause, Event, Input, KeyId, LinkId, Node, Now, Output, StreamId,
};

use crate::network::{Clock, Inbox, Packet, Packets, Peer};

pub(crate) struct Driver<A> {
    pub(crate) node: Node<A>,
    pub(crate) own: Address,
    /// The only other machine in this world.
    pub(crate) peer: Peer,
    packets: Packets,
    pub(crate) clock: Clock,
    link: LinkId,
    accepted: u64,
    inboxes: BTreeMap<StreamId, Inbox>,
    inputs: VecDeque<Input>,
}

impl<A: Authority> Driver<A> {
    pub(crate) fn new(node: Node<A>, own: Address, peer: Peer, packets: Packets) -> Self {
        let (clock, inboxes, inputs) = (Clock::start(), BTreeMap::new(), VecDeque::new());
        Driver { node, own, peer, packets, clock, link: LinkId(0), accepted: 0, inboxes, inputs }
    }

    /// Obeys, hands events to the application, waits for packets and for time; until the application says `false`.
    pub(crate) fn run(&mut self, mut app: impl FnMut(&mut Node<A>, Event, Now) -> bool) {
        loop {
            while let Some(output) = self.node.poll() {
                let now = self.clock.now();
                if self.obey(output).is_some_and(|event| !app(&mut self.node, event, now)) {
                    return;
                }
            }
            self.read();
            if let Some(input) = self.inputs.pop_front() {
                self.node.handle(input, self.clock.now());
                continue;
            }
            let due = self.node.next_timeout().map(|(due, _)| due.since(self.clock.now().tick));
            match self.packets.recv_timeout(Duration::from_micros(due.unwrap_or(1_000_000))) {
                Ok(packet) => self.receive(packet),
                // Too early is harmless.
                Err(_) => self.node.handle(Input::Timeout, self.clock.now()),
            }
        }
    }

    fn obey(&mut self, output: Output) -> Option<Event> {
        let theirs = |stream: StreamId| StreamId(stream.0 ^ 1);
        let input = match output {
            Output::Listen { on: true } => Input::Listening { addresses: Arc::from([self.own]) },
            Output::Dial { dial, .. } => {
                self.send(Packet::Dialled(self.node.authority().own_key()));
                self.up(self.peer.0, Some(dial))
            }
            Output::Write { link, stream, head, body } => {
                let pieces = [Bytes::copy_from_slice(head.as_slice()), body.into_bytes()];
                let bytes = pieces.iter().map(|piece| piece.len() as u32).sum();
                pieces.into_iter().for_each(|it| _ = self.send(Packet::Bytes(theirs(stream), it)));
                Input::Sent { link, stream, bytes }
            }
            Output::CloseLink { link, code } => {
                self.send(Packet::Closed(code));
                Input::LinkDown { link, cause: DownCause::Local }
            }
            Output::Store { ticket, .. } => Input::Stored { ticket, result: Ok(()) },
            Output::Event { event, .. } => return Some(event),
            Output::Credit { stream, bytes, .. } => {
                self.inboxes.entry(stream).or_default().credit += bytes as usize;
                return None;
            }
            Output::Finish { stream, .. } => return self.send(Packet::Fin(theirs(stream))),
            Output::Abort { stream, code, .. } => {
                return self.send(Packet::Reset(theirs(stream), code));
            }
            // Nothing waits in this driver, no dial takes time, and its streams have no limits.
            Output::Listen { on: false }
            | Output::CancelDial { .. }
            | Output::Open { .. }
            | Output::Forget { .. }
            | Output::Priority { .. }
            | Output::Trust { .. } => return None,
        };
        self.inputs.push_back(input);
        None
    }

    fn send(&self, packet: Packet) -> Option<Event> {
        // Whoever has ended hears nothing; with QUIC its silence would become a LinkDown.
        self.peer.2.send(packet).ok().and(None)
    }

    /// A link that stands: a new number, and no streams yet.
    fn up(&mut self, peer: KeyId, dial: Option<p2p_core::DialId>) -> Input {
        (self.link, self.accepted) = (LinkId(self.link.0 + 1), 0);
        self.inboxes.clear();
        Input::LinkUp { link: self.link, dial, peer, binding: [7; 32], remote: self.peer.1 }
    }

    fn receive(&mut self, packet: Packet) {
        let link = self.link;
        let input = match packet {
            Packet::Bytes(stream, bytes) => return self.inbox(stream).chunks.push_back(bytes),
            Packet::Fin(stream) => return self.inbox(stream).fin = true,
            Packet::Dialled(peer) => self.up(peer, None),
            Packet::Reset(stream, code) => Input::Reset { link, stream, code },
            Packet::Closed(code) => Input::LinkDown { link, cause: DownCause::Peer(code) },
        };
        self.inputs.push_back(input);
    }

    /// A stream's inbox; the peer's streams are announced in order.
    fn inbox(&mut self, stream: StreamId) -> &mut Inbox {
        while stream.0 % 2 == 1 && self.accepted <= stream.0 / 2 {
            let stream = StreamId(2 * self.accepted + 1);
            self.inputs.push_back(Input::Accepted { link: self.link, stream });
            self.accepted += 1;
        }
        self.inboxes.entry(stream).or_default()
    }

    /// Hands in what has arrived, never more than the credit.
    fn read(&mut self) {
        let link = self.link;
        for (&stream, inbox) in &mut self.inboxes {
            while let Some(bytes) = inbox.next() {
                self.inputs.push_back(Input::Chunk { link, stream, bytes });
            }
            if inbox.is_over() {
                self.inputs.push_back(Input::Finished { link, stream });
            }
        }
    }
}

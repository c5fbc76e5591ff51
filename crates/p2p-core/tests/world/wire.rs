//! One QUIC connection between two machines, as far as a node can tell: ordered streams that do not wait for each other.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use p2p_core::{Head, LinkId, Payload, StreamId};

/// A stream: which end opened it, and as its how-manieth.
pub type Key = (usize, u64);

/// What travels from one end to the other.
#[derive(Clone, Debug)]
pub enum Item {
    Bytes(Key, Bytes),
    Fin(Key),
    Reset(Key, u64),
    /// The receiver has read so many bytes.
    Window(Key, usize),
    Close(u64),
}

#[derive(Debug)]
pub struct End {
    pub machine: usize,
    pub epoch: u32,
    pub link: LinkId,
    /// `LinkUp` was handed in.
    pub up: bool,
    /// `LinkDown` was handed in, or is no longer due.
    pub down: bool,
    /// `CloseLink` was obeyed.
    pub closed: bool,
    /// Streams that the peer may have open at a time, and bytes unread per stream.
    pub streams: u64,
    pub window: usize,
    /// Streams of the peer that were announced.
    pub accepted: u64,
}

/// One direction of a stream.
#[derive(Default, Debug)]
pub struct Half {
    /// What the sender's driver holds: pieces of numbered writes.
    pub queue: VecDeque<(u64, Bytes)>,
    next_write: u64,
    /// The write of which some bytes have left.
    begun: Option<u64>,
    pub fin: bool,
    pub fin_sent: bool,
    /// Bytes that left the sender and were not read.
    pub unread: usize,
    pub last_arrival: u64,
    /// What has arrived and was not read.
    pub inbox: VecDeque<Bytes>,
    pub fin_arrived: bool,
    pub credit: u64,
    /// The receiver was told of the end.
    pub over: bool,
}

#[derive(Default, Debug)]
pub struct Stream {
    /// `halves[i]`: what end `i` sends.
    pub halves: [Half; 2],
    /// Ends that want no more of it: they aborted it or were told of a reset.
    pub gone: [bool; 2],
}

impl Stream {
    pub fn is_over(&self, end: usize) -> bool {
        self.gone[end] || (self.halves[1 - end].over && self.halves[end].fin_sent)
    }
}

#[derive(Debug)]
pub struct Wire {
    pub ends: [End; 2],
    pub streams: BTreeMap<Key, Stream>,
    pub opened: [u64; 2],
    /// Directions that are stalled, by sender, and what waits in them.
    pub stalled: [bool; 2],
    pub held: Vec<(usize, Item)>,
}

impl Wire {
    /// The stream that end `end` calls `id`.
    pub fn key(end: usize, id: StreamId) -> Key {
        if id.0.is_multiple_of(2) { (end, id.0 / 2) } else { (1 - end, id.0 / 2) }
    }

    /// What end `end` calls the stream.
    pub fn id(end: usize, key: Key) -> StreamId {
        StreamId(2 * key.1 + u64::from(key.0 != end))
    }

    /// Whether the opener may send on its stream yet: only so many may be open at a time.
    pub fn may_send(&self, key: Key) -> bool {
        let live = self
            .streams
            .range((key.0, 0)..key)
            .filter(|(_, s)| !(s.is_over(0) && s.is_over(1)))
            .count() as u64;
        live < self.ends[1 - key.0].streams
    }
}

impl Half {
    pub fn write(&mut self, head: &Head, body: &Payload) {
        let write = self.next_write;
        self.next_write += 1;
        self.queue.push_back((write, Bytes::copy_from_slice(head.as_slice())));
        let pieces = body.pieces().iter().filter(|p| !p.is_empty());
        self.queue.extend(pieces.map(|p| (write, p.clone())));
    }

    /// At most `max` bytes leave the driver.
    pub fn take(&mut self, max: usize) -> Bytes {
        let mut out = BytesMut::new();
        while out.len() < max {
            let Some((write, front)) = self.queue.front_mut() else { break };
            let write = *write;
            out.extend_from_slice(&front.split_to(front.len().min(max - out.len())));
            let rest = !front.is_empty();
            if !rest {
                self.queue.pop_front();
            }
            let more = self.queue.front().is_some_and(|next| next.0 == write);
            self.begun = (rest || more).then_some(write);
        }
        self.unread += out.len();
        out.freeze()
    }

    /// Drops the writes of which nothing has left; says how many bytes.
    pub fn forget(&mut self) -> usize {
        let begun = self.begun;
        let before: usize = self.queue.iter().map(|(_, piece)| piece.len()).sum();
        self.queue.retain(|(write, _)| Some(*write) == begun);
        before - self.queue.iter().map(|(_, piece)| piece.len()).sum::<usize>()
    }
}

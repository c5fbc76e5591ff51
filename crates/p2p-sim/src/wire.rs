//! One QUIC connection between two hosts, as far as a node can tell: ordered streams that do not wait for each other. With
//! it, what the world has seen pass on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use p2p_core::{ConnectionId, LinkId, StreamId};

/// A stream: which end opened it, and as its how-manieth.
pub type Key = (usize, u64);

/// What travels from one end to the other.
#[derive(Clone, Debug)]
pub enum Item {
    /// The next bytes of a stream.
    Bytes(Key, Bytes),
    /// Its end.
    Fin(Key),
    /// Its reset, with a code.
    Reset(Key, u64),
    /// The receiver has read so many bytes.
    Window(Key, usize),
    /// The end of the connection, with a code.
    Close(u64),
}

/// One end.
#[derive(Debug)]
pub struct End {
    /// Whose.
    pub host: usize,
    /// In which run.
    pub epoch: u32,
    /// What the host's node calls it.
    pub link: LinkId,
    /// The end of a hostile host that its node knows nothing of.
    pub raw: bool,
    /// `LinkUp` was handed in.
    pub up: bool,
    /// `LinkDown` was handed in, or is no longer due.
    pub down: bool,
    /// `CloseLink` was obeyed.
    pub closed: bool,
    /// Streams that the peer may have open at a time, and bytes unread per stream.
    pub streams: u64,
    /// The same in bytes per stream.
    pub window: usize,
    /// Streams of the peer that were announced.
    pub accepted: u64,
}

impl End {
    /// Whether the node behind it may use it.
    pub fn is_usable(&self) -> bool {
        self.up && !self.down && !self.closed
    }
}

/// One direction of a stream.
#[derive(Default, Debug)]
pub struct Half {
    /// What the sender's driver holds: pieces of numbered writes.
    queue: VecDeque<(u64, Bytes)>,
    next_write: u64,
    /// The write of which some bytes have left.
    begun: Option<u64>,
    /// Bytes in the queue.
    pub queued: usize,
    /// Nothing more will be written.
    pub fin: bool,
    /// The end is on its way.
    pub fin_sent: bool,
    /// Bytes that left the sender and were not read.
    pub unread: usize,
    /// When the latest item arrives: streams are in order.
    pub last_arrival: u64,
    /// What has arrived and was not read.
    pub inbox: VecDeque<Bytes>,
    /// The end has arrived.
    pub fin_arrived: bool,
    /// Bytes that the receiving node will take.
    pub credit: u64,
    /// The receiver was told of the end.
    pub over: bool,
}

impl Half {
    /// One write: these pieces, without any other between them.
    pub fn write(&mut self, pieces: impl IntoIterator<Item = Bytes>) {
        let write = self.next_write;
        self.next_write += 1;
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            self.queued += piece.len();
            self.queue.push_back((write, piece));
        }
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
        self.queued -= out.len();
        self.unread += out.len();
        out.freeze()
    }

    /// Drops the writes of which nothing has left; says how many bytes.
    pub fn forget(&mut self) -> usize {
        let (begun, before) = (self.begun, self.queued);
        self.queue.retain(|(write, _)| Some(*write) == begun);
        self.queued = self.queue.iter().map(|(_, piece)| piece.len()).sum();
        before - self.queued
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.queued = 0;
    }
}

/// A stream.
#[derive(Default, Debug)]
pub struct Stream {
    /// `halves[i]`: what end `i` sends.
    pub halves: [Half; 2],
    /// Ends that want no more of it: they aborted it or were told of a reset.
    pub gone: [bool; 2],
    /// What the world has seen of it.
    pub talk: Talk,
}

impl Stream {
    /// Whether an end has nothing to do with it any longer.
    pub fn is_over(&self, end: usize) -> bool {
        self.gone[end] || (self.halves[1 - end].over && self.halves[end].fin_sent)
    }
}

/// What the world has seen of a stream. A message is its serial number and its length.
#[derive(Default, Debug)]
pub struct Talk {
    /// The group that its first frame names, if an honest end wrote it.
    pub group: Option<usize>,
    /// It carries a session.
    pub is_control: bool,
    /// The ids of the direct connection, at each end.
    pub ids: [Option<ConnectionId>; 2],
    /// What each end's application was allowed to send.
    pub sent: [Vec<(u64, usize)>; 2],
    /// What each end's application was given.
    pub got: [Vec<(u64, usize)>; 2],
    /// The ends at which the application closed it.
    pub closed: [bool; 2],
    /// DC_REFUSE was written.
    pub refused: bool,
    /// When it was first written to.
    pub since: u64,
    /// The responder's side answered its first frame.
    pub answered: bool,
}

/// What the world has seen of a connection, per end.
#[derive(Default, Debug)]
pub struct Said {
    /// Groups for which HELLO was written.
    pub hello: BTreeSet<usize>,
    /// Groups for which SESSION_OK was written, and when first.
    pub ok: BTreeMap<usize, u64>,
}

/// A connection.
#[derive(Debug)]
pub struct Wire {
    /// Who dialled comes first.
    pub ends: [End; 2],
    /// The exporter's value.
    pub binding: [u8; 32],
    /// All streams that ever were.
    pub streams: BTreeMap<Key, Stream>,
    /// How many each end has opened.
    pub opened: [u64; 2],
    /// Directions that are silent, by sender.
    pub stalled: [bool; 2],
    /// Nothing will ever pass again.
    pub dead: bool,
    /// Counts silences, so that the end of one is not taken for that of another.
    pub silences: u64,
    /// What waits in silent directions.
    pub held: Vec<(usize, Item)>,
    /// When anything was last in its way.
    pub troubled: u64,
    /// What each end has said.
    pub said: [Said; 2],
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
        let limit = self.ends[1 - key.0].streams;
        // A limit that was never reached needs no counting.
        if key.1 < limit {
            return true;
        }
        let alive = |s: &&Stream| !(s.is_over(0) && s.is_over(1));
        let live = self.streams.range((key.0, 0)..key).map(|(_, s)| s).filter(alive).count();
        (live as u64) < limit
    }

    /// Whether both ends are usable and nothing is in the way.
    pub fn is_well(&self) -> bool {
        !self.dead && self.stalled == [false; 2] && self.ends.iter().all(End::is_usable)
    }

    /// Since when both sides of a group's session have proved themselves.
    pub fn session_since(&self, group: usize) -> Option<u64> {
        let at = |end: usize| {
            let shown = self.said[1 - end].hello.contains(&group);
            self.said[end].ok.get(&group).copied().filter(|_| shown)
        };
        [at(0), at(1)].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_begun_to_leave_is_not_forgotten() {
        let mut half = Half::default();
        half.write([Bytes::from_static(b"head"), Bytes::from_static(b"body")]);
        half.write([Bytes::from_static(b"later")]);
        assert_eq!(half.take(5), Bytes::from_static(b"headb"));
        assert_eq!(half.forget(), 5);
        assert_eq!(half.take(100), Bytes::from_static(b"ody"));
        assert_eq!((half.queued, half.unread), (0, 8));
    }

    #[test]
    fn both_ends_name_one_stream() {
        for id in 0..6 {
            let key = Wire::key(0, StreamId(id));
            assert_eq!(Wire::id(0, key), StreamId(id));
            assert_eq!(Wire::key(1, Wire::id(1, key)), key);
        }
    }
}

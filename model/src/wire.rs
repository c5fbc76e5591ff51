//! The network between machines: links that may break at any moment, and streams in order that do not wait for each
//! other.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use p2p_core::{DialId, DownCause, Expect, LinkId, StreamId};

/// A stream: which end opened it, and as its how-manieth.
pub(crate) type Key = (usize, u64);

/// A dial under way.
#[derive(Clone, Debug)]
pub(crate) struct Dialling {
    pub(crate) machine: usize,
    pub(crate) dial: DialId,
    /// Whose address it is; `None`: nobody's.
    pub(crate) target: Option<usize>,
    pub(crate) expect: Expect,
}

/// One QUIC connection, as far as a node can tell.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) ends: [End; 2],
    pub(crate) streams: BTreeMap<Key, Stream>,
    /// Nothing arrives any more.
    pub(crate) dead: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) machine: usize,
    pub(crate) link: LinkId,
    /// `LinkDown` was handed in, or the machine is no more.
    pub(crate) over: bool,
    /// What it will be told of the link's end.
    pub(crate) notice: Option<DownCause>,
    pub(crate) opened: u64,
    pub(crate) accepted: u64,
}

/// Both directions of a stream: `halves[i]` is what end `i` sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) halves: [Half; 2],
    /// Ends that want no more of it.
    pub(crate) gone: [bool; 2],
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Half {
    /// What was sent and has not arrived.
    pub(crate) flight: VecDeque<Item>,
    pub(crate) credit: u64,
    /// The sender has sent its last.
    pub(crate) finished: bool,
    /// The receiver was told of the end.
    pub(crate) over: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    Bytes(Bytes),
    Fin,
    Reset(u64),
}

impl Wire {
    pub(crate) fn new(ends: [(usize, LinkId); 2]) -> Wire {
        let end = |(machine, link)| End {
            machine,
            link,
            over: false,
            notice: None,
            opened: 0,
            accepted: 0,
        };
        Wire { ends: ends.map(end), streams: BTreeMap::new(), dead: false }
    }

    /// The stream that end `end` calls `id`.
    pub(crate) fn key(end: usize, id: StreamId) -> Key {
        if id.0.is_multiple_of(2) { (end, id.0 / 2) } else { (1 - end, id.0 / 2) }
    }

    /// What end `end` calls the stream.
    pub(crate) fn id(end: usize, key: Key) -> StreamId {
        StreamId(2 * key.1 + u64::from(key.0 != end))
    }

    /// Whether something of this stream can arrive at the other end of `from`.
    pub(crate) fn delivers(&self, key: Key, from: usize) -> bool {
        let to = 1 - from;
        let Some(stream) =
            self.streams.get(&key).filter(|s| !s.gone[to] && !self.ends[to].over && !self.dead)
        else {
            return false;
        };
        let half = &stream.halves[from];
        match half.flight.front() {
            // What nobody has announced yet may come: its announcement brings the first credit.
            Some(Item::Bytes(_)) => half.credit > 0 || key.0 == from && !self.announced(key),
            Some(_) => true,
            None => false,
        }
    }

    fn announced(&self, key: Key) -> bool {
        self.ends[1 - key.0].accepted > key.1
    }

    /// The path is dead: what is under way is lost, and each end will notice.
    pub(crate) fn cut(&mut self) {
        self.dead = true;
        for stream in self.streams.values_mut() {
            stream.halves.iter_mut().for_each(|half| half.flight.clear());
        }
        for end in self.ends.iter_mut().filter(|end| !end.over) {
            end.notice.get_or_insert(DownCause::Timeout);
        }
    }

    /// Whether there is a stream that neither end cares for any longer.
    pub(crate) fn has_waste(&self) -> bool {
        self.streams.values().any(|s| s.is_over(0) && s.is_over(1))
    }

    /// Forgets those streams.
    pub(crate) fn sweep(&mut self) {
        self.streams.retain(|_, s| !(s.is_over(0) && s.is_over(1)));
    }
}

impl Stream {
    /// Whether an end has heard and said all that it will.
    pub(crate) fn is_over(&self, end: usize) -> bool {
        let last_said = self.halves[end].finished && self.halves[end].flight.is_empty();
        self.gone[end] || (self.halves[1 - end].over && last_said)
    }
}

//! The network and the clocks of this example: packets in channels, and what has arrived.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId, Now, StreamId, Tick};

/// What the network carries. Streams are named as the receiver names them.
pub(crate) enum Packet {
    Dialled(KeyId),
    Bytes(StreamId, Bytes),
    Fin(StreamId),
    Reset(StreamId, u64),
    Closed(u64),
}

pub(crate) type Packets = mpsc::Receiver<Packet>;
/// The other machine: whose it is, where it is, and the way to it.
pub(crate) type Peer = (KeyId, Address, mpsc::Sender<Packet>);

/// What has arrived on a stream, and how much of it may be read.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) chunks: VecDeque<Bytes>,
    pub(crate) credit: usize,
    pub(crate) fin: bool,
}

impl Inbox {
    /// The next bytes that may be read.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.front_mut().filter(|c| c.is_empty() || self.credit > 0)?;
        let bytes = chunk.split_to(chunk.len().min(self.credit));
        self.credit -= bytes.len();
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        Some(bytes)
    }

    /// Whether all was read and no more will come; true once.
    pub(crate) fn is_over(&mut self) -> bool {
        self.chunks.is_empty() && std::mem::take(&mut self.fin)
    }
}

pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Both clocks, read once per call.
    pub(crate) fn now(&self) -> Now {
        let unix = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |t| t.as_secs() as i64);
        let tick = Tick(self.0.elapsed().as_micros() as u64);
        Now { tick, wall: FileTime::from_unix(unix) }
    }
}

//! The network and the clocks of this example: packets in channels.

use std::sync::mpsc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId, Now, StreamId, Tick};

pub(crate) use crate::inbox::Inbox;

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

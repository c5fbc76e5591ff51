//! One stream of a link: what waits to be written, and what may be read.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use p2p_core::{Input, LinkId, StreamId};
use quinn_proto::{Connection, ReadError, StreamId as QuicId, VarInt, WriteError};

/// What happened on a stream.
type Inputs = VecDeque<Input>;

#[derive(Default)]
pub(crate) struct Stream {
    /// `None` until the peer allows another stream.
    pub(crate) quic: Option<QuicId>,
    pub(crate) priority: i8,
    /// The node's writes, each whole; of the first some may have left.
    writes: VecDeque<Bytes>,
    begun: bool,
    finish: bool,
    credit: usize,
    /// Nothing more is written; nothing more is read; a reset was reported.
    pub(crate) written: bool,
    pub(crate) read: bool,
    reset: bool,
}

impl Stream {
    pub(crate) fn new(quic: Option<QuicId>, priority: i8) -> Stream {
        Stream { quic, priority, ..Stream::default() }
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        if !self.written && !bytes.is_empty() {
            self.writes.push_back(bytes);
        }
    }

    pub(crate) fn credit(&mut self, bytes: u32) {
        self.credit += bytes as usize;
    }

    pub(crate) fn finish(&mut self) {
        self.finish = true;
    }

    /// Drops the writes of which no byte has left, and says how many bytes they are.
    pub(crate) fn forget(&mut self) -> u32 {
        let kept = usize::from(self.begun);
        self.writes.drain(kept..).map(|write| write.len() as u32).sum()
    }

    /// Resets both directions. Each call fails only where that direction has ended already.
    pub(crate) fn abort(&mut self, connection: &mut Connection, code: VarInt) {
        if let Some(quic) = self.quic {
            drop(connection.send_stream(quic).reset(code));
            drop(connection.recv_stream(quic).stop(code));
        }
    }

    /// Writes and reads what can be written and read now.
    pub(crate) fn work(
        &mut self,
        connection: &mut Connection,
        (link, stream): (LinkId, StreamId),
        inputs: &mut Inputs,
    ) {
        let Some(quic) = self.quic else { return };
        if !self.written
            && let bytes @ 1.. = self.write(connection, quic, (link, stream), inputs)
        {
            inputs.push_back(Input::Sent { link, stream, bytes });
        }
        if !self.read {
            self.read(connection, quic, (link, stream), inputs);
        }
    }

    /// How many bytes have left.
    fn write(
        &mut self,
        connection: &mut Connection,
        quic: QuicId,
        whose: (LinkId, StreamId),
        inputs: &mut Inputs,
    ) -> u32 {
        let mut sent = 0;
        while let Some(front) = self.writes.front_mut() {
            match connection.send_stream(quic).write(front) {
                Ok(written) => {
                    sent += written as u32;
                    front.advance(written);
                    self.begun = !front.is_empty();
                    if front.is_empty() {
                        self.writes.pop_front();
                    }
                }
                Err(WriteError::Blocked) => return sent,
                Err(WriteError::Stopped(code)) => {
                    self.reset(code, whose, inputs);
                    self.written = true;
                    self.writes.clear();
                }
                Err(WriteError::ClosedStream) => {
                    self.written = true;
                    self.writes.clear();
                }
            }
        }
        if self.finish && !self.written {
            // Fails only if the peer has stopped it, which is reported as such.
            drop(connection.send_stream(quic).finish());
            self.written = true;
        }
        sent
    }

    /// Never more than the credit; the rest stays with QUIC, which then stops the peer.
    fn read(
        &mut self,
        connection: &mut Connection,
        quic: QuicId,
        (link, stream): (LinkId, StreamId),
        inputs: &mut Inputs,
    ) {
        let mut receiver = connection.recv_stream(quic);
        let Ok(mut chunks) = receiver.read(true) else {
            self.read = true;
            return;
        };
        let mut reset = None;
        while self.credit > 0 && !self.read {
            match chunks.next(self.credit) {
                Ok(Some(chunk)) => {
                    self.credit -= chunk.bytes.len();
                    inputs.push_back(Input::Chunk { link, stream, bytes: chunk.bytes });
                }
                Ok(None) => {
                    self.read = true;
                    inputs.push_back(Input::Finished { link, stream });
                }
                Err(ReadError::Blocked) => break,
                Err(ReadError::Reset(code)) => (self.read, reset) = (true, Some(code)),
            }
        }
        // What it says is to be sent is sent: the wire looks after every connection that it worked on.
        let _ = chunks.finalize();
        if let Some(code) = reset {
            self.reset(code, (link, stream), inputs);
        }
    }

    /// The peer gave the stream up, in either direction: reported once.
    pub(crate) fn reset(
        &mut self,
        code: VarInt,
        (link, stream): (LinkId, StreamId),
        inputs: &mut Inputs,
    ) {
        if !std::mem::replace(&mut self.reset, true) {
            inputs.push_back(Input::Reset { link, stream, code: code.into_inner() });
        }
    }
}

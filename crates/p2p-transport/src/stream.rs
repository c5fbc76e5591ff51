//! One bidirectional stream: what waits to be written, what may be read.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Bytes, BytesMut};
use p2p_core::{Head, Input, LinkId, Payload, StreamId};
use quinn::{ReadError, RecvStream, SendStream, StoppedError, VarInt, WriteError};
use tokio::sync::Notify;

use crate::quic::var_int;

/// There may be something to read.
pub(crate) const READ: u8 = 1;
/// There may be room to write.
pub(crate) const WRITE: u8 = 2;
/// The peer may have stopped reading.
pub(crate) const STOP: u8 = 4;
/// In the ready list already.
const LISTED: u8 = 128;

/// Pieces shorter than this are copied together: quinn searches its list of pieces for every packet.
const SMALL: usize = 4 * 1024;
/// What is copied together grows to this.
const BLOCK: usize = 32 * 1024;
/// Pieces given to quinn at a time.
const BATCH: usize = 16;
/// Chunks taken from quinn at a time, and chunks handed to the node before others have their turn.
const CHUNKS: usize = 32;
const CHUNKS_PER_TURN: usize = 256;
/// With less credit than this, bytes are taken one chunk at a time, to the byte.
const PLENTY: u64 = 64 * 1024;

/// Streams of one link that have something to do.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    list: Mutex<Vec<Arc<Flags>>>,
    /// Wakes the task of the link.
    pub(crate) wake: Notify,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake.notify_one();
    }
}

impl Ready {
    pub(crate) fn take(&self) -> Vec<Arc<Flags>> {
        std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn push(&self, flags: Arc<Flags>) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(flags);
    }
}

/// What a stream has to do.
#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) stream: StreamId,
    bits: AtomicU8,
    ready: Arc<Ready>,
}

impl Flags {
    /// What is to be done; nothing from then on.
    pub(crate) fn take(&self) -> u8 {
        self.bits.swap(0, Ordering::AcqRel) & !LISTED
    }

    /// Something is to be done: lists the stream and wakes the link.
    fn set(self: &Arc<Self>, bit: u8) {
        if self.mark(bit) {
            self.ready.wake.notify_one();
        }
    }

    /// As [`set`](Self::set), for the one who is about to work through the list: wakes nobody.
    fn mark(self: &Arc<Self>, bit: u8) -> bool {
        let fresh = self.bits.fetch_or(bit | LISTED, Ordering::AcqRel) & LISTED == 0;
        if fresh {
            self.ready.push(Arc::clone(self));
        }
        fresh
    }

    fn waker<const BIT: u8>(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::new(Flag::<BIT>(Arc::clone(self))))
    }
}

/// A waker for one of the bits. It only takes notes, so quinn may call it with its own locks held.
struct Flag<const BIT: u8>(Arc<Flags>);

impl<const BIT: u8> Wake for Flag<BIT> {
    fn wake(self: Arc<Self>) {
        self.0.set(BIT);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.set(BIT);
    }
}

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync>>;

/// A stream and its two directions.
pub(crate) struct Stream {
    link: LinkId,
    pub(crate) flags: Arc<Flags>,
    wakers: [Waker; 3],
    pub(crate) priority: i8,
    send: Option<SendStream>,
    recv: Option<RecvStream>,
    stopped: Option<Stopped>,
    /// What waits to be written, in order.
    queue: VecDeque<Bytes>,
    /// The same as lengths of whole writes; the first may have begun.
    writes: VecDeque<usize>,
    begun: bool,
    finish: bool,
    /// Nothing more is written: finished, stopped by the peer, or lost.
    write_done: bool,
    /// Nothing more is read.
    read_done: bool,
    reset_reported: bool,
    credit: u64,
    /// Taken from quinn beyond the credit: less than [`CHUNKS`] chunks.
    held: VecDeque<Bytes>,
}

impl Stream {
    pub(crate) fn new(link: LinkId, id: StreamId, priority: i8, ready: &Arc<Ready>) -> Stream {
        let flags =
            Arc::new(Flags { stream: id, bits: AtomicU8::new(0), ready: Arc::clone(ready) });
        let wakers = [flags.waker::<READ>(), flags.waker::<WRITE>(), flags.waker::<STOP>()];
        Stream {
            link,
            flags,
            wakers,
            priority,
            send: None,
            recv: None,
            stopped: None,
            queue: VecDeque::new(),
            writes: VecDeque::new(),
            begun: false,
            finish: false,
            write_done: false,
            read_done: false,
            reset_reported: false,
            credit: 0,
            held: VecDeque::new(),
        }
    }

    /// The stream exists now.
    pub(crate) fn attach(&mut self, send: SendStream, recv: RecvStream) {
        self.stopped = Some(Box::pin(send.stopped()));
        self.send = Some(send);
        self.recv = Some(recv);
        self.prioritise(self.priority);
        self.flags.mark(READ | WRITE | STOP);
    }

    /// Larger priorities go first; 0 is quinn's default.
    pub(crate) fn prioritise(&mut self, priority: i8) {
        self.priority = priority;
        if let (true, Some(send)) = (priority != 0, &self.send) {
            // Fails only for a stream that is closed already, and then the priority does not matter.
            let _ = send.set_priority(priority.into());
        }
    }

    /// Both directions have ended: nothing will be heard of it again.
    pub(crate) fn is_over(&self) -> bool {
        self.write_done && self.read_done && self.held.is_empty()
    }

    pub(crate) fn push(&mut self, head: &Head, body: Payload) {
        if self.write_done {
            return;
        }
        let length = head.as_slice().len() + body.len();
        if length == 0 {
            return;
        }
        self.writes.push_back(length);
        if !head.as_slice().is_empty() {
            self.queue.push_back(Bytes::copy_from_slice(head.as_slice()));
        }
        match body {
            Payload::One(bytes) => self.queue.push_back(bytes),
            Payload::Many(pieces) => self.queue.extend(pieces),
        }
        self.flags.mark(WRITE);
    }

    pub(crate) fn credit(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes.into());
        self.flags.mark(READ);
    }

    pub(crate) fn finish(&mut self) {
        self.finish = true;
        self.flags.mark(WRITE);
    }

    /// Drops the writes that have not begun.
    pub(crate) fn forget(&mut self, inputs: &mut Vec<Input>) {
        let kept = if self.begun { self.writes.front().copied().unwrap_or(0) } else { 0 };
        self.writes.truncate(usize::from(kept > 0));
        let mut left = kept;
        let mut dropped = 0;
        self.queue.retain_mut(|piece| {
            let keep = piece.len().min(left);
            left -= keep;
            dropped += piece.len() - keep;
            piece.truncate(keep);
            keep > 0
        });
        self.sent(dropped, inputs);
    }

    /// Ends both directions at once.
    pub(crate) fn abort(&mut self, code: u64) {
        let code = var_int(code);
        // Both fail only where that direction has ended already.
        if let Some(send) = &mut self.send {
            let _ = send.reset(code);
        }
        if let (Some(recv), false) = (&mut self.recv, self.read_done) {
            let _ = recv.stop(code);
        }
    }

    /// Does what the bits say and can be done now.
    pub(crate) fn work(&mut self, bits: u8, inputs: &mut Vec<Input>) {
        if bits & STOP != 0 {
            self.look_for_stop(inputs);
        }
        if bits & WRITE != 0 {
            self.write(inputs);
        }
        if bits & READ != 0 {
            self.read(inputs);
        }
    }

    fn look_for_stop(&mut self, inputs: &mut Vec<Input>) {
        let Some(stopped) = &mut self.stopped else { return };
        match stopped.as_mut().poll(&mut Context::from_waker(&self.wakers[2])) {
            Poll::Pending => return,
            Poll::Ready(Ok(Some(code))) => self.stopped_writing(code, inputs),
            // Finished and acknowledged, or the connection is gone.
            Poll::Ready(_) => {}
        }
        self.stopped = None;
    }

    fn stopped_writing(&mut self, code: VarInt, inputs: &mut Vec<Input>) {
        self.write_done = true;
        self.queue.clear();
        self.writes.clear();
        self.reset(code, inputs);
    }

    fn write(&mut self, inputs: &mut Vec<Input>) {
        let mut total = 0;
        while !self.write_done && self.send.is_some() {
            if self.queue.is_empty() {
                self.finish_if_asked();
                break;
            }
            let mut batch = self.batch();
            let Some(send) = &mut self.send else { break };
            let result =
                pin!(send.write_chunks(&mut batch)).poll(&mut Context::from_waker(&self.wakers[1]));
            for piece in batch.into_iter().rev().filter(|piece| !piece.is_empty()) {
                self.queue.push_front(piece);
            }
            match result {
                Poll::Pending => break,
                Poll::Ready(Ok(written)) => {
                    total += written.bytes;
                    self.count(written.bytes);
                }
                Poll::Ready(Err(WriteError::Stopped(code))) => self.stopped_writing(code, inputs),
                Poll::Ready(Err(_)) => self.write_done = true,
            }
        }
        self.sent(total, inputs);
    }

    fn finish_if_asked(&mut self) {
        if let (true, Some(send)) = (self.finish, &mut self.send) {
            // Fails only for a stream that has ended already.
            let _ = send.finish();
            self.write_done = true;
        }
    }

    /// The next pieces, short ones copied together.
    fn batch(&mut self) -> Vec<Bytes> {
        let mut batch = Vec::with_capacity(BATCH.min(self.queue.len()));
        let mut block = BytesMut::new();
        while batch.len() < BATCH {
            let Some(piece) = self.queue.pop_front() else { break };
            let next_is_small = self.queue.front().is_some_and(|next| next.len() < SMALL);
            if piece.len() < SMALL && (next_is_small || !block.is_empty()) && block.len() < BLOCK {
                if block.is_empty() {
                    block.reserve(self.small_bytes(piece.len()));
                }
                block.extend_from_slice(&piece);
                continue;
            }
            if !block.is_empty() {
                batch.push(std::mem::take(&mut block).freeze());
            }
            batch.push(piece);
        }
        if !block.is_empty() {
            batch.push(block.freeze());
        }
        batch
    }

    /// Bytes of short pieces at the front of the queue, behind `first`: the size of the next block.
    fn small_bytes(&self, first: usize) -> usize {
        let small = self.queue.iter().map(Bytes::len).take_while(|length| *length < SMALL);
        let mut total = first;
        for length in small {
            if total >= BLOCK {
                break;
            }
            total += length;
        }
        total
    }

    /// Notes how far the queued writes have gone out.
    fn count(&mut self, mut bytes: usize) {
        while let Some(front) = self.writes.front_mut() {
            if bytes < *front {
                *front -= bytes;
                self.begun |= bytes > 0;
                return;
            }
            bytes -= *front;
            self.begun = false;
            self.writes.pop_front();
        }
    }

    fn read(&mut self, inputs: &mut Vec<Input>) {
        let mut chunks = Vec::new();
        let mut turn = 0;
        self.hand_out_held(inputs);
        while !self.read_done && turn < CHUNKS_PER_TURN {
            match self.poll_read(&mut chunks) {
                Poll::Pending => return,
                Poll::Ready(Ok(Some(count))) => {
                    turn += count;
                    self.held.extend(chunks.iter_mut().take(count).map(std::mem::take));
                    self.hand_out_held(inputs);
                }
                Poll::Ready(Ok(None)) => {
                    self.read_done = true;
                    inputs.push(Input::Finished { link: self.link, stream: self.flags.stream });
                }
                Poll::Ready(Err(ReadError::Reset(code))) => self.reset_by_peer(code, inputs),
                Poll::Ready(Err(_)) => self.read_done = true,
            }
        }
        if !self.read_done {
            self.flags.set(READ);
        }
    }

    /// The next chunks, as many as the result says.
    fn poll_read(&mut self, chunks: &mut Vec<Bytes>) -> Poll<Result<Option<usize>, ReadError>> {
        let Some(recv) = &mut self.recv else { return Poll::Pending };
        let mut cx = Context::from_waker(&self.wakers[0]);
        if chunks.is_empty() {
            chunks.resize(if self.credit < PLENTY { 1 } else { CHUNKS }, Bytes::new());
        }
        match self.credit {
            // Credit to come leads here again. That the peer has reset both directions is noticed at the other one.
            // (quinn's `received_reset` would tell, but leaves a waker behind where all has arrived before it is read,
            // which it asserts not to be there when the stream is dropped.)
            0 => Poll::Pending,
            1..PLENTY => {
                let max = usize::try_from(self.credit).unwrap_or(usize::MAX);
                pin!(recv.read_chunk(max, true)).poll(&mut cx).map_ok(|chunk| {
                    let chunk = chunk?;
                    chunks[0] = chunk.bytes;
                    Some(1)
                })
            }
            PLENTY.. => pin!(recv.read_chunks(chunks)).poll(&mut cx),
        }
    }

    /// Hands on what was taken from quinn, within the credit.
    fn hand_out_held(&mut self, inputs: &mut Vec<Input>) {
        while self.credit > 0
            && let Some(mut bytes) = self.held.pop_front()
        {
            let length = usize::try_from(self.credit).unwrap_or(usize::MAX).min(bytes.len());
            let rest = bytes.split_off(length);
            if !rest.is_empty() {
                self.held.push_front(rest);
            }
            self.credit -= bytes.len() as u64;
            inputs.push(Input::Chunk { link: self.link, stream: self.flags.stream, bytes });
        }
    }

    fn reset_by_peer(&mut self, code: VarInt, inputs: &mut Vec<Input>) {
        self.read_done = true;
        self.held.clear();
        self.reset(code, inputs);
    }

    fn reset(&mut self, code: VarInt, inputs: &mut Vec<Input>) {
        if !std::mem::replace(&mut self.reset_reported, true) {
            inputs.push(Input::Reset {
                link: self.link,
                stream: self.flags.stream,
                code: code.into_inner(),
            });
        }
    }

    fn sent(&self, bytes: usize, inputs: &mut Vec<Input>) {
        let (link, stream) = (self.link, self.flags.stream);
        let mut left = bytes;
        while left > 0 {
            let bytes = u32::try_from(left).unwrap_or(u32::MAX);
            left -= bytes as usize;
            inputs.push(Input::Sent { link, stream, bytes });
        }
    }
}

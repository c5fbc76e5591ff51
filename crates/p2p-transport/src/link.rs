//! One QUIC connection: its streams, and what the node wants done on it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

use p2p_core::{Input, LinkId, Output, StreamId};
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};

use crate::goodbye::close;
use crate::quic::var_int;
use crate::stream::{Flags, READ, Ready, Stream};

/// So many streams a peer may open at first, once it is trusted; all that the node grants when it has opened half of these.
/// QUIC keeps a place in two tables, 84 bytes, for each stream that might be opened, and most peers open a handful.
const FEW_STREAMS: u16 = 16;

/// A connection that stands, shared between its task and whoever calls the node.
///
/// Two locks: `inbox` for what the node said (pushed while the node is locked), `io` for the streams. Whoever holds `io`
/// may lock the node to hand in what was received, never the other way round.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) connection: Connection,
    inbox: Mutex<Vec<Output>>,
    io: Mutex<LinkIo>,
    pub(crate) ready: Arc<Ready>,
    /// Whether the next caller may do this link's work itself instead of waking the task: the first message of a burst
    /// leaves at once, those behind it are collected until the task has run.
    eager: AtomicBool,
}

/// The streams of a link.
pub(crate) struct LinkIo {
    /// Boxed: a map keeps room for eleven values even for its first one.
    streams: BTreeMap<StreamId, Box<Stream>>,
    accepted: u64,
    /// Streams that the peer is still to be allowed; 0 once it has what the node grants.
    withheld: u16,
    /// Streams that the peer does not let us open yet.
    opening: VecDeque<StreamId>,
    open: Option<Opening>,
    /// The inbox's other half: empty, kept for its memory.
    orders: Vec<Output>,
    /// What was received and not yet handed in; kept for its memory.
    pub(crate) inputs: Vec<Input>,
}

type Opening =
    Pin<Box<dyn Future<Output = Result<(SendStream, RecvStream), ConnectionError>> + Send>>;

impl Link {
    pub(crate) fn new(id: LinkId, connection: Connection) -> Link {
        let io = LinkIo {
            streams: BTreeMap::new(),
            accepted: 0,
            withheld: 0,
            opening: VecDeque::new(),
            open: None,
            orders: Vec::new(),
            inputs: Vec::new(),
        };
        Link {
            id,
            connection,
            inbox: Mutex::default(),
            io: Mutex::new(io),
            ready: Arc::default(),
            eager: AtomicBool::new(true),
        }
    }

    /// Takes an order of the node. True if it is the first since the last look.
    pub(crate) fn order(&self, output: Output) -> bool {
        let mut inbox = self.inbox();
        inbox.push(output);
        inbox.len() == 1
    }

    /// The streams, for the task of the link. Held for the time of some memory work only.
    pub(crate) fn io(&self) -> MutexGuard<'_, LinkIo> {
        self.eager.store(true, Ordering::Release);
        self.io.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The streams, for a caller who has just given orders; `None` if the task is to do it.
    pub(crate) fn try_io(&self) -> Option<MutexGuard<'_, LinkIo>> {
        if !self.eager.swap(false, Ordering::AcqRel) {
            return None;
        }
        match self.io.try_lock() {
            Ok(io) => Some(io),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Obeys the node and moves what can be moved; what was received is in `io.inputs` afterwards.
    pub(crate) fn work(&self, io: &mut LinkIo) {
        let mut orders = std::mem::take(&mut io.orders);
        std::mem::swap(&mut *self.inbox(), &mut orders);
        for order in orders.drain(..) {
            self.obey(order, io);
        }
        io.orders = orders;
        self.open_streams(io);
        let mut ready = self.ready.take();
        if ready.len() > 1 {
            // What the peer's window and quinn's buffer have room for goes to those that come first.
            let rank = |flags: &Arc<Flags>| io.streams.get(&flags.stream).map_or(0, |s| s.priority);
            ready.sort_by_key(|flags| Reverse(rank(flags)));
        }
        for flags in ready {
            let bits = flags.take();
            if let Some(stream) = io.streams.get_mut(&flags.stream) {
                stream.work(bits, &mut io.inputs);
                if stream.is_over() {
                    io.streams.remove(&flags.stream);
                }
            }
        }
    }

    /// Whether [`work`](Self::work) would find anything.
    pub(crate) fn has_work(&self) -> bool {
        !self.inbox().is_empty() || !self.ready.is_empty()
    }

    /// The peer opened a stream.
    pub(crate) fn accept(&self, io: &mut LinkIo, send: SendStream, recv: RecvStream) {
        let id = StreamId(2 * io.accepted + 1);
        io.accepted += 1;
        let mut stream = Stream::new(self.id, id, 0, &self.ready);
        stream.attach(send, recv);
        io.streams.insert(id, Box::new(stream));
        io.inputs.push(Input::Accepted { link: self.id, stream: id });
        if io.withheld > 0 && io.accepted_open() >= FEW_STREAMS / 2 {
            self.allow_streams(std::mem::take(&mut io.withheld));
        }
    }

    /// The connection has ended: what arrived before that is still read, within the credit.
    pub(crate) fn last_words(&self, io: &mut LinkIo) {
        self.work(io);
        for stream in io.streams.values_mut() {
            stream.work(READ, &mut io.inputs);
        }
        io.streams.clear();
        io.opening.clear();
        io.open = None;
    }

    fn obey(&self, order: Output, io: &mut LinkIo) {
        match order {
            Output::Open { stream, priority, .. } => {
                let new = Stream::new(self.id, stream, priority, &self.ready);
                io.streams.insert(stream, Box::new(new));
                io.opening.push_back(stream);
            }
            Output::Trust { streams, window, .. } => {
                // QUIC does not announce what is only an eighth more than before: few more are granted at once.
                let first = if streams > 2 * FEW_STREAMS { FEW_STREAMS } else { streams };
                self.allow_streams(first);
                io.withheld = if streams > first { streams } else { 0 };
                self.connection.set_receive_window(var_int(u64::from(streams) * u64::from(window)));
            }
            Output::CloseLink { code, .. } => {
                tracing::debug!(
                    link = self.id.0,
                    code,
                    name = p2p_core::close::name(code),
                    "closing link"
                );
                close(&self.connection, var_int(code));
            }
            Output::Abort { stream, code, .. } => {
                tracing::debug!(link = self.id.0, stream = stream.0, code, "aborting stream");
                if let Some(mut stream) = io.streams.remove(&stream) {
                    stream.abort(code);
                }
            }
            Output::Priority { stream, priority, .. } => {
                io.with(stream, |stream, _| stream.prioritise(priority))
            }
            Output::Write { stream, head, body, .. } => {
                io.with(stream, |stream, _| stream.push(&head, body))
            }
            Output::Credit { stream, bytes, .. } => {
                io.with(stream, |stream, _| stream.credit(bytes))
            }
            Output::Finish { stream, .. } => io.with(stream, |stream, _| stream.finish()),
            Output::Forget { stream, .. } => {
                io.with(stream, |stream, inputs| stream.forget(inputs))
            }
            Output::Listen { .. }
            | Output::Dial { .. }
            | Output::CancelDial { .. }
            | Output::Store { .. }
            | Output::Event { .. } => debug_assert!(false, "not an order for a link"),
        }
    }

    /// Lets the peer have so many streams open at a time.
    fn allow_streams(&self, streams: u16) {
        self.connection.set_max_concurrent_bi_streams(VarInt::from_u32(streams.into()));
    }

    /// Opens what waits to be opened, as far as the peer allows.
    fn open_streams(&self, io: &mut LinkIo) {
        let waker = Waker::from(Arc::clone(&self.ready));
        let mut cx = Context::from_waker(&waker);
        while let Some(id) = io.opening.front() {
            // Aborted before it was opened: the peer never hears of it.
            if !io.streams.contains_key(id) {
                io.opening.pop_front();
                continue;
            }
            let open = io.open.get_or_insert_with(|| {
                let connection = self.connection.clone();
                Box::pin(async move { connection.open_bi().await })
            });
            let Poll::Ready(result) = open.as_mut().poll(&mut cx) else { return };
            io.open = None;
            // On failure the connection is ending, and all its streams with it.
            let Ok((send, recv)) = result else { return };
            if let Some(stream) = io.opening.pop_front().and_then(|id| io.streams.get_mut(&id)) {
                stream.attach(send, recv);
            }
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Vec<Output>> {
        // Pushed to and emptied in one step each.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkIo {
    /// Streams of the peer that have not ended.
    fn accepted_open(&self) -> u16 {
        let accepted = self.streams.keys().filter(|id| id.0 % 2 == 1).count();
        u16::try_from(accepted).unwrap_or(u16::MAX)
    }

    /// Works on a stream if it is still there.
    fn with(&mut self, id: StreamId, work: impl FnOnce(&mut Stream, &mut Vec<Input>)) {
        if let Some(stream) = self.streams.get_mut(&id) {
            work(stream, &mut self.inputs);
        }
    }
}

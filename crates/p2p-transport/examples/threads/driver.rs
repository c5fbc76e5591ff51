//! A node, its wire and its store on threads of `std`: one reads the socket, one stores, one owns everything else.
//!
//! No lock is needed: whoever wants something of the node sends it to the thread that owns it.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use p2p_core::{Config, Event, Input, Node, Now, Output, StoreChange, Tick, Ticket};
use p2p_crypto::Keyring;
use p2p_store::Store;

use crate::people::{Outcome, Person, wall};
use crate::wire::Wire;

/// Something that another thread wants of the node.
type Call = Box<dyn FnOnce(&mut Node<Keyring>, Now) + Send>;

/// What wakes the thread that owns the node.
pub(crate) enum Wake {
    Datagram(SocketAddr, BytesMut),
    Stored(Input),
    Call(Call),
    Stop,
}

/// Wakes that wait; behind them the socket waits, and behind the socket the system drops datagrams.
const WAKES: usize = 1_024;
/// Wakes at a time, before what they have led to is done.
const TURN: usize = 64;
/// What goodbyes are given to leave.
const GOODBYE: Duration = Duration::from_secs(2);

pub(crate) struct Driver {
    node: Node<Keyring>,
    wire: Wire,
    start: Instant,
    wakes: Receiver<Wake>,
    /// Bounded by the node, which waits for the answers.
    disk: Sender<(Ticket, StoreChange)>,
    /// Bounded by the node: a peer may send again as the application takes.
    events: Sender<Event>,
    stop: bool,
}

/// A node that runs.
pub(crate) struct Running {
    pub(crate) node: SyncSender<Wake>,
    pub(crate) events: Receiver<Event>,
    /// Ends after `Stop`, when the goodbyes have left.
    pub(crate) thread: JoinHandle<()>,
}

pub(crate) fn start(who: &Person, store: Arc<dyn Store>) -> Outcome<Running> {
    let socket = Arc::new(UdpSocket::bind("[::1]:0")?);
    let (waker, wakes) = sync_channel(WAKES);
    let ((events, told), (disk, changes)) = (channel(), channel());
    let mut seed = [0; 32];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut seed).map_err(|_| "the system gives no random bytes")?;
    let start = Instant::now();
    let node = Node::new(Config::default(), who.keyring(), seed, now(start));
    let wire = Wire::new(Arc::clone(&socket), &who.identity)?;
    let driver = Driver { node, wire, start, wakes, disk, events, stop: false };
    let (for_socket, for_disk) = (waker.clone(), waker.clone());
    // So that the reader notices when the node is gone.
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    Builder::new().name("socket".into()).spawn(move || read(&socket, &for_socket))?;
    Builder::new().name("disk".into()).spawn(move || keep(&*store, &changes, &for_disk))?;
    let thread = Builder::new().name("node".into()).spawn(move || driver.run())?;
    Ok(Running { node: waker, events: told, thread })
}

/// Both clocks, read once per call.
fn now(start: Instant) -> Now {
    Now { tick: Tick(start.elapsed().as_micros() as u64), wall: wall() }
}

impl Driver {
    /// Obeys, hands in what happened, waits for more; after `Stop` until the goodbyes have left.
    fn run(mut self) {
        let mut end = None;
        while end.is_none_or(|end| Instant::now() < end) {
            while let Some(output) = self.node.poll() {
                self.obey(output);
            }
            if self.stop && end.is_none() {
                self.wire.close(Instant::now());
                end = Some(Instant::now() + GOODBYE);
            }
            self.wire.work(Instant::now());
            if !self.wire.inputs.is_empty() {
                for input in self.wire.inputs.drain(..) {
                    self.node.handle(input, now(self.start));
                }
                continue;
            }
            if self.stop && self.wire.is_idle() {
                return;
            }
            let patience = self.patience();
            match self.wakes.recv_timeout(patience) {
                Ok(first) => {
                    let more: Vec<Wake> = self.wakes.try_iter().take(TURN).collect();
                    std::iter::once(first).chain(more).for_each(|wake| self.wake(wake));
                }
                // Too early is harmless.
                Err(RecvTimeoutError::Timeout) => self.node.handle(Input::Timeout, now(self.start)),
                Err(RecvTimeoutError::Disconnected) => self.stop = true,
            }
        }
    }

    /// Until the node's deadline or the wire's, whichever comes first.
    fn patience(&mut self) -> Duration {
        let tick = now(self.start).tick;
        let node = self.node.next_timeout().map(|(due, _)| Duration::from_micros(due.since(tick)));
        let wire = self.wire.deadline().map(|due| due.saturating_duration_since(Instant::now()));
        // Never beyond the end of the goodbyes: too early is harmless.
        node.into_iter().chain(wire).fold(GOODBYE, Duration::min)
    }

    fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Datagram(from, bytes) => self.wire.receive(from, bytes, Instant::now()),
            Wake::Stored(input) => self.node.handle(input, now(self.start)),
            Wake::Call(call) => call(&mut self.node, now(self.start)),
            Wake::Stop => self.stop = true,
        }
    }

    fn obey(&mut self, output: Output) {
        let now = Instant::now();
        match output {
            Output::Listen { on } => self.wire.listen(on),
            Output::Dial { dial, address, expect } => self.wire.dial(dial, address, expect, now),
            Output::CancelDial { dial } => self.wire.cancel(dial, now),
            Output::Open { link, .. }
            | Output::Priority { link, .. }
            | Output::Write { link, .. }
            | Output::Credit { link, .. }
            | Output::Finish { link, .. }
            | Output::Forget { link, .. }
            | Output::Abort { link, .. }
            | Output::Trust { link, .. }
            | Output::CloseLink { link, .. } => self.wire.order(link, output, now),
            // Both fail only when nobody is left to whom it matters.
            Output::Store { ticket, change } => drop(self.disk.send((ticket, *change))),
            Output::Event { event, .. } => drop(self.events.send(event)),
        }
    }
}

/// The thread of the socket: ends when nobody else has it.
fn read(socket: &Arc<UdpSocket>, node: &SyncSender<Wake>) {
    let mut buffer = [0; 65_536];
    while Arc::strong_count(socket) > 1 {
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => drop(node.send(Wake::Datagram(from, buffer[..len].into()))),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // An ICMP message about an earlier datagram: QUIC notices by itself.
            Err(error) => eprintln!("socket: {error}"),
        }
    }
}

/// The thread of the disk: ends with the node.
fn keep(store: &dyn Store, changes: &Receiver<(Ticket, StoreChange)>, node: &SyncSender<Wake>) {
    while let Ok((ticket, change)) = changes.recv() {
        let result = store.commit(&[change]).map_err(|error| error.code());
        drop(node.send(Wake::Stored(Input::Stored { ticket, result })));
    }
}

//! The driver's heart: a machine behind a lock, and everything that reaches it.
//!
//! Whoever holds the machine's lock touches memory only. Each input is handed in with the clock read once for its batch,
//! and the machine is drained before it is unlocked: events go to the application's sink, orders for links into their
//! inboxes, changes to be stored into a queue. Then, without the lock, those who have something to do are woken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p2p_core::{
    Authority, Code, DialId, DownCause, Input, LinkId, Node, Now, Output, Tick, Ticket, Timer,
};
use p2p_store::Store;
use tokio::sync::{Notify, watch};

use crate::admission::Gate;
use crate::clock::Clock;
use crate::endpoint::Listener;
use crate::link::{Link, LinkIo};
use crate::quic::Quic;
use crate::runtime::{Abort, Runtime};
use crate::storing::Storing;
use crate::{Config, Sink};

/// What is driven: a [`Node`], or a stand-in in tests.
pub(crate) trait Machine: Send + 'static {
    fn handle(&mut self, input: Input, now: Now);
    fn poll(&mut self) -> Option<Output>;
    fn next_timeout(&self) -> Option<(Tick, Timer)>;
}

impl<A: Authority + Send + 'static> Machine for Node<A> {
    fn handle(&mut self, input: Input, now: Now) {
        Node::handle(self, input, now);
    }

    fn poll(&mut self) -> Option<Output> {
        Node::poll(self)
    }

    fn next_timeout(&self) -> Option<(Tick, Timer)> {
        Node::next_timeout(self)
    }
}

/// Times that a link's work is repeated before others have their turn.
const ROUNDS: usize = 4;

/// One driver, shared by its tasks and by the application's threads.
pub(crate) struct Engine<M> {
    core: Mutex<Core<M>>,
    clock: Clock,
    sink: Arc<dyn Sink>,
    pub(crate) config: Config,
    pub(crate) quic: Quic,
    pub(crate) runtime: Runtime,
    pub(crate) listener: Listener,
    pub(crate) gate: Arc<Gate>,
    storing: Arc<Storing>,
    timer: Notify,
    /// True when everything is to end.
    pub(crate) stop: watch::Sender<bool>,
    /// Closed when all sockets are.
    running: watch::Receiver<()>,
}

struct Core<M> {
    machine: M,
    links: HashMap<LinkId, Arc<Link>>,
    links_made: u64,
    dials: HashMap<DialId, Abort>,
    /// What the timer's task waits for.
    armed: Option<Tick>,
}

/// Who has something to do after the machine was drained.
#[derive(Default)]
pub(crate) struct Aftermath {
    links: Vec<Arc<Link>>,
    store: bool,
    timer: bool,
    /// The sink was told something.
    events: bool,
}

impl<M: Machine> Engine<M> {
    pub(crate) fn start(
        machine: M,
        clock: Clock,
        quic: Quic,
        store: Arc<dyn Store>,
        sink: Arc<dyn Sink>,
        config: Config,
        runtime: Runtime,
    ) -> Arc<Engine<M>> {
        let core = Core {
            machine,
            links: HashMap::new(),
            links_made: 0,
            dials: HashMap::new(),
            armed: None,
        };
        let (running_task, running) = watch::channel(());
        let engine = Arc::new(Engine {
            core: Mutex::new(core),
            clock,
            sink,
            config,
            quic,
            runtime: runtime.clone(),
            listener: Listener::default(),
            gate: Arc::default(),
            storing: Arc::new(Storing::new(store)),
            timer: Notify::new(),
            stop: watch::channel(false).0,
            running,
        });
        runtime.spawn(Arc::clone(&engine).keep_time());
        runtime.spawn(Arc::clone(&engine).keep_listening(running_task));
        // What the machine wants before anything has happened.
        engine.feed([]);
        engine
    }

    /// Resolves when all sockets are closed for good.
    pub(crate) async fn finished(&self) {
        let mut running = self.running.clone();
        while running.changed().await.is_ok() {}
    }

    /// Calls the machine, and sees to it that what it then wants is done.
    pub(crate) fn call<R>(self: &Arc<Self>, f: impl FnOnce(&mut M, Now) -> R) -> R {
        let mut core = self.core();
        let now = self.clock.now();
        let result = f(&mut core.machine, now);
        let aftermath = self.drain(&mut core);
        drop(core);
        let mut events = aftermath.events;
        for link in self.wake(aftermath) {
            match link.try_io() {
                Some(mut io) => events |= self.pump(&link, &mut io),
                None => link.ready.wake.notify_one(),
            }
        }
        self.settle(events);
        result
    }

    /// Hands in what happened.
    pub(crate) fn feed(self: &Arc<Self>, inputs: impl IntoIterator<Item = Input>) {
        let mut core = self.core();
        let now = self.clock.now();
        for input in inputs {
            core.machine.handle(input, now);
        }
        let aftermath = self.drain(&mut core);
        drop(core);
        let events = aftermath.events;
        for link in self.wake(aftermath) {
            link.ready.wake.notify_one();
        }
        self.settle(events);
    }

    /// Does a link's work until there is none, or others should have their turn. The sink is to be
    /// [settled](Self::settle) afterwards if the answer is true.
    #[must_use]
    pub(crate) fn pump(self: &Arc<Self>, link: &Link, io: &mut LinkIo) -> bool {
        let mut events = false;
        for _ in 0..ROUNDS {
            link.work(io);
            if !io.inputs.is_empty() {
                let mut core = self.core();
                let now = self.clock.now();
                for input in io.inputs.drain(..) {
                    core.machine.handle(input, now);
                }
                let aftermath = self.drain(&mut core);
                drop(core);
                events |= aftermath.events;
                for other in self.wake(aftermath).into_iter().filter(|other| other.id != link.id) {
                    other.ready.wake.notify_one();
                }
            }
            if !link.has_work() {
                return events;
            }
        }
        link.ready.wake.notify_one();
        events
    }

    /// Lets the sink wake those who wait for what it was told: on this thread, without a detour through a task of theirs. No
    /// lock may be held.
    pub(crate) fn settle(&self, events: bool) {
        if events {
            self.sink.settle();
        }
    }

    /// A connection stands. `None` if it was a dial that has been cancelled meanwhile.
    pub(crate) fn link_up(
        self: &Arc<Self>,
        connection: quinn::Connection,
        dial: Option<DialId>,
        input: impl FnOnce(LinkId) -> Input,
    ) -> Option<Arc<Link>> {
        let mut core = self.core();
        if let Some(dial) = dial {
            core.dials.remove(&dial)?;
        }
        let id = LinkId(core.links_made);
        core.links_made += 1;
        let link = Arc::new(Link::new(id, connection));
        core.links.insert(id, Arc::clone(&link));
        let now = self.clock.now();
        core.machine.handle(input(id), now);
        let aftermath = self.drain(&mut core);
        drop(core);
        let events = aftermath.events;
        for link in self.wake(aftermath) {
            link.ready.wake.notify_one();
        }
        self.settle(events);
        Some(link)
    }

    /// The connections that stand.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.core().links.values().map(Arc::clone).collect()
    }

    /// A connection has ended, and everything received on it was handed in.
    pub(crate) fn link_down(self: &Arc<Self>, link: LinkId, cause: DownCause) {
        self.core().links.remove(&link);
        self.feed([Input::LinkDown { link, cause }]);
    }

    /// A dial has failed; nothing happens if it was cancelled.
    pub(crate) fn dial_failed(self: &Arc<Self>, dial: DialId, cause: DownCause) {
        let known = self.core().dials.remove(&dial).is_some();
        if known {
            self.feed([Input::DialFailed { dial, cause }]);
        }
    }

    /// Answers of the store.
    pub(crate) fn stored(self: &Arc<Self>, answers: Vec<(Ticket, Result<(), Code>)>) {
        self.feed(answers.into_iter().map(|(ticket, result)| Input::Stored { ticket, result }));
    }

    fn drain(self: &Arc<Self>, core: &mut Core<M>) -> Aftermath {
        let mut aftermath = Aftermath::default();
        while let Some(output) = core.machine.poll() {
            match output {
                Output::Event { group, event } => {
                    self.sink.event(group, event);
                    aftermath.events = true;
                }
                Output::Store { ticket, change } => {
                    aftermath.store |= self.storing.push(ticket, *change)
                }
                Output::Listen { on } => self.listener.want(on),
                Output::Dial { dial, address, expect } => {
                    let task = Arc::clone(self).dial(dial, address, expect);
                    core.dials.insert(dial, self.runtime.spawn_abortable(task));
                }
                Output::CancelDial { dial } => {
                    if let Some(task) = core.dials.remove(&dial) {
                        task.abort();
                    }
                }
                Output::Open { link, .. }
                | Output::Priority { link, .. }
                | Output::Write { link, .. }
                | Output::Credit { link, .. }
                | Output::Finish { link, .. }
                | Output::Forget { link, .. }
                | Output::Abort { link, .. }
                | Output::Trust { link, .. }
                | Output::CloseLink { link, .. } => {
                    // An order for a link that is gone is skipped.
                    if let Some(link) = core.links.get(&link)
                        && link.order(output)
                    {
                        aftermath.links.push(Arc::clone(link));
                    }
                }
            }
        }
        let next = core.machine.next_timeout().map(|(tick, _)| tick);
        if next.is_some_and(|next| core.armed.is_none_or(|armed| next < armed)) {
            core.armed = next;
            aftermath.timer = true;
        }
        aftermath
    }

    /// Wakes those who have something to do, except the links: they are returned.
    fn wake(self: &Arc<Self>, aftermath: Aftermath) -> Vec<Arc<Link>> {
        if aftermath.timer {
            self.timer.notify_one();
        }
        if aftermath.store {
            let (storing, engine) = (Arc::clone(&self.storing), Arc::clone(self));
            let work = move || storing.run(|answers| engine.stored(answers));
            self.runtime.spawn_blocking(work);
        }
        aftermath.links
    }

    /// The task that hands in `Timeout` when it is due.
    async fn keep_time(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        loop {
            let due = self.arm();
            let sleep = async {
                match due {
                    Some(instant) => self.runtime.sleep_until(instant).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => self.time_out(),
                () = self.timer.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// The instant of the deadline; `None` if there is none.
    fn arm(&self) -> Option<std::time::Instant> {
        let mut core = self.core();
        core.armed = core.machine.next_timeout().map(|(tick, _)| tick);
        core.armed.and_then(|tick| self.clock.instant(tick))
    }

    fn time_out(self: &Arc<Self>) {
        let due = {
            let core = self.core();
            let now = self.clock.now().tick;
            core.machine.next_timeout().is_some_and(|(tick, _)| tick <= now)
        };
        if due {
            self.feed([Input::Timeout]);
        }
    }

    fn core(&self) -> MutexGuard<'_, Core<M>> {
        // A machine that panicked is as good as its last whole call; whoever called it saw the panic.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

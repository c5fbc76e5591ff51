//! A node that runs, and one group of it, for a program without a runtime of its own: events come through a channel.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use p2p_core::{
    Address, ConnectionChange, ConnectionId, Event, Expect, GroupKey, KeyId, Node, Status, Taken,
};
use p2p_crypto::Keyring;
use p2p_store::Store;
use p2p_transport::{Config, Driver, Listen, Runtime, Sink, TlsIdentity};

use crate::people::{KIND, Outcome, PATIENCE, Person};

pub(crate) struct Peer {
    pub(crate) driver: Driver<Keyring>,
    pub(crate) group: GroupKey,
    events: Receiver<Event>,
}

/// What a peer can put into this channel is bounded by what the application has not yet `taken`.
struct Events(Sender<Event>);

impl Sink for Events {
    fn event(&self, _: GroupKey, event: Event) {
        // Whoever has stopped listening misses nothing that it wants.
        drop(self.0.send(event));
    }
}

impl Peer {
    /// Opens the group with what the store knows of it. Offline.
    pub(crate) fn start(who: &Person, store: Arc<dyn Store>, runtime: Runtime) -> Outcome<Peer> {
        let snapshot = store.load(&who.group)?;
        let (sender, events) = channel();
        let listen = Listen::At(vec!["[::1]:0".parse()?]);
        let config = Config { listen, runtime: Some(runtime), ..Config::default() };
        let keyring = who.keyring();
        let driver = Driver::start(
            |seed, now| Node::new(p2p_core::Config::default(), keyring, seed, now),
            TlsIdentity::of(&who.identity),
            store,
            Arc::new(Events(sender)),
            config,
        )?;
        let own = who.own()?;
        let open = |node: &mut Node<Keyring>, now| {
            let group = node.open_group(who.group, own, snapshot, now)?;
            node.accept_direct(group, true, now)?;
            Ok::<GroupKey, p2p_core::Error>(group)
        };
        let group = driver.call(open)?;
        Ok(Peer { driver, group, events })
    }

    /// The next event that `pick` wants; those before it are passed over.
    pub(crate) fn event<T>(&self, mut pick: impl FnMut(Event) -> Option<T>) -> Outcome<T> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if let Some(found) = pick(self.events.recv_timeout(left)?) {
                return Ok(found);
            }
        }
    }

    /// Brings the group online. Whoever has somebody to call, or knows where others were, waits for a neighbour.
    pub(crate) fn online(&self, at: &[Address], alone: bool) -> Outcome<Address> {
        self.driver.call(|node, now| node.connect(self.group, at, now))?;
        self.event(|event| match event {
            Event::Status(Status { listening, connected }) => {
                (listening && (alone || connected)).then_some(Ok(()))
            }
            Event::ConnectionFailed { reason } => Some(Err(format!("offline: {reason}"))),
            _ => None,
        })??;
        self.driver.call(|node, _| node.listening().first().copied()).ok_or("no address".into())
    }

    /// Opens a direct connection, sends what there is to say, closes it, and waits until that is so on both sides.
    pub(crate) fn say(&self, to: KeyId, at: Address, texts: &[&'static str]) -> Outcome {
        let group = self.group;
        let call =
            |node: &mut Node<Keyring>, now| node.open_direct(group, Expect::Key(to), at, now);
        let id = self.driver.call(call)?;
        self.change(id, ConnectionChange::Connected)?;
        for &text in texts {
            self.driver.call(|node, now| node.send(group, id, KIND, text.into(), now))?;
        }
        self.driver.call(|node, now| node.close_direct(group, id, now))?;
        self.change(id, ConnectionChange::Disconnected)
    }

    fn change(&self, of: ConnectionId, wanted: ConnectionChange) -> Outcome {
        let direct = self.event(|event| match event {
            Event::Direct(connection) if connection.id == of => Some(connection),
            _ => None,
        })?;
        let (change, code) = (direct.change, direct.cause.code());
        if change != wanted || !code.is_success() {
            return Err(format!("{change:?}, {code}").into());
        }
        Ok(())
    }

    /// All that comes on the next direct connection, until it ends.
    pub(crate) fn hear(&self) -> Outcome<Vec<String>> {
        let mut heard = Vec::new();
        let taken = |id, what| self.driver.call(|node, now| node.taken(self.group, id, what, now));
        self.event(|event| match event {
            Event::Data { id, payload, .. } => {
                taken(id, Taken::Data { bytes: payload.len() });
                heard.push(String::from_utf8_lossy(&payload.into_bytes()).into_owned());
                None
            }
            Event::Direct(c) if c.change == ConnectionChange::Disconnected => {
                taken(c.id, Taken::Disconnected);
                Some(())
            }
            _ => None,
        })?;
        Ok(heard)
    }
}

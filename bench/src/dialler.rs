//! A node of its own that opens the first direct connection to another one, again and again.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2p_core::{
    Address, Config as NodeConfig, ConnectionChange, Event, Expect, GroupKey, GroupSnapshot, KeyId,
    Limits, Member, Node,
};
use p2p_crypto::{Identity, Invitation, Keyring};
use p2p_store::MemoryStore;
use p2p_transport::{Config, Driver, Listen, Sink, TlsIdentity};
use tokio::runtime::Handle;

use crate::Failure;

/// Longest wait for an event: only a failure takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Dialler {
    driver: Driver<Keyring>,
    events: mpsc::Receiver<Event>,
    group: KeyId,
    own: Arc<Member>,
    open: Option<GroupKey>,
}

struct Events(mpsc::Sender<Event>);

impl Sink for Events {
    fn event(&self, _: GroupKey, event: Event) {
        // Events after the last open have no listener.
        let _ = self.0.send(event);
    }
}

impl Dialler {
    /// A node for the bearer of an invitation. It shows `chain`, which need not be that of the invitation. It looks for no
    /// neighbours.
    pub(crate) fn start(
        identity: &Identity,
        invitation: &Invitation,
        chain: Bytes,
        runtime: &Handle,
    ) -> Result<Dialler, Failure> {
        let own = invitation.check_for(&identity.key_id(), p2p_group::now())?;
        let group = invitation.group();
        let mut keys = Keyring::new(identity.clone());
        keys.insert(group, chain);
        let tls = TlsIdentity::of(identity);
        let (sender, events) = mpsc::channel();
        let config = Config {
            listen: Listen::At(vec!["[::1]:0".parse()?]),
            runtime: Some(runtime.clone().into()),
            ..Config::default()
        };
        let limits = Limits { neighbours: 0, ..Limits::default() };
        let node =
            |seed, now| Node::new(NodeConfig { limits, ..NodeConfig::default() }, keys, seed, now);
        let store = Arc::new(MemoryStore::new());
        let driver = Driver::start(node, tls, store, Arc::new(Events(sender)), config)?;
        Ok(Dialler { driver, events, group, own, open: None })
    }

    /// Opens the group and waits until it listens.
    pub(crate) fn prepare(&mut self) -> Result<(), Failure> {
        let known = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
        let (group, own) = (self.group, self.own.clone());
        let key = self.driver.call(|node, now| node.open_group(group, own, known, now))?;
        self.open = Some(key);
        self.driver.call(|node, now| node.connect(key, &[], now))?;
        self.wait(|event| matches!(event, Event::Status(s) if s.listening).then_some(()))
    }

    /// Begins to open a direct connection: mutual TLS, the proof of membership, and the open.
    pub(crate) fn dial(&self, server: KeyId, address: Address) -> Result<(), Failure> {
        let key = self.open.ok_or("the group is not open")?;
        self.driver.call(|node, now| node.open_direct(key, Expect::Key(server), address, now))?;
        Ok(())
    }

    /// Waits for what becomes of it: whether it stands.
    pub(crate) fn outcome(&self) -> Result<bool, Failure> {
        self.wait(|event| match event {
            Event::Direct(c) if c.change == ConnectionChange::Connected => Some(true),
            Event::Direct(c) if c.change == ConnectionChange::Failed => Some(false),
            _ => None,
        })
    }

    /// The same, without waiting longer than this.
    pub(crate) fn outcome_within(&self, patience: Duration) {
        // What comes later, or not at all, is of no interest to one that floods.
        let end = Instant::now() + patience;
        while let Ok(event) =
            self.events.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if matches!(event, Event::Direct(_)) {
                return;
            }
        }
    }

    /// Closes the group, and with it the link.
    pub(crate) fn leave(&mut self) -> Result<(), Failure> {
        let key = self.open.take().ok_or("the group is not open")?;
        self.driver.call(|node, now| node.close_group(key, now))?;
        self.wait(|event| matches!(event, Event::Closed).then_some(()))
    }

    pub(crate) async fn end(self) {
        self.driver.shutdown().await;
    }

    fn wait<T>(&self, wanted: impl Fn(&Event) -> Option<T>) -> Result<T, Failure> {
        loop {
            if let Some(found) = wanted(&self.events.recv_timeout(PATIENCE)?) {
                return Ok(found);
            }
        }
    }
}

//! One identity, running.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use p2p_core::{Address, KeyId, Limits};
use p2p_crypto::{Keyring, PeerName};
use p2p_store::{MemoryStore, Store};
use p2p_transport::{Config, Driver, Listen, TlsIdentity};
use tokio::runtime::Handle;

use crate::error::{GroupError, StartError};
use crate::hub::Hub;
use crate::identity::{Home, Identity};
use crate::instance::Instance;
use crate::runtime::Background;
use crate::statistics::Statistics;
use crate::sync::lock;

/// One identity, running in this process: its socket, its links to peers, and its open groups.
///
/// A node is cheap to clone; all clones are the same node. It opens its socket when the first of its groups connects,
/// and ends when its last clone, its last [`Group`](crate::Group) and all that came from them are dropped, or with
/// [`shutdown`](Self::shutdown).
///
/// The node runs on the tokio runtime in which it is started. Started outside of one, it runs on background threads of
/// this crate, which all such nodes share; so programs without tokio can use every call that is not `async`.
///
/// ```
/// use p2p_group::{Identity, Node};
///
/// # fn main() -> Result<(), p2p_group::Error> {
/// let ann = Identity::in_memory("Ann")?;
/// let node = Node::builder(ann).listen_at(["[::1]:0".parse().unwrap()]).start()?;
/// assert_eq!(node.identity().friendly_name(), "Ann");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Node {
    pub(crate) shared: Arc<Shared>,
}

/// What the clones of a node and its groups share.
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) driver: Driver<Keyring>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) limits: Limits,
    pub(crate) runtime: Handle,
    instances: Mutex<BTreeMap<KeyId, Arc<Instance>>>,
    /// Held while a group is being opened: the second of two openers finds what the first one made.
    pub(crate) opening: Mutex<()>,
    stopped: AtomicBool,
    /// Given back in this order: after the driver.
    _run: Option<p2p_store::Run>,
    _first: Option<FirstListener>,
    _background: Option<Arc<Background>>,
}

impl Node {
    /// Starts an identity with everything as the environment and the defaults have it.
    ///
    /// # Errors
    /// As [`NodeBuilder::start`].
    pub fn start(identity: Identity) -> Result<Node, StartError> {
        Node::builder(identity).start()
    }

    /// Starts an identity with settings of one's own.
    pub fn builder(identity: Identity) -> NodeBuilder {
        NodeBuilder {
            home: identity.home().cloned(),
            identity,
            listen: None,
            limits: Limits::default(),
            limit_loopback: false,
        }
    }

    /// The identity that runs.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Where this node accepts connections, best first; empty while none of its groups is online. Concrete addresses:
    /// of a socket that is bound to all interfaces, those of the interfaces, loopback last.
    pub fn listening(&self) -> Vec<Address> {
        self.shared.driver.call(|node, _| node.listening().to_vec())
    }

    /// What this node has done since its start, and what it holds now. Goes through all its connections: for every few
    /// seconds, not for every message.
    pub fn statistics(&self) -> Statistics {
        self.shared.driver.call(|node, _| Statistics { counters: node.stats(), load: node.load() })
    }

    /// The groups that are open in this node, by peer name.
    pub fn open_groups(&self) -> Vec<PeerName> {
        lock(&self.shared.instances).values().map(|instance| instance.info.name.clone()).collect()
    }

    /// Closes every group as its last [`Group::close`](crate::Group::close) would, then the socket. Takes at most the
    /// 5 s that closing groups have for delivering. Afterwards every handle answers that it is closed.
    ///
    /// Dropping the future leaves the groups closing; call again to wait.
    pub async fn shutdown(&self) {
        for instance in self.shared.stop() {
            instance.finished().await;
        }
        self.shared.driver.shutdown().await;
    }

    /// As [`shutdown`](Self::shutdown), blocking this thread: for programs without tokio. Do not call it on a thread
    /// that drives the node's runtime.
    pub fn shutdown_blocking(&self) {
        for instance in self.shared.stop() {
            instance.finished_blocking();
        }
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let driver = self.shared.driver.clone();
        self.shared.runtime.spawn(async move {
            driver.shutdown().await;
            drop(done);
        });
        // The sender is dropped, never used: an error is the signal, also when the runtime is gone.
        let _ = wait.recv();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.shared.identity).finish()
    }
}

impl Shared {
    pub(crate) fn check_running(&self) -> Result<(), GroupError> {
        if self.stopped.load(Ordering::Acquire) { Err(GroupError::Stopped) } else { Ok(()) }
    }

    /// The open instance of a group.
    pub(crate) fn instance(&self, group: &KeyId) -> Option<Arc<Instance>> {
        lock(&self.instances).get(group).cloned()
    }

    pub(crate) fn instances(&self) -> Vec<Arc<Instance>> {
        lock(&self.instances).values().cloned().collect()
    }

    pub(crate) fn remember(&self, instance: Arc<Instance>) {
        lock(&self.instances).insert(instance.info.key, instance);
    }

    pub(crate) fn forget(&self, instance: &Instance) {
        let mut instances = lock(&self.instances);
        if instances.get(&instance.info.key).is_some_and(|known| std::ptr::eq(&**known, instance)) {
            instances.remove(&instance.info.key);
        }
    }

    /// Begins to close everything, and answers what is still closing.
    pub(crate) fn stop(&self) -> Vec<Arc<Instance>> {
        let opening = lock(&self.opening);
        self.stopped.store(true, Ordering::Release);
        drop(opening);
        let instances = self.instances();
        for instance in &instances {
            instance.close_all();
        }
        instances
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.hub.stop();
    }
}

/// Settings of a node that is to be started.
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct NodeBuilder {
    identity: Identity,
    home: Option<Home>,
    listen: Option<Listen>,
    limits: Limits,
    limit_loopback: bool,
}

impl NodeBuilder {
    /// Keeps groups in `home` instead of where the identity came from.
    pub fn home(mut self, home: Home) -> NodeBuilder {
        self.home = Some(home);
        self
    }

    /// Keeps groups in memory, whatever the identity came from: they are gone with the node.
    pub fn in_memory(mut self) -> NodeBuilder {
        self.home = None;
        self
    }

    /// Where to accept connections: overrides `P2P_LISTEN`.
    pub fn listen(mut self, listen: Listen) -> NodeBuilder {
        self.listen = Some(listen);
        self
    }

    /// Accepts connections at exactly these addresses; port 0 takes a free one. If one of them is taken, connecting
    /// fails with `PEER_E_UNABLE_TO_LISTEN`.
    pub fn listen_at(self, addresses: impl IntoIterator<Item = SocketAddr>) -> NodeBuilder {
        self.listen(Listen::At(addresses.into_iter().collect()))
    }

    /// Limits other than the protocol's own.
    pub fn limits(mut self, limits: Limits) -> NodeBuilder {
        self.limits = limits;
        self
    }

    /// Counts handshakes from loopback as those from any other source: 8 a second after 32 at once. For measuring what a
    /// flood can do.
    pub fn limit_loopback(mut self) -> NodeBuilder {
        self.limit_loopback = true;
        self
    }

    /// Starts the node. It opens no socket and tells nobody until a group connects.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(self) -> Result<Node, StartError> {
        let (listen, first) = match self.listen {
            Some(listen) => (listen, None),
            None => listen_of_environment()?,
        };
        let (runtime, background) = match Handle::try_current() {
            Ok(handle) => (handle, None),
            Err(_) => {
                let background = Background::shared().map_err(StartError::Runtime)?;
                (background.handle(), Some(background))
            }
        };
        let store: Arc<dyn Store> = match &self.home {
            Some(home) => Arc::new(home.store(&self.identity)?),
            None => Arc::new(MemoryStore::new()),
        };
        let mut run = match &self.home {
            Some(home) => home.begin_run(&self.identity)?,
            None => None,
        };
        let hub = Arc::new(Hub::default());
        let keys = self.identity.keys();
        let tls = TlsIdentity::of(keys);
        let keyring = Keyring::new(keys.clone());
        let previous = run.as_ref().and_then(p2p_store::Run::previous);
        let config = p2p_core::Config { limits: self.limits.clone(), previous };
        let driver = Driver::start(
            move |seed, now| p2p_core::Node::new(config, keyring, seed, now),
            tls,
            Arc::clone(&store),
            hub.clone(),
            Config {
                listen,
                runtime: Some(runtime.clone().into()),
                limit_loopback: self.limit_loopback,
                ..Config::default()
            },
        )?;
        if let Some(run) = &mut run {
            run.record(driver.call(|node, _| node.instance()))?;
        }
        runtime.spawn(Arc::clone(&hub).dispatch());
        let shared = Shared {
            identity: self.identity,
            store,
            driver,
            hub,
            limits: self.limits,
            runtime,
            instances: Mutex::default(),
            opening: Mutex::default(),
            stopped: AtomicBool::new(false),
            _run: run,
            _first: first,
            _background: background,
        };
        Ok(Node { shared: Arc::new(shared) })
    }
}

/// `P2P_LISTEN` belongs to the first running identity of a process; a second one gets free ports at the same addresses.
fn listen_of_environment() -> Result<(Listen, Option<FirstListener>), StartError> {
    let Some(text) = std::env::var_os("P2P_LISTEN") else { return Ok((Listen::Default, None)) };
    let text = text.to_string_lossy();
    let mut addresses = parse_listen(&text)?;
    if addresses.is_empty() {
        return Ok((Listen::Default, None));
    }
    let first = FirstListener::claim();
    if first.is_none() {
        addresses.iter_mut().for_each(|address| address.set_port(0));
    }
    Ok((Listen::At(addresses), first))
}

/// Comma-separated `address:port`; blanks and empty entries do not matter.
fn parse_listen(text: &str) -> Result<Vec<SocketAddr>, StartError> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(|entry| entry.parse().map_err(|_| StartError::Listen(entry.to_owned()))).collect()
}

/// Held by the running node that listens where `P2P_LISTEN` says.
struct FirstListener(());

static FIRST_LISTENER: AtomicBool = AtomicBool::new(false);

impl FirstListener {
    fn claim() -> Option<FirstListener> {
        (!FIRST_LISTENER.swap(true, Ordering::AcqRel)).then_some(FirstListener(()))
    }
}

impl Drop for FirstListener {
    fn drop(&mut self) {
        FIRST_LISTENER.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_addresses_are_read_from_a_comma_separated_list() {
        let addresses = parse_listen(" [::1]:0 , 192.0.2.1:3587,").unwrap();
        assert_eq!(addresses, ["[::1]:0".parse().unwrap(), "192.0.2.1:3587".parse().unwrap()]);
        assert!(parse_listen("").unwrap().is_empty());
        assert!(
            matches!(parse_listen("[::1]:0,localhost"), Err(StartError::Listen(entry)) if entry == "localhost")
        );
    }

    #[test]
    fn only_one_node_at_a_time_is_the_first() {
        let first = FirstListener::claim();
        assert!(first.is_some() && FirstListener::claim().is_none());
        drop(first);
        assert!(FirstListener::claim().is_some());
    }
}

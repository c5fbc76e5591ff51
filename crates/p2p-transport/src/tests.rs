//! Two drivers on the loopback interface, each with a scripted stand-in for its node.

mod handshake;
mod streams;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use p2p_core::{
    Address, DialId, Event, Expect, FileTime, GroupKey, Head, Input, KeyId, LinkId, Now, Output,
    Payload, StreamId, Tick, Timer,
};
use p2p_crypto::Identity;
use p2p_store::MemoryStore;
use tokio::sync::Notify;

use crate::driver::Running;
use crate::engine::Machine;
use crate::{Config, Listen, Sink, TlsIdentity};

/// Nothing on one machine takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does as it is told and remembers what it hears.
struct Script {
    outputs: VecDeque<Output>,
    deadline: Option<Tick>,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    inputs: Mutex<Vec<Input>>,
    changed: Notify,
}

impl Machine for Script {
    fn handle(&mut self, input: Input, _: Now) {
        if matches!(input, Input::Timeout) {
            self.deadline = None;
        }
        self.heard.inputs.lock().unwrap().push(input);
        self.heard.changed.notify_one();
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_timeout(&self) -> Option<(Tick, Timer)> {
        self.deadline.map(|tick| (tick, Timer::Handshake(LinkId(0))))
    }
}

struct NoSink;

impl Sink for NoSink {
    fn event(&self, _: GroupKey, _: Event) {}
}

struct Peer {
    identity: Identity,
    running: Running<Script>,
    heard: Arc<Heard>,
    next: usize,
}

fn identity() -> Identity {
    Identity::create(None, None, FileTime::from_unix(1_700_000_000)).unwrap()
}

fn tls_of(identity: &Identity) -> TlsIdentity {
    TlsIdentity::of(identity)
}

fn loopback() -> Config {
    Config { listen: Listen::At(vec!["[::1]:0".parse().unwrap()]), ..Config::default() }
}

impl Peer {
    fn start(config: Config) -> Peer {
        let identity = identity();
        let tls = tls_of(&identity);
        Peer::start_as(identity, tls, config)
    }

    fn start_as(identity: Identity, tls: TlsIdentity, config: Config) -> Peer {
        let heard = Arc::<Heard>::default();
        let script = Script { outputs: VecDeque::new(), deadline: None, heard: Arc::clone(&heard) };
        let store = Arc::new(MemoryStore::new());
        let running = Running::start(|_, _| script, tls, store, Arc::new(NoSink), config).unwrap();
        Peer { identity, running, heard, next: 0 }
    }

    /// A peer that listens, and where.
    async fn listening(config: Config) -> (Peer, Address) {
        let identity = identity();
        let tls = tls_of(&identity);
        Peer::listening_as(identity, tls, config).await
    }

    async fn listening_as(identity: Identity, tls: TlsIdentity, config: Config) -> (Peer, Address) {
        let mut peer = Peer::start_as(identity, tls, config);
        peer.tell([Output::Listen { on: true }]);
        let addresses = peer
            .hear(|input| match input {
                Input::Listening { addresses } => Some(addresses),
                _ => None,
            })
            .await;
        let address = *addresses.first().expect("an address");
        (peer, address)
    }

    fn key(&self) -> KeyId {
        self.identity.key_id()
    }

    fn tell(&self, outputs: impl IntoIterator<Item = Output>) {
        self.running.engine.call(|script, _| script.outputs.extend(outputs));
    }

    /// The next input that `pick` wants; those before it are passed over.
    async fn hear<R>(&mut self, mut pick: impl FnMut(Input) -> Option<R>) -> R {
        let search = async {
            loop {
                let changed = self.heard.changed.notified();
                let fresh = self.heard.inputs.lock().unwrap()[self.next..].to_vec();
                for input in fresh {
                    self.next += 1;
                    if let Some(found) = pick(input) {
                        return found;
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| {
            panic!("not heard in time: {:#?}", self.heard.inputs.lock().unwrap());
        })
    }

    /// The next input, whatever it is.
    async fn hear_next(&mut self) -> Input {
        self.hear(Some).await
    }

    async fn link_up(&mut self) -> (LinkId, KeyId, [u8; 32]) {
        self.hear(|input| match input {
            Input::LinkUp { link, peer, binding, .. } => Some((link, peer, binding)),
            _ => None,
        })
        .await
    }

    fn write(&self, link: LinkId, stream: u64, bytes: impl Into<Bytes>) {
        let body = Payload::One(bytes.into());
        self.tell([Output::Write { link, stream: StreamId(stream), head: Head::EMPTY, body }]);
    }

    fn open(&self, link: LinkId, stream: u64) {
        self.tell([Output::Open { link, stream: StreamId(stream), priority: 0 }]);
    }

    fn credit(&self, link: LinkId, stream: u64, bytes: u32) {
        self.tell([Output::Credit { link, stream: StreamId(stream), bytes }]);
    }

    /// The next bytes of a stream, until there are `length`.
    async fn read(&mut self, link: LinkId, stream: u64, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        self.hear(|input| match input {
            Input::Chunk { link: on, stream: of, bytes }
                if (on, of) == (link, StreamId(stream)) =>
            {
                all.extend_from_slice(&bytes);
                (all.len() >= length).then_some(())
            }
            _ => None,
        })
        .await;
        assert_eq!(all.len(), length, "more than was asked for");
        all
    }

    /// Waits until so many bytes were reported as sent.
    async fn sent(&mut self, stream: u64, expected: u64) {
        let mut total = 0;
        self.hear(|input| match input {
            Input::Sent { stream: of, bytes, .. } if of == StreamId(stream) => {
                total += u64::from(bytes);
                (total >= expected).then_some(())
            }
            _ => None,
        })
        .await;
        assert_eq!(total, expected);
    }
}

/// Two peers and the link between them: the dialler, its link, the acceptor, its link.
async fn pair(config: Config) -> (Peer, LinkId, Peer, LinkId) {
    let (mut bob, address) = Peer::listening(config.clone()).await;
    let (mut alice, _) = Peer::listening(config).await;
    alice.tell([Output::Dial { dial: DialId(1), address, expect: Expect::Key(bob.key()) }]);
    let (to_bob, peer, binding) = alice.link_up().await;
    assert_eq!(peer, bob.key());
    let (to_alice, peer, same_binding) = bob.link_up().await;
    assert_eq!(peer, alice.key());
    assert_eq!(binding, same_binding, "both ends export the same");
    (alice, to_bob, bob, to_alice)
}

fn taken() -> (std::net::UdpSocket, SocketAddr) {
    let socket = std::net::UdpSocket::bind("[::1]:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

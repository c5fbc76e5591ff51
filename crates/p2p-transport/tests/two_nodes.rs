//! Two real nodes, with real certificates, on the loopback interface.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use p2p_core::{
    Address, Cause, Code, Connecting, Connection, ConnectionChange, ConnectionId, Error, Event,
    Expect, FileTime, GroupKey, Guid, KeyId, Limits, Node, Refusal, Roles, Taken,
};
use p2p_crypto::{
    GroupIdentity, Identity, Invitation, IssueRequest, KeyKind, Keyring, verify_chain,
};
use p2p_store::{FileStore, MemoryStore, Store};
use p2p_transport::{Config, Driver, Listen, Sink, TlsIdentity};
use tokio::sync::Notify;

/// Nothing on one machine takes this long.
const PATIENCE: Duration = Duration::from_secs(40);
const KIND: Guid = Guid::from_u128(7);

fn now() -> FileTime {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    FileTime::from_unix(now.as_secs() as i64)
}

#[derive(Default)]
struct Events {
    queue: Mutex<Vec<Event>>,
    changed: Notify,
}

impl Sink for Events {
    fn event(&self, _: GroupKey, event: Event) {
        self.queue.lock().unwrap().push(event);
        self.changed.notify_one();
    }
}

/// A group with its creator and one invited member.
struct World {
    group: KeyId,
    creator: (Identity, Bytes),
    member: (Identity, Bytes),
}

impl World {
    fn new() -> World {
        World::of([KeyKind::default(); 3])
    }

    /// With keys of these kinds: the group's, the creator's, the member's.
    fn of(kinds: [KeyKind; 3]) -> World {
        let group = GroupIdentity::create_with(kinds[0], Some("test"), None, now()).unwrap();
        let creator = Identity::create_with(kinds[1], None, Some("Creator"), now()).unwrap();
        let chain = group.issue_creator(&creator.info(), now()).unwrap();
        let member = Identity::create_with(kinds[2], None, Some("Member"), now()).unwrap();
        let request = IssueRequest {
            subject: &member.info(),
            roles: Roles::MEMBER,
            expires: None,
            hints: &[],
            now: now(),
        };
        let invitation = Invitation::issue(&creator, &chain, &request).unwrap();
        World {
            group: group.key_id(),
            creator: (creator, chain),
            member: (member, invitation.chain().clone()),
        }
    }
}

/// A running node with one open group.
struct Peer {
    key: KeyId,
    driver: Driver<Keyring>,
    group: GroupKey,
    events: Arc<Events>,
    next: usize,
}

impl Peer {
    fn start(world: &World, (identity, chain): &(Identity, Bytes), limits: Limits) -> Peer {
        Peer::start_with(world, identity, chain, limits, Arc::new(MemoryStore::new()), loopback())
    }

    fn start_with(
        world: &World,
        identity: &Identity,
        chain: &Bytes,
        limits: Limits,
        store: Arc<dyn Store>,
        config: Config,
    ) -> Peer {
        let mut keyring = Keyring::new(identity.clone());
        keyring.insert(world.group, chain.clone());
        let tls = TlsIdentity::of(identity);
        let events = Arc::<Events>::default();
        let node = |seed, now| {
            let config = p2p_core::Config { limits, ..p2p_core::Config::default() };
            Node::new(config, keyring, seed, now)
        };
        // For its creator a group is complete from the start.
        let creator = identity.key_id() == world.creator.0.key_id();
        store.set_hints(&world.group, &[], creator).unwrap();
        let snapshot = store.load(&world.group).unwrap();
        let driver =
            Driver::start(node, tls, store, Arc::clone(&events) as Arc<dyn Sink>, config).unwrap();
        let own = verify_chain(&world.group, chain, &identity.key_id(), &now()).unwrap();
        let group = driver
            .call(|node, now| node.open_group(world.group, Arc::new(own), snapshot, now))
            .unwrap();
        driver.call(|node, now| node.accept_direct(group, true, now)).unwrap();
        Peer { key: identity.key_id(), driver, group, events, next: 0 }
    }

    /// The next event that `pick` wants; those before it are passed over.
    async fn event<R>(&mut self, mut pick: impl FnMut(Event) -> Option<R>) -> R {
        let search = async {
            loop {
                let changed = self.events.changed.notified();
                let fresh = self.events.queue.lock().unwrap()[self.next..].to_vec();
                for event in fresh {
                    self.next += 1;
                    if let Some(found) = pick(event) {
                        return found;
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| {
            panic!("no such event in time: {:#?}", self.events.queue.lock().unwrap());
        })
    }

    async fn online(&mut self, at: &[Address]) {
        let started = self.driver.call(|node, now| node.connect(self.group, at, now)).unwrap();
        assert_eq!(started, Connecting::Started);
        let wanted = !at.is_empty();
        self.event(|event| match event {
            Event::Status(status) => {
                (status.listening && (status.connected || !wanted)).then_some(())
            }
            Event::ConnectionFailed { reason } => panic!("offline: {reason}"),
            _ => None,
        })
        .await;
    }

    fn address(&self) -> Address {
        self.driver.call(|node, _| node.listening()[0])
    }

    async fn direct(&mut self) -> Connection {
        self.event(|event| match event {
            Event::Direct(connection) => Some(connection),
            _ => None,
        })
        .await
    }

    fn open(&self, peer: Expect, address: Address) -> ConnectionId {
        self.driver.call(|node, now| node.open_direct(self.group, peer, address, now)).unwrap()
    }

    fn send(&self, id: ConnectionId, bytes: impl Into<Bytes>) -> Result<(), Error> {
        self.driver.call(|node, now| node.send(self.group, id, KIND, bytes.into(), now))
    }

    async fn receive(&mut self, from: ConnectionId) -> Bytes {
        let payload = self
            .event(|event| match event {
                Event::Data { id, payload, .. } if id == from => Some(payload),
                _ => None,
            })
            .await;
        let bytes = payload.len();
        self.driver.call(|node, now| node.taken(self.group, from, Taken::Data { bytes }, now));
        payload.into_bytes()
    }
}

fn loopback() -> Config {
    Config { listen: Listen::At(vec!["[::1]:0".parse().unwrap()]), ..Config::default() }
}

/// Both online; the member connected to the creator.
async fn connected(world: &World, limits: Limits) -> (Peer, Peer) {
    let mut creator = Peer::start(world, &world.creator, limits.clone());
    creator.online(&[]).await;
    let mut member = Peer::start(world, &world.member, limits);
    member.online(&[creator.address()]).await;
    (creator, member)
}

/// A direct connection from the member to the creator: both ends' ids.
async fn direct(creator: &mut Peer, member: &mut Peer) -> (ConnectionId, ConnectionId) {
    let id = member.open(Expect::Key(creator.key), creator.address());
    let ours = member.direct().await;
    assert_eq!(
        (ours.id, ours.change, ours.peer),
        (id, ConnectionChange::Connected, Some(creator.key))
    );
    let theirs = creator.direct().await;
    assert_eq!((theirs.change, theirs.peer), (ConnectionChange::Connected, Some(member.key)));
    (id, theirs.id)
}

async fn talk(world: &World, mut creator: Peer, mut member: Peer) {
    let (here, there) = direct(&mut creator, &mut member).await;
    for length in [0, 1, 1_000, 100_000, 16 << 20] {
        let message: Bytes =
            (0..length).map(|index| (index % 251) as u8).collect::<Vec<_>>().into();
        member.send(here, message.clone()).unwrap();
        assert!(creator.receive(there).await == message, "{length} bytes to the creator");
        creator.send(there, message.clone()).unwrap();
        assert!(member.receive(here).await == message, "{length} bytes to the member");
    }
    // What was accepted for sending is delivered before the end.
    for number in 0..100_u8 {
        member.send(here, vec![number; 10_000]).unwrap();
    }
    member.driver.call(|node, now| node.close_direct(member.group, here, now)).unwrap();
    for number in 0..100_u8 {
        assert!(creator.receive(there).await == vec![number; 10_000]);
    }
    let end = creator.direct().await;
    assert_eq!(
        (end.id, end.change, end.cause),
        (there, ConnectionChange::Disconnected, Cause::Orderly)
    );
    let end = member.direct().await;
    assert_eq!(
        (end.id, end.change, end.cause),
        (here, ConnectionChange::Disconnected, Cause::Orderly)
    );
    assert_eq!(member.send(here, "late"), Err(Error::ConnectionNotFound));

    for peer in [&mut member, &mut creator] {
        peer.driver.call(|node, now| node.close_group(peer.group, now)).unwrap();
        peer.event(|event| (event == Event::Closed).then_some(())).await;
        tokio::time::timeout(PATIENCE, peer.driver.shutdown()).await.unwrap();
    }
    assert_eq!(world.creator.0.key_id(), creator.key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_meet_talk_and_part() {
    let world = World::new();
    let (creator, member) = connected(&world, Limits::default()).await;
    talk(&world, creator, member).await;
}

#[tokio::test]
async fn keys_of_both_kinds_meet() {
    let (ed, p256) = (KeyKind::Ed25519, KeyKind::EcdsaP256);
    for kinds in [[ed, ed, p256], [p256, p256, ed], [p256, p256, p256]] {
        let world = World::of(kinds);
        let (mut creator, mut member) = connected(&world, Limits::default()).await;
        let (here, there) = direct(&mut creator, &mut member).await;
        member.send(here, "ping").unwrap();
        assert_eq!(creator.receive(there).await, "ping");
        creator.send(there, "pong").unwrap();
        assert_eq!(member.receive(here).await, "pong");
    }
}

#[tokio::test]
async fn two_nodes_meet_talk_and_part_on_one_thread() {
    let world = World::new();
    let (creator, member) = connected(&world, Limits::default()).await;
    talk(&world, creator, member).await;
}

#[tokio::test]
async fn two_nodes_meet_talk_and_part_over_plain_udp() {
    let world = World::new();
    let start = |(identity, chain): &(Identity, Bytes)| {
        let config = Config { plain_udp: true, ..loopback() };
        let store = Arc::new(MemoryStore::new());
        Peer::start_with(&world, identity, chain, Limits::default(), store, config)
    };
    let mut creator = start(&world.creator);
    creator.online(&[]).await;
    let mut member = start(&world.member);
    member.online(&[creator.address()]).await;
    talk(&world, creator, member).await;
}

#[tokio::test]
async fn what_was_learnt_is_on_disk_and_serves_the_next_start() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let mut creator = Peer::start(&world, &world.creator, Limits::default());
    creator.online(&[]).await;
    let (identity, chain) = &world.member;
    let store = FileStore::new(folder.path());
    let start = |store: &FileStore| {
        let store = Arc::new(store.clone());
        Peer::start_with(&world, identity, chain, Limits::default(), store, loopback())
    };
    let mut member = start(&store);
    member.online(&[creator.address()]).await;
    // What was learnt of the creator is stored behind the application's back.
    let stored = async {
        loop {
            let snapshot = store.load(&world.group).unwrap();
            let listening = store.listening(&world.group).unwrap().unwrap_or_default();
            let met = snapshot.members.iter().any(|one| one.key == creator.key);
            if met
                && !snapshot.addresses.is_empty()
                && listening.synchronised
                && !listening.addresses.is_empty()
            {
                break (snapshot, listening);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (snapshot, listening) = tokio::time::timeout(PATIENCE, stored).await.unwrap();
    assert!(snapshot.synchronised);
    assert_eq!(listening.addresses, [member.address()]);
    tokio::time::timeout(PATIENCE, member.driver.shutdown()).await.unwrap();
    drop(member);

    let mut again = start(&FileStore::new(folder.path()));
    let started = again.driver.call(|node, now| node.connect(again.group, &[], now)).unwrap();
    assert_eq!(started, Connecting::Started);
    again
        .event(|event| match event {
            Event::Status(status) => (status.listening && status.connected).then_some(()),
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn whoever_is_not_the_one_expected_is_not_reached() {
    let world = World::new();
    let (creator, mut member) = connected(&world, Limits::default()).await;
    let nobody = KeyId([1; 32]);
    let id = member.open(Expect::Key(nobody), creator.address());
    let failed = member.direct().await;
    assert_eq!((failed.id, failed.change), (id, ConnectionChange::Failed));
    let refusal = Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH };
    assert_eq!(failed.cause, Cause::Verdict(refusal));
    assert_eq!(failed.cause.code(), Code::PEER_E_CONNECTION_NOT_AUTHENTICATED);
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let world = World::new();
    let taken = std::net::UdpSocket::bind("[::1]:0").unwrap();
    let config =
        Config { listen: Listen::At(vec![taken.local_addr().unwrap()]), ..Config::default() };
    let (identity, chain) = &world.creator;
    let store = Arc::new(MemoryStore::new());
    let mut creator = Peer::start_with(&world, identity, chain, Limits::default(), store, config);
    creator.driver.call(|node, now| node.connect(creator.group, &[], now)).unwrap();
    let reason = creator
        .event(|event| match event {
            Event::ConnectionFailed { reason } => Some(reason),
            _ => None,
        })
        .await;
    assert_eq!(reason, Code::PEER_E_UNABLE_TO_LISTEN);
}

#[tokio::test]
async fn a_stranger_that_says_nothing_is_closed_in_time() {
    let world = World::new();
    let limits = Limits { handshake: 300_000, ..Limits::default() };
    let mut creator = Peer::start(&world, &world.creator, limits);
    creator.online(&[]).await;
    let stranger = Identity::create(None, None, now()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(stranger.pkcs8().unwrap().to_vec());
    let signing = rustls::crypto::ring::sign::any_supported_type(&key.into()).unwrap();
    let chain = vec![stranger.tls_certificate().to_vec().into()];
    let certified = rustls::sign::CertifiedKey::new(chain, signing);
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])
    .unwrap()
    .dangerous()
    .with_custom_certificate_verifier(Arc::new(Trusting))
    .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    tls.alpn_protocols = vec![b"pgrp/1".to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::client("[::1]:0".parse().unwrap()).unwrap();
    let connecting = endpoint
        .connect_with(quinn::ClientConfig::new(Arc::new(tls)), creator.address().into(), "x")
        .unwrap();
    let connection = connecting.await.unwrap();
    let end = tokio::time::timeout(PATIENCE, connection.closed()).await.unwrap();
    assert!(matches!(end, quinn::ConnectionError::ApplicationClosed(_)), "{end}");
}

#[tokio::test]
async fn a_peer_that_does_not_read_fills_a_bounded_queue() {
    let world = World::new();
    let (mut creator, mut member) = connected(&world, Limits::default()).await;
    let (here, there) = direct(&mut creator, &mut member).await;
    let message = Bytes::from(vec![5; 1 << 20]);
    let mut accepted = 0_usize;
    let full = loop {
        match member.send(here, message.clone()) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 100, "nothing stops the sender");
        tokio::task::yield_now().await;
    };
    assert_eq!(full, Error::QueueFull);
    assert!(accepted >= 8, "{accepted} MiB");
    // Read everything, and there is room again; all that was accepted arrives.
    for _ in 0..accepted {
        assert_eq!(creator.receive(there).await.len(), 1 << 20);
    }
    member.event(|event| (event == Event::Writable(here)).then_some(())).await;
    member.send(here, "again").unwrap();
    assert_eq!(creator.receive(there).await, "again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_direct_connections_at_once_do_not_mix() {
    let world = World::new();
    let (mut creator, mut member) = connected(&world, Limits::default()).await;
    let address = creator.address();
    let mut ids = BTreeMap::new();
    for number in 0..40_u32 {
        ids.insert(member.open(Expect::Key(creator.key), address), number);
    }
    for _ in 0..ids.len() {
        let connection = member.direct().await;
        assert_eq!(connection.change, ConnectionChange::Connected);
        let number = ids[&connection.id];
        for round in 0..20_u32 {
            member.send(connection.id, format!("{number} {round}")).unwrap();
        }
    }
    let mut next: BTreeMap<ConnectionId, (String, u32)> = BTreeMap::new();
    for _ in 0..40 * 20 {
        let (id, text) = creator
            .event(|event| match event {
                Event::Data { id, payload, .. } => Some((id, payload.into_bytes())),
                _ => None,
            })
            .await;
        let text = str::from_utf8(&text).unwrap();
        let (number, round) = text.split_once(' ').unwrap();
        let (first, expected) = next.entry(id).or_insert((number.to_owned(), 0));
        assert_eq!((first.as_str(), round.parse()), (number, Ok(*expected)));
        *expected += 1;
    }
    assert_eq!(next.len(), 40);
}

#[derive(Debug)]
struct Trusting;

impl rustls::client::danger::ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ED25519]
    }
}

//! Somebody who holds a member's chain but not its key: turned away, told nothing, and named in the log.

mod common;

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, OnceLock};

use common::*;
use p2p_core::{Authority, Event, Expect, GroupKey, GroupSnapshot, Object, ObjectKind};
use p2p_crypto::Keyring;
use p2p_group::{
    Bytes, Code, EventKind, FileTime, Filter, Group, GroupEvent, GroupOptions, GroupPassword,
    KeyId, Member, Refusal, Roles, Status,
};
use p2p_store::MemoryStore;
use p2p_transport::{Config, Driver, Listen, Sink, TlsIdentity};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::field::{Field, Visit};
use tracing::span;

/// Shows a chain that is somebody else's, and believes everybody.
struct Thief {
    keys: Keyring,
    stolen: Arc<Member>,
}

impl Authority for Thief {
    fn own_key(&self) -> KeyId {
        self.keys.own_key()
    }

    fn own_chain(&self, _: &KeyId) -> Option<Bytes> {
        Some(self.stolen.chain.clone())
    }

    fn session(&self, binding: &[u8; 32], group: &KeyId) -> [u8; 32] {
        self.keys.session(binding, group)
    }

    fn tag(&self, session: &[u8; 32], dialer: bool) -> [u8; 16] {
        self.keys.tag(session, dialer)
    }

    fn verify_member(
        &self,
        _: &KeyId,
        _: &[u8],
        peer: &KeyId,
        _: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        Ok(Arc::new(Member { key: *peer, ..Member::clone(&self.stolen) }))
    }

    fn verify_object(
        &self,
        group: &KeyId,
        kind: ObjectKind,
        bytes: &Bytes,
    ) -> Result<Object, Refusal> {
        self.keys.verify_object(group, kind, bytes)
    }

    fn adopt(&mut self, group: &KeyId, chain: Bytes) {
        self.keys.adopt(group, chain);
    }
}

struct Forward(Sender<Event>);

impl Sink for Forward {
    fn event(&self, _: GroupKey, event: Event) {
        self.0.try_send(event).expect("the test takes what it is told");
    }
}

/// A thief online: its driver, its key, its group, and what it is told.
fn thief(group: KeyId, stolen: &Arc<Member>) -> (Driver<Thief>, KeyId, GroupKey, Receiver<Event>) {
    let identity = p2p_crypto::Identity::create(None, Some("Mallory"), p2p_group::now()).unwrap();
    let key = identity.key_id();
    let tls = TlsIdentity::of(&identity);
    let authority = Thief { keys: Keyring::new(identity), stolen: Arc::clone(stolen) };
    let (tell, told) = channel(64);
    let driver = Driver::start(
        move |seed, now| p2p_core::Node::new(Default::default(), authority, seed, now),
        tls,
        Arc::new(MemoryStore::new()),
        Arc::new(Forward(tell)),
        Config { listen: Listen::At(vec![loopback()]), ..Config::default() },
    )
    .unwrap();
    let own = Arc::new(Member { key, ..Member::clone(stolen) });
    let opened =
        driver.call(|node, now| node.open_group(group, own, GroupSnapshot::default(), now));
    (driver, key, opened.unwrap(), told)
}

#[tokio::test]
async fn a_stolen_chain_opens_nothing_and_the_group_is_told_why() {
    let log = Log::of_this_process();
    let (ann, bob) = pair().await;
    let refusals = watch(&ann.group, Filter::of([EventKind::Refused]));
    let (driver, key, group, mut told) = thief(ann.group.key(), &bob.group.own());
    driver.call(|node, now| node.connect(group, &[ann.address()], now)).unwrap();

    let GroupEvent::Refused { peer, refusal, .. } = refusals.next().await else {
        panic!("not a refusal")
    };
    assert_eq!((peer, refusal.code), (key, Code::CRYPT_E_NO_MATCH));
    let warning = within(log.warning_about(key)).await;
    assert!(warning.contains("CRYPT_E_NO_MATCH"), "{warning}");
    // The thief learns no more than that nobody lets it in.
    while !matches!(within(told.recv()).await.unwrap(), Event::ConnectionFailed { .. }) {}
    assert_eq!(ann.group.status().unwrap(), Status { listening: true, connected: true });
}

#[tokio::test]
async fn a_direct_connection_from_an_intruder_is_seen_by_nobody() {
    Log::of_this_process();
    let (ann, bob) = pair().await;
    let everything = watch(&ann.group, Filter::of([EventKind::Direct, EventKind::Data]));
    let (driver, _, group, mut told) = thief(ann.group.key(), &bob.group.own());
    // Mallory's own group, as it were: synchronised by its own word, so that it can go online alone.
    driver.call(|node, now| node.connect(group, &[ann.address()], now)).unwrap();
    while !matches!(within(told.recv()).await.unwrap(), Event::ConnectionFailed { .. }) {}
    let offline = driver
        .call(|node, now| node.open_direct(group, Expect::Key(ann.key()), ann.address(), now));
    assert!(offline.is_err(), "the thief did not even get online");
    everything.quiet().await;
    // The group's own life goes on.
    let id = bob.open(&ann);
    assert!(everything.any_connected().await != id);
}

#[tokio::test]
async fn who_guesses_passwords_is_named_in_the_log_of_both_sides() {
    let log = Log::of_this_process();
    let password = Some(GroupPassword::new("correct horse", Roles::MEMBER));
    let options = GroupOptions { password, ..GroupOptions::from("Friends") };
    let (ann, eve) = (node("Ann"), node("Eve"));
    let group = Group::create(&ann, options).unwrap();
    within(group.connect_and_wait()).await.unwrap();
    let invitation = group.invite_by_password().unwrap();
    let guessing = within(Group::join_by_password(&eve, &invitation, "correct h0rse")).await;
    assert!(within(guessing.unwrap().connect_and_wait()).await.is_err());
    let at_ann = within(log.warning_about(eve.identity().key())).await;
    assert!(at_ann.contains("did not show that it knows the password"), "{at_ann}");
    let at_eve = within(log.warning_about(ann.identity().key())).await;
    assert!(at_eve.contains("does not know the password by which we join"), "{at_eve}");
}

/// The warnings of this crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

/// One for all tests: they may run side by side, and a subscriber of one thread alone can miss what it should hear.
static LOG: OnceLock<Log> = OnceLock::new();

impl Log {
    fn of_this_process() -> &'static Log {
        LOG.get_or_init(|| {
            let log = Log::default();
            tracing::subscriber::set_global_default(log.clone()).unwrap();
            log
        })
    }

    async fn warning_about(&self, key: KeyId) -> String {
        let key = key.authority_hex();
        loop {
            let about = |line: &&String| line.contains(&key);
            if let Some(line) = self.0.lock().unwrap().iter().find(about) {
                return line.clone();
            }
            tokio::task::yield_now().await;
        }
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().starts_with("p2p_group")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

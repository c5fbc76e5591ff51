//! Joining by password over real connections, with real certificates and SPAKE2+.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use p2p_core::{
    Address, Code, Event, FileTime, GroupKey, GroupSnapshot, KeyId, Member, Node, ObjectKind, Roles,
};
use p2p_crypto::{
    GroupIdentity, GroupProperties, Identity, Keyring, PasswordInvitation, PasswordRequest,
    PasswordSecret, PasswordVerifier, Schemes, verify_chain,
};
use p2p_store::{MemoryStore, Store};
use p2p_transport::{Config, Driver, Listen, Sink, TlsIdentity};
use tokio::sync::Notify;

/// Nothing on one machine takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

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

struct Peer {
    driver: Driver<Keyring>,
    group: GroupKey,
    events: Arc<Events>,
    store: Arc<MemoryStore>,
}

impl Peer {
    fn start(keyring: Keyring, own: Member, group: KeyId, snapshot: GroupSnapshot) -> Peer {
        let tls = TlsIdentity::of(keyring.identity());
        let store = Arc::new(MemoryStore::new());
        let events = Arc::<Events>::default();
        let node = |seed, now| Node::new(p2p_core::Config::default(), keyring, seed, now);
        let config =
            Config { listen: Listen::At(vec!["[::1]:0".parse().unwrap()]), ..Config::default() };
        let sink = Arc::clone(&events) as Arc<dyn Sink>;
        let kept = Arc::clone(&store) as Arc<dyn Store>;
        let driver = Driver::start(node, tls, kept, sink, config).unwrap();
        let group = driver
            .call(|node, now| node.open_group(group, Arc::new(own), snapshot, now))
            .expect("the group opens");
        Peer { driver, group, events, store }
    }

    async fn event<R>(&self, pick: impl Fn(&Event) -> Option<R>) -> R {
        let search = async {
            loop {
                let changed = self.events.changed.notified();
                if let Some(found) = self.events.queue.lock().unwrap().iter().find_map(&pick) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| {
            panic!("no such event in time: {:#?}", self.events.queue.lock().unwrap());
        })
    }

    async fn connect(&self, at: &[Address]) {
        self.driver.call(|node, now| node.connect(self.group, at, now)).unwrap();
        let alone = at.is_empty();
        let fits = |e: &Event| match e {
            Event::Status(s) => (s.listening && (alone || s.connected)).then_some(()),
            _ => None,
        };
        self.event(fits).await;
    }
}

struct World {
    group: GroupIdentity,
    invitation: PasswordInvitation,
    creator: Peer,
    address: Address,
}

/// A creator whose group has a password, online.
async fn world() -> World {
    let ada = Identity::create(None, Some("Ada"), now()).unwrap();
    let group = GroupIdentity::create(Some("chess"), Some("Chess club"), now()).unwrap();
    let id = group.key_id();
    let chain = group.issue_creator(&ada.info(), now()).unwrap();
    let verifier = PasswordVerifier::create(&id, "correct horse").unwrap();
    let properties = GroupProperties {
        schemes: Schemes::BOTH,
        password_role: Some(Roles::MEMBER),
        password_verifier: Some(Bytes::copy_from_slice(&verifier.to_bytes())),
        ..GroupProperties::new("Chess club", ada.key_id(), ada.name().clone())
    };
    let properties = group.sign_properties(&properties).unwrap();
    let (parameters, role) = (verifier.parameters(), Roles::MEMBER);
    let request = PasswordRequest { parameters, role, hints: &[], now: now() };
    let invitation = PasswordInvitation::issue(&ada, &chain, &request).unwrap();
    let own = verify_chain(&id, &chain, &ada.key_id(), &now()).unwrap();
    let mut keyring = Keyring::new(ada);
    keyring.insert(id, chain);
    let objects = vec![(ObjectKind::Properties, properties)];
    let snapshot = GroupSnapshot { synchronised: true, objects, ..GroupSnapshot::default() };
    let creator = Peer::start(keyring, own, id, snapshot);
    creator.connect(&[]).await;
    let address = creator.driver.call(|node, _| node.listening()[0]);
    World { group, invitation, creator, address }
}

/// Somebody who read the invitation and has this password; and its key.
fn joiner(world: &World, password: &str) -> (Peer, KeyId) {
    let text = world.invitation.to_line();
    let invitation = PasswordInvitation::parse(&text).unwrap();
    invitation.check_at(now()).unwrap();
    let id = invitation.group();
    let bob = Identity::create(None, Some("Bob"), now()).unwrap();
    let key = bob.key_id();
    let own = invitation.candidate(&bob.info());
    let secret = PasswordSecret::stretch(&id, password, invitation.parameters()).unwrap();
    let mut keyring = Keyring::new(bob);
    keyring.insert_password(id, secret);
    (Peer::start(keyring, own, id, GroupSnapshot::default()), key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knows_the_password_is_a_member_from_then_on() {
    let world = world().await;
    let (bob, key) = joiner(&world, "correct horse");
    bob.connect(&[world.address]).await;
    let renewed = |e: &Event| match e {
        Event::Renewed { member } => Some(member.clone()),
        _ => None,
    };
    let member = bob.event(renewed).await;
    assert_eq!((member.key, member.roles, member.depth), (key, Roles::MEMBER, 2));
    assert_eq!((&*member.friendly_name, &*member.issuer_friendly_name), ("Bob", "Ada"));
    let id = world.group.key_id();
    assert!(verify_chain(&id, &member.chain, &key, &now()).is_ok());
    let met = |e: &Event| match e {
        Event::Member { member, .. } if member.key == key => Some(()),
        _ => None,
    };
    world.creator.event(met).await;
    // The chain is stored, the password forgotten, and the properties have come along.
    assert!(bob.driver.call(|node, _| node.synchronised(bob.group)).unwrap());
    let awaited = |node: &mut Node<Keyring>| {
        p2p_core::Authority::awaits_password(node.authority(), &world.group.key_id())
    };
    assert!(!bob.driver.call(|node, _| awaited(node)));
    assert!(bob.driver.call(|node, _| node.properties(bob.group)).unwrap().is_some());
    assert_eq!(bob.store.load(&id).unwrap().objects.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_know_it_stays_outside() {
    let world = world().await;
    let (eve, key) = joiner(&world, "correct h0rse");
    eve.driver.call(|node, now| node.connect(eve.group, &[world.address], now)).unwrap();
    let failed = |e: &Event| match e {
        Event::ConnectionFailed { reason } => Some(*reason),
        _ => None,
    };
    assert_eq!(eve.event(failed).await, Code::PEER_E_NOT_AUTHORIZED);
    let rejected = |e: &Event| matches!(e, Event::PasswordRejected { .. }).then_some(());
    eve.event(rejected).await;
    let guessed = |e: &Event| match e {
        Event::PasswordFailed { peer, .. } => Some(*peer),
        _ => None,
    };
    assert_eq!(world.creator.event(guessed).await, key);
}

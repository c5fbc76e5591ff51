//! Somebody who has seen an invitation that was meant for another, and forges a membership out of it.
//!
//! The real transport, the real core, real certificates on the wire; only the authority is permissive: it shows a chain
//! that nobody signed and believes everybody.

use std::io::BufRead;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use p2p_core::{
    Address, Authority, Config as NodeConfig, Event, Expect, FileTime, GroupKey, GroupSnapshot,
    KeyId, Member, Node, Object, ObjectKind, Refusal, Roles, Step,
};
use p2p_crypto::{Identity, Invitation, Keyring};
use p2p_store::MemoryStore;
use p2p_transport::{Config, Driver, Listen, Sink, TlsIdentity};

/// Long enough for any answer on one machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Permissive {
    keys: Keyring,
    identity: Identity,
    chain: Bytes,
}

impl Authority for Permissive {
    fn own_key(&self) -> KeyId {
        self.identity.key_id()
    }

    fn own_chain(&self, _: &KeyId) -> Option<Bytes> {
        Some(self.chain.clone())
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
        chain: &[u8],
        peer: &KeyId,
        _: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        Ok(Arc::new(somebody(*peer, Bytes::copy_from_slice(chain))))
    }

    fn verify_object(
        &self,
        group: &KeyId,
        kind: ObjectKind,
        bytes: &Bytes,
    ) -> Result<Object, Refusal> {
        self.keys.verify_object(group, kind, bytes)
    }

    fn adopt(&mut self, _: &KeyId, chain: Bytes) {
        self.chain = chain;
    }
}

fn somebody(key: KeyId, chain: Bytes) -> Member {
    Member {
        key,
        name: format!("{key}."),
        friendly_name: "mallory".to_owned(),
        issuer_name: String::new(),
        issuer_friendly_name: String::new(),
        roles: Roles::MEMBER,
        depth: 2,
        not_before: FileTime(0),
        not_after: FileTime::NO_END,
        chain,
        path: Arc::new([Step { key, serial: [0; 16] }]),
    }
}

struct Events(mpsc::Sender<Event>);

impl Sink for Events {
    fn event(&self, _: GroupKey, event: Event) {
        // Nobody listens any longer once the story is told.
        let _ = self.0.send(event);
    }
}

/// Puts our key and our name where the invited member's stand. The signature then covers other bytes.
fn forge(invitation: &Invitation, own: &Identity) -> Option<Bytes> {
    let mut chain = invitation.chain().to_vec();
    let victim = invitation.member();
    swap(&mut chain, invitation.subject_public_key(), &own.info().public_key)?;
    swap(
        &mut chain,
        victim.key.authority_hex().as_bytes(),
        own.key_id().authority_hex().as_bytes(),
    )?;
    Some(chain.into())
}

/// Replaces every occurrence; `None` if there is none or the lengths differ.
fn swap(bytes: &mut [u8], from: &[u8], to: &[u8]) -> Option<()> {
    let mut found = None;
    for at in 0..bytes.len().checked_sub(from.len())? + 1 {
        if from.len() == to.len() && bytes[at..at + from.len()] == *from {
            bytes[at..at + to.len()].copy_from_slice(to);
            found = Some(());
        }
    }
    found
}

pub(crate) fn run() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
    let line =
        std::io::stdin().lock().lines().next().ok_or("no command")?.map_err(|e| e.to_string())?;
    let [_, invitation, address] = line.split('\t').collect::<Vec<_>>()[..] else {
        return Err("attack <invitation> <address>".to_owned());
    };
    let invitation = Invitation::parse(invitation).map_err(|e| e.to_string())?;
    let address: std::net::SocketAddr =
        address.parse().map_err(|_| "that is not an address".to_owned())?;
    let identity = Identity::create(None, Some("mallory"), now()).map_err(|e| e.to_string())?;
    println!("ok\tkey={}", identity.key_id());
    let chain = forge(&invitation, &identity).ok_or("the invitation cannot be forged")?;
    let victim = (invitation.member().key, address.into());
    let outcome = attack(&runtime, identity, chain, invitation.group(), victim)?;
    println!("event\tattack\t{outcome}");
    Ok(())
}

fn attack(
    runtime: &tokio::runtime::Runtime,
    identity: Identity,
    chain: Bytes,
    group: KeyId,
    victim: (KeyId, Address),
) -> Result<String, String> {
    let (sender, events) = mpsc::channel();
    let tls = TlsIdentity::of(&identity);
    let own = identity.key_id();
    let authority =
        Permissive { keys: Keyring::new(identity.clone()), identity, chain: chain.clone() };
    let config = Config {
        listen: Listen::At(vec!["[::1]:0".parse().map_err(|_| "no loopback")?]),
        runtime: Some(runtime.handle().clone().into()),
        ..Config::default()
    };
    let node = |seed, now| Node::new(NodeConfig::default(), authority, seed, now);
    let driver =
        Driver::start(node, tls, Arc::new(MemoryStore::new()), Arc::new(Events(sender)), config)
            .map_err(|e| e.to_string())?;
    // It claims to have been a member for long, so that it is "online" without anybody's welcome.
    let snapshot = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
    let key = driver
        .call(|node, now| node.open_group(group, Arc::new(somebody(own, chain)), snapshot, now))
        .map_err(|e| e.to_string())?;
    driver.call(|node, now| node.connect(key, &[], now)).map_err(|e| e.to_string())?;
    let mut outcome = Err("nothing happened".to_owned());
    let deadline = std::time::Instant::now() + PATIENCE;
    while let Ok(event) =
        events.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now()))
    {
        match event {
            Event::Status(status) if status.listening => {
                driver
                    .call(|node, now| node.open_direct(key, Expect::Key(victim.0), victim.1, now))
                    .map_err(|e| e.to_string())?;
            }
            Event::Direct(direct) => {
                outcome = Ok(format!("change={:?}\tcode={}", direct.change, direct.cause.code()));
                break;
            }
            _ => {}
        }
    }
    runtime.block_on(driver.shutdown());
    outcome
}

fn now() -> FileTime {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix(since.as_secs().try_into().unwrap_or(i64::MAX))
}

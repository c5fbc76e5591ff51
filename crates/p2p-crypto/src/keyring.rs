//! What a node needs of cryptography: `p2p-core`'s seam, implemented with certificates.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Authority, FileTime, KeyId, Member, Object, ObjectKind, Refusal, Roles};
use ring::hmac::{HMAC_SHA256, Key, sign};
use zeroize::Zeroizing;

use crate::chain::verify_chain;
use crate::identity::{Identity, IdentityInfo};
use crate::object::verify_object;
use crate::password::{
    ExchangeBinding, PasswordJoiner, PasswordMember, PasswordSecret, PasswordVerifier,
    issue_by_password,
};
use crate::refusal::Cause;

/// One identity, its membership chains, and the passwords by which it is to join: the [`Authority`] of a node.
pub struct Keyring {
    identity: Identity,
    chains: BTreeMap<KeyId, Bytes>,
    passwords: BTreeMap<KeyId, PasswordSecret>,
    exchanges: BTreeMap<u64, Exchange>,
}

/// How far an exchange of passwords has come.
enum Exchange {
    Joining(PasswordJoiner),
    Answered(PasswordMember, KeyId),
    Admitting(Box<IdentityInfo>, KeyId),
}

impl Keyring {
    /// An identity that is a member of nothing yet.
    pub fn new(identity: Identity) -> Keyring {
        Keyring {
            identity,
            chains: BTreeMap::new(),
            passwords: BTreeMap::new(),
            exchanges: BTreeMap::new(),
        }
    }

    /// Adds or replaces the chain to be shown in `group`. It is not checked here: whoever took it in did that, and
    /// every peer does.
    pub fn insert(&mut self, group: KeyId, chain: Bytes) {
        self.chains.insert(group, chain);
    }

    /// With this `group` is to be joined: the secret is wiped as soon as there is a chain.
    pub fn insert_password(&mut self, group: KeyId, secret: PasswordSecret) {
        self.passwords.insert(group, secret);
    }

    /// Forgets the chain of `group`, and its password.
    pub fn remove(&mut self, group: &KeyId) {
        self.chains.remove(group);
        self.passwords.remove(group);
    }

    /// The identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Authority for Keyring {
    fn own_key(&self) -> KeyId {
        self.identity.key_id()
    }

    fn own_chain(&self, group: &KeyId) -> Option<Bytes> {
        self.chains.get(group).cloned()
    }

    fn session(&self, binding: &[u8; 32], group: &KeyId) -> [u8; 32] {
        hmac(binding, &group.0)
    }

    fn tag(&self, session: &[u8; 32], dialer: bool) -> [u8; 16] {
        let whole = hmac(session, if dialer { b"pgrp1/dialer" } else { b"pgrp1/acceptor" });
        let mut tag = [0; 16];
        tag.copy_from_slice(&whole[..16]);
        tag
    }

    fn verify_member(
        &self,
        group: &KeyId,
        chain: &[u8],
        peer: &KeyId,
        at: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        verify_chain(group, chain, peer, at).map(Arc::new)
    }

    fn verify_object(
        &self,
        group: &KeyId,
        kind: ObjectKind,
        bytes: &Bytes,
    ) -> Result<Object, Refusal> {
        verify_object(group, kind, bytes)
    }

    fn adopt(&mut self, group: &KeyId, chain: Bytes) {
        self.insert(*group, chain);
        self.passwords.remove(group);
    }

    fn awaits_password(&self, group: &KeyId) -> bool {
        self.passwords.contains_key(group)
    }

    fn password_start(
        &mut self,
        exchange: u64,
        group: &KeyId,
        session: &[u8; 32],
        peer: &KeyId,
        entropy: [u8; 32],
    ) -> Option<Bytes> {
        let entropy = Zeroizing::new(entropy);
        let secret = self.passwords.get(group)?;
        let joiner = &self.identity.key_id();
        let binding = ExchangeBinding { session, group, joiner, member: peer };
        let started = PasswordJoiner::start(secret, &binding, &self.identity, &entropy);
        let (joiner, first) = started.ok()?;
        self.exchanges.insert(exchange, Exchange::Joining(joiner));
        Some(first)
    }

    fn password_answer(
        &mut self,
        exchange: u64,
        group: Option<(&KeyId, &[u8])>,
        session: &[u8; 32],
        peer: &KeyId,
        first: &[u8],
        entropy: [u8; 32],
    ) -> Result<Bytes, Refusal> {
        let entropy = Zeroizing::new(entropy);
        // What is no verifier knows no password.
        let verifier = group.and_then(|(_, bytes)| PasswordVerifier::from_bytes(bytes).ok());
        let group = group.map_or(KeyId([0; 32]), |(group, _)| *group);
        let member = &self.identity.key_id();
        let binding = ExchangeBinding { session, group: &group, joiner: peer, member };
        let (member, answer) =
            PasswordMember::answer(verifier.as_ref(), &binding, first, &entropy)?;
        self.exchanges.insert(exchange, Exchange::Answered(member, group));
        Ok(answer)
    }

    fn password_confirm(&mut self, exchange: u64, answer: &[u8]) -> Result<Bytes, Refusal> {
        match self.exchanges.remove(&exchange) {
            Some(Exchange::Joining(joiner)) => joiner.confirm(answer),
            _ => Err(Cause::WrongPassword.refusal()),
        }
    }

    fn password_check(&mut self, exchange: u64, confirmation: &[u8]) -> Result<(), Refusal> {
        let Some(Exchange::Answered(member, group)) = self.exchanges.remove(&exchange) else {
            return Err(Cause::WrongPassword.refusal());
        };
        let joiner = Box::new(member.check(confirmation)?);
        self.exchanges.insert(exchange, Exchange::Admitting(joiner, group));
        Ok(())
    }

    fn password_issue(
        &mut self,
        exchange: u64,
        role: Roles,
        at: &FileTime,
    ) -> Result<Bytes, Refusal> {
        let Some(Exchange::Admitting(joiner, group)) = self.exchanges.get(&exchange) else {
            return Err(Cause::WrongPassword.refusal());
        };
        let chain = self.chains.get(group).ok_or(Cause::RoleNotDelegable)?;
        let issued = issue_by_password(&self.identity, chain, joiner, role, *at);
        issued.map_err(|error| error.refusal().unwrap_or(Cause::RoleNotDelegable.refusal()))
    }

    fn password_end(&mut self, exchange: u64) {
        self.exchanges.remove(&exchange);
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("identity", &self.identity)
            .field("groups", &self.chains.keys())
            .field("pending", &self.passwords.keys())
            .finish()
    }
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    sign(&Key::new(HMAC_SHA256, key), message).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

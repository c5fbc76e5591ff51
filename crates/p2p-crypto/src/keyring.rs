//! What a node needs of cryptography: `p2p-core`'s seam, implemented with certificates.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Authority, FileTime, KeyId, Member, Object, ObjectKind, Refusal};
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::chain::verify_chain;
use crate::identity::Identity;
use crate::object::verify_object;

/// One identity and its membership chains: the [`Authority`] of a node.
#[derive(Clone)]
pub struct Keyring {
    identity: Identity,
    chains: BTreeMap<KeyId, Bytes>,
}

impl Keyring {
    /// An identity that is a member of nothing yet.
    pub fn new(identity: Identity) -> Keyring {
        Keyring { identity, chains: BTreeMap::new() }
    }

    /// Adds or replaces the chain to be shown in `group`. It is not checked here: whoever took it in did that, and
    /// every peer does.
    pub fn insert(&mut self, group: KeyId, chain: Bytes) {
        self.chains.insert(group, chain);
    }

    /// Forgets the chain of `group`.
    pub fn remove(&mut self, group: &KeyId) {
        self.chains.remove(group);
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
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("identity", &self.identity)
            .field("groups", &self.chains.keys())
            .finish()
    }
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    sign(&Key::new(HMAC_SHA256, key), message).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

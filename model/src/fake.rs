//! An authority without cryptography: a key is one byte, a chain is who and where.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Authority, Code, FileTime, KeyId, Member, Object, ObjectKind, Refusal, Roles};

/// The group of every world.
pub(crate) const GROUP: KeyId = KeyId([0x99; 32]);
/// When every world begins.
pub(crate) const GENESIS: FileTime =
    FileTime(FileTime::UNIX_EPOCH.0 + 1_795_000_000 * FileTime::SECOND);

/// The key of a machine.
pub(crate) fn key(machine: usize) -> KeyId {
    KeyId([machine as u8 + 1; 32])
}

/// Everybody who says that he is a member of the group is one, unless he is a stranger.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) own: KeyId,
    /// Its chain is turned down by everybody else.
    pub(crate) stranger: bool,
}

impl Fake {
    fn chain(&self) -> Bytes {
        Bytes::copy_from_slice(&[GROUP.0[0], self.own.0[0], u8::from(!self.stranger)])
    }

    pub(crate) fn member(&self) -> Arc<Member> {
        member(self.own, self.chain())
    }
}

fn member(key: KeyId, chain: Bytes) -> Arc<Member> {
    Arc::new(Member {
        key,
        name: String::new(),
        friendly_name: String::new(),
        issuer_name: String::new(),
        issuer_friendly_name: String::new(),
        roles: Roles::MEMBER,
        depth: 1,
        not_before: GENESIS,
        not_after: FileTime::NO_END,
        path: Arc::from([]),
        chain,
    })
}

impl Authority for Fake {
    fn own_key(&self) -> KeyId {
        self.own
    }

    fn own_chain(&self, group: &KeyId) -> Option<Bytes> {
        (*group == GROUP).then(|| self.chain())
    }

    fn session(&self, binding: &[u8; 32], group: &KeyId) -> [u8; 32] {
        let mut session = *binding;
        session[0] ^= group.0[0];
        session
    }

    fn tag(&self, session: &[u8; 32], dialer: bool) -> [u8; 16] {
        let mut tag = [u8::from(dialer); 16];
        tag[1..].copy_from_slice(&session[..15]);
        tag
    }

    fn verify_member(
        &self,
        group: &KeyId,
        chain: &[u8],
        peer: &KeyId,
        _: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        if chain == [group.0[0], peer.0[0], 1] {
            return Ok(member(*peer, Bytes::copy_from_slice(chain)));
        }
        Err(no())
    }

    fn verify_object(&self, _: &KeyId, _: ObjectKind, _: &Bytes) -> Result<Object, Refusal> {
        Err(no())
    }

    fn adopt(&mut self, _: &KeyId, _: Bytes) {}
}

fn no() -> Refusal {
    Refusal { code: Code::CRYPT_E_HASH_VALUE, detail: Code::CERT_E_UNTRUSTEDROOT }
}

//! The authority of these examples, and who and where everybody is.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Address, Authority, Code, FileTime, KeyId, Member, Object, ObjectKind, Refusal, Roles, Step,
};

pub(crate) const GROUP: KeyId = KeyId([9; 32]);

/// Who may: here everybody who names the group and himself. `p2p-crypto` asks for certificates.
pub(crate) struct Trusting(pub(crate) KeyId);

impl Authority for Trusting {
    fn own_key(&self) -> KeyId {
        self.0
    }

    fn own_chain(&self, group: &KeyId) -> Option<Bytes> {
        Some([group.0, self.0.0].concat().into())
    }

    fn session(&self, binding: &[u8; 32], group: &KeyId) -> [u8; 32] {
        std::array::from_fn(|i| binding[i] ^ group.0[i])
    }

    fn tag(&self, session: &[u8; 32], dialer: bool) -> [u8; 16] {
        std::array::from_fn(|i| session[i] ^ u8::from(dialer))
    }

    fn verify_member(
        &self,
        group: &KeyId,
        chain: &[u8],
        peer: &KeyId,
        _at: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        if chain == [group.0, peer.0].concat() {
            return Ok(member(*peer));
        }
        Err(Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH })
    }

    /// Where nobody signs, nothing that is signed can be right.
    fn verify_object(&self, _: &KeyId, _: ObjectKind, _: &Bytes) -> Result<Object, Refusal> {
        Err(Refusal { code: Code::CRYPT_E_NO_SIGNER, detail: Code::TRUST_E_NOSIGNATURE })
    }

    /// Never asked for: a membership is renewed by an object.
    fn adopt(&mut self, _: &KeyId, _: Bytes) {}
}

pub(crate) fn member(key: KeyId) -> Arc<Member> {
    Arc::new(Member {
        key,
        name: key.to_string(),
        friendly_name: String::new(),
        issuer_name: String::new(),
        issuer_friendly_name: String::new(),
        roles: Roles::MEMBER,
        depth: 1,
        not_before: FileTime(0),
        not_after: FileTime::NO_END,
        chain: [GROUP.0, key.0].concat().into(),
        path: Arc::new([Step { key, serial: [0; 16] }]),
    })
}

pub(crate) fn address(n: u8) -> Address {
    Address { ip: std::net::Ipv6Addr::LOCALHOST, port: u16::from(n), scope: 0 }
}

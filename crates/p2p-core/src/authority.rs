//! The one seam of the core: who is a member, and what ties a stream to a group.
//!
//! `p2p-crypto` implements [`Authority`] with certificates; tests, fuzzers and simulators use a small fake.

use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;

use crate::code::Code;
use crate::id::{Guid, KeyId};
use crate::object::{Object, ObjectKind, Step};
use crate::time::FileTime;

/// What a node asks of cryptography. All calls are pure: the same arguments give the same answer until the
/// implementation itself was changed through `Node::authority_mut` or by `&mut` here.
pub trait Authority {
    /// This node's own identity.
    fn own_key(&self) -> KeyId;

    /// This identity's membership chain in `group`, to be shown to a peer; `None` if there is none.
    fn own_chain(&self, group: &KeyId) -> Option<Bytes>;

    /// The session id of `group` on a connection: HMAC-SHA256 (RFC 2104) with the connection's exporter value
    /// `binding` (RFC 8446 §7.5) as the key, over the group's key id.
    fn session(&self, binding: &[u8; 32], group: &KeyId) -> [u8; 32];

    /// The tag that ties a stream to its group: the first 16 bytes of HMAC-SHA256 with `session` as the key, over
    /// `pgrp1/dialer` or `pgrp1/acceptor`, by who dialled the QUIC connection.
    fn tag(&self, session: &[u8; 32], dialer: bool) -> [u8; 16];

    /// Whether `chain` makes `peer` a member of `group` at `at`.
    ///
    /// # Errors
    /// The first rule that the chain breaks.
    fn verify_member(
        &self,
        group: &KeyId,
        chain: &[u8],
        peer: &KeyId,
        at: &FileTime,
    ) -> Result<Arc<Member>, Refusal>;

    /// Whether `bytes` are an object of `group` whose signatures are right. Neither the time nor what was revoked is asked
    /// here, so the answer is the same for every node and for ever.
    ///
    /// # Errors
    /// The first rule that it breaks.
    fn verify_object(
        &self,
        group: &KeyId,
        kind: ObjectKind,
        bytes: &Bytes,
    ) -> Result<Object, Refusal>;

    /// From now on `chain` is this identity's own in `group`. If it was to be gained by a password, that is forgotten.
    fn adopt(&mut self, group: &KeyId, chain: Bytes);

    /// Whether this identity is to join `group` by a password that is known here. An authority without passwords leaves
    /// this and what follows as it is.
    fn awaits_password(&self, _group: &KeyId) -> bool {
        false
    }

    /// Joining: begins an exchange with `peer` on the connection of `session`, and gives its first message; `None` if
    /// there is no password for `group`. What is secret of an exchange is kept here, under the number that the node
    /// gives, until [`password_end`](Self::password_end). `entropy` is random and used for nothing else.
    fn password_start(
        &mut self,
        _exchange: u64,
        _group: &KeyId,
        _session: &[u8; 32],
        _peer: &KeyId,
        _entropy: [u8; 32],
    ) -> Option<Bytes> {
        None
    }

    /// Admitting: answers the first message of `peer`. `group` and what its properties say of its password; `None` for a
    /// group that is not here or has none: that is answered too, by something that cannot be told from an answer.
    ///
    /// # Errors
    /// The message is none that a joiner sends; this does not depend on `group`. Nothing is kept then.
    fn password_answer(
        &mut self,
        _exchange: u64,
        _group: Option<(&KeyId, &[u8])>,
        _session: &[u8; 32],
        _peer: &KeyId,
        _first: &[u8],
        _entropy: [u8; 32],
    ) -> Result<Bytes, Refusal> {
        Err(WRONG_PASSWORD)
    }

    /// Joining: judges the answer, and gives the message with which the joiner shows that he knows the password, and who
    /// he is.
    ///
    /// # Errors
    /// The one who answered has another password.
    fn password_confirm(&mut self, _exchange: u64, _answer: &[u8]) -> Result<Bytes, Refusal> {
        Err(WRONG_PASSWORD)
    }

    /// Admitting: judges that message.
    ///
    /// # Errors
    /// The joiner has another password, or is not who he says.
    fn password_check(&mut self, _exchange: u64, _confirmation: &[u8]) -> Result<(), Refusal> {
        Err(WRONG_PASSWORD)
    }

    /// Admitting: the chain of the joiner, with `role`, if this identity may issue it at `at`. Only after
    /// [`password_check`](Self::password_check).
    ///
    /// # Errors
    /// It may not.
    fn password_issue(
        &mut self,
        _exchange: u64,
        _role: Roles,
        _at: &FileTime,
    ) -> Result<Bytes, Refusal> {
        Err(WRONG_PASSWORD)
    }

    /// An exchange is over, whichever way: what is kept of it is wiped.
    fn password_end(&mut self, _exchange: u64) {}
}

/// The password is another, or there is none.
const WRONG_PASSWORD: Refusal = Refusal { code: Code::CRYPT_E_BAD_MSG, detail: Code::NTE_BAD_DATA };

/// A member of a group, as its verified chain shows it.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Member {
    /// The identity.
    pub key: KeyId,
    /// Peer name: authority, dot, classifier; at most 190 UTF-16 units.
    pub name: String,
    /// Name for people, chosen by the member; at most 255 UTF-16 units. Not verified by anybody.
    pub friendly_name: String,
    /// Peer name of who issued the membership.
    pub issuer_name: String,
    /// Friendly name of who issued it.
    pub issuer_friendly_name: String,
    /// What the member may do.
    pub roles: Roles,
    /// Position in the chain: the creator is 1, whom the creator invited is 2, and so on up to 24.
    pub depth: u8,
    /// Start of the membership.
    pub not_before: FileTime,
    /// Its end; no certificate above it ends earlier.
    pub not_after: FileTime,
    /// The chain itself, as received.
    pub chain: Bytes,
    /// The certificates of the chain below its root: the creator's first, the member's own last; `depth` of them.
    pub path: Arc<[Step]>,
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Roles(u8);

impl Roles {
    /// May invite in every role, and change what others published.
    pub const ADMIN: Roles = Roles(4);
    /// May invite inviting and plain members.
    pub const INVITING_MEMBER: Roles = Roles(2);
    /// May connect, send and publish.
    pub const MEMBER: Roles = Roles(1);

    /// The three roles with their identifiers in `p2p.h`, highest first.
    pub const GUIDS: [(Roles, Guid); 3] = [
        (Roles::ADMIN, Guid::from_u128(0x04387127_aa56_450a_8ce5_4f565c6790f4)),
        (Roles::INVITING_MEMBER, Guid::from_u128(0x4370fd89_dc18_4cfb_8dbf_9853a8a9f905)),
        (Roles::MEMBER, Guid::from_u128(0xf12dc4c7_0857_4ca0_93fc_b1bb19a3d8c2)),
    ];

    /// No role at all.
    pub const fn empty() -> Roles {
        Roles(0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every role of `other` is in this set.
    pub const fn contains(self, other: Roles) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Roles) -> Roles {
        Roles(self.0 | other.0)
    }

    /// The roles that a holder of this set may grant.
    pub const fn grantable(self) -> Roles {
        match self.0 {
            4.. => Roles(7),
            2..=3 => Roles(3),
            _ => Roles(0),
        }
    }

    /// The role with this identifier, if it is one.
    pub fn from_guid(guid: Guid) -> Option<Roles> {
        Roles::GUIDS.iter().find(|row| row.1 == guid).map(|row| row.0)
    }

    /// The identifiers of the roles in this set, highest first.
    pub fn guids(self) -> impl Iterator<Item = Guid> {
        Roles::GUIDS.into_iter().filter(move |row| self.contains(row.0)).map(|row| row.1)
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Roles::ADMIN, "admin"),
            (Roles::INVITING_MEMBER, "inviting member"),
            (Roles::MEMBER, "member"),
        ];
        f.debug_set()
            .entries(names.iter().filter(|row| self.contains(row.0)).map(|row| row.1))
            .finish()
    }
}

/// Why a peer, a chain or an invitation was turned down: two codes, one of the message's own kind and one finer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Refusal {
    /// Always a `CRYPT_E_*` code.
    pub code: Code,
    /// The closest of `CERT_E_*`, `TRUST_E_*`, `NTE_*`.
    pub detail: Code,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.code, self.code.meaning(), self.detail)
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_grant_what_stands_below_them() {
        assert!(Roles::ADMIN.grantable().contains(Roles::ADMIN));
        assert!(!Roles::INVITING_MEMBER.grantable().contains(Roles::ADMIN));
        assert!(Roles::INVITING_MEMBER.grantable().contains(Roles::INVITING_MEMBER));
        assert!(Roles::MEMBER.grantable().is_empty());
    }

    #[test]
    fn roles_and_their_identifiers_translate_both_ways() {
        for (role, guid) in Roles::GUIDS {
            assert_eq!(Roles::from_guid(guid), Some(role));
            assert!(role.guids().eq([guid]));
        }
        assert_eq!(Roles::from_guid(Guid::default()), None);
    }
}

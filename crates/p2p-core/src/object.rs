//! What a group keeps besides its members' presence: revocations, properties, credentials.
//!
//! Each object is signed by itself, so it does not matter who passes it on: every node checks what it takes in, keeps it,
//! and hands it to whoever lacks it.

use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;

use crate::authority::{Member, Roles};
use crate::id::KeyId;
use crate::time::FileTime;

/// Largest object in bytes: a chain of 32,000, and what is said with it.
pub const OBJECT_MAX: usize = 33 << 10;

/// The identity of an object: SHA-256 over its kind's number (one byte) and its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 32]);

impl fmt::Debug for ObjectId {
    /// The first four bytes, enough to tell objects apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "ObjectId({a:02x}{b:02x}{c:02x}{d:02x})")
    }
}

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum ObjectKind {
    /// Takes a membership back.
    Revocation,
    /// The group's properties, signed by the group's own key.
    Properties,
    /// A membership issued to somebody who is not there to take it.
    Credential,
}

impl ObjectKind {
    /// All kinds.
    pub const ALL: [ObjectKind; 3] =
        [ObjectKind::Revocation, ObjectKind::Properties, ObjectKind::Credential];

    /// The number on the wire and in stores.
    pub const fn number(self) -> u8 {
        match self {
            ObjectKind::Revocation => 1,
            ObjectKind::Properties => 2,
            ObjectKind::Credential => 3,
        }
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<ObjectKind> {
        ObjectKind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// One certificate of a membership chain: whose, and which.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Step {
    /// The member.
    pub key: KeyId,
    /// The certificate's serial number.
    pub serial: [u8; 16],
}

/// An object whose signatures are right.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the types say what they are")]
pub enum Object {
    Revocation(Arc<Revocation>),
    Properties(Arc<Properties>),
    Credential(Arc<Credential>),
}

impl Object {
    /// Its identity.
    pub fn id(&self) -> ObjectId {
        match self {
            Object::Revocation(revocation) => revocation.id,
            Object::Properties(properties) => properties.id,
            Object::Credential(credential) => credential.id,
        }
    }

    /// What it is.
    pub fn kind(&self) -> ObjectKind {
        match self {
            Object::Revocation(_) => ObjectKind::Revocation,
            Object::Properties(_) => ObjectKind::Properties,
            Object::Credential(_) => ObjectKind::Credential,
        }
    }

    /// Its bytes, as received; at most [`OBJECT_MAX`].
    pub fn bytes(&self) -> &Bytes {
        match self {
            Object::Revocation(revocation) => &revocation.bytes,
            Object::Properties(properties) => &properties.bytes,
            Object::Credential(credential) => &credential.member.chain,
        }
    }
}

/// A membership taken back. Whether it is in force depends on the others: see [`Revocations`](crate::Revocations).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Revocation {
    /// Its identity.
    pub id: ObjectId,
    /// Whose membership.
    pub target: KeyId,
    /// The serial number of the one certificate that is meant; `None`: every certificate of `target`.
    pub serial: Option<[u8; 16]>,
    /// Why, as the signer says.
    pub reason: Reason,
    /// When, by the signer's clock.
    pub issued: FileTime,
    /// Who signed: an administrator, or the group's own key.
    pub signer: KeyId,
    /// The signer's chain, the creator first, the signer last; empty if the group's own key signed.
    pub path: Arc<[Step]>,
    /// All of it, as received.
    pub bytes: Bytes,
}

impl Revocation {
    /// Position of the signer in its chain: 0 for the group's own key, 1 for the creator.
    pub fn depth(&self) -> usize {
        self.path.len()
    }

    /// Whether it is meant for a chain: its target stands there, deeper than the signer in its own. An administrator has
    /// no say over members at its own depth or above, so no two can revoke each other.
    pub fn covers(&self, path: &[Step]) -> bool {
        path.iter().skip(self.depth()).any(|step| {
            step.key == self.target && self.serial.is_none_or(|serial| serial == step.serial)
        })
    }
}

/// Why a membership was taken back: the CRLReason of RFC 5280 §5.3.1, as far as it fits a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Reason {
    /// Not said.
    #[default]
    Unspecified,
    /// The member's key is in other hands.
    KeyCompromise,
    /// The member's part in the group has changed.
    AffiliationChanged,
    /// Another certificate takes its place.
    Superseded,
    /// The member has left.
    CessationOfOperation,
    /// The member may no longer do what it could.
    PrivilegeWithdrawn,
}

impl Reason {
    const ROWS: [(Reason, u8); 6] = [
        (Reason::Unspecified, 0),
        (Reason::KeyCompromise, 1),
        (Reason::AffiliationChanged, 3),
        (Reason::Superseded, 4),
        (Reason::CessationOfOperation, 5),
        (Reason::PrivilegeWithdrawn, 9),
    ];

    /// The number that RFC 5280 has for it.
    pub fn number(self) -> u8 {
        Reason::ROWS.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    /// The reason with this number.
    pub fn from_number(number: u8) -> Option<Reason> {
        Reason::ROWS.iter().find(|row| row.1 == number).map(|row| row.0)
    }
}

/// A group's properties as its creator signed them. What the core does not need of them is in `bytes`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Properties {
    /// Their identity.
    pub id: ObjectId,
    /// The higher one counts; of two alike, the one with the larger id.
    pub version: u64,
    /// Whoever knows the password may join.
    pub password: Option<Password>,
    /// All of it, as received.
    pub bytes: Bytes,
}

impl fmt::Debug for Properties {
    /// Without the bytes: what is in them is the verifier as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Properties")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("password", &self.password)
            .finish_non_exhaustive()
    }
}

/// What members need in order to admit whoever knows the group's password. It does not contain the password, and nobody
/// can log in with it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Password {
    /// The role that is granted.
    pub role: Roles,
    /// For the authority: what it compares with.
    pub verifier: Bytes,
}

impl fmt::Debug for Password {
    /// The role: from the verifier a password could be guessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("role", &self.role).finish_non_exhaustive()
    }
}

/// A membership for somebody to pick up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Credential {
    /// Its identity.
    pub id: ObjectId,
    /// The membership; its chain is the object's bytes.
    pub member: Arc<Member>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_reasons_translate_both_ways() {
        for kind in ObjectKind::ALL {
            assert_eq!(ObjectKind::from_number(kind.number()), Some(kind));
        }
        assert_eq!(ObjectKind::from_number(0), None);
        for (reason, number) in Reason::ROWS {
            assert_eq!((reason.number(), Reason::from_number(number)), (number, Some(reason)));
        }
        // RFC 5280 has no 7; 2, 6 and 8 are about authorities and certificates on hold.
        assert!([2, 6, 7, 8, 10].iter().all(|n| Reason::from_number(*n).is_none()));
    }
}

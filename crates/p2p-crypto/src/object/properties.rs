//! A group's properties, as its own key signs them.

use std::fmt;

use bytes::Bytes;
use der::asn1::{OctetStringRef, Utf8StringRef};
use der::{Encode, Sequence};
use p2p_core::{Guid, KeyId, ObjectKind, Password, Properties, Refusal, Roles};

use super::{check_signature, key_id, object_id, octets, open, seal};
use crate::certificate::syntax::decode;
use crate::chain::Chain;
use crate::error::CryptoError;
use crate::group::GroupIdentity;
use crate::name::{PeerName, check_friendly_name};
use crate::refusal::Cause;

const KIND: ObjectKind = ObjectKind::Properties;
/// The only version of the form.
const VERSION: u8 = 1;
/// Longest comment, in UTF-16 units.
const COMMENT_MAX: usize = 255;
/// Shortest presence lifetime that may be asked for, in seconds.
const PRESENCE_MIN: u32 = 300;
/// Range of the lifetime of a member's data that may be asked for: 8 hours to 10 years of 365 days, in seconds.
const MEMBER_DATA: core::ops::RangeInclusive<u32> = 28_800..=315_360_000;
/// Largest verifier of a password, in bytes.
const VERIFIER_MAX: usize = 256;

/// What the creator has laid down for the group. `PEER_GROUP_PROPERTIES` has the same members; its cloud is always the
/// global one, its classifier and group name follow from the group's key. Printed for debugging, they keep the verifier of
/// the password to themselves.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupProperties {
    /// Counts up with every change: the higher one is in force.
    pub version: u64,
    /// The group's name for people, at most 255 UTF-16 units; empty: its peer name.
    pub friendly_name: String,
    /// What the group is about, at most 255 UTF-16 units of text; may be empty.
    pub comment: String,
    /// What members publish of themselves.
    pub flags: GroupFlags,
    /// For how long a member's data are kept after they were last published, in seconds: 28,800 to 315,360,000, or 0 for
    /// as long as possible.
    pub member_data_lifetime: u32,
    /// For how long a member counts as present after it was last heard of, in seconds: at least 300, or 0 for 300.
    pub presence_lifetime: u32,
    /// How members may join.
    pub schemes: Schemes,
    /// The role that whoever knows the password gets: one, just when [`Schemes::PASSWORD`] is set.
    pub password_role: Option<Roles>,
    /// What whoever knows the password is compared with, at most 256 bytes: just when [`Schemes::PASSWORD`] is set.
    pub password_verifier: Option<Bytes>,
    /// The member who made the group.
    pub creator: KeyId,
    /// Its peer name.
    pub creator_name: PeerName,
}

/// `PEER_GROUP_PROPERTY_FLAGS`: a set of them, as `p2p.h` numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct GroupFlags(pub u32);

impl GroupFlags {
    /// A member's data are published only when it acts.
    pub const MEMBER_DATA_OPTIONAL: GroupFlags = GroupFlags(1);
    /// Nobody's presence is published by itself.
    pub const DISABLE_PRESENCE: GroupFlags = GroupFlags(2);
    /// Records do not expire while a node is offline.
    pub const DEFER_EXPIRATION: GroupFlags = GroupFlags(4);
    const ALL: u32 = 7;
}

/// `PEER_GROUP_AUTHENTICATION_SCHEME`: a set of them, as `p2p.h` numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Schemes(pub u32);

impl Schemes {
    /// By invitation: a membership certificate.
    pub const CERTIFICATE: Schemes = Schemes(1);
    /// By the group's password.
    pub const PASSWORD: Schemes = Schemes(2);
    /// By either.
    pub const BOTH: Schemes = Schemes(3);

    /// Whether every scheme of `other` is in this set.
    pub fn contains(self, other: Schemes) -> bool {
        self.0 & other.0 == other.0
    }
}

impl GroupProperties {
    /// Version 1 of a new group's properties: joining by invitation, all else as it is by default.
    pub fn new(friendly_name: &str, creator: KeyId, creator_name: PeerName) -> GroupProperties {
        GroupProperties {
            version: 1,
            friendly_name: friendly_name.to_owned(),
            comment: String::new(),
            flags: GroupFlags::default(),
            member_data_lifetime: 0,
            presence_lifetime: 0,
            schemes: Schemes::CERTIFICATE,
            password_role: None,
            password_verifier: None,
            creator,
            creator_name,
        }
    }

    /// Reads the object and verifies it, by the rules of [`verify_object`](crate::verify_object).
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(group: &KeyId, bytes: &Bytes) -> Result<GroupProperties, Refusal> {
        Ok(GroupProperties::read(group, bytes)?.0)
    }

    /// Whether they may be signed.
    ///
    /// # Errors
    /// By [`CryptoError::code`]: `PEER_E_INVALID_FRIENDLY_NAME`; `PEER_E_INVALID_ROLE_PROPERTY` for a password without
    /// just one role; else `PEER_E_INVALID_GROUP_PROPERTIES`.
    pub fn check(&self) -> Result<(), CryptoError> {
        check_friendly_name(&self.friendly_name)?;
        let password = self.schemes.contains(Schemes::PASSWORD);
        let rows = [
            (self.version == 0, "versions of group properties count from 1"),
            (!is_comment(&self.comment), "the comment is too long, or contains control characters"),
            (self.flags.0 & !GroupFlags::ALL != 0, "a flag of the group properties is unknown"),
            (
                self.member_data_lifetime != 0 && !MEMBER_DATA.contains(&self.member_data_lifetime),
                "member data live 8 hours to 10 years",
            ),
            (
                (1..PRESENCE_MIN).contains(&self.presence_lifetime),
                "presence lives at least 300 seconds",
            ),
            (!(1..=Schemes::BOTH.0).contains(&self.schemes.0), "no or an unknown way to join"),
            (
                password != self.password_verifier.is_some(),
                "a password without its scheme, or a scheme without its password",
            ),
            (
                self.password_verifier
                    .as_ref()
                    .is_some_and(|v| v.is_empty() || v.len() > VERIFIER_MAX),
                "the verifier of the password is empty or too large",
            ),
            (!self.creator_name.is_of(&self.creator), "the creator's name is not its key's"),
        ];
        if let Some((_, why)) = rows.iter().find(|row| row.0) {
            return Err(CryptoError::Properties(why));
        }
        match self.password_role {
            None if !password => Ok(()),
            Some(role) if password && role_guid(role).is_some() => Ok(()),
            _ => Err(CryptoError::Role("a password grants one role, and only a password does")),
        }
    }

    /// Every rule; also in the form that the core keeps.
    pub(super) fn read(
        group: &KeyId,
        bytes: &Bytes,
    ) -> Result<(GroupProperties, Properties), Cause> {
        let (content, signature) = open(bytes)?;
        let raw: Content<'_> = decode(content)?;
        let properties = raw.understand().ok_or(Cause::Profile)?;
        properties.check().map_err(|_| Cause::Profile)?;
        let root = Chain::verify_root(raw.root.as_bytes(), group)?;
        check_signature(KIND, content, signature, &root.root().key)?;
        let password = properties.password_role.zip(properties.password_verifier.clone());
        let kept = Properties {
            id: object_id(KIND, bytes),
            version: properties.version,
            password: password.map(|(role, verifier)| Password { role, verifier }),
            bytes: bytes.clone(),
        };
        Ok((properties, kept))
    }
}

impl fmt::Debug for GroupProperties {
    /// All but the verifier: whoever reads it in a log could try passwords at leisure, and pose as a member to a joiner.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupProperties")
            .field("version", &self.version)
            .field("friendly_name", &self.friendly_name)
            .field("comment", &self.comment)
            .field("flags", &self.flags)
            .field("member_data_lifetime", &self.member_data_lifetime)
            .field("presence_lifetime", &self.presence_lifetime)
            .field("schemes", &self.schemes)
            .field("password_role", &self.password_role)
            .field("creator", &self.creator)
            .field("creator_name", &self.creator_name)
            .finish_non_exhaustive()
    }
}

impl GroupIdentity {
    /// Signs the group's properties: an object for the group to pass on. Only whoever has the group's key can.
    ///
    /// # Errors
    /// As [`GroupProperties::check`].
    pub fn sign_properties(&self, properties: &GroupProperties) -> Result<Bytes, CryptoError> {
        properties.check()?;
        let content = Content::encode(properties, self.certificate())
            .map_err(|_| CryptoError::issuing(Cause::TooLarge))?;
        seal(KIND, &content, self.key())
    }
}

/// Properties, with the certificate of the key that signed.
#[derive(Sequence)]
struct Content<'a> {
    form: u8,
    version: u64,
    root: &'a OctetStringRef,
    friendly_name: Utf8StringRef<'a>,
    comment: Utf8StringRef<'a>,
    flags: u32,
    member_data_lifetime: u32,
    presence_lifetime: u32,
    schemes: u32,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    password_role: Option<&'a OctetStringRef>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    password_verifier: Option<&'a OctetStringRef>,
    creator: &'a OctetStringRef,
    creator_name: Utf8StringRef<'a>,
}

impl Content<'_> {
    fn encode(from: &GroupProperties, root: &[u8]) -> der::Result<Vec<u8>> {
        let role = from.password_role.and_then(role_guid);
        Content {
            form: VERSION,
            version: from.version,
            root: octets(root),
            friendly_name: Utf8StringRef::new(&from.friendly_name)?,
            comment: Utf8StringRef::new(&from.comment)?,
            flags: from.flags.0,
            member_data_lifetime: from.member_data_lifetime,
            presence_lifetime: from.presence_lifetime,
            schemes: from.schemes.0,
            password_role: role.as_ref().map(|guid| octets(&guid.0)),
            password_verifier: from.password_verifier.as_deref().map(octets),
            creator: octets(&from.creator.0),
            creator_name: Utf8StringRef::new(from.creator_name.as_str())?,
        }
        .to_der()
    }

    /// What it says; `None` if it says nothing.
    fn understand(&self) -> Option<GroupProperties> {
        let role = match self.password_role {
            None => None,
            Some(bytes) => Some(Roles::from_guid(Guid(bytes.as_bytes().try_into().ok()?))?),
        };
        let creator_name = PeerName::parse(self.creator_name.as_str()).ok()?;
        let exact = self.form == VERSION && creator_name.as_str() == self.creator_name.as_str();
        exact.then_some(GroupProperties {
            version: self.version,
            friendly_name: self.friendly_name.as_str().to_owned(),
            comment: self.comment.as_str().to_owned(),
            flags: GroupFlags(self.flags),
            member_data_lifetime: self.member_data_lifetime,
            presence_lifetime: self.presence_lifetime,
            schemes: Schemes(self.schemes),
            password_role: role,
            password_verifier: self
                .password_verifier
                .map(|verifier| Bytes::copy_from_slice(verifier.as_bytes())),
            creator: key_id(self.creator).ok()?,
            creator_name,
        })
    }
}

/// The identifier of a role that is just one.
fn role_guid(role: Roles) -> Option<Guid> {
    Roles::GUIDS.iter().find(|row| row.0 == role).map(|row| row.1)
}

/// A comment may have several lines; else the rules of a friendly name hold.
fn is_comment(text: &str) -> bool {
    text.encode_utf16().count() <= COMMENT_MAX
        && text.split(['\n', '\t']).all(|line| check_friendly_name(line).is_ok())
}

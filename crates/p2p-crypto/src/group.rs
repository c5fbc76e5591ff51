//! The group's own key: whoever has it made the group.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{FileTime, KeyId, Refusal, Roles};

use crate::certificate::{CLOCK_SKEW, Certificate, Kind, LINK_MAX, Template};
use crate::chain;
use crate::error::CryptoError;
use crate::identity::IdentityInfo;
use crate::key::{KeyKind, KeySource, PublicKey, SigningKey, random_serial};
use crate::name::{PeerName, check_friendly_name};
use crate::object::{self, RevocationRequest};
use crate::refusal::Cause;

/// A group's key pair and its root certificate. Only the creator has them, and needs them only to issue its own
/// membership, to sign the group's properties, and to revoke in its name: whoever is invited later is issued by members.
///
/// Cloning is cheap. The private key is wiped with the last clone.
#[derive(Clone)]
pub struct GroupIdentity(Arc<Inner>);

struct Inner {
    key: SigningKey,
    root: Certificate,
    der: Vec<u8>,
}

impl GroupIdentity {
    /// A new group with an Ed25519 key. Without a friendly name (or with an empty one) the peer name is shown.
    ///
    /// # Errors
    /// [`CryptoError::Name`] for a classifier or friendly name that is not allowed; `E_INVALIDARG` if both together do
    /// not fit into a certificate of 1,280 bytes; [`CryptoError::Random`].
    pub fn create(
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<GroupIdentity, CryptoError> {
        GroupIdentity::create_with(KeyKind::default(), classifier, friendly_name, now)
    }

    /// [`create`](Self::create) with a key of another kind.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(
        kind: KeyKind,
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<GroupIdentity, CryptoError> {
        GroupIdentity::make(SigningKey::generate(kind)?, classifier, friendly_name, now)
    }

    /// A new group whose key lives elsewhere. It signs once, and once in [`issue_creator`](Self::issue_creator).
    ///
    /// # Errors
    /// As [`create`](Self::create); [`CryptoError::Key`] if the key does not sign; [`Cause::UnknownAlgorithm`] or
    /// [`Cause::WeakKey`] for a public key that is none.
    pub fn with_source(
        source: Arc<dyn KeySource>,
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<GroupIdentity, CryptoError> {
        let key = SigningKey::from_source(source).map_err(CryptoError::issuing)?;
        GroupIdentity::make(key, classifier, friendly_name, now)
    }

    fn make(
        key: SigningKey,
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<GroupIdentity, CryptoError> {
        let friendly_name = friendly_name.filter(|name| !name.is_empty());
        friendly_name.map_or(Ok(()), check_friendly_name)?;
        let name = PeerName::for_key(&key.public().id(), classifier)?;
        let template = Template {
            kind: Kind::Root,
            serial: random_serial()?,
            key: key.public(),
            name: &name,
            friendly_name,
            group: Some(&name),
            roles: Roles::empty(),
            classifiers: &[],
            not_before: now.minus_seconds(CLOCK_SKEW),
            not_after: FileTime::NO_END,
        };
        let der = template.sign(&key)?;
        GroupIdentity::assemble(key, &der).map_err(CryptoError::issuing)
    }

    /// Loads a group's key: the private key in PKCS#8 and the root certificate in DER.
    ///
    /// # Errors
    /// What is wrong with the certificate; [`Cause::KeyMissing`], [`Cause::KeyUnreadable`] or [`Cause::KeyForeign`].
    pub fn from_parts(pkcs8: &[u8], root_der: &[u8]) -> Result<GroupIdentity, Refusal> {
        Ok(GroupIdentity::load(pkcs8, root_der)?)
    }

    pub(crate) fn load(pkcs8: &[u8], root_der: &[u8]) -> Result<GroupIdentity, Cause> {
        GroupIdentity::assemble(SigningKey::from_pkcs8(pkcs8)?, root_der)
    }

    /// Hash of the group's public key: the group inside the protocol.
    pub fn key_id(&self) -> KeyId {
        self.0.root.id
    }

    /// Peer name of the group.
    pub fn name(&self) -> &PeerName {
        &self.0.root.name
    }

    /// The group's name for people.
    pub fn friendly_name(&self) -> &str {
        self.0.root.friendly_name()
    }

    /// The root certificate in DER, at most 1,280 bytes.
    pub fn certificate(&self) -> &[u8] {
        &self.0.der
    }

    /// The private key in PKCS#8 (RFC 5958): secret.
    ///
    /// # Errors
    /// [`KeySourceError::NotExportable`](crate::KeySourceError::NotExportable) if it lives elsewhere.
    pub fn pkcs8(&self) -> Result<&[u8], CryptoError> {
        self.0.key.pkcs8()
    }

    /// The creator's chain: the root, and a membership as administrator without end, issued by the root.
    ///
    /// # Errors
    /// `E_INVALIDARG` if `creator` contradicts itself or its names do not fit into a certificate of 1,280 bytes;
    /// [`CryptoError::Key`]; [`CryptoError::Random`].
    pub fn issue_creator(
        &self,
        creator: &IdentityInfo,
        now: FileTime,
    ) -> Result<Bytes, CryptoError> {
        let root = self.root()?;
        let membership = Membership {
            subject: creator,
            group: self.name(),
            roles: Roles::ADMIN,
            not_before: now.minus_seconds(CLOCK_SKEW).max(self.0.root.not_before),
            not_after: FileTime::NO_END,
        };
        membership.issue(&self.0.key, &root)
    }

    /// Takes a membership back, whoever's and however deep: see [`revoke`](crate::revoke). The group's own key can also
    /// revoke the creator, and nobody can revoke what it revoked.
    ///
    /// # Errors
    /// `E_INVALIDARG` for the group's own key; `PEER_E_INVALID_TIME_PERIOD` before the group was made;
    /// [`CryptoError::Key`].
    pub fn revoke(&self, request: &RevocationRequest) -> Result<Bytes, CryptoError> {
        object::revoke_by_root(&self.root()?, &self.0.key, request)
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.0.key
    }

    /// The list of which all chains of the group are continuations: its certificate alone.
    fn root(&self) -> Result<Bytes, CryptoError> {
        chain::append(&[], &self.0.der).map_err(CryptoError::issuing)
    }

    fn assemble(key: SigningKey, der: &[u8]) -> Result<GroupIdentity, Cause> {
        let root = Certificate::read(der, LINK_MAX)?;
        if root.kind != Kind::Root {
            return Err(Cause::WrongType);
        }
        root.verify(&root.key)?;
        if root.key != *key.public() {
            return Err(Cause::KeyForeign);
        }
        Ok(GroupIdentity(Arc::new(Inner { key, root, der: der.to_vec() })))
    }
}

impl fmt::Debug for GroupIdentity {
    /// The peer name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupIdentity").field(self.name()).finish()
    }
}

/// A membership that is to be certified. Whether the issuer may is the caller's business.
pub(crate) struct Membership<'a> {
    pub(crate) subject: &'a IdentityInfo,
    pub(crate) group: &'a PeerName,
    pub(crate) roles: Roles,
    pub(crate) not_before: FileTime,
    pub(crate) not_after: FileTime,
}

impl Membership<'_> {
    /// `chain`, whose last key is `issuer`, with a certificate of this membership at its end.
    pub(crate) fn issue(&self, issuer: &SigningKey, chain: &[u8]) -> Result<Bytes, CryptoError> {
        let subject = self.subject;
        let key = PublicKey::from_spki(&subject.public_key).map_err(CryptoError::issuing)?;
        if key.id() != subject.key || !subject.name.is_of(&subject.key) {
            return Err(CryptoError::Argument(
                "the description of the identity contradicts itself",
            ));
        }
        check_friendly_name(&subject.friendly_name)?;
        let named =
            !subject.friendly_name.is_empty() && subject.friendly_name != subject.name.as_str();
        // Administrators may hand on everything; others only the right to take part.
        let classifiers: &[&str] =
            if self.roles.contains(Roles::ADMIN) { &[] } else { &["participant"] };
        let template = Template {
            kind: Kind::Member,
            serial: random_serial()?,
            key: &key,
            name: &subject.name,
            friendly_name: named.then_some(subject.friendly_name.as_str()),
            group: Some(self.group),
            roles: self.roles,
            classifiers,
            not_before: self.not_before,
            not_after: self.not_after,
        };
        chain::append(chain, &template.sign(issuer)?).map_err(CryptoError::issuing)
    }
}

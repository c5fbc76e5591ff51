//! Identities: a key pair, its certificates, and its public description.

use std::fmt;
use std::sync::Arc;

use p2p_core::{FileTime, KeyId, Refusal, Roles};
use zeroize::Zeroizing;

use crate::certificate::{CLOCK_SKEW, Certificate, Kind, Template};
use crate::error::CryptoError;
use crate::export;
use crate::key::{SigningKey, random_serial, tls_serial};
use crate::name::{PeerName, check_friendly_name};
use crate::refusal::Cause;
use crate::xml;

/// An identity that can act: the key pair, and two self-signed certificates of it. One, [`certificate`], has the names
/// and is given to whoever is to invite; the other, [`tls_certificate`], is shown to strangers and has nothing but the
/// key and its hash.
///
/// Cloning is cheap. The private key is wiped with the last clone.
///
/// [`certificate`]: Identity::certificate
/// [`tls_certificate`]: Identity::tls_certificate
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    key: SigningKey,
    certificate: Vec<u8>,
    tls_certificate: Vec<u8>,
    info: IdentityInfo,
}

impl Identity {
    /// A new key pair and its certificates. Without a friendly name (or with an empty one) the peer name is shown.
    ///
    /// # Errors
    /// [`CryptoError::Name`] for a classifier or friendly name that is not allowed; [`CryptoError::Random`].
    pub fn create(
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<Identity, CryptoError> {
        Identity::make(SigningKey::generate()?, classifier, friendly_name, now)
    }

    /// An identity for a key that was made elsewhere: PKCS#8 (RFC 5958) with or without the public key in it. The same
    /// key is the same identity inside the protocol, whatever its names.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`Cause::KeyMissing`] for nothing, [`Cause::KeyUnreadable`] for whatever is no
    /// Ed25519 key in this form.
    pub fn from_pkcs8(
        pkcs8: &[u8],
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<Identity, CryptoError> {
        let key = SigningKey::from_pkcs8(pkcs8).map_err(CryptoError::issuing)?;
        Identity::make(key, classifier, friendly_name, now)
    }

    /// Loads an identity: the private key in PKCS#8 and [`certificate`](Self::certificate) in DER.
    ///
    /// # Errors
    /// What is wrong with the certificate; [`Cause::KeyMissing`], [`Cause::KeyUnreadable`] or [`Cause::KeyForeign`].
    pub fn from_parts(pkcs8: &[u8], certificate: &[u8]) -> Result<Identity, Refusal> {
        Ok(Identity::load(pkcs8, certificate)?)
    }

    /// Hash of the public key: the identity inside the protocol.
    pub fn key_id(&self) -> KeyId {
        self.0.info.key
    }

    /// Peer name.
    pub fn name(&self) -> &PeerName {
        &self.0.info.name
    }

    /// Name for people.
    pub fn friendly_name(&self) -> &str {
        &self.0.info.friendly_name
    }

    /// The identity certificate in DER, at most 4,096 bytes: public, with both names.
    pub fn certificate(&self) -> &[u8] {
        &self.0.certificate
    }

    /// The certificate for TLS in DER: public, without names. The same bytes after every loading.
    pub fn tls_certificate(&self) -> &[u8] {
        &self.0.tls_certificate
    }

    /// The private key in PKCS#8 (RFC 5958): secret.
    pub fn pkcs8(&self) -> &[u8] {
        self.0.key.pkcs8()
    }

    /// The private key in PKCS#8 without the public key: secret, 48 bytes. The form that OpenSSL and most others read.
    pub fn pkcs8_v1(&self) -> Zeroizing<Vec<u8>> {
        self.0.key.pkcs8_v1()
    }

    /// The whole identity under a password, as XML, to be used on another machine too: [`import`](Self::import) reads
    /// it. Costs 64 MiB of memory for as long as it takes (some tenths of a second).
    ///
    /// # Errors
    /// `E_INVALIDARG` for an empty password or one of more than 1,024 bytes; [`CryptoError::Memory`];
    /// [`CryptoError::Random`].
    pub fn export(&self, password: &str) -> Result<String, CryptoError> {
        export::seal(self, password, export::Cost::DEFAULT)
    }

    /// Reads what [`export`](Self::export) wrote; white space around it does not matter. Costs the memory and time that
    /// are stored in it, at most 256 MiB and 16 passes: more is refused before anything is spent.
    ///
    /// # Errors
    /// [`Cause::WrongPassword`] for another password, and for an export that was altered: the two cannot be told apart.
    /// [`Cause::Container`], [`Cause::Base64`], [`Cause::TooLarge`] if it cannot be an export; [`CryptoError::Version`]
    /// for one of another version; `E_INVALIDARG` for an empty or too long password; [`CryptoError::Memory`]; else what
    /// is wrong with the key or certificate in it.
    pub fn import(text: &str, password: &str) -> Result<Identity, CryptoError> {
        export::open(text.trim(), password)
    }

    /// The public description.
    pub fn info(&self) -> IdentityInfo {
        self.0.info.clone()
    }

    /// The public description as XML, to be given to whoever is to invite this identity.
    pub fn to_xml(&self) -> String {
        xml::identity(self.certificate())
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.0.key
    }

    pub(crate) fn load(pkcs8: &[u8], certificate: &[u8]) -> Result<Identity, Cause> {
        Identity::assemble(SigningKey::from_pkcs8(pkcs8)?, certificate)
    }

    fn make(
        key: SigningKey,
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<Identity, CryptoError> {
        let friendly_name = friendly_name.filter(|name| !name.is_empty());
        friendly_name.map_or(Ok(()), check_friendly_name)?;
        let name = PeerName::for_key(&key.public().id(), classifier)?;
        let certificate = self_signed(
            &key,
            &name,
            friendly_name,
            random_serial()?,
            now.minus_seconds(CLOCK_SKEW),
        );
        Identity::assemble(key, &certificate).map_err(CryptoError::issuing)
    }

    fn assemble(key: SigningKey, der: &[u8]) -> Result<Identity, Cause> {
        let certificate = Certificate::read_identity(der)?;
        if certificate.key != *key.public() {
            return Err(Cause::KeyForeign);
        }
        let bare = PeerName::for_key(&certificate.id, None).map_err(|_| Cause::NameNotKey)?;
        let serial = tls_serial(&certificate.serial);
        // Its start is no date of this identity: when it was made is nobody's business.
        let tls_certificate = self_signed(&key, &bare, None, serial, FileTime::UNIX_EPOCH);
        Ok(Identity(Arc::new(Inner {
            key,
            certificate: der.to_vec(),
            tls_certificate,
            info: IdentityInfo::new(&certificate),
        })))
    }
}

impl fmt::Debug for Identity {
    /// The peer name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(self.name()).finish()
    }
}

fn self_signed(
    key: &SigningKey,
    name: &PeerName,
    friendly_name: Option<&str>,
    serial: [u8; 16],
    not_before: FileTime,
) -> Vec<u8> {
    let template = Template {
        kind: Kind::Identity,
        serial,
        key: key.public(),
        name,
        friendly_name,
        group: None,
        roles: Roles::empty(),
        classifiers: &[],
        not_before,
        not_after: FileTime::NO_END,
    };
    template.sign(key)
}

/// What others may know of an identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityInfo {
    /// Hash of the public key.
    pub key: KeyId,
    /// Peer name.
    pub name: PeerName,
    /// Name for people; the peer name if there is no other.
    pub friendly_name: String,
    /// The public key: DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    pub public_key: Vec<u8>,
}

impl IdentityInfo {
    /// Reads what [`Identity::to_xml`] made, at most 64 KiB; white space around it does not matter. The certificate in
    /// it must be signed by its own key; its dates do not matter.
    ///
    /// # Errors
    /// [`Cause::Container`] or [`Cause::Base64`] if the XML is broken, else what is wrong with the certificate.
    pub fn from_xml(text: &str) -> Result<IdentityInfo, Refusal> {
        let certificate = Certificate::read_identity(&xml::identity_certificate(text.trim())?)?;
        Ok(IdentityInfo::new(&certificate))
    }

    fn new(certificate: &Certificate) -> IdentityInfo {
        IdentityInfo {
            key: certificate.id,
            name: certificate.name.clone(),
            friendly_name: certificate.friendly_name().to_owned(),
            public_key: certificate.key.spki(),
        }
    }
}

/// Who is at the other end of a TLS connection, once its handshake has proven the key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsPeer {
    /// Hash of the public key.
    pub key: KeyId,
    /// The public key: DER SubjectPublicKeyInfo, with which the signature of the handshake is to be verified.
    pub public_key: Vec<u8>,
}

/// Reads the certificate that a peer shows in TLS: an identity certificate without names, signed by its own key. Its
/// dates do not matter, it is only an identity.
///
/// # Errors
/// The first rule that it breaks; [`Cause::Profile`] if it has names.
pub fn verify_tls_certificate(der: &[u8]) -> Result<TlsPeer, Refusal> {
    let certificate = Certificate::read_identity(der)?;
    if !certificate.name.classifier().is_empty() || certificate.friendly_name.is_some() {
        return Err(Cause::Profile.refusal());
    }
    Ok(TlsPeer { key: certificate.id, public_key: certificate.key.spki() })
}

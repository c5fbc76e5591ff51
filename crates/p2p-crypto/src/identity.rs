//! Identities: a key pair, its certificates, and its public description.

use std::fmt;
use std::sync::Arc;

use p2p_core::{FileTime, KeyId, Refusal, Roles};
use zeroize::Zeroizing;

use crate::certificate::{CLOCK_SKEW, Certificate, Kind, Template};
use crate::error::CryptoError;
use crate::export;
use crate::key::{
    KeyKind, KeySource, KeySourceError, PublicKey, SigningKey, random_serial, tls_serial,
};
use crate::name::{PeerName, check_friendly_name};
use crate::refusal::Cause;
use crate::xml;

/// An identity that can act: the key pair, and two self-signed certificates of it. One, [`certificate`], has the names
/// and is given to whoever is to invite; the other, [`tls_certificate`], is shown to strangers and has nothing but the
/// key and its hash.
///
/// Cloning is cheap. The private key is wiped with the last clone, unless it lives elsewhere ([`KeySource`]).
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
    /// A new key pair, Ed25519, and its certificates. Without a friendly name (or with an empty one) the peer name is
    /// shown.
    ///
    /// # Errors
    /// [`CryptoError::Name`] for a classifier or friendly name that is not allowed; [`CryptoError::Random`].
    pub fn create(
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<Identity, CryptoError> {
        Identity::create_with(KeyKind::default(), classifier, friendly_name, now)
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
    ) -> Result<Identity, CryptoError> {
        Identity::make(SigningKey::generate(kind)?, classifier, friendly_name, now)
    }

    /// An identity for a key that was made elsewhere: PKCS#8 (RFC 5958), for Ed25519 with or without the public key in
    /// it (RFC 8410), for P-256 with it (RFC 5915), which is what OpenSSL writes. The same key is the same identity
    /// inside the protocol, whatever its names.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`Cause::KeyMissing`] for nothing, [`Cause::KeyUnreadable`] for whatever is no
    /// key of these kinds in this form.
    pub fn from_pkcs8(
        pkcs8: &[u8],
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<Identity, CryptoError> {
        let key = SigningKey::from_pkcs8(pkcs8).map_err(CryptoError::issuing)?;
        Identity::make(key, classifier, friendly_name, now)
    }

    /// A new identity for a key that lives elsewhere. It signs twice. Keep [`certificate`](Self::certificate): with it
    /// the identity is [loaded](Self::from_source) again.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`CryptoError::Key`] if the key does not sign; [`Cause::UnknownAlgorithm`] or
    /// [`Cause::WeakKey`] for a public key that is none.
    pub fn with_source(
        source: Arc<dyn KeySource>,
        classifier: Option<&str>,
        friendly_name: Option<&str>,
        now: FileTime,
    ) -> Result<Identity, CryptoError> {
        let key = SigningKey::from_source(source).map_err(CryptoError::issuing)?;
        Identity::make(key, classifier, friendly_name, now)
    }

    /// Loads an identity: the private key in PKCS#8 and [`certificate`](Self::certificate) in DER.
    ///
    /// # Errors
    /// What is wrong with the certificate; [`Cause::KeyMissing`], [`Cause::KeyUnreadable`] or [`Cause::KeyForeign`].
    pub fn from_parts(pkcs8: &[u8], certificate: &[u8]) -> Result<Identity, Refusal> {
        // A key in memory signs unless there is no randomness.
        Identity::load(pkcs8, certificate, Cause::refusal, |_| Cause::KeyUnreadable.refusal())
    }

    /// Loads an identity whose key lives elsewhere, with its [`certificate`](Self::certificate) in DER. It signs once.
    ///
    /// # Errors
    /// [`CryptoError::Key`] if the key does not sign; [`Cause::KeyForeign`] if it is not the certificate's; else what
    /// is wrong with either.
    pub fn from_source(
        source: Arc<dyn KeySource>,
        certificate: &[u8],
    ) -> Result<Identity, CryptoError> {
        let key = SigningKey::from_source(source).map_err(CryptoError::importing)?;
        let read = check(&key, certificate).map_err(CryptoError::importing)?;
        Identity::assemble(key, &read, certificate)
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

    /// The certificate for TLS in DER: public, without names. After every loading it says the same; with Ed25519 it is
    /// the same bytes, an ECDSA signature never is.
    pub fn tls_certificate(&self) -> &[u8] {
        &self.0.tls_certificate
    }

    /// The kind of the key.
    pub fn key_kind(&self) -> KeyKind {
        self.0.key.public().kind()
    }

    /// What signs for this identity, for TLS: its key wherever it lives. Whoever has it can sign as this identity.
    pub fn key_source(&self) -> Arc<dyn KeySource> {
        Arc::new(Signing(self.clone()))
    }

    /// The private key in PKCS#8 (RFC 5958), with the public key: secret.
    ///
    /// # Errors
    /// [`KeySourceError::NotExportable`] if it lives elsewhere.
    pub fn pkcs8(&self) -> Result<&[u8], CryptoError> {
        self.0.key.pkcs8()
    }

    /// The private key in version 1 of PKCS#8, the form that OpenSSL and most others read: secret. Of Ed25519 it is without
    /// the public key, 48 bytes; of P-256 with it, 138 bytes.
    ///
    /// # Errors
    /// [`KeySourceError::NotExportable`] if it lives elsewhere.
    pub fn pkcs8_v1(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.0.key.pkcs8_v1()
    }

    /// The whole identity under a password, as XML, to be used on another machine too: [`import`](Self::import) reads
    /// it. Costs 64 MiB of memory for as long as it takes (some tenths of a second).
    ///
    /// # Errors
    /// `E_INVALIDARG` for an empty password or one of more than 1,024 bytes; [`KeySourceError::NotExportable`] if the
    /// key lives elsewhere; [`CryptoError::Memory`]; [`CryptoError::Random`].
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

    /// `refused` and `failed` turn the two kinds of fault into the caller's own.
    pub(crate) fn load<E>(
        pkcs8: &[u8],
        certificate: &[u8],
        refused: impl Fn(Cause) -> E,
        failed: impl FnOnce(CryptoError) -> E,
    ) -> Result<Identity, E> {
        let key = SigningKey::from_pkcs8(pkcs8).map_err(&refused)?;
        let read = check(&key, certificate).map_err(&refused)?;
        Identity::assemble(key, &read, certificate).map_err(failed)
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
        let start = now.minus_seconds(CLOCK_SKEW);
        let certificate = self_signed(&key, &name, friendly_name, random_serial()?, start)?;
        let read = check(&key, &certificate).map_err(CryptoError::issuing)?;
        Identity::assemble(key, &read, &certificate)
    }

    /// Of a certificate that was [checked](check).
    fn assemble(key: SigningKey, read: &Certificate, der: &[u8]) -> Result<Identity, CryptoError> {
        let bare = PeerName::for_key(&read.id, None)?;
        let serial = tls_serial(&read.serial);
        // Its start is no date of this identity: when it was made is nobody's business.
        let tls_certificate = self_signed(&key, &bare, None, serial, FileTime::UNIX_EPOCH)?;
        let (certificate, info) = (der.to_vec(), IdentityInfo::new(read));
        Ok(Identity(Arc::new(Inner { key, certificate, tls_certificate, info })))
    }
}

/// The identity certificate `der`, if it is this key's.
fn check(key: &SigningKey, der: &[u8]) -> Result<Certificate, Cause> {
    let certificate = Certificate::read_identity(der)?;
    if certificate.key == *key.public() { Ok(certificate) } else { Err(Cause::KeyForeign) }
}

/// Signs for an identity.
struct Signing(Identity);

impl KeySource for Signing {
    fn kind(&self) -> KeyKind {
        self.0.key_kind()
    }

    fn public_key(&self) -> &[u8] {
        &self.0.0.info.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeySourceError> {
        self.0.0.key.sign_for_tls(message)
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
) -> Result<Vec<u8>, CryptoError> {
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

    /// The holder of a public key that is known from elsewhere, with names that whoever issues it a membership chooses.
    /// `spki`: DER SubjectPublicKeyInfo, as [`public_key`](Self::public_key) has it.
    ///
    /// # Errors
    /// [`Cause::UnknownAlgorithm`] or [`Cause::WeakKey`] for a key that is none; [`CryptoError::Name`].
    pub fn for_key(
        spki: &[u8],
        classifier: Option<&str>,
        friendly_name: Option<&str>,
    ) -> Result<IdentityInfo, CryptoError> {
        let public_key = PublicKey::from_spki(spki).map_err(CryptoError::issuing)?;
        let key = public_key.id();
        let name = PeerName::for_key(&key, classifier)?;
        let friendly_name =
            friendly_name.filter(|name| !name.is_empty()).unwrap_or(name.as_str()).to_owned();
        check_friendly_name(&friendly_name)?;
        Ok(IdentityInfo { key, name, friendly_name, public_key: public_key.spki() })
    }

    pub(crate) fn new(certificate: &Certificate) -> IdentityInfo {
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

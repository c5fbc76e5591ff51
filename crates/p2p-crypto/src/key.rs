//! Keys: Ed25519 and ECDSA with P-256, and the hash that is an identity.
//!
//! What differs between the kinds stays behind [`PublicKey`] and [`SigningKey`]. A signature has 64 bytes in both kinds, and
//! exactly one form: that of RFC 8032 for Ed25519; for ECDSA r and s, of the two possible s the smaller one.

use core::fmt;
use std::sync::Arc;

use p2p_core::KeyId;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::refusal::Cause;

mod ed25519;
pub(crate) mod p256;
mod source;

pub use source::{KeySource, KeySourceError};

/// A kind of key, with the one way of signing that goes with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum KeyKind {
    /// Ed25519 (RFC 8032).
    #[default]
    Ed25519,
    /// ECDSA with P-256 and SHA-256 (FIPS 186-5): the kind that TPMs, smart cards and phones have.
    EcdsaP256,
}

/// A signature, whatever the kind of its key.
pub(crate) type Signature = [u8; 64];

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PublicKey(Bytes);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bytes {
    /// RFC 8032 §5.1.5.
    Ed25519([u8; 32]),
    /// The uncompressed point (SEC 1 §2.3.3).
    EcdsaP256([u8; p256::POINT_LEN]),
}

impl PublicKey {
    fn ed25519(bytes: [u8; 32]) -> Result<PublicKey, Cause> {
        let weak = ed25519::is_weak(&bytes);
        if weak { Err(Cause::WeakKey) } else { Ok(PublicKey(Bytes::Ed25519(bytes))) }
    }

    fn p256(bytes: [u8; p256::POINT_LEN]) -> Result<PublicKey, Cause> {
        let point = p256::is_point(&bytes);
        if point { Ok(PublicKey(Bytes::EcdsaP256(bytes))) } else { Err(Cause::WeakKey) }
    }

    /// From what the BIT STRING of a SubjectPublicKeyInfo holds.
    pub(crate) fn from_bytes(kind: KeyKind, bytes: &[u8]) -> Result<PublicKey, Cause> {
        match kind {
            KeyKind::Ed25519 => PublicKey::ed25519(bytes.try_into().map_err(|_| Cause::WeakKey)?),
            KeyKind::EcdsaP256 => PublicKey::p256(bytes.try_into().map_err(|_| Cause::WeakKey)?),
        }
    }

    /// From exactly the DER that [`spki`](Self::spki) gives.
    pub(crate) fn from_spki(der: &[u8]) -> Result<PublicKey, Cause> {
        if let Some(bytes) = der.strip_prefix(&ed25519::SPKI_HEAD) {
            PublicKey::from_bytes(KeyKind::Ed25519, bytes)
        } else if let Some(bytes) = der.strip_prefix(&p256::SPKI_HEAD) {
            PublicKey::from_bytes(KeyKind::EcdsaP256, bytes)
        } else {
            Err(Cause::UnknownAlgorithm)
        }
    }

    pub(crate) fn kind(&self) -> KeyKind {
        match self.0 {
            Bytes::Ed25519(_) => KeyKind::Ed25519,
            Bytes::EcdsaP256(_) => KeyKind::EcdsaP256,
        }
    }

    /// What the BIT STRING of a SubjectPublicKeyInfo holds.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Ed25519(bytes) => bytes,
            Bytes::EcdsaP256(bytes) => bytes,
        }
    }

    /// DER SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let head = match self.kind() {
            KeyKind::Ed25519 => &ed25519::SPKI_HEAD[..],
            KeyKind::EcdsaP256 => &p256::SPKI_HEAD,
        };
        [head, self.as_bytes()].concat()
    }

    pub(crate) fn id(&self) -> KeyId {
        let hash = digest(&SHA256, &self.spki());
        KeyId(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Whether `signature` is this key's over `message`. No two signatures that differ are the same one written twice.
    pub(crate) fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        match &self.0 {
            Bytes::Ed25519(key) => ed25519::verifies(key, message, signature),
            Bytes::EcdsaP256(point) => p256::verifies(point, message, signature),
        }
    }
}

/// A private key. In memory it is wiped when dropped (as far as it is ours: what `ring` derives from it lives in
/// `ring`'s own type).
pub(crate) struct SigningKey {
    public: PublicKey,
    held: Held,
}

enum Held {
    Ed25519(ed25519::Pair),
    EcdsaP256(p256::Pair),
    Elsewhere(Arc<dyn KeySource>),
}

impl SigningKey {
    pub(crate) fn generate(kind: KeyKind) -> Result<SigningKey, CryptoError> {
        match kind {
            KeyKind::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                SystemRandom::new().fill(&mut seed[..]).map_err(|_| CryptoError::Random)?;
                let pair = ed25519::Pair::from_seed(&seed[..]).map_err(|_| CryptoError::Random)?;
                Ok(SigningKey { public: pair.public, held: Held::Ed25519(pair) })
            }
            KeyKind::EcdsaP256 => {
                let pair = p256::Pair::generate()?;
                Ok(SigningKey { public: pair.public, held: Held::EcdsaP256(pair) })
            }
        }
    }

    /// From PKCS#8 (RFC 5958): Ed25519 with the public key in it (version 2) or without (version 1), P-256 with it.
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Result<SigningKey, Cause> {
        if pkcs8.is_empty() {
            return Err(Cause::KeyMissing);
        }
        if let Some(pair) = p256::Pair::from_pkcs8(pkcs8) {
            let pair = pair?;
            return Ok(SigningKey { public: pair.public, held: Held::EcdsaP256(pair) });
        }
        let pair = ed25519::Pair::from_pkcs8(pkcs8)?;
        Ok(SigningKey { public: pair.public, held: Held::Ed25519(pair) })
    }

    /// A key that lives elsewhere. Its public key must be of the kind that it says.
    pub(crate) fn from_source(source: Arc<dyn KeySource>) -> Result<SigningKey, Cause> {
        let public = PublicKey::from_spki(source.public_key())?;
        if public.kind() == source.kind() {
            Ok(SigningKey { public, held: Held::Elsewhere(source) })
        } else {
            Err(Cause::UnknownAlgorithm)
        }
    }

    /// PKCS#8 with the public key: of Ed25519 version 2, 83 bytes; of P-256 version 1, 138 bytes.
    pub(crate) fn pkcs8(&self) -> Result<&[u8], CryptoError> {
        match &self.held {
            Held::Ed25519(pair) => Ok(&pair.pkcs8),
            Held::EcdsaP256(pair) => Ok(&pair.pkcs8),
            Held::Elsewhere(_) => Err(KeySourceError::NotExportable.into()),
        }
    }

    /// PKCS#8 in version 1.
    pub(crate) fn pkcs8_v1(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match &self.held {
            Held::Ed25519(pair) => Ok(pair.pkcs8_v1()),
            Held::EcdsaP256(pair) => Ok(join(&[&pair.pkcs8])),
            Held::Elsewhere(_) => Err(KeySourceError::NotExportable.into()),
        }
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Fails if the key lives elsewhere and does not sign; of P-256 also if there is no randomness.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        match &self.held {
            Held::Ed25519(pair) => Ok(pair.sign(message)),
            Held::EcdsaP256(pair) => pair.sign(message),
            Held::Elsewhere(source) => {
                let signature = source.sign(message)?;
                Ok(self.check(message, &signature).ok_or(KeySourceError::WrongSignature)?)
            }
        }
    }

    /// Fails like [`sign`](Self::sign). In the form that TLS has (RFC 8446 §4.2.3) and [`KeySource::sign`] gives.
    pub(crate) fn sign_for_tls(&self, message: &[u8]) -> Result<Vec<u8>, KeySourceError> {
        let signature = self.sign(message).map_err(|error| match error {
            CryptoError::Key(error) => error,
            other => KeySourceError::Failed(other.to_string()),
        })?;
        match self.public.kind() {
            KeyKind::Ed25519 => Ok(signature.to_vec()),
            KeyKind::EcdsaP256 => p256::signature_to_der(&signature)
                .map_err(|error| KeySourceError::Failed(error.to_string())),
        }
    }

    /// A device's signature in our form, if it is right: a faulty one could give its key away or be shown to others.
    fn check(&self, message: &[u8], signature: &[u8]) -> Option<Signature> {
        let signature = match self.public.kind() {
            KeyKind::Ed25519 => signature.try_into().ok()?,
            KeyKind::EcdsaP256 => p256::with_smaller_s(p256::signature_from_der(signature).ok()?),
        };
        self.public.verifies(message, &signature).then_some(signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.public.id())
    }
}

/// The parts of a secret in a row. The full capacity at once: growing would leave a copy behind that nobody wipes.
pub(crate) fn join(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    whole
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| CryptoError::Random)?;
    Ok(bytes)
}

/// 16 random bytes as a certificate's serial number: positive, and of exactly that length in DER.
pub(crate) fn random_serial() -> Result<[u8; 16], CryptoError> {
    Ok(shape_serial(random()?))
}

/// The serial number of a TLS certificate follows from that of the identity's other certificate, so that loading an
/// identity again gives the same bytes.
pub(crate) fn tls_serial(of: &[u8; 16]) -> [u8; 16] {
    let hash = digest(&SHA256, &[b"pgrp1/tls certificate".as_slice(), of].concat());
    let mut serial = [0; 16];
    serial.copy_from_slice(&hash.as_ref()[..16]);
    shape_serial(serial)
}

/// A first byte of 0x40 to 0x7f keeps the number positive and 16 bytes long.
fn shape_serial(mut serial: [u8; 16]) -> [u8; 16] {
    serial[0] = serial[0] & 0x3f | 0x40;
    serial
}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [KeyKind; 2] = [KeyKind::Ed25519, KeyKind::EcdsaP256];

    #[test]
    fn a_key_signs_and_comes_back_from_its_pkcs8() {
        for kind in KINDS {
            let key = SigningKey::generate(kind).unwrap();
            assert_eq!(key.public().kind(), kind);
            let again = SigningKey::from_pkcs8(key.pkcs8().unwrap()).unwrap();
            assert_eq!(again.public(), key.public());
            assert_eq!(again.pkcs8().unwrap(), key.pkcs8().unwrap());
            let short = SigningKey::from_pkcs8(&key.pkcs8_v1().unwrap()).unwrap();
            assert_eq!(short.public(), key.public());
            let signature = again.sign(b"x").unwrap();
            assert!(key.public().verifies(b"x", &signature));
            assert!(!key.public().verifies(b"y", &signature));
            assert_eq!(PublicKey::from_spki(&key.public().spki()), Ok(*key.public()));
        }
    }

    #[test]
    fn damaged_private_keys_are_refused_with_their_kind() {
        for kind in KINDS {
            let key = SigningKey::generate(kind).unwrap();
            let pkcs8 = key.pkcs8().unwrap();
            let mut foreign = pkcs8.to_vec();
            *foreign.last_mut().unwrap() ^= 1;
            for bad in [&foreign, &pkcs8[1..], &pkcs8[..pkcs8.len() - 1], &[pkcs8, &[0]].concat()] {
                assert_eq!(SigningKey::from_pkcs8(bad).unwrap_err(), Cause::KeyUnreadable);
            }
        }
        assert_eq!(SigningKey::from_pkcs8(&[]).unwrap_err(), Cause::KeyMissing);
    }

    #[test]
    fn public_keys_have_one_form_each() {
        for kind in KINDS {
            let spki = SigningKey::generate(kind).unwrap().public().spki();
            let short = &spki[..spki.len() - 1];
            assert_eq!(PublicKey::from_spki(short), Err(Cause::WeakKey));
            assert_eq!(PublicKey::from_spki(&[&spki[..], &[0]].concat()), Err(Cause::WeakKey));
            assert_eq!(PublicKey::from_spki(&spki[1..]), Err(Cause::UnknownAlgorithm));
        }
    }

    #[test]
    fn a_private_key_does_not_print() {
        for kind in KINDS {
            let key = SigningKey::generate(kind).unwrap();
            assert_eq!(format!("{key:?}").len(), "SigningKey(KeyId(01234567))".len());
        }
    }

    #[test]
    fn serial_numbers_are_positive_and_sixteen_bytes() {
        for serial in [random_serial().unwrap(), tls_serial(&[0; 16]), tls_serial(&[0xff; 16])] {
            assert!((0x40..0x80).contains(&serial[0]));
        }
        assert_ne!(random_serial().unwrap(), random_serial().unwrap());
    }
}

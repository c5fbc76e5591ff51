//! Making certificates.

use der::Decode;
use der::Encode;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef, SetOfVec, UintRef, Utf8StringRef};
use p2p_core::{FileTime, KeyId, Roles};

use super::syntax::{
    BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, Extension, KEY_USAGE, Outer, PEER_GROUP, PeerGroup,
    Spki, Tbs, Time, Validity, key_algorithm, name, signature_algorithm,
};
use super::{Kind, may_issue};
use crate::error::CryptoError;
use crate::key::{KeyKind, PublicKey, Signature, SigningKey, p256};
use crate::name::PeerName;

/// BasicConstraints with CA TRUE and no path length.
pub(super) const CA: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];
/// KeyUsage digitalSignature.
pub(super) const SIGNS: &[u8] = &[0x03, 0x02, 0x07, 0x80];
/// KeyUsage digitalSignature and keyCertSign.
pub(super) const SIGNS_CERTIFICATES: &[u8] = &[0x03, 0x02, 0x02, 0x84];
/// ExtendedKeyUsage id-kp-serverAuth and id-kp-clientAuth.
pub(super) const BOTH_ENDS: &[u8] = &[
    0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01, 0x06, 0x08, 0x2b, 0x06,
    0x01, 0x05, 0x05, 0x07, 0x03, 0x02,
];

/// What a certificate is to say.
pub(crate) struct Template<'a> {
    pub(crate) kind: Kind,
    pub(crate) serial: [u8; 16],
    pub(crate) key: &'a PublicKey,
    pub(crate) name: &'a PeerName,
    pub(crate) friendly_name: Option<&'a str>,
    /// Roots and members.
    pub(crate) group: Option<&'a PeerName>,
    /// Members.
    pub(crate) roles: Roles,
    /// Members.
    pub(crate) classifiers: &'a [&'a str],
    pub(crate) not_before: FileTime,
    pub(crate) not_after: FileTime,
}

impl Template<'_> {
    /// The certificate in DER, signed by `issuer`.
    ///
    /// # Errors
    /// What keeps the key from signing.
    pub(crate) fn sign(&self, issuer: &SigningKey) -> Result<Vec<u8>, CryptoError> {
        // Encoding fails only for lengths beyond 2^28, which names and keys of checked length cannot have.
        const FITS: &str = "a certificate of bounded parts encodes";
        let kind = issuer.public().kind();
        let tbs = self.tbs(issuer.public()).expect(FITS);
        let signature = issuer.sign(&tbs)?;
        Ok(close(&tbs, kind, &signature).expect(FITS))
    }

    fn tbs(&self, issuer: &PublicKey) -> der::Result<Vec<u8>> {
        let issuer_id = issuer.id();
        let extension: &[u8] = &self.peer_group(&issuer_id)?;
        let issuer_name = name(&issuer_id.authority_hex())?;
        let subject_name = name(&self.key.id().authority_hex())?;
        let ca = may_issue(self.kind, self.roles);
        let mut extensions = vec![(PEER_GROUP, true, extension)];
        if ca {
            extensions.push((BASIC_CONSTRAINTS, true, CA));
        }
        extensions.push((KEY_USAGE, true, if ca { SIGNS_CERTIFICATES } else { SIGNS }));
        if self.kind == Kind::Identity {
            extensions.push((EXTENDED_KEY_USAGE, false, BOTH_ENDS));
        }
        let extensions = extensions
            .into_iter()
            .map(|(id, critical, value)| {
                Ok(Extension { id, critical, value: OctetStringRef::new(value)? })
            })
            .collect::<der::Result<_>>()?;
        Tbs {
            version: Some(UintRef::new(&[2])?),
            serial: AnyRef::new(der::Tag::Integer, &self.serial)?,
            signature: signature_algorithm(issuer.kind()),
            issuer: AnyRef::from_der(&issuer_name)?,
            validity: Validity {
                not_before: Time::new(self.not_before),
                not_after: Time::new(self.not_after),
            },
            subject: AnyRef::from_der(&subject_name)?,
            key: Spki {
                algorithm: key_algorithm(self.key.kind())?,
                key: BitStringRef::from_bytes(self.key.as_bytes())?,
            },
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(extensions),
        }
        .to_der()
    }

    fn peer_group(&self, issuer: &KeyId) -> der::Result<Vec<u8>> {
        let member = self.kind == Kind::Member;
        let roles: Vec<[u8; 16]> = self.roles.guids().map(|guid| guid.0).collect();
        let roles =
            roles.iter().map(|role| OctetStringRef::new(role)).collect::<der::Result<Vec<_>>>()?;
        let roles = SetOfVec::try_from(roles)?;
        let classifiers = self
            .classifiers
            .iter()
            .map(|text| Utf8StringRef::new(*text))
            .collect::<der::Result<_>>()?;
        PeerGroup {
            version: UintRef::new(&[1])?,
            kind: UintRef::new(&[self.kind as u8])?,
            name: Utf8StringRef::new(self.name.as_str())?,
            friendly_name: self.friendly_name.map(Utf8StringRef::new).transpose()?,
            group: self.group.map(|group| Utf8StringRef::new(group.as_str())).transpose()?,
            issuer: member.then(|| OctetStringRef::new(&issuer.0)).transpose()?,
            roles: member.then_some(roles),
            classifiers: member.then_some(classifiers),
            flags: UintRef::new(&[0])?,
        }
        .to_der()
    }
}

/// The whole certificate: what is signed, by which algorithm, the signature.
fn close(tbs: &[u8], kind: KeyKind, signature: &Signature) -> der::Result<Vec<u8>> {
    let signature = match kind {
        KeyKind::Ed25519 => signature.to_vec(),
        KeyKind::EcdsaP256 => p256::signature_to_der(signature)?,
    };
    let signature = BitStringRef::from_bytes(&signature)?;
    Outer { tbs, algorithm: signature_algorithm(kind), signature }.to_der()
}

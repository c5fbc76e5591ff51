//! Certificates: the profile, how they are made and how they are read.
//!
//! The profile stands in the crate's documentation. It is so narrow that a certificate has one encoding: what is read
//! must be, byte for byte, what would have been written.

mod build;
mod read;
pub(crate) mod syntax;

use p2p_core::{FileTime, KeyId, Roles};

use crate::key::{KeyKind, PublicKey, Signature};
use crate::name::PeerName;
use crate::refusal::Cause;

pub(crate) use build::Template;
pub(crate) use read::Decoded;

/// Largest root or membership certificate, in bytes.
pub(crate) const LINK_MAX: usize = 1_280;
/// Largest identity certificate, in bytes.
pub(crate) const IDENTITY_MAX: usize = 4_096;
/// Most classifiers in a membership certificate.
pub(crate) const CLASSIFIERS_MAX: usize = 4;
/// By so much may two clocks differ, in seconds.
pub(crate) const CLOCK_SKEW: u64 = 600;

/// What a certificate is for; the numbers are those of the extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Member = 1,
    Root = 2,
    Identity = 3,
}

/// A certificate that keeps the profile. Its signature is still to be checked, with the issuer's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Certificate {
    pub(crate) kind: Kind,
    pub(crate) serial: [u8; 16],
    pub(crate) key: PublicKey,
    pub(crate) id: KeyId,
    /// Peer name of the subject; in a root, of the group.
    pub(crate) name: PeerName,
    pub(crate) friendly_name: Option<String>,
    /// Roots and members: the group. Identities: their own name.
    pub(crate) group: PeerName,
    /// Who signed: in roots and identities the key itself.
    pub(crate) issuer: KeyId,
    /// Members only; else empty.
    pub(crate) roles: Roles,
    /// Members only; none means all.
    pub(crate) classifiers: Vec<String>,
    pub(crate) not_before: FileTime,
    pub(crate) not_after: FileTime,
    /// The signed bytes, as received.
    pub(crate) tbs: Vec<u8>,
    /// What kind of key it says has signed it.
    pub(crate) algorithm: KeyKind,
    pub(crate) signature: Signature,
}

impl Certificate {
    /// Reads a single certificate of at most `max` bytes.
    pub(crate) fn read(der: &[u8], max: usize) -> Result<Certificate, Cause> {
        if der.len() > max {
            return Err(Cause::TooLarge);
        }
        Decoded::new(der)?.check()
    }

    /// Reads an identity's own certificate and verifies that its key signed it. Dates are no matter: it is only a name.
    pub(crate) fn read_identity(der: &[u8]) -> Result<Certificate, Cause> {
        let certificate = Certificate::read(der, IDENTITY_MAX)?;
        if certificate.kind != Kind::Identity {
            return Err(Cause::WrongType);
        }
        certificate.verify(&certificate.key)?;
        Ok(certificate)
    }

    /// Verifies that `issuer` signed this.
    pub(crate) fn verify(&self, issuer: &PublicKey) -> Result<(), Cause> {
        if issuer.kind() == self.algorithm && issuer.verifies(&self.tbs, &self.signature) {
            Ok(())
        } else {
            Err(Cause::CertificateSignature)
        }
    }

    /// The name for people: the peer name if there is no other.
    pub(crate) fn friendly_name(&self) -> &str {
        self.friendly_name.as_deref().unwrap_or(self.name.as_str())
    }
}

/// Whether a holder of these roles issues memberships, so that its certificate is a CA's.
fn may_issue(kind: Kind, roles: Roles) -> bool {
    kind == Kind::Root || !roles.grantable().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn what_is_written_is_read_as_it_was_meant() {
        for issuer in [KeyKind::Ed25519, KeyKind::EcdsaP256] {
            for subject in [KeyKind::Ed25519, KeyKind::EcdsaP256] {
                round(
                    &SigningKey::generate(issuer).unwrap(),
                    &SigningKey::generate(subject).unwrap(),
                );
            }
        }
    }

    fn round(issuer: &SigningKey, subject: &SigningKey) {
        let group = PeerName::for_key(&issuer.public().id(), Some("chess")).unwrap();
        let name = PeerName::for_key(&subject.public().id(), None).unwrap();
        for (kind, roles) in [
            (Kind::Member, Roles::MEMBER),
            (Kind::Member, Roles::ADMIN.with(Roles::MEMBER)),
            (Kind::Root, Roles::empty()),
            (Kind::Identity, Roles::empty()),
        ] {
            let (signer, named) = match kind {
                Kind::Member => (issuer, &name),
                Kind::Root => (issuer, &group),
                Kind::Identity => (subject, &name),
            };
            let key = if kind == Kind::Member { subject.public() } else { signer.public() };
            let classifiers: &[&str] = if kind == Kind::Member { &["participant"] } else { &[] };
            let template = Template {
                kind,
                serial: [0x41; 16],
                key,
                name: named,
                friendly_name: Some("Zoë"),
                group: (kind != Kind::Identity).then_some(&group),
                roles,
                classifiers,
                not_before: FileTime::from_unix(1_795_344_000),
                not_after: FileTime::NO_END,
            };
            let der = template.sign(signer).unwrap();
            let read = Certificate::read(&der, LINK_MAX).unwrap();
            read.verify(signer.public()).unwrap();
            assert_eq!((read.kind, read.key, read.id), (kind, *key, key.id()));
            assert_eq!((&read.name, read.friendly_name()), (named, "Zoë"));
            assert_eq!((read.issuer, read.roles), (signer.public().id(), roles));
            assert_eq!(read.classifiers, classifiers);
            assert_eq!((read.not_before, read.not_after), (template.not_before, FileTime::NO_END));
            assert_eq!(read.serial, [0x41; 16]);
            assert_eq!(Certificate::read(&der, der.len() - 1), Err(Cause::TooLarge));
        }
    }
}

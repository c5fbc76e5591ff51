//! Certificates: the profile, how they are made and how they are read.
//!
//! X.509 version 3 (RFC 5280) in a profile so narrow that a certificate has one encoding: Ed25519 (RFC 8410), subject
//! and issuer are one CN of 40 hexadecimal digits, the serial number has 16 bytes, and these extensions stand in this
//! order, no others:
//!
//! | extension | critical | identity | root | member |
//! | --- | --- | --- | --- | --- |
//! | ours, 2.25.338937934004514887064444748114970184119 | yes | yes | yes | yes |
//! | BasicConstraints CA | yes | – | yes | if it may issue |
//! | KeyUsage | yes | digitalSignature | and keyCertSign | and keyCertSign if it may issue |
//! | ExtendedKeyUsage serverAuth, clientAuth | no | yes | – | – |
//!
//! Ours holds what the group needs to know:
//!
//! ```text
//! PeerGroup ::= SEQUENCE {
//!   profileVersion  INTEGER (1),
//!   certType        INTEGER { member(1), root(2), identity(3) },
//!   subjectName     UTF8String,                           -- peer name; of the group in a root
//!   friendlyName    [0] IMPLICIT UTF8String OPTIONAL,     -- absent: the peer name; always absent in TLS
//!   groupName       UTF8String OPTIONAL,                  -- root and member
//!   issuerKeyId     OCTET STRING (SIZE(32)) OPTIONAL,     -- member
//!   roles           SET OF OCTET STRING (SIZE(16)) OPTIONAL,  -- member: 1 to 3 role identifiers
//!   classifiers     SEQUENCE OF UTF8String OPTIONAL,      -- member: at most 4; none means all
//!   flags           INTEGER (0) }
//! ```

mod build;
mod read;
pub(crate) mod syntax;

use p2p_core::{FileTime, KeyId, Roles};

use crate::key::PublicKey;
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
    pub(crate) signature: [u8; 64],
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

    /// Whether `issuer` signed this.
    pub(crate) fn verify(&self, issuer: &PublicKey) -> Result<(), Cause> {
        if issuer.verifies(&self.tbs, &self.signature) {
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

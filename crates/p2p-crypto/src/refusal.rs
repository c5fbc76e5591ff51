//! Every reason for which a certificate, a chain, an invitation, an object or a key is turned down, with its two codes: one table.
//!
//! A refusal is data from birth: what finds the fault names a [`Cause`], and nothing between there and the caller
//! translates texts into codes.

use core::fmt;

use p2p_core::{Code, Refusal};

/// Where something can be turned down. What the caller sees there is in `docs/refusals.md`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Surface {
    /// [`verify_tls_certificate`](crate::verify_tls_certificate): a peer's certificate in a handshake.
    Tls,
    /// [`verify_chain`](crate::verify_chain): a peer's membership; [`inspect_chain`](crate::inspect_chain).
    Chain,
    /// [`IdentityInfo::from_xml`](crate::IdentityInfo::from_xml): the description of an identity.
    Description,
    /// [`Invitation::parse`](crate::Invitation::parse): an invitation that came in.
    Invitation,
    /// [`Invitation::check_for`](crate::Invitation::check_for): joining with it.
    Joining,
    /// [`Invitation::issue`](crate::Invitation::issue),
    /// [`GroupIdentity::issue_creator`](crate::GroupIdentity::issue_creator): a membership that is to be granted.
    Issuing,
    /// [`Identity::from_parts`](crate::Identity::from_parts),
    /// [`GroupIdentity::from_parts`](crate::GroupIdentity::from_parts): a key that was kept.
    Loading,
    /// [`Identity::import`](crate::Identity::import): an identity under a password;
    /// [`Identity::from_pkcs8`](crate::Identity::from_pkcs8).
    Importing,
    /// [`GroupConfig::import`](crate::GroupConfig::import): a membership, and perhaps the group's key, from another machine.
    Configuration,
    /// [`verify_object`](crate::verify_object): a revocation, the group's properties or a credential that members pass on.
    Object,
    /// [`PasswordJoiner`](crate::PasswordJoiner), [`PasswordMember`](crate::PasswordMember): joining by password;
    /// [`PasswordVerifier::from_bytes`](crate::PasswordVerifier::from_bytes).
    Password,
    /// The files in which identities and memberships are kept.
    Store,
}

use Surface::*;

/// Whatever reads certificates.
const CERTIFICATES: &[Surface] = &[
    Tls,
    Chain,
    Description,
    Invitation,
    Issuing,
    Loading,
    Importing,
    Configuration,
    Object,
    Password,
];
/// Whatever reads whole chains.
const CHAINS: &[Surface] = &[Chain, Invitation, Issuing, Configuration, Object];

/// A row of the table: cause, code, detail, meaning, and where it surfaces.
type Row = (Cause, Code, Code, &'static str, &'static [Surface]);

macro_rules! causes {
    ($($name:ident = $code:ident, $detail:ident, $surfaces:expr, $meaning:literal;)*) => {
        /// Why something was turned down. Each has a code of the message's own kind (`CRYPT_E_*`) and a finer one.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Cause {
            $(#[doc = concat!($meaning, " `", stringify!($code), "`, `", stringify!($detail), "`.")] $name,)*
        }

        const TABLE: &[Row] =
            &[$((Cause::$name, Code::$code, Code::$detail, $meaning, $surfaces),)*];
    };
}

causes! {
    DerEnds = CRYPT_E_ASN1_EOD, CERT_E_MALFORMED, CERTIFICATES, "The DER of a certificate ends early.";
    DerMalformed = CRYPT_E_ASN1_CORRUPT, CERT_E_MALFORMED, CERTIFICATES, "The DER is malformed, or not the one canonical encoding.";
    DerTag = CRYPT_E_ASN1_BADTAG, CERT_E_MALFORMED, CERTIFICATES, "A DER tag is not the one due.";
    TooLarge = CRYPT_E_ASN1_LARGE, CERT_E_MALFORMED, CERTIFICATES, "A certificate, chain or text is larger than allowed.";
    Profile = CRYPT_E_ASN1_CONSTRAINT, CERT_E_MALFORMED, CERTIFICATES, "A field or extension of the certificate breaks the profile or is missing.";
    UnknownExtension = CRYPT_E_ASN1_CONSTRAINT, CERT_E_CRITICAL, CERTIFICATES, "The certificate has an extension that the profile does not list.";
    BasicConstraints = CRYPT_E_ASN1_CONSTRAINT, TRUST_E_BASIC_CONSTRAINTS, CERTIFICATES, "The basic constraints do not fit the roles.";
    KeyUsage = CRYPT_E_ASN1_CONSTRAINT, CERT_E_WRONG_USAGE, CERTIFICATES, "The key usage or extended key usage is not the one due.";
    UnknownRole = CRYPT_E_ASN1_CONSTRAINT, CERT_E_INVALID_POLICY, CERTIFICATES, "A role is unknown.";
    WrongType = CRYPT_E_ASN1_CONSTRAINT, CERT_E_PURPOSE, &[Tls, Description, Loading, Importing, Password], "The certificate is of another type than the one due here.";
    Container = CRYPT_E_BAD_MSG, NTE_BAD_DATA, &[Chain, Description, Invitation, Issuing, Importing, Configuration, Object, Password], "The list of certificates, the XML, or what recognises a password is broken.";
    Base64 = CRYPT_E_BAD_ENCODE, NTE_BAD_DATA, &[Description, Invitation, Importing, Configuration], "The base64 is broken.";
    WrongPassword = CRYPT_E_BAD_MSG, NTE_BAD_DATA, &[Importing, Configuration, Password], "The password is wrong, or what it protects was altered.";
    UnknownAlgorithm = CRYPT_E_UNKNOWN_ALGO, NTE_BAD_ALGID, CERTIFICATES, "The algorithm of a signature or key is not supported.";
    WeakKey = CRYPT_E_UNKNOWN_ALGO, NTE_BAD_PUBLIC_KEY, CERTIFICATES, "The public key is weak or malformed.";
    CertificateSignature = CRYPT_E_HASH_VALUE, TRUST_E_CERT_SIGNATURE, CERTIFICATES, "The signature of a certificate is wrong.";
    TextSignature = CRYPT_E_HASH_VALUE, NTE_BAD_SIGNATURE, &[Invitation, Object], "The signature of the invitation or object is wrong.";
    SignatureMissing = CRYPT_E_NO_SIGNER, TRUST_E_NOSIGNATURE, &[Invitation], "The invitation has no signature.";
    OtherKind = CRYPT_E_BAD_MSG, CERT_E_PURPOSE, &[Invitation], "The invitation is of the other kind: by a password, or not.";
    SignerMissing = CRYPT_E_SIGNER_NOT_FOUND, CERT_E_CHAINING, &[Invitation], "The member who signed is not in the chain.";
    Links = CRYPT_E_ISSUER_SERIALNUMBER, CERT_E_ISSUERCHAINING, CERTIFICATES, "Two links do not fit: issuer, key identifier or group differs.";
    OtherRoot = CRYPT_E_NO_TRUSTED_SIGNER, CERT_E_UNTRUSTEDROOT, &[Chain, Configuration, Object], "The chain ends in another key than the group's.";
    RootMissing = CRYPT_E_NO_TRUSTED_SIGNER, CERT_E_CHAINING, CHAINS, "The chain does not begin with a group's root.";
    SelfSigned = CRYPT_E_SELF_SIGNED, CERT_E_PURPOSE, CHAINS, "A root or self-signed certificate stands where a membership is due.";
    ChainTooLong = CRYPT_E_BAD_LEN, CERT_E_PATHLENCONST, CHAINS, "The chain is longer than 24 members.";
    OtherIdentity = CRYPT_E_NO_MATCH, CERT_E_CN_NO_MATCH, &[Chain, Joining, Issuing, Importing, Configuration, Password], "The identity is not the one expected.";
    NameNotKey = CRYPT_E_NO_MATCH, CERT_E_INVALID_NAME, CERTIFICATES, "The name is not the hash of the key.";
    Expired = CRYPT_E_SECURITY_SETTINGS, CERT_E_EXPIRED, &[Chain, Joining, Issuing, Configuration, Object], "Expired.";
    NotYetValid = CRYPT_E_SECURITY_SETTINGS, CERT_E_EXPIRED, &[Chain, Joining, Issuing, Configuration, Object], "Not yet valid.";
    OutlivesIssuer = CRYPT_E_SECURITY_SETTINGS, CERT_E_VALIDITYPERIODNESTING, CHAINS, "A certificate begins before or outlives its issuer's.";
    RoleNotDelegable = CRYPT_E_SECURITY_SETTINGS, CERT_E_ROLE, CHAINS, "The issuer's roles do not allow it to grant this role.";
    NotAdministrator = CRYPT_E_SECURITY_SETTINGS, CERT_E_PURPOSE, &[Object, Issuing], "Whoever signed the revocation or credential is no administrator.";
    ClassifierNotDelegable = CRYPT_E_SECURITY_SETTINGS, CERT_E_INVALID_POLICY, CHAINS, "The issuer may not hand on this classifier.";
    KeyTwice = CRYPT_E_SECURITY_SETTINGS, CERT_E_CHAINING, CHAINS, "The same key stands twice in the chain.";
    Revoked = CRYPT_E_REVOKED, CERT_E_REVOKED, &[Chain], "The membership, or one above it, was revoked.";
    KeyMissing = CRYPT_E_NO_KEY_PROPERTY, NTE_NO_KEY, &[Loading, Importing, Configuration], "The private key is missing.";
    KeyUnreadable = CRYPT_E_NO_KEY_PROPERTY, NTE_PERM, &[Loading, Importing, Configuration], "The private key cannot be read.";
    KeyForeign = CRYPT_E_NO_KEY_PROPERTY, NTE_BAD_KEYSET, &[Loading, Importing, Configuration], "The private key is not its certificate's.";
    StoreDamaged = CRYPT_E_FILE_ERROR, NTE_BAD_DATA, &[Store], "A stored file is damaged.";
}

impl Cause {
    /// Both codes.
    pub fn refusal(self) -> Refusal {
        let row = self.row();
        Refusal { code: row.1, detail: row.2 }
    }

    /// The cause in one sentence.
    pub fn meaning(self) -> &'static str {
        self.row().3
    }

    /// Where it can be met.
    pub fn surfaces(self) -> &'static [Surface] {
        self.row().4
    }

    /// What a function that takes an invitation in reports for it.
    pub fn incoming_code(self) -> Code {
        match self {
            Cause::UnknownAlgorithm => Code::PEER_E_UNSUPPORTED_VERSION,
            Cause::ChainTooLong => Code::PEER_E_CHAIN_TOO_LONG,
            Cause::KeyTwice => Code::PEER_E_CIRCULAR_CHAIN_DETECTED,
            Cause::Expired | Cause::NotYetValid => Code::PEER_E_INVALID_TIME_PERIOD,
            _ => Code::PEER_E_INVITATION_NOT_TRUSTED,
        }
    }

    /// What the import of a group's configuration reports for it.
    pub fn configuring_code(self) -> Code {
        match self {
            Cause::Container | Cause::Base64 | Cause::WrongPassword => Code::E_INVALIDARG,
            Cause::OtherIdentity => Code::PEER_E_IDENTITY_NOT_FOUND,
            Cause::ChainTooLong => Code::PEER_E_CHAIN_TOO_LONG,
            Cause::KeyTwice => Code::PEER_E_CIRCULAR_CHAIN_DETECTED,
            Cause::Expired | Cause::NotYetValid => Code::PEER_E_INVALID_TIME_PERIOD,
            Cause::KeyMissing | Cause::KeyUnreadable => Code::PEER_E_NO_KEY_ACCESS,
            _ => self.refusal().code,
        }
    }

    /// What a function that makes or grants something reports for it.
    pub fn issuing_code(self) -> Code {
        match self {
            Cause::TooLarge => Code::E_INVALIDARG,
            Cause::RoleNotDelegable | Cause::NotAdministrator => Code::PEER_E_NOT_AUTHORIZED,
            Cause::ChainTooLong => Code::PEER_E_CHAIN_TOO_LONG,
            Cause::KeyTwice => Code::PEER_E_CIRCULAR_CHAIN_DETECTED,
            Cause::Expired | Cause::NotYetValid | Cause::OutlivesIssuer => {
                Code::PEER_E_INVALID_TIME_PERIOD
            }
            _ => self.refusal().code,
        }
    }

    /// Every cause, in the order of the table.
    pub fn all() -> impl Iterator<Item = Cause> {
        TABLE.iter().map(|row| row.0)
    }

    /// The table is in the order of the enum, which the tests prove.
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning())
    }
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Refusal {
        cause.refusal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_finds_its_own_row() {
        for cause in Cause::all() {
            assert_eq!(cause.row().0, cause);
            assert!(cause.meaning().ends_with('.'));
        }
    }

    #[test]
    fn codes_are_of_their_families_and_failures() {
        for cause in Cause::all() {
            let refusal = cause.refusal();
            assert!(refusal.code.name().unwrap().starts_with("CRYPT_E_"), "{cause:?}");
            let detail = refusal.detail.name().unwrap();
            assert!(
                ["CERT_E_", "TRUST_E_", "NTE_"].iter().any(|family| detail.starts_with(family)),
                "{cause:?}"
            );
            assert!(!refusal.code.is_success() && !refusal.detail.is_success());
        }
    }

    #[test]
    fn only_two_pairs_of_causes_share_both_codes() {
        let all: Vec<Cause> = Cause::all().collect();
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                let alike = [
                    [Cause::Expired, Cause::NotYetValid],
                    [Cause::Container, Cause::WrongPassword],
                ];
                assert_eq!(a.refusal() == b.refusal(), alike.contains(&[*a, *b]), "{a:?} {b:?}");
            }
        }
    }
}

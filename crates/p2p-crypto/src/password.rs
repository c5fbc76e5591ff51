//! Joining by password: who knows a group's password becomes a member, without an invitation of his own.
//!
//! The group's creator makes a [`PasswordVerifier`] from the password; it goes into the group's properties, which every
//! member has. A [`PasswordInvitation`](crate::PasswordInvitation) says how the password is stretched, and a joiner
//! makes a [`PasswordSecret`] with it. The two prove to each other what they hold by SPAKE2+ (RFC 9383), suite
//! P256-SHA256-HKDF-SHA256-HMAC-SHA256, bound to the connection:
//!
//! ```text
//! joiner                                                     member
//!   shareP (65)                                         ──▶
//!                                                       ◀──  shareV (65) ‖ confirmV (32)
//!   confirmP (32) ‖ the joiner's identity certificate   ──▶
//!                                                       ◀──  the joiner's chain
//! ```
//!
//! The context is `pgrp1 password`, a zero byte, the session id and the group's key id; the identities are the key ids
//! of joiner and member. Neither side learns more of the password than whether one guess was right, and the joiner does
//! not say who he is before the member has proven that it belongs to the group.

use std::fmt;

use p2p_core::{KeyId, Refusal};
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::key::random;
use crate::refusal::Cause;
use crate::stretch::{Cost, PASSWORD_MAX, SALT_LEN, stretch};

mod exchange;
mod pake;

pub(crate) use exchange::check_issuer;
pub use exchange::{ExchangeBinding, PasswordJoiner, PasswordMember, issue_by_password};
use pake::{Pake, RECORD_LEN, Record, STRETCHED_LEN, Spake2Plus, Stretched};

/// Fewest UTF-16 units of a group's password.
const PASSWORD_MIN_UNITS: usize = 8;
/// Version of the form of a verifier, and the one way of stretching.
const FORM: u8 = 1;
const ARGON2ID: u8 = 1;
const PARAMETERS_LEN: usize = 3 * 4 + SALT_LEN;
const VERIFIER_LEN: usize = 2 + PARAMETERS_LEN + RECORD_LEN;

/// Whether a password is good enough for a group: at least 8 UTF-16 units that are not all one character, at most 1,024
/// bytes of UTF-8. It counts as it is written: what looks alike but has other code points is another password.
///
/// # Errors
/// [`CryptoError::WeakPassword`], `PEER_E_PASSWORD_DOES_NOT_MEET_POLICY`; `E_INVALIDARG` for one that is too long.
pub fn check_password(password: &str) -> Result<(), CryptoError> {
    check_length(password)?;
    let first = password.chars().next();
    let alike = password.chars().all(|c| Some(c) == first);
    if alike || password.encode_utf16().count() < PASSWORD_MIN_UNITS {
        return Err(CryptoError::WeakPassword);
    }
    Ok(())
}

fn check_length(password: &str) -> Result<(), CryptoError> {
    if password.is_empty() || password.len() > PASSWORD_MAX {
        return Err(CryptoError::Argument("a password has 1 to 1,024 bytes"));
    }
    Ok(())
}

/// How a group's password is stretched: Argon2id (RFC 9106) with these costs and this salt. Public: it stands in
/// invitations, and nobody can try passwords with it alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasswordParameters {
    pub(crate) cost: Cost,
    pub(crate) salt: [u8; SALT_LEN],
}

impl PasswordParameters {
    /// Memory in KiB: 1,024 to 262,144.
    pub fn memory(&self) -> u32 {
        self.cost.memory
    }

    /// Passes over the memory: 1 to 16.
    pub fn passes(&self) -> u32 {
        self.cost.passes
    }

    /// Lanes: 1 to 8.
    pub fn lanes(&self) -> u32 {
        self.cost.lanes
    }

    /// The salt. Another salt is another password.
    pub fn salt(&self) -> &[u8; SALT_LEN] {
        &self.salt
    }

    /// Refuses costs that nobody should bear.
    pub(crate) fn new(costs: [u32; 3], salt: [u8; SALT_LEN]) -> Result<PasswordParameters, Cause> {
        let [memory, passes, lanes] = costs;
        let cost = Cost { memory, passes, lanes }.check()?;
        Ok(PasswordParameters { cost, salt })
    }

    /// The password and the group, each with its length before it (RFC 9383 §3.2; there is no one prover).
    fn stretch(&self, group: &KeyId, password: &str) -> Result<Zeroizing<Stretched>, CryptoError> {
        check_length(password)?;
        let length = |bytes: &[u8]| (bytes.len() as u64).to_le_bytes();
        let parts: [&[u8]; 5] = [
            &length(password.as_bytes()),
            password.as_bytes(),
            &length(&[]),
            &length(&group.0),
            &group.0,
        ];
        let input = crate::key::join(&parts);
        let mut stretched = Zeroizing::new([0; STRETCHED_LEN]);
        stretch(&input, &self.salt, self.cost, &mut stretched[..])?;
        Ok(stretched)
    }
}

/// What the members of a group hold to recognise its password: nothing that opens the group to whoever reads it, but
/// who has it can try passwords at the price of [`PasswordParameters`] each, and can pose as a member towards a joiner
/// (who will still take no membership that is not signed).
///
/// # Form
/// 127 bytes, numbers most significant byte first:
///
/// ```text
/// version 1 | kdf 1 | memory in KiB, u32 | passes, u32 | lanes, u32 | salt, 16 | w0, 32 | L, 65
/// ```
///
/// w0 is not 0 and below the order of P-256; L is a point of it, uncompressed (SEC 1 §2.3.3).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordVerifier {
    parameters: PasswordParameters,
    record: Zeroizing<Record>,
}

impl PasswordVerifier {
    /// For a new password of `group`, with a new salt: 64 MiB and three passes, some tenths of a second.
    ///
    /// # Errors
    /// As [`check_password`]; [`CryptoError::Memory`]; [`CryptoError::Random`].
    pub fn create(group: &KeyId, password: &str) -> Result<PasswordVerifier, CryptoError> {
        PasswordVerifier::create_at(group, password, Cost::DEFAULT)
    }

    /// Reads [`to_bytes`](Self::to_bytes). There is one form of each verifier.
    ///
    /// # Errors
    /// [`Cause::Container`] for whatever is none, or asks for costs that nobody should bear.
    pub fn from_bytes(bytes: &[u8]) -> Result<PasswordVerifier, Refusal> {
        Ok(PasswordVerifier::read(bytes).ok_or(Cause::Container)?)
    }

    /// The form above: not for strangers.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let PasswordParameters { cost, salt } = &self.parameters;
        let numbers = [cost.memory, cost.passes, cost.lanes].map(u32::to_be_bytes);
        let head = [&[FORM, ARGON2ID][..], numbers.as_flattened(), salt];
        crate::key::join(&[&head.concat(), &self.record[..]])
    }

    /// How the password is stretched: what goes into invitations.
    pub fn parameters(&self) -> &PasswordParameters {
        &self.parameters
    }

    pub(crate) fn create_at(
        group: &KeyId,
        password: &str,
        cost: Cost,
    ) -> Result<PasswordVerifier, CryptoError> {
        check_password(password)?;
        let parameters = PasswordParameters { cost, salt: random()? };
        let stretched = parameters.stretch(group, password)?;
        // Never with a real hash: a number would be zero.
        let record = Spake2Plus::record(&stretched).ok_or(CryptoError::Random)?;
        Ok(PasswordVerifier { parameters, record })
    }

    fn read(bytes: &[u8]) -> Option<PasswordVerifier> {
        let bytes: &[u8; VERIFIER_LEN] = bytes.try_into().ok()?;
        let (head, rest) = bytes.split_first_chunk::<2>()?;
        let (costs, rest) = rest.split_first_chunk::<12>()?;
        let (salt, record) = rest.split_first_chunk::<SALT_LEN>()?;
        let record = Zeroizing::new(Record::try_from(record).ok()?);
        if *head != [FORM, ARGON2ID] || !Spake2Plus::is_record(&record) {
            return None;
        }
        let number = |at: usize| {
            u32::from_be_bytes([costs[at], costs[at + 1], costs[at + 2], costs[at + 3]])
        };
        let parameters = PasswordParameters::new([number(0), number(4), number(8)], *salt).ok()?;
        Some(PasswordVerifier { parameters, record })
    }

    fn record(&self) -> &Record {
        &self.record
    }
}

impl fmt::Debug for PasswordVerifier {
    /// The parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PasswordVerifier").field(&self.parameters).finish()
    }
}

/// What a joiner holds of the password: stretched, as good as the password for this group and for no other. Wiped when
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordSecret(Zeroizing<Stretched>);

impl PasswordSecret {
    /// Bytes of [`as_bytes`](Self::as_bytes).
    pub const LEN: usize = STRETCHED_LEN;

    /// Stretches `password` as `parameters` say: at most 256 MiB and 16 passes. Whether it is the right one shows only
    /// when a member is met.
    ///
    /// # Errors
    /// `E_INVALIDARG` for an empty password or one of more than 1,024 bytes; [`CryptoError::Memory`].
    pub fn stretch(
        group: &KeyId,
        password: &str,
        parameters: &PasswordParameters,
    ) -> Result<PasswordSecret, CryptoError> {
        parameters.stretch(group, password).map(PasswordSecret)
    }

    /// What [`as_bytes`](Self::as_bytes) gave. Any bytes are somebody's password.
    pub fn from_bytes(bytes: [u8; STRETCHED_LEN]) -> PasswordSecret {
        PasswordSecret(Zeroizing::new(bytes))
    }

    /// The secret itself, to be kept while the joiner has met nobody.
    pub fn as_bytes(&self) -> &[u8; STRETCHED_LEN] {
        &self.0
    }
}

impl fmt::Debug for PasswordSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordSecret")
    }
}

#[cfg(test)]
mod tests {
    use p2p_core::Code;

    use super::*;

    const GROUP: KeyId = KeyId([3; 32]);

    fn verifier() -> PasswordVerifier {
        PasswordVerifier::create_at(&GROUP, "correct horse", Cost::CHEAP).unwrap()
    }

    #[test]
    fn weak_passwords_are_refused_by_their_own_code() {
        for weak in ["1234567", "aaaaaaaa", "ÄÄÄÄÄÄÄÄÄÄ", "𝄞𝄞𝄞𝄞", "a𝄞𝄞𝄞"]
        {
            let error = check_password(weak).unwrap_err();
            assert_eq!(error.code(), Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY, "{weak}");
            let made = PasswordVerifier::create(&GROUP, weak);
            assert_eq!(made.unwrap_err(), CryptoError::WeakPassword);
        }
        for good in ["12345678", "aaaaaaab", "ab𝄞𝄞𝄞", &"ab".repeat(512)] {
            assert_eq!(check_password(good), Ok(()), "{good}");
        }
        for wrong in ["", &"ab".repeat(513)] {
            assert_eq!(check_password(wrong).unwrap_err().code(), Code::E_INVALIDARG);
        }
    }

    #[test]
    fn a_verifier_comes_back_from_its_bytes_and_from_no_others() {
        let verifier = verifier();
        let bytes = verifier.to_bytes();
        assert_eq!(bytes.len(), 127);
        assert_eq!(PasswordVerifier::from_bytes(&bytes), Ok(verifier.clone()));
        assert_eq!(bytes[14..30], *verifier.parameters().salt());
        for end in 0..bytes.len() {
            assert!(PasswordVerifier::from_bytes(&bytes[..end]).is_err());
        }
        assert!(PasswordVerifier::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        for bit in (0..16).chain(8 * 62..8 * 127) {
            let mut other = bytes.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            let refusal = PasswordVerifier::from_bytes(&other).unwrap_err();
            assert_eq!(refusal, Cause::Container.refusal(), "bit {bit}");
        }
    }

    #[test]
    fn costs_are_bounded_before_they_are_paid() {
        let bytes = verifier().to_bytes();
        for (at, values) in [
            (2, [0, 1_023, 256 * 1_024 + 1, u32::MAX]),
            (6, [0, 17, 1 << 20, u32::MAX]),
            (10, [0, 9, 1 << 20, u32::MAX]),
        ] {
            for value in values {
                let mut other = bytes.to_vec();
                other[at..at + 4].copy_from_slice(&value.to_be_bytes());
                assert!(PasswordVerifier::from_bytes(&other).is_err(), "{value} at {at}");
                let costs =
                    [2, 6, 10].map(|at| u32::from_be_bytes(other[at..at + 4].try_into().unwrap()));
                assert_eq!(PasswordParameters::new(costs, [0; 16]), Err(Cause::Container));
            }
        }
    }

    #[test]
    fn the_same_password_makes_another_verifier_every_time_and_in_every_group() {
        let (one, two) = (verifier(), verifier());
        assert_ne!(one.to_bytes()[14..], two.to_bytes()[14..]);
        let parameters = one.parameters();
        let here = PasswordSecret::stretch(&GROUP, "correct horse", parameters).unwrap();
        let there = PasswordSecret::stretch(&KeyId([4; 32]), "correct horse", parameters).unwrap();
        assert_ne!(here, there);
        assert_eq!(Spake2Plus::record(&here.0).unwrap(), one.record);
        assert_eq!(PasswordSecret::from_bytes(*here.as_bytes()), here);
    }

    #[test]
    fn secrets_do_not_print() {
        let verifier = verifier();
        let secret = PasswordSecret::stretch(&GROUP, "x", verifier.parameters()).unwrap();
        assert_eq!(format!("{secret:?}"), "PasswordSecret");
        assert!(!format!("{verifier:?}").contains("record"));
    }
}

//! An identity under a password: how it is carried to another machine.
//!
//! # Form
//!
//! `<PEERIDENTITYEXPORT>` with the peer name and, in base64, what follows; numbers most significant byte first:
//!
//! ```text
//! version 1 | kdf 1 | memory in KiB, u32 | passes, u32 | lanes, u32 | salt, 16 | nonce, 12 | sealed
//! ```
//!
//! Sealed, by ChaCha20-Poly1305 (RFC 8439): the length of the private key as 16 bits, the key in PKCS#8, the identity
//! certificate. The cipher's key is 32 bytes of Argon2id (RFC 9106, version 0x13) of the password. Authenticated with
//! it is everything else that the export says: a context, all that precedes `sealed`, and the peer name. So neither
//! parameters nor name can be altered, and whoever lacks the password cannot learn more than length and name.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::certificate::IDENTITY_MAX;
use crate::error::CryptoError;
use crate::identity::Identity;
use crate::key::{join, random};
use crate::refusal::Cause;
pub(crate) use crate::stretch::Cost;
use crate::stretch::{PASSWORD_MAX, SALT_LEN, stretch};
use crate::xml;

/// What is authenticated begins with this.
const CONTEXT: &[u8] = b"pgrp1/identity export\0";
const FORM: u8 = 1;
const ARGON2ID: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const HEAD_LEN: usize = 2 + 3 * 4 + SALT_LEN + NONCE_LEN;
/// Longest private key in an export, in bytes: room for other kinds of key.
const KEY_MAX: usize = 1_024;
const SEALED_MAX: usize = 2 + KEY_MAX + IDENTITY_MAX + TAG_LEN;

/// The export of `identity`.
pub(crate) fn seal(identity: &Identity, password: &str, cost: Cost) -> Result<String, CryptoError> {
    let name = identity.name().as_str();
    let (key, certificate) = (identity.pkcs8()?, identity.certificate());
    let length = (key.len() as u16).to_be_bytes();
    let data = seal_parts(name, &[&length, key, certificate], password, cost)?;
    Ok(xml::export(name, &data))
}

fn seal_parts(
    name: &str,
    parts: &[&[u8]],
    password: &str,
    cost: Cost,
) -> Result<Vec<u8>, CryptoError> {
    let head = Head { cost, salt: random()?, nonce: random()? };
    let key = head.key(password)?;
    let mut data = head.encode().to_vec();
    // The contents are encrypted where they stand: no copy of them is left behind.
    let mut contents = join(parts);
    let aad = Aad::from(authenticated(&data, name));
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(head.nonce), aad, &mut contents)
        .map_err(|_| CryptoError::Argument("the identity is too large"))?;
    data.extend_from_slice(&contents);
    data.extend_from_slice(tag.as_ref());
    Ok(data)
}

/// The identity in an export.
pub(crate) fn open(text: &str, password: &str) -> Result<Identity, CryptoError> {
    let (name, data) = xml::exported(text)?;
    let (head, sealed) = Head::decode(&data)?;
    if sealed.len() > SEALED_MAX {
        return Err(CryptoError::importing(Cause::TooLarge));
    }
    let key = head.key(password)?;
    let mut contents = Zeroizing::new(sealed.to_vec());
    let aad = Aad::from(authenticated(&data[..HEAD_LEN], &name));
    let contents = key
        .open_in_place(Nonce::assume_unique_for_key(head.nonce), aad, &mut contents)
        .map_err(|_| CryptoError::importing(Cause::WrongPassword))?;
    unpack(contents, &name)
}

/// Whoever made the export had the password, but may still have filled in anything.
fn unpack(contents: &[u8], name: &str) -> Result<Identity, CryptoError> {
    let refused = CryptoError::importing;
    let (length, rest) = contents.split_first_chunk().ok_or(refused(Cause::Container))?;
    let length = usize::from(u16::from_be_bytes(*length));
    let parts = rest.split_at_checked(length).ok_or(refused(Cause::Container))?;
    let identity = Identity::load(parts.0, parts.1, refused, |error| error)?;
    let same = identity.name().as_str() == name;
    if same { Ok(identity) } else { Err(refused(Cause::OtherIdentity)) }
}

fn authenticated(head: &[u8], name: &str) -> Vec<u8> {
    [CONTEXT, head, name.as_bytes()].concat()
}

/// What precedes the sealed part.
struct Head {
    cost: Cost,
    salt: [u8; SALT_LEN],
    nonce: [u8; NONCE_LEN],
}

impl Head {
    fn encode(&self) -> [u8; HEAD_LEN] {
        let mut head = [0; HEAD_LEN];
        head[..2].copy_from_slice(&[FORM, ARGON2ID]);
        head[2..6].copy_from_slice(&self.cost.memory.to_be_bytes());
        head[6..10].copy_from_slice(&self.cost.passes.to_be_bytes());
        head[10..14].copy_from_slice(&self.cost.lanes.to_be_bytes());
        head[14..30].copy_from_slice(&self.salt);
        head[30..].copy_from_slice(&self.nonce);
        head
    }

    /// The head, with bearable parameters, and what follows it.
    fn decode(data: &[u8]) -> Result<(Head, &[u8]), CryptoError> {
        match data {
            [FORM, ARGON2ID, ..] => {}
            [_, _, ..] => return Err(CryptoError::Version),
            _ => return Err(CryptoError::importing(Cause::Container)),
        }
        let (head, sealed) =
            data.split_first_chunk::<HEAD_LEN>().ok_or(CryptoError::importing(Cause::Container))?;
        let number =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let cost = Cost { memory: number(2), passes: number(6), lanes: number(10) };
        let cost = cost.check().map_err(CryptoError::importing)?;
        let (mut salt, mut nonce) = ([0; SALT_LEN], [0; NONCE_LEN]);
        salt.copy_from_slice(&head[14..30]);
        nonce.copy_from_slice(&head[30..]);
        Ok((Head { cost, salt, nonce }, sealed))
    }

    /// The key that a password gives.
    fn key(&self, password: &str) -> Result<LessSafeKey, CryptoError> {
        if password.is_empty() || password.len() > PASSWORD_MAX {
            return Err(CryptoError::Argument("a password has 1 to 1,024 bytes"));
        }
        let mut key = Zeroizing::new([0; 32]);
        stretch(password.as_bytes(), &self.salt, self.cost, &mut key[..])?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key[..]).expect("the key has 32 bytes");
        Ok(LessSafeKey::new(key))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use p2p_core::FileTime;

    use super::*;

    const CHEAP: Cost = Cost::CHEAP;

    fn identity() -> Identity {
        Identity::create(Some("a & <b>"), Some("Zoë"), FileTime::from_unix(1_795_344_000)).unwrap()
    }

    /// An export with other bytes in it.
    fn altered(name: &str, data: &[u8]) -> Result<Identity, CryptoError> {
        open(&xml::export(name, data), "secret")
    }

    fn cause(result: Result<Identity, CryptoError>) -> Cause {
        match result.unwrap_err() {
            CryptoError::Refused { code, cause, refusal } => {
                assert_eq!((code, refusal), (cause.refusal().code, cause.refusal()));
                cause
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_altered_bit_of_an_export_is_noticed() {
        let identity = identity();
        let name = identity.name().as_str();
        let data = xml::exported(&seal(&identity, "secret", CHEAP).unwrap()).unwrap().1;
        assert_eq!(altered(name, &data).unwrap().info(), identity.info());
        for bit in 0..8 * data.len() {
            // Costs may be anything within the limits: one that is high is only slow.
            if (16..14 * 8).contains(&bit) || (bit > 14 * 8 && bit % 13 != 0) {
                continue;
            }
            let mut data = data.clone();
            data[bit / 8] ^= 1 << (bit % 8);
            match altered(name, &data) {
                Err(CryptoError::Version) => assert!(bit < 16),
                result => assert_eq!(cause(result), Cause::WrongPassword, "bit {bit}"),
            }
        }
        for end in 0..data.len() {
            if end < HEAD_LEN + 4 || end + 20 > data.len() {
                let refused = cause(altered(name, &data[..end]));
                let due = if end < HEAD_LEN { Cause::Container } else { Cause::WrongPassword };
                assert_eq!(refused, due, "cut off at {end}");
            }
        }
        assert_eq!(cause(altered(&name[..41], &data)), Cause::WrongPassword);
    }

    #[test]
    fn altered_costs_are_noticed_too() {
        let identity = identity();
        let text = seal(&identity, "secret", CHEAP).unwrap();
        let data = xml::exported(&text).unwrap().1;
        for (at, value) in [(2, 1_025_u32), (6, 2), (10, 2)] {
            let mut data = data.clone();
            data[at..at + 4].copy_from_slice(&value.to_be_bytes());
            assert_eq!(cause(altered(identity.name().as_str(), &data)), Cause::WrongPassword);
        }
    }

    #[test]
    fn costs_that_nobody_should_bear_are_refused_before_they_are_paid() {
        let identity = identity();
        let data = xml::exported(&seal(&identity, "secret", CHEAP).unwrap()).unwrap().1;
        for (at, values) in [
            (2, &[0, 1_023, 256 * 1_024 + 1, u32::MAX][..]),
            (6, &[0, 17, u32::MAX]),
            (10, &[0, 9, u32::MAX]),
        ] {
            for value in values {
                let mut data = data.clone();
                data[at..at + 4].copy_from_slice(&value.to_be_bytes());
                let refused = cause(altered(identity.name().as_str(), &data));
                assert_eq!(refused, Cause::Container, "{value} at {at}");
            }
        }
        assert_eq!(Cost::DEFAULT.check(), Ok(Cost::DEFAULT));
        assert_eq!(Cost::MAX.check(), Ok(Cost::MAX));
        let long = [&data[..HEAD_LEN], &vec![0; SEALED_MAX + 1]].concat();
        assert_eq!(cause(altered(identity.name().as_str(), &long)), Cause::TooLarge);
    }

    #[test]
    fn whoever_knows_the_password_can_still_not_forge_an_identity() {
        let (ada, bob) = (identity(), identity());
        let name = ada.name().as_str();
        let forged = |name: &str, length: usize, key: &[u8], certificate: &[u8]| {
            let length = (length as u16).to_be_bytes();
            let parts = [&length[..], key, certificate];
            cause(altered(name, &seal_parts(name, &parts, "secret", CHEAP).unwrap()))
        };
        let (key, certificate) = (ada.pkcs8().unwrap(), ada.certificate());
        assert_eq!(forged(name, key.len(), bob.pkcs8().unwrap(), certificate), Cause::KeyForeign);
        assert_eq!(forged(bob.name().as_str(), key.len(), key, certificate), Cause::OtherIdentity);
        assert_eq!(forged(name, 0, &[], certificate), Cause::KeyMissing);
        assert_eq!(forged(name, 7, b"rubbish", certificate), Cause::KeyUnreadable);
        assert_eq!(forged(name, 60_000, key, certificate), Cause::Container);
        assert_eq!(forged(name, key.len(), key, &certificate[..90]), Cause::DerEnds);
        let nothing = seal_parts(name, &[b"x"], "secret", CHEAP).unwrap();
        assert_eq!(cause(altered(name, &nothing)), Cause::Container);
    }

    #[test]
    fn both_spellings_of_the_elements_are_read() {
        let identity = identity();
        let text = seal(&identity, "secret", CHEAP).unwrap();
        assert!(text.contains("<PEERNAME>") && text.contains("a &amp; &lt;b&gt;</PEERNAME><DATA "));
        let other = text.replace("PEERNAME>", "IDENTITY>").replace("DATA", "IDENTITYDATA");
        assert_eq!(open(&other, "secret").unwrap().info(), identity.info());
        for (broken, due) in [
            (text.replace("PEERNAME>", "NAME>"), Cause::Container),
            (text.replace("DATA", "IDENTITYDATA"), Cause::Container),
            (text.replace("EXPORT", "EXPORTS"), Cause::Container),
            (text.replace("</DATA>", "*</DATA>"), Cause::Base64),
            (text.replace("</DATA>", "</DATA><DATA/>"), Cause::Container),
        ] {
            assert_eq!(cause(open(&broken, "secret")), due, "{broken}");
        }
        let later = text.replace("\"1.0\"", "\"1.1\"");
        assert_eq!(open(&later, "secret").unwrap_err(), CryptoError::Version);
    }

    #[test]
    fn no_two_exports_are_alike() {
        let identity = identity();
        let text = || seal(&identity, "secret", CHEAP).unwrap();
        let (one, two) = (xml::exported(&text()).unwrap().1, xml::exported(&text()).unwrap().1);
        assert_ne!((&one[14..30], &one[30..42]), (&two[14..30], &two[30..42]));
        assert_ne!(one[HEAD_LEN..], two[HEAD_LEN..]);
        assert_eq!(one.len(), HEAD_LEN + 2 + 83 + identity.certificate().len() + TAG_LEN);
        assert!(!text().contains(&STANDARD.encode(&identity.pkcs8().unwrap()[..48])));
    }
}

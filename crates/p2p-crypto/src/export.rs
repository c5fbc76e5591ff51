//! An identity under a password: how it is carried to another machine.
//!
//! # Form
//!
//! `<PEERIDENTITYEXPORT>` with the peer name and, in base64, [sealed](crate::sealed) bytes: the length of the private key
//! as 16 bits, the key in PKCS#8, the identity certificate. They are bound to the peer name.

use crate::certificate::IDENTITY_MAX;
use crate::error::CryptoError;
use crate::identity::Identity;
use crate::refusal::Cause;
use crate::sealed::{self, Bound};
pub(crate) use crate::stretch::Cost;
use crate::xml;

/// What is authenticated begins with this.
const CONTEXT: &[u8] = b"pgrp1/identity export\0";
/// Longest private key in an export, in bytes: room for other kinds of key.
const KEY_MAX: usize = 1_024;
const CONTENTS_MAX: usize = 2 + KEY_MAX + IDENTITY_MAX;

/// The export of `identity`.
pub(crate) fn seal(identity: &Identity, password: &str, cost: Cost) -> Result<String, CryptoError> {
    let name = identity.name().as_str();
    let (key, certificate) = (identity.pkcs8()?, identity.certificate());
    let length = (key.len() as u16).to_be_bytes();
    let data = sealed::seal(bound(name), &[&length, key, certificate], password, cost)?;
    Ok(xml::export(name, &data))
}

/// The identity in an export.
pub(crate) fn open(text: &str, password: &str) -> Result<Identity, CryptoError> {
    let (name, data) = xml::exported(text)?;
    let refused = CryptoError::importing;
    let contents = sealed::open(bound(&name), &data, CONTENTS_MAX, password, refused)?;
    unpack(&contents, &name)
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

fn bound(name: &str) -> Bound<'_> {
    Bound { context: CONTEXT, beside: name.as_bytes() }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use p2p_core::FileTime;

    use super::*;
    use crate::sealed::{HEAD_LEN, TAG_LEN};

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
        let long = [&data[..HEAD_LEN], &vec![0; CONTENTS_MAX + TAG_LEN + 1]].concat();
        assert_eq!(cause(altered(identity.name().as_str(), &long)), Cause::TooLarge);
    }

    #[test]
    fn whoever_knows_the_password_can_still_not_forge_an_identity() {
        let (ada, bob) = (identity(), identity());
        let name = ada.name().as_str();
        let forged = |name: &str, length: usize, key: &[u8], certificate: &[u8]| {
            let length = (length as u16).to_be_bytes();
            let parts = [&length[..], key, certificate];
            cause(altered(name, &sealed::seal(bound(name), &parts, "secret", CHEAP).unwrap()))
        };
        let (key, certificate) = (ada.pkcs8().unwrap(), ada.certificate());
        assert_eq!(forged(name, key.len(), bob.pkcs8().unwrap(), certificate), Cause::KeyForeign);
        assert_eq!(forged(bob.name().as_str(), key.len(), key, certificate), Cause::OtherIdentity);
        assert_eq!(forged(name, 0, &[], certificate), Cause::KeyMissing);
        assert_eq!(forged(name, 7, b"rubbish", certificate), Cause::KeyUnreadable);
        assert_eq!(forged(name, 60_000, key, certificate), Cause::Container);
        assert_eq!(forged(name, key.len(), key, &certificate[..90]), Cause::DerEnds);
        let nothing = sealed::seal(bound(name), &[b"x"], "secret", CHEAP).unwrap();
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

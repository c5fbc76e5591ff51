//! Public keys as `CERT_PUBLIC_KEY_INFO` has them: taken apart from DER.
//!
//! Everything that is read here was verified by `p2p-crypto` before; this only finds the parts. What cannot be found is
//! left out.

use p2p_group::Member;

use crate::layout::{
    CERT_PUBLIC_KEY_INFO, CRYPT_ALGORITHM_IDENTIFIER, CRYPT_BIT_BLOB, CRYPT_OBJID_BLOB,
};
use crate::memory::{Arena, Room};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;

/// The parts of a SubjectPublicKeyInfo (RFC 5280 §4.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PublicKey {
    /// Dotted numbers.
    algorithm: String,
    /// DER of the algorithm's parameters; empty if there are none, as for Ed25519 (RFC 8410 §3).
    parameters: Vec<u8>,
    bits: Vec<u8>,
    unused_bits: u8,
}

impl PublicKey {
    /// Takes a SubjectPublicKeyInfo apart.
    pub(crate) fn from_spki(spki: &[u8]) -> Option<PublicKey> {
        let (info, _) = expect(spki, SEQUENCE)?;
        let (algorithm, after) = expect(info, SEQUENCE)?;
        let (bits, _) = expect(after, BIT_STRING)?;
        let (identifier, parameters) = expect(algorithm, OBJECT_IDENTIFIER)?;
        let (unused_bits, bits) = bits.split_first()?;
        Some(PublicKey {
            algorithm: dotted(identifier)?,
            parameters: parameters.to_vec(),
            bits: bits.to_vec(),
            unused_bits: *unused_bits,
        })
    }

    /// The key of a member: that of the last certificate of its chain.
    pub(crate) fn of_member(member: &Member) -> Option<PublicKey> {
        let mut rest = &member.chain[..];
        let mut last = None;
        while let Some((length, after)) = rest.split_first_chunk() {
            let (certificate, after) =
                after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            last = Some(certificate);
            rest = after;
        }
        let (certificate, _) = expect(last?, SEQUENCE)?;
        let (mut fields, _) = expect(certificate, SEQUENCE)?;
        if fields.first() == Some(&VERSION) {
            fields = element(fields)?.rest;
        }
        // Serial number, signature algorithm, issuer, validity, subject.
        for _ in 0..5 {
            fields = element(fields)?.rest;
        }
        PublicKey::from_spki(fields)
    }

    /// Reserves and fills the structure with all that it points to.
    pub(crate) fn write(&self, arena: &mut Arena) -> *mut CERT_PUBLIC_KEY_INFO {
        let room: Room<CERT_PUBLIC_KEY_INFO> = arena.reserve(1);
        let text: Vec<u8> = self.algorithm.bytes().chain([0]).collect();
        let info = CERT_PUBLIC_KEY_INFO {
            Algorithm: CRYPT_ALGORITHM_IDENTIFIER {
                pszObjId: arena.bytes(&text).cast(),
                Parameters: CRYPT_OBJID_BLOB {
                    cbData: self.parameters.len() as u32,
                    pbData: arena.bytes(&self.parameters),
                },
            },
            PublicKey: CRYPT_BIT_BLOB {
                cbData: self.bits.len() as u32,
                pbData: arena.bytes(&self.bits),
                cUnusedBits: self.unused_bits.into(),
            },
        };
        arena.set(room, 0, info);
        arena.at(room)
    }
}

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

/// The first element of DER with a one-byte tag.
fn element(der: &[u8]) -> Option<Element<'_>> {
    let (&tag, after) = der.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        0x81 | 0x82 => {
            let (length, after) = after.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), after)
        }
        _ => return None,
    };
    let (content, rest) = after.split_at_checked(length)?;
    Some(Element { tag, content, rest })
}

/// The content of the first element, if it has this tag, and what follows it.
fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(der).filter(|element| element.tag == tag).map(|element| (element.content, element.rest))
}

/// An object identifier as dotted numbers (X.690 §8.19).
fn dotted(encoded: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number = 0_u32;
    for byte in encoded {
        number = number.checked_mul(128)? | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(core::mem::take(&mut number));
        }
    }
    let (first, others) = numbers.split_first()?;
    let root = (first / 40).min(2);
    let mut text = format!("{root}.{}", first - 40 * root);
    others.iter().for_each(|number| text.push_str(&format!(".{number}")));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ed25519 key (RFC 8410 §4) of 32 equal bytes.
    fn spki() -> Vec<u8> {
        let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        [&head[..], &[0x11; 32]].concat()
    }

    #[test]
    fn an_ed25519_key_is_taken_apart() {
        let key = PublicKey::from_spki(&spki()).unwrap();
        assert_eq!(
            (key.algorithm.as_str(), key.parameters.as_slice(), key.unused_bits),
            ("1.3.101.112", &[][..], 0)
        );
        assert_eq!(key.bits, [0x11; 32]);
    }

    #[test]
    fn long_numbers_and_other_roots_are_read() {
        assert_eq!(
            dotted(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]).unwrap(),
            "1.2.840.10045.2.1"
        );
        assert_eq!(dotted(&[0x88, 0x37, 0x03]).unwrap(), "2.999.3");
        assert_eq!(dotted(&[]), None);
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        let spki = spki();
        for end in 0..spki.len() {
            assert_eq!(PublicKey::from_spki(&spki[..end]), None, "{end}");
        }
    }
}

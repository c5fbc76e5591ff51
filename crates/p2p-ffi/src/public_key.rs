//! Public keys as `CERT_PUBLIC_KEY_INFO` has them: taken apart from DER.
//!
//! Everything that is read here was verified by `p2p-crypto` before; this only finds the parts. What cannot be found is
//! left out.

use p2p_group::Member;

use crate::layout::{
    CERT_PUBLIC_KEY_INFO, CRYPT_ALGORITHM_IDENTIFIER, CRYPT_BIT_BLOB, CRYPT_OBJID_BLOB,
};
use crate::memory::{Arena, Room};

/// Longest identifier of an algorithm, as text.
const IDENTIFIER_MAX: usize = 64;
/// Longest parameters, and longest key, in bytes: far above those of any key that is accepted.
const BLOB_MAX: u32 = 1_024;
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

    /// Reads the structure as a program gives it: `None` for what no key can be.
    ///
    /// # Safety
    /// What `info` points to may be read; the identifier ends in 0.
    pub(crate) unsafe fn read(info: &CERT_PUBLIC_KEY_INFO) -> Option<PublicKey> {
        let (text, bits) = (info.Algorithm.pszObjId, info.PublicKey);
        let parameters = info.Algorithm.Parameters;
        if text.is_null() || bits.cUnusedBits > 7 {
            return None;
        }
        let mut algorithm = String::new();
        loop {
            // SAFETY: no 0 came before this byte, so the caller vouches for it.
            match unsafe { *text.cast::<u8>().add(algorithm.len()) } {
                0 => break,
                _ if algorithm.len() == IDENTIFIER_MAX => return None,
                byte @ (b'0'..=b'9' | b'.') => algorithm.push(char::from(byte)),
                _ => return None,
            }
        }
        // SAFETY: as the caller promises.
        let (parameters, bytes) = unsafe {
            (blob(parameters.pbData, parameters.cbData)?, blob(bits.pbData, bits.cbData)?)
        };
        Some(PublicKey { algorithm, parameters, bits: bytes, unused_bits: bits.cUnusedBits as u8 })
    }

    /// Puts the parts together again; `None` if the identifier is none.
    pub(crate) fn to_spki(&self) -> Option<Vec<u8>> {
        let identifier = encoded(OBJECT_IDENTIFIER, &[&identifier(&self.algorithm)?]);
        let algorithm = encoded(SEQUENCE, &[&identifier, &self.parameters]);
        let bits = encoded(BIT_STRING, &[&[self.unused_bits], &self.bits]);
        Some(encoded(SEQUENCE, &[&algorithm, &bits]))
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

/// # Safety
/// `bytes` is null or points to `length` readable bytes.
unsafe fn blob(bytes: *const u8, length: u32) -> Option<Vec<u8>> {
    match length {
        0 => Some(Vec::new()),
        _ if length > BLOB_MAX || bytes.is_null() => None,
        // SAFETY: not null, and the caller vouches for the length.
        _ => Some(unsafe { core::slice::from_raw_parts(bytes, length as usize) }.to_vec()),
    }
}

/// An element whose content is these parts.
fn encoded(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let head = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content].concat()
}

/// Dotted numbers as an object identifier (X.690 §8.19).
fn identifier(dotted: &str) -> Option<Vec<u8>> {
    let mut numbers = Vec::new();
    for number in dotted.split('.') {
        numbers.push(number.parse::<u32>().ok()?);
    }
    let [first @ 0..=2, second, ..] = numbers[..] else { return None };
    let mut bytes = Vec::new();
    let head = (first * 40).checked_add(second)?;
    for number in core::iter::once(head).chain(numbers[2..].iter().copied()) {
        let groups = (32 - number.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group > 0 { 0x80 } else { 0 };
            bytes.push((number >> (7 * group)) as u8 & 0x7f | more);
        }
    }
    Some(bytes)
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
    fn a_key_is_put_together_as_it_was() {
        let p256 = [
            &[0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01][..],
            &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04],
            &[0x22; 64],
        ]
        .concat();
        let long = encoded(
            SEQUENCE,
            &[
                &encoded(SEQUENCE, &[&encoded(OBJECT_IDENTIFIER, &[&[0x88, 0x37, 0x03]])]),
                &encoded(BIT_STRING, &[&[0], &[7; 600]]),
            ],
        );
        for spki in [spki(), p256, long] {
            let key = PublicKey::from_spki(&spki).unwrap();
            assert_eq!(key.to_spki().unwrap(), spki);
            let text: Vec<u8> = key.algorithm.bytes().chain([0]).collect();
            let blob = |bytes: &[u8]| CRYPT_OBJID_BLOB {
                cbData: bytes.len() as u32,
                pbData: bytes.as_ptr().cast_mut(),
            };
            let bits = blob(&key.bits);
            let mut info = CERT_PUBLIC_KEY_INFO {
                Algorithm: CRYPT_ALGORITHM_IDENTIFIER {
                    pszObjId: text.as_ptr().cast_mut().cast(),
                    Parameters: blob(&key.parameters),
                },
                PublicKey: CRYPT_BIT_BLOB {
                    cbData: bits.cbData,
                    pbData: bits.pbData,
                    cUnusedBits: 0,
                },
            };
            // SAFETY: ours.
            unsafe {
                assert_eq!(PublicKey::read(&info), Some(key));
                info.PublicKey.cUnusedBits = 8;
                assert_eq!(PublicKey::read(&info), None);
                info.PublicKey.cUnusedBits = 0;
                info.PublicKey.pbData = core::ptr::null_mut();
                assert_eq!(PublicKey::read(&info), None);
                info.PublicKey = CRYPT_BIT_BLOB { cbData: BLOB_MAX + 1, ..bits_of(&info, &text) };
                assert_eq!(PublicKey::read(&info), None);
                info.Algorithm.pszObjId = core::ptr::null_mut();
                assert_eq!(PublicKey::read(&info), None);
            }
        }
    }

    /// Bits that may be read.
    fn bits_of(info: &CERT_PUBLIC_KEY_INFO, bytes: &[u8]) -> CRYPT_BIT_BLOB {
        CRYPT_BIT_BLOB { pbData: bytes.as_ptr().cast_mut(), ..info.PublicKey }
    }

    #[test]
    fn what_is_no_identifier_has_no_encoding() {
        for text in ["", "1", "3.1", "1..2", "1.2.", "1.2.4294967296", "2.4294967295"] {
            assert_eq!(identifier(text), None, "{text}");
        }
        for text in ["0.0", "2.999.3", "1.2.840.10045.2.1", "1.3.4294967295"] {
            assert_eq!(dotted(&identifier(text).unwrap()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        let spki = spki();
        for end in 0..spki.len() {
            assert_eq!(PublicKey::from_spki(&spki[..end]), None, "{end}");
        }
    }
}

//! Ed25519 (RFC 8032): its DER forms (RFC 8410), and which keys are none.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::{PublicKey, join};
use crate::refusal::Cause;

/// DER SubjectPublicKeyInfo up to the 32 bytes of the key (RFC 8410 §4).
pub(super) const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER OneAsymmetricKey up to the 32 bytes of the seed (RFC 8410 §7, RFC 5958 version 2).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// The same in version 1, which ends with the seed (RFC 8410 §10.3): all that OpenSSL and others write.
const PKCS8_V1_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Where the seed stands in both.
const PKCS8_SEED: core::ops::Range<usize> = 16..48;
/// What stands between the seed and the public key.
const PKCS8_MIDDLE: [u8; 3] = [0x81, 0x21, 0x00];

pub(super) fn verifies(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

/// A key pair in memory.
pub(super) struct Pair {
    pair: Ed25519KeyPair,
    /// Version 2.
    pub(super) pkcs8: Zeroizing<Vec<u8>>,
    pub(super) public: PublicKey,
}

impl Pair {
    /// With the public key in it (version 2) or without (version 1).
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Pair, Cause> {
        if let Some(seed) = pkcs8.strip_prefix(&PKCS8_V1_HEAD) {
            return Pair::from_seed(seed);
        }
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| Cause::KeyUnreadable)?;
        let key = Pair::from_seed(pkcs8.get(PKCS8_SEED).ok_or(Cause::KeyUnreadable)?)?;
        // Whatever else of the form ring may accept: the seed was where we looked.
        let same = key.public.as_bytes() == pair.public_key().as_ref();
        if same { Ok(key) } else { Err(Cause::KeyUnreadable) }
    }

    pub(super) fn from_seed(seed: &[u8]) -> Result<Pair, Cause> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Cause::KeyUnreadable)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| Cause::KeyUnreadable)?;
        let public = PublicKey::ed25519(bytes)?;
        let pkcs8 = join(&[&PKCS8_HEAD, seed, &PKCS8_MIDDLE, public.as_bytes()]);
        Ok(Pair { pair, pkcs8, public })
    }

    pub(super) fn pkcs8_v1(&self) -> Zeroizing<Vec<u8>> {
        join(&[&PKCS8_V1_HEAD, &self.pkcs8[PKCS8_SEED]])
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

/// Whether everybody could sign with this key (its point has an order of at most 8) or the point has another
/// encoding too (RFC 8032 §5.1.3). Compared without the sign bit.
pub(super) fn is_weak(key: &[u8; 32]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
    ];
    let mut y = *key;
    y[31] &= 0x7f;
    let small = y[1..] == [0; 31] && y[0] < 2;
    // The prime is 2^255 - 19: 0xed, 30 times 0xff, 0x7f. The point of order 2 is one below it.
    let high = y[31] == 0x7f && y[1..31] == [0xff; 30] && y[0] >= 0xec;
    small || high || ORDER_8.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;

    #[test]
    fn the_key_id_is_the_plain_hash_of_the_spki() {
        // RFC 8410 §10.1: the public key of its example; the hash is that of `openssl dgst -sha256` over the DER.
        let spki = [
            &SPKI_HEAD[..],
            &[
                0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67, 0xdc,
                0x3b, 0x96, 0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad,
                0x70, 0x31, 0x66, 0xe1,
            ],
        ]
        .concat();
        let key = PublicKey::from_spki(&spki).unwrap();
        assert_eq!(key.id().authority_hex(), "a1e9156054e04fac899ae9f275132cdc07a5dbc4");
    }

    #[test]
    fn weak_and_ambiguous_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut prime = [0xff; 32];
        prime[31] = 0x7f;
        for first in [0xec, 0xed, 0xee, 0xff] {
            prime[0] = first;
            assert_eq!(PublicKey::ed25519(prime), Err(Cause::WeakKey));
        }
        prime[0] = 0xeb;
        assert!(PublicKey::ed25519(prime).is_ok());
        identity[31] = 0x80;
        assert_eq!(PublicKey::ed25519(identity), Err(Cause::WeakKey));
        assert_eq!(PublicKey::ed25519([0; 32]), Err(Cause::WeakKey));
    }

    #[test]
    fn both_versions_of_pkcs8_are_read() {
        // RFC 8410 §10.3: its example of version 1, and the public key of §10.1.
        let seed = "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
        let seed: [u8; 32] =
            core::array::from_fn(|i| u8::from_str_radix(&seed[2 * i..2 * i + 2], 16).unwrap());
        let short = [&PKCS8_V1_HEAD[..], &seed].concat();
        let key = SigningKey::from_pkcs8(&short).unwrap();
        assert_eq!(key.public().id().authority_hex(), "a1e9156054e04fac899ae9f275132cdc07a5dbc4");
        assert_eq!(key.pkcs8_v1().unwrap()[..], short);
        let whole = key.pkcs8().unwrap();
        assert_eq!(SigningKey::from_pkcs8(whole).unwrap().pkcs8().unwrap(), whole);
        for bad in [&short[..47], &[&short[..], &[0]].concat(), &short[..16]] {
            assert_eq!(SigningKey::from_pkcs8(bad).unwrap_err(), Cause::KeyUnreadable);
        }
    }
}

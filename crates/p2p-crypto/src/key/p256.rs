//! ECDSA with P-256 and SHA-256 (FIPS 186-5, SEC 1): its DER forms (RFC 5480, RFC 5915), the one form of a signature,
//! and which keys are none.
//!
//! A signature is two numbers, r and s. Within the crate they stand as 32 bytes each, most significant first; X.509,
//! TLS and most devices want the DER of RFC 3279 §2.2.3. Whoever sees (r, s) can also write (r, n − s), which verifies
//! as well. Of the two only the one with the smaller s is a signature here: we write no other and accept no other.

use core::ops::Range;

use der::asn1::{BitStringRef, OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use super::{KeyKind, PublicKey, join};
use crate::certificate::syntax::{self, Algorithm, Oid};
use crate::error::CryptoError;
use crate::refusal::Cause;

/// Bytes of an uncompressed point (SEC 1 §2.3.3): 4, x, y.
pub(super) const POINT_LEN: usize = 65;
/// DER SubjectPublicKeyInfo up to the point (RFC 5480 §2).
pub(super) const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// DER OneAsymmetricKey, version 1, with ECPrivateKey up to the 32 bytes of the number (RFC 5958, RFC 5915).
const PKCS8_HEAD: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02,
    0x01, 0x01, 0x04, 0x20,
];
/// What stands between the number and the point.
const PKCS8_MIDDLE: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];
/// Where the number stands.
const PKCS8_NUMBER: Range<usize> = 36..68;
/// Where s stands in a signature.
const S: Range<usize> = 32..64;
/// The order of the group, n (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// Largest s: (n − 1) / 2.
const S_MAX: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// `signature` is r and s, 32 bytes each; s must be the smaller one.
pub(super) fn verifies(point: &[u8; POINT_LEN], message: &[u8], signature: &[u8; 64]) -> bool {
    signature[S] <= S_MAX[..]
        && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(message, signature)
            .is_ok()
}

/// The same signature with the smaller s.
pub(super) fn with_smaller_s(mut signature: [u8; 64]) -> [u8; 64] {
    if signature[S] > S_MAX[..] {
        let mut borrow = 0;
        for (byte, order) in signature[S].iter_mut().zip(ORDER).rev() {
            let difference = i16::from(order) - i16::from(*byte) - borrow;
            borrow = i16::from(difference < 0);
            *byte = difference.rem_euclid(256) as u8;
        }
    }
    signature
}

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3).
#[derive(Sequence)]
struct SignatureValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// A signature in DER, 8 to 72 bytes.
pub(crate) fn signature_to_der(signature: &[u8; 64]) -> der::Result<Vec<u8>> {
    let (r, s) = signature.split_at(S.start);
    SignatureValue { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()
}

/// A signature in exactly its DER. Numbers of more than 256 bits cannot be part of one.
pub(crate) fn signature_from_der(der: &[u8]) -> Result<[u8; 64], Cause> {
    let value: SignatureValue<'_> = syntax::decode(der)?;
    let mut signature = [0; 64];
    for (number, end) in [(value.r, S.start), (value.s, S.end)] {
        let bytes = number.as_bytes();
        if bytes.len() > 32 {
            return Err(Cause::Profile);
        }
        signature[end - bytes.len()..end].copy_from_slice(bytes);
    }
    Ok(signature)
}

/// A key pair in memory.
pub(super) struct Pair {
    pair: EcdsaKeyPair,
    pub(super) pkcs8: Zeroizing<Vec<u8>>,
    pub(super) public: PublicKey,
}

impl Pair {
    /// `ring` gives a new key in a document of its own, which it does not wipe; it cannot make the public key of a number
    /// that we draw.
    pub(super) fn generate() -> Result<Pair, CryptoError> {
        let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(alg, &SystemRandom::new())
            .map_err(|_| CryptoError::Random)?;
        let number = document.as_ref().get(PKCS8_NUMBER).ok_or(CryptoError::Random)?;
        let point = document.as_ref().get(PKCS8_NUMBER.end + PKCS8_MIDDLE.len()..);
        Pair::new(number, point.unwrap_or_default()).map_err(|_| CryptoError::Random)
    }

    /// From PKCS#8 if that is what it holds. The public key must be in it, inside as OpenSSL writes it or outside as
    /// version 2 has it; the parameters of the curve may stand in it twice.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Option<Result<Pair, Cause>> {
        let outer = OneAsymmetricKey::from_der(pkcs8).ok()?;
        let ours =
            syntax::key_algorithm(KeyKind::EcdsaP256).is_ok_and(|due| due == outer.algorithm);
        ours.then(|| Pair::from_parts(&outer).unwrap_or(Err(Cause::KeyUnreadable)))
    }

    fn from_parts(outer: &OneAsymmetricKey<'_>) -> Option<Result<Pair, Cause>> {
        let inner = EcPrivateKey::from_der(outer.key.as_bytes()).ok()?;
        let right = outer.version == u8::from(outer.public.is_some())
            && inner.version == 1
            && inner.parameters.is_none_or(|curve| curve == syntax::P256);
        let point = match (inner.public, outer.public) {
            (Some(one), Some(two)) if one == two => one,
            (Some(one), None) | (None, Some(one)) => one,
            _ => return None,
        };
        right.then(|| Pair::new(inner.key.as_bytes(), point.as_bytes().unwrap_or_default()))
    }

    /// `ring` checks that the two belong together.
    fn new(number: &[u8], point: &[u8]) -> Result<Pair, Cause> {
        let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(alg, number, point, &SystemRandom::new())
                .map_err(|_| Cause::KeyUnreadable)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| Cause::KeyUnreadable)?;
        let public = PublicKey::p256(bytes)?;
        let pkcs8 = join(&[&PKCS8_HEAD, number, &PKCS8_MIDDLE, point]);
        Ok(Pair { pair, pkcs8, public })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], CryptoError> {
        let signature =
            self.pair.sign(&SystemRandom::new(), message).map_err(|_| CryptoError::Random)?;
        let signature = signature.as_ref().try_into().expect("two numbers of 256 bits");
        Ok(with_smaller_s(signature))
    }
}

/// OneAsymmetricKey (RFC 5958 §2) without attributes.
#[derive(Sequence)]
struct OneAsymmetricKey<'a> {
    version: u8,
    algorithm: Algorithm<'a>,
    key: &'a OctetStringRef,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    public: Option<BitStringRef<'a>>,
}

/// ECPrivateKey (RFC 5915 §3).
#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    parameters: Option<Oid<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public: Option<BitStringRef<'a>>,
}

/// Whether these bytes are a point of the curve, uncompressed: y² = x³ − 3x + b (SEC 2 §2.4.2), with both coordinates
/// below the prime. `ring` finds that out too, but only when a signature is verified, and the key of a chain's last
/// member verifies none. Nothing here is secret.
pub(super) fn is_point(point: &[u8; POINT_LEN]) -> bool {
    let (x, y) = (field::read(&point[1..33]), field::read(&point[33..]));
    let (Some(x), Some(y)) = (x, y) else { return false };
    let (x, y) = (field::multiply(x, field::SQUARE), field::multiply(y, field::SQUARE));
    let mut right = field::multiply(x, x);
    (0..3).for_each(|_| right = field::subtract(right, field::ONE));
    right = field::add(field::multiply(right, x), field::B);
    point[0] == 4 && field::multiply(y, y) == right
}

/// Numbers modulo the prime of P-256, least significant part first; products are those of Montgomery with R = 2^256.
mod field {
    pub(super) type Number = [u64; 4];

    /// The prime. Its lowest part is 2^64 − 1, so that Montgomery's factor is 1.
    pub(super) const PRIME: Number = [u64::MAX, 0xffff_ffff, 0, 0xffff_ffff_0000_0001];
    /// R, which stands for 1.
    pub(super) const ONE: Number =
        [1, 0xffff_ffff_0000_0000, 0xffff_ffff_ffff_ffff, 0x0000_0000_ffff_fffe];
    /// R², by which a number is brought into this form.
    pub(super) const SQUARE: Number =
        [3, 0xffff_fffb_ffff_ffff, 0xffff_ffff_ffff_fffe, 0x0000_0004_ffff_fffd];
    /// b in this form.
    pub(super) const B: Number = [
        0xd89c_df62_29c4_bddf,
        0xacf0_05cd_7884_3090,
        0xe5a2_20ab_f721_2ed6,
        0xdc30_061d_0487_4834,
    ];

    /// A number below the prime, from 32 bytes.
    pub(super) fn read(bytes: &[u8]) -> Option<Number> {
        let mut number = [0; 4];
        for (part, chunk) in number.iter_mut().rev().zip(bytes.chunks_exact(8)) {
            *part = u64::from_be_bytes(chunk.try_into().ok()?);
        }
        minus(number, PRIME).1.then_some(number)
    }

    pub(super) fn add(a: Number, b: Number) -> Number {
        let mut sum = [0; 5];
        let mut carry = 0;
        for i in 0..4 {
            carry += u128::from(a[i]) + u128::from(b[i]);
            sum[i] = carry as u64;
            carry >>= 64;
        }
        sum[4] = carry as u64;
        reduce(sum)
    }

    pub(super) fn subtract(a: Number, b: Number) -> Number {
        match minus(a, b) {
            (difference, false) => difference,
            // Below zero by less than the prime.
            (difference, true) => {
                let mut carry = 0;
                core::array::from_fn(|i| {
                    carry += u128::from(difference[i]) + u128::from(PRIME[i]);
                    let part = carry as u64;
                    carry >>= 64;
                    part
                })
            }
        }
    }

    /// a · b / R.
    pub(super) fn multiply(a: Number, b: Number) -> Number {
        let mut sum = [0_u64; 5];
        for part in b {
            // Twice `sum += factor * number`: b's part of a, then what makes the lowest part zero.
            let mut top = plus_product(&mut sum, part, a);
            let factor = sum[0];
            top += plus_product(&mut sum, factor, PRIME);
            sum.copy_within(1.., 0);
            sum[4] = top;
        }
        reduce(sum)
    }

    /// Adds to the first five parts and returns the sixth.
    fn plus_product(sum: &mut [u64; 5], factor: u64, number: Number) -> u64 {
        let mut carry = 0;
        for (part, other) in sum.iter_mut().zip(number) {
            carry += u128::from(*part) + u128::from(factor) * u128::from(other);
            *part = carry as u64;
            carry >>= 64;
        }
        carry += u128::from(sum[4]);
        sum[4] = carry as u64;
        (carry >> 64) as u64
    }

    /// A number below twice the prime.
    fn reduce(sum: [u64; 5]) -> Number {
        let number = [sum[0], sum[1], sum[2], sum[3]];
        let (difference, below) = minus(number, PRIME);
        if below && sum[4] == 0 { number } else { difference }
    }

    /// The difference modulo 2^256, and whether it is below zero.
    fn minus(a: Number, b: Number) -> (Number, bool) {
        let mut below = false;
        let difference = core::array::from_fn(|i| {
            let (first, one) = a[i].overflowing_sub(b[i]);
            let (second, two) = first.overflowing_sub(u64::from(below));
            below = one || two;
            second
        });
        (difference, below)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;

    fn unhex<const N: usize>(text: &str) -> [u8; N] {
        core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    fn point(key: &SigningKey) -> [u8; POINT_LEN] {
        key.public().as_bytes().try_into().unwrap()
    }

    /// RFC 6979 §A.2.5: key, and its signature of "sample" with SHA-256 (whose s is the larger one).
    const NUMBER: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    const X: &str = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
    const Y: &str = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    const R: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    const LARGE_S: &str = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

    fn rfc_point() -> [u8; POINT_LEN] {
        unhex(&format!("04{X}{Y}"))
    }

    #[test]
    fn of_the_two_signatures_one_is_accepted() {
        let large: [u8; 64] = unhex(&format!("{R}{LARGE_S}"));
        let ring = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, rfc_point());
        let small = with_smaller_s(large);
        assert_ne!(small, large);
        for signature in [small, large] {
            assert!(ring.verify(b"sample", &signature).is_ok());
            assert_eq!(with_smaller_s(signature), small);
        }
        assert!(verifies(&rfc_point(), b"sample", &small));
        assert!(!verifies(&rfc_point(), b"sample", &large));
    }

    #[test]
    fn what_is_signed_has_the_smaller_s() {
        let key = Pair::generate().unwrap();
        let PublicKey(super::super::Bytes::EcdsaP256(point)) = key.public else { panic!() };
        for i in 0..32_u8 {
            let signature = key.sign(&[i]).unwrap();
            assert!(signature[S] <= S_MAX[..] && verifies(&point, &[i], &signature));
        }
    }

    #[test]
    fn the_limit_of_s_is_half_the_order() {
        let mut s = [0; 64];
        s[S].copy_from_slice(&S_MAX);
        assert_eq!(with_smaller_s(s), s);
        s[63] += 1;
        let other = with_smaller_s(s);
        assert_eq!(other[S], S_MAX);
        s[S].copy_from_slice(&ORDER);
        assert_eq!(with_smaller_s(s), [0; 64]);
    }

    #[test]
    fn signatures_have_one_der() {
        let mut signature: [u8; 64] = unhex(&format!("{R}{LARGE_S}"));
        // Leading zeros, and a number whose top bit is set.
        signature[32..40].fill(0);
        let der = signature_to_der(&signature).unwrap();
        assert_eq!(der[..5], [0x30, 2 + 33 + 2 + 25, 2, 33, 0]);
        assert_eq!(signature_from_der(&der), Ok(signature));
        let mut padded = der.clone();
        padded.splice(3..4, [34, 0]);
        padded[1] += 1;
        assert_eq!(signature_from_der(&padded), Err(Cause::DerMalformed));
        assert_eq!(signature_from_der(&[&der[..], &[0]].concat()), Err(Cause::DerMalformed));
        assert_eq!(signature_from_der(&der[..der.len() - 1]), Err(Cause::DerEnds));
        let negative = [0x30, 6, 2, 1, 0x80, 2, 1, 1];
        assert!(signature_from_der(&negative).is_err());
        let huge = [&[0x30, 38, 2, 33, 1][..], &[0; 32], &[2, 1, 1]].concat();
        assert_eq!(signature_from_der(&huge), Err(Cause::Profile));
    }

    #[test]
    fn points_are_on_the_curve_in_one_form() {
        assert!(is_point(&rfc_point()));
        for _ in 0..16 {
            let key = SigningKey::generate(KeyKind::EcdsaP256).unwrap();
            assert!(is_point(&point(&key)));
        }
        for bit in 0..8 * POINT_LEN {
            let mut other = rfc_point();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_point(&other), "bit {bit}");
        }
        assert!(!is_point(&[0; POINT_LEN]) && !is_point(&[4; POINT_LEN]));
        // The other point with this x.
        let mut mirrored = rfc_point();
        let y = field::subtract([0; 4], field::read(&mirrored[33..]).unwrap());
        for (chunk, part) in mirrored[33..].chunks_exact_mut(8).zip(y.iter().rev()) {
            chunk.copy_from_slice(&part.to_be_bytes());
        }
        assert!(is_point(&mirrored));
    }

    #[test]
    fn a_coordinate_has_one_form_modulo_the_prime() {
        let prime: [u8; 32] =
            unhex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
        assert_eq!(field::read(&prime), None);
        assert_eq!(field::read(&[0xff; 32]), None);
        let mut below = prime;
        below[31] -= 1;
        let minus_one = field::read(&below).unwrap();
        assert_eq!(field::add(minus_one, [1, 0, 0, 0]), [0; 4]);
        assert_eq!(field::subtract([0; 4], [1, 0, 0, 0]), minus_one);
        // The point with x = 0 is on the curve; x = prime would be the same.
        let y: [u8; 32] = unhex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
        let zero = [&[4][..], &[0; 32], &y].concat().try_into().unwrap();
        assert!(is_point(&zero));
        assert!(!is_point(&[&[4][..], &prime, &y].concat().try_into().unwrap()));
    }

    #[test]
    fn pkcs8_of_other_makers_is_read() {
        let number: [u8; 32] = unhex(NUMBER);
        let ours = Pair::new(&number, &rfc_point()).unwrap();
        let bits = |tag: u8| [&[tag, 0x42, 0][..], &rfc_point()].concat();
        let curve = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7][..];
        let sequence = |parts: &[&[u8]]| {
            let body = parts.concat();
            let head = match u8::try_from(body.len()).unwrap() {
                short @ ..0x80 => vec![0x30, short],
                long => vec![0x30, 0x81, long],
            };
            [head, body].concat()
        };
        let whole = |version: u8, curve_inside: bool, inside: bool, outside: bool| {
            let mut inner = [&[2, 1, 1, 4, 32][..], &number].concat();
            if curve_inside {
                inner.extend([&[0xa0, 10], curve].concat());
            }
            if inside {
                inner.extend([&[0xa1, 0x44][..], &bits(3)].concat());
            }
            let inner = sequence(&[&inner]);
            let id = sequence(&[&[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], curve]);
            let key = [&[4, u8::try_from(inner.len()).unwrap()][..], &inner].concat();
            let key = if inner.len() < 0x80 { key } else { [&[4, 0x81][..], &key[1..]].concat() };
            let public = if outside { bits(0x81) } else { Vec::new() };
            sequence(&[&[2, 1, version], &id, &key, &public])
        };
        assert_eq!(whole(0, false, true, false), ours.pkcs8[..]);
        for (version, curve_inside, inside, outside) in
            [(0, true, true, false), (1, false, false, true), (1, true, true, true)]
        {
            let pkcs8 = whole(version, curve_inside, inside, outside);
            let read = Pair::from_pkcs8(&pkcs8).unwrap().unwrap();
            assert_eq!(read.pkcs8[..], ours.pkcs8[..]);
        }
        // Without the public key, which ring cannot compute; versions that do not fit.
        for (version, inside, outside) in
            [(0, false, false), (0, true, true), (1, true, false), (2, true, false)]
        {
            let pkcs8 = whole(version, false, inside, outside);
            assert_eq!(SigningKey::from_pkcs8(&pkcs8).unwrap_err(), Cause::KeyUnreadable);
        }
    }
}

//! RFC 9383, Appendix C: the vector of our suite, every value of it that the interface shows, on both sides.
//!
//! A scalar is drawn as 64 random bytes and reduced, so a generator of 32 zeros and the vector's number draws that.

use spake2plus::rand_core::{TryCryptoRng, TryRng};

use super::*;

const CONTEXT: &[u8] = b"SPAKE2+-P256-SHA256-HKDF-SHA256-HMAC-SHA256 Test Vectors";
const W0: &str = "bb8e1bbcf3c48f62c08db243652ae55d3e5586053fca77102994f23ad95491b3";
const W1: &str = "7e945f34d78785b8a3ef44d0df5a1a97d6b3b460409a345ca7830387a74b1dba";
const L: &str = "04eb7c9db3d9a9eb1f8adab81b5794c1f13ae3e225efbe91ea487425854c7fc00f\
                 00bfedcbd09b2400142d40a14f2064ef31dfaa903b91d1faea7093d835966efd";
const X: &str = "d1232c8e8693d02368976c174e2088851b8365d0d79a9eee709c6a05a2fad539";
const SHARE_P: &str = "04ef3bd051bf78a2234ec0df197f7828060fe9856503579bb1733009042c15c0c1\
                       de127727f418b5966afadfdd95a6e4591d171056b333dab97a79c7193e341727";
const Y: &str = "717a72348a182085109c8d3917d6c43d59b224dc6a7fc4f0483232fa6516d8b3";
const SHARE_V: &str = "04c0f65da0d11927bdf5d560c69e1d7d939a05b0e88291887d679fcadea75810fb\
                       5cc1ca7494db39e82ff2f50665255d76173e09986ab46742c798a9a68437b048";
const CONFIRM_P: &str = "926cc713504b9b4d76c9162ded04b5493e89109f6d89462cd33adc46fda27527";
const CONFIRM_V: &str = "9747bcc4f8fe9f63defee53ac9b07876d907d55047e6ff2def2e7529089d3e68";
const K_SHARED: &str = "0c5f8ccd1413423a54f6c1fb26ff01534a87f893779c6e68666d772bfd91f3e7";

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

fn stretched() -> Stretched {
    let mut stretched = [0; STRETCHED_LEN];
    stretched[8..40].copy_from_slice(&unhex::<32>(W0));
    stretched[48..].copy_from_slice(&unhex::<32>(W1));
    stretched
}

fn record() -> Record {
    let mut record = [0; RECORD_LEN];
    record[..32].copy_from_slice(&unhex::<32>(W0));
    record[32..].copy_from_slice(&unhex::<65>(L));
    record
}

/// Draws one number.
struct Draws(&'static str);

impl TryRng for Draws {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        panic!("only bytes are drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        panic!("only bytes are drawn")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        assert_eq!(bytes.len(), 64);
        bytes[..32].fill(0);
        bytes[32..].copy_from_slice(&unhex::<32>(self.0));
        Ok(())
    }
}

impl TryCryptoRng for Draws {}

/// The vector's shares with its scalars, then what remains through our own interface.
fn shares() -> (Prover<P256Sha256>, Verifier<P256Sha256>) {
    let context = context(Bound { context: CONTEXT, prover: b"client", verifier: b"server" });
    let secret = ProverSecret::from_pbkdf_output(&stretched()).unwrap();
    let (prover, share_p) = Prover::start(&secret, &context, &mut Draws(X));
    let record = VerifierRecord::from_bytes(&record()).unwrap();
    let (verifier, share_v) = Verifier::start(&record, &context, &mut Draws(Y));
    assert_eq!(share_p.as_bytes(), &unhex::<65>(SHARE_P));
    assert_eq!(share_v.as_bytes(), &unhex::<65>(SHARE_V));
    (prover, verifier)
}

#[test]
fn registration_is_that_of_the_rfc() {
    assert_eq!(*Spake2Plus::record(&stretched()).unwrap(), record());
    assert!(Spake2Plus::is_record(&record()));
}

#[test]
fn a_whole_exchange_is_that_of_the_rfc() {
    let (prover, verifier) = shares();
    let share_p = ShareP::from_bytes(&unhex::<65>(SHARE_P)).unwrap();
    let (verifier, confirm_v) = verifier.receive(&share_p).unwrap();
    assert_eq!(confirm_v.as_bytes(), &unhex::<32>(CONFIRM_V));
    let confirm_p = Spake2Plus::confirm(prover, &unhex(SHARE_V), &unhex(CONFIRM_V));
    assert_eq!(confirm_p, Some(unhex(CONFIRM_P)));
    assert!(Spake2Plus::check(verifier, &unhex(CONFIRM_P)));
}

#[test]
fn both_sides_have_the_key_of_the_rfc() {
    let (prover, verifier) = shares();
    let share_p = ShareP::from_bytes(&unhex::<65>(SHARE_P)).unwrap();
    let share_v = ShareV::from_bytes(&unhex::<65>(SHARE_V)).unwrap();
    let (verifier, confirm_v) = verifier.receive(&share_p).unwrap();
    let (confirm_p, key) = prover.receive(&share_v).unwrap().finish(&confirm_v).unwrap();
    assert_eq!(key.as_bytes(), &unhex::<32>(K_SHARED));
    assert_eq!(verifier.finish(&confirm_p).unwrap().as_bytes(), &unhex::<32>(K_SHARED));
}

#[test]
fn any_bit_of_a_confirmation_counts() {
    for bit in 0..256 {
        let (prover, verifier) = shares();
        let (mut p, mut v) = (unhex::<32>(CONFIRM_P), unhex::<32>(CONFIRM_V));
        p[bit / 8] ^= 1 << (bit % 8);
        v[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Spake2Plus::confirm(prover, &unhex(SHARE_V), &v), None, "bit {bit}");
        if bit % 16 == 0 {
            let share_p = ShareP::from_bytes(&unhex::<65>(SHARE_P)).unwrap();
            let (verifier, _) = verifier.receive(&share_p).unwrap();
            assert!(!Spake2Plus::check(verifier, &p), "bit {bit}");
        }
    }
}

#[test]
fn a_share_that_is_no_point_or_has_another_form_is_turned_down() {
    let bound = Bound { context: CONTEXT, prover: b"client", verifier: b"server" };
    let answer = |share: Share| {
        Spake2Plus::answer(&record(), bound, &share, Randomness::new(&[7; 32], b"")).is_some()
    };
    let good: Share = unhex(SHARE_P);
    assert!(answer(good));
    // The identity, padded; the compressed and the hybrid form; a coordinate that is the prime or more; off the curve.
    let mut prime = good;
    prime[1..33].copy_from_slice(&unhex::<32>(
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    ));
    let mut high = good;
    high[33..].fill(0xff);
    for (bad, what) in [
        ([0; SHARE_LEN], "the identity"),
        ([4; SHARE_LEN], "any bytes"),
        (prime, "the prime"),
        (high, "above the prime"),
    ] {
        assert!(!answer(bad), "{what}");
    }
    for form in [0, 2, 3, 5, 6, 7] {
        let mut other = good;
        other[0] = form;
        assert!(!answer(other), "form {form}");
    }
    for bit in 8..8 * SHARE_LEN {
        let mut off = good;
        off[bit / 8] ^= 1 << (bit % 8);
        assert!(!answer(off), "bit {bit}");
    }
}

#[test]
fn a_share_that_leaves_nothing_secret_is_turned_down() {
    // w0·M: the verifier's share of a prover whose own number is zero.
    struct Zero;
    impl TryRng for Zero {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(0);
            Ok(())
        }
    }
    impl TryCryptoRng for Zero {}
    let bound = Bound { context: CONTEXT, prover: b"client", verifier: b"server" };
    let secret = ProverSecret::<P256Sha256>::from_pbkdf_output(&stretched()).unwrap();
    let (_, share) = Prover::start(&secret, &context(bound), &mut Zero);
    let random = Randomness::new(&[7; 32], b"");
    assert!(Spake2Plus::answer(&record(), bound, share.as_bytes(), random).is_none());
}

#[test]
fn records_have_one_form() {
    let good = record();
    let mut zero = good;
    zero[..32].fill(0);
    let mut order = good;
    order[..32].copy_from_slice(&unhex::<32>(
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    ));
    let mut compressed = good;
    compressed[32] = 3;
    let mut off = good;
    off[96] ^= 1;
    for bad in [zero, order, compressed, off, [0; RECORD_LEN]] {
        assert!(!Spake2Plus::is_record(&bad));
    }
}

#[test]
fn randomness_follows_from_its_entropy_and_purpose() {
    let draw = |entropy: &[u8; 32], purpose: &[u8]| {
        let mut bytes = [0; 100];
        Randomness::new(entropy, purpose).fill(&mut bytes);
        bytes
    };
    let one = draw(&[1; 32], b"a");
    assert_eq!(one, draw(&[1; 32], b"a"));
    assert_ne!(one, draw(&[2; 32], b"a"));
    assert_ne!(one, draw(&[1; 32], b"b"));
    assert_ne!(one[..32], one[32..64]);
}

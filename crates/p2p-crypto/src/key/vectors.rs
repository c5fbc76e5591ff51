//! Wycheproof's cases for Ed25519 and ECDSA through the very calls by which certificates and invitations are verified.
//!
//! Three doors stand in a row: the DER of the key ([`PublicKey::from_spki`], with the rule about weak keys), the length
//! of the signature (64 bytes by type, so that a longer or shorter one never reaches `ring`), and `ring` itself.
//! [`Seen`] says which of them refused. A valid case that our rule about keys refuses would be a member whom nobody
//! believes, an invalid one that passes would be a forgery.
//!
//! Where we differ from `ring`: no case of Wycheproof has a weak key, so its verdicts and ours are the same on all of
//! them. On keys of small order they differ, and the second test shows why: `ring` checks the equation of RFC 8032
//! §5.1.7 and nothing else, and for such a key everybody can solve it.
//!
//! For ECDSA there is one more door, [`p256::verifies`]: of the two values of s only the smaller one passes. Wycheproof
//! calls both valid, so what that door turns away must be valid to `ring`, and pass with the other s.

use ring::signature::{ED25519, UnparsedPublicKey};
use wycheproof::eddsa::{TestName, TestSet};
use wycheproof::{TestResult, ecdsa};

use super::ed25519::SPKI_HEAD;
use super::{PublicKey, p256};
use crate::refusal::Cause;

/// What became of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Accepted,
    WeakKey,
    Length,
    Signature,
}

fn verify(spki: &[u8], message: &[u8], signature: &[u8]) -> Seen {
    let key = match PublicKey::from_spki(spki) {
        Ok(key) => key,
        Err(cause) => {
            assert_eq!(cause, Cause::WeakKey);
            return Seen::WeakKey;
        }
    };
    match signature.try_into() {
        Ok(signature) if key.verifies(message, signature) => Seen::Accepted,
        Ok(_) => Seen::Signature,
        Err(_) => Seen::Length,
    }
}

#[test]
fn every_case_of_wycheproof_ends_as_it_should() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let mut counts = [0; 4];
    for group in &set.test_groups {
        assert_eq!(group.der[..], [&SPKI_HEAD[..], &group.key.pk].concat());
        for test in &group.tests {
            let valid = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("case {} may go either way", test.tc_id),
            };
            let seen = verify(&group.der, &test.msg, &test.sig);
            assert_eq!(seen == Seen::Accepted, valid, "case {}: {seen:?}", test.tc_id);
            let ring = UnparsedPublicKey::new(&ED25519, &group.key.pk[..]);
            let by_ring = ring.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(by_ring, valid, "case {}", test.tc_id);
            counts[seen as usize] += 1;
        }
    }
    // Accepted, weak, of another length, not the key's: a list that shrinks or a rule that moves shows here.
    assert_eq!(counts, [88, 0, 12, 51]);
}

#[test]
fn the_keys_that_ring_takes_and_we_do_not_sign_for_everybody() {
    // The points of order 1, 4, 8 and 8; order 2 and the second encodings are in the tests of the rule itself.
    let points = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    ];
    // R is the neutral element and S is zero: made without any private key.
    let mut signature = [0; 64];
    signature[0] = 1;
    for text in points {
        let key: [u8; 32] =
            core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap());
        let forged = (0..=255u8).filter(|message| {
            UnparsedPublicKey::new(&ED25519, &key).verify(&[*message], &signature).is_ok()
        });
        // With order n every n-th message verifies, about.
        assert!(forged.count() >= 16, "{text}");
        let spki = [&SPKI_HEAD[..], &key].concat();
        assert_eq!(verify(&spki, b"anything", &signature), Seen::WeakKey);
    }
}

/// What became of a case of ECDSA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SeenEcdsa {
    Accepted,
    LargerS,
    Form,
    Signature,
}

/// `read` makes 64 bytes of a signature, or refuses its form.
fn verify_ecdsa(
    spki: &[u8],
    message: &[u8],
    signature: &[u8],
    read: fn(&[u8]) -> Option<[u8; 64]>,
) -> SeenEcdsa {
    let key = PublicKey::from_spki(spki).unwrap();
    let Some(signature) = read(signature) else { return SeenEcdsa::Form };
    if key.verifies(message, &signature) {
        return SeenEcdsa::Accepted;
    }
    let other = p256::with_smaller_s(signature);
    if other != signature && key.verifies(message, &other) {
        return SeenEcdsa::LargerS;
    }
    SeenEcdsa::Signature
}

fn run_ecdsa(name: ecdsa::TestName, read: fn(&[u8]) -> Option<[u8; 64]>) -> [usize; 4] {
    let mut counts = [0; 4];
    for group in &ecdsa::TestSet::load(name).unwrap().test_groups {
        for test in &group.tests {
            let valid = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("case {} may go either way", test.tc_id),
            };
            let seen = verify_ecdsa(&group.der, &test.msg, &test.sig, read);
            let good = matches!(seen, SeenEcdsa::Accepted | SeenEcdsa::LargerS);
            assert_eq!(good, valid, "case {}: {seen:?}", test.tc_id);
            counts[seen as usize] += 1;
        }
    }
    counts
}

#[test]
fn every_case_of_ecdsa_ends_as_it_should() {
    // Accepted, the larger s, another form, not the key's. As certificates have them:
    let der = |bytes: &[u8]| p256::signature_from_der(bytes).ok();
    assert_eq!(run_ecdsa(ecdsa::TestName::EcdsaSecp256r1Sha256, der), [103, 71, 235, 75]);
    // As invitations have them:
    let fixed = |bytes: &[u8]| bytes.try_into().ok();
    assert_eq!(run_ecdsa(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, fixed), [103, 70, 21, 68]);
}

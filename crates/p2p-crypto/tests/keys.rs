//! Both kinds of key, alone and beside each other, and keys that live elsewhere.

#[path = "../examples/device.rs"]
#[allow(dead_code, unreachable_pub, reason = "the example runs by itself too")]
mod device;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use device::Device;
use p2p_core::{Code, FileTime, Object, ObjectKind, Reason, Refusal, Roles};
use p2p_crypto::{
    Cause, CryptoError, GroupIdentity, Identity, IdentityInfo, Invitation, IssueRequest, KeyKind,
    KeySource, KeySourceError, RevocationRequest, revoke, verify_chain, verify_object,
    verify_tls_certificate,
};
use proptest::prelude::*;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};

const KINDS: [KeyKind; 2] = [KeyKind::Ed25519, KeyKind::EcdsaP256];

fn now() -> FileTime {
    FileTime::from_unix(1_795_348_800)
}

fn identity(kind: KeyKind) -> Identity {
    Identity::create_with(kind, None, None, now()).unwrap()
}

fn invite(issuer: &Identity, chain: &Bytes, subject: &IdentityInfo) -> Invitation {
    let request =
        IssueRequest { subject, roles: Roles::ADMIN, expires: None, hints: &[], now: now() };
    Invitation::issue(issuer, chain, &request).unwrap()
}

/// A group, its creator and a member that the creator invited, of these kinds.
fn family(kinds: [KeyKind; 3]) -> (GroupIdentity, Identity, Identity, Invitation) {
    let group = GroupIdentity::create_with(kinds[0], Some("chess"), None, now()).unwrap();
    let (ada, bob) = (identity(kinds[1]), identity(kinds[2]));
    let chain = group.issue_creator(&ada.info(), now()).unwrap();
    let invitation = invite(&ada, &chain, &bob.info());
    (group, ada, bob, invitation)
}

/// Every choice of kinds for a group, its creator and a member.
fn mixtures() -> impl Iterator<Item = [KeyKind; 3]> {
    (0..8).map(|bits| core::array::from_fn(|i| KINDS[bits >> i & 1]))
}

fn codes(refusal: Refusal) -> (&'static str, &'static str) {
    (refusal.code.name().unwrap(), refusal.detail.name().unwrap())
}

#[test]
fn groups_of_mixed_keys_hold_together() {
    for kinds in mixtures() {
        let (group, ada, bob, invitation) = family(kinds);
        assert_eq!([ada.key_kind(), bob.key_kind()], kinds[1..]);
        for text in [invitation.as_xml().to_owned(), invitation.to_line()] {
            let read = Invitation::parse(&text).unwrap();
            assert_eq!(read.check_for(&bob.key_id(), now()).unwrap().key, bob.key_id());
        }
        let chain = invitation.chain();
        let member = verify_chain(&group.key_id(), chain, &bob.key_id(), &now()).unwrap();
        assert_eq!((member.depth, &member.issuer_name), (2, &ada.name().to_string()));
        // And one below the member, whatever it is.
        let cid = identity(KeyKind::EcdsaP256);
        let longer = invite(&bob, chain, &cid.info());
        assert!(verify_chain(&group.key_id(), longer.chain(), &cid.key_id(), &now()).is_ok());

        let request = RevocationRequest {
            target: cid.key_id(),
            serial: None,
            reason: Reason::Unspecified,
            now: now(),
        };
        let revoked = revoke(&bob, chain, &request).unwrap();
        let object = verify_object(&group.key_id(), ObjectKind::Revocation, &revoked).unwrap();
        assert!(matches!(object, Object::Revocation(_)));
    }
}

#[test]
fn identities_of_both_kinds_are_kept_loaded_described_and_moved() {
    for kind in KINDS {
        let ada = Identity::create_with(kind, Some("home"), Some("Ada"), now()).unwrap();
        let pkcs8 = ada.pkcs8().unwrap();
        let loaded = Identity::from_parts(pkcs8, ada.certificate()).unwrap();
        assert_eq!((loaded.info(), loaded.pkcs8()), (ada.info(), Ok(pkcs8)));
        let short = ada.pkcs8_v1().unwrap();
        for pkcs8 in [pkcs8, &short] {
            let again = Identity::from_pkcs8(pkcs8, None, None, now()).unwrap();
            assert_eq!((again.key_id(), again.key_kind()), (ada.key_id(), kind));
        }
        assert_eq!(IdentityInfo::from_xml(&ada.to_xml()).unwrap(), ada.info());
        let tls = verify_tls_certificate(ada.tls_certificate()).unwrap();
        assert_eq!((tls.key, tls.public_key), (ada.key_id(), ada.info().public_key));
        let same = loaded.tls_certificate() == ada.tls_certificate();
        assert_eq!(same, kind == KeyKind::Ed25519);
        let moved = Identity::import(&ada.export("secret").unwrap(), "secret").unwrap();
        assert_eq!((moved.info(), moved.pkcs8()), (ada.info(), Ok(pkcs8)));

        let group = GroupIdentity::create_with(kind, None, None, now()).unwrap();
        let kept = GroupIdentity::from_parts(group.pkcs8().unwrap(), group.certificate()).unwrap();
        assert_eq!(kept.key_id(), group.key_id());
        let foreign = Identity::from_parts(group.pkcs8().unwrap(), ada.certificate());
        assert_eq!(foreign.unwrap_err(), Cause::KeyForeign.refusal());
    }
    assert_eq!(Identity::create(None, None, now()).unwrap().key_kind(), KeyKind::Ed25519);
}

#[test]
fn certificates_on_p256_fit_and_what_does_not_is_an_error() {
    // The widest names of both sorts do not fit into 1,280 bytes; the widest of common letters do, in every kind.
    for kinds in mixtures() {
        let group = GroupIdentity::create_with(
            kinds[0],
            Some(&"c".repeat(149)),
            Some(&"g".repeat(255)),
            now(),
        );
        let group = group.unwrap();
        let create = |name: &str, classifier: &str| {
            Identity::create_with(kinds[1], Some(classifier), Some(name), now()).unwrap().info()
        };
        let plain = create(&"f".repeat(255), &"i".repeat(149));
        let chain = group.issue_creator(&plain, now()).unwrap();
        assert!(chain.len() < 2 * 1_282);
        let wide = create(&"東".repeat(255), &"東".repeat(149));
        let error = group.issue_creator(&wide, now()).unwrap_err();
        assert_eq!(error.code(), Code::E_INVALIDARG);
    }
}

#[test]
fn a_chain_on_p256_with_any_bit_flipped_is_refused() {
    let (group, _, bob, invitation) = family([KeyKind::EcdsaP256; 3]);
    let mut chain = invitation.chain().to_vec();
    for bit in 0..8 * chain.len() {
        chain[bit / 8] ^= 1 << (bit % 8);
        let refused = verify_chain(&group.key_id(), &chain, &bob.key_id(), &now());
        assert!(refused.is_err(), "bit {bit}");
        chain[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(verify_chain(&group.key_id(), &chain, &bob.key_id(), &now()).is_ok());
}

/// The order of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn a_revocation_has_no_second_form() {
    let (group, ada, bob, _) = family([KeyKind::EcdsaP256; 3]);
    let chain = group.issue_creator(&ada.info(), now()).unwrap();
    let request = RevocationRequest {
        target: bob.key_id(),
        serial: None,
        reason: Reason::Unspecified,
        now: now(),
    };
    let object = revoke(&ada, &chain, &request).unwrap();
    let verify = |bytes: &Bytes| verify_object(&group.key_id(), ObjectKind::Revocation, bytes);
    assert!(verify(&object).is_ok());
    // It ends with r and s; n - s would do for everybody who takes either.
    let mut other = object.to_vec();
    let at = other.len() - 32;
    let mut borrow = 0;
    for (byte, order) in other[at..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256) as u8;
    }
    assert_eq!(verify(&other.into()).unwrap_err(), Cause::TextSignature.refusal());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nor is an invitation whose signature is of the other kind than its chain's, with any one bit flipped.
    #[test]
    fn a_flipped_bit_of_an_invitation_is_noticed(
        mixture in 0usize..8,
        position in any::<prop::sample::Index>(),
        bit in 0u8..7,
    ) {
        let (_, _, _, invitation) = family(mixtures().nth(mixture).unwrap());
        let mut text = invitation.as_xml().as_bytes().to_vec();
        let at = position.index(text.len());
        text[at] ^= 1 << bit;
        let text = String::from_utf8(text).unwrap();
        prop_assert!(Invitation::parse(&text).is_err());
    }
}

#[test]
fn what_signs_for_tls_signs_as_tls_has_it() {
    for kind in KINDS {
        let ada = identity(kind);
        let source = ada.key_source();
        assert_eq!((source.kind(), source.public_key()), (kind, &ada.info().public_key[..]));
        let signature = source.sign(b"transcript").unwrap();
        let spki = source.public_key();
        let verified = match kind {
            KeyKind::Ed25519 => UnparsedPublicKey::new(&ED25519, &spki[spki.len() - 32..])
                .verify(b"transcript", &signature),
            _ => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &spki[spki.len() - 65..])
                .verify(b"transcript", &signature),
        };
        assert!(verified.is_ok());
    }
}

#[test]
fn an_identity_lives_in_a_device() {
    let device = Arc::new(Device::new().unwrap());
    let ada = Identity::with_source(device.clone(), Some("home"), Some("Ada"), now()).unwrap();
    assert_eq!((ada.key_kind(), ada.friendly_name()), (KeyKind::EcdsaP256, "Ada"));
    assert_eq!(IdentityInfo::from_xml(&ada.to_xml()).unwrap(), ada.info());
    let loaded = Identity::from_source(device.clone(), ada.certificate()).unwrap();
    assert_eq!(loaded.info(), ada.info());

    let group = GroupIdentity::create(None, None, now()).unwrap();
    let chain = group.issue_creator(&ada.info(), now()).unwrap();
    let bob = identity(KeyKind::Ed25519).info();
    // A device takes either s; what is issued is accepted every time.
    for _ in 0..8 {
        let invitation = invite(&loaded, &chain, &bob);
        assert!(Invitation::parse(invitation.as_xml()).is_ok());
    }
    let founder = GroupIdentity::with_source(device.clone(), Some("go"), None, now()).unwrap();
    let chain = founder.issue_creator(&bob, now()).unwrap();
    assert!(verify_chain(&founder.key_id(), &chain, &bob.key, &now()).is_ok());

    // Another device is another identity.
    let other = Arc::new(Device::new().unwrap());
    let error = Identity::from_source(other, ada.certificate()).unwrap_err();
    assert_eq!(codes(error.refusal().unwrap()), ("CRYPT_E_NO_KEY_PROPERTY", "NTE_BAD_KEYSET"));
}

#[test]
fn a_key_in_a_device_cannot_be_had() {
    let device = Arc::new(Device::new().unwrap());
    let ada = Identity::with_source(device.clone(), None, None, now()).unwrap();
    let group = GroupIdentity::with_source(device, None, None, now()).unwrap();
    for error in [
        ada.pkcs8().unwrap_err(),
        ada.pkcs8_v1().unwrap_err(),
        ada.export("secret").unwrap_err(),
        group.pkcs8().unwrap_err(),
    ] {
        assert_eq!(error, CryptoError::Key(KeySourceError::NotExportable));
        assert_eq!(error.code(), Code::PEER_E_NO_KEY_ACCESS);
        assert_eq!(codes(error.refusal().unwrap()), ("CRYPT_E_NO_KEY_PROPERTY", "NTE_PERM"));
    }
}

#[test]
fn a_device_that_is_pulled_out_is_an_error_everywhere() {
    let device = Arc::new(Device::new().unwrap());
    let ada = Identity::with_source(device.clone(), None, None, now()).unwrap();
    let group = GroupIdentity::with_source(device.clone(), None, None, now()).unwrap();
    let founded = GroupIdentity::create(None, None, now()).unwrap();
    let chain = founded.issue_creator(&ada.info(), now()).unwrap();
    let bob = identity(KeyKind::Ed25519).info();
    let request =
        IssueRequest { subject: &bob, roles: Roles::MEMBER, expires: None, hints: &[], now: now() };
    let revocation = RevocationRequest {
        target: bob.key,
        serial: None,
        reason: Reason::Unspecified,
        now: now(),
    };

    device.plug(false);
    for error in [
        Identity::with_source(device.clone(), None, None, now()).unwrap_err(),
        Identity::from_source(device.clone(), ada.certificate()).unwrap_err(),
        GroupIdentity::with_source(device.clone(), None, None, now()).unwrap_err(),
        group.issue_creator(&bob, now()).unwrap_err(),
        Invitation::issue(&ada, &chain, &request).unwrap_err(),
        revoke(&ada, &chain, &revocation).unwrap_err(),
    ] {
        assert_eq!(error, CryptoError::Key(KeySourceError::Absent));
        assert_eq!(error.code(), Code::PEER_E_NO_KEY_ACCESS);
        assert_eq!(codes(error.refusal().unwrap()), ("CRYPT_E_NO_KEY_PROPERTY", "NTE_NO_KEY"));
    }
    assert_eq!(ada.key_source().sign(b"x"), Err(KeySourceError::Absent));
    // What needs no signature still works.
    assert!(verify_chain(&founded.key_id(), &chain, &ada.key_id(), &now()).is_ok());

    device.plug(true);
    assert!(Invitation::issue(&ada, &chain, &request).is_ok());
}

/// What becomes of a signature.
type Way = fn(Vec<u8>) -> Result<Vec<u8>, KeySourceError>;

/// A device that says and signs what it was told.
struct Liar {
    kind: KeyKind,
    public_key: Vec<u8>,
    signature: Way,
    inside: Device,
    calls: AtomicUsize,
}

impl Liar {
    fn new(signature: Way) -> Liar {
        let inside = Device::new().unwrap();
        let (kind, public_key) = (inside.kind(), inside.public_key().to_vec());
        Liar { kind, public_key, signature, inside, calls: AtomicUsize::new(0) }
    }

    fn refused(self) -> CryptoError {
        Identity::with_source(Arc::new(self), None, None, now()).unwrap_err()
    }
}

impl KeySource for Liar {
    fn kind(&self) -> KeyKind {
        self.kind
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeySourceError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.signature)(self.inside.sign(message)?)
    }
}

#[test]
fn a_device_that_signs_wrongly_is_noticed_before_anybody_else_sees_it() {
    let ways: [Way; 5] = [
        |_| Ok(Vec::new()),
        |_| Ok(vec![7; 64]),
        |signature| Ok(signature[1..].to_vec()),
        |signature| Ok([signature, vec![0]].concat()),
        |mut signature| {
            signature[10] ^= 1;
            Ok(signature)
        },
    ];
    for way in ways {
        let error = Liar::new(way).refused();
        assert_eq!(error, CryptoError::Key(KeySourceError::WrongSignature));
        assert_eq!(codes(error.refusal().unwrap()), ("CRYPT_E_NO_KEY_PROPERTY", "NTE_BAD_KEYSET"));
    }
    let denied = Liar::new(|_| Err(KeySourceError::Denied)).refused();
    assert_eq!(codes(denied.refusal().unwrap()), ("CRYPT_E_NO_KEY_PROPERTY", "NTE_PERM"));
    let failed = Liar::new(|_| Err(KeySourceError::Failed("on fire".to_owned()))).refused();
    assert_eq!(codes(failed.refusal().unwrap()), ("CRYPT_E_NO_KEY_PROPERTY", "NTE_FAIL"));
    assert!(failed.to_string().contains("on fire"));
}

#[test]
fn a_device_whose_public_key_is_none_is_not_asked_to_sign() {
    let mut other_kind = Liar::new(Ok);
    other_kind.kind = KeyKind::Ed25519;
    let mut off_the_curve = Liar::new(Ok);
    *off_the_curve.public_key.last_mut().unwrap() ^= 1;
    let mut bare = Liar::new(Ok);
    bare.public_key.drain(..26);
    for (liar, cause) in [
        (other_kind, Cause::UnknownAlgorithm),
        (off_the_curve, Cause::WeakKey),
        (bare, Cause::UnknownAlgorithm),
    ] {
        let liar = Arc::new(liar);
        let error = Identity::with_source(liar.clone(), None, None, now()).unwrap_err();
        assert_eq!(error.refusal(), Some(cause.refusal()));
        assert_eq!(liar.calls.load(Ordering::SeqCst), 0);
    }
}

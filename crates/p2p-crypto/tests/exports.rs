//! Identities that move: keys from elsewhere, keys for elsewhere, and whole identities under a password.

mod forge;

use forge::*;
use p2p_core::Code;
use p2p_crypto::{Cause, CryptoError, GroupIdentity, Identity, IssueRequest};

fn ada() -> Identity {
    Identity::create(Some("home"), Some("Ada – 東京"), now()).unwrap()
}

/// PKCS#8 without the public key (RFC 8410 §7), by hand.
fn short_pkcs8(seed: [u8; 32]) -> Vec<u8> {
    sequence(&[integer(0), algorithm(oid::ED25519), octets(&octets(&seed))])
}

#[test]
fn a_key_from_elsewhere_becomes_an_identity() {
    let theirs = Key::new(9);
    let ours = Identity::from_pkcs8(&short_pkcs8([9; 32]), Some("home"), Some("Ada"), now());
    let ours = ours.unwrap();
    assert_eq!((ours.key_id(), ours.name().as_str()), (theirs.id(), &theirs.name("home")[..]));
    assert_eq!(ours.friendly_name(), "Ada");
    // The same key is the same identity, however it came and whatever its names.
    let again = Identity::from_pkcs8(ours.pkcs8().unwrap(), None, None, now()).unwrap();
    assert_eq!((again.key_id(), again.pkcs8()), (ours.key_id(), ours.pkcs8()));
    assert_eq!(again.friendly_name(), again.name().as_str());
}

#[test]
fn a_key_goes_elsewhere_in_the_form_that_others_read() {
    let ada = ada();
    let seed: [u8; 32] = ada.pkcs8().unwrap()[16..48].try_into().unwrap();
    assert_eq!(ada.pkcs8_v1().unwrap()[..], short_pkcs8(seed));
    let again = Identity::from_parts(&ada.pkcs8_v1().unwrap(), ada.certificate()).unwrap();
    assert_eq!((again.info(), again.pkcs8()), (ada.info(), ada.pkcs8()));
    assert_eq!(again.tls_certificate(), ada.tls_certificate());
}

#[test]
fn what_is_no_key_of_ours_is_refused() {
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let short = short_pkcs8([9; 32]);
    for (pkcs8, cause) in [
        (&[][..], Cause::KeyMissing),
        (p384.serialized_der(), Cause::KeyUnreadable),
        (&short[..47], Cause::KeyUnreadable),
        (&[&short[..], &[0]].concat(), Cause::KeyUnreadable),
        (&[7; 32], Cause::KeyUnreadable),
    ] {
        let error = Identity::from_pkcs8(pkcs8, None, None, now()).unwrap_err();
        assert_eq!(
            (error.code(), error.refusal()),
            (Code::CRYPT_E_NO_KEY_PROPERTY, Some(cause.refusal()))
        );
    }
    let error = Identity::from_pkcs8(&short, Some(""), None, now()).unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_INVALID_CLASSIFIER);
}

#[test]
fn an_identity_moves_under_a_password() {
    let ada = ada();
    let text = ada.export("pässword with spaces ").unwrap();
    assert!(text.starts_with("<PEERIDENTITYEXPORT "), "{text}");
    assert!(text.contains(&format!("<PEERNAME>{}</PEERNAME>", ada.name())));
    let moved = Identity::import(&format!("\r\n{text}\n"), "pässword with spaces ").unwrap();
    assert_eq!((moved.info(), moved.pkcs8()), (ada.info(), ada.pkcs8()));
    assert_eq!(moved.certificate(), ada.certificate());
    assert_eq!(moved.tls_certificate(), ada.tls_certificate());

    // It can do there what it could do here.
    let group = GroupIdentity::create(None, None, now()).unwrap();
    let chain = group.issue_creator(&ada.info(), now()).unwrap();
    let bob = Identity::create(None, None, now()).unwrap().info();
    let request = IssueRequest {
        subject: &bob,
        roles: p2p_core::Roles::MEMBER,
        expires: None,
        hints: &[],
        now: now(),
    };
    assert!(p2p_crypto::Invitation::issue(&moved, &chain, &request).is_ok());

    for wrong in ["pässword with spaces", "Pässword with spaces ", "x"] {
        let error = Identity::import(&text, wrong).unwrap_err();
        assert_eq!(error.code(), Code::CRYPT_E_BAD_MSG);
        assert_eq!(error.refusal(), Some(Cause::WrongPassword.refusal()));
        assert_eq!(error.refusal().unwrap().detail, Code::NTE_BAD_DATA);
        assert!(error.to_string().contains("password"), "{error}");
    }
    let other = text.replace(ada.name().classifier(), "work");
    let error = Identity::import(&other, "pässword with spaces ").unwrap_err();
    assert_eq!(error.refusal(), Some(Cause::WrongPassword.refusal()));
}

#[test]
fn a_password_has_a_length() {
    let ada = ada();
    for bad in ["", &"x".repeat(1_025)] {
        assert_eq!(ada.export(bad).unwrap_err().code(), Code::E_INVALIDARG);
    }
    let text = ada.export(&"x".repeat(1_024)).unwrap();
    assert!(Identity::import(&text, &"x".repeat(1_024)).is_ok());
    for bad in ["", &"x".repeat(1_025)] {
        let error = Identity::import(&text, bad).unwrap_err();
        assert!(matches!(error, CryptoError::Argument(_)), "{error:?}");
    }
}

#[test]
fn texts_that_are_no_exports_cost_nothing() {
    let large = format!("<PEERIDENTITYEXPORT VERSION=\"1.0\">{}", "x".repeat(65_536));
    for (text, cause) in [
        ("", Cause::Container),
        ("<PEERIDENTITYEXPORT VERSION=\"1.0\"/>", Cause::Container),
        (
            "<PEERIDENTITYEXPORT VERSION=\"1.0\"><PEERNAME>x</PEERNAME><DATA>AA==</DATA></PEERIDENTITYEXPORT>",
            Cause::Container,
        ),
        (
            "<PEERIDENTITYEXPORT VERSION=\"1.0\"><PEERNAME>x</PEERNAME><DATA>A</DATA></PEERIDENTITYEXPORT>",
            Cause::Base64,
        ),
        (&ada().to_xml(), Cause::Container),
        (&large, Cause::TooLarge),
    ] {
        let error = Identity::import(text, "secret").unwrap_err();
        assert_eq!(error.refusal(), Some(cause.refusal()), "{text:.100}");
    }
}

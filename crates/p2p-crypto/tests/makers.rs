//! Certificates by other makers: whatever is not made for this profile is refused, with the rule it breaks.

mod forge;

use forge::*;
use p2p_crypto::{Cause, Identity, inspect_chain, verify_tls_certificate};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, DnValue, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// As near to an identity as this maker comes: it cannot write our extension's identifier.
fn near(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(vec![0x55; 16].into());
    params.distinguished_name.remove(DnType::CommonName);
    let hash = ring::digest::digest(
        &ring::digest::SHA256,
        &rcgen::PublicKeyData::subject_public_key_info(key),
    );
    let authority: String = hash.as_ref()[..20].iter().map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(authority));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

#[test]
fn a_certificate_without_our_extension_is_none_of_ours() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let der = near(&key).self_signed(&key).unwrap();
    assert_eq!(verify_tls_certificate(der.der()).unwrap_err(), Cause::Profile.refusal());
}

#[test]
fn a_certificate_of_the_web_is_refused() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let web =
        CertificateParams::new(vec!["example.org".to_owned()]).unwrap().self_signed(&key).unwrap();
    let refusal = verify_tls_certificate(web.der()).unwrap_err();
    assert_eq!(refusal, Cause::UnknownExtension.refusal());
}

#[test]
fn another_kind_of_key_is_not_spoken() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let der = near(&key).self_signed(&key).unwrap();
    assert_eq!(verify_tls_certificate(der.der()).unwrap_err(), Cause::UnknownAlgorithm.refusal());
}

#[test]
fn unknown_extensions_are_refused_critical_or_not() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    for critical in [false, true] {
        let mut params = near(&key);
        let mut extension = CustomExtension::from_oid_content(&[2, 25, 1], vec![5, 0]);
        extension.set_criticality(critical);
        params.custom_extensions.push(extension);
        let der = params.self_signed(&key).unwrap();
        assert_eq!(
            verify_tls_certificate(der.der()).unwrap_err(),
            Cause::UnknownExtension.refusal()
        );
    }
}

#[test]
fn an_authority_of_the_web_is_no_root() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut params = near(&key);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = params.self_signed(&key).unwrap();
    // It carries a subject key identifier, which the profile has no use for.
    let refusal = inspect_chain(&chain(&[der.der().to_vec()])).unwrap_err();
    assert_eq!(refusal, Cause::UnknownExtension.refusal());
}

#[test]
fn both_makers_agree_byte_for_byte() {
    // The helper of these tests and the library, from the same key, names and dates: ring's signatures are
    // deterministic, so only the serial number can differ.
    let ours = Identity::create(None, None, now()).unwrap();
    let seed: [u8; 32] = ours.pkcs8().unwrap()[16..48].try_into().unwrap();
    let key = Key::from_seed(seed);
    let mut theirs = Cert::identity(&key, "");
    theirs.not_before = time(0);
    theirs.serial = ours.tls_certificate()[13..31].to_vec();
    assert_eq!(theirs.sign(&key), ours.tls_certificate());
}

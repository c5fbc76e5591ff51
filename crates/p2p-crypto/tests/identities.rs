//! Identities and groups: made, kept, loaded again, described, and refused when something does not belong together.

mod forge;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forge::*;
use p2p_core::{Code, FileTime, KeyId, Refusal, Roles};
use p2p_crypto::{
    Cause, GroupIdentity, Identity, IdentityInfo, PeerName, inspect_chain, verify_chain,
    verify_tls_certificate,
};

fn ada() -> Identity {
    Identity::create(Some("home"), Some("Ada – 東京 😀"), now()).unwrap()
}

#[test]
fn an_identity_is_named_by_the_hash_of_its_key() {
    let ada = ada();
    let spki = ada.info().public_key;
    let hash = ring::digest::digest(&ring::digest::SHA256, &spki);
    assert_eq!(ada.key_id(), KeyId(hash.as_ref().try_into().unwrap()));
    assert_eq!(ada.name().authority(), ada.key_id().authority_hex());
    assert_eq!((ada.name().classifier(), ada.friendly_name()), ("home", "Ada – 東京 😀"));
    assert_eq!(format!("{ada:?}"), format!("Identity(PeerName({}))", ada.name()));
}

#[test]
fn without_names_the_peer_name_is_shown() {
    for friendly_name in [None, Some("")] {
        let nobody = Identity::create(None, friendly_name, now()).unwrap();
        assert_eq!(nobody.friendly_name(), nobody.name().as_str());
        assert!(nobody.name().as_str().ends_with('.'));
        let group = GroupIdentity::create(None, friendly_name, now()).unwrap();
        assert_eq!(group.friendly_name(), group.name().as_str());
    }
}

#[test]
fn names_that_are_not_allowed_have_their_codes() {
    let identity = |c, f| Identity::create(c, f, now()).unwrap_err().code();
    let group = |c, f| GroupIdentity::create(c, f, now()).unwrap_err().code();
    let (long, longer) = ("x".repeat(150), "x".repeat(256));
    for (classifier, friendly_name, code) in [
        (Some(""), None, Code::PEER_E_INVALID_CLASSIFIER),
        (Some("a\0"), None, Code::PEER_E_INVALID_CLASSIFIER),
        (Some(&long[..]), None, Code::PEER_E_CLASSIFIER_TOO_LONG),
        (None, Some(&longer[..]), Code::PEER_E_INVALID_FRIENDLY_NAME),
        (None, Some("\u{202e}"), Code::PEER_E_INVALID_FRIENDLY_NAME),
    ] {
        assert_eq!(identity(classifier, friendly_name), code);
        assert_eq!(group(classifier, friendly_name), code);
    }
    assert_eq!(PeerName::parse("x").unwrap_err().code(), Code::PEER_E_INVALID_PEER_NAME);
    // The longest of both, in the widest characters, make an identity.
    assert!(Identity::create(Some(&"東".repeat(149)), Some(&"東".repeat(255)), now()).is_ok());
}

#[test]
fn what_was_kept_loads_as_the_same_identity() {
    let ada = ada();
    let again = Identity::from_parts(ada.pkcs8().unwrap(), ada.certificate()).unwrap();
    assert_eq!(again.info(), ada.info());
    assert_eq!(again.tls_certificate(), ada.tls_certificate());
    assert_eq!(again.to_xml(), ada.to_xml());

    let group = GroupIdentity::create(Some("chess"), Some("Chess"), now()).unwrap();
    let loaded = GroupIdentity::from_parts(group.pkcs8().unwrap(), group.certificate()).unwrap();
    assert_eq!(
        (loaded.key_id(), loaded.name(), loaded.friendly_name()),
        (group.key_id(), group.name(), "Chess")
    );
    let chain = loaded.issue_creator(&again.info(), now()).unwrap();
    let member = verify_chain(&group.key_id(), &chain, &ada.key_id(), &now()).unwrap();
    assert_eq!((member.roles, member.depth, member.not_after), (Roles::ADMIN, 1, FileTime::NO_END));
    assert_eq!(
        (&member.issuer_name[..], &member.issuer_friendly_name[..]),
        (group.name().as_str(), "Chess")
    );
    let info = inspect_chain(&chain).unwrap();
    assert_eq!(
        (info.group, &info.group_name, &info.group_friendly_name[..]),
        (group.key_id(), group.name(), "Chess")
    );
    assert_eq!(info.member, member);
}

#[test]
fn keys_and_certificates_that_do_not_belong_together_are_refused() {
    let (ada, bob) = (ada(), ada());
    let group = GroupIdentity::create(None, None, now()).unwrap();
    let codes = |refusal: Refusal| (refusal.code.name().unwrap(), refusal.detail.name().unwrap());
    let identity =
        |key: &[u8], certificate: &[u8]| codes(Identity::from_parts(key, certificate).unwrap_err());
    let root = |key: &[u8], certificate: &[u8]| {
        codes(GroupIdentity::from_parts(key, certificate).unwrap_err())
    };

    let (foreign, missing, unreadable) = (
        ("CRYPT_E_NO_KEY_PROPERTY", "NTE_BAD_KEYSET"),
        ("CRYPT_E_NO_KEY_PROPERTY", "NTE_NO_KEY"),
        ("CRYPT_E_NO_KEY_PROPERTY", "NTE_PERM"),
    );
    assert_eq!(identity(bob.pkcs8().unwrap(), ada.certificate()), foreign);
    assert_eq!(identity(&[], ada.certificate()), missing);
    assert_eq!(identity(&bob.pkcs8().unwrap()[1..], ada.certificate()), unreadable);
    assert_eq!(root(bob.pkcs8().unwrap(), group.certificate()), foreign);
    assert_eq!(root(&[], group.certificate()), missing);
    assert_eq!(root(b"key", group.certificate()), unreadable);
    let purpose = ("CRYPT_E_ASN1_CONSTRAINT", "CERT_E_PURPOSE");
    assert_eq!(identity(group.pkcs8().unwrap(), group.certificate()), purpose);
    assert_eq!(root(ada.pkcs8().unwrap(), ada.certificate()), purpose);
    let mut damaged = group.certificate().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(
        root(group.pkcs8().unwrap(), &damaged),
        ("CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE")
    );
}

#[test]
fn tls_learns_the_key_and_no_name() {
    let ada = ada();
    let peer = verify_tls_certificate(ada.tls_certificate()).unwrap();
    assert_eq!((peer.key, peer.public_key), (ada.key_id(), ada.info().public_key));
    let shown = String::from_utf8_lossy(ada.tls_certificate()).into_owned();
    assert!(
        !shown.contains("home") && !shown.contains("Ada") && shown.contains(ada.name().authority())
    );
    assert_eq!(verify_tls_certificate(ada.certificate()).unwrap_err(), Cause::Profile.refusal());
}

#[test]
fn a_tls_certificate_with_any_bit_flipped_or_cut_off_is_refused() {
    let mut der = ada().tls_certificate().to_vec();
    for bit in 0..8 * der.len() {
        der[bit / 8] ^= 1 << (bit % 8);
        assert!(verify_tls_certificate(&der).is_err(), "bit {bit}");
        der[bit / 8] ^= 1 << (bit % 8);
    }
    for end in 0..der.len() {
        assert!(verify_tls_certificate(&der[..end]).is_err(), "cut off at {end}");
    }
}

#[test]
fn a_description_says_who_it_is() {
    let ada = ada();
    let xml = ada.to_xml();
    assert_eq!(IdentityInfo::from_xml(&xml).unwrap(), ada.info());
    assert_eq!(IdentityInfo::from_xml(&format!("\u{a0}\r\n {xml}\n")).unwrap(), ada.info());
    let declared = format!("<?xml version=\"1.0\"?>{xml}");
    assert_eq!(IdentityInfo::from_xml(&declared).unwrap(), ada.info());
}

#[test]
fn whoever_has_a_key_is_described_by_it() {
    let info = ada().info();
    let classifier = info.name.classifier();
    let same = |name| IdentityInfo::for_key(&info.public_key, Some(classifier), name);
    assert_eq!(same(Some(&info.friendly_name)).unwrap(), info);
    let nameless = IdentityInfo::for_key(&info.public_key, None, Some("")).unwrap();
    assert_eq!((nameless.key, nameless.friendly_name.as_str()), (info.key, nameless.name.as_str()));
    assert_eq!(same(Some("\n")).unwrap_err().code(), Code::PEER_E_INVALID_FRIENDLY_NAME);
    let empty = IdentityInfo::for_key(&info.public_key, Some(""), None).unwrap_err();
    assert_eq!(empty.code(), Code::PEER_E_INVALID_CLASSIFIER);
    let mut weak = info.public_key.clone();
    let at = weak.len() - 32;
    weak[at..].fill(0);
    for (spki, code) in [(&weak[..], Cause::WeakKey), (&weak[1..], Cause::UnknownAlgorithm)] {
        let refusal = IdentityInfo::for_key(spki, None, None).unwrap_err().refusal();
        assert_eq!(refusal, Some(code.refusal()));
    }
}

#[test]
fn no_altered_description_is_another_identity() {
    let ada = ada();
    let xml = ada.to_xml();
    let (start, end) = (xml.find("base64\">").unwrap() + 8, xml.find("</IDC>").unwrap());
    for at in 0..xml.len() {
        for new in [xml.as_bytes()[at] ^ 1, xml.as_bytes()[at] ^ 0x20, b'A'] {
            let mut altered = xml.clone().into_bytes();
            altered[at] = new & 0x7f;
            let altered = String::from_utf8(altered).unwrap();
            match IdentityInfo::from_xml(&altered) {
                Ok(info) => {
                    // Around the certificate there is form that says nothing, but in it nothing may differ.
                    assert!(altered == xml || !(start..end).contains(&at), "{at}");
                    assert_eq!(info, ada.info());
                }
                Err(refusal) => assert!(refusal.code.name().is_some()),
            }
        }
        assert!(IdentityInfo::from_xml(&xml[..at]).is_err(), "cut off at {at}");
    }
}

#[test]
fn broken_descriptions_are_refused_with_their_kind() {
    let key = Key::new(5);
    let with = |body: &str| format!("<PEERIDENTITYINFO VERSION=\"1.0\">{body}</PEERIDENTITYINFO>");
    let idc = |der: &[u8]| with(&format!("<IDC>{}</IDC>", STANDARD.encode(der)));
    let good = Cert::identity(&key, "").sign(&key);
    assert!(IdentityInfo::from_xml(&idc(&good)).is_ok());
    let body = &idc(&good)[32..idc(&good).len() - 19];
    for (text, cause) in [
        (with(""), Cause::Container),
        (with(&body.repeat(2)), Cause::Container),
        (idc(&good).replace("1.0", "2.0"), Cause::Container),
        (idc(&good).replace("INFO", "INFOS"), Cause::Container),
        (format!("<!DOCTYPE PEERIDENTITYINFO []>{}", idc(&good)), Cause::Container),
        (String::new(), Cause::Container),
        (with("<IDC>***</IDC>"), Cause::Base64),
        (idc(&[]), Cause::Container),
        (idc(&good[..50]), Cause::DerEnds),
        (idc(&Cert::root(&key).sign(&key)), Cause::WrongType),
        (idc(&Cert::identity(&key, "").sign(&Key::new(6))), Cause::CertificateSignature),
        (idc(&vec![0x30; 4_097]), Cause::TooLarge),
    ] {
        assert_eq!(IdentityInfo::from_xml(&text).unwrap_err(), cause.refusal(), "{text:.200}");
    }
}

#[test]
fn an_identity_with_the_longest_names_is_described_and_read() {
    let long = Identity::create(Some(&"東".repeat(149)), Some(&"京".repeat(255)), now()).unwrap();
    assert_eq!(IdentityInfo::from_xml(&long.to_xml()).unwrap(), long.info());
    assert!(long.certificate().len() <= 4_096);
}

#[test]
fn any_clock_makes_an_identity() {
    for clock in [FileTime(0), FileTime::UNIX_EPOCH, FileTime::NO_END, FileTime(u64::MAX)] {
        let identity = Identity::create(None, None, clock).unwrap();
        assert!(verify_tls_certificate(identity.tls_certificate()).is_ok());
        let group = GroupIdentity::create(None, None, clock).unwrap();
        assert!(inspect_chain(&group.issue_creator(&identity.info(), clock).unwrap()).is_ok());
    }
}

//! Revocations, properties and credentials: every rule of each, broken one at a time, with both codes by name.

mod forge;

use bytes::Bytes;
use forge::*;
use p2p_core::{
    FileTime, KeyId, OBJECT_MAX, Object, ObjectId, ObjectKind, Reason, Refusal, Revocation, Roles,
};
use p2p_crypto::{
    Cause, GroupFlags, GroupIdentity, GroupProperties, Identity, KeyKind, RevocationRequest,
    Schemes, revoke, verify_object,
};
use proptest::prelude::*;

/// An unsigned number in DER.
fn number(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
    let pad = if bytes[start] & 0x80 != 0 { &[0][..] } else { &[] };
    tlv(0x02, &[pad, &bytes[start..]].concat())
}

/// An object by hand: its fields in DER, who signs, and over which name.
struct Forged {
    fields: Vec<Vec<u8>>,
    name: &'static [u8],
    signer: Key,
    signature: Option<Vec<u8>>,
    behind: Vec<u8>,
}

impl Forged {
    fn bytes(&self) -> Bytes {
        let content = sequence(&self.fields);
        let right = self.signer.sign(&[self.name, &content].concat());
        let signature = octets(self.signature.as_ref().unwrap_or(&right));
        sequence(&[octets(&content), signature, self.behind.clone()]).into()
    }
}

const VERSION: usize = 0;
const GROUP: usize = 1;
const TARGET: usize = 2;
const SERIAL: usize = 3;
const REASON: usize = 4;
const ISSUED: usize = 5;
const CHAIN: usize = 6;

/// Key 2, the creator, revokes key 9.
fn revocation() -> Forged {
    let family = Family::new(1);
    let fields = vec![
        integer(1),
        octets(&family.group().0),
        octets(&Key::new(9).id().0),
        Vec::new(),
        integer(9),
        number(now().0),
        octets(&family.chain()),
    ];
    let (name, signer) = (&b"pgrp1/revocation\0"[..], Key::new(2));
    Forged { fields, name, signer, signature: None, behind: Vec::new() }
}

fn group() -> KeyId {
    Key::new(1).id()
}

fn verify(kind: ObjectKind, forged: &Forged) -> Result<Object, Refusal> {
    verify_object(&group(), kind, &forged.bytes())
}

#[track_caller]
fn broken(kind: ObjectKind, spoil: impl FnOnce(&mut Forged), code: &str, detail: &str) {
    let mut forged = if kind == ObjectKind::Revocation { revocation() } else { properties() };
    assert!(verify(kind, &forged).is_ok());
    spoil(&mut forged);
    let refusal = verify(kind, &forged).unwrap_err();
    assert_eq!((refusal.code.name().unwrap(), refusal.detail.name().unwrap()), (code, detail));
}

fn understood(forged: &Forged) -> Revocation {
    match verify(ObjectKind::Revocation, forged).unwrap() {
        Object::Revocation(revocation) => (*revocation).clone(),
        other => panic!("{other:?}"),
    }
}

const CONSTRAINT: &str = "CRYPT_E_ASN1_CONSTRAINT";
const MALFORMED: &str = "CERT_E_MALFORMED";
const SETTINGS: &str = "CRYPT_E_SECURITY_SETTINGS";

#[test]
fn what_another_maker_signs_by_the_documentation_is_a_revocation() {
    let mut forged = revocation();
    let read = understood(&forged);
    assert_eq!((read.target, read.serial), (Key::new(9).id(), None));
    assert_eq!((read.reason, read.issued), (Reason::PrivilegeWithdrawn, now()));
    assert_eq!((read.signer, read.depth()), (Key::new(2).id(), 1));
    assert_eq!(read.path[0].key, Key::new(2).id());
    assert_eq!(read.bytes, forged.bytes());
    // The id is SHA-256 over the number of the kind and the bytes.
    let hashed = [&[1], &forged.bytes()[..]].concat();
    let hash = ring::digest::digest(&ring::digest::SHA256, &hashed);
    assert_eq!(read.id, ObjectId(hash.as_ref().try_into().unwrap()));

    forged.fields[SERIAL] = tlv(0x80, &[7; 16]);
    assert_eq!(understood(&forged).serial, Some([7; 16]));
    for reason in [0, 1, 3, 4, 5, 9] {
        forged.fields[REASON] = integer(reason);
        assert_eq!(understood(&forged).reason.number(), reason);
    }
    // By the group's own key: the root alone.
    (forged.signer, forged.fields[CHAIN]) = (Key::new(1), octets(&Family::new(0).chain()));
    let read = understood(&forged);
    assert_eq!((read.signer, read.depth()), (group(), 0));
}

#[test]
fn a_revocation_has_just_its_fields() {
    let profile = |spoil: fn(&mut Forged)| {
        broken(ObjectKind::Revocation, spoil, CONSTRAINT, MALFORMED);
    };
    profile(|f| f.fields[VERSION] = integer(2));
    profile(|f| f.fields[GROUP] = octets(&[7; 31]));
    profile(|f| f.fields[TARGET] = octets(&[7; 33]));
    profile(|f| f.fields[TARGET] = octets(&group().0));
    profile(|f| f.fields[TARGET] = octets(&Key::new(2).id().0));
    profile(|f| f.fields[SERIAL] = tlv(0x80, &[7; 15]));
    profile(|f| f.fields[SERIAL] = tlv(0x80, &[]));
    // No reason of RFC 5280, or one about authorities and certificates on hold.
    profile(|f| f.fields[REASON] = integer(2));
    profile(|f| f.fields[REASON] = integer(6));
    profile(|f| f.fields[REASON] = integer(7));
    profile(|f| f.fields[REASON] = integer(11));
    profile(|f| f.signature = Some(vec![7; 63]));
    let der = |spoil: fn(&mut Forged), code| {
        broken(ObjectKind::Revocation, spoil, code, MALFORMED);
    };
    der(|f| f.fields.push(integer(1)), "CRYPT_E_ASN1_CORRUPT");
    der(|f| f.behind = integer(1), "CRYPT_E_ASN1_CORRUPT");
    der(|f| f.fields[ISSUED] = tlv(0x02, &[0, 1]), "CRYPT_E_ASN1_CORRUPT");
    der(|f| f.fields[ISSUED] = tlv(0x02, &[0xff]), "CRYPT_E_ASN1_CORRUPT");
    der(|f| f.fields[ISSUED] = tlv(0x02, &[1; 9]), "CRYPT_E_ASN1_CORRUPT");
    der(|f| f.fields[VERSION] = tlv(0x04, &[1]), "CRYPT_E_ASN1_BADTAG");
    der(|f| drop(f.fields.pop()), "CRYPT_E_ASN1_EOD");
    der(|f| f.fields[CHAIN] = octets(&[0; OBJECT_MAX]), "CRYPT_E_ASN1_LARGE");
}

#[test]
fn only_administrators_of_this_group_revoke() {
    let mut plain = Family::new(2);
    plain.certs[2].fields.roles = roles(&[INVITING]);
    plain.certs[2].fields.classifiers = classifiers(&["participant"]);
    let by = |key: u8, chain: Vec<u8>| {
        move |f: &mut Forged| (f.signer, f.fields[CHAIN]) = (Key::new(key), octets(&chain))
    };
    let broken = |spoil: &dyn Fn(&mut Forged), code, detail| {
        broken(ObjectKind::Revocation, spoil, code, detail);
    };
    broken(&by(3, plain.chain()), SETTINGS, "CERT_E_PURPOSE");
    // Somebody else's group, in the chain and in the field.
    let strangers = Key::new(50);
    let root = Cert::root(&strangers).sign(&strangers);
    let creator = Cert::member(&Key::new(2), &strangers, &strangers, ADMIN).sign(&strangers);
    let untrusted = ["CRYPT_E_NO_TRUSTED_SIGNER", "CERT_E_UNTRUSTEDROOT"];
    broken(&by(2, chain(&[root.clone(), creator])), untrusted[0], untrusted[1]);
    broken(&by(50, chain(&[root])), untrusted[0], untrusted[1]);
    let links = ["CRYPT_E_ISSUER_SERIALNUMBER", "CERT_E_ISSUERCHAINING"];
    broken(&|f| f.fields[GROUP] = octets(&[7; 32]), links[0], links[1]);
    // No chain, and a member where the root is due.
    broken(&by(2, Vec::new()), "CRYPT_E_BAD_MSG", "NTE_BAD_DATA");
    let member = chain(&Family::new(1).signed()[1..]);
    broken(&by(2, member), "CRYPT_E_NO_TRUSTED_SIGNER", "CERT_E_CHAINING");
    // The chain of another, and a chain that does not hold.
    broken(&by(3, Family::new(1).chain()), "CRYPT_E_HASH_VALUE", "NTE_BAD_SIGNATURE");
    let mut forged = Family::new(1);
    forged.certs[1].signature = Some(bits(&[7; 64]));
    broken(&by(2, forged.chain()), "CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE");
    let mut root = Family::new(0);
    root.certs[0].signature = Some(bits(&[7; 64]));
    broken(&by(1, root.chain()), "CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE");
}

#[test]
fn what_was_signed_for_another_purpose_is_no_revocation() {
    let names: [&'static [u8]; 4] =
        [b"", b"pgrp1/properties\0", b"pgrp1/invitation\0", b"pgrp1/revocation"];
    for name in names {
        let spoil = |f: &mut Forged| f.name = name;
        broken(ObjectKind::Revocation, spoil, "CRYPT_E_HASH_VALUE", "NTE_BAD_SIGNATURE");
    }
    assert!(verify(ObjectKind::Properties, &revocation()).is_err());
    assert!(verify(ObjectKind::Credential, &revocation()).is_err());
}

/// The signer must have been a member when it says that it signed, give or take what clocks may differ; what time it is
/// now is not asked.
#[test]
fn the_signer_was_a_member_when_it_signed() {
    let mut family = Family::new(1);
    family.certs[1].not_after = time(NOW + 1_000);
    let signed = |at: i64| {
        let mut forged = revocation();
        forged.fields[CHAIN] = octets(&family.chain());
        forged.fields[ISSUED] = number(FileTime::from_unix(at).0);
        verify(ObjectKind::Revocation, &forged).map(|_| ())
    };
    // The membership begins 600 seconds before NOW.
    assert_eq!(signed(NOW - 1_200), Ok(()));
    assert_eq!(signed(NOW - 1_201), Err(Cause::NotYetValid.refusal()));
    assert_eq!(signed(NOW + 1_600), Ok(()));
    assert_eq!(signed(NOW + 1_601), Err(Cause::Expired.refusal()));
}

const ROOT: usize = 2;
const FRIENDLY: usize = 3;
const COMMENT: usize = 4;
const FLAGS: usize = 5;
const DATA: usize = 6;
const PRESENCE: usize = 7;
const SCHEMES: usize = 8;
const ROLE: usize = 9;
const VERIFIER: usize = 10;
const CREATOR: usize = 11;
const CREATOR_NAME: usize = 12;

/// The group's key lays down that whoever knows a password becomes a member.
fn properties() -> Forged {
    let creator = Key::new(2);
    let fields = vec![
        integer(1),
        number(7),
        octets(&Family::new(0).signed()[0]),
        utf8("Chess club"),
        utf8("We play.\n\tOn Sundays."),
        integer(5),
        number(28_800),
        number(300),
        integer(3),
        tlv(0x80, &MEMBER),
        tlv(0x81, &[7; 256]),
        octets(&creator.id().0),
        utf8(&creator.name("ada")),
    ];
    let (name, signer) = (&b"pgrp1/properties\0"[..], Key::new(1));
    Forged { fields, name, signer, signature: None, behind: Vec::new() }
}

#[test]
fn what_another_maker_signs_by_the_documentation_are_properties() {
    let forged = properties();
    let Ok(Object::Properties(kept)) = verify(ObjectKind::Properties, &forged) else { panic!() };
    let password = kept.password.as_ref().unwrap();
    assert_eq!((kept.version, password.role), (7, Roles::MEMBER));
    assert_eq!((&password.verifier[..], &kept.bytes), (&[7; 256][..], &forged.bytes()));
    let read = GroupProperties::parse(&group(), &forged.bytes()).unwrap();
    assert_eq!(read.friendly_name, "Chess club");
    assert_eq!(read.comment, "We play.\n\tOn Sundays.");
    assert_eq!(read.flags.0, GroupFlags::MEMBER_DATA_OPTIONAL.0 | GroupFlags::DEFER_EXPIRATION.0);
    assert_eq!((read.member_data_lifetime, read.presence_lifetime), (28_800, 300));
    assert_eq!((read.schemes, read.password_role), (Schemes::BOTH, Some(Roles::MEMBER)));
    assert_eq!(
        (read.creator, read.creator_name.as_str()),
        (Key::new(2).id(), &*Key::new(2).name("ada"))
    );
}

#[test]
fn properties_have_just_their_fields() {
    let profile = |spoil: fn(&mut Forged)| {
        broken(ObjectKind::Properties, spoil, CONSTRAINT, MALFORMED);
    };
    profile(|f| f.fields[0] = integer(2));
    profile(|f| f.fields[1] = integer(0));
    profile(|f| f.fields[FRIENDLY] = utf8(&"x".repeat(256)));
    profile(|f| f.fields[FRIENDLY] = utf8("a\nb"));
    profile(|f| f.fields[COMMENT] = utf8(&"\u{1f600}".repeat(128)));
    profile(|f| f.fields[COMMENT] = utf8("a\u{202e}b"));
    profile(|f| f.fields[COMMENT] = utf8("a\r"));
    profile(|f| f.fields[FLAGS] = integer(8));
    profile(|f| f.fields[DATA] = number(28_799));
    profile(|f| f.fields[DATA] = number(315_360_001));
    profile(|f| f.fields[PRESENCE] = number(299));
    profile(|f| f.fields[SCHEMES] = integer(0));
    profile(|f| f.fields[SCHEMES] = integer(4));
    profile(|f| f.fields[SCHEMES] = integer(1));
    profile(|f| f.fields[ROLE] = Vec::new());
    profile(|f| f.fields[ROLE] = tlv(0x80, &[7; 16]));
    profile(|f| f.fields[ROLE] = tlv(0x80, &MEMBER[1..]));
    profile(|f| f.fields[VERIFIER] = Vec::new());
    profile(|f| f.fields[VERIFIER] = tlv(0x81, &[]));
    profile(|f| f.fields[VERIFIER] = tlv(0x81, &[7; 257]));
    profile(|f| f.fields[CREATOR] = octets(&[7; 32]));
    profile(|f| f.fields[CREATOR] = octets(&[7; 31]));
    profile(|f| f.fields[CREATOR_NAME] = utf8("nobody"));
    // Without its dot: a form that is read from people only.
    profile(|f| f.fields[CREATOR_NAME] = utf8(&Key::new(2).authority()));
    profile(|f| f.signature = Some(vec![7; 65]));
    let large = |f: &mut Forged| f.fields[ROOT] = octets(&[0; 1_281]);
    broken(ObjectKind::Properties, large, "CRYPT_E_ASN1_LARGE", MALFORMED);
    let long = |f: &mut Forged| f.fields[DATA] = number(1 << 32);
    broken(ObjectKind::Properties, long, "CRYPT_E_ASN1_CORRUPT", MALFORMED);
    let more = |f: &mut Forged| f.fields.push(integer(1));
    broken(ObjectKind::Properties, more, "CRYPT_E_ASN1_CORRUPT", MALFORMED);
}

#[test]
fn only_the_groups_own_key_signs_properties() {
    let signature = ("CRYPT_E_HASH_VALUE", "NTE_BAD_SIGNATURE");
    let by_creator = |f: &mut Forged| f.signer = Key::new(2);
    broken(ObjectKind::Properties, by_creator, signature.0, signature.1);
    let as_revocation = |f: &mut Forged| f.name = b"pgrp1/revocation\0";
    broken(ObjectKind::Properties, as_revocation, signature.0, signature.1);
    let other = |f: &mut Forged| {
        f.signer = Key::new(50);
        f.fields[ROOT] = octets(&Cert::root(&f.signer).sign(&f.signer));
    };
    broken(ObjectKind::Properties, other, "CRYPT_E_NO_TRUSTED_SIGNER", "CERT_E_UNTRUSTEDROOT");
    let member = |f: &mut Forged| f.fields[ROOT] = octets(&Family::new(1).signed()[1]);
    broken(ObjectKind::Properties, member, "CRYPT_E_NO_TRUSTED_SIGNER", "CERT_E_CHAINING");
    let unsigned = |f: &mut Forged| {
        let mut root = Family::new(0);
        root.certs[0].signature = Some(bits(&[7; 64]));
        f.fields[ROOT] = octets(&root.signed()[0]);
    };
    broken(ObjectKind::Properties, unsigned, "CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE");
}

#[test]
fn properties_that_are_printed_do_not_give_the_verifier_away() {
    let ada = Identity::create(Some("ada"), None, now()).unwrap();
    let properties = GroupProperties {
        password_verifier: Some(Bytes::from_static(b"VERIFIER")),
        ..GroupProperties::new("Friends", ada.key_id(), ada.name().clone())
    };
    let text = format!("{properties:?}");
    assert!(text.contains("Friends") && !text.contains("VERIFIER"), "{text}");
}

#[test]
fn what_may_be_signed_is_what_may_be_read() {
    let group = GroupIdentity::create(Some("chess"), None, now()).unwrap();
    let ada = Identity::create(Some("ada"), None, now()).unwrap();
    let plain = GroupProperties::new("Chess club", ada.key_id(), ada.name().clone());
    let password = GroupProperties {
        version: u64::MAX,
        friendly_name: "x".repeat(255),
        comment: "\u{1f600}".repeat(127),
        flags: GroupFlags(7),
        member_data_lifetime: 315_360_000,
        presence_lifetime: u32::MAX,
        schemes: Schemes::PASSWORD,
        password_role: Some(Roles::ADMIN),
        password_verifier: Some(Bytes::from_static(&[9])),
        ..plain.clone()
    };
    for properties in [&plain, &password] {
        let bytes = group.sign_properties(properties).unwrap();
        assert_eq!(GroupProperties::parse(&group.key_id(), &bytes).as_ref(), Ok(properties));
        assert!(GroupProperties::parse(&KeyId([7; 32]), &bytes).is_err());
    }
    type Spoil = fn(&mut GroupProperties);
    let rows: [(&str, Spoil); 14] = [
        ("PEER_E_INVALID_FRIENDLY_NAME", |p| p.friendly_name += "x"),
        ("PEER_E_INVALID_FRIENDLY_NAME", |p| p.friendly_name = "a\nb".into()),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.version = 0),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.comment += "xx"),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.flags = GroupFlags(8)),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.member_data_lifetime = 1),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.presence_lifetime = 299),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.schemes = Schemes(4)),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.schemes = Schemes::CERTIFICATE),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.password_verifier = None),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.password_verifier = Some(vec![1; 257].into())),
        ("PEER_E_INVALID_GROUP_PROPERTIES", |p| p.creator = KeyId([7; 32])),
        ("PEER_E_INVALID_ROLE_PROPERTY", |p| p.password_role = None),
        ("PEER_E_INVALID_ROLE_PROPERTY", |p| {
            p.password_role = Some(Roles::ADMIN.with(Roles::MEMBER))
        }),
    ];
    for (i, (code, spoil)) in rows.into_iter().enumerate() {
        let mut properties = password.clone();
        spoil(&mut properties);
        let error = group.sign_properties(&properties).unwrap_err();
        assert_eq!((error.code().name(), error.refusal()), (Some(code), None), "row {i}: {error}");
    }
    let role = GroupProperties { password_role: Some(Roles::MEMBER), ..plain };
    let code = group.sign_properties(&role).unwrap_err().code();
    assert_eq!(code.name(), Some("PEER_E_INVALID_ROLE_PROPERTY"));
}

#[test]
fn a_credential_is_a_chain_of_this_group_at_any_time() {
    let mut family = Family::new(2);
    family.certs[2].not_after = time(NOW - 300);
    let bytes = Bytes::from(family.chain());
    let verify = |group| verify_object(&group, ObjectKind::Credential, &bytes);
    let Ok(Object::Credential(credential)) = verify(family.group()) else { panic!() };
    assert_eq!((credential.member.key, credential.member.path.len()), (family.leaf(), 2));
    assert_eq!(credential.member.chain, bytes);
    let hash = ring::digest::digest(&ring::digest::SHA256, &[&[3], &bytes[..]].concat());
    assert_eq!(credential.id, ObjectId(hash.as_ref().try_into().unwrap()));
    assert_eq!(verify(KeyId([7; 32])).unwrap_err(), Cause::OtherRoot.refusal());
    let root = Bytes::from(Family::new(0).chain());
    let refusal = verify_object(&family.group(), ObjectKind::Credential, &root).unwrap_err();
    assert_eq!(refusal, Cause::SelfSigned.refusal());
}

/// Inviting members invite; what is left in the group for somebody is the administrators'.
#[test]
fn credentials_are_by_administrators() {
    let verify = |role, classifier: &[&str]| {
        let mut family = Family::new(3);
        family.certs[2].fields.roles = roles(&[role]);
        for cert in &mut family.certs[2..] {
            cert.fields.classifiers = classifiers(classifier);
        }
        family.certs[3].fields.roles = roles(&[INVITING]);
        let bytes = Bytes::from(family.chain());
        verify_object(&family.group(), ObjectKind::Credential, &bytes).map(|_| ())
    };
    assert_eq!(verify(ADMIN, &[]), Ok(()));
    assert_eq!(verify(INVITING, &["participant"]), Err(Cause::NotAdministrator.refusal()));
}

/// The largest of each kind that can be made are not too large to be passed on.
#[test]
fn the_longest_chain_fits_into_a_revocation() {
    let mut family = Family::new(24);
    for cert in &mut family.certs {
        cert.fields.friendly_name = friendly(&"ä".repeat(255));
    }
    let chain = family.chain();
    assert!(chain.len() > 24_000, "{}", chain.len());
    let mut forged = revocation();
    (forged.signer, forged.fields[CHAIN]) = (Key::new(25), octets(&chain));
    forged.fields[TARGET] = octets(&Key::new(99).id().0);
    forged.fields[SERIAL] = tlv(0x80, &[0xff; 16]);
    assert_eq!(understood(&forged).depth(), 24);
    // What the form adds to a chain of 32,000 bytes.
    assert!(forged.bytes().len() - chain.len() + 32_000 <= OBJECT_MAX);
}

fn objects() -> (KeyId, [(ObjectKind, Bytes); 4]) {
    let group = GroupIdentity::create(Some("chess"), None, now()).unwrap();
    let ada = Identity::create(Some("ada"), None, now()).unwrap();
    let chain = group.issue_creator(&ada.info(), now()).unwrap();
    let request = RevocationRequest {
        target: KeyId([7; 32]),
        serial: Some([7; 16]),
        reason: Reason::KeyCompromise,
        now: now(),
    };
    let properties = GroupProperties::new("Chess club", ada.key_id(), ada.name().clone());
    let all = [
        (ObjectKind::Revocation, revoke(&ada, &chain, &request).unwrap()),
        (ObjectKind::Revocation, group.revoke(&request).unwrap()),
        (ObjectKind::Properties, group.sign_properties(&properties).unwrap()),
        (ObjectKind::Credential, chain),
    ];
    (group.key_id(), all)
}

/// The other kind of key signs all of them too, and a signature has one form.
#[test]
fn keys_of_p256_sign_objects() {
    let kind = KeyKind::EcdsaP256;
    let group = GroupIdentity::create_with(kind, None, None, now()).unwrap();
    let ada = Identity::create_with(kind, None, None, now()).unwrap();
    let chain = group.issue_creator(&ada.info(), now()).unwrap();
    let request = RevocationRequest {
        target: KeyId([7; 32]),
        serial: None,
        reason: Reason::Superseded,
        now: now(),
    };
    let properties = GroupProperties::new("x", ada.key_id(), ada.name().clone());
    for (kind, bytes) in [
        (ObjectKind::Revocation, revoke(&ada, &chain, &request).unwrap()),
        (ObjectKind::Revocation, group.revoke(&request).unwrap()),
        (ObjectKind::Properties, group.sign_properties(&properties).unwrap()),
        (ObjectKind::Credential, chain),
    ] {
        assert!(verify_object(&group.key_id(), kind, &bytes).is_ok());
        let mut spoilt = bytes.to_vec();
        *spoilt.last_mut().unwrap() ^= 1;
        assert!(verify_object(&group.key_id(), kind, &spoilt.into()).is_err());
    }
}

/// Of everything that may be flipped in each of them, nothing goes unnoticed.
#[test]
fn any_flipped_bit_of_an_object_is_refused() {
    let (group, all) = objects();
    for (kind, bytes) in all {
        assert!(verify_object(&group, kind, &bytes).is_ok());
        for bit in 0..8 * bytes.len() {
            let mut spoilt = bytes.to_vec();
            spoilt[bit / 8] ^= 1 << (bit % 8);
            let result = verify_object(&group, kind, &spoilt.into());
            assert!(result.is_err(), "{kind:?}, bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(verify_object(&group, kind, &bytes.slice(..end)).is_err());
        }
        let longer = Bytes::from([&bytes[..], &[0]].concat());
        assert!(verify_object(&group, kind, &longer).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No bytes whatever make the reader panic, and none make an object.
    #[test]
    fn noise_is_no_object(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let bytes = Bytes::from(bytes);
        for kind in ObjectKind::ALL {
            prop_assert!(verify_object(&group(), kind, &bytes).is_err());
        }
    }
}

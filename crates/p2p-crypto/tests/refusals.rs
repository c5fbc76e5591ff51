//! Every rule of certificates and chains, broken one at a time, with both codes by name.

mod forge;

use forge::*;
use p2p_core::{FileTime, KeyId, Member, Refusal};
use p2p_crypto::{
    Cause, GroupIdentity, Identity, IdentityInfo, inspect_chain, verify_chain,
    verify_tls_certificate,
};

fn verify(family: &Family) -> Result<Member, Refusal> {
    verify_chain(&family.group(), &family.chain(), &family.leaf(), &now())
}

/// Two members below the root; `spoil` one certificate and expect these two codes.
#[track_caller]
fn broken(position: usize, spoil: impl FnOnce(&mut Cert), code: &str, detail: &str) {
    let mut family = Family::new(2);
    spoil(&mut family.certs[position]);
    assert_codes(verify(&family).unwrap_err(), code, detail);
}

#[track_caller]
fn assert_codes(refusal: Refusal, code: &str, detail: &str) {
    assert_eq!((refusal.code.name().unwrap(), refusal.detail.name().unwrap()), (code, detail));
}

const CONSTRAINT: &str = "CRYPT_E_ASN1_CONSTRAINT";
const CORRUPT: &str = "CRYPT_E_ASN1_CORRUPT";
const MALFORMED: &str = "CERT_E_MALFORMED";
const SETTINGS: &str = "CRYPT_E_SECURITY_SETTINGS";

#[test]
fn what_another_maker_builds_by_the_documentation_is_accepted() {
    let family = Family::new(2);
    let member = verify(&family).unwrap();
    assert_eq!((member.key, member.depth), (family.leaf(), 2));
    assert_eq!(member.name, family.keys[2].name(""));
    assert_eq!(member.friendly_name, member.name);
    assert_eq!(member.issuer_name, family.keys[1].name(""));
    assert_eq!(member.not_before, FileTime::from_unix(NOW - 600));
    assert_eq!(member.not_after, FileTime::NO_END);
    assert_eq!(&member.chain[..], family.chain());
}

#[test]
fn the_profile_names_every_field_of_a_certificate() {
    let profile = |spoil: fn(&mut Cert)| broken(1, spoil, CONSTRAINT, MALFORMED);
    profile(|c| c.version = tlv(0xa0, &integer(1)));
    profile(|c| c.version = Vec::new());
    profile(|c| c.serial = tlv(0x02, &[0x55; 15]));
    profile(|c| c.serial = tlv(0x02, &[0x55; 17]));
    profile(|c| c.serial = tlv(0x02, &[0x85; 16]));
    broken(1, |c| c.serial = octets(&[0x55; 16]), "CRYPT_E_ASN1_BADTAG", MALFORMED);
    profile(|c| c.outer_algorithm = sequence(&[tlv(0x06, oid::ED25519), tlv(0x05, &[])]));
    profile(|c| c.inner_algorithm = sequence(&[tlv(0x06, oid::ED25519), tlv(0x05, &[])]));
    profile(|c| c.outer_algorithm = algorithm(oid::P256_SIGNATURE));
    profile(|c| c.unique_ids = tlv(0x81, &[0, 1]));
    profile(|c| c.unique_ids = tlv(0x82, &[0, 1]));
    profile(|c| c.no_extensions = true);
    profile(|c| c.ours = Some(Vec::new()));
    profile(|c| c.signature = Some(bits(&[1; 63])));
    profile(|c| c.signature = Some(tlv(0x03, &[&[1][..], &[2; 64]].concat())));
    profile(|c| (c.not_before, c.not_after) = (time(NOW), time(NOW - 1)));
}

#[test]
fn names_are_one_common_name_in_utf8() {
    let profile = |spoil: fn(&mut Cert)| broken(1, spoil, CONSTRAINT, MALFORMED);
    profile(|c| c.subject = tlv(0x30, &[]));
    profile(|c| {
        c.issuer = sequence(&[tlv(0x31, &sequence(&[tlv(0x06, &[0x55, 4, 10]), utf8("x")]))]);
    });
    profile(|c| c.subject = [&[0x30, 2 * c.subject[1]], &c.subject[2..], &c.subject[2..]].concat());
    let printable = |text: String| {
        let attribute = sequence(&[tlv(0x06, oid::COMMON_NAME), tlv(0x13, text.as_bytes())]);
        sequence(&[tlv(0x31, &attribute)])
    };
    let authority = Key::new(2).authority();
    broken(1, move |c| c.subject = printable(authority), CONSTRAINT, MALFORMED);
}

#[test]
fn dates_are_written_in_the_one_form_of_their_century() {
    let general = |seconds: i64| tlv(0x18, date_text(seconds).as_bytes());
    broken(1, |c| c.not_before = general(NOW - 600), CONSTRAINT, MALFORMED);
    broken(1, |c| c.not_after = tlv(0x18, b"99991231235959+0000"), CORRUPT, MALFORMED);
    broken(1, |c| c.not_after = tlv(0x18, b"99991331235959Z"), CORRUPT, MALFORMED);
    broken(1, |c| c.not_before = tlv(0x17, b"2611221150Z"), CORRUPT, MALFORMED);
    // The last second of UTCTime and the first of GeneralizedTime both work.
    for end in [2_524_607_999, 2_524_608_000] {
        let mut family = Family::new(1);
        family.certs[1].not_after = time(end);
        assert_eq!(verify(&family).unwrap().not_after, FileTime::from_unix(end));
    }
}

#[test]
fn our_extension_has_just_its_fields() {
    let profile =
        |spoil: fn(&mut Fields)| broken(1, |c| spoil(&mut c.fields), CONSTRAINT, MALFORMED);
    profile(|f| f.version = integer(2));
    profile(|f| f.kind = integer(4));
    profile(|f| f.kind = integer(0));
    profile(|f| f.flags = integer(1));
    profile(|f| f.version = tlv(0x02, &[1, 0]));
    profile(|f| f.group = Vec::new());
    profile(|f| f.issuer = Vec::new());
    profile(|f| f.issuer = octets(&[7; 31]));
    profile(|f| f.roles = Vec::new());
    profile(|f| f.roles = roles(&[]));
    profile(|f| f.roles = tlv(0x31, &octets(&[1; 15])));
    profile(|f| f.classifiers = Vec::new());
    profile(|f| f.classifiers = classifiers(&["a", "b", "c", "d", "e"]));
    profile(|f| f.classifiers = classifiers(&[""]));
    profile(|f| f.classifiers = classifiers(&[&"x".repeat(150)]));
    profile(|f| f.classifiers = classifiers(&["a\u{202e}"]));
    profile(|f| f.name = utf8("nobody"));
    profile(|f| {
        // Without its dot: a form that is read from people, not from certificates.
        f.name = tlv(0x0c, &f.name[2..42]);
    });
    profile(|f| f.group = utf8("0.chess"));
    profile(|f| f.friendly_name = friendly(""));
    profile(|f| f.friendly_name = friendly("a\nb"));
    profile(|f| f.friendly_name = friendly(&"x".repeat(256)));
    broken(1, |c| c.fields.flags = Vec::new(), "CRYPT_E_ASN1_EOD", MALFORMED);
    broken(1, |c| c.fields.more = integer(1), CORRUPT, MALFORMED);
    broken(1, |c| c.fields.friendly_name = tlv(0x80, &[0xff]), CORRUPT, MALFORMED);
    broken(0, |c| c.fields.group = utf8(&Key::new(1).name("go")), CONSTRAINT, MALFORMED);
    broken(0, |c| c.fields.group = Vec::new(), CONSTRAINT, MALFORMED);
    broken(0, |c| c.fields.roles = roles(&[ADMIN]), CONSTRAINT, MALFORMED);
}

#[test]
fn four_classifiers_and_three_roles_are_the_most() {
    let mut family = Family::new(1);
    family.certs[1].fields.classifiers = classifiers(&["a", "b", "c", "d"]);
    family.certs[1].fields.roles = roles(&[ADMIN, INVITING, MEMBER]);
    let roles = verify(&family).unwrap().roles;
    assert_eq!(roles.guids().count(), 3);
}

#[test]
fn an_unknown_role_is_named_as_such() {
    broken(1, |c| c.fields.roles = roles(&[[9; 16]]), CONSTRAINT, "CERT_E_INVALID_POLICY");
    broken(1, |c| c.fields.roles = roles(&[ADMIN, [9; 16]]), CONSTRAINT, "CERT_E_INVALID_POLICY");
}

#[test]
fn extensions_stand_once_in_order_and_no_others() {
    let alt = || Ext::plain(oid::SUBJECT_ALT_NAME, sequence(&[tlv(0x82, b"example.org")]));
    broken(1, |c| c.others.push(alt()), CONSTRAINT, "CERT_E_CRITICAL");
    broken(1, |c| c.first.push(alt()), CONSTRAINT, "CERT_E_CRITICAL");
    broken(
        1,
        |c| c.others.push(Ext::critical(&[0x2a, 3], vec![5, 0])),
        CONSTRAINT,
        "CERT_E_CRITICAL",
    );
    broken(1, |c| c.others.push(c.others[1].clone()), CONSTRAINT, MALFORMED);
    broken(1, |c| c.others.reverse(), CONSTRAINT, MALFORMED);
    broken(1, |c| c.others[0].critical = None, CONSTRAINT, MALFORMED);
    broken(1, |c| c.others[1].critical = None, CONSTRAINT, MALFORMED);
    let ours =
        |c: &Cert, critical| vec![Ext { id: oid::peer_group(), critical, value: fields_of(c) }];
    broken(1, |c| c.ours = Some(ours(c, None)), CONSTRAINT, MALFORMED);
    broken(
        1,
        |c| c.ours = Some([ours(c, Some(0xff)), ours(c, Some(0xff))].concat()),
        CONSTRAINT,
        MALFORMED,
    );
}

/// The contents of the extension as the certificate would have it: a SEQUENCE, found again in its own DER.
fn fields_of(cert: &Cert) -> Vec<u8> {
    let tbs = cert.tbs();
    let id = tlv(0x06, &oid::peer_group());
    let start = tbs.windows(id.len()).position(|window| window == id).unwrap() + id.len() + 3;
    let octets = &tbs[start..];
    let (head, length) = match octets[1] {
        0x81 => (3, usize::from(octets[2])),
        0x82 => (4, usize::from(octets[2]) << 8 | usize::from(octets[3])),
        short => (2, usize::from(short)),
    };
    octets[head..head + length].to_vec()
}

#[test]
fn basic_constraints_follow_the_roles() {
    let detail = "TRUST_E_BASIC_CONSTRAINTS";
    broken(1, |c| drop(c.others.remove(0)), CONSTRAINT, detail);
    broken(0, |c| drop(c.others.remove(0)), CONSTRAINT, detail);
    broken(1, |c| c.others[0].value = sequence(&[]), CONSTRAINT, detail);
    broken(1, |c| c.others[0].value = sequence(&[tlv(1, &[0xff]), integer(3)]), CONSTRAINT, detail);
    let plain = |c: &mut Cert| {
        c.fields.roles = roles(&[MEMBER]);
        c.others = vec![ca(), key_usage(0x84)];
    };
    broken(2, plain, CONSTRAINT, detail);
}

#[test]
fn key_usage_follows_the_roles() {
    let detail = "CERT_E_WRONG_USAGE";
    broken(1, |c| c.others[1] = key_usage(0x80), CONSTRAINT, detail);
    broken(1, |c| c.others[1] = key_usage(0x04), CONSTRAINT, detail);
    broken(1, |c| drop(c.others.pop()), CONSTRAINT, detail);
    broken(1, |c| c.others.push(both_ends()), CONSTRAINT, detail);
    let plain = |c: &mut Cert| {
        c.fields.roles = roles(&[MEMBER]);
        c.others = vec![key_usage(0x84)];
    };
    broken(2, plain, CONSTRAINT, detail);
}

#[test]
fn other_algorithms_and_weak_keys_are_refused() {
    let ed448 = || sequence(&[algorithm(oid::ED448), bits(&[4; 57])]);
    let no_curve = || sequence(&[algorithm(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), bits(&[4; 65])]);
    broken(
        1,
        |c| c.inner_algorithm = algorithm(oid::ED448),
        "CRYPT_E_UNKNOWN_ALGO",
        "NTE_BAD_ALGID",
    );
    broken(1, |c| c.spki = ed448(), "CRYPT_E_UNKNOWN_ALGO", "NTE_BAD_ALGID");
    broken(1, |c| c.spki = no_curve(), "CRYPT_E_UNKNOWN_ALGO", "NTE_BAD_PUBLIC_KEY");
    let weak = |key: &[u8]| sequence(&[algorithm(oid::ED25519), bits(key)]);
    for key in [&[0; 32][..], &[9; 31], &[9; 33], &[0xff; 32], &[&[1][..], &[0; 31]].concat()] {
        broken(1, |c| c.spki = weak(key), "CRYPT_E_UNKNOWN_ALGO", "NTE_BAD_PUBLIC_KEY");
    }
}

#[test]
fn broken_der_is_told_apart_by_kind() {
    let family = Family::new(2);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut certificates = family.signed();
        change(&mut certificates[1]);
        inspect_chain(&chain(&certificates)).unwrap_err()
    };
    assert_codes(with(&|der| der.truncate(100)), "CRYPT_E_ASN1_EOD", MALFORMED);
    assert_codes(with(&|der| der.clear()), "CRYPT_E_ASN1_EOD", MALFORMED);
    assert_codes(with(&|der| der.push(0)), CORRUPT, MALFORMED);
    assert_codes(with(&|der| der[0] = 0x31), "CRYPT_E_ASN1_BADTAG", MALFORMED);
    // Indefinite length, and a length written longer than needed.
    assert_codes(with(&|der| der[1] = 0x80), CORRUPT, MALFORMED);
    assert_codes(with(&|der| drop(der.splice(1..2, [0x83, 0]))), CORRUPT, MALFORMED);
}

#[test]
fn encodings_that_mean_the_same_are_refused() {
    // A SET out of order, a DEFAULT written out, a BOOLEAN that is true in another way, an INTEGER with a zero to spare.
    let unsorted =
        |c: &mut Cert| c.fields.roles = tlv(0x31, &[octets(&MEMBER), octets(&ADMIN)].concat());
    broken(1, unsorted, CORRUPT, MALFORMED);
    let twice =
        |c: &mut Cert| c.fields.roles = tlv(0x31, &[octets(&ADMIN), octets(&ADMIN)].concat());
    broken(1, twice, CONSTRAINT, MALFORMED);
    broken(1, |c| c.others[0].critical = Some(0x01), CORRUPT, MALFORMED);
    broken(1, |c| c.others[0].critical = Some(0x00), CORRUPT, MALFORMED);
    broken(1, |c| c.fields.flags = tlv(0x02, &[0, 0]), CORRUPT, MALFORMED);
    broken(1, |c| c.serial = tlv(0x02, &[&[0, 1][..], &[5; 14]].concat()), CORRUPT, MALFORMED);
    let long = |c: &mut Cert| c.subject = [&[0x30, 0x81], &c.subject[1..]].concat();
    broken(1, long, CORRUPT, MALFORMED);
    let inside =
        |c: &mut Cert| c.issuer = [&[0x30, c.issuer[1] + 1, 0x31, 0x81], &c.issuer[3..]].concat();
    broken(1, inside, CONSTRAINT, MALFORMED);
    broken(1, |c| c.others[0].id = vec![0x80, 0x55, 0x1d, 0x13], CORRUPT, MALFORMED);
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let large = vec![0; 1_281];
    let code = "CRYPT_E_ASN1_LARGE";
    assert_codes(inspect_chain(&chain(std::slice::from_ref(&large))).unwrap_err(), code, MALFORMED);
    assert_codes(inspect_chain(&vec![0; 32_001]).unwrap_err(), code, MALFORMED);
    assert_codes(verify_tls_certificate(&vec![0x30; 4_097]).unwrap_err(), code, MALFORMED);
    let huge = format!("<PEERIDENTITYINFO VERSION=\"1.0\">{}", "x".repeat(65_536));
    assert_codes(IdentityInfo::from_xml(&huge).unwrap_err(), code, MALFORMED);
    // One byte less is read, and found to be something else.
    assert_eq!(inspect_chain(&chain(&[large[1..].to_vec()])).unwrap_err(), Cause::DerTag.refusal());
}

#[test]
fn the_list_of_certificates_ends_with_its_bytes() {
    let (code, detail) = ("CRYPT_E_BAD_MSG", "NTE_BAD_DATA");
    let whole = Family::new(1).chain();
    assert_codes(inspect_chain(&[]).unwrap_err(), code, detail);
    assert_codes(inspect_chain(&[0]).unwrap_err(), code, detail);
    assert_codes(inspect_chain(&[&whole[..], &[0]].concat()).unwrap_err(), code, detail);
    assert_codes(inspect_chain(&whole[..whole.len() - 1]).unwrap_err(), code, detail);
}

#[test]
fn links_must_fit() {
    let (code, detail) = ("CRYPT_E_ISSUER_SERIALNUMBER", "CERT_E_ISSUERCHAINING");
    let other = Key::new(99);
    broken(2, |c| c.issuer = name(&other.authority()), code, detail);
    let consistent = |c: &mut Cert| {
        c.issuer = name(&other.authority());
        c.fields.issuer = octets(&other.id().0);
    };
    broken(2, consistent, code, detail);
    broken(2, |c| c.fields.group = utf8(&other.name("chess")), code, detail);
    broken(2, |c| c.fields.group = utf8(&Key::new(1).name("go")), code, detail);
    broken(0, |c| c.issuer = name(&other.authority()), code, detail);

    let mut certificates = Family::new(3).signed();
    certificates.remove(2);
    assert_codes(inspect_chain(&chain(&certificates)).unwrap_err(), code, detail);
    let mut certificates = Family::new(3).signed();
    certificates.swap(2, 3);
    assert_codes(inspect_chain(&chain(&certificates)).unwrap_err(), code, detail);
}

#[test]
fn names_are_the_hash_of_their_key() {
    let (code, detail) = ("CRYPT_E_NO_MATCH", "CERT_E_INVALID_NAME");
    let other = Key::new(99);
    broken(2, |c| c.subject = name(&other.authority()), code, detail);
    broken(2, |c| c.fields.name = utf8(&other.name("")), code, detail);
    broken(0, |c| c.subject = name(&other.authority()), code, detail);
}

#[test]
fn another_root_or_none_is_not_trusted() {
    let family = Family::new(2);
    let refusal =
        verify_chain(&KeyId([7; 32]), &family.chain(), &family.leaf(), &now()).unwrap_err();
    assert_codes(refusal, "CRYPT_E_NO_TRUSTED_SIGNER", "CERT_E_UNTRUSTEDROOT");
    let headless = chain(&family.signed()[1..]);
    assert_codes(
        inspect_chain(&headless).unwrap_err(),
        "CRYPT_E_NO_TRUSTED_SIGNER",
        "CERT_E_CHAINING",
    );
}

#[test]
fn an_intruder_with_a_root_of_its_own_is_not_trusted() {
    let real = GroupIdentity::create(Some("chess"), None, now()).unwrap();
    let made_up = GroupIdentity::create(Some("chess"), None, now()).unwrap();
    let intruder = Identity::create(None, None, now()).unwrap();
    let chain = made_up.issue_creator(&intruder.info(), now()).unwrap();
    let refusal = verify_chain(&real.key_id(), &chain, &intruder.key_id(), &now()).unwrap_err();
    assert_codes(refusal, "CRYPT_E_NO_TRUSTED_SIGNER", "CERT_E_UNTRUSTEDROOT");
}

#[test]
fn an_intruder_below_the_real_root_without_its_key_is_not_believed() {
    // The root certificate is public, every member has it: what the intruder lacks is the key.
    let family = Family::new(1);
    let intruder = Key::new(66);
    let forged = Cert::member(&intruder, &family.keys[0], &family.keys[0], ADMIN).sign(&intruder);
    let chain = chain(&[family.signed()[0].clone(), forged]);
    let refusal = verify_chain(&family.group(), &chain, &intruder.id(), &now()).unwrap_err();
    assert_codes(refusal, "CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE");
}

#[test]
fn a_signature_by_another_key_is_wrong_wherever_it_stands() {
    for position in 0..3 {
        let family = Family::new(2);
        let mut certificates = family.signed();
        certificates[position] = family.certs[position].sign(&Key::new(66));
        let refusal = inspect_chain(&chain(&certificates)).unwrap_err();
        assert_codes(refusal, "CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE");
    }
}

#[test]
fn self_signed_certificates_are_no_memberships() {
    let (code, detail) = ("CRYPT_E_SELF_SIGNED", "CERT_E_PURPOSE");
    let family = Family::new(1);
    let root = family.signed()[0].clone();
    let refused = |chain: &[u8]| inspect_chain(chain).unwrap_err();
    assert_codes(refused(&chain(std::slice::from_ref(&root))), code, detail);
    assert_codes(refused(&chain(&[root.clone(), root.clone()])), code, detail);
    let identity = Cert::identity(&family.keys[1], "").sign(&family.keys[1]);
    assert_codes(refused(&chain(&[root.clone(), identity])), code, detail);
    let own = Cert::member(&family.keys[1], &family.keys[1], &family.keys[0], ADMIN)
        .sign(&family.keys[1]);
    assert_codes(refused(&chain(&[root, own])), code, detail);
}

#[test]
fn the_chain_of_another_identity_is_no_proof() {
    let family = Family::new(2);
    for other in [family.keys[1].id(), family.keys[0].id(), KeyId([7; 32])] {
        let refusal = verify_chain(&family.group(), &family.chain(), &other, &now()).unwrap_err();
        assert_codes(refusal, "CRYPT_E_NO_MATCH", "CERT_E_CN_NO_MATCH");
    }
}

#[test]
fn roles_are_granted_from_above_only() {
    for (holder, granted, allowed) in [
        (INVITING, ADMIN, false),
        (INVITING, INVITING, true),
        (INVITING, MEMBER, true),
        (ADMIN, ADMIN, true),
        (ADMIN, INVITING, true),
        (MEMBER, MEMBER, false),
        (MEMBER, ADMIN, false),
    ] {
        let mut family = Family::new(2);
        family.certs[1] = Cert::member(&family.keys[1], &family.keys[0], &family.keys[0], holder);
        family.certs[2] = Cert::member(&family.keys[2], &family.keys[1], &family.keys[0], granted);
        if holder != ADMIN {
            family.certs[2].fields.classifiers = classifiers(&["participant"]);
        }
        match verify(&family) {
            Ok(_) => assert!(allowed, "{holder:?} {granted:?}"),
            Err(refusal) => {
                assert!(!allowed, "{holder:?} {granted:?}");
                assert_codes(refusal, SETTINGS, "CERT_E_ROLE");
            }
        }
    }
}

#[test]
fn a_high_role_beside_a_low_one_still_needs_a_high_issuer() {
    let mut family = Family::new(2);
    family.certs[1] = Cert::member(&family.keys[1], &family.keys[0], &family.keys[0], INVITING);
    family.certs[2].fields.roles = roles(&[ADMIN, MEMBER]);
    family.certs[2].fields.classifiers = classifiers(&["participant"]);
    assert_codes(verify(&family).unwrap_err(), SETTINGS, "CERT_E_ROLE");
}

#[test]
fn classifiers_are_handed_on_not_widened() {
    for (role, held, handed, allowed) in [
        (INVITING, &["chess"][..], &["chess"][..], true),
        (INVITING, &["chess"], &["chess.blitz"], true),
        (INVITING, &["chess"], &["go"], false),
        (INVITING, &["chess"], &["ches"], false),
        (INVITING, &["chess"], &[], false),
        (INVITING, &["chess", "go"], &["go", "chess"], true),
        (INVITING, &["chess"], &["chess", "go"], false),
        (MEMBER, &["chess"], &["chess"], true),
        (MEMBER, &["chess"], &["chess.blitz"], false),
        (MEMBER, &[], &["anything"], true),
        (INVITING, &[], &[], true),
    ] {
        let mut family = Family::new(2);
        family.certs[2] = Cert::member(&family.keys[2], &family.keys[1], &family.keys[0], role);
        family.certs[1].fields.classifiers = classifiers(held);
        family.certs[2].fields.classifiers = classifiers(handed);
        match verify(&family) {
            Ok(_) => assert!(allowed, "{held:?} {handed:?}"),
            Err(refusal) => {
                assert!(!allowed, "{held:?} {handed:?}");
                assert_codes(refusal, SETTINGS, "CERT_E_INVALID_POLICY");
            }
        }
    }
}

#[test]
fn no_key_stands_twice_in_a_chain() {
    let twice = |again: usize| {
        let mut family = Family::new(3);
        family.keys[3] = Key::new(again as u8 + 1);
        family.certs[3] = Cert::member(&family.keys[3], &family.keys[2], &family.keys[0], ADMIN);
        inspect_chain(&family.chain()).unwrap_err()
    };
    // Not only the members': the root's key, too, is no member's.
    for again in [0, 1] {
        assert_codes(twice(again), SETTINGS, "CERT_E_CHAINING");
    }
}

#[test]
fn lifetimes_nest() {
    let detail = "CERT_E_VALIDITYPERIODNESTING";
    let mut family = Family::new(2);
    family.certs[1].not_after = time(NOW + 100);
    family.certs[2].not_after = time(NOW + 101);
    assert_codes(verify(&family).unwrap_err(), SETTINGS, detail);
    family.certs[2].not_after = time(NOW + 100);
    assert_eq!(verify(&family).unwrap().not_after, FileTime::from_unix(NOW + 100));
    broken(2, |c| c.not_before = time(NOW - 601), SETTINGS, detail);
    broken(1, |c| c.not_before = time(NOW - 601), SETTINGS, detail);
}

#[test]
fn a_chain_is_valid_in_its_time_give_or_take_ten_minutes() {
    let mut family = Family::new(2);
    family.certs[2].not_before = time(NOW);
    family.certs[2].not_after = time(NOW + 3_600);
    let at = |seconds: i64| {
        verify_chain(
            &family.group(),
            &family.chain(),
            &family.leaf(),
            &FileTime::from_unix(seconds),
        )
        .map(|_| ())
    };
    assert_eq!(at(NOW - 601), Err(Cause::NotYetValid.refusal()));
    assert_eq!(at(NOW - 600), Ok(()));
    assert_eq!(at(NOW + 3_600 + 600), Ok(()));
    assert_eq!(at(NOW + 3_600 + 601), Err(Cause::Expired.refusal()));
    assert_codes(at(NOW + 10_000).unwrap_err(), SETTINGS, "CERT_E_EXPIRED");
    assert_codes(at(0).unwrap_err(), SETTINGS, "CERT_E_EXPIRED");
    assert!(inspect_chain(&family.chain()).is_ok(), "a chain can be read at any time");
}

#[test]
fn an_expired_issuer_takes_its_members_along() {
    let mut family = Family::new(2);
    family.certs[1].not_after = time(NOW + 100);
    family.certs[2].not_after = time(NOW + 100);
    let later = FileTime::from_unix(NOW + 100 + 601);
    let refusal =
        verify_chain(&family.group(), &family.chain(), &family.leaf(), &later).unwrap_err();
    assert_codes(refusal, SETTINGS, "CERT_E_EXPIRED");
}

#[test]
fn tls_shows_an_identity_without_names() {
    let key = Key::new(5);
    let read = |cert: &Cert| verify_tls_certificate(&cert.sign(&key));
    let peer = read(&Cert::identity(&key, "")).unwrap();
    assert_eq!((peer.key, peer.public_key), (key.id(), key.spki()));

    assert_codes(read(&Cert::identity(&key, "chess")).unwrap_err(), CONSTRAINT, MALFORMED);
    let mut named = Cert::identity(&key, "");
    named.fields.friendly_name = friendly("Ada");
    assert_codes(read(&named).unwrap_err(), CONSTRAINT, MALFORMED);
    assert_codes(read(&Cert::root(&key)).unwrap_err(), CONSTRAINT, "CERT_E_PURPOSE");
    let member = Cert::member(&key, &Key::new(6), &Key::new(7), MEMBER);
    assert_codes(read(&member).unwrap_err(), CONSTRAINT, "CERT_E_PURPOSE");
    let mut bare = Cert::identity(&key, "");
    bare.others.pop();
    assert_codes(read(&bare).unwrap_err(), CONSTRAINT, "CERT_E_WRONG_USAGE");
    let foreign = verify_tls_certificate(&Cert::identity(&key, "").sign(&Key::new(6)));
    assert_codes(foreign.unwrap_err(), "CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE");
}

#[test]
fn an_identity_needs_no_dates() {
    let key = Key::new(5);
    let mut old = Cert::identity(&key, "");
    (old.not_before, old.not_after) = (time(0), time(1));
    assert!(verify_tls_certificate(&old.sign(&key)).is_ok());
}

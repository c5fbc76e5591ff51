//! Invitations: what they grant, what they refuse to grant, and that nobody changes a character of them.

mod forge;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use forge::*;
use p2p_core::{Address, Code, FileTime, KeyId, Roles};
use p2p_crypto::{
    Cause, CryptoError, GroupIdentity, Identity, IdentityInfo, Invitation, IssueRequest,
};
use std::net::SocketAddr;

struct Scene {
    group: GroupIdentity,
    ada: Identity,
    chain: Bytes,
    bob: Identity,
    bob_info: IdentityInfo,
}

impl Scene {
    fn new() -> Scene {
        let group = GroupIdentity::create(Some("chess"), Some("Chess club"), now()).unwrap();
        let ada = Identity::create(Some("home"), Some("Ada"), now()).unwrap();
        let chain = group.issue_creator(&ada.info(), now()).unwrap();
        let bob = Identity::create(None, Some("Bob"), now()).unwrap();
        let bob_info = bob.info();
        Scene { group, ada, chain, bob, bob_info }
    }

    fn issue<'a>(
        &'a self,
        change: impl FnOnce(&mut IssueRequest<'a>),
    ) -> Result<Invitation, CryptoError> {
        let (subject, roles) = (&self.bob_info, Roles::MEMBER);
        let mut request = IssueRequest { subject, roles, expires: None, hints: &[], now: now() };
        change(&mut request);
        Invitation::issue(&self.ada, &self.chain, &request)
    }

    fn plain(&self) -> Invitation {
        self.issue(|_| ()).unwrap()
    }
}

fn address(text: &str) -> Address {
    text.parse::<SocketAddr>().unwrap().into()
}

#[track_caller]
fn assert_refused(result: Result<Invitation, CryptoError>, code: Code, cause: Cause) {
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.refusal()), (code, Some(cause.refusal())));
}

#[test]
fn an_invitation_says_all_that_its_reader_must_know() {
    let scene = Scene::new();
    let expires = now().plus_seconds(86_400);
    let hints =
        [(scene.ada.key_id(), vec![address("[2001:db8::1]:3587"), address("192.0.2.7:3587")])];
    let issued = scene.issue(|r| (r.expires, r.hints) = (Some(expires), &hints)).unwrap();
    let read = Invitation::parse(issued.as_xml()).unwrap();
    assert_eq!(read.as_xml(), issued.as_xml());
    assert_eq!(read.group(), scene.group.key_id());
    assert_eq!(read.group_name(), scene.group.name());
    assert_eq!(read.group_friendly_name(), "Chess club");
    assert_eq!(read.hints(), hints);
    assert_eq!(read.subject_public_key(), scene.bob.info().public_key);
    let member = read.member();
    assert_eq!((&member.name[..], &member.friendly_name[..]), (scene.bob.name().as_str(), "Bob"));
    assert_eq!(
        (&member.issuer_name[..], &member.issuer_friendly_name[..]),
        (scene.ada.name().as_str(), "Ada")
    );
    assert_eq!((member.roles, member.depth), (Roles::MEMBER, 2));
    assert_eq!((member.not_before, member.not_after), (now().minus_seconds(600), expires));
    assert_eq!(member.chain, read.chain());
    assert_eq!(*read.check_for(&scene.bob.key_id(), now()).unwrap(), *member);
}

#[test]
fn one_line_carries_the_same() {
    let issued = Scene::new().plain();
    let line = issued.to_line();
    assert!(line.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_".contains(&b)), "{line}");
    for text in [line.clone(), format!("  {line}\r\n")] {
        assert_eq!(Invitation::parse(&text).unwrap().as_xml(), issued.as_xml());
    }
}

/// The byte with each of its bits flipped that leave it text.
fn bits_flipped(byte: u8) -> impl Iterator<Item = u8> {
    (0..7).map(move |bit| byte ^ (1 << bit))
}

#[test]
fn every_altered_character_is_noticed() {
    let scene = Scene::new();
    let hints = [(scene.ada.key_id(), vec![address("[2001:db8::1]:3587")])];
    let xml = scene.issue(|r| r.hints = &hints).unwrap().as_xml().to_owned();
    for at in 0..xml.len() {
        let old = xml.as_bytes()[at];
        for new in bits_flipped(old).chain(*b" <") {
            if new != old && new < 0x80 {
                let mut altered = xml.clone().into_bytes();
                altered[at] = new;
                let altered = String::from_utf8(altered).unwrap();
                assert!(
                    Invitation::parse(&altered).is_err(),
                    "{at}: {:?} for {:?}",
                    new as char,
                    old as char
                );
            }
        }
        let removed = [&xml[..at], &xml[at + 1..]].concat();
        assert!(removed == xml || Invitation::parse(&removed).is_err(), "{at} removed");
        assert!(Invitation::parse(&xml[..at]).is_err(), "cut off at {at}");
        for inserted in [" ", "A"] {
            let longer = [&xml[..at], inserted, &xml[at..]].concat();
            assert!(Invitation::parse(&longer).is_err(), "{inserted:?} at {at}");
        }
    }
    assert!(Invitation::parse(&format!("{xml}\n")).is_err());
    assert!(Invitation::parse(&format!("{xml}<!-- -->")).is_err());
}

#[test]
fn every_altered_character_of_the_line_is_noticed() {
    let line = Scene::new().plain().to_line();
    for at in 0..line.len() {
        let old = line.as_bytes()[at];
        for new in bits_flipped(old).chain(*b"A_") {
            if new != old && new < 0x80 {
                let mut altered = line.clone().into_bytes();
                altered[at] = new;
                assert!(
                    Invitation::parse(&String::from_utf8(altered).unwrap()).is_err(),
                    "{at}: {:?}",
                    new as char
                );
            }
        }
        assert!(Invitation::parse(&line[..at]).is_err(), "cut off at {at}");
    }
}

#[test]
fn other_versions_are_said_to_be_so() {
    let invitation = Scene::new().plain();
    for version in ["1.0", "1.1", "2.1", "3.0", ""] {
        let other = invitation.as_xml().replacen("\"2.0\"", &format!("{version:?}"), 1);
        let error = Invitation::parse(&other).unwrap_err();
        assert_eq!((error.code(), error.refusal()), (Code::PEER_E_UNSUPPORTED_VERSION, None));
    }
    let line = invitation.to_line().replacen(":1:", ":2:", 1);
    assert_eq!(Invitation::parse(&line).unwrap_err(), CryptoError::Version);
}

/// An invitation by hand: `body` between the fixed elements and the signature, which is `signer`'s.
fn forged(body: &str, signer: &Key) -> String {
    let head = "<PEERINVITATION VERSION=\"2.0\"><CLOUDNAME>Global_</CLOUDNAME><SCOPE>GLOBAL</SCOPE>\
                <CLOUDFLAGS>0</CLOUDFLAGS>";
    seal(&format!("{head}{body}"), signer)
}

fn seal(unsigned: &str, signer: &Key) -> String {
    let signature =
        STANDARD.encode(signer.sign(&[b"pgrp1/invitation\0", unsigned.as_bytes()].concat()));
    format!("{unsigned}<SIG>{signature}</SIG></PEERINVITATION>")
}

fn gmc(chain: &[u8]) -> String {
    format!("<GMC>{}</GMC>", STANDARD.encode(chain))
}

#[test]
fn another_maker_can_write_one_and_add_to_it() {
    let family = Family::new(2);
    let hint = format!("<HINT KEY=\"{}\"><ADDRESS>192.0.2.1:1</ADDRESS></HINT>", "0f".repeat(32));
    let body = format!("{}<RELAY>later</RELAY>{hint}", gmc(&family.chain()));
    let read = Invitation::parse(&forged(&body, &family.keys[1])).unwrap();
    assert_eq!(read.member().key, family.leaf());
    assert_eq!(read.hints(), [(KeyId([0x0f; 32]), vec![address("192.0.2.1:1")])]);
}

#[test]
fn only_the_issuer_of_the_membership_can_sign_the_text() {
    let family = Family::new(3);
    let body = gmc(&family.chain());
    assert!(Invitation::parse(&forged(&body, &family.keys[2])).is_ok());
    for signer in [&family.keys[0], &family.keys[1], &family.keys[3], &Key::new(99)] {
        let refused = Invitation::parse(&forged(&body, signer));
        assert_refused(refused, Code::PEER_E_INVITATION_NOT_TRUSTED, Cause::TextSignature);
    }
}

#[test]
fn broken_texts_are_refused_with_their_kind() {
    let family = Family::new(2);
    let (good, signer) = (gmc(&family.chain()), &family.keys[1]);
    let refused = |text: &str, cause| {
        assert_refused(Invitation::parse(text), Code::PEER_E_INVITATION_NOT_TRUSTED, cause);
    };
    let body = |body: &str, cause| refused(&forged(body, signer), cause);
    body(&good.repeat(2), Cause::Container);
    body("", Cause::Container);
    body(&format!("{good}<SCOPE>GLOBAL</SCOPE>"), Cause::Container);
    body("<GMC>?</GMC>", Cause::Base64);
    body("<GMC>AAA</GMC>", Cause::Base64);
    body("<GMC>AA==<b/></GMC>", Cause::Container);
    body("<GMC></GMC>", Cause::Container);
    body(&good.replacen("<GMC>", "<GMC>\n", 1), Cause::Base64);
    let hint = format!("<HINT KEY=\"{}\"></HINT>", "0f".repeat(32));
    body(&format!("{good}{}", hint.repeat(9)), Cause::Container);
    body(&format!("{good}{}", hint.replace("0f", "0F")), Cause::Container);
    body(&format!("{good}{}", hint.replacen("0f", "", 1)), Cause::Container);
    body(&format!("{good}<HINT/>"), Cause::Container);
    for bad in ["", "host:1", "[::1]:0", "[::]:1", "[fe80::1%3]:1", "224.0.0.1:1", "[::1]"] {
        let address = format!("<ADDRESS>{bad}</ADDRESS></HINT>");
        body(&format!("{good}{}", hint.replace("</HINT>", &address)), Cause::Container);
    }
    let nine = format!("{}</HINT>", "<ADDRESS>192.0.2.1:1</ADDRESS>".repeat(9));
    body(&format!("{good}{}", hint.replace("</HINT>", &nine)), Cause::Container);
    body(&format!("{good}<X><X><X><X/></X></X></X>"), Cause::Container);
    body(&format!("{good}{}", "<X/>".repeat(2_000)), Cause::Container);
    body(&format!("{good}{}", "<X>".repeat(10_000)), Cause::Container);

    let whole = forged(&good, signer);
    refused("", Cause::Container);
    refused("hello", Cause::Container);
    refused("<PEERIDENTITYINFO VERSION=\"1.0\"/>", Cause::Container);
    refused("<PEERINVITATION/>", Cause::Container);
    refused(&whole.replace("GLOBAL", "LINKLOCAL"), Cause::Container);
    let unsigned = &whole[..whole.find("<SIG>").unwrap()];
    refused(&format!("{unsigned}</PEERINVITATION>"), Cause::SignatureMissing);
    refused(&format!("{unsigned}<SIG></SIG></PEERINVITATION>"), Cause::TextSignature);
    refused(&format!("{unsigned}<SIG>!</SIG></PEERINVITATION>"), Cause::Base64);
    refused(&format!("{unsigned}<SIG></SIG><X/></PEERINVITATION>"), Cause::Container);
    refused(&seal(&format!("{unsigned}<SIG>AA==</SIG>"), signer), Cause::Container);
    refused(&"x".repeat(65_537), Cause::TooLarge);
    refused("p2p-invitation:1:!", Cause::Base64);
    refused(&format!("p2p-invitation:1:{}", URL_SAFE_NO_PAD.encode([0xff])), Cause::Container);
    refused(&format!("p2p-invitation:1:{}", "A".repeat(87_400)), Cause::TooLarge);
    refused(
        &format!("p2p-invitation:1:{}", URL_SAFE_NO_PAD.encode("x".repeat(65_537))),
        Cause::TooLarge,
    );
}

#[test]
fn entities_are_never_expanded() {
    let family = Family::new(2);
    let doctype =
        "<!DOCTYPE PEERINVITATION [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
    let text = format!("{doctype}{}", forged(&gmc(&family.chain()), &family.keys[1]));
    assert_refused(Invitation::parse(&text), Code::PEER_E_INVITATION_NOT_TRUSTED, Cause::Container);
}

#[test]
fn bad_chains_are_refused_with_the_code_of_the_api() {
    let parse =
        |family: &Family, signer: &Key| Invitation::parse(&forged(&gmc(&family.chain()), signer));
    let family = Family::new(25);
    assert_refused(
        parse(&family, &family.keys[24]),
        Code::PEER_E_CHAIN_TOO_LONG,
        Cause::ChainTooLong,
    );

    let mut family = Family::new(3);
    family.keys[3] = Key::new(2);
    family.certs[3] = Cert::member(&family.keys[3], &family.keys[2], &family.keys[0], ADMIN);
    assert_refused(
        parse(&family, &family.keys[2]),
        Code::PEER_E_CIRCULAR_CHAIN_DETECTED,
        Cause::KeyTwice,
    );

    let mut family = Family::new(2);
    family.certs[2].inner_algorithm = algorithm(oid::ED448);
    assert_refused(
        parse(&family, &family.keys[1]),
        Code::PEER_E_UNSUPPORTED_VERSION,
        Cause::UnknownAlgorithm,
    );

    let mut family = Family::new(2);
    family.certs[1].not_after = time(NOW + 1);
    assert_refused(
        parse(&family, &family.keys[1]),
        Code::PEER_E_INVITATION_NOT_TRUSTED,
        Cause::OutlivesIssuer,
    );

    // The root issues the creator's own membership only, and no member signed that.
    let family = Family::new(1);
    assert_refused(
        parse(&family, &family.keys[0]),
        Code::PEER_E_INVITATION_NOT_TRUSTED,
        Cause::SignerMissing,
    );
}

#[test]
fn only_the_invited_can_join_and_only_in_time() {
    let scene = Scene::new();
    let expires = now().plus_seconds(3_600);
    let invitation = scene.issue(|r| r.expires = Some(expires)).unwrap();
    let check = |who: &Identity, at| invitation.check_for(&who.key_id(), at).map(|_| ());
    let code =
        |result: Result<(), CryptoError>| result.map_err(|error| (error.code(), error.refusal()));
    let refused = |code, cause: Cause| Err((code, Some(cause.refusal())));
    let period = Code::PEER_E_INVALID_TIME_PERIOD;

    assert_eq!(code(check(&scene.bob, now())), Ok(()));
    let stranger = refused(Code::PEER_E_INVITATION_NOT_TRUSTED, Cause::OtherIdentity);
    assert_eq!(code(check(&scene.ada, now())), stranger);
    assert_eq!(code(check(&scene.bob, expires.plus_seconds(600))), Ok(()));
    assert_eq!(code(check(&scene.bob, expires.plus_seconds(601))), refused(period, Cause::Expired));
    assert_eq!(
        code(check(&scene.bob, now().minus_seconds(1_201))),
        refused(period, Cause::NotYetValid)
    );
    // Still readable, so that its dates can be shown.
    assert!(Invitation::parse(invitation.as_xml()).is_ok());
}

#[test]
fn nobody_grants_more_than_it_has() {
    let scene = Scene::new();
    for (own, wanted, allowed) in [
        (Roles::ADMIN, Roles::ADMIN, true),
        (Roles::ADMIN, Roles::ADMIN.with(Roles::MEMBER), true),
        (Roles::INVITING_MEMBER, Roles::ADMIN, false),
        (Roles::INVITING_MEMBER, Roles::ADMIN.with(Roles::MEMBER), false),
        (Roles::INVITING_MEMBER, Roles::INVITING_MEMBER, true),
        (Roles::INVITING_MEMBER, Roles::MEMBER, true),
        (Roles::MEMBER, Roles::MEMBER, false),
    ] {
        let bobs = scene.issue(|r| r.roles = own).unwrap();
        let cid = Identity::create(None, None, now()).unwrap().info();
        let request =
            IssueRequest { subject: &cid, roles: wanted, expires: None, hints: &[], now: now() };
        match Invitation::issue(&scene.bob, bobs.chain(), &request) {
            Ok(invitation) => {
                assert!(allowed, "{own:?} {wanted:?}");
                assert_eq!(Invitation::parse(invitation.as_xml()).unwrap().member().roles, wanted);
            }
            Err(error) => {
                assert!(!allowed, "{own:?} {wanted:?}");
                assert_eq!(error.code(), Code::PEER_E_NOT_AUTHORIZED);
                assert_eq!(error.refusal(), Some(Cause::RoleNotDelegable.refusal()));
            }
        }
    }
}

#[test]
fn requests_out_of_range_are_refused_with_their_code() {
    let scene = Scene::new();
    let code = |change: &dyn Fn(&mut IssueRequest<'_>)| scene.issue(change).unwrap_err().code();
    assert_eq!(code(&|r| r.roles = Roles::empty()), Code::E_INVALIDARG);
    let period = Code::PEER_E_INVALID_TIME_PERIOD;
    assert_eq!(code(&|r| r.expires = Some(now())), period);
    assert_eq!(code(&|r| r.expires = Some(FileTime(0))), period);
    assert_eq!(code(&|r| r.expires = Some(FileTime::NO_END.plus_seconds(1))), period);
    assert_eq!(code(&|r| r.now = now().minus_seconds(1_201)), period);

    let ada = scene.ada.info();
    let own =
        IssueRequest { subject: &ada, roles: Roles::MEMBER, expires: None, hints: &[], now: now() };
    let error = Invitation::issue(&scene.ada, &scene.chain, &own).unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_CIRCULAR_CHAIN_DETECTED);

    let bob = scene.bob.info();
    for change in [
        |info: &mut IdentityInfo| info.key = KeyId([1; 32]),
        |info: &mut IdentityInfo| info.public_key[20] ^= 1,
        |info: &mut IdentityInfo| {
            info.name = Identity::create(None, None, now()).unwrap().name().clone();
        },
    ] {
        let mut subject = bob.clone();
        change(&mut subject);
        let request = IssueRequest { subject: &subject, ..own };
        let error = Invitation::issue(&scene.ada, &scene.chain, &request).unwrap_err();
        assert_eq!(error.code(), Code::E_INVALIDARG);
    }
    let mut subject = bob.clone();
    subject.friendly_name = "a\nb".into();
    let error =
        Invitation::issue(&scene.ada, &scene.chain, &IssueRequest { subject: &subject, ..own })
            .unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_INVALID_FRIENDLY_NAME);
}

#[test]
fn no_member_outlives_who_invited_it() {
    let scene = Scene::new();
    let end = now().plus_seconds(3_600);
    let bobs = scene.issue(|r| (r.roles, r.expires) = (Roles::ADMIN, Some(end))).unwrap();
    let cid = Identity::create(None, None, now()).unwrap().info();
    let issue = |expires, at| {
        let request =
            IssueRequest { subject: &cid, roles: Roles::MEMBER, expires, hints: &[], now: at };
        Invitation::issue(&scene.bob, bobs.chain(), &request).map(|i| i.member().not_after)
    };
    assert_eq!(issue(None, now()), Ok(end));
    assert_eq!(issue(Some(end), now()), Ok(end));
    for (expires, at, cause) in [
        (Some(end.plus_seconds(1)), now(), Cause::OutlivesIssuer),
        (None, end, Cause::Expired),
        (None, end.plus_seconds(601), Cause::Expired),
    ] {
        let error = issue(expires, at).unwrap_err();
        assert_eq!(
            (error.code(), error.refusal()),
            (Code::PEER_E_INVALID_TIME_PERIOD, Some(cause.refusal()))
        );
    }
}

#[test]
fn an_issuer_whose_clock_is_behind_still_nests() {
    let scene = Scene::new();
    let early = now().minus_seconds(900);
    let invitation = scene.issue(|r| r.now = early).unwrap();
    assert_eq!(invitation.member().not_before, now().minus_seconds(600));
    let too_soon =
        scene.issue(|r| (r.now, r.expires) = (early, Some(early.plus_seconds(10)))).unwrap_err();
    assert_eq!(too_soon.code(), Code::PEER_E_INVALID_TIME_PERIOD);
}

#[test]
fn nobody_invites_with_the_chain_of_another() {
    let scene = Scene::new();
    let bob = scene.bob.info();
    let request =
        IssueRequest { subject: &bob, roles: Roles::MEMBER, expires: None, hints: &[], now: now() };
    let eve = Identity::create(None, None, now()).unwrap();
    let error = Invitation::issue(&eve, &scene.chain, &request).unwrap_err();
    assert_eq!(
        (error.code(), error.refusal()),
        (Code::CRYPT_E_NO_MATCH, Some(Cause::OtherIdentity.refusal()))
    );
    let error = Invitation::issue(&scene.ada, &Bytes::new(), &request).unwrap_err();
    assert_eq!(error.code(), Code::CRYPT_E_BAD_MSG);
}

#[test]
fn names_that_fill_a_certificate_are_refused_when_issuing() {
    // 255 characters of three bytes each are allowed as a name; with a long group name they do not fit.
    let group = GroupIdentity::create(Some(&"x".repeat(149)), None, now()).unwrap();
    let ada = Identity::create(None, None, now()).unwrap();
    let chain = group.issue_creator(&ada.info(), now()).unwrap();
    let bob =
        Identity::create(Some(&"y".repeat(149)), Some(&"東".repeat(255)), now()).unwrap().info();
    let request =
        IssueRequest { subject: &bob, roles: Roles::MEMBER, expires: None, hints: &[], now: now() };
    assert_refused(Invitation::issue(&ada, &chain, &request), Code::E_INVALIDARG, Cause::TooLarge);
    let error = group.issue_creator(&bob, now()).unwrap_err();
    assert_eq!(error.code(), Code::E_INVALIDARG);
    let error =
        GroupIdentity::create(Some(&"東".repeat(149)), Some(&"東".repeat(255)), now()).unwrap_err();
    assert_eq!(error.code(), Code::E_INVALIDARG);
}

#[test]
fn hints_are_cut_to_what_helps_on_another_machine() {
    let scene = Scene::new();
    let useless = ["[::]:1", "[::1]:0", "[fe80::1]:1", "[ff02::1]:1"].map(address).to_vec();
    let mut hints = vec![(KeyId([0; 32]), useless.clone())];
    let addresses: Vec<Address> =
        (1..=20).map(|port| address(&format!("[2001:db8::1]:{port}"))).collect();
    hints.extend((1..=20).map(|i| (KeyId([i; 32]), [useless.clone(), addresses.clone()].concat())));
    let issued = scene.issue(|r| r.hints = &hints).unwrap();
    let read = Invitation::parse(issued.as_xml()).unwrap();
    let expected: Vec<_> = (1..=8).map(|i| (KeyId([i; 32]), addresses[..8].to_vec())).collect();
    assert_eq!(read.hints(), expected);
    assert_eq!(issued.hints(), expected);
}

#[test]
fn the_largest_invitation_is_within_the_limit() {
    let mut family = Family::new(23);
    for cert in &mut family.certs {
        let room = 1_270 - cert.sign(&family.keys[0]).len();
        cert.fields.friendly_name = friendly(&"東".repeat(255.min(room / 3)));
    }
    let issuer = Identity::from_parts(
        &pkcs8(23 + 1),
        &Cert::identity(&family.keys[23], "").sign(&family.keys[23]),
    );
    let widest = |port: u16| address(&format!("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:{port}"));
    let long: Vec<Address> = (65_501..=65_508).map(widest).collect();
    let hints: Vec<_> = (0..8).map(|i| (KeyId([i; 32]), long.clone())).collect();
    let bob = Identity::create(None, Some(&"東".repeat(240)), now()).unwrap().info();
    let request = IssueRequest {
        subject: &bob,
        roles: Roles::ADMIN,
        expires: None,
        hints: &hints,
        now: now(),
    };
    let invitation = Invitation::issue(&issuer.unwrap(), &family.chain().into(), &request).unwrap();
    assert!(invitation.as_xml().len() > 45_000);
    assert!(Invitation::parse(invitation.as_xml()).is_ok());
    assert!(Invitation::parse(&invitation.to_line()).is_ok());
}

/// PKCS#8 of [`Key::new`]`(number)` (RFC 8410 §7), by hand.
fn pkcs8(number: u8) -> Vec<u8> {
    let seed = [number; 32];
    let public = Key::new(number).public;
    let private = octets(&octets(&seed));
    sequence(&[
        integer(1),
        algorithm(oid::ED25519),
        private,
        tlv(0x81, &[&[0], &public[..]].concat()),
    ])
}

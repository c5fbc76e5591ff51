//! Invitations by a password: what they say, what their parser turns down, and that nobody mistakes one for another.

mod forge;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use forge::*;
use p2p_core::{Address, Code, Roles};
use p2p_crypto::{
    AnyInvitation, Cause, CryptoError, GroupIdentity, Identity, Invitation, IssueRequest,
    PasswordInvitation, PasswordParameters, PasswordRequest, PasswordVerifier,
};
use std::net::SocketAddr;

struct Scene {
    group: GroupIdentity,
    ada: Identity,
    chain: Bytes,
    parameters: PasswordParameters,
}

/// How a password is stretched at the least cost. w0 is 1 and L the generator of P-256 (SEC 2 §2.4.2).
fn parameters() -> PasswordParameters {
    let generator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let mut bytes = [&[1, 1, 0, 0, 4, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[b's'; 16]].concat();
    bytes.extend([0; 31]);
    bytes.push(1);
    bytes.extend((0..65).map(|i| u8::from_str_radix(&generator[2 * i..2 * i + 2], 16).unwrap()));
    *PasswordVerifier::from_bytes(&bytes).unwrap().parameters()
}

impl Scene {
    fn new() -> Scene {
        let group = GroupIdentity::create(Some("a<b"), Some("Chess & \"club\""), now()).unwrap();
        let ada = Identity::create(Some("home"), Some("Ada"), now()).unwrap();
        let chain = group.issue_creator(&ada.info(), now()).unwrap();
        Scene { group, ada, chain, parameters: parameters() }
    }

    fn issue<'a>(
        &'a self,
        change: impl FnOnce(&mut PasswordRequest<'a>),
    ) -> Result<PasswordInvitation, CryptoError> {
        let (parameters, role) = (&self.parameters, Roles::MEMBER);
        let mut request = PasswordRequest { parameters, role, hints: &[], now: now() };
        change(&mut request);
        PasswordInvitation::issue(&self.ada, &self.chain, &request)
    }

    fn plain(&self) -> PasswordInvitation {
        self.issue(|_| ()).unwrap()
    }
}

fn address(text: &str) -> Address {
    text.parse::<SocketAddr>().unwrap().into()
}

#[track_caller]
fn assert_refused(result: Result<PasswordInvitation, CryptoError>, code: Code, cause: Cause) {
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.refusal()), (code, Some(cause.refusal())));
}

#[track_caller]
fn assert_not_trusted(text: &str, cause: Cause) {
    assert_refused(PasswordInvitation::parse(text), Code::PEER_E_INVITATION_NOT_TRUSTED, cause);
}

#[test]
fn it_says_all_that_a_joiner_must_know() {
    let scene = Scene::new();
    let hints = [(scene.ada.key_id(), vec![address("[2001:db8::1]:3587")])];
    for role in [Roles::MEMBER, Roles::INVITING_MEMBER, Roles::ADMIN] {
        let issued = scene.issue(|r| (r.role, r.hints) = (role, &hints)).unwrap();
        let line = issued.to_line();
        for text in [issued.as_xml(), &line, &format!(" {line}\n")] {
            let read = PasswordInvitation::parse(text).unwrap();
            assert_eq!(read.as_xml(), issued.as_xml());
            assert_eq!(
                (read.group(), read.group_name()),
                (scene.group.key_id(), scene.group.name())
            );
            assert_eq!(read.group_friendly_name(), "Chess & \"club\"");
            assert_eq!((read.role(), read.parameters()), (role, &scene.parameters));
            assert_eq!(read.hints(), hints);
            assert_eq!(read.issuer().key, scene.ada.key_id());
            assert_eq!(read.issuer().friendly_name, "Ada");
            assert_eq!(read.check_at(now()), Ok(()));
            let candidate = read.candidate(&scene.ada.info());
            assert_eq!((&*candidate.friendly_name, candidate.depth), ("Ada", 0));
            assert!(candidate.chain.is_empty() && candidate.roles.is_empty());
        }
    }
    assert_eq!((parameters().memory(), parameters().passes(), parameters().lanes()), (1_024, 1, 1));
}

#[test]
fn nothing_in_it_lets_anybody_try_passwords() {
    let scene = Scene::new();
    let verifier = PasswordVerifier::create(&scene.group.key_id(), "correct horse").unwrap();
    let issued = scene.issue(|r| r.parameters = verifier.parameters()).unwrap();
    assert_eq!(issued.parameters(), verifier.parameters());
    assert_eq!((issued.parameters().memory(), issued.parameters().passes()), (65_536, 3));
    let record = &verifier.to_bytes()[30..];
    for part in record.windows(6).map(|part| STANDARD.encode(part)) {
        assert!(!issued.as_xml().contains(&part));
    }
}

#[test]
fn the_two_kinds_are_told_apart() {
    let scene = Scene::new();
    let by_password = scene.plain();
    let subject = &Identity::create(None, None, now()).unwrap().info();
    let roles = Roles::MEMBER;
    let request = IssueRequest { subject, roles, expires: None, hints: &[], now: now() };
    let named = Invitation::issue(&scene.ada, &scene.chain, &request).unwrap();
    for text in [by_password.as_xml(), &by_password.to_line()] {
        let error = Invitation::parse(text).unwrap_err();
        assert_eq!(error.code(), Code::PEER_E_INVITATION_NOT_TRUSTED);
        assert_eq!(error.refusal(), Some(Cause::OtherKind.refusal()));
        assert!(matches!(AnyInvitation::parse(text), Ok(AnyInvitation::ByPassword(_))));
    }
    for text in [named.as_xml(), &named.to_line()] {
        assert_not_trusted(text, Cause::OtherKind);
        assert!(matches!(AnyInvitation::parse(text), Ok(AnyInvitation::Named(_))));
    }
    assert!(AnyInvitation::parse("<PEERINVITATION VERSION=\"2.0\"/>").is_err());
    assert!(AnyInvitation::parse("").is_err());
}

#[test]
fn every_altered_character_is_noticed() {
    let scene = Scene::new();
    let hints = [(scene.ada.key_id(), vec![address("[2001:db8::1]:3587")])];
    let xml = scene.issue(|r| r.hints = &hints).unwrap().as_xml().to_owned();
    assert!(PasswordInvitation::parse(&xml).is_ok());
    for at in 0..xml.len() {
        let old = xml.as_bytes()[at];
        for new in [old ^ 1, old ^ 2, old ^ 0x20, b' '] {
            if new != old && new < 0x80 {
                let mut altered = xml.clone().into_bytes();
                altered[at] = new;
                let altered = String::from_utf8(altered).unwrap();
                assert!(PasswordInvitation::parse(&altered).is_err(), "{at}: {:?}", new as char);
            }
        }
        let removed = [&xml[..at], &xml[at + 1..]].concat();
        assert!(removed == xml || PasswordInvitation::parse(&removed).is_err(), "{at} removed");
        assert!(PasswordInvitation::parse(&xml[..at]).is_err(), "cut off at {at}");
    }
    for more in ["\n", "<!-- -->", " "] {
        assert!(PasswordInvitation::parse(&format!("{xml}{more}")).is_err());
    }
}

/// An invitation by hand, of these elements in this order, and `signer`'s signature.
fn forged(elements: &[(&str, String)], context: &str, signer: &Key) -> String {
    let mut text = String::from("<PEERINVITATION VERSION=\"2.0\">");
    for (name, value) in elements {
        let element = name.split(' ').next().unwrap();
        text += &format!("<{name}>{value}</{element}>");
    }
    let signature =
        STANDARD.encode(signer.sign(&[context.as_bytes(), b"\0", text.as_bytes()].concat()));
    format!("{text}<SIG>{signature}</SIG></PEERINVITATION>")
}

const CONTEXT: &str = "pgrp1/password invitation";
const PASSWORD: &str = "PASSWORD KDF=\"argon2id\" MEMORY=\"1024\" PASSES=\"1\" LANES=\"1\"";
const MEMBER: &str = "f12dc4c7-0857-4ca0-93fc-b1bb19a3d8c2";

/// What an invitation by the creator of a group by hand consists of.
fn elements(family: &Family) -> Vec<(&'static str, String)> {
    let name = family.keys[0].name("chess");
    let texts = [
        ("CLOUDNAME", "Global_".to_owned()),
        ("SCOPE", "GLOBAL".to_owned()),
        ("CLOUDFLAGS", "0".to_owned()),
        ("GROUPPEERNAME", name.clone()),
        ("GROUPFRIENDLYNAME", name),
        ("ROLE", MEMBER.to_owned()),
        (PASSWORD, STANDARD.encode([b's'; 16])),
        ("ISSUER", STANDARD.encode(family.chain())),
    ];
    texts.into()
}

#[test]
fn another_maker_can_write_one_and_add_to_it() {
    let family = Family::new(1);
    let mut parts = elements(&family);
    parts.push(("RELAY", "later".to_owned()));
    let read = PasswordInvitation::parse(&forged(&parts, CONTEXT, &family.keys[1])).unwrap();
    assert_eq!((read.group(), read.issuer().key), (family.group(), family.leaf()));
    assert_eq!((read.role(), read.parameters()), (Roles::MEMBER, &parameters()));
}

#[test]
fn only_who_is_named_as_its_issuer_can_sign_it_and_only_as_what_it_is() {
    let family = Family::new(1);
    let parts = elements(&family);
    for signer in [&family.keys[0], &Key::new(99)] {
        assert_not_trusted(&forged(&parts, CONTEXT, signer), Cause::TextSignature);
    }
    let other = forged(&parts, "pgrp1/invitation", &family.keys[1]);
    assert_not_trusted(&other, Cause::TextSignature);
    let unsigned = forged(&parts, CONTEXT, &family.keys[1]);
    let unsigned = &unsigned[..unsigned.find("<SIG>").unwrap()];
    assert_not_trusted(&format!("{unsigned}</PEERINVITATION>"), Cause::SignatureMissing);
}

#[test]
fn every_element_is_there_once_and_holds_what_it_must() {
    let family = Family::new(1);
    let signer = &family.keys[1];
    let parts = elements(&family);
    let changed = |at: usize, name: &'static str, value: &str| {
        let mut parts = parts.clone();
        parts[at] = (name, value.to_owned());
        forged(&parts, CONTEXT, signer)
    };
    for at in 0..parts.len() {
        let mut missing = parts.clone();
        missing.remove(at);
        assert_not_trusted(&forged(&missing, CONTEXT, signer), Cause::Container);
        let mut twice = parts.clone();
        twice.push(parts[at].clone());
        assert_not_trusted(&forged(&twice, CONTEXT, signer), Cause::Container);
    }
    assert_not_trusted(&changed(0, "CLOUDNAME", "LinkLocal_"), Cause::Container);
    assert_not_trusted(&changed(3, "GROUPPEERNAME", &Key::new(9).name("chess")), Cause::Links);
    assert_not_trusted(&changed(4, "GROUPFRIENDLYNAME", "Other"), Cause::Links);
    for role in ["", "member", &MEMBER.to_uppercase(), &MEMBER.replace('f', "e")] {
        assert_not_trusted(&changed(5, "ROLE", role), Cause::UnknownRole);
    }
    for salt in ["", &STANDARD.encode([0; 15]), &STANDARD.encode([0; 17])] {
        assert_not_trusted(&changed(6, PASSWORD, salt), Cause::Container);
    }
    assert_not_trusted(&changed(6, PASSWORD, "c3M*"), Cause::Base64);
    let salt = parts[6].1.clone();
    for attributes in [
        "PASSWORD MEMORY=\"1024\" PASSES=\"1\" LANES=\"1\"",
        "PASSWORD KDF=\"argon2id\" PASSES=\"1\" LANES=\"1\"",
        "PASSWORD KDF=\"argon2id\" MEMORY=\"1024\" PASSES=\"1\"",
        "PASSWORD KDF=\"argon2id\" MEMORY=\"1023\" PASSES=\"1\" LANES=\"1\"",
        "PASSWORD KDF=\"argon2id\" MEMORY=\"01024\" PASSES=\"1\" LANES=\"1\"",
        "PASSWORD KDF=\"argon2id\" MEMORY=\"262145\" PASSES=\"1\" LANES=\"1\"",
        "PASSWORD KDF=\"argon2id\" MEMORY=\"4294968320\" PASSES=\"1\" LANES=\"1\"",
        "PASSWORD KDF=\"argon2id\" MEMORY=\"1024\" PASSES=\"17\" LANES=\"1\"",
        "PASSWORD KDF=\"argon2id\" MEMORY=\"1024\" PASSES=\"+1\" LANES=\"1\"",
        "PASSWORD KDF=\"argon2id\" MEMORY=\"1024\" PASSES=\"1\" LANES=\"0\"",
    ] {
        assert_not_trusted(&changed(6, attributes, &salt), Cause::Container);
    }
    let scrypt = "PASSWORD KDF=\"scrypt\" MEMORY=\"1024\" PASSES=\"1\" LANES=\"1\"";
    let other = PasswordInvitation::parse(&changed(6, scrypt, &salt));
    assert_eq!(other.unwrap_err(), CryptoError::Version);
    let mut both = parts.clone();
    both.push(("GMC", parts[7].1.clone()));
    let both = forged(&both, CONTEXT, signer);
    assert_not_trusted(&both, Cause::OtherKind);
    assert_eq!(Invitation::parse(&both).unwrap_err().refusal(), Some(Cause::OtherKind.refusal()));
    let old = forged(&parts, CONTEXT, signer).replacen("2.0", "1.1", 1);
    assert_eq!(PasswordInvitation::parse(&old).unwrap_err(), CryptoError::Version);
    let long = format!("{}{}", both, " ".repeat(65_536));
    assert_not_trusted(&long, Cause::TooLarge);
}

#[test]
fn only_who_may_grant_the_role_invites_by_a_password() {
    let scene = Scene::new();
    let refused = scene.issue(|r| r.role = Roles::MEMBER.with(Roles::ADMIN)).unwrap_err();
    assert_eq!(refused.code(), Code::E_INVALIDARG);
    assert_eq!(scene.issue(|r| r.role = Roles::empty()).unwrap_err().code(), Code::E_INVALIDARG);
    let bob = Identity::create(None, None, now()).unwrap();
    let subject = &bob.info();
    let below = |roles, expires| {
        let request = IssueRequest { subject, roles, expires, hints: &[], now: now() };
        Invitation::issue(&scene.ada, &scene.chain, &request).unwrap().chain().clone()
    };
    let invite = |chain: &Bytes, role, at| {
        let parameters = &scene.parameters;
        let request = PasswordRequest { parameters, role, hints: &[], now: at };
        PasswordInvitation::issue(&bob, chain, &request)
    };
    let member = below(Roles::MEMBER, None);
    let refused = invite(&member, Roles::MEMBER, now());
    assert_refused(refused, Code::PEER_E_NOT_AUTHORIZED, Cause::RoleNotDelegable);
    let end = now().plus_seconds(3_600);
    let inviting = below(Roles::INVITING_MEMBER, Some(end));
    let refused = invite(&inviting, Roles::ADMIN, now());
    assert_refused(refused, Code::PEER_E_NOT_AUTHORIZED, Cause::RoleNotDelegable);
    let issued = invite(&inviting, Roles::MEMBER, now()).unwrap();
    let late = end.plus_seconds(601);
    let refused = invite(&inviting, Roles::MEMBER, late);
    assert_refused(refused, Code::PEER_E_INVALID_TIME_PERIOD, Cause::Expired);
    for (at, cause) in [(late, Cause::Expired), (now().minus_seconds(1_201), Cause::NotYetValid)] {
        let error = issued.check_at(at).unwrap_err();
        assert_eq!(error.code(), Code::PEER_E_INVALID_TIME_PERIOD);
        assert_eq!(error.refusal(), Some(cause.refusal()));
    }
    let refused = invite(&scene.chain, Roles::MEMBER, now());
    assert_refused(refused, Code::CRYPT_E_NO_MATCH, Cause::OtherIdentity);
}

#[test]
fn the_24th_member_cannot_invite_by_a_password_and_who_says_so_is_not_believed() {
    let family = Family::new(24);
    let parts = elements(&family);
    let text = forged(&parts, CONTEXT, &family.keys[24]);
    let refused = PasswordInvitation::parse(&text);
    assert_refused(refused, Code::PEER_E_CHAIN_TOO_LONG, Cause::ChainTooLong);
}

//! Every cause is met at every surface that its row names, and at no other: the corpus through all doors at once.
//!
//! A broken certificate is shown in TLS, described, loaded, imported and, in its chain, as a membership, in an invitation
//! and as the chain of somebody who issues. What each door says is held against the table.

mod forge;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use forge::*;
use p2p_core::{FileTime, KeyId, Object, ObjectKind, Reason, Refusal, Revocations, Roles};
use p2p_crypto::{
    Cause, CryptoError, ExchangeBinding, GroupConfig, GroupIdentity, Identity, IdentityInfo,
    Invitation, IssueRequest, PasswordInvitation, PasswordJoiner, PasswordMember, PasswordRequest,
    PasswordSecret, PasswordVerifier, RevocationRequest, Surface, inspect_chain, revoke,
    verify_chain, verify_chain_with, verify_object, verify_tls_certificate,
};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};

/// What was seen where. A cause by its place in the table, since two pairs share their codes.
#[derive(Default)]
struct Seen(BTreeSet<(usize, Surface)>);

impl Seen {
    fn cause(&mut self, cause: Cause, surface: Surface) {
        let place = Cause::all().position(|known| known == cause).unwrap();
        assert!(cause.surfaces().contains(&surface), "{cause:?} at {surface:?}");
        self.0.insert((place, surface));
    }

    /// A refusal may be any of the causes that have its codes and can be met there.
    fn refusal<T>(&mut self, result: Result<T, Refusal>, surface: Surface) {
        let Err(refusal) = result else { return };
        let causes: Vec<Cause> = Cause::all()
            .filter(|cause| cause.refusal() == refusal && cause.surfaces().contains(&surface))
            .collect();
        assert!(!causes.is_empty(), "{refusal:?} at {surface:?}");
        causes.into_iter().for_each(|cause| self.cause(cause, surface));
    }

    fn error<T>(&mut self, result: Result<T, CryptoError>, surface: Surface) {
        let Err(CryptoError::Refused { code, cause, refusal }) = result else { return };
        let due = match surface {
            Surface::Invitation | Surface::Joining => cause.incoming_code(),
            Surface::Issuing => cause.issuing_code(),
            Surface::Configuration => cause.configuring_code(),
            _ => refusal.code,
        };
        assert_eq!((code, refusal), (due, cause.refusal()), "{cause:?} at {surface:?}");
        self.cause(cause, surface);
    }
}

/// The key of this name in the corpus.
fn person(name: &str) -> Identity {
    let seed = digest(&SHA256, format!("corpus {name}").as_bytes());
    let pkcs8 = sequence(&[integer(0), algorithm(oid::ED25519), octets(&octets(seed.as_ref()))]);
    Identity::from_pkcs8(&pkcs8, None, None, now()).unwrap()
}

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn split(mut chain: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((length, rest)) = chain.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((certificate, after)) = rest.split_at_checked(length) else { break };
        found.push(certificate);
        chain = after;
    }
    found
}

/// Any bytes under `secret`, by the README: bound to a context and what stands beside them.
fn sealed(beside: [&[u8]; 2], contents: &[u8]) -> Vec<u8> {
    let mut head = vec![1, 1];
    for number in [1_024_u32, 1, 1] {
        head.extend(number.to_be_bytes());
    }
    head.extend([b's'; 16]);
    head.extend([b'n'; 12]);
    let mut key = [0; 32];
    let params = Params::new(1_024, 1, 1, Some(32)).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(b"secret", &[b's'; 16], &mut key).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).unwrap());
    let aad = Aad::from([beside[0], &head[..], beside[1]].concat());
    let mut sealed = contents.to_vec();
    let nonce = Nonce::assume_unique_for_key([b'n'; 12]);
    key.seal_in_place_append_tag(nonce, aad, &mut sealed).unwrap();
    [head, sealed].concat()
}

/// An export of any bytes.
fn export(contents: &[u8]) -> String {
    let data = STANDARD.encode(sealed([b"pgrp1/identity export\0", b"x"], contents));
    format!(
        "<PEERIDENTITYEXPORT VERSION=\"1.0\"><PEERNAME>x</PEERNAME><DATA>{data}</DATA></PEERIDENTITYEXPORT>"
    )
}

/// A configuration with any chain and, sealed under `secret`, any key.
fn configuration(names: (&str, &str), chain: &[u8], key: Option<&[u8]>) -> String {
    let open = format!(
        "<PEERGROUPCONFIG VERSION=\"1.0\"><IDENTITYPEERNAME>{}</IDENTITYPEERNAME><GROUPPEERNAME>{}</GROUPPEERNAME>\
         <CLOUDNAME>Global_</CLOUDNAME><SCOPE>global</SCOPE><CLOUDFLAGS>0</CLOUDFLAGS>\
         <GMC xmlns:dt=\"urn:schemas-microsoft-com:datatypes\" dt:dt=\"bin.base64\">{}</GMC>",
        names.0,
        names.1,
        STANDARD.encode(chain)
    );
    let beside = [b"pgrp1/group configuration\0", open.as_bytes()];
    let key = key.map(|key| {
        let data = STANDARD.encode(sealed(beside, key));
        format!("<GROUPKEY>{data}</GROUPKEY>")
    });
    format!("{open}{}</PEERGROUPCONFIG>", key.unwrap_or_default())
}

/// Keys of a group that its configuration may not have.
fn group_keys(people: &[Identity], chain: &[u8], seen: &mut Seen) {
    let info = inspect_chain(chain).unwrap();
    let names = (&*info.member.name, info.group_name.as_str());
    let root = people[0].pkcs8().unwrap();
    let import = |key: Option<&[u8]>, password: &str| {
        GroupConfig::import(&configuration(names, chain, key), password, now())
    };
    assert!(import(Some(root), "secret").unwrap().root().is_some());
    seen.error(import(Some(root), "another"), Surface::Configuration);
    for key in [people[1].pkcs8().unwrap(), b"", b"rubbish"] {
        seen.error(import(Some(key), "secret"), Surface::Configuration);
    }
}

/// One certificate at every door that takes one.
fn certificate(der: &[u8], bob: &Identity, seen: &mut Seen) {
    seen.refusal(verify_tls_certificate(der), Surface::Tls);
    let body = STANDARD.encode(der);
    let described =
        format!("<PEERIDENTITYINFO VERSION=\"1.0\"><IDC>{body}</IDC></PEERIDENTITYINFO>");
    seen.refusal(IdentityInfo::from_xml(&described), Surface::Description);
    seen.refusal(Identity::from_parts(bob.pkcs8().unwrap(), der), Surface::Loading);
    seen.refusal(GroupIdentity::from_parts(bob.pkcs8().unwrap(), der), Surface::Loading);
    let length = (bob.pkcs8().unwrap().len() as u16).to_be_bytes();
    let contents = [&length[..], bob.pkcs8().unwrap(), der].concat();
    seen.error(Identity::import(&export(&contents), "secret"), Surface::Importing);
    by_password(der, bob, seen);
}

/// A certificate behind the right confirmation of a password.
fn by_password(der: &[u8], bob: &Identity, seen: &mut Seen) {
    let on = &KeyId([7; 32]);
    let verifier = PasswordVerifier::from_bytes(&cheap_verifier()).unwrap();
    let secret = PasswordSecret::from_bytes(core::array::from_fn(|i| u8::from(i % 40 == 39)));
    let joiner = &bob.key_id();
    let binding = ExchangeBinding { session: &[7; 32], group: on, joiner, member: on };
    let (joiner, first) = PasswordJoiner::start(&secret, &binding, bob, &[1; 32]).unwrap();
    let answer = PasswordMember::answer(Some(&verifier), &binding, &first, &[2; 32]);
    let (member, answer) = answer.unwrap();
    let confirmation = joiner.confirm(&answer).unwrap();
    seen.refusal(member.check(&[&confirmation[..32], der].concat()), Surface::Password);
}

/// What recognises the password whose two numbers are 1: with it L is the generator (SEC 2 §2.4.2).
fn cheap_verifier() -> Vec<u8> {
    let generator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let mut bytes = [&[1, 1, 0, 0, 4, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[b's'; 16]].concat();
    bytes.extend([0; 31]);
    bytes.push(1);
    bytes.extend((0..65).map(|i| u8::from_str_radix(&generator[2 * i..2 * i + 2], 16).unwrap()));
    bytes
}

/// A wrong password, something else than a verifier, and an invitation by a password at the wrong door.
fn passwords(issuer: &Identity, seen: &mut Seen) {
    let bytes = cheap_verifier();
    seen.refusal(PasswordVerifier::from_bytes(&bytes[1..]), Surface::Password);
    let verifier = PasswordVerifier::from_bytes(&bytes).unwrap();
    let key = &issuer.key_id();
    let binding = ExchangeBinding { session: &[7; 32], group: key, joiner: key, member: key };
    let wrong = PasswordSecret::from_bytes([9; 80]);
    let (joiner, first) = PasswordJoiner::start(&wrong, &binding, issuer, &[1; 32]).unwrap();
    let answer = PasswordMember::answer(Some(&verifier), &binding, &first, &[2; 32]);
    seen.refusal(joiner.confirm(&answer.unwrap().1), Surface::Password);
    let group = GroupIdentity::create(None, None, now()).unwrap();
    let chain = group.issue_creator(&issuer.info(), now()).unwrap();
    let parameters = verifier.parameters();
    let request = PasswordRequest { parameters, role: Roles::MEMBER, hints: &[], now: now() };
    let invitation = PasswordInvitation::issue(issuer, &chain, &request).unwrap();
    seen.error(Invitation::parse(invitation.as_xml()), Surface::Invitation);
}

/// A chain at every door that takes one, at a few times.
fn chain_of(bytes: &[u8], people: &[Identity], seen: &mut Seen) {
    seen.refusal(inspect_chain(bytes), Surface::Chain);
    let (root, eve) = (people[0].key_id(), people[1].info());
    let plain =
        IssueRequest { subject: &eve, roles: Roles::MEMBER, expires: None, hints: &[], now: now() };
    for at in [NOW - 700, NOW, NOW + 701].map(FileTime::from_unix) {
        for peer in people {
            for group in [root, KeyId([7; 32])] {
                seen.refusal(verify_chain(&group, bytes, &peer.key_id(), &at), Surface::Chain);
            }
            issuing(peer, bytes, IssueRequest { now: at, ..plain }, seen);
        }
    }
    for peer in people {
        let again = peer.info();
        for subject in [&eve, &again] {
            for expires in [None, Some(now().minus_seconds(1)), Some(FileTime::NO_END)] {
                issuing(peer, bytes, IssueRequest { subject, expires, ..plain }, seen);
            }
            issuing(peer, bytes, IssueRequest { subject, roles: Roles::ADMIN, ..plain }, seen);
        }
    }
    let credential = Bytes::copy_from_slice(bytes);
    for group in [root, KeyId([7; 32])] {
        seen.refusal(verify_object(&group, ObjectKind::Credential, &credential), Surface::Object);
    }
    let (body, signature) = (STANDARD.encode(bytes), STANDARD.encode([7; 64]));
    let text = format!(
        "<PEERINVITATION VERSION=\"2.0\"><CLOUDNAME>Global_</CLOUDNAME><SCOPE>GLOBAL</SCOPE>\
         <CLOUDFLAGS>0</CLOUDFLAGS><GMC>{body}</GMC><SIG>{signature}</SIG></PEERINVITATION>"
    );
    seen.error(Invitation::parse(&text), Surface::Invitation);
    let (member, group) = match inspect_chain(bytes) {
        Ok(info) => (info.member.name, info.group_name.to_string()),
        Err(_) => (people[2].name().to_string(), people[0].name().to_string()),
    };
    for (names, at) in [
        ((&member, &group), NOW - 700),
        ((&member, &group), NOW),
        ((&member, &group), NOW + 701),
        ((&group, &group), NOW),
        ((&member, &member), NOW),
    ] {
        let text = configuration((names.0, names.1), bytes, None);
        seen.error(GroupConfig::import(&text, "", FileTime::from_unix(at)), Surface::Configuration);
    }
}

/// A revocation by the creator of a [`Family`], at this time, of somebody; signed or not, with this chain.
fn revocation(chain: &[u8], issued: i64, signed: bool) -> Bytes {
    let issued = FileTime::from_unix(issued).0.to_be_bytes();
    let content = sequence(&[
        integer(1),
        octets(&Key::new(1).id().0),
        octets(&[7; 32]),
        integer(0),
        tlv(0x02, &issued),
        octets(chain),
    ]);
    let message = [b"pgrp1/revocation\0", &content[..]].concat();
    let signature = if signed { Key::new(2).sign(&message) } else { vec![7; 64] };
    sequence(&[octets(&content), octets(&signature)]).into()
}

/// What only a revocation can break, and what it does.
fn revocations(seen: &mut Seen) {
    let (mut family, group) = (Family::new(1), Key::new(1).id());
    let read = |bytes: &Bytes| verify_object(&group, ObjectKind::Revocation, bytes);
    family.certs[1].not_after = time(NOW);
    let chain = family.chain();
    let good = read(&revocation(&chain, NOW, true));
    for (issued, signed) in [(NOW, false), (NOW - 1_201, true), (NOW + 601, true)] {
        seen.refusal(read(&revocation(&chain, issued, signed)), Surface::Object);
    }
    family.certs[1] = Cert::member(&family.keys[1], &family.keys[0], &family.keys[0], MEMBER);
    seen.refusal(read(&revocation(&family.chain(), NOW, true)), Surface::Object);

    let ada = Identity::create(None, None, now()).unwrap();
    let bob = Identity::create(None, None, now()).unwrap();
    let group = GroupIdentity::create(None, None, now()).unwrap();
    let adas = group.issue_creator(&ada.info(), now()).unwrap();
    let subject = &bob.info();
    let request =
        IssueRequest { subject, roles: Roles::MEMBER, expires: None, hints: &[], now: now() };
    let bobs = Invitation::issue(&ada, &adas, &request).unwrap().chain().clone();
    let revoked =
        |target| RevocationRequest { target, serial: None, reason: Reason::default(), now: now() };
    seen.error(revoke(&bob, &bobs, &revoked(ada.key_id())), Surface::Issuing);
    let bytes = revoke(&ada, &adas, &revoked(bob.key_id())).unwrap();
    let read = verify_object(&group.key_id(), ObjectKind::Revocation, &bytes);
    let (Ok(Object::Revocation(read)), Ok(_)) = (read, good) else { panic!() };
    let mut known = Revocations::default();
    known.insert(read, 1, 1 << 20);
    let member = verify_chain_with(&group.key_id(), &bobs, &bob.key_id(), &now(), &known);
    seen.refusal(member, Surface::Chain);
}

/// `issuer` invites with a chain that may not even be its own; and who is invited joins.
fn issuing(issuer: &Identity, chain: &[u8], request: IssueRequest<'_>, seen: &mut Seen) {
    let issued = Invitation::issue(issuer, &chain.to_vec().into(), &request);
    if let Ok(invitation) = &issued {
        joining(invitation, seen);
    }
    seen.error(issued, Surface::Issuing);
}

fn joining(invitation: &Invitation, seen: &mut Seen) {
    let member = invitation.member();
    for (who, at) in [
        (KeyId([7; 32]), member.not_before),
        (member.key, member.not_before.minus_seconds(601)),
        (member.key, member.not_after.plus_seconds(601)),
    ] {
        seen.error(invitation.check_for(&who, at), Surface::Joining);
    }
}

#[test]
fn every_cause_is_met_just_where_its_row_says() {
    let people = ["root", "eve", "bob", "ada"].map(person);
    let bob = &people[2];
    let mut seen = Seen::default();
    // Most chains have most of their certificates in common.
    let mut certificates = BTreeSet::from([vec![0x30; 4_097]]);
    for (path, bytes) in corpus() {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("chain") => {
                chain_of(&bytes, &people, &mut seen);
                if path.ends_with("valid-creator.chain") {
                    group_keys(&people, &bytes, &mut seen);
                    let broken =
                        configuration(("a", "b"), &bytes, None).replace("</GMC>", "*</GMC>");
                    seen.error(GroupConfig::import(&broken, "", now()), Surface::Configuration);
                }
                certificates.extend(split(&bytes).into_iter().map(<[u8]>::to_vec));
            }
            Some("der") => drop(certificates.insert(bytes)),
            Some("p8") => {
                seen.error(Identity::from_pkcs8(&bytes, None, None, now()), Surface::Importing);
                seen.refusal(Identity::from_parts(&bytes, bob.certificate()), Surface::Loading);
                seen.refusal(
                    GroupIdentity::from_parts(&bytes, bob.certificate()),
                    Surface::Loading,
                );
            }
            Some("xml") => {
                let text = std::str::from_utf8(&bytes).unwrap();
                seen.refusal(IdentityInfo::from_xml(text), Surface::Description);
                seen.error(Invitation::parse(text), Surface::Invitation);
                seen.error(Identity::import(text, "correct horse"), Surface::Importing);
                seen.error(GroupConfig::import(text, "", now()), Surface::Configuration);
            }
            _ => {}
        }
    }
    certificates.iter().for_each(|der| certificate(der, bob, &mut seen));
    passwords(bob, &mut seen);
    revocations(&mut seen);

    let missing: Vec<_> = Cause::all()
        .enumerate()
        .flat_map(|(place, cause)| {
            cause.surfaces().iter().map(move |surface| (place, cause, *surface))
        })
        // Its files are p2p-store's.
        .filter(|row| row.2 != Surface::Store && !seen.0.contains(&(row.0, row.2)))
        .map(|row| (row.1, row.2))
        .collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}

//! The targets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p2p_core::{FileTime, KeyId};
use p2p_crypto::{
    GroupConfig, IdentityInfo, Invitation, PeerName, inspect_chain, verify_chain,
    verify_tls_certificate,
};
use ring::digest::{SHA256, digest};

use crate::bounded;
use crate::forge;

/// A certificate that a peer shows in TLS.
pub fn certificate(bytes: &[u8]) {
    let described = describe(bytes);
    let info = bounded(|| IdentityInfo::from_xml(&described));
    let Ok(peer) = bounded(|| verify_tls_certificate(bytes)) else {
        // With names in it, it is no certificate for TLS, but the same rules hold for its key.
        if let Ok(info) = info {
            check_info(&info);
        }
        return;
    };
    assert_eq!(rebuild(bytes, &peer.public_key), bytes, "a second encoding was accepted");
    assert_eq!(peer.key, key_id(&peer.public_key));
    let info = info.expect("whoever may show it may be described by it");
    assert_eq!((info.key, &info.public_key), (peer.key, &peer.public_key));
    assert_eq!(info.friendly_name, info.name.as_str());
    check_info(&info);
}

/// A membership chain.
pub fn chain(bytes: &[u8]) {
    let Ok(info) = bounded(|| inspect_chain(bytes)) else { return };
    let member = &info.member;
    assert_eq!(&member.chain[..], bytes);
    assert!(info.group_name.is_of(&info.group));
    assert!(PeerName::parse(&member.name).unwrap().is_of(&member.key));
    assert!(!member.roles.is_empty() && (1..=24).contains(&member.depth));
    assert!(member.not_before <= member.not_after);

    let (group, key, start) = (&info.group, &member.key, &member.not_before);
    assert_eq!(bounded(|| verify_chain(group, bytes, key, start)).as_ref(), Ok(member));
    assert!(verify_chain(&KeyId([7; 32]), bytes, key, start).is_err());
    assert!(verify_chain(group, bytes, group, start).is_err(), "the group is no member of itself");
    assert!(verify_chain(group, bytes, key, &start.minus_seconds(601)).is_err());

    // Nothing can be added, taken away or changed; where, the bytes themselves decide.
    let at = digest(&SHA256, bytes).as_ref()[..4].iter().fold(0, |n, b| n << 8 | usize::from(*b));
    let mut changed = bytes.to_vec();
    changed[at % bytes.len()] ^= 1 << (at % 8);
    assert!(inspect_chain(&changed).is_err(), "bit {} of byte {}", at % 8, at % bytes.len());
    let cut = verify_chain(group, &bytes[..at % bytes.len()], key, start);
    assert!(cut.is_err(), "cut off at {}", at % bytes.len());
    assert!(inspect_chain(&[bytes, &[0]].concat()).is_err());
}

/// An invitation, as XML or as one line.
pub fn invitation(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(read) = bounded(|| Invitation::parse(text)) else { return };
    let line = read.to_line();
    assert!(text == read.as_xml() || text.trim() == line, "a second form was accepted");
    for form in [read.as_xml(), &line] {
        let again = Invitation::parse(form).expect("what is written is read");
        assert_eq!(again.as_xml(), read.as_xml());
        assert_eq!((again.chain(), again.hints()), (read.chain(), read.hints()));
        assert_eq!(again.member(), read.member());
    }
    assert!(read.hints().len() <= 8 && read.hints().iter().all(|hint| hint.1.len() <= 8));
    assert_eq!(read.member().key, key_id(read.subject_public_key()));
    let info = inspect_chain(read.chain()).expect("its chain is verified");
    assert_eq!((info.group, &info.member), (read.group(), read.member()));
    assert!(info.member.depth >= 2);
    let (key, start) = (read.member().key, read.member().not_before);
    assert!(read.check_for(&key, start).is_ok() && read.check_for(&read.group(), start).is_err());
}

/// The description of an identity.
pub fn identity_xml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(info) = bounded(|| IdentityInfo::from_xml(text)) else { return };
    check_info(&info);
    assert_eq!(IdentityInfo::from_xml(text.trim()).as_ref(), Ok(&info));
}

/// A group's configuration. One with a key in it is left out: to open it takes much memory and time, on purpose.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.contains("GROUPKEY") {
        return;
    }
    let now = FileTime::from_unix(NOW);
    let Ok(read) = bounded(|| GroupConfig::import(text, "", now)) else { return };
    assert!(read.root().is_none());
    let info = inspect_chain(read.chain()).expect("its chain is verified");
    assert_eq!((&info, info.member.name.as_str()), (read.info(), read.member().as_str()));
    assert!(read.hints().len() <= 8 && read.hints().iter().all(|hint| hint.1.len() <= 8));
    let written = read.export("").expect("without a key no password is needed");
    // XML has many forms of one text; what is written again means the same.
    let again = GroupConfig::import(&written, "", now).expect("what is written is read");
    assert_eq!((again.info(), again.hints()), (read.info(), read.hints()));
}

/// When the configurations of the corpus are read.
const NOW: i64 = 1_800_000_000;

/// What holds for every identity.
fn check_info(info: &IdentityInfo) {
    assert_eq!(info.key, key_id(&info.public_key));
    assert!(info.name.is_of(&info.key) && PeerName::parse(info.name.as_str()).is_ok());
    assert!(p2p_crypto::check_friendly_name(&info.friendly_name).is_ok());
    assert!(!info.friendly_name.is_empty());
}

fn key_id(spki: &[u8]) -> KeyId {
    KeyId(digest(&SHA256, spki).as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

fn describe(certificate: &[u8]) -> String {
    let body = STANDARD.encode(certificate);
    format!("<PEERIDENTITYINFO VERSION=\"1.0\"><IDC>{body}</IDC></PEERIDENTITYINFO>")
}

/// The certificate for TLS that a second maker writes for this key, with the serial number, dates and signature of
/// `bytes`: what is left is all form.
fn rebuild(bytes: &[u8], spki: &[u8]) -> Vec<u8> {
    let outer = values(contents(bytes));
    let tbs = values(contents(outer[0]));
    let dates = values(contents(tbs[4]));
    let authority: String = key_id(spki).0[..20].iter().map(|byte| format!("{byte:02x}")).collect();
    let any = forge::Key::new(1);
    let mut cert = forge::Cert::identity(&any, "");
    cert.serial = tbs[1].to_vec();
    cert.issuer = forge::name(&authority);
    cert.subject = forge::name(&authority);
    (cert.not_before, cert.not_after) = (dates[0].to_vec(), dates[1].to_vec());
    cert.spki = spki.to_vec();
    cert.fields.name = forge::utf8(&format!("{authority}."));
    cert.signature = Some(outer[2].to_vec());
    if spki.len() == P256_SPKI_LEN {
        cert.inner_algorithm = forge::algorithm(forge::oid::P256_SIGNATURE);
        cert.outer_algorithm = cert.inner_algorithm.clone();
        // A BIT STRING without unused bits, of two numbers in their shortest form.
        let numbers = values(contents(&contents(outer[2])[1..]));
        let numbers: Vec<_> = numbers.into_iter().map(|value| number(contents(value))).collect();
        cert.signature = Some(forge::bits(&forge::sequence(&numbers)));
    }
    cert.sign(&any)
}

/// Bytes of a SubjectPublicKeyInfo on P-256; that of Ed25519 has 44.
const P256_SPKI_LEN: usize = 91;

/// An INTEGER that is not negative.
fn number(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    let pad = digits.first().is_none_or(|first| *first >= 0x80);
    forge::tlv(0x02, &[&[0][..usize::from(pad)], digits].concat())
}

/// What a DER value of at most 64 KiB holds.
fn contents(value: &[u8]) -> &[u8] {
    let (head, length) = head(value);
    &value[head..head + length]
}

/// The values in a row.
fn values(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (head, length) = head(rest);
        let (value, after) = rest.split_at(head + length);
        found.push(value);
        rest = after;
    }
    found
}

/// Bytes of tag and length, and of the contents.
fn head(value: &[u8]) -> (usize, usize) {
    match value[1] {
        0x81 => (3, usize::from(value[2])),
        0x82 => (4, usize::from(value[2]) << 8 | usize::from(value[3])),
        short => (2, usize::from(short)),
    }
}

//! A second maker of certificates, for tests: written by hand from the crate's documentation, sharing no line with the
//! library, and able to break any single rule.
//!
//! A forged chain is made in three steps: [`Key::new`] for every part, [`Cert::root`], [`Cert::member`] or
//! [`Cert::identity`] for a certificate that keeps all rules, and then, before [`Cert::sign`], any field set to
//! something else. Every field is DER as it will stand in the certificate.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part")]

use p2p_core::{FileTime, KeyId};
use ring::signature::{Ed25519KeyPair, KeyPair};

pub const ADMIN: [u8; 16] = 0x04387127_aa56_450a_8ce5_4f565c6790f4_u128.to_be_bytes();
pub const INVITING: [u8; 16] = 0x4370fd89_dc18_4cfb_8dbf_9853a8a9f905_u128.to_be_bytes();
pub const MEMBER: [u8; 16] = 0xf12dc4c7_0857_4ca0_93fc_b1bb19a3d8c2_u128.to_be_bytes();

/// Contents octets of the object identifiers in use.
pub mod oid {
    pub const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    pub const P256_SIGNATURE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    pub const ED448: &[u8] = &[0x2b, 0x65, 0x71];
    pub const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    pub const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
    pub const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
    pub const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
    pub const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    pub const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
    pub const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

    /// 2.25.338937934004514887064444748114970184119, computed from the decimal number.
    pub fn peer_group() -> Vec<u8> {
        let number: u128 = 338_937_934_004_514_887_064_444_748_114_970_184_119;
        let mut septets = vec![2 * 40 + 25];
        let top = (0..19).rev().find(|i| number >> (7 * i) != 0).unwrap();
        for i in (0..=top).rev() {
            let more = if i > 0 { 0x80 } else { 0 };
            septets.push((number >> (7 * i)) as u8 & 0x7f | more);
        }
        septets
    }
}

/// One DER value: tag, length, contents.
pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match contents.len() {
        n @ 0..=0x7f => der.push(n as u8),
        n @ 0x80..=0xff => der.extend([0x81, n as u8]),
        n => der.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    der.extend_from_slice(contents);
    der
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

pub fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, bytes)
}

pub fn integer(value: u8) -> Vec<u8> {
    tlv(0x02, &[value])
}

pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

pub fn algorithm(oid: &[u8]) -> Vec<u8> {
    sequence(&[tlv(0x06, oid)])
}

/// A name that is one common name.
pub fn name(common_name: &str) -> Vec<u8> {
    let attribute = sequence(&[tlv(0x06, oid::COMMON_NAME), utf8(common_name)]);
    sequence(&[tlv(0x31, &attribute)])
}

/// UTCTime up to 2049, GeneralizedTime after; from seconds since 1970.
pub fn time(seconds: i64) -> Vec<u8> {
    let text = date_text(seconds);
    if &text[..4] < "2050" { tlv(0x17, &text.as_bytes()[2..]) } else { tlv(0x18, text.as_bytes()) }
}

/// `YYYYMMDDHHMMSSZ`; the calendar by counting, as simply as it can be said.
pub fn date_text(seconds: i64) -> String {
    let (mut days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let mut year = 1970;
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (h, m, s) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}{:02}{:02}{h:02}{m:02}{s:02}Z", month + 1, days + 1)
}

pub const END: i64 = 253_402_300_799;
/// The moment of all tests that have no reason for another: 2026-11-22 12:00 UTC, to the second.
pub const NOW: i64 = 1_795_348_800;

pub fn now() -> FileTime {
    FileTime::from_unix(NOW)
}

/// A key pair.
pub struct Key {
    pair: Ed25519KeyPair,
    pub public: Vec<u8>,
}

impl Key {
    /// The same key for the same number.
    pub fn new(number: u8) -> Key {
        Key::from_seed([number; 32])
    }

    pub fn from_seed(seed: [u8; 32]) -> Key {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        Key { pair, public }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    pub fn spki(&self) -> Vec<u8> {
        sequence(&[algorithm(oid::ED25519), bits(&self.public)])
    }

    pub fn id(&self) -> KeyId {
        let hash = ring::digest::digest(&ring::digest::SHA256, &self.spki());
        KeyId(hash.as_ref().try_into().unwrap())
    }

    pub fn authority(&self) -> String {
        self.id().0[..20].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn name(&self, classifier: &str) -> String {
        format!("{}.{classifier}", self.authority())
    }
}

/// The contents of our extension, each field in DER or absent.
#[derive(Clone)]
pub struct Fields {
    pub version: Vec<u8>,
    pub kind: Vec<u8>,
    pub name: Vec<u8>,
    pub friendly_name: Vec<u8>,
    pub group: Vec<u8>,
    pub issuer: Vec<u8>,
    pub roles: Vec<u8>,
    pub classifiers: Vec<u8>,
    pub flags: Vec<u8>,
    /// What follows after the last field.
    pub more: Vec<u8>,
}

impl Fields {
    fn der(&self) -> Vec<u8> {
        let fields =
            [&self.version, &self.kind, &self.name, &self.friendly_name, &self.group, &self.issuer];
        let last = [&self.roles, &self.classifiers, &self.flags, &self.more];
        tlv(0x30, &fields.into_iter().chain(last).flatten().copied().collect::<Vec<u8>>())
    }
}

/// `SET OF OCTET STRING`, sorted as DER wants it.
pub fn roles(guids: &[[u8; 16]]) -> Vec<u8> {
    let mut list: Vec<Vec<u8>> = guids.iter().map(|guid| octets(guid)).collect();
    list.sort();
    tlv(0x31, &list.concat())
}

pub fn classifiers(texts: &[&str]) -> Vec<u8> {
    tlv(0x30, &texts.iter().flat_map(|text| utf8(text)).collect::<Vec<u8>>())
}

pub fn friendly(text: &str) -> Vec<u8> {
    tlv(0x80, text.as_bytes())
}

/// An extension: identifier, the byte of its BOOLEAN if it is written, contents.
#[derive(Clone)]
pub struct Ext {
    pub id: Vec<u8>,
    pub critical: Option<u8>,
    pub value: Vec<u8>,
}

impl Ext {
    pub fn critical(id: &[u8], value: Vec<u8>) -> Ext {
        Ext { id: id.to_vec(), critical: Some(0xff), value }
    }

    pub fn plain(id: &[u8], value: Vec<u8>) -> Ext {
        Ext { id: id.to_vec(), critical: None, value }
    }

    fn der(&self) -> Vec<u8> {
        let critical = self.critical.map_or(Vec::new(), |byte| tlv(0x01, &[byte]));
        sequence(&[tlv(0x06, &self.id), critical, octets(&self.value)])
    }
}

pub fn ca() -> Ext {
    Ext::critical(oid::BASIC_CONSTRAINTS, sequence(&[tlv(0x01, &[0xff])]))
}

/// KeyUsage with the first byte of its bits: 0x80 digitalSignature, 0x04 keyCertSign.
pub fn key_usage(bits: u8) -> Ext {
    Ext::critical(oid::KEY_USAGE, tlv(0x03, &[bits.trailing_zeros() as u8, bits]))
}

pub fn both_ends() -> Ext {
    let purposes = [tlv(0x06, oid::SERVER_AUTH), tlv(0x06, oid::CLIENT_AUTH)];
    Ext::plain(oid::EXTENDED_KEY_USAGE, sequence(&purposes))
}

/// A certificate before it is signed.
#[derive(Clone)]
pub struct Cert {
    pub version: Vec<u8>,
    pub serial: Vec<u8>,
    pub inner_algorithm: Vec<u8>,
    pub issuer: Vec<u8>,
    pub not_before: Vec<u8>,
    pub not_after: Vec<u8>,
    pub subject: Vec<u8>,
    pub spki: Vec<u8>,
    pub unique_ids: Vec<u8>,
    pub fields: Fields,
    /// Written before our extension, in its place (`None`: ours from `fields`), and after it.
    pub first: Vec<Ext>,
    pub ours: Option<Vec<Ext>>,
    pub others: Vec<Ext>,
    pub no_extensions: bool,
    pub outer_algorithm: Vec<u8>,
    /// Instead of the right one, in DER.
    pub signature: Option<Vec<u8>>,
}

impl Cert {
    fn new(key: &Key, issuer: &Key, fields: Fields, others: Vec<Ext>) -> Cert {
        let mut serial = [0x55; 16];
        serial[1..9].copy_from_slice(&key.public[..8]);
        Cert {
            version: tlv(0xa0, &integer(2)),
            serial: tlv(0x02, &serial),
            inner_algorithm: algorithm(oid::ED25519),
            issuer: name(&issuer.authority()),
            not_before: time(NOW - 600),
            not_after: time(END),
            subject: name(&key.authority()),
            spki: key.spki(),
            unique_ids: Vec::new(),
            fields,
            first: Vec::new(),
            ours: None,
            others,
            no_extensions: false,
            outer_algorithm: algorithm(oid::ED25519),
            signature: None,
        }
    }

    pub fn identity(key: &Key, classifier: &str) -> Cert {
        let fields = Fields {
            version: integer(1),
            kind: integer(3),
            name: utf8(&key.name(classifier)),
            friendly_name: Vec::new(),
            group: Vec::new(),
            issuer: Vec::new(),
            roles: Vec::new(),
            classifiers: Vec::new(),
            flags: integer(0),
            more: Vec::new(),
        };
        Cert::new(key, key, fields, vec![key_usage(0x80), both_ends()])
    }

    pub fn root(key: &Key) -> Cert {
        let mut cert = Cert::identity(key, "chess");
        cert.fields.kind = integer(2);
        cert.fields.group = utf8(&key.name("chess"));
        cert.others = vec![ca(), key_usage(0x84)];
        cert
    }

    /// A membership in the group of `root` with one role; administrators have all classifiers, others `participant`.
    pub fn member(key: &Key, issuer: &Key, root: &Key, role: [u8; 16]) -> Cert {
        let mut cert = Cert::identity(key, "");
        cert.issuer = name(&issuer.authority());
        cert.fields.kind = integer(1);
        cert.fields.group = utf8(&root.name("chess"));
        cert.fields.issuer = octets(&issuer.id().0);
        cert.fields.roles = roles(&[role]);
        cert.fields.classifiers = classifiers(if role == ADMIN { &[] } else { &["participant"] });
        cert.others =
            if role == MEMBER { vec![key_usage(0x80)] } else { vec![ca(), key_usage(0x84)] };
        cert
    }

    pub fn tbs(&self) -> Vec<u8> {
        let ours = vec![Ext::critical(&oid::peer_group(), self.fields.der())];
        let ours = self.ours.as_ref().unwrap_or(&ours);
        let extensions: Vec<u8> =
            self.first.iter().chain(ours).chain(&self.others).flat_map(Ext::der).collect();
        let extensions =
            if self.no_extensions { Vec::new() } else { tlv(0xa3, &tlv(0x30, &extensions)) };
        sequence(&[
            self.version.clone(),
            self.serial.clone(),
            self.inner_algorithm.clone(),
            self.issuer.clone(),
            sequence(&[self.not_before.clone(), self.not_after.clone()]),
            self.subject.clone(),
            self.spki.clone(),
            self.unique_ids.clone(),
            extensions,
        ])
    }

    /// The certificate, signed by `issuer`.
    pub fn sign(&self, issuer: &Key) -> Vec<u8> {
        let tbs = self.tbs();
        let signature = self.signature.clone().unwrap_or_else(|| bits(&issuer.sign(&tbs)));
        sequence(&[tbs, self.outer_algorithm.clone(), signature])
    }
}

/// A chain of these certificates, root first.
pub fn chain(certificates: &[Vec<u8>]) -> Vec<u8> {
    certificates
        .iter()
        .flat_map(|der| [&(der.len() as u16).to_be_bytes()[..], der].concat())
        .collect()
}

/// A whole group: the root's key and those of as many members, each invited by the one before, all administrators.
pub struct Family {
    pub keys: Vec<Key>,
    pub certs: Vec<Cert>,
}

impl Family {
    /// The group's root and `members` administrators below each other.
    pub fn new(members: u8) -> Family {
        let keys: Vec<Key> = (0..=members).map(|i| Key::new(i + 1)).collect();
        let mut certs = vec![Cert::root(&keys[0])];
        for pair in keys.windows(2) {
            certs.push(Cert::member(&pair[1], &pair[0], &keys[0], ADMIN));
        }
        Family { keys, certs }
    }

    pub fn group(&self) -> KeyId {
        self.keys[0].id()
    }

    pub fn leaf(&self) -> KeyId {
        self.keys.last().unwrap().id()
    }

    /// The certificates, signed.
    pub fn signed(&self) -> Vec<Vec<u8>> {
        let issuer = |i: usize| &self.keys[i.saturating_sub(1)];
        self.certs.iter().enumerate().map(|(i, cert)| cert.sign(issuer(i))).collect()
    }

    /// The chain.
    pub fn chain(&self) -> Vec<u8> {
        chain(&self.signed())
    }
}

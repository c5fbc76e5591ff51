//! Something broken for every row of the table of refusals: from the corpus that another tool made, or forged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use p2p_core::{KeyId, Refusal, Roles};
use p2p_crypto::{
    Cause, CryptoError, GroupConfig, GroupIdentity, Identity, IdentityInfo, Invitation,
    IssueRequest, inspect_chain, verify_chain, verify_tls_certificate,
};
use p2p_group::{FileTime, now};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};

use crate::forge::{Family, algorithm, integer, octets, oid, sequence};

/// Seconds.
const DAY: u64 = 24 * 3_600;
/// The password of what is exported here.
pub(crate) const PASSWORD: &str = "secret";

/// The corpus, and who stands in it.
pub(crate) struct Material {
    /// The creator in the corpus's group.
    pub(crate) ada: Identity,
    /// Whom most of its chains are about.
    pub(crate) bob: Identity,
    /// The key of its group.
    pub(crate) group: KeyId,
    files: BTreeMap<String, Vec<u8>>,
    certificates: BTreeSet<Vec<u8>>,
}

impl Material {
    pub(crate) fn new() -> Material {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../p2p-crypto/tests/corpus");
        let files: BTreeMap<String, Vec<u8>> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read(entry.path()).unwrap())
            })
            .collect();
        // One byte more than the largest that there may be.
        let mut certificates = BTreeSet::from([vec![0x30; 4_097]]);
        for (name, content) in &files {
            match name.rsplit_once('.').unwrap().1 {
                "chain" => certificates.extend(split(content)),
                "der" => drop(certificates.insert(content.clone())),
                _ => {}
            }
        }
        let group = person("root").key_id();
        Material { ada: person("ada"), bob: person("bob"), group, files, certificates }
    }

    fn of_kind(&self, ending: &str) -> impl Iterator<Item = &Vec<u8>> {
        self.files.iter().filter(move |(name, _)| name.ends_with(ending)).map(|(_, bytes)| bytes)
    }

    pub(crate) fn file(&self, name: &str) -> &[u8] {
        &self.files[name]
    }

    /// A certificate that TLS refuses for this cause.
    pub(crate) fn tls(&self, cause: Cause) -> Option<Vec<u8>> {
        let mut all = self.certificates.iter();
        all.find(|der| verify_tls_certificate(der).err() == Some(cause.refusal())).cloned()
    }

    /// A chain that Bob may show in the corpus's group, and that is refused for this cause.
    pub(crate) fn chain(&self, cause: Cause) -> Option<Vec<u8>> {
        if cause == Cause::NotYetValid {
            // The same root, from tomorrow on.
            let root = self.certificate_of_root();
            let pkcs8 = person("root");
            let root = GroupIdentity::from_parts(pkcs8.pkcs8().unwrap(), &root).unwrap();
            let tomorrow = now().plus_seconds(DAY);
            return Some(root.issue_creator(&self.bob.info(), tomorrow).unwrap().to_vec());
        }
        let refused = |chain: &&Vec<u8>| {
            let refusal = verify_chain(&self.group, chain, &self.bob.key_id(), &now()).err();
            refusal == Some(cause.refusal())
        };
        let other = self.other_group();
        self.of_kind(".chain").chain([&other]).find(refused).cloned()
    }

    /// Bob's membership in a group of his own.
    fn other_group(&self) -> Vec<u8> {
        let group = GroupIdentity::create(None, None, now()).unwrap();
        group.issue_creator(&self.bob.info(), now()).unwrap().to_vec()
    }

    fn certificate_of_root(&self) -> Vec<u8> {
        split(self.file("valid-creator.chain")).remove(0)
    }

    /// A description of an identity.
    pub(crate) fn description(&self, cause: Cause) -> Option<String> {
        let texts = self.certificates.iter().map(|der| {
            let body = STANDARD.encode(der);
            format!("<PEERIDENTITYINFO VERSION=\"1.0\"><IDC>{body}</IDC></PEERIDENTITYINFO>")
        });
        let mut texts = texts.chain(self.texts());
        texts.find(|text| IdentityInfo::from_xml(text).err() == Some(cause.refusal()))
    }

    /// An invitation.
    pub(crate) fn invitation(&self, cause: Cause) -> Option<String> {
        let wrapped = self.of_kind(".chain").map(|chain| {
            let (body, signature) = (STANDARD.encode(chain), STANDARD.encode([7; 64]));
            format!(
                "<PEERINVITATION VERSION=\"2.0\"><CLOUDNAME>Global_</CLOUDNAME><SCOPE>GLOBAL</SCOPE>\
                 <CLOUDFLAGS>0</CLOUDFLAGS><GMC>{body}</GMC><SIG>{signature}</SIG></PEERINVITATION>"
            )
        });
        // An invitation to everybody with a password, and to somebody by name.
        let valid = str::from_utf8(self.file("invitation-valid.xml")).unwrap();
        let both = valid.replace("<GMC ", "<PASSWORD/><GMC ");
        let refusal = |text: &String| Invitation::parse(text).err()?.refusal();
        wrapped
            .chain(self.texts())
            .chain([both])
            .find(|text| refusal(text) == Some(cause.refusal()))
    }

    /// The certificate of a stored identity, and its key, of which one or both are broken.
    pub(crate) fn parts(&self, cause: Cause) -> Option<(Vec<u8>, Vec<u8>)> {
        let (key, certificate) = (self.bob.pkcs8().unwrap(), self.bob.certificate());
        let keys = self.of_kind(".p8").map(|pkcs8| (pkcs8.clone(), certificate.to_vec()));
        let nothing = (Vec::new(), certificate.to_vec());
        let certificates = self.certificates.iter().map(|der| (key.to_vec(), der.clone()));
        let mut all = keys.chain([nothing]).chain(certificates);
        all.find(|(key, der)| Identity::from_parts(key, der).err() == Some(cause.refusal()))
    }

    /// An export, and the password with which it is taken in.
    pub(crate) fn export(&self, cause: Cause) -> Option<(String, &'static str)> {
        let (key, certificate) = (self.bob.pkcs8().unwrap(), self.bob.certificate());
        // Bob's, under somebody else's name.
        let other = sealed("x", key, certificate);
        match cause {
            Cause::WrongPassword => return Some((other, "another")),
            Cause::Container => return Some((other.replace("DATA", "DATE"), PASSWORD)),
            Cause::Base64 => return Some((other.replace("</DATA>", "*</DATA>"), PASSWORD)),
            Cause::OtherIdentity => return Some((other, PASSWORD)),
            _ => {}
        }
        let (key, certificate) = self.parts(cause)?;
        Some((sealed("x", &key, &certificate), PASSWORD))
    }

    /// A group's configuration.
    pub(crate) fn configuration(&self, cause: Cause) -> Option<String> {
        let good = self.file("valid-member.chain");
        let bob = self.bob.name().as_str();
        let info = inspect_chain(good).unwrap();
        let group = info.group_name.as_str();
        let key = |key: &[u8]| configuration((bob, group), good, Some(key));
        let root = person("root");
        let special = match cause {
            Cause::Base64 => {
                vec![configuration((bob, group), good, None).replace("</GMC>", "*</GMC>")]
            }
            Cause::WrongPassword => {
                // Sealed beside another name.
                let ada = self.ada.name().as_str();
                let other = configuration((ada, group), good, Some(root.pkcs8().unwrap()));
                vec![other.replace(ada, bob)]
            }
            Cause::OtherIdentity => {
                vec![configuration((self.ada.name().as_str(), group), good, None)]
            }
            Cause::OtherRoot => vec![configuration((bob, bob), good, None)],
            Cause::KeyForeign => vec![key(self.ada.pkcs8().unwrap())],
            Cause::KeyMissing => vec![key(b"")],
            Cause::KeyUnreadable => vec![key(b"rubbish")],
            _ => Vec::new(),
        };
        let tomorrow = self.chain(Cause::NotYetValid)?;
        let wrapped =
            self.of_kind(".chain").chain([&tomorrow]).map(|chain| match inspect_chain(chain) {
                Ok(info) => {
                    let names = (&*info.member.name, info.group_name.as_str());
                    configuration(names, chain, None)
                }
                Err(_) => configuration((bob, group), chain, None),
            });
        let found = |text: &String| match GroupConfig::import(text, PASSWORD, now()) {
            Err(CryptoError::Refused { cause: found, .. }) => found == cause,
            _ => false,
        };
        special.into_iter().chain(wrapped).find(found)
    }

    /// An invitation for Bob that is good in itself, but not for him or not today.
    pub(crate) fn joining(&self, cause: Cause) -> Option<String> {
        let (then, now, bob) = (now().minus_seconds(365 * DAY), now(), self.bob.info());
        let group = GroupIdentity::create(None, None, then).unwrap();
        let chain = group.issue_creator(&self.ada.info(), then).unwrap();
        let invite = |subject: &IdentityInfo, now: FileTime, expires: Option<FileTime>| {
            let roles = Roles::MEMBER;
            let request = IssueRequest { subject, roles, expires, hints: &[], now };
            Some(Invitation::issue(&self.ada, &chain, &request).unwrap().as_xml().to_owned())
        };
        let (month_ago, day_ago) = (now.minus_seconds(30 * DAY), now.minus_seconds(DAY));
        match cause {
            Cause::Expired => invite(&bob, month_ago, Some(day_ago)),
            Cause::NotYetValid => invite(&bob, now.plus_seconds(DAY), None),
            Cause::OtherIdentity => invite(&person("eve").info(), now, None),
            _ => None,
        }
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        self.of_kind(".xml").map(|bytes| String::from_utf8(bytes.clone()).unwrap())
    }
}

/// The last of 24 administrators, each invited by the one before, with its group and chain.
pub(crate) fn last_of_24() -> (Identity, KeyId, Bytes) {
    let family = Family::new(24);
    let last = identity_of([25; 32]);
    assert_eq!(last.key_id(), family.leaf());
    (last, family.group(), family.chain().into())
}

/// The key of this name in the corpus.
pub(crate) fn person(name: &str) -> Identity {
    let seed = digest(&SHA256, format!("corpus {name}").as_bytes());
    identity_of(seed.as_ref().try_into().unwrap())
}

fn identity_of(seed: [u8; 32]) -> Identity {
    let pkcs8 = sequence(&[integer(0), algorithm(oid::ED25519), octets(&octets(&seed))]);
    Identity::from_pkcs8(&pkcs8, None, None, now()).unwrap()
}

fn split(mut chain: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some((length, rest)) = chain.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((certificate, after)) = rest.split_at_checked(length) else { break };
        found.push(certificate.to_vec());
        chain = after;
    }
    found
}

/// A configuration of any chain and any key, by the documentation of its form.
fn configuration(names: (&str, &str), chain: &[u8], key: Option<&[u8]>) -> String {
    let open = format!(
        "<PEERGROUPCONFIG VERSION=\"1.0\"><IDENTITYPEERNAME>{}</IDENTITYPEERNAME><GROUPPEERNAME>{}</GROUPPEERNAME>\
         <CLOUDNAME>Global_</CLOUDNAME><SCOPE>global</SCOPE><CLOUDFLAGS>0</CLOUDFLAGS>\
         <GMC xmlns:dt=\"urn:schemas-microsoft-com:datatypes\" dt:dt=\"bin.base64\">{}</GMC>",
        names.0,
        names.1,
        STANDARD.encode(chain)
    );
    let key = key.map(|key| {
        let data = under_password([b"pgrp1/group configuration\0", open.as_bytes()], key.to_vec());
        format!("<GROUPKEY>{}</GROUPKEY>", STANDARD.encode(data))
    });
    format!("{open}{}</PEERGROUPCONFIG>", key.unwrap_or_default())
}

/// An export of any key and certificate, by the documentation of its form.
fn sealed(name: &str, key: &[u8], certificate: &[u8]) -> String {
    let length = (key.len() as u16).to_be_bytes();
    let contents = [&length[..], key, certificate].concat();
    let data = under_password([b"pgrp1/identity export\0", name.as_bytes()], contents);
    let data = STANDARD.encode(data);
    format!(
        "<PEERIDENTITYEXPORT VERSION=\"1.0\"><PEERNAME>{name}</PEERNAME><DATA>{data}</DATA></PEERIDENTITYEXPORT>"
    )
}

/// Bytes under [`PASSWORD`], bound to a context and what stands beside them.
fn under_password(beside: [&[u8]; 2], mut contents: Vec<u8>) -> Vec<u8> {
    let mut head = vec![1, 1];
    for number in [1_024_u32, 1, 1] {
        head.extend(number.to_be_bytes());
    }
    head.extend([b's'; 16]);
    head.extend([b'n'; 12]);
    let mut stretched = [0; 32];
    let params = Params::new(1_024, 1, 1, Some(32)).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(PASSWORD.as_bytes(), &[b's'; 16], &mut stretched).unwrap();
    let cipher = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &stretched).unwrap());
    let aad = Aad::from([beside[0], &head[..], beside[1]].concat());
    let nonce = Nonce::assume_unique_for_key([b'n'; 12]);
    cipher.seal_in_place_append_tag(nonce, aad, &mut contents).unwrap();
    [head, contents].concat()
}

/// The detail that C shows beside this code.
pub(crate) fn behind(code: p2p_group::Code, refusal: Refusal) -> p2p_group::Code {
    if code == refusal.code { refusal.detail } else { refusal.code }
}

//! Reading certificates: first the DER, then every rule that one certificate can keep or break by itself.

use der::Tagged;
use der::asn1::{AnyRef, OctetStringRef, SetOfVec, UintRef, Utf8StringRef};
use p2p_core::{Guid, KeyId, Roles};

use super::build::{BOTH_ENDS, CA, SIGNS, SIGNS_CERTIFICATES};
use super::syntax::{
    Algorithm, BASIC_CONSTRAINTS, EC_PUBLIC_KEY, ECDSA_WITH_SHA256, ED25519, EXTENDED_KEY_USAGE,
    Extension, KEY_USAGE, Outer, PEER_GROUP, PeerGroup, Spki, Tbs, Time, common_name, decode,
    is_name, key_algorithm, signature_algorithm,
};
use super::{CLASSIFIERS_MAX, Certificate, Kind, may_issue};
use crate::key::{KeyKind, PublicKey, Signature, p256};
use crate::name::{PeerName, check_classifier, check_friendly_name};
use crate::refusal::Cause;

/// A certificate whose DER is canonical; nothing else is known of it yet.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    outer: Outer<'a>,
    tbs: Tbs<'a>,
    /// The contents of our extension, if it is there.
    peer_group: Option<PeerGroup<'a>>,
}

impl<'a> Decoded<'a> {
    /// Decodes the whole.
    pub(crate) fn new(der: &'a [u8]) -> Result<Decoded<'a>, Cause> {
        let outer: Outer<'a> = decode(der)?;
        let tbs: Tbs<'a> = decode(outer.tbs)?;
        let ours = tbs.extensions.iter().flatten().find(|extension| extension.id == PEER_GROUP);
        let peer_group = ours.map(|extension| decode(extension.value.as_bytes())).transpose()?;
        Ok(Decoded { outer, tbs, peer_group })
    }

    /// Checks the profile.
    pub(crate) fn check(&self) -> Result<Certificate, Cause> {
        require(self.tbs.version.is_some_and(|version| version.as_bytes() == [2]), Cause::Profile)?;
        let algorithm = check_algorithm(&self.tbs.signature)?;
        require(self.outer.algorithm == self.tbs.signature, Cause::Profile)?;
        let key = check_key(&self.tbs.key)?;
        require(
            self.tbs.issuer_unique_id.is_none() && self.tbs.subject_unique_id.is_none(),
            Cause::Profile,
        )?;
        let extensions = Extensions::sort(self.tbs.extensions.as_deref().unwrap_or_default())?;
        let fields = Fields::check(self.peer_group.as_ref().ok_or(Cause::Profile)?)?;
        extensions.check(&fields)?;
        let certificate = self.assemble(key, fields, algorithm)?;
        check_name(&self.tbs.subject, &certificate.id, Cause::NameNotKey)?;
        check_name(&self.tbs.issuer, &certificate.issuer, Cause::Links)?;
        require(certificate.name.is_of(&certificate.id), Cause::NameNotKey)?;
        require(
            certificate.kind != Kind::Root || certificate.group == certificate.name,
            Cause::Profile,
        )?;
        require(certificate.not_before <= certificate.not_after, Cause::Profile)?;
        Ok(certificate)
    }

    fn assemble(
        &self,
        key: PublicKey,
        fields: Fields,
        algorithm: KeyKind,
    ) -> Result<Certificate, Cause> {
        let id = key.id();
        Ok(Certificate {
            kind: fields.kind,
            serial: check_serial(&self.tbs.serial)?,
            key,
            id,
            group: fields.group.unwrap_or_else(|| fields.name.clone()),
            name: fields.name,
            friendly_name: fields.friendly_name,
            issuer: fields.issuer.unwrap_or(id),
            roles: fields.roles,
            classifiers: fields.classifiers,
            not_before: check_time(self.tbs.validity.not_before)?,
            not_after: check_time(self.tbs.validity.not_after)?,
            tbs: self.outer.tbs.to_vec(),
            algorithm,
            signature: check_signature(algorithm, self.outer.signature.as_bytes())?,
        })
    }
}

/// The values of the extensions that are not ours.
struct Extensions<'a> {
    basic_constraints: Option<&'a [u8]>,
    key_usage: Option<&'a [u8]>,
    extended_key_usage: Option<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    /// Each extension at most once, in the one order, as critical as it must be; no others.
    fn sort(extensions: &[Extension<'a>]) -> Result<Extensions<'a>, Cause> {
        let order = [
            (PEER_GROUP, true),
            (BASIC_CONSTRAINTS, true),
            (KEY_USAGE, true),
            (EXTENDED_KEY_USAGE, false),
        ];
        let mut values = [None; 4];
        let mut next = 0;
        for extension in extensions {
            let known = order
                .iter()
                .position(|row| row.0 == extension.id)
                .ok_or(Cause::UnknownExtension)?;
            require(known >= next && extension.critical == order[known].1, Cause::Profile)?;
            values[known] = Some(extension.value.as_bytes());
            next = known + 1;
        }
        let [_, basic_constraints, key_usage, extended_key_usage] = values;
        Ok(Extensions { basic_constraints, key_usage, extended_key_usage })
    }

    /// What the type and the roles demand, no more and no less.
    fn check(&self, fields: &Fields) -> Result<(), Cause> {
        let ca = may_issue(fields.kind, fields.roles);
        require(self.basic_constraints == ca.then_some(CA), Cause::BasicConstraints)?;
        require(
            self.key_usage == Some(if ca { SIGNS_CERTIFICATES } else { SIGNS }),
            Cause::KeyUsage,
        )?;
        let both_ends = (fields.kind == Kind::Identity).then_some(BOTH_ENDS);
        require(self.extended_key_usage == both_ends, Cause::KeyUsage)
    }
}

/// Our extension, understood.
struct Fields {
    kind: Kind,
    name: PeerName,
    friendly_name: Option<String>,
    group: Option<PeerName>,
    issuer: Option<KeyId>,
    roles: Roles,
    classifiers: Vec<String>,
}

impl Fields {
    fn check(raw: &PeerGroup<'_>) -> Result<Fields, Cause> {
        require(is(&raw.version, 1) && is(&raw.flags, 0), Cause::Profile)?;
        let kinds = [Kind::Member, Kind::Root, Kind::Identity];
        let kind =
            kinds.into_iter().find(|kind| is(&raw.kind, *kind as u8)).ok_or(Cause::Profile)?;
        let member = kind == Kind::Member;
        require(raw.group.is_some() == (kind != Kind::Identity), Cause::Profile)?;
        let for_members = [raw.issuer.is_some(), raw.roles.is_some(), raw.classifiers.is_some()];
        require(for_members == [member; 3], Cause::Profile)?;
        Ok(Fields {
            kind,
            name: check_peer_name(&raw.name)?,
            friendly_name: raw.friendly_name.as_ref().map(check_friendly).transpose()?,
            group: raw.group.as_ref().map(check_peer_name).transpose()?,
            issuer: raw.issuer.map(check_key_id).transpose()?,
            roles: raw.roles.as_ref().map_or(Ok(Roles::empty()), check_roles)?,
            classifiers: check_classifiers(raw.classifiers.as_deref().unwrap_or_default())?,
        })
    }
}

fn require(holds: bool, cause: Cause) -> Result<(), Cause> {
    if holds { Ok(()) } else { Err(cause) }
}

fn is(number: &UintRef<'_>, value: u8) -> bool {
    number.as_bytes() == [value]
}

/// By which kind of key it says that it was signed.
fn check_algorithm(algorithm: &Algorithm<'_>) -> Result<KeyKind, Cause> {
    let kind = match algorithm.oid {
        ED25519 => KeyKind::Ed25519,
        ECDSA_WITH_SHA256 => KeyKind::EcdsaP256,
        _ => return Err(Cause::UnknownAlgorithm),
    };
    require(*algorithm == signature_algorithm(kind), Cause::Profile)?;
    Ok(kind)
}

/// Another curve than P-256 is a weak key, whatever it is; so is a compressed point.
fn check_key(spki: &Spki<'_>) -> Result<PublicKey, Cause> {
    let (kind, otherwise) = match spki.algorithm.oid {
        ED25519 => (KeyKind::Ed25519, Cause::Profile),
        EC_PUBLIC_KEY => (KeyKind::EcdsaP256, Cause::WeakKey),
        _ => return Err(Cause::UnknownAlgorithm),
    };
    require(key_algorithm(kind).is_ok_and(|due| due == spki.algorithm), otherwise)?;
    PublicKey::from_bytes(kind, spki.key.as_bytes().ok_or(Cause::WeakKey)?)
}

fn check_signature(kind: KeyKind, bytes: Option<&[u8]>) -> Result<Signature, Cause> {
    let bytes = bytes.ok_or(Cause::Profile)?;
    match kind {
        KeyKind::Ed25519 => bytes.try_into().map_err(|_| Cause::Profile),
        KeyKind::EcdsaP256 => p256::signature_from_der(bytes),
    }
}

/// Positive, 16 bytes, and the shortest encoding of its number.
fn check_serial(serial: &AnyRef<'_>) -> Result<[u8; 16], Cause> {
    require(serial.tag() == der::Tag::Integer, Cause::DerTag)?;
    let bytes: [u8; 16] = serial.value().try_into().map_err(|_| Cause::Profile)?;
    require(bytes[0] < 0x80, Cause::Profile)?;
    require(bytes[0] != 0 || bytes[1] >= 0x80, Cause::DerMalformed)?;
    Ok(bytes)
}

/// UTCTime to 2049, GeneralizedTime after.
fn check_time(time: Time) -> Result<p2p_core::FileTime, Cause> {
    let value = time.to_file_time();
    require(Time::new(value) == time, Cause::Profile)?;
    Ok(value)
}

/// A name must be one CN in UTF-8, which must be the authority of `of`.
fn check_name(name: &AnyRef<'_>, of: &KeyId, cause: Cause) -> Result<(), Cause> {
    let authority = of.authority_hex();
    if is_name(name, &authority) {
        return Ok(());
    }
    require(common_name(name).ok_or(Cause::Profile)? == authority, cause)?;
    Err(Cause::DerMalformed)
}

/// A peer name in full, with its dot.
fn check_peer_name(text: &Utf8StringRef<'_>) -> Result<PeerName, Cause> {
    let name = PeerName::parse(text.as_str()).map_err(|_| Cause::Profile)?;
    require(name.as_str() == text.as_str(), Cause::Profile)?;
    Ok(name)
}

fn check_friendly(text: &Utf8StringRef<'_>) -> Result<String, Cause> {
    require(
        !text.as_str().is_empty() && check_friendly_name(text.as_str()).is_ok(),
        Cause::Profile,
    )?;
    Ok(text.as_str().to_owned())
}

fn check_key_id(bytes: &OctetStringRef) -> Result<KeyId, Cause> {
    Ok(KeyId(bytes.as_bytes().try_into().map_err(|_| Cause::Profile)?))
}

fn check_roles(set: &SetOfVec<&OctetStringRef>) -> Result<Roles, Cause> {
    let mut roles = Roles::empty();
    for item in set.iter() {
        let guid = Guid(item.as_bytes().try_into().map_err(|_| Cause::Profile)?);
        let role = Roles::from_guid(guid).ok_or(Cause::UnknownRole)?;
        require(!roles.contains(role), Cause::Profile)?;
        roles = roles.with(role);
    }
    require(!roles.is_empty(), Cause::Profile)?;
    Ok(roles)
}

fn check_classifiers(list: &[Utf8StringRef<'_>]) -> Result<Vec<String>, Cause> {
    require(list.len() <= CLASSIFIERS_MAX, Cause::Profile)?;
    require(list.iter().all(|text| check_classifier(text.as_str()).is_ok()), Cause::Profile)?;
    Ok(list.iter().map(|text| text.as_str().to_owned()).collect())
}

//! Revocations: a membership is taken back, by an administrator above it or by the group's own key.

use bytes::Bytes;
use der::asn1::OctetStringRef;
use der::{Encode, Sequence};
use p2p_core::{FileTime, KeyId, ObjectKind, Reason, Revocation};

use super::{check_administrator, check_signature, key_id, object_id, octets, open, seal};
use crate::certificate::syntax::decode;
use crate::chain::Chain;
use crate::error::CryptoError;
use crate::identity::Identity;
use crate::key::SigningKey;
use crate::refusal::Cause;

const KIND: ObjectKind = ObjectKind::Revocation;
/// The only version of the form.
const VERSION: u8 = 1;

/// What is to be taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RevocationRequest {
    /// Whose membership.
    pub target: KeyId,
    /// The serial number of the one certificate that is meant, for a demotion: a new one was issued, the old one goes.
    /// `None`: every certificate that `target` has or will be given below the signer's depth; it never comes back with
    /// this key.
    pub serial: Option<[u8; 16]>,
    /// Why: everybody in the group can read it.
    pub reason: Reason,
    /// The time.
    pub now: FileTime,
}

/// Takes a membership back as an administrator: `chain` is the one by which `issuer` is. The result is an object for the
/// group to pass on. It is in force against members that stand deeper than the issuer, in whatever chain; memberships
/// below a revoked one end with it.
///
/// # Errors
/// By [`CryptoError::code`]: `E_INVALIDARG` for one's own or the group's key; `PEER_E_NOT_AUTHORIZED` for whoever is no
/// administrator, and for a target that stands above the issuer; `PEER_E_INVALID_TIME_PERIOD` if the issuer's own
/// membership is not valid now; a `CRYPT_E_*` code if `chain` is not a valid one of this issuer.
pub fn revoke(
    issuer: &Identity,
    chain: &Bytes,
    request: &RevocationRequest,
) -> Result<Bytes, CryptoError> {
    let own = Chain::verify(chain, None, Some(&issuer.key_id())).map_err(CryptoError::issuing)?;
    own.check_dates(request.now).map_err(CryptoError::issuing)?;
    if request.target == issuer.key_id() {
        return Err(CryptoError::Argument("nobody revokes its own membership"));
    }
    check_administrator(own.leaf()).map_err(CryptoError::issuing)?;
    if own.path().any(|step| step.key == request.target) {
        return Err(CryptoError::issuing(Cause::NotAdministrator));
    }
    sign(&own, chain, issuer.key(), request)
}

/// The same by the group's own key, which stands above everybody; `root` is a list of its certificate alone.
pub(crate) fn revoke_by_root(
    root: &[u8],
    key: &SigningKey,
    request: &RevocationRequest,
) -> Result<Bytes, CryptoError> {
    let group = key.public().id();
    let own = Chain::verify_signer(root, &group).map_err(CryptoError::issuing)?;
    own.check_dates(request.now).map_err(CryptoError::issuing)?;
    sign(&own, root, key, request)
}

/// Revocation, with the signer's chain, or the root alone if the group's own key signed.
#[derive(Sequence)]
struct Content<'a> {
    version: u8,
    group: &'a OctetStringRef,
    target: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    serial: Option<&'a OctetStringRef>,
    /// CRLReason of RFC 5280 §5.3.1.
    reason: u8,
    /// FILETIME: 100-nanosecond intervals since 1601.
    issued: u64,
    chain: &'a OctetStringRef,
}

fn sign(
    own: &Chain,
    chain: &[u8],
    key: &SigningKey,
    request: &RevocationRequest,
) -> Result<Bytes, CryptoError> {
    if request.target == own.root().id {
        return Err(CryptoError::Argument("a group's own key has no membership"));
    }
    let content = Content {
        version: VERSION,
        group: octets(&own.root().id.0),
        target: octets(&request.target.0),
        serial: request.serial.as_ref().map(|serial| octets(serial)),
        reason: request.reason.number(),
        issued: request.now.0,
        chain: octets(chain),
    };
    let content = content.to_der().map_err(|_| CryptoError::issuing(Cause::TooLarge))?;
    seal(KIND, &content, key)
}

/// Every rule of a revocation.
pub(super) fn read(group: &KeyId, bytes: &Bytes) -> Result<Revocation, Cause> {
    let (content, signature) = open(bytes)?;
    let raw: Content<'_> = decode(content)?;
    let reason = Reason::from_number(raw.reason).ok_or(Cause::Profile)?;
    let serial = raw.serial.map(|serial| serial.as_bytes().try_into()).transpose();
    let serial = serial.map_err(|_| Cause::Profile)?;
    let (named, target) = (key_id(raw.group)?, key_id(raw.target)?);
    if raw.version != VERSION || target == named {
        return Err(Cause::Profile);
    }
    let signer = Chain::verify_signer(raw.chain.as_bytes(), group)?;
    if named != *group {
        return Err(Cause::Links);
    }
    if target == signer.leaf().id {
        return Err(Cause::Profile);
    }
    check_administrator(signer.leaf())?;
    check_signature(KIND, content, signature, &signer.leaf().key)?;
    let issued = FileTime(raw.issued);
    signer.check_dates(issued)?;
    Ok(Revocation {
        id: object_id(KIND, bytes),
        target,
        serial,
        reason,
        issued,
        signer: signer.leaf().id,
        path: signer.path().collect(),
        bytes: bytes.clone(),
    })
}

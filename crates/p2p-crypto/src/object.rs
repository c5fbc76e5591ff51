//! What members pass on to each other, signed by itself: revocations, the group's properties, credentials.
//!
//! # Form
//!
//! A credential is a membership chain that an administrator signed last, nothing else. The other two are DER with one encoding:
//!
//! ```text
//! Signed ::= SEQUENCE {
//!   content    OCTET STRING,              -- the DER of a Revocation or of Properties
//!   signature  OCTET STRING (SIZE(64)) }  -- over the name of the kind, a zero byte, and content
//! ```
//!
//! The content says by which chain the signer may, so the signature is over that too: nobody can put another chain of the
//! same signer in its place.

mod properties;
mod revocation;

use std::sync::Arc;

use bytes::Bytes;
use der::asn1::OctetStringRef;
use der::{Encode, Sequence};
use p2p_core::{Credential, KeyId, OBJECT_MAX, Object, ObjectId, ObjectKind, Refusal, Roles};
use ring::digest::{Context, SHA256};

use crate::certificate::syntax::decode;
use crate::certificate::{Certificate, Kind};
use crate::chain::Chain;
use crate::error::CryptoError;
use crate::key::{PublicKey, SigningKey};
use crate::refusal::Cause;

pub use properties::{GroupFlags, GroupProperties, Schemes};
pub(crate) use revocation::revoke_by_root;
pub use revocation::{RevocationRequest, revoke};

/// Whether `bytes` are an object of `group` whose signatures are right: every rule there is. Time plays no part, nor does
/// what was revoked, so the answer is the same everywhere and always.
///
/// # Errors
/// The first rule that it breaks: size, DER, profile, the signer's chain by the rules of every chain, its right to sign
/// this, the signature, and for a revocation whether the signer was a member when it says that it signed.
pub fn verify_object(group: &KeyId, kind: ObjectKind, bytes: &Bytes) -> Result<Object, Refusal> {
    if bytes.len() > OBJECT_MAX {
        return Err(Cause::TooLarge.refusal());
    }
    let object = match kind {
        ObjectKind::Revocation => Object::Revocation(Arc::new(revocation::read(group, bytes)?)),
        ObjectKind::Properties => {
            Object::Properties(Arc::new(GroupProperties::read(group, bytes)?.1))
        }
        ObjectKind::Credential => Object::Credential(Arc::new(read_credential(group, bytes)?)),
        // A kind that the core has and this crate does not know.
        _ => return Err(Cause::Container.refusal()),
    };
    Ok(object)
}

/// A chain by itself, whose last certificate an administrator signed: others may invite, face to face, but nobody else is
/// to take a membership from them that they did not ask for.
fn read_credential(group: &KeyId, bytes: &Bytes) -> Result<Credential, Cause> {
    let chain = Chain::verify(bytes, Some(group), None)?;
    check_administrator(chain.issuer())?;
    let member = Arc::new(chain.member(bytes.clone()));
    Ok(Credential { id: object_id(ObjectKind::Credential, bytes), member })
}

/// Only administrators, and the group's own key, sign what concerns others.
fn check_administrator(signer: &Certificate) -> Result<(), Cause> {
    let may = signer.kind == Kind::Root || signer.roles.contains(Roles::ADMIN);
    if may { Ok(()) } else { Err(Cause::NotAdministrator) }
}

/// SHA-256 over the kind's number and the bytes.
fn object_id(kind: ObjectKind, bytes: &[u8]) -> ObjectId {
    let mut hash = Context::new(&SHA256);
    hash.update(&[kind.number()]);
    hash.update(bytes);
    ObjectId(hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

#[derive(Sequence)]
struct Signed<'a> {
    content: &'a OctetStringRef,
    signature: &'a OctetStringRef,
}

/// What a signature is over. No name of a kind is the beginning of another's, nor of anything else that is signed.
fn message(kind: ObjectKind, content: &[u8]) -> Vec<u8> {
    let name: &[u8] = match kind {
        ObjectKind::Revocation => b"pgrp1/revocation\0",
        _ => b"pgrp1/properties\0",
    };
    [name, content].concat()
}

/// `content` with its signature.
fn seal(kind: ObjectKind, content: &[u8], key: &SigningKey) -> Result<Bytes, CryptoError> {
    let signature = key.sign(&message(kind, content))?;
    let too_large = |_| CryptoError::issuing(Cause::TooLarge);
    let signed = Signed {
        content: OctetStringRef::new(content).map_err(too_large)?,
        signature: OctetStringRef::new(&signature).map_err(too_large)?,
    };
    let bytes = signed.to_der().map_err(too_large)?;
    if bytes.len() > OBJECT_MAX {
        return Err(CryptoError::issuing(Cause::TooLarge));
    }
    Ok(bytes.into())
}

/// The content and the signature, which is still to be checked.
fn open(bytes: &[u8]) -> Result<(&[u8], &[u8; 64]), Cause> {
    let signed: Signed<'_> = decode(bytes)?;
    let signature = signed.signature.as_bytes().try_into().map_err(|_| Cause::Profile)?;
    Ok((signed.content.as_bytes(), signature))
}

fn check_signature(
    kind: ObjectKind,
    content: &[u8],
    signature: &[u8; 64],
    key: &PublicKey,
) -> Result<(), Cause> {
    let right = key.verifies(&message(kind, content), signature);
    if right { Ok(()) } else { Err(Cause::TextSignature) }
}

/// 32 bytes as the hash of a key.
fn key_id(bytes: &OctetStringRef) -> Result<KeyId, Cause> {
    bytes.as_bytes().try_into().map(KeyId).map_err(|_| Cause::Profile)
}

/// Bytes that were measured before, in DER: nothing that is encoded here reaches the 2^28 at which DER ends.
fn octets(bytes: &[u8]) -> &OctetStringRef {
    OctetStringRef::new(bytes).expect("an object of bounded parts encodes")
}

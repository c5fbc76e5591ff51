//! Invitations: a membership for somebody, and where to find the group.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId, Member, Roles};

use crate::chain::{Chain, ChainInfo};
use crate::error::CryptoError;
use crate::identity::{Identity, IdentityInfo};
use crate::issue::{self, MembershipRequest};
use crate::name::PeerName;
use crate::refusal::Cause;
use crate::xml::{self, HINTS_MAX, InvitationText, TEXT_MAX, is_hint};

mod password;

pub use password::{AnyInvitation, PasswordInvitation, PasswordRequest};

/// What is signed begins with this, so that a signature of an invitation can never pass for one of anything else.
const CONTEXT: &[u8] = b"pgrp1/invitation\0";
/// How the form in one line begins, and the version of that form.
const LINE_HEAD: &str = "p2p-invitation:";
const LINE_VERSION: &str = "1:";

/// What an invitation is to grant.
#[derive(Clone, Copy, Debug)]
pub struct IssueRequest<'a> {
    /// Who is invited.
    pub subject: &'a IdentityInfo,
    /// What it may do: at least one role.
    pub roles: Roles,
    /// End of the membership; `None` for as long as the issuer's own.
    pub expires: Option<FileTime>,
    /// Where members may be found, best first: the first 8 of them are written, with the first 8 addresses each.
    /// Addresses that mean nothing on another machine are left out.
    pub hints: &'a [(KeyId, Vec<Address>)],
    /// The time.
    pub now: FileTime,
}

/// An invitation whose signatures were verified: the invited member's whole chain, and hints where members may be
/// found. The text is signed by who issued it, from its first character to its last.
#[derive(Clone, Debug)]
pub struct Invitation {
    xml: String,
    chain: Bytes,
    verified: Arc<Chain>,
    info: ChainInfo,
    member: Arc<Member>,
    public_key: Vec<u8>,
    hints: xml::Hints,
}

impl Invitation {
    /// Issues a membership below `chain`, which is the issuer's own, and invites its holder. It begins ten minutes ago
    /// (but not before the issuer's own), because clocks differ.
    ///
    /// # Errors
    /// By [`CryptoError::code`]: `E_INVALIDARG` for no role, or names too long for a certificate of 1,280 bytes;
    /// `PEER_E_INVALID_TIME_PERIOD` for an end that has passed or is later than the issuer's own, or if the issuer's
    /// own membership is not valid now; `PEER_E_NOT_AUTHORIZED` for roles that the issuer may not grant;
    /// `PEER_E_CHAIN_TOO_LONG` below the 24th member; `PEER_E_CIRCULAR_CHAIN_DETECTED` for somebody who stands in the
    /// issuer's chain; a `CRYPT_E_*` code if that chain is not a valid one of this issuer.
    pub fn issue(
        issuer: &Identity,
        chain: &Bytes,
        request: &IssueRequest<'_>,
    ) -> Result<Invitation, CryptoError> {
        let membership = MembershipRequest {
            subject: request.subject,
            roles: request.roles,
            not_before: None,
            expires: request.expires,
            now: request.now,
        };
        let (longer, verified) = issue::issue(issuer, chain, &membership)?;
        Invitation::sign(issuer, longer, verified, request.hints)
    }

    /// Invites the holder of a membership that was issued already, by the same `issuer`: a renewal that is to be handed
    /// over. `hints` as in [`IssueRequest`].
    ///
    /// # Errors
    /// A `CRYPT_E_*` code if `membership` is no chain whose last certificate this issuer signed; [`CryptoError::Key`].
    pub fn for_membership(
        issuer: &Identity,
        membership: &Bytes,
        hints: &[(KeyId, Vec<Address>)],
    ) -> Result<Invitation, CryptoError> {
        let verified = Chain::verify(membership, None, None).map_err(CryptoError::issuing)?;
        if verified.issuer().id != issuer.key_id() {
            return Err(CryptoError::issuing(Cause::OtherIdentity));
        }
        Invitation::sign(issuer, membership.clone(), verified, hints)
    }

    fn sign(
        issuer: &Identity,
        chain: Bytes,
        verified: Chain,
        hints: &[(KeyId, Vec<Address>)],
    ) -> Result<Invitation, CryptoError> {
        let hints = shorten(hints);
        let unsigned = xml::unsigned_invitation(&chain, &hints);
        let signature = issuer.key().sign(&[CONTEXT, unsigned.as_bytes()].concat())?;
        let xml = xml::signed_invitation(unsigned, &signature);
        Ok(Invitation::new(xml, chain, verified, hints))
    }

    /// Reads an invitation, as XML or as one line, and verifies it: all but whether it is for us and valid now. The
    /// XML must be as it was issued, to the character; around the line there may be white space.
    ///
    /// # Errors
    /// By [`CryptoError::code`]: `PEER_E_UNSUPPORTED_VERSION` for another version or algorithm;
    /// `PEER_E_CHAIN_TOO_LONG`, `PEER_E_CIRCULAR_CHAIN_DETECTED`; else `PEER_E_INVITATION_NOT_TRUSTED`, with what is
    /// behind it in [`CryptoError::refusal`]: [`Cause::OtherKind`] for an invitation by a password.
    pub fn parse(text: &str) -> Result<Invitation, CryptoError> {
        Invitation::parse_xml(text_of(text)?)
    }

    /// Whether `joiner` may join with it at `now`; if so, its membership.
    ///
    /// # Errors
    /// `PEER_E_INVITATION_NOT_TRUSTED` for anybody else, `PEER_E_INVALID_TIME_PERIOD` too early or too late.
    pub fn check_for(&self, joiner: &KeyId, now: FileTime) -> Result<Arc<Member>, CryptoError> {
        if self.member.key != *joiner {
            return Err(CryptoError::incoming(Cause::OtherIdentity));
        }
        self.verified.check_dates(now).map_err(CryptoError::incoming)?;
        Ok(self.member.clone())
    }

    /// The XML.
    pub fn as_xml(&self) -> &str {
        &self.xml
    }

    /// The same in one line of letters, digits, `:`, `-` and `_`: it survives shells and mail.
    pub fn to_line(&self) -> String {
        to_line(&self.xml)
    }

    /// The invited member's chain.
    pub fn chain(&self) -> &Bytes {
        &self.chain
    }

    /// The group's key.
    pub fn group(&self) -> KeyId {
        self.info.group
    }

    /// The group's peer name.
    pub fn group_name(&self) -> &PeerName {
        &self.info.group_name
    }

    /// The group's name for people.
    pub fn group_friendly_name(&self) -> &str {
        &self.info.group_friendly_name
    }

    /// Who is invited, by whom, in which roles, from when and until when.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The invited member's public key: DER SubjectPublicKeyInfo.
    pub fn subject_public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Where members may be found, best first.
    pub fn hints(&self) -> &[(KeyId, Vec<Address>)] {
        &self.hints
    }

    fn parse_xml(xml: String) -> Result<Invitation, CryptoError> {
        let text = InvitationText::parse(&xml)?;
        let chain = Bytes::from(text.chain);
        let verified = Chain::verify(&chain, None, None).map_err(CryptoError::incoming)?;
        if verified.depth() < 2 {
            // The root only ever issues the creator's own membership, for which there is no invitation.
            return Err(CryptoError::incoming(Cause::SignerMissing));
        }
        let signed = [CONTEXT, text.signed.as_bytes()].concat();
        if !verified.issuer().key.verifies(&signed, &text.signature) {
            return Err(CryptoError::incoming(Cause::TextSignature));
        }
        let hints = text.hints;
        Ok(Invitation::new(xml, chain, verified, hints))
    }

    fn new(xml: String, chain: Bytes, verified: Chain, hints: xml::Hints) -> Invitation {
        let info = verified.info(chain.clone());
        let member = Arc::new(info.member.clone());
        let public_key = verified.leaf().key.spki();
        Invitation { xml, chain, verified: Arc::new(verified), info, member, public_key, hints }
    }
}

/// The hints as they are written.
pub(crate) fn shorten(hints: &[(KeyId, Vec<Address>)]) -> xml::Hints {
    let useful = |list: &Vec<Address>| {
        list.iter().filter(|a| is_hint(a)).take(HINTS_MAX).copied().collect::<Vec<_>>()
    };
    let hints = hints.iter().map(|(key, list)| (*key, useful(list)));
    hints.filter(|(_, list)| !list.is_empty()).take(HINTS_MAX).collect()
}

/// The XML of an invitation of either kind that came as XML or as one line.
fn text_of(text: &str) -> Result<String, CryptoError> {
    match text.trim().strip_prefix(LINE_HEAD) {
        Some(rest) => from_line(rest),
        None if text.len() > TEXT_MAX => Err(CryptoError::incoming(Cause::TooLarge)),
        None => Ok(text.to_owned()),
    }
}

fn to_line(xml: &str) -> String {
    format!("{LINE_HEAD}{LINE_VERSION}{}", URL_SAFE_NO_PAD.encode(xml))
}

/// The XML in what follows the head of the form in one line.
fn from_line(rest: &str) -> Result<String, CryptoError> {
    let body = rest.strip_prefix(LINE_VERSION).ok_or(CryptoError::Version)?;
    if body.len() > (TEXT_MAX * 4).div_ceil(3) {
        return Err(CryptoError::incoming(Cause::TooLarge));
    }
    // Room for just what is in it: an estimate would be above the largest text.
    let mut bytes = vec![0; body.len() / 4 * 3 + (body.len() % 4).saturating_sub(1)];
    let length = URL_SAFE_NO_PAD
        .decode_slice(body, &mut bytes)
        .map_err(|_| CryptoError::incoming(Cause::Base64))?;
    bytes.truncate(length);
    String::from_utf8(bytes).map_err(|_| CryptoError::incoming(Cause::Container))
}

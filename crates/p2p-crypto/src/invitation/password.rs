//! Invitations by a password: for whoever knows it, and where to find the group.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId, Member, Roles};

use super::{shorten, text_of, to_line};
use crate::chain::Chain;
use crate::error::CryptoError;
use crate::identity::{Identity, IdentityInfo};
use crate::name::PeerName;
use crate::password::{PasswordParameters, check_issuer};
use crate::refusal::Cause;
use crate::xml::{self, Hints, PasswordText};

/// What is signed begins with this; an invitation for somebody begins with something else.
const CONTEXT: &[u8] = b"pgrp1/password invitation\0";

/// What an invitation by a password is to say.
#[derive(Clone, Copy, Debug)]
pub struct PasswordRequest<'a> {
    /// How the group's password is stretched: [`PasswordVerifier::parameters`](crate::PasswordVerifier::parameters).
    pub parameters: &'a PasswordParameters,
    /// The role that the password gives: just one.
    pub role: Roles,
    /// Where members may be found, best first: the first 8 of them are written, with the first 8 addresses each.
    /// Addresses that mean nothing on another machine are left out.
    pub hints: &'a [(KeyId, Vec<Address>)],
    /// The time.
    pub now: FileTime,
}

/// An invitation for whoever knows the group's password. It says to which group, and how the password is stretched:
/// nothing with which anybody could try passwords. The text is signed by the member who issued it, from its first
/// character to its last, so that it cannot be pointed at another group.
///
/// It serves as long as the issuer's membership is valid and the password stays: a new password has another salt, and
/// an invitation with the old one fails as a wrong password would.
#[derive(Clone, Debug)]
pub struct PasswordInvitation {
    xml: String,
    verified: Arc<Chain>,
    issuer: Arc<Member>,
    group_friendly_name: String,
    role: Roles,
    parameters: PasswordParameters,
    hints: Hints,
}

impl PasswordInvitation {
    /// Invites whoever knows the password. `chain` is the issuer's own.
    ///
    /// # Errors
    /// By [`CryptoError::code`]: `E_INVALIDARG` for no or several roles, or a group whose names no XML can hold;
    /// `PEER_E_NOT_AUTHORIZED` for a role that the issuer may not grant; `PEER_E_CHAIN_TOO_LONG` for the 24th member;
    /// `PEER_E_INVALID_TIME_PERIOD` if the issuer's membership is not valid now; a `CRYPT_E_*` code if `chain` is not a
    /// valid one of this issuer.
    pub fn issue(
        issuer: &Identity,
        chain: &Bytes,
        request: &PasswordRequest<'_>,
    ) -> Result<PasswordInvitation, CryptoError> {
        if request.role.guids().count() != 1 {
            return Err(CryptoError::Argument("a password gives one role"));
        }
        let own =
            Chain::verify(chain, None, Some(&issuer.key_id())).map_err(CryptoError::issuing)?;
        own.check_dates(request.now).map_err(CryptoError::issuing)?;
        check_issuer(&own, request.role).map_err(CryptoError::issuing)?;
        let unsigned = xml::unsigned_password_invitation(
            (own.root().name.as_str(), own.root().friendly_name()),
            request.role,
            request.parameters,
            chain,
            &shorten(request.hints),
        );
        let signature = issuer.key().sign(&[CONTEXT, unsigned.as_bytes()].concat())?;
        let xml = xml::signed_invitation(unsigned, &signature);
        // What leaves this function is what everybody reads; a name may hold what XML does not.
        PasswordInvitation::parse_xml(xml)
            .map_err(|_| CryptoError::Argument("the group's names cannot be written"))
    }

    /// Reads an invitation, as XML or as one line, and verifies it: all but whether it is valid now.
    ///
    /// # Errors
    /// As [`Invitation::parse`](crate::Invitation::parse); [`Cause::OtherKind`] for one without a password.
    pub fn parse(text: &str) -> Result<PasswordInvitation, CryptoError> {
        PasswordInvitation::parse_xml(text_of(text)?)
    }

    /// Whether anybody may join with it at `now`.
    ///
    /// # Errors
    /// `PEER_E_INVALID_TIME_PERIOD` if the membership of who issued it is not valid then.
    pub fn check_at(&self, now: FileTime) -> Result<(), CryptoError> {
        self.verified.check_dates(now).map_err(CryptoError::incoming)
    }

    /// What `identity` is to the group while its membership is still to be gained: no roles, no chain, no end. The form in
    /// which `p2p_core::Node::open_group` takes it.
    pub fn candidate(&self, identity: &IdentityInfo) -> Member {
        Member {
            key: identity.key,
            name: identity.name.to_string(),
            friendly_name: identity.friendly_name.clone(),
            issuer_name: self.issuer.name.clone(),
            issuer_friendly_name: self.issuer.friendly_name.clone(),
            roles: Roles::empty(),
            depth: 0,
            not_before: self.issuer.not_before,
            not_after: FileTime::NO_END,
            chain: Bytes::new(),
            path: Arc::from([]),
        }
    }

    /// The XML.
    pub fn as_xml(&self) -> &str {
        &self.xml
    }

    /// The same in one line of letters, digits, `:`, `-` and `_`: it survives shells and mail.
    pub fn to_line(&self) -> String {
        to_line(&self.xml)
    }

    /// The group's key.
    pub fn group(&self) -> KeyId {
        self.verified.root().id
    }

    /// The group's peer name.
    pub fn group_name(&self) -> &PeerName {
        &self.verified.root().name
    }

    /// The group's name for people.
    pub fn group_friendly_name(&self) -> &str {
        &self.group_friendly_name
    }

    /// Who issued it, with the dates between which it is valid.
    pub fn issuer(&self) -> &Member {
        &self.issuer
    }

    /// The role that the password gives, as the issuer says. The member who admits the joiner decides.
    pub fn role(&self) -> Roles {
        self.role
    }

    /// How the password is stretched.
    pub fn parameters(&self) -> &PasswordParameters {
        &self.parameters
    }

    /// Where members may be found, best first.
    pub fn hints(&self) -> &[(KeyId, Vec<Address>)] {
        &self.hints
    }

    pub(super) fn parse_xml(xml: String) -> Result<PasswordInvitation, CryptoError> {
        let text = PasswordText::parse(&xml)?;
        let chain = Bytes::from(text.chain);
        let verified = Chain::verify(&chain, None, None).map_err(CryptoError::incoming)?;
        let signed = [CONTEXT, text.signed.as_bytes()].concat();
        if !verified.leaf().key.verifies(&signed, &text.signature) {
            return Err(CryptoError::incoming(Cause::TextSignature));
        }
        let root = verified.root();
        if text.group != root.name.as_str() || text.friendly_name != root.friendly_name() {
            return Err(CryptoError::incoming(Cause::Links));
        }
        check_issuer(&verified, text.role).map_err(CryptoError::incoming)?;
        let (role, parameters, hints) = (text.role, text.parameters, text.hints);
        let group_friendly_name = text.friendly_name;
        let issuer = Arc::new(verified.member(chain));
        let verified = Arc::new(verified);
        Ok(PasswordInvitation {
            xml,
            verified,
            issuer,
            group_friendly_name,
            role,
            parameters,
            hints,
        })
    }
}

/// An invitation of either kind, for who does not know which he was given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyInvitation {
    /// For somebody by name.
    Named(Box<super::Invitation>),
    /// For whoever knows the password.
    ByPassword(Box<PasswordInvitation>),
}

impl AnyInvitation {
    /// Reads an invitation, as XML or as one line, and verifies it: all but for whom it is and whether it is valid now.
    ///
    /// # Errors
    /// As [`Invitation::parse`](crate::Invitation::parse).
    pub fn parse(text: &str) -> Result<AnyInvitation, CryptoError> {
        let xml = text_of(text)?;
        if xml::is_by_password(&xml) {
            PasswordInvitation::parse_xml(xml).map(Box::new).map(AnyInvitation::ByPassword)
        } else {
            super::Invitation::parse_xml(xml).map(Box::new).map(AnyInvitation::Named)
        }
    }
}

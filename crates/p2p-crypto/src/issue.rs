//! Memberships that are granted: new ones, and renewals of those that somebody has.

use bytes::Bytes;
use p2p_core::{FileTime, Refusal, Roles};

use crate::certificate::CLOCK_SKEW;
use crate::chain::{Chain, MEMBERS_MAX};
use crate::error::CryptoError;
use crate::group::Membership;
use crate::identity::{Identity, IdentityInfo};
use crate::refusal::Cause;

/// A membership that is to be granted.
#[derive(Clone, Copy, Debug)]
pub struct MembershipRequest<'a> {
    /// To whom.
    pub subject: &'a IdentityInfo,
    /// What it may do: at least one role.
    pub roles: Roles,
    /// Its start; `None` for ten minutes ago, because clocks differ, or the start of the issuer's own if that is later.
    /// Certificates have whole seconds.
    pub not_before: Option<FileTime>,
    /// Its end; `None` for as long as the issuer's own.
    pub expires: Option<FileTime>,
    /// The time.
    pub now: FileTime,
}

/// What is to change in a renewal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RenewalRequest {
    /// `None`: the same roles.
    pub roles: Option<Roles>,
    /// Its start, which must be later than that of the present one; `None` for ten minutes ago if that is later, else for
    /// the second after the present one's.
    pub not_before: Option<FileTime>,
    /// `None`: as long as the present one was made for, but not beyond the end of the issuer's own.
    pub expires: Option<FileTime>,
    /// The time.
    pub now: FileTime,
}

/// Issues a membership below `chain`, which is the issuer's own: the subject's chain. Whatever the subject had before stays
/// valid; only a [revocation](crate::revoke) takes anything away.
///
/// # Errors
/// By [`CryptoError::code`]: `E_INVALIDARG` for no role, names too long for a certificate of 1,280 bytes, or a subject that
/// contradicts itself; `PEER_E_INVALID_TIME_PERIOD` for an end that has passed, lies before the start or is later than
/// the issuer's own, for a start before the issuer's own, or if the issuer's own membership is not valid now;
/// `PEER_E_NOT_AUTHORIZED` for roles that the issuer may not grant; `PEER_E_CHAIN_TOO_LONG` below the 24th member;
/// `PEER_E_CIRCULAR_CHAIN_DETECTED` for somebody who stands in the issuer's chain; a `CRYPT_E_*` code if that chain is not
/// a valid one of this issuer.
pub fn issue_membership(
    issuer: &Identity,
    chain: &Bytes,
    request: &MembershipRequest<'_>,
) -> Result<Bytes, CryptoError> {
    Ok(issue(issuer, chain, request)?.0)
}

/// Issues another membership for whoever `present` belongs to, another longer, shorter, higher or lower one, with the same
/// names. For a demotion the present one is to be [revoked](crate::revoke) by its serial number besides.
///
/// # Errors
/// As [`issue_membership`]; `PEER_E_INVALID_TIME_PERIOD` also for a start that is not later than the present one's; a
/// `CRYPT_E_*` code if `present` is no chain of the same group.
pub fn renew(
    issuer: &Identity,
    chain: &Bytes,
    present: &[u8],
    request: &RenewalRequest,
) -> Result<Bytes, CryptoError> {
    let own = Chain::verify(chain, None, Some(&issuer.key_id())).map_err(CryptoError::issuing)?;
    let present =
        Chain::verify(present, Some(&own.root().id), None).map_err(CryptoError::issuing)?;
    let leaf = present.leaf();
    let next = leaf.not_before.plus_seconds(1);
    let usual = earliest(&own, request.now).max(next);
    let not_before = request.not_before.unwrap_or(usual);
    if not_before < next {
        return Err(CryptoError::issuing(Cause::NotYetValid));
    }
    let end = own.leaf().not_after;
    let length = leaf.not_after.0.saturating_sub(leaf.not_before.0);
    let same = match leaf.not_after {
        FileTime::NO_END => end,
        _ => FileTime(not_before.0.saturating_add(length)).min(end),
    };
    let membership = MembershipRequest {
        subject: &IdentityInfo::new(leaf),
        roles: request.roles.unwrap_or(leaf.roles),
        not_before: Some(not_before),
        expires: Some(request.expires.unwrap_or(same)),
        now: request.now,
    };
    issue_membership(issuer, chain, &membership)
}

impl IdentityInfo {
    /// The member whose chain this is, as its last certificate describes it. The chain is verified, but for the dates.
    ///
    /// # Errors
    /// The first rule that the chain breaks.
    pub fn from_chain(chain: &[u8]) -> Result<IdentityInfo, Refusal> {
        Ok(IdentityInfo::new(Chain::verify(chain, None, None)?.leaf()))
    }
}

/// The subject's chain, in bytes and verified: what is issued is what every peer will accept.
pub(crate) fn issue(
    issuer: &Identity,
    chain: &Bytes,
    request: &MembershipRequest<'_>,
) -> Result<(Bytes, Chain), CryptoError> {
    let own = Chain::verify(chain, None, Some(&issuer.key_id())).map_err(CryptoError::issuing)?;
    own.check_dates(request.now).map_err(CryptoError::issuing)?;
    let not_before = request.not_before.unwrap_or_else(|| earliest(&own, request.now));
    let not_after = check(&own, not_before, request)?;
    let membership = Membership {
        subject: request.subject,
        group: &own.root().name,
        roles: request.roles,
        not_before,
        not_after,
    };
    let longer = membership.issue(issuer.key(), chain)?;
    // Above all the classifiers are checked here.
    let verified = Chain::verify(&longer, Some(&own.root().id), Some(&request.subject.key));
    Ok((longer, verified.map_err(CryptoError::issuing)?))
}

/// The start of a membership that is to begin at once.
fn earliest(own: &Chain, now: FileTime) -> FileTime {
    now.minus_seconds(CLOCK_SKEW).max(own.leaf().not_before)
}

/// Whether the holder of `own` may grant what is asked; gives the end of the membership.
fn check(
    own: &Chain,
    not_before: FileTime,
    request: &MembershipRequest<'_>,
) -> Result<FileTime, CryptoError> {
    if request.roles.is_empty() {
        return Err(CryptoError::Argument("a membership grants at least one role"));
    }
    let end = own.leaf().not_after;
    let not_after = request.expires.unwrap_or(end);
    let broken = [
        (not_after <= request.now || not_after < not_before, Cause::Expired),
        (!own.leaf().roles.grantable().contains(request.roles), Cause::RoleNotDelegable),
        (own.depth() >= MEMBERS_MAX, Cause::ChainTooLong),
        (own.has(&request.subject.key), Cause::KeyTwice),
        (not_after > end || not_before < own.leaf().not_before, Cause::OutlivesIssuer),
    ];
    match broken.iter().find(|row| row.0) {
        Some((_, cause)) => Err(CryptoError::issuing(*cause)),
        None => Ok(not_after),
    }
}

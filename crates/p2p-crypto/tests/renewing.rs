//! Memberships that are issued to somebody who has one: renewed, raised, lowered, handed over.

use bytes::Bytes;
use p2p_core::{Authority, Code, FileTime, KeyId, Roles};
use p2p_crypto::{
    Cause, CryptoError, GroupIdentity, Identity, IdentityInfo, Invitation, Keyring,
    MembershipRequest, RenewalRequest, inspect_chain, issue_membership, renew, verify_chain,
};

const NOW: FileTime = FileTime(134_398_224_000_000_000);
const DAY: u64 = 86_400;

struct Two {
    group: KeyId,
    ada: Identity,
    adas: Bytes,
    bob: Identity,
    bobs: Bytes,
}

/// Ada is the creator, Bob an inviting member for ten days.
fn two() -> Two {
    let group = GroupIdentity::create(None, None, NOW).unwrap();
    let ada = Identity::create(None, Some("Ada"), NOW).unwrap();
    let bob = Identity::create(Some("chess"), Some("Bob"), NOW).unwrap();
    let adas = group.issue_creator(&ada.info(), NOW).unwrap();
    let request = MembershipRequest {
        subject: &bob.info(),
        roles: Roles::INVITING_MEMBER,
        not_before: None,
        expires: Some(NOW.plus_seconds(10 * DAY)),
        now: NOW,
    };
    let bobs = issue_membership(&ada, &adas, &request).unwrap();
    Two { group: group.key_id(), ada, adas, bob, bobs }
}

fn later(seconds: u64) -> RenewalRequest {
    RenewalRequest { roles: None, not_before: None, expires: None, now: NOW.plus_seconds(seconds) }
}

impl Two {
    fn renew(&self, request: &RenewalRequest) -> Result<Bytes, CryptoError> {
        renew(&self.ada, &self.adas, &self.bobs, request)
    }
}

fn code(result: Result<Bytes, CryptoError>) -> Code {
    result.unwrap_err().code()
}

#[test]
fn a_renewal_is_the_same_membership_for_the_same_time_from_now_on() {
    let two = two();
    let present = inspect_chain(&two.bobs).unwrap().member;
    let chain = two.renew(&later(5 * DAY)).unwrap();
    let at = NOW.plus_seconds(20 * DAY);
    assert!(verify_chain(&two.group, &two.bobs, &two.bob.key_id(), &at).is_err());
    let at = NOW.plus_seconds(14 * DAY);
    let renewed = verify_chain(&two.group, &chain, &two.bob.key_id(), &at).unwrap();
    assert_eq!(
        (&renewed.name, &renewed.friendly_name, renewed.roles, renewed.depth),
        (&present.name, &present.friendly_name, Roles::INVITING_MEMBER, 2)
    );
    assert_eq!(renewed.not_before, NOW.plus_seconds(5 * DAY - 600));
    assert_eq!(renewed.not_after, NOW.plus_seconds(15 * DAY));
    assert_ne!(renewed.path[1].serial, present.path[1].serial);
    // Whoever has only the chain knows whom to invite.
    assert_eq!(IdentityInfo::from_chain(&chain).unwrap(), two.bob.info());
    let mut keyring = Keyring::new(two.bob.clone());
    keyring.adopt(&two.group, chain.clone());
    assert_eq!(keyring.own_chain(&two.group), Some(chain));
}

#[test]
fn a_renewal_begins_later_than_the_present_one() {
    let two = two();
    let present = inspect_chain(&two.bobs).unwrap().member;
    // At the same moment: the second after.
    let chain = two.renew(&later(0)).unwrap();
    let next = present.not_before.plus_seconds(1);
    assert_eq!(inspect_chain(&chain).unwrap().member.not_before, next);
    for (start, fine) in [(present.not_before, false), (next, true)] {
        let request = RenewalRequest { not_before: Some(start), ..later(0) };
        match two.renew(&request) {
            Ok(_) => assert!(fine),
            error => assert_eq!((code(error), fine), (Code::PEER_E_INVALID_TIME_PERIOD, false)),
        }
    }
    // A fraction of a second is not written.
    let fraction = FileTime(present.not_before.0 + FileTime::SECOND - 1);
    let request = RenewalRequest { not_before: Some(fraction), ..later(0) };
    assert_eq!(code(two.renew(&request)), Code::PEER_E_INVALID_TIME_PERIOD);
}

#[test]
fn a_renewal_stays_within_its_issuers_lifetime() {
    let two = two();
    // Bob invites Cid for as long as he can, and renews later: the end stays Bob's.
    let cid = Identity::create(None, None, NOW).unwrap();
    let request = MembershipRequest {
        subject: &cid.info(),
        roles: Roles::MEMBER,
        not_before: None,
        expires: None,
        now: NOW,
    };
    let cids = issue_membership(&two.bob, &two.bobs, &request).unwrap();
    let end = NOW.plus_seconds(10 * DAY);
    let renew_cid = |request: &RenewalRequest| renew(&two.bob, &two.bobs, &cids, request);
    let chain = renew_cid(&later(DAY)).unwrap();
    assert_eq!(inspect_chain(&chain).unwrap().member.not_after, end);
    for request in [
        RenewalRequest { expires: Some(end.plus_seconds(1)), ..later(DAY) },
        RenewalRequest { expires: Some(NOW), ..later(DAY) },
        RenewalRequest { not_before: Some(end.plus_seconds(1)), ..later(DAY) },
        later(11 * DAY),
    ] {
        assert_eq!(code(renew_cid(&request)), Code::PEER_E_INVALID_TIME_PERIOD, "{request:?}");
    }
    // A start before the issuer's own.
    let early = MembershipRequest { not_before: Some(NOW.minus_seconds(601)), ..request };
    let error = issue_membership(&two.bob, &two.bobs, &early);
    assert_eq!(code(error), Code::PEER_E_INVALID_TIME_PERIOD);
    // Without end stays without end.
    let request = MembershipRequest { not_before: None, ..early };
    let forever = issue_membership(&two.ada, &two.adas, &request).unwrap();
    let again = renew(&two.ada, &two.adas, &forever, &later(DAY)).unwrap();
    assert_eq!(inspect_chain(&again).unwrap().member.not_after, FileTime::NO_END);
}

#[test]
fn roles_are_raised_and_lowered_as_far_as_the_issuer_may() {
    let two = two();
    for roles in [Roles::ADMIN, Roles::MEMBER] {
        let chain = two.renew(&RenewalRequest { roles: Some(roles), ..later(0) }).unwrap();
        assert_eq!(inspect_chain(&chain).unwrap().member.roles, roles);
    }
    let none = RenewalRequest { roles: Some(Roles::empty()), ..later(0) };
    assert_eq!(code(two.renew(&none)), Code::E_INVALIDARG);
    let cid = Identity::create(None, None, NOW).unwrap();
    let request = MembershipRequest {
        subject: &cid.info(),
        roles: Roles::ADMIN,
        not_before: None,
        expires: None,
        now: NOW,
    };
    assert_eq!(code(issue_membership(&two.bob, &two.bobs, &request)), Code::PEER_E_NOT_AUTHORIZED);
    let cids = issue_membership(&two.ada, &two.adas, &request).unwrap();
    // Cid is an administrator by Ada; Bob cannot say so too, but may say less.
    assert_eq!(code(renew(&two.bob, &two.bobs, &cids, &later(0))), Code::PEER_E_NOT_AUTHORIZED);
    let less = RenewalRequest { roles: Some(Roles::MEMBER), ..later(0) };
    assert!(renew(&two.bob, &two.bobs, &cids, &less).is_ok());
}

#[test]
fn nobody_renews_itself_those_above_or_another_groups_members() {
    let (two, others) = (two(), two());
    assert_eq!(
        code(renew(&two.bob, &two.bobs, &two.bobs, &later(0))),
        Code::PEER_E_CIRCULAR_CHAIN_DETECTED
    );
    let lower = RenewalRequest { roles: Some(Roles::MEMBER), ..later(0) };
    assert_eq!(
        code(renew(&two.bob, &two.bobs, &two.adas, &lower)),
        Code::PEER_E_CIRCULAR_CHAIN_DETECTED
    );
    let error = renew(&two.ada, &two.adas, &others.bobs, &later(0)).unwrap_err();
    assert_eq!(error.refusal(), Some(Cause::OtherRoot.refusal()));
    let error = renew(&two.bob, &two.adas, &two.bobs, &later(0)).unwrap_err();
    assert_eq!(error.refusal(), Some(Cause::OtherIdentity.refusal()));
}

/// What is not left in the group is handed over as an invitation.
#[test]
fn a_renewal_travels_as_an_invitation_too() {
    let two = two();
    let chain = two.renew(&later(DAY)).unwrap();
    let invitation = Invitation::for_membership(&two.ada, &chain, &[]).unwrap();
    let read = Invitation::parse(&invitation.to_line()).unwrap();
    assert_eq!(read.chain(), &chain);
    assert!(read.check_for(&two.bob.key_id(), NOW.plus_seconds(DAY)).is_ok());
    // By whoever issued it, and nobody else.
    let error = Invitation::for_membership(&two.bob, &chain, &[]).unwrap_err();
    assert_eq!(error.refusal(), Some(Cause::OtherIdentity.refusal()));
    assert!(Invitation::for_membership(&two.ada, &chain.slice(1..), &[]).is_err());
}

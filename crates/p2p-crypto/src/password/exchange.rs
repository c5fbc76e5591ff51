//! The exchange itself: what each side sends, and what it makes of what it gets.

use std::fmt;

use bytes::Bytes;
use p2p_core::{FileTime, KeyId, Refusal, Roles};

use super::pake::{Bound, CONFIRMATION_LEN, Pake, RECORD_LEN, Randomness, SHARE_LEN, Spake2Plus};
use super::{PasswordSecret, PasswordVerifier};
use crate::certificate::{CLOCK_SKEW, Certificate};
use crate::chain::{Chain, MEMBERS_MAX};
use crate::error::CryptoError;
use crate::group::Membership;
use crate::identity::{Identity, IdentityInfo};
use crate::refusal::Cause;

/// What both sides' confirmations cover begins with this.
const CONTEXT: &[u8] = b"pgrp1 password\0";
/// Largest identity certificate that a joiner shows, in bytes; its names have to fit into a smaller one anyway.
const CERTIFICATE_MAX: usize = 2_048 - CONFIRMATION_LEN;
/// A point like any other, the generator of P-256 (SEC 2 §2.4.2): the L of a record that nobody has made.
const ANY_POINT: [u8; SHARE_LEN] = [
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40,
    0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
    0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e,
    0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51,
    0xf5,
];

/// The connection and the two who talk on it: an exchange is worth nothing anywhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExchangeBinding<'a> {
    /// The group's session id on this connection.
    pub session: &'a [u8; 32],
    /// The group.
    pub group: &'a KeyId,
    /// Who joins: its key in TLS.
    pub joiner: &'a KeyId,
    /// Who answers: its key in TLS.
    pub member: &'a KeyId,
}

impl ExchangeBinding<'_> {
    fn with<R>(&self, run: impl FnOnce(Bound<'_>) -> R) -> R {
        let context = [CONTEXT, &self.session[..], &self.group.0].concat();
        run(Bound { context: &context, prover: &self.joiner.0, verifier: &self.member.0 })
    }
}

/// A joiner who waits for the member's answer. What is secret in it is wiped when it is dropped.
pub struct PasswordJoiner {
    prover: <Spake2Plus as Pake>::Prover,
    certificate: Vec<u8>,
}

impl PasswordJoiner {
    /// Begins an exchange: what to keep, and the first message, 65 bytes. `entropy` must be random and used once.
    ///
    /// # Errors
    /// [`Cause::TooLarge`] if the names of `identity` are too long for a membership.
    pub fn start(
        secret: &PasswordSecret,
        binding: &ExchangeBinding<'_>,
        identity: &Identity,
        entropy: &[u8; 32],
    ) -> Result<(PasswordJoiner, Bytes), Refusal> {
        if identity.certificate().len() > CERTIFICATE_MAX {
            return Err(Cause::TooLarge.refusal());
        }
        let random = Randomness::new(entropy, b"joiner");
        let started = binding.with(|bound| Spake2Plus::prove(&secret.0, bound, random));
        let (prover, share) = started.ok_or(Cause::WrongPassword)?;
        let certificate = identity.certificate().to_vec();
        Ok((PasswordJoiner { prover, certificate }, Bytes::copy_from_slice(&share)))
    }

    /// Judges the member's answer; if it knows the password too, the second message, with which the joiner shows that
    /// he does and who he is.
    ///
    /// # Errors
    /// [`Cause::WrongPassword`]: the two have different passwords, or the answer was altered; there is no telling.
    /// Nothing must be sent then.
    pub fn confirm(self, answer: &[u8]) -> Result<Bytes, Refusal> {
        let parts = answer.split_first_chunk::<SHARE_LEN>().and_then(|(share, confirmation)| {
            Some((share, <&[u8; CONFIRMATION_LEN]>::try_from(confirmation).ok()?))
        });
        let (share, confirmation) = parts.ok_or(Cause::WrongPassword)?;
        let own = Spake2Plus::confirm(self.prover, share, confirmation);
        let own = own.ok_or(Cause::WrongPassword)?;
        Ok([&own[..], &self.certificate].concat().into())
    }
}

impl fmt::Debug for PasswordJoiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordJoiner")
    }
}

/// A member who has answered a joiner and waits for his confirmation. What is secret in it is wiped when it is dropped.
pub struct PasswordMember {
    verifier: <Spake2Plus as Pake>::Verifier,
    joiner: KeyId,
}

impl PasswordMember {
    /// Answers the first message: what to keep, and the answer, 97 bytes. Without a verifier the answer is made of a
    /// password that nobody knows, at the same cost: who is not a member cannot tell that the group is unknown here or
    /// has no password. `entropy` must be random and used once.
    ///
    /// # Errors
    /// [`Cause::WrongPassword`] for a first message that no joiner sends.
    pub fn answer(
        verifier: Option<&PasswordVerifier>,
        binding: &ExchangeBinding<'_>,
        first: &[u8],
        entropy: &[u8; 32],
    ) -> Result<(PasswordMember, Bytes), Refusal> {
        let mut nobodys = [0; RECORD_LEN];
        nobodys[32..].copy_from_slice(&ANY_POINT);
        Randomness::new(entropy, b"nobody").fill(&mut nobodys[..32]);
        // Not zero, and below the order of the group.
        nobodys[0] = nobodys[0] & 0x7f | 0x40;
        let record = verifier.map_or(&nobodys, PasswordVerifier::record);
        let share = first.try_into().map_err(|_| Cause::WrongPassword)?;
        let answer_by = |record| {
            let random = Randomness::new(entropy, b"member");
            binding.with(|bound| Spake2Plus::answer(record, bound, share, random))
        };
        // A point that only who knows the password can name would leave nothing secret: it gets what strangers get.
        let answered = answer_by(record).or_else(|| answer_by(&nobodys));
        let (verifier, share, confirmation) = answered.ok_or(Cause::WrongPassword)?;
        let answer = [&share[..], &confirmation].concat().into();
        Ok((PasswordMember { verifier, joiner: *binding.joiner }, answer))
    }

    /// Judges the joiner's confirmation; if he knows the password, who he is.
    ///
    /// # Errors
    /// [`Cause::WrongPassword`]; what is wrong with the identity certificate behind it; [`Cause::OtherIdentity`] if
    /// that is not the joiner's.
    pub fn check(self, confirmation: &[u8]) -> Result<IdentityInfo, Refusal> {
        let (confirmation, certificate) =
            confirmation.split_first_chunk().ok_or(Cause::WrongPassword)?;
        if !Spake2Plus::check(self.verifier, confirmation) {
            return Err(Cause::WrongPassword.refusal());
        }
        if certificate.len() > CERTIFICATE_MAX {
            return Err(Cause::TooLarge.refusal());
        }
        let certificate = Certificate::read_identity(certificate)?;
        if certificate.id != self.joiner {
            return Err(Cause::OtherIdentity.refusal());
        }
        Ok(IdentityInfo {
            key: certificate.id,
            name: certificate.name.clone(),
            friendly_name: certificate.friendly_name().to_owned(),
            public_key: certificate.key.spki(),
        })
    }
}

impl fmt::Debug for PasswordMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordMember")
    }
}

/// The chain of a joiner who has shown that he knows the password: `chain`, which is the issuer's own, and a membership
/// in the password's `role` that begins ten minutes ago and ends with the issuer's own.
///
/// # Errors
/// As [`Invitation::issue`](crate::Invitation::issue): this member cannot issue it, another may.
pub fn issue_by_password(
    issuer: &Identity,
    chain: &Bytes,
    joiner: &IdentityInfo,
    role: Roles,
    now: FileTime,
) -> Result<Bytes, CryptoError> {
    let own = Chain::verify(chain, None, Some(&issuer.key_id())).map_err(CryptoError::issuing)?;
    own.check_dates(now).map_err(CryptoError::issuing)?;
    check_issuer(&own, role).map_err(CryptoError::issuing)?;
    if own.has(&joiner.key) {
        return Err(CryptoError::issuing(Cause::KeyTwice));
    }
    let membership = Membership {
        subject: joiner,
        group: &own.root().name,
        roles: role,
        not_before: now.minus_seconds(CLOCK_SKEW).max(own.leaf().not_before),
        not_after: own.leaf().not_after,
    };
    let longer = membership.issue(issuer.key(), chain)?;
    // What leaves this function is what every peer will accept.
    Chain::verify(&longer, Some(&own.root().id), Some(&joiner.key))
        .map_err(CryptoError::issuing)?;
    Ok(longer)
}

/// Whether the holder of `own` can make members of this role.
pub(crate) fn check_issuer(own: &Chain, role: Roles) -> Result<(), Cause> {
    if !own.leaf().roles.grantable().contains(role) {
        return Err(Cause::RoleNotDelegable);
    }
    if own.depth() >= MEMBERS_MAX { Err(Cause::ChainTooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::GroupIdentity;
    use crate::stretch::Cost;

    fn now() -> FileTime {
        FileTime::from_unix(1_795_344_000)
    }
    const PASSWORD: &str = "correct horse";

    struct Scene {
        group: GroupIdentity,
        ada: Identity,
        bob: Identity,
        chain: Bytes,
        verifier: PasswordVerifier,
    }

    fn scene() -> Scene {
        let ada = Identity::create(None, Some("Ada"), now()).unwrap();
        let bob = Identity::create(Some("tab"), Some("Bob"), now()).unwrap();
        let group = GroupIdentity::create(None, None, now()).unwrap();
        let chain = group.issue_creator(&ada.info(), now()).unwrap();
        let verifier = PasswordVerifier::create_at(&group.key_id(), PASSWORD, Cost::CHEAP).unwrap();
        Scene { group, ada, bob, chain, verifier }
    }

    /// All that the two sides agree on, owned.
    #[derive(Clone)]
    struct On {
        session: [u8; 32],
        group: KeyId,
        joiner: KeyId,
        member: KeyId,
    }

    impl On {
        fn of(scene: &Scene) -> On {
            let (joiner, member) = (scene.bob.key_id(), scene.ada.key_id());
            On { session: [5; 32], group: scene.group.key_id(), joiner, member }
        }

        fn binding(&self) -> ExchangeBinding<'_> {
            let On { session, group, joiner, member } = self;
            ExchangeBinding { session, group, joiner, member }
        }
    }

    /// Both sides: the joiner's result, then the member's if it came to that.
    fn run(
        scene: &Scene,
        password: &str,
        verifier: Option<&PasswordVerifier>,
        (joiner, member): (&On, &On),
    ) -> Result<IdentityInfo, Refusal> {
        let parameters = scene.verifier.parameters();
        let secret = PasswordSecret::stretch(&joiner.group, password, parameters).unwrap();
        let start = PasswordJoiner::start(&secret, &joiner.binding(), &scene.bob, &[1; 32]);
        let (waiting, first) = start.unwrap();
        assert_eq!(first.len(), 65);
        let answer = PasswordMember::answer(verifier, &member.binding(), &first, &[2; 32]);
        let (answered, answer) = answer.unwrap();
        assert_eq!(answer.len(), 97);
        answered.check(&waiting.confirm(&answer)?)
    }

    #[test]
    fn who_knows_the_password_becomes_a_member() {
        let scene = scene();
        let on = On::of(&scene);
        let info = run(&scene, PASSWORD, Some(&scene.verifier), (&on, &on)).unwrap();
        assert_eq!(info, scene.bob.info());
        let role = Roles::INVITING_MEMBER;
        let chain = issue_by_password(&scene.ada, &scene.chain, &info, role, now()).unwrap();
        let (group, bob) = (scene.group.key_id(), scene.bob.key_id());
        let member = crate::verify_chain(&group, &chain, &bob, &now()).unwrap();
        assert_eq!((member.roles, member.depth), (Roles::INVITING_MEMBER, 2));
        assert_eq!((&*member.friendly_name, &*member.issuer_friendly_name), ("Bob", "Ada"));
        assert_eq!(member.not_after, FileTime::NO_END);
    }

    #[test]
    fn a_wrong_password_fails_at_the_joiner_whatever_the_member_has() {
        let scene = scene();
        let on = On::of(&scene);
        let renewed = PasswordVerifier::create_at(&on.group, PASSWORD, Cost::CHEAP).unwrap();
        for (password, verifier) in [
            ("correct horsE", Some(&scene.verifier)),
            (PASSWORD, None),
            // The same password again, but another salt: an older invitation does not do.
            (PASSWORD, Some(&renewed)),
        ] {
            let refusal = run(&scene, password, verifier, (&on, &on)).unwrap_err();
            assert_eq!(refusal, Cause::WrongPassword.refusal());
        }
    }

    #[test]
    fn an_exchange_is_worth_nothing_on_another_connection_or_between_others() {
        let scene = scene();
        let on = On::of(&scene);
        for other in [
            On { session: [6; 32], ..on.clone() },
            On { joiner: KeyId([8; 32]), ..on.clone() },
            On { member: KeyId([8; 32]), ..on.clone() },
            On { group: KeyId([8; 32]), ..on.clone() },
        ] {
            let refused = run(&scene, PASSWORD, Some(&scene.verifier), (&on, &other));
            assert_eq!(refused.unwrap_err(), Cause::WrongPassword.refusal());
        }
    }

    #[test]
    fn every_altered_message_is_turned_down() {
        let scene = scene();
        let on = On::of(&scene);
        let secret =
            PasswordSecret::stretch(&on.group, PASSWORD, scene.verifier.parameters()).unwrap();
        let start = || PasswordJoiner::start(&secret, &on.binding(), &scene.bob, &[1; 32]).unwrap();
        let answer = |first: &[u8]| {
            PasswordMember::answer(Some(&scene.verifier), &on.binding(), first, &[2; 32])
        };
        let first = start().1;
        let second = answer(&first).unwrap().1;
        let third = start().0.confirm(&second).unwrap();
        assert!(answer(&first).unwrap().0.check(&third).is_ok());
        let flip = |bytes: &[u8], bit: usize| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        for bit in (0..8 * first.len()).step_by(7) {
            assert!(answer(&flip(&first, bit)).is_err(), "bit {bit}");
        }
        for bit in (0..8 * second.len()).step_by(7) {
            assert!(start().0.confirm(&flip(&second, bit)).is_err(), "bit {bit}");
        }
        for bit in (0..8 * third.len()).step_by(29) {
            assert!(answer(&first).unwrap().0.check(&flip(&third, bit)).is_err(), "bit {bit}");
        }
        for (message, most) in [(&first, 65), (&second, 97)] {
            for end in [0, 1, 32, 64, 66, 96, 98, most + 400].into_iter().filter(|n| *n != most) {
                let mut bytes = message.to_vec();
                bytes.resize(end, 0);
                assert!(answer(&bytes).is_err(), "{end}");
                assert!(start().0.confirm(&bytes).is_err(), "{end}");
                assert!(answer(&first).unwrap().0.check(&bytes).is_err(), "{end}");
            }
        }
        // Another's certificate behind a right confirmation.
        let stolen = [&third[..32], scene.ada.certificate()].concat();
        let refused = answer(&first).unwrap().0.check(&stolen).unwrap_err();
        assert_eq!(refused, Cause::OtherIdentity.refusal());
    }

    #[test]
    fn answers_for_unknown_groups_differ_every_time_and_look_like_any_other() {
        let scene = scene();
        let on = On::of(&scene);
        let secret =
            PasswordSecret::stretch(&on.group, PASSWORD, scene.verifier.parameters()).unwrap();
        let (_, first) =
            PasswordJoiner::start(&secret, &on.binding(), &scene.bob, &[1; 32]).unwrap();
        let answer = |verifier, entropy| {
            PasswordMember::answer(verifier, &on.binding(), &first, &[entropy; 32]).unwrap().1
        };
        let (one, two) = (answer(None, 1), answer(None, 2));
        assert_ne!(one[..65], two[..65]);
        assert_ne!(one[65..], two[65..]);
        assert_eq!(one.len(), answer(Some(&scene.verifier), 1).len());
        // Its share is a point: the joiner's check fails with the confirmation only.
        let with_share_of = |entropy| {
            let point: [u8; 65] = answer(None, entropy)[..65].try_into().unwrap();
            spake2plus::ShareV::<spake2plus::P256Sha256>::from_bytes(&point).is_ok()
        };
        assert!((0..32).all(with_share_of));
        for bad in [vec![4; 65], vec![0; 65], Vec::new(), first[..64].to_vec()] {
            for verifier in [None, Some(&scene.verifier)] {
                let refused = PasswordMember::answer(verifier, &on.binding(), &bad, &[1; 32]);
                assert_eq!(refused.unwrap_err(), Cause::WrongPassword.refusal());
            }
        }
    }

    #[test]
    fn who_may_not_grant_the_role_does_not_issue() {
        let scene = scene();
        let eve = Identity::create(None, None, now()).unwrap();
        let issue = |issuer: &Identity, chain: &Bytes, joiner: &Identity, role, now| {
            issue_by_password(issuer, chain, &joiner.info(), role, now)
        };
        let cause = |result: Result<Bytes, CryptoError>| match result.unwrap_err() {
            CryptoError::Refused { cause, .. } => cause,
            other => panic!("{other}"),
        };
        let bobs = issue(&scene.ada, &scene.chain, &scene.bob, Roles::MEMBER, now()).unwrap();
        let refused = issue(&scene.bob, &bobs, &eve, Roles::MEMBER, now());
        assert_eq!(cause(refused), Cause::RoleNotDelegable);
        let refused = issue(&scene.ada, &scene.chain, &scene.ada, Roles::MEMBER, now());
        assert_eq!(cause(refused), Cause::KeyTwice);
        let early = now().minus_seconds(3_600);
        let refused = issue(&scene.ada, &scene.chain, &scene.bob, Roles::MEMBER, early);
        assert_eq!(cause(refused), Cause::NotYetValid);
        let refused = issue(&eve, &scene.chain, &scene.bob, Roles::MEMBER, now());
        assert_eq!(cause(refused), Cause::OtherIdentity);
    }
}

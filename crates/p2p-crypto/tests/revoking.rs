//! Taking membership back: who may, what it does to whom, and that the order of arrival does not matter.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Authority, FileTime, Inserted, KeyId, Member, Object, ObjectKind, Reason, Refusal, Revocation,
    Revocations, Roles,
};
use p2p_crypto::{
    Cause, CryptoError, GroupIdentity, Identity, Keyring, MembershipRequest, RevocationRequest,
    issue_membership, revoke, verify_chain, verify_chain_with,
};
use proptest::prelude::*;

const NOW: FileTime = FileTime(134_398_224_000_000_000);

/// A member: who, and by which chain.
struct Person(Identity, Bytes);

impl Person {
    fn issue(&self, to: &Identity, roles: Roles) -> Bytes {
        let (subject, chain) = (&to.info(), &self.1);
        let request =
            MembershipRequest { subject, roles, not_before: None, expires: None, now: NOW };
        issue_membership(&self.0, chain, &request).unwrap()
    }

    fn invite(&self, roles: Roles) -> Person {
        let identity = Identity::create(None, None, NOW).unwrap();
        let chain = self.issue(&identity, roles);
        Person(identity, chain)
    }

    fn revoke(&self, target: &Person) -> Result<Bytes, CryptoError> {
        revoke(&self.0, &self.1, &of(target.0.key_id()))
    }

    fn key(&self) -> KeyId {
        self.0.key_id()
    }

    fn serial(&self, group: &Group) -> [u8; 16] {
        let member = verify_chain(&group.0.key_id(), &self.1, &self.key(), &NOW).unwrap();
        member.path.last().unwrap().serial
    }
}

fn of(target: KeyId) -> RevocationRequest {
    RevocationRequest { target, serial: None, reason: Reason::Unspecified, now: NOW }
}

struct Group(GroupIdentity);

impl Group {
    /// A group and its creator.
    fn new() -> (Group, Person) {
        let group = GroupIdentity::create(None, None, NOW).unwrap();
        let creator = Identity::create(None, None, NOW).unwrap();
        let chain = group.issue_creator(&creator.info(), NOW).unwrap();
        (Group(group), Person(creator, chain))
    }

    fn read(&self, bytes: &Bytes) -> Arc<Revocation> {
        // By the seam through which a node asks.
        let keyring = Keyring::new(Identity::create(None, None, NOW).unwrap());
        match keyring.verify_object(&self.0.key_id(), ObjectKind::Revocation, bytes).unwrap() {
            Object::Revocation(revocation) => revocation,
            other => panic!("{other:?}"),
        }
    }

    fn known<'a>(&self, all: impl IntoIterator<Item = &'a Bytes>) -> Revocations {
        let mut set = Revocations::default();
        for bytes in all {
            let inserted = set.insert(self.read(bytes), 4_096, 8 << 20);
            assert_eq!(inserted, Inserted::New { evicted: Vec::new() });
        }
        set
    }

    fn verify(&self, person: &Person, known: &Revocations) -> Result<Member, Refusal> {
        verify_chain_with(&self.0.key_id(), &person.1, &person.key(), &NOW, known)
    }

    /// Which of these are members.
    fn standing(&self, people: &[Person], known: &Revocations) -> Vec<bool> {
        people.iter().map(|person| self.verify(person, known).is_ok()).collect()
    }
}

#[test]
fn a_revoked_member_is_refused_and_so_are_those_below() {
    let (group, ada) = Group::new();
    let bob = ada.invite(Roles::ADMIN);
    let cid = bob.invite(Roles::INVITING_MEMBER);
    let people = [ada, bob, cid];
    assert_eq!(group.standing(&people, &Revocations::default()), [true; 3]);
    let known = group.known([&people[0].revoke(&people[1]).unwrap()]);
    assert_eq!(group.standing(&people, &known), [true, false, false]);
    let refusal = group.verify(&people[1], &known).unwrap_err();
    assert_eq!(refusal.code.name(), Some("CRYPT_E_REVOKED"));
    assert_eq!(refusal.detail.name(), Some("CERT_E_REVOKED"));
    // Whom ada invites anew is a member again.
    let again = Person(people[2].0.clone(), people[0].issue(&people[2].0, Roles::MEMBER));
    assert!(group.verify(&again, &known).is_ok());
    // A key that was revoked as a whole never comes back below the signer.
    let never = Person(people[1].0.clone(), people[0].issue(&people[1].0, Roles::MEMBER));
    assert_eq!(group.verify(&never, &known), Err(Cause::Revoked.refusal()));
}

/// "Revoked" means that all else is right.
#[test]
fn dates_are_asked_before_revocations() {
    let (group, ada) = Group::new();
    let bob = ada.invite(Roles::MEMBER);
    let known = group.known([&ada.revoke(&bob).unwrap()]);
    let (id, early) = (group.0.key_id(), NOW.minus_seconds(1_201));
    let refused = verify_chain_with(&id, &bob.1, &bob.key(), &early, &known);
    assert_eq!(refused, Err(Cause::NotYetValid.refusal()));
    let refused = verify_chain_with(&id, &bob.1, &ada.key(), &NOW, &known);
    assert_eq!(refused, Err(Cause::OtherIdentity.refusal()));
}

#[test]
fn only_administrators_revoke_and_only_those_below() {
    let (group, ada) = Group::new();
    let bob = ada.invite(Roles::ADMIN);
    let cid = ada.invite(Roles::ADMIN);
    let dan = bob.invite(Roles::INVITING_MEMBER);
    let eve = dan.invite(Roles::MEMBER);
    let code = |result: Result<Bytes, CryptoError>| result.unwrap_err().code().name().unwrap();
    for (who, whom) in [(&dan, &eve), (&eve, &ada), (&bob, &ada)] {
        assert_eq!(code(who.revoke(whom)), "PEER_E_NOT_AUTHORIZED");
    }
    assert_eq!(code(ada.revoke(&ada)), "E_INVALIDARG");
    assert_eq!(code(revoke(&ada.0, &ada.1, &of(group.0.key_id()))), "E_INVALIDARG");
    assert_eq!(code(group.0.revoke(&of(group.0.key_id()))), "E_INVALIDARG");
    // With the chain of another, and at a time when it is not valid.
    assert_eq!(code(revoke(&ada.0, &bob.1, &of(eve.key()))), "CRYPT_E_NO_MATCH");
    let late = RevocationRequest { now: NOW.minus_seconds(1_201), ..of(eve.key()) };
    assert_eq!(code(revoke(&ada.0, &ada.1, &late)), "PEER_E_INVALID_TIME_PERIOD");
    assert_eq!(code(group.0.revoke(&late)), "PEER_E_INVALID_TIME_PERIOD");

    // Two at the same depth sign against each other in vain: neither chain is deeper than the other's.
    let both = [bob.revoke(&cid).unwrap(), cid.revoke(&bob).unwrap()];
    let people = [ada, bob, cid, dan, eve];
    assert_eq!(group.standing(&people, &group.known(&both)), [true; 5]);
    // But bob has a say over whom cid invites.
    let fay = people[2].invite(Roles::ADMIN);
    let known = group.known([&people[1].revoke(&fay).unwrap()]);
    assert!(group.verify(&fay, &known).is_err());
}

#[test]
fn the_groups_own_key_revokes_even_the_creator() {
    let (group, ada) = Group::new();
    let bob = ada.invite(Roles::ADMIN);
    let bytes = group.0.revoke(&of(ada.key())).unwrap();
    let revocation = group.read(&bytes);
    assert_eq!((revocation.signer, revocation.depth()), (group.0.key_id(), 0));
    assert_eq!(group.standing(&[ada, bob], &group.known([&bytes])), [false; 2]);
}

/// One certificate is taken back, another stays: that is a demotion.
#[test]
fn a_demotion_takes_back_one_certificate() {
    let (group, ada) = Group::new();
    let high = ada.invite(Roles::ADMIN);
    let low = Person(high.0.clone(), ada.issue(&high.0, Roles::MEMBER));
    let serial = Some(high.serial(&group));
    let reason = Reason::PrivilegeWithdrawn;
    let request = RevocationRequest { serial, reason, ..of(high.key()) };
    let bytes = revoke(&ada.0, &ada.1, &request).unwrap();
    let read = group.read(&bytes);
    assert_eq!((read.serial, read.reason, read.issued), (serial, reason, NOW));
    let known = group.known([&bytes]);
    assert_eq!(group.verify(&high, &known), Err(Cause::Revoked.refusal()));
    assert_eq!(group.verify(&low, &known).unwrap().roles, Roles::MEMBER);
}

/// What a revoked administrator signed against others is void, as if it had never been.
#[test]
fn what_the_revoked_revoked_stands_again() {
    let (group, ada) = Group::new();
    let bob = ada.invite(Roles::ADMIN);
    let cid = bob.invite(Roles::ADMIN);
    let dan = ada.invite(Roles::ADMIN);
    let eve = dan.invite(Roles::ADMIN);
    let all = [bob.revoke(&eve).unwrap(), ada.revoke(&bob).unwrap()];
    let people = [ada, bob, cid, dan, eve];
    assert_eq!(group.standing(&people, &group.known(&all[..1])), [true, true, true, true, false]);
    for known in [group.known(&all), group.known(all.iter().rev())] {
        assert_eq!(group.standing(&people, &known), [true, false, false, true, true]);
        assert!(!known.in_force(&group.read(&all[0]).id));
    }
}

/// A tree of administrators, and everybody's revocation of somebody else.
fn quarrel(picks: &BTreeSet<(usize, usize)>) -> (Group, Vec<Person>, Vec<Bytes>) {
    let (group, ada) = Group::new();
    let mut people = vec![ada];
    for i in 1..7 {
        people.push(people[(i - 1) / 2].invite(Roles::ADMIN));
    }
    let mut all = Vec::new();
    for (who, whom) in picks {
        all.extend(people[*who].revoke(&people[*whom]));
        if who == whom {
            all.extend(group.0.revoke(&of(people[*who].key())));
        }
    }
    (group, people, all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever revokes whom, and in whatever order it becomes known: everybody comes to the same members, and the creator
    /// falls by the group's own key only.
    #[test]
    fn the_order_of_revocations_does_not_matter(
        picks in prop::collection::btree_set((0usize..7, 0usize..7), 1..8),
        order in prop::collection::vec(any::<prop::sample::Index>(), 16),
    ) {
        let (group, people, all) = quarrel(&picks);
        let due = group.standing(&people, &group.known(&all));
        let mut rest: Vec<&Bytes> = all.iter().collect();
        let mut mixed = Vec::new();
        for index in order.iter().cycle() {
            if rest.is_empty() { break; }
            mixed.push(rest.remove(index.index(rest.len())));
        }
        prop_assert_eq!(group.standing(&people, &group.known(mixed)), due.clone());
        prop_assert_eq!(due[0], !picks.contains(&(0, 0)));
    }
}

//! Known chains: the same answers as without a cache, and no more of them than there is room for.

mod forge;

use bytes::Bytes;
use forge::*;
use p2p_core::{FileTime, KeyId, Object, ObjectKind, Reason, Revocations, Roles};
use p2p_crypto::{
    ChainCache, GroupIdentity, Identity, MembershipRequest, RevocationRequest, issue_membership,
    revoke, verify_chain_with, verify_object,
};

struct Club {
    group: KeyId,
    people: Vec<(Identity, Bytes)>,
    revoked: Revocations,
}

/// A creator, and three members for an hour, the last of whom is revoked.
fn club() -> Club {
    let group = GroupIdentity::create(None, None, now()).unwrap();
    let ada = Identity::create(None, None, now()).unwrap();
    let adas = group.issue_creator(&ada.info(), now()).unwrap();
    let mut people = vec![(ada.clone(), adas.clone())];
    for _ in 0..3 {
        let identity = Identity::create(None, None, now()).unwrap();
        let request = MembershipRequest {
            subject: &identity.info(),
            roles: Roles::MEMBER,
            not_before: None,
            expires: Some(now().plus_seconds(3_600)),
            now: now(),
        };
        people.push((identity, issue_membership(&ada, &adas, &request).unwrap()));
    }
    let target = people[3].0.key_id();
    let request = RevocationRequest { target, serial: None, reason: Reason::default(), now: now() };
    let object = revoke(&ada, &adas, &request).unwrap();
    let mut revoked = Revocations::default();
    match verify_object(&group.key_id(), ObjectKind::Revocation, &object).unwrap() {
        Object::Revocation(revocation) => drop(revoked.insert(revocation, 1, 1 << 20)),
        other => panic!("{other:?}"),
    }
    Club { group: group.key_id(), people, revoked }
}

#[test]
fn a_cache_answers_as_if_it_were_none() {
    let club = club();
    let mut cache = ChainCache::new(2);
    let none = Revocations::default();
    let chains: Vec<&Bytes> = club.people.iter().map(|person| &person.1).collect();
    let spoilt = Bytes::from([&chains[1][..chains[1].len() - 1], &[0]].concat());
    let mut seen = [0; 2];
    for _ in 0..3 {
        for (who, _) in &club.people {
            for chain in chains.iter().copied().chain([&spoilt]) {
                for seconds in [0, 4_200, 4_201] {
                    for known in [&none, &club.revoked] {
                        for group in [club.group, KeyId([7; 32])] {
                            let at = now().plus_seconds(seconds);
                            let due = verify_chain_with(&group, chain, &who.key_id(), &at, known);
                            let is = cache.verify(&group, chain, &who.key_id(), &at, known);
                            seen[usize::from(due.is_ok())] += 1;
                            assert_eq!(is.map(|member| (*member).clone()), due);
                            assert!(cache.len() <= 2);
                        }
                    }
                }
            }
        }
    }
    // Of each round: the creator always, two members twice, the revoked one only where that is not known.
    assert_eq!(seen[1], 3 * (6 + 2 * 4 + 2));
    assert!(seen[0] > 0);
}

#[test]
fn what_is_not_asked_for_goes_first() {
    let club = club();
    let none = Revocations::default();
    let mut cache = ChainCache::new(2);
    assert!(cache.is_empty());
    let mut verify = |i: usize| {
        let (who, chain) = &club.people[i];
        cache.verify(&club.group, chain, &who.key_id(), &now(), &none).unwrap()
    };
    let first = verify(0);
    verify(1);
    // The same value again: it was not verified anew.
    assert!(std::sync::Arc::ptr_eq(&first, &verify(0)));
    verify(2);
    assert!(std::sync::Arc::ptr_eq(&first, &verify(0)));
    verify(1);
    verify(2);
    assert!(!std::sync::Arc::ptr_eq(&first, &verify(0)));
    assert_eq!(cache.len(), 2);
}

#[test]
fn no_time_is_right_for_a_cache_and_wrong_without() {
    let mut family = Family::new(2);
    family.certs[2].not_before = time(NOW);
    family.certs[2].not_after = time(NOW + 100);
    let chain = Bytes::from(family.chain());
    let (none, mut cache) = (Revocations::default(), ChainCache::new(1));
    let mut at = |seconds: i64| {
        let at = FileTime::from_unix(NOW + seconds);
        let cached = cache.verify(&family.group(), &chain, &family.leaf(), &at, &none);
        let plain = verify_chain_with(&family.group(), &chain, &family.leaf(), &at, &none);
        assert_eq!(cached.as_ref().map(|_| ()), plain.as_ref().map(|_| ()), "{seconds}");
        cached.is_ok()
    };
    let times = [0, -601, -600, -599, 699, 700, 701, 0];
    assert_eq!(times.map(&mut at), [true, false, true, true, true, true, false, true]);
}

use super::*;
use crate::object::Reason;
use crate::time::FileTime;
use bytes::Bytes;

fn step(n: u8) -> Step {
    Step { key: KeyId([n; 32]), serial: [n; 16] }
}

fn path(keys: &[u8]) -> Arc<[Step]> {
    keys.iter().map(|n| step(*n)).collect()
}

/// A revocation of `target` by the last of `signer` (the group's own key if there is none).
fn revocation(signer: &[u8], target: u8) -> Arc<Revocation> {
    let mut id = [target; 32];
    id[..signer.len()].copy_from_slice(signer);
    id[31] = signer.len() as u8;
    let path = path(signer);
    Arc::new(Revocation {
        id: ObjectId(id),
        target: KeyId([target; 32]),
        serial: None,
        reason: Reason::Unspecified,
        issued: FileTime(0),
        signer: path.last().map_or(KeyId([0; 32]), |s| s.key),
        path,
        bytes: Bytes::from_static(&[0; 100]),
    })
}

fn set(all: &[Arc<Revocation>]) -> Revocations {
    let mut set = Revocations::default();
    for one in all {
        set.insert(one.clone(), usize::MAX, usize::MAX);
    }
    set
}

#[test]
fn a_chain_is_revoked_with_everything_below_the_target() {
    let set = set(&[revocation(&[1], 3)]);
    assert!(set.find(&path(&[1, 3])).is_some());
    assert!(set.find(&path(&[1, 2, 3, 4])).is_some());
    assert!(set.find(&path(&[1, 2, 4])).is_none());
}

#[test]
fn nobody_revokes_at_its_own_depth_or_above() {
    // The signer is at depth 2, and so is the target in the first chain.
    let set = set(&[revocation(&[1, 2], 3)]);
    assert!(set.find(&path(&[1, 3])).is_none());
    assert!(set.find(&path(&[3])).is_none());
    assert!(set.find(&path(&[1, 4, 3])).is_some());
}

#[test]
fn the_groups_own_key_revokes_even_the_creator() {
    assert!(set(&[revocation(&[], 1)]).find(&path(&[1])).is_some());
    assert!(set(&[revocation(&[1], 1)]).find(&path(&[1])).is_none());
}

#[test]
fn one_certificate_is_revoked_and_not_the_others_of_its_key() {
    let one = Revocation { serial: Some([3; 16]), ..(*revocation(&[1], 3)).clone() };
    let set = set(&[Arc::new(one)]);
    assert!(set.find(&path(&[1, 3])).is_some());
    let other = [step(1), Step { serial: [9; 16], ..step(3) }];
    assert!(set.find(&other).is_none());
}

#[test]
fn what_a_revoked_signer_revoked_is_void_and_comes_back_with_it() {
    let (by_two, of_two, of_one) =
        (revocation(&[1, 2], 5), revocation(&[1], 2), revocation(&[], 1));
    let (target, two) = (path(&[1, 3, 5]), path(&[1, 2]));
    assert!(set(core::slice::from_ref(&by_two)).find(&target).is_some());
    assert!(set(&[by_two.clone(), of_two.clone()]).find(&target).is_none());
    // Who revoked the signer is revoked itself: both of its revocations fall, and with the creator all chains.
    let all = set(&[by_two.clone(), of_two.clone(), of_one.clone()]);
    assert_eq!(all.find(&two).map(|r| r.id), Some(of_one.id));
    assert!(!all.in_force(&of_two.id) && !all.in_force(&by_two.id) && all.in_force(&of_one.id));
    assert!(all.get(&by_two.id).is_some());
}

#[test]
fn the_result_does_not_depend_on_the_order() {
    let all = [
        revocation(&[], 1),
        revocation(&[1], 2),
        revocation(&[6], 3),
        revocation(&[1, 2], 4),
        revocation(&[6, 3], 5),
        revocation(&[6, 4, 7], 8),
    ];
    let wanted = set(&all);
    // Every rotation of every order that starts from another end, and swaps: enough to meet each pair both ways round.
    for start in 0..all.len() {
        for swap in 0..all.len() {
            let mut order: Vec<_> = (0..all.len()).map(|i| (start + i) % all.len()).collect();
            order.swap(0, swap);
            for order in [order.clone(), order.into_iter().rev().collect()] {
                let list: Vec<_> = order.iter().map(|i| all[*i].clone()).collect();
                assert_eq!(set(&list), wanted);
            }
        }
    }
}

#[test]
fn when_there_is_no_room_the_weakest_go() {
    let mut set = Revocations::default();
    let deep = [revocation(&[1, 2], 5), revocation(&[1, 2], 6), revocation(&[1, 2], 7)];
    for one in &deep {
        assert_eq!(set.insert(one.clone(), 3, 1_000), Inserted::New { evicted: Vec::new() });
    }
    assert_eq!(set.insert(deep[0].clone(), 3, 1_000), Inserted::Known);
    assert_eq!(set.insert(revocation(&[1, 2], 8), 3, 1_000), Inserted::Full);
    // Whoever stands above gets through, and makes all the others void.
    let above = revocation(&[1], 2);
    let Inserted::New { evicted } = set.insert(above.clone(), 3, 1_000) else { panic!() };
    assert_eq!(evicted.len(), 1);
    assert!(set.in_force(&above.id));
    assert_eq!(set.iter().filter(|r| set.in_force(&r.id)).count(), 1);
    // Void ones go before anything in force, however deep.
    let late = revocation(&[1, 9, 3], 4);
    assert!(matches!(set.insert(late.clone(), 3, 1_000), Inserted::New { .. }));
    assert!(set.in_force(&late.id));
    assert_eq!(set.len(), 3);
}

#[test]
fn bytes_are_bounded_as_well_as_the_number() {
    let mut set = Revocations::default();
    set.insert(revocation(&[1], 5), 10, 250);
    set.insert(revocation(&[1, 2], 6), 10, 250);
    let Inserted::New { evicted } = set.insert(revocation(&[], 7), 10, 250) else { panic!() };
    assert_eq!(evicted, [revocation(&[1, 2], 6).id]);
    assert_eq!(set.insert(revocation(&[1, 2], 8), 10, 250), Inserted::Full);
}

//! Signed objects: how revocations, properties and credentials spread, and what they do.

mod world;

use bytes::Bytes;
use p2p_core::trace::{Act, Answer};
use p2p_core::{
    Cause, Code, ConnectionChange, Error, Event, FileTime, GroupKey, GroupSnapshot, Limits,
    MemberChange, ObjectId, ObjectKind, Output, Refusal, SECOND, Status, Step, StoreChange, close,
};
use world::fake::{object_id, properties, revocation};
use world::{GENESIS, Paper, World, key};

const GROUP: u8 = 0xaa;
const REVOKED: Refusal = Refusal { code: Code::CRYPT_E_REVOKED, detail: Code::CERT_E_REVOKED };

/// A creator (machine 0) and members of the given depths, all online and all neighbours.
fn group(depths: &[u8]) -> (World, Vec<GroupKey>) {
    let mut world = World::new(7);
    let mut groups = Vec::new();
    for (m, depth) in [1].iter().chain(depths).enumerate() {
        world.machine();
        groups.push(join(&mut world, m, *depth));
        world.connect(m, groups[m], &[]);
        world.settle();
    }
    let all = groups.clone();
    world.until("everybody online", |w| (0..all.len()).all(|m| bits(w, m, all[m]) == 3));
    for (m, group) in groups.iter().enumerate() {
        world.accept(m, *group, true);
    }
    world.run(SECOND);
    (world, groups)
}

fn join(world: &mut World, m: usize, depth: u8) -> GroupKey {
    let snapshot = GroupSnapshot {
        synchronised: m == 0,
        addresses: (0..m)
            .map(|n| (world.machines[n].key, vec![world.machines[n].address]))
            .collect(),
        ..GroupSnapshot::default()
    };
    let paper = paper(world, m, depth);
    world.join_as(m, &paper, snapshot)
}

fn paper(world: &World, m: usize, depth: u8) -> Paper {
    Paper { depth, ..Paper::new(key(GROUP), world.machines[m].key) }
}

fn path(world: &World, m: usize, depth: u8) -> Vec<Step> {
    paper(world, m, depth).member().path.to_vec()
}

fn bits(world: &World, m: usize, group: GroupKey) -> u32 {
    world.machines[m].node.status(group).map_or(0, Status::bits)
}

fn publish(world: &mut World, m: usize, group: GroupKey, kind: ObjectKind, bytes: &Bytes) {
    let id = object_id(kind, bytes);
    let answer = world.call(m, Act::Publish(group, kind, bytes.clone()));
    assert!(matches!(answer, Ok(Answer::Object(given)) if given == id), "{answer:?}");
    world.until("published", |w| published(w, m) == [(id, Ok(()))].as_slice());
    world.machines[m].events.retain(|e| !matches!(e.2, Event::Published { .. }));
}

fn published(world: &World, m: usize) -> Vec<(ObjectId, Result<(), Code>)> {
    let told = |e: &Event| match e {
        Event::Published { id, result } => Some((*id, *result)),
        _ => None,
    };
    world.machines[m].events.iter().filter_map(|e| told(&e.2)).collect()
}

/// The creator takes the membership of machine `target` back.
fn revoke(world: &mut World, group: GroupKey, target: usize) -> ObjectId {
    let by = path(world, 0, 1);
    let bytes = revocation(key(GROUP), &by, world.machines[target].key, None);
    publish(world, 0, group, ObjectKind::Revocation, &bytes);
    object_id(ObjectKind::Revocation, &bytes)
}

fn revocations(world: &World, m: usize, group: GroupKey) -> Vec<ObjectId> {
    world.machines[m].node.revocations(group).unwrap().iter().map(|r| r.id).collect()
}

fn failures(world: &World, m: usize) -> Vec<Code> {
    let failed = |e: &Event| match e {
        Event::ConnectionFailed { reason } => Some(*reason),
        _ => None,
    };
    world.machines[m].events.iter().filter_map(|e| failed(&e.2)).collect()
}

fn refused(world: &World, m: usize) -> Vec<Refusal> {
    let refusal = |e: &Event| match e {
        Event::Refused { refusal, .. } => Some(*refusal),
        _ => None,
    };
    world.machines[m].events.iter().filter_map(|e| refusal(&e.2)).collect()
}

fn knows(world: &World, m: usize, group: GroupKey, other: usize) -> bool {
    let members = world.machines[m].node.members(group).unwrap();
    members.iter().any(|info| info.member.key == world.machines[other].key)
}

#[test]
fn a_revocation_reaches_everybody_and_ends_what_the_target_had() {
    let (mut world, groups) = group(&[2, 2, 3]);
    let first = world.direct(1, 2, [groups[1], groups[2]]);
    let second = world.direct(3, 2, [groups[3], groups[2]]);
    let kept = world.direct(1, 3, [groups[1], groups[3]]);
    world.send_message(2, groups[2], first[1], vec![7; 100]).unwrap();
    let id = revoke(&mut world, groups[0], 2);
    world.run(5 * SECOND);
    for (m, group) in groups.iter().enumerate() {
        assert_eq!(revocations(&world, m, *group), [id], "machine {m}");
        let told = |e: &&(u64, GroupKey, Event)| matches!(&e.2, Event::Revoked { revocation } if revocation.id == id);
        assert_eq!(world.machines[m].events.iter().filter(told).count(), 1, "machine {m}");
    }
    for (m, id) in [(1, first[0]), (3, second[0])] {
        let end = world.machines[m]
            .direct_events()
            .into_iter()
            .find(|c| c.id == id && c.change == ConnectionChange::Disconnected);
        let end = end.expect("it has ended");
        assert_eq!((end.cause, end.cause.refusal()), (Cause::Revoked, Some(REVOKED)));
        assert_eq!(end.cause.code(), Code::PEER_E_CONNECTION_FAILED);
    }
    assert_eq!(world.machines[2].node.directs(groups[2]).unwrap().len(), 0);
    // The others keep what they have; the target learnt why, and is offline.
    assert_eq!(world.machines[1].node.directs(groups[1]).unwrap()[0].id, kept[0]);
    assert_eq!(bits(&world, 2, groups[2]), 0);
    assert_eq!(failures(&world, 2), [Code::PEER_E_NOT_AUTHORIZED]);
    for m in [0, 1, 3] {
        assert!(!knows(&world, m, groups[m], 2), "machine {m}");
        let gone = |e: &&(u64, GroupKey, Event)| matches!(&e.2, Event::Member { change: MemberChange::Disconnected, member } if member.key == world.machines[2].key);
        assert_eq!(world.machines[m].events.iter().filter(gone).count(), 1, "machine {m}");
    }
}

#[test]
fn whoever_is_revoked_is_refused_and_told_so_nowhere_but_here() {
    let (mut world, groups) = group(&[2, 2]);
    revoke(&mut world, groups[0], 1);
    world.run(SECOND);
    // It tries again, and not as an honest node: it has forgotten what it knows.
    world.machines[1].disk.get_mut(&key(GROUP)).unwrap().objects.clear();
    world.kill(1);
    world.restart(1, false);
    let again = join(&mut world, 1, 2);
    let (zero, two) = (world.machines[0].address, world.machines[2].address);
    world.connect(1, again, &[zero, two]);
    world.run(40 * SECOND);
    assert_eq!(failures(&world, 1), [Code::PEER_E_NOT_AUTHORIZED]);
    for m in [0, 2] {
        assert!(!refused(&world, m).is_empty());
        assert!(refused(&world, m).iter().all(|refusal| *refusal == REVOKED), "machine {m}");
    }
}

#[test]
fn everything_below_a_revoked_member_falls_with_it() {
    let (mut world, groups) = group(&[2, 3]);
    // The fake's chains of depth 3 run through this one at depth 2.
    let between = path(&world, 2, 3)[1].key;
    let bytes = revocation(key(GROUP), &path(&world, 0, 1), between, None);
    publish(&mut world, 0, groups[0], ObjectKind::Revocation, &bytes);
    world.run(5 * SECOND);
    assert!(knows(&world, 0, groups[0], 1) && !knows(&world, 0, groups[0], 2));
    assert_eq!(failures(&world, 2), [Code::PEER_E_NOT_AUTHORIZED]);
    assert_eq!(bits(&world, 1, groups[1]), 3);
}

#[test]
fn nobody_takes_anything_from_those_beside_or_above() {
    let (mut world, groups) = group(&[2, 2]);
    for target in [0, 2] {
        let bytes = revocation(key(GROUP), &path(&world, 1, 2), world.machines[target].key, None);
        publish(&mut world, 1, groups[1], ObjectKind::Revocation, &bytes);
    }
    world.run(5 * SECOND);
    for (m, group) in groups.iter().enumerate() {
        assert_eq!(bits(&world, m, *group), 3);
        assert_eq!(world.machines[m].node.members(*group).unwrap().len(), 3);
        assert!(failures(&world, m).is_empty());
    }
}

#[test]
fn whoever_was_away_learns_it_at_its_next_session_and_keeps_it_over_a_restart() {
    let (mut world, groups) = group(&[2, 2]);
    world.kill(2);
    world.run(40 * SECOND);
    let id = revoke(&mut world, groups[0], 1);
    world.run(SECOND);
    world.restart(2, true);
    let snapshot = world.machines[2].disk[&key(GROUP)].clone();
    let own = paper(&world, 2, 2);
    let back = world.join_as(2, &own, snapshot);
    world.connect(2, back, &[]);
    world.run(10 * SECOND);
    assert_eq!(revocations(&world, 2, back), [id]);
    assert!(!knows(&world, 2, back, 1));
    // The creator goes, and the one that was away goes and comes: it needs nobody to remember.
    world.kill(0);
    world.kill(2);
    world.restart(2, true);
    let snapshot = world.machines[2].disk[&key(GROUP)].clone();
    assert_eq!(snapshot.objects.len(), 1);
    assert!(snapshot.members.iter().all(|m| m.key != world.machines[1].key));
    let back = world.join_as(2, &own, snapshot);
    assert_eq!(revocations(&world, 2, back), [id]);
    world.connect(2, back, &[]);
    world.settle();
    world.machines[1].disk.get_mut(&key(GROUP)).unwrap().objects.clear();
    world.kill(1);
    world.restart(1, false);
    let again = join(&mut world, 1, 2);
    let two = world.machines[2].address;
    world.connect(1, again, &[two]);
    world.run(40 * SECOND);
    assert_eq!(failures(&world, 1), [Code::PEER_E_NOT_AUTHORIZED]);
    assert!(refused(&world, 2).contains(&REVOKED));
}

#[test]
fn a_member_is_demoted_without_losing_its_place() {
    let (mut world, groups) = group(&[2, 2]);
    let direct = world.direct(1, 2, [groups[1], groups[2]]);
    let old = path(&world, 1, 2).last().copied().unwrap();
    // The credential first: then there is no moment without a membership.
    let not_before = GENESIS.plus_seconds(1);
    let lesser = Paper { not_before, ..paper(&world, 1, 2) };
    publish(&mut world, 0, groups[0], ObjectKind::Credential, &lesser.chain());
    let by = path(&world, 0, 1);
    let bytes = revocation(key(GROUP), &by, old.key, Some(old.serial));
    publish(&mut world, 0, groups[0], ObjectKind::Revocation, &bytes);
    world.run(5 * SECOND);
    assert_eq!(world.machines[1].node.authority().chains[&key(GROUP)], lesser.chain());
    assert!(failures(&world, 1).is_empty());
    assert_eq!(world.machines[1].node.directs(groups[1]).unwrap()[0].id, direct[0]);
    for m in [0, 2] {
        let kept = world.machines[m].node.memberships(groups[m], &old.key).unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].chain, lesser.chain());
    }
    // The old chain is worth nothing any more, the new one opens the door.
    let shown = world.machines[2].outputs.len();
    world.kill(1);
    world.restart(1, true);
    let back = {
        let snapshot = world.machines[1].disk[&key(GROUP)].clone();
        world.join_as(1, &lesser, snapshot)
    };
    world.connect(1, back, &[]);
    world.run(10 * SECOND);
    assert_eq!(bits(&world, 1, back), 3);
    assert!(world.machines[2].outputs.len() > shown && refused(&world, 2).is_empty());
}

#[test]
fn a_credential_gives_and_never_takes() {
    let (mut world, groups) = group(&[2, 2]);
    let had = world.machines[0].node.authority().chains[&key(GROUP)].clone();
    // Somebody below issues the creator a membership below itself; or one that begins in sixty years.
    let lower = Paper { depth: 3, not_before: GENESIS, ..paper(&world, 0, 1) };
    let someday = GENESIS.plus_seconds(60 * 365 * 86_400);
    let far = Paper { not_before: someday, ..paper(&world, 2, 2) };
    publish(&mut world, 1, groups[1], ObjectKind::Credential, &lower.chain());
    publish(&mut world, 1, groups[1], ObjectKind::Credential, &far.chain());
    world.run(5 * SECOND);
    assert_eq!(world.machines[0].node.authority().chains[&key(GROUP)], had);
    let third = world.machines[2].node.authority().chains[&key(GROUP)].clone();
    assert_eq!(third, paper(&world, 2, 2).chain());
    for (m, group) in groups.iter().enumerate() {
        assert_eq!(bits(&world, m, *group), 3);
        let listed = world.machines[m].node.members(*group).unwrap();
        let creator = listed.iter().find(|info| info.member.key == world.machines[0].key).unwrap();
        assert_eq!(creator.member.depth, 1, "machine {m}");
    }
    // Nor does it keep the creator from a better one.
    let better = Paper { not_before: GENESIS.plus_seconds(1), ..paper(&world, 0, 1) };
    publish(&mut world, 1, groups[1], ObjectKind::Credential, &better.chain());
    world.run(5 * SECOND);
    assert_eq!(world.machines[0].node.authority().chains[&key(GROUP)], better.chain());
}

#[test]
fn a_renewal_finds_its_member_present_away_or_expired() {
    let (mut world, groups) = group(&[2]);
    let end = GENESIS.plus_seconds(3_600);
    let short = |world: &World, m| Paper { not_after: end, ..paper(world, m, 2) };
    let later = |world: &World, m| Paper { not_before: GENESIS, ..paper(world, m, 2) };
    world.machine();
    let who = short(&world, 2);
    let addresses = vec![(world.machines[0].key, vec![world.machines[0].address])];
    let third = world.join_as(2, &who, GroupSnapshot { addresses, ..GroupSnapshot::default() });
    world.connect(2, third, &[]);
    world.run(5 * SECOND);
    assert_eq!(bits(&world, 2, third), 3);
    // Present: it takes it at once, and nothing ends when the first one does.
    let renewal = later(&world, 2).chain();
    publish(&mut world, 0, groups[0], ObjectKind::Credential, &renewal);
    world.run(SECOND);
    assert_eq!(world.machines[2].node.authority().chains[&key(GROUP)], later(&world, 2).chain());
    let own = world.machines[2].node.memberships(third, &world.machines[2].key).unwrap();
    assert_eq!(own[0].not_after, FileTime::NO_END);
    world.run(2 * 3_600 * SECOND);
    assert_eq!(bits(&world, 2, third), 3);
    assert!(failures(&world, 2).is_empty());
    // Expired, and away when its renewal was issued: it comes with what it has.
    world.machine();
    let over = Paper { not_after: end, ..paper(&world, 3, 2) };
    let snapshot = GroupSnapshot {
        synchronised: true,
        addresses: vec![(world.machines[1].key, vec![world.machines[1].address])],
        ..GroupSnapshot::default()
    };
    let fourth = world.join_as(3, &over, snapshot.clone());
    world.connect(3, fourth, &[]);
    world.run(40 * SECOND);
    assert_eq!(failures(&world, 3), [Code::PEER_E_NOT_AUTHORIZED]);
    let renewal = later(&world, 3).chain();
    publish(&mut world, 0, groups[0], ObjectKind::Credential, &renewal);
    world.connect(3, fourth, &[]);
    world.run(40 * SECOND);
    assert_eq!(bits(&world, 3, fourth), 3);
    let renewed = |e: &&(u64, GroupKey, Event)| matches!(e.2, Event::Renewed { .. });
    assert_eq!(world.machines[3].events.iter().filter(renewed).count(), 1);
    let kept = |o: &&Output| matches!(o, Output::Store { change, .. } if matches!(**change, StoreChange::Own { .. }));
    assert_eq!(world.machines[3].outputs.iter().filter(kept).count(), 1);
}

#[test]
fn the_latest_properties_count_and_a_newcomer_has_them_when_it_is_synchronised() {
    let (mut world, groups) = group(&[2]);
    let second = properties(key(GROUP), 2, "second");
    publish(&mut world, 0, groups[0], ObjectKind::Properties, &second);
    world.run(SECOND);
    let older = Act::Publish(groups[1], ObjectKind::Properties, properties(key(GROUP), 1, "first"));
    assert!(matches!(world.call(1, older), Err(Error::InvalidArgument(_))));
    world.machine();
    let third = join(&mut world, 2, 2);
    world.connect(2, third, &[]);
    world.until("synchronised", |w| w.machines[2].node.synchronised(third) == Ok(true));
    let known = world.machines[2].node.properties(third).unwrap().unwrap();
    assert_eq!((known.version, &known.bytes), (2, &second));
    // Both ways: what one of two had changed while the other was alone.
    publish(&mut world, 1, groups[1], ObjectKind::Properties, &properties(key(GROUP), 3, "third"));
    world.run(SECOND);
    for (m, group) in [(0, groups[0]), (1, groups[1]), (2, third)] {
        assert_eq!(world.machines[m].node.properties(group).unwrap().unwrap().version, 3);
        let stored = &world.machines[m].disk[&key(GROUP)].objects;
        assert_eq!(stored.len(), 1, "machine {m}: the old ones are gone");
    }
}

#[test]
fn what_cannot_be_stored_is_not_published() {
    let (mut world, groups) = group(&[2]);
    let any = |change: &StoreChange| matches!(change, StoreChange::Object { .. });
    world.machines[0].disk_fails = Some((any, Code::PEER_E_DISK_FULL));
    let bytes = revocation(key(GROUP), &path(&world, 0, 1), world.machines[1].key, None);
    let id = object_id(ObjectKind::Revocation, &bytes);
    assert!(world.call(0, Act::Publish(groups[0], ObjectKind::Revocation, bytes)).is_ok());
    world.run(SECOND);
    assert_eq!(published(&world, 0), [(id, Err(Code::PEER_E_DISK_FULL))]);
    assert!(
        revocations(&world, 0, groups[0]).is_empty()
            && revocations(&world, 1, groups[1]).is_empty()
    );
    assert_eq!(bits(&world, 1, groups[1]), 3);
}

#[test]
fn what_does_not_verify_is_not_published() {
    let (mut world, groups) = group(&[2]);
    let foreign = properties(key(1), 1, "of another group");
    let answer = world.call(0, Act::Publish(groups[0], ObjectKind::Properties, foreign));
    assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
    let gone = GroupKey(999);
    let none = Act::Publish(gone, ObjectKind::Properties, Bytes::new());
    assert!(matches!(world.call(0, none), Err(Error::InvalidGroup)));
}

#[test]
fn thousands_of_objects_come_over_without_counting_as_a_flood() {
    let mut world = World::new(9);
    world.machine();
    let founder = join(&mut world, 0, 1);
    world.connect(0, founder, &[]);
    let by = path(&world, 0, 1);
    for n in 0..1_500_u32 {
        let mut target = key(1).0;
        target[..4].copy_from_slice(&n.to_be_bytes());
        let bytes = revocation(key(GROUP), &by, p2p_core::KeyId(target), None);
        world.call(0, Act::Publish(founder, ObjectKind::Revocation, bytes)).unwrap();
    }
    world.settle();
    assert_eq!(revocations(&world, 0, founder).len(), 1_500);
    world.machine();
    let second = join(&mut world, 1, 2);
    world.connect(1, second, &[]);
    world.until("synchronised", |w| w.machines[1].node.synchronised(second) == Ok(true));
    assert_eq!(revocations(&world, 1, second).len(), 1_500);
    let closed = |o: &&Output| matches!(o, Output::CloseLink { code: close::FLOOD, .. });
    assert_eq!(world.machines.iter().flat_map(|m| &m.outputs).filter(closed).count(), 0);
}

#[test]
fn there_are_only_so_many_objects() {
    let mut world = World::new(11);
    world.machine_with(Limits { revocations: 2, credentials: 1, ..Limits::default() });
    let group = join(&mut world, 0, 1);
    world.connect(0, group, &[]);
    for n in 1..4_u8 {
        let bytes = revocation(key(GROUP), &path(&world, 0, 1), key(n + 100), None);
        let answer = world.call(0, Act::Publish(group, ObjectKind::Revocation, bytes));
        world.settle();
        let room = n < 3;
        assert!(room && answer.is_ok() || !room && revocations(&world, 0, group).len() == 2);
    }
    for (n, room) in [(1_u8, true), (2, false)] {
        let chain = Paper::new(key(GROUP), key(n + 50)).chain();
        let answer = world.call(0, Act::Publish(group, ObjectKind::Credential, chain));
        world.settle();
        assert_eq!(answer.is_ok(), room);
        assert!(room || matches!(answer, Err(Error::TooMany)));
    }
    // A later one of the same member takes the place of the first.
    let chain = Paper { not_before: GENESIS, ..Paper::new(key(GROUP), key(51)) }.chain();
    assert!(world.call(0, Act::Publish(group, ObjectKind::Credential, chain.clone())).is_ok());
    world.settle();
    assert_eq!(
        world.machines[0].disk[&key(GROUP)].objects.iter().filter(|o| o.1 == chain).count(),
        1
    );
    let credentials = |o: &&(ObjectKind, Bytes)| o.0 == ObjectKind::Credential;
    assert_eq!(world.machines[0].disk[&key(GROUP)].objects.iter().filter(credentials).count(), 1);
}

#[test]
fn a_disk_that_was_tampered_with_is_told_and_believed_in_nothing() {
    let mut world = World::new(12);
    world.machine();
    let forged = (ObjectKind::Properties, properties(key(1), 9, "of another group"));
    let snapshot =
        GroupSnapshot { synchronised: true, objects: vec![forged], ..GroupSnapshot::default() };
    let own = paper(&world, 0, 1);
    let group = world.join_as(0, &own, snapshot);
    assert_eq!(world.machines[0].node.properties(group), Ok(None));
    let told =
        |e: &&(u64, GroupKey, Event)| e.2 == Event::StoreFailed { code: Code::CRYPT_E_BAD_MSG };
    assert_eq!(world.machines[0].events.iter().filter(told).count(), 1);
}

//! What a hostile reading of signed objects found: each test failed once.

mod world;

use bytes::Bytes;
use p2p_core::trace::Act;
use p2p_core::{
    Event, GroupKey, GroupSnapshot, KeyId, Limits, MemberChange, ObjectKind, Output, Roles, SECOND,
    Status, close,
};
use world::fake::revocation;
use world::{GENESIS, MS, Paper, World, at, key, pair};

const GROUP: u8 = 0xaa;

fn paper(world: &World, m: usize, depth: u8) -> Paper {
    Paper { depth, ..Paper::new(key(GROUP), world.machines[m].key) }
}

/// Opens the group on a machine that knows where all before it are.
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

fn publish(world: &mut World, m: usize, group: GroupKey, kind: ObjectKind, bytes: Bytes) -> bool {
    let answer = world.call(m, Act::Publish(group, kind, bytes));
    world.run(SECOND);
    answer.is_ok()
}

fn revoked(world: &World, m: usize, group: GroupKey) -> usize {
    world.machines[m].node.revocations(group).unwrap().len()
}

#[test]
fn who_catches_up_hands_on_what_others_know_and_is_no_flood() {
    let mut world = World::new(9);
    world.machine();
    let founder = join(&mut world, 0, 1);
    world.connect(0, founder, &[]);
    for n in 0..1_500_u32 {
        let mut target = key(1).0;
        target[..4].copy_from_slice(&n.to_be_bytes());
        let bytes = revocation(key(GROUP), &[], KeyId(target), None);
        world.call(0, Act::Publish(founder, ObjectKind::Revocation, bytes)).unwrap();
    }
    world.settle();
    let mut groups = vec![founder];
    // The third and fourth come at once: what one of them hears first it tells the other.
    for m in 1..4 {
        world.machine();
        groups.push(join(&mut world, m, 2));
        world.connect(m, groups[m], &[]);
        world.run(if m == 2 { 10 * MS } else { 5 * SECOND });
    }
    world.run(10 * SECOND);
    for (m, group) in groups.iter().enumerate() {
        assert_eq!(revoked(&world, m, *group), 1_500, "machine {m}");
        assert_eq!(world.machines[m].node.status(*group).map(Status::bits), Ok(3));
        let closed =
            |o: &&Output| matches!(o, Output::CloseLink { code, .. } if *code != close::DUPLICATE);
        assert_eq!(world.machines[m].outputs.iter().find(closed), None, "machine {m}");
    }
}

#[test]
fn what_a_link_took_with_it_comes_on_the_other() {
    for broken in [0, 1] {
        let (mut world, groups) = pair(41);
        world.direct(0, 1, groups);
        world.machines[1].address = at(7);
        world.direct(0, 1, groups);
        world.run(5 * SECOND);
        let wires = world.live_wires();
        assert_eq!(wires.len(), 2, "each has a direct connection that keeps it");
        let wire = wires[broken];
        (0..2).for_each(|end| world.stall(wire, end, true));
        for (m, target) in [(0, 77), (1, 78)] {
            let bytes = revocation(key(GROUP), &[], key(target), None);
            assert!(publish(&mut world, m, groups[m], ObjectKind::Revocation, bytes));
        }
        world.snap(wire);
        world.run(5 * SECOND);
        let counts = [0, 1].map(|m| revoked(&world, m, groups[m]));
        assert_eq!(counts, [2, 2], "wire {broken}");
    }
}

#[test]
fn an_administrator_below_cannot_push_out_a_membership_and_revoke_what_it_put_there() {
    let mut world = World::new(7);
    let mut groups = Vec::new();
    for m in 0..3 {
        world.machine();
        groups.push(join(&mut world, m, m.min(1) as u8 + 1));
        world.connect(m, groups[m], &[]);
        world.run(5 * SECOND);
    }
    let had = paper(&world, 2, 2);
    for n in 1..6 {
        let lower = Paper { depth: 3, not_before: GENESIS.plus_seconds(n), ..had.clone() };
        assert!(publish(&mut world, 1, groups[1], ObjectKind::Credential, lower.chain()));
    }
    let by = paper(&world, 1, 2).member().path.to_vec();
    let bytes = revocation(key(GROUP), &by, had.member, None);
    assert!(publish(&mut world, 1, groups[1], ObjectKind::Revocation, bytes));
    world.run(5 * SECOND);
    for m in [0, 1] {
        let known = world.machines[m].node.memberships(groups[m], &had.member).unwrap();
        assert_eq!(known.len(), 1, "machine {m}");
        assert_eq!(known[0].chain, had.chain());
        let gone = |e: &&(u64, GroupKey, Event)| {
            matches!(&e.2, Event::Member { change: MemberChange::Disconnected, .. })
        };
        assert_eq!(world.machines[m].events.iter().find(gone), None, "machine {m}");
    }
}

#[test]
fn the_room_for_credentials_is_not_taken_up_by_those_below_or_by_what_is_over() {
    let mut world = World::new(11);
    world.machine_with(Limits { credentials: 2, ..Limits::default() });
    let group = join(&mut world, 0, 1);
    world.connect(0, group, &[]);
    let of = |n: u8| Paper::new(key(GROUP), key(n));
    let deep = |n| Paper { depth: 5, ..of(n) };
    let soon = Paper { not_after: GENESIS.plus_seconds(3_600), ..of(52) };
    let credential = ObjectKind::Credential;
    for paper in [deep(50), deep(51)] {
        assert!(publish(&mut world, 0, group, credential, paper.chain()));
    }
    assert!(!publish(&mut world, 0, group, credential, deep(53).chain()), "no room");
    assert!(publish(&mut world, 0, group, credential, soon.chain()), "it stands above them");
    assert!(publish(&mut world, 0, group, credential, of(54).chain()));
    assert!(!publish(&mut world, 0, group, credential, of(55).chain()));
    world.run(5_000 * SECOND);
    assert!(publish(&mut world, 0, group, credential, of(55).chain()), "one of them is over");
    let kept: Vec<_> = world.machines[0].disk[&key(GROUP)].objects.iter().map(|o| &o.1).collect();
    assert_eq!(kept, [&of(54).chain(), &of(55).chain()]);
}

#[test]
fn a_better_membership_that_was_stored_last_is_adopted_at_the_next_start() {
    let mut world = World::new(12);
    world.machine();
    let had = paper(&world, 0, 2);
    let better =
        Paper { not_before: GENESIS, roles: Roles::ADMIN.with(Roles::MEMBER), ..had.clone() };
    let objects = vec![(ObjectKind::Credential, better.chain())];
    let snapshot = GroupSnapshot { synchronised: true, objects, ..GroupSnapshot::default() };
    let group = world.join_as(0, &had, snapshot);
    let own = world.machines[0].node.memberships(group, &had.member).unwrap();
    assert_eq!(own[0].chain, better.chain());
    assert_eq!(world.machines[0].node.authority().chains[&key(GROUP)], better.chain());
}

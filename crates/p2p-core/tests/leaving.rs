//! A node leaves a group: what the one that stays behind learns, and how fast it can leave in its turn.

mod world;

use p2p_core::{Event, MemberChange};
use world::{MS, World, pair};

fn closed(world: &World, m: usize) -> Option<u64> {
    world.machines[m].events.iter().find(|e| matches!(e.2, Event::Closed)).map(|e| e.0)
}

#[test]
fn who_stays_behind_learns_that_the_other_has_gone() {
    for leaver in [0, 1] {
        let (mut world, groups) = pair(40);
        let stays = 1 - leaver;
        world.close_group(leaver, groups[leaver]);
        world.run(1_000 * MS);
        let gone =
            |e: &Event| matches!(e, Event::Member { change: MemberChange::Disconnected, .. });
        assert!(world.machines[stays].events.iter().any(|e| gone(&e.2)), "{leaver} left");
        let members = world.machines[stays].node.members(groups[stays]).unwrap();
        assert!(!members[1].present, "{leaver} left");
    }
}

#[test]
fn closing_takes_a_round_trip_not_the_limit() {
    for gap in [0, 1, 5, 10, 20, 50, 1_000, 100_000] {
        let (mut world, groups) = pair(41);
        let begun = world.tick;
        world.close_group(0, groups[0]);
        world.run(gap * MS);
        let second = world.tick;
        world.close_group(1, groups[1]);
        world.run(10_000 * MS);
        let bound = 200 * MS;
        assert!(closed(&world, 0).is_some_and(|at| at < begun + bound), "gap {gap}");
        assert!(closed(&world, 1).is_some_and(|at| at < second + bound), "gap {gap}");
    }
}

//! Direct connections between two nodes, as an application on each sees them.

mod world;

use bytes::Bytes;
use p2p_core::{
    Cause, Code, ConnectionChange, ConnectionId, Error, Event, Expect, GroupKey, Limits, Output,
    SECOND, Status,
};
use world::{MS, World, at, introduce, key, pair};

type Chapter = (ConnectionChange, Code);
const CONNECTED: Chapter = (ConnectionChange::Connected, Code::S_OK);
const ENDED: Chapter = (ConnectionChange::Disconnected, Code::S_OK);
const BROKEN: Chapter = (ConnectionChange::Disconnected, Code::PEER_E_CONNECTION_FAILED);
const FAILED: Chapter = (ConnectionChange::Failed, Code::PEER_E_CONNECTION_FAILED);
const REFUSED: Chapter = (ConnectionChange::Failed, Code::PEER_E_CONNECTION_REFUSED);
const NOT_AUTHENTICATED: Chapter =
    (ConnectionChange::Failed, Code::PEER_E_CONNECTION_NOT_AUTHENTICATED);

fn listed(world: &World, m: usize, group: GroupKey) -> Vec<ConnectionId> {
    world.machines[m].node.directs(group).unwrap().into_iter().map(|c| c.id).collect()
}

fn cause(world: &World, m: usize, id: ConnectionId) -> Cause {
    world.machines[m].direct_events().iter().rfind(|c| c.id == id).expect("an event").cause
}

/// The one wire of a world with two machines.
fn wire(world: &World) -> u64 {
    let live = world.live_wires();
    assert_eq!(live.len(), 1, "one link between two nodes");
    live[0]
}

#[test]
fn connecting_tells_of_the_neighbour_then_the_member_then_the_status() {
    let (world, groups) = pair(1);
    let kinds: Vec<String> = world.machines[1]
        .events
        .iter()
        .map(|(_, group, event)| {
            assert_eq!(*group, groups[1]);
            match event {
                Event::Neighbour(c) => format!("neighbour {:?}", c.change),
                Event::Member { change, .. } => format!("member {change:?}"),
                Event::Status(status) => format!("status {}", status.bits()),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(kinds, ["neighbour Connected", "member Joined", "member Connected", "status 3"]);
    let founder: Vec<u32> = world.machines[0]
        .events
        .iter()
        .filter_map(|e| if let Event::Status(s) = e.2 { Some(s.bits()) } else { None })
        .collect();
    assert_eq!(founder, [1, 3], "the founder is online alone, then has a neighbour");
    let both = Status { listening: true, connected: true };
    assert_eq!(world.machines[0].node.status(groups[0]), Ok(both));
    assert_eq!(world.machines[0].node.neighbours(groups[0]).unwrap().len(), 1);
    assert!(world.machines[1].disk[&key(0xaa)].synchronised, "stored before it was told");
}

#[test]
fn c01_c02_messages_go_both_ways_a_close_delivers_them_and_a_second_close_finds_nothing() {
    let (mut world, groups) = pair(1);
    let [here, there] = world.direct(0, 1, groups);
    world.send_message(0, groups[0], here, &b"ping"[..]).unwrap();
    world.send_message(1, groups[1], there, &b"pong"[..]).unwrap();
    world.send_message(1, groups[1], there, Bytes::new()).unwrap();
    world.settle();
    assert_eq!(world.machines[1].inbox[&there], [&b"ping"[..]]);
    assert_eq!(world.machines[0].inbox[&here], [&b"pong"[..], b""]);
    assert_eq!(listed(&world, 0, groups[0]), [here]);
    world.close(0, groups[0], here).unwrap();
    assert_eq!(listed(&world, 0, groups[0]), []);
    assert_eq!(world.close(0, groups[0], here), Err(Error::ConnectionNotFound));
    let late = world.send_message(0, groups[0], here, &b"late"[..]);
    assert_eq!(late, Err(Error::ConnectionNotFound), "C23");
    world.settle();
    assert_eq!(world.machines[0].story(here), [CONNECTED, ENDED]);
    assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED]);
    assert_eq!(world.close(1, groups[1], there), Err(Error::ConnectionNotFound));
    let again = world.direct(0, 1, groups);
    assert!(again[0] > here && again[1] > there, "C24: ids are never used again");
}

#[test]
fn c04_the_accepting_side_may_close_as_well() {
    let (mut world, groups) = pair(2);
    let [here, there] = world.direct(0, 1, groups);
    world.close(1, groups[1], there).unwrap();
    world.settle();
    assert_eq!(world.machines[0].story(here), [CONNECTED, ENDED]);
    assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED]);
}

#[test]
fn c05_closing_while_it_opens_is_its_failure_and_nothing_comes_after() {
    for steps in 0..40 {
        let (mut world, groups) = pair(3);
        let id = world.open(0, groups[0], 1);
        for _ in 0..steps {
            world.step(u64::MAX);
        }
        let standing = world.machines[0].connected() == [id];
        assert_eq!(world.close(0, groups[0], id), Ok(()));
        assert_eq!(world.close(0, groups[0], id), Err(Error::ConnectionNotFound));
        world.run(10 * SECOND);
        let story = world.machines[0].story(id);
        assert_eq!(story, if standing { vec![CONNECTED, ENDED] } else { vec![FAILED] });
        for other in world.machines[1].connected() {
            assert_eq!(world.machines[1].story(other).len(), 2, "opened there: ended there");
        }
        assert_eq!(listed(&world, 1, groups[1]), []);
    }
}

#[test]
fn c06_nobody_accepts_direct_connections() {
    let (mut world, groups) = pair(4);
    world.accept(1, groups[1], false);
    let id = world.open(0, groups[0], 1);
    world.settle();
    assert_eq!(world.machines[0].story(id), [REFUSED]);
    assert_eq!(cause(&world, 0, id), Cause::Refused(p2p_core::refuse::NOT_ALLOWED));
    assert_eq!(world.close(0, groups[0], id), Err(Error::ConnectionNotFound));
    assert_eq!(world.machines[1].direct_events().len(), 0);
}

#[test]
fn c07_c08_c09_only_a_direct_connection_of_the_same_group_is_found() {
    let (mut world, groups) = pair(5);
    let second = introduce(&mut world, 0, 1, 0xbb);
    let [here, _] = world.direct(0, 1, groups);
    let neighbour = world.machines[0].node.neighbours(groups[0]).unwrap()[0].id;
    let not_found = Err(Error::ConnectionNotFound);
    assert_eq!(world.close(0, second[0], here), not_found);
    assert_eq!(world.close(0, groups[0], neighbour), not_found);
    assert_eq!(world.close(0, groups[0], ConnectionId(0)), not_found);
    assert_eq!(world.close(0, groups[0], ConnectionId(u64::MAX)), not_found);
    assert_eq!(world.close(0, GroupKey(u64::MAX), here), Err(Error::InvalidGroup));
    assert_eq!(world.machines[0].node.neighbours(groups[0]).unwrap().len(), 1);
    assert_eq!(listed(&world, 0, groups[0]), [here]);
    assert_eq!(wire(&world), 1, "both groups share one link");
}

#[test]
fn c18_a_thousand_messages_and_a_close_all_arrive() {
    let (mut world, groups) = pair(6);
    let [here, there] = world.direct(0, 1, groups);
    for n in 0..1_000_u32 {
        world.send_message(0, groups[0], here, n.to_be_bytes().to_vec()).unwrap();
    }
    world.close(0, groups[0], here).unwrap();
    world.settle();
    let numbers: Vec<u32> = world.machines[1].inbox[&there]
        .iter()
        .map(|b| u32::from_be_bytes(b[..].try_into().unwrap()))
        .collect();
    assert!(numbers.into_iter().eq(0..1_000));
    assert_eq!(world.machines[0].story(here), [CONNECTED, ENDED]);
    assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED]);
}

#[test]
fn c03_c19_closed_by_the_peer_it_stays_listed_until_its_end_was_taken() {
    for take in [true, false] {
        let (mut world, groups) = pair(7);
        let [here, there] = world.direct(0, 1, groups);
        world.machines[1].takes = false;
        for _ in 0..1_000 {
            world.send_message(0, groups[0], here, &b"x"[..]).unwrap();
        }
        world.close(0, groups[0], here).unwrap();
        world.run(SECOND);
        assert_eq!(world.machines[1].inbox[&there].len(), 1_000);
        assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED]);
        assert_eq!(listed(&world, 1, groups[1]), [there]);
        let late = world.send_message(1, groups[1], there, &b"x"[..]);
        assert_eq!(late, Err(Error::ConnectionNotFound), "a lingering connection cannot send");
        if take {
            world.take_all(1);
            assert_eq!(listed(&world, 1, groups[1]), []);
            assert_eq!(world.close(1, groups[1], there), Err(Error::ConnectionNotFound));
        } else {
            assert_eq!(world.close(1, groups[1], there), Ok(()));
            assert_eq!(world.close(1, groups[1], there), Err(Error::ConnectionNotFound));
            world.take_all(1);
        }
        assert_eq!(world.machines[1].story(there).len(), 2);
    }
}

#[test]
fn an_end_that_nobody_takes_is_listed_for_a_minute() {
    let (mut world, groups) = pair(8);
    let [here, there] = world.direct(0, 1, groups);
    world.machines[1].takes = false;
    world.close(0, groups[0], here).unwrap();
    world.run(59 * SECOND);
    assert_eq!(listed(&world, 1, groups[1]), [there]);
    world.run(2 * SECOND);
    assert_eq!(listed(&world, 1, groups[1]), []);
    assert_eq!(world.close(1, groups[1], there), Err(Error::ConnectionNotFound));
}

#[test]
fn c27_opens_that_cross_make_two_connections_also_without_a_link() {
    let (mut world, groups) = pair(9);
    let ids = [world.open(0, groups[0], 1), world.open(1, groups[1], 0)];
    world.run(5 * SECOND);
    for (m, id) in ids.into_iter().enumerate() {
        assert_eq!(world.machines[m].connected().len(), 2);
        world.send_message(m, groups[m], id, &b"mine"[..]).unwrap();
    }
    world.close(0, groups[0], ids[0]).unwrap();
    world.settle();
    for (m, id) in ids.into_iter().enumerate() {
        assert_eq!(listed(&world, m, groups[m]).len(), 1);
        assert_eq!(world.machines[m].story(id).len(), 2 - m);
        let got: Vec<&Bytes> = world.machines[m].inbox.values().flatten().collect();
        assert_eq!(got, [&b"mine"[..]]);
    }
}

#[test]
fn c25_closes_that_cross_are_both_in_order() {
    for seed in 10..20 {
        let (mut world, groups) = pair(seed);
        let [here, there] = world.direct(0, 1, groups);
        world.close(0, groups[0], here).unwrap();
        world.close(1, groups[1], there).unwrap();
        world.settle();
        assert_eq!(world.machines[0].story(here), [CONNECTED, ENDED]);
        assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED]);
        let aborts =
            |m: usize| world.machines[m].outputs.iter().any(|o| matches!(o, Output::Abort { .. }));
        assert!(!aborts(0) && !aborts(1), "without a reset");
    }
}

#[test]
fn a_close_is_orderly_also_when_the_link_goes_with_it() {
    // The connection is the only thing on its link: two strangers to the mesh.
    let mut limits = Limits { neighbours: 0, ..Limits::default() };
    limits.connect = SECOND;
    for seed in 0..20 {
        let mut world = World::new(seed);
        world.machine_with(limits.clone());
        world.machine_with(limits.clone());
        let groups = [world.found(0, key(1)), world.found(1, key(1))];
        for (m, group) in groups.into_iter().enumerate() {
            world.connect(m, group, &[]);
            world.settle();
            world.accept(m, group, true);
        }
        let [here, there] = world.direct(0, 1, groups);
        world.send_message(0, groups[0], here, &b"once"[..]).unwrap();
        world.close(0, groups[0], here).unwrap();
        world.settle();
        assert_eq!(world.machines[1].inbox[&there], [&b"once"[..]]);
        assert_eq!(world.machines[0].story(here), [CONNECTED, ENDED], "seed {seed}");
        assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED], "seed {seed}");
    }
}

#[test]
fn a_lost_link_ends_connections_on_both_sides() {
    let (mut world, groups) = pair(21);
    let [here, there] = world.direct(0, 1, groups);
    let w = wire(&world);
    world.cut(w);
    world.run(31 * SECOND);
    assert_eq!(world.machines[0].story(here), [CONNECTED, BROKEN]);
    assert_eq!(world.machines[1].story(there), [CONNECTED, BROKEN]);
    assert_eq!(cause(&world, 0, here), Cause::Lost);
    assert_eq!(world.machines[0].neighbour_events().len() % 2, 1, "and is connected again");
    assert_eq!(world.live_wires().len(), 1);
}

#[test]
fn c26_closing_on_a_dead_link_ends_within_the_linger_time() {
    let (mut world, groups) = pair(22);
    let [here, _] = world.direct(0, 1, groups);
    world.send_message(0, groups[0], here, &b"x"[..]).unwrap();
    world.kill(1);
    world.close(0, groups[0], here).unwrap();
    world.run(5 * SECOND + MS);
    assert_eq!(world.machines[0].story(here), [CONNECTED, BROKEN]);
    assert_eq!(cause(&world, 0, here), Cause::Unconfirmed);
}

#[test]
fn a_black_hole_fails_within_thirty_seconds() {
    let (mut world, groups) = pair(23);
    let hole = at(40);
    world.net.black_holes.insert(hole);
    let open = world::Act::Open(groups[0], Expect::Key(key(40)), hole);
    let Ok(world::Answer::Connection(id)) = world.call(0, open) else { panic!("opens") };
    world.run(30 * SECOND - MS);
    assert_eq!(world.machines[0].story(id), []);
    world.run(2 * MS);
    assert_eq!(world.machines[0].story(id), [FAILED]);
    assert!(world.machines[0].dials.is_empty(), "the dial was cancelled");
    let open = world::Act::Open(groups[0], Expect::Key(key(41)), at(41));
    let Ok(world::Answer::Connection(id)) = world.call(0, open) else { panic!("opens") };
    world.run(SECOND);
    assert_eq!(world.machines[0].story(id), [FAILED], "nobody is there");
}

#[test]
fn somebody_else_at_the_address_is_not_authenticated() {
    let (mut world, groups) = pair(24);
    let open = world::Act::Open(groups[0], Expect::Key(key(77)), world.machines[1].address);
    let Ok(world::Answer::Connection(id)) = world.call(0, open) else { panic!("opens") };
    world.run(SECOND);
    assert_eq!(world.machines[0].story(id), [NOT_AUTHENTICATED]);
    let Cause::Verdict(refusal) = cause(&world, 0, id) else { panic!("our own verdict") };
    assert_eq!(refusal.code, Code::CRYPT_E_NO_MATCH);
}

#[test]
fn arguments_are_checked_before_anything_happens() {
    let (mut world, groups) = pair(25);
    let (own, peer) = (world.machines[0].key, world.machines[1].key);
    let mut open = |expect, address| world.call(0, world::Act::Open(groups[0], expect, address));
    assert_eq!(open(Expect::Key(own), at(0)), Err(Error::ConnectSelf));
    assert!(matches!(open(Expect::Anyone, at(1)), Err(Error::InvalidArgument(_))));
    let no_port = p2p_core::Address { port: 0, ..at(1) };
    assert!(matches!(open(Expect::Key(peer), no_port), Err(Error::InvalidArgument(_))));
    let offline = world.found(0, key(0xcc));
    let open = world::Act::Open(offline, Expect::Key(peer), at(1));
    assert_eq!(world.call(0, open), Err(Error::NotReady));
    let [here, _] = world.direct(0, 1, groups);
    let long = Bytes::from(vec![0; (16 << 20) + 1]);
    let too_long = world.send_message(0, groups[0], here, long);
    assert!(matches!(too_long, Err(Error::InvalidArgument(_))));
}

#[test]
fn a_full_send_queue_says_so_and_tells_when_there_is_room() {
    let (mut world, groups) = pair(26);
    let [here, there] = world.direct(0, 1, groups);
    world.stall(wire(&world), 0, true);
    let message = Bytes::from(vec![7; 1 << 20]);
    let mut accepted = 0;
    while world.send_message(0, groups[0], here, message.clone()).is_ok() {
        accepted += 1;
        assert!(accepted < 100);
    }
    assert_eq!(
        world.send_message(0, groups[0], here, message.clone()),
        Err(Error::QueueFull),
        "and nothing was queued"
    );
    let writable = |w: &World| {
        w.machines[0]
            .events
            .iter()
            .filter(|e| matches!(e.2, Event::Writable(id) if id == here))
            .count()
    };
    world.run(100 * MS);
    assert_eq!(writable(&world), 0);
    world.stall(wire(&world), 0, false);
    world.until("room", |w| writable(w) == 1);
    world.settle();
    assert_eq!(writable(&world), 1, "once");
    assert_eq!(world.machines[1].inbox[&there].len(), accepted);
}

#[test]
fn messages_of_sixteen_mebibytes_travel_in_pieces_and_hold_nobody_up() {
    let (mut world, groups) = pair(27);
    let [here, there] = world.direct(0, 1, groups);
    let [beside, opposite] = world.direct(0, 1, groups);
    let message: Vec<u8> = (0..16 << 20).map(|n: u32| (n % 251) as u8).collect();
    world.send_message(0, groups[0], here, message.clone()).unwrap();
    // The queue was empty, so it was taken; now there is no room for anything more, here.
    assert_eq!(world.send_message(0, groups[0], here, &b"more"[..]), Err(Error::QueueFull));
    world.send_message(0, groups[0], beside, &b"past it"[..]).unwrap();
    world.until("the small one", |w| w.machines[1].inbox.contains_key(&opposite));
    assert!(!world.machines[1].inbox.contains_key(&there), "the large one is still on its way");
    world.settle();
    world.send_message(0, groups[0], here, &b"after"[..]).unwrap();
    world.settle();
    assert!(world.machines[1].inbox[&there] == [Bytes::from(message), Bytes::from("after")]);
}

#[test]
fn a_message_longer_than_the_queue_waits_until_the_application_has_taken_what_was_before_it() {
    let (mut world, groups) = pair(29);
    let [here, there] = world.direct(0, 1, groups);
    world.machines[1].takes = false;
    world.send_message(0, groups[0], here, &b"first"[..]).unwrap();
    world.settle();
    world.send_message(0, groups[0], here, vec![5; 16 << 20]).unwrap();
    world.run(20 * SECOND);
    assert_eq!(world.machines[1].inbox[&there].len(), 1);
    world.take_all(1);
    world.settle();
    assert_eq!(world.machines[1].inbox[&there][1].len(), 16 << 20);
}

#[test]
fn a_stalled_application_stops_its_peer_and_loses_nothing() {
    let (mut world, groups) = pair(28);
    let [here, there] = world.direct(0, 1, groups);
    world.machines[1].takes = false;
    let (mut sent, message) = (0, Bytes::from(vec![9; 64 << 10]));
    for _ in 0..60 {
        while world.send_message(0, groups[0], here, message.clone()).is_ok() {
            sent += 1;
        }
        world.run(100 * MS);
    }
    let held = world.machines[1].inbox[&there].len() * message.len();
    assert!((7 << 20..9 << 20).contains(&held), "{held} bytes are in the application's queues");
    assert!(sent * message.len() > held);
    world.take_all(1);
    world.settle();
    assert_eq!(world.machines[1].inbox[&there].len(), sent);
    // A peer that does not read can still be left, and leaves us.
    world.machines[1].takes = false;
    while world.send_message(0, groups[0], here, message.clone()).is_ok() {}
    world.run(SECOND);
    world.close(1, groups[1], there).unwrap();
    world.run(6 * SECOND);
    assert_eq!(world.machines[0].story(here), [CONNECTED, ENDED]);
    assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED]);
}

#[test]
fn a_flood_of_empty_messages_is_bounded_too() {
    let mut world = World::new(29);
    world.machine();
    world.machine_with(Limits { receive_queue: 64 << 10, ..Limits::default() });
    let groups = introduce(&mut world, 0, 1, 0xaa);
    let [here, there] = world.direct(0, 1, groups);
    world.machines[1].takes = false;
    for _ in 0..10_000 {
        world.send_message(0, groups[0], here, Bytes::new()).unwrap();
    }
    world.run(5 * SECOND);
    let held = world.machines[1].inbox[&there].len();
    assert!((256..4_000).contains(&held), "{held} messages are held");
    world.take_all(1);
    world.settle();
    assert_eq!(world.machines[1].inbox[&there].len(), 10_000);
}

#[test]
fn limits_on_direct_connections_refuse_the_surplus() {
    let mut world = World::new(30);
    world.machine();
    world.machine_with(Limits { directs_per_peer: 3, ..Limits::default() });
    let groups = introduce(&mut world, 0, 1, 0xaa);
    let ids: Vec<_> = (0..4).map(|_| world.open(0, groups[0], 1)).collect();
    world.run(SECOND);
    let mut stories: Vec<_> = ids.iter().map(|id| world.machines[0].story(*id)).collect();
    stories.sort_by_key(|s| s[0] == REFUSED);
    assert_eq!(stories, [vec![CONNECTED], vec![CONNECTED], vec![CONNECTED], vec![REFUSED]]);
    let expect = Expect::Key(world.machines[0].key);
    let open = world::Act::Open(groups[1], expect, at(0));
    assert_eq!(world.call(1, open), Err(Error::TooMany));
}

#[test]
fn a_dropped_session_takes_its_connections_along_and_not_those_of_other_groups() {
    let (mut world, groups) = pair(31);
    let second = introduce(&mut world, 0, 1, 0xbb);
    let kept = world.direct(0, 1, second);
    let [here, there] = world.direct(0, 1, groups);
    world.close_group(1, groups[1]);
    world.run(6 * SECOND);
    assert_eq!(world.machines[0].story(here), [CONNECTED, ENDED]);
    assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED]);
    assert_eq!(world.machines[0].story(kept[0]), [CONNECTED]);
    world.send_message(0, second[0], kept[0], &b"still"[..]).unwrap();
    world.settle();
    assert_eq!(world.machines[1].inbox[&kept[1]], [&b"still"[..]]);
    let id = world.open(0, groups[0], 1);
    world.run(SECOND);
    assert_eq!(world.machines[0].story(id), [NOT_AUTHENTICATED], "it is in that group no longer");
}

//! Two keys with one name: a name holds 160 of a key's 256 bits, and everything but a dial by name goes by all of them.
//!
//! The keys of these worlds are chosen, so two that agree in the short form cost nothing here.

mod world;

use p2p_core::{
    Code, ConnectionChange, ConnectionId, Error, Event, Expect, GroupKey, KeyId, Limits,
    MemberChange,
};
use world::{Act, Answer, Machine, World, at, key};

const CONNECTED: (ConnectionChange, Code) = (ConnectionChange::Connected, Code::S_OK);

/// Another key with the name of `of`.
fn twin(of: KeyId) -> KeyId {
    let mut twin = of;
    twin.0[20..].fill(7);
    assert_eq!((twin.authority(), twin.authority_hex()), (of.authority(), of.authority_hex()));
    assert_ne!(twin, of);
    twin
}

/// A founder, and two members with one name.
fn twins() -> (World, [GroupKey; 3]) {
    let mut world = World::new(4);
    world.machine();
    world.machine();
    let twin = Machine::new(twin(key(2)), at(2), Limits::default(), [9; 32], world.now());
    world.machines.push(twin);
    let group = key(0xaa);
    let groups = [0, 1, 2].map(|m| match m {
        0 => world.found(m, group),
        _ => world.invited(m, group, 0),
    });
    for (m, group) in groups.into_iter().enumerate() {
        world.connect(m, group, &[]);
        world.settle();
        world.accept(m, group, true);
    }
    (world, groups)
}

fn open(
    world: &mut World,
    group: GroupKey,
    expect: Expect,
    to: usize,
) -> Result<ConnectionId, Error> {
    let address = world.machines[to].address;
    world.call(0, Act::Open(group, expect, address)).map(|answer| match answer {
        Answer::Connection(id) => id,
        other => panic!("open_direct: {other:?}"),
    })
}

#[test]
fn members_with_one_name_are_two_members() {
    let (world, groups) = twins();
    let [one, two] = [1, 2].map(|m| world.machines[m].key);
    let mut joined: Vec<KeyId> = world.machines[0]
        .events
        .iter()
        .filter_map(|(_, _, event)| match event {
            Event::Member { change: MemberChange::Joined, member, .. } => Some(member.key),
            _ => None,
        })
        .collect();
    joined.sort();
    let mut both = [one, two];
    both.sort();
    assert_eq!(joined, both);
    let listed = world.machines[0].node.members(groups[0]).unwrap();
    for key in both {
        assert_eq!(listed.iter().filter(|m| m.member.key == key).count(), 1);
    }
}

#[test]
fn by_its_key_each_is_reached_and_never_the_other() {
    let (mut world, groups) = twins();
    for m in [1, 2] {
        let expected = world.machines[m].key;
        let id = open(&mut world, groups[0], Expect::Key(expected), m).unwrap();
        world.settle();
        assert_eq!(world.machines[0].story(id), [CONNECTED]);
        let event = *world.machines[0].direct_events().last().unwrap();
        assert_eq!((event.id, event.peer), (id, Some(expected)));

        // At the other's address, in spite of the name and of the link that stands.
        let other = world.machines[3 - m].key;
        let id = open(&mut world, groups[0], Expect::Key(other), m).unwrap();
        world.settle();
        let [(change, code)] = world.machines[0].story(id)[..] else { panic!("one outcome") };
        assert_eq!(
            (change, code),
            (ConnectionChange::Failed, Code::PEER_E_CONNECTION_NOT_AUTHENTICATED)
        );
    }
}

#[test]
fn by_the_name_of_both_neither_is_reached() {
    let (mut world, groups) = twins();
    let name = Expect::Authority(key(2).authority());
    for m in [1, 2] {
        let refused = open(&mut world, groups[0], name, m).unwrap_err();
        assert!(matches!(refused, Error::InvalidArgument(_)), "{refused:?}");
        assert_eq!(refused.code(), Code::E_INVALIDARG);
    }
    assert!(world.machines[0].direct_events().is_empty());
    // A name that one member has is enough.
    let name = Expect::Authority(key(1).authority());
    let address = world.machines[0].address;
    let id = match world.call(1, Act::Open(groups[1], name, address)) {
        Ok(Answer::Connection(id)) => id,
        other => panic!("open_direct: {other:?}"),
    };
    world.settle();
    assert_eq!(world.machines[1].story(id), [CONNECTED]);
    assert_eq!(world.machines[1].direct_events().last().unwrap().peer, Some(key(1)));
}

//! Two nodes, and what an application on each sees of the other.

mod world;

use p2p_core::{Code, ConnectionChange, Error};
use world::{World, pair};

const CONNECTED: (ConnectionChange, Code) = (ConnectionChange::Connected, Code::S_OK);
const ENDED: (ConnectionChange, Code) = (ConnectionChange::Disconnected, Code::S_OK);

#[test]
fn messages_go_both_ways_and_a_close_delivers_them() {
    let (mut world, groups) = pair(1);
    let [here, there] = world.direct(0, 1, groups);
    world.send_message(0, groups[0], here, &b"ping"[..]).unwrap();
    world.send_message(1, groups[1], there, &b"pong"[..]).unwrap();
    world.settle();
    assert_eq!(world.machines[1].inbox[&there], [&b"ping"[..]]);
    assert_eq!(world.machines[0].inbox[&here], [&b"pong"[..]]);
    world.close(0, groups[0], here).unwrap();
    assert_eq!(world.close(0, groups[0], here), Err(Error::ConnectionNotFound));
    world.settle();
    assert_eq!(world.machines[0].story(here), [CONNECTED, ENDED]);
    assert_eq!(world.machines[1].story(there), [CONNECTED, ENDED]);
    let _: &World = &world;
}

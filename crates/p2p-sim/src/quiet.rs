//! The quiet period: no more faults. What must come right in the end is looked at here, and what can only be asked of a
//! world that is well.

use p2p_core::{ConnectionChange, ConnectionId, GroupKey, SECOND};

use crate::dice::Dice;
use crate::invariants::{self, Moment};
use crate::plan::{MS, Taking};
use crate::world::World;

/// How long nodes have to find each other, in steps of ten seconds: a node that is alone looks again after 300 s at most,
/// and once more for what it hears then.
const PATIENCE: u64 = 80;
/// Pairs of hosts that speak with each other.
const PAIRS: usize = 4;
/// Messages that each sends the other.
const MESSAGES: usize = 3;

/// What became of two hosts that spoke with each other.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// Who.
    pub hosts: [usize; 2],
    /// What went wrong.
    pub trouble: Option<String>,
    /// µs that a message took, alone and beside somebody who does not read.
    pub latency: Option<(u64, u64)>,
}

/// Two ends of a connection: host, group key there, id there.
type Ends = [(usize, GroupKey, ConnectionId); 2];

/// Lets the world become quiet, and asks it everything.
pub(crate) fn quiet(world: &mut World) {
    if world.violation.is_some() {
        return;
    }
    world.calm();
    world.run(12 * SECOND);
    settle(world);
    close_directs(world);
    world.run(10 * SECOND);
    ask(world, Moment::Healed);
    talk(world);
    ask(world, Moment::Talked);
    close_directs(world);
    world.run(100 * SECOND);
    ask(world, Moment::Closed);
    for (m, g) in everybody(world) {
        world.close_group(m, g);
    }
    world.run(60 * SECOND);
    ask(world, Moment::Ended);
}

fn ask(world: &mut World, moment: Moment) {
    if world.violation.is_none() {
        world.violation = invariants::at(world, moment);
    }
}

fn everybody(world: &World) -> Vec<(usize, usize)> {
    let groups = world.groups.len();
    (0..world.settings.honest).flat_map(|m| (0..groups).map(move |g| (m, g))).collect()
}

/// Applications that want to be online, until they are and have found each other, or have had their time.
fn settle(world: &mut World) {
    for round in 0..PATIENCE {
        for (m, g) in everybody(world) {
            if !is_online(world, m, g) && world.is_member(m, g) && round % 3 == 0 {
                world.open_group(m, g);
            }
            if round == 0 {
                world.accept(m, g, true);
            }
            if round == 1 {
                // Somebody tells them where those are who have another address than in the beginning.
                let moved = world.moved();
                world.connect(m, g, &moved);
            }
        }
        world.run(10 * SECOND);
        let online = everybody(world)
            .iter()
            .all(|(m, g)| !world.is_member(*m, *g) || is_online(world, *m, *g));
        if world.violation.is_some() || online && invariants::at(world, Moment::Healed).is_none() {
            return;
        }
    }
}

fn is_online(world: &World, m: usize, g: usize) -> bool {
    let status = world.hosts[m].open[g].and_then(|key| world.hosts[m].node.status(key).ok());
    status.is_some_and(|status| status.listening)
}

/// Closes what stands or is about to.
fn close_directs(world: &mut World) {
    for m in 0..world.settings.honest {
        for (group, id) in world.hosts[m].app.known.clone() {
            world.close_direct(m, group, id);
        }
    }
}

fn talk(world: &mut World) {
    let dice = &mut Dice::new(world.settings.seed, 3);
    for g in 0..world.groups.len() {
        let hosts: Vec<usize> = (0..world.settings.honest)
            .filter(|m| world.is_member(*m, g) && is_online(world, *m, g))
            .collect();
        let mut pairs = Vec::new();
        for (n, a) in hosts.iter().enumerate() {
            let other = |b: &&usize| world.hosts[**b].key != world.hosts[*a].key;
            pairs.extend(hosts[n + 1..].iter().filter(other).map(|b| [*a, *b]));
        }
        for _ in 0..PAIRS.min(pairs.len()) {
            let pair = pairs.swap_remove(dice.index(pairs.len()));
            let trouble = cross(world, pair, g).err();
            world.talks.push(Talk { hosts: pair, trouble, latency: None });
        }
        if let [a, b, c, ..] = hosts[..]
            && [a, b, c].iter().all(|m| {
                [a, b, c].iter().all(|n| m == n || world.hosts[*m].key != world.hosts[*n].key)
            })
        {
            let talk = match latency(world, [a, b, c], g) {
                Ok(latency) => Talk { hosts: [a, b], trouble: None, latency },
                Err(trouble) => Talk { hosts: [a, b], trouble: Some(trouble), latency: None },
            };
            world.talks.push(talk);
        }
        if world.violation.is_some() {
            return;
        }
    }
}

/// Long enough for a dial, a session and an open.
fn while_it_opens(world: &mut World) {
    let trip = 2 * (world.settings.delay + world.settings.jitter);
    world.run(2 * SECOND + 20 * trip);
}

/// Opens that cross, messages both ways, closes that cross.
fn cross(world: &mut World, pair: [usize; 2], g: usize) -> Result<(), String> {
    let opened: Vec<_> = [pair, [pair[1], pair[0]]]
        .into_iter()
        .map(|[from, to]| world.open_direct(from, to, g).map(|id| (from, id)))
        .collect();
    while_it_opens(world);
    let mut both = Vec::new();
    for (from, id) in opened.into_iter().flatten() {
        both.push(ends(world, from, id).ok_or(format!("what {from} opened does not stand"))?);
    }
    if both.len() != 2 {
        return Err("an open was not begun".to_owned());
    }
    for _ in 0..MESSAGES {
        for (m, group, id) in both.iter().flatten() {
            world.send_message(*m, *group, *id, 100);
        }
    }
    while_it_opens(world);
    for (m, _, id) in both.iter().flatten() {
        let got = got(world, *m, *id);
        if got != MESSAGES {
            return Err(format!("host {m} got {got} messages on connection {}", id.0));
        }
    }
    for (m, group, id) in both.iter().flatten() {
        if !world.close_direct(*m, *group, *id) {
            return Err(format!("host {m} cannot close connection {}", id.0));
        }
    }
    world.run(world.settings.limits.direct_linger + SECOND);
    for (m, _, id) in both.iter().flatten() {
        let direct = &world.hosts[*m].ledger.directs[id];
        if !(direct.is_over() && direct.orderly) {
            return Err(format!("at host {m}, connection {} has not ended in order", id.0));
        }
    }
    Ok(())
}

/// How long a message takes from the first to the second, without and with a third that does not read.
fn latency(
    world: &mut World,
    [a, b, c]: [usize; 3],
    g: usize,
) -> Result<Option<(u64, u64)>, String> {
    let (near, far) = (world.open_direct(a, b, g), world.open_direct(a, c, g));
    while_it_opens(world);
    let near = near.and_then(|id| ends(world, a, id)).ok_or("no connection to measure on")?;
    let far = far.and_then(|id| ends(world, a, id)).ok_or("no connection to fill")?;
    let before = ping(world, &near)?;
    world.take(c, Taking::Never);
    let mut room = 1_000;
    while room > 0 && world.send_message(a, far[0].1, far[0].2, 2_000) {
        room -= 1;
    }
    world.run(SECOND);
    let during = ping(world, &near)?;
    world.take(c, Taking::Promptly);
    for (m, group, id) in [near[0], far[0]] {
        world.close_direct(m, group, id);
    }
    world.run(world.settings.limits.direct_linger + SECOND);
    Ok(Some((before, during)))
}

fn ping(world: &mut World, near: &Ends) -> Result<u64, String> {
    let before = got(world, near[1].0, near[1].2);
    let begun = world.tick;
    if !world.send_message(near[0].0, near[0].1, near[0].2, 50) {
        return Err("a message was not accepted".to_owned());
    }
    while got(world, near[1].0, near[1].2) == before {
        world.run(MS);
        if world.tick - begun > 60 * SECOND || world.violation.is_some() {
            return Err("a message did not arrive".to_owned());
        }
    }
    Ok(world.tick - begun)
}

/// Both ends of a connection that stands, its opener's first.
fn ends(world: &World, m: usize, id: ConnectionId) -> Option<Ends> {
    let stands = |m: usize, id: ConnectionId| {
        let direct = world.hosts[m].ledger.directs.get(&id)?;
        (direct.story == [ConnectionChange::Connected]).then_some((m, direct.group, id))
    };
    let (w, key, end) = world.hosts[m].ledger.directs.get(&id)?.place?;
    let wire = &world.wires[&w];
    let there = wire.streams[&key].talk.ids[1 - end]?;
    Some([stands(m, id)?, stands(wire.ends[1 - end].host, there)?])
}

fn got(world: &World, m: usize, id: ConnectionId) -> usize {
    let place = world.hosts[m].ledger.directs.get(&id).and_then(|d| d.place);
    place.map_or(0, |(w, key, end)| world.wires[&w].streams[&key].talk.got[end].len())
}

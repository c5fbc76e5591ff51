//! Links and neighbours: invariants 25 to 30, and that the mesh heals.

use p2p_core::{ConnectionChange, Output, SECOND, close};

use super::{Verdict, ensure};
use crate::wire::Wire;
use crate::world::{Step, World};

/// Two links between two nodes are settled after this.
const SETTLED: u64 = 30 * SECOND;
/// Dials are counted over this time.
const WINDOW: u64 = 10 * SECOND;

/// 25: a node looks for so many, and accepts as many.
pub(super) fn neighbours_are_few(world: &World, step: &Step<'_>) -> Verdict {
    let (host, most) = (&world.hosts[step.host], 2 * world.settings.limits.neighbours);
    for key in host.open.iter().flatten() {
        let count = host.node.neighbours(*key).map_or(0, |list| list.len());
        ensure(count <= most, || format!("{count} neighbours, of {most} at most"))?;
    }
    Ok(())
}

/// 25: what the application has not taken is bounded, per connection.
pub(super) fn queues_are_short(world: &World, step: &Step<'_>) -> Verdict {
    let (ledger, limits) = (&world.hosts[step.host].ledger, &world.settings.limits);
    // A message that has begun comes whole once nothing else waits, with room for the heads of its frames.
    let most = limits.receive_queue.max(limits.message + (64 << 10)) + limits.message;
    for direct in ledger.touched.iter().filter_map(|id| ledger.directs.get(id)) {
        ensure(direct.untaken <= most, || {
            format!("{} bytes untaken, of {most} at most", direct.untaken)
        })?;
    }
    Ok(())
}

/// 26: a round trip and a second after one lists the other, the other lists it.
pub(super) fn neighbours_agree(world: &World) -> Verdict {
    let settings = &world.settings;
    let trip = 2
        * (settings.delay
            + settings.jitter
            + if settings.loss > 0 { 6 * settings.delay } else { 0 });
    for ((a, b, group), since) in &world.lopsided {
        ensure(world.tick - since <= trip + SECOND, || {
            format!("in group {group}, {a} lists {b} and {b} does not list {a}")
        })?;
    }
    Ok(())
}

/// 26: a neighbour connection begins once, and ends once at most.
pub(super) fn neighbours_come_and_go(world: &World, step: &Step<'_>) -> Verdict {
    use ConnectionChange::{Connected, Disconnected};
    let ledger = &world.hosts[step.host].ledger;
    let told = step.outputs.iter().filter_map(|output| match output {
        Output::Event { event: p2p_core::Event::Neighbour(c), .. } => Some(c.id),
        _ => None,
    });
    for id in told {
        let story = &ledger.neighbours[&id];
        let right = matches!(story[..], [Connected] | [Connected, Disconnected]);
        ensure(right, || format!("neighbour {}: {story:?}", id.0))?;
    }
    Ok(())
}

/// Between two runs of two hosts, the other links that may still be used, with their numbers.
fn twins(world: &World, w: u64) -> impl Iterator<Item = (u64, &Wire)> {
    let who = |wire: &Wire| {
        let mut ends = wire.ends.each_ref().map(|end| (end.host, end.epoch));
        ends.sort_unstable();
        ends
    };
    let mine = who(&world.wires[&w]);
    let others = world.live.iter().filter(move |other| **other != w);
    others.map(|other| (*other, &world.wires[other])).filter(move |(_, wire)| who(wire) == mine)
}

/// 27: of two settled links the one that the lower node dialled takes streams; of two of one dialler, the lower binding.
pub(super) fn losers_take_no_streams(world: &World, step: &Step<'_>) -> Verdict {
    let rank = |wire: &Wire| {
        let dialler = &world.hosts[wire.ends[0].host];
        (dialler.key, dialler.node.instance(), wire.binding)
    };
    let settled = |wire: &Wire| {
        let since = (0..world.groups.len()).filter_map(|g| wire.session_since(g)).min();
        wire.is_well() && since.is_some_and(|since| since.max(wire.troubled) + SETTLED < world.tick)
    };
    for output in step.outputs {
        let Output::Open { link, .. } = output else { continue };
        let Some((w, _)) = world.hosts[step.host].links.get(link).copied() else { continue };
        let wire = &world.wires[&w];
        let lower = |(_, other): &(u64, &Wire)| settled(other) && rank(other) < rank(wire);
        let better = twins(world, w).find(lower).map(|(other, _)| other);
        ensure(better.is_none() || !settled(wire), || {
            format!("a stream on link {w}, though link {better:?} carries on")
        })?;
    }
    Ok(())
}

/// 27: nobody gives up a link as superfluous who has no other.
pub(super) fn one_link_stays(world: &World, step: &Step<'_>) -> Verdict {
    for output in step.outputs {
        let Output::CloseLink { link, code: close::DUPLICATE } = output else { continue };
        let Some((w, end)) = world.hosts[step.host].links.get(link).copied() else { continue };
        let host = world.wires[&w].ends[end].host;
        let usable = |wire: &Wire| wire.ends.iter().any(|e| e.host == host && e.is_usable());
        let other = twins(world, w).any(|(_, wire)| usable(wire));
        ensure(other, || format!("link {w} was closed as a duplicate of none"))?;
    }
    Ok(())
}

/// 27, when all direct connections are closed: one link between any two nodes.
pub(super) fn one_link_each(world: &World) -> Verdict {
    for w in &world.live {
        let wire = &world.wires[w];
        let honest = wire.ends.iter().all(|e| world.hosts[e.host].honest);
        if honest && wire.is_well() {
            let twin = twins(world, *w).find(|(_, twin)| twin.is_well()).map(|twin| twin.0);
            let hosts = wire.ends.each_ref().map(|end| end.host);
            ensure(twin.is_none(), || format!("links {w} and {twin:?} between {hosts:?}"))?;
        }
    }
    Ok(())
}

/// 30: a group dials so many at a time with pauses between them; an application's own dials come on top.
pub(super) fn dials_are_few(world: &World, step: &Step<'_>) -> Verdict {
    if !step.outputs.iter().any(|output| matches!(output, Output::Dial { .. })) {
        return Ok(());
    }
    let (ledger, limits) = (&world.hosts[step.host].ledger, &p2p_core::Limits::default());
    let within = |ticks: &std::collections::VecDeque<u64>, window: u64| {
        ticks.iter().rev().take_while(|tick| **tick + window > world.tick).count() as u64
    };
    let groups = ledger.groups.len() as u64;
    let searches = groups * (limits.dials as u64 + WINDOW / limits.dial_pause);
    // An open that loses its link before it has shown anything dials once more, within the time that it has.
    let asked = 2 * within(&ledger.asked, WINDOW + limits.direct_open);
    let dials = within(&ledger.dials, WINDOW);
    ensure(dials <= searches + asked, || {
        format!(
            "{dials} dials in ten seconds; {searches} are the searches', {asked} the application's"
        )
    })?;
    let new =
        step.outputs.iter().filter(|output| matches!(output, Output::Dial { .. })).count() as u64;
    let under_way = world.hosts[step.host].dials.len() as u64 + new;
    ensure(under_way <= groups * limits.dials as u64 + asked, || {
        format!("{under_way} dials at a time")
    })
}

/// Whether nothing excuses members of a group who have not found each other.
pub(super) fn must_hang_together(world: &World, group: usize) -> bool {
    let all = world.hosts.iter().filter(|h| h.honest && h.papers[group].is_some());
    // A node looks for keys: whoever has met a clone does not ask for the other, who may be the only one to welcome.
    // And whoever welcomes the first has to have been welcomed, or to be the founder.
    let founder = world.is_member(group, group);
    all.count() <= world.settings.limits.neighbours + 1 && !world.settings.clone && founder
}

/// When the faults are over: all members of a group hang together, unless some have all the neighbours that they may have, or one
/// is a clone.
/// That each is everybody's neighbour is not promised: of two, only the one who asked is told of the other's neighbours.
pub(super) fn everybody_is_found(world: &World) -> Verdict {
    for group in 0..world.groups.len() {
        if !must_hang_together(world, group) {
            continue;
        }
        let hosts: Vec<usize> =
            (0..world.settings.honest).filter(|m| world.is_member(*m, group)).collect();
        let mut found: Vec<usize> = hosts.iter().take(1).copied().collect();
        let mut next = 0;
        while let Some(m) = found.get(next).copied() {
            next += 1;
            for (key, node) in world.neighbours_of(m, group) {
                let is = |n: &&usize| {
                    world.hosts[**n].key == key && world.node_of(**n, group) == Some(node)
                };
                found.extend(hosts.iter().filter(|n| !found.contains(n)).find(is));
            }
        }
        let missing: Vec<usize> = hosts.into_iter().filter(|m| !found.contains(m)).collect();
        ensure(missing.is_empty(), || {
            format!("in group {group}, {found:?} have not found {missing:?}")
        })?;
    }
    Ok(())
}

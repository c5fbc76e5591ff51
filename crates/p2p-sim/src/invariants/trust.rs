//! Who may: invariants 1 to 10. The truth about every chain stands in the world's registry, written when it was made.

use std::collections::BTreeSet;

use p2p_core::{ConnectionChange, Event, GroupKey, KeyId, Member, Output, SECOND};

use super::{Verdict, ensure};
use crate::world::{Flaw, Step, Truth, World};

/// A membership's end is noticed within so many seconds: the clocks' tolerance, and how often it is looked for.
const END: u64 = 600 + 3_700;

/// Sessions with whom was revoked end within this.
const REVOKED: u64 = 5 * SECOND;

fn events<'a>(step: &'a Step<'_>) -> impl Iterator<Item = (GroupKey, &'a Event)> {
    step.outputs.iter().filter_map(|output| match output {
        Output::Event { group, event } => Some((*group, event)),
        _ => None,
    })
}

/// Members that the application is told of, with the world's number of the group.
fn members<'a>(world: &'a World, step: &'a Step<'_>) -> impl Iterator<Item = (usize, &'a Member)> {
    let host = &world.hosts[step.host];
    events(step).filter_map(|(group, event)| match event {
        Event::Member { member, .. } => Some((host.group_of(group)?, &**member)),
        _ => None,
    })
}

fn truth<'a>(world: &'a World, member: &Member) -> Option<&'a Truth> {
    world.registry.get(&member.chain)
}

/// What the world knows of a key's valid chains in a group.
fn valid<'a>(world: &'a World, key: &KeyId, group: usize) -> impl Iterator<Item = &'a Truth> {
    let key = *key;
    world.registry.values().filter(move |t| t.key == key && t.group == group && t.flaw.is_none())
}

/// 1
pub(super) fn members_are_members(world: &World, step: &Step<'_>) -> Verdict {
    for (group, member) in members(world, step) {
        let good = |t: &Truth| t.key == member.key && t.flaw != Some(Flaw::Forged);
        ensure(truth(world, member).is_some_and(good), || format!("{} is no member", member.key))?;
        ensure(valid(world, &member.key, group).next().is_some(), || {
            format!("{} has no valid chain of group {group}", member.key)
        })?;
    }
    Ok(())
}

/// 2
pub(super) fn proof_comes_first(world: &World, step: &Step<'_>) -> Verdict {
    let place = world.chunk_place(step);
    for (group, event) in events(step) {
        if !matches!(event, Event::Data { .. }) {
            continue;
        }
        let Some((w, _, end)) = place else {
            return Err("data from nowhere".to_owned());
        };
        let Some(group) = world.hosts[step.host].group_of(group) else { continue };
        let (wire, peer) = (&world.wires[&w], 1 - end);
        let honest = world.hosts[wire.ends[peer].host].honest;
        let [mine, theirs] = [end, peer].map(|e| &wire.said[e]);
        let shown = mine.ok.contains_key(&group)
            || mine.hello.contains(&group) && (!honest || theirs.ok.contains_key(&group));
        ensure(shown, || format!("data of group {group} on a link without its session"))?;
    }
    Ok(())
}

/// 3
pub(super) fn keys_are_those_of_tls(world: &World, step: &Step<'_>) -> Verdict {
    let host = &world.hosts[step.host];
    let there = |(w, end): &(u64, usize)| world.hosts[world.wires[w].ends[1 - end].host].key;
    let place = world.chunk_place(step).map(|(w, _, end)| there(&(w, end)));
    for (_, event) in events(step) {
        let (key, exact) = match event {
            Event::Data { peer, .. } => (Some(*peer), true),
            Event::Direct(c) => (c.peer.filter(|_| c.change == ConnectionChange::Connected), true),
            Event::Neighbour(c) => (c.peer, false),
            Event::Refused { peer, .. } => (Some(*peer), false),
            _ => (None, false),
        };
        let Some(key) = key else { continue };
        let proved = match place.filter(|_| exact) {
            Some(place) => place == key,
            None => host.links.values().any(|at| there(at) == key),
        };
        ensure(proved, || format!("{event:?} speaks of a key that nobody has proved there"))?;
    }
    Ok(())
}

/// 4
pub(super) fn chains_are_within_their_rights(world: &World, step: &Step<'_>) -> Verdict {
    for (_, member) in members(world, step) {
        let flaw = truth(world, member).and_then(|t| t.flaw);
        ensure(member.depth <= 24 && flaw != Some(Flaw::TooLong), || {
            format!("{} stands at depth {}", member.key, member.depth)
        })?;
    }
    Ok(())
}

/// 5
pub(super) fn issuers_may_issue(world: &World, step: &Step<'_>) -> Verdict {
    for (_, member) in members(world, step) {
        let flaw = truth(world, member).and_then(|t| t.flaw);
        ensure(flaw != Some(Flaw::OverRole), || {
            format!("{} was made a member by one who may not", member.key)
        })?;
    }
    Ok(())
}

/// 6
pub(super) fn roles_were_given(world: &World, step: &Step<'_>) -> Verdict {
    for (group, member) in members(world, step) {
        let given = valid(world, &member.key, group)
            .fold(p2p_core::Roles::empty(), |all, t| all.with(t.roles));
        ensure(given.contains(member.roles), || {
            format!("{} is shown as {:?}, and was made {given:?}", member.key, member.roles)
        })?;
    }
    Ok(())
}

/// 7: what is in force is the same on all who hang together.
pub(super) fn revocations_are_the_same(world: &World) -> Verdict {
    for group in 0..world.groups.len() {
        if !super::overlay::must_hang_together(world, group) {
            continue;
        }
        let known = |m: &usize| {
            let host = &world.hosts[*m];
            let list = host.node.revocations(host.open[group]?).ok()?;
            Some((*m, list.iter().map(|r| r.id).collect::<BTreeSet<_>>()))
        };
        let members = (0..world.settings.honest).filter(|m| world.is_member(*m, group));
        let sets: Vec<_> = members.collect::<Vec<_>>().iter().filter_map(known).collect();
        for pair in sets.windows(2) {
            let [(a, left), (b, right)] = pair else { continue };
            ensure(left == right, || {
                format!("in group {group}, {a} knows {left:?}, {b} {right:?}")
            })?;
        }
    }
    Ok(())
}

/// 8
pub(super) fn nothing_after_the_end(world: &World, step: &Step<'_>) -> Verdict {
    let ledger = &world.hosts[step.host].ledger;
    let over = |key: &KeyId, group: usize| {
        valid(world, key, group).all(|t| t.until.plus_seconds(END) < step.now.wall)
    };
    for (group, event) in events(step) {
        let Some(group) = ledger.groups.get(&group).copied() else { continue };
        if let Event::Data { peer, .. } = event {
            ensure(!over(peer, group), || format!("data from {peer}, whose membership has ended"))?;
            let revoked = world.knows_revoked(step.host, group, peer, world.tick);
            ensure(!revoked, || format!("data from {peer}, whose membership was taken back"))?;
        }
    }
    Ok(())
}

/// 8: sessions with whom a membership was taken from end within five seconds.
pub(super) fn revoked_members_go(world: &World) -> Verdict {
    for host in world.hosts.iter().filter(|h| h.honest && h.alive) {
        let told = host.ledger.revoked.keys().map(|r| r.group).collect::<BTreeSet<_>>();
        for (group, open) in told.into_iter().filter_map(|g| Some((g, host.open[g]?))) {
            let members = host.node.members(open).unwrap_or_default();
            for key in members.iter().filter(|m| m.present).map(|m| m.member.key) {
                let before = world.tick.saturating_sub(REVOKED);
                let over = key != host.key && world.knows_revoked(host.index, group, &key, before);
                ensure(!over, || format!("host {} still has a session with {key}", host.index))?;
            }
        }
    }
    Ok(())
}

/// 10
pub(super) fn groups_do_not_mix(world: &World, step: &Step<'_>) -> Verdict {
    let host = &world.hosts[step.host];
    for (group, member) in members(world, step) {
        let of = truth(world, member).filter(|t| t.flaw != Some(Flaw::OtherGroup)).map(|t| t.group);
        ensure(of.is_none_or(|of| of == group), || format!("a chain of group {of:?} in {group}"))?;
        let foreign = truth(world, member).is_some_and(|t| t.flaw == Some(Flaw::OtherGroup));
        ensure(!foreign, || format!("a chain of no group of this world in {group}"))?;
    }
    let Some((w, key, _)) = world.chunk_place(step) else { return Ok(()) };
    let named = world.wires[&w].streams.get(&key).and_then(|s| s.talk.group);
    for (group, event) in events(step) {
        if let (Event::Data { .. }, Some(named)) = (event, named) {
            let told = host.group_of(group);
            ensure(told == Some(named), || format!("data of group {named} told in {told:?}"))?;
        }
    }
    Ok(())
}

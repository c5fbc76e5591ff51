//! Direct connections: invariants 36 to 41.

use p2p_core::trace::{Act, Answer};
use p2p_core::{ConnectionChange, ConnectionId, Event, Output, SECOND};

use super::{Verdict, ensure};
use crate::host::Direct;
use crate::world::{Step, World};

/// Connections that the step spoke of.
fn touched<'a>(
    world: &'a World,
    step: &Step<'_>,
) -> impl Iterator<Item = (ConnectionId, &'a Direct)> {
    let ledger = &world.hosts[step.host].ledger;
    ledger.touched.iter().filter_map(|id| Some((*id, ledger.directs.get(id)?)))
}

/// 36
pub(super) fn one_outcome_one_end(world: &World, step: &Step<'_>) -> Verdict {
    use ConnectionChange::{Connected, Disconnected, Failed};
    let ledger = &world.hosts[step.host].ledger;
    for output in step.outputs {
        if let Output::Event { event: Event::Data { id, .. }, .. } = output {
            ensure(ledger.directs.contains_key(id), || format!("data of nothing: {}", id.0))?;
        }
    }
    for (id, direct) in touched(world, step) {
        let right = match direct.story[..] {
            [] => direct.opened_here,
            [Failed] => direct.opened_here,
            [Connected] | [Connected, Disconnected] => true,
            _ => false,
        };
        ensure(right, || format!("connection {}: {:?}", id.0, direct.story))?;
        ensure(direct.misplaced == 0, || {
            format!("connection {}: data when it did not stand", id.0)
        })?;
    }
    Ok(())
}

/// 36, at the end: every open had its outcome, every connection its end.
pub(super) fn nothing_is_unfinished(world: &World) -> Verdict {
    for host in world.hosts.iter().filter(|h| h.honest) {
        for (id, direct) in &host.ledger.directs {
            ensure(direct.is_over(), || {
                format!("host {}, connection {}: only {:?}", host.index, id.0, direct.story)
            })?;
        }
    }
    Ok(())
}

/// 37: a beginning of what the other end was allowed to send.
pub(super) fn what_was_sent(world: &World, step: &Step<'_>) -> Verdict {
    for (id, direct) in touched(world, step) {
        let Some((w, key, end)) = direct.place else { continue };
        let wire = &world.wires[&w];
        let talk = &wire.streams[&key].talk;
        if !world.hosts[wire.ends[1 - end].host].honest {
            continue;
        }
        let (got, sent) = (&talk.got[end], &talk.sent[1 - end]);
        // All but the last were compared when they came.
        let last = got.len().saturating_sub(1);
        ensure(got.get(last) == sent.get(last) || got.is_empty(), || {
            format!(
                "connection {}: {:?} came as message {last}, {:?} was sent",
                id.0,
                got.get(last),
                sent.get(last)
            )
        })?;
    }
    Ok(())
}

/// 37: an orderly end at the one who closed means that the other was given everything, unless it had closed as well.
pub(super) fn orderly_means_all(world: &World, step: &Step<'_>) -> Verdict {
    for (id, direct) in touched(world, step) {
        let Some((w, key, end)) = direct.place else { continue };
        let wire = &world.wires[&w];
        let talk = &wire.streams[&key].talk;
        let peer = &world.hosts[wire.ends[1 - end].host];
        let there = talk.ids[1 - end].and_then(|id| peer.ledger.directs.get(&id));
        let discards = talk.closed[1 - end] || there.is_none_or(|d| d.group_closed.is_some());
        let over = direct.is_over() && direct.orderly && direct.closed.is_some();
        if over && peer.honest && peer.epoch == wire.ends[1 - end].epoch && !discards {
            let (got, sent) = (talk.got[1 - end].len(), talk.sent[end].len());
            ensure(got == sent, || {
                format!("connection {} ended in order, and of {sent} messages {got} arrived", id.0)
            })?;
        }
    }
    Ok(())
}

/// 38: what the node lists is what anybody outside would.
pub(super) fn listed_while_it_should_be(world: &World, step: &Step<'_>) -> Verdict {
    let (host, most) = (&world.hosts[step.host], world.settings.limits.direct_listed);
    for key in host.open.iter().flatten() {
        let listed = host.node.directs(*key).unwrap_or_default();
        let mut expected = 0;
        for (id, direct) in host.ledger.directs.iter().filter(|(_, d)| d.group == *key) {
            let is = || listed.binary_search_by_key(id, |c| c.id).is_ok();
            match direct.is_listed(world.tick, most) {
                Some(should) => {
                    expected += usize::from(should);
                    // Ended and closed ones are many: only a wrong count makes it worth looking for them.
                    ensure(!should || is(), || format!("connection {} is not listed", id.0))?;
                }
                None => expected += usize::from(is()),
            }
        }
        ensure(listed.len() == expected, || {
            let ids: Vec<u64> = listed.iter().map(|c| c.id.0).collect();
            format!("{ids:?} are listed, and should be {expected}")
        })?;
    }
    Ok(())
}

/// 38: no id is used twice, and one close of each succeeds.
pub(super) fn ids_are_fresh(world: &World, step: &Step<'_>) -> Verdict {
    let ledger = &world.hosts[step.host].ledger;
    if let (Act::Open(..), Ok(Answer::Connection(id))) = (step.act, step.answer) {
        let newest = ledger.directs.last_key_value().map(|(id, _)| *id);
        let fresh = newest == Some(*id) && !ledger.neighbours.contains_key(id);
        ensure(fresh && id.0 != 0, || format!("connection {} is not new", id.0))?;
    }
    if let (Act::Close(_, id), Ok(_)) = (step.act, step.answer) {
        let closes = ledger.directs.get(id).map_or(0, |d| d.closes);
        ensure(closes == 1, || format!("connection {} was closed {closes} times", id.0))?;
    }
    Ok(())
}

/// 39
pub(super) fn crossings_work(world: &World) -> Verdict {
    world.talks.iter().try_for_each(|talk| {
        ensure(talk.trouble.is_none(), || {
            format!(
                "{} and {}: {}",
                talk.hosts[0],
                talk.hosts[1],
                talk.trouble.clone().unwrap_or_default()
            )
        })
    })
}

/// 40: an open has its outcome in its time, and so has a close. The paper's bound is 95 s; the limits are stricter.
pub(super) fn nothing_takes_too_long(world: &World) -> Verdict {
    let limits = &world.settings.limits;
    for host in world.hosts.iter().filter(|h| h.honest && h.alive) {
        for (id, direct) in host.ledger.directs.iter().filter(|(_, d)| !d.is_over()) {
            let opening =
                direct.story.is_empty() && direct.since + limits.direct_open + SECOND < world.tick;
            let since = direct.closed.into_iter().chain(direct.group_closed).min();
            let draining = since.is_some_and(|at| at + limits.direct_linger + SECOND < world.tick);
            ensure(!opening && !draining, || {
                format!("host {}, connection {}: still {:?}", host.index, id.0, direct.story)
            })?;
        }
    }
    Ok(())
}

/// 40 and 41, when all direct connections are closed: only the streams of sessions are left on any link.
pub(super) fn no_streams_are_left(world: &World) -> Verdict {
    for w in &world.live {
        let wire = &world.wires[w];
        let honest = wire.ends.iter().all(|e| world.hosts[e.host].honest);
        for (key, stream) in wire.streams.iter().filter(|_| honest && wire.is_well()) {
            let over = stream.is_over(0) && stream.is_over(1);
            ensure(over || stream.talk.is_control, || {
                let links = wire.ends.each_ref().map(|end| (end.host, end.link.0));
                let ends = [0, 1].map(|end| {
                    (stream.is_over(end), stream.gone[end], stream.halves[end].fin_sent)
                });
                format!(
                    "stream {key:?} between {links:?} is left over: {ends:?}, {:?}",
                    stream.talk
                )
            })?;
        }
    }
    Ok(())
}

/// 40, at the end: a node without groups waits for nothing.
pub(super) fn no_timers_are_left(world: &World) -> Verdict {
    for host in world.hosts.iter().filter(|h| h.honest) {
        let timer = host.node.next_timeout();
        ensure(timer.is_none(), || format!("host {} still waits for {timer:?}", host.index))?;
    }
    Ok(())
}

/// 41: who has refused an open tells its application nothing of it.
pub(super) fn refused_is_refused(world: &World, step: &Step<'_>) -> Verdict {
    for (id, direct) in touched(world, step) {
        let Some((w, key, end)) = direct.place else { continue };
        let refused = world.wires[&w].streams[&key].talk.refused;
        ensure(!refused || end == key.0, || format!("connection {} was refused here", id.0))?;
    }
    Ok(())
}

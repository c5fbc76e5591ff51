//! Whatever others do: invariants 42 to 46, and that what was told is kept.

use p2p_core::trace::{Act, replay};
use p2p_core::{Error, Event, Input, MemberChange, Output, SECOND};

use super::{Verdict, ensure};
use crate::hash::Fingerprint;
use crate::wire::Wire;
use crate::world::{Step, World};

/// Outputs that one call may have without having been given a byte: everything that a node holds may end at once.
const OUTPUTS: usize = 4_096;
/// A closing group is gone within this.
const GONE: u64 = 10 * SECOND;

/// 42: resets and closes carry the codes of the protocol document.
pub(super) fn codes_are_known(_: &World, step: &Step<'_>) -> Verdict {
    for output in step.outputs {
        let known = match output {
            Output::Abort { code, .. } => (0x20..=0x27).contains(code),
            Output::CloseLink { code, .. } => (0x200..=0x209).contains(code),
            _ => true,
        };
        ensure(known, || format!("{output:?}: no such code"))?;
    }
    Ok(())
}

/// 42: what a call makes a node do is bounded by what it was given.
pub(super) fn work_is_bounded(_: &World, step: &Step<'_>) -> Verdict {
    let given = match step.act {
        Act::Input(Input::Chunk { bytes, .. }) => bytes.len(),
        Act::Send(_, _, _, bytes) => bytes.len(),
        _ => 0,
    };
    let most = OUTPUTS + given;
    ensure(step.outputs.len() <= most, || format!("{} outputs", step.outputs.len()))
}

/// 45: what a node counts for itself is what there is.
pub(super) fn counts_agree(world: &World, step: &Step<'_>) -> Verdict {
    world.hosts[step.host].node.audit().map_err(|what| format!("miscounted: {what}"))
}

/// 43: what waits to be sent on one stream is bounded.
pub(super) fn send_queues_are_bounded(world: &World, step: &Step<'_>) -> Verdict {
    let limits = &world.settings.limits;
    for output in step.outputs {
        let Output::Write { link, stream, head, body } = output else { continue };
        let Some((w, end)) = world.hosts[step.host].links.get(link).copied() else { continue };
        let Some(stream) = world.wires[&w].streams.get(&Wire::key(end, *stream)) else { continue };
        let waiting = stream.halves[end].queued + head.as_slice().len() + body.len();
        let fragments = limits.message / limits.fragment + 2;
        let most = limits.send_queue.max(limits.message) + 64 * fragments + 256;
        let direct = stream.talk.ids[end].is_some();
        ensure(!direct || waiting <= most, || format!("{waiting} bytes wait, of {most} at most"))?;
    }
    Ok(())
}

/// 43: with one who does not read in the room, a message between two others takes no round trip longer.
pub(super) fn others_are_not_slower(world: &World) -> Verdict {
    let settings = &world.settings;
    let trip = 2
        * (settings.delay
            + settings.jitter
            + if settings.loss > 0 { 3 * settings.delay } else { 0 });
    for talk in &world.talks {
        if let Some((before, during)) = talk.latency {
            ensure(during <= before + trip, || {
                format!(
                    "{} to {}: {before} µs alone, {during} µs beside one who does not read",
                    talk.hosts[0], talk.hosts[1]
                )
            })?;
        }
    }
    Ok(())
}

/// 44: what was recorded gives the same outputs again.
pub(super) fn a_replay_is_equal(world: &World) -> Verdict {
    for host in &world.hosts {
        let Some(calls) = &host.ledger.calls else { continue };
        let mut node = host.start.node(host.node.authority().clone());
        let mut print = Fingerprint::default();
        for call in calls {
            let outputs = replay(std::slice::from_ref(call), &mut node);
            print.add(&outputs);
        }
        let same =
            std::hash::Hasher::finish(&print) == std::hash::Hasher::finish(&host.ledger.print);
        ensure(same, || {
            format!("host {}: {} calls made again say something else", host.index, calls.len())
        })?;
    }
    Ok(())
}

/// 45: a hello and an open are answered, by a frame, the stream's end, a reset, or the end of the link.
pub(super) fn everything_is_answered(world: &World) -> Verdict {
    let limits = &world.settings.limits;
    let most = limits.proof + limits.handshake + limits.direct_open;
    for w in &world.live {
        let wire = &world.wires[w];
        let asked = wire.troubled.max(world.tick.saturating_sub(most));
        for (key, stream) in &wire.streams {
            let [opener, responder] = [key.0, 1 - key.0].map(|end| wire.ends[end].host);
            let honest = world.hosts[opener].honest && world.hosts[responder].honest;
            let talk = &stream.talk;
            let late = honest
                && wire.is_well()
                && talk.since > 0
                && talk.since < asked
                && asked + most <= world.tick;
            let silent =
                !talk.answered && !stream.halves[1 - key.0].fin && stream.gone == [false; 2];
            ensure(!late || !silent, || format!("stream {key:?} of link {w} was never answered"))?;
        }
    }
    Ok(())
}

/// 46: every call with the key of a closed group says that there is none, and does nothing.
pub(super) fn closed_is_closed(world: &World, step: &Step<'_>) -> Verdict {
    let closed = &world.hosts[step.host].ledger.closed;
    let group = match step.act {
        Act::Connect(group, _)
        | Act::Accept(group, _)
        | Act::Open(group, ..)
        | Act::Close(group, _)
        | Act::Send(group, ..) => *group,
        Act::CloseGroup(group) if step.answer.is_err() => *group,
        _ => return Ok(()),
    };
    let Some(closing) = closed.get(&group) else { return Ok(()) };
    ensure(*step.answer == Err(Error::InvalidGroup), || {
        format!("{:?} after the close", step.answer)
    })?;
    ensure(step.outputs.is_empty(), || format!("{:?} after the close", step.outputs))?;
    ensure(closing.later == 0, || "events after the last".to_owned())
}

/// 46: a group is gone in time, whatever the network does; and nothing comes after.
pub(super) fn closing_ends(world: &World) -> Verdict {
    for host in world.hosts.iter().filter(|h| h.honest && h.alive) {
        for closing in host.ledger.closed.values() {
            let late = closing.done.is_none() && closing.asked + GONE < world.tick;
            ensure(!late && closing.later == 0, || format!("host {}: {closing:?}", host.index))?;
        }
    }
    Ok(())
}

/// What the application is told of members and of the first welcome has been synced.
pub(super) fn told_is_kept(world: &World, step: &Step<'_>) -> Verdict {
    let host = &world.hosts[step.host];
    for output in step.outputs {
        let Output::Event { group, event: Event::Member { change, member } } = output else {
            continue;
        };
        let kept = host.group_of(*group).and_then(|g| host.disk.synced.get(&world.groups[g]));
        let stored = kept.is_some_and(|kept| kept.members.iter().any(|m| m.key == member.key));
        let matters = matches!(change, MemberChange::Joined | MemberChange::Updated);
        ensure(stored || !matters, || format!("{} was told of and is not kept", member.key))?;
    }
    for (g, key) in host.open.iter().enumerate().filter_map(|(g, key)| Some((g, (*key)?))) {
        let kept = host.disk.synced.get(&world.groups[g]).is_some_and(|kept| kept.synchronised);
        let told = host.node.synchronised(key) == Ok(true);
        ensure(kept || !told, || format!("group {g} counts as synchronised and is not kept so"))?;
    }
    Ok(())
}

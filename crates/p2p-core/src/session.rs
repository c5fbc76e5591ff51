//! Sessions: two nodes prove to each other, on one link, that they belong to one group.
//!
//! Whoever opens the control stream proves first: HELLO and MEMBER_PROOF. The other side checks and answers SESSION_OK
//! with its own hello and chain, or the one refusal, which is the same frame at the same moment for every reason and for
//! a group that is not here at all.

use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

use crate::authority::Authority;
use crate::codec::{Frame, Hello, MINOR, REFUSED, VERSION, close, reset};
use crate::direct::table::Event as Step;
use crate::event::{Cause, Event};
use crate::id::{ConnectionId, GroupKey, InstanceId};
use crate::io::{Expect, LinkId, Output, StreamId, Timer};
use crate::link::{Link, Role};
use crate::node::Node;
use crate::password::Stage;

/// Control frames go before everything else, and the first proof before the second: until one of them stands the peer's
/// window may be too small for all, and of two at a time it reads the first.
const PRIORITY: i8 = 100;

/// The control stream of one group on one link.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    /// `None`: the peer named a group that is not here. It is treated like any other until it is refused.
    pub(crate) group: Option<GroupKey>,
    pub(crate) opener: bool,
    pub(crate) phase: Phase,
    /// The tag that the peer's streams of this group carry, and ours.
    pub(crate) tag_in: [u8; 16],
    pub(crate) tag_out: [u8; 16],
    pub(crate) hello: Option<Hello>,
    /// We want to be neighbours once the session stands.
    pub(crate) wants_neighbour: bool,
    /// Direct connections that wait for a session which the peer has begun.
    pub(crate) waiting: Vec<ConnectionId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Our hello and proof are out.
    Offered,
    /// The peer's hello is here, its proof is not.
    AwaitProof { may_read: bool },
    /// The proof is here; its check waits for its turn.
    Checking { chain: Bytes },
    /// One side has no membership yet, and the other may give it one.
    Password(Stage),
    /// Turned down; the refusal waits for its moment.
    Refusing,
    /// The session stands.
    Up,
}

/// The priority of the next control stream of a link.
fn rank(link: &Link) -> i8 {
    PRIORITY - i8::try_from(link.controls.len().min(90)).unwrap_or(90)
}

impl Control {
    pub(crate) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    pub(crate) fn may_read(&self) -> bool {
        match &self.phase {
            Phase::Password(stage) => stage.may_read(),
            phase => {
                matches!(phase, Phase::Offered | Phase::Up | Phase::AwaitProof { may_read: true })
            }
        }
    }

    /// The peer's proof is here and not answered yet.
    pub(crate) fn is_checking(&self) -> bool {
        match &self.phase {
            Phase::Password(stage) => stage.is_admitting(),
            phase => matches!(phase, Phase::Checking { .. } | Phase::Refusing),
        }
    }

    fn instance(&self) -> InstanceId {
        self.hello.as_ref().map(|h| h.instance).unwrap_or_default()
    }
}

impl<A: Authority> Node<A> {
    /// Offers a session of `group` on `link`, or uses the one that is there or coming.
    pub(crate) fn start_session(&mut self, id: LinkId, group: GroupKey, neighbour: bool) {
        let Some(link) = self.links.get_mut(&id).filter(|l| !l.closing) else { return };
        if let Some(stream) = link.controls.get(&group).copied() {
            let Some(control) = link.control_mut(stream) else { return };
            control.wants_neighbour |= neighbour;
            if control.is_up() && neighbour {
                let peer = (link.peer, link.instance.unwrap_or_default());
                self.ask_neighbour(group, peer);
            }
            return;
        }
        let (address, peer) = (link.remote, link.peer);
        if self.is_asking(group) {
            return self.postpone_candidate(group, address, peer);
        }
        let Some(link) = self.links.get(&id) else { return };
        let rank = rank(link);
        let Some(key) = self.groups.get(&group).filter(|g| g.life.admits_sessions()).map(|g| g.key)
        else {
            return;
        };
        let (first, exchange) = match self.authority.own_chain(&key) {
            Some(chain) => (Frame::MemberProof(chain), None),
            None => match self.begin_by_password(id, &key) {
                Some((share, exchange)) => (share, Some(exchange)),
                None => return,
            },
        };
        let Some(link) = self.links.get(&id) else { return };
        let session = self.authority.session(&link.binding, &key);
        let dialled = link.dialled;
        let control = Control {
            group: Some(group),
            opener: true,
            phase: if exchange.is_some() { Phase::Password(Stage::Asked) } else { Phase::Offered },
            tag_in: self.authority.tag(&session, !dialled),
            tag_out: self.authority.tag(&session, dialled),
            hello: None,
            wants_neighbour: neighbour,
            waiting: Vec::new(),
        };
        let hello = self.hello(group, control.tag_out);
        let Some(stream) = self.open_stream(id, Role::Control(control.into()), rank) else {
            return;
        };
        if let Some(link) = self.links.get_mut(&id) {
            link.controls.insert(group, stream);
        }
        self.write(id, stream, &Frame::Hello(hello));
        self.write(id, stream, &first);
        self.refill(id, stream);
        match exchange {
            Some(exchange) => self.begun_by_password(id, stream, exchange),
            None => self.timer(Timer::Proof(id, stream), self.limits.proof),
        }
    }

    pub(crate) fn hello(&self, group: GroupKey, tag: [u8; 16]) -> Hello {
        Hello {
            minor: MINOR,
            tag,
            instance: self.instance,
            previous: self.previous,
            node: self.groups.get(&group).map(|g| g.node).unwrap_or_default(),
            message_max: self.limits.message as u64,
        }
    }

    pub(crate) fn on_hello(&mut self, id: LinkId, stream: StreamId, hello: Hello) {
        if self.is_itself(id, hello.instance) {
            return self.close_link(id, close::ITSELF);
        }
        self.replace_previous(id, hello.previous);
        if hello.minor.0 > MINOR.1 || hello.minor.1 < MINOR.0 {
            self.write(id, stream, &Frame::NoSession { reason: VERSION });
            self.finish(id, stream);
            return self.spend(id, stream);
        }
        let found = self.group_of_tag(id, &hello.tag);
        // The same answer for a group that is not here, or a second hello would tell.
        let duplicate = match found {
            Some((group, _)) => !self.yields_to(id, group),
            None => false,
        };
        if duplicate || self.is_named_already(id, &hello.tag) {
            return self.abort(id, stream, reset::DUPLICATE);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        let room = link.controls.len() < self.limits.sessions_per_link;
        let rank = rank(link);
        let (group, tag_out) =
            found.filter(|_| room).map_or((None, [0; 16]), |(group, tag)| (Some(group), tag));
        let inherited = group.and_then(|g| link.inherited.remove(&g));
        let ours = inherited.as_ref().map(|(stream, _)| *stream);
        let (waiting, wants_neighbour) =
            inherited.map(|(_, ours)| (ours.waiting, ours.wants_neighbour)).unwrap_or_default();
        let control = Control {
            group,
            opener: false,
            phase: Phase::AwaitProof { may_read: false },
            tag_in: hello.tag,
            tag_out,
            hello: Some(hello),
            wants_neighbour,
            waiting,
        };
        if let Some(group) = group {
            link.controls.insert(group, stream);
        }
        if let Some(s) = link.streams.get_mut(&stream) {
            s.role = Role::Control(control.into());
        }
        ours.into_iter().for_each(|ours| self.forget_stream_timers(id, ours));
        self.push(Output::Priority { link: id, stream, priority: rank });
        self.timer(Timer::Proof(id, stream), self.limits.proof);
        self.admit_proofs(id);
    }

    /// Whether another stream of the link has brought this tag, for a group that is not here.
    fn is_named_already(&self, id: LinkId, tag: &[u8; 16]) -> bool {
        let same = |s: &crate::link::Stream| matches!(&s.role, Role::Control(c) if c.group.is_none() && c.tag_in == *tag);
        self.links.get(&id).is_some_and(|l| l.streams.values().any(|s| same(s)))
    }

    /// The group whose tag the peer shows, and the tag that our own streams carry in it.
    fn group_of_tag(&self, id: LinkId, tag: &[u8; 16]) -> Option<(GroupKey, [u8; 16])> {
        let link = self.links.get(&id)?;
        self.groups.iter().filter(|(_, g)| g.life.admits_sessions()).find_map(|(group, g)| {
            let session = self.authority.session(&link.binding, &g.key);
            let theirs = self.authority.tag(&session, !link.dialled);
            (theirs == *tag).then(|| (*group, self.authority.tag(&session, link.dialled)))
        })
    }

    /// Whether the peer's new stream for `group` may take the place of one that is there. If both sides opened one, that
    /// of the QUIC dialler survives.
    fn yields_to(&mut self, id: LinkId, group: GroupKey) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let Some(stream) = link.controls.get(&group).copied() else { return true };
        let ours = link.control_mut(stream).is_some_and(|c| c.opener && !c.is_up());
        if !ours || link.dialled {
            return false;
        }
        if let Some(control) = self.take_control(id, stream) {
            self.abort(id, stream, reset::DUPLICATE);
            self.bequeath(id, stream, group, control);
        }
        true
    }

    /// What waited for our stream of a group waits for the peer's, which takes its place.
    pub(crate) fn bequeath(
        &mut self,
        id: LinkId,
        stream: StreamId,
        group: GroupKey,
        control: Box<Control>,
    ) {
        if let Some(link) = self.links.get_mut(&id) {
            link.inherited.insert(group, (stream, control));
            self.timer(Timer::Proof(id, stream), self.limits.proof);
        }
    }

    /// The stream that was to take the place of ours has not come, or is not wanted any longer.
    pub(crate) fn disinherit(&mut self, id: LinkId, group: GroupKey, cause: Cause) {
        let Some((stream, ours)) =
            self.links.get_mut(&id).and_then(|link| link.inherited.remove(&group))
        else {
            return;
        };
        self.forget_stream_timers(id, stream);
        self.session_failed(id, group, &ours, cause);
        self.release_link(id);
    }

    /// Lets the next proofs in: only so many at a time are read on a link.
    fn admit_proofs(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut free = self.limits.proofs_per_link;
        let mut next = Vec::new();
        for (stream, s) in &mut link.streams {
            if let Role::Control(control) = &mut s.role {
                match &mut control.phase {
                    Phase::AwaitProof { may_read: true } | Phase::Checking { .. } => {
                        free = free.saturating_sub(1)
                    }
                    Phase::Password(stage) if stage.is_admitting() => free = free.saturating_sub(1),
                    Phase::AwaitProof { .. } => next.push(*stream),
                    _ => {}
                }
            }
        }
        for stream in next.into_iter().take(free) {
            if let Some(control) = self.links.get_mut(&id).and_then(|l| l.control_mut(stream)) {
                control.phase = Phase::AwaitProof { may_read: true };
            }
            self.refill(id, stream);
        }
    }

    pub(crate) fn on_control_frame(&mut self, id: LinkId, stream: StreamId, frame: Frame) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let peer = link.peer;
        let Some(control) = link.control_mut(stream) else { return };
        match (&control.phase, frame) {
            (Phase::AwaitProof { .. }, Frame::MemberProof(chain)) => {
                self.on_proof(id, stream, chain)
            }
            (Phase::Offered, Frame::SessionOk(hello, chain)) => {
                self.on_session_ok(id, stream, hello, &chain)
            }
            (
                Phase::Offered | Phase::Password(Stage::Asked | Stage::Confirmed),
                Frame::NoSession { .. },
            ) => {
                let Some(control) = self.take_control(id, stream) else { return };
                self.finish(id, stream);
                self.control_ended(id, stream, &control, Cause::NotAuthenticated);
            }
            (Phase::Up, frame) => {
                let (Some(group), instance) = (control.group, control.instance()) else { return };
                if !self.on_group_frame(group, (peer, instance), id, stream, frame) {
                    self.control_violation(id, stream);
                }
            }
            (_, frame) => {
                if !self.on_password_frame(id, stream, frame) {
                    self.control_violation(id, stream);
                }
            }
        }
    }

    fn control_violation(&mut self, id: LinkId, stream: StreamId) {
        let control = self.take_control(id, stream);
        self.abort(id, stream, reset::VIOLATION);
        if let Some(control) = control {
            self.control_ended(id, stream, &control, Cause::Protocol);
        }
        self.violation(id);
    }

    fn on_session_ok(&mut self, id: LinkId, stream: StreamId, hello: Hello, chain: &Bytes) {
        if self.is_itself(id, hello.instance) {
            return self.close_link(id, close::ITSELF);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        let (peer, remote) = (link.peer, link.remote);
        let Some(control) = link.control_mut(stream) else { return };
        let Some(group) = control.group else { return };
        if hello.tag != control.tag_in || hello.minor.0 > MINOR.1 || hello.minor.1 < MINOR.0 {
            return self.control_violation(id, stream);
        }
        self.replace_previous(id, hello.previous);
        self.stats.proofs_received += 1;
        match self.check(group, &peer, chain) {
            Ok(member) => {
                self.stats.proofs_accepted += 1;
                if let Some(control) = self.links.get_mut(&id).and_then(|l| l.control_mut(stream)) {
                    control.hello = Some(hello);
                }
                self.session_up(id, stream, group, member);
            }
            Err(refusal) => {
                self.stats.proofs_refused += 1;
                self.event(group, Event::Refused { peer, remote, refusal });
                let control = self.take_control(id, stream);
                self.abort(id, stream, reset::PROOF);
                if let Some(control) = control {
                    self.control_ended(id, stream, &control, Cause::Verdict(refusal));
                }
            }
        }
    }

    /// Sends the one refusal.
    pub(crate) fn refuse_now(&mut self, id: LinkId, stream: StreamId) {
        let Some(mut control) = self.take_control(id, stream) else { return };
        self.stats.proofs_refused += 1;
        // Its proof is answered: nothing of it is under way any longer.
        control.phase = Phase::AwaitProof { may_read: false };
        self.write(id, stream, &Frame::NoSession { reason: REFUSED });
        self.finish(id, stream);
        self.control_ended(id, stream, &control, Cause::NotAuthenticated);
    }

    pub(crate) fn session_up(
        &mut self,
        id: LinkId,
        stream: StreamId,
        group: GroupKey,
        member: alloc::sync::Arc<crate::authority::Member>,
    ) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let trusted = core::mem::replace(&mut link.trusted, true);
        let peer_key = link.peer;
        let Some(control) = link.control_mut(stream) else { return };
        control.phase = Phase::Up;
        self.stats.sessions_up += 1;
        let waiting = core::mem::take(&mut control.waiting);
        let (wants, tag) = (control.wants_neighbour, control.tag_in);
        let Some(hello) = control.hello.clone() else { return };
        link.instance = Some(hello.instance);
        self.forget_stream_timers(id, stream);
        self.timers.cancel(Timer::Handshake(id));
        if !trusted {
            let (streams, window) = (self.limits.streams, self.limits.stream_window);
            self.push(Output::Trust { link: id, streams, window });
        }
        self.refill(id, stream);
        let peer = (peer_key, hello.instance);
        self.peer_up(group, peer, (id, stream), member, &hello);
        self.session_serves(id, group, tag, waiting);
        if wants {
            self.ask_neighbour(group, peer);
        }
        self.settle_duplicates(id);
        self.admit_proofs(id);
    }

    /// Streams that waited for the session go on.
    fn session_serves(
        &mut self,
        id: LinkId,
        group: GroupKey,
        tag: [u8; 16],
        waiting: Vec<ConnectionId>,
    ) {
        let Some(link) = self.links.get(&id) else { return };
        let ours = link.direct_ids();
        let held: Vec<StreamId> = link
            .streams
            .iter()
            .filter(|(_, s)| matches!(&s.role, Role::Held(held) if **held == tag))
            .map(|(stream, _)| *stream)
            .collect();
        for stream in held {
            self.timers.cancel(Timer::Proof(id, stream));
            self.admit_direct(group, id, stream);
        }
        for direct in ours {
            self.direct_proved(direct, group);
        }
        for direct in waiting {
            self.run(direct, Step::SessionUp, Cause::Orderly);
            self.direct_proved(direct, group);
        }
    }

    /// Takes the control off a stream, which is spent then.
    pub(crate) fn take_control(&mut self, id: LinkId, stream: StreamId) -> Option<Box<Control>> {
        let link = self.links.get_mut(&id)?;
        let role = &mut link.streams.get_mut(&stream)?.role;
        match core::mem::replace(role, Role::Spent) {
            Role::Control(control) => {
                self.forget_stream_timers(id, stream);
                if let Some(link) = self.links.get_mut(&id) {
                    link.controls.retain(|_, s| *s != stream);
                }
                Some(control)
            }
            other => {
                *role = other;
                None
            }
        }
    }

    /// A control stream is over: the session with it, or the hope for one.
    pub(crate) fn control_ended(
        &mut self,
        id: LinkId,
        stream: StreamId,
        control: &Control,
        cause: Cause,
    ) {
        if let Some(link) = self.links.get_mut(&id) {
            link.controls.retain(|_, s| *s != stream);
        }
        self.stats.sessions_ended += u64::from(control.is_up());
        self.stats.proofs_abandoned += u64::from(control.is_checking());
        if let Some(group) = control.group {
            let instance = control.instance();
            if control.is_up() {
                self.session_lost(id, stream, group, instance, cause);
            } else {
                self.session_failed(id, group, control, cause);
            }
        }
        self.drop_held(id, control.tag_in);
        self.admit_proofs(id);
        self.spend(id, stream);
        let Some(link) = self.links.get(&id).filter(|l| !l.closing) else { return };
        if !link.has_session() && !self.timers.is_set(Timer::Handshake(id)) {
            self.timer(Timer::Handshake(id), self.limits.handshake);
        }
        if self.links.get(&id).is_some_and(|l| l.dialled) && control.opener && !control.is_up() {
            self.release_link(id);
        }
    }

    /// A group goes while a peer proves itself: the peer is refused in its time, as if the group had never been here.
    /// False if the stream is more than that.
    pub(crate) fn disown(&mut self, id: LinkId, stream: StreamId) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let Some(control) = link.control_mut(stream).filter(|c| !c.opener && !c.is_up()) else {
            return false;
        };
        let orphan = control.clone();
        control.group = None;
        control.waiting.clear();
        control.wants_neighbour = false;
        link.controls.retain(|_, s| *s != stream);
        if let Some(group) = orphan.group {
            self.session_failed(id, group, &orphan, Cause::Left);
        }
        true
    }

    fn session_failed(&mut self, id: LinkId, group: GroupKey, control: &Control, cause: Cause) {
        // Whoever vanishes after it saw our proof has turned us away.
        let cause = match cause {
            Cause::Lost if control.opener => Cause::NotAuthenticated,
            other => other,
        };
        let ours = self.links.get(&id).map(|l| l.direct_ids()).unwrap_or_default();
        for direct in ours {
            self.direct_unproved(direct, group, cause);
        }
        let step = if cause == Cause::Lost { Step::SessionLost } else { Step::SessionFailed };
        for direct in &control.waiting {
            self.run(*direct, step, cause);
        }
        if control.wants_neighbour {
            self.candidate_failed(group, cause);
        }
    }

    fn drop_held(&mut self, id: LinkId, tag: [u8; 16]) {
        let Some(link) = self.links.get(&id) else { return };
        let held = |s: &crate::link::Stream| matches!(&s.role, Role::Held(held) if **held == tag);
        let streams: Vec<StreamId> =
            link.streams.iter().filter(|(_, s)| held(s)).map(|(id, _)| *id).collect();
        for stream in streams {
            self.abort(id, stream, reset::NO_SESSION);
        }
    }

    /// The peer ended its side of the control stream.
    pub(crate) fn on_control_finished(&mut self, id: LinkId, stream: StreamId) {
        let Some(control) = self.take_control(id, stream) else { return };
        let ended_here = self.stream(id, stream).is_some_and(|s| s.send_done);
        let cause = match (control.is_up(), control.opener) {
            (true, _) => Cause::Left,
            (false, true) => Cause::NotAuthenticated,
            (false, false) => Cause::Lost,
        };
        // First the session, then the stream: with its last stream a link may end, and nobody would know whose it was.
        self.control_ended(id, stream, &control, cause);
        self.finish(id, stream);
        if ended_here {
            // The peer has answered our FIN: nothing of ours is under way any longer.
            self.release_link(id);
        }
    }

    pub(crate) fn on_proof_timer(&mut self, id: LinkId, stream: StreamId) {
        let heir = |l: &crate::link::Link| {
            l.inherited.iter().find(|(_, (ours, _))| *ours == stream).map(|(group, _)| *group)
        };
        if let Some(group) = self.links.get(&id).and_then(heir) {
            return self.disinherit(id, group, Cause::NotAuthenticated);
        }
        let Some(control) = self.take_control(id, stream) else {
            // A direct connection whose session never came.
            return self.abort(id, stream, reset::NO_SESSION);
        };
        let (opener, others) =
            (control.opener, self.links.get(&id).is_some_and(|l| l.has_session()));
        self.abort(id, stream, if opener { reset::CANCELLED } else { reset::NO_SESSION });
        self.control_ended(id, stream, &control, Cause::NotAuthenticated);
        if !opener && !others {
            self.close_link(id, close::NO_SESSION);
        }
    }

    fn is_itself(&self, id: LinkId, instance: InstanceId) -> bool {
        instance == self.instance && self.links.get(&id).is_some_and(|l| l.peer == self.own)
    }

    /// A newer run of the same node has come: its old links are dead, however alive they look.
    fn replace_previous(&mut self, id: LinkId, previous: InstanceId) {
        if previous == InstanceId::default() {
            return;
        }
        let Some(peer) = self.links.get(&id).map(|l| l.peer) else { return };
        let old = |(other, l): (LinkId, &crate::link::Link)| {
            (other != id && l.instance == Some(previous)).then_some(other)
        };
        let dead: Vec<LinkId> = self.links_to(Expect::Key(peer)).filter_map(old).collect();
        for link in dead {
            self.close_link(link, close::REPLACED);
        }
    }
}

//! Direct connections: what an application opens, sends on, and closes.
//!
//! [`table`] says what happens; this file says how. Each connection is one bidirectional stream inside a session. Messages
//! keep their boundaries and their order; a close is counted, so that "closed" means delivered.

mod audit;
mod budget;
mod connection;
#[cfg(feature = "mutations")]
pub(crate) mod mutations;
mod roll;
pub(crate) mod table;
mod wire;

use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

use crate::authority::Authority;
use crate::codec::{FRAGMENT_MAX, Frame, data_frame, refuse, reset};
use crate::error::Error;
use crate::event::{Cause, Connection, ConnectionChange, Event};
use crate::group::Life;
use crate::id::{Address, ConnectionId, GroupKey, Guid, InstanceId, KeyId};
use crate::io::{Expect, LinkId, Output, Payload, StreamId, Timer};
use crate::link::Role;
use crate::node::{ConnectionInfo, Node, Taken};
pub(crate) use budget::{Ghost, PeerBudget};
pub(crate) use connection::Direct;
pub(crate) use roll::Roll;
use table::{Action, Event as Step, State, step};

impl<A: Authority> Node<A> {
    pub(crate) fn start_direct(
        &mut self,
        key: GroupKey,
        expect: Expect,
        address: Address,
    ) -> Result<ConnectionId, Error> {
        let group = self.group(key)?;
        let online = group.life == Life::Online;
        let (all, with) = (group.directs.len(), group.directs.with(expect));
        if expect == Expect::Anyone {
            return Err(Error::InvalidArgument("a direct connection needs to know its peer"));
        }
        if !address.is_dialable() {
            return Err(Error::InvalidArgument("the address cannot be dialled"));
        }
        if self.is_ambiguous(key, expect) {
            return Err(Error::InvalidArgument("several members have this name, only keys differ"));
        }
        if !online {
            return Err(Error::NotReady);
        }
        let here = |a: &Address| a.ip == address.ip && a.port == address.port;
        if expect.admits(&self.own) && self.listening.iter().any(here) {
            return Err(Error::ConnectSelf);
        }
        if all >= self.limits.directs_per_group || with >= self.limits.directs_per_peer {
            return Err(Error::TooMany);
        }
        self.stats.directs_opened += 1;
        let id = self.add_direct(Direct::new(key, State::Dialing, expect, address));
        self.timer(Timer::Direct(id), self.limits.direct_open);
        match self.link_for(key, expect, address) {
            Some(link) => self.direct_link_up(id, link),
            None => self.dial_for_direct(address, expect, id),
        }
        Ok(id)
    }

    /// Whether an authority, 160 bits of a key's 256, is that of several members. Nobody makes a second key for somebody
    /// else's, but whoever tries 2^80 keys has two of its own; neither is to be taken for the other.
    fn is_ambiguous(&self, key: GroupKey, expect: Expect) -> bool {
        let (Expect::Authority(authority), Some(group)) = (expect, self.groups.get(&key)) else {
            return false;
        };
        let (mut first, mut last) = (KeyId([0; 32]), KeyId([0xff; 32]));
        first.0[..20].copy_from_slice(&authority);
        last.0[..20].copy_from_slice(&authority);
        group.members.range(first..=last).nth(1).is_some()
    }

    fn add_direct(&mut self, direct: Direct) -> ConnectionId {
        let id = self.fresh_connection();
        if let Some(group) = self.groups.get_mut(&direct.group) {
            group.directs.add(id, direct.whom());
        }
        self.directs.insert(id, Box::new(direct));
        id
    }

    /// A link to the peer, if the address is where it is, or one that its node announced.
    fn link_for(&self, key: GroupKey, expect: Expect, address: Address) -> Option<LinkId> {
        let group = self.groups.get(&key)?;
        let at = |a: &Address| a.ip == address.ip && a.port == address.port;
        let fits = |l: &&crate::link::Link| {
            let node = (l.peer, l.instance.unwrap_or_default());
            let announced = group.peers.get(&node).is_some_and(|p| p.announced.iter().any(at));
            l.usable() && (at(&l.remote) || announced)
        };
        self.links_to(expect).find(|(_, l)| fits(l)).map(|(id, _)| id)
    }

    /// The link for a connection stands: its session is offered, or joined, and the stream follows at once.
    pub(crate) fn direct_link_up(&mut self, id: ConnectionId, link: LinkId) {
        let Some(peer) = self.links.get(&link).map(|l| l.peer) else { return };
        let Some(direct) = self.directs.get_mut(&id) else { return };
        if !direct.whom().admits(&peer) {
            // No driver does that; nobody else is ever spoken to in the peer's place.
            return self.run(id, Step::SessionFailed, Cause::NotAuthenticated);
        }
        direct.link = Some(link);
        direct.meet(peer);
        let group = direct.group;
        self.start_session(link, group, false);
        let control = self.links.get(&link).and_then(|l| l.control(group));
        match control.map(|(stream, c)| (stream, c.opener || c.is_up(), c.is_up())) {
            Some((_, true, up)) => {
                self.run(id, Step::SessionUp, Cause::Orderly);
                if up {
                    self.direct_proved(id, group);
                }
            }
            Some((stream, false, _)) => {
                // The peer is proving itself; our proof is the answer to it.
                if let Some(control) = self.links.get_mut(&link).and_then(|l| l.control_mut(stream))
                {
                    control.waiting.push(id);
                }
            }
            None => self.run(id, Step::SessionFailed, Cause::NotAuthenticated),
        }
    }

    /// The session of a connection's link stands: its peer may answer now.
    pub(crate) fn direct_proved(&mut self, id: ConnectionId, group: GroupKey) {
        let Some(direct) = self.directs.get_mut(&id).filter(|d| d.group == group && !d.proved)
        else {
            return;
        };
        direct.proved = true;
        let Some(link) = direct.wire().and_then(|(link, _)| self.links.get(&link)) else { return };
        let node = (link.peer, link.instance.unwrap_or_default());
        if let Some(peer) = self.groups.get(&group).and_then(|g| g.peers.get(&node)) {
            direct.learn(peer.node, peer.message_max);
        }
        self.refill_direct(id);
    }

    /// The session that a connection relied on will not stand.
    pub(crate) fn direct_unproved(&mut self, id: ConnectionId, group: GroupKey, cause: Cause) {
        if self.directs.get(&id).is_some_and(|d| d.group == group && !d.proved) {
            self.run(id, Step::SessionFailed, cause);
        }
    }

    pub(crate) fn direct_link_lost(&mut self, id: ConnectionId, itself: bool) {
        let Some(direct) = self.directs.get_mut(&id) else { return };
        direct.stream = None;
        match (itself, direct.proved) {
            (true, _) => self.run(id, Step::SessionFailed, Cause::Itself),
            (false, false) => self.run(id, Step::SessionLost, Cause::NotAuthenticated),
            (false, true) => self.run(id, Step::SessionLost, Cause::Lost),
        }
    }

    /// The opens on a link that the peer gives up for another: it has not seen them, or it would not have closed it. They
    /// are as if they were not begun.
    pub(crate) fn take_unopened(&mut self, link: LinkId) -> Vec<ConnectionId> {
        let mut opens = self.links.get(&link).map(|l| l.direct_ids()).unwrap_or_default();
        opens.retain(|id| self.directs.get(id).is_some_and(|d| d.state == State::OpenSent));
        for id in &opens {
            let Some(direct) = self.directs.get_mut(id) else { continue };
            let wire = direct.take_wire();
            direct.state = State::Dialing;
            direct.link = None;
            direct.proved = false;
            direct.queued = 0;
            if let Some(stream) = wire.and_then(|(link, stream)| self.stream(link, stream)) {
                stream.role = Role::Spent;
            }
        }
        opens
    }

    /// Begins an open again, on the link that carries on between the same two nodes.
    pub(crate) fn open_elsewhere(&mut self, id: ConnectionId, instance: Option<InstanceId>) {
        let Some(direct) = self.directs.get(&id) else { return };
        let (whom, group) = (direct.whom(), direct.group);
        let survives = |l: &crate::link::Link| {
            l.usable()
                && (instance.is_none() || l.instance == instance)
                && l.control(group).is_some_and(|(_, c)| c.is_up())
        };
        // Of several runs of a peer the newest lives.
        let survivor =
            self.links_to(whom).filter(|(_, l)| survives(l)).last().map(|(link, _)| link);
        match survivor {
            Some(link) => self.direct_link_up(id, link),
            None => self.run(id, Step::SessionLost, Cause::NotAuthenticated),
        }
    }

    pub(crate) fn direct_reset(&mut self, id: ConnectionId, code: u64) {
        let proved = self.directs.get(&id).is_some_and(|d| d.proved);
        let cause = match code {
            reset::NO_SESSION if !proved => Cause::NotAuthenticated,
            reset::MEMBERSHIP => Cause::Expired,
            reset::REVOKED => Cause::Revoked,
            _ => Cause::Aborted,
        };
        self.run(id, Step::Reset, cause);
    }

    pub(crate) fn end_direct(&mut self, key: GroupKey, id: ConnectionId) -> Result<(), Error> {
        let direct =
            self.directs.get(&id).filter(|d| d.group == key).ok_or(Error::ConnectionNotFound)?;
        let (actions, _) = step(direct.state, Step::LocalClose);
        if !actions.contains(&Action::Ok) {
            return Err(Error::ConnectionNotFound);
        }
        self.run(id, Step::LocalClose, Cause::Cancelled);
        if self.limits.direct_linger == 0 {
            self.run(id, Step::DrainTimer, Cause::Unconfirmed);
        }
        Ok(())
    }

    pub(crate) fn send_direct(
        &mut self,
        key: GroupKey,
        id: ConnectionId,
        kind: Guid,
        mut bytes: Bytes,
    ) -> Result<(), Error> {
        let limits = (
            self.limits.message,
            self.limits.send_queue,
            self.limits.fragment.clamp(1, FRAGMENT_MAX),
        );
        let direct = self
            .directs
            .get_mut(&id)
            .filter(|d| d.group == key)
            .ok_or(Error::ConnectionNotFound)?;
        let (Some((link, stream)), (&[Action::Queue], _)) =
            (direct.wire(), step(direct.state, Step::Send))
        else {
            return Err(Error::ConnectionNotFound);
        };
        if bytes.len() > limits.0.min(direct.message_max as usize) {
            self.stats.messages_unsendable += 1;
            return Err(Error::InvalidArgument("the message is longer than both sides accept"));
        }
        if direct.queued > 0 && direct.queued + bytes.len() > limits.1 {
            direct.starved = true;
            self.stats.messages_unsendable += 1;
            return Err(Error::QueueFull);
        }
        direct.sent += 1;
        self.stats.messages_sent += 1;
        self.stats.message_bytes_sent += bytes.len() as u64;
        loop {
            let fragment = bytes.split_to(bytes.len().min(limits.2));
            let more = !bytes.is_empty();
            let (head, body) = data_frame(kind, more, Payload::One(fragment));
            direct.queued += head.as_slice().len() + body.len();
            self.out.push_back(Output::Write { link, stream, head, body });
            if !more {
                return Ok(());
            }
        }
    }

    pub(crate) fn direct_sent(&mut self, id: ConnectionId, bytes: usize) {
        let room = self.limits.send_queue / 2;
        let Some(direct) = self.directs.get_mut(&id) else { return };
        direct.queued = direct.queued.saturating_sub(bytes);
        if direct.queued <= room
            && direct.state == State::Open
            && core::mem::take(&mut direct.starved)
        {
            let group = direct.group;
            self.event(group, Event::Writable(id));
        }
    }

    pub(crate) fn on_direct_timer(&mut self, id: ConnectionId) {
        let Some(direct) = self.directs.get(&id) else { return };
        match direct.state {
            State::LocalClosing => self.run(id, Step::DrainTimer, Cause::Unconfirmed),
            State::RemoteClosed => self.run(id, Step::Taken, Cause::Orderly),
            State::OpenSent if !direct.proved => {
                self.run(id, Step::OpenTimer, Cause::NotAuthenticated)
            }
            _ => self.run(id, Step::OpenTimer, Cause::Timeout),
        }
    }

    /// The application has taken something out of its queues.
    pub(crate) fn on_taken(&mut self, key: GroupKey, id: ConnectionId, what: Taken) {
        match what {
            Taken::Data { bytes } => self.data_taken(id, bytes),
            Taken::Disconnected => {
                if self
                    .directs
                    .get(&id)
                    .is_some_and(|d| d.group == key && d.state == State::RemoteClosed)
                {
                    self.run(id, Step::Taken, Cause::Orderly);
                }
            }
        }
    }

    /// A peer's DC_OPEN in a session that stands: accepted if an application wants it and the limits allow.
    pub(crate) fn admit_direct(&mut self, key: GroupKey, link: LinkId, stream: StreamId) {
        let Some(l) = self.links.get(&link) else { return };
        let (peer, remote, node) = (l.peer, l.remote, (l.peer, l.instance.unwrap_or_default()));
        let Some(group) = self.groups.get(&key) else { return };
        let wanted = group.accept_direct && group.life == Life::Online;
        let room = group.directs.len() < self.limits.directs_per_group
            && group.directs.with(Expect::Key(peer)) < self.limits.directs_per_peer;
        let mut direct = Direct::new(key, State::Admitting, Expect::Key(peer), remote);
        direct.meet(peer);
        (direct.link, direct.stream) = (Some(link), Some(stream));
        direct.proved = true;
        if let Some(entry) = group.peers.get(&node) {
            direct.learn(entry.node, entry.message_max);
        }
        let id = self.add_direct(direct);
        if let Some(s) = self.stream(link, stream) {
            s.role = Role::Direct(id);
        }
        if wanted && room {
            self.stats.opens_accepted += 1;
            self.run(id, Step::Admitted, Cause::Orderly);
        } else {
            let reason = if wanted { refuse::LIMIT } else { refuse::NOT_ALLOWED };
            self.stats.opens_refused += 1;
            self.run(id, Step::Declined, Cause::Refused(reason));
        }
    }

    pub(crate) fn run(&mut self, id: ConnectionId, event: Step, cause: Cause) {
        self.run_with(id, event, cause, None);
    }

    /// One event through the table: its actions, then what the new state needs. `message` is the one that came with it.
    fn run_with(
        &mut self,
        id: ConnectionId,
        event: Step,
        cause: Cause,
        mut message: Option<(Guid, Payload)>,
    ) {
        let Some(direct) = self.directs.get_mut(&id) else { return };
        let was = direct.state;
        let (actions, next) = step(was, event);
        #[cfg(feature = "mutations")]
        let (actions, next) = mutations::patched(self.patch, was, event).unwrap_or((actions, next));
        direct.state = next;
        for action in actions {
            match action {
                Action::Deliver => self.deliver(id, message.take()),
                Action::Discard => self.stats.messages_discarded += 1,
                action => self.act(id, *action, cause),
            }
        }
        if event == Step::SessionLost {
            // The stream of a session that ended is worth nothing, though its link may stand.
            self.reset_direct(id, reset::NO_SESSION);
        }
        if next == was {
            return;
        }
        match next {
            State::Open => {
                self.timers.cancel(Timer::Direct(id));
                self.refill_direct(id);
            }
            State::LocalClosing => {
                self.timer(Timer::Direct(id), self.limits.direct_linger);
                // The acknowledgement comes behind what the application has not made room for.
                self.refill_direct(id);
            }
            State::RemoteClosed => {
                self.timer(Timer::Direct(id), self.limits.direct_listed);
                self.detach(id);
            }
            State::Closed => self.remove_direct(id),
            State::Dialing | State::OpenSent | State::Admitting => {}
        }
    }

    fn act(&mut self, id: ConnectionId, action: Action, cause: Cause) {
        let Some(direct) = self.directs.get(&id) else { return };
        let (sent, delivered) = (direct.sent, direct.delivered);
        match action {
            Action::SendOpen => self.send_open(id),
            Action::SendAccept => self.reply(id, &Frame::DcAccept),
            Action::SendRefuse => {
                let reason = match cause {
                    Cause::Refused(reason) => reason,
                    _ => refuse::NOT_ALLOWED,
                };
                self.reply(id, &Frame::DcRefuse { reason });
                self.finish_direct(id);
            }
            Action::SendClose => self.reply(id, &Frame::DcClose { count: sent }),
            Action::SendAck => self.reply(id, &Frame::DcCloseAck { count: delivered }),
            Action::Fin => self.finish_direct(id),
            Action::Reset => self.reset_direct(id, reset_code(cause)),
            Action::Forget => {
                if let Some((link, stream)) = direct.wire() {
                    self.push(Output::Forget { link, stream });
                }
            }
            Action::Redial => self.redial(id, cause),
            Action::Connected => self.tell(id, ConnectionChange::Connected, Cause::Orderly),
            Action::Failed => self.tell(id, ConnectionChange::Failed, cause),
            Action::Disconnected => self.tell(id, ConnectionChange::Disconnected, cause),
            Action::Penalty => {
                if let Some(link) = direct.link {
                    self.violation(link);
                }
            }
            // The caller does these, or answers with them.
            Action::Deliver | Action::Discard | Action::Queue | Action::Ok | Action::NotFound => {}
        }
    }

    fn tell(&mut self, id: ConnectionId, change: ConnectionChange, cause: Cause) {
        match change {
            ConnectionChange::Connected => self.stats.directs_connected += 1,
            ConnectionChange::Disconnected => self.stats.directs_disconnected += 1,
            ConnectionChange::Failed => self.stats.directs_failed += 1,
        }
        let Some(direct) = self.directs.get(&id) else { return };
        let connection = Connection { id, change, peer: direct.peer(), node: direct.node, cause };
        let group = direct.group;
        self.event(group, Event::Direct(connection));
    }

    fn send_open(&mut self, id: ConnectionId) {
        let Some(direct) = self.directs.get(&id) else { return };
        let group = direct.group;
        let Some(link) = direct.link else { return };
        let Some(tag) =
            self.links.get(&link).and_then(|l| l.control(group)).map(|(_, c)| c.tag_out)
        else {
            return;
        };
        let Some(stream) = self.open_stream(link, Role::Direct(id), 0) else { return };
        if let Some(direct) = self.directs.get_mut(&id) {
            direct.stream = Some(stream);
        }
        self.reply(id, &Frame::DcOpen { tag });
    }

    fn reply(&mut self, id: ConnectionId, frame: &Frame) {
        let (head, body) = frame.encode();
        let Some(direct) = self.directs.get_mut(&id) else { return };
        direct.queued += head.as_slice().len() + body.len();
        if let Some((link, stream)) = direct.wire() {
            self.push(Output::Write { link, stream, head, body });
        }
    }

    fn redial(&mut self, id: ConnectionId, cause: Cause) {
        let Some(direct) = self.directs.get_mut(&id) else { return };
        if core::mem::replace(&mut direct.redialled, true) {
            return self.run(id, Step::SessionFailed, cause);
        }
        direct.link = None;
        let (address, expect) = (direct.address, direct.whom());
        self.dial_for_direct(address, expect, id);
    }

    fn finish_direct(&mut self, id: ConnectionId) {
        if let Some((link, stream)) = self.directs.get(&id).and_then(|d| d.wire()) {
            self.finish(link, stream);
        }
    }

    fn reset_direct(&mut self, id: ConnectionId, code: u64) {
        if let Some((link, stream)) = self.directs.get_mut(&id).and_then(|d| d.take_wire()) {
            self.abort(link, stream, code);
        }
    }

    /// The stream no longer belongs to the connection; it ends by itself.
    fn detach(&mut self, id: ConnectionId) {
        self.forget_partial(id);
        if let Some((link, stream)) = self.directs.get_mut(&id).and_then(|d| d.take_wire()) {
            // The end of the peer's side is read only while there is credit for something before it.
            if self.stream(link, stream).is_some_and(|s| s.credit == 0) {
                self.credit(link, stream, 1);
            }
            self.spend(link, stream);
        }
    }

    fn remove_direct(&mut self, id: ConnectionId) {
        self.timers.cancel(Timer::Direct(id));
        self.cancel_direct_dial(id);
        self.detach(id);
        let Some(direct) = self.directs.remove(&id) else { return };
        if let (Some(peer), true) = (direct.peer(), direct.unread > 0) {
            self.ghosts.insert(id, Ghost { group: direct.group, peer, unread: direct.unread });
        }
        if let Some(group) = self.groups.get_mut(&direct.group) {
            group.directs.remove(id, direct.whom());
        }
        if let Some(link) = direct.link {
            self.release_idle(link);
        }
        self.closing_progress(direct.group);
    }

    pub(crate) fn listed_directs(&self, key: GroupKey) -> Vec<ConnectionInfo> {
        let info = |id: &ConnectionId| {
            let d = self.directs.get(id).filter(|d| d.is_listed())?;
            Some(ConnectionInfo { id: *id, peer: d.peer()?, node: d.node, address: d.address })
        };
        let group = self.groups.get(&key).into_iter();
        group.flat_map(|g| g.directs.iter().filter_map(info)).collect()
    }
}

fn reset_code(cause: Cause) -> u64 {
    match cause {
        Cause::Protocol => reset::VIOLATION,
        Cause::Unconfirmed => reset::EXPIRED,
        Cause::Expired => reset::MEMBERSHIP,
        Cause::Revoked => reset::REVOKED,
        Cause::NotAuthenticated | Cause::Verdict(_) => reset::NO_SESSION,
        _ => reset::CANCELLED,
    }
}

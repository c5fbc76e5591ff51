//! Joining by password: whoever has no membership yet, but knows the group's password, gets one from a member.
//!
//! The joiner opens the control stream with its hello and a first message instead of a proof. Each side then proves to
//! the other that it knows the password; only after both have does the member issue a membership, if it may. A group that
//! is not here, or has no password, answers like any other. See [`Authority`] for what the messages are.

mod tries;

use alloc::vec::Vec;
use bytes::Bytes;

use crate::authority::{Authority, Roles};
use crate::codec::{Frame, ISSUERS_MAX, REFERRAL_ADDRESSES_MAX, Referral, refuse, reset};
use crate::event::{Cause, Event};
use crate::group::Group;
use crate::id::{Address, GroupKey, InstanceId, KeyId, NodeId};
use crate::io::{LinkId, StreamId, Timer};
use crate::node::Node;
use crate::session::Phase;
pub(crate) use tries::Tries;

/// How far an exchange of passwords on a control stream has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Joining: our share is out.
    Asked,
    /// Joining: the member knows the password; our confirmation is out.
    Confirmed,
    /// Admitting: the share is here; the answer waits for its turn.
    Waiting { share: Bytes },
    /// Admitting: our answer is out.
    Answered,
}

impl Stage {
    pub(crate) fn may_read(&self) -> bool {
        !matches!(self, Stage::Waiting { .. })
    }

    /// Whether a peer is proving itself.
    pub(crate) fn is_admitting(&self) -> bool {
        matches!(self, Stage::Waiting { .. } | Stage::Answered)
    }
}

/// What the authority keeps something secret for.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    number: u64,
    /// What the joiner's password is compared with, if there is anything.
    verifier: Option<Bytes>,
    /// Whom to tell if it comes to nothing: a joiner that has our answer has had its guess.
    guessing: Option<(GroupKey, KeyId, Address)>,
}

impl Group {
    /// Whether our own membership is still to be gained.
    pub(crate) fn is_pending(&self) -> bool {
        self.own.chain.is_empty()
    }
}

impl<A: Authority> Node<A> {
    /// The first message of an exchange with the peer of a link, and the exchange; `None` if there is no password.
    pub(crate) fn begin_by_password(
        &mut self,
        id: LinkId,
        group: &KeyId,
    ) -> Option<(Frame, Exchange)> {
        let (peer, binding) = self.links.get(&id).map(|l| (l.peer, l.binding))?;
        if !self.authority.awaits_password(group) || self.has_no_room_for_exchanges() {
            return None;
        }
        let (number, entropy) = (self.fresh_id(), self.entropy());
        let session = self.authority.session(&binding, group);
        let share = self.authority.password_start(number, group, &session, &peer, entropy)?;
        Some((Frame::PakeShare(share), Exchange { number, verifier: None, guessing: None }))
    }

    /// The first message is out on this stream.
    pub(crate) fn begun_by_password(&mut self, id: LinkId, stream: StreamId, exchange: Exchange) {
        self.exchanges.insert((id, stream), exchange);
        self.timer(Timer::Proof(id, stream), self.limits.proof);
        self.give_link_time(id);
    }

    /// A frame of an exchange. False: it means nothing here.
    pub(crate) fn on_password_frame(&mut self, id: LinkId, stream: StreamId, frame: Frame) -> bool {
        let Some(control) = self.links.get_mut(&id).and_then(|l| l.control_mut(stream)) else {
            return true;
        };
        match (&control.phase, frame) {
            (Phase::AwaitProof { .. }, Frame::PakeShare(share)) => {
                self.on_share(id, stream, share);
            }
            (Phase::Password(Stage::Asked), Frame::PakeAnswer(answer)) => {
                self.on_answer(id, stream, &answer);
            }
            (Phase::Password(Stage::Answered), Frame::PakeConfirm(confirmation)) => {
                self.on_confirmation(id, stream, &confirmation);
            }
            (Phase::Password(Stage::Confirmed), Frame::YourGmc(chain)) => {
                self.on_membership(id, stream, &chain);
            }
            (Phase::Password(Stage::Confirmed), Frame::CannotIssue(issuers)) => {
                self.on_cannot_issue(id, stream, issuers);
            }
            _ => return false,
        }
        true
    }

    /// Admitting: a joiner asks. It is answered at once, or later if there were too many tries.
    fn on_share(&mut self, id: LinkId, stream: StreamId, share: Bytes) {
        let now = self.now.tick;
        let Some(link) = self.links.get_mut(&id) else { return };
        let (peer, remote) = (link.peer, link.remote);
        let Some(control) = link.control_mut(stream) else { return };
        control.phase = Phase::Password(Stage::Waiting { share });
        let group = control.group;
        self.stats.proofs_received += 1;
        self.timer(Timer::Proof(id, stream), self.limits.password);
        self.give_link_time(id);
        let due = self.tries.reserve(&peer, &remote, &self.limits, now);
        if due == Some(now) {
            return self.answer_share(id, stream);
        }
        self.stats.proofs_delayed += 1;
        if let Some(group) = group {
            self.event(group, Event::PasswordDelayed { peer, remote });
        }
        // Whose turn would come too late is ended by the timer for the proof.
        if let Some(due) = due {
            self.timers.set(Timer::Verdict(id, stream), due);
        }
    }

    /// Admitting: a share's turn has come.
    pub(crate) fn answer_share(&mut self, id: LinkId, stream: StreamId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (peer, remote, binding) = (link.peer, link.remote, link.binding);
        let Some(control) = link.control_mut(stream) else { return };
        let (Phase::Password(Stage::Waiting { share }), group) = (&control.phase, control.group)
        else {
            return;
        };
        let share = share.clone();
        if self.has_no_room_for_exchanges() {
            return self.refuse_later(id, stream);
        }
        let (number, entropy) = (self.fresh_id(), self.entropy());
        let known = group.and_then(|key| self.groups.get(&key)).and_then(|group| {
            let password = group.objects.properties.as_ref()?.password.as_ref()?;
            Some((group.key, password.verifier.clone()))
        });
        let session = known.as_ref().map(|(key, _)| self.authority.session(&binding, key));
        let answer = self.authority.password_answer(
            number,
            known.as_ref().map(|(key, verifier)| (key, &verifier[..])),
            &session.unwrap_or_default(),
            &peer,
            &share,
            entropy,
        );
        let Ok(answer) = answer else { return self.refuse_later(id, stream) };
        let guessing = group.map(|group| (group, peer, remote));
        let verifier = known.map(|(_, verifier)| verifier);
        self.exchanges.insert((id, stream), Exchange { number, verifier, guessing });
        if let Some(control) = self.links.get_mut(&id).and_then(|l| l.control_mut(stream)) {
            control.phase = Phase::Password(Stage::Answered);
        }
        self.write(id, stream, &Frame::PakeAnswer(answer));
        self.refill(id, stream);
    }

    /// Joining: the member's answer shows whether it knows the password.
    fn on_answer(&mut self, id: LinkId, stream: StreamId, answer: &[u8]) {
        let Some(number) = self.exchanges.get(&(id, stream)).map(|e| e.number) else { return };
        if let Ok(confirmation) = self.authority.password_confirm(number, answer) {
            if let Some(control) = self.links.get_mut(&id).and_then(|l| l.control_mut(stream)) {
                control.phase = Phase::Password(Stage::Confirmed);
            }
            // Each answer may take as long as one to a proof: others are there to be asked.
            self.timer(Timer::Proof(id, stream), self.limits.proof);
            return self.write(id, stream, &Frame::PakeConfirm(confirmation));
        }
        let Some((peer, remote)) = self.links.get(&id).map(|l| (l.peer, l.remote)) else { return };
        let Some(control) = self.take_control(id, stream) else { return };
        if let Some(group) = control.group {
            self.event(group, Event::PasswordRejected { peer, remote });
        }
        self.abort(id, stream, reset::PROOF);
        self.control_ended(id, stream, &control, Cause::NotAuthenticated);
    }

    /// Admitting: the joiner's confirmation. Whoever knows the password gets a membership, or hears who issues them.
    fn on_confirmation(&mut self, id: LinkId, stream: StreamId, confirmation: &[u8]) {
        let Some(exchange) = self.exchanges.get(&(id, stream)) else { return };
        let (number, verifier) = (exchange.number, exchange.verifier.clone());
        let checked = self.authority.password_check(number, confirmation);
        let Some(link) = self.links.get_mut(&id) else { return };
        let (peer, remote) = (link.peer, link.remote);
        let group = link.control_mut(stream).and_then(|control| control.group);
        let (Some(group), Ok(())) = (group, checked) else {
            return self.refuse_later(id, stream);
        };
        self.tries.forgive(&peer, &remote);
        if let Some(exchange) = self.exchanges.get_mut(&(id, stream)) {
            exchange.guessing = None;
        }
        let Some(frame) = self.admit(group, &peer, number, verifier) else {
            return self.refuse_later(id, stream);
        };
        self.write(id, stream, &frame);
        self.stats.proofs_accepted += 1;
        self.end_exchange(id, stream);
        let Some(control) = self.links.get_mut(&id).and_then(|l| l.control_mut(stream)) else {
            return;
        };
        // With its membership it proves itself as anybody does.
        control.phase = Phase::AwaitProof { may_read: true };
        self.timer(Timer::Proof(id, stream), self.limits.proof);
        if let Frame::CannotIssue(_) = frame {
            let Some(control) = self.take_control(id, stream) else { return };
            self.finish(id, stream);
            self.control_ended(id, stream, &control, Cause::NotAuthenticated);
        }
    }

    /// What a joiner gets who knows the password; `None` for one whose memberships are taken back, and if the password
    /// was changed in the meantime.
    fn admit(
        &mut self,
        key: GroupKey,
        peer: &KeyId,
        number: u64,
        verifier: Option<Bytes>,
    ) -> Option<Frame> {
        let wall = self.now.wall;
        let group = self.groups.get(&key)?;
        let password = group.objects.properties.as_ref()?.password.as_ref()?;
        let role = password.role;
        if verifier.as_ref() != Some(&password.verifier) {
            return None;
        }
        let issued = match group.is_in_force(&group.own, wall) {
            true => self.authority.password_issue(number, role, &wall).ok(),
            false => None,
        };
        let Some(chain) = issued else {
            return Some(Frame::CannotIssue(self.issuers(key, peer, role)));
        };
        let member = self.authority.verify_member(&group.key, &chain, peer, &wall).ok()?;
        group.is_in_force(&member, wall).then_some(Frame::YourGmc(chain))
    }

    /// Members that may issue memberships of this role: first those who are here.
    fn issuers(&self, key: GroupKey, newcomer: &KeyId, role: Roles) -> Vec<Referral> {
        let Some(group) = self.groups.get(&key) else { return Vec::new() };
        let may = |peer: &KeyId| {
            let known = group.members.get(peer);
            known.is_some_and(|known| known.member.roles.grantable().contains(role))
        };
        let mut found = self.referrals(key, (*newcomer, InstanceId::default()));
        found.retain(|referral| may(&referral.key));
        for (peer, addresses) in &group.book {
            if may(peer) && !found.iter().any(|referral| referral.key == *peer) {
                let addresses = addresses.iter().take(REFERRAL_ADDRESSES_MAX).copied().collect();
                found.push(Referral { key: *peer, node: NodeId::default(), addresses });
            }
        }
        found.truncate(ISSUERS_MAX);
        found
    }

    /// Joining: the membership has come. Everything goes on as with any other.
    fn on_membership(&mut self, id: LinkId, stream: StreamId, chain: &Bytes) {
        let wall = self.now.wall;
        let Some(link) = self.links.get_mut(&id) else { return };
        let (peer, remote) = (link.peer, link.remote);
        let Some(key) = link.control_mut(stream).and_then(|control| control.group) else { return };
        let Some(group) = self.groups.get(&key) else { return };
        let pending = group.is_pending();
        match self.authority.verify_member(&group.key, chain, &self.own, &wall) {
            Ok(member) => {
                if pending {
                    self.adopt(key, member);
                }
                self.show_membership(id, stream, key);
            }
            Err(refusal) => {
                self.event(key, Event::Refused { peer, remote, refusal });
                let Some(control) = self.take_control(id, stream) else { return };
                self.abort(id, stream, reset::PROOF);
                self.control_ended(id, stream, &control, Cause::Verdict(refusal));
            }
        }
    }

    /// Joining: what was asked by password goes on with our membership.
    fn show_membership(&mut self, id: LinkId, stream: StreamId, key: GroupKey) {
        self.end_exchange(id, stream);
        let own = self.groups.get(&key).and_then(|group| self.authority.own_chain(&group.key));
        let control = self.links.get_mut(&id).and_then(|l| l.control_mut(stream));
        if let (Some(own), Some(control)) = (own, control) {
            control.phase = Phase::Offered;
            self.write(id, stream, &Frame::MemberProof(own));
            self.timer(Timer::Proof(id, stream), self.limits.proof);
        }
        self.search(key);
    }

    /// Joining: whether a member is being asked. One at a time: each would issue a membership, and of all but one a wrong
    /// password would be told.
    pub(crate) fn is_asking(&self, key: GroupKey) -> bool {
        let asks = |l: &crate::link::Link| {
            let control = l.control(key);
            control.is_some_and(|(_, c)| c.opener && matches!(c.phase, Phase::Password(_)))
        };
        self.groups.get(&key).is_some_and(Group::is_pending) && self.links.values().any(asks)
    }

    /// Joining: the member believes us, but makes no members. Others may.
    fn on_cannot_issue(&mut self, id: LinkId, stream: StreamId, issuers: Vec<Referral>) {
        let Some(control) = self.take_control(id, stream) else { return };
        self.finish(id, stream);
        if let Some(group) = control.group {
            self.take_referrals(group, id, issuers);
        }
        self.control_ended(id, stream, &control, Cause::Refused(refuse::BUSY));
    }

    /// Whatever ended a stream, the authority forgets what it kept for the exchange on it.
    pub(crate) fn end_exchange(&mut self, id: LinkId, stream: StreamId) {
        let Some(exchange) = self.exchanges.remove(&(id, stream)) else { return };
        self.authority.password_end(exchange.number);
        let Some((group, peer, remote)) = exchange.guessing else { return };
        if self.groups.get(&group).is_some_and(|g| g.life.admits_sessions()) {
            self.event(group, Event::PasswordFailed { peer, remote });
        }
    }

    /// An exchange takes longer than a proof. A link has that time once, however often it is tried.
    fn give_link_time(&mut self, id: LinkId) {
        let time = self.limits.password;
        let Some(link) = self.links.get(&id) else { return };
        let end = link.up + self.limits.handshake + time;
        if self.timers.at(Timer::Handshake(id)).is_some_and(|at| at < end) {
            self.timers.set(Timer::Handshake(id), end);
        }
    }

    fn has_no_room_for_exchanges(&self) -> bool {
        self.exchanges.len() >= self.limits.password_exchanges
    }

    fn entropy(&mut self) -> [u8; 32] {
        let mut entropy = [0; 32];
        for part in entropy.chunks_exact_mut(8) {
            part.copy_from_slice(&self.random().to_be_bytes());
        }
        entropy
    }
}

//! Frames of a direct connection, as they arrive.

use super::budget::charge;
use super::table::{Event as Step, State};
use crate::authority::Authority;
use crate::codec::{Frame, reset};
use crate::event::{Cause, Event};
use crate::id::{ConnectionId, Guid};
use crate::io::{LinkId, Payload, StreamId, Timer};
use crate::link::Role;
use crate::node::Node;

impl<A: Authority> Node<A> {
    /// DC_OPEN on a new stream: decided at once in a session that stands, else held until it does.
    pub(crate) fn on_dc_open(&mut self, id: LinkId, stream: StreamId, tag: [u8; 16]) {
        self.stats.opens_received += 1;
        let Some(link) = self.links.get_mut(&id) else { return };
        let up = |group: &&crate::id::GroupKey| {
            link.control(**group).is_some_and(|(_, c)| c.is_up() && c.tag_in == tag)
        };
        if let Some(group) = link.controls.keys().find(up).copied() {
            return self.admit_direct(group, id, stream);
        }
        let held = link.streams.values().filter(|s| matches!(s.role, Role::Held(_))).count();
        if held >= self.limits.held_opens_per_link {
            self.stats.opens_dropped += 1;
            return self.abort(id, stream, reset::NO_SESSION);
        }
        if let Some(s) = link.streams.get_mut(&stream) {
            s.role = Role::Held(tag.into());
        }
        self.timer(Timer::Proof(id, stream), self.limits.proof);
    }

    pub(crate) fn on_direct_frame(&mut self, id: ConnectionId, frame: Frame) {
        let Some(direct) = self.directs.get(&id) else { return };
        let whole = !direct.has_begun();
        let (received, sent) = (direct.received, direct.sent);
        match frame {
            Frame::DcAccept => self.run(id, Step::Accept, Cause::Protocol),
            Frame::DcRefuse { reason } => self.run(id, Step::Refuse, refused(direct.state, reason)),
            Frame::DcData { kind, more, payload } => self.on_data(id, kind, more, payload),
            // No acceptor closes before it has accepted: whatever it counts, it has declined.
            Frame::DcClose { .. } if direct.state == State::OpenSent => {
                self.run(id, Step::Close, Cause::Refused(0));
            }
            Frame::DcClose { count } if count == received && whole => {
                self.run(id, Step::Close, Cause::Orderly)
            }
            Frame::DcCloseAck { count } if count == sent => {
                self.run(id, Step::AckFull, acknowledged(direct.state, true))
            }
            Frame::DcCloseAck { count } if count < sent => {
                self.run(id, Step::AckShort, acknowledged(direct.state, false));
            }
            _ => self.run(id, Step::Violation, Cause::Protocol),
        }
    }

    fn on_data(&mut self, id: ConnectionId, kind: Guid, more: bool, payload: Payload) {
        let max = self.limits.message;
        let Some(direct) = self.directs.get_mut(&id) else { return };
        if !matches!(direct.state, State::Open | State::LocalClosing) {
            return self.run(id, Step::Data, Cause::Protocol);
        }
        let keep = direct.state == State::Open;
        let length = direct.begun_len() + payload.len();
        if !direct.is_of(kind) || length > max {
            return self.run(id, Step::Violation, Cause::Protocol);
        }
        if more {
            return direct.add(kind, payload, keep);
        }
        let message = direct.complete(payload);
        direct.received += 1;
        self.stats.messages_received += 1;
        self.stats.message_bytes_received += length as u64;
        self.run_with(id, Step::Data, Cause::Orderly, Some((kind, message)));
    }

    /// The whole message goes to the application.
    pub(super) fn deliver(&mut self, id: ConnectionId, message: Option<(Guid, Payload)>) {
        let Some(direct) = self.directs.get_mut(&id) else { return };
        let Some((kind, payload)) = message else { return };
        let bytes = payload.len();
        direct.delivered += 1;
        self.stats.messages_delivered += 1;
        let (group, peer) = (direct.group, direct.peer().unwrap_or(crate::id::KeyId([0; 32])));
        self.count_unread(id, bytes);
        debug_assert!(charge(bytes) > bytes, "an empty message has a charge");
        self.event(group, Event::Data { id, peer, kind, payload });
    }
}

fn refused(state: State, reason: u64) -> Cause {
    if state == State::OpenSent { Cause::Refused(reason) } else { Cause::Protocol }
}

fn acknowledged(state: State, full: bool) -> Cause {
    match (state, full) {
        (State::LocalClosing, true) => Cause::Orderly,
        (State::LocalClosing, false) => Cause::Unconfirmed,
        _ => Cause::Protocol,
    }
}

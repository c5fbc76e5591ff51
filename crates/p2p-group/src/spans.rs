//! What the log says of a group, its neighbours and its direct connections, within spans that name them.
//!
//! `group{group=… own=…}:direct{direct=… peer=…}`: keys by their first eight digits, connections by this node's numbers. Bytes,
//! names and addresses that come from peers are in none of them. What happens is logged at DEBUG, single messages at TRACE.

use std::fmt;

use p2p_core::{
    Code, Connection, ConnectionChange, ConnectionId, Event, Expect, KeyId, MemberChange, Status,
};
use tracing::field::Empty;
use tracing::{Level, Span, debug, debug_span, trace};

/// An open group of this process, as the log names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) group: KeyId,
    pub(crate) own: KeyId,
}

impl Place {
    /// The span of the group.
    pub(crate) fn span(self) -> Span {
        debug_span!("group", group = %Short(self.group), own = %Short(self.own))
    }

    /// The same where somebody else's thread says what happened, within spans that have nothing to do with it.
    fn root(self) -> Span {
        debug_span!(parent: None, "group", group = %Short(self.group), own = %Short(self.own))
    }

    /// A direct connection is being opened from here.
    pub(crate) fn opening(self, id: ConnectionId, target: Expect) {
        if tracing::enabled!(Level::DEBUG) {
            direct(self.span(), id, target_key(target), || debug!("opening"));
        }
    }

    /// A direct connection is being closed from here.
    pub(crate) fn closing(self, id: ConnectionId, peer: Option<KeyId>) {
        if tracing::enabled!(Level::DEBUG) {
            direct(self.span(), id, peer, || debug!("closing"));
        }
    }

    /// A message was queued for sending.
    pub(crate) fn sent(self, id: ConnectionId, peer: Option<KeyId>, bytes: usize) {
        if tracing::enabled!(Level::TRACE) {
            direct(self.span(), id, peer, || trace!(bytes, "message sent"));
        }
    }
}

/// What the log has to say of an event: taken while the node is locked, said when it is not.
#[derive(Debug)]
pub(crate) enum Note {
    Status(Status),
    ConnectionFailed(Code),
    Neighbour(Connection),
    Direct(Connection),
    Received { id: ConnectionId, peer: KeyId, bytes: usize },
    Member { change: MemberChange, key: KeyId },
}

impl Note {
    /// `None` if nobody listens, or there is nothing to say.
    pub(crate) fn of(event: &Event) -> Option<Note> {
        if !tracing::enabled!(Level::DEBUG) {
            return None;
        }
        match event {
            Event::Status(status) => Some(Note::Status(*status)),
            Event::ConnectionFailed { reason } => Some(Note::ConnectionFailed(*reason)),
            Event::Neighbour(connection) => Some(Note::Neighbour(connection.clone())),
            Event::Direct(connection) => Some(Note::Direct(connection.clone())),
            Event::Data { id, peer, payload, .. } if tracing::enabled!(Level::TRACE) => {
                Some(Note::Received { id: *id, peer: *peer, bytes: payload.len() })
            }
            Event::Member { change, member } => {
                Some(Note::Member { change: *change, key: member.key })
            }
            _ => None,
        }
    }

    /// Says it. No lock may be held: whoever listens writes to a terminal or a disk.
    pub(crate) fn say(&self, place: Place) {
        match self {
            Note::Status(Status { listening, connected }) => {
                place.root().in_scope(|| debug!(listening, connected, "status"));
            }
            Note::ConnectionFailed(code) => {
                place.root().in_scope(|| debug!(%code, "connecting failed"));
            }
            Note::Neighbour(c) => neighbour(place.root(), c.id, c.peer, || changed(c)),
            Note::Direct(c) => direct(place.root(), c.id, c.peer, || changed(c)),
            Note::Received { id, peer, bytes } => {
                direct(place.root(), *id, Some(*peer), || trace!(bytes, "message received"));
            }
            Note::Member { change, key } => {
                place.root().in_scope(|| debug!(peer = %Short(*key), ?change, "member"));
            }
        }
    }
}

fn direct(group: Span, id: ConnectionId, peer: Option<KeyId>, say: impl FnOnce()) {
    group.in_scope(|| within(debug_span!("direct", direct = id.0, peer = Empty), peer, say));
}

fn neighbour(group: Span, id: ConnectionId, peer: Option<KeyId>, say: impl FnOnce()) {
    group.in_scope(|| within(debug_span!("neighbour", neighbour = id.0, peer = Empty), peer, say));
}

fn changed(connection: &Connection) {
    let cause = connection.cause;
    match connection.change {
        ConnectionChange::Connected => debug!("connected"),
        ConnectionChange::Disconnected => debug!(?cause, "ended"),
        ConnectionChange::Failed => debug!(?cause, "failed"),
    }
}

fn within(span: Span, peer: Option<KeyId>, say: impl FnOnce()) {
    if let Some(peer) = peer {
        span.record("peer", tracing::field::display(Short(peer)));
    }
    span.in_scope(say);
}

/// The key that is meant, as far as its short form goes.
fn target_key(target: Expect) -> Option<KeyId> {
    match target {
        Expect::Anyone => None,
        Expect::Key(key) => Some(key),
        Expect::Authority(authority) => {
            let mut key = [0; 32];
            key[..authority.len()].copy_from_slice(&authority);
            Some(KeyId(key))
        }
    }
}

/// The first eight digits of a key: enough to follow somebody through a log.
struct Short(KeyId);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shortened_to_the_beginning_of_its_name() {
        let key = KeyId([0xa7; 32]);
        assert_eq!(Short(key).to_string(), "a7a7a7a7");
        assert!(key.to_string().starts_with(&Short(key).to_string()));
        let by_name = target_key(Expect::Authority(key.authority())).unwrap();
        assert_eq!(Short(by_name).to_string(), "a7a7a7a7");
        assert!(target_key(Expect::Anyone).is_none());
    }
}

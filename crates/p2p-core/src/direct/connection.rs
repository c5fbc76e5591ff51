//! What is held for one direct connection. An idle one is small: what only an arriving message needs is there while one
//! arrives.

use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

use super::table::State;
use crate::codec::join_crumbs;
use crate::id::{Address, GroupKey, Guid, KeyId, NodeId};
use crate::io::{Expect, LinkId, Payload, StreamId};

#[derive(Clone, Debug)]
pub(crate) struct Direct {
    pub(crate) group: GroupKey,
    /// Who must be reached, and from the first link on the very key that was.
    whom: Expect,
    /// A link to the peer stood.
    met: bool,
    pub(crate) state: State,
    /// The session stands: both sides have proved themselves.
    pub(super) proved: bool,
    pub(super) redialled: bool,
    /// A send was refused for lack of room.
    pub(super) starved: bool,
    /// Largest message that the peer accepts.
    pub(super) message_max: u32,
    pub(super) node: NodeId,
    pub(super) address: Address,
    /// The link that the stream is, or will be, opened on.
    pub(super) link: Option<LinkId>,
    pub(super) stream: Option<StreamId>,
    /// Messages accepted for sending, messages received, messages handed to the application.
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) delivered: u64,
    /// Bytes given to the driver and not yet sent.
    pub(super) queued: usize,
    /// Charge of what the application has not taken.
    pub(super) unread: usize,
    arriving: Option<Box<Arriving>>,
}

/// A message of which a part is here.
#[derive(Clone, Debug, Default)]
struct Arriving {
    /// Its type and its pieces, once a whole frame of it is here.
    message: Option<(Guid, Vec<Bytes>)>,
    /// Length of the frames that came, kept or not.
    len: usize,
    /// What of it, and of its next frame, the peer's budget was charged with.
    charged: usize,
    /// When it began to arrive, among all of the peer.
    turn: Option<u64>,
}

impl Direct {
    pub(super) fn new(group: GroupKey, state: State, whom: Expect, address: Address) -> Direct {
        Direct {
            group,
            whom,
            met: false,
            state,
            proved: false,
            redialled: false,
            starved: false,
            message_max: u32::MAX,
            node: NodeId::default(),
            address,
            link: None,
            stream: None,
            sent: 0,
            received: 0,
            delivered: 0,
            queued: 0,
            unread: 0,
            arriving: None,
        }
    }

    /// Whom a dial for it must reach.
    pub(super) fn whom(&self) -> Expect {
        self.whom
    }

    /// The peer's key, once it was met.
    pub(crate) fn peer(&self) -> Option<KeyId> {
        match self.whom {
            Expect::Key(key) if self.met => Some(key),
            _ => None,
        }
    }

    pub(super) fn meet(&mut self, peer: KeyId) {
        (self.whom, self.met) = (Expect::Key(peer), true);
    }

    /// The stream that carries it, while there is one.
    pub(super) fn wire(&self) -> Option<(LinkId, StreamId)> {
        self.link.zip(self.stream)
    }

    pub(super) fn take_wire(&mut self) -> Option<(LinkId, StreamId)> {
        self.link.zip(self.stream.take())
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// What the peer's hello says.
    pub(super) fn learn(&mut self, node: NodeId, message_max: usize) {
        self.node = node;
        self.message_max = u32::try_from(message_max).unwrap_or(u32::MAX);
    }

    pub(super) fn is_listed(&self) -> bool {
        matches!(self.state, State::Open | State::RemoteClosed)
    }

    /// Whether frames of a message are here that still goes on.
    pub(super) fn has_begun(&self) -> bool {
        self.arriving.as_ref().is_some_and(|a| a.message.is_some())
    }

    /// Their length.
    pub(super) fn begun_len(&self) -> usize {
        self.arriving.as_ref().map_or(0, |a| a.len)
    }

    /// Whether a frame of this type may be of the message that has begun, if one has.
    pub(super) fn is_of(&self, kind: Guid) -> bool {
        let message = self.arriving.as_ref().and_then(|a| a.message.as_ref());
        message.is_none_or(|(first, _)| *first == kind)
    }

    /// One more frame of a message that goes on: kept, or only counted.
    pub(super) fn add(&mut self, kind: Guid, payload: Payload, keep: bool) {
        let arriving = self.arriving.get_or_insert_default();
        let (_, pieces) = arriving.message.get_or_insert_with(|| (kind, Vec::new()));
        arriving.len += payload.len();
        if keep {
            gather(pieces, payload);
        }
    }

    /// The whole message, of which this is the last frame.
    pub(super) fn complete(&mut self, last: Payload) -> Payload {
        if let (Payload::One(_), false) = (&last, self.has_begun()) {
            return last;
        }
        let mut pieces = self.take_begun();
        gather(&mut pieces, last);
        if pieces.len() > 1 {
            return Payload::Many(pieces);
        }
        pieces.pop().map_or(Payload::EMPTY, Payload::One)
    }

    /// The pieces of a message that goes on; none of them will be waited for any longer.
    pub(super) fn take_begun(&mut self) -> Vec<Bytes> {
        let message = self.arriving.as_mut().and_then(|a| {
            a.len = 0;
            a.message.take()
        });
        self.tidy();
        message.map(|(_, pieces)| pieces).unwrap_or_default()
    }

    /// The turn of the message that is arriving, while one is.
    pub(super) fn turn(&self) -> Option<u64> {
        self.arriving.as_ref().and_then(|a| a.turn)
    }

    pub(super) fn set_turn(&mut self, turn: Option<u64>) {
        if turn != self.turn() {
            self.arriving.get_or_insert_default().turn = turn;
            self.tidy();
        }
    }

    /// Sets what the peer's budget is charged with; what it was before.
    pub(super) fn charge(&mut self, bytes: usize) -> usize {
        let before = self.charged();
        if bytes != before {
            self.arriving.get_or_insert_default().charged = bytes;
            self.tidy();
        }
        before
    }

    /// What the peer's budget is charged with for the message that is arriving.
    pub(super) fn charged(&self) -> usize {
        self.arriving.as_ref().map_or(0, |a| a.charged)
    }

    fn tidy(&mut self) {
        let idle = |a: &Arriving| a.message.is_none() && a.charged == 0 && a.turn.is_none();
        if self.arriving.as_deref().is_some_and(idle) {
            self.arriving = None;
        }
    }
}

/// Adds a frame's bytes to those before it.
fn gather(pieces: &mut Vec<Bytes>, payload: Payload) {
    let mut add = |piece: Bytes| {
        if !piece.is_empty() {
            let piece = join_crumbs(pieces.last_mut(), piece);
            pieces.extend(piece);
        }
    };
    match payload {
        Payload::One(piece) => add(piece),
        Payload::Many(all) => all.into_iter().for_each(add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv6Addr;

    fn idle() -> Direct {
        let address = Address { ip: Ipv6Addr::LOCALHOST, port: 1, scope: 0 };
        Direct::new(GroupKey(1), State::Open, Expect::Authority([7; 20]), address)
    }

    /// 512 bytes are the goal for all that one idle connection costs; a tree's nodes are at worst half empty.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Direct>() <= 168, "{} bytes", size_of::<Direct>());
        let mut direct = idle();
        assert_eq!(direct.charge(5), 0);
        direct.set_turn(Some(3));
        let [one, other] = [1, 2].map(Guid::from_u128);
        direct.add(one, Payload::One(Bytes::from_static(b"ab")), true);
        assert!(direct.is_of(one) && !direct.is_of(other));
        assert_eq!((direct.begun_len(), direct.turn(), direct.has_begun()), (2, Some(3), true));
        let whole = direct.complete(Payload::One(Bytes::from_static(b"c")));
        assert_eq!(whole, Payload::One(Bytes::from_static(b"abc")));
        assert!(direct.arriving.is_some(), "charged, and with a turn");
        assert_eq!(direct.charge(0), 5);
        direct.set_turn(None);
        assert!(direct.arriving.is_none(), "nothing arrives any longer");
        direct.complete(Payload::EMPTY);
        assert!(direct.arriving.is_none(), "a message of one frame needs nothing");
    }

    #[test]
    fn a_peer_has_a_key_from_the_first_link_on() {
        let mut direct = idle();
        assert_eq!(direct.peer(), None);
        direct.meet(KeyId([7; 32]));
        assert_eq!(
            (direct.peer(), direct.whom()),
            (Some(KeyId([7; 32])), Expect::Key(KeyId([7; 32])))
        );
        let mut direct =
            Direct::new(GroupKey(1), State::Dialing, Expect::Key(KeyId([8; 32])), direct.address);
        assert_eq!(direct.peer(), None, "expected is not met");
        direct.meet(KeyId([8; 32]));
        assert_eq!(direct.peer(), Some(KeyId([8; 32])));
    }
}

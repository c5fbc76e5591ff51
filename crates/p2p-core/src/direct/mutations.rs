//! Broken cells of the table, each by itself: whoever checks nodes must notice every one.

use super::table::{Action as A, Cell, Event as E, State as S};
use crate::node::Node;

/// One cell that is another than the table's.
#[derive(Debug)]
pub struct Patch {
    /// What is broken.
    pub name: &'static str,
    state: S,
    event: E,
    cell: Cell,
}

const fn patch(name: &'static str, state: S, event: E, cell: Cell) -> Patch {
    Patch { name, state, event, cell }
}

/// Every broken cell.
pub const PATCHES: &[Patch] = &[
    patch("an open that is accepted is not told", S::OpenSent, E::Accept, (&[], S::Open)),
    patch(
        "an open that is accepted is told twice",
        S::OpenSent,
        E::Accept,
        (&[A::Connected, A::Connected], S::Open),
    ),
    patch(
        "the acceptor does not tell its application",
        S::Admitting,
        E::Admitted,
        (&[A::SendAccept], S::Open),
    ),
    patch("a declined open is kept", S::Admitting, E::Declined, (&[A::SendRefuse], S::Admitting)),
    patch("a refusal is not told", S::OpenSent, E::Refuse, (&[A::Fin], S::Closed)),
    patch("a link that is lost loses its opens", S::Dialing, E::SessionLost, (&[], S::Closed)),
    patch("a dial that fails is not told", S::Dialing, E::SessionFailed, (&[], S::Closed)),
    patch("an open waits for ever", S::OpenSent, E::OpenTimer, (&[], S::OpenSent)),
    patch(
        "a connection that the peer closes is not listed any longer",
        S::Open,
        E::Close,
        (&[A::Forget, A::SendAck, A::Fin, A::Disconnected], S::Closed),
    ),
    patch(
        "a connection that is closed here stays open",
        S::Open,
        E::LocalClose,
        (&[A::SendClose, A::Ok], S::Open),
    ),
    patch(
        "a close is not acknowledged",
        S::Open,
        E::Close,
        (&[A::Forget, A::Fin, A::Disconnected], S::RemoteClosed),
    ),
    patch("a lost link leaves its connections", S::Open, E::SessionLost, (&[], S::Open)),
    patch(
        "closes that cross end without waiting",
        S::LocalClosing,
        E::Close,
        (&[A::SendAck, A::Fin, A::Disconnected], S::Closed),
    ),
    patch(
        "what comes after a close is delivered",
        S::LocalClosing,
        E::Data,
        (&[A::Deliver], S::LocalClosing),
    ),
    patch("an acknowledged close is not told", S::LocalClosing, E::AckFull, (&[A::Fin], S::Closed)),
    patch("a close waits for ever", S::LocalClosing, E::DrainTimer, (&[], S::LocalClosing)),
    patch("what was seen to end is listed", S::RemoteClosed, E::Taken, (&[], S::RemoteClosed)),
    patch("a message is counted and not delivered", S::Open, E::Data, (&[A::Discard], S::Open)),
];

impl<A> Node<A> {
    /// From now on the node is broken.
    pub fn patch(&mut self, patch: &'static Patch) {
        self.patch = Some(patch);
    }
}

/// The cell, if it is the broken one.
pub(super) fn patched(patch: Option<&'static Patch>, state: S, event: E) -> Option<Cell> {
    patch.filter(|patch| (patch.state, patch.event) == (state, event)).map(|patch| patch.cell)
}

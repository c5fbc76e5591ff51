//! The direct connection as a table: every state, every event, what is done and what comes next.
//!
//! All transitions live in [`step`]; it knows neither streams nor clocks. What an action means is in the parent module.

/// Where a direct connection is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum State {
    /// Opened here; no session with the peer yet.
    Dialing,
    /// DC_OPEN is sent.
    OpenSent,
    /// DC_OPEN was received; nobody has decided yet.
    Admitting,
    /// Both sides may send.
    Open,
    /// Closed here; the rest is being delivered, the acknowledgement awaited.
    LocalClosing,
    /// Closed by the peer or broken; listed until the application has seen it.
    RemoteClosed,
    /// Gone. Final.
    Closed,
}

/// What can happen to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Event {
    /// A session with the peer stands, or its proof is on the way.
    SessionUp,
    /// No session will come: not reachable, or somebody's proof was turned down.
    SessionFailed,
    /// The application accepts it.
    Admitted,
    /// Nobody accepts it, or a limit is reached.
    Declined,
    /// DC_ACCEPT.
    Accept,
    /// DC_REFUSE.
    Refuse,
    /// DC_DATA.
    Data,
    /// DC_CLOSE with the number of messages that came.
    Close,
    /// DC_CLOSE_ACK with the number of messages that were sent.
    AckFull,
    /// DC_CLOSE_ACK with a smaller number.
    AckShort,
    /// The peer's side of the stream ended.
    Fin,
    /// RESET_STREAM or STOP_SENDING.
    Reset,
    /// The application sends.
    Send,
    /// The application closes.
    LocalClose,
    /// The application has taken the end from all its queues, or had its time to.
    Taken,
    /// The link broke, or the session on it ended.
    SessionLost,
    /// It took too long to open.
    OpenTimer,
    /// It took too long to deliver the rest.
    DrainTimer,
    /// The group closes.
    GroupClose,
    /// A membership ended.
    Expired,
    /// A frame that means nothing here.
    Violation,
}

/// What is done, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Action {
    /// Open a stream and send DC_OPEN.
    SendOpen,
    /// Send DC_ACCEPT.
    SendAccept,
    /// Send DC_REFUSE and FIN.
    SendRefuse,
    /// Send DC_CLOSE with the number of messages sent.
    SendClose,
    /// Send DC_CLOSE_ACK with the number of messages taken.
    SendAck,
    /// Send FIN.
    Fin,
    /// Reset both directions.
    Reset,
    /// Drop what has not begun to leave.
    Forget,
    /// Dial once more, or fail if that was done before.
    Redial,
    /// Tell the application: connected.
    Connected,
    /// Tell the application: failed.
    Failed,
    /// Tell the application: ended.
    Disconnected,
    /// Hand the message to the application.
    Deliver,
    /// Count the message and drop it.
    Discard,
    /// Queue the application's message.
    Queue,
    /// Count a violation against the peer.
    Penalty,
    /// The application's call succeeds.
    Ok,
    /// The application's call answers `PEER_E_CONNECTION_NOT_FOUND`.
    NotFound,
}

use Action as A;
use Event as E;
use State as S;

/// One cell: what is done and what comes next.
pub(crate) type Cell = (&'static [Action], State);

/// The table. An event that cannot come in a state, or comes too late to matter, does nothing.
pub(crate) fn step(state: State, event: Event) -> Cell {
    match state {
        S::Dialing => dialing(event),
        S::OpenSent => open_sent(event),
        S::Admitting => admitting(event),
        S::Open => open(event),
        S::LocalClosing => local_closing(event),
        S::RemoteClosed => remote_closed(event),
        S::Closed => match event {
            E::Send | E::LocalClose => (&[A::NotFound], S::Closed),
            _ => (&[], S::Closed),
        },
    }
}

fn dialing(event: Event) -> Cell {
    match event {
        E::SessionUp => (&[A::SendOpen], S::OpenSent),
        E::SessionLost => (&[A::Redial], S::Dialing),
        E::SessionFailed | E::OpenTimer | E::GroupClose | E::Expired | E::Violation => {
            (&[A::Failed], S::Closed)
        }
        E::LocalClose => (&[A::Failed, A::Ok], S::Closed),
        E::Send => (&[A::NotFound], S::Dialing),
        _ => (&[], S::Dialing),
    }
}

fn open_sent(event: Event) -> Cell {
    match event {
        E::Accept => (&[A::Connected], S::Open),
        E::Refuse => (&[A::Fin, A::Failed], S::Closed),
        E::Data | E::AckFull | E::AckShort | E::Violation => {
            (&[A::Reset, A::Failed, A::Penalty], S::Closed)
        }
        E::Close
        | E::Fin
        | E::Reset
        | E::OpenTimer
        | E::GroupClose
        | E::Expired
        | E::SessionFailed => (&[A::Reset, A::Failed], S::Closed),
        E::SessionLost => (&[A::Failed], S::Closed),
        E::LocalClose => (&[A::Reset, A::Failed, A::Ok], S::Closed),
        E::Send => (&[A::NotFound], S::OpenSent),
        _ => (&[], S::OpenSent),
    }
}

fn admitting(event: Event) -> Cell {
    match event {
        E::Admitted => (&[A::SendAccept, A::Connected], S::Open),
        E::Declined | E::GroupClose => (&[A::SendRefuse], S::Closed),
        E::Accept | E::Refuse | E::Data | E::AckFull | E::AckShort | E::Violation => {
            (&[A::Reset, A::Penalty], S::Closed)
        }
        E::Close | E::Fin | E::Reset | E::SessionFailed | E::OpenTimer | E::Expired => {
            (&[A::Reset], S::Closed)
        }
        E::SessionLost => (&[], S::Closed),
        E::Send | E::LocalClose => (&[A::NotFound], S::Admitting),
        _ => (&[], S::Admitting),
    }
}

fn open(event: Event) -> Cell {
    match event {
        E::Data => (&[A::Deliver], S::Open),
        E::Send => (&[A::Queue], S::Open),
        E::LocalClose => (&[A::SendClose, A::Ok], S::LocalClosing),
        E::GroupClose => (&[A::SendClose], S::LocalClosing),
        E::Close => (&[A::Forget, A::SendAck, A::Fin, A::Disconnected], S::RemoteClosed),
        E::Fin | E::Reset | E::Expired => (&[A::Reset, A::Disconnected], S::RemoteClosed),
        E::SessionLost => (&[A::Disconnected], S::RemoteClosed),
        E::Accept | E::Refuse | E::AckFull | E::AckShort | E::Violation => {
            (&[A::Reset, A::Disconnected, A::Penalty], S::RemoteClosed)
        }
        _ => (&[], S::Open),
    }
}

fn local_closing(event: Event) -> Cell {
    match event {
        E::Data => (&[A::Discard], S::LocalClosing),
        E::Close => (&[A::SendAck], S::LocalClosing),
        E::AckFull | E::AckShort => (&[A::Fin, A::Disconnected], S::Closed),
        E::Fin | E::Reset | E::DrainTimer | E::Expired => (&[A::Reset, A::Disconnected], S::Closed),
        E::SessionLost => (&[A::Disconnected], S::Closed),
        E::Violation => (&[A::Reset, A::Disconnected, A::Penalty], S::Closed),
        E::Send | E::LocalClose => (&[A::NotFound], S::LocalClosing),
        _ => (&[], S::LocalClosing),
    }
}

fn remote_closed(event: Event) -> Cell {
    match event {
        E::LocalClose => (&[A::Ok], S::Closed),
        E::Taken | E::GroupClose => (&[], S::Closed),
        E::Data | E::Violation => (&[A::Reset, A::Penalty], S::RemoteClosed),
        E::Send => (&[A::NotFound], S::RemoteClosed),
        _ => (&[], S::RemoteClosed),
    }
}

#[cfg(test)]
mod tests;

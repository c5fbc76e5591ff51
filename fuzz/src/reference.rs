//! The naive model of one node's direct connections with one peer: plain maps, no timers, written from the protocol
//! document. It says what each call answers, what the application is told, and what is said on the streams.

use std::collections::{BTreeMap, VecDeque};

use p2p_core::{Cause, ConnectionChange, close, reset};

use crate::raw::{DC_ACCEPT, DC_CLOSE, DC_CLOSE_ACK, DC_OPEN, frame};

pub(crate) const DC_REFUSE: u64 = 0x42;

/// Direct connections with the peer at a time.
pub(crate) const DIRECTS_MAX: usize = 4;
/// Longest message.
pub(crate) const MESSAGE_MAX: usize = 64;
/// Bytes accepted for sending.
pub(crate) const QUEUE_MAX: usize = 256;
/// The violation that ends a link.
const LAST_VIOLATION: u32 = 3;

/// A connection, counted from 0 in the order in which the node numbered them.
pub(crate) type Nth = usize;

/// What a call answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Ok,
    InvalidGroup,
    NotFound,
    InvalidArgument,
    QueueFull,
    TooMany,
}

/// What the application is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Direct(Nth, ConnectionChange, Cause),
    Data(Nth, Vec<u8>),
    Writable(Nth),
}

/// What is said to the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    Open(u64),
    Frame(u64, Vec<u8>),
    Fin(u64),
    Reset(u64, u64),
    Forget(u64),
    CloseLink(u64),
    Dial,
    CancelDial,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum State {
    Dialing,
    Opening,
    Open,
    Closing,
    Ended,
}

#[derive(Debug)]
struct Conn {
    state: State,
    stream: Option<u64>,
    sent: u64,
    received: u64,
    delivered: u64,
    queued: usize,
    starved: bool,
    /// Type and bytes of the message that is arriving.
    partial: Option<(u8, Vec<u8>)>,
}

/// A stream besides the control stream, until it is reset or both sides have ended it.
#[derive(Debug, Default)]
struct Stream {
    /// `None`: nobody cares for it any longer.
    conn: Option<Nth>,
    peer_done: bool,
    done: bool,
}

/// What waits in the application's queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiting {
    Data(Nth, usize),
    End(Nth),
}

/// Everything, as far as an application and a peer can know it.
#[derive(Debug)]
pub(crate) struct Reference {
    conns: BTreeMap<Nth, Conn>,
    streams: BTreeMap<u64, Stream>,
    next: Nth,
    link: bool,
    next_ours: u64,
    next_theirs: u64,
    violations: u32,
    accepts: bool,
    pub(crate) left: bool,
    pub(crate) queue: VecDeque<Waiting>,
    pub(crate) told: Vec<Told>,
    pub(crate) said: Vec<Said>,
}

impl Reference {
    pub(crate) fn new() -> Reference {
        Reference {
            conns: BTreeMap::new(),
            streams: BTreeMap::new(),
            next: 0,
            link: false,
            next_ours: 0,
            next_theirs: 3,
            violations: 0,
            accepts: true,
            left: false,
            queue: VecDeque::new(),
            told: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Where a connection is; `None` if it is gone, or never was.
    pub(crate) fn state(&self, nth: Nth) -> Option<State> {
        self.conns.get(&nth).map(|conn| conn.state)
    }

    /// Where the connection on a stream is.
    pub(crate) fn state_on(&self, stream: u64) -> Option<State> {
        self.streams.get(&stream).and_then(|known| self.state(known.conn?))
    }

    /// How many connections have a number, dead or alive.
    pub(crate) fn numbered(&self) -> Nth {
        self.next
    }

    pub(crate) fn has_link(&self) -> bool {
        self.link
    }

    /// Connections that the node has to hold.
    pub(crate) fn held(&self) -> usize {
        self.conns.len()
    }

    pub(crate) fn listed(&self) -> Vec<Nth> {
        let listed = |c: &Conn| matches!(c.state, State::Open | State::Ended);
        self.conns.iter().filter(|(_, c)| listed(c)).map(|(nth, _)| *nth).collect()
    }

    /// Streams on which the peer may speak.
    pub(crate) fn speakable(&self) -> Vec<u64> {
        self.streams.iter().filter(|(_, s)| !s.peer_done).map(|(stream, _)| *stream).collect()
    }

    /// What waits to leave on a connection's stream.
    pub(crate) fn queued(&self, nth: Nth) -> Option<(u64, usize)> {
        let conn = self.conns.get(&nth)?;
        Some((conn.stream?, conn.queued))
    }

    /// The number of messages that a peer who keeps the rules would name in DC_CLOSE, and in DC_CLOSE_ACK.
    pub(crate) fn counts(&self, stream: u64) -> (u64, u64) {
        let conn = self.streams.get(&stream).and_then(|s| self.conns.get(&s.conn?));
        conn.map_or((0, 0), |conn| (conn.received, conn.sent))
    }

    fn add(&mut self, state: State, stream: Option<u64>) -> Nth {
        let nth = self.next;
        self.next += 1;
        let conn = Conn {
            state,
            stream,
            sent: 0,
            received: 0,
            delivered: 0,
            queued: 0,
            starved: false,
            partial: None,
        };
        self.conns.insert(nth, conn);
        nth
    }

    fn say(&mut self, nth: Nth, kind: u64, body: &[u8]) {
        let Some(conn) = self.conns.get_mut(&nth) else { return };
        let bytes = frame(kind, body);
        conn.queued += bytes.len();
        if let Some(stream) = conn.stream {
            self.said.push(Said::Frame(stream, bytes));
        }
    }

    /// Nobody cares for the stream any longer; it goes when both sides have ended it.
    fn spend(&mut self, stream: u64, done: bool) {
        let Some(known) = self.streams.get_mut(&stream) else { return };
        known.conn = None;
        known.done |= done;
        if known.done && known.peer_done {
            self.streams.remove(&stream);
        }
    }

    fn reset(&mut self, stream: u64, code: u64) {
        if self.streams.remove(&stream).is_some() {
            self.said.push(Said::Reset(stream, code));
        }
    }

    fn outcome(&mut self, nth: Nth, change: ConnectionChange, cause: Cause) {
        self.told.push(Told::Direct(nth, change, cause));
        if change == ConnectionChange::Disconnected {
            self.queue.push_back(Waiting::End(nth));
        }
    }

    /// The end of a connection, told as its state wants it; what the peer ended stays listed.
    fn over(&mut self, nth: Nth, cause: Cause) {
        let Some(conn) = self.conns.get_mut(&nth) else { return };
        conn.stream = None;
        let change = match conn.state {
            State::Dialing | State::Opening => ConnectionChange::Failed,
            _ => ConnectionChange::Disconnected,
        };
        if conn.state == State::Open {
            conn.state = State::Ended;
        } else {
            self.conns.remove(&nth);
        }
        self.outcome(nth, change, cause);
    }

    /// Resets the stream of a connection and ends it.
    fn broken(&mut self, nth: Nth, stream: u64, code: u64, cause: Cause) {
        self.reset(stream, code);
        self.over(nth, cause);
    }

    /// A frame that means nothing where it came.
    fn violated(&mut self, nth: Nth, stream: u64) {
        self.broken(nth, stream, reset::VIOLATION, Cause::Protocol);
        self.violation();
    }

    fn violation(&mut self) {
        self.violations += 1;
        if self.violations == LAST_VIOLATION {
            self.said.push(Said::CloseLink(close::PROTOCOL));
            self.link_down();
        }
    }
}

/// Calls of the application.
impl Reference {
    pub(crate) fn open(&mut self, tag: [u8; 16]) -> Answer {
        if self.left {
            return Answer::InvalidGroup;
        }
        if self.conns.len() >= DIRECTS_MAX {
            return Answer::TooMany;
        }
        if !self.link {
            if !self.conns.values().any(|conn| conn.state == State::Dialing) {
                self.said.push(Said::Dial);
            }
            self.add(State::Dialing, None);
            return Answer::Ok;
        }
        let stream = self.next_ours;
        self.next_ours += 2;
        let nth = self.add(State::Opening, Some(stream));
        self.streams.insert(stream, Stream { conn: Some(nth), ..Stream::default() });
        self.said.push(Said::Open(stream));
        self.say(nth, DC_OPEN, &tag);
        Answer::Ok
    }

    pub(crate) fn close(&mut self, nth: Nth) -> Answer {
        if self.left {
            return Answer::InvalidGroup;
        }
        let Some(conn) = self.conns.get(&nth) else { return Answer::NotFound };
        let sent = conn.sent;
        match (conn.state, conn.stream) {
            (State::Dialing, _) => self.cancel_dial(nth),
            (State::Opening, Some(stream)) => {
                self.broken(nth, stream, reset::CANCELLED, Cause::Cancelled);
            }
            (State::Open, _) => {
                self.say(nth, DC_CLOSE, &[sent as u8]);
                self.set(nth, State::Closing);
            }
            (State::Ended, _) => _ = self.conns.remove(&nth),
            _ => return Answer::NotFound,
        }
        Answer::Ok
    }

    fn set(&mut self, nth: Nth, state: State) {
        if let Some(conn) = self.conns.get_mut(&nth) {
            conn.state = state;
        }
    }

    fn cancel_dial(&mut self, nth: Nth) {
        self.over(nth, Cause::Cancelled);
        if !self.conns.values().any(|conn| conn.state == State::Dialing) {
            self.said.push(Said::CancelDial);
        }
    }

    pub(crate) fn send(&mut self, nth: Nth, message: &[u8]) -> Answer {
        if self.left {
            return Answer::InvalidGroup;
        }
        let Some(conn) = self.conns.get_mut(&nth).filter(|c| c.state == State::Open) else {
            return Answer::NotFound;
        };
        if message.len() > MESSAGE_MAX {
            return Answer::InvalidArgument;
        }
        if conn.queued > 0 && conn.queued + message.len() > QUEUE_MAX {
            conn.starved = true;
            return Answer::QueueFull;
        }
        conn.sent += 1;
        let body = [&[1; 16][..], &[0], message].concat();
        self.say(nth, crate::raw::DC_DATA, &body);
        Answer::Ok
    }

    pub(crate) fn accept(&mut self, on: bool) -> Answer {
        if self.left {
            return Answer::InvalidGroup;
        }
        self.accepts = on;
        Answer::Ok
    }

    /// The application takes the next thing from its queue.
    pub(crate) fn take(&mut self) -> Option<Waiting> {
        let next = self.queue.pop_front()?;
        if let Waiting::End(nth) = next
            && self.conns.get(&nth).is_some_and(|conn| conn.state == State::Ended)
        {
            self.conns.remove(&nth);
        }
        Some(next)
    }

    pub(crate) fn leave(&mut self) -> Answer {
        if self.left {
            return Answer::InvalidGroup;
        }
        for nth in self.conns.keys().copied().collect::<Vec<_>>() {
            // As if the application closed each.
            let _ = self.close(nth);
        }
        self.left = true;
        Answer::Ok
    }
}

/// What the network brings.
impl Reference {
    pub(crate) fn link_up(&mut self) {
        self.link = true;
        (self.next_ours, self.next_theirs, self.violations) = (0, 3, 0);
    }

    pub(crate) fn link_down(&mut self) {
        self.link = false;
        for stream in std::mem::take(&mut self.streams).into_values() {
            if let Some(nth) = stream.conn {
                self.over(nth, Cause::Lost);
            }
        }
    }

    pub(crate) fn dial_failed(&mut self) {
        let dialing = |(nth, conn): (&Nth, &Conn)| (conn.state == State::Dialing).then_some(*nth);
        for nth in self.conns.iter().filter_map(dialing).collect::<Vec<_>>() {
            self.over(nth, Cause::Unreachable);
        }
    }

    /// What waited on a connection's stream has left.
    pub(crate) fn all_sent(&mut self, nth: Nth) {
        let Some(conn) = self.conns.get_mut(&nth) else { return };
        conn.queued = 0;
        if conn.state == State::Open && std::mem::take(&mut conn.starved) {
            self.told.push(Told::Writable(nth));
        }
    }

    /// The number of the peer's next stream.
    pub(crate) fn next_theirs(&mut self) -> u64 {
        let stream = self.next_theirs;
        self.next_theirs += 2;
        stream
    }

    /// DC_OPEN on a new stream.
    pub(crate) fn opened(&mut self, stream: u64) {
        let room = self.conns.len() < DIRECTS_MAX;
        let nth = self.add(State::Open, Some(stream));
        self.streams.insert(stream, Stream { conn: Some(nth), ..Stream::default() });
        if self.accepts && room {
            self.say(nth, DC_ACCEPT, &[]);
            self.outcome(nth, ConnectionChange::Connected, Cause::Orderly);
            return;
        }
        self.say(nth, DC_REFUSE, &[if self.accepts { 0x11 } else { 4 }]);
        self.said.push(Said::Fin(stream));
        self.conns.remove(&nth);
        self.spend(stream, true);
    }

    /// Something else on a new stream.
    pub(crate) fn opened_badly(&mut self, stream: u64) {
        self.said.push(Said::Reset(stream, reset::VIOLATION));
        self.violation();
    }

    pub(crate) fn finished(&mut self, stream: u64) {
        let Some(known) = self.streams.get_mut(&stream) else { return };
        known.peer_done = true;
        match known.conn {
            Some(nth) => self.broken(nth, stream, reset::CANCELLED, Cause::Aborted),
            None => self.spend(stream, false),
        }
    }

    pub(crate) fn was_reset(&mut self, stream: u64, code: u64) {
        let Some(known) = self.streams.get(&stream) else { return };
        let expired = code == reset::MEMBERSHIP;
        match known.conn {
            Some(nth) if expired => self.broken(nth, stream, reset::MEMBERSHIP, Cause::Expired),
            Some(nth) => self.broken(nth, stream, reset::CANCELLED, Cause::Aborted),
            None => self.reset(stream, code),
        }
    }

    /// A frame on a stream that is known; `body` as it is sent.
    pub(crate) fn framed(&mut self, stream: u64, kind: u64, body: &[u8]) {
        let Some(known) = self.streams.get(&stream) else { return };
        let Some(nth) = known.conn else {
            // After the node's FIN what still comes is dropped, so that what it said last arrives.
            if !known.done {
                self.reset(stream, reset::VIOLATION);
            }
            return;
        };
        let Some(conn) = self.conns.get_mut(&nth) else { return };
        let (sent, received, delivered) = (conn.sent, conn.received, conn.delivered);
        let whole = conn.partial.is_none();
        let count = u64::from(body.first().copied().unwrap_or_default());
        match (conn.state, kind) {
            (_, 0x4000..) => {}
            (State::Opening, DC_ACCEPT) => {
                conn.state = State::Open;
                self.outcome(nth, ConnectionChange::Connected, Cause::Orderly);
            }
            (State::Opening, DC_REFUSE) => {
                self.said.push(Said::Fin(stream));
                self.over(nth, Cause::Refused(count));
                self.spend(stream, true);
            }
            (State::Opening, DC_CLOSE) => {
                self.broken(nth, stream, reset::CANCELLED, Cause::Refused(0));
            }
            (State::Open | State::Closing, crate::raw::DC_DATA) => self.data(nth, stream, body),
            (State::Open, DC_CLOSE) if count == received && whole => {
                self.said.push(Said::Forget(stream));
                self.say(nth, DC_CLOSE_ACK, &[delivered as u8]);
                self.said.push(Said::Fin(stream));
                self.over(nth, Cause::Orderly);
                self.spend(stream, true);
            }
            (State::Closing, DC_CLOSE) if count == received && whole => {
                self.say(nth, DC_CLOSE_ACK, &[delivered as u8]);
            }
            (State::Closing, DC_CLOSE_ACK) if count <= sent => {
                self.said.push(Said::Fin(stream));
                let cause = if count == sent { Cause::Orderly } else { Cause::Unconfirmed };
                self.over(nth, cause);
                self.spend(stream, true);
            }
            (State::Closing, DC_ACCEPT | DC_REFUSE) => {}
            _ => self.violated(nth, stream),
        }
    }

    fn data(&mut self, nth: Nth, stream: u64, body: &[u8]) {
        let Some(conn) = self.conns.get_mut(&nth) else { return };
        let (kind, more, payload) = (body[0], body[16] == 1, &body[17..]);
        let (first, message) = conn.partial.get_or_insert_with(|| (kind, Vec::new()));
        message.extend_from_slice(payload);
        if *first != kind || message.len() > MESSAGE_MAX {
            return self.violated(nth, stream);
        }
        if more {
            return;
        }
        conn.received += 1;
        let message = conn.partial.take().map(|partial| partial.1).unwrap_or_default();
        if conn.state == State::Open {
            conn.delivered += 1;
            self.queue.push_back(Waiting::Data(nth, message.len()));
            self.told.push(Told::Data(nth, message));
        }
    }
}

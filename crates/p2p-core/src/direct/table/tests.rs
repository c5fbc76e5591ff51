//! The table against a second one, written as text and independently: a letter for what is done, a digit for what comes
//! next. Then all short lives of a connection, one by one.

use alloc::string::String;
use alloc::vec::Vec;

use super::*;

const STATES: [State; 7] =
    [S::Dialing, S::OpenSent, S::Admitting, S::Open, S::LocalClosing, S::RemoteClosed, S::Closed];

const EVENTS: [Event; 21] = [
    E::SessionUp,
    E::SessionFailed,
    E::Admitted,
    E::Declined,
    E::Accept,
    E::Refuse,
    E::Data,
    E::Close,
    E::AckFull,
    E::AckShort,
    E::Fin,
    E::Reset,
    E::Send,
    E::LocalClose,
    E::Taken,
    E::SessionLost,
    E::OpenTimer,
    E::DrainTimer,
    E::GroupClose,
    E::Expired,
    E::Violation,
];

/// To the application: C connected, F failed, D disconnected, m message. Its calls: + done, - not found, q queued.
/// To the peer: o open, a accept, n refuse, c close, k acknowledge, . FIN, x reset, ~ forget the unsent. Inside: r dial
/// again, d discard, ! penalty. The digit is the next state.
fn letter(action: Action) -> char {
    match action {
        A::SendOpen => 'o',
        A::SendAccept => 'a',
        A::SendRefuse => 'n',
        A::SendClose => 'c',
        A::SendAck => 'k',
        A::Fin => '.',
        A::Reset => 'x',
        A::Forget => '~',
        A::Redial => 'r',
        A::Connected => 'C',
        A::Failed => 'F',
        A::Disconnected => 'D',
        A::Deliver => 'm',
        A::Discard => 'd',
        A::Queue => 'q',
        A::Penalty => '!',
        A::Ok => '+',
        A::NotFound => '-',
    }
}

/// Columns: S1 dialling, S2 open sent, S3 admitting, S4 open, S5 closing here, S6 closed there, S7 gone.
const EXPECTED: [(&str, [&str; 7]); 21] = [
    ("session up", ["o2", "2", "3", "4", "5", "6", "7"]),
    ("session failed", ["F7", "xF7", "x7", "4", "5", "6", "7"]),
    ("admitted", ["1", "2", "aC4", "4", "5", "6", "7"]),
    ("declined", ["1", "2", "n7", "4", "5", "6", "7"]),
    ("DC_ACCEPT", ["1", "C4", "x!7", "xD!6", "5", "6", "7"]),
    ("DC_REFUSE", ["1", ".F7", "x!7", "xD!6", "5", "6", "7"]),
    ("DC_DATA", ["1", "xF!7", "x!7", "m4", "d5", "x!6", "7"]),
    ("DC_CLOSE", ["1", "xF7", "x7", "~k.D6", "k5", "6", "7"]),
    ("DC_CLOSE_ACK, all", ["1", "xF!7", "x!7", "xD!6", ".D7", "6", "7"]),
    ("DC_CLOSE_ACK, fewer", ["1", "xF!7", "x!7", "xD!6", ".D7", "6", "7"]),
    ("FIN", ["1", "xF7", "x7", "xD6", "xD7", "6", "7"]),
    ("reset", ["1", "xF7", "x7", "xD6", "xD7", "6", "7"]),
    ("send", ["-1", "-2", "-3", "q4", "-5", "-6", "-7"]),
    ("close", ["F+7", "xF+7", "-3", "c+5", "-5", "+7", "-7"]),
    ("end taken", ["1", "2", "3", "4", "5", "7", "7"]),
    ("session lost", ["r1", "F7", "7", "D6", "D7", "6", "7"]),
    ("open timer", ["F7", "xF7", "x7", "4", "5", "6", "7"]),
    ("drain timer", ["1", "2", "3", "4", "xD7", "6", "7"]),
    ("group closes", ["F7", "xF7", "n7", "c5", "5", "7", "7"]),
    ("membership ended", ["F7", "xF7", "x7", "xD6", "xD7", "6", "7"]),
    ("violation", ["F7", "xF!7", "x!7", "xD!6", "xD!7", "x!6", "7"]),
];

#[test]
fn every_state_and_every_event_is_as_expected() {
    let mut cells = 0;
    for (event, (name, row)) in EVENTS.into_iter().zip(EXPECTED) {
        for (state, expected) in STATES.into_iter().zip(row) {
            let (actions, next) = step(state, event);
            let mut got: String = actions.iter().copied().map(letter).collect();
            let place = STATES.iter().position(|s| *s == next).unwrap_or_default();
            got.push(char::from(b'1' + place as u8));
            assert_eq!(got, expected, "{state:?}, {name}");
            cells += 1;
        }
    }
    assert_eq!(cells, 7 * 21);
}

/// What one life has shown so far.
#[derive(Clone, Copy, Default)]
struct Life {
    connected: u32,
    failed: u32,
    disconnected: u32,
    closed_ok: u32,
    accepted: u32,
    sent_close: u32,
    ended_stream: bool,
}

impl Life {
    fn after(mut self, from: State, event: Event, opened_here: bool) -> (Life, State) {
        let (actions, next) = step(from, event);
        for action in actions {
            let over = self.failed + self.disconnected > 0;
            match action {
                A::Connected => {
                    assert!(!over && self.connected == 0);
                    self.connected += 1;
                }
                A::Failed => {
                    assert!(opened_here && !over && self.connected == 0);
                    self.failed += 1;
                }
                A::Disconnected => {
                    assert!(!over && self.connected == 1);
                    self.disconnected += 1;
                }
                A::Deliver => assert!(self.connected == 1 && !over, "a message after the end"),
                A::Ok => self.closed_ok += 1,
                A::SendAccept => self.accepted += 1,
                A::SendClose => self.sent_close += 1,
                A::SendAck | A::Queue => assert!(!self.ended_stream, "speaks after its FIN"),
                A::Fin | A::Reset | A::SendRefuse => {
                    assert!(!matches!(action, A::Fin) || !self.ended_stream);
                    self.ended_stream = true;
                }
                _ => {}
            }
        }
        assert!(self.closed_ok <= 1, "a second close found something");
        assert!(self.accepted <= 1 && self.sent_close <= 1);
        assert!(from != S::Closed || next == S::Closed, "gone is gone");
        if next == S::Closed {
            let outcome = self.connected + self.failed;
            assert!(outcome == 1 || (!opened_here && outcome == 0), "one outcome per open");
            assert_eq!(self.disconnected, self.connected, "one end per beginning");
        }
        let listed = matches!(next, S::Open | S::RemoteClosed);
        assert!(!listed || self.connected == 1, "only what stood is listed");
        let can_close = step(next, E::LocalClose).0.contains(&A::Ok);
        let opening = matches!(next, S::Dialing | S::OpenSent);
        assert_eq!(can_close, opening || listed, "what can be closed is what can be seen");
        (self, next)
    }
}

fn all_lives(life: Life, state: State, opened_here: bool, depth: u32, count: &mut u64) {
    *count += 1;
    if depth == 0 {
        return;
    }
    for event in EVENTS {
        let (life, next) = life.after(state, event, opened_here);
        if next != S::Closed || depth == 1 {
            all_lives(life, next, opened_here, depth - 1, count);
        }
    }
}

#[test]
fn every_short_life_has_one_outcome_and_one_end() {
    let mut count = 0;
    all_lives(Life::default(), S::Dialing, true, 5, &mut count);
    all_lives(Life::default(), S::Admitting, false, 5, &mut count);
    assert!(count > 100_000, "{count} lives were led");
}

#[test]
fn timers_and_losses_end_every_life() {
    for state in STATES {
        let mut ended = state;
        for event in [E::SessionLost, E::OpenTimer, E::DrainTimer, E::Taken] {
            ended = step(ended, event).1;
        }
        assert_eq!(ended, S::Closed, "{state:?}");
    }
    let all: Vec<_> = EVENTS.into_iter().map(|event| step(S::Closed, event).1).collect();
    assert!(all.into_iter().all(|state| state == S::Closed));
}

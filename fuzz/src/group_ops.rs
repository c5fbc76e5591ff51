//! One core beside its naive model: every call answers, and every event comes, as the model says.

use std::collections::BTreeSet;

use p2p_core::{
    ConnectionId, DialId, DownCause, Error, Event, Expect, Guid, Input, Limits, LinkId, Output,
    StreamId, Taken, reset,
};

use crate::raw::{DC_ACCEPT, DC_CLOSE, DC_CLOSE_ACK, DC_DATA, frame};
use crate::reference::{
    Answer, DC_REFUSE, DIRECTS_MAX, MESSAGE_MAX, Nth, QUEUE_MAX, Reference, Said, State, Told,
    Waiting,
};
use crate::rig::{PEER, Rig, at, peer};

/// Things that happen in one run.
const STEPS_MAX: usize = 1_000;

/// A node with one peer that speaks by hand: two bytes choose each call or input, and what it is about.
pub fn group_ops(bytes: &[u8]) {
    run(bytes);
}

/// What was done, and in which state the connection was that it was done to.
type Reached = BTreeSet<(u8, Option<State>)>;

fn run(bytes: &[u8]) -> Reached {
    let mut both = Both::new();
    for pair in bytes.chunks(2).take(STEPS_MAX) {
        let (what, about) = (pair[0], pair.get(1).copied().unwrap_or_default());
        both.step(what, about);
        if both.closed {
            break;
        }
        both.compare(what, about);
    }
    both.reached
}

/// The node and its model, and the numbers by which one knows what the other means.
struct Both {
    rig: Rig,
    model: Reference,
    link: LinkId,
    dial: Option<DialId>,
    ids: Vec<ConnectionId>,
    told: Vec<Told>,
    said: Vec<Said>,
    closed: bool,
    reached: Reached,
}

impl Both {
    fn new() -> Both {
        let limits = Limits {
            directs_per_peer: DIRECTS_MAX,
            message: MESSAGE_MAX,
            send_queue: QUEUE_MAX,
            ..Limits::default()
        };
        let mut both = Both {
            rig: Rig::new(limits),
            model: Reference::new(),
            link: LinkId(0),
            dial: None,
            ids: Vec::new(),
            told: Vec::new(),
            said: Vec::new(),
            closed: false,
            reached: Reached::new(),
        };
        both.link_up();
        both
    }

    /// One call or input, on both sides.
    fn step(&mut self, what: u8, about: u8) {
        let nth = usize::from(about) % (self.model.numbered() + 1);
        if let 1 | 2 | 5 = what % 20 {
            self.reached.insert((what % 20, self.model.state(nth)));
        }
        match what % 20 {
            0 => self.open(),
            1 => self.close(nth),
            2 => self.send(nth, usize::from(what / 20) * 8),
            3 => {
                let on = about & 1 == 1;
                let (group, now) = (self.rig.group, self.rig.now());
                let answer = answered(self.rig.node.accept_direct(group, on, now));
                assert_eq!(answer, self.model.accept(on));
            }
            4 => self.take(),
            5 => self.sent(nth),
            6 if about.is_multiple_of(16) => self.leave(),
            15 if about.is_multiple_of(4) => self.link_down(),
            _ if self.model.left => {}
            16 => self.link_up(),
            17 => self.dial_failed(),
            7 => self.peer_opens(),
            19 if about.is_multiple_of(4) => self.peer_opens_badly(),
            8..=14 | 18 => self.peer_speaks(what, about),
            _ => {}
        }
    }

    fn open(&mut self) {
        let (group, now) = (self.rig.group, self.rig.now());
        let answer = self.rig.node.open_direct(group, Expect::Key(peer()), at(PEER), now);
        if let Ok(id) = answer {
            self.number(id);
        }
        let tag = self.own_tag();
        assert_eq!(answered(answer.map(|_| ())), self.model.open(tag));
        self.heed();
    }

    fn close(&mut self, nth: Nth) {
        let (group, now, id) = (self.rig.group, self.rig.now(), self.id(nth));
        let answer = answered(self.rig.node.close_direct(group, id, now));
        assert_eq!(answer, self.model.close(nth), "close of {nth}");
        self.heed();
    }

    fn send(&mut self, nth: Nth, length: usize) {
        let (group, now, id) = (self.rig.group, self.rig.now(), self.id(nth));
        let message = vec![7; length];
        let answer = self.rig.node.send(group, id, Guid([1; 16]), message.clone().into(), now);
        assert_eq!(answered(answer), self.model.send(nth, &message), "send on {nth}");
        self.heed();
    }

    fn take(&mut self) {
        let Some(next) = self.model.take() else { return };
        let (nth, what) = match next {
            Waiting::Data(nth, bytes) => (nth, Taken::Data { bytes }),
            Waiting::End(nth) => (nth, Taken::Disconnected),
        };
        let (group, now, id) = (self.rig.group, self.rig.now(), self.id(nth));
        self.rig.node.taken(group, id, what, now);
        self.heed();
    }

    fn leave(&mut self) {
        let (group, now) = (self.rig.group, self.rig.now());
        let answer = answered(self.rig.node.close_group(group, now));
        assert_eq!(answer, self.model.leave());
        self.heed();
    }

    fn sent(&mut self, nth: Nth) {
        let Some((stream, bytes)) = self.model.queued(nth) else { return };
        self.model.all_sent(nth);
        let (link, stream, bytes) = (self.link, StreamId(stream), bytes as u32);
        self.input(Input::Sent { link, stream, bytes });
    }

    fn link_up(&mut self) {
        if self.model.has_link() {
            return;
        }
        self.link = LinkId(self.link.0 + 1);
        self.rig.link(self.link);
        self.rig.greet(self.link);
        self.model.link_up();
    }

    fn link_down(&mut self) {
        if self.model.has_link() {
            self.model.link_down();
            self.input(Input::LinkDown { link: self.link, cause: DownCause::Timeout });
        }
    }

    fn dial_failed(&mut self) {
        if let Some(dial) = self.dial.take() {
            self.model.dial_failed();
            self.input(Input::DialFailed { dial, cause: DownCause::Unreachable });
        }
    }

    fn peer_opens(&mut self) {
        if !self.model.has_link() {
            return;
        }
        let stream = self.model.next_theirs();
        self.input(Input::Accepted { link: self.link, stream: StreamId(stream) });
        let opening = self.rig.opening(self.link);
        // Numbered before it is known whether it stands.
        self.model.opened(stream);
        self.speak(stream, &opening);
        if self.ids.len() < self.model.numbered() {
            // Declined: its number is never told.
            self.ids.push(ConnectionId(self.ids.last().map_or(1, |id| id.0 + 1)));
        }
    }

    fn peer_opens_badly(&mut self) {
        if self.model.has_link() {
            let stream = self.model.next_theirs();
            self.input(Input::Accepted { link: self.link, stream: StreamId(stream) });
            self.model.opened_badly(stream);
            self.speak(stream, &frame(DC_ACCEPT, &[]));
        }
    }

    /// The peer says something on a stream that is there.
    fn peer_speaks(&mut self, what: u8, about: u8) {
        let streams = self.model.speakable();
        let Some(stream) = streams.get(usize::from(about >> 3) % streams.len().max(1)) else {
            return;
        };
        let (stream, small) = (*stream, about & 7);
        self.reached.insert((what % 20, self.model.state_on(stream)));
        let (received, sent) = self.model.counts(stream);
        // Mostly as one who keeps the rules.
        let count = |right: u64| if small < 5 { right as u8 & 0x3f } else { small - 5 };
        let (kind, body) = match what % 20 {
            8 => (DC_ACCEPT, vec![]),
            9 => (DC_REFUSE, vec![small]),
            10 | 11 => {
                let (kind, more) = (1 + u8::from(small == 7), u8::from(small & 1 == 1));
                (DC_DATA, [&[kind; 16][..], &[more], &vec![9; usize::from(what / 20) * 8]].concat())
            }
            12 => (DC_CLOSE, vec![count(received)]),
            13 => (DC_CLOSE_ACK, vec![count(sent)]),
            14 => return self.peer_ends(stream, small),
            _ => (0x4001, vec![1, 2, 3]),
        };
        let bytes = frame(kind, &body);
        let credit = self.rig.credit.get(&(self.link, StreamId(stream))).copied();
        // A driver reads no more than it may.
        if credit.unwrap_or_default() >= bytes.len() {
            self.model.framed(stream, kind, &body);
            self.speak(stream, &bytes);
        }
    }

    fn peer_ends(&mut self, stream: u64, how: u8) {
        let (link, id) = (self.link, StreamId(stream));
        let code = if how == 7 { reset::MEMBERSHIP } else { reset::CANCELLED };
        if how < 4 {
            self.model.finished(stream);
            self.input(Input::Finished { link, stream: id });
        } else {
            self.model.was_reset(stream, code);
            self.input(Input::Reset { link, stream: id, code });
        }
    }

    fn speak(&mut self, stream: u64, bytes: &[u8]) {
        let (said, outputs) = self.rig.say(self.link, StreamId(stream), bytes);
        assert_eq!(said, bytes.len(), "there is credit for a frame on {stream}");
        outputs.into_iter().for_each(|output| self.note(output));
    }

    fn input(&mut self, input: Input) {
        let outputs = self.rig.input(input);
        outputs.into_iter().for_each(|output| self.note(output));
    }

    /// What came of a call.
    fn heed(&mut self) {
        let outputs = self.rig.drain();
        outputs.into_iter().for_each(|output| self.note(output));
    }

    fn note(&mut self, output: Output) {
        let control = StreamId(1);
        let said = match output {
            Output::Event { event, .. } => return self.hear(event),
            Output::Dial { dial, .. } => {
                self.dial = Some(dial);
                Said::Dial
            }
            Output::CancelDial { .. } => {
                self.dial = None;
                Said::CancelDial
            }
            Output::Open { stream, .. } => Said::Open(stream.0),
            Output::Write { stream, head, body, .. } if stream != control => {
                Said::Frame(stream.0, [head.as_slice(), &body.into_bytes()].concat())
            }
            Output::Finish { stream, .. } if stream != control => Said::Fin(stream.0),
            Output::Abort { stream, code, .. } if stream != control => Said::Reset(stream.0, code),
            Output::Forget { stream, .. } => Said::Forget(stream.0),
            Output::CloseLink { code, .. } if !self.model.left => Said::CloseLink(code),
            _ => return,
        };
        self.said.push(said);
    }

    fn hear(&mut self, event: Event) {
        let told = match event {
            Event::Direct(c) => Told::Direct(self.number(c.id), c.change, c.cause),
            Event::Data { id, payload, .. } => {
                Told::Data(self.number(id), payload.into_bytes().to_vec())
            }
            Event::Writable(id) => Told::Writable(self.number(id)),
            Event::Closed => {
                self.closed = true;
                assert!(self.model.left && self.model.held() == 0, "closed too early");
                return;
            }
            _ => return,
        };
        self.told.push(told);
    }

    /// The place of an id in the order in which the node gave them; a new one is larger than all before.
    fn number(&mut self, id: ConnectionId) -> Nth {
        self.ids.iter().position(|known| *known == id).unwrap_or_else(|| {
            assert!(self.ids.iter().all(|known| *known < id), "{id:?} is not fresh");
            self.ids.push(id);
            self.ids.len() - 1
        })
    }

    fn id(&self, nth: Nth) -> ConnectionId {
        self.ids.get(nth).copied().unwrap_or(ConnectionId(u64::MAX))
    }

    /// Our own side of the tag.
    fn own_tag(&self) -> [u8; 16] {
        self.rig.own_tag(self.link)
    }

    fn compare(&mut self, what: u8, about: u8) {
        let step = format!("after {} about {about}, of {:#?}", what % 20, self.model);
        assert_eq!(std::mem::take(&mut self.told), std::mem::take(&mut self.model.told), "{step}");
        assert_eq!(std::mem::take(&mut self.said), std::mem::take(&mut self.model.said), "{step}");
        assert_eq!(self.rig.node.census().directs, self.model.held(), "{step}");
        let listed = self.rig.node.directs(self.rig.group);
        if self.model.left {
            assert_eq!(listed, Err(Error::InvalidGroup));
            return;
        }
        let listed: Vec<_> = listed.expect("a list").into_iter().map(|info| info.id).collect();
        let expected: Vec<_> = self.model.listed().into_iter().map(|nth| self.id(nth)).collect();
        assert_eq!(listed, expected, "{step}");
    }
}

fn answered(answer: Result<(), Error>) -> Answer {
    match answer {
        Ok(()) => Answer::Ok,
        Err(Error::InvalidGroup) => Answer::InvalidGroup,
        Err(Error::ConnectionNotFound) => Answer::NotFound,
        Err(Error::InvalidArgument(_)) => Answer::InvalidArgument,
        Err(Error::QueueFull) => Answer::QueueFull,
        Err(Error::TooMany) => Answer::TooMany,
        Err(other) => panic!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_corpus_reaches_every_state_by_every_call_and_frame() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/group_ops");
        let mut reached = Reached::new();
        for file in fs::read_dir(folder).unwrap() {
            reached.extend(run(&fs::read(file.unwrap().path()).unwrap()));
        }
        for state in [State::Dialing, State::Opening, State::Open, State::Closing, State::Ended] {
            for call in [1, 2] {
                assert!(reached.contains(&(call, Some(state))), "call {call} in {state:?}");
            }
        }
        // A connection that has ended has no stream any longer; what is left of it belongs to nobody.
        let states = [Some(State::Opening), Some(State::Open), Some(State::Closing), None];
        for state in states {
            for what in [8, 9, 10, 12, 13, 14, 18] {
                assert!(reached.contains(&(what, state)), "frame {what} in {state:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "after 7 about 0")]
    fn a_difference_is_noticed() {
        let mut both = Both::new();
        both.model.accept(false);
        both.step(7, 0);
        both.compare(7, 0);
    }
}

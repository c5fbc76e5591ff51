//! Two nodes meet and exchange a message; the guest's half is recorded as text, and the text is replayed.

#[path = "driver/trusting.rs"]
mod trusting;

use std::collections::VecDeque;
use std::sync::Arc;

use p2p_core::trace::{Act, Answer, Entry, Start, Trace, replay};
use p2p_core::{
    Config, ConnectionChange, DownCause, Event, Expect, FileTime, GroupKey, GroupSnapshot, Guid,
    Input, KeyId, LinkId, Node, Now, Output, StreamId, Taken, Tick,
};
use trusting::{GROUP, Trusting, address, member};

const KIND: Guid = Guid::from_u128(0x8a2f_0c5e_6f0b_4d53_9a3e_51c8_30d4_17b2);
/// The only link of this world, by its number on both sides.
const LINK: LinkId = LinkId(1);
const GUEST: usize = 1;

/// A node, all that was done to it, and all that it answered with.
struct Recorded {
    node: Node<Trusting>,
    trace: Trace,
    outputs: Vec<Output>,
}

impl Recorded {
    fn begin(n: u8) -> Recorded {
        let start = Start { config: Config::default(), seed: [n; 32], now: at(0) };
        let node = start.node(Trusting(KeyId([n; 32])));
        let trace = Trace { start, entries: Vec::new() };
        Recorded { node, trace, outputs: Vec::new() }
    }

    /// One call, recorded before it is made.
    fn call(&mut self, act: Act, now: Now) -> Answer {
        let entry = Entry { now, act };
        self.trace.entries.push(entry.clone());
        entry.act.apply(&mut self.node, now).expect("no call of this example fails")
    }
}

/// A clock without surprises: microseconds on a day in 2026.
fn at(tick: u64) -> Now {
    Now { tick: Tick(tick), wall: FileTime::from_unix(1_795_000_000) }
}

/// The network and the application of both nodes, in one queue.
#[derive(Default)]
struct World {
    acts: VecDeque<(usize, Act)>,
    linked: bool,
    closed: usize,
}

impl World {
    fn add(&mut self, whose: usize, act: Act) {
        self.acts.push_back((whose, act));
    }

    fn input(&mut self, whose: usize, input: Input) {
        self.add(whose, Act::Input(input));
    }

    /// What the canonical driver does, without threads. Small messages need no credit, and nothing waits.
    fn obey(&mut self, me: usize, output: Output) {
        let peer = 1 - me;
        let theirs = |stream: StreamId| StreamId(stream.0 ^ 1);
        match output {
            Output::Listen { on: true } => {
                let addresses = Arc::from([address(me as u8 + 1)]);
                self.input(me, Input::Listening { addresses });
            }
            Output::Dial { dial, .. } => {
                self.linked = true;
                for (whose, other, dial) in [(me, peer, Some(dial)), (peer, me, None)] {
                    let (key, remote) = (KeyId([other as u8 + 1; 32]), address(other as u8 + 1));
                    let up =
                        Input::LinkUp { link: LINK, dial, peer: key, binding: [7; 32], remote };
                    self.input(whose, up);
                }
            }
            Output::Open { link, stream, .. } => {
                self.input(peer, Input::Accepted { link, stream: theirs(stream) });
            }
            Output::Write { link, stream, head, body } => {
                let all = [head.as_slice(), &body.into_bytes()].concat();
                let sent = Input::Sent { link, stream, bytes: all.len() as u32 };
                let chunk = Input::Chunk { link, stream: theirs(stream), bytes: all.into() };
                self.input(me, sent);
                self.input(peer, chunk);
            }
            Output::Finish { link, stream } => {
                self.input(peer, Input::Finished { link, stream: theirs(stream) });
            }
            Output::Abort { link, stream, code } => {
                self.input(peer, Input::Reset { link, stream: theirs(stream), code });
            }
            Output::CloseLink { link, code } if std::mem::take(&mut self.linked) => {
                self.input(me, Input::LinkDown { link, cause: DownCause::Local });
                self.input(peer, Input::LinkDown { link, cause: DownCause::Peer(code) });
            }
            Output::Store { ticket, .. } => {
                self.input(me, Input::Stored { ticket, result: Ok(()) })
            }
            Output::Event { group, event } => self.tell(me, group, event),
            Output::Listen { on: false }
            | Output::CancelDial { .. }
            | Output::CloseLink { .. }
            | Output::Credit { .. }
            | Output::Forget { .. }
            | Output::Priority { .. }
            | Output::Trust { .. } => {}
        }
    }

    /// The application: the guest opens, sends, closes and leaves; the founder takes what comes, and leaves after it.
    fn tell(&mut self, me: usize, group: GroupKey, event: Event) {
        match event {
            Event::Status(status) if me == GUEST && status.connected => {
                self.add(me, Act::Open(group, Expect::Key(KeyId([1; 32])), address(1)));
            }
            Event::Direct(c) if me == GUEST && c.change == ConnectionChange::Connected => {
                self.add(me, Act::Send(group, c.id, KIND, "hello".into()));
                self.add(me, Act::Close(group, c.id));
            }
            Event::Direct(_) if me == GUEST => self.add(me, Act::CloseGroup(group)),
            Event::Data { id, payload, .. } => {
                self.add(me, Act::Taken(group, id, Taken::Data { bytes: payload.len() }));
            }
            Event::Direct(c) if c.change == ConnectionChange::Disconnected => {
                self.add(me, Act::Taken(group, c.id, Taken::Disconnected));
            }
            Event::Neighbour(c) if me != GUEST && c.change == ConnectionChange::Disconnected => {
                self.add(me, Act::CloseGroup(group));
            }
            Event::Closed => self.closed += 1,
            _ => {}
        }
    }
}

/// Opens the group at both and brings them online.
fn open(nodes: &mut [Recorded; 2]) {
    let known = vec![(KeyId([1; 32]), vec![address(1)])];
    let founder = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
    let guest = GroupSnapshot { addresses: known, ..GroupSnapshot::default() };
    for (it, snapshot) in nodes.iter_mut().zip([founder, guest]) {
        let own = member(it.node.authority().0);
        let answer = it.call(Act::OpenGroup(GROUP, own, snapshot.into()), at(0));
        let Answer::Group(group) = answer else { unreachable!("open_group answers with a group") };
        it.call(Act::Accept(group, true), at(0));
        it.call(Act::Connect(group, Vec::new()), at(0));
    }
}

/// Runs until both have left; time passes only when nothing else is to be done.
fn run(nodes: &mut [Recorded; 2]) {
    let (mut world, mut tick) = (World::default(), 0);
    while world.closed < nodes.len() {
        for (me, it) in nodes.iter_mut().enumerate() {
            while let Some(output) = it.node.poll() {
                it.outputs.push(output.clone());
                world.obey(me, output);
            }
        }
        tick += 1;
        if let Some((whose, act)) = world.acts.pop_front() {
            nodes[whose].call(act, at(tick));
        } else if world.closed < nodes.len() {
            let due = nodes.iter().filter_map(|it| it.node.next_timeout()).map(|(due, _)| due.0);
            tick = tick.max(due.min().expect("a group that closes has a deadline"));
            nodes.iter_mut().for_each(|it| {
                it.call(Act::Input(Input::Timeout), at(tick));
            });
        }
    }
}

fn main() {
    let mut nodes = [1, 2].map(Recorded::begin);
    open(&mut nodes);
    run(&mut nodes);

    let [_, guest] = nodes;
    let text = guest.trace.to_string();
    print!("{text}");

    let trace = Trace::parse(&text).expect("what is written is read");
    let mut fresh = trace.start.node(Trusting(guest.node.authority().0));
    let outputs = replay(&trace.entries, &mut fresh);
    assert!(outputs == guest.outputs, "the replay is the run");
    println!("# replayed: {} calls, the same {} outputs", trace.entries.len(), outputs.len());
}

//! One machine: a node, its disk, its application, and everything that was ever said to it and by it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
pub use p2p_core::trace::{Act, Answer};
use p2p_core::trace::{Entry, Start};
use p2p_core::{
    Address, Code, Config, Connecting, Connection, ConnectionChange, ConnectionId, DialId, Error,
    Event, Expect, GroupKey, GroupSnapshot, Guid, Input, KeyId, Limits, LinkId, Node, Now, Output,
    StoreChange, Taken,
};

use super::World;
use super::check::Check;
use super::fake::{Fake, object_id};

pub const KIND: Guid = Guid::from_u128(0x6d65_7373_6167_6520_6b69_6e64_206f_6e65);

/// When the machine looks at its node's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// After every call.
    Always,
    /// Only when told to: outputs pile up in the node.
    Never,
}

/// Changes that fail, and their code.
pub type Failing = (fn(&StoreChange) -> bool, Code);

pub struct Machine {
    pub key: KeyId,
    pub address: Address,
    pub start: Start,
    pub node: Node<Fake>,
    pub alive: bool,
    pub epoch: u32,
    pub drain: Drain,
    pub listening: bool,
    pub can_listen: bool,
    pub links: BTreeMap<LinkId, (u64, usize)>,
    pub next_link: u64,
    pub dials: BTreeSet<DialId>,
    pub dials_known: BTreeSet<DialId>,
    pub groups: BTreeMap<GroupKey, KeyId>,
    /// What is durable.
    pub disk: BTreeMap<KeyId, GroupSnapshot>,
    pub disk_delay: u64,
    pub disk_free: u64,
    /// Which changes fail, and with what.
    pub disk_fails: Option<Failing>,
    /// The application takes what it is given at once.
    pub takes: bool,
    pub untaken: VecDeque<Act>,
    /// What the application was told, with the moment.
    pub events: Vec<(u64, GroupKey, Event)>,
    /// What came on each connection.
    pub inbox: BTreeMap<ConnectionId, Vec<Bytes>>,
    pub check: Check,
    pub acts: Vec<Entry>,
    pub outputs: Vec<Output>,
}

impl Machine {
    pub fn new(key: KeyId, address: Address, limits: Limits, seed: [u8; 32], now: Now) -> Machine {
        let fake = Fake { own: key, chains: BTreeMap::new(), passwords: Default::default() };
        let start = Start { config: Config { limits, previous: None }, seed, now };
        Machine {
            key,
            address,
            node: start.node(fake),
            start,
            alive: true,
            epoch: 0,
            drain: Drain::Always,
            listening: false,
            can_listen: true,
            links: BTreeMap::new(),
            next_link: 1,
            dials: BTreeSet::new(),
            dials_known: BTreeSet::new(),
            groups: BTreeMap::new(),
            disk: BTreeMap::new(),
            disk_delay: 100,
            disk_free: 0,
            disk_fails: None,
            takes: true,
            untaken: VecDeque::new(),
            events: Vec::new(),
            inbox: BTreeMap::new(),
            check: Check::default(),
            acts: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Makes a change durable, or fails.
    pub fn commit(&mut self, change: &StoreChange) -> Result<(), Code> {
        if let Some((fails, code)) = self.disk_fails
            && fails(change)
        {
            return Err(code);
        }
        let kept = self.disk.entry(*change.group()).or_default();
        match change.clone() {
            StoreChange::Member { peer, memberships, .. } => {
                kept.members.retain(|m| m.key != peer);
                kept.members.extend(memberships);
            }
            // The authority of a machine outlives its runs here.
            StoreChange::Own { .. } => {}
            StoreChange::Object { kind, bytes, .. } => kept.objects.push((kind, bytes)),
            StoreChange::ObjectGone { id, .. } => {
                kept.objects.retain(|(kind, bytes)| object_id(*kind, bytes) != id);
            }
            StoreChange::Addresses { peer, addresses, .. } => {
                kept.addresses.retain(|(key, _)| *key != peer);
                kept.addresses.push((peer, addresses));
            }
            StoreChange::Synchronised { .. } => kept.synchronised = true,
            StoreChange::Listening { .. } => {}
        }
        Ok(())
    }

    /// What happened to direct connections, in order.
    pub fn direct_events(&self) -> Vec<&Connection> {
        self.events
            .iter()
            .filter_map(|(_, _, e)| if let Event::Direct(c) = e { Some(c) } else { None })
            .collect()
    }

    /// What happened to one direct connection.
    pub fn story(&self, id: ConnectionId) -> Vec<(ConnectionChange, Code)> {
        let of = |c: &&Connection| c.id == id;
        self.direct_events().into_iter().filter(of).map(|c| (c.change, c.cause.code())).collect()
    }

    /// Ids of the direct connections that came to stand, in order.
    pub fn connected(&self) -> Vec<ConnectionId> {
        let stood = |c: &&Connection| c.change == ConnectionChange::Connected;
        self.direct_events().into_iter().filter(stood).map(|c| c.id).collect()
    }

    pub fn neighbour_events(&self) -> Vec<&Connection> {
        self.events
            .iter()
            .filter_map(|(_, _, e)| if let Event::Neighbour(c) = e { Some(c) } else { None })
            .collect()
    }
}

impl World {
    /// One call to a machine's node, recorded, and its consequences.
    pub fn call(&mut self, m: usize, act: Act) -> Result<Answer, Error> {
        let now = self.now();
        let machine = &mut self.machines[m];
        machine.acts.push(Entry { now, act: act.clone() });
        let answer = act.apply(&mut machine.node, now);
        machine.check.answered(&act, &answer);
        if machine.drain == Drain::Always {
            self.drain(m);
        }
        answer
    }

    pub(super) fn input(&mut self, m: usize, input: Input) {
        let _ = self.call(m, Act::Input(input));
    }

    /// Obeys all outputs; what the application does about events comes after.
    pub fn drain(&mut self, m: usize) {
        loop {
            while let Some(output) = self.machines[m].node.poll() {
                self.machines[m].outputs.push(output.clone());
                self.obey(m, output);
            }
            let node = &self.machines[m].node;
            for (what, received, accounted) in p2p_core::balance(&node.stats(), &node.load()) {
                assert_eq!(received, accounted, "{what} of machine {m}");
            }
            assert_eq!(node.audit(), Ok(()), "machine {m}");
            if !self.machines[m].takes {
                return;
            }
            let Some(act) = self.machines[m].untaken.pop_front() else { return };
            let now = self.now();
            let machine = &mut self.machines[m];
            machine.acts.push(Entry { now, act: act.clone() });
            let _ = act.apply(&mut machine.node, now);
        }
    }

    pub(super) fn tell(&mut self, m: usize, group: GroupKey, event: Event) {
        let machine = &mut self.machines[m];
        machine.check.told(group, &event);
        match &event {
            Event::Data { id, payload, .. } => {
                let bytes = payload.clone().into_bytes();
                let taken = Taken::Data { bytes: bytes.len() };
                machine.untaken.push_back(Act::Taken(group, *id, taken));
                machine.inbox.entry(*id).or_default().push(bytes);
            }
            Event::Direct(c) if c.change == ConnectionChange::Disconnected => {
                machine.untaken.push_back(Act::Taken(group, c.id, Taken::Disconnected));
            }
            _ => {}
        }
        machine.events.push((self.tick, group, event));
    }

    pub fn connect(&mut self, m: usize, group: GroupKey, addresses: &[Address]) -> Connecting {
        match self.call(m, Act::Connect(group, addresses.to_vec())) {
            Ok(Answer::Connecting(connecting)) => connecting,
            other => panic!("connect: {other:?}"),
        }
    }

    pub fn accept(&mut self, m: usize, group: GroupKey, on: bool) {
        self.call(m, Act::Accept(group, on)).expect("accept_direct");
    }

    /// Starts a direct connection to another machine at its address.
    pub fn open(&mut self, m: usize, group: GroupKey, to: usize) -> ConnectionId {
        let (expect, address) = (Expect::Key(self.machines[to].key), self.machines[to].address);
        match self.call(m, Act::Open(group, expect, address)) {
            Ok(Answer::Connection(id)) => id,
            other => panic!("open_direct: {other:?}"),
        }
    }

    /// A direct connection from `a` to `b` that stands; its ids there and there.
    pub fn direct(&mut self, a: usize, b: usize, groups: [GroupKey; 2]) -> [ConnectionId; 2] {
        let before = self.machines[b].connected().len();
        let id = self.open(a, groups[0], b);
        self.until("a direct connection", |w| {
            w.machines[a].connected().contains(&id) && w.machines[b].connected().len() > before
        });
        [id, self.machines[b].connected()[before]]
    }

    pub fn send_message(
        &mut self,
        m: usize,
        group: GroupKey,
        id: ConnectionId,
        bytes: impl Into<Bytes>,
    ) -> Result<(), Error> {
        self.call(m, Act::Send(group, id, KIND, bytes.into())).map(|_| ())
    }

    pub fn close(&mut self, m: usize, group: GroupKey, id: ConnectionId) -> Result<(), Error> {
        self.call(m, Act::Close(group, id)).map(|_| ())
    }

    pub fn close_group(&mut self, m: usize, group: GroupKey) {
        self.call(m, Act::CloseGroup(group)).expect("close_group");
    }

    /// The application takes what waits in its queues, from now on at once.
    pub fn take_all(&mut self, m: usize) {
        self.machines[m].takes = true;
        self.drain(m);
    }

    /// The machine dies: nothing leaves it any more, nobody is told.
    pub fn kill(&mut self, m: usize) {
        self.machines[m].alive = false;
        let mine: Vec<u64> = self.machines[m].links.values().map(|(w, _)| *w).collect();
        for w in mine {
            if self.wires[&w].ends.iter().all(|e| !e.down) {
                self.cut(w);
            }
        }
    }

    /// A new run of the node, with what its disk kept; the old one is handed out.
    pub fn restart(&mut self, m: usize, previous: bool) -> Machine {
        let now = self.now();
        let seed = super::fake::mix(&[b"again", &self.random().to_be_bytes()]);
        let old = &self.machines[m];
        let limits = old.start.config.limits.clone();
        let mut new = Machine::new(old.key, old.address, limits, seed, now);
        new.start.config.previous = previous.then(|| old.node.instance());
        new.node = new.start.node(old.node.authority().clone());
        new.epoch = old.epoch + 1;
        // The driver numbers links over all runs here, so that what is left of the old ones is told apart.
        new.next_link = old.next_link;
        new.disk = old.disk.clone();
        std::mem::replace(&mut self.machines[m], new)
    }
}

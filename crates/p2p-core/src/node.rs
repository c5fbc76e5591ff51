//! The only type that an embedder drives.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use crate::authority::{Authority, Member};
use crate::direct::{Direct, Ghost, PeerBudget};
use crate::error::Error;
use crate::event::{Event, Status};
use crate::group::{Group, Life};
use crate::id::{Address, ConnectionId, GroupKey, Guid, InstanceId, KeyId, NodeId};
use crate::io::{
    DialId, Expect, GroupSnapshot, Input, LinkId, Output, StoreChange, StreamId, Ticket, Timer,
};
use crate::limits::Limits;
use crate::link::{Link, Role};
use crate::object::{Object, ObjectId, ObjectKind, Properties, Revocation};
use crate::password::{Exchange, Tries};
use crate::search::Dial;
use crate::stats::{Load, Stats};
use crate::time::{Now, Tick};
use crate::timers::Timers;
use crate::verdict::Gates;

/// What a node is told at its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Every limit.
    pub limits: Limits,
    /// The instance id of this identity's previous run, if it is known: peers then drop its links at once.
    pub previous: Option<InstanceId>,
}

/// What the application took out of its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A message of so many payload bytes, from the last queue that it was in.
    Data {
        /// Length of the payload.
        bytes: usize,
    },
    /// The end of the connection (`ConnectionChange::Disconnected`), from the last queue that it was in.
    Disconnected,
}

/// Whether [`Node::connect`] has anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connecting {
    /// An attempt runs; its outcome is an event.
    Started,
    /// The group is online, and every address given is a neighbour's.
    AlreadyConnected,
}

/// A connection as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The connection.
    pub id: ConnectionId,
    /// The peer's key.
    pub peer: KeyId,
    /// The peer's node.
    pub node: NodeId,
    /// Where the peer is, or last was.
    pub address: Address,
}

/// A member as it is listed: once for each of its nodes in session, once if there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    /// Who.
    pub member: Arc<Member>,
    /// Whether a session with this node stands; for oneself, whether the group is online.
    pub present: bool,
    /// The node; `NodeId(0)` if the member is absent.
    pub node: NodeId,
    /// Where the node was last reachable, best first.
    pub addresses: Vec<Address>,
}

/// One local identity with all its groups and links: a state machine without I/O.
///
/// Feed it [`Input`]s, obey its [`Output`]s, call [`Input::Timeout`] at [`next_timeout`](Self::next_timeout). The duties
/// of a driver are listed in the documentation of [`io`](crate::io). Same seed and same calls: same outputs, byte for
/// byte.
#[derive(Clone, Debug)]
pub struct Node<A> {
    pub(crate) authority: A,
    pub(crate) own: KeyId,
    pub(crate) limits: Limits,
    pub(crate) now: Now,
    pub(crate) instance: InstanceId,
    pub(crate) previous: InstanceId,
    pub(crate) out: VecDeque<Output>,
    pub(crate) timers: Timers,
    pub(crate) gates: Gates,
    pub(crate) links: BTreeMap<LinkId, Link>,
    /// The links by their peers.
    pub(crate) links_by_peer: BTreeSet<(KeyId, LinkId)>,
    pub(crate) dials: BTreeMap<DialId, Dial>,
    pub(crate) groups: BTreeMap<GroupKey, Group>,
    /// Boxed: a tree's nodes are half empty.
    pub(crate) directs: BTreeMap<ConnectionId, Box<Direct>>,
    pub(crate) ghosts: BTreeMap<ConnectionId, Ghost>,
    pub(crate) budgets: BTreeMap<KeyId, PeerBudget>,
    pub(crate) tickets: BTreeMap<Ticket, (GroupKey, Pending)>,
    /// Exchanges of passwords, by the control stream that carries each.
    pub(crate) exchanges: BTreeMap<(LinkId, StreamId), Exchange>,
    pub(crate) tries: Tries,
    pub(crate) listening: Arc<[Address]>,
    pub(crate) listen_on: bool,
    /// The socket could not be opened, or was lost.
    pub(crate) listen_failed: bool,
    /// What is broken about it.
    #[cfg(feature = "mutations")]
    pub(crate) patch: Option<&'static crate::direct::mutations::Patch>,
    pub(crate) stats: Stats,
    rng: ChaCha12Rng,
    next_id: u64,
    next_connection: u64,
}

/// What waits for a store.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    /// A member to be announced.
    Member(KeyId),
    /// The first welcome.
    Synchronised,
    /// Our own endpoints: the status is told after them.
    Listening,
    /// An object of the application.
    Publish(Object),
    /// Nothing; a failure is still told.
    Nothing,
}

impl<A: Authority> Node<A> {
    /// A node that is offline and has no groups. `seed` must be 32 fresh random bytes in production; a fixed one replays
    /// a run.
    pub fn new(config: Config, authority: A, seed: [u8; 32], now: Now) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let own = authority.own_key();
        let instance = InstanceId(rng.next_u64().max(1));
        // Half the numbers are left above the base: ids do not wrap and cannot be guessed from another node.
        let next_connection = (rng.next_u64() >> 1).max(1);
        Node {
            authority,
            own,
            gates: Gates::new(&config.limits, now.tick),
            limits: config.limits,
            now,
            instance,
            previous: config.previous.unwrap_or_default(),
            out: VecDeque::new(),
            timers: Timers::default(),
            links: BTreeMap::new(),
            links_by_peer: BTreeSet::new(),
            dials: BTreeMap::new(),
            groups: BTreeMap::new(),
            directs: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            budgets: BTreeMap::new(),
            tickets: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            tries: Tries::default(),
            listening: Arc::from([]),
            listen_on: false,
            listen_failed: false,
            #[cfg(feature = "mutations")]
            patch: None,
            stats: Stats::default(),
            rng,
            next_id: 1,
            next_connection,
        }
    }

    /// Something happened on the network, on disk, or to time. Cannot fail: what a peer does wrong costs the peer its
    /// stream or its link.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.advance(now);
        match input {
            Input::Timeout => self.on_timeout(),
            Input::Listening { addresses } => self.on_listening(addresses),
            Input::LinkUp { link, dial, peer, binding, remote } => {
                self.on_link_up(link, dial, peer, binding, remote)
            }
            Input::DialFailed { dial, cause } => self.on_dial_failed(dial, cause),
            Input::LinkDown { link, cause } => self.on_link_down(link, cause),
            Input::Accepted { link, stream } => self.on_accepted(link, stream),
            Input::Chunk { link, stream, bytes } => self.on_chunk(link, stream, bytes),
            Input::Finished { link, stream } => self.on_finished(link, stream),
            Input::Reset { link, stream, code } => self.on_reset(link, stream, code),
            Input::Sent { link, stream, bytes } => self.on_sent(link, stream, bytes),
            Input::Stored { ticket, result } => self.on_stored(ticket, result),
        }
    }

    /// The next thing to do; `None` when everything is done that can be done now.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Timeout`] is due, and what for.
    pub fn next_timeout(&self) -> Option<(Tick, Timer)> {
        self.timers.next()
    }

    /// The authority given at the start.
    pub fn authority(&self) -> &A {
        &self.authority
    }

    /// For a chain gained by joining, or one to be given up.
    pub fn authority_mut(&mut self) -> &mut A {
        &mut self.authority
    }

    /// This run of this node.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// The limits given at the start.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What this node has done since its start.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// What it holds at the moment. Goes through all links and direct connections: not for every message.
    pub fn load(&self) -> Load {
        let mut load = Load {
            groups: self.groups.len(),
            links: self.links.len(),
            dials: self.dials.len(),
            directs: self.directs.len(),
            queued_bytes: self.directs.values().map(|d| d.queued()).sum(),
            unread_bytes: self.budgets.values().map(|b| b.unread()).sum(),
            stores: self.tickets.len(),
            ..Load::default()
        };
        for link in self.links.values() {
            load.strangers += usize::from(!link.trusted);
            for stream in link.streams.values() {
                match &stream.role {
                    Role::Held(_) => load.held_opens += 1,
                    Role::Control(control) if control.is_up() => load.sessions += 1,
                    Role::Control(control) if control.is_checking() => load.proofs += 1,
                    _ => {}
                }
            }
        }
        load
    }

    /// This node's own endpoints, best first; empty while it does not listen.
    pub fn listening(&self) -> &[Address] {
        &self.listening
    }

    /// Opens a group of which this identity is a member; it starts offline.
    ///
    /// `own` is the identity's own membership, `snapshot` what the store knows. If the membership is still to be gained by
    /// the group's password ([`Authority::awaits_password`]), `own` has the identity's names, no roles, no end and an
    /// empty chain; `Event::Renewed` tells when it is there, `Event::PasswordRejected` who does not know the password.
    ///
    /// # Errors
    /// [`Error::NoMembership`] if the authority has neither chain nor password for it, [`Error::InvalidArgument`] if the group is open or
    /// `own` is somebody else's, [`Error::TooMany`] at `limits.groups`.
    pub fn open_group(
        &mut self,
        group: KeyId,
        own: Arc<Member>,
        mut snapshot: GroupSnapshot,
        now: Now,
    ) -> Result<GroupKey, Error> {
        self.advance(now);
        if own.key != self.own {
            return Err(Error::InvalidArgument("the membership is another identity's"));
        }
        if self.groups.values().any(|g| g.key == group) {
            return Err(Error::InvalidArgument("the group is open already"));
        }
        if self.authority.own_chain(&group).is_none() {
            // Whoever is to gain a membership has had none, and knows nothing of the group.
            if !own.chain.is_empty() || !self.authority.awaits_password(&group) {
                return Err(Error::NoMembership);
            }
            snapshot.synchronised = false;
        }
        if self.groups.len() >= self.limits.groups {
            return Err(Error::TooMany);
        }
        let key = GroupKey(self.fresh_id());
        let node = NodeId(self.random().max(1));
        let objects = core::mem::take(&mut snapshot.objects);
        self.groups.insert(key, Group::new(group, own, node, snapshot, &self.limits, now.wall));
        self.load_objects(key, objects);
        self.prune_members(key);
        self.adopt_waiting(key);
        Ok(key)
    }

    /// Brings a group online: listens, and connects to members that are known, at `addresses` first. The outcome is an
    /// event: `Event::Status`, or `Event::ConnectionFailed` within `limits.connect`. While an attempt runs, or when the
    /// group is online, the addresses are tried besides.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`]; [`Error::InvalidArgument`] for an address that cannot be dialled.
    pub fn connect(
        &mut self,
        group: GroupKey,
        addresses: &[Address],
        now: Now,
    ) -> Result<Connecting, Error> {
        self.advance(now);
        self.group(group)?;
        if !addresses.iter().all(Address::is_dialable) {
            return Err(Error::InvalidArgument("an address cannot be dialled"));
        }
        Ok(self.start_connect(group, addresses))
    }

    /// Closes a group: direct connections deliver what they hold, neighbours are told, and `Event::Closed` follows
    /// within `limits.closing`. From now on every call with this key answers [`Error::InvalidGroup`].
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn close_group(&mut self, group: GroupKey, now: Now) -> Result<(), Error> {
        self.advance(now);
        self.group(group)?;
        self.start_closing(group);
        Ok(())
    }

    /// Whether incoming direct connections are accepted: on while some application wants their events. Off at first.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn accept_direct(&mut self, group: GroupKey, on: bool, now: Now) -> Result<(), Error> {
        self.advance(now);
        self.group(group)?.accept_direct = on;
        Ok(())
    }

    /// Starts a direct connection to a member at an address. Its one outcome is an `Event::Direct`: connected or failed.
    /// `peer` is [`Expect::Key`] or [`Expect::Authority`].
    ///
    /// # Errors
    /// [`Error::InvalidGroup`]; [`Error::InvalidArgument`] for an address that cannot be dialled, a peer that is anyone,
    /// or an authority that several members are known to have; [`Error::NotReady`] while the group is offline;
    /// [`Error::ConnectSelf`]; [`Error::TooMany`].
    pub fn open_direct(
        &mut self,
        group: GroupKey,
        peer: Expect,
        address: Address,
        now: Now,
    ) -> Result<ConnectionId, Error> {
        self.advance(now);
        self.start_direct(group, peer, address)
    }

    /// Closes a direct connection. What was accepted for sending is delivered in the background, for at most
    /// `limits.direct_linger`; the id is retired before the call returns.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`]; [`Error::ConnectionNotFound`] unless the connection is opening, or would be listed by
    /// [`directs`](Self::directs).
    pub fn close_direct(
        &mut self,
        group: GroupKey,
        id: ConnectionId,
        now: Now,
    ) -> Result<(), Error> {
        self.advance(now);
        self.group(group)?;
        self.end_direct(group, id)
    }

    /// Queues one message. Never blocks.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`]; [`Error::ConnectionNotFound`] unless the connection stands; [`Error::InvalidArgument`]
    /// if the message is longer than both sides accept; [`Error::QueueFull`], with `Event::Writable` to follow.
    pub fn send(
        &mut self,
        group: GroupKey,
        id: ConnectionId,
        kind: Guid,
        bytes: Bytes,
        now: Now,
    ) -> Result<(), Error> {
        self.advance(now);
        self.group(group)?;
        self.send_direct(group, id, kind, bytes)
    }

    /// The application took something from its queues: the peer may send again, an ended connection leaves the list.
    /// Valid also for a connection that is gone, and for a group that closes.
    pub fn taken(&mut self, group: GroupKey, id: ConnectionId, what: Taken, now: Now) {
        self.advance(now);
        self.on_taken(group, id, what);
    }

    /// Publishes a signed object in the group: it is stored, then handed to everybody in session, and to all others when
    /// they come. Works offline too. The outcome is `Event::Published`.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`]; [`Error::Refused`] if the object does not verify; [`Error::InvalidArgument`] if something
    /// later has taken its place already; [`Error::TooMany`] at the limits on objects.
    pub fn publish(
        &mut self,
        group: GroupKey,
        kind: ObjectKind,
        bytes: &Bytes,
        now: Now,
    ) -> Result<ObjectId, Error> {
        self.advance(now);
        self.group(group)?;
        self.start_publishing(group, kind, bytes)
    }

    /// The group's properties, once they are known here.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn properties(&self, group: GroupKey) -> Result<Option<Arc<Properties>>, Error> {
        Ok(self.group_ref(group)?.objects.properties.clone())
    }

    /// The revocations that are in force, those of the smallest depth first.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn revocations(&self, group: GroupKey) -> Result<Vec<Arc<Revocation>>, Error> {
        let all = &self.group_ref(group)?.objects.revocations;
        Ok(all.iter().filter(|r| all.in_force(&r.id)).cloned().collect())
    }

    /// What memberships a member is known to have, the shallowest first, at most 4; one's own is alone. Empty for a
    /// stranger, and for whom all memberships were taken back.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn memberships(&self, group: GroupKey, peer: &KeyId) -> Result<Vec<Arc<Member>>, Error> {
        let group = self.group_ref(group)?;
        if *peer == self.own {
            return Ok(alloc::vec![group.own.clone()]);
        }
        Ok(group.members.get(peer).map(|known| known.memberships.clone()).unwrap_or_default())
    }

    /// Whether the group listens and has neighbours.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn status(&self, group: GroupKey) -> Result<Status, Error> {
        self.group_ref(group).map(|g| g.status)
    }

    /// Whether a first complete exchange with a member has happened, ever.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn synchronised(&self, group: GroupKey) -> Result<bool, Error> {
        self.group_ref(group).map(|g| g.synchronised)
    }

    /// This node's id in the group.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn node_id(&self, group: GroupKey) -> Result<NodeId, Error> {
        self.group_ref(group).map(|g| g.node)
    }

    /// The direct connections that stand, or that the peer ended and whose end the application has not yet taken, by id.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn directs(&self, group: GroupKey) -> Result<Vec<ConnectionInfo>, Error> {
        self.group_ref(group)?;
        Ok(self.listed_directs(group))
    }

    /// The neighbours that are connected, by id.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn neighbours(&self, group: GroupKey) -> Result<Vec<ConnectionInfo>, Error> {
        self.group_ref(group)?;
        Ok(self.listed_neighbours(group))
    }

    /// All members known, oneself first.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`].
    pub fn members(&self, group: GroupKey) -> Result<Vec<MemberInfo>, Error> {
        Ok(self.listed_members(self.group_ref(group)?))
    }

    /// A group that an application may speak of: open, and not closing.
    pub(crate) fn group(&mut self, group: GroupKey) -> Result<&mut Group, Error> {
        self.groups.get_mut(&group).filter(|g| g.life != Life::Closing).ok_or(Error::InvalidGroup)
    }

    fn group_ref(&self, group: GroupKey) -> Result<&Group, Error> {
        self.groups.get(&group).filter(|g| g.life != Life::Closing).ok_or(Error::InvalidGroup)
    }

    fn advance(&mut self, now: Now) {
        self.now = Now { tick: self.now.tick.max(now.tick), wall: now.wall };
    }

    fn on_timeout(&mut self) {
        while let Some(timer) = self.timers.pop(self.now.tick) {
            match timer {
                Timer::Handshake(link) => self.on_handshake_timer(link),
                Timer::Verdict(link, stream) => self.on_verdict_timer(link, stream),
                Timer::Proof(link, stream) => self.on_proof_timer(link, stream),
                Timer::Welcome(link, stream) => self.on_welcome_timer(link, stream),
                Timer::Direct(id) => self.on_direct_timer(id),
                Timer::Search(group) => self.search(group),
                Timer::Connect(group) => self.on_connect_timer(group),
                Timer::Maintain(group) => self.on_maintain_timer(group),
                Timer::Expiry(group) => self.on_expiry_timer(group),
                Timer::Closing(group) => self.finish_closing(group),
            }
        }
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub(crate) fn event(&mut self, group: GroupKey, event: Event) {
        self.out.push_back(Output::Event { group, event });
    }

    pub(crate) fn timer(&mut self, timer: Timer, after: u64) {
        self.timers.set(timer, self.now.tick + after);
    }

    pub(crate) fn store(&mut self, group: GroupKey, pending: Pending, change: StoreChange) {
        let ticket = Ticket(self.fresh_id());
        self.tickets.insert(ticket, (group, pending));
        self.stats.stores_begun += 1;
        self.push(Output::Store { ticket, change: change.into() });
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A number for anything that this node numbers, except connections.
    pub(crate) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn fresh_connection(&mut self) -> ConnectionId {
        self.next_connection += 1;
        ConnectionId(self.next_connection)
    }

    pub(crate) fn write(&mut self, link: LinkId, stream: StreamId, frame: &crate::codec::Frame) {
        let (head, body) = frame.encode();
        let bytes = head.as_slice().len() + body.len();
        // After our FIN nothing is said any more, whatever the peer still asks.
        let Some(s) = self.stream(link, stream).filter(|s| !s.send_done) else { return };
        s.queued += bytes;
        if let Some(link) = self.links.get_mut(&link) {
            link.control_queued += bytes;
        }
        self.push(Output::Write { link, stream, head, body });
    }
}

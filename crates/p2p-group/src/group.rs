//! A handle of a group.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use p2p_core::{
    Address, Connecting, ConnectionId, Error as CoreError, Guid, KeyId, Member, MemberInfo, NodeId,
    Status,
};
use p2p_crypto::{IdentityInfo, Invitation, PeerName, Schemes};

use crate::board::{Board, Effects};
use crate::direct::{DirectConnection, Incoming};
use crate::error::{
    CloseError, Closed, ConnectError, DirectError, GroupError, InviteError, SendError,
};
use crate::events::{EventKind, Filter, GroupEvent};
use crate::instance::{Core, Instance};
use crate::invite::{self, Hints, InviteOptions};
use crate::lists::{GroupOptions, MemberFilter};
use crate::node::Node;
use crate::peer::Target;
use crate::queue::{HandleId, QueueId};
use crate::subscription::Subscription;
use crate::sync::lock;

/// Most addresses of one [`Group::connect_by_address`].
pub(crate) const CONNECT_ADDRESSES_MAX: usize = 64;

/// A handle of a group that is open in this process.
///
/// Several handles may be open on one group; they share its connections and its state. Clones are the same handle. A
/// handle ends with [`close`](Self::close), which also ends what came from it, or when its last clone and the last
/// [`Subscription`], [`Incoming`] and [`DirectConnection`] made from it are dropped. The last handle takes the group
/// offline.
///
/// Calls that are not `async` never wait for the network. [`create`](Self::create), [`join`](Self::join) and
/// [`open`](Self::open) wait for the disk.
#[derive(Clone)]
pub struct Group {
    pub(crate) handle: Arc<Handle>,
}

/// What the clones of a handle share with what came from it.
pub(crate) struct Handle {
    pub(crate) instance: Arc<Instance>,
    pub(crate) id: HandleId,
    /// The queue of [`Group::accept`].
    acceptor: OnceLock<QueueId>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.instance.close_handle(self.id);
        // What nobody has accepted goes with the one who could have.
        if let Some(queue) = self.acceptor.get() {
            self.instance.remove(*queue);
        }
    }
}

impl Group {
    /// Makes a new group whose first member, and administrator, is the node's identity. The group is stored and open,
    /// but offline.
    ///
    /// # Errors
    /// For names that are not allowed, and what the store gives; then nothing is stored.
    pub fn create(node: &Node, options: impl Into<GroupOptions>) -> Result<Group, GroupError> {
        node.create_group(&options.into())
    }

    /// Accepts an invitation for the node's identity. The membership is stored and the group open, but offline and not
    /// synchronised; [`connect`](Self::connect) shows whether the group can be reached. Joining again is fine while the
    /// group is closed: the membership that starts later stays.
    ///
    /// # Errors
    /// [`GroupError::Crypto`]: the invitation is for somebody else (`PEER_E_INVITATION_NOT_TRUSTED`) or not valid now
    /// (`PEER_E_INVALID_TIME_PERIOD`; clocks may differ by 10 minutes). [`GroupError::InUse`]; what the store gives. A
    /// membership that was stored before is still there.
    pub fn join(node: &Node, invitation: &Invitation) -> Result<Group, GroupError> {
        node.join_group(invitation)
    }

    /// A handle of a group that this identity has created or joined. If the group is open in this node already, the new
    /// handle shares it, and is online if it is.
    ///
    /// # Errors
    /// [`GroupError::NotFound`]; [`GroupError::InUse`] if another process has it open, or if it is still closing here;
    /// what the store gives.
    pub fn open(node: &Node, name: &PeerName) -> Result<Group, GroupError> {
        node.open_group(name)
    }

    pub(crate) fn first(instance: Arc<Instance>) -> Group {
        let id = instance.open_handle(true).expect("the first handle is always given");
        Group { handle: Arc::new(Handle { instance, id, acceptor: OnceLock::new() }) }
    }

    /// A further handle of an open group; `None` if that is closing.
    pub(crate) fn further(instance: Arc<Instance>) -> Option<Group> {
        let id = instance.open_handle(false)?;
        Some(Group { handle: Arc::new(Handle { instance, id, acceptor: OnceLock::new() }) })
    }

    /// The group's peer name. Stays readable after closing.
    pub fn name(&self) -> &PeerName {
        &self.handle.instance.info.name
    }

    /// The group's name for people.
    pub fn friendly_name(&self) -> &str {
        &self.handle.instance.info.friendly_name
    }

    /// The group's key.
    pub fn key(&self) -> KeyId {
        self.handle.instance.info.key
    }

    /// This identity's own membership, which may be [renewed](GroupEvent::Renewed).
    pub fn own(&self) -> Arc<Member> {
        self.handle.instance.own()
    }

    // Online and offline.

    /// Begins to bring the group online: finds members, connects to one, and listens. All handles of the group go
    /// online together. The outcome is an event, [`GroupEvent::Status`] or [`GroupEvent::ConnectionFailed`], within
    /// 30 s; [`connect_and_wait`](Self::connect_and_wait) waits for it. A call during an attempt joins that attempt.
    ///
    /// The creator of a group, and any member that was connected before, does not fail for want of others: it listens.
    ///
    /// # Errors
    /// [`ConnectError::Closed`].
    pub fn connect(&self) -> Result<Connecting, ConnectError> {
        self.connect_to(&[])
    }

    /// As [`connect`](Self::connect), and tries these addresses too, whoever answers there: its certificate decides.
    /// Whoever answers sees this identity's membership. A group that is online tries them as additional neighbours.
    ///
    /// # Errors
    /// [`ConnectError::Argument`] for no address, more than 64, or one that cannot be dialled; [`ConnectError::Closed`].
    pub fn connect_by_address(&self, addresses: &[Address]) -> Result<Connecting, ConnectError> {
        if addresses.is_empty() || addresses.len() > CONNECT_ADDRESSES_MAX {
            return Err(ConnectError::Argument("between 1 and 64 addresses"));
        }
        if !addresses.iter().all(Address::is_dialable) {
            return Err(ConnectError::Argument("an address that cannot be dialled"));
        }
        self.connect_to(addresses)
    }

    pub(crate) fn connect_to(&self, addresses: &[Address]) -> Result<Connecting, ConnectError> {
        let connect = |node: &mut Core, key, now| {
            let begun = node.connect(key, addresses, now);
            if begun == Ok(Connecting::Started) {
                lock(&self.handle.instance.attempt).begin(addresses);
            }
            begun
        };
        self.call(connect)?.map_err(|error| match error {
            CoreError::InvalidGroup => ConnectError::Closed(Closed),
            CoreError::InvalidArgument(what) => ConnectError::Argument(what),
            error => ConnectError::Failed(error.code()),
        })
    }

    /// Brings the group online, and waits until it is or cannot be: at most 30 s.
    ///
    /// Dropping the future stops the waiting, not the attempt.
    ///
    /// # Errors
    /// [`ConnectError::Failed`] with the reason; the group is offline and may be connected again.
    pub async fn connect_and_wait(&self) -> Result<(), ConnectError> {
        self.wait_for(Group::connect).await
    }

    /// As [`connect_by_address`](Self::connect_by_address), and waits as [`connect_and_wait`](Self::connect_and_wait).
    ///
    /// # Errors
    /// As both.
    pub async fn connect_by_address_and_wait(
        &self,
        addresses: &[Address],
    ) -> Result<(), ConnectError> {
        self.wait_for(|group| group.connect_by_address(addresses)).await
    }

    async fn wait_for(
        &self,
        begin: impl FnOnce(&Group) -> Result<Connecting, ConnectError>,
    ) -> Result<(), ConnectError> {
        let outcome =
            self.subscribe(Filter::of([EventKind::Status, EventKind::ConnectionFailed]))?;
        if begin(self)? == Connecting::AlreadyConnected || self.status()? != Status::default() {
            return Ok(());
        }
        loop {
            match outcome.recv().await {
                Some(GroupEvent::Status(status)) if status != Status::default() => return Ok(()),
                Some(GroupEvent::ConnectionFailed { reason }) => {
                    return Err(ConnectError::Failed(reason));
                }
                Some(_) => {}
                None => return Err(ConnectError::Closed(Closed)),
            }
        }
    }

    /// Whether the group listens and has neighbours; neither while offline. Direct connections do not count.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn status(&self) -> Result<Status, Closed> {
        self.ask(|node, key| node.status(key))
    }

    /// Whether there was ever a complete exchange with a member; true for the creator from the start. Inviting needs it.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn synchronised(&self) -> Result<bool, Closed> {
        self.ask(|node, key| node.synchronised(key))
    }

    /// This node's number in the group, random for every opening.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn node_id(&self) -> Result<NodeId, Closed> {
        self.ask(|node, key| node.node_id(key))
    }

    /// Closes this handle and its clones: what was queued for its subscriptions can still be taken, nothing more comes.
    /// The last handle takes the group offline: direct connections deliver what was accepted for sending, for at most
    /// 5 s, and everybody connected is told. Resolves when that is done, and at once for any other handle; direct
    /// connections then live on through the group's other handles.
    ///
    /// Dropping the future stops the waiting, not the closing.
    ///
    /// # Errors
    /// [`Closed`] if the handle was closed before.
    pub async fn close(&self) -> Result<(), Closed> {
        if self.begin_close()? {
            self.handle.instance.finished().await;
        }
        Ok(())
    }

    /// As [`close`](Self::close), blocking this thread: for programs without tokio. Do not call it on a thread that
    /// drives the node's runtime.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub fn close_blocking(&self) -> Result<(), Closed> {
        if self.begin_close()? {
            self.handle.instance.finished_blocking();
        }
        Ok(())
    }

    /// Whether it was the last handle.
    fn begin_close(&self) -> Result<bool, Closed> {
        let instance = &self.handle.instance;
        if instance.close_handle(self.handle.id) { Ok(!instance.is_open()) } else { Err(Closed) }
    }

    /// Deletes this identity's copy of the group: see [`Node::delete_group`].
    ///
    /// # Errors
    /// [`GroupError::NotFound`] if it was deleted before; else as [`Node::delete_group`].
    pub async fn delete(&self) -> Result<(), GroupError> {
        let node = Node { shared: Arc::clone(&self.handle.instance.node) };
        node.delete_group(self.name()).await
    }

    // Members and invitations.

    /// Invites somebody: signs a membership and writes down where this node listens and other members were last met.
    /// Connect first, or the invitation holds no address of this node. Nothing is stored or sent.
    ///
    /// # Errors
    /// [`InviteError::NotReady`] before the first exchange with a member; [`InviteError::PasswordOnly`];
    /// [`InviteError::Revoked`]; [`InviteError::Crypto`]: `PEER_E_NOT_AUTHORIZED` for roles that this member may not grant, `PEER_E_INVALID_TIME_PERIOD`,
    /// `PEER_E_CHAIN_TOO_LONG`, `PEER_E_CIRCULAR_CHAIN_DETECTED`.
    pub fn invite(
        &self,
        invitee: &IdentityInfo,
        options: InviteOptions,
    ) -> Result<Invitation, InviteError> {
        if !self.synchronised()? {
            return Err(InviteError::NotReady);
        }
        // A member that has not heard of the properties yet cannot know; whoever is invited is a member all the same.
        if self.properties().is_ok_and(|known| !known.schemes.contains(Schemes::CERTIFICATE)) {
            return Err(InviteError::PasswordOnly);
        }
        let (identity, hints) = (&self.handle.instance.node.identity, self.hints()?);
        let invitation = invite::issue(identity, &self.own().chain, &hints, invitee, options)?;
        if self.is_revoked(invitation.member())? {
            return Err(InviteError::Revoked);
        }
        Ok(invitation)
    }

    /// Where members may be found, this node first.
    pub(crate) fn hints(&self) -> Result<Hints, Closed> {
        let (listening, members) = self.ask(|node, key| {
            let online = node.status(key)?.listening;
            Ok((if online { node.listening().to_vec() } else { Vec::new() }, node.members(key)?))
        })?;
        let own = self.handle.instance.node.identity.key();
        Ok(invite::hints(own, listening, invite::hints_of(members)))
    }

    /// The members known here, oneself first: those with whom a session ever stood. A member that is present with
    /// several nodes is listed once per node.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn members(&self, filter: &MemberFilter) -> Result<Vec<MemberInfo>, Closed> {
        let mut members = self.ask(|node, key| node.members(key))?;
        members.retain(|info| {
            let fits =
                filter.identity.as_ref().is_none_or(|identity| identity.admits(&info.member.key));
            fits && (info.present || !filter.present)
        });
        Ok(members)
    }

    // Connections.

    /// Begins to open a direct connection to `target` at `address`. The outcome is one event with this id:
    /// [`GroupEvent::Direct`] with `Connected` or `Failed`, within 30 s. Nobody owns the connection: it lasts until
    /// [`close_direct`](Self::close_direct), or until the peer, the network or the group ends it.
    ///
    /// # Errors
    /// [`DirectError`], without `Failed`; no attempt was started.
    pub fn open_direct(
        &self,
        target: impl Into<Target>,
        address: Address,
    ) -> Result<ConnectionId, DirectError> {
        let target = target.into();
        let instance = &self.handle.instance;
        let id = self.call(|node, key, now| {
            let id = node.open_direct(key, target.expect(), address, now)?;
            instance.with_board(|board| board.opened(id));
            Ok(id)
        })?;
        let id = id.map_err(direct_error)?;
        instance.place().opening(id, target.expect());
        Ok(id)
    }

    /// Opens a direct connection to `target` at `address`, and waits for it: at most 30 s.
    ///
    /// Dropping the future gives the attempt up.
    ///
    /// # Errors
    /// [`DirectError`].
    pub async fn direct_at(
        &self,
        target: impl Into<Target>,
        address: Address,
    ) -> Result<DirectConnection, DirectError> {
        DirectConnection::open(&self.handle, &target.into(), address).await
    }

    /// Opens a direct connection to `target` where it is known to be, one address after another, and waits for it.
    ///
    /// Dropping the future gives the attempt up.
    ///
    /// # Errors
    /// [`DirectError::NoAddress`] if no address is known; else that of the last attempt.
    pub async fn direct(&self, target: impl Into<Target>) -> Result<DirectConnection, DirectError> {
        let target = target.into();
        let mut error = DirectError::NoAddress;
        for address in self.addresses_of(&target)? {
            match DirectConnection::open(&self.handle, &target, address).await {
                Ok(connection) => return Ok(connection),
                Err(DirectError::Failed(cause)) => error = DirectError::Failed(cause),
                Err(other) => return Err(other),
            }
        }
        Err(error)
    }

    /// Where `target` is known to be, best first.
    fn addresses_of(&self, target: &Target) -> Result<Vec<Address>, Closed> {
        let filter = MemberFilter { present: false, identity: Some(target.clone()) };
        let own = self.node_id()?;
        let mut members = self.members(&filter)?;
        members.retain(|info| info.node != own);
        members.sort_by_key(|info| !info.present);
        let mut addresses: Vec<Address> = Vec::new();
        for address in members.into_iter().flat_map(|info| info.addresses) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }

    /// The next direct connection that a peer opens. From the first call on, and until it is closed, this handle
    /// accepts; what comes while nobody waits is kept. Several tasks may wait; each connection goes to one of them.
    /// `None` when the handle is closed.
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn accept(&self) -> Option<DirectConnection> {
        let instance = &self.handle.instance;
        let queue = match self.handle.acceptor.get() {
            Some(queue) => *queue,
            None => {
                let queue = instance.acceptor(self.handle.id).ok()?;
                let first = *self.handle.acceptor.get_or_init(|| queue);
                if first != queue {
                    instance.remove(queue);
                }
                first
            }
        };
        DirectConnection::accepted(&self.handle, instance.take(queue).await?)
    }

    /// Accepts the direct connections that peers open, until the returned value is dropped.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn incoming(&self) -> Result<Incoming, Closed> {
        Incoming::new(&self.handle)
    }

    /// Closes a direct connection, whoever opened it and through whichever handle. What was accepted for sending is
    /// still delivered, for at most 5 s; then the `Disconnected` event comes here too. What was received and not taken
    /// stays readable. Does not wait.
    ///
    /// # Errors
    /// [`CloseError::NotFound`] for an id that is neither opening nor listed: above all, for a second close.
    pub fn close_direct(&self, id: ConnectionId) -> Result<(), CloseError> {
        self.close_looking(id, None, |_| ())
    }

    /// As [`close_direct`](Self::close_direct); `look` sees how things stand in the moment before.
    pub(crate) fn close_looking<R>(
        &self,
        id: ConnectionId,
        peer: Option<KeyId>,
        look: impl FnOnce(&Board) -> R,
    ) -> Result<R, CloseError> {
        let instance = &self.handle.instance;
        let closed = self.call(|node, key, now| {
            let seen = instance.with_board(|board| look(board));
            node.close_direct(key, id, now)?;
            let mut fx = Effects::default();
            instance.with_board(|board| board.wake_room(id, &mut fx));
            instance.node.hub.wake(fx.wakes);
            Ok(seen)
        })?;
        let seen = closed.map_err(|error: CoreError| match error {
            CoreError::InvalidGroup => CloseError::Closed(Closed),
            _ => CloseError::NotFound,
        })?;
        instance.place().closing(id, peer);
        Ok(seen)
    }

    /// Hands a message over for sending on a direct connection. Does not wait: a message that does not fit into the
    /// connection's send queue (8 MiB) is refused.
    ///
    /// # Errors
    /// [`SendError`]; nothing was queued.
    pub fn send(
        &self,
        id: ConnectionId,
        kind: Guid,
        bytes: impl Into<Bytes>,
    ) -> Result<(), SendError> {
        let bytes = bytes.into();
        let length = bytes.len();
        self.handle.send(id, kind, bytes)?;
        self.handle.instance.place().sent(id, None, length);
        Ok(())
    }

    /// As [`send`](Self::send), and waits for room.
    ///
    /// If the future is dropped before it is done, nothing was queued.
    ///
    /// # Errors
    /// [`SendError`], without `Full`; nothing was queued.
    pub async fn send_wait(
        &self,
        id: ConnectionId,
        kind: Guid,
        bytes: impl Into<Bytes>,
    ) -> Result<(), SendError> {
        let bytes = bytes.into();
        let length = bytes.len();
        self.handle.send_wait(id, kind, bytes).await?;
        self.handle.instance.place().sent(id, None, length);
        Ok(())
    }

    // Events.

    /// A queue for what happens from now on and passes `filter`. While anything of the group asks for
    /// [`EventKind::Direct`], its node accepts direct connections.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn subscribe(&self, filter: Filter) -> Result<Subscription, Closed> {
        Subscription::new(&self.handle, filter)
    }

    fn call<R>(
        &self,
        f: impl FnOnce(&mut Core, p2p_core::GroupKey, p2p_core::Now) -> R,
    ) -> Result<R, Closed> {
        self.handle.instance.call_for(self.handle.id, f)
    }

    /// A question to the node, which has no other answer than that the group is not open.
    pub(crate) fn ask<R>(
        &self,
        f: impl FnOnce(&Core, p2p_core::GroupKey) -> Result<R, CoreError>,
    ) -> Result<R, Closed> {
        self.call(|node, key, _| f(node, key))?.map_err(|_| Closed)
    }
}

impl Handle {
    pub(crate) fn send(&self, id: ConnectionId, kind: Guid, bytes: Bytes) -> Result<(), SendError> {
        let sent = self
            .instance
            .call_for(self.id, |node, key, now| node.send(key, id, kind, bytes, now))?;
        sent.map_err(|error| match error {
            CoreError::InvalidGroup => SendError::Closed(Closed),
            CoreError::QueueFull | CoreError::TooMany => SendError::Full,
            CoreError::InvalidArgument(what) => SendError::TooLong(what),
            _ => SendError::NotFound,
        })
    }

    pub(crate) async fn send_wait(
        &self,
        id: ConnectionId,
        kind: Guid,
        bytes: Bytes,
    ) -> Result<(), SendError> {
        loop {
            match self.send(id, kind, bytes.clone()) {
                Err(SendError::Full) => {}
                done => return done,
            }
            let room = self.instance.with_board(|board| board.room(id));
            let mut waiting = std::pin::pin!(room.notified());
            waiting.as_mut().enable();
            match self.send(id, kind, bytes.clone()) {
                Err(SendError::Full) => waiting.await,
                done => return done,
            }
        }
    }
}

pub(crate) fn direct_error(error: CoreError) -> DirectError {
    match error {
        CoreError::InvalidGroup => DirectError::Closed(Closed),
        CoreError::NotReady => DirectError::Offline,
        CoreError::ConnectSelf => DirectError::Itself,
        CoreError::InvalidArgument(what) => DirectError::Argument(what),
        _ => DirectError::TooMany,
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Group").field(self.name()).finish()
    }
}

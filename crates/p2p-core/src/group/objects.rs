//! Signed objects of a group: what is kept, how it spreads, and what a revocation does.
//!
//! When a session stands, each side names what it has; the other asks for what it lacks. What is new goes to everybody in
//! session at once. So every connected member has everything, and whoever was away catches up at its next session.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::cmp::Reverse;

use super::{Group, Life, Peer, PeerKey, SKEW, over};
use crate::authority::{Authority, Member};
use crate::code::Code;
use crate::codec::{Frame, OBJECT_IDS_MAX, OBJECT_WANT_MAX};
use crate::error::Error;
use crate::event::Event;
use crate::id::{GroupKey, KeyId};
use crate::io::{LinkId, StoreChange, StreamId};
use crate::limits::Limits;
use crate::node::{Node, Pending};
use crate::object::{Credential, Object, ObjectId, ObjectKind, Properties};
use crate::revocations::{Inserted, Revocations};
use crate::time::FileTime;

/// What is kept of a group's objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub(crate) revocations: Revocations,
    /// For each member the one that counts: see [`Objects::rank`].
    pub(crate) credentials: BTreeMap<KeyId, Arc<Credential>>,
    /// Whose each of them is.
    credential_ids: BTreeMap<ObjectId, KeyId>,
    credential_bytes: usize,
    pub(crate) properties: Option<Arc<Properties>>,
}

/// What became of an object that came in.
enum Kept {
    /// It is kept; these are not any longer.
    New(Vec<ObjectId>),
    /// It was there, or something that counts for more.
    Old,
    Full,
}

impl Objects {
    fn get(&self, id: &ObjectId) -> Option<Object> {
        let revocation = || self.revocations.get(id).cloned().map(Object::Revocation);
        let properties = || self.properties.clone().filter(|p| p.id == *id).map(Object::Properties);
        let credential = || {
            let found = self.credentials.get(self.credential_ids.get(id)?)?;
            Some(Object::Credential(found.clone()))
        };
        revocation().or_else(properties).or_else(credential)
    }

    fn ids(&self) -> Vec<ObjectId> {
        // Credentials first: whoever is revoked one membership and given another shall not be without in between.
        let credentials = self.credentials.values().map(|credential| credential.id);
        let properties = self.properties.iter().map(|properties| properties.id);
        let revocations = self.revocations.iter().map(|revocation| revocation.id);
        credentials.chain(properties).chain(revocations).collect()
    }

    /// Most objects that a group may have.
    pub(crate) fn count_max(limits: &Limits) -> usize {
        limits.revocations + limits.credentials + 1
    }

    /// Of two credentials of one member: one in force counts more than any other, then the shallower one, or whoever
    /// stands deeper could keep a member from its renewal; then the later one.
    fn rank(
        &self,
        credential: &Credential,
        wall: FileTime,
    ) -> (bool, Reverse<u8>, FileTime, ObjectId) {
        let member = &credential.member;
        let in_force = self.is_in_force(member, wall);
        (in_force, Reverse(member.depth), member.not_before, credential.id)
    }

    fn is_in_force(&self, member: &Member, wall: FileTime) -> bool {
        member.not_before <= wall.plus_seconds(SKEW)
            && !over(member.not_after, wall)
            && self.revocations.find(&member.path).is_none()
    }

    fn keep(&mut self, object: &Object, limits: &Limits, wall: FileTime) -> Kept {
        match object {
            Object::Revocation(revocation) => {
                let (count, bytes) = (limits.revocations, limits.object_bytes);
                match self.revocations.insert(revocation.clone(), count, bytes) {
                    Inserted::New { evicted } => Kept::New(evicted),
                    Inserted::Known => Kept::Old,
                    Inserted::Full => Kept::Full,
                }
            }
            Object::Properties(properties) => {
                let rank = |p: &Properties| (p.version, p.id);
                match &self.properties {
                    Some(old) if rank(old) >= rank(properties) => Kept::Old,
                    _ => {
                        let old = self.properties.replace(properties.clone());
                        Kept::New(old.into_iter().map(|old| old.id).collect())
                    }
                }
            }
            Object::Credential(credential) => self.keep_credential(credential, limits, wall),
        }
    }

    fn keep_credential(
        &mut self,
        credential: &Arc<Credential>,
        limits: &Limits,
        wall: FileTime,
    ) -> Kept {
        let (key, len) = (credential.member.key, credential.member.chain.len());
        let old = self.credentials.get(&key);
        if old.is_some_and(|old| self.rank(old, wall) >= self.rank(credential, wall)) {
            return Kept::Old;
        }
        let freed = old.map_or(0, |old| old.member.chain.len());
        let bytes = self.credential_bytes - freed + len;
        let many = (self.credentials.len() + 1 - usize::from(old.is_some()))
            .saturating_sub(limits.credentials);
        let large = bytes.saturating_sub(limits.object_bytes);
        let Some(weaker) = self.room_for(credential, many, large, wall) else {
            return Kept::Full;
        };
        let mut gone: Vec<Arc<Credential>> =
            weaker.iter().filter_map(|key| self.credentials.remove(key)).collect();
        self.credential_bytes = bytes - gone.iter().map(|c| c.member.chain.len()).sum::<usize>();
        gone.extend(self.credentials.insert(key, credential.clone()));
        for credential in &gone {
            self.credential_ids.remove(&credential.id);
        }
        self.credential_ids.insert(credential.id, key);
        Kept::New(gone.into_iter().map(|gone| gone.id).collect())
    }

    /// Whose credentials have to go for this one, so that `many` and `large` bytes are less: those not in force first,
    /// then the deepest, or whoever stands deeper could use up the room of those above. `None` if all count for as much.
    fn room_for(
        &self,
        new: &Credential,
        mut many: usize,
        mut large: usize,
        wall: FileTime,
    ) -> Option<Vec<KeyId>> {
        let mut gone = Vec::new();
        if (many, large) == (0, 0) {
            return Some(gone);
        }
        let weight = |c: &Credential| (self.is_in_force(&c.member, wall), Reverse(c.member.depth));
        let (mine, key) = (weight(new), new.member.key);
        let others = self.credentials.values().filter(|c| c.member.key != key);
        let mut weaker: Vec<_> =
            others.map(|c| (weight(c), c.id, c)).filter(|(w, ..)| *w < mine).collect();
        weaker.sort_unstable_by_key(|(weight, id, _)| (*weight, *id));
        for (_, _, credential) in weaker {
            gone.push(credential.member.key);
            many = many.saturating_sub(1);
            large = large.saturating_sub(credential.member.chain.len());
            if (many, large) == (0, 0) {
                return Some(gone);
            }
        }
        None
    }
}

impl Group {
    /// Whether a membership has begun, is not over and was not taken back.
    pub(crate) fn is_in_force(&self, member: &Member, wall: FileTime) -> bool {
        self.objects.is_in_force(member, wall)
    }

    /// The membership that waits here for `peer`, if it is in force.
    pub(crate) fn credential(&self, peer: &KeyId, wall: FileTime) -> Option<Arc<Member>> {
        let member = &self.objects.credentials.get(peer)?.member;
        self.is_in_force(member, wall).then(|| member.clone())
    }
}

impl<A: Authority> Node<A> {
    /// What the store kept. Whatever does not verify any longer is told as a failure of the store.
    pub(crate) fn load_objects(&mut self, key: GroupKey, objects: Vec<(ObjectKind, Bytes)>) {
        let Some(id) = self.groups.get(&key).map(|g| g.key) else { return };
        for (kind, bytes) in objects {
            match self.authority.verify_object(&id, kind, &bytes) {
                Ok(object) => {
                    if let Some(group) = self.groups.get_mut(&key) {
                        // What is not kept was kept once, by larger limits: it goes from the store when it is replaced.
                        group.objects.keep(&object, &self.limits, self.now.wall);
                    }
                }
                Err(refusal) => self.event(key, Event::StoreFailed { code: refusal.code }),
            }
        }
    }

    /// Checks an object of the application, and has it stored.
    pub(crate) fn start_publishing(
        &mut self,
        key: GroupKey,
        kind: ObjectKind,
        bytes: &Bytes,
    ) -> Result<ObjectId, Error> {
        let group = self.groups.get(&key).ok_or(Error::InvalidGroup)?;
        let object =
            self.authority.verify_object(&group.key, kind, bytes).map_err(Error::Refused)?;
        let id = object.id();
        match group.objects.clone().keep(&object, &self.limits, self.now.wall) {
            Kept::Old if group.objects.get(&id).is_none() => {
                return Err(Error::InvalidArgument("something later has taken its place"));
            }
            Kept::Full => return Err(Error::TooMany),
            Kept::New(_) | Kept::Old => {}
        }
        let change = StoreChange::Object { group: group.key, id, kind, bytes: bytes.clone() };
        self.store(key, Pending::Publish(object), change);
        Ok(id)
    }

    /// An object of the application is on disk, or could not be stored.
    pub(crate) fn published(&mut self, key: GroupKey, object: Object, result: Result<(), Code>) {
        let id = object.id();
        if result.is_ok() {
            self.take_object(key, object, true, None);
        }
        self.event(key, Event::Published { id, result });
    }

    /// Keeps an object, hands it on, and does what it says; false if it was here, or there is no room.
    fn take_object(
        &mut self,
        key: GroupKey,
        object: Object,
        stored: bool,
        from: Option<PeerKey>,
    ) -> bool {
        let Some(group) = self.groups.get_mut(&key) else { return false };
        let group_id = group.key;
        let Kept::New(gone) = group.objects.keep(&object, &self.limits, self.now.wall) else {
            return false;
        };
        let id = object.id();
        if !stored {
            let (kind, bytes) = (object.kind(), object.bytes().clone());
            let change = StoreChange::Object { group: group_id, id, kind, bytes };
            self.store(key, Pending::Nothing, change);
        }
        for id in gone {
            self.store(key, Pending::Nothing, StoreChange::ObjectGone { group: group_id, id });
        }
        // First to the others: whoever is to go shall see why.
        self.spread(key, &object, from);
        match object {
            Object::Revocation(revocation) => {
                let in_force = |g: &Group| g.objects.revocations.in_force(&id);
                if self.groups.get(&key).is_some_and(in_force) {
                    self.event(key, Event::Revoked { revocation });
                    self.enforce(key);
                }
            }
            Object::Properties(properties) => {
                self.event(key, Event::PropertiesChanged { properties });
            }
            Object::Credential(credential) => self.take_credential(key, credential.member.clone()),
        }
        true
    }

    fn spread(&mut self, key: GroupKey, object: &Object, from: Option<PeerKey>) {
        let Some(group) = self.groups.get(&key).filter(|g| g.life.admits_sessions()) else {
            return;
        };
        // Whoever has named it has it.
        let id = object.id();
        let lacks = |(peer, entry): &(&PeerKey, &Peer)| {
            Some(**peer) != from && !entry.offered.contains(&id) && !entry.wanted.contains(&id)
        };
        let others: Vec<PeerKey> = group.peers.iter().filter(lacks).map(|(p, _)| *p).collect();
        for peer in others {
            if let Some((link, stream)) = self.carrier(key, peer) {
                self.write(link, stream, &object_frame(object));
                self.refill(link, stream);
            }
        }
    }

    fn take_credential(&mut self, key: GroupKey, member: Arc<Member>) {
        let wall = self.now.wall;
        let Some(group) = self.groups.get(&key) else { return };
        if !group.is_in_force(&member, wall) {
            return;
        }
        if member.key == group.own.key {
            // Issuing never takes anything away: what gives less than we have waits until that is gone.
            let own = &group.own;
            let grants = member.roles.with(member.roles.grantable());
            let more = member.depth <= own.depth && grants.contains(own.roles);
            let later = member.not_before > own.not_before;
            if more && later || !group.is_in_force(&group.own, wall) {
                self.adopt(key, member);
            }
        } else {
            self.meet(key, member);
        }
    }

    /// Our own membership is this one from now on.
    pub(crate) fn adopt(&mut self, key: GroupKey, member: Arc<Member>) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let (id, waits) = (group.key, group.life == Life::Connecting && group.synchronised);
        group.own = member.clone();
        let end = member.not_after;
        self.authority.adopt(&id, member.chain.clone());
        self.store(key, Pending::Nothing, StoreChange::Own { group: id, member: member.clone() });
        self.event(key, Event::Renewed { member });
        if waits && !self.listening.is_empty() {
            self.go_online(key);
        }
        self.watch_expiry(key, end);
    }

    /// If a membership waits for us that gives more than ours, or ours is not in force any longer: that one.
    pub(crate) fn adopt_waiting(&mut self, key: GroupKey) {
        let (wall, own) = (self.now.wall, self.own);
        let waiting = self.groups.get(&key).and_then(|group| group.credential(&own, wall));
        if let Some(member) = waiting {
            self.take_credential(key, member);
        }
    }

    /// What the revocations say is done: whoever has no membership left goes, those who have one keep that.
    fn enforce(&mut self, key: GroupKey) {
        self.prune_members(key);
        self.adopt_waiting(key);
        let Some(group) = self.groups.get(&key) else { return };
        if group.objects.revocations.find(&group.own.path).is_some() {
            self.membership_ended(key);
        }
    }

    /// Names what is here to a peer whose session has just come to stand.
    pub(crate) fn offer_objects(&mut self, key: GroupKey, link: LinkId, stream: StreamId) {
        let Some(group) = self.groups.get(&key) else { return };
        let ids = group.objects.ids();
        for ids in ids.chunks(OBJECT_IDS_MAX) {
            self.write(link, stream, &Frame::ObjectIds(ids.to_vec()));
        }
    }

    /// One of the streams that carried a session is gone, and with it perhaps what was named, asked for or handed on: all
    /// that begins again on the one that is left.
    pub(crate) fn offer_again(&mut self, key: GroupKey, peer: PeerKey) {
        let Some((link, stream)) = self.carrier(key, peer) else { return };
        self.offer_objects(key, link, stream);
        let entry = self.groups.get_mut(&key).and_then(|g| g.peers.get_mut(&peer));
        if let Some(entry) = entry {
            for id in core::mem::take(&mut entry.wanted).into_iter().rev() {
                entry.offered.push_front(id);
            }
        }
        self.want_more(key, peer);
    }

    pub(crate) fn on_object_ids(&mut self, key: GroupKey, peer: PeerKey, ids: Vec<ObjectId>) {
        let max = Objects::count_max(&self.limits);
        let Some(group) = self.groups.get_mut(&key) else { return };
        let lacking: Vec<ObjectId> =
            ids.into_iter().filter(|id| group.objects.get(id).is_none()).collect();
        let Some(entry) = group.peers.get_mut(&peer) else { return };
        let room = max.saturating_sub(entry.offered.len());
        entry.offered.extend(lacking.into_iter().take(room));
        self.want_more(key, peer);
    }

    /// Asks for the next objects, once all that were asked for are here.
    fn want_more(&mut self, key: GroupKey, peer: PeerKey) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let Some(entry) = group.peers.get_mut(&peer).filter(|e| e.wanted.is_empty()) else {
            return;
        };
        while entry.wanted.len() < OBJECT_WANT_MAX
            && let Some(id) = entry.offered.pop_front()
        {
            if group.objects.get(&id).is_none() && !entry.wanted.contains(&id) {
                entry.wanted.push(id);
            }
        }
        let wanted = entry.wanted.clone();
        if wanted.is_empty() {
            if core::mem::take(&mut entry.welcome_waits) {
                self.welcomed(key, peer);
            }
        } else if let Some((link, stream)) = self.carrier(key, peer) {
            self.write(link, stream, &Frame::ObjectWant(wanted));
        }
    }

    pub(crate) fn on_object_want(
        &mut self,
        key: GroupKey,
        link: LinkId,
        stream: StreamId,
        ids: &[ObjectId],
    ) {
        for id in ids {
            let found = self.groups.get(&key).and_then(|g| g.objects.get(id));
            // What has gone in the meantime is answered too, or the other side would wait for it.
            let frame = found
                .map_or(Frame::Object { kind: 0, id: *id, bytes: Bytes::new() }, |object| {
                    object_frame(&object)
                });
            self.write(link, stream, &frame);
            // Whoever asks and does not read is not worked for.
            self.refill(link, stream);
        }
    }

    /// Whether the peer was asked for this: what is asked for does not count as a flood.
    pub(crate) fn is_awaited(&self, link: LinkId, stream: StreamId, frame: &Frame) -> bool {
        let Frame::Object { id, .. } = frame else { return false };
        let of_control = || {
            let link = self.links.get(&link)?;
            let (group, _) = link.controls.iter().find(|(_, s)| **s == stream)?;
            let peer = (link.peer, link.instance?);
            Some(self.groups.get(group)?.peers.get(&peer)?.wanted.contains(id))
        };
        of_control().unwrap_or(false)
    }

    /// False: the peer sent what no member may.
    pub(crate) fn on_object(
        &mut self,
        key: GroupKey,
        peer: PeerKey,
        kind: u64,
        id: ObjectId,
        bytes: &Bytes,
    ) -> bool {
        let Some(group) = self.groups.get_mut(&key) else { return true };
        let (group_id, known) = (group.key, group.objects.get(&id).is_some());
        if let Some(entry) = group.peers.get_mut(&peer) {
            entry.wanted.retain(|wanted| *wanted != id);
        }
        // A kind that a later version has is no offence; it is not handed on either.
        let kind = u8::try_from(kind).ok().and_then(ObjectKind::from_number);
        self.stats.objects_received += 1;
        match kind {
            _ if known => self.stats.objects_known += 1,
            None => self.stats.objects_unknown += 1,
            Some(kind) => match self.authority.verify_object(&group_id, kind, bytes) {
                Ok(object) if object.id() == id => {
                    let kept = self.take_object(key, object, false, Some(peer));
                    let counter = if kept {
                        &mut self.stats.objects_kept
                    } else {
                        &mut self.stats.objects_known
                    };
                    *counter += 1;
                }
                _ => {
                    self.stats.objects_refused += 1;
                    return false;
                }
            },
        }
        self.want_more(key, peer);
        true
    }
}

fn object_frame(object: &Object) -> Frame {
    Frame::Object {
        kind: u64::from(object.kind().number()),
        id: object.id(),
        bytes: object.bytes().clone(),
    }
}

//! Who is in a group: members met, where they were, and what the application is told of them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Group, Known, PeerKey, over};
use crate::authority::{Authority, Member, Roles};
use crate::event::{Cause, Event, MemberChange};
use crate::group::Life;
use crate::id::{Address, GroupKey, InstanceId, KeyId, NodeId};
use crate::io::StoreChange;
use crate::node::{MemberInfo, Node, Pending};
use crate::time::FileTime;

impl<A: Authority> Node<A> {
    /// A membership was seen that holds.
    pub(super) fn meet(&mut self, key: GroupKey, member: Arc<Member>) {
        let (wall, max) = (self.now.wall, self.limits.members);
        let Some(group) = self.groups.get_mut(&key) else { return };
        let peer = member.key;
        if peer == group.own.key {
            return;
        }
        let room = group.members.len() < max;
        let changed = match group.members.get_mut(&peer) {
            Some(known) => known.add(member, wall),
            None if room => {
                group.members.insert(peer, Known::new(member, false));
                true
            }
            None => return,
        };
        if changed {
            self.store_member(key, peer, Pending::Member(peer));
        }
        self.show_presence(key, peer);
    }

    fn store_member(&mut self, key: GroupKey, peer: KeyId, pending: Pending) {
        let Some(group) = self.groups.get(&key) else { return };
        let memberships =
            group.members.get(&peer).map(|known| known.memberships.clone()).unwrap_or_default();
        let change = StoreChange::Member { group: group.key, peer, memberships };
        self.store(key, pending, change);
    }

    /// Drops the memberships that are over or revoked, where others are left; ends the sessions of those who have none,
    /// and forgets the members all of whose memberships were taken back.
    pub(crate) fn prune_members(&mut self, key: GroupKey) {
        let wall = self.now.wall;
        let Some(Group { members, peers, objects, .. }) = self.groups.get_mut(&key) else { return };
        let revocations = &objects.revocations;
        let (mut changed, mut revoked) = (Vec::new(), Vec::new());
        for (peer, known) in members.iter_mut() {
            let before = known.memberships.len();
            known.memberships.retain(|m| revocations.find(&m.path).is_none());
            // Those that were taken back may have pushed out one that a session stands on.
            if known.memberships.is_empty() {
                let nodes = (*peer, InstanceId(0))..=(*peer, InstanceId(u64::MAX));
                let mut shown = peers.range(nodes).map(|(_, entry)| &entry.member);
                let left = shown.find(|m| revocations.find(&m.path).is_none());
                known.memberships.extend(left.cloned());
            }
            if known.memberships.is_empty() {
                revoked.push(*peer);
            } else if known.memberships.len() != before || known.has_ended(wall) {
                known.settle(wall);
                changed.push(*peer);
            }
        }
        let cause = |(peer, entry): (&PeerKey, &super::Peer)| {
            let taken = revocations.find(&entry.member.path).is_some();
            let end = match members.get(&peer.0) {
                _ if revoked.contains(&peer.0) => return Some((*peer, Cause::Revoked)),
                None if taken => return Some((*peer, Cause::Revoked)),
                None => entry.member.not_after,
                Some(known) => known.member.not_after,
            };
            over(end, wall).then_some((*peer, Cause::Expired))
        };
        let leaving: Vec<(PeerKey, Cause)> = peers.iter().filter_map(cause).collect();
        for (peer, cause) in leaving {
            self.membership_over(key, peer, cause);
        }
        for peer in changed {
            self.store_member(key, peer, Pending::Member(peer));
        }
        for peer in revoked {
            self.forget_member(key, peer);
        }
    }

    fn forget_member(&mut self, key: GroupKey, peer: KeyId) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.members.remove(&peer);
        let id = group.key;
        if group.book.remove(&peer).is_some() {
            let change = StoreChange::Addresses { group: id, peer, addresses: Vec::new() };
            self.store(key, Pending::Nothing, change);
        }
        self.store_member(key, peer, Pending::Nothing);
    }

    /// The first neighbour was told: now the members may be.
    pub(crate) fn show_members(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get(&key) else { return };
        let waiting = |(peer, known): (&KeyId, &Known)| {
            let late = known.news.is_some() || known.shown != group.is_present(peer);
            late.then_some(*peer)
        };
        let waiting: Vec<KeyId> = group.members.iter().filter_map(waiting).collect();
        for peer in waiting {
            self.show_presence(key, peer);
        }
    }

    /// Tells the application that a member came or went, once it was told who that is.
    pub(crate) fn show_presence(&mut self, key: GroupKey, peer: KeyId) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let here = group.is_present(&peer);
        let tells = group.tells_members();
        let Some(known) = group.members.get_mut(&peer).filter(|k| tells && k.stored) else {
            return;
        };
        if let Some(change) = known.news.take() {
            let member = known.member.clone();
            self.event(key, Event::Member { change, member });
            return self.show_presence(key, peer);
        }
        if core::mem::replace(&mut known.shown, here) == here {
            return;
        }
        let change = if here { MemberChange::Connected } else { MemberChange::Disconnected };
        let member = known.member.clone();
        self.event(key, Event::Member { change, member });
    }

    pub(crate) fn listed_members(&self, group: &Group) -> Vec<MemberInfo> {
        let online = group.life == Life::Online;
        let own = MemberInfo {
            member: group.own.clone(),
            present: online,
            node: if online { group.node } else { NodeId::default() },
            addresses: if online { self.announced() } else { Vec::new() },
        };
        let mut all = alloc::vec![own];
        for known in group.members.values() {
            let key = known.member.key;
            let book = group.book.get(&key).cloned().unwrap_or_default();
            let nodes = group.peers.range((key, InstanceId(0))..=(key, InstanceId(u64::MAX)));
            let before = all.len();
            for (_, peer) in nodes {
                let addresses =
                    if peer.announced.is_empty() { book.clone() } else { peer.announced.clone() };
                all.push(MemberInfo {
                    member: known.member.clone(),
                    present: true,
                    node: peer.node,
                    addresses,
                });
            }
            if all.len() == before {
                let node = NodeId::default();
                all.push(MemberInfo {
                    member: known.member.clone(),
                    present: false,
                    node,
                    addresses: book,
                });
            }
        }
        all
    }

    /// Keeps where a peer was reachable, best first.
    pub(crate) fn learn_addresses(&mut self, key: GroupKey, peer: KeyId, addresses: &[Address]) {
        let (max, own) = (self.limits.addresses_per_peer, self.own);
        let members = self.limits.members;
        let Some(group) = self
            .groups
            .get_mut(&key)
            .filter(|g| peer != own && (g.book.len() < members || g.book.contains_key(&peer)))
        else {
            return;
        };
        let kept = group.book.entry(peer).or_default();
        let before = kept.clone();
        let mut merged: Vec<Address> =
            addresses.iter().filter(|a| a.is_dialable()).copied().collect();
        merged.extend(before.iter().filter(|a| !addresses.contains(a)));
        merged.truncate(max);
        if merged != before {
            *kept = merged.clone();
            let change = StoreChange::Addresses { group: group.key, peer, addresses: merged };
            self.store(key, Pending::Nothing, change);
        }
    }
}

/// Memberships of one member that are remembered.
const MEMBERSHIPS_MAX: usize = 4;

impl Known {
    pub(super) fn new(member: Arc<Member>, stored: bool) -> Known {
        let memberships = alloc::vec![member.clone()];
        Known { member, memberships, stored, news: None, shown: false }
    }

    /// Adds a membership; false if it is known.
    pub(super) fn add(&mut self, member: Arc<Member>, wall: FileTime) -> bool {
        if self.memberships.iter().any(|m| m.chain == member.chain) {
            return false;
        }
        if self.memberships.len() >= MEMBERSHIPS_MAX {
            self.settle(wall);
        }
        self.memberships.push(member);
        order(&mut self.memberships);
        self.forget_surplus();
        self.settle(wall);
        true
    }

    /// Drops what is too much: the deepest without which the others give as much, so that nobody can take the place of a
    /// membership by issuing others below it.
    fn forget_surplus(&mut self) {
        if self.memberships.len() <= MEMBERSHIPS_MAX {
            return;
        }
        let roles = |left: &mut dyn Iterator<Item = &Arc<Member>>| {
            left.fold(Roles::empty(), |all, m| all.with(m.roles))
        };
        let all = roles(&mut self.memberships.iter());
        let spare = |n: &usize| {
            let others = self.memberships.iter().enumerate().filter(|(other, _)| other != n);
            roles(&mut others.map(|(_, m)| m)) == all
        };
        let last = self.memberships.len() - 1;
        let n = (1..=last).rev().find(spare).unwrap_or(last);
        self.memberships.remove(n);
    }

    /// Whether one of several memberships is over.
    fn has_ended(&self, wall: FileTime) -> bool {
        self.memberships.len() > 1 && self.memberships.iter().any(|m| over(m.not_after, wall))
    }

    /// Drops what is over, unless nothing else is left, and says anew what all give together.
    fn settle(&mut self, wall: FileTime) {
        if self.memberships.iter().any(|m| !over(m.not_after, wall)) {
            self.memberships.retain(|m| !over(m.not_after, wall));
        } else {
            self.memberships.sort_by_key(|m| core::cmp::Reverse(m.not_after));
            self.memberships.truncate(1);
        }
        if let Some(member) = standing(&self.memberships) {
            self.member = member;
        }
    }
}

/// The shallowest first; of those alike the latest.
fn order(memberships: &mut [Arc<Member>]) {
    memberships.sort_by_key(|m| (m.depth, core::cmp::Reverse(m.not_before)));
}

/// What the memberships of one key give together: the smallest depth and the name that goes with it, and all roles.
/// Issuing a further certificate never takes anything away.
fn standing(memberships: &[Arc<Member>]) -> Option<Arc<Member>> {
    let (shallowest, others) = memberships.split_first()?;
    let mut member = shallowest.clone();
    for other in others {
        let member = Arc::make_mut(&mut member);
        member.roles = member.roles.with(other.roles);
        member.not_after = member.not_after.max(other.not_after);
        member.not_before = member.not_before.min(other.not_before);
    }
    Some(member)
}

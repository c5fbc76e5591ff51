//! Who is in a group: members met, where they were, and what the application is told of them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::{Group, Known};
use crate::authority::{Authority, Member};
use crate::event::{Event, MemberChange};
use crate::group::Life;
use crate::id::{Address, GroupKey, InstanceId, KeyId, NodeId};
use crate::io::StoreChange;
use crate::node::{MemberInfo, Node, Pending};

impl<A: Authority> Node<A> {
    /// A member was seen with a chain that holds.
    pub(super) fn meet(&mut self, key: GroupKey, member: Arc<Member>) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let peer = member.key;
        if peer == group.own.key {
            return;
        }
        let room = group.members.len() < self.limits.members;
        let group_id = group.key;
        let changed = match group.members.get_mut(&peer) {
            Some(known) if known.member.chain == member.chain => false,
            Some(known) => {
                known.member = Arc::new(standing(&known.member, &member));
                true
            }
            None if room => {
                group
                    .members
                    .insert(peer, Known { member, stored: false, news: None, shown: false });
                true
            }
            None => return,
        };
        if changed && let Some(known) = group.members.get(&peer) {
            let change = StoreChange::Member { group: group_id, member: known.member.clone() };
            self.store(key, Pending::Member(peer), change);
        }
        self.show_presence(key, peer);
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

/// What two valid chains of one key give together: the smaller depth, all roles, the name of the shallower one. Issuing
/// a further certificate never takes anything away.
fn standing(old: &Member, new: &Member) -> Member {
    let shallow = if new.depth <= old.depth { new } else { old };
    Member {
        roles: old.roles.with(new.roles),
        not_after: old.not_after.max(new.not_after),
        not_before: old.not_before.min(new.not_before),
        chain: Bytes::clone(&new.chain),
        ..shallow.clone()
    }
}

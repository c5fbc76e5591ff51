//! Two links between the same two nodes: which one carries on, and when the other may go.

use alloc::vec::Vec;

use crate::authority::Authority;
use crate::codec::close;
use crate::id::{GroupKey, InstanceId, KeyId};
use crate::io::{Expect, LinkId};
use crate::node::Node;

impl<A: Authority> Node<A> {
    /// Of two links between the same two nodes one carries on: the one that the lower (key, instance) dialled, or of two
    /// with one dialler the one with the lower binding. Both ends come to the same result.
    pub(crate) fn settle_duplicates(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let node = (link.peer, link.instance);
        let rank = |l: &crate::link::Link| {
            let dialler =
                if l.dialled { (self.own, Some(self.instance)) } else { (l.peer, l.instance) };
            (dialler, l.binding)
        };
        let same = |l: &crate::link::Link| l.instance == node.1 && l.usable() && l.has_session();
        let mut twins: Vec<_> = self
            .links_to(Expect::Key(node.0))
            .filter(|(_, l)| same(l))
            .map(|(id, l)| (rank(l), id))
            .collect();
        twins.sort_unstable();
        let Some(((_, survivor), losers)) =
            twins.split_first().map(|(first, rest)| (*first, rest.to_vec()))
        else {
            return;
        };
        for (_, loser) in &losers {
            if let Some(link) = self.links.get_mut(loser) {
                link.superseded = true;
            }
            self.move_sessions(*loser, survivor);
        }
        let superseded: Vec<LinkId> = self
            .links_to(Expect::Key(node.0))
            .filter(|(_, l)| l.superseded && l.instance == node.1)
            .map(|(id, _)| id)
            .collect();
        for loser in superseded {
            self.retire(loser);
        }
    }

    /// Groups that have a session on the loser only get one on the survivor, from the survivor's dialler. Only those:
    /// whoever has merely named a group is not shown our chain.
    fn move_sessions(&mut self, loser: LinkId, survivor: LinkId) {
        let (Some(from), Some(to)) = (self.links.get(&loser), self.links.get(&survivor)) else {
            return;
        };
        let missing: Vec<GroupKey> = from
            .controls
            .keys()
            .filter(|group| to.dialled && !to.controls.contains_key(*group))
            .filter(|group| from.control(**group).is_some_and(|(_, c)| c.is_up()))
            .copied()
            .collect();
        for group in missing {
            self.start_session(survivor, group, false);
        }
    }

    /// A link to a node is gone. If it was the one that carried on, another carries on in its place: there is always one
    /// that takes streams.
    pub(crate) fn reinstate(&mut self, node: (KeyId, Option<InstanceId>)) {
        let same = |l: &crate::link::Link| l.instance == node.1 && !l.closing;
        let left = self.links_to(Expect::Key(node.0)).filter(|(_, l)| same(l));
        let left: Vec<(LinkId, bool)> = left.map(|(id, l)| (id, l.usable())).collect();
        if left.iter().any(|(_, usable)| *usable) {
            return;
        }
        for (id, _) in &left {
            if let Some(link) = self.links.get_mut(id) {
                link.superseded = false;
            }
        }
        if let Some((id, _)) = left.last() {
            self.settle_duplicates(*id);
        }
    }

    /// Closes a superseded link once nothing depends on it any longer. The survivor's dialler does it.
    pub(crate) fn retire(&mut self, loser: LinkId) {
        let Some(link) = self.links.get(&loser).filter(|l| l.superseded && !l.closing) else {
            return;
        };
        let twin = |l: &crate::link::Link| l.usable() && l.instance == link.instance;
        let Some((_, survivor)) = self.links_to(Expect::Key(link.peer)).find(|(_, l)| twin(l))
        else {
            return;
        };
        let moved =
            link.controls.keys().all(|g| survivor.control(*g).is_some_and(|(_, c)| c.is_up()));
        if survivor.dialled && moved && !link.is_busy() && !link.is_proving() {
            self.close_link(loser, close::DUPLICATE);
        }
    }
}

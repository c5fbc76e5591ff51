//! What is kept so that nobody has to go through everything, compared with what it is derived from.

use alloc::collections::{BTreeMap, BTreeSet};

use super::Roll;
use crate::id::{GroupKey, KeyId};
use crate::io::LinkId;
use crate::node::Node;

impl<A> Node<A> {
    /// Whether the node's own counts, sums and indices agree with what they count: of links by peer, of direct connections
    /// by group and peer, of bytes that wait on a link, of unread bytes by peer. For tests, between any two calls; goes
    /// through everything.
    ///
    /// # Errors
    /// The first that does not agree. None is known to be possible.
    pub fn audit(&self) -> Result<(), &'static str> {
        let links: BTreeSet<(KeyId, LinkId)> =
            self.links.iter().map(|(id, link)| (link.peer, *id)).collect();
        if links != self.links_by_peer {
            return Err("links by peer");
        }
        let queued = |link: &crate::link::Link| link.streams.values().map(|s| s.queued).sum();
        if self.links.values().any(|link| link.control_queued != queued(link)) {
            return Err("control bytes that wait on a link");
        }
        let mut rolls: BTreeMap<GroupKey, Roll> =
            self.groups.keys().map(|key| (*key, Roll::default())).collect();
        for (id, direct) in &self.directs {
            rolls.entry(direct.group).or_default().add(*id, direct.whom());
        }
        if !self.groups.iter().map(|(key, group)| (key, &group.directs)).eq(&rolls) {
            return Err("direct connections by group and peer");
        }
        if !self.budgets_agree() {
            return Err("unread bytes by peer");
        }
        Ok(())
    }

    fn budgets_agree(&self) -> bool {
        let mut sums: BTreeMap<KeyId, (usize, usize)> = BTreeMap::new();
        let met = self.directs.values().filter_map(|direct| Some((direct.peer()?, direct)));
        for (peer, direct) in met {
            let sum = sums.entry(peer).or_default();
            (sum.0, sum.1) = (sum.0 + direct.unread, sum.1 + direct.charged());
        }
        for ghost in self.ghosts.values() {
            sums.entry(ghost.peer).or_default().0 += ghost.unread;
        }
        sums.retain(|_, sum| *sum != (0, 0));
        let kept = self.budgets.iter().map(|(peer, budget)| (peer, budget.sums()));
        kept.filter(|(_, sum)| *sum != (0, 0)).eq(sums.iter().map(|(peer, sum)| (peer, *sum)))
    }
}

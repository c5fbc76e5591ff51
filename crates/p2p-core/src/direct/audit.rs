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

#[cfg(test)]
mod tests {
    use super::super::{Direct, State};
    use super::*;
    use crate::authority::{Authority, Member, Refusal};
    use crate::id::{Address, ConnectionId};
    use crate::io::{Expect, Input};
    use crate::node::Config;
    use crate::object::{Object, ObjectKind};
    use crate::time::{FileTime, Now, Tick};
    use alloc::boxed::Box;
    use alloc::sync::Arc;
    use bytes::Bytes;
    use core::net::Ipv6Addr;

    /// Is asked nothing here.
    struct Nobody;

    impl Authority for Nobody {
        fn own_key(&self) -> KeyId {
            KeyId([1; 32])
        }

        fn own_chain(&self, _: &KeyId) -> Option<Bytes> {
            None
        }

        fn session(&self, _: &[u8; 32], _: &KeyId) -> [u8; 32] {
            [0; 32]
        }

        fn tag(&self, _: &[u8; 32], _: bool) -> [u8; 16] {
            [0; 16]
        }

        fn verify_member(
            &self,
            _: &KeyId,
            _: &[u8],
            _: &KeyId,
            _: &FileTime,
        ) -> Result<Arc<Member>, Refusal> {
            unreachable!("nobody proves anything")
        }

        fn verify_object(&self, _: &KeyId, _: ObjectKind, _: &Bytes) -> Result<Object, Refusal> {
            unreachable!("nobody publishes anything")
        }

        fn adopt(&mut self, _: &KeyId, _: Bytes) {}
    }

    #[test]
    fn what_does_not_agree_is_named() {
        let now = Now { tick: Tick(0), wall: FileTime(0) };
        let remote = Address { ip: Ipv6Addr::LOCALHOST, port: 1, scope: 0 };
        let whole = || {
            let mut node = Node::new(Config::default(), Nobody, [0; 32], now);
            let (link, peer, binding) = (LinkId(1), KeyId([2; 32]), [0; 32]);
            node.handle(Input::LinkUp { link, dial: None, peer, binding, remote }, now);
            assert_eq!(node.audit(), Ok(()));
            node
        };
        let mut node = whole();
        node.links_by_peer.clear();
        assert_eq!(node.audit(), Err("links by peer"));
        let mut node = whole();
        node.links.values_mut().for_each(|link| link.control_queued = 1);
        assert_eq!(node.audit(), Err("control bytes that wait on a link"));
        let mut direct = Direct::new(GroupKey(1), State::Open, Expect::Key(KeyId([2; 32])), remote);
        let mut node = whole();
        node.directs.insert(ConnectionId(1), Box::new(direct.clone()));
        assert_eq!(node.audit(), Err("direct connections by group and peer"));
        direct.meet(KeyId([2; 32]));
        direct.charge(1);
        node.directs.insert(ConnectionId(1), Box::new(direct));
        assert!(!node.budgets_agree());
    }
}

//! Which direct connections a group has, and how many with each peer: kept, so that nobody has to go through all.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::id::ConnectionId;
use crate::io::Expect;

/// The direct connections of one group, in any state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Roll {
    ids: BTreeSet<ConnectionId>,
    /// How many by the authority of the peer's key: that is known before the peer was met. Whoever goes to the length of
    /// making a second key with one authority gets no more connections by that.
    with: BTreeMap<[u8; 20], u32>,
}

impl Roll {
    pub(crate) fn add(&mut self, id: ConnectionId, whom: Expect) {
        if self.ids.insert(id) {
            *self.with.entry(authority(whom)).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, id: ConnectionId, whom: Expect) {
        if !self.ids.remove(&id) {
            return;
        }
        let authority = authority(whom);
        if let Some(count) = self.with.get_mut(&authority) {
            *count -= 1;
            if *count == 0 {
                self.with.remove(&authority);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many there are with a peer.
    pub(crate) fn with(&self, whom: Expect) -> usize {
        self.with.get(&authority(whom)).map_or(0, |count| *count as usize)
    }

    /// All of them, the oldest first.
    pub(crate) fn ids(&self) -> Vec<ConnectionId> {
        self.ids.iter().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ConnectionId> {
        self.ids.iter()
    }
}

/// No connection expects just anyone: those are refused.
fn authority(whom: Expect) -> [u8; 20] {
    match whom {
        Expect::Key(key) => key.authority(),
        Expect::Authority(authority) => authority,
        Expect::Anyone => [0; 20],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::KeyId;

    #[test]
    fn a_peer_is_counted_by_name_and_by_key_alike_and_forgotten_with_its_last() {
        let (ann, bob) = (Expect::Key(KeyId([1; 32])), Expect::Key(KeyId([2; 32])));
        let mut roll = Roll::default();
        roll.add(ConnectionId(2), ann);
        roll.add(ConnectionId(1), Expect::Authority([1; 20]));
        roll.add(ConnectionId(3), bob);
        assert_eq!((roll.len(), roll.with(ann), roll.with(bob)), (3, 2, 1));
        assert_eq!(roll.ids(), [1, 2, 3].map(ConnectionId));
        roll.remove(ConnectionId(9), ann);
        roll.remove(ConnectionId(1), ann);
        roll.remove(ConnectionId(1), ann);
        assert_eq!((roll.len(), roll.with(ann)), (2, 1));
        roll.remove(ConnectionId(2), ann);
        roll.remove(ConnectionId(3), bob);
        assert!(roll.is_empty() && roll.with.is_empty());
    }
}

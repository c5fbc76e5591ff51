//! Which revocations are in force: one result, in whatever order they became known.
//!
//! A revocation is void if its signer's own chain is revoked. Only a signer of smaller depth can do that, so going through
//! them by ascending depth settles all of them. Nothing here asks for the time, and nothing is ever taken back: the result
//! depends on the set alone.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::KeyId;
use crate::object::{ObjectId, Revocation, Step};

/// The order in which revocations are settled: by the signer's depth, then id.
type Place = (usize, ObjectId);

/// The revocations of one group.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Revocations {
    all: BTreeMap<Place, Entry>,
    /// Of each target.
    targets: BTreeMap<KeyId, BTreeSet<Place>>,
    depths: BTreeMap<ObjectId, usize>,
    bytes: usize,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Entry {
    revocation: Arc<Revocation>,
    void: bool,
}

/// What became of a revocation that was to be kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Inserted {
    /// It is kept. Those of `evicted` had to make room: void ones first, then those of the deepest signers.
    New {
        /// What is no longer kept.
        evicted: Vec<ObjectId>,
    },
    /// It was there already.
    Known,
    /// There is no room for it: all that is kept counts for more.
    Full,
}

impl Revocations {
    /// Keeps a revocation whose signatures are right, with at most `count` in all, of at most `bytes` together.
    ///
    /// When there is no room the weakest goes, so whoever floods a group with revocations can still be revoked by those
    /// above.
    pub fn insert(&mut self, revocation: Arc<Revocation>, count: usize, bytes: usize) -> Inserted {
        let place = (revocation.depth(), revocation.id);
        if self.all.contains_key(&place) {
            return Inserted::Known;
        }
        let void = self.find(&revocation.path).is_some();
        let Some(evicted) = self.room_for(&revocation, void, count, bytes) else {
            return Inserted::Full;
        };
        // Whether it is in force is of interest to those whose signers it may be meant for.
        let touches = |e: &Entry| e.revocation.path.iter().any(|s| s.key == revocation.target);
        let unsettled = !evicted.is_empty() || !void && self.all.values().any(touches);
        evicted.iter().for_each(|place| self.remove(place));
        self.bytes += revocation.bytes.len();
        self.targets.entry(revocation.target).or_default().insert(place);
        self.depths.insert(place.1, place.0);
        self.all.insert(place, Entry { revocation, void });
        if unsettled {
            self.settle();
        }
        Inserted::New { evicted: evicted.into_iter().map(|place| place.1).collect() }
    }

    /// The revocation in force that covers this chain: that of the smallest depth, if there are several.
    pub fn find(&self, path: &[Step]) -> Option<&Arc<Revocation>> {
        let covering = |step: &Step| {
            self.targets.get(&step.key)?.iter().find(|place| {
                self.all.get(place).is_some_and(|e| !e.void && e.revocation.covers(path))
            })
        };
        let place = path.iter().filter_map(covering).min()?;
        self.all.get(place).map(|entry| &entry.revocation)
    }

    /// This one, if it is kept, void or not.
    pub fn get(&self, id: &ObjectId) -> Option<&Arc<Revocation>> {
        let depth = *self.depths.get(id)?;
        self.all.get(&(depth, *id)).map(|entry| &entry.revocation)
    }

    /// Whether this one is in force.
    pub fn in_force(&self, id: &ObjectId) -> bool {
        let place = self.depths.get(id).map(|depth| (*depth, *id));
        place.and_then(|place| self.all.get(&place)).is_some_and(|entry| !entry.void)
    }

    /// All that are kept, void ones too, by the signer's depth.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Revocation>> {
        self.all.values().map(|entry| &entry.revocation)
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What has to go for a revocation to be kept; `None` if all of it counts for more.
    fn room_for(
        &self,
        new: &Revocation,
        void: bool,
        count: usize,
        bytes: usize,
    ) -> Option<Vec<Place>> {
        let mut many = (self.all.len() + 1).saturating_sub(count);
        let mut large = (self.bytes + new.bytes.len()).saturating_sub(bytes);
        if many == 0 && large == 0 {
            return Some(Vec::new());
        }
        let weight = |place: &Place, void: bool| (void, *place);
        let mine = weight(&(new.depth(), new.id), void);
        let mut weaker: Vec<(&Place, &Entry)> =
            self.all.iter().filter(|(place, e)| weight(place, e.void) > mine).collect();
        weaker.sort_unstable_by_key(|(place, e)| core::cmp::Reverse(weight(place, e.void)));
        let mut gone = Vec::new();
        for (place, entry) in weaker {
            gone.push(*place);
            many = many.saturating_sub(1);
            large = large.saturating_sub(entry.revocation.bytes.len());
            if many == 0 && large == 0 {
                return Some(gone);
            }
        }
        None
    }

    fn remove(&mut self, place: &Place) {
        let Some(gone) = self.all.remove(place) else { return };
        self.bytes -= gone.revocation.bytes.len();
        self.depths.remove(&place.1);
        if let Some(places) = self.targets.get_mut(&gone.revocation.target) {
            places.remove(place);
            if places.is_empty() {
                self.targets.remove(&gone.revocation.target);
            }
        }
    }

    fn settle(&mut self) {
        let order: Vec<Place> = self.all.keys().copied().collect();
        // Ascending: whatever can make one void is settled before it; all others cannot.
        for place in order {
            let void =
                self.all.get(&place).is_some_and(|e| self.find(&e.revocation.path).is_some());
            if let Some(entry) = self.all.get_mut(&place) {
                entry.void = void;
            }
        }
    }
}

#[cfg(test)]
mod tests;

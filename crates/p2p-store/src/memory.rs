//! A store that forgets everything when it is dropped: for tests, and for nodes that are not to leave a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use p2p_core::{Address, GroupSnapshot, KeyId, Member, ObjectId, ObjectKind, StoreChange};

use crate::codec::{encode_member, encode_object};
use crate::{
    ADDRESSES_MAX, GroupLock, GroupRecord, Listening, MEMBERS_MAX, OBJECTS_MAX, Pending, Store,
    StoreError, by_group, check_record, pending,
};

/// Keeps everything in memory. Clones share what they keep.
///
/// ```
/// use p2p_core::{KeyId, StoreChange};
/// use p2p_store::{MemoryStore, Store};
///
/// let store = MemoryStore::new();
/// let group = KeyId([1; 32]);
/// store.commit(&[StoreChange::Synchronised { group }])?;
/// assert!(store.load(&group)?.synchronised);
/// # Ok::<(), p2p_store::StoreError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    groups: BTreeMap<KeyId, Kept>,
    locked: BTreeSet<KeyId>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    record: Option<GroupRecord>,
    synchronised: bool,
    listening: Option<Vec<Address>>,
    addresses: BTreeMap<KeyId, Vec<Address>>,
    members: BTreeMap<KeyId, Vec<Arc<Member>>>,
    objects: BTreeMap<ObjectId, (ObjectKind, Bytes)>,
    pending: Option<Pending>,
    properties: Option<Bytes>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change is made to a copy and put in place in one step, so a poisoned lock guards whole values.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self, group: &KeyId) -> Result<GroupSnapshot, StoreError> {
        let inner = self.inner();
        let Some(kept) = inner.groups.get(group) else {
            return Ok(GroupSnapshot::default());
        };
        Ok(GroupSnapshot {
            synchronised: kept.synchronised,
            addresses: kept.addresses.iter().map(|(peer, list)| (*peer, list.clone())).collect(),
            members: kept.members.values().flatten().cloned().collect(),
            objects: kept.objects.values().cloned().collect(),
        })
    }

    fn commit(&self, changes: &[StoreChange]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        for (group, changes) in by_group(changes) {
            let mut kept = inner.groups.get(&group).cloned().unwrap_or_default();
            for change in changes {
                kept.apply(change)?;
            }
            inner.groups.insert(group, kept);
        }
        Ok(())
    }

    fn set_hints(
        &self,
        group: &KeyId,
        addresses: &[(KeyId, Vec<Address>)],
        synchronised: bool,
    ) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let kept = inner.groups.entry(*group).or_default();
        if synchronised {
            kept.synchronise();
        }
        for (peer, list) in addresses {
            kept.set_addresses(*peer, list);
        }
        Ok(())
    }

    fn remove(&self, group: &KeyId) -> Result<(), StoreError> {
        self.inner().groups.remove(group);
        Ok(())
    }

    fn save_group(&self, group: &KeyId, record: &GroupRecord) -> Result<(), StoreError> {
        check_record(record)?;
        let mut inner = self.inner();
        let kept = inner.groups.entry(*group).or_default();
        let root = record.root.clone().or_else(|| kept.record.take()?.root);
        kept.record = Some(GroupRecord { chain: record.chain.clone(), root });
        kept.pending = None;
        Ok(())
    }

    fn save_pending(&self, group: &KeyId, pending: &Pending) -> Result<(), StoreError> {
        pending::check(pending)?;
        let mut inner = self.inner();
        let kept = inner.groups.entry(*group).or_default();
        if kept.record.is_none() {
            kept.pending = Some(pending.clone());
        }
        Ok(())
    }

    fn pending(&self) -> Result<Vec<(KeyId, Pending)>, StoreError> {
        let inner = self.inner();
        let pending = |(group, kept): (&KeyId, &Kept)| Some((*group, kept.pending.clone()?));
        Ok(inner.groups.iter().filter_map(pending).collect())
    }

    fn properties(&self, group: &KeyId) -> Result<Option<Bytes>, StoreError> {
        Ok(self.inner().groups.get(group).and_then(|kept| kept.properties.clone()))
    }

    fn group(&self, group: &KeyId) -> Result<Option<GroupRecord>, StoreError> {
        Ok(self.inner().groups.get(group).and_then(|kept| kept.record.clone()))
    }

    fn groups(&self) -> Result<Vec<(KeyId, GroupRecord)>, StoreError> {
        let inner = self.inner();
        Ok(inner
            .groups
            .iter()
            .filter_map(|(group, kept)| Some((*group, kept.record.clone()?)))
            .collect())
    }

    fn lock(&self, group: &KeyId) -> Result<GroupLock, StoreError> {
        if !self.inner().locked.insert(*group) {
            return Err(StoreError::GroupInUse);
        }
        let (store, group) = (self.clone(), *group);
        Ok(GroupLock::new(move || {
            let mut inner = store.inner();
            inner.locked.remove(&group);
            if let Some(addresses) =
                inner.groups.get_mut(&group).and_then(|kept| kept.listening.as_mut())
            {
                addresses.clear();
            }
        }))
    }

    fn listening(&self, group: &KeyId) -> Result<Option<Listening>, StoreError> {
        Ok(self.inner().groups.get(group).and_then(|kept| {
            let addresses = kept.listening.clone()?;
            Some(Listening { synchronised: kept.synchronised, addresses })
        }))
    }
}

impl Kept {
    fn apply(&mut self, change: &StoreChange) -> Result<(), StoreError> {
        match change {
            StoreChange::Member { peer, memberships, .. } if memberships.is_empty() => {
                self.members.remove(peer);
            }
            StoreChange::Member { peer, memberships, .. } => {
                // Refuses what a file would refuse, so that both stores behave alike.
                encode_member(memberships)?;
                if self.members.len() >= MEMBERS_MAX && !self.members.contains_key(peer) {
                    return Err(StoreError::TooLarge("members of a group"));
                }
                self.members.insert(*peer, memberships.clone());
            }
            StoreChange::Object { id, kind, bytes, .. } => {
                encode_object(*kind, bytes)?;
                if self.objects.len() >= OBJECTS_MAX && !self.objects.contains_key(id) {
                    return Err(StoreError::TooLarge("objects of a group"));
                }
                self.objects.insert(*id, (*kind, bytes.clone()));
                if *kind == ObjectKind::Properties {
                    self.properties = Some(bytes.clone());
                }
            }
            StoreChange::ObjectGone { id, .. } => drop(self.objects.remove(id)),
            StoreChange::Own { member, .. } => {
                let root = self.record.take().and_then(|record| record.root);
                let record = GroupRecord { chain: member.chain.clone(), root };
                check_record(&record)?;
                self.record = Some(record);
                self.pending = None;
            }
            StoreChange::Addresses { peer, addresses, .. } => self.set_addresses(*peer, addresses),
            StoreChange::Synchronised { .. } => self.synchronise(),
            StoreChange::Listening { addresses, .. } => {
                self.listening = Some(addresses.iter().copied().take(ADDRESSES_MAX).collect());
            }
        }
        Ok(())
    }

    fn synchronise(&mut self) {
        self.synchronised = true;
        self.listening.get_or_insert_default();
    }

    fn set_addresses(&mut self, peer: KeyId, addresses: &[Address]) {
        if addresses.is_empty() {
            self.addresses.remove(&peer);
        } else {
            self.addresses.insert(peer, addresses.iter().copied().take(ADDRESSES_MAX).collect());
        }
    }
}

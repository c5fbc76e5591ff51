//! Chains that were verified before, for those who verify the same ones again and again.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{FileTime, KeyId, Member, Refusal, Revocations};

use crate::certificate::CLOCK_SKEW;
use crate::chain::Chain;
use crate::refusal::Cause;

/// The chain that each peer showed last in each group, with what came of it. Whoever shows the same bytes again costs a
/// comparison instead of signatures; its dates and what was revoked are asked every time, so nothing has to be invalidated.
///
/// For programs that use this crate alone: a node of `p2p-core` knows its members' chains by itself.
#[derive(Clone, Debug)]
pub struct ChainCache {
    capacity: usize,
    entries: BTreeMap<(KeyId, KeyId), Entry>,
    /// By the last use, the oldest first.
    order: BTreeMap<u64, (KeyId, KeyId)>,
    uses: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    member: Arc<Member>,
    used: u64,
}

impl ChainCache {
    /// Room for this many chains, of at most 32,000 bytes each. When it is full, the one that was not asked for the longest
    /// goes.
    pub fn new(capacity: usize) -> ChainCache {
        let (entries, order) = (BTreeMap::new(), BTreeMap::new());
        ChainCache { capacity, entries, order, uses: 0 }
    }

    /// The same answer as [`verify_chain_with`](crate::verify_chain_with).
    ///
    /// # Errors
    /// The same.
    pub fn verify(
        &mut self,
        group: &KeyId,
        chain: &Bytes,
        peer: &KeyId,
        at: &FileTime,
        revocations: &Revocations,
    ) -> Result<Arc<Member>, Refusal> {
        let place = (*group, *peer);
        let known = self.entries.get(&place).filter(|entry| entry.member.chain == *chain);
        let member = match known {
            Some(entry) => entry.member.clone(),
            None => Arc::new(Chain::verify(chain, Some(group), Some(peer))?.member(chain.clone())),
        };
        check_dates(&member, *at)?;
        if revocations.find(&member.path).is_some() {
            return Err(Cause::Revoked.refusal());
        }
        self.keep(place, &member);
        Ok(member)
    }

    /// How many chains are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn keep(&mut self, place: (KeyId, KeyId), member: &Arc<Member>) {
        self.uses += 1;
        let entry = Entry { member: member.clone(), used: self.uses };
        if let Some(old) = self.entries.insert(place, entry) {
            self.order.remove(&old.used);
        }
        self.order.insert(self.uses, place);
        while self.entries.len() > self.capacity
            && let Some((_, place)) = self.order.pop_first()
        {
            self.entries.remove(&place);
        }
    }
}

/// Lifetimes nest, so those of the last certificate are those of the chain.
fn check_dates(member: &Member, at: FileTime) -> Result<(), Cause> {
    if at.plus_seconds(CLOCK_SKEW) < member.not_before {
        return Err(Cause::NotYetValid);
    }
    if at > member.not_after.plus_seconds(CLOCK_SKEW) {
        return Err(Cause::Expired);
    }
    Ok(())
}

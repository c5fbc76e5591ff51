//! How often somebody may try a password: so many times a minute, and then ever more slowly.

use alloc::collections::{BTreeMap, VecDeque};

use crate::id::{Address, KeyId};
use crate::limits::{Limits, SECOND};
use crate::time::Tick;

/// What limits are counted over.
const MINUTE: u64 = 60 * SECOND;
/// Sources and identities that are remembered; those that were quiet for a minute are dropped first.
const SOURCES_MAX: usize = 4_096;

/// All tries on a node in the last minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tries {
    node: Source,
    prefixes: BTreeMap<u64, Source>,
    peers: BTreeMap<KeyId, Source>,
}

impl Tries {
    /// When a try may be answered; `None` if that is too late for it.
    pub(crate) fn reserve(
        &mut self,
        peer: &KeyId,
        remote: &Address,
        limits: &Limits,
        now: Tick,
    ) -> Option<Tick> {
        // What a source or an identity has no turn for takes none from others.
        let mut due = now;
        if !remote.is_loopback() {
            let source = remembered(&mut self.prefixes, remote.prefix(), now)?;
            due = source.reserve(limits.password_tries_per_prefix, limits, now)?;
        }
        let source = remembered(&mut self.peers, *peer, now)?;
        due = due.max(source.reserve(limits.password_tries_per_peer, limits, now)?);
        Some(due.max(self.node.reserve(limits.password_tries, limits, now)?))
    }

    /// The last try of this identity, and one of its source, was no guess: many people may join from one place.
    pub(crate) fn forgive(&mut self, peer: &KeyId, remote: &Address) {
        let sources = [self.prefixes.get_mut(&remote.prefix()), self.peers.get_mut(peer)];
        for source in sources.into_iter().flatten() {
            source.at.pop_front();
        }
    }
}

/// The source with this name, if there is room to remember it.
fn remembered<K: Ord>(
    sources: &mut BTreeMap<K, Source>,
    name: K,
    now: Tick,
) -> Option<&mut Source> {
    if sources.len() >= SOURCES_MAX {
        sources.retain(|_, source| !source.is_quiet(now));
    }
    if sources.len() >= SOURCES_MAX && !sources.contains_key(&name) {
        return None;
    }
    Some(sources.entry(name).or_default())
}

/// The tries of one source.
#[derive(Clone, Debug, Default)]
struct Source {
    /// When each of the last minute's tries had its turn, or will have it.
    at: VecDeque<Tick>,
    /// Tries above the limit since there was none for a minute.
    above: u32,
}

impl Source {
    /// A turn within the limit comes at once. Each above it waits twice as long as the one before, until there was no try
    /// for a minute.
    fn reserve(&mut self, max: usize, limits: &Limits, now: Tick) -> Option<Tick> {
        if self.is_quiet(now) {
            self.above = 0;
        }
        if self.at.len() < max {
            self.at.push_back(now);
            return Some(now);
        }
        let wait = limits.password_delay.saturating_mul(1 << self.above.min(40));
        if wait >= limits.password {
            return None;
        }
        self.above += 1;
        self.at.push_back(now + wait);
        Some(now + wait)
    }

    fn is_quiet(&mut self, now: Tick) -> bool {
        self.at.retain(|at| now.since(*at) < MINUTE);
        self.at.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::Ipv6Addr;

    fn from(n: u16) -> Address {
        Address { ip: Ipv6Addr::new(0x2001, 0xdb8, n, 0, 0, 0, 0, 1), port: 1, scope: 0 }
    }

    /// Whether and when tries at this moment have their turn, in seconds from it.
    fn turns(
        tries: &mut Tries,
        number: usize,
        (peer, remote): (u8, u16),
        at: u64,
    ) -> Vec<Option<u64>> {
        let (limits, now) = (Limits::default(), Tick(at * SECOND));
        (0..number)
            .map(|n| {
                // One identity, or another one each time.
                let peer = KeyId([if peer == 0 { n as u8 + 1 } else { peer }; 32]);
                let due = tries.reserve(&peer, &from(remote), &limits, now);
                due.map(|due| due.since(now) / SECOND)
            })
            .collect()
    }

    #[test]
    fn five_a_minute_then_ever_more_slowly_then_none() {
        let mut tries = Tries::default();
        let expected =
            [0, 0, 0, 0, 0, 1, 2, 4, 8, 16].map(Some).into_iter().chain([None, None, None]);
        assert!(turns(&mut tries, 13, (7, 1), 0).into_iter().eq(expected));
        // Another place and another identity are none the worse.
        assert_eq!(turns(&mut tries, 5, (8, 2), 0), [Some(0); 5]);
        // After a minute the first five are forgotten, but the others are not; then one by one.
        assert_eq!(turns(&mut tries, 1, (7, 1), 60), [None]);
        assert_eq!(turns(&mut tries, 2, (7, 1), 61), [Some(0), None]);
        assert_eq!(turns(&mut tries, 1, (7, 1), 75), [Some(0)]);
        // Only a whole quiet minute makes it as if nothing had been.
        assert_eq!(turns(&mut tries, 6, (7, 1), 140)[..6], [0, 0, 0, 0, 0, 1].map(Some));
    }

    #[test]
    fn many_identities_at_one_place_and_one_at_many_places_are_one_source() {
        let mut tries = Tries::default();
        assert_eq!(turns(&mut tries, 6, (0, 1), 0)[5], Some(1));
        let mut tries = Tries::default();
        for place in 0..5 {
            assert_eq!(turns(&mut tries, 1, (9, place), 0), [Some(0)]);
        }
        assert_eq!(turns(&mut tries, 1, (9, 6), 0), [Some(1)]);
    }

    #[test]
    fn the_node_answers_thirty_a_minute_from_everywhere() {
        let (mut tries, limits) = (Tries::default(), Limits::default());
        let mut at = |n: u16, now: u64| {
            let peer = KeyId([n as u8; 32]);
            let due = tries.reserve(&peer, &from(n), &limits, Tick(now * SECOND));
            due.map(|due| due.0 / SECOND - now)
        };
        assert!((0..30).all(|n| at(n, 0) == Some(0)));
        let above: Vec<Option<u64>> = (30..37).map(|n| at(n, 0)).collect();
        assert_eq!(above, [Some(1), Some(2), Some(4), Some(8), Some(16), None, None]);
        assert!((40..65).all(|n| at(n, 60) == Some(0)));
        assert_eq!(at(70, 60), None);
    }

    #[test]
    fn who_knew_the_password_counts_for_nothing() {
        let (mut tries, limits) = (Tries::default(), Limits::default());
        for n in 0..25 {
            let (peer, place) = (KeyId([n; 32]), from(1));
            assert_eq!(tries.reserve(&peer, &place, &limits, Tick(9)), Some(Tick(9)));
            tries.forgive(&peer, &place);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut tries, limits) = (Tries::default(), Limits::default());
        let key = |n: u32| {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&n.to_be_bytes());
            KeyId(key)
        };
        let loopback = Address { ip: Ipv6Addr::LOCALHOST, port: 1, scope: 0 };
        for n in 0..10_000 {
            tries.reserve(&key(n), &loopback, &limits, Tick(0));
        }
        assert_eq!(tries.peers.len(), SOURCES_MAX);
        assert!(tries.node.at.len() <= 35);
        assert!(
            tries.reserve(&key(20_000), &loopback, &limits, Tick(MINUTE + 20 * SECOND)).is_some()
        );
        assert_eq!(tries.peers.len(), 1);
    }
}

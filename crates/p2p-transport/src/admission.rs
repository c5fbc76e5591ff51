//! Which newcomers may begin a handshake: only so many at a time and per second, of one source and of all.
//!
//! A handshake costs milliseconds before anything is known of who wants it. Those who have a connection are not touched by
//! any of this.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Handshakes that may be under way at a time, all sources together.
const PENDING_MAX: usize = 256;
/// With so many under way, a newcomer proves first that it receives at its address.
const PENDING_RETRY: usize = 64;
/// Handshakes that may be under way from one source prefix; loopback is exempt.
const PENDING_PER_PREFIX: usize = 8;
/// With so many of one prefix under way, a newcomer from there proves its address first: forged ones get no further.
const PENDING_PER_PREFIX_RETRY: usize = 4;
/// Handshakes of one source prefix per second, and how many of them at once; loopback is exempt.
const PER_PREFIX: Rate = Rate { every: Duration::from_millis(125), burst: 32 };
/// Handshakes of all sources per second, and how many of them at once; loopback is exempt. At two milliseconds each that
/// is an eighth of one core.
const ALL: Rate = Rate { every: Duration::from_micros(15_625), burst: 256 };
/// Prefixes whose rate is remembered; those that have rested are forgotten first.
const PREFIXES_MAX: usize = 4_096;

/// What to do with a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Accept,
    /// Let it prove that it receives at its address, and come again (RFC 9000 §8.1.2).
    Retry,
    /// Say no.
    Refuse,
    /// Say nothing: whoever means it asks again after a second, whoever floods learns nothing and gains no time.
    Ignore,
}

/// One event every so often, some at once.
#[derive(Clone, Copy)]
struct Rate {
    every: Duration,
    burst: u32,
}

impl Rate {
    /// Whether another may come at `now`, if the earlier ones are paid for at `paid`.
    fn allows(self, paid: Instant, now: Instant, validated: bool) -> bool {
        // Half is left to those who have shown that they receive: forged sources take nothing from them.
        let burst = if validated { self.burst } else { self.burst / 2 };
        paid.saturating_duration_since(now) < self.every * burst
    }

    /// When all are paid for, with another one at `now`.
    fn pay(self, paid: Instant, now: Instant) -> Instant {
        paid.max(now) + self.every
    }
}

/// Handshakes under way and those of late, by source.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    underway: BTreeMap<u64, usize>,
    prefixes: BTreeMap<u64, Instant>,
    all: Option<Instant>,
}

impl Gate {
    /// `prefix`: `None` for a source without limits of its own, loopback.
    pub(crate) fn admit(
        self: &Arc<Self>,
        prefix: Option<u64>,
        validated: bool,
        now: Instant,
    ) -> (Admission, Option<Underway>) {
        let mut state = self.state();
        let total: usize = state.underway.values().sum();
        let same = prefix.and_then(|prefix| state.underway.get(&prefix).copied()).unwrap_or(0);
        let soon = prefix.is_some_and(|prefix| !state.may(prefix, validated, now));
        let admission =
            if !validated && (soon || total >= PENDING_RETRY || same >= PENDING_PER_PREFIX_RETRY) {
                Admission::Retry
            } else if soon {
                Admission::Ignore
            } else if total >= PENDING_MAX || same >= PENDING_PER_PREFIX {
                Admission::Refuse
            } else {
                Admission::Accept
            };
        if admission != Admission::Accept {
            return (admission, None);
        }
        if let Some(prefix) = prefix {
            state.count(prefix, now);
        }
        // No prefix has its top bit set: those of IPv4 have 48 bits, those of IPv6 56.
        let key = prefix.unwrap_or(u64::MAX);
        *state.underway.entry(key).or_default() += 1;
        (admission, Some(Underway { gate: Arc::clone(self), key }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may(&self, prefix: u64, validated: bool, now: Instant) -> bool {
        let known = self.prefixes.get(&prefix);
        let room = known.is_some() || self.prefixes.len() < PREFIXES_MAX || self.rests(now);
        room && known.is_none_or(|paid| PER_PREFIX.allows(*paid, now, validated))
            && self.all.is_none_or(|paid| ALL.allows(paid, now, validated))
    }

    /// Whether some prefix has rested and can be forgotten.
    fn rests(&self, now: Instant) -> bool {
        self.prefixes.values().any(|paid| *paid <= now)
    }

    fn count(&mut self, prefix: u64, now: Instant) {
        if self.prefixes.len() >= PREFIXES_MAX {
            self.prefixes.retain(|_, paid| *paid > now);
        }
        let paid = self.prefixes.entry(prefix).or_insert(now);
        *paid = PER_PREFIX.pay(*paid, now);
        self.all = Some(ALL.pay(self.all.unwrap_or(now), now));
    }
}

/// A handshake under way, until dropped.
#[derive(Debug)]
pub(crate) struct Underway {
    gate: Arc<Gate>,
    key: u64,
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if let Some(count) = state.underway.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                state.underway.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Door {
        gate: Arc<Gate>,
        now: Instant,
        inside: Vec<Underway>,
    }

    impl Door {
        fn new() -> Door {
            Door { gate: Arc::default(), now: Instant::now(), inside: Vec::new() }
        }

        fn knock(&mut self, prefix: Option<u64>, validated: bool) -> Admission {
            let (admission, underway) = self.gate.admit(prefix, validated, self.now);
            self.inside.extend(underway);
            admission
        }

        /// As many as are let in one after another, none of them staying.
        fn visits(&mut self, prefix: u64, most: usize) -> usize {
            (0..most)
                .take_while(|_| {
                    self.inside.clear();
                    self.knock(Some(prefix), true) == Admission::Accept
                })
                .count()
        }
    }

    #[test]
    fn only_so_many_of_a_prefix_at_a_time() {
        let mut door = Door::new();
        for _ in 0..4 {
            assert_eq!(door.knock(Some(1), false), Admission::Accept);
        }
        assert_eq!(door.knock(Some(1), false), Admission::Retry, "prove the address first");
        for _ in 4..8 {
            assert_eq!(door.knock(Some(1), true), Admission::Accept);
        }
        assert_eq!(door.knock(Some(1), true), Admission::Refuse);
        assert_eq!(door.knock(Some(2), false), Admission::Accept);
        door.inside.remove(0);
        assert_eq!(door.knock(Some(1), true), Admission::Accept, "one has finished");
        door.inside.clear();
        assert!(door.gate.state().underway.is_empty());
    }

    #[test]
    fn only_so_many_of_all_at_a_time() {
        let mut door = Door::new();
        for _ in 0..64 {
            assert_eq!(door.knock(None, false), Admission::Accept);
        }
        assert_eq!(door.knock(None, false), Admission::Retry);
        for _ in 64..256 {
            assert_eq!(
                door.knock(None, true),
                Admission::Accept,
                "loopback has no limit of its own"
            );
        }
        assert_eq!(door.knock(None, true), Admission::Refuse);
        assert_eq!(door.knock(Some(1), true), Admission::Refuse);
        assert_eq!(door.knock(None, false), Admission::Retry);
    }

    #[test]
    fn a_prefix_that_comes_again_and_again_waits_and_nobody_else_does() {
        let mut door = Door::new();
        assert_eq!(door.visits(1, 100), 32);
        assert_eq!(door.knock(Some(1), true), Admission::Ignore);
        assert_eq!(door.knock(Some(1), false), Admission::Retry, "forged sources cost no more");
        assert_eq!(door.knock(Some(2), false), Admission::Accept);
        assert_eq!(door.knock(None, false), Admission::Accept);
        door.now += Duration::from_secs(1);
        assert_eq!(door.visits(1, 100), 8, "eight a second");
    }

    #[test]
    fn a_flood_of_many_sources_is_bounded_too() {
        let mut door = Door::new();
        let all: usize = (0..100).map(|prefix| door.visits(prefix, 32)).sum();
        assert_eq!(all, 256);
        door.inside.clear();
        assert_eq!(door.knock(Some(1_000), true), Admission::Ignore);
        assert_eq!(door.knock(None, true), Admission::Accept, "this machine is not meant");
        door.now += Duration::from_secs(1);
        let all: usize = (0..100).map(|prefix| door.visits(prefix, 32)).sum();
        assert_eq!(all, 64);
    }

    #[test]
    fn forged_sources_do_not_use_up_the_turns_of_those_who_receive() {
        let mut door = Door::new();
        for prefix in 0..10_000 {
            door.inside.clear();
            door.knock(Some(prefix), false);
            door.knock(Some(20_000), false);
        }
        door.inside.clear();
        assert_eq!(door.knock(Some(1), true), Admission::Accept, "there is room left over all");
        assert_eq!(door.knock(Some(20_000), true), Admission::Accept, "and for this one");
        // Nor do they take whatever becomes free before anybody else does.
        for _ in 0..20 {
            door.now += Duration::from_millis(100);
            for prefix in 0..100 {
                door.inside.clear();
                door.knock(Some(prefix), false);
            }
            assert_eq!(door.knock(Some(30_000), true), Admission::Accept);
        }
    }

    #[test]
    fn only_so_many_prefixes_are_remembered() {
        let mut door = Door::new();
        for prefix in 0..2 * PREFIXES_MAX as u64 {
            door.now += Duration::from_millis(20);
            door.inside.clear();
            assert_eq!(door.knock(Some(prefix), true), Admission::Accept);
            assert!(door.gate.state().prefixes.len() <= PREFIXES_MAX);
        }
    }
}

//! Token buckets: how often something may happen.

use crate::limits::SECOND;
use crate::time::Tick;

/// Counts in millionths of a token, so that a microsecond at one token a second is one unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Bucket {
    level: u64,
    at: Tick,
}

impl Bucket {
    pub(crate) fn full(burst: u32, now: Tick) -> Bucket {
        Bucket { level: u64::from(burst) * SECOND, at: now }
    }

    fn refill(&mut self, rate: u32, burst: u32, now: Tick) {
        let gained = now.since(self.at).saturating_mul(u64::from(rate));
        self.level = self.level.saturating_add(gained).min(u64::from(burst) * SECOND);
        self.at = self.at.max(now);
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, rate: u32, burst: u32, now: Tick) -> bool {
        self.refill(rate, burst, now);
        let there = self.level >= SECOND;
        self.level -= if there { SECOND } else { 0 };
        there
    }

    /// Takes a token that may only come later, and says when. At most `queue` tokens may be owed.
    pub(crate) fn reserve(&mut self, rate: u32, burst: u32, queue: u64, now: Tick) -> Option<Tick> {
        if self.at > now {
            // Tokens are owed up to `self.at`.
            let wait = SECOND / u64::from(rate.max(1));
            let due = self.at + wait;
            return (due.since(now) <= queue).then(|| {
                self.at = due;
                due
            });
        }
        if self.take(rate, burst, now) {
            return Some(now);
        }
        let missing = (SECOND - self.level).div_ceil(u64::from(rate.max(1)));
        let due = now + missing;
        (missing <= queue).then(|| {
            self.level = 0;
            self.at = due;
            due
        })
    }

    /// Whether the bucket is as good as new.
    pub(crate) fn is_full(&mut self, rate: u32, burst: u32, now: Tick) -> bool {
        self.refill(rate, burst, now);
        self.level >= u64::from(burst) * SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = Bucket::full(3, Tick(0));
        assert!((0..3).all(|_| bucket.take(10, 3, Tick(0))));
        assert!(!bucket.take(10, 3, Tick(0)));
        assert!(!bucket.take(10, 3, Tick(99_999)) && bucket.take(10, 3, Tick(100_000)));
    }

    #[test]
    fn what_is_over_the_rate_is_put_off_and_not_lost() {
        let mut bucket = Bucket::full(2, Tick(0));
        let due = |bucket: &mut Bucket| bucket.reserve(10, 2, 10 * SECOND, Tick(0)).map(|t| t.0);
        assert_eq!([due(&mut bucket), due(&mut bucket)], [Some(0), Some(0)]);
        assert_eq!([due(&mut bucket), due(&mut bucket)], [Some(100_000), Some(200_000)]);
        for _ in 0..98 {
            assert!(due(&mut bucket).is_some());
        }
        assert_eq!(due(&mut bucket), None);
        assert!(!bucket.is_full(10, 2, Tick(0)) && bucket.is_full(10, 2, Tick(11 * SECOND)));
    }
}

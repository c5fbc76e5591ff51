//! Time as an argument: ticks for timers, file times for lifetimes.

use core::ops::Add;

/// Microseconds since the node started: what timers are measured in. Starts at 0, never runs back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// Whole microseconds from `earlier` to `self`; 0 if `earlier` is later.
    pub fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Tick {
    type Output = Tick;
    /// `self` plus microseconds; stays at the end of time instead of overflowing.
    fn add(self, micros: u64) -> Tick {
        Tick(self.0.saturating_add(micros))
    }
}

/// 100-nanosecond intervals since 1601-01-01 00:00 UTC: wall time, for lifetimes only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct FileTime(pub u64);

impl FileTime {
    /// 1970-01-01 00:00 UTC.
    pub const UNIX_EPOCH: FileTime = FileTime(116_444_736_000_000_000);
    /// One second in this unit.
    pub const SECOND: u64 = 10_000_000;
    /// 9999-12-31 23:59:59 UTC: "no end" (RFC 5280 §4.1.2.5).
    pub const NO_END: FileTime =
        FileTime(FileTime::UNIX_EPOCH.0 + 253_402_300_799 * FileTime::SECOND);

    /// From seconds since 1970, clamped to what the type can hold.
    pub fn from_unix(seconds: i64) -> FileTime {
        let ticks = i128::from(seconds) * i128::from(Self::SECOND) + i128::from(Self::UNIX_EPOCH.0);
        FileTime(ticks.clamp(0, i128::from(u64::MAX)) as u64)
    }

    /// Whole seconds since 1970, rounded down; negative before.
    pub fn to_unix(self) -> i64 {
        ((i128::from(self.0) - i128::from(Self::UNIX_EPOCH.0)).div_euclid(i128::from(Self::SECOND)))
            as i64
    }

    /// `self` plus seconds, clamped.
    pub fn plus_seconds(self, seconds: u64) -> FileTime {
        FileTime(self.0.saturating_add(seconds.saturating_mul(Self::SECOND)))
    }

    /// `self` minus seconds, clamped.
    pub fn minus_seconds(self, seconds: u64) -> FileTime {
        FileTime(self.0.saturating_sub(seconds.saturating_mul(Self::SECOND)))
    }
}

/// The moment of an input: both clocks, read once by whoever drives the node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Now {
    /// For timers.
    pub tick: Tick,
    /// For lifetimes.
    pub wall: FileTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_seconds_survive_the_round_trip_also_before_1970() {
        for seconds in [0, 1, -1, 1_795_344_000, -11_644_473_600, 253_402_300_799] {
            assert_eq!(FileTime::from_unix(seconds).to_unix(), seconds);
        }
        assert_eq!(FileTime::from_unix(253_402_300_799), FileTime::NO_END);
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_time() {
        assert_eq!(Tick(u64::MAX) + 1, Tick(u64::MAX));
        assert_eq!(Tick(3).since(Tick(5)), 0);
        assert_eq!(FileTime(5).minus_seconds(1), FileTime(0));
        assert_eq!(FileTime::from_unix(i64::MIN), FileTime(0));
    }
}

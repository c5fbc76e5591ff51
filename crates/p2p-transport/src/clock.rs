//! The only real clock and the only real randomness of a node.

use std::time::{Duration, Instant, SystemTime};

use p2p_core::{FileTime, Now, Tick};

use crate::TransportError;

/// Both clocks of one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let tick = Tick(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX));
        Now { tick, wall: file_time(SystemTime::now()) }
    }

    /// The instant of a tick; `None` if it lies beyond what the system can tell.
    pub(crate) fn instant(&self, tick: Tick) -> Option<Instant> {
        self.start.checked_add(Duration::from_micros(tick.0))
    }
}

/// The start of a node's generator.
pub(crate) fn seed() -> Result<[u8; 32], TransportError> {
    let mut seed = [0; 32];
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut seed).map_err(|_| TransportError::Random)?;
    Ok(seed)
}

fn file_time(time: SystemTime) -> FileTime {
    let ticks = |span: Duration| u64::try_from(span.as_nanos() / 100).unwrap_or(u64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => FileTime(FileTime::UNIX_EPOCH.0.saturating_add(ticks(after))),
        Err(before) => FileTime(FileTime::UNIX_EPOCH.0.saturating_sub(ticks(before.duration()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_times_count_from_1601_in_both_directions() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(file_time(SystemTime::UNIX_EPOCH), FileTime::UNIX_EPOCH);
        assert_eq!(
            file_time(SystemTime::UNIX_EPOCH + hour),
            FileTime::UNIX_EPOCH.plus_seconds(3_600)
        );
        assert_eq!(
            file_time(SystemTime::UNIX_EPOCH - hour),
            FileTime::UNIX_EPOCH.minus_seconds(3_600)
        );
    }

    #[test]
    fn ticks_never_run_back_and_translate_to_instants() {
        let clock = Clock::start();
        let (first, second) = (clock.now().tick, clock.now().tick);
        assert!(first <= second);
        assert!(clock.instant(second).unwrap() <= Instant::now());
        assert_eq!(
            clock.instant(Tick(u64::MAX)).is_some(),
            clock.start.checked_add(Duration::MAX / 8).is_some()
        );
    }

    #[test]
    fn two_seeds_differ() {
        assert_ne!(seed().unwrap(), seed().unwrap());
    }
}

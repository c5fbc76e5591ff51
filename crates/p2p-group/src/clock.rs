//! The wall clock, for lifetimes.

use std::time::{SystemTime, UNIX_EPOCH};

use p2p_core::FileTime;

/// The time now, in 100-nanosecond intervals since 1601: for [`InviteOptions::expires`](crate::InviteOptions).
///
/// ```
/// let in_a_week = p2p_group::now().plus_seconds(7 * 24 * 3600);
/// assert!(in_a_week > p2p_group::now());
/// ```
pub fn now() -> FileTime {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => {
            FileTime(FileTime::UNIX_EPOCH.0.saturating_add((since.as_nanos() / 100) as u64))
        }
        Err(before) => FileTime(
            FileTime::UNIX_EPOCH.0.saturating_sub((before.duration().as_nanos() / 100) as u64),
        ),
    }
}

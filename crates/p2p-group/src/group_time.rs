//! The time that a group's records are to be dated in.

use p2p_core::FileTime;

use crate::error::AdminError;
use crate::group::Group;

/// The latest time that is converted: as far as a signed 64-bit number goes.
const LATEST: u64 = i64::MAX as u64;

impl Group {
    /// What the group's clocks show at `utc` of this machine's own clock. Group time is UTC: every member's clock counts as
    /// right, as it does for certificates, where it may differ by ten minutes from another's. 0 means no time and stays 0;
    /// what lies beyond 2^63 − 1 becomes that. Works offline.
    ///
    /// # Errors
    /// [`AdminError::Closed`]; [`AdminError::NotReady`] before the first exchange with a member.
    pub fn to_group_time(&self, utc: FileTime) -> Result<FileTime, AdminError> {
        self.check_ready()?;
        Ok(FileTime(utc.0.min(LATEST)))
    }

    /// What this machine's own clock shows, in UTC, when the group's clocks show `time`: the other way round.
    ///
    /// # Errors
    /// As [`to_group_time`](Self::to_group_time).
    pub fn from_group_time(&self, time: FileTime) -> Result<FileTime, AdminError> {
        self.to_group_time(time)
    }
}

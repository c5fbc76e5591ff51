//! Group time and this machine's own.

use p2p_group::{AdminError, Code, FileTime, Group};

use crate::guard::{self, Failure, Out};
use crate::layout::{FILETIME, HGROUP, HRESULT};
use crate::runtime::Process;

/// Converts the group's time to this machine's UTC. Group time is UTC by every member's own clock, which counts as right, so
/// this changes nothing but times beyond 2^63 − 1, which become that. Both may be the same object; after a failure it is as
/// it was.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVALID_GROUP`. `PEER_E_GROUP_NOT_READY`: no exchange with a
/// member yet.
///
/// # Safety
/// `pftPeerTime` is null or may be read, `pftUniversalTime` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupPeerTimeToUniversalTime(
    hGroup: HGROUP,
    pftPeerTime: *const FILETIME,
    pftUniversalTime: *mut FILETIME,
) -> HRESULT {
    // SAFETY: as the caller promises.
    unsafe { convert(hGroup, pftPeerTime, pftUniversalTime, Group::from_group_time) }
}

/// Converts this machine's UTC to the group's time: the other way round.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVALID_GROUP`. `PEER_E_GROUP_NOT_READY`: no exchange with a
/// member yet.
///
/// # Safety
/// `pftUniversalTime` is null or may be read, `pftPeerTime` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupUniversalTimeToPeerTime(
    hGroup: HGROUP,
    pftUniversalTime: *const FILETIME,
    pftPeerTime: *mut FILETIME,
) -> HRESULT {
    // SAFETY: as the caller promises.
    unsafe { convert(hGroup, pftUniversalTime, pftPeerTime, Group::to_group_time) }
}

/// # Safety
/// `from` is null or may be read, `to` is null or may be written.
unsafe fn convert(
    group: HGROUP,
    from: *const FILETIME,
    to: *mut FILETIME,
    conversion: impl FnOnce(&Group, FileTime) -> Result<FileTime, AdminError>,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::keep(to) };
        let process = Process::started()?;
        out.required()?;
        let group = process.group(group)?;
        // SAFETY: as the caller promises.
        let time = unsafe { guard::required(from)? };
        let converted = conversion(&group, time.into()).map_err(Failure::from)?;
        out.set(converted.into());
        Ok(Code::S_OK)
    })
}

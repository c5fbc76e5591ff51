//! Direct connections: open, send, close.

use core::ffi::c_void;
use std::sync::{PoisonError, RwLock};

use p2p_group::Bytes;
use p2p_group::{Code, ConnectionId, Guid, Limits};

use crate::guard::{self, Out};
use crate::identity::name_argument;
use crate::layout::{GUID, HGROUP, HRESULT, PCWSTR, PEER_ADDRESS};
use crate::runtime::Process;

/// Held (for reading) from before an attempt starts until its id is written.
static OPENING: RwLock<()> = RwLock::new(());

/// Begins to open a direct connection to the member `pwzIdentity` at one of its addresses. Exactly one event,
/// `PEER_CONNECTED` or `PEER_CONNECTION_FAILED`, follows with the id that is written to `pullConnectionId`; the id is
/// there before the event can be taken.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, not a peer name, or an address that has a wrong size or family or
/// cannot be dialled. `PEER_E_INVALID_GROUP`. `PEER_E_GROUP_NOT_READY`: offline. `PEER_E_CONNECT_SELF`: this very node.
/// `E_OUTOFMEMORY`: as many connections as this node may have.
///
/// # Safety
/// `pwzIdentity` is null or ends in 0; `pAddress` is null or may be read; `pullConnectionId` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupOpenDirectConnection(
    hGroup: HGROUP,
    pwzIdentity: PCWSTR,
    pAddress: *const PEER_ADDRESS,
    pullConnectionId: *mut u64,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(pullConnectionId, 0) };
        let process = Process::started()?;
        out.required()?;
        let group = process.group(hGroup)?;
        // SAFETY: as the caller promises.
        let (name, address) = unsafe { (name_argument(pwzIdentity)?, guard::required(pAddress)?) };
        let address = address.to_address().ok_or(Code::E_INVALIDARG)?;
        let _opening = OPENING.read().unwrap_or_else(PoisonError::into_inner);
        out.set(group.open_direct(&name, address)?.0);
        Ok(Code::S_OK)
    })
}

/// Waits until every attempt that has started has its id written, so that no event overtakes it. Never long: nothing
/// under the lock waits.
pub(crate) fn ids_are_written() {
    drop(OPENING.write().unwrap_or_else(PoisonError::into_inner));
}

/// Closes a direct connection, whoever opened it and through whichever handle of the group. What was accepted for
/// sending is still delivered, for at most 5 s; then the event `PEER_DISCONNECTED` comes here too. Does not wait.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `PEER_E_CONNECTION_NOT_FOUND`: no direct connection with this id is
/// opening or listed; above all, it was closed before.
#[unsafe(no_mangle)]
pub extern "system" fn PeerGroupCloseDirectConnection(
    hGroup: HGROUP,
    ullConnectionId: u64,
) -> HRESULT {
    guard::call(|| {
        let group = Process::started()?.group(hGroup)?;
        group.close_direct(ConnectionId(ullConnectionId))?;
        Ok(Code::S_OK)
    })
}

/// Sends one message of `cbData` bytes, at most 16 MiB, and of the given type. The bytes are copied; nothing is waited
/// for. No bytes at all is a message too, but `pvData` must not be null.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `E_INVALIDARG`: null, or too long. `PEER_E_CONNECTION_NOT_FOUND`:
/// no connection with this id stands. `E_OUTOFMEMORY`: its send queue is full; nothing was queued.
///
/// # Safety
/// `pType` is null or may be read; `pvData` is null or may be read for `cbData` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupSendData(
    hGroup: HGROUP,
    ullConnectionId: u64,
    pType: *const GUID,
    cbData: u32,
    pvData: *const c_void,
) -> HRESULT {
    guard::call(|| {
        let group = Process::started()?.group(hGroup)?;
        // SAFETY: as the caller promises.
        let kind = Guid::from(unsafe { guard::required(pType)? });
        let length = cbData as usize;
        if pvData.is_null() || length > Limits::default().message {
            return Err(Code::E_INVALIDARG.into());
        }
        // SAFETY: not null, and as the caller promises; bytes have no alignment.
        let data = unsafe { core::slice::from_raw_parts(pvData.cast::<u8>(), length) };
        group.send(ConnectionId(ullConnectionId), kind, Bytes::copy_from_slice(data))?;
        Ok(Code::S_OK)
    })
}

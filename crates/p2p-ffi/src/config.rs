//! Carrying a group to the same identity on another machine.

use core::ptr;

use p2p_group::Code;

use crate::guard::{self, Out};
use crate::layout::{BOOL, HGROUP, HRESULT, PCWSTR, PWSTR};
use crate::memory::{self, PeerFreeData};
use crate::runtime::Process;
use crate::wide::{self, PASSWORD_MAX, TEXT_MAX};

/// What the handle's identity has of the group, as text for the same identity on another machine: the membership, where
/// members may be found, and the group's key if the group was made here, which the password protects. Nothing else in it
/// is secret: without that key the password protects nothing, and may be empty. With it this takes 64 MiB of memory and
/// some tenths of a second. Works offline.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, text that is not UTF-16, a password of more than 1,024 bytes in UTF-8,
/// or an empty one where the group's key is here. `PEER_E_INVALID_GROUP`. `PEER_E_GROUP_NOT_READY`: the membership is
/// still to be gained by a password. `PEER_E_NO_KEY_ACCESS`: the group's key cannot be read. `E_OUTOFMEMORY`, and what the
/// disk gives.
///
/// # Safety
/// `pwzPassword` is null or ends in 0; `ppwzXML` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupExportConfig(
    hGroup: HGROUP,
    pwzPassword: PCWSTR,
    ppwzXML: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzXML, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let group = process.group(hGroup)?;
        // SAFETY: as the caller promises.
        let password = unsafe { wide::read_secret(pwzPassword, PASSWORD_MAX)? };
        out.set(memory::wide(&group.export_config_blocking(&password)?)?);
        Ok(Code::S_OK)
    })
}

/// Takes in what [`PeerGroupExportConfig`] wrote for an identity that is here too; `PeerIdentityImport` comes first. Then
/// `PeerGroupOpen` opens the group, which is not synchronised before it meets a member. Where the group is here, `fOverwrite`
/// replaces its membership, adds the addresses, and replaces its key if there is one in the text; the rest stays.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, a text that is no configuration or was altered, or the password:
/// another one than that of the key, or more than 1,024 bytes in UTF-8. `PEER_E_UNSUPPORTED_VERSION`. `CRYPT_E_*`,
/// `PEER_E_CHAIN_TOO_LONG`, `PEER_E_CIRCULAR_CHAIN_DETECTED`, `PEER_E_INVALID_TIME_PERIOD`: the membership is refused.
/// `PEER_E_IDENTITY_NOT_FOUND`: the identity is not here. `PEER_E_GROUP_IN_USE`: the group is open, here or in another
/// process. `PEER_E_ALREADY_EXISTS`: the group is here, and `fOverwrite` is 0. `PEER_E_NO_KEY_ACCESS`: the key in it, or
/// that of the identity, cannot be read. `E_OUTOFMEMORY`, and what the disk gives. What is here is then as it was, unless
/// the disk failed while a group was replaced, or there was no memory for the two names: then the group is here.
///
/// # Safety
/// The texts are null or end in 0; `ppwzIdentity` and `ppwzGroup` are null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupImportConfig(
    pwzXML: PCWSTR,
    pwzPassword: PCWSTR,
    fOverwrite: BOOL,
    ppwzIdentity: *mut PWSTR,
    ppwzGroup: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let (identity_out, group_out) = unsafe {
            (Out::clear(ppwzIdentity, ptr::null_mut()), Out::clear(ppwzGroup, ptr::null_mut()))
        };
        let process = Process::started()?;
        identity_out.required()?;
        group_out.required()?;
        // SAFETY: as the caller promises.
        let (text, password) = unsafe {
            (wide::read(pwzXML, TEXT_MAX)?, wide::read_secret(pwzPassword, PASSWORD_MAX)?)
        };
        let home = process.library()?.call(|library| library.home().clone());
        let (identity, group) = home.import_config(&text, &password, fOverwrite != 0)?;
        // Both names or none. What was kept stays: the call may be repeated with `fOverwrite`.
        let name = memory::wide(identity.name().as_str())?;
        let group = memory::wide(group.name.as_str()).inspect_err(|_| PeerFreeData(name.cast()))?;
        identity_out.set(name);
        group_out.set(group);
        Ok(Code::S_OK)
    })
}

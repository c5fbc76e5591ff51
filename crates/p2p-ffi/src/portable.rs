//! Identities under a password: how they are carried to another machine. These functions need no startup.

use core::ptr;

use p2p_group::{Code, Identity, IdentityError};

use crate::guard::{self, Failure, Out};
use crate::identity::{home, name_argument, undo};
use crate::layout::{HRESULT, PCWSTR, PWSTR};
use crate::memory;
use crate::wide::{self, PASSWORD_MAX, TEXT_MAX};

/// An identity with its private key, under a password. A copy: the identity stays. Its groups are not in it. Takes
/// 64 MiB of memory and some tenths of a second.
///
/// `E_INVALIDARG`: null, not a peer name, or a password that is empty or longer than 1,024 bytes in UTF-8.
/// `PEER_E_NOT_FOUND`. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the disk gives.
///
/// # Safety
/// The texts are null or end in 0; `ppwzExportXML` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentityExport(
    pwzIdentity: PCWSTR,
    pwzPassword: PCWSTR,
    ppwzExportXML: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzExportXML, ptr::null_mut()) };
        out.required()?;
        // SAFETY: as the caller promises.
        let (name, password) =
            unsafe { (name_argument(pwzIdentity)?, wide::read_secret(pwzPassword, PASSWORD_MAX)?) };
        let text = home()?.identity(&name)?.export(&password)?;
        out.set(memory::wide(&text)?);
        Ok(Code::S_OK)
    })
}

/// Keeps the identity that [`PeerIdentityExport`] wrote, here or on another machine, and returns its peer name. The first
/// identity becomes the default.
///
/// `E_INVALIDARG`: null; a password that is wrong, empty or too long; a text that is no export or was altered. Where a
/// check failed, `P2PGetLastErrorDetail` has its code; a wrong password and an altered export cannot be told apart.
/// `PEER_E_ALREADY_EXISTS`: the identity is here. `PEER_E_UNSUPPORTED_VERSION`. `PEER_E_TOO_MANY_IDENTITIES`,
/// `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the disk gives. Then nothing is kept.
///
/// # Safety
/// The texts are null or end in 0; `ppwzIdentity` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentityImport(
    pwzImportXML: PCWSTR,
    pwzPassword: PCWSTR,
    ppwzIdentity: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzIdentity, ptr::null_mut()) };
        out.required()?;
        // SAFETY: as the caller promises.
        let (text, password) = unsafe {
            (wide::read(pwzImportXML, TEXT_MAX)?, wide::read_secret(pwzPassword, PASSWORD_MAX)?)
        };
        let identity = Identity::import(&text, &password).map_err(import_refused)?;
        let home = home()?;
        let identity = home.add_identity(&identity)?;
        let name =
            memory::wide(identity.name().as_str()).inspect_err(|_| undo(&home, &identity))?;
        out.set(name);
        Ok(Code::S_OK)
    })
}

/// Whatever check an export fails, it is an argument's fault; which one, the detail tells.
fn import_refused(error: IdentityError) -> Failure {
    match error.refusal() {
        Some(refusal) => Failure::new(Code::E_INVALIDARG, Some(refusal)),
        None => error.into(),
    }
}

//! Key pairs behind a handle: what Windows has providers for. These functions need no startup.

use p2p_group::{Code, Identity, IdentityOptions};

use crate::guard::{self, Failure, Out};
use crate::identity::{home, name_argument};
use crate::layout::{HCRYPTPROV, HRESULT, PCWSTR};
use crate::runtime::Process;

/// Longest private key that is read, in bytes; those in use have less than 140.
const PKCS8_MAX: u32 = 1_024;

/// A handle on the key pair of an identity, for [`PeerIdentityCreate`](crate::PeerIdentityCreate). The caller releases it
/// with [`P2PKeyRelease`]; it outlives the identity.
///
/// `E_INVALIDARG`: null, or not a peer name. `PEER_E_NOT_FOUND`. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`: as many are
/// open as there may be; and what the disk gives.
///
/// # Safety
/// The text is null or ends in 0; `phCryptProv` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentityGetCryptKey(
    pwzIdentity: PCWSTR,
    phCryptProv: *mut HCRYPTPROV,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phCryptProv, 0) };
        out.required()?;
        // SAFETY: as the caller promises.
        let name = unsafe { name_argument(pwzIdentity)? };
        out.set(hand_out(home()?.identity(&name)?)?);
        Ok(Code::S_OK)
    })
}

/// Makes a key pair. The caller releases it with [`P2PKeyRelease`].
///
/// `E_INVALIDARG`: null. `E_OUTOFMEMORY`: as many are open as there may be.
///
/// # Safety
/// `phKey` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn P2PKeyGenerate(phKey: *mut HCRYPTPROV) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phKey, 0) };
        out.required()?;
        out.set(hand_out(Identity::in_memory(IdentityOptions::default())?)?);
        Ok(Code::S_OK)
    })
}

/// Reads a private key in PKCS#8 (RFC 5958) of a kind that identities have. The caller releases it with
/// [`P2PKeyRelease`].
///
/// `E_INVALIDARG`: null, or more than 1,024 bytes. `CRYPT_E_NO_KEY_PROPERTY`: not such a key. `E_OUTOFMEMORY`: as many
/// are open as there may be.
///
/// # Safety
/// `pbKey` is null or points to `cbKey` bytes; `phKey` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn P2PKeyImportPkcs8(
    pbKey: *const u8,
    cbKey: u32,
    phKey: *mut HCRYPTPROV,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phKey, 0) };
        out.required()?;
        if pbKey.is_null() || cbKey > PKCS8_MAX {
            return Err(Code::E_INVALIDARG.into());
        }
        // SAFETY: not null, and as many as the caller says.
        let bytes = unsafe { core::slice::from_raw_parts(pbKey, cbKey as usize) };
        out.set(hand_out(Identity::from_pkcs8(bytes, IdentityOptions::default())?)?);
        Ok(Code::S_OK)
    })
}

/// Releases a key pair. An identity that was made with it is not touched.
///
/// `0x80070006`: not a key pair, or released before.
#[unsafe(no_mangle)]
pub extern "system" fn P2PKeyRelease(hKey: HCRYPTPROV) -> HRESULT {
    guard::call(|| {
        let handle = core::ptr::without_provenance(hKey);
        Process::current().keys.remove(handle).ok_or(Code::ERROR_INVALID_HANDLE)?;
        Ok(Code::S_OK)
    })
}

/// The key pair behind a handle.
///
/// # Errors
/// `0x80070006`.
pub(crate) fn find(handle: HCRYPTPROV) -> Result<Identity, Failure> {
    let handle = core::ptr::without_provenance(handle);
    Process::current().keys.get(handle).ok_or(Code::ERROR_INVALID_HANDLE.into())
}

fn hand_out(key: Identity) -> Result<HCRYPTPROV, Failure> {
    Ok(Process::current().keys.insert(key).ok_or(Code::E_OUTOFMEMORY)?.addr())
}

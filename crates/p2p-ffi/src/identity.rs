//! Identities. These functions need no startup.

use core::ptr;
use std::sync::{Mutex, PoisonError};

use p2p_group::{Code, Home, Identity, IdentityOptions, PeerName};

use crate::guard::{self, Failure, Out};
use crate::layout::{HCRYPTPROV, HRESULT, PCWSTR, PWSTR};
use crate::memory;
use crate::runtime::Process;
use crate::wide::{self, NAME_MAX, TEXT_MAX, WideError};

/// Makes an identity, stores it in the home, and returns its peer name. The first one becomes the default.
///
/// `E_INVALIDARG`: no out pointer, or text that is not UTF-16. `0x80070006`: a key provider, of which there are none
/// here. `PEER_E_CLASSIFIER_TOO_LONG`, `PEER_E_INVALID_CLASSIFIER`, `PEER_E_INVALID_FRIENDLY_NAME`: the names.
/// `PEER_E_TOO_MANY_IDENTITIES`, `PEER_E_NO_KEY_ACCESS`, and what the disk gives.
///
/// # Safety
/// The texts are null or end in 0; `ppwzIdentity` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentityCreate(
    pwzClassifier: PCWSTR,
    pwzFriendlyName: PCWSTR,
    hCryptProv: HCRYPTPROV,
    ppwzIdentity: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzIdentity, ptr::null_mut()) };
        out.required()?;
        if hCryptProv != 0 {
            return Err(Code::ERROR_INVALID_HANDLE.into());
        }
        // SAFETY: as the caller promises.
        let (classifier, friendly_name) = unsafe {
            (optional_classifier(pwzClassifier)?, optional_friendly_name(pwzFriendlyName)?)
        };
        let home = home()?;
        let identity = home.create_identity(IdentityOptions { classifier, friendly_name })?;
        let name =
            memory::wide(identity.name().as_str()).inspect_err(|_| undo(&home, &identity))?;
        out.set(name);
        Ok(Code::S_OK)
    })
}

/// Deletes an identity with its key. There is no way back.
///
/// `E_INVALIDARG`: no name, or not a peer name. `PEER_E_NOT_FOUND`. `PEER_E_GROUPS_EXIST`: it still has groups.
/// `PEER_E_NO_KEY_ACCESS`, and what the disk gives.
///
/// # Safety
/// The text is null or ends in 0.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentityDelete(pwzIdentity: PCWSTR) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let name = unsafe { name_argument(pwzIdentity)? };
        match Process::current().library() {
            Ok(running) => running.call(|library| library.delete_identity_blocking(&name))?,
            Err(_) => Home::from_env()?.delete_identity(&name)?,
        }
        Ok(Code::S_OK)
    })
}

/// What an identity shows of itself to whoever is to invite it. Null means the default identity, which is made if there
/// is none.
///
/// `E_INVALIDARG`: no out pointer, or not a peer name. `PEER_E_NOT_FOUND`. `PEER_E_NO_KEY_ACCESS`, and what the disk
/// gives.
///
/// # Safety
/// The text is null or ends in 0; `ppwzIdentityXML` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentityGetXML(
    pwzIdentity: PCWSTR,
    ppwzIdentityXML: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzIdentityXML, ptr::null_mut()) };
        out.required()?;
        let identity = if pwzIdentity.is_null() {
            default_identity(&home()?)?
        } else {
            // SAFETY: as the caller promises.
            let name = unsafe { name_argument(pwzIdentity)? };
            home()?.identity(&name)?
        };
        out.set(memory::wide(&identity.to_xml())?);
        Ok(Code::S_OK)
    })
}

/// Where identities are kept: what the started library uses, else what the environment says now.
fn home() -> Result<Home, Failure> {
    match Process::current().library() {
        Ok(running) => Ok(running.call(|library| library.home().clone())),
        Err(_) => Ok(Home::from_env()?),
    }
}

/// A peer name where the only fitting code is `E_INVALIDARG`.
///
/// # Safety
/// The text is null or ends in 0.
pub(crate) unsafe fn name_argument(text: PCWSTR) -> Result<PeerName, Failure> {
    // SAFETY: as the caller promises.
    let text = unsafe { wide::read(text, NAME_MAX)? };
    PeerName::parse(&text).map_err(|_| Code::E_INVALIDARG.into())
}

/// A peer name where a wrong one is `PEER_E_INVALID_PEER_NAME`; null is `E_INVALIDARG`.
///
/// # Safety
/// The text is null or ends in 0.
pub(crate) unsafe fn name(text: PCWSTR) -> Result<PeerName, Failure> {
    // SAFETY: as the caller promises.
    let text = unsafe { wide::read(text, NAME_MAX) };
    let text = text.map_err(|error| error.or_too_long(Code::PEER_E_INVALID_PEER_NAME))?;
    PeerName::parse(&text).map_err(|error| error.code().into())
}

/// As [`name`]; null is `None`.
///
/// # Safety
/// The text is null or ends in 0.
pub(crate) unsafe fn optional_name(text: PCWSTR) -> Result<Option<PeerName>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { name(text).map(Some) }
}

/// The classifier of a name that is to be made. How long it may be, `p2p-crypto` decides.
///
/// # Safety
/// The text is null or ends in 0.
pub(crate) unsafe fn optional_classifier(text: PCWSTR) -> Result<Option<String>, Failure> {
    // SAFETY: as the caller promises.
    let read = unsafe { wide::read_optional(text, TEXT_MAX) };
    read.map_err(|error: WideError| error.or_too_long(Code::PEER_E_CLASSIFIER_TOO_LONG).into())
}

/// A name for people.
///
/// # Safety
/// The text is null or ends in 0.
pub(crate) unsafe fn optional_friendly_name(text: PCWSTR) -> Result<Option<String>, Failure> {
    // SAFETY: as the caller promises.
    let read = unsafe { wide::read_optional(text, TEXT_MAX) };
    read.map_err(|error: WideError| error.or_too_long(Code::PEER_E_INVALID_FRIENDLY_NAME).into())
}

/// The default identity; made by one of several threads that ask.
fn default_identity(home: &Home) -> Result<Identity, Failure> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    match home.default_identity()? {
        Some(identity) => Ok(identity),
        None => Ok(home.create_identity(IdentityOptions::default())?),
    }
}

fn undo(home: &Home, identity: &Identity) {
    if let Err(error) = home.delete_identity(identity.name()) {
        tracing::warn!("an identity whose name could not be returned is still stored: {error}");
    }
}

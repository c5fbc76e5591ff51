//! Identities. These functions need no startup.

use core::ptr;
use std::sync::{Mutex, PoisonError};

use p2p_group::{Code, Home, Identity, IdentityOptions, KeyId, PeerName};

use crate::enumeration::{self, Item, NamedItem};
use crate::guard::{self, Failure, Out};
use crate::layout::{HCRYPTPROV, HPEERENUM, HRESULT, PCWSTR, PWSTR};
use crate::runtime::Process;
use crate::wide::{self, NAME_MAX, TEXT_MAX, WideError};
use crate::{key, memory};

/// Makes an identity, stores it in the home, and returns its peer name. The first one becomes the default.
///
/// `hCryptProv`: a key pair from [`P2PKeyGenerate`](crate::P2PKeyGenerate) and its like, which may be released at once;
/// 0: a new one.
///
/// `E_INVALIDARG`: no out pointer, or text that is not UTF-16. `0x80070006`: not a key pair.
/// `PEER_E_CLASSIFIER_TOO_LONG`, `PEER_E_INVALID_CLASSIFIER`, `PEER_E_INVALID_FRIENDLY_NAME`: the names.
/// `PEER_E_ALREADY_EXISTS`: an identity with this key is here, whatever its names. `PEER_E_TOO_MANY_IDENTITIES`,
/// `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the disk gives. Then nothing is stored.
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
        let key = if hCryptProv == 0 { None } else { Some(key::find(hCryptProv)?) };
        // SAFETY: as the caller promises.
        let (classifier, friendly_name) = unsafe {
            (optional_classifier(pwzClassifier)?, optional_friendly_name(pwzFriendlyName)?)
        };
        let options = IdentityOptions { classifier, friendly_name, ..IdentityOptions::default() };
        let identity = match key {
            Some(key) => key.with_names(options)?,
            None => Identity::in_memory(options)?,
        };
        let home = home()?;
        let identity = home.add_identity(&identity)?;
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

/// Reads the name for people of an identity: its peer name if it has no other.
///
/// `E_INVALIDARG`: null, or not a peer name. `PEER_E_NOT_FOUND`. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the
/// disk gives.
///
/// # Safety
/// The text is null or ends in 0; `ppwzFriendlyName` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentityGetFriendlyName(
    pwzIdentity: PCWSTR,
    ppwzFriendlyName: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzFriendlyName, ptr::null_mut()) };
        out.required()?;
        // SAFETY: as the caller promises.
        let name = unsafe { name_argument(pwzIdentity)? };
        out.set(memory::wide(home()?.identity(&name)?.friendly_name())?);
        Ok(Code::S_OK)
    })
}

/// Changes the name for people; null or an empty text gives the peer name. What was issued to the identity before keeps
/// the name that it has.
///
/// `E_INVALIDARG`: no identity, or not a peer name; text that is not UTF-16. `PEER_E_INVALID_FRIENDLY_NAME`.
/// `PEER_E_NOT_FOUND`. `PEER_E_NO_KEY_ACCESS`, and what the disk gives. Then the name is what it was.
///
/// # Safety
/// The texts are null or end in 0.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentitySetFriendlyName(
    pwzIdentity: PCWSTR,
    pwzFriendlyName: PCWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let (name, friendly_name) =
            unsafe { (name_argument(pwzIdentity)?, optional_friendly_name(pwzFriendlyName)?) };
        home()?.rename_identity(&name, friendly_name.as_deref())?;
        Ok(Code::S_OK)
    })
}

/// The peer name of the default identity. Only [`PeerIdentityGetXML`] makes one where there is none.
///
/// `E_INVALIDARG`: null. `PEER_E_NOT_FOUND`: there is none. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the disk
/// gives.
///
/// # Safety
/// `ppwzPeerName` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerIdentityGetDefault(ppwzPeerName: *mut PWSTR) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzPeerName, ptr::null_mut()) };
        out.required()?;
        let identity = home()?.default_identity()?.ok_or(Code::PEER_E_NOT_FOUND)?;
        out.set(memory::wide(identity.name().as_str())?);
        Ok(Code::S_OK)
    })
}

/// Builds a peer name; makes no identity. With both arguments it is the identity's authority with that classifier,
/// without a classifier the identity's own name, and without an identity `0.classifier`, a name that proves nothing.
///
/// `E_INVALIDARG`: no out pointer, neither argument, or not a peer name. `PEER_E_CLASSIFIER_TOO_LONG`,
/// `PEER_E_INVALID_CLASSIFIER`. `PEER_E_NOT_FOUND`: no such identity. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what
/// the disk gives.
///
/// # Safety
/// The texts are null or end in 0; `ppwzPeerName` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerCreatePeerName(
    pwzIdentity: PCWSTR,
    pwzClassifier: PCWSTR,
    ppwzPeerName: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzPeerName, ptr::null_mut()) };
        out.required()?;
        // SAFETY: as the caller promises.
        let (identity, classifier) = unsafe {
            let identity =
                if pwzIdentity.is_null() { None } else { Some(name_argument(pwzIdentity)?) };
            (identity, optional_classifier(pwzClassifier)?)
        };
        let name = match (identity, classifier) {
            (Some(identity), Some(classifier)) => {
                // The classifier's faults come before those of the store.
                let name = |key: &KeyId| PeerName::for_key(key, Some(&classifier));
                name(&KeyId([0; 32])).map_err(|error| error.code())?;
                let identity = home()?.identity(&identity)?;
                name(&identity.key()).map_err(|error| error.code())?.to_string()
            }
            (Some(identity), None) => home()?.identity(&identity)?.name().to_string(),
            (None, Some(classifier)) => {
                PeerName::for_key(&KeyId([0; 32]), Some(&classifier))
                    .map_err(|error| error.code())?;
                format!("0.{classifier}")
            }
            (None, None) => return Err(Code::E_INVALIDARG.into()),
        };
        out.set(memory::wide(&name)?);
        Ok(Code::S_OK)
    })
}

/// A snapshot of all identities: items are `PEER_NAME_PAIR`.
///
/// `E_INVALIDARG`: null. `PEER_E_CERT_STORE_CORRUPTED`: one of them is damaged. `PEER_E_NO_KEY_ACCESS`: the key of one of
/// them. `E_OUTOFMEMORY`: as many snapshots are open as there may be; and what the disk gives.
///
/// # Safety
/// `phPeerEnum` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerEnumIdentities(phPeerEnum: *mut HPEERENUM) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phPeerEnum, ptr::null_mut()) };
        out.required()?;
        let items = home()?.identities()?.into_iter().map(|identity| {
            Item::Named(NamedItem {
                name: identity.name().to_string(),
                friendly_name: identity.friendly_name().to_owned(),
            })
        });
        out.set(enumeration::start(items.collect())?);
        Ok(Code::S_OK)
    })
}

/// A snapshot of the groups that an identity has made or joined, open or not: items are `PEER_NAME_PAIR`.
///
/// `E_INVALIDARG`: null, or not a peer name. `PEER_E_NOT_FOUND`: no such identity. `PEER_E_NO_KEY_ACCESS`.
/// `PEER_E_CERT_STORE_CORRUPTED`: a membership is damaged. `E_OUTOFMEMORY`: as many snapshots are open as there may be;
/// and what the disk gives.
///
/// # Safety
/// The text is null or ends in 0; `phPeerEnum` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerEnumGroups(
    pwzIdentity: PCWSTR,
    phPeerEnum: *mut HPEERENUM,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phPeerEnum, ptr::null_mut()) };
        out.required()?;
        // SAFETY: as the caller promises.
        let name = unsafe { name_argument(pwzIdentity)? };
        let items = home()?.groups(&name)?.into_iter().map(|group| {
            Item::Named(NamedItem {
                name: group.name.to_string(),
                friendly_name: group.friendly_name,
            })
        });
        out.set(enumeration::start(items.collect())?);
        Ok(Code::S_OK)
    })
}

/// Where identities are kept: what the started library uses, else what the environment says now.
pub(crate) fn home() -> Result<Home, Failure> {
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

/// An identity whose name cannot be returned is not to be kept.
pub(crate) fn undo(home: &Home, identity: &Identity) {
    if let Err(error) = home.delete_identity(identity.name()) {
        tracing::warn!("an identity whose name could not be returned is still stored: {error}");
    }
}

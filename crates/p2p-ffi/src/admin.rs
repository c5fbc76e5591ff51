//! What administrators do to memberships: take them back, cut them down, issue and renew them.

use core::ptr;

use p2p_group::{Code, CredentialOptions, FileTime, IdentityInfo, PeerName, Reason, Target};

use crate::guard::{self, Failure, Out};
use crate::identity::name_argument;
use crate::invitation::{description_refused, read_roles};
use crate::layout::{
    FILETIME, HGROUP, HRESULT, PCWSTR, PEER_CREDENTIAL_INFO, PEER_GROUP_STORE_CREDENTIALS,
    PEER_ROLE_ID, PWSTR,
};
use crate::memory;
use crate::public_key::PublicKey;
use crate::runtime::Process;
use crate::wide::{self, NAME_MAX, TEXT_MAX};

/// Takes a membership back, and with it all that were issued below it; whoever was revoked never comes back with its
/// key. Everybody connected ends its connections with the member at once; whoever is away, when it next connects. Returns
/// when the revocation is on disk. A second time changes nothing.
///
/// `pwzIdentity`: the peer name of a member that is known here, or what `PeerIdentityGetXML` gave for anybody, also for
/// somebody who never came. `dwReason`: one of `P2P_REASON_*`, which everybody may read.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `E_INVALIDARG`: null, neither a peer name nor a description, an
/// unknown reason, oneself, the group's own name, or a name that two members share. `CRYPT_E_*`: the certificate in the
/// description is refused. `PEER_E_IDENTITY_NOT_FOUND`: no member with this name is known. `PEER_E_NOT_AUTHORIZED`: not
/// an administrator, or the member does not stand below this one. `E_OUTOFMEMORY`, and what the disk gives.
///
/// # Safety
/// `pwzIdentity` is null or ends in 0.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn P2PGroupRevoke(
    hGroup: HGROUP,
    pwzIdentity: PCWSTR,
    dwReason: u32,
) -> HRESULT {
    guard::call(|| {
        let group = Process::started()?.group(hGroup)?;
        // SAFETY: as the caller promises.
        let target = unsafe { target(pwzIdentity)? };
        let reason = u8::try_from(dwReason).ok().and_then(Reason::from_number);
        group.revoke_blocking(target, reason.ok_or(Code::E_INVALIDARG)?)?;
        Ok(Code::S_OK)
    })
}

/// Leaves a member just these roles: gives it a membership with them, then takes back each that grants more. What the
/// member issued with more ends with that. Its connections stay. Returns when both are on disk; after a failure of the
/// disk the member may have both memberships.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `E_INVALIDARG`: as [`P2PGroupRevoke`], no role, or the member has
/// none beyond these. `PEER_E_INVALID_ROLE_PROPERTY`: an unknown role. `CRYPT_E_*`, `PEER_E_IDENTITY_NOT_FOUND`,
/// `PEER_E_NOT_AUTHORIZED`: as [`P2PGroupRevoke`]. `PEER_E_CHAIN_TOO_LONG`. `PEER_E_INVALID_TIME_PERIOD`: somebody else
/// has renewed the membership meanwhile. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the disk gives.
///
/// # Safety
/// `pwzIdentity` is null or ends in 0; `pRoles` is null or points to `cRoles` values.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn P2PGroupDemote(
    hGroup: HGROUP,
    pwzIdentity: PCWSTR,
    cRoles: u32,
    pRoles: *const PEER_ROLE_ID,
) -> HRESULT {
    guard::call(|| {
        let group = Process::started()?.group(hGroup)?;
        // SAFETY: as the caller promises.
        let (target, roles) = unsafe { (target(pwzIdentity)?, read_roles(cRoles, pRoles)?) };
        group.demote_blocking(target, roles)?;
        Ok(Code::S_OK)
    })
}

/// Issues a membership to a present member or to somebody new, or renews one; only for administrators. What the subject
/// had stays valid, and it goes on with that until it gets what gives no less; a higher role comes with those that it has.
///
/// `pCredentialInfo`: what it is to hold; null renews what is known of the member, for as long as that was made for. In
/// it, no name for people is the peer name, no role the present ones (or just that of a member), and a time of 0 the
/// earliest and latest that are usual; its issuer is not read.
///
/// `dwFlags`: with `PEER_GROUP_STORE_CREDENTIALS` it is put into the group, where the subject finds it when it is
/// connected, and this returns when it is on disk. The invitation that comes out is for handing over.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `E_INVALIDARG`: null, not a peer name, unknown flags, neither a
/// flag nor an out pointer, one of `cRoles` and `pRoles` without the other. `PEER_E_INVALID_CREDENTIAL_INFO`: the
/// structure has a wrong size or flags, a name for people that is not allowed, or no key, or one that is not the
/// subject's. `PEER_E_INVALID_ROLE_PROPERTY`: an unknown role. `PEER_E_GROUP_NOT_READY`: no exchange with a member yet.
/// `PEER_E_NOT_AUTHORIZED`: not an administrator, or one of both was revoked (`CRYPT_E_REVOKED` is behind it).
/// `PEER_E_IDENTITY_NOT_FOUND`: to renew, no such member is known. `PEER_E_INVALID_TIME_PERIOD`: the times, also a start
/// that is not later than that of the present membership. `PEER_E_CHAIN_TOO_LONG`. `PEER_E_CIRCULAR_CHAIN_DETECTED`: for
/// somebody above oneself. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the disk gives.
///
/// # Safety
/// `pwzSubjectIdentity` is null or ends in 0; `pCredentialInfo` is null or may be read for as many bytes as its `dwSize`
/// says, with what it points to; `ppwzInvitation` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupIssueCredentials(
    hGroup: HGROUP,
    pwzSubjectIdentity: PCWSTR,
    pCredentialInfo: *const PEER_CREDENTIAL_INFO,
    dwFlags: u32,
    ppwzInvitation: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzInvitation, ptr::null_mut()) };
        let group = Process::started()?.group(hGroup)?;
        let store = dwFlags & PEER_GROUP_STORE_CREDENTIALS != 0;
        if dwFlags & !PEER_GROUP_STORE_CREDENTIALS != 0 {
            return Err(Code::E_INVALIDARG.into());
        }
        if !store {
            // The result would be lost.
            out.required()?;
        }
        // SAFETY: as the caller promises.
        let name = unsafe { name_argument(pwzSubjectIdentity)? };
        let invitation = if pCredentialInfo.is_null() {
            let options = CredentialOptions { store, ..CredentialOptions::default() };
            group.renew_credentials_blocking(&name, options)?
        } else {
            // SAFETY: as the caller promises.
            let (subject, options) = unsafe { read_credential(&name, pCredentialInfo)? };
            group.issue_credentials_blocking(&subject, CredentialOptions { store, ..options })?
        };
        if out.required().is_ok() {
            out.set(memory::wide(invitation.as_xml())?);
        }
        Ok(Code::S_OK)
    })
}

/// Who is to get a membership, and what it is to hold.
///
/// # Safety
/// `info` may be read for as many bytes as its `dwSize` says, with what it points to.
unsafe fn read_credential(
    name: &PeerName,
    info: *const PEER_CREDENTIAL_INFO,
) -> Result<(IdentityInfo, CredentialOptions), Failure> {
    const WRONG: Code = Code::PEER_E_INVALID_CREDENTIAL_INFO;
    // SAFETY: as the caller promises; the size comes first.
    if unsafe { info.cast::<u32>().read_unaligned() } as usize != size_of::<PEER_CREDENTIAL_INFO>()
    {
        return Err(WRONG.into());
    }
    // SAFETY: it has its size.
    let info = unsafe { info.read_unaligned() };
    if info.dwFlags != 0 || info.pPublicKey.is_null() {
        return Err(WRONG.into());
    }
    // SAFETY: as the caller promises.
    let (key, friendly_name, roles) = unsafe {
        let key = PublicKey::read(&info.pPublicKey.read_unaligned());
        let friendly_name = wide::read_optional(info.pwzFriendlyName, TEXT_MAX);
        let friendly_name = friendly_name.map_err(|error| error.or_too_long(WRONG))?;
        (key, friendly_name, read_roles(info.cRoles, info.pRoles)?)
    };
    let spki = key.and_then(|key| key.to_spki()).ok_or(WRONG)?;
    let classifier = Some(name.classifier()).filter(|classifier| !classifier.is_empty());
    let subject = IdentityInfo::for_key(&spki, classifier, friendly_name.as_deref())
        .map_err(|error| Failure::new(WRONG, error.refusal()))?;
    if !name.is_of(&subject.key) {
        return Err(WRONG.into());
    }
    let time = |time: FILETIME| Some(FileTime::from(time)).filter(|time| time.0 != 0);
    let (not_before, expires) = (time(info.ftValidityStart), time(info.ftValidityEnd));
    Ok((subject, CredentialOptions { roles, not_before, expires, store: false }))
}

/// Whom a peer name or a description means.
///
/// # Safety
/// The text is null or ends in 0.
unsafe fn target(text: PCWSTR) -> Result<Target, Failure> {
    // SAFETY: as the caller promises.
    let text = unsafe { wide::read(text, TEXT_MAX)? };
    if text.trim_start().starts_with('<') {
        let info = IdentityInfo::from_xml(&text).map_err(description_refused)?;
        return Ok(Target::from(&info));
    }
    if text.encode_utf16().count() > NAME_MAX {
        return Err(Code::E_INVALIDARG.into());
    }
    let name = PeerName::parse(&text).map_err(|_| Code::E_INVALIDARG)?;
    Ok(Target::from(&name))
}

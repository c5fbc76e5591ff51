//! Invitations: make and show them.

use core::ptr;

use p2p_group::{
    AnyInvitation, Code, FileTime, Guid, IdentityInfo, Invitation, InviteOptions,
    PasswordInvitation, Refusal, Roles,
};

use crate::guard::{self, Failure, Out};
use crate::layout::{
    FILETIME, GUID, HGROUP, HRESULT, PCWSTR, PEER_GROUP_GMC_AUTHENTICATION,
    PEER_GROUP_PASSWORD_AUTHENTICATION, PEER_INVITATION_INFO, PEER_ROLE_ID, PWSTR,
};
use crate::memory::{self, Arena};
use crate::properties::CLOUD;
use crate::public_key::PublicKey;
use crate::runtime::Process;
use crate::wide::{self, TEXT_MAX};

/// More roles than there are, in one list.
const ROLES_MAX: u32 = 64;
/// `PNRP_SCOPE_GLOBAL`.
const SCOPE_GLOBAL: u32 = 1;

/// Makes an invitation for the identity that `pwzIdentityInfo` describes, as `PeerIdentityGetXML` gave it there. Without
/// roles it is for a member, without an end it lasts as long as the inviter's own membership.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, one of `cRoles` and `pRoles` without the other, or a description that
/// cannot be read. `PEER_E_INVALID_GROUP`. `PEER_E_INVALID_ROLE_PROPERTY`: an unknown role. `CRYPT_E_*`: the certificate
/// in the description is refused. `PEER_E_GROUP_NOT_READY`: no exchange with a member yet.
/// `PEER_E_INVALID_GROUP_PROPERTIES`: the group is joined by its password only. `PEER_E_NOT_AUTHORIZED`: this member may
/// not grant that, or one of both was revoked (`CRYPT_E_REVOKED` is behind it). `PEER_E_INVALID_TIME_PERIOD`:
/// the end has passed or is later than one's own. `PEER_E_CHAIN_TOO_LONG`. `PEER_E_CIRCULAR_CHAIN_DETECTED`: for somebody above oneself. `PEER_E_NO_KEY_ACCESS`,
/// `E_OUTOFMEMORY`.
///
/// # Safety
/// `pwzIdentityInfo` is null or ends in 0; `pftExpiration` is null or may be read; `pRoles` is null or points to `cRoles`
/// values; `ppwzInvitation` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupCreateInvitation(
    hGroup: HGROUP,
    pwzIdentityInfo: PCWSTR,
    pftExpiration: *const FILETIME,
    cRoles: u32,
    pRoles: *const GUID,
    ppwzInvitation: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzInvitation, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let group = process.group(hGroup)?;
        // SAFETY: as the caller promises.
        let (text, roles) =
            unsafe { (wide::read(pwzIdentityInfo, TEXT_MAX)?, read_roles(cRoles, pRoles)?) };
        let expires = match pftExpiration.is_null() {
            true => None,
            // SAFETY: as the caller promises.
            false => Some(FileTime::from(unsafe { guard::required(pftExpiration)? })),
        };
        let invitee = IdentityInfo::from_xml(&text).map_err(description_refused)?;
        let invitation = group.invite(&invitee, InviteOptions { roles, expires })?;
        out.set(memory::wide(invitation.as_xml())?);
        Ok(Code::S_OK)
    })
}

/// Checks an invitation of either kind and shows what is in it. Its dates are shown, not checked. One by password has no
/// subject, the role that the password gives, and the dates of who issued it.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVITATION_NOT_TRUSTED`: altered or malformed.
/// `PEER_E_UNSUPPORTED_VERSION`. `PEER_E_CHAIN_TOO_LONG`. `PEER_E_CIRCULAR_CHAIN_DETECTED`. `E_OUTOFMEMORY`.
///
/// # Safety
/// `pwzInvitation` is null or ends in 0; `ppInvitationInfo` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupParseInvitation(
    pwzInvitation: PCWSTR,
    ppInvitationInfo: *mut *mut PEER_INVITATION_INFO,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppInvitationInfo, ptr::null_mut()) };
        Process::started()?;
        out.required()?;
        // SAFETY: as the caller promises.
        out.set(match AnyInvitation::parse(&unsafe { text(pwzInvitation)? })? {
            AnyInvitation::Named(invitation) => {
                let key = PublicKey::from_spki(invitation.subject_public_key());
                memory::build(Code::S_OK, |arena| describe(arena, &invitation, key.as_ref()))?
            }
            AnyInvitation::ByPassword(invitation) => {
                memory::build(Code::S_OK, |arena| describe_by_password(arena, &invitation))?
            }
            _ => return Err(Code::PEER_E_UNSUPPORTED_VERSION.into()),
        });
        Ok(Code::S_OK)
    })
}

/// Reads and verifies an invitation.
///
/// # Safety
/// The text is null or ends in 0.
pub(crate) unsafe fn read(text: PCWSTR) -> Result<Invitation, Failure> {
    // SAFETY: as the caller promises.
    Ok(Invitation::parse(&unsafe { self::text(text)? })?)
}

/// The text of an invitation of either kind. White space around it is not looked at, as a text file ends in a new line;
/// what lies between is signed, to the character.
///
/// # Safety
/// The text is null or ends in 0.
pub(crate) unsafe fn text(text: PCWSTR) -> Result<String, Failure> {
    // SAFETY: as the caller promises.
    let text = unsafe { wide::read(text, TEXT_MAX) };
    let text = text.map_err(|error| error.or_too_long(Code::PEER_E_INVITATION_NOT_TRUSTED))?;
    Ok(text.trim().to_owned())
}

/// # Safety
/// `roles` is null or points to `count` values.
pub(crate) unsafe fn read_roles(count: u32, roles: *const GUID) -> Result<Roles, Failure> {
    if roles.is_null() != (count == 0) || count > ROLES_MAX {
        return Err(Code::E_INVALIDARG.into());
    }
    let mut set = Roles::empty();
    for index in 0..count as usize {
        // SAFETY: as the caller promises; unaligned, for packed structures.
        let guid = unsafe { roles.add(index).read_unaligned() };
        set =
            set.with(Roles::from_guid(Guid::from(guid)).ok_or(Code::PEER_E_INVALID_ROLE_PROPERTY)?);
    }
    Ok(set)
}

/// Text that is no description at all is an argument's fault; a certificate that is refused has its own code.
pub(crate) fn description_refused(refusal: Refusal) -> Failure {
    let code = match refusal.code {
        Code::CRYPT_E_BAD_MSG | Code::CRYPT_E_BAD_ENCODE => Code::E_INVALIDARG,
        code => code,
    };
    Failure::new(code, Some(refusal))
}

fn describe(arena: &mut Arena, invitation: &Invitation, key: Option<&PublicKey>) {
    let top = arena.reserve(1);
    let member = invitation.member();
    let roles: Vec<PEER_ROLE_ID> = member.roles.guids().map(PEER_ROLE_ID::from).collect();
    let info = PEER_INVITATION_INFO {
        dwSize: size_of::<PEER_INVITATION_INFO>() as u32,
        dwFlags: 0,
        pwzCloudName: arena.wide(CLOUD),
        dwScope: SCOPE_GLOBAL,
        dwCloudFlags: 0,
        pwzGroupPeerName: arena.wide(invitation.group_name().as_str()),
        pwzIssuerPeerName: arena.wide(&member.issuer_name),
        pwzSubjectPeerName: arena.wide(&member.name),
        pwzGroupFriendlyName: arena.wide(invitation.group_friendly_name()),
        pwzIssuerFriendlyName: arena.wide(&member.issuer_friendly_name),
        pwzSubjectFriendlyName: arena.wide(&member.friendly_name),
        ftValidityStart: member.not_before.into(),
        ftValidityEnd: member.not_after.into(),
        cRoles: roles.len() as u32,
        pRoles: arena.list(&roles),
        cClassifiers: 0,
        ppwzClassifiers: ptr::null_mut(),
        pSubjectPublicKey: key.map_or(ptr::null_mut(), |key| key.write(arena)),
        authScheme: PEER_GROUP_GMC_AUTHENTICATION,
    };
    arena.set(top, 0, info);
}

fn describe_by_password(arena: &mut Arena, invitation: &PasswordInvitation) {
    let top = arena.reserve(1);
    let issuer = invitation.issuer();
    let roles: Vec<PEER_ROLE_ID> = invitation.role().guids().map(PEER_ROLE_ID::from).collect();
    let info = PEER_INVITATION_INFO {
        dwSize: size_of::<PEER_INVITATION_INFO>() as u32,
        dwFlags: 0,
        pwzCloudName: arena.wide(CLOUD),
        dwScope: SCOPE_GLOBAL,
        dwCloudFlags: 0,
        pwzGroupPeerName: arena.wide(invitation.group_name().as_str()),
        pwzIssuerPeerName: arena.wide(&issuer.name),
        pwzSubjectPeerName: ptr::null_mut(),
        pwzGroupFriendlyName: arena.wide(invitation.group_friendly_name()),
        pwzIssuerFriendlyName: arena.wide(&issuer.friendly_name),
        pwzSubjectFriendlyName: ptr::null_mut(),
        ftValidityStart: issuer.not_before.into(),
        ftValidityEnd: issuer.not_after.into(),
        cRoles: roles.len() as u32,
        pRoles: arena.list(&roles),
        cClassifiers: 0,
        ppwzClassifiers: ptr::null_mut(),
        pSubjectPublicKey: ptr::null_mut(),
        authScheme: PEER_GROUP_PASSWORD_AUTHENTICATION,
    };
    arena.set(top, 0, info);
}

//! Joining by the group's password, and inviting whoever knows it.

use core::ptr;

use p2p_group::{Code, PasswordInvitation};

use crate::guard::{self, Out};
use crate::identity::optional_name;
use crate::invitation::text;
use crate::layout::{HGROUP, HPEEREVENT, HRESULT, PCWSTR, PWSTR};
use crate::memory;
use crate::properties::is_global;
use crate::runtime::Process;
use crate::wide::{self, PASSWORD_MAX};

/// Makes an invitation for whoever knows the group's password. It names the group and where members may be found; nothing
/// in it is secret, and nobody can try passwords with it alone. It serves until the password is changed or the inviter's
/// membership ends.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVALID_GROUP`. `PEER_E_GROUP_NOT_READY`: no exchange with a
/// member yet. `PEER_E_INVALID_GROUP_PROPERTIES`: the group has no password. `PEER_E_NOT_AUTHORIZED`: this member may not
/// grant the password's role, or was revoked. `PEER_E_INVALID_TIME_PERIOD`: one's own membership is not valid now.
/// `PEER_E_CHAIN_TOO_LONG`. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`.
///
/// # Safety
/// `ppwzInvitation` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupCreatePasswordInvitation(
    hGroup: HGROUP,
    ppwzInvitation: *mut PWSTR,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(ppwzInvitation, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let invitation = process.group(hGroup)?.invite_by_password()?;
        out.set(memory::wide(invitation.as_xml())?);
        Ok(Code::S_OK)
    })
}

/// Takes an invitation by password for an identity (null: the default one). Nothing is sent; the handle is offline, and
/// the first member that is met gives the membership, or says that the password is wrong: then connecting fails with
/// `PEER_E_NOT_AUTHORIZED`. Until then another call gives the group another password, also while it is open. Takes
/// usually 64 MiB and some tenths of a second.
///
/// `PEER_S_ALREADY_A_MEMBER`, a success: this identity has a membership, and the handle is as from `PeerGroupOpen`.
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, or a password that is empty or longer than 1,024 bytes in UTF-8.
/// `PEER_E_INVALID_PEER_NAME`. `PEER_E_NO_CLOUD`. `PEER_E_INVITATION_NOT_TRUSTED`: altered, malformed, or not one by
/// password. `PEER_E_INVALID_TIME_PERIOD`: the membership of who invites is not valid now. `PEER_E_UNSUPPORTED_VERSION`.
/// `PEER_E_CHAIN_TOO_LONG`. `PEER_E_CIRCULAR_CHAIN_DETECTED`. `PEER_E_NOT_FOUND`: no such identity.
/// `PEER_E_GROUP_IN_USE`: open in another process, or still closing. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what
/// the disk gives.
///
/// # Safety
/// The texts are null or end in 0; `phGroup` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupPasswordJoin(
    pwzIdentity: PCWSTR,
    pwzInvitation: PCWSTR,
    pwzPassword: PCWSTR,
    pwzCloud: PCWSTR,
    phGroup: *mut HGROUP,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phGroup, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        // SAFETY: as the caller promises.
        let (invitation, identity, password, global) = unsafe {
            let invitation = PasswordInvitation::parse(&text(pwzInvitation)?)?;
            let password = wide::read_secret(pwzPassword, PASSWORD_MAX)?;
            (invitation, optional_name(pwzIdentity)?, password, is_global(pwzCloud)?)
        };
        if !global {
            return Err(Code::PEER_E_NO_CLOUD.into());
        }
        let group = process.library()?.call(|library| {
            library.join_by_password_blocking(identity.as_ref(), &invitation, &password)
        })?;
        let code = if group.is_pending() { Code::S_OK } else { Code::PEER_S_ALREADY_A_MEMBER };
        out.set(process.add_group(group)?);
        Ok(code)
    })
}

/// Goes on after `PEER_GROUP_EVENT_AUTHENTICATION_FAILED`, with the password that was given last: connecting, which was
/// held back while a queue had asked for that event, begins anew. If nothing is held back, nothing happens. Without this
/// call connecting fails after 5 minutes, with `PEER_E_NOT_AUTHORIZED`.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `E_INVALIDARG`: not a queue, one of another group, or one that did
/// not ask for that event.
#[unsafe(no_mangle)]
pub extern "system" fn PeerGroupResumePasswordAuthentication(
    hGroup: HGROUP,
    hPeerEventHandle: HPEEREVENT,
) -> HRESULT {
    guard::call(|| {
        let process = Process::started()?;
        let group = process.group(hGroup)?;
        let queue = process.queues.get(hPeerEventHandle).ok_or(Code::E_INVALIDARG)?;
        if !queue.may_resume(&group) {
            return Err(Code::E_INVALIDARG.into());
        }
        group.resume_password()?;
        Ok(Code::S_OK)
    })
}

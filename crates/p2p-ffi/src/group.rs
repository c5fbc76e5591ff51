//! Groups: make, join, open, connect, close, delete.

use core::ptr;

use p2p_group::{Code, Connecting, ConnectionKind, Group, MemberFilter, Target};

use crate::enumeration::{self, ConnectionItem, Item, MemberItem};
use crate::guard::{self, Out};
use crate::identity::{name, name_argument, optional_name};
use crate::layout::{
    HGROUP, HPEERENUM, HRESULT, PCWSTR, PEER_ADDRESS, PEER_CONNECTION_DIRECT,
    PEER_CONNECTION_NEIGHBOR, PEER_GROUP_PROPERTIES, PEER_MEMBER_PRESENT,
};
use crate::properties::{self, is_global};
use crate::runtime::Process;

/// Most addresses of one [`PeerGroupConnectByAddress`].
const ADDRESSES_MAX: u32 = 64;

/// Makes a group whose administrator is the creator's identity. The handle is offline.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, a wrong `dwSize`, text that is not UTF-16, or a password of more
/// than 1,024 bytes. `PEER_E_INVALID_PEER_NAME`: the creator's name.
/// `PEER_E_INVALID_CLASSIFIER`, `PEER_E_CLASSIFIER_TOO_LONG`, `PEER_E_INVALID_FRIENDLY_NAME`: the group's names.
/// `PEER_E_NO_CLOUD`: any but the global one. `PEER_E_INVALID_GROUP_PROPERTIES`: another field, or a password without its
/// scheme, or the scheme without a password. `PEER_E_INVALID_ROLE_PROPERTY`: a password's role.
/// `PEER_E_PASSWORD_DOES_NOT_MEET_POLICY`: shorter than 8 units, or all one character. `PEER_E_NOT_FOUND`: no such
/// identity. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the disk gives.
///
/// # Safety
/// `pProperties` is null, or may be read for as many bytes as its `dwSize` says, and its texts end in 0; `phGroup` is
/// null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupCreate(
    pProperties: *const PEER_GROUP_PROPERTIES,
    phGroup: *mut HGROUP,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phGroup, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        // SAFETY: as the caller promises.
        let (creator, options, global) = unsafe {
            let (given, _) = properties::read(pProperties)?;
            let creator = optional_name(given.pwzCreatorPeerName)?;
            (creator, properties::options(&given)?, is_global(given.pwzCloud)?)
        };
        if !global {
            return Err(Code::PEER_E_NO_CLOUD.into());
        }
        let group = process.library()?.call(|library| library.create(creator.as_ref(), options))?;
        out.set(process.add_group(group)?);
        Ok(Code::S_OK)
    })
}

/// Opens a group that an identity has made or joined before.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVALID_PEER_NAME`: one of the names. `PEER_E_NO_CLOUD`: any
/// but the global one, unless the group is open already. `PEER_E_NOT_FOUND`: no such identity, or it has no such group.
/// `PEER_E_GROUP_IN_USE`: open in another process, or still closing in this one. `PEER_E_NO_KEY_ACCESS`,
/// `PEER_E_DATABASE_ACCESSDENIED`, `PEER_E_DBINITIALIZATION_FAILED`, `E_OUTOFMEMORY`.
///
/// # Safety
/// The texts are null or end in 0; `phGroup` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupOpen(
    pwzIdentity: PCWSTR,
    pwzGroupPeerName: PCWSTR,
    pwzCloud: PCWSTR,
    phGroup: *mut HGROUP,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phGroup, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        // SAFETY: as the caller promises.
        let (identity, group, global) =
            unsafe { (name(pwzIdentity)?, name(pwzGroupPeerName)?, is_global(pwzCloud)?) };
        let node = process.library()?.call(|library| library.node(Some(&identity)))?;
        if !global && !node.open_groups().contains(&group) {
            return Err(Code::PEER_E_NO_CLOUD.into());
        }
        out.set(process.add_group(Group::open(&node, &group)?)?);
        Ok(Code::S_OK)
    })
}

/// Takes an invitation for an identity (null: the default one). Nothing is sent; the handle is offline.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVALID_PEER_NAME`. `PEER_E_NO_CLOUD`.
/// `PEER_E_INVITATION_NOT_TRUSTED`: altered, malformed, or for somebody else. `PEER_E_INVALID_TIME_PERIOD`: not valid
/// now. `PEER_E_UNSUPPORTED_VERSION`. `PEER_E_CHAIN_TOO_LONG`. `PEER_E_CIRCULAR_CHAIN_DETECTED`. `PEER_E_NOT_FOUND`: no
/// such identity. `PEER_E_GROUP_IN_USE`: open already. `PEER_E_NO_KEY_ACCESS`, `E_OUTOFMEMORY`, and what the disk gives.
///
/// # Safety
/// The texts are null or end in 0; `phGroup` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupJoin(
    pwzIdentity: PCWSTR,
    pwzInvitation: PCWSTR,
    pwzCloud: PCWSTR,
    phGroup: *mut HGROUP,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phGroup, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        // SAFETY: as the caller promises.
        let (identity, invitation, global) = unsafe {
            let invitation = crate::invitation::read(pwzInvitation);
            (optional_name(pwzIdentity)?, invitation?, is_global(pwzCloud)?)
        };
        if !global {
            return Err(Code::PEER_E_NO_CLOUD.into());
        }
        let group =
            process.library()?.call(|library| library.join(identity.as_ref(), &invitation))?;
        out.set(process.add_group(group)?);
        Ok(Code::S_OK)
    })
}

/// Begins to bring the group online. How it ended is an event, within 30 s.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `PEER_S_ALREADY_CONNECTED`, a success: it is online.
#[unsafe(no_mangle)]
pub extern "system" fn PeerGroupConnect(hGroup: HGROUP) -> HRESULT {
    guard::call(|| {
        let group = Process::started()?.group(hGroup)?;
        Ok(connecting(group.connect()?))
    })
}

/// As [`PeerGroupConnect`], asking at these endpoints. A group that is online tries them as additional neighbours.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`. `E_INVALIDARG`: not 1 to 64 addresses, or one that has a wrong size
/// or family or cannot be dialled. `PEER_S_ALREADY_CONNECTED`, a success: all of them are neighbours already.
///
/// # Safety
/// `pAddresses` is null or points to `cAddresses` structures.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupConnectByAddress(
    hGroup: HGROUP,
    cAddresses: u32,
    pAddresses: *const PEER_ADDRESS,
) -> HRESULT {
    guard::call(|| {
        let group = Process::started()?.group(hGroup)?;
        if pAddresses.is_null() || !(1..=ADDRESSES_MAX).contains(&cAddresses) {
            return Err(Code::E_INVALIDARG.into());
        }
        // SAFETY: as the caller promises; unaligned, for packed structures.
        let address = |index| unsafe { pAddresses.add(index).read_unaligned() }.to_address();
        let addresses: Option<Vec<_>> = (0..cAddresses as usize).map(address).collect();
        Ok(connecting(group.connect_by_address(&addresses.ok_or(Code::E_INVALIDARG)?)?))
    })
}

/// Ends a group handle. The last one of a group takes it offline; that takes at most 5 s. Registrations made with the
/// handle get nothing more; what they hold can still be taken.
///
/// `PEER_E_NOT_INITIALIZED`. `PEER_E_INVALID_GROUP`: also for a second close.
#[unsafe(no_mangle)]
pub extern "system" fn PeerGroupClose(hGroup: HGROUP) -> HRESULT {
    guard::call(|| {
        let group = Process::started()?.groups.remove(hGroup).ok_or(Code::PEER_E_INVALID_GROUP)?;
        group.close_blocking()?;
        Ok(Code::S_OK)
    })
}

/// Deletes an identity's copy of a group (null: the default identity's), with all handles of it. Other members keep
/// theirs.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: no group name. `PEER_E_INVALID_PEER_NAME`. `PEER_E_NOT_FOUND`.
/// `PEER_E_GROUP_IN_USE`: open in another process. `PEER_E_NO_KEY_ACCESS`, `E_ACCESSDENIED`, and what the disk gives.
///
/// # Safety
/// The texts are null or end in 0.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupDelete(
    pwzIdentity: PCWSTR,
    pwzGroupPeerName: PCWSTR,
) -> HRESULT {
    guard::call(|| {
        let process = Process::started()?;
        // SAFETY: as the caller promises.
        let (identity, group) = unsafe { (optional_name(pwzIdentity)?, name(pwzGroupPeerName)?) };
        let deleted =
            process.library()?.call(|library| library.delete_blocking(identity.as_ref(), &group));
        // Also if deleting failed half-way: what is closed has no handle.
        drop(process.groups.remove_where(|group| group.status().is_err()));
        deleted?;
        Ok(Code::S_OK)
    })
}

/// Reads the status of the group: `PEER_GROUP_STATUS` bits, 0 while it is offline.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null. `PEER_E_INVALID_GROUP`.
///
/// # Safety
/// `pdwStatus` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupGetStatus(hGroup: HGROUP, pdwStatus: *mut u32) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(pdwStatus, 0) };
        let process = Process::started()?;
        out.required()?;
        out.set(process.group(hGroup)?.status()?.bits());
        Ok(Code::S_OK)
    })
}

/// A snapshot of the members known here, oneself first: items are `PEER_MEMBER`, one per node of a member that is
/// online. `dwFlags`: 0, or `PEER_MEMBER_PRESENT` for those online. `pwzIdentity`: only this one.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, unknown flags, or not a peer name. `PEER_E_INVALID_GROUP`.
/// `E_OUTOFMEMORY`.
///
/// # Safety
/// `pwzIdentity` is null or ends in 0; `phPeerEnum` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupEnumMembers(
    hGroup: HGROUP,
    dwFlags: u32,
    pwzIdentity: PCWSTR,
    phPeerEnum: *mut HPEERENUM,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phPeerEnum, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let group = process.group(hGroup)?;
        if dwFlags & !PEER_MEMBER_PRESENT != 0 {
            return Err(Code::E_INVALIDARG.into());
        }
        let identity = match pwzIdentity.is_null() {
            true => None,
            // SAFETY: as the caller promises.
            false => Some(Target::from(&unsafe { name_argument(pwzIdentity)? })),
        };
        let members = group.members(&MemberFilter { present: dwFlags != 0, identity })?;
        let items = members.into_iter().map(|info| {
            Item::Member(MemberItem {
                member: info.member,
                flags: if info.present { PEER_MEMBER_PRESENT } else { 0 },
                node: info.node.0,
                addresses: info.addresses,
            })
        });
        out.set(enumeration::start(items.collect())?);
        Ok(Code::S_OK)
    })
}

/// A snapshot of the connections that stand, by id: items are `PEER_CONNECTION_INFO`. `dwFlags`: one or both of
/// `PEER_CONNECTION_FLAGS`. A direct connection that the peer has closed is listed until its end was taken everywhere.
///
/// `PEER_E_NOT_INITIALIZED`. `E_INVALIDARG`: null, no flag, or unknown flags. `PEER_E_INVALID_GROUP`. `E_OUTOFMEMORY`.
///
/// # Safety
/// `phPeerEnum` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGroupEnumConnections(
    hGroup: HGROUP,
    dwFlags: u32,
    phPeerEnum: *mut HPEERENUM,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { Out::clear(phPeerEnum, ptr::null_mut()) };
        let process = Process::started()?;
        out.required()?;
        let group = process.group(hGroup)?;
        if dwFlags == 0 || dwFlags & !(PEER_CONNECTION_NEIGHBOR | PEER_CONNECTION_DIRECT) != 0 {
            return Err(Code::E_INVALIDARG.into());
        }
        // Both kinds at one moment, by id.
        let items = group.all_connections()?.into_iter().map(|info| ConnectionItem {
            flags: match info.kind {
                ConnectionKind::Neighbour => PEER_CONNECTION_NEIGHBOR,
                ConnectionKind::Direct => PEER_CONNECTION_DIRECT,
            },
            id: info.id.0,
            node: info.node.0,
            peer: info.peer.name().into_owned(),
            address: info.address,
        });
        let items = items.filter(|item| item.flags & dwFlags != 0).map(Item::Connection);
        out.set(enumeration::start(items.collect())?);
        Ok(Code::S_OK)
    })
}

fn connecting(connecting: Connecting) -> Code {
    match connecting {
        Connecting::AlreadyConnected => Code::PEER_S_ALREADY_CONNECTED,
        _ => Code::S_OK,
    }
}

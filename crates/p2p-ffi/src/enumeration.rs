//! Snapshots: what an enumeration function found, taken item by item.
//!
//! A snapshot is independent of the group that it came from, and of whether the library is still started.

use core::ffi::c_void;
use core::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use p2p_group::{Address, Code, Member};

use crate::guard::{self, Failure, Out};
use crate::layout::{
    HPEERENUM, HRESULT, PEER_ADDRESS, PEER_CONNECTION_INFO, PEER_CREDENTIAL_INFO, PEER_MEMBER,
    PEER_NAME_PAIR, PEER_ROLE_ID,
};
use crate::memory::{self, Arena, Room};
use crate::public_key::PublicKey;
use crate::runtime::Process;

/// A snapshot being read.
pub(crate) struct Enumeration {
    items: Vec<Item>,
    position: Mutex<usize>,
}

/// One item of a snapshot, complete in itself.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A member, once for each of its nodes that is online.
    Member(MemberItem),
    /// A connection that stands or lingers.
    Connection(ConnectionItem),
    /// An identity or a group.
    Named(NamedItem),
}

/// What a `PEER_MEMBER` is made of.
#[derive(Clone, Debug)]
pub(crate) struct MemberItem {
    pub(crate) member: Arc<Member>,
    /// `PEER_MEMBER_FLAGS`.
    pub(crate) flags: u32,
    pub(crate) node: u64,
    pub(crate) addresses: Vec<Address>,
}

/// What a `PEER_CONNECTION_INFO` is made of.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionItem {
    /// `PEER_CONNECTION_FLAGS`.
    pub(crate) flags: u32,
    pub(crate) id: u64,
    pub(crate) node: u64,
    pub(crate) peer: String,
    pub(crate) address: Address,
}

/// What a `PEER_NAME_PAIR` is made of.
#[derive(Clone, Debug)]
pub(crate) struct NamedItem {
    pub(crate) name: String,
    pub(crate) friendly_name: String,
}

/// A handle for a new snapshot of `items`.
///
/// # Errors
/// `E_OUTOFMEMORY` if as many snapshots are open as there may be.
pub(crate) fn start(items: Vec<Item>) -> Result<HPEERENUM, Failure> {
    let enumeration = Arc::new(Enumeration { items, position: Mutex::new(0) });
    Process::current().enumerations.insert(enumeration).ok_or(Code::E_OUTOFMEMORY.into())
}

/// Tells how many items a snapshot has, taken or not.
///
/// `E_INVALIDARG`: null, or not a snapshot.
///
/// # Safety
/// `pCount` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGetItemCount(hPeerEnum: HPEERENUM, pCount: *mut u32) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises.
        let count = unsafe { Out::clear(pCount, 0) };
        count.required()?;
        count.set(find(hPeerEnum)?.items.len() as u32);
        Ok(Code::S_OK)
    })
}

/// Takes up to `*pCount` items of a snapshot; `*pCount` becomes how many there were, 0 at the end. One [`PeerFreeData`]
/// on the array frees it with its items.
///
/// `E_INVALIDARG`: null, or not a snapshot. `E_OUTOFMEMORY`: nothing was taken.
///
/// [`PeerFreeData`]: crate::PeerFreeData
///
/// # Safety
/// `pCount` is null or may be read and written; `pppvItems` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PeerGetNextItem(
    hPeerEnum: HPEERENUM,
    pCount: *mut u32,
    pppvItems: *mut *mut *mut c_void,
) -> HRESULT {
    guard::call(|| {
        // SAFETY: as the caller promises; null fails below.
        let wanted = unsafe { guard::required(pCount) }.unwrap_or(0);
        // SAFETY: as the caller promises.
        let (count, items) =
            unsafe { (Out::clear(pCount, 0), Out::clear(pppvItems, ptr::null_mut())) };
        count.required()?;
        items.required()?;
        let enumeration = find(hPeerEnum)?;
        let mut position = enumeration.position.lock().unwrap_or_else(PoisonError::into_inner);
        let left = &enumeration.items[*position..];
        let taken = &left[..left.len().min(wanted as usize)];
        if !taken.is_empty() {
            items.set(block(taken)?);
            count.set(taken.len() as u32);
            *position += taken.len();
        }
        Ok(Code::S_OK)
    })
}

/// Ends a snapshot. Items that were taken stay until they are freed.
///
/// `E_INVALIDARG`: not a snapshot, or ended before.
#[unsafe(no_mangle)]
pub extern "system" fn PeerEndEnumeration(hPeerEnum: HPEERENUM) -> HRESULT {
    guard::call(|| {
        Process::current().enumerations.remove(hPeerEnum).ok_or(Code::E_INVALIDARG)?;
        Ok(Code::S_OK)
    })
}

fn find(handle: HPEERENUM) -> Result<Arc<Enumeration>, Failure> {
    Process::current().enumerations.get(handle).ok_or(Code::E_INVALIDARG.into())
}

/// An array of pointers with the items behind it.
fn block(items: &[Item]) -> Result<*mut *mut c_void, Failure> {
    // Taking keys apart is done once, not in both runs of the filling.
    let keys: Vec<Option<PublicKey>> = items.iter().map(public_key).collect();
    let array = memory::build(Code::S_OK, |arena| {
        let array: Room<*mut c_void> = arena.reserve(items.len());
        for (index, (item, key)) in items.iter().zip(&keys).enumerate() {
            let item = match item {
                Item::Member(item) => member(arena, item, key.as_ref()).cast(),
                Item::Connection(item) => connection(arena, item).cast(),
                Item::Named(item) => named(arena, item).cast(),
            };
            arena.set(array, index, item);
        }
    })?;
    Ok(array)
}

fn public_key(item: &Item) -> Option<PublicKey> {
    match item {
        Item::Member(item) => PublicKey::of_member(&item.member),
        Item::Connection(_) | Item::Named(_) => None,
    }
}

fn member(arena: &mut Arena, item: &MemberItem, key: Option<&PublicKey>) -> *mut PEER_MEMBER {
    let top: Room<PEER_MEMBER> = arena.reserve(1);
    let addresses: Vec<PEER_ADDRESS> =
        item.addresses.iter().copied().map(PEER_ADDRESS::from).collect();
    let member = PEER_MEMBER {
        dwSize: size_of::<PEER_MEMBER>() as u32,
        dwFlags: item.flags,
        pwzIdentity: arena.wide(&item.member.name),
        // Attributes are published as records, which this version does not have.
        pwzAttributes: ptr::null_mut(),
        ullNodeId: item.node,
        cAddresses: addresses.len() as u32,
        pAddresses: arena.list(&addresses),
        pCredentialInfo: credential(arena, &item.member, key),
    };
    arena.set(top, 0, member);
    arena.at(top)
}

fn credential(
    arena: &mut Arena,
    member: &Member,
    key: Option<&PublicKey>,
) -> *mut PEER_CREDENTIAL_INFO {
    let top: Room<PEER_CREDENTIAL_INFO> = arena.reserve(1);
    let roles: Vec<PEER_ROLE_ID> = member.roles.guids().map(PEER_ROLE_ID::from).collect();
    let credential = PEER_CREDENTIAL_INFO {
        dwSize: size_of::<PEER_CREDENTIAL_INFO>() as u32,
        dwFlags: 0,
        pwzFriendlyName: arena.wide(&member.friendly_name),
        pPublicKey: key.map_or(ptr::null_mut(), |key| key.write(arena)),
        pwzIssuerPeerName: arena.wide(&member.issuer_name),
        pwzIssuerFriendlyName: arena.wide(&member.issuer_friendly_name),
        ftValidityStart: member.not_before.into(),
        ftValidityEnd: member.not_after.into(),
        cRoles: roles.len() as u32,
        pRoles: arena.list(&roles),
    };
    arena.set(top, 0, credential);
    arena.at(top)
}

fn connection(arena: &mut Arena, item: &ConnectionItem) -> *mut PEER_CONNECTION_INFO {
    let top: Room<PEER_CONNECTION_INFO> = arena.reserve(1);
    let connection = PEER_CONNECTION_INFO {
        dwSize: size_of::<PEER_CONNECTION_INFO>() as u32,
        dwFlags: item.flags,
        ullConnectionId: item.id,
        ullNodeId: item.node,
        pwzPeerId: arena.wide(&item.peer),
        address: item.address.into(),
    };
    arena.set(top, 0, connection);
    arena.at(top)
}

fn named(arena: &mut Arena, item: &NamedItem) -> *mut PEER_NAME_PAIR {
    let top: Room<PEER_NAME_PAIR> = arena.reserve(1);
    let pair = PEER_NAME_PAIR {
        dwSize: size_of::<PEER_NAME_PAIR>() as u32,
        pwzPeerName: arena.wide(&item.name),
        pwzFriendlyName: arena.wide(&item.friendly_name),
    };
    arena.set(top, 0, pair);
    arena.at(top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{layout, memory::PeerFreeData, wide};
    use core::net::SocketAddr;
    use p2p_group::Bytes;
    use p2p_group::{FileTime, KeyId, Roles};

    const E_INVALIDARG: HRESULT = Code::E_INVALIDARG.0;

    fn address(port: u16) -> Address {
        Address::from(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn connections(count: u64) -> Vec<Item> {
        let item = |id| {
            let peer = format!("peer {id}");
            ConnectionItem { flags: 2, id, node: 7, peer, address: address(id as u16) }
        };
        (1..=count).map(item).map(Item::Connection).collect()
    }

    /// Takes up to `wanted` items.
    fn next(handle: HPEERENUM, wanted: u32) -> (HRESULT, u32, *mut *mut c_void) {
        let mut count = wanted;
        let mut items = ptr::dangling_mut();
        // SAFETY: both are ours.
        let code = unsafe { PeerGetNextItem(handle, &mut count, &mut items) };
        (code, count, items)
    }

    #[test]
    fn items_come_in_order_until_there_are_none() {
        let handle = start(connections(5)).unwrap();
        let mut seen = Vec::new();
        for expected in [2, 2, 1, 0] {
            let (code, count, items) = next(handle, 2);
            assert_eq!((code, count), (0, expected));
            for index in 0..count as usize {
                // SAFETY: the function gave so many items.
                let item = unsafe { &**items.add(index).cast::<*mut PEER_CONNECTION_INFO>() };
                // SAFETY: text of the same block.
                let peer = unsafe { wide::read(item.pwzPeerId, 20) }.unwrap();
                assert_eq!((item.dwSize, item.dwFlags, item.ullNodeId), (64, 2, 7));
                assert_eq!(item.address.to_address(), Some(address(item.ullConnectionId as u16)));
                seen.push((item.ullConnectionId, peer));
            }
            assert_eq!(items.is_null(), count == 0);
            PeerFreeData(items.cast());
        }
        assert_eq!(seen, (1..=5).map(|id| (id, format!("peer {id}"))).collect::<Vec<_>>());
        let mut count = 0;
        // SAFETY: ours.
        assert_eq!((unsafe { PeerGetItemCount(handle, &mut count) }, count), (0, 5));
        assert_eq!(PeerEndEnumeration(handle), 0);
    }

    #[test]
    fn asking_for_nothing_gives_nothing_and_goes_on() {
        let handle = start(connections(1)).unwrap();
        assert_eq!(next(handle, 0), (0, 0, ptr::null_mut()));
        let (code, count, items) = next(handle, u32::MAX);
        assert_eq!((code, count), (0, 1));
        assert_eq!(PeerEndEnumeration(handle), 0);
        // SAFETY: one item, which outlives its snapshot.
        assert_eq!(unsafe { (**items.cast::<*mut PEER_CONNECTION_INFO>()).ullConnectionId }, 1);
        PeerFreeData(items.cast());
    }

    #[test]
    fn a_member_has_its_credential() {
        let member = Member {
            key: KeyId([1; 32]),
            name: "name".into(),
            friendly_name: "Ann".into(),
            issuer_name: "issuer".into(),
            issuer_friendly_name: "Bob".into(),
            roles: Roles::ADMIN.with(Roles::MEMBER),
            depth: 2,
            not_before: FileTime(1 << 33),
            not_after: FileTime(2),
            chain: Bytes::new(),
            path: Default::default(),
        };
        let item = MemberItem {
            member: member.into(),
            flags: 1,
            node: 9,
            addresses: vec![address(1), address(2)],
        };
        let handle = start(vec![Item::Member(item)]).unwrap();
        let (_, count, items) = next(handle, 1);
        assert_eq!(count, 1);
        // SAFETY: one item, of this kind, whose pointers lie in its block.
        unsafe {
            let member = &**items.cast::<*mut PEER_MEMBER>();
            assert_eq!(
                (member.dwSize, member.dwFlags, member.ullNodeId, member.cAddresses),
                (56, 1, 9, 2)
            );
            assert_eq!((*member.pAddresses.add(1)).to_address(), Some(address(2)));
            let credential = &*member.pCredentialInfo;
            assert_eq!(wide::read(credential.pwzFriendlyName, 10).unwrap(), "Ann");
            assert_eq!(wide::read(credential.pwzIssuerFriendlyName, 10).unwrap(), "Bob");
            assert_eq!((credential.ftValidityStart.dwHighDateTime, credential.cRoles), (2, 2));
            assert_eq!(*credential.pRoles, layout::GUID::from(Roles::GUIDS[0].1));
            assert!(credential.pPublicKey.is_null());
        }
        PeerFreeData(items.cast());
        assert_eq!(PeerEndEnumeration(handle), 0);
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        let handle = start(Vec::new()).unwrap();
        assert_eq!(PeerEndEnumeration(handle), 0);
        for wrong in [handle, ptr::null_mut(), ptr::without_provenance_mut(0x70)] {
            let mut count = 3;
            // SAFETY: ours.
            assert_eq!(unsafe { PeerGetItemCount(wrong, &mut count) }, E_INVALIDARG);
            assert_eq!(count, 0);
            assert_eq!(next(wrong, 1), (E_INVALIDARG, 0, ptr::null_mut()));
            assert_eq!(PeerEndEnumeration(wrong), E_INVALIDARG);
        }
    }

    #[test]
    fn null_pointers_are_refused() {
        let handle = start(connections(1)).unwrap();
        let (mut count, mut items) = (1, ptr::null_mut());
        // SAFETY: null, or ours.
        unsafe {
            assert_eq!(PeerGetItemCount(handle, ptr::null_mut()), E_INVALIDARG);
            assert_eq!(PeerGetNextItem(handle, ptr::null_mut(), &mut items), E_INVALIDARG);
            assert_eq!(PeerGetNextItem(handle, &mut count, ptr::null_mut()), E_INVALIDARG);
        }
        assert_eq!(next(handle, 1).1, 1, "nothing was taken by the calls that failed");
        assert_eq!(PeerEndEnumeration(handle), 0);
    }
}

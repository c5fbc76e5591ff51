#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod claim;
mod codec;
mod database;
mod error;
mod file;
mod home;
mod memory;
mod pending;
mod run;
mod secrets;

use bytes::Bytes;
use p2p_core::{Address, GroupSnapshot, KeyId, StoreChange};
use zeroize::Zeroizing;

pub use error::StoreError;
pub use file::FileStore;
pub use home::Home;
pub use memory::MemoryStore;
pub use run::Run;

/// Identities of one home.
pub const IDENTITIES_MAX: usize = 1_024;
/// Members of one group that are remembered.
pub const MEMBERS_MAX: usize = 65_536;
/// Memberships that are remembered of one member.
pub const MEMBERSHIPS_MAX: usize = 4;
/// Members in one membership chain.
pub const PATH_MAX: usize = 24;
/// Signed objects of one group: more than a node keeps by its limits.
pub const OBJECTS_MAX: usize = 8_192;
/// Addresses remembered per member, and of ourselves.
pub const ADDRESSES_MAX: usize = 8;
/// Largest membership chain in bytes.
pub const CHAIN_MAX: usize = 32_000;
/// Largest name or friendly name in bytes: 255 UTF-16 units of at most 3 bytes each, rounded up.
pub const NAME_MAX: usize = 1_024;
/// Largest secret of a membership that is still to be gained, in bytes.
pub const PENDING_SECRET_MAX: usize = 1_024;
/// Largest invitation that is kept, in bytes.
pub const PENDING_INVITATION_MAX: usize = 64 * 1_024;
/// Largest key or certificate file in bytes.
pub const SECRET_MAX: usize = 16 * 1_024;

/// What one identity keeps about its groups.
///
/// Every call may block on the disk: drive it from a thread that may wait. All calls may be made from several threads.
pub trait Store: Send + Sync + 'static {
    /// What is known of a group; the default value if nothing was ever stored.
    ///
    /// # Errors
    /// [`GroupInUse`](StoreError::GroupInUse) if another process has the group open, and what the disk or a damaged
    /// database gives.
    fn load(&self, group: &KeyId) -> Result<GroupSnapshot, StoreError>;

    /// Makes changes durable, in order. All changes of one group are one transaction: all of them or none. A batch that
    /// names several groups is one transaction per group, and stops at the first that fails.
    ///
    /// What processes without the lock read, the own chain and the listening addresses, takes effect after the rest: a
    /// process killed in between leaves the former chain beside everything else of the batch.
    ///
    /// # Errors
    /// As [`load`](Self::load); a full disk is `PEER_E_DISK_FULL`, and nothing of that group was changed.
    fn commit(&self, changes: &[StoreChange]) -> Result<(), StoreError>;

    /// What is known of a group when it is created or joined: where members may be found, and whether there is anything
    /// to wait for (`synchronised` is true for a creator). Addresses are added to those known.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn set_hints(
        &self,
        group: &KeyId,
        addresses: &[(KeyId, Vec<Address>)],
        synchronised: bool,
    ) -> Result<(), StoreError>;

    /// Forgets a group: chain, keys and everything else. Nothing to forget is no error.
    ///
    /// # Errors
    /// [`GroupInUse`](StoreError::GroupInUse) if another process has the group open.
    fn remove(&self, group: &KeyId) -> Result<(), StoreError>;

    /// Stores or replaces the membership chain of a group, and its key for the creator. A record without key leaves a
    /// stored key alone.
    ///
    /// # Errors
    /// What the disk gives.
    fn save_group(&self, group: &KeyId, record: &GroupRecord) -> Result<(), StoreError>;

    /// The record of a group; `None` if there is none.
    ///
    /// # Errors
    /// What the disk gives; a damaged file is `PEER_E_CERT_STORE_CORRUPTED`.
    fn group(&self, group: &KeyId) -> Result<Option<GroupRecord>, StoreError>;

    /// Keeps what a membership is to be gained with, in place of what was kept before. A group with a membership keeps
    /// none: then this does nothing. It is wiped as soon as there is a membership: by [`save_group`](Self::save_group), a
    /// [`StoreChange::Own`], or, if a process was killed in between, by the next claim of the group.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn save_pending(&self, group: &KeyId, pending: &Pending) -> Result<(), StoreError>;

    /// All groups of which this identity is still to become a member, by key.
    ///
    /// # Errors
    /// As [`group`](Self::group); the first failure ends the list.
    fn pending(&self) -> Result<Vec<(KeyId, Pending)>, StoreError>;

    /// The group's properties as its creator last signed them; `None` if none are kept. Needs no lock, and checks nothing.
    ///
    /// # Errors
    /// What the disk gives; a damaged file is `PEER_E_CERT_STORE_CORRUPTED`.
    fn properties(&self, group: &KeyId) -> Result<Option<Bytes>, StoreError>;

    /// All groups of this identity, by key.
    ///
    /// # Errors
    /// As [`group`](Self::group); the first failure ends the list.
    fn groups(&self) -> Result<Vec<(KeyId, GroupRecord)>, StoreError>;

    /// Claims a group for this process and this store, until the lock is dropped. While it is held the other calls are
    /// sure not to meet [`GroupInUse`](StoreError::GroupInUse); without it each call claims the group for its own
    /// duration.
    ///
    /// # Errors
    /// [`GroupInUse`](StoreError::GroupInUse), or what the disk gives.
    fn lock(&self, group: &KeyId) -> Result<GroupLock, StoreError>;

    /// What the process that has the group open says about itself; `None` if nobody ever said anything. Needs no lock.
    ///
    /// # Errors
    /// What the disk gives; a damaged file is `PEER_E_CERT_STORE_CORRUPTED`.
    fn listening(&self, group: &KeyId) -> Result<Option<Listening>, StoreError>;
}

/// The credentials of one group. Whatever else there is to know about a group, such as its name, is in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecord {
    /// The own membership chain, at most [`CHAIN_MAX`] bytes.
    pub chain: Bytes,
    /// The group's own key: only its creator has it.
    pub root: Option<GroupRoot>,
}

/// A membership that is still to be gained by a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Pending {
    /// The invitation, as text.
    pub invitation: String,
    /// The password, stretched as the invitation says: opens this group to whoever reads it. Wiped when dropped.
    pub secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending")
            .field("invitation", &self.invitation.len())
            .finish_non_exhaustive()
    }
}

/// A group's own key pair and certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupRoot {
    /// The private key as PKCS#8 DER (RFC 5958). Wiped when dropped.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// The self-signed group certificate, DER.
    pub certificate: Vec<u8>,
}

impl std::fmt::Debug for GroupRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupRoot")
            .field("certificate", &self.certificate.len())
            .finish_non_exhaustive()
    }
}

/// What a process that has a group open lets the user's other processes know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// Whether the group has ever had a complete exchange with a member.
    pub synchronised: bool,
    /// Where the process listens, best first; empty while it does not.
    pub addresses: Vec<Address>,
}

/// A group claimed by [`Store::lock`]; dropping it gives the group back.
#[must_use = "the group is given back when the lock is dropped"]
pub struct GroupLock {
    release: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl GroupLock {
    /// For a store of one's own: `release` gives the group back.
    pub fn new(release: impl FnOnce() + Send + Sync + 'static) -> GroupLock {
        GroupLock { release: Some(Box::new(release)) }
    }
}

impl std::fmt::Debug for GroupLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GroupLock")
    }
}

impl Drop for GroupLock {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            release();
        }
    }
}

/// Refuses what would not fit a file, the same for every store.
fn check_record(record: &GroupRecord) -> Result<(), StoreError> {
    if record.chain.len() > CHAIN_MAX {
        return Err(StoreError::TooLarge("membership chain"));
    }
    let too_large =
        |root: &GroupRoot| root.pkcs8.len() > SECRET_MAX || root.certificate.len() > SECRET_MAX;
    if record.root.as_ref().is_some_and(too_large) {
        return Err(StoreError::TooLarge("group key"));
    }
    Ok(())
}

/// The changes of a batch by group, groups in the order in which they are first named.
fn by_group(changes: &[StoreChange]) -> Vec<(KeyId, Vec<&StoreChange>)> {
    let mut groups: Vec<(KeyId, Vec<&StoreChange>)> = Vec::new();
    for change in changes {
        let group = *change.group();
        match groups.iter_mut().find(|entry| entry.0 == group) {
            Some(entry) => entry.1.push(change),
            None => groups.push((group, vec![change])),
        }
    }
    groups
}

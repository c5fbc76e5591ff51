//! What one identity keeps on disk: a folder per group.
//!
//! ```text
//! <folder>/<64 hexadecimal digits of the group's key id>/
//!   chain           the own membership chain; a folder without it is no group
//!   pending         instead of it: invitation and stretched password of a membership that is still to be gained
//!   root.key        the group's private key, PKCS#8 DER: the creator only
//!   root.cert       the group's certificate
//!   properties      the group's properties as its creator last signed them, for processes that cannot open the database
//!   listening       whether synchronised, and the addresses of the process that has the group open
//!   members.redb    members, their addresses, signed objects, and whether synchronised
//!   lock            empty; locked by the process that has the group open, and never deleted by it
//! ```

use std::collections::BTreeMap;
use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use p2p_core::{Address, GroupSnapshot, KeyId, OBJECT_MAX, ObjectKind, StoreChange};

use crate::claim::Claim;
use crate::codec::{decode_listening, encode_listening};
use crate::database::{Database, Device, file_device};
use crate::secrets::{
    Prepared, clean, create_folder, private_options, read_private, remove_if_there, sync_folder,
    write_private,
};
use crate::{
    ADDRESSES_MAX, CHAIN_MAX, GroupLock, GroupRecord, GroupRoot, Listening, Pending, SECRET_MAX,
    Store, StoreError, by_group, check_record, pending,
};

const PROPERTIES: &str = "properties";

/// Keeps groups in files. Clones share locks and open databases.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    device: Device,
    open: Mutex<BTreeMap<KeyId, Arc<Mutex<Open>>>>,
}

/// A group that this store has claimed.
struct Open {
    folder: PathBuf,
    group: KeyId,
    device: Device,
    /// Opened when first needed, and again after a failure.
    database: Option<Database>,
    /// Whether a [`GroupLock`] keeps the claim; else it ends with the call that made it.
    kept: bool,
    /// Dropping it gives the group back.
    _lock: Claim,
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}

impl FileStore {
    /// A store in `folder`, which is created with the first group. [`Home::store`](crate::Home::store) gives an identity
    /// its own.
    pub fn new(folder: impl Into<PathBuf>) -> FileStore {
        FileStore::with_device(folder.into(), file_device())
    }

    fn with_device(folder: PathBuf, device: Device) -> FileStore {
        FileStore { shared: Arc::new(Shared { folder, device, open: Mutex::default() }) }
    }

    fn folder_of(&self, group: &KeyId) -> PathBuf {
        self.shared.folder.join(name_of(group))
    }

    /// Works on a group under its lock: the one that is held, or one for the moment.
    fn with<R>(
        &self,
        group: &KeyId,
        work: impl FnOnce(&mut Open) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let entry = {
            let mut open = self.shared.open();
            match open.get(group) {
                Some(entry) => Arc::clone(entry),
                None => {
                    let entry = Arc::new(Mutex::new(self.claim(group, false)?));
                    open.insert(*group, Arc::clone(&entry));
                    entry
                }
            }
        };
        let result = work(&mut entry.lock().unwrap_or_else(PoisonError::into_inner));
        drop(entry);
        self.shared.let_go(group);
        result
    }

    fn claim(&self, group: &KeyId, kept: bool) -> Result<Open, StoreError> {
        let folder = self.folder_of(group);
        create_folder(&folder).map_err(|error| StoreError::io(&folder, error))?;
        let path = folder.join("lock");
        let lock = private_options()
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| StoreError::io(&path, error))?;
        let lock = Claim::lock(lock).map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::GroupInUse,
            TryLockError::Error(error) => StoreError::io(&path, error),
        })?;
        clean(&folder).map_err(|error| StoreError::io(&folder, error))?;
        if has_membership(&folder)? {
            pending::wipe(&folder)?;
        }
        let device = Arc::clone(&self.shared.device);
        Ok(Open { folder, group: *group, device, database: None, kept, _lock: lock })
    }

    /// The folders of groups, sorted.
    fn folders(&self) -> Result<Vec<(KeyId, PathBuf)>, StoreError> {
        let folder = &self.shared.folder;
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| StoreError::io(folder, error))?,
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::io(folder, error))?;
            if let Some(group) = entry.file_name().to_str().and_then(group_from) {
                folders.push((group, entry.path()));
            }
        }
        folders.sort_unstable();
        Ok(folders)
    }

    fn record(&self, folder: &Path) -> Result<Option<GroupRecord>, StoreError> {
        let Some(chain) = read_if_there(&folder.join("chain"), CHAIN_MAX)? else {
            return Ok(None);
        };
        let key = folder.join("root.key");
        let root = match read_private(&key, SECRET_MAX) {
            Ok(pkcs8) => {
                let certificate = folder.join("root.cert");
                let bytes = read_if_there(&certificate, SECRET_MAX)?
                    .ok_or(StoreError::damaged(&certificate))?;
                Some(GroupRoot { pkcs8, certificate: bytes })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(StoreError::damaged(&key));
            }
            Err(source) => return Err(StoreError::KeyAccess { path: key, source }),
        };
        Ok(Some(GroupRecord { chain: chain.into(), root }))
    }
}

impl Store for FileStore {
    fn load(&self, group: &KeyId) -> Result<GroupSnapshot, StoreError> {
        self.with(group, |open| open.database()?.load())
    }

    fn commit(&self, changes: &[StoreChange]) -> Result<(), StoreError> {
        by_group(changes)
            .into_iter()
            .try_for_each(|(group, changes)| self.with(&group, |open| open.commit(&changes)))
    }

    fn set_hints(
        &self,
        group: &KeyId,
        addresses: &[(KeyId, Vec<Address>)],
        synchronised: bool,
    ) -> Result<(), StoreError> {
        self.with(group, |open| {
            let prepared =
                if synchronised { Some(open.prepare_listening(true, None)?) } else { None };
            open.write(|database| database.hints(addresses, synchronised))?;
            open.place(prepared)
        })
    }

    fn remove(&self, group: &KeyId) -> Result<(), StoreError> {
        let folder = self.folder_of(group);
        if !folder.try_exists().map_err(|error| StoreError::io(&folder, error))? {
            return Ok(());
        }
        self.with(group, |open| {
            open.database = None;
            // The chain first: without it the rest is no group, however far this comes.
            for name in
                ["chain", "root.key", "root.cert", "listening", "properties", "members.redb"]
            {
                let path = open.folder.join(name);
                remove_if_there(&path).map_err(|error| StoreError::io(&path, error))?;
            }
            pending::wipe(&open.folder)?;
            sync_folder(&open.folder).map_err(|error| StoreError::io(&open.folder, error))
        })
    }

    fn save_group(&self, group: &KeyId, record: &GroupRecord) -> Result<(), StoreError> {
        check_record(record)?;
        let folder = self.folder_of(group);
        create_folder(&folder).map_err(|error| StoreError::io(&folder, error))?;
        if let Some(root) = &record.root {
            let key = folder.join("root.key");
            write_private(&key, &root.pkcs8)
                .map_err(|source| StoreError::KeyAccess { path: key, source })?;
            let certificate = folder.join("root.cert");
            write_private(&certificate, &root.certificate)
                .map_err(|error| StoreError::io(&certificate, error))?;
        }
        // The chain last: a folder without it is no group, so a crash before this leaves none.
        let chain = folder.join("chain");
        write_private(&chain, &record.chain).map_err(|error| StoreError::io(&chain, error))?;
        pending::wipe(&folder)
    }

    fn save_pending(&self, group: &KeyId, pending: &Pending) -> Result<(), StoreError> {
        self.with(group, |open| match has_membership(&open.folder)? {
            true => Ok(()),
            false => pending::write(&open.folder, pending),
        })
    }

    fn pending(&self) -> Result<Vec<(KeyId, Pending)>, StoreError> {
        let mut groups = Vec::new();
        for (group, folder) in self.folders()? {
            if !has_membership(&folder)?
                && let Some(pending) = pending::read(&folder)?
            {
                groups.push((group, pending));
            }
        }
        Ok(groups)
    }

    fn properties(&self, group: &KeyId) -> Result<Option<Bytes>, StoreError> {
        Ok(read_if_there(&self.folder_of(group).join(PROPERTIES), OBJECT_MAX)?.map(Bytes::from))
    }

    fn group(&self, group: &KeyId) -> Result<Option<GroupRecord>, StoreError> {
        self.record(&self.folder_of(group))
    }

    fn groups(&self) -> Result<Vec<(KeyId, GroupRecord)>, StoreError> {
        let mut groups = Vec::new();
        for (group, folder) in self.folders()? {
            if let Some(record) = self.record(&folder)? {
                groups.push((group, record));
            }
        }
        Ok(groups)
    }

    fn lock(&self, group: &KeyId) -> Result<GroupLock, StoreError> {
        let mut open = self.shared.open();
        match open.get(group) {
            // Claimed for the moment by another call: this claim outlives it.
            Some(entry) => {
                let mut entry = entry.lock().unwrap_or_else(PoisonError::into_inner);
                if std::mem::replace(&mut entry.kept, true) {
                    return Err(StoreError::GroupInUse);
                }
            }
            None => {
                open.insert(*group, Arc::new(Mutex::new(self.claim(group, true)?)));
            }
        }
        let (shared, group) = (Arc::clone(&self.shared), *group);
        Ok(GroupLock::new(move || shared.release(&group)))
    }

    fn listening(&self, group: &KeyId) -> Result<Option<Listening>, StoreError> {
        read_listening(&self.folder_of(group))
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, BTreeMap<KeyId, Arc<Mutex<Open>>>> {
        // Entries are inserted and removed whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a claim that no [`GroupLock`] keeps and no other call uses.
    fn let_go(&self, group: &KeyId) {
        let mut open = self.open();
        let unused = open.get_mut(group).and_then(Arc::get_mut).is_some_and(|entry| {
            let entry = entry.get_mut().unwrap_or_else(PoisonError::into_inner);
            !entry.kept
        });
        if unused {
            open.remove(group);
        }
    }

    fn release(&self, group: &KeyId) {
        let Some(entry) = self.open().get(group).map(Arc::clone) else { return };
        {
            let mut entry = entry.lock().unwrap_or_else(PoisonError::into_inner);
            entry.kept = false;
            entry.fall_silent();
        }
        drop(entry);
        self.let_go(group);
    }
}

impl Open {
    fn database(&mut self) -> Result<&Database, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::open(&self.folder.join("members.redb"), &self.group, &self.device)?,
        };
        Ok(self.database.insert(database))
    }

    /// A transaction; the database is opened anew after one that failed.
    fn write(
        &mut self,
        work: impl FnOnce(&Database) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let result = work(self.database()?);
        if result.is_err() {
            self.database = None;
        }
        result
    }

    /// The files are prepared before the transaction and placed after it: if any cannot be written, nothing has changed.
    /// Whoever is killed in between keeps the former own chain, and still has the credential that was to follow it.
    fn commit(&mut self, changes: &[&StoreChange]) -> Result<(), StoreError> {
        let synchronised =
            changes.iter().any(|change| matches!(change, StoreChange::Synchronised { .. }));
        let addresses = changes.iter().rev().find_map(|change| match change {
            StoreChange::Listening { addresses, .. } => Some(addresses.as_slice()),
            _ => None,
        });
        let prepared = match (synchronised, addresses) {
            (false, None) => None,
            _ => Some(self.prepare_listening(synchronised, addresses)?),
        };
        let chain = self.prepare_chain(changes)?;
        let gained = chain.is_some();
        let properties = self.prepare_properties(changes)?;
        let in_files = |change: &&StoreChange| {
            matches!(change, StoreChange::Listening { .. } | StoreChange::Own { .. })
        };
        if !changes.iter().all(in_files) {
            self.write(|database| database.commit(changes))?;
        }
        self.place(properties)?;
        self.place(chain)?;
        self.place(prepared)?;
        if gained { pending::wipe(&self.folder) } else { Ok(()) }
    }

    /// The last properties that the changes name, if any: the node keeps none that are older than those it has.
    fn prepare_properties(&self, changes: &[&StoreChange]) -> Result<Option<Prepared>, StoreError> {
        let last = changes.iter().rev().find_map(|change| match change {
            StoreChange::Object { kind: ObjectKind::Properties, bytes, .. } => Some(bytes),
            _ => None,
        });
        let path = self.folder.join(PROPERTIES);
        let prepared = last.map(|bytes| Prepared::write(&path, bytes)).transpose();
        prepared.map_err(|error| StoreError::io(&path, error))
    }

    /// The last own chain that the changes name, if any.
    fn prepare_chain(&self, changes: &[&StoreChange]) -> Result<Option<Prepared>, StoreError> {
        let mut chain = None;
        for change in changes {
            if let StoreChange::Own { member, .. } = change {
                if member.chain.len() > CHAIN_MAX {
                    return Err(StoreError::TooLarge("membership chain"));
                }
                chain = Some(&member.chain);
            }
        }
        let path = self.folder.join("chain");
        let prepare = |chain| Prepared::write(&path, chain);
        chain.map(|chain| prepare(chain)).transpose().map_err(|error| StoreError::io(&path, error))
    }

    fn prepare_listening(
        &self,
        synchronised: bool,
        addresses: Option<&[Address]>,
    ) -> Result<Prepared, StoreError> {
        // What cannot be read is not worth keeping: it is about to be replaced.
        let mut listening = read_listening(&self.folder).unwrap_or_default().unwrap_or_default();
        listening.synchronised |= synchronised;
        if let Some(addresses) = addresses {
            listening.addresses = addresses.iter().copied().take(ADDRESSES_MAX).collect();
        }
        let path = self.folder.join("listening");
        Prepared::write(&path, &encode_listening(&listening))
            .map_err(|error| StoreError::io(&path, error))
    }

    fn place(&self, prepared: Option<Prepared>) -> Result<(), StoreError> {
        match prepared {
            Some(file) => file.place().map_err(|error| StoreError::io(&self.folder, error)),
            None => Ok(()),
        }
    }

    /// Takes the addresses back when the group is given back: nobody listens on them any longer.
    fn fall_silent(&self) {
        if let Ok(Some(listening)) = read_listening(&self.folder)
            && !listening.addresses.is_empty()
        {
            let silent = Listening { addresses: Vec::new(), ..listening };
            // They are hints to an inviter: if the disk refuses, an invitation names an address that does not answer.
            let _ = write_private(&self.folder.join("listening"), &encode_listening(&silent));
        }
    }
}

fn has_membership(folder: &Path) -> Result<bool, StoreError> {
    let path = folder.join("chain");
    path.try_exists().map_err(|error| StoreError::io(&path, error))
}

fn read_listening(folder: &Path) -> Result<Option<Listening>, StoreError> {
    let path = folder.join("listening");
    match read_if_there(&path, 1_024)? {
        Some(bytes) => decode_listening(&bytes).map(Some).map_err(|_| StoreError::damaged(&path)),
        None => Ok(None),
    }
}

fn read_if_there(path: &Path, max: usize) -> Result<Option<Vec<u8>>, StoreError> {
    match read_private(path, max) {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(StoreError::damaged(path)),
        Err(error) => Err(StoreError::io(path, error)),
    }
}

fn name_of(group: &KeyId) -> String {
    group
        .0
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

fn group_from(name: &str) -> Option<KeyId> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut key = [0; 32];
    if name.len() != 64 {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(name.as_bytes().chunks(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(KeyId(key))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use p2p_core::Code;
    use redb::StorageBackend;

    use super::*;
    use crate::database::Backend;

    const GROUP: KeyId = KeyId([1; 32]);

    /// A disk that takes so many more bytes, then none.
    #[derive(Debug)]
    struct Full {
        disk: Box<dyn StorageBackend>,
        room: Arc<AtomicU64>,
    }

    impl Full {
        fn take(&self, bytes: u64) -> io::Result<()> {
            let taken = self
                .room
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| room.checked_sub(bytes));
            taken.map(|_| ()).map_err(|_| io::ErrorKind::StorageFull.into())
        }
    }

    impl StorageBackend for Full {
        fn len(&self) -> io::Result<u64> {
            self.disk.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.disk.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            let more = len.saturating_sub(self.disk.len()?);
            self.take(more)?;
            self.disk.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.disk.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.take(data.len() as u64)?;
            self.disk.write(offset, data)
        }

        fn close(&self) -> io::Result<()> {
            self.disk.close()
        }
    }

    fn store_with_room(folder: &Path, room: u64) -> (FileStore, Arc<AtomicU64>) {
        let room = Arc::new(AtomicU64::new(room));
        let (file, left) = (file_device(), Arc::clone(&room));
        let device: Device = Arc::new(move |path| {
            let Backend(disk) = file(path)?;
            Ok(Backend(Box::new(Full { disk, room: Arc::clone(&left) })))
        });
        (FileStore::with_device(folder.to_owned(), device), room)
    }

    fn addresses(peer: u8, port: u16) -> StoreChange {
        let addresses = vec![Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], port)))];
        StoreChange::Addresses { group: GROUP, peer: KeyId([peer; 32]), addresses }
    }

    #[test]
    fn a_full_disk_refuses_the_change_keeps_what_was_and_recovers() {
        let folder = tempfile::tempdir().unwrap();
        let (store, room) = store_with_room(folder.path(), 1 << 30);
        let lock = store.lock(&GROUP).unwrap();
        store.commit(&[addresses(1, 1), addresses(2, 1)]).unwrap();
        // Wherever in the transaction the room ends, the answer is the same and nothing has changed.
        for left in (0..).step_by(4_096) {
            room.store(left, Ordering::SeqCst);
            let result = store.commit(&[addresses(1, 2), addresses(2, 2), addresses(3, 2)]);
            room.store(1 << 30, Ordering::SeqCst);
            let ports: Vec<_> =
                store.load(&GROUP).unwrap().addresses.iter().map(|entry| entry.1[0].port).collect();
            match result {
                Err(error) => {
                    assert_eq!(
                        error.code(),
                        Code::PEER_E_DISK_FULL,
                        "{left} bytes left: {error:?}"
                    );
                    assert_eq!(ports, [1, 1], "{left} bytes left");
                }
                Ok(()) => {
                    assert!(left > 0, "the disk was full");
                    assert_eq!(ports, [2, 2, 2]);
                    break;
                }
            }
        }
        drop(lock);
        let anew = FileStore::new(folder.path());
        assert_eq!(anew.load(&GROUP).unwrap().addresses.len(), 3);
    }

    #[test]
    fn a_disk_full_from_the_start_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = store_with_room(folder.path(), 0);
        assert_eq!(store.load(&GROUP).unwrap_err().code(), Code::PEER_E_DISK_FULL);
        assert_eq!(store.commit(&[addresses(1, 1)]).unwrap_err().code(), Code::PEER_E_DISK_FULL);
    }

    #[test]
    fn a_group_is_given_back_though_a_child_process_still_has_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let lock = store.lock(&GROUP).unwrap();
        // What `fork` does: another descriptor of the same open file, which nobody here can close.
        let inherited =
            store.shared.open()[&GROUP].lock().unwrap()._lock.file().try_clone().unwrap();
        drop(lock);
        drop(FileStore::new(folder.path()).lock(&GROUP).unwrap());
        drop(inherited);
    }

    #[test]
    fn names_of_groups_are_read_back_and_others_are_not_groups() {
        let group = KeyId(std::array::from_fn(|index| index as u8 * 7));
        assert_eq!(group_from(&name_of(&group)), Some(group));
        for name in ["", "01", &"0G".repeat(32), &"AB".repeat(32), &"é".repeat(32)] {
            assert_eq!(group_from(name), None, "{name}");
        }
    }
}

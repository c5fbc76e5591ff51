//! A store of one's own: a journal to which every commit appends one record, and what it says in memory.
//!
//! A commit is durable when it returns, and whole or absent: a record that a crash cut short is cut off at the next
//! start. The journal of this example is never made shorter, and keeps no secrets: keys and passwords belong elsewhere.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use p2p_core::{Address, GroupSnapshot, KeyId, StoreChange};
use p2p_store::{GroupLock, GroupRecord, Listening, MemoryStore, Pending, Store, StoreError};

use crate::format::{next, record};

pub(crate) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    /// What the journal says.
    memory: MemoryStore,
    /// As if the disk were full.
    pub(crate) full: AtomicBool,
}

impl Journal {
    /// Opens or makes a journal, and replays it. What follows its last whole record is cut off.
    pub(crate) fn open(path: &Path) -> Result<Journal, StoreError> {
        let failed = |source| StoreError::Io { path: path.to_owned(), source };
        let log = match std::fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            other => other.map_err(failed)?,
        };
        let (memory, mut whole) = (MemoryStore::new(), 0);
        while let Some((changes, length)) = next(&log[whole..]) {
            memory.commit(&changes)?;
            whole += length;
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(false).open(path).map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let (path, full) = (path.to_owned(), AtomicBool::new(false));
        Ok(Journal { path, file: Mutex::new(file), memory, full })
    }

    /// Appends a record, or leaves the file as it was.
    fn append(&self, record: &[u8]) -> Result<(), StoreError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| StoreError::Io { path: self.path.clone(), source };
        let before = file.stream_position().map_err(failed)?;
        let result = match self.full.load(Ordering::SeqCst) {
            true => Err(ErrorKind::StorageFull.into()),
            false => file.write_all(record).and_then(|()| file.sync_data()),
        };
        result.or_else(|error: io::Error| {
            // Half a record in the middle would hide all that come after it.
            file.set_len(before)
                .and_then(|()| file.seek(SeekFrom::Start(before)))
                .map_err(failed)?;
            Err(failed(error))
        })
    }
}

impl Store for Journal {
    fn load(&self, group: &KeyId) -> Result<GroupSnapshot, StoreError> {
        self.memory.load(group)
    }

    /// First the disk, then the memory: what was answered with `Ok` is there after a crash.
    fn commit(&self, changes: &[StoreChange]) -> Result<(), StoreError> {
        let groups: BTreeSet<KeyId> = changes.iter().map(|change| *change.group()).collect();
        for group in groups {
            let of_group = |change: &&StoreChange| *change.group() == group;
            let some: Vec<StoreChange> = changes.iter().filter(of_group).cloned().collect();
            self.append(&record(&some))?;
            self.memory.commit(&some)?;
        }
        Ok(())
    }

    fn set_hints(
        &self,
        group: &KeyId,
        hints: &[(KeyId, Vec<Address>)],
        synchronised: bool,
    ) -> Result<(), StoreError> {
        let mut changes: Vec<StoreChange> = hints
            .iter()
            .map(|(peer, addresses)| StoreChange::Addresses {
                group: *group,
                peer: *peer,
                addresses: addresses.clone(),
            })
            .collect();
        if synchronised {
            changes.push(StoreChange::Synchronised { group: *group });
        }
        self.commit(&changes)
    }

    fn lock(&self, group: &KeyId) -> Result<GroupLock, StoreError> {
        self.memory.lock(group)
    }

    fn listening(&self, group: &KeyId) -> Result<Option<Listening>, StoreError> {
        self.memory.listening(group)
    }

    fn properties(&self, group: &KeyId) -> Result<Option<Bytes>, StoreError> {
        self.memory.properties(group)
    }

    fn remove(&self, _: &KeyId) -> Result<(), StoreError> {
        self.unsupported("groups are not forgotten")
    }

    fn save_group(&self, _: &KeyId, _: &GroupRecord) -> Result<(), StoreError> {
        self.unsupported("keys are kept elsewhere")
    }

    fn group(&self, _: &KeyId) -> Result<Option<GroupRecord>, StoreError> {
        Ok(None)
    }

    fn groups(&self) -> Result<Vec<(KeyId, GroupRecord)>, StoreError> {
        Ok(Vec::new())
    }

    fn save_pending(&self, _: &KeyId, _: &Pending) -> Result<(), StoreError> {
        self.unsupported("secrets are kept elsewhere")
    }

    fn pending(&self) -> Result<Vec<(KeyId, Pending)>, StoreError> {
        Ok(Vec::new())
    }
}

impl Journal {
    /// A promise that this store does not make, said aloud.
    fn unsupported(&self, why: &'static str) -> Result<(), StoreError> {
        let source = io::Error::new(ErrorKind::Unsupported, why);
        Err(StoreError::Io { path: self.path.clone(), source })
    }
}

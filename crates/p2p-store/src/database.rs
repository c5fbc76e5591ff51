//! The database of one group: a redb file.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `about` | `format`, `group`, `synchronised` | version u32; the group's key id; empty (its presence counts) |
//! | `members` | key id | member record |
//! | `addresses` | key id | address record |
//! | `objects` | object id | object record |
//!
//! Format 1 kept one membership of each member, without its path, and no objects. Such a file is brought up to date when
//! it is opened: its members are forgotten, to be met again, and their addresses are kept.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use p2p_core::{Address, GroupSnapshot, KeyId, StoreChange};
use redb::backends::FileBackend;
use redb::{
    ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend, TableDefinition,
};

use crate::codec::{
    Malformed, decode_addresses, decode_member, decode_object, encode_addresses, encode_member,
    encode_object,
};
use crate::secrets::private_options;
use crate::{MEMBERS_MAX, OBJECTS_MAX, StoreError};

type Table<'a> = redb::Table<'a, &'static [u8; 32], &'static [u8]>;

const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
const MEMBERS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("members");
const ADDRESSES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("addresses");
const OBJECTS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("objects");

const FORMAT: u32 = 2;
/// Those that can be read.
const FORMATS: [u32; 2] = [1, FORMAT];
/// Memory that redb may use per open group: a group's data is read once and then only written.
const CACHE: usize = 512 * 1024;

/// Gives a database its storage: the file, unless a test puts a failing device in its place.
pub(crate) type Device = Arc<dyn Fn(&Path) -> io::Result<Backend> + Send + Sync>;

/// Where the bytes of a database go.
#[derive(Debug)]
pub(crate) struct Backend(pub(crate) Box<dyn StorageBackend>);

/// The file itself, readable by the user only.
pub(crate) fn file_device() -> Device {
    Arc::new(|path| {
        let file = private_options().create(true).truncate(false).open(path)?;
        let backend =
            FileBackend::new(file).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Backend(Box::new(backend)))
    })
}

/// An open database. After a failed write it is good for nothing: open it again.
#[derive(Debug)]
pub(crate) struct Database {
    redb: redb::Database,
    path: PathBuf,
}

impl Database {
    /// Opens or creates the database of `group`.
    pub(crate) fn open(
        path: &Path,
        group: &KeyId,
        device: &Device,
    ) -> Result<Database, StoreError> {
        let fresh = fs::metadata(path).map_or(true, |meta| meta.len() == 0);
        let backend = device(path)
            .map_err(|source| StoreError::DatabaseAccess { path: path.to_owned(), source })?;
        let mut builder = redb::Database::builder();
        // A file that something else has altered is refused instead of believed.
        builder.set_cache_size(CACHE).set_check_integrity_on_open(!fresh);
        let redb = builder.create_with_backend(backend).map_err(|error| failure(path, error))?;
        let database = Database { redb, path: path.to_owned() };
        database.introduce(group)?;
        Ok(database)
    }

    /// Everything that is known.
    pub(crate) fn load(&self) -> Result<GroupSnapshot, StoreError> {
        self.read().map_err(|error| failure(&self.path, error))
    }

    /// Applies changes in one transaction. Neither listening nor the own chain is kept here.
    pub(crate) fn commit(&self, changes: &[&StoreChange]) -> Result<(), StoreError> {
        self.write(|tables| changes.iter().try_for_each(|change| tables.apply(change)))
    }

    /// Adds what an invitation says.
    pub(crate) fn hints(
        &self,
        hints: &[(KeyId, Vec<Address>)],
        synchronised: bool,
    ) -> Result<(), StoreError> {
        self.write(|tables| {
            if synchronised {
                tables.synchronise()?;
            }
            hints.iter().try_for_each(|(peer, list)| tables.set_addresses(peer, list))
        })
    }

    /// Checks whose database this is; an empty one becomes `group`'s.
    fn introduce(&self, group: &KeyId) -> Result<(), StoreError> {
        match self.identity().map_err(|error| failure(&self.path, error))? {
            None => self.write(|tables| {
                tables.about.insert("format", FORMAT.to_be_bytes().as_slice())?;
                tables.about.insert("group", group.0.as_slice())?;
                Ok(())
            }),
            Some(about) if !FORMATS.iter().any(|format| about.format == format.to_be_bytes()) => {
                let reason = "the format is newer than this program".to_owned();
                Err(StoreError::Database { path: self.path.clone(), reason })
            }
            Some(about) if about.group != group.0 => {
                Err(StoreError::ForeignDatabase { path: self.path.clone() })
            }
            Some(about) if about.format == FORMAT.to_be_bytes() => Ok(()),
            Some(_) => self.write(|tables| {
                tables.members.retain(|_, _| false)?;
                tables.about.insert("format", FORMAT.to_be_bytes().as_slice())?;
                Ok(())
            }),
        }
    }

    /// What an existing file says about itself; `None` in a new one.
    fn identity(&self) -> Result<Option<About>, Failure> {
        let transaction = self.redb.begin_read()?;
        let about = match transaction.open_table(ABOUT) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            other => other?,
        };
        let value = |key| -> Result<Vec<u8>, Failure> {
            Ok(about.get(key)?.map(|value| value.value().to_vec()).unwrap_or_default())
        };
        Ok(Some(About { format: value("format")?, group: value("group")? }))
    }

    fn read(&self) -> Result<GroupSnapshot, Failure> {
        let transaction = self.redb.begin_read()?;
        let synchronised = transaction.open_table(ABOUT)?.get("synchronised")?.is_some();
        let mut snapshot = GroupSnapshot { synchronised, ..GroupSnapshot::default() };
        for entry in transaction.open_table(ADDRESSES)?.iter()? {
            let (peer, record) = entry?;
            snapshot.addresses.push((KeyId(*peer.value()), decode_addresses(record.value())?));
        }
        for entry in transaction.open_table(MEMBERS)?.iter()? {
            let (key, record) = entry?;
            snapshot.members.extend(decode_member(KeyId(*key.value()), record.value())?);
        }
        for entry in transaction.open_table(OBJECTS)?.iter()? {
            let (_, record) = entry?;
            snapshot.objects.push(decode_object(record.value())?);
        }
        Ok(snapshot)
    }

    /// One transaction: durable when this returns `Ok`, undone otherwise.
    fn write(
        &self,
        change: impl FnOnce(&mut Tables<'_>) -> Result<(), Failure>,
    ) -> Result<(), StoreError> {
        let attempt = || -> Result<(), Failure> {
            let transaction = self.redb.begin_write()?;
            change(&mut Tables {
                about: transaction.open_table(ABOUT)?,
                members: transaction.open_table(MEMBERS)?,
                addresses: transaction.open_table(ADDRESSES)?,
                objects: transaction.open_table(OBJECTS)?,
            })?;
            transaction.commit()?;
            Ok(())
        };
        attempt().map_err(|error| failure(&self.path, error))
    }
}

/// The tables, open for writing.
struct Tables<'a> {
    about: redb::Table<'a, &'static str, &'static [u8]>,
    members: Table<'a>,
    addresses: Table<'a>,
    objects: Table<'a>,
}

impl Tables<'_> {
    fn apply(&mut self, change: &StoreChange) -> Result<(), Failure> {
        match change {
            StoreChange::Member { peer, memberships, .. } if memberships.is_empty() => {
                self.members.remove(&peer.0)?;
            }
            StoreChange::Member { peer, memberships, .. } => {
                let record = encode_member(memberships).map_err(Failure::Store)?;
                insert(&mut self.members, &peer.0, &record, MEMBERS_MAX, "members of a group")?;
            }
            StoreChange::Addresses { peer, addresses, .. } => {
                self.set_addresses(peer, addresses)?
            }
            StoreChange::Synchronised { .. } => self.synchronise()?,
            StoreChange::Object { id, kind, bytes, .. } => {
                let record = encode_object(*kind, bytes).map_err(Failure::Store)?;
                insert(&mut self.objects, &id.0, &record, OBJECTS_MAX, "objects of a group")?;
            }
            StoreChange::ObjectGone { id, .. } => drop(self.objects.remove(&id.0)?),
            StoreChange::Own { .. } | StoreChange::Listening { .. } => {}
        }
        Ok(())
    }

    fn synchronise(&mut self) -> Result<(), Failure> {
        self.about.insert("synchronised", [].as_slice())?;
        Ok(())
    }

    fn set_addresses(&mut self, peer: &KeyId, addresses: &[Address]) -> Result<(), Failure> {
        if addresses.is_empty() {
            self.addresses.remove(&peer.0)?;
        } else {
            self.addresses.insert(&peer.0, encode_addresses(addresses).as_slice())?;
        }
        Ok(())
    }
}

fn insert(
    table: &mut Table<'_>,
    key: &[u8; 32],
    record: &[u8],
    max: usize,
    what: &'static str,
) -> Result<(), Failure> {
    let known = table.insert(key, record)?.is_some();
    if !known && table.len()? > max as u64 {
        return Err(Failure::Store(StoreError::TooLarge(what)));
    }
    Ok(())
}

/// What a database says about itself.
struct About {
    format: Vec<u8>,
    group: Vec<u8>,
}

/// What may go wrong inside a transaction.
enum Failure {
    Store(StoreError),
    Malformed(Malformed),
    Redb(redb::Error),
}

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Failure {
        Failure::Malformed(error)
    }
}

macro_rules! from_redb {
    ($($error:ident)*) => { $(impl From<redb::$error> for Failure {
        fn from(error: redb::$error) -> Failure {
            Failure::Redb(error.into())
        }
    })* };
}
from_redb!(DatabaseError TransactionError TableError StorageError CommitError);

fn failure(path: &Path, error: impl Into<Failure>) -> StoreError {
    let path = path.to_owned();
    let unusable = |reason: &dyn Display| StoreError::Database {
        path: path.clone(),
        reason: reason.to_string(),
    };
    match error.into() {
        Failure::Store(error) => error,
        Failure::Malformed(error) => unusable(&format_args!("a record is malformed ({error:?})")),
        Failure::Redb(redb::Error::DatabaseAlreadyOpen) => StoreError::GroupInUse,
        // redb reports a file that is none of its own as invalid data, one that was cut as an unexpected end.
        Failure::Redb(redb::Error::Io(source))
            if matches!(
                source.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            unusable(&source)
        }
        Failure::Redb(redb::Error::Io(source)) => StoreError::DatabaseAccess { path, source },
        Failure::Redb(error) => unusable(&error),
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_format_1_keeps_its_addresses_and_meets_its_members_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("members.redb");
        let (group, peer) = (KeyId([1; 32]), KeyId([7; 32]));
        let address = Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 9)));
        let open = || Database::open(&path, &group, &file_device());
        let database = open().unwrap();
        database.hints(&[(peer, vec![address])], true).unwrap();
        database
            .write(|tables| {
                tables.members.insert(&peer.0, [1, 1, 2].as_slice())?;
                tables.about.insert("format", 1_u32.to_be_bytes().as_slice())?;
                Ok(())
            })
            .unwrap();
        drop(database);

        let snapshot = open().unwrap().load().unwrap();
        assert!(snapshot.synchronised && snapshot.members.is_empty());
        assert_eq!(snapshot.addresses, [(peer, vec![address])]);
        let about = open().unwrap().identity().unwrap_or_else(|_| panic!("it can be read"));
        assert_eq!(about.unwrap().format, FORMAT.to_be_bytes(), "once and for all");
    }

    #[test]
    fn a_newer_format_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("members.redb");
        let open = || Database::open(&path, &KeyId([1; 32]), &file_device());
        open()
            .unwrap()
            .write(|tables| {
                tables.about.insert("format", 3_u32.to_be_bytes().as_slice())?;
                Ok(())
            })
            .unwrap();
        let error = open().unwrap_err();
        assert_eq!(error.code(), p2p_core::Code::PEER_E_DBINITIALIZATION_FAILED);
    }
}

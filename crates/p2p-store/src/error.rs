//! What can go wrong with what is kept, and the code each failure has in `p2p.h`.

use std::io;
use std::path::{Path, PathBuf};

use p2p_core::{Code, Refusal};

/// Why something could not be stored or read. Unless a variant says otherwise, what was stored is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another node of this one, has the group open.
    #[error("the group is in use by another process or node")]
    GroupInUse,
    /// There is no such identity or group in this home.
    #[error("no such {what} in this home")]
    NotFound {
        /// `identity` or `group`.
        what: &'static str,
    },
    /// The identity, or the group that is to be imported, is already stored.
    #[error("it is already stored")]
    AlreadyExists,
    /// The home holds [`IDENTITIES_MAX`](crate::IDENTITIES_MAX) identities.
    #[error("the home is full: {} identities", crate::IDENTITIES_MAX)]
    TooManyIdentities,
    /// The identity still has groups, so it is not deleted.
    #[error("the identity still has groups")]
    GroupsExist,
    /// A bound of the store would be exceeded: [`MEMBERS_MAX`](crate::MEMBERS_MAX) or the size of a field.
    #[error("the store's limit is reached: {0}")]
    TooLarge(&'static str),
    /// No place for a home: neither `P2P_HOME` nor the platform's data directory is known.
    #[error("no folder for identities: set P2P_HOME")]
    NoHome,
    /// A private key may not be read or written, or is missing.
    #[error("no access to the key file {}", path.display())]
    KeyAccess {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A key, certificate, chain or listening file does not hold what it should.
    #[error("damaged file {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// The group's database cannot be opened or read: it is damaged or of an unknown version.
    #[error("the group's database is unusable: {reason} ({})", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The group's database belongs to another group.
    #[error("the database {} belongs to another group", path.display())]
    ForeignDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The group's database may not be opened.
    #[error("no access to the group's database {}", path.display())]
    DatabaseAccess {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system failed, for example because the disk is full.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl StoreError {
    /// The code that `p2p.h` has for it. Failures of the operating system are translated one by one; a full disk is
    /// `PEER_E_DISK_FULL` wherever it is met.
    pub fn code(&self) -> Code {
        match self {
            StoreError::GroupInUse => Code::PEER_E_GROUP_IN_USE,
            StoreError::NotFound { .. } => Code::PEER_E_NOT_FOUND,
            StoreError::AlreadyExists => Code::PEER_E_ALREADY_EXISTS,
            StoreError::TooManyIdentities => Code::PEER_E_TOO_MANY_IDENTITIES,
            StoreError::GroupsExist => Code::PEER_E_GROUPS_EXIST,
            StoreError::TooLarge(_) => Code::E_OUTOFMEMORY,
            StoreError::NoHome => Code::ERROR_PATH_NOT_FOUND,
            StoreError::Damaged { .. } => Code::PEER_E_CERT_STORE_CORRUPTED,
            StoreError::Database { .. } => Code::PEER_E_DBINITIALIZATION_FAILED,
            StoreError::ForeignDatabase { .. } => Code::PEER_E_INVALID_DATABASE,
            StoreError::KeyAccess { source, .. } => match io_code(source) {
                Code::E_ACCESSDENIED | Code::ERROR_FILE_NOT_FOUND => Code::PEER_E_NO_KEY_ACCESS,
                other => other,
            },
            StoreError::DatabaseAccess { source, .. } => match io_code(source) {
                Code::E_ACCESSDENIED
                | Code::ERROR_WRITE_PROTECT
                | Code::ERROR_SHARING_VIOLATION => Code::PEER_E_DATABASE_ACCESSDENIED,
                other => other,
            },
            StoreError::Io { source, .. } => io_code(source),
        }
    }

    /// The refusal behind the code, where keys or certificates are concerned.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            StoreError::Damaged { refusal, .. } => Some(*refusal),
            StoreError::KeyAccess { source, .. } => {
                let missing = source.kind() == io::ErrorKind::NotFound;
                let detail = if missing { Code::NTE_NO_KEY } else { Code::NTE_PERM };
                Some(Refusal { code: Code::CRYPT_E_NO_KEY_PROPERTY, detail })
            }
            _ => None,
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> StoreError {
        StoreError::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path) -> StoreError {
        let refusal = Refusal { code: Code::CRYPT_E_FILE_ERROR, detail: Code::CERT_E_MALFORMED };
        StoreError::Damaged { path: path.to_owned(), refusal }
    }
}

/// The code of a failure of the operating system.
fn io_code(error: &io::Error) -> Code {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => Code::ERROR_FILE_NOT_FOUND,
        Kind::NotADirectory => Code::ERROR_PATH_NOT_FOUND,
        Kind::PermissionDenied | Kind::IsADirectory => Code::E_ACCESSDENIED,
        Kind::AlreadyExists => Code::ERROR_FILE_EXISTS,
        // A process may be allowed less than the disk has.
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Code::PEER_E_DISK_FULL,
        Kind::ReadOnlyFilesystem => Code::ERROR_WRITE_PROTECT,
        Kind::InvalidFilename => Code::ERROR_FILENAME_EXCED_RANGE,
        Kind::ResourceBusy | Kind::WouldBlock => Code::ERROR_SHARING_VIOLATION,
        Kind::OutOfMemory => Code::E_OUTOFMEMORY,
        _ => match error.raw_os_error() {
            // EMFILE and ENFILE have no kind of their own; the numbers are the same on every Unix.
            Some(23 | 24) if cfg!(unix) => Code::E_OUTOFMEMORY,
            _ => Code::ERROR_IO_DEVICE,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_the_system_has_its_code() {
        let rows = [
            (io::ErrorKind::NotFound, Code::ERROR_FILE_NOT_FOUND),
            (io::ErrorKind::NotADirectory, Code::ERROR_PATH_NOT_FOUND),
            (io::ErrorKind::PermissionDenied, Code::E_ACCESSDENIED),
            (io::ErrorKind::IsADirectory, Code::E_ACCESSDENIED),
            (io::ErrorKind::AlreadyExists, Code::ERROR_FILE_EXISTS),
            (io::ErrorKind::StorageFull, Code::PEER_E_DISK_FULL),
            (io::ErrorKind::QuotaExceeded, Code::PEER_E_DISK_FULL),
            (io::ErrorKind::FileTooLarge, Code::PEER_E_DISK_FULL),
            (io::ErrorKind::ReadOnlyFilesystem, Code::ERROR_WRITE_PROTECT),
            (io::ErrorKind::InvalidFilename, Code::ERROR_FILENAME_EXCED_RANGE),
            (io::ErrorKind::ResourceBusy, Code::ERROR_SHARING_VIOLATION),
            (io::ErrorKind::WouldBlock, Code::ERROR_SHARING_VIOLATION),
            (io::ErrorKind::OutOfMemory, Code::E_OUTOFMEMORY),
            (io::ErrorKind::Other, Code::ERROR_IO_DEVICE),
        ];
        for (kind, code) in rows {
            assert_eq!(StoreError::io(Path::new("x"), kind.into()).code(), code, "{kind:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn too_many_open_files_is_a_lack_of_memory() {
        for number in [23, 24] {
            let error = StoreError::io(Path::new("x"), io::Error::from_raw_os_error(number));
            assert_eq!(error.code(), Code::E_OUTOFMEMORY);
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_says_whether_it_is_missing() {
        for (kind, detail) in [
            (io::ErrorKind::NotFound, Code::NTE_NO_KEY),
            (io::ErrorKind::PermissionDenied, Code::NTE_PERM),
        ] {
            let error = StoreError::KeyAccess { path: "key".into(), source: kind.into() };
            assert_eq!(error.code(), Code::PEER_E_NO_KEY_ACCESS);
            assert_eq!(
                error.refusal(),
                Some(Refusal { code: Code::CRYPT_E_NO_KEY_PROPERTY, detail })
            );
        }
        let full =
            StoreError::KeyAccess { path: "key".into(), source: io::ErrorKind::StorageFull.into() };
        assert_eq!(full.code(), Code::PEER_E_DISK_FULL);
    }
}

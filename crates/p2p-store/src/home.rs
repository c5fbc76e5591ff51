//! The folder of a user's identities.
//!
//! ```text
//! <home>/
//!   default                     40 hexadecimal digits: which identity is meant where none is named
//!   identities/<40 hexadecimal digits of the authority>/
//!     key                       the private key, PKCS#8 DER
//!     certificate               the identity certificate, DER
//!     run                       instance id of the node that runs, or ran last; locked while it runs
//!     groups/                   see FileStore
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use p2p_core::{Code, Refusal};
use p2p_crypto::{Identity, PeerName};

use crate::run::Run;
use crate::secrets::{
    create_folder, read_private, remove_if_there, sync_folder, unfinished, write_private,
};
use crate::{FileStore, IDENTITIES_MAX, SECRET_MAX, Store, StoreError};

/// A folder of identities: `P2P_HOME`, or a folder in the platform's data directory.
///
/// Any number of processes may use one home at a time.
///
/// ```
/// use p2p_core::FileTime;
/// use p2p_crypto::Identity;
/// use p2p_store::Home;
///
/// let folder = std::env::temp_dir().join(format!("p2p-home-{}", std::process::id()));
/// let home = Home::at(&folder);
/// let alice = Identity::create(None, Some("Alice"), FileTime::UNIX_EPOCH)?;
/// home.create(&alice)?;
/// home.set_default(alice.name())?;
/// assert_eq!(home.load(alice.name())?.friendly_name(), "Alice");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// The home in this folder, which is made when the first identity is.
    pub fn at(folder: impl Into<PathBuf>) -> Home {
        Home { folder: folder.into() }
    }

    /// `P2P_HOME`, else `p2p` in the platform's folder for data of local programs.
    ///
    /// # Errors
    /// [`NoHome`](StoreError::NoHome) if there is neither.
    pub fn default_path() -> Result<PathBuf, StoreError> {
        match std::env::var_os("P2P_HOME") {
            Some(folder) if !folder.is_empty() => Ok(folder.into()),
            _ => dirs::data_local_dir().map(|folder| folder.join("p2p")).ok_or(StoreError::NoHome),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Stores a new identity.
    ///
    /// # Errors
    /// [`AlreadyExists`](StoreError::AlreadyExists), [`TooManyIdentities`](StoreError::TooManyIdentities),
    /// [`KeyAccess`](StoreError::KeyAccess), or what the disk gives; then nothing is stored.
    pub fn create(&self, identity: &Identity) -> Result<(), StoreError> {
        let identities = self.identities();
        create_folder(&identities).map_err(|error| StoreError::io(&identities, error))?;
        let target = self.folder_of(identity.name());
        if target.try_exists().map_err(|error| StoreError::io(&target, error))? {
            return Err(StoreError::AlreadyExists);
        }
        if self.names()?.len() >= IDENTITIES_MAX {
            return Err(StoreError::TooManyIdentities);
        }
        // The whole folder appears by one rename, so there is never a certificate without its key.
        let temporary = unfinished(&target);
        let result = write_identity(&temporary, identity).and_then(|()| {
            match fs::rename(&temporary, &target) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
                    ) =>
                {
                    Err(StoreError::AlreadyExists)
                }
                other => other.map_err(|error| StoreError::io(&target, error)),
            }
        });
        if result.is_err() {
            // The first failure is the one to report; what is left has no name that anything looks for.
            let _ = fs::remove_dir_all(&temporary);
        }
        result.and_then(|()| {
            sync_folder(&identities).map_err(|error| StoreError::io(&identities, error))
        })
    }

    /// Replaces the certificate of a stored identity, for example by one with another friendly name.
    ///
    /// # Errors
    /// [`NotFound`](StoreError::NotFound) if the identity is not stored, or what the disk gives.
    pub fn update(&self, identity: &Identity) -> Result<(), StoreError> {
        let folder = self.existing(identity.name())?;
        let path = folder.join("certificate");
        write_private(&path, identity.certificate()).map_err(|error| StoreError::io(&path, error))
    }

    /// The identity of this name.
    ///
    /// # Errors
    /// [`NotFound`](StoreError::NotFound), [`KeyAccess`](StoreError::KeyAccess), or
    /// [`Damaged`](StoreError::Damaged) if key and certificate are not what was stored.
    pub fn load(&self, name: &PeerName) -> Result<Identity, StoreError> {
        let identity = read_identity(&self.existing(name)?)?;
        if identity.name() == name {
            Ok(identity)
        } else {
            Err(StoreError::NotFound { what: "identity" })
        }
    }

    /// All identities, by authority.
    ///
    /// # Errors
    /// As [`load`](Self::load); the first failure ends the list.
    pub fn list(&self) -> Result<Vec<Identity>, StoreError> {
        self.names()?.iter().map(|name| read_identity(&self.identities().join(name))).collect()
    }

    /// Deletes an identity with its key.
    ///
    /// # Errors
    /// [`GroupsExist`](StoreError::GroupsExist) while it has groups, [`NotFound`](StoreError::NotFound), or what the
    /// disk gives.
    pub fn delete(&self, name: &PeerName) -> Result<(), StoreError> {
        let folder = self.existing(name)?;
        let groups = FileStore::new(folder.join("groups"));
        if !groups.groups()?.is_empty() || !groups.pending()?.is_empty() {
            return Err(StoreError::GroupsExist);
        }
        if self.default_authority()?.as_deref() == Some(name.authority()) {
            let path = self.folder.join("default");
            remove_if_there(&path).map_err(|error| StoreError::io(&path, error))?;
        }
        // Renamed first: the identity is gone at once, however far the deletion of its files comes.
        let doomed = unfinished(&folder);
        fs::rename(&folder, &doomed).map_err(|error| StoreError::io(&folder, error))?;
        fs::remove_dir_all(&doomed).map_err(|error| StoreError::io(&doomed, error))
    }

    /// The identity that is meant where none is named; `None` if none was chosen.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn default_identity(&self) -> Result<Option<Identity>, StoreError> {
        let Some(authority) = self.default_authority()? else { return Ok(None) };
        let folder = self.identities().join(authority);
        if !folder.try_exists().map_err(|error| StoreError::io(&folder, error))? {
            return Ok(None);
        }
        read_identity(&folder).map(Some)
    }

    /// Chooses the identity that is meant where none is named.
    ///
    /// # Errors
    /// [`NotFound`](StoreError::NotFound), or what the disk gives.
    pub fn set_default(&self, name: &PeerName) -> Result<(), StoreError> {
        self.existing(name)?;
        let path = self.folder.join("default");
        write_private(&path, name.authority().as_bytes())
            .map_err(|error| StoreError::io(&path, error))
    }

    /// The store of an identity's groups.
    pub fn store(&self, identity: &Identity) -> FileStore {
        FileStore::new(self.folder_of(identity.name()).join("groups"))
    }

    /// Claims to be the running node of an identity; `None` while another process is, or if the identity is not kept
    /// in this home.
    ///
    /// # Errors
    /// What the disk gives.
    pub fn begin_run(&self, identity: &Identity) -> Result<Option<Run>, StoreError> {
        let folder = self.folder_of(identity.name());
        if folder.is_dir() { Run::begin(folder.join("run")) } else { Ok(None) }
    }

    fn identities(&self) -> PathBuf {
        self.folder.join("identities")
    }

    fn folder_of(&self, name: &PeerName) -> PathBuf {
        self.identities().join(name.authority())
    }

    fn existing(&self, name: &PeerName) -> Result<PathBuf, StoreError> {
        let folder = self.folder_of(name);
        match folder.try_exists().map_err(|error| StoreError::io(&folder, error))? {
            true => Ok(folder),
            false => Err(StoreError::NotFound { what: "identity" }),
        }
    }

    /// The folders of identities, sorted.
    fn names(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.identities();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| StoreError::io(&folder, error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::io(&folder, error))?;
            if let Some(name) = entry.file_name().to_str().filter(|name| is_authority(name)) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn default_authority(&self) -> Result<Option<String>, StoreError> {
        let path = self.folder.join("default");
        match read_private(&path, 64) {
            Ok(bytes) => match str::from_utf8(&bytes) {
                Ok(name) if is_authority(name.trim_end()) => Ok(Some(name.trim_end().to_owned())),
                _ => Err(StoreError::damaged(&path)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(StoreError::damaged(&path))
            }
            Err(error) => Err(StoreError::io(&path, error)),
        }
    }
}

fn is_authority(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn write_identity(folder: &Path, identity: &Identity) -> Result<(), StoreError> {
    create_folder(folder).map_err(|error| StoreError::io(folder, error))?;
    let key = folder.join("key");
    // A key that lives elsewhere cannot be written.
    let pkcs8 =
        identity.pkcs8().map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error));
    pkcs8
        .and_then(|pkcs8| write_private(&key, pkcs8))
        .map_err(|source| StoreError::KeyAccess { path: key, source })?;
    let certificate = folder.join("certificate");
    write_private(&certificate, identity.certificate())
        .map_err(|error| StoreError::io(&certificate, error))
}

fn read_identity(folder: &Path) -> Result<Identity, StoreError> {
    let key = folder.join("key");
    let pkcs8 = read_private(&key, SECRET_MAX).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => StoreError::damaged(&key),
        _ => StoreError::KeyAccess { path: key, source },
    })?;
    let path = folder.join("certificate");
    let certificate = match read_private(&path, SECRET_MAX) {
        Ok(bytes) => bytes,
        // The folder came and goes as a whole: a missing certificate is damage.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) =>
        {
            return Err(StoreError::damaged(&path));
        }
        Err(error) => return Err(StoreError::io(&path, error)),
    };
    Identity::from_parts(&pkcs8, &certificate).map_err(|refusal| {
        let refusal = Refusal { code: Code::CRYPT_E_FILE_ERROR, detail: refusal.detail };
        StoreError::Damaged { path: folder.to_owned(), refusal }
    })
}

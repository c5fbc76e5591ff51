//! Identities, and the folder that keeps them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use p2p_core::{KeyId, Member};
use p2p_crypto::{IdentityInfo, KeyKind, PeerName, inspect_chain};
use p2p_store::{FileStore, Store, StoreError};

use crate::clock::now;
use crate::error::{GroupError, IdentityError, InviteError};
use crate::invite::{self, InviteOptions};
use crate::opening::Standing;
use crate::password;

/// A key pair with a name: what a person or program is in all its groups.
///
/// An identity either belongs to a [`Home`], which keeps it and its groups on disk, or lives in memory. It is cheap to
/// clone; the private key is wiped with the last clone.
#[derive(Clone)]
pub struct Identity {
    keys: p2p_crypto::Identity,
    home: Option<Home>,
}

/// Names of an identity that is to be made, and what key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityOptions {
    /// The part of the peer name after the dot: 1 to 149 UTF-16 units without control characters.
    pub classifier: Option<String>,
    /// Name for people, at most 255 UTF-16 units; without one the peer name is shown.
    pub friendly_name: Option<String>,
    /// Kind of a new key; whoever brings a key has one already.
    pub key: KeyKind,
}

impl From<&str> for IdentityOptions {
    /// A friendly name, no classifier.
    fn from(friendly_name: &str) -> IdentityOptions {
        IdentityOptions {
            friendly_name: Some(friendly_name.to_owned()),
            ..IdentityOptions::default()
        }
    }
}

impl Identity {
    /// A new identity that is kept nowhere: it and its groups are gone with the process.
    ///
    /// ```
    /// let ann = p2p_group::Identity::in_memory("Ann")?;
    /// assert_eq!(ann.friendly_name(), "Ann");
    /// assert_eq!(ann.name().authority().len(), 40);
    /// # Ok::<(), p2p_group::IdentityError>(())
    /// ```
    ///
    /// # Errors
    /// For a name that is not allowed, and if the random generator fails.
    pub fn in_memory(options: impl Into<IdentityOptions>) -> Result<Identity, IdentityError> {
        let IdentityOptions { classifier, friendly_name, key } = options.into();
        let (classifier, friendly_name) = (classifier.as_deref(), friendly_name.as_deref());
        Ok(p2p_crypto::Identity::create_with(key, classifier, friendly_name, now())?.into())
    }

    /// An identity for a private key that was made elsewhere: PKCS#8 (RFC 5958). It is kept nowhere until
    /// [`Home::add_identity`]. The same key is the same identity to peers, whatever its names.
    ///
    /// # Errors
    /// For a name that is not allowed, and for what is no key of a kind that identities have, in this form.
    pub fn from_pkcs8(
        pkcs8: &[u8],
        options: impl Into<IdentityOptions>,
    ) -> Result<Identity, IdentityError> {
        let IdentityOptions { classifier, friendly_name, .. } = options.into();
        let (classifier, friendly_name) = (classifier.as_deref(), friendly_name.as_deref());
        Ok(p2p_crypto::Identity::from_pkcs8(pkcs8, classifier, friendly_name, now())?.into())
    }

    /// The same key under other names: a new certificate, kept nowhere until [`Home::add_identity`].
    ///
    /// # Errors
    /// For a name that is not allowed; if the key does not sign.
    pub fn with_names(
        &self,
        options: impl Into<IdentityOptions>,
    ) -> Result<Identity, IdentityError> {
        if let Ok(pkcs8) = self.keys.pkcs8() {
            return Identity::from_pkcs8(pkcs8, options);
        }
        // A key that lives elsewhere, where it signs.
        let IdentityOptions { classifier, friendly_name, .. } = options.into();
        let (classifier, friendly_name) = (classifier.as_deref(), friendly_name.as_deref());
        let source = self.keys.key_source();
        Ok(p2p_crypto::Identity::with_source(source, classifier, friendly_name, now())?.into())
    }

    /// The whole identity under a password, as text for another machine: key and names, no groups. Costs 64 MiB of
    /// memory and some tenths of a second, and blocks for as long.
    ///
    /// ```
    /// use p2p_group::Identity;
    /// let ann = Identity::in_memory("Ann")?;
    /// let text = ann.export("correct horse battery staple")?;
    /// assert_eq!(Identity::import(&text, "correct horse battery staple")?.key(), ann.key());
    /// assert!(Identity::import(&text, "another").is_err());
    /// # Ok::<(), p2p_group::IdentityError>(())
    /// ```
    ///
    /// # Errors
    /// `E_INVALIDARG` for an empty password or one of more than 1,024 bytes; `E_OUTOFMEMORY`.
    pub fn export(&self, password: &str) -> Result<String, IdentityError> {
        Ok(self.keys.export(password)?)
    }

    /// Reads what [`export`](Self::export) wrote. The identity is kept nowhere until [`Home::add_identity`]. Costs what
    /// the export says, at most 256 MiB.
    ///
    /// # Errors
    /// A refusal for another password or an export that was altered, which cannot be told apart;
    /// `PEER_E_UNSUPPORTED_VERSION`; `E_INVALIDARG` for an empty or too long password; `E_OUTOFMEMORY`.
    pub fn import(text: &str, password: &str) -> Result<Identity, IdentityError> {
        Ok(p2p_crypto::Identity::import(text, password)?.into())
    }

    /// The key: what peers prove to each other.
    pub fn key(&self) -> KeyId {
        self.keys.key_id()
    }

    /// The peer name: 40 digits of the key's hash, a dot, and the classifier.
    pub fn name(&self) -> &PeerName {
        self.keys.name()
    }

    /// The name for people.
    pub fn friendly_name(&self) -> &str {
        self.keys.friendly_name()
    }

    /// The public description, to be given to whoever is to invite this identity.
    pub fn info(&self) -> IdentityInfo {
        self.keys.info()
    }

    /// The public description as text; [`IdentityInfo::from_xml`] reads it.
    pub fn to_xml(&self) -> String {
        self.keys.to_xml()
    }

    /// The home that keeps it; `None` if it lives in memory.
    pub fn home(&self) -> Option<&Home> {
        self.home.as_ref()
    }

    pub(crate) fn keys(&self) -> &p2p_crypto::Identity {
        &self.keys
    }

    /// The public description as it is kept now: an identity may be renamed while its node runs.
    pub(crate) fn current_info(&self) -> Result<IdentityInfo, StoreError> {
        match &self.home {
            Some(home) => Ok(home.0.load(self.name())?.info()),
            None => Ok(self.info()),
        }
    }
}

impl From<p2p_crypto::Identity> for Identity {
    /// An identity that is kept nowhere by this crate.
    fn from(keys: p2p_crypto::Identity) -> Identity {
        Identity { keys, home: None }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(self.name()).finish()
    }
}

/// A folder of identities and their groups.
///
/// Any number of processes may use a home at the same time; one group of one identity is open in one process at a time.
/// Files with private keys are readable by their owner only. Every call blocks on the disk for as long as that takes.
///
/// ```
/// use p2p_group::Home;
///
/// # let folder = std::env::temp_dir().join(format!("p2p-doc-home-{}", std::process::id()));
/// let home = Home::at(&folder);
/// let ann = home.create_identity("Ann")?;
/// assert_eq!(home.default_identity()?.unwrap().key(), ann.key());
/// assert_eq!(home.identity(ann.name())?.friendly_name(), "Ann");
/// home.delete_identity(ann.name())?;
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), p2p_group::IdentityError>(())
/// ```
#[derive(Clone)]
pub struct Home(Arc<p2p_store::Home>);

impl Home {
    /// The home that the environment names: `P2P_HOME`, or else a folder in the platform's data directory.
    ///
    /// # Errors
    /// If the platform names no such directory.
    pub fn from_env() -> Result<Home, IdentityError> {
        Ok(Home::at(p2p_store::Home::default_path()?))
    }

    /// The home in this folder, which is made when the first identity is.
    pub fn at(folder: impl Into<PathBuf>) -> Home {
        Home(Arc::new(p2p_store::Home::at(folder)))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes and keeps a new identity. The first one becomes the default.
    ///
    /// # Errors
    /// For a name that is not allowed, a full home (1,024 identities), a default identity that is damaged, and what the
    /// disk gives; then nothing is stored.
    pub fn create_identity(
        &self,
        options: impl Into<IdentityOptions>,
    ) -> Result<Identity, IdentityError> {
        self.add_identity(&Identity::in_memory(options)?)
    }

    /// Keeps an identity that was made, imported or named elsewhere. The first one becomes the default.
    ///
    /// # Errors
    /// `PEER_E_ALREADY_EXISTS` if this home has an identity with that key, whatever its names; a full home (1,024
    /// identities), a default identity that is damaged, and what the disk gives. Then nothing is stored.
    pub fn add_identity(&self, identity: &Identity) -> Result<Identity, IdentityError> {
        let keys = identity.keys();
        let first = self.0.default_identity()?.is_none();
        self.0.create(keys)?;
        if first && let Err(error) = self.0.set_default(keys.name()) {
            if let Err(error) = self.0.delete(keys.name()) {
                tracing::warn!(%error, "an identity that could not become the default is still stored");
            }
            return Err(error.into());
        }
        Ok(self.own(keys.clone()))
    }

    /// Gives an identity another name for people (`None` or an empty one: its peer name). Its key, peer name and groups
    /// stay. Memberships that were issued to it keep the name they have.
    ///
    /// # Errors
    /// For a name that is not allowed; else as [`identity`](Self::identity). Then the name is what it was.
    pub fn rename_identity(
        &self,
        name: &PeerName,
        friendly_name: Option<&str>,
    ) -> Result<Identity, IdentityError> {
        let classifier = Some(name.classifier()).filter(|part| !part.is_empty());
        let renamed = self.identity(name)?.with_names(IdentityOptions {
            classifier: classifier.map(str::to_owned),
            friendly_name: friendly_name.map(str::to_owned),
            ..IdentityOptions::default()
        })?;
        self.0.update(renamed.keys())?;
        Ok(self.own(renamed.keys))
    }

    /// The identity with this name.
    ///
    /// # Errors
    /// `PEER_E_NOT_FOUND`, `PEER_E_NO_KEY_ACCESS`, or what the disk gives.
    pub fn identity(&self, name: &PeerName) -> Result<Identity, IdentityError> {
        Ok(self.own(self.0.load(name)?))
    }

    /// All identities.
    ///
    /// # Errors
    /// As [`identity`](Self::identity); the first failure ends the list.
    pub fn identities(&self) -> Result<Vec<Identity>, IdentityError> {
        Ok(self.0.list()?.into_iter().map(|keys| self.own(keys)).collect())
    }

    /// The identity that is meant where none is named.
    ///
    /// # Errors
    /// As [`identity`](Self::identity).
    pub fn default_identity(&self) -> Result<Option<Identity>, IdentityError> {
        Ok(self.0.default_identity()?.map(|keys| self.own(keys)))
    }

    /// Makes `name` the identity that is meant where none is named.
    ///
    /// # Errors
    /// As [`identity`](Self::identity).
    pub fn set_default_identity(&self, name: &PeerName) -> Result<(), IdentityError> {
        Ok(self.0.set_default(name)?)
    }

    /// Deletes an identity with its key. There is no way back: its memberships cannot be used by anybody any more.
    ///
    /// # Errors
    /// `PEER_E_GROUPS_EXIST` while it has groups, `PEER_E_NOT_FOUND`, or what the disk gives.
    pub fn delete_identity(&self, name: &PeerName) -> Result<(), IdentityError> {
        Ok(self.0.delete(name)?)
    }

    /// The groups of an identity, open or not, by key.
    ///
    /// # Errors
    /// As [`identity`](Self::identity); `PEER_E_CERT_STORE_CORRUPTED` for a membership that cannot be read.
    pub fn groups(&self, identity: &PeerName) -> Result<Vec<GroupInfo>, GroupError> {
        let keys = self.0.load(identity)?;
        groups(&self.0.store(&keys), &keys.info())
    }

    /// Deletes an identity's copy of a group: membership, keys and what is known of members. Other members are not
    /// touched. A group that is open in a [`Node`](crate::Node) of this process is deleted with
    /// [`Node::delete_group`](crate::Node::delete_group).
    ///
    /// # Errors
    /// [`GroupError::NotFound`]; [`GroupError::InUse`] while it is open anywhere; what the disk gives.
    pub fn delete_group(&self, identity: &PeerName, group: &PeerName) -> Result<(), GroupError> {
        let store = self.file_store(identity)?;
        let (key, _) = find(&store, group)?;
        let _claim = store.lock(&key)?;
        Ok(store.remove(&key)?)
    }

    /// Invites somebody into a group without opening it: also while another process has it open. The addresses in the
    /// invitation are those where that process listens and, if the group is open nowhere, those of the members known.
    ///
    /// # Errors
    /// [`InviteError`]; nothing is stored.
    pub fn invite(
        &self,
        identity: &PeerName,
        group: &PeerName,
        invitee: &IdentityInfo,
        options: InviteOptions,
    ) -> Result<p2p_crypto::Invitation, InviteError> {
        let identity = self.identity(identity)?;
        let store = self.store(&identity).map_err(GroupError::from)?;
        let (key, standing) = find(&store, group)?;
        let Standing::Member(chain) = standing else { return Err(InviteError::NotReady) };
        invite::from_store(&identity, &store, &key, &chain, invitee, options)
    }

    /// Invites whoever knows the group's password, without opening the group: also while another process has it open. The
    /// addresses in the invitation are those of [`invite`](Self::invite). Whether this member was revoked is not looked
    /// at: an invitation of one who was is of no use.
    ///
    /// # Errors
    /// As [`Group::invite_by_password`](crate::Group::invite_by_password); nothing is stored.
    pub fn invite_by_password(
        &self,
        identity: &PeerName,
        group: &PeerName,
    ) -> Result<p2p_crypto::PasswordInvitation, InviteError> {
        let identity = self.identity(identity)?;
        let store = self.store(&identity).map_err(GroupError::from)?;
        let (key, standing) = find(&store, group)?;
        let Standing::Member(chain) = standing else { return Err(InviteError::NotReady) };
        password::from_store(&identity, &store, &key, &chain)
    }

    /// Claims to be the running node of an identity; `None` if another process is.
    pub(crate) fn begin_run(
        &self,
        identity: &Identity,
    ) -> Result<Option<p2p_store::Run>, StoreError> {
        self.0.begin_run(identity.keys())
    }

    /// What this home keeps of an identity's groups.
    pub(crate) fn store(&self, identity: &Identity) -> Result<FileStore, StoreError> {
        Ok(self.0.store(&identity.keys))
    }

    fn file_store(&self, identity: &PeerName) -> Result<FileStore, StoreError> {
        Ok(self.0.store(&self.0.load(identity)?))
    }

    fn own(&self, keys: p2p_crypto::Identity) -> Identity {
        Identity { keys, home: Some(self.clone()) }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Home").field(&self.path()).finish()
    }
}

/// A group as it is listed: what the stored membership says, or the invitation by which it is to be gained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// The group's key.
    pub key: KeyId,
    /// Its peer name.
    pub name: PeerName,
    /// Its name for people.
    pub friendly_name: String,
    /// The identity's own membership in it; without roles and with an empty chain while it is still to be gained by a
    /// password.
    pub own: Arc<Member>,
}

/// All groups of a store.
pub(crate) fn groups(
    store: &dyn Store,
    identity: &IdentityInfo,
) -> Result<Vec<GroupInfo>, GroupError> {
    let mut groups = Vec::new();
    for (_, record) in store.groups()? {
        groups.push(Standing::Member(record.chain).describe(identity)?);
    }
    for (_, pending) in store.pending()? {
        groups.push(password::from_stored(&pending)?.describe(identity)?);
    }
    groups.sort_unstable_by_key(|info| info.key);
    Ok(groups)
}

/// The group with this name. Only records whose key fits the name are read further.
pub(crate) fn find(store: &dyn Store, name: &PeerName) -> Result<(KeyId, Standing), GroupError> {
    for (key, record) in store.groups()? {
        if key.authority() == name.authority_bytes() {
            let info = inspect_chain(&record.chain).map_err(GroupError::Damaged)?;
            if info.group_name == *name {
                return Ok((key, Standing::Member(record.chain)));
            }
        }
    }
    for (key, pending) in store.pending()? {
        if key.authority() == name.authority_bytes() {
            let standing = password::from_stored(&pending)?;
            if matches!(&standing, Standing::Pending(invitation, _) if invitation.group_name() == name)
            {
                return Ok((key, standing));
            }
        }
    }
    Err(GroupError::NotFound)
}

//! Carrying a group to the same identity on another machine.

use p2p_core::KeyId;
use p2p_crypto::GroupConfig;
use p2p_store::{GroupRecord, GroupRoot, Store, StoreError};
use zeroize::Zeroizing;

use crate::clock::now;
use crate::error::{AdminError, GroupError, IdentityError};
use crate::group::Group;
use crate::identity::{GroupInfo, Home, Identity};
use crate::node::Node;
use crate::opening::Standing;
use crate::password::aside;
use crate::sync::lock;

impl Group {
    /// What this identity has of the group, as text for the same identity on another machine: the membership, where
    /// members may be found, and the group's key where this home has it, under the password. [`Node::import_config`] and
    /// [`Home::import_config`] read it. The identity itself goes by [`Identity::export`]. Works offline; nothing changes.
    ///
    /// Without the group's key nothing in it is secret, and the password, which may be empty then, protects nothing. With
    /// it the text costs 64 MiB and some tenths of a second, on a thread that may block.
    ///
    /// ```
    /// use p2p_group::{Group, GroupOptions, Home, Node};
    ///
    /// # fn main() -> Result<(), p2p_group::Error> {
    /// # let folder = std::env::temp_dir().join(format!("p2p-doc-config-{}", std::process::id()));
    /// # let (one, two) = (Home::at(folder.join("one")), Home::at(folder.join("two")));
    /// let ann = one.create_identity("Ann")?;
    /// let group = Group::create(&Node::start(ann.clone())?, "Friends")?;
    /// let text = group.export_config_blocking("correct horse battery staple")?;
    ///
    /// two.add_identity(&ann)?;
    /// let (_, imported) = two.import_config(&text, "correct horse battery staple", false)?;
    /// assert_eq!((imported.key, &imported.name), (group.key(), group.name()));
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AdminError::Closed`]; [`AdminError::NotReady`] while the membership is still to be [gained by a
    /// password](Self::is_pending); [`AdminError::Crypto`]: `E_INVALIDARG` for a password of more than 1,024 bytes, and for
    /// an empty one where the group's key is here, `E_OUTOFMEMORY`; what the store gives, `PEER_E_NO_KEY_ACCESS` for a
    /// group's key that cannot be read.
    pub async fn export_config(&self, password: &str) -> Result<String, AdminError> {
        let (group, password) = (self.clone(), Zeroizing::new(password.to_owned()));
        let runtime = self.handle.instance.node.runtime.clone();
        let work = move || group.export_config_blocking(&password);
        aside(&runtime, work).await.unwrap_or(Err(AdminError::Group(GroupError::Stopped)))
    }

    /// As [`export_config`](Self::export_config), on this thread.
    ///
    /// # Errors
    /// As [`export_config`](Self::export_config).
    pub fn export_config_blocking(&self, password: &str) -> Result<String, AdminError> {
        let hints = self.hints()?;
        if self.is_pending() {
            return Err(AdminError::NotReady);
        }
        let config = GroupConfig::new(self.own().chain.clone(), self.root()?, &hints)?;
        Ok(config.export(password)?)
    }
}

impl Node {
    /// Takes in what [`Group::export_config`] wrote for this identity elsewhere: then [`Group::open`] opens the group. It
    /// is not synchronised before it meets a member, whoever made it. With `overwrite`, a group that is here gets the
    /// membership and the addresses of the configuration, and its key if that has it; the rest of what is known stays.
    ///
    /// Costs what the text says, usually 64 MiB and some tenths of a second where there is a key in it, at most 256 MiB; it
    /// is done on a thread that may block. Dropping the future may leave the group imported.
    ///
    /// # Errors
    /// [`GroupError::Crypto`]: `E_INVALIDARG` for what is no configuration, was altered, or has another password, and for a
    /// password of more than 1,024 bytes; `PEER_E_UNSUPPORTED_VERSION`; `PEER_E_INVALID_TIME_PERIOD`,
    /// `PEER_E_CHAIN_TOO_LONG`, `PEER_E_CIRCULAR_CHAIN_DETECTED` and `CRYPT_E_*` for the membership;
    /// `PEER_E_NO_KEY_ACCESS` for a key in it that cannot be read; `E_OUTOFMEMORY`. [`GroupError::OtherIdentity`];
    /// [`GroupError::InUse`] while the group is open anywhere; `PEER_E_ALREADY_EXISTS` if it is here and is not to be
    /// overwritten; what the store gives.
    pub async fn import_config(
        &self,
        text: &str,
        password: &str,
        overwrite: bool,
    ) -> Result<GroupInfo, GroupError> {
        let (node, text) = (self.clone(), text.to_owned());
        let password = Zeroizing::new(password.to_owned());
        let work = move || node.import_config_blocking(&text, &password, overwrite);
        aside(&self.shared.runtime, work).await.unwrap_or(Err(GroupError::Stopped))
    }

    /// As [`import_config`](Self::import_config), on this thread.
    ///
    /// # Errors
    /// As [`import_config`](Self::import_config).
    pub fn import_config_blocking(
        &self,
        text: &str,
        password: &str,
        overwrite: bool,
    ) -> Result<GroupInfo, GroupError> {
        let shared = &self.shared;
        shared.check_running()?;
        let config = GroupConfig::import(text, password, now())?;
        let _opening = lock(&shared.opening);
        shared.check_running()?;
        if shared.instance(&config.info().group).is_some() {
            return Err(GroupError::InUse);
        }
        keep(&*shared.store, &shared.identity, &config, overwrite)
    }
}

impl Home {
    /// [`Node::import_config`] for the identity that the configuration names, which need not run. Answers that identity
    /// and the group. Blocks for as long as that takes.
    ///
    /// # Errors
    /// As [`Node::import_config`]; [`GroupError::OtherIdentity`] if the identity is not in this home.
    pub fn import_config(
        &self,
        text: &str,
        password: &str,
        overwrite: bool,
    ) -> Result<(Identity, GroupInfo), GroupError> {
        let config = GroupConfig::import(text, password, now())?;
        let identity = self.identity(config.member()).map_err(|error| match error {
            IdentityError::Store(StoreError::NotFound { .. }) => GroupError::OtherIdentity,
            IdentityError::Store(error) => error.into(),
            IdentityError::Crypto(error) => error.into(),
        })?;
        let store = self.store(&identity)?;
        let info = keep(&store, &identity, &config, overwrite)?;
        Ok((identity, info))
    }
}

/// Keeps what a configuration has, the record last: a crash before it leaves no group where there was none.
fn keep(
    store: &dyn Store,
    identity: &Identity,
    config: &GroupConfig,
    overwrite: bool,
) -> Result<GroupInfo, GroupError> {
    let group = config.info().group;
    if config.info().member.key != identity.key() {
        return Err(GroupError::OtherIdentity);
    }
    let _claim = store.lock(&group)?;
    let known = store.group(&group)?;
    if known.is_some() && !overwrite {
        return Err(StoreError::AlreadyExists.into());
    }
    let synchronised = known.is_some() && store.load(&group)?.synchronised;
    let root = match config.root() {
        Some(root) => Some(GroupRoot {
            pkcs8: root.pkcs8()?.to_vec().into(),
            certificate: root.certificate().to_vec(),
        }),
        None => None,
    };
    let record = GroupRecord { chain: config.chain().clone(), root };
    let info = Standing::Member(record.chain.clone()).describe(&identity.current_info()?)?;
    let kept = store
        .set_hints(&group, config.hints(), synchronised)
        .and_then(|()| store.save_group(&group, &record));
    if kept.is_err() && known.is_none() {
        take_back(store, &group);
    }
    kept?;
    Ok(info)
}

/// A group's key does not stay behind without its group. What was joined by password and is pending does.
fn take_back(store: &dyn Store, group: &KeyId) {
    let pending = store.pending().is_ok_and(|all| all.iter().any(|(pending, _)| pending == group));
    if !pending && let Err(error) = store.remove(group) {
        tracing::warn!(%error, "what was stored of a group that could not be imported is still there");
    }
}

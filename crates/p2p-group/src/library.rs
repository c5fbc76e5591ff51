//! The identities of one home, started as they are needed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use p2p_core::{KeyId, Limits};
use p2p_crypto::{Invitation, PasswordInvitation, PeerName};
use p2p_store::StoreError;
use p2p_transport::Listen;

use crate::error::{Error, IdentityError};
use crate::group::Group;
use crate::identity::{Home, Identity};
use crate::lists::GroupOptions;
use crate::node::Node;
use crate::sync::lock;

/// All that a process does with one [`Home`], for programs that name identities and groups instead of holding nodes.
/// The C interface is one: there, a group is opened by the names of an identity and of a group.
///
/// An identity's [`Node`] is started when it is first needed and runs until [`shutdown_blocking`], or until the library
/// is dropped together with all that came from it. Handles of one group share it, however they were opened.
///
/// [`shutdown_blocking`]: Self::shutdown_blocking
///
/// ```
/// use p2p_group::{GroupOptions, Home, Library};
///
/// # fn main() -> Result<(), p2p_group::Error> {
/// # let folder = std::env::temp_dir().join(format!("p2p-doc-library-{}", std::process::id()));
/// let library = Library::new(Home::at(&folder));
/// library.home().create_identity("Ann")?;
/// let group = library.create(None, GroupOptions::from("Friends"))?;
/// let again = library.open(library.identity(None)?.name(), group.name())?;
/// group.close_blocking()?;
/// assert!(again.status().is_ok(), "the other handle is still open");
/// library.shutdown_blocking();
/// assert!(again.status().is_err());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(())
/// # }
/// ```
pub struct Library {
    home: Home,
    listen: Option<Listen>,
    limits: Limits,
    nodes: Mutex<BTreeMap<KeyId, Node>>,
}

impl Library {
    /// For this home; nodes listen where `P2P_LISTEN` says.
    pub fn new(home: Home) -> Library {
        Library { home, listen: None, limits: Limits::default(), nodes: Mutex::default() }
    }

    /// Nodes listen here, whatever `P2P_LISTEN` says.
    #[must_use]
    pub fn listen(mut self, listen: Listen) -> Library {
        self.listen = Some(listen);
        self
    }

    /// Nodes have these limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Library {
        self.limits = limits;
        self
    }

    /// The home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The identity with this name, or the default one.
    ///
    /// # Errors
    /// `PEER_E_NOT_FOUND` if there is none; what the disk gives.
    pub fn identity(&self, name: Option<&PeerName>) -> Result<Identity, IdentityError> {
        match name {
            Some(name) => self.home.identity(name),
            None => self
                .home
                .default_identity()?
                .ok_or(StoreError::NotFound { what: "default identity" }.into()),
        }
    }

    /// The running node of this identity, or of the default one; started if it does not run.
    ///
    /// # Errors
    /// `PEER_E_NOT_FOUND` for an unknown identity, and what starting gives.
    pub fn node(&self, identity: Option<&PeerName>) -> Result<Node, Error> {
        let identity = self.identity(identity)?;
        let mut nodes = lock(&self.nodes);
        if let Some(node) = nodes.get(&identity.key()) {
            return Ok(node.clone());
        }
        let key = identity.key();
        let mut builder = Node::builder(identity).limits(self.limits.clone());
        if let Some(listen) = &self.listen {
            builder = builder.listen(listen.clone());
        }
        let node = builder.start()?;
        nodes.insert(key, node.clone());
        Ok(node)
    }

    /// [`Group::create`] for this identity, or the default one.
    ///
    /// # Errors
    /// As [`node`](Self::node) and [`Group::create`].
    pub fn create(
        &self,
        identity: Option<&PeerName>,
        options: impl Into<GroupOptions>,
    ) -> Result<Group, Error> {
        Ok(Group::create(&self.node(identity)?, options)?)
    }

    /// [`Group::join`] for this identity, or the default one.
    ///
    /// # Errors
    /// As [`node`](Self::node) and [`Group::join`].
    pub fn join(
        &self,
        identity: Option<&PeerName>,
        invitation: &Invitation,
    ) -> Result<Group, Error> {
        Ok(Group::join(&self.node(identity)?, invitation)?)
    }

    /// [`Group::join_by_password_blocking`] for this identity, or the default one. Not on a thread that drives other tasks:
    /// it takes some tenths of a second.
    ///
    /// # Errors
    /// As [`node`](Self::node) and [`Group::join_by_password`].
    pub fn join_by_password_blocking(
        &self,
        identity: Option<&PeerName>,
        invitation: &PasswordInvitation,
        password: &str,
    ) -> Result<Group, Error> {
        let node = self.node(identity)?;
        Ok(Group::join_by_password_blocking(&node, invitation, password)?)
    }

    /// [`Group::open`] for this identity.
    ///
    /// # Errors
    /// As [`node`](Self::node) and [`Group::open`].
    pub fn open(&self, identity: &PeerName, group: &PeerName) -> Result<Group, Error> {
        Ok(Group::open(&self.node(Some(identity))?, group)?)
    }

    /// Deletes a group of this identity, or of the default one, open or not: see [`Node::delete_group_blocking`].
    ///
    /// # Errors
    /// As [`identity`](Self::identity) and [`Node::delete_group_blocking`].
    pub fn delete_blocking(
        &self,
        identity: Option<&PeerName>,
        group: &PeerName,
    ) -> Result<(), Error> {
        let identity = self.identity(identity)?;
        let node = lock(&self.nodes).get(&identity.key()).cloned();
        match node {
            Some(node) => node.delete_group_blocking(group)?,
            None => self.home.delete_group(identity.name(), group)?,
        }
        Ok(())
    }

    /// Deletes an identity; its node, which has no groups, is shut down.
    ///
    /// # Errors
    /// As [`Home::delete_identity`].
    pub fn delete_identity_blocking(&self, name: &PeerName) -> Result<(), IdentityError> {
        let identity = self.home.identity(name)?;
        self.home.delete_identity(name)?;
        let node = lock(&self.nodes).remove(&identity.key());
        if let Some(node) = node {
            node.shutdown_blocking();
        }
        Ok(())
    }

    /// Closes every group of every node as their last close would, all at the same time: takes at most the 5 s that
    /// closing groups have for delivering. Afterwards every handle answers that it is closed. The library may be used
    /// again. Do not call it on a thread that drives the nodes' runtime.
    pub fn shutdown_blocking(&self) {
        let nodes = std::mem::take(&mut *lock(&self.nodes));
        for node in nodes.values() {
            node.shared.stop();
        }
        for node in nodes.values() {
            node.shutdown_blocking();
        }
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("home", &self.home).finish_non_exhaustive()
    }
}

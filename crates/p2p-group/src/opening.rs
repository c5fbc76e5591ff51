//! How a group comes to be open in a node, and how it is deleted.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Code, FileTime, KeyId, Refusal};
use p2p_crypto::{
    GroupIdentity, IdentityInfo, Invitation, PasswordInvitation, PasswordSecret, PeerName,
    inspect_chain,
};
use p2p_store::{GroupLock, GroupRecord, GroupRoot};

use crate::clock::now;
use crate::error::GroupError;
use crate::group::Group;
use crate::identity::{GroupInfo, find, groups};
use crate::instance::Instance;
use crate::lists::GroupOptions;
use crate::node::{Node, Shared};
use crate::properties;
use crate::sync::lock;

impl Node {
    /// The groups of this identity, open or not, by key.
    ///
    /// # Errors
    /// What the store gives.
    pub fn groups(&self) -> Result<Vec<GroupInfo>, GroupError> {
        groups(&*self.shared.store, &self.shared.identity.current_info()?)
    }

    /// Deletes this identity's copy of a group: membership, keys and what is known of members. Every handle of it
    /// becomes invalid at once; connections are closed as by the last [`Group::close`], which takes at most 5 s. Other
    /// members are not touched.
    ///
    /// Dropping the future may leave the group offline and not deleted; call again.
    ///
    /// # Errors
    /// [`GroupError::NotFound`]; [`GroupError::InUse`] if another process has it open, or somebody opened it again
    /// while it was closing; what the store gives.
    pub async fn delete_group(&self, name: &PeerName) -> Result<(), GroupError> {
        if let Some(instance) = self.shared.close_for_deletion(name)? {
            instance.finished().await;
        }
        self.shared.delete(name)
    }

    /// As [`delete_group`](Self::delete_group), blocking this thread: for programs without tokio. Do not call it on a
    /// thread that drives the node's runtime.
    ///
    /// # Errors
    /// As [`delete_group`](Self::delete_group).
    pub fn delete_group_blocking(&self, name: &PeerName) -> Result<(), GroupError> {
        if let Some(instance) = self.shared.close_for_deletion(name)? {
            instance.finished_blocking();
        }
        self.shared.delete(name)
    }

    pub(crate) fn create_group(&self, options: &GroupOptions) -> Result<Group, GroupError> {
        let shared = &self.shared;
        let _opening = lock(&shared.opening);
        shared.check_running()?;
        let root = GroupIdentity::create(
            options.classifier.as_deref(),
            options.friendly_name.as_deref(),
            now(),
        )?;
        let creator = shared.identity.current_info()?;
        let chain = root.issue_creator(&creator, now())?;
        let group = root.key_id();
        let first = properties::first(&root, &creator, options)?;
        let claim = shared.store.lock(&group)?;
        let root = GroupRoot {
            pkcs8: root.pkcs8()?.to_vec().into(),
            certificate: root.certificate().to_vec(),
        };
        let record = GroupRecord { chain, root: Some(root) };
        // The record last: a crash before it leaves no group, and none that is not synchronised and can never be.
        let stored = shared
            .store
            .set_hints(&group, &[], true)
            .and_then(|()| shared.store.commit(&[first]))
            .and_then(|()| shared.store.save_group(&group, &record));
        let opened = stored
            .map_err(GroupError::from)
            .and_then(|()| shared.open(group, Standing::Member(record.chain), claim));
        if opened.is_err() {
            shared.roll_back(&group);
        }
        opened
    }

    pub(crate) fn join_group(&self, invitation: &Invitation) -> Result<Group, GroupError> {
        let shared = &self.shared;
        let _opening = lock(&shared.opening);
        shared.check_running()?;
        let group = invitation.group();
        let member = invitation.check_for(&shared.identity.key(), now())?;
        if shared.instance(&group).is_some() {
            return Err(GroupError::InUse);
        }
        let claim = shared.store.lock(&group)?;
        let known = shared.store.group(&group)?;
        // A membership that is stored stays if it is the younger one. Starts are whole seconds: of two that start
        // together the new one counts.
        let chain = match &known {
            Some(record) if starts(&record.chain)? > member.not_before => record.chain.clone(),
            _ => invitation.chain().clone(),
        };
        let record = GroupRecord { chain: chain.clone(), root: None };
        let stored = shared.store.save_group(&group, &record).and_then(|()| {
            let synchronised = known.is_some() && shared.store.load(&group)?.synchronised;
            shared.store.set_hints(&group, invitation.hints(), synchronised)
        });
        let opened = stored
            .map_err(GroupError::from)
            .and_then(|()| shared.open(group, Standing::Member(chain), claim));
        if opened.is_err() && known.is_none() {
            shared.roll_back(&group);
        }
        opened
    }

    pub(crate) fn open_group(&self, name: &PeerName) -> Result<Group, GroupError> {
        let shared = &self.shared;
        let _opening = lock(&shared.opening);
        shared.check_running()?;
        let (group, standing) = find(&*shared.store, name)?;
        match shared.instance(&group) {
            Some(instance) => Group::further(instance).ok_or(GroupError::InUse),
            None => {
                let claim = shared.store.lock(&group)?;
                shared.open(group, standing, claim)
            }
        }
    }
}

/// What an identity has in a group.
pub(crate) enum Standing {
    /// A membership: its chain.
    Member(Bytes),
    /// An invitation, and the password to go with it.
    Pending(Box<PasswordInvitation>, PasswordSecret),
}

impl Standing {
    pub(crate) fn describe(&self, identity: &IdentityInfo) -> Result<GroupInfo, GroupError> {
        let chain = match self {
            Standing::Member(chain) => chain,
            Standing::Pending(invitation, _) => {
                return Ok(GroupInfo {
                    key: invitation.group(),
                    name: invitation.group_name().clone(),
                    friendly_name: invitation.group_friendly_name().to_owned(),
                    own: Arc::new(invitation.candidate(identity)),
                });
            }
        };
        let info = inspect_chain(chain).map_err(GroupError::Damaged)?;
        Ok(GroupInfo {
            key: info.group,
            name: info.group_name,
            friendly_name: info.group_friendly_name,
            own: Arc::new(info.member),
        })
    }
}

/// When the membership of a stored chain starts.
fn starts(chain: &Bytes) -> Result<FileTime, GroupError> {
    Ok(inspect_chain(chain).map_err(GroupError::Damaged)?.member.not_before)
}

impl Shared {
    /// Opens a stored group in the node. Dates are not looked at: connecting says what is wrong with them.
    pub(crate) fn open(
        self: &Arc<Self>,
        group: KeyId,
        standing: Standing,
        claim: GroupLock,
    ) -> Result<Group, GroupError> {
        let info = standing.describe(&self.identity.current_info()?)?;
        if info.key != group || info.own.key != self.identity.key() {
            let refusal =
                Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH };
            return Err(GroupError::Damaged(refusal));
        }
        let snapshot = self.store.load(&group)?;
        let own = Arc::clone(&info.own);
        let instance = Instance::new(Arc::clone(self), info, &snapshot.members, claim);
        let instance = Arc::new(instance);
        let opened = self.driver.call(|node, now| {
            match standing {
                Standing::Member(chain) => node.authority_mut().insert(group, chain),
                Standing::Pending(_, secret) => node.authority_mut().insert_password(group, secret),
            }
            let key = node.open_group(group, own, snapshot, now)?;
            instance.set_key(key);
            self.hub.insert(key, Arc::clone(&instance));
            Ok(())
        });
        self.hub.settle();
        match opened {
            Ok(()) => {
                self.remember(Arc::clone(&instance));
                Ok(Group::first(instance))
            }
            Err(error) => {
                instance.finish();
                Err(match error {
                    p2p_core::Error::TooMany => GroupError::TooMany,
                    p2p_core::Error::NoMembership => GroupError::NotFound,
                    _ => GroupError::InUse,
                })
            }
        }
    }

    /// Takes back what was stored for a group that could not be opened.
    pub(crate) fn roll_back(&self, group: &KeyId) {
        if let Err(error) = self.store.remove(group) {
            tracing::warn!(%error, "what was stored of a group that could not be opened is still there");
        }
    }

    /// Closes all handles of a group; answers what is still closing.
    fn close_for_deletion(&self, name: &PeerName) -> Result<Option<Arc<Instance>>, GroupError> {
        let _opening = lock(&self.opening);
        self.check_running()?;
        let (group, _) = find(&*self.store, name)?;
        let instance = self.instance(&group);
        if let Some(instance) = &instance {
            instance.close_all();
        }
        Ok(instance)
    }

    fn delete(&self, name: &PeerName) -> Result<(), GroupError> {
        let _opening = lock(&self.opening);
        let (group, _) = find(&*self.store, name)?;
        if self.instance(&group).is_some() {
            return Err(GroupError::InUse);
        }
        let _claim = self.store.lock(&group)?;
        Ok(self.store.remove(&group)?)
    }
}

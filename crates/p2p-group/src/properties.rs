//! What the creator lays down for the group, and everybody in it may read.

use std::sync::Arc;

use p2p_core::{KeyId, Object, ObjectKind, Properties, StoreChange};
use p2p_crypto::{CryptoError, GroupIdentity, GroupProperties, IdentityInfo, verify_object};

use crate::error::{AdminError, GroupError};
use crate::group::Group;
use crate::lists::GroupOptions;
use crate::publishing::Signed;

/// How often properties are signed anew because somebody else was quicker: each time another call has been done.
const TRIES: u32 = 1_000;

impl Group {
    /// The group's properties, as its creator last signed them and as they are known here; also offline.
    ///
    /// # Errors
    /// [`AdminError::NotReady`] before the first exchange with a member.
    pub fn properties(&self) -> Result<GroupProperties, AdminError> {
        let properties = self.known_properties()?.ok_or(AdminError::NotReady)?;
        read(&self.key(), &properties).ok_or(AdminError::NotReady)
    }

    /// Replaces the group's properties by those of [`properties`](Self::properties) with changes: the version is counted
    /// up here, the creator cannot change. Resolves when they are on disk here; by then every subscription of this group
    /// for [`EventKind::Property`](crate::EventKind::Property) has the event. Everybody connected gets them at once.
    /// Works offline. Of several calls at a time each replaces what another has set, in some order; two of them may share
    /// an event.
    ///
    /// Dropping the future may leave them changed.
    ///
    /// # Errors
    /// [`AdminError::NotReady`]; [`AdminError::NotAuthorized`] for everybody but the creator, in the home in which it made
    /// the group; [`AdminError::Crypto`]: `PEER_E_INVALID_GROUP_PROPERTIES` also for another creator,
    /// `PEER_E_INVALID_FRIENDLY_NAME`, `PEER_E_INVALID_ROLE_PROPERTY`; what the store gives.
    pub async fn set_properties(&self, properties: &GroupProperties) -> Result<(), AdminError> {
        let mut tries = TRIES;
        loop {
            match self.publish(self.signed_properties(properties)?).await {
                Err(AdminError::Superseded) if tries > 0 => tries -= 1,
                outcome => return outcome,
            }
        }
    }

    /// As [`set_properties`](Self::set_properties), blocking this thread while the disk is written.
    ///
    /// # Errors
    /// As [`set_properties`](Self::set_properties).
    pub fn set_properties_blocking(&self, properties: &GroupProperties) -> Result<(), AdminError> {
        let mut tries = TRIES;
        loop {
            match self.publish_blocking(self.signed_properties(properties)?) {
                Err(AdminError::Superseded) if tries > 0 => tries -= 1,
                outcome => return outcome,
            }
        }
    }

    fn known_properties(&self) -> Result<Option<Arc<Properties>>, AdminError> {
        self.check_ready()?;
        Ok(self.ask(|node, key| node.properties(key))?)
    }

    fn signed_properties(&self, properties: &GroupProperties) -> Result<Vec<Signed>, AdminError> {
        let known = self.known_properties()?;
        let root = self.root()?.ok_or(AdminError::NotAuthorized)?;
        let own = &self.handle.instance.node.identity;
        if properties.creator != own.key() {
            let why = "the creator of a group does not change";
            return Err(CryptoError::Properties(why).into());
        }
        let version = known.map_or(1, |known| known.version.saturating_add(1));
        let properties = GroupProperties { version, ..properties.clone() };
        Ok(vec![(ObjectKind::Properties, root.sign_properties(&properties)?)])
    }
}

/// The properties as a program sees them; `None` for what this library would not have kept.
pub(crate) fn read(group: &KeyId, properties: &Properties) -> Option<GroupProperties> {
    GroupProperties::parse(group, &properties.bytes).ok()
}

/// The first properties of a new group, as its store is to keep them.
pub(crate) fn first(
    root: &GroupIdentity,
    creator: &IdentityInfo,
    options: &GroupOptions,
) -> Result<StoreChange, GroupError> {
    let group = root.key_id();
    let name = options.friendly_name.as_deref().unwrap_or_default();
    let mut properties = GroupProperties::new(name, creator.key, creator.name.clone());
    properties.comment = options.comment.clone();
    properties.flags = options.flags;
    properties.member_data_lifetime = options.member_data_lifetime;
    properties.presence_lifetime = options.presence_lifetime;
    if let Some(password) = &options.password {
        password.apply(&group, &mut properties)?;
    }
    let bytes = root.sign_properties(&properties)?;
    let object = verify_object(&group, ObjectKind::Properties, &bytes);
    let id = object.as_ref().map(Object::id).map_err(|refusal| GroupError::Damaged(*refusal))?;
    Ok(StoreChange::Object { group, id, kind: ObjectKind::Properties, bytes })
}

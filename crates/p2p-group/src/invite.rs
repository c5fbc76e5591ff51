//! Issuing invitations, from an open group or from what is stored.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId, Roles};
use p2p_crypto::{IdentityInfo, Invitation, IssueRequest, Schemes};
use p2p_store::{Store, StoreError};

use crate::clock::now;
use crate::error::{GroupError, InviteError};
use crate::identity::Identity;
use crate::password;

/// What an invitation grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InviteOptions {
    /// The roles; none means [`Roles::MEMBER`].
    pub roles: Roles,
    /// The end of the membership; `None`: that of the issuer's own.
    pub expires: Option<FileTime>,
}

impl InviteOptions {
    /// For these roles, as long as the issuer's own membership.
    pub fn roles(roles: Roles) -> InviteOptions {
        InviteOptions { roles, expires: None }
    }
}

/// Where members may be found, best first; at most 8 of each are written.
pub(crate) type Hints = Vec<(KeyId, Vec<Address>)>;

/// Signs an invitation for `invitee` below `chain`.
pub(crate) fn issue(
    identity: &Identity,
    chain: &Bytes,
    hints: &Hints,
    invitee: &IdentityInfo,
    options: InviteOptions,
) -> Result<Invitation, InviteError> {
    let roles = if options.roles.is_empty() { Roles::MEMBER } else { options.roles };
    let request =
        IssueRequest { subject: invitee, roles, expires: options.expires, hints, now: now() };
    Ok(Invitation::issue(identity.keys(), chain, &request)?)
}

/// The same from what is stored: works while another process has the group open.
pub(crate) fn from_store(
    identity: &Identity,
    store: &dyn Store,
    group: &KeyId,
    chain: &Bytes,
    invitee: &IdentityInfo,
    options: InviteOptions,
) -> Result<Invitation, InviteError> {
    let hints = stored_hints(identity, store, group)?;
    let properties = password::stored_properties(store, group)?;
    if properties.is_some_and(|known| !known.schemes.contains(Schemes::CERTIFICATE)) {
        return Err(InviteError::PasswordOnly);
    }
    issue(identity, chain, &hints, invitee, options)
}

/// Where members may be found, as far as that is stored.
///
/// # Errors
/// [`InviteError::NotReady`] if there was never an exchange with a member.
pub(crate) fn stored_hints(
    identity: &Identity,
    store: &dyn Store,
    group: &KeyId,
) -> Result<Hints, InviteError> {
    let mut said = store.listening(group).map_err(GroupError::from)?.unwrap_or_default();
    // Whoever has the group open keeps the list of members to itself; where it listens is enough.
    let known = match store.load(group) {
        // Nobody has it open: addresses that are still there were left behind by a process that was killed.
        Ok(snapshot) => {
            said.addresses.clear();
            snapshot
        }
        Err(StoreError::GroupInUse) => Default::default(),
        Err(error) => return Err(GroupError::from(error).into()),
    };
    if !said.synchronised && !known.synchronised {
        return Err(InviteError::NotReady);
    }
    Ok(hints(identity.key(), said.addresses, known.addresses))
}

/// The issuer first, then the others that have addresses.
pub(crate) fn hints(own: KeyId, addresses: Vec<Address>, others: Hints) -> Hints {
    let others = others.into_iter().filter(|(key, _)| *key != own);
    std::iter::once((own, addresses))
        .chain(others)
        .filter(|(_, addresses)| !addresses.is_empty())
        .collect()
}

/// The addresses of members as a hint list: one entry per member, in the order of the list.
pub(crate) fn hints_of(members: Vec<p2p_core::MemberInfo>) -> Hints {
    let mut hints: Hints = Vec::new();
    for info in members {
        let key = Arc::as_ref(&info.member).key;
        match hints.iter_mut().find(|(known, _)| *known == key) {
            Some((_, addresses)) => addresses.extend(info.addresses),
            None => hints.push((key, info.addresses)),
        }
    }
    hints
}

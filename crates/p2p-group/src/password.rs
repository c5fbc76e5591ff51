//! Joining by password, and inviting whoever knows it.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Address, Authority, Code, KeyId};
use p2p_crypto::{
    CryptoError, GroupProperties, PasswordInvitation, PasswordRequest, PasswordSecret,
    PasswordVerifier, Schemes,
};
use p2p_store::{Pending, Store};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::clock::now;
use crate::error::{AdminError, Closed, ConnectError, GroupError, InviteError};
use crate::group::{CONNECT_ADDRESSES_MAX, Group};
use crate::identity::Identity;
use crate::invite::Hints;
use crate::lists::GroupPassword;
use crate::node::Node;
use crate::opening::Standing;
use crate::sync::lock;

impl Group {
    /// Joins by the group's password: stretches it as the invitation says, stores that, and opens the group, offline.
    /// Whether the password is right shows when a member is met: [`connect`](Self::connect) gains the membership and goes
    /// online ([`GroupEvent::Renewed`](crate::GroupEvent::Renewed)), or fails with `PEER_E_NOT_AUTHORIZED`
    /// ([`GroupEvent::PasswordRejected`](crate::GroupEvent::PasswordRejected)). Until then [`is_pending`](Self::is_pending)
    /// is true, also after a restart, and [`open`](Self::open) opens the group.
    ///
    /// Joining again replaces the password, also while the group is open: the next attempt takes the new one. Where the new
    /// invitation says that members are, it looks from the group's next opening on. Whoever has a membership already gets a handle as [`open`](Self::open) gives it, and nothing else happens: `is_pending` is
    /// false then.
    ///
    /// What is stored is not the password, but as good as it for this one group. It is readable by this user only, and
    /// wiped when the membership has come.
    ///
    /// Stretching costs what the invitation says: usually 64 MiB and some tenths of a second, at most 256 MiB and 16
    /// passes; it is done on a thread that may block. Dropping the future may leave the group joined.
    ///
    /// # Errors
    /// [`GroupError::Crypto`]: `E_INVALIDARG` for an empty password or one of more than 1,024 bytes,
    /// `PEER_E_INVALID_TIME_PERIOD` if the membership of who invites is not valid now, `E_OUTOFMEMORY`;
    /// [`GroupError::InUse`] if another process has the group open, or it is still closing here; what the store gives.
    pub async fn join_by_password(
        node: &Node,
        invitation: &PasswordInvitation,
        password: &str,
    ) -> Result<Group, GroupError> {
        let (joining, invitation) = (node.clone(), invitation.clone());
        let password = Zeroizing::new(password.to_owned());
        let work = move || Group::join_by_password_blocking(&joining, &invitation, &password);
        aside(&node.shared.runtime, work).await.unwrap_or(Err(GroupError::Stopped))
    }

    /// As [`join_by_password`](Self::join_by_password), on this thread.
    ///
    /// # Errors
    /// As [`join_by_password`](Self::join_by_password).
    pub fn join_by_password_blocking(
        node: &Node,
        invitation: &PasswordInvitation,
        password: &str,
    ) -> Result<Group, GroupError> {
        invitation.check_at(now())?;
        let group = invitation.group();
        let secret = PasswordSecret::stretch(&group, password, invitation.parameters())?;
        node.join_group_by_password(invitation, secret)
    }

    /// Whether the membership is still to be gained by a password. Until then [`own`](Self::own) has no roles and no chain,
    /// and all that needs a membership answers that the group is not ready.
    pub fn is_pending(&self) -> bool {
        self.own().chain.is_empty()
    }

    /// Goes on after a wrong password, if a subscription that [waits for
    /// that](crate::Filter::hold_rejected_password) has held back the failure: connects anew, with the password that was
    /// given last ([`join_by_password`](Self::join_by_password)). If nothing is held back, nothing happens.
    ///
    /// # Errors
    /// [`ConnectError::Closed`].
    pub fn resume_password(&self) -> Result<(), ConnectError> {
        self.status()?;
        let held = lock(&self.handle.instance.attempt).release();
        match held {
            Some(addresses) => self.connect_to(&addresses).map(|_| ()),
            None => Ok(()),
        }
    }

    /// An invitation for whoever knows the group's password: it names the group, says how the password is stretched, and
    /// where this node listens and other members were last met. Nothing in it is secret. Connect first, or it holds no
    /// address of this node. Nothing is stored or sent.
    ///
    /// It serves until the password is changed or this membership ends.
    ///
    /// # Errors
    /// [`InviteError::NotReady`] before the first exchange with a member; [`InviteError::NoPassword`];
    /// [`InviteError::Revoked`]; [`InviteError::Crypto`]: `PEER_E_NOT_AUTHORIZED` if this member may not grant the role
    /// of the password, `PEER_E_INVALID_TIME_PERIOD`, `PEER_E_CHAIN_TOO_LONG`.
    pub fn invite_by_password(&self) -> Result<PasswordInvitation, InviteError> {
        if !self.synchronised()? {
            return Err(InviteError::NotReady);
        }
        let properties = match self.properties() {
            Ok(properties) => properties,
            Err(AdminError::Closed(closed)) => return Err(closed.into()),
            Err(_) => return Err(InviteError::NotReady),
        };
        let own = self.own();
        if self.is_revoked(&own)? {
            return Err(InviteError::Revoked);
        }
        issue(&self.handle.instance.node.identity, &own.chain, &properties, &self.hints()?)
    }

    /// Gives the group another password, or takes its password away (`None`). Invitations by a former password fail from
    /// then on as a wrong password does, with every member that has heard of the change; whoever is a member stays one.
    /// Only for the creator; else as [`set_properties`](Self::set_properties). A new password is stretched on a thread
    /// that may block.
    ///
    /// Dropping the future may leave the password changed.
    ///
    /// # Errors
    /// [`AdminError::Crypto`] with `PEER_E_PASSWORD_DOES_NOT_MEET_POLICY` or `PEER_E_INVALID_ROLE_PROPERTY`; else as
    /// [`set_properties`](Self::set_properties).
    pub async fn set_password(&self, password: Option<GroupPassword>) -> Result<(), AdminError> {
        let mut properties = self.properties()?;
        let group = self.key();
        let work = move || with_password(&group, &mut properties, password).map(|()| properties);
        let done = aside(&self.handle.instance.node.runtime, work).await;
        let properties = done.ok_or(Closed)??;
        self.set_properties(&properties).await
    }

    /// As [`set_password`](Self::set_password), on this thread.
    ///
    /// # Errors
    /// As [`set_password`](Self::set_password).
    pub fn set_password_blocking(&self, password: Option<GroupPassword>) -> Result<(), AdminError> {
        let mut properties = self.properties()?;
        with_password(&self.key(), &mut properties, password)?;
        self.set_properties_blocking(&properties)
    }
}

/// Does work that takes long on a thread that may block; `None` if the runtime ends first.
pub(crate) async fn aside<R: Send + 'static>(
    runtime: &Handle,
    work: impl FnOnce() -> R + Send + 'static,
) -> Option<R> {
    match runtime.spawn_blocking(work).await {
        Ok(result) => Some(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

fn with_password(
    group: &KeyId,
    properties: &mut GroupProperties,
    password: Option<GroupPassword>,
) -> Result<(), CryptoError> {
    match password {
        Some(password) => password.apply(group, properties),
        None => {
            properties.schemes = Schemes::CERTIFICATE;
            properties.password_role = None;
            properties.password_verifier = None;
            Ok(())
        }
    }
}

impl GroupPassword {
    /// Puts this password into properties of `group`, to be set by [`Group::set_properties`]: a verifier with a new salt,
    /// the role, the scheme. Stretches it, on this thread.
    ///
    /// # Errors
    /// `PEER_E_PASSWORD_DOES_NOT_MEET_POLICY`: fewer than 8 UTF-16 units, or all one character; `E_INVALIDARG` for more
    /// than 1,024 bytes; `E_OUTOFMEMORY`. Then `properties` are as they were. A role that cannot be shows when they are
    /// signed.
    pub fn apply(
        &self,
        group: &KeyId,
        properties: &mut GroupProperties,
    ) -> Result<(), CryptoError> {
        let verifier = PasswordVerifier::create(group, self.password())?;
        if self.role.contains(p2p_core::Roles::ADMIN) {
            tracing::warn!(group = %group, "whoever knows the group's password becomes an administrator");
        }
        properties.schemes = if self.only { Schemes::PASSWORD } else { Schemes::BOTH };
        properties.password_role = Some(self.role);
        properties.password_verifier = Some(Bytes::copy_from_slice(&verifier.to_bytes()));
        Ok(())
    }
}

/// Signs an invitation by the password that the group has.
fn issue(
    identity: &Identity,
    chain: &Bytes,
    properties: &GroupProperties,
    hints: &Hints,
) -> Result<PasswordInvitation, InviteError> {
    let (Some(role), Some(verifier)) = (properties.password_role, &properties.password_verifier)
    else {
        return Err(InviteError::NoPassword);
    };
    // What is no verifier is known to this version as no password.
    let verifier = PasswordVerifier::from_bytes(verifier).map_err(|_| InviteError::NoPassword)?;
    let request = PasswordRequest { parameters: verifier.parameters(), role, hints, now: now() };
    Ok(PasswordInvitation::issue(identity.keys(), chain, &request)?)
}

/// The same from what is stored: works while another process has the group open.
pub(crate) fn from_store(
    identity: &Identity,
    store: &dyn Store,
    group: &KeyId,
    chain: &Bytes,
) -> Result<PasswordInvitation, InviteError> {
    let hints = crate::invite::stored_hints(identity, store, group)?;
    let properties = stored_properties(store, group)?.ok_or(InviteError::NotReady)?;
    issue(identity, chain, &properties, &hints)
}

/// The group's properties as they are stored, for whoever does not have the group open.
pub(crate) fn stored_properties(
    store: &dyn Store,
    group: &KeyId,
) -> Result<Option<GroupProperties>, InviteError> {
    let properties = store.properties(group).map_err(GroupError::from)?;
    let parse = |bytes: Bytes| GroupProperties::parse(group, &bytes);
    let parsed = properties.map(parse).transpose();
    parsed.map_err(|refusal| InviteError::Group(GroupError::Damaged(refusal)))
}

/// What is kept of a membership that is still to be gained.
pub(crate) fn to_stored(invitation: &PasswordInvitation, secret: &PasswordSecret) -> Pending {
    Pending {
        invitation: invitation.as_xml().to_owned(),
        secret: Zeroizing::new(secret.as_bytes().to_vec()),
    }
}

/// Reads what [`to_stored`] made.
pub(crate) fn from_stored(pending: &Pending) -> Result<Standing, GroupError> {
    let invitation = stored_invitation(pending)?;
    let secret = <[u8; PasswordSecret::LEN]>::try_from(&pending.secret[..]);
    let secret = Zeroizing::new(secret.map_err(|_| damaged())?);
    Ok(Standing::Pending(Box::new(invitation), PasswordSecret::from_bytes(*secret)))
}

pub(crate) fn stored_invitation(pending: &Pending) -> Result<PasswordInvitation, GroupError> {
    let read = PasswordInvitation::parse(&pending.invitation);
    read.map_err(|error| error.refusal().map_or(damaged(), GroupError::Damaged))
}

fn damaged() -> GroupError {
    let refusal =
        p2p_core::Refusal { code: Code::CRYPT_E_FILE_ERROR, detail: Code::CRYPT_E_BAD_MSG };
    GroupError::Damaged(refusal)
}

impl Node {
    fn join_group_by_password(
        &self,
        invitation: &PasswordInvitation,
        secret: PasswordSecret,
    ) -> Result<Group, GroupError> {
        let shared = &self.shared;
        let _opening = lock(&shared.opening);
        shared.check_running()?;
        let group = invitation.group();
        let stored = to_stored(invitation, &secret);
        if let Some(instance) = shared.instance(&group) {
            let handle = Group::further(Arc::clone(&instance)).ok_or(GroupError::InUse)?;
            if handle.is_pending() {
                shared.store.set_hints(&group, invitation.hints(), false)?;
                shared.store.save_pending(&group, &stored)?;
                shared.driver.call(|node, _| {
                    // Unless the membership has come meanwhile.
                    if node.authority().awaits_password(&group) {
                        node.authority_mut().insert_password(group, secret);
                    }
                });
            }
            return Ok(handle);
        }
        let claim = shared.store.lock(&group)?;
        if let Some(record) = shared.store.group(&group)? {
            return shared.open(group, Standing::Member(record.chain), claim);
        }
        let known = shared.store.pending()?.iter().any(|(known, _)| *known == group);
        let kept = shared
            .store
            .set_hints(&group, invitation.hints(), false)
            .and_then(|()| shared.store.save_pending(&group, &stored));
        let standing = Standing::Pending(Box::new(invitation.clone()), secret);
        let opened =
            kept.map_err(GroupError::from).and_then(|()| shared.open(group, standing, claim));
        if opened.is_err() && !known {
            shared.roll_back(&group);
        }
        opened
    }
}

/// How the present attempt to join by password stands.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    running: bool,
    /// Addresses that were given for it.
    addresses: Vec<Address>,
    /// Who was the last to turn our password down.
    rejected: Option<(KeyId, Address)>,
    /// Counts the failures that were held back; `Some` while one is.
    held: Option<u64>,
    count: u64,
}

impl Attempt {
    /// A new attempt begins, or one goes on: what was held back is settled by its outcome.
    pub(crate) fn begin(&mut self, addresses: &[Address]) {
        self.held = None;
        if !std::mem::replace(&mut self.running, true) {
            self.addresses.clear();
        }
        let room = CONNECT_ADDRESSES_MAX.saturating_sub(self.addresses.len());
        self.addresses.extend(addresses.iter().take(room));
    }

    pub(crate) fn reject(&mut self, peer: KeyId, remote: Address) {
        self.rejected = Some((peer, remote));
    }

    /// There is a membership: whoever turned the password down before has no part in any later failure.
    pub(crate) fn admitted(&mut self) {
        self.rejected = None;
    }

    /// The attempt has failed: because of the password?
    pub(crate) fn fail(&mut self) -> Option<(KeyId, Address)> {
        self.running = false;
        self.rejected.take()
    }

    /// Holds the failure back; answers its number.
    pub(crate) fn hold(&mut self) -> u64 {
        self.count += 1;
        self.held = Some(self.count);
        self.count
    }

    /// Gives up what is held back under this number. Answers whether it still was.
    pub(crate) fn give_up(&mut self, number: u64) -> bool {
        self.held.take_if(|held| *held == number).is_some()
    }

    /// Lets go of what is held back, and answers with which addresses to try again.
    fn release(&mut self) -> Option<Vec<Address>> {
        self.held.take().map(|_| std::mem::take(&mut self.addresses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Filter, GroupEvent};
    use crate::lists::GroupOptions;

    fn node(name: &str) -> Node {
        let loopback = "[::1]:0".parse().unwrap();
        let identity = Identity::in_memory(name).unwrap();
        Node::builder(identity).listen_at([loopback]).start().unwrap()
    }

    #[test]
    fn a_failure_that_nobody_goes_on_from_is_given_out_once() {
        let ann = node("Ann");
        let password = GroupPassword::new("correct horse", p2p_core::Roles::MEMBER);
        let options = GroupOptions { password: Some(password), ..GroupOptions::from("Friends") };
        let invitation = Group::create(&ann, options).unwrap().invite_by_password().unwrap();
        let bob = Group::join_by_password_blocking(&node("Bob"), &invitation, "wrong").unwrap();
        let events = bob.subscribe(Filter::all()).unwrap();
        let instance = &bob.handle.instance;
        let (first, second) = {
            let mut attempt = lock(&instance.attempt);
            (attempt.hold(), attempt.hold())
        };
        instance.give_up(first);
        assert_eq!(events.try_recv(), None, "another one is held back meanwhile");
        instance.give_up(second);
        let reason = Code::PEER_E_NOT_AUTHORIZED;
        assert_eq!(events.try_recv(), Some(GroupEvent::ConnectionFailed { reason }));
        instance.give_up(second);
        assert_eq!(events.try_recv(), None);
    }

    #[test]
    fn a_new_attempt_forgets_the_former_ones_addresses_and_one_that_goes_on_does_not() {
        let address = |port| Address { ip: "2001:db8::1".parse().unwrap(), port, scope: 0 };
        let mut attempt = Attempt::default();
        attempt.begin(&[address(1)]);
        attempt.begin(&[address(2)]);
        attempt.begin(&[]);
        attempt.reject(KeyId([1; 32]), address(1));
        assert_eq!(attempt.fail(), Some((KeyId([1; 32]), address(1))));
        assert_eq!(attempt.release(), None, "nothing was held back");
        let number = attempt.hold();
        assert_eq!(attempt.release(), Some(vec![address(1), address(2)]));
        assert!(!attempt.give_up(number));
        attempt.begin(&[address(3)]);
        attempt.reject(KeyId([1; 32]), address(1));
        attempt.admitted();
        assert_eq!(attempt.fail(), None, "one of several did not know the password");
        attempt.hold();
        assert_eq!(attempt.release(), Some(vec![address(3)]));
    }
}

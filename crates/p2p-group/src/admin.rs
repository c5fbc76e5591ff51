//! What administrators do to memberships: take them back, cut them down, renew them.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Expect, FileTime, KeyId, Member, Object, ObjectKind, Reason, Revocation, Roles};
use p2p_crypto::{
    GroupIdentity, IdentityInfo, Invitation, MembershipRequest, RenewalRequest, RevocationRequest,
    issue_membership, renew, revoke, verify_object,
};

use crate::clock::now;
use crate::error::{AdminError, Closed, GroupError};
use crate::group::Group;
use crate::password::aside;
use crate::peer::Target;
use crate::publishing::Signed;

/// What a credential grants: see [`Group::issue_credentials`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CredentialOptions {
    /// The roles; none means those that the member has, and [`Roles::MEMBER`] for somebody new. A member takes over a
    /// membership that grants less than it has only when that is over.
    pub roles: Roles,
    /// The start, which must be later than that of the present membership; `None` for as early as possible.
    pub not_before: Option<FileTime>,
    /// The end; `None` for as long as the present membership was made for, and as long as the issuer's own for somebody
    /// new.
    pub expires: Option<FileTime>,
    /// Whether it is put into the group, where its subject finds it: at once if it is connected, else when it next
    /// connects, even if its present membership has ended meanwhile. Otherwise the invitation is to be handed over.
    pub store: bool,
}

impl Group {
    /// Takes a membership back, and with it all that were issued below it. `target` is a member by its key, name or
    /// description, or anybody at all by the key: who is revoked before it was met is refused when it comes.
    ///
    /// The creator revokes with the group's key, if this home has it; any other administrator with its own membership,
    /// which has no say over members that stand as high as itself or higher: no two administrators can revoke each other.
    /// Whoever was revoked never comes back with this key. Revoking once more changes nothing.
    ///
    /// Resolves when the revocation is on disk here. Everybody connected learns of it at once and ends its connections
    /// with the target ([`Cause::Revoked`](crate::Cause::Revoked)); whoever is away, when it next connects. Works offline.
    ///
    /// Dropping the future may leave the target revoked.
    ///
    /// # Errors
    /// [`AdminError::NotAuthorized`] for whoever is no administrator, and for a target that does not stand below this one
    /// in any of its memberships; [`AdminError::NotFound`] for a name that is not known here; [`AdminError::Argument`] for
    /// oneself, the group's own key, or a name that two members share; what the store gives.
    pub async fn revoke(
        &self,
        target: impl Into<Target>,
        reason: Reason,
    ) -> Result<(), AdminError> {
        let objects = self.revocation(&target.into(), reason)?;
        self.publish(objects).await
    }

    /// As [`revoke`](Self::revoke), blocking this thread while the disk is written.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke).
    pub fn revoke_blocking(
        &self,
        target: impl Into<Target>,
        reason: Reason,
    ) -> Result<(), AdminError> {
        self.publish_blocking(self.revocation(&target.into(), reason)?)
    }

    /// Leaves a member just `roles`: issues it a membership with these, then takes back each certificate of its that is
    /// known here and grants more. It keeps its connections with those who learn of both.
    ///
    /// Memberships that the member issued by a certificate that is taken back end with that: whom it invited as an
    /// administrator has to be invited anew, before or after.
    ///
    /// Dropping the future may leave the member with both memberships: call again.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke); [`AdminError::Argument`] if the member has no role beyond `roles`, or `roles` is
    /// empty; [`AdminError::Crypto`] for what cannot be issued. If it was the store, the member may have both memberships.
    pub async fn demote(&self, target: impl Into<Target>, roles: Roles) -> Result<(), AdminError> {
        let objects = self.demotion(&target.into(), roles)?;
        self.publish(objects).await
    }

    /// As [`demote`](Self::demote), blocking this thread while the disk is written.
    ///
    /// # Errors
    /// As [`demote`](Self::demote).
    pub fn demote_blocking(
        &self,
        target: impl Into<Target>,
        roles: Roles,
    ) -> Result<(), AdminError> {
        self.publish_blocking(self.demotion(&target.into(), roles)?)
    }

    /// Issues a membership to `subject`, a present member or somebody new, and answers an invitation with it: that joins
    /// where the group is not known, and [renews](Self::accept_renewal) where it is. What the subject had stays valid;
    /// only [`demote`](Self::demote) and [`revoke`](Self::revoke) take anything away.
    ///
    /// Resolves at once, or with [`store`](CredentialOptions::store) when it is on disk here; then everybody connected has
    /// it at once, the subject too.
    ///
    /// # Errors
    /// [`AdminError::NotReady`] before the first exchange with a member; [`AdminError::NotAuthorized`] for whoever is no
    /// administrator; [`AdminError::Subject`] if the description contradicts itself; [`AdminError::Revoked`];
    /// [`AdminError::Crypto`]: `PEER_E_INVALID_TIME_PERIOD`, also for a start that is not later than the present one's,
    /// `PEER_E_CHAIN_TOO_LONG`, `PEER_E_CIRCULAR_CHAIN_DETECTED`; what the store gives.
    pub async fn issue_credentials(
        &self,
        subject: &IdentityInfo,
        options: CredentialOptions,
    ) -> Result<Invitation, AdminError> {
        let (invitation, objects) = self.credential(subject, &options)?;
        self.publish(objects).await?;
        Ok(invitation)
    }

    /// As [`issue_credentials`](Self::issue_credentials), blocking this thread while the disk is written.
    ///
    /// # Errors
    /// As [`issue_credentials`](Self::issue_credentials).
    pub fn issue_credentials_blocking(
        &self,
        subject: &IdentityInfo,
        options: CredentialOptions,
    ) -> Result<Invitation, AdminError> {
        let (invitation, objects) = self.credential(subject, &options)?;
        self.publish_blocking(objects)?;
        Ok(invitation)
    }

    /// Renews the membership of a member that is known here, whether it is present or not, and whether its membership
    /// has ended or not: by default with the same roles, for as long as before. Else as
    /// [`issue_credentials`](Self::issue_credentials).
    ///
    /// # Errors
    /// [`AdminError::NotFound`] for a member that is not known here; else as
    /// [`issue_credentials`](Self::issue_credentials).
    pub async fn renew_credentials(
        &self,
        member: impl Into<Target>,
        options: CredentialOptions,
    ) -> Result<Invitation, AdminError> {
        let (invitation, objects) = self.renewal(&member.into(), &options)?;
        self.publish(objects).await?;
        Ok(invitation)
    }

    /// As [`renew_credentials`](Self::renew_credentials), blocking this thread while the disk is written.
    ///
    /// # Errors
    /// As [`renew_credentials`](Self::renew_credentials).
    pub fn renew_credentials_blocking(
        &self,
        member: impl Into<Target>,
        options: CredentialOptions,
    ) -> Result<Invitation, AdminError> {
        let (invitation, objects) = self.renewal(&member.into(), &options)?;
        self.publish_blocking(objects)?;
        Ok(invitation)
    }

    /// Takes over the membership of a further invitation for this group, if it starts later than the present one or
    /// that is no longer in force. [`Group::join`] does the same where the group is closed. Resolves when it is on disk.
    ///
    /// # Errors
    /// [`AdminError::Argument`] for another group's invitation; [`AdminError::Crypto`] as [`Group::join`]; what the store
    /// gives.
    pub async fn accept_renewal(&self, invitation: &Invitation) -> Result<(), AdminError> {
        let (group, given) = (self.clone(), invitation.clone());
        // Where members may be found goes to the disk at once.
        let work = move || group.renewed_by(&given);
        let objects = aside(&self.handle.instance.node.runtime, work).await.ok_or(Closed)??;
        unless_superseded(self.publish(objects).await)
    }

    /// As [`accept_renewal`](Self::accept_renewal), blocking this thread while the disk is written.
    ///
    /// # Errors
    /// As [`accept_renewal`](Self::accept_renewal).
    pub fn accept_renewal_blocking(&self, invitation: &Invitation) -> Result<(), AdminError> {
        unless_superseded(self.publish_blocking(self.renewed_by(invitation)?))
    }

    /// The revocations that are in force, those of the highest signers first.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn revocations(&self) -> Result<Vec<Arc<Revocation>>, Closed> {
        self.ask(|node, key| node.revocations(key))
    }

    /// What memberships somebody is known to have, the shallowest first: at most 4. None for whoever is not known here,
    /// and for whoever was revoked. In [`members`](Self::members) each member has all its roles together.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn memberships(&self, member: &KeyId) -> Result<Vec<Arc<Member>>, Closed> {
        self.ask(|node, key| node.memberships(key, member))
    }

    /// Refuses what may only be done with the whole group known.
    pub(crate) fn check_ready(&self) -> Result<(), AdminError> {
        if self.synchronised()? { Ok(()) } else { Err(AdminError::NotReady) }
    }

    /// The group's own key: only its creator has it.
    pub(crate) fn root(&self) -> Result<Option<GroupIdentity>, AdminError> {
        let record =
            self.handle.instance.node.store.group(&self.key()).map_err(GroupError::from)?;
        let Some(root) = record.and_then(|record| record.root) else { return Ok(None) };
        let root = GroupIdentity::from_parts(&root.pkcs8, &root.certificate);
        Ok(Some(root.map_err(GroupError::Damaged)?))
    }

    fn keys(&self) -> &p2p_crypto::Identity {
        self.handle.instance.node.identity.keys()
    }

    /// The key that is meant. Names of those who were revoked stay known.
    fn find(&self, target: &Target) -> Result<KeyId, AdminError> {
        if let Expect::Key(key) = target.expect() {
            return Ok(key);
        }
        let members = self.ask(|node, key| node.members(key))?;
        let members = members.iter().map(|info| info.member.key);
        let revoked = self.revocations()?;
        let mut found: Vec<KeyId> = members.chain(revoked.iter().map(|r| r.target)).collect();
        found.retain(|key| target.admits(key));
        found.sort_unstable();
        found.dedup();
        match found[..] {
            [] => Err(AdminError::NotFound),
            [key] => Ok(key),
            _ => Err(AdminError::Argument("two members have this name: say the key")),
        }
    }

    /// What is to be published to revoke `target`: nothing if it is revoked already.
    fn revocation(&self, target: &Target, reason: Reason) -> Result<Vec<Signed>, AdminError> {
        let target = self.find(target)?;
        let signer = Signer::of(self)?;
        signer.check_target(self, &target)?;
        let revoked = |r: &Arc<Revocation>| {
            r.target == target && r.serial.is_none() && r.depth() <= signer.depth
        };
        if self.revocations()?.iter().any(revoked) {
            return Ok(Vec::new());
        }
        let memberships = self.memberships(&target)?;
        if !memberships.is_empty() && !memberships.iter().any(|m| signer.stands_above(m)) {
            return Err(AdminError::NotAuthorized);
        }
        Ok(vec![signer.revoke(self, target, None, reason)?])
    }

    fn demotion(&self, target: &Target, roles: Roles) -> Result<Vec<Signed>, AdminError> {
        let target = self.find(target)?;
        let signer = Signer::of(self)?;
        signer.check_target(self, &target)?;
        let memberships = self.memberships(&target)?;
        let Some(latest) = memberships.iter().max_by_key(|m| m.not_before) else {
            return Err(AdminError::NotFound);
        };
        let excessive: Vec<_> =
            memberships.iter().filter(|m| !roles.contains(m.roles)).cloned().collect();
        if roles.is_empty() || excessive.is_empty() {
            return Err(AdminError::Argument(
                "the member has no role beyond these, or none is left",
            ));
        }
        if !excessive.iter().all(|m| signer.stands_above(m)) {
            return Err(AdminError::NotAuthorized);
        }
        let end = memberships.iter().map(|m| m.not_after).max().unwrap_or(latest.not_after);
        let request = RenewalRequest {
            roles: Some(roles),
            not_before: None,
            expires: Some(end.min(signer.own.not_after)),
            now: now(),
        };
        let chain = renew(self.keys(), &signer.own.chain, &latest.chain, &request)?;
        // First what the member is to have: it is not without in between.
        let mut objects = vec![(ObjectKind::Credential, chain)];
        for member in excessive {
            let serial = member.path.last().map(|step| step.serial);
            objects.push(signer.revoke(self, target, serial, Reason::PrivilegeWithdrawn)?);
        }
        Ok(objects)
    }

    fn credential(
        &self,
        subject: &IdentityInfo,
        options: &CredentialOptions,
    ) -> Result<(Invitation, Vec<Signed>), AdminError> {
        let own = self.administrator()?;
        if !subject.name.is_of(&subject.key) {
            return Err(AdminError::Subject);
        }
        let present = self.memberships(&subject.key)?;
        let latest = present.iter().max_by_key(|m| m.not_before);
        let now = now();
        let (roles, not_before, expires) = match latest {
            Some(latest) => {
                let next = latest.not_before.plus_seconds(1);
                let not_before =
                    options.not_before.unwrap_or_else(|| earliest(&own, now).max(next));
                if not_before < next {
                    return Err(AdminError::Start);
                }
                (roles_of(&present), Some(not_before), same_length(latest, not_before, &own))
            }
            None if options.roles.is_empty() => (Roles::MEMBER, options.not_before, own.not_after),
            None => (Roles::empty(), options.not_before, own.not_after),
        };
        let request = MembershipRequest {
            subject,
            roles: raised(options.roles, roles),
            not_before,
            expires: Some(options.expires.unwrap_or(expires)),
            now,
        };
        let chain = issue_membership(self.keys(), &own.chain, &request)?;
        self.hand_over(chain, options)
    }

    fn renewal(
        &self,
        member: &Target,
        options: &CredentialOptions,
    ) -> Result<(Invitation, Vec<Signed>), AdminError> {
        let own = self.administrator()?;
        let memberships = self.memberships(&self.find(member)?)?;
        let Some(latest) = memberships.iter().max_by_key(|m| m.not_before) else {
            return Err(AdminError::NotFound);
        };
        let roles = roles_of(&memberships);
        let request = RenewalRequest {
            roles: Some(raised(options.roles, roles)),
            not_before: options.not_before,
            expires: options.expires,
            now: now(),
        };
        let chain = renew(self.keys(), &own.chain, &latest.chain, &request)?;
        self.hand_over(chain, options)
    }

    /// One's own membership, if one may issue credentials by it.
    fn administrator(&self) -> Result<Arc<Member>, AdminError> {
        self.check_ready()?;
        let own = self.own();
        let may = own.roles.contains(Roles::ADMIN) && !self.is_revoked(&own)?;
        if may { Ok(own) } else { Err(AdminError::NotAuthorized) }
    }

    pub(crate) fn is_revoked(&self, member: &Member) -> Result<bool, Closed> {
        Ok(self.revocations()?.iter().any(|r| r.covers(&member.path)))
    }

    /// The invitation, and what is to be published.
    fn hand_over(
        &self,
        chain: Bytes,
        options: &CredentialOptions,
    ) -> Result<(Invitation, Vec<Signed>), AdminError> {
        let issued = verify_object(&self.key(), ObjectKind::Credential, &chain)
            .map_err(AdminError::Refused)?;
        if let Object::Credential(credential) = issued
            && self.is_revoked(&credential.member)?
        {
            return Err(AdminError::Revoked);
        }
        let invitation = Invitation::for_membership(self.keys(), &chain, &self.hints()?)?;
        let objects = if options.store { vec![(ObjectKind::Credential, chain)] } else { vec![] };
        Ok((invitation, objects))
    }

    /// A further invitation for oneself, as an object.
    fn renewed_by(&self, invitation: &Invitation) -> Result<Vec<Signed>, AdminError> {
        if invitation.group() != self.key() {
            return Err(AdminError::Argument("the invitation is for another group"));
        }
        let shared = &self.handle.instance.node;
        invitation.check_for(&shared.identity.key(), now())?;
        let hinted = shared.store.set_hints(&self.key(), invitation.hints(), false);
        hinted.map_err(GroupError::from)?;
        Ok(vec![(ObjectKind::Credential, invitation.chain().clone())])
    }
}

/// The group has something later already: then that is the membership.
fn unless_superseded(result: Result<(), AdminError>) -> Result<(), AdminError> {
    match result {
        Err(AdminError::Superseded) => Ok(()),
        other => other,
    }
}

/// What all memberships grant together.
fn roles_of(memberships: &[Arc<Member>]) -> Roles {
    memberships.iter().fold(Roles::empty(), |roles, member| roles.with(member.roles))
}

/// The roles to grant to whoever has `present`, if `wanted` are asked for. A higher role comes with those that are there:
/// nobody takes over a membership that lacks a role it has.
fn raised(wanted: Roles, present: Roles) -> Roles {
    if wanted.is_empty() || wanted.grantable().contains(present) {
        wanted.with(present)
    } else {
        wanted
    }
}

/// The earliest start that is usual: clocks differ by ten minutes.
fn earliest(own: &Member, now: FileTime) -> FileTime {
    now.minus_seconds(CLOCK_SKEW).max(own.not_before)
}

/// The end of a membership that lasts as long as `present` was made for, but not longer than `own`.
fn same_length(present: &Member, start: FileTime, own: &Member) -> FileTime {
    if present.not_after == FileTime::NO_END {
        return own.not_after;
    }
    let length = present.not_after.0.saturating_sub(present.not_before.0);
    FileTime(start.0.saturating_add(length)).min(own.not_after)
}

/// What clocks may differ, in seconds.
const CLOCK_SKEW: u64 = 600;

/// By what right this identity revokes: with the group's own key, or as an administrator.
struct Signer {
    root: Option<GroupIdentity>,
    own: Arc<Member>,
    /// Position in the chain: 0 for the group's own key.
    depth: usize,
}

impl Signer {
    fn of(group: &Group) -> Result<Signer, AdminError> {
        let (root, own) = (group.root()?, group.own());
        let may = own.roles.contains(Roles::ADMIN) && !group.is_revoked(&own)?;
        match root {
            Some(_) => Ok(Signer { root, own, depth: 0 }),
            None if may => Ok(Signer { root, depth: usize::from(own.depth), own }),
            None => Err(AdminError::NotAuthorized),
        }
    }

    fn check_target(&self, group: &Group, target: &KeyId) -> Result<(), AdminError> {
        if *target == self.own.key {
            return Err(AdminError::Argument("nobody takes back its own membership"));
        }
        if *target == group.key() {
            return Err(AdminError::Argument("the group's own key has no membership"));
        }
        Ok(())
    }

    /// Whether a revocation by this signer counts against the holder of this membership.
    fn stands_above(&self, member: &Member) -> bool {
        member.path.iter().skip(self.depth).any(|step| step.key == member.key)
    }

    fn revoke(
        &self,
        group: &Group,
        target: KeyId,
        serial: Option<[u8; 16]>,
        reason: Reason,
    ) -> Result<Signed, AdminError> {
        let request = RevocationRequest { target, serial, reason, now: now() };
        let bytes = match &self.root {
            Some(root) => root.revoke(&request)?,
            None => revoke(group.keys(), &self.own.chain, &request)?,
        };
        Ok((ObjectKind::Revocation, bytes))
    }
}

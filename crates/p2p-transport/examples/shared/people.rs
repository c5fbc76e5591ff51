//! Who is who in these examples: a group, its founder, and a guest whom the founder has invited.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use p2p_core::{FileTime, Guid, KeyId, Member, Roles};
use p2p_crypto::{GroupIdentity, Identity, Invitation, IssueRequest, Keyring, verify_chain};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The type of these examples' messages: the application's to choose.
pub(crate) const KIND: Guid = Guid::from_u128(0x8a2f_0c5e_6f0b_4d53_9a3e_51c8_30d4_17b2);
/// Nothing on one machine takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A member, with all it takes to prove that.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) group: KeyId,
    pub(crate) chain: Bytes,
}

/// A group's founder and his guest.
pub(crate) fn people() -> Outcome<[Person; 2]> {
    let now = wall();
    let group = GroupIdentity::create(Some("examples"), None, now)?;
    let founder = Identity::create(None, Some("Founder"), now)?;
    let chain = group.issue_creator(&founder.info(), now)?;
    let guest = Identity::create(None, Some("Guest"), now)?;
    let (subject, roles) = (&guest.info(), Roles::MEMBER);
    let request = IssueRequest { subject, roles, expires: None, hints: &[], now };
    let invitation = Invitation::issue(&founder, &chain, &request)?;
    let group = group.key_id();
    let guests = invitation.chain().clone();
    Ok([
        Person { identity: founder, group, chain },
        Person { identity: guest, group, chain: guests },
    ])
}

impl Person {
    pub(crate) fn key(&self) -> KeyId {
        self.identity.key_id()
    }

    /// The node's authority: certificates.
    pub(crate) fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::new(self.identity.clone());
        keyring.insert(self.group, self.chain.clone());
        keyring
    }

    /// The own membership, as `open_group` wants it.
    pub(crate) fn own(&self) -> Outcome<Arc<Member>> {
        Ok(Arc::new(verify_chain(&self.group, &self.chain, &self.key(), &wall())?))
    }
}

/// The time of day.
pub(crate) fn wall() -> FileTime {
    let unix = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    FileTime::from_unix(i64::try_from(unix).unwrap_or(i64::MAX))
}

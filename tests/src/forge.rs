//! A group whose keys the test holds, so that it can issue what nobody should, at any date.

use std::path::PathBuf;

use bytes::Bytes;
use p2p_core::{FileTime, KeyId, Roles};
use p2p_crypto::{GroupIdentity, Identity, IdentityInfo, Invitation, IssueRequest};
use p2p_group::{Address, Group, Home, Limits};
use p2p_store::{GroupRecord, Store};

use crate::world::{End, start, within};

/// One day in seconds.
pub const DAY: u64 = 24 * 3_600;

/// The creator of a group that began a year ago, and its keys.
pub struct Forge {
    home: PathBuf,
    creator: Identity,
    group: GroupIdentity,
    chain: Bytes,
}

impl Forge {
    /// A group that began a year ago, stored in the folder `home` as if it had been used there ever since.
    pub fn new(home: impl Into<PathBuf>) -> Forge {
        let home = home.into();
        let then = p2p_group::now().minus_seconds(365 * DAY);
        let creator = Identity::create(None, Some("Ann"), then).expect("an identity");
        let group = GroupIdentity::create(None, Some("Friends"), then).expect("a group");
        let chain = group.issue_creator(&creator.info(), then).expect("the creator's membership");
        let store = p2p_store::Home::at(&home);
        store.create(&creator).expect("the home is writable");
        let store = store.store(&creator);
        let record = GroupRecord { chain: chain.clone(), root: None };
        store.save_group(&group.key_id(), &record).expect("the home is writable");
        store.set_hints(&group.key_id(), &[], true).expect("the home is writable");
        Forge { home, creator, group, chain }
    }

    /// The creator, online.
    pub async fn open(&self, limits: Limits) -> End {
        let identity = Home::at(&self.home).identity(self.creator.name()).expect("it is stored");
        let node = start(identity, limits);
        let group = Group::open(&node, self.group.name()).expect("it is stored");
        within(group.connect_and_wait()).await.expect("it was online before");
        End { node, group }
    }

    /// The group's key.
    pub fn group(&self) -> KeyId {
        self.group.key_id()
    }

    /// The creator's keys.
    pub fn creator(&self) -> &Identity {
        &self.creator
    }

    /// The creator's chain.
    pub fn chain(&self) -> &Bytes {
        &self.chain
    }

    /// An invitation that is as good as it says.
    pub fn issue(
        &self,
        subject: &IdentityInfo,
        now: FileTime,
        expires: Option<FileTime>,
    ) -> Invitation {
        issue(&self.creator, &self.chain, subject, Roles::MEMBER, now, expires)
    }

    /// An invitation that knows one address of the creator, and no other.
    pub fn invite_by(&self, subject: &IdentityInfo, address: Address) -> Invitation {
        let hints = [(self.creator.key_id(), vec![address])];
        let now = p2p_group::now();
        let request =
            IssueRequest { subject, roles: Roles::MEMBER, expires: None, hints: &hints, now };
        Invitation::issue(&self.creator, &self.chain, &request).expect("it may be issued")
    }

    /// A chain that is as long as a chain may be, and the keys of its last member, who could issue one more.
    pub fn longest(&self) -> (Identity, Bytes) {
        let now = p2p_group::now();
        let (mut last, mut chain) = (self.creator.clone(), self.chain.clone());
        for _ in 1..24 {
            let next = stranger("One of many");
            let roles = Roles::INVITING_MEMBER;
            chain = issue(&last, &chain, &next.info(), roles, now, None).chain().clone();
            last = next;
        }
        (last, chain)
    }
}

/// Keys of somebody.
pub fn stranger(name: &str) -> Identity {
    Identity::create(None, Some(name), p2p_group::now()).expect("an identity")
}

fn issue(
    issuer: &Identity,
    chain: &Bytes,
    subject: &IdentityInfo,
    roles: Roles,
    now: FileTime,
    expires: Option<FileTime>,
) -> Invitation {
    let request = IssueRequest { subject, roles, expires, hints: &[], now };
    Invitation::issue(issuer, chain, &request).expect("it may be issued")
}

/// The certificates of a chain.
pub fn certificates(chain: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = chain;
    let mut found = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (certificate, tail) = tail.split_at(usize::from(u16::from_be_bytes(*length)));
        found.push(certificate.to_vec());
        rest = tail;
    }
    found
}

/// The chain of these certificates.
pub fn chain_of(certificates: &[Vec<u8>]) -> Vec<u8> {
    let length = |c: &Vec<u8>| u16::try_from(c.len()).expect("a certificate").to_be_bytes();
    certificates.iter().flat_map(|c| [&length(c)[..], c].concat()).collect()
}

//! The bytes of the journal: a record is one commit, whole or not there at all.
//!
//! ```text
//! record = length of the body u32 | checksum of the body u64 | body
//! body   = entries: kind u8, group 32 bytes, and by kind
//!   1 member        peer 32 bytes, count u8, count × (start of the membership u64, chain as bytes)
//!   2 addresses     peer 32 bytes, count u8, count × (ip 16 bytes, port u16, scope u32)
//!   3 synchronised
//!   4 own           key 32 bytes, start of the membership u64, chain as bytes
//!   5 object        id 32 bytes, kind u8, bytes
//!   6 object gone   id 32 bytes
//!   7 listening     count u8, count × address
//! bytes  = length u32, bytes
//! ```
//!
//! Of a member its chain is kept, and verified anew when it is read: whoever writes into the file makes no members.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId, Member, ObjectId, ObjectKind, StoreChange};
use p2p_crypto::verify_chain;

/// Length and checksum.
const HEAD: usize = 12;

/// One record.
pub(crate) fn record(changes: &[StoreChange]) -> Vec<u8> {
    let mut body = Vec::new();
    changes.iter().for_each(|change| encode(&mut body, change));
    let mut record = (body.len() as u32).to_be_bytes().to_vec();
    record.extend(checksum(&body).to_be_bytes());
    record.extend(body);
    record
}

/// The first record and its length; `None` if there is none that is whole.
pub(crate) fn next(log: &[u8]) -> Option<(Vec<StoreChange>, usize)> {
    let mut head = Reader(log);
    let length = u32::from_be_bytes(head.array()?) as usize;
    let expected = u64::from_be_bytes(head.array()?);
    let body = head.0.get(..length).filter(|body| checksum(body) == expected)?;
    let (mut reader, mut changes) = (Reader(body), Vec::new());
    while !reader.0.is_empty() {
        changes.push(decode(&mut reader)?);
    }
    Some((changes, HEAD + length))
}

/// FNV-1a: notices what a crash left half written. It is no defence against somebody who writes on purpose.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn encode(out: &mut Vec<u8>, change: &StoreChange) {
    let mut begin = |kind: u8| {
        out.push(kind);
        out.extend(change.group().0);
    };
    match change {
        StoreChange::Member { peer, memberships, .. } => {
            begin(1);
            out.extend(peer.0);
            out.push(memberships.len() as u8);
            memberships.iter().for_each(|member| put_member(out, member));
        }
        StoreChange::Addresses { peer, addresses, .. } => {
            begin(2);
            out.extend(peer.0);
            put_addresses(out, addresses);
        }
        StoreChange::Synchronised { .. } => begin(3),
        StoreChange::Own { member, .. } => {
            begin(4);
            out.extend(member.key.0);
            put_member(out, member);
        }
        StoreChange::Object { id, kind, bytes, .. } => {
            begin(5);
            out.extend(id.0);
            out.push(kind.number());
            put_bytes(out, bytes);
        }
        StoreChange::ObjectGone { id, .. } => {
            begin(6);
            out.extend(id.0);
        }
        StoreChange::Listening { addresses, .. } => {
            begin(7);
            put_addresses(out, addresses);
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

fn put_member(out: &mut Vec<u8>, member: &Member) {
    out.extend(member.not_before.0.to_be_bytes());
    put_bytes(out, &member.chain);
}

fn put_addresses(out: &mut Vec<u8>, addresses: &[Address]) {
    out.push(addresses.len() as u8);
    for address in addresses {
        out.extend(address.ip.octets());
        out.extend(address.port.to_be_bytes());
        out.extend(address.scope.to_be_bytes());
    }
}

fn decode(from: &mut Reader<'_>) -> Option<StoreChange> {
    let [kind] = from.array()?;
    let group = KeyId(from.array()?);
    Some(match kind {
        1 => {
            let (peer, [count]) = (KeyId(from.array()?), from.array()?);
            let memberships = (0..count).map(|_| from.member(&group, peer));
            StoreChange::Member { group, peer, memberships: memberships.collect::<Option<_>>()? }
        }
        2 => StoreChange::Addresses {
            group,
            peer: KeyId(from.array()?),
            addresses: from.addresses()?,
        },
        3 => StoreChange::Synchronised { group },
        4 => {
            let own = KeyId(from.array()?);
            StoreChange::Own { group, member: from.member(&group, own)? }
        }
        5 => {
            let (id, [kind]) = (ObjectId(from.array()?), from.array()?);
            let kind = ObjectKind::from_number(kind)?;
            StoreChange::Object { group, id, kind, bytes: from.bytes()? }
        }
        6 => StoreChange::ObjectGone { group, id: ObjectId(from.array()?) },
        7 => StoreChange::Listening { group, addresses: from.addresses()? },
        _ => return None,
    })
}

/// Takes from the front; `None` where there is too little.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Bytes::copy_from_slice(first))
    }

    fn member(&mut self, group: &KeyId, peer: KeyId) -> Option<Arc<Member>> {
        let start = FileTime(u64::from_be_bytes(self.array()?));
        verify_chain(group, &self.bytes()?, &peer, &start).ok().map(Arc::new)
    }

    fn addresses(&mut self) -> Option<Vec<Address>> {
        let [count] = self.array()?;
        let mut address = || {
            let (ip, port) = (self.array::<16>()?.into(), u16::from_be_bytes(self.array()?));
            Some(Address { ip, port, scope: u32::from_be_bytes(self.array()?) })
        };
        (0..count).map(|_| address()).collect()
    }
}

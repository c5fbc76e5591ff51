//! The bytes of stored records. Numbers are big-endian; every record begins with its version.
//!
//! ```text
//! member     = 2, count u8 (1 to 4), count × membership
//! membership = roles u8, depth u8, not_before u64, not_after u64, name, friendly, issuer, issuer friendly, path, chain
//!              name: length u16, UTF-8    path: count u8, count × (key 32 bytes, serial 16 bytes)
//!              chain: length u32, bytes
//! addresses  = 1, count u8, count × (ip 16 bytes, port u16, scope u32)
//! listening  = 1, synchronised u8 (0 or 1), addresses
//! object     = 1, kind u8, length u32, bytes
//! ```
//!
//! Decoding takes exactly what encoding makes: no other version, nothing over a bound, nothing behind the end.

use std::net::Ipv6Addr;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId, Member, OBJECT_MAX, ObjectKind, Roles, Step};

use crate::{ADDRESSES_MAX, CHAIN_MAX, Listening, MEMBERSHIPS_MAX, NAME_MAX, PATH_MAX, StoreError};

const VERSION: u8 = 1;
/// Version 1 held one membership, without its path.
const MEMBER_VERSION: u8 = 2;
const ROLES: [(Roles, u8); 3] =
    [(Roles::ADMIN, 4), (Roles::INVITING_MEMBER, 2), (Roles::MEMBER, 1)];

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    Short,
    Trailing,
    Version,
    TooLarge,
    Value,
}

/// The memberships of one member, of which there is at least one.
pub(crate) fn encode_member(memberships: &[Arc<Member>]) -> Result<Vec<u8>, StoreError> {
    if memberships.is_empty() || memberships.len() > MEMBERSHIPS_MAX {
        return Err(StoreError::TooLarge("memberships of a member"));
    }
    let mut out = vec![MEMBER_VERSION, memberships.len() as u8];
    memberships.iter().try_for_each(|member| push_membership(&mut out, member))?;
    Ok(out)
}

fn push_membership(out: &mut Vec<u8>, member: &Member) -> Result<(), StoreError> {
    let roles = ROLES.iter().filter(|row| member.roles.contains(row.0)).map(|row| row.1).sum();
    out.extend([roles, member.depth]);
    out.extend(member.not_before.0.to_be_bytes());
    out.extend(member.not_after.0.to_be_bytes());
    for name in
        [&member.name, &member.friendly_name, &member.issuer_name, &member.issuer_friendly_name]
    {
        if name.len() > NAME_MAX {
            return Err(StoreError::TooLarge("name of a member"));
        }
        out.extend((name.len() as u16).to_be_bytes());
        out.extend(name.as_bytes());
    }
    if member.path.len() > PATH_MAX || member.chain.len() > CHAIN_MAX {
        return Err(StoreError::TooLarge("membership chain"));
    }
    out.push(member.path.len() as u8);
    for step in member.path.iter() {
        out.extend(step.key.0);
        out.extend(step.serial);
    }
    out.extend((member.chain.len() as u32).to_be_bytes());
    out.extend(&member.chain);
    Ok(())
}

pub(crate) fn decode_member(key: KeyId, bytes: &[u8]) -> Result<Vec<Arc<Member>>, Malformed> {
    let mut reader = Reader::new(bytes, MEMBER_VERSION)?;
    let memberships = match usize::from(reader.u8()?) {
        0 => return Err(Malformed::Value),
        count if count > MEMBERSHIPS_MAX => return Err(Malformed::TooLarge),
        count => (0..count).map(|_| reader.membership(key).map(Arc::new)).collect::<Result<_, _>>(),
    }?;
    reader.end()?;
    Ok(memberships)
}

pub(crate) fn encode_object(kind: ObjectKind, bytes: &Bytes) -> Result<Vec<u8>, StoreError> {
    if bytes.len() > OBJECT_MAX {
        return Err(StoreError::TooLarge("signed object"));
    }
    let mut out = Vec::with_capacity(6 + bytes.len());
    out.extend([VERSION, kind.number()]);
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
    Ok(out)
}

pub(crate) fn decode_object(bytes: &[u8]) -> Result<(ObjectKind, Bytes), Malformed> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let kind = ObjectKind::from_number(reader.u8()?).ok_or(Malformed::Value)?;
    let object = reader.long(OBJECT_MAX)?;
    reader.end()?;
    Ok((kind, object))
}

pub(crate) fn encode_addresses(addresses: &[Address]) -> Vec<u8> {
    let mut out = vec![VERSION];
    push_addresses(&mut out, addresses);
    out
}

pub(crate) fn decode_addresses(bytes: &[u8]) -> Result<Vec<Address>, Malformed> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let addresses = reader.addresses()?;
    reader.end()?;
    Ok(addresses)
}

pub(crate) fn encode_listening(listening: &Listening) -> Vec<u8> {
    let mut out = vec![VERSION, u8::from(listening.synchronised)];
    push_addresses(&mut out, &listening.addresses);
    out
}

pub(crate) fn decode_listening(bytes: &[u8]) -> Result<Listening, Malformed> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let synchronised = match reader.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed::Value),
    };
    let addresses = reader.addresses()?;
    reader.end()?;
    Ok(Listening { synchronised, addresses })
}

/// The first [`ADDRESSES_MAX`] addresses: they are ordered best first.
fn push_addresses(out: &mut Vec<u8>, addresses: &[Address]) {
    let kept = &addresses[..addresses.len().min(ADDRESSES_MAX)];
    out.push(kept.len() as u8);
    for address in kept {
        out.extend(address.ip.octets());
        out.extend(address.port.to_be_bytes());
        out.extend(address.scope.to_be_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], version: u8) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        if reader.u8()? == version { Ok(reader) } else { Err(Malformed::Version) }
    }

    fn membership(&mut self, key: KeyId) -> Result<Member, Malformed> {
        let bits = self.u8()?;
        if bits > 7 {
            return Err(Malformed::Value);
        }
        let roles = ROLES
            .iter()
            .filter(|row| bits & row.1 != 0)
            .fold(Roles::empty(), |set, row| set.with(row.0));
        let depth = self.u8()?;
        let not_before = FileTime(self.u64()?);
        let not_after = FileTime(self.u64()?);
        let [name, friendly_name, issuer_name, issuer_friendly_name] =
            [self.name()?, self.name()?, self.name()?, self.name()?];
        let path = self.path()?;
        let chain = self.long(CHAIN_MAX)?;
        Ok(Member {
            key,
            name,
            friendly_name,
            issuer_name,
            issuer_friendly_name,
            roles,
            depth,
            not_before,
            not_after,
            chain,
            path,
        })
    }

    fn path(&mut self) -> Result<Arc<[Step]>, Malformed> {
        let count = usize::from(self.u8()?);
        if count > PATH_MAX {
            return Err(Malformed::TooLarge);
        }
        (0..count).map(|_| Ok(Step { key: KeyId(self.array()?), serial: self.array()? })).collect()
    }

    fn long(&mut self, max: usize) -> Result<Bytes, Malformed> {
        let length = self.u32()? as usize;
        if length > max {
            return Err(Malformed::TooLarge);
        }
        self.take(length).map(Bytes::copy_from_slice)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    fn name(&mut self) -> Result<String, Malformed> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        if length > NAME_MAX {
            return Err(Malformed::TooLarge);
        }
        let bytes = self.take(length)?;
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed::Value)
    }

    fn addresses(&mut self) -> Result<Vec<Address>, Malformed> {
        let count = usize::from(self.u8()?);
        if count > ADDRESSES_MAX {
            return Err(Malformed::TooLarge);
        }
        (0..count)
            .map(|_| {
                let ip = Ipv6Addr::from(self.array::<16>()?);
                let port = u16::from_be_bytes(self.array()?);
                Ok(Address { ip, port, scope: self.u32()? })
            })
            .collect()
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed::Trailing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        Member {
            key: KeyId([7; 32]),
            name: format!("{}.chess", "ab".repeat(20)),
            friendly_name: "Zoë".into(),
            issuer_name: format!("{}.", "cd".repeat(20)),
            issuer_friendly_name: String::new(),
            roles: Roles::ADMIN.with(Roles::MEMBER),
            depth: 3,
            not_before: FileTime(5),
            not_after: FileTime::NO_END,
            chain: Bytes::from_static(b"a chain"),
            path: [1, 2, 7].map(|n| Step { key: KeyId([n; 32]), serial: [n + 1; 16] }).into(),
        }
    }

    fn memberships(count: u8) -> Vec<Arc<Member>> {
        (0..count).map(|depth| Arc::new(Member { depth, ..member() })).collect()
    }

    fn address(last: u16) -> Address {
        Address { ip: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last), port: 3587, scope: 2 }
    }

    #[test]
    fn records_survive_the_round_trip() {
        for count in 1..=4 {
            let record = encode_member(&memberships(count)).unwrap();
            assert_eq!(decode_member(member().key, &record), Ok(memberships(count)));
        }
        for kind in ObjectKind::ALL {
            let bytes = Bytes::from_static(b"signed");
            assert_eq!(decode_object(&encode_object(kind, &bytes).unwrap()), Ok((kind, bytes)));
        }
        for count in [0, 1, 8] {
            let addresses: Vec<_> = (0..count).map(address).collect();
            assert_eq!(decode_addresses(&encode_addresses(&addresses)), Ok(addresses.clone()));
            for synchronised in [false, true] {
                let listening = Listening { synchronised, addresses: addresses.clone() };
                assert_eq!(decode_listening(&encode_listening(&listening)), Ok(listening));
            }
        }
    }

    #[test]
    fn the_best_eight_addresses_are_kept() {
        let addresses: Vec<_> = (0..20).map(address).collect();
        assert_eq!(decode_addresses(&encode_addresses(&addresses)).unwrap(), addresses[..8]);
    }

    #[test]
    fn every_cut_and_every_extra_byte_is_noticed() {
        let listening = Listening { synchronised: true, addresses: vec![address(1)] };
        type Decode = fn(&[u8]) -> Result<(), Malformed>;
        let object = encode_object(ObjectKind::Revocation, &Bytes::from_static(b"signed"));
        let records: [(&str, Vec<u8>, Decode); 4] = [
            ("member", encode_member(&memberships(2)).unwrap(), |b| {
                decode_member(KeyId([7; 32]), b).map(|_| ())
            }),
            ("object", object.unwrap(), |b| decode_object(b).map(|_| ())),
            ("addresses", encode_addresses(&[address(1), address(2)]), |b| {
                decode_addresses(b).map(|_| ())
            }),
            ("listening", encode_listening(&listening), |b| decode_listening(b).map(|_| ())),
        ];
        for (what, bytes, decode) in records {
            for end in 0..bytes.len() {
                assert_eq!(decode(&bytes[..end]), Err(Malformed::Short), "{what} cut at {end}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(decode(&longer), Err(Malformed::Trailing), "{what}");
            let mut newer = bytes.clone();
            newer[0] += 1;
            assert_eq!(decode(&newer), Err(Malformed::Version), "{what}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let good = encode_member(&memberships(1)).unwrap();
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            decode_member(KeyId([7; 32]), &bytes)
        };
        let path = good.len() - (b"a chain".len() + 4 + 3 * 48 + 1);
        assert_eq!(good[path], 3, "the length of the path");
        assert_eq!(with(1, 0), Err(Malformed::Value), "no membership");
        assert_eq!(with(1, 5), Err(Malformed::TooLarge), "more than four memberships");
        assert_eq!(with(2, 8), Err(Malformed::Value), "unknown role");
        assert_eq!(with(20, 0xff), Err(Malformed::TooLarge), "name of 65 KB");
        assert_eq!(with(22, 0xff), Err(Malformed::Value), "name that is not UTF-8");
        assert_eq!(with(path, 25), Err(Malformed::TooLarge), "a path longer than any chain");
        assert_eq!(decode_addresses(&[1, 9]), Err(Malformed::TooLarge));
        assert_eq!(decode_listening(&[1, 2, 0]), Err(Malformed::Value));
        assert_eq!(decode_object(&[1, 0, 0, 0, 0, 0]), Err(Malformed::Value));
        assert_eq!(decode_object(&[1, 1, 0xff, 0, 0, 0]), Err(Malformed::TooLarge));
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let refused = |member: Member| {
            let result = encode_member(&[Arc::new(member)]);
            assert!(matches!(result, Err(StoreError::TooLarge(_))));
        };
        refused(Member { friendly_name: "x".repeat(NAME_MAX + 1), ..member() });
        refused(Member { chain: vec![0; CHAIN_MAX + 1].into(), ..member() });
        let step = Step { key: KeyId([1; 32]), serial: [1; 16] };
        refused(Member { path: vec![step; PATH_MAX + 1].into(), ..member() });
        assert!(matches!(encode_member(&[]), Err(StoreError::TooLarge(_))));
        assert!(matches!(encode_member(&memberships(5)), Err(StoreError::TooLarge(_))));
        let object = vec![0; OBJECT_MAX + 1].into();
        let result = encode_object(ObjectKind::Properties, &object);
        assert!(matches!(result, Err(StoreError::TooLarge(_))));
    }
}

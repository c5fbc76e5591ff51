//! The fields that frames are made of.

use alloc::vec::Vec;
use bytes::Bytes;
use core::net::Ipv6Addr;

use super::{
    ADDRESSES_MAX, DATA_PREFIX, Frame, FrameError, Hello, REFERRAL_ADDRESSES_MAX, REFERRALS_MAX,
    Referral,
};
use crate::id::{Address, Guid, InstanceId, KeyId, NodeId};
use crate::io::Payload;
use crate::object::ObjectId;

/// Largest value of a variable-length integer.
pub(super) const VARINT_MAX: u64 = (1 << 62) - 1;

/// Bytes of `value` as a variable-length integer in its shortest form (RFC 9000 §16).
pub(super) fn varint_into(scratch: &mut [u8; 8], value: u64) -> &[u8] {
    let value = value.min(VARINT_MAX);
    let (len, mark) = match value {
        0..0x40 => (1, 0),
        0x40..0x4000 => (2, 0x4000),
        0x4000..0x4000_0000 => (4, 0x8000_0000),
        _ => (8, 0xc000_0000_0000_0000),
    };
    *scratch = (value | mark).to_be_bytes();
    &scratch[8 - len..]
}

pub(super) fn put_varint(out: &mut Vec<u8>, value: u64) {
    let mut scratch = [0; 8];
    out.extend_from_slice(varint_into(&mut scratch, value));
}

/// The integer at the start of `bytes` and its length; `None` if more bytes are needed.
pub(super) fn varint_at(bytes: &[u8]) -> Option<Result<(u64, usize), FrameError>> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let raw = bytes.get(..len)?;
    let value =
        raw.iter().fold(0, |v, b| v << 8 | u64::from(*b)) & (u64::MAX >> (66 - 8 * len.min(8)));
    let shortest = match len {
        1 => true,
        2 => value >= 0x40,
        4 => value >= 0x4000,
        _ => value >= 0x4000_0000,
    };
    Some(if shortest { Ok((value, len)) } else { Err(FrameError::Malformed) })
}

impl Hello {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        put_varint(&mut out, self.minor.0);
        put_varint(&mut out, self.minor.1);
        out.extend_from_slice(&self.tag);
        out.extend_from_slice(&self.instance.0.to_be_bytes());
        out.extend_from_slice(&self.previous.0.to_be_bytes());
        out.extend_from_slice(&self.node.0.to_be_bytes());
        put_varint(&mut out, self.message_max);
        out
    }
}

pub(super) fn addresses_to_bytes(addresses: &[Address]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + 18 * addresses.len());
    put_addresses(&mut out, addresses, ADDRESSES_MAX);
    out
}

fn put_addresses(out: &mut Vec<u8>, addresses: &[Address], max: usize) {
    let addresses = &addresses[..addresses.len().min(max)];
    put_varint(out, addresses.len() as u64);
    for address in addresses {
        out.extend_from_slice(&address.ip.octets());
        out.extend_from_slice(&address.port.to_be_bytes());
    }
}

pub(super) fn referrals_to_bytes(mut out: Vec<u8>, referrals: &[Referral]) -> Vec<u8> {
    let referrals = &referrals[..referrals.len().min(REFERRALS_MAX)];
    put_varint(&mut out, referrals.len() as u64);
    for referral in referrals {
        out.extend_from_slice(&referral.key.0);
        out.extend_from_slice(&referral.node.0.to_be_bytes());
        put_addresses(&mut out, &referral.addresses, REFERRAL_ADDRESSES_MAX);
    }
    out
}

pub(super) fn object_ids_to_bytes(ids: &[ObjectId], max: usize) -> Vec<u8> {
    let ids = &ids[..ids.len().min(max)];
    let mut out = Vec::with_capacity(2 + 32 * ids.len());
    put_varint(&mut out, ids.len() as u64);
    ids.iter().for_each(|id| out.extend_from_slice(&id.0));
    out
}

pub(super) fn object_to_bytes(kind: u64, id: &ObjectId, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(40 + bytes.len());
    put_varint(&mut out, kind);
    out.extend_from_slice(&id.0);
    out.extend_from_slice(bytes);
    out
}

/// A DC_DATA body: the prefix is read, the payload stays the slices that it is.
pub(super) fn data(body: Payload) -> Result<Frame, FrameError> {
    let mut pieces = match body {
        Payload::One(bytes) => alloc::vec![bytes],
        Payload::Many(pieces) => pieces,
    };
    let mut prefix = [0; DATA_PREFIX];
    let mut filled = 0;
    for piece in &mut pieces {
        let n = piece.len().min(DATA_PREFIX - filled);
        prefix[filled..filled + n].copy_from_slice(&piece.split_to(n));
        filled += n;
    }
    let (&flags, kind) = prefix.split_last().ok_or(FrameError::Malformed)?;
    if filled < DATA_PREFIX || flags > 1 {
        return Err(FrameError::Malformed);
    }
    pieces.retain(|piece| !piece.is_empty());
    let payload = match pieces.len() {
        0 => Payload::EMPTY,
        1 => Payload::One(pieces.pop().unwrap_or_else(Bytes::new)),
        _ => Payload::Many(pieces),
    };
    let mut guid = [0; 16];
    guid.copy_from_slice(kind);
    Ok(Frame::DcData { kind: Guid(guid), more: flags == 1, payload })
}

/// Reads fields from a complete body.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Reader { rest: body }
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    pub(super) fn end(&self) -> Result<(), FrameError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FrameError::Malformed) }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(FrameError::Malformed)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn varint(&mut self) -> Result<u64, FrameError> {
        let (value, len) = varint_at(self.rest).ok_or(FrameError::Malformed)??;
        self.rest = &self.rest[len..];
        Ok(value)
    }

    fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_be_bytes)
    }

    fn count(&mut self, max: usize) -> Result<usize, FrameError> {
        let count = self.varint()?;
        usize::try_from(count).ok().filter(|n| *n <= max).ok_or(FrameError::Oversize)
    }

    pub(super) fn hello(&mut self) -> Result<Hello, FrameError> {
        let hello = Hello {
            minor: (self.varint()?, self.varint()?),
            tag: self.array()?,
            instance: InstanceId(self.u64()?),
            previous: InstanceId(self.u64()?),
            node: NodeId(self.u64()?),
            message_max: self.varint()?,
        };
        if hello.minor.0 > hello.minor.1 { Err(FrameError::Malformed) } else { Ok(hello) }
    }

    pub(super) fn addresses(&mut self, max: usize) -> Result<Vec<Address>, FrameError> {
        let count = self.count(max)?;
        let mut addresses = Vec::with_capacity(count);
        for _ in 0..count {
            let ip = Ipv6Addr::from(self.array::<16>()?);
            let port = u16::from_be_bytes(self.array()?);
            addresses.push(Address { ip, port, scope: 0 });
        }
        Ok(addresses)
    }

    pub(super) fn object_ids(&mut self, max: usize) -> Result<Vec<ObjectId>, FrameError> {
        let count = self.count(max)?;
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            ids.push(ObjectId(self.array()?));
        }
        Ok(ids)
    }

    pub(super) fn referrals(&mut self, max: usize) -> Result<Vec<Referral>, FrameError> {
        let count = self.count(max)?;
        let mut referrals = Vec::with_capacity(count);
        for _ in 0..count {
            referrals.push(Referral {
                key: KeyId(self.array()?),
                node: NodeId(self.u64()?),
                addresses: self.addresses(REFERRAL_ADDRESSES_MAX)?,
            });
        }
        Ok(referrals)
    }
}

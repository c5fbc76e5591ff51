//! Names of things inside the protocol: keys, groups, nodes, connections, addresses.

use alloc::string::String;
use core::fmt;
use core::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

/// SHA-256 over the DER SubjectPublicKeyInfo of a key (RFC 5280 §4.1.2.7): the identity of a peer, or of a group,
/// everywhere inside the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 32]);

impl KeyId {
    /// The first 20 bytes: what a peer name shows, as 40 lower-case hexadecimal digits.
    pub fn authority(&self) -> [u8; 20] {
        let mut short = [0; 20];
        short.copy_from_slice(&self.0[..20]);
        short
    }

    /// [`authority`](Self::authority) as the 40 digits that begin a peer name.
    pub fn authority_hex(&self) -> String {
        hex(&self.0[..20])
    }
}

impl fmt::Display for KeyId {
    /// The 40 digits of the authority.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority_hex())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", &hex(&self.0[..4]))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// A 16-byte identifier in the byte order of RFC 9562 (the order in which its text form is read).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// From the number that the text form spells: `Guid::from_u128(0x04387127_aa56_450a_8ce5_4f565c6790f4)`.
    pub const fn from_u128(value: u128) -> Self {
        Guid(value.to_be_bytes())
    }
}

impl fmt::Display for Guid {
    /// `04387127-aa56-450a-8ce5-4f565c6790f4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = u128::from_be_bytes(self.0);
        let group = |shift: u32, digits: u32| (v >> shift) & ((1 << (4 * digits)) - 1);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            group(96, 8),
            group(80, 4),
            group(64, 4),
            group(48, 4),
            group(0, 12)
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One open group of a node, numbered by the node and never reused: a stale key never means another group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GroupKey(pub u64);

/// A node of a group: random for every opening of the group, so that one identity may run several nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct NodeId(pub u64);

/// One run of one node process, random at its start. It tells a restarted peer from a duplicate connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct InstanceId(pub u64);

/// A direct or neighbour connection as the application sees it: never 0, never reused by this node, unrelated to the
/// number that the other end uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId(pub u64);

/// An endpoint: IPv6, or IPv4 mapped into it (RFC 4291 §2.5.5.2), a UDP port, and the scope of a link-local address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// IPv6 address; IPv4 as `::ffff:a.b.c.d`.
    pub ip: Ipv6Addr,
    /// UDP port, never 0 in an address that is dialled or announced.
    pub port: u16,
    /// Interface index of a link-local address, else 0. Means something on this machine only; never sent.
    pub scope: u32,
}

impl Address {
    /// Whether the address can be dialled: a port, and neither unspecified nor multicast.
    pub fn is_dialable(&self) -> bool {
        let v4 = self.ip.to_ipv4_mapped();
        self.port != 0
            && !self.ip.is_unspecified()
            && !self.ip.is_multicast()
            && !v4.is_some_and(|ip| ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast())
    }

    /// Whether the address is this machine's own loopback.
    pub fn is_loopback(&self) -> bool {
        self.ip.is_loopback() || self.ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
    }

    /// What counts as one source for limits: the /24 of IPv4, the /56 of IPv6.
    pub fn prefix(&self) -> u64 {
        match self.ip.to_ipv4_mapped() {
            Some(ip) => 0xffff_0000_0000 | u64::from(u32::from(ip) >> 8),
            None => (u128::from(self.ip) >> 72) as u64,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => {
                Address { ip: v4.ip().to_ipv6_mapped(), port: v4.port(), scope: 0 }
            }
            SocketAddr::V6(v6) => Address { ip: *v6.ip(), port: v6.port(), scope: v6.scope_id() },
        }
    }
}

impl From<Address> for SocketAddr {
    /// Mapped addresses come out as IPv6, as a dual-stack socket wants them.
    fn from(address: Address) -> Self {
        SocketAddr::V6(SocketAddrV6::new(address.ip, address.port, 0, address.scope))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip.to_ipv4_mapped() {
            Some(ip) => write!(f, "{ip}:{}", self.port),
            None => SocketAddr::from(*self).fmt(f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_guid_prints_as_its_number_reads() {
        let admin = Guid::from_u128(0x04387127_aa56_450a_8ce5_4f565c6790f4);
        assert_eq!(admin.to_string(), "04387127-aa56-450a-8ce5-4f565c6790f4");
    }

    #[test]
    fn an_authority_is_forty_lower_case_digits() {
        assert_eq!(KeyId([0xab; 32]).authority_hex(), "ab".repeat(20));
    }

    #[test]
    fn addresses_that_cannot_be_dialled_are_known() {
        let at = |text: &str| Address::from(text.parse::<SocketAddr>().unwrap());
        assert!(at("[::1]:3587").is_dialable() && at("192.0.2.1:1").is_dialable());
        for bad in
            ["[::]:1", "[::1]:0", "[ff02::1]:1", "0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1"]
        {
            assert!(!at(bad).is_dialable(), "{bad}");
        }
    }

    #[test]
    fn a_source_is_a_prefix_and_families_do_not_mix() {
        let at = |text: &str| Address::from(text.parse::<SocketAddr>().unwrap()).prefix();
        assert_eq!(at("192.0.2.1:1"), at("192.0.2.200:9"));
        assert_ne!(at("192.0.2.1:1"), at("192.0.3.1:1"));
        assert_eq!(at("[2001:db8:0:ab00::1]:1"), at("[2001:db8:0:abff::2]:1"));
        assert_ne!(at("[2001:db8:0:ab00::1]:1"), at("[2001:db8:0:ac00::1]:1"));
    }
}

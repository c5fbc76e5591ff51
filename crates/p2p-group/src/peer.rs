//! The other end, as it appears in events and lists.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use p2p_core::{Expect, KeyId, Member};
use p2p_crypto::{IdentityInfo, PeerName};

/// An identity at the other end: its key for certain, and what its membership says of it, if that is known here.
#[derive(Clone, PartialEq, Eq)]
pub struct Peer {
    key: KeyId,
    member: Option<Arc<Member>>,
}

impl Peer {
    pub(crate) fn new(key: KeyId, member: Option<Arc<Member>>) -> Peer {
        Peer { key, member }
    }

    /// The key that the peer proved to hold.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The peer name: 40 digits, a dot, and the classifier if the membership is known.
    pub fn name(&self) -> Cow<'_, str> {
        match &self.member {
            Some(member) => Cow::Borrowed(&member.name),
            None => Cow::Owned(format!("{}.", self.key)),
        }
    }

    /// The name for people, chosen by the peer and verified by nobody; `None` if the membership is not known here.
    pub fn friendly_name(&self) -> Option<&str> {
        self.member.as_deref().map(|member| member.friendly_name.as_str())
    }

    /// The membership behind the name, if it is known here.
    pub fn member(&self) -> Option<&Arc<Member>> {
        self.member.as_ref()
    }
}

impl fmt::Display for Peer {
    /// The friendly name, made [printable], or else the 40 digits of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.friendly_name() {
            Some(name) => printable(name).fmt(f),
            None => self.key.fmt(f),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({})", self.key)
    }
}

/// Whom a direct connection must reach: an identity by its key, or by a peer name.
///
/// Functions take `impl Into<Target>`: a [`KeyId`], a [`PeerName`], a [`Peer`], a [`Member`] or an [`IdentityInfo`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target(Expect);

impl Target {
    pub(crate) fn expect(&self) -> Expect {
        self.0
    }

    /// Whether `key` is the one meant.
    pub fn admits(&self, key: &KeyId) -> bool {
        self.0.admits(key)
    }
}

impl From<KeyId> for Target {
    fn from(key: KeyId) -> Target {
        Target(Expect::Key(key))
    }
}

impl From<&PeerName> for Target {
    /// The authority decides: the first 20 bytes of the key's hash. The classifier is a label, not a proof.
    fn from(name: &PeerName) -> Target {
        Target(Expect::Authority(name.authority_bytes()))
    }
}

impl From<&Peer> for Target {
    fn from(peer: &Peer) -> Target {
        Target::from(peer.key)
    }
}

impl From<&Member> for Target {
    fn from(member: &Member) -> Target {
        Target::from(member.key)
    }
}

impl From<&Arc<Member>> for Target {
    fn from(member: &Arc<Member>) -> Target {
        Target::from(member.key)
    }
}

impl From<&IdentityInfo> for Target {
    fn from(info: &IdentityInfo) -> Target {
        Target::from(info.key)
    }
}

/// `text` for a terminal or a log: control characters and those that change the direction of writing are escaped, so
/// that what a peer sent cannot move the cursor, hide text or forge a line.
///
/// ```
/// assert_eq!(p2p_group::printable("Zoë\u{1b}[2J\u{202e}").to_string(), "Zoë\\u{1b}[2J\\u{202e}");
/// ```
pub fn printable(text: &str) -> impl fmt::Display + '_ {
    Printable(text)
}

struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|c| match c {
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => write!(f, "{}", c.escape_unicode()),
            c if c.is_control() => write!(f, "{}", c.escape_unicode()),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_without_membership_is_named_by_its_key() {
        let peer = Peer::new(KeyId([0xab; 32]), None);
        assert_eq!(peer.name(), format!("{}.", "ab".repeat(20)));
        assert_eq!(peer.to_string(), "ab".repeat(20));
        assert_eq!(peer.friendly_name(), None);
    }

    #[test]
    fn a_target_by_key_admits_that_key_only() {
        let target = Target::from(KeyId([1; 32]));
        assert!(target.admits(&KeyId([1; 32])) && !target.admits(&KeyId([2; 32])));
    }
}

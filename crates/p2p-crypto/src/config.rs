//! What an identity has of a group, as text: how a group is carried to the same identity on another machine.

use std::fmt;

use bytes::Bytes;
use p2p_core::{Address, FileTime, KeyId};

use crate::chain::{Chain, ChainInfo, split};
use crate::error::CryptoError;
use crate::group::GroupIdentity;
use crate::invitation::shorten;
use crate::name::PeerName;
use crate::refusal::Cause;
use crate::sealed::{self, Bound};
use crate::stretch::{Cost, PASSWORD_MAX};
use crate::xml::{self, ConfigText};

/// What the group's key is authenticated with begins with this.
const CONTEXT: &[u8] = b"pgrp1/group configuration\0";
/// Longest private key in a configuration, in bytes: room for other kinds of key.
const KEY_MAX: usize = 1_024;

/// What an identity has of a group: its membership, where members may be found and, if it made the group, the group's
/// key. Neither records nor revocations nor properties: those come from the members.
///
/// As text it is `<PEERGROUPCONFIG VERSION="1.0">` with `IDENTITYPEERNAME`, `GROUPPEERNAME`, `CLOUDNAME`, `SCOPE`,
/// `CLOUDFLAGS` and `GMC` (the chain in base64), as on Windows. Ours besides are `HINT`, as in an invitation, and
/// `GROUPKEY`: in base64, and sealed like the private key of an [exported identity](crate::Identity::export), the group's
/// private key in PKCS#8, bound to all of these as they are written before it and to the context `pgrp1/group configuration`, a zero byte.
/// Only that element is secret. At most 64 KiB.
///
/// ```
/// use p2p_core::FileTime;
/// use p2p_crypto::{GroupConfig, GroupIdentity, Identity};
///
/// let now = FileTime::from_unix(1_795_344_000);
/// let ada = Identity::create(None, Some("Ada"), now)?;
/// let group = GroupIdentity::create(None, Some("Chess"), now)?;
/// let chain = group.issue_creator(&ada.info(), now)?;
/// let text = GroupConfig::new(chain, Some(group.clone()), &[])?.export("correct horse battery staple")?;
/// let there = GroupConfig::import(&text, "correct horse battery staple", now)?;
/// assert_eq!(there.member(), ada.name());
/// assert_eq!(there.root().map(GroupIdentity::key_id), Some(group.key_id()));
/// assert!(GroupConfig::import(&text, "another", now).is_err());
/// # Ok::<(), p2p_crypto::CryptoError>(())
/// ```
#[derive(Clone)]
pub struct GroupConfig {
    chain: Bytes,
    info: ChainInfo,
    member: PeerName,
    hints: xml::Hints,
    root: Option<GroupIdentity>,
}

impl GroupConfig {
    /// The configuration of a member with this chain, which may have expired. `root`: the group's key, if the member has
    /// it. `hints`: where members may be found; of at most 8 members, at most 8 addresses of each that can be dialled
    /// from other machines are written.
    ///
    /// # Errors
    /// What is wrong with the chain; [`Cause::KeyForeign`] if `root` is another group's.
    pub fn new(
        chain: Bytes,
        root: Option<GroupIdentity>,
        hints: &[(KeyId, Vec<Address>)],
    ) -> Result<GroupConfig, CryptoError> {
        let refused = CryptoError::configuring;
        let verified = Chain::verify(&chain, None, None).map_err(refused)?;
        if root.as_ref().is_some_and(|root| root.key_id() != verified.root().id) {
            return Err(refused(Cause::KeyForeign));
        }
        Ok(GroupConfig::assemble(chain, &verified, shorten(hints), root))
    }

    /// The configuration as text. With the group's key it costs 64 MiB of memory for as long as it takes (some tenths of a
    /// second). Without it nothing is secret, and the password protects nothing.
    ///
    /// # Errors
    /// `E_INVALIDARG` for a password of more than 1,024 bytes, and for an empty one where there is a key;
    /// [`KeySourceError::NotExportable`](crate::KeySourceError::NotExportable) if that lives elsewhere;
    /// [`CryptoError::Memory`]; [`CryptoError::Random`].
    pub fn export(&self, password: &str) -> Result<String, CryptoError> {
        self.export_at(password, Cost::DEFAULT)
    }

    fn export_at(&self, password: &str, cost: Cost) -> Result<String, CryptoError> {
        check_length(password)?;
        let (member, group) = (self.member.as_str(), self.info.group_name.as_str());
        let open = xml::open_config(member, group, &self.chain, &self.hints);
        let key = match &self.root {
            Some(root) => Some(sealed::seal(bound(&open), &[root.pkcs8()?], password, cost)?),
            None => None,
        };
        Ok(xml::closed_config(open, key.as_deref()))
    }

    /// Reads what [`export`](Self::export) wrote, and verifies it; white space around it does not matter. The password is
    /// needed, and looked at, only if there is a key in it. Costs the memory and time that are stored in it, at most 256
    /// MiB and 16 passes.
    ///
    /// # Errors
    /// By [`CryptoError::code`]: `E_INVALIDARG` for what is no configuration, for another password, and for a key or
    /// anything before it that was altered, which cannot be told apart, and for a password of more than 1,024 bytes;
    /// `PEER_E_UNSUPPORTED_VERSION`; `PEER_E_IDENTITY_NOT_FOUND` if it names another identity than its chain;
    /// `PEER_E_CHAIN_TOO_LONG`, `PEER_E_CIRCULAR_CHAIN_DETECTED`; `PEER_E_NO_KEY_ACCESS` for a key that cannot be read;
    /// `PEER_E_INVALID_TIME_PERIOD` if only the time is wrong; [`CryptoError::Memory`]; else the `CRYPT_E_*` code of what
    /// is wrong with a certificate.
    pub fn import(text: &str, password: &str, now: FileTime) -> Result<GroupConfig, CryptoError> {
        let refused = CryptoError::configuring;
        check_length(password)?;
        let text = ConfigText::parse(text.trim())?;
        let name = |text: &str| PeerName::parse(text).map_err(|_| refused(Cause::Container));
        let (identity, group) = (name(&text.identity)?, name(&text.group)?);
        let chain = Bytes::from(text.chain);
        let verified = Chain::verify(&chain, None, None).map_err(refused)?;
        if verified.root().name != group {
            return Err(refused(Cause::OtherRoot));
        }
        if verified.leaf().name != identity {
            return Err(refused(Cause::OtherIdentity));
        }
        let root = match &text.key {
            Some(key) => {
                let open = xml::open_config(&text.identity, &text.group, &chain, &text.hints);
                let key = sealed::open(bound(&open), key, KEY_MAX, password, refused)?;
                let certificates = split(&chain).map_err(refused)?;
                Some(GroupIdentity::load(&key, certificates[0]).map_err(refused)?)
            }
            None => None,
        };
        verified.check_dates(now).map_err(refused)?;
        Ok(GroupConfig::assemble(chain, &verified, text.hints, root))
    }

    fn assemble(
        chain: Bytes,
        verified: &Chain,
        hints: xml::Hints,
        root: Option<GroupIdentity>,
    ) -> GroupConfig {
        let (info, member) = (verified.info(chain.clone()), verified.leaf().name.clone());
        GroupConfig { chain, info, member, hints, root }
    }

    /// The peer name of the member whose configuration it is.
    pub fn member(&self) -> &PeerName {
        &self.member
    }

    /// What the chain says: the group, and the membership.
    pub fn info(&self) -> &ChainInfo {
        &self.info
    }

    /// The membership chain.
    pub fn chain(&self) -> &Bytes {
        &self.chain
    }

    /// The group's key, if its creator's configuration has it.
    pub fn root(&self) -> Option<&GroupIdentity> {
        self.root.as_ref()
    }

    /// Where members may be found. Nobody vouches for it.
    pub fn hints(&self) -> &[(KeyId, Vec<Address>)] {
        &self.hints
    }
}

impl fmt::Debug for GroupConfig {
    /// The two names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupConfig")
            .field("member", &self.member)
            .field("group", &self.info.group_name)
            .finish_non_exhaustive()
    }
}

fn bound(open: &str) -> Bound<'_> {
    Bound { context: CONTEXT, beside: open.as_bytes() }
}

/// An empty password is refused where something is sealed with it.
fn check_length(password: &str) -> Result<(), CryptoError> {
    if password.len() > PASSWORD_MAX {
        return Err(CryptoError::Argument("a password has at most 1,024 bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::identity::Identity;
    use crate::invitation::{Invitation, IssueRequest};
    use p2p_core::Roles;

    fn now() -> FileTime {
        FileTime::from_unix(1_795_344_000)
    }

    /// The configurations of a creator and of a member.
    fn both() -> (GroupConfig, GroupConfig) {
        let person = |name| Identity::create(Some("a & <b>"), Some(name), now()).unwrap();
        let (ada, bob) = (person("Ada"), person("Bob"));
        let group = GroupIdentity::create(Some("x < y"), Some("Chess"), now()).unwrap();
        let chain = group.issue_creator(&ada.info(), now()).unwrap();
        let (subject, roles) = (&bob.info(), Roles::MEMBER);
        let request = IssueRequest { subject, roles, expires: None, hints: &[], now: now() };
        let bobs = Invitation::issue(&ada, &chain, &request).unwrap().chain().clone();
        let hints = [(
            ada.key_id(),
            vec!["[2001:db8::1]:3587".parse::<std::net::SocketAddr>().unwrap().into()],
        )];
        (
            GroupConfig::new(chain, Some(group), &hints).unwrap(),
            GroupConfig::new(bobs, None, &hints).unwrap(),
        )
    }

    fn cause(result: Result<GroupConfig, CryptoError>) -> Cause {
        match result.unwrap_err() {
            CryptoError::Refused { code, cause, .. } => {
                assert_eq!(code, cause.configuring_code());
                cause
            }
            other => panic!("{other:?}"),
        }
    }

    fn same(one: &GroupConfig, other: &GroupConfig) -> bool {
        let key = |config: &GroupConfig| config.root().map(|root| root.pkcs8().unwrap().to_vec());
        (one.member(), one.info(), one.hints(), key(one))
            == (other.member(), other.info(), other.hints(), key(other))
    }

    #[test]
    fn both_kinds_come_back_as_they_were() {
        let (ada, bob) = both();
        let text = ada.export_at("secret", Cost::CHEAP).unwrap();
        assert!(text.contains("<GROUPKEY ") && text.contains("<SCOPE>global</SCOPE>"));
        assert!(same(&GroupConfig::import(&format!("\n{text}\n"), "secret", now()).unwrap(), &ada));
        // Nothing of a member is secret: any password will do.
        for password in ["", "secret"] {
            let text = bob.export_at(password, Cost::CHEAP).unwrap();
            assert!(!text.contains("GROUPKEY"));
            assert!(same(&GroupConfig::import(&text, "another", now()).unwrap(), &bob));
        }
        let long = "x".repeat(1_025);
        for result in [ada.export(&long), ada.export(""), bob.export(&long)] {
            assert!(matches!(result, Err(CryptoError::Argument(_))));
        }
        let result = GroupConfig::import(&text, &long, now());
        assert!(matches!(result, Err(CryptoError::Argument(_))));
    }

    #[test]
    fn a_key_opens_with_its_password_and_all_that_stands_before_it() {
        let (ada, bob) = both();
        let text = ada.export_at("secret", Cost::CHEAP).unwrap();
        assert_eq!(cause(GroupConfig::import(&text, "another", now())), Cause::WrongPassword);
        let elsewhere = text.replace("2001:db8::1", "2001:db8::2");
        assert_ne!(elsewhere, text);
        assert_eq!(cause(GroupConfig::import(&elsewhere, "secret", now())), Cause::WrongPassword);
        // Wherever a hint is put. What is not read does not matter, as it does not without a key.
        let hint = &text[text.find("<HINT").unwrap()..text.find("<GROUPKEY").unwrap()];
        let twice = text.replace("</PEERGROUPCONFIG>", &format!("{hint}</PEERGROUPCONFIG>"));
        assert_eq!(cause(GroupConfig::import(&twice, "secret", now())), Cause::WrongPassword);
        let more = text.replace("<GROUPKEY ", "<FUTURE>x</FUTURE><GROUPKEY ");
        assert!(same(&GroupConfig::import(&more, "secret", now()).unwrap(), &ada));
        // The key beside somebody else's membership of the same group.
        let key = &text[text.find("<GROUPKEY ").unwrap()..];
        let bobs = bob.export("").unwrap();
        let moved = bobs.replace("</PEERGROUPCONFIG>", key);
        assert_eq!(cause(GroupConfig::import(&moved, "secret", now())), Cause::WrongPassword);
        // Without its key it is a member's.
        let cut = text[..text.find("<GROUPKEY ").unwrap()].to_owned() + "</PEERGROUPCONFIG>";
        assert!(GroupConfig::import(&cut, "", now()).unwrap().root().is_none());
    }

    #[test]
    fn whoever_knows_the_password_can_still_not_forge_a_key() {
        let (ada, _) = both();
        let (member, group) = (ada.member().as_str(), ada.info().group_name.as_str());
        let open = xml::open_config(member, group, ada.chain(), &ada.hints);
        let with = |key: &[u8]| {
            let sealed = sealed::seal(bound(&open), &[key], "secret", Cost::CHEAP).unwrap();
            let text = xml::closed_config(open.clone(), Some(&sealed));
            GroupConfig::import(&text, "secret", now())
        };
        assert!(with(ada.root().unwrap().pkcs8().unwrap()).is_ok());
        let other = GroupIdentity::create(None, None, now()).unwrap();
        assert_eq!(cause(with(other.pkcs8().unwrap())), Cause::KeyForeign);
        assert_eq!(cause(with(b"")), Cause::KeyMissing);
        assert_eq!(cause(with(b"rubbish")), Cause::KeyUnreadable);
        assert_eq!(cause(with(&[0; KEY_MAX + 1])), Cause::TooLarge);
        let foreign = GroupConfig::new(ada.chain().clone(), Some(other), &[]);
        assert_eq!(cause(foreign), Cause::KeyForeign);
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let (ada, bob) = both();
        let text = bob.export("").unwrap();
        let name = bob.member().as_str().split('.').next().unwrap().to_owned();
        let adas = ada.member().as_str().split('.').next().unwrap().to_owned();
        for (broken, due) in [
            (text.replace("PEERGROUPCONFIG", "PEERGROUP"), Cause::Container),
            (text.replace("GROUPPEERNAME", "NAME"), Cause::Container),
            (text.replace("Global_", "Local_"), Cause::Container),
            (text.replace(">global<", ">link-local<"), Cause::Container),
            (text.replace("</GMC>", "*</GMC>"), Cause::Base64),
            (text.replace("</GMC>", "</GMC><GMC/>"), Cause::Container),
            (text.replace("</GMC>", "</GMC><GROUPKEY/><GROUPKEY/>"), Cause::Container),
            (text.replace("</GMC>", "</GMC><GROUPKEY>AA==</GROUPKEY>"), Cause::Container),
            (text.replace(&name, "nobody"), Cause::Container),
            (text.replace(&name, &adas), Cause::OtherIdentity),
            (text.replace("x &lt; y", "z"), Cause::OtherRoot),
        ] {
            assert_ne!(broken, text);
            assert_eq!(cause(GroupConfig::import(&broken, "x", now())), due, "{broken}");
        }
        for later in [
            text.replace("\"1.0\"", "\"1.1\""),
            text.replace("</GMC>", "</GMC><GROUPKEY>AgE=</GROUPKEY>"),
        ] {
            assert_eq!(GroupConfig::import(&later, "x", now()).unwrap_err(), CryptoError::Version);
        }
        let early = GroupConfig::import(&text, "", now().minus_seconds(7_200));
        assert_eq!(cause(early), Cause::NotYetValid);
        // Unknown elements are passed over, like those of Windows' own that we do not have.
        let more = text.replace("</GMC>", "</GMC><FUTURE>x</FUTURE>");
        assert!(same(&GroupConfig::import(&more, "", now()).unwrap(), &bob));
    }

    #[test]
    fn a_chain_with_any_bit_flipped_is_refused() {
        let (_, bob) = both();
        let text = bob.export("").unwrap();
        let good = STANDARD.encode(bob.chain());
        let bits = 8 * bob.chain().len();
        for bit in (0..bits).step_by(37) {
            let mut chain = bob.chain().to_vec();
            chain[bit / 8] ^= 1 << (bit % 8);
            let altered = text.replace(&good, &STANDARD.encode(&chain));
            assert!(GroupConfig::import(&altered, "", now()).is_err(), "bit {bit}");
        }
    }
}

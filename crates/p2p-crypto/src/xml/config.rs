//! The form of a group's configuration.

use super::{
    CLOUD, Hints, binary, children, escaped, only, parse, read_hints, write_binary, write_element,
    write_hints,
};
use crate::error::CryptoError;
use crate::refusal::Cause;

const ROOT: &str = "PEERGROUPCONFIG";
const VERSION: &str = "1.0";
/// Here Windows spells the scope in small letters.
const SCOPE: &str = "global";
const KEY: &str = "GROUPKEY";

/// A configuration, taken apart.
#[derive(Debug)]
pub(crate) struct ConfigText {
    pub(crate) identity: String,
    pub(crate) group: String,
    pub(crate) chain: Vec<u8>,
    pub(crate) hints: Hints,
    /// The group's key, sealed.
    pub(crate) key: Option<Vec<u8>>,
}

/// A configuration up to the group's key: what that is bound to.
pub(crate) fn open_config(identity: &str, group: &str, chain: &[u8], hints: &Hints) -> String {
    let mut text = format!("<{ROOT} VERSION=\"{VERSION}\">");
    write_element(&mut text, "IDENTITYPEERNAME", &escaped(identity));
    write_element(&mut text, "GROUPPEERNAME", &escaped(group));
    for (name, value) in cloud() {
        write_element(&mut text, name, value);
    }
    write_binary(&mut text, "GMC", "", chain);
    write_hints(&mut text, hints);
    text
}

/// The whole configuration.
pub(crate) fn closed_config(mut open: String, key: Option<&[u8]>) -> String {
    if let Some(key) = key {
        write_binary(&mut open, KEY, "", key);
    }
    open + "</" + ROOT + ">"
}

impl ConfigText {
    pub(crate) fn parse(text: &str) -> Result<ConfigText, CryptoError> {
        let refused = CryptoError::configuring;
        let document = parse(text).map_err(refused)?;
        let root = document.root_element();
        match (root.has_tag_name(ROOT), root.attribute("VERSION")) {
            (true, Some(VERSION)) => {}
            (true, Some(_)) => return Err(CryptoError::Version),
            _ => return Err(refused(Cause::Container)),
        }
        let read = || {
            for (name, value) in cloud() {
                if only(&root, name)?.text() != Some(value) {
                    return Err(Cause::Container);
                }
            }
            let name = |name| Ok(only(&root, name)?.text().ok_or(Cause::Container)?.to_owned());
            let key = match children(&root, KEY).next() {
                Some(_) => Some(binary(only(&root, KEY)?)?),
                None => None,
            };
            Ok(ConfigText {
                identity: name("IDENTITYPEERNAME")?,
                group: name("GROUPPEERNAME")?,
                chain: binary(only(&root, "GMC")?)?,
                hints: read_hints(&root)?,
                key,
            })
        };
        read().map_err(refused)
    }
}

/// The one network there is.
fn cloud() -> impl Iterator<Item = (&'static str, &'static str)> {
    CLOUD.into_iter().map(|(name, value)| (name, if name == "SCOPE" { SCOPE } else { value }))
}

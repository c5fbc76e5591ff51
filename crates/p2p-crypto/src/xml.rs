//! The texts that people hand on: the description of an identity, an invitation, an exported identity. Only their form: what they
//! contain is judged elsewhere.
//!
//! No document type definition is read, hence no entity is ever expanded; sizes, depth and the numbers of nodes and
//! attributes are bounded.

use std::fmt::Write;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p2p_core::{Address, KeyId};
use roxmltree::{Document, Node, ParsingOptions};

use crate::error::CryptoError;
use crate::refusal::Cause;

mod config;
mod password;

pub(crate) use config::{ConfigText, closed_config, open_config};
pub(crate) use password::{PasswordText, is_by_password, unsigned_password_invitation};

/// Largest text, in bytes.
pub(crate) const TEXT_MAX: usize = 65_536;
/// Most hints in an invitation, and most addresses in a hint.
pub(crate) const HINTS_MAX: usize = 8;
/// Elements within elements.
const DEPTH_MAX: usize = 4;
/// Elements and the texts between them, and signs that begin a tag: the reader makes room for as many nodes as there are
/// of these before it reads any. Our longest invitation has 156; with this many the room stays below 64 KiB.
const NODES_MAX: u32 = 400;
/// Signs of equality, and so attributes and namespaces: the reader keeps all of them and compares each with all others
/// of its element. Ours are 11 at most, beside those that end base64.
const EQUALS_MAX: usize = 256;
const DATA_TYPES: &str = "urn:schemas-microsoft-com:datatypes";
const VERSION: &str = "2.0";
const EXPORT_VERSION: &str = "1.0";
const SIGNATURE_OPEN: &str = "<SIG>";
const SIGNATURE_CLOSE: &str = "</SIG></PEERINVITATION>";
/// The one network there is, in the words that Windows has for it; checked like the rest.
const CLOUD: [(&str, &str); 3] =
    [("CLOUDNAME", "Global_"), ("SCOPE", "GLOBAL"), ("CLOUDFLAGS", "0")];

/// The description of the identity with this certificate.
pub(crate) fn identity(certificate: &[u8]) -> String {
    let body = STANDARD.encode(certificate);
    format!(
        "<PEERIDENTITYINFO VERSION=\"1.0\"><IDC xmlns:dt=\"{DATA_TYPES}\" dt:dt=\"bin.base64\">{body}</IDC>\
         </PEERIDENTITYINFO>"
    )
}

/// The certificate in the description of an identity.
pub(crate) fn identity_certificate(text: &str) -> Result<Vec<u8>, Cause> {
    let document = parse(text)?;
    let root = document.root_element();
    if !root.has_tag_name("PEERIDENTITYINFO") || root.attribute("VERSION") != Some("1.0") {
        return Err(Cause::Container);
    }
    binary(only(&root, "IDC")?)
}

/// An identity under a password: its name, and the sealed rest.
pub(crate) fn export(name: &str, data: &[u8]) -> String {
    let mut text = format!("<PEERIDENTITYEXPORT VERSION=\"{EXPORT_VERSION}\">");
    write_element(&mut text, "PEERNAME", &escaped(name));
    let body = STANDARD.encode(data);
    text.push_str(&format!("<DATA xmlns:dt=\"{DATA_TYPES}\" dt:dt=\"bin.base64\">{body}</DATA>"));
    text + "</PEERIDENTITYEXPORT>"
}

/// Name and sealed rest of an exported identity. The documentation of Windows has two spellings of both elements.
pub(crate) fn exported(text: &str) -> Result<(String, Vec<u8>), CryptoError> {
    let document = parse(text).map_err(CryptoError::importing)?;
    let root = document.root_element();
    match (root.has_tag_name("PEERIDENTITYEXPORT"), root.attribute("VERSION")) {
        (true, Some(EXPORT_VERSION)) => {}
        (true, Some(_)) => return Err(CryptoError::Version),
        _ => return Err(CryptoError::importing(Cause::Container)),
    }
    let read = |name, data| {
        let name = only(&root, name)?.text().ok_or(Cause::Container)?;
        Ok((name.to_owned(), binary(only(&root, data)?)?))
    };
    let second = children(&root, "IDENTITY").next().is_some();
    let read = if second { read("IDENTITY", "IDENTITYDATA") } else { read("PEERNAME", "DATA") };
    read.map_err(CryptoError::importing)
}

/// Where members may be found: whose addresses, and these.
pub(crate) type Hints = Vec<(KeyId, Vec<Address>)>;

/// An invitation up to its signature: exactly what is signed.
pub(crate) fn unsigned_invitation(chain: &[u8], hints: &[(KeyId, Vec<Address>)]) -> String {
    let mut text = invitation_head();
    write_binary(&mut text, "GMC", "", chain);
    write_hints(&mut text, hints);
    text
}

/// What every invitation begins with.
fn invitation_head() -> String {
    let mut text = format!("<PEERINVITATION VERSION=\"{VERSION}\">");
    for (name, value) in CLOUD {
        write_element(&mut text, name, value);
    }
    text
}

fn write_hints(text: &mut String, hints: &[(KeyId, Vec<Address>)]) {
    for (key, addresses) in hints {
        text.push_str(&format!("<HINT KEY=\"{}\">", hex(&key.0)));
        for address in addresses {
            write_element(text, "ADDRESS", &address.to_string());
        }
        text.push_str("</HINT>");
    }
}

/// The whole invitation.
pub(crate) fn signed_invitation(mut unsigned: String, signature: &[u8; 64]) -> String {
    unsigned.push_str(SIGNATURE_OPEN);
    unsigned.push_str(&STANDARD.encode(signature));
    unsigned.push_str(SIGNATURE_CLOSE);
    unsigned
}

/// An invitation, taken apart.
#[derive(Debug)]
pub(crate) struct InvitationText<'a> {
    pub(crate) chain: Vec<u8>,
    pub(crate) hints: Hints,
    /// What the signature covers: everything before it.
    pub(crate) signed: &'a str,
    pub(crate) signature: [u8; 64],
}

impl<'a> InvitationText<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<InvitationText<'a>, CryptoError> {
        let document = parse(text).map_err(CryptoError::incoming)?;
        let root = invitation_root(&document)?;
        InvitationText::read(text, &root).map_err(CryptoError::incoming)
    }

    fn read(text: &'a str, root: &Node<'_, '_>) -> Result<InvitationText<'a>, Cause> {
        check_cloud(root)?;
        if password::is_one(root) {
            return Err(Cause::OtherKind);
        }
        let chain = binary(only(root, "GMC")?)?;
        let (signed, signature) = split_signature(text, root)?;
        let hints = read_hints(root)?;
        Ok(InvitationText { chain, hints, signed, signature })
    }
}

/// The root of an invitation of the version that is spoken here.
fn invitation_root<'a, 'i>(document: &'a Document<'i>) -> Result<Node<'a, 'i>, CryptoError> {
    let root = document.root_element();
    match (root.has_tag_name("PEERINVITATION"), root.attribute("VERSION")) {
        (true, Some(VERSION)) => Ok(root),
        (true, Some(_)) => Err(CryptoError::Version),
        _ => Err(CryptoError::incoming(Cause::Container)),
    }
}

fn check_cloud(root: &Node<'_, '_>) -> Result<(), Cause> {
    for (name, value) in CLOUD {
        if only(root, name)?.text() != Some(value) {
            return Err(Cause::Container);
        }
    }
    Ok(())
}

fn read_hints(root: &Node<'_, '_>) -> Result<Hints, Cause> {
    let hints: Hints = children(root, "HINT").map(|node| hint(&node)).collect::<Result<_, _>>()?;
    if hints.len() > HINTS_MAX { Err(Cause::Container) } else { Ok(hints) }
}

/// Every byte is accounted for: the signature covers what stands before it, itself it has one encoding, and after it
/// only one ending is possible.
fn split_signature<'a>(text: &'a str, root: &Node<'_, '_>) -> Result<(&'a str, [u8; 64]), Cause> {
    if children(root, "SIG").next().is_none() {
        return Err(Cause::SignatureMissing);
    }
    only(root, "SIG")?;
    let body = text.strip_suffix(SIGNATURE_CLOSE).ok_or(Cause::Container)?;
    let (signed, signature) = body.rsplit_once(SIGNATURE_OPEN).ok_or(Cause::Container)?;
    let signature = STANDARD.decode(signature).map_err(|_| Cause::Base64)?;
    Ok((signed, signature.try_into().map_err(|_| Cause::TextSignature)?))
}

fn hint(node: &Node<'_, '_>) -> Result<(KeyId, Vec<Address>), Cause> {
    let key = node.attribute("KEY").and_then(unhex).ok_or(Cause::Container)?;
    let addresses =
        children(node, "ADDRESS").map(|child| address(&child)).collect::<Option<Vec<_>>>();
    let addresses = addresses.filter(|list| list.len() <= HINTS_MAX).ok_or(Cause::Container)?;
    Ok((KeyId(key), addresses))
}

fn address(node: &Node<'_, '_>) -> Option<Address> {
    let address = Address::from(node.text()?.parse::<SocketAddr>().ok()?);
    is_hint(&address).then_some(address)
}

/// Whether an address means anything on another machine: it can be dialled, without naming an interface of this one.
pub(crate) fn is_hint(address: &Address) -> bool {
    address.is_dialable() && address.scope == 0 && !address.ip.is_unicast_link_local()
}

fn parse(text: &str) -> Result<Document<'_>, Cause> {
    if text.len() > TEXT_MAX {
        return Err(Cause::TooLarge);
    }
    let count = |sign| text.bytes().filter(|byte| *byte == sign).count();
    if count(b'=') > EQUALS_MAX || count(b'<') > NODES_MAX as usize {
        return Err(Cause::Container);
    }
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_| Cause::Container)?;
    let deep = document
        .descendants()
        .any(|node| node.is_element() && node.ancestors().nth(DEPTH_MAX + 1).is_some());
    if deep { Err(Cause::Container) } else { Ok(document) }
}

fn children<'a, 'i>(node: &Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// The child element of this name, which must be there exactly once.
fn only<'a, 'i>(node: &Node<'a, 'i>, name: &'static str) -> Result<Node<'a, 'i>, Cause> {
    let mut found = children(node, name);
    match (found.next(), found.next()) {
        (Some(child), None) => Ok(child),
        _ => Err(Cause::Container),
    }
}

/// The bytes of an element that holds nothing but base64 (RFC 4648 §4, with padding, in its one canonical form).
fn binary(node: Node<'_, '_>) -> Result<Vec<u8>, Cause> {
    let mut inside = node.children();
    match (inside.next(), inside.next()) {
        (Some(text), None) if text.is_text() => {
            STANDARD.decode(text.text().unwrap_or_default()).map_err(|_| Cause::Base64)
        }
        _ => Err(Cause::Container),
    }
}

fn write_element(text: &mut String, name: &str, value: &str) {
    text.push_str(&format!("<{name}>{value}</{name}>"));
}

/// An element of base64; `attributes` begins with a space, if there are any.
fn write_binary(text: &mut String, name: &str, attributes: &str, bytes: &[u8]) {
    let body = STANDARD.encode(bytes);
    text.push_str(&format!(
        "<{name}{attributes} xmlns:dt=\"{DATA_TYPES}\" dt:dt=\"bin.base64\">{body}</{name}>"
    ));
}

/// Text as an element holds it (XML 1.0 §2.4). Names have no control characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_levels_of_elements_are_read_and_five_are_not() {
        assert!(parse("<a><b><c><d/></c></b></a>").is_ok());
        assert_eq!(parse("<a><b><c><d><e/></d></c></b></a>").unwrap_err(), Cause::Container);
    }

    #[test]
    fn sizes_and_numbers_are_bounded() {
        assert_eq!(parse(&"<a>".repeat(30_000)).unwrap_err(), Cause::TooLarge);
        assert_eq!(parse(&"<a>".repeat(20_000)).unwrap_err(), Cause::Container);
        let elements = |number| format!("<a>{}</a>", "<b/>".repeat(number));
        assert_eq!(parse(&elements(399)).unwrap_err(), Cause::Container);
        assert!(parse(&elements(398)).is_ok());
        let attributes =
            |number: usize| (0..number).map(|n| format!(" a{n}=\"\"")).collect::<String>();
        assert!(parse(&format!("<a{}/>", attributes(256))).is_ok());
        assert_eq!(parse(&format!("<a{}/>", attributes(257))).unwrap_err(), Cause::Container);
    }

    #[test]
    fn key_ids_are_64_lower_case_digits() {
        let bytes: [u8; 32] = core::array::from_fn(|i| (i * 37) as u8);
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for bad in [
            "",
            "0",
            &"0".repeat(63),
            &"0".repeat(65),
            &"G".repeat(64),
            &"A".repeat(64),
            &"é".repeat(32),
        ] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_unsigned_invitation_is_said_to_be_so() {
        let text = unsigned_invitation(b"chain", &[]) + "</PEERINVITATION>";
        let error = InvitationText::parse(&text).unwrap_err();
        assert_eq!(error.refusal(), Some(Cause::SignatureMissing.refusal()));
        let text = signed_invitation(unsigned_invitation(b"chain", &[]), &[7; 64]);
        let read = InvitationText::parse(&text).unwrap();
        assert_eq!((&read.chain[..], read.signature), (&b"chain"[..], [7; 64]));
        assert_eq!(read.signed, unsigned_invitation(b"chain", &[]));
    }
}

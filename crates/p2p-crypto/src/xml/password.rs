//! The form of an invitation by a password.

use p2p_core::Roles;
use roxmltree::Node;

use super::{
    Hints, binary, check_cloud, children, escaped, invitation_head, invitation_root, only, parse,
    read_hints, split_signature, write_binary, write_element, write_hints,
};
use crate::error::CryptoError;
use crate::password::PasswordParameters;
use crate::refusal::Cause;

/// The one way of stretching a password that is spoken here.
const KDF: &str = "argon2id";
/// What only an invitation of the one kind has, and only one of the other.
const BY_PASSWORD: &str = "PASSWORD";
const BY_NAME: &str = "GMC";

/// An invitation by a password up to its signature: exactly what is signed.
pub(crate) fn unsigned_password_invitation(
    (group, friendly_name): (&str, &str),
    role: Roles,
    parameters: &PasswordParameters,
    chain: &[u8],
    hints: &Hints,
) -> String {
    let mut text = invitation_head();
    write_element(&mut text, "GROUPPEERNAME", &escaped(group));
    write_element(&mut text, "GROUPFRIENDLYNAME", &escaped(friendly_name));
    for guid in role.guids() {
        write_element(&mut text, "ROLE", &guid.to_string());
    }
    let attributes = format!(
        " KDF=\"{KDF}\" MEMORY=\"{}\" PASSES=\"{}\" LANES=\"{}\"",
        parameters.memory(),
        parameters.passes(),
        parameters.lanes()
    );
    write_binary(&mut text, BY_PASSWORD, &attributes, parameters.salt());
    write_binary(&mut text, "ISSUER", "", chain);
    write_hints(&mut text, hints);
    text
}

/// Whether `text` is an invitation by a password, as far as its form tells; `false` for whatever is no invitation.
pub(crate) fn is_by_password(text: &str) -> bool {
    parse(text).is_ok_and(|document| is_one(&document.root_element()))
}

pub(super) fn is_one(root: &Node<'_, '_>) -> bool {
    children(root, BY_PASSWORD).next().is_some()
}

/// An invitation by a password, taken apart.
#[derive(Debug)]
pub(crate) struct PasswordText<'a> {
    pub(crate) group: String,
    pub(crate) friendly_name: String,
    pub(crate) role: Roles,
    pub(crate) parameters: PasswordParameters,
    /// The chain of who issued it.
    pub(crate) chain: Vec<u8>,
    pub(crate) hints: Hints,
    /// What the signature covers: everything before it.
    pub(crate) signed: &'a str,
    pub(crate) signature: [u8; 64],
}

impl<'a> PasswordText<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<PasswordText<'a>, CryptoError> {
        let document = parse(text).map_err(CryptoError::incoming)?;
        let root = invitation_root(&document)?;
        let other = children(&root, BY_NAME).next().is_some();
        let password = match only(&root, BY_PASSWORD) {
            Ok(password) if !other => password,
            _ if other => return Err(CryptoError::incoming(Cause::OtherKind)),
            _ => return Err(CryptoError::incoming(Cause::Container)),
        };
        if password.attribute("KDF").is_some_and(|kdf| kdf != KDF) {
            return Err(CryptoError::Version);
        }
        PasswordText::read(text, &root, password).map_err(CryptoError::incoming)
    }

    fn read(
        text: &'a str,
        root: &Node<'_, '_>,
        password: Node<'_, '_>,
    ) -> Result<PasswordText<'a>, Cause> {
        check_cloud(root)?;
        let words = |name| Ok(only(root, name)?.text().unwrap_or_default().to_owned());
        let (group, friendly_name) = (words("GROUPPEERNAME")?, words("GROUPFRIENDLYNAME")?);
        let role = words("ROLE")?;
        let role = Roles::GUIDS.iter().find(|row| row.1.to_string() == role);
        let parameters = parameters(password)?;
        let chain = binary(only(root, "ISSUER")?)?;
        let (signed, signature) = split_signature(text, root)?;
        let hints = read_hints(root)?;
        let role = role.ok_or(Cause::UnknownRole)?.0;
        Ok(PasswordText { group, friendly_name, role, parameters, chain, hints, signed, signature })
    }
}

fn parameters(password: Node<'_, '_>) -> Result<PasswordParameters, Cause> {
    let number = |name| {
        let text = password.attribute(name).ok_or(Cause::Container)?;
        let number: u32 = text.parse().map_err(|_| Cause::Container)?;
        if number.to_string() == text { Ok(number) } else { Err(Cause::Container) }
    };
    if password.attribute("KDF").is_none() {
        return Err(Cause::Container);
    }
    let costs = [number("MEMORY")?, number("PASSES")?, number("LANES")?];
    let salt = binary(password)?.try_into().map_err(|_| Cause::Container)?;
    PasswordParameters::new(costs, salt)
}

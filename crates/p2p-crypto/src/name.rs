//! Peer names: who somebody is, in a form that people and `p2p.h` can carry.

use core::fmt;

use p2p_core::{Code, KeyId};

/// Longest classifier, in UTF-16 units.
const CLASSIFIER_MAX: usize = 149;
/// Longest friendly name, in UTF-16 units.
const FRIENDLY_NAME_MAX: usize = 255;
/// Digits of the authority.
const AUTHORITY_LEN: usize = 40;

/// The name of an identity or of a group: 40 lower-case hexadecimal digits that are the beginning of its
/// [`KeyId`], a dot, and a classifier of at most 149 UTF-16 units, which may be empty and may contain dots.
///
/// ```
/// use p2p_crypto::PeerName;
/// let name = PeerName::parse("0123456789abcdef0123456789abcdef01234567.chess.friends")?;
/// assert_eq!(name.authority(), "0123456789abcdef0123456789abcdef01234567");
/// assert_eq!(name.classifier(), "chess.friends");
/// # Ok::<(), p2p_crypto::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerName(String);

impl PeerName {
    /// Reads a name. The dot may be missing if there is no classifier; the name that comes out has it.
    ///
    /// # Errors
    /// [`NameError::Syntax`] for whatever is not a name that this library makes: other digits than 40 lower-case
    /// hexadecimal ones, a classifier that is too long or has control or bidirectional characters.
    pub fn parse(text: &str) -> Result<PeerName, NameError> {
        let (authority, classifier) = text.split_once('.').unwrap_or((text, ""));
        let digits = authority.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if authority.len() != AUTHORITY_LEN || !digits {
            return Err(NameError::Syntax);
        }
        if units(classifier) > CLASSIFIER_MAX || !is_printable(classifier) {
            return Err(NameError::Syntax);
        }
        Ok(PeerName(format!("{authority}.{classifier}")))
    }

    /// The name of the holder of `key`.
    ///
    /// # Errors
    /// [`NameError::ClassifierTooLong`] above 149 UTF-16 units; [`NameError::InvalidClassifier`] if it is given but
    /// empty, or has control or bidirectional characters.
    pub fn for_key(key: &KeyId, classifier: Option<&str>) -> Result<PeerName, NameError> {
        if let Some(classifier) = classifier {
            check_classifier(classifier)?;
        }
        Ok(PeerName(format!("{}.{}", key.authority_hex(), classifier.unwrap_or_default())))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 40 digits.
    pub fn authority(&self) -> &str {
        &self.0[..AUTHORITY_LEN]
    }

    /// What follows the dot; empty if there is no classifier.
    pub fn classifier(&self) -> &str {
        &self.0[AUTHORITY_LEN + 1..]
    }

    /// The authority as bytes: the first 20 of the [`KeyId`].
    pub fn authority_bytes(&self) -> [u8; 20] {
        let digit = |b: u8| if b.is_ascii_digit() { b - b'0' } else { b - b'a' + 10 };
        let digits = self.authority().as_bytes();
        core::array::from_fn(|i| digit(digits[2 * i]) << 4 | digit(digits[2 * i + 1]))
    }

    /// Whether the name can be that of `key`.
    pub fn is_of(&self, key: &KeyId) -> bool {
        self.authority_bytes() == key.authority()
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerName({})", self.0)
    }
}

/// Why a name is not acceptable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// The text is not a peer name.
    #[error("not a peer name")]
    Syntax,
    /// A classifier has more than 149 UTF-16 units.
    #[error("the classifier is longer than 149 characters")]
    ClassifierTooLong,
    /// A classifier is empty or has control or bidirectional characters.
    #[error("the classifier is empty or has characters that are not allowed")]
    InvalidClassifier,
    /// A friendly name has more than 255 UTF-16 units, or control or bidirectional characters.
    #[error("the friendly name is too long or has characters that are not allowed")]
    InvalidFriendlyName,
}

impl NameError {
    /// The code that an API function returns for this error.
    pub fn code(self) -> Code {
        match self {
            NameError::Syntax => Code::PEER_E_INVALID_PEER_NAME,
            NameError::ClassifierTooLong => Code::PEER_E_CLASSIFIER_TOO_LONG,
            NameError::InvalidClassifier => Code::PEER_E_INVALID_CLASSIFIER,
            NameError::InvalidFriendlyName => Code::PEER_E_INVALID_FRIENDLY_NAME,
        }
    }
}

/// Whether `text` may be a friendly name: at most 255 UTF-16 units, no control or bidirectional characters.
///
/// # Errors
/// [`NameError::InvalidFriendlyName`].
pub fn check_friendly_name(text: &str) -> Result<(), NameError> {
    if units(text) > FRIENDLY_NAME_MAX || !is_printable(text) {
        return Err(NameError::InvalidFriendlyName);
    }
    Ok(())
}

/// Whether `text` may be a classifier that is really there.
pub(crate) fn check_classifier(text: &str) -> Result<(), NameError> {
    if units(text) > CLASSIFIER_MAX {
        return Err(NameError::ClassifierTooLong);
    }
    if text.is_empty() || !is_printable(text) {
        return Err(NameError::InvalidClassifier);
    }
    Ok(())
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// No control character, no line or paragraph separator, nothing that changes the direction of writing: such a name
/// could make a terminal, a log or a list show something else than what it says.
fn is_printable(text: &str) -> bool {
    let directional = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| c.is_control() || directional(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn the_first_dot_splits_and_a_missing_one_is_added() {
        let name = PeerName::parse(&format!("{AUTHORITY}.a.b")).unwrap();
        assert_eq!((name.authority(), name.classifier()), (AUTHORITY, "a.b"));
        let bare = PeerName::parse(AUTHORITY).unwrap();
        assert_eq!(bare, PeerName::parse(&format!("{AUTHORITY}.")).unwrap());
        assert_eq!((bare.to_string(), bare.classifier()), (format!("{AUTHORITY}."), ""));
    }

    #[test]
    fn other_texts_are_no_names() {
        let upper = AUTHORITY.to_uppercase();
        let long = format!("{AUTHORITY}.{}", "x".repeat(150));
        let bell = format!("{AUTHORITY}.a\u{7}");
        let bidi = format!("{AUTHORITY}.a\u{202e}b");
        let short = &AUTHORITY[1..];
        for bad in ["", ".", "0", "0.games", &upper, &long, &bell, &bidi, short, "é"] {
            assert_eq!(PeerName::parse(bad), Err(NameError::Syntax), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_made_of_its_key() {
        let key = KeyId(core::array::from_fn(|i| i as u8 * 7));
        let name = PeerName::for_key(&key, Some("chess")).unwrap();
        assert_eq!(name.authority_bytes(), key.authority());
        assert!(name.is_of(&key) && !name.is_of(&KeyId([0; 32])));
        assert_eq!(PeerName::for_key(&key, None).unwrap().classifier(), "");
    }

    #[test]
    fn limits_count_utf16_units() {
        let key = KeyId([1; 32]);
        let pair = "\u{1f600}";
        assert!(PeerName::for_key(&key, Some(&pair.repeat(74))).is_ok());
        let long = PeerName::for_key(&key, Some(&pair.repeat(75)));
        assert_eq!(long, Err(NameError::ClassifierTooLong));
        assert!(check_friendly_name(&pair.repeat(127)).is_ok());
        assert_eq!(check_friendly_name(&pair.repeat(128)), Err(NameError::InvalidFriendlyName));
        assert_eq!(check_friendly_name(&"x".repeat(256)), Err(NameError::InvalidFriendlyName));
        assert_eq!(
            PeerName::parse(&format!("{AUTHORITY}.{}", "x".repeat(149))).unwrap().as_str().len(),
            190
        );
    }

    #[test]
    fn what_could_mislead_a_reader_is_refused() {
        let key = KeyId([1; 32]);
        for bad in [
            "",
            "a\0",
            "a\nb",
            "\u{85}",
            "\u{2028}",
            "\u{202e}x",
            "\u{2066}",
            "\u{200f}",
            "\u{61c}",
        ] {
            assert_eq!(
                PeerName::for_key(&key, Some(bad)),
                Err(NameError::InvalidClassifier),
                "{bad:?}"
            );
            assert_eq!(check_friendly_name(bad).is_ok(), bad.is_empty(), "{bad:?}");
        }
        assert!(check_friendly_name("Zoë – 東京 😀").is_ok());
    }
}

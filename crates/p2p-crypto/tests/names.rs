//! Names, whatever is in them: the rules said a second time, and compared.

use p2p_core::KeyId;
use p2p_crypto::{NameError, PeerName, check_friendly_name};
use proptest::prelude::*;

/// Any text, and often one at the edge of what is allowed.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z.\u{1f600}東\u{202e}\u{200f}\n\u{7f}\u{85}]{0,8}",
        (140usize..160, prop::sample::select(vec!["x", "é", "東", "\u{1f600}"]))
            .prop_map(|(units, part)| part.repeat(units / part.encode_utf16().count())),
        (250usize..260, prop::sample::select(vec!["x", "東", "\u{1f600}"]))
            .prop_map(|(units, part)| part.repeat(units / part.encode_utf16().count())),
    ]
}

fn misleads(text: &str) -> bool {
    let directions = [0x61c..=0x61c, 0x200e..=0x200f, 0x2028..=0x202e, 0x2066..=0x2069];
    text.chars().map(u32::from).any(|c| {
        c < 0x20 || (0x7f..0xa0).contains(&c) || directions.iter().any(|range| range.contains(&c))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_classifier_is_allowed_by_its_rules_alone(key: [u8; 32], text in text()) {
        let units = text.encode_utf16().count();
        let due = match () {
            () if units > 149 => Err(NameError::ClassifierTooLong),
            () if units == 0 || misleads(&text) => Err(NameError::InvalidClassifier),
            () => Ok(()),
        };
        let made = PeerName::for_key(&KeyId(key), Some(&text));
        prop_assert_eq!(made.clone().map(|_| ()), due);
        if let Ok(name) = made {
            prop_assert_eq!(name.classifier(), &text);
            prop_assert!(name.is_of(&KeyId(key)) && name.as_str().encode_utf16().count() <= 190);
            prop_assert_eq!(PeerName::parse(name.as_str()), Ok(name));
        }
    }

    #[test]
    fn a_friendly_name_is_allowed_by_its_rules_alone(text in text()) {
        let allowed = text.encode_utf16().count() <= 255 && !misleads(&text);
        prop_assert_eq!(check_friendly_name(&text).is_ok(), allowed);
    }

    #[test]
    fn what_is_read_as_a_name_is_written_as_it_was_read(head in "[0-9a-fA-F]{38,42}", tail in text(), dot: bool) {
        let text = if dot { format!("{head}.{tail}") } else { head.clone() };
        match PeerName::parse(&text) {
            Ok(name) => {
                prop_assert_eq!(name.as_str(), if dot { text } else { format!("{head}.") });
                prop_assert!(head.len() == 40 && head == head.to_lowercase());
            }
            Err(error) => prop_assert_eq!(error, NameError::Syntax),
        }
    }
}

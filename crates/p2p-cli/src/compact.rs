//! An invitation in the letters that a QR code holds most of.
//!
//! `P2P:1:` and base32 (RFC 4648 §6, upper case, without padding) of raw deflate (RFC 1951) of the packed XML. Packed is
//! its text with each stretch of base64 replaced by its bytes, as pairs until the end, numbers most significant byte
//! first:
//!
//! ```text
//! length 2 | text | length 2 | bytes that stood there as base64
//! ```
//!
//! What comes out again is the XML as it was signed, and is verified as such: here nothing is decided.

use data_encoding::{BASE32_NOPAD, BASE64};
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use p2p_group::{Code, Refusal};

use crate::exit::Failure;

const HEAD: &str = "P2P:";
const VERSION: &str = "1:";
/// Least letters of base64 that are worth a pair.
const RUN_MIN: usize = 32;
/// Longest packed form, in bytes: no XML of an invitation is longer.
const PACKED_MAX: usize = 64 << 10;
/// `miniz_oxide`'s highest level; the texts are short.
const LEVEL: u8 = 10;

/// The compact form of an invitation's XML.
pub(crate) fn shorten(xml: &str) -> String {
    let packed = compress_to_vec(&pack(xml), LEVEL);
    format!("{HEAD}{VERSION}{}", BASE32_NOPAD.encode(&packed))
}

/// Whether a text claims to be in this form. Letters may have either case: some readers change it.
pub(crate) fn is_compact(text: &str) -> bool {
    text.get(..HEAD.len()).is_some_and(|head| head.eq_ignore_ascii_case(HEAD))
}

/// The XML in a text that [is compact](is_compact).
pub(crate) fn expand(text: &str) -> Result<String, Failure> {
    let text = text.to_ascii_uppercase();
    let body = text.strip_prefix(HEAD).and_then(|rest| rest.strip_prefix(VERSION));
    let body = body.ok_or_else(|| {
        Failure::code("this version is not supported", Code::PEER_E_UNSUPPORTED_VERSION)
    })?;
    let bytes = BASE32_NOPAD
        .decode(body.as_bytes())
        .map_err(|_| refused("The base32 is broken.", Code::CRYPT_E_BAD_ENCODE))?;
    decompress_to_vec_with_limit(&bytes, PACKED_MAX)
        .ok()
        .and_then(|packed| unpack(&packed))
        .ok_or_else(|| refused("The compact form is broken.", Code::CRYPT_E_BAD_MSG))
}

fn refused(message: &str, code: Code) -> Failure {
    Failure::Code {
        message: message.to_owned(),
        code: Code::PEER_E_INVITATION_NOT_TRUSTED,
        refusal: Some(Refusal { code, detail: Code::NTE_BAD_DATA }),
    }
}

fn pack(xml: &str) -> Vec<u8> {
    let mut packed = Vec::with_capacity(xml.len());
    let mut rest = xml;
    while !rest.is_empty() {
        let (text, letters) = split(rest);
        rest = &rest[text.len() + letters.len()..];
        let bytes = BASE64.decode(letters.as_bytes()).expect("`split` has tried it");
        part(&mut packed, text.as_bytes());
        part(&mut packed, &bytes);
    }
    packed
}

fn part(packed: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("an invitation is shorter");
    packed.extend(length.to_be_bytes());
    packed.extend(bytes);
}

/// What stands before the first stretch of base64, and that stretch.
fn split(text: &str) -> (&str, &str) {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut start = 0;
    while let Some(found) = text[start..].find(is_letter) {
        start += found;
        let rest = &text[start..];
        let run = &rest[..rest.find(|c| !is_letter(c)).unwrap_or(rest.len())];
        // Decoding accepts the canonical form only, so it comes back as it was.
        if run.len() >= RUN_MIN && BASE64.decode(run.as_bytes()).is_ok() {
            return (&text[..start], run);
        }
        start += run.len();
    }
    (text, "")
}

fn unpack(mut packed: &[u8]) -> Option<String> {
    let mut xml = String::new();
    while !packed.is_empty() {
        xml.push_str(str::from_utf8(take(&mut packed)?).ok()?);
        BASE64.encode_append(take(&mut packed)?, &mut xml);
    }
    Some(xml)
}

fn take<'a>(packed: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = packed.split_first_chunk()?;
    let (bytes, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *packed = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITATION: &str = include_str!("../tests/invitation-valid.xml");

    #[test]
    fn an_invitation_comes_back_as_it_was() {
        for xml in
            [INVITATION, "", "no base64", &"A".repeat(64), "<a>é</a>", "= =", &"x".repeat(60_000)]
        {
            let short = shorten(xml);
            assert!(is_compact(&short));
            assert_eq!(expand(&short).unwrap(), xml);
            assert_eq!(expand(&short.to_lowercase()).unwrap(), xml, "case does not matter");
        }
        let short = shorten(INVITATION);
        assert!(short.len() < 2_000, "{}", short.len());
        assert!(short.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b':'));
    }

    #[test]
    fn a_stretch_that_would_come_back_otherwise_stays_text() {
        // Bits behind the last byte, padding in the middle, a wrong length.
        for run in ["A".repeat(42) + "B=", "A".repeat(20) + "==" + &"A".repeat(22), "A".repeat(41)]
        {
            assert_eq!(split(&run), (&run[..], ""));
            assert_eq!(expand(&shorten(&run)).unwrap(), run);
        }
    }

    #[test]
    fn what_is_broken_is_refused_and_bounded() {
        let short = shorten(INVITATION);
        let bomb = format!("P2P:1:{}", BASE32_NOPAD.encode(&compress_to_vec(&[0; 1 << 20], 10)));
        let half = format!("P2P:1:{}", BASE32_NOPAD.encode(&compress_to_vec(&[0, 9, b'x'], 10)));
        for broken in [&short[..short.len() - 8], "P2P:1:", "P2P:1:1", "P2P:1:AAAA*", &bomb, &half]
        {
            assert!(
                matches!(
                    expand(broken),
                    Err(Failure::Code {
                        code: Code::PEER_E_INVITATION_NOT_TRUSTED,
                        refusal: Some(_),
                        ..
                    })
                ),
                "{broken:.40}"
            );
        }
        assert!(matches!(
            expand(&short.replacen("P2P:1", "P2P:2", 1)),
            Err(Failure::Code { code: Code::PEER_E_UNSUPPORTED_VERSION, .. })
        ));
        assert!(!is_compact("p2p-invitation:1:AAAA") && !is_compact("P2P") && !is_compact("ééé"));
    }
}

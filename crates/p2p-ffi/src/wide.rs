//! UTF-16 text, in and out.
//!
//! Text from C ends in a 0 unit and has no length of its own, so every reader says how far it is willing to look.

use core::ptr;

use p2p_group::Code;
use zeroize::Zeroizing;

/// Longest text read anywhere, in UTF-16 units: what an invitation or an identity may have.
pub(crate) const TEXT_MAX: usize = 65_536;
/// Longest password that is looked at, in UTF-16 units: `p2p-crypto` takes as many bytes.
pub(crate) const PASSWORD_MAX: usize = 1_024;
/// Longest peer name, in UTF-16 units.
pub(crate) const NAME_MAX: usize = 190;

/// Why a text could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WideError {
    /// The pointer is null.
    Null,
    /// No 0 within the limit.
    TooLong,
    /// Half of a surrogate pair.
    Surrogate,
}

impl WideError {
    /// The code of the error, where a text that is too long has a code of its own.
    pub(crate) fn or_too_long(self, too_long: Code) -> Code {
        match self {
            WideError::TooLong => too_long,
            WideError::Null | WideError::Surrogate => Code::E_INVALIDARG,
        }
    }
}

impl From<WideError> for Code {
    fn from(error: WideError) -> Code {
        error.or_too_long(Code::E_INVALIDARG)
    }
}

/// Reads a text of at most `units` UTF-16 units, not counting its end.
///
/// # Safety
/// `text` is null, or points to readable units up to and including the first 0, or to `units + 1` readable ones.
pub(crate) unsafe fn read(text: *const u16, units: usize) -> Result<String, WideError> {
    if text.is_null() {
        return Err(WideError::Null);
    }
    let mut found = Vec::new();
    loop {
        // SAFETY: no 0 came before this unit, and it is within `units + 1`; the caller vouches for it. Unaligned, so
        // that a caller on a lenient machine may pass text from a packed structure.
        let unit = unsafe { ptr::read_unaligned(text.add(found.len())) };
        match unit {
            0 => break,
            _ if found.len() == units => return Err(WideError::TooLong),
            _ => found.push(unit),
        }
    }
    String::from_utf16(&found).map_err(|_| WideError::Surrogate)
}

/// As [`read`], for a password: the text is wiped when dropped, and no copy of it is left behind.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn read_secret(
    text: *const u16,
    units: usize,
) -> Result<Zeroizing<String>, WideError> {
    if text.is_null() {
        return Err(WideError::Null);
    }
    // SAFETY: as in `read`: each unit follows one that is not 0, and lies within `units + 1`.
    let unit = |index| unsafe { ptr::read_unaligned(text.add(index)) };
    let length = (0..=units).find(|index| unit(*index) == 0).ok_or(WideError::TooLong)?;
    // Three bytes for a unit are the most, so the buffer never moves.
    let mut found = Zeroizing::new(String::with_capacity(3 * length));
    for character in char::decode_utf16((0..length).map(unit)) {
        found.push(character.map_err(|_| WideError::Surrogate)?);
    }
    Ok(found)
}

/// As [`read`]; null is `None`.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn read_optional(
    text: *const u16,
    units: usize,
) -> Result<Option<String>, WideError> {
    // SAFETY: passed on from our caller.
    match unsafe { read(text, units) } {
        Err(WideError::Null) => Ok(None),
        read => read.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().chain([0]).collect()
    }

    fn read_all(units: &[u16], limit: usize) -> Result<String, WideError> {
        // SAFETY: every caller below passes units that hold a 0 or more than `limit` units.
        unsafe { read(units.as_ptr(), limit) }
    }

    #[test]
    fn text_is_read_up_to_its_end() {
        assert_eq!(read_all(&wide("Zoë 🦀"), 10).unwrap(), "Zoë 🦀");
        assert_eq!(read_all(&wide(""), 0).unwrap(), "");
        assert_eq!(read_all(&[97, 0, 98, 0], 10).unwrap(), "a");
    }

    #[test]
    fn the_limit_counts_units_and_is_exact() {
        assert_eq!(read_all(&wide("🦀🦀"), 4).unwrap(), "🦀🦀");
        assert_eq!(read_all(&wide("🦀🦀"), 3), Err(WideError::TooLong));
    }

    #[test]
    fn half_a_surrogate_pair_is_an_error() {
        for broken in [[0xD83E, 0x61, 0], [0xDD80, 0x61, 0], [0x61, 0xD83E, 0]] {
            assert_eq!(read_all(&broken, 10), Err(WideError::Surrogate));
        }
        assert_eq!(Code::from(WideError::Surrogate), Code::E_INVALIDARG);
    }

    #[test]
    fn a_secret_is_read_as_any_text() {
        let secret = |units: &[u16], limit| {
            // SAFETY: every caller below passes units that hold a 0 or more than `limit` units.
            unsafe { read_secret(units.as_ptr(), limit) }.map(|text| text.to_string())
        };
        for (units, limit) in
            [(wide("Zoë 🦀"), 6), (wide("Zoë 🦀"), 5), (wide(""), 0), (vec![0xD83E, 0x61, 0], 9)]
        {
            assert_eq!(secret(&units, limit), read_all(&units, limit));
        }
        // SAFETY: null is allowed.
        assert!(unsafe { read_secret(ptr::null(), 1) }.is_err());
    }

    #[test]
    fn null_is_an_error_or_nothing() {
        // SAFETY: null is allowed.
        unsafe {
            assert_eq!(read(ptr::null(), 1), Err(WideError::Null));
            assert_eq!(read_optional(ptr::null(), 1), Ok(None));
        }
    }
}

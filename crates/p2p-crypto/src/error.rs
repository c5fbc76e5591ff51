//! What goes wrong when something is made or taken in.

use p2p_core::{Code, Refusal};

use crate::name::NameError;
use crate::refusal::Cause;

/// Why an identity, a group or an invitation could not be made or accepted. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// A name has a form that is not allowed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A check of trust failed, on the way in or before something was issued.
    #[error("{cause} ({code})")]
    Refused {
        /// What the function that was called reports.
        code: Code,
        /// What is behind it.
        cause: Cause,
        /// The cause's two codes.
        #[source]
        refusal: Refusal,
    },
    /// An argument is out of range.
    #[error("{0}")]
    Argument(&'static str),
    /// The invitation or export is of a version that is not spoken here.
    #[error("this version is not supported")]
    Version,
    /// The random generator of the operating system failed.
    #[error("the random generator failed")]
    Random,
    /// There is not enough memory to stretch the password.
    #[error("not enough memory")]
    Memory,
}

impl CryptoError {
    /// The code that an API function returns for this error.
    pub fn code(&self) -> Code {
        match self {
            CryptoError::Name(error) => error.code(),
            CryptoError::Refused { code, .. } => *code,
            CryptoError::Argument(_) => Code::E_INVALIDARG,
            CryptoError::Version => Code::PEER_E_UNSUPPORTED_VERSION,
            CryptoError::Random => Code::NTE_FAIL,
            CryptoError::Memory => Code::E_OUTOFMEMORY,
        }
    }

    /// The two codes behind the error, if a check of trust failed.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            CryptoError::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }

    /// An invitation that came in is refused for `cause`.
    pub(crate) fn incoming(cause: Cause) -> CryptoError {
        let code = cause.incoming_code();
        CryptoError::Refused { code, cause, refusal: cause.refusal() }
    }

    /// An export is refused for `cause`.
    pub(crate) fn importing(cause: Cause) -> CryptoError {
        let refusal = cause.refusal();
        CryptoError::Refused { code: refusal.code, cause, refusal }
    }

    /// Something that was to be issued is refused for `cause`.
    pub(crate) fn issuing(cause: Cause) -> CryptoError {
        let code = cause.issuing_code();
        CryptoError::Refused { code, cause, refusal: cause.refusal() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn a_refusal_is_the_source_of_its_error() {
        for cause in Cause::all() {
            for error in [CryptoError::incoming(cause), CryptoError::issuing(cause)] {
                let source =
                    error.source().and_then(|source| source.downcast_ref::<Refusal>()).copied();
                assert_eq!(
                    (source, error.refusal()),
                    (Some(cause.refusal()), Some(cause.refusal()))
                );
                assert!(!error.code().is_success() && error.code().name().is_some());
                assert!(error.to_string().starts_with(cause.meaning()));
            }
        }
    }

    #[test]
    fn errors_without_a_refusal_have_codes_too() {
        for (error, code) in [
            (CryptoError::Name(NameError::Syntax), Code::PEER_E_INVALID_PEER_NAME),
            (CryptoError::Argument("x"), Code::E_INVALIDARG),
            (CryptoError::Version, Code::PEER_E_UNSUPPORTED_VERSION),
            (CryptoError::Random, Code::NTE_FAIL),
            (CryptoError::Memory, Code::E_OUTOFMEMORY),
        ] {
            assert_eq!((error.code(), error.refusal()), (code, None));
        }
    }
}

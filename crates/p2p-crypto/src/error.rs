//! What goes wrong when something is made or taken in.

use p2p_core::{Code, Refusal};

use crate::key::KeySourceError;
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
    /// The group's properties contradict each other or exceed a limit.
    #[error("{0}")]
    Properties(&'static str),
    /// A role is none of the three, or more than one where one is due.
    #[error("{0}")]
    Role(&'static str),
    /// The invitation or export is of a version that is not spoken here.
    #[error("this version is not supported")]
    Version,
    /// The private key lives elsewhere, and cannot be had or did not sign.
    #[error(transparent)]
    Key(#[from] KeySourceError),
    /// A password for a group that is too easy to guess: [`check_password`](crate::check_password).
    #[error("the password is too weak: 8 characters at least, not all the same")]
    WeakPassword,
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
            CryptoError::Properties(_) => Code::PEER_E_INVALID_GROUP_PROPERTIES,
            CryptoError::Role(_) => Code::PEER_E_INVALID_ROLE_PROPERTY,
            CryptoError::Version => Code::PEER_E_UNSUPPORTED_VERSION,
            CryptoError::Key(error) => error.code(),
            CryptoError::WeakPassword => Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY,
            CryptoError::Random => Code::NTE_FAIL,
            CryptoError::Memory => Code::E_OUTOFMEMORY,
        }
    }

    /// The two codes behind the error, if a check of trust failed or a key could not be used.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            CryptoError::Refused { refusal, .. } => Some(*refusal),
            CryptoError::Key(error) => Some(error.refusal()),
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

    /// A group's configuration is refused for `cause`.
    pub(crate) fn configuring(cause: Cause) -> CryptoError {
        let code = cause.configuring_code();
        CryptoError::Refused { code, cause, refusal: cause.refusal() }
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
            (CryptoError::Properties("x"), Code::PEER_E_INVALID_GROUP_PROPERTIES),
            (CryptoError::Role("x"), Code::PEER_E_INVALID_ROLE_PROPERTY),
            (CryptoError::Version, Code::PEER_E_UNSUPPORTED_VERSION),
            (CryptoError::WeakPassword, Code::PEER_E_PASSWORD_DOES_NOT_MEET_POLICY),
            (CryptoError::Random, Code::NTE_FAIL),
            (CryptoError::Memory, Code::E_OUTOFMEMORY),
        ] {
            assert_eq!((error.code(), error.refusal()), (code, None));
        }
    }
}

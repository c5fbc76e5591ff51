//! The wall around every exported function: panics, null pointers, and the detail of the last failure.
//!
//! Each function is `guard::call(|| { … })`. Inside, the order is always the same: clear the out pointers, check that
//! the library is started, check that no out pointer is null, look up the handle, then the other arguments.

use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use p2p_group::{Code, Refusal};

use crate::layout::HRESULT;
use crate::wide::WideError;

thread_local! {
    static DETAIL: Cell<Code> = const { Cell::new(Code::S_OK) };
}

/// What a function failed with, and the detail behind it (`S_OK`: none).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// What the function returns.
    pub(crate) code: Code,
    /// What [`P2PGetLastErrorDetail`] returns afterwards.
    pub(crate) detail: Code,
}

impl Failure {
    /// A failure with the refusal behind it: its code where `code` is of another family, else its finer code.
    pub(crate) fn new(code: Code, refusal: Option<Refusal>) -> Failure {
        Failure { code, detail: detail_of(code, refusal) }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Failure {
        Failure::new(code, None)
    }
}

impl From<WideError> for Failure {
    fn from(error: WideError) -> Failure {
        Code::from(error).into()
    }
}

macro_rules! from_group_errors {
    ($($error:ident)*) => {
        $(impl From<p2p_group::$error> for Failure {
            fn from(error: p2p_group::$error) -> Failure {
                tracing::debug!(code = %error.code(), "{error}");
                Failure::new(error.code(), error.refusal())
            }
        })*
    };
}

macro_rules! from_plain_errors {
    ($($error:ident)*) => {
        $(impl From<p2p_group::$error> for Failure {
            fn from(error: p2p_group::$error) -> Failure {
                error.code().into()
            }
        })*
    };
}

from_group_errors!(Error IdentityError GroupError InviteError CryptoError DirectError AdminError);
from_plain_errors!(Closed ConnectError SendError CloseError);

impl From<p2p_group::StartError> for Failure {
    /// Nothing else tells the program what is wrong with its environment.
    fn from(error: p2p_group::StartError) -> Failure {
        tracing::warn!(code = %error.code(), "{error}");
        Failure::new(error.code(), error.refusal())
    }
}

/// The detail to show beside `code`: what `code` itself does not tell already.
pub(crate) fn detail_of(code: Code, refusal: Option<Refusal>) -> Code {
    match refusal {
        Some(refusal) if code == refusal.code => refusal.detail,
        Some(refusal) => refusal.code,
        None => Code::S_OK,
    }
}

/// Runs the body of an exported function: a panic becomes `E_UNEXPECTED`, a failure is remembered for its detail.
pub(crate) fn call(body: impl FnOnce() -> Result<Code, Failure>) -> HRESULT {
    let result =
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(Code::E_UNEXPECTED.into()));
    match result {
        Ok(code) => code.0,
        Err(failure) => {
            // A thread that is being torn down has nobody left to ask.
            let _ = DETAIL.try_with(|detail| detail.set(failure.detail));
            failure.code.0
        }
    }
}

/// Runs the body of an exported function that has no result to fail with. A panic ends in the log.
pub(crate) fn quiet<R: Default>(body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_default()
}

/// An out pointer: cleared at once, checked when its turn comes, written at the end.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Takes an out pointer and clears what it points to.
    ///
    /// # Safety
    /// `pointer` is null, or may be written for as long as the result lives.
    pub(crate) unsafe fn clear(pointer: *mut T, cleared: T) -> Out<T> {
        let out = Out(pointer);
        if !pointer.is_null() {
            out.set(cleared);
        }
        out
    }

    /// Takes an out pointer whose old value stays unless there is a new one.
    ///
    /// # Safety
    /// As [`clear`](Self::clear).
    pub(crate) unsafe fn keep(pointer: *mut T) -> Out<T> {
        Out(pointer)
    }

    /// Whether there is somewhere to write.
    ///
    /// # Errors
    /// `E_INVALIDARG` for null.
    pub(crate) fn required(&self) -> Result<(), Failure> {
        if self.0.is_null() { Err(Code::E_INVALIDARG.into()) } else { Ok(()) }
    }

    /// Writes the result.
    pub(crate) fn set(&self, value: T) {
        assert!(!self.0.is_null(), "an out pointer is checked before it is used");
        // SAFETY: not null, and `clear`'s caller vouches for the rest. Unaligned, for packed structures.
        unsafe { self.0.write_unaligned(value) }
    }
}

/// Reads a value that the caller passes by pointer.
///
/// # Safety
/// `pointer` is null, or points to a value that may be read.
///
/// # Errors
/// `E_INVALIDARG` for null.
pub(crate) unsafe fn required<T: Copy>(pointer: *const T) -> Result<T, Failure> {
    if pointer.is_null() {
        return Err(Code::E_INVALIDARG.into());
    }
    // SAFETY: not null; the caller vouches for the rest.
    Ok(unsafe { pointer.read_unaligned() })
}

/// The detail behind this thread's last failed call; `S_OK` if there is none. A call that succeeds does not change it.
///
/// Where the call returned a `PEER_E_*` code because a certificate or a signature was refused, this is the `CRYPT_E_*`
/// code of the refusal; where it returned that code itself, this is the finer `CERT_E_*`, `TRUST_E_*` or `NTE_*`.
#[unsafe(no_mangle)]
pub extern "system" fn P2PGetLastErrorDetail() -> HRESULT {
    DETAIL.try_with(Cell::get).unwrap_or(Code::S_OK).0
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: Refusal =
        Refusal { code: Code::CRYPT_E_HASH_VALUE, detail: Code::TRUST_E_CERT_SIGNATURE };

    #[test]
    fn a_panic_does_not_cross() {
        assert_eq!(call(|| panic!("inside")), Code::E_UNEXPECTED.0);
        assert_eq!(quiet(|| -> u32 { panic!("inside") }), 0);
    }

    #[test]
    fn the_detail_is_what_the_code_does_not_tell() {
        call(|| Err(Failure::new(Code::PEER_E_INVITATION_NOT_TRUSTED, Some(REFUSAL))));
        assert_eq!(P2PGetLastErrorDetail(), Code::CRYPT_E_HASH_VALUE.0);
        call(|| Err(Failure::new(Code::CRYPT_E_HASH_VALUE, Some(REFUSAL))));
        assert_eq!(P2PGetLastErrorDetail(), Code::TRUST_E_CERT_SIGNATURE.0);
    }

    #[test]
    fn the_detail_belongs_to_the_last_failure_of_this_thread() {
        call(|| Err(Failure::new(Code::CRYPT_E_HASH_VALUE, Some(REFUSAL))));
        assert_eq!(call(|| Ok(Code::PEER_S_NO_EVENT_DATA)), Code::PEER_S_NO_EVENT_DATA.0);
        assert_eq!(P2PGetLastErrorDetail(), Code::TRUST_E_CERT_SIGNATURE.0);
        assert_eq!(std::thread::spawn(|| P2PGetLastErrorDetail()).join().unwrap(), Code::S_OK.0);
        call(|| Err(Code::E_INVALIDARG.into()));
        assert_eq!(P2PGetLastErrorDetail(), Code::S_OK.0);
    }

    #[test]
    fn an_out_pointer_is_cleared_and_may_be_unaligned() {
        let mut bytes = [0xff_u8; 9];
        // SAFETY: four of the nine bytes, from the second on.
        let out = unsafe { Out::<u32>::clear(bytes.as_mut_ptr().add(1).cast(), 0) };
        assert!(out.required().is_ok());
        out.set(0x0101_0101);
        assert_eq!(bytes, [0xff, 1, 1, 1, 1, 0xff, 0xff, 0xff, 0xff]);
        // SAFETY: null is allowed.
        let none = unsafe { Out::<u32>::clear(core::ptr::null_mut(), 0) };
        assert_eq!(none.required(), Err(Code::E_INVALIDARG.into()));
    }
}

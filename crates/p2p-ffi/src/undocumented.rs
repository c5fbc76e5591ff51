//! Exports of Windows' library that no header ever declared. Nobody knows what they take, so they do nothing, and say so;
//! they are here for programs that look them up by name. What they seem to be for happens without them: after a sleep of the
//! machine, links that died end by their time-out, and the group looks for its members again; `PeerIdentityGetXML` shows the
//! certificate.
//!
//! All of them answer `E_NOTIMPL`. Whatever a caller passes is not looked at.

use p2p_group::Code;

use crate::layout::HRESULT;

macro_rules! undocumented {
    ($($name:ident)*) => {$(
        /// Answers `E_NOTIMPL`: no prototype of it was ever published.
        #[cfg_attr(feature = "undocumented-exports", unsafe(no_mangle))]
        pub extern "system" fn $name() -> HRESULT {
            Code::E_NOTIMPL.0
        }
    )*};
}

undocumented! {
    PeerGroupHandlePowerEvent
    PeerIdentityGetCert
    PeerSSPAddCredentials
    PeerSSPRemoveCredentials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_ever_described_is_not_implemented() {
        for function in [
            PeerGroupHandlePowerEvent,
            PeerIdentityGetCert,
            PeerSSPAddCredentials,
            PeerSSPRemoveCredentials,
        ] {
            assert_eq!(function(), Code::E_NOTIMPL.0);
        }
    }
}

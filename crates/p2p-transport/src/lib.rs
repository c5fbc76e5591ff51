#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod admission;
mod clock;
mod driver;
mod endpoint;
mod engine;
mod goodbye;
mod link;
mod quic;
mod runtime;
mod socket;
mod storing;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use p2p_core::{Event, GroupKey};

pub use driver::Driver;
pub use runtime::Runtime;
pub use tls::TlsIdentity;

/// The UDP port of a node that was not told another.
pub const DEFAULT_PORT: u16 = 3587;

/// Where a node listens, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// The runtime to run on; `None`: the tokio that [`Driver::start`] is called from, which needs its I/O and time.
    pub runtime: Option<Runtime>,
    /// A handshake, dialled or accepted, is given up after this.
    pub handshake: Duration,
    /// Uses plain UDP sockets even where the system could do better: a third of the speed. For tests, and for systems
    /// whose segmentation offload is broken. On tokio only.
    pub plain_udp: bool,
    /// Counts handshakes from loopback as those from any other source. For measuring what a flood can do.
    pub limit_loopback: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: Listen::Default,
            runtime: None,
            handshake: Duration::from_secs(10),
            plain_udp: false,
            limit_loopback: false,
        }
    }
}

/// Where a node listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// All interfaces, IPv6 and IPv4, on [`DEFAULT_PORT`]; on a free port if that is taken.
    #[default]
    Default,
    /// These addresses; a port of 0 is a free one. If any of them cannot be had, the node does not listen.
    At(Vec<SocketAddr>),
}

/// Takes what a node tells its application.
pub trait Sink: Send + Sync + 'static {
    /// One event. Called while the node is locked: keep it in memory, wake whoever waits, and never call the driver.
    fn event(&self, group: GroupKey, event: Event);

    /// Events were told, and the node is unlocked: wake whoever waits for them. Called on the thread that has brought them
    /// about, which may be that of a link and must not be made to wait; the driver may be called.
    fn settle(&self) {}
}

/// Why a driver could not be started. Nothing runs then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Neither [`Config::runtime`] nor a runtime to start from.
    #[error("no tokio runtime: start the driver inside one, or name one in its configuration")]
    NoRuntime,
    /// The system gives no random numbers.
    #[error("the system's random generator failed")]
    Random,
    /// The private key does not fit TLS.
    #[error("the identity cannot be used for TLS")]
    Identity(#[source] rustls::Error),
    /// The TLS library has no cipher suite for QUIC.
    #[error("no cipher suite for QUIC")]
    NoCipherSuite,
}

impl TransportError {
    /// The code that `p2p.h` has for it.
    pub fn code(&self) -> p2p_core::Code {
        match self {
            TransportError::NoRuntime => p2p_core::Code::E_UNEXPECTED,
            TransportError::Random | TransportError::NoCipherSuite => p2p_core::Code::NTE_FAIL,
            TransportError::Identity(_) => p2p_core::Code::PEER_E_NO_KEY_ACCESS,
        }
    }
}

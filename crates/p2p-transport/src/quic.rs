//! The settings of QUIC, and what its errors mean to a node.

use std::sync::Arc;
use std::time::Duration;

use p2p_core::{DownCause, Limits};
use quinn::{
    AckFrequencyConfig, ClientConfig, ConnectionError, IdleTimeout, ServerConfig, TransportConfig,
    TransportErrorCode, VarInt,
};

use crate::TransportError;
use crate::goodbye::CubicFactory;
use crate::tls::{Tls, Verifier};

/// A connection on which nothing is heard for this long is dead.
const IDLE: VarInt = VarInt::from_u32(30_000);
/// A quiet connection is kept alive this often: two packets may be lost.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Streams that a peer may open before its first session stands.
const STRANGER_STREAMS: VarInt = VarInt::from_u32(8);
/// Bytes that a peer may send before its first session stands: a hello with the longest chain, twice.
const STRANGER_WINDOW: VarInt = VarInt::from_u32(64 * 1_024);
/// Packets per acknowledgement, where the peer can be asked: 5 % less work in bulk, no delay that could be measured.
const ACK_THRESHOLD: VarInt = VarInt::from_u32(10);

/// Makes the QUIC half of connections.
#[derive(Clone, Debug)]
pub(crate) struct Quic {
    tls: Tls,
    transport: Arc<TransportConfig>,
    server: ServerConfig,
}

impl Quic {
    pub(crate) fn new(tls: Tls) -> Result<Quic, TransportError> {
        let transport = Arc::new(transport());
        let (crypto, _) = tls.accept()?;
        let mut server = ServerConfig::with_crypto(Arc::new(crypto));
        server.transport_config(Arc::clone(&transport));
        Ok(Quic { tls, transport, server })
    }

    /// For the endpoint; each accepted connection gets [`accept`](Self::accept) instead.
    pub(crate) fn server(&self) -> ServerConfig {
        self.server.clone()
    }

    pub(crate) fn accept(&self) -> Result<(Arc<ServerConfig>, Arc<Verifier>), TransportError> {
        let (crypto, verifier) = self.tls.accept()?;
        let mut config = self.server.clone();
        config.crypto = Arc::new(crypto);
        Ok((Arc::new(config), verifier))
    }

    pub(crate) fn dial(
        &self,
        expect: p2p_core::Expect,
    ) -> Result<(ClientConfig, Arc<Verifier>), TransportError> {
        let (crypto, verifier) = self.tls.dial(expect)?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::clone(&self.transport));
        Ok((config, verifier))
    }
}

/// What differs from quinn's defaults, or is named although it does not; each with its reason.
fn transport() -> TransportConfig {
    let mut ack = AckFrequencyConfig::default();
    ack.ack_eliciting_threshold(ACK_THRESHOLD);
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(IdleTimeout::from(IDLE)))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(STRANGER_STREAMS)
        // The protocol has none.
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        // 1.25 MB is quinn's own, named because the connection's window is a multiple of it.
        .stream_receive_window(VarInt::from_u32(Limits::default().stream_window))
        .receive_window(STRANGER_WINDOW)
        // The protocol has no datagrams: with no buffer the peer is told not to send any.
        .datagram_receive_buffer_size(None)
        .ack_frequency_config(Some(ack))
        // quinn's own, but for goodbyes.
        .congestion_controller_factory(Arc::new(CubicFactory::default()));
    config
}

/// What the end of a connection means to a node. `verifier`: the judge of this connection, whose own verdict comes
/// first.
pub(crate) fn cause(error: &ConnectionError, verifier: Option<&Verifier>) -> DownCause {
    if let Some((_, refusal)) = verifier.and_then(Verifier::refusal) {
        return DownCause::Verdict(refusal);
    }
    match error {
        ConnectionError::TransportError(error) => {
            alert(error.code).map_or(DownCause::Local, DownCause::Tls)
        }
        ConnectionError::ConnectionClosed(close) => {
            alert(close.error_code).map_or(DownCause::Refused, DownCause::Tls)
        }
        ConnectionError::ApplicationClosed(close) => DownCause::Peer(close.error_code.into_inner()),
        ConnectionError::VersionMismatch => DownCause::Refused,
        // The peer has restarted and knows nothing of the connection.
        ConnectionError::Reset => DownCause::Unreachable,
        ConnectionError::TimedOut => DownCause::Timeout,
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => DownCause::Local,
    }
}

/// The TLS alert inside a QUIC error code (RFC 9001 §4.8).
fn alert(code: TransportErrorCode) -> Option<u8> {
    let code = u64::from(code);
    (0x100..0x200).contains(&code).then_some(code as u8)
}

/// A code for the wire. The node uses small ones; what does not fit is the largest that does.
pub(crate) fn var_int(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quinn::ApplicationClose;

    #[test]
    fn errors_become_causes() {
        let closed = |code| {
            ConnectionError::ConnectionClosed(quinn::ConnectionClose {
                error_code: code,
                frame_type: None,
                reason: Default::default(),
            })
        };
        let by_peer = ConnectionError::ApplicationClosed(ApplicationClose {
            error_code: VarInt::from_u32(0x201),
            reason: Default::default(),
        });
        let rows = [
            (closed(TransportErrorCode::crypto(49)), DownCause::Tls(49)),
            (closed(TransportErrorCode::CONNECTION_REFUSED), DownCause::Refused),
            (by_peer, DownCause::Peer(0x201)),
            (ConnectionError::TimedOut, DownCause::Timeout),
            (ConnectionError::Reset, DownCause::Unreachable),
            (ConnectionError::VersionMismatch, DownCause::Refused),
            (ConnectionError::LocallyClosed, DownCause::Local),
        ];
        for (error, expected) in rows {
            assert_eq!(cause(&error, None), expected, "{error}");
        }
    }

    #[test]
    fn a_code_too_large_for_the_wire_is_the_largest() {
        assert_eq!(var_int(5), VarInt::from_u32(5));
        assert_eq!(var_int(u64::MAX), VarInt::MAX);
    }
}

//! Sees to it that a connection's goodbye leaves at once.
//!
//! QUIC does not count CONNECTION_CLOSE as congestion, but quinn-proto 0.11 sends it only when its congestion window and
//! its pacing allow a data packet (quinn-rs/quinn#2785): closed with a full window, a connection ends in silence, and the
//! peer learns of it by its idle timeout. So the window is opened before a connection is closed; nothing but the goodbye
//! is sent after that.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use quinn::Connection;
use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn_proto::RttEstimator;

/// Closes a connection with a code that is sure to leave, as far as one datagram can be sure.
pub(crate) fn close(connection: &Connection, code: quinn::VarInt) {
    open_window(connection);
    connection.close(code, b"");
}

/// Lets the next packet of a connection leave whatever is in flight.
pub(crate) fn open_window(connection: &Connection) {
    if let Ok(controller) = connection.congestion_state().into_any().downcast::<Cubic>() {
        controller.open.store(true, Ordering::Release);
    }
}

/// Makes controllers: Cubic (RFC 9438) with a window that can be opened.
#[derive(Debug, Default)]
pub(crate) struct CubicFactory {
    cubic: Arc<CubicConfig>,
}

impl ControllerFactory for CubicFactory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::clone(&self.cubic).build(now, current_mtu);
        Box::new(Cubic { inner, open: Arc::default() })
    }
}

struct Cubic {
    inner: Box<dyn Controller>,
    /// Shared by the copies that quinn makes.
    open: Arc<AtomicBool>,
}

impl Controller for Cubic {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.inner.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.inner.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        // A window beyond 32 bits turns pacing off, too.
        if self.open.load(Ordering::Acquire) { u64::MAX } else { self.inner.window() }
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Cubic { inner: self.inner.clone_box(), open: Arc::clone(&self.open) })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

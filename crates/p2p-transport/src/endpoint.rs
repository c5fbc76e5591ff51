//! Sockets: opening and closing them, dialling, accepting, and running the connections that come of it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use p2p_core::{Address, DialId, DownCause, Expect, Input, KeyId, LinkId};
use quinn::{Connecting, Connection, ConnectionError, Endpoint, EndpointConfig, Incoming};
use tokio::sync::{Notify, watch};
use tracing::Instrument;

use crate::admission::{Admission, Underway};
use crate::engine::{Engine, Machine};
use crate::goodbye::open_window;
use crate::link::Link;
use crate::quic::{cause, var_int};
use crate::socket::{bind, reachable};
use crate::tls::{EXPORTER, Verifier};
use crate::{DEFAULT_PORT, Listen};

/// The one version of QUIC that is spoken (RFC 9000): none of the drafts that the library still knows.
const VERSION: u32 = 1;
/// What goodbyes are given to leave.
const GOODBYE: Duration = Duration::from_secs(2);

/// Whether the node wants to listen, and what it got.
#[derive(Debug)]
pub(crate) struct Listener {
    wanted: Mutex<Wanted>,
    changed: Notify,
    open: watch::Sender<Sockets>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    on: bool,
    /// Counts the orders, so that each is answered.
    orders: u64,
    /// No order is obeyed any longer.
    over: bool,
}

#[derive(Clone, Debug)]
enum Sockets {
    /// An order is being carried out: dials wait.
    Changing,
    Open(Arc<[Socket]>),
}

#[derive(Clone, Debug)]
struct Socket {
    endpoint: Endpoint,
    bound: SocketAddr,
}

impl Default for Listener {
    fn default() -> Self {
        Listener {
            wanted: Mutex::default(),
            changed: Notify::new(),
            open: watch::channel(Sockets::Open(Arc::default())).0,
        }
    }
}

impl Listener {
    /// Takes an order of the node.
    pub(crate) fn want(&self, on: bool) {
        let mut wanted = self.wanted();
        if wanted.over {
            return;
        }
        wanted.on = on;
        wanted.orders += 1;
        self.open.send_replace(Sockets::Changing);
        self.changed.notify_one();
    }

    /// Publishes the sockets, unless a further order has come; the last ones for good.
    fn publish(&self, sockets: &Arc<[Socket]>, orders: u64, over: bool) {
        let mut wanted = self.wanted();
        wanted.over |= over;
        if over || wanted.orders == orders {
            self.open.send_replace(Sockets::Open(Arc::clone(sockets)));
        }
    }

    /// A socket from which `address` can be reached.
    async fn socket_for(&self, address: Address) -> Option<(Endpoint, SocketAddr)> {
        let mut open = self.open.subscribe();
        let sockets = match &*open.wait_for(|open| matches!(open, Sockets::Open(_))).await.ok()? {
            Sockets::Open(sockets) => Arc::clone(sockets),
            Sockets::Changing => return None,
        };
        sockets
            .iter()
            .find_map(|socket| Some((socket.endpoint.clone(), target(socket.bound, address)?)))
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a socket bound to `bound` names `address`; `None` if it cannot reach it.
fn target(bound: SocketAddr, address: Address) -> Option<SocketAddr> {
    let v4 = address.ip.to_ipv4_mapped();
    let family = match (bound.ip(), v4) {
        (IpAddr::V4(_), Some(ip)) => Some(SocketAddr::from((ip, address.port))),
        (IpAddr::V6(ip), None)
            if ip.is_unspecified() || ip.is_loopback() == address.is_loopback() =>
        {
            return Some(address.into());
        }
        (IpAddr::V6(ip), Some(_)) if ip.is_unspecified() => return Some(address.into()),
        _ => None,
    }?;
    let same_world =
        bound.ip().is_unspecified() || bound.ip().is_loopback() == address.is_loopback();
    same_world.then_some(family)
}

impl<M: Machine> Engine<M> {
    /// The task that opens and closes sockets as the node wants. It drops `_running` when all are closed for good.
    pub(crate) async fn keep_listening(self: Arc<Self>, _running: watch::Sender<()>) {
        let mut stop = self.stop.subscribe();
        let mut sockets: Arc<[Socket]> = Arc::default();
        let mut done = 0;
        loop {
            tokio::select! {
                () = self.listener.changed.notified() => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            let wanted = *self.listener.wanted();
            if wanted.orders == done {
                continue;
            }
            done = wanted.orders;
            if !wanted.on {
                self.close(&std::mem::take(&mut sockets)).await;
            } else if sockets.is_empty() {
                sockets = self.open().into();
                for socket in sockets.iter() {
                    self.runtime.spawn(Arc::clone(&self).accept(socket.endpoint.clone()));
                }
            }
            self.listener.publish(&sockets, done, false);
            let addresses = sockets.iter().flat_map(|socket| reachable(socket.bound)).collect();
            // Looked at under the node's lock: an order that was overtaken is not answered, because the node would take
            // "closed" for the answer to the later "open".
            let latest = || {
                (self.listener.wanted().orders == done).then_some(Input::Listening { addresses })
            };
            self.feed(std::iter::once_with(latest).flatten());
        }
        self.listener.publish(&Arc::default(), done, true);
        self.close(&sockets).await;
    }

    /// Closes sockets with all their connections, and waits a little until the goodbyes have left.
    async fn close(&self, sockets: &[Socket]) {
        if sockets.is_empty() {
            return;
        }
        for link in self.links() {
            open_window(&link.connection);
        }
        for socket in sockets {
            socket.endpoint.close(var_int(p2p_core::close::SHUTDOWN), b"");
        }
        let all_idle = async {
            for socket in sockets {
                socket.endpoint.wait_idle().await;
            }
        };
        if self.runtime.timeout(GOODBYE, all_idle).await.is_none() {
            tracing::debug!("not every goodbye has left in time");
        }
    }

    /// All sockets, or none.
    fn open(&self) -> Vec<Socket> {
        let result = match &self.config.listen {
            Listen::Default => self.open_default().map(|socket| vec![socket]),
            Listen::At(addresses) => {
                addresses.iter().map(|address| self.open_at(*address)).collect()
            }
        };
        result.unwrap_or_else(|error| {
            tracing::error!(%error, listen = ?self.config.listen, "cannot listen");
            Vec::new()
        })
    }

    /// All interfaces: IPv6 with IPv4, or IPv4 alone where there is no IPv6; the usual port, or a free one.
    fn open_default(&self) -> io::Result<Socket> {
        let v6 = |port| SocketAddr::from(([0u16; 8], port));
        let v4 = |port| SocketAddr::from(([0u8; 4], port));
        self.open_at(v6(DEFAULT_PORT))
            .or_else(|error| match error.kind() {
                io::ErrorKind::AddrInUse => self.open_at(v6(0)),
                _ => Err(error),
            })
            .or_else(|error| {
                tracing::warn!(%error, "no IPv6 here: listening on IPv4 only");
                self.open_at(v4(DEFAULT_PORT)).or_else(|_| self.open_at(v4(0)))
            })
    }

    fn open_at(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = self.runtime.wrap(bind(address)?, self.config.plain_udp)?;
        let bound = socket.local_addr()?;
        let mut config = EndpointConfig::default();
        config.supported_versions(vec![VERSION]);
        let endpoint = Endpoint::new_with_abstract_socket(
            config,
            Some(self.quic.server()),
            socket,
            self.runtime.for_quinn(),
        )?;
        tracing::info!(port = bound.port(), "listening");
        Ok(Socket { endpoint, bound })
    }

    /// The task of one socket: takes newcomers until it is closed.
    async fn accept(self: Arc<Self>, endpoint: Endpoint) {
        while let Some(incoming) = endpoint.accept().await {
            let remote = Address::from(incoming.remote_address());
            let exempt = remote.is_loopback() && !self.config.limit_loopback;
            let prefix = (!exempt).then(|| remote.prefix());
            let validated = incoming.remote_address_validated();
            let (admission, underway) = self.gate.admit(prefix, validated, Instant::now());
            match admission {
                Admission::Accept => {
                    self.runtime.spawn(Arc::clone(&self).welcome(incoming, underway));
                }
                Admission::Retry => {
                    if let Err(error) = incoming.retry() {
                        error.into_incoming().refuse();
                    }
                }
                Admission::Refuse => {
                    tracing::debug!(%remote, "too many handshakes: refused");
                    incoming.refuse();
                }
                Admission::Ignore => {
                    tracing::debug!(%remote, "too many handshakes a second: not answered");
                    incoming.ignore();
                }
            }
        }
    }

    /// The task of an accepted connection.
    async fn welcome(self: Arc<Self>, incoming: Incoming, underway: Option<Underway>) {
        let remote = Address::from(incoming.remote_address());
        let (config, verifier) = match self.quic.accept() {
            Ok(both) => both,
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                return;
            }
        };
        let handshake = async { incoming.accept_with(config)?.await };
        let result = self.runtime.timeout(self.config.handshake, handshake).await;
        drop(underway);
        match result {
            Some(Ok(connection)) => self.run(connection, None, &verifier).await,
            Some(Err(error)) => log_refusal(remote, &error, &verifier),
            None => tracing::debug!(%remote, "handshake not finished in time"),
        }
    }

    /// The task of a dial, and of the connection that comes of it.
    pub(crate) async fn dial(self: Arc<Self>, dial: DialId, address: Address, expect: Expect) {
        match self.connect(address, expect).await {
            Ok((connection, verifier)) => self.run(connection, Some(dial), &verifier).await,
            Err(cause) => {
                tracing::debug!(%address, ?cause, "dial failed");
                self.dial_failed(dial, cause);
            }
        }
    }

    async fn connect(
        &self,
        address: Address,
        expect: Expect,
    ) -> Result<(Connection, Arc<Verifier>), DownCause> {
        let Some((endpoint, target)) = self.listener.socket_for(address).await else {
            return Err(DownCause::Unreachable);
        };
        let (config, verifier) = self.quic.dial(expect).map_err(|error| {
            tracing::error!(%error, "cannot dial");
            DownCause::Local
        })?;
        // The name is for the interface only: none is sent.
        let connecting = endpoint.connect_with(config, target, "peer").map_err(|error| {
            tracing::debug!(%address, %error, "address cannot be dialled");
            DownCause::Unreachable
        })?;
        match self.handshake(connecting).await {
            Ok(connection) => Ok((connection, verifier)),
            Err(error) => {
                log_refusal(address, &error, &verifier);
                // Of a dial that times out nothing was ever heard.
                Err(match cause(&error, Some(&verifier)) {
                    DownCause::Timeout => DownCause::Unreachable,
                    other => other,
                })
            }
        }
    }

    async fn handshake(&self, connecting: Connecting) -> Result<Connection, ConnectionError> {
        self.runtime
            .timeout(self.config.handshake, connecting)
            .await
            .unwrap_or(Err(ConnectionError::TimedOut))
    }

    /// Runs a connection from its first moment to its last.
    async fn run(
        self: Arc<Self>,
        connection: Connection,
        dial: Option<DialId>,
        verifier: &Verifier,
    ) {
        let mut binding = [0; 32];
        let exported = connection.export_keying_material(&mut binding, EXPORTER, b"");
        let (Some(peer), Ok(())) = (verifier.peer(), exported) else {
            // Cannot be: the handshake stands, so the certificate was good and the exporter is there.
            tracing::error!("a connection without an identity");
            connection.close(var_int(p2p_core::close::SHUTDOWN), b"");
            return dial.into_iter().for_each(|dial| self.dial_failed(dial, DownCause::Local));
        };
        let remote = Address::from(connection.remote_address());
        let up = |link| Input::LinkUp { link, dial, peer, binding, remote };
        let Some(link) = self.link_up(connection.clone(), dial, up) else {
            return connection.close(var_int(p2p_core::close::SHUTDOWN), b"");
        };
        let mut end = LinkEnd { engine: &self, link: link.id, reported: false };
        let span = tracing::debug_span!("link", link = link.id.0, peer = %Short(&peer));
        span.in_scope(|| tracing::debug!(%peer, %remote, dialled = dial.is_some(), "link up"));
        let error = self.serve(&link).instrument(span).await;
        let cause = cause(&error, None);
        match cause {
            DownCause::Peer(code) => {
                tracing::debug!(
                    link = link.id.0,
                    code,
                    name = p2p_core::close::name(code),
                    "link closed by the peer"
                );
            }
            cause => {
                let error = Plain(&error);
                tracing::debug!(link = link.id.0, ?cause, %error, "link down");
            }
        }
        let events = {
            let mut io = link.io();
            link.last_words(&mut io);
            self.pump(&link, &mut io)
        };
        self.settle(events);
        end.reported = true;
        self.link_down(link.id, cause);
    }

    /// Works on a link whenever there is something to do, until the connection ends.
    async fn serve(self: &Arc<Self>, link: &Arc<Link>) -> ConnectionError {
        loop {
            let accepted = tokio::select! {
                () = link.ready.wake.notified() => None,
                accepted = link.connection.accept_bi() => Some(accepted),
            };
            let events = {
                let mut io = link.io();
                match accepted {
                    Some(Ok((send, recv))) => link.accept(&mut io, send, recv),
                    Some(Err(error)) => return error,
                    None => {}
                }
                self.pump(link, &mut io)
            };
            self.settle(events);
        }
    }
}

/// Reports the end of a link whose task panics: the node must not wait for one that is gone.
struct LinkEnd<'a, M: Machine> {
    engine: &'a Arc<Engine<M>>,
    link: LinkId,
    reported: bool,
}

impl<M: Machine> Drop for LinkEnd<'_, M> {
    fn drop(&mut self) {
        if !self.reported && std::thread::panicking() {
            tracing::error!(link = self.link.0, "the task of a link panicked");
            self.engine.link_down(self.link, DownCause::Local);
        }
    }
}

/// The first eight digits of a key: enough to follow somebody through a log.
struct Short<'a>(&'a KeyId);

impl std::fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What QUIC says of the end of a connection, on one line: a part of it may be what the peer wrote.
struct Plain<'a>(&'a ConnectionError);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.to_string().escape_debug())
    }
}

/// A handshake that failed: a warning if it was we who turned the peer down.
fn log_refusal(remote: Address, error: &ConnectionError, verifier: &Verifier) {
    match verifier.refusal() {
        Some((Some(peer), refusal)) => {
            tracing::warn!(%peer, code = %refusal.code, detail = %refusal.detail, "peer refused");
        }
        Some((None, refusal)) => {
            tracing::warn!(code = %refusal.code, detail = %refusal.detail, "certificate refused");
        }
        None => tracing::debug!(%remote, error = %Plain(error), "handshake failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quinn::{ConnectionClose, TransportErrorCode};

    #[test]
    fn what_a_peer_wrote_into_its_goodbye_stays_on_one_line_of_the_log() {
        let error = ConnectionError::ConnectionClosed(ConnectionClose {
            error_code: TransportErrorCode::NO_ERROR,
            frame_type: None,
            reason: b"bye\x1b[2J\nERROR node: all is lost"[..].into(),
        });
        let text = Plain(&error).to_string();
        assert!(text.contains("bye") && !text.chars().any(char::is_control), "{text:?}");
    }

    fn address(text: &str) -> Address {
        Address::from(text.parse::<SocketAddr>().unwrap())
    }

    #[test]
    fn a_socket_names_what_it_can_reach() {
        let rows = [
            ("[::]:1", "[2001:db8::1]:2", Some("[2001:db8::1]:2")),
            ("[::]:1", "192.0.2.1:2", Some("[::ffff:192.0.2.1]:2")),
            ("[::]:1", "[::1]:2", Some("[::1]:2")),
            ("[::1]:1", "[::1]:2", Some("[::1]:2")),
            ("[::1]:1", "[2001:db8::1]:2", None),
            ("[::1]:1", "127.0.0.1:2", None),
            ("[2001:db8::9]:1", "[2001:db8::1]:2", Some("[2001:db8::1]:2")),
            ("[2001:db8::9]:1", "[::1]:2", None),
            ("0.0.0.0:1", "192.0.2.1:2", Some("192.0.2.1:2")),
            ("0.0.0.0:1", "[2001:db8::1]:2", None),
            ("127.0.0.1:1", "127.0.0.1:2", Some("127.0.0.1:2")),
            ("127.0.0.1:1", "192.0.2.1:2", None),
        ];
        for (bound, to, expected) in rows {
            let found = target(bound.parse().unwrap(), address(to));
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{bound} to {to}");
        }
    }
}

//! QUIC on one UDP socket: `quinn-proto` is a state machine without I/O too, and this drives it.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use p2p_core::{Address, DialId, DownCause, Expect, Input, Limits, LinkId, Output, close};
use p2p_crypto::Identity;
use quinn_proto::{
    ClientConfig, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, IdleTimeout, Incoming,
    ServerConfig, Transmit, TransportConfig, VarInt,
};

use crate::link::{Link, var_int};
use crate::people::Outcome;
use crate::tls::Tls;

/// Connections that have not shown who they are: whoever comes besides is refused.
const HANDSHAKES_MAX: usize = 256;

pub(crate) struct Wire {
    socket: Arc<UdpSocket>,
    address: Address,
    endpoint: Endpoint,
    tls: Tls,
    transport: Arc<TransportConfig>,
    server: Arc<ServerConfig>,
    links: BTreeMap<ConnectionHandle, Link>,
    links_made: u64,
    /// What happened, for the node.
    pub(crate) inputs: VecDeque<Input>,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(socket: Arc<UdpSocket>, identity: &Identity) -> Outcome<Wire> {
        let (tls, transport) = (Tls::new(identity), Arc::new(transport()?));
        let mut server = ServerConfig::with_crypto(Arc::new(tls.accept()?));
        server.transport_config(Arc::clone(&transport));
        let endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, false, None);
        Ok(Wire {
            address: socket.local_addr()?.into(),
            socket,
            endpoint,
            tls,
            transport,
            server: Arc::new(server),
            links: BTreeMap::new(),
            links_made: 0,
            inputs: VecDeque::new(),
            buffer: Vec::new(),
        })
    }

    /// Accepts connections or not; the socket stays, for dials.
    pub(crate) fn listen(&mut self, on: bool) {
        self.endpoint.set_server_config(on.then(|| Arc::clone(&self.server)));
        if on {
            let addresses = Arc::from([self.address]);
            self.inputs.push_back(Input::Listening { addresses });
        }
    }

    pub(crate) fn dial(&mut self, dial: DialId, address: Address, expect: Expect, now: Instant) {
        let mut connect = || -> Outcome<_> {
            let mut config = ClientConfig::new(Arc::new(self.tls.dial(expect)?));
            config.transport_config(Arc::clone(&self.transport));
            Ok(self.endpoint.connect(now, config, SocketAddr::from(address), "peer")?)
        };
        match connect() {
            Ok((handle, connection)) => {
                self.links.insert(handle, Link::new(connection, Some(dial)));
            }
            Err(error) => {
                eprintln!("{address}: {error}");
                self.inputs.push_back(Input::DialFailed { dial, cause: DownCause::Unreachable });
            }
        }
    }

    pub(crate) fn cancel(&mut self, dial: DialId, now: Instant) {
        for link in self.links.values_mut().filter(|link| link.dial == Some(dial)) {
            link.dial = None;
            link.connection.close(now, var_int(close::SHUTDOWN), Bytes::new());
        }
    }

    /// An order for a link; for one that is gone it is skipped.
    pub(crate) fn order(&mut self, to: LinkId, order: Output, now: Instant) {
        if let Some(link) = self.links.values_mut().find(|link| link.id == Some(to)) {
            link.obey(order, now, &mut self.inputs);
        }
    }

    /// A datagram has arrived.
    pub(crate) fn receive(&mut self, from: SocketAddr, datagram: BytesMut, now: Instant) {
        self.buffer.clear();
        match self.endpoint.handle(now, from, None, None, datagram, &mut self.buffer) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(link) = self.links.get_mut(&handle) {
                    link.connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.accept(incoming, now),
            Some(DatagramEvent::Response(transmit)) => send(&self.socket, &self.buffer, &transmit),
            None => {}
        }
    }

    fn accept(&mut self, incoming: Incoming, now: Instant) {
        let strangers = self.links.values().filter(|link| link.id.is_none()).count();
        if strangers >= HANDSHAKES_MAX {
            let refusal = self.endpoint.refuse(incoming, &mut self.buffer);
            return send(&self.socket, &self.buffer, &refusal);
        }
        match self.endpoint.accept(incoming, now, &mut self.buffer, None) {
            Ok((handle, connection)) => {
                self.links.insert(handle, Link::new(connection, None));
            }
            Err(error) => {
                if let Some(response) = error.response {
                    send(&self.socket, &self.buffer, &response);
                }
            }
        }
    }

    /// When [`work`](Self::work) is due at the latest.
    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        self.links.values_mut().filter_map(|link| link.connection.poll_timeout()).min()
    }

    /// Whether a goodbye is still on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.links.is_empty()
    }

    /// Says goodbye to everybody.
    pub(crate) fn close(&mut self, now: Instant) {
        for link in self.links.values_mut() {
            link.connection.close(now, var_int(close::SHUTDOWN), Bytes::new());
        }
    }

    /// Everything that QUIC can do now: time-outs, events, streams, datagrams to send.
    pub(crate) fn work(&mut self, now: Instant) {
        let mut drained = Vec::new();
        for (handle, link) in &mut self.links {
            if link.connection.poll_timeout().is_some_and(|due| due <= now) {
                link.connection.handle_timeout(now);
            }
            let made = &mut self.links_made;
            link.work(now, &mut self.inputs, || {
                *made += 1;
                LinkId(*made)
            });
            while let Some(event) = link.connection.poll_endpoint_events() {
                if event.is_drained() {
                    drained.push(*handle);
                }
                if let Some(event) = self.endpoint.handle_event(*handle, event) {
                    link.connection.handle_event(event);
                }
            }
            self.buffer.clear();
            while let Some(transmit) = link.connection.poll_transmit(now, 1, &mut self.buffer) {
                send(&self.socket, &self.buffer, &transmit);
                self.buffer.clear();
            }
        }
        drained.iter().for_each(|handle| drop(self.links.remove(handle)));
    }
}

/// To QUIC, a datagram that cannot leave is one that was lost.
fn send(socket: &UdpSocket, buffer: &[u8], transmit: &Transmit) {
    if let Err(error) = socket.send_to(&buffer[..transmit.size], transmit.destination) {
        eprintln!("to {}: {error}", transmit.destination);
    }
}

/// What a stranger may do until the node trusts it, and when silence is an end.
fn transport() -> Outcome<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(IdleTimeout::try_from(Duration::from_secs(30))?))
        .keep_alive_interval(Some(Duration::from_secs(10)))
        .max_concurrent_bidi_streams(VarInt::from_u32(8))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(Limits::default().stream_window))
        .receive_window(VarInt::from_u32(64 * 1_024))
        .datagram_receive_buffer_size(None);
    Ok(config)
}

//! UDP sockets: the one that quinn makes fast, and a plain one for systems where that does not work.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use p2p_core::Address;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use socket2::{Domain, Protocol, Socket, Type};

/// Asked of the system for both directions; it gives what it allows. The usual 208 KiB loses datagrams under load.
const BUFFER: usize = 4 << 20;

/// Binds a socket. Unspecified IPv6 takes IPv4 too.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    for result in [socket.set_recv_buffer_size(BUFFER), socket.set_send_buffer_size(BUFFER)] {
        if let Err(error) = result {
            tracing::debug!(%error, "the system refuses larger socket buffers");
        }
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Makes a socket asynchronous: with segmentation offload and path information if the system has them, plainly if not.
pub(crate) fn wrap(socket: UdpSocket, plain: bool) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    if !plain {
        match TokioRuntime.wrap_udp_socket(socket.try_clone()?) {
            Ok(fast) => return Ok(fast),
            Err(error) => {
                tracing::warn!(%error, "falling back to a plain UDP socket: expect a third of the speed")
            }
        }
    }
    socket.set_nonblocking(true)?;
    Ok(Arc::new(Plain { io: Arc::new(tokio::net::UdpSocket::from_std(socket)?) }))
}

/// The addresses under which a socket can be reached: its own, or for an unspecified one those of the interfaces, as
/// seen now; link-local ones after the others, loopback last.
pub(crate) fn reachable(bound: SocketAddr) -> Vec<Address> {
    if !bound.ip().is_unspecified() {
        return vec![bound.into()];
    }
    let interfaces = match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tracing::warn!(%error, "cannot list the network interfaces: only loopback is announced");
            Vec::new()
        }
    };
    let port = bound.port();
    let mut found: Vec<(u8, Address)> = interfaces
        .iter()
        .filter(|interface| bound.is_ipv6() || interface.ip().is_ipv4())
        .map(|interface| {
            let rank =
                if interface.is_loopback() { 2 } else { u8::from(interface.is_link_local()) };
            let mut address = Address::from(SocketAddr::new(interface.ip(), port));
            if rank == 1 && interface.ip().is_ipv6() {
                address.scope = interface.index.unwrap_or(0);
            }
            (rank, address)
        })
        .collect();
    if found.is_empty() {
        let loopback = if bound.is_ipv6() {
            IpAddr::from(Ipv6Addr::LOCALHOST)
        } else {
            IpAddr::from([127, 0, 0, 1])
        };
        found.push((2, Address::from(SocketAddr::new(loopback, port))));
    }
    found.sort();
    found.dedup();
    found.into_iter().map(|entry| entry.1).filter(Address::is_dialable).collect()
}

/// One datagram per call, and nothing known about its path.
#[derive(Debug)]
struct Plain {
    io: Arc<tokio::net::UdpSocket>,
}

impl AsyncUdpSocket for Plain {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable { io: Arc::clone(&self.io), waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.io.try_send_to(transmit.contents, transmit.destination).map(|_| ())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (buffers.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        let mut buffer = tokio::io::ReadBuf::new(buffer);
        let addr = ready!(self.io.poll_recv_from(cx, &mut buffer))?;
        let len = buffer.filled().len();
        *meta = RecvMeta { addr, len, stride: len, ecn: None, dst_ip: None };
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }
}

type Waiting = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

/// Waits until a [`Plain`] socket takes datagrams again. Each waits for itself, so any number may.
struct Writable {
    io: Arc<tokio::net::UdpSocket>,
    waiting: Option<Waiting>,
}

impl std::fmt::Debug for Writable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writable")
    }
}

impl UdpPoller for Writable {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let io = Arc::clone(&self.io);
        let waiting =
            self.waiting.get_or_insert_with(|| Box::pin(async move { io.writable().await }));
        let result = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concrete_address_is_reachable_as_it_is() {
        let socket = bind("[::1]:0".parse().unwrap()).unwrap();
        let bound = socket.local_addr().unwrap();
        assert_eq!(reachable(bound), [Address::from(bound)]);
        assert_ne!(bound.port(), 0);
    }

    #[test]
    fn an_unspecified_address_is_reachable_on_the_interfaces_with_loopback_last() {
        let addresses = reachable("[::]:4000".parse().unwrap());
        assert!(addresses.last().unwrap().is_loopback());
        let first_loopback = addresses.iter().position(Address::is_loopback).unwrap();
        assert!(addresses[first_loopback..].iter().all(Address::is_loopback));
        assert!(addresses.iter().all(|address| address.port == 4000 && address.is_dialable()));
    }

    #[test]
    fn a_socket_for_ipv4_is_reachable_by_ipv4_only() {
        let addresses = reachable("0.0.0.0:4000".parse().unwrap());
        assert!(
            addresses.iter().all(|address| address.ip.to_ipv4_mapped().is_some()),
            "{addresses:?}"
        );
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let socket = bind("[::1]:0".parse().unwrap()).unwrap();
        let again = bind(socket.local_addr().unwrap());
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}

//! A direct connection as a stream of bytes, for files and tunnels.
//!
//! Bytes travel as messages of the type [`ByteStream::KIND`], an empty one being the end of one direction. So a stream needs
//! nothing that any other program with direct connections does not have; message boundaries mean nothing in it.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use p2p_core::{Cause, Guid};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::direct::DirectConnection;
use crate::error::SendError;
use crate::peer::Peer;

/// Most bytes that one write takes: what a stream sends costs as much memory as this before it is the connection's.
const CHUNK: usize = 256 << 10;

/// What is on its way to the connection's queue.
type Sending = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>;

/// A direct connection as a byte stream: [`AsyncRead`] and [`AsyncWrite`], each direction with an end of its own.
///
/// Both ends have to use it as a stream. `shutdown` ends the sending direction; reading then goes on until the peer ends
/// its own. The end of a direction is said explicitly: a stream that breaks off reads as an error, never as an end.
/// [`finish`](Self::finish) waits until the peer has everything. Dropping a stream closes its connection.
///
/// Writing waits when the connection's send queue is full, reading gives the peer room only for what is read: a stream whose
/// reader stalls costs its writer's time and nobody else's.
pub struct ByteStream {
    connection: DirectConnection,
    read: Bytes,
    read_ended: bool,
    sending: Option<Sending>,
    write_ended: bool,
}

impl ByteStream {
    /// The type of a stream's messages: `6d0a9ab5-9b6c-4f2e-8a3c-51c2f1f0b7e4`.
    pub const KIND: Guid = Guid::from_u128(0x6d0a9ab5_9b6c_4f2e_8a3c_51c2f1f0b7e4);

    /// Uses `connection` as a stream; nothing may have been sent or received on it.
    pub fn new(connection: DirectConnection) -> ByteStream {
        ByteStream {
            connection,
            read: Bytes::new(),
            read_ended: false,
            sending: None,
            write_ended: false,
        }
    }

    /// The other end.
    pub fn peer(&self) -> &Peer {
        self.connection.peer()
    }

    /// The connection beneath.
    pub fn connection(&self) -> &DirectConnection {
        &self.connection
    }

    /// Ends the sending direction and closes the connection; returns when the peer's node has taken in everything. What
    /// the peer has sent and was not read is lost.
    ///
    /// If the peer closes first, nobody confirms anything any more: then this succeeds if the peer had ended its own
    /// direction before, as one does who is done.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionReset`] if the connection broke, or the peer did not confirm everything in time or closed
    /// in the middle.
    pub async fn finish(mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| Pin::new(&mut self).poll_shutdown(cx)).await?;
        let closed_here = self.connection.close_first();
        match self.connection.closed().await {
            Some(Cause::Orderly) if closed_here || self.was_ended().await => Ok(()),
            Some(Cause::Orderly) => {
                let what = "the peer closed the connection before it had confirmed everything";
                Err(io::Error::new(io::ErrorKind::ConnectionReset, what))
            }
            Some(cause) => Err(broken(cause)),
            None => {
                tracing::debug!(closed_here, "the handle was closed before a stream had ended");
                Err(io::Error::new(io::ErrorKind::ConnectionReset, "the group handle was closed"))
            }
        }
    }

    /// Whether the peer had ended its direction when it closed; what it sent before that is passed over.
    async fn was_ended(&mut self) -> bool {
        while !self.read_ended {
            let Some(message) = self.connection.recv().await else { return false };
            self.read_ended = message.kind == ByteStream::KIND && message.bytes.is_empty();
        }
        true
    }

    /// Until what was written is in the connection's queue.
    fn poll_sending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(sending) = &mut self.sending {
            let sent = ready!(sending.as_mut().poll(cx));
            self.sending = None;
            sent.map_err(unsent)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Hands a message over, now or as soon as there is room; called only while nothing else waits.
    fn start_sending(&mut self, bytes: Bytes) -> io::Result<()> {
        match self.connection.try_send(ByteStream::KIND, bytes.clone()) {
            Err(SendError::Full) => {
                self.sending = Some(self.connection.sending(ByteStream::KIND, bytes));
                Ok(())
            }
            done => done.map_err(unsent),
        }
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.read.is_empty() && !this.read_ended && buf.remaining() > 0 {
            match ready!(this.connection.poll_message(cx)) {
                Some(message) if message.kind != ByteStream::KIND => {
                    let what = "the peer sends messages, not a stream";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
                }
                Some(message) if message.bytes.is_empty() => this.read_ended = true,
                Some(message) => this.read = message.bytes,
                None => {
                    let what = "the connection ended before the stream did";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, what)));
                }
            }
        }
        let n = this.read.len().min(buf.remaining());
        buf.put_slice(&this.read[..n]);
        this.read.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.write_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_sending(cx))?;
        let n = bytes.len().min(CHUNK);
        // An empty message would be the end.
        if n > 0 {
            self.start_sending(Bytes::copy_from_slice(&bytes[..n]))?;
        }
        Poll::Ready(Ok(n))
    }

    /// Everything written is in the connection's queue, which sends it without further ado.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sending(cx)
    }

    /// The peer reads an end after everything written. Reading goes on.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sending(cx))?;
        if !std::mem::replace(&mut self.write_ended, true) {
            self.start_sending(Bytes::new())?;
        }
        self.poll_sending(cx)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByteStream").field(&self.connection).finish()
    }
}

fn unsent(error: SendError) -> io::Error {
    let kind = match error {
        SendError::Closed(_) | SendError::NotFound => io::ErrorKind::BrokenPipe,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

fn broken(cause: Cause) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, format!("the connection broke: {cause:?}"))
}

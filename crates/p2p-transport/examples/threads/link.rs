//! One QUIC connection and its streams.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use p2p_core::{Address, DialId, DownCause, Input, KeyId, LinkId, Output, StreamId, close};
use quinn_proto::{Connection, ConnectionError, Dir, Event, StreamEvent, VarInt};
use rustls::pki_types::CertificateDer;

use crate::stream::Stream;
use crate::tls;

/// Ties what is said inside a connection to it (RFC 8446 §7.5).
const EXPORTER: &[u8] = b"EXPORTER-pgrp1";

pub(crate) struct Link {
    pub(crate) connection: Connection,
    /// Set while the node knows of it.
    pub(crate) id: Option<LinkId>,
    /// Set until the dial has ended, or was cancelled.
    pub(crate) dial: Option<DialId>,
    streams: BTreeMap<StreamId, Stream>,
    accepted: u64,
}

impl Link {
    pub(crate) fn new(connection: Connection, dial: Option<DialId>) -> Link {
        Link { connection, id: None, dial, streams: BTreeMap::new(), accepted: 0 }
    }

    /// An order of the node for this link.
    pub(crate) fn obey(&mut self, order: Output, now: Instant, inputs: &mut VecDeque<Input>) {
        match order {
            Output::Open { stream, priority, .. } => {
                self.streams.insert(stream, Stream::new(None, priority));
            }
            Output::Priority { stream, priority, .. } => {
                self.with(stream, |it| it.priority = priority);
                let quic = self.streams.get(&stream).and_then(|it| it.quic);
                quic.map(|quic| self.connection.send_stream(quic).set_priority(priority.into()));
            }
            Output::Write { stream, head, body, .. } => self.with(stream, |it| {
                it.push([head.as_slice(), &body.into_bytes()].concat().into());
            }),
            Output::Credit { stream, bytes, .. } => self.with(stream, |it| it.credit(bytes)),
            Output::Finish { stream, .. } => self.with(stream, Stream::finish),
            Output::Forget { link, stream } => self.with(stream, |it| {
                let bytes = it.forget();
                inputs.push_back(Input::Sent { link, stream, bytes });
            }),
            Output::Abort { stream, code, .. } => {
                if let Some(mut it) = self.streams.remove(&stream) {
                    it.abort(&mut self.connection, var_int(code));
                }
            }
            Output::Trust { streams, window, .. } => {
                let all = u64::from(streams) * u64::from(window);
                self.connection.set_max_concurrent_streams(Dir::Bi, VarInt::from(streams));
                self.connection.set_receive_window(var_int(all));
            }
            Output::CloseLink { link, code } => {
                self.connection.close(now, var_int(code), Bytes::new());
                self.end(link, DownCause::Local, inputs);
            }
            other => unreachable!("not an order for a link: {other:?}"),
        }
    }

    /// An order for a stream that is gone is skipped.
    fn with(&mut self, stream: StreamId, order: impl FnOnce(&mut Stream)) {
        self.streams.get_mut(&stream).map(order);
    }

    /// What QUIC has to tell, and what the streams can do now. `fresh` numbers the link if it stands from now on.
    pub(crate) fn work(
        &mut self,
        now: Instant,
        inputs: &mut VecDeque<Input>,
        mut fresh: impl FnMut() -> LinkId,
    ) {
        while let Some(event) = self.connection.poll() {
            match event {
                Event::Connected => self.up(now, fresh(), inputs),
                Event::Stream(StreamEvent::Stopped { id, error_code }) => {
                    let stopped = self.streams.iter_mut().find(|(_, it)| it.quic == Some(id));
                    if let (Some(link), Some((stream, it))) = (self.id, stopped) {
                        it.reset(error_code, (link, *stream), inputs);
                    }
                }
                Event::ConnectionLost { reason } => {
                    // What had arrived before is still read.
                    self.streams(inputs);
                    let cause = cause(&reason, self.id.is_none());
                    if let Some(link) = self.id {
                        self.end(link, cause, inputs);
                    } else if let Some(dial) = self.dial.take() {
                        inputs.push_back(Input::DialFailed { dial, cause });
                    }
                }
                // Every stream is looked at below, whatever it was that happened.
                _ => {}
            }
        }
        self.streams(inputs);
    }

    /// The handshake stands: whose is it, and is it still wanted?
    fn up(&mut self, now: Instant, link: LinkId, inputs: &mut VecDeque<Input>) {
        let mut binding = [0; 32];
        let session = self.connection.crypto_session();
        let exported = session.export_keying_material(&mut binding, EXPORTER, b"");
        let (Some(peer), Ok(())) = (self.peer(), exported) else {
            return self.connection.close(now, var_int(close::SHUTDOWN), Bytes::new());
        };
        self.id = Some(link);
        let (dial, remote) = (self.dial.take(), Address::from(self.connection.remote_address()));
        inputs.push_back(Input::LinkUp { link, dial, peer, binding, remote });
    }

    fn peer(&self) -> Option<KeyId> {
        let identity = self.connection.crypto_session().peer_identity()?;
        tls::peer(identity.downcast_ref::<Vec<CertificateDer<'static>>>()?)
    }

    fn end(&mut self, link: LinkId, cause: DownCause, inputs: &mut VecDeque<Input>) {
        self.streams.clear();
        self.id = None;
        inputs.push_back(Input::LinkDown { link, cause });
    }

    /// Opens, accepts, writes and reads.
    fn streams(&mut self, inputs: &mut VecDeque<Input>) {
        let Some(link) = self.id else { return };
        for it in self.streams.values_mut().filter(|it| it.quic.is_none()) {
            let Some(quic) = self.connection.streams().open(Dir::Bi) else { break };
            it.quic = Some(quic);
            // Fails only for a stream that is closed already.
            drop(self.connection.send_stream(quic).set_priority(it.priority.into()));
        }
        while let Some(quic) = self.connection.streams().accept(Dir::Bi) {
            let stream = StreamId(2 * self.accepted + 1);
            self.accepted += 1;
            self.streams.insert(stream, Stream::new(Some(quic), 0));
            inputs.push_back(Input::Accepted { link, stream });
        }
        // Those of the largest priority get what room there is.
        let mut all: Vec<_> = self.streams.iter_mut().collect();
        all.sort_by_key(|(_, it)| Reverse(it.priority));
        for (stream, it) in all {
            it.work(&mut self.connection, (link, *stream), inputs);
        }
        self.streams.retain(|_, it| !(it.written && it.read));
    }
}

/// A code for the wire. The node uses small ones; what does not fit is the largest that does.
pub(crate) fn var_int(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

/// What the end of a connection means to a node.
fn cause(reason: &ConnectionError, dialling: bool) -> DownCause {
    // The TLS alert inside a QUIC error code (RFC 9001 §4.8).
    let tls = |code: u64| (0x100..0x200).contains(&code).then_some(DownCause::Tls(code as u8));
    match reason {
        ConnectionError::TransportError(e) => tls(e.code.into()).unwrap_or(DownCause::Local),
        ConnectionError::ConnectionClosed(e) => {
            tls(e.error_code.into()).unwrap_or(DownCause::Refused)
        }
        ConnectionError::ApplicationClosed(e) => DownCause::Peer(e.error_code.into_inner()),
        ConnectionError::VersionMismatch => DownCause::Refused,
        ConnectionError::TimedOut if dialling => DownCause::Unreachable,
        ConnectionError::TimedOut => DownCause::Timeout,
        ConnectionError::Reset => DownCause::Unreachable,
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => DownCause::Local,
    }
}

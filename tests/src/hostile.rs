//! A peer that speaks QUIC and TLS as it should, and then says what it likes. Its frames are written by hand from the
//! protocol document, not with the product's codec.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Authority, KeyId};
use p2p_crypto::{Identity, Keyring};
use p2p_group::Address;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    Connection, ConnectionError, Endpoint, ReadError, ReadExactError, RecvStream, SendStream,
};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::world::{TEXT, loopback, within};

/// Types of frames.
pub mod kind {
    #![allow(missing_docs, reason = "the names are those of the protocol document")]
    pub const HELLO: u64 = 0x01;
    pub const MEMBER_PROOF: u64 = 0x02;
    pub const SESSION_OK: u64 = 0x03;
    pub const NO_SESSION: u64 = 0x04;
    pub const PAKE_SHARE: u64 = 0x05;
    pub const PAKE_ANSWER: u64 = 0x06;
    pub const PAKE_CONFIRM: u64 = 0x07;
    pub const CONNECT: u64 = 0x10;
    pub const WELCOME: u64 = 0x11;
    pub const ADDR_UPDATE: u64 = 0x14;
    pub const OBJECT_IDS: u64 = 0x17;
    pub const OBJECT_WANT: u64 = 0x1c;
    pub const OBJECT: u64 = 0x1d;
    pub const DC_OPEN: u64 = 0x40;
    pub const DC_ACCEPT: u64 = 0x41;
    pub const DC_REFUSE: u64 = 0x42;
    pub const DC_DATA: u64 = 0x43;
    pub const DC_CLOSE: u64 = 0x44;
    pub const DC_CLOSE_ACK: u64 = 0x45;
}

/// The instance id in a hello that names no other.
pub const INSTANCE: u64 = 0x1234;

/// A number as RFC 9000 §16 has it, in its shortest form.
pub fn varint(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
        _ => (value | 0xc000_0000_0000_0000).to_be_bytes().to_vec(),
    }
}

/// A frame.
pub fn frame(kind: u64, body: &[u8]) -> Vec<u8> {
    [varint(kind), varint(body.len() as u64), body.to_vec()].concat()
}

/// A DC_DATA frame of the type that the tests use.
pub fn data(more: bool, payload: &[u8]) -> Vec<u8> {
    frame(kind::DC_DATA, &[&TEXT.0, &[u8::from(more)][..], payload].concat())
}

/// A QUIC connection with a node.
#[derive(Debug)]
pub struct Hostile {
    keyring: Keyring,
    /// What it was made with; ends when this is dropped.
    pub endpoint: Endpoint,
    /// The connection.
    pub connection: Connection,
    dialled: bool,
}

impl Hostile {
    /// Connects as `identity`.
    pub async fn dial(identity: &Identity, address: Address) -> Hostile {
        let endpoint = Endpoint::client(loopback()).expect("a socket");
        let connecting = endpoint.connect_with(client(identity), address.into(), "peer");
        let connection = within(connecting.expect("an address")).await.expect("a node listens");
        Hostile { keyring: Keyring::new(identity.clone()), endpoint, connection, dialled: true }
    }

    /// A connection that `identity` has made by other means.
    pub fn made(identity: &Identity, endpoint: Endpoint, connection: Connection) -> Hostile {
        Hostile { keyring: Keyring::new(identity.clone()), endpoint, connection, dialled: true }
    }

    /// Where `identity` is going to wait for somebody to connect.
    pub fn listen(identity: &Identity) -> (Endpoint, Address) {
        let endpoint = Endpoint::server(server(identity), loopback()).expect("a socket");
        let address = endpoint.local_addr().expect("an address").into();
        (endpoint, address)
    }

    /// Waits there for somebody to connect.
    pub async fn accept(identity: &Identity, endpoint: Endpoint) -> Hostile {
        let incoming = within(endpoint.accept()).await.expect("somebody comes");
        let connecting = incoming.accept().expect("the endpoint is open");
        let connection = within(connecting).await.expect("a good handshake");
        Hostile { keyring: Keyring::new(identity.clone()), endpoint, connection, dialled: false }
    }

    /// The key that it proves to hold.
    pub fn key(&self) -> KeyId {
        self.keyring.own_key()
    }

    /// This side's tag for `group` on this connection.
    pub fn tag(&self, group: &KeyId) -> [u8; 16] {
        let mut binding = [0; 32];
        let exported = self.connection.export_keying_material(&mut binding, b"EXPORTER-pgrp1", b"");
        exported.expect("the handshake is complete");
        self.keyring.tag(&self.keyring.session(&binding, group), self.dialled)
    }

    /// A hello for `group`.
    pub fn hello(&self, group: &KeyId) -> Vec<u8> {
        self.hello_of(group, INSTANCE, 0)
    }

    /// A hello for `group` of a run whose id is `instance`, after one whose id was `previous`.
    pub fn hello_of(&self, group: &KeyId, instance: u64, previous: u64) -> Vec<u8> {
        let ids = [instance, previous, 77].map(u64::to_be_bytes).concat();
        [&[0, 0][..], &self.tag(group), &ids, &varint(4 << 20)].concat()
    }

    /// What opens a session: a hello, and a chain as its proof.
    pub fn offer(&self, group: &KeyId, chain: &[u8]) -> Vec<u8> {
        [frame(kind::HELLO, &self.hello(group)), frame(kind::MEMBER_PROOF, chain)].concat()
    }

    /// A new stream.
    pub async fn stream(&self) -> Stream {
        let (send, recv) = within(self.connection.open_bi()).await.expect("the link stands");
        Stream { send, recv }
    }

    /// A new stream that begins with `bytes`.
    pub async fn say(&self, bytes: &[u8]) -> Stream {
        let mut stream = self.stream().await;
        stream.say(bytes).await;
        stream
    }

    /// A session, if `chain` is a member's. The control stream, after the other side has told its addresses.
    pub async fn session(&self, group: &KeyId, chain: &Bytes) -> Stream {
        let mut control = self.say(&self.offer(group, chain)).await;
        assert_eq!(control.frame().await.0, kind::SESSION_OK);
        assert_eq!(control.frame().await.0, kind::ADDR_UPDATE);
        control
    }

    /// A direct connection in a session that stands.
    pub async fn direct(&self, group: &KeyId) -> Stream {
        let mut direct = self.say(&frame(kind::DC_OPEN, &self.tag(group))).await;
        assert_eq!(direct.frame().await, (kind::DC_ACCEPT, Vec::new()));
        direct
    }

    /// The code with which the other side closes the connection.
    pub async fn closed(&self) -> u64 {
        match within(self.connection.closed()).await {
            ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("not closed on purpose: {other}"),
        }
    }
}

/// A bidirectional stream, as it is.
#[derive(Debug)]
pub struct Stream {
    /// To the node.
    pub send: SendStream,
    /// From the node.
    pub recv: RecvStream,
}

impl Stream {
    /// Sends bytes. A node that has turned away by then does not read them; what it does instead is what tests look at.
    pub async fn say(&mut self, bytes: &[u8]) {
        within(self.send.write_all(bytes)).await.unwrap_or_default();
    }

    /// The next frame: its type and its body.
    pub async fn frame(&mut self) -> (u64, Vec<u8>) {
        let kind = self.number().await;
        let mut body = vec![0; usize::try_from(self.number().await).expect("a length")];
        within(self.recv.read_exact(&mut body)).await.expect("a whole frame");
        (kind, body)
    }

    async fn number(&mut self) -> u64 {
        let mut first = [0];
        within(self.recv.read_exact(&mut first)).await.expect("a frame");
        let mut bytes = [0; 8];
        let length = 1usize << (first[0] >> 6);
        bytes[8 - length] = first[0] & 0x3f;
        if length > 1 {
            within(self.recv.read_exact(&mut bytes[9 - length..])).await.expect("a whole number");
        }
        u64::from_be_bytes(bytes)
    }

    /// Everything until the node ends the stream.
    pub async fn rest(&mut self) -> Vec<u8> {
        within(self.recv.read_to_end(1 << 20)).await.expect("an end")
    }

    /// The code with which the node resets the stream, whatever came before.
    pub async fn reset(&mut self) -> u64 {
        let mut byte = [0];
        loop {
            match within(self.recv.read_exact(&mut byte)).await {
                Ok(()) => {}
                Err(ReadExactError::ReadError(ReadError::Reset(code))) => {
                    return code.into_inner();
                }
                Err(other) => panic!("not reset: {other}"),
            }
        }
    }
}

fn client(identity: &Identity) -> quinn::ClientConfig {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider())))
        .with_client_cert_resolver(Arc::new(OwnKey::of(identity)));
    config.alpn_protocols = vec![b"pgrp/1".to_vec()];
    let config = QuicClientConfig::try_from(config).expect("a cipher suite of QUIC");
    quinn::ClientConfig::new(Arc::new(config))
}

fn server(identity: &Identity) -> quinn::ServerConfig {
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(Arc::new(Anybody(provider())))
        .with_cert_resolver(Arc::new(OwnKey::of(identity)));
    config.alpn_protocols = vec![b"pgrp/1".to_vec()];
    let config = QuicServerConfig::try_from(config).expect("a cipher suite of QUIC");
    quinn::ServerConfig::with_crypto(Arc::new(config))
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The identity's certificate, whatever the peer asks for. (rustls would look into it, and knows no critical extension of
/// ours.)
#[derive(Debug)]
pub(crate) struct OwnKey(Arc<CertifiedKey>);

impl OwnKey {
    pub(crate) fn of(identity: &Identity) -> OwnKey {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.pkcs8().unwrap().to_vec()));
        let key = provider().key_provider.load_private_key(key).expect("a private key");
        let certificate = CertificateDer::from(identity.tls_certificate().to_vec());
        OwnKey(Arc::new(CertifiedKey::new(vec![certificate], key)))
    }
}

impl ResolvesClientCert for OwnKey {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for OwnKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Takes whatever certificate it is shown.
#[derive(Debug)]
pub(crate) struct Anybody(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

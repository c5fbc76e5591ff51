//! A client that does not even speak TLS and QUIC as it should: other certificates, keys, versions, names and tickets
//! than the protocol has. And a server that hands out tickets.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use p2p_core::KeyId;
use p2p_crypto::Identity;
use p2p_group::Address;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::crypto::{self, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey};
use quinn::{
    Connection, ConnectionError, ConnectionId, Endpoint, EndpointConfig, Side, TokioRuntime,
    TransportErrorCode,
};
use quinn_proto::TransportError;
use quinn_proto::transport_parameters::TransportParameters;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, NamedGroup, ServerConfig, SignatureScheme,
};

use crate::hostile::{Anybody, OwnKey, provider};
use crate::world::{loopback, within};

/// Version 1 of QUIC (RFC 9000 §15).
pub const QUIC_1: u32 = 1;

/// What a client says in a handshake. Begin with [`of`](Self::of), which is as it should be, and change something.
pub struct Foreign {
    /// DER of the certificates that it shows; none: it shows no certificate.
    pub certificates: Vec<Vec<u8>>,
    /// PKCS #8 of the key that it signs with.
    pub key: Vec<u8>,
    /// The application protocols that it offers.
    pub alpn: Vec<&'static str>,
    /// The server name that it sends.
    pub server_name: Option<String>,
    /// The signature schemes that it understands; none: all.
    pub schemes: Vec<SignatureScheme>,
    /// The version of QUIC.
    pub version: u32,
    /// What happens to its ClientHello on the way.
    pub tamper: Option<fn(&mut Vec<u8>)>,
    /// Where it keeps tickets; none: nowhere.
    pub tickets: Option<Arc<Tickets>>,
}

impl Foreign {
    /// A client as the protocol has it.
    pub fn of(identity: &Identity) -> Foreign {
        Foreign {
            certificates: vec![identity.tls_certificate().to_vec()],
            key: identity.pkcs8().expect("it lies in memory").to_vec(),
            alpn: vec!["pgrp/1"],
            server_name: None,
            schemes: Vec::new(),
            version: QUIC_1,
            tamper: None,
            tickets: None,
        }
    }

    /// What the connections of this client are made with, and how often it has looked at a server's certificate: that
    /// is once per handshake that resumes nothing.
    pub fn config(&self) -> (quinn::ClientConfig, Arc<AtomicUsize>) {
        let looked = Arc::<AtomicUsize>::default();
        let schemes = match self.schemes.is_empty() {
            true => provider().signature_verification_algorithms.supported_schemes(),
            false => self.schemes.clone(),
        };
        let builder = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Looking {
                looked: Arc::clone(&looked),
                schemes,
            }));
        let mut config = match self.certificates.is_empty() {
            true => builder.with_no_client_auth(),
            false => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown(
                &self.certificates,
                &self.key,
            )))),
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.enable_sni = self.server_name.is_some();
        config.enable_early_data = true;
        config.resumption = match &self.tickets {
            Some(tickets) => Resumption::store(Arc::clone(tickets) as Arc<dyn ClientSessionStore>),
            None => Resumption::disabled(),
        };
        let config = Arc::new(QuicClientConfig::try_from(config).expect("a cipher suite of QUIC"));
        let mut config = match self.tamper {
            Some(tamper) => quinn::ClientConfig::new(Arc::new(Tampering { config, tamper })),
            None => quinn::ClientConfig::new(config),
        };
        config.version(self.version);
        (config, looked)
    }

    /// Connects. The socket lives as long as the endpoint.
    ///
    /// # Errors
    /// How the handshake failed, if this end has seen it fail: in TLS 1.3 it may stand here and not there.
    pub async fn dial(&self, to: Address) -> Result<(Endpoint, Connection), ConnectionError> {
        let endpoint = self.endpoint();
        let name = self.server_name.as_deref().unwrap_or("peer");
        let connecting = endpoint.connect_with(self.config().0, to.into(), name);
        let connection = within(connecting.expect("an address")).await?;
        Ok((endpoint, connection))
    }

    /// How the other end ends the connection.
    pub async fn fate(&self, to: Address) -> ConnectionError {
        match self.dial(to).await {
            Ok((_endpoint, connection)) => within(connection.closed()).await,
            Err(error) => error,
        }
    }

    /// A socket for connections of this client.
    pub fn endpoint(&self) -> Endpoint {
        let socket = std::net::UdpSocket::bind(loopback()).expect("a socket");
        let mut config = EndpointConfig::default();
        config.supported_versions(vec![self.version]);
        Endpoint::new(config, None, socket, Arc::new(TokioRuntime)).expect("a socket")
    }
}

/// The TLS alert by which the other end turned a client away.
pub fn alert(error: &ConnectionError) -> Option<u8> {
    match error {
        ConnectionError::ConnectionClosed(close) => {
            (0..=255).find(|alert| close.error_code == TransportErrorCode::crypto(*alert))
        }
        _ => None,
    }
}

/// Where `identity` waits for clients and hands out tickets that would let them come back without a certificate and with
/// early data; and how often it has looked at a client's certificate.
pub fn generous(identity: &Identity) -> (Endpoint, Arc<AtomicUsize>) {
    let looked = Arc::<AtomicUsize>::default();
    let verifier = Looking { looked: Arc::clone(&looked), schemes: vec![SignatureScheme::ED25519] };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(OwnKey::of(identity)));
    config.alpn_protocols = vec![b"pgrp/1".to_vec()];
    config.max_early_data_size = u32::MAX;
    config.send_tls13_tickets = 4;
    let config = QuicServerConfig::try_from(config).expect("a cipher suite of QUIC");
    let config = quinn::ServerConfig::with_crypto(Arc::new(config));
    (Endpoint::server(config, loopback()).expect("a socket"), looked)
}

/// The key in the one certificate that the other end has shown.
pub fn shown_key(connection: &Connection) -> (KeyId, Vec<u8>) {
    let shown = connection.peer_identity().expect("the handshake is complete");
    let shown = shown.downcast::<Vec<CertificateDer<'static>>>().expect("certificates");
    assert_eq!(shown.len(), 1, "one certificate");
    let peer = p2p_crypto::verify_tls_certificate(&shown[0]).expect("a good certificate");
    (peer.key, shown[0].to_vec())
}

fn shown(certificates: &[Vec<u8>], key: &[u8]) -> CertifiedKey {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.to_vec()));
    let key = provider().key_provider.load_private_key(key).expect("a private key");
    let certificates = certificates.iter().cloned().map(CertificateDer::from).collect();
    CertifiedKey::new(certificates, key)
}

/// Keeps tickets, and counts them.
#[derive(Debug)]
pub struct Tickets {
    kept: ClientSessionMemoryCache,
    count: AtomicUsize,
    came: tokio::sync::Notify,
}

impl Default for Tickets {
    fn default() -> Tickets {
        Tickets {
            kept: ClientSessionMemoryCache::new(8),
            count: AtomicUsize::new(0),
            came: tokio::sync::Notify::new(),
        }
    }
}

impl Tickets {
    /// How many were ever handed out to this client.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits for one.
    pub async fn wait(&self) {
        while self.count() == 0 {
            within(self.came.notified()).await;
        }
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.kept.set_tls12_session(server, value);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept.tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.kept.remove_tls12_session(server);
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.kept.insert_tls13_ticket(server, value);
        self.count.fetch_add(1, Ordering::SeqCst);
        self.came.notify_one();
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept.take_tls13_ticket(server)
    }
}

/// Takes every certificate, and counts how many it was shown.
#[derive(Debug)]
struct Looking {
    looked: Arc<AtomicUsize>,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        one: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.looked.fetch_add(1, Ordering::SeqCst);
        Anybody(provider()).verify_server_cert(one, others, name, ocsp, now)
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
        self.schemes.clone()
    }
}

impl ClientCertVerifier for Looking {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        one: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.looked.fetch_add(1, Ordering::SeqCst);
        Anybody(provider()).verify_client_cert(one, others, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, certificate, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, certificate, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Changes the ClientHello, which no TLS library would send as it then is.
struct Tampering {
    config: Arc<QuicClientConfig>,
    tamper: fn(&mut Vec<u8>),
}

impl crypto::ClientConfig for Tampering {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn crypto::Session>, quinn::ConnectError> {
        let session = Arc::clone(&self.config).start_session(version, server_name, params)?;
        Ok(Box::new(Tampered { session, tamper: Some(self.tamper) }))
    }
}

struct Tampered {
    session: Box<dyn crypto::Session>,
    tamper: Option<fn(&mut Vec<u8>)>,
}

impl crypto::Session for Tampered {
    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let keys = self.session.write_handshake(buf);
        if !buf.is_empty()
            && let Some(tamper) = self.tamper.take()
        {
            tamper(buf);
        }
        keys
    }

    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.session.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.session.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.session.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.session.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.session.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.session.read_handshake(buf)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.session.transport_parameters()
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.session.next_1rtt_keys()
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.session.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.session.export_keying_material(output, label, context)
    }
}

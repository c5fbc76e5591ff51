//! The limit: raw quinn, mutual TLS with the same kind of certificates, the same transport settings and sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2p_crypto::Identity;
use quinn::{
    AckFrequencyConfig, ClientConfig, Connection, Endpoint, EndpointConfig, ServerConfig,
    TransportConfig,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use socket2::{Domain, Protocol, Socket, Type};

use crate::cost::worked;
use crate::{
    ECHOES, Failure, MESSAGE, OPENS, Sample, messages, mib_per_second, micros, seconds_per_gib,
};

pub(crate) async fn round(mib: usize, samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let (server, client) = (endpoint()?, endpoint()?);
    let address = server.local_addr()?;
    tokio::spawn(serve(server));
    let mut push = |workload, value| samples.push(Sample { workload, peer: "quinn", value });

    let connection = client.connect(address, "peer")?.await?;
    let before = worked(None)?;
    push("bulk", mib_per_second(mib, bulk(&connection, mib).await?));
    push("cpu_per_gib", seconds_per_gib(mib, worked(None)? - before));
    push("messages", messages::quinn(&connection).await?);
    push("round_trip", micros(echoes(&connection).await?) / ECHOES as f64);
    let mut opens = Vec::new();
    for _ in 0..OPENS {
        let begun = Instant::now();
        let fresh = client.connect(address, "peer")?.await?;
        let (mut send, mut recv) = fresh.open_bi().await?;
        send.write_all(&[ECHO, 1]).await?;
        recv.read_exact(&mut [0]).await?;
        opens.push(micros(begun.elapsed()));
        fresh.close(0u32.into(), b"");
    }
    push("first_open", crate::median(opens.into_iter()));
    client.close(0u32.into(), b"");
    Ok(())
}

/// The first byte of a stream says what the server does with it.
const SINK: u8 = 0;
pub(crate) const ECHO: u8 = 1;
/// What follows is taken apart.
pub(crate) const MESSAGES: u8 = 2;
/// What follows is not read.
pub(crate) const STALL: u8 = 3;
/// Streams of a connection, as ours allow them: few, and all of them to whoever opens half of these.
const FEW_STREAMS: u32 = 16;
const STREAMS: u32 = 128;

pub(crate) async fn bulk(connection: &Connection, mib: usize) -> Result<Duration, Failure> {
    let (mut send, mut recv) = connection.open_bi().await?;
    let message = Bytes::from(vec![7; MESSAGE]);
    let begun = Instant::now();
    send.write_all(&[SINK]).await?;
    for _ in 0..mib * (1 << 20) / MESSAGE {
        send.write_chunk(message.clone()).await?;
    }
    send.finish()?;
    // The server answers when it has read everything.
    recv.read_exact(&mut [0]).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn echoes(connection: &Connection) -> Result<Duration, Failure> {
    let (mut send, mut recv) = connection.open_bi().await?;
    let mut buffer = [0; 64];
    send.write_all(&[ECHO]).await?;
    let begun = Instant::now();
    for _ in 0..ECHOES {
        send.write_all(&buffer).await?;
        recv.read_exact(&mut buffer).await?;
    }
    Ok(begun.elapsed())
}

pub(crate) async fn serve(endpoint: Endpoint) {
    serve_until(endpoint, drop).await;
}

/// The same; `seen` gets every connection.
pub(crate) async fn serve_until(
    endpoint: Endpoint,
    seen: impl Fn(Connection) + Clone + Send + 'static,
) {
    while let Some(incoming) = endpoint.accept().await {
        let seen = seen.clone();
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            connection.set_max_concurrent_bi_streams(FEW_STREAMS.into());
            seen(connection.clone());
            let mut accepted = 0;
            while let Ok((send, recv)) = connection.accept_bi().await {
                accepted += 1;
                if accepted == FEW_STREAMS / 2 {
                    connection.set_max_concurrent_bi_streams(STREAMS.into());
                }
                // A client that leaves ends its streams with an error; that is how each round ends.
                tokio::spawn(async move { drop(stream(send, recv).await) });
            }
        });
    }
}

async fn stream(mut send: quinn::SendStream, mut recv: quinn::RecvStream) -> Result<(), Failure> {
    let mut kind = [0];
    recv.read_exact(&mut kind).await?;
    match kind[0] {
        STALL => std::future::pending().await,
        MESSAGES => drop(messages::take(&mut recv).await?),
        _ => {}
    }
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await? {
        if kind[0] == ECHO {
            send.write_chunk(chunk.bytes).await?;
        }
    }
    send.write_all(&[1]).await?;
    send.finish()?;
    Ok(())
}

pub(crate) fn endpoint() -> Result<Endpoint, Failure> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    // The system gives what it allows, to both sides alike.
    let _ = socket.set_recv_buffer_size(4 << 20);
    let _ = socket.set_send_buffer_size(4 << 20);
    socket.bind(&"[::1]:0".parse::<SocketAddr>()?.into())?;
    let identity = Identity::create(None, None, p2p_core::FileTime::from_unix(1_700_000_000))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Without rustls' own look at the certificate, which refuses extensions that it does not know.
    let key = PrivateKeyDer::try_from(identity.pkcs8()?.to_vec())?;
    let chain = vec![CertificateDer::from(identity.tls_certificate().to_vec())];
    let certified = CertifiedKey::new(chain, provider.key_provider.load_private_key(key)?);
    let own = Arc::new(SingleCertAndKey::from(certified));
    let verifier = Arc::new(Anyone(Arc::clone(&provider)));
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier.clone())
        .with_cert_resolver(own.clone());
    tls.send_tls13_tickets = 0;
    // Room for 256 sessions to be resumed, which nobody does: 31 KiB for each endpoint.
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    let mut server = ServerConfig::with_crypto(Arc::new(
        quinn::crypto::rustls::QuicServerConfig::try_from(tls)?,
    ));
    server.transport_config(transport());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(own);
    tls.resumption = rustls::client::Resumption::disabled();
    tls.enable_sni = false;
    let mut client =
        ClientConfig::new(Arc::new(quinn::crypto::rustls::QuicClientConfig::try_from(tls)?));
    client.transport_config(transport());
    let mut endpoint = Endpoint::new(
        EndpointConfig::default(),
        Some(server),
        socket.into(),
        Arc::new(quinn::TokioRuntime),
    )?;
    endpoint.set_default_client_config(client);
    Ok(endpoint)
}

fn transport() -> Arc<TransportConfig> {
    let mut ack = AckFrequencyConfig::default();
    ack.ack_eliciting_threshold(10u32.into());
    let mut config = TransportConfig::default();
    config
        .keep_alive_interval(Some(Duration::from_secs(10)))
        .max_concurrent_bidi_streams(8u32.into())
        .max_concurrent_uni_streams(0u32.into())
        .stream_receive_window(1_250_000u32.into())
        .datagram_receive_buffer_size(None)
        .ack_frequency_config(Some(ack));
    Arc::new(config)
}

/// Checks that the peer holds the key it shows, as ours does, and asks nothing else.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl Anyone {
    fn signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let peer = p2p_crypto::verify_tls_certificate(cert)
            .map_err(|e| rustls::Error::General(e.to_string()))?;
        let key = SubjectPublicKeyInfoDer::from(peer.public_key);
        verify_tls13_signature_with_raw_key(
            message,
            &key,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn never() -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".to_owned()))
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Anyone::never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Anyone {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Anyone::never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

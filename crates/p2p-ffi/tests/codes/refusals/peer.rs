//! A node that speaks QUIC and TLS as it should and shows what it was given: any certificate, any chain.

use core::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use p2p_core::{Authority, KeyId};
use p2p_crypto::{Identity, Keyring};
use peergroup::layout::PEER_ADDRESS;
use quinn::Endpoint;
use quinn::crypto::rustls::QuicServerConfig;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use tokio::runtime::{Builder, Runtime};

/// Types of frames.
const SESSION_OK: u64 = 0x03;
/// The largest message that it says to take, in bytes.
const MESSAGE_MAX: u64 = 4 << 20;

/// Forged nodes, each behind an address of its own, until this is dropped.
pub(crate) struct Peers {
    runtime: Runtime,
}

impl Peers {
    pub(crate) fn new() -> Peers {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Peers { runtime }
    }

    /// A node with the key of `identity` that shows `certificate` in TLS, and `chain` as its membership in `group`.
    pub(crate) fn show(
        &self,
        identity: &Identity,
        certificate: &[u8],
        group: KeyId,
        chain: &[u8],
    ) -> PEER_ADDRESS {
        let _context = self.runtime.enter();
        let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let endpoint = Endpoint::server(server(identity, certificate), loopback).unwrap();
        let address = endpoint.local_addr().unwrap();
        let (keyring, chain) = (Keyring::new(identity.clone()), chain.to_vec());
        self.runtime.spawn(async move {
            // Whoever calls hangs up when it does not like what it sees; that is what the test waits for, at its end.
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connecting) = incoming.accept() else { continue };
                let Ok(connection) = connecting.await else { continue };
                let Ok((mut send, mut receive)) = connection.accept_bi().await else { continue };
                let mut heard = Vec::new();
                while frames(&heard) < 2 {
                    match receive.read_chunk(1 << 16, true).await {
                        Ok(Some(chunk)) => heard.extend_from_slice(&chunk.bytes),
                        _ => break,
                    }
                }
                let mut binding = [0; 32];
                let exported =
                    connection.export_keying_material(&mut binding, b"EXPORTER-pgrp1", b"");
                exported.expect("the handshake is complete");
                let tag = keyring.tag(&keyring.session(&binding, &group), false);
                let ids = [0x1234_u64, 0, 77].map(u64::to_be_bytes).concat();
                let body = [&[0, 0][..], &tag, &ids, &varint(MESSAGE_MAX), &chain].concat();
                let length = varint(body.len() as u64);
                let answer = [varint(SESSION_OK), length, body].concat();
                if send.write_all(&answer).await.is_ok() {
                    connection.closed().await;
                }
            }
        });
        PEER_ADDRESS::from(p2p_group::Address::from(address))
    }
}

/// A number as RFC 9000 §16 has it, in its shortest form.
fn varint(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        _ => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
    }
}

/// How many whole frames there are.
fn frames(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some(rest) = number(bytes)
        .and_then(|(_, rest)| number(rest))
        .and_then(|(length, rest)| rest.get(length..))
    {
        bytes = rest;
        count += 1;
    }
    count
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = 1 << (bytes.first()? >> 6);
    let (digits, rest) = bytes.split_at_checked(length)?;
    let value = digits.iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
    Some((value & ((1 << (8 * length - 2)) - 1), rest))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server(identity: &Identity, certificate: &[u8]) -> quinn::ServerConfig {
    let pkcs8 = identity.pkcs8_v1().unwrap().to_vec();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
    let key = provider().key_provider.load_private_key(key).unwrap();
    let shown = vec![CertificateDer::from(certificate.to_vec())];
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anybody))
        .with_cert_resolver(Arc::new(Shown(Arc::new(CertifiedKey::new(shown, key)))));
    config.alpn_protocols = vec![b"pgrp/1".to_vec()];
    quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config).unwrap()))
}

/// The one certificate, whatever is asked for and whether or not it fits the key.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Lets everybody in.
#[derive(Debug)]
struct Anybody;

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
        provider().signature_verification_algorithms.supported_schemes()
    }
}

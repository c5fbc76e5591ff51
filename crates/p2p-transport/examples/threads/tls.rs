//! TLS 1.3 with the certificates of `p2p-crypto` on both ends: who it is that a connection reaches.
//!
//! What is verified is the identity only. Whether it is a member of anything is the node's question, asked inside the
//! connection. No resumption, no tickets, no early data, no server name: each would let a connection stand whose
//! certificate nobody looked at.

use std::sync::Arc;

use p2p_core::{Expect, KeyId};
use p2p_crypto::{Identity, verify_tls_certificate};
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureAlgorithm, SignatureScheme,
};

/// The protocol's name and major version (RFC 7301).
const ALPN: &[u8] = b"pgrp/1";
/// The identities of these examples have keys of this kind.
const SCHEME: SignatureScheme = SignatureScheme::ED25519;

/// Makes the TLS half of connections.
#[derive(Clone)]
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    own: Arc<SingleCertAndKey>,
}

impl Tls {
    pub(crate) fn new(identity: &Identity) -> Tls {
        let certificate = CertificateDer::from(identity.tls_certificate().to_vec());
        let key = Arc::new(Key(identity.clone()));
        let own = Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key)));
        Tls { provider: Arc::new(ring::default_provider()), own }
    }

    /// For one dial: the handshake ends with anybody but `expect`.
    pub(crate) fn dial(&self, expect: Expect) -> Result<QuicClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(expect))
            .with_client_cert_resolver(self.own.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.enable_sni = false;
        config.resumption = Resumption::disabled();
        QuicClientConfig::try_from(config).map_err(general)
    }

    /// For all accepted connections.
    pub(crate) fn accept(&self) -> Result<QuicServerConfig, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(self.verifier(Expect::Anyone))
            .with_cert_resolver(self.own.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        QuicServerConfig::try_from(config).map_err(general)
    }

    fn verifier(&self, expect: Expect) -> Arc<Verifier> {
        Arc::new(Verifier { expect, provider: Arc::clone(&self.provider) })
    }
}

fn general(error: impl std::error::Error) -> Error {
    Error::General(error.to_string())
}

/// Whose the connection is, once the handshake stands.
pub(crate) fn peer(certificates: &[CertificateDer<'_>]) -> Option<KeyId> {
    verify_tls_certificate(certificates.first()?).ok().map(|peer| peer.key)
}

/// Signs handshakes: with a key in memory, or wherever else the identity has it.
#[derive(Clone, Debug)]
struct Key(Identity);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SCHEME).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.key_source().sign(message).map_err(general)
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEME
    }
}

/// Exactly one certificate, of the profile that `p2p-crypto` knows, of the one who is expected; and a signature of the
/// handshake by its key.
#[derive(Debug)]
struct Verifier {
    expect: Expect,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn certificate(
        &self,
        one: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
    ) -> Result<(), Error> {
        let peer = verify_tls_certificate(one).map_err(general)?;
        if !rest.is_empty() || !self.expect.admits(&peer.key) {
            return Err(Error::General("not whom this dial expects".into()));
        }
        Ok(())
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let peer = verify_tls_certificate(certificate).map_err(general)?;
        let key = SubjectPublicKeyInfoDer::from(peer.public_key.as_slice());
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
    }
}

/// The two traits of rustls ask the same questions, one of them about servers and the other about clients.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::General("TLS 1.2 is not spoken here".into()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.signature(message, certificate, signed)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SCHEME]
        }
    };
}

impl ServerCertVerifier for Verifier {
    signatures!();

    fn verify_server_cert(
        &self,
        one: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.certificate(one, rest).map(|()| ServerCertVerified::assertion())
    }
}

impl ClientCertVerifier for Verifier {
    signatures!();

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        one: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.certificate(one, rest).map(|()| ClientCertVerified::assertion())
    }
}

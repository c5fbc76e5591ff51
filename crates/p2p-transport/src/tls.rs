//! TLS 1.3 with our own certificates on both ends (RFC 8446, RFC 9001).
//!
//! What is verified is the identity only: exactly one certificate, of the profile that `p2p-crypto` knows, and a
//! handshake signature by its key. Whether that identity is a member of anything is decided later, inside the
//! connection. There is no server name, no resumption, no ticket and no early data: each of them would let a connection
//! stand whose certificate was not looked at.

use std::sync::{Arc, Mutex, PoisonError};

use p2p_core::{Code, Expect, KeyId, Refusal};
use p2p_crypto::{Identity, KeyKind, KeySource, TlsPeer, verify_tls_certificate};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureAlgorithm,
    SignatureScheme,
};

use crate::TransportError;

/// The protocol's name and major version (RFC 7301).
pub(crate) const ALPN: &[u8] = b"pgrp/1";
/// Label of the exporter that ties what is said inside a connection to it (RFC 8446 §7.5).
pub(crate) const EXPORTER: &[u8] = b"EXPORTER-pgrp1";

/// What a node shows in TLS: a certificate that holds key and authority only, and what signs with its private key.
#[derive(Clone)]
pub struct TlsIdentity {
    /// DER of the certificate, as `Identity::tls_certificate` gives it.
    pub certificate: Vec<u8>,
    /// The private key, wherever it lives. It is asked to sign once per handshake, on a thread that serves connections;
    /// if it does not sign, the handshake fails.
    pub key: Arc<dyn KeySource>,
}

impl TlsIdentity {
    /// That of an identity.
    pub fn of(identity: &Identity) -> TlsIdentity {
        TlsIdentity { certificate: identity.tls_certificate().to_vec(), key: identity.key_source() }
    }
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("certificate", &self.certificate.len())
            .finish_non_exhaustive()
    }
}

/// Makes the TLS half of connections.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    key: Arc<OwnKey>,
    /// Without a verifier of its own: each dial gets one.
    client: rustls::ClientConfig,
}

impl Tls {
    pub(crate) fn new(identity: TlsIdentity) -> Result<Tls, TransportError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let scheme = scheme(identity.key.kind()).ok_or_else(|| {
            TransportError::Identity(Error::General("TLS has no name for this kind of key".into()))
        })?;
        let key = Arc::new(Signing { key: identity.key, scheme });
        let certified = CertifiedKey::new(vec![CertificateDer::from(identity.certificate)], key);
        let key = Arc::new(OwnKey(Arc::new(certified)));
        let mut client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(TransportError::Identity)?
            .dangerous()
            .with_custom_certificate_verifier(Verifier::new(&provider, Expect::Anyone))
            .with_client_cert_resolver(Arc::clone(&key) as Arc<dyn ResolvesClientCert>);
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.enable_sni = false;
        client.resumption = Resumption::disabled();
        Ok(Tls { provider, key, client })
    }

    /// For one dial: anybody but `expect` fails the handshake.
    pub(crate) fn dial(
        &self,
        expect: Expect,
    ) -> Result<(QuicClientConfig, Arc<Verifier>), TransportError> {
        let verifier = Verifier::new(&self.provider, expect);
        let mut config = self.client.clone();
        config
            .dangerous()
            .set_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>);
        let config =
            QuicClientConfig::try_from(config).map_err(|_| TransportError::NoCipherSuite)?;
        Ok((config, verifier))
    }

    /// For one accepted connection.
    pub(crate) fn accept(&self) -> Result<(QuicServerConfig, Arc<Verifier>), TransportError> {
        let verifier = Verifier::new(&self.provider, Expect::Anyone);
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(TransportError::Identity)?
            .with_client_cert_verifier(Arc::clone(&verifier) as Arc<dyn ClientCertVerifier>)
            .with_cert_resolver(Arc::clone(&self.key) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let config =
            QuicServerConfig::try_from(config).map_err(|_| TransportError::NoCipherSuite)?;
        Ok((config, verifier))
    }
}

/// Our own certificate, whatever the peer asks for.
#[derive(Debug)]
struct OwnKey(Arc<CertifiedKey>);

impl ResolvesServerCert for OwnKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
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

/// Signs handshakes with the identity's key.
#[derive(Clone)]
struct Signing {
    key: Arc<dyn KeySource>,
    scheme: SignatureScheme,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Signing").field(&self.scheme).finish()
    }
}

impl SigningKey for Signing {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.scheme).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.scheme {
            SignatureScheme::ED25519 => SignatureAlgorithm::ED25519,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

impl Signer for Signing {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign(message).map_err(|error| {
            tracing::warn!(%error, "no signature for a handshake");
            Error::General(error.to_string())
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// How a key of this kind signs a handshake (RFC 8446 §4.2.3); one of [`SCHEMES`].
fn scheme(kind: KeyKind) -> Option<SignatureScheme> {
    match kind {
        KeyKind::Ed25519 => Some(SignatureScheme::ED25519),
        KeyKind::EcdsaP256 => Some(SignatureScheme::ECDSA_NISTP256_SHA256),
        _ => None,
    }
}

/// Judges the peer of one connection, and remembers its verdict.
#[derive(Debug)]
pub(crate) struct Verifier {
    expect: Expect,
    algorithms: WebPkiSupportedAlgorithms,
    verdict: Mutex<Verdict>,
}

#[derive(Debug, Default)]
enum Verdict {
    #[default]
    Pending,
    Good(TlsPeer),
    Refused {
        peer: Option<KeyId>,
        refusal: Refusal,
    },
}

impl Verifier {
    fn new(provider: &CryptoProvider, expect: Expect) -> Arc<Verifier> {
        let algorithms = provider.signature_verification_algorithms;
        Arc::new(Verifier { expect, algorithms, verdict: Mutex::default() })
    }

    /// Who the peer is, once the handshake stands.
    pub(crate) fn peer(&self) -> Option<KeyId> {
        match &*self.verdict() {
            Verdict::Good(peer) => Some(peer.key),
            _ => None,
        }
    }

    /// Why the peer was turned down, with its key if the certificate got that far.
    pub(crate) fn refusal(&self) -> Option<(Option<KeyId>, Refusal)> {
        match &*self.verdict() {
            Verdict::Refused { peer, refusal } => Some((*peer, *refusal)),
            _ => None,
        }
    }

    fn verdict(&self) -> std::sync::MutexGuard<'_, Verdict> {
        // A verdict is replaced whole.
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn certificate(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Result<(), Error> {
        let verdict = self.judge(certificate, others);
        let refused = matches!(verdict, Verdict::Refused { .. });
        *self.verdict() = verdict;
        match refused {
            true => Err(CertificateError::ApplicationVerificationFailure.into()),
            false => Ok(()),
        }
    }

    fn judge(&self, certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Verdict {
        if !others.is_empty() {
            let refusal =
                Refusal { code: Code::CRYPT_E_ASN1_CONSTRAINT, detail: Code::CERT_E_MALFORMED };
            return Verdict::Refused { peer: None, refusal };
        }
        match verify_tls_certificate(certificate) {
            Err(refusal) => Verdict::Refused { peer: None, refusal },
            Ok(peer) if !self.expect.admits(&peer.key) => {
                let refusal =
                    Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH };
                Verdict::Refused { peer: Some(peer.key), refusal }
            }
            Ok(peer) => Verdict::Good(peer),
        }
    }

    /// The handshake signature, by the key of the certificate judged before.
    fn signature(
        &self,
        message: &[u8],
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let mut verdict = self.verdict();
        let Verdict::Good(peer) = &*verdict else {
            return Err(Error::General("a signature without a certificate".into()));
        };
        let spki = SubjectPublicKeyInfoDer::from(peer.public_key.as_slice());
        let result = verify_tls13_signature_with_raw_key(message, &spki, dss, &self.algorithms);
        if result.is_err() {
            let refusal =
                Refusal { code: Code::CRYPT_E_HASH_VALUE, detail: Code::NTE_BAD_SIGNATURE };
            *verdict = Verdict::Refused { peer: Some(peer.key), refusal };
        }
        result
    }
}

/// TLS 1.2 is never negotiated; a call for it is a fault of the library.
fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".into()))
}

/// The schemes of the two key types that an identity may have.
const SCHEMES: [SignatureScheme; 2] =
    [SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256];

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.certificate(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.certificate(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

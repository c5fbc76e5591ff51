//! Who gets a connection and who does not; sockets that open and close.

use std::sync::atomic::{AtomicBool, Ordering};

use p2p_core::{Code, DownCause, Refusal};
use p2p_crypto::{KeyKind, KeySource, KeySourceError};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ConnectionError, TransportErrorCode};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

const NO_MATCH: DownCause =
    DownCause::Verdict(Refusal { code: Code::CRYPT_E_NO_MATCH, detail: Code::CERT_E_CN_NO_MATCH });

async fn dial(
    peer: &mut Peer,
    dial: u64,
    address: Address,
    expect: Expect,
) -> Result<KeyId, DownCause> {
    let id = DialId(dial);
    peer.tell([Output::Dial { dial: id, address, expect }]);
    peer.hear(|input| match input {
        Input::LinkUp { dial, peer, .. } if dial == Some(id) => Some(Ok(peer)),
        Input::DialFailed { dial, cause } if dial == id => Some(Err(cause)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn only_the_expected_identity_is_reached() {
    let (mut bob, address) = Peer::listening(loopback()).await;
    let (mut alice, _) = Peer::listening(loopback()).await;
    let stranger = alice.key();
    assert_eq!(dial(&mut alice, 1, address, Expect::Key(stranger)).await, Err(NO_MATCH));
    let authority = Expect::Authority(stranger.authority());
    assert_eq!(dial(&mut alice, 2, address, authority).await, Err(NO_MATCH));
    let authority = Expect::Authority(bob.key().authority());
    assert_eq!(dial(&mut alice, 3, address, authority).await, Ok(bob.key()));
    assert_eq!(dial(&mut alice, 4, address, Expect::Anyone).await, Ok(bob.key()));
    // The acceptor heard of the two connections that stand, of no other.
    let (first, ..) = bob.link_up().await;
    let (second, ..) = bob.link_up().await;
    assert_eq!((first, second), (LinkId(0), LinkId(1)));
}

fn identity_of(kind: KeyKind) -> Identity {
    Identity::create_with(kind, None, None, FileTime::from_unix(1_700_000_000)).unwrap()
}

#[tokio::test]
async fn keys_of_both_kinds_reach_each_other() {
    for kinds in [
        [KeyKind::EcdsaP256, KeyKind::Ed25519],
        [KeyKind::Ed25519, KeyKind::EcdsaP256],
        [KeyKind::EcdsaP256, KeyKind::EcdsaP256],
    ] {
        let [alice, bob] = kinds.map(identity_of);
        let (to_alice, to_bob) = (tls_of(&alice), tls_of(&bob));
        let (mut bob, address) = Peer::listening_as(bob, to_bob, loopback()).await;
        let (mut alice, _) = Peer::listening_as(alice, to_alice, loopback()).await;
        let expect = Expect::Key(bob.key());
        assert_eq!(dial(&mut alice, 1, address, expect).await, Ok(bob.key()));
        assert_eq!(bob.link_up().await.1, alice.key());
    }
}

/// The key of an identity, in a device that can be pulled out.
struct Device {
    key: Arc<dyn KeySource>,
    plugged: AtomicBool,
}

impl Device {
    fn of(identity: &Identity) -> (Arc<Device>, TlsIdentity) {
        let device = Device { key: identity.key_source(), plugged: AtomicBool::new(true) };
        let device = Arc::new(device);
        (device.clone(), TlsIdentity { key: device, ..tls_of(identity) })
    }

    fn plug(&self, plugged: bool) {
        self.plugged.store(plugged, Ordering::SeqCst);
    }
}

impl KeySource for Device {
    fn kind(&self) -> KeyKind {
        self.key.kind()
    }

    fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeySourceError> {
        match self.plugged.load(Ordering::SeqCst) {
            true => self.key.sign(message),
            false => Err(KeySourceError::Absent),
        }
    }
}

#[tokio::test]
async fn without_its_device_an_identity_gets_no_handshake_done() {
    for kind in [KeyKind::Ed25519, KeyKind::EcdsaP256] {
        let (alice, bob) = (identity_of(kind), identity_of(kind));
        let (alices, to_alice) = Device::of(&alice);
        let (bobs, to_bob) = Device::of(&bob);
        let (mut bob, at_bob) = Peer::listening_as(bob, to_bob, loopback()).await;
        let (mut alice, _) = Peer::listening_as(alice, to_alice, loopback()).await;
        // One's own fault is local; the other end says no more than that there will be no connection.
        alices.plug(false);
        assert_eq!(dial(&mut alice, 1, at_bob, Expect::Anyone).await, Err(DownCause::Local));
        alices.plug(true);
        bobs.plug(false);
        assert_eq!(dial(&mut alice, 2, at_bob, Expect::Anyone).await, Err(DownCause::Refused));
        bobs.plug(true);
        assert_eq!(dial(&mut alice, 3, at_bob, Expect::Anyone).await, Ok(bob.key()));
        // The acceptor has the one link that stands.
        assert_eq!(bob.link_up().await.0, LinkId(0));
    }
}

#[tokio::test]
async fn who_does_not_offer_the_scheme_of_the_key_is_turned_away() {
    let curve = identity_of(KeyKind::EcdsaP256);
    let tls = tls_of(&curve);
    let (_bob, address) = Peer::listening_as(curve, tls, loopback()).await;
    // RFC 8446 §4.4.3: handshake_failure; the foreign client knows Ed25519 only.
    assert_eq!(alert(&Foreign::of(&identity()).fate(address).await), Some(40));
}

#[tokio::test]
async fn a_dial_that_nobody_answers_fails() {
    let config = Config { handshake: Duration::from_millis(200), ..loopback() };
    let (mut alice, _) = Peer::listening(config).await;
    let (_silent, address) = taken();
    assert_eq!(
        dial(&mut alice, 1, address.into(), Expect::Anyone).await,
        Err(DownCause::Unreachable)
    );
    // An address of a family that the socket does not reach fails at once.
    let v4 = Address::from(SocketAddr::from(([127, 0, 0, 1], 9)));
    assert_eq!(dial(&mut alice, 2, v4, Expect::Anyone).await, Err(DownCause::Unreachable));
}

#[tokio::test]
async fn a_cancelled_dial_is_not_answered() {
    let config = Config { handshake: Duration::from_millis(300), ..loopback() };
    let (mut alice, _) = Peer::listening(config).await;
    let (_silent, address) = taken();
    let (first, second) = (DialId(1), DialId(2));
    alice.tell([
        Output::Dial { dial: first, address: address.into(), expect: Expect::Anyone },
        Output::CancelDial { dial: first },
        Output::Dial { dial: second, address: address.into(), expect: Expect::Anyone },
    ]);
    let answer = alice.hear_next().await;
    assert!(matches!(answer, Input::DialFailed { dial, .. } if dial == second), "{answer:?}");
}

#[tokio::test]
async fn without_a_socket_a_dial_fails() {
    let mut alice = Peer::start(loopback());
    let (_socket, address) = taken();
    assert_eq!(
        dial(&mut alice, 1, address.into(), Expect::Anyone).await,
        Err(DownCause::Unreachable)
    );
}

#[tokio::test]
async fn a_taken_port_means_not_listening() {
    let (_socket, address) = taken();
    let free = "[::1]:0".parse().unwrap();
    for addresses in [vec![address], vec![free, address]] {
        let mut alice = Peer::start(Config { listen: Listen::At(addresses), ..Config::default() });
        alice.tell([Output::Listen { on: true }]);
        let answer = alice.hear_next().await;
        assert!(
            matches!(&answer, Input::Listening { addresses } if addresses.is_empty()),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn the_default_takes_a_free_port_where_its_own_is_taken() {
    let (_first, one) = Peer::listening(Config::default()).await;
    let (_second, other) = Peer::listening(Config::default()).await;
    assert_ne!(one.port, other.port);
    assert_ne!(other.port, crate::DEFAULT_PORT, "somebody has it already");
}

#[tokio::test]
async fn a_socket_is_closed_and_opened_as_wanted() {
    let (mut alice, to_bob, mut bob, _) = pair(loopback()).await;
    bob.tell([Output::Listen { on: false }]);
    let mut down = false;
    let listening = bob
        .hear(|input| match input {
            Input::LinkDown { cause: DownCause::Local, .. } => {
                down = true;
                None
            }
            Input::Listening { addresses } => Some(addresses),
            _ => None,
        })
        .await;
    assert!(listening.is_empty());
    assert!(down, "the link ended with its socket");
    let end = alice.hear_next().await;
    let going_away = DownCause::Peer(0x200);
    assert!(
        matches!(end, Input::LinkDown { link, cause } if (link, cause) == (to_bob, going_away)),
        "{end:?}"
    );
    bob.tell([Output::Listen { on: true }]);
    let address = bob
        .hear(|input| match input {
            Input::Listening { addresses } => addresses.first().copied(),
            _ => None,
        })
        .await;
    assert_eq!(dial(&mut alice, 2, address, Expect::Anyone).await, Ok(bob.key()));
}

#[tokio::test]
async fn who_goes_says_goodbye() {
    let (mut alice, _, bob, _) = pair(loopback()).await;
    bob.running.stop();
    tokio::time::timeout(PATIENCE, bob.running.engine.finished()).await.unwrap();
    let end = alice.hear_next().await;
    assert!(matches!(end, Input::LinkDown { cause: DownCause::Peer(0x200), .. }), "{end:?}");
    // Orders after the end do nothing.
    bob.tell([
        Output::Listen { on: true },
        Output::Dial { dial: DialId(9), address: address_of(&alice), expect: Expect::Anyone },
    ]);

    let (mut alice, _, bob, _) = pair(loopback()).await;
    drop(bob);
    let end = alice.hear_next().await;
    assert!(matches!(end, Input::LinkDown { cause: DownCause::Peer(0x200), .. }), "{end:?}");
}

fn address_of(peer: &Peer) -> Address {
    let inputs = peer.heard.inputs.lock().unwrap();
    inputs
        .iter()
        .find_map(|input| match input {
            Input::Listening { addresses } => addresses.first().copied(),
            _ => None,
        })
        .unwrap()
}

/// Somebody else's QUIC client.
struct Foreign {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    alpn: &'static [u8],
}

#[derive(Debug)]
struct AnyServer;

impl rustls::client::danger::ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        name: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        assert_eq!(name.to_str(), "foreign");
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ED25519]
    }
}

impl Foreign {
    fn of(identity: &Identity) -> Foreign {
        let chain = vec![CertificateDer::from(identity.tls_certificate().to_vec())];
        Foreign { chain, key: identity.pkcs8().unwrap().to_vec(), alpn: b"pgrp/1" }
    }

    fn tls(self) -> rustls::ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer));
        let mut config = match self.chain.is_empty() {
            true => builder.with_no_client_auth(),
            false => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key));
                let signing = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
                let certified = rustls::sign::CertifiedKey::new(self.chain, signing);
                let resolver = rustls::sign::SingleCertAndKey::from(certified);
                builder.with_client_cert_resolver(Arc::new(resolver))
            }
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        config
    }

    /// How the other end ends the connection.
    async fn fate(self, address: Address) -> ConnectionError {
        let endpoint = quinn::Endpoint::client("[::1]:0".parse().unwrap()).unwrap();
        let config =
            quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(self.tls()).unwrap()));
        let connecting = endpoint.connect_with(config, address.into(), "foreign").unwrap();
        let end = async {
            match connecting.await {
                Ok(connection) => connection.closed().await,
                Err(error) => error,
            }
        };
        tokio::time::timeout(PATIENCE, end).await.expect("refused in time")
    }
}

fn alert(error: &ConnectionError) -> Option<u8> {
    match error {
        ConnectionError::ConnectionClosed(close) => {
            (0..=255).find(|alert| close.error_code == TransportErrorCode::crypto(*alert))
        }
        _ => None,
    }
}

#[tokio::test]
async fn who_shows_no_good_certificate_is_turned_away_in_the_handshake() {
    let (mut bob, address) = Peer::listening(loopback()).await;
    let good = Identity::create(None, Some("Good"), FileTime::from_unix(1_700_000_000)).unwrap();
    let no_certificate = Foreign { chain: vec![], ..Foreign::of(&good) };
    assert_eq!(alert(&no_certificate.fate(address).await), Some(116), "certificate required");

    let mut two = Foreign::of(&good);
    two.chain.push(two.chain[0].clone());
    assert_eq!(alert(&two.fate(address).await), Some(49), "two certificates");

    let other_key = Foreign { key: identity().pkcs8().unwrap().to_vec(), ..Foreign::of(&good) };
    let refused = other_key.fate(address).await;
    assert!(alert(&refused).is_some(), "a key that is not the certificate's: {refused}");

    let with_name = Foreign {
        chain: vec![CertificateDer::from(good.certificate().to_vec())],
        ..Foreign::of(&good)
    };
    let refused = with_name.fate(address).await;
    assert_eq!(
        alert(&refused),
        Some(49),
        "the certificate with the friendly name is not for TLS: {refused}"
    );

    let garbage = Foreign {
        chain: vec![CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])],
        ..Foreign::of(&good)
    };
    assert_eq!(alert(&garbage.fate(address).await), Some(49), "no certificate at all");

    let other_protocol = Foreign { alpn: b"h3", ..Foreign::of(&good) };
    assert_eq!(alert(&other_protocol.fate(address).await), Some(120), "no application protocol");

    // None of them became a link.
    let (mut alice, _) = Peer::listening(loopback()).await;
    dial(&mut alice, 1, address, Expect::Anyone).await.unwrap();
    let next = bob.hear_next().await;
    assert!(matches!(next, Input::LinkUp { peer, .. } if peer == alice.key()), "{next:?}");
}

#[tokio::test]
async fn a_server_whose_key_is_not_its_certificates_is_refused() {
    let mixed = TlsIdentity {
        certificate: identity().tls_certificate().to_vec(),
        key: identity().key_source(),
    };
    let curve = identity_of(KeyKind::EcdsaP256);
    let of_another_kind = TlsIdentity { key: curve.key_source(), ..tls_of(&identity()) };
    let another_of_the_kind =
        TlsIdentity { key: curve.key_source(), ..tls_of(&identity_of(KeyKind::EcdsaP256)) };
    for mixed in [mixed, of_another_kind, another_of_the_kind] {
        let (_bob, address) = Peer::listening_as(identity(), mixed, loopback()).await;
        let (mut alice, _) = Peer::listening(loopback()).await;
        let signature = Refusal { code: Code::CRYPT_E_HASH_VALUE, detail: Code::NTE_BAD_SIGNATURE };
        let refused = dial(&mut alice, 1, address, Expect::Anyone).await;
        assert_eq!(refused, Err(DownCause::Verdict(signature)));
    }
}

#[tokio::test]
async fn a_dialler_hears_that_its_certificate_was_refused() {
    let (mut bob, address) = Peer::listening(loopback()).await;
    let named = Identity::create(None, Some("Alice"), FileTime::from_unix(1_700_000_000)).unwrap();
    let wrong =
        TlsIdentity { certificate: named.certificate().to_vec(), ..TlsIdentity::of(&named) };
    let (mut alice, _) = Peer::listening_as(named, wrong, loopback()).await;
    alice.tell([Output::Dial { dial: DialId(1), address, expect: Expect::Key(bob.key()) }]);
    // In TLS 1.3 the dialler's handshake ends before the acceptor has judged it: the link may have come up before.
    let cause = alice
        .hear(|input| match input {
            Input::LinkDown { cause, .. } | Input::DialFailed { cause, .. } => Some(cause),
            _ => None,
        })
        .await;
    assert_eq!(cause, DownCause::Tls(49));
    // The acceptor never heard of it.
    let (mut carol, _) = Peer::listening(loopback()).await;
    dial(&mut carol, 1, address, Expect::Anyone).await.unwrap();
    let next = bob.hear_next().await;
    assert!(matches!(next, Input::LinkUp { peer, .. } if peer == carol.key()), "{next:?}");
}

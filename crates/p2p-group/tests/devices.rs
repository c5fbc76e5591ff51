//! An identity whose private key lives in a device.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use p2p_crypto::{KeySource, KeySourceError};
use p2p_group::{
    Code, Group, Guid, Home, Identity, IdentityOptions, Invitation, InviteOptions, KeyKind, Node,
    now,
};

const TEXT: Guid = Guid::from_u128(0x7a3c_5f10_9e6b_4b1e_8d2a_61c4_0f27_93aa);

/// A key that signs while its device is plugged in.
struct Device {
    key: Arc<dyn KeySource>,
    plugged: AtomicBool,
}

impl Device {
    fn new() -> Arc<Device> {
        let made = p2p_crypto::Identity::create_with(KeyKind::EcdsaP256, None, None, now());
        Arc::new(Device { key: made.unwrap().key_source(), plugged: AtomicBool::new(true) })
    }

    fn identity(self: &Arc<Self>) -> Identity {
        p2p_crypto::Identity::with_source(self.clone(), None, Some("Ann"), now()).unwrap().into()
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

fn start(identity: Identity) -> Node {
    let loopback: SocketAddr = "[::1]:0".parse().unwrap();
    Node::builder(identity).listen_at([loopback]).start().unwrap()
}

#[tokio::test]
async fn a_key_in_a_device_is_enough_for_everything_and_its_absence_ends_nothing_that_stands() {
    let device = Device::new();
    let ann = start(device.identity());
    let anns = Group::create(&ann, "Friends").unwrap();
    anns.connect_and_wait().await.unwrap();
    let bob = start(Identity::in_memory("Bob").unwrap());
    let line = anns.invite(&bob.identity().info(), InviteOptions::default()).unwrap().to_line();
    let bobs = Group::join(&bob, &Invitation::parse(&line).unwrap()).unwrap();
    bobs.connect_and_wait().await.unwrap();
    let incoming = anns.incoming().unwrap();
    let to_ann = bobs.direct(ann.identity().key()).await.unwrap();
    let to_bob = incoming.accept().await.unwrap();

    device.plug(false);
    let carol = Identity::in_memory("Carol").unwrap().info();
    let refused = anns.invite(&carol, InviteOptions::default()).unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_NO_KEY_ACCESS);
    assert_eq!(refused.refusal().unwrap().detail, Code::NTE_NO_KEY);
    to_ann.send(TEXT, "still there?").await.unwrap();
    assert_eq!(to_bob.recv().await.unwrap().bytes, "still there?");
    to_bob.send(TEXT, "still here").await.unwrap();
    assert_eq!(to_ann.recv().await.unwrap().bytes, "still here");

    device.plug(true);
    anns.invite(&carol, InviteOptions::default()).unwrap();
}

#[test]
fn a_home_does_not_keep_a_key_that_it_cannot_have() {
    let device = Device::new();
    let ann = device.identity();
    let refused = ann.export("correct horse").unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_NO_KEY_ACCESS);
    assert_eq!(refused.refusal().unwrap().detail, Code::NTE_PERM);

    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home"));
    let refused = home.add_identity(&ann).unwrap_err();
    assert_eq!(refused.code(), Code::PEER_E_NO_KEY_ACCESS);
    assert!(home.identities().unwrap().is_empty());

    // A key in memory of the same kind is kept.
    let options = IdentityOptions { key: KeyKind::EcdsaP256, ..IdentityOptions::from("Bob") };
    let bob = home.create_identity(options).unwrap();
    assert_eq!(home.identities().unwrap()[0].key(), bob.key());
}

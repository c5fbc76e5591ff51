//! A private key that never leaves its device: a whole `KeySource`, and what the rest of the crate does with it.
//!
//! The device here is a value in memory with a key on P-256, which TPMs, smart cards and phones have. It hands out the
//! public key, signs on request, and can be pulled out.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use p2p_core::{Code, FileTime, Roles};
use p2p_crypto::{
    GroupIdentity, Identity, Invitation, IssueRequest, KeyKind, KeySource, KeySourceError,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// DER SubjectPublicKeyInfo of a point on P-256, up to the point (RFC 5480 §2).
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A device with one key.
pub struct Device {
    pair: EcdsaKeyPair,
    public_key: Vec<u8>,
    plugged: AtomicBool,
}

impl Device {
    /// Makes the key inside. A real one does that once, in the factory or at its first use.
    pub fn new() -> Result<Device, KeySourceError> {
        let failed = || KeySourceError::Failed("no key could be made".to_owned());
        let (alg, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(alg, &random).map_err(|_| failed())?;
        let pair =
            EcdsaKeyPair::from_pkcs8(alg, document.as_ref(), &random).map_err(|_| failed())?;
        let public_key = [&SPKI_HEAD, pair.public_key().as_ref()].concat();
        Ok(Device { pair, public_key, plugged: AtomicBool::new(true) })
    }

    /// Puts it in or pulls it out.
    pub fn plug(&self, plugged: bool) {
        self.plugged.store(plugged, Ordering::SeqCst);
    }
}

impl KeySource for Device {
    fn kind(&self) -> KeyKind {
        KeyKind::EcdsaP256
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeySourceError> {
        if !self.plugged.load(Ordering::SeqCst) {
            return Err(KeySourceError::Absent);
        }
        let signature = self.pair.sign(&SystemRandom::new(), message);
        let signature =
            signature.map_err(|_| KeySourceError::Failed("no randomness".to_owned()))?;
        Ok(signature.as_ref().to_vec())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let now = FileTime::from_unix(1_795_344_000);
    let device = Arc::new(Device::new()?);

    // An identity for the key in the device. What is to be kept of it is its certificate, which is public.
    let ada = Identity::with_source(device.clone(), None, Some("Ada"), now)?;
    let kept = ada.certificate().to_vec();
    println!("{} signs with {:?}", ada.name(), ada.key_kind());

    // It founds a group and invites somebody whose key is of the other kind.
    let group = GroupIdentity::create(Some("chess"), Some("Chess club"), now)?;
    let chain = group.issue_creator(&ada.info(), now)?;
    let bob = Identity::create(None, Some("Bob"), now)?.info();
    let request =
        IssueRequest { subject: &bob, roles: Roles::MEMBER, expires: None, hints: &[], now };
    let invitation = Invitation::issue(&ada, &chain, &request)?;
    Invitation::parse(invitation.as_xml())?.check_for(&bob.key, now)?;
    println!("Bob is invited by {}", invitation.member().issuer_friendly_name);
    assert_eq!(invitation.member().issuer_friendly_name, "Ada");

    // The key can be used, and not be had.
    let error = ada.export("correct horse").unwrap_err();
    println!("an export: {error} ({})", error.code());
    assert_eq!(error.code(), Code::PEER_E_NO_KEY_ACCESS);

    // Without its device the identity signs nothing, and can do so again when the device is back.
    device.plug(false);
    let error = Invitation::issue(&ada, &chain, &request).unwrap_err();
    println!("without the device: {error} ({})", error.code());
    assert_eq!(error.code(), Code::PEER_E_NO_KEY_ACCESS);
    device.plug(true);
    let again = Identity::from_source(device, &kept)?;
    assert_eq!(again.key_id(), ada.key_id());
    Invitation::issue(&again, &chain, &request)?;
    println!("with the device, loaded again: an invitation");
    Ok(())
}

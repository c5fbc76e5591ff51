//! Keys that live elsewhere: in a TPM, the keystore of a phone, a smart card.

use p2p_core::{Code, Refusal};

use crate::key::KeyKind;

/// A private key that this process cannot read but may ask to sign.
///
/// It signs when an identity is made or loaded, when a membership or invitation is issued, and in each TLS handshake,
/// there on the thread that serves the network: what takes long delays the node's other connections, so a device that
/// asks its user each time is not fit for this. Calls may come from several threads at once.
///
/// `examples/device.rs` is a whole one.
pub trait KeySource: Send + Sync {
    /// What kind of key it is; always the same.
    fn kind(&self) -> KeyKind;

    /// The public key; always the same. DER SubjectPublicKeyInfo: RFC 8410 §4 for Ed25519, RFC 5480 §2 with a named
    /// curve and an uncompressed point for P-256.
    fn public_key(&self) -> &[u8];

    /// A signature over `message`, which is at most some 64 KiB and not hashed yet. For Ed25519 the 64 bytes of RFC 8032;
    /// for P-256 the DER of RFC 3279 §2.2.3, with SHA-256. Which of the two possible s an ECDSA device takes does not
    /// matter: it is changed to the smaller one. A signature that is not the key's is noticed and never used.
    ///
    /// # Errors
    /// Why there is none; what was to be signed is then not issued, and the handshake fails.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeySourceError>;
}

/// Why a key that lives elsewhere did not sign. Nothing was changed; the next call may succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySourceError {
    /// The device, or the key in it, is not there (any longer): `NTE_NO_KEY`.
    #[error("the device with the private key is not there")]
    Absent,
    /// The device or its user refused: `NTE_PERM`.
    #[error("the device refused to sign")]
    Denied,
    /// The key cannot be had, only used: `NTE_PERM`.
    #[error("the private key cannot leave its device")]
    NotExportable,
    /// It answered with something that is no signature by its key: `NTE_BAD_KEYSET`.
    #[error("the device gave a wrong signature")]
    WrongSignature,
    /// Anything else, in words: `NTE_FAIL`.
    #[error("the device failed: {0}")]
    Failed(String),
}

impl KeySourceError {
    /// What a call that needed the key reports.
    pub fn code(&self) -> Code {
        Code::PEER_E_NO_KEY_ACCESS
    }

    /// The two codes behind it.
    pub fn refusal(&self) -> Refusal {
        let detail = match self {
            KeySourceError::Absent => Code::NTE_NO_KEY,
            KeySourceError::Denied | KeySourceError::NotExportable => Code::NTE_PERM,
            KeySourceError::WrongSignature => Code::NTE_BAD_KEYSET,
            KeySourceError::Failed(_) => Code::NTE_FAIL,
        };
        Refusal { code: Code::CRYPT_E_NO_KEY_PROPERTY, detail }
    }
}

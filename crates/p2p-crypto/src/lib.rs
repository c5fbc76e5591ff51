#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod certificate;
mod chain;
mod error;
mod export;
mod group;
mod identity;
mod invitation;
mod key;
mod keyring;
mod name;
mod refusal;
mod xml;

pub use chain::{ChainInfo, inspect_chain, verify_chain};
pub use error::CryptoError;
pub use group::GroupIdentity;
pub use identity::{Identity, IdentityInfo, TlsPeer, verify_tls_certificate};
pub use invitation::{Invitation, IssueRequest};
pub use keyring::Keyring;
pub use name::{NameError, PeerName, check_friendly_name};
pub use refusal::{Cause, Surface};

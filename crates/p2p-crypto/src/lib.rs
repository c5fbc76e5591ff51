#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod cache;
mod certificate;
mod chain;
mod config;
mod error;
mod export;
mod group;
mod identity;
mod invitation;
mod issue;
mod key;
mod keyring;
mod name;
mod object;
mod password;
mod refusal;
mod sealed;
mod stretch;
mod xml;

pub use cache::ChainCache;
pub use chain::{ChainInfo, inspect_chain, verify_chain, verify_chain_with};
pub use config::GroupConfig;
pub use error::CryptoError;
pub use group::GroupIdentity;
pub use identity::{Identity, IdentityInfo, TlsPeer, verify_tls_certificate};
pub use invitation::{
    AnyInvitation, Invitation, IssueRequest, PasswordInvitation, PasswordRequest,
};
pub use issue::{MembershipRequest, RenewalRequest, issue_membership, renew};
pub use key::{KeyKind, KeySource, KeySourceError};
pub use keyring::Keyring;
pub use name::{NameError, PeerName, check_friendly_name};
pub use object::{GroupFlags, GroupProperties, RevocationRequest, Schemes, revoke, verify_object};
pub use password::{
    ExchangeBinding, PasswordJoiner, PasswordMember, PasswordParameters, PasswordSecret,
    PasswordVerifier, check_password, issue_by_password,
};
pub use refusal::{Cause, Surface};

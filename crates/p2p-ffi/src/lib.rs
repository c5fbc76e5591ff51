//! Private peer groups behind the C interface of Windows' `p2p.h`.
//!
//! The header is `include/p2p.h`, the library `libpeergroup`. This crate translates: text, handles, memory and codes on
//! one side, `p2p-group` on the other. It decides nothing about groups or connections.
//!
//! It is the only crate of the project with `unsafe` code, and each exported function has the same shape: a wall against
//! panics, out pointers cleared and checked, handles looked up in tables (never followed), then one call.
#![allow(non_snake_case, reason = "the exported names are those of the C header")]

mod admin;
mod config;
mod direct;
mod enumeration;
mod event_object;
mod events;
mod group;
mod guard;
mod handle;
mod identity;
mod invitation;
mod key;
pub mod layout;
mod memory;
mod password;
mod portable;
mod properties;
mod public_key;
mod runtime;
mod statistics;
mod time;
#[cfg(any(feature = "undocumented-exports", test))]
#[cfg_attr(
    not(feature = "undocumented-exports"),
    allow(unreachable_pub, reason = "public with the feature; the tests need no feature")
)]
mod undocumented;
mod wide;

pub use admin::{P2PGroupDemote, P2PGroupRevoke, PeerGroupIssueCredentials};
pub use config::{PeerGroupExportConfig, PeerGroupImportConfig};
pub use direct::{
    PeerGroupCloseDirectConnection, PeerGroupOpenDirectConnection, PeerGroupSendData,
};
pub use enumeration::{PeerEndEnumeration, PeerGetItemCount, PeerGetNextItem};
pub use event_object::{
    P2PCloseEvent, P2PCreateEvent, P2PEventFd, P2PResetEvent, P2PSetEvent, P2PWaitEvent,
};
pub use events::{
    P2PGetEventDetail, PeerGroupGetEventData, PeerGroupRegisterEvent, PeerGroupUnregisterEvent,
};
pub use group::{
    PeerGroupClose, PeerGroupConnect, PeerGroupConnectByAddress, PeerGroupCreate, PeerGroupDelete,
    PeerGroupEnumConnections, PeerGroupEnumMembers, PeerGroupGetStatus, PeerGroupJoin,
    PeerGroupOpen,
};
pub use guard::P2PGetLastErrorDetail;
pub use identity::{
    PeerCreatePeerName, PeerEnumGroups, PeerEnumIdentities, PeerIdentityCreate, PeerIdentityDelete,
    PeerIdentityGetDefault, PeerIdentityGetFriendlyName, PeerIdentityGetXML,
    PeerIdentitySetFriendlyName,
};
pub use invitation::{PeerGroupCreateInvitation, PeerGroupParseInvitation};
pub use key::{P2PKeyGenerate, P2PKeyImportPkcs8, P2PKeyRelease, PeerIdentityGetCryptKey};
pub use memory::PeerFreeData;
pub use password::{
    PeerGroupCreatePasswordInvitation, PeerGroupPasswordJoin, PeerGroupResumePasswordAuthentication,
};
pub use portable::{PeerIdentityExport, PeerIdentityImport};
pub use properties::{PeerGroupGetProperties, PeerGroupSetProperties};
pub use runtime::{PeerGroupShutdown, PeerGroupStartup};
pub use statistics::P2PGetStatistics;
pub use time::{PeerGroupPeerTimeToUniversalTime, PeerGroupUniversalTimeToPeerTime};
#[cfg(feature = "undocumented-exports")]
pub use undocumented::{
    PeerGroupHandlePowerEvent, PeerIdentityGetCert, PeerSSPAddCredentials, PeerSSPRemoveCredentials,
};

//! What can go wrong, one enum per kind of call, and one that holds them all.
//!
//! Every error says what happened to the state, has the [`Code`] that `p2p.h` reports for it, and, where a check of
//! trust said no, the [`Refusal`] behind it.

use p2p_core::{Cause, Code, Refusal};
use p2p_crypto::{CryptoError, NameError};
use p2p_store::StoreError;
use p2p_transport::TransportError;

/// Any error of this crate; every other one converts into it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An identity could not be made, found or deleted.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A node could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A group could not be created, joined, opened or deleted.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// An invitation could not be issued or read.
    #[error(transparent)]
    Invite(#[from] InviteError),
    /// Connecting to a group failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A direct connection could not be made.
    #[error(transparent)]
    Direct(#[from] DirectError),
    /// A message was not accepted.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A direct connection was not closed.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// A membership was not taken back or issued, or the group's properties could not be had or changed.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A question about a group whose handle is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl Error {
    /// The code that `p2p.h` has for it; never a success.
    pub fn code(&self) -> Code {
        match self {
            Error::Identity(error) => error.code(),
            Error::Start(error) => error.code(),
            Error::Group(error) => error.code(),
            Error::Invite(error) => error.code(),
            Error::Connect(error) => error.code(),
            Error::Direct(error) => error.code(),
            Error::Send(error) => error.code(),
            Error::Close(error) => error.code(),
            Error::Admin(error) => error.code(),
            Error::Closed(error) => error.code(),
        }
    }

    /// The refusal behind it, where a check of trust said no.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Error::Identity(error) => error.refusal(),
            Error::Start(error) => error.refusal(),
            Error::Group(error) => error.refusal(),
            Error::Invite(error) => error.refusal(),
            Error::Connect(_) | Error::Send(_) | Error::Close(_) | Error::Closed(_) => None,
            Error::Direct(error) => error.refusal(),
            Error::Admin(error) => error.refusal(),
        }
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Error {
        Error::Identity(IdentityError::Crypto(CryptoError::Name(error)))
    }
}

impl From<CryptoError> for Error {
    /// From [`Invitation::parse`](crate::Invitation::parse), which changes nothing.
    fn from(error: CryptoError) -> Error {
        Error::Invite(InviteError::Crypto(error))
    }
}

/// What is behind an error that is about a revocation.
const REVOKED: Refusal = Refusal { code: Code::CRYPT_E_REVOKED, detail: Code::CERT_E_REVOKED };

/// The handle is closed, or its group was deleted: `PEER_E_INVALID_GROUP`. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the group handle is closed")]
pub struct Closed;

impl Closed {
    /// `PEER_E_INVALID_GROUP`.
    pub fn code(self) -> Code {
        Code::PEER_E_INVALID_GROUP
    }
}

/// Why an identity could not be made, found or deleted. What is stored is as it was before the call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A name has a form that is not allowed, or the random generator failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The home could not be read or written, has no such identity, is full, or the identity still has groups
    /// (`PEER_E_GROUPS_EXIST`).
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IdentityError {
    /// The code that `p2p.h` has for it.
    pub fn code(&self) -> Code {
        match self {
            IdentityError::Crypto(error) => error.code(),
            IdentityError::Store(error) => error.code(),
        }
    }

    /// The refusal behind it, where keys or certificates are concerned.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            IdentityError::Crypto(error) => error.refusal(),
            IdentityError::Store(error) => error.refusal(),
        }
    }
}

/// Why a node could not be started. No socket was opened, no task is left running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// `P2P_LISTEN` is not a comma-separated list of `address:port`.
    #[error("P2P_LISTEN: {0:?} is not an address with a port")]
    Listen(String),
    /// The background threads could not be started.
    #[error("the background threads could not be started: {0}")]
    Runtime(#[source] std::io::Error),
    /// The home could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The transport could not be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl StartError {
    /// The code that `p2p.h` has for it.
    pub fn code(&self) -> Code {
        match self {
            StartError::Listen(_) => Code::E_INVALIDARG,
            StartError::Runtime(_) => Code::E_OUTOFMEMORY,
            StartError::Store(error) => error.code(),
            StartError::Transport(error) => error.code(),
        }
    }

    /// The refusal behind it, where keys or certificates are concerned.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            StartError::Store(error) => error.refusal(),
            _ => None,
        }
    }
}

/// Why a group could not be created, joined, imported, opened or deleted. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// This identity has no such group here: `PEER_E_NOT_FOUND`.
    #[error("this identity has no such group")]
    NotFound,
    /// The group is open where it must be closed: in another process, in another node of this one, for
    /// [`join`](crate::Group::join) in this node, or it is still closing. `PEER_E_GROUP_IN_USE`.
    #[error("the group is in use")]
    InUse,
    /// The configuration is that of another identity: of one that is not in this home, or not of this node.
    /// `PEER_E_IDENTITY_NOT_FOUND`.
    #[error("the configuration's identity is not here")]
    OtherIdentity,
    /// A name is not allowed, or the invitation or configuration was turned down.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The stored membership is damaged: `PEER_E_CERT_STORE_CORRUPTED`.
    #[error("the stored membership is damaged")]
    Damaged(#[source] Refusal),
    /// The store could not be read or written. A group that was being deleted may be partly deleted; delete it again.
    #[error(transparent)]
    Store(StoreError),
    /// The node has as many open groups as its limits allow: `E_OUTOFMEMORY`.
    #[error("the node has too many open groups")]
    TooMany,
    /// The node was shut down: `PEER_E_NOT_INITIALIZED`.
    #[error("the node is shut down")]
    Stopped,
}

impl GroupError {
    /// The code that `p2p.h` has for it.
    pub fn code(&self) -> Code {
        match self {
            GroupError::NotFound => Code::PEER_E_NOT_FOUND,
            GroupError::InUse => Code::PEER_E_GROUP_IN_USE,
            GroupError::OtherIdentity => Code::PEER_E_IDENTITY_NOT_FOUND,
            GroupError::Crypto(error) => error.code(),
            GroupError::Damaged(_) => Code::PEER_E_CERT_STORE_CORRUPTED,
            GroupError::Store(error) => error.code(),
            GroupError::TooMany => Code::E_OUTOFMEMORY,
            GroupError::Stopped => Code::PEER_E_NOT_INITIALIZED,
        }
    }

    /// The refusal behind it, where a check of trust said no.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            GroupError::Crypto(error) => error.refusal(),
            GroupError::Damaged(refusal) => Some(*refusal),
            GroupError::Store(error) => error.refusal(),
            _ => None,
        }
    }
}

impl From<StoreError> for GroupError {
    fn from(error: StoreError) -> GroupError {
        match error {
            StoreError::GroupInUse => GroupError::InUse,
            error => GroupError::Store(error),
        }
    }
}

/// Why an invitation could not be issued or read. Nothing was changed; issuing stores nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// The handle is closed: `PEER_E_INVALID_GROUP`.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// This group has never had a complete exchange with a member: `PEER_E_GROUP_NOT_READY`. Connect first.
    #[error("the group was never synchronised")]
    NotReady,
    /// The identity or the group is not here, or cannot be read.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The identity cannot be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The description of who is to be invited is not to be trusted.
    #[error("the invitee's description is refused: {0}")]
    Invitee(#[source] Refusal),
    /// Who is invited was revoked, or who invites: `PEER_E_NOT_AUTHORIZED`, with `CRYPT_E_REVOKED` behind it.
    #[error("the membership would be revoked from the start")]
    Revoked,
    /// The group has no password, so nobody is invited by it: `PEER_E_INVALID_GROUP_PROPERTIES`.
    #[error("the group has no password")]
    NoPassword,
    /// The group is joined by its password only, so nobody is invited by name: `PEER_E_INVALID_GROUP_PROPERTIES`.
    #[error("the group is joined by its password only")]
    PasswordOnly,
    /// This member may not issue what was asked for, or the invitation that was read is not to be trusted.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl InviteError {
    /// The code that `p2p.h` has for it.
    pub fn code(&self) -> Code {
        match self {
            InviteError::Closed(error) => error.code(),
            InviteError::NotReady => Code::PEER_E_GROUP_NOT_READY,
            InviteError::Group(error) => error.code(),
            InviteError::Identity(error) => error.code(),
            InviteError::Invitee(refusal) => refusal.code,
            InviteError::Revoked => Code::PEER_E_NOT_AUTHORIZED,
            InviteError::NoPassword | InviteError::PasswordOnly => {
                Code::PEER_E_INVALID_GROUP_PROPERTIES
            }
            InviteError::Crypto(error) => error.code(),
        }
    }

    /// The refusal behind it, where a check of trust said no.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            InviteError::Group(error) => error.refusal(),
            InviteError::Identity(error) => error.refusal(),
            InviteError::Invitee(refusal) => Some(*refusal),
            InviteError::Revoked => Some(REVOKED),
            InviteError::Crypto(error) => error.refusal(),
            _ => None,
        }
    }
}

/// Why a group is not online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The handle is closed: `PEER_E_INVALID_GROUP`.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// More than 64 addresses, none at all, or one that cannot be dialled. No attempt was started.
    #[error("invalid argument: {0}")]
    Argument(&'static str),
    /// The attempt failed; the group is offline and may be connected again.
    #[error("the group could not be connected: {0}")]
    Failed(Code),
}

impl ConnectError {
    /// The code that `p2p.h` has for it.
    pub fn code(self) -> Code {
        match self {
            ConnectError::Closed(error) => error.code(),
            ConnectError::Argument(_) => Code::E_INVALIDARG,
            ConnectError::Failed(reason) => reason,
        }
    }
}

/// Why there is no direct connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectError {
    /// The handle is closed: `PEER_E_INVALID_GROUP`. If it was closed during the attempt, the attempt goes on without
    /// this caller, as the group's other handles may see.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The group is offline: `PEER_E_GROUP_NOT_READY`. No attempt was started.
    #[error("the group is offline")]
    Offline,
    /// The target is this very node: `PEER_E_CONNECT_SELF`. No attempt was started.
    #[error("the target is this node itself")]
    Itself,
    /// An address that cannot be dialled. No attempt was started.
    #[error("invalid argument: {0}")]
    Argument(&'static str),
    /// No address of the target is known here: `PEER_E_CONNECTION_FAILED`. No attempt was started.
    #[error("no address of the peer is known")]
    NoAddress,
    /// This node has as many direct connections as its limits allow: `E_OUTOFMEMORY`. No attempt was started.
    #[error("a limit of this node is reached")]
    TooMany,
    /// The attempt failed, and nothing of it is left.
    #[error("the direct connection failed: {code} ({0:?})", code = .0.code())]
    Failed(Cause),
}

impl DirectError {
    /// The code that `p2p.h` has for it.
    pub fn code(self) -> Code {
        match self {
            DirectError::Closed(error) => error.code(),
            DirectError::Offline => Code::PEER_E_GROUP_NOT_READY,
            DirectError::Itself => Code::PEER_E_CONNECT_SELF,
            DirectError::Argument(_) => Code::E_INVALIDARG,
            DirectError::NoAddress => Code::PEER_E_CONNECTION_FAILED,
            DirectError::TooMany => Code::E_OUTOFMEMORY,
            DirectError::Failed(cause) => cause.code(),
        }
    }

    /// The refusal behind it, if it was us who turned the peer away.
    pub fn refusal(self) -> Option<Refusal> {
        match self {
            DirectError::Failed(cause) => cause.refusal(),
            _ => None,
        }
    }
}

/// Why a message was not accepted. Nothing of it was queued, and the connection is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The handle is closed: `PEER_E_INVALID_GROUP`.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// No direct connection with this id stands: it is opening, closed here or there, or never was.
    /// `PEER_E_CONNECTION_NOT_FOUND`.
    #[error("no such connection")]
    NotFound,
    /// The message is longer than this node or the peer allows: `E_INVALIDARG`.
    #[error("{0}")]
    TooLong(&'static str),
    /// The connection's send queue is full: `E_OUTOFMEMORY`.
    #[error("the send queue is full")]
    Full,
}

impl SendError {
    /// The code that `p2p.h` has for it.
    pub fn code(self) -> Code {
        match self {
            SendError::Closed(error) => error.code(),
            SendError::NotFound => Code::PEER_E_CONNECTION_NOT_FOUND,
            SendError::TooLong(_) => Code::E_INVALIDARG,
            SendError::Full => Code::E_OUTOFMEMORY,
        }
    }
}

/// Why a direct connection was not closed. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The handle is closed: `PEER_E_INVALID_GROUP`.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// No direct connection of this group has this id, or it was closed already: `PEER_E_CONNECTION_NOT_FOUND`.
    #[error("no such connection")]
    NotFound,
}

impl CloseError {
    /// The code that `p2p.h` has for it.
    pub fn code(self) -> Code {
        match self {
            CloseError::Closed(error) => error.code(),
            CloseError::NotFound => Code::PEER_E_CONNECTION_NOT_FOUND,
        }
    }
}

/// Why a membership was not taken back or issued, or the group's properties could not be had or changed. Unless a call
/// says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The handle is closed: `PEER_E_INVALID_GROUP`. If it was closed during the call, the change may have been made.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// This group has never had a complete exchange with a member: `PEER_E_GROUP_NOT_READY`. Connect first.
    #[error("the group was never synchronised")]
    NotReady,
    /// Nobody with this name is known in the group: `PEER_E_IDENTITY_NOT_FOUND`.
    #[error("no such member is known")]
    NotFound,
    /// This identity may not do that in the group, or not to this member: `PEER_E_NOT_AUTHORIZED`.
    #[error("this identity may not do that in the group")]
    NotAuthorized,
    /// Who is to get a membership was revoked, or who is to issue it: `PEER_E_NOT_AUTHORIZED`, with `CRYPT_E_REVOKED`
    /// behind it.
    #[error("the membership would be revoked from the start")]
    Revoked,
    /// An argument is out of range: `E_INVALIDARG`.
    #[error("invalid argument: {0}")]
    Argument(&'static str),
    /// The description of who is to get a membership contradicts itself: `PEER_E_INVALID_CREDENTIAL_INFO`.
    #[error("the description of the member contradicts itself")]
    Subject,
    /// A renewal would not start later than the present membership: `PEER_E_INVALID_TIME_PERIOD`.
    #[error("a renewal starts later than the present membership")]
    Start,
    /// The group has something later already: `PEER_E_INVALID_TIME_PERIOD`. Somebody else was quicker.
    #[error("something later has taken its place already")]
    Superseded,
    /// Names, properties or a membership that cannot be issued.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// What was signed here does not verify.
    #[error("what was signed is turned down: {0}")]
    Refused(#[source] Refusal),
    /// What is stored of the group could not be read.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The group keeps as many revocations or credentials as its limits allow: `E_OUTOFMEMORY`.
    #[error("a limit of this node is reached")]
    TooMany,
    /// It could not be stored, for this code, such as `PEER_E_DISK_FULL`.
    #[error("it could not be stored: {0}")]
    NotStored(Code),
}

impl AdminError {
    /// The code that `p2p.h` has for it.
    pub fn code(&self) -> Code {
        match self {
            AdminError::Closed(error) => error.code(),
            AdminError::NotReady => Code::PEER_E_GROUP_NOT_READY,
            AdminError::NotFound => Code::PEER_E_IDENTITY_NOT_FOUND,
            AdminError::NotAuthorized | AdminError::Revoked => Code::PEER_E_NOT_AUTHORIZED,
            AdminError::Argument(_) => Code::E_INVALIDARG,
            AdminError::Subject => Code::PEER_E_INVALID_CREDENTIAL_INFO,
            AdminError::Start | AdminError::Superseded => Code::PEER_E_INVALID_TIME_PERIOD,
            AdminError::Crypto(error) => error.code(),
            AdminError::Refused(refusal) => refusal.code,
            AdminError::Group(error) => error.code(),
            AdminError::TooMany => Code::E_OUTOFMEMORY,
            AdminError::NotStored(code) => *code,
        }
    }

    /// The refusal behind it, where a check of trust said no.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            AdminError::Revoked => Some(REVOKED),
            AdminError::Crypto(error) => error.refusal(),
            AdminError::Refused(refusal) => Some(*refusal),
            AdminError::Group(error) => error.refusal(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_error_keeps_its_code_on_the_way_up() {
        let refusal = Refusal { code: Code::CRYPT_E_REVOKED, detail: Code::CERT_E_REVOKED };
        let rows: [(Error, Code, Option<Refusal>); 6] = [
            (Closed.into(), Code::PEER_E_INVALID_GROUP, None),
            (CloseError::NotFound.into(), Code::PEER_E_CONNECTION_NOT_FOUND, None),
            (SendError::Full.into(), Code::E_OUTOFMEMORY, None),
            (GroupError::from(StoreError::GroupInUse).into(), Code::PEER_E_GROUP_IN_USE, None),
            (
                DirectError::Failed(Cause::Verdict(refusal)).into(),
                Code::PEER_E_CONNECTION_NOT_AUTHENTICATED,
                Some(refusal),
            ),
            (
                ConnectError::Failed(Code::PEER_E_NO_MEMBERS_FOUND).into(),
                Code::PEER_E_NO_MEMBERS_FOUND,
                None,
            ),
        ];
        for (error, code, behind) in rows {
            assert_eq!((error.code(), error.refusal()), (code, behind), "{error}");
        }
    }
}

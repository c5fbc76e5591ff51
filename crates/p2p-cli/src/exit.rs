//! How the process ends: what went wrong, what to do about it, and the exit code.

use std::io;
use std::process::ExitCode;

use p2p_group::{
    AdminError, Cause, CloseError, Closed, Code, ConnectError, CryptoError, DirectError, Error,
    GroupError, IdentityError, InviteError, Refusal, SendError, StartError,
};
use serde_json::{Value, json};

use crate::events;
use crate::print::{ascii, complain, escape, hex, name, refusal};

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NOT_FOUND: u8 = 3;
const REFUSED: u8 = 4;
const UNREACHABLE: u8 = 5;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong or ambiguous.
    Usage(String),
    /// Something failed that has a code.
    Code {
        /// What happened, in words.
        message: String,
        code: Code,
        /// The refusal behind it.
        refusal: Option<Refusal>,
    },
    /// Standard output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::Usage(message.into())
    }

    pub(crate) fn code(message: impl Into<String>, code: Code) -> Failure {
        Failure::Code { message: message.into(), code, refusal: None }
    }

    pub(crate) fn no_threads(error: io::Error) -> Failure {
        Failure::code(format!("no threads could be started: {error}"), Code::E_OUTOFMEMORY)
    }

    /// A connection that failed or ended other than in order.
    pub(crate) fn cause(message: &str, cause: Cause) -> Failure {
        let message = format!("{message}: {}", events::reason(cause));
        Failure::Code { message, code: cause.code(), refusal: cause.refusal() }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Failure::Code { code, .. } if class(*code) == NOT_FOUND)
    }

    /// Says it on standard error, and answers the exit code.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        match &self {
            // Whoever read our output has seen enough: `p2p listen | head -1`.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            _ if json => complain(&ascii(&self.record())),
            _ => self.lines().iter().for_each(|line| complain(&escape(line))),
        }
        ExitCode::from(self.exit())
    }

    fn exit(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Code { code, .. } => class(*code),
            Failure::Output(_) => FAILED,
        }
    }

    /// For people, who have a few lines for it.
    fn lines(&self) -> Vec<String> {
        let (message, code, refusal) = self.parts();
        let mut lines: Vec<String> = Vec::new();
        for line in message.lines() {
            lines.push(format!("{}{line}", if lines.is_empty() { "p2p: " } else { "     " }));
        }
        if let Some(code) = code {
            lines.push(format!("     {code}: {}", code.meaning()));
        }
        lines.extend(refusal.map(|refusal| format!("     behind it: {refusal}")));
        lines.extend(code.and_then(advice).map(|advice| format!("     {advice}")));
        lines
    }

    /// For people, in one line among others.
    pub(crate) fn line(&self) -> String {
        let (message, code, _) = self.parts();
        let message = message.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        let code = code.map_or_else(String::new, |code| format!(": {code}"));
        let advice = self
            .parts()
            .1
            .and_then(advice)
            .map_or_else(String::new, |advice| format!(". {advice}"));
        format!("! {message}{code}{advice}")
    }

    /// For programs.
    pub(crate) fn record(&self) -> Value {
        let (message, code, behind) = self.parts();
        let mut record = json!({
            "type": "error",
            "message": message,
            "code": code.map(name),
            "value": code.map(hex),
        });
        if let Some(behind) = behind {
            record["refusal"] = refusal(behind);
        }
        if let Some(advice) = code.and_then(advice) {
            record["advice"] = advice.into();
        }
        record
    }

    /// As another process of ours has said it.
    pub(crate) fn from_record(record: &Value) -> Failure {
        let message =
            record["message"].as_str().unwrap_or("it failed, and did not say why").to_owned();
        let code = |of: &Value| {
            let digits = of.as_str()?.strip_prefix("0x")?;
            u32::from_str_radix(digits, 16).ok().map(|value| Code(value as i32))
        };
        let behind = &record["refusal"];
        let refusal = code(&behind["value"])
            .zip(code(&behind["detail_value"]))
            .map(|(code, detail)| Refusal { code, detail });
        match code(&record["value"]) {
            Some(code) => Failure::Code { message, code, refusal },
            None => Failure::Usage(message),
        }
    }

    fn parts(&self) -> (String, Option<Code>, Option<Refusal>) {
        match self {
            Failure::Usage(message) => (message.clone(), None, None),
            Failure::Code { message, code, refusal } => (message.clone(), Some(*code), *refusal),
            Failure::Output(error) => (format!("standard output: {error}"), None, None),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        if let Error::Direct(DirectError::Failed(cause)) = error {
            return Failure::cause("the direct connection failed", cause);
        }
        if let Error::Start(StartError::Listen(_)) = error {
            return Failure::Usage(error.to_string());
        }
        let (code, refusal) = (error.code(), error.refusal());
        // The code is printed in a place of its own.
        let message = error.to_string();
        let message = message.trim_end_matches(&format!(" ({code})"));
        let message = message.trim_end_matches(&format!(": {code}"));
        Failure::Code { message: message.to_owned(), code, refusal }
    }
}

macro_rules! from {
    ($($error:ident),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Error::from(error).into()
            }
        })*
    };
}
from!(
    AdminError,
    IdentityError,
    StartError,
    GroupError,
    InviteError,
    ConnectError,
    DirectError,
    SendError,
    CloseError,
    Closed,
    CryptoError
);

/// The exit code for a code.
fn class(code: Code) -> u8 {
    match code {
        Code::PEER_E_NOT_FOUND
        | Code::PEER_E_IDENTITY_NOT_FOUND
        | Code::PEER_E_CONNECTION_NOT_FOUND
        | Code::PEER_E_INVALID_GROUP
        | Code::ERROR_FILE_NOT_FOUND
        | Code::ERROR_PATH_NOT_FOUND => NOT_FOUND,
        Code::PEER_E_NOT_AUTHORIZED
        | Code::PEER_E_INVITATION_NOT_TRUSTED
        | Code::PEER_E_INVALID_TIME_PERIOD
        | Code::PEER_E_CHAIN_TOO_LONG
        | Code::PEER_E_CIRCULAR_CHAIN_DETECTED
        | Code::PEER_E_CONNECTION_NOT_AUTHENTICATED
        | Code::PEER_E_CONNECTION_REFUSED => REFUSED,
        Code::PEER_E_NO_MEMBERS_FOUND
        | Code::PEER_E_NO_MEMBER_CONNECTIONS
        | Code::PEER_E_CONNECTION_FAILED
        | Code::PEER_E_TIMEOUT => UNREACHABLE,
        code if code.name().is_some_and(|name| name.starts_with("CRYPT_E_")) => REFUSED,
        _ => FAILED,
    }
}

/// What to do about it.
fn advice(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::PEER_E_GROUP_IN_USE => {
            "Another process has this group open: use its commands (/open, /revoke, /help lists them), or end it first."
        }
        Code::PEER_E_GROUP_NOT_READY => "Run `p2p listen` once, so that a member is met.",
        Code::PEER_E_UNABLE_TO_LISTEN => {
            "The address is taken, or not this machine's: choose another with --listen or P2P_LISTEN."
        }
        Code::PEER_E_NO_MEMBERS_FOUND => {
            "Nobody answered: let a member run `p2p listen`, and ask for a new invitation if its address has changed."
        }
        Code::PEER_E_NO_MEMBER_CONNECTIONS => {
            "Members answered, but none took us in: ask one of them why."
        }
        Code::PEER_E_INVITATION_NOT_TRUSTED => {
            "Copy the whole invitation, unchanged; it is good for one identity only."
        }
        Code::PEER_E_INVALID_TIME_PERIOD => {
            "Compare the dates with this machine's clock, or ask for a new invitation."
        }
        Code::PEER_E_UNSUPPORTED_VERSION => {
            "It was made by another version of p2p: update the older one."
        }
        Code::PEER_E_NOT_AUTHORIZED => "Ask an administrator of the group.",
        Code::PEER_E_CHAIN_TOO_LONG => "Ask a member nearer to the group's creator to invite.",
        Code::PEER_E_CIRCULAR_CHAIN_DETECTED => "This identity is a member already.",
        Code::PEER_E_CONNECTION_NOT_FOUND => "/connections lists those that stand.",
        Code::PEER_E_CONNECTION_FAILED => "See that the peer is online and its address is right.",
        Code::PEER_E_CONNECTION_REFUSED => {
            "The peer takes direct connections while it runs `p2p listen` or `p2p chat`, and files while it runs `p2p receive`."
        }
        Code::PEER_E_CONNECTION_NOT_AUTHENTICATED => {
            "Either side may have to renew its membership."
        }
        Code::PEER_E_NO_KEY_ACCESS | Code::E_ACCESSDENIED => {
            "See who owns the files in the home folder."
        }
        Code::PEER_E_DISK_FULL => "Make room on the disk and try again.",
        Code::PEER_E_CERT_STORE_CORRUPTED => "Restore the home folder from a copy.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_sort_the_codes() {
        let rows = [
            (Failure::usage("what?"), 2),
            (StartError::Listen("localhost".to_owned()).into(), 2),
            (GroupError::InUse.into(), 1),
            (GroupError::NotFound.into(), 3),
            (CloseError::NotFound.into(), 3),
            (CryptoError::Version.into(), 1),
            (Failure::code("no", Code::PEER_E_INVITATION_NOT_TRUSTED), 4),
            (Failure::code("no", Code::CRYPT_E_ASN1_EOD), 4),
            (ConnectError::Failed(Code::PEER_E_NO_MEMBERS_FOUND).into(), 5),
            (ConnectError::Failed(Code::PEER_E_UNABLE_TO_LISTEN).into(), 1),
            (DirectError::Failed(Cause::Timeout).into(), 5),
            (DirectError::Failed(Cause::NotAuthenticated).into(), 4),
        ];
        for (failure, exit) in rows {
            assert_eq!(failure.exit(), exit, "{failure:?}");
        }
    }

    #[test]
    fn a_failure_says_what_its_code_is_and_what_to_do() {
        let lines = Failure::from(GroupError::InUse).lines();
        assert_eq!(lines[0], "p2p: the group is in use");
        assert!(lines[1].contains("PEER_E_GROUP_IN_USE (0x80632092)"), "{lines:?}");
        assert!(lines[2].contains("/open"), "{lines:?}");
    }

    #[test]
    fn the_code_is_said_once() {
        let failure = Failure::from(ConnectError::Failed(Code::PEER_E_NO_MEMBERS_FOUND));
        assert_eq!(failure.lines().concat().matches("PEER_E_NO_MEMBERS_FOUND").count(), 1);
        assert!(failure.lines()[0].ends_with("could not be connected"));
    }

    #[test]
    fn a_record_has_the_refusal_behind_the_code() {
        let behind =
            Refusal { code: Code::CRYPT_E_HASH_VALUE, detail: Code::TRUST_E_CERT_SIGNATURE };
        let record = Failure::cause("no", Cause::Verdict(behind)).record();
        assert_eq!(record["code"], "PEER_E_CONNECTION_NOT_AUTHENTICATED");
        assert_eq!(record["value"], "0x8063010A");
        assert_eq!(record["refusal"]["code"], "CRYPT_E_HASH_VALUE");
        assert_eq!(record["refusal"]["detail"], "TRUST_E_CERT_SIGNATURE");
        assert_eq!(Failure::usage("what?").record()["code"], Value::Null);
    }

    #[test]
    fn a_record_is_read_back_as_the_same_failure() {
        let behind =
            Refusal { code: Code::CRYPT_E_HASH_VALUE, detail: Code::TRUST_E_CERT_SIGNATURE };
        for failure in [
            Failure::cause("no", Cause::Verdict(behind)),
            Failure::code("gone", Code::PEER_E_TIMEOUT),
            Failure::usage("what?"),
        ] {
            let back = Failure::from_record(&failure.record());
            assert_eq!((back.record(), back.exit()), (failure.record(), failure.exit()));
        }
        assert_eq!(Failure::from_record(&Value::Null).exit(), USAGE);
    }
}

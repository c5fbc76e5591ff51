//! What happens in a group, in words for people and in fields for programs.

use p2p_group::{
    Address, Cause, ConnectionChange, ConnectionEvent, ConnectionId, ConnectionInfo,
    ConnectionKind, GroupEvent, GroupProperties, Guid, KeyId, Member, MemberChange, MemberInfo,
    Message, NodeId, Peer, Reason, Schemes, Status,
};
use serde_json::{Map, Value, json};

use crate::print::{hex, name, refusal, roles, standing, who};
use crate::times;

/// The type of the messages that this command sends: UTF-8 text, usually one line.
pub(crate) const TEXT: Guid = Guid::from_u128(0x6c1e7f0a_5b0d_4f3e_9a57_2d0c8e41b6f3);
/// Bytes of a message that is no text which people are shown.
const PREVIEW: usize = 32;

/// A line for people and a record for programs; `addresses` is where this node listens.
pub(crate) fn describe(event: &GroupEvent, addresses: &[Address]) -> (String, Value) {
    match event {
        GroupEvent::Status(now) => status(*now, addresses),
        GroupEvent::ConnectionFailed { reason } => (
            format!("The group could not be connected: {reason}."),
            json!({ "type": "offline", "code": name(*reason), "value": hex(*reason) }),
        ),
        GroupEvent::Direct(event) => connection("direct", event),
        GroupEvent::Neighbour(event) => connection("neighbour", event),
        GroupEvent::Data(message) => {
            let (line, record) = self::message(message);
            (format!("{} {line}", short(message.id)), record)
        }
        GroupEvent::Member { change, member } => self::member(*change, member),
        GroupEvent::Revoked { who, by, reason, serial } => revoked(who, by, *reason, *serial),
        GroupEvent::Renewed { member } => {
            let line = format!("Our membership is a new one: {}.", standing(member));
            let mut record = json!({ "type": "renewed" });
            add_member(record.as_object_mut().expect("it is an object"), member);
            (line, record)
        }
        GroupEvent::PropertiesChanged { properties } => (
            format!("The group's properties have changed: it is {}.", properties.friendly_name),
            property_record(properties),
        ),
        GroupEvent::PasswordRejected { peer, remote } => password_tried(
            format!("{peer} at {remote} did not accept the password."),
            ("rejected", *peer, *remote),
        ),
        GroupEvent::PasswordFailed { peer, remote } => password_tried(
            format!("{peer} at {remote} tried to join and did not know the password."),
            ("failed", *peer, *remote),
        ),
        GroupEvent::PasswordDelayed { peer, remote } => password_tried(
            format!("{peer} at {remote} has to wait after too many tries to join by password."),
            ("delayed", *peer, *remote),
        ),
        GroupEvent::Refused { peer, remote, refusal: why } => (
            format!("Turned away {peer} at {remote}: {why}"),
            json!({
                "type": "refused",
                "peer": format!("{peer}."),
                "address": remote.to_string(),
                "refusal": refusal(*why),
            }),
        ),
        GroupEvent::StoreFailed { code } => (
            format!("Something could not be stored: {code}. {}", code.meaning()),
            json!({ "type": "store_failed", "code": name(*code), "value": hex(*code) }),
        ),
        other => (format!("{:?}", other.kind()), json!({ "type": "other" })),
    }
}

fn password_tried(line: String, (change, peer, remote): (&str, KeyId, Address)) -> (String, Value) {
    let record = json!({
        "type": "password",
        "change": change,
        "peer": format!("{peer}."),
        "address": remote.to_string(),
    });
    (line, record)
}

fn status(now: Status, addresses: &[Address]) -> (String, Value) {
    let addresses: Vec<String> = addresses.iter().map(Address::to_string).collect();
    let line = match (now.listening, now.connected) {
        (false, false) => "Offline.".to_owned(),
        (false, true) => "Online with neighbours, but not listening.".to_owned(),
        (true, connected) => {
            let neighbours = if connected { "with" } else { "no" };
            format!("Online, {neighbours} neighbours, listening at {}.", addresses.join(" "))
        }
    };
    let record = json!({
        "type": "status",
        "listening": now.listening,
        "connected": now.connected,
        "addresses": addresses,
    });
    (line, record)
}

fn connection(kind: &str, event: &ConnectionEvent) -> (String, Value) {
    let title = if kind == "direct" {
        format!("Connection {}", short(event.id))
    } else {
        "Neighbour".to_owned()
    };
    let with = if kind == "direct" { " with" } else { "" };
    let peer = event.peer.as_ref().map_or_else(|| "an unknown peer".to_owned(), label);
    let (change, end) = match event.change {
        ConnectionChange::Connected => ("connected", " is connected".to_owned()),
        ConnectionChange::Failed => ("failed", format!(" failed{}", because(event.cause))),
        ConnectionChange::Disconnected if event.cause.code().is_success() => {
            ("disconnected", format!(" is closed: {}", event.cause.code()))
        }
        ConnectionChange::Disconnected => {
            ("disconnected", format!(" is lost{}", because(event.cause)))
        }
    };
    let mut record = json!({
        "type": "connection",
        "kind": kind,
        "change": change,
        "id": id(event.id),
    });
    let fields = record.as_object_mut().expect("it is an object");
    add_peer(fields, event.peer.as_ref());
    fields.insert("node".to_owned(), node(event.node));
    fields.insert("cause".to_owned(), slug(event.cause).into());
    fields.insert("code".to_owned(), name(event.cause.code()).into());
    fields.insert("value".to_owned(), hex(event.cause.code()).into());
    if let Some(behind) = event.cause.refusal() {
        fields.insert("refusal".to_owned(), refusal(behind));
    }
    (format!("{title}{with} {peer}{end}."), record)
}

fn because(cause: Cause) -> String {
    let behind = cause.refusal().map_or_else(String::new, |refusal| format!(" [{refusal}]"));
    format!(": {}: {}{behind}", reason(cause), cause.code())
}

/// A message that arrived; the line leaves out on which connection.
pub(crate) fn message(message: &Message) -> (String, Value) {
    let mut record = json!({ "type": "message", "id": id(message.id) });
    let fields = record.as_object_mut().expect("it is an object");
    add_peer(fields, Some(&message.peer));
    fields.insert("kind".to_owned(), message.kind.to_string().into());
    let bytes = &message.bytes[..];
    let shown = match std::str::from_utf8(bytes) {
        Ok(text) => {
            fields.insert("text".to_owned(), text.into());
            text.to_owned()
        }
        Err(_) => {
            fields.insert("hex".to_owned(), digits(bytes).into());
            let more = if bytes.len() > PREVIEW { "..." } else { "" };
            let preview = digits(&bytes[..bytes.len().min(PREVIEW)]);
            format!("{} bytes: {preview}{more}", bytes.len())
        }
    };
    let kind = if message.kind == TEXT { String::new() } else { format!(" [{}]", message.kind) };
    let friendly = message.peer.friendly_name().filter(|name| !name.is_empty());
    let friendly = friendly.map_or_else(|| label(&message.peer), str::to_owned);
    (format!("{friendly}{kind}: {shown}"), record)
}

fn member(change: MemberChange, member: &Member) -> (String, Value) {
    let label = who(&member.friendly_name, &member.name);
    let (word, line) = match change {
        MemberChange::Joined => ("joined", format!("{label} is a member: {}.", standing(member))),
        MemberChange::Connected => ("connected", format!("{label} is online.")),
        MemberChange::Disconnected => ("disconnected", format!("{label} is offline.")),
        MemberChange::Updated => {
            ("updated", format!("{label} has another membership: {}.", standing(member)))
        }
    };
    let mut record = json!({ "type": "member", "change": word });
    add_member(record.as_object_mut().expect("it is an object"), member);
    (line, record)
}

fn revoked(whose: &Peer, by: &Peer, reason: Reason, serial: Option<[u8; 16]>) -> (String, Value) {
    let what = if serial.is_some() { "One membership" } else { "The membership" };
    let (word, why) = revocation_reason(reason);
    let line = format!("{what} of {} was taken back by {}{why}.", label(whose), label(by));
    let mut record = json!({ "type": "revoked" });
    let fields = record.as_object_mut().expect("it is an object");
    add_peer(fields, Some(whose));
    fields.insert("by".to_owned(), by.name().into_owned().into());
    fields.insert("reason".to_owned(), word.into());
    fields.insert("serial".to_owned(), serial.map(|serial| digits(&serial)).into());
    (line, record)
}

/// A reason as a word that does not change, and as the end of a sentence.
pub(crate) fn revocation_reason(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::KeyCompromise => ("key-compromise", ": its key is in other hands"),
        Reason::AffiliationChanged => {
            ("affiliation-changed", ": its part in the group has changed")
        }
        Reason::Superseded => ("superseded", ": another takes its place"),
        Reason::CessationOfOperation => ("cessation-of-operation", ": the member has left"),
        Reason::PrivilegeWithdrawn => ("privilege-withdrawn", ": the member may do less"),
        _ => ("unspecified", ""),
    }
}

/// A group's properties for programs.
pub(crate) fn property_record(properties: &GroupProperties) -> Value {
    json!({
        "type": "properties",
        "version": properties.version.to_string(),
        "friendly_name": properties.friendly_name,
        "comment": properties.comment,
        "creator": properties.creator_name.as_str(),
        "schemes": schemes(properties),
        "password_role": properties.password_role.map(roles),
    })
}

/// The same for people.
pub(crate) fn property_lines(properties: &GroupProperties) -> Vec<String> {
    let role = properties.password_role.map_or_else(String::new, |role| {
        format!(" (who knows the password becomes {})", roles(role).join(" and "))
    });
    vec![
        format!("name      {}", properties.friendly_name),
        format!("comment   {}", properties.comment),
        format!("creator   {}", properties.creator_name),
        format!("joining   {}{role}", schemes(properties).join(" or ")),
        format!("version   {}", properties.version),
    ]
}

/// How members may join.
fn schemes(properties: &GroupProperties) -> Vec<&'static str> {
    let names = [(Schemes::CERTIFICATE, "invitation"), (Schemes::PASSWORD, "password")];
    names.into_iter().filter(|(s, _)| properties.schemes.contains(*s)).map(|(_, n)| n).collect()
}

/// A member in a list.
pub(crate) fn member_info(info: &MemberInfo, own: &Member) -> (String, Value) {
    let member = &info.member;
    let itself = member.key == own.key;
    let presence = match (itself, info.present) {
        (true, true) => "online, this is you",
        (true, false) => "offline, this is you",
        (false, true) => "online",
        (false, false) => "offline",
    };
    let addresses: Vec<String> = info.addresses.iter().map(Address::to_string).collect();
    let label = if member.friendly_name.is_empty() { "-" } else { &member.friendly_name };
    let line = format!(
        "{label}  {}  {}  {presence}  {}",
        member.name,
        standing(member),
        addresses.join(" ")
    );
    let mut record = json!({});
    let fields = record.as_object_mut().expect("it is an object");
    add_member(fields, member);
    fields.insert("own".to_owned(), itself.into());
    fields.insert("present".to_owned(), info.present.into());
    fields.insert("node".to_owned(), node(info.node));
    fields.insert("addresses".to_owned(), addresses.into());
    (line.trim_end().to_owned(), record)
}

/// A connection in a list.
pub(crate) fn connection_info(info: &ConnectionInfo) -> (String, Value) {
    let kind = match info.kind {
        ConnectionKind::Direct => "direct",
        ConnectionKind::Neighbour => "neighbour",
    };
    let line = format!("{}  {kind}  {}  {}", info.id.0, label(&info.peer), info.address);
    let mut record = json!({ "kind": kind, "id": id(info.id) });
    let fields = record.as_object_mut().expect("it is an object");
    add_peer(fields, Some(&info.peer));
    fields.insert("node".to_owned(), node(info.node));
    fields.insert("address".to_owned(), info.address.to_string().into());
    (line, record)
}

/// A peer for people.
pub(crate) fn label(peer: &Peer) -> String {
    who(peer.friendly_name().unwrap_or_default(), &peer.name())
}

/// `peer` and `friendly_name`, as every record has them; null if not known.
pub(crate) fn add_peer(fields: &mut Map<String, Value>, peer: Option<&Peer>) {
    fields.insert("peer".to_owned(), peer.map(|peer| peer.name().into_owned()).into());
    let friendly = peer.and_then(Peer::friendly_name);
    fields.insert("friendly_name".to_owned(), friendly.into());
}

fn add_member(fields: &mut Map<String, Value>, member: &Member) {
    fields.insert("peer".to_owned(), member.name.clone().into());
    fields.insert("friendly_name".to_owned(), member.friendly_name.clone().into());
    add_standing(fields, member);
}

/// What a membership is, without whose.
pub(crate) fn add_standing(fields: &mut Map<String, Value>, member: &Member) {
    fields.insert("roles".to_owned(), roles(member.roles).into());
    fields.insert("depth".to_owned(), member.depth.into());
    fields.insert("issuer".to_owned(), member.issuer_name.clone().into());
    fields.insert("not_before".to_owned(), times::rfc3339(member.not_before).into());
    fields.insert("not_after".to_owned(), times::rfc3339(member.not_after).into());
}

/// The number of a connection, as text: one of 64 bits is not safe in JSON.
pub(crate) fn id(id: ConnectionId) -> Value {
    id.0.to_string().into()
}

/// Its last four digits: what people read, and type.
pub(crate) fn short(id: ConnectionId) -> String {
    let digits = format!("{:04}", id.0);
    digits[digits.len() - 4..].to_owned()
}

/// 16 digits: a number of 64 bits is not safe in JSON. Null where the node is not known.
fn node(node: NodeId) -> Value {
    if node == NodeId(0) { Value::Null } else { format!("{:016x}", node.0).into() }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a connection failed or ended, in words.
pub(crate) fn reason(cause: Cause) -> &'static str {
    match cause {
        Cause::Orderly => "closed, with everything delivered",
        Cause::Cancelled => "closed here while it was opening",
        Cause::Unreachable => "no address answered",
        Cause::Timeout => "no answer in time",
        Cause::Refused(_) => "the peer declined",
        Cause::Itself => "that is this node itself",
        Cause::NotAuthenticated => "the peer did not accept our membership, or vanished before",
        Cause::Verdict(_) => "the peer's membership is not acceptable",
        Cause::Lost => "the link broke",
        Cause::Aborted => "the peer broke it off",
        Cause::Protocol => "the peer broke the protocol",
        Cause::Unconfirmed => "closed, but not everything was confirmed: data may be lost",
        Cause::Left => "the peer has left",
        Cause::Expired => "a membership has ended",
        Cause::Revoked => "a membership was taken back",
        _ => "for a reason that this version does not know",
    }
}

/// The same as a word that does not change.
fn slug(cause: Cause) -> &'static str {
    match cause {
        Cause::Orderly => "orderly",
        Cause::Cancelled => "cancelled",
        Cause::Unreachable => "unreachable",
        Cause::Timeout => "timeout",
        Cause::Refused(_) => "refused",
        Cause::Itself => "itself",
        Cause::NotAuthenticated => "not_authenticated",
        Cause::Verdict(_) => "verdict",
        Cause::Lost => "lost",
        Cause::Aborted => "aborted",
        Cause::Protocol => "protocol",
        Cause::Unconfirmed => "unconfirmed",
        Cause::Left => "left",
        Cause::Expired => "expired",
        Cause::Revoked => "revoked",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use p2p_group::{Bytes, Code, FileTime, Refusal, Roles};

    use super::*;

    fn bob() -> Member {
        Member {
            key: KeyId([0xb0; 32]),
            name: format!("{}.laptop", "b0".repeat(20)),
            friendly_name: "Bob".to_owned(),
            issuer_name: format!("{}.", "ad".repeat(20)),
            issuer_friendly_name: "Ada".to_owned(),
            roles: Roles::MEMBER,
            depth: 2,
            not_before: FileTime::UNIX_EPOCH,
            not_after: FileTime::NO_END,
            chain: Bytes::new(),
            path: Default::default(),
        }
    }

    #[test]
    fn a_member_is_described_in_both_forms() {
        let event = GroupEvent::Member { change: MemberChange::Joined, member: bob().into() };
        let (line, record) = describe(&event, &[]);
        assert_eq!(line, "Bob (b0b0b0b0) is a member: member, without end.");
        assert_eq!(record["type"], "member");
        assert_eq!(record["change"], "joined");
        assert_eq!(record["roles"], json!(["member"]));
        assert_eq!(record["not_before"], "1970-01-01T00:00:00Z");
        assert_eq!(record["not_after"], "9999-12-31T23:59:59Z");
    }

    #[test]
    fn a_connection_that_failed_says_why_down_to_the_refusal() {
        let behind = Refusal { code: Code::CRYPT_E_REVOKED, detail: Code::CERT_E_REVOKED };
        let event = GroupEvent::Direct(ConnectionEvent {
            id: ConnectionId(2_006_905_378_289_907_821),
            change: ConnectionChange::Failed,
            peer: None,
            node: NodeId(0),
            cause: Cause::Verdict(behind),
        });
        let (line, record) = describe(&event, &[]);
        assert!(line.starts_with("Connection 7821 with an unknown peer failed: "), "{line}");
        assert!(line.contains("PEER_E_CONNECTION_NOT_AUTHENTICATED (0x8063010A)"), "{line}");
        assert!(line.contains("CRYPT_E_REVOKED"), "{line}");
        assert_eq!(record["refusal"]["detail"], "CERT_E_REVOKED");
        assert_eq!((&record["peer"], &record["node"]), (&Value::Null, &Value::Null));
        assert_eq!(record["cause"], "verdict");
        assert_eq!(record["id"], "2006905378289907821");
        assert_eq!(short(ConnectionId(7)), "0007");
    }

    #[test]
    fn a_status_says_where_we_listen() {
        let address: Address = "[::1]:3587".parse::<std::net::SocketAddr>().unwrap().into();
        let (line, record) = status(Status { listening: true, connected: false }, &[address]);
        assert_eq!(line, "Online, no neighbours, listening at [::1]:3587.");
        assert_eq!(record["addresses"], json!(["[::1]:3587"]));
        assert_eq!(status(Status::default(), &[]).0, "Offline.");
    }
}

//! The commands that `p2p listen` obeys.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use clap::ValueEnum;
use p2p_group::{Address, ConnectionId, FileTime, Reason, Roles};

use crate::args::{Role, Why};
use crate::times;

/// Fewer digits are no abbreviation.
const SHORT: usize = 4;

/// One command. Connections are named by the digits of their id, or the last four or more of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    Open { peer: String, address: Option<Address> },
    Send { id: String, text: String },
    Connections,
    Members,
    Properties,
    Status,
    Revoke { peer: String, reason: Reason },
    Demote { peer: String, roles: Roles },
    Renew { peer: String, expires: Option<FileTime> },
    Close { id: String },
    Help,
    Quit,
}

/// How each is written, and what it does.
pub(crate) const ORDERS: [(&str, &str); 12] = [
    ("/open PEER [ADDRESS]", "open a direct connection"),
    ("/send ID TEXT", "send a message on it"),
    ("/connections", "list connections"),
    ("/members", "list members"),
    ("/properties", "show the group's properties"),
    ("/status", "show what this node has done, in figures"),
    ("/revoke PEER [REASON]", "take a membership back, for ever"),
    ("/demote PEER [ROLE]", "leave a member just this role"),
    ("/renew PEER [END]", "renew a membership"),
    ("/close ID", "close a direct connection"),
    ("/help", "list the commands"),
    ("/quit", "go offline and end"),
];

/// Reads a line; `None` if it is empty.
pub(crate) fn parse(line: &str) -> Result<Option<Order>, String> {
    let line = line.trim_start();
    if line.trim_end().is_empty() {
        return Ok(None);
    }
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let order = match (word, rest.trim()) {
        ("/open", "") => return Err(usage(position(word))),
        ("/open", words) => open(words),
        ("/send", "") => return Err(usage(position(word))),
        ("/send", _) => {
            let (id, text) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
            Order::Send { id: id_of(id)?, text: text.to_owned() }
        }
        ("/connections", "") => Order::Connections,
        ("/members", "") => Order::Members,
        ("/properties", "") => Order::Properties,
        ("/status", "") => Order::Status,
        ("/revoke" | "/demote" | "/renew", "") => return Err(usage(position(word))),
        ("/revoke", words) => {
            let (peer, why) = tail(words, |word| Why::from_str(word, false).ok());
            Order::Revoke { peer, reason: why.unwrap_or(Why::Unspecified).reason() }
        }
        ("/demote", words) => {
            let (peer, role) = tail(words, |word| Role::from_str(word, false).ok());
            Order::Demote { peer, roles: Role::union(&[role.unwrap_or(Role::Member)]) }
        }
        ("/renew", words) => {
            let (peer, expires) = tail(words, |word| times::parse_end(word).ok());
            Order::Renew { peer, expires }
        }
        ("/close", id) => Order::Close { id: id_of(id)? },
        ("/help", "") => Order::Help,
        ("/quit", "") => Order::Quit,
        _ if ORDERS.iter().any(|(order, _)| order.split(' ').next() == Some(word)) => {
            return Err(usage(position(word)));
        }
        _ => return Err(format!("no command `{word}`; /help lists them")),
    };
    Ok(Some(order))
}

fn open(words: &str) -> Order {
    let (peer, address) = tail(words, |word| word.parse::<SocketAddr>().ok());
    Order::Open { peer, address: address.map(Address::from) }
}

/// A peer, and what the last word says if it can be read. Friendly names have spaces, so the last word belongs to the
/// name unless it looks like something else.
fn tail<T>(words: &str, read: impl Fn(&str) -> Option<T>) -> (String, Option<T>) {
    let split = words.rsplit_once(char::is_whitespace);
    match split.and_then(|(peer, last)| Some((peer, read(last)?))) {
        Some((peer, said)) => (peer.trim_end().to_owned(), Some(said)),
        None => (words.to_owned(), None),
    }
}

fn id_of(word: &str) -> Result<String, String> {
    if word.parse::<u64>().is_ok() && word.bytes().all(|b| b.is_ascii_digit()) {
        Ok(word.to_owned())
    } else {
        Err(format!("`{word}` is not the number of a connection; /connections lists them"))
    }
}

/// The id that `digits` mean: a whole one, or the only one of `all` that ends in them, if they are four or more. Whether
/// a whole one stands is for the group to say.
pub(crate) fn choose(digits: &str, all: &BTreeSet<ConnectionId>) -> Result<ConnectionId, String> {
    let whole = digits
        .parse()
        .map(ConnectionId)
        .map_err(|_| format!("`{digits}` is too long for an id"))?;
    if all.contains(&whole) || digits.len() < SHORT {
        return Ok(whole);
    }
    let mut fits = all.iter().filter(|id| format!("{:04}", id.0).ends_with(digits));
    match (fits.next(), fits.next()) {
        (None, _) => Ok(whole),
        (Some(id), None) => Ok(*id),
        (Some(one), Some(two)) => {
            Err(format!("`{digits}` may be {} or {}; use more digits", one.0, two.0))
        }
    }
}

/// Where a command that is there stands in the list.
fn position(word: &str) -> usize {
    let position = ORDERS.iter().position(|(order, _)| order.split(' ').next() == Some(word));
    position.expect("it is in the list")
}

fn usage(position: usize) -> String {
    format!("usage: {}", ORDERS[position].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_list_is_understood() {
        for (order, _) in ORDERS {
            let line = order.split(" [").next().unwrap().replace("ID", "7821");
            assert!(matches!(parse(&line), Ok(Some(_))), "{line}");
        }
    }

    #[test]
    fn a_peer_may_have_spaces_and_an_address() {
        let open = |peer: &str, address: Option<&str>| {
            let address = address.map(|text| text.parse::<SocketAddr>().unwrap().into());
            Ok(Some(Order::Open { peer: peer.to_owned(), address }))
        };
        assert_eq!(parse("/open Ada"), open("Ada", None));
        assert_eq!(parse("  /open Ada Lovelace \r"), open("Ada Lovelace", None));
        assert_eq!(
            parse("/open Ada Lovelace [::1]:3587"),
            open("Ada Lovelace", Some("[::1]:3587"))
        );
        assert_eq!(parse("/open 192.0.2.1:1"), open("192.0.2.1:1", None));
    }

    #[test]
    fn a_peer_may_have_spaces_and_a_reason_a_role_or_an_end() {
        let peer = || "Ada Lovelace".to_owned();
        let revoke = |reason| Ok(Some(Order::Revoke { peer: peer(), reason }));
        assert_eq!(parse("/revoke Ada Lovelace"), revoke(Reason::Unspecified));
        assert_eq!(parse("/revoke Ada Lovelace superseded"), revoke(Reason::Superseded));
        let demote = |roles| Ok(Some(Order::Demote { peer: peer(), roles }));
        assert_eq!(parse("/demote Ada Lovelace "), demote(Roles::MEMBER));
        assert_eq!(parse("/demote Ada Lovelace inviting-member"), demote(Roles::INVITING_MEMBER));
        assert_eq!(
            parse("/renew Ada Lovelace"),
            Ok(Some(Order::Renew { peer: peer(), expires: None }))
        );
        let Ok(Some(Order::Renew { peer: named, expires: Some(_) })) =
            parse("/renew Ada Lovelace 1y")
        else {
            panic!("1y is an end")
        };
        assert_eq!(named, peer());
    }

    #[test]
    fn a_text_is_sent_as_it_stands() {
        let send =
            |text: &str| Ok(Some(Order::Send { id: "7821".to_owned(), text: text.to_owned() }));
        assert_eq!(parse("/send 7821 hello  world "), send("hello  world "));
        assert_eq!(parse("/send 7821  indented"), send(" indented"));
        assert_eq!(parse("/send 7821 /quit"), send("/quit"));
        assert_eq!(parse("/send 7821"), send(""));
    }

    #[test]
    fn what_is_no_command_says_why() {
        assert_eq!(parse(" \r"), Ok(None));
        assert!(parse("hello").unwrap_err().contains("/help"));
        assert!(parse("/opens x").unwrap_err().contains("/help"));
        assert!(parse("/open").unwrap_err().contains("/open PEER"));
        assert!(parse("/quit now").unwrap_err().contains("/quit"));
        for line in ["/close", "/close x", "/close -1", "/close +1", "/send x y", "/close 1 2"] {
            assert!(parse(line).unwrap_err().contains("number"), "{line}");
        }
    }

    #[test]
    fn the_last_digits_of_an_id_are_enough_where_they_are_unique() {
        let all =
            [2_006_905_378_289_907_821, 2_006_905_378_289_917_821, 2_006_905_378_289_907_822, 7];
        let all = all.map(ConnectionId).into();
        let chosen = |digits: &str| choose(digits, &all).map(|id| id.0);
        assert_eq!(chosen("7822"), Ok(2_006_905_378_289_907_822));
        assert_eq!(chosen("07821"), Ok(2_006_905_378_289_907_821));
        assert_eq!(chosen("2006905378289917821"), Ok(2_006_905_378_289_917_821));
        assert_eq!(chosen("0007"), Ok(7));
        assert!(chosen("7821").unwrap_err().contains("more digits"));
        // No abbreviation: the group will say that it has no such connection.
        assert_eq!((chosen("821"), chosen("9999")), (Ok(821), Ok(9999)));
    }
}

//! `p2p chat`: one direct connection, lines out and in.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use p2p_group::{
    Cause, Closed, Code, ConnectionChange, ConnectionEvent, DirectConnection, EventKind, Filter,
    Group, GroupEvent, Node, SendError, Target,
};
use serde_json::json;
use tokio::time::timeout;

use crate::args::ChatArgs;
use crate::exit::Failure;
use crate::group::{self, Membership};
use crate::input::{self, Line};
use crate::lending::Lender;
use crate::print::Printer;
use crate::{Context, end, events, peers};

/// How long a member that was never met is waited for, once the group is online.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// Longest message.
const MESSAGE_MAX: usize = 4 << 20;

pub(crate) async fn run(context: &Context, args: &ChatArgs) -> Result<(), Failure> {
    let Membership { identity, group: info } = group::pick(&context.home, &args.place)?;
    let node = context.start(identity.clone())?;
    let group = Group::open(&node, &info.name)?;
    let lender = Lender::new(&context.home, &identity, &group);
    let result = tokio::select! {
        result = chat(context.out, args, &group, &node) => result,
        never = lender.lend() => match never {},
    };
    drop(lender);
    end(&group, &node).await;
    result
}

async fn chat(out: Printer, args: &ChatArgs, group: &Group, node: &Node) -> Result<(), Failure> {
    let mut stop = pin!(input::interrupted());
    let connection = tokio::select! {
        connection = meet(out, args, group, node) => connection?,
        result = &mut stop => {
            result?;
            return Err(Failure::code("interrupted before there was a connection", Code::ERROR_CANCELLED));
        }
    };
    say(out, &connection, ConnectionChange::Connected, Cause::Orderly)?;
    converse(out, &connection, stop).await?;
    let cause = connection.closed().await.ok_or(Closed)?;
    say(out, &connection, ConnectionChange::Disconnected, cause)?;
    if cause.code().is_success() {
        Ok(())
    } else {
        Err(Failure::cause("the connection has ended", cause))
    }
}

/// Opens the connection, or waits for one.
async fn meet(
    out: Printer,
    args: &ChatArgs,
    group: &Group,
    node: &Node,
) -> Result<DirectConnection, Failure> {
    let Some(query) = &args.peer else {
        let incoming = group.incoming()?;
        group.connect_and_wait().await?;
        let addresses: Vec<String> = node.listening().iter().map(ToString::to_string).collect();
        let line =
            format!("Waiting for a member to open a connection, at {}.", addresses.join(" "));
        out.say(line, &json!({ "type": "waiting", "addresses": addresses }))?;
        return Ok(incoming.accept().await.ok_or(Closed)?);
    };
    dial(group, query, args.address).await
}

/// Goes online and opens a connection with whom `query` means, at `address` or where it was last met.
pub(crate) async fn dial(
    group: &Group,
    query: &str,
    address: Option<SocketAddr>,
) -> Result<DirectConnection, Failure> {
    let target = find(group, query).await?;
    Ok(match address {
        Some(address) => group.direct_at(target, address.into()).await?,
        None => group.direct(target).await?,
    })
}

/// Goes online, and finds out whom `query` means. Members become known as they are met, so one that is not known is
/// waited for.
async fn find(group: &Group, query: &str) -> Result<Target, Failure> {
    let introductions = group.subscribe(Filter::of([EventKind::Member]))?;
    group.connect_and_wait().await?;
    let known = || match peers::member(group, query) {
        Ok(found) => Some(Ok(Target::from(found.key))),
        Err(failure) if failure.is_not_found() => {
            peers::whole_name(query).map(|name| Ok(Target::from(&name)))
        }
        Err(failure) => Some(Err(failure)),
    };
    let met = async {
        loop {
            if let Some(target) = known() {
                return target;
            }
            if introductions.recv().await.is_none() {
                return Err(Closed.into());
            }
        }
    };
    match timeout(INTRODUCTION, met).await {
        Ok(target) => target,
        Err(_) => peers::member(group, query).map(|found| Target::from(found.key)),
    }
}

/// Lines out and messages in, until the connection has ended and all that came is printed.
async fn converse(
    out: Printer,
    connection: &DirectConnection,
    mut stop: Pin<&mut impl Future<Output = Result<(), Failure>>>,
) -> Result<(), Failure> {
    let mut sending = pin!(send(out, connection));
    let mut receiving = pin!(receive(out, connection));
    let (mut sent, mut stopped) = (false, false);
    loop {
        let ours = tokio::select! {
            result = &mut receiving => return result,
            result = &mut sending, if !sent => {
                sent = true;
                result
            }
            result = &mut stop, if !stopped => {
                stopped = true;
                result
            }
        };
        // That it is closed already is as good.
        let _ = connection.close();
        ours?;
    }
}

/// Sends lines until `/close`, the end of input or of the connection.
async fn send(out: Printer, connection: &DirectConnection) -> Result<(), Failure> {
    let mut lines = input::lines();
    while let Some(line) = lines.recv().await {
        let bytes = match outgoing(line) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(()),
            Err(failure) => {
                out.say(failure.line(), &failure.record())?;
                continue;
            }
        };
        let length = bytes.len();
        match connection.send(events::TEXT, bytes).await {
            Ok(()) => out.list(
                [],
                &json!({ "type": "sent", "id": events::id(connection.id()), "bytes": length }),
            )?,
            // The other side has closed; what is left to read is being read.
            Err(SendError::NotFound) => return Ok(()),
            // The peer takes shorter ones only.
            Err(error @ SendError::TooLong(_)) => {
                let failure = Failure::from(error);
                out.say(failure.line(), &failure.record())?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn receive(out: Printer, connection: &DirectConnection) -> Result<(), Failure> {
    while let Some(message) = connection.recv().await {
        let (line, record) = events::message(&message);
        out.say(line, &record)?;
    }
    Ok(())
}

/// The message that a line is; `None` for `/close`.
fn outgoing(line: io::Result<Line>) -> Result<Option<Vec<u8>>, Failure> {
    match line {
        Ok(Line::Bytes(bytes)) if bytes.starts_with(b"//") => Ok(Some(bytes[1..].to_vec())),
        Ok(Line::Bytes(bytes)) if bytes.trim_ascii_end() == b"/close" => Ok(None),
        Ok(Line::Bytes(bytes)) if bytes.starts_with(b"/") => {
            Err(Failure::usage("no such command; /close closes, //text sends /text"))
        }
        Ok(Line::Bytes(bytes)) if bytes.len() <= MESSAGE_MAX => Ok(Some(bytes)),
        Ok(Line::Bytes(_) | Line::TooLong) => {
            Err(Failure::usage("the line is longer than 4 MiB, so it was not sent"))
        }
        Err(error) => Err(Failure::code(format!("standard input: {error}"), Code::ERROR_IO_DEVICE)),
    }
}

fn say(
    out: Printer,
    connection: &DirectConnection,
    change: ConnectionChange,
    cause: Cause,
) -> Result<(), Failure> {
    let event = GroupEvent::Direct(ConnectionEvent {
        id: connection.id(),
        change,
        peer: Some(connection.peer().clone()),
        node: connection.node(),
        cause,
    });
    let (line, record) = events::describe(&event, &[]);
    out.say(line, &record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_but_for_commands() {
        let message = |text: &str| outgoing(Ok(Line::Bytes(text.into())));
        assert_eq!(message(" hello ").unwrap(), Some(b" hello ".to_vec()));
        assert_eq!(message("").unwrap(), Some(Vec::new()));
        assert_eq!(message("//close").unwrap(), Some(b"/close".to_vec()));
        assert_eq!(message("/close ").unwrap(), None);
        assert!(message("/closed").is_err() && message("/quit").is_err());
        assert!(outgoing(Ok(Line::TooLong)).is_err());
        let long = "x".repeat(MESSAGE_MAX + 1);
        assert!(message(&long).is_err(), "it is said so, and the chat goes on");
        assert_eq!(message(&long[1..]).unwrap().unwrap().len(), MESSAGE_MAX);
    }
}

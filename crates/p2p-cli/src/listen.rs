//! `p2p listen`: online in a group, events out, commands in.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::pin;
use std::sync::Arc;

use p2p_group::{
    Address, ByteStream, Cause, Closed, Code, ConnectionChange, ConnectionEvent, ConnectionId,
    ConnectionKind, DirectConnection, DirectError, Filter, Group, GroupEvent, KeyId, MemberFilter,
    Node, Roles, Target,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::args::ListenArgs;
use crate::commands::{self, ORDERS, Order};
use crate::exit::Failure;
use crate::group::{self, Membership};
use crate::input::{self, Line};
use crate::lending::Lender;
use crate::metrics::{self, Metrics};
use crate::peers::{self, Found};
use crate::print::Printer;
use crate::transfer::Decline;
use crate::transfer::receive::{self, Receiver};
use crate::{Context, admin, end, events};

pub(crate) async fn run(context: &Context, args: &ListenArgs) -> Result<(), Failure> {
    match &args.receive {
        Some(folder) => receive::check_folder(folder)?,
        None if args.taking.from.is_some() || args.taking.max_size.is_some() => {
            return Err(Failure::usage(
                "--from and --max-size say which files: --receive says where to",
            ));
        }
        None => {}
    }
    let Membership { identity, group: info } = group::pick(&context.home, &args.place)?;
    let node = context.start(identity.clone())?;
    let group = Group::open(&node, &info.name)?;
    let online = format!("Going online in {} as {}.", info.friendly_name, identity.friendly_name());
    context.out.note(format!("{online} /help lists the commands."));
    let receiver = args
        .receive
        .as_ref()
        .map(|folder| Arc::new(Receiver::beside(context.out, &group, folder, &args.taking)));
    let session =
        Session { group: &group, node: &node, out: context.out, attempts: BTreeMap::new() };
    let metrics = Metrics::new(&context.home, args.metrics.as_deref(), &group, &node);
    let lender = Lender::new(&context.home, &identity, &group);
    let result = tokio::select! {
        result = session.run() => result,
        failure = metrics.keep() => Err(failure),
        failure = files(&group, receiver) => Err(failure),
        never = lender.lend() => match never {},
    };
    drop((metrics, lender));
    end(&group, &node).await;
    result?;
    context.out.say("Offline.", &json!({ "type": "closed" }))
}

/// Takes the files that members send, or turns them away if none are wanted; connections that are no files live on. Ends
/// if nothing can be said of them any more.
async fn files(group: &Group, receiver: Option<Arc<Receiver>>) -> Failure {
    let incoming = match group.incoming() {
        Ok(incoming) => incoming,
        Err(closed) => return closed.into(),
    };
    let mut standing = JoinSet::new();
    loop {
        tokio::select! {
            connection = incoming.accept() => match connection {
                Some(connection) => { standing.spawn(attend(connection, receiver.clone())); }
                None => return Closed.into(),
            },
            Some(done) = standing.join_next() => match done {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return failure,
                Err(error) => {
                    return Failure::code(format!("a transfer broke down: {error}"), Code::E_UNEXPECTED);
                }
            },
        }
    }
}

/// One connection that a member has opened, to its end. Its messages are printed as they come.
async fn attend(
    connection: DirectConnection,
    receiver: Option<Arc<Receiver>>,
) -> Result<(), Failure> {
    let mut first = true;
    while let Some(message) = connection.recv().await {
        if first && message.kind == ByteStream::KIND {
            match receiver {
                Some(receiver) => return receiver.take_begun(connection, message.bytes).await,
                None => receive::decline(connection, Decline::Closed).await,
            }
            return Ok(());
        }
        first = false;
    }
    Ok(())
}

struct Session<'a> {
    group: &'a Group,
    node: &'a Node,
    out: Printer,
    /// What is opening, and where else to try if that fails.
    attempts: BTreeMap<ConnectionId, Attempt>,
}

struct Attempt {
    target: Target,
    label: String,
    /// Best last.
    further: Vec<Address>,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

impl Session<'_> {
    async fn run(mut self) -> Result<(), Failure> {
        let mut stop = pin!(input::interrupted());
        let happening = self.group.subscribe(Filter::all())?;
        self.group.connect()?;
        let mut lines = input::lines();
        let mut more_lines = true;
        loop {
            tokio::select! {
                event = happening.recv() => match event {
                    Some(event) => self.event(&event)?,
                    None => return Ok(()),
                },
                line = lines.recv(), if more_lines => match line {
                    Some(line) => if self.line(line).await? == Then::End { return Ok(()) },
                    None if input::is_terminal() => return Ok(()),
                    None => more_lines = false,
                },
                result = &mut stop => return result,
            }
        }
    }

    fn event(&mut self, event: &GroupEvent) -> Result<(), Failure> {
        if let GroupEvent::ConnectionFailed { reason } = event {
            return Err(Failure::code("the group could not be connected", *reason));
        }
        // A piece of a file, which is told of as a transfer.
        if matches!(event, GroupEvent::Data(message) if message.kind == ByteStream::KIND) {
            return Ok(());
        }
        let (line, record) = events::describe(event, &self.node.listening());
        match event {
            // The mesh makes and drops these by itself; people are told of members instead.
            GroupEvent::Neighbour(_) => self.out.list([], &record),
            GroupEvent::Direct(event) => {
                self.out.say(line, &record)?;
                self.outcome(event)
            }
            _ => self.out.say(line, &record),
        }
    }

    /// An attempt that failed for the address goes on with the next one.
    fn outcome(&mut self, event: &ConnectionEvent) -> Result<(), Failure> {
        let Some(attempt) = self.attempts.remove(&event.id) else { return Ok(()) };
        let elsewhere = event.change == ConnectionChange::Failed && event.cause != Cause::Cancelled;
        if !elsewhere || attempt.further.is_empty() {
            return Ok(());
        }
        let answer = self.open_next(attempt);
        self.answer(answer)
    }

    async fn line(&mut self, line: io::Result<Line>) -> Result<Then, Failure> {
        let answer = match line {
            Ok(Line::Bytes(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => match commands::parse(&text) {
                    Ok(None) => return Ok(Then::GoOn),
                    Ok(Some(Order::Quit)) => return Ok(Then::End),
                    Ok(Some(order)) => self.obey(order).await,
                    Err(message) => Err(Failure::usage(message)),
                },
                Err(_) => Err(Failure::usage("the line is not UTF-8")),
            },
            Ok(Line::TooLong) => Err(Failure::usage("the line is longer than 4 MiB")),
            Err(error) => {
                Err(Failure::code(format!("standard input: {error}"), Code::ERROR_IO_DEVICE))
            }
        };
        self.answer(answer)?;
        Ok(Then::GoOn)
    }

    /// Failures of commands are answers like others, on standard output in the order of things.
    fn answer(&self, answer: Result<Answer, Failure>) -> Result<(), Failure> {
        match answer {
            Ok(Answer { lines, record }) => self.out.list(lines, &record),
            Err(Failure::Output(error)) => Err(Failure::Output(error)),
            Err(failure) => self.out.say(failure.line(), &failure.record()),
        }
    }

    async fn obey(&mut self, order: Order) -> Result<Answer, Failure> {
        match order {
            Order::Open { peer, address } => self.open(&peer, address),
            Order::Send { id, text } => {
                let (id, bytes) = (self.connection(&id)?, text.len());
                self.group.send(id, events::TEXT, text)?;
                Ok(Answer::silent(json!({ "type": "sent", "id": events::id(id), "bytes": bytes })))
            }
            Order::Connections => self.connections(),
            Order::Members => admin::list(self.group),
            Order::Properties => admin::show(self.group),
            Order::Status => Ok(metrics::answer(self.group, self.node)?),
            Order::Revoke { peer, reason } => {
                let whom = admin::subject(self.group, &peer)?;
                admin::take_back(self.group, &whom, reason).await
            }
            Order::Demote { peer, roles } => admin::cut_down(self.group, &peer, roles).await,
            Order::Renew { peer, expires } => {
                admin::prolong(self.group, &peer, Roles::empty(), expires).await
            }
            Order::Close { id } => {
                let id = self.connection(&id)?;
                self.group.close_direct(id)?;
                let line = format!("Closing connection {}.", events::short(id));
                Ok(Answer::one(line, json!({ "type": "closing", "id": events::id(id) })))
            }
            Order::Help => Ok(help()),
            Order::Quit => Ok(Answer::silent(Value::Null)),
        }
    }

    fn open(&mut self, peer: &str, address: Option<Address>) -> Result<Answer, Failure> {
        let (target, label, key) = match peers::member(self.group, peer) {
            Ok(Found { key, label }) => (Target::from(key), label, Some(key)),
            Err(failure) if failure.is_not_found() => match peers::whole_name(peer) {
                // Not met so far: the name says whom to expect, the address where.
                Some(name) => (Target::from(&name), name.to_string(), None),
                None => return Err(failure),
            },
            Err(failure) => return Err(failure),
        };
        let mut further = match address {
            Some(address) => vec![address],
            None => self.addresses(&target, key)?,
        };
        further.reverse();
        self.open_next(Attempt { target, label, further })
    }

    /// Where a member was last met, best first.
    fn addresses(&self, target: &Target, key: Option<KeyId>) -> Result<Vec<Address>, Failure> {
        let filter = MemberFilter { present: false, identity: Some(target.clone()) };
        let here = self.group.node_id()?;
        let mut nodes = self.group.members(&filter)?;
        nodes.retain(|info| info.node != here);
        nodes.sort_by_key(|info| !info.present);
        let mut addresses = Vec::new();
        for address in nodes.into_iter().flat_map(|info| info.addresses) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() && key == Some(self.group.own().key) {
            return Err(DirectError::Itself.into());
        }
        Ok(addresses)
    }

    fn open_next(&mut self, mut attempt: Attempt) -> Result<Answer, Failure> {
        let address = attempt.further.pop().ok_or(DirectError::NoAddress)?;
        let id = self.group.open_direct(attempt.target.clone(), address)?;
        let line = format!(
            "Opening connection {} with {} at {address}.",
            events::short(id),
            attempt.label
        );
        self.attempts.insert(id, attempt);
        let record =
            json!({ "type": "opening", "id": events::id(id), "address": address.to_string() });
        Ok(Answer::one(line, record))
    }

    /// The connection with this id, or the one that is listed or opening and whose id ends in these digits.
    fn connection(&self, digits: &str) -> Result<ConnectionId, Failure> {
        let listed = self.group.connections(ConnectionKind::Direct)?;
        let all: BTreeSet<ConnectionId> =
            listed.iter().map(|info| info.id).chain(self.attempts.keys().copied()).collect();
        commands::choose(digits, &all).map_err(Failure::usage)
    }

    fn connections(&self) -> Result<Answer, Failure> {
        let mut listed = self.group.connections(ConnectionKind::Direct)?;
        listed.extend(self.group.connections(ConnectionKind::Neighbour)?);
        let (lines, records) = listed.iter().map(events::connection_info).unzip();
        Ok(Answer::many(lines, "No connections.", "connections", records))
    }
}

fn help() -> Answer {
    let width = ORDERS.iter().map(|(order, _)| order.len()).max().unwrap_or_default();
    let lines = ORDERS.iter().map(|(order, what)| format!("{order:width$}  {what}")).collect();
    let commands: Vec<Value> =
        ORDERS.iter().map(|(order, what)| json!({ "command": order, "does": what })).collect();
    Answer { lines, record: json!({ "type": "help", "commands": commands }) }
}

//! The command `p2p`: identities, groups and direct connections at a terminal.

#![forbid(unsafe_code)]

mod admin;
mod answer;
mod args;
mod chat;
mod commands;
mod compact;
mod events;
mod exit;
mod group;
mod identity;
mod input;
mod invite;
mod lending;
mod listen;
mod metrics;
mod password;
mod peers;
mod print;
mod qr;
mod times;
mod transfer;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use p2p_group::{Group, Home, Identity, Node};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};
use crate::exit::Failure;
use crate::print::Printer;

/// Without `P2P_LOG`.
const LOG_DEFAULT: &str = "warn";
/// How long the end of the process waits for what still writes to the disk.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.json;
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn run(args: Args) -> Result<(), Failure> {
    start_log()?;
    let home = match args.home {
        Some(folder) => Home::at(folder),
        None => Home::from_env()?,
    };
    let context = Context { home, listen: args.listen, out: Printer::new(args.json) };
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(Failure::no_threads)?;
    let result = runtime.block_on(dispatch(&context, args.command));
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    result
}

async fn dispatch(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Identity(command) => identity::run(context, command),
        Command::Group(command) => group::run(context, command).await,
        Command::Invite(args) => invite::invite(context, &args),
        Command::Join(args) => invite::join(context, &args).await,
        Command::Revoke(args) => admin::revoke(context, &args).await,
        Command::Demote(args) => admin::demote(context, &args).await,
        Command::Renew(args) => admin::renew(context, &args).await,
        Command::Members(args) => admin::members(context, &args).await,
        Command::Properties(args) => admin::properties(context, &args).await,
        Command::Status(args) => metrics::status(context, &args).await,
        Command::Listen(args) => listen::run(context, &args).await,
        Command::Send(args) => transfer::send::run(context, &args).await,
        Command::Receive(args) => transfer::receive::run(context, &args).await,
        Command::Chat(args) => chat::run(context, &args).await,
    }
}

/// What every command is given.
struct Context {
    home: Home,
    /// From `--listen`; empty if `P2P_LISTEN` or the default decides.
    listen: Vec<SocketAddr>,
    out: Printer,
}

impl Context {
    fn start(&self, identity: Identity) -> Result<Node, Failure> {
        let builder = Node::builder(identity);
        let builder =
            if self.listen.is_empty() { builder } else { builder.listen_at(self.listen.clone()) };
        Ok(builder.start()?)
    }
}

/// Takes a group offline, and then its node: peers are told, what was accepted for sending is delivered.
async fn end(group: &Group, node: &Node) {
    // The one error is that the group is closed already, which is what is wanted.
    let _ = group.close().await;
    node.shutdown().await;
}

fn start_log() -> Result<(), Failure> {
    let filter = std::env::var("P2P_LOG").unwrap_or_default();
    let filter = if filter.trim().is_empty() { LOG_DEFAULT } else { &filter };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(format!("P2P_LOG is not a filter: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // Where standard error is a file on a full disk, complaining there about that would panic.
        .log_internal_errors(false)
        .init();
    Ok(())
}

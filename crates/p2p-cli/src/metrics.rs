//! What a node has done, in figures: on request, and in a file for whoever collects them.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use p2p_group::{Code, Group, GroupError, Home, Identity, Node, PeerName, Statistics};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::args::StatusArgs;
use crate::exit::Failure;
use crate::print::ascii;
use crate::{Context, end, group, input, times};

/// How old the files are at most.
const EVERY: Duration = Duration::from_secs(5);

/// `p2p status`: what the process that has the group open wrote down last.
pub(crate) async fn status(context: &Context, args: &StatusArgs) -> Result<(), Failure> {
    let membership = group::pick(&context.home, &args.place)?;
    let file = status_file(&context.home, &membership.identity, &membership.group.name);
    let node = context.start(membership.identity.clone())?;
    match Group::open(&node, &membership.group.name) {
        Ok(group) => {
            // Whatever a file says, nobody is online who could have written it.
            let record = record(&group, &Statistics::default())?;
            end(&group, &node).await;
            let line = "Offline: no process has the group open.";
            context.out.say(line, &without_figures(record))
        }
        Err(GroupError::InUse) => {
            let text = input::text(file.to_str(), "status", |_| false).map_err(|_| {
                Failure::code(
                    "another process has the group open, and keeps no figures: `p2p listen` does",
                    Code::PEER_E_GROUP_IN_USE,
                )
            })?;
            let record: Value = serde_json::from_str(&text).map_err(|error| {
                Failure::code(format!("{}: {error}", file.display()), Code::E_UNEXPECTED)
            })?;
            context.out.list(lines(&record), &record)
        }
        Err(error) => Err(error.into()),
    }
}

fn without_figures(mut record: Value) -> Value {
    record["counters"] = json!({});
    record["load"] = json!({});
    record
}

/// The answer to `/status`: what the node has done since its start, and what it holds.
pub(crate) fn answer(group: &Group, node: &Node) -> Result<Answer, Failure> {
    let record = record(group, &node.statistics())?;
    Ok(Answer { lines: lines(&record), record })
}

fn record(group: &Group, now: &Statistics) -> Result<Value, Failure> {
    let status = group.status()?;
    let counters = now.counters.rows().map(|(name, _, value)| (name.to_owned(), value.into()));
    let load = now.load.rows().map(|(name, _, value)| (name.to_owned(), value.into()));
    Ok(json!({
        "type": "statistics",
        "time": times::rfc3339(p2p_group::now()),
        "listening": status.listening,
        "connected": status.connected,
        "counters": Value::Object(counters.collect()),
        "load": Value::Object(load.collect()),
    }))
}

/// People want to see what is there; a program gets the zeros too.
fn lines(record: &Value) -> Vec<String> {
    let is = |field: &str| record[field] == true;
    let neighbours = if is("connected") { "with" } else { "no" };
    let listening = if is("listening") { "listening" } else { "not listening" };
    let time = record["time"].as_str().unwrap_or_default();
    let mut lines = vec![format!("{listening}, {neighbours} neighbours, at {time}")];
    for kind in ["load", "counters"] {
        for (name, value) in record[kind].as_object().into_iter().flatten() {
            if *value != 0 {
                lines.push(format!("{:>12}  {name}", value.to_string()));
            }
        }
    }
    lines
}

/// Where `p2p listen` writes down what `p2p status` shows.
fn status_file(home: &Home, identity: &Identity, group: &PeerName) -> PathBuf {
    let digits = |name: &PeerName| name.as_str().split('.').next().unwrap_or_default().to_owned();
    let name = format!("{}-{}.json", digits(identity.name()), digits(group));
    home.path().join("status").join(name)
}

/// The files that are kept up to date while `p2p listen` runs.
pub(crate) struct Metrics<'a> {
    /// In the format of Prometheus, if that was asked for.
    prometheus: Option<&'a Path>,
    /// For `p2p status`.
    status: PathBuf,
    group: &'a Group,
    node: &'a Node,
}

impl<'a> Metrics<'a> {
    pub(crate) fn new(
        home: &Home,
        prometheus: Option<&'a Path>,
        group: &'a Group,
        node: &'a Node,
    ) -> Metrics<'a> {
        let status = status_file(home, node.identity(), group.name());
        Metrics { prometheus, status, group, node }
    }

    /// Writes the files at once and every few seconds; ends when the one that was asked for cannot be written.
    pub(crate) async fn keep(&self) -> Failure {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let now = self.node.statistics();
            if let Some(file) = self.prometheus
                && let Err(error) = replace(file, &now.prometheus())
            {
                let code = match error.kind() {
                    io::ErrorKind::StorageFull => Code::PEER_E_DISK_FULL,
                    io::ErrorKind::NotFound => Code::ERROR_PATH_NOT_FOUND,
                    io::ErrorKind::PermissionDenied => Code::E_ACCESSDENIED,
                    _ => Code::ERROR_IO_DEVICE,
                };
                return Failure::code(format!("{}: {error}", file.display()), code);
            }
            match record(self.group, &now) {
                Ok(record) => self.write_status(&record),
                Err(failure) => return failure,
            }
        }
    }

    fn write_status(&self, record: &Value) {
        let folder = self.status.parent().expect("it is in a folder");
        let written =
            fs::create_dir_all(folder).and_then(|()| replace(&self.status, &ascii(record)));
        if let Err(error) = written {
            // The group matters more than what `p2p status` could show.
            tracing::warn!(file = %self.status.display(), %error, "the status cannot be written");
        }
    }
}

impl Drop for Metrics<'_> {
    fn drop(&mut self) {
        match fs::remove_file(&self.status) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %self.status.display(), %error, "a file is left behind");
            }
            _ => {}
        }
    }
}

/// By rename, so that whoever reads it sees one state or the next.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut next = file.as_os_str().to_owned();
    next.push(format!(".{}.new", std::process::id()));
    let next = PathBuf::from(next);
    let written = fs::File::create(&next)
        .and_then(|mut new| new.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&next, file));
    if written.is_err() {
        // What is left of it helps nobody; that it cannot be written is said by the caller.
        let _ = fs::remove_file(&next);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("p2p.prom");
        for text in ["long text\n", "short\n"] {
            replace(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/x"), "").is_err());
    }
}

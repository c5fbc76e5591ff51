//! What a node has done, in figures: on request, and in a file for whoever collects them.

use std::fs;
use std::future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use p2p_group::{Code, Group, Node};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::exit::Failure;

/// How old the file is at most.
const EVERY: Duration = Duration::from_secs(5);

/// The answer to `/status`: what the node has done since its start, and what it holds.
pub(crate) fn answer(group: &Group, node: &Node) -> Result<Answer, Failure> {
    let (status, now) = (group.status()?, node.statistics());
    let counters: Vec<_> = now.counters.rows().collect();
    let load: Vec<_> = now.load.rows().collect();
    let figures = |rows: &[(&'static str, &'static str, u64)]| -> Map<String, Value> {
        rows.iter().map(|(name, _, value)| ((*name).to_owned(), (*value).into())).collect()
    };
    let record = json!({
        "type": "statistics",
        "listening": status.listening,
        "connected": status.connected,
        "counters": figures(&counters),
        "load": figures(&load),
    });
    // People want to see what is there; a program gets the zeros too.
    let rows = load.iter().chain(&counters).filter(|(_, _, value)| *value > 0);
    let lines = rows.map(|(name, help, value)| format!("{value:>12}  {name}: {help}")).collect();
    Ok(Answer { lines, record })
}

/// A file that is kept up to date, or none.
pub(crate) struct Metrics<'a> {
    file: Option<&'a Path>,
    node: &'a Node,
}

impl<'a> Metrics<'a> {
    pub(crate) fn new(file: Option<&'a Path>, node: &'a Node) -> Metrics<'a> {
        Metrics { file, node }
    }

    /// Writes the file at once and every few seconds; ends when that fails.
    pub(crate) async fn keep(&self) -> Failure {
        let Some(file) = self.file else { return future::pending().await };
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let text = self.node.statistics().prometheus();
            if let Err(error) = replace(file, &text) {
                let code = match error.kind() {
                    io::ErrorKind::StorageFull => Code::PEER_E_DISK_FULL,
                    io::ErrorKind::NotFound => Code::ERROR_PATH_NOT_FOUND,
                    io::ErrorKind::PermissionDenied => Code::E_ACCESSDENIED,
                    _ => Code::ERROR_IO_DEVICE,
                };
                return Failure::code(format!("{}: {error}", file.display()), code);
            }
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

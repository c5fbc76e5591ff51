//! What a node has done and what it holds, for whoever watches it.

use std::fmt::Write;

use p2p_core::{Load, Stats};

use crate::error::Closed;
use crate::group::Group;

/// A snapshot of a node's counters and of what it holds: see [`Node::statistics`](crate::Node::statistics).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// What it has done since its start; only grows.
    pub counters: Stats,
    /// What it holds at this moment.
    pub load: Load,
}

impl Statistics {
    /// In the text format that Prometheus and its relatives collect (version 0.0.4): each counter as
    /// `p2p_NAME_total`, each other figure as `p2p_NAME`.
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        for (name, help, value) in self.counters.rows() {
            row(&mut text, &format!("p2p_{name}_total"), help, "counter", value);
        }
        for (name, help, value) in self.load.rows() {
            row(&mut text, &format!("p2p_{name}"), help, "gauge", value);
        }
        text
    }
}

impl Group {
    /// As [`Node::statistics`](crate::Node::statistics), of the node in which this group is open.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn statistics(&self) -> Result<Statistics, Closed> {
        self.ask(|node, _| Ok(Statistics { counters: node.stats(), load: node.load() }))
    }
}

fn row(text: &mut String, name: &str, help: &str, kind: &str, value: u64) {
    write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
        .expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_there_once_with_its_kind() {
        let mut counters = Stats::default();
        counters.messages_sent = 7;
        let mut load = Load::default();
        load.links = 3;
        let text = Statistics { counters, load }.prometheus();
        assert!(
            text.contains("\n# TYPE p2p_messages_sent_total counter\np2p_messages_sent_total 7\n")
        );
        assert!(text.contains("\n# TYPE p2p_links gauge\np2p_links 3\n"));
        let names: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(names.len(), unique.len());
        assert_eq!(names.len(), counters.rows().count() + load.rows().count());
        // The format: no line is anything but a comment of its name, or a name and a number.
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.split_once(' ').unwrap();
            assert!(name.starts_with("p2p_") && value.parse::<u64>().is_ok(), "{line}");
        }
    }
}

//! What can be broken on purpose, to show that a check fails when it should.

use p2p_core::{ConnectionChange, Event, GroupKey, Output};
use std::sync::atomic::{AtomicU64, Ordering};

/// One deliberate mistake in a world around nodes that are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bug {
    /// The driver hands in some chunks twice.
    DoubledChunk,
    /// The driver hands in the second half of some chunks first.
    SwappedChunk,
    /// The driver loses some chunks.
    LostChunk,
    /// The driver names another key than the one that TLS has proved.
    WrongKey,
    /// The driver does not say that a link is down.
    MuteDown,
    /// The driver never calls for a time-out.
    NoTimeouts,
    /// The driver reads on without credit.
    NoCredit,
    /// The application is told of some things twice.
    DoubledEvent,
    /// The application is not told that a connection ended.
    LostEnd,
    /// The application is given a message of one group as one of another.
    MixedGroups,
    /// The authority accepts every chain that it can read.
    TrustingAuthority,
    /// The authority takes revocations for those of somebody who may revoke nobody.
    ToothlessRevocation,
    /// Some authorities turn good revocations down.
    DeafAuthority,
    /// The store says that a change is kept before it is.
    EarlyAnswer,
    /// The node dials as much as it likes.
    EagerDials,
    /// The node takes neighbours without end.
    ManyNeighbours,
    /// The node's seed is not the world's.
    OtherSeed,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 17] = [
        Bug::DoubledChunk,
        Bug::SwappedChunk,
        Bug::LostChunk,
        Bug::WrongKey,
        Bug::MuteDown,
        Bug::NoTimeouts,
        Bug::NoCredit,
        Bug::DoubledEvent,
        Bug::LostEnd,
        Bug::MixedGroups,
        Bug::TrustingAuthority,
        Bug::ToothlessRevocation,
        Bug::DeafAuthority,
        Bug::EarlyAnswer,
        Bug::EagerDials,
        Bug::ManyNeighbours,
        Bug::OtherSeed,
    ];
}

impl Bug {
    /// What a broken driver makes of what its node wants.
    pub(crate) fn corrupt(self, open: &[Option<GroupKey>], outputs: &mut Vec<Output>) {
        let told = |output: &Output| match output {
            Output::Event { event: Event::Direct(c), .. } => Some(c.change),
            _ => None,
        };
        match self {
            Bug::DoubledEvent => {
                let ends: Vec<Output> =
                    outputs.iter().filter(|o| told(o).is_some()).cloned().collect();
                outputs.extend(ends);
            }
            Bug::LostEnd => outputs.retain(|o| told(o) != Some(ConnectionChange::Disconnected)),
            Bug::MixedGroups => {
                for output in outputs {
                    if let Output::Event { group, event: Event::Data { .. } } = output
                        && let Some(other) = open.iter().flatten().find(|other| *other != group)
                    {
                        *group = *other;
                    }
                }
            }
            _ => {}
        }
    }
}

/// A number that no seed determines.
pub(crate) fn counted() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

//! Cores that are broken on purpose: each must be caught, or the checks are worth nothing.

use p2p_core::{ConnectionChange, Event, Head, Output, Payload};

/// One way to break a node.
#[derive(Debug)]
pub struct Mutation {
    /// What is broken.
    pub name: &'static str,
    /// In which scope it shows.
    pub scope: &'static str,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    /// The node says something else than it should.
    Output(fn(Output) -> Vec<Output>),
    /// The cell with this place in `PATCHES` is another one.
    #[cfg(feature = "mutations")]
    Cell(usize),
}

impl Mutation {
    /// What the node does in place of `output`.
    pub(crate) fn change(&self, output: Output) -> Vec<Output> {
        match self.how {
            How::Output(change) => change(output),
            #[cfg(feature = "mutations")]
            How::Cell(_) => vec![output],
        }
    }

    /// What is broken inside the node.
    #[cfg(feature = "mutations")]
    pub(crate) fn patch(&self) -> Option<&'static p2p_core::Patch> {
        match self.how {
            How::Output(_) => None,
            How::Cell(place) => p2p_core::PATCHES.get(place),
        }
    }
}

const fn output(
    name: &'static str,
    scope: &'static str,
    change: fn(Output) -> Vec<Output>,
) -> Mutation {
    Mutation { name, scope, how: How::Output(change) }
}

/// Nodes that say something else than they should: these need no node that can be broken.
const OUTPUTS: [Mutation; 8] = [
    output("an end is not told", "closes", |output| match output {
        Output::Event { event: Event::Direct(c), .. } if is_end(c.change) => vec![],
        other => vec![other],
    }),
    output("an end is told twice", "closes", |output| match &output {
        Output::Event { event: Event::Direct(c), .. } if is_end(c.change) => {
            vec![output.clone(), output]
        }
        _ => vec![output],
    }),
    output("a message is delivered twice", "closes", |output| match &output {
        Output::Event { event: Event::Data { .. }, .. } => vec![output.clone(), output],
        _ => vec![output],
    }),
    output("an acknowledgement counts one more than was sent", "closes", |output| {
        counted(output, 0x45, |count| count + 1)
    }),
    output("a close counts a message too few", "closes", |output| {
        counted(output, 0x44, |count| count.saturating_sub(1))
    }),
    output("the end of a stream is not sent", "closes", |output| match output {
        Output::Finish { .. } => vec![],
        other => vec![other],
    }),
    output("a reset is not sent", "closes", |output| match output {
        Output::Abort { .. } => vec![],
        other => vec![other],
    }),
    output("a dial is forgotten", "dialled", |output| match output {
        Output::Dial { .. } => vec![],
        other => vec![other],
    }),
];

/// The scopes in which the broken cells show, in the order of the core's list.
#[cfg(feature = "mutations")]
const CELLS: &[&str] = &[
    "crossing",     // an open that is accepted is not told
    "crossing",     // told twice
    "crossing",     // the acceptor does not tell
    "registration", // a declined open is kept
    "registration", // a refusal is not told
    "redialled",    // a link that is lost loses its opens
    "lost",         // a dial that fails is not told
    "lost",         // an open waits for ever
    "closes",       // a connection that the peer closes is not listed
    "closes",       // a connection that is closed here stays open
    "closes",       // a close is not acknowledged
    "lost",         // a lost link leaves its connections
    "closes",       // closes that cross end without waiting
    "closes",       // what comes after a close is delivered
    "closes",       // an acknowledged close is not told
    "lost",         // a close waits for ever
    "closes",       // what was seen to end is listed
    "closes",       // a message is counted and not delivered
];

/// Every broken core that this build can make: with the feature `mutations` also those that are broken inside.
pub fn mutations() -> Vec<&'static Mutation> {
    static ALL: std::sync::OnceLock<Vec<Mutation>> = std::sync::OnceLock::new();
    let make = || {
        #[allow(unused_mut, reason = "without the feature nothing is added")]
        let mut all = Vec::from(OUTPUTS);
        #[cfg(feature = "mutations")]
        for (place, patch) in p2p_core::PATCHES.iter().enumerate() {
            let scope = CELLS.get(place).copied().unwrap_or_default();
            all.push(Mutation { name: patch.name, scope, how: How::Cell(place) });
        }
        all
    };
    ALL.get_or_init(make).iter().collect()
}

fn is_end(change: ConnectionChange) -> bool {
    change == ConnectionChange::Disconnected
}

/// Changes the count in a frame of this type.
fn counted(output: Output, kind: u8, change: fn(u8) -> u8) -> Vec<Output> {
    match output {
        Output::Write { link, stream, head, body } => {
            let mut bytes = [head.as_slice(), &body.into_bytes()].concat();
            if let [0x40, found, 1, count] = bytes.as_mut_slice()
                && *found == kind
            {
                *count = change(*count);
            }
            let body = Payload::One(bytes.into());
            vec![Output::Write { link, stream, head: Head::EMPTY, body }]
        }
        other => vec![other],
    }
}

//! The search: breadth first, so that the first broken state is one of those nearest to the beginning.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::mutations::Mutation;
use crate::scope::Scope;
use crate::world::{Action, World};

/// Locks of the set of known states; so many that two threads seldom meet.
const SHARDS: usize = 64;

/// What a search went through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Steps from one state to another, or to one that was known.
    pub steps: usize,
    /// States in which nothing was under way: each was followed to its end besides.
    pub quiet: usize,
    /// Steps from the beginning to the state furthest from it.
    pub depth: usize,
    /// How long it took.
    pub time: Duration,
}

/// A promise that is broken, and the shortest way there.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The promise.
    pub broken: String,
    /// What happens until then, and what applications are told.
    pub history: Vec<String>,
    /// Steps.
    pub depth: usize,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.history {
            writeln!(f, "  {line}")?;
        }
        write!(f, "  broken after {} steps: {}", self.depth, self.broken)
    }
}

/// How a state was reached first: from which one, by what.
type Way = (usize, Action);

/// A state that is broken: how it was reached, and what is broken.
type Bad = (Vec<Action>, String);

/// States by their digest, which is as good as the state itself: that two of a thousand million share one is less likely
/// than 10⁻²⁰.
struct Known([Mutex<HashSet<u128, BuildHasherDefault<Given>>>; SHARDS]);

/// One level of the search.
struct Level {
    /// Places in the list of ways, and the worlds there.
    worlds: Vec<(usize, World)>,
}

/// Goes through all states of a scope.
///
/// # Errors
/// The first promise that is broken, with a shortest history.
pub fn search(
    scope: &Scope,
    mutation: Option<&'static Mutation>,
    threads: usize,
) -> Result<Report, Box<Counterexample>> {
    let begun = Instant::now();
    let mut report = Report { states: 1, ..Report::default() };
    let known = Known::new();
    let first = World::new(scope, mutation);
    known.insert(&first);
    let mut ways: Vec<Way> = vec![(0, Action::Wait)];
    let mut level = Level { worlds: vec![(0, first)] };
    while !level.worlds.is_empty() {
        let found = expand(&level, &known, threads);
        let mut next = Vec::new();
        for expanded in found {
            report.steps += expanded.steps;
            report.quiet += expanded.quiet;
            if let Some((from, action, broken)) = expanded.bad {
                let mut actions = history(&ways, from);
                actions.extend(action);
                return Err(Box::new(explain(scope, mutation, (actions, broken))));
            }
            for (from, action, world) in expanded.new {
                ways.push((from, action));
                next.push((ways.len() - 1, world));
            }
        }
        report.states += next.len();
        report.depth += usize::from(!next.is_empty());
        level = Level { worlds: next };
    }
    report.time = begun.elapsed();
    Ok(report)
}

/// What one thread found in its part of a level.
#[derive(Default)]
struct Expanded {
    new: Vec<(usize, Action, World)>,
    steps: usize,
    quiet: usize,
    /// From which state, by what; `None`: that state itself does not end well.
    bad: Option<(usize, Option<Action>, String)>,
}

fn expand(level: &Level, known: &Known, threads: usize) -> Vec<Expanded> {
    let turn = AtomicUsize::new(0);
    let work = || {
        let mut expanded = Expanded::default();
        while let Some((way, world)) = level.worlds.get(turn.fetch_add(1, Ordering::Relaxed)) {
            visit(*way, world, known, &mut expanded);
            if expanded.bad.is_some() {
                break;
            }
        }
        expanded
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = vec![work()];
        all.extend(others.into_iter().map(|other| other.join().expect("a thread of the search")));
        all
    })
}

/// Looks at a state, and at all that follow from it.
fn visit(way: usize, world: &World, known: &Known, expanded: &mut Expanded) {
    let quiet = world.is_quiet();
    expanded.quiet += usize::from(quiet);
    let ends = guarded(|| {
        if quiet {
            world.settle()?;
        }
        (0..world.machines.len()).try_for_each(|m| world.strand(m))
    });
    if let Err(broken) = ends {
        expanded.bad = Some((way, None, broken));
        return;
    }
    for action in world.actions() {
        let mut next = world.clone();
        expanded.steps += 1;
        let outcome = guarded(|| {
            next.apply(action);
            next.broken.take().map_or(Ok(()), Err)
        });
        if let Err(broken) = outcome {
            expanded.bad = Some((way, Some(action), broken));
            return;
        }
        if known.insert(&next) {
            expanded.new.push((way, action, next));
        }
    }
}

/// A panic is a broken promise too.
fn guarded(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("40: panicked: {}", text.unwrap_or_default()))
    })
}

fn history(ways: &[Way], mut at: usize) -> Vec<Action> {
    let mut actions = Vec::new();
    while at != 0 {
        actions.push(ways[at].1);
        at = ways[at].0;
    }
    actions.reverse();
    actions
}

/// Goes the way again and writes down what happens.
fn explain(scope: &Scope, mutation: Option<&'static Mutation>, bad: Bad) -> Counterexample {
    let (actions, broken) = bad;
    let mut world = World::new(scope, mutation);
    world.record();
    for action in &actions {
        // The last step may panic, as it did before.
        let _ = guarded(|| {
            world.apply(*action);
            Ok(())
        });
    }
    let history = world.history().to_vec();
    Counterexample { broken, history, depth: actions.len() }
}

impl Known {
    fn new() -> Known {
        Known(std::array::from_fn(|_| Mutex::default()))
    }

    /// Whether the state is new.
    fn insert(&self, world: &World) -> bool {
        let digest = world.digest();
        let shard = &self.0[digest as usize % SHARDS];
        shard.lock().unwrap_or_else(|poison| poison.into_inner()).insert(digest)
    }
}

/// A digest needs no further hash.
#[derive(Default)]
struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = (digest >> 64) as u64;
    }
}

//! One run: the plan, then the quiet period.

use std::hash::Hasher;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::bug::Bug;
use crate::invariants::Violation;
use crate::plan::Plan;
use crate::quiet;
use crate::world::World;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Over everything that went into nodes and came out of them. Equal runs have equal ones.
    pub print: u64,
    /// Calls to nodes.
    pub steps: u64,
    /// µs of the world's time.
    pub ticks: u64,
    /// The rule that was broken, if one was; the run ended there.
    pub violation: Option<Violation>,
}

/// Runs a plan to its end, or to the first broken rule. `bug`: what is wrong on purpose.
pub fn run(plan: &Plan, bug: Option<Bug>) -> Report {
    live(plan, bug, None).0
}

/// The same, and every call with its outputs in words: large.
pub fn run_with_script(plan: &Plan, bug: Option<Bug>) -> (Report, String) {
    live(plan, bug, Some(String::new()))
}

fn live(plan: &Plan, bug: Option<Bug>, script: Option<String>) -> (Report, String) {
    let mut world = World::new(&plan.settings, bug);
    world.script = script;
    // A panic is a broken rule like others: it has a step, and a history that can be made shorter.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        world.begin();
        plan.actions.iter().for_each(|planned| world.undergo(planned));
        quiet::quiet(&mut world);
    }));
    if let Err(panic) = outcome {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let violation = Violation::new(&world, "42", None, format!("panic: {words}"));
        world.violation = Some(violation);
    }
    let report = Report {
        print: world.print.finish(),
        steps: world.steps,
        ticks: world.tick,
        violation: world.violation,
    };
    (report, world.script.unwrap_or_default())
}

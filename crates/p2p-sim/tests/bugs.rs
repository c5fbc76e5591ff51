//! Every check can fail: each deliberate mistake is caught, by a row that is about it, within a few seeds.

use p2p_sim::{Action, Bug, MS, Plan, Planned, Taking, run, shrink};

const NODES: usize = 5;

/// What is broken; the rows that are about it; how many seeds may pass before it shows.
const EXPECTED: &[(Bug, &[&str], u64)] = &[
    (Bug::DoubledChunk, &["37"], 10),
    (Bug::SwappedChunk, &["37", "39"], 10),
    (Bug::LostChunk, &["37", "39"], 10),
    (Bug::WrongKey, &["3"], 10),
    (Bug::MuteDown, &["26", "27", "39", "40", "mesh"], 20),
    (Bug::NoTimeouts, &["26", "40", "46", "mesh"], 10),
    (Bug::DoubledEvent, &["36"], 10),
    (Bug::LostEnd, &["36", "38", "40"], 10),
    (Bug::MixedGroups, &["10"], 20),
    (Bug::TrustingAuthority, &["1", "4", "5", "10"], 10),
    (Bug::ToothlessRevocation, &["8"], 60),
    (Bug::DeafAuthority, &["7"], 100),
    (Bug::EarlyAnswer, &["store"], 10),
    (Bug::EagerDials, &["30"], 60),
    (Bug::ManyNeighbours, &["25"], 100),
];

/// The first seed in which a mistake breaks one of these rows, and which. It may break others first: much depends on it.
fn caught(bug: Bug, rows: &[&str], seeds: u64) -> Option<(u64, &'static str)> {
    (0..seeds).find_map(|seed| {
        let violation = run(&Plan::new(seed, NODES), Some(bug)).violation?;
        rows.contains(&violation.number).then_some((seed, violation.number))
    })
}

#[test]
fn every_mistake_is_caught_by_a_row_that_is_about_it() {
    for (bug, rows, seeds) in EXPECTED {
        let Some((seed, row)) = caught(*bug, rows, *seeds) else {
            panic!("{bug:?} breaks none of {rows:?} in {seeds} seeds")
        };
        println!("| {bug:?} | {row} | {} |", seed + 1);
    }
    let named: Vec<Bug> = EXPECTED.iter().map(|row| row.0).collect();
    let apart = [Bug::OtherSeed, Bug::NoCredit];
    assert!(Bug::ALL.iter().all(|bug| named.contains(bug) || apart.contains(bug)));
}

#[test]
fn a_driver_that_reads_without_credit_fills_the_applications_queue() {
    let act = |wait, action| Planned { wait, action };
    let flood = act(MS * 500, Action::Send { host: 0, nth: 0, count: 60, len: 1_900 });
    let mut plan = Plan::new(0, 2);
    plan.actions = vec![
        act(2_000 * MS, Action::Open { host: 0, to: 1, group: 0 }),
        act(2_000 * MS, Action::Take { host: 1, how: Taking::Never }),
    ];
    plan.actions.extend([flood; 12]);
    assert_eq!(run(&plan, None).violation, None);
    let violation = run(&plan, Some(Bug::NoCredit)).violation.expect("more than its queue holds");
    assert_eq!(violation.number, "25");
}

#[test]
fn a_seed_that_is_not_the_worlds_makes_two_runs_differ() {
    let plan = Plan::new(1, 3);
    assert_eq!(run(&plan, None), run(&plan, None));
    let differ =
        |_: &u64| run(&plan, Some(Bug::OtherSeed)).print != run(&plan, Some(Bug::OtherSeed)).print;
    assert!((0..3).any(|n| differ(&n)));
}

#[test]
fn a_failure_is_shown_by_a_short_history() {
    let plan = Plan::new(0, NODES);
    let violation = run(&plan, Some(Bug::LostEnd)).violation.expect("it shows in the first seed");
    let shrunk = shrink(&plan, Some(Bug::LostEnd), &violation, 100);
    assert_eq!(shrunk.violation.number, violation.number);
    assert!(shrunk.runs <= 100 && shrunk.plan.actions.len() < plan.actions.len() / 2, "{shrunk:?}");
    assert_eq!(run(&shrunk.plan, Some(Bug::LostEnd)).violation, Some(shrunk.violation));
}

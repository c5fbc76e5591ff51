//! The checks are worth something: every core that is broken on purpose is caught.

use p2p_model::{SLICE, mutations, search};

/// Steps of the longest way to a broken promise: a longer one would say that it is found by chance.
const STEPS_MAX: usize = 16;

#[test]
fn every_broken_core_is_caught_by_a_short_history() {
    let all = mutations();
    assert!(all.len() >= 8, "{}", all.len());
    for mutation in all {
        let scope = SLICE.iter().find(|scope| scope.name == mutation.scope);
        let scope = scope.unwrap_or_else(|| panic!("no scope `{}`", mutation.scope));
        let found = search(scope, Some(mutation), 2).expect_err(mutation.name);
        assert!(found.depth <= STEPS_MAX, "{}:\n{found}", mutation.name);
        assert!(!found.history.is_empty() && !found.broken.is_empty(), "{}", mutation.name);
    }
}

#[test]
fn a_search_takes_the_same_way_every_time() {
    let scope = SLICE.iter().find(|scope| scope.name == "unsent").expect("the scope");
    let counted = [1, 2].map(|threads| {
        let report = search(scope, None, threads).unwrap_or_else(|found| panic!("{found}"));
        (report.states, report.steps, report.quiet, report.depth)
    });
    assert_eq!(counted[0], counted[1], "whatever the threads do");
    assert!(counted[0].0 > 1_000, "{counted:?}");
}

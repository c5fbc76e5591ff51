//! Making a history shorter that breaks a rule, by leaving parts of it out and running what is left.

use crate::bug::Bug;
use crate::invariants::Violation;
use crate::plan::Plan;
use crate::run::run;

/// The shortest history that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What to run.
    pub plan: Plan,
    /// What it breaks: the same rule as in the beginning.
    pub violation: Violation,
    /// How often something was run to find it.
    pub runs: u32,
}

struct Search {
    bug: Option<Bug>,
    best: Shrunk,
    most: u32,
}

/// Looks for a shorter plan that breaks the same rule, with at most so many runs.
pub fn shrink(plan: &Plan, bug: Option<Bug>, violation: &Violation, most: u32) -> Shrunk {
    let best = Shrunk { plan: plan.clone(), violation: violation.clone(), runs: 0 };
    let mut search = Search { bug, best, most };
    search.cut_the_end();
    let mut length = search.best.plan.actions.len().div_ceil(2);
    while length > 0 && search.best.runs < most {
        search.leave_out(length);
        length /= 2;
    }
    search.leave_out_hosts();
    search.leave_out(1);
    search.wait_less();
    search.best
}

impl Search {
    /// Whether a plan breaks the same rule; it is the best then.
    fn works(&mut self, plan: Plan) -> bool {
        if self.best.runs >= self.most {
            return false;
        }
        self.best.runs += 1;
        let violation = run(&plan, self.bug).violation;
        match violation.filter(|v| v.number == self.best.violation.number) {
            Some(violation) => {
                (self.best.plan, self.best.violation) = (plan, violation);
                true
            }
            None => false,
        }
    }

    /// By halves: the shortest beginning that does it, if there is one length from which on all do.
    fn cut_the_end(&mut self) {
        let (mut few, mut many) = (0, self.best.plan.actions.len());
        while few < many {
            let middle = usize::midpoint(few, many);
            let mut plan = self.best.plan.clone();
            plan.actions.truncate(middle);
            if self.works(plan) { many = middle } else { few = middle + 1 }
        }
    }

    /// Pieces of this length, from the end.
    fn leave_out(&mut self, length: usize) {
        let mut end = self.best.plan.actions.len();
        while end > 0 {
            let from = end.saturating_sub(length);
            let mut plan = self.best.plan.clone();
            let waited =
                plan.actions.drain(from..end.min(plan.actions.len())).map(|p| p.wait).sum::<u64>();
            let mut patient = plan.clone();
            if !self.works(plan) && from < patient.actions.len() {
                // What came after may need the time that passed.
                patient.actions[from].wait += waited;
                self.works(patient);
            }
            end = from;
        }
    }

    fn leave_out_hosts(&mut self) {
        loop {
            let mut plan = self.best.plan.clone();
            if plan.settings.hostile > 0 {
                plan.settings.hostile -= 1;
            } else if plan.settings.honest > 2 {
                plan.settings.honest -= 1;
            } else {
                return;
            }
            if !self.works(plan) {
                return;
            }
        }
    }

    fn wait_less(&mut self) {
        for n in 0..self.best.plan.actions.len() {
            let mut plan = self.best.plan.clone();
            plan.actions[n].wait = 0;
            if plan != self.best.plan {
                self.works(plan);
            }
        }
    }
}

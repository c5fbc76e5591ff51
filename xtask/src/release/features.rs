//! Every combination of a crate's features compiles.

use super::tools::present;
use super::{Finding, Options, published};
use crate::shell::{self, cargo};

pub(super) fn check(_: &Options) -> Result<Finding, String> {
    let crates = published()?;
    if present("hack") {
        let mut command = cargo(&["hack", "check", "--feature-powerset"]);
        for one in &crates {
            command.args(["-p", &one.name]);
        }
        shell::run(&mut command)?;
        return Ok(Finding::Passed("every combination compiles (cargo-hack)".to_owned()));
    }
    let mut count = 0;
    for one in &crates {
        for features in powerset(&one.features()) {
            count += 1;
            let mut command = cargo(&["check", "-p", &one.name, "--no-default-features"]);
            if !features.is_empty() {
                command.args(["--features", &features.join(",")]);
            }
            shell::run(&mut command)?;
        }
    }
    Ok(Finding::Passed(format!("{count} combinations of {} crates compile", crates.len())))
}

/// Every set of these, the empty one first.
fn powerset(names: &[String]) -> Vec<Vec<String>> {
    let mut sets = vec![Vec::new()];
    for name in names {
        for n in 0..sets.len() {
            let mut with = sets[n].clone();
            with.push(name.clone());
            sets.push(with);
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_powerset_has_every_set_once() {
        assert_eq!(powerset(&[]), [Vec::<String>::new()]);
        let sets = powerset(&["a", "b", "c"].map(str::to_owned));
        let joined: Vec<String> = sets.iter().map(|set| set.join("+")).collect();
        assert_eq!(joined, ["", "a", "b", "a+b", "c", "a+c", "b+c", "a+b+c"]);
    }
}

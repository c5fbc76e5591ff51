//! `cargo xtask coverage`: how much of p2p-core the committed corpora reach, and whether that has fallen.
//!
//! Only the crates in which the core's code ends up are built to count, by this very program as the compiler's wrapper:
//! counters everywhere would cost the cryptography most of its speed. The floors stand in `fuzz/coverage.txt`.

use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use crate::Outcome;
use crate::shell::{self, cargo, root};

/// Set for the compiler's wrapper: this program, started by cargo.
const WRAPS: &str = "P2P_XTASK_COVERAGE";
/// The core, and whoever makes an instance of what is generic in it.
const COUNTED: [&str; 3] = ["p2p_core", "p2p_fuzz", "p2p_model"];
/// The program that runs a corpus. It alone is linked with what writes the counters down.
const PROGRAM: &str = "replay";
/// So much may be missing, in points of a hundred: compilers differ in what they count.
const TOLERANCE: f64 = 1.0;
/// So much above its floor, the floor may be raised.
const WORTH_RAISING: f64 = 3.0;

/// The command.
pub(crate) fn run(words: &[String]) -> Outcome {
    if !words.is_empty() {
        return Err("usage: cargo xtask coverage".to_owned());
    }
    let floors = floors()?;
    let target = root().join("target/coverage");
    let myself = env::current_exe().map_err(|error| error.to_string())?;
    // Without the target that needs the whole of the C interface.
    let mut build = cargo(&["build", "--package", "p2p-fuzz", "--no-default-features"]);
    build.args(["--bin", PROGRAM, "--target-dir"]);
    shell::run(build.arg(&target).env("RUSTC_WRAPPER", myself).env(WRAPS, "1"))?;
    let mut count = cargo(&["run", "--quiet", "--package", "p2p-fuzz", "--bin", "coverage", "--"]);
    for (name, _) in &floors {
        let profile = target.join(format!("{name}.profraw"));
        let mut program = Command::new(target.join("debug").join(PROGRAM));
        shell::run(program.arg(name).env("LLVM_PROFILE_FILE", &profile))?;
        count.arg(profile);
    }
    let output = count.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    judge(&String::from_utf8_lossy(&output.stdout), &floors)
}

/// Whether cargo started this program in the compiler's place.
pub(crate) fn wraps() -> bool {
    env::var_os(WRAPS).is_some()
}

/// The compiler's wrapper: passes everything on, and adds what counts.
pub(crate) fn wrap(words: &[String]) -> ExitCode {
    let Some((compiler, words)) = words.split_first() else {
        return ExitCode::FAILURE;
    };
    let name = words.iter().skip_while(|word| *word != "--crate-name").nth(1);
    let mut command = Command::new(compiler);
    command.args(words);
    match name.map(String::as_str) {
        Some(name) if COUNTED.contains(&name) => {
            command.args(["-C", "instrument-coverage"]);
            command.args(["-C", "llvm-args=-enable-name-compression=false"]);
        }
        Some(PROGRAM) => {
            command.args(["-C", "link-arg=-Wl,-u,__llvm_profile_runtime"]);
        }
        _ => {}
    }
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{compiler}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Targets and their floors.
fn floors() -> Result<Vec<(String, f64)>, String> {
    let path = root().join("fuzz/coverage.txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, floor) = line.split_once(' ')?;
            Some((name.to_owned(), floor.parse().ok()?))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{}: each line is a target and a number", path.display()))
}

/// Prints what was reached; fails where it is less than the floor.
fn judge(counted: &str, floors: &[(String, f64)]) -> Outcome {
    let mut fallen = Vec::new();
    for (name, floor) in floors {
        let reached = counted.lines().find_map(|line| percent(line, name));
        let reached = reached.ok_or_else(|| format!("nothing was counted of `{name}`"))?;
        let remark = if reached + TOLERANCE < *floor {
            fallen.push(name.as_str());
            "  less than its floor: add to its corpus what reaches the rest"
        } else if reached > floor + WORTH_RAISING {
            "  the floor may be raised"
        } else {
            ""
        };
        println!("  {name:<10} {reached:>5.1} % of the core, floor {floor:.1} %{remark}");
    }
    if fallen.is_empty() { Ok(()) } else { Err(format!("coverage fell: {}", fallen.join(", "))) }
}

/// From "name reached there".
fn percent(line: &str, name: &str) -> Option<f64> {
    let mut words = line.split_whitespace();
    words.next().filter(|word| *word == name)?;
    let reached: f64 = words.next()?.parse().ok()?;
    let there: f64 = words.next()?.parse().ok()?;
    (there > 0.0).then_some(100.0 * reached / there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_the_floor_fails() {
        let floors = |floor| [("pair".to_owned(), floor)];
        assert!(judge("frame 10 100\npair 50 100\n", &floors(50.0)).is_ok());
        assert!(judge("pair 50 100\n", &floors(50.9)).is_ok(), "compilers differ");
        assert!(judge("pair 50 100\n", &floors(51.1)).is_err());
        assert!(judge("frame 50 100\n", &floors(1.0)).is_err(), "not counted");
        assert!(judge("pair 0 0\n", &floors(0.0)).is_err());
    }

    #[test]
    fn each_floor_is_that_of_a_corpus() {
        let floors = floors().unwrap();
        assert!(!floors.is_empty());
        for (name, floor) in floors {
            assert!(root().join("fuzz/corpus").join(&name).is_dir(), "{name}");
            assert!(floor > 0.0 && floor <= 100.0, "{name}");
        }
    }
}

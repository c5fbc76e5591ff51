//! `cargo xtask fuzz TARGET [SECONDS]`: libFuzzer on one of the targets in `fuzz/`, starting from its corpus.
//!
//! The tests replay the corpus with any compiler; to look for more, libFuzzer needs a nightly one and `cargo-fuzz`. What
//! it finds interesting stays below `target/fuzz/`. A file that breaks a promise is printed with its path: it belongs
//! into `fuzz/corpus/`, where the tests will replay it for ever.

use std::fs;
use std::process::Command;

use crate::Outcome;
use crate::shell::{self, root};

/// As long as somebody waits for it.
const SECONDS: u32 = 60;
/// Largest input, in bytes: more than any door accepts.
const INPUT_MAX: u32 = 70_000;

/// The command.
pub(crate) fn run(words: &[String]) -> Outcome {
    let targets = targets()?;
    let (target, seconds) = choice(words, &targets)?;
    available()?;
    let found = root().join("target/fuzz/corpus").join(target);
    fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    let artifacts = root().join("target/fuzz/artifacts").join(target);
    fs::create_dir_all(&artifacts).map_err(|error| format!("{}: {error}", artifacts.display()))?;
    let mut command = nightly(&["fuzz", "run", "--fuzz-dir", "fuzz/libfuzzer"]);
    command.arg("--target-dir").arg(root().join("target/fuzz/build")).arg(target);
    // The first folder takes what is found, the second is only read.
    command.arg(found).arg(root().join("fuzz/corpus").join(target)).arg("--");
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={INPUT_MAX}"));
    command.arg(format!("-malloc_limit_mb={}", allocation_max(target)));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    shell::run(&mut command)
}

/// Most that a target may take at once, in MiB: no more than any door needs, except where sockets and disks are behind it.
fn allocation_max(target: &str) -> u32 {
    if target == "c_calls" { 64 } else { 1 }
}

/// The targets: each has a folder in the corpus, as a test of `p2p-fuzz` proves.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/corpus");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn choice<'a>(words: &'a [String], targets: &[String]) -> Result<(&'a str, u32), String> {
    let usage =
        || format!("usage: cargo xtask fuzz TARGET [SECONDS]; targets: {}", targets.join(", "));
    let (target, seconds) = match words {
        [target] => (target, SECONDS),
        [target, seconds] => (target, seconds.parse().map_err(|_| usage())?),
        _ => return Err(usage()),
    };
    if targets.contains(target) && seconds > 0 { Ok((target, seconds)) } else { Err(usage()) }
}

/// Whether what is needed beyond the project is there; says what is not.
fn available() -> Outcome {
    if !shell::works(&mut nightly(&["--version"])) {
        return Err(
            "libFuzzer needs a nightly compiler: `rustup toolchain install nightly`".to_owned()
        );
    }
    if !shell::works(&mut nightly(&["fuzz", "--version"])) {
        return Err("cargo-fuzz is missing: `cargo install cargo-fuzz`".to_owned());
    }
    Ok(())
}

/// The nightly cargo, which the stable one that started us does not lead to.
fn nightly(arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(root()).args(["run", "nightly", "cargo"]).args(arguments);
    // What the stable cargo said about itself would be believed.
    command.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_target_and_a_time_are_chosen() {
        let targets = words("chain invitation");
        assert_eq!(choice(&words("chain"), &targets), Ok(("chain", SECONDS)));
        assert_eq!(choice(&words("invitation 5"), &targets), Ok(("invitation", 5)));
        for bad in ["", "chains", "chain 0", "chain five", "chain 5 6"] {
            let why = choice(&words(bad), &targets).unwrap_err();
            assert!(why.ends_with("targets: chain, invitation"), "{bad}: {why}");
        }
    }

    #[test]
    fn every_target_of_the_corpus_has_its_program() {
        let targets = targets().unwrap();
        assert!(targets.contains(&"chain".to_owned()));
        let manifest = fs::read_to_string(root().join("fuzz/libfuzzer/Cargo.toml")).unwrap();
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            let program = root().join(format!("fuzz/libfuzzer/fuzz_targets/{target}.rs"));
            let text = fs::read_to_string(&program).unwrap();
            assert!(text.contains(&format!("p2p_fuzz::{target}(")), "{}", program.display());
        }
    }
}

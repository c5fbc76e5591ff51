//! `cargo xtask sanitize [--address | --valgrind] [WORDS]`: the C programs of `crates/p2p-ffi/c` under those who look at
//! memory.
//!
//! The tests that run the programs do the work: they take the compiler's flags and the wrapper from the environment. So
//! every program and every scenario is in it without being named here, and words select tests as they do elsewhere.
//! What a program forgets to give back with `PeerFreeData` counts as its leak: the library's list of blocks is written so
//! that no checker finds an address in it.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::shell::{self, cargo, root, works};

/// What a checked program ends with if something was found.
const FOUND: &str = "97";

/// A checker: its option, what it needs in the environment, and the tests that it cannot run.
struct Checker {
    option: &'static str,
    what: &'static str,
    /// Whether it is there; else what is missing.
    missing: fn() -> Option<&'static str>,
    environment: fn() -> Vec<(&'static str, String)>,
    /// Names of tests, or parts of them, each with its reason beside it.
    skip: &'static [&'static str],
    /// Only these; none: all.
    only: &'static [&'static str],
}

const CHECKERS: &[Checker] = &[
    Checker {
        option: "--address",
        what: "AddressSanitizer, UndefinedBehaviorSanitizer and their search for leaks",
        missing: no_sanitizer,
        environment: sanitizers,
        skip: &[
            // They limit the address space, of which AddressSanitizer takes terabytes.
            "too_little_memory",
        ],
        only: &[],
    },
    Checker {
        option: "--valgrind",
        what: "valgrind, without undefined values: it takes what ring's assembly writes for such",
        missing: no_valgrind,
        environment: || valgrind("--undef-value-errors=no"),
        skip: &VALGRIND_SKIPS,
        only: &[],
    },
    Checker {
        option: "--valgrind",
        what: "valgrind with undefined values, where nothing comes from the wire",
        missing: no_valgrind,
        environment: || valgrind("--undef-value-errors=yes"),
        skip: &VALGRIND_SKIPS,
        only: &[
            "every_parameter_of",
            "null_is_a",
            "stale_handles",
            "handles_of_another",
            "what_may_not_be_touched",
        ],
    },
];

const VALGRIND_SKIPS: [&str; 3] = [
    // A child made by fork has the memory of its parent's threads, and nobody who could free it.
    "a_child_does_not_have",
    // They limit the address space, and valgrind lives in the same.
    "too_little_memory",
    // No program is run.
    "every_program_is_c99",
];

/// The command.
pub(crate) fn run(words: &[String]) -> Outcome {
    let options: Vec<&str> = CHECKERS.iter().map(|checker| checker.option).collect();
    let (chosen, tests): (Vec<_>, Vec<_>) =
        words.iter().cloned().partition(|word| word.starts_with("--"));
    if let Some(unknown) = chosen.iter().find(|word| !options.contains(&word.as_str())) {
        return Err(format!("no checker `{unknown}`; there are {}", options[..2].join(", ")));
    }
    let wanted =
        |checker: &&Checker| chosen.is_empty() || chosen.iter().any(|o| o == checker.option);
    let mut failed = Vec::new();
    for checker in CHECKERS.iter().filter(wanted) {
        println!("\n== {}", checker.what);
        if let Some(missing) = (checker.missing)() {
            println!("skipped: {missing}");
        } else if let Err(why) = check(checker, &tests) {
            eprintln!("{why}");
            failed.push(checker.option);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("found something: {}", failed.join(", "))) }
}

/// The slice that every change goes through: seconds, not minutes.
pub(crate) fn slice() -> Outcome {
    run(&["--address".to_owned()])
}

fn check(checker: &Checker, words: &[String]) -> Outcome {
    let mut command = if works(&mut cargo(&["nextest", "--version"])) {
        // A profile in which tests may take long.
        cargo(&["nextest", "run", "--profile", "sanitize", "--no-fail-fast"])
    } else {
        cargo(&["test", "--no-fail-fast"])
    };
    command.args(["--package", "p2p-ffi", "--test", "c_programs", "--"]).args(words);
    if words.is_empty() {
        command.args(checker.only);
    }
    for test in checker.skip {
        command.args(["--skip", test]);
    }
    shell::run(command.envs((checker.environment)()))
}

fn sanitizers() -> Vec<(&'static str, String)> {
    let options = "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1";
    vec![
        (
            "P2P_C_FLAGS",
            "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
             -DPATIENCE_MS=300000u"
                .to_owned(),
        ),
        ("ASAN_OPTIONS", format!("{options}:exitcode={FOUND}")),
        ("LSAN_OPTIONS", format!("exitcode={FOUND}")),
        ("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1".to_owned()),
    ]
}

fn valgrind(values: &str) -> Vec<(&'static str, String)> {
    let suppressions = root().join("crates/p2p-ffi/c/valgrind.supp");
    let words = format!(
        "valgrind --quiet --vgdb=no --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
         --num-callers=30 {values} --error-exitcode={FOUND} --suppressions={}",
        suppressions.display()
    );
    vec![("P2P_C_WRAPPER", words), ("P2P_C_FLAGS", "-DPATIENCE_MS=600000u".to_owned())]
}

fn no_valgrind() -> Option<&'static str> {
    let there = works(Command::new("valgrind").arg("--version"));
    (!there).then_some("valgrind is not installed")
}

fn no_sanitizer() -> Option<&'static str> {
    let empty = Path::new("/dev/null");
    let mut compiler = Command::new("cc");
    compiler.args(["-fsanitize=address,undefined", "-shared", "-xc", "-o"]).arg(empty).arg(empty);
    (!works(&mut compiler)).then_some("this compiler has no AddressSanitizer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_checker_is_an_error_that_names_those_there_are() {
        let why = run(&["--memory".to_owned()]).unwrap_err();
        assert_eq!(why, "no checker `--memory`; there are --address, --valgrind");
    }

    #[test]
    fn what_is_left_out_or_picked_is_there() {
        let tests = root().join("crates/p2p-ffi/tests/c_programs.rs");
        let tests = std::fs::read_to_string(tests).unwrap();
        for name in CHECKERS.iter().flat_map(|checker| checker.skip.iter().chain(checker.only)) {
            assert!(tests.contains(&format!("\nfn {name}")), "{name}");
        }
    }
}

//! What must not be named where: the core decides and touches nothing, and `unsafe` has one home.

use super::lexer::{code, lines_with, product_code};
use super::{File, Problem};

/// Names that the product code of a crate must not hold.
const BANNED: &[(&str, &[&str], &str)] = &[
    ("p2p-core", &["std::", "extern crate std"], "the core has no std"),
    ("p2p-core", &["HashMap", "HashSet"], "the order of a hash map is not the same twice"),
    (
        "p2p-core",
        &["Instant", "SystemTime", "tokio", "async fn", ".await"],
        "the core is given its time and waits for nothing",
    ),
    ("p2p-crypto", &["Instant", "SystemTime"], "time comes in as an argument"),
    (
        "p2p-crypto",
        &["std::fs", "std::io", "std::net::TcpStream", "UdpSocket", "tokio"],
        "p2p-crypto does no I/O",
    ),
    ("p2p-store", &["Instant", "SystemTime", "tokio"], "a store knows neither time nor tasks"),
];

/// Library crates: they log, they do not print.
const SILENT: &[&str] =
    &["p2p-core", "p2p-crypto", "p2p-store", "p2p-transport", "p2p-group", "p2p-ffi", "p2p-sim"];
const PRINTING: &[&str] = &["println!", "print!", "eprintln!", "eprint!"];

/// Where `unsafe` may stand: the C interface, and the proof that a host without std can be built.
const UNSAFE_HOMES: &[&str] = &["crates/p2p-ffi/", "xtask/nostd-proof/"];

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        if let Some(name) = file.source_of().filter(|_| !file.is_test()) {
            names(file, name, &mut problems);
        }
        if !UNSAFE_HOMES.iter().any(|home| file.path.starts_with(home)) {
            let found = lines_with(&code(&file.text), "unsafe");
            problems.extend(
                found.iter().map(|line| Problem::new(file, *line, "`unsafe` outside p2p-ffi")),
            );
            if is_crate_root(&file.path) && !file.text.contains("#![forbid(unsafe_code)]") {
                problems.push(Problem::new(file, 0, "must say #![forbid(unsafe_code)]"));
            }
        }
    }
    problems
}

fn names(file: &File, name: &str, problems: &mut Vec<Problem>) {
    let product = product_code(&file.text);
    let mut ban = |words: &[&str], why: &str| {
        for word in words {
            let found = lines_with(&product, word);
            problems.extend(
                found.iter().map(|line| Problem::new(file, *line, format!("`{word}`: {why}"))),
            );
        }
    };
    for (_, words, why) in BANNED.iter().filter(|row| row.0 == name) {
        ban(words, why);
    }
    if SILENT.contains(&name) {
        ban(PRINTING, "a library logs, it does not print");
    }
}

fn is_crate_root(path: &str) -> bool {
    let inside = path
        .strip_prefix("crates/")
        .and_then(|rest| rest.split_once('/'))
        .map_or(path, |parts| parts.1);
    matches!(inside, "src/lib.rs" | "src/main.rs" | "xtask/src/main.rs")
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&project(&[(path, text)])).len()
    }

    #[test]
    fn each_name_is_found_in_its_crate_and_nowhere_else() {
        for (name, words, _) in BANNED {
            for word in *words {
                assert!(
                    problems(&format!("crates/{name}/src/a.rs"), &format!("use {word};")) > 0,
                    "{name} {word}"
                );
            }
        }
        assert_eq!(problems("crates/p2p-transport/src/clock.rs", "use std::time::Instant;"), 0);
    }

    #[test]
    fn comments_strings_and_tests_of_the_core_may_name_what_they_like() {
        let text = "//! Not std::time::Instant.\nconst A: &str = \"HashMap\";\n#[cfg(test)]\nmod tests { use std::vec; }\n";
        assert_eq!(problems("crates/p2p-core/src/a.rs", text), 0);
    }

    #[test]
    fn unsafe_has_one_home() {
        let text = concat!("fn f() { uns", "afe { g() } }");
        assert_eq!(problems("crates/p2p-transport/src/a.rs", text), 1);
        assert_eq!(problems("crates/p2p-transport/tests/a.rs", text), 1);
        assert_eq!(problems("crates/p2p-ffi/src/a.rs", text), 0);
    }

    #[test]
    fn every_crate_root_forbids_unsafe_code() {
        assert_eq!(problems("crates/p2p-group/src/lib.rs", "//! A crate.\n"), 1);
        assert_eq!(problems("crates/p2p-group/src/lib.rs", "#![forbid(unsafe_code)]\n"), 0);
        assert_eq!(problems("crates/p2p-ffi/src/lib.rs", "//! A crate.\n"), 0);
    }
}

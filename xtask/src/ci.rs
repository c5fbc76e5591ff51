//! `cargo xtask ci`: all that must be green before a change lands.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::shell::{self, cargo, root};
use crate::{Outcome, coverage, demo, dist, model, nostd, release, sanitize, sim, test, tidy};

/// A step's name and what it does.
type Step = (&'static str, fn() -> Outcome);

const STEPS: &[Step] = &[
    ("test", || test::run(&[])),
    ("fmt", || shell::run(&mut cargo(&["fmt", "--all", "--check"]))),
    ("clippy", || {
        shell::run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    }),
    ("doc", || {
        shell::run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("model", model::slice),
    ("sim", sim::slice),
    ("coverage", || coverage::run(&[])),
    ("sanitize", sanitize::slice),
    ("nostd", || nostd::run(&[])),
    ("tidy", || tidy::run(&[])),
    ("release", release::quick),
    ("examples", || examples().and_then(|()| c_example())),
    // With the libraries of the step before it.
    ("dist", dist::slice),
    ("demo", || demo::run(&[])),
];

/// An example ends by itself within this.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(120);

/// Lines of an example's file, and of the driver after which others are written: whoever opens it reads it whole.
const EXAMPLE_LINES_MAX: usize = 199;
const DRIVER_LINES_MAX: usize = 149;
const DRIVER: &str = "crates/p2p-core/examples/driver/driver.rs";

/// Runs the steps in order. A step that fails does not stop the later ones: one run shows all that is wrong.
pub(crate) fn run(words: &[String]) -> Outcome {
    let mut failed = Vec::new();
    let mut report = String::new();
    for (name, step) in selected(words)? {
        println!("\n== {name}");
        let begun = Instant::now();
        let outcome = step();
        let seconds = begun.elapsed().as_secs_f32();
        report += &format!(
            "  {name:<9} {} {seconds:>6.1} s\n",
            if outcome.is_ok() { "ok    " } else { "FAILED" }
        );
        if let Err(why) = outcome {
            eprintln!("{name}: {why}");
            failed.push(name);
        }
    }
    println!("\n== ci\n{report}");
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// The steps that `--skip` and `--only` leave.
fn selected(words: &[String]) -> Result<Vec<Step>, String> {
    let usage = || "usage: cargo xtask ci [--skip STEP]... [--only STEP]...".to_owned();
    let (mut skip, mut only) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let list = match word.as_str() {
            "--skip" => &mut skip,
            "--only" => &mut only,
            _ => return Err(usage()),
        };
        let step = words.next().ok_or_else(usage)?;
        if !STEPS.iter().any(|row| row.0 == step) {
            return Err(format!("no step `{step}`"));
        }
        list.push(step.as_str());
    }
    let wanted = |name: &str| !skip.contains(&name) && (only.is_empty() || only.contains(&name));
    Ok(STEPS.iter().filter(|row| wanted(row.0)).copied().collect())
}

/// Runs every example of every crate: each must end by itself, without arguments, with success. One that reads from its
/// user cannot; it is built, and said to be.
fn examples() -> Outcome {
    // All at once, and the libraries for the C example with them: one choice of features, built once.
    shell::run(&mut cargo(&["build", "--workspace", "--lib", "--examples"]))?;
    let mut failed = long_examples(&root().join("crates"))?;
    for (example, source) in found_examples(&root().join("crates"))? {
        let text = fs::read_to_string(&source)
            .map_err(|error| format!("{}: {error}", source.display()))?;
        if text.contains("stdin()") {
            println!("{example} reads from its user: built, not run");
            continue;
        }
        let mut command = Command::new(root().join("target/debug/examples").join(&example));
        if let Err(why) = shell::run_within(&mut command, EXAMPLE_LIMIT) {
            eprintln!("{why}");
            failed.push(example);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("examples that failed: {}", failed.join(", ")))
    }
}

/// The files of examples that are too long to be read as one, with their lines.
fn long_examples(crates: &Path) -> Result<Vec<String>, String> {
    let mut folders: Vec<PathBuf> =
        names(crates)?.iter().map(|name| crates.join(name).join("examples")).collect();
    let mut long = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in names(&folder)?.iter().map(|name| folder.join(name)) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                long.extend(too_long(&path, text.lines().count()));
            }
        }
    }
    Ok(long)
}

fn too_long(path: &Path, lines: usize) -> Option<String> {
    let max = if path.ends_with(DRIVER) { DRIVER_LINES_MAX } else { EXAMPLE_LINES_MAX };
    (lines > max).then(|| format!("{} has {lines} lines, at most {max}", path.display()))
}

/// Builds and runs the C program that the README shows, against the shared library, in a home of its own.
fn c_example() -> Outcome {
    let (root, home) = (root(), root().join("target/c-example"));
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let libraries = root.join("target/debug");
    let mut compiler = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.current_dir(&root).args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"]);
    compiler.args(["-I", "crates/p2p-ffi/include", "docs/hello.c", "-o", "target/c-example/hello"]);
    compiler.arg("-L").arg(&libraries).arg("-lpeergroup");
    compiler.arg(format!("-Wl,-rpath,{}", libraries.display()));
    shell::run(&mut compiler)?;
    let mut program = Command::new(home.join("hello"));
    program.env("P2P_HOME", home.join("home")).env("P2P_LISTEN", "[::1]:0");
    shell::run_within(&mut program, EXAMPLE_LIMIT)
}

/// The examples' names and sources, sorted: `examples/name.rs` and `examples/name/main.rs`.
fn found_examples(crates: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let mut found = Vec::new();
    for package in names(crates)? {
        let folder = crates.join(&package).join("examples");
        for name in names(&folder)? {
            if let Some(example) = name.strip_suffix(".rs") {
                found.push((example.to_owned(), folder.join(&name)));
            } else if folder.join(&name).join("main.rs").is_file() {
                found.push((name.clone(), folder.join(&name).join("main.rs")));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The names in a folder; none if there is no such folder.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    entries
        .map(|entry| {
            Ok(entry.map_err(|error| error.to_string())?.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &[&str]) -> Vec<&'static str> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        selected(&words).unwrap().iter().map(|row| row.0).collect()
    }

    #[test]
    fn steps_are_left_out_and_picked_by_name() {
        assert_eq!(chosen(&[]).len(), STEPS.len());
        assert!(!chosen(&["--skip", "test"]).contains(&"test"));
        assert_eq!(chosen(&["--only", "tidy", "--only", "fmt"]), ["fmt", "tidy"]);
    }

    #[test]
    fn a_long_example_is_found_and_the_driver_is_to_be_shorter() {
        assert!(too_long(Path::new("a/examples/b.rs"), 200).is_some());
        assert!(too_long(Path::new("a/examples/b.rs"), 199).is_none());
        assert!(too_long(&Path::new("/work").join(DRIVER), 150).is_some());
        let found = found_examples(&root().join("crates")).unwrap();
        let mut names: Vec<&String> = found.iter().map(|example| &example.0).collect();
        names.dedup();
        assert_eq!(names.len(), found.len(), "two of one name are one program: {names:?}");
        assert!(found.len() >= 10, "{found:?}");
    }

    #[test]
    fn an_unknown_step_is_an_error_not_an_empty_run() {
        assert!(selected(&["--only".to_owned(), "tydi".to_owned()]).is_err());
        assert!(selected(&["--skip".to_owned()]).is_err());
    }
}

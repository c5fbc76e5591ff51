//! `cargo xtask tidy`, and the test of the same: what the project promises and no compiler checks.
//!
//! | check | promise |
//! | --- | --- |
//! | [`manifests`] | arrows between crates go one way; every dependency has its reason; the core has at most three |
//! | [`source`] | files and functions stay small; nothing unfinished; no stray space |
//! | [`purity`] | the core touches no clock, disk, network or hash map; `unsafe` stays behind the C interface |
//! | [`documents`] | links, anchors, and the files and tests that the documentation names exist |
//! | [`excerpts`] | code that a document shows stands in a file that is built |
//! | [`functions`] | every code of every C function has a test on its page, or a reason |
//! | [`figures`] | limits, frame types and codes in the protocol document are those of the code |

mod documents;
mod excerpts;
mod figures;
mod functions;
mod lexer;
mod manifests;
mod purity;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::shell::root;
use crate::{Outcome, contract};

/// A text file of the project.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
    /// A module that another file declares under `#[cfg(test)]`.
    is_test_module: bool,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_document(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Whether all of it is there for tests.
    fn is_test(&self) -> bool {
        self.is_test_module
            || self
                .path
                .split('/')
                .any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"))
    }

    /// The crate whose `src/` it lies in: `p2p-core` of `crates/p2p-core/src/io.rs`.
    fn source_of(&self) -> Option<&str> {
        let (name, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        rest.starts_with("src/").then_some(name)
    }
}

/// One broken promise.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    path: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    what: String,
}

impl Problem {
    fn new(file: &File, line: usize, what: impl Into<String>) -> Problem {
        Problem { path: file.path.clone(), line, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// The command.
pub(crate) fn run(words: &[String]) -> Outcome {
    if !words.is_empty() {
        return Err("takes no words".to_owned());
    }
    let files = read(&root())?;
    let problems = check(&files);
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => {
            println!("tidy: {} files", files.len());
            Ok(())
        }
        count => Err(format!("{count} to put right")),
    }
}

/// Everything that is wrong, by file and line.
fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for check in [
        manifests::check,
        source::check,
        purity::check,
        documents::check,
        excerpts::check,
        figures::check,
        functions::check,
    ] {
        problems.extend(check(files));
    }
    problems.sort();
    problems
}

/// Every text file of the project, without what is built or belongs to other tools.
fn read(root: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    collect(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    mark_test_modules(&mut files);
    Ok(files)
}

/// `#[cfg(test)] mod page;` in `refusal.rs` makes `refusal/page.rs`, and all below `refusal/page/`, a test.
fn mark_test_modules(files: &mut [File]) {
    let mut modules = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let stem = file.path.trim_end_matches(".rs");
        let parent = stem.rsplit_once('/').map_or("", |parts| parts.0);
        let is_root = ["lib", "main", "mod"].iter().any(|name| stem.ends_with(&format!("/{name}")));
        let base = if is_root { parent } else { stem };
        modules.extend(lexer::test_modules(&file.text).iter().map(|name| format!("{base}/{name}")));
    }
    for file in files {
        let is_module = |module: &String| {
            file.path
                .strip_prefix(module.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        file.is_test_module = modules.iter().any(is_module);
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [".git", "target", "node_modules"].contains(&name.as_str()) {
            continue;
        }
        let inside = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{inside}/"), files)?;
        } else if is_text(&inside) {
            let text = fs::read_to_string(&path).map_err(|error| format!("{inside}: {error}"))?;
            files.push(File { path: inside, text, is_test_module: false });
        }
    }
    Ok(())
}

fn is_text(path: &str) -> bool {
    let ending = path.rsplit(['/', '.']).next().unwrap_or_default();
    [".ci/run", contract::TABLE].contains(&path)
        || ["rs", "md", "toml", "c", "h", "cpp", "def", "sh", "py", "yml"].contains(&ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project of a few files.
    pub(super) fn project(files: &[(&str, &str)]) -> Vec<File> {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
            is_test_module: false,
        };
        let mut files: Vec<File> = files.iter().map(file).collect();
        mark_test_modules(&mut files);
        files
    }

    #[test]
    fn the_house_is_tidy() {
        let problems = check(&read(&root()).unwrap());
        let list: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert!(list.is_empty(), "{} to put right:\n{}", list.len(), list.join("\n"));
    }

    #[test]
    fn the_whole_project_is_read_and_nothing_built() {
        let files = read(&root()).unwrap();
        for path in [
            "xtask/src/main.rs",
            "crates/p2p-core/src/io.rs",
            ".ci/run",
            ".config/nextest.toml",
            "README.md",
        ] {
            assert!(files.iter().any(|file| file.path == path), "{path}");
        }
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }

    #[test]
    fn modules_declared_for_tests_are_tests() {
        let files = project(&[
            ("crates/x/src/lib.rs", "#[cfg(test)]\npub(crate) mod help;\nmod real;\n"),
            ("crates/x/src/help.rs", ""),
            ("crates/x/src/help/more.rs", ""),
            ("crates/x/src/helper.rs", "#[cfg(test)] mod page;"),
            ("crates/x/src/helper/page.rs", ""),
            ("crates/x/src/real.rs", ""),
        ]);
        let tests: Vec<bool> = files.iter().map(File::is_test).collect();
        assert_eq!(tests, [false, true, true, false, true, false]);
    }

    #[test]
    fn a_file_knows_its_crate_and_its_purpose() {
        let files =
            project(&[("crates/p2p-core/src/io.rs", ""), ("crates/p2p-core/tests/life.rs", "")]);
        assert_eq!(files[0].source_of(), Some("p2p-core"));
        assert!(files[1].source_of().is_none() && files[1].is_test() && !files[0].is_test());
    }
}

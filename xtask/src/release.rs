//! `cargo xtask release-check`: what must hold before crates are published.
//!
//! Some rows need a tool that not every machine has. Where it is missing, the row says so, and how to get it; what can be
//! checked without it is checked all the same.
//!
//! | row | without a tool | with it |
//! | --- | --- | --- |
//! | manifests | description, keywords, licence texts, docs.rs, a statement on versions in the README | |
//! | packages | what is in each package, and that all of them can be made | |
//! | features | every combination of features compiles | cargo-hack |
//! | licences | each dependency's licence is one of `deny.toml` | cargo-deny |
//! | bans | how many crates come in two versions | cargo-deny |
//! | advisories | | cargo-deny or cargo-audit |
//! | unused | | cargo-machete |
//! | external | which foreign types the public interface shows, from rustdoc's own data | |
//! | semver | | cargo-semver-checks, and a release to compare with |

mod features;
mod interface;
mod json;
mod licences;
mod manifests;
mod packages;
mod tools;

use crate::Outcome;
use crate::shell::root;

/// What a row has found out.
enum Finding {
    Passed(String),
    /// Why, and what would help.
    Skipped(String),
}

type Row = (&'static str, fn(&Options) -> Result<Finding, String>);

const ROWS: &[Row] = &[
    ("manifests", manifests::check),
    ("packages", packages::check),
    ("features", features::check),
    ("licences", licences::check),
    ("bans", tools::bans),
    ("advisories", tools::advisories),
    ("unused", tools::unused),
    ("external", interface::check),
    ("semver", tools::semver),
];

/// From the command line.
#[derive(Default)]
struct Options {
    only: Vec<String>,
    /// Packages are also built from what is in them.
    verify: bool,
    /// What the public interfaces are compared with; without it the last tag `v…`.
    baseline: Option<String>,
}

/// The command.
pub(crate) fn run(words: &[String]) -> Outcome {
    let options = options(words)?;
    let (mut failed, mut report) = (Vec::new(), String::new());
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|n| n == name);
    for (name, row) in ROWS.iter().filter(|row| wanted(row.0)) {
        println!("\n== {name}");
        let (mark, text) = match row(&options) {
            Ok(Finding::Passed(text)) => ("ok     ", text),
            Ok(Finding::Skipped(text)) => ("skipped", text),
            Err(why) => {
                failed.push(*name);
                ("FAILED ", why)
            }
        };
        println!("{text}");
        let first = text.lines().next().unwrap_or_default();
        report += &format!("  {name:<10} {mark}  {first}\n");
    }
    println!("\n== release-check\n{report}");
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// What CI runs: the rows that need no tool and little time.
pub(crate) fn quick() -> Outcome {
    let rows = ["manifests", "packages", "licences"];
    run(&rows.into_iter().flat_map(|row| ["--only".to_owned(), row.to_owned()]).collect::<Vec<_>>())
}

fn options(words: &[String]) -> Result<Options, String> {
    let usage = || {
        "usage: cargo xtask release-check [--only ROW]... [--verify] [--baseline REVISION]"
            .to_owned()
    };
    let (mut options, mut words) = (Options::default(), words.iter());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--verify" => options.verify = true,
            "--baseline" => options.baseline = Some(words.next().ok_or_else(usage)?.clone()),
            "--only" => {
                let name = words.next().ok_or_else(usage)?;
                if !ROWS.iter().any(|row| row.0 == name) {
                    return Err(format!("no row `{name}`"));
                }
                options.only.push(name.clone());
            }
            _ => return Err(usage()),
        }
    }
    Ok(options)
}

/// A crate that is published.
struct Published {
    name: String,
    manifest: String,
}

impl Published {
    /// A file of it, or nothing if there is none.
    fn read(&self, file: &str) -> String {
        let path = root().join("crates").join(&self.name).join(file);
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// The names of its features, without `default`.
    fn features(&self) -> Vec<String> {
        let lines = section(&self.manifest, "features").into_iter();
        let names = lines.filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()));
        names.filter(|name| name != "default").collect()
    }

    fn is_library(&self) -> bool {
        root().join("crates").join(&self.name).join("src/lib.rs").is_file()
    }
}

/// All crates that are published, in the order of their names.
fn published() -> Result<Vec<Published>, String> {
    let folder = root().join("crates");
    let entries = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        let name = name.to_string_lossy().into_owned();
        let path = folder.join(&name).join("Cargo.toml");
        let Ok(manifest) = std::fs::read_to_string(path) else { continue };
        if !section(&manifest, "package").contains(&"publish = false") {
            found.push(Published { name, manifest });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The lines of a table of a manifest, without comments and empty ones.
fn section<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let header = format!("[{name}]");
    let lines = manifest.lines().map(str::trim).skip_while(|line| *line != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn options_are_read_and_mistakes_are_said() {
        let read =
            options(&words(&["--only", "licences", "--verify", "--baseline", "v1"])).unwrap();
        assert_eq!((read.only, read.verify), (words(&["licences"]), true));
        assert_eq!(read.baseline.as_deref(), Some("v1"));
        for wrong in [&["--only"][..], &["--only", "licenses"], &["licences"], &["--baseline"]] {
            assert!(options(&words(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_not_published_is_left_out() {
        let names: Vec<String> = published().unwrap().into_iter().map(|one| one.name).collect();
        assert!(names.contains(&"p2p-core".to_owned()) && !names.contains(&"p2p-sim".to_owned()));
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let manifest =
            "[package]\nname = \"x\"\n\n[features]\n# Why.\ndefault = []\na = []\n[lints]\nb = 1\n";
        assert_eq!(section(manifest, "features"), ["default = []", "a = []"]);
        let one = Published { name: "x".to_owned(), manifest: manifest.to_owned() };
        assert_eq!(one.features(), ["a"]);
        assert!(section(manifest, "dependencies").is_empty());
    }
}

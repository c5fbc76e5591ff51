//! Rows that another program answers, where it is there.

use std::process::{Command, Output};

use super::{Finding, Options, published};
use crate::shell::{self, cargo, root, works};

/// Whether `cargo NAME` can be started.
pub(super) fn present(name: &str) -> bool {
    works(&mut tool(&[name, "--version"]))
}

/// A tool of cargo's, not knowing that a package's own program starts it: cargo-machete would take itself for that.
fn tool(words: &[&str]) -> Command {
    let mut command = cargo(words);
    command.env_remove("CARGO_PKG_NAME");
    command
}

fn missing(what: &str, tools: &[&str]) -> Finding {
    let ways: Vec<String> =
        tools.iter().map(|tool| format!("`cargo install --locked {tool}`")).collect();
    Finding::Skipped(format!("{what}: {}", ways.join(" or ")))
}

/// Banned crates, and such as come in two versions.
pub(super) fn bans(_: &Options) -> Result<Finding, String> {
    if present("deny") {
        shell::run(&mut cargo(&["deny", "check", "--hide-inclusion-graph", "bans"]))?;
        return Ok(Finding::Passed("nothing that is banned (cargo-deny)".to_owned()));
    }
    let mut tree = cargo(&["tree", "--duplicates", "--edges", "normal", "--depth", "0"]);
    let output = output(&mut tree)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut names: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    names.retain(|name| !name.is_empty());
    names.dedup();
    let found = format!("{} crates come in several versions: {}", names.len(), names.join(", "));
    Ok(missing(&format!("{found}; bans are checked by"), &["cargo-deny"]))
}

/// Known flaws of what we depend on.
pub(super) fn advisories(_: &Options) -> Result<Finding, String> {
    let mut command = match (present("deny"), present("audit")) {
        (true, _) => cargo(&["deny", "check", "advisories"]),
        (false, true) => cargo(&["audit"]),
        (false, false) => {
            return Ok(missing("advisories are read by", &["cargo-deny", "cargo-audit"]));
        }
    };
    let output = output(&mut command)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    print!("{}{said}", String::from_utf8_lossy(&output.stdout));
    match output.status.success() {
        true => Ok(Finding::Passed("no known flaw".to_owned())),
        // The list is a repository of its own, which has to be fetched.
        false if said.contains("failed to fetch") || said.contains("unable to acquire") => {
            Ok(Finding::Skipped(
                "the list of advisories could not be fetched: needs the network".to_owned(),
            ))
        }
        false => Err("see above".to_owned()),
    }
}

/// Dependencies that nothing uses.
pub(super) fn unused(_: &Options) -> Result<Finding, String> {
    if !present("machete") {
        return Ok(missing("unused dependencies are found by", &["cargo-machete"]));
    }
    // It looks for names: those outside of what is published have libraries with other names than their packages.
    shell::run(&mut tool(&["machete", "crates"]))?;
    Ok(Finding::Passed("every dependency of what is published is used (cargo-machete)".to_owned()))
}

/// Whether the public interfaces keep to what the version numbers promise.
pub(super) fn semver(options: &Options) -> Result<Finding, String> {
    if !present("semver-checks") {
        return Ok(missing("interfaces are compared by", &["cargo-semver-checks"]));
    }
    let Some(baseline) = options.baseline.clone().or_else(last_release) else {
        let text = "no release to compare with: no tag `v…`; --baseline REVISION names another";
        return Ok(Finding::Skipped(text.to_owned()));
    };
    let mut command = cargo(&["semver-checks", "--baseline-rev", &baseline]);
    for one in published()?.iter().filter(|one| one.is_library()) {
        command.args(["-p", &one.name]);
    }
    shell::run(&mut command)?;
    Ok(Finding::Passed(format!("compatible with {baseline}, as the versions say")))
}

fn last_release() -> Option<String> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["describe", "--tags", "--abbrev=0", "--match", "v*"]);
    let output = git.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn output(command: &mut Command) -> Result<Output, String> {
    command.output().map_err(|error| error.to_string())
}

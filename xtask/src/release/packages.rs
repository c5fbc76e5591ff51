//! What would be uploaded.

use std::fs;

use super::{Finding, Options, published};
use crate::shell::{self, cargo, root};

/// Largest file in a package.
const FILE_MAX: u64 = 128 << 10;
/// Most bytes in a package, unpacked.
const PACKAGE_MAX: u64 = 2 << 20;
/// What must be in all of them. Cargo adds `Cargo.toml` and `Cargo.lock` itself.
const NEEDED: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE"];

pub(super) fn check(options: &Options) -> Result<Finding, String> {
    let (crates, mut problems) = (published()?, Vec::new());
    for one in &crates {
        let list = listed(&one.name)?;
        let folder = root().join("crates").join(&one.name);
        // What cargo makes itself is not in the folder.
        let sizes: Vec<(&str, u64)> = list
            .iter()
            .map(|file| {
                (file.as_str(), fs::metadata(folder.join(file)).map_or(0, |data| data.len()))
            })
            .collect();
        let total: u64 = sizes.iter().map(|(_, size)| size).sum();
        println!("{:<14} {:>4} files {:>5} KiB", one.name, list.len(), total >> 10);
        problems.extend(problems_of(&one.name, &sizes));
    }
    if !problems.is_empty() {
        return Err(format!("{} to put right\n{}", problems.len(), problems.join("\n")));
    }
    // All at once: then those that are not on the registry yet are found among each other.
    let mut command = cargo(&["package", "--allow-dirty", "--quiet"]);
    for one in &crates {
        command.args(["-p", &one.name]);
    }
    if !options.verify {
        command.arg("--no-verify");
    }
    shell::run(&mut command)?;
    let how = if options.verify { "made, and built from what is in them" } else { "made" };
    Ok(Finding::Passed(format!("{} packages {how}", crates.len())))
}

/// The files of a package.
fn listed(name: &str) -> Result<Vec<String>, String> {
    let mut command = cargo(&["package", "--list", "--allow-dirty", "-p", name]);
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn problems_of(name: &str, files: &[(&str, u64)]) -> Vec<String> {
    let mut problems = Vec::new();
    for needed in NEEDED.iter().filter(|needed| !files.iter().any(|(file, _)| file == *needed)) {
        problems.push(format!("{name}: {needed} is not in the package"));
    }
    for (file, size) in files.iter().filter(|(_, size)| *size > FILE_MAX) {
        problems.push(format!("{name}: {file} has {} KiB", size >> 10));
    }
    let total: u64 = files.iter().map(|(_, size)| size).sum();
    if total > PACKAGE_MAX {
        problems.push(format!("{name}: {} KiB in all", total >> 10));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_too_large_is_found() {
        let mut files: Vec<(&str, u64)> = NEEDED.iter().map(|file| (*file, 1)).collect();
        assert!(problems_of("x", &files).is_empty());
        files.push(("tests/corpus.bin", FILE_MAX + 1));
        assert_eq!(problems_of("x", &files), ["x: tests/corpus.bin has 128 KiB"]);
        files.extend([("src/a.rs", FILE_MAX); 16]);
        assert_eq!(problems_of("x", &files).len(), 2);
        assert_eq!(problems_of("x", &[("Cargo.toml", 1)]).len(), 3);
    }
}

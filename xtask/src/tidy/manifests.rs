//! The arrows between crates, and the reasons for dependencies.

use super::{File, Problem};

/// What each crate may use of this project, in its product and in its tests. What stands higher in the house may use
/// all that stands below it; nothing may use what stands beside or above it, except that the store keeps keys and
/// therefore knows p2p-crypto.
const ARROWS: &[(&str, &[&str])] = &[
    ("p2p-core", &[]),
    ("p2p-crypto", &["p2p-core"]),
    ("p2p-store", &["p2p-core", "p2p-crypto"]),
    ("p2p-transport", &["p2p-core", "p2p-crypto", "p2p-store"]),
    ("p2p-group", &["p2p-core", "p2p-crypto", "p2p-store", "p2p-transport"]),
    ("p2p-ffi", &["p2p-core", "p2p-crypto", "p2p-store", "p2p-transport", "p2p-group"]),
    ("p2p-cli", &["p2p-core", "p2p-crypto", "p2p-store", "p2p-transport", "p2p-group"]),
    ("p2p-sim", &["p2p-core", "p2p-crypto"]),
    ("xtask", &[]),
];

const CORE_DEPENDENCIES_MAX: usize = 3;

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        let Some(name) = package(&file.text) else { continue };
        let dependencies = dependencies(&file.text);
        arrows(file, &name, &dependencies, &mut problems);
        for dependency in
            dependencies.iter().filter(|dependency| !dependency.is_ours() && !dependency.has_reason)
        {
            problems.push(Problem::new(
                file,
                dependency.line,
                format!("no reason given for `{}`", dependency.name),
            ));
        }
        let product = dependencies.iter().filter(|dependency| dependency.in_product).count();
        if name == "p2p-core" && product > CORE_DEPENDENCIES_MAX {
            problems.push(Problem::new(
                file,
                0,
                format!("{product} dependencies, at most {CORE_DEPENDENCIES_MAX}"),
            ));
        }
        if file.path.starts_with("crates/") {
            readme(file, files, &mut problems);
        }
    }
    problems
}

/// A crate that is not in the table (tests, benches, fuzz targets) may use any.
fn arrows(file: &File, name: &str, dependencies: &[Dependency], problems: &mut Vec<Problem>) {
    let Some((_, allowed)) = ARROWS.iter().find(|row| row.0 == name) else {
        if file.path.starts_with("crates/") {
            problems.push(Problem::new(
                file,
                0,
                format!("`{name}` has no place in the layers (xtask, tidy/manifests.rs)"),
            ));
        }
        return;
    };
    for dependency in dependencies.iter().filter(|dependency| dependency.is_ours()) {
        if !allowed.contains(&dependency.name.as_str()) {
            problems.push(Problem::new(
                file,
                dependency.line,
                format!("`{name}` must not use `{}`", dependency.name),
            ));
        }
    }
}

fn readme(manifest: &File, files: &[File], problems: &mut Vec<Problem>) {
    let path = manifest.path.replace("Cargo.toml", "README.md");
    if !files.iter().any(|file| file.path == path && file.text.lines().count() >= 10) {
        problems.push(Problem::new(
            manifest,
            0,
            "the crate needs a README.md that says what it is",
        ));
    }
}

/// One line of a dependency table.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    name: String,
    line: usize,
    /// Not only for tests or the build script.
    in_product: bool,
    /// A comment stands on its line, or above it in the same paragraph.
    has_reason: bool,
}

impl Dependency {
    fn is_ours(&self) -> bool {
        self.name.starts_with("p2p-") || self.name == "xtask"
    }
}

fn package(manifest: &str) -> Option<String> {
    let section = manifest.split("[package]").nth(1)?;
    let line = section.lines().find(|line| line.starts_with("name"))?;
    Some(line.split('"').nth(1)?.to_owned())
}

fn dependencies(manifest: &str) -> Vec<Dependency> {
    let (mut found, mut section, mut reason) = (Vec::new(), String::new(), false);
    for (n, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
            reason = false;
        } else if line.is_empty() {
            reason = false;
        } else if line.starts_with('#') {
            reason = true;
        } else if section.ends_with("dependencies") && section != "workspace.dependencies" {
            let Some((key, value)) = line.split_once('=') else { continue };
            let name =
                key.trim().split('.').next().unwrap_or_default().trim_matches('"').to_owned();
            let has_reason = reason || value.contains(" # ");
            let in_product = !section.contains("dev-") && !section.contains("build-");
            found.push(Dependency { name, line: n + 1, in_product, has_reason });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;
    use super::*;

    fn problems(name: &str, body: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{name}\"\n{body}");
        let (path, readme) =
            (format!("crates/{name}/Cargo.toml"), format!("crates/{name}/README.md"));
        let files = project(&[(&path, &manifest), (&readme, &"text\n".repeat(10))]);
        check(&files).into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn an_arrow_upwards_is_found_also_in_tests() {
        for table in ["dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"] {
            let found = problems("p2p-core", &format!("[{table}]\np2p-crypto.workspace = true\n"));
            assert_eq!(found, ["`p2p-core` must not use `p2p-crypto`"], "{table}");
        }
        assert!(
            problems("p2p-group", "[dependencies]\np2p-transport.workspace = true\n").is_empty()
        );
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert_eq!(problems("p2p-extra", "").len(), 1);
    }

    #[test]
    fn a_dependency_needs_a_reason_in_its_own_paragraph() {
        assert!(
            problems("p2p-group", "[dependencies]\n# Why.\na = \"1\"\nb.workspace = true\n")
                .is_empty()
        );
        assert!(problems("p2p-group", "[dependencies]\na = \"1\" # Why.\n").is_empty());
        assert_eq!(
            problems("p2p-group", "[dependencies]\n# Why.\na = \"1\"\n\nb = \"1\"\n"),
            ["no reason given for `b`"]
        );
    }

    #[test]
    fn the_core_stays_small() {
        let body = "[dependencies]\n# Why.\na = \"1\"\nb = \"1\"\nc = \"1\"\n[dev-dependencies]\n# Why.\nd = \"1\"\n";
        assert!(problems("p2p-core", body).is_empty());
        assert_eq!(
            problems("p2p-core", &body.replace("[dev-", "e = \"1\"\n[dev-")),
            ["4 dependencies, at most 3"]
        );
    }

    #[test]
    fn a_crate_without_a_readme_is_found() {
        let files = project(&[("crates/p2p-core/Cargo.toml", "[package]\nname = \"p2p-core\"\n")]);
        assert_eq!(check(&files).len(), 1);
    }
}

//! What lies beside the libraries: headers, files for pkg-config and CMake, documents and licences; and the archive of all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Plan, System, VERSION, create, elf, read, target_folder, write};
use crate::Outcome;
use crate::shell::{self, root};

/// Templates, from the project's root.
pub(super) const PACKAGING: &str = "crates/p2p-ffi/packaging";
const INCLUDE: &str = "crates/p2p-ffi/include";
/// What a reader without the sources gets, and under which name.
const DOCUMENTS: &[(&str, &str)] = &[
    ("crates/p2p-ffi/README.md", "README.md"),
    ("docs/from-windows.md", "from-windows.md"),
    ("docs/hello.c", "hello.c"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
];

/// Empties a folder that is ours.
pub(super) fn clear(folder: &Path) -> Outcome {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    create(folder)
}

/// Lays everything but the libraries into the tree.
pub(super) fn install(plan: &Plan) -> Outcome {
    let tree = plan.tree();
    copy_folder(&root().join(INCLUDE), &tree.join("include"))?;
    let documents = tree.join("share/doc/peergroup");
    create(&documents)?;
    for (from, to) in DOCUMENTS {
        copy(&root().join(from), &documents.join(to))?;
    }
    write(
        &documents.join("third-party.txt"),
        third_parties(&super::said(&mut crates_for(&plan.target))?),
    )?;
    let mut values = numbers(VERSION)?;
    values.push(("SYSTEM_LIBRARIES", elf::SYSTEM_LIBRARIES.join(" ")));
    values.push(("SONAME", elf::soname()));
    if plan.system == System::Windows {
        // Programs there link with -lp2p and need no more; of the rest nothing was tried.
        return Ok(());
    }
    create(&tree.join("lib/pkgconfig"))?;
    create(&tree.join("lib/cmake/peergroup"))?;
    for name in ["peergroup.pc", "peergroup-static.pc", "peergroup-windows.pc"] {
        fill(name, &tree.join("lib/pkgconfig").join(name), &values)?;
    }
    for name in ["peergroupConfig.cmake", "peergroupConfigVersion.cmake"] {
        fill(name, &tree.join("lib/cmake/peergroup").join(name), &values)?;
    }
    Ok(())
}

/// Packs the tree; where the archive lies. The same tree gives the same bytes.
pub(super) fn pack(plan: &Plan) -> Result<PathBuf, String> {
    let (folder, name) = (target_folder().join("dist"), plan.name());
    let archive = folder.join(format!("p2p-{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&folder).args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.args(["--mtime=@0", "--mode=go-w", "-I", "gzip -n9", "-cf"]).arg(&archive).arg(&name);
    shell::run(&mut tar)?;
    Ok(archive)
}

/// Unpacks the archive in a place that the tree was not made for; where.
pub(super) fn unpack(plan: &Plan, archive: &Path) -> Result<PathBuf, String> {
    let folder = plan.work().join("elsewhere");
    clear(&folder)?;
    shell::run(Command::new("tar").arg("-C").arg(&folder).arg("-xzf").arg(archive))?;
    Ok(folder.join(plan.name()))
}

/// The version and its parts, for templates.
pub(super) fn numbers(version: &str) -> Result<Vec<(&'static str, String)>, String> {
    let parts: Vec<&str> = version.split('.').collect();
    let [major, minor, patch] = parts[..] else {
        return Err(format!("{version}: three numbers are due"));
    };
    let parts = [("VERSION", version), ("MAJOR", major), ("MINOR", minor), ("PATCH", patch)];
    Ok(parts.map(|(name, value)| (name, value.to_owned())).to_vec())
}

/// A template with every `@NAME@` replaced. One that nothing replaces is an error.
pub(super) fn filled(template: &str, values: &[(&str, String)]) -> Result<String, String> {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    let left = text.split('@').skip(1).step_by(2).next();
    left.map_or(Ok(text.clone()), |name| Err(format!("nothing replaces @{name}@")))
}

fn fill(name: &str, to: &Path, values: &[(&str, String)]) -> Outcome {
    let template = read(&root().join(PACKAGING).join(format!("{name}.in")))?;
    write(to, filled(&template, values).map_err(|why| format!("{name}: {why}"))?)
}

/// Asks for every crate that is in the library for this system, with its licence.
fn crates_for(target: &str) -> Command {
    let mut tree =
        shell::cargo(&["tree", "-p", "p2p-ffi", "-e", "normal", "--prefix", "none", "--no-dedupe"]);
    tree.args(["-f", "{p} | {l}", "--target", target]);
    tree
}

/// Name, version and licence of each crate that is not ours, once.
fn third_parties(listing: &str) -> String {
    let mut rows: Vec<String> = listing
        .lines()
        // Ours lie in a folder, which is named behind the version.
        .filter(|line| !line.contains(" (/"))
        .map(|line| line.replace(" (proc-macro)", "").trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    rows.sort();
    rows.dedup();
    format!(
        "Crates in this library, each with its licence. Texts: https://crates.io\n\n{}\n",
        rows.join("\n")
    )
}

fn copy(from: &Path, to: &Path) -> Outcome {
    fs::copy(from, to).map(drop).map_err(|error| format!("{}: {error}", from.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Outcome {
    create(to)?;
    let entries = fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", from.display()))?.path();
        let name = path.file_name().ok_or("an entry without a name")?;
        match path.is_dir() {
            true => copy_folder(&path, &to.join(name))?,
            false => copy(&path, &to.join(name))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_asks_for_is_filled_in_or_is_an_error() {
        let values = numbers("1.2.3").unwrap();
        assert_eq!(filled("v@VERSION@ is @MAJOR@,@MINOR@", &values).unwrap(), "v1.2.3 is 1,2");
        assert!(filled("@NOBODY@", &values).unwrap_err().contains("@NOBODY@"));
        assert!(numbers("1.2").is_err());
    }

    #[test]
    fn every_template_can_be_filled() {
        let mut values = numbers(VERSION).unwrap();
        values.extend(["SYSTEM_LIBRARIES", "SONAME"].map(|name| (name, String::new())));
        let mut found = 0;
        for entry in fs::read_dir(root().join(PACKAGING)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "in") {
                filled(&read(&path).unwrap(), &values)
                    .unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                found += 1;
            }
        }
        assert!(found >= 6, "{found}");
    }

    #[test]
    fn what_only_windows_has_is_listed_there() {
        let list = |target| third_parties(&super::super::said(&mut crates_for(target)).unwrap());
        assert!(list("x86_64-pc-windows-gnu").contains("windows"));
        assert!(!list("x86_64-unknown-linux-gnu").contains("windows"));
    }

    #[test]
    fn others_are_listed_once_and_ours_not() {
        let listing = "p2p-ffi v0.1.0 (/somewhere/p2p) | MIT OR Apache-2.0\nring v0.17.14 | Apache-2.0 AND ISC\n\
                       derive v1.0.0 (proc-macro) | MIT\nring v0.17.14 | Apache-2.0 AND ISC\n";
        let text = third_parties(listing);
        assert_eq!(text.matches("ring v0.17.14 | Apache-2.0 AND ISC").count(), 1);
        assert!(text.contains("derive v1.0.0 | MIT") && !text.contains("p2p-ffi"), "{text}");
    }
}

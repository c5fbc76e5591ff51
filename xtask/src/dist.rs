//! `cargo xtask dist`: what a C programmer installs, as a folder and as an archive, and the proof that it can be used.
//!
//! | step | file |
//! | --- | --- |
//! | the library is built as a static archive of everything, in which nothing but the header's names stays global | [`elf`] |
//! | the shared library is linked from that archive, with a soname and versioned symbols | [`elf`] |
//! | on Windows: `p2p.dll` with its import library and the texts of its codes | [`windows`], [`messages`] |
//! | headers, pkg-config and CMake files, documents and licences are laid beside it, and packed | [`layout`] |
//! | the archive is unpacked elsewhere, and programs are built against it and run | [`consume`] |

mod consume;
mod elf;
mod header;
mod layout;
mod messages;
mod windows;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::shell::{self, cargo, root};

/// The one version of all crates.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What the stripped shared library may have.
const LIBRARY_MAX: u64 = 6 << 20;
/// The profile of what is shipped; the size counts there alone.
const PROFILE: &str = "dist";
const USAGE: &str = "usage: cargo xtask dist [--target TRIPLE] [--profile NAME]";

/// What is to be made, and where things lie.
struct Plan {
    target: String,
    /// Whether the target was named, which changes where cargo builds.
    named: bool,
    profile: String,
    system: System,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum System {
    Linux,
    Windows,
}

/// The command.
pub(crate) fn run(words: &[String]) -> Outcome {
    let plan = Plan::of(words, &host()?)?;
    make(&plan)
}

/// For CI: the libraries that its other steps have built anyway. Everything but the size is looked at; optimising all
/// crates as one would take longer than all other steps but the tests.
pub(crate) fn slice() -> Outcome {
    run(&["--profile".to_owned(), "dev".to_owned()])
}

fn make(plan: &Plan) -> Outcome {
    let functions = header::functions(&read(&root().join(header::PATH))?);
    let missing = match plan.system {
        System::Linux => elf::missing(plan, &host()?),
        System::Windows => windows::missing(&plan.target)?,
    };
    if !missing.is_empty() {
        return Err(format!("{} cannot be built here:\n  {}", plan.target, missing.join("\n  ")));
    }
    let built = build(plan)?;
    let tree = plan.tree();
    layout::clear(&tree)?;
    match plan.system {
        System::Linux => elf::install(plan, &built, &functions)?,
        System::Windows => windows::install(plan, &built, &functions)?,
    }
    layout::install(plan)?;
    let archive = layout::pack(plan)?;
    let unpacked = layout::unpack(plan, &archive)?;
    match plan.system {
        System::Linux => consume::linux(&unpacked)?,
        System::Windows => consume::windows(&unpacked)?,
    }
    println!("{} and {}", tree.display(), archive.display());
    Ok(())
}

impl Plan {
    fn of(words: &[String], host: &str) -> Result<Plan, String> {
        let (mut target, mut profile) = (None, PROFILE.to_owned());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or(USAGE)?.clone();
            match word.as_str() {
                "--target" => target = Some(value),
                "--profile" => profile = value,
                _ => return Err(USAGE.to_owned()),
            }
        }
        let (named, target) = (target.is_some(), target.unwrap_or_else(|| host.to_owned()));
        let system = if target.ends_with("-linux-gnu") {
            System::Linux
        } else if target == "x86_64-pc-windows-gnu" {
            System::Windows
        } else {
            return Err(format!(
                "{target}: what is installed there, and how, is known for Linux with glibc and for \
                 x86_64-pc-windows-gnu. `cargo build -p p2p-ffi --release` builds the library for any system"
            ));
        };
        Ok(Plan { target, named, profile, system })
    }

    /// `p2p-0.1.0-x86_64-unknown-linux-gnu` without the `p2p-`.
    fn name(&self) -> String {
        format!("{VERSION}-{}", self.target)
    }

    /// The folder that is to be installed.
    fn tree(&self) -> PathBuf {
        target_folder().join("dist").join(self.name())
    }

    /// Where files in between lie.
    fn work(&self) -> PathBuf {
        target_folder().join("dist/work").join(&self.target)
    }

    /// Whether this is what is shipped.
    fn is_shipped(&self) -> bool {
        self.profile == PROFILE
    }
}

/// Builds the static library; where it lies.
fn build(plan: &Plan) -> Result<PathBuf, String> {
    let mut command = if plan.profile == "dev" && !plan.named {
        // With the features of the whole workspace: as the tests and examples have it, so that nothing is built again.
        cargo(&["build", "--workspace", "--lib"])
    } else {
        // Alone: next to a Rust library, which may be linked further, nothing is optimised across crates.
        let words = ["rustc", "-p", "p2p-ffi", "--lib", "--crate-type", "staticlib", "--profile"];
        cargo(&words)
    };
    let mut folder = target_folder();
    if plan.profile != "dev" || plan.named {
        command.arg(&plan.profile);
    }
    if plan.named {
        command.args(["--target", &plan.target]);
        folder.push(&plan.target);
    }
    shell::run(&mut command)?;
    folder.push(if plan.profile == "dev" { "debug" } else { &plan.profile });
    Ok(folder.join("libpeergroup.a"))
}

/// Where cargo builds.
fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The compiler that cargo uses.
fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// The system that this runs on, as the compiler calls it.
fn host() -> Result<String, String> {
    let said = said(rustc().arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("rustc -vV names no host:\n{said}"))
}

/// The C compiler of this system.
fn cc() -> Command {
    Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
}

/// What a program writes; an error if it fails.
fn said(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, contents: impl AsRef<[u8]>) -> Outcome {
    fs::write(path, contents).map_err(|error| format!("{}: {error}", path.display()))
}

fn create(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Result<Plan, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Plan::of(&words, "x86_64-unknown-linux-gnu")
    }

    #[test]
    fn without_words_it_is_what_is_shipped_for_this_system() {
        let plan = plan(&[]).unwrap();
        assert!(plan.is_shipped() && !plan.named && plan.system == System::Linux);
        assert!(plan.tree().ends_with(format!("dist/{VERSION}-x86_64-unknown-linux-gnu")));
    }

    #[test]
    fn an_unknown_system_is_named_and_told_what_works() {
        let why = plan(&["--target", "aarch64-apple-darwin"]).err().unwrap();
        assert!(why.contains("aarch64-apple-darwin") && why.contains("cargo build"), "{why}");
    }

    #[test]
    fn a_word_that_says_nothing_is_refused() {
        assert_eq!(plan(&["--target"]).err().unwrap(), USAGE);
        assert_eq!(plan(&["--fast", "yes"]).err().unwrap(), USAGE);
    }
}

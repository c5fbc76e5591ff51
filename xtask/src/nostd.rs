//! `cargo xtask nostd`: p2p-core links without std.
//!
//! A `#![no_std]` static library with its own panic handler and allocator uses the core (`xtask/nostd-proof/lib.rs`).
//! If any crate below it pulled std in, the compiler would find two panic handlers and stop. So that this is no empty
//! promise, the same library is built once more with std in its tree, and that build has to fail for that very reason.

use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::shell::{self, cargo, root};

const MANIFEST: &str = r#"[package]
name = "nostd-proof"
version = "0.0.0"
edition = "2024"
publish = false

[lib]
crate-type = ["staticlib"]

[features]
with-std = []

[dependencies]
p2p-core = { path = "../../crates/p2p-core", default-features = false }
bytes = { version = "1", default-features = false }

[profile.dev]
panic = "abort"

[workspace]
"#;

/// What the compiler says about two panic handlers.
const TWO_HANDLERS: &str = "duplicate lang item `panic_impl`";

/// Builds the proof, then its counter-proof.
pub(crate) fn run(words: &[String]) -> Outcome {
    if !words.is_empty() {
        return Err("takes no words".to_owned());
    }
    // Outside the workspace, so that no other crate's choice of features reaches the core's dependencies.
    let folder = root().join("target/nostd-proof");
    write(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let manifest = folder.join("Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let build =
        ["build", "--manifest-path", &manifest, "--target-dir", "target/nostd-proof/target"];
    shell::run(&mut cargo(&build))?;

    let mut counter = cargo(&build);
    counter.args(["--features", "with-std", "--color", "never"]);
    let output = counter.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !said.contains(TWO_HANDLERS) {
        return Err(format!(
            "with std in the tree the build should fail with \"{TWO_HANDLERS}\", but:\n{said}"
        ));
    }
    println!("p2p-core links without std; with std in the tree the same library does not build");
    Ok(())
}

/// The little crate, with the versions of the project's own lock file.
fn write(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), MANIFEST)?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    fs::write(folder.join("src/lib.rs"), include_str!("../nostd-proof/lib.rs"))
}

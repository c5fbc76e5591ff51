//! Whether the tree can be used: programs are built against it as a programmer would, and run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{cc, create, layout, said, windows, write};
use crate::Outcome;
use crate::shell::{self, root, works};

/// A program written for this library, and one written for Windows.
const HELLO: &str = "docs/hello.c";
const PORT: &str = "crates/p2p-ffi/ports/whisper.c";
/// A program ends by itself within this.
const LIMIT: Duration = Duration::from_secs(120);

/// With pkg-config and with CMake, each where it is present: the shared and the static library, and a program for Windows.
pub(super) fn linux(tree: &Path) -> Outcome {
    let folder = tree.with_file_name("programs");
    create(&folder)?;
    if works(Command::new("pkg-config").arg("--version")) {
        with_pkg_config(tree, &folder, HELLO, "shared", &["peergroup"])?;
        with_pkg_config(tree, &folder, HELLO, "static", &["peergroup-static"])?;
        with_pkg_config(tree, &folder, PORT, "port", &["peergroup", "peergroup-windows"])?;
    } else {
        println!("skipped: pkg-config is not here (Debian: pkg-config), so its file was not tried");
    }
    if works(Command::new("cmake").arg("--version")) {
        with_cmake(tree, &folder.join("cmake"))
    } else {
        println!("skipped: cmake is not here (Debian: cmake), so its package was not tried");
        Ok(())
    }
}

fn with_pkg_config(
    tree: &Path,
    folder: &Path,
    source: &str,
    name: &str,
    modules: &[&str],
) -> Outcome {
    let mut asked = Command::new("pkg-config");
    asked
        .env("PKG_CONFIG_PATH", tree.join("lib/pkgconfig"))
        .args(["--cflags", "--libs"])
        .args(modules);
    let flags = said(&mut asked)?;
    let program = folder.join(name);
    let mut compiler = cc();
    compiler.args(["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program);
    compiler.arg(root().join(source)).args(flags.split_whitespace());
    compiler.arg(format!("-Wl,-rpath,{}", tree.join("lib").display()));
    shell::run(&mut compiler)?;
    tried(&program, name)
}

fn with_cmake(tree: &Path, folder: &Path) -> Outcome {
    let source = folder.join("source");
    create(&source)?;
    let lists = super::read(&root().join(layout::PACKAGING).join("consumer/CMakeLists.txt"))?;
    write(&source.join("CMakeLists.txt"), lists)?;
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(&source).arg("-B").arg(folder);
    configure.arg(format!("-DCMAKE_PREFIX_PATH={}", tree.display()));
    configure.arg(format!("-DHELLO={}", root().join(HELLO).display()));
    shell::run(configure.arg(format!("-DPORT={}", root().join(PORT).display())))?;
    shell::run(Command::new("cmake").arg("--build").arg(folder))?;
    ["shared", "static", "port"].iter().try_for_each(|name| tried(&folder.join(name), name))
}

/// Runs a program, and sees that it takes the shared library where it should and only there.
fn tried(program: &Path, name: &str) -> Outcome {
    let needed = said(Command::new("readelf").arg("-dW").arg(program))?;
    let shared = needed.contains(&format!("[{}]", super::elf::soname()));
    if shared == (name == "static") {
        return Err(format!("{}: linked as it should not be:\n{needed}", program.display()));
    }
    let mut command = Command::new(program);
    run_at_home(&mut command, program)
}

/// Runs it in a home of its own, on a free port.
fn run_at_home(command: &mut Command, program: &Path) -> Outcome {
    let home = program.with_extension("home");
    layout::clear(&home)?;
    command.env("P2P_HOME", &home).env("P2P_LISTEN", "[::1]:0").env_remove("LD_LIBRARY_PATH");
    shell::run_within(command, LIMIT)
}

/// With mingw-w64's own headers, not ours: linked with the import library, and run where Wine is present.
pub(super) fn windows(tree: &Path) -> Outcome {
    let folder = tree.with_file_name("programs");
    create(&folder)?;
    let library = folder.join("p2p.dll");
    std::fs::copy(tree.join("bin/p2p.dll"), &library).map_err(|error| error.to_string())?;
    let port = folder.join("whisper.exe");
    for_windows(&port, PORT, &["-municode", "-L", &tree.join("lib").to_string_lossy(), "-lp2p"])?;
    let imports = said(windows::tool("objdump").arg("-p").arg(&port))?;
    if !imports.contains("DLL Name: p2p.dll") {
        return Err(format!("{} does not import p2p.dll", port.display()));
    }
    let messages = folder.join("messages.exe");
    for_windows(&messages, &format!("{}/consumer/messages.c", layout::PACKAGING), &[])?;
    let Some(wine) = wine(&folder) else {
        println!(
            "skipped: wine is not here (Debian: wine64, wine), so the programs were linked and not run"
        );
        return Ok(());
    };
    old_wine(&folder)?;
    for program in [&messages, &port] {
        let mut command = Command::new(&wine);
        command.arg(program).env("WINEPREFIX", folder.join("wine")).env("WINEDEBUG", "-all");
        run_at_home(&mut command, program)?;
    }
    Ok(())
}

fn for_windows(program: &Path, source: &str, further: &[&str]) -> Outcome {
    let mut compiler = windows::tool("gcc");
    // With the formats of Windows, where %s of a wide one is wide: mingw-w64 would follow the standard.
    compiler.args(["-std=c11", "-D__USE_MINGW_ANSI_STDIO=0", "-Wall", "-Wextra", "-Werror"]);
    compiler.arg("-o").arg(program);
    shell::run(compiler.arg(root().join(source)).args(further))
}

/// How Wine is called here, if it is.
fn wine(folder: &Path) -> Option<PathBuf> {
    let prefix = folder.join("wine");
    let there =
        |name: &&&str| works(Command::new(name).arg("--version").env("WINEPREFIX", &prefix));
    ["wine", "wine64"].iter().find(there).map(PathBuf::from)
}

/// Wine before 9 lacks a library that Rust's standard library takes its random numbers from: made here out of another.
fn old_wine(folder: &Path) -> Outcome {
    let source = root().join(layout::PACKAGING).join("consumer/bcryptprimitives.c");
    let mut compiler = windows::tool("gcc");
    compiler.args(["-shared", "-o"]).arg(folder.join("bcryptprimitives.dll")).arg(source);
    shell::run(compiler.arg("-ladvapi32"))
}

//! `p2p.dll` for x86_64-pc-windows-gnu, with the names that programs import, its import library and the texts of its codes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Plan, VERSION, create, header, layout, messages, read, rustc, said, write};
use crate::Outcome;
use crate::shell::{self, root, works};

/// How the tools of mingw-w64 begin.
pub(super) const TOOLS: &str = "x86_64-w64-mingw32-";
/// What the library needs of the system.
const SYSTEM_LIBRARIES: &[&str] = &[
    "-lws2_32",
    "-liphlpapi",
    "-luserenv",
    "-lntdll",
    "-lbcrypt",
    "-lole32",
    "-lshell32",
    "-ladvapi32",
    "-lkernel32",
];

/// A program of mingw-w64.
pub(super) fn tool(name: &str) -> Command {
    Command::new(format!("{TOOLS}{name}"))
}

/// What stands in the way of a build, each with what helps.
pub(super) fn missing(target: &str) -> Result<Vec<String>, String> {
    let folder = said(rustc().args(["--print", "target-libdir", "--target", target]))?;
    let has_std = fs::read_dir(folder.trim()).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    });
    Ok(absent(target, has_std, |name| works(tool(name).arg("--version"))))
}

/// The same, told what is here.
fn absent(target: &str, has_std: bool, has: impl Fn(&str) -> bool) -> Vec<String> {
    let mut missing = Vec::new();
    if !has_std {
        missing.push(format!("Rust's standard library for it: `rustup target add {target}`"));
    }
    for (name, package) in [
        ("gcc", "gcc-mingw-w64-x86-64"),
        ("dlltool", "binutils-mingw-w64-x86-64"),
        ("windres", "binutils-mingw-w64-x86-64"),
        ("objdump", "binutils-mingw-w64-x86-64"),
    ] {
        if !has(name) {
            missing.push(format!("`{TOOLS}{name}` (Debian: {package})"));
        }
    }
    missing
}

/// Makes the library from the archive that cargo built, and looks at what it exports.
pub(super) fn install(plan: &Plan, built: &Path, functions: &BTreeSet<String>) -> Outcome {
    let (work, tree) = (plan.work(), plan.tree());
    layout::clear(&work)?;
    create(&tree.join("bin"))?;
    create(&tree.join("lib"))?;
    let definition = tree.join("lib/p2p.def");
    write(&definition, exports(functions))?;
    let resource = resource(&work)?;

    let library = tree.join("bin/p2p.dll");
    let mut linker = tool("gcc");
    linker.args(["-shared", "-static-libgcc", "-o"]).arg(&library);
    // Asked for by name: to be exported alone does not take a function out of the archive.
    linker.args(functions.iter().map(|name| format!("-Wl,-u,{name}")));
    linker.arg(&definition).arg(&resource).arg(built);
    linker.args(["-Wl,--gc-sections", "-Wl,-s", "-Wl,--nxcompat", "-Wl,--dynamicbase"]);
    shell::run(linker.args(SYSTEM_LIBRARIES))?;
    let mut dlltool = tool("dlltool");
    // Named like mingw-w64's own, so that -lp2p finds it first.
    dlltool.arg("-d").arg(&definition).arg("-l").arg(tree.join("lib/libp2p.a"));
    shell::run(&mut dlltool)?;
    let archive = tree.join("lib/libpeergroup.a");
    fs::copy(built, &archive).map_err(|error| format!("{}: {error}", archive.display()))?;
    shell::run(tool("strip").arg("--strip-debug").arg(&archive))?;

    let listing = said(tool("objdump").arg("-p").arg(&library))?;
    header::compare(functions, &exported(&listing), "p2p.dll")?;
    let size = fs::metadata(&library).map_err(|error| error.to_string())?.len();
    println!("p2p.dll: {size} bytes, profile {}", plan.profile);
    Ok(())
}

/// The module definition: names as programs import them, which on x86_64 are those of the header.
fn exports(functions: &BTreeSet<String>) -> String {
    let names: String = functions.iter().map(|name| format!("    {name}\n")).collect();
    format!("; The functions that p2p.h declares.\nLIBRARY \"p2p.dll\"\nEXPORTS\n{names}")
}

/// The texts of the codes and the version, as an object.
fn resource(work: &Path) -> Result<std::path::PathBuf, String> {
    let codes = read(&root().join(messages::SOURCE))?;
    write(&work.join("messages.bin"), messages::table(&codes)?)?;
    let template = read(&root().join(layout::PACKAGING).join("p2p.rc.in"))?;
    write(&work.join("p2p.rc"), layout::filled(&template, &layout::numbers(VERSION)?)?)?;
    let object = work.join("resource.o");
    shell::run(
        tool("windres").current_dir(work).args(["p2p.rc", "-O", "coff", "-o"]).arg(&object),
    )?;
    Ok(object)
}

/// The names in the export table, as `objdump -p` lists them.
fn exported(listing: &str) -> BTreeSet<String> {
    let table = listing.split("[Ordinal/Name Pointer] Table").nth(1).unwrap_or_default();
    let rows = table.lines().skip(1).map(str::trim).take_while(|line| line.starts_with('['));
    rows.filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "x86_64-pc-windows-gnu";

    #[test]
    fn what_is_missing_is_said_with_what_helps() {
        let all = absent(TARGET, false, |_| false);
        assert_eq!(all.len(), 5);
        assert!(all[0].contains("rustup target add x86_64-pc-windows-gnu"), "{all:?}");
        assert!(
            all[1].contains("x86_64-w64-mingw32-gcc") && all[1].contains("gcc-mingw-w64-x86-64")
        );
        let one = absent(TARGET, true, |name| name != "windres");
        assert!(one.len() == 1 && one[0].contains("windres"), "{one:?}");
        assert_eq!(absent(TARGET, true, |_| true), Vec::<String>::new());
    }

    #[test]
    fn the_definition_names_the_library_and_every_function() {
        let names = ["PeerA", "PeerB"].map(str::to_owned).into();
        let text = exports(&names);
        assert!(text.contains("LIBRARY \"p2p.dll\"\nEXPORTS\n    PeerA\n    PeerB\n"), "{text}");
    }

    #[test]
    fn exports_are_read_from_both_forms_of_the_listing() {
        let old = "[Ordinal/Name Pointer] Table\n\t[   0] P2PCloseEvent\n\t[   1] PeerA\n\nThe Function Table\n";
        let new = "[Ordinal/Name Pointer] Table -- Ordinal Base 1\n\t[   0] +base[   1]  0000 P2PCloseEvent\n\
                   \t[   1] +base[   2]  0001 PeerA\n\n[ 9] none\n";
        for listing in [old, new] {
            assert_eq!(
                exported(listing).into_iter().collect::<Vec<_>>(),
                ["P2PCloseEvent", "PeerA"]
            );
        }
    }
}

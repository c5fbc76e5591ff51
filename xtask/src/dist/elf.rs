//! The libraries for Linux: one object of everything in which only the header's functions are global, as an archive and
//! as a shared library.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::{LIBRARY_MAX, Plan, VERSION, cc, create, header, layout, said, write};
use crate::Outcome;
use crate::shell::{self, works};

/// Raised when a program that was linked before would not run any more.
const ABI: u32 = 0;
/// What the libraries need of the system, as glibc before 2.34 divides it.
pub(super) const SYSTEM_LIBRARIES: &[&str] = &["-lpthread", "-ldl", "-lm"];
/// The programs that are needed, beside a C compiler, and what they are asked to show that they are there.
const TOOLS: &[&str] = &["ld", "objcopy", "nm", "ar", "readelf"];

/// The name that programs remember.
pub(super) fn soname() -> String {
    format!("libpeergroup.so.{ABI}")
}

/// What stands in the way of a build.
pub(super) fn missing(plan: &Plan, host: &str) -> Vec<String> {
    let mut missing = Vec::new();
    if plan.target != host {
        missing.push(format!("for Linux this builds only where it runs, which is {host}"));
    }
    for tool in TOOLS.iter().filter(|tool| !works(Command::new(tool).arg("--version"))) {
        missing.push(format!("`{tool}` (Debian: binutils)"));
    }
    if !works(cc().arg("--version")) {
        missing.push("a C compiler, `cc` or what CC names (Debian: gcc)".to_owned());
    }
    missing
}

/// Makes both libraries from the archive that cargo built, and looks at what they show.
pub(super) fn install(plan: &Plan, built: &Path, functions: &BTreeSet<String>) -> Outcome {
    let (work, lib) = (plan.work(), plan.tree().join("lib"));
    layout::clear(&work)?;
    create(&lib)?;
    let object = work.join("peergroup.o");
    one_object(built, &object, functions, &work)?;
    let archive = lib.join("libpeergroup.a");
    shell::run(Command::new("ar").arg("rcsD").arg(&archive).arg(&object))?;
    header::compare(functions, &symbols(&archive, &[])?, "libpeergroup.a")?;

    let library = lib.join(format!("libpeergroup.so.{VERSION}"));
    link(&object, &library, functions, &work)?;
    for (name, to) in
        [(soname(), format!("libpeergroup.so.{VERSION}")), ("libpeergroup.so".to_owned(), soname())]
    {
        symlink(to, lib.join(&name)).map_err(|error| format!("{name}: {error}"))?;
    }
    check_library(&library, functions)?;
    check_size(plan, &library)
}

/// Links the members of an archive into one object, and makes local what the header does not declare: a program may
/// then have another library written in Rust, or its own copy of what is in here.
fn one_object(built: &Path, object: &Path, functions: &BTreeSet<String>, work: &Path) -> Outcome {
    let names = work.join("names");
    write(&names, functions.iter().map(|name| format!("{name}\n")).collect::<String>())?;
    let mut linker = Command::new("ld");
    // Groups are resolved here: a group with a local name would be taken for the program's own of that name.
    linker
        .args(["-r", "--force-group-allocation", "--whole-archive"])
        .arg(built)
        .arg("-o")
        .arg(object);
    shell::run(&mut linker)?;
    let mut objcopy = Command::new("objcopy");
    // The standard library carries its bitcode for optimising across crates, which is done.
    objcopy.args(["--strip-debug", "--remove-section=.llvmbc", "--remove-section=.llvmcmd"]);
    shell::run(objcopy.arg(format!("--keep-global-symbols={}", names.display())).arg(object))
}

/// Links the shared library. The symbols' version is the soname's, so that a later one can stand beside it.
fn link(object: &Path, library: &Path, functions: &BTreeSet<String>, work: &Path) -> Outcome {
    let script = work.join("peergroup.map");
    let names: String = functions.iter().map(|name| format!("        {name};\n")).collect();
    write(
        &script,
        format!("PEERGROUP_{ABI} {{\n    global:\n{names}    local:\n        *;\n}};\n"),
    )?;
    let mut linker = cc();
    linker.args(["-shared", "-o"]).arg(library).arg(object);
    linker.arg(format!("-Wl,-soname,{}", soname()));
    linker.arg(format!("-Wl,--version-script={}", script.display()));
    linker.args(["-Wl,--gc-sections", "-Wl,--no-undefined", "-Wl,--as-needed", "-Wl,-s"]);
    linker.args(["-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--eh-frame-hdr", "-lgcc_s"]);
    shell::run(linker.args(SYSTEM_LIBRARIES))
}

/// The global symbols that a file defines.
fn symbols(file: &Path, how: &[&str]) -> Result<BTreeSet<String>, String> {
    let listing = said(Command::new("nm").args(["-g", "--defined-only"]).args(how).arg(file))?;
    Ok(defined(&listing))
}

/// The symbols in a listing by `nm`, without their versions and without the version's own.
fn defined(listing: &str) -> BTreeSet<String> {
    let rows = listing.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "A", _] => None,
            [_, _, name] => name.split('@').next(),
            _ => None,
        }
    });
    rows.map(str::to_owned).collect()
}

/// Exports, soname, and that nothing of it is writable and executable.
fn check_library(library: &Path, functions: &BTreeSet<String>) -> Outcome {
    header::compare(functions, &symbols(library, &["-D"])?, "libpeergroup.so")?;
    let dynamic = said(Command::new("readelf").args(["-dW"]).arg(library))?;
    let has = |what: &str| dynamic.lines().any(|line| line.contains(what));
    if !has(&format!("[{}]", soname())) {
        return Err(format!("{} is not the soname:\n{dynamic}", soname()));
    }
    if has("(TEXTREL)") {
        return Err("the shared library needs writable code".to_owned());
    }
    let segments = said(Command::new("readelf").args(["-lW"]).arg(library))?;
    if segments.lines().any(|line| line.contains(" RWE ")) {
        return Err(format!("something of it is writable and executable:\n{segments}"));
    }
    Ok(())
}

fn check_size(plan: &Plan, library: &Path) -> Outcome {
    let size = fs::metadata(library).map_err(|error| error.to_string())?.len();
    let mib = size as f64 / f64::from(1 << 20);
    println!("libpeergroup.so: {size} bytes, {mib:.2} MiB, profile {}", plan.profile);
    if plan.is_shipped() && size >= LIBRARY_MAX {
        return Err(format!("libpeergroup.so has {mib:.2} MiB; {} are allowed", LIBRARY_MAX >> 20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_without_versions_and_the_versions_own_is_none() {
        let listing = "0000000000000000 A PEERGROUP_0\n0000000000112a30 T PeerA@@PEERGROUP_0\n\
                       0000000000112a40 D other\n\nlibpeergroup.a(peergroup.o):\n";
        assert_eq!(defined(listing).into_iter().collect::<Vec<_>>(), ["PeerA", "other"]);
    }

    /// What the check is there for: a symbol that slipped out of the library.
    #[test]
    fn a_library_with_a_further_symbol_is_refused() {
        if !works(cc().arg("--version")) || !cfg!(target_os = "linux") {
            eprintln!("skipped: there is no C compiler for Linux here");
            return;
        }
        let folder = std::env::temp_dir().join(format!("p2p-dist-{}", std::process::id()));
        create(&folder).unwrap();
        let (source, library) = (folder.join("stray.c"), folder.join("libpeergroup.so"));
        write(&source, "int PeerA(void) { return 0; }\nint stray(void) { return 0; }\n").unwrap();
        let mut linker = cc();
        linker.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
        shell::run(linker.arg(format!("-Wl,-soname,{}", soname()))).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let why = check_library(&library, &names(&["PeerA"])).unwrap_err();
        assert!(why.contains("stray"), "{why}");
        check_library(&library, &names(&["PeerA", "stray"])).unwrap();
        // Memory that may be written and run, be it the stack.
        let mut linker = cc();
        linker.args(["-shared", "-fPIC", "-Wl,-z,execstack", "-o"]).arg(&library).arg(&source);
        shell::run(linker.arg(format!("-Wl,-soname,{}", soname()))).unwrap();
        let why = check_library(&library, &names(&["PeerA", "stray"])).unwrap_err();
        assert!(why.contains("writable and executable"), "{why}");
        fs::remove_dir_all(folder).unwrap();
    }
}

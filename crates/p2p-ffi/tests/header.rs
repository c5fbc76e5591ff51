//! The header against the library: it compiles as what it claims to be, declares exactly what is exported, and has every
//! code with its value.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEADER: &str = include_str!("../include/p2p.h");

fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// A program of another language standard that includes the header and uses what macros and inline values it has.
const PROGRAM: &str = "#include \"p2p.h\"
#include \"p2p.h\"
int check(HRESULT code);
int check(HRESULT code) {
    GUID role = PEER_GROUP_ROLE_MEMBER;
    PEER_GROUP_EVENT_DATA event;
    event.eventType = PEER_GROUP_EVENT_DIRECT_CONNECTION;
    event.connectionChangeData.status = PEER_CONNECTED;
    switch (code) {
    case PEER_E_CONNECTION_NOT_FOUND: return role.Data1 == PEER_GROUP_ROLE_ADMIN.Data1;
    case HRESULT_FROM_WIN32(ERROR_DELETE_PENDING): return event.connectionChangeData.status == PEER_CONNECTED;
    default: return SUCCEEDED(code) || FAILED(PeerGroupShutdown());
    }
}
";

fn compiles(compiler: &str, suffix: &str, flags: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("check").with_extension(suffix);
    std::fs::write(&source, PROGRAM).unwrap();
    let output = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-c"])
        .args(flags)
        .arg("-I")
        .arg(include())
        .arg(&source)
        .arg("-o")
        .arg(folder.path().join("check.o"))
        .output()
        .unwrap_or_else(|error| panic!("{compiler} is needed to check the header: {error}"));
    assert!(output.status.success(), "{flags:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_header_is_clean_c99_and_later() {
    for standard in ["-std=c99", "-std=c11", "-std=c17"] {
        compiles("cc", "c", &[standard]);
    }
}

#[test]
fn the_header_knows_short_wide_characters() {
    compiles("cc", "c", &["-std=c99", "-fshort-wchar"]);
}

#[test]
fn the_header_is_clean_cxx11_and_later() {
    if Command::new("c++").arg("--version").output().is_err() {
        eprintln!("skipped: there is no c++ here");
        return;
    }
    for standard in ["-std=c++11", "-std=c++17"] {
        compiles("c++", "cc", &[standard]);
    }
}

/// Names of the functions that the header declares.
fn declared() -> BTreeSet<&'static str> {
    let functions = HEADER.lines().filter(|line| line.contains(" WINAPI ") && line.contains('('));
    functions.map(|line| line.split('(').next().unwrap().rsplit(' ').next().unwrap()).collect()
}

#[test]
fn the_library_exports_what_the_header_declares_and_nothing_else() {
    let library = std::env::current_exe().unwrap().with_file_name("libpeergroup.so");
    if cfg!(not(target_os = "linux")) {
        eprintln!("skipped: symbols are listed as Linux lists them");
        return;
    }
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(&library)
        .output()
        .expect("nm is needed");
    let listing = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<&str> =
        listing.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(exported, declared());
}

#[test]
fn the_header_has_every_code_with_its_value() {
    let mut found = 0;
    for code in p2p_group::Code::all() {
        let name = code.name().unwrap();
        // As on Windows, ERROR_* are the bare numbers, and functions return HRESULT_FROM_WIN32 of them.
        let value = match name.strip_prefix("ERROR_") {
            Some(_) => (code.0 & 0xffff).to_string(),
            None => format!("((HRESULT)0x{:08X})", code.0),
        };
        let defined =
            |line: &&str| line.split_whitespace().collect::<Vec<_>>() == ["#define", name, &value];
        let known =
            name.starts_with("ERROR_INVALID_HANDLE") || HEADER.lines().filter(defined).count() == 1;
        assert!(known, "{name} is {value} in the library");
        found += 1;
    }
    assert!(found > 150, "{found} codes");
}

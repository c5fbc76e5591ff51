//! Programs of `ports/`, written for Windows: built unchanged with `p2p_win.h` and run, as C99 and as C++17. Where
//! mingw-w64 is present the same sources are compiled with its own headers, so that they are what they claim to be.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The zero initialiser of C99, `{0}`, is no fault in C++.
const C99: &[&str] = &["cc", "-std=c99"];
const CXX17: &[&str] = &["c++", "-xc++", "-std=c++17", "-Wno-missing-field-initializers"];
const WARNINGS: &[&str] = &["-pedantic", "-Wall", "-Wextra", "-Werror"];

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo puts what it builds for this test: beside the test itself.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

fn is_here(compiler: &str) -> bool {
    let here = Command::new(compiler).arg("--version").output().is_ok();
    if !here {
        eprintln!("skipped: there is no {compiler} here");
    }
    here
}

/// Builds `ports/<name>.c` into `folder`; `windows`: with windows.h and 16-bit wide characters.
fn build(language: &[&str], name: &str, windows: bool, folder: &Path) -> PathBuf {
    let (include, program) = (package().join("include"), folder.join(name));
    let libraries = libraries();
    let mut compiler = Command::new(language[0]);
    compiler.args(&language[1..]).args(WARNINGS).arg("-I").arg(&include);
    if windows {
        compiler.arg("-fshort-wchar").arg("-I").arg(include.join("p2p-win"));
    }
    compiler.arg(package().join("ports").join(name).with_extension("c")).args(["-xnone", "-o"]);
    compiler.arg(&program).arg("-L").arg(&libraries).args(["-lpeergroup", "-pthread"]);
    compiled(compiler.arg(format!("-Wl,-rpath,{}", libraries.display())));
    program
}

fn compiled(compiler: &mut Command) {
    let output =
        compiler.output().unwrap_or_else(|error| panic!("a C compiler is needed: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs it in a home of its own, under the library that was built with this test; what it wrote.
fn run(program: &Path, arguments: &[&str]) -> String {
    let home = TempDir::new().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).env("P2P_HOME", home.path()).env("P2P_LISTEN", "[::1]:0");
    command.env("LD_LIBRARY_PATH", libraries()).env("DYLD_LIBRARY_PATH", libraries());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8(stdout).expect("UTF-8");
    assert!(status.success(), "{status}\n{text}{}", String::from_utf8_lossy(&stderr));
    text
}

/// Runs a program of `ports/` as C and, where there is a compiler, as C++.
fn in_both_languages(name: &str, check: impl Fn(&Path)) {
    for language in [C99, CXX17] {
        if language == C99 || is_here(language[0]) {
            let folder = TempDir::new().unwrap();
            check(&build(language, name, true, folder.path()));
        }
    }
}

#[test]
fn a_program_for_windows_builds_unchanged_and_talks() {
    in_both_languages("whisper", |program| {
        let text = run(program, &["gr\u{fc}\u{df}e \u{1f600}"]);
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.starts_with("Ann invites Bob until "), "{text}");
        assert_eq!(rest, "Ann heard: gr\u{fc}\u{df}e \u{1f600}\n");
    });
}

#[test]
fn the_same_program_ported_by_hand_says_the_same() {
    let folder = TempDir::new().unwrap();
    let program = build(&["cc", "-std=c11"], "whisper_ported", false, folder.path());
    let text = run(&program, &[]);
    assert!(text.starts_with("Ann invites Bob until "), "{text}");
    assert!(text.ends_with("\nAnn heard: Hello, Ann!\n"), "{text}");
}

#[test]
fn the_stand_ins_do_what_windows_does() {
    in_both_languages("stand_ins", |program| {
        let wanted = "wide in narrow, narrow, 7, wide\nwide, narrow in wide, !\ndone\n";
        assert_eq!(run(program, &[]), wanted);
    });
}

/// The files of a program share one last error, and the header may be met several times, also after the system's own.
#[test]
fn the_header_may_be_in_every_file_of_a_program() {
    let include =
        "#include <windows.h>\n#include <tchar.h>\n#include <strsafe.h>\n#include <p2p.h>\n";
    let one = "void fail(void);\nint main(void) { fail(); return GetLastError() != 6; }\n";
    let two = "void fail(void);\nvoid fail(void) { SetEvent(NULL); }\n";
    of_two_files(&format!("{include}{one}"), &format!("{include}{two}"));
}

/// Its GUIDs stand in a header; who includes `initguid.h` before it defines them, once or more often.
#[test]
fn a_guid_is_defined_where_initguid_is_and_declared_elsewhere() {
    let guids = "DEFINE_GUID(LINE, 0x6f1d3c52, 0x9a0e, 0x4b7d, 1, 2, 3, 4, 5, 6, 7, 8);\n\
                 int is(const GUID *seen);\n";
    let main = "int main(void) {\n    GUID line = {0x6f1d3c52, 0x9a0e, 0x4b7d, {1, 2, 3, 4, 5, 6, 7, 8}};\n    \
                return !is(&line) || is(&PEER_GROUP_ROLE_ADMIN) || LINE.Data4[7] != 8;\n}\n";
    let is = "int is(const GUID *seen) { return memcmp(seen, &LINE, sizeof(GUID)) == 0; }\n";
    let (windows, init) = ("#include <windows.h>\n", "#include <initguid.h>\n");
    of_two_files(&format!("{windows}{guids}{main}"), &format!("{windows}{init}{guids}{is}"));
    of_two_files(&format!("{init}{windows}{guids}{main}"), &format!("{windows}{guids}{is}"));
    let early = format!("#define INITGUID\n{windows}{guids}{main}");
    of_two_files(&early, &format!("{init}{guids}{is}"));
}

/// Builds a program of these in both languages, and runs it.
fn of_two_files(one: &str, two: &str) {
    let folder = TempDir::new().unwrap();
    let files = [("one.c", one), ("two.c", two)].map(|(name, text)| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    });
    for language in [C99, CXX17] {
        if language == CXX17 && !is_here("c++") {
            continue;
        }
        let (libraries, program) = (libraries(), folder.path().join("program"));
        let mut compiler = Command::new(language[0]);
        compiler.args(&language[1..]).args(WARNINGS).args(["-fshort-wchar", "-I"]);
        compiler.arg(package().join("include/p2p-win")).arg("-I").arg(package().join("include"));
        compiler.args(&files).args(["-xnone", "-o"]).arg(&program);
        compiler.arg("-L").arg(&libraries).args(["-lpeergroup", "-pthread"]);
        compiled(compiler.arg(format!("-Wl,-rpath,{}", libraries.display())));
        run(&program, &[]);
    }
}

/// Somebody else takes one of the events between the look at all of them and the taking: the wait goes on at once, and what
/// it took before is as it was.
#[test]
fn a_wait_for_all_that_comes_too_late_looks_again() {
    const PROGRAM: &str = r#"
#include <poll.h>
#include <p2p.h>
static HRESULT late(HANDLE object, DWORD milliseconds);
static int counted(struct pollfd *what, nfds_t count, int milliseconds);
#define P2PWaitEvent late
#define poll counted
#include <windows.h>
#undef P2PWaitEvent
#undef poll
static HANDLE both[2];
static int waits, idle;
static HRESULT late(HANDLE object, DWORD milliseconds) {
    if (object != both[1] || waits++ > 0) return P2PWaitEvent(object, milliseconds);
    P2PResetEvent(both[0]);
    P2PResetEvent(both[1]);
    /* Then the second comes again. */
    HRESULT taken = P2PWaitEvent(object, milliseconds);
    P2PSetEvent(both[1]);
    return taken;
}
static int counted(struct pollfd *what, nfds_t count, int milliseconds) {
    if (count == 0 && milliseconds != 0) idle++;
    return poll(what, count, milliseconds);
}
int main(void) {
    both[0] = CreateEvent(NULL, TRUE, TRUE, NULL);
    both[1] = CreateEvent(NULL, FALSE, TRUE, NULL);
    /* The first was reset by somebody else, so it is not signalled again. */
    if (WaitForMultipleObjects(2, both, TRUE, 300) != WAIT_TIMEOUT) return 1;
    if (WaitForSingleObject(both[0], 0) != WAIT_TIMEOUT) return 2;
    if (!SetEvent(both[0]) || WaitForMultipleObjects(2, both, TRUE, INFINITE) != WAIT_OBJECT_0) return 3;
    if (idle != 0) return 4;
    /* Twice the same, of which no two can be taken: Windows' documentation forbids it. */
    both[1] = both[0];
    return WaitForMultipleObjects(2, both, TRUE, 0) == WAIT_FAILED && GetLastError() == ERROR_INVALID_PARAMETER ? 0 : 5;
}
"#;
    let folder = TempDir::new().unwrap();
    let (source, program) = (folder.path().join("late.c"), folder.path().join("late"));
    std::fs::write(&source, PROGRAM).unwrap();
    let libraries = libraries();
    let mut compiler = Command::new("cc");
    compiler.args(["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-fshort-wchar", "-I"]);
    compiler.arg(package().join("include/p2p-win")).arg("-I").arg(package().join("include"));
    compiler.arg(&source).arg("-o").arg(&program).arg("-L").arg(&libraries);
    compiler.args(["-lpeergroup", "-pthread"]);
    compiled(compiler.arg(format!("-Wl,-rpath,{}", libraries.display())));
    run(&program, &[]);
}

/// mingw-w64's own `windows.h` and `p2p.h`, not ours.
#[test]
fn the_programs_are_programs_for_windows() {
    let compiler = "x86_64-w64-mingw32-gcc";
    if !is_here(compiler) {
        return;
    }
    let folder = TempDir::new().unwrap();
    for (name, further) in [("whisper", "-Werror"), ("stand_ins", "-Wno-format")] {
        let source = package().join("ports").join(name).with_extension("c");
        let mut command = Command::new(compiler);
        command.args(["-std=c99", "-Wall", "-Wextra", "-pedantic", further, "-c"]).arg(source);
        compiled(command.arg("-o").arg(folder.path().join(name)));
    }
}

/// Where the two differ, on 32-bit Windows, a function of another convention would ruin its caller's stack.
#[test]
fn every_exported_function_has_the_systems_calling_convention() {
    let mut found = 0;
    for entry in std::fs::read_dir(package().join("src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for exported in text.split("#[unsafe(no_mangle)]").skip(1) {
            let head = exported.split('(').next().unwrap();
            assert!(head.contains("extern \"system\" fn "), "{}: {head}", path.display());
            found += 1;
        }
    }
    assert!(found > 50, "{found}");
}

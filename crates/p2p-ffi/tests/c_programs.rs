//! The C programs of `c/`, built as a C programmer would and run in processes of their own.
//!
//! The checks of direct connections are numbered as in the project's list of them; each has two roles, `ann` and `bob`, in
//! two processes with a home each, or one, `alone`. Lines that a process writes after "> " go to the other's input.
#![cfg(unix)]

#[allow(dead_code, reason = "the C programs call for themselves")]
mod seen;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Longer than the programs' own patience: a process that is still there has failed. A checker takes its time.
fn patience() -> Duration {
    Duration::from_secs(if words(WRAPPER).is_empty() { 100 } else { 900 })
}

/// What a program hears when the other one has ended.
const GONE: &str = "(gone)";
/// POSIX.
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// For `cargo xtask sanitize`: more words for the compiler, and for a program in which each program runs.
const COMPILER_FLAGS: &str = "P2P_C_FLAGS";
const WRAPPER: &str = "P2P_C_WRAPPER";

/// The words in an environment variable.
fn words(variable: &str) -> Vec<String> {
    let text = std::env::var(variable).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Where cargo puts what it builds for this test: beside the test itself.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// How programs are built. The zero initialiser of C99, `{0}`, is no fault in C++.
const C99: &[&str] = &["cc", "-std=c99"];
const CXX17: &[&str] = &["c++", "-xc++", "-std=c++17", "-Wno-missing-field-initializers"];

/// No warning is let through.
const STRICT: &[&str] = &["-pedantic", "-Wall", "-Wextra", "-Werror"];

/// Builds `c/<name>.c` into `folder`.
fn build(language: &[&str], name: &str, folder: &Path, link: &[&str]) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join(name);
    let output = Command::new(language[0])
        .args(STRICT)
        .arg("-g")
        .args(&language[1..])
        .arg("-I")
        .arg(package.join("include"))
        .arg(package.join("c").join(name).with_extension("c"))
        .arg("-xnone")
        .arg("-o")
        .arg(&program)
        .args(words(COMPILER_FLAGS))
        .args(link)
        .output()
        .unwrap_or_else(|error| panic!("a C compiler is needed: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Builds a program against the shared library.
fn build_shared(name: &str, folder: &Path) -> PathBuf {
    build_shared_as(C99, name, folder)
}

fn build_shared_as(language: &[&str], name: &str, folder: &Path) -> PathBuf {
    let libraries = libraries();
    let path = libraries.to_str().expect("a path in UTF-8");
    let link = ["-L", path, "-lpeergroup", &format!("-Wl,-rpath,{path}"), "-lpthread"];
    build(language, name, folder, &link)
}

/// A command with a home, an address, and the library that was built with this test, whatever else the search path has.
fn command(program: &Path, arguments: &[&str], home: &Path) -> Command {
    let wrapper = words(WRAPPER).into_iter().map(OsString::from);
    let mut line = wrapper.chain([program.into()]).chain(arguments.iter().map(OsString::from));
    let mut command = Command::new(line.next().expect("at least the program"));
    command.args(line).env("P2P_HOME", home).env("P2P_LISTEN", "[::1]:0");
    command.env("LD_LIBRARY_PATH", libraries()).env("DYLD_LIBRARY_PATH", libraries());
    if let (Some(file), Some(test)) = (seen::file(), seen::test()) {
        command.env("P2P_SEEN_FILE", file).env("P2P_SEEN_BY", test);
    }
    command
}

/// A process in a home of its own.
struct Process {
    child: Child,
    /// Gone once the process is.
    input: Arc<Mutex<Option<ChildStdin>>>,
    /// What it wrote, without what was for the other process.
    output: Arc<Mutex<String>>,
}

impl Process {
    fn start(program: &Path, arguments: &[&str], home: &Path) -> (Process, mpsc::Receiver<String>) {
        let mut child = command(program, arguments, home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, lines) = mpsc::channel();
        let output = Arc::new(Mutex::new(String::new()));
        let (stdout, seen) = (child.stdout.take().unwrap(), Arc::clone(&output));
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                match line.strip_prefix("> ") {
                    // The other process may be gone; then nobody listens.
                    Some(line) => drop(told.send(line.to_owned())),
                    None => seen.lock().unwrap().push_str(&(line + "\n")),
                }
            }
        });
        let input = Arc::new(Mutex::new(child.stdin.take()));
        (Process { child, input, output }, lines)
    }

    /// Passes lines on; when they end, the process that wrote them has ended.
    fn feed(&self, lines: mpsc::Receiver<String>) {
        let input = Arc::clone(&self.input);
        thread::spawn(move || {
            for line in lines.into_iter().chain([GONE.to_owned()]) {
                if let Some(input) = &mut *input.lock().unwrap() {
                    // A process that has ended reads no more.
                    let _ = writeln!(input, "{line}").and_then(|()| input.flush());
                }
            }
        });
    }

    /// Waits until it has written this and no more.
    fn wait_for(&self, text: &str) {
        let deadline = std::time::Instant::now() + patience();
        while *self.output.lock().unwrap() != text {
            let late = std::time::Instant::now() > deadline;
            assert!(!late, "it wrote:\n{}", self.output.lock().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end, at most so long.
    fn wait(&mut self) -> ExitStatus {
        let deadline = std::time::Instant::now() + patience();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if std::time::Instant::now() > deadline {
                self.child.kill().unwrap();
                panic!("a process did not end; it wrote:\n{}", self.output.lock().unwrap());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one program by itself; its status and what it wrote.
fn run(program: &Path, arguments: &[&str]) -> (ExitStatus, String) {
    let home = TempDir::new().unwrap();
    let written = tempfile::NamedTempFile::new().unwrap();
    let child = command(program, arguments, home.path())
        .stdin(Stdio::null())
        .stdout(File::options().append(true).open(written.path()).unwrap())
        .stderr(File::options().append(true).open(written.path()).unwrap())
        .spawn()
        .unwrap();
    let mut process = Process { child, input: Arc::default(), output: Arc::default() };
    let status = process.wait();
    (status, std::fs::read_to_string(written.path()).unwrap())
}

fn alone(program: &str, arguments: &[&str]) {
    let folder = TempDir::new().unwrap();
    let (status, text) = run(&build_shared(program, folder.path()), arguments);
    assert!(status.success() && text.ends_with("done\n"), "{status}\n{text}");
}

/// Runs a check in two processes; both must end well, or `ann` as said.
fn check(name: &str, ann_ends: fn(ExitStatus) -> bool) {
    let folder = TempDir::new().unwrap();
    run_pair(&build_shared("direct", folder.path()), name, ann_ends);
}

/// Runs a program in two processes with these arguments: what, and who.
fn run_pair(program: &Path, name: &str, ann_ends: fn(ExitStatus) -> bool) {
    let homes = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let (mut ann, from_ann) = Process::start(program, &[name, "ann"], homes[0].path());
    let (mut bob, from_bob) = Process::start(program, &[name, "bob"], homes[1].path());
    ann.feed(from_bob);
    bob.feed(from_ann);
    let (bob_ended, ann_ended) = (bob.wait(), ann.wait());
    let texts = format!("ann:\n{}bob:\n{}", ann.output.lock().unwrap(), bob.output.lock().unwrap());
    assert!(
        bob_ended.success() && ann_ends(ann_ended),
        "ann {ann_ended}, bob {bob_ended}\n{texts}"
    );
}

fn well(status: ExitStatus) -> bool {
    status.success()
}

#[test]
fn c01_open_and_close() {
    check("c01", well);
}

#[test]
fn c02_a_second_close_finds_nothing() {
    check("c02", well);
}

#[test]
fn c03_close_after_the_peer_has_closed() {
    check("c03", well);
}

#[test]
fn c04_who_accepted_may_close() {
    check("c04", well);
}

#[test]
fn c05_close_while_opening() {
    check("c05", well);
}

#[test]
fn c06_the_peer_does_not_accept() {
    check("c06", well);
}

#[test]
fn c09_ids_that_no_connection_has() {
    alone("direct", &["c09", "alone"]);
}

#[test]
fn c10_handles_that_no_group_has() {
    alone("direct", &["c10", "alone"]);
}

#[test]
fn c15_after_shutdown() {
    alone("direct", &["c15", "alone"]);
}

#[test]
fn c16_sixty_four_threads_close_one_connection() {
    check("c16", well);
}

#[test]
fn c18_all_that_was_sent_arrives_before_the_end() {
    check("c18", well);
}

#[test]
fn c19_the_peer_sends_and_closes_while_nothing_is_taken() {
    check("c19", well);
}

#[test]
fn c25_both_close_at_the_same_time() {
    check("c25", well);
}

#[test]
fn c26_the_peer_is_killed() {
    check("c26", |ann| ann.signal() == Some(SIGKILL));
}

#[test]
fn c28_look_up_the_sender_and_close_while_taking_events() {
    check("c28", well);
}

/// As C and, where there is a compiler, as C++: the same program, the same library. One of them is enough for whoever
/// looks at memory.
fn languages() -> Vec<&'static [&'static str]> {
    if std::env::var_os(COMPILER_FLAGS).is_some() {
        return vec![C99];
    }
    if Command::new("c++").arg("--version").output().is_ok() {
        return vec![C99, CXX17];
    }
    eprintln!("skipped: there is no c++ here");
    vec![C99]
}

/// A scenario of two processes that a program is about, in both languages.
fn scenario(name: &str) {
    for language in languages() {
        let folder = TempDir::new().unwrap();
        run_pair(&build_shared_as(language, name, folder.path()), name, well);
    }
}

#[test]
fn every_program_is_c99_and_cxx17() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::fs::read_dir(package.join("c")).unwrap().map(|entry| entry.unwrap().path());
    let programs: Vec<PathBuf> =
        folder.filter(|path| path.extension().is_some_and(|e| e == "c")).collect();
    assert!(programs.len() > 10, "{programs:?}");
    for (language, program) in languages().iter().flat_map(|l| programs.iter().map(move |p| (l, p)))
    {
        let mut compiler = Command::new(language[0]);
        compiler.args(STRICT).args(&language[1..]).arg("-fsyntax-only").arg("-I");
        let output = compiler.arg(package.join("include")).arg(program).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_message_for_one_member_is_heard_by_nobody_else() {
    scenario("whisper");
}

#[test]
fn a_member_that_may_invite_brings_another() {
    scenario("invite");
}

#[test]
fn members_come_and_go_and_lists_keep_what_they_showed() {
    scenario("members");
}

#[test]
fn the_creator_changes_properties_and_everybody_sees_them() {
    scenario("properties");
}

#[test]
fn many_threads_share_handles_that_are_taken_away_in_the_end() {
    scenario("threads");
}

#[test]
fn a_member_is_revoked_while_it_is_connected() {
    scenario("revoke");
}

#[test]
fn an_administrator_is_cut_down_to_a_member() {
    let folder = TempDir::new().unwrap();
    run_pair(&build_shared("revoke", folder.path()), "demote", well);
}

#[test]
fn who_mistypes_the_password_is_asked_again() {
    scenario("password");
}

#[test]
fn null_is_a_documented_code_everywhere() {
    alone("misuse", &["null"]);
}

#[test]
fn stale_handles_are_documented_codes() {
    alone("misuse", &["stale"]);
}

#[test]
fn handles_of_another_kind_are_documented_codes() {
    alone("misuse", &["foreign"]);
}

#[test]
fn every_parameter_of_every_function_takes_every_mistake() {
    alone("misuse", &["sweep"]);
}

#[test]
fn every_function_of_the_header_has_its_row_of_mistakes() {
    let header = include_str!("../include/p2p.h");
    let declared = header.lines().filter(|line| line.contains(" WINAPI ") && line.contains('('));
    let declared = declared.filter_map(|line| line.split('(').next()?.rsplit(' ').next());
    let folder = TempDir::new().unwrap();
    let (status, text) = run(&build_shared("misuse", folder.path()), &["list"]);
    assert!(status.success(), "{status}\n{text}");
    let rows: Vec<&str> = text.lines().collect();
    let distinct: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(
        distinct,
        declared.collect(),
        "a function without a row in c/calls.h, or a row without one"
    );
    assert_eq!(distinct.len(), rows.len(), "a function with two rows");
}

/// Else `cargo xtask sanitize` would prove nothing.
#[test]
fn whoever_looks_for_leaks_finds_a_block_that_was_forgotten() {
    let folder = TempDir::new().unwrap();
    let (status, text) = run(&build_shared("misuse", folder.path()), &["forget"]);
    assert!(text.contains("done\n"), "{status}\n{text}");
    let found = text.contains("definitely lost") || text.contains("detected memory leaks");
    assert_eq!(
        (status.success(), found),
        match std::env::var_os(COMPILER_FLAGS) {
            Some(_) => (false, true),
            None => (true, false),
        },
        "{status}\n{text}"
    );
}

#[test]
fn freeing_what_is_no_block_ends_a_debug_build_and_is_ignored_by_a_release_build() {
    let folder = TempDir::new().unwrap();
    let program = build_shared("misuse", folder.path());
    for mistake in ["free-twice", "free-nested", "free-foreign", "free-handle", "free-invented"] {
        let (status, text) = run(&program, &[mistake]);
        assert!(text.starts_with("now\n") && text.contains("PeerFreeData"), "{mistake}: {text}");
        let ended = if cfg!(debug_assertions) {
            status.signal() == Some(SIGABRT)
        } else {
            status.success()
        };
        assert!(ended, "{mistake}: {status}\n{text}");
    }
}

#[test]
fn the_descriptor_of_an_event_object_works_with_poll() {
    alone("events", &["poll"]);
}

#[test]
fn a_child_does_not_have_its_parents_library() {
    alone("events", &["fork"]);
}

#[test]
fn a_group_is_open_in_one_process_at_a_time() {
    alone("events", &["second"]);
}

#[test]
fn a_full_disk_has_its_code_and_changes_nothing() {
    alone("storage", &["full"]);
}

#[test]
fn what_may_not_be_touched_has_its_codes() {
    alone("storage", &["locked"]);
}

#[test]
fn too_little_memory_for_a_password_has_its_code() {
    alone("storage", &["memory"]);
}

#[test]
fn without_files_nothing_starts_and_nothing_is_lost() {
    alone("exhausted", &["files"]);
}

#[test]
fn too_little_memory_for_a_group_by_password_has_its_code() {
    alone("exhausted", &["memory"]);
}

#[test]
fn without_ipv6_the_library_says_so() {
    alone("exhausted", &["ipv6"]);
}

#[test]
fn an_identity_moves_to_another_machine() {
    let folder = TempDir::new().unwrap();
    let program = build_shared("identity", folder.path());
    let export = folder.path().join("ann.export").into_os_string().into_string().unwrap();
    for direction in ["out", "in"] {
        let home = TempDir::new().unwrap();
        let (mut process, _) = Process::start(&program, &[direction, &export], home.path());
        let input = process.input.lock().unwrap().take();
        input.unwrap().write_all(b"correct horse\n").unwrap();
        let status = process.wait();
        let text = process.output.lock().unwrap().clone();
        assert!(status.success(), "{direction}: {status}\n{text}");
    }
    let text = std::fs::read_to_string(export).unwrap();
    assert!(text.starts_with("<PEERIDENTITYEXPORT ") && text.contains(".laptop</PEERNAME>"));
}

#[test]
fn a_group_moves_to_another_machine() {
    alone("moving", &[]);
}

/// The example of `README.md`.
#[test]
fn two_people_chat() {
    let folder = TempDir::new().unwrap();
    let homes = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let program = build_shared("chat", folder.path());
    let path = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
    let (id, invitation) = (path("id.xml"), path("invitation.xml"));
    let (mut guest, _) = Process::start(&program, &["id", &id], homes[1].path());
    assert!(guest.wait().success());
    let (mut host, _) = Process::start(&program, &["host", &id, &invitation], homes[0].path());
    host.wait_for("waiting\n");
    let (mut guest, _) = Process::start(&program, &["guest", &invitation], homes[1].path());
    // Taken out, so that the input ends after these lines.
    let input = guest.input.lock().unwrap().take();
    input.unwrap().write_all(b"hello\nhow are you\n").unwrap();
    assert!(guest.wait().success() && host.wait().success());
    host.wait_for("waiting\nguest: hello\nguest: how are you\n");
}

/// The system libraries that `README.md` names are all that the static library needs.
#[test]
fn a_program_links_with_the_static_library() {
    let folder = TempDir::new().unwrap();
    let archive = libraries().join("libpeergroup.a");
    let archive = archive.to_str().expect("a path in UTF-8");
    let program = build(C99, "misuse", folder.path(), &[archive, "-lpthread", "-ldl", "-lm"]);
    let (status, text) = run(&program, &["stale"]);
    assert!(status.success() && text.ends_with("done\n"), "{status}\n{text}");
}

//! What the exported functions return in tests, written down: `use seen::functions::*` instead of `use peergroup::*`.
//!
//! With `P2P_SEEN` set to a folder there is a line per function, code and test in a file of that folder; `cargo xtask
//! p2p-h` makes `docs/p2p-h.md` of them. The C programs do the same (`c/seen.h`). Without that variable nothing is written.

pub(crate) mod functions;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The folder for what was seen, if anybody wants to know.
pub(crate) const FOLDER: &str = "P2P_SEEN";

/// The test that runs, as the page names it: `codes::groups::joining`. `None` on a thread that a test has made, unless
/// the test has the process for itself.
pub(crate) fn test() -> Option<String> {
    let thread = std::thread::current();
    let own = thread.name().filter(|name| *name != "main").map(str::to_owned);
    let words: Vec<OsString> = std::env::args_os().collect();
    let alone = || {
        let name = words.iter().skip(1).find(|word| !word.to_string_lossy().starts_with('-'))?;
        words.iter().any(|word| word == "--exact").then(|| name.to_string_lossy().into_owned())
    };
    // `codes-0123456789abcdef`
    let program = Path::new(words.first()?).file_stem()?.to_string_lossy().into_owned();
    let program = program.rsplit_once('-').map_or(&*program, |parts| parts.0).to_owned();
    Some(format!("{program}::{}", own.or_else(alone)?))
}

/// A new file for what this process sees.
pub(crate) fn file() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os(FOLDER)?);
    fs::create_dir_all(&folder).unwrap();
    let name = |count: u32| folder.join(format!("{}-{count}", std::process::id()));
    (0..).map(name).find(|path| File::create_new(path).is_ok())
}

#[allow(dead_code, reason = "the C programs write for themselves")]
pub(crate) fn note(function: &'static str, code: i32) {
    struct Seen {
        pairs: BTreeSet<(String, &'static str, i32)>,
        file: Option<File>,
    }
    static SEEN: Mutex<Option<Seen>> = Mutex::new(None);
    if std::env::var_os(FOLDER).is_none() {
        return;
    }
    let Some(test) = test() else { return };
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = seen.get_or_insert_with(|| Seen {
        pairs: BTreeSet::new(),
        file: file().map(|path| File::options().append(true).open(path).unwrap()),
    });
    if let Some(file) = &mut seen.file
        && seen.pairs.insert((test.clone(), function, code))
    {
        writeln!(file, "{function} {code:08X} {test}").unwrap();
    }
}

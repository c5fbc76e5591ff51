//! A corpus through its target: each file as it is, and damaged in the same ways each time.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Target;

/// The folder of a target's corpus.
pub fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The files of a folder with what is in them, by their names.
///
/// # Errors
/// What the file system says.
pub fn files(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = fs::read_dir(folder)?
        .map(|entry| {
            let path = entry?.path();
            let bytes = fs::read(&path)?;
            Ok((path, bytes))
        })
        .collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// The bytes as they are, then damaged at a few places, then far too many of them.
///
/// # Panics
/// If the target does: a promise is broken.
pub fn replay(bytes: &[u8], target: Target) {
    target(bytes);
    let mut damaged = bytes.to_vec();
    for at in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
        damaged[at] ^= 0x10;
        target(&damaged);
        target(&bytes[..at]);
        damaged[at] ^= 0x10;
    }
    if !bytes.is_empty() {
        target(&bytes.repeat(200_000 / bytes.len() + 1));
    }
}

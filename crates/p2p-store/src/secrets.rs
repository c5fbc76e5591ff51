//! Files that are written whole or not at all, and that nobody but the user may read.
//!
//! A file is written beside its place, synchronised, and renamed into it (POSIX `rename` is atomic); then the folder is
//! synchronised, so that the new name survives a power failure.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

/// What the names of unfinished files begin with.
const UNFINISHED: &str = ".new-";
/// So much of a file is overwritten, in bytes: more than any that holds a secret has.
const OVERWRITTEN_MAX: usize = 1 << 20;

/// A file that is written but not yet in its place; dropped, it is deleted.
#[derive(Debug)]
pub(crate) struct Prepared {
    temporary: PathBuf,
    target: PathBuf,
    done: bool,
}

impl Prepared {
    /// Writes and synchronises `bytes` beside `target`.
    pub(crate) fn write(target: &Path, bytes: &[u8]) -> io::Result<Prepared> {
        let prepared =
            Prepared { temporary: unfinished(target), target: target.to_owned(), done: false };
        let mut file = private_options().create_new(true).open(&prepared.temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(prepared)
    }

    /// Puts the file into its place.
    pub(crate) fn place(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.target)?;
        self.done = true;
        sync_folder(self.target.parent().unwrap_or(Path::new(".")))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.done {
            // Nothing refers to it; what cannot be deleted now goes with the next clean-up of the folder.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a private file in one step: afterwards it holds `bytes`, or what it held before.
pub(crate) fn write_private(target: &Path, bytes: &[u8]) -> io::Result<()> {
    Prepared::write(target, bytes)?.place()
}

/// Reads a file of at most `max` bytes; a longer one is `InvalidData`. The bytes are wiped when dropped.
pub(crate) fn read_private(path: &Path, max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > max {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // Room for all of it at once: a buffer that grows would leave copies of a secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    Read::by_ref(&mut file).take(length as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Creates a folder and its parents, closed to others.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options to open a file for reading and writing that only the user may read once it is created.
pub(crate) fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A name beside `target` that no other process or thread uses.
pub(crate) fn unfinished(target: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    target.with_file_name(format!("{UNFINISHED}{}-{number}", std::process::id()))
}

/// Overwrites and deletes what killed writers left in a folder that this process alone writes to: it may be a secret.
pub(crate) fn clean(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let path = entry.path();
            let overwritten = match entry.file_type()?.is_file() {
                true => private_options().open(&path).and_then(overwrite),
                false => Ok(()),
            };
            // What cannot be overwritten is better gone than there.
            remove_if_there(&path).and(overwritten)?;
        }
    }
    Ok(())
}

/// Overwrites a file with zeros, and waits until the disk has them.
pub(crate) fn overwrite(mut file: File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(OVERWRITTEN_MAX);
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

/// Deletes a file; that it is missing is no error.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes new and removed names of a folder durable. Windows has no such call and needs none.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, b"first").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(read_private(&path, 6).unwrap().as_slice(), b"second");
        assert_eq!(read_private(&path, 5).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_placed_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, b"first").unwrap();
        let prepared = Prepared::write(&path, b"second").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        drop(prepared);
        assert_eq!(read_private(&path, 100).unwrap().as_slice(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn clean_removes_unfinished_files_only() {
        let folder = tempfile::tempdir().unwrap();
        write_private(&folder.path().join("key"), b"kept").unwrap();
        let unfinished = folder.path().join(".new-1-2");
        fs::write(&unfinished, b"half").unwrap();
        // A second name of the same file shows what became of its bytes.
        let elsewhere = tempfile::tempdir_in(folder.path().parent().unwrap()).unwrap();
        let other_name = elsewhere.path().join("other");
        fs::hard_link(&unfinished, &other_name).unwrap();
        clean(folder.path()).unwrap();
        assert_eq!(fs::read(&other_name).unwrap(), [0; 4], "half a secret is a secret");
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["key"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_may_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        create_folder(&inner).unwrap();
        let path = inner.join("key");
        write_private(&path, b"secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&inner)), (0o600, 0o700));
    }
}

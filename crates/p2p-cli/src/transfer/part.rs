//! A file that is arriving: what is there of it survives the end of the process, and is continued.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::wire::Offer;
use super::{CHUNK, names};

/// Most files in one folder that are not whole.
const PARTS_MAX: usize = 64;
/// Most files that may bear one name, by numbers.
const NUMBERS_MAX: u32 = 10_000;

/// Why a file is not stored.
#[derive(Debug)]
pub(super) enum PartError {
    /// It is arriving already, here or in another process.
    Busy,
    /// Too many files in this folder are not whole.
    TooMany,
    /// The content is not what was announced; nothing of it is kept.
    Hash,
    /// The disk says so.
    Io(io::Error),
}

impl From<io::Error> for PartError {
    fn from(error: io::Error) -> PartError {
        PartError::Io(error)
    }
}

/// `.NAME.HASH.part`, locked while it lives. Dropping it keeps the file.
pub(super) struct Part {
    folder: PathBuf,
    path: PathBuf,
    name: String,
    file: File,
    hash: [u8; 32],
    size: u64,
    /// Of what is in the file.
    digest: Context,
    have: u64,
}

impl Part {
    /// Opens the part of this file, or begins it. What is there already is read and hashed: it takes as long as that takes.
    /// `name` is a [safe](names::safe) one.
    pub(super) fn open(folder: &Path, name: String, offer: &Offer) -> Result<Part, PartError> {
        let path = folder.join(names::part(&name, &offer.hash));
        match fs::symlink_metadata(&path) {
            Ok(there) if !there.is_file() => return Err(PartError::Busy),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => check_number(folder)?,
            Err(error) => return Err(error.into()),
        }
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PartError::Busy),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Whoever had the lock may have finished in this moment: then this is the whole file, under its own name.
        if !is_at(&file, &path)? {
            return Err(PartError::Busy);
        }
        let (hash, size) = (offer.hash, offer.size);
        let folder = folder.to_owned();
        let mut part =
            Part { folder, path, name, file, hash, size, digest: Context::new(&SHA256), have: 0 };
        part.resume()?;
        Ok(part)
    }

    fn resume(&mut self) -> io::Result<()> {
        // More than the whole is not a part of it.
        if self.file.metadata()?.len() > self.size {
            self.file.set_len(0)?;
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            match self.file.read(&mut chunk)? {
                0 => return Ok(()),
                n => {
                    self.digest.update(&chunk[..n]);
                    self.have += n as u64;
                }
            }
        }
    }

    /// Bytes that are there.
    pub(super) fn have(&self) -> u64 {
        self.have
    }

    /// Bytes that are missing.
    pub(super) fn missing(&self) -> u64 {
        self.size - self.have
    }

    /// Appends; at most what is [missing](Self::missing). If it fails, what was there before stays.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(bytes.len() as u64 <= self.missing(), "the caller keeps the size");
        if let Err(error) = self.file.write_all(bytes) {
            // Some of it may be there; a later try reads what is.
            self.file.seek(SeekFrom::Start(self.have))?;
            self.file.set_len(self.have)?;
            return Err(error);
        }
        self.digest.update(bytes);
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Compares the hash of the whole, puts it on disk and gives it its name, or that with a number: nothing that is there
    /// is replaced. Answers the path.
    pub(super) fn finish(self) -> Result<PathBuf, PartError> {
        if self.digest.clone().finish().as_ref() != self.hash {
            self.discard()?;
            return Err(PartError::Hash);
        }
        self.file.sync_all()?;
        for n in 0..NUMBERS_MAX {
            let path = self.folder.join(names::numbered(&self.name, n));
            match rename_new(&self.path, &path) {
                Ok(()) => {
                    sync_folder(&self.folder)?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files have this name").into())
    }

    /// Deletes it: what came is not what was announced.
    pub(super) fn discard(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Whether the open file is what the path names.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// An open file cannot be removed there.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

fn check_number(folder: &Path) -> Result<(), PartError> {
    let mut parts = 0;
    for entry in fs::read_dir(folder)? {
        parts += usize::from(entry?.file_name().to_str().is_some_and(names::is_part));
    }
    if parts < PARTS_MAX { Ok(()) } else { Err(PartError::TooMany) }
}

/// Renames to a name that nothing has.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            // A disk without links: take the name first, then replace what is only our own.
            OpenOptions::new().write(true).create_new(true).open(to)?;
            fs::rename(from, to)
        }
    }
}

/// So that the name, too, outlives a loss of power.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use ring::digest::digest;
    use tempfile::TempDir;

    use super::*;

    fn offer(content: &[u8]) -> Offer {
        let hash = digest(&SHA256, content).as_ref().try_into().unwrap();
        Offer { size: content.len() as u64, hash, name: "unused".to_owned() }
    }

    fn open(folder: &TempDir, offer: &Offer) -> Result<Part, PartError> {
        Part::open(folder.path(), "x.txt".to_owned(), offer)
    }

    fn files(folder: &TempDir) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_continued_where_it_stopped_and_gets_its_name_at_the_end() {
        let (folder, content) = (TempDir::new().unwrap(), b"hello, world");
        let offer = offer(content);
        let mut part = open(&folder, &offer).unwrap();
        part.write(&content[..5]).unwrap();
        drop(part);
        let mut part = open(&folder, &offer).unwrap();
        assert_eq!((part.have(), part.missing()), (5, 7));
        part.write(&content[5..]).unwrap();
        assert!(names::is_part(&files(&folder)[0]));
        assert_eq!(part.finish().unwrap(), folder.path().join("x.txt"));
        assert_eq!(fs::read(folder.path().join("x.txt")).unwrap(), content);
        assert_eq!(files(&folder), ["x.txt"]);
    }

    #[test]
    fn nothing_is_replaced() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("x.txt"), "mine").unwrap();
        fs::create_dir(folder.path().join("x (1).txt")).unwrap();
        let empty = offer(b"");
        assert_eq!(
            open(&folder, &empty).unwrap().finish().unwrap(),
            folder.path().join("x (2).txt")
        );
        assert_eq!(fs::read_to_string(folder.path().join("x.txt")).unwrap(), "mine");
    }

    #[test]
    fn another_content_is_not_kept() {
        let folder = TempDir::new().unwrap();
        let mut part = open(&folder, &offer(b"right")).unwrap();
        part.write(b"wrong").unwrap();
        assert!(matches!(part.finish(), Err(PartError::Hash)));
        assert!(files(&folder).is_empty());
    }

    #[test]
    fn what_is_longer_than_the_whole_is_begun_anew() {
        let folder = TempDir::new().unwrap();
        let offer = offer(b"short");
        let path = folder.path().join(names::part("x.txt", &offer.hash));
        fs::write(&path, "much too long").unwrap();
        assert_eq!(open(&folder, &offer).unwrap().have(), 0);
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn one_file_arrives_once_at_a_time() {
        let folder = TempDir::new().unwrap();
        let offer = offer(b"x");
        let part = open(&folder, &offer).unwrap();
        assert!(matches!(open(&folder, &offer), Err(PartError::Busy)));
        drop(part);
        assert!(open(&folder, &offer).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let offer = offer(b"x");
        let target = elsewhere.path().join("precious");
        fs::write(&target, "precious").unwrap();
        let path = folder.path().join(names::part("x.txt", &offer.hash));
        std::os::unix::fs::symlink(&target, path).unwrap();
        assert!(matches!(open(&folder, &offer), Err(PartError::Busy)));
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn parts_are_few() {
        let folder = TempDir::new().unwrap();
        for n in 0..PARTS_MAX {
            let mut part = open(&folder, &offer(n.to_string().as_bytes())).unwrap();
            part.write(&[0]).unwrap();
        }
        assert!(matches!(open(&folder, &offer(b"one more")), Err(PartError::TooMany)));
        assert!(open(&folder, &offer(b"0")).is_ok(), "what was begun goes on");
    }
}

//! A membership that is still to be gained, as a file.
//!
//! ```text
//! version 1 | length of the secret, 2 bytes, most significant first | secret | invitation, UTF-8
//! ```
//!
//! Wiping overwrites the file and deletes it. That is all a program can do: file systems that copy on write, the
//! spare blocks of a flash disk, and backups may still have what was there.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use crate::secrets::{
    overwrite, private_options, read_private, remove_if_there, sync_folder, unfinished,
    write_private,
};
use crate::{PENDING_INVITATION_MAX, PENDING_SECRET_MAX, Pending, StoreError};

/// The file's name in a group's folder.
const NAME: &str = "pending";
const VERSION: u8 = 1;
const HEAD_LEN: usize = 3;
const FILE_MAX: usize = HEAD_LEN + PENDING_SECRET_MAX + PENDING_INVITATION_MAX;

/// Refuses what would not fit the file, the same for every store.
pub(crate) fn check(pending: &Pending) -> Result<(), StoreError> {
    if pending.secret.len() > PENDING_SECRET_MAX {
        return Err(StoreError::TooLarge("secret of a membership to be"));
    }
    if pending.invitation.len() > PENDING_INVITATION_MAX {
        return Err(StoreError::TooLarge("invitation"));
    }
    Ok(())
}

pub(crate) fn write(folder: &Path, pending: &Pending) -> Result<(), StoreError> {
    check(pending)?;
    let length = (pending.secret.len() as u16).to_be_bytes();
    // Room for all of it at once: a buffer that grows would leave copies of a secret behind.
    let whole = HEAD_LEN + pending.secret.len() + pending.invitation.len();
    let mut bytes = Zeroizing::new(Vec::with_capacity(whole));
    bytes.push(VERSION);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&pending.secret);
    bytes.extend_from_slice(pending.invitation.as_bytes());
    let path = folder.join(NAME);
    // What is replaced holds a secret too: a wrong password is often nearly the right one. Its name goes first, so that
    // at any moment the file is one or the other.
    let replace = || {
        let former = open(&path)?;
        write_private(&path, &bytes)?;
        former.map_or(Ok(()), overwrite)
    };
    replace().map_err(|error| StoreError::io(&path, error))
}

pub(crate) fn read(folder: &Path) -> Result<Option<Pending>, StoreError> {
    let path = folder.join(NAME);
    match read_private(&path, FILE_MAX) {
        Ok(bytes) => parse(&bytes).map(Some).ok_or(StoreError::damaged(&path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(StoreError::damaged(&path)),
        Err(error) => Err(StoreError::io(&path, error)),
    }
}

fn parse(bytes: &[u8]) -> Option<Pending> {
    let ([version, length @ ..], rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
    let (secret, invitation) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let pending = Pending {
        invitation: str::from_utf8(invitation).ok()?.to_owned(),
        secret: Zeroizing::new(secret.to_vec()),
    };
    (*version == VERSION && check(&pending).is_ok()).then_some(pending)
}

/// Deletes the file and overwrites it; that it is missing is no error.
pub(crate) fn wipe(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(NAME);
    let wipe = || {
        let Some(file) = open(&path)? else { return Ok(()) };
        // Under this name it is nothing, however far this comes; the next claim of the group overwrites and deletes it.
        let doomed = unfinished(&path);
        fs::rename(&path, &doomed)?;
        let overwritten = overwrite(file);
        // What cannot be overwritten is better gone than there.
        remove_if_there(&doomed).and_then(|()| sync_folder(folder)).and(overwritten)
    };
    wipe().map_err(|error| StoreError::io(&path, error))
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match private_options().open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> Pending {
        Pending { invitation: "p2p-invitation:1:abc".into(), secret: vec![7; 80].into() }
    }

    #[test]
    fn it_comes_back_from_its_file_and_from_no_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        write(folder.path(), &pending()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(pending()));
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for end in 0..HEAD_LEN + 80 {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(matches!(read(folder.path()), Err(StoreError::Damaged { .. })), "{end} bytes");
        }
        for (at, byte) in [(0, 2), (1, 0xff), (HEAD_LEN + 80, 0xff)] {
            let mut other = whole.clone();
            other[at] = byte;
            fs::write(&path, other).unwrap();
            assert!(matches!(read(folder.path()), Err(StoreError::Damaged { .. })), "byte {at}");
        }
        fs::write(&path, vec![1; FILE_MAX + 1]).unwrap();
        assert!(matches!(read(folder.path()), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn what_is_wiped_is_overwritten_before_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &pending()).unwrap();
        let other_name = folder.path().join("other");
        // A second name of the same file shows what became of its bytes.
        fs::hard_link(folder.path().join(NAME), &other_name).unwrap();
        wipe(folder.path()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        let left = fs::read(&other_name).unwrap();
        assert!(left.len() > 80 && left.iter().all(|byte| *byte == 0));
        wipe(folder.path()).unwrap();
    }

    #[test]
    fn what_is_replaced_is_overwritten_too() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &pending()).unwrap();
        let other_name = folder.path().join("other");
        fs::hard_link(folder.path().join(NAME), &other_name).unwrap();
        write(folder.path(), &Pending { secret: vec![8; 80].into(), ..pending() }).unwrap();
        assert!(fs::read(&other_name).unwrap().iter().all(|byte| *byte == 0));
        assert_eq!(read(folder.path()).unwrap().unwrap().secret[..], [8; 80]);
    }

    #[test]
    fn what_is_too_long_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let long = [
            Pending { secret: vec![0; PENDING_SECRET_MAX + 1].into(), ..pending() },
            Pending { invitation: "x".repeat(PENDING_INVITATION_MAX + 1), ..pending() },
        ];
        for pending in long {
            assert!(matches!(write(folder.path(), &pending), Err(StoreError::TooLarge(_))));
        }
        assert_eq!(read(folder.path()).unwrap(), None);
    }
}

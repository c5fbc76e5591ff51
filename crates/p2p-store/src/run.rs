//! Which run of an identity's node this is, so that peers can drop the links of one that was killed.

use std::fs::TryLockError;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use p2p_core::InstanceId;

use crate::StoreError;
use crate::claim::Claim;
use crate::secrets::private_options;

/// Digits of an instance id.
const DIGITS: u64 = 16;

/// The one running node of an identity in its [`Home`](crate::Home), as long as the value lives: two processes may run
/// the same identity, but only one of them can say which run came before it.
#[derive(Debug)]
pub struct Run {
    claim: Claim,
    path: PathBuf,
    previous: Option<InstanceId>,
}

impl Run {
    /// `None` if another process has it.
    pub(crate) fn begin(path: PathBuf) -> Result<Option<Run>, StoreError> {
        let open =
            private_options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(|error| StoreError::io(&path, error))?;
        let mut claim = match Claim::lock(file) {
            Ok(claim) => claim,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&path, error)),
        };
        let mut text = String::new();
        let read = Read::by_ref(claim.file()).take(DIGITS + 1).read_to_string(&mut text);
        // What cannot be read tells nothing: then peers find out by their time-outs, as without it.
        let previous = read.ok().and_then(|_| u64::from_str_radix(text.trim_end(), 16).ok());
        Ok(Some(Run { claim, path, previous: previous.map(InstanceId) }))
    }

    /// The run before this one, if it is known. It has ended: it would hold the lock.
    pub fn previous(&self) -> Option<InstanceId> {
        self.previous
    }

    /// Keeps this run's own id for the next one.
    ///
    /// # Errors
    /// What the disk gives; the next run then does not know of this one.
    pub fn record(&mut self, instance: InstanceId) -> Result<(), StoreError> {
        let mut write = || {
            let file = self.claim.file();
            file.rewind()?;
            file.set_len(0)?;
            write!(file, "{:0width$x}", instance.0, width = DIGITS as usize)
        };
        write().map_err(|error| StoreError::io(&self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_knows_the_one_before_it_and_excludes_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut first = Run::begin(path.clone()).unwrap().unwrap();
        assert_eq!(first.previous(), None);
        first.record(InstanceId(7)).unwrap();
        first.record(InstanceId(0xfeed)).unwrap();
        assert!(Run::begin(path.clone()).unwrap().is_none(), "the first still runs");
        // What `fork` does: another descriptor of the same open file, which nobody here can close.
        let _inherited = first.claim.file().try_clone().unwrap();
        drop(first);
        assert_eq!(Run::begin(path.clone()).unwrap().unwrap().previous(), Some(InstanceId(0xfeed)));
        std::fs::write(&path, [0xff; 40]).unwrap();
        assert_eq!(Run::begin(path).unwrap().unwrap().previous(), None);
    }
}

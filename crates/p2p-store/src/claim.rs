//! A locked file: what one process has and others must leave alone.

use std::fs::{File, TryLockError};

/// A file that this process has locked. Dropped, it is given back at once.
///
/// On Unix the lock belongs to the open file, which a child made by `fork` shares until it ends or runs another program:
/// closing our descriptor would leave the lock with the child.
#[derive(Debug)]
pub(crate) struct Claim {
    file: File,
    /// Who may give it back: not a child that drops its copy.
    process: u32,
}

impl Claim {
    /// Does not wait.
    pub(crate) fn lock(file: File) -> Result<Claim, TryLockError> {
        file.try_lock()?;
        Ok(Claim { file, process: std::process::id() })
    }

    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if std::process::id() == self.process {
            // Closing the file, which comes next, does the same unless a child has it.
            let _ = self.file.unlock();
        }
    }
}

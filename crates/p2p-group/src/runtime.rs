//! Threads for programs that have no tokio runtime of their own.

use std::io;
use std::sync::{Arc, Mutex, Weak};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::sync::lock;

/// A multi-threaded runtime that all nodes started outside of tokio share. Its threads end with the last of them.
pub(crate) struct Background {
    runtime: Option<Runtime>,
}

static SHARED: Mutex<Weak<Background>> = Mutex::new(Weak::new());

impl Background {
    /// The running one, or a new one.
    pub(crate) fn shared() -> io::Result<Arc<Background>> {
        let mut shared = lock(&SHARED);
        if let Some(background) = shared.upgrade() {
            return Ok(background);
        }
        let runtime = Builder::new_multi_thread().thread_name("p2p").enable_all().build()?;
        let background = Arc::new(Background { runtime: Some(runtime) });
        *shared = Arc::downgrade(&background);
        Ok(background)
    }

    pub(crate) fn handle(&self) -> Handle {
        self.runtime.as_ref().expect("the runtime is there until it is dropped").handle().clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // The last reference may go on one of the runtime's own threads, which must not wait for itself.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

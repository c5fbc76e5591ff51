//! What has arrived on a stream and waits for credit.

use std::collections::VecDeque;

use bytes::Bytes;

/// What has arrived on a stream, and how much of it may be read.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) chunks: VecDeque<Bytes>,
    pub(crate) credit: usize,
    pub(crate) fin: bool,
}

impl Inbox {
    /// The next bytes that may be read.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.front_mut().filter(|c| c.is_empty() || self.credit > 0)?;
        let bytes = chunk.split_to(chunk.len().min(self.credit));
        self.credit -= bytes.len();
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        Some(bytes)
    }

    /// Whether all was read and no more will come; true once.
    pub(crate) fn is_over(&mut self) -> bool {
        self.chunks.is_empty() && std::mem::take(&mut self.fin)
    }
}

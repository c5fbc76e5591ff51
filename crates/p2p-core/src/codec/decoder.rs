//! From ordered chunks to frames, without copying payloads.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

use super::fields::varint_at;
use super::{Frame, FrameError, body_max};
use crate::io::Payload;

/// Type and length, each a variable-length integer.
const HEADER_MAX: usize = 16;

/// The unread bytes of one stream. Holds no more than the stream's credit, and never more than one frame ahead of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoder {
    chunks: VecDeque<Bytes>,
    buffered: usize,
    /// Type and length of the frame whose body is awaited.
    pending: Option<(u64, usize)>,
}

/// Pieces shorter than this are joined: each costs a handle and holds on to the datagram that it came in.
const CRUMB: usize = 512;

/// Adds a piece to the one before it if both are crumbs; else gives it back, to be kept by itself.
pub(crate) fn join_crumbs(last: Option<&mut Bytes>, piece: Bytes) -> Option<Bytes> {
    match last {
        Some(last) if last.len() < CRUMB && piece.len() < CRUMB => {
            *last = [&last[..], &piece[..]].concat().into();
            None
        }
        _ => Some(piece),
    }
}

impl Decoder {
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.buffered += chunk.len();
            if let Some(chunk) = join_crumbs(self.chunks.back_mut(), chunk) {
                self.chunks.push_back(chunk);
            }
        }
    }

    /// Bytes that are held.
    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    /// The next whole frame; `None` until more bytes come. After an error the stream is worthless.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            let Some((kind, len)) = self.header()? else { return Ok(None) };
            if self.buffered < len {
                return Ok(None);
            }
            self.pending = None;
            let body = self.take(len);
            if let Some(frame) = Frame::decode(kind, body)? {
                return Ok(Some(frame));
            }
        }
    }

    fn header(&mut self) -> Result<Option<(u64, usize)>, FrameError> {
        if self.pending.is_none() {
            let mut bytes = [0; HEADER_MAX];
            let mut have = 0;
            for chunk in &self.chunks {
                let n = chunk.len().min(HEADER_MAX - have);
                bytes[have..have + n].copy_from_slice(&chunk[..n]);
                have += n;
                if have == HEADER_MAX {
                    break;
                }
            }
            let Some(kind) = varint_at(&bytes[..have]) else { return Ok(None) };
            let (kind, at) = kind?;
            let max = body_max(kind).ok_or(FrameError::Unknown)?;
            let Some(len) = varint_at(&bytes[at..have]) else { return Ok(None) };
            let (len, more) = len?;
            if len > max {
                return Err(FrameError::Oversize);
            }
            drop(self.take(at + more));
            self.pending = Some((kind, len as usize));
        }
        Ok(self.pending)
    }

    /// The first `len` bytes, which are there.
    fn take(&mut self, len: usize) -> Payload {
        self.buffered -= len;
        let mut pieces = Vec::new();
        let mut left = len;
        while left > 0 {
            let Some(front) = self.chunks.front_mut() else { break };
            let piece = front.split_to(left.min(front.len()));
            if front.is_empty() {
                self.chunks.pop_front();
            }
            left -= piece.len();
            if left == 0 && pieces.is_empty() {
                return Payload::One(piece);
            }
            pieces.push(piece);
        }
        if pieces.is_empty() { Payload::EMPTY } else { Payload::Many(pieces) }
    }
}

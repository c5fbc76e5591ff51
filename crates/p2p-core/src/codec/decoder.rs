//! From ordered chunks to frames, without copying payloads.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

use super::fields::varint_at;
use super::{Frame, FrameError, body_max};
use crate::io::Payload;

/// Type and length, each a variable-length integer.
const HEADER_MAX: usize = 16;

/// The unread bytes of one stream. Holds no more than the stream's credit, and never more than one frame ahead of it. Most
/// chunks hold whole frames: one alone costs no memory of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoder {
    /// The oldest chunk; empty if nothing is held.
    front: Bytes,
    /// What there is besides, while a frame is here in part.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
struct More {
    /// The chunks behind the first, and their length.
    chunks: VecDeque<Bytes>,
    length: usize,
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
        if chunk.is_empty() {
            return;
        }
        if self.front.is_empty() {
            self.front = chunk;
            return;
        }
        let length = chunk.len();
        let behind = self.more.as_mut().and_then(|more| more.chunks.back_mut());
        let joins_front = behind.is_none();
        let kept = join_crumbs(Some(behind.unwrap_or(&mut self.front)), chunk);
        if kept.is_none() && joins_front {
            return;
        }
        let more = self.more.get_or_insert_default();
        more.length += length;
        more.chunks.extend(kept);
    }

    /// Bytes that are held.
    pub(crate) fn buffered(&self) -> usize {
        self.front.len() + self.more.as_ref().map_or(0, |more| more.length)
    }

    /// The next whole frame; `None` until more bytes come. After an error the stream is worthless.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            let Some((kind, len)) = self.header()? else { return Ok(None) };
            if self.buffered() < len {
                return Ok(None);
            }
            if let Some(more) = &mut self.more {
                more.pending = None;
            }
            let body = self.take(len);
            if let Some(frame) = Frame::decode(kind, body)? {
                return Ok(Some(frame));
            }
        }
    }

    /// Type and length of the frame that comes next. They are taken from the bytes and remembered if its body is not here.
    fn header(&mut self) -> Result<Option<(u64, usize)>, FrameError> {
        if let Some(pending) = self.more.as_ref().and_then(|more| more.pending) {
            return Ok(Some(pending));
        }
        let mut bytes = [0; HEADER_MAX];
        let mut have = 0;
        let behind = self.more.iter().flat_map(|more| &more.chunks);
        for chunk in core::iter::once(&self.front).chain(behind) {
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
        let len = len as usize;
        drop(self.take(at + more));
        if self.buffered() < len {
            self.more.get_or_insert_default().pending = Some((kind, len));
        }
        Ok(Some((kind, len)))
    }

    /// The first `len` bytes, which are there.
    fn take(&mut self, len: usize) -> Payload {
        let mut pieces = Vec::new();
        let mut left = len;
        while left > 0 && !self.front.is_empty() {
            let piece = self.front.split_to(left.min(self.front.len()));
            self.advance();
            left -= piece.len();
            if left == 0 && pieces.is_empty() {
                return Payload::One(piece);
            }
            pieces.push(piece);
        }
        if pieces.is_empty() { Payload::EMPTY } else { Payload::Many(pieces) }
    }

    /// Nothing is kept of a chunk that was read, and nothing at all when there is nothing to keep.
    fn advance(&mut self) {
        if !self.front.is_empty() {
            return;
        }
        let next = self.more.as_mut().and_then(|more| {
            let next = more.chunks.pop_front();
            more.length -= next.as_ref().map_or(0, Bytes::len);
            next
        });
        self.front = next.unwrap_or_default();
        if self.more.as_ref().is_some_and(|m| m.chunks.is_empty() && m.pending.is_none()) {
            self.more = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream without unread bytes costs, whatever came on it before.
    #[test]
    fn nothing_is_held_between_two_frames() {
        assert!(size_of::<Decoder>() <= 40, "{} bytes", size_of::<Decoder>());
        let (head, body) = Frame::DcCloseAck { count: 77 }.encode();
        let frame = [head.as_slice(), &body.into_bytes()].concat();
        for cut in 0..frame.len() {
            let mut decoder = Decoder::default();
            let (first, second) = frame.split_at(cut);
            decoder.push(Bytes::copy_from_slice(first));
            assert!(matches!(decoder.next(), Ok(None)), "cut at {cut}");
            decoder.push(Bytes::copy_from_slice(second));
            assert!(matches!(decoder.next(), Ok(Some(Frame::DcCloseAck { count: 77 }))));
            assert!(matches!(decoder.next(), Ok(None)));
            assert!(decoder.more.is_none() && decoder.buffered() == 0, "cut at {cut}");
        }
    }
}

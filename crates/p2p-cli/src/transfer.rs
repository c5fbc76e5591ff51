//! Files from one member to another, over a direct connection that is used as a stream of bytes: see [`wire`].

mod names;
mod part;
mod progress;
pub(crate) mod receive;
pub(crate) mod send;
mod way;
mod wire;

pub(crate) use self::wire::Decline;

use std::time::Duration;

use p2p_group::DirectConnection;
use serde_json::{Value, json};

use crate::events;

/// Bytes that are read, hashed and written at a time.
const CHUNK: usize = 256 << 10;
/// Within this the first answer to an offer comes, and the offer itself.
const GREETING: Duration = Duration::from_secs(20);
/// For how long a transfer may stand still.
const STANDSTILL: Duration = Duration::from_secs(60);
/// For how long the receiver may read what it has already, or write out the end.
const DISK: Duration = Duration::from_secs(600);

/// Work that waits for the disk. Short of a chunk, or once for each file: no thread of its own is worth it.
#[expect(clippy::disallowed_methods, reason = "`main` starts a runtime with several threads")]
fn on_disk<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// A connection and its other end, with the fields that every record of a transfer has.
pub(crate) fn far_end(connection: &DirectConnection) -> Value {
    let mut far = json!({ "id": events::id(connection.id()) });
    let fields = far.as_object_mut().expect("it is an object");
    events::add_peer(fields, Some(connection.peer()));
    far
}

/// As much of a text as fits into so many bytes.
fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Lower-case hexadecimal.
fn digits(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

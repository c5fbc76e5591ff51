//! 1 KiB messages on one connection. The limit frames them by their length and writes through a buffer of 64 KiB, and so
//! reads.

use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use p2p_group::DirectConnection;

use crate::{Failure, MESSAGE, ours};

const LENGTH: usize = 1 << 10;
/// Messages of one measurement.
const COUNT: usize = 64 << 10;

/// Messages per second.
pub(crate) async fn ours(connection: &DirectConnection) -> Result<f64, Failure> {
    let message = Bytes::from(vec![7; LENGTH]);
    let begun = Instant::now();
    for _ in 0..COUNT {
        connection.send(ours::SINK, message.clone()).await?;
    }
    connection.send(ours::LAST, Bytes::new()).await?;
    connection.recv().await.ok_or("the connection ended")?;
    Ok(COUNT as f64 / begun.elapsed().as_secs_f64())
}

/// The same through a stream, to a server that takes it apart again.
pub(crate) async fn quinn(connection: &quinn::Connection) -> Result<f64, Failure> {
    let (mut send, mut recv) = connection.open_bi().await?;
    let message = [7; LENGTH];
    let begun = Instant::now();
    send.write_all(&[crate::limit::MESSAGES]).await?;
    let mut buffer = BytesMut::with_capacity(MESSAGE);
    for _ in 0..COUNT {
        if buffer.len() + 4 + LENGTH > MESSAGE {
            send.write_chunk(buffer.split().freeze()).await?;
            buffer.reserve(MESSAGE);
        }
        buffer.put_u32(LENGTH as u32);
        buffer.put_slice(&message);
    }
    send.write_chunk(buffer.freeze()).await?;
    send.finish()?;
    recv.read_exact(&mut [0]).await?;
    Ok(COUNT as f64 / begun.elapsed().as_secs_f64())
}

/// The server's half: every message read into a buffer of its own size, and counted.
pub(crate) async fn take(recv: &mut quinn::RecvStream) -> Result<usize, Failure> {
    let mut found = 0;
    let mut rest = BytesMut::with_capacity(2 * MESSAGE);
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await? {
        rest.extend_from_slice(&chunk.bytes);
        while let Some(length) = rest.first_chunk() {
            let length = u32::from_be_bytes(*length) as usize;
            if rest.len() < 4 + length {
                break;
            }
            std::hint::black_box(rest.split_to(4 + length));
            found += 1;
        }
    }
    Ok(found)
}

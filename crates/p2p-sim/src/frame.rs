//! Frames by hand, from the protocol document: what the world reads of them, and what hostile nodes say.

/// Frame types.
pub mod kind {
    /// The first frame of a session.
    pub const HELLO: u64 = 0x01;
    /// The opener's chain.
    pub const MEMBER_PROOF: u64 = 0x02;
    /// The responder's hello and chain.
    pub const SESSION_OK: u64 = 0x03;
    /// Will you be my neighbour?
    pub const CONNECT: u64 = 0x10;
    /// Yes.
    pub const WELCOME: u64 = 0x11;
    /// Where I am.
    pub const ADDR_UPDATE: u64 = 0x14;
    /// The first frame of a direct connection.
    pub const DC_OPEN: u64 = 0x40;
    /// Yes.
    pub const DC_ACCEPT: u64 = 0x41;
    /// No.
    pub const DC_REFUSE: u64 = 0x42;
}

/// A variable-length integer (RFC 9000 §16) in its shortest form.
pub fn varint(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
        _ => (value | 0xc000_0000_0000_0000).to_be_bytes().to_vec(),
    }
}

/// Reads one; and how many bytes it took.
fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let rest = bytes.get(1..len)?;
    Some((rest.iter().fold(u64::from(first & 0x3f), |n, byte| n << 8 | u64::from(*byte)), len))
}

/// The type of a frame, and where its body begins.
pub fn kind_of(head: &[u8]) -> Option<(u64, usize)> {
    let (kind, at) = read_varint(head)?;
    let (_, more) = read_varint(&head[at..])?;
    Some((kind, at + more))
}

/// A frame.
pub fn frame(kind: u64, body: &[u8]) -> Vec<u8> {
    [varint(kind), varint(body.len() as u64), body.to_vec()].concat()
}

/// HELLO.
pub fn hello(tag: [u8; 16], instance: u64) -> Vec<u8> {
    let ids = [instance, 0, 77].map(u64::to_be_bytes).concat();
    frame(kind::HELLO, &[&[0, 0][..], &tag, &ids, &varint(4 << 20)].concat())
}

/// A message's content: its number, and bytes that follow from it.
pub fn content(serial: u64, len: usize) -> Vec<u8> {
    let mut bytes = serial.to_be_bytes().to_vec();
    bytes.resize(len.max(8), serial as u8);
    bytes
}

/// A message's number and length; the number is 0 if it is not as it was made.
pub fn message(bytes: &[u8]) -> (u64, usize) {
    let serial = bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    let whole = bytes.len() >= 8 && bytes[8..].iter().all(|byte| *byte == serial as u8);
    (if whole { serial } else { 0 }, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        for (kind, len) in [(1, 0), (0x40, 63), (0x4000, 20_000)] {
            let frame = frame(kind, &vec![7; len]);
            let (read, at) = kind_of(&frame).unwrap();
            assert_eq!((read, frame.len() - at), (kind, len));
        }
        assert_eq!(kind_of(&[0x40]), None);
    }

    #[test]
    fn a_message_that_was_touched_is_noticed() {
        let mut bytes = content(258, 20);
        assert_eq!(message(&bytes), (258, 20));
        bytes[15] ^= 1;
        assert_eq!(message(&bytes), (0, 20));
    }
}

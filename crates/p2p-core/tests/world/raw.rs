//! Frames by hand, from the protocol document: what a peer says that is not one of our nodes.

pub const PAKE_SHARE: u64 = 0x05;
pub const PAKE_ANSWER: u64 = 0x06;
pub const PAKE_CONFIRM: u64 = 0x07;
pub const YOUR_GMC: u64 = 0x08;
pub const CANNOT_ISSUE: u64 = 0x09;
pub const CONNECT: u64 = 0x10;
pub const ADDR_UPDATE: u64 = 0x14;
pub const OBJECT_WANT: u64 = 0x1c;
pub const OBJECT: u64 = 0x1d;
pub const DC_OPEN: u64 = 0x40;
pub const DC_ACCEPT: u64 = 0x41;
pub const DC_DATA: u64 = 0x43;
pub const DC_CLOSE: u64 = 0x44;
pub const DC_CLOSE_ACK: u64 = 0x45;

pub fn varint(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
        _ => (value | 0xc000_0000_0000_0000).to_be_bytes().to_vec(),
    }
}

pub fn frame(kind: u64, body: &[u8]) -> Vec<u8> {
    [varint(kind), varint(body.len() as u64), body.to_vec()].concat()
}

pub fn data(kind: u8, more: bool, payload: &[u8]) -> Vec<u8> {
    frame(DC_DATA, &[&[kind; 16][..], &[u8::from(more)], payload].concat())
}

pub fn hello(tag: [u8; 16], instance: u64) -> Vec<u8> {
    let ids = [instance, 0, 77].map(u64::to_be_bytes).concat();
    frame(1, &[&[0, 0][..], &tag, &ids, &varint(4 << 20)].concat())
}

pub fn proof(chain: &[u8]) -> Vec<u8> {
    frame(2, chain)
}

//! What travels in a transfer. All numbers are big-endian.
//!
//! The sender begins with an offer: `p2pfile`, the version 1, the size (8 bytes), the SHA-256 of the content (32), the
//! length of the name (2) and the name (UTF-8). The receiver answers with records of 17 bytes: `p2pfile`, the version, a
//! kind and a value (8). First one that it is looking for what it has ([`Reply::Checking`]), then from where the sender is to
//! go on. The sender sends the content from there and ends its direction. The receiver compares the hash and says how
//! it ended. Any record may be a refusal instead; after it nothing more comes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::cut;

/// What both directions begin with; the last byte is the version.
const MAGIC: [u8; 8] = *b"p2pfile\x01";
/// Bytes of an offer before the name.
const HEAD: usize = 8 + 8 + 32 + 2;
/// Bytes of an answer.
const REPLY: usize = 8 + 1 + 8;
/// Longest name that is read, in bytes.
const NAME_MAX: usize = 1_024;

/// A file that the sender has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Offer {
    /// Bytes of the content, at most 2⁶³ − 1.
    pub(super) size: u64,
    /// SHA-256 of the content.
    pub(super) hash: [u8; 32],
    /// As the sender says it: not to be used as it is.
    pub(super) name: String,
}

/// What the receiver says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// The offer has arrived; what is here already is being read.
    Checking,
    /// The content is wanted from this byte on.
    From(u64),
    /// The whole file is stored and its hash is right.
    Stored,
    /// It is not, or will not be.
    Declined(Decline),
}

/// Why a file is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decline {
    /// The receiver speaks another version.
    Version,
    /// The offer is not one.
    Offer,
    /// No file can have that name.
    Name,
    /// Larger than the receiver takes.
    TooLarge,
    /// The same file is arriving already, or too many are unfinished.
    Busy,
    /// The receiver does not take files from this member.
    Unwelcome,
    /// There is no room for it.
    DiskFull,
    /// It could not be written.
    NotStored,
    /// The content has another hash.
    Hash,
    /// The content was longer or shorter than announced.
    Size,
    /// The receiver takes no files.
    Closed,
}

const DECLINES: [Decline; 11] = [
    Decline::Version,
    Decline::Offer,
    Decline::Name,
    Decline::TooLarge,
    Decline::Busy,
    Decline::Unwelcome,
    Decline::DiskFull,
    Decline::NotStored,
    Decline::Hash,
    Decline::Size,
    Decline::Closed,
];

/// Why nothing could be read.
#[derive(Debug)]
pub(super) enum WireError {
    /// The stream broke, or ended early.
    Io(io::Error),
    /// The other side speaks another version.
    Version,
    /// This is no transfer, for this reason.
    Malformed(&'static str),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> WireError {
        WireError::Io(error)
    }
}

impl Offer {
    /// For the wire; a name that is too long is cut.
    pub(super) fn encode(&self) -> Vec<u8> {
        let name = cut(&self.name, NAME_MAX);
        let mut bytes = Vec::with_capacity(HEAD + name.len());
        bytes.extend(MAGIC);
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(self.hash);
        bytes.extend((name.len() as u16).to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes
    }

    /// Reads one, and nothing behind it.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Offer, WireError> {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).await?;
        check_magic(&head)?;
        let size = number(&head[8..16]);
        if size > i64::MAX as u64 {
            return Err(WireError::Malformed("no file is as large"));
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(&head[16..48]);
        let length = usize::from(u16::from_be_bytes([head[48], head[49]]));
        if length == 0 || length > NAME_MAX {
            return Err(WireError::Malformed("a name has 1 to 1,024 bytes"));
        }
        let mut name = vec![0; length];
        from.read_exact(&mut name).await?;
        let name = String::from_utf8(name);
        let name = name.map_err(|_| WireError::Malformed("the name is not UTF-8"))?;
        Ok(Offer { size, hash, name })
    }
}

impl Reply {
    pub(super) fn encode(self) -> [u8; REPLY] {
        let (kind, value) = match self {
            Reply::Checking => (0, 0),
            Reply::From(offset) => (1, offset),
            Reply::Stored => (2, 0),
            Reply::Declined(why) => {
                (3, DECLINES.iter().position(|d| *d == why).unwrap_or(0) as u64)
            }
        };
        let mut bytes = [0; REPLY];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = kind;
        bytes[9..].copy_from_slice(&value.to_be_bytes());
        bytes
    }

    /// Reads one, and nothing behind it.
    pub(super) async fn read(
        from: &mut (impl AsyncRead + Unpin + ?Sized),
    ) -> Result<Reply, WireError> {
        let mut bytes = [0; REPLY];
        from.read_exact(&mut bytes).await?;
        check_magic(&bytes)?;
        let value = number(&bytes[9..]);
        match (bytes[8], value) {
            (0, 0) => Ok(Reply::Checking),
            (1, offset) => Ok(Reply::From(offset)),
            (2, 0) => Ok(Reply::Stored),
            (3, why) => {
                let why = usize::try_from(why).ok().and_then(|why| DECLINES.get(why));
                why.map(|why| Reply::Declined(*why))
                    .ok_or(WireError::Malformed("an answer of an unknown kind"))
            }
            _ => Err(WireError::Malformed("an answer of an unknown kind")),
        }
    }
}

fn check_magic(bytes: &[u8]) -> Result<(), WireError> {
    match bytes[..8].split_at(7) {
        (magic, _) if magic != &MAGIC[..7] => Err(WireError::Malformed("this is no file")),
        (_, version) if version != &MAGIC[7..] => Err(WireError::Version),
        _ => Ok(()),
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        Offer { size: 0x0102_0304_0506, hash: [7; 32], name: "Zoë.txt".to_owned() }
    }

    async fn read(mut bytes: &[u8]) -> Result<Offer, WireError> {
        Offer::read(&mut bytes).await
    }

    #[tokio::test]
    async fn an_offer_comes_back_and_what_follows_stays() {
        let mut bytes = offer().encode();
        assert_eq!(&bytes[..16], b"p2pfile\x01\0\0\x01\x02\x03\x04\x05\x06");
        assert_eq!(bytes.len(), 50 + "Zoë.txt".len());
        bytes.extend(b"content");
        let mut rest = &bytes[..];
        assert_eq!(Offer::read(&mut rest).await.unwrap(), offer());
        assert_eq!(rest, b"content");
    }

    #[tokio::test]
    async fn what_is_no_offer_is_refused() {
        let good = offer().encode();
        for n in 0..good.len() {
            assert!(matches!(read(&good[..n]).await, Err(WireError::Io(_))), "{n} bytes");
        }
        let with = |at: usize, bytes: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            bad
        };
        assert!(matches!(read(&with(7, b"\x02")).await, Err(WireError::Version)));
        for (bad, why) in [
            (with(0, b"P"), "this is no file"),
            (with(8, b"\x80"), "no file is as large"),
            (with(48, b"\0\0"), "1 to 1,024"),
            (with(48, b"\x04\x01"), "1 to 1,024"),
            (with(50, b"\xff"), "UTF-8"),
        ] {
            let Err(WireError::Malformed(said)) = read(&bad).await else { panic!("{why}") };
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        let long = Offer { name: "ë".repeat(NAME_MAX), ..offer() };
        assert_eq!(long.encode().len(), HEAD + NAME_MAX);
        let odd = Offer { name: format!("x{}", "ë".repeat(NAME_MAX)), ..offer() };
        assert_eq!(odd.encode().len(), HEAD + NAME_MAX - 1);
    }

    #[tokio::test]
    async fn answers_come_back_and_others_are_refused() {
        let declined = DECLINES.map(Reply::Declined);
        for reply in [Reply::Checking, Reply::From(u64::MAX), Reply::Stored].iter().chain(&declined)
        {
            assert_eq!(Reply::read(&mut &reply.encode()[..]).await.unwrap(), *reply);
        }
        for (kind, value) in [(0, 1), (2, 1), (3, DECLINES.len() as u8), (3, 255), (4, 0)] {
            let mut bytes = Reply::Stored.encode();
            (bytes[8], bytes[16]) = (kind, value);
            let read = Reply::read(&mut &bytes[..]).await;
            assert!(matches!(read, Err(WireError::Malformed(_))), "{kind} {value}");
        }
        let mut other = Reply::Stored.encode();
        other[7] = 2;
        assert!(matches!(Reply::read(&mut &other[..]).await, Err(WireError::Version)));
    }
}

//! The words of a line: each kind of value with how it is written and how it is read.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::{self, Formatter, Write};
use core::net::SocketAddrV6;

use super::Fault;
use crate::authority::Refusal;
use crate::code::Code;
use crate::id::{Address, ConnectionId, GroupKey, Guid, InstanceId, KeyId};
use crate::io::{DialId, DownCause, Expect, LinkId, StreamId, Ticket};
use crate::node::Taken;
use crate::object::ObjectKind;
use crate::time::FileTime;

/// What is left of a line.
pub(super) struct Words<'a>(core::iter::Peekable<core::str::SplitAsciiWhitespace<'a>>);

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Words(line.split_ascii_whitespace().peekable())
    }

    pub(super) fn peek(&mut self) -> Option<&'a str> {
        self.0.peek().copied()
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    pub(super) fn read<T: Phrase>(&mut self, name: &'static str) -> Result<T, Fault> {
        T::read(self).ok_or(Fault::Word(name))
    }

    pub(super) fn end(mut self) -> Result<(), Fault> {
        self.next().map_or(Ok(()), |_| Err(Fault::Surplus))
    }
}

/// A value of one word or of all the rest of the line; written with a space before each word.
pub(super) trait Phrase: Sized {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result;
    fn read(words: &mut Words<'_>) -> Option<Self>;
}

/// A value of one word: no space in it, never empty.
pub(super) trait Word: Sized {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result;
    fn get(word: &str) -> Option<Self>;
}

impl<T: Word> Phrase for T {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char(' ')?;
        self.put(f)
    }

    fn read(words: &mut Words<'_>) -> Option<Self> {
        words.next().and_then(T::get)
    }
}

impl Phrase for Vec<Address> {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|address| address.write(f))
    }

    fn read(words: &mut Words<'_>) -> Option<Self> {
        core::iter::from_fn(|| words.next()).map(Address::get).collect()
    }
}

impl Phrase for Arc<[Address]> {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|address| address.write(f))
    }

    fn read(words: &mut Words<'_>) -> Option<Self> {
        Vec::read(words).map(Arc::from)
    }
}

macro_rules! numbers {
    ($($number:ident)* ; $($id:ident)*) => {
        $(impl Word for $number {
            fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }

            fn get(word: &str) -> Option<Self> {
                word.parse().ok()
            }
        })*
        $(impl Word for $id {
            fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
                self.0.put(f)
            }

            fn get(word: &str) -> Option<Self> {
                Word::get(word).map($id)
            }
        })*
    };
}

numbers! {
    u8 u16 u32 u64 usize;
    LinkId StreamId DialId Ticket GroupKey ConnectionId InstanceId FileTime KeyId
}

impl<T: Word> Word for Option<T> {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Some(value) => value.put(f),
            None => f.write_char('-'),
        }
    }

    fn get(word: &str) -> Option<Self> {
        if word == "-" { Some(None) } else { T::get(word).map(Some) }
    }
}

impl Word for bool {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if *self { "on" } else { "off" })
    }

    fn get(word: &str) -> Option<Self> {
        match word {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }
}

fn put_hex(bytes: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // A piece at a time: a trace is mostly payload.
    bytes.chunks(64).try_for_each(|piece| {
        let mut digits = [0; 128];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(piece) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(core::str::from_utf8(&digits[..2 * piece.len()]).map_err(|_| fmt::Error)?)
    })
}

pub(super) fn get_hex(word: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(word.len() / 2);
    for pair in word.as_bytes().chunks(2) {
        let [high, low] = *pair else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}

impl<const N: usize> Word for [u8; N] {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_hex(self, f)
    }

    fn get(word: &str) -> Option<Self> {
        get_hex(word)?.try_into().ok()
    }
}

impl Word for Bytes {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_empty() { f.write_char('-') } else { put_hex(self, f) }
    }

    fn get(word: &str) -> Option<Self> {
        if word == "-" { Some(Bytes::new()) } else { get_hex(word).map(Bytes::from) }
    }
}

impl Word for Address {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SocketAddrV6::new(self.ip, self.port, 0, self.scope))
    }

    fn get(word: &str) -> Option<Self> {
        let address: SocketAddrV6 = word.parse().ok()?;
        Some(Address { ip: *address.ip(), port: address.port(), scope: address.scope_id() })
    }
}

impl Word for Guid {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }

    fn get(word: &str) -> Option<Self> {
        let digits: String = word.chars().filter(|c| *c != '-').collect();
        let guid = Guid(Word::get(&digits)?);
        (guid.to_string() == word).then_some(guid)
    }
}

impl Word for ObjectKind {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }

    fn get(word: &str) -> Option<Self> {
        ObjectKind::from_number(word.parse().ok()?)
    }
}

impl Word for Code {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0 as u32),
        }
    }

    fn get(word: &str) -> Option<Self> {
        match word.strip_prefix("0x") {
            Some(digits) => Word::get(digits).map(|bytes| Code(i32::from_be_bytes(bytes))),
            None => Code::all().find(|code| code.name() == Some(word)),
        }
    }
}

impl Word for Result<(), Code> {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Ok(()) => f.write_str("ok"),
            Err(code) => code.put(f),
        }
    }

    fn get(word: &str) -> Option<Self> {
        if word == "ok" { Some(Ok(())) } else { Code::get(word).map(Err) }
    }
}

impl Word for DownCause {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DownCause::Timeout => f.write_str("timeout"),
            DownCause::Unreachable => f.write_str("unreachable"),
            DownCause::Tls(alert) => write!(f, "tls:{alert}"),
            DownCause::Verdict(Refusal { code, detail }) => {
                f.write_str("verdict:")?;
                code.put(f)?;
                f.write_char(':')?;
                detail.put(f)
            }
            DownCause::Refused => f.write_str("refused"),
            DownCause::Peer(code) => write!(f, "peer:{code}"),
            DownCause::Local => f.write_str("local"),
        }
    }

    fn get(word: &str) -> Option<Self> {
        let (name, rest) = word.split_once(':').unwrap_or((word, ""));
        Some(match (name, rest) {
            ("timeout", "") => DownCause::Timeout,
            ("unreachable", "") => DownCause::Unreachable,
            ("tls", alert) => DownCause::Tls(Word::get(alert)?),
            ("verdict", codes) => {
                let (code, detail) = codes.split_once(':')?;
                DownCause::Verdict(Refusal { code: Word::get(code)?, detail: Word::get(detail)? })
            }
            ("refused", "") => DownCause::Refused,
            ("peer", code) => DownCause::Peer(Word::get(code)?),
            ("local", "") => DownCause::Local,
            _ => return None,
        })
    }
}

impl Word for Expect {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (name, bytes): (_, &[u8]) = match self {
            Expect::Anyone => return f.write_str("anyone"),
            Expect::Key(key) => ("key:", &key.0),
            Expect::Authority(short) => ("authority:", short),
        };
        f.write_str(name)?;
        put_hex(bytes, f)
    }

    fn get(word: &str) -> Option<Self> {
        match word.split_once(':') {
            None if word == "anyone" => Some(Expect::Anyone),
            Some(("key", key)) => Word::get(key).map(Expect::Key),
            Some(("authority", short)) => Word::get(short).map(Expect::Authority),
            _ => None,
        }
    }
}

impl Word for Taken {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Taken::Data { bytes } => write!(f, "data:{bytes}"),
            Taken::Disconnected => f.write_str("disconnected"),
        }
    }

    fn get(word: &str) -> Option<Self> {
        match word.split_once(':') {
            None if word == "disconnected" => Some(Taken::Disconnected),
            Some(("data", bytes)) => Some(Taken::Data { bytes: Word::get(bytes)? }),
            _ => None,
        }
    }
}

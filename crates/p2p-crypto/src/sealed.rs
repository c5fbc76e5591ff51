//! Bytes under a password, bound to what stands beside them.
//!
//! ```text
//! version 1 | kdf 1 | memory in KiB, u32 | passes, u32 | lanes, u32 | salt, 16 | nonce, 12 | sealed
//! ```
//!
//! Numbers have the most significant byte first. Sealed, by ChaCha20-Poly1305 (RFC 8439), are the bytes; the cipher's key
//! is 32 bytes of Argon2id (RFC 9106, version 0x13) of the password. Authenticated with them are a context, all that
//! precedes `sealed`, and what they are bound to. So neither parameters nor what stands beside can be altered, and
//! whoever lacks the password learns no more than the length.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::key::{join, random};
use crate::refusal::Cause;
use crate::stretch::{Cost, PASSWORD_MAX, SALT_LEN, stretch};

const FORM: u8 = 1;
const ARGON2ID: u8 = 1;
const NONCE_LEN: usize = 12;
/// Bytes that follow the sealed ones and vouch for them.
pub(crate) const TAG_LEN: usize = 16;
/// Bytes before the sealed ones.
pub(crate) const HEAD_LEN: usize = 2 + 3 * 4 + SALT_LEN + NONCE_LEN;

/// What sealed bytes belong to: they open with it only.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    /// What kind of thing it is; ends in a zero byte.
    pub(crate) context: &'a [u8],
    /// What stands beside it.
    pub(crate) beside: &'a [u8],
}

impl Bound<'_> {
    fn authenticated(&self, head: &[u8]) -> Vec<u8> {
        [self.context, head, self.beside].concat()
    }
}

/// Checks the length of a password that something is sealed with.
pub(crate) fn check_length(password: &str) -> Result<(), CryptoError> {
    if password.is_empty() || password.len() > PASSWORD_MAX {
        return Err(CryptoError::Argument("a password has 1 to 1,024 bytes"));
    }
    Ok(())
}

/// Seals the concatenation of `parts`.
pub(crate) fn seal(
    bound: Bound<'_>,
    parts: &[&[u8]],
    password: &str,
    cost: Cost,
) -> Result<Vec<u8>, CryptoError> {
    let head = Head { cost, salt: random()?, nonce: random()? };
    let key = head.key(password)?;
    let mut data = head.encode().to_vec();
    // The contents are encrypted where they stand: no copy of them is left behind.
    let mut contents = join(parts);
    let aad = Aad::from(bound.authenticated(&data));
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(head.nonce), aad, &mut contents)
        .map_err(|_| CryptoError::Argument("there is too much to be sealed"))?;
    data.extend_from_slice(&contents);
    data.extend_from_slice(tag.as_ref());
    Ok(data)
}

/// What was sealed: at most `max` bytes. A fault becomes an error by `refused`.
pub(crate) fn open(
    bound: Bound<'_>,
    data: &[u8],
    max: usize,
    password: &str,
    refused: impl Fn(Cause) -> CryptoError,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let (head, sealed) = Head::decode(data, &refused)?;
    if sealed.len() > max + TAG_LEN {
        return Err(refused(Cause::TooLarge));
    }
    let key = head.key(password)?;
    let mut contents = Zeroizing::new(sealed.to_vec());
    let aad = Aad::from(bound.authenticated(&data[..HEAD_LEN]));
    let length = key
        .open_in_place(Nonce::assume_unique_for_key(head.nonce), aad, &mut contents)
        .map_err(|_| refused(Cause::WrongPassword))?
        .len();
    contents.truncate(length);
    Ok(contents)
}

/// What precedes the sealed part.
struct Head {
    cost: Cost,
    salt: [u8; SALT_LEN],
    nonce: [u8; NONCE_LEN],
}

impl Head {
    fn encode(&self) -> [u8; HEAD_LEN] {
        let mut head = [0; HEAD_LEN];
        head[..2].copy_from_slice(&[FORM, ARGON2ID]);
        head[2..6].copy_from_slice(&self.cost.memory.to_be_bytes());
        head[6..10].copy_from_slice(&self.cost.passes.to_be_bytes());
        head[10..14].copy_from_slice(&self.cost.lanes.to_be_bytes());
        head[14..30].copy_from_slice(&self.salt);
        head[30..].copy_from_slice(&self.nonce);
        head
    }

    /// The head, with bearable parameters, and what follows it.
    fn decode(
        data: &[u8],
        refused: impl Fn(Cause) -> CryptoError,
    ) -> Result<(Head, &[u8]), CryptoError> {
        match data {
            [FORM, ARGON2ID, ..] => {}
            [_, _, ..] => return Err(CryptoError::Version),
            _ => return Err(refused(Cause::Container)),
        }
        let (head, sealed) =
            data.split_first_chunk::<HEAD_LEN>().ok_or_else(|| refused(Cause::Container))?;
        let number =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let cost = Cost { memory: number(2), passes: number(6), lanes: number(10) };
        let cost = cost.check().map_err(refused)?;
        let (mut salt, mut nonce) = ([0; SALT_LEN], [0; NONCE_LEN]);
        salt.copy_from_slice(&head[14..30]);
        nonce.copy_from_slice(&head[30..]);
        Ok((Head { cost, salt, nonce }, sealed))
    }

    /// The key that a password gives.
    fn key(&self, password: &str) -> Result<LessSafeKey, CryptoError> {
        check_length(password)?;
        let mut key = Zeroizing::new([0; 32]);
        stretch(password.as_bytes(), &self.salt, self.cost, &mut key[..])?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key[..]).expect("the key has 32 bytes");
        Ok(LessSafeKey::new(key))
    }
}

//! What a group is opened with: members, and what a store knew.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::{self, Formatter, Write};

use super::words::{Phrase, Word, Words, get_hex};
use crate::authority::{Member, Roles};
use crate::id::{Address, KeyId};
use crate::io::GroupSnapshot;
use crate::object::Step;

impl Phrase for Box<GroupSnapshot> {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.synchronised { " synchronised" } else { " new" })?;
        for (peer, addresses) in &self.addresses {
            f.write_str(" at:")?;
            peer.put(f)?;
            for address in addresses {
                f.write_char(',')?;
                address.put(f)?;
            }
        }
        for member in &self.members {
            f.write_str(" member:")?;
            member.put(f)?;
        }
        for (kind, bytes) in &self.objects {
            f.write_str(" object:")?;
            kind.put(f)?;
            f.write_char(',')?;
            bytes.put(f)?;
        }
        Ok(())
    }

    fn read(words: &mut Words<'_>) -> Option<Self> {
        let synchronised = match words.next()? {
            "synchronised" => true,
            "new" => false,
            _ => return None,
        };
        let mut snapshot = GroupSnapshot { synchronised, ..GroupSnapshot::default() };
        while let Some(word) = words.next() {
            match word.split_once(':')? {
                ("at", known) => {
                    let mut parts = known.split(',');
                    let peer = KeyId::get(parts.next()?)?;
                    snapshot
                        .addresses
                        .push((peer, parts.map(Address::get).collect::<Option<_>>()?));
                }
                ("member", member) => snapshot.members.push(Word::get(member)?),
                ("object", object) => {
                    let (kind, bytes) = object.split_once(',')?;
                    snapshot.objects.push((Word::get(kind)?, Word::get(bytes)?));
                }
                _ => return None,
            }
        }
        Some(Box::new(snapshot))
    }
}

const ROLES: [(char, Roles); 3] =
    [('a', Roles::ADMIN), ('i', Roles::INVITING_MEMBER), ('m', Roles::MEMBER)];

impl Word for Arc<Member> {
    fn put(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.key.put(f)?;
        for text in [&self.name, &self.friendly_name, &self.issuer_name, &self.issuer_friendly_name]
        {
            f.write_char(',')?;
            put_text(text, f)?;
        }
        f.write_char(',')?;
        for (letter, _) in ROLES.iter().filter(|row| self.roles.contains(row.1)) {
            f.write_char(*letter)?;
        }
        write!(f, ",{},{},{},", self.depth, self.not_before.0, self.not_after.0)?;
        self.chain.put(f)?;
        // Traces of 0.1.0's first days have no path.
        if self.path.is_empty() {
            return Ok(());
        }
        f.write_char(',')?;
        let steps = self.path.iter().flat_map(|step| [&step.key.0[..], &step.serial[..]]);
        Bytes::from(steps.collect::<Vec<_>>().concat()).put(f)
    }

    fn get(word: &str) -> Option<Self> {
        let mut parts = word.split(',');
        let mut next = || parts.next();
        let member = Member {
            key: Word::get(next()?)?,
            name: get_text(next()?)?,
            friendly_name: get_text(next()?)?,
            issuer_name: get_text(next()?)?,
            issuer_friendly_name: get_text(next()?)?,
            roles: next()?.chars().try_fold(Roles::empty(), |roles, letter| {
                ROLES.iter().find(|row| row.0 == letter).map(|row| roles.with(row.1))
            })?,
            depth: Word::get(next()?)?,
            not_before: Word::get(next()?)?,
            not_after: Word::get(next()?)?,
            chain: Word::get(next()?)?,
            path: next().map_or(Some(Arc::from([])), |word| steps(&<Bytes as Word>::get(word)?))?,
        };
        next().is_none().then(|| Arc::new(member))
    }
}

/// Each step is a key and a serial number.
fn steps(bytes: &[u8]) -> Option<Arc<[Step]>> {
    let (steps, []) = bytes.as_chunks::<48>() else { return None };
    let step = |step: &[u8; 48]| {
        let (key, rest) = step.split_first_chunk()?;
        Some(Step { key: KeyId(*key), serial: *rest.first_chunk()? })
    };
    steps.iter().map(step).collect()
}

/// May be empty: it stands between commas.
fn put_text(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    text.bytes().try_for_each(|byte| match byte {
        b'%' | b',' => write!(f, "%{byte:02x}"),
        0x21..=0x7e => f.write_char(char::from(byte)),
        _ => write!(f, "%{byte:02x}"),
    })
}

fn get_text(word: &str) -> Option<String> {
    let mut pieces = word.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.extend(get_hex(digits)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

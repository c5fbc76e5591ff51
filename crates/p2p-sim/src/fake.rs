//! An authority without cryptography: a chain is a list of who, as what, from when until when; eight bytes stand for all signatures. It
//! judges as the real one does, and is the only place that knows the core's seam: what the seam gains is added here.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Authority, Code, Credential, FileTime, KeyId, Member, Object, ObjectId, ObjectKind, Properties,
    Reason, Refusal, Revocation, Roles, Step,
};

use crate::bug::Bug;

/// When every world begins.
pub const GENESIS: FileTime = FileTime(FileTime::UNIX_EPOCH.0 + 1_795_000_000 * FileTime::SECOND);
/// What verifiers tolerate, in seconds.
pub const SKEW: u64 = 600;
/// Members in a chain.
pub const DEPTH_MAX: usize = 24;

/// One certificate: who was made what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The member.
    pub key: KeyId,
    /// What it may do.
    pub roles: Roles,
    /// From when.
    pub from: FileTime,
    /// Until when.
    pub until: FileTime,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// The group that it is of.
    pub group: KeyId,
    /// The creator first, its holder last.
    pub rungs: Vec<Rung>,
    /// Whether all signatures are right.
    pub genuine: bool,
}

impl Paper {
    /// The creator's own.
    pub fn founder(group: KeyId, key: KeyId) -> Paper {
        let from = GENESIS.minus_seconds(86_400);
        let rung = Rung { key, roles: Roles::ADMIN, from, until: FileTime::NO_END };
        Paper { group, rungs: vec![rung], genuine: true }
    }

    /// One rung longer.
    #[must_use]
    pub fn issue(&self, key: KeyId, roles: Roles) -> Paper {
        let mut paper = self.clone();
        let last = *self.holder();
        paper.rungs.push(Rung { key, roles, ..last });
        paper
    }

    /// The last rung.
    pub fn holder(&self) -> &Rung {
        self.rungs.last().expect("a chain has a holder")
    }

    /// As it is shown to a peer.
    pub fn chain(&self) -> Bytes {
        let mut out = Vec::with_capacity(40 + 49 * self.rungs.len());
        out.extend_from_slice(&self.group.0);
        for rung in &self.rungs {
            out.extend_from_slice(&rung.key.0);
            out.push(letters(rung.roles));
            out.extend_from_slice(&rung.from.0.to_be_bytes());
            out.extend_from_slice(&rung.until.0.to_be_bytes());
        }
        let mut seal = seal(&out);
        seal[0] ^= u8::from(!self.genuine);
        out.extend_from_slice(&seal);
        out.into()
    }

    /// What a verifier makes of it.
    pub fn member(&self) -> Arc<Member> {
        let holder = self.holder();
        let issuer = self.rungs.iter().rev().nth(1).map_or(self.group, |rung| rung.key);
        Arc::new(Member {
            key: holder.key,
            name: format!("{}.", holder.key),
            friendly_name: String::from("somebody"),
            issuer_name: format!("{issuer}."),
            issuer_friendly_name: String::new(),
            roles: holder.roles,
            depth: self.rungs.len() as u8,
            not_before: holder.from,
            not_after: holder.until,
            chain: self.chain(),
            path: self.path(),
        })
    }

    /// Whose certificates it is made of.
    pub fn path(&self) -> Arc<[Step]> {
        let serial = |rung: &Rung| {
            let (from, until) = (rung.from.0.to_be_bytes(), rung.until.0.to_be_bytes());
            let mixed = mix(&[b"serial", &rung.key.0, &[letters(rung.roles)], &from, &until]);
            *mixed.first_chunk().expect("32 bytes")
        };
        self.rungs.iter().map(|rung| Step { key: rung.key, serial: serial(rung) }).collect()
    }

    /// Reads a chain.
    pub fn parse(chain: &[u8]) -> Option<Paper> {
        let (signed, sealed) = chain.split_last_chunk::<8>()?;
        let (group, rest) = signed.split_first_chunk::<32>()?;
        let (rungs, rest) = rest.as_chunks::<49>();
        let read = |rung: &[u8; 49]| {
            let (key, rest) = rung.split_first_chunk::<32>()?;
            let (from, until) = rest[1..].split_first_chunk::<8>()?;
            Some(Rung {
                key: KeyId(*key),
                roles: roles(rest[0]),
                from: FileTime(u64::from_be_bytes(*from)),
                until: FileTime(u64::from_be_bytes(until.try_into().ok()?)),
            })
        };
        let rungs: Option<Vec<Rung>> = rungs.iter().map(read).collect();
        let rungs = rungs.filter(|rungs| rest.is_empty() && !rungs.is_empty())?;
        Some(Paper { group: KeyId(*group), rungs, genuine: *sealed == seal(signed) })
    }

    /// The first rule that it breaks, whoever shows it and whenever.
    fn examine(&self, group: &KeyId) -> Result<(), Refusal> {
        let no = |code, detail| Err(Refusal { code, detail });
        if self.rungs.len() > DEPTH_MAX {
            return no(Code::CRYPT_E_BAD_LEN, Code::CRYPT_E_BAD_LEN);
        }
        if self.group != *group {
            return no(Code::CRYPT_E_NO_TRUSTED_SIGNER, Code::CERT_E_UNTRUSTEDROOT);
        }
        let may = |pair: &[Rung]| pair[0].roles.grantable().contains(pair[1].roles);
        if !self.rungs.windows(2).all(may) {
            return no(Code::CRYPT_E_SECURITY_SETTINGS, Code::CERT_E_PURPOSE);
        }
        if !self.genuine {
            return no(Code::CRYPT_E_HASH_VALUE, Code::TRUST_E_CERT_SIGNATURE);
        }
        Ok(())
    }

    /// The first rule that it breaks.
    fn judge(&self, group: &KeyId, peer: &KeyId, at: &FileTime) -> Result<(), Refusal> {
        let no = |code, detail| Err(Refusal { code, detail });
        if self.holder().key != *peer {
            return no(Code::CRYPT_E_NO_MATCH, Code::CERT_E_CN_NO_MATCH);
        }
        self.examine(group)?;
        let in_force = |rung: &Rung| {
            rung.from <= at.plus_seconds(SKEW) && *at <= rung.until.plus_seconds(SKEW)
        };
        if !self.rungs.iter().all(in_force) {
            return no(Code::CRYPT_E_SECURITY_SETTINGS, Code::CERT_E_EXPIRED);
        }
        Ok(())
    }
}

/// What a node of the world asks instead of certificates.
#[derive(Clone, Debug)]
pub struct Fake {
    /// Who asks.
    pub own: KeyId,
    /// Its chains, by group.
    pub chains: BTreeMap<KeyId, Bytes>,
    /// A broken one: accepts whatever can be read.
    pub trusting: bool,
    /// What else is wrong with it on purpose.
    pub bug: Option<Bug>,
}

impl Authority for Fake {
    fn own_key(&self) -> KeyId {
        self.own
    }

    fn own_chain(&self, group: &KeyId) -> Option<Bytes> {
        self.chains.get(group).cloned()
    }

    fn session(&self, binding: &[u8; 32], group: &KeyId) -> [u8; 32] {
        session(binding, group)
    }

    fn tag(&self, session: &[u8; 32], dialer: bool) -> [u8; 16] {
        tag(session, dialer)
    }

    fn verify_member(
        &self,
        group: &KeyId,
        chain: &[u8],
        peer: &KeyId,
        at: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        let corrupt = Code::CRYPT_E_ASN1_CORRUPT;
        let paper = Paper::parse(chain).ok_or(Refusal { code: corrupt, detail: corrupt })?;
        if self.trusting {
            let member = (*paper.member()).clone();
            return Ok(Arc::new(Member { key: *peer, ..member }));
        }
        paper.judge(group, peer, at).map(|()| paper.member())
    }

    fn verify_object(
        &self,
        group: &KeyId,
        kind: ObjectKind,
        bytes: &Bytes,
    ) -> Result<Object, Refusal> {
        let no = Refusal { code: Code::CRYPT_E_BAD_MSG, detail: Code::NTE_BAD_DATA };
        let id = object_id(kind, bytes);
        match kind {
            ObjectKind::Revocation => {
                let mut revocation = read_revocation(group, id, bytes).ok_or(no)?;
                if self.bug == Some(Bug::ToothlessRevocation) {
                    // Of somebody so deep that nobody stands below.
                    revocation.path = [revocation.path[0]; DEPTH_MAX].into();
                }
                if self.bug == Some(Bug::DeafAuthority) && self.own.0[0].is_multiple_of(2) {
                    return Err(no);
                }
                Ok(Object::Revocation(revocation.into()))
            }
            ObjectKind::Properties => {
                let version =
                    bytes.strip_prefix(&group.0[..]).and_then(|rest| rest.try_into().ok());
                let version = u64::from_be_bytes(version.ok_or(no)?);
                let bytes = bytes.clone();
                Ok(Object::Properties(Properties { id, version, password: None, bytes }.into()))
            }
            _ => {
                let paper = Paper::parse(bytes).ok_or(no)?;
                paper.examine(group)?;
                Ok(Object::Credential(Credential { id, member: paper.member() }.into()))
            }
        }
    }

    fn adopt(&mut self, group: &KeyId, chain: Bytes) {
        self.chains.insert(*group, chain);
    }
}

/// A revocation of all certificates of `target`, or of one, by the holder of a chain.
pub fn revocation(signer: &Paper, target: KeyId, serial: Option<[u8; 16]>) -> Bytes {
    let mut out = target.0.to_vec();
    out.push(u8::from(serial.is_some()));
    out.extend(serial.unwrap_or_default());
    out.extend_from_slice(&signer.chain());
    out.into()
}

/// The id of an object.
pub fn object_id(kind: ObjectKind, bytes: &[u8]) -> ObjectId {
    ObjectId(mix(&[&[kind.number()], bytes]))
}

/// Whose membership a revocation takes back, and who stands in its signer's chain.
pub fn revoked(bytes: &[u8]) -> Option<(KeyId, Vec<KeyId>)> {
    let target = bytes.first_chunk().map(|key| KeyId(*key))?;
    let signer = Paper::parse(bytes.get(49..)?)?;
    Some((target, signer.rungs.iter().map(|rung| rung.key).collect()))
}

fn read_revocation(group: &KeyId, id: ObjectId, bytes: &Bytes) -> Option<Revocation> {
    let (target, rest) = bytes.split_first_chunk()?;
    let (some, rest) = rest.split_first()?;
    let (serial, chain) = rest.split_first_chunk()?;
    let signer = Paper::parse(chain)?;
    let may = signer.examine(group).is_ok() && signer.holder().roles.contains(Roles::ADMIN);
    may.then(|| Revocation {
        id,
        target: KeyId(*target),
        serial: (*some == 1).then_some(*serial),
        reason: Reason::PrivilegeWithdrawn,
        issued: GENESIS,
        signer: signer.holder().key,
        path: signer.path(),
        bytes: bytes.clone(),
    })
}

/// The session id of a group on a link.
pub fn session(binding: &[u8; 32], group: &KeyId) -> [u8; 32] {
    mix(&[b"session", binding, &group.0])
}

/// The tag that streams of a session carry.
pub fn tag(session: &[u8; 32], dialer: bool) -> [u8; 16] {
    let mut tag = [0; 16];
    tag.copy_from_slice(&mix(&[b"tag", session, &[u8::from(dialer)]])[..16]);
    tag
}

/// Thirty-two bytes that depend on every byte of every part.
pub fn mix(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&(part.len() as u64).to_be_bytes()) {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let mut dice = crate::dice::Dice::new(state, 0);
    let mut out = [0; 32];
    out.chunks_mut(8).for_each(|lane| lane.copy_from_slice(&dice.roll().to_be_bytes()));
    out
}

/// What stands for all signatures of a chain: no byte of it can be changed unnoticed.
fn seal(signed: &[u8]) -> [u8; 8] {
    *mix(&[b"sealed", signed]).first_chunk().expect("32 bytes")
}

const LETTERS: [(Roles, u8); 3] =
    [(Roles::ADMIN, 4), (Roles::INVITING_MEMBER, 2), (Roles::MEMBER, 1)];

fn letters(roles: Roles) -> u8 {
    LETTERS.iter().filter(|row| roles.contains(row.0)).map(|row| row.1).sum()
}

fn roles(bits: u8) -> Roles {
    let set =
        |roles: Roles, row: &(Roles, u8)| if bits & row.1 != 0 { roles.with(row.0) } else { roles };
    LETTERS.iter().fold(Roles::empty(), set)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: KeyId = KeyId([9; 32]);

    fn key(n: u8) -> KeyId {
        KeyId([n; 32])
    }

    #[test]
    fn a_chain_reads_as_it_was_written_and_is_accepted() {
        let paper = Paper::founder(GROUP, key(1))
            .issue(key(2), Roles::INVITING_MEMBER)
            .issue(key(3), Roles::MEMBER);
        assert_eq!(Paper::parse(&paper.chain()), Some(paper.clone()));
        assert_eq!(paper.judge(&GROUP, &key(3), &GENESIS), Ok(()));
    }

    #[test]
    fn every_flaw_is_refused() {
        let good = Paper::founder(GROUP, key(1)).issue(key(2), Roles::MEMBER);
        let refused = |paper: &Paper| paper.judge(&GROUP, &paper.holder().key, &GENESIS).is_err();
        assert!(!refused(&good));
        assert!(refused(&good.issue(key(3), Roles::MEMBER)), "a plain member issues nothing");
        assert!(refused(&Paper { genuine: false, ..good.clone() }));
        assert!(refused(&Paper { group: key(8), ..good.clone() }));
        let mut long = Paper::founder(GROUP, key(1));
        (0..DEPTH_MAX as u8).for_each(|n| long = long.issue(key(n + 2), Roles::ADMIN));
        assert!(refused(&long));
        let mut over = good.clone();
        over.rungs[1].until = GENESIS.minus_seconds(SKEW + 1);
        assert!(refused(&over));
        assert!(good.judge(&GROUP, &key(3), &GENESIS).is_err(), "somebody else's");
    }
}

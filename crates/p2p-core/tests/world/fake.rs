//! An authority without cryptography: keys are bytes, a chain is a few fields, a signature is one bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{
    Authority, Code, Credential, FileTime, KeyId, Member, Object, ObjectId, ObjectKind, Password,
    Properties, Reason, Refusal, Revocation, Roles, Step,
};

/// When every world begins.
pub const GENESIS: FileTime = FileTime(FileTime::UNIX_EPOCH.0 + 1_795_000_000 * FileTime::SECOND);
/// What verifiers tolerate, in seconds.
const SKEW: u64 = 600;

pub fn key(n: u8) -> KeyId {
    KeyId(mix(&[b"key", &[n]]))
}

/// What a membership says.
#[derive(Clone, Debug)]
pub struct Paper {
    pub group: KeyId,
    pub member: KeyId,
    pub not_before: FileTime,
    pub not_after: FileTime,
    pub depth: u8,
    pub genuine: bool,
    pub roles: Roles,
}

impl Paper {
    pub fn new(group: KeyId, member: KeyId) -> Paper {
        Paper {
            group,
            member,
            not_before: GENESIS.minus_seconds(3_600),
            not_after: FileTime::NO_END,
            depth: 2,
            genuine: true,
            roles: Roles::MEMBER,
        }
    }

    pub fn chain(&self) -> Bytes {
        let mut out = Vec::with_capacity(83);
        out.extend_from_slice(&self.group.0);
        out.extend_from_slice(&self.member.0);
        out.extend_from_slice(&self.not_before.0.to_be_bytes());
        out.extend_from_slice(&self.not_after.0.to_be_bytes());
        let roles = Roles::GUIDS.iter().filter(|row| self.roles.contains(row.0));
        let roles = roles.fold(0, |all, row| all | row.1.0[0]);
        out.extend_from_slice(&[self.depth, u8::from(self.genuine), roles]);
        out.into()
    }

    fn parse(chain: &[u8]) -> Option<Paper> {
        let (group, rest) = chain.split_first_chunk()?;
        let (member, rest) = rest.split_first_chunk()?;
        let (not_before, rest) = rest.split_first_chunk()?;
        let (not_after, rest) = rest.split_first_chunk()?;
        let &[depth, genuine, held] = rest else { return None };
        let roles = Roles::GUIDS.iter().filter(|row| held & row.1.0[0] == row.1.0[0]);
        Some(Paper {
            group: KeyId(*group),
            member: KeyId(*member),
            not_before: FileTime(u64::from_be_bytes(*not_before)),
            not_after: FileTime(u64::from_be_bytes(*not_after)),
            depth,
            genuine: genuine == 1,
            roles: roles.fold(Roles::empty(), |all, row| all.with(row.0)),
        })
    }

    pub fn member(&self) -> Arc<Member> {
        Arc::new(Member {
            key: self.member,
            name: format!("{}.member", self.member),
            friendly_name: String::from("somebody"),
            issuer_name: String::from("the founder"),
            issuer_friendly_name: String::new(),
            roles: self.roles,
            depth: self.depth,
            not_before: self.not_before,
            not_after: self.not_after,
            chain: self.chain(),
            path: self.path(),
        })
    }

    /// As if the founder had issued every membership: those in between are of nobody.
    fn path(&self) -> Arc<[Step]> {
        let between = (1..self.depth).map(|n| Step { key: key(0xc0 + n), serial: [n; 16] });
        let serial = *mix(&[b"serial", &self.chain()]).first_chunk().expect("32 bytes");
        between.chain([Step { key: self.member, serial }]).collect()
    }
}

/// A revocation by a member at the end of `path`, or by the group's own key.
pub fn revocation(group: KeyId, path: &[Step], target: KeyId, serial: Option<[u8; 16]>) -> Bytes {
    let mut out = [&group.0[..], &target.0].concat();
    out.push(u8::from(serial.is_some()));
    out.extend(serial.unwrap_or_default());
    for step in path {
        out.extend([&step.key.0[..], &step.serial].concat());
    }
    out.into()
}

/// Properties of a group.
pub fn properties(group: KeyId, version: u64, text: &str) -> Bytes {
    [&group.0[..], &version.to_be_bytes(), text.as_bytes()].concat().into()
}

pub fn object_id(kind: ObjectKind, bytes: &[u8]) -> ObjectId {
    ObjectId(mix(&[&[kind.number()], bytes]))
}

fn read_revocation(group: &KeyId, id: ObjectId, bytes: &Bytes) -> Option<Revocation> {
    let rest = bytes.strip_prefix(&group.0[..])?;
    let (target, rest) = rest.split_first_chunk()?;
    let ([some], rest) = rest.split_first_chunk()?;
    let (serial, rest) = rest.split_first_chunk()?;
    let (steps, []) = rest.as_chunks::<48>() else { return None };
    let step = |step: &[u8; 48]| Step {
        key: KeyId(*step.first_chunk().expect("48 bytes")),
        serial: *step.last_chunk().expect("48 bytes"),
    };
    let path: Arc<[Step]> = steps.iter().map(step).collect();
    Some(Revocation {
        id,
        target: KeyId(*target),
        serial: (*some == 1).then_some(*serial),
        reason: Reason::PrivilegeWithdrawn,
        issued: GENESIS,
        signer: path.last().map_or(*group, |step| step.key),
        path,
        bytes: bytes.clone(),
    })
}

#[derive(Clone, Debug)]
pub struct Fake {
    pub own: KeyId,
    pub chains: BTreeMap<KeyId, Bytes>,
    pub passwords: Passwords,
}

impl Authority for Fake {
    fn own_key(&self) -> KeyId {
        self.own
    }

    fn own_chain(&self, group: &KeyId) -> Option<Bytes> {
        self.chains.get(group).cloned()
    }

    fn session(&self, binding: &[u8; 32], group: &KeyId) -> [u8; 32] {
        mix(&[b"session", binding, &group.0])
    }

    fn tag(&self, session: &[u8; 32], dialer: bool) -> [u8; 16] {
        let mut tag = [0; 16];
        tag.copy_from_slice(&mix(&[b"tag", session, &[u8::from(dialer)]])[..16]);
        tag
    }

    fn verify_member(
        &self,
        group: &KeyId,
        chain: &[u8],
        peer: &KeyId,
        at: &FileTime,
    ) -> Result<Arc<Member>, Refusal> {
        let no = |code, detail| Err(Refusal { code, detail });
        let Some(paper) = Paper::parse(chain) else {
            return no(Code::CRYPT_E_ASN1_CORRUPT, Code::CRYPT_E_ASN1_CORRUPT);
        };
        if !paper.genuine {
            return no(Code::CRYPT_E_HASH_VALUE, Code::CERT_E_UNTRUSTEDROOT);
        }
        if paper.group != *group {
            return no(Code::CRYPT_E_NO_TRUSTED_SIGNER, Code::CERT_E_UNTRUSTEDROOT);
        }
        if paper.member != *peer {
            return no(Code::CRYPT_E_NO_MATCH, Code::CERT_E_CN_NO_MATCH);
        }
        if paper.not_after.plus_seconds(SKEW) < *at || *at < paper.not_before.minus_seconds(SKEW) {
            return no(Code::CRYPT_E_SECURITY_SETTINGS, Code::CERT_E_EXPIRED);
        }
        Ok(paper.member())
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
            ObjectKind::Revocation => read_revocation(group, id, bytes)
                .map(|revocation| Object::Revocation(revocation.into()))
                .ok_or(no),
            ObjectKind::Properties => {
                let version = bytes.strip_prefix(&group.0[..]).and_then(|b| b.first_chunk());
                let version = u64::from_be_bytes(*version.ok_or(no)?);
                let password = bytes[40..].strip_prefix(b"password ").map(|verifier| Password {
                    role: Roles::MEMBER,
                    verifier: Bytes::copy_from_slice(verifier),
                });
                let bytes = bytes.clone();
                let properties = Properties { id, version, password, bytes };
                Ok(Object::Properties(properties.into()))
            }
            _ => {
                let paper = Paper::parse(bytes).filter(|p| p.genuine && p.group == *group);
                let member = paper.ok_or(no)?.member();
                Ok(Object::Credential(Credential { id, member }.into()))
            }
        }
    }

    fn adopt(&mut self, group: &KeyId, chain: Bytes) {
        self.chains.insert(*group, chain);
        self.passwords.pending.remove(group);
    }

    fn awaits_password(&self, group: &KeyId) -> bool {
        self.passwords.pending.contains_key(group)
    }

    fn password_start(
        &mut self,
        exchange: u64,
        group: &KeyId,
        session: &[u8; 32],
        peer: &KeyId,
        entropy: [u8; 32],
    ) -> Option<Bytes> {
        let password = self.passwords.pending.get(group)?;
        let secret = mix(&[password, session, &group.0, &self.own.0, &peer.0]);
        let share = Bytes::copy_from_slice(&mix(&[b"share", &entropy]));
        let kept = Exchange { secret, share: share.clone(), joiner: self.own, group: *group };
        self.passwords.keep(exchange, kept);
        Some(share)
    }

    fn password_answer(
        &mut self,
        exchange: u64,
        group: Option<(&KeyId, &[u8])>,
        session: &[u8; 32],
        peer: &KeyId,
        first: &[u8],
        entropy: [u8; 32],
    ) -> Result<Bytes, Refusal> {
        if first.len() != 32 {
            return Err(WRONG_PASSWORD);
        }
        let secret = match group {
            Some((group, verifier)) => mix(&[verifier, session, &group.0, &peer.0, &self.own.0]),
            None => mix(&[b"nobody", &entropy]),
        };
        let share = Bytes::copy_from_slice(first);
        let answer = [mix(&[b"member", &secret, first]), mix(&[b"salt", &entropy])].concat();
        let group = group.map_or(KeyId([0; 32]), |(group, _)| *group);
        self.passwords.keep(exchange, Exchange { secret, share, joiner: *peer, group });
        Ok(answer.into())
    }

    fn password_confirm(&mut self, exchange: u64, answer: &[u8]) -> Result<Bytes, Refusal> {
        let kept = &self.passwords.exchanges[&exchange];
        if answer.get(..32) != Some(&mix(&[b"member", &kept.secret, &kept.share])) {
            return Err(WRONG_PASSWORD);
        }
        Ok(Bytes::copy_from_slice(&mix(&[b"joiner", &kept.secret])))
    }

    fn password_check(&mut self, exchange: u64, confirmation: &[u8]) -> Result<(), Refusal> {
        let kept = &self.passwords.exchanges[&exchange];
        let right = confirmation == mix(&[b"joiner", &kept.secret]);
        if right { Ok(()) } else { Err(WRONG_PASSWORD) }
    }

    fn password_issue(
        &mut self,
        exchange: u64,
        role: Roles,
        at: &FileTime,
    ) -> Result<Bytes, Refusal> {
        let kept = &self.passwords.exchanges[&exchange];
        let own = self.chains.get(&kept.group).and_then(|chain| Paper::parse(chain));
        let own = own.filter(|own| own.roles.grantable().contains(role));
        let depth = own.ok_or(WRONG_PASSWORD)?.depth + 1;
        let not_before = at.minus_seconds(SKEW);
        let paper = Paper { depth, not_before, roles: role, ..Paper::new(kept.group, kept.joiner) };
        Ok(paper.chain())
    }

    fn password_end(&mut self, exchange: u64) {
        assert!(self.passwords.exchanges.remove(&exchange).is_some(), "ended twice");
    }
}

const WRONG_PASSWORD: Refusal = Refusal { code: Code::CRYPT_E_BAD_MSG, detail: Code::NTE_BAD_DATA };

/// What is known of passwords, and the exchanges under way. Whoever knows a password knows its verifier here.
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    pub pending: BTreeMap<KeyId, Bytes>,
    pub exchanges: BTreeMap<u64, Exchange>,
}

#[derive(Clone, Debug)]
pub struct Exchange {
    secret: [u8; 32],
    share: Bytes,
    joiner: KeyId,
    group: KeyId,
}

impl Passwords {
    fn keep(&mut self, number: u64, exchange: Exchange) {
        assert!(self.exchanges.insert(number, exchange).is_none(), "a number came twice");
    }
}

/// Thirty-two bytes that depend on every byte of every part.
pub fn mix(parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    for (lane, bytes) in out.chunks_mut(8).enumerate() {
        let mut state =
            0xcbf2_9ce4_8422_2325_u64 ^ (lane as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for part in parts {
            for byte in part.iter().chain(&(part.len() as u64).to_be_bytes()) {
                state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.copy_from_slice(&(state ^ state >> 31).to_be_bytes());
    }
    out
}

//! An authority without cryptography: keys are bytes, a chain is a few fields, a signature is one bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::{Authority, Code, FileTime, KeyId, Member, Refusal, Roles};

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
        }
    }

    pub fn chain(&self) -> Bytes {
        let mut out = Vec::with_capacity(82);
        out.extend_from_slice(&self.group.0);
        out.extend_from_slice(&self.member.0);
        out.extend_from_slice(&self.not_before.0.to_be_bytes());
        out.extend_from_slice(&self.not_after.0.to_be_bytes());
        out.extend_from_slice(&[self.depth, u8::from(self.genuine)]);
        out.into()
    }

    fn parse(chain: &[u8]) -> Option<Paper> {
        let (group, rest) = chain.split_first_chunk()?;
        let (member, rest) = rest.split_first_chunk()?;
        let (not_before, rest) = rest.split_first_chunk()?;
        let (not_after, rest) = rest.split_first_chunk()?;
        let &[depth, genuine] = rest else { return None };
        Some(Paper {
            group: KeyId(*group),
            member: KeyId(*member),
            not_before: FileTime(u64::from_be_bytes(*not_before)),
            not_after: FileTime(u64::from_be_bytes(*not_after)),
            depth,
            genuine: genuine == 1,
        })
    }

    pub fn member(&self) -> Arc<Member> {
        Arc::new(Member {
            key: self.member,
            name: format!("{}.member", self.member),
            friendly_name: String::from("somebody"),
            issuer_name: String::from("the founder"),
            issuer_friendly_name: String::new(),
            roles: Roles::MEMBER,
            depth: self.depth,
            not_before: self.not_before,
            not_after: self.not_after,
            chain: self.chain(),
        })
    }
}

#[derive(Clone, Debug)]
pub struct Fake {
    pub own: KeyId,
    pub chains: BTreeMap<KeyId, Bytes>,
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

//! What trust costs: a chain verified cold, beside nothing but its signatures in `ring`; the same chain again; a membership
//! issued; a chain that is turned down at its last signature.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use p2p_core::{FileTime, KeyId, Revocations, Roles};
use p2p_crypto::{
    ChainCache, GroupIdentity, Identity, KeyKind, MembershipRequest, issue_membership,
    verify_chain_with,
};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::{Failure, Sample, median, micros};

/// Calls of one measurement, and measurements whose median counts.
const CALLS: u32 = 200;
const TURNS: usize = 15;
/// Members in the chains that are verified.
const SHORT: usize = 3;
const LONG: usize = 24;

/// Measures, and says what was measured beside what: workload, ours, unit, and the bare cost if there is one.
pub(crate) fn round(samples: &mut Vec<Sample>) -> Result<(), Failure> {
    let mut push = |workload, peer, value| samples.push(Sample { workload, peer, value });
    let short = Family::new(KeyKind::Ed25519, SHORT)?;
    let long = Family::new(KeyKind::Ed25519, LONG)?;
    let p256 = Family::new(KeyKind::EcdsaP256, SHORT)?;
    for (cold, known, family) in
        [("chain3_cold", "chain3_known", &short), ("chain24_cold", "chain24_known", &long)]
    {
        let signatures = family.signatures()?;
        // In turns: a slower moment of the machine meets both.
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            ours.push(per_call(CALLS / 4, || family.verify(&family.chain).is_ok())?);
            bare.push(per_call(CALLS / 4, || signatures.iter().all(Signature::holds))?);
        }
        push(cold, "p2p", median(ours.into_iter()));
        push(cold, "ring", median(bare.into_iter()));
        let mut cache = ChainCache::new(16);
        push(known, "p2p", turns(|| per_call(CALLS, || family.verify_again(&mut cache)))?);
    }
    push(
        "chain3_cold_p256",
        "p2p",
        turns(|| per_call(CALLS / 4, || p256.verify(&p256.chain).is_ok()))?,
    );
    let bad = short.spoilt();
    push("chain3_refused", "p2p", turns(|| per_call(CALLS / 4, || short.verify(&bad).is_err()))?);
    push("issue", "p2p", turns(|| per_call(CALLS / 4, || short.issue().is_ok()))?);
    Ok(())
}

/// The median of some measurements.
fn turns(mut measure: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    let values = (0..TURNS).map(|_| measure()).collect::<Result<Vec<_>, _>>()?;
    Ok(median(values.into_iter()))
}

/// Microseconds per call; all of them must succeed.
fn per_call(calls: u32, mut call: impl FnMut() -> bool) -> Result<f64, Failure> {
    let begun = Instant::now();
    for _ in 0..calls {
        if !black_box(call()) {
            return Err("what was to be measured does not work".into());
        }
    }
    Ok(micros(begun.elapsed()) / f64::from(calls))
}

/// A group and the chain of its last member.
struct Family {
    group: KeyId,
    chain: Bytes,
    /// The chain of the last but one, and who that is.
    above: (Identity, Bytes),
    last: Identity,
    /// Whoever signed each certificate, the root first.
    keys: Vec<Vec<u8>>,
    now: FileTime,
}

impl Family {
    fn new(kind: KeyKind, members: usize) -> Result<Family, Failure> {
        let now = p2p_group::now();
        let group = GroupIdentity::create_with(kind, Some("bench"), Some("Bench"), now)?;
        let mut last = Identity::create_with(kind, None, Some("Member 1"), now)?;
        let mut chain = group.issue_creator(&last.info(), now)?;
        // The root signs itself and the creator's membership. With Ed25519 the public key ends the PKCS#8.
        let mut keys = vec![raw_key(group.pkcs8()?); 2];
        let mut above = (last.clone(), chain.clone());
        for number in 2..=members {
            let next = Identity::create_with(kind, None, Some(&format!("Member {number}")), now)?;
            let request = MembershipRequest {
                subject: &next.info(),
                roles: Roles::ADMIN,
                not_before: None,
                expires: None,
                now,
            };
            let longer = issue_membership(&last, &chain, &request)?;
            keys.push(raw_key(&last.info().public_key));
            above = (last, chain);
            (last, chain) = (next, longer);
        }
        Ok(Family { group: group.key_id(), chain, above, last, keys, now })
    }

    fn verify(&self, chain: &Bytes) -> Result<(), Failure> {
        let none = Revocations::default();
        verify_chain_with(&self.group, chain, &self.last.key_id(), &self.now, &none)?;
        Ok(())
    }

    fn verify_again(&self, cache: &mut ChainCache) -> bool {
        let none = Revocations::default();
        cache.verify(&self.group, &self.chain, &self.last.key_id(), &self.now, &none).is_ok()
    }

    /// Right up to the last signature.
    fn spoilt(&self) -> Bytes {
        let mut chain = self.chain.to_vec();
        if let Some(byte) = chain.last_mut() {
            *byte ^= 1;
        }
        chain.into()
    }

    fn issue(&self) -> Result<Bytes, Failure> {
        let request = MembershipRequest {
            subject: &self.last.info(),
            roles: Roles::ADMIN,
            not_before: None,
            expires: None,
            now: self.now,
        };
        Ok(issue_membership(&self.above.0, &self.above.1, &request)?)
    }

    /// What is signed in the chain, by whom.
    fn signatures(&self) -> Result<Vec<Signature>, Failure> {
        let certificates = split(&self.chain)?;
        let signature = |(der, key): (&[u8], &Vec<u8>)| {
            let tbs = first_of(contents(der)?)?.to_vec();
            let signature = der.last_chunk::<64>().ok_or(DER)?.to_vec();
            Ok(Signature { key: key.clone(), tbs, signature })
        };
        certificates.into_iter().zip(&self.keys).map(signature).collect()
    }
}

struct Signature {
    key: Vec<u8>,
    tbs: Vec<u8>,
    signature: Vec<u8>,
}

impl Signature {
    fn holds(&self) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(&self.tbs, &self.signature).is_ok()
    }
}

const DER: &str = "a certificate is not as it should be";

/// The last 32 bytes: all of an Ed25519 key. Nothing is asked of others.
fn raw_key(key: &[u8]) -> Vec<u8> {
    key[key.len() - 32..].to_vec()
}

/// The certificates of a chain.
fn split(mut chain: &[u8]) -> Result<Vec<&[u8]>, Failure> {
    let mut found = Vec::new();
    while let Some((length, rest)) = chain.split_first_chunk() {
        let (der, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(DER)?;
        found.push(der);
        chain = rest;
    }
    Ok(found)
}

/// Length of the head and of the contents of the DER value at the beginning.
fn measure(der: &[u8]) -> Result<(usize, usize), Failure> {
    Ok(match der {
        [_, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        [_, 0x81, length, ..] => (3, usize::from(*length)),
        [_, length @ 0..=0x7f, ..] => (2, usize::from(*length)),
        _ => return Err(DER.into()),
    })
}

fn contents(der: &[u8]) -> Result<&[u8], Failure> {
    let (head, length) = measure(der)?;
    Ok(der.get(head..head + length).ok_or(DER)?)
}

/// The DER value at the beginning, with its head.
fn first_of(der: &[u8]) -> Result<&[u8], Failure> {
    let (head, length) = measure(der)?;
    Ok(der.get(..head + length).ok_or(DER)?)
}

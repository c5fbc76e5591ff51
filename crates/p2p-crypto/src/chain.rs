//! Membership chains: from the group's root to the member, at most 24 memberships long.
//!
//! # Form
//!
//! A chain is a list of certificates, root first, the member's own last. Each is preceded by its length in bytes as 16
//! bits, most significant first; there is no count, the list ends with its bytes. It has at most 25 certificates (the
//! root and 24 memberships) of at most 1,280 bytes each, 32,000 bytes in all.
//!
//! ```text
//! +--------+--------------+--------+--------------------+-- … --+--------+------------------+
//! | length | DER of root  | length | DER of the creator |       | length | DER of the leaf  |
//! +--------+--------------+--------+--------------------+-- … --+--------+------------------+
//! ```
//!
//! The order of the checks stands in the crate's documentation; [`Chain::verify`] is that order, [`Chain::check_dates`]
//! its last step. What has been revoked is to be asked after it.

use bytes::{BufMut, Bytes};
use p2p_core::{FileTime, KeyId, Member, Refusal, Revocations, Step};

use crate::certificate::{CLOCK_SKEW, Certificate, Decoded, Kind, LINK_MAX};
use crate::name::PeerName;
use crate::refusal::Cause;

/// Most memberships in a chain: the creator's is the first.
pub(crate) const MEMBERS_MAX: usize = 24;
/// Most certificates in a chain.
const CERTIFICATES_MAX: usize = MEMBERS_MAX + 1;
/// Largest chain, in bytes.
const CHAIN_MAX: usize = 32_000;

/// What a chain says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainInfo {
    /// The group: the key of the root.
    pub group: KeyId,
    /// Its peer name.
    pub group_name: PeerName,
    /// Its friendly name; the peer name if the creator gave none.
    pub group_friendly_name: String,
    /// The member whose chain it is.
    pub member: Member,
}

/// Whether `chain` makes `peer` a member of `group` at `at`: every rule there is. Two clocks may differ by ten minutes.
///
/// # Errors
/// The first rule that the chain breaks, in the order of [the crate's documentation](crate#order-of-the-checks).
pub fn verify_chain(
    group: &KeyId,
    chain: &[u8],
    peer: &KeyId,
    at: &FileTime,
) -> Result<Member, Refusal> {
    let verified = Chain::verify(chain, Some(group), Some(peer))?;
    verified.check_dates(*at)?;
    Ok(verified.member(Bytes::copy_from_slice(chain)))
}

/// The same, and whether what is known to be revoked leaves the membership in force. That is asked last, so "revoked"
/// means that all else is right. Revocations that are not known do no harm and no good: nobody can wait for them.
///
/// # Errors
/// As [`verify_chain`]; then [`Cause::Revoked`].
pub fn verify_chain_with(
    group: &KeyId,
    chain: &[u8],
    peer: &KeyId,
    at: &FileTime,
    revocations: &Revocations,
) -> Result<Member, Refusal> {
    let member = verify_chain(group, chain, peer, at)?;
    match revocations.find(&member.path) {
        Some(_) => Err(Cause::Revoked.refusal()),
        None => Ok(member),
    }
}

/// Reads a chain and checks everything that it can show by itself: all but whose it is, for which group, and whether
/// it is valid now.
///
/// # Errors
/// The first rule that the chain breaks.
pub fn inspect_chain(chain: &[u8]) -> Result<ChainInfo, Refusal> {
    Ok(Chain::verify(chain, None, None)?.info(Bytes::copy_from_slice(chain)))
}

/// A chain whose signatures are right; what is left to ask is the time.
#[derive(Debug)]
pub(crate) struct Chain {
    certificates: Vec<Certificate>,
}

impl Chain {
    /// All checks but the dates; `group` and `peer` where they are known.
    pub(crate) fn verify(
        chain: &[u8],
        group: Option<&KeyId>,
        peer: Option<&KeyId>,
    ) -> Result<Chain, Cause> {
        let encoded = split(chain)?;
        let decoded = encoded.iter().map(|der| Decoded::new(der)).collect::<Result<Vec<_>, _>>()?;
        let certificates = decoded.iter().map(Decoded::check).collect::<Result<Vec<_>, _>>()?;
        let chain = Chain { certificates };
        chain.check_types()?;
        chain.check_links(group, peer)?;
        chain.check_roles()?;
        chain.check_classifiers()?;
        chain.check_signatures()?;
        chain.check_nesting()?;
        Ok(chain)
    }

    /// All checks but the dates of what signed an object of `group`: a chain, or the root alone.
    pub(crate) fn verify_signer(chain: &[u8], group: &KeyId) -> Result<Chain, Cause> {
        let &[root] = split(chain)?.as_slice() else {
            return Chain::verify(chain, Some(group), None);
        };
        Chain::verify_root(root, group)
    }

    /// The root certificate of `group` by itself.
    pub(crate) fn verify_root(der: &[u8], group: &KeyId) -> Result<Chain, Cause> {
        let root = Certificate::read(der, LINK_MAX)?;
        if root.kind != Kind::Root {
            return Err(Cause::RootMissing);
        }
        if root.id != *group {
            return Err(Cause::OtherRoot);
        }
        root.verify(&root.key)?;
        Ok(Chain { certificates: vec![root] })
    }

    /// Whether every certificate is valid at `at`, give or take what clocks may differ.
    pub(crate) fn check_dates(&self, at: FileTime) -> Result<(), Cause> {
        for certificate in &self.certificates {
            if at.plus_seconds(CLOCK_SKEW) < certificate.not_before {
                return Err(Cause::NotYetValid);
            }
            if at > certificate.not_after.plus_seconds(CLOCK_SKEW) {
                return Err(Cause::Expired);
            }
        }
        Ok(())
    }

    pub(crate) fn root(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// The last certificate.
    pub(crate) fn leaf(&self) -> &Certificate {
        &self.certificates[self.depth()]
    }

    /// Who issued the leaf: the root or a member.
    pub(crate) fn issuer(&self) -> &Certificate {
        &self.certificates[self.depth() - 1]
    }

    /// Position of the leaf: the creator's is 1, that of the root alone 0.
    pub(crate) fn depth(&self) -> usize {
        self.certificates.len() - 1
    }

    /// Whose certificates stand below the root, and which.
    pub(crate) fn path(&self) -> impl Iterator<Item = Step> {
        self.certificates
            .iter()
            .skip(1)
            .map(|member| Step { key: member.id, serial: member.serial })
    }

    /// Whether `key` stands anywhere in the chain, the root included.
    pub(crate) fn has(&self, key: &KeyId) -> bool {
        self.certificates.iter().any(|certificate| certificate.id == *key)
    }

    pub(crate) fn info(&self, chain: Bytes) -> ChainInfo {
        let root = self.root();
        ChainInfo {
            group: root.id,
            group_name: root.name.clone(),
            group_friendly_name: root.friendly_name().to_owned(),
            member: self.member(chain),
        }
    }

    /// The member. Lifetimes nest, so the leaf's end is the earliest of all, and its start the latest.
    pub(crate) fn member(&self, chain: Bytes) -> Member {
        let (leaf, issuer) = (self.leaf(), self.issuer());
        Member {
            key: leaf.id,
            name: leaf.name.to_string(),
            friendly_name: leaf.friendly_name().to_owned(),
            issuer_name: issuer.name.to_string(),
            issuer_friendly_name: issuer.friendly_name().to_owned(),
            roles: leaf.roles,
            depth: self.depth() as u8,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            chain,
            path: self.path().collect(),
        }
    }

    fn check_types(&self) -> Result<(), Cause> {
        let (root, members) = self.certificates.split_first().ok_or(Cause::Container)?;
        if root.kind != Kind::Root {
            return Err(Cause::RootMissing);
        }
        if members.is_empty()
            || members
                .iter()
                .any(|member| member.kind != Kind::Member || member.issuer == member.id)
        {
            return Err(Cause::SelfSigned);
        }
        Ok(())
    }

    fn check_links(&self, group: Option<&KeyId>, peer: Option<&KeyId>) -> Result<(), Cause> {
        if group.is_some_and(|group| *group != self.root().id) {
            return Err(Cause::OtherRoot);
        }
        for (parent, child) in self.pairs() {
            if child.issuer != parent.id || child.group != self.root().name {
                return Err(Cause::Links);
            }
        }
        for (i, certificate) in self.certificates.iter().enumerate() {
            if self.certificates[..i].iter().any(|earlier| earlier.id == certificate.id) {
                return Err(Cause::KeyTwice);
            }
        }
        if peer.is_some_and(|peer| *peer != self.leaf().id) {
            return Err(Cause::OtherIdentity);
        }
        Ok(())
    }

    /// The root grants every role.
    fn check_roles(&self) -> Result<(), Cause> {
        let delegable = self
            .pairs()
            .skip(1)
            .all(|(parent, child)| parent.roles.grantable().contains(child.roles));
        if delegable { Ok(()) } else { Err(Cause::RoleNotDelegable) }
    }

    fn check_classifiers(&self) -> Result<(), Cause> {
        let delegable =
            self.pairs().skip(1).all(|(parent, child)| may_hand_on(&parent.classifiers, child));
        if delegable { Ok(()) } else { Err(Cause::ClassifierNotDelegable) }
    }

    fn check_signatures(&self) -> Result<(), Cause> {
        self.root().verify(&self.root().key)?;
        self.pairs().try_for_each(|(parent, child)| child.verify(&parent.key))
    }

    fn check_nesting(&self) -> Result<(), Cause> {
        let nested = self.pairs().all(|(parent, child)| {
            parent.not_before <= child.not_before && child.not_after <= parent.not_after
        });
        if nested { Ok(()) } else { Err(Cause::OutlivesIssuer) }
    }

    /// Each certificate with its issuer's, from the root.
    fn pairs(&self) -> impl Iterator<Item = (&Certificate, &Certificate)> {
        self.certificates.iter().zip(self.certificates.iter().skip(1))
    }
}

/// No classifiers are all of them. Who may issue can narrow a classifier down; a plain member only has it as it is.
fn may_hand_on(held: &[String], child: &Certificate) -> bool {
    if held.is_empty() {
        return true;
    }
    let issues = !child.roles.grantable().is_empty();
    let fits = |wanted: &String, own: &String| {
        if issues { wanted.starts_with(own) } else { wanted == own }
    };
    !child.classifiers.is_empty()
        && child.classifiers.iter().all(|wanted| held.iter().any(|own| fits(wanted, own)))
}

/// The certificates of a chain, as bytes; their number and sizes are within the limits.
pub(crate) fn split(chain: &[u8]) -> Result<Vec<&[u8]>, Cause> {
    if chain.len() > CHAIN_MAX {
        return Err(Cause::TooLarge);
    }
    let mut certificates = Vec::new();
    let mut rest = chain;
    while let Some((length, after)) = rest.split_first_chunk() {
        if certificates.len() == CERTIFICATES_MAX {
            return Err(Cause::ChainTooLong);
        }
        let (der, after) = after
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(Cause::Container)?;
        if der.len() > LINK_MAX {
            return Err(Cause::TooLarge);
        }
        certificates.push(der);
        rest = after;
    }
    if rest.is_empty() && !certificates.is_empty() {
        Ok(certificates)
    } else {
        Err(Cause::Container)
    }
}

/// `chain` with one more certificate, which must be small enough.
pub(crate) fn append(chain: &[u8], der: &[u8]) -> Result<Bytes, Cause> {
    if der.len() > LINK_MAX || chain.len() + 2 + der.len() > CHAIN_MAX {
        return Err(Cause::TooLarge);
    }
    let mut longer = Vec::with_capacity(chain.len() + 2 + der.len());
    longer.put_slice(chain);
    longer.put_u16(der.len() as u16);
    longer.put_slice(der);
    Ok(longer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_split_again() {
        let one = append(&[], &[1; 3]).unwrap();
        let two = append(&one, &[2; 1_280]).unwrap();
        assert_eq!(split(&two).unwrap(), [&[1; 3][..], &[2; 1_280]]);
        assert_eq!(&one[..], [0, 3, 1, 1, 1]);
    }

    #[test]
    fn nothing_too_large_is_appended() {
        assert_eq!(append(&[], &[0; 1_281]), Err(Cause::TooLarge));
        assert_eq!(append(&[0; 31_000], &[0; 999]), Err(Cause::TooLarge));
        assert!(append(&[0; 31_000], &[0; 998]).is_ok());
    }

    #[test]
    fn the_26th_certificate_is_one_too_many() {
        let of = |number: usize| [0, 1, 7].repeat(number);
        assert_eq!(split(&of(25)).unwrap().len(), 25);
        assert_eq!(split(&of(26)), Err(Cause::ChainTooLong));
        assert_eq!(split(&[]), Err(Cause::Container));
    }
}

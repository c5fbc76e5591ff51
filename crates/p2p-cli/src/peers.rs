//! Names on the command line: identities, groups and members by peer name, its beginning, or friendly name.

use p2p_group::{Code, Group, KeyId, MemberFilter, PeerName};

use crate::exit::Failure;
use crate::print::who;

/// Somebody or something that can be named.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<T> {
    /// Peer name.
    pub(crate) name: String,
    /// Name for people. Nobody vouches for it: several may bear the same.
    pub(crate) friendly_name: String,
    pub(crate) value: T,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noun {
    pub(crate) singular: &'static str,
    /// How to choose among several.
    pub(crate) choose: &'static str,
    /// If there is none.
    pub(crate) missing: Code,
}

const MEMBER: Noun = Noun {
    singular: "member",
    choose: "name one by more of its peer name",
    missing: Code::PEER_E_IDENTITY_NOT_FOUND,
};

/// The one candidate that `query` means. A whole peer name means its bearer. Otherwise a friendly name and the beginning
/// of a peer name count alike, so that nobody can take somebody's place by a clever friendly name.
pub(crate) fn find<T>(
    noun: Noun,
    query: &str,
    candidates: Vec<Candidate<T>>,
) -> Result<T, Failure> {
    let is_whole = |c: &Candidate<T>| c.name == query || c.name.strip_suffix('.') == Some(query);
    if let Some(position) = candidates.iter().position(is_whole) {
        return Ok(candidates.into_iter().nth(position).expect("it is there").value);
    }
    let fits = |c: &Candidate<T>| {
        !query.is_empty() && (c.friendly_name == query || c.name.starts_with(query))
    };
    let found = candidates.into_iter().filter(fits).collect();
    only(noun, found).unwrap_or_else(|| {
        Err(Failure::code(format!("no {} is called `{query}`", noun.singular), noun.missing))
    })
}

/// The only candidate; `None` if there is none, an error if there are several.
pub(crate) fn only<T>(noun: Noun, mut candidates: Vec<Candidate<T>>) -> Option<Result<T, Failure>> {
    if candidates.len() < 2 {
        return candidates.pop().map(|candidate| Ok(candidate.value));
    }
    let mut message = format!("several may be meant; {}:", noun.choose);
    for Candidate { name, friendly_name, .. } in &candidates {
        // Long enough to be copied and to be unique.
        message += &format!("\n  {name}  {friendly_name}");
    }
    Some(Err(Failure::Usage(message)))
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) key: KeyId,
    /// For people.
    pub(crate) label: String,
}

/// The member that `query` means: others first, then oneself.
pub(crate) fn member(group: &Group, query: &str) -> Result<Found, Failure> {
    let own = group.own().key;
    let mut candidates: Vec<Candidate<Found>> = Vec::new();
    for info in group.members(&MemberFilter::default())? {
        let member = &info.member;
        // A member is listed once for each of its nodes.
        if candidates.iter().all(|known| known.value.key != member.key) {
            let label = who(&member.friendly_name, &member.name);
            candidates.push(Candidate {
                name: member.name.clone(),
                friendly_name: member.friendly_name.clone(),
                value: Found { key: member.key, label },
            });
        }
    }
    let (itself, others) = candidates.into_iter().partition(|candidate| candidate.value.key == own);
    match find(MEMBER, query, others) {
        Err(failure) if failure.is_not_found() => find(MEMBER, query, itself),
        found => found,
    }
}

/// A whole peer name, which needs no acquaintance.
pub(crate) fn whole_name(query: &str) -> Option<PeerName> {
    PeerName::parse(query).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "ada0000000000000000000000000000000000001.";
    const BOB: &str = "b0b0000000000000000000000000000000000002.laptop";
    const BOT: &str = "b0b1000000000000000000000000000000000003.";

    fn all() -> Vec<Candidate<&'static str>> {
        let candidate = |name: &'static str, friendly_name: &str| Candidate {
            name: name.to_owned(),
            friendly_name: friendly_name.to_owned(),
            value: name,
        };
        vec![candidate(ADA, "Ada"), candidate(BOB, "Bob"), candidate(BOT, "Bob")]
    }

    fn found(query: &str) -> Result<&'static str, Failure> {
        find(MEMBER, query, all())
    }

    #[test]
    fn a_name_its_beginning_and_a_friendly_name_all_serve() {
        for query in [ADA, &ADA[..40], "ada", "a", "Ada"] {
            assert_eq!(found(query).unwrap(), ADA, "{query}");
        }
        assert_eq!(found("b0b0").unwrap(), BOB);
        assert_eq!(found(BOB).unwrap(), BOB);
    }

    #[test]
    fn what_may_mean_several_means_none_and_lists_them() {
        for query in ["Bob", "b0b", "b"] {
            let Err(Failure::Usage(message)) = found(query) else { panic!("{query} is ambiguous") };
            assert!(
                message.contains(BOB) && message.contains(BOT) && !message.contains(ADA),
                "{message}"
            );
        }
    }

    #[test]
    fn a_friendly_name_that_looks_like_the_beginning_of_a_peer_name_takes_nobodys_place() {
        let mut candidates = all();
        candidates[2].friendly_name = "ada".to_owned();
        assert!(matches!(find(MEMBER, "ada", candidates), Err(Failure::Usage(_))));
        let mut candidates = all();
        candidates[2].friendly_name = ADA.to_owned();
        assert_eq!(find(MEMBER, ADA, candidates).unwrap(), ADA);
    }

    #[test]
    fn nothing_and_nobody_are_not_found() {
        for query in ["", "Eve", "ada1", "ada0000000000000000000000000000000000001.x"] {
            assert!(found(query).unwrap_err().is_not_found(), "{query}");
        }
    }
}

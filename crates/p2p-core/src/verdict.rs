//! When a proof is checked: chains not seen before cost signatures, so strangers get only so many a second. What is
//! over the limit waits; it is not refused.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use bytes::Bytes;

use crate::authority::{Authority, Member, Refusal};
use crate::bucket::Bucket;
use crate::code::Code;
use crate::codec::Frame;
use crate::event::Event;
use crate::group::{Group, Life};
use crate::id::{Address, GroupKey, KeyId};
use crate::io::{LinkId, StreamId, Timer};
use crate::limits::Limits;
use crate::node::Node;
use crate::session::Phase;
use crate::time::Tick;

/// Buckets of source prefixes that are remembered; a full one says nothing and is dropped first.
const PREFIXES_MAX: usize = 4_096;

/// Never sent: whoever names an unknown group is refused like everybody else.
pub(crate) const UNKNOWN_GROUP: Refusal =
    Refusal { code: Code::CRYPT_E_NO_TRUSTED_SIGNER, detail: Code::CERT_E_UNTRUSTEDROOT };

/// The peer's membership, or one above it, was taken back.
pub(crate) const REVOKED: Refusal =
    Refusal { code: Code::CRYPT_E_REVOKED, detail: Code::CERT_E_REVOKED };

/// How many checks may be done, and when.
#[derive(Clone, Debug)]
pub(crate) struct Gates {
    node: Bucket,
    prefixes: BTreeMap<u64, Bucket>,
}

impl Gates {
    pub(crate) fn new(limits: &Limits, now: Tick) -> Gates {
        Gates { node: Bucket::full(limits.checks, now), prefixes: BTreeMap::new() }
    }

    /// When a check for `source` may be done; `None` if its turn would come too late.
    pub(crate) fn reserve(&mut self, source: &Address, limits: &Limits, now: Tick) -> Option<Tick> {
        // The source first: what it has no turn for takes none from others.
        let own =
            if source.is_loopback() { now } else { self.reserve_prefix(source, limits, now)? };
        let at = self.node.reserve(limits.checks, limits.checks, limits.proof, now)?;
        Some(own.max(at))
    }

    fn reserve_prefix(&mut self, source: &Address, limits: &Limits, now: Tick) -> Option<Tick> {
        let rate = limits.checks_per_prefix;
        if self.prefixes.len() >= PREFIXES_MAX {
            self.prefixes.retain(|_, bucket| !bucket.is_full(rate, rate, now));
        }
        if self.prefixes.len() >= PREFIXES_MAX {
            return None;
        }
        let bucket =
            self.prefixes.entry(source.prefix()).or_insert_with(|| Bucket::full(rate, now));
        bucket.reserve(rate, rate, limits.proof, now)
    }
}

impl<A: Authority> Node<A> {
    /// The peer's whole proof is here.
    pub(crate) fn on_proof(&mut self, id: LinkId, stream: StreamId, chain: Bytes) {
        let now = self.now.tick;
        let Some(link) = self.links.get_mut(&id) else { return };
        let (peer, remote) = (link.peer, link.remote);
        let Some(control) = link.control_mut(stream) else { return };
        control.phase = Phase::Checking { chain: chain.clone() };
        self.stats.proofs_received += 1;
        let group = control.group;
        let known = group
            .and_then(|g| self.groups.get(&g))
            .and_then(|g| self.known_member(g, &peer, &chain))
            .is_some();
        let due = if known { Some(now) } else { self.gates.reserve(&remote, &self.limits, now) };
        match due {
            Some(due) if due <= now => self.on_verdict_timer(id, stream),
            Some(due) => {
                self.stats.proofs_delayed += 1;
                self.timers.set(Timer::Verdict(id, stream), due);
            }
            // Its turn would come after its time is up; the timer for the proof ends it.
            None => self.stats.proofs_delayed += 1,
        }
    }

    /// A check's turn has come, or a refusal's moment.
    pub(crate) fn on_verdict_timer(&mut self, id: LinkId, stream: StreamId) {
        let Some(control) = self.links.get_mut(&id).and_then(|l| l.control_mut(stream)) else {
            return;
        };
        match (&control.phase, control.group) {
            (Phase::Checking { chain }, Some(group)) => {
                let chain = chain.clone();
                self.answer_proof(id, stream, group, &chain);
            }
            (Phase::Checking { .. }, None) => self.refuse_later(id, stream),
            (Phase::Password(_), _) => self.answer_share(id, stream),
            (Phase::Refusing, _) => self.refuse_now(id, stream),
            _ => {}
        }
    }

    /// The peer's proof was checked: answer it.
    pub(crate) fn answer_proof(
        &mut self,
        id: LinkId,
        stream: StreamId,
        group: GroupKey,
        chain: &Bytes,
    ) {
        let Some(link) = self.links.get(&id) else { return };
        let (peer, remote) = (link.peer, link.remote);
        let own = self.groups.get(&group).and_then(|g| self.authority.own_chain(&g.key));
        match (self.check(group, &peer, chain), own) {
            (Ok(member), Some(own)) => {
                self.stats.proofs_accepted += 1;
                let tag =
                    self.links.get_mut(&id).and_then(|l| l.control_mut(stream)).map(|c| c.tag_out);
                let hello = self.hello(group, tag.unwrap_or_default());
                self.write(id, stream, &Frame::SessionOk(hello, own));
                self.session_up(id, stream, group, member);
            }
            (Err(refusal), _) => {
                self.event(group, Event::Refused { peer, remote, refusal });
                self.refuse_later(id, stream);
            }
            (Ok(_), None) => self.refuse_later(id, stream),
        }
    }

    /// The refusal leaves at one moment for every reason: a fixed time after the proof had its turn, which is its last
    /// byte if it need not wait. So it does not tell how long the check took, or that there was none.
    pub(crate) fn refuse_later(&mut self, id: LinkId, stream: StreamId) {
        let (now, delay) = (self.now.tick, self.limits.refusal_delay);
        self.end_exchange(id, stream);
        let Some(control) = self.links.get_mut(&id).and_then(|l| l.control_mut(stream)) else {
            return;
        };
        if !control.is_checking() || control.phase == Phase::Refusing {
            return;
        }
        control.phase = Phase::Refusing;
        self.timers.cancel(Timer::Proof(id, stream));
        self.timers.set(Timer::Verdict(id, stream), now + delay);
    }

    /// Whether the peer's chain makes it a member. A chain seen before, byte for byte, is checked for its dates only.
    pub(crate) fn check(
        &self,
        group: GroupKey,
        peer: &KeyId,
        chain: &Bytes,
    ) -> Result<Arc<Member>, Refusal> {
        let Some(g) = self.groups.get(&group).filter(|g| g.life != Life::Closing) else {
            return Err(UNKNOWN_GROUP);
        };
        let shown = match self.known_member(g, peer, chain) {
            Some(member) => Ok(member),
            None => self.authority.verify_member(&g.key, chain, peer, &self.now.wall),
        };
        let refusal = match shown {
            Ok(member) if g.objects.revocations.find(&member.path).is_none() => return Ok(member),
            Ok(_) => REVOKED,
            Err(refusal) => refusal,
        };
        // The peer is who it says: TLS showed that. If a later membership waits here for it, it may come and take it.
        let superseded = refusal == REVOKED || refusal.detail == Code::CERT_E_EXPIRED;
        let waiting = superseded.then(|| g.credential(peer, self.now.wall)).flatten();
        waiting.ok_or(refusal)
    }

    /// The member whose chain was verified before and is this one, if it is in force.
    pub(crate) fn known_member(
        &self,
        group: &Group,
        peer: &KeyId,
        chain: &Bytes,
    ) -> Option<Arc<Member>> {
        let wall = self.now.wall;
        let same =
            |m: &&Arc<Member>| m.chain == *chain && m.not_before <= wall && wall <= m.not_after;
        group.members.get(peer)?.memberships.iter().find(same).cloned()
    }
}

//! Dialling: for neighbours, from what is known of a group, and for direct connections, where the application says.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::authority::Authority;
use crate::code::Code;
use crate::codec::{Referral, close};
use crate::direct::table::Event as Step;
use crate::event::Cause;
use crate::group::Life;
use crate::id::{Address, ConnectionId, GroupKey, InstanceId, KeyId};
use crate::io::{DialId, DownCause, Expect, LinkId, Output, Timer};
use crate::neighbour::Neighbour;
use crate::node::Node;

/// Candidates that wait to be dialled.
const QUEUE_MAX: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct Dial {
    address: Address,
    expect: Expect,
    wants: Vec<Want>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    Neighbour(GroupKey),
    Direct(ConnectionId),
}

/// Where a group looks for neighbours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    queue: VecDeque<(Address, Expect)>,
    /// How far the best attempt came.
    progress: Progress,
    /// Doubles each time nobody was found.
    backoff: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Progress {
    #[default]
    NobodyFound,
    NobodyAccepts,
    NotAuthorized,
}

impl Search {
    pub(crate) fn add_given(&mut self, addresses: &[Address]) {
        for address in addresses.iter().rev() {
            self.queue.push_front((*address, Expect::Anyone));
        }
        self.queue.truncate(QUEUE_MAX);
    }

    fn add(&mut self, address: Address, expect: Expect) {
        if self.queue.len() < QUEUE_MAX && !self.queue.contains(&(address, expect)) {
            self.queue.push_back((address, expect));
        }
    }

    pub(crate) fn restart(&mut self) {
        self.progress = Progress::default();
        self.backoff = 0;
    }

    pub(crate) fn reason(&self) -> Code {
        match self.progress {
            Progress::NobodyFound => Code::PEER_E_NO_MEMBERS_FOUND,
            Progress::NobodyAccepts => Code::PEER_E_NO_MEMBER_CONNECTIONS,
            Progress::NotAuthorized => Code::PEER_E_NOT_AUTHORIZED,
        }
    }
}

impl<A: Authority> Node<A> {
    /// Queues everybody in the group's address book and begins to dial.
    pub(crate) fn search_all(&mut self, key: GroupKey) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        // A session alone is not enough: whoever refused us once may have room, or be ready, by now.
        let near = |(peer, entry): (&(KeyId, InstanceId), &crate::group::Peer)| {
            (entry.neighbour != Neighbour::None).then_some(peer.0)
        };
        let present: BTreeSet<KeyId> = group.peers.iter().filter_map(near).collect();
        for (peer, addresses) in &group.book {
            if !present.contains(peer) {
                addresses.iter().for_each(|address| group.search.add(*address, Expect::Key(*peer)));
            }
        }
        self.search(key);
    }

    /// A neighbour was lost: it may be there again at once.
    pub(crate) fn look_for(&mut self, key: GroupKey, peer: KeyId) {
        let Some(group) = self.groups.get_mut(&key).filter(|g| g.life == Life::Online) else {
            return;
        };
        let addresses = group.book.get(&peer).cloned().unwrap_or_default();
        addresses.iter().for_each(|address| group.search.add(*address, Expect::Key(peer)));
        self.search(key);
    }

    pub(crate) fn take_referrals(&mut self, key: GroupKey, link: LinkId, referrals: Vec<Referral>) {
        let near = self.links.get(&link).is_some_and(|l| l.remote.is_loopback());
        let own = self.own;
        let Some(group) = self.groups.get_mut(&key).filter(|g| g.life.admits_sessions()) else {
            return;
        };
        for referral in referrals {
            let known = group.peers.iter().any(|((peer, _), entry)| {
                *peer == referral.key
                    && entry.node == referral.node
                    && entry.neighbour != Neighbour::None
            });
            if known || referral.key == own {
                continue;
            }
            for address in referral.addresses {
                if address.is_dialable() && (near || !address.is_loopback()) {
                    group.search.add(address, Expect::Key(referral.key));
                }
            }
        }
        self.search(key);
    }

    /// Dials the next candidates: a few at a time, with a pause between two.
    pub(crate) fn search(&mut self, key: GroupKey) {
        if self.timers.is_set(Timer::Search(key)) || self.listening.is_empty() {
            return;
        }
        if self.is_asking(key) {
            return;
        }
        // No more than can be asked: whoever there is no room for when its session stands would not be asked later.
        let room = self.limits.neighbours.saturating_sub(self.neighbour_count(key));
        while self.attempts(key) < self.limits.dials.min(room) {
            let Some(group) = self.groups.get_mut(&key).filter(|g| g.life.admits_sessions()) else {
                return;
            };
            let Some((address, expect)) = group.search.queue.pop_front() else { break };
            if self.try_candidate(key, address, expect) {
                self.timer(Timer::Search(key), self.limits.dial_pause);
                return;
            }
        }
        self.search_progress(key);
    }

    /// Somebody is there whom we have no use for yet.
    pub(crate) fn postpone_candidate(&mut self, key: GroupKey, address: Address, peer: KeyId) {
        if let Some(group) = self.groups.get_mut(&key) {
            group.search.add(address, Expect::Key(peer));
        }
    }

    /// Whether something was begun that takes time.
    fn try_candidate(&mut self, key: GroupKey, address: Address, expect: Expect) -> bool {
        let Some(group) = self.groups.get(&key) else { return false };
        let connected = group
            .peers
            .iter()
            .any(|((peer, _), e)| expect == Expect::Key(*peer) && e.neighbour != Neighbour::None);
        let own = self.listening.contains(&address)
            && (expect == Expect::Anyone || expect.admits(&self.own));
        if connected || own {
            return false;
        }
        let fits =
            |l: &crate::link::Link| l.usable() && (expect != Expect::Anyone || l.remote == address);
        let there = self.links_to(expect).find(|(_, l)| fits(l)).map(|(id, _)| id);
        if let Some(link) = there {
            self.start_session(link, key, true);
        } else {
            self.dial(address, expect, Want::Neighbour(key));
        }
        true
    }

    fn neighbour_count(&self, key: GroupKey) -> usize {
        self.groups
            .get(&key)
            .map_or(0, |g| g.peers.values().filter(|p| p.neighbour.id().is_some()).count())
    }

    /// Attempts of a group that are under way: dials, offered sessions, unanswered questions.
    fn attempts(&self, key: GroupKey) -> usize {
        let dials = self.dials.values().filter(|d| d.wants.contains(&Want::Neighbour(key))).count();
        let offered = self
            .links
            .values()
            .filter_map(|l| l.control(key))
            .filter(|(_, c)| !c.is_up() && c.wants_neighbour);
        let asked = |p: &&crate::group::Peer| matches!(p.neighbour, Neighbour::Asked(..));
        let asked = self.groups.get(&key).map_or(0, |g| g.peers.values().filter(asked).count());
        let inherited = self
            .links
            .values()
            .filter(|l| l.inherited.get(&key).is_some_and(|i| i.1.wants_neighbour));
        dials + offered.count() + inherited.count() + asked
    }

    pub(crate) fn candidate_failed(&mut self, key: GroupKey, cause: Cause) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let progress = match cause {
            Cause::NotAuthenticated => Progress::NotAuthorized,
            Cause::Refused(_) | Cause::Verdict(_) | Cause::Timeout => Progress::NobodyAccepts,
            _ => Progress::NobodyFound,
        };
        group.search.progress = group.search.progress.max(progress);
        self.search(key);
    }

    /// Gives up when nobody is left to ask and nobody has ever answered.
    fn search_progress(&mut self, key: GroupKey) {
        let idle = self.attempts(key) == 0;
        let Some(group) = self.groups.get(&key) else { return };
        let waiting = group.synchronised || group.syncing || !group.search.queue.is_empty();
        let hopeful = group.peers.values().any(|p| p.neighbour != Neighbour::None);
        if idle && !waiting && !hopeful && group.life == Life::Connecting {
            let reason = group.search.reason();
            self.connect_failed(key, reason);
        }
    }

    /// When to look for neighbours again: soon and ever later without any, now and then with some.
    pub(crate) fn plan_maintenance(&mut self, key: GroupKey) {
        let alone = self.neighbour_count(key) == 0;
        let (short, long) = (self.limits.maintain_alone, self.limits.maintain);
        let jitter = self.random() % (short / 4).max(1);
        let Some(group) = self.groups.get_mut(&key).filter(|g| g.life == Life::Online) else {
            return;
        };
        let pause = if alone {
            group.search.backoff = (group.search.backoff * 2).clamp(short, long);
            group.search.backoff
        } else {
            group.search.backoff = 0;
            long
        };
        self.timer(Timer::Maintain(key), pause + jitter);
    }

    pub(crate) fn on_maintain_timer(&mut self, key: GroupKey) {
        if self.neighbour_count(key) < self.limits.neighbours {
            self.search_all(key);
        }
        self.plan_maintenance(key);
    }

    fn dial(&mut self, address: Address, expect: Expect, want: Want) {
        let same = |d: &&mut Dial| d.address == address && d.expect == expect;
        if let Some(dial) = self.dials.values_mut().find(same) {
            if !dial.wants.contains(&want) {
                dial.wants.push(want);
            }
            return;
        }
        let id = DialId(self.fresh_id());
        self.dials.insert(id, Dial { address, expect, wants: alloc::vec![want] });
        self.stats.dials_started += 1;
        self.push(Output::Dial { dial: id, address, expect });
    }

    pub(crate) fn dial_for_direct(&mut self, address: Address, expect: Expect, id: ConnectionId) {
        self.dial(address, expect, Want::Direct(id));
    }

    pub(crate) fn dial_succeeded(&mut self, dial: DialId, link: LinkId) {
        let gone = self.dials.remove(&dial);
        self.stats.dials_up += u64::from(gone.is_some());
        let wants = gone.map(|d| d.wants).unwrap_or_default();
        if wants.is_empty() {
            return self.close_link(link, close::SHUTDOWN);
        }
        // Neighbours first: a direct connection of the same group then finds the session under way.
        let (neighbours, directs): (Vec<Want>, Vec<Want>) =
            wants.into_iter().partition(|want| matches!(want, Want::Neighbour(_)));
        for want in neighbours.into_iter().chain(directs) {
            match want {
                Want::Neighbour(group) => self.start_session(link, group, true),
                Want::Direct(id) => self.direct_link_up(id, link),
            }
        }
        self.release_link(link);
    }

    pub(crate) fn on_dial_failed(&mut self, dial: DialId, cause: DownCause) {
        let Some(dial) = self.dials.remove(&dial) else { return };
        self.stats.dials_failed += 1;
        let cause = cause_of(cause);
        for want in dial.wants {
            match want {
                Want::Direct(id) => self.run(id, Step::SessionFailed, cause),
                // Nobody answered; that is not the same as a member that does not.
                Want::Neighbour(group) if cause == Cause::Timeout => {
                    self.candidate_failed(group, Cause::Unreachable)
                }
                Want::Neighbour(group) => self.candidate_failed(group, cause),
            }
        }
    }

    pub(crate) fn cancel_dials(&mut self, key: GroupKey) {
        if let Some(group) = self.groups.get_mut(&key) {
            group.search.queue.clear();
        }
        self.drop_wants(|want| *want == Want::Neighbour(key));
    }

    pub(crate) fn cancel_direct_dial(&mut self, id: ConnectionId) {
        self.drop_wants(|want| *want == Want::Direct(id));
    }

    fn drop_wants(&mut self, drop: impl Fn(&Want) -> bool) {
        let mut idle = Vec::new();
        for (id, dial) in &mut self.dials {
            dial.wants.retain(|want| !drop(want));
            if dial.wants.is_empty() {
                idle.push(*id);
            }
        }
        for id in idle {
            self.dials.remove(&id);
            self.stats.dials_cancelled += 1;
            self.push(Output::CancelDial { dial: id });
        }
    }

    /// After a link went down: groups that searched on it go on.
    pub(crate) fn after_link(&mut self) {
        let searching: Vec<GroupKey> = self
            .groups
            .iter()
            .filter(|(_, g)| g.life == Life::Connecting)
            .map(|(key, _)| *key)
            .collect();
        for key in searching {
            self.search(key);
        }
    }
}

/// What a dial's failure means to the one who wanted it.
fn cause_of(cause: DownCause) -> Cause {
    match cause {
        DownCause::Verdict(refusal) => Cause::Verdict(refusal),
        DownCause::Tls(_) => Cause::NotAuthenticated,
        DownCause::Peer(close::ITSELF) => Cause::Itself,
        DownCause::Timeout => Cause::Timeout,
        _ => Cause::Unreachable,
    }
}

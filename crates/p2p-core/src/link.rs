//! One authenticated wire to one peer: its streams, its limits, its end.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;

use crate::authority::Authority;
use crate::bucket::Bucket;
use crate::codec::{Decoder, Frame, close, reset};
use crate::direct::table::Event as Step;
use crate::event::Cause;
use crate::group::Objects;
use crate::id::{Address, ConnectionId, GroupKey, InstanceId, KeyId};
use crate::io::{DialId, DownCause, Expect, LinkId, Output, StreamId, Timer};
use crate::limits::{Limits, SECOND};
use crate::node::Node;
use crate::session::Control;
use crate::time::Tick;

/// Credit of a stream whose first frame is not there yet.
const CREDIT_FRESH: u32 = 1 << 10;
/// Credit of a control stream: the largest proof, and some.
const CREDIT_CONTROL: u32 = 48 << 10;
/// Control bytes waiting to be sent before a peer counts as too slow.
const CONTROL_QUEUE_MAX: usize = 8 << 20;
/// The third violation within this time closes the link.
const VIOLATION_WINDOW: u64 = 600 * SECOND;

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) peer: KeyId,
    pub(crate) remote: Address,
    pub(crate) dialled: bool,
    pub(crate) binding: [u8; 32],
    pub(crate) up: Tick,
    /// Known from the peer's first hello.
    pub(crate) instance: Option<InstanceId>,
    /// A session stood once: the limits are raised.
    pub(crate) trusted: bool,
    /// Another link to the same node carries on; this one takes no new streams.
    pub(crate) superseded: bool,
    /// CloseLink is out; only LinkDown is awaited.
    pub(crate) closing: bool,
    /// The control stream of each group, in whatever phase.
    pub(crate) controls: BTreeMap<GroupKey, StreamId>,
    /// Boxed: a tree's nodes are half empty.
    pub(crate) streams: BTreeMap<StreamId, Box<Stream>>,
    pub(crate) control_queued: usize,
    /// Our control streams of groups for which the peer's stream takes the place, until that is here: what waited for
    /// ours waits for it.
    pub(crate) inherited: BTreeMap<GroupKey, (StreamId, Box<Control>)>,
    control_rate: Bucket,
    object_rate: Bucket,
    violations: [Option<Tick>; 2],
    next_stream: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) decoder: Decoder,
    pub(crate) role: Role,
    /// Credit given and not yet used.
    pub(crate) credit: u32,
    /// Control bytes given to the driver and not yet sent.
    pub(crate) queued: usize,
    pub(crate) receive_done: bool,
    pub(crate) send_done: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Role {
    /// The first frame will tell.
    #[default]
    Fresh,
    /// The session of one group.
    Control(Box<Control>),
    /// DC_OPEN with this tag came before the session stands.
    Held(Box<[u8; 16]>),
    /// A direct connection.
    Direct(ConnectionId),
    /// Nothing more is expected but the end.
    Spent,
}

impl Link {
    pub(crate) fn control(&self, group: GroupKey) -> Option<(StreamId, &Control)> {
        let stream = *self.controls.get(&group)?;
        match &self.streams.get(&stream)?.role {
            Role::Control(control) => Some((stream, control)),
            _ => None,
        }
    }

    pub(crate) fn control_mut(&mut self, stream: StreamId) -> Option<&mut Control> {
        match &mut self.streams.get_mut(&stream)?.role {
            Role::Control(control) => Some(control),
            _ => None,
        }
    }

    /// Whether some group has a session on this link.
    pub(crate) fn has_session(&self) -> bool {
        self.controls.keys().any(|group| self.control(*group).is_some_and(|(_, c)| c.is_up()))
    }

    pub(crate) fn direct_ids(&self) -> Vec<ConnectionId> {
        let id = |stream: &Stream| if let Role::Direct(id) = stream.role { Some(id) } else { None };
        self.streams.values().filter_map(|s| id(s)).collect()
    }

    /// The stream is gone, and with it what waited on it.
    fn drop_stream(&mut self, stream: StreamId) -> bool {
        let gone = self.streams.remove(&stream);
        self.control_queued -= gone.as_ref().map_or(0, |s| s.queued);
        gone.is_some()
    }

    /// Whether a stream besides the control streams has not ended on both sides: an acknowledgement may be on its way.
    pub(crate) fn is_busy(&self) -> bool {
        self.streams.values().any(|s| matches!(s.role, Role::Direct(_) | Role::Spent))
    }

    /// Whether a proof is under way, for whatever group: that of an unknown one keeps a link as well.
    pub(crate) fn is_proving(&self) -> bool {
        self.streams.values().any(|s| matches!(&s.role, Role::Control(c) if !c.is_up()))
    }

    /// Whether new streams may be opened on it.
    pub(crate) fn usable(&self) -> bool {
        !self.superseded && !self.closing
    }
}

/// Objects that may come at once unasked, or bring nothing new: what two groups keep at most. Whoever was away for long
/// has much that is no longer of use, and members tell each other at once what both have just heard.
fn objects_burst(limits: &Limits) -> u32 {
    u32::try_from(2 * Objects::count_max(limits)).unwrap_or(u32::MAX)
}

impl<A: Authority> Node<A> {
    pub(crate) fn on_link_up(
        &mut self,
        id: LinkId,
        dial: Option<DialId>,
        peer: KeyId,
        binding: [u8; 32],
        remote: Address,
    ) {
        let link = Link {
            peer,
            remote,
            dialled: dial.is_some(),
            binding,
            up: self.now.tick,
            instance: None,
            trusted: false,
            superseded: false,
            closing: false,
            controls: BTreeMap::new(),
            streams: BTreeMap::new(),
            control_queued: 0,
            inherited: BTreeMap::new(),
            control_rate: Bucket::full(4 * self.limits.control_frames, self.now.tick),
            object_rate: Bucket::full(objects_burst(&self.limits), self.now.tick),
            violations: [None; 2],
            next_stream: 0,
        };
        self.links.insert(id, link);
        self.links_by_peer.insert((peer, id));
        self.stats.links_up += 1;
        self.timer(Timer::Handshake(id), self.limits.handshake);
        match dial {
            Some(dial) => self.dial_succeeded(dial, id),
            None => {
                self.limit_peer(peer);
                self.limit_strangers(remote);
            }
        }
    }

    /// The links to whoever is expected: for a key those of one peer, the oldest first.
    pub(crate) fn links_to(&self, whom: Expect) -> impl Iterator<Item = (LinkId, &Link)> {
        let (mut first, mut last) = (KeyId([0; 32]), KeyId([0xff; 32]));
        match whom {
            Expect::Anyone => {}
            Expect::Key(key) => (first, last) = (key, key),
            Expect::Authority(authority) => {
                first.0[..20].copy_from_slice(&authority);
                last.0[..20].copy_from_slice(&authority);
            }
        }
        let ids = self.links_by_peer.range((first, LinkId(0))..=(last, LinkId(u64::MAX)));
        ids.filter_map(|(_, id)| self.links.get(id).map(|link| (*id, link)))
    }

    /// Closes the oldest of the links that one peer has dialled when they are too many: after a restart the newest is the
    /// one that lives.
    fn limit_peer(&mut self, peer: KeyId) {
        let theirs = self.links_to(Expect::Key(peer)).filter(|(_, l)| !l.dialled && !l.closing);
        let mut theirs: Vec<(Tick, LinkId)> = theirs.map(|(id, l)| (l.up, id)).collect();
        theirs.sort_unstable();
        if theirs.len() > self.limits.links_per_peer {
            self.stats.links_limited += 1;
            self.close_link(theirs[0].1, close::LIMIT);
        }
    }

    /// Closes the oldest links without a session that are over a limit.
    fn limit_strangers(&mut self, newest: Address) {
        let strangers = |node: &Self, prefix: Option<u64>| {
            let wanted = |l: &Link| {
                !l.dialled
                    && !l.closing
                    && !l.trusted
                    && prefix.is_none_or(|p| l.remote.prefix() == p)
            };
            let mut found: Vec<_> =
                node.links.iter().filter(|(_, l)| wanted(l)).map(|(id, l)| (l.up, *id)).collect();
            found.sort_unstable();
            found
        };
        let all = strangers(self, None);
        if all.len() > self.limits.strangers {
            self.stats.links_limited += 1;
            self.close_link(all[0].1, close::LIMIT);
        }
        if newest.is_loopback() {
            return;
        }
        let near = strangers(self, Some(newest.prefix()));
        if near.len() > self.limits.strangers_per_prefix {
            self.stats.links_limited += 1;
            self.close_link(near[0].1, close::LIMIT);
        }
    }

    pub(crate) fn on_link_down(&mut self, id: LinkId, cause: DownCause) {
        let moving = match cause {
            DownCause::Peer(close::DUPLICATE) => self.take_unopened(id),
            _ => Vec::new(),
        };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.closing = true;
        self.timers.cancel(Timer::Handshake(id));
        let streams: Vec<StreamId> = link.streams.keys().copied().collect();
        let itself = cause == DownCause::Peer(close::ITSELF);
        for stream in streams {
            let role =
                self.links.get_mut(&id).and_then(|l| l.streams.remove(&stream)).map(|s| s.role);
            self.forget_stream_timers(id, stream);
            match role {
                Some(Role::Direct(direct)) => self.direct_link_lost(direct, itself),
                Some(Role::Control(control)) => {
                    let why = if itself { Cause::Itself } else { Cause::Lost };
                    self.control_ended(id, stream, &control, why);
                }
                Some(Role::Held(_)) => self.stats.opens_dropped += 1,
                _ => {}
            }
        }
        let inherited: Vec<GroupKey> =
            self.links.get(&id).into_iter().flat_map(|l| l.inherited.keys().copied()).collect();
        inherited.into_iter().for_each(|group| self.disinherit(id, group, Cause::Lost));
        let gone = self.links.remove(&id);
        if let Some(gone) = &gone {
            self.links_by_peer.remove(&(gone.peer, id));
            self.reinstate((gone.peer, gone.instance));
        }
        self.stats.links_ended += u64::from(gone.is_some());
        for direct in moving {
            self.open_elsewhere(direct, gone.as_ref().and_then(|l| l.instance));
        }
        self.after_link();
    }

    pub(crate) fn on_accepted(&mut self, link: LinkId, stream: StreamId) {
        let Some(l) = self.links.get_mut(&link).filter(|l| !l.closing) else { return };
        l.streams.entry(stream).or_default();
        self.credit(link, stream, CREDIT_FRESH);
    }

    pub(crate) fn on_chunk(&mut self, link: LinkId, stream: StreamId, bytes: Bytes) {
        let Some(s) = self.stream(link, stream) else { return };
        s.credit = s.credit.saturating_sub(bytes.len() as u32);
        if matches!(s.role, Role::Spent) {
            // After our FIN what was on its way is dropped, and no credit given for more: a reset would take back what we
            // said last, which may be why there is nothing more to say.
            if !s.send_done {
                self.abort(link, stream, reset::VIOLATION);
            }
            return;
        }
        s.decoder.push(bytes);
        self.pump(link, stream);
    }

    /// Reads frames until there is none, or the stream has to wait.
    fn pump(&mut self, link: LinkId, stream: StreamId) {
        loop {
            let Some(s) = self.stream(link, stream) else { return };
            match s.decoder.next() {
                Err(error) => {
                    self.stats.links_undecodable += 1;
                    return self.close_link(link, error.close_code());
                }
                Ok(None) => break,
                Ok(Some(frame)) => {
                    self.stats.frames_received += 1;
                    let refused = self.stats.frames_refused;
                    self.on_frame(link, stream, frame);
                    self.stats.frames_accepted += u64::from(self.stats.frames_refused == refused);
                }
            }
        }
        self.refill(link, stream);
    }

    fn on_frame(&mut self, link: LinkId, stream: StreamId, frame: Frame) {
        let Some(s) = self.stream(link, stream) else { return };
        match (&s.role, frame) {
            (Role::Direct(id), frame) => {
                let id = *id;
                self.on_direct_frame(id, frame);
            }
            (Role::Control(_), frame) => {
                let awaited = self.is_awaited(link, stream, &frame);
                let object = awaited || frame.is_known_object();
                if !object && self.control_rate_exceeded(link) {
                    return self.close_flood(link);
                }
                let (kept, refused) = (self.stats.objects_kept, self.stats.frames_refused);
                self.on_control_frame(link, stream, frame);
                // What was asked for and is new does not count; what is refused has its own limit.
                let useful = awaited && self.stats.objects_kept > kept;
                let free = useful || self.stats.frames_refused > refused;
                if object && !free && self.object_rate_exceeded(link) {
                    self.close_flood(link);
                }
            }
            (Role::Fresh, Frame::Hello(hello)) => self.on_hello(link, stream, hello),
            (Role::Fresh, Frame::DcOpen { tag }) => self.on_dc_open(link, stream, tag),
            _ => {
                self.abort(link, stream, reset::VIOLATION);
                self.violation(link);
            }
        }
    }

    fn control_rate_exceeded(&mut self, link: LinkId) -> bool {
        let (rate, now) = (self.limits.control_frames, self.now.tick);
        self.links.get_mut(&link).is_some_and(|l| !l.control_rate.take(rate, 4 * rate, now))
    }

    fn object_rate_exceeded(&mut self, link: LinkId) -> bool {
        let (rate, burst) = (self.limits.control_frames, objects_burst(&self.limits));
        let now = self.now.tick;
        self.links.get_mut(&link).is_some_and(|l| !l.object_rate.take(rate, burst, now))
    }

    fn close_flood(&mut self, link: LinkId) {
        self.stats.frames_refused += 1;
        self.stats.links_flooded += 1;
        self.close_link(link, close::FLOOD);
    }

    pub(crate) fn on_finished(&mut self, link: LinkId, stream: StreamId) {
        let Some(s) = self.stream(link, stream) else { return };
        s.receive_done = true;
        match &s.role {
            Role::Direct(id) => {
                let id = *id;
                self.run(id, Step::Fin, Cause::Aborted);
            }
            Role::Control(_) => self.on_control_finished(link, stream),
            Role::Fresh | Role::Held(_) => self.abort(link, stream, reset::CANCELLED),
            Role::Spent => {}
        }
        self.collect_stream(link, stream);
    }

    pub(crate) fn on_reset(&mut self, link: LinkId, stream: StreamId, code: u64) {
        let Some(s) = self.stream(link, stream) else { return };
        match core::mem::take(&mut s.role) {
            Role::Direct(id) => {
                s.role = Role::Direct(id);
                self.direct_reset(id, code);
            }
            Role::Control(control) => {
                s.role = Role::Spent;
                self.forget_stream_timers(link, stream);
                // Only of a stream of ours can the peer know that its own is the better one.
                let ours = control.opener && !control.is_up();
                if let (reset::DUPLICATE, Some(group), true) = (code, control.group, ours) {
                    if let Some(l) = self.links.get_mut(&link) {
                        l.controls.retain(|_, s| *s != stream);
                    }
                    self.abort(link, stream, code);
                    return self.bequeath(link, stream, group, control);
                }
                let cause = match code {
                    reset::PROOF | reset::NO_SESSION => Cause::NotAuthenticated,
                    reset::MEMBERSHIP => Cause::Expired,
                    reset::REVOKED => Cause::Revoked,
                    _ => Cause::Lost,
                };
                self.control_ended(link, stream, &control, cause);
            }
            Role::Held(_) => self.stats.opens_dropped += 1,
            _ => {}
        }
        if self.stream(link, stream).is_some() {
            self.abort(link, stream, code);
        }
        // It may have been the last that kept a superfluous link.
        self.retire(link);
    }

    pub(crate) fn on_sent(&mut self, link: LinkId, stream: StreamId, bytes: u32) {
        let Some(l) = self.links.get_mut(&link) else { return };
        match l.streams.get(&stream).map(|s| &s.role) {
            Some(Role::Direct(id)) => {
                let id = *id;
                self.direct_sent(id, bytes as usize);
            }
            _ => {
                let Some(s) = l.streams.get_mut(&stream) else { return };
                let sent = s.queued.min(bytes as usize);
                s.queued -= sent;
                l.control_queued -= sent;
            }
        }
    }

    pub(crate) fn on_handshake_timer(&mut self, link: LinkId) {
        if self.links.get(&link).is_some_and(|l| !l.has_session()) {
            self.stats.links_silent += 1;
            self.close_link(link, close::NO_SESSION);
        }
    }

    /// Opens a stream of ours.
    pub(crate) fn open_stream(
        &mut self,
        link: LinkId,
        role: Role,
        priority: i8,
    ) -> Option<StreamId> {
        let l = self.links.get_mut(&link).filter(|l| !l.closing)?;
        let stream = StreamId(l.next_stream);
        l.next_stream += 2;
        l.streams.insert(stream, Stream { role, ..Stream::default() }.into());
        self.push(Output::Open { link, stream, priority });
        Some(stream)
    }

    pub(crate) fn stream(&mut self, link: LinkId, stream: StreamId) -> Option<&mut Stream> {
        self.links.get_mut(&link).filter(|l| !l.closing)?.streams.get_mut(&stream).map(|s| &mut **s)
    }

    pub(crate) fn credit(&mut self, link: LinkId, stream: StreamId, bytes: u32) {
        if let Some(s) = self.stream(link, stream).filter(|s| bytes > 0 && !s.receive_done) {
            s.credit += bytes;
            self.push(Output::Credit { link, stream, bytes });
        }
    }

    /// Gives the credit that the stream's role allows.
    pub(crate) fn refill(&mut self, link: LinkId, stream: StreamId) {
        if self.links.get(&link).is_some_and(|l| l.control_queued > CONTROL_QUEUE_MAX) {
            self.stats.links_slow += 1;
            return self.close_link(link, close::SLOW);
        }
        let Some(s) = self.stream(link, stream) else { return };
        match &s.role {
            Role::Direct(id) => {
                let id = *id;
                self.refill_direct(id);
            }
            Role::Control(control) if control.may_read() && s.credit < CREDIT_CONTROL / 2 => {
                let missing = CREDIT_CONTROL - s.credit;
                self.credit(link, stream, missing);
            }
            _ => {}
        }
    }

    pub(crate) fn finish(&mut self, link: LinkId, stream: StreamId) {
        if let Some(s) = self.stream(link, stream).filter(|s| !s.send_done) {
            s.send_done = true;
            self.push(Output::Finish { link, stream });
            self.collect_stream(link, stream);
        }
    }

    fn collect_stream(&mut self, link: LinkId, stream: StreamId) {
        if self
            .stream(link, stream)
            .is_some_and(|s| s.receive_done && s.send_done && matches!(s.role, Role::Spent))
            && let Some(l) = self.links.get_mut(&link)
        {
            l.drop_stream(stream);
            self.release_idle(link);
        }
    }

    /// Marks a stream as over, whatever it was; it goes when both sides have ended it.
    pub(crate) fn spend(&mut self, link: LinkId, stream: StreamId) {
        if let Some(s) = self.stream(link, stream) {
            s.role = Role::Spent;
            s.decoder = Decoder::default();
        }
        self.collect_stream(link, stream);
    }

    pub(crate) fn abort(&mut self, link: LinkId, stream: StreamId, code: u64) {
        let held = |s: &Stream| matches!(s.role, Role::Held(_));
        if let Some(l) = self.links.get_mut(&link).filter(|l| !l.closing) {
            self.stats.opens_dropped += u64::from(l.streams.get(&stream).is_some_and(|s| held(s)));
            if !l.drop_stream(stream) {
                return;
            }
            self.forget_stream_timers(link, stream);
            self.push(Output::Abort { link, stream, code });
        }
    }

    pub(crate) fn forget_stream_timers(&mut self, link: LinkId, stream: StreamId) {
        for timer in
            [Timer::Verdict(link, stream), Timer::Proof(link, stream), Timer::Welcome(link, stream)]
        {
            self.timers.cancel(timer);
        }
        self.end_exchange(link, stream);
    }

    /// A well-formed frame in a wrong state: the third in ten minutes closes the link.
    pub(crate) fn violation(&mut self, link: LinkId) {
        let now = self.now.tick;
        self.stats.frames_refused += 1;
        let Some(l) = self.links.get_mut(&link) else { return };
        let recent = |t: &Option<Tick>| t.is_some_and(|t| now.since(t) < VIOLATION_WINDOW);
        if l.violations.iter().all(recent) {
            return self.close_link(link, close::PROTOCOL);
        }
        l.violations = [l.violations[1], Some(now)];
    }

    /// Ends a link: its streams hear of it now, its end is reported by the driver.
    pub(crate) fn close_link(&mut self, id: LinkId, code: u64) {
        if self.links.get(&id).is_some_and(|l| !l.closing) {
            self.push(Output::CloseLink { link: id, code });
            self.on_link_down(id, DownCause::Local);
        }
    }

    /// Closes the links that no group needs any longer. Those of strangers have their own time.
    pub(crate) fn release_links(&mut self) {
        let known = |(id, l): (&LinkId, &Link)| (l.dialled || l.trusted).then_some(*id);
        let links: Vec<LinkId> = self.links.iter().filter_map(known).collect();
        links.into_iter().for_each(|id| self.release_link(id));
    }

    /// Closes a link that nothing depends on any longer, once all that it carried has arrived.
    pub(crate) fn release_idle(&mut self, id: LinkId) {
        self.retire(id);
        if self.links.get(&id).is_some_and(|l| !l.is_busy()) {
            self.release_link(id);
        }
    }

    /// Closes a link that no group needs any longer.
    pub(crate) fn release_link(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let needed = !link.controls.is_empty() || !link.inherited.is_empty() || link.is_proving();
        let carries = |s: &Stream| matches!(s.role, Role::Direct(_));
        if !needed && !link.streams.values().any(|s| carries(s)) {
            self.close_link(id, close::SHUTDOWN);
        }
    }
}

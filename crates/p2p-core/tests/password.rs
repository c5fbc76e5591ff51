//! Joining by password: who gets in, who does not, and what a stranger can learn by trying.

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use p2p_core::trace::{Act, Answer};
use p2p_core::{
    Address, Authority, Code, Config, DialId, Error, Event, Expect, FileTime, GroupKey,
    GroupSnapshot, Input, KeyId, Limits, LinkId, Member, Node, Now, ObjectKind, Output, Roles,
    SECOND, StoreChange, StreamId, Tick, close, reset,
};
use world::fake::{properties, revocation};
use world::raw::*;
use world::{Fake, GENESIS, MS, Paper, World, at, key};

const GROUP: u8 = 0xaa;
const PASSWORD: &[u8] = b"correct horse";

/// Properties with this password.
fn with_password(group: u8, password: &[u8]) -> Bytes {
    properties(key(group), 1, &format!("password {}", std::str::from_utf8(password).unwrap()))
}

/// A founder (machine 0) whose group has a password, and plain members, all online.
fn group(members: usize) -> (World, Vec<GroupKey>) {
    let mut world = World::new(11);
    let mut groups = Vec::new();
    for m in 0..=members {
        world.machine();
        let (depth, roles) = if m == 0 { (1, Roles::ADMIN) } else { (2, Roles::MEMBER) };
        let paper = Paper { depth, roles, ..Paper::new(key(GROUP), world.machines[m].key) };
        let addresses = vec![(world.machines[0].key, vec![world.machines[0].address])];
        let snapshot =
            GroupSnapshot { synchronised: m == 0, addresses, ..GroupSnapshot::default() };
        groups.push(world.join_as(m, &paper, snapshot));
        world.connect(m, groups[m], &[]);
        world.settle();
    }
    let bytes = with_password(GROUP, PASSWORD);
    world.call(0, Act::Publish(groups[0], ObjectKind::Properties, bytes)).unwrap();
    world.run(SECOND);
    let all = groups.clone();
    let due = if members == 0 { 1 } else { 3 };
    world.until("everybody online", |w| (0..all.len()).all(|m| bits(w, m, all[m]) == due));
    (world, groups)
}

fn bits(world: &World, m: usize, group: GroupKey) -> u32 {
    world.machines[m].node.status(group).map_or(0, |s| s.bits())
}

/// What an identity without a membership is to its group.
fn nobody(me: KeyId) -> Arc<Member> {
    let known = Paper::new(key(GROUP), me).member();
    let (chain, path) = (Bytes::new(), Arc::from([]));
    Arc::new(Member { chain, path, roles: Roles::empty(), depth: 0, ..(*known).clone() })
}

/// A machine that knows a password, and to find the group the addresses of others; not connected yet.
fn joiner(world: &mut World, password: &[u8], hints: &[usize]) -> (usize, GroupKey) {
    let m = world.machine();
    let group = key(GROUP);
    let pending = &mut world.machines[m].node.authority_mut().passwords.pending;
    pending.insert(group, Bytes::copy_from_slice(password));
    let address = |n: &usize| (world.machines[*n].key, vec![world.machines[*n].address]);
    let addresses = hints.iter().map(address).collect();
    let snapshot = GroupSnapshot { addresses, ..GroupSnapshot::default() };
    world.machines[m].disk.insert(group, snapshot.clone());
    let own = nobody(world.machines[m].key);
    let Ok(Answer::Group(opened)) = world.call(m, Act::OpenGroup(group, own, snapshot.into()))
    else {
        panic!("not opened")
    };
    world.machines[m].groups.insert(opened, group);
    (m, opened)
}

fn failures(world: &World, m: usize) -> Vec<Code> {
    let failed = |e: &Event| match e {
        Event::ConnectionFailed { reason } => Some(*reason),
        _ => None,
    };
    world.machines[m].events.iter().filter_map(|e| failed(&e.2)).collect()
}

fn renewed(world: &World, m: usize) -> Vec<Arc<Member>> {
    let renewed = |e: &Event| match e {
        Event::Renewed { member } => Some(member.clone()),
        _ => None,
    };
    world.machines[m].events.iter().filter_map(|e| renewed(&e.2)).collect()
}

/// Whom a machine was told to have rejected it, and whom it saw fail.
fn told(world: &World, m: usize) -> (Vec<KeyId>, Vec<KeyId>) {
    let (mut rejected, mut failed) = (Vec::new(), Vec::new());
    for (_, _, event) in &world.machines[m].events {
        match event {
            Event::PasswordRejected { peer, .. } => rejected.push(*peer),
            Event::PasswordFailed { peer, .. } => failed.push(*peer),
            _ => {}
        }
    }
    (rejected, failed)
}

fn nothing_is_kept(world: &World) {
    for machine in &world.machines {
        assert!(machine.node.authority().passwords.exchanges.is_empty());
    }
}

#[test]
fn who_knows_the_password_becomes_a_member_like_any_other() {
    let (mut world, groups) = group(1);
    let (m, joined) = joiner(&mut world, PASSWORD, &[0]);
    world.connect(m, joined, &[]);
    world.until("online", |w| bits(w, m, joined) == 3);
    let [member] = &renewed(&world, m)[..] else { panic!("one membership") };
    assert_eq!((member.key, member.depth), (world.machines[m].key, 2));
    assert!(member.roles.contains(Roles::MEMBER) && !member.roles.contains(Roles::ADMIN));
    let memberships = world.machines[m].node.memberships(joined, &member.key).unwrap();
    assert_eq!(memberships, std::slice::from_ref(member));
    let stored = |o: &Output| matches!(o, Output::Store { change, .. } if matches!(&**change, StoreChange::Own { member: own, .. } if own == member));
    assert_eq!(world.machines[m].outputs.iter().filter(|o| stored(o)).count(), 1);
    assert!(world.machines[m].node.authority().passwords.pending.is_empty(), "wiped");
    world.run(5 * SECOND);
    nothing_is_kept(&world);
    assert_eq!((told(&world, 0), told(&world, m)), Default::default());
    // The other member has met it too; and what members do, it does.
    world.accept(1, groups[1], true);
    world.accept(m, joined, true);
    let [ours, theirs] = world.direct(m, 1, [joined, groups[1]]);
    world.send_message(m, joined, ours, &b"hello"[..]).unwrap();
    world.until("the message", |w| w.machines[1].inbox.contains_key(&theirs));
    assert_eq!(failures(&world, m), []);
}

#[test]
fn a_wrong_password_fails_and_both_sides_are_told() {
    let (mut world, _) = group(1);
    let (m, joined) = joiner(&mut world, b"correct h0rse", &[0]);
    world.connect(m, joined, &[]);
    world.until("the failure", |w| !failures(w, m).is_empty());
    assert_eq!(failures(&world, m), [Code::PEER_E_NOT_AUTHORIZED]);
    assert_eq!(told(&world, m), (vec![world.machines[0].key], vec![]));
    world.run(SECOND);
    assert_eq!(told(&world, 0), (vec![], vec![world.machines[m].key]));
    assert_eq!(renewed(&world, m), []);
    nothing_is_kept(&world);
    // The right one helps at the next attempt.
    let pending = &mut world.machines[m].node.authority_mut().passwords.pending;
    pending.insert(key(GROUP), Bytes::from_static(PASSWORD));
    world.connect(m, joined, &[]);
    world.until("online", |w| bits(w, m, joined) == 3);
}

#[test]
fn who_may_not_issue_names_who_may_and_nobody_hears_of_it() {
    let (mut world, _) = group(3);
    let (m, joined) = joiner(&mut world, PASSWORD, &[2]);
    world.connect(m, joined, &[]);
    world.until("online", |w| bits(w, m, joined) == 3);
    assert_eq!(renewed(&world, m).len(), 1);
    assert_eq!((failures(&world, m), told(&world, m)), Default::default());
    let frame = |w: &World, n: usize, kind: u8| {
        let is = |o: &Output| matches!(o, Output::Write { head, .. } if head.as_slice()[0] == kind);
        w.machines[n].outputs.iter().any(is)
    };
    assert!(frame(&world, 2, CANNOT_ISSUE as u8) && frame(&world, 0, YOUR_GMC as u8));
    world.run(SECOND);
    assert_eq!(told(&world, 2), Default::default());
}

#[test]
fn nobody_who_may_issue_is_there() {
    let (mut world, _) = group(1);
    world.kill(0);
    let (m, joined) = joiner(&mut world, PASSWORD, &[1]);
    world.connect(m, joined, &[]);
    world.until("the failure", |w| !failures(w, m).is_empty());
    assert_eq!(failures(&world, m), [Code::PEER_E_NO_MEMBER_CONNECTIONS]);
    assert_eq!(told(&world, m), Default::default());
}

#[test]
fn several_members_at_once_give_one_membership() {
    let mut world = World::new(3);
    let mut groups = Vec::new();
    for m in 0..3 {
        world.machine();
        let depth = m as u8 + 1;
        let paper =
            Paper { depth, roles: Roles::ADMIN, ..Paper::new(key(GROUP), world.machines[m].key) };
        let objects = vec![(ObjectKind::Properties, with_password(GROUP, PASSWORD))];
        let snapshot = GroupSnapshot { synchronised: true, objects, ..GroupSnapshot::default() };
        groups.push(world.join_as(m, &paper, snapshot));
        world.connect(m, groups[m], &[]);
    }
    world.net.delay = 400 * MS;
    let (m, joined) = joiner(&mut world, PASSWORD, &[0, 1, 2]);
    world.connect(m, joined, &[]);
    world.until("online", |w| bits(w, m, joined) == 3);
    world.run(20 * SECOND);
    assert_eq!(renewed(&world, m).len(), 1);
    assert_eq!(world.machines[m].node.neighbours(joined).unwrap().len(), 3);
    assert_eq!(failures(&world, m), []);
    nothing_is_kept(&world);
}

#[test]
fn a_member_that_dies_in_the_middle_costs_no_more_than_time() {
    // Cut after each thing that happens on the way; another member is there.
    let mut cuts = 0;
    for steps in 0..60 {
        let (mut world, _) = group(0);
        let other = world.machine();
        let paper =
            Paper { roles: Roles::ADMIN, ..Paper::new(key(GROUP), world.machines[other].key) };
        let objects = vec![(ObjectKind::Properties, with_password(GROUP, PASSWORD))];
        let snapshot = GroupSnapshot { synchronised: true, objects, ..GroupSnapshot::default() };
        let there = world.join_as(other, &paper, snapshot);
        world.connect(other, there, &[]);
        world.settle();
        let (m, joined) = joiner(&mut world, PASSWORD, &[0, other]);
        world.connect(m, joined, &[]);
        for _ in 0..steps {
            world.step(world.tick + SECOND);
        }
        let busy = |n: &usize| !world.machines[*n].node.authority().passwords.exchanges.is_empty();
        let dying = [0, other].into_iter().find(busy);
        cuts += u32::from(dying.is_some());
        world.kill(dying.unwrap_or(0));
        world.until("online", |w| bits(w, m, joined) == 3);
        assert_eq!(renewed(&world, m).len(), 1, "after {steps}");
        world.run(60 * SECOND);
        assert!(world.machines[m].node.authority().passwords.exchanges.is_empty());
    }
    assert!(cuts > 3, "{cuts} exchanges were cut");
}

#[test]
fn a_revoked_identity_gets_nothing_by_password() {
    let (mut world, groups) = group(0);
    let (m, joined) = joiner(&mut world, PASSWORD, &[0]);
    let founder = Paper { depth: 1, roles: Roles::ADMIN, ..Paper::new(key(GROUP), key(1)) };
    let bytes = revocation(key(GROUP), &founder.member().path, world.machines[m].key, None);
    world.call(0, Act::Publish(groups[0], ObjectKind::Revocation, bytes)).unwrap();
    world.run(SECOND);
    world.connect(m, joined, &[]);
    world.until("the failure", |w| !failures(w, m).is_empty());
    assert_eq!(failures(&world, m), [Code::PEER_E_NOT_AUTHORIZED]);
    assert_eq!(renewed(&world, m), []);
    nothing_is_kept(&world);
}

#[test]
fn a_password_that_was_changed_in_the_middle_opens_nothing() {
    let (mut world, groups) = group(1);
    world.net.delay = 200 * MS;
    let (m, joined) = joiner(&mut world, PASSWORD, &[0]);
    world.connect(m, joined, &[]);
    let answered = |o: &Output| matches!(o, Output::Write { head, .. } if head.as_slice()[0] == PAKE_ANSWER as u8);
    world.until("an answer", |w| w.machines[0].outputs.iter().any(answered));
    let changed = properties(key(GROUP), 2, "password another");
    world.call(0, Act::Publish(groups[0], ObjectKind::Properties, changed)).unwrap();
    world.until("the failure", |w| !failures(w, m).is_empty());
    assert_eq!(failures(&world, m), [Code::PEER_E_NOT_AUTHORIZED]);
    assert_eq!(renewed(&world, m), []);
    world.run(SECOND);
    nothing_is_kept(&world);
}

#[test]
fn without_membership_and_password_no_group_opens() {
    let mut world = World::new(1);
    let m = world.machine();
    let own = nobody(world.machines[m].key);
    let open = |world: &mut World, own: Arc<Member>| {
        let snapshot = GroupSnapshot { synchronised: true, ..GroupSnapshot::default() };
        world.call(m, Act::OpenGroup(key(GROUP), own, snapshot.into()))
    };
    assert!(matches!(open(&mut world, own.clone()), Err(Error::NoMembership)));
    let pending = &mut world.machines[m].node.authority_mut().passwords.pending;
    pending.insert(key(GROUP), Bytes::from_static(PASSWORD));
    let member = Paper::new(key(GROUP), world.machines[m].key).member();
    assert!(matches!(open(&mut world, member), Err(Error::NoMembership)));
    let Ok(Answer::Group(group)) = open(&mut world, own) else { panic!("not opened") };
    assert_eq!(world.machines[m].node.synchronised(group), Ok(false));
}

/// One node, and what is on the other end of its links, by hand.
struct Door {
    node: Node<Fake>,
    tick: u64,
    log: Vec<(u64, Output)>,
}

impl Door {
    /// A founder whose group 1 has a password, and whose group 2 has none.
    fn new(limits: Limits) -> Door {
        let paper = |n| {
            let paper = Paper::new(key(n), key(100));
            Paper { depth: 1, roles: Roles::ADMIN, ..paper }
        };
        let chains = [1, 2].map(|n| (key(n), paper(n).chain())).into();
        let fake = Fake { own: key(100), chains, passwords: Default::default() };
        let config = Config { limits, previous: None };
        let mut door = Door::with(fake, config);
        for n in [1, 2] {
            let properties = (ObjectKind::Properties, with_password(1, PASSWORD));
            let objects = if n == 1 { vec![properties] } else { Vec::new() };
            let snapshot =
                GroupSnapshot { synchronised: true, objects, ..GroupSnapshot::default() };
            let now = door.now();
            let group = door.node.open_group(key(n), paper(n).member(), snapshot, now).unwrap();
            door.node.connect(group, &[], now).unwrap();
        }
        door.input(Input::Listening { addresses: world::addresses(&[at(0)]) });
        door
    }

    /// Somebody who knows a password of group 1.
    fn joining(password: &[u8]) -> (Door, GroupKey) {
        let mut passwords = world::fake::Passwords::default();
        passwords.pending.insert(key(1), Bytes::copy_from_slice(password));
        let fake = Fake { own: key(7), chains: BTreeMap::new(), passwords };
        let mut door = Door::with(fake, Config::default());
        let now = door.now();
        let group = door.node.open_group(key(1), nobody(key(7)), GroupSnapshot::default(), now);
        let group = group.unwrap();
        door.node.connect(group, &[at(1)], now).unwrap();
        door.input(Input::Listening { addresses: world::addresses(&[at(0)]) });
        (door, group)
    }

    fn with(fake: Fake, config: Config) -> Door {
        let now = Now { tick: Tick(0), wall: GENESIS };
        Door { node: Node::new(config, fake, [5; 32], now), tick: 0, log: Vec::new() }
    }

    fn now(&self) -> Now {
        Now { tick: Tick(self.tick), wall: FileTime(GENESIS.0 + self.tick * 10) }
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.node.handle(input, self.now());
        let mut new = Vec::new();
        while let Some(output) = self.node.poll() {
            if let Output::Store { ticket, .. } = output {
                self.node.handle(Input::Stored { ticket, result: Ok(()) }, self.now());
            }
            self.log.push((self.tick, output.clone()));
            new.push(output);
        }
        new
    }

    fn wait(&mut self, micros: u64) -> Vec<Output> {
        let end = self.tick + micros;
        let mut new = Vec::new();
        while let Some((due, _)) = self.node.next_timeout().filter(|(due, _)| due.0 <= end) {
            self.tick = self.tick.max(due.0);
            new.extend(self.input(Input::Timeout));
        }
        self.tick = end;
        new
    }

    fn link(&mut self, n: u64, peer: KeyId, remote: Address) -> LinkId {
        let link = LinkId(n);
        self.input(Input::LinkUp { link, dial: None, peer, binding: [n as u8; 32], remote });
        link
    }

    fn say(&mut self, link: LinkId, stream: u64, bytes: &[u8]) -> Vec<Output> {
        let stream = StreamId(stream);
        self.input(Input::Chunk { link, stream, bytes: Bytes::copy_from_slice(bytes) })
    }

    /// A hello for a group, and a share, on a new stream.
    fn ask(&mut self, link: LinkId, stream: u64, group: u8, share: &[u8]) -> Vec<Output> {
        self.input(Input::Accepted { link, stream: StreamId(stream) });
        let session = self.node.authority().session(&[link.0 as u8; 32], &key(group));
        let hello = hello(self.node.authority().tag(&session, true), 3);
        self.say(link, stream, &[hello, frame(PAKE_SHARE, share)].concat())
    }

    /// Everything that a peer could notice, and when: the lengths of answers, not what is random in them.
    fn noticed(&self) -> Vec<(u64, String)> {
        let seen = |o: &Output| match o {
            Output::Write { head, body, .. } => {
                let pieces: usize = body.pieces().iter().map(|piece| piece.len()).sum();
                Some(format!("frame {:?} and {pieces} bytes", head.as_slice()))
            }
            Output::Event { .. } | Output::Store { .. } => None,
            other => Some(format!("{other:?}")),
        };
        let later = self.log.iter().filter(|(tick, _)| *tick > 0);
        later.filter_map(|(tick, o)| Some((*tick, seen(o)?))).collect()
    }
}

fn writes(outputs: &[Output]) -> Vec<u8> {
    let kind = |o: &Output| match o {
        Output::Write { head, .. } => Some(head.as_slice()[0]),
        _ => None,
    };
    outputs.iter().filter_map(kind).collect()
}

fn aborts(outputs: &[Output]) -> Vec<u64> {
    let code = |o: &Output| if let Output::Abort { code, .. } = o { Some(*code) } else { None };
    outputs.iter().filter_map(code).collect()
}

fn closes(outputs: &[Output]) -> Vec<u64> {
    let code = |o: &Output| if let Output::CloseLink { code, .. } = o { Some(*code) } else { None };
    outputs.iter().filter_map(code).collect()
}

fn events(outputs: &[Output]) -> Vec<&Event> {
    outputs
        .iter()
        .filter_map(|o| match o {
            Output::Event { event, .. } => Some(event),
            _ => None,
        })
        .collect()
}

#[test]
fn a_stranger_sees_the_same_whether_the_group_is_here_has_a_password_or_is_not() {
    let mut first = None;
    for (group, confirmation) in [(1, &[7; 32][..]), (2, &[7; 32]), (9, &[7; 32]), (9, b"")] {
        let mut door = Door::new(Limits::default());
        door.wait(MS);
        let link = door.link(1, key(7), at(1));
        assert_eq!(writes(&door.ask(link, 1, group, &[4; 32])), [PAKE_ANSWER as u8]);
        door.wait(3 * SECOND);
        assert_eq!(writes(&door.say(link, 1, &frame(PAKE_CONFIRM, confirmation))), [0_u8; 0]);
        door.wait(60 * SECOND);
        let seen = door.noticed();
        let refusal: Vec<u64> =
            seen.iter().filter(|(_, what)| what.contains("[4, 1, 0]")).map(|s| s.0).collect();
        assert_eq!(refusal, [3 * SECOND + MS + 25 * MS]);
        assert_eq!(seen.last().unwrap().0, 40 * SECOND + MS, "the link follows");
        assert!(first.get_or_insert(seen.clone()) == &seen, "group {group}: {seen:#?}");
    }
}

#[test]
fn a_share_that_is_none_is_refused_alike_everywhere() {
    let mut first = None;
    for group in [1, 2, 9] {
        let mut door = Door::new(Limits::default());
        door.wait(MS);
        let link = door.link(1, key(7), at(1));
        assert_eq!(writes(&door.ask(link, 1, group, b"short")), [0_u8; 0]);
        assert_eq!(writes(&door.wait(25 * MS)), [4]);
        door.wait(60 * SECOND);
        let seen = door.noticed();
        assert!(first.get_or_insert(seen.clone()) == &seen, "group {group}: {seen:#?}");
    }
}

#[test]
fn who_vanishes_after_the_answer_had_a_guess_and_is_told_of() {
    type End = fn(&mut Door, LinkId) -> Vec<Output>;
    let ends: [End; 4] = [
        |door, link| door.input(Input::Finished { link, stream: StreamId(1) }),
        |door, link| {
            let stream = StreamId(1);
            door.input(Input::Reset { link, stream, code: reset::PROOF })
        },
        |door, link| {
            let cause = p2p_core::DownCause::Timeout;
            door.input(Input::LinkDown { link, cause })
        },
        |door, _| door.wait(30 * SECOND),
    ];
    for end in ends {
        let mut door = Door::new(Limits::default());
        let link = door.link(1, key(7), at(1));
        door.ask(link, 1, 1, &[4; 32]);
        assert_eq!(door.node.authority().passwords.exchanges.len(), 1);
        let outputs = end(&mut door, link);
        assert_eq!(events(&outputs), [&Event::PasswordFailed { peer: key(7), remote: at(1) }]);
        assert!(door.node.authority().passwords.exchanges.is_empty());
    }
}

#[test]
fn an_exchange_has_thirty_seconds_and_a_link_no_more_however_often_it_tries() {
    for group in [1, 9] {
        let mut door = Door::new(Limits::default());
        let link = door.link(1, key(7), at(1));
        door.wait(9 * SECOND);
        door.ask(link, 1, group, &[4; 32]);
        assert_eq!((closes(&door.wait(30 * SECOND - 1)), door.tick), (vec![], 39 * SECOND - 1));
        let outputs = door.wait(1);
        assert_eq!(aborts(&outputs), [reset::NO_SESSION]);
        assert_eq!(closes(&outputs), [close::NO_SESSION]);
        let mut door = Door::new(Limits::default());
        let link = door.link(1, key(7), at(1));
        for n in 0..4 {
            let stream = 4 * n + 1;
            assert_eq!(writes(&door.ask(link, stream, group, &[4; 32])), [PAKE_ANSWER as u8]);
            door.input(Input::Reset { link, stream: StreamId(stream), code: reset::PROOF });
            assert_eq!(closes(&door.wait(9 * SECOND)), []);
        }
        assert_eq!(closes(&door.wait(5 * SECOND)), [close::NO_SESSION], "40 s after its beginning");
    }
}

#[test]
fn tries_are_answered_ever_more_slowly_for_known_and_unknown_groups() {
    let mut first = None;
    for group in [1, 9] {
        let mut door = Door::new(Limits::default());
        door.wait(MS);
        let mut delayed = 0;
        for n in 0..13_u8 {
            // One place, many identities; one link each.
            let link = door.link(u64::from(n), key(50 + n), at(1));
            let outputs = door.ask(link, 1, group, &[4; 32]);
            let wait = |e: &&&Event| matches!(e, Event::PasswordDelayed { .. });
            delayed += events(&outputs).iter().filter(wait).count();
            door.input(Input::LinkDown { link, cause: p2p_core::DownCause::Timeout });
            let again = door.link(100 + u64::from(n), key(50 + n), at(1));
            door.input(Input::LinkDown { link: again, cause: p2p_core::DownCause::Timeout });
        }
        assert_eq!(delayed, if group == 1 { 8 } else { 0 });
        let answers: Vec<usize> = door
            .log
            .iter()
            .filter(|(_, o)| writes(core::slice::from_ref(o)) == [PAKE_ANSWER as u8])
            .map(|(tick, _)| *tick as usize / 1_000)
            .collect();
        assert_eq!(answers, [1; 5], "who waits and goes gets nothing");
        let seen = door.noticed();
        assert!(first.get_or_insert(seen.clone()) == &seen, "{seen:#?}");
    }
}

#[test]
fn who_waits_for_its_turn_gets_it() {
    let mut door = Door::new(Limits { strangers_per_prefix: 99, ..Limits::default() });
    let mut links = Vec::new();
    for n in 0..12_u8 {
        let link = door.link(u64::from(n), key(50 + n), at(1));
        links.push(link);
        door.ask(link, 1, 1, &[4; 32]);
    }
    door.wait(29 * SECOND);
    let answered: Vec<(u64, LinkId)> = door
        .log
        .iter()
        .filter_map(|(tick, o)| match o {
            Output::Write { link, .. } if writes(core::slice::from_ref(o)) == [6] => {
                Some((tick / SECOND, *link))
            }
            _ => None,
        })
        .collect();
    let turns = [0, 0, 0, 0, 0, 1, 2, 4, 8, 16];
    assert_eq!(answered, turns.into_iter().zip(links).collect::<Vec<_>>());
}

#[test]
fn exchanges_are_bounded_and_who_comes_then_is_refused_like_all() {
    let mut door = Door::new(Limits { password_exchanges: 2, ..Limits::default() });
    for n in 0..2_u8 {
        let link = door.link(u64::from(n), key(50 + n), at(usize::from(n)));
        assert_eq!(writes(&door.ask(link, 1, 1, &[4; 32])), [PAKE_ANSWER as u8]);
    }
    for (n, group) in [(2_u8, 1), (3, 9)] {
        let link = door.link(u64::from(n), key(50 + n), at(usize::from(n)));
        assert_eq!(writes(&door.ask(link, 1, group, &[4; 32])), [0_u8; 0]);
        assert_eq!(writes(&door.wait(25 * MS)), [4]);
    }
    assert_eq!(door.node.authority().passwords.exchanges.len(), 2);
    door.wait(31 * SECOND);
    assert!(door.node.authority().passwords.exchanges.is_empty());
}

#[test]
fn frames_of_an_exchange_in_a_wrong_state_are_violations() {
    let share = frame(PAKE_SHARE, &[4; 32]);
    let confirm = frame(PAKE_CONFIRM, &[5; 32]);
    let alone: [(&str, Vec<u8>); 4] = [
        ("answer", frame(PAKE_ANSWER, &[4; 64])),
        ("confirmation", confirm.clone()),
        ("membership", frame(YOUR_GMC, b"chain")),
        ("referrals", frame(CANNOT_ISSUE, &[0])),
    ];
    for (what, bytes) in &alone {
        for first in [true, false] {
            for group in [1, 9] {
                let mut door = Door::new(Limits::default());
                let link = door.link(1, key(7), at(1));
                door.input(Input::Accepted { link, stream: StreamId(1) });
                let session = door.node.authority().session(&[1; 32], &key(group));
                let hello = hello(door.node.authority().tag(&session, true), 3);
                let before = if first { hello } else { [hello, share.clone()].concat() };
                door.say(link, 1, &before);
                let outputs = door.say(link, 1, bytes);
                let legal = *what == "confirmation" && !first;
                let expected = if legal { vec![] } else { vec![reset::VIOLATION] };
                assert_eq!(aborts(&outputs), expected, "{what}, first {first}");
            }
        }
    }
    // A second share; a proof instead of a confirmation; an exchange where none is.
    for more in [share.clone(), proof(&Paper::new(key(1), key(7)).chain())] {
        let mut door = Door::new(Limits::default());
        let link = door.link(1, key(7), at(1));
        door.ask(link, 1, 1, &[4; 32]);
        assert_eq!(aborts(&door.say(link, 1, &more)), [reset::VIOLATION]);
        assert!(door.node.authority().passwords.exchanges.is_empty());
    }
    let mut door = Door::new(Limits::default());
    let link = door.link(1, key(7), at(1));
    door.input(Input::Accepted { link, stream: StreamId(1) });
    assert_eq!(aborts(&door.say(link, 1, &share)), [reset::VIOLATION]);
    // Longer than a message may be.
    let mut door = Door::new(Limits::default());
    let link = door.link(1, key(7), at(1));
    assert_eq!(closes(&door.ask(link, 1, 1, &[4; 2_049])), [close::PROTOCOL]);
}

/// A joiner's link to a peer by hand, its first message out: the stream, and what it sent.
fn dialled(door: &mut Door) -> (LinkId, StreamId, Vec<u8>) {
    let dial = door.log.iter().find_map(|(_, o)| match o {
        Output::Dial { dial, expect: Expect::Anyone, .. } => Some(*dial),
        _ => None,
    });
    let (link, dial): (LinkId, Option<DialId>) = (LinkId(1), dial);
    assert!(dial.is_some());
    let remote = at(1);
    let up = Input::LinkUp { link, dial, peer: key(100), binding: [1; 32], remote };
    let outputs = door.input(up);
    assert_eq!(writes(&outputs), [1, PAKE_SHARE as u8]);
    let share = outputs.iter().find_map(|o| match o {
        Output::Write { head, body, .. } if head.as_slice()[0] == 5 => {
            Some(body.clone().into_bytes().to_vec())
        }
        _ => None,
    });
    (link, StreamId(0), share.unwrap())
}

/// What a member answers who knows this password.
fn answer(door: &mut Door, password: &[u8], share: &[u8]) -> Bytes {
    let mut member = Fake { own: key(100), chains: BTreeMap::new(), passwords: Default::default() };
    let session = door.node.authority().session(&[1; 32], &key(1));
    let known = Some((&key(1), password));
    member.password_answer(1, known, &session, &key(7), share, [3; 32]).unwrap()
}

#[test]
fn a_joiner_shows_nothing_to_who_does_not_know_the_password() {
    let (mut door, _) = Door::joining(PASSWORD);
    let (link, stream, share) = dialled(&mut door);
    let wrong = answer(&mut door, b"another", &share);
    let mut outputs = door.say(link, stream.0, &frame(PAKE_ANSWER, &wrong));
    assert_eq!((writes(&outputs), aborts(&outputs)), (vec![], vec![reset::PROOF]));
    outputs.extend(door.wait(SECOND));
    let told = events(&outputs);
    assert_eq!(told[0], &Event::PasswordRejected { peer: key(100), remote: at(1) });
    let reason = Code::PEER_E_NOT_AUTHORIZED;
    assert!(told.contains(&&Event::ConnectionFailed { reason }), "{told:?}");
    assert!(door.node.authority().passwords.exchanges.is_empty());
    assert!(door.node.authority().awaits_password(&key(1)), "the password stays for another try");
}

#[test]
fn a_joiner_takes_no_membership_that_is_not_its_own_in_this_group() {
    let good = Paper { depth: 2, ..Paper::new(key(1), key(7)) };
    for bad in [
        Paper { genuine: false, ..good.clone() }.chain(),
        Paper::new(key(2), key(7)).chain(),
        Paper::new(key(1), key(8)).chain(),
        Paper { not_after: GENESIS.minus_seconds(3_000), ..good.clone() }.chain(),
        Bytes::from_static(b"nonsense"),
        Bytes::new(),
    ] {
        let (mut door, _) = Door::joining(PASSWORD);
        let (link, stream, share) = dialled(&mut door);
        let right = answer(&mut door, PASSWORD, &share);
        let outputs = door.say(link, stream.0, &frame(PAKE_ANSWER, &right));
        assert_eq!(writes(&outputs), [PAKE_CONFIRM as u8]);
        let outputs = door.say(link, stream.0, &frame(YOUR_GMC, &bad));
        assert_eq!(aborts(&outputs), [reset::PROOF]);
        assert!(events(&outputs).iter().any(|e| matches!(e, Event::Refused { .. })));
        assert!(door.node.authority().own_chain(&key(1)).is_none());
        assert!(door.node.authority().passwords.exchanges.is_empty());
    }
}

#[test]
fn a_joiner_is_refused_or_left_alone_at_any_point() {
    let no_session = frame(4, &[0]);
    for (what, after_answer) in [("at once", false), ("after its confirmation", true)] {
        for silent in [false, true] {
            let (mut door, _) = Door::joining(PASSWORD);
            let (link, stream, share) = dialled(&mut door);
            if after_answer {
                let right = answer(&mut door, PASSWORD, &share);
                door.say(link, stream.0, &frame(PAKE_ANSWER, &right));
            }
            let mut outputs = match silent {
                false => door.say(link, stream.0, &no_session),
                true => door.wait(30 * SECOND),
            };
            outputs.extend(door.wait(SECOND));
            let reason = Code::PEER_E_NOT_AUTHORIZED;
            let failed = Event::ConnectionFailed { reason };
            let told = events(&outputs);
            assert!(silent || told.contains(&&failed), "{what}: {told:?}");
            let failed = |e: &&&Event| matches!(e, Event::ConnectionFailed { .. });
            assert_eq!(told.iter().filter(failed).count(), 1, "{what}: {told:?}");
            assert!(door.node.authority().passwords.exchanges.is_empty());
        }
    }
}

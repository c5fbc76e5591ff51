//! Three to five members: who knows one soon knows all.

use p2p_group::{Cause, Code, ConnectionKind, EventKind, Filter, Group, KeyId, MemberFilter};
use p2p_tests::world::CONNECTED;
use p2p_tests::{End, Remote, Watch, node, still_alive, watch, within};

const PEER: &str = env!("CARGO_BIN_EXE_p2p-tests-peer");

/// A member, and what it is told of the mesh.
struct Member {
    end: End,
    mesh: Watch,
}

impl Member {
    fn new(end: End) -> Member {
        let kinds = [EventKind::Neighbour, EventKind::Member, EventKind::Status];
        Member { mesh: watch(&end.group, Filter::of(kinds)), end }
    }

    fn neighbours(&self) -> Vec<KeyId> {
        let listed = self.end.group.connections(ConnectionKind::Neighbour).unwrap();
        let mut keys: Vec<KeyId> = listed.iter().map(|info| info.peer.key()).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Waits until its neighbours are these, and it knows them as members that are present.
    async fn has(&self, others: &[KeyId]) {
        let mut others = others.to_vec();
        others.retain(|key| *key != self.end.key());
        others.sort();
        let filter = MemberFilter { present: true, identity: None };
        let present = || {
            let members = self.end.group.members(&filter).unwrap();
            let mut keys: Vec<KeyId> = members.iter().map(|info| info.member.key).collect();
            keys.retain(|key| *key != self.end.key());
            keys.sort();
            keys
        };
        while self.neighbours() != others || present() != others {
            self.mesh.next().await;
        }
    }
}

/// Ann and others, all of whom know nobody but Ann when they come.
async fn mesh(names: &[&str]) -> Vec<Member> {
    let ann = End::creator(node("Ann")).await;
    let newcomers = names.iter().map(|name| {
        let node = node(name);
        let invitation = ann.invite(&node);
        assert!(invitation.hints().iter().all(|(key, _)| *key == ann.key()));
        let group = Group::join(&node, &invitation).unwrap();
        Member::new(End { node, group })
    });
    let newcomers: Vec<Member> = newcomers.collect();
    let mut members = vec![Member::new(ann)];
    for newcomer in newcomers {
        within(newcomer.end.group.connect_and_wait()).await.unwrap();
        members.push(newcomer);
    }
    all_have_all(&members).await;
    members
}

async fn all_have_all(members: &[Member]) {
    let keys: Vec<KeyId> = members.iter().map(|member| member.end.key()).collect();
    for member in members {
        member.has(&keys).await;
        assert_eq!(member.end.group.status().unwrap(), CONNECTED);
    }
}

#[tokio::test]
async fn three_members_find_each_other() {
    mesh(&["Bob", "Carol"]).await;
}

#[tokio::test]
async fn five_members_that_come_at_once_find_each_other() {
    let ann = End::creator(node("Ann")).await;
    let mut members = Vec::new();
    for name in ["Bob", "Carol", "Dave", "Eve"] {
        let node = node(name);
        let group = Group::join(&node, &ann.invite(&node)).unwrap();
        group.connect().unwrap();
        members.push(Member::new(End { node, group }));
    }
    members.push(Member::new(ann));
    all_have_all(&members).await;
}

#[tokio::test]
async fn any_two_of_five_can_talk() {
    let members = mesh(&["Bob", "Carol", "Dave", "Eve"]).await;
    for (n, a) in members.iter().enumerate() {
        for b in &members[n + 1..] {
            let (at_a, at_b) = (a.end.watch(), b.end.watch());
            still_alive(&a.end, &at_a, &b.end, &at_b).await;
            // By name alone: where the other is has been learnt.
            let connection = within(b.end.group.direct(a.end.name())).await.unwrap();
            assert_eq!(connection.peer().key(), a.end.key());
            let id = at_a.any_connected().await;
            connection.close().unwrap();
            at_a.disconnected(id, Code::S_OK).await;
            assert_eq!(within(connection.closed()).await, Some(Cause::Orderly));
        }
    }
}

#[tokio::test]
async fn one_leaves_and_the_others_stay() {
    let mut members = mesh(&["Bob", "Carol", "Dave"]).await;
    // Ann herself: nobody is needed for the group to go on, not even its creator.
    let ann = members.remove(0);
    let (key, name) = (ann.end.key(), ann.end.group.name().clone());
    within(ann.end.group.close()).await.unwrap();
    all_have_all(&members).await;
    for member in &members {
        let known = member.end.group.members(&MemberFilter::default()).unwrap();
        let ann = known.iter().find(|info| info.member.key == key).expect("she is remembered");
        assert!(!ann.present);
    }
    let (bob, carol) = (&members[0].end, &members[1].end);
    still_alive(bob, &bob.watch(), carol, &carol.watch()).await;
    // She comes back by herself.
    let group = Group::open(&ann.end.node, &name).unwrap();
    let ann = Member::new(End { node: ann.end.node, group });
    ann.end.group.connect_by_address(&[bob.address()]).unwrap();
    members.push(ann);
    all_have_all(&members).await;
}

#[tokio::test]
async fn members_in_three_processes() {
    let ann = End::creator(node("Ann")).await;
    let mut bob = Remote::start(PEER, "Bob").await;
    let mut carol = Remote::start(PEER, "Carol").await;
    for peer in [&mut bob, &mut carol] {
        peer.join(&ann.invite_info(&peer.info)).await;
    }
    let member = Member::new(ann);
    bob.online().await;
    carol.online().await;
    member.has(&[bob.key(), carol.key()]).await;
    // Bob calls Carol, whom he was never told of by us.
    let address = carol.address().await;
    bob.get(&["direct", carol.name().as_str(), &address.to_string()]).await;
    let (at_bob, at_carol) = (bob.connected().await, carol.connected().await);
    bob.get(&["send", &at_bob.0.to_string(), "hello, Carol"]).await;
    carol.text(at_carol, "hello, Carol").await;
    // Ann goes; the two go on talking.
    within(member.end.node.shutdown()).await;
    carol.get(&["send", &at_carol.0.to_string(), "hello, Bob"]).await;
    bob.text(at_bob, "hello, Bob").await;
    assert_eq!(carol.close(at_carol).await, Code::S_OK.to_string());
    bob.disconnected(at_bob, Code::S_OK).await;
    carol.disconnected(at_carol, Code::S_OK).await;
    bob.quit().await;
    carol.quit().await;
}

/// Both ends dial at the same time, for different reasons; one of the two links is given up, and nothing that was begun on
/// it.
#[tokio::test]
async fn an_open_survives_that_the_peer_dials_at_the_same_time() {
    let ann = End::creator(node("Ann")).await;
    let mut bob = ann.member(node("Bob")).await;
    let at_ann = ann.watch();
    for round in 0..20 {
        let name = bob.group.name().clone();
        within(bob.group.close()).await.unwrap();
        bob.group = Group::open(&bob.node, &name).unwrap();
        let at_bob = bob.watch();
        let status = watch(&bob.group, Filter::of([EventKind::Status]));
        bob.group.connect().unwrap();
        assert!(status.status().await.listening);
        // Bob is dialling Ann now.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let id = ann.open(&bob);
        at_ann.connected(id).await;
        let there = at_bob.any_connected().await;
        assert_eq!(ann.close(id), Code::S_OK);
        at_ann.disconnected(id, Code::S_OK).await;
        at_bob.disconnected(there, Code::S_OK).await;
        while !bob.group.status().unwrap().connected {
            status.status().await;
        }
    }
}

//! What is on disk, and who holds it: programs that end well, and programs that are killed.

use std::path::Path;

use p2p_group::{Code, EventKind, Filter, Group, Home, Limits};
use p2p_tests::world::CONNECTED;
use p2p_tests::{End, Remote, node, start, still_alive, watch, within};

const PEER: &str = env!("CARGO_BIN_EXE_p2p-tests-peer");

/// The identity of this home, running, and its group, online.
async fn wake(home: &Path) -> End {
    let identity = Home::at(home).default_identity().unwrap().expect("it is kept");
    let node = start(identity, Limits::default());
    let name = node.groups().unwrap()[0].name.clone();
    let group = Group::open(&node, &name).unwrap();
    within(group.connect_and_wait()).await.unwrap();
    End { node, group }
}

#[tokio::test]
async fn everybody_starts_again_from_disk() {
    let (at_anns, at_bobs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = |folder: &tempfile::TempDir| Home::at(folder.path());
    let ann = End::creator(p2p_tests::node_in(&home(&at_anns), "Ann")).await;
    let bob = ann.member(p2p_tests::node_in(&home(&at_bobs), "Bob")).await;
    let (keys, name) = ((ann.key(), bob.key()), ann.group.name().clone());
    still_alive(&ann, &ann.watch(), &bob, &bob.watch()).await;
    for end in [ann, bob] {
        within(end.node.shutdown()).await;
    }
    // Ann first: she was synchronised, so she needs nobody to be online. Her port is another one.
    let ann = wake(at_anns.path()).await;
    assert_eq!(ann.group.name(), &name);
    let members = ann.group.members(&Default::default()).unwrap();
    assert_eq!(members.iter().map(|info| info.member.key).collect::<Vec<_>>(), [keys.0, keys.1]);
    assert!(!members[1].present && members[1].member.friendly_name == "Bob");
    let bob = wake(at_bobs.path()).await;
    assert_eq!((ann.key(), bob.key()), keys);
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    // Where Ann listens now, Bob has to be told.
    let status = watch(&bob.group, Filter::of([EventKind::Status]));
    within(bob.group.connect_by_address_and_wait(&[ann.address()])).await.unwrap();
    assert_eq!(status.status().await, CONNECTED);
    let (here, there) = bob.connect(&at_bob, &ann, &at_ann).await;
    assert_eq!(bob.close(here), Code::S_OK);
    at_bob.disconnected(here, Code::S_OK).await;
    at_ann.disconnected(there, Code::S_OK).await;
    still_alive(&ann, &at_ann, &bob, &at_bob).await;
    assert_eq!(bob.group.status().unwrap(), CONNECTED);
}

#[tokio::test]
async fn a_process_starts_again_and_finds_the_others_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let ann = End::creator(node("Ann")).await;
    let at_ann = ann.watch();
    let mut bob = Remote::start_in(PEER, home.path(), Some("Bob")).await;
    bob.join(&ann.invite_info(&bob.info)).await;
    bob.online().await;
    let key = bob.key();
    bob.quit().await;
    let mut bob = Remote::start_in(PEER, home.path(), None).await;
    assert_eq!(bob.key(), key);
    bob.get(&["open", ann.group.name().as_str()]).await;
    bob.online().await;
    assert_eq!(bob.get(&["members"]).await, ["Bob", "Ann"]);
    bob.get(&["direct", ann.name().as_str(), &ann.address().to_string()]).await;
    let there = bob.connected().await;
    let here = at_ann.any_connected().await;
    assert_eq!(bob.close(there).await, Code::S_OK.to_string());
    at_ann.disconnected(here, Code::S_OK).await;
    bob.disconnected(there, Code::S_OK).await;
    bob.quit().await;
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_writes_loses_nothing_it_has_told() {
    let home = tempfile::tempdir().unwrap();
    let mut stored = Vec::new();
    for round in 1..4 {
        let first = (round == 1).then_some("Ann");
        let mut ann = Remote::start_in(PEER, home.path(), first).await;
        let groups = ann.get(&["groups"]).await;
        let missing: Vec<_> = stored.iter().filter(|name| !groups.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        ann.say(&["churn"]).await;
        for _ in 0..3 * round {
            stored.extend(ann.hear().await.unwrap());
        }
        ann.kill().await;
    }
    let mut ann = Remote::start_in(PEER, home.path(), None).await;
    let groups = ann.get(&["groups"]).await;
    assert!(stored.iter().all(|name| groups.contains(name)), "{stored:?}, {groups:?}");
    // Whole groups: each of them opens and works, also the one that was being made.
    for name in &groups {
        ann.get(&["open", name]).await;
        assert_eq!(ann.get(&["connect"]).await, ["1"]);
    }
    ann.quit().await;
}

#[tokio::test]
async fn death_gives_a_group_back() {
    let home = tempfile::tempdir().unwrap();
    let mut ann = Remote::start_in(PEER, home.path(), Some("Ann")).await;
    let name = ann.get(&["create", "Friends"]).await;
    ann.online().await;
    let bob = node("Bob");
    let invitation = {
        let xml = p2p_tests::remote::hex(&bob.identity().to_xml());
        p2p_group::Invitation::parse(&ann.get(&["invite", &xml]).await[0]).unwrap()
    };
    let bob = End { group: Group::join(&bob, &invitation).unwrap(), node: bob };
    within(bob.group.connect_and_wait()).await.unwrap();
    ann.kill().await;
    let ann = wake(home.path()).await;
    assert_eq!(ann.group.name().as_str(), name[0]);
    let members = ann.group.members(&Default::default()).unwrap();
    assert!(members.iter().any(|info| info.member.key == bob.key()), "Bob was remembered");
    let (at_ann, at_bob) = (ann.watch(), bob.watch());
    within(ann.group.connect_by_address_and_wait(&[bob.address()])).await.unwrap();
    let id = ann.open(&bob);
    at_ann.connected(id).await;
    let there = at_bob.any_connected().await;
    assert_eq!(bob.close(there), Code::S_OK);
    at_bob.disconnected(there, Code::S_OK).await;
    at_ann.disconnected(id, Code::S_OK).await;
}

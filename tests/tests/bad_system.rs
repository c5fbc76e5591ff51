//! A system that gives no disk, and a second process that wants the same group.

use p2p_group::{
    Code, Group, GroupError, GroupEvent, Home, Invitation, InviteOptions, Limits, MemberChange,
};
use p2p_tests::world::send;
use p2p_tests::{End, Remote, node, start, within};

const PEER: &str = env!("CARGO_BIN_EXE_p2p-tests-peer");

/// A limit of the process stands for the disk: it needs no privilege, and writes fail where they would on a full disk.
#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_fails_what_needs_it_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let ann = End::creator(node("Ann")).await;
    let at_ann = ann.watch();
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\"", PEER]).env("P2P_HOME", home.path());
    let mut bob = Remote::launch(shell, &["keep", "Bob"]).await;
    bob.join(&ann.invite_info(&bob.info)).await;
    bob.online().await;
    bob.get(&["disk", "full"]).await;
    let full = Code::PEER_E_DISK_FULL.to_string();
    assert_eq!(bob.code(&["create", "No room"]).await, full);
    assert_eq!(bob.code(&["keep", "Nor for an identity"]).await, full);
    // Somebody new: Bob cannot remember her, says so, and talks to her all the same.
    let carol = node("Carol");
    let group = Group::join(&carol, &ann.invite(&carol)).unwrap();
    let carol = End { node: carol, group };
    let at_carol = carol.watch_all();
    within(carol.group.connect_and_wait()).await.unwrap();
    let is_bob = |event| match event {
        GroupEvent::Member { change: MemberChange::Connected, member } => {
            (member.key == bob.info.key).then_some(())
        }
        _ => None,
    };
    at_carol.until(is_bob).await;
    assert_eq!(bob.get(&["next"]).await, ["store", &full]);
    let direct = within(carol.group.direct(bob.key())).await.unwrap();
    assert_eq!(not_of_the_store(&mut bob).await[..2], ["direct", "Connected"]);
    within(direct.send(p2p_tests::TEXT, "no room for me?")).await.unwrap();
    assert_eq!(not_of_the_store(&mut bob).await[2], "no room for me?");
    let address = bob.address().await;
    let here = ann.group.open_direct(bob.key(), address).unwrap();
    at_ann.connected(here).await;
    // With room again everything works again, and what was there before is there still.
    bob.get(&["disk", "free"]).await;
    let groups = bob.get(&["groups"]).await;
    assert_eq!(groups, [ann.group.name().to_string()], "nothing half made");
    let room = bob.get(&["create", "Room"]).await;
    bob.kill().await;
    let mut bob = Remote::start_in(PEER, home.path(), None).await;
    let mut groups = bob.get(&["groups"]).await;
    let mut expected = vec![ann.group.name().to_string(), room[0].clone()];
    groups.sort();
    expected.sort();
    assert_eq!(groups, expected);
    bob.get(&["open", ann.group.name().as_str()]).await;
    bob.online().await;
    let address = bob.address().await;
    let again = ann.group.open_direct(bob.key(), address).unwrap();
    let again_connected = |event| match event {
        GroupEvent::Direct(event) => (event.id == again).then_some(event.cause.code()),
        _ => None,
    };
    assert_eq!(at_ann.until(again_connected).await, Code::S_OK);
    assert_eq!(send(&ann.group, again, "welcome back"), Code::S_OK);
    let there = bob.connected().await;
    bob.text(there, "welcome back").await;
    bob.quit().await;
}

/// The next event that is not another failure to store.
#[cfg(unix)]
async fn not_of_the_store(peer: &mut Remote) -> Vec<String> {
    loop {
        let event = peer.get(&["next"]).await;
        if event != ["store", &Code::PEER_E_DISK_FULL.to_string()] {
            return event;
        }
    }
}

#[tokio::test]
async fn a_second_process_cannot_open_a_group_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Remote::start_in(PEER, folder.path(), Some("Ann")).await;
    let name = p2p_group::PeerName::parse(&first.get(&["create", "Friends"]).await[0]).unwrap();
    first.online().await;
    let home = Home::at(folder.path());
    let ann = first.name().clone();
    let second = start(home.identity(&ann).unwrap(), Limits::default());
    let error = Group::open(&second, &name).unwrap_err();
    assert!(matches!(error, GroupError::InUse));
    assert_eq!(error.code(), Code::PEER_E_GROUP_IN_USE);
    let deleted = within(second.delete_group(&name)).await.unwrap_err();
    assert_eq!(deleted.code(), Code::PEER_E_GROUP_IN_USE);
    assert_eq!(home.delete_group(&ann, &name).unwrap_err().code(), Code::PEER_E_GROUP_IN_USE);
    let mut third = Remote::start_in(PEER, folder.path(), None).await;
    let refused = third.code(&["open", name.as_str()]).await;
    assert_eq!(refused, Code::PEER_E_GROUP_IN_USE.to_string());
    // A group of its own it may have; and it may invite into the one that is open elsewhere.
    Group::create(&second, "Others").unwrap();
    let bob = node("Bob");
    let info = bob.identity().info();
    let invitation: Invitation = home.invite(&ann, &name, &info, InviteOptions::default()).unwrap();
    assert_eq!(invitation.hints()[0].0, first.key(), "it says where the first process listens");
    // The first process has noticed nothing.
    let bob = End { group: Group::join(&bob, &invitation).unwrap(), node: bob };
    within(bob.group.connect_and_wait()).await.unwrap();
    let at_bob = bob.watch();
    let address = first.address().await;
    let here = bob.group.open_direct(first.key(), address).unwrap();
    at_bob.connected(here).await;
    let there = first.connected().await;
    assert_eq!(bob.close(here), Code::S_OK);
    first.disconnected(there, Code::S_OK).await;
    at_bob.disconnected(here, Code::S_OK).await;
    // As soon as it has closed the group, another may open it.
    first.quit().await;
    third.get(&["open", name.as_str()]).await;
    third.quit().await;
}

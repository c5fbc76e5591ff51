//! Memberships issued anew: to those who are there, to those who are away, and to those whose time was over.

mod common;

use common::*;
use p2p_core::StoreChange;
use p2p_crypto::{GroupIdentity, IssueRequest, inspect_chain};
use p2p_group::{
    AdminError, Code, CredentialOptions, EventKind, FileTime, Filter, Group, GroupEvent, Home,
    Identity, Invitation, InviteOptions, Limits, MemberChange, MemberFilter, PeerName, Roles, now,
};
use p2p_store::{GroupRecord, GroupRoot, Store};
use std::sync::Arc;

const DAY: u64 = 24 * 3_600;

fn stored() -> CredentialOptions {
    CredentialOptions { store: true, ..CredentialOptions::default() }
}

/// The next membership of one's own.
async fn renewed(events: &Watch) -> Arc<p2p_group::Member> {
    loop {
        if let GroupEvent::Renewed { member } = events.next().await {
            return member;
        }
    }
}

fn member_events(group: &Group) -> Watch {
    watch(group, Filter::of([EventKind::Member]))
}

#[tokio::test]
async fn a_present_member_is_renewed_at_once_and_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let ann = End::creator(node_in(&home, "Ann")).await;
    let bob = ann.member(node_in(&home, "Bob")).await;
    let before = bob.group.own();
    let [at_ann, at_bob] = [&ann.group, &bob.group].map(member_events);
    let roles = Roles::MEMBER.with(Roles::INVITING_MEMBER);
    let options = CredentialOptions { roles, ..stored() };
    let invitation = within(ann.group.renew_credentials(bob.key(), options)).await.unwrap();
    let after = renewed(&at_bob).await;
    assert_eq!(after.chain, *invitation.chain());
    assert!(after.not_before > before.not_before && after.roles == roles);
    assert_eq!(bob.group.own(), after);
    loop {
        if let GroupEvent::Member { change: MemberChange::Updated, member } = at_ann.next().await {
            assert_eq!((member.key, member.roles), (bob.key(), roles));
            break;
        }
    }
    // By the new membership, at once.
    let carol = Identity::in_memory("Carol").unwrap().info();
    assert_eq!(bob.group.invite(&carol, InviteOptions::default()).unwrap().member().depth, 3);

    let (identity, name) = (bob.node.identity().name().clone(), bob.group.name().clone());
    within(bob.node.shutdown()).await;
    drop((bob, at_bob));
    let bobs = start(home.identity(&identity).unwrap(), Limits::default());
    assert_eq!(Group::open(&bobs, &name).unwrap().own(), after, "from disk");
}

#[tokio::test]
async fn an_absent_member_finds_its_renewal_with_whoever_is_there() {
    let ann = End::creator(node("Ann")).await;
    let bob = ann.member(node("Bob")).await;
    let carol = ann.member(node("Carol")).await;
    within(bob.group.close()).await.unwrap();
    let at_carol = member_events(&carol.group);
    let options = CredentialOptions { roles: Roles::ADMIN, ..stored() };
    let bobs = bob.node.identity().name().clone();
    within(ann.group.renew_credentials(&bobs, options)).await.unwrap();
    loop {
        match at_carol.next().await {
            GroupEvent::Member { member, .. }
                if member.key == bob.key() && member.roles.contains(Roles::ADMIN) =>
            {
                break;
            }
            _ => {}
        }
    }
    within(ann.node.shutdown()).await;

    let group = Group::open(&bob.node, bob.group.name()).unwrap();
    let at_bob = member_events(&group);
    within(group.connect_by_address_and_wait(&[carol.address()])).await.unwrap();
    assert!(renewed(&at_bob).await.roles.contains(Roles::ADMIN));
    assert!(group.own().roles.contains(Roles::ADMIN));
}

#[tokio::test]
async fn a_renewal_may_be_handed_over_instead() {
    let (ann, bob) = pair().await;
    let first = bob.group.own();
    let renew = || ann.group.renew_credentials_blocking(bob.key(), CredentialOptions::default());
    let invitation = Invitation::parse(&renew().unwrap().to_line()).unwrap();
    assert_eq!(bob.group.own(), first, "nothing was published");
    let events = member_events(&bob.group);
    within(bob.group.accept_renewal(&invitation)).await.unwrap();
    assert_eq!(renewed(&events).await.chain, *invitation.chain());
    // What is older, or the same, changes nothing.
    bob.group.accept_renewal_blocking(&invitation).unwrap();
    assert_eq!(bob.group.own().chain, *invitation.chain());

    // The same where the group is closed.
    let options = CredentialOptions { not_before: Some(now()), ..CredentialOptions::default() };
    let later = within(ann.group.renew_credentials(bob.key(), options)).await.unwrap();
    within(bob.group.close()).await.unwrap();
    let group = Group::join(&bob.node, &later).unwrap();
    assert_eq!(group.own().chain, *later.chain());
    within(group.close()).await.unwrap();
    let group = Group::join(&bob.node, &invitation).unwrap();
    assert_eq!(group.own().chain, *later.chain(), "the later one stays");

    let other = End::creator(node("Eve")).await.invite(&bob.node);
    let error = group.accept_renewal_blocking(&other).unwrap_err();
    assert_eq!(error.code(), Code::E_INVALIDARG);
    let info = node("Carol").identity().info();
    let somebody = ann.group.issue_credentials_blocking(&info, CredentialOptions::default());
    let error = group.accept_renewal_blocking(&somebody.unwrap()).unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_INVITATION_NOT_TRUSTED);
}

#[tokio::test]
async fn credentials_are_issued_to_somebody_new_and_wait_in_the_group() {
    let ann = End::creator(node("Ann")).await;
    let zed = node("Zed");
    let expires = now().plus_seconds(DAY);
    let options = CredentialOptions { expires: Some(expires), ..stored() };
    let info = zed.identity().info();
    let invitation = within(ann.group.issue_credentials(&info, options)).await.unwrap();
    assert_eq!(invitation.member().roles, Roles::MEMBER);
    assert!(invitation.member().not_after <= expires);
    let listed = ann.group.members(&MemberFilter::default()).unwrap();
    let zeds = listed.iter().find(|info| info.member.key == zed.identity().key()).unwrap();
    assert!(!zeds.present && zeds.member.friendly_name == "Zed");
    let group = Group::join(&zed, &invitation).unwrap();
    within(group.connect_and_wait()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_issued_has_its_code() {
    let (ann, bob) = pair().await;
    let code = |result: Result<Invitation, AdminError>| result.unwrap_err().code();
    let renew = |options| code(ann.group.renew_credentials_blocking(bob.key(), options));
    let usual = CredentialOptions::default();
    let start = Some(bob.group.own().not_before);
    let early = CredentialOptions { not_before: start, ..usual };
    assert_eq!(renew(early), Code::PEER_E_INVALID_TIME_PERIOD, "not later than the present one");
    let info = bob.node.identity().info();
    let issue = |info, options| code(ann.group.issue_credentials_blocking(info, options));
    assert_eq!(issue(&info, early), Code::PEER_E_INVALID_TIME_PERIOD);
    let past = CredentialOptions { expires: Some(now().minus_seconds(1)), ..stored() };
    assert_eq!(renew(past), Code::PEER_E_INVALID_TIME_PERIOD);

    let stranger = PeerName::parse(&format!("{}.", "ab".repeat(20))).unwrap();
    let unknown = ann.group.renew_credentials_blocking(&stranger, usual);
    assert_eq!(code(unknown), Code::PEER_E_IDENTITY_NOT_FOUND);
    let key = p2p_group::KeyId([7; 32]);
    let unknown = ann.group.renew_credentials_blocking(key, usual);
    assert_eq!(code(unknown), Code::PEER_E_IDENTITY_NOT_FOUND);
    let mixed = p2p_group::IdentityInfo { name: stranger, ..info.clone() };
    assert_eq!(issue(&mixed, usual), Code::PEER_E_INVALID_CREDENTIAL_INFO);
    let myself = ann.node.identity().info();
    assert_eq!(issue(&myself, usual), Code::PEER_E_CIRCULAR_CHAIN_DETECTED);

    let denied = bob.group.renew_credentials_blocking(bob.key(), stored());
    assert_eq!(code(denied), Code::PEER_E_NOT_AUTHORIZED);
    let doras = node("Dora");
    let info = doras.identity().info();
    let invitation = ann.group.invite(&info, InviteOptions::roles(Roles::ADMIN)).unwrap();
    let dora = Group::join(&doras, &invitation).unwrap();
    let early = dora.renew_credentials_blocking(bob.key(), usual);
    assert_eq!(code(early), Code::PEER_E_GROUP_NOT_READY);
    dora.close_blocking().unwrap();
    let closed = dora.renew_credentials_blocking(bob.key(), usual);
    assert_eq!(code(closed), Code::PEER_E_INVALID_GROUP);
}

/// A group that Ann made two days ago, and of which Bob was a member for a day, as both homes keep it.
fn lapsed(home: &Home, ann: &Identity, bob: &Identity) -> PeerName {
    let made = now().minus_seconds(2 * DAY);
    let root = GroupIdentity::create(None, Some("Friends"), made).unwrap();
    let chain = root.issue_creator(&ann.info(), made).unwrap();
    let keys = p2p_store::Home::at(home.path());
    let [anns, bobs] = [ann, bob].map(|identity| keys.load(identity.name()).unwrap());
    let request = IssueRequest {
        subject: &bob.info(),
        roles: Roles::MEMBER,
        expires: Some(made.plus_seconds(DAY)),
        hints: &[],
        now: made,
    };
    let invitation = Invitation::issue(&anns, &chain, &request).unwrap();
    let group = root.key_id();
    let kept = GroupRoot {
        pkcs8: root.pkcs8().unwrap().to_vec().into(),
        certificate: root.certificate().to_vec(),
    };
    let store = keys.store(&anns);
    store.save_group(&group, &GroupRecord { chain, root: Some(kept) }).unwrap();
    store.set_hints(&group, &[], true).unwrap();
    let member = Arc::new(inspect_chain(invitation.chain()).unwrap().member);
    let met = StoreChange::Member { group, peer: bob.key(), memberships: vec![member] };
    store.commit(&[met]).unwrap();
    let store = keys.store(&bobs);
    let record = GroupRecord { chain: invitation.chain().clone(), root: None };
    store.save_group(&group, &record).unwrap();
    store.set_hints(&group, &[], true).unwrap();
    root.name().clone()
}

#[tokio::test]
async fn a_member_whose_membership_has_ended_comes_back_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let anns = node_in(&home, "Ann");
    // For how long it looks for somebody who has a later membership for it: not 30 s here.
    let hasty = Limits { connect: 3_000_000, ..Limits::default() };
    let bobs = start(home.create_identity("Bob").unwrap(), hasty);
    let name = lapsed(&home, anns.identity(), bobs.identity());
    let ann = End { group: Group::open(&anns, &name).unwrap(), node: anns };
    let bob = End { group: Group::open(&bobs, &name).unwrap(), node: bobs };
    assert!(bob.group.own().not_after < now());
    within(ann.group.connect_and_wait()).await.unwrap();
    let over = within(bob.group.connect_by_address_and_wait(&[ann.address()])).await;
    assert_eq!(over.unwrap_err().code(), Code::PEER_E_NOT_AUTHORIZED);

    let invitation = within(ann.group.renew_credentials(bob.key(), stored())).await.unwrap();
    let lasts = |from: FileTime, to: FileTime| (to.0 - from.0) / 10_000_000;
    let member = invitation.member();
    let length = lasts(member.not_before, member.not_after);
    assert!(length.abs_diff(DAY) <= 1_200, "as long as before: {length} s");
    let events = member_events(&bob.group);
    within(bob.group.connect_by_address_and_wait(&[ann.address()])).await.unwrap();
    assert_eq!(renewed(&events).await.chain, *invitation.chain());
    assert!(bob.group.own().not_after > now());
}

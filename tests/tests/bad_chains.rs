//! Memberships and invitations that are not what they seem. Whoever shows one learns nothing but that it is turned away,
//! in the same words each time; whoever turns it away is told why.

use p2p_core::Roles;
use p2p_crypto::{Identity, Invitation, IssueRequest};
use p2p_group::{
    Bytes, Code, EventKind, Filter, Group, GroupError, InviteError, InviteOptions, KeyId, Limits,
};
use p2p_tests::forge::{DAY, Forge, certificates, chain_of, stranger};
use p2p_tests::hostile::{frame, kind};
use p2p_tests::{End, Hostile, Watch, node, start, still_alive, watch, within};

/// Ann, who has had a group for a year, and Bob; and the keys of Ann's group.
struct Scene {
    forge: Forge,
    ann: End,
    bob: End,
    at_ann: Watch,
    at_bob: Watch,
    refusals: Watch,
    _home: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Scene {
        let home = tempfile::tempdir().unwrap();
        let forge = Forge::new(home.path());
        let ann = forge.open(Limits::default()).await;
        let bob = ann.member(node("Bob")).await;
        let (at_ann, at_bob) = (ann.watch(), bob.watch());
        let refusals = watch(&ann.group, Filter::of([EventKind::Refused]));
        Scene { forge, ann, bob, at_ann, at_bob, refusals, _home: home }
    }

    /// Shows `chain` to Ann as `identity`: who is turned away hears exactly this, and Ann is told why.
    async fn turned_away(&self, identity: &Identity, chain: &[u8], code: Code, detail: Code) {
        let mallory = Hostile::dial(identity, self.ann.address()).await;
        let mut control = mallory.say(&mallory.offer(&self.forge.group(), chain)).await;
        assert_eq!(control.rest().await, frame(kind::NO_SESSION, &[0]), "{code}");
        let refusal = self.refusals.refused().await;
        assert_eq!((refusal.code, refusal.detail), (code, detail));
        // Nor does it get a direct connection.
        let mut direct =
            mallory.say(&frame(kind::DC_OPEN, &mallory.tag(&self.forge.group()))).await;
        drop(direct.send.finish());
        assert_eq!(self.at_ann.now(), None);
    }

    async fn goes_on(&self) {
        still_alive(&self.bob, &self.at_bob, &self.ann, &self.at_ann).await;
        let dave = self.ann.member(node("Dave")).await;
        still_alive(&dave, &dave.watch(), &self.ann, &self.at_ann).await;
    }
}

fn bytes(chain: &[u8]) -> Bytes {
    Bytes::copy_from_slice(chain)
}

#[tokio::test]
async fn a_forged_chain() {
    let scene = Scene::new().await;
    let mallory = stranger("Mallory");
    let good = scene.ann.invite_info(&mallory.info()).chain().clone();
    // The last signature, one bit off.
    let mut altered = good.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let (hash, signature) = (Code::CRYPT_E_HASH_VALUE, Code::TRUST_E_CERT_SIGNATURE);
    scene.turned_away(&mallory, &altered, hash, signature).await;
    // A membership that Mallory has signed, below Ann's.
    let (her_chain, forger) =
        (scene.forge.chain(), Forge::new(tempfile::tempdir().unwrap().keep()));
    let own = forger.issue(&mallory.info(), p2p_group::now(), None);
    let mut certificates_ = certificates(her_chain);
    certificates_.push(certificates(own.chain()).pop().unwrap());
    let mixed = chain_of(&certificates_);
    let refusal = p2p_crypto::verify_chain(
        &scene.forge.group(),
        &mixed,
        &mallory.key_id(),
        &p2p_group::now(),
    )
    .unwrap_err();
    scene.turned_away(&mallory, &mixed, refusal.code, refusal.detail).await;
    assert_eq!(refusal.code, Code::CRYPT_E_ISSUER_SERIALNUMBER);
    // What was altered does not spoil what is good.
    let honest = Hostile::dial(&mallory, scene.ann.address()).await;
    honest.session(&scene.forge.group(), &good).await;
    drop(honest);
    scene.goes_on().await;
}

#[tokio::test]
async fn an_expired_chain_and_one_that_has_not_begun() {
    let scene = Scene::new().await;
    let now = p2p_group::now();
    let mallory = stranger("Mallory");
    let (rule, dates) = (Code::CRYPT_E_SECURITY_SETTINGS, Code::CERT_E_EXPIRED);
    let (month_ago, day_ago) = (now.minus_seconds(30 * DAY), now.minus_seconds(DAY));
    let over = scene.forge.issue(&mallory.info(), month_ago, Some(day_ago));
    scene.turned_away(&mallory, over.chain(), rule, dates).await;
    let early = scene.forge.issue(&mallory.info(), now.plus_seconds(DAY), None);
    scene.turned_away(&mallory, early.chain(), rule, dates).await;
    // Neither can be joined with.
    for invitation in [over, early] {
        let node = start(mallory.clone().into(), Limits::default());
        let error = Group::join(&node, &invitation).unwrap_err();
        assert_eq!(error.code(), Code::PEER_E_INVALID_TIME_PERIOD);
        assert!(node.groups().unwrap().is_empty());
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn a_foreign_chain() {
    let scene = Scene::new().await;
    let mallory = stranger("Mallory");
    // A good member of another group.
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = Forge::new(elsewhere.path()).issue(&mallory.info(), p2p_group::now(), None);
    let root = (Code::CRYPT_E_NO_TRUSTED_SIGNER, Code::CERT_E_UNTRUSTEDROOT);
    scene.turned_away(&mallory, foreign.chain(), root.0, root.1).await;
    // The chain of a good member of this group, shown by somebody else.
    let stolen = scene.bob.group.own().chain.clone();
    let name = (Code::CRYPT_E_NO_MATCH, Code::CERT_E_CN_NO_MATCH);
    scene.turned_away(&mallory, &stolen, name.0, name.1).await;
    scene.goes_on().await;
}

#[tokio::test]
async fn a_chain_of_the_wrong_length() {
    let scene = Scene::new().await;
    // As long as it may be: welcome. And its holder cannot issue another.
    let (last, longest) = scene.forge.longest();
    let welcome = Hostile::dial(&last, scene.ann.address()).await;
    welcome.session(&scene.forge.group(), &longest).await;
    drop(welcome);
    let one_more = stranger("One more").info();
    let request = IssueRequest {
        subject: &one_more,
        roles: Roles::MEMBER,
        expires: None,
        hints: &[],
        now: p2p_group::now(),
    };
    let error = Invitation::issue(&last, &longest, &request).unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_CHAIN_TOO_LONG);
    let mallory = stranger("Mallory");
    let mut list = certificates(&longest);
    list.push(certificates(scene.ann.invite_info(&mallory.info()).chain()).pop().unwrap());
    let long = (Code::CRYPT_E_BAD_LEN, Code::CERT_E_PATHLENCONST);
    scene.turned_away(&mallory, &chain_of(&list), long.0, long.1).await;
    // Nothing, the root alone, and a chain that is cut off.
    let good = scene.ann.invite_info(&mallory.info()).chain().clone();
    let root = &chain_of(&certificates(&good)[..1])[..];
    for chain in [&[][..], root, &good[..good.len() - 1], &good[..1]] {
        let told = p2p_crypto::inspect_chain(chain).unwrap_err();
        assert!(told.code.name().unwrap().starts_with("CRYPT_E_"));
        scene.turned_away(&mallory, chain, told.code, told.detail).await;
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn whoever_is_called_shows_a_bad_chain() {
    let scene = Scene::new().await;
    let mallory = stranger("Mallory");
    let good = scene.ann.invite_info(&mallory.info()).chain().clone();
    let mut altered = good.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    for (chain, code) in [
        (bytes(&altered), Code::CRYPT_E_HASH_VALUE),
        (scene.bob.group.own().chain.clone(), Code::CRYPT_E_NO_MATCH),
        (Bytes::new(), p2p_crypto::inspect_chain(&[]).unwrap_err().code),
    ] {
        let (endpoint, address) = Hostile::listen(&mallory);
        let group: KeyId = scene.forge.group();
        let answering = async {
            let called = Hostile::accept(&mallory, endpoint).await;
            let (send, recv) = within(called.connection.accept_bi()).await.unwrap();
            let mut control = p2p_tests::hostile::Stream { send, recv };
            assert_eq!(control.frame().await.0, kind::HELLO);
            assert_eq!(control.frame().await.0, kind::MEMBER_PROOF);
            let answer = [called.hello(&group), chain.to_vec()].concat();
            control.say(&frame(kind::SESSION_OK, &answer)).await;
            called.closed().await
        };
        let id = scene.ann.group.open_direct(mallory.key_id(), address).unwrap();
        let failed = scene.at_ann.failed(id, Code::PEER_E_CONNECTION_NOT_AUTHENTICATED);
        let (closed, event) = tokio::join!(answering, failed);
        assert_eq!(closed, 0x200, "nobody needs the link");
        assert_eq!(event.cause.refusal().map(|refusal| refusal.code), Some(code));
        assert_eq!(scene.ann.close(id), Code::PEER_E_CONNECTION_NOT_FOUND);
    }
    scene.goes_on().await;
}

// Invitations.

#[tokio::test]
async fn an_invitation_that_was_cut_off_or_altered() {
    let scene = Scene::new().await;
    let carol = node("Carol");
    let invitation = scene.ann.invite(&carol);
    let known = [
        Code::PEER_E_INVITATION_NOT_TRUSTED,
        Code::PEER_E_UNSUPPORTED_VERSION,
        Code::PEER_E_CHAIN_TOO_LONG,
        Code::PEER_E_CIRCULAR_CHAIN_DETECTED,
    ];
    let refused = |text: &str| {
        let error = Invitation::parse(text).expect_err(text);
        assert!(known.contains(&error.code()), "{}: {text}", error.code());
    };
    for text in [invitation.as_xml().to_owned(), invitation.to_line()] {
        for end in 0..text.len() {
            refused(&text[..end]);
        }
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            refused(&String::from_utf8(altered).unwrap());
        }
    }
    refused(&format!("{} ", invitation.as_xml().replace("><", "> <")));
    refused("");
    refused(&"<".repeat(100_000));
    // The one that nobody has touched is as good as before.
    let carol = End { group: Group::join(&carol, &invitation).unwrap(), node: carol };
    within(carol.group.connect_and_wait()).await.unwrap();
    still_alive(&carol, &carol.watch(), &scene.ann, &scene.at_ann).await;
    scene.goes_on().await;
}

#[tokio::test]
async fn an_invitation_for_somebody_else() {
    let scene = Scene::new().await;
    let (carol, mallory) = (node("Carol"), node("Mallory"));
    let invitation = scene.ann.invite(&carol);
    let error = Group::join(&mallory, &invitation).unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_INVITATION_NOT_TRUSTED);
    assert_eq!(error.refusal().map(|refusal| refusal.code), Some(Code::CRYPT_E_NO_MATCH));
    assert!(mallory.groups().unwrap().is_empty());
    let nothing = Group::open(&mallory, invitation.group_name()).unwrap_err();
    assert!(matches!(nothing, GroupError::NotFound));
    scene.goes_on().await;
}

#[tokio::test]
async fn a_member_that_may_not_invite() {
    let scene = Scene::new().await;
    let carol = stranger("Carol").info();
    let error = scene.bob.group.invite(&carol, InviteOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::PEER_E_NOT_AUTHORIZED);
    assert!(matches!(error, InviteError::Crypto(_)));
    scene.goes_on().await;
}

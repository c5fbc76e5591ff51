//! What comes in when somebody joins by password: the messages of the exchange, an invitation, what a member holds.

use std::sync::OnceLock;

use bytes::Bytes;
use p2p_core::{FileTime, KeyId};
use p2p_crypto::{
    AnyInvitation, ExchangeBinding, Identity, PasswordInvitation, PasswordJoiner, PasswordMember,
    PasswordSecret, PasswordVerifier, inspect_chain,
};

use crate::bounded;

const SESSION: [u8; 32] = [5; 32];
const GROUP: KeyId = KeyId([6; 32]);
const MEMBER: KeyId = KeyId([7; 32]);

/// One exchange as it should go, the same in every run but for the joiner's certificate.
struct Scene {
    joiner: Identity,
    key: KeyId,
    secret: PasswordSecret,
    verifier: PasswordVerifier,
    first: Bytes,
    answer: Bytes,
    /// Without the certificate.
    confirmation: Bytes,
}

impl Scene {
    fn get() -> &'static Scene {
        static SCENE: OnceLock<Scene> = OnceLock::new();
        SCENE.get_or_init(|| {
            let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
            let pkcs8 = [&head[..], &[9; 32]].concat();
            let now = FileTime::from_unix(1_795_344_000);
            let joiner = Identity::from_pkcs8(&pkcs8, None, Some("Bob"), now).unwrap();
            // w0 and w1 are 1, so that L is the generator (SEC 2 §2.4.2).
            let secret =
                PasswordSecret::from_bytes(std::array::from_fn(|i| u8::from(i % 40 == 39)));
            let verifier = PasswordVerifier::from_bytes(&verifier()).unwrap();
            let none = Bytes::new();
            let (first, answer, confirmation) = (none.clone(), none.clone(), none);
            let key = joiner.key_id();
            let mut scene = Scene { joiner, key, secret, verifier, first, answer, confirmation };
            let (waiting, first) = scene.start();
            scene.first = first;
            scene.answer = scene.answered().1;
            scene.confirmation = waiting.confirm(&scene.answer).unwrap().slice(..32);
            scene
        })
    }

    fn binding(&self) -> ExchangeBinding<'_> {
        ExchangeBinding { session: &SESSION, group: &GROUP, joiner: &self.key, member: &MEMBER }
    }

    fn start(&self) -> (PasswordJoiner, Bytes) {
        PasswordJoiner::start(&self.secret, &self.binding(), &self.joiner, &[1; 32]).unwrap()
    }

    fn answered(&self) -> (PasswordMember, Bytes) {
        self.answer_to(Some(&self.verifier), &self.first).unwrap()
    }

    fn answer_to(
        &self,
        verifier: Option<&PasswordVerifier>,
        first: &[u8],
    ) -> Option<(PasswordMember, Bytes)> {
        PasswordMember::answer(verifier, &self.binding(), first, &[2; 32]).ok()
    }
}

fn verifier() -> Vec<u8> {
    let generator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let mut bytes = [&[1, 1, 0, 0, 4, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[b's'; 16]].concat();
    bytes.extend([0; 31]);
    bytes.push(1);
    bytes.extend((0..65).map(|i| u8::from_str_radix(&generator[2 * i..2 * i + 2], 16).unwrap()));
    bytes
}

/// The messages of an exchange in each of its places, what a member holds of a password, an invitation by a password.
pub fn password_frames(bytes: &[u8]) {
    let scene = Scene::get();
    first(scene, bytes);
    if bounded(|| scene.start().0.confirm(bytes)).is_ok() {
        assert_eq!(
            bytes, scene.answer,
            "another answer was taken for one of who knows the password"
        );
    }
    if let Ok(info) = bounded(|| scene.answered().0.check(bytes)) {
        assert_eq!(bytes[..32], scene.confirmation[..]);
        assert_eq!(info.key, scene.key);
    }
    if let Ok(read) = bounded(|| PasswordVerifier::from_bytes(bytes)) {
        assert_eq!(*read.to_bytes(), bytes, "a second form was accepted");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        invitation(text);
    }
}

/// The first message: whether a group has a password shows in nothing.
fn first(scene: &Scene, bytes: &[u8]) {
    let with = bounded(|| scene.answer_to(Some(&scene.verifier), bytes));
    let without = bounded(|| scene.answer_to(None, bytes));
    assert_eq!(with.is_some(), without.is_some());
    if let (Some((with, one)), Some((without, two))) = (with, without) {
        assert_eq!((bytes.len(), one.len(), two.len()), (65, 97, 97));
        // The same only for the one point that leaves nothing secret: then neither is the password's.
        assert_eq!(one[..65] == two[..65], one[65..] == two[65..]);
        assert!(with.check(&[0; 32]).is_err() && without.check(&[0; 32]).is_err());
    }
}

fn invitation(text: &str) {
    let Ok(read) = bounded(|| PasswordInvitation::parse(text)) else { return };
    let line = read.to_line();
    assert!(text == read.as_xml() || text.trim() == line, "a second form was accepted");
    for form in [read.as_xml(), &line] {
        let again = PasswordInvitation::parse(form).expect("what is written is read");
        assert_eq!(again.as_xml(), read.as_xml());
        assert_eq!((again.role(), again.parameters()), (read.role(), read.parameters()));
        assert_eq!(again.issuer(), read.issuer());
        assert!(matches!(AnyInvitation::parse(form), Ok(AnyInvitation::ByPassword(_))));
    }
    assert!(p2p_crypto::Invitation::parse(text).is_err(), "one text is of both kinds");
    assert!(read.hints().len() <= 8 && read.hints().iter().all(|hint| hint.1.len() <= 8));
    let info = inspect_chain(&read.issuer().chain).expect("its chain is verified");
    assert_eq!((info.group, &info.member), (read.group(), read.issuer()));
    assert!(read.issuer().roles.grantable().contains(read.role()));
    let parameters = read.parameters();
    assert!((1_024..=262_144).contains(&parameters.memory()));
    assert!((1..=16).contains(&parameters.passes()) && (1..=8).contains(&parameters.lanes()));
    assert!(read.check_at(read.issuer().not_before).is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of the corpus that say so are an exchange that succeeds: else the target would see refusals only.
    #[test]
    fn the_corpus_has_an_exchange_that_succeeds() {
        let scene = Scene::get();
        assert_eq!(scene.first[..], include_bytes!("../corpus/password_frames/first-valid")[..]);
        assert_eq!(scene.answer[..], include_bytes!("../corpus/password_frames/answer-valid")[..]);
        let confirmation = include_bytes!("../corpus/password_frames/confirmation-valid");
        assert_eq!(scene.answered().0.check(confirmation).unwrap().friendly_name, "Bob");
        let verifier = include_bytes!("../corpus/password_frames/verifier-valid");
        assert!(PasswordVerifier::from_bytes(verifier).is_ok());
        let xml = include_str!("../corpus/password_frames/invitation-valid.xml");
        assert!(PasswordInvitation::parse(xml).is_ok());
    }
}

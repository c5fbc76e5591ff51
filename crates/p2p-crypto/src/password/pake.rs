//! The password-authenticated key exchange behind the exchange of passwords, so that it can be exchanged for another.

use ring::hmac::{HMAC_SHA256, Key, sign};
use spake2plus::rand_core::{TryCryptoRng, TryRng};
use spake2plus::{
    ConfirmP, ConfirmV, Context, P256Sha256, Prover, ProverSecret, ShareP, ShareV, Verifier,
    VerifierConfirming, VerifierRecord,
};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a share: a point, SEC 1 §2.3.3, uncompressed.
pub(super) const SHARE_LEN: usize = 65;
/// Bytes of a confirmation.
pub(super) const CONFIRMATION_LEN: usize = 32;
/// Bytes that the password is stretched to: two numbers below the group's order, with 64 bits to spare each.
pub(super) const STRETCHED_LEN: usize = 80;
/// Bytes of what a member holds: w0 and L.
pub(super) const RECORD_LEN: usize = 32 + SHARE_LEN;

pub(super) type Share = [u8; SHARE_LEN];
pub(super) type Confirmation = [u8; CONFIRMATION_LEN];
pub(super) type Stretched = [u8; STRETCHED_LEN];
pub(super) type Record = [u8; RECORD_LEN];

/// What both sides must agree on besides the password.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) context: &'a [u8],
    pub(super) prover: &'a [u8],
    pub(super) verifier: &'a [u8],
}

/// An augmented exchange with key confirmation: the prover knows the password, the verifier a record made from it.
/// `None` is a message or secret that cannot be, or a confirmation that is wrong; there is nothing more to know.
pub(super) trait Pake {
    type Prover;
    type Verifier;

    /// The record of a stretched password.
    fn record(stretched: &Stretched) -> Option<Zeroizing<Record>>;

    /// Whether these bytes are a record, in its one form.
    fn is_record(record: &Record) -> bool;

    /// The prover's share.
    fn prove(
        stretched: &Stretched,
        bound: Bound<'_>,
        random: Randomness,
    ) -> Option<(Self::Prover, Share)>;

    /// The verifier's share and confirmation.
    fn answer(
        record: &Record,
        bound: Bound<'_>,
        share: &Share,
        random: Randomness,
    ) -> Option<(Self::Verifier, Share, Confirmation)>;

    /// The prover's confirmation, if the verifier's is right.
    fn confirm(
        prover: Self::Prover,
        share: &Share,
        confirmation: &Confirmation,
    ) -> Option<Confirmation>;

    /// Whether the prover's confirmation is right.
    fn check(verifier: Self::Verifier, confirmation: &Confirmation) -> bool;
}

/// SPAKE2+ (RFC 9383), suite P256-SHA256-HKDF-SHA256-HMAC-SHA256.
pub(super) enum Spake2Plus {}

impl Pake for Spake2Plus {
    type Prover = Prover<P256Sha256>;
    type Verifier = VerifierConfirming<P256Sha256>;

    fn record(stretched: &Stretched) -> Option<Zeroizing<Record>> {
        let secret = ProverSecret::<P256Sha256>::from_pbkdf_output(stretched).ok()?;
        Some(secret.verifier_record().to_bytes())
    }

    fn is_record(record: &Record) -> bool {
        VerifierRecord::<P256Sha256>::from_bytes(record).is_ok()
    }

    fn prove(
        stretched: &Stretched,
        bound: Bound<'_>,
        mut random: Randomness,
    ) -> Option<(Self::Prover, Share)> {
        let secret = ProverSecret::from_pbkdf_output(stretched).ok()?;
        let (prover, share) = Prover::start(&secret, &context(bound), &mut random);
        Some((prover, *share.as_bytes()))
    }

    fn answer(
        record: &Record,
        bound: Bound<'_>,
        share: &Share,
        mut random: Randomness,
    ) -> Option<(Self::Verifier, Share, Confirmation)> {
        let record = VerifierRecord::from_bytes(record).ok()?;
        let (verifier, own) = Verifier::start(&record, &context(bound), &mut random);
        let (verifier, confirmation) = verifier.receive(&ShareP::from_bytes(share).ok()?).ok()?;
        Some((verifier, *own.as_bytes(), *confirmation.as_bytes()))
    }

    fn confirm(
        prover: Self::Prover,
        share: &Share,
        confirmation: &Confirmation,
    ) -> Option<Confirmation> {
        let prover = prover.receive(&ShareV::from_bytes(share).ok()?).ok()?;
        let (own, _) = prover.finish(&ConfirmV::from_bytes(confirmation).ok()?).ok()?;
        Some(*own.as_bytes())
    }

    fn check(verifier: Self::Verifier, confirmation: &Confirmation) -> bool {
        ConfirmP::from_bytes(confirmation).and_then(|own| verifier.finish(&own)).is_ok()
    }
}

fn context<'a>(bound: Bound<'a>) -> Context<'a> {
    Context { context: bound.context, prover_id: bound.prover, verifier_id: bound.verifier }
}

/// As many random bytes as are asked for, out of 32: HMAC-SHA256 with them as the key, over a counter. So an exchange
/// follows from its arguments.
pub(super) struct Randomness {
    key: Key,
    counter: u64,
}

impl Randomness {
    /// `purpose` keeps what is made from the same entropy for different ends apart.
    pub(super) fn new(entropy: &[u8; 32], purpose: &[u8]) -> Randomness {
        let mut key = sign(&Key::new(HMAC_SHA256, entropy), purpose).as_ref().to_vec();
        let random = Randomness { key: Key::new(HMAC_SHA256, &key), counter: 0 };
        key.zeroize();
        random
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = sign(&self.key, &self.counter.to_be_bytes());
            self.counter += 1;
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        }
    }
}

impl TryRng for Randomness {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Randomness {}

#[cfg(test)]
mod vectors;

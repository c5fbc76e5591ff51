//! Passwords made costly to guess: Argon2id (RFC 9106), and the costs that are borne.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::refusal::Cause;

/// Bytes of salt.
pub(crate) const SALT_LEN: usize = 16;
/// Longest password, in bytes.
pub(crate) const PASSWORD_MAX: usize = 1_024;

/// What a password is stretched by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cost {
    /// Memory in KiB.
    pub(crate) memory: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
}

impl Cost {
    /// RFC 9106 §4, its second recommendation, with one lane: we have one thread.
    pub(crate) const DEFAULT: Cost = Cost { memory: 64 * 1_024, passes: 3, lanes: 1 };
    /// Most of each that is accepted: somebody else chose them.
    pub(crate) const MAX: Cost = Cost { memory: 256 * 1_024, passes: 16, lanes: 8 };
    /// Least memory: below, it would not be worth its name.
    pub(crate) const MEMORY_MIN: u32 = 1_024;
    #[cfg(test)]
    pub(crate) const CHEAP: Cost = Cost { memory: Cost::MEMORY_MIN, passes: 1, lanes: 1 };

    /// Refuses costs that nobody should bear, before they are paid.
    pub(crate) fn check(self) -> Result<Cost, Cause> {
        let within = (Cost::MEMORY_MIN..=Cost::MAX.memory).contains(&self.memory)
            && (1..=Cost::MAX.passes).contains(&self.passes)
            && (1..=Cost::MAX.lanes).contains(&self.lanes);
        if within { Ok(self) } else { Err(Cause::Container) }
    }
}

/// Argon2id, version 0x13.
pub(crate) fn stretch(
    password: &[u8],
    salt: &[u8; SALT_LEN],
    cost: Cost,
    key: &mut [u8],
) -> Result<(), CryptoError> {
    let refused = |_| CryptoError::importing(Cause::Container);
    let params =
        Params::new(cost.memory, cost.passes, cost.lanes, Some(key.len())).map_err(refused)?;
    // Ours, so that too little memory is an error and what was in it is wiped.
    let mut blocks = Zeroizing::new(Vec::new());
    blocks.try_reserve_exact(params.block_count()).map_err(|_| CryptoError::Memory)?;
    blocks.resize(params.block_count(), Block::default());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, key, &mut blocks[..])
        .map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretching_is_argon2id_by_the_rfc() {
        // By OpenSSL: Python's cryptography 48.0.0, Argon2id(salt=b"saltsaltsaltsalt", length=32, iterations=2, lanes=2,
        // memory_cost=1024).derive(b"password").
        let mut key = [0; 32];
        let cost = Cost { memory: 1_024, passes: 2, lanes: 2 };
        stretch(b"password", b"saltsaltsaltsalt", cost, &mut key).unwrap();
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "870cf963a1072be80cf6862267bc4d08888c02237024dc3e8ac3284be50cbc76");
    }
}

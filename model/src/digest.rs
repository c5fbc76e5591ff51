//! A number in the place of a long text.

/// 128 bits that depend on every byte: two lanes of multiplications that keep both halves of the product.
pub(crate) fn digest(bytes: &[u8]) -> u128 {
    let mut lanes = [0x9e37_79b9_7f4a_7c15_u64, 0xd1b5_4a32_d192_ed03];
    let keys = [0xa076_1d64_78bd_642f_u64, 0xe703_7ed1_a0b4_28db];
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        for (lane, key) in lanes.iter_mut().zip(keys) {
            let product = u128::from(*lane ^ word) * u128::from(key | 1);
            *lane =
                (product as u64 ^ (product >> 64) as u64).wrapping_add(key ^ word.rotate_left(29));
        }
    }
    let ends = lanes.map(|lane| {
        let mixed = (lane ^ lane >> 32 ^ bytes.len() as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    });
    u128::from(ends[0]) << 64 | u128::from(ends[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_digest_depends_on_every_bit_and_on_the_length() {
        let text: Vec<u8> = (1..=100).collect();
        let mut seen = HashSet::from([digest(&text)]);
        for bit in 0..800 {
            let mut other = text.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(digest(&other)), "bit {bit}");
        }
        for length in 0..100 {
            assert!(seen.insert(digest(&text[..length])), "{length} bytes");
            assert!(seen.insert(digest(&vec![0; length + 1])), "{length} zeros and one");
        }
    }
}

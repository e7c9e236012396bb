//! Random numbers for decisions that need no secrecy, such as the choice of a target or a wait. Cheap, and seeded
//! once per process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A random number in [0, 1).
pub fn draw() -> f64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let seed = *SEED.get_or_init(|| getrandom::u64().unwrap_or(0x5eed));
    unit(mix(seed.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(GOLDEN))))
}

/// A number in [0, 1) that depends on the words only, for choices that must be stable.
pub fn of_words(words: &[&str]) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in words.iter().flat_map(|word| word.bytes().chain([0xff])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    unit(mix(hash))
}

/// The step of `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are what a number holds")]
fn unit(z: u64) -> f64 {
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_spread_and_words_are_kept() {
        let mean = (0..10_000).map(|_| draw()).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        assert!(of_words(&["a", "b"]).to_bits() == of_words(&["a", "b"]).to_bits());
        assert!(of_words(&["a", "b"]).to_bits() != of_words(&["ab"]).to_bits());
    }
}

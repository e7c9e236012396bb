//! Sketches of vectors: 256 signs of each, by which most of a large partition is passed over without a look at its
//! numbers.
//!
//! A vector is turned by a rotation that is the same for all (three rounds of changed signs and a Walsh–Hadamard
//! transform), and its first signs are kept. Two vectors at an angle of *a* differ in about *a*/π of them, whatever the
//! questions are about: so how many near ones are found depends on the cosine that is asked for alone, nothing is
//! trained, and a question is added and removed like any other. Those whose sketches are near enough are then compared
//! exactly.

use std::f64::consts::PI;

/// The signs of a sketch.
const SIGNS: usize = 256;
/// Signs in one word.
const WORD: usize = 64;
/// How often a vector is turned.
const ROUNDS: u64 = 3;
/// How many standard deviations beyond the usual distance still count: one of 30,000 near questions is missed.
const SPREAD: f64 = 4.0;

/// The sketch of a vector.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sketch([u64; SIGNS / WORD]);

impl Sketch {
    pub(super) fn of(vector: &[f32]) -> Self {
        let mut turned = vec![0.0; vector.len().next_power_of_two().max(SIGNS)];
        for (to, from) in turned.iter_mut().zip(vector) {
            *to = *from;
        }
        for round in 0..ROUNDS {
            change_signs(&mut turned, round);
            transform(&mut turned);
        }
        let mut words = [0; SIGNS / WORD];
        for (word, numbers) in words.iter_mut().zip(turned.chunks_exact(WORD)) {
            *word = numbers.iter().fold(0, |word, number| (word << 1) | u64::from(*number > 0.0));
        }
        Self(words)
    }

    /// In how many signs two sketches differ.
    pub(super) fn distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(one, other)| (one ^ other).count_ones()).sum()
    }
}

/// The distance that vectors with this cosine, or a greater one, do not exceed.
pub(super) fn farthest(cosine: f64) -> u32 {
    let (signs, part) = (SIGNS as f64, cosine.clamp(-1.0, 1.0).acos() / PI);
    (signs * part + SPREAD * (signs * part * (1.0 - part)).sqrt()).ceil() as u32
}

/// Changes the signs of about half of the numbers, in each round of others.
fn change_signs(numbers: &mut [f32], round: u64) {
    for (at, numbers) in (0_u64..).zip(numbers.chunks_mut(WORD)) {
        let mut bits = mixed((at << 8) | round);
        for number in numbers {
            if bits & 1 == 1 {
                *number = -*number;
            }
            bits >>= 1;
        }
    }
}

/// A number as random as need be (the end of `SplitMix64`).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The Walsh–Hadamard transform, without its factor. There are a power of two numbers.
fn transform(numbers: &mut [f32]) {
    let mut half = 1;
    while half < numbers.len() {
        for pair in numbers.chunks_exact_mut(2 * half) {
            let (left, right) = pair.split_at_mut(half);
            for (one, other) in left.iter_mut().zip(right) {
                (*one, *other) = (*one + *other, *one - *other);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of about a normal distribution, always the same ones.
    fn noise(seed: u64, count: usize) -> Vec<f32> {
        let uniform = |at: u64| mixed((seed << 32) | at) as f64 / u64::MAX as f64;
        let at = |at: usize| (0..12).map(|part| uniform((at * 12 + part) as u64)).sum::<f64>() - 6.0;
        (0..count).map(|number| at(number) as f32).collect()
    }

    fn unit(mut vector: Vec<f32>) -> Vec<f32> {
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        for number in &mut vector {
            *number /= length;
        }
        vector
    }

    /// Two vectors with this cosine.
    fn pair(seed: u64, count: usize, cosine: f32) -> [Vec<f32>; 2] {
        let one = unit(noise(2 * seed, count));
        let other = noise(2 * seed + 1, count);
        let along: f32 = one.iter().zip(&other).map(|(a, b)| a * b).sum();
        let aside = unit(other.iter().zip(&one).map(|(b, a)| b - along * a).collect());
        let far = (1.0 - cosine * cosine).sqrt();
        let near = one.iter().zip(&aside).map(|(a, b)| cosine * a + far * b).collect();
        [one, near]
    }

    #[test]
    fn vectors_as_near_as_is_asked_for_are_found_whatever_their_length_and_others_passed_over() {
        for count in [3, 64, 384, 1_536] {
            for cosine in [0.8_f32, 0.95] {
                let is_found = |found: f32| {
                    let near = |seed: &u64| {
                        let [one, other] = pair(*seed, count, found);
                        Sketch::of(&one).distance(&Sketch::of(&other)) <= farthest(f64::from(cosine))
                    };
                    (0..300).filter(near).count()
                };
                // One in 30,000 may be missed at the very threshold.
                assert!(is_found(cosine) >= 299, "{count} {cosine}");
                assert!(count == 3 || is_found(cosine - 0.5) <= 3, "{count} {cosine}");
            }
        }
    }

    #[test]
    fn a_sketch_is_the_same_each_time_and_for_each_length() {
        let vector = noise(7, 384);
        let double: Vec<f32> = vector.iter().map(|number| 2.0 * number).collect();
        assert_eq!(Sketch::of(&vector).distance(&Sketch::of(&double)), 0);
        let opposite: Vec<f32> = vector.iter().map(|number| -number).collect();
        assert_eq!(Sketch::of(&vector).distance(&Sketch::of(&opposite)), SIGNS as u32);
        assert_eq!((farthest(1.0), farthest(-1.0)), (0, SIGNS as u32));
    }
}

//! The questions of one partition, their vectors side by side.

use super::wording::Wording;
use super::{Direction, Question};
use crate::Key;

/// The most questions of a partition; the oldest go first.
pub(super) const MOST_QUESTIONS: usize = 10_000;
/// What a question takes besides its vector, in bytes.
pub(super) const OVERHEAD: usize = size_of::<Asked>() + 16;
/// What is freed at once when there is no room: this part of the bound, so that finding the least used is rare.
pub(super) const PART_FREED: usize = 8;
/// Products that are summed side by side, so that the processor computes them together.
const LANES: usize = 8;

#[derive(Debug, Default)]
pub(super) struct List {
    /// How many numbers a vector has.
    pub(super) numbers: usize,
    pub(super) vectors: Vec<f32>,
    pub(super) asked: Vec<Asked>,
    /// The oldest question, once no further ones are added.
    oldest: usize,
    /// Whether its partition is none of those that count.
    pub(super) is_gone: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) key: Key,
    pub(super) wording: Wording,
}

impl List {
    /// What is left of a partition that counts no longer.
    pub(super) fn gone() -> Self {
        Self { is_gone: true, ..Self::default() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.asked.len() * (self.numbers * size_of::<f32>() + OVERHEAD)
    }

    /// Adds a question, or puts it in the place of the oldest.
    pub(super) fn add(
        &mut self,
        Question { direction: Direction(vector), wording }: &Question,
        key: Key,
        has_room: bool,
    ) {
        let asked = Asked { key, wording: *wording };
        if vector.len() != self.numbers {
            // The model makes others now: the earlier ones cannot be compared with them. There is room for this one, or else
            // for none.
            let room_made = self.bytes();
            *self = Self { numbers: vector.len(), ..Self::default() };
            if !has_room && room_made < vector.len() * size_of::<f32>() + OVERHEAD {
                return;
            }
            return self.push(asked, vector);
        }
        let known = self.asked.iter().position(|other| other.key == key);
        let at = match known {
            Some(at) => at,
            None if has_room && self.asked.len() < MOST_QUESTIONS => return self.push(asked, vector),
            None if self.asked.is_empty() => return,
            None => {
                self.oldest = (self.oldest + 1) % self.asked.len();
                self.oldest.checked_sub(1).unwrap_or(self.asked.len() - 1)
            }
        };
        let place = at * self.numbers..(at + 1) * self.numbers;
        if let (Some(old), Some(numbers)) = (self.asked.get_mut(at), self.vectors.get_mut(place)) {
            *old = asked;
            numbers.copy_from_slice(vector);
        }
    }

    /// Adds a question, in memory that grows by a part only, so that the bound of bytes means something.
    fn push(&mut self, asked: Asked, vector: &[f32]) {
        if self.asked.len() == self.asked.capacity() {
            let more = self.asked.len() / PART_FREED + 1;
            self.asked.reserve_exact(more);
            self.vectors.reserve_exact(more * vector.len());
        }
        self.asked.push(asked);
        self.vectors.extend_from_slice(vector);
    }

    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let Some(at) = self.asked.iter().position(|asked| asked.key == *key) else { return false };
        self.asked.remove(at);
        self.vectors.drain(at * self.numbers..(at + 1) * self.numbers);
        self.oldest = 0;
        true
    }
}

/// The cosine of two vectors of length 1.
pub(super) fn product(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest: f32 = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in ones.zip(others) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

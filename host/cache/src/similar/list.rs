//! The questions of one partition, their vectors side by side.

use std::collections::HashMap;

use super::shared_list::{Position, Removals};
use super::sketch::{Sketch, farthest};
use super::wording::Wording;
use super::{Demand, Direction, Nearest, Question};
use crate::Key;

/// The most questions of which each is compared; of more, those whose sketches are near.
pub(super) const MAX_COMPARED: usize = 10_000;
/// What a question takes besides its vector, in bytes: itself, its sketch, and its row in the table of places.
pub(super) const OVERHEAD: usize =
    size_of::<StoredQuestion>() + size_of::<Sketch>() + 2 * size_of::<(Key, usize)>() + 16;
/// What is freed at once when there is no room: this part of the bound, so that finding the least used is rare.
pub(super) const PART_FREED: usize = 8;
/// Products that are summed side by side, so that the processor computes them together.
const LANES: usize = 8;

#[derive(Debug, Default)]
pub(super) struct List {
    /// How many numbers a vector has.
    pub(super) numbers: usize,
    vectors: Vec<f32>,
    sketches: Vec<Sketch>,
    asked: Vec<StoredQuestion>,
    /// Where the question with each key is.
    places: HashMap<Key, usize>,
    /// The oldest question, once no further ones are added.
    oldest: usize,
    /// How far the questions of other nodes are known, and the removals before these.
    pub(super) read: Option<(Removals, Position)>,
    /// Whether its partition no longer counts.
    pub(super) is_gone: bool,
}

#[derive(Debug, Clone, Copy)]
struct StoredQuestion {
    key: Key,
    wording: Wording,
}

impl List {
    /// What is left of a partition that counts no longer.
    pub(super) fn gone() -> Self {
        Self { is_gone: true, ..Self::default() }
    }

    /// No questions; those of other nodes are read from here on.
    pub(super) fn read_from(read: Option<(Removals, Position)>) -> Self {
        Self { read, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.asked.len() * (self.numbers * size_of::<f32>() + OVERHEAD)
    }

    /// The nearest question: the nearest that fits, if there is one. Of a large partition one that is nearer than is
    /// asked for, or none.
    pub(super) fn nearest(&self, question: &Question, demand: Demand) -> Option<Nearest> {
        let vector = &question.direction.0;
        if self.numbers != vector.len() || vector.is_empty() {
            return None;
        }
        let all = self.vectors.chunks_exact(self.numbers).zip(&self.asked);
        let compared = |(numbers, asked): (&[f32], &StoredQuestion)| {
            let similarity = f64::from(product(numbers, vector)).min(1.0);
            let is_worded_alike = !demand.same_wording || asked.wording == question.wording;
            Nearest { key: asked.key, similarity, fits: is_worded_alike && similarity >= demand.threshold }
        };
        let nearer = |one: &Nearest, other: &Nearest| {
            one.fits.cmp(&other.fits).then(one.similarity.total_cmp(&other.similarity))
        };
        if self.len() <= MAX_COMPARED {
            return all.map(compared).max_by(nearer);
        }
        let (sketch, farthest) = (Sketch::of(vector), farthest(demand.threshold));
        let near = self.sketches.iter().zip(all).filter(|(other, _)| sketch.distance(other) <= farthest);
        near.map(|(_, one)| compared(one)).max_by(nearer)
    }

    /// Adds a question, or puts it in the place of the oldest: there are `most` of them at most, and no more than now
    /// unless there is room.
    pub(super) fn add(&mut self, question: &Question, key: Key, has_room: bool, most: usize) {
        let Question { direction: Direction(vector), wording } = question;
        let asked = StoredQuestion { key, wording: *wording };
        if vector.len() != self.numbers {
            // The model makes others now: the earlier ones cannot be compared with them. There is room for this one, or
            // else for none.
            let room_made = self.bytes();
            *self = Self { numbers: vector.len(), ..Self::read_from(self.read) };
            if !has_room && room_made < vector.len() * size_of::<f32>() + OVERHEAD {
                return;
            }
            return self.push(asked, vector);
        }
        let at = match self.places.get(&key) {
            Some(at) => *at,
            None if has_room && self.asked.len() < most => return self.push(asked, vector),
            None if self.asked.is_empty() => return,
            None => {
                self.oldest = (self.oldest + 1) % self.asked.len();
                self.oldest.checked_sub(1).unwrap_or(self.asked.len() - 1)
            }
        };
        let place = at * self.numbers..(at + 1) * self.numbers;
        let numbers = self.vectors.get_mut(place);
        if let (Some(old), Some(numbers), Some(sketch)) = (self.asked.get_mut(at), numbers, self.sketches.get_mut(at)) {
            self.places.remove(&old.key);
            self.places.insert(key, at);
            *old = asked;
            *sketch = Sketch::of(vector);
            numbers.copy_from_slice(vector);
        }
    }

    /// Adds a question, in memory that grows by a part only, so that the bound of bytes means something.
    fn push(&mut self, asked: StoredQuestion, vector: &[f32]) {
        if self.asked.len() == self.asked.capacity() {
            let more = self.asked.len() / PART_FREED + 1;
            self.asked.reserve_exact(more);
            self.sketches.reserve_exact(more);
            self.vectors.reserve_exact(more * vector.len());
        }
        self.places.insert(asked.key, self.asked.len());
        self.asked.push(asked);
        self.sketches.push(Sketch::of(vector));
        self.vectors.extend_from_slice(vector);
    }

    /// Removes a question. The last one takes its place.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let Some(at) = self.places.remove(key) else { return false };
        let last = self.asked.len().saturating_sub(1);
        self.asked.swap_remove(at);
        self.sketches.swap_remove(at);
        if let Some(moved) = self.asked.get(at) {
            self.places.insert(moved.key, at);
            self.vectors.copy_within(last * self.numbers.., at * self.numbers);
        }
        self.vectors.truncate(last * self.numbers);
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

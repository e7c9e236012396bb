//! Questions by their meaning, as vectors: which earlier question is nearest to a new one. What the answers are is not known
//! here, only their keys.
//!
//! Questions are compared within a partition only, which is everything of a request but its last words. A partition has so
//! few of them that each is looked at.

mod list;
pub mod wording;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::Key;
use list::{List, OVERHEAD, PART_FREED, product};
use wording::Wording;

/// The most numbers of a vector.
const MOST_NUMBERS: usize = 4_096;

/// A vector of length 1.
#[derive(Debug, Clone)]
pub struct Direction(Vec<f32>);

impl Direction {
    /// The direction of a vector; none for one that has none: without numbers, of zeros, with a number that is not finite,
    /// or too long.
    pub fn of(mut vector: Vec<f32>) -> Option<Self> {
        if vector.is_empty() || vector.len() > MOST_NUMBERS {
            return None;
        }
        let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length <= f64::from(f32::MIN_POSITIVE) {
            return None;
        }
        for number in &mut vector {
            *number = (f64::from(*number) / length) as f32;
        }
        Some(Self(vector))
    }
}

/// A question: what it means, and its words.
#[derive(Debug, Clone)]
pub struct Question {
    /// What it means.
    pub direction: Direction,
    /// How it is worded, which opposites are not alike in.
    pub wording: Wording,
}

/// What is asked of a nearest question.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// The cosine that it must reach.
    pub threshold: f64,
    /// Whether its words must be the same, but for such that change nothing.
    pub same_wording: bool,
}

/// The nearest question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// The key of its answer.
    pub key: Key,
    /// The cosine between the two.
    pub similarity: f64,
    /// Whether it is as near as is asked for.
    pub fits: bool,
}

/// The questions of all partitions, within a bound of bytes. The least used partition goes first.
#[derive(Debug, Default)]
pub struct Questions {
    partitions: Mutex<HashMap<Key, Arc<Partition>>>,
    limit: AtomicUsize,
    bytes: AtomicUsize,
    turns: AtomicU64,
}

#[derive(Debug)]
struct Partition {
    asked: RwLock<List>,
    used: AtomicU64,
}

/// A question whose answer is awaited.
#[derive(Debug, Clone)]
pub struct PendingQuestion {
    questions: Arc<Questions>,
    partition: Key,
    question: Question,
}

impl PendingQuestion {
    /// A question in a partition.
    pub fn new(questions: &Arc<Questions>, partition: Key, question: Question) -> Self {
        Self { questions: Arc::clone(questions), partition, question }
    }

    /// The nearest one that was answered.
    pub fn nearest(&self, demand: Demand) -> Option<Nearest> {
        self.questions.nearest(&self.partition, &self.question, demand)
    }

    /// How many numbers are compared to find it.
    pub fn numbers(&self) -> usize {
        self.questions.numbers(&self.partition)
    }

    /// Forgets an earlier question whose answer is kept no longer.
    pub fn forget(&self, key: &Key) {
        self.questions.remove_from(&self.partition, key);
    }

    /// Its own answer is kept, under this key.
    pub fn answered(self, key: Key) {
        self.questions.add(&self.partition, &self.question, key);
    }
}

impl Questions {
    /// No questions, in so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit: AtomicUsize::new(limit), ..Self::default() }
    }

    /// Changes the bound; what is beyond it goes as other questions come.
    pub fn resize(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many questions there are.
    pub fn len(&self) -> usize {
        let partitions: Vec<_> = self.partitions().values().cloned().collect();
        partitions.iter().map(|partition| partition.read().asked.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that they take.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The nearest question of a partition: the nearest that fits, if there is one.
    pub fn nearest(&self, partition: &Key, question: &Question, demand: Demand) -> Option<Nearest> {
        let partition = self.partition(partition)?;
        partition.used.store(self.turns.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let list = partition.read();
        if list.numbers != question.direction.0.len() {
            return None;
        }
        let vectors = list.vectors.chunks_exact(list.numbers).zip(&list.asked);
        let all = vectors.map(|(vector, asked)| {
            let similarity = f64::from(product(vector, &question.direction.0)).min(1.0);
            let is_worded_alike = !demand.same_wording || asked.wording == question.wording;
            Nearest { key: asked.key, similarity, fits: is_worded_alike && similarity >= demand.threshold }
        });
        all.max_by(|one, other| one.fits.cmp(&other.fits).then(one.similarity.total_cmp(&other.similarity)))
    }

    /// Adds a question whose answer has this key.
    pub fn add(&self, partition: &Key, question: &Question, key: Key) {
        let size = question.direction.0.len() * size_of::<f32>() + OVERHEAD;
        let limit = self.limit.load(Ordering::Relaxed);
        if size + OVERHEAD > limit {
            return;
        }
        let mut partitions = self.partitions();
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let own = Arc::clone(partitions.entry(*partition).or_insert_with(|| {
            self.bytes.fetch_add(OVERHEAD, Ordering::Relaxed);
            Arc::new(Partition { asked: RwLock::default(), used: AtomicU64::new(turn) })
        }));
        own.used.store(turn, Ordering::Relaxed);
        if self.bytes() + size > limit {
            self.make_room(&mut partitions, partition, limit.saturating_sub(size.max(limit / PART_FREED)));
        }
        let has_room = self.bytes() + size <= limit;
        // Reserved while no other question can be added.
        let reserved = if has_room { size } else { 0 };
        self.bytes.fetch_add(reserved, Ordering::Relaxed);
        drop(partitions);
        let mut list = own.write();
        let before = list.bytes();
        if !list.is_gone {
            list.add(question, key, has_room);
        }
        self.bytes.fetch_add(list.bytes(), Ordering::Relaxed);
        self.bytes.fetch_sub(before + reserved, Ordering::Relaxed);
    }

    /// Removes the least used partitions but this one, until the others take no more than so many bytes.
    fn make_room(&self, partitions: &mut HashMap<Key, Arc<Partition>>, own: &Key, most: usize) {
        let others = partitions.iter().filter(|(key, _)| *key != own);
        let mut others: Vec<_> = others.map(|(key, other)| (other.used.load(Ordering::Relaxed), *key)).collect();
        others.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in others {
            if self.bytes() <= most {
                break;
            }
            if let Some(gone) = partitions.remove(&key) {
                let mut list = gone.write();
                list.is_gone = true;
                self.bytes.fetch_sub(list.bytes() + OVERHEAD, Ordering::Relaxed);
                *list = List::gone();
            }
        }
    }

    /// Removes the question whose answer has this key. Returns whether there was one.
    pub fn remove(&self, key: &Key) -> bool {
        let partitions: Vec<_> = self.partitions().keys().copied().collect();
        // A request has one partition.
        partitions.iter().any(|partition| self.remove_from(partition, key))
    }

    fn remove_from(&self, partition: &Key, key: &Key) -> bool {
        let Some(partition) = self.partition(partition) else { return false };
        let mut list = partition.write();
        let before = list.bytes();
        let was_there = list.remove(key);
        self.bytes.fetch_sub(before - list.bytes(), Ordering::Relaxed);
        was_there
    }

    fn numbers(&self, partition: &Key) -> usize {
        self.partition(partition).map_or(0, |partition| partition.read().vectors.len())
    }

    fn partition(&self, key: &Key) -> Option<Arc<Partition>> {
        self.partitions().get(key).cloned()
    }

    fn partitions(&self) -> MutexGuard<'_, HashMap<Key, Arc<Partition>>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Partition {
    fn read(&self) -> RwLockReadGuard<'_, List> {
        self.asked.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, List> {
        self.asked.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::list::MOST_QUESTIONS;
    use super::*;
    use crate::{KeyWriter, Scope};

    fn key(name: &str) -> Key {
        let mut writer = KeyWriter::new(&Scope::of(&Arc::from("tenant")), 0);
        writer.part("name", name.as_bytes());
        writer.finish()
    }

    fn question(vector: &[f32], words: &str) -> Question {
        Question { direction: Direction::of(vector.to_vec()).unwrap(), wording: Wording::of(words) }
    }

    const LOOSE: Demand = Demand { threshold: 0.95, same_wording: false };
    const STRICT: Demand = Demand { threshold: 0.95, same_wording: true };

    #[test]
    fn the_nearest_that_fits_is_found_in_its_own_partition_only() {
        let questions = Questions::new(1 << 20);
        questions.add(&key("p"), &question(&[1.0, 0.0, 0.0], "a"), key("1"));
        questions.add(&key("p"), &question(&[0.0, 2.0, 0.0], "b"), key("2"));
        let near = |words: &str, demand| questions.nearest(&key("p"), &question(&[0.1, 1.0, 0.0], words), demand);
        let found = near("b", STRICT).unwrap();
        assert_eq!((found.key, found.fits), (key("2"), true));
        assert!((found.similarity - 0.995).abs() < 0.001);
        let found = near("c", STRICT).unwrap();
        assert_eq!((found.key, found.fits), (key("2"), false), "it is near, and worded in another way");
        assert!(near("c", LOOSE).unwrap().fits);
        assert!(questions.nearest(&key("q"), &question(&[0.0, 1.0, 0.0], "b"), LOOSE).is_none());
        assert!(questions.nearest(&key("p"), &question(&[0.0, 1.0], "b"), LOOSE).is_none(), "of another model");
        assert!(questions.remove(&key("2")) && !questions.remove(&key("2")));
        assert!(!near("b", LOOSE).unwrap().fits);
        assert_eq!(questions.len(), 1);
    }

    #[test]
    fn vectors_of_another_length_begin_a_partition_anew() {
        let questions = Questions::new(1 << 20);
        let (short, long) = (question(&[1.0, 0.0], "a"), question(&[1.0, 0.0, 0.0], "a"));
        questions.add(&key("p"), &short, key("1"));
        questions.add(&key("p"), &short, key("2"));
        questions.add(&key("p"), &long, key("3"));
        assert!(questions.nearest(&key("p"), &short, LOOSE).is_none());
        assert_eq!(questions.nearest(&key("p"), &long, LOOSE).map(|near| near.key), Some(key("3")));
        assert_eq!((questions.len(), questions.bytes()), (1, 3 * 4 + 2 * OVERHEAD));
    }

    #[test]
    fn a_full_partition_puts_new_questions_in_the_place_of_the_oldest() {
        let questions = Questions::new(64 << 20);
        let one = question(&[1.0], "");
        for number in 0..=MOST_QUESTIONS {
            questions.add(&key("p"), &one, key(&number.to_string()));
        }
        assert_eq!(questions.len(), MOST_QUESTIONS);
        assert!(!questions.remove(&key("0")) && questions.remove(&key("1")));
        assert!(questions.remove(&key(&MOST_QUESTIONS.to_string())));
    }

    #[test]
    fn a_vector_without_a_direction_is_none() {
        for vector in [vec![], vec![0.0; 8], vec![f32::NAN], vec![1.0, f32::INFINITY], vec![1.0; MOST_NUMBERS + 1]] {
            assert!(Direction::of(vector).is_none());
        }
        assert!(Direction::of(vec![f32::MAX; MOST_NUMBERS]).is_some());
    }

    #[test]
    fn they_stay_within_the_bound_and_the_least_used_partition_goes_first() {
        let questions = Questions::new(20 * (16 * 4 + OVERHEAD));
        let vector = |number: usize| {
            let mut vector = [0.0; 16];
            vector[number % 16] = 1.0;
            question(&vector, "")
        };
        for number in 0..8 {
            questions.add(&key("one"), &vector(number), key(&format!("one {number}")));
            questions.add(&key("two"), &vector(number), key(&format!("two {number}")));
        }
        assert!(questions.nearest(&key("one"), &vector(0), LOOSE).unwrap().fits);
        for number in 0..100 {
            questions.add(&key("three"), &vector(number), key(&format!("three {number}")));
            assert!(questions.bytes() <= 20 * (16 * 4 + OVERHEAD), "{number}");
        }
        assert!(questions.nearest(&key("two"), &vector(0), LOOSE).is_none());
        assert!(questions.nearest(&key("three"), &vector(99), LOOSE).unwrap().fits, "the newest is there");
        let all: Vec<_> = (0..100).map(|number| key(&format!("three {number}"))).collect();
        for key in all {
            questions.remove(&key);
        }
        assert!(questions.is_empty());
    }

    #[test]
    fn products_are_those_of_arithmetic() {
        let one: Vec<f32> = (0..19).map(|number| number as f32).collect();
        let sum: f32 = one.iter().map(|number| number * number).sum();
        assert!((product(&one, &one) - sum).abs() < 0.001);
    }
}

//! Questions by their meaning, as vectors: which earlier question is nearest to a new one. What the answers are is not
//! known here, only their keys.
//!
//! Questions are compared within a partition only, which is everything of a request but its last words. Most partitions
//! have so few of them that each is looked at; of a larger one, those whose sketches are near.

mod list;
pub mod shared_list;
mod sketch;
pub mod wording;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{Key, Scope};
use list::{List, OVERHEAD, PART_FREED};
use shared_list::{ListReading, Position, Removals, SharedList, SharedQuestion};
use wording::Wording;

/// The most numbers of a vector.
const MAX_NUMBERS: usize = 4_096;

/// A vector of length 1.
#[derive(Debug, Clone)]
pub struct Direction(Vec<f32>);

impl Direction {
    /// The direction of a vector; none for one that has none: without numbers, of zeros, with a number that is not
    /// finite, or too long.
    pub fn of(mut vector: Vec<f32>) -> Option<Self> {
        if vector.is_empty() || vector.len() > MAX_NUMBERS {
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

    /// The vector of length 1.
    pub(crate) fn numbers(&self) -> &[f32] {
        &self.0
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

/// The conditions for a nearest question.
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
    /// The most questions of a partition; the oldest go first.
    most: AtomicUsize,
    bytes: AtomicUsize,
    turns: AtomicU64,
    /// How often something was removed by request.
    removals: AtomicU64,
}

#[derive(Debug)]
struct Partition {
    asked: RwLock<List>,
    used: AtomicU64,
    /// The alias of the model, for removal.
    model: Arc<str>,
    /// Whether a task reads what other nodes added to it.
    is_read: AtomicBool,
}

/// A question whose answer is awaited.
#[derive(Debug, Clone)]
pub struct PendingQuestion {
    questions: Arc<Questions>,
    partition: Key,
    model: Arc<str>,
    question: Question,
    /// The removals before it.
    removals: u64,
    /// Where other nodes find it.
    list: Option<Arc<SharedList>>,
}

impl PendingQuestion {
    /// A question in a partition, of a model with this alias.
    pub fn new(questions: &Arc<Questions>, partition: Key, model: &Arc<str>, question: Question) -> Self {
        let (questions, model) = (Arc::clone(questions), Arc::clone(model));
        let removals = questions.removals.load(Ordering::Acquire);
        Self { questions, partition, model, question, removals, list: None }
    }

    /// Has it shared with other nodes once it is answered. Returns the turn to read theirs, if no other task has that.
    pub fn share(&mut self, scope: Scope, removals: Removals) -> Option<ListReading> {
        let (partition, model) = (self.partition, Arc::clone(&self.model));
        let numbers = self.question.direction.0.len();
        let list = self.list.insert(Arc::new(SharedList { scope, partition, model, removals, numbers }));
        ListReading::begin(&self.questions, list)
    }

    /// The question for other nodes, if it is shared.
    pub fn shared(&self) -> Option<SharedQuestion> {
        let list = Arc::clone(self.list.as_ref()?);
        Some(SharedQuestion { list, question: self.question.clone(), most: self.questions.most() })
    }

    /// The nearest one that was answered.
    pub fn nearest(&self, demand: Demand) -> Option<Nearest> {
        self.questions.nearest(&self.partition, &self.question, demand)
    }

    /// How many numbers are compared to find it at most.
    pub fn numbers(&self) -> usize {
        self.questions.numbers(&self.partition)
    }

    /// Forgets an earlier question whose answer is kept no longer.
    pub fn forget(&self, key: &Key) {
        self.questions.remove_from(&self.partition, key);
    }

    /// Its own answer is kept, under this key, unless something was removed meanwhile.
    pub fn answered(self, key: Key) {
        if self.questions.removals.load(Ordering::Acquire) == self.removals {
            self.questions.add(&self.partition, &self.model, &self.question, key);
        }
    }
}

impl Questions {
    /// No questions, in so many bytes, with so many at most of a partition.
    pub fn new(limit: usize, most: usize) -> Self {
        Self { limit: AtomicUsize::new(limit), most: AtomicUsize::new(most), ..Self::default() }
    }

    /// Changes the bounds; what is beyond them goes as other questions come.
    pub fn resize(&self, limit: usize, most: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.most.store(most, Ordering::Relaxed);
    }

    /// How many questions there are.
    pub fn len(&self) -> usize {
        let partitions: Vec<_> = self.partitions().values().cloned().collect();
        partitions.iter().map(|partition| partition.read().len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that they take.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// The nearest question of a partition: the nearest that fits, if there is one.
    pub fn nearest(&self, partition: &Key, question: &Question, demand: Demand) -> Option<Nearest> {
        let partition = self.partition(partition)?;
        partition.used.store(self.turn(), Ordering::Relaxed);
        let list = partition.read();
        list.nearest(question, demand)
    }

    /// Adds a question whose answer has this key to a partition of a model.
    pub fn add(&self, partition: &Key, model: &Arc<str>, question: &Question, key: Key) {
        let size = question.direction.0.len() * size_of::<f32>() + OVERHEAD;
        let limit = self.limit.load(Ordering::Relaxed);
        if size + OVERHEAD > limit {
            return;
        }
        let mut partitions = self.partitions();
        let own = self.open_in(&mut partitions, partition, model);
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
            list.add(question, key, has_room, self.most());
        }
        self.bytes.fetch_add(list.bytes(), Ordering::Relaxed);
        self.bytes.fetch_sub(before + reserved, Ordering::Relaxed);
    }

    /// A partition, which is made if there is none.
    fn open(&self, partition: &Key, model: &Arc<str>) -> Arc<Partition> {
        let mut partitions = self.partitions();
        let own = self.open_in(&mut partitions, partition, model);
        let limit = self.limit.load(Ordering::Relaxed);
        if self.bytes() > limit {
            self.make_room(&mut partitions, partition, limit - limit / PART_FREED);
        }
        own
    }

    fn open_in(
        &self,
        partitions: &mut HashMap<Key, Arc<Partition>>,
        partition: &Key,
        model: &Arc<str>,
    ) -> Arc<Partition> {
        let turn = self.turn();
        let own = partitions.entry(*partition).or_insert_with(|| {
            self.bytes.fetch_add(OVERHEAD, Ordering::Relaxed);
            let (asked, used, is_read) = (RwLock::default(), AtomicU64::new(turn), AtomicBool::new(false));
            Arc::new(Partition { asked, used, model: Arc::clone(model), is_read })
        });
        own.used.store(turn, Ordering::Relaxed);
        Arc::clone(own)
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
                self.close(&gone);
            }
        }
    }

    /// Empties a partition that no longer counts.
    fn close(&self, partition: &Partition) {
        let mut list = partition.write();
        self.bytes.fetch_sub(list.bytes() + OVERHEAD, Ordering::Relaxed);
        *list = List::gone();
    }

    /// Empties a partition that is read again from the start.
    fn reset(&self, list: &mut List, read: Option<(Removals, Position)>) {
        if !list.is_gone {
            self.bytes.fetch_sub(list.bytes(), Ordering::Relaxed);
            *list = List::read_from(read);
        }
    }

    /// Removes the question whose answer has this key. Returns whether there was one.
    pub fn remove(&self, key: &Key) -> bool {
        self.removals.fetch_add(1, Ordering::Release);
        let partitions: Vec<_> = self.partitions().keys().copied().collect();
        // A request has one partition.
        partitions.iter().any(|partition| self.remove_from(partition, key))
    }

    /// Removes the questions of a model.
    pub fn remove_model(&self, model: &str) {
        self.remove_those(|partition| *partition.model == *model);
    }

    /// Removes all questions.
    pub fn clear(&self) {
        self.remove_those(|_| true);
    }

    fn remove_those(&self, is_meant: impl Fn(&Partition) -> bool) {
        self.removals.fetch_add(1, Ordering::Release);
        self.partitions().retain(|_, partition| {
            let goes = is_meant(partition);
            if goes {
                self.close(partition);
            }
            !goes
        });
    }

    fn remove_from(&self, partition: &Key, key: &Key) -> bool {
        let Some(partition) = self.partition(partition) else { return false };
        let mut list = partition.write();
        let before = list.bytes();
        let was_there = list.remove(key);
        self.bytes.fetch_sub(before - list.bytes(), Ordering::Relaxed);
        was_there
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    fn numbers(&self, partition: &Key) -> usize {
        self.partition(partition).map_or(0, |partition| {
            let list = partition.read();
            list.len() * list.numbers
        })
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
mod tests;

//! The questions of a partition as a server has them that several nodes share: one after the other, sealed. A node
//! reads on from where it was.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Partition, Question, Questions};
use crate::{Key, Scope};

/// The removals that a request found: of everything, and of its model. After a further one there is another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removals {
    /// How often everything was removed.
    pub all: u64,
    /// How often the answers of its model were.
    pub model: u64,
}

/// Where the questions of a partition are, for all nodes.
#[derive(Debug)]
pub struct SharedList {
    /// The tenant.
    pub scope: Scope,
    /// The key of everything of a request but its last words.
    pub partition: Key,
    /// The alias of the model.
    pub model: Arc<str>,
    /// The removals so far.
    pub removals: Removals,
    /// How many numbers the vectors have.
    pub numbers: usize,
}

/// How far a list was read: the milliseconds and the number of an entry of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    milliseconds: u64,
    number: u64,
}

impl Position {
    /// Parses the name of an entry.
    pub fn parse(name: &str) -> Option<Self> {
        let (milliseconds, number) = name.split_once('-')?;
        Some(Self { milliseconds: milliseconds.parse().ok()?, number: number.parse().ok()? })
    }

    /// The next place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        match self.number.checked_add(1) {
            Some(number) => Self { number, ..self },
            None => Self { milliseconds: self.milliseconds.saturating_add(1), number: 0 },
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.number)
    }
}

/// A question with the key of its answer, for other nodes.
#[derive(Debug, Clone)]
pub struct SharedQuestion {
    /// Where it belongs.
    pub list: Arc<SharedList>,
    /// What was asked, with its vector.
    pub question: Question,
    /// The most questions of a list.
    pub most: usize,
}

/// The turn of one task to read a list. While it lasts, other requests go by what is known.
#[derive(Debug)]
pub struct ListReading {
    questions: Arc<Questions>,
    list: Arc<SharedList>,
    own: Arc<Partition>,
}

impl ListReading {
    /// A turn, unless another task has it.
    pub(super) fn begin(questions: &Arc<Questions>, list: &Arc<SharedList>) -> Option<Self> {
        let own = questions.open(&list.partition, &list.model);
        let begins = !own.is_read.swap(true, Ordering::Acquire);
        begins.then(|| Self { questions: Arc::clone(questions), list: Arc::clone(list), own })
    }

    /// What is read.
    pub fn list(&self) -> &SharedList {
        &self.list
    }

    /// The most questions of a list.
    pub fn most(&self) -> usize {
        self.questions.most()
    }

    /// How far it was read. After a removal it is read from the start, and earlier questions are forgotten.
    pub fn position(&self) -> Position {
        let mut own = self.own.write();
        match own.read {
            Some((removals, position)) if removals == self.list.removals => position,
            _ => {
                let begun = Some((self.list.removals, Position::default()));
                self.questions.reset(&mut own, begun);
                Position::default()
            }
        }
    }

    /// Takes in questions with the keys of their answers, and how far it was read with them.
    pub fn learn(&self, known: &[(Question, Key)], position: Position) {
        for (question, key) in known {
            self.questions.add(&self.list.partition, &self.list.model, question, *key);
        }
        let mut own = self.own.write();
        if !own.is_gone {
            own.read = Some((self.list.removals, position));
        }
    }
}

impl Drop for ListReading {
    fn drop(&mut self) {
        self.own.is_read.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_that_of_a_streams_entry_and_the_next_one_is_beyond_it() {
        let position = Position::parse("1526919030474-55").unwrap();
        assert_eq!(
            (position.to_string().as_str(), position.next().to_string().as_str()),
            ("1526919030474-55", "1526919030474-56")
        );
        let last = Position::parse(&format!("7-{}", u64::MAX)).unwrap();
        assert_eq!(last.next().to_string(), "8-0");
        assert!(Position::default() < position && position < position.next());
        for wrong in ["", "1", "-", "a-b", "1-2-3", "-1-1"] {
            assert!(Position::parse(wrong).is_none(), "{wrong}");
        }
    }
}

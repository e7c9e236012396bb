//! What a cache needs of a server that keeps answers for several nodes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::similar::shared_list::{ListReading, SharedQuestion};
use crate::{Entry, Key, Scope};

/// The place of an answer: whose it is, its key, and the model by which it may be removed.
#[derive(Debug, Clone)]
pub struct Place {
    /// The tenant.
    pub scope: Scope,
    /// The key, which holds the tenant too.
    pub key: Key,
    /// The alias of the model.
    pub model: Arc<str>,
}

/// How often what concerns a place was removed. An answer is used only as long as these numbers are those that its
/// request found, so that none which was under way comes back after a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// All answers.
    pub all: u64,
    /// Removals of the model's answers.
    pub model: u64,
    /// The one with its key.
    pub key: u64,
    /// The one for clients of other formats; none if there is no such.
    pub origin: Option<u64>,
}

/// What a server had for a place.
#[derive(Debug, Default)]
pub struct Looked {
    /// An answer.
    pub entry: Option<Entry>,
    /// The removals so far; none if the server is away.
    pub mark: Option<Mark>,
}

/// What is to be removed.
#[derive(Debug, Clone, Copy)]
pub enum Removal<'a> {
    /// The answer with this key, in all its forms.
    Key(&'a Key),
    /// The answers of one model.
    Model(&'a str),
    /// All; with a number, only if they were removed no more often than that.
    All(Option<u64>),
}

/// A future of these.
pub type Answered<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A server that keeps answers for several nodes. Whatever it does wrong is a miss.
pub trait SharedAnswers: fmt::Debug + Send + Sync {
    /// Looks for an answer.
    fn look<'a>(&'a self, place: &'a Place) -> Answered<'a, Looked>;

    /// Has an answer kept, for which a request found this mark, and then the question that it answers. Nothing waits
    /// for that.
    fn put(&self, place: Place, entry: Arc<Entry>, mark: Mark, question: Option<SharedQuestion>);

    /// Reads the questions that other nodes added to a list, or begins to: a request waits no longer than for an
    /// answer.
    fn learn(&self, reading: ListReading) -> Answered<'_, ()>;

    /// Notes for all nodes that the answer with this key, made before now, is wrong for other questions than its own.
    /// Returns whether that was done; not if the server is away.
    fn call_wrong<'a>(&'a self, key: &'a Key) -> Answered<'a, bool>;

    /// Whether an answer with this key, which was made then, was called wrong since; not if the server is away.
    fn was_called_wrong<'a>(&'a self, key: &'a Key, made: Instant) -> Answered<'a, bool>;

    /// Removes answers. Returns whether that was done; not if the server is away.
    fn remove<'a>(&'a self, removal: Removal<'a>) -> Answered<'a, bool>;
}

/// What is known before an answer is shared: whose it is, and the removals that its request found.
#[derive(Debug)]
pub struct Sharing {
    server: Arc<dyn SharedAnswers>,
    scope: Scope,
    mark: Mark,
    /// The removals of the same answer for clients of other formats.
    origin: Option<Mark>,
}

impl Sharing {
    /// Shares an answer of this scope through a server. `mark` and `origin` are the marks that the request found: for
    /// its own key, and for the same answer in other formats.
    pub fn new(server: Arc<dyn SharedAnswers>, scope: Scope, mark: Mark, origin: Option<Mark>) -> Self {
        Self { server, scope, mark, origin }
    }

    /// Has an answer kept for other nodes, and its form for clients of other formats, with the question that this
    /// answers.
    pub fn put(self, key: Key, entry: &Arc<Entry>, origin: Option<&Arc<Entry>>, question: Option<SharedQuestion>) {
        let Self { server, scope, mark, origin: origin_mark } = self;
        let place = |key| Place { scope: scope.clone(), key, model: Arc::clone(&entry.model) };
        // An answer names its other form only if a removal of that would be seen.
        match entry.origin.zip(origin).zip(origin_mark) {
            Some(((origin_key, other), origin_mark)) => {
                let mark = Mark { origin: Some(origin_mark.key), ..mark };
                server.put(place(origin_key), Arc::clone(other), origin_mark, question);
                server.put(place(key), Arc::clone(entry), mark, None);
            }
            None if entry.origin.is_none() => server.put(place(key), Arc::clone(entry), mark, None),
            None => {}
        }
    }
}

//! Questions to the log of facts, and their answers page by page.

pub(crate) mod gaps;
pub(crate) mod search;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::fact::columns::place;
use crate::fact::{self, Fact};
use crate::id::RequestId;
use crate::sql::Value;

pub use gaps::{FactCount, Gap};

/// Most facts of a page.
pub const MAX_OF_PAGE: usize = 1_000;

/// Which facts are wanted; a fact has to meet every condition that is set. The newest come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// The request of this id.
    pub id: Option<RequestId>,
    /// Requests to which the client gave this id.
    pub client_request_id: Option<String>,
    /// Requests of this key.
    pub key: Option<String>,
    /// Requests of this team.
    pub team: Option<String>,
    /// Requests of this organisation.
    pub organisation: Option<String>,
    /// Requests of this user.
    pub user: Option<String>,
    /// Requests that have this tag with this value.
    pub tag: Option<(String, String)>,
    /// Requests that asked for this model or were answered by it.
    pub model: Option<String>,
    /// Requests to this provider.
    pub provider: Option<String>,
    /// Answers with a status from the first to the second, both included.
    pub status: Option<(u16, u16)>,
    /// Requests with this outcome.
    pub outcome: Option<String>,
    /// Requests that failed.
    pub failed: bool,
    /// Requests that began at this time or later, in milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Requests that began before this time, in milliseconds since 1970.
    pub to_ms: Option<u64>,
    /// Requests that cost at least so many nano-dollars.
    pub cost_from: Option<i64>,
    /// Requests that cost less than so many nano-dollars.
    pub cost_to: Option<i64>,
    /// Failed requests whose error has this text, in letters of either case.
    pub error_text: Option<String>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Facts of a page: 50 if 0, [`MAX_OF_PAGE`] at most.
    pub limit: usize,
}

impl Query {
    /// Whether a text of the query cannot be in any fact, since it is longer than what is stored or has a zero byte,
    /// which is not stored.
    pub(crate) fn is_hopeless(&self) -> bool {
        let names =
            [&self.client_request_id, &self.team, &self.organisation, &self.model, &self.provider, &self.outcome];
        let (name, value) = self.tag.as_ref().map_or(("", ""), |(name, value)| (name, value));
        let mut names = names.into_iter().flatten().map(String::as_str).chain([name, value]);
        let error = self.error_text.as_deref().unwrap_or_default();
        names.any(|name| fact::is_unfit(name, fact::MAX_NAME)) || fact::is_unfit(error, fact::MAX_ERROR_TEXT)
    }

    /// Whether the text of a fact's error is one that is wanted: the same for stored facts and for new ones.
    pub fn finds_error(&self, fact: &Fact) -> bool {
        self.error_text.as_deref().is_none_or(|wanted| lower(&fact.error_text).contains(&lower(wanted)))
    }

    /// The facts that a page has at most.
    pub(crate) fn page_size(&self) -> usize {
        if self.limit == 0 { 50 } else { self.limit.min(MAX_OF_PAGE) }
    }

    /// The ids that can be in the answer: from the first (included) to the second (excluded, none for no end).
    pub(crate) fn id_range(&self) -> (RequestId, Option<RequestId>) {
        // An id names its time: nothing else has to be read for it.
        let id_time = self.id.map(|id| id.time_ms());
        let from = self.from_ms.max(id_time).map_or(RequestId::from_bytes([0; 16]), RequestId::first_of);
        let to = self.to_ms.map(RequestId::first_of);
        let after = self.after.map(|cursor| cursor.0);
        let id_end = id_time.and_then(|time| (time < crate::id::LAST_MS).then(|| RequestId::first_of(time + 1)));
        let end = [to, after, id_end].into_iter().flatten().min();
        (from, end)
    }
}

/// A text in small letters. Each letter by itself: what a word is makes no difference.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A place between two facts. It is text for clients, which return it unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub(crate) RequestId);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        text.parse().map(Self).map_err(|_| StoreError::Cursor)
    }
}

/// Some of the facts that a query asks for, newest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// At most as many as the query's limit.
    pub facts: Vec<Fact>,
    /// Where the next page begins; none if this is the last.
    pub next: Option<Cursor>,
}

/// What a key used in some time, by its facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySum {
    /// How many requests the key made.
    pub requests: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests without a known price: `cost_nano` lacks them.
    pub unpriced: u64,
    /// Tokens of all input buckets.
    pub input: u64,
    /// Tokens of all output buckets.
    pub output: u64,
    /// Nano-dollars.
    pub cost_nano: i64,
}

const COST: usize = place("cost_nano");
const ERROR: usize = place("error_kind");
/// The buckets of input.
const INPUT: [usize; 6] = [
    place("input"),
    place("input_audio"),
    place("input_image"),
    place("cache_read"),
    place("cache_write"),
    place("cache_write_hour"),
];
/// The buckets of output.
const OUTPUT: [usize; 4] = [place("output"), place("output_audio"), place("output_image"), place("reasoning")];

impl KeySum {
    /// The sum of one request, from the values of its own columns.
    pub(crate) fn of(values: &[Value<'_>]) -> Self {
        let cost = number(values, COST);
        let sum = |places: &[usize]| places.iter().map(|at| count(values, *at)).fold(0, u64::saturating_add);
        Self {
            requests: 1,
            failed: u64::from(values.get(ERROR).is_some_and(|kind| *kind != Value::Null)),
            unpriced: u64::from(cost.is_none()),
            input: sum(&INPUT),
            output: sum(&OUTPUT),
            cost_nano: cost.unwrap_or(0),
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failed = self.failed.saturating_add(other.failed);
        self.unpriced = self.unpriced.saturating_add(other.unpriced);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cost_nano = self.cost_nano.saturating_add(other.cost_nano);
    }
}

fn number(values: &[Value<'_>], at: usize) -> Option<i64> {
    values.get(at).and_then(|value| if let Value::Int(number) = value { Some(*number) } else { None })
}

fn count(values: &[Value<'_>], at: usize) -> u64 {
    number(values, at).and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

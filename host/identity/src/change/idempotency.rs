//! `Idempotency-Key`: a request that is repeated gets the answer of the first, also where that shows a new key's text.
//! Answers are kept in memory only, and for a short time.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use weir_config::Secret;

/// How long an answer can be fetched again.
const KEPT: SignedDuration = SignedDuration::from_mins(10);
/// The longest key in bytes.
const LONGEST: usize = 255;

/// The SHA-256 of a request, by which a repetition is told from another request with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a request.
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// What is to be done with a request that has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Carry it out, then call [`Idempotency::finish`] or, if it was not carried out, [`Idempotency::forget`].
    Proceed,
    /// Answer as before.
    Replay(Remembered),
    /// The same request is being carried out: 409, to be tried again.
    InProgress,
    /// The key was used for another request: 422.
    Mismatch,
    /// The key is empty or too long: 400.
    BadKey,
    /// Too many requests are being remembered: 503.
    Full,
}

/// An answer that can be fetched again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The HTTP status.
    pub status: u16,
    /// The header `etag`.
    pub etag: Option<String>,
    /// The body. It may show a key's text.
    pub body: Secret,
}

/// Requests by actor and key.
#[derive(Debug)]
pub struct Idempotency {
    entries: HashMap<(String, String), Entry>,
    /// The order in which entries run out.
    order: VecDeque<(Timestamp, (String, String))>,
    most: usize,
}

#[derive(Debug)]
struct Entry {
    fingerprint: Fingerprint,
    until: Timestamp,
    answer: Option<Remembered>,
}

impl Idempotency {
    /// Remembers at most so many requests.
    pub fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), most }
    }

    /// Begins a request. The keys of different actors have nothing to do with each other.
    pub fn begin(&mut self, actor: &str, key: &str, fingerprint: Fingerprint, now: Timestamp) -> Request {
        if key.is_empty() || key.len() > LONGEST {
            return Request::BadKey;
        }
        self.drop_old(now);
        let name = (actor.to_owned(), key.to_owned());
        if let Some(entry) = self.entries.get(&name) {
            return match &entry.answer {
                _ if entry.fingerprint != fingerprint => Request::Mismatch,
                Some(answer) => Request::Replay(answer.clone()),
                None => Request::InProgress,
            };
        }
        if self.entries.len() >= self.most {
            return Request::Full;
        }
        let until = now.checked_add(KEPT).unwrap_or(Timestamp::MAX);
        self.order.push_back((until, name.clone()));
        self.entries.insert(name, Entry { fingerprint, until, answer: None });
        Request::Proceed
    }

    /// Keeps the answer of a request.
    pub fn finish(&mut self, actor: &str, key: &str, answer: Remembered) {
        if let Some(entry) = self.entries.get_mut(&(actor.to_owned(), key.to_owned())) {
            entry.answer = Some(answer);
        }
    }

    /// Forgets a request that was not carried out.
    pub fn forget(&mut self, actor: &str, key: &str) {
        let name = (actor.to_owned(), key.to_owned());
        self.entries.remove(&name);
        self.order.retain(|(_, other)| *other != name);
    }

    fn drop_old(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(until, _)| now >= *until) {
            let Some((until, name)) = self.order.pop_front() else { return };
            if self.entries.get(&name).is_some_and(|entry| entry.until == until) {
                self.entries.remove(&name);
            }
        }
    }
}

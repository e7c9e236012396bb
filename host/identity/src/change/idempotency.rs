//! `Idempotency-Key`: a request that is repeated gets the answer of the first, also where that shows a new key's text.
//! Answers are kept in memory only, and for a short time.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use weir_config::Secret;

/// How long an answer can be fetched again.
const KEPT: SignedDuration = SignedDuration::from_mins(10);
/// The longest key in bytes.
const MAX_KEY_BYTES: usize = 255;
/// The share of one actor in what is remembered: a tenth.
const SHARE: usize = 10;

/// The SHA-256 of a request, which distinguishes a repetition from another request with the same key.
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
    /// Too many requests are being remembered, of all or of this actor: 503.
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
    /// What is remembered of each actor.
    used: HashMap<String, Used>,
    total: Used,
    most: Used,
}

/// A number of requests, and the bytes of their answers.
#[derive(Debug, Default, Clone, Copy)]
struct Used {
    requests: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    fingerprint: Fingerprint,
    until: Timestamp,
    answer: Option<Remembered>,
}

impl Idempotency {
    /// Remembers at most so many requests, and so many bytes of answers with the last answer above them. One actor may
    /// use a tenth of both.
    pub fn new(requests: usize, bytes: usize) -> Self {
        let (entries, order, used) = (HashMap::new(), VecDeque::new(), HashMap::new());
        Self { entries, order, used, total: Used::default(), most: Used { requests, bytes } }
    }

    /// Begins a request. The keys of different actors have nothing to do with each other.
    pub fn begin(&mut self, actor: &str, key: &str, fingerprint: Fingerprint, now: Timestamp) -> Request {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
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
        if self.is_full_for(actor) {
            return Request::Full;
        }
        let until = now.checked_add(KEPT).unwrap_or(Timestamp::MAX);
        self.order.push_back((until, name.clone()));
        self.entries.insert(name, Entry { fingerprint, until, answer: None });
        self.total.requests += 1;
        self.used.entry(actor.to_owned()).or_default().requests += 1;
        Request::Proceed
    }

    fn is_full_for(&self, actor: &str) -> bool {
        let has = |used: Used, share: usize| {
            used.requests >= self.most.requests.div_ceil(share) || used.bytes >= self.most.bytes.div_ceil(share)
        };
        has(self.total, 1) || self.used.get(actor).is_some_and(|used| has(*used, SHARE))
    }

    /// Keeps the answer of a request.
    pub fn finish(&mut self, actor: &str, key: &str, answer: Remembered) {
        if let Some(entry) = self.entries.get_mut(&(actor.to_owned(), key.to_owned())) {
            let bytes = answer.body.expose().len();
            entry.answer = Some(answer);
            self.total.bytes += bytes;
            self.used.entry(actor.to_owned()).or_default().bytes += bytes;
        }
    }

    /// Forgets a request that was not carried out.
    pub fn forget(&mut self, actor: &str, key: &str) {
        let name = (actor.to_owned(), key.to_owned());
        self.remove(&name);
        self.order.retain(|(_, other)| *other != name);
    }

    fn remove(&mut self, name: &(String, String)) {
        let Some(entry) = self.entries.remove(name) else { return };
        let bytes = entry.answer.map_or(0, |answer| answer.body.expose().len());
        self.total = self.total.less(bytes);
        if let Some(used) = self.used.get_mut(&name.0) {
            *used = used.less(bytes);
            if used.requests == 0 {
                self.used.remove(&name.0);
            }
        }
    }

    fn drop_old(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(until, _)| now >= *until) {
            let Some((until, name)) = self.order.pop_front() else { return };
            if self.entries.get(&name).is_some_and(|entry| entry.until == until) {
                self.remove(&name);
            }
        }
    }
}

impl Used {
    /// Without one request and the bytes of its answer.
    fn less(self, bytes: usize) -> Self {
        Self { requests: self.requests.saturating_sub(1), bytes: self.bytes.saturating_sub(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(remembered: &mut Idempotency, actor: &str, key: &str, seconds: i64) -> Request {
        let now = Timestamp::from_second(1_000_000 + seconds).unwrap();
        remembered.begin(actor, key, Fingerprint::of("POST", "/", b""), now)
    }

    #[test]
    fn one_actor_leaves_room_for_others() {
        let mut remembered = Idempotency::new(20, 1_000);
        assert_eq!(begin(&mut remembered, "a", "1", 0), Request::Proceed);
        assert_eq!(begin(&mut remembered, "a", "2", 0), Request::Proceed);
        assert_eq!(begin(&mut remembered, "a", "3", 0), Request::Full);
        assert_eq!(begin(&mut remembered, "b", "3", 0), Request::Proceed);
        let answer = Remembered { status: 201, etag: None, body: Secret::new("x".repeat(150)) };
        remembered.finish("b", "3", answer.clone());
        assert_eq!(begin(&mut remembered, "b", "4", 0), Request::Full, "by bytes");
        assert_eq!(begin(&mut remembered, "b", "3", 0), Request::Replay(answer));
        remembered.forget("a", "2");
        assert_eq!(begin(&mut remembered, "a", "3", 0), Request::Proceed);
        // What has run out leaves its room.
        assert_eq!(begin(&mut remembered, "b", "4", 601), Request::Proceed);
        assert_eq!((remembered.total.requests, remembered.total.bytes, remembered.used.len()), (1, 0, 1));
    }
}

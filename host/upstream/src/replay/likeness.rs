//! Measures how similar a recorded request is to an incoming one, without knowing what either means.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::ReplayRequest;
use super::recording::Recording;

/// Maximum depth of the comparison. Deeper values (schemas, arguments) say little about the kind of request.
const DEPTH: u32 = 6;

/// Maximum length of a text that counts as a keyword of the format (a role, a kind) rather than as content.
const WORD: usize = 24;

/// Weight of the same model, relative to a body that is alike in everything (1).
const MODEL: f64 = 0.2;

/// Penalty of a recorded error: errors answer only the very request that caused them.
const ERROR: f64 = 2.0;

/// The features of a request that are compared.
#[derive(Debug)]
pub(super) struct Likeness {
    method: Method,
    /// Decoded segments, without the query.
    path: Vec<String>,
    pub(super) stream: bool,
    /// The requested model; empty in a recording.
    model: String,
    /// Texts in which a recording may name its model: segments and top-level members.
    words: Vec<String>,
    pub(super) body: Value,
    /// Features of the body: sorted hashes, each with the depth at which it was found.
    traits: Vec<(u64, u32)>,
}

impl Likeness {
    pub(super) fn of_request(asked: &ReplayRequest<'_>, limit: usize) -> Self {
        let is_small = asked.body.len() <= limit;
        let body = if is_small { serde_json::from_slice(&asked.body.to_bytes()).ok() } else { None };
        let mut likeness = Self::new(asked.method, asked.path, body.unwrap_or_default(), asked.stream);
        asked.model.clone_into(&mut likeness.model);
        likeness
    }

    pub(super) fn of_recording(method: &Method, path: &str, body: &Value, stream: bool) -> Self {
        Self::new(method, path, body.clone(), stream)
    }

    fn new(method: &Method, path: &str, body: Value, stream: bool) -> Self {
        let path = path.split('?').next().unwrap_or_default().trim_matches('/');
        let decoded = |segment| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let path: Vec<String> = path.split('/').map(decoded).collect();
        let mut words = path.clone();
        if let Value::Object(members) = &body {
            words.extend(members.values().filter_map(Value::as_str).map(str::to_owned));
        }
        let mut traits = Vec::new();
        note(&body, 0, DEPTH, &mut traits);
        traits.sort_unstable();
        traits.dedup_by_key(|(hash, _)| *hash);
        Self { method: method.clone(), path, stream, model: String::new(), words, body, traits }
    }

    /// How similar a recording is to this request; `None` if it is for something else.
    fn score(&self, recording: &Recording) -> Option<f64> {
        let other = &recording.likeness;
        if self.method != other.method || self.stream != other.stream || !self.is_same_path(other) {
            return None;
        }
        if self.body == other.body && self.path.last() == other.path.last() {
            return Some(f64::INFINITY);
        }
        let model = if other.words.iter().any(|word| self.verb(word).is_some()) { MODEL } else { 0.0 };
        let error = if recording.status.as_u16() >= 400 { ERROR } else { 0.0 };
        Some(overlap(&self.traits, &other.traits) + model - error)
    }

    /// Whether the recorded path ends with the requested one. A segment that holds the model may name another model.
    fn is_same_path(&self, recorded: &Self) -> bool {
        let Some(start) = recorded.path.len().checked_sub(self.path.len()) else { return false };
        self.path
            .iter()
            .zip(recorded.path.iter().skip(start))
            .all(|(asked, recorded)| asked == recorded || self.verb(asked).is_some_and(|verb| recorded.ends_with(verb)))
    }

    /// What follows the model in a text that starts with it: nothing, or a verb after a colon as in `model:run`.
    fn verb<'t>(&self, text: &'t str) -> Option<&'t str> {
        let verb = text.strip_prefix(&self.model).filter(|_| !self.model.is_empty())?;
        (verb.is_empty() || verb.starts_with(':')).then_some(verb)
    }
}

/// The recording most similar to the request; the first of several that are equally similar.
pub(super) fn best<'a>(wanted: &Likeness, recordings: &'a [Recording]) -> Option<&'a Recording> {
    let mut best: Option<(f64, &Recording)> = None;
    for recording in recordings {
        let Some(score) = wanted.score(recording) else { continue };
        if best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, recording));
        }
    }
    best.map(|(_, recording)| recording)
}

/// Collects the features of a value: members and their types, lengths of lists, and keywords. `place` is the hash of
/// the value's position; all elements of a list share one position.
fn note(value: &Value, place: u64, depth: u32, traits: &mut Vec<(u64, u32)>) {
    let level = DEPTH - depth;
    if depth == 0 {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let place = hash(&(place, name));
                traits.push((hash(&(place, kind(member))), level));
                note(member, place, depth - 1, traits);
            }
        }
        Value::Array(elements) => {
            traits.push((hash(&(place, elements.len())), level));
            for element in elements {
                let place = hash(&(place, "*"));
                traits.push((hash(&(place, kind(element))), level));
                note(element, place, depth - 1, traits);
            }
        }
        Value::String(text) if is_word(text) => traits.push((hash(&(place, text)), level)),
        _ => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= WORD && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Similarity from 0 (nothing in common) to 1 (the same features). Each level of depth halves a feature's weight.
fn overlap(left: &[(u64, u32)], right: &[(u64, u32)]) -> f64 {
    let weight = |traits: &[(u64, u32)]| traits.iter().map(|&(_, level)| share(level)).sum::<f64>();
    let all = weight(left) + weight(right);
    if all == 0.0 {
        return 1.0;
    }
    let common = left.iter().filter(|(hash, _)| right.binary_search_by_key(hash, |&(other, _)| other).is_ok());
    2.0 * common.map(|&(_, level)| share(level)).sum::<f64>() / all
}

fn share(level: u32) -> f64 {
    1.0 / f64::from(1_u32 << level.min(16))
}

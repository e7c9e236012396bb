//! How like a recorded request is to one that is asked, without knowing what either means.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::Asked;
use super::recording::Recording;

/// How deep a body is looked into. What lies further down (schemas, arguments) says little about the kind of request.
const DEPTH: u32 = 6;

/// How long a text may be to count as a word of the format (a role, a kind) rather than what somebody wrote.
const WORD: usize = 24;

/// How much it counts that the recording is of the same model, beside a body that is alike in everything (1).
const MODEL: f64 = 0.2;

/// How much it counts against a recording that it is of an error: errors answer the very request that caused them.
const ERROR: f64 = 2.0;

/// What is compared of a request.
#[derive(Debug)]
pub(super) struct Likeness {
    method: Method,
    /// Segments, decoded, the query left out.
    path: Vec<String>,
    pub(super) stream: bool,
    /// The model asked for; empty in a recording.
    model: String,
    /// The texts by which a recording can be of a model: segments and top-level members.
    words: Vec<String>,
    pub(super) body: Value,
    /// What the body is made of: sorted hashes, each with the depth that it was found at.
    traits: Vec<(u64, u32)>,
}

impl Likeness {
    pub(super) fn of_request(asked: &Asked<'_>, limit: usize) -> Self {
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

    /// How much a recording is like this request; none where it is for something else.
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

    /// The recorded path ends with the asked one; a segment that holds the model may hold another.
    fn is_same_path(&self, recorded: &Self) -> bool {
        let Some(start) = recorded.path.len().checked_sub(self.path.len()) else { return false };
        self.path
            .iter()
            .zip(recorded.path.iter().skip(start))
            .all(|(asked, recorded)| asked == recorded || self.verb(asked).is_some_and(|verb| recorded.ends_with(verb)))
    }

    /// What follows the model in a text that begins with it: nothing, or a verb behind a colon as in `model:run`.
    fn verb<'t>(&self, text: &'t str) -> Option<&'t str> {
        let verb = text.strip_prefix(&self.model).filter(|_| !self.model.is_empty())?;
        (verb.is_empty() || verb.starts_with(':')).then_some(verb)
    }
}

/// The recording that is most like the request; the first of several that are equally so.
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

/// Notes what a value is made of: members and their types, lengths of lists, and short words. `place` is the hash of
/// where it stands; elements of a list stand in the same place.
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

/// From 0 (nothing in common) to 1 (made of the same things). A thing counts half of one that stands a level higher.
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

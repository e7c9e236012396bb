//! A day that is in several parts, seen as one.

use std::cmp::Reverse;

use crate::fact::Fact;
use crate::retention::Retention;

/// A part is never smaller than this, in bytes, so that parts are not exchanged all the time.
const MIN_PART_BYTES: u64 = 1 << 20;

/// How large a part of today may be, in bytes, before another is begun.
pub(crate) fn most_bytes(retention: &Retention) -> u64 {
    (retention.bytes / 2).max(MIN_PART_BYTES)
}

/// The newest facts of several parts, each once: a batch that was repeated may be in two of them.
pub(crate) fn newest(parts: Vec<Vec<Fact>>, most: usize) -> Vec<Fact> {
    let is_one = parts.len() <= 1;
    let mut facts: Vec<Fact> = parts.into_iter().flatten().collect();
    if !is_one {
        facts.sort_by_key(|fact| Reverse(fact.id));
        facts.dedup_by_key(|fact| fact.id);
        facts.truncate(most);
    }
    facts
}

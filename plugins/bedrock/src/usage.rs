//! Tokens, between the format's members and the unified buckets.
//!
//! The format's `inputTokens` leaves out what was read from or written to the cache, as the unified bucket does. Its
//! `outputTokens` includes the thinking and does not tell it apart; the total is the sum of all.

use weir_sdk::json::Object;
use weir_sdk::types::Usage;

use crate::wire::{self, extensions};
use crate::{FORMAT, write};

/// Reads usage. Some models give `serverToolUsage` without anything in it.
pub(crate) fn read(wire: wire::Usage<'_>) -> Usage {
    let mut others = extensions("", wire.rest);
    others.retain(|own| !matches!(own.json.as_str(), "{}" | "[]"));
    Usage {
        input: wire.input.map(|count| count.0),
        cache_read: wire.cache_read.or(wire.cache_read_count).map(|count| count.0),
        cache_write: wire.cache_write.or(wire.cache_write_count).map(|count| count.0),
        output: wire.output.map(|count| count.0),
        reasoning: None,
        extensions: others,
    }
}

/// Takes over the values that a later report names.
pub(crate) fn merge(known: &mut Usage, later: Usage) {
    known.input = later.input.or(known.input);
    known.cache_read = later.cache_read.or(known.cache_read);
    known.cache_write = later.cache_write.or(known.cache_write);
    known.output = later.output.or(known.output);
    known.reasoning = later.reasoning.or(known.reasoning);
    for extension in later.extensions {
        known.extensions.retain(|old| old.format != extension.format || old.key != extension.key);
        known.extensions.push(extension);
    }
}

/// Writes the counts; `estimate` stands for an input that is not known.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage, estimate: u32) {
    let input = usage.input.unwrap_or(if usage.input_total().is_none() { estimate } else { 0 });
    let output = usage.output_total().unwrap_or(0);
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    o.num("inputTokens", input);
    o.num("outputTokens", output);
    o.num("totalTokens", input.saturating_add(cached).saturating_add(output));
    o.opt_num("cacheReadInputTokens", usage.cache_read);
    o.opt_num("cacheWriteInputTokens", usage.cache_write);
    for own in usage.extensions.iter().filter(|own| own.format == FORMAT) {
        write::member(o, own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::{object, parse};

    #[test]
    fn c60_the_buckets_are_disjoint_and_come_back() {
        let json = concat!(
            r#"{"inputTokens":12,"outputTokens":250,"totalTokens":1320,"cacheReadInputTokens":1028,"#,
            r#""cacheWriteInputTokens":30,"cacheDetails":[{"ttl":"5m","inputTokens":30}]}"#
        );
        let usage = read(parse(json).unwrap());
        assert_eq!((usage.input, usage.cache_read, usage.cache_write), (Some(12), Some(1028), Some(30)));
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, 7));
        assert_eq!(out, json);
    }

    #[test]
    fn c82_thinking_told_apart_by_others_counts_into_the_output() {
        let usage = Usage { output: Some(10), reasoning: Some(40), ..Usage::default() };
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, 7));
        assert_eq!(out, r#"{"inputTokens":7,"outputTokens":50,"totalTokens":57}"#);
    }
}

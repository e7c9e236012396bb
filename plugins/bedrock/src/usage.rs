//! Token counts: the format's members to the unified buckets and back.
//!
//! The format's `inputTokens` excludes tokens read from or written to the cache, as the unified bucket does. Its
//! `outputTokens` includes the thinking, without a separate count; the total is the sum of all.

use weir_sdk::json::{Object, Rest, parse};
use weir_sdk::types::Usage;

use crate::wire::{self, extensions};
use crate::{FORMAT, write};

/// Parses usage. Some models send an empty `serverToolUsage`.
pub(crate) fn read(wire: wire::Usage<'_>) -> Usage {
    let hour = hour(&wire.rest);
    let mut others = extensions("", wire.rest);
    others.retain(|own| !matches!(own.json.as_str(), "{}" | "[]"));
    let written = wire.cache_write.or(wire.cache_write_count).map(|count| count.0);
    let hour = hour.map(|hour| written.map_or(hour, |all| hour.min(all)));
    Usage {
        input: wire.input.map(|count| count.0),
        cache_read: wire.cache_read.or(wire.cache_read_count).map(|count| count.0),
        cache_write: written.map(|all| all - hour.unwrap_or(0)),
        cache_write_hour: hour,
        output: wire.output.map(|count| count.0),
        extensions: others,
        ..Usage::default()
    }
}

/// What of the cache's writes is for an hour: `cacheDetails` has an entry for each time to live.
fn hour(rest: &Rest<'_>) -> Option<u32> {
    let entries: Vec<Rest<'_>> = parse(rest.get("cacheDetails")?.get()).ok()?;
    let of_hour = |mut entry: Rest<'_>| (&*entry.str("ttl")? == "1h").then(|| entry.count("inputTokens")).flatten();
    entries.into_iter().find_map(of_hour).filter(|tokens| *tokens > 0)
}

/// Writes the counts; `estimate` is used for an unknown input.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage, estimate: u32) {
    let input = usage.input_uncached().unwrap_or(if usage.input_total().is_none() { estimate } else { 0 });
    let output = usage.output_total().unwrap_or(0);
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write_total().unwrap_or(0));
    o.num("inputTokens", input);
    o.num("outputTokens", output);
    o.num("totalTokens", input.saturating_add(cached).saturating_add(output));
    o.opt_num("cacheReadInputTokens", usage.cache_read);
    o.opt_num("cacheWriteInputTokens", usage.cache_write_total());
    for own in usage.extensions.iter().filter(|own| own.format == FORMAT) {
        write::member(o, own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::object;

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
    fn writes_for_an_hour_are_told_apart() {
        let json = concat!(
            r#"{"inputTokens":1,"outputTokens":2,"totalTokens":33,"cacheWriteInputTokens":30,"#,
            r#""cacheDetails":[{"ttl":"5m","inputTokens":10},{"ttl":"1h","inputTokens":20}]}"#
        );
        let usage = read(parse(json).unwrap());
        assert_eq!((usage.cache_write, usage.cache_write_hour), (Some(10), Some(20)));
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

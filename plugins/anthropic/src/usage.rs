//! Token counts: the format's members to the unified buckets and back.
//!
//! The format's `input_tokens` excludes tokens read from or written to the cache, as the unified bucket does. Its
//! `output_tokens` includes the thinking, which newer answers also count in `output_tokens_details`.

use weir_sdk::json::{Object, Rest, Str};
use weir_sdk::losses::{extension, extensions};
use weir_sdk::types::{Unit, Usage};

use crate::FORMAT;
use crate::wire;

/// Parses usage; the service tier is a separate field in the unified model.
pub(crate) fn read(wire: wire::Usage<'_>) -> (Usage, Option<String>) {
    let thinking = wire.output_tokens_details.and_then(|details| details.thinking_tokens).map(|count| count.0);
    let all = wire.output_tokens.map(|count| count.0);
    let thinking = thinking.map(|thinking| all.map_or(thinking, |all| thinking.min(all)));
    let output = all.map(|all| all - thinking.unwrap_or(0));
    let written = wire.cache_creation_input_tokens.map(|count| count.0);
    let hour = figure(&wire.rest, "cache_creation", "ephemeral_1h_input_tokens").filter(|tokens| *tokens > 0);
    let hour = hour.map(|hour| written.map_or(hour, |all| hour.min(all)));
    let uses = |name| figure(&wire.rest, "server_tool_use", name).filter(|uses| *uses > 0).map(f64::from);
    let (searches, fetches) = (uses("web_search_requests"), uses("web_fetch_requests"));
    let tier = wire.service_tier.map(Str::into_string);
    let usage = Usage {
        input: wire.input_tokens.map(|count| count.0),
        cache_read: wire.cache_read_input_tokens.map(|count| count.0),
        cache_write: written.map(|all| all - hour.unwrap_or(0)),
        cache_write_hour: hour,
        output,
        reasoning: thinking,
        batch: (tier.as_deref() == Some("batch")).then_some(true),
        extensions: extensions(FORMAT, wire.rest),
        ..Usage::default()
    };
    (usage.with_units(Unit::Search, searches).with_units(Unit::ToolRun, fetches), tier)
}

/// A figure of a member that stays as it is.
fn figure(rest: &Rest<'_>, member: &str, name: &str) -> Option<u32> {
    Rest::parse(rest.get(member)?.get()).ok()?.count(name)
}

/// Writes the counts; `input` is the estimate for an unknown input. Thinking is listed separately if it is known.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage, input: u32) {
    write_input(o, usage, Some(input));
    write_output(o, usage);
}

/// Writes the input alone. What a foreign provider wrote to a cache for an hour is told apart, as the format does.
pub(crate) fn write_input(o: &mut Object<'_>, usage: &Usage, unknown: Option<u32>) {
    o.opt_num("input_tokens", usage.input_uncached().or(unknown));
    o.opt_num("cache_creation_input_tokens", usage.cache_write_total());
    o.opt_num("cache_read_input_tokens", usage.cache_read);
    let own = extension(&usage.extensions, FORMAT, "cache_creation");
    if let Some(hour) = usage.cache_write_hour.filter(|_| own.is_none()) {
        o.object("cache_creation", |o| {
            o.num("ephemeral_5m_input_tokens", usage.cache_write.unwrap_or(0));
            o.num("ephemeral_1h_input_tokens", hour);
        });
    }
}

/// Writes the output alone.
pub(crate) fn write_output(o: &mut Object<'_>, usage: &Usage) {
    o.num("output_tokens", usage.output_total().unwrap_or(0));
    if let Some(thinking) = usage.reasoning {
        o.object("output_tokens_details", |o| o.num("thinking_tokens", thinking));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::{object, parse};

    #[test]
    fn c60_the_buckets_are_disjoint_and_come_back() {
        let json = concat!(
            r#"{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":50,"#,
            r#""output_tokens_details":{"thinking_tokens":40}}"#
        );
        let (usage, _) = read(parse(json).unwrap());
        assert_eq!((usage.input, usage.cache_write, usage.cache_read), (Some(10), Some(20), Some(30)));
        assert_eq!((usage.output, usage.reasoning), (Some(10), Some(40)));
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, 0));
        assert_eq!(out, json);
    }

    #[test]
    fn writes_for_an_hour_are_told_apart_and_searches_are_units() {
        let json = concat!(
            r#"{"input_tokens":10,"cache_creation_input_tokens":20,"output_tokens":5,"#,
            r#""cache_creation":{"ephemeral_5m_input_tokens":8,"ephemeral_1h_input_tokens":12},"#,
            r#""server_tool_use":{"web_search_requests":2},"service_tier":"batch"}"#
        );
        let (usage, tier) = read(parse(json).unwrap());
        assert_eq!((usage.cache_write, usage.cache_write_hour), (Some(8), Some(12)));
        assert_eq!(
            (usage.units_of(Unit::Search), usage.batch, tier.as_deref()),
            (Some(2.0), Some(true), Some("batch"))
        );
        let foreign = Usage { cache_write: Some(8), cache_write_hour: Some(12), ..Usage::default() };
        let mut out = String::new();
        object(&mut out, |o| write(o, &foreign, 3));
        let creation = r#""cache_creation":{"ephemeral_5m_input_tokens":8,"ephemeral_1h_input_tokens":12}"#;
        assert_eq!(
            out,
            format!(r#"{{"input_tokens":3,"cache_creation_input_tokens":20,{creation},"output_tokens":0}}"#)
        );
    }
}

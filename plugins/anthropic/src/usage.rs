//! Token counts: the format's members to the unified buckets and back.
//!
//! The format's `input_tokens` excludes tokens read from or written to the cache, as the unified bucket does. Its
//! `output_tokens` includes the thinking, which newer answers also count in `output_tokens_details`.

use weir_sdk::json::{self, Count, Object, Rest, Str};
use weir_sdk::losses::{Losses, extension, extensions};
use weir_sdk::tier;
use weir_sdk::types::{Extension, Unit, Usage};

use crate::FORMAT;
use crate::compaction::{Compaction, ITERATIONS};
use crate::wire;

/// The speed that price files name as a tier.
const FAST: &str = "fast";
/// The same as JSON.
const FAST_JSON: &str = "\"fast\"";
/// The member that names the region, and its word where the model has none to choose.
pub(crate) const REGION: &str = "inference_geo";
pub(crate) const NO_REGION: &str = "not_available";

/// Parses the usage of a whole answer; the service tier is a separate field in the unified model.
pub(crate) fn read(wire: wire::Usage<'_>) -> (Usage, Option<String>) {
    Reports::default().read(wire)
}

/// The figures that a stream has reported so far. Its reports are cumulative, so one that is less than an earlier one
/// does not count, as it does not where the stream is relayed; but one that lists its iterations is the account of the
/// whole: the figures of the stream's beginning were those of its first iteration. The input is known exactly at the
/// end only: it may begin as an estimate, or with what the cache will turn out to have. The parts of a sum are known
/// from an earlier report where a later one has the sum alone.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    input: Option<u32>,
    cache_read: Option<u32>,
    written: Option<u32>,
    written_hour: Option<u32>,
    output: Option<u32>,
    thinking: Option<u32>,
    compaction: Option<Compaction>,
}

impl Reports {
    /// Parses the next report of a stream.
    pub(crate) fn read(&mut self, wire: wire::Usage<'_>) -> (Usage, Option<String>) {
        if wire.rest.get(ITERATIONS).is_some() {
            (self.input, self.cache_read, self.written, self.output) = (None, None, None, None);
        }
        let cached = more(self.cache_read, wire.cache_read_input_tokens);
        let is_divided = cached || more(self.written, wire.cache_creation_input_tokens);
        let thinking = wire.output_tokens_details.and_then(|details| details.thinking_tokens);
        let hour = figure(&wire.rest, "cache_creation", "ephemeral_1h_input_tokens").filter(|tokens| *tokens > 0);
        let all = greatest(&mut self.output, wire.output_tokens);
        let written = greatest(&mut self.written, wire.cache_creation_input_tokens);
        let thinking = part(all, greatest(&mut self.thinking, thinking), self.thinking);
        let hour = part(written, greatest(&mut self.written_hour, hour.map(Count)), self.written_hour);
        let uses = |name| figure(&wire.rest, "server_tool_use", name).filter(|uses| *uses > 0).map(f64::from);
        let (searches, fetches) = (uses("web_search_requests"), uses("web_fetch_requests"));
        let region = wire.rest.get(REGION).and_then(json::text).filter(|word| **word != *NO_REGION);
        let compaction = wire.rest.get(ITERATIONS).and_then(|list| Compaction::read(list.get()));
        self.compaction = compaction.or(self.compaction);
        let tier = wire.service_tier.map(Str::into_string);
        // Fast answers have a price of their own, whatever the tier.
        let is_fast = wire.speed.is_some_and(|speed| speed.get() == FAST_JSON);
        let mut own = extensions(FORMAT, wire.rest);
        own.extend(wire.speed.map(|speed| {
            let (format, key) = (FORMAT.to_owned(), "speed".to_owned());
            Extension { format, key, json: speed.get().to_owned() }
        }));
        let usage = Usage {
            input: last(&mut self.input, wire.input_tokens, is_divided),
            cache_read: greatest(&mut self.cache_read, wire.cache_read_input_tokens),
            cache_write: written.map(|all| all - hour.unwrap_or(0)),
            cache_write_hour: hour,
            output: all.map(|all| all - thinking.unwrap_or(0)),
            reasoning: thinking,
            service_tier: is_fast.then(|| FAST.to_owned()),
            batch: (tier.as_deref() == Some("batch")).then_some(true),
            region: region.map(Str::into_string),
            extensions: own,
            ..Usage::default()
        };
        let usage = match self.compaction {
            Some(compaction) => compaction.with(usage),
            None => usage,
        };
        (usage.with_units(Unit::Search, searches).with_units(Unit::ToolRun, fetches), tier)
    }
}

/// The greatest count of a figure, if the report has the figure.
fn greatest(known: &mut Option<u32>, told: Option<Count>) -> Option<u32> {
    let told = told?.0;
    *known = Some(known.map_or(told, |known| known.max(told)));
    *known
}

/// Whether a report has more of a figure than is known.
fn more(known: Option<u32>, told: Option<Count>) -> bool {
    told.is_some_and(|told| told.0 > known.unwrap_or(0))
}

/// The input by the last report that has it. None at all counts if the report divides the input anew: all of it came
/// from the cache, or went there.
fn last(known: &mut Option<u32>, told: Option<Count>, is_divided: bool) -> Option<u32> {
    let told = told?.0;
    if told > 0 || is_divided || known.is_none() {
        *known = Some(told);
    }
    *known
}

/// A part of the sum `all`: as the report tells it, or as it is known where the report has the sum alone.
fn part(all: Option<u32>, told: Option<u32>, known: Option<u32>) -> Option<u32> {
    match all {
        Some(all) => known.map(|part| part.min(all)),
        None => told,
    }
}
/// A figure of a member that stays as it is.
fn figure(rest: &Rest<'_>, member: &str, name: &str) -> Option<u32> {
    Rest::parse(rest.get(member)?.get()).ok()?.count(name)
}

/// Writes the service tier of an answer.
pub(crate) fn write_tier(o: &mut Object<'_>, told: Option<&str>, losses: &mut Losses) {
    o.opt_str("service_tier", tier::answered(told, &["standard", "priority", "batch"], losses));
}

/// Writes the counts; `input` is the estimate for an unknown input. Thinking is listed separately if it is known.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage, input: u32) {
    write_input(o, usage, Some(input));
    write_output(o, usage);
}

/// Writes the input alone. What a foreign provider wrote to a cache for an hour is told apart, as the format does.
pub(crate) fn write_input(o: &mut Object<'_>, usage: &Usage, unknown: Option<u32>) {
    let usage = &*Compaction::without(usage);
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
    let usage = &*Compaction::without(usage);
    o.num("output_tokens", usage.output_total().unwrap_or(0));
    if let Some(thinking) = usage.reasoning {
        o.object("output_tokens_details", |o| o.num("thinking_tokens", thinking));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::{object, parse};

    /// What a stream of these reports uses, as the host sums it up.
    fn of_stream(reports: &[&str]) -> Usage {
        let mut reader = Reports::default();
        reports.iter().fold(Usage::default(), |before, report| {
            let (later, _) = reader.read(parse(report).unwrap());
            Usage {
                input: later.input.or(before.input),
                cache_write: later.cache_write.or(before.cache_write),
                cache_write_hour: later.cache_write_hour.or(before.cache_write_hour),
                output: later.output.or(before.output),
                reasoning: later.reasoning.or(before.reasoning),
                ..later
            }
        })
    }

    #[test]
    fn a_report_that_is_less_than_an_earlier_one_does_not_count() {
        let begun = r#"{"input_tokens":10,"output_tokens":1}"#;
        let usage = of_stream(&[begun, r#"{"output_tokens":50}"#, r#"{"input_tokens":0,"output_tokens":2}"#]);
        assert_eq!((usage.input, usage.output), (Some(10), Some(50)));
        let thought = r#"{"output_tokens":50,"output_tokens_details":{"thinking_tokens":40}}"#;
        let usage = of_stream(&[begun, thought, r#"{"output_tokens":60}"#]);
        assert_eq!((usage.output, usage.reasoning), (Some(20), Some(40)));
        let usage = of_stream(&[begun, r#"{"output_tokens":50}"#, thought]);
        assert_eq!((usage.output, usage.reasoning), (Some(10), Some(40)));
    }

    #[test]
    fn c60_the_end_of_a_stream_corrects_the_input_of_its_beginning() {
        let begun = r#"{"input_tokens":900,"output_tokens":0}"#;
        let divided = |input: u32| {
            let end = format!(r#"{{"input_tokens":{input},"cache_read_input_tokens":800,"output_tokens":5}}"#);
            let usage = of_stream(&[begun, &end]);
            (usage.input, usage.cache_read)
        };
        assert_eq!(divided(90), (Some(90), Some(800)));
        assert_eq!(divided(0), (Some(0), Some(800)));
        let estimated = of_stream(&[begun, r#"{"input_tokens":880,"output_tokens":5}"#]);
        assert_eq!((estimated.input, estimated.output), (Some(880), Some(5)));
    }

    #[test]
    fn writes_for_an_hour_are_told_apart_also_where_the_last_report_has_their_sum_alone() {
        let begun = concat!(
            r#"{"input_tokens":10,"cache_creation_input_tokens":20,"output_tokens":1,"#,
            r#""cache_creation":{"ephemeral_5m_input_tokens":8,"ephemeral_1h_input_tokens":12}}"#
        );
        let end = r#"{"input_tokens":10,"cache_creation_input_tokens":20,"output_tokens":5}"#;
        let usage = of_stream(&[begun, end]);
        assert_eq!((usage.cache_write, usage.cache_write_hour), (Some(8), Some(12)));
    }

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
        let (fast, tier) = read(parse(r#"{"input_tokens":1,"speed":"fast","service_tier":"standard"}"#).unwrap());
        assert_eq!((fast.service_tier.as_deref(), tier.as_deref()), (Some("fast"), Some("standard")));
        assert_eq!(extension(&fast.extensions, FORMAT, "speed"), Some("\"fast\""), "the format keeps it");
        let foreign = Usage { cache_write: Some(8), cache_write_hour: Some(12), ..Usage::default() };
        let mut out = String::new();
        object(&mut out, |o| write(o, &foreign, 3));
        let creation = r#""cache_creation":{"ephemeral_5m_input_tokens":8,"ephemeral_1h_input_tokens":12}"#;
        assert_eq!(
            out,
            format!(r#"{{"input_tokens":3,"cache_creation_input_tokens":20,{creation},"output_tokens":0}}"#)
        );
    }

    #[test]
    fn summaries_within_a_request_are_billed_and_written_where_the_format_has_them() {
        let summary = r#"{"type":"compaction","input_tokens":180000,"cache_read_input_tokens":7,"output_tokens":3500}"#;
        let iterations = format!(r#"[{summary},{{"type":"message","input_tokens":23000,"output_tokens":1000}}]"#);
        let told = format!(r#"{{"input_tokens":23000,"output_tokens":1000,"iterations":{iterations}}}"#);
        let usage = read(parse(&told).unwrap()).0;
        assert_eq!((usage.input, usage.cache_read, usage.output), (Some(203_000), Some(7), Some(4_500)));
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, 0));
        assert_eq!(out, r#"{"input_tokens":23000,"cache_read_input_tokens":0,"output_tokens":1000}"#);
        let begun = r#"{"input_tokens":203000,"output_tokens":1}"#;
        assert_eq!(of_stream(&[begun, &told, r#"{"output_tokens":1001}"#]).output, Some(4_501));
        // The stream's beginning tells what the summary is made of.
        let usage = of_stream(&[r#"{"input_tokens":180000,"cache_read_input_tokens":7,"output_tokens":5}"#, &told]);
        assert_eq!((usage.input, usage.output), (Some(203_000), Some(4_500)));
    }

    #[test]
    fn the_region_that_served_is_known_where_one_is_told() {
        let region = |word: &str| {
            let text = format!(r#"{{"input_tokens":1,"inference_geo":{word}}}"#);
            read(parse(&text).unwrap()).0.region
        };
        assert_eq!(region(r#""us""#).as_deref(), Some("us"));
        assert_eq!((region(r#""not_available""#), region("null")), (None, None));
    }
}

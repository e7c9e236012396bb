//! Token counts: from the totals of OpenAI's format to disjoint buckets and back (C-60, C-82).

use crate::compat::quirks::Quirks;
use crate::compat::wire::{self, FORMAT, rest_json};
use crate::json::{self, Count, Number, Object, Rest, Str};
use crate::losses::{extension, extensions};
use crate::manifest::Bucket;
use crate::types::{Extension, Unit, Usage};

const INPUT: &str = "prompt_tokens_details";
const OUTPUT: &str = "completion_tokens_details";

/// Parses a provider's usage, with the word that sets the price in place of a service tier; `None` if every figure is
/// null.
pub fn priced(wire: wire::Usage<'_>, quirks: &Quirks) -> Option<Usage> {
    let usage = parse(wire, quirks.apart.contains(&Bucket::Reasoning))?;
    let word = extension(&usage.extensions, FORMAT, quirks.priced_by).and_then(|json| json::parse(json).ok());
    Some(Usage { service_tier: word.map(Str::into_string), ..usage })
}

/// Parses usage; `None` if every figure is null.
pub fn read(wire: wire::Usage<'_>) -> Option<Usage> {
    parse(wire, false)
}

/// Parses usage. `thinks_apart`: a figure of thinking that is beside the sums, not in their details, is in none of
/// them.
fn parse(mut wire: wire::Usage<'_>, thinks_apart: bool) -> Option<Usage> {
    // Mistral's second spelling counts where the first is missing.
    let singular = wire.rest.value("prompt_token_details").and_then(|raw| json::parse(raw.get()).ok());
    let details = wire.prompt_details.or(singular).unwrap_or_default();
    let output_details = wire.completion_details.unwrap_or_default();
    let cached = [details.cached, wire.cached, wire.cache_hit, wire.num_cached, wire.cache_read];
    let figures = Figures {
        prompt: wire.prompt.map(|n| n.0),
        completion: wire.completion.map(|n| n.0),
        total: wire.total.map(|n| n.0),
    };
    let beside = wire.rest.count("reasoning_tokens").filter(|_| output_details.reasoning.is_none());
    let thinks_apart =
        beside.is_some_and(|thought| thinks_apart || figures.completion.is_some_and(|all| thought > all));
    let (cached, thought) = (first(&cached), beside.or(first(&[output_details.reasoning])));
    let written = first(&[details.cache_write, wire.cache_creation]);
    // Servers that spell the cache's members beside the sum count the cache apart from the input.
    let apart = details.cached.is_none() && details.cache_write.is_none();
    let (input, cache_read, cache_write) = figures.input(cached, written, apart);
    let (output, reasoning) = figures.output(thought, thinks_apart);
    let (input, [input_audio, input_image]) = modalities(input, &details.rest, |tokens| figures.has_beside(tokens));
    let (output, [output_audio, output_image]) = modalities(output, &output_details.rest, |_| false);
    let searches = wire.rest.get("num_search_queries").and_then(|raw| json::parse::<Number>(raw.get()).ok());
    let mut extensions = extensions(FORMAT, wire.rest);
    let cut = |name, given: Option<u32>, kept: Option<u32>| given.filter(|_| given != kept).map(|n| (name, n));
    let cuts = [cut("cached_tokens", cached, cache_read), cut("cache_write_tokens", written, cache_write)];
    keep_details(&mut extensions, INPUT, &details.rest, &cuts);
    keep_details(&mut extensions, OUTPUT, &output_details.rest, &[cut("reasoning_tokens", thought, reasoning)]);
    let usage = Usage {
        input,
        input_audio,
        input_image,
        cache_read,
        cache_write,
        output,
        output_audio,
        output_image,
        reasoning,
        extensions,
        ..Usage::default()
    };
    let usage = usage.with_units(Unit::Search, searches.map(|number| number.0));
    (usage != Usage::default()).then_some(usage)
}

/// The three figures of every answer, which can be checked against each other.
#[derive(Debug, Clone, Copy)]
struct Figures {
    prompt: Option<u32>,
    completion: Option<u32>,
    total: Option<u32>,
}

impl Figures {
    /// Whether the total is the sum of input, output and `more`; `None` if there is no total.
    fn sums_up_with(self, more: u32) -> Option<bool> {
        let sum = self.prompt?.saturating_add(self.completion?).saturating_add(more);
        Some(self.total? == sum)
    }

    /// Whether the total shows that these tokens are counted beside input and output.
    fn has_beside(self, tokens: u32) -> bool {
        tokens > 0 && self.sums_up_with(tokens) == Some(true)
    }

    /// Splits input into uncached input, cache reads and cache writes. The cache's figures are part of the input and
    /// capped at it, unless the total shows that they were counted apart, or there is no total and the members' names
    /// imply it (`apart`).
    fn input(self, read: Option<u32>, write: Option<u32>, apart: bool) -> (Option<u32>, Option<u32>, Option<u32>) {
        let Some(prompt) = self.prompt else { return (None, read, write) };
        let cached = read.unwrap_or(0).saturating_add(write.unwrap_or(0));
        if cached <= prompt {
            return (Some(prompt - cached), read, write);
        }
        let (is_sum, is_apart) = (self.sums_up_with(0), self.sums_up_with(cached) == Some(true));
        if is_apart || (apart && is_sum != Some(true)) {
            return (Some(prompt), read, write);
        }
        parted(prompt, read, write)
    }

    /// Splits output into output without thinking, and thinking. Most servers include thinking; the total shows which
    /// do not, unless that is known (`apart`).
    fn output(self, reasoning: Option<u32>, apart: bool) -> (Option<u32>, Option<u32>) {
        let (Some(completion), Some(thought)) = (self.completion, reasoning) else {
            return (self.completion, reasoning);
        };
        if apart || self.has_beside(thought) {
            return (Some(completion), reasoning);
        }
        match completion.checked_sub(thought) {
            Some(visible) => (Some(visible), reasoning),
            None if self.sums_up_with(0) == Some(true) => (Some(0), Some(completion)),
            None => (Some(completion), reasoning),
        }
    }
}

/// Splits an input of `all` tokens into input, cache reads and cache writes, whose sum does not exceed it.
pub fn parted(all: u32, read: Option<u32>, write: Option<u32>) -> (Option<u32>, Option<u32>, Option<u32>) {
    let read = read.map(|tokens| tokens.min(all));
    let rest = all - read.unwrap_or(0);
    let write = write.map(|tokens| tokens.min(rest));
    (Some(rest - write.unwrap_or(0)), read, write)
}

/// What of a sum is audio and images, and what is left of it; a figure that is `beside` the sum takes nothing from it.
/// Figures of nought stand in the details alone.
fn modalities(sum: Option<u32>, details: &Rest<'_>, beside: impl Fn(u32) -> bool) -> (Option<u32>, [Option<u32>; 2]) {
    let Some(mut left) = sum else { return (None, [None; 2]) };
    let parts = ["audio_tokens", "image_tokens"].map(|name| {
        let Count(given) = json::parse(details.get(name)?.get()).ok()?;
        if beside(given) {
            return Some(given);
        }
        let part = given.min(left);
        left -= part;
        Some(part).filter(|part| *part > 0)
    });
    (Some(left), parts)
}

fn first(places: &[Option<Count>]) -> Option<u32> {
    places.iter().flatten().next().map(|n| n.0)
}

/// Keeps details without a bucket (audio, prediction), and those that exceed their sum, as the server sent them.
fn keep_details(kept: &mut Vec<Extension>, key: &str, rest: &Rest<'_>, cuts: &[Option<(&str, u32)>]) {
    if rest.0.is_empty() && cuts.iter().all(Option::is_none) {
        return;
    }
    let mut json = rest_json(rest);
    for (name, tokens) in cuts.iter().rev().flatten() {
        let comma = if json == "{}" { "" } else { "," };
        json.insert_str(1, &format!("\"{name}\":{tokens}{comma}"));
    }
    kept.push(Extension { format: FORMAT.to_owned(), key: key.to_owned(), json });
}

/// Cached tokens as the server counted them.
pub fn cached_tokens(usage: &Usage) -> Option<u32> {
    given(usage, INPUT, "cached_tokens").or(usage.cache_read)
}

/// Tokens written to a cache as the server counted them.
pub fn written_tokens(usage: &Usage) -> Option<u32> {
    given(usage, INPUT, "cache_write_tokens").or(usage.cache_write_total())
}

/// Reasoning tokens as the server counted them.
pub fn reasoning_tokens(usage: &Usage) -> Option<u32> {
    given(usage, OUTPUT, "reasoning_tokens").or(usage.reasoning)
}

/// A kept figure that exceeds its sum.
fn given(usage: &Usage, key: &str, name: &str) -> Option<u32> {
    Rest::parse(extension(&usage.extensions, FORMAT, key)?).ok()?.count(name)
}

/// Writes usage as a member of an answer or a chunk.
pub fn write(o: &mut Object<'_>, usage: &Usage) {
    let prompt = usage.input_total().unwrap_or(0);
    let completion = usage.output_total().unwrap_or(0);
    o.object("usage", |o| {
        o.num("prompt_tokens", prompt);
        o.num("completion_tokens", completion);
        o.num("total_tokens", prompt.saturating_add(completion));
        let input = [
            ("cached_tokens", usage.cache_read),
            ("cache_write_tokens", usage.cache_write_total()),
            ("audio_tokens", usage.input_audio),
            ("image_tokens", usage.input_image),
        ];
        let output = [
            ("reasoning_tokens", usage.reasoning),
            ("audio_tokens", usage.output_audio),
            ("image_tokens", usage.output_image),
        ];
        write_details(o, INPUT, &unsaid(usage, INPUT, input), usage);
        write_details(o, OUTPUT, &unsaid(usage, OUTPUT, output), usage);
        for kept in usage.extensions.iter().filter(|kept| kept.format == FORMAT) {
            if !kept.key.ends_with("_tokens_details") {
                o.raw(&kept.key, &kept.json);
            }
        }
    });
}

/// The figures that the server's own details do not have.
fn unsaid<'a, const N: usize>(
    usage: &Usage,
    key: &str,
    figures: [(&'a str, Option<u32>); N],
) -> [(&'a str, Option<u32>); N] {
    figures.map(|(name, figure)| (name, figure.filter(|_| given(usage, key, name).is_none())))
}

fn write_details(o: &mut Object<'_>, key: &str, buckets: &[(&str, Option<u32>)], usage: &Usage) {
    let kept = extension(&usage.extensions, FORMAT, key).and_then(inner);
    if kept.is_none() && buckets.iter().all(|(_, tokens)| tokens.is_none()) {
        return;
    }
    o.object(key, |o| {
        for (name, tokens) in buckets {
            o.opt_num(name, *tokens);
        }
        if let Some(kept) = kept {
            o.members(kept);
        }
    });
}

/// The text between an object's braces; `None` if it is empty or not an object.
fn inner(json: &str) -> Option<&str> {
    let inner = json.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    (!inner.is_empty()).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(text: &str) -> [Option<u32>; 5] {
        let usage = read(json::parse(text).unwrap()).unwrap();
        [usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning]
    }

    #[test]
    fn details_may_have_their_second_name() {
        let text =
            r#"{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10,"prompt_token_details":{"cached_tokens":4}}"#;
        assert_eq!(buckets(text), [Some(5), Some(4), None, Some(1), None]);
        let both = r#"{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":3},"prompt_token_details":null}"#;
        assert_eq!(buckets(both)[..2], [Some(6), Some(3)]);
    }

    #[test]
    fn c60_buckets_are_disjoint() {
        let text = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},
            "completion_tokens_details":{"reasoning_tokens":20}}"#;
        assert_eq!(buckets(text), [Some(30), Some(60), Some(10), Some(30), Some(20)]);
    }

    #[test]
    fn c82_a_total_tells_whether_thinking_is_counted_apart() {
        let text = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,
            "completion_tokens_details":{"reasoning_tokens":20}}"#;
        assert_eq!(buckets(text), [Some(10), None, None, Some(5), Some(20)]);
    }

    #[test]
    fn c60_details_that_exceed_a_sum_are_no_more_than_it() {
        let text = r#"{"prompt_tokens":392,"completion_tokens":16,"total_tokens":408,
            "prompt_tokens_details":{"cached_tokens":461},"completion_tokens_details":{"reasoning_tokens":19}}"#;
        assert_eq!(buckets(text), [Some(0), Some(392), None, Some(0), Some(16)]);
        let mut out = String::new();
        json::object(&mut out, |o| write(o, &read(json::parse(text).unwrap()).unwrap()));
        assert!(out.contains(r#""prompt_tokens_details":{"cached_tokens":461}"#), "{out}");
        assert!(out.contains(r#""completion_tokens_details":{"reasoning_tokens":19}"#), "{out}");
        let apart = r#"{"prompt_tokens":3,"completion_tokens":5,"cache_read_input_tokens":1000}"#;
        assert_eq!(buckets(apart), [Some(3), Some(1000), None, Some(5), None]);
    }

    #[test]
    fn cache_figures_that_exceed_the_prompt_are_cut_unless_the_total_counts_them_apart() {
        let details = |prompt: u32, total: &str, read: u32, write: u32| {
            buckets(&format!(
                r#"{{"prompt_tokens":{prompt},"completion_tokens":2{total},
                "prompt_tokens_details":{{"cached_tokens":{read},"cache_write_tokens":{write}}}}}"#
            ))
        };
        for (read, write, input) in [(8, 5, [Some(0), Some(8), Some(2)]), (12, 5, [Some(0), Some(10), Some(0)])] {
            for total in [r#","total_tokens":12"#, "", r#","total_tokens":7"#] {
                assert_eq!(details(10, total, read, write)[..3], input, "{read} + {write}{total}");
            }
        }
        assert_eq!(details(10, r#","total_tokens":25"#, 8, 5)[..3], [Some(10), Some(8), Some(5)]);
        let beside = |total: &str| {
            buckets(&format!(
                r#"{{"prompt_tokens":10,"completion_tokens":2{total},"cache_read_input_tokens":8,"cache_creation_input_tokens":5}}"#
            ))
        };
        assert_eq!(beside("")[..3], [Some(10), Some(8), Some(5)]);
        assert_eq!(beside(r#","total_tokens":12"#)[..3], [Some(0), Some(8), Some(2)]);
    }

    #[test]
    fn audio_and_images_are_buckets_of_their_own() {
        let text = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":60,"audio_tokens":30},"completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":25,"image_tokens":99}}"#;
        let usage = read(json::parse(text).unwrap()).unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.input_audio), (Some(10), Some(60), Some(30)));
        assert_eq!((usage.output, usage.output_audio, usage.output_image), (Some(0), Some(25), Some(5)));
        assert_eq!((usage.input_total(), usage.output_total()), (Some(100), Some(50)));
        let mut out = String::new();
        json::object(&mut out, |o| write(o, &usage));
        assert_eq!(out, format!("{{\"usage\":{text}}}"));
        let foreign = Usage { input: Some(1), input_audio: Some(2), cache_write_hour: Some(4), ..Usage::default() };
        let mut out = String::new();
        json::object(&mut out, |o| write(o, &foreign));
        assert!(out.contains(r#""prompt_tokens":7"#), "{out}");
        assert!(out.contains(r#""prompt_tokens_details":{"cache_write_tokens":4,"audio_tokens":2}"#), "{out}");
    }

    #[test]
    fn figures_count_however_a_number_is_written() {
        let text = r#"{"prompt_tokens":9.0,"completion_tokens":1e0,"prompt_tokens_details":{"image_tokens":4.0}}"#;
        let usage = read(json::parse(text).unwrap()).unwrap();
        assert_eq!((usage.input, usage.input_image, usage.output), (Some(5), Some(4), Some(1)));
    }

    #[test]
    fn c82_a_total_tells_whether_audio_is_counted_apart() {
        let text = r#"{"prompt_tokens":11,"completion_tokens":15,"total_tokens":401,"prompt_tokens_details":{"audio_tokens":375,"cached_tokens":9}}"#;
        let usage = read(json::parse(text).unwrap()).unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.input_audio), (Some(2), Some(9), Some(375)));
        assert_eq!((usage.input_total(), usage.output_total()), (Some(386), Some(15)));
    }

    #[test]
    fn thinking_beside_the_sums_is_within_the_output_unless_it_exceeds_it_or_the_server_counts_it_apart() {
        const APART: Quirks = Quirks { apart: &[Bucket::Reasoning], ..Quirks::COMPATIBLE };
        let text = |thought: u32| {
            format!(r#"{{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"reasoning_tokens":{thought}}}"#)
        };
        assert_eq!(buckets(&text(3))[3..], [Some(4), Some(3)]);
        assert_eq!(buckets(&text(70))[3..], [Some(7), Some(70)]);
        let usage = priced(json::parse(&text(3)).unwrap(), &APART).unwrap();
        assert_eq!((usage.output, usage.reasoning, usage.extensions), (Some(7), Some(3), Vec::new()));
        let both = r#"{"prompt_tokens":9,"completion_tokens":7,"reasoning_tokens":8,"completion_tokens_details":{"reasoning_tokens":2}}"#;
        assert_eq!(buckets(both)[3..], [Some(5), Some(2)]);
    }

    #[test]
    fn searches_are_units() {
        let text = r#"{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"num_search_queries":3}"#;
        assert_eq!(read(json::parse(text).unwrap()).unwrap().units_of(Unit::Search), Some(3.0));
    }

    #[test]
    fn what_sets_the_price_stands_where_a_tier_does() {
        const SEARCHED: Quirks = Quirks { priced_by: "search_context_size", ..Quirks::COMPATIBLE };
        let text = r#"{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"search_context_size":"high"}"#;
        let tier = |quirks| priced(json::parse(text).unwrap(), quirks).unwrap().service_tier;
        assert_eq!((tier(&SEARCHED).as_deref(), tier(&Quirks::COMPATIBLE)), (Some("high"), None));
    }

    #[test]
    fn null_figures_are_no_usage() {
        let text = r#"{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null}"#;
        assert_eq!(read(json::parse(text).unwrap()), None);
    }

    #[test]
    fn details_come_back_as_they_were() {
        let text = r#"{"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":60,"audio_tokens":1},"completion_tokens_details":{"reasoning_tokens":20,"accepted_prediction_tokens":0},"queue_time":0.5}}"#;
        let inner = text.strip_prefix(r#"{"usage":"#).unwrap().strip_suffix('}').unwrap();
        let usage = read(json::parse(inner).unwrap()).unwrap();
        let mut out = String::new();
        json::object(&mut out, |o| write(o, &usage));
        assert_eq!(out, text);
    }
}

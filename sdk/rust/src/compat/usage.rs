//! Tokens: from the totals of OpenAI's format to disjoint buckets and back (C-60, C-82).

use crate::compat::wire::{self, FORMAT, rest_json};
use crate::json::{Count, Object, Rest};
use crate::ledger::{extension, extensions};
use crate::types::{Extension, Usage};

/// Reads usage; none where every figure is null.
pub fn read(wire: wire::Usage<'_>) -> Option<Usage> {
    let details = wire.prompt_details.unwrap_or_default();
    let output_details = wire.completion_details.unwrap_or_default();
    let cached = [details.cached, wire.cached, wire.cache_hit, wire.num_cached, wire.cache_read];
    let cache_read = first(&cached);
    let cache_write = first(&[details.cache_write, wire.cache_creation]);
    let prompt = wire.prompt.map(|n| n.0);
    let reasoning = first(&[output_details.reasoning]);
    let output = wire.completion.map(|n| visible(n.0, reasoning, prompt, wire.total.map(|n| n.0)));
    let mut extensions = extensions(FORMAT, wire.rest);
    keep_details(&mut extensions, "prompt_tokens_details", &details.rest);
    keep_details(&mut extensions, "completion_tokens_details", &output_details.rest);
    let usage = Usage {
        input: prompt.map(|n| uncached(n, cache_read.unwrap_or(0), cache_write.unwrap_or(0))),
        cache_read,
        cache_write,
        output,
        reasoning,
        extensions,
    };
    (usage != Usage::default()).then_some(usage)
}

/// Input that was neither read from nor written to a cache. A server whose cached tokens exceed its input does not
/// count them in it.
fn uncached(prompt: u32, read: u32, write: u32) -> u32 {
    prompt.checked_sub(read).map_or(prompt, |rest| rest.checked_sub(write).unwrap_or(rest))
}

/// Output without thinking. Most servers count it in; of one that does not, the total gives it away.
fn visible(completion: u32, reasoning: Option<u32>, prompt: Option<u32>, total: Option<u32>) -> u32 {
    let Some(reasoning) = reasoning else { return completion };
    let apart = prompt.zip(total).is_some_and(|(prompt, total)| {
        total == prompt.saturating_add(completion).saturating_add(reasoning) && reasoning > 0
    });
    if apart { completion } else { completion.checked_sub(reasoning).unwrap_or(completion) }
}

fn first(places: &[Option<Count>]) -> Option<u32> {
    places.iter().flatten().next().map(|n| n.0)
}

/// Keeps the details that no bucket holds (audio, prediction).
fn keep_details(kept: &mut Vec<Extension>, key: &str, rest: &Rest<'_>) {
    if !rest.0.is_empty() {
        kept.push(Extension { format: FORMAT.to_owned(), key: key.to_owned(), json: rest_json(rest) });
    }
}

/// Writes usage as a member of an answer or a chunk.
pub fn write(o: &mut Object<'_>, usage: &Usage) {
    let prompt = usage.input_total().unwrap_or(0);
    let completion = usage.output_total().unwrap_or(0);
    o.object("usage", |o| {
        o.num("prompt_tokens", prompt);
        o.num("completion_tokens", completion);
        o.num("total_tokens", prompt.saturating_add(completion));
        let buckets = [("cached_tokens", usage.cache_read), ("cache_write_tokens", usage.cache_write)];
        write_details(o, "prompt_tokens_details", &buckets, usage);
        write_details(o, "completion_tokens_details", &[("reasoning_tokens", usage.reasoning)], usage);
        for kept in usage.extensions.iter().filter(|kept| kept.format == FORMAT) {
            if !kept.key.ends_with("_tokens_details") {
                o.raw(&kept.key, &kept.json);
            }
        }
    });
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

/// What stands between an object's braces; none where it is empty or no object.
fn inner(json: &str) -> Option<&str> {
    let inner = json.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    (!inner.is_empty()).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn buckets(text: &str) -> [Option<u32>; 5] {
        let usage = read(json::parse(text).unwrap()).unwrap();
        [usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning]
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

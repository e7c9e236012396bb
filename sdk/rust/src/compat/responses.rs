//! OpenAI's Responses: items instead of messages, events instead of chunks.
//!
//! Consecutive assistant items (thinking, calls, messages) become one message of the unified model; notes on its parts
//! record the boundaries, so that rendering restores the same items.

pub mod decoder;
pub mod image;
pub mod namespace;
pub mod read;
pub mod request;
pub mod response;
mod units;
pub mod write;

use crate::compat::usage;
use crate::json::{Object, Rest};
use crate::losses::extensions;
use crate::types::{Extension, ReasoningPart, Signature, TextPart, Usage};

/// The id of the format.
pub const FORMAT: &str = "openai.responses";

/// The issuer of encrypted thinking that a client of this format sends back, if the value does not show its issuer. It
/// is sent to services that answer in this format.
pub const ANYBODY: &str = FORMAT;

/// The issuer of encrypted thinking that a client sends back; OpenAI's values have a recognisable prefix.
pub fn issuer(value: &str) -> &'static str {
    if value.starts_with("gAAAA") { "openai" } else { ANYBODY }
}

/// The kind of the event that notes, for rendering this format again, that the thinking that follows is the text itself
/// and no summary of it. At the end of the part, a note says the same.
pub const THINKING_TEXT: &str = "thinking=content";

/// The kind of the event that notes, for rendering this format again, that the piece of thinking that follows separates
/// two parts of a summary.
pub const THINKING_PART: &str = "thinking=part";

/// The key of the note on a text without words, which is there for the members of its item alone.
const BARE: &str = "bare";

/// Whether a text has no words and only begins an item of this format: nothing is said in it.
pub fn only_begins_item(text: &TextPart) -> bool {
    text.text.is_empty() && noted(&text.extensions, BARE).is_some()
}

/// A note for the same format. It has no value, so other formats do not report it as lost.
pub fn note(key: &str, text: &str) -> Extension {
    Extension { format: FORMAT.to_owned(), key: format!("{key}={text}"), json: "null".to_owned() }
}

/// Finds a note.
pub fn noted<'a>(extensions: &'a [Extension], key: &str) -> Option<&'a str> {
    let mut notes = extensions.iter().filter(|note| note.format == FORMAT && note.json == "null");
    notes.find_map(|note| note.key.strip_prefix(key)?.strip_prefix('='))
}

/// Writes the format's own members.
pub fn write_members(o: &mut Object<'_>, extensions: &[Extension]) {
    for extension in extensions.iter().filter(|e| e.format == FORMAT && e.json != "null") {
        o.raw(&extension.key, &extension.json);
    }
}

/// The text between an object's braces; `None` if it is empty or not an object.
pub fn inner(json: &str) -> Option<&str> {
    let inner = json.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    (!inner.is_empty()).then_some(inner)
}

/// The prefix of another family's opaque value in `encrypted_content`.
const FOREIGN: &str = "weir:";

/// The one opaque value that an item of thinking can contain: this family's own, or another family's with its name in
/// front, so that it returns to its issuer (C-32).
pub fn pack(thought: &ReasoningPart, family: &str) -> Option<String> {
    match (&thought.encrypted, &thought.signature) {
        (Some(value), _) if value.issuer == family || value.issuer == ANYBODY => Some(value.value.clone()),
        (Some(value), _) => Some(format!("{FOREIGN}{}:e:{}", value.issuer, value.value)),
        (None, Some(value)) => Some(format!("{FOREIGN}{}:s:{}", value.issuer, value.value)),
        (None, None) => None,
    }
}

/// Undoes [`pack`].
pub fn unpack(thought: &mut ReasoningPart) {
    let Some(value) = &thought.encrypted else { return };
    let mut parts = value.value.strip_prefix(FOREIGN).map(|rest| rest.splitn(3, ':')).into_iter().flatten();
    let (Some(issuer), Some(kind), Some(value)) = (parts.next(), parts.next(), parts.next()) else { return };
    let signature = Some(Signature { issuer: issuer.to_owned(), value: value.to_owned() });
    if kind == "s" {
        (thought.signature, thought.encrypted) = (signature, None);
    } else {
        thought.encrypted = signature;
    }
}

/// Parses usage.
pub fn read_usage(mut wire: Rest<'_>) -> Option<Usage> {
    let mut input_details = wire.object("input_tokens_details").unwrap_or_default();
    let mut output_details = wire.object("output_tokens_details").unwrap_or_default();
    wire.take("total_tokens");
    let (read, write) = (input_details.count("cached_tokens"), input_details.count("cache_write_tokens"));
    let reasoning = output_details.count("reasoning_tokens");
    let output = wire.count("output_tokens");
    let (input, cache_read, cache_write) = match wire.count("input_tokens") {
        Some(input) => usage::parted(input, read, write),
        None => (None, read, write),
    };
    let reasoning = reasoning.map(|thought| output.map_or(thought, |all| thought.min(all)));
    let usage = Usage {
        input,
        cache_read,
        cache_write,
        output: output.map(|n| n.saturating_sub(reasoning.unwrap_or(0))),
        reasoning,
        extensions: extensions(FORMAT, wire),
        ..Usage::default()
    };
    (usage != Usage::default()).then_some(usage)
}

/// Writes usage; this format always has the details.
pub fn write_usage(o: &mut Object<'_>, usage: &Usage) {
    let input = usage.input_total().unwrap_or(0);
    let output = usage.output_total().unwrap_or(0);
    o.object("usage", |o| {
        o.num("input_tokens", input);
        o.object("input_tokens_details", |o| {
            o.num("cached_tokens", usage::cached_tokens(usage).unwrap_or(0));
            // Required as well (`ResponseUsage`).
            o.num("cache_write_tokens", usage::written_tokens(usage).unwrap_or(0));
        });
        o.num("output_tokens", output);
        o.object("output_tokens_details", |o| o.num("reasoning_tokens", usage::reasoning_tokens(usage).unwrap_or(0)));
        o.num("total_tokens", input.saturating_add(output));
        write_members(o, &usage.extensions);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_has_all_that_the_specification_requires() {
        let mut out = String::new();
        crate::json::object(&mut out, |o| {
            write_usage(o, &Usage { input: Some(3), output: Some(1), ..Usage::default() });
        });
        let details = r#""input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0}"#;
        assert!(out.contains(details), "{out}");
    }

    #[test]
    fn c32_values_of_other_families_survive_the_one_place_there_is() {
        for (issuer, encrypted) in [("openai", true), ("anthropic", true), ("anthropic", false)] {
            let signature = Some(Signature { issuer: issuer.into(), value: "a:b".into() });
            let (encrypted, signature) = if encrypted { (signature, None) } else { (None, signature) };
            let thought = ReasoningPart { encrypted, signature, ..ReasoningPart::new("hm") };
            let packed = pack(&thought, "openai").unwrap();
            let mut back = ReasoningPart {
                encrypted: Some(Signature { issuer: "openai".into(), value: packed }),
                ..ReasoningPart::new("hm")
            };
            unpack(&mut back);
            assert_eq!(back, thought);
        }
    }
}

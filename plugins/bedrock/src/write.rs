//! Converts parts to content blocks: shared by a request's history and an answer.

pub(crate) mod media;

use std::borrow::Cow;

use weir_sdk::calls::write_arguments;
use weir_sdk::citations::to_converse;
use weir_sdk::json::{Object, array, object};
pub(crate) use weir_sdk::json::{item, raw_item};
pub(crate) use weir_sdk::losses::PartPath;
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{CacheHint, Citation, Extension, TextPart, ToolCall};

use crate::FORMAT;
use crate::read::GUARD;

/// Writes a member that only this format has; notes are not written.
pub(crate) fn member(o: &mut Object<'_>, own: &Extension) {
    if own.format == FORMAT && own.json != "null" {
        o.raw(&own.key, &own.json);
    }
}

/// Writes the members that only this format has, and reports those of others as lost.
pub(crate) fn members(o: &mut Object<'_>, all: &[Extension], losses: &mut Losses, place: PartPath) {
    for own in all {
        member(o, own);
    }
    losses.foreign_at(place, all, FORMAT);
}

/// Writes a text with its sources. The service refuses blank texts in a history (C-42), but one that only bears a cache
/// point stays: such a point may not follow a document, so clients put a line break between them.
pub(crate) fn text(out: &mut String, part: &TextPart, losses: &mut Losses, place: PartPath) {
    let citations: Vec<Cow<'_, str>> = part.citations.iter().filter_map(|one| citation(one, losses, place)).collect();
    losses.foreign_at(place, &part.extensions, FORMAT);
    if let Some(guard) = extension(&part.extensions, FORMAT, GUARD) {
        return item(out, |o| o.raw(GUARD, guard));
    }
    let counts = if place.message.is_some() && part.cache.is_none() { part.text.trim() } else { &part.text };
    if counts.is_empty() {
        return;
    }
    // Many clients only read plain texts, so a text goes into a cited block only if its citations came in this format.
    let cited = part.citations.iter().any(|one| one.source.as_ref().is_some_and(|source| source.format == FORMAT));
    if !cited {
        item(out, |o| o.str("text", &part.text));
    }
    if citations.is_empty() {
        return;
    }
    item(out, |o| {
        o.object("citationsContent", |o| {
            if cited {
                o.array("content", |a| a.object(|o| o.str("text", &part.text)));
            }
            o.array("citations", |a| citations.iter().for_each(|citation| a.raw(citation)));
        });
    });
}

/// A citation in this format. A request's history cannot have one of another format, because the service would look for
/// its document.
pub(crate) fn citation<'a>(citation: &'a Citation, losses: &mut Losses, place: PartPath) -> Option<Cow<'a, str>> {
    if let Some(own) = citation.source.as_ref().filter(|source| source.format == FORMAT) {
        return Some(Cow::Borrowed(&own.json));
    }
    if place.message.is_some() {
        losses.dropped(place.field("citations"), "it comes from another provider");
        return None;
    }
    if let Some(json) = citation.source.as_ref().and_then(|source| to_converse(source, losses, place)) {
        return Some(Cow::Owned(json));
    }
    if citation.title.is_none() && citation.url.is_none() && citation.quote.is_none() {
        losses.dropped(place.field("citations"), "it names no source that this format can");
        return None;
    }
    losses.approximated(place.field("citations"), "without what only its own format says");
    let mut json = String::new();
    object(&mut json, |o| {
        o.opt_str("title", citation.title.as_deref());
        o.opt_str("source", citation.url.as_deref());
        if let Some(quote) = &citation.quote {
            o.array("sourceContent", |a| a.object(|o| o.str("text", quote)));
        }
        if let Some(url) = citation.url.as_deref() {
            let domain = url.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
            o.object("location", |o| {
                o.object("web", |o| {
                    o.str("url", url);
                    o.opt_str("domain", domain);
                });
            });
        }
    });
    Some(Cow::Owned(json))
}

/// Writes a call, with the given id and name.
pub(crate) fn call(out: &mut String, call: &ToolCall, id: &str, name: &str, losses: &mut Losses, place: PartPath) {
    item(out, |o| {
        o.object("toolUse", |o| {
            o.str("toolUseId", id);
            o.str("name", name);
            write_arguments(o, "input", call.kind, &call.arguments, |member| place.field(member), losses);
            members(o, &call.extensions, losses, place);
        });
    });
}

/// Writes readable thinking.
pub(crate) fn thinking(out: &mut String, text: &str, signature: Option<&str>, own: &[Extension]) {
    item(out, |o| {
        o.object("reasoningContent", |o| {
            o.object("reasoningText", |o| {
                o.str("text", text);
                o.opt_str("signature", signature);
                for own in own {
                    member(o, own);
                }
            });
        });
    });
}

/// Writes encrypted thinking.
pub(crate) fn redacted(out: &mut String, bytes: &str) {
    item(out, |o| o.object("reasoningContent", |o| o.str("redactedContent", bytes)));
}

/// Writes a cache point, for a model whose caches may last an hour or not.
pub(crate) fn cache_point(out: &mut String, hint: &CacheHint, lasts_an_hour: bool, losses: &mut Losses, field: &str) {
    let mut ttl = hint.ttl.as_deref().filter(|ttl| matches!(*ttl, "5m" | "1h"));
    if hint.ttl.is_some() && ttl.is_none() {
        losses.dropped(format!("{field}.ttl"), "a cache lasts 5m or 1h");
    }
    if ttl == Some("1h") && !lasts_an_hour {
        losses.clamped(format!("{field}.ttl"), "the model's caches last five minutes");
        ttl = None;
    }
    item(out, |o| {
        o.object("cachePoint", |o| {
            o.str("type", "default");
            o.opt_str("ttl", ttl);
        });
    });
}

/// Writes a list of JSON values.
pub(crate) fn list(values: &[String]) -> String {
    let mut out = String::new();
    array(&mut out, |a| values.iter().for_each(|value| a.raw(value)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c42_blank_texts_are_no_blocks() {
        let place = PartPath { message: Some(0), part: 0 };
        for blank in ["", " \n"] {
            let mut out = String::new();
            text(&mut out, &TextPart::new(blank), &mut Losses::default(), place);
            assert_eq!(out, "");
        }
    }

    #[test]
    fn c42_a_line_break_that_bears_a_cache_point_stays() {
        let marked = |text: &str| TextPart { cache: Some(CacheHint { ttl: None }), ..TextPart::new(text) };
        let place = PartPath { message: Some(0), part: 1 };
        for (words, block) in [("\n", r#"{"text":"\n"}"#), ("", "")] {
            let mut out = String::new();
            text(&mut out, &marked(words), &mut Losses::default(), place);
            assert_eq!(out, block);
        }
    }
}

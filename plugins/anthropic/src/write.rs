//! Converts parts to content blocks: shared by a request's history and an answer.

use std::borrow::Cow;

use weir_sdk::calls::write_arguments;
use weir_sdk::citations::to_messages;
use weir_sdk::json::{Array, Object, Rest, object};
pub(crate) use weir_sdk::json::{item as block, raw_item as raw_block};
pub(crate) use weir_sdk::losses::PartPath;
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{CacheHint, Citation, Extension, TextPart, ToolCall};

use crate::names::fitting_id;
use crate::{BLOCK, CACHE, FORMAT};

/// The members that only this format has. Those without a value are notes, which are not written; those of the cache
/// hint stand within it.
pub(crate) fn own(extensions: &[Extension]) -> impl Iterator<Item = &Extension> {
    let own = extensions.iter().filter(|extension| extension.format == FORMAT && extension.json != "null");
    own.filter(|own| !own.key.starts_with(CACHE))
}

/// Writes the members that only this format has, and reports those of others as lost.
pub(crate) fn extensions(o: &mut Object<'_>, extensions: &[Extension], losses: &mut Losses, place: PartPath) {
    if extensions.is_empty() {
        return;
    }
    for own in own(extensions).filter(|own| own.key != BLOCK) {
        o.raw(&own.key, &own.json);
    }
    if extensions.iter().any(|extension| extension.format != FORMAT) {
        losses.foreign_at(place, extensions, FORMAT);
    }
}

/// The original block, if a part has it.
pub(crate) fn whole(extensions: &[Extension]) -> Option<&str> {
    extension(extensions, FORMAT, BLOCK)
}

/// Writes `cache_control`, with its further members among those of the block.
pub(crate) fn cache(o: &mut Object<'_>, hint: Option<&CacheHint>, extensions: &[Extension]) {
    let Some(hint) = hint else { return };
    o.object("cache_control", |o| {
        o.str("type", "ephemeral");
        o.opt_str("ttl", hint.ttl.as_deref());
        for further in extensions.iter().filter(|own| own.format == FORMAT) {
            if let Some(key) = further.key.strip_prefix(CACHE) {
                o.raw(key, &further.json);
            }
        }
    });
}

/// Writes the members of a text block.
pub(crate) fn text(o: &mut Object<'_>, part: &TextPart, losses: &mut Losses, place: PartPath) {
    o.str("type", "text");
    o.str("text", &part.text);
    let citations: Vec<Cow<'_, str>> = part.citations.iter().filter_map(|one| citation(one, losses, place)).collect();
    if !citations.is_empty() {
        o.array("citations", |a| citations.iter().for_each(|citation| a.raw(citation)));
    }
    cache(o, part.cache.as_ref(), &part.extensions);
    extensions(o, &part.extensions, losses, place);
}

/// The source of a document that is made of several texts.
pub(crate) fn texts(texts: &[String]) -> String {
    let mut source = String::new();
    object(&mut source, |o| {
        o.str("type", "content");
        o.array("content", |a| text_blocks(a, texts));
    });
    source
}

/// Writes texts as blocks.
pub(crate) fn text_blocks(a: &mut Array<'_>, texts: &[String]) {
    for text in texts {
        a.object(|o| {
            o.str("type", "text");
            o.str("text", text);
        });
    }
}

/// A citation in this format. One of another format becomes a web page's if it has an address, unless its place in a
/// document has a name here. A request's history cannot have it, because the service would look for the search behind
/// it.
pub(crate) fn citation<'a>(citation: &'a Citation, losses: &mut Losses, place: PartPath) -> Option<Cow<'a, str>> {
    let history = place.message.is_some();
    if let Some(own) = citation.source.as_ref().filter(|source| source.format == FORMAT) {
        if history && is_made_here(&own.json) {
            losses.dropped(place.field("citations"), "it comes from another provider");
            return None;
        }
        return Some(Cow::Borrowed(&own.json));
    }
    if let Some(json) = citation.source.as_ref().and_then(to_messages) {
        return Some(Cow::Owned(json));
    }
    let Some(url) = citation.url.as_deref().filter(|_| !history) else {
        losses.dropped(place.field("citations"), "it has no counterpart here");
        return None;
    };
    losses.approximated(place.field("citations"), "written as a web search's");
    let mut json = String::new();
    object(&mut json, |o| {
        o.str("type", "web_search_result_location");
        o.str("url", url);
        o.str("title", citation.title.as_deref().unwrap_or(url));
        o.str("cited_text", citation.quote.as_deref().unwrap_or_default());
        o.str("encrypted_index", "");
    });
    Some(Cow::Owned(json))
}

/// Whether [`citation`] converted this one from another format's: it has no index. Clients write JSON in their own way.
fn is_made_here(json: &str) -> bool {
    let index = Rest::parse(json).ok().and_then(|mut members| members.str("encrypted_index"));
    index.is_some_and(|index| index.is_empty())
}

/// Writes the members of a tool call, with the given name.
pub(crate) fn tool_call(o: &mut Object<'_>, call: &ToolCall, name: &str, losses: &mut Losses, place: PartPath) {
    o.str("type", "tool_use");
    o.str("id", &fitting_id(&call.id));
    o.str("name", name);
    write_arguments(o, "input", call.kind, &call.arguments, |member| place.field(member), losses);
    cache(o, call.cache.as_ref(), &call.extensions);
    extensions(o, &call.extensions, losses, place);
}

/// Writes the members of a thinking block.
pub(crate) fn thinking(o: &mut Object<'_>, text: &str, signature: &str) {
    o.str("type", "thinking");
    o.str("thinking", text);
    o.str("signature", signature);
}

/// Writes the members of a block of encrypted thinking.
pub(crate) fn redacted(o: &mut Object<'_>, data: &str) {
    o.str("type", "redacted_thinking");
    o.str("data", data);
}

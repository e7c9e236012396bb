//! Citations: ranges of the answer, and the documents or tool results that support them.

use std::borrow::Cow;

use weir_sdk::json::{RawValue, Str, array, object, parse, text};
use weir_sdk::losses::Losses;
use weir_sdk::types::{Citation, Extension, Opaque, Part};

use crate::wire::{self, Page};
use crate::write::{PartPath, mark};
use crate::{CITATIONS, FORMAT};

/// What a citation refers to: the text of this index in the content, any text, or something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    At(u32),
    AnyText,
    Other,
}

/// The mark of a citation that has no place of its own in this format: it is a further source of the one before it.
const FURTHER: &str = "source";

/// Parses a citation, with the fields that other formats can use: one for each source that has such. Only the first has
/// the original, so that they are one citation again in this format.
pub(crate) fn read(raw: &RawValue) -> (Target, Vec<Citation>) {
    let read: wire::Citation<'_> = parse(raw.get()).unwrap_or_default();
    let target = match (read.kind.as_deref(), read.content_index) {
        (None | Some("TEXT_CONTENT"), Some(index)) => Target::At(index.0),
        (None | Some("TEXT_CONTENT"), None) => Target::AnyText,
        _ => Target::Other,
    };
    let pages = pages(&read.sources.unwrap_or_default());
    let own = |kind: String, json: &str| Some(Opaque { format: FORMAT.into(), kind, json: json.to_owned() });
    let kind = read.kind.map_or_else(|| "citation".into(), Str::into_string);
    let mut first = Citation {
        url: None,
        title: None,
        quote: read.text.map(Str::into_string),
        start: read.start.map(|count| count.0),
        end: read.end.map(|count| count.0),
        source: own(FURTHER.into(), "null"),
    };
    let of_page = |(url, title)| Citation { url, title, ..first.clone() };
    let mut all: Vec<Citation> = pages.into_iter().map(of_page).collect();
    if let Some(known) = all.first_mut() {
        known.source = own(kind, raw.get());
    } else {
        first.source = own(kind, raw.get());
        all.push(first);
    }
    (target, all)
}

/// Whether a citation is only a further source of the one before it.
pub(crate) fn is_further(citation: &Citation) -> bool {
    citation.source.as_ref().is_some_and(|source| source.format == FORMAT && source.kind == FURTHER)
}

/// The addresses and titles of the sources that have one of them, each once.
fn pages(sources: &[&RawValue]) -> Vec<(Option<String>, Option<String>)> {
    let mut known = Vec::new();
    for page in sources.iter().filter_map(|source| page(source)) {
        let words = |raw: Option<&RawValue>| raw.and_then(text).map(Str::into_string);
        let page = (words(page.url), words(page.title));
        if page != (None, None) && !known.contains(&page) {
            known.push(page);
        }
    }
    known
}

fn page(source: &RawValue) -> Option<Page<'_>> {
    let source: wire::Source<'_> = parse(source.get()).ok()?;
    parse(source.document.or(source.tool_output)?.get()).ok()
}

/// Adds each citation to its text among the parts of the content; the others are kept as an extension.
pub(crate) fn attach(parts: &mut [Part], citations: &[&RawValue]) -> Option<Extension> {
    let mut others = Vec::new();
    for raw in citations {
        let (target, citations) = read(raw);
        let at = match target {
            Target::At(index) => Some(index as usize),
            Target::AnyText => parts.iter().position(|part| matches!(part, Part::Text(_))),
            Target::Other => None,
        };
        match at.and_then(|at| parts.get_mut(at)) {
            Some(Part::Text(text)) => text.citations.extend(citations),
            _ => others.push(raw.get()),
        }
    }
    if others.is_empty() {
        return None;
    }
    let mut json = String::new();
    array(&mut json, |a| others.iter().for_each(|raw| a.raw(raw)));
    Some(mark(CITATIONS, json))
}

/// The characters of a text between two numbers.
fn within(text: &str, start: u32, end: u32) -> &str {
    let at = |number: u32| text.char_indices().nth(number as usize).map_or(text.len(), |(at, _)| at);
    text.get(at(start)..at(end)).unwrap_or_default()
}

/// A citation in this format; one of another format becomes a document's. Its text has this index in the content.
/// `None` if it names no source.
pub(crate) fn write<'a>(
    citation: &'a Citation,
    index: u32,
    text: &str,
    losses: &mut Losses,
    place: PartPath,
) -> Option<Cow<'a, str>> {
    if let Some(own) = citation.source.as_ref().filter(|source| source.format == FORMAT) {
        return Some(Cow::Borrowed(&own.json));
    }
    if citation.title.is_none() && citation.url.is_none() && citation.quote.is_none() {
        losses.dropped(place.field("citations"), "it names no source that this format can");
        return None;
    }
    losses.approximated(place.field("citations"), "written as a document's");
    let (start, end) = citation.range(text.chars().count() as u32);
    let snippet = within(text, start, end);
    // The source's own words belong to the document. Some formats have the cited text in their place.
    let words = citation.quote.as_deref().filter(|words| *words != snippet);
    let mut json = String::new();
    object(&mut json, |o| {
        o.num("start", start);
        o.num("end", end);
        o.str("text", snippet);
        o.array("sources", |a| {
            a.object(|o| {
                let id = citation.url.as_deref().or(citation.title.as_deref()).unwrap_or_default();
                o.str("type", "document");
                o.str("id", id);
                o.object("document", |o| {
                    o.str("id", id);
                    o.opt_str("text", words);
                    o.opt_str("title", citation.title.as_deref());
                    o.opt_str("url", citation.url.as_deref());
                });
            });
        });
        o.num("content_index", index);
        o.str("type", "TEXT_CONTENT");
    });
    Some(Cow::Owned(json))
}

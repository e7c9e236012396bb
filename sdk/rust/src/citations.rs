//! Citations of Anthropic's Messages and of Bedrock's Converse, whose structures match: a place in a document or a
//! search result, the words there, and a title. [`documents`] has what a request says of them.
//!
//! Source: `CitationCharLocation` and its like in the schema of Messages; `CitationLocation` in the service model of
//! the Bedrock runtime.

pub mod documents;

use crate::json::{Object, Rest, Str, list, object};
use crate::losses::{Losses, PartPath};
use crate::types::Opaque;

/// The ids of both formats.
pub const MESSAGES: &str = "anthropic.messages";
/// The id of Converse's format.
pub const CONVERSE: &str = "bedrock.converse";

/// A kind of place: its names in both formats, of the kind itself and of its numbers.
#[derive(Debug)]
struct Kind {
    messages: &'static str,
    /// The number of the document, the beginning and the end.
    numbers: [&'static str; 3],
    converse: &'static str,
    index: &'static str,
}

const SEARCH_RESULT: &str = "search_result_location";

const KINDS: [Kind; 4] = [
    Kind {
        messages: "char_location",
        numbers: ["document_index", "start_char_index", "end_char_index"],
        converse: "documentChar",
        index: "documentIndex",
    },
    Kind {
        messages: "page_location",
        numbers: ["document_index", "start_page_number", "end_page_number"],
        converse: "documentPage",
        index: "documentIndex",
    },
    Kind {
        messages: "content_block_location",
        numbers: ["document_index", "start_block_index", "end_block_index"],
        converse: "documentChunk",
        index: "documentIndex",
    },
    Kind {
        messages: SEARCH_RESULT,
        numbers: ["search_result_index", "start_block_index", "end_block_index"],
        converse: "searchResultLocation",
        index: "searchResultIndex",
    },
];

impl Kind {
    fn is_found(&self) -> bool {
        self.messages == SEARCH_RESULT
    }
}

/// A citation with its place.
#[derive(Debug)]
struct Located<'a> {
    kind: &'static Kind,
    numbers: [u32; 3],
    title: Option<Str<'a>>,
    source: Option<Str<'a>>,
    quote: String,
}

/// A citation of Messages as Converse has it; `None` if it is none, or its place is another one. The id of a file is
/// reported as lost.
pub fn to_converse(source: &Opaque, losses: &mut Losses, place: PartPath) -> Option<String> {
    let mut citation = Rest::parse(&source.json).ok().filter(|_| source.format == MESSAGES)?;
    let located = of_messages(&mut citation)?;
    if citation.str("file_id").is_some() {
        losses.approximated(place.field("citations"), "without the id of the file");
    }
    Some(located.converse())
}

/// A citation of Converse as Messages has it; `None` if it is none, or its place is another one.
pub fn to_messages(source: &Opaque) -> Option<String> {
    let mut citation = Rest::parse(&source.json).ok().filter(|_| source.format == CONVERSE)?;
    Some(of_converse(&mut citation)?.messages())
}

fn of_messages<'a>(citation: &mut Rest<'a>) -> Option<Located<'a>> {
    let kind = citation.str("type")?;
    let kind = KINDS.iter().find(|known| known.messages == &*kind)?;
    let [index, start, end] = kind.numbers;
    Some(Located {
        kind,
        numbers: [citation.count(index)?, citation.count(start)?, citation.count(end)?],
        title: citation.str(if kind.is_found() { "title" } else { "document_title" }),
        source: citation.str("source"),
        quote: citation.str("cited_text").map(Str::into_string).unwrap_or_default(),
    })
}

fn of_converse<'a>(citation: &mut Rest<'a>) -> Option<Located<'a>> {
    let mut location = citation.object("location")?;
    let (kind, mut place) = KINDS.iter().find_map(|kind| Some((kind, location.object(kind.converse)?)))?;
    let numbers = [place.count(kind.index)?, place.count("start")?, place.count("end")?];
    let words = citation.get("sourceContent").and_then(list).unwrap_or_default();
    let quote = words.into_iter().filter_map(|raw| Rest::parse(raw.get()).ok()?.str("text")).map(Str::into_string);
    let (title, source) = (citation.str("title"), citation.str("source"));
    Some(Located { kind, numbers, title, source, quote: quote.collect() })
}

impl Located<'_> {
    fn converse(&self) -> String {
        let [index, start, end] = self.numbers;
        let mut out = String::new();
        object(&mut out, |o| {
            o.opt_str("title", self.title.as_deref());
            o.opt_str("source", self.source.as_deref());
            o.array("sourceContent", |a| a.object(|o| o.str("text", &self.quote)));
            o.object("location", |o| {
                o.object(self.kind.converse, |o| {
                    o.num(self.kind.index, index);
                    o.num("start", start);
                    o.num("end", end);
                });
            });
        });
        out
    }

    fn messages(&self) -> String {
        let mut out = String::new();
        object(&mut out, |o| {
            o.str("type", self.kind.messages);
            o.str("cited_text", &self.quote);
            if self.kind.is_found() {
                o.str("source", self.source.as_deref().unwrap_or_default());
                nullable(o, "title", self.title.as_deref());
            } else {
                nullable(o, "document_title", self.title.as_deref());
            }
            self.kind.numbers.into_iter().zip(self.numbers).for_each(|(name, number)| o.num(name, number));
        });
        out
    }
}

fn nullable(o: &mut Object<'_>, key: &str, value: Option<&str>) {
    match value {
        Some(value) => o.str(key, value),
        None => o.null(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: PartPath = PartPath { message: None, part: 0 };

    fn citation(format: &str, json: &str) -> Opaque {
        Opaque { format: format.into(), kind: String::new(), json: json.into() }
    }

    #[test]
    fn every_place_has_its_counterpart() {
        for (messages, converse) in [
            (
                r#"{"type":"char_location","cited_text":"q","document_title":"t","document_index":1,"start_char_index":2,"end_char_index":3}"#,
                r#"{"title":"t","sourceContent":[{"text":"q"}],"location":{"documentChar":{"documentIndex":1,"start":2,"end":3}}}"#,
            ),
            (
                r#"{"type":"page_location","cited_text":"q","document_title":null,"document_index":0,"start_page_number":1,"end_page_number":2}"#,
                r#"{"sourceContent":[{"text":"q"}],"location":{"documentPage":{"documentIndex":0,"start":1,"end":2}}}"#,
            ),
            (
                r#"{"type":"content_block_location","cited_text":"q","document_title":"t","document_index":0,"start_block_index":0,"end_block_index":1}"#,
                r#"{"title":"t","sourceContent":[{"text":"q"}],"location":{"documentChunk":{"documentIndex":0,"start":0,"end":1}}}"#,
            ),
            (
                r#"{"type":"search_result_location","cited_text":"q","source":"s","title":"t","search_result_index":4,"start_block_index":0,"end_block_index":1}"#,
                r#"{"title":"t","source":"s","sourceContent":[{"text":"q"}],"location":{"searchResultLocation":{"searchResultIndex":4,"start":0,"end":1}}}"#,
            ),
        ] {
            let mut losses = Losses::default();
            let there = to_converse(&citation(MESSAGES, messages), &mut losses, PLACE);
            assert_eq!((there.as_deref(), losses.into_losses().len()), (Some(converse), 0));
            assert_eq!(to_messages(&citation(CONVERSE, converse)).as_deref(), Some(messages));
        }
    }

    #[test]
    fn what_has_no_counterpart_is_no_citation_and_a_files_id_is_reported() {
        let mut losses = Losses::default();
        let file = concat!(
            r#"{"type":"page_location","file_id":"f","cited_text":"q","document_index":0,"#,
            r#""start_page_number":1,"end_page_number":2}"#
        );
        assert!(to_converse(&citation(MESSAGES, file), &mut losses, PLACE).is_some());
        assert_eq!(losses.into_losses().len(), 1);
        assert_eq!(to_messages(&citation(MESSAGES, file)), None);
        let web = r#"{"location":{"web":{"url":"https://a.example"}}}"#;
        assert_eq!(to_messages(&citation(CONVERSE, web)), None);
        let bare = r#"{"location":{"documentChar":{"start":2,"end":3}}}"#;
        assert_eq!(to_messages(&citation(CONVERSE, bare)), None);
    }
}

//! Sources of an answer's text: `groundingMetadata` to citations and back.
//!
//! The format names ranges of the answer by their offsets in bytes of UTF-8. Its own metadata is also passed on whole,
//! as a member of the candidate; citations are for other formats.

use weir_sdk::json::{Object, RawValue, object, parse};
use weir_sdk::losses::Losses;
use weir_sdk::types::{Citation, Opaque, Unit, Usage};

use crate::FORMAT;
use crate::wire::{Candidate, Chunk, Cited, CitedSource, Grounding, Segment, Source, Support};

/// The mark of a citation that is in this format's own metadata.
const SUPPORT: &str = "groundingSupport";
/// The same for a source that the model cited without a search.
const CITED: &str = "citationSource";

/// A citation and the index of its part.
pub(crate) struct Grounded {
    pub(crate) part: usize,
    pub(crate) citation: Citation,
}

/// Parses the citations; `texts` are the texts of the candidate's parts, `None` for other parts.
pub(crate) fn read(raw: &RawValue, texts: &[Option<&str>]) -> Vec<Grounded> {
    let Ok(wire) = parse::<Grounding<'_>>(raw.get()) else { return Vec::new() };
    let chunks = wire.chunks.unwrap_or_default();
    let mut found = Vec::new();
    for raw in wire.supports.unwrap_or_default() {
        let Ok(support) = parse::<Support<'_>>(raw.get()) else { continue };
        let segment = support.segment.unwrap_or_default();
        let Some((part, range)) = place(&segment, texts) else { continue };
        for chunk in support.chunks.unwrap_or_default() {
            let Some(source) = chunks.get(chunk.0 as usize).and_then(source) else { continue };
            found.push(Grounded { part, citation: citation(source, &segment, range, raw) });
        }
    }
    found
}

/// Usage with the searches that these candidates were made with, or an earlier frame's if those were more. Where the
/// answer is relayed, the tap counts the same.
pub(crate) fn counted(usage: Usage, candidates: &[Candidate<'_>], earlier: &mut u32) -> Usage {
    let of = |raw: &RawValue| parse::<Grounding<'_>>(raw.get()).ok()?.queries.map(|queries| queries.len());
    let count: usize = candidates.iter().filter_map(|candidate| candidate.grounding.and_then(of)).sum();
    *earlier = (*earlier).max(u32::try_from(count).unwrap_or(u32::MAX));
    usage.with_units(Unit::Search, (*earlier > 0).then_some(f64::from(*earlier)))
}

/// Parses `citationMetadata`; `texts` as for [`read`].
pub(crate) fn read_cited(raw: &RawValue, texts: &[Option<&str>]) -> Vec<Grounded> {
    let Ok(wire) = parse::<Cited<'_>>(raw.get()) else { return Vec::new() };
    let mut found = Vec::new();
    for raw in wire.sources.unwrap_or_default() {
        let Ok(cited) = parse::<CitedSource<'_>>(raw.get()) else { continue };
        let segment = Segment { start: cited.start, end: cited.end, ..Segment::default() };
        let Some((part, range)) = place(&segment, texts).filter(|_| cited.uri.is_some() || cited.title.is_some())
        else {
            continue;
        };
        let source = Source { uri: cited.uri, title: cited.title, ..Source::default() };
        let mut citation = citation(&source, &segment, range, raw);
        citation.source = Some(Opaque { format: FORMAT.into(), kind: CITED.into(), json: raw.get().to_owned() });
        found.push(Grounded { part, citation });
    }
    found
}

fn source<'a, 'c>(chunk: &'c Chunk<'a>) -> Option<&'c Source<'a>> {
    chunk.web.as_ref().or(chunk.context.as_ref()).or(chunk.maps.as_ref())
}

fn citation(source: &Source<'_>, segment: &Segment<'_>, range: Option<(u32, u32)>, raw: &RawValue) -> Citation {
    Citation {
        url: source.uri.as_ref().map(ToString::to_string),
        title: source.title.as_ref().map(ToString::to_string),
        quote: segment.text.as_ref().map(ToString::to_string),
        start: range.map(|range| range.0),
        end: range.map(|range| range.1),
        source: Some(Opaque { format: FORMAT.into(), kind: SUPPORT.into(), json: raw.get().to_owned() }),
    }
}

/// The part of a segment and its range in characters: the named part, else the one that contains its text, else the
/// last text.
fn place(segment: &Segment<'_>, texts: &[Option<&str>]) -> Option<(usize, Option<(u32, u32)>)> {
    let named = segment.part.map_or(0, |part| part.0 as usize);
    let all = std::iter::once(named).chain(0..texts.len());
    for part in all {
        if let Some(range) = texts.get(part).copied().flatten().and_then(|text| range(segment, text)) {
            return Some((part, Some(range)));
        }
    }
    texts.iter().rposition(Option::is_some).map(|part| (part, None))
}

fn range(segment: &Segment<'_>, text: &str) -> Option<(u32, u32)> {
    let start = segment.start.map_or(0, |start| start.0 as usize);
    let end = segment.end?.0 as usize;
    let words = text.get(start..end)?;
    if segment.text.as_deref().is_some_and(|expected| expected != words) {
        return None;
    }
    let before = text.get(..start)?.chars().count();
    Some((before as u32, (before + words.chars().count()) as u32))
}

/// Whether a citation is in this format's own metadata.
fn is_own(citation: &Citation) -> bool {
    citation.source.as_ref().is_some_and(|source| source.format == FORMAT)
}

/// Where a cited text stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spot {
    /// Index of its part. Streams have none: offsets run over all of their text.
    pub(crate) part: usize,
    /// Bytes of text before it that its offsets count too.
    pub(crate) before: usize,
}

/// Citations of other formats, collected for `groundingMetadata`.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    chunks: Vec<(String, Option<String>)>,
    supports: Vec<String>,
    /// Whether a citation named nothing that can be a source.
    lost: bool,
}

impl Sources {
    /// Adds a citation of a text, which stands at a place.
    pub(crate) fn add(&mut self, place: Spot, text: &str, citation: &Citation) {
        if is_own(citation) {
            return;
        }
        let Some(url) = citation.url.clone().or_else(|| citation.title.clone()) else {
            self.lost = true;
            return;
        };
        let chunk = self.chunks.iter().position(|(known, _)| *known == url).unwrap_or_else(|| {
            self.chunks.push((url, citation.title.clone()));
            self.chunks.len() - 1
        });
        let byte = |chars: u32| text.char_indices().nth(chars as usize).map_or(text.len(), |(at, _)| at);
        let Spot { part, before } = place;
        let start = citation.start.map_or(0, byte);
        let end = citation.end.map_or(text.len(), byte).max(start);
        let mut json = String::new();
        object(&mut json, |o| {
            o.object("segment", |o| {
                o.opt_num("partIndex", Some(part as u32).filter(|part| *part > 0));
                o.opt_num("startIndex", Some((before + start) as u32).filter(|start| *start > 0));
                o.num("endIndex", (before + end) as u32);
                o.str("text", text.get(start..end).unwrap_or_default());
            });
            o.array("groundingChunkIndices", |a| a.num(chunk as u32));
        });
        self.supports.push(json);
    }

    /// Reports the citations that have no place here; `candidate` is the number of their answer.
    pub(crate) fn lose(&self, candidate: u32, losses: &mut Losses) {
        let field = format!("candidates[{candidate}].citations");
        losses.dropped_if(self.lost, &field, "a source has an address or a title");
    }

    /// Writes the metadata, if there is any.
    pub(crate) fn write(&self, o: &mut Object<'_>) {
        if self.chunks.is_empty() {
            return;
        }
        o.object("groundingMetadata", |o| {
            o.array("groundingChunks", |a| {
                for (url, title) in &self.chunks {
                    a.object(|o| {
                        o.object("web", |o| {
                            o.str("uri", url);
                            o.opt_str("title", title.as_deref());
                        });
                    });
                }
            });
            o.array("groundingSupports", |a| self.supports.iter().for_each(|support| a.raw(support)));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = concat!(
        r#"{"groundingChunks":[{"web":{"uri":"https://a.example","title":"A"}}],"#,
        r#""groundingSupports":[{"segment":{"startIndex":4,"endIndex":8,"text":"blau"},"groundingChunkIndices":[0,7]}]}"#
    );

    #[test]
    fn offsets_in_bytes_become_offsets_in_characters() {
        let found = read(parse(META).unwrap(), &[None, Some("Ü ü blau")]);
        assert!(found.is_empty() || found[0].citation.start.is_none());
        let found = read(parse(META).unwrap(), &[None, Some("Üü blau")]);
        assert!(found.iter().all(|one| one.citation.start.is_none()));
        let found = read(parse(META).unwrap(), &[Some("ÜaXblau")]);
        let [only] = found.as_slice() else { panic!("one source, and one that is not there") };
        assert_eq!((only.part, only.citation.start, only.citation.end), (0, Some(3), Some(7)));
        assert_eq!(only.citation.url.as_deref(), Some("https://a.example"));
    }

    #[test]
    fn sources_that_the_model_cites_are_citations() {
        for list in ["citationSources", "citations"] {
            let meta = format!(
                r#"{{"{list}":[{{"startIndex":2,"endIndex":3,"uri":"https://a.example","license":""}},{{"endIndex":1}}]}}"#
            );
            let found = read_cited(parse(&meta).unwrap(), &[None, Some("üab")]);
            let [only] = found.as_slice() else { panic!("one source, and one without an address") };
            assert_eq!((only.part, only.citation.start, only.citation.end), (1, Some(1), Some(2)));
            assert_eq!(only.citation.url.as_deref(), Some("https://a.example"));
        }
    }

    #[test]
    fn citations_without_a_page_or_a_title_are_reported() {
        let mut sources = Sources::default();
        let citation = Citation { url: None, title: None, quote: None, start: None, end: None, source: None };
        sources.add(Spot::default(), "text", &citation);
        let mut losses = Losses::default();
        sources.lose(1, &mut losses);
        assert_eq!(losses.into_losses()[0].field, "candidates[1].citations");
    }

    #[test]
    fn citations_of_others_become_metadata_and_own_ones_are_not_repeated() {
        let text = "Der Himmel ist blau, ja";
        let citation = |source| Citation {
            url: Some("https://a.example".into()),
            title: Some("A".into()),
            quote: None,
            start: Some(15),
            end: Some(19),
            source,
        };
        let own = Opaque { format: FORMAT.into(), kind: SUPPORT.into(), json: "{}".into() };
        let mut sources = Sources::default();
        for source in [None, Some(own)] {
            sources.add(Spot::default(), text, &citation(source));
        }
        let mut out = String::new();
        object(&mut out, |o| sources.write(o));
        assert_eq!(out.matches("\"segment\"").count(), 1);
        assert!(out.contains(r#"{"startIndex":15,"endIndex":19,"text":"blau"}"#), "{out}");
    }
}

//! The content of a message: one string, or a list of its pieces.

use super::Writer;
use crate::compat::quirks::Cache;
use crate::compat::wire::FORMAT;
use crate::json::{Array, Object};
use crate::types::{MediaPart, ReasoningPart, TextPart};

/// A piece of a message, with the number of its part.
pub(super) type Numbered<'m> = (usize, Piece<'m>);

/// A piece of content.
#[derive(Clone, Copy)]
pub(super) enum Piece<'m> {
    Text(&'m TextPart),
    Media(&'m MediaPart),
    Raw(&'m str),
    Words(&'m str),
    Thought(&'m ReasoningPart),
}

impl Writer<'_> {
    /// Writes content as one string if that loses nothing, else as a list.
    pub(super) fn content(&mut self, o: &mut Object<'_>, field: &str, pieces: &[Numbered<'_>], hinted: bool) {
        self.content_of(o, field, pieces, hinted, self.quirks.text_lists);
    }

    /// Writes the content of a message that may be a list whatever its role.
    pub(super) fn content_of_user(&mut self, o: &mut Object<'_>, field: &str, pieces: &[Numbered<'_>], hinted: bool) {
        self.content_of(o, field, pieces, hinted, true);
    }

    fn content_of(&mut self, o: &mut Object<'_>, field: &str, pieces: &[Numbered<'_>], hinted: bool, lists: bool) {
        let plain = |piece| if lists { self.plain(piece, hinted) } else { text_of(piece) };
        let words: Option<Vec<&str>> = pieces.iter().map(|(_, piece)| plain(piece)).collect();
        match words.as_deref() {
            Some([]) => return o.str("content", ""),
            Some([one]) => {
                self.lost_of_plain(field, pieces, hinted);
                return o.str("content", one);
            }
            Some(several) if !lists => {
                self.lost_of_plain(field, pieces, hinted);
                self.losses.approximated(format!("{field}.content"), "several texts are joined");
                return o.str("content", &several.join("\n"));
            }
            _ => {}
        }
        o.array("content", |a| {
            for (at, piece) in pieces {
                self.piece(a, &format!("{field}.content[{at}]"), piece, hinted);
            }
        });
    }

    /// The text of a piece that has nothing but text.
    fn plain<'m>(&self, piece: &Piece<'m>, hinted: bool) -> Option<&'m str> {
        match piece {
            Piece::Text(text) => {
                let cached = text.cache.is_some() && !hinted && self.quirks.cache != Cache::None;
                (!cached && text.extensions.iter().all(|e| e.format != FORMAT)).then_some(&text.text)
            }
            Piece::Words(words) => Some(words),
            _ => None,
        }
    }

    /// Reports the losses of texts that are written as a string.
    fn lost_of_plain(&mut self, field: &str, pieces: &[Numbered<'_>], hinted: bool) {
        for (at, piece) in pieces {
            let Piece::Text(text) = piece else { continue };
            if text.cache.is_some() && !hinted {
                self.lose_cache(&format!("{field}.content[{at}]"));
            }
            if !text.citations.is_empty() {
                self.lose_citations(&format!("{field}.content[{at}]"));
            }
            if !text.extensions.is_empty() {
                let place = format!("{field}.content[{at}].");
                self.losses.foreign(&place, &text.extensions, FORMAT);
                let own = text.extensions.iter().filter(|own| own.format == FORMAT && own.json != "null");
                own.for_each(|own| self.losses.dropped(format!("{place}{}", own.key), "the text is a plain one here"));
            }
        }
    }

    fn piece(&mut self, a: &mut Array<'_>, field: &str, piece: &Piece<'_>, hinted: bool) {
        match piece {
            Piece::Raw(json) => a.raw(json),
            Piece::Words(words) => a.object(|o| {
                o.str("type", "text");
                o.str("text", words);
            }),
            Piece::Thought(thought) => self.thought_part(a, thought),
            Piece::Text(text) => a.object(|o| {
                o.str("type", "text");
                o.str("text", &text.text);
                if !text.citations.is_empty() {
                    self.lose_citations(field);
                }
                if !hinted {
                    self.cache(o, field, text.cache.as_ref(), &text.extensions);
                }
                self.message_members(o, &format!("{field}."), &text.extensions, &[]);
            }),
            Piece::Media(media) => self.media(a, field, media),
        }
    }

    fn lose_citations(&mut self, field: &str) {
        self.losses.dropped(format!("{field}.citations"), "a history has no place for them");
    }
}

/// The text of a piece that has one, whatever else it has.
fn text_of<'m>(piece: &Piece<'m>) -> Option<&'m str> {
    match piece {
        Piece::Text(text) => Some(&text.text),
        Piece::Words(words) => Some(words),
        _ => None,
    }
}

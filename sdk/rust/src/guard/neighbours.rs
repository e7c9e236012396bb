//! What is found over the ends of texts that follow each other: a provider, or the translation to its format, may put
//! them together.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Asked, Finder, Found, texts};

/// How much of a text's beginning and of its end is read together with its neighbours, in bytes. So each text is read
/// twice at the most, however many follow each other.
const REACH: usize = 8 * 1024;

/// The part of a finding that one text has: all of it, or what stands on this side of the text's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundPart {
    /// The bytes of the text.
    pub(super) range: Range<usize>,
    /// What was found there.
    pub(super) label: String,
    pub(super) share: Share,
}

impl FoundPart {
    /// Joins this and a part that begins in it. What the text has by itself gives the label, whatever else may be read
    /// over its end.
    fn add(&mut self, other: Self) {
        let end = self.range.end.max(other.range.end);
        if other.share == Share::All && self.share != Share::All {
            (self.label, self.share) = (other.label, other.share);
        }
        self.range.end = end;
    }
}

/// How much of a finding its part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Share {
    All,
    /// Its beginning. The string is the whole finding.
    Begins(String),
    /// What follows the beginning, which an earlier text has.
    GoesOn,
}

/// The findings that begin in one text and end in another: their parts in each text, by its number in the walk over
/// all.
#[derive(Debug, Default)]
pub(super) struct OverEnds(BTreeMap<usize, Vec<FoundPart>>);

impl OverEnds {
    pub(super) fn of(asked: &mut Asked, finder: &dyn Finder) -> Self {
        let (mut runs, mut over, mut number) = (BTreeMap::<u32, Run>::new(), Self::default(), 0);
        texts::visit(asked, &mut |text| {
            if let Some(run) = text.run() {
                runs.entry(run).or_default().push(number, text.as_str(), finder, &mut over);
            }
            number += 1;
        });
        for run in runs.into_values() {
            run.search(finder, &mut over);
        }
        over
    }

    /// The parts in the text of this number, and what is found in it alone, in order and without overlaps.
    pub(super) fn with(&mut self, number: usize, found: Vec<Found>) -> Vec<FoundPart> {
        let alone = found.into_iter().map(|Found { range, label }| FoundPart { range, label, share: Share::All });
        let Some(mut all) = self.0.remove(&number) else { return alone.collect() };
        all.extend(alone);
        all.sort_by_key(|part| part.range.start);
        let mut apart: Vec<FoundPart> = Vec::with_capacity(all.len());
        for part in all {
            match apart.last_mut().filter(|last| part.range.start < last.range.end) {
                Some(last) => last.add(part),
                None => apart.push(part),
            }
        }
        apart
    }
}

/// Texts that follow each other, put together. Of a long one, only the beginning and the end are there.
#[derive(Debug, Default)]
struct Run {
    text: String,
    pieces: Vec<Piece>,
}

/// A piece of one text.
#[derive(Debug)]
struct Piece {
    /// The text's number in the walk.
    number: usize,
    /// Where it begins in that text, and in the run.
    from: usize,
    at: usize,
}

impl Run {
    fn push(&mut self, number: usize, text: &str, finder: &dyn Finder, over: &mut OverEnds) {
        if text.len() <= 2 * REACH {
            return self.add(number, text, 0);
        }
        let (head, tail) = (text.floor_char_boundary(REACH), text.ceil_char_boundary(text.len() - REACH));
        self.add(number, text.get(..head).unwrap_or_default(), 0);
        std::mem::take(self).search(finder, over);
        self.add(number, text.get(tail..).unwrap_or_default(), tail);
    }

    fn add(&mut self, number: usize, text: &str, from: usize) {
        if !text.is_empty() {
            self.pieces.push(Piece { number, from, at: self.text.len() });
            self.text.push_str(text);
        }
    }

    /// Finds what is in several pieces. What is in one of them is found there.
    fn search(self, finder: &dyn Finder, over: &mut OverEnds) {
        if self.pieces.len() < 2 {
            return;
        }
        for Found { range, label } in finder.find(&self.text) {
            let first = self.pieces.partition_point(|piece| piece.at <= range.start).saturating_sub(1);
            let behind = self.pieces.partition_point(|piece| piece.at < range.end);
            if behind - first < 2 {
                continue;
            }
            for nth in first..behind {
                let Some(piece) = self.pieces.get(nth) else { continue };
                let end = self.pieces.get(nth + 1).map_or(self.text.len(), |next| next.at).min(range.end);
                let start = range.start.max(piece.at);
                let whole = || self.text.get(range.clone()).unwrap_or_default().to_owned();
                let share = if nth == first { Share::Begins(whole()) } else { Share::GoesOn };
                let range = start - piece.at + piece.from..end - piece.at + piece.from;
                over.0.entry(piece.number).or_default().push(FoundPart { range, label: label.clone(), share });
            }
        }
    }
}

//! The texts of an answer that its client may put together: formats with one text put the texts of all parts of a kind
//! into it, whatever stood between them.

use std::collections::BTreeMap;

use super::seen::Seen;
use crate::guard::{Finder, Found};
use crate::types::PartKind;

/// The most texts of one answer that are read as one. Answers have one candidate, or few.
const MAX_TEXTS: usize = 1024;

/// What the text of a part is, as far as others may be put together with it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    #[default]
    Text,
    Thinking,
    Refusal,
    /// The arguments of a call: never put together with others.
    Call,
}

impl Kind {
    pub(super) fn of(kind: &PartKind) -> Self {
        match kind {
            PartKind::Reasoning => Self::Thinking,
            PartKind::Refusal => Self::Refusal,
            PartKind::ToolCall(_) => Self::Call,
            PartKind::Text | PartKind::Opaque(_) | PartKind::Media(_) => Self::Text,
        }
    }
}

/// The texts of an answer that may be put together, each by its candidate and kind.
#[derive(Debug, Default)]
pub(super) struct JoinedTexts(BTreeMap<(u32, Kind), JoinedText>);

/// The last texts of one kind, as if they were one.
#[derive(Debug, Default)]
struct JoinedText {
    seen: Seen,
    /// The part of the last text.
    part: Option<u32>,
    /// Where parts meet in the text that is kept, in order.
    seams: Vec<usize>,
}

impl JoinedTexts {
    /// Adds a text, and returns what is found over the end of a part and can be judged now. What is found within one
    /// part is not judged here.
    pub(super) fn push(
        &mut self,
        candidate: u32,
        part: u32,
        kind: Kind,
        text: &str,
        finder: &impl Finder,
    ) -> Vec<Found> {
        if kind == Kind::Call || text.is_empty() {
            return Vec::new();
        }
        let has_room = self.0.len() < MAX_TEXTS;
        match self.0.get_mut(&(candidate, kind)) {
            Some(joined) => joined.push(part, text, finder),
            None if has_room => self.0.entry((candidate, kind)).or_default().push(part, text, finder),
            None => Vec::new(),
        }
    }

    /// The bytes of all texts that are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.0.values().map(|joined| joined.seen.text.len() + joined.seams.len()).sum()
    }

    /// A part has ended: nothing of it waits any longer, so what is found up to here is judged.
    pub(super) fn stop(&mut self, candidate: u32, kind: Kind, finder: &impl Finder) -> Vec<Found> {
        self.0.get_mut(&(candidate, kind)).map(|joined| joined.judge(finder, true)).unwrap_or_default()
    }

    /// The answer has ended.
    pub(super) fn finish(&mut self, finder: &impl Finder) -> Vec<Found> {
        self.0.values_mut().flat_map(|joined| joined.judge(finder, true)).collect()
    }
}

impl JoinedText {
    fn push(&mut self, part: u32, text: &str, finder: &impl Finder) -> Vec<Found> {
        let at = self.seen.text.len();
        if self.part.replace(part).is_some_and(|before| before != part) && self.seams.last() != Some(&at) {
            self.seams.push(at);
        }
        self.seen.text.push_str(text);
        if self.seams.is_empty() && self.seen.goes_on(text) {
            return Vec::new();
        }
        self.judge(finder, false)
    }

    /// Judges what is found over a seam, and forgets what no further text can make a part of a finding.
    fn judge(&mut self, finder: &impl Finder, is_end: bool) -> Vec<Found> {
        // Within one part, the part's own state does all of it.
        let found = if self.seams.is_empty() { Vec::new() } else { self.seen.search(finder) };
        let over: Vec<Found> = found.iter().filter(|one| self.is_over(one, finder)).cloned().collect();
        let fresh = self.seen.judge(&over, is_end);
        let (before, cut) = (self.seen.text.len(), self.seen.decided(&found));
        self.seen.forget(cut);
        let gone = before - self.seen.text.len();
        // Nothing is found over a seam that only the context is before.
        self.seams.retain_mut(|seam| {
            *seam = seam.saturating_sub(gone);
            *seam > self.seen.context
        });
        fresh
    }

    /// Whether something is found only over a seam. Where all of it behind the last seam is a finding alone, that
    /// part's own state does what can still be done.
    fn is_over(&self, one: &Found, finder: &impl Finder) -> bool {
        let is_within = |seam: &&usize| one.range.start < **seam && **seam < one.range.end;
        let Some(seam) = self.seams.iter().rev().find(is_within) else { return false };
        let rest = self.seen.text.get(*seam..one.range.end).unwrap_or_default();
        !finder.find(rest).iter().any(|alone| alone.range == (0..rest.len()))
    }
}

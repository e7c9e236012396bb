//! A part of an answer that goes on, as far as its text is still needed to recognise something.

use super::joined::Kind;
use super::{MAX_FINDING_BYTES, REACH};
use crate::guard::{Finder, Found, spelling};

/// The least bytes of a long word, and the share by which it grows before it is searched again: else each of its
/// characters would have all of it searched.
const LONG_WORD: usize = 4 * REACH;
const GROWTH: usize = 8;

/// A part of the answer that goes on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Its last text. If what is found is masked, this is what has not been sent yet, behind the context.
    pub(super) text: String,
    /// The length of the character before that text. It is kept because a word does not begin within another.
    pub(super) context: usize,
    /// The end of the last finding within the text that was judged.
    pub(super) judged: usize,
    /// The length of that text when it was searched, without what was forgotten then.
    pub(super) searched: usize,
    /// Whether it is JSON, whose escapes are read.
    pub(super) is_json: bool,
    /// What its text is. In thinking nothing is restored: its issuer vouches for it.
    pub(super) kind: Kind,
    /// Whether something was masked in it, so that no signature vouches for it any more.
    pub(super) is_masked: bool,
}

impl Seen {
    /// Finds in the text, behind the context.
    pub(super) fn search(&self, finder: &impl Finder) -> Vec<Found> {
        let find = |text: &str| if self.context == 0 { finder.find(text) } else { finder.find_behind_first(text) };
        if self.is_json { spelling::without_escapes(&self.text, find) } else { find(&self.text) }
    }

    /// Whether a long word only goes on with what was added, so that nothing of it can be sent yet.
    pub(super) fn goes_on(&self, added: &str) -> bool {
        let grown = self.text.len().saturating_sub(self.searched);
        self.searched >= LONG_WORD
            && grown < self.searched / GROWTH
            && self.text.len() < MAX_FINDING_BYTES
            && added.chars().all(spelling::is_of_word)
    }

    /// The findings that were not judged before and can be now. What follows closely may make another one of them: the
    /// host has it wait as well, so nothing has gone out yet.
    pub(super) fn judge(&mut self, found: &[Found], is_end: bool) -> Vec<Found> {
        let decided = |one: &Found| is_end || one.range.start + REACH <= self.text.len();
        let fresh = found.iter().filter(|one| one.range.start >= self.judged && decided(one));
        let fresh: Vec<Found> = fresh.cloned().collect();
        self.judged = fresh.last().map_or(self.judged, |one| one.range.end);
        fresh
    }

    /// The length of the text whose masks no further text can change.
    pub(super) fn decided(&self, found: &[Found]) -> usize {
        let all = self.text.len();
        let mut cut = self.reach();
        for one in found.iter().filter(|one| one.range.start < all) {
            let may_grow = one.range.end == all && one.range.len() < MAX_FINDING_BYTES;
            if may_grow {
                cut = cut.min(one.range.start);
            } else if one.range.start < cut {
                cut = cut.max(one.range.end);
            }
        }
        cut
    }

    /// Forgets the text up to a place that [`Self::decided`] names, except for the last character before it.
    pub(super) fn forget(&mut self, cut: usize) {
        self.searched = self.text.len() - cut.saturating_sub(self.context);
        if cut <= self.context {
            return;
        }
        let before = self.text.get(..cut).and_then(|text| spelling::last_char(text, self.is_json));
        let context = before.map(String::from).unwrap_or_default();
        let context = if self.is_json { super::escaped(&context) } else { context };
        self.context = context.len();
        self.judged = (self.judged + context.len()).saturating_sub(cut);
        self.text.replace_range(..cut, &context);
    }

    /// Where the end of the text begins that may be needed to recognise something. A word is needed from its beginning
    /// on, unless that has gone or is too far away.
    fn reach(&self) -> usize {
        let all = self.text.len();
        let shown = spelling::last_shown(&self.text, self.is_json, REACH);
        let cut = self.outside(shown.max(all.saturating_sub(MAX_FINDING_BYTES)));
        let word = spelling::start_of_word(&self.text, self.is_json, cut);
        let is_whole = word >= self.context && all - word <= MAX_FINDING_BYTES;
        (if is_whole { word } else { cut }).max(self.context)
    }

    /// A place near this one where the text may be cut: between characters, and outside of escapes.
    fn outside(&self, at: usize) -> usize {
        let at = self.text.ceil_char_boundary(at);
        if self.is_json { spelling::outside_escape(&self.text, at) } else { at }
    }
}

//! The thinking of an item, streamed: a summary in parts, or the text itself.

use super::{EventDecoder, Open};
use crate::compat::responses::read::BETWEEN;
use crate::compat::responses::{THINKING_PART, THINKING_TEXT, noted};
use crate::json::{Rest, Str};
use crate::types::Extension;

impl EventDecoder {
    /// Begins a part of a summary, separated from the one before.
    pub(super) fn summary_part(&mut self, output: u32) {
        let at = self.find_or_open(output, None, "summary");
        if self.open.get(at).is_some_and(|open| open.words == "summary") {
            self.next_thought(at);
        }
    }

    /// Reads the complete text of a part of a summary, which counts only if none of its pieces arrived.
    pub(super) fn summary_done(&mut self, output: u32, wire: &mut Rest<'_>) {
        let of_item = |open: &Open| open.output == output && open.content.is_none() && open.words == "summary";
        let at = self.open.iter().position(of_item);
        if let Some(at) = at.filter(|at| self.open.get(*at).is_some_and(|open| open.summary.last() == Some(&0))) {
            self.say(at, wire.str("text").map(Str::into_string).unwrap_or_default());
        }
    }

    /// Notes what thinking is that came whole, if it is the text itself.
    pub(super) fn note_thinking(&mut self, extensions: &[Extension]) {
        if noted(extensions, "content").is_some() {
            self.pass(THINKING_TEXT.to_owned(), "null");
        }
    }

    fn next_thought(&mut self, at: usize) {
        let Some(open) = self.open.get_mut(at) else { return };
        open.summary.push(0);
        let part = open.part;
        if open.summary.len() > 1 {
            self.pass(THINKING_PART.to_owned(), "null");
            self.delta(part, BETWEEN.to_owned());
        }
    }

    /// Adds a piece of thinking. An item may have a summary and the thinking itself: as in a whole answer, one of them
    /// is the text (C-77), the one that arrives first.
    pub(super) fn thought(&mut self, output: u32, content: Option<u32>, words: &'static str, wire: &mut Rest<'_>) {
        let at = self.find_or_open(output, None, words);
        if words == "content" && self.open.get(at).is_some_and(|open| open.words == words && !open.told.is_any()) {
            self.pass(THINKING_TEXT.to_owned(), "null");
        }
        let Some(open) = self.open.get_mut(at).filter(|open| open.words == words) else { return };
        if words == "content" && (open.summary.is_empty() || open.thinking != content) {
            open.thinking = content;
            if !open.told.is_any() {
                // A summary was announced, and is empty.
                open.summary.clear();
            }
            self.next_thought(at);
        }
        self.say(at, wire.str("delta").map(Str::into_string).unwrap_or_default());
    }
}

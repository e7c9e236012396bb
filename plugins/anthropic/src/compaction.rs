//! Compaction: summaries of the history that the provider makes within a request. It bills their tokens, and counts
//! them in the usage's `iterations` alone, where the unified usage has all tokens that are billed.
//!
//! Source: Claude's documentation of compaction, on `usage.iterations`.

use std::borrow::Cow;

use weir_sdk::json::{Rest, parse};
use weir_sdk::losses::extension;
use weir_sdk::types::Usage;

use crate::FORMAT;

/// The member of the usage that lists what each call of the model used.
pub(crate) const ITERATIONS: &str = "iterations";
/// The `type` of those that are summaries.
pub(crate) const KIND: &str = "compaction";

/// What the summaries of an answer used.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compaction {
    input: u32,
    cache_read: u32,
    cache_write: u32,
    output: u32,
}

impl Compaction {
    /// Parses the list of iterations; `None` if there is no summary among them.
    pub(crate) fn read(iterations: &str) -> Option<Self> {
        let list: Vec<Rest<'_>> = parse(iterations).ok()?;
        let mut sum = Self::default();
        for mut iteration in list {
            if iteration.str("type").is_some_and(|kind| *kind == *KIND) {
                let mut add =
                    |to: &mut u32, member: &str| *to = to.saturating_add(iteration.count(member).unwrap_or(0));
                add(&mut sum.input, "input_tokens");
                add(&mut sum.cache_read, "cache_read_input_tokens");
                add(&mut sum.cache_write, "cache_creation_input_tokens");
                add(&mut sum.output, "output_tokens");
            }
        }
        (sum != Self::default()).then_some(sum)
    }

    /// The usage with these tokens.
    pub(crate) fn with(self, usage: Usage) -> Usage {
        self.applied(usage, u32::saturating_add)
    }

    /// The usage as this format counts it: without the tokens of the summaries that its own `iterations` list.
    pub(crate) fn without(usage: &Usage) -> Cow<'_, Usage> {
        match extension(&usage.extensions, FORMAT, ITERATIONS).and_then(Self::read) {
            Some(compaction) => Cow::Owned(compaction.applied(usage.clone(), u32::saturating_sub)),
            None => Cow::Borrowed(usage),
        }
    }

    fn applied(self, mut usage: Usage, count: impl Fn(u32, u32) -> u32) -> Usage {
        let figures = [
            (&mut usage.input, self.input),
            (&mut usage.cache_read, self.cache_read),
            (&mut usage.cache_write, self.cache_write),
            (&mut usage.output, self.output),
        ];
        for (figure, tokens) in figures.into_iter().filter(|(_, tokens)| *tokens > 0) {
            *figure = Some(count(figure.unwrap_or(0), tokens));
        }
        usage
    }
}

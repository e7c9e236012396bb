//! What an adapter's translations lost, counted by step, field and kind.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use weir_types::contract::types::Loss;
use weir_types::fault::loss_kind;
use weir_types::loss::field_name;

/// The most different losses that are counted; further ones count as the field `other` of their step.
const MAX_DISTINCT_LOSSES: usize = 256;

/// A step of an exchange, by the name that fixtures have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The client's request is read.
    Request,
    /// The provider's request is written.
    Upstream,
    /// The provider's answer is read.
    Answer,
    /// The client's answer is written.
    Client,
}

impl Step {
    /// The step that a function of the contract belongs to.
    pub(crate) fn of(function: &str) -> Self {
        let is_dialects = function.starts_with("dialect-");
        match (is_dialects, function.ends_with("-request")) {
            (true, true) => Self::Request,
            (true, false) => Self::Client,
            (false, true) => Self::Upstream,
            (false, false) => Self::Answer,
        }
    }

    /// The name of the step.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Upstream => "upstream",
            Self::Answer => "answer",
            Self::Client => "client",
        }
    }
}

/// How often one field was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossCount {
    /// The step that lost it.
    pub step: Step,
    /// The field, without indices.
    pub field: String,
    /// `dropped`, `clamped` or `approximated`.
    pub kind: &'static str,
    /// How often.
    pub count: u64,
}

/// Counts of losses.
#[derive(Debug, Default)]
pub(super) struct Losses(Mutex<BTreeMap<(Step, String, &'static str), u64>>);

impl Losses {
    pub(super) fn count(&self, step: Step, losses: &[Loss]) {
        if losses.is_empty() {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for loss in losses {
            let mut key = (step, field_name(&loss.field), loss_kind(loss.kind));
            if counts.len() >= MAX_DISTINCT_LOSSES && !counts.contains_key(&key) {
                "other".clone_into(&mut key.1);
            }
            *counts.entry(key).or_default() += 1;
        }
    }

    /// All counts, the most frequent first.
    pub(super) fn all(&self) -> Vec<LossCount> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let one = |((step, field, kind), count)| LossCount { step, field, kind, count };
        let mut all: Vec<LossCount> = counts.into_iter().map(one).collect();
        all.sort_by_key(|loss| std::cmp::Reverse(loss.count));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::LossKind;

    fn loss(field: &str) -> Loss {
        Loss { field: field.to_owned(), kind: LossKind::Dropped, note: None }
    }

    #[test]
    fn functions_belong_to_the_steps_of_fixtures() {
        for (function, step) in [
            ("dialect-chat.parse-request", "request"),
            ("provider-chat.render-request", "upstream"),
            ("provider-chat.chat-decoder.push", "answer"),
            ("provider-embeddings.parse-response", "answer"),
            ("dialect-chat.chat-encoder.finish", "client"),
            ("dialect-count-tokens.render-response", "client"),
        ] {
            assert_eq!(Step::of(function).name(), step, "{function}");
        }
    }

    #[test]
    fn losses_are_counted_by_field_and_their_number_is_bounded() {
        let losses = Losses::default();
        losses.count(Step::Request, &[loss("messages[1].name"), loss("messages[2].name"), loss("seed")]);
        let all = losses.all();
        assert_eq!((all.len(), all[0].field.as_str(), all[0].count), (2, "messages.name", 2));
        for n in 0..2 * MAX_DISTINCT_LOSSES {
            losses.count(Step::Answer, &[loss(&format!("field_{n}"))]);
        }
        let all = losses.all();
        assert_eq!(all.len(), MAX_DISTINCT_LOSSES + 1);
        assert_eq!(all.iter().map(|loss| loss.count).sum::<u64>(), 3 + 2 * MAX_DISTINCT_LOSSES as u64);
        let rest = all.iter().find(|loss| loss.field == "other").map(|loss| (loss.step, loss.count));
        assert_eq!(rest, Some((Step::Answer, (MAX_DISTINCT_LOSSES + 2) as u64)));
    }
}

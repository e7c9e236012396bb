//! Counts what the provider made and reported, by the model that it names.

use weir_types::contract::types::{ChatEvent, PartKind, Usage};
use weir_types::tokens::{self, Tokens};

use super::Pipeline;

impl Pipeline {
    /// Counts the content that the provider made and the usage that it reported, whatever guards make of them.
    pub(super) fn count(&mut self, event: &mut ChatEvent) {
        match event {
            ChatEvent::Delta(delta) => {
                self.seen.content = true;
                self.seen.weight.text(&delta.text);
            }
            ChatEvent::Argument(piece) => {
                self.seen.content = true;
                self.seen.weight.text(&piece.json);
            }
            ChatEvent::PartStart(start) => {
                self.seen.content = true;
                if let PartKind::ToolCall(call) = &start.kind {
                    self.seen.weight.text(&call.id);
                    self.seen.weight.text(&call.name);
                }
            }
            ChatEvent::Start(start) => {
                self.seen.service_tier.clone_from(&start.service_tier);
                self.named(start.model.clone());
                self.goes_on();
            }
            ChatEvent::Usage(usage) => {
                if let Some(spent) = &self.spent {
                    usage.add_before(spent);
                }
                let so_far = self.seen.usage.get_or_insert_default();
                let known = so_far.clone();
                so_far.update(usage);
                keep_larger(so_far, &known);
                so_far.take_tier(self.seen.service_tier.as_deref());
                if let Some(pricing) = &self.usage_cost {
                    pricing.add_to(usage, so_far);
                }
            }
            _ => {}
        }
    }

    /// Takes what the provider's events say of the answer, before the validator adds what they lack.
    pub(super) fn hear(&mut self, events: &[ChatEvent]) {
        self.seen.observe(events);
        // Where the same events bring the head, that comes first.
        if self.seen.model.is_some() {
            self.goes_on();
        }
    }

    /// Another model goes on with the answer, if one was named.
    fn goes_on(&mut self) {
        if let Some(model) = self.seen.next_model.take() {
            self.named(Some(model));
        }
    }

    /// The answer names this model.
    fn named(&mut self, model: Option<String>) {
        if let (Some(pricing), Some(named)) = (&mut self.usage_cost, &model) {
            pricing.served_by(named);
        }
        self.seen.model = model;
    }
}

/// Keeps the counts of a side, input or output, that an earlier report had more of: reports are totals, and what was made once
/// is billed. A later report may divide a side otherwise, so that sums are compared.
fn keep_larger(so_far: &mut Usage, known: &Usage) {
    let (before, now) = (Tokens::from(known), Tokens::from(&*so_far));
    for (before, now, buckets) in
        [(before.input(), now.input(), &tokens::INPUT[..]), (before.output(), now.output(), &tokens::OUTPUT[..])]
    {
        if before > now {
            for bucket in buckets {
                *so_far.bucket_mut(*bucket) = known.bucket(*bucket);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_report_replaces_no_larger_one_but_may_divide_it() {
        let mut so_far = Usage::of(Some(400), Some(100));
        let known = so_far.clone();
        so_far.update(&Usage::of(Some(4), Some(120)));
        keep_larger(&mut so_far, &known);
        assert_eq!((so_far.input, so_far.output), (Some(400), Some(120)));
        let known = so_far.clone();
        so_far.update(&Usage { cache_read: Some(300), ..Usage::of(Some(100), Some(1)) });
        keep_larger(&mut so_far, &known);
        assert_eq!((so_far.input, so_far.cache_read, so_far.output), (Some(100), Some(300), Some(120)));
    }
}

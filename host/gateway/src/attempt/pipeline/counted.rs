//! Counts the content and the usage of a stream, by the model that the answer names.

use weir_types::contract::types::{ChatEvent, PartKind};

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
                so_far.update(usage);
                so_far.take_tier(self.seen.service_tier.as_deref());
                if let Some(pricing) = &self.usage_cost {
                    pricing.add_to(usage, so_far);
                }
            }
            _ => {}
        }
    }

    /// Reads the answer's model and service tier from the provider's events, before the validator adds what they lack.
    pub(super) fn hear(&mut self, events: &[ChatEvent]) {
        self.seen.observe(events);
        // If the same events bring the head, that comes first.
        if self.seen.model.is_some() {
            self.goes_on();
        }
    }

    /// Notes that another model continues the answer, if one was named.
    fn goes_on(&mut self) {
        if let Some(model) = self.seen.next_model.take() {
            self.named(Some(model));
        }
    }

    /// Notes the model that the answer names.
    fn named(&mut self, model: Option<String>) {
        if let (Some(pricing), Some(named)) = (&mut self.usage_cost, &model) {
            pricing.served_by(named);
        }
        self.seen.model = model;
    }
}

//! Thinking: how a request asks for it, and how it is sent in the history.

use super::Writer;
use super::content::{Numbered, Piece};
use crate::compat::quirks::{Effort, Thinking};
use crate::compat::wire::FORMAT;
use crate::compat::{effort, reasoning};
use crate::json::{self, Array, Object, Rest};
use crate::types::{Extension, ReasoningMode, ReasoningPart, ReasoningRequest, Signature};

/// The key of the note on a request that turns thinking on beside a level or a budget, which a router's object may do.
pub const SWITCHED: &str = "switched";

impl Writer<'_> {
    pub(super) fn effort(&mut self, o: &mut Object<'_>, reasoning: Option<&ReasoningRequest>) {
        let Some(reasoning) = reasoning else { return };
        let switched = !matches!(self.quirks.effort, Effort::None | Effort::Effort | Effort::Object);
        let off = ReasoningRequest { mode: Some(ReasoningMode::Disabled), effort: None, ..reasoning.clone() };
        // The switch expresses an effort of "none", if there is a switch.
        let reasoning = if switched && reasoning.effort.as_deref() == Some("none") { &off } else { reasoning };
        match self.quirks.effort {
            Effort::None => self.losses.dropped("reasoning_effort", "this provider's thinking cannot be steered"),
            Effort::Effort => {
                self.level(o, reasoning, true);
                let bare = reasoning.effort.is_none() && reasoning.budget_tokens.is_none();
                let on = bare && reasoning.mode.is_some_and(|mode| mode != ReasoningMode::Disabled);
                self.losses.dropped_if(on, "reasoning.enabled", "only a level of effort is known here");
                self.lose_summary(reasoning);
            }
            Effort::EnabledAndEffort => {
                self.enabled_object(o, reasoning);
                let off = reasoning.mode == Some(ReasoningMode::Disabled);
                self.level(o, reasoning, !off);
                self.lose_summary(reasoning);
            }
            Effort::Object => self.effort_object(o, reasoning),
            Effort::Thinking => {
                self.thinking_object(o, reasoning);
                let lost = reasoning.effort.is_some() && reasoning.mode.is_none();
                self.losses.dropped_if(lost, "reasoning_effort", "only on and off are known here");
                self.lose_summary(reasoning);
            }
            Effort::ThinkingAndEffort | Effort::BudgetAndEffort => {
                self.thinking_object(o, reasoning);
                self.level(o, reasoning, false);
                self.lose_summary(reasoning);
            }
        }
        let (own, foreign): (Vec<_>, Vec<_>) = reasoning.extensions.iter().cloned().partition(|e| e.format == FORMAT);
        self.losses.foreign("reasoning.", &foreign, FORMAT);
        self.extensions(o, "", &own, &["reasoning", "thinking"]);
        self.lose_members(reasoning);
    }

    /// Reports the client's own members of `reasoning` and `thinking`, unless the object that has them is written.
    fn lose_members(&mut self, reasoning: &ReasoningRequest) {
        let known = match self.quirks.effort {
            Effort::None | Effort::Effort => "",
            Effort::Object | Effort::EnabledAndEffort => "reasoning",
            Effort::Thinking | Effort::ThinkingAndEffort | Effort::BudgetAndEffort => "thinking",
        };
        let switched = reasoning.mode.is_some() || reasoning.budget_tokens.is_some();
        let written = |key: &str| key == known && (switched || self.quirks.effort == Effort::Object);
        let lost: Vec<&Extension> = reasoning
            .extensions
            .iter()
            .filter(|own| own.format == FORMAT && ["reasoning", "thinking"].contains(&own.key.as_str()))
            .filter(|own| !written(&own.key))
            .collect();
        for own in lost {
            for (member, _) in Rest::parse(&own.json).unwrap_or_default().0 {
                self.losses.dropped(format!("{}.{member}", own.key), "there is no such member here");
            }
        }
    }

    /// Writes `reasoning: {"enabled": …}`.
    fn enabled_object(&mut self, o: &mut Object<'_>, reasoning: &ReasoningRequest) {
        let Some(mode) = reasoning.mode else { return };
        let kept = reasoning.extensions.iter().find(|e| e.format == FORMAT && e.key == "reasoning");
        let Some(place) = self.place(o, "reasoning", true) else { return };
        json::object(place, |o| {
            o.bool("enabled", mode != ReasoningMode::Disabled);
            if let Some(inner) = kept.and_then(|kept| kept.json.trim().strip_prefix('{')?.strip_suffix('}')) {
                o.members(inner);
            }
        });
    }

    fn lose_summary(&mut self, reasoning: &ReasoningRequest) {
        self.losses.dropped_if(
            reasoning.summary.is_some(),
            "reasoning.summary",
            "thinking is shown as the provider likes",
        );
    }

    /// Writes `reasoning_effort`.
    fn level(&mut self, o: &mut Object<'_>, reasoning: &ReasoningRequest, derived: bool) {
        let level = effort::level(self.quirks, reasoning, derived, &mut self.losses);
        self.str(o, "reasoning_effort", level);
    }

    /// Writes `reasoning: {…}`, the object of routers.
    fn effort_object(&mut self, o: &mut Object<'_>, reasoning: &ReasoningRequest) {
        let kept = reasoning.extensions.iter().find(|e| e.format == FORMAT && e.key == "reasoning");
        let Some(place) = self.place(o, "reasoning", true) else { return };
        json::object(place, |o| {
            o.opt_str("effort", reasoning.effort.as_deref());
            o.opt_num("max_tokens", reasoning.budget_tokens);
            let bare = reasoning.effort.is_none() && reasoning.budget_tokens.is_none();
            let is_said = reasoning::noted(&reasoning.extensions, SWITCHED).is_some();
            match reasoning.mode {
                Some(ReasoningMode::Disabled) => o.bool("enabled", false),
                Some(_) if bare || is_said => o.bool("enabled", true),
                _ => {}
            }
            match reasoning.summary.as_deref() {
                Some("omitted") => o.bool("exclude", true),
                summary => o.opt_str("summary", summary),
            }
            if let Some(inner) = kept.and_then(|kept| kept.json.trim().strip_prefix('{')?.strip_suffix('}')) {
                o.members(inner);
            }
        });
    }

    /// Writes `thinking: {"type": …}`.
    fn thinking_object(&mut self, o: &mut Object<'_>, reasoning: &ReasoningRequest) {
        let mode = match reasoning.mode {
            Some(ReasoningMode::Disabled) => "disabled",
            Some(ReasoningMode::Enabled | ReasoningMode::Adaptive) => "enabled",
            None if reasoning.budget_tokens.is_some() => "enabled",
            None => return,
        };
        let kept = reasoning.extensions.iter().find(|e| e.format == FORMAT && e.key == "thinking");
        let budget = reasoning.budget_tokens.filter(|_| self.quirks.effort == Effort::BudgetAndEffort);
        self.losses.dropped_if(
            reasoning.budget_tokens.is_some() && budget.is_none(),
            "thinking.budget_tokens",
            "only on and off are known here",
        );
        let Some(place) = self.place(o, "thinking", true) else { return };
        json::object(place, |o| {
            o.str("type", mode);
            o.opt_num("budget_tokens", budget);
            if let Some(inner) = kept.and_then(|kept| kept.json.trim().strip_prefix('{')?.strip_suffix('}')) {
                o.members(inner);
            }
        });
    }

    /// Writes the history's thinking.
    pub(super) fn thoughts(&mut self, o: &mut Object<'_>, field: &str, thoughts: &[&ReasoningPart]) {
        let foreign = |signature: &Option<Signature>| signature.as_ref().is_some_and(|s| !self.quirks.keeps(&s.issuer));
        let lost = thoughts.iter().any(|thought| foreign(&thought.signature) || foreign(&thought.encrypted));
        let member = match self.quirks.thinking {
            Thinking::None if thoughts.is_empty() => return,
            Thinking::None => return self.lose_thinking(field),
            Thinking::Parts | Thinking::Summaries => None,
            Thinking::Content => Some("reasoning_content"),
            Thinking::Reasoning | Thinking::Details => Some("reasoning"),
        };
        if lost {
            self.losses.dropped(format!("{field}.reasoning_details"), "opaque values return to their issuer only");
        }
        if self.quirks.thinking == Thinking::Details && thoughts.iter().any(|thought| reasoning::is_opaque(thought)) {
            return o.array("reasoning_details", |a| {
                for (index, thought) in (0..).zip(thoughts) {
                    reasoning::write_details(a, &self.ours(thought), index);
                }
            });
        }
        let text: String = thoughts.iter().filter_map(|thought| thought.text.as_deref()).collect();
        if let Some(member) = member.filter(|_| !text.is_empty()) {
            o.str(member, &text);
        }
    }

    /// Whether any of these thoughts is written beside the content.
    pub(super) fn shows(&self, thoughts: &[&ReasoningPart]) -> bool {
        let ours = |value: &Option<Signature>| value.as_ref().is_some_and(|value| self.quirks.keeps(&value.issuer));
        let speaks = |thought: &&ReasoningPart| thought.text.as_ref().is_some_and(|text| !text.is_empty());
        match self.quirks.thinking {
            Thinking::None | Thinking::Parts | Thinking::Summaries => false,
            Thinking::Content | Thinking::Reasoning => thoughts.iter().any(speaks),
            Thinking::Details => thoughts.iter().any(|it| speaks(it) || ours(&it.signature) || ours(&it.encrypted)),
        }
    }

    /// Whether a thought gives a part of the content: it has text, or a signature for this provider (C-29).
    pub(super) fn is_written(&self, thought: &ReasoningPart) -> bool {
        let ours = |signature: &Signature| self.quirks.keeps(&signature.issuer);
        let signed = self.quirks.thinking == Thinking::Summaries && thought.signature.as_ref().is_some_and(ours);
        signed || thought.text.as_ref().is_some_and(|text| !text.is_empty())
    }

    /// Writes a thought as a part of the content: Mistral's `thinking`, or the `reasoning` of Databricks.
    pub(super) fn thought_part(&mut self, a: &mut Array<'_>, thought: &ReasoningPart) {
        let summaries = self.quirks.thinking == Thinking::Summaries;
        let (kind, list) = if summaries { ("reasoning", "summary") } else { ("thinking", "thinking") };
        let ours = thought.signature.as_ref().filter(|signature| summaries && self.quirks.keeps(&signature.issuer));
        a.object(|o| {
            o.str("type", kind);
            o.array(list, |a| {
                a.object(|o| {
                    o.str("type", if summaries { "summary_text" } else { "text" });
                    o.str("text", thought.text.as_deref().unwrap_or_default());
                    o.opt_str("signature", ours.map(|signature| signature.value.as_str()));
                });
            });
            self.extensions(o, "", &thought.extensions, &[]);
        });
    }

    /// The thought without opaque values of families that this provider does not take.
    fn ours(&self, thought: &ReasoningPart) -> ReasoningPart {
        let mut thought = thought.clone();
        thought.signature = thought.signature.filter(|signature| self.quirks.keeps(&signature.issuer));
        thought.encrypted = thought.encrypted.filter(|signature| self.quirks.keeps(&signature.issuer));
        thought
    }

    /// Writes the signature of a text, which goes beside the content.
    pub(super) fn text_signature(&mut self, o: &mut Object<'_>, field: &str, pieces: &[Numbered<'_>]) {
        let signature = pieces.iter().rev().find_map(|(at, piece)| match piece {
            Piece::Text(text) => Some((at, text.signature.as_ref()?)),
            _ => None,
        });
        let Some((at, signature)) = signature else { return };
        if self.quirks.keeps(&signature.issuer) {
            reasoning::write_extra(o, signature);
        } else {
            self.losses.dropped(format!("{field}.content[{at}].signature"), "it returns to its issuer only");
        }
    }
}

//! Maps mode, effort and budget of thinking to what the target's model takes.

use weir_sdk::json::object;
use weir_sdk::losses::{Losses, extension};
use weir_sdk::thinking::{budget, budget_within, display, effort as effort_of, is_effort_only, mode};
use weir_sdk::types::{ChatRequest, ReasoningMode, ReasoningRequest};

use crate::generation::{Effort, Generation};
use crate::{BETA, FORMAT, write};

/// Limits on thinking from the rest of the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The client's limit.
    pub(super) max_tokens: Option<u32>,
    /// The default limit.
    pub(super) default: u32,
    /// Whether a tool call is forced, which rules out thinking by budget.
    pub(super) forced: bool,
}

/// The members to send.
#[derive(Debug, PartialEq)]
pub(super) struct Thinking {
    /// The member `thinking`.
    pub(super) json: Option<String>,
    /// The member `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// Whether the model will think.
    pub(super) thinks: bool,
    pub(super) max_tokens: u32,
}

/// Decides on thinking. `unsigned_calls` tells that what the model goes on from, such as tool calls, lacks its
/// thinking.
pub(super) fn decide(
    request: &ChatRequest,
    generation: Generation,
    limits: Limits,
    unsigned_calls: bool,
    losses: &mut Losses,
) -> Thinking {
    let max_tokens = limits.max_tokens.unwrap_or(limits.default);
    let silent = Thinking { json: None, effort: None, thinks: false, max_tokens };
    let Some(wanted) = &request.reasoning else { return silent };
    losses.foreign("reasoning.", &wanted.extensions, FORMAT);
    if is_effort_only(wanted) {
        return Thinking { effort: effort(wanted, generation, losses), ..silent };
    }
    if let Some(own) = extension(&wanted.extensions, FORMAT, "thinking") {
        let effort = effort(wanted, generation, losses);
        return Thinking { thinks: true, json: Some(own.to_owned()), effort, max_tokens };
    }
    let plan = Plan { wanted, generation, limits, unsigned_calls, any_budget: interleaved(request) };
    match mode(wanted) {
        None => silent,
        Some(ReasoningMode::Disabled) => plan.disabled(max_tokens, losses),
        Some(_) if !generation.thinks => {
            losses.dropped("reasoning", "the model does not think");
            silent
        }
        Some(mode) if plan.adaptive(mode) => plan.by_effort(mode, max_tokens, losses),
        Some(_) if limits.forced => {
            losses.dropped("reasoning", "a forced tool call excludes thinking by budget");
            silent
        }
        Some(_) if unsigned_calls => {
            losses.dropped("reasoning", "what the model goes on from came without its thinking");
            silent
        }
        Some(_) => plan.by_budget(silent, losses),
    }
}

/// Whether thinking between tool calls is enabled: the budget may then exceed the limit of the answer.
fn interleaved(request: &ChatRequest) -> bool {
    extension(&request.extensions, FORMAT, BETA).is_some_and(|features| features.contains("interleaved-thinking"))
}

struct Plan<'a> {
    wanted: &'a ReasoningRequest,
    generation: Generation,
    limits: Limits,
    unsigned_calls: bool,
    any_budget: bool,
}

impl Plan<'_> {
    fn disabled(&self, max_tokens: u32, losses: &mut Losses) -> Thinking {
        let json = if self.generation.thinks { self.generation.off.member(losses) } else { None };
        let none = self.wanted.effort.as_deref() == Some("none");
        let most = self.generation.effort_off;
        let effort = if none { None } else { effort_within(self.wanted, self.generation, most, losses) };
        Thinking { json: json.map(str::to_owned), effort, thinks: false, max_tokens }
    }

    /// Whether the model decides how much to think: if it can, unless a budget is named that the model still takes and
    /// that nothing rules out.
    fn adaptive(&self, mode: ReasoningMode) -> bool {
        let budget = mode == ReasoningMode::Enabled && self.wanted.budget_tokens.is_some() && self.generation.budget;
        self.generation.adaptive && (!budget || self.unsigned_calls || self.limits.forced)
    }

    fn by_effort(&self, mode: ReasoningMode, max_tokens: u32, losses: &mut Losses) -> Thinking {
        let mut chosen = effort(self.wanted, self.generation, losses);
        if let Some(budget) = self.wanted.budget_tokens.filter(|_| mode == ReasoningMode::Enabled) {
            losses.approximated("reasoning.budget_tokens", "the model decides how much, by its effort");
            let level = Effort::parse(effort_of(budget));
            chosen = chosen.or_else(|| level.map(|level| self.generation.nearest(level).name()));
        }
        // Thinking counts to the limit: where the client named none, it gets the room that a budget would have.
        let max_tokens = if self.limits.max_tokens.is_none() { self.roomy() } else { max_tokens };
        Thinking { json: Some(self.json("adaptive", None)), effort: chosen, thinks: true, max_tokens }
    }

    fn by_budget(&self, silent: Thinking, losses: &mut Losses) -> Thinking {
        let wanted = budget(self.wanted);
        let Some(limit) = self.limits.max_tokens else {
            return self.budgeted(wanted, self.roomy(), losses);
        };
        if self.any_budget && self.wanted.budget_tokens.is_some() {
            return self.budgeted(wanted, limit, losses);
        }
        match budget_within(self.wanted, limit, losses) {
            Some(bounded) => self.budgeted(bounded, limit, losses),
            None => silent,
        }
    }

    /// The limit that leaves room for an answer beside the thinking that is wanted, where the client named none.
    fn roomy(&self) -> u32 {
        let wanted = budget(self.wanted);
        if wanted < self.limits.default { self.limits.default } else { wanted.saturating_add(self.limits.default) }
    }

    fn budgeted(&self, budget: u32, max_tokens: u32, losses: &mut Losses) -> Thinking {
        let both = self.wanted.budget_tokens.is_some() && self.wanted.effort.is_some();
        let effort = if both { effort(self.wanted, self.generation, losses) } else { None };
        Thinking { json: Some(self.json("enabled", Some(budget))), effort, thinks: true, max_tokens }
    }

    fn json(&self, kind: &str, budget: Option<u32>) -> String {
        let mut json = String::new();
        object(&mut json, |o| {
            o.str("type", kind);
            o.opt_num("budget_tokens", budget);
            o.opt_str("display", self.wanted.summary.as_deref().map(display));
            for own in write::own(&self.wanted.extensions) {
                o.raw(&own.key, &own.json);
            }
        });
        json
    }
}

/// The nearest effort that the model takes.
fn effort(wanted: &ReasoningRequest, generation: Generation, losses: &mut Losses) -> Option<&'static str> {
    effort_within(wanted, generation, Effort::Max, losses)
}

/// The same, and no higher than `most`.
fn effort_within(
    wanted: &ReasoningRequest,
    generation: Generation,
    most: Effort,
    losses: &mut Losses,
) -> Option<&'static str> {
    let name = wanted.effort.as_deref()?;
    let level = Effort::parse(name);
    let Some(level) = level.filter(|_| generation.effort != Effort::Unknown) else {
        losses.dropped("reasoning.effort", "the model takes no effort of this name");
        return None;
    };
    let nearest = generation.nearest(level).min(most);
    if nearest.name() != name {
        losses.clamped("reasoning.effort", nearest.name());
    }
    Some(nearest.name())
}

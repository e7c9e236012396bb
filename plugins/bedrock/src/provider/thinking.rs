//! Maps mode, effort and budget of thinking to what the target's model takes.

use weir_sdk::json::{object, quote};
use weir_sdk::losses::Losses;
use weir_sdk::thinking::{EFFORT_ONLY, budget_within, display, effort as effort_of, is_effort_only, mode};
use weir_sdk::types::{ChatRequest, ReasoningMode, ReasoningRequest};

use super::additional::Additional;
use crate::model::{Model, Vendor};
use crate::wire::is_noted;
use crate::{FORMAT, write};

/// Places of the settings for thinking among a client's additional members. A note records which one was used.
pub(crate) const CLAUDE: &str = "thinking";
pub(crate) const OLD_CLAUDE: &str = "reasoning_config";
pub(crate) const NOVA: &str = "reasoningConfig";
pub(crate) const EFFORT: &str = "reasoning_effort";
pub(crate) const OPENAI: &str = "reasoning";
/// The note on an effort in the format's own `outputConfig`, which does not ask for thinking.
pub(crate) const OUTPUT_EFFORT: &str = EFFORT_ONLY;

/// The tokens that are left for an answer beside a budget, as Claude's own API is asked for.
const ANSWER: u32 = 4096;

/// Efforts, in order.
const ORDER: [&str; 6] = ["minimal", "low", "medium", "high", "xhigh", "max"];

/// What bounds thinking, or rules it out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// Whether a tool call is forced, which Claude does not combine with thinking.
    pub(super) forced: bool,
    /// Whether what Claude goes on from, such as its calls, lacks its thinking.
    pub(super) unsigned_calls: bool,
    /// Whether Claude thinks between calls, so that a named budget may exceed the limit of the answer.
    pub(super) interleaved: bool,
}

/// The members to send besides the additional ones.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Thinking {
    /// The member `effort` of `outputConfig`.
    pub(super) effort: Option<String>,
    /// The members that are still allowed.
    pub(super) beside: Beside,
    /// The limit of tokens that a budget needs, where the client named none: the service's own may be below the budget.
    pub(super) limit: Option<u32>,
}

/// The members that are allowed together with thinking.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    #[default]
    Anything,
    /// Claude with thinking: neither `temperature` nor `top_k`.
    Little,
    /// Nova with high effort: no sampling at all.
    Nothing,
}

/// Decides on thinking, and adds its members.
pub(super) fn decide(
    request: &ChatRequest,
    model: Model,
    limits: Limits,
    additional: &mut Additional,
    losses: &mut Losses,
) -> Thinking {
    let Some(wanted) = &request.reasoning else { return Thinking::default() };
    losses.foreign("reasoning.", &wanted.extensions, FORMAT);
    let plan = Plan { wanted, model, limits, max_tokens: request.max_output_tokens };
    if let Some(thinking) = plan.own(additional) {
        return thinking;
    }
    match model.vendor {
        Vendor::Claude if model.thinks_as_claude() => plan.claude(additional, losses),
        Vendor::Nova if model.version.0 >= 2 => plan.nova(additional, losses),
        Vendor::GptOss | Vendor::Openai => plan.openai(additional, losses),
        _ => {
            let asked = mode(wanted).is_some_and(|mode| mode != ReasoningMode::Disabled);
            losses.dropped_if(asked, "reasoning", "the model cannot be asked to think, or nothing is known of it");
            Thinking::default()
        }
    }
}

struct Plan<'a> {
    wanted: &'a ReasoningRequest,
    model: Model,
    limits: Limits,
    max_tokens: Option<u32>,
}

impl Plan<'_> {
    fn noted(&self, key: &str) -> bool {
        is_noted(&self.wanted.extensions, key)
    }

    /// Sends settings in this format's own spelling unchanged, if the model knows them.
    fn own(&self, additional: &mut Additional) -> Option<Thinking> {
        let vendor = self.model.vendor;
        let knows = |of: Vendor| vendor == of || vendor == Vendor::Unknown;
        let effort = self.wanted.effort.clone().filter(|_| self.noted(OUTPUT_EFFORT));
        let thinks = self.wanted.mode.is_some_and(|mode| mode != ReasoningMode::Disabled);
        let place = [CLAUDE, OLD_CLAUDE].into_iter().find(|key| self.noted(key));
        if let Some(place) = place.filter(|_| knows(Vendor::Claude)) {
            additional.add(place, self.claude_member(self.wanted.mode, self.wanted.budget_tokens));
            return Some(Thinking { effort, ..Thinking::default() });
        }
        if self.noted(NOVA) && knows(Vendor::Nova) {
            additional.add(NOVA, self.nova_member(thinks, self.wanted.effort.as_deref()));
            return Some(Thinking::default());
        }
        if self.noted(OPENAI) && knows(Vendor::Openai) {
            let mut json = String::new();
            object(&mut json, |o| {
                o.opt_str("effort", self.wanted.effort.as_deref());
                self.wanted.extensions.iter().for_each(|own| write::member(o, own));
            });
            additional.add(OPENAI, json);
            return Some(Thinking::default());
        }
        if self.noted(EFFORT) && knows(Vendor::GptOss) {
            additional.add(EFFORT, quoted(self.wanted.effort.as_deref().unwrap_or_default()));
            return Some(Thinking::default());
        }
        // An effort alone does not ask for thinking.
        (effort.is_some() && is_effort_only(self.wanted)).then_some(Thinking { effort, ..Thinking::default() })
    }

    fn claude_member(&self, mode: Option<ReasoningMode>, budget: Option<u32>) -> String {
        let kind = match mode {
            Some(ReasoningMode::Disabled) => "disabled",
            Some(ReasoningMode::Adaptive) => "adaptive",
            Some(ReasoningMode::Enabled) | None => "enabled",
        };
        let mut json = String::new();
        object(&mut json, |o| {
            o.str("type", kind);
            o.opt_num("budget_tokens", budget);
            o.opt_str("display", self.wanted.summary.as_deref().map(display));
            self.wanted.extensions.iter().for_each(|own| write::member(o, own));
        });
        json
    }

    fn nova_member(&self, thinks: bool, effort: Option<&str>) -> String {
        let mut json = String::new();
        object(&mut json, |o| {
            o.str("type", if thinks { "enabled" } else { "disabled" });
            o.opt_str("maxReasoningEffort", effort.filter(|_| thinks));
            self.wanted.extensions.iter().for_each(|own| write::member(o, own));
        });
        json
    }

    fn claude(&self, additional: &mut Additional, losses: &mut Losses) -> Thinking {
        if is_effort_only(self.wanted) {
            return Thinking { effort: self.effort(losses), ..Thinking::default() };
        }
        let Some(mode) = mode(self.wanted) else { return Thinking::default() };
        if mode == ReasoningMode::Disabled {
            return self.claude_off(additional, losses);
        }
        let budget = mode == ReasoningMode::Enabled && self.wanted.budget_tokens.is_some() && self.model.takes_budget();
        let blocked = self.limits.forced || self.limits.unsigned_calls;
        if self.model.is_adaptive() && (!budget || blocked) {
            let mut effort = self.effort(losses);
            if let Some(budget) = self.wanted.budget_tokens.filter(|_| mode == ReasoningMode::Enabled) {
                losses.approximated("reasoning.budget_tokens", "the model decides how much, by its effort");
                effort = effort.or_else(|| self.nearest(effort_of(budget)).map(str::to_owned));
            }
            additional.add(CLAUDE, self.claude_member(Some(ReasoningMode::Adaptive), None));
            return Thinking { effort, beside: Beside::Little, limit: None };
        }
        if blocked {
            let why = if self.limits.forced { "a forced tool call" } else { "a turn without its thinking" };
            losses.dropped("reasoning", &format!("{why} excludes thinking by budget"));
            return Thinking::default();
        }
        let any = self.limits.interleaved && self.wanted.budget_tokens.is_some();
        let limit = self.max_tokens.filter(|_| !any).unwrap_or(u32::MAX);
        let Some(budget) = budget_within(self.wanted, limit, losses) else { return Thinking::default() };
        additional.add(CLAUDE, self.claude_member(Some(ReasoningMode::Enabled), Some(budget)));
        let effort = self.wanted.budget_tokens.and_then(|_| self.effort(losses));
        let limit = self.max_tokens.is_none().then(|| budget.saturating_add(ANSWER));
        Thinking { effort, beside: Beside::Little, limit }
    }

    /// Switches Claude's thinking off, as far as the model allows it. The effort stays: it is not about thinking only.
    fn claude_off(&self, additional: &mut Additional, losses: &mut Losses) -> Thinking {
        if let Some(json) = self.model.off().member(losses) {
            additional.add(CLAUDE, json.to_owned());
        }
        if self.wanted.effort.as_deref() == Some("none") {
            return Thinking::default();
        }
        let mut effort = self.effort(losses);
        if self.model.bounds_effort_off() && matches!(effort.as_deref(), Some("xhigh" | "max")) {
            losses.clamped("reasoning.effort", "the highest levels need thinking");
            effort = Some("high".to_owned());
        }
        Thinking { effort, ..Thinking::default() }
    }

    /// Nova's settings. The highest effort allows neither a token limit nor sampling; a limit takes precedence over it.
    fn nova(&self, additional: &mut Additional, losses: &mut Losses) -> Thinking {
        let Some(mode) = mode(self.wanted) else { return Thinking::default() };
        if mode == ReasoningMode::Disabled {
            return Thinking::default();
        }
        let mut effort = self.effort_or_level(losses).unwrap_or_else(|| "medium".to_owned());
        if effort == "high" && self.max_tokens.is_some() {
            losses.clamped("reasoning.effort", "the highest effort excludes a limit of tokens");
            "medium".clone_into(&mut effort);
        }
        additional.add(NOVA, self.nova_member(true, Some(&effort)));
        let beside = if effort == "high" { Beside::Nothing } else { Beside::Anything };
        Thinking { effort: None, beside, limit: None }
    }

    /// The settings of OpenAI's models. The open ones always think; for the others it can be disabled.
    fn openai(&self, additional: &mut Additional, losses: &mut Losses) -> Thinking {
        let open = self.model.vendor == Vendor::GptOss;
        let effort = match mode(self.wanted) {
            None => return Thinking::default(),
            Some(ReasoningMode::Disabled) if open => {
                losses.approximated("reasoning", "the model always thinks: as little as it can");
                Some("low".to_owned())
            }
            Some(ReasoningMode::Disabled) => Some("none".to_owned()),
            Some(_) => self.effort_or_level(losses),
        };
        if let Some(effort) = effort {
            let json = quoted(&effort);
            let nested = || format!(r#"{{"effort":{json}}}"#);
            additional.add(if open { EFFORT } else { OPENAI }, if open { json.clone() } else { nested() });
        }
        Thinking::default()
    }

    /// The effort, or the level that a budget corresponds to.
    fn effort_or_level(&self, losses: &mut Losses) -> Option<String> {
        let by_budget = self.wanted.budget_tokens.map(effort_of);
        if by_budget.is_some() {
            losses.approximated("reasoning.budget_tokens", "the model takes an effort");
        }
        self.effort(losses).or_else(|| by_budget.and_then(|level| self.nearest(level)).map(str::to_owned))
    }

    /// The nearest effort that the model takes.
    fn effort(&self, losses: &mut Losses) -> Option<String> {
        let name = self.wanted.effort.as_deref()?;
        let Some(nearest) = self.nearest(name) else {
            losses.dropped("reasoning.effort", "the model takes no effort of this name");
            return None;
        };
        if nearest != name {
            losses.clamped("reasoning.effort", nearest);
        }
        Some(nearest.to_owned())
    }

    fn nearest(&self, name: &str) -> Option<&'static str> {
        let rank = |name: &str| ORDER.iter().position(|known| *known == name);
        let wanted = rank(name)?;
        let levels = self.model.efforts();
        levels.iter().rev().find(|level| rank(level) <= Some(wanted)).or(levels.first()).copied()
    }
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    quote(&mut json, text);
    json
}

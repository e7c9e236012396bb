//! The features of a model, derived from its name. Source: the API's refusals and the published tables of its models.
//!
//! Names without `claude` (services with this format and their own models) get the format's oldest and widest rules:
//! sampling, thinking by budget and without signatures, no system turns within the conversation.

use weir_sdk::claude::{Claude, Family, Off};

/// The features of a model.
#[allow(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    /// Thinking of any kind.
    pub(crate) thinks: bool,
    /// Signatures of thinking, which is refused without one.
    pub(crate) signs: bool,
    /// `thinking: {"type": "enabled", "budget_tokens": ...}`.
    pub(crate) budget: bool,
    /// `thinking: {"type": "adaptive"}`.
    pub(crate) adaptive: bool,
    /// How thinking is switched off.
    pub(crate) off: Off,
    /// The highest level of `output_config.effort`.
    pub(crate) effort: Effort,
    /// The highest level while thinking is off.
    pub(crate) effort_off: Effort,
    /// `tool_choice` of the types `any` and `tool`.
    pub(crate) forces: bool,
    /// `temperature`, `top_p` and `top_k`.
    pub(crate) samples: bool,
    /// `temperature` together with `top_p`.
    pub(crate) samples_both: bool,
    /// Answers and tool arguments that follow a schema strictly.
    pub(crate) schemas: bool,
    /// `role: system` after a user turn.
    pub(crate) system_turns: bool,
    /// A turn of the model's at the end, which the answer continues.
    pub(crate) goes_on: bool,
}

/// Levels of effort, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effort {
    /// The model takes none.
    Unknown,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    /// The level of that name; `minimal` is mapped to the lowest one.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "minimal" | "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::Xhigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unknown | Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }
}

impl Generation {
    /// Reads a model's name: `claude-opus-4-6`, `claude-3-7-sonnet-20250219`, `anthropic/claude-haiku-4.5`.
    pub(crate) fn of(model: &str) -> Self {
        match Claude::of(model) {
            Some(claude) => Self::since(claude),
            None if model.contains("claude") => Self { signs: true, ..Self::UNKNOWN },
            None => Self::UNKNOWN,
        }
    }

    const UNKNOWN: Self = Self {
        thinks: true,
        signs: false,
        budget: true,
        adaptive: false,
        off: Off::Disabled,
        effort: Effort::Unknown,
        effort_off: Effort::Max,
        forces: true,
        samples: true,
        samples_both: true,
        schemas: true,
        system_turns: false,
        goes_on: true,
    };

    fn since(claude: Claude) -> Self {
        let Claude { family, version } = claude;
        let effort = match version {
            version if version >= (4, 7) => Effort::Max,
            (4, 6) => Effort::High,
            (4, 5) if family == Family::Opus => Effort::High,
            _ => Effort::Unknown,
        };
        Self {
            thinks: version >= (3, 7),
            signs: true,
            budget: version < (4, 7),
            adaptive: version >= (4, 6),
            off: claude.off(),
            effort,
            effort_off: if claude.bounds_effort_off() { Effort::High } else { Effort::Max },
            forces: claude.forces(),
            samples: version < (4, 7),
            samples_both: version < (4, 1),
            schemas: version >= (4, 1),
            system_turns: version >= (4, 8),
            goes_on: claude.goes_on(),
        }
    }

    /// The nearest level that the model takes. `max` came before `xhigh`: 4.6 takes `max` only.
    pub(crate) fn nearest(&self, wanted: Effort) -> Effort {
        if wanted == Effort::Max && self.adaptive { Effort::Max } else { wanted.min(self.effort) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_times_are_read() {
        let of = Generation::of;
        assert!(!of("claude-3-5-sonnet-20241022").thinks && of("claude-3-7-sonnet-20250219").thinks);
        assert!(of("claude-sonnet-4-20250514").budget && of("claude-sonnet-4-0").samples_both);
        assert!(!of("claude-haiku-4-5-20251001").adaptive && !of("claude-haiku-4-5").samples_both);
        assert!(of("anthropic/claude-sonnet-4.6").adaptive && of("claude-opus-4-6-20260205").budget);
        assert!(!of("claude-opus-4-7").budget && !of("claude-opus-4-7").samples);
        assert!(of("claude-opus-4-8").system_turns && !of("claude-opus-4-7").system_turns);
        assert_eq!((of("claude-fable-5-1").off, of("claude-mythos-preview").off), (Off::Never, Off::Never));
        assert!(of("anthropic.claude-opus-4-6-v1:0").adaptive);
        assert_eq!(of("deepseek-chat"), Generation::UNKNOWN);
        assert!(of("claude-opus-4-8").signs && of("claude-latest").signs && !of("qwen3:8b").signs);
    }

    #[test]
    fn newer_families_differ_in_thinking_that_is_off_and_in_forced_calls() {
        let of = |model| {
            let generation = Generation::of(model);
            (generation.off, generation.effort_off, generation.forces)
        };
        assert_eq!(of("claude-opus-4-8"), (Off::Disabled, Effort::Max, true));
        assert_eq!(of("claude-opus-5"), (Off::Disabled, Effort::High, true));
        assert_eq!(of("claude-opus-5-5"), (Off::Never, Effort::Max, false));
        assert_eq!(of("claude-sonnet-5"), (Off::Disabled, Effort::Max, true));
        assert_eq!(of("claude-sonnet-5-5"), (Off::BetweenTools, Effort::High, false));
        assert_eq!(of("claude-haiku-5-5"), (Off::Disabled, Effort::High, true));
        assert_eq!(of("claude-fable-5"), (Off::Never, Effort::Max, true));
        assert_eq!(of("claude-mythos-5-1"), (Off::Never, Effort::Max, false));
    }

    #[test]
    fn effort_moves_to_the_nearest_level_taken() {
        assert_eq!(Generation::of("claude-opus-4-6").nearest(Effort::Xhigh), Effort::High);
        assert_eq!(Generation::of("claude-opus-4-6").nearest(Effort::Max), Effort::Max);
        assert_eq!(Generation::of("claude-opus-4-5").nearest(Effort::Max), Effort::High);
        assert_eq!(Generation::of("claude-opus-5").nearest(Effort::Xhigh), Effort::Xhigh);
    }
}

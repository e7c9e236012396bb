//! The features of a model, derived from its name. Source: the API's refusals and the published tables of its models.
//!
//! Names without `claude` (services with this format and their own models) get the format's oldest and widest rules:
//! sampling, thinking by budget, no system turns within the conversation.

/// The features of a model.
#[allow(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    /// Thinking of any kind.
    pub(crate) thinks: bool,
    /// `thinking: {"type": "enabled", "budget_tokens": ...}`.
    pub(crate) budget: bool,
    /// `thinking: {"type": "adaptive"}`.
    pub(crate) adaptive: bool,
    /// It always thinks: `disabled` is refused.
    pub(crate) always_thinks: bool,
    /// The highest level of `output_config.effort`.
    pub(crate) effort: Effort,
    /// `temperature`, `top_p` and `top_k`.
    pub(crate) samples: bool,
    /// `temperature` together with `top_p`.
    pub(crate) samples_both: bool,
    /// Answers and tool arguments that follow a schema strictly.
    pub(crate) schemas: bool,
    /// `role: system` after a user turn.
    pub(crate) system_turns: bool,
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
    /// Parses a model's name: `claude-opus-4-6`, `claude-3-7-sonnet-20250219`, `anthropic/claude-haiku-4.5`.
    pub(crate) fn of(model: &str) -> Self {
        let Some(at) = model.find("claude") else { return Self::UNKNOWN };
        let (mut version, mut fable, mut opus) = (Vec::new(), false, false);
        for word in model[at..].split(['-', '.', '@', ':', '/']).skip(1) {
            match word.parse::<u32>() {
                // Longer numbers are dates.
                Ok(number) if word.len() <= 2 => version.push(number),
                _ => {
                    fable |= matches!(word, "fable" | "mythos");
                    opus |= word == "opus";
                }
            }
        }
        match version.as_slice() {
            [] if fable => Self::since(5, 0, true, false),
            [] => Self::UNKNOWN,
            [major] => Self::since(*major, 0, fable, opus),
            [major, minor, ..] => Self::since(*major, *minor, fable, opus),
        }
    }

    const UNKNOWN: Self = Self {
        thinks: true,
        budget: true,
        adaptive: false,
        always_thinks: false,
        effort: Effort::Unknown,
        samples: true,
        samples_both: true,
        schemas: true,
        system_turns: false,
    };

    fn since(major: u32, minor: u32, fable: bool, opus: bool) -> Self {
        let version = (major, minor);
        let effort = match version {
            version if version >= (4, 7) => Effort::Max,
            (4, 6) => Effort::High,
            (4, 5) if opus => Effort::High,
            _ => Effort::Unknown,
        };
        Self {
            thinks: version >= (3, 7),
            budget: version < (4, 7),
            adaptive: version >= (4, 6),
            always_thinks: fable,
            effort,
            samples: version < (4, 7),
            samples_both: version < (4, 1),
            schemas: version >= (4, 1),
            system_turns: version >= (4, 8),
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
        assert!(of("claude-fable-5-1").always_thinks && of("claude-mythos-preview").always_thinks);
        assert!(of("anthropic.claude-opus-4-6-v1:0").adaptive);
        assert_eq!(of("deepseek-chat"), Generation::UNKNOWN);
    }

    #[test]
    fn effort_moves_to_the_nearest_level_taken() {
        assert_eq!(Generation::of("claude-opus-4-6").nearest(Effort::Xhigh), Effort::High);
        assert_eq!(Generation::of("claude-opus-4-6").nearest(Effort::Max), Effort::Max);
        assert_eq!(Generation::of("claude-opus-4-5").nearest(Effort::Max), Effort::High);
        assert_eq!(Generation::of("claude-opus-5").nearest(Effort::Xhigh), Effort::Xhigh);
    }
}

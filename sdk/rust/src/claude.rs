//! What Claude's models take whichever service has them, by family and version. Source: Anthropic's "What's new" pages of
//! each model, and the schema of its Messages.

use crate::losses::Losses;

/// The families whose features differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Fable and Mythos, which take the same.
    Fable,
    /// The large models.
    Opus,
    /// The middle ones.
    Sonnet,
    /// Haiku, and what has no family in its name.
    Other,
}

impl Family {
    /// The family that a word of a model's name names.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "fable" | "mythos" => Some(Self::Fable),
            "opus" => Some(Self::Opus),
            "sonnet" => Some(Self::Sonnet),
            _ => None,
        }
    }
}

/// How thinking is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// `{"type": "disabled"}`.
    Disabled,
    /// `{"type": "between_tools"}`: the model thinks between calls only.
    BetweenTools,
    /// Not at all.
    Never,
}

impl Off {
    /// The member `thinking` of a request that wants none, as JSON. What the model does not leave is reported.
    pub fn member(self, losses: &mut Losses) -> Option<&'static str> {
        match self {
            Self::Disabled => Some(r#"{"type":"disabled"}"#),
            Self::BetweenTools => {
                losses.approximated("reasoning", "the model still thinks between calls");
                Some(r#"{"type":"between_tools"}"#)
            }
            Self::Never => {
                losses.approximated("reasoning", "the model always thinks");
                None
            }
        }
    }
}

/// A model of Claude's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claude {
    /// By the model's name.
    pub family: Family,
    /// Major and minor.
    pub version: (u32, u32),
}

impl Claude {
    /// How thinking is switched off.
    pub fn off(self) -> Off {
        match self.family {
            Family::Fable => Off::Never,
            Family::Opus if self.version >= (5, 5) => Off::Never,
            Family::Sonnet if self.version >= (5, 5) => Off::BetweenTools,
            _ => Off::Disabled,
        }
    }

    /// Whether the levels of effort above `high` need thinking.
    pub fn bounds_effort_off(self) -> bool {
        let is_new = self.version >= (5, 5) || self.family == Family::Opus && self.version >= (5, 0);
        is_new && self.off() != Off::Never
    }

    /// Whether `tool_choice` can make the model call a tool.
    pub fn forces(self) -> bool {
        match self.family {
            Family::Fable => self.version < (5, 1),
            Family::Opus | Family::Sonnet => self.version < (5, 5),
            Family::Other => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_families_differ_in_thinking_that_is_off_and_in_forced_calls() {
        for (word, version, expected) in [
            ("opus", (4, 8), (Off::Disabled, false, true)),
            ("opus", (5, 0), (Off::Disabled, true, true)),
            ("opus", (5, 5), (Off::Never, false, false)),
            ("sonnet", (5, 0), (Off::Disabled, false, true)),
            ("sonnet", (5, 5), (Off::BetweenTools, true, false)),
            ("haiku", (5, 5), (Off::Disabled, true, true)),
            ("fable", (5, 0), (Off::Never, false, true)),
            ("mythos", (5, 1), (Off::Never, false, false)),
        ] {
            let claude = Claude { family: Family::of(word).unwrap_or(Family::Other), version };
            assert_eq!((claude.off(), claude.bounds_effort_off(), claude.forces()), expected, "{word} {version:?}");
        }
    }
}

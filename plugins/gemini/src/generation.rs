//! The features of a model, derived from its name. Source: the published tables of the service's models.

/// How a model's thinking is controlled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// The model does not think.
    None,
    /// By a budget of tokens.
    Budget(Budget),
    /// By one of these levels, lowest first.
    Levels(&'static [&'static str]),
}

/// The budgets that a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The budget that turns thinking off: 0, or the least one if the model always thinks.
    pub(crate) off: u32,
    /// The least budget of a model that thinks.
    pub(crate) least: u32,
    /// The greatest budget.
    pub(crate) most: u32,
}

/// The features of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) thinking: Thinking,
    /// Whether the results of functions may contain media, and calls must come back with their signatures.
    pub(crate) third: bool,
}

const PRO: Budget = Budget { off: 128, least: 128, most: 32_768 };
const FLASH: Budget = Budget { off: 0, least: 0, most: 24_576 };
const LITE: Budget = Budget { off: 0, least: 512, most: 24_576 };

/// The newest models' names, which move on without a version: of the third generation since January 2026.
const NEWEST: [&str; 2] = ["gemini-flash-latest", "gemini-pro-latest"];

impl Generation {
    /// Parses a model's name: `gemini-2.5-pro`, `models/gemini-3-flash-preview`, `gemma-3-27b-it`.
    pub(crate) fn of(model: &str) -> Self {
        let Some(at) = model.find("gemini-") else { return Self { thinking: Thinking::None, third: false } };
        let mut words = model[at..].split('-').skip(1);
        let version = words.next().unwrap_or_default();
        let mut digits = version.split('.').map(str::parse::<u32>);
        let newest = NEWEST.contains(&&model[at..]).then_some(3);
        let major = digits.next().and_then(Result::ok).or(newest);
        let minor = digits.next().and_then(Result::ok).unwrap_or(0);
        let rest = &model[at..];
        let pro = rest.contains("pro");
        let image = rest.contains("image") || rest.contains("tts") || rest.contains("embedding");
        let thinking = match (major, minor) {
            _ if image && major < Some(3) => Thinking::None,
            (Some(3..), 0) if pro => Thinking::Levels(&["low", "high"]),
            (Some(3..), _) if pro => Thinking::Levels(&["low", "medium", "high"]),
            (Some(3..), _) => Thinking::Levels(&["minimal", "low", "medium", "high"]),
            (Some(2), 5..) if pro => Thinking::Budget(PRO),
            (Some(2), 5..) if rest.contains("flash-lite") => Thinking::Budget(LITE),
            (Some(2), 5..) | (None, _) => Thinking::Budget(FLASH),
            _ => Thinking::None,
        };
        Self { thinking, third: major >= Some(3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_times_are_read() {
        let of = |name| Generation::of(name).thinking;
        assert_eq!(of("gemini-1.5-flash"), Thinking::None);
        assert_eq!(of("gemini-2.0-flash-exp"), Thinking::None);
        assert_eq!(of("models/gemini-2.5-pro-preview-03-25"), Thinking::Budget(PRO));
        assert_eq!(of("gemini-2.5-flash"), Thinking::Budget(FLASH));
        assert_eq!(of("gemini-2.5-flash-lite"), Thinking::Budget(LITE));
        assert_eq!(of("gemini-flash-lite-latest"), Thinking::Budget(FLASH));
        assert_eq!(of("gemini-3-pro-preview"), Thinking::Levels(&["low", "high"]));
        assert_eq!(of("gemini-3.1-pro-preview"), Thinking::Levels(&["low", "medium", "high"]));
        assert!(matches!(of("gemini-3.5-flash"), Thinking::Levels(levels) if levels.contains(&"minimal")));
        assert_eq!(of("gemma-3-27b-it"), Thinking::None);
    }

    #[test]
    fn the_newest_models_are_of_the_third_generation() {
        assert_eq!(Generation::of("gemini-pro-latest").thinking, Thinking::Levels(&["low", "high"]));
        let flash = Generation::of("models/gemini-flash-latest");
        assert_eq!(flash.thinking, Thinking::Levels(&["minimal", "low", "medium", "high"]));
        assert!(flash.third && Generation::of("gemini-pro-latest").third);
        assert!(!Generation::of("gemini-flash-lite-latest").third);
        assert!(Generation::of("gemini-3-flash-preview").third && !Generation::of("gemini-2.5-flash").third);
    }
}

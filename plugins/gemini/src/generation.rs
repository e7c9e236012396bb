//! The features of a model, derived from its name. Source: the published tables of the service's models.

/// How a model's thinking is controlled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// The model does not think.
    None,
    /// By a budget of tokens between two limits; the lower one is 0 if thinking can be disabled.
    Budget(u32, u32),
    /// By one of these levels, lowest first.
    Levels(&'static [&'static str]),
}

/// The features of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) thinking: Thinking,
    /// Whether the results of functions may contain media, and calls must come back with their signatures.
    pub(crate) third: bool,
}

impl Generation {
    /// Parses a model's name: `gemini-2.5-pro`, `models/gemini-3-flash-preview`, `gemma-3-27b-it`.
    pub(crate) fn of(model: &str) -> Self {
        let Some(at) = model.find("gemini-") else { return Self { thinking: Thinking::None, third: false } };
        let mut words = model[at..].split('-').skip(1);
        let version = words.next().unwrap_or_default();
        let mut digits = version.split('.').map(str::parse::<u32>);
        let major = digits.next().and_then(Result::ok);
        let minor = digits.next().and_then(Result::ok).unwrap_or(0);
        let rest = &model[at..];
        let pro = rest.contains("pro");
        let image = rest.contains("image") || rest.contains("tts") || rest.contains("embedding");
        let thinking = match (major, minor) {
            _ if image && major < Some(3) => Thinking::None,
            (Some(3..), 0) if pro => Thinking::Levels(&["low", "high"]),
            (Some(3..), _) if pro => Thinking::Levels(&["low", "medium", "high"]),
            (Some(3..), _) => Thinking::Levels(&["minimal", "low", "medium", "high"]),
            (Some(2), 5..) if pro => Thinking::Budget(128, 32_768),
            (Some(2), 5..) | (None, _) => Thinking::Budget(0, 24_576),
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
        assert_eq!(of("models/gemini-2.5-pro-preview-03-25"), Thinking::Budget(128, 32_768));
        assert_eq!(of("gemini-flash-latest"), Thinking::Budget(0, 24_576));
        assert_eq!(of("gemini-3-pro-preview"), Thinking::Levels(&["low", "high"]));
        assert_eq!(of("gemini-3.1-pro-preview"), Thinking::Levels(&["low", "medium", "high"]));
        assert!(matches!(of("gemini-3.5-flash"), Thinking::Levels(levels) if levels.contains(&"minimal")));
        assert_eq!(of("gemma-3-27b-it"), Thinking::None);
        assert!(Generation::of("gemini-3-flash-preview").third && !Generation::of("gemini-2.5-flash").third);
    }
}

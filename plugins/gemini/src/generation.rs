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
    /// Whether the conversation may end with the model's turn, which the answer continues.
    pub(crate) prefill: bool,
}

const PRO: Budget = Budget { off: 128, least: 128, most: 32_768 };
const FLASH: Budget = Budget { off: 0, least: 0, most: 24_576 };
const LITE: Budget = Budget { off: 0, least: 512, most: 24_576 };

const ALL_LEVELS: Thinking = Thinking::Levels(&["minimal", "low", "medium", "high"]);
const FROM_LOW: Thinking = Thinking::Levels(&["low", "medium", "high"]);
const ENDS: Thinking = Thinking::Levels(&["low", "high"]);
const IMAGES: Thinking = Thinking::Levels(&["minimal", "high"]);

/// A model's major and minor version.
type Version = (u32, u32);

/// The names that move on without a version, and the version whose features they have. Source: the price list of
/// public models in September 2026, and the features that others found of these names.
const NEWEST: [(&str, Version); 3] =
    [("gemini-flash-latest", (3, 8)), ("gemini-flash-lite-latest", (3, 5)), ("gemini-pro-latest", (3, 1))];

impl Generation {
    /// Parses a model's name: `gemini-2.5-pro`, `models/gemini-3-flash-preview`, `gemma-3-27b-it`.
    pub(crate) fn of(model: &str) -> Self {
        let Some(at) = model.find("gemini-") else {
            return Self { thinking: Thinking::None, third: false, prefill: true };
        };
        let name = &model[at..];
        let version = version(name);
        let third = version >= Some((3, 0));
        let thinking = if third { levels(name, version.unwrap_or_default()) } else { budget(name, version) };
        Self { thinking, third, prefill: prefill(name, version) }
    }
}

fn version(name: &str) -> Option<Version> {
    if let Some((_, version)) = NEWEST.iter().find(|(newest, _)| *newest == name) {
        return Some(*version);
    }
    let mut digits = name.split('-').nth(1)?.split('.').map(str::parse::<u32>);
    let major = digits.next()?.ok()?;
    Some((major, digits.next().and_then(Result::ok).unwrap_or(0)))
}

/// Whether a model makes something other than text, and mostly does not think.
fn is_special(name: &str) -> bool {
    ["image", "tts", "embedding"].iter().any(|kind| name.contains(kind))
}

fn budget(name: &str, version: Option<Version>) -> Thinking {
    match version {
        _ if is_special(name) => Thinking::None,
        Some((2, 5..)) if name.contains("pro") => Thinking::Budget(PRO),
        Some((2, 5..)) if name.contains("flash-lite") => Thinking::Budget(LITE),
        Some((2, 5..)) | None => Thinking::Budget(FLASH),
        Some(_) => Thinking::None,
    }
}

/// The levels of a model of the third generation or a later one. Only lite models keep the lowest one from 3.7 on.
fn levels(name: &str, version: Version) -> Thinking {
    let pro = name.contains("pro");
    match version {
        _ if is_special(name) => images(name),
        (3, 0) if pro => ENDS,
        _ if pro => FROM_LOW,
        (3.., _) if name.contains("flash-lite") => ALL_LEVELS,
        (3, 0..7) => ALL_LEVELS,
        _ => FROM_LOW,
    }
}

/// The levels of models that make images: previews and the greater model take none, and think as they like.
fn images(name: &str) -> Thinking {
    let taken = name.contains("flash") && name.contains("image") && !name.contains("image-preview");
    if taken { IMAGES } else { Thinking::None }
}

/// Newer models answer "Requests ending with a model turn are not supported": the lite one from 3.5 on, others from 3.6
/// on.
fn prefill(name: &str, version: Option<Version>) -> bool {
    let first = if name.contains("flash-lite") { (3, 5) } else { (3, 6) };
    version < Some(first)
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
        assert_eq!(of("gemini-3-pro-preview"), ENDS);
        assert_eq!(of("gemini-3.1-pro-preview"), FROM_LOW);
        assert_eq!(of("gemini-3.5-flash"), ALL_LEVELS);
        assert_eq!(of("gemini-embedding-001"), Thinking::None);
        assert_eq!(of("gemma-3-27b-it"), Thinking::None);
    }

    #[test]
    fn models_from_3_7_on_think_at_least_at_the_low_level() {
        let of = |name| Generation::of(name).thinking;
        for name in ["gemini-3.7-flash", "models/gemini-3.8-flash", "gemini-3.8-flash-cyber", "gemini-4-argon"] {
            assert_eq!(of(name), FROM_LOW, "{name}");
        }
        for name in ["gemini-3.6-flash", "gemini-3-flash-preview", "gemini-3.1-flash-lite", "gemini-3.9-flash-lite"] {
            assert_eq!(of(name), ALL_LEVELS, "{name}");
        }
        assert_eq!(of("gemini-4-pro"), FROM_LOW);
    }

    #[test]
    fn models_of_images_take_few_levels_or_none() {
        let of = |name| Generation::of(name).thinking;
        let none = [
            "gemini-3-pro-image-preview",
            "gemini-3-pro-image",
            "gemini-3.1-flash-image-preview",
            "gemini-2.5-flash-image",
            "gemini-3.8-flash-tts",
        ];
        for name in none {
            assert_eq!(of(name), Thinking::None, "{name}");
        }
        assert_eq!(of("gemini-3.1-flash-lite-image"), IMAGES);
        assert_eq!(of("gemini-3.1-flash-image"), IMAGES);
    }

    #[test]
    fn the_newest_models_are_of_the_third_generation() {
        let of = |name| Generation::of(name).thinking;
        assert_eq!(of("gemini-pro-latest"), FROM_LOW);
        assert_eq!(of("models/gemini-flash-latest"), FROM_LOW);
        assert_eq!(of("gemini-flash-lite-latest"), ALL_LEVELS);
        for (name, _) in NEWEST {
            assert!(Generation::of(name).third, "{name}");
        }
        assert!(Generation::of("gemini-3-flash-preview").third && !Generation::of("gemini-2.5-flash").third);
    }

    #[test]
    fn newer_models_take_no_prefill() {
        let of = |name| Generation::of(name).prefill;
        for name in ["gemini-2.5-flash", "gemini-3.1-flash-lite", "gemini-3.5-flash", "gemini-pro-latest", "gemma-3"] {
            assert!(of(name), "{name}");
        }
        let refused = ["gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-4-argon", "gemini-flash-latest"];
        for name in refused.into_iter().chain(["gemini-flash-lite-latest"]) {
            assert!(!of(name), "{name}");
        }
    }
}

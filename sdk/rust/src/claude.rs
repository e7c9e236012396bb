//! What Claude's models take whichever service has them, by family and version. Source: Anthropic's "What's new" pages of
//! each model, and the schema of its Messages.

use std::borrow::Cow;

use crate::losses::{Losses, Place};
use crate::types::{Message, Part, Role, TextPart};

/// Most tools of a request that may be strict. Source: Anthropic's guide to structured outputs, "Explicit limits".
pub const STRICT_TOOLS: usize = 20;

/// Decides which of a request's strict tools stay strict.
#[derive(Debug)]
pub struct StrictTools {
    takes_schemas: bool,
    /// How many may still be strict.
    left: usize,
}

impl StrictTools {
    /// Starts for a model that can be held to schemas, or cannot, and for a service that takes so many strict tools.
    pub fn new(takes_schemas: bool, most: usize) -> Self {
        Self { takes_schemas, left: most }
    }

    /// Whether the model is held to the schema of tool number `at`, which is strict. What cannot be is reported.
    pub fn admit(&mut self, at: usize, losses: &mut Losses) -> bool {
        let why = match (self.takes_schemas, self.left) {
            (false, _) => "the model cannot be held to it",
            (true, 0) => "no more tools of a request can be strict",
            (true, _) => {
                self.left -= 1;
                return true;
            }
        };
        losses.dropped(format!("tools[{at}].strict"), why);
        false
    }
}

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

/// The text at the end of a history that an answer goes on from, by its message and part; `None` if it does not end in
/// white space, which Claude refuses there: "final assistant content cannot end with trailing whitespace".
pub fn blank_end(messages: &[Message]) -> Option<(usize, usize)> {
    let speaks = |message: &&Message| !matches!(message.role, Role::System | Role::Developer);
    let is_blank = |part: &Part| matches!(part, Part::Text(text) if text.text.trim().is_empty());
    let (at, last) = messages.iter().enumerate().rev().find(|(_, message)| speaks(message))?;
    let part = last.parts.iter().rposition(|part| !is_blank(part))?;
    let Some(Part::Text(text)) = last.parts.get(part) else { return None };
    let ends_blank = text.text.trim_end().len() < text.text.len();
    (last.role == Role::Assistant && ends_blank).then_some((at, part))
}

/// A text as it is sent: the one at [`blank_end`] without the white space at its end, which is reported.
pub fn trimmed<'t>(
    text: &'t TextPart,
    blank_end: Option<(usize, usize)>,
    place: Place,
    losses: &mut Losses,
) -> Cow<'t, TextPart> {
    if !blank_end.is_some_and(|(message, part)| place.message == Some(message) && place.part == part) {
        return Cow::Borrowed(text);
    }
    losses.approximated(place.field("text"), "without the white space at its end, which is refused there");
    Cow::Owned(TextPart { text: text.text.trim_end().to_owned(), ..text.clone() })
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
    fn the_first_tools_stay_strict_if_the_model_can_be_held_to_schemas() {
        let strict = |takes_schemas| {
            let (mut strict, mut losses) = (StrictTools::new(takes_schemas, 2), Losses::default());
            let held: Vec<bool> = (0..3).map(|at| strict.admit(at, &mut losses)).collect();
            (held, losses.into_losses().into_iter().map(|loss| loss.field).collect::<Vec<_>>())
        };
        assert_eq!(strict(true), (vec![true, true, false], vec!["tools[2].strict".to_owned()]));
        assert_eq!(strict(false).0, [false, false, false]);
    }

    #[test]
    fn only_a_text_of_the_models_at_the_very_end_is_gone_on_from() {
        let said = |role, texts: &[&str]| Message::new(role, texts.iter().copied().map(Part::text).collect());
        let asked = || said(Role::User, &["? "]);
        let begun = || said(Role::Assistant, &["Once ", "upon \n", " "]);
        assert_eq!(blank_end(&[asked(), begun()]), Some((1, 1)));
        assert_eq!(blank_end(&[asked(), begun(), said(Role::Developer, &["Be brief. "])]), Some((1, 1)));
        assert_eq!(blank_end(&[begun(), asked()]), None);
        assert_eq!(blank_end(&[asked(), said(Role::Assistant, &["Once ", "upon"])]), None);
    }

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

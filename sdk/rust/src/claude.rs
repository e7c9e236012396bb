//! What Claude's models take whichever service has them, by family and version. Source: Anthropic's "What's new" pages
//! of each model, and the schema of its Messages.

pub mod breakpoints;

use std::borrow::Cow;

use crate::losses::{Losses, PartPath};
use crate::schema::Weight;
use crate::types::{Message, Part, Role, TextPart};

/// The most that the strict schemas of a request may have together. Source: Anthropic's guide to structured outputs,
/// "Explicit limits".
const MOST: Room = Room { tools: 20, weight: Weight { optional: 24, unions: 16 } };

/// How much strict schemas may still have.
#[derive(Debug, Clone, Copy)]
struct Room {
    tools: usize,
    weight: Weight,
}

/// Decides which of a request's strict tools stay strict, and whether its answer follows a schema.
#[derive(Debug)]
pub struct StrictSchemas {
    takes_schemas: bool,
    /// What there is still room for; `None` if the service has no limits.
    left: Option<Room>,
}

impl StrictSchemas {
    /// Starts for a model that can be held to schemas, or cannot, and for a service with Anthropic's limits or without
    /// any.
    pub fn new(takes_schemas: bool, is_limited: bool) -> Self {
        Self { takes_schemas, left: is_limited.then_some(MOST) }
    }

    /// Whether the model is held to the schema of tool number `at`, which is strict. What cannot be is reported.
    pub fn admit(&mut self, at: usize, schema: Option<&str>, losses: &mut Losses) -> bool {
        let why = match (self.takes_schemas, &mut self.left) {
            (false, _) => "the model cannot be held to it",
            (true, None) => return true,
            (true, Some(Room { tools: 0, .. })) => "no more tools of a request can be strict",
            (true, Some(left)) => {
                if left.take(schema.unwrap_or_default()) {
                    left.tools -= 1;
                    return true;
                }
                "the strict schemas of a request have too many optional or alternative members"
            }
        };
        losses.dropped(format!("tools[{at}].strict"), why);
        false
    }

    /// Whether the model can be held to the schema of its answer, beside those of the tools.
    pub fn admits_answer(&mut self, schema: &str) -> bool {
        self.takes_schemas && self.left.as_mut().is_none_or(|left| left.take(schema))
    }
}

impl Room {
    /// Takes what a schema needs, if there is that much.
    fn take(&mut self, schema: &str) -> bool {
        let Weight { optional, unions } = Weight::of(schema);
        let left = self.weight.optional.checked_sub(optional).zip(self.weight.unions.checked_sub(unions));
        let Some((optional, unions)) = left else { return false };
        self.weight = Weight { optional, unions };
        true
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
    place: PartPath,
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
    /// Parses a model's name: `claude-opus-4-6`, `claude-3-7-sonnet-20250219`, `anthropic/claude-haiku-4.5`; `None` if
    /// it is not a Claude's, or names no version.
    pub fn of(model: &str) -> Option<Self> {
        let name = model.get(model.find("claude")?..)?;
        let (mut version, mut family) = (Vec::new(), Family::Other);
        for word in name.split(['-', '.', '@', ':', '/']).skip(1) {
            match word.parse::<u32>() {
                // Longer numbers are dates.
                Ok(number) if word.len() <= 2 => version.push(number),
                _ => family = Family::of(word).unwrap_or(family),
            }
        }
        let version = match version.as_slice() {
            // Its first models have none in their names.
            [] if family == Family::Fable => (5, 0),
            [] => return None,
            [major] => (*major, 0),
            [major, minor, ..] => (*major, *minor),
        };
        Some(Self { family, version })
    }

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

    /// Whether the model goes on from a turn of its own at the end. Newer ones refuse that: "This model does not
    /// support assistant message prefill. The conversation must end with a user message."
    pub fn goes_on(self) -> bool {
        self.version < (4, 6)
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
            let (mut strict, mut losses) = (StrictSchemas::new(takes_schemas, true), Losses::default());
            let held: Vec<bool> = (0..21).map(|at| strict.admit(at, None, &mut losses)).collect();
            (held, losses.into_losses().into_iter().map(|loss| loss.field).collect::<Vec<_>>())
        };
        let (held, lost) = strict(true);
        assert!(held[..20].iter().all(|held| *held) && !held[20]);
        assert_eq!(lost, ["tools[20].strict"]);
        assert!(strict(false).0.iter().all(|held| !held));
    }

    #[test]
    fn strict_schemas_share_the_room_for_optional_and_alternative_members() {
        let of = |property: &str, required: bool| {
            let names: Vec<String> = (0..6).map(|n| format!("\"p{n}\"")).collect();
            let properties: Vec<String> = names.iter().map(|name| format!("{name}:{property}")).collect();
            let required = if required { names.join(",") } else { String::new() };
            format!("{{\"properties\":{{{}}},\"required\":[{required}]}}", properties.join(","))
        };
        let (union, optional) = (of(r#"{"type":["string","null"]}"#, true), of("true", false));
        for (schema, admitted) in [(union, 2), (optional, 4)] {
            let (mut strict, mut losses) = (StrictSchemas::new(true, true), Losses::default());
            let held = (0..6).filter(|at| strict.admit(*at, Some(&schema), &mut losses)).count();
            assert_eq!(held, admitted, "{schema}");
            assert!(!strict.admits_answer(&schema) && strict.admits_answer("{}"), "{schema}");
            assert!(StrictSchemas::new(true, false).admits_answer(&schema));
            assert!(!StrictSchemas::new(false, true).admits_answer("{}"));
            // A smaller one still has room.
            assert!(strict.admit(6, Some("{}"), &mut losses));
        }
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
    fn a_name_tells_family_and_version_whoever_serves_the_model() {
        let of = |name| Claude::of(name).map(|claude| (claude.family, claude.version));
        for (name, expected) in [
            ("claude-3-7-sonnet-20250219", (Family::Sonnet, (3, 7))),
            ("anthropic/claude-sonnet-4.6:thinking", (Family::Sonnet, (4, 6))),
            ("databricks-claude-opus-4-1", (Family::Opus, (4, 1))),
            ("claude-haiku-5@20260801", (Family::Other, (5, 0))),
            ("claude-mythos-preview", (Family::Fable, (5, 0))),
        ] {
            assert_eq!(of(name), Some(expected), "{name}");
        }
        assert_eq!([of("claude-latest"), of("gpt-4.6"), of("")], [None, None, None]);
    }

    #[test]
    fn newer_models_do_not_go_on_from_their_own_turn() {
        let of = |version| Claude { family: Family::Other, version }.goes_on();
        assert!(of((3, 5)) && of((4, 5)) && !of((4, 6)) && !of((5, 0)));
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

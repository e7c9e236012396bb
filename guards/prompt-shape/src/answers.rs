//! The judgement of an answer by a schema. The host holds each text back until it is complete.

use std::collections::BTreeMap;

use serde::Deserialize;
use weir_sdk::guard::{Annotation, Answer, Denial, EventAnswer, Facts};
use weir_sdk::types::{ChatEvent, FinishReason, PartKind};

use crate::document::{self, Unread};
use crate::schema::Schema;
use crate::{Expected, NAME};

/// The most characters of a text that is judged: what the host may hold back of a part.
pub(crate) const MAX_JUDGED_LEN: usize = 64 << 10;
/// The most answers and parts that are under way at the same time.
const PARTS: usize = 1024;

/// What becomes of an answer that does not keep to the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    #[default]
    Deny,
    Annotate,
}

/// Judges one answer; the problem if the options are wrong.
#[derive(Debug)]
pub struct ShapedAnswer(Result<Option<Judge>, String>);

/// An answer that is judged.
#[derive(Debug)]
struct Judge {
    schema: Schema,
    action: Action,
    /// Texts that go on, by candidate and part, with their characters.
    texts: BTreeMap<(u32, u32), (String, usize)>,
    candidates: BTreeMap<u32, Content>,
    /// Whether the answer has broken off, or was found to break the schema.
    is_over: bool,
}

/// What a candidate has so far.
#[derive(Debug, Default, PartialEq, Eq)]
enum Content {
    #[default]
    Nothing,
    /// A text that keeps to the schema.
    Text,
    /// Calls of tools, or a refusal: it need not have a text.
    Other,
}

/// The rule that an answer breaks: the annotation's value, and words for a message.
struct Broken(&'static str, String);

impl Broken {
    fn new(rule: &'static str, words: &str) -> Self {
        Self(rule, words.to_owned())
    }
}

impl ShapedAnswer {
    fn read(facts: &Facts) -> Result<Option<Judge>, String> {
        let schema = match Expected::read(facts)? {
            Some(Expected::Fixed(schema)) => schema,
            Some(Expected::OfRequest) if !facts.memo.is_empty() => Schema::of_request(&facts.memo)?,
            Some(Expected::OfRequest) | None => return Ok(None),
        };
        let action = facts.option("answer_action")?.unwrap_or_default();
        Ok(Some(Judge { schema, action, texts: BTreeMap::new(), candidates: BTreeMap::new(), is_over: false }))
    }
}

impl Answer for ShapedAnswer {
    fn new(facts: Facts) -> Self {
        Self(Self::read(&facts))
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> EventAnswer {
        match &mut self.0 {
            Ok(None) => EventAnswer::allow(),
            Ok(Some(judge)) => {
                let broken = events.into_iter().find_map(|event| judge.look(event).err());
                judge.verdict(broken)
            }
            Err(problem) => EventAnswer::deny(Denial::cannot_judge(NAME, problem)),
        }
    }

    fn finish(&mut self) -> EventAnswer {
        match &mut self.0 {
            Ok(Some(judge)) => {
                let broken = judge.end().err();
                judge.verdict(broken)
            }
            _ => EventAnswer::allow(),
        }
    }
}

impl Judge {
    fn verdict(&mut self, broken: Option<Broken>) -> EventAnswer {
        let Some(Broken(rule, words)) = broken else { return EventAnswer::allow() };
        self.is_over = true;
        self.texts.clear();
        let annotations = vec![Annotation::new("schema", rule)];
        match self.action {
            Action::Annotate => EventAnswer { annotations, ..EventAnswer::allow() },
            Action::Deny => {
                let message = format!("the answer does not keep to its schema: {words}");
                EventAnswer { annotations, ..EventAnswer::deny(Denial::new(message)) }
            }
        }
    }

    fn look(&mut self, event: ChatEvent) -> Result<(), Broken> {
        if self.is_over {
            return Ok(());
        }
        match event {
            ChatEvent::PartStart(start) => {
                let candidate = self.candidates.entry(start.candidate).or_default();
                match start.kind {
                    PartKind::Text => {
                        self.texts.insert((start.candidate, start.part), (String::new(), 0));
                    }
                    PartKind::ToolCall(_) | PartKind::Refusal if *candidate == Content::Nothing => {
                        *candidate = Content::Other;
                    }
                    _ => {}
                }
            }
            ChatEvent::Delta(delta) => {
                if let Some((text, characters)) = self.texts.get_mut(&(delta.candidate, delta.part)) {
                    *characters += delta.text.chars().count();
                    if *characters > MAX_JUDGED_LEN {
                        return Err(Broken::new("length", "it is too long to be checked"));
                    }
                    text.push_str(&delta.text);
                }
            }
            ChatEvent::PartStop(stop) => {
                if let Some((text, _)) = self.texts.remove(&(stop.candidate, stop.part)) {
                    return self.judge(stop.candidate, &text);
                }
            }
            ChatEvent::Finish(end) => {
                let candidate = self.candidates.entry(end.candidate).or_default();
                let without_text = matches!(
                    end.finish.reason,
                    FinishReason::ContentFilter | FinishReason::Refusal | FinishReason::Paused | FinishReason::Failed
                );
                if without_text && *candidate == Content::Nothing {
                    *candidate = Content::Other;
                }
            }
            ChatEvent::Failure(_) => self.is_over = true,
            _ => {}
        }
        if self.texts.len().max(self.candidates.len()) > PARTS {
            return Err(Broken::new("length", "it has too many parts to be checked"));
        }
        Ok(())
    }

    /// Judges the whole text of a part.
    fn judge(&mut self, candidate: u32, text: &str) -> Result<(), Broken> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let content = self.candidates.entry(candidate).or_default();
        if *content == Content::Text {
            return Err(Broken::new("json", "it has more than one text"));
        }
        *content = Content::Text;
        let value = document::read(text).map_err(|unread| match unread {
            Unread::NoJson => Broken::new("json", "it is not JSON"),
            Unread::Repeated => Broken::new("repeated", "an object has a member twice"),
        })?;
        self.schema.check(&value).map_err(|at| Broken(at.keyword, format!("`{}` at `{}`", at.keyword, at.place)))
    }

    /// Judges what is left when nothing follows.
    fn end(&mut self) -> Result<(), Broken> {
        if self.is_over {
            return Ok(());
        }
        for ((candidate, _), (text, _)) in std::mem::take(&mut self.texts) {
            self.judge(candidate, &text)?;
        }
        let is_empty = self.candidates.values().any(|content| *content == Content::Nothing);
        if is_empty { Err(Broken::new("json", "it is empty")) } else { Ok(()) }
    }
}

//! Open blocks of a stream.

use weir_sdk::adapter::Result;
use weir_sdk::json::{RawValue, Str, object, parse};
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    ChatEvent, Error, Extension, Opaque, PartCitation, PartDelta, PartKind, PartSignature, PartStart, ToolKind,
    ToolStart,
};

use crate::signature;
use crate::wire::{Block, Delta, Unnamed};
use crate::{FORMAT, read};
use weir_sdk::names::Names;

/// A block that has started.
#[derive(Debug)]
pub(super) struct Open {
    /// Its number on the wire.
    pub(super) index: u32,
    /// Its number as a part.
    pub(super) part: u32,
    pub(super) kind: Kind,
    /// Members that only this format has.
    extensions: Vec<Extension>,
    /// The events of the block's start.
    first: Vec<ChatEvent>,
}

/// The content of a block.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Thinking,
    /// A call: the input of its start, whether deltas of it arrived, and whether the call represents the answer.
    Call {
        input: String,
        has_input: bool,
        answer: bool,
    },
    /// A block that is passed on whole.
    Opaque(Whole),
}

/// A block that is collected before it is passed on.
#[derive(Debug)]
pub(super) struct Whole {
    kind: String,
    json: String,
    /// Pieces of its `input`.
    input: String,
    /// Texts collected from deltas, by the name of the member.
    texts: Vec<(String, String)>,
}

/// Starts a block; returns the kind of part to report at once, unless the block is passed on whole.
pub(super) fn begin(
    index: u32,
    part: u32,
    mut block: Block<'_>,
    raw: &RawValue,
    names: &Names,
) -> Result<(Open, Option<PartKind>)> {
    let mut first = Vec::new();
    let (kind, announced) =
        match block.kind() {
            "text" => {
                let citations: Vec<&RawValue> = block.take("citations")?.unwrap_or_default();
                first.extend(delta(part, block.text.take()));
                first.extend(citations.into_iter().map(|raw| {
                    ChatEvent::Citation(PartCitation { candidate: 0, part, citation: read::citation(raw) })
                }));
                (Kind::Text, Some(PartKind::Text))
            }
            "thinking" => {
                first.extend(delta(part, block.thinking.take()));
                let value = block.take_str("signature")?.unwrap_or_default();
                first.extend(super::signed(part, &value));
                (Kind::Thinking, Some(PartKind::Reasoning))
            }
            "redacted_thinking" => {
                let signature = signature::unwrap(&block.take_str("data")?.unwrap_or_default()).signature;
                first.push(ChatEvent::Signature(PartSignature { candidate: 0, part, signature, encrypted: true }));
                (Kind::Thinking, Some(PartKind::Reasoning))
            }
            "tool_use" => call(&mut block, names)?,
            kind => {
                let kind = kind.to_owned();
                let whole = Whole { kind, json: raw.get().to_owned(), input: String::new(), texts: Vec::new() };
                (Kind::Opaque(whole), None)
            }
        };
    let extensions = if announced.is_some() { extensions(FORMAT, block.rest) } else { Vec::new() };
    Ok((Open { index, part, kind, extensions, first }, announced))
}

fn call(block: &mut Block<'_>, names: &Names) -> Result<(Kind, Option<PartKind>)> {
    let id = block.take_str("id")?.ok_or_else(|| Error::unreadable("a tool call has no id"))?;
    let name = block.take_str("name")?.ok_or_else(|| Error::unreadable("a tool call has no name"))?;
    let input = block.rest.value("input").map_or("{}", RawValue::get).to_owned();
    let name = names.restore(name);
    let answer = name.is_empty();
    let start = ToolStart { id, name, kind: ToolKind::Function, signature: None };
    let announced = if answer { PartKind::Text } else { PartKind::ToolCall(start) };
    Ok((Kind::Call { input, has_input: false, answer }, Some(announced)))
}

fn delta(part: u32, text: Option<Str<'_>>) -> Option<ChatEvent> {
    let text = text.filter(|text| !text.is_empty())?.into_string();
    Some(ChatEvent::Delta(PartDelta { candidate: 0, part, text }))
}

impl Open {
    /// A block without a start, of which only the kind of text is known.
    pub(super) fn bare(index: u32, part: u32, kind: &PartKind) -> Self {
        let kind = if *kind == PartKind::Text { Kind::Text } else { Kind::Thinking };
        Self { index, part, kind, extensions: Vec::new(), first: Vec::new() }
    }

    /// The events of the block's start, in order.
    pub(super) fn take_first(&mut self) -> Vec<ChatEvent> {
        std::mem::take(&mut self.first)
    }

    /// Members for the block's start in a dialect of this format, reported ahead of it. A call by the model itself is
    /// the default, which is not reported.
    pub(super) fn members_in_front(&self) -> Option<Opaque> {
        let announced = |own: &&Extension| own.key != "caller" || !own.json.contains("\"direct\"");
        let mut json = String::new();
        object(&mut json, |o| self.extensions.iter().filter(announced).for_each(|own| o.raw(&own.key, &own.json)));
        (json != "{}").then(|| Opaque { format: FORMAT.into(), kind: "content_block_start".into(), json })
    }

    /// Ends the block: returns the remaining event, and the members for its end. A call without input deltas has the
    /// input of its start, usually `{}` (C-05).
    pub(super) fn end(self) -> (Option<ChatEvent>, Vec<Extension>) {
        let part = self.part;
        let last = match self.kind {
            Kind::Call { input, has_input: false, .. } => {
                Some(ChatEvent::Delta(PartDelta { candidate: 0, part, text: input }))
            }
            Kind::Opaque(whole) => {
                Some(ChatEvent::PartStart(PartStart { candidate: 0, part, kind: PartKind::Opaque(whole.finished()) }))
            }
            _ => None,
        };
        (last, self.extensions)
    }
}

impl Whole {
    /// Adds a delta: a piece of the input, or texts that are appended to the member of the same name.
    pub(super) fn add(&mut self, delta: Delta<'_>) {
        self.input.push_str(delta.partial_json.as_deref().unwrap_or_default());
        let named = [("text", delta.text), ("thinking", delta.thinking), ("signature", delta.signature)];
        let named = named.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.into_string())));
        let others = delta.rest.0.into_iter();
        let others = others.filter_map(|(key, raw)| Some((key.into_string(), string(raw)?)));
        for (key, text) in named.chain(others) {
            match self.texts.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => known.push_str(&text),
                None => self.texts.push((key, text)),
            }
        }
    }

    fn finished(self) -> Opaque {
        if self.input.is_empty() && self.texts.is_empty() {
            return Opaque { format: FORMAT.into(), kind: self.kind, json: self.json };
        }
        let mut json = String::new();
        let block: Unnamed<'_> = parse(&self.json).unwrap_or_default();
        let grown = |key: &str| self.texts.iter().find(|(grown, _)| grown == key).map(|(_, text)| text);
        let input = Some(self.input.as_str()).filter(|input| parse::<&RawValue>(input).is_ok());
        object(&mut json, |o| {
            for (key, raw) in &block.rest.0 {
                match grown(key) {
                    Some(text) => o.str(key, &format!("{}{text}", string(raw).unwrap_or_default())),
                    None if &**key == "input" && input.is_some() => o.opt_raw(key, input),
                    None => o.raw(key, raw.get()),
                }
            }
            let known = |key: &str| block.rest.0.iter().any(|(known, _)| &**known == key);
            self.texts.iter().filter(|(key, _)| !known(key)).for_each(|(key, text)| o.str(key, text));
            o.opt_raw("input", input.filter(|_| !known("input")));
        });
        Opaque { format: FORMAT.into(), kind: self.kind, json }
    }
}

fn string(raw: &RawValue) -> Option<String> {
    parse::<Str<'_>>(raw.get()).ok().map(Str::into_string)
}

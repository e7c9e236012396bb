//! Decodes streamed answers: from Responses events to those of the unified model.
//!
//! The type of an event is read from its data; the frame's name may be missing (C-81).

mod rest;
mod thinking;
mod whole;

use self::rest::Told;
use super::read::{citation, is_own_call, item, lengths};
use super::response::{head, members, read_finish};
use super::{FORMAT, note, read_usage, units};
use crate::compat::error;
use crate::compat::names::Renamed;
use crate::compat::quirks::Quirks;
use crate::json::{self, RawValue, Rest, Str};
use crate::losses::extensions;
use crate::types::{
    CandidateFinish, CandidateLogprobs, ChatEvent, Context, Decoded, Error, Extension, Frame, Opaque, Part,
    PartCitation, PartDelta, PartKind, PartSignature, PartStart, PartStop, ResponseStart, ToolKind, ToolStart, Usage,
};

/// Decodes the events of one answer.
#[derive(Debug)]
pub struct EventDecoder {
    quirks: &'static Quirks,
    renamed: Renamed,
    parts: u32,
    open: Vec<Open>,
    /// Items that were announced and are not done, by their index in the output and their id: some servers never
    /// complete them.
    announced: Vec<(u32, String)>,
    /// The items of which a part was begun, by their index in the output.
    begun: Vec<u32>,
    called: bool,
    /// Number of texts and refusals so far.
    texts: u32,
    spoke: bool,
    ended: bool,
    events: Vec<ChatEvent>,
}

/// An open part.
#[derive(Debug)]
struct Open {
    /// The index of its item in the output.
    output: u32,
    /// Its index in the item's content; `None` if the part is an item.
    content: Option<u32>,
    part: u32,
    /// What has arrived of its text.
    told: Told,
    /// The number of its citations that have arrived.
    cited: usize,
    /// Whether it is a call whose arguments are JSON.
    is_function: bool,
    /// Lengths of the finished parts of a summary, and of the open one.
    summary: Vec<usize>,
    /// The index in the item's content of the thinking that arrived last.
    thinking: Option<u32>,
    words: &'static str,
}

impl EventDecoder {
    /// Creates the decoder.
    pub fn new(quirks: &'static Quirks, ctx: &Context) -> Self {
        let renamed = Renamed::from_memo(&ctx.memo);
        Self {
            quirks,
            renamed,
            parts: 0,
            open: Vec::new(),
            announced: Vec::new(),
            begun: Vec::new(),
            called: false,
            texts: 0,
            spoke: false,
            ended: false,
            events: Vec::new(),
        }
    }

    /// Decodes the frames of one read.
    pub fn push(&mut self, frames: &[Frame]) -> Decoded {
        for frame in frames.iter().filter(|frame| !frame.data.is_empty() && frame.data != "[DONE]") {
            if self.ended {
                break;
            }
            match Rest::parse(&frame.data) {
                Ok(wire) if is_error(&wire, frame) => self.fail(error::from_json(&frame.data, None)),
                Ok(wire) => self.event(wire, &frame.data),
                Err(error) => self.fail(Error::unreadable(format!("an event is not readable: {error}"))),
            }
        }
        Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() }
    }

    /// Called when the upstream has ended in an orderly way; a complete answer has a final event.
    pub fn finish(&mut self) -> Decoded {
        if !self.ended {
            self.fail(Error::unreadable("the provider's stream ended before the answer was complete"));
        }
        Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() }
    }

    fn fail(&mut self, error: Error) {
        self.ended = true;
        self.events.push(ChatEvent::Failure(error));
    }

    fn event(&mut self, mut wire: Rest<'_>, data: &str) {
        let kind = wire.str("type").map(Str::into_string).unwrap_or_default();
        let output = wire.count("output_index").unwrap_or(0);
        let content = wire.count("content_index");
        match kind.as_str() {
            "response.created" => self.start(wire),
            "response.in_progress"
            | "response.queued"
            | "response.reasoning_summary_part.done"
            | "response.reasoning_text.done" => {}
            "response.reasoning_summary_text.done" => self.summary_done(output, &mut wire),
            "response.output_item.added" => self.item_added(output, &mut wire, data),
            "response.output_item.done" => self.item_done(output, &mut wire),
            "response.content_part.added" => self.part_added(output, content, &mut wire),
            "response.content_part.done" => self.part_done(output, content, &mut wire),
            "response.output_text.delta" => self.words(output, content, "text", &mut wire, "delta"),
            "response.refusal.delta" => self.words(output, content, "refusal", &mut wire, "delta"),
            "response.output_text.done" => self.rest(output, content, "text", &mut wire, "text"),
            "response.refusal.done" => self.rest(output, content, "refusal", &mut wire, "refusal"),
            "response.output_text.annotation.added" => self.annotation(output, content, &mut wire),
            "response.reasoning_summary_part.added" => self.summary_part(output),
            "response.reasoning_summary_text.delta" => self.thought(output, None, "summary", &mut wire),
            "response.reasoning_text.delta" => self.thought(output, content, "content", &mut wire),
            "response.custom_tool_call_input.delta" | "response.custom_tool_call_input.done"
                if self.announced.iter().any(|(at, _)| *at == output) =>
            {
                self.pass(kind, data);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.words(output, None, "call", &mut wire, "delta");
            }
            "response.function_call_arguments.done" => self.rest(output, None, "call", &mut wire, "arguments"),
            "response.custom_tool_call_input.done" => self.rest(output, None, "call", &mut wire, "input"),
            "response.completed" | "response.incomplete" => self.end(&mut wire),
            "response.failed" => {
                let mut response = wire.object("response").unwrap_or_default();
                self.events.extend(usage_of(self.quirks, &mut response).map(ChatEvent::Usage));
                self.fail(error::from_json(response.value("error").map_or("{}", RawValue::get), None));
            }
            "error" => self.fail(error::from_json(data, None)),
            _ => self.pass(kind, data),
        }
    }

    /// Passes on an event that only this format has. One whose data is `null` is a note for the same format.
    fn pass(&mut self, kind: String, data: &str) {
        self.events.push(ChatEvent::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: data.to_owned() }));
    }

    fn start(&mut self, mut wire: Rest<'_>) {
        let mut response = wire.object("response").unwrap_or_default();
        let head = head(&mut response);
        for known in ["output", "status", "usage", "error", "incomplete_details"] {
            response.take(known);
        }
        self.events.push(ChatEvent::Start(ResponseStart {
            id: head.id,
            model: head.model,
            created_ms: head.created_ms,
            service_tier: response.str("service_tier").map(Str::into_string),
            extensions: members(response),
        }));
    }

    fn item_added(&mut self, output: u32, wire: &mut Rest<'_>, data: &str) {
        let mut item = wire.object("item").unwrap_or_default();
        let kind = item.str("type").map(Str::into_string).unwrap_or_default();
        let custom = kind == "custom_tool_call" && !is_own_call(&item, Some(self.quirks));
        if !custom && !["message", "reasoning", "function_call"].contains(&kind.as_str()) {
            self.announced.extend(item.str("id").map(|id| (output, id.into_string())));
            return self.pass("response.output_item.added".to_owned(), data);
        }
        // The item's id, for rendering this format again; it is a note, so other formats do not report it as lost.
        if let Some(id) = item.get("id").and_then(json::text) {
            self.note_id(&id, item.get("phase").map_or("null", RawValue::get));
        }
        if custom || kind == "function_call" {
            self.called = true;
            let id = item.str("call_id").or_else(|| item.str("id")).map(Str::into_string).unwrap_or_default();
            let name = item.str("name").map(Str::into_string).unwrap_or_default();
            let name = self.renamed.original(&name).to_owned();
            let kind = if custom { ToolKind::Custom } else { ToolKind::Function };
            self.open(output, None, "call", PartKind::ToolCall(ToolStart { id, name, kind, signature: None }));
        }
    }

    fn note_id(&mut self, id: &str, phase: &str) {
        self.pass(format!("item={id}\t{phase}"), "null");
    }

    fn item_done(&mut self, output: u32, wire: &mut Rest<'_>) {
        let Some(raw) = wire.value("item") else { return };
        let mut message = item(raw, Some(self.quirks));
        if !self.begun.contains(&output) && !matches!(message.parts.last(), Some(Part::Reasoning(_) | Part::Opaque(_)))
        {
            self.announced.retain(|(at, _)| *at != output);
            return self.whole_item(output, message.parts);
        }
        match message.parts.pop() {
            Some(Part::Reasoning(thought)) => {
                let at = self.find_or_open(output, None, "summary");
                let Some(open) = self.open.get(at) else { return };
                let (part, spoke, kind) = (open.part, open.told.is_any(), open.words);
                let mut extensions: Vec<Extension> = thought.extensions;
                if spoke {
                    extensions.retain(|own| own.json != "null" && own.key != kind);
                    extensions.push(note(kind, &lengths(open.summary.iter().copied())));
                } else if let Some(text) = thought.text {
                    self.note_thinking(&extensions);
                    self.delta(part, text);
                }
                extensions.extend(thought.id.as_deref().map(|id| note("id", id)));
                if let Some(signature) = thought.encrypted {
                    let event = PartSignature { candidate: 0, part, signature, encrypted: true };
                    self.events.push(ChatEvent::Signature(event));
                }
                self.close(output, None, extensions);
            }
            Some(Part::ToolCall(call)) => {
                if self.open.iter().any(|open| open.output == output) {
                    let at = self.find_or_open(output, None, "call");
                    self.say_rest(at, &rest::arguments(&call));
                }
                self.close(output, None, call.extensions);
            }
            Some(Part::Opaque(opaque)) => self.opaque_item(output, opaque),
            _ => {
                self.complete_message(output, raw);
                self.close_item(output);
            }
        }
    }

    /// Reports an item that only this format has as done.
    fn opaque_item(&mut self, output: u32, opaque: Opaque) {
        let id = Rest::parse(&opaque.json).ok().and_then(|mut item| item.str("id")).unwrap_or_default().into_string();
        self.announced.retain(|(_, known)| *known != id);
        self.open(output, None, "opaque", PartKind::Opaque(opaque));
        self.close(output, None, Vec::new());
    }

    fn part_added(&mut self, output: u32, content: Option<u32>, wire: &mut Rest<'_>) {
        let kind = wire.object("part").and_then(|mut part| part.str("type")).map(Str::into_string);
        match kind.as_deref() {
            Some("output_text") => self.find_or_open(output, content, "text"),
            Some("refusal") => self.find_or_open(output, content, "refusal"),
            _ => return,
        };
    }

    fn words(&mut self, output: u32, content: Option<u32>, words: &'static str, wire: &mut Rest<'_>, key: &str) {
        let text = wire.str(key).map(Str::into_string).unwrap_or_default();
        let at = self.find_or_open(output, content, words);
        if let Some(list) = wire.value("logprobs").filter(|list| list.get() != "[]") {
            let json = format!("{{\"content\":{},\"refusal\":null}}", list.get());
            self.events.push(ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json }));
        }
        self.say(at, text);
    }

    /// Reads the complete text of a part, of which what its pieces did not bring counts.
    fn rest(&mut self, output: u32, content: Option<u32>, words: &'static str, wire: &mut Rest<'_>, key: &str) {
        let at = self.find_or_open(output, content, words);
        if let Some(whole) = wire.str(key) {
            self.say_rest(at, &whole);
        }
    }

    fn say(&mut self, at: usize, text: String) {
        let Some(open) = self.open.get_mut(at).filter(|_| !text.is_empty()) else { return };
        open.told.add(&text);
        if let Some(length) = open.summary.last_mut() {
            *length += text.len();
        }
        let part = open.part;
        self.delta(part, text);
    }

    fn delta(&mut self, part: u32, text: String) {
        self.events.push(ChatEvent::Delta(PartDelta { candidate: 0, part, text }));
    }

    fn annotation(&mut self, output: u32, content: Option<u32>, wire: &mut Rest<'_>) {
        let Some(raw) = wire.value("annotation") else { return };
        let at = self.find_or_open(output, content, "text");
        let Some(open) = self.open.get_mut(at) else { return };
        open.cited += 1;
        let event = PartCitation { candidate: 0, part: open.part, citation: citation(raw) };
        self.events.push(ChatEvent::Citation(event));
    }

    fn find_or_open(&mut self, output: u32, content: Option<u32>, words: &'static str) -> usize {
        if let Some(at) = self.open.iter().position(|open| open.output == output && open.content == content) {
            if let Some(open) = self.open.get_mut(at).filter(|open| !open.told.is_any()) {
                open.words = words;
            }
            return at;
        }
        let kind = match words {
            "refusal" => PartKind::Refusal,
            "summary" | "content" => PartKind::Reasoning,
            _ => PartKind::Text,
        };
        self.open(output, content, words, kind)
    }

    fn open(&mut self, output: u32, content: Option<u32>, words: &'static str, kind: PartKind) -> usize {
        let part = self.parts;
        self.parts += 1;
        self.spoke = true;
        if !self.begun.contains(&output) {
            self.begun.push(output);
        }
        self.texts += u32::from(matches!(kind, PartKind::Text | PartKind::Refusal));
        let is_function = matches!(&kind, PartKind::ToolCall(call) if call.kind == ToolKind::Function);
        self.events.push(ChatEvent::PartStart(PartStart { candidate: 0, part, kind }));
        let (told, cited, summary, thinking) = (Told::default(), 0, Vec::new(), None);
        self.open.push(Open { output, content, part, told, cited, is_function, summary, thinking, words });
        self.open.len() - 1
    }

    fn close(&mut self, output: u32, content: Option<u32>, extensions: Vec<Extension>) {
        if let Some(at) = self.open.iter().position(|open| open.output == output && open.content == content) {
            let part = self.open.remove(at).part;
            self.events.push(ChatEvent::PartStop(PartStop { candidate: 0, part, extensions }));
        }
    }

    fn close_item(&mut self, output: u32) {
        while let Some(open) = self.open.iter().find(|open| open.output == output) {
            let content = open.content;
            self.close(output, content, Vec::new());
        }
    }

    fn end(&mut self, wire: &mut Rest<'_>) {
        let mut response = wire.object("response").unwrap_or_default();
        let status = response.str("status").map(Str::into_string).unwrap_or_default();
        if self.spoke {
            self.complete_open(&response);
            self.forgotten(&response);
            self.untold(&response);
        } else {
            self.whole(&response);
        }
        while let Some(open) = self.open.first() {
            let (output, content) = (open.output, open.content);
            if open.is_function && !open.told.is_any() && status != "incomplete" {
                self.say(0, "{}".to_owned());
            }
            self.close(output, content, Vec::new());
        }
        let details = response.object("incomplete_details").and_then(|mut details| details.str("reason"));
        if let Some(finish) = read_finish(&status, details.as_deref(), self.called) {
            self.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
        }
        self.events.extend(usage_of(self.quirks, &mut response).map(ChatEvent::Usage));
        for known in ["id", "object", "model", "created_at", "output", "error"] {
            response.take(known);
        }
        let news = extensions(FORMAT, response);
        if !news.is_empty() {
            let mut members = String::new();
            json::object(&mut members, |o| news.iter().for_each(|member| o.raw(&member.key, &member.json)));
            self.pass(format!("end={members}"), "null");
        }
        self.ended = true;
    }
}

/// The usage of a response at its end, with the tier that served it: its beginning has the one that was asked for.
fn usage_of(quirks: &Quirks, response: &mut Rest<'_>) -> Option<Usage> {
    let service_tier = response.get("service_tier").and_then(json::text).map(Str::into_string);
    let output = response.get("output").and_then(json::list).unwrap_or_default();
    let usage = response.object("usage").and_then(read_usage)?;
    Some(Usage { service_tier, ..units::counted(quirks, usage, &output) })
}

/// Whether an event is an error, also where its type does not say so: servers and proxies that know no Responses send
/// Chat's.
fn is_error(wire: &Rest<'_>, frame: &Frame) -> bool {
    frame.event.as_deref() == Some("error") || (wire.get("type").is_none() && wire.get("error").is_some())
}

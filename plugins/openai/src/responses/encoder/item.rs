//! An item of an answer that is being streamed, and its JSON.

use weir_sdk::compat::responses::FORMAT;
use weir_sdk::compat::responses::write::{call, output_text, reasoning};
use weir_sdk::json;
use weir_sdk::losses::extension;
use weir_sdk::types::{Citation, Extension, ReasoningPart, TextPart, ToolCall, ToolKind};

/// One item that is not done.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) phase: Option<String>,
    pub(super) at: u32,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A message with its texts and refusals, and their parts.
    Message(Vec<Content>),
    /// Thinking, whose summary may have several parts.
    Reasoning { part: u32, thought: ReasoningPart, parts: ThoughtParts },
    /// A `function_call` or `custom_tool_call` that is being written.
    Call { part: u32, call: ToolCall },
}

/// The parts of thinking that is being written.
#[derive(Debug, Default)]
pub(super) struct ThoughtParts {
    /// The lengths of those that are done, in bytes.
    pub(super) done: Vec<usize>,
    /// Where the open one begins in the text.
    pub(super) begin: usize,
    /// Whether another one has been announced.
    pub(super) is_next: bool,
}

/// A text or a refusal of a message.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) part: u32,
    pub(super) refusal: bool,
    pub(super) text: TextPart,
    /// Citations that belong to the whole text, and so wait for its end.
    pub(super) whole: Vec<Citation>,
    /// The log probabilities of the text, as the inside of a list.
    pub(super) logprobs: String,
    pub(super) done: bool,
}

impl Content {
    pub(super) fn new(part: u32, refusal: bool) -> Self {
        let text = TextPart::new("");
        Self { part, refusal, text, whole: Vec::new(), logprobs: String::new(), done: false }
    }

    /// Adds log probabilities of the text, which have the same form.
    pub(super) fn add_logprobs(&mut self, more: &str) {
        if !self.logprobs.is_empty() && !more.is_empty() {
            self.logprobs.push(',');
        }
        self.logprobs.push_str(more);
    }

    pub(super) fn json(&self) -> String {
        let mut out = String::new();
        json::object(&mut out, |o| {
            if self.refusal {
                o.str("type", "refusal");
                o.str("refusal", &self.text.text);
            } else {
                let mut text = self.text.clone();
                if !self.logprobs.is_empty() {
                    let json = list(&self.logprobs);
                    text.extensions.push(Extension { format: FORMAT.to_owned(), key: "logprobs".to_owned(), json });
                }
                output_text(o, &text);
            }
        });
        out
    }
}

/// A list with this inside.
pub(super) fn list(inside: &str) -> String {
    format!("[{inside}]")
}

/// The inside of a list.
pub(super) fn unlisted(list: String) -> String {
    list.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::to_owned).unwrap_or(list)
}

impl Item {
    /// The item as JSON, in progress or complete.
    pub(super) fn json(&self, status: &str) -> String {
        let mut out = String::new();
        json::object(&mut out, |o| match &self.kind {
            Kind::Message(contents) => {
                o.str("id", &self.id);
                o.str("type", "message");
                o.str("status", status);
                o.opt_raw("phase", self.phase.as_deref());
                o.array("content", |a| contents.iter().for_each(|content| a.raw(&content.json())));
                o.str("role", "assistant");
            }
            Kind::Reasoning { thought, .. } => {
                let id = Some(self.id.clone());
                reasoning(o, &ReasoningPart { id, ..thought.clone() }, None);
            }
            Kind::Call { call: one, .. } => {
                o.str("id", &self.id);
                // A call that was cut off has its own status.
                match extension(&one.extensions, FORMAT, "status").filter(|_| status != "in_progress") {
                    Some(own) => o.raw("status", own),
                    None => o.str("status", status),
                }
                let mut one = one.clone();
                one.extensions.retain(|e| e.key != "id" && e.key != "status");
                if status == "in_progress" {
                    in_progress(o, &one);
                } else {
                    call(o, &one, None);
                }
            }
        });
        out
    }
}

/// A call whose arguments have not arrived.
fn in_progress(o: &mut json::Object<'_>, call: &ToolCall) {
    let (kind, text) = words(call.kind);
    o.str("type", kind);
    o.str(text, "");
    o.str("call_id", &call.id);
    o.str("name", &call.name);
    o.opt_raw("namespace", extension(&call.extensions, FORMAT, "namespace"));
}

pub(super) fn words(kind: ToolKind) -> (&'static str, &'static str) {
    match kind {
        ToolKind::Function => ("function_call", "arguments"),
        ToolKind::Custom => ("custom_tool_call", "input"),
    }
}

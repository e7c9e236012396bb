//! A walk over every text of a request: messages of all roles, thinking, arguments and results of tools, refusals,
//! names and addresses of files, descriptions of tools, schemas, labels, and whatever a format calls by a name of its
//! own. Texts within JSON are visited as a reader of that JSON sees them, without escapes, member names included.

mod json;
mod runs;

use self::json::fixed_json;
use self::runs::{Kind, Runs};
use super::Asked;
use super::documents::{self, DataUrl, Document};
use crate::types::{
    ChatRequest, EmbeddingInput, EmbeddingsRequest, Extension, MediaPart, MediaSource, Message, OutputFormat, Part,
    RerankDocument, RerankRequest, ResultPart, Role, TextPart, Tool, ToolChoice, ToolKind,
};

pub use self::json::json;

/// What is done with each text: it may be changed, except where it is vouched for.
pub type Visit<'v> = dyn FnMut(&mut Text<'_>) + 'v;

/// A text of a request.
#[derive(Debug)]
pub struct Text<'t> {
    value: &'t mut String,
    is_fixed: bool,
    is_changed: bool,
    run: Option<u32>,
}

impl<'t> Text<'t> {
    fn of(text: &'t mut String) -> Self {
        Self { value: text, is_fixed: false, is_changed: false, run: None }
    }

    /// The number of the texts that this one may be put together with, in the order of the walk: a provider, or the
    /// translation to its format, joins what follows each other.
    pub fn run(&self) -> Option<u32> {
        self.run
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.value
    }

    /// Whether a signature or an issuer vouches for the text, or its format gives it a meaning: such a text reaches its
    /// provider as it is or not at all.
    pub fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// Puts another text in its place; a fixed text stays.
    pub fn set(&mut self, text: String) {
        if !self.is_fixed {
            *self.value = text;
            self.is_changed = true;
        }
    }
}

/// Visits every text of a request.
pub fn visit(asked: &mut Asked, f: &mut Visit<'_>) {
    match asked {
        Asked::Withheld => {}
        Asked::Chat(request) => chat(request, f),
        Asked::Embeddings(request) => embeddings(request, f),
        Asked::Rerank(request) => rerank(request, f),
        Asked::Other(body) => json(body, f),
    }
}

fn chat(request: &mut ChatRequest, f: &mut Visit<'_>) {
    let mut runs = Runs::default();
    for one in &mut request.messages {
        message(one, runs.next(one), f);
    }
    for tool in &mut request.tools {
        match tool {
            Tool::Function(tool) => {
                plain(&mut tool.name, f);
                option(&mut tool.description, f);
                if let Some(text) = &mut tool.parameters {
                    json(text, f);
                }
                extensions(&mut tool.extensions, f);
            }
            Tool::Opaque(tool) => json(&mut tool.json, f),
        }
    }
    match &mut request.tool_choice {
        Some(ToolChoice::Named(name)) => plain(name, f),
        Some(ToolChoice::Allowed(allowed)) => allowed.names.iter_mut().for_each(|name| plain(name, f)),
        Some(ToolChoice::Opaque(choice)) => json(&mut choice.json, f),
        Some(ToolChoice::Automatic | ToolChoice::Disabled | ToolChoice::Required) | None => {}
    }
    match &mut request.output {
        Some(OutputFormat::Schema(schema)) => {
            option(&mut schema.name, f);
            option(&mut schema.description, f);
            json(&mut schema.schema, f);
        }
        Some(OutputFormat::Opaque(output)) => json(&mut output.json, f),
        Some(OutputFormat::Plain | OutputFormat::Json) | None => {}
    }
    for text in &mut request.sampling.stop {
        plain(text, f);
    }
    option(&mut request.end_user, f);
    if let Some(text) = &mut request.metadata {
        json(text, f);
    }
    if let Some(reasoning) = &mut request.reasoning {
        extensions(&mut reasoning.extensions, f);
    }
    option(&mut request.cache_key, f);
    extensions(&mut request.extensions, f);
}

fn message(message: &mut Message, run: u32, f: &mut Visit<'_>) {
    if let Role::Other(role) = &mut message.role {
        fixed(role, f);
    }
    option(&mut message.name, f);
    for one in &mut message.parts {
        part(one, run, f);
    }
    extensions(&mut message.extensions, f);
}

fn part(part: &mut Part, run: u32, f: &mut Visit<'_>) {
    let of = |kind: Kind| run.saturating_mul(4).saturating_add(kind as u32);
    match part {
        Part::Text(part) => text_part(part, of(Kind::Text), f),
        Part::Media(part) => media(part, f),
        Part::ToolCall(call) => {
            plain(&mut call.name, f);
            let is_fixed = call.signature.is_some();
            match call.kind {
                ToolKind::Function if is_fixed => fixed_json(&call.arguments, f),
                ToolKind::Function => json(&mut call.arguments, f),
                ToolKind::Custom => fixed_if(is_fixed, &mut call.arguments, f),
            }
            extensions(&mut call.extensions, f);
        }
        Part::ToolResult(result) => {
            option(&mut result.name, f);
            for piece in &mut result.content {
                match piece {
                    ResultPart::Text(part) => text_part(part, of(Kind::Result), f),
                    ResultPart::Media(part) => media(part, f),
                    ResultPart::Json(text) => json(text, f),
                    ResultPart::Opaque(part) => json(&mut part.json, f),
                }
            }
            extensions(&mut result.extensions, f);
        }
        Part::Reasoning(part) => {
            let is_fixed = part.signature.is_some() || part.encrypted.is_some();
            if let Some(text) = &mut part.text {
                in_run(of(Kind::Thinking), is_fixed, text, f);
            }
            extensions(&mut part.extensions, f);
        }
        Part::Refusal(text) => in_run(of(Kind::Refusal), false, text, f),
        Part::Opaque(part) => json(&mut part.json, f),
    }
}

fn text_part(part: &mut TextPart, run: u32, f: &mut Visit<'_>) {
    in_run(run, part.signature.is_some(), &mut part.text, f);
    for citation in &mut part.citations {
        option(&mut citation.url, f);
        option(&mut citation.title, f);
        option(&mut citation.quote, f);
        if let Some(source) = &mut citation.source {
            json(&mut source.json, f);
        }
    }
    extensions(&mut part.extensions, f);
}

fn media(part: &mut MediaPart, f: &mut Visit<'_>) {
    option(&mut part.name, f);
    match &mut part.source {
        MediaSource::Url(url) => match DataUrl::read(url) {
            Some(data) => data_url(url, data, f),
            None => plain(url, f),
        },
        MediaSource::Text(text) => plain(text, f),
        MediaSource::Base64(data) => {
            if let Some(mut found) = Document::of_base64(part.mime.as_deref(), data)
                && document(&mut found, f)
            {
                *data = documents::encoded(&found.text);
            }
        }
        MediaSource::FileId(_) => {}
    }
    extensions(&mut part.extensions, f);
}

/// Visits the text of a data URL, and what stands before it.
fn data_url(url: &mut String, mut data: DataUrl, f: &mut Visit<'_>) {
    let head = data.head.clone();
    plain(&mut data.head, f);
    if document(&mut data.document, f) || data.head != head {
        *url = data.write();
    }
}

/// Visits the text of a document, and tells whether it has changed. One that is not in UTF-8 stays as it is.
fn document(document: &mut Document, f: &mut Visit<'_>) -> bool {
    let Document { text, is_exact, is_json } = document;
    let before = text.clone();
    match (*is_json, *is_exact) {
        (true, true) => json(text, f),
        (true, false) => fixed_json(text, f),
        (false, is_exact) => fixed_if(!is_exact, text, f),
    }
    *text != before
}

fn embeddings(request: &mut EmbeddingsRequest, f: &mut Visit<'_>) {
    for input in &mut request.inputs {
        match input {
            EmbeddingInput::Text(text) => plain(text, f),
            EmbeddingInput::Media(part) => media(part, f),
            EmbeddingInput::Tokens(_) => {}
        }
    }
    option(&mut request.title, f);
    option(&mut request.end_user, f);
    extensions(&mut request.extensions, f);
}

fn rerank(request: &mut RerankRequest, f: &mut Visit<'_>) {
    plain(&mut request.query, f);
    for document in &mut request.documents {
        match document {
            RerankDocument::Text(text) => plain(text, f),
            RerankDocument::Json(text) => json(text, f),
        }
    }
    extensions(&mut request.extensions, f);
}

fn extensions(all: &mut [Extension], f: &mut Visit<'_>) {
    for one in all {
        fixed(&mut one.key, f);
        json(&mut one.json, f);
    }
}

fn option(text: &mut Option<String>, f: &mut Visit<'_>) {
    if let Some(text) = text {
        plain(text, f);
    }
}

fn plain(text: &mut String, f: &mut Visit<'_>) {
    f(&mut Text::of(text));
}

/// Visits a name that its format gives a meaning to, and that cannot be another.
fn fixed(text: &mut String, f: &mut Visit<'_>) {
    fixed_if(true, text, f);
}

fn fixed_if(is_fixed: bool, text: &mut String, f: &mut Visit<'_>) {
    f(&mut Text { is_fixed, ..Text::of(text) });
}

/// Visits a text that may be put together with others.
fn in_run(run: u32, is_fixed: bool, text: &mut String, f: &mut Visit<'_>) {
    f(&mut Text { run: Some(run), is_fixed, ..Text::of(text) });
}

#[cfg(test)]
mod tests;

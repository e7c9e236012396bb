//! A walk over every text of a request: messages of all roles, thinking, arguments and results of tools, refusals, names
//! and addresses of files, descriptions of tools, schemas, labels, and whatever a format calls by a name of its own.
//! Texts within JSON are visited as a reader of that JSON sees them, without escapes, member names included.

use super::documents::{self, DataUrl, Document};
use super::{Asked, spelling};
use crate::types::{
    ChatRequest, EmbeddingInput, EmbeddingsRequest, Extension, MediaPart, MediaSource, Message, OutputFormat, Part,
    RerankDocument, RerankRequest, ResultPart, Role, TextPart, Tool, ToolChoice, ToolKind,
};

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

    /// Whether a signature or an issuer vouches for the text, or its format gives it a meaning: such a text reaches its provider as it is or not at all.
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

/// What the texts of a message are, as far as others may be put together with them.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Thinking,
    Refusal,
    Result,
}

/// Messages that follow each other and have the same role. Those for the system are one, wherever they stand, since
/// formats that have one place for them put them there.
#[derive(Debug, Default)]
struct Runs {
    role: Option<Role>,
    number: u32,
}

impl Runs {
    /// The number of the run that a message belongs to. One that says nothing ends no run: it may be left out.
    fn next(&mut self, message: &Message) -> u32 {
        if matches!(message.role, Role::System | Role::Developer) {
            return 0;
        }
        let is_empty = |part: &Part| matches!(part, Part::Text(part) if part.text.is_empty());
        // Formats without a turn for results have them in the user's.
        let role = if message.role == Role::Tool { &Role::User } else { &message.role };
        let is_same = self.role.as_ref() == Some(role) || message.parts.iter().all(is_empty);
        if !is_same {
            self.role = Some(role.clone());
            self.number = self.number.saturating_add(1);
        }
        self.number
    }
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

/// Visits the strings and numbers of JSON that stays as it is.
fn fixed_json(text: &str, f: &mut Visit<'_>) {
    json(&mut text.to_owned(), &mut |found| f(&mut Text { is_fixed: true, ..Text::of(found.value) }));
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

/// Visits the strings and numbers of a JSON text. In the place of a number, another text is put as a string. What is not
/// JSON is visited as it is: a model may have written it.
pub fn json(text: &mut String, f: &mut Visit<'_>) {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return plain(text, f);
    }
    let (mut changed, mut copied): (Option<String>, usize) = (None, 0);
    let mut at = 0;
    while let Some(start) = next(text, at) {
        let is_string = text.as_bytes().get(start) == Some(&b'"');
        let end = if is_string { end_of_string(text, start) } else { end_of_number(text, start) };
        let Some(token) = end.and_then(|end| text.get(start..end)) else { break };
        at = start + token.len();
        let mut value = if is_string { spelling::of_json(token) } else { token.to_owned() };
        let mut visited = Text::of(&mut value);
        f(&mut visited);
        if visited.is_changed {
            let out = changed.get_or_insert_default();
            out.push_str(text.get(copied..start).unwrap_or_default());
            out.push_str(&serde_json::Value::String(value).to_string());
            copied = at;
        }
    }
    if let Some(mut out) = changed {
        out.push_str(text.get(copied..).unwrap_or_default());
        *text = out;
    }
}

/// The place of the next string or number of a JSON text.
fn next(text: &str, at: usize) -> Option<usize> {
    let begins = |byte: &u8| matches!(byte, b'"' | b'-' | b'0'..=b'9');
    Some(at + text.as_bytes().get(at..)?.iter().position(begins)?)
}

/// The place behind the number that begins at `start`.
fn end_of_number(text: &str, start: usize) -> Option<usize> {
    let goes_on = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    let rest = text.as_bytes().get(start..)?;
    Some(start + rest.iter().position(|byte| !goes_on(byte)).unwrap_or(rest.len()))
}

/// The place behind the closing quote of the string that begins at `start`.
fn end_of_string(text: &str, start: usize) -> Option<usize> {
    let mut is_escaped = false;
    let inside = text.as_bytes().get(start + 1..)?;
    let closing = inside.iter().position(|byte| {
        let closes = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        closes
    });
    closing.map(|at| start + at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AllowedTools, FunctionTool, MediaKind, ToolResult};

    fn texts(text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        json(&mut text.to_owned(), &mut |text| seen.push(text.as_str().to_owned()));
        seen
    }

    #[test]
    fn strings_in_json_are_seen_without_escapes_and_names_too() {
        assert_eq!(texts(r#"{"a\u0062":["x\"y",{"n":-1.5e3}],"e":"\\"}"#), ["ab", "x\"y", "n", "-1.5e3", "e", "\\"]);
        assert_eq!(texts("{\"half\": \"of i"), ["{\"half\": \"of i"], "what is no JSON is a text");
    }

    #[test]
    fn names_of_tools_are_seen_wherever_they_stand() {
        let result = ToolResult { name: Some("a".into()), ..ToolResult::new("c") };
        let parts = vec![Part::ToolResult(result)];
        let message = Message { role: Role::Tool, name: None, parts, extensions: Vec::new() };
        let allowed = AllowedTools { names: vec!["b".into(), "c".into()], required: false };
        for (choice, expected) in
            [(ToolChoice::Named("b".into()), vec!["a", "b"]), (ToolChoice::Allowed(allowed), vec!["a", "b", "c"])]
        {
            let (messages, tool_choice) = (vec![message.clone()], Some(choice));
            let mut asked = Asked::Chat(ChatRequest { messages, tool_choice, ..ChatRequest::default() });
            let mut seen = Vec::new();
            visit(&mut asked, &mut |text| seen.push(text.as_str().to_owned()));
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn half_a_character_hides_nothing() {
        assert_eq!(
            texts(r#"{"q":"the key \u0041KIA \ud83d","card":4111111111111111}"#).concat(),
            "qthe key AKIA \u{fffd}card4111111111111111"
        );
    }

    #[test]
    fn a_number_that_is_changed_becomes_a_string() {
        let mut text = r#"{"card":4111111111111111,"n":[1, 2]}"#.to_owned();
        json(&mut text, &mut |text| {
            if text.as_str().len() > 10 {
                text.set("[card]".to_owned());
            }
        });
        assert_eq!(text, r#"{"card":"[card]","n":[1, 2]}"#);
    }

    #[test]
    fn numbers_are_seen_wherever_json_stands() {
        let number = || "{\"n\":4111111111111111}".to_owned();
        let extensions = || vec![Extension { format: "f".into(), key: "k".into(), json: number() }];
        let (name, parameters) = ("t".to_owned(), Some(number()));
        let (description, strict, cache, extended) = (None, None, None, Vec::new());
        let tool = FunctionTool { name, description, parameters, strict, cache, extensions: extended };
        let documents = vec![RerankDocument::Json(number())];
        let chat = ChatRequest {
            tools: vec![Tool::Function(tool)],
            metadata: Some(number()),
            extensions: extensions(),
            ..ChatRequest::default()
        };
        let (model, query, extensions) = (String::new(), String::new(), extensions());
        let rerank = RerankRequest { model, query, documents, top_n: None, return_documents: None, extensions };
        for (mut asked, count) in [(Asked::Chat(chat), 3), (Asked::Rerank(rerank), 2), (Asked::Other(number()), 1)] {
            let mut seen = 0;
            visit(&mut asked, &mut |text| seen += usize::from(text.as_str() == "4111111111111111"));
            assert_eq!(seen, count);
        }
    }

    fn media_of(mime: Option<&str>, source: MediaSource) -> Asked {
        let media = MediaPart { mime: mime.map(str::to_owned), ..MediaPart::new(MediaKind::Document, source) };
        let (name, extensions) = (None, Vec::new());
        let message = Message { role: Role::User, name, parts: vec![Part::Media(media)], extensions };
        Asked::Chat(ChatRequest { messages: vec![message], ..ChatRequest::default() })
    }

    #[test]
    fn text_documents_are_seen_and_written_anew() {
        let base64 = |text: &str| MediaSource::Base64(documents::encoded(text));
        let url = |url: &str| MediaSource::Url(url.to_owned());
        for (mime, source, masked) in [
            (Some("text/plain"), base64("say hush"), base64("say [x]")),
            (None, base64("hush"), base64("[x]")),
            (Some("application/json"), base64("{\"a\":\"\\u0068ush\"}"), base64("{\"a\":\"[x]\"}")),
            (None, url("data:text/plain,h%75sh"), url("data:text/plain,%5Bx%5D")),
            (None, url("data:a/json;name=hush;base64,MQ=="), url("data:a/json;name=[x];base64,MQ==")),
        ] {
            let mut asked = media_of(mime, source);
            visit(&mut asked, &mut |text| {
                let masked = text.as_str().replace("hush", "[x]");
                if masked != text.as_str() {
                    text.set(masked);
                }
            });
            assert_eq!(asked, media_of(mime, masked));
        }
        let mut fixed = media_of(Some("text/plain"), MediaSource::Base64("aHVzaP8=".into()));
        let mut count = 0;
        visit(&mut fixed, &mut |text| count += usize::from(text.is_fixed() && text.as_str().starts_with("hush")));
        assert_eq!(count, 1, "its bytes cannot be written anew");
    }

    #[test]
    fn only_changed_strings_are_written_anew() {
        let mut text = r#"{ "a" : "\u0078", "b":1.50, "c":"x" }"#.to_owned();
        json(&mut text, &mut |text| {
            if text.as_str() == "c" {
                text.set("\"".to_owned());
            }
        });
        assert_eq!(text, r#"{ "a" : "\u0078", "b":1.50, "\"":"x" }"#);
    }
}

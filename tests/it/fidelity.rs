//! Recordings of the real services through the gateway: relayed, the bytes are equal; translated to the same format,
//! the meaning is; translated to another one, the text, tool calls, finish and tokens that its clients read.

use std::path::PathBuf;

use serde_json::Value;
use weir_tests::parsed_answer::{Format, ParsedAnswer};
use weir_tests::{Answer, Gateway, Reply, Request, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, WireFormat};

/// A recorded exchange.
pub(crate) struct Recording {
    pub(crate) id: String,
    wire_format: WireFormat,
    model: String,
    pub(crate) stream: bool,
    features: Vec<String>,
    request: Value,
    kind: String,
    body: Vec<u8>,
}

fn folder() -> PathBuf {
    weir_tests::plugins::root().join("../shared/fixtures")
}

/// The successful chats of a service; none if the recordings are not available.
pub(crate) fn recordings(wire_format: WireFormat) -> Vec<Recording> {
    let Ok(entries) = std::fs::read_dir(folder().join(wire_format.name).join("chat")) else {
        println!("skipped: there are no recordings of {}", wire_format.name);
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files.iter().filter_map(|file| recording(wire_format, &std::fs::read_to_string(file).ok()?)).collect()
}

fn recording(wire_format: WireFormat, text: &str) -> Option<Recording> {
    let whole: Value = serde_json::from_str(text).ok()?;
    let response = &whole["response"];
    let body = match &response["body_text"] {
        Value::String(text) => text.clone().into_bytes(),
        _ => serde_json::to_vec_pretty(&response["body"]).ok()?,
    };
    // Recordings of Anthropic's service in OpenAI's format are left out.
    let path = whole["request"]["path_and_query"].as_str()?.split('?').next()?;
    let is_chat = match wire_format.format {
        Format::Anthropic => path == "/v1/messages",
        // Without `alt=sse`, a stream is a list, which Weir never asks for.
        Format::Gemini => path.ends_with("enerateContent") && whole["framing"] != "json_array",
        _ => path == "/v1/chat/completions",
    };
    // Gemini's has it in the path.
    let in_path = || path.rsplit_once('/')?.1.split(':').next();
    let model = whole["request"]["body"]["model"].as_str().or_else(in_path).unwrap_or_default().to_owned();
    let features = whole["features"].as_array()?.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    (response["status"] == 200 && is_chat).then(|| Recording {
        id: whole["id"].as_str().unwrap_or_default().to_owned(),
        wire_format,
        model,
        stream: whole["streaming"] == true,
        features,
        request: whole["request"]["body"].clone(),
        kind: response["headers"]["content-type"].as_str().unwrap_or("application/json").to_owned(),
        body,
    })
}

impl Recording {
    /// The same request, with white space added.
    fn request(&self) -> Request {
        let body = serde_json::to_string_pretty(&self.request).unwrap();
        match self.wire_format.format {
            Format::Anthropic => Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01"),
            _ => Request::post("/v1/chat/completions", body),
        }
    }

    /// The requested model.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn answer(&self) -> Answer {
        Answer::begin(200, &[("content-type", &self.kind)]).pieces(&self.body, 617).end()
    }

    pub(crate) fn parsed(&self) -> ParsedAnswer {
        parse(self.wire_format.format, self.stream, &self.body)
    }

    fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|word| word == feature)
    }

    /// Whether the recorded stream stops before its end.
    pub(crate) fn is_cut(&self) -> bool {
        self.has("stream_cut") || (self.stream && !self.parsed().complete)
    }
}

fn parse(format: Format, stream: bool, body: &[u8]) -> ParsedAnswer {
    let text = String::from_utf8_lossy(body);
    if stream {
        ParsedAnswer::stream(format, &text)
    } else {
        ParsedAnswer::whole(format, &serde_json::from_str(&text).unwrap_or_default())
    }
}

/// A gateway whose models are all served by one provider, under their own names.
pub(crate) async fn gateway(wire_format: WireFormat, upstream: &Upstream, translate: bool) -> Gateway {
    let name = wire_format.name;
    let settings = format!(
        "default_provider = \"{name}\"\n[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\n\
         url = \"{}\"\napi_key = \"kkkk\"\nusage = \"tap\"\ntranslate = {translate}\n",
        upstream.url()
    );
    Gateway::open(&settings).await
}

async fn replayed(gateway: &Gateway, upstream: &Upstream, recording: &Recording, request: &Request) -> Reply {
    upstream.now(recording.answer());
    gateway.ask(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn relayed_recordings_keep_every_byte() {
    let mut upstream = Upstream::always(Answer::default()).await;
    for wire_format in [OPENAI, ANTHROPIC] {
        let gateway = gateway(wire_format, &upstream, false).await;
        for recording in recordings(wire_format) {
            let request = recording.request();
            let reply = replayed(&gateway, &upstream, &recording, &request).await;
            assert!(reply.body == recording.body, "{}: {}", recording.id, reply.text());
            assert!(upstream.request().await.body == request.sent(), "{}", recording.id);
        }
    }
}

/// The differences of two answers, as texts; empty if there are none.
pub(crate) fn differences(expected: &ParsedAnswer, parsed: &ParsedAnswer, other: bool) -> Vec<String> {
    let mut all = Vec::new();
    let mut differ = |what: &str, expected: String, parsed: String| {
        if expected != parsed {
            all.push(format!("{what}: wanted {expected}, parsed {parsed}"));
        }
    };
    differ("text", format!("{:?}", expected.text), format!("{:?}", parsed.text));
    let calls = |parsed: &ParsedAnswer| -> Vec<(String, String, Value)> {
        parsed.calls.iter().map(|call| (call.id.clone(), call.name.clone(), call.value())).collect()
    };
    differ("calls", format!("{:?}", calls(expected)), format!("{:?}", calls(parsed)));
    differ("finish", format!("{:?}", expected.finish), format!("{:?}", parsed.finish));
    if expected.tokens.is_some() {
        differ("tokens", format!("{:?}", expected.tokens), format!("{:?}", parsed.tokens));
    }
    if !other {
        differ("thinking", format!("{:?}", expected.thinking), format!("{:?}", parsed.thinking));
        differ("refusal", format!("{:?}", expected.refusal), format!("{:?}", parsed.refusal));
    }
    all
}

/// Reports the problems of all recordings at once.
pub(crate) fn report(what: &str, count: usize, problems: &[String]) {
    println!("{what}: {count} recordings, {} differ", problems.len());
    assert!(problems.is_empty(), "{what}: {} of {count} differ\n{}", problems.len(), problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_translated_to_their_own_format_mean_the_same() {
    let mut upstream = Upstream::always(Answer::default()).await;
    let (mut count, mut problems) = (0, Vec::new());
    for wire_format in [OPENAI, ANTHROPIC] {
        let gateway = gateway(wire_format, &upstream, true).await;
        for recording in recordings(wire_format) {
            let reply = replayed(&gateway, &upstream, &recording, &recording.request()).await;
            count += 1;
            if reply.status() != 200 {
                problems.push(format!("{}: {} {}", recording.id, reply.status(), reply.text()));
                continue;
            }
            let sent = upstream.request().await.json();
            let parsed = parse(wire_format.format, recording.stream, &reply.body);
            let mut found = unlike(&recording.request, &sent);
            if !recording.is_cut() {
                found.extend(differences(&mended(recording.parsed()), &parsed, false));
            } else if parsed.complete && parsed.error.is_none() && recording.parsed().finish.is_none() {
                found.push(format!("what broke off looks complete: {}", reply.text()));
            }
            problems.extend((!found.is_empty()).then(|| format!("{}: {}", recording.id, found.join("; "))));
        }
    }
    report("same format", count, &problems);
}

/// The differences of two requests, as pointers; equal spellings do not count.
fn unlike(recorded: &Value, sent: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", &plain(recorded), &plain(sent), &mut found);
    found
}

fn compare(place: &str, recorded: &Value, sent: &Value, found: &mut Vec<String>) {
    match (recorded, sent) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for key in keys {
                let at = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare(&format!("{place}/{key}"), &at(ours), &at(theirs), found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                compare(&format!("{place}/{at}"), ours, theirs, found);
            }
        }
        (ours, theirs) if ours == theirs || ours.as_f64().is_some_and(|n| Some(n) == theirs.as_f64()) => {}
        (ours, theirs) => found.push(format!("{place}: recorded {ours}, sent {theirs}")),
    }
}

/// A request in one of several spellings that both services define as equal.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().filter_map(|(key, value)| plain_member(key, value)).collect(),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

fn plain_member(key: &str, value: &Value) -> Option<(String, Value)> {
    let is_text = matches!(key, "content" | "system");
    let value = match value {
        // Absent equals off; a stream's usage is always requested; an empty list equals none.
        Value::Bool(false) if key == "stream" => return None,
        Value::Array(items) if key == "tools" && items.is_empty() => return None,
        _ if key == "stream_options" => return None,
        // A text equals a list of one text; an empty one beside tool calls equals none.
        Value::String(text) if is_text && text.is_empty() => return None,
        Value::String(text) if is_text => serde_json::json!([{"type": "text", "text": text}]),
        other => plain(other),
    };
    // The older name of the same limit.
    let key = if key == "max_tokens" { "max_completion_tokens" } else { key };
    Some((key.to_owned(), value))
}

/// The expected answer: a provider that was asked for a certain tool sends `stop` after the call, but calls outrank its
/// word.
pub(crate) fn mended(mut parsed: ParsedAnswer) -> ParsedAnswer {
    if !parsed.calls.is_empty() && parsed.finish.as_deref() == Some("stop") {
        parsed.finish = Some("tool".to_owned());
    }
    parsed
}

/// The reason why a recording cannot keep its meaning in the other format, if there is one.
fn exception(recording: &Recording) -> Option<&'static str> {
    if recording.is_cut() {
        return Some("it stops before its end");
    }
    if recording.has("multiple_choices") {
        return Some("the other format has one candidate");
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_have_the_same_content_in_the_other_format() {
    let upstream = Upstream::always(Answer::default()).await;
    let (mut count, mut problems) = (0, Vec::new());
    for (wire_format, other) in [(OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI)] {
        let gateway = gateway(wire_format, &upstream, false).await;
        for recording in recordings(wire_format) {
            if let Some(reason) = exception(&recording) {
                println!("{}: left out, {reason}", recording.id);
                continue;
            }
            // A plain request of the other format: this test is about the answer.
            let request = other.request(recording.model(), recording.stream);
            let reply = replayed(&gateway, &upstream, &recording, &request).await;
            count += 1;
            if reply.status() != 200 {
                problems.push(format!("{}: {} {}", recording.id, reply.status(), reply.text()));
                continue;
            }
            let mut expected = mended(recording.parsed());
            // Messages has no field for a refusal: it is text, with a stop reason.
            if other == ANTHROPIC && !expected.refusal.is_empty() {
                expected.text.clone_from(&expected.refusal);
                expected.finish = Some("filter".to_owned());
            }
            let parsed = parse(other.format, recording.stream, &reply.body);
            let found = differences(&expected, &parsed, true);
            problems.extend((!found.is_empty()).then(|| format!("{}: {}", recording.id, found.join("; "))));
        }
    }
    report("other format", count, &problems);
}

//! Recordings of the real services through the gateway: relayed, the bytes are equal; translated to the same format,
//! the meaning is; translated to another one, the text, tool calls, finish and tokens that its clients read.

mod recorded;

use serde_json::Value;
use weir_tests::parsed_answer::ParsedAnswer;
use weir_tests::{Answer, Folder, Gateway, Reply, Request, Upstream};

pub(crate) use self::recorded::{COMPATIBLE, SERVICES, Service, recordings};
use self::recorded::{Recording, parse};
use crate::wire_format::{ANTHROPIC, COMPLETIONS, OPENAI, RESPONSES};

/// A gateway whose models are all served by one provider, under their own names.
pub(crate) async fn gateway(service: Service, upstream: &Upstream, translate: bool) -> Gateway {
    let name = service.adapter;
    let settings = format!(
        "default_provider = \"{name}\"\n[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\n\
         url = \"{}\"\napi_key = \"kkkk\"\nusage = \"tap\"\ntranslate = {translate}\n{}",
        upstream.url(),
        service.settings(),
    );
    // A client's format may be another one than the provider's.
    Gateway::with(Folder::with(&["openai", "anthropic", "gemini", name]), &settings).await
}

async fn replayed(gateway: &Gateway, upstream: &Upstream, recording: &Recording, request: &Request) -> Reply {
    upstream.now(recording.answer());
    gateway.ask(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn relayed_recordings_keep_every_byte() {
    let mut upstream = Upstream::always(Answer::default()).await;
    let (mut count, mut problems) = (0, Vec::new());
    for service in SERVICES {
        let gateway = gateway(service, &upstream, false).await;
        for recording in recordings(service) {
            let request = recording.request();
            let reply = replayed(&gateway, &upstream, &recording, &request).await;
            count += 1;
            if reply.body != recording.body {
                problems.push(format!("{}: {} {}", recording.id, reply.status(), reply.text()));
            } else if upstream.request().await.body != request.sent() {
                problems.push(format!("{}: the request differs", recording.id));
            }
        }
    }
    report("relayed", count, &problems);
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
    for service in SERVICES {
        let gateway = gateway(service, &upstream, true).await;
        for recording in recordings(service) {
            let reply = replayed(&gateway, &upstream, &recording, &recording.request()).await;
            count += 1;
            if reply.status() != 200 {
                problems.push(format!("{}: {} {}", recording.id, reply.status(), reply.text()));
                continue;
            }
            let sent = upstream.request().await.json();
            let parsed = parse(service.wire_format.format, recording.stream, &reply.body);
            // The spellings of other formats' requests are compared in `tests/fidelity`.
            let is_compared = [OPENAI, ANTHROPIC].contains(&service.wire_format);
            let mut found = if is_compared { unlike(&recording.request, &sent) } else { Vec::new() };
            if !recording.is_cut() {
                found.extend(differences(&with_ids(mended(recording.parsed()), &parsed), &parsed, false));
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
/// word (C-11); what ends without a word has ended by itself (C-13).
pub(crate) fn mended(mut parsed: ParsedAnswer) -> ParsedAnswer {
    if parsed.finish.as_deref().unwrap_or_default().is_empty() {
        parsed.finish = Some("stop".to_owned());
    }
    if !parsed.calls.is_empty() && parsed.finish.as_deref() == Some("stop") {
        parsed.finish = Some("tool".to_owned());
    }
    parsed
}

/// The answer with the ids of the calls to which the provider gave none.
pub(crate) fn with_ids(mut expected: ParsedAnswer, read: &ParsedAnswer) -> ParsedAnswer {
    for (call, read) in expected.calls.iter_mut().zip(&read.calls) {
        if call.id.is_empty() {
            call.id.clone_from(&read.id);
        }
    }
    expected
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
    for service in SERVICES {
        // Not one that the service takes unchanged.
        let is_openai = [OPENAI, COMPLETIONS, RESPONSES].contains(&service.wire_format);
        let other = if is_openai { ANTHROPIC } else { OPENAI };
        let gateway = gateway(service, &upstream, false).await;
        for recording in recordings(service) {
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
            let mut found = differences(&with_ids(expected, &parsed), &parsed, true);
            found.extend(parsed.calls.iter().any(|call| call.id.is_empty()).then(|| "a call has no id".to_owned()));
            problems.extend((!found.is_empty()).then(|| format!("{}: {}", recording.id, found.join("; "))));
        }
    }
    report("other format", count, &problems);
}

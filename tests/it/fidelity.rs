//! Recordings of the real services through the gateway: relayed, the bytes are equal; translated to the same format, the
//! meaning; to another one, what its clients read of text, tool calls, finish and tokens.

use std::path::PathBuf;

use serde_json::Value;
use weir_tests::heard::{Format, Heard};
use weir_tests::{Answer, House, Reply, Request, Upstream};

use crate::tongue::{ANTHROPIC, OPENAI, Tongue, config};

/// A recorded exchange.
struct Recording {
    id: String,
    tongue: Tongue,
    stream: bool,
    features: Vec<String>,
    request: Value,
    kind: String,
    body: Vec<u8>,
}

fn folder() -> PathBuf {
    weir_tests::plugins::root().join("../shared/fixtures")
}

/// The successful chats of both services; none where the recordings are not there.
fn recordings() -> Vec<Recording> {
    let mut all = Vec::new();
    for tongue in [OPENAI, ANTHROPIC] {
        let Ok(entries) = std::fs::read_dir(folder().join(tongue.name).join("chat")) else {
            println!("skipped: there are no recordings of {}", tongue.name);
            continue;
        };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        all.extend(files.iter().filter_map(|file| recording(tongue, &std::fs::read_to_string(file).ok()?)));
    }
    all
}

fn recording(tongue: Tongue, text: &str) -> Option<Recording> {
    let whole: Value = serde_json::from_str(text).ok()?;
    let response = &whole["response"];
    let body = match &response["body_text"] {
        Value::String(text) => text.clone().into_bytes(),
        _ => serde_json::to_vec_pretty(&response["body"]).ok()?,
    };
    let features = whole["features"].as_array()?.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    (response["status"] == 200 && whole["request"]["path_and_query"].as_str()?.starts_with("/v1/")).then(|| Recording {
        id: whole["id"].as_str().unwrap_or_default().to_owned(),
        tongue,
        stream: whole["streaming"] == true,
        features,
        request: whole["request"]["body"].clone(),
        kind: response["headers"]["content-type"].as_str().unwrap_or("application/json").to_owned(),
        body,
    })
}

impl Recording {
    /// The same request for a model of the house, white space and all.
    fn request(&self, model: &str) -> Request {
        let mut body = self.request.clone();
        body["model"] = Value::from(model);
        let body = serde_json::to_string_pretty(&body).unwrap();
        match self.tongue.format {
            Format::Anthropic => Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01"),
            _ => Request::post("/v1/chat/completions", body),
        }
    }

    fn answer(&self) -> Answer {
        Answer::begin(200, &[("content-type", &self.kind)]).pieces(&self.body, 617).end()
    }

    fn heard(&self) -> Heard {
        hear(self.tongue.format, self.stream, &self.body)
    }

    fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|word| word == feature)
    }

    /// Whether the stream stops before its end in the recording.
    fn is_cut(&self) -> bool {
        self.has("stream_cut") || (self.stream && !self.heard().complete)
    }
}

fn hear(format: Format, stream: bool, body: &[u8]) -> Heard {
    let text = String::from_utf8_lossy(body);
    if stream { Heard::stream(format, &text) } else { Heard::whole(format, &serde_json::from_str(&text).unwrap_or_default()) }
}

async fn replayed(house: &House, upstream: &Upstream, recording: &Recording, request: &Request) -> Reply {
    upstream.now(recording.answer());
    house.ask(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn relayed_recordings_keep_every_byte() {
    let mut upstream = Upstream::always(Answer::default()).await;
    let house = House::open(&config(&upstream)).await;
    let mut count = 0;
    for recording in recordings() {
        let request = recording.request(recording.tongue.name);
        let reply = replayed(&house, &upstream, &recording, &request).await;
        assert!(reply.body == recording.body, "{}: {}", recording.id, reply.text());
        assert!(upstream.request().await.body == request.sent(), "{}", recording.id);
        count += 1;
    }
    println!("{count} recordings relayed");
}

/// How two hearings differ, in words; nothing where they do not.
fn differences(wanted: &Heard, heard: &Heard, other: bool) -> Vec<String> {
    let mut all = Vec::new();
    let mut differ = |what: &str, wanted: String, heard: String| {
        if wanted != heard {
            all.push(format!("{what}: wanted {wanted}, heard {heard}"));
        }
    };
    differ("text", format!("{:?}", wanted.text), format!("{:?}", heard.text));
    let calls = |heard: &Heard| -> Vec<(String, String, Value)> {
        heard.calls.iter().map(|call| (call.id.clone(), call.name.clone(), call.value())).collect()
    };
    differ("calls", format!("{:?}", calls(wanted)), format!("{:?}", calls(heard)));
    differ("finish", format!("{:?}", wanted.finish), format!("{:?}", heard.finish));
    if wanted.tokens.is_some() {
        differ("tokens", format!("{:?}", wanted.tokens), format!("{:?}", heard.tokens));
    }
    if !other {
        differ("thinking", format!("{:?}", wanted.thinking), format!("{:?}", heard.thinking));
        differ("refusal", format!("{:?}", wanted.refusal), format!("{:?}", heard.refusal));
    }
    all
}

/// Reports what is wrong with all recordings at once.
fn report(what: &str, count: usize, problems: &[String]) {
    println!("{what}: {count} recordings, {} differ", problems.len());
    assert!(problems.is_empty(), "{what}: {} of {count} differ\n{}", problems.len(), problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_translated_to_their_own_format_mean_the_same() {
    let upstream = Upstream::always(Answer::default()).await;
    let house = House::open(&config(&upstream)).await;
    let (mut count, mut problems) = (0, Vec::new());
    for recording in recordings() {
        let reply = replayed(&house, &upstream, &recording, &recording.request(&recording.tongue.translated())).await;
        count += 1;
        if recording.is_cut() {
            // What broke off may not look complete.
            let heard = hear(recording.tongue.format, recording.stream, &reply.body);
            if reply.status() == 200 && heard.complete && heard.error.is_none() && recording.heard().finish.is_none() {
                problems.push(format!("{}: looks complete: {}", recording.id, reply.text()));
            }
            continue;
        }
        if reply.status() != 200 {
            problems.push(format!("{}: {} {}", recording.id, reply.status(), reply.text()));
            continue;
        }
        let heard = hear(recording.tongue.format, recording.stream, &reply.body);
        let found = differences(&recording.heard(), &heard, false);
        problems.extend((!found.is_empty()).then(|| format!("{}: {}", recording.id, found.join("; "))));
    }
    report("same format", count, &problems);
}

/// Why a recording cannot mean the same in the other format, where that is so.
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
async fn recordings_are_heard_alike_in_the_other_format() {
    let upstream = Upstream::always(Answer::default()).await;
    let house = House::open(&config(&upstream)).await;
    let (mut count, mut problems) = (0, Vec::new());
    for recording in recordings() {
        if let Some(reason) = exception(&recording) {
            println!("{}: left out, {reason}", recording.id);
            continue;
        }
        let other = if recording.tongue == OPENAI { ANTHROPIC } else { OPENAI };
        // A plain question of the other format: this is about the answer.
        let request = asking(other, &recording);
        let reply = replayed(&house, &upstream, &recording, &request).await;
        count += 1;
        if reply.status() != 200 {
            problems.push(format!("{}: {} {}", recording.id, reply.status(), reply.text()));
            continue;
        }
        let mut wanted = recording.heard();
        // A refusal in words of its own is text to who knows no refusals.
        if other == ANTHROPIC && wanted.text.is_empty() {
            wanted.text = wanted.refusal.clone();
        }
        let heard = hear(other.format, recording.stream, &reply.body);
        let found = differences(&wanted, &heard, true);
        problems.extend((!found.is_empty()).then(|| format!("{}: {}", recording.id, found.join("; "))));
    }
    report("other format", count, &problems);
}

/// A question in the other format with the tools of the recording, so that calls have somewhere to come from.
fn asking(other: Tongue, recording: &Recording) -> Request {
    other.request(recording.tongue.name, recording.stream)
}

//! Providers that repeat the gateway's key, in every place of an answer: no client gets it, in either lane.

use std::io::Write as _;

use weir_tests::{Answer, Folder, Gateway, Reply, Request, Upstream, log};

use crate::wire_format::{ANTHROPIC, OPENAI};

/// Keys in the form that providers use; they were made for tests and are worthless.
const KEYS: [(&str, &str); 3] = [
    ("openai", "sk-proj-4fK9wQ2mZt7RbX1yLc8VnA6dHs3JgE5pUo0iTqNe"),
    ("anthropic", "sk-ant-api03-Zr8Wm2Kx5Qv9Ty1Bn4Hd7Fs3Lg6Pc0JuEaXo"),
    ("gemini", "AIzaSyD4n7Rk2Vw9Xq1Tz5Lm8Bc3Hf6Jg0PsYeU"),
];

/// A format of clients and of providers' answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
}

const SHAPES: [Shape; 3] = [Shape::OpenAi, Shape::Anthropic, Shape::Gemini];

impl Shape {
    fn name(self) -> &'static str {
        KEYS[self as usize].0
    }

    fn key(self) -> &'static str {
        KEYS[self as usize].1
    }

    fn request(self, model: &str, stream: bool) -> Request {
        match self {
            Self::OpenAi => OPENAI.request(model, stream),
            Self::Anthropic => ANTHROPIC.request(model, stream),
            Self::Gemini => {
                let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                let body = "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]}]}";
                Request::post(&format!("/v1beta/models/{model}:{verb}"), body)
            }
        }
    }

    /// A provider's error, in the format's shape.
    fn error(self, status: u16, message: &str) -> String {
        match self {
            Self::OpenAi => format!(
                "{{\"error\":{{\"message\":\"{message}\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}}}"
            ),
            Self::Anthropic => format!(
                "{{\"type\":\"error\",\"error\":{{\"type\":\"invalid_request_error\",\"message\":\"{message}\"}}}}"
            ),
            Self::Gemini => {
                format!("{{\"error\":{{\"code\":{status},\"message\":\"{message}\",\"status\":\"INVALID_ARGUMENT\"}}}}")
            }
        }
    }

    /// The frame of an error within a stream.
    fn late_error(self, message: &str) -> String {
        let name = if self == Self::Anthropic { "event: error\n" } else { "" };
        format!("{name}data: {}\n\n", self.error(500, message))
    }

    /// The beginning of a stream.
    fn begun(self) -> String {
        match self {
            Self::OpenAi => OPENAI.stream()[..3].concat(),
            Self::Anthropic => ANTHROPIC.stream()[..3].concat(),
            Self::Gemini => {
                let part =
                    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"So\"}]},\"index\":0}]}";
                format!("data: {part}\n\n")
            }
        }
    }

    /// The message of an error in the client's format.
    fn error_message(self, reply: &Reply) -> String {
        let body = reply.json();
        let error = &body["error"];
        match self {
            Self::OpenAi => assert!(error["type"].is_string() && error.get("code").is_some(), "{body}"),
            Self::Anthropic => assert!(body["type"] == "error" && error["type"].is_string(), "{body}"),
            Self::Gemini => assert!(error["code"].is_number() && error["status"].is_string(), "{body}"),
        }
        error["message"].as_str().unwrap().to_owned()
    }
}

fn config(upstream: &Upstream) -> String {
    let one = |shape: Shape| {
        let (name, key) = (shape.name(), shape.key());
        let model = if shape == Shape::Gemini { "gemini-m" } else { name };
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"{key}\"\n\
             retry = {{ max_retries = 0 }}\nbreaker = {{ min_attempts = 1000000, max_cooldown = \"0s\" }}\n\
             [[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{name}\", model = \"{model}\" }}\n\
             [[models]]\nalias = \"{name}-t\"\ntranslate = true\n\
             target = {{ provider = \"{name}\", model = \"{model}\" }}\n",
            upstream.url()
        )
    };
    SHAPES.map(one).concat()
}

async fn open(upstream: &Upstream) -> Gateway {
    Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &config(upstream)).await
}

/// The key of a request, and its shape.
fn brought(head: &str) -> (Shape, &'static str) {
    let shape = SHAPES.into_iter().find(|shape| head.contains(shape.key()));
    let shape = shape.unwrap_or_else(|| panic!("no key: {head}"));
    (shape, shape.key())
}

/// Fails if a reply contains half of a key or more, anywhere.
fn assert_hidden(reply: &Reply, what: &str) {
    let headers: Vec<String> = reply.head.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let text = headers.join("\n") + &reply.text();
    for (_, key) in KEYS {
        let half = key.len().div_ceil(2);
        let shown = (0..=key.len() - half).map(|at| &key[at..at + half]).find(|part| text.contains(part));
        assert!(shown.is_none(), "{what}: {shown:?} in {text}");
    }
}

/// Every client with every provider in each lane.
fn ways(stream: bool) -> impl Iterator<Item = (Shape, Shape, String, Request)> {
    let pairs = SHAPES.into_iter().flat_map(|from| SHAPES.into_iter().map(move |to| (from, to)));
    pairs.flat_map(move |(from, to)| {
        [to.name().to_owned(), format!("{}-t", to.name())].map(|model| {
            let request = from.request(&model, stream);
            (from, to, model, request)
        })
    })
}

/// Ways to repeat a key.
fn spellings(key: &str) -> Vec<String> {
    let third = key.len() / 3;
    vec![
        key.to_owned(),
        format!("Bearer {key}"),
        format!("{}{}{}", &key[..2 * third], "*".repeat(third), &key[key.len() - 4..]),
        key[..key.len() - 5].to_owned(),
        key[5..].to_owned(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_repeats_the_key_is_passed_on_without_it() {
    for status in [400, 401, 403, 429, 500] {
        let upstream = Upstream::scripted(move |request| {
            let (shape, key) = brought(&request.head);
            let message = format!("no: {}", spellings(key).join(", "));
            let id = format!("req_{key}");
            let headers = [("content-type", "application/json"), ("x-request-id", &*id), ("request-id", &*id)];
            Answer::whole(status, &headers, shape.error(status, &message))
        })
        .await;
        let gateway = open(&upstream).await;
        for stream in [false, true] {
            for (from, to, model, request) in ways(stream) {
                let reply = gateway.ask(&request).await;
                let what = format!("{status} of {to:?} to {from:?} by {model}, stream {stream}");
                assert_hidden(&reply, &what);
                assert!(!from.error_message(&reply).is_empty(), "{what}");
                assert!(reply.status() >= 400, "{what}");
            }
        }
    }
    assert!(!KEYS.iter().any(|(_, key)| log::text().contains(key)), "nor does the log hold it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_frames_of_a_stream_is_hidden_however_they_are_cut() {
    for len in [1, 7, 64, 4096] {
        let upstream = Upstream::scripted(move |request| {
            let (shape, key) = brought(&request.head);
            let frames = shape.begun() + &shape.late_error(&spellings(key).join(", "));
            Answer::sse().pieces(frames, len).end()
        })
        .await;
        let gateway = open(&upstream).await;
        for (from, to, model, request) in ways(true) {
            let reply = gateway.ask(&request).await;
            assert_hidden(&reply, &format!("{to:?} to {from:?} by {model} in pieces of {len}"));
            assert!(reply.text().contains("error"), "{}", reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_that_repeats_the_key_comes_without_it_and_at_its_length() {
    let upstream = Upstream::scripted(|request| {
        let (shape, key) = brought(&request.head);
        let answer = match shape {
            Shape::OpenAi => OPENAI.whole(),
            Shape::Anthropic => ANTHROPIC.whole(),
            Shape::Gemini => {
                shape.begun()["data: ".len()..].replace("\"index\":0", "\"index\":0,\"finishReason\":\"STOP\"")
            }
        };
        Answer::json(200, answer.replace(crate::wire_format::TEXT, key).replace("\"So\"", &format!("\"{key}\"")))
    })
    .await;
    let gateway = open(&upstream).await;
    for (from, to, model, request) in ways(false) {
        let reply = gateway.ask(&request).await;
        let what = format!("{to:?} to {from:?} by {model}");
        assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
        assert_hidden(&reply, &what);
        assert!(reply.json().is_object() && reply.text().contains("****"), "{what}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_hides_no_key_from_the_gateway() {
    for (status, stream) in [(400, false), (200, false), (200, true)] {
        let upstream = Upstream::scripted(move |request| {
            let (shape, key) = brought(&request.head);
            let text = if stream { shape.begun() + &shape.late_error(key) } else { shape.error(status, key) };
            let kind = if stream { "text/event-stream" } else { "application/json" };
            let headers = [("content-type", kind), ("content-encoding", "gzip")];
            Answer::begin(status, &headers).pieces(gzip(text.as_bytes()), 50).end()
        })
        .await;
        let gateway = open(&upstream).await;
        for (from, to, model, request) in ways(stream) {
            let reply = gateway.ask(&request.header("accept-encoding", "gzip")).await;
            let what = format!("{status} of {to:?} to {from:?} by {model}, stream {stream}");
            assert_hidden(&reply, &what);
            let plain = gunzip(&reply.body);
            assert_hidden(&Reply { body: plain, ..reply.clone() }, &what);
            assert!(status == 200 || reply.status() >= 400, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c46_a_refused_key_is_the_gateways_trouble_in_both_lanes_whatever_the_provider_calls_it() {
    for (status, words) in [(401, "what an odd thing"), (401, "Incorrect API key provided"), (403, "invalid api key")] {
        let upstream = Upstream::scripted(move |request| {
            let (shape, key) = brought(&request.head);
            let error = match shape {
                // Each with its interface's word for the error.
                Shape::Anthropic if status == 403 => {
                    shape.error(status, words).replace("invalid_request_error", "authentication_error")
                }
                Shape::Gemini if status == 403 => {
                    shape.error(status, words).replace("INVALID_ARGUMENT", "UNAUTHENTICATED")
                }
                _ => shape.error(status, &format!("{words}: SAID-BY-THE-PROVIDER {key}")),
            };
            Answer::json(status, error)
        })
        .await;
        let gateway = open(&upstream).await;
        for stream in [false, true] {
            for (from, to, model, request) in ways(stream) {
                let reply = gateway.ask(&request).await;
                let what = format!("{status} `{words}` of {to:?} to {from:?} by {model}, stream {stream}");
                assert_eq!(reply.status(), 502, "{what}: {}", reply.text());
                assert_eq!(from.error_message(&reply), "the provider refused the gateway's credential", "{what}");
                assert_eq!(reply.header("x-weir-error-source"), Some("upstream"), "{what}");
                assert_hidden(&reply, &what);
            }
        }
    }
    let log = log::text();
    let mut lines = log.lines().filter(|line| line.contains("refuses the configured credential"));
    assert!(lines.any(|line| line.contains("SAID-BY-THE-PROVIDER ****")), "the log has the provider's own words");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_within_a_stream_is_the_gateways_trouble_too() {
    let upstream = Upstream::scripted(|request| {
        let (shape, key) = brought(&request.head);
        let frame = match shape {
            Shape::OpenAi => format!(
                "data: {{\"error\":{{\"message\":\"bad {key}\",\"type\":\"x\",\"code\":\"invalid_api_key\"}}}}\n\n"
            ),
            Shape::Anthropic => shape.late_error(key).replace("invalid_request_error", "authentication_error"),
            Shape::Gemini => shape.late_error(key).replace("INVALID_ARGUMENT", "UNAUTHENTICATED"),
        };
        Answer::sse().piece(frame).end()
    })
    .await;
    let gateway = open(&upstream).await;
    for (from, to, model, request) in ways(true).filter(|(from, to, model, _)| from != to || model.ends_with("-t")) {
        let reply = gateway.ask(&request).await;
        let what = format!("{to:?} to {from:?} by {model}");
        assert_hidden(&reply, &what);
        assert!(reply.text().contains("refused the gateway's credential"), "{what}: {}", reply.text());
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The decompressed bytes, even of broken or plain data.
fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    for byte in bytes {
        if decoder.write_all(&[*byte]).is_err() {
            break;
        }
    }
    let _flushed = decoder.flush();
    decoder.get_ref().clone()
}

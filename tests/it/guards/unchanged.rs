//! An answer that every guard lets pass reaches the client byte for byte, in every dialect, whole and streamed, however
//! its bytes are split; and what no guard has seen does not.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use weir_tests::plugins::root;
use weir_tests::{Answer, Client, Gate, Gateway, Request, Upstream};

use super::everywhere::{ADAPTERS, Dialect};
use super::{gateway, secret, seeing};

/// A recorded exchange in one of the dialects.
struct Recording {
    name: String,
    adapter: &'static str,
    dialect: Dialect,
    asked: Value,
    stream: bool,
    content_type: String,
    body: Vec<u8>,
}

/// The recordings of chats that stand beside the adapters.
fn recordings() -> Vec<Recording> {
    let mut all = Vec::new();
    for adapter in ADAPTERS {
        for entry in fs::read_dir(root().join("plugins").join(adapter).join("fixtures")).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{adapter}/{}", path.file_stem().unwrap().to_string_lossy());
            let text = fs::read_to_string(&path).unwrap();
            // A stream that fails has no answer, and log probabilities are left out of judged streams.
            if !name.contains("exception") && !text.contains("top_logprobs") {
                all.extend(recording(adapter, name, &text));
            }
        }
    }
    all
}

fn recording(adapter: &'static str, name: String, text: &str) -> Option<Recording> {
    let all: Value = serde_json::from_str(text).unwrap();
    let (path, response) = (all["request"]["path_and_query"].as_str()?, &all["response"]);
    let dialect = match path.split('?').next()? {
        "/v1/chat/completions" => Dialect::Chat,
        "/v1/responses" => Dialect::Responses,
        "/v1/messages" => Dialect::Messages,
        "/v2/chat" => Dialect::Cohere,
        "/api/chat" => Dialect::Ollama,
        path if path.ends_with("enerateContent") => Dialect::Gemini,
        path if path.ends_with("/converse") || path.ends_with("/converse-stream") => Dialect::Converse,
        _ => return None,
    };
    if response["status"] != 200 {
        return None;
    }
    let content_type = response["headers"]["content-type"].as_str()?.to_owned();
    let stream = !content_type.starts_with("application/json");
    let mut asked = all["request"]["body"].clone();
    if !matches!(dialect, Dialect::Gemini | Dialect::Converse) {
        asked["model"] = json!(adapter);
    }
    Some(Recording { name, adapter, dialect, asked, stream, content_type, body: bytes(response, text) })
}

/// The bytes of a recorded answer.
fn bytes(response: &Value, text: &str) -> Vec<u8> {
    let members = |text: &str| serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text).unwrap();
    let of_chunk = |chunk: &Value| match chunk["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(chunk["base64"].as_str().unwrap()).unwrap(),
    };
    if let Some(text) = response["body_text"].as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(chunks) = response["chunks"].as_array() {
        return chunks.iter().flat_map(of_chunk).collect();
    }
    members(members(text)["response"].get())["body"].get().as_bytes().to_vec()
}

impl Recording {
    fn request(&self) -> Request {
        self.dialect.request(self.adapter, &self.asked, self.stream)
    }

    /// The answer in pieces of so many bytes.
    fn answer(&self, length: usize) -> Answer {
        Answer::begin(200, &[("content-type", &self.content_type)]).pieces(&self.body, length).end()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_guards_let_pass_is_relayed_byte_for_byte() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let bare = gateway(&upstream, &ADAPTERS, "").await;
    let pattern = "options = { patterns = [{ name = \"none\", pattern = \"no such text\" }], action = \"annotate\" }";
    let guards = [
        seeing("secrets", ""),
        seeing("regex", pattern),
        seeing("pii", "mode = \"monitor\"\noptions = { action = \"mask\" }"),
        // It would refuse every answer.
        seeing(
            "any",
            &format!(
                "plugin = \"regex\"\nmode = \"monitor\"\n{}",
                pattern.replace("no such text", "[a-z]").replace("annotate", "deny")
            ),
        ),
    ];
    let judging = gateway(&upstream, &ADAPTERS, &guards.concat()).await;
    let masking = gateway(&upstream, &ADAPTERS, &seeing("secrets", "options = { action = \"mask\" }")).await;
    let mut seen = BTreeMap::new();
    for recording in recordings() {
        let lane = {
            let answer = recording.answer(recording.body.len());
            upstream.script(move |_| answer.clone());
            bare.ask(&recording.request()).await.header("x-weir-lane").map(str::to_owned)
        };
        // Some requests are translated in any case, for what is in them.
        if lane.as_deref() != Some("relay") {
            continue;
        }
        for length in [1, 7, 64, recording.body.len()] {
            let answer = recording.answer(length);
            upstream.script(move |_| answer.clone());
            let reply = judging.ask(&recording.request()).await;
            let case = format!("{}, in pieces of {length}: {}", recording.name, reply.text());
            assert_eq!((reply.status(), reply.cut), (200, false), "{case}");
            assert_eq!(reply.header("x-weir-lane"), Some("relay"), "{case}");
            assert_eq!(reply.header("content-type"), Some(recording.content_type.as_str()), "{case}");
            assert!(reply.body == recording.body, "{case}");
        }
        if !recording.stream {
            let reply = masking.ask(&recording.request()).await;
            assert_eq!(reply.header("x-weir-lane"), Some("relay"), "{}", recording.name);
            assert!(reply.body == recording.body, "{}: {}", recording.name, reply.text());
        }
        *seen.entry((format!("{:?}", recording.dialect), recording.stream)).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 14, "every dialect, whole and streamed: {seen:?}");
}

/// A stream in OpenAI's format with these pieces of text, and with one more member in each frame.
fn stream(pieces: &[String], member: &str) -> Answer {
    let begun = Answer::sse().piece(chunk(&json!({"role": "assistant", "content": ""}), &Value::Null, member));
    ended(with_texts(begun, pieces, member), member)
}

fn chunk(delta: &Value, finish: &Value, member: &str) -> String {
    let mut body = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": "openai", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    if !member.is_empty() {
        body["note"] = json!(member);
    }
    format!("data: {body}\n\n")
}

fn with_texts(begun: Answer, pieces: &[String], member: &str) -> Answer {
    let texts = pieces.iter().map(|piece| chunk(&json!({"content": piece}), &Value::Null, member));
    texts.fold(begun, Answer::piece)
}

fn ended(begun: Answer, member: &str) -> Answer {
    begun.piece(chunk(&json!({}), &json!("stop"), member)).piece("data: [DONE]\n\n").end()
}

async fn asks(gateway: &Gateway) -> weir_tests::Reply {
    let body = Dialect::Chat.ask("openai", true);
    gateway.ask(&Dialect::Chat.request("openai", &body, true)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_behind_bytes_that_have_gone_ends_the_stream_and_none_of_it_arrives() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &ADAPTERS, &seeing("secrets", "")).await;
    let words: Vec<String> = (0..100).map(|number| format!("word {number} ")).collect();
    let key = secret();
    let split = [key[..3].to_owned(), key[3..9].to_owned(), key[9..].to_owned(), ".".to_owned()];
    let gate = Gate::default();
    let answer = ended(with_texts(with_texts(Answer::sse(), &words, "").gate(&gate), &split, ""), "");
    upstream.script(move |_| answer.clone());
    let mut client = Client::connect(gateway.address).await;
    let body = Dialect::Chat.ask("openai", true);
    client.send(&Dialect::Chat.request("openai", &body, true)).await;
    assert_eq!(client.head().await.status, 200);
    let mut text = String::new();
    while !text.contains("word 1 ") {
        text += &String::from_utf8(client.piece().await.unwrap().unwrap()).unwrap();
    }
    gate.open();
    while let Some(piece) = client.piece().await.unwrap() {
        text += &String::from_utf8(piece).unwrap();
    }
    assert!(text.contains("\"content_filter\""), "{text}");
    assert!(!text.contains("AKI") && !text.contains("ABCD2345"), "{text}");
    assert!(text.trim_end().ends_with("[DONE]"), "{text}");
    gateway
        .until_metric("weir_guard_answer_verdicts_total{guard=\"secrets\",mode=\"enforce\",verdict=\"deny\"}", 1.0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_the_unified_model_does_not_have_is_not_relayed_past_a_guard() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &ADAPTERS, &seeing("secrets", "")).await;
    let note = format!("the key is {}", secret());
    let answer = stream(&["Hello".to_owned()], &note);
    upstream.script(move |_| answer.clone());
    let reply = asks(&gateway).await;
    assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("translate")), "{}", reply.text());
    assert!(!reply.text().contains("AKI"), "{}", reply.text());

    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "Hello", "note": note},
        "finish_reason": "stop", "remark": note});
    let whole = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "openai",
        "choices": [choice], "comment": note});
    let plain = whole.to_string().replace(&note, "x");
    let twice = plain.replacen("\"content\":", &format!("\"content\":\"{note}\",\"content\":"), 1);
    for body in [whole.to_string(), twice] {
        upstream.script(move |_| Answer::json(200, &body));
        let body = Dialect::Chat.ask("openai", false);
        let reply = gateway.ask(&Dialect::Chat.request("openai", &body, false)).await;
        assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("translate")), "{}", reply.text());
        assert!(!reply.text().contains("AKI"), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_one_format_hide_nothing_in_whole_answers_and_are_taken_out_where_it_is_masked() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let note = format!("the key is {}", secret());
    let cited = |title: &str| {
        json!([{"type": "url_citation",
        "url_citation": {"url": "http://a.example", "title": title, "start_index": 0, "end_index": 1}}])
    };
    let answer = |place: &str| {
        let mut message = json!({"role": "assistant", "content": "Hello", "annotations": cited("a title")});
        let mut choice = json!({"index": 0, "finish_reason": "stop"});
        let mut whole = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "openai"});
        match place {
            "message" => message["note"] = json!(note),
            "choice" => choice["note"] = json!(note),
            "title" => message["annotations"] = cited(&note),
            _ => whole["note"] = json!(note),
        }
        choice["message"] = message;
        whole["choices"] = json!([choice]);
        whole.to_string()
    };
    for action in ["deny", "mask"] {
        let guards = seeing("secrets", &format!("options = {{ action = \"{action}\" }}"));
        let gateway = gateway(&upstream, &ADAPTERS, &guards).await;
        for place in ["message", "choice", "title", "whole"] {
            let body = answer(place);
            upstream.script(move |_| Answer::json(200, &body));
            let body = Dialect::Chat.ask("openai", false);
            let reply = gateway.ask(&Dialect::Chat.request("openai", &body, false)).await;
            let case = format!("{action}, {place}: {}", reply.text());
            assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("translate")), "{case}");
            assert!(!reply.text().contains("AKI"), "{case}");
            assert_eq!(reply.text().contains("Hello"), action == "mask", "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relayed_and_judged_answer_used_is_counted() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &ADAPTERS, &seeing("secrets", "")).await;
    let mut used = 0.0;
    for recording in recordings().into_iter().filter(|one| one.name.starts_with("anthropic/thinking")) {
        let answer = recording.answer(64);
        upstream.script(move |_| answer.clone());
        assert_eq!(gateway.ask(&recording.request()).await.header("x-weir-lane"), Some("relay"));
        used += last_output_tokens(&String::from_utf8(recording.body).unwrap());
    }
    gateway.until_metric("weir_tokens_total{bucket=\"output\",model=\"anthropic\"}", used).await;
}

/// The last count of output tokens in an answer of Anthropic's.
fn last_output_tokens(text: &str) -> f64 {
    let (_, behind) = text.rsplit_once("\"output_tokens\":").unwrap();
    let digits: String = behind.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

//! Bodies that readers of JSON read differently, or that cost them much, at endpoints besides chats: what is refused is
//! refused in the client's format, what passes names no other model than the client's own, and no adapter fails.

use std::fmt::Write as _;

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

use crate::wire_format::{ANTHROPIC, EVERY, FURTHER, OPENAI, WireFormat, config_of};

const SECRET: &str = "secret-model";
const DEPTH: usize = 10_000;

/// Bodies of this one's kind, whose text is `Hi`.
fn odd(body: &str) -> Vec<(&'static str, Vec<u8>)> {
    let with = |member: &str| body.replacen('{', &format!("{{{member},"), 1).into_bytes();
    let behind = |member: &str| {
        let open = body.strip_suffix('}').unwrap();
        format!("{open},{member}}}").into_bytes()
    };
    let said = |text: &str| body.replace("\"Hi\"", text).into_bytes();
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH));
    let utf16 = |of: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let marked = "\u{feff}".to_owned() + body;
        marked.encode_utf16().flat_map(of).collect()
    };
    let model = format!("\"model\":\"{SECRET}\"");
    vec![
        ("another model in front", with(&model)),
        ("another model behind", behind(&model)),
        ("another model in letters by number", behind(&format!("\"mod\\u0065l\":\"{SECRET}\""))),
        ("a member twice", behind("\"temperature\":0,\"temperature\":1")),
        ("a name that is half of a pair", behind("\"\\ud800\":1,\"\\ud800\":2")),
        ("half of a pair", said("\"a\\ud800b\"")),
        ("halves in the wrong order", said("\"\\udc00\\ud800\"")),
        ("half of a pair at the end", said("\"\\ud83d\"")),
        ("a NUL by number", said("\"a\\u0000b\"")),
        ("a NUL", said("\"a\0b\"")),
        ("a line break within a text", said("\"a\nb\"")),
        (
            "no UTF-8",
            body.as_bytes().iter().flat_map(|byte| if *byte == b'H' { vec![0xff] } else { vec![*byte] }).collect(),
        ),
        (
            "an overlong letter",
            body.as_bytes()
                .iter()
                .flat_map(|byte| if *byte == b'H' { vec![0xc1, 0x88] } else { vec![*byte] })
                .collect(),
        ),
        ("a mark of the order of bytes", ("\u{feff}".to_owned() + body).into_bytes()),
        ("UTF-16", utf16(u16::to_le_bytes)),
        ("UTF-16 the other way", utf16(u16::to_be_bytes)),
        ("lists in lists", behind(&format!("\"x\":{}", nested("[", "]")))),
        ("objects in objects", behind(&format!("\"x\":{}", nested("{\"a\":", "}")))),
        ("lists in the place of a text", said(&nested("[", "]"))),
        ("objects in the place of a text", said(&nested("{\"text\":", "}"))),
        ("lists without an end", behind(&format!("\"x\":{}", "[".repeat(1 << 20)))),
        ("a number of a hundred thousand digits", behind(&format!("\"x\":{}", "9".repeat(100_000)))),
        ("a number beyond all", behind("\"max_tokens\":1e999999,\"temperature\":-1e999999")),
        ("a text without an end", body.replace("\"Hi\"", "\"Hi").into_bytes()),
        ("two values", format!("{body}{body}").into_bytes()),
        ("something behind", format!("{body}]").into_bytes()),
        ("a comment in front", format!("/* */{body}").into_bytes()),
        ("a list", format!("[{body}]").into_bytes()),
        ("null", b"null".to_vec()),
        ("a number", b"1".to_vec()),
        ("a text", b"\"Hi\"".to_vec()),
        ("space", b"  \r\n\t ".to_vec()),
        ("nothing", Vec::new()),
        ("a quotation mark", b"\"".to_vec()),
    ]
}

/// Endpoints besides chats, with the format of their errors.
fn others(model: &str) -> Vec<(WireFormat, Request)> {
    let said = json!([{"role": "user", "content": "Hi"}]);
    let of_gemini = json!({"content": {"parts": [{"text": "Hi"}]}});
    let counted = json!({"contents": [{"parts": [{"text": "Hi"}]}]});
    let cohere = FURTHER.into_iter().find(|one| one.name == "cohere").unwrap();
    let gemini = EVERY.into_iter().find(|one| one.name == "gemini").unwrap();
    let ollama = FURTHER.into_iter().find(|one| one.name == "ollama").unwrap();
    let texts = json!({"model": model, "texts": ["Hi"], "input_type": "search_query", "embedding_types": ["float"]});
    let post = |path: &str, body: Value| Request::post(path, body.to_string());
    vec![
        (OPENAI, post("/v1/embeddings", json!({"model": model, "input": "Hi"}))),
        (OPENAI, post("/v1/moderations", json!({"model": model, "input": "Hi"}))),
        (OPENAI, post("/v1/images/generations", json!({"model": model, "prompt": "Hi"}))),
        (OPENAI, post("/v1/responses/input_tokens", json!({"model": model, "input": "Hi"}))),
        (
            ANTHROPIC,
            post("/v1/messages/count_tokens", json!({"model": model, "messages": said}))
                .header("anthropic-version", "2023-06-01"),
        ),
        (cohere, post("/v2/embed", texts)),
        (cohere, post("/v2/rerank", json!({"model": model, "query": "Hi", "documents": ["a"]}))),
        (gemini, post(&format!("/v1beta/models/{model}:embedContent"), of_gemini)),
        (gemini, post(&format!("/v1beta/models/{model}:countTokens"), counted)),
        (ollama, post("/api/embed", json!({"model": model, "input": "Hi"}))),
        (OPENAI, post("/passthrough/openai/chat/completions", json!({"model": model, "messages": said}))),
        (OPENAI, post("/passthrough/openai/something/new", json!({"model": model, "input": "Hi"}))),
    ]
}

/// The answer of a provider of this format, whatever it is asked.
fn answer(of: WireFormat, request: &Received) -> Answer {
    let embedding = r#"{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.5]}]}"#;
    let body = match request.line() {
        line if line.ends_with("/embeddings") => embedding.to_owned(),
        line if line.ends_with("input_tokens") || line.ends_with("count_tokens") => r#"{"input_tokens":3}"#.to_owned(),
        line if line.ends_with("/rerank") => r#"{"id":"r","results":[{"index":0,"relevance_score":0.5}]}"#.to_owned(),
        line if line.ends_with("/moderations") || line.ends_with("/generations") => "{}".to_owned(),
        _ => of.whole(),
    };
    Answer::json(200, body)
}

/// A gateway of two formats' providers with a client who may not use the secret model.
async fn gateway(formats: [WireFormat; 2]) -> (Gateway, [Upstream; 2]) {
    let upstreams = [
        Upstream::scripted(move |request| answer(formats[0], request)).await,
        Upstream::scripted(move |request| answer(formats[1], request)).await,
    ];
    let mut config = "[admin]\ntoken = \"an-admins-token-0123456789\"\n".to_owned();
    let mut models = Vec::new();
    for (of, upstream) in formats.iter().zip(&upstreams) {
        config += &config_of(&[*of], upstream).replace("api_key", "passthrough = [\"* *\"]\napi_key");
        models.extend([format!("\"{}\"", of.name), format!("\"{}\"", of.translated())]);
        let _ = write!(
            config,
            "[[models]]\nalias = \"{SECRET}-{0}\"\ntarget = {{ provider = \"{0}\", model = \"{SECRET}\" }}\n",
            of.name
        );
    }
    let _ = write!(
        config,
        "[[clients]]\nname = \"one\"\nkey = \"weir-one-0123456789abcdef\"\npassthrough = [\"* * *\"]\nmodels = [{}]\n",
        models.join(", ")
    );
    let adapters: Vec<&str> =
        formats.iter().map(|of| of.adapter()).chain(["openai", "anthropic", "gemini", "cohere", "ollama"]).collect();
    (Gateway::with(Folder::with(&adapters), &config).await, upstreams)
}

/// Sends each odd body of a request, and checks what becomes of it.
async fn attack(gateway: &Gateway, upstreams: &mut [Upstream; 2], from: WireFormat, request: &Request, about: &str) {
    let body = String::from_utf8(request.sent()).unwrap();
    let key = "Bearer weir-one-0123456789abcdef";
    for (what, bytes) in odd(&body) {
        let about = format!("{about}: {what}");
        let reply = gateway.ask(&request.clone().header("authorization", key).body(bytes)).await;
        assert!(matches!(reply.status(), 200 | 400..500), "{about}: {} {}", reply.status(), reply.text());
        assert!(reply.status() == 200 || from.error(&reply).is_some(), "{about}: {}", reply.text());
        for received in upstreams.iter_mut().filter_map(Upstream::unseen) {
            assert_eq!(reply.status(), 200, "{about}: it was refused and sent");
            let (line, text) = (received.line(), received.text());
            assert!(!text.contains(SECRET) && !line.contains(SECRET), "{about}: {line} {text}");
        }
    }
    let reply = gateway.ask(&request.clone().header("authorization", key)).await;
    assert_eq!(reply.status(), 200, "{about}, as it is: {}", reply.text());
    for upstream in upstreams {
        while upstream.unseen().is_some() {}
    }
}

/// Checks that no adapter was blamed, and nothing is left.
async fn is_unharmed(gateway: &Gateway, about: &str) {
    let adapters = gateway.operations("/admin/plugins").await.json();
    for one in adapters["plugins"].as_array().unwrap_or_else(|| panic!("{adapters}")) {
        assert_eq!(one["faults"].as_u64().unwrap_or_default(), 0, "{about}: {one}");
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
    gateway.until_metric("weir_buffered_bytes", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_json_at_every_other_endpoint_is_refused_in_its_format_or_passes_with_the_clients_model() {
    let (gateway, mut upstreams) = gateway([OPENAI, ANTHROPIC]).await;
    for (number, (from, request)) in others("openai").into_iter().enumerate() {
        let about = format!("number {number} of the others, {}", from.name);
        attack(&gateway, &mut upstreams, from, &request, &about).await;
    }
    is_unharmed(&gateway, "other endpoints").await;
}

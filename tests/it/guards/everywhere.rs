//! The same verdict in every dialect, streamed or whole, in both lanes, wherever a secret stands.

use serde_json::{Value, json};
use weir_tests::Request;

use super::requests::{PLACES, RequestPlace, body};
use super::{gateway, guard, secret, upstream};

/// The dialects, each with the adapter that its format is native to.
pub(crate) const DIALECTS: [(&str, Dialect); 7] = [
    ("openai", Dialect::Chat),
    ("openai", Dialect::Responses),
    ("anthropic", Dialect::Messages),
    ("gemini", Dialect::Gemini),
    ("bedrock", Dialect::Converse),
    ("cohere", Dialect::Cohere),
    ("ollama", Dialect::Ollama),
];
pub(crate) const ADAPTERS: [&str; 6] = ["openai", "anthropic", "gemini", "bedrock", "cohere", "ollama"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Chat,
    Responses,
    Messages,
    Gemini,
    Converse,
    Cohere,
    Ollama,
}

/// A guard that refuses a text.
pub(super) struct Refusal {
    pub(super) guard: &'static str,
    options: &'static str,
    pub(super) text: String,
    /// The annotation.
    pub(super) label: &'static str,
    /// A part of the message.
    message: &'static str,
}

impl Refusal {
    /// Each of the guards that search texts.
    pub(super) fn of_each() -> [Self; 3] {
        [
            Self {
                guard: "secrets",
                options: "{}",
                text: secret(),
                label: "aws-access-key=1",
                message: "remove it and send",
            },
            Self {
                guard: "pii",
                options: "{}",
                text: "jane.doe@example.org".to_owned(),
                label: "email=1",
                message: "personal data",
            },
            Self {
                guard: "regex",
                options: "{ patterns = [{ name = \"project\", pattern = \"(?i)blue-?bird [0-9]{4}\" }] }",
                text: "BlueBird 2041".to_owned(),
                label: "project=1",
                message: "not allowed here",
            },
        ]
    }

    /// The guard's configuration.
    pub(super) fn guard(&self) -> String {
        guard(self.guard, &format!("options = {}", self.options))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_a_text_is_refused_by_each_guard_in_every_dialect_place_and_lane() {
    let mut upstream = upstream().await;
    for refusal in Refusal::of_each() {
        let gateway = gateway(&upstream, &ADAPTERS, &refusal.guard()).await;
        let (guard, text) = (refusal.guard, &refusal.text);
        let mut seen = 0;
        for (adapter, dialect) in DIALECTS {
            for place in PLACES {
                for stream in [false, true] {
                    for model in
                        [adapter.to_owned(), format!("{adapter}-t"), "openai-t".to_owned(), "anthropic".to_owned()]
                    {
                        let Some(body) = body(dialect, &model, place, text, stream) else { continue };
                        let reply = gateway.ask(&dialect.request(&model, &body, stream)).await;
                        let case = format!("{guard}, {dialect:?}, {place:?}, {model}, {stream}: {}", reply.text());
                        assert_eq!(reply.status(), 400, "{case}");
                        let noted = format!("{guard}=deny;{}", refusal.label);
                        assert_eq!(reply.header("x-weir-guards"), Some(noted.as_str()), "{case}");
                        assert!(reply.text().contains(refusal.message), "{case}");
                        assert!(!reply.text().contains(text), "{case}");
                        assert!(upstream.unseen().is_none(), "{case}");
                        seen += 1;
                    }
                }
            }
        }
        // Each dialect lacks one or two of the places.
        assert!(seen >= 7 * 5 * 2 * 4, "{seen}");
        let series = format!("weir_guard_verdicts_total{{guard=\"{guard}\",mode=\"enforce\",verdict=\"deny\"}}");
        gateway.until_metric(&series, f64::from(seen)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_as_long_as_a_picture_is_refused_in_every_dialect_place_and_lane() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &ADAPTERS, &guard("secrets", "")).await;
    // Adapters get values of this length by name only, if they have the letters of base64.
    let word = format!("{}{}-x", "x-".repeat(6000), secret());
    let mut seen = 0;
    for (adapter, dialect) in DIALECTS {
        for place in PLACES {
            for stream in [false, true] {
                for model in [adapter.to_owned(), format!("{adapter}-t"), "anthropic".to_owned()] {
                    let Some(body) = body(dialect, &model, place, &word, stream) else { continue };
                    let reply = gateway.ask(&dialect.request(&model, &body, stream)).await;
                    let case = format!("{dialect:?}, {place:?}, {model}, {stream}: {}", reply.text());
                    assert_eq!(reply.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"), "{case}");
                    assert_eq!(reply.status(), 400, "{case}");
                    assert!(upstream.unseen().is_none(), "{case}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 7 * 5 * 2 * 3, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shape_of_a_request_is_judged_alike_in_every_dialect_place_and_lane() {
    let mut upstream = upstream().await;
    let options = "options = { max_characters = 150 }";
    let gateway = gateway(&upstream, &ADAPTERS, &guard("prompt-shape", options)).await;
    for (adapter, dialect) in DIALECTS {
        for place in [RequestPlace::User, RequestPlace::System, RequestPlace::Arguments, RequestPlace::Result] {
            for stream in [false, true] {
                for model in [adapter.to_owned(), format!("{adapter}-t"), "anthropic".to_owned()] {
                    for (text, limit) in [("x".repeat(200), ";limit=max_characters"), ("x".repeat(20), "")] {
                        let Some(body) = body(dialect, &model, place, &text, stream) else { continue };
                        let reply = gateway.ask(&dialect.request(&model, &body, stream)).await;
                        let case = format!("{dialect:?}, {place:?}, {model}, {stream}: {}", reply.text());
                        let verdict = if limit.is_empty() { "allow" } else { "deny" };
                        let noted = format!("prompt-shape={verdict}{limit}");
                        assert_eq!(reply.header("x-weir-guards"), Some(noted.as_str()), "{case}");
                        // What passes may fail later: the provider answers in one format only.
                        assert!(upstream.unseen().is_none() || verdict == "allow", "{case}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_relayed_byte_for_byte() {
    let mut upstream = upstream().await;
    for (mode, text, noted) in [
        ("enforce", "nothing to hide".to_owned(), "secrets=allow"),
        ("monitor", "nothing to hide".to_owned(), "secrets=(allow)"),
        ("monitor", secret(), "secrets=(deny);aws-access-key=1"),
    ] {
        let gateway = gateway(&upstream, &ADAPTERS, &guard("secrets", &format!("mode = \"{mode}\""))).await;
        for (adapter, dialect) in DIALECTS {
            for (place, stream) in PLACES.into_iter().flat_map(|place| [(place, false), (place, true)]) {
                let Some(body) = body(dialect, adapter, place, &text, stream) else { continue };
                let sent = format!(" {body}\n");
                let reply = gateway.ask(&dialect.request_of(adapter, &sent, stream)).await;
                let case = format!("{mode}, {dialect:?}, {place:?}, stream {stream}: {}", reply.text());
                assert_eq!(reply.header("x-weir-guards"), Some(noted), "{case}");
                assert_eq!(reply.header("x-weir-lane"), Some("relay"), "{case}");
                assert_eq!(upstream.request().await.text(), sent, "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_is_translated_and_reaches_the_provider_masked() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &ADAPTERS, &guard("secrets", "options = { action = \"mask\" }")).await;
    for (adapter, dialect) in DIALECTS {
        for place in PLACES {
            for model in [adapter, "openai"] {
                let Some(body) = body(dialect, model, place, &secret(), false) else { continue };
                let reply = gateway.ask(&dialect.request(model, &body, false)).await;
                let case = format!("{dialect:?}, {place:?}, {model}: {}", reply.text());
                if reply.header("x-weir-guards") == Some("secrets=deny;aws-access-key=1") {
                    assert_eq!(
                        (place, reply.status()),
                        (RequestPlace::Thinking, 400),
                        "only signed thinking stays: {case}"
                    );
                    continue;
                }
                assert_eq!(reply.header("x-weir-guards"), Some("secrets=replace;aws-access-key=1"), "{case}");
                // Some places exist in some formats only: then nothing was sent, or the text was left out.
                let Some(request) = upstream.unseen() else {
                    assert_eq!(reply.status(), 400, "{case}");
                    continue;
                };
                assert_eq!(reply.header("x-weir-lane"), Some("translate"), "{case}");
                assert!(!request.text().contains(&secret()), "{case}: {}", request.text());
                if matches!(
                    place,
                    RequestPlace::User | RequestPlace::System | RequestPlace::Arguments | RequestPlace::Result
                ) {
                    assert!(request.text().contains("[aws-access-key]"), "{case}: {}", request.text());
                }
            }
        }
    }
}

impl Dialect {
    pub(crate) fn request(self, model: &str, body: &Value, stream: bool) -> Request {
        self.request_of(model, &body.to_string(), stream)
    }

    /// A plain request.
    pub(super) fn ask(self, model: &str, stream: bool) -> Value {
        self.says(model, "Hi", stream)
    }

    /// A request with this text.
    pub(super) fn says(self, model: &str, text: &str, stream: bool) -> Value {
        let mut body = body(self, model, RequestPlace::User, text, stream).unwrap_or_default();
        if stream && self == Self::Chat {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    pub(crate) fn request_of(self, model: &str, body: &str, stream: bool) -> Request {
        match self {
            Self::Chat => Request::post("/v1/chat/completions", body),
            Self::Responses => Request::post("/v1/responses", body),
            Self::Messages => Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01"),
            Self::Gemini => {
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                Request::post(&format!("/v1beta/models/{model}:{method}"), body)
            }
            Self::Converse => {
                let method = if stream { "converse-stream" } else { "converse" };
                Request::post(&format!("/model/{model}/{method}"), body)
            }
            Self::Cohere => Request::post("/v2/chat", body),
            Self::Ollama => Request::post("/api/chat", body),
        }
    }
}

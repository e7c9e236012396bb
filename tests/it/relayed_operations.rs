//! Operations that are relayed and never translated, and old paths that clients still use.

use serde_json::json;
use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use crate::wire_format::{OPENAI, TEXT, config};

/// Two providers of the same kind.
fn two(first: &Upstream, second: &Upstream) -> String {
    let provider = |name: &str, upstream: &Upstream| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY-OF-{name}\"\n\
             [[models]]\nalias = \"{name}-model\"\ntarget = {{ provider = \"{name}\", model = \"gpt\" }}\n",
            upstream.url()
        )
    };
    [provider("first", first), provider("second", second)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moderation_goes_where_its_model_says_and_comes_back_as_it_is() {
    let answer = r#"{"id":"modr-1","results":[{"flagged": false}]}"#;
    let mut upstream = Upstream::always(Answer::json(200, answer)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.post("/v1/moderations", r#"{"model":"openai","input":"Hi"}"#).await;
    assert_eq!((reply.status(), reply.text().as_str()), (200, answer));
    let sent = upstream.request().await;
    assert_eq!(sent.line(), "POST /base/moderations");
    assert_eq!(sent.header("authorization"), Some("Bearer KEY-OF-openai"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_model_goes_to_the_provider_that_it_names() {
    let mut first = Upstream::always(Answer::json(200, "{}")).await;
    let mut second = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::open(&two(&first, &second)).await;
    let reply = gateway.ask(&Request::get("/v1/files?limit=3").header("x-weir-provider", "third")).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    let error = OPENAI.error(&reply).unwrap_or_default();
    assert!(error.contains("x-weir-provider") && error.contains("first, second"), "{error}");
    assert!(first.unseen().is_none() && second.unseen().is_none());
    let asked = Request::get("/v1/files/file-7/content?limit=3").header("x-weir-provider", "second");
    assert_eq!(gateway.ask(&asked).await.status(), 200);
    let sent = second.request().await;
    assert_eq!(sent.line(), "GET /base/files/file-7/content?limit=3");
    assert_eq!(sent.header("x-weir-provider"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_key_names_a_provider_only_where_it_may() {
    let [first, second] =
        [Upstream::always(Answer::json(200, "{}")).await, Upstream::always(Answer::json(200, "{}")).await];
    let clients = "[[clients]]\nname = \"plain\"\nkey = \"weir-plain-0123456789\"\n\
                   [[clients]]\nname = \"chooser\"\nkey = \"weir-chooser-0123456789\"\nmay_choose = true\n";
    let gateway = Gateway::open(&(two(&first, &second) + clients)).await;
    for (key, named, status) in [("plain", true, 403), ("plain", false, 200), ("chooser", true, 200)] {
        let mut asked =
            Request::get("/v1/files?limit=3").header("authorization", &format!("Bearer weir-{key}-0123456789"));
        if named {
            asked = asked.header("x-weir-provider", "second");
        }
        assert_eq!(gateway.ask(&asked).await.status(), status, "{key} {named}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_none_is_named_the_first_that_takes_it_gets_it() {
    let (mut first, second) =
        (Upstream::always(Answer::json(200, "{}")).await, Upstream::always(Answer::default()).await);
    let gateway = Gateway::open(&two(&first, &second)).await;
    let reply = gateway.get("/v1/files?limit=3").await;
    assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some("first")), "{}", reply.text());
    assert_eq!(first.request().await.line(), "GET /base/files?limit=3");
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.ask(&Request::new("DELETE", "/v1/responses/resp_1")).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(upstream.request().await.line(), "DELETE /base/responses/resp_1");
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_comes_back_byte_for_byte() {
    let sound: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let answer = Answer::whole(200, &[("content-type", "audio/mpeg")], &sound);
    let upstream = Upstream::always(answer).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.post("/v1/audio/speech", r#"{"model":"openai","input":"Hi","voice":"alloy"}"#).await;
    assert_eq!(reply.header("content-type"), Some("audio/mpeg"));
    assert!(reply.body == sound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_is_relayed_and_booked_at_its_models_price() {
    let answer = r#"{"id": "resp_1", "object": "response.compaction", "created_at": 1764967971, "output": [
        {"id": "cmp_1", "type": "compaction", "encrypted_content": "gAAAA=="}],
        "usage": {"input_tokens": 12, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 15}}"#;
    let mut upstream = Upstream::always(Answer::json(200, answer)).await;
    let priced = config(&upstream).replace("target = {", "price = { input = 1000000, output = 1000000 }\ntarget = {");
    let gateway = Gateway::open(&priced).await;
    let body = r#"{"model":"openai","instructions": "Short.", "input":[{"role":"user","content":"Hi"}]}"#;
    let reply = gateway.post("/v1/responses/compact", body).await;
    assert_eq!((reply.status(), reply.text().as_str()), (200, answer));
    assert_eq!(reply.header("x-weir-cost-usd"), Some("15"));
    let sent = upstream.request().await;
    assert_eq!((sent.line(), sent.text().as_str()), ("POST /base/responses/compact", body));
    let reply = gateway.post("/v1/responses/compact", r#"{"model":"anthropic","input":"Hi"}"#).await;
    assert_eq!(reply.status(), 400, "no other provider has it: {}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_is_reserved_before_it_is_sent() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 100\nper = \"total\"\n";
    let priced = config(&upstream).replace("target = {", "price = { input = 1000000, output = 1000000 }\ntarget = {");
    let open = priced.replace("timeouts =", "passthrough = [\"* *\"]\ntimeouts =") + budget;
    let gateway = Gateway::open(&open).await;
    let input = "word ".repeat(500);
    let body = format!(r#"{{"model":"openai","input":"{input}"}}"#);
    for path in ["/v1/responses/compact", "/passthrough/openai/responses/compact"] {
        let reply = gateway.post(path, &body).await;
        assert_eq!(reply.status(), 429, "{path}: {}", reply.text());
        assert!(upstream.unseen().is_none(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployments_path_names_the_model() {
    // The body may name another model, or none: then OpenAI's own server would miss it.
    let named = [r#""model":"whatever","#, ""];
    let targets = [("openai", "/base/chat/completions"), ("anthropic", "/base/messages")];
    for ((model, path), named) in targets.into_iter().flat_map(|target| named.map(|named| (target, named))) {
        let wire_format = crate::wire_format::ALL.into_iter().find(|wire_format| wire_format.name == model).unwrap();
        let mut upstream = Upstream::always(Answer::json(200, wire_format.whole())).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let path_called = format!("/openai/deployments/{model}/chat/completions?api-version=2024-10-21");
        let body = format!(r#"{{{named}"messages":[{{"role":"user","content":"Hi"}}]}}"#);
        let reply = gateway.ask(&Request::post(&path_called, &body).header("api-key", "x")).await;
        assert_eq!(OPENAI.parsed(&reply, false).text, TEXT, "{}", reply.text());
        let sent = upstream.request().await;
        assert!(sent.line().contains(path), "{}", sent.line());
        assert_eq!(sent.json()["model"], model);
        assert_eq!(sent.header("api-key"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_estimated_where_a_server_does_not_count() {
    let missing = Answer::json(404, r#"{"detail":"Not Found"}"#);
    let upstream = Upstream::always(missing).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = json!({"model": "openai", "messages": [{"role": "user", "content": "How are you today?"}]});
    let reply = gateway.post("/v1/messages/count_tokens", &body.to_string()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(reply.header("x-weir-token-count"), Some("estimate"));
    let counted: serde_json::Value = serde_json::from_str(&reply.text()).unwrap();
    assert!(counted["input_tokens"].as_u64().is_some_and(|tokens| (3..30).contains(&tokens)), "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_are_headers_go_along_in_the_relay_lane_too() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let config = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"K\"\n\
         options = {{ organization = \"org-7\" }}\n\
         [[models]]\nalias = \"m\"\ntarget = {{ provider = \"p\", model = \"gpt\" }}\n",
        upstream.url()
    );
    let gateway = Gateway::open(&config).await;
    assert_eq!(gateway.ask(&OPENAI.request("m", false)).await.status(), 200);
    let sent = upstream.request().await;
    assert_eq!(sent.header("openai-organization"), Some("org-7"));
    assert_eq!(sent.header("openai-project"), None);
}

const BOUNDARY: &str = "weir-test-7MA4YWxkTrZu0gW";

/// A recording to be written down.
fn transcription(path: &str, model: &str) -> Request {
    let fields = [("model", model), ("response_format", "verbose_json"), ("file\"; filename=\"a.mp3", "sound")];
    let field =
        |(name, value)| format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let body = fields.map(field).concat() + &format!("--{BOUNDARY}--\r\n");
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    Request::new("POST", path).header("content-type", &kind).body(body.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn compatible_providers_get_recordings_under_their_own_names_and_are_billed_by_the_second() {
    let azure = "options = { api_version = \"2024-10-21\" }";
    for (adapter, options, path, answer) in [
        ("openai", "", "audio/transcriptions", json!({"usage": {"type": "duration", "seconds": 3}})),
        ("azure-openai", "", "openai/v1/audio/transcriptions", json!({"usage": {"seconds": 3}})),
        (
            "azure-openai",
            azure,
            "openai/deployments/whisper/audio/transcriptions?api-version=2024-10-21",
            json!({"usage": {"seconds": 3}}),
        ),
        ("groq", "", "audio/transcriptions", json!({"duration": 3.0})),
        ("together", "", "audio/transcriptions", json!({"duration": 3.0})),
        ("mistral", "", "audio/transcriptions", json!({"usage": {"prompt_audio_seconds": 3, "prompt_tokens": 4}})),
    ] {
        let answer = answer.to_string();
        let mut upstream = Upstream::always(Answer::json(200, &answer)).await;
        let folder = Folder::with(&["openai", adapter]);
        std::fs::write(folder.path().join("prices.json"), r#"{"providers": {"p": {"whisper": [{"second": "10"}]}}}"#)
            .unwrap();
        let gateway = Gateway::with(folder, &format!(
            "price_file = \"prices.json\"\n[[providers]]\nname = \"p\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"KEY-OF-P\"\npassthrough = [\"* *\"]\n{options}\n\
             [[models]]\nalias = \"heard\"\ntarget = {{ provider = \"p\", model = \"whisper\" }}\n",
            upstream.url()
        )).await;
        let reply = gateway.ask(&transcription("/v1/audio/transcriptions", "heard")).await;
        assert_eq!((reply.status(), reply.text()), (200, answer), "{adapter}");
        assert_eq!(reply.header("x-weir-cost-usd"), Some("30"), "{adapter}");
        let sent = upstream.request().await;
        assert_eq!(sent.line(), format!("POST /base/{path}"), "{adapter}");
        assert!(sent.text().contains("name=\"model\"\r\n\r\nwhisper\r\n"), "{adapter}: {}", sent.text());
        let reply = gateway.ask(&transcription(&format!("/passthrough/p/{path}"), "whisper")).await;
        assert_eq!(reply.status(), 200, "{adapter}: {}", reply.text());
        assert_eq!(upstream.request().await.line(), format!("POST /base/{path}"), "{adapter}");
        gateway.until_metric("weir_cost_total", 60.0).await;
        assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0, "{adapter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compatible_providers_make_pictures_and_speech() {
    let picture = r#"{"data":[{"b64_json":"AAAA"}]}"#;
    for (adapter, asked, expected) in [
        ("azure-openai", "images/generations", "openai/v1/images/generations"),
        ("together", "images/generations", "images/generations"),
        ("xai", "images/generations", "images/generations"),
        ("azure-openai", "audio/speech", "openai/v1/audio/speech"),
        ("groq", "audio/speech", "audio/speech"),
        ("mistral", "audio/speech", "audio/speech"),
        ("together", "audio/speech", "audio/speech"),
    ] {
        let mut upstream = Upstream::always(Answer::json(200, picture)).await;
        let provider = format!(
            "[[providers]]\nname = \"p\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"K\"\n",
            upstream.url()
        );
        let model = "[[models]]\nalias = \"m\"\ntarget = { provider = \"p\", model = \"theirs\" }\n";
        let gateway = Gateway::with(Folder::with(&["openai", adapter]), &(provider + model)).await;
        let reply = gateway.post(&format!("/v1/{asked}"), r#"{"model":"m","prompt":"A weir","n":1}"#).await;
        assert_eq!((reply.status(), reply.text().as_str()), (200, picture), "{adapter} {asked}");
        let sent = upstream.request().await;
        assert_eq!(sent.line(), format!("POST /base/{expected}"), "{adapter}");
        assert_eq!(sent.json()["model"], "theirs", "{adapter}");
    }
}

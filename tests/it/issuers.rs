//! The issuers of values in a client's next request, and their effect on routing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use weir_tests::code::pack;
use weir_tests::{Answer, Gateway, Received, Reply, Request, Upstream};

/// A format whose thinking has opaque values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Items with `encrypted_content`.
    Items,
    /// Blocks with a `signature`.
    Blocks,
}

use Form::{Blocks, Items};

/// The beginning of an opaque value of this issuer.
fn beginning(issuer: char) -> String {
    format!("gAAAAAB{}", issuer.to_string().repeat(12))
}

/// The opaque values in a text, as they were issued.
fn values(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (at, _) in text.match_indices("gAAAAAB") {
        let value: String = text[at..].chars().take_while(char::is_ascii_alphanumeric).collect();
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

impl Form {
    fn adapter(self) -> &'static str {
        if self == Items { "openai" } else { "anthropic" }
    }

    /// A turn of the model, as clients keep it: thinking and text.
    fn turn(self, value: &str) -> Vec<Value> {
        match self {
            Items => vec![
                json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": value}),
                json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "Yes.", "annotations": []}]}),
            ],
            Blocks => vec![json!({"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": value},
                {"type": "text", "text": "Yes."},
            ]})],
        }
    }

    fn whole(self, value: &str) -> Value {
        match self {
            Items => json!({"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": "completed",
                "model": "m", "output": self.turn(value), "usage": {"input_tokens": 5, "output_tokens": 9}}),
            Blocks => json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "stop_reason": "end_turn", "content": self.turn(value)[0]["content"],
                "usage": {"input_tokens": 5, "output_tokens": 9}}),
        }
    }

    fn events(self, value: &str) -> Vec<Value> {
        match self {
            Items => {
                let mut begun = self.whole(value);
                begun["output"] = json!([]);
                let mut events = vec![json!({"type": "response.created", "response": begun})];
                for (at, item) in self.turn(value).iter().enumerate() {
                    events.push(json!({"type": "response.output_item.added", "output_index": at, "item": item}));
                    events.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
                }
                events.push(json!({"type": "response.completed", "response": self.whole(value)}));
                events
            }
            Blocks => vec![
                json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
                    "model": "m", "content": [], "usage": {"input_tokens": 5, "output_tokens": 1}}}),
                json!({"type": "content_block_start", "index": 0,
                    "content_block": {"type": "thinking", "thinking": ""}}),
                json!({"type": "content_block_delta", "index": 0,
                    "delta": {"type": "thinking_delta", "thinking": "Hm."}}),
                json!({"type": "content_block_delta", "index": 0,
                    "delta": {"type": "signature_delta", "signature": value}}),
                json!({"type": "content_block_stop", "index": 0}),
                json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
                json!({"type": "content_block_delta", "index": 1,
                    "delta": {"type": "text_delta", "text": "Yes."}}),
                json!({"type": "content_block_stop", "index": 1}),
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}),
                json!({"type": "message_stop"}),
            ],
        }
    }

    fn streamed(self, value: &str) -> Answer {
        let frame = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
        // In pieces that cut every value.
        Answer::sse().pieces(self.events(value).iter().map(frame).collect::<String>(), 50).end()
    }

    fn refused(self) -> Answer {
        let message = "the encrypted content could not be verified";
        let error = match self {
            Items => json!({"error": {"message": message, "type": "invalid_request_error",
                "code": "invalid_encrypted_content"}}),
            Blocks => json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}}),
        };
        Answer::json(400, error.to_string())
    }

    fn asking(self, model: &str, stream: bool, conversation: &[Value]) -> Request {
        match self {
            Items => {
                let body = json!({"model": model, "stream": stream, "store": false, "input": conversation,
                    "include": ["reasoning.encrypted_content"]});
                Request::post("/v1/responses", body.to_string())
            }
            Blocks => {
                let body = json!({"model": model, "stream": stream, "max_tokens": 2000, "messages": conversation});
                Request::post("/v1/messages", body.to_string())
            }
        }
    }
}

/// A deployment: each answer has its own opaque value, and requests with another deployment's are refused.
async fn deployment(form: Form, name: char) -> Upstream {
    Upstream::scripted(answering(form, name)).await
}

fn answering(form: Form, name: char) -> impl Fn(&Received) -> Answer + Send + Sync + 'static {
    let (own, issued) = (beginning(name), Arc::new(AtomicUsize::new(0)));
    move |request| {
        if values(&request_text(request)).iter().any(|value| !value.starts_with(&own)) {
            return form.refused();
        }
        let value = format!("{own}{:0>6}{}", issued.fetch_add(1, Ordering::SeqCst), "x".repeat(200));
        if request.json()["stream"] == true {
            form.streamed(&value)
        } else {
            Answer::json(200, form.whole(&value).to_string())
        }
    }
}

/// A failure.
fn down() -> Answer {
    Answer::json(503, "{}")
}

fn request_text(request: &Received) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

fn provider(form: Form, name: char, upstream: &Upstream) -> String {
    format!(
        "[[providers]]\nname = \"{name}\"\nadapter = \"{}\"\nurl = \"{}\"\napi_key = \"KEY-OF-{name}\"\n\
         retry = {{ max_retries = 0 }}\nbreaker = {{ min_attempts = 1000000 }}\n",
        form.adapter(),
        upstream.url()
    )
}

/// Two deployments and a model over both, in turn; and one that is always translated.
fn config(form: Form, a: &Upstream, b: &Upstream) -> String {
    let model = |name: &str, translate: bool| {
        format!(
            "[[models]]\nalias = \"{name}\"\nstrategy = \"round-robin\"\ntranslate = {translate}\n\
             targets = [{{ provider = \"a\", model = \"m\" }}, {{ provider = \"b\", model = \"m\" }}]\n"
        )
    };
    provider(form, 'a', a) + &provider(form, 'b', b) + &model("both", false) + &model("both-t", true)
}

/// A conversation as its client keeps it.
struct Conversation {
    form: Form,
    model: &'static str,
    stream: bool,
    turns: Vec<Value>,
}

impl Conversation {
    fn new(form: Form, model: &'static str, stream: bool) -> Self {
        Self { form, model, stream, turns: Vec::new() }
    }

    /// The next question.
    fn question(&mut self) -> Request {
        self.turns.push(json!({"role": "user", "content": "Is it blue?"}));
        self.form.asking(self.model, self.stream, &self.turns)
    }

    /// Adds an answer; returns the deployment that gave it.
    fn issuer_of(&mut self, reply: &Reply) -> String {
        assert_eq!(reply.status(), 200, "{:?} {}: {}", self.form, self.model, reply.text());
        let value = values(&reply.text()).pop().unwrap_or_else(|| panic!("{}", reply.text()));
        self.turns.extend(self.form.turn(&value));
        reply.header("x-weir-provider").unwrap().to_owned()
    }

    async fn go_on(&mut self, gateway: &Gateway) -> String {
        let question = self.question();
        self.issuer_of(&gateway.ask(&question).await)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_a_talk_goes_on_with_the_issuer_of_its_thinking_and_new_ones_are_still_shared_out() {
    for form in [Items, Blocks] {
        let (a, b) = (deployment(form, 'a').await, deployment(form, 'b').await);
        let gateway = Gateway::open(&config(form, &a, &b)).await;
        for (model, stream) in [("both", false), ("both", true), ("both-t", false), ("both-t", true)] {
            let mut talks: Vec<(Conversation, String)> = Vec::new();
            let mut begun: BTreeMap<String, usize> = BTreeMap::new();
            for _ in 0..4 {
                let mut conversation = Conversation::new(form, model, stream);
                let issuer = conversation.go_on(&gateway).await;
                *begun.entry(issuer.clone()).or_default() += 1;
                talks.push((conversation, issuer));
                // Conversations that have begun continue in between.
                for (conversation, issuer) in &mut talks {
                    let reply = gateway.ask(&conversation.question()).await;
                    assert_eq!(reply.attempts(), Some("1"), "{form:?} {model} {stream}");
                    assert_eq!(conversation.issuer_of(&reply), *issuer, "{form:?} {model} stream: {stream}");
                }
            }
            assert_eq!(begun.into_values().collect::<Vec<_>>(), [2, 2], "{form:?} {model} stream: {stream}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_if_the_issuer_is_gone_its_values_are_left_out_and_reported() {
    for (form, model) in [(Items, "both"), (Items, "both-t"), (Blocks, "both"), (Blocks, "both-t")] {
        let (a, mut b) = (deployment(form, 'a').await, deployment(form, 'b').await);
        let gateway = Gateway::open(&config(form, &a, &b)).await;
        let mut conversation = Conversation::new(form, model, false);
        assert_eq!(conversation.go_on(&gateway).await, "a");
        a.now(down());
        let strict = gateway.ask(&conversation.question().header("x-weir-strict", "true")).await;
        assert_eq!(strict.status(), 400, "{form:?} {model}: {}", strict.text());
        b.request().await;
        assert!(b.unseen().is_none(), "nothing is left out of a strict request");
        conversation.turns.pop();
        let reply = gateway.ask(&conversation.question()).await;
        assert_eq!(conversation.issuer_of(&reply), "b");
        let dropped = reply.header("x-weir-dropped-params").unwrap_or_default();
        // In the client's own spelling.
        let field = if form == Items { "input[1].reasoning" } else { "messages[1].reasoning" };
        assert!(dropped.contains(field), "{form:?} {model}: {dropped}");
        let refused = b.request().await;
        assert_eq!(values(&request_text(&refused)).len(), 1, "{form:?} {model}");
        let sent = request_text(&b.request().await);
        assert!(values(&sent).is_empty() && sent.contains("Yes.") && sent.contains("blue"), "{sent}");
        // From here on it is b's, whatever values the client carries; and b gets its own back.
        a.script(answering(form, 'a'));
        let reply = gateway.ask(&conversation.question()).await;
        assert_eq!(conversation.issuer_of(&reply), "b", "{form:?} {model}");
        b.request().await;
        let sent = values(&request_text(&b.request().await));
        assert_eq!(sent.len(), 1, "{form:?} {model}: {sent:?}");
        assert!(sent[0].starts_with(&beginning('b')), "{form:?} {model}: {sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_a_refusal_with_another_reason_is_passed_on_unchanged() {
    for (form, model) in [(Items, "both"), (Blocks, "both")] {
        let (a, mut b) = (deployment(form, 'a').await, deployment(form, 'b').await);
        let rests = "min_attempts = 1, failure_rate = 0.1, open = \"60s\"";
        let gateway = Gateway::open(&config(form, &a, &b).replace("min_attempts = 1000000", rests)).await;
        let mut conversation = Conversation::new(form, model, false);
        conversation.go_on(&gateway).await;
        // It fails once, and rests from then on.
        a.now(down());
        let new = Conversation::new(form, model, false).question();
        while gateway.ask(&new).await.attempts() != Some("2") {
            b.request().await;
        }
        b.request().await;
        let refusal = json!({"error": {"message": "no such thing", "type": "invalid_request_error"}, "type": "error"});
        b.now(Answer::json(400, refusal.to_string()));
        let reply = gateway.ask(&conversation.question()).await;
        assert_eq!((reply.status(), reply.json()), (400, refusal), "the provider's own words");
        b.request().await;
        b.request().await;
        assert!(b.unseen().is_none(), "it is asked once more, and no more");
        // Values of unknown issuers are left alone.
        let mut other = Conversation::new(form, model, false);
        other.question();
        other.turns.extend(form.turn(&format!("{}{}", beginning('z'), "y".repeat(100))));
        let reply = gateway.ask(&other.question()).await;
        assert_eq!(reply.status(), 400);
        b.request().await;
        assert!(b.unseen().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_a_fallback_that_answered_keeps_the_talk() {
    let (a, b) = (deployment(Items, 'a').await, deployment(Items, 'b').await);
    let config = provider(Items, 'a', &a)
        + &provider(Items, 'b', &b)
        + "[[models]]\nalias = \"first\"\ntarget = { provider = \"a\", model = \"m\" }\nfallbacks = [\"second\"]\n\
           [[models]]\nalias = \"second\"\ntarget = { provider = \"b\", model = \"m\" }\n";
    let gateway = Gateway::open(&config).await;
    let mut conversation = Conversation::new(Items, "first", true);
    a.now(down());
    assert_eq!(conversation.go_on(&gateway).await, "b");
    a.script(answering(Items, 'a'));
    assert_eq!(conversation.go_on(&gateway).await, "b");
    assert_eq!(Conversation::new(Items, "first", true).go_on(&gateway).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_compressed_answers_are_understood_where_they_are_metered() {
    let (a, b) = (Upstream::always(Answer::default()).await, Upstream::always(Answer::default()).await);
    for (upstream, name) in [(&a, 'a'), (&b, 'b')] {
        let value = format!("{}{}", beginning(name), "x".repeat(100));
        let packed = pack("gzip", Items.whole(&value).to_string().as_bytes());
        let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
        upstream.now(Answer::whole(200, &headers, packed));
    }
    let gateway = Gateway::open(&config(Items, &a, &b)).await;
    let mut conversation = Conversation::new(Items, "both", false);
    let first = gateway.ask(&conversation.question().header("accept-encoding", "gzip")).await;
    assert_eq!(first.header("content-encoding"), Some("gzip"));
    conversation.turns.extend(Items.turn(&format!("{}{}", beginning('a'), "x".repeat(100))));
    for _ in 0..3 {
        let reply = gateway.ask(&conversation.question().header("accept-encoding", "gzip")).await;
        assert_eq!(reply.header("x-weir-provider"), first.header("x-weir-provider"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_a_talk_stays_with_the_key_whose_account_issued_its_thinking() {
    let by_key = [('1', answering(Items, '1')), ('2', answering(Items, '2'))];
    let upstream = Upstream::scripted(move |request| {
        let key = request.header("authorization").and_then(|value| value.chars().last());
        by_key.iter().find(|(name, _)| Some(*name) == key).map_or_else(down, |(_, answer)| answer(request))
    })
    .await;
    let config = provider(Items, 'a', &upstream).replace("api_key = \"KEY-OF-a\"", "api_keys = [\"KEY-1\", \"KEY-2\"]")
        + "[[models]]\nalias = \"one\"\ntarget = { provider = \"a\", model = \"m\" }\n";
    let gateway = Gateway::open(&config).await;
    let mut talks = [
        Conversation::new(Items, "one", false),
        Conversation::new(Items, "one", true),
        Conversation::new(Items, "one", false),
    ];
    for _ in 0..4 {
        for conversation in &mut talks {
            let reply = gateway.ask(&conversation.question()).await;
            assert_eq!(reply.attempts(), Some("1"));
            conversation.issuer_of(&reply);
        }
    }
    let issuers: Vec<bool> =
        talks.iter().map(|conversation| json!(conversation.turns).to_string().contains(&beginning('1'))).collect();
    assert!(issuers.contains(&true) && issuers.contains(&false), "both keys have their turn: {issuers:?}");
}

/// A turn with a tool call, signed.
fn calling(name: char) -> String {
    let id = format!("toolu_01{}", name.to_string().repeat(12));
    let content = json!([
        {"type": "thinking", "thinking": "Hm.", "signature": format!("{}{}", beginning(name), "x".repeat(100))},
        {"type": "tool_use", "id": id, "name": "look", "input": {"at": "sky"}},
    ]);
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "content": content, "usage": {"input_tokens": 5, "output_tokens": 9}})
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_a_client_whose_format_carries_no_values_is_led_back_by_its_tool_calls() {
    let a = Upstream::always(Answer::json(200, calling('a'))).await;
    let b = Upstream::always(Answer::json(200, calling('b'))).await;
    let gateway = Gateway::open(&config(Blocks, &a, &b)).await;
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
    let ask = |conversation: &Value| {
        json!({"model": "both", "max_tokens": 2000, "reasoning_effort": "low", "tools": tools, "messages": conversation})
            .to_string()
    };
    for _ in 0..2 {
        let mut conversation = json!([{"role": "user", "content": "Is it blue?"}]);
        let mut issuers = Vec::new();
        for _ in 0..4 {
            let reply = gateway.post("/v1/chat/completions", &ask(&conversation)).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            let answer = reply.json();
            let message = &answer["choices"][0]["message"];
            let calls = &message["tool_calls"];
            let turns = conversation.as_array_mut().unwrap();
            turns.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
            turns.push(json!({"role": "tool", "tool_call_id": calls[0]["id"], "content": "yes"}));
            issuers.push(reply.header("x-weir-provider").unwrap().to_owned());
        }
        issuers.dedup();
        assert_eq!(issuers.len(), 1, "{issuers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_a_tenants_values_route_only_its_own_requests_and_override_a_session() {
    let (a, b) = (deployment(Items, 'a').await, deployment(Items, 'b').await);
    let clients = "[[clients]]\nname = \"one\"\nkey = \"KEY-OF-ONE-IS-LONG\"\n[[clients]]\nname = \"two\"\nkey = \"KEY-OF-TWO-IS-LONG\"\n";
    let gateway = Gateway::open(&(config(Items, &a, &b) + clients)).await;
    let ask = |conversation: &mut Conversation, name: &str| {
        conversation.question().header("authorization", &format!("Bearer KEY-OF-{name}-IS-LONG"))
    };
    let mut conversation = Conversation::new(Items, "both", false);
    let question = ask(&mut conversation, "ONE");
    let issuer = conversation.issuer_of(&gateway.ask(&question).await);
    // For another client it is an unknown value: requests with it take turns.
    let mut stolen = Vec::new();
    for _ in 0..4 {
        let reply = gateway.ask(&ask(&mut conversation, "TWO")).await;
        stolen.push(reply.header("x-weir-provider").unwrap().to_owned());
    }
    stolen.sort();
    assert_eq!(stolen, ["a", "a", "b", "b"]);
    for session in ["1", "2", "3", "4", "5", "6"] {
        let reply = gateway.ask(&ask(&mut conversation, "ONE").header("x-weir-session", session)).await;
        assert_eq!(reply.header("x-weir-provider"), Some(&*issuer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_names_the_issuer() {
    let (a, b) = (deployment(Items, 'a').await, deployment(Items, 'b').await);
    let gateway = Gateway::open(&config(Items, &a, &b)).await;
    let mut conversation = Conversation::new(Items, "both", false);
    Conversation::new(Items, "both", false).go_on(&gateway).await;
    assert_eq!(conversation.go_on(&gateway).await, "b");
    let request = json!({"model": "both", "input": conversation.turns});
    let question = json!({"model": "both", "from": "openai.responses", "request": request});
    let explained = gateway.post("/admin/routes/explain", &question.to_string()).await.json();
    let first = &explained["targets"][0];
    assert_eq!(
        (&first["provider"], &first["why"]),
        (&json!("b"), &json!("it issued its opaque reasoning")),
        "{explained}"
    );
    let other = json!({"model": "both", "from": "openai.responses", "request": request, "client": "somebody"});
    let explained = gateway.post("/admin/routes/explain", &other.to_string()).await.text();
    assert!(!explained.contains("issued"), "{explained}");
}

/// A provider with its own files, batches and answers.
async fn store(name: char) -> Upstream {
    let stream = move |id: &str| {
        let response = json!({"id": id, "object": "response", "model": "m-2024-08-06-is-a-model", "output": []});
        let event = |kind: &str| format!("event: {kind}\ndata: {}\n\n", json!({"type": kind, "response": response}));
        Answer::sse().pieces(event("response.created") + &event("response.completed"), 30).end()
    };
    Upstream::scripted(move |request| {
        let id = |kind: &str| format!("{kind}0123456789abcdef{name}");
        if request.line().contains("/responses") && request.line().starts_with("POST") {
            if request.json()["stream"] == true {
                return stream(&id("resp_"));
            }
            let answer = json!({"id": id("resp_"), "object": "response", "model": "m-2024-08-06-is-a-model",
                "status": "completed", "output": [], "usage": {"input_tokens": 1, "output_tokens": 1}});
            return Answer::json(200, answer.to_string());
        }
        Answer::json(200, json!({"id": id("file-"), "object": "file"}).to_string())
    })
    .await
}

fn stores(a: &Upstream, b: &Upstream) -> String {
    config(Items, a, b) + "[[models]]\nalias = \"at-b\"\ntarget = { provider = \"b\", model = \"m\" }\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_fetched_from_the_provider_that_made_it() {
    let (a, b) = (store('a').await, store('b').await);
    let gateway = Gateway::open(&stores(&a, &b)).await;
    let upload = Request::new("POST", "/v1/files").header("content-type", "multipart/form-data; boundary=x");
    let upload = upload.body("--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n");
    assert_eq!(gateway.provider_of(&upload).await, "a", "the first that takes it");
    assert_eq!(gateway.provider_of(&upload.header("x-weir-provider", "b")).await, "b");
    for (name, other) in [("b", "a"), ("a", "b")] {
        let id = format!("file-0123456789abcdef{name}");
        assert_eq!(gateway.provider_of(&Request::get(&format!("/v1/files/{id}"))).await, name);
        assert_eq!(gateway.provider_of(&Request::get(&format!("/v1/files/{id}/content"))).await, name);
        assert_eq!(gateway.provider_of(&Request::new("DELETE", &format!("/v1/files/{id}"))).await, name);
        let named = Request::get(&format!("/v1/files/{id}")).header("x-weir-provider", other);
        assert_eq!(gateway.provider_of(&named).await, other, "who is named counts");
        let batch = json!({"input_file_id": id, "endpoint": "/v1/responses", "completion_window": "24h"});
        assert_eq!(gateway.provider_of(&Request::post("/v1/batches", batch.to_string())).await, name);
    }
    assert_eq!(gateway.provider_of(&Request::get("/v1/files/file-unknown0123456789")).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_answer_is_gone_on_with_and_fetched_where_it_is() {
    for stream in [false, true] {
        let (a, b) = (store('a').await, store('b').await);
        let gateway = Gateway::open(&stores(&a, &b)).await;
        let ask = |model: &str, more: Value| {
            let mut body = json!({"model": model, "stream": stream, "input": "Hi"});
            body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
            Request::post("/v1/responses", body.to_string())
        };
        assert_eq!(gateway.provider_of(&ask("at-b", json!({}))).await, "b");
        let id = "resp_0123456789abcdefb";
        for _ in 0..4 {
            let going_on = ask("both", json!({"previous_response_id": id}));
            assert_eq!(gateway.provider_of(&going_on).await, "b", "stream: {stream}");
        }
        assert_eq!(gateway.provider_of(&Request::get(&format!("/v1/responses/{id}"))).await, "b");
        let unknown = ask("both", json!({"previous_response_id": "resp_unknown0123456789"}));
        let mut turns = [gateway.provider_of(&unknown).await, gateway.provider_of(&unknown).await];
        turns.sort();
        assert_eq!(turns, ["a", "b"], "an unknown id goes to the targets in turn");
    }
}

//! No way leads around a guard: not by a fallback or a budget, not by JSON that two readers read differently, not by
//! another entry point.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Reply, Request, Upstream};

use super::everywhere::{ADAPTERS, DIALECTS, Dialect};
use super::{asks, gateway, guard, secret, upstream};

/// Names for the models `openai` and `anthropic`, where the first falls back to the second.
fn falling() -> String {
    let model = |name: &str, provider: &str, more: &str| {
        format!(
            "[[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{provider}\", model = \"{name}\" }}\n{more}\n"
        )
    };
    model("first", "openai", "fallbacks = [\"second\"]") + &model("second", "anthropic", "")
}

/// An upstream where OpenAI's endpoints fail.
async fn failing() -> Upstream {
    let anthropic = Answer::json(
        200,
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "second", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "Hello!"}], "usage": {"input_tokens": 3, "output_tokens": 2}})
        .to_string(),
    );
    let script = move |request: &Received| {
        if request.line().contains("/messages") { anthropic.clone() } else { Answer::json(503, "{}") }
    };
    Upstream::scripted(script).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guards_of_a_fallback_judge_what_reaches_it() {
    let mut upstream = failing().await;
    let guards = guard("secrets", "for = { models = [\"second\"] }\noptions = { action = \"mask\" }");
    let gateway = gateway(&upstream, &["openai", "anthropic"], &(falling() + &guards)).await;
    let reply = gateway.ask(&asks("first", &secret())).await;
    assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some("anthropic")), "{}", reply.text());
    assert_eq!(reply.header("x-weir-guards"), Some("secrets=replace;aws-access-key=1"));
    let sent = [upstream.request().await.text(), upstream.request().await.text()];
    assert!(sent[0].contains(&secret()), "the first model has no guard");
    assert!(sent[1].contains("[aws-access-key]") && !sent[1].contains(&secret()), "{}", sent[1]);

    let guards = guard("secrets", "for = { models = [\"second\"] }");
    let gateway = super::gateway(&upstream, &["openai", "anthropic"], &(falling() + &guards)).await;
    let reply = gateway.ask(&asks("first", &secret())).await;
    assert_eq!(reply.status(), 503, "the first model's own failure is reported: {}", reply.text());
    assert_eq!(reply.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"));
    upstream.request().await;
    assert!(upstream.unseen().is_none(), "nothing reaches the second");
    let reply = gateway.ask(&asks("first", "Hi")).await;
    assert_eq!((reply.status(), reply.header("x-weir-guards")), (200, Some("secrets=allow")), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guards_of_a_cheaper_model_judge_what_a_budget_passes_on_to_it() {
    let upstream = upstream().await;
    let models = "[[models]]\nalias = \"small\"\ntarget = { provider = \"openai\", model = \"small\" }\n\
                  [[budgets]]\nname = \"one\"\nfor = { model = \"openai\" }\nrequests = 1\nper = \"total\"\n\
                  when_over = { downgrade = \"small\" }\n";
    let guards = guard("secrets", "for = { models = [\"small\"] }");
    let gateway = gateway(&upstream, &["openai"], &(models.to_owned() + &guards)).await;
    let first = gateway.ask(&asks("openai", &secret())).await;
    assert_eq!((first.status(), first.header("x-weir-guards")), (200, None), "{}", first.text());
    let second = gateway.ask(&asks("openai", &secret())).await;
    assert_eq!(second.status(), 400, "{}", second.text());
    assert_eq!(second.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"));
    let third = gateway.ask(&asks("openai", "Hi")).await;
    assert_eq!((third.status(), third.header("x-weir-guards")), (200, Some("secrets=allow")), "{}", third.text());
}

/// Either a translated request without the secret was sent, or the client's was refused.
fn assert_judged_or_refused(upstream: &mut Upstream, reply: &Reply, case: &str) {
    if let Some(sent) = upstream.unseen() {
        assert_eq!(reply.header("x-weir-lane"), Some("translate"), "{case}");
        assert!(!sent.text().contains(&secret()), "{case}: {}", sent.text());
    } else {
        assert_eq!(reply.status(), 400, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_judged_is_sent_where_json_says_two_things() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &ADAPTERS, &guard("secrets", "")).await;
    for (adapter, dialect) in DIALECTS {
        let body = dialect.ask(adapter, false);
        let members = body.as_object().unwrap();
        let (name, _) = members.iter().find(|(_, value)| value.is_array()).unwrap();
        let hidden = body[name].to_string().replace("Hi", &secret());
        for name in [name.clone(), format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]), name.to_uppercase()] {
            for first in [false, true] {
                let whole = body.to_string();
                let inner = &whole[1..whole.len() - 1];
                let text = if first {
                    format!("{{\"{name}\":{hidden},{inner}}}")
                } else {
                    format!("{{{inner},\"{name}\":{hidden}}}")
                };
                let reply = gateway.ask(&dialect.request_of(adapter, &text, false)).await;
                let case = format!("{dialect:?}, {text}: {}", reply.text());
                // A dialect that refuses the repetition has reported that; one that reads it sends what was judged.
                assert_judged_or_refused(&mut upstream, &reply, &case);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_format_passes_over_is_not_relayed_past_a_guard() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["openai"], &guard("secrets", "")).await;
    let user = |more: Value| json!([{"role": "user", "content": "Hi"}, more]);
    let choice = json!({"type": "function", "function": {"name": "f", "note": secret()}});
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {}}});
    let image = json!({"type": "image_url", "image_url": {"url": "https://x.example/a.png", secret(): 1}});
    for more in [
        json!({"messages": user(json!({"role": "user", "content": "Hi", "refusal": secret()}))}),
        json!({"messages": user(json!({"role": "user", "content": [image]}))}),
        json!({"response_format": {"type": "text", "x": {"y": [format!("the key {}", secret())]}}}),
        json!({"tools": [tool], "tool_choice": choice}),
    ] {
        let mut body = json!({"model": "openai", "messages": user(json!({"role": "assistant", "content": "Ho"}))});
        let plain = gateway.post("/v1/chat/completions", &body.to_string()).await;
        assert_eq!((plain.status(), plain.header("x-weir-lane")), (200, Some("relay")), "{}", plain.text());
        upstream.request().await;
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = gateway.post("/v1/chat/completions", &body.to_string()).await;
        let case = format!("{body}: {}", reply.text());
        // Where a guard sees it after all, it refuses it.
        assert_judged_or_refused(&mut upstream, &reply, &case);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_is_only_relayed_has_each_member_once() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["openai"], &guard("prompt-shape", "")).await;
    let twice = "{\"model\":\"openai\",\"input\":\"a\",\"input\":\"b\"}";
    let reply = gateway.post("/v1/moderations", twice).await;
    assert_eq!((reply.status(), &reply.json()["error"]["code"]), (400, &json!("repeated_member")), "{}", reply.text());
    assert!(upstream.unseen().is_none());
    let once = gateway.post("/v1/moderations", "{\"model\":\"openai\",\"input\":\"a\"}").await;
    assert_eq!(once.status(), 200, "{}", once.text());
    upstream.request().await;
    let gateway = super::gateway(&upstream, &["openai"], "").await;
    assert_eq!(gateway.post("/v1/moderations", twice).await.status(), 200, "without guards the bytes pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_hidden_in_what_is_only_relayed_too() {
    let upstream = upstream().await;
    for (grants, shown) in [("prompt = true", false), ("prompt = true, metadata = true", true)] {
        let text = format!(
            "[[guards]]\nname = \"sentry\"\ndeadline = \"20s\"\noptions = {{ does = \"tell\" }}\ngrants = {{ {grants} }}\n"
        );
        let gateway = gateway(&upstream, &["openai"], &text).await;
        let body = json!({"model": "openai", "input": "a private matter", "metadata": {"label": "case-7"}});
        let reply = gateway.post("/v1/moderations", &body.to_string()).await;
        assert!(reply.text().contains("a private matter"), "{}", reply.text());
        assert_eq!(reply.text().contains("case-7"), shown, "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_a_format_does_not_know_are_searched_too() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["openai"], &guard("secrets", "")).await;
    let schema = json!({"type": "json_schema", "json_schema": {"name": secret(), "schema": {"type": "object"}}});
    for (name, value) in [(secret(), json!(1)), ("response_format".to_owned(), schema)] {
        let mut body = json!({"model": "openai", "messages": [{"role": "user", "content": "Hi"}]});
        body[name] = value;
        let reply = gateway.post("/v1/chat/completions", &body.to_string()).await;
        assert_eq!(reply.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"), "{body}: {}", reply.text());
    }
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_calls_arguments_hides_from_a_guard() {
    let mut upstream = upstream().await;
    let guards = guard("secrets", "") + &guard("pii", "options = { action = \"deny\", kinds = [\"card\"] }");
    let gateway = gateway(&upstream, &["openai"], &guards).await;
    let with_half = format!("{{\"q\":\"{} \\ud83d\"}}", secret());
    for (arguments, guard) in [(with_half.as_str(), "secrets"), ("{\"card\":4111111111111111}", "pii")] {
        let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}});
        let messages = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "done"}]);
        let chat = Request::post("/v1/chat/completions", json!({"model": "openai", "messages": messages}).to_string());
        let input = json!([{"role": "user", "content": "Hi"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments},
            {"type": "function_call_output", "call_id": "c", "output": "done"}]);
        let responses = Request::post("/v1/responses", json!({"model": "openai", "input": input}).to_string());
        for request in [chat, responses] {
            let reply = gateway.ask(&request).await;
            let verdicts = reply.header("x-weir-guards").unwrap_or_default();
            assert!(verdicts.contains(&format!("{guard}=deny")), "{arguments}: {verdicts} {}", reply.text());
            assert!(upstream.unseen().is_none(), "{arguments}");
        }
    }
}

/// A request with a file, in each dialect that has files.
fn with_file(dialect: Dialect, model: &str, stream: bool, mime: &str, bytes: &[u8]) -> Option<Value> {
    let data = STANDARD.encode(bytes);
    let url = format!("data:{mime};base64,{data}");
    let format = if mime == "application/pdf" { "pdf" } else { "txt" };
    Some(match dialect {
        Dialect::Chat => json!({"model": model, "stream": stream, "messages": [{"role": "user", "content":
            [{"type": "file", "file": {"filename": "a", "file_data": url}}]}]}),
        Dialect::Responses => json!({"model": model, "stream": stream, "input": [{"role": "user", "content":
            [{"type": "input_file", "filename": "a", "file_data": url}]}]}),
        Dialect::Messages => json!({"model": model, "stream": stream, "max_tokens": 9, "messages": [{"role": "user",
            "content": [{"type": "document", "source": {"type": "base64", "media_type": mime, "data": data}}]}]}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts":
            [{"inlineData": {"mimeType": mime, "data": data}}]}]}),
        Dialect::Converse => json!({"messages": [{"role": "user", "content":
            [{"document": {"name": "a", "format": format, "source": {"bytes": data}}}]}]}),
        Dialect::Cohere | Dialect::Ollama => return None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn large_text_documents_are_judged_in_every_dialect_and_lane_and_other_large_files_pass() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &ADAPTERS, &guard("secrets", "")).await;
    let text = format!("{} {}", "many words ".repeat(1000), secret());
    let pdf = [b"%PDF-1.7\n\xff".as_slice(), text.as_bytes()].concat();
    let mut seen = 0;
    for (adapter, dialect) in DIALECTS {
        for stream in [false, true] {
            for model in [adapter.to_owned(), format!("{adapter}-t")] {
                let Some(body) = with_file(dialect, &model, stream, "text/plain", text.as_bytes()) else { continue };
                let reply = gateway.ask(&dialect.request(&model, &body, stream)).await;
                let case = format!("{dialect:?}, {model}, {stream}: {}", reply.text());
                assert_eq!(reply.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"), "{case}");
                assert!(upstream.unseen().is_none(), "{case}");
                let body = with_file(dialect, &model, stream, "application/pdf", &pdf).unwrap();
                let reply = gateway.ask(&dialect.request(&model, &body, stream)).await;
                assert_eq!(reply.header("x-weir-guards"), Some("secrets=allow"), "{dialect:?}: {}", reply.text());
                let sent = upstream.request().await.text();
                assert!(sent.contains(&STANDARD.encode(&pdf)), "{dialect:?}, {model}, {stream}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 5 * 2 * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_word_that_is_only_relayed_is_judged() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["openai"], &guard("secrets", "")).await;
    let word = format!("{}{}-x", "x-".repeat(6000), secret());
    let reply = gateway.post("/v1/moderations", &json!({"model": "openai", "input": word}).to_string()).await;
    assert_eq!(reply.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"), "{}", reply.text());
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn pass_through_is_closed_where_a_guard_would_have_to_judge() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let provider = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"k\"\npassthrough = [\"* *\"]\n\
         [[clients]]\nname = \"a\"\nkey = \"weir-a-0123456789abcdef\"\npassthrough = [\"p * *\"]\n",
        upstream.url()
    );
    for (lines, status) in [
        ("", 403),
        ("for = { clients = [\"a\"] }", 403),
        ("for = { clients = [\"b\"] }", 200),
        ("fail = \"open\"", 200),
        ("mode = \"monitor\"", 200),
    ] {
        let folder = Folder::with(&["openai", "secrets"]);
        let gateway = Gateway::with(folder, &format!("{provider}{}", guard("secrets", lines))).await;
        let by = |request: Request| request.header("authorization", "Bearer weir-a-0123456789abcdef");
        let reply = gateway.ask(&by(Request::post("/passthrough/p/anything", "{}"))).await;
        assert_eq!(reply.status(), status, "{lines}: {}", reply.text());
        if status == 403 {
            assert_eq!(reply.json()["error"]["code"], "guard_cannot_judge", "{lines}");
            assert!(upstream.unseen().is_none(), "{lines}");
        } else {
            upstream.request().await;
        }
        let batch = gateway.ask(&by(Request::get("/passthrough/p/batches/batch_1"))).await;
        assert_eq!(batch.status(), status, "{lines}: {}", batch.text());
        if status == 200 {
            upstream.request().await;
        }
        let bare = gateway.ask(&by(Request::get("/passthrough/p/files"))).await;
        assert_eq!(bare.status(), 200, "there is nothing to judge: {}", bare.text());
        upstream.request().await;
    }
}

/// A form with these parts: the rest of each head, and the value.
fn form(path: &str, parts: &[(&str, &str)]) -> Request {
    let part =
        |(head, value): &(&str, &str)| format!("--x\r\ncontent-disposition: form-data; {head}\r\n\r\n{value}\r\n");
    let body: String = parts.iter().map(part).collect();
    Request::new("POST", path).header("content-type", "multipart/form-data; boundary=x").body(body + "--x--\r\n")
}

fn cannot_judge(reply: &Reply) -> bool {
    reply.status() == 403 && reply.json()["error"]["code"] == "guard_cannot_judge"
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_of_tokens_are_refused_where_a_guard_would_have_to_judge_their_text() {
    let prompt = |model: &str, prompt: Value| {
        let body = json!({"model": model, "prompt": prompt, "max_tokens": 4});
        Request::post("/v1/completions", body.to_string())
    };
    let numbered = |model: &str| {
        let input = json!({"model": model, "input": [[49203, 23424], [7]]});
        let embeddings = Request::post("/v1/embeddings", input.to_string());
        [prompt(model, json!([49203, 23424])), prompt(model, json!(["a", 7])), embeddings]
    };
    let whole = json!({"id": "c", "object": "text_completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "text": "Hi", "finish_reason": "stop", "logprobs": null}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}});
    let embedded = json!({"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 2, "total_tokens": 2}});
    for (lines, is_open) in [("", false), ("fail = \"open\"", true), ("mode = \"monitor\"", true)] {
        // One of them says what it looks for, the other does not.
        for name in ["secrets", "prompt-shape"] {
            let mut upstream = Upstream::always(Answer::json(200, whole.to_string())).await;
            let gateway = gateway(&upstream, &["openai"], &guard(name, lines)).await;
            for model in ["openai", "openai-t"] {
                for request in numbered(model) {
                    let is_embedding = request.sent().starts_with(b"POST /v1/embeddings");
                    let answer = if is_embedding { embedded.to_string() } else { whole.to_string() };
                    upstream.script(move |_| Answer::json(200, answer.clone()));
                    let reply = gateway.ask(&request).await;
                    if is_open {
                        assert_eq!(reply.status(), 200, "{name} {lines}: {}", reply.text());
                        upstream.request().await;
                    } else {
                        assert!(cannot_judge(&reply), "{name} {lines}: {}", reply.text());
                        assert!(upstream.unseen().is_none(), "{name} {lines}");
                    }
                }
            }
            let text = gateway.ask(&prompt("openai", json!(["a", "b"]))).await;
            assert_eq!(text.status(), 200, "{}", text.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_batches_are_closed_where_a_guard_would_have_to_judge_them() {
    let mut upstream = Upstream::always(Answer::json(200, "{\"id\":\"x\"}")).await;
    for (lines, is_open) in [
        ("", false),
        ("for = { models = [\"another\"] }", false),
        ("for = { clients = [\"another\"] }", true),
        ("fail = \"open\"", true),
        ("mode = \"monitor\"", true),
    ] {
        let gateway = gateway(&upstream, &["openai"], &guard("secrets", lines)).await;
        for request in [
            form("/v1/files", &[("name=\"purpose\"", "batch"), ("name=\"file\"; filename=\"f\"", "{}")]),
            Request::new("POST", "/v1/files").body("{}"),
            Request::post("/v1/batches", "{\"input_file_id\":\"file-1\"}"),
            Request::get("/v1/batches/batch_1"),
        ] {
            let reply = gateway.ask(&request).await;
            assert_eq!(cannot_judge(&reply), !is_open, "{lines}: {}", reply.text());
            assert_eq!(upstream.unseen().is_some(), is_open, "{lines}: {}", reply.text());
        }
        for path in ["/v1/files", "/v1/files/file-1", "/v1/files/file-1/content", "/v1/batches"] {
            let reply = gateway.ask(&Request::get(path)).await;
            assert_eq!(reply.status(), 200, "there is no request in it: {lines}: {}", reply.text());
            upstream.request().await;
        }
    }
    let answers = guard("secrets", "").replace("prompt = true", "answer = true");
    let gateway = gateway(&upstream, &["openai"], &answers).await;
    for path in ["/v1/files/file-1/content", "/v1/batches/batch_1"] {
        let reply = gateway.ask(&Request::get(path)).await;
        assert!(cannot_judge(&reply) && upstream.unseen().is_none(), "{path}: {}", reply.text());
    }
    for request in [Request::get("/v1/files/file-1"), form("/v1/files", &[("name=\"purpose\"", "batch")])] {
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.status(), 200, "there is no answer in it: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_texts_of_a_form_are_judged() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["openai"], &guard("secrets", "for = { models = [\"openai\"] }")).await;
    let (model, image) = (("name=\"model\"", "openai"), ("name=\"image\"; filename=\"a.png\"", "\0PNG"));
    let (text, hidden) = (format!("the key {}", secret()), format!("name=\"image\"; filename=\"{}\"", secret()));
    for parts in [
        vec![model, image, ("name=\"prompt\"", text.as_str())],
        vec![model, image, ("name=\"prompt\"", "a cat"), ("name=\"prompt\"", text.as_str())],
        vec![model, image, ("name=\"prompt\"; filename=\"p\"", text.as_str())],
        vec![model, (hidden.as_str(), "\0PNG")],
        // Without a model, it may be for any.
        vec![image, ("name=\"prompt\"", text.as_str())],
    ] {
        for path in ["/v1/images/edits", "/v1/audio/transcriptions"] {
            let reply = gateway.ask(&form(path, &parts)).await;
            assert_eq!(reply.status(), 400, "{parts:?}: {}", reply.text());
            assert_eq!(reply.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"), "{parts:?}");
            assert!(upstream.unseen().is_none(), "{parts:?}");
        }
    }
    for head in ["name=\"prompt\"\r\ncontent-transfer-encoding: base64", "name=\"prompt\"\r\ncontent-type: a;charset=x"]
    {
        let reply = gateway.ask(&form("/v1/images/edits", &[model, image, (head, "SGk=")])).await;
        assert!(cannot_judge(&reply) && upstream.unseen().is_none(), "{head}: {}", reply.text());
    }
    let plain = form("/v1/images/edits", &[model, image, ("name=\"prompt\"", "a cat")]);
    let reply = gateway.ask(&plain).await;
    assert_eq!((reply.status(), reply.header("x-weir-guards")), (200, Some("secrets=allow")), "{}", reply.text());
    assert_eq!(upstream.request().await.body, plain.sent(), "its bytes are sent");
}

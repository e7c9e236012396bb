//! What answers make beside themselves, such as a container or a piece of sound, and what clients make by pass-through:
//! it belongs to the client, in whatever lane and place it is named.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use weir_tests::code::pack;
use weir_tests::{Answer, Folder, Gateway, Received, Reply, Request, Upstream, clients};

const CLIENTS: [(&str, &str); 4] = [
    (
        "one",
        "models = [\"openai*\", \"anthropic*\", \"m\"]\noperations = [\"chat\", \"count_tokens\", \"batches-*\", \"files-*\"]\n",
    ),
    (
        "two",
        "models = [\"openai*\", \"anthropic*\", \"m\"]\noperations = [\"chat\", \"count_tokens\", \"batches-*\", \"files-*\"]\n",
    ),
    ("free", ""),
    ("other", ""),
];

/// Who makes something, and who must not reach it.
const TENANTS: [(&str, [&str; 2]); 2] = [("one", ["two", "other"]), ("free", ["other", "one"])];

pub(super) async fn open(upstream: &Upstream) -> Gateway {
    let provider = |name: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
             passthrough = [\"* *\"]\nretry = {{ max_retries = 0 }}\n\
             [[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{name}\", model = \"m\" }}\n\
             [[models]]\nalias = \"{name}-t\"\ntranslate = true\ntarget = {{ provider = \"{name}\", model = \"m\" }}\n",
            upstream.url()
        )
    };
    let client = |(name, more): (&str, &str)| clients::client(name, &format!("passthrough = [\"* * *\"]\n{more}"));
    // By Responses also where the client's format is another.
    let responses = format!(
        "[[providers]]\nname = \"openai-r\"\nadapter = \"openai\"\nformat = \"openai.responses\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         retry = {{ max_retries = 0 }}\n\
         [[models]]\nalias = \"openai-r\"\ntarget = {{ provider = \"openai-r\", model = \"m\" }}\n",
        upstream.url()
    );
    let config = ["openai", "anthropic"].map(provider).concat() + &responses + &CLIENTS.map(client).concat();
    Gateway::with(Folder::with(&["openai", "anthropic"]), &config).await
}

/// A provider whose answers make an object each, with a number of its own.
pub(super) async fn maker(is_packed: bool) -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::scripted(move |request| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let (whole, events) = if request.line().contains("/chat/completions") {
            sound(&format!("audio_0123456789abcdef{number}"))
        } else if request.line().contains("/responses") {
            code(&format!("cntr_0123456789abcdef{number}"))
        } else if request.line().contains("/messages") {
            container(&format!("container_0123456789abcdef{number}"))
        } else {
            (json!({"id": format!("skill_0123456789abcdef{number}"), "type": "skill", "source": "custom"}), Vec::new())
        };
        if streams(request) {
            let text: String = events.iter().map(event).collect();
            return Answer::sse().pieces(text + "data: [DONE]\n\n", 37).end();
        }
        if is_packed {
            let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
            return Answer::whole(200, &headers, pack("gzip", whole.to_string().as_bytes()));
        }
        Answer::json(200, whole.to_string())
    })
    .await
}

fn streams(request: &Received) -> bool {
    serde_json::from_slice::<Value>(&request.body).is_ok_and(|body| body["stream"] == true)
}

fn event(data: &Value) -> String {
    let name = data["type"].as_str().map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {data}\n\n")
}

/// An answer of Chat that is spoken.
fn sound(id: &str) -> (Value, Vec<Value>) {
    let said = json!({"id": id, "data": "AAAA", "expires_at": 1, "transcript": "Yes."});
    let choice = |name: &str, part: Value, finish: Value| {
        json!({"id": "c", "created": 1, "model": "m", "object": if name == "delta" { "chat.completion.chunk" } else { "chat.completion" },
            "choices": [{"index": 0, name: part, "finish_reason": finish}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
    };
    let whole = choice("message", json!({"role": "assistant", "content": null, "audio": said}), json!("stop"));
    let delta = |part: Value| choice("delta", part, Value::Null);
    let pieces = vec![
        delta(json!({"role": "assistant", "audio": {"id": id, "transcript": "Yes."}})),
        delta(json!({"audio": {"data": "AAAA"}})),
        delta(json!({"audio": {"expires_at": 1}})),
        choice("delta", json!({}), json!("stop")),
    ];
    (whole, pieces)
}

/// An answer of Responses for which code was run.
fn code(id: &str) -> (Value, Vec<Value>) {
    let call = json!({"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1", "container_id": id, "outputs": []});
    let text = json!({"type": "output_text", "text": "Yes.", "annotations": []});
    let message =
        json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]});
    let response = |output: Value| {
        json!({"id": format!("resp_{id}"), "object": "response", "model": "m", "status": "completed", "output": output,
            "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}})
    };
    let events = vec![
        json!({"type": "response.created", "response": response(json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": call}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": call}),
        json!({"type": "response.completed", "response": response(json!([call, message]))}),
    ];
    (response(json!([call, message])), events)
}

/// An answer of Messages for which a container was made.
fn container(id: &str) -> (Value, Vec<Value>) {
    let container = json!({"id": id, "expires_at": "2030-01-01T00:00:00Z"});
    let message = |content: Value, container: &Value, stop: Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content, "container": container,
            "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}})
    };
    let text = json!({"type": "text", "text": "Yes."});
    let events = vec![
        json!({"type": "message_start", "message": message(json!([]), &Value::Null, Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Yes."}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null, "container": container},
            "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    (message(json!([text]), &container, json!("end_turn")), events)
}

pub(super) fn by(client: &str, request: &Request) -> Request {
    clients::by(client, request.clone())
}

fn with(mut body: Value, more: &Value) -> String {
    let more = more.as_object().cloned().unwrap_or_default();
    body.as_object_mut().unwrap().extend(more);
    body.to_string()
}

fn chat(path: &str, model: &str, stream: bool, before: &Value) -> Request {
    let user = json!({"role": "user", "content": "Hi"});
    let messages = if before.is_null() { json!([user]) } else { json!([user, before, user]) };
    let audio = json!({"voice": "alloy", "format": "wav"});
    let body = json!({"model": model, "stream": stream, "modalities": ["text", "audio"], "audio": audio, "messages": messages});
    Request::post(path, body.to_string())
}

fn responses(model: &str, stream: bool, more: &Value) -> Request {
    let tools = json!([{"type": "code_interpreter", "container": {"type": "auto"}}]);
    let body = json!({"model": model, "stream": stream, "input": "Hi", "tools": tools});
    Request::post("/v1/responses", with(body, more))
}

fn messages(path: &str, model: &str, stream: bool, more: &Value) -> Request {
    let tools = json!([{"type": "code_execution_20250825", "name": "code_execution"}]);
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "tools": tools});
    if !path.ends_with("count_tokens") {
        (body["max_tokens"], body["stream"]) = (json!(9), json!(stream));
    }
    Request::post(path, with(body, more)).header("anthropic-version", "2023-06-01")
}

/// Requests in each lane, whole and streamed, that name this object.
pub(super) fn naming(id: &str) -> Vec<Request> {
    let mut all = Vec::new();
    for stream in [false, true] {
        for lane in ["", "-t"] {
            let model = |name: &str| format!("{name}{lane}");
            match id.split('_').next().unwrap_or_default() {
                "audio" => {
                    let said = json!({"role": "assistant", "audio": {"id": id}});
                    all.push(chat("/v1/chat/completions", &model("openai"), stream, &said));
                    all.push(chat("/v1/chat/completions", &model("anthropic"), stream, &said));
                }
                "cntr" => {
                    let call = json!({"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1",
                        "container_id": id, "outputs": []});
                    let user = json!({"role": "user", "content": "Hi"});
                    let tools = json!([{"type": "code_interpreter", "container": id}]);
                    all.push(responses(&model("openai"), stream, &json!({"input": [user, call, user]})));
                    all.push(responses(&model("openai"), stream, &json!({"tools": tools})));
                }
                "container" => {
                    for more in [json!({"container": id}), json!({"container": {"id": id}})] {
                        all.push(messages("/v1/messages", &model("anthropic"), stream, &more));
                    }
                }
                _ => {
                    let skills = |skills: Value| json!({"container": {"skills": skills}});
                    let own = json!({"type": "custom", "skill_id": id, "version": "latest"});
                    let claudes = json!({"type": "anthropic", "skill_id": "pptx", "version": "latest"});
                    for more in [skills(json!([own])), skills(json!([claudes, own])), skills(json!([own, claudes]))] {
                        all.push(messages("/v1/messages", &model("anthropic"), stream, &more));
                    }
                    let more = skills(json!([own]));
                    all.push(messages("/v1/messages/count_tokens", &model("anthropic"), false, &more));
                }
            }
        }
    }
    if id.starts_with("audio") {
        let said = json!({"role": "assistant", "audio": {"id": id}});
        all.push(chat("/passthrough/openai/chat/completions", "m", false, &said));
    }
    if id.starts_with("container") {
        all.push(messages("/passthrough/anthropic/messages", "m", false, &json!({"container": id})));
    }
    all
}

/// The id with this beginning in an answer, unpacked if it is packed.
fn id_in(reply: &Reply, beginning: &str) -> Option<String> {
    let text = if reply.header("content-encoding").is_some() { super::unpacked(&reply.body) } else { reply.text() };
    let begin = text.find(&format!("\"{beginning}_0123456789abcdef"))? + 1;
    Some(text[begin..].split('"').next()?.to_owned())
}

/// Checks that the object seems not to exist, and that the provider is not asked.
async fn hidden(gateway: &Gateway, upstream: &mut Upstream, client: &str, id: &str) {
    for request in naming(id) {
        while upstream.unseen().is_some() {}
        let reply = gateway.ask(&by(client, &request)).await;
        let place = format!("{client}: {}: {}", String::from_utf8_lossy(&request.sent()), reply.text());
        assert_eq!(reply.status(), 404, "{place}");
        assert!(reply.text().contains("there is no"), "{place}");
        assert!(upstream.unseen().is_none(), "{place}");
    }
}

/// Checks that no request is refused for the object that it names. What a translation makes of it depends on the
/// target.
async fn reached(gateway: &Gateway, client: &str, id: &str) {
    for request in naming(id) {
        let reply = gateway.ask(&by(client, &request)).await;
        let place = format!("{client}: {}: {}", String::from_utf8_lossy(&request.sent()), reply.text());
        assert!(!reply.text().contains("there is no"), "{place}");
        let is_relayed = reply.header("x-weir-lane") == Some("relay");
        assert!(!is_relayed || reply.status() == 200, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_made_beside_itself_belongs_to_its_client() {
    let none = json!({});
    for is_packed in [false, true] {
        let mut upstream = maker(is_packed).await;
        let gateway = open(&upstream).await;
        for (owner, others) in TENANTS {
            for (beginning, request) in [
                ("audio", chat("/v1/chat/completions", "openai", false, &Value::Null)),
                ("audio", chat("/v1/chat/completions", "openai", true, &Value::Null)),
                ("audio", chat("/v1/chat/completions", "openai-t", false, &Value::Null)),
                ("audio", chat("/v1/chat/completions", "openai-t", true, &Value::Null)),
                ("audio", chat("/passthrough/openai/chat/completions", "m", false, &Value::Null)),
                ("cntr", responses("openai", false, &none)),
                ("cntr", responses("openai", true, &none)),
                ("container", messages("/v1/messages", "anthropic", false, &none)),
                ("container", messages("/v1/messages", "anthropic", true, &none)),
                ("container", messages("/v1/messages", "anthropic-t", false, &none)),
                ("container", messages("/v1/messages", "anthropic-t", true, &none)),
                ("container", messages("/passthrough/anthropic/messages", "m", true, &none)),
            ] {
                let asked = by(owner, &request).header("accept-encoding", "gzip");
                let reply = gateway.ask(&asked).await;
                let place = format!("{owner}: {}: {}", String::from_utf8_lossy(&request.sent()), reply.text());
                assert_eq!(reply.status(), 200, "{place}");
                let id = id_in(&reply, beginning).unwrap_or_else(|| panic!("{place}"));
                for other in others {
                    hidden(&gateway, &mut upstream, other, &id).await;
                }
                reached(&gateway, owner, &id).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_is_known_to_have_made_is_closed_to_restricted_clients_only() {
    let mut upstream = maker(false).await;
    let gateway = open(&upstream).await;
    for beginning in ["audio", "cntr", "container", "skill"] {
        let id = format!("{beginning}_0123456789unknown");
        hidden(&gateway, &mut upstream, "one", &id).await;
        reached(&gateway, "free", &id).await;
        // An answer that repeats an id has not made it.
        hidden(&gateway, &mut upstream, "two", &id).await;
        reached(&gateway, "other", &id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_a_request_names_is_not_made_by_the_answer_that_repeats_it() {
    let id = "container_0123456789abcdef";
    let upstream = Upstream::always(Answer::json(200, container(id).0.to_string())).await;
    let gateway = open(&upstream).await;
    for client in ["free", "other", "free"] {
        reached(&gateway, client, id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_belongs_to_its_maker_and_those_of_the_provider_to_all() {
    let mut upstream = maker(false).await;
    let gateway = open(&upstream).await;
    let form = "--x\r\ncontent-disposition: form-data; name=\"display_title\"\r\n\r\nMine\r\n--x--\r\n";
    let upload = Request::new("POST", "/passthrough/anthropic/skills?beta=true");
    let upload = upload.header("content-type", "multipart/form-data; boundary=x").body(form);
    for (owner, others) in TENANTS {
        let reply = gateway.ask(&by(owner, &upload)).await;
        assert_eq!(reply.status(), 200, "{owner}: {}", reply.text());
        let id = id_in(&reply, "skill").unwrap();
        for other in others {
            hidden(&gateway, &mut upstream, other, &id).await;
        }
        reached(&gateway, owner, &id).await;
    }
    let of_claude = |skill: &str, lane: &str| {
        let body = format!(
            r#"{{"model":"anthropic{lane}","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}],
            "container":{{"skills":[{skill}]}}}}"#
        );
        Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01")
    };
    for lane in ["", "-t"] {
        for name in ["pptx", "a-longer-name"] {
            let skill = format!(r#"{{"type":"anthropic","skill_id":"{name}","version":"latest"}}"#);
            let reply = gateway.ask(&by("one", &of_claude(&skill, lane))).await;
            assert!(!reply.text().contains("there is no"), "{lane} {name}: {}", reply.text());
            assert!(!lane.is_empty() || reply.status() == 200, "{name}: {}", reply.text());
        }
        while upstream.unseen().is_some() {}
        // Servers differ in which of two values they read, and in what they look up by.
        let many = r#""type":"anthropic","#.repeat(70);
        for skill in [
            r#"{"type":"anthropic","type":"custom","skill_id":"pptx"}"#,
            r#"{"type":"custom","type":"anthropic","skill_id":"pptx"}"#,
            r#"{"type":"custom","skill_id":"pptx"}"#,
            r#"{"type":["anthropic"],"skill_id":"pptx"}"#,
            r#"{"skill_id":"pptx"},{"type":"anthropic"}"#,
            r#"{"type":"anthropic","skill_id":"skill_0123456789unknown"}"#,
            r#"{"type":"anthropic","skill_id":"skill_0123456789unknown","skill_id":"pptx"}"#,
            &format!(r#"{{{many}"type":"custom","skill_id":"pptx"}}"#),
        ] {
            let reply = gateway.ask(&by("one", &of_claude(skill, lane))).await;
            assert_eq!(reply.status(), 404, "{lane}: {skill}: {}", reply.text());
            assert!(upstream.unseen().is_none(), "{lane}: {skill}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_a_batch_name_none_of_it_either() {
    let mut upstream = maker(false).await;
    let gateway = open(&upstream).await;
    let skill = |id: &str, kind: &str| {
        let params = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}],
            "container": {"skills": [{"type": kind, "skill_id": id, "version": "latest"}]}});
        let body = json!({"requests": [{"custom_id": "a", "params": params}]}).to_string();
        Request::post("/v1/messages/batches", body).header("anthropic-version", "2023-06-01")
    };
    let said = json!({"role": "assistant", "audio": {"id": "audio_0123456789unknown"}});
    let line = json!({"url": "/v1/chat/completions", "body": {"model": "m", "messages": [said]}});
    let form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{line}\r\n--x--\r\n"
    );
    let file = Request::new("POST", "/v1/files").header("content-type", "multipart/form-data; boundary=x").body(form);
    for request in [skill("skill_0123456789unknown", "custom"), file] {
        let reply = gateway.ask(&by("one", &request)).await;
        assert_eq!(reply.status(), 404, "{}", reply.text());
        assert!(upstream.unseen().is_none());
    }
    let reply = gateway.ask(&by("one", &skill("pptx", "anthropic"))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

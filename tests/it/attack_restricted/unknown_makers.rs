//! Objects whose makers are not known, as after a restart: a restricted client reaches none of them, wherever its
//! format has a place for their names.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

const FILE: &str = "file-0123456789abcdefUNKNOWN";
const STORE: &str = "fileSearchStores/0123456789abcdefunknown";

fn models(upstream: &Upstream) -> String {
    let of = |name: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
             retry = {{ max_retries = 0 }}\n[[models]]\nalias = \"{name}\"\n\
             target = {{ provider = \"{name}\", model = \"{name}\" }}\n[[models]]\nalias = \"{name}-t\"\n\
             translate = true\ntarget = {{ provider = \"{name}\", model = \"{name}\" }}\n",
            upstream.url()
        )
    };
    let clients = "[[clients]]\nname = \"bound\"\nkey = \"weir-bound-0123456789abcdef\"\nmodels = [\"*\"]\n\
                   operations = [\"chat\", \"count_tokens\", \"batches-*\"]\n\
                   [[clients]]\nname = \"free\"\nkey = \"weir-free-0123456789abcdef\"\n";
    ["openai", "anthropic", "gemini"].map(of).concat() + clients
}

/// Requests in each format, with an object's name at each of the places.
fn requests(model: &str, stream: bool) -> Vec<Request> {
    let chat = |part: Value| {
        let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": [part]}]});
        Request::post("/v1/chat/completions", body.to_string())
    };
    let responses = |part: Value| {
        let body = json!({"model": model, "stream": stream, "input": [{"role": "user", "content": [part]}]});
        Request::post("/v1/responses", body.to_string())
    };
    let file = json!({"type": "file", "file_id": FILE});
    let document = json!({"type": "document", "source": file});
    let image = json!({"type": "image", "source": file});
    let of_parts = json!({"type": "document", "source": {"type": "content", "content": [image]}});
    let result = |part: &Value| json!({"type": "tool_result", "tool_use_id": "t1", "content": [part]});
    let messages = |path: &str, part: &Value| {
        let call = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}});
        let talk = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [call]},
            {"role": "user", "content": [part]}]);
        let mut body = json!({"model": model, "messages": talk});
        if path == "/v1/messages" {
            (body["max_tokens"], body["stream"]) = (json!(9), json!(stream));
        }
        Request::post(path, body.to_string()).header("anthropic-version", "2023-06-01")
    };
    let generate = |body: Value| {
        let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        Request::post(&format!("/v1beta/models/{model}:{method}"), body.to_string())
    };
    let part = json!({"fileData": {"mimeType": "text/plain", "fileUri": format!("files/{FILE}")}});
    let talk = json!([{"role": "user", "parts": [{"text": "Hi"}]}]);
    let search = |stores: Value| json!({"fileSearch": {"fileSearchStoreNames": stores}});
    let mut all = vec![
        chat(json!({"type": "file", "file": {"file_id": FILE}})),
        chat(file.clone()),
        responses(json!({"type": "input_file", "file_id": FILE})),
        responses(json!({"type": "input_image", "file_id": FILE})),
        generate(json!({"contents": [{"role": "user", "parts": [part]}]})),
        generate(json!({"contents": {"role": "user", "parts": [part]}})),
        generate(json!({"contents": [{"role": "user", "parts": part}]})),
        generate(json!({"contents": {"parts": part}})),
        generate(json!({"contents": talk, "tools": [search(json!([STORE]))]})),
        generate(json!({"contents": talk, "tools": [search(json!(STORE))]})),
        generate(json!({"contents": talk, "tools": search(json!([STORE]))})),
        generate(json!({"contents": talk, "tools": {"file_search": {"file_search_store_names": STORE}}})),
    ];
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        for part in [&document, &image, &of_parts, &result(&document), &result(&image)] {
            all.push(messages(path, part));
        }
    }
    all
}

/// Batches of requests that name an object.
fn batches() -> Vec<Request> {
    let document = json!({"type": "document", "source": {"type": "file", "file_id": FILE}});
    let result = json!({"type": "tool_result", "tool_use_id": "t1", "content": [document]});
    let batch = |part: &Value| {
        let params = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [part]}]});
        let body = json!({"requests": [{"custom_id": "a", "params": params}]});
        Request::post("/v1/messages/batches", body.to_string()).header("anthropic-version", "2023-06-01")
    };
    [&document, &result].map(batch).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_client_names_no_object_of_an_unknown_maker_in_any_format_place_and_lane() {
    let mut upstream = Upstream::always(Answer::json(200, "{\"id\":\"msgbatch_0123456789abcdef\"}")).await;
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &models(&upstream)).await;
    let mut all = batches();
    for name in ["openai", "anthropic", "gemini"] {
        for model in [name.to_owned(), format!("{name}-t")] {
            all.extend([false, true].into_iter().flat_map(|stream| requests(&model, stream)));
        }
    }
    let by = |who: &str, request: &Request| {
        request.clone().header("authorization", &format!("Bearer weir-{who}-0123456789abcdef"))
    };
    for request in &all {
        let case = String::from_utf8(request.sent()).unwrap();
        let reply = gateway.ask(&by("bound", request)).await;
        assert_eq!(reply.status(), 404, "{case}: {}", reply.text());
        assert!(reply.text().contains("there is no"), "{case}: {}", reply.text());
        assert!(upstream.unseen().is_none(), "{case}");
        // What becomes of it for a client without limits depends on the target; it is known to nobody else.
        let reply = gateway.ask(&by("free", request)).await;
        assert!(!reply.text().contains("there is no"), "{case}: {}", reply.text());
        while upstream.unseen().is_some() {}
    }
}

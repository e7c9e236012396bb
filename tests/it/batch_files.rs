//! Files of requests, on which batches are begun: a client with models uploads none that names another model, and
//! begins no batch on a file that was not read for that, in each lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use weir_tests::clients::{by, client};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

use crate::batch_budgets::{begin, id_in};
use crate::wire_format::OPENAI;

const TOKEN: &str = "the-token-of-the-operator-0123";
const OPERATIONS: &str = "operations = [\"chat\", \"files-*\", \"batches-*\"]\npassthrough = [\"p * *\"]\n";

/// Two clients that are bound to models, two that are restricted and may use every one, and one that may use
/// everything.
fn config(upstream: &Upstream, models_of_one: &str) -> String {
    let bound = |models: &str| format!("models = [{models}]\n{OPERATIONS}");
    format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\nretry = {{ max_retries = 0 }}\n\
         passthrough = [\"* *\"]\n\
         [[models]]\nalias = \"fast\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n{}{}{}{}{}",
        upstream.url(),
        client("one", &bound(models_of_one)),
        client("two", &bound("\"fast*\"")),
        client("narrow", OPERATIONS),
        client("any", &bound("\"*\"")),
        client("free", "passthrough = [\"p * *\"]\n"),
    )
}

/// A provider that gives each file and each batch an id of its own.
async fn provider() -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::scripted(move |request: &Received| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let object = match request.line() {
            "POST /base/files" => json!({"id": format!("file-0123456789abcdef{number}"), "object": "file"}),
            "POST /base/batches" => json!({"id": format!("batch_0123456789abcdef{number}"), "object": "batch",
                "status": "validating", "input_file_id": request.json()["input_file_id"],
                "output_file_id": format!("file-of-batch-0123456789{number}")}),
            _ => json!({"object": "whatever"}),
        };
        Answer::json(200, object.to_string())
    })
    .await
}

async fn open(upstream: &Upstream) -> Gateway {
    Gateway::with(Folder::with(&["openai"]), &config(upstream, "\"fast*\"")).await
}

const LANES: [&str; 2] = ["/v1", "/passthrough/p"];

/// A request of a batch with these members of its body beside the messages.
fn line(more: &str) -> String {
    let messages = r#""messages":[{"role":"user","content":"Hi\nthere \u2028"}]"#;
    format!(r#"{{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{{{messages}{more}}}}}"#)
}

fn of_model(model: &str) -> String {
    line(&format!(r#","model":"{model}""#))
}

fn form(purpose: &str, file: &str) -> String {
    format!(
        "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\ncontent-type: application/jsonl\r\n\r\n{file}\r\n--x--\r\n"
    )
}

fn upload(lane: &str, form: &str) -> Request {
    Request::new("POST", &format!("{lane}/files")).header("content-type", "multipart/form-data; boundary=x").body(form)
}

async fn uploaded(gateway: &Gateway, client: &str, lane: &str, file: &str) -> String {
    id_in(&gateway.ask(&by(client, upload(lane, &form("batch", file)))).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_models_begins_a_batch_on_a_file_that_names_only_these() {
    let mut upstream = provider().await;
    let gateway = open(&upstream).await;
    for lane in LANES {
        let file = format!("{}\r\n\n{}\n  \n{}", of_model("fast"), of_model("fast-2"), of_model(r"\u0066ast"));
        let reply = gateway.ask(&by("one", upload(lane, &form("batch", &file)))).await;
        assert!(upstream.request().await.body == form("batch", &file).into_bytes(), "the same bytes");
        let id = id_in(&reply);
        assert_eq!(gateway.ask(&by("one", begin(lane, &id))).await.status(), 200, "{lane}");
        assert_eq!(upstream.request().await.json()["input_file_id"], id);
        for other in ["two", "free"] {
            let (status, _, message) = gateway.ask(&by(other, begin(lane, &id))).await.problem();
            assert_eq!(status, 404, "{other}: {message}");
            assert!(message.contains("there is no"), "{message}");
        }
        assert!(upstream.unseen().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_names_a_model_that_its_client_may_not_use_wherever_it_stands() {
    let mut upstream = provider().await;
    let gateway = open(&upstream).await;
    for second in [
        of_model("dear"),
        of_model(r"d\u0065ar"),
        line(r#","mod\u0065l":"dear""#),
        line(r#","model":"dear","model":"fast""#),
        line(r#","model":"fast","model":"dear""#),
        line(r#","model":"fast","models":["fast","dear"]"#),
        line(r#","model":"fast","fallbacks":[{"model":"dear"}]"#),
        line(r#","model":"fast","tools":[{"type":"look","model":"dear"}]"#),
        format!("{{\"body\":{{\"model\":\"dear\"}},{}", &of_model("fast")[1..]),
    ] {
        let file = format!("{}\n{second}\n{}\n", of_model("fast"), of_model("fast"));
        // Whatever the file is said to be for: it may be the last word of one of two.
        for purpose in ["batch", "user_data"] {
            let reply = gateway.ask(&by("one", upload("/v1", &form(purpose, &file)))).await;
            let (status, _, message) = reply.problem();
            assert_eq!(status, 403, "{second}: {message}");
            assert!(message.contains("`dear`") && message.contains("line 2"), "{message}");
            assert_eq!(OPENAI.error(&reply), Some(message));
            assert!(upstream.unseen().is_none(), "{second}");
            let (status, _, message) = gateway.ask(&by("one", upload(LANES[1], &form(purpose, &file)))).await.problem();
            assert_eq!(status, 400, "{second}: {message}");
            assert!(message.contains("names a model that this key may not use"), "{message}");
            assert!(upstream.unseen().is_none_or(|got| !got.text().contains("--x--")), "{second}: it has the end");
        }
        for lane in LANES {
            let id = uploaded(&gateway, "free", lane, &file).await;
            assert_eq!(gateway.ask(&by("free", begin(lane, &id))).await.status(), 200, "{second}");
        }
        while upstream.unseen().is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_as_requests_is_uploaded_and_begins_no_batch() {
    let mut upstream = provider().await;
    let gateway = open(&upstream).await;
    let good = of_model("fast");
    let two_files = form("batch", &good)
        .replace("--x--", "--x\r\ncontent-disposition: form-data; name=\"more\"; filename=\"b\"\r\n\r\nb\r\n--x--");
    for (form, says) in [
        (form("batch", &format!("{good}\nnot JSON\n{good}")), "line 2 of the file is not one JSON object"),
        (form("batch", &format!("{good} {good}")), "line 1 of the file is not one JSON object"),
        (form("batch", &format!("{good}\n{}", &good[..good.len() - 1])), "line 2 of the file is not one JSON object"),
        (form("batch", &format!("{good}\n[{good}]")), "line 2 of the file is not one JSON object"),
        (form("batch", &line("")), "line 1 of the file names no model"),
        (form("batch", &line(r#","model":null"#)), "line 1 of the file has a `model`"),
        (form("batch", &line(r#","model":["fast"]"#)), "line 1 of the file has a `model`"),
        (form("batch", &line(r#","model":"fast","Model":"dear""#)), "line 1 of the file has a `Model`"),
        (form("batch", &line(r#","model":"fast","models":"fast""#)), "line 1 of the file has a `models`"),
        (form("batch", &good.replacen("\"body\"", "\"Body\":{\"model\":\"dear\"},\"body\"", 1)), "has a `Body`"),
        (form("batch", &good.replacen(",\"url", ",\r{\"body\":{\"model\":\"dear\"}}\r,\"url", 1)), "takes for the end"),
        (form("batch", &good.replacen("Hi", "H\u{2028}i", 1)), "take for the end of a line"),
        (form("batch", &good.replacen("Hi", "H\u{85}i", 1)), "take for the end of a line"),
        (form("batch", &good.replacen("Hi", "H\u{b}i", 1)), "take for the end of a line"),
        (form("batch", ""), "the file has no requests"),
        (form("batch", &good).replace("name=\"file\";", "name=\"File\";"), "the form with the file cannot be read"),
        (form("batch", &good).replace("application/jsonl", "application/jsonl; charset=utf-16"), "cannot be read"),
        (two_files, "line 1 of the file is not one JSON object"),
        ("--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n".to_owned(), "no requests"),
    ] {
        let says = says.replace("takes", "take");
        for lane in LANES {
            let id = id_in(&gateway.ask(&by("one", upload(lane, &form))).await);
            upstream.request().await;
            let reply = gateway.ask(&by("one", begin(lane, &id))).await;
            let (status, code, message) = reply.problem();
            assert_eq!((status, code.as_str()), (403, "requests_not_read"), "{says}: {message}");
            assert!(message.contains(&says) && message.contains("Upload the file"), "{says}: {message}");
            assert!(upstream.unseen().is_none(), "{says}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_client_with_models_names_a_file_that_was_read() {
    let mut upstream = provider().await;
    let gateway = open(&upstream).await;
    let by_other = uploaded(&gateway, "two", "/v1", &of_model("fast")).await;
    let by_free = uploaded(&gateway, "free", "/v1", &of_model("fast")).await;
    let own = uploaded(&gateway, "one", "/v1", &of_model("fast")).await;
    let begun = gateway.ask(&by("one", begin("/v1", &own))).await.json();
    let output = begun["output_file_id"].as_str().unwrap();
    while upstream.unseen().is_some() {}
    for lane in LANES {
        for (file, expected, says) in [
            (by_other.as_str(), 404, "there is no"),
            (&by_free, 404, "there is no"),
            ("file-0123456789unknown", 404, "uploaded through this gateway itself"),
            (output, 403, "were not read when it was made"),
        ] {
            let (status, _, message) = gateway.ask(&by("one", begin(lane, file))).await.problem();
            assert_eq!(status, expected, "{file}: {message}");
            assert!(message.contains(says), "{file}: {message}");
        }
        let other_members = json!({"requests": [{"body": {"model": "dear"}}], "endpoint": "/v1/chat/completions"});
        let (status, code, message) = gateway
            .ask(&by("one", Request::post(&format!("{lane}/batches"), other_members.to_string())))
            .await
            .problem();
        assert_eq!((status, code.as_str()), (403, "requests_not_read"), "{message}");
        assert!(upstream.unseen().is_none(), "{lane}");
        assert_eq!(gateway.ask(&by("free", begin(lane, "file-0123456789unknown"))).await.status(), 200);
        upstream.request().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_at_the_time_of_the_batch_count() {
    let mut upstream = provider().await;
    let with = |models: &str| format!("[admin]\ntoken = \"{TOKEN}\"\n{}", config(&upstream, models));
    let gateway = Gateway::from_file(&with("\"fast*\"")).await;
    let file = uploaded(&gateway, "one", "/v1", &format!("{}\n{}", of_model("fast"), of_model("fast-2"))).await;
    assert_eq!(gateway.ask(&by("one", begin("/v1", &file))).await.status(), 200);
    gateway.configure(&with("\"fast\""));
    let reload = Request::post("/admin/reload", "").header("authorization", &format!("Bearer {TOKEN}"));
    let reloaded = gateway.ask(&reload).await;
    assert_eq!(reloaded.status(), 200, "{}", reloaded.text());
    while upstream.unseen().is_some() {}
    for lane in LANES {
        let (status, _, message) = gateway.ask(&by("one", begin(lane, &file))).await.problem();
        assert_eq!(status, 403, "{message}");
        assert!(message.contains("`fast-2`") && message.contains("line 2"), "{message}");
        assert!(upstream.unseen().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_a_file_name_no_object_that_their_client_has_not_made() {
    let mut upstream = provider().await;
    let gateway = open(&upstream).await;
    let with_object = |id: &str| {
        let part = json!({"role": "user", "content": [{"type": "file", "file": {"file_id": id}}]});
        json!({"custom_id": "a", "url": "/v1/chat/completions", "body": {"model": "fast", "messages": [part]}})
            .to_string()
    };
    for (client, lane) in ["one", "narrow", "any"].into_iter().flat_map(|client| LANES.map(|lane| (client, lane))) {
        let own = uploaded(&gateway, client, "/v1", "prose").await;
        while upstream.unseen().is_some() {}
        let file = format!("{}\n{}", of_model("fast"), with_object("file-0123456789unknown"));
        let reply = gateway.ask(&by(client, upload(lane, &form("batch", &file)))).await;
        assert_eq!(reply.status(), if lane == "/v1" { 404 } else { 400 }, "{client}: {}", reply.text());
        assert!(upstream.unseen().is_none_or(|got| !got.text().contains("--x--")), "{client} {lane}: it has the end");
        let with_own = uploaded(&gateway, client, lane, &with_object(&own)).await;
        assert_eq!(gateway.ask(&by(client, begin(lane, &with_own))).await.status(), 200, "{client} {lane}");
        // What was read of it may not be all that it names.
        let hidden = format!("{}\r{}", of_model("fast"), with_object("file-0123456789unknown"));
        let hidden = uploaded(&gateway, client, lane, &hidden).await;
        let (status, code, message) = gateway.ask(&by(client, begin(lane, &hidden))).await.problem();
        assert_eq!((status, code.as_str()), (403, "requests_not_read"), "{client} {lane}: {message}");
        let of_free = uploaded(&gateway, "free", lane, &file).await;
        assert_eq!(gateway.ask(&by("free", begin(lane, &of_free))).await.status(), 200, "{lane}");
        while upstream.unseen().is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_client_that_may_use_every_model_names_any_in_its_file() {
    let mut upstream = provider().await;
    let gateway = open(&upstream).await;
    for (client, lane) in ["narrow", "any"].into_iter().flat_map(|client| LANES.map(|lane| (client, lane))) {
        let file = uploaded(&gateway, client, lane, &format!("{}\n{}", of_model("fast"), of_model("dear"))).await;
        assert_eq!(gateway.ask(&by(client, begin(lane, &file))).await.status(), 200, "{client} {lane}");
        while upstream.unseen().is_some() {}
        for other in ["file-0123456789unknown".to_owned(), uploaded(&gateway, "free", lane, &of_model("fast")).await] {
            while upstream.unseen().is_some() {}
            assert_eq!(gateway.ask(&by(client, begin(lane, &other))).await.status(), 404, "{client} {lane} {other}");
            assert!(upstream.unseen().is_none(), "{client} {lane} {other}");
        }
    }
}

/// What reads the file keeps none of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_read_as_it_passes() {
    let mut upstream = provider().await;
    let gateway = open(&upstream).await;
    let long = line(&format!(r#","model":"fast","more":"{}""#, "x".repeat(100_000)));
    let mut file = [long.as_str()].repeat(200).join("\n");
    let id = uploaded(&gateway, "one", LANES[1], &file).await;
    assert_eq!(gateway.ask(&by("one", begin("/v1", &id))).await.status(), 200);
    while upstream.unseen().is_some() {}
    file.push('\n');
    file.push_str(&of_model("dear"));
    let (status, _, message) = gateway.ask(&by("one", upload(LANES[1], &form("batch", &file)))).await.problem();
    assert_eq!(status, 400, "{message}");
}

/// Where no adapter tells what a batch is begun on, it may be for any model.
#[tokio::test(flavor = "multi_thread")]
async fn no_batch_is_begun_where_its_models_cannot_be_known() {
    let mut upstream = provider().await;
    let config = config(&upstream, "\"fast*\"").replace("adapter = \"openai\"", "adapter = \"groq\"");
    let gateway = Gateway::with(Folder::with(&["openai", "groq"]), &config).await;
    for (method, path) in [("POST", "batches"), ("POST", "batches/"), ("POST", "b%61tches"), ("post", "batches")] {
        let body = json!({"input_file_id": "file-0123456789unknown"}).to_string();
        let ask = || Request::new(method, &format!("/passthrough/p/{path}")).body(&body);
        let (status, code, message) = gateway.ask(&by("one", ask())).await.problem();
        assert_eq!((status, code.as_str()), (403, "requests_not_read"), "{method} {path}: {message}");
        assert!(upstream.unseen().is_none());
        assert_eq!(gateway.ask(&by("free", ask())).await.status(), 200, "{method} {path}");
        upstream.request().await;
    }
}

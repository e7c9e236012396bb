//! Other clients' objects in bodies to endpoints that no adapter declares.

use weir_tests::code::pack;
use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use super::{KEY, by, client, provider};

const FILE: &str = "file-0123456789abcdef";

/// Two clients of one account, of which the first has uploaded a file.
async fn open(rights: &str) -> (Upstream, Gateway) {
    let mut upstream = Upstream::always(Answer::json(200, format!(r#"{{"id":"{FILE}","object":"file"}}"#))).await;
    let clients = ["one", "two"].map(|name| client(name, &format!("passthrough = [\"p * *\"]\n{rights}"))).concat();
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &clients)).await;
    let form = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n";
    let upload = Request::new("POST", "/passthrough/p/files").header("content-type", "multipart/form-data; boundary=x");
    assert_eq!(gateway.ask(&by("one", upload.body(form))).await.status(), 200);
    upstream.request().await;
    (upstream, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_any_kind_names_no_other_clients_object() {
    for rights in ["", "models = [\"m\"]\noperations = [\"chat\", \"files-*\"]"] {
        let (mut upstream, gateway) = open(rights).await;
        let escaped = FILE.replace('-', "\\u002d");
        let in_form = FILE.replace('-', "%2D");
        let part = format!("--x\r\ncontent-disposition: form-data; name=\"file_id\"\r\n\r\n{FILE}\r\n--x--\r\n");
        for (path, kind, body) in [
            ("vector_stores/vs_1/files", "application/json", format!(r#"{{"file_id":"{FILE}"}}"#)),
            ("fine_tuning/jobs", "application/json", format!(r#"{{"model":"m","training_file":"{escaped}"}}"#)),
            ("threads/runs", "application/json", format!(r#"{{"model":"m","tools":[{{"x":["a","files/{FILE}"]}}]}}"#)),
            ("containers/c/files", "multipart/form-data; boundary=x", part),
            ("some/form", "text/plain", format!("ids={in_form}&x=1")),
        ] {
            let request = |who| {
                let request = Request::new("POST", &format!("/passthrough/p/{path}")).header("content-type", kind);
                by(who, request.body(&body))
            };
            let reply = gateway.ask(&request("two")).await;
            assert_eq!(reply.status(), 400, "{path}: {}", reply.text());
            assert!(reply.text().contains("names an object that is not here"), "{path}: {}", reply.text());
            assert!(upstream.unseen().is_none_or(|sent| !sent.text().contains(FILE)), "{path}");
            assert_eq!(gateway.ask(&request("one")).await.status(), 200, "{path}: its own passes");
            assert!(upstream.request().await.text().contains(&body), "{path}");
        }
        let coded = by("two", Request::post("/passthrough/p/vector_stores", "x")).header("content-encoding", "gzip");
        assert_eq!(gateway.ask(&coded).await.status(), 415, "what cannot be read does not pass");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_names_no_other_clients_object() {
    let (mut upstream, gateway) = open("").await;
    for (name, value) in [
        ("x-file-id", FILE.to_owned()),
        ("some-params", format!("name=files%2F{FILE}&x=1")),
        ("some-list", format!("a, {FILE};b")),
    ] {
        let request = |who| by(who, Request::post("/passthrough/p/things", "{}").header(name, &value));
        let reply = gateway.ask(&request("two")).await;
        assert_eq!(reply.status(), 404, "{name}: {}", reply.text());
        assert!(upstream.unseen().is_none(), "{name}");
        assert_eq!(gateway.ask(&request("one")).await.status(), 200, "{name}: its own passes");
        assert_eq!(upstream.request().await.header(name), Some(&*value));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_found_where_other_services_name_it() {
    let (mut upstream, gateway) = open("models = [\"m\"]\noperations = [\"chat\", \"files-*\"]").await;
    for (member, status) in [("model", 400), ("modelId", 400), ("model_id", 400), ("ModelId", 400), ("other", 200)] {
        let request =
            Request::post("/passthrough/p/async-invoke", format!(r#"{{"{member}":"secret","modelInput":{{}}}}"#));
        let reply = gateway.ask(&by("two", request)).await;
        assert_eq!(reply.status(), status, "{member}: {}", reply.text());
        while upstream.unseen().is_some() {}
    }
    let own = Request::post("/passthrough/p/async-invoke", r#"{"modelId":"m","modelInput":{}}"#);
    assert_eq!(gateway.ask(&by("two", own)).await.status(), 200);
}

/// Its credentials, and sessions between it and its client, are in no limit and no budget.
#[tokio::test(flavor = "multi_thread")]
async fn no_pattern_opens_what_leads_past_the_gateway() {
    let mut upstream = Upstream::always(Answer::json(200, r#"{"value":"ek_secret"}"#)).await;
    let rules = "[\"* *\", \"POST realtime/*\", \"POST realtime/calls\"]";
    let clients = client("one", "passthrough = [\"p * *\"]");
    let gateway = Gateway::open(&(provider(&upstream, rules) + &clients)).await;
    for (method, path, status) in [
        ("POST", "realtime/client_secrets", 403),
        ("POST", "realtime/sessions/", 403),
        ("PUT", "Realtime/transcription_sessions", 403),
        ("POST", "v1/chatkit/sessions", 403),
        ("POST", "organization/projects/p-1/service_accounts", 403),
        ("GET", "organization/projects/p-1/service_accounts", 200),
        ("POST", "realtime/calls", 200),
        ("POST", "realtime/calls/", 403),
    ] {
        let reply = gateway.ask(&by("one", Request::new(method, &format!("/passthrough/p/{path}")).body("{}"))).await;
        assert_eq!(reply.status(), status, "{method} {path}: {}", reply.text());
        assert_eq!(upstream.unseen().is_some(), status == 200, "{method} {path}");
    }
}

/// What is made at endpoints that no adapter declares belongs to its maker too.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_a_client_made_anywhere_is_no_other_clients() {
    const STORE: &str = "vs_0123456789abcdef";
    const CACHE: &str = "c0123456789abcdef";
    let mut upstream = Upstream::scripted(|request| match request.line() {
        line if line.starts_with("GET") => Answer::json(200, r#"{"id":"thread_0123456789abcdef"}"#),
        line if line.contains("/files") => Answer::json(200, r#"{"id":"file-9876543210fedcba","vector_store_id":"x"}"#),
        line if line.contains("caches") => Answer::json(200, format!(r#"{{"name":"caches/{CACHE}","model":"m"}}"#)),
        _ => {
            Answer::json(200, format!(r#"{{"id":"{STORE}","object":"vector_store","owner_id":"o-0123456789abcdef"}}"#))
        }
    })
    .await;
    let clients = ["one", "two"].map(|name| client(name, "passthrough = [\"p * *\"]")).concat();
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &clients)).await;
    let ask = async |who: &str, method: &str, path: &str, body: &str| {
        let request = Request::new(method, &format!("/passthrough/p/{path}")).body(body);
        gateway.ask(&by(who, request.header("content-type", "application/json"))).await.status()
    };
    assert_eq!(ask("one", "POST", "vector_stores", "{}").await, 200);
    // Some servers read a method in any case.
    assert_eq!(ask("one", "post", "caches", "").await, 200);
    assert_eq!(ask("one", "GET", "threads/thread_0123456789abcdef", "").await, 200);
    assert_eq!(ask("one", "GET", "threads/latest", "").await, 200, "reading makes nothing");
    // The answer repeats what the request names.
    let attach = r#"{"file_id":"file-9876543210fedcba"}"#;
    assert_eq!(ask("one", "POST", &format!("vector_stores/{STORE}/files"), attach).await, 200);
    while upstream.unseen().is_some() {}
    for path in [format!("vector_stores/{STORE}"), format!("caches/{CACHE}"), format!("search?store={STORE}")] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(ask("two", method, &path, "").await, 404, "{method} {path}");
        }
    }
    let tools =
        format!(r#"{{"model":"m","input":"Hi","tools":[{{"type":"file_search","vector_store_ids":["{STORE}"]}}]}}"#);
    assert_eq!(ask("two", "POST", "responses", &tools).await, 404);
    assert_eq!(ask("two", "POST", "threads/runs", &tools).await, 400);
    assert!(upstream.unseen().is_none());
    for path in ["threads/thread_0123456789abcdef", "files/file-9876543210fedcba", "owners/o-0123456789abcdef"] {
        assert_eq!(ask("two", "GET", path, "").await, 200, "{path}: its maker is not known");
    }
    assert_eq!(ask("one", "DELETE", &format!("vector_stores/{STORE}"), "").await, 200);
}

/// A provider that compresses an answer whatever it was asked for, and one whose answer cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_answer_makes_an_owner_too_and_one_that_cannot_be_read_does_not_pass() {
    const THREAD: &str = "thread_0123456789abcdef";
    for coding in ["gzip", "deflate", "br", "zstd", "rot13"] {
        let mut upstream = Upstream::scripted(move |_| {
            let plain = format!(r#"{{"id":"{THREAD}","object":"thread"}}"#).into_bytes();
            let packed = if coding == "rot13" { plain } else { pack(coding, &plain) };
            Answer::whole(200, &[("content-type", "application/json"), ("content-encoding", coding)], packed)
        })
        .await;
        let clients = ["one", "two"].map(|name| client(name, "passthrough = [\"p * *\"]")).concat();
        let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &clients)).await;
        let ask = async |who: &str, method: &str, path: &str| {
            let request = Request::new(method, &format!("/passthrough/p/{path}")).header("accept-encoding", "gzip, br");
            gateway.ask(&by(who, request)).await.status()
        };
        let is_known = coding != "rot13";
        assert_eq!(ask("one", "POST", "threads").await, if is_known { 200 } else { 502 }, "{coding}");
        assert_eq!(upstream.request().await.header("accept-encoding"), Some("identity"));
        if is_known {
            for method in ["GET", "POST", "DELETE"] {
                assert_eq!(ask("two", method, &format!("threads/{THREAD}")).await, 404, "{coding} {method}");
            }
            assert!(upstream.unseen().is_none(), "{coding}");
            assert_eq!(ask("one", "DELETE", &format!("threads/{THREAD}")).await, 200, "{coding}");
        }
    }
}

/// Otherwise it could claim what others name, such as a model.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_owns_a_word_that_it_chose() {
    const MODEL: &str = "claude-0123456789-large";
    let mut upstream = Upstream::scripted(|request| match request.line() {
        line if line.contains("artifacts") => Answer::json(200, format!(r#"{{"name":"artifacts/{MODEL}"}}"#)),
        _ => Answer::json(200, "{}"),
    })
    .await;
    let clients = ["one", "two"].map(|name| client(name, "passthrough = [\"p * *\"]")).concat();
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &clients)).await;
    for (path, body) in [
        (format!("artifacts?artifactId={MODEL}"), "{}".to_owned()),
        (format!("artifacts?{MODEL}"), "{}".to_owned()),
        ("artifacts?id=Claude_0123456789%20Large".to_owned(), "{}".to_owned()),
        ("artifacts".to_owned(), r#"{"displayName":"Claude 0123456789 Large"}"#.to_owned()),
        ("artifacts".to_owned(), format!(r#"{{"id":"{}"}}"#, MODEL.to_uppercase())),
    ] {
        let request = Request::post(&format!("/passthrough/p/{path}"), body);
        assert_eq!(gateway.ask(&by("one", request)).await.status(), 200, "{path}");
        upstream.request().await;
        let named = Request::post("/passthrough/p/things", format!(r#"{{"model":"{MODEL}"}}"#));
        let reply = gateway.ask(&by("two", named)).await;
        assert_eq!(reply.status(), 200, "{path}: {}", reply.text());
        upstream.request().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_any_length_and_place_in_an_answer_have_an_owner() {
    for id in ["abc123def456".to_owned(), "v1_".to_owned() + &"Ab0".repeat(100), "vs_0123456789abcdef".to_owned()] {
        let answer = format!(r#"{{"description":"{}","id":"{id}"}}"#, "x ".repeat(3000));
        let upstream = Upstream::always(Answer::json(200, answer)).await;
        let clients = ["one", "two"].map(|name| client(name, "passthrough = [\"p * *\"]")).concat();
        let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &clients)).await;
        let ask = async |who: &str, method: &str, path: &str, body: &str| {
            gateway.ask(&by(who, Request::new(method, &format!("/passthrough/p/{path}")).body(body))).await.status()
        };
        assert_eq!(ask("one", "POST", "things", "{}").await, 200);
        assert_eq!(ask("two", "DELETE", &format!("things/{id}"), "").await, 404, "{id}");
        assert_eq!(ask("two", "POST", "others", &format!(r#"{{"of":"things/{id}"}}"#)).await, 400, "{id}");
        assert_eq!(ask("two", "GET", &format!("others?{id}"), "").await, 404, "{id}: as a name in the query");
        let chat = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"Hi","of":"things/{id}"}}]}}"#);
        assert_eq!(ask("two", "POST", "chat/completions", &chat).await, 404, "{id}: below a path");
        assert_eq!(ask("one", "DELETE", &format!("things/{id}"), "").await, 200, "{id}");
    }
}

/// The provider reads the requests in such a file with its own key.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_requests_names_no_other_clients_object() {
    let (mut upstream, gateway) = open("").await;
    let line = format!(r#"{{"custom_id":"1","body":{{"model":"m","input":[{{"file_id":"{FILE}"}}]}}}}"#);
    let form =
        format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"b\"\r\n\r\n{line}\r\n--x--\r\n");
    for (path, status) in [("/v1/files", 404), ("/passthrough/p/files", 400)] {
        let upload = Request::new("POST", path).header("content-type", "multipart/form-data; boundary=x").body(&form);
        let reply = gateway.ask(&by("two", upload.clone())).await;
        assert_eq!(reply.status(), status, "{path}: {}", reply.text());
        assert!(upstream.unseen().is_none_or(|sent| !sent.text().contains(FILE)), "{path}");
        assert_eq!(gateway.ask(&by("one", upload)).await.status(), 200, "{path}: its own passes");
        while upstream.unseen().is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_encoding_hides_an_object_in_a_body() {
    let (mut upstream, gateway) = open("").await;
    let json = format!(r#"{{"file_id":"{FILE}"}}"#);
    let utf16: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let quoted = FILE.replace('-', "=2D");
    let part = |coding: &str, text: &str| {
        let head = format!("content-disposition: form-data; name=\"file_id\"\r\ncontent-transfer-encoding: {coding}");
        format!("--x\r\n{head}\r\n\r\n{text}\r\n--x--\r\n").into_bytes()
    };
    for (kind, body, status) in [
        ("application/json", utf16.clone(), 400),
        ("application/json", [&[0xff, 0xfe][..], &utf16].concat(), 400),
        ("multipart/form-data; boundary=x", part("quoted-printable", &quoted), 400),
        ("multipart/form-data; boundary=x", part("8bit", "file-other"), 200),
        ("application/octet-stream", vec![0, 1, 2], 200),
    ] {
        let request = Request::new("POST", "/passthrough/p/containers/c/files").header("content-type", kind);
        let reply = gateway.ask(&by("two", request.body(&body))).await;
        assert_eq!(reply.status(), status, "{kind}: {}", reply.text());
        while upstream.unseen().is_some() {}
    }
    for path in ["/v1/files", "/v1/audio/transcriptions"] {
        for (coding, status) in [("base64", 400), ("quoted-printable", 400), ("8bit", 200)] {
            let model = "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n".as_bytes();
            let request = Request::new("POST", path).header("content-type", "multipart/form-data; boundary=x");
            let request = request.body([model, &part(coding, "file-other")].concat());
            let reply = gateway.ask(&by("two", request)).await;
            assert_eq!(reply.status(), status, "{path}, {coding}: {}", reply.text());
            while upstream.unseen().is_some() {}
        }
    }
}

/// Also where the adapter declares no uploads, and where names have paths.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_models_names_only_what_it_made_at_every_provider() {
    let contents = r#""contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#;
    let messages = r#""model":"m","max_tokens":5,"messages":[{"role":"user","content":"#;
    let stored = r#"[{"type":"document","source":{"type":"file","file_id":"file_0123456789unknown"}}]}]"#;
    let search = r#""tools":[{"file_search":{"file_search_store_names":["fileSearchStores/abc123def456"]}}]"#;
    for (adapter, path, bodies) in [
        (
            "gemini",
            "models/m:generateContent",
            [
                format!(r#"{{{contents},"cachedContent":"cachedContents/c0123456789unknown"}}"#),
                format!("{{{contents},{search}}}"),
            ],
        ),
        (
            "anthropic",
            "v1/messages",
            [format!("{{{messages}{stored}}}"), format!(r#"{{{messages}"Hi"}}],"container":"container_0123456789"}}"#)],
        ),
    ] {
        let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
        let config = format!(
            "[[providers]]\nname = \"p\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"{KEY}\"\n\
             passthrough = [\"* *\"]\n[[models]]\nalias = \"m\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n",
            upstream.url()
        );
        let clients = client("bound", "models = [\"m\"]\npassthrough = [\"p * *\"]")
            + &client("free", "passthrough = [\"p * *\"]");
        let gateway = Gateway::with(Folder::with(&[adapter]), &(config + &clients)).await;
        let own = if adapter == "gemini" { format!("/v1beta/{path}") } else { format!("/{path}") };
        for body in bodies {
            let reply = gateway.ask(&by("bound", Request::post(&own, &body))).await;
            assert_eq!(reply.status(), 404, "{own} {body}: {}", reply.text());
            let passed = format!("/passthrough/p/{}", path.trim_start_matches("v1/"));
            let reply = gateway.ask(&by("bound", Request::post(&passed, &body))).await;
            assert_eq!(reply.status(), 404, "{passed} {body}: {}", reply.text());
            assert!(upstream.unseen().is_none(), "{body}");
            assert_eq!(gateway.ask(&by("free", Request::post(&own, &body))).await.status(), 200, "{body}");
            upstream.request().await;
        }
    }
}

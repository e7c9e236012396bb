//! All clients share a provider's account: what one of them names there leads no other to it.

use weir_tests::clients::{self, by};
use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use crate::wire_format::{GEMINI, OPENAI};

fn config(upstream: &Upstream) -> String {
    let client = |name: &str| clients::client(name, "passthrough = [\"p * *\"]");
    format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\npassthrough = [\"* *\"]\n\
         [[models]]\nalias = \"m\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n{}{}",
        upstream.url(),
        client("one"),
        client("two")
    )
}

/// A provider that knows a key again gives the answer that it gave before.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_gets_the_answer_of_another_that_chose_the_same_idempotency_key() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
    for path in ["/v1/chat/completions", "/passthrough/p/chat/completions"] {
        let mut sent = Vec::new();
        for client in ["one", "one", "two"] {
            let request = by(client, Request::post(path, body)).header("idempotency-key", "order-1");
            assert_eq!(gateway.ask(&request).await.status(), 200, "{path}");
            sent.push(upstream.request().await.header("idempotency-key").unwrap().to_owned());
        }
        assert_eq!(sent[0], sent[1], "{path}: a client's own repetition is one");
        assert!(sent[0] != sent[2] && !sent.contains(&"order-1".to_owned()), "{path}: {sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_and_no_list_of_ids_in_a_path_names_another_clients_object() {
    let file = r#"{"id":"file-0123456789abcdef","object":"file"}"#;
    let mut upstream = Upstream::always(Answer::json(200, file)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let form = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n";
    let upload = Request::new("POST", "/v1/files").header("content-type", "multipart/form-data; boundary=x").body(form);
    assert_eq!(gateway.ask(&by("one", upload)).await.status(), 200);
    upstream.request().await;
    for path in [
        "/passthrough/p/search?file=file-0123456789abcdef",
        "/passthrough/p/search?x=1&ids=other,file%2D0123456789abcdef",
        "/passthrough/p/files/other,file-0123456789abcdef",
        "/v1/files?after=file-0123456789abcdef",
        "/v1/files?after=file%252D0123456789abcdef",
        "/passthrough/p/search?file=file%252D0123456789abcdef",
    ] {
        assert_eq!(gateway.ask(&by("two", Request::get(path))).await.status(), 404, "{path}");
        assert!(upstream.unseen().is_none(), "{path}");
        assert_eq!(gateway.ask(&by("one", Request::get(path))).await.status(), 200, "{path}");
        upstream.request().await;
    }
}

/// A server may read a path more loosely than others do.
#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_path_reaches_another_clients_object() {
    const FILE: &str = "file-0123456789abcdef";
    let mut upstream = Upstream::always(Answer::json(200, format!(r#"{{"id":"{FILE}","object":"file"}}"#))).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let form = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n";
    let upload = Request::new("POST", "/v1/files").header("content-type", "multipart/form-data; boundary=x").body(form);
    assert_eq!(gateway.ask(&by("one", upload)).await.status(), 200);
    upstream.request().await;
    let dashed = |dash: &str| FILE.replace('-', dash);
    for id in [
        dashed("%2D"),
        dashed("%2d"),
        dashed("%252D"),
        dashed("%25252d"),
        FILE.replace('f', "%66"),
        format!("{FILE}%20"),
        format!("%20{FILE}"),
        format!("{FILE}%00"),
        format!("{FILE}%0a"),
        format!("{FILE};v=1"),
        format!("{FILE}%3Bv=1"),
        format!("{FILE}."),
        format!("{FILE}%2F"),
        format!("{FILE}/"),
        format!("{FILE}//content"),
        format!("./{FILE}"),
        format!("x/../{FILE}"),
        format!("x%2F..%2F{FILE}"),
        format!("x%5C..%5C{FILE}"),
        format!("/{FILE}"),
        format!("{FILE}%3Fx=1"),
        format!("{FILE}%23"),
        format!("({FILE})"),
        format!("other%2C{FILE}"),
    ] {
        for base in ["/v1/files", "/openai/v1/files", "/passthrough/p/files"] {
            for method in ["GET", "DELETE"] {
                let reply = gateway.ask(&by("two", Request::new(method, &format!("{base}/{id}")))).await;
                let sent = upstream.unseen().map(|sent| sent.line().to_owned());
                assert!(reply.status() >= 400 && sent.is_none(), "{method} {base}/{id}: {} {sent:?}", reply.status());
            }
        }
    }
}

/// Services that take this format read files of their own by a field of the form.
#[tokio::test(flavor = "multi_thread")]
async fn no_field_of_a_form_names_another_clients_file() {
    const FILE: &str = "file-0123456789abcdef";
    let answer = format!(r#"{{"id":"{FILE}","object":"file","text":"Yes."}}"#);
    let mut upstream = Upstream::always(Answer::json(200, answer)).await;
    let bound = "[[clients]]\nname = \"bound\"\nkey = \"weir-bound-0123456789abcdef\"\nmodels = [\"m\"]\n\
                 passthrough = [\"p * *\"]\n";
    let gateway = Gateway::open(&(config(&upstream) + bound)).await;
    let form = |path: &str, fields: &[(&str, &str)]| {
        let part = |(name, text): &(&str, &str)| {
            format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let body = fields.iter().map(part).collect::<String>() + "--x--\r\n";
        Request::new("POST", path).header("content-type", "multipart/form-data; boundary=x").body(body)
    };
    assert_eq!(gateway.ask(&by("one", form("/v1/files", &[("purpose", "batch")]))).await.status(), 200);
    upstream.request().await;
    let prose = format!("It is said of {FILE} that it is short.");
    let list = format!(r#"["{FILE}"]"#);
    for path in ["/v1/audio/transcriptions", "/passthrough/p/audio/transcriptions"] {
        for (who, field, text, status) in [
            ("two", "file_id", FILE, 404),
            ("two", "files", &*list, 404),
            ("two", "prompt", &*prose, 200),
            ("two", "file_id", "file-0123456789unknown", 200),
            ("one", "file_id", FILE, 200),
            ("bound", "file_id", FILE, 404),
            ("bound", "file_id", "file-0123456789unknown", 404),
            ("bound", "prompt", &*prose, 200),
        ] {
            let request = form(path, &[(field, text), ("model", "m")]);
            let reply = gateway.ask(&by(who, request)).await;
            assert_eq!(reply.status(), status, "{who}: {path}, {field}: {text}: {}", reply.text());
            assert_eq!(upstream.unseen().is_some(), status == 200, "{who}: {path}, {field}: {text}");
        }
    }
}

/// Whose it is nobody knows after a restart, and a recorded owner stays.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_becomes_the_owner_of_the_file_that_its_batch_was_made_of() {
    const FILE: &str = "file-0123456789unknown";
    const RESULTS: &str = "file-0123456789results";
    let mut upstream = Upstream::always(Answer::json(
        200,
        format!(r#"{{"id":"batch_0123456789abcdef","input_file_id":"{FILE}","output_file_id":"{RESULTS}"}}"#),
    ))
    .await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let begin = |path: &str| Request::post(path, format!(r#"{{"input_file_id":"{FILE}"}}"#));
    assert_eq!(gateway.ask(&by("one", begin("/v1/batches"))).await.status(), 200);
    for path in ["/v1/batches/batch_0123456789abcdef", "/passthrough/p/batches/batch_0123456789abcdef"] {
        assert_eq!(gateway.ask(&by("one", Request::get(path))).await.status(), 200, "{path}");
        while upstream.unseen().is_some() {}
        for begin in [begin("/v1/batches"), begin("/passthrough/p/batches")] {
            let reply = gateway.ask(&by("two", begin)).await;
            assert_eq!(reply.status(), 200, "{path}: {}", reply.text());
        }
        let results = Request::get(&format!("/v1/files/{RESULTS}/content"));
        assert_eq!(gateway.ask(&by("two", results)).await.status(), 404, "{path}: those are the client's own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_reads_the_chat_that_another_had_stored() {
    let mut upstream = Upstream::scripted(|request| {
        let is_streamed = request.line().starts_with("POST") && OPENAI.wants_stream(request);
        if is_streamed { OPENAI.streamed() } else { Answer::json(200, OPENAI.whole()) }
    })
    .await;
    let translated = "[[models]]\nalias = \"m-t\"\ntranslate = true\ntarget = { provider = \"p\", model = \"m\" }\n";
    for (path, model) in [("/v1", "m"), ("/v1", "m-t"), ("/passthrough/p", "m")] {
        for stream in [false, true] {
            let gateway = Gateway::open(&(config(&upstream) + translated)).await;
            let body = format!(
                r#"{{"model":"{model}","stream":{stream},"store":true,"messages":[{{"role":"user","content":"Hi"}}]}}"#
            );
            let reply = gateway.ask(&by("one", Request::post(&format!("{path}/chat/completions"), body))).await;
            let text = reply.text();
            let id = text.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
            let stored = Request::get(&format!("/passthrough/p/chat/completions/{id}/messages"));
            while upstream.unseen().is_some() {}
            assert_eq!(gateway.ask(&by("two", stored.clone())).await.status(), 404, "{path} {model} {stream}: {text}");
            assert!(upstream.unseen().is_none());
            assert_eq!(gateway.ask(&by("one", stored)).await.status(), 200, "{path} {model} {stream}");
        }
    }
}

/// A key of the provider's may belong to several.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_chooses_the_organisation_or_project_that_pays() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let own = config(&upstream);
    let set = own.replace("passthrough = [\"* *\"]\n", "passthrough = [\"* *\"]\noptions = { project = \"ours\" }\n");
    for (config, project) in [(own, None), (set, Some("ours"))] {
        let gateway = Gateway::open(&config).await;
        for (method, path) in [("GET", "files"), ("POST", "fine_tuning/jobs")] {
            let request = by("one", Request::new(method, &format!("/passthrough/p/{path}")))
                .header("openai-organization", "org-other")
                .header("openai-project", "other");
            assert_eq!(gateway.ask(&request).await.status(), 200, "{path}");
            let sent = upstream.request().await;
            assert_eq!((sent.header("openai-organization"), sent.header("openai-project")), (None, project), "{path}");
        }
    }
}

/// Google's credentials may be used for several projects, and Hugging Face's for several organisations.
#[tokio::test(flavor = "multi_thread")]
async fn no_client_chooses_the_account_that_pays_beside_the_keys_own() {
    let mut upstream = Upstream::always(Answer::json(200, GEMINI.whole())).await;
    let url = upstream.url();
    let of = |adapter: &str, options: &str| {
        format!(
            "[[providers]]\nname = \"p\"\nadapter = \"{adapter}\"\nurl = \"{url}\"\napi_key = \"KEY\"\n\
             passthrough = [\"* *\"]\noptions = {{ {options} }}\n\
             [[clients]]\nname = \"one\"\nkey = \"weir-one-0123456789abcdef\"\npassthrough = [\"p * *\"]\n\
             [[models]]\nalias = \"m\"\ntarget = {{ provider = \"p\", model = \"gemini-x\" }}\n"
        )
    };
    let chat = OPENAI.request("m", false).body(r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#);
    let (google, hugging_face) = ("x-goog-user-project", "x-hf-bill-to");
    for (adapter, options, header, paying) in [
        ("gemini", "", google, None),
        ("gemini", "user_project = \"ours\"", google, Some("ours")),
        ("vertex", "auth = \"bearer\"", google, None),
        ("vertex", "auth = \"bearer\", user_project = \"ours\"", google, Some("ours")),
        ("huggingface", "auth = \"bearer\"", hugging_face, None),
        ("huggingface", "bill_to = \"ours\"", hugging_face, Some("ours")),
    ] {
        let answer = if adapter == "huggingface" { OPENAI.whole() } else { GEMINI.whole() };
        upstream.now(Answer::json(200, answer));
        let folder = Folder::with(&["openai", "gemini", "vertex", "huggingface"]);
        let gateway = Gateway::with(folder, &of(adapter, options)).await;
        for request in [
            Request::get("/passthrough/p/cachedContents"),
            Request::post("/passthrough/p/models/gemini-x:generateContent", "{}"),
            Request::post(
                "/v1beta/models/m:generateContent",
                r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#,
            ),
            chat.clone(),
        ] {
            let about = format!("{adapter} {options} {request:?}");
            let reply = gateway.ask(&by("one", request.header(header, "theirs"))).await;
            assert_eq!(reply.status(), 200, "{about}: {}", reply.text());
            assert_eq!(upstream.request().await.header(header), paying, "{about}");
        }
    }
}

/// A model's limits hold also where a client names it as the provider does.
#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_a_model_hold_for_its_providers_name_too() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let limited = config(&upstream)
        .replace("alias = \"m\"\ntarget", "alias = \"dear\"\nlimits = { requests_per_minute = 2 }\ntarget")
        + "[[models]]\nalias = \"*\"\ntarget = { provider = \"p\", model = \"*\" }\n";
    let gateway = Gateway::open(&limited).await;
    let ask = |path: &str, model: &str| {
        by(
            "one",
            Request::post(path, format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hi"}}]}}"#)),
        )
    };
    for (path, model, status) in [
        ("/v1/chat/completions", "dear", 200),
        ("/passthrough/p/chat/completions", "m", 200),
        ("/passthrough/p/chat/completions", "m", 429),
        ("/passthrough/p/chat/completions", "another", 200),
    ] {
        let reply = gateway.ask(&ask(path, model)).await;
        assert_eq!(reply.status(), status, "{path} {model}: {}", reply.text());
        assert_eq!(upstream.unseen().is_some(), status == 200, "{path} {model}");
    }
}

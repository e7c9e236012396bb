//! All clients share a provider's account: what one of them names there leads no other to it.

use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use crate::wire_format::{GEMINI, OPENAI};

fn config(upstream: &Upstream) -> String {
    let client = |name: &str| {
        format!("[[clients]]\nname = \"{name}\"\nkey = \"weir-{name}-0123456789abcdef\"\npassthrough = [\"p * *\"]\n")
    };
    format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\npassthrough = [\"* *\"]\n\
         [[models]]\nalias = \"m\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n{}{}",
        upstream.url(),
        client("one"),
        client("two")
    )
}

fn by(client: &str, request: Request) -> Request {
    request.header("authorization", &format!("Bearer weir-{client}-0123456789abcdef"))
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
    ] {
        assert_eq!(gateway.ask(&by("two", Request::get(path))).await.status(), 404, "{path}");
        assert!(upstream.unseen().is_none(), "{path}");
        assert_eq!(gateway.ask(&by("one", Request::get(path))).await.status(), 200, "{path}");
        upstream.request().await;
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

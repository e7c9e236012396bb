//! Models beside a request's own, of which one may answer: a client names only those that it may use, and budgets hold
//! back what the dearest may cost.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use crate::guards::{guard, secret};
use crate::wire_format::{ANTHROPIC, OPENAI, TEXT, provider};

const CLIENTS: &str = "[[clients]]\nname = \"bound\"\nkey = \"weir-bound-0123456789\"\nmodels = [\"fast*\"]\npassthrough = [\"p POST *\"]\n\
    [[clients]]\nname = \"free\"\nkey = \"weir-free-0123456789\"\npassthrough = [\"p POST *\"]\n";

fn config(upstream: &Upstream) -> String {
    format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openrouter\"\nurl = \"{}\"\napi_key = \"KEY\"\npassthrough = [\"POST *\"]\n\
         [[models]]\nalias = \"fast\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n\
         [[models]]\nalias = \"fast-t\"\ntranslate = true\ntarget = {{ provider = \"p\", model = \"m\" }}\n{CLIENTS}",
        upstream.url()
    )
}

fn ask(client: &str, path: &str, model: &str, more: &str) -> Request {
    ask_this("Hi", client, path, model, more)
}

fn ask_this(text: &str, client: &str, path: &str, model: &str, more: &str) -> Request {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"{text}"}}]{more}}}"#);
    Request::post(path, body).header("authorization", &format!("Bearer weir-{client}-0123456789"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_names_no_model_beside_its_own_that_it_may_not_use() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::with(Folder::with(&["openai", "openrouter"]), &config(&upstream)).await;
    let paths = ["/v1/chat/completions", "/passthrough/p/chat/completions", "/passthrough/p/something/new"];
    for (path, model) in paths.into_iter().flat_map(|path| [(path, "fast"), (path, "fast-t")]) {
        for (more, status) in [
            (r#","models":["fast-2","dear"]"#, 403),
            (r#","\u006dodels":["dear"]"#, 403),
            (r#","stream":true,"models":["dear"]"#, 403),
            (r#","stream":true,"models":["fast-2"]"#, 200),
            (r#","models":["fast-2"]"#, 200),
            (r#","models":null"#, 200),
            (r#","fallbacks":[{"model":"dear"}]"#, 403),
            (r#","fallbacks":[{"model":"fast-2"}]"#, 200),
            (r#","plugins":[{"id":"panel","model":"fast-2","analysis_models":["fast-2","dear"]}]"#, 403),
            (r#","tools":[{"type":"look","parameters":{"model":"dear"}}]"#, 403),
            (r#","tools":[{"type":"look","model":"fast-2"}],"tools":[{"type":"look","model":"dear"}]"#, 403),
            ("", 200),
        ] {
            // What goes to an endpoint that no adapter declares is looked at in passing.
            let expected = if path.ends_with("new") && status == 403 { 400 } else { status };
            let reply = gateway.ask(&ask("bound", path, model, more)).await;
            assert_eq!(reply.status(), expected, "{path} {model}{more}: {}", reply.text());
            assert_eq!(upstream.unseen().is_some(), status == 200, "{path} {model}{more}");
            let free = gateway.ask(&ask("free", path, model, more)).await;
            assert_eq!(free.status(), 200, "{path} {model}{more}: {}", free.text());
            upstream.request().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_may_use_goes_along() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::with(Folder::with(&["openai", "openrouter"]), &config(&upstream)).await;
    let reply = gateway.ask(&ask("bound", "/v1/chat/completions", "fast", r#","models":["fast-2"]"#)).await;
    assert_eq!(OPENAI.parsed(&reply, false).text, TEXT);
    let sent: Value = upstream.request().await.json();
    assert_eq!((&sent["model"], &sent["models"]), (&json!("m"), &json!(["fast-2"])));
    for odd in [r#","models":"fast-2""#, r#","models":[7]"#, r#","models":["fast-2"],"models":["fast-3"]"#] {
        let reply = gateway.ask(&ask("bound", "/v1/chat/completions", "fast", odd)).await;
        assert_eq!(reply.status(), 400, "{odd}: {}", reply.text());
    }
}

/// Of a tool that consults another model, and of models that go on where the first one refuses.
#[tokio::test(flavor = "multi_thread")]
async fn neither_a_tool_nor_a_fallback_of_the_providers_leads_to_another_model() {
    let mut upstream = provider(ANTHROPIC).await;
    let provider = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"anthropic\"\nurl = \"{}\"\napi_key = \"KEY\"\npassthrough = [\"POST *\"]\n\
         [[models]]\nalias = \"fast\"\ntarget = {{ provider = \"p\", model = \"claude-haiku-4-5\" }}\n{CLIENTS}",
        upstream.url()
    );
    let gateway = Gateway::with(Folder::with(&["anthropic"]), &provider).await;
    let request = |client: &str, path: &str, more: &str| {
        let body = format!(r#"{{"model":"fast","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}],{more}}}"#);
        Request::post(path, body).header("x-api-key", &format!("weir-{client}-0123456789"))
    };
    for more in [
        r#""fallbacks":[{"model":"claude-opus-4-8"}]"#,
        r#""tools":[{"type":"advisor_20260301","name":"advisor","model":"claude-opus-4-8"}]"#,
    ] {
        for path in ["/v1/messages", "/passthrough/p/messages"] {
            let reply = gateway.ask(&request("bound", path, more)).await;
            assert_eq!(reply.status(), 403, "{path} {more}: {}", reply.text());
            assert!(reply.text().contains("claude-opus-4-8") && upstream.unseen().is_none(), "{}", reply.text());
            let reply = gateway.ask(&request("free", path, more)).await;
            assert_eq!(reply.status(), 200, "{path} {more}: {}", reply.text());
            upstream.request().await;
        }
    }
    let of_query = gateway.ask(&request("bound", "/v1/messages?model=claude-opus-4-8", r#""stop_sequences":[]"#)).await;
    assert_eq!(of_query.status(), 403, "{}", of_query.text());
    let unnamed = gateway.ask(&request("bound", "/v1/messages", r#""fallbacks":"default""#)).await;
    assert_eq!(unnamed.status(), 400, "the provider would choose: {}", unnamed.text());
}

/// What a request may be answered by, or consults, has guards of its own: by its alias, by its name at the provider,
/// and where it cannot be told which model that is.
#[tokio::test(flavor = "multi_thread")]
async fn the_guards_of_a_model_judge_requests_that_name_it_beside_their_own() {
    let mut upstream = provider(OPENAI).await;
    let dear = "[[models]]\nalias = \"dear\"\ntarget = { provider = \"p\", model = \"vendor/dear\" }\n";
    let guards = guard("secrets", "for = { models = [\"dear\"] }");
    let adapters = Folder::with(&["openai", "openrouter", "secrets"]);
    let gateway = Gateway::with(adapters, &format!("{}{dear}{guards}", config(&upstream))).await;
    for (more, is_judged) in [
        (r#","models":["other","dear"]"#, true),
        (r#","models":["vendor/dear"]"#, true),
        (r#","\u006dodels":["dear"]"#, true),
        (r#","fallbacks":[{"model":"vendor/dear"}]"#, true),
        (r#","fallbacks":"default""#, true),
        (r#","plugins":[{"id":"panel","analysis_models":["dear"]}]"#, true),
        (r#","tools":[{"type":"look","parameters":{"model":"dear"}}]"#, true),
        (r#","stream":true,"models":["dear"]"#, true),
        (r#","models":["other"]"#, false),
        (r#","stream":true,"fallbacks":[{"model":"other"}]"#, false),
        ("", false),
    ] {
        for model in ["fast", "fast-t"] {
            let request = ask_this(&secret(), "free", "/v1/chat/completions", model, more);
            let reply = gateway.ask(&request).await;
            let verdict = is_judged.then_some("secrets=deny;aws-access-key=1");
            let expected = (if is_judged { 400 } else { 200 }, verdict);
            let case = format!("{model}{more}: {}", reply.text());
            assert_eq!((reply.status(), reply.header("x-weir-guards")), expected, "{case}");
            assert_eq!(upstream.unseen().is_some(), !is_judged, "{case}");
        }
        // What passes through cannot be judged.
        let reply = gateway.ask(&ask("free", "/passthrough/p/chat/completions", "fast", more)).await;
        assert_eq!(reply.status(), if is_judged { 403 } else { 200 }, "{more}: {}", reply.text());
        assert_eq!(upstream.unseen().is_some(), !is_judged, "{more}");
    }
    let of_query = ask("free", "/v1/chat/completions?model=dear", "fast", "");
    assert_eq!(gateway.ask(&of_query).await.header("x-weir-guards"), Some("secrets=allow"));
}

/// A dollar a token, and a thousand for the dear one.
const PRICES: &str = r#"{"providers": {"openrouter": {
    "m": {"input": "1000000", "output": "1000000"},
    "vendor/dear": {"input": {"amount": "1000", "per": 1}, "output": {"amount": "1000", "per": 1}}}}}"#;

/// Any of them may answer, and many requests at once would have no room once they did.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_has_room_for_the_dearest_model_that_a_request_names() {
    let mut upstream = provider(OPENAI).await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 9000\nper = \"total\"\n";
    let of_provider = "[[budgets]]\nname = \"p\"\nfor = { provider = \"p\" }\nusd = 9000\nper = \"total\"\n";
    for budget in [budget, of_provider] {
        let adapters = Folder::with(&["openai", "openrouter"]);
        std::fs::write(adapters.path().join("prices.json"), PRICES).unwrap();
        let gateway =
            Gateway::with(adapters, &format!("price_file = \"prices.json\"\n{}{budget}", config(&upstream))).await;
        for (more, has_room) in [
            ("", true),
            (r#","models":["vendor/dear"]"#, false),
            (r#","stream":true,"models":["other","vendor/dear"]"#, false),
            (r#","\u006dodels":["vendor/dear"]"#, false),
            (r#","fallbacks":[{"model":"vendor/dear"}]"#, false),
            (r#","tools":[{"type":"look","parameters":{"model":"vendor/dear"}}]"#, false),
            (r#","models":["m"],"models":[7,"vendor/dear"]"#, false),
            (r#","fallbacks":"vendor/dear""#, false),
            (r#","models":["m"]"#, true),
            (r#","models":["of-no-known-price"]"#, true),
            (r#","stream":true,"fallbacks":"default""#, true),
        ] {
            let more = format!(r#","max_tokens":10{more}"#);
            for (path, model) in [
                ("/v1/chat/completions", "fast"),
                ("/v1/chat/completions", "fast-t"),
                ("/passthrough/p/chat/completions", "m"),
            ] {
                let reply = gateway.ask(&ask("free", path, model, &more)).await;
                let case = format!("{path} {model}{more}: {}", reply.text());
                assert_eq!(reply.status(), if has_room { 200 } else { 429 }, "{case}");
                assert_eq!(upstream.unseen().is_some(), has_room, "{case}");
            }
        }
        let of_query = ask("free", "/v1/chat/completions?model=vendor/dear", "fast", r#","max_tokens":10"#);
        assert_eq!(gateway.ask(&of_query).await.status(), 429);
        // Nor does it look up the prices of as many as fit into a body.
        let many = (0..65).map(|number| format!("\"m-{number}\"")).collect::<Vec<_>>().join(",");
        for path in ["/v1/chat/completions", "/passthrough/p/chat/completions"] {
            let reply = gateway.ask(&ask("free", path, "fast", &format!(r#","models":[{many}]"#))).await;
            assert_eq!(reply.status(), 400, "{path}: {}", reply.text());
            assert!(reply.text().contains("64 models") && upstream.unseen().is_none(), "{path}: {}", reply.text());
        }
    }
}

/// Each request of such work names a model of its own, as the provider calls it.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_a_batch_is_of_a_model_that_its_client_may_not_use() {
    let mut upstream = Upstream::always(Answer::json(200, r#"{"id":"msgbatch_0123456789abcdef"}"#)).await;
    let operations = CLIENTS.replacen("models =", "operations = [\"batches-*\"]\nmodels =", 1);
    // A batch of more models than can be priced passes budgets that refuse nothing.
    let config = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"anthropic\"\nurl = \"{}\"\napi_key = \"KEY\"\npassthrough = [\"POST *\"]\n\
         [[models]]\nalias = \"fast\"\ntarget = {{ provider = \"p\", model = \"fast-1\" }}\n{operations}\
         [[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 9000\nper = \"total\"\nwhen_over = \"notify\"\n",
        upstream.url()
    );
    let gateway = Gateway::with(Folder::with(&["anthropic"]), &config).await;
    let one = |model: &str, more: &str| {
        format!(
            r#"{{"custom_id":"c","params":{{"model":"{model}","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}]{more}}}}}"#
        )
    };
    let many = |last: &str| {
        let names = (0..99).map(|number| one(&format!("fast-{number}"), ""));
        names.chain([one(last, "")]).collect::<Vec<_>>().join(",")
    };
    let advised = |model: &str| format!(r#","tools":[{{"type":"advisor_20260301","name":"a","model":"{model}"}}]"#);
    for (requests, status) in [
        (one("dear", ""), 403),
        (one("fast-1", r#","\u006dodel":"dear""#), 403),
        (one("fast-1", &advised("dear")), 403),
        (one("fast-1", r#","fallbacks":[{"model":"dear"}]"#), 403),
        (many("dear"), 403),
        (one("fast-1", &advised("fast-2")), 200),
        (many("fast-99"), 200),
    ] {
        for path in ["/v1/messages/batches", "/anthropic/v1/messages/batches", "/passthrough/p/messages/batches"] {
            let body = format!(r#"{{"requests":[{requests}]}}"#);
            let by = |client: &str| {
                Request::post(path, body.clone()).header("x-api-key", &format!("weir-{client}-0123456789"))
            };
            let reply = gateway.ask(&by("bound")).await;
            let case = format!("{path}: {}: {}", body.get(..200).unwrap_or(&body), reply.text());
            assert_eq!(reply.status(), status, "{case}");
            assert_eq!(upstream.unseen().is_some(), status == 200, "{case}");
            let reply = gateway.ask(&by("free")).await;
            assert_eq!(reply.status(), 200, "{path}: {}", reply.text());
            assert_eq!(upstream.request().await.text(), body);
        }
    }
}

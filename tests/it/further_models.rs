//! Models beside a request's own, of which one may answer: a client names only those that it may use.

use serde_json::{Value, json};
use weir_tests::{Folder, Gateway, Request, Upstream};

use crate::wire_format::{OPENAI, TEXT, provider};

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
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hi"}}]{more}}}"#);
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

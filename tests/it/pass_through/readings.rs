//! Requests that a provider could read otherwise than the gateway, or whose model stands where the gateway's usual
//! lanes do not look.

use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream};

use super::{KEY, by, client, provider};
use crate::wire_format::OPENAI;

fn chat(models: &str) -> Request {
    let body = format!(r#"{{{models}"messages":[{{"role":"user","content":"Hi"}}]}}"#);
    Request::new("POST", "/passthrough/p/chat/completions").body(body)
}

async fn open(rules: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let clients = client("bound", "models = [\"gpt\"]\npassthrough = [\"p * *\"]")
        + &client("free", "passthrough = [\"p * *\"]")
        + &client("some", "models = [\"gpt\"]\noperations = [\"images\"]\npassthrough = [\"p * *\"]");
    let gateway = Gateway::open(&(provider(&upstream, rules) + &clients)).await;
    (upstream, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn json_passes_whatever_its_type_unless_that_hides_another_reading() {
    let (mut upstream, gateway) = open("[\"* *\"]").await;
    let named = || chat(r#""model":"gpt","#);
    let hidden = r#"{"a":"&model=secret&","model":"gpt","messages":[]}"#;
    let folded = "{\"a\":\"\r\n--b\r\nContent-Disposition: form-data; name=\\\"model\\\"\r\n\r\nsecret\r\n--b--\",\"model\":\"gpt\"}";
    for (request, status) in [
        (named(), 200),
        (named().header("content-type", "text/plain"), 200),
        (named().header("content-type", "application/json; charset=UTF-8"), 200),
        (named().header("content-type", "application/x-www-form-urlencoded"), 200),
        (named().header("content-encoding", "identity"), 200),
        (named().header("content-type", "application/json; charset=utf-7"), 415),
        (named().header("content-type", "application/json; charset=utf-16le"), 415),
        (named().header("content-type", "application/json").header("content-type", "text/plain; charset=x"), 415),
        (named().header("content-encoding", "gzip"), 415),
        (named().header("content-encoding", "deflate"), 415),
        (named().header("content-encoding", "identity, br"), 415),
        (named().header("content-encoding", "zstd"), 415),
        (named().header("content-type", "application/x-www-form-urlencoded").body(hidden), 400),
        (named().header("content-type", "Multipart/form-data; boundary=b").body(folded), 415),
        (named().body("\u{feff}{\"model\":\"secret\"}"), 403),
        (named().body(utf16(r#"{"model":"secret"}"#)), 400),
        (named().body("model=secret"), 400),
    ] {
        let reply = gateway.ask(&by("bound", request.clone())).await;
        assert_eq!(reply.status(), status, "{}: {}", request.head(), reply.text());
        if status == 200 {
            assert_eq!(upstream.request().await.body, request.sent());
        }
        assert!(upstream.unseen().is_none(), "{}", request.head());
    }
}

/// A text in UTF-16 with a mark of its order.
fn utf16(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_in_the_query_or_a_header_is_that_of_the_body() {
    let (mut upstream, gateway) = open("[\"* *\"]").await;
    let at = |query: &str| {
        let body = chat(r#""model":"gpt","#).sent();
        Request::post(&format!("/passthrough/p/chat/completions?{query}"), body)
    };
    for (request, status) in [
        (at("model=gpt"), 200),
        (at("models=1"), 200),
        (at("").header("x-model", "gpt"), 200),
        (at("model=secret"), 400),
        (at("a=1&mod%65l=secret"), 400),
        (at("Model=gpt&model=secret"), 400),
        (at("").header("x-model", "secret"), 400),
        (at("").header("azureml-model-deployment", "secret"), 400),
    ] {
        let reply = gateway.ask(&by("bound", request.clone())).await;
        assert_eq!(reply.status(), status, "{}: {}", request.head(), reply.text());
        assert_eq!(upstream.unseen().is_some(), status == 200, "{}", request.head());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_models_names_one_where_the_provider_would_choose() {
    let (mut upstream, gateway) = open("[\"* *\"]").await;
    let image = || Request::post("/passthrough/p/images/generations", r#"{"prompt":"a cat"}"#);
    for (who, request, status) in [
        ("bound", image(), 403),
        ("some", image(), 200),
        ("free", image(), 200),
        ("bound", chat(""), 403),
        ("bound", Request::post("/passthrough/p/moderations", r#"{"input":"Hi"}"#), 403),
        ("bound", Request::get("/passthrough/p/models"), 200),
    ] {
        let reply = gateway.ask(&by(who, request.clone())).await;
        assert_eq!(reply.status(), status, "{who} {}: {}", request.head(), reply.text());
        assert_eq!(upstream.unseen().is_some(), status == 200, "{who} {}", request.head());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_in_the_path_is_the_model_whatever_the_body_names() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let clients = client("bound", "models = [\"gpt\"]\npassthrough = [\"p * *\"]");
    for option in ["", "options = { api_version = \"2024-10-21\" }\n"] {
        let config = format!(
            "[[providers]]\nname = \"p\"\nadapter = \"azure-openai\"\nurl = \"{}\"\napi_key = \"{KEY}\"\n\
             passthrough = [\"* *\"]\n{option}",
            upstream.url()
        );
        let gateway = Gateway::with(Folder::with(&["openai", "azure-openai"]), &(config + &clients)).await;
        for (deployment, model, status) in [
            ("gpt", r#""model":"gpt","#, 200),
            ("gpt", "", 200),
            ("secret", r#""model":"gpt","#, 403),
            ("secret", "", 403),
            ("s%65cret", r#""model":"gpt","#, 403),
            ("gpt", r#""model":"secret","#, 403),
        ] {
            let path =
                format!("/passthrough/p/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21");
            let reply = gateway.ask(&by("bound", Request::post(&path, chat(model).sent()))).await;
            assert_eq!(reply.status(), status, "{option} {deployment} {model}: {}", reply.text());
            assert_eq!(upstream.unseen().is_some(), status == 200, "{option} {deployment} {model}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_has_rights_at_endpoints_that_no_adapter_declares() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    for (adapter, paths) in [
        ("azure-openai", ["openai/deployments/MODEL/audio/diarizations", "OpenAI/Deployments/MODEL/new"]),
        ("gemini", ["models/MODEL:batchGenerateContent", "models;x/MODEL:predictLongRunning"]),
    ] {
        let config = format!(
            "[[providers]]\nname = \"p\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"{KEY}\"\n\
             passthrough = [\"* *\"]\n",
            upstream.url()
        );
        let clients = client("bound", "models = [\"gpt\"]\npassthrough = [\"p * *\"]")
            + &client("free", "passthrough = [\"p * *\"]");
        let gateway = Gateway::with(Folder::with(&["openai", adapter]), &(config + &clients)).await;
        let body = |model: &str| format!(r#"{{"model":"{model}"}}"#);
        for (sent, status) in [
            (body("gpt"), 200),
            ("{}".to_owned(), 200),
            ("bytes".to_owned(), 200),
            (body("secret"), 400),
            (format!("\u{feff} {}", body("secret")), 400),
            (body("secret") + "{}", 400),
            (body("secret").replace("model", "mod\\u0065l"), 400),
            (body("secret").replace("model", "Model"), 400),
            (format!("{{\"a\":NaN,{}", &body("secret")[1..]), 400),
            (format!("{{\"a\":\"{}\",{}", "x".repeat(300_000), &body("secret")[1..]), 400),
        ] {
            for path in ["new/things", "v1/chat/completions"] {
                let shown: String = sent.chars().take(80).collect();
                let request = Request::new("POST", &format!("/passthrough/p/{path}")).body(&sent);
                let reply = gateway.ask(&by("bound", request.clone())).await;
                assert_eq!(reply.status(), status, "{shown}: {}", reply.text());
                assert_eq!(upstream.unseen().is_some(), status == 200, "{shown}");
                assert_eq!(gateway.ask(&by("free", request)).await.status(), 200, "{shown}");
                assert_eq!(upstream.request().await.text(), sent);
            }
        }
        let query =
            Request::new("POST", "/passthrough/p/new").header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(gateway.ask(&by("bound", query.body("model=secret"))).await.status(), 400);
        assert!(upstream.unseen().is_none());
        for (model, status) in [("gpt", 200), ("secret", 400)] {
            let form = format!("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b--\r\n");
            let request =
                Request::new("POST", "/passthrough/p/videos").header("content-type", "multipart/form-data; boundary=b");
            let reply = gateway.ask(&by("bound", request.body(form))).await;
            assert_eq!(reply.status(), status, "{model}: {}", reply.text());
            assert_eq!(upstream.unseen().is_some(), status == 200, "{model}");
        }
        for path in paths {
            for (who, model, status) in
                [("bound", "gpt", 200), ("bound", "secret", 403), ("bound", "s%65cret", 403), ("free", "secret", 200)]
            {
                let path = format!("/passthrough/p/{}", path.replace("MODEL", model));
                let reply = gateway.ask(&by(who, Request::post(&path, "{}"))).await;
                assert_eq!(reply.status(), status, "{who} {path}: {}", reply.text());
                assert_eq!(upstream.unseen().is_some(), status == 200, "{who} {path}");
            }
        }
    }
}

/// Evaluations, sessions and lists of requests name models deeper, and other services by other names.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_has_rights_wherever_a_request_names_it_at_endpoints_that_no_adapter_declares() {
    let (mut upstream, gateway) = open("[\"* *\"]").await;
    let at = |query: &str| Request::post(&format!("/passthrough/p/new{query}"), "{}");
    let json = |text: &str| Request::post("/passthrough/p/new", text.replace("MODEL", "secret"));
    let of_type = |kind: &str| Request::new("POST", "/passthrough/p/new").header("content-type", kind);
    let form = "--b\r\nContent-Disposition: form-data; name=\"model_id\"\r\n\r\nsecret\r\n--b--\r\n";
    for (request, status) in [
        (at("?model=gpt&x=secret"), 200),
        (at("?model=secret"), 403),
        (at("?mod%65lId=secret"), 403),
        (at("?model_id=secret"), 403),
        (at("").header("x-model", "gpt"), 200),
        (at("").header("x-model", "secret"), 403),
        (at("").header("x-model-id", "secret"), 403),
        (Request::get("/passthrough/p/new?model=secret"), 403),
        (of_type("multipart/form-data; boundary=b").body(form), 400),
        (json(r#"{"data_source":{"type":"completions","model":"MODEL"}}"#), 400),
        (json(r#"{"criteria":[{"x":{"model_id":"MODEL"}}]}"#), 400),
        (json(r#"{"session":{"Model":"MODEL"}}"#), 400),
        (json(r#"[{"model":"MODEL"}]"#), 400),
        // Some readers pass over comments.
        (json(r#"/* {"model":"gpt"} */ {"model":"MODEL"}"#), 400),
        (json("# a comment\n{\"model\":\"MODEL\"}"), 400),
        (json(r#" "a text" "#), 200),
        (json(r#"[{"model":"gpt"},{"schema":{"model":{"type":"string"}}}]"#), 200),
    ] {
        let reply = gateway.ask(&by("bound", request.clone())).await;
        assert_eq!(reply.status(), status, "{}: {}", request.head(), reply.text());
        assert_eq!(upstream.unseen().is_some(), status == 200, "{}", request.head());
        assert_eq!(gateway.ask(&by("free", request.clone())).await.status(), 200, "{}", request.head());
        upstream.request().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_without_a_model_costs_what_cannot_be_known_unless_its_answer_tells() {
    let answers = |request: &Received| {
        let is_chat = request.line().contains("chat");
        Answer::json(200, if is_chat { OPENAI.whole() } else { r#"{"data":[]}"#.to_owned() })
    };
    let mut upstream = Upstream::scripted(answers).await;
    let budget = |name: &str, of: &str, limit: &str| {
        format!("[[budgets]]\nname = \"{name}\"\nfor = {{ key = \"{of}\" }}\n{limit}\nper = \"total\"\n")
    };
    let clients = client("counted", "passthrough = [\"p * *\"]") + &client("paid", "passthrough = [\"p * *\"]");
    let budgets = budget("tokens", "counted", "tokens = 1000000") + &budget("money", "paid", "usd = 1000000");
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &budgets + &clients)).await;
    let image = || Request::post("/passthrough/p/images/generations", r#"{"prompt":"a cat"}"#);
    let moderation = || Request::post("/passthrough/p/moderations", r#"{"input":"Hi"}"#);
    for (who, request, status) in [
        ("paid", image(), 429),
        ("paid", chat(""), 429),
        ("paid", moderation(), 200),
        ("paid", Request::get("/passthrough/p/models"), 200),
        ("paid", Request::post("/passthrough/p/batches", r#"{"input_file_id":"file-0123456789"}"#), 403),
        ("counted", moderation(), 200),
    ] {
        let reply = gateway.ask(&by(who, request.clone())).await;
        assert_eq!(reply.status(), status, "{who} {}: {}", request.head(), reply.text());
        assert_eq!(upstream.unseen().is_some(), status == 200, "{who} {}", request.head());
    }
    assert_eq!(gateway.budget_used("tokens").await, 0.0);
    // The answer of a chat tells what it used.
    assert_eq!(gateway.ask(&by("counted", chat(""))).await.status(), 200);
    gateway.until_metric("weir_budget_used{budget=\"tokens\"}", 17.0).await;
    assert_eq!(gateway.ask(&by("counted", image())).await.status(), 200);
    let sent = r#"{"prompt":"a cat"}"#.len().div_ceil(4) as f64;
    gateway.until_metric("weir_budget_used{budget=\"tokens\"}", 17.0 + 4096.0 + sent).await;
}

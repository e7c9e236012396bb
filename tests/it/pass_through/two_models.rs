//! Bodies that name several models, which the provider could read otherwise than the gateway.

use weir_tests::{Answer, Gateway, Request, Upstream};

use super::{by, client, provider};
use crate::wire_format::OPENAI;

fn body(models: &str) -> String {
    format!(r#"{{{models},"messages":[{{"role":"user","content":"Hi"}}]}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_two_models_does_not_pass_through() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 100000000\nper = \"total\"\n";
    let clients =
        client("free", "passthrough = [\"p * *\"]") + &client("bound", "models = [\"gpt\"]\npassthrough = [\"p * *\"]");
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + budget + &clients)).await;
    for name in ["free", "bound"] {
        for models in [
            r#""model":"secret","model":"gpt""#,
            r#""model":"gpt","model":"secret""#,
            r#""mod\u0065l":"secret","model":"gpt""#,
            r#""model":"gpt","mod\u0065l":"secret""#,
            r#""model":"gpt","model":"gpt","model":"secret""#,
        ] {
            let reply = gateway.ask(&by(name, Request::post("/passthrough/p/chat/completions", body(models)))).await;
            assert_eq!(reply.status(), 400, "{name} {models}: {}", reply.text());
            assert!(reply.text().contains("name one model only"), "{}", reply.text());
            assert!(upstream.unseen().is_none(), "{models}");
        }
    }
    assert_eq!(gateway.budget_used("all").await, 0.0);
    // The same name twice is one model, however it is written.
    let sent = body(r#""model":"gpt","mod\u0065l":"\u0067pt""#);
    let reply = gateway.ask(&by("bound", Request::post("/passthrough/p/chat/completions", &sent))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(upstream.request().await.text(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_body_with_two_models_names_that_of_its_target_twice() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let clients = client("bound", "models = [\"m\"]");
    let gateway = Gateway::open(&(provider(&upstream, "[]") + &clients)).await;
    for models in [r#""model":"secret","model":"m""#, r#""mod\u0065l":"secret","model":"m""#] {
        let reply = gateway.ask(&by("bound", Request::post("/v1/chat/completions", body(models)))).await;
        assert_eq!(reply.status(), 200, "{models}: {}", reply.text());
        let sent = upstream.request().await.text();
        assert!(!sent.contains("secret") && sent.matches("\"gpt\"").count() == 2, "{sent}");
    }
    let reply =
        gateway.ask(&by("bound", Request::post("/v1/chat/completions", body(r#""model":"m","model":"secret""#)))).await;
    assert_eq!(reply.status(), 403, "{}", reply.text());
    let form = |models: [&str; 2]| {
        let field = |name: &str| format!("--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{name}\r\n");
        let fields: String = models.map(field).concat();
        let file = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\nsound\r\n--b--\r\n";
        Request::new("POST", "/v1/audio/transcriptions")
            .header("content-type", "multipart/form-data; boundary=b")
            .body(fields + file)
    };
    let reply = gateway.ask(&by("bound", form(["secret", "m"]))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let sent = upstream.request().await.text();
    assert!(!sent.contains("secret") && sent.matches("gpt").count() == 2, "{sent}");
    assert_eq!(gateway.ask(&by("bound", form(["m", "secret"]))).await.status(), 403);
    assert!(upstream.unseen().is_none());
}

//! All clients share a provider's account: what one of them names there leads no other to it.

use weir_tests::{Answer, Gateway, Request, Upstream};

use crate::wire_format::OPENAI;

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

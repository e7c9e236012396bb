//! Answers that their client has removed are booked before.

use super::*;

fn deleted(client: &str, path: &str) -> Request {
    by(client, Request::new("DELETE", path))
}

fn paths() -> [String; 2] {
    ["/v1", "/passthrough/openai"].map(|base| format!("{base}/responses/{ID}"))
}

async fn expect_kept(gateway: &Gateway, path: &str) {
    let reply = gateway.ask(&deleted("one", path)).await;
    assert_eq!((reply.status(), reply.json()["error"]["code"].as_str()), (409, Some("not_booked_yet")), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_background_is_booked_before_its_client_removes_it() {
    for path in paths() {
        let (store, mut upstream) = Store::start().await;
        let gateway = gateway(&upstream).await;
        asked(&gateway, &made(json!({"background": true}))).await;
        for _ in 0..2 {
            expect_kept(&gateway, &path).await;
        }
        assert_eq!(gateway.ask(&deleted("two", &path)).await.status(), 404);
        store.set(DONE);
        while upstream.unseen().is_some() {}
        asked(&gateway, &deleted("one", &path)).await;
        let lines = [upstream.request().await, upstream.request().await].map(|sent| sent.line().to_owned());
        assert_eq!(lines, ["GET", "DELETE"].map(|method| format!("{method} /base/responses/{ID}")));
        until_booked_once(&gateway, 2).await;
        asked(&gateway, &deleted("one", &path)).await;
        assert!(upstream.request().await.line().starts_with("DELETE"), "it is booked");
        assert!(upstream.unseen().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_not_removed_while_it_passes_nor_before_the_rest_of_it_is_booked() {
    for path in paths() {
        let (store, upstream) = Store::start().await;
        let gateway = gateway(&upstream).await;
        let mut client = gateway.connect().await;
        client.send(&made(json!({"background": true, "stream": true, "user": "seen"}))).await;
        client.head().await;
        client.until("\"delta\":\"Yes").await;
        expect_kept(&gateway, &path).await;
        client.leave();
        gateway.until_metric("weir_client_disconnects_total", 1.0).await;
        expect_kept(&gateway, &path).await;
        store.set(DONE);
        asked(&gateway, &deleted("one", &path)).await;
        until(&gateway, "tokens", |counted| matches!(counted, (TOKENS..30, 0))).await;
    }
}

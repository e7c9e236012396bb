//! What the request log keeps of requests with keys of the store.

use serde_json::{Value, json};
use weir_tests::{Gateway, Reply};

use super::{admin, gateway, made, provider, with_key};
use crate::wire_format::OPENAI;

/// The one fact that a search finds, once it is written.
async fn found(gateway: &Gateway, search: &str) -> Value {
    let written = async {
        loop {
            let list = admin(gateway, "GET", &format!("/requests?{search}"), Value::Null).await.json();
            match list["items"].as_array().map(Vec::as_slice) {
                Some([fact]) => return fact.clone(),
                Some([]) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                _ => panic!("{search} finds {list}"),
            }
        }
    };
    weir_tests::soon("a fact", written).await
}

async fn asks(gateway: &Gateway, model: &str, key: &str, id: &str) -> Reply {
    gateway.ask(&with_key(OPENAI, model, false, key).header("x-request-id", id)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_has_the_clients_own_name_for_a_model_and_is_found_by_a_whole_tag() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let fields =
        json!({"name": "a", "models": ["mine", "openai"], "aliases": {"mine": "openai"}, "tags": ["env=prod"]});
    let (_, key) = made(&gateway, fields).await;
    assert_eq!(asks(&gateway, "mine", &key, "by-alias").await.status(), 200);
    assert_eq!(found(&gateway, "client_request_id=by-alias").await["model_asked"], "mine");
    assert_eq!(asks(&gateway, "anthropic", &key, "refused").await.status(), 403);
    assert_eq!(found(&gateway, "client_request_id=refused").await["model_asked"], "anthropic");
    assert_eq!(found(&gateway, "tag=env%3Dprod&status=200").await["client_request_id"], "by-alias");
    assert_eq!(found(&gateway, "tag=env=prod&status=403").await["client_request_id"], "refused");
}

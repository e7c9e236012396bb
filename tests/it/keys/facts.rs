//! What the request log keeps of requests with keys of the store.

use serde_json::{Value, json};
use weir_tests::{Answer, Gateway, Reply, Request, Upstream, log};

use super::{READER, TOKEN, admin, gateway, made, provider, with_key};
use crate::wire_format::OPENAI;

/// The one fact that a search finds, once it is written.
pub(super) async fn found(gateway: &Gateway, search: &str) -> Value {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_an_error_shows_no_secret_of_the_configuration_whatever_it_looks_like() {
    let message = format!("no {TOKEN}, and no {READER}");
    let upstream = Upstream::always(Answer::json(400, json!({"error": {"message": message}}).to_string())).await;
    let gateway = gateway(&upstream).await;
    let (_, key) = made(&gateway, json!({"name": "a"})).await;
    for model in ["openai", "anthropic"] {
        assert_eq!(asks(&gateway, model, &key, model).await.status(), 400);
        let fact = found(&gateway, &format!("client_request_id={model}")).await.to_string();
        assert!(fact.contains("no xxxxx, and no xxxxx") && !fact.contains(TOKEN) && !fact.contains(READER), "{fact}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_place_of_a_name_is_not_kept() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let (_, key) = made(&gateway, json!({"name": "a"})).await;
    for (model, agent, status) in [(key.as_str(), "me", 404), ("openai", key.as_str(), 200)] {
        let request = with_key(OPENAI, model, false, &key).header("user-agent", agent);
        assert_eq!(gateway.ask(&request).await.status(), status, "{status}");
        let fact = found(&gateway, &format!("status={status}")).await.to_string();
        assert!(!fact.contains(&key) && fact.contains("xxxxx"), "{fact}");
    }
    let request = with_key(OPENAI, "anthropic", false, &key).header("x-request-id", &key);
    assert_eq!(gateway.ask(&request).await.status(), 200);
    let fact = found(&gateway, "model=anthropic").await.to_string();
    assert!(!fact.contains(&key), "{fact}");
    // The lines of all three are written by now.
    assert!(!log::text().contains(&key), "the log shows a key in the place of a name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_for_a_team_is_enough_for_the_sums_of_this_team_and_of_nothing_else() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let mut ids = Vec::new();
    for team in ["red", "blue"] {
        admin(&gateway, "POST", "/teams", json!({"id": team, "name": team})).await;
        let (id, key) = made(&gateway, json!({"name": "user", "owner": {"team": team}})).await;
        assert_eq!(asks(&gateway, "openai", &key, team).await.status(), 200);
        found(&gateway, &format!("client_request_id={team}")).await;
        ids.push(id);
    }
    let grants = json!([{"access": "read", "team": "red"}]);
    let (_, reader) = made(&gateway, json!({"name": "reader", "grants": grants})).await;
    let read = |query: &str| {
        Request::get(&format!("/admin/v1/usage?{query}")).header("authorization", &format!("Bearer {reader}"))
    };

    // The sums are written after the facts.
    let summed = async {
        loop {
            let own = gateway.ask(&read("by=model&team=red")).await;
            assert_eq!(own.status(), 200, "{}", own.text());
            match own.json()["items"].as_array().map(Vec::as_slice) {
                Some([model]) => return model["requests"].clone(),
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    };
    assert_eq!(weir_tests::soon("the team's sums", summed).await, 1);
    let (red, blue) = (&ids[0], &ids[1]);
    let all = admin(&gateway, "GET", "/usage?by=key", Value::Null).await.json();
    let of_red = all["items"].as_array().and_then(|items| items.iter().find(|item| item["name"] == **red));
    assert_eq!(of_red.map(|item| &item["title"]), Some(&json!("user")), "{all}");
    for query in [
        "by=team".to_owned(),
        "by=key".to_owned(),
        "by=model&team=blue".to_owned(),
        "by=model&team=RED".to_owned(),
        format!("by=model&key={red}"),
        format!("by=model&key={blue}"),
        format!("by=model&team=red&key={blue}"),
    ] {
        let refused = gateway.ask(&read(&query)).await;
        assert_eq!((refused.status(), code_of(&refused)), (403, json!("forbidden")), "{query}: {}", refused.text());
    }
}

/// The code of a refusal of the admin side.
fn code_of(reply: &Reply) -> Value {
    reply.json()["error"]["code"].clone()
}

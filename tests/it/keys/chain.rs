//! Budgets of a key, its team and its organisation: a request has room at all of them, or takes nothing of any.

use serde_json::{Value, json};
use weir_tests::{Gateway, soon};

use super::{admin, gateway, made, provider, with_key};
use crate::wire_format::{ANTHROPIC, PROVIDERS};

/// What each budget has booked, by name, once nothing is reserved.
async fn booked(gateway: &Gateway) -> Vec<(String, u64)> {
    let settled = async {
        loop {
            let page = admin(gateway, "GET", "/budgets?limit=1000", Value::Null).await.json();
            let items = page["items"].as_array().unwrap();
            if items.iter().all(|budget| budget["reserved"] == 0) {
                let one = |budget: &Value| {
                    (budget["name"].as_str().unwrap().to_owned(), budget["spent"].as_u64().unwrap_or_default())
                };
                return items.iter().map(one).collect();
            }
            tokio::task::yield_now().await;
        }
    };
    soon("the budgets", settled).await
}

fn of(booked: &[(String, u64)], part: &str) -> u64 {
    let found: Vec<u64> = booked.iter().filter(|(name, _)| name.contains(part)).map(|(_, count)| *count).collect();
    assert_eq!(found.len(), 1, "{part} in {booked:?}");
    found[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_room_in_its_key_team_or_organisation_takes_nothing_of_the_others() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let budget = |requests: u64| json!([{"name": "b", "requests": requests, "per": "total"}]);
    let make = async |path: &str, body: Value| {
        let reply = admin(&gateway, "POST", path, body).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
    };
    make("/organisations", json!({"id": "acme", "name": "Acme", "budgets": budget(5)})).await;
    for (team, organisation, room) in [
        ("red", json!("acme"), 100),
        ("blue", json!("acme"), 100),
        ("green", json!(null), 100),
        ("small", json!("acme"), 1),
    ] {
        let mut fields = json!({"id": team, "name": team, "budgets": budget(room)});
        if organisation.is_string() {
            fields["organisation"] = organisation;
        }
        make("/teams", fields).await;
    }
    let key = async |team: &str, room: u64| {
        made(&gateway, json!({"name": team, "owner": {"team": team}, "budgets": budget(room)})).await
    };
    let (red, blue, green, small) =
        (key("red", 100).await, key("blue", 3).await, key("green", 100).await, key("small", 100).await);
    let mut kinds = Vec::new();
    for client in PROVIDERS {
        for model in [client.name.to_owned(), client.translated(), "openai".to_owned()] {
            kinds.extend([false, true].map(|stream| (client, model.clone(), stream)));
        }
    }
    // By every kind of request: those that are refused name the budget, and nothing changes.
    let all = async |key: &str, status: u16, named: &str| {
        for (client, model, stream) in &kinds {
            let reply = gateway.ask(&with_key(*client, model, *stream, key)).await;
            assert_eq!(reply.status(), status, "{} to {model}: {}", client.name, reply.text());
            assert!(reply.text().contains(named), "{named}: {}", reply.text());
        }
    };
    let served = async |key: &str, times: usize| {
        for (client, model, stream) in kinds.iter().take(times) {
            let reply = gateway.ask(&with_key(*client, model, *stream, key)).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
        }
    };
    served(&blue.1, 3).await;
    all(&blue.1, 429, &blue.0).await;
    let now = booked(&gateway).await;
    assert_eq!([of(&now, &blue.0), of(&now, "team/blue/"), of(&now, "acme")], [3; 3], "its key has no room");
    served(&small.1, 1).await;
    all(&small.1, 429, "team/small/").await;
    let now = booked(&gateway).await;
    assert_eq!([of(&now, &small.0), of(&now, "team/small/"), of(&now, "acme")], [1, 1, 4], "its team has none");
    let stream = with_key(ANTHROPIC, "openai", true, &red.1);
    assert_eq!(gateway.ask(&stream).await.status(), 200);
    all(&red.1, 429, "acme").await;
    let now = booked(&gateway).await;
    assert_eq!([of(&now, &red.0), of(&now, "team/red/"), of(&now, "acme")], [1, 1, 5], "its organisation has none");
    all(&green.1, 200, "").await;
    let now = booked(&gateway).await;
    assert_eq!(
        [of(&now, &green.0), of(&now, "team/green/"), of(&now, "acme")],
        [18, 18, 5],
        "another's has nothing of it"
    );
}

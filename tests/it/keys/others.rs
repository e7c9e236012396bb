//! What an administrator of one team gets of another: nothing, by no operation of the admin side.

use serde_json::{Value, json};
use weir_tests::{Gateway, Reply, Request};

use super::{admin, ask, config, made, provider};

fn by(token: &str, method: &str, path: &str, body: &Value) -> Request {
    let request = Request::new(method, path).header("authorization", &format!("Bearer {token}"));
    if body.is_null() { request } else { request.header("content-type", "application/json").body(body.to_string()) }
}

/// The newest fact of a team.
async fn fact_of(gateway: &Gateway, team: &str) -> String {
    let found = async {
        loop {
            let facts = admin(gateway, "GET", &format!("/requests?team={team}"), Value::Null).await.json();
            if let Some(id) = facts["items"][0]["id"].as_str() {
                return id.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    weir_tests::soon("the fact", found).await
}

/// A gateway with two teams, of which the first has an administrator; what there is of the second, by what it is called
/// in paths.
async fn teams() -> (Gateway, Vec<(&'static str, String)>, [String; 3]) {
    let upstream = provider().await;
    let gateway = Gateway::from_file(&(config(&upstream) + "[store]\nbodies = \"all\"\n")).await;
    for team in ["red", "blue-team"] {
        let budget = json!([{"name": "b", "usd": "1000", "per": "total", "unpriced": "allow"}]);
        let team = json!({"id": team, "name": team, "budgets": budget});
        assert_eq!(admin(&gateway, "POST", "/teams", team).await.status(), 201);
    }
    let (id, key) = made(&gateway, json!({"name": "of-blue", "owner": {"team": "blue-team"}})).await;
    assert_eq!(ask(&gateway, &key).await.status(), 200);
    let budget = json!({"id": "blue-budget", "for": {"key": id}, "requests": 100, "per": "total"});
    assert_eq!(admin(&gateway, "POST", "/budgets", budget).await.status(), 201);
    let grant =
        |access: &str| json!({"name": access, "owner": {"team": "red"}, "grants": [{"access": access, "team": "red"}]});
    let (_, write) = made(&gateway, grant("write")).await;
    let (_, read) = made(&gateway, grant("read")).await;
    let theirs = vec![
        ("keys", id),
        ("teams", "blue-team".to_owned()),
        ("budgets", "blue-budget".to_owned()),
        ("requests", fact_of(&gateway, "blue-team").await),
    ];
    (gateway, theirs, [write, read, key])
}

/// Whether an answer has anything of the other team.
fn tells(reply: &Reply, theirs: &[(&str, String)], asked: &str) -> bool {
    let text = reply.text();
    theirs.iter().any(|(_, id)| text.contains(id.as_str()) && !asked.contains(id.as_str())) || text.contains("of-blue")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_shows_or_changes_anything_of_another_team() {
    let (gateway, theirs, [write, read, key]) = teams().await;
    let described = admin(&gateway, "GET", "/openapi.json", Value::Null).await.json();
    let bodies = [
        json!({}),
        json!({"name": "x", "owner": {"team": "blue-team"}}),
        json!({"id": "x", "for": {"team": "blue-team"}, "requests": 1, "per": "total"}),
        json!({"id": "x", "for": "all", "requests": 1, "per": "total"}),
        json!({"disabled": true}),
        json!({"team": "red"}),
        json!({"grace": "0s", "again": true}),
    ];
    let queries =
        ["", "?team=blue-team", "?team=red&team=blue-team", "?by=key", "?by=key&team=blue-team", "?keys=delete"];
    let mut count = 0;
    for (path, item) in described["paths"].as_object().unwrap() {
        // The answers of the tail do not end; its head is enough.
        let kind = path.trim_start_matches("/admin/v1/").split('/').next().unwrap_or_default();
        let id = theirs.iter().find(|(known, _)| *known == kind).map_or("blue-team", |(_, id)| id);
        let path = path.replace("{id}", id).replace("{path}", "v1/chat/completions");
        for (method, _) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            let method = method.to_uppercase();
            for token in [&write, &read] {
                for query in queries {
                    let with_bodies = method != "GET" && method != "DELETE";
                    for body in if with_bodies { &bodies[..] } else { &[Value::Null][..] } {
                        let asked = format!("{method} {path}{query} {body}");
                        let request = by(token, &method, &format!("{path}{query}"), body);
                        if path.ends_with("/tail") {
                            let mut client = gateway.connect().await;
                            client.send(&request).await;
                            assert!((400..500).contains(&client.head().await.status), "{asked}");
                            continue;
                        }
                        let reply = gateway.ask(&request).await;
                        assert!(!tells(&reply, &theirs, &asked), "{asked}: {} {}", reply.status(), reply.text());
                        // An administrator changes keys and budgets of the own team only, and nothing that is for all.
                        let is_beyond = with_bodies || method == "DELETE";
                        let is_own = ["keys", "budgets"].contains(&kind) && !asked.contains("\"all\"");
                        let is_theirs = theirs.iter().any(|(_, id)| asked.contains(id.as_str()));
                        // A session that one ends is one's own.
                        let must_refuse =
                            kind != "session" && (path.contains(id) || is_beyond && (!is_own || is_theirs));
                        let is_refused = (400..500).contains(&reply.status());
                        assert!(is_refused || !must_refuse, "{asked}: {} {}", reply.status(), reply.text());
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 300, "{count}");
    // Nothing has become of it.
    assert_eq!(ask(&gateway, &key).await.status(), 200);
    for (kind, id) in &theirs {
        let reply = admin(&gateway, "GET", &format!("/{kind}/{id}"), Value::Null).await;
        assert_eq!(reply.status(), 200, "{kind}: {}", reply.text());
    }
    assert_eq!(
        admin(&gateway, "GET", "/keys?team=blue-team", Value::Null).await.json()["items"].as_array().unwrap().len(),
        1
    );
}

//! `/admin/v1`: conditions, repetitions, pages, scopes, errors.

use serde_json::{Value, json};
use weir_tests::{Gateway, Reply, Request};

use super::command::done;
use super::{READER, TOKEN, admin, ask, asked, code, config, gateway, made, provider};

async fn with(gateway: &Gateway, request: Request, header: &str, value: &str) -> Reply {
    gateway.ask(&request.header(header, value)).await
}

pub(super) fn by(token: &str, method: &str, path: &str, body: &str) -> Request {
    let request = Request::new(method, &format!("/admin{path}")).header("authorization", &format!("Bearer {token}"));
    if body.is_empty() { request } else { request.body(body) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_what_another_changed_in_between_is_a_conflict() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let (id, _) = made(&gateway, json!({"name": "build"})).await;
    let path = format!("/keys/{id}");
    let shown = admin(&gateway, "GET", &path, Value::Null).await;
    let etag = shown.header("etag").unwrap().to_owned();
    assert_eq!(format!("\"{}\"", shown.json()["revision"]), etag);
    let first = with(&gateway, asked("PATCH", &path, &json!({"tags": ["a"]})), "if-match", &etag).await;
    assert_eq!(first.status(), 200, "{}", first.text());
    let second = with(&gateway, asked("PATCH", &path, &json!({"tags": ["b"]})), "if-match", &etag).await;
    assert_eq!((second.status(), code(&second)), (409, "version_conflict".to_owned()));
    assert_eq!(admin(&gateway, "GET", &path, Value::Null).await.json()["tags"], json!(["a"]));
    let newer = first.header("etag").unwrap();
    let either = asked("PATCH", &path, &json!({"tags": ["c"]})).header("if-match", &etag).header("if-match", newer);
    let third = gateway.ask(&either).await;
    assert_eq!(third.status(), 200, "two lines are one list: {}", third.text());
    let newer = third.header("etag").unwrap();
    assert_eq!(with(&gateway, asked("DELETE", &path, &Value::Null), "if-match", newer).await.status(), 204);
    let malformed = with(&gateway, asked("DELETE", &path, &Value::Null), "if-match", "17").await;
    assert_eq!((malformed.status(), code(&malformed)), (400, "bad_precondition".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_at_once_on_one_revision_one_is_made() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let (id, _) = made(&gateway, json!({"name": "build"})).await;
    let path = format!("/keys/{id}");
    let etag = admin(&gateway, "GET", &path, Value::Null).await.header("etag").unwrap().to_owned();
    let edit = |number: usize| {
        let request = asked("PATCH", &path, &json!({"metadata": {"number": number}})).header("if-match", &etag);
        let gateway = &gateway;
        async move { gateway.ask(&request).await.status() }
    };
    let statuses = futures_util::future::join_all((0..8).map(edit)).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_same_key_and_another_one_with_its_idempotency_key_is_refused() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let create = |name: &str| asked("POST", "/keys", &json!({"name": name})).header("idempotency-key", "once");
    let (first, second) = (gateway.ask(&create("build")).await, gateway.ask(&create("build")).await);
    assert_eq!((first.status(), second.status()), (201, 201));
    assert_eq!(first.text(), second.text());
    assert_eq!(first.header("etag"), second.header("etag"));
    let key = second.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(ask(&gateway, &key).await.status(), 200);
    let conditions = ["if-match", "if-none-match"].map(|name| create("build").header(name, "*"));
    for other in [&create("another")].into_iter().chain(&conditions) {
        let other = gateway.ask(other).await;
        assert_eq!((other.status(), code(&other)), (422, "idempotency_key_reused".to_owned()));
    }
    assert_eq!(admin(&gateway, "GET", "/keys", Value::Null).await.json()["items"].as_array().unwrap().len(), 1);
    // At once, they are one request, or tell that it is being carried out; of different ones the first is made.
    let race = asked("POST", "/keys", &json!({"name": "race"})).header("idempotency-key", "race");
    let same = futures_util::future::join_all((0..8).map(|_| gateway.ask(&race))).await;
    let made = gateway.ask(&race).await.text();
    for reply in &same {
        let is_made = reply.status() == 201 && reply.text() == made;
        assert!(is_made || (reply.status(), &*code(reply)) == (409, "in_progress"), "{}", reply.text());
    }
    assert!(same.iter().any(|reply| reply.status() == 201), "one of them makes it");
    let different = (0..8).map(|number| {
        let request = asked("POST", "/keys", &json!({"name": format!("race-{number}")}));
        let (gateway, request) = (&gateway, request.header("idempotency-key", "another race"));
        async move { gateway.ask(&request).await.status() }
    });
    let mut statuses = futures_util::future::join_all(different).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422, 422, 422, 422, 422, 422, 422]);
    // A rotation, too: its answer can be fetched again.
    let path = format!("/keys/{}/rotate", first.json()["id"].as_str().unwrap());
    let rotate = || asked("POST", &path, &json!({})).header("idempotency-key", "rotation");
    let (first, second) = (gateway.ask(&rotate()).await, gateway.ask(&rotate()).await);
    assert_eq!((first.status(), second.status(), first.text()), (200, 200, second.text()));
    // What was refused is not remembered.
    let missing =
        asked("POST", "/keys", &json!({"name": "x", "owner": {"team": "red"}})).header("idempotency-key", "m");
    assert_eq!(gateway.ask(&missing).await.status(), 422);
    admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red"})).await;
    assert_eq!(gateway.ask(&missing).await.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_the_right_gets_no_answer_again() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red"})).await;
    let (id, key) = made(&gateway, json!({"name": "a", "grants": [{"access": "write", "team": "red"}]})).await;
    let body = r#"{"name": "b", "owner": {"team": "red"}}"#;
    let create = || with(&gateway, by(&key, "POST", "/v1/keys", body), "idempotency-key", "once");
    assert_eq!((create().await.status(), create().await.status()), (201, 201));
    assert_eq!(admin(&gateway, "PATCH", &format!("/keys/{id}"), json!({"grants": []})).await.status(), 200);
    assert!(matches!(create().await.status(), 401 | 403));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_a_team_have_different_names() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red"})).await;
    made(&gateway, json!({"name": "build"})).await;
    made(&gateway, json!({"name": "build", "owner": {"team": "red"}})).await;
    let (other, _) = made(&gateway, json!({"name": "other", "owner": {"team": "red"}})).await;
    let again = admin(&gateway, "POST", "/keys", json!({"name": "build", "owner": {"team": "red"}})).await;
    assert_eq!((again.status(), code(&again)), (409, "name_taken".to_owned()));
    let renamed = admin(&gateway, "PATCH", &format!("/keys/{other}"), json!({"name": "build"})).await;
    assert_eq!((renamed.status(), code(&renamed)), (409, "name_taken".to_owned()));
    let moved = admin(&gateway, "POST", &format!("/keys/{other}/move"), json!({"team": null})).await;
    assert_eq!(moved.status(), 200, "{}", moved.text());
    let twin = admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Again"})).await;
    assert_eq!((twin.status(), code(&twin)), (409, "already_exists".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_with_keys_is_deleted_with_them_or_not_at_all() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    admin(&gateway, "POST", "/organisations", json!({"id": "acme", "name": "Acme"})).await;
    admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red", "organisation": "acme"})).await;
    let (_, key) = made(&gateway, json!({"name": "a", "owner": {"team": "red"}})).await;
    let (_, free) = made(&gateway, json!({"name": "b"})).await;
    for path in ["/teams/red", "/organisations/acme"] {
        let refused = admin(&gateway, "DELETE", path, Value::Null).await;
        assert_eq!((refused.status(), code(&refused)), (409, "in_use".to_owned()), "{path}");
    }
    assert_eq!(ask(&gateway, &key).await.status(), 200);
    assert_eq!(admin(&gateway, "DELETE", "/teams/red?keys=delete", Value::Null).await.status(), 204);
    assert_eq!(ask(&gateway, &key).await.status(), 401);
    assert_eq!(ask(&gateway, &free).await.status(), 200);
    assert_eq!(admin(&gateway, "DELETE", "/organisations/acme", Value::Null).await.status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_might_change_a_team_that_was_deleted_may_not_change_the_next_one_of_its_id() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let team = || json!({"id": "red", "name": "Red"});
    assert_eq!(admin(&gateway, "POST", "/teams", team()).await.status(), 201);
    let (_, outsider) = made(&gateway, json!({"name": "a", "grants": [{"access": "write", "team": "red"}]})).await;
    let rotated = async |id: &str| {
        gateway.ask(&by(&outsider, "POST", &format!("/v1/keys/{id}/rotate"), r#"{"grace": "1h"}"#)).await.status()
    };
    let (id, _) = made(&gateway, json!({"name": "b", "owner": {"team": "red"}})).await;
    assert_eq!(rotated(&id).await, 200);
    assert_eq!(admin(&gateway, "DELETE", "/teams/red?keys=delete", Value::Null).await.status(), 204);
    assert_eq!(admin(&gateway, "POST", "/teams", team()).await.status(), 201);
    let (id, key) = made(&gateway, json!({"name": "b", "owner": {"team": "red"}})).await;
    assert!(matches!(rotated(&id).await, 403 | 404));
    assert_eq!(ask(&gateway, &key).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_everything_but_hashes_and_changes_nothing() {
    let upstream = provider().await;
    let clients = |last: char| {
        let hash = format!("0123456789abcdef{}", "5".repeat(47)) + &last.to_string();
        config(&upstream) + &format!("[[clients]]\nname = \"file\"\nhashes = [\n  \"sha256:{hash}\", # of June\n]\n")
    };
    let gateway = Gateway::from_file(&clients('1')).await;
    gateway.configure(&clients('2'));
    gateway.until_metric("weir_config_revision", 2.0).await;
    let (id, key) = made(&gateway, json!({"name": "build"})).await;
    for path in [
        "/v1/keys",
        &format!("/v1/keys/{id}"),
        "/v1/teams",
        "/v1/users",
        "/config",
        "/v1/config",
        "/config/diff?from=1",
        "/v1/config/diff?from=1",
        "/v1/audit",
        "/plugins",
        "/budgets",
    ] {
        let reply = gateway.ask(&by(READER, "GET", path, "")).await;
        assert_eq!(reply.status(), 200, "{path}: {}", reply.text());
        let hides = |text: &str| !reply.text().contains(text);
        assert!(hides("sha256:") && hides("0123456789abcdef") && hides(&key), "{path}: {}", reply.text());
    }
    for (method, path, body) in [
        ("POST", "/v1/keys", r#"{"name": "x"}"#),
        ("PATCH", &format!("/v1/keys/{id}"), r#"{"name": "x"}"#),
        ("POST", "/v1/teams", r#"{"id": "x", "name": "x"}"#),
        ("PATCH", "/v1/teams/x", "{}"),
        ("POST", "/config/reload", ""),
        ("POST", "/plugins/rescan", ""),
        ("POST", "/config/validate", "price_file = \"/dev/zero\""),
        ("POST", "/v1/config/validate", "price_file = \"/dev/zero\""),
    ] {
        let reply = gateway.ask(&by(READER, method, path, body)).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (403, "forbidden"), "{method} {path}");
    }
    for verb in ["rotate", "disable", "enable"] {
        let reply = gateway.ask(&by(READER, "POST", &format!("/v1/keys/{id}/{verb}"), "")).await;
        assert_eq!(reply.status(), 403, "{verb}");
    }
    assert_eq!(ask(&gateway, &key).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_key_does_not_open_the_admin_side_and_grants_open_no_more_than_they_say() {
    let upstream = provider().await;
    let clients = "[[clients]]\nname = \"file\"\nkey = \"weir-key-of-the-file\"\n";
    let gateway = Gateway::from_file(&(config(&upstream) + clients)).await;
    let (_, plain) = made(&gateway, json!({"name": "plain"})).await;
    for path in ["/v1/keys", "/config"] {
        let reply = gateway.ask(&by("weir-key-of-the-file", "GET", path, "")).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (401, "wrong_token"), "{path}");
        let reply = gateway.ask(&by(&plain, "GET", path, "")).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (403, "forbidden"), "{path}");
    }
    for team in ["red", "blue"] {
        admin(&gateway, "POST", "/teams", json!({"id": team, "name": team})).await;
    }
    let (other, _) = made(&gateway, json!({"name": "o", "owner": {"team": "blue"}})).await;
    let lead = json!({"name": "lead", "owner": {"team": "red"}, "grants": [{"access": "write", "team": "red"}]});
    let (own, lead) = made(&gateway, lead).await;
    let list = gateway.ask(&by(&lead, "GET", "/v1/keys", "")).await.json();
    let ids: Vec<&str> = list["items"].as_array().unwrap().iter().filter_map(|key| key["id"].as_str()).collect();
    assert_eq!(ids, [own.as_str()], "only the team's");
    let create = |team: &str, more: &str| format!(r#"{{"name": "n", "owner": {{"team": "{team}"}}{more}}}"#);
    for (method, path, body, status) in [
        ("POST", "/v1/keys", create("red", ""), 201),
        ("POST", "/v1/keys", create("blue", ""), 403),
        ("POST", "/v1/keys", create("red", r#", "grants": [{"access": "write"}]"#), 403),
        ("POST", "/v1/keys", create("red", r#", "tags": ["blue"]"#), 403),
        ("PATCH", &format!("/v1/keys/{own}"), r#"{"tags": ["blue"]}"#.to_owned(), 403),
        ("PATCH", &format!("/v1/keys/{own}"), r#"{"metadata": {"a": "b"}}"#.to_owned(), 200),
        ("GET", &format!("/v1/keys/{other}"), String::new(), 404),
        ("PATCH", &format!("/v1/keys/{other}"), "{}".to_owned(), 404),
        ("POST", &format!("/v1/keys/{other}/rotate"), String::new(), 404),
        ("DELETE", &format!("/v1/keys/{other}"), String::new(), 404),
        ("POST", &format!("/v1/keys/{own}/move"), r#"{"team": "blue"}"#.to_owned(), 403),
        ("GET", "/v1/teams/red", String::new(), 200),
        ("GET", "/v1/teams/blue", String::new(), 403),
        ("PATCH", "/v1/teams/red", r#"{"limits": {}}"#.to_owned(), 403),
        // Whether a team exists does not show.
        ("POST", "/v1/teams", r#"{"id": "blue", "name": "x"}"#.to_owned(), 403),
        ("POST", "/v1/teams", r#"{"id": "none", "name": "x"}"#.to_owned(), 403),
        ("GET", "/v1/users", String::new(), 403),
        ("GET", "/config", String::new(), 403),
    ] {
        let reply = gateway.ask(&by(&lead, method, path, &body)).await;
        assert_eq!(reply.status(), status, "{method} {path} {body}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_the_first_key_is_not_made_on_the_clients_listener() {
    let upstream = provider().await;
    let gateway = Gateway::from_file(&crate::wire_format::config(&upstream)).await;
    let create = Request::post("/admin/v1/keys", r#"{"name": "a"}"#);
    let reply = gateway.ask(&create).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (403, "admin_token_required"));
    assert!(reply.text().contains("admin.token"), "{}", reply.text());
    assert_eq!(gateway.ask(&Request::get("/admin/v1/keys")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_and_mistakes_are_named() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red"})).await;
    let mut expected = Vec::new();
    for number in 0..5 {
        let owner = if number % 2 == 0 { json!({"team": "red"}) } else { json!({}) };
        expected.push(made(&gateway, json!({"name": format!("n{number}"), "owner": owner})).await.0);
    }
    expected.sort();
    let (mut ids, mut path) = (Vec::new(), "/keys?limit=2".to_owned());
    loop {
        let page = admin(&gateway, "GET", &path, Value::Null).await.json();
        ids.extend(page["items"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/keys?limit=2&cursor={cursor}");
    }
    assert_eq!(ids, expected);
    let red = admin(&gateway, "GET", "/keys?team=red&limit=3", Value::Null).await.json();
    assert_eq!((red["items"].as_array().unwrap().len(), &red["next_cursor"]), (3, &Value::Null));
    let id = &expected[0];
    for (method, path, body, status, expected) in [
        ("GET", "/keys?limit=0", Value::Null, 400, "bad_parameter"),
        ("GET", "/keys?teams=red", Value::Null, 400, "bad_parameter"),
        ("POST", "/keys", json!([]), 400, "bad_json"),
        ("POST", "/keys", json!({}), 422, "invalid"),
        ("POST", "/keys", json!({"name": "x", "modells": []}), 422, "invalid"),
        ("POST", "/keys", json!({"name": "x", "limits": [5]}), 422, "invalid"),
        ("POST", "/keys", json!({"name": "x", "owner": ["red"]}), 422, "invalid"),
        ("POST", "/keys", json!({"name": "x", "grants": [["write"]]}), 422, "invalid"),
        ("PATCH", "/teams/red", json!({"limits": [5]}), 422, "invalid"),
        ("PATCH", "/teams/red", json!({"budgets": [["b", "5", null, null, "day"]]}), 422, "invalid"),
        ("POST", "/users", json!({"id": "u", "name": "u", "logins": [["https://i.example", "1"]]}), 422, "invalid"),
        ("POST", "/keys", json!({"name": "x", "expires": "2020-01-01T00:00:00Z"}), 422, "invalid"),
        ("POST", "/keys", json!({"name": "x", "owner": {"team": "none"}}), 422, "owner_not_found"),
        ("POST", "/keys", json!({"name": "x", "budgets": [{"name": "b", "usd": "1", "per": "eon"}]}), 422, "invalid"),
        ("PATCH", &format!("/keys/{id}"), json!({"disabled": true}), 422, "invalid"),
        ("PATCH", &format!("/keys/{id}"), json!({"owner": {"team": null}, "hash": "x"}), 422, "invalid"),
        ("POST", &format!("/keys/{id}/rotate"), json!({"grace": "90d"}), 422, "invalid"),
        ("POST", &format!("/keys/{id}/rotate"), json!({"grace": "soon"}), 422, "invalid"),
        ("GET", "/keys/000000000000", Value::Null, 404, "not_found"),
        ("GET", "/keys/..%2f", Value::Null, 404, "not_found"),
        ("POST", "/teams", json!({"id": "../x", "name": "x"}), 422, "invalid"),
        ("PATCH", "/teams/red", json!({"id": "blue"}), 422, "invalid"),
        ("DELETE", "/teams/none", Value::Null, 404, "not_found"),
        ("DELETE", "/keys", Value::Null, 405, "method_not_allowed"),
    ] {
        let reply = admin(&gateway, method, path, body.clone()).await;
        assert_eq!(
            (reply.status(), code(&reply).as_str()),
            (status, expected),
            "{method} {path} {body}: {}",
            reply.text()
        );
        assert!(reply.json()["error"]["message"].is_string());
    }
}

/// A list of a document that nests as deeply as JSON may would be deeper than that.
#[tokio::test(flavor = "multi_thread")]
async fn what_nests_deeply_is_refused_and_all_that_is_taken_is_listed() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red"})).await;
    let lead = json!({"name": "lead", "owner": {"team": "red"}, "grants": [{"access": "write", "team": "red"}]});
    let (id, lead) = made(&gateway, lead).await;
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({"a": [inner]}));
    for (levels, status) in [(31, 201), (32, 400), (50, 400), (62, 400), (10_000, 400)] {
        let metadata = format!("{}1{}", "{\"a\":[".repeat(levels), "]}".repeat(levels));
        if levels < 100 {
            assert_eq!(metadata, nested(levels).to_string());
        }
        let body = format!(r#"{{"name": "n{levels}", "owner": {{"team": "red"}}, "metadata": {metadata}}}"#);
        let reply = gateway.ask(&by(&lead, "POST", "/v1/keys", &body)).await;
        assert_eq!(reply.status(), status, "{levels}: {}", reply.text());
        let changed = by(&lead, "PATCH", &format!("/v1/keys/{id}"), &format!(r#"{{"metadata": {metadata}}}"#));
        let reply = gateway.ask(&changed).await;
        assert_eq!(reply.status(), if status == 201 { 200 } else { 400 }, "{levels}: {}", reply.text());
        if status == 400 {
            assert_eq!(code(&reply), "bad_json", "{levels}: {}", reply.text());
        }
    }
    let list = done(&gateway, &["keys", "list"]).await;
    assert!(list.contains("lead") && list.contains("n31") && list.lines().count() == 3, "{list}");
    let audit = admin(&gateway, "GET", "/audit", Value::Null).await.json();
    assert!(audit["items"].as_array().unwrap().iter().all(|item| item["event"].is_object()), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_do_not_show_the_ids_of_other_teams() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    for team in ["a", "m1", "m2", "z"] {
        admin(&gateway, "POST", "/teams", json!({"id": team, "name": team})).await;
    }
    let grants = json!([{"access": "read", "team": "a"}, {"access": "read", "team": "z"}]);
    let (_, reader) = made(&gateway, json!({"name": "reader", "grants": grants})).await;
    let first = gateway.ask(&by(&reader, "GET", "/v1/teams?limit=1", "")).await.json();
    assert_eq!((&first["items"][0]["id"], &first["next_cursor"]), (&json!("a"), &json!("a")));
    let second = gateway.ask(&by(&reader, "GET", "/v1/teams?limit=1&cursor=a", "")).await.json();
    assert_eq!((&second["items"][0]["id"], &second["next_cursor"]), (&json!("z"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_errors_of_the_admin_side_have_a_code() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    for (method, path, body, status, expected) in [
        ("GET", "/nothing", "", 404, "not_found"),
        ("DELETE", "/config", "", 405, "method_not_allowed"),
        ("PUT", "/v1/teams/red", "{}", 405, "method_not_allowed"),
        ("POST", "/v1/requests", "{}", 405, "method_not_allowed"),
        ("GET", "/v1/requests?limit=x", "", 400, "bad_parameter"),
        ("GET", "/v1/requests?cursor=x", "", 400, "bad_cursor"),
        ("GET", "/v1/requests/x", "", 400, "bad_parameter"),
        ("GET", "/v1/usage?by=moon", "", 400, "bad_parameter"),
        ("GET", "/v1/keys/%ff", "", 400, "bad_parameter"),
        ("GET", "/v1/requests/%c3%28", "", 400, "bad_parameter"),
        ("POST", "/routes/explain", "{", 400, "bad_request"),
    ] {
        let reply = gateway.ask(&by(TOKEN, method, path, body)).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (status, expected), "{method} {path}: {}", reply.text());
        assert!(reply.json()["error"]["message"].is_string(), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_description_is_served() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let described = admin(&gateway, "GET", "/openapi.json", Value::Null).await.json();
    let mut count = 0;
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            let path = path.replace("{id}", "unknown-id").replace("{path}", "v1/chat/completions");
            let request = by(TOKEN, &method.to_uppercase(), path.trim_start_matches("/admin"), "");
            // The tail does not end: its head shows that it is served.
            if path.ends_with("/tail") {
                let mut client = gateway.connect().await;
                client.send(&request).await;
                assert_eq!(client.head().await.status, 200);
                continue;
            }
            let reply = gateway.ask(&request).await;
            let status = reply.status().to_string();
            assert!(
                operation["responses"].get(&status).is_some(),
                "{method} {path} answers {status}: {}",
                reply.text()
            );
            assert!(status != "405" && !reply.text().contains("nothing is served"), "{method} {path}");
            count += 1;
        }
    }
    assert!(count > 20);
    let users = json!({"id": "ada", "name": "Ada", "logins": [{"issuer": "https://i.example", "subject": "1"}]});
    assert_eq!(admin(&gateway, "POST", "/users", users).await.status(), 201);
    let second = json!({"id": "eve", "name": "Eve", "logins": [{"issuer": "https://i.example", "subject": "1"}]});
    let taken = admin(&gateway, "POST", "/users", second).await;
    assert_eq!((taken.status(), code(&taken).as_str()), (409, "login_taken"));
    let (_, key) = made(&gateway, json!({"name": "k", "owner": {"user": "ada"}})).await;
    assert_eq!(admin(&gateway, "DELETE", "/users/ada", Value::Null).await.status(), 409);
    assert_eq!(admin(&gateway, "PATCH", "/users/ada", json!({"disabled": true})).await.status(), 200);
    let refused = ask(&gateway, &key).await;
    assert_eq!((refused.status(), code(&refused).as_str()), (403, "user_disabled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_those_who_may_read_everything_once_callers_have_keys() {
    let upstream = provider().await;
    let text = config(&upstream);
    let gateway = Gateway::from_file(&text).await;
    assert_eq!(gateway.get("/metrics").await.status(), 200, "without keys, this machine is served");
    admin(&gateway, "POST", "/teams", json!({"id": "red", "name": "Red"})).await;
    let owner = json!({"team": "red"});
    let (_, plain) = made(&gateway, json!({"name": "plain", "owner": owner})).await;
    let (_, lead) =
        made(&gateway, json!({"name": "lead", "owner": owner, "grants": [{"access": "write", "team": "red"}]})).await;
    let (_, monitor) = made(&gateway, json!({"name": "monitor", "grants": [{"access": "read"}]})).await;
    let none = gateway.get("/metrics").await;
    assert_eq!((none.status(), code(&none).as_str()), (401, "no_token"), "{}", none.text());
    for (token, status) in [("wrong", 401), (&*plain, 403), (&lead, 403), (&monitor, 200), (READER, 200), (TOKEN, 200)]
    {
        let request = Request::get("/metrics").header("authorization", &format!("Bearer {token}"));
        assert_eq!(gateway.ask(&request).await.status(), status, "{token}");
    }
    let opened = text.replacen("[admin]", "[admin]\nopen_metrics = true", 1);
    gateway.configure(&opened);
    let gateway = gateway.restart(&opened).await;
    assert_eq!(gateway.get("/metrics").await.status(), 200, "opened");
    // Without a token, this machine itself is served, and nothing that only comes over it.
    let clients = "[[clients]]\nname = \"file\"\nkey = \"weir-key-of-the-file\"\n";
    let gateway = Gateway::open(&(crate::wire_format::config(&upstream) + clients)).await;
    assert_eq!(gateway.get("/metrics").await.status(), 200);
    let proxied = Request::get("/metrics").header("x-forwarded-for", "192.0.2.1");
    assert_eq!(gateway.ask(&proxied).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_choose_names_its_target() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let asks = async |key: &str| {
        let request = Request::post("/v1/chat/completions", r#"{"model":"openai","messages":[]}"#);
        let request = request.header("authorization", &format!("Bearer {key}")).header("x-weir-target", "no-such");
        gateway.ask(&request).await
    };
    let (id, key) = made(&gateway, json!({"name": "one"})).await;
    assert_eq!(asks(&key).await.status(), 200, "what it may not choose is ignored");
    let patch = json!({"may_choose": true, "priority": "high"});
    assert_eq!(admin(&gateway, "PATCH", &format!("/keys/{id}"), patch).await.status(), 200);
    let reply = asks(&key).await;
    assert!(reply.status() == 400 && reply.text().contains("no-such"), "{} {}", reply.status(), reply.text());
    let wrong = admin(&gateway, "PATCH", &format!("/keys/{id}"), json!({"priority": "first"})).await;
    assert_eq!((wrong.status(), code(&wrong)), (422, "invalid".to_owned()));
}

//! Keys of the store: made, used, limited, rotated, revoked; and what never shows of them.

mod admin;
mod chain;
mod command;
mod damaged;
mod facts;
mod left;
mod lists;
mod many;
mod midstream;
mod nodes;
mod odd_bodies;
mod others;
mod restored;
mod spending;
pub(crate) mod tokens;
mod unreadable;

use serde_json::{Value, json};
use weir_tests::{Answer, Gate, Gateway, Reply, Request, Upstream, log};

use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, PROVIDERS, WireFormat, config_of};

pub(crate) const TOKEN: &str = "token-of-the-administrator";
pub(crate) const READER: &str = "token-of-the-reader";

/// A provider that answers in every format.
pub(crate) async fn provider() -> Upstream {
    Upstream::scripted(|request| {
        let wire_format = WireFormat::of(request);
        if request.text().contains("\"stream\":true") || request.line().contains("streamGenerate") {
            return wire_format.stream().iter().fold(Answer::sse(), Answer::piece).end();
        }
        Answer::json(200, wire_format.whole())
    })
    .await
}

/// The configuration of a gateway with an administrator, a reader and a store beside the file.
pub(crate) fn config(upstream: &Upstream) -> String {
    format!("[admin]\ntoken = \"{TOKEN}\"\nread_token = \"{READER}\"\n{}", config_of(&PROVIDERS, upstream))
}

pub(crate) async fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::from_file(&config(upstream)).await
}

/// A request to the admin side.
pub(crate) fn asked(method: &str, path: &str, body: &Value) -> Request {
    let request = Request::new(method, &format!("/admin/v1{path}")).header("authorization", &format!("Bearer {TOKEN}"));
    if body.is_null() { request } else { request.header("content-type", "application/json").body(body.to_string()) }
}

pub(crate) async fn admin(gateway: &Gateway, method: &str, path: &str, body: Value) -> Reply {
    gateway.ask(&asked(method, path, &body)).await
}

/// Makes a key; returns its id and its text.
pub(crate) async fn made(gateway: &Gateway, fields: Value) -> (String, String) {
    let reply = admin(gateway, "POST", "/keys", fields).await;
    assert_eq!(reply.status(), 201, "{}", reply.text());
    let body = reply.json();
    (body["id"].as_str().unwrap().to_owned(), body["key"].as_str().unwrap().to_owned())
}

/// A request of a client with a key.
pub(crate) fn with_key(client: WireFormat, model: &str, stream: bool, key: &str) -> Request {
    let request = client.request(model, stream);
    match client.name {
        "openai" => request.header("authorization", &format!("Bearer {key}")),
        "anthropic" => request.header("x-api-key", key),
        _ => request.header("x-goog-api-key", key),
    }
}

pub(crate) async fn ask(gateway: &Gateway, key: &str) -> Reply {
    gateway.ask(&with_key(OPENAI, "openai", false, key)).await
}

/// The code of an error in OpenAI's format.
pub(crate) fn code(reply: &Reply) -> String {
    reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_in_both_lanes_and_every_format_and_goes_no_further() {
    let mut upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let (id, key) = made(&gateway, json!({"name": "build"})).await;
    assert!(key.starts_with(&format!("sk-weir-{id}-")));
    for client in PROVIDERS {
        for target in PROVIDERS {
            for model in [target.name.to_owned(), target.translated()] {
                for stream in [false, true] {
                    let reply = gateway.ask(&with_key(client, &model, stream, &key)).await;
                    assert_eq!(reply.status(), 200, "{} to {model}: {}", client.name, reply.text());
                }
            }
        }
    }
    while let Some(request) = upstream.unseen() {
        assert!(!format!("{:?}{}", request.head, request.text()).contains("sk-weir-"), "the key went upstream");
    }
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("client=\"store:\"") && !metrics.contains(&id), "labels are bounded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_on_the_next_request_and_says_so_in_each_format() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let (id, key) = made(&gateway, json!({"name": "build"})).await;
    assert_eq!(ask(&gateway, &key).await.status(), 200);
    assert_eq!(admin(&gateway, "POST", &format!("/keys/{id}/disable"), Value::Null).await.status(), 200);
    for (client, kind) in [(OPENAI, "/error/type"), (ANTHROPIC, "/error/type"), (GEMINI, "/error/status")] {
        let reply = gateway.ask(&with_key(client, client.name, false, &key)).await;
        assert_eq!(reply.status(), 401, "{}", client.name);
        let (text, body) = (reply.text(), reply.json());
        let expected = if client == GEMINI { "UNAUTHENTICATED" } else { "authentication_error" };
        let kind = body.pointer(kind).and_then(Value::as_str).unwrap_or_default();
        assert!(kind == expected || kind == "invalid_request_error", "{text}");
        assert!(text.contains(&format!("the API key {id} is disabled")), "{text}");
        assert!(!text.contains(&key), "{text}");
    }
    assert_eq!(admin(&gateway, "POST", &format!("/keys/{id}/enable"), Value::Null).await.status(), 200);
    assert_eq!(ask(&gateway, &key).await.status(), 200);
    assert_eq!(admin(&gateway, "DELETE", &format!("/keys/{id}"), Value::Null).await.status(), 204);
    let gone = ask(&gateway, &key).await;
    assert_eq!((gone.status(), code(&gone)), (401, "invalid_api_key".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_mistyped_keys_are_refused_and_without_a_key_left_all_are_refused() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    assert_eq!(
        gateway.ask(&OPENAI.request("openai", false)).await.status(),
        200,
        "without keys, this machine is served"
    );
    let (id, key) = made(&gateway, json!({"name": "build"})).await;
    let none = gateway.ask(&OPENAI.request("openai", false)).await;
    assert_eq!(none.status(), 401);
    let mistyped = key.replacen("sk-weir-", "sk-weir-0", 1);
    let mistyped = mistyped.get(..key.len()).unwrap();
    let reply = ask(&gateway, mistyped).await;
    assert_eq!((reply.status(), code(&reply)), (401, "invalid_api_key".to_owned()));
    assert!(reply.text().contains("mistyped") || reply.text().contains("incomplete"), "{}", reply.text());
    assert_eq!(ask(&gateway, "sk-something-else").await.status(), 401);
    admin(&gateway, "DELETE", &format!("/keys/{id}"), Value::Null).await;
    assert_eq!(ask(&gateway, &key).await.status(), 401);
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 401);
    let text = config(&upstream);
    let gateway = gateway.restart(&text).await;
    assert_eq!(ask(&gateway, &key).await.status(), 401, "also after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_texts_of_a_rotated_key_work_for_the_grace_and_count_as_one() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let (id, old) = made(&gateway, json!({"name": "build", "limits": {"requests_per_minute": 4}})).await;
    let path = format!("/keys/{id}/rotate");
    let reply = admin(&gateway, "POST", &path, json!({"grace": "1h"})).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let new = reply.json()["key"].as_str().unwrap().to_owned();
    assert!(new.starts_with(&format!("sk-weir-{id}-")) && new != old, "the id stays");
    // A second rotation in the grace changes nothing, unless it is meant.
    let again = admin(&gateway, "POST", &path, json!({})).await;
    assert_eq!((again.status(), code(&again)), (409, "already_rotated".to_owned()));
    for key in [&old, &new, &old, &new] {
        assert_eq!(ask(&gateway, key).await.status(), 200);
    }
    assert_eq!(ask(&gateway, &old).await.status(), 429, "both count");
    assert_eq!(ask(&gateway, &new).await.status(), 429, "both count");
    let ended = admin(&gateway, "POST", &path, json!({"grace": "0s", "again": true})).await;
    assert_eq!(ended.status(), 200, "{}", ended.text());
    let over = ask(&gateway, &old).await;
    assert_eq!((over.status(), code(&over)), (401, "api_key_expired".to_owned()));
    // What both used is one key's.
    let used = async {
        loop {
            let sums = admin(&gateway, "GET", "/usage?by=key", Value::Null).await.json();
            let sums = sums["items"].as_array().unwrap().clone();
            if sums.iter().any(|sum| sum["requests"] == 4) {
                return sums;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let sums = weir_tests::soon("the sums of use", used).await;
    assert_eq!((sums.len(), &sums[0]["name"]), (1, &json!(id)), "{sums:?}");
    let replaced = ask(&gateway, &new).await;
    assert_eq!((replaced.status(), code(&replaced)), (401, "invalid_api_key".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_while_its_stream_runs_does_not_end_it() {
    for model in ["openai", "openai-t"] {
        let gate = Gate::default();
        let held = gate.clone();
        let mut upstream = Upstream::scripted(move |request| {
            if request.json()["stream"] != true {
                return Answer::json(200, OPENAI.whole());
            }
            let pieces = OPENAI.stream();
            let (first, rest) = pieces.split_at(2);
            let begun = first.iter().fold(Answer::sse(), Answer::piece).gate(&held);
            rest.iter().fold(begun, Answer::piece).end()
        })
        .await;
        let gateway = gateway(&upstream).await;
        let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(2_500);
        let (_, key) = made(&gateway, json!({"name": model, "expires": expires.to_string()})).await;
        let mut client = gateway.connect().await;
        client.send(&with_key(OPENAI, model, true, &key)).await;
        drop(upstream.request().await);
        // Until the next request shows that the key has expired.
        let refused = loop {
            let reply = ask(&gateway, &key).await;
            if reply.status() == 401 {
                break reply;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        assert_eq!(code(&refused), "api_key_expired");
        gate.open();
        let reply = client.reply().await;
        assert_eq!(reply.status(), 200);
        assert!(reply.text().contains("[DONE]"), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_of_key_team_and_organisation_apply_together_and_aliases_lead_to_models() {
    let mut upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let put = |path: &'static str, body: Value| admin(&gateway, "POST", path, body);
    assert_eq!(put("/organisations", json!({"id": "acme", "name": "Acme"})).await.status(), 201);
    let team = json!({"id": "red", "name": "Red", "organisation": "acme", "models": ["openai*"],
                      "aliases": {"ours": "openai"}, "operations": ["chat"]});
    assert_eq!(put("/teams", team).await.status(), 201);
    let fields = json!({"name": "a", "owner": {"team": "red"}, "aliases": {"mine": "ours", "sly": "anthropic"}});
    let (_, key) = made(&gateway, fields).await;
    for (model, status) in
        [("mine", 403), ("ours", 403), ("openai", 200), ("openai-t", 200), ("anthropic", 403), ("sly", 403)]
    {
        let reply = gateway.ask(&with_key(OPENAI, model, false, &key)).await;
        assert_eq!(reply.status(), status, "{model}: {}", reply.text());
    }
    // The team allows its own alias; then the key's name for it leads on to the model, in both lanes.
    let edit = json!({"models": ["openai*", "ours"], "aliases": {"ours": "openai", "ours-t": "openai-t"}});
    assert_eq!(admin(&gateway, "PATCH", "/teams/red", edit).await.status(), 200);
    while upstream.unseen().is_some() {}
    for client in [OPENAI, ANTHROPIC] {
        let reply = gateway.ask(&with_key(client, "mine", false, &key)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(upstream.request().await.json()["model"], "openai");
    }
    // A name that goes out unchanged is that of the provider's model, whatever the key calls by it.
    let fields = json!({"name": "b", "owner": {"team": "red"}, "aliases": {"anthropic": "ours"}});
    let (_, other) = made(&gateway, fields).await;
    for (model, named, status) in [("anthropic", "openai-t", 200), ("openai", "anthropic", 403)] {
        let body = json!({"model": model, "models": [named], "messages": [{"role": "user", "content": "Hi"}]});
        let request = Request::post("/v1/chat/completions", body.to_string());
        let reply = gateway.ask(&request.header("authorization", &format!("Bearer {other}"))).await;
        assert_eq!(reply.status(), status, "{named}: {}", reply.text());
    }
    while upstream.unseen().is_some() {}
    let listing = json!({"operations": ["chat", "models"]});
    assert_eq!(admin(&gateway, "PATCH", "/teams/red", listing).await.status(), 200);
    let list = Request::get("/v1/models").header("authorization", &format!("Bearer {key}"));
    let list = gateway.ask(&list).await.json();
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["openai", "openai-t", "mine", "ours"], "those that the key may use");
    let embeddings = Request::post("/v1/embeddings", r#"{"model":"openai","input":"x"}"#);
    let refused = gateway.ask(&embeddings.header("authorization", &format!("Bearer {key}"))).await;
    assert_eq!((refused.status(), code(&refused)), (403, "operation_not_allowed".to_owned()));
    let disabled = admin(&gateway, "PATCH", "/organisations/acme", json!({"disabled": true})).await;
    assert_eq!(disabled.status(), 200, "{}", disabled.text());
    let closed = ask(&gateway, &key).await;
    assert_eq!((closed.status(), code(&closed)), (403, "organisation_disabled".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_budgets_of_a_team_hold_for_all_its_keys() {
    let upstream = provider().await;
    let budgets = "[[budgets]]\nname = \"tagged\"\nfor = { tag = \"ci\" }\nrequests = 3\nper = \"month\"\n";
    let gateway = Gateway::from_file(&(config(&upstream) + budgets)).await;
    let limited = json!({"id": "red", "name": "Red", "limits": {"requests_per_minute": 3}});
    assert_eq!(admin(&gateway, "POST", "/teams", limited).await.status(), 201);
    let spending = json!({"id": "blue", "name": "Blue", "budgets": [{"name": "b", "requests": 2, "per": "month"}]});
    assert_eq!(admin(&gateway, "POST", "/teams", spending).await.status(), 201);
    let key = |name: &'static str, team: &'static str, tags: Value| {
        made(&gateway, json!({"name": name, "owner": {"team": team}, "tags": tags}))
    };
    let (a, b) = (key("a", "red", json!([])).await.1, key("b", "red", json!([])).await.1);
    let statuses = [&a, &b, &a, &b].map(|key| ask(&gateway, key));
    let statuses = futures_util::future::join_all(statuses).await;
    assert_eq!(statuses.iter().filter(|reply| reply.status() == 429).count(), 1);
    let refused = statuses.iter().find(|reply| reply.status() == 429).unwrap();
    assert!(refused.text().contains("for the team `red`"), "{}", refused.text());
    let (c, d) = (key("c", "blue", json!([])).await.1, key("d", "blue", json!([])).await.1);
    assert_eq!([ask(&gateway, &c).await.status(), ask(&gateway, &d).await.status()], [200, 200]);
    let over = ask(&gateway, &d).await;
    assert_eq!(over.status(), 429, "{}", over.text());
    assert!(over.text().contains("team/blue/b"), "{}", over.text());
    let (tagged, other) = (
        made(&gateway, json!({"name": "e", "tags": ["ci"]})).await.1,
        made(&gateway, json!({"name": "f", "tags": ["ci"]})).await.1,
    );
    assert_eq!(
        [
            ask(&gateway, &tagged).await.status(),
            ask(&gateway, &other).await.status(),
            ask(&gateway, &tagged).await.status()
        ],
        [200; 3]
    );
    assert_eq!(ask(&gateway, &other).await.status(), 429, "the tag's budget is the file's");
    // What was spent is still spent after a restart.
    let gateway = gateway.restart(&(config(&upstream) + budgets)).await;
    assert_eq!([ask(&gateway, &c).await.status(), ask(&gateway, &tagged).await.status()], [429, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_shows_once_and_never_in_the_log_the_audit_log_or_the_store() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    // A repetition by its idempotency key shows it again, so that it must be remembered for a while.
    let create = asked("POST", "/keys", &json!({"name": "build"})).header("idempotency-key", "once");
    let (made, again) = (gateway.ask(&create).await, gateway.ask(&create).await);
    assert_eq!((made.status(), made.text()), (201, again.text()));
    let text = |field: &str| made.json()[field].as_str().unwrap().to_owned();
    let (id, key) = (text("id"), text("key"));
    let rotate = asked("POST", &format!("/keys/{id}/rotate"), &json!({})).header("idempotency-key", "twice");
    let rotated = gateway.ask(&rotate).await.json();
    let new = rotated["key"].as_str().unwrap().to_owned();
    assert_eq!(ask(&gateway, &new).await.status(), 200);
    drop(ask(&gateway, &format!("{new}x")).await);
    admin(&gateway, "POST", &format!("/keys/{id}/disable"), Value::Null).await;
    drop(ask(&gateway, &new).await);
    let mut texts = vec![log::text(), gateway.metrics().await];
    for path in ["/keys", &format!("/keys/{id}"), "/requests", "/usage?by=key", "/overview", "/config"] {
        let text = admin(&gateway, "GET", path, Value::Null).await.text();
        assert!(!text.contains("sha256") && !text.contains("hash"), "{text}");
        texts.push(text);
    }
    texts.push(admin(&gateway, "GET", "/audit", Value::Null).await.text());
    let files = std::fs::read_dir(gateway.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.file_name().unwrap().to_string_lossy().contains("weir")) {
        texts.push(String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
    }
    assert!(texts.iter().any(|text| text.contains(&id)) && texts.len() > 5);
    for secret in [&key, &new] {
        // Also not in part.
        let middle = secret.split('-').nth(3).unwrap();
        assert!(texts.iter().all(|text| !text.contains(middle)), "a secret shows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_gives_a_key_no_model_that_it_may_not_use() {
    let mut upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let red = json!({"id": "red", "name": "Red", "models": ["openai", "gemini"]});
    assert_eq!(admin(&gateway, "POST", "/teams", red).await.status(), 201);
    let lead = json!({"name": "lead", "owner": {"team": "red"}, "grants": [{"access": "write", "team": "red"}]});
    let (_, lead) = made(&gateway, lead).await;
    for (model, status) in [("anthropic", 429), ("no-such-model", 422), ("gemini", 200)] {
        let budget = json!({"name": "b", "requests": 1, "per": "total", "when_over": {"downgrade": model}});
        let body = json!({"name": model, "owner": {"team": "red"}, "budgets": [budget]}).to_string();
        let create = Request::post("/admin/v1/keys", body).header("authorization", &format!("Bearer {lead}"));
        let reply = gateway.ask(&create).await;
        if status == 422 {
            assert_eq!(reply.status(), 422, "a model that is not served is found out at once: {}", reply.text());
            assert!(reply.text().contains(model), "{}", reply.text());
            continue;
        }
        assert_eq!(reply.status(), 201, "{}", reply.text());
        let key = reply.json()["key"].as_str().unwrap().to_owned();
        assert_eq!(ask(&gateway, &key).await.status(), 200, "the first fits");
        upstream.request().await;
        for stream in [false, true] {
            let reply = gateway.ask(&with_key(OPENAI, "openai", stream, &key)).await;
            assert_eq!(reply.status(), status, "{model}: {}", reply.text());
            match upstream.unseen() {
                Some(request) => assert!(status == 200 && request.line().contains("enerateContent"), "{model}"),
                None => assert_eq!(status, 429),
            }
        }
    }
}

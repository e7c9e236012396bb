//! Budgets and prices that stand by themselves in the store: made, changed and deleted over the API and by commands.

use std::time::Duration;

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::plugins::target;
use weir_tests::{Folder, Gateway, Program, Reply, Request, program};

use super::command::{done, text, weir};
use super::nodes::Looking;
use super::{READER, TOKEN, admin, ask, asked, code, config, gateway, made, provider};
use crate::wire_format::OPENAI;

async fn by(gateway: &Gateway, token: &str, method: &str, path: &str, body: &Value) -> Reply {
    let request = Request::new(method, &format!("/admin/v1{path}")).header("authorization", &format!("Bearer {token}"));
    gateway.ask(&if body.is_null() { request } else { request.body(body.to_string()) }).await
}

/// What is spent of a budget, once nothing is reserved.
pub(super) async fn spent(gateway: &Gateway, name: &str) -> Value {
    for _ in 0..2_000 {
        let shown = admin(gateway, "GET", &format!("/budgets/{name}"), Value::Null).await.json();
        if shown["reserved"] == 0 || shown["reserved"] == "0" {
            return shown["spent"].clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a reservation of {name} is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_from_the_next_request_on_and_what_is_used_stays_counted_when_it_changes() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let (_, key) = made(&gateway, json!({"name": "build"})).await;
    let new = json!({"id": "all-day", "for": "all", "requests": 100, "per": "day"});
    let create = || asked("POST", "/budgets", &new).header("idempotency-key", "once");
    let (first, again) = (gateway.ask(&create()).await, gateway.ask(&create()).await);
    assert_eq!((first.status(), again.status()), (201, 201), "{}", first.text());
    assert_eq!((first.text(), first.header("etag")), (again.text(), again.header("etag")));
    let twin = admin(&gateway, "POST", "/budgets", new.clone()).await;
    assert_eq!((twin.status(), code(&twin).as_str()), (409, "already_exists"));
    assert_eq!(ask(&gateway, &key).await.status(), 200);
    assert_eq!(spent(&gateway, "all-day").await, 1);

    let shown = admin(&gateway, "GET", "/budgets/all-day", Value::Null).await;
    let etag = shown.header("etag").unwrap().to_owned();
    assert_eq!((&shown.json()["origin"], &shown.json()["per"]), (&json!("store"), &json!("day")));
    let patch = |body: Value, etag: &str| asked("PATCH", "/budgets/all-day", &body).header("if-match", etag);
    let smaller = gateway.ask(&patch(json!({"requests": 1, "soft": "0.5"}), &etag)).await;
    assert_eq!(smaller.status(), 200, "{}", smaller.text());
    let stale = gateway.ask(&patch(json!({"requests": 1_000_000}), &etag)).await;
    assert_eq!((stale.status(), code(&stale).as_str()), (409, "version_conflict"));
    assert_eq!(spent(&gateway, "all-day").await, 1, "still counted");
    let refused = ask(&gateway, &key).await;
    assert_eq!(refused.status(), 429, "{}", refused.text());
    let message = refused.text();
    assert!(message.contains("all-day") && message.contains("1 requests of 1 requests"), "{message}");

    // Also over a restart, with what was counted.
    let gateway = gateway.restart(&config(&upstream)).await;
    assert_eq!(ask(&gateway, &key).await.status(), 429);
    for (body, field) in [
        (json!({"for": {"team": "red"}}), "for"),
        (json!({"id": "other"}), "id"),
        (json!({"per": "fortnight"}), "fortnight"),
        (json!({"usd": "1"}), "exactly one of"),
        (json!({"when_over": {"downgrade": "gone"}}), "gone"),
    ] {
        let reply = admin(&gateway, "PATCH", "/budgets/all-day", body).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (422, "invalid"), "{}", reply.text());
        assert!(reply.text().contains(field), "{}", reply.text());
    }
    assert_eq!(admin(&gateway, "DELETE", "/budgets/all-day", Value::Null).await.status(), 204);
    assert_eq!(ask(&gateway, &key).await.status(), 200);
    assert_eq!(admin(&gateway, "GET", "/budgets/all-day", Value::Null).await.status(), 404);
    let audit = admin(&gateway, "GET", "/audit", Value::Null).await.text();
    for action in ["create", "edit", "delete"] {
        assert!(
            audit.contains(&format!("\"action\":\"{action}\"")) && audit.contains("\"kind\":\"budget\""),
            "{audit}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_and_prices_of_files_are_read_only_with_file_and_line() {
    let upstream = provider().await;
    let folder = Folder::with(&["openai", "anthropic", "gemini"]);
    let prices = "{\"providers\": {\"openai\": {\"openai\":\n  {\"input\": \"1000000\"}}}}";
    std::fs::write(folder.path().join("prices.json"), prices).unwrap();
    let own = "[[budgets]]\nname = \"of.file\"\nfor = \"all\"\nrequests = 100\nper = \"day\"\n";
    let text = format!("price_file = \"prices.json\"\n{}{own}", config(&upstream));
    let line = 1 + text.lines().position(|line| line == "[[budgets]]").unwrap();
    std::fs::write(folder.path().join("weir.toml"), &text).unwrap();
    let gateway = Gateway::with(folder, &text).await;
    let place = format!("weir.toml:{line}");
    let shown = admin(&gateway, "GET", "/budgets/of.file", Value::Null).await;
    assert_eq!(shown.status(), 200, "{}", shown.text());
    assert!(shown.header("etag").is_none() && shown.json()["place"].as_str().unwrap().ends_with(&place));
    for (method, body) in [("PATCH", json!({"requests": 9})), ("DELETE", Value::Null)] {
        let reply = admin(&gateway, method, "/budgets/of.file", body).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (409, "read_only"), "{}", reply.text());
        assert!(reply.text().contains(&place), "{}", reply.text());
    }
    // Neither is a budget that stands at a team changed here.
    let at_team = json!({"id": "red", "name": "Red", "budgets": [{"name": "m", "tokens": 5, "per": "day"}]});
    assert_eq!(admin(&gateway, "POST", "/teams", at_team).await.status(), 201);
    let reply = admin(&gateway, "DELETE", "/budgets/team%2Fred%2Fm", Value::Null).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (409, "read_only"), "{}", reply.text());
    assert!(reply.text().contains("the team red"), "{}", reply.text());

    let price = |id: &str, rates: Value| json!({"id": id, "provider": "openai", "model": "openai", "rates": rates});
    let reply = admin(&gateway, "POST", "/prices", price("mine", json!({"input": "2"}))).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (409, "read_only"), "{}", reply.text());
    assert!(reply.text().contains("prices.json:2") && reply.text().contains("input"), "{}", reply.text());
    // What the file does not set may be added.
    let added = admin(&gateway, "POST", "/prices", price("mine", json!({"output": "1000000"}))).await;
    assert_eq!(added.status(), 201, "{}", added.text());
    let reply = gateway.ask(&OPENAI.request("openai", false)).await;
    assert_eq!(reply.header("x-weir-cost-usd"), Some("17"), "{}", reply.text());

    // A name that the file takes later is the file's; the store's budget counts again when it is free.
    let (new, both) =
        (json!({"id": "both", "for": "all", "requests": 100, "per": "day"}), text + &own.replace("of.file", "both"));
    assert_eq!(admin(&gateway, "POST", "/budgets", new).await.status(), 201);
    let gateway = {
        gateway.configure(&both);
        gateway.restart(&both).await
    };
    let shown = admin(&gateway, "GET", "/budgets/both", Value::Null).await.json();
    assert_eq!(shown["origin"], "file", "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_holds_from_the_next_request_on_and_a_bad_one_is_refused_by_name() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let (_, key) = made(&gateway, json!({"name": "build"})).await;
    let cost = async |gateway: &Gateway| ask(gateway, &key).await.header("x-weir-cost-usd").map(str::to_owned);
    assert_eq!(cost(&gateway).await, None, "no price is known");
    let rates = json!({"input": "1000000", "output": 1_000_000});
    let price =
        |id: &str, model: &str, rates: &Value| json!({"id": id, "provider": "openai", "model": model, "rates": rates});
    for model in ["open*", "*"] {
        let id = if model == "*" { "any" } else { "open" };
        let made = admin(&gateway, "POST", "/prices", price(id, model, &rates)).await;
        assert_eq!(made.status(), 201, "{}", made.text());
    }
    assert_eq!(cost(&gateway).await.as_deref(), Some("17"));
    let dear = json!({"rates": {"input": "500000", "output": "500000"}});
    assert_eq!(admin(&gateway, "PATCH", "/prices/any", dear.clone()).await.status(), 200);
    assert_eq!(cost(&gateway).await.as_deref(), Some("17"), "the more specific one wins");
    let changed = admin(&gateway, "PATCH", "/prices/open", dear).await;
    assert_eq!(changed.status(), 200, "{}", changed.text());
    assert_eq!(cost(&gateway).await.as_deref(), Some("8.5"));
    let later = admin(&gateway, "PATCH", "/prices/open", json!({"valid_from": "2999-01-01"})).await;
    assert_eq!(later.status(), 200, "{}", later.text());
    assert_eq!(admin(&gateway, "DELETE", "/prices/any", Value::Null).await.status(), 204);
    assert_eq!(cost(&gateway).await, None, "it does not hold yet");

    for (bad, words) in [
        (price("bad", "m", &json!({"input": "-1"})), ["bad.input", "negative"]),
        (price("bad", "m", &json!({"inputs": "1"})), ["bad.inputs", "neither a unit"]),
        (price("bad", "m", &json!({"replace": true, "input": "1"})), ["rates", "not a measure"]),
        (
            json!({"id": "bad", "provider": "openai", "model": "open*", "rates": {"input": "1"}, "valid_from": "2999-01-01"}),
            ["bad.input", "`open`"],
        ),
        (
            json!({"id": "bad", "provider": "p", "model": "m", "rates": {"input": "1"}, "when": {"moon": "full"}}),
            ["bad.when", "moon"],
        ),
    ] {
        let reply = admin(&gateway, "POST", "/prices", bad).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (422, "invalid"), "{}", reply.text());
        assert!(words.iter().all(|word| reply.text().contains(word)), "{}", reply.text());
    }
    // In force and in the store, with the rule that it comes from.
    let stored = admin(&gateway, "GET", "/prices?origin=store", Value::Null).await.json();
    assert_eq!((stored["items"].as_array().unwrap().len(), &stored["items"][0]["id"]), (1, &json!("open")));
    admin(&gateway, "PATCH", "/prices/open", json!({"valid_from": null})).await;
    let (rates, when) = (json!({"input": "9"}), json!({"context_over": 100}));
    let long = json!({"id": "long", "provider": "openai", "model": "open*", "rates": rates, "when": when});
    assert_eq!(admin(&gateway, "POST", "/prices", long).await.status(), 201);
    let gateway = gateway.restart(&config(&upstream)).await;
    assert_eq!(cost(&gateway).await.as_deref(), Some("8.5"), "over a restart");
    let in_force = admin(&gateway, "GET", "/prices", Value::Null).await.json();
    let of_model = in_force["items"].as_array().unwrap().iter().find(|item| item["model"] == "openai").unwrap();
    assert!(of_model["rates"][0]["file"].as_str().unwrap().starts_with("store@"), "{of_model}");
    assert_eq!(of_model["rates"][0]["place"], "open.input", "not that of long contexts: {of_model}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_change_nothing_and_administrators_of_a_team_limit_its_keys_only() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    for team in ["red", "blue"] {
        admin(&gateway, "POST", "/teams", json!({"id": team, "name": team})).await;
    }
    let (other, _) = made(&gateway, json!({"name": "o", "owner": {"team": "blue"}})).await;
    let lead = json!({"name": "lead", "owner": {"team": "red"}, "grants": [{"access": "write", "team": "red"}]});
    let (own, lead) = made(&gateway, lead).await;
    let budget = |id: &str, scope: Value| json!({"id": id, "for": scope, "requests": 5, "per": "day"});
    for (id, scope) in
        [("of-all", json!("all")), ("of-red", json!({"team": "red"})), ("of-other", json!({"key": other}))]
    {
        assert_eq!(admin(&gateway, "POST", "/budgets", budget(id, scope)).await.status(), 201);
    }
    let price = json!({"id": "p", "provider": "*", "model": "m", "rates": {"input": "1"}});
    assert_eq!(admin(&gateway, "POST", "/prices", price.clone()).await.status(), 201);
    for (method, path, body, status) in [
        ("POST", "/budgets", budget("of-own", json!({"key": own})), 201),
        ("POST", "/budgets", budget("x", json!({"key": other})), 403),
        ("POST", "/budgets", budget("x", json!({"team": "red"})), 403),
        ("POST", "/budgets", budget("x", json!("all")), 403),
        ("PATCH", "/budgets/of-own", json!({"requests": 7}), 200),
        ("GET", "/budgets/of-red", Value::Null, 200),
        ("PATCH", "/budgets/of-red", json!({"requests": 7}), 403),
        ("DELETE", "/budgets/of-red", Value::Null, 403),
        ("GET", "/budgets/of-all", Value::Null, 404),
        ("DELETE", "/budgets/of-all", Value::Null, 404),
        ("GET", "/budgets/of-other", Value::Null, 404),
        ("PATCH", "/budgets/of-other", json!({"requests": 7}), 404),
        ("DELETE", "/budgets/none", Value::Null, 404),
        ("GET", "/prices", Value::Null, 403),
        ("GET", "/prices?origin=store", Value::Null, 403),
        ("GET", "/prices/p", Value::Null, 403),
        ("POST", "/prices", price.clone(), 403),
        ("PATCH", "/prices/p", json!({}), 403),
        ("DELETE", "/prices/p", Value::Null, 403),
    ] {
        let reply = by(&gateway, &lead, method, path, &body).await;
        assert_eq!(reply.status(), status, "{method} {path} {body}: {}", reply.text());
    }
    let list = by(&gateway, &lead, "GET", "/budgets", &Value::Null).await.json();
    let names: Vec<&str> = list["items"].as_array().unwrap().iter().filter_map(|item| item["name"].as_str()).collect();
    assert_eq!(
        (names, &list["more"]),
        (vec!["of-own", "of-red"], &json!(0)),
        "only the team's, and no count of others"
    );

    for (path, name) in [("/budgets", "of-all"), ("/prices?origin=store", "p"), ("/budgets/of-all", "of-all")] {
        let reply = by(&gateway, READER, "GET", path, &Value::Null).await;
        assert!(reply.status() == 200 && reply.text().contains(name), "{path}: {}", reply.text());
    }
    for (method, path, body) in [
        ("POST", "/budgets", budget("x", json!("all"))),
        ("PATCH", "/budgets/of-all", json!({"requests": 9})),
        ("DELETE", "/budgets/of-all", Value::Null),
        ("POST", "/prices", price),
        ("PATCH", "/prices/p", json!({"model": "n"})),
        ("DELETE", "/prices/p", Value::Null),
    ] {
        let reply = by(&gateway, READER, method, path, &body).await;
        assert_eq!(reply.status(), 403, "{method} {path}: {}", reply.text());
    }
    assert_eq!(admin(&gateway, "GET", "/budgets/of-all", Value::Null).await.json()["limit"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_on_one_node_counts_on_the_other_within_a_second() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let text = format!("{}\n[store]\nurl = \"{}\"\n", config(&upstream), database.url());
    let folders = [Folder::with(&["openai", "anthropic", "gemini"]), Folder::with(&["openai", "anthropic", "gemini"])];
    let nodes = folders.each_ref().map(|folder| Program::start(folder, &target().join("test-cache"), &text));
    let [a, b] = nodes.each_ref().map(Program::address);
    let send = async |method: &str, path: &str, body: Value| program::ask(a, &asked(method, path, &body)).await;
    let until = async |status: u16, cost: Option<&str>| {
        let mut looking = Looking::begin();
        loop {
            let reply = program::ask(b, &OPENAI.request("openai", false)).await;
            if (reply.status(), reply.header("x-weir-cost-usd")) == (status, cost) {
                return looking.took();
            }
            looking.wait(&format!("{}: {}", reply.status(), reply.text())).await;
        }
    };
    let rates = json!({"input": "1000000", "output": "1000000"});
    let price = json!({"id": "p", "provider": "openai", "model": "openai", "rates": rates});
    assert_eq!(send("POST", "/prices", price).await.status(), 201);
    assert!(until(200, Some("17")).await < Duration::from_secs(1));
    assert_eq!(send("PATCH", "/prices/p", json!({"rates": {"output": "0"}})).await.status(), 200);
    assert!(until(200, Some("10")).await < Duration::from_secs(1));
    let budget = json!({"id": "b", "for": "all", "requests": 1_000_000, "per": "day"});
    assert_eq!(send("POST", "/budgets", budget).await.status(), 201);
    assert!(until(200, Some("10")).await < Duration::from_secs(1));
    assert_eq!(send("PATCH", "/budgets/b", json!({"requests": 0})).await.status(), 200);
    assert!(until(429, None).await < Duration::from_secs(1));
    assert_eq!(send("DELETE", "/budgets/b", Value::Null).await.status(), 204);
    assert!(until(200, Some("10")).await < Duration::from_secs(1));
    drop(nodes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_made_anew_for_another_team_begins_at_nothing() {
    let database = Database::start();
    let urls = [None, database.as_ref().map(Database::url)];
    for url in urls.iter().take(1 + usize::from(database.is_some())) {
        let upstream = provider().await;
        let store = url.as_ref().map(|url| format!("[store]\nurl = \"{url}\"\n")).unwrap_or_default();
        let text = format!("{}\n{store}", config(&upstream));
        let gateway = Gateway::from_file(&text).await;
        for team in ["red", "blue"] {
            admin(&gateway, "POST", "/teams", json!({"id": team, "name": team})).await;
        }
        let (_, red) = made(&gateway, json!({"name": "r", "owner": {"team": "red"}})).await;
        let (_, blue) = made(&gateway, json!({"name": "b", "owner": {"team": "blue"}})).await;
        let budget = |team: &str| json!({"id": "b", "for": {"team": team}, "requests": 2, "per": "day"});
        assert_eq!(admin(&gateway, "POST", "/budgets", budget("red")).await.status(), 201);
        for status in [200, 200, 429] {
            assert_eq!(ask(&gateway, &red).await.status(), status);
        }
        // What is counted is kept by then.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(admin(&gateway, "DELETE", "/budgets/b", Value::Null).await.status(), 204);
        assert_eq!(admin(&gateway, "POST", "/budgets", budget("blue")).await.status(), 201);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(spent(&gateway, "b").await, 0, "{url:?}");
        assert_eq!(ask(&gateway, &blue).await.status(), 200);
        let gateway = gateway.restart(&text).await;
        assert_eq!(spent(&gateway, "b").await, 1, "{url:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_deleted_and_made_again_begins_anew_wherever_it_is_kept() {
    let database = Database::start();
    let urls = [None, database.as_ref().map(Database::url)];
    for url in urls.iter().take(1 + usize::from(database.is_some())) {
        let upstream = provider().await;
        let store = url.as_ref().map(|url| format!("[store]\nurl = \"{url}\"\n")).unwrap_or_default();
        let text = format!("{}\n{store}", config(&upstream));
        let gateway = Gateway::from_file(&text).await;
        let at_team = json!([{"name": "t", "requests": 3, "per": "total"}]);
        let team = json!({"id": "red", "name": "Red", "budgets": at_team});
        let budget = json!({"id": "b", "for": {"team": "red"}, "requests": 2, "per": "total"});
        let made_twice = [("/teams", "/teams/red?keys=delete", &team), ("/budgets", "/budgets/b", &budget)];
        for (path, _, body) in made_twice {
            assert_eq!(admin(&gateway, "POST", path, body.clone()).await.status(), 201);
        }
        let (_, key) = made(&gateway, json!({"name": "r", "owner": {"team": "red"}})).await;
        for status in [200, 200, 429] {
            assert_eq!(ask(&gateway, &key).await.status(), status);
        }
        // What stays the same goes on, over a restart too.
        assert_eq!(admin(&gateway, "PATCH", "/budgets/b", json!({"requests": 3})).await.status(), 200);
        let gateway = gateway.restart(&text).await;
        assert_eq!(ask(&gateway, &key).await.status(), 200, "{url:?}");
        assert_eq!(
            (spent(&gateway, "b").await, spent(&gateway, "team%2Fred%2Ft").await),
            (json!(3), json!(3)),
            "{url:?}"
        );
        // What is counted is kept by then.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        for (path, one, body) in made_twice {
            assert_eq!(admin(&gateway, "DELETE", one, Value::Null).await.status(), 204, "{one}");
            assert_eq!(admin(&gateway, "POST", path, body.clone()).await.status(), 201);
        }
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(
            (spent(&gateway, "b").await, spent(&gateway, "team%2Fred%2Ft").await),
            (json!(0), json!(0)),
            "{url:?}"
        );
        let (_, key) = made(&gateway, json!({"name": "r", "owner": {"team": "red"}})).await;
        assert_eq!(ask(&gateway, &key).await.status(), 200);
        let gateway = gateway.restart(&text).await;
        assert_eq!(
            (spent(&gateway, "b").await, spent(&gateway, "team%2Fred%2Ft").await),
            (json!(1), json!(1)),
            "{url:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_for_what_does_not_exist_is_made_with_a_warning() {
    let upstream = provider().await;
    let client =
        "[[clients]]\nname = \"ci\"\nkey = \"weir-ci-0123456789abcdef\"\nteam = \"robots\"\norganisation = \"works\"\n";
    let gateway = Gateway::from_file(&(config(&upstream) + client)).await;
    let team = json!({"id": "red", "name": "Red"});
    assert_eq!(admin(&gateway, "POST", "/teams", team).await.status(), 201);
    let (key, _) = made(&gateway, json!({"name": "k"})).await;
    let other: String = key.chars().rev().collect();
    for (number, (scope, missing)) in [
        (json!("all"), None),
        (json!({"team": "red"}), None),
        (json!({"team": "robots"}), None),
        (json!({"team": "rde"}), Some("no team `rde`")),
        (json!({"org": "works"}), None),
        (json!({"org": "red"}), Some("no organisation `red`")),
        (json!({"key": key}), None),
        (json!({"key": "ci"}), None),
        (json!({"key": other}), Some("no key `")),
        (json!({"model": "openai"}), None),
        (json!({"model": "opnai"}), Some("no model `opnai`")),
        (json!({"provider": "openai"}), None),
        (json!({"provider": "nobody"}), Some("no provider `nobody`")),
        (json!({"tag": "any"}), None),
    ]
    .into_iter()
    .enumerate()
    {
        let budget = json!({"id": format!("b{number}"), "for": scope, "requests": 5, "per": "day"});
        let once = asked("POST", "/budgets", &budget).header("idempotency-key", &format!("b{number}"));
        for reply in [gateway.ask(&once).await, gateway.ask(&once).await] {
            assert_eq!(reply.status(), 201, "{budget}: {}", reply.text());
            let warnings = reply.json()["warnings"].as_array().cloned().unwrap_or_default();
            assert_eq!(warnings.len(), usize::from(missing.is_some()), "{budget}: {}", reply.text());
            let told = warnings.first().and_then(Value::as_str).unwrap_or_default();
            assert!(missing.is_none_or(|missing| told.contains(missing)), "{budget}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_and_prices_are_made_listed_changed_and_deleted_by_commands() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let create =
        ["budgets", "create", "red-month", "--for", "team=red", "--usd", "500", "--per", "month", "--soft", "0.8"];
    let made = weir(&gateway, TOKEN, &create).await;
    assert_eq!(text(&made.stdout), "the budget red-month is made\n");
    let warned = "warning: there is no team `red`: the budget counts nothing until there is one\n";
    assert_eq!(text(&made.stderr), warned);
    let list = done(&gateway, &["budgets", "list"]).await;
    let row: Vec<&str> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["red-month", "team=red", "500", "usd", "0", "500"], "{list}");
    done(&gateway, &["budgets", "set", "red-month", "--tokens", "1000", "--when-over", "notify"]).await;
    let shown: Value = serde_json::from_str(&done(&gateway, &["budgets", "show", "red-month"]).await).unwrap();
    assert_eq!((&shown["tokens"], &shown["when_over"], &shown["usd"]), (&json!(1000), &json!("notify"), &Value::Null));
    assert_eq!(done(&gateway, &["budgets", "delete", "red-month"]).await, "deleted\n");

    let create = ["prices", "create", "large", "--provider", "openai", "--model", "openai"];
    let rates = ["--rate", "input=1000000", "--rate", "output=1000000", "--rate", "search=10/1000"];
    assert_eq!(done(&gateway, &[&create[..], &rates[..]].concat()).await, "the price large is made\n");
    let reply = gateway.ask(&OPENAI.request("openai", false)).await;
    assert_eq!(reply.header("x-weir-cost-usd"), Some("17"));
    done(&gateway, &["prices", "set", "large", "--rate", "output=0", "--when", "context_over=5"]).await;
    let list = done(&gateway, &["prices", "list"]).await;
    assert!(list.contains("input=1000000 output=0 search=10/1000  context_over=5"), "{list}");
    let all = done(&gateway, &["prices", "list", "--all"]).await;
    assert!(all.starts_with("MODEL") && all.contains("openai-t"), "{all}");
    assert_eq!(done(&gateway, &["prices", "delete", "large"]).await, "deleted\n");
}

//! What is changed while a stream runs: the price that it began with is its price, and what it reserved of a budget
//! that is deleted is given back once.

use serde_json::{Value, json};
use weir_tests::{Answer, Client, Folder, Gate, Gateway, Upstream, log};

use super::facts::found;
use super::spending::spent;
use super::{admin, ask, gateway, made, with_key};
use crate::wire_format::{OPENAI, config_of};

/// The tokens of every answer.
const TOKENS: u64 = 17;

/// A provider whose streams wait in their middle.
async fn provider(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::scripted(move |request| {
        if request.json()["stream"] != true {
            return Answer::json(200, OPENAI.whole());
        }
        let pieces = OPENAI.stream();
        let begun = Answer::sse().piece(&pieces[0]).piece(&pieces[1]).gate(&gate);
        pieces[2..].iter().fold(begun, Answer::piece).end()
    })
    .await
}

/// A client in the middle of a stream.
async fn streaming(gateway: &Gateway, model: &str, key: &str) -> Client {
    streaming_as(gateway, model, key, "").await
}

/// The same with an id of the client's own.
async fn streaming_as(gateway: &Gateway, model: &str, key: &str, id: &str) -> Client {
    let mut client = gateway.connect().await;
    client.send(&with_key(OPENAI, model, true, key).header("x-request-id", id)).await;
    assert_eq!(client.head().await.status, 200);
    client.until("content").await;
    client
}

/// The access line of the request with this id.
fn line(id: &str) -> String {
    let text = log::text();
    let line = text.lines().find(|line| line.contains("weir::access") && line.contains(id));
    line.unwrap_or_else(|| panic!("no line of {id} in {text}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_costs_what_its_price_was_when_it_began() {
    for model in [OPENAI.name.to_owned(), OPENAI.translated()] {
        let gate = Gate::default();
        let upstream = provider(&gate).await;
        let gateway = gateway(&upstream).await;
        let (_, key) = made(&gateway, json!({"name": "build"})).await;
        let rates = |dollars: &str| json!({"input": dollars, "output": dollars});
        let price = json!({"id": "p", "provider": "openai", "model": "*", "rates": rates("500000")});
        assert_eq!(admin(&gateway, "POST", "/prices", price).await.status(), 201);
        let money = json!({"id": "money", "for": "all", "usd": "1000000", "per": "total"});
        assert_eq!(admin(&gateway, "POST", "/budgets", money).await.status(), 201);

        let ids = ["before", "during", "after"].map(|when| format!("prices-{model}-{when}"));
        let asked =
            async |id: &str| gateway.ask(&with_key(OPENAI, &model, false, &key).header("x-request-id", id)).await;
        assert_eq!(asked(&ids[0]).await.header("x-weir-cost-usd"), Some("8.5"));
        let mut client = streaming_as(&gateway, &model, &key, &ids[1]).await;
        let dearer = json!({"rates": rates("1000000")});
        assert_eq!(admin(&gateway, "PATCH", "/prices/p", dearer).await.status(), 200);
        assert_eq!(asked(&ids[2]).await.header("x-weir-cost-usd"), Some("17"), "the next one has the new price");
        gate.open();
        client.until("[DONE]").await;
        assert_eq!(spent(&gateway, "money").await, "34", "{model}: 8.5 and 17 and, by the price of then, 8.5");
        // The log names the prices of each.
        let mut named = Vec::new();
        for id in &ids {
            let fact = found(&gateway, &format!("client_request_id={id}")).await;
            let version = fact["price_version"].as_str().unwrap().to_owned();
            assert!(line(id).contains(&version), "{fact}\n{}", line(id));
            named.push(version);
        }
        assert!(!named[0].is_empty() && named[0] == named[1] && named[1] != named[2], "{named:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_costs_what_the_price_file_said_when_it_began() {
    for model in [OPENAI.name.to_owned(), OPENAI.translated()] {
        let gate = Gate::default();
        let upstream = provider(&gate).await;
        let folder = Folder::with(&["openai"]);
        let file = folder.path().join("prices.json");
        let set_price = |dollars: &str| {
            let rates = json!({"input": dollars, "output": dollars});
            std::fs::write(&file, json!({"providers": {"openai": {"openai": rates}}}).to_string()).unwrap();
        };
        set_price("500000");
        let money = "[[budgets]]\nname = \"money\"\nfor = \"all\"\nusd = 1000000\nper = \"total\"\n";
        let config = format!("price_file = \"prices.json\"\n{}{money}", config_of(&[OPENAI], &upstream));
        std::fs::write(folder.path().join("weir.toml"), &config).unwrap();
        let gateway = Gateway::with(folder, &config).await;

        let mut client = gateway.connect().await;
        client.send(&OPENAI.request(&model, true)).await;
        client.head().await;
        client.until("content").await;
        set_price("1000000");
        assert_eq!(gateway.post("/admin/reload", "").await.status(), 200);
        let next = gateway.ask(&OPENAI.request(&model, false)).await;
        assert_eq!(next.header("x-weir-cost-usd"), Some("17"), "the next one has the new price");
        gate.open();
        client.until("[DONE]").await;
        gateway.until_metric("weir_budget_used{budget=\"money\"}", 25.5).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_deleted_and_made_anew_while_a_stream_runs_is_left_without_its_reservation() {
    for model in [OPENAI.name.to_owned(), OPENAI.translated()] {
        let gate = Gate::default();
        let upstream = provider(&gate).await;
        let gateway = gateway(&upstream).await;
        let (_, key) = made(&gateway, json!({"name": "build"})).await;
        let budget = |id: &str| json!({"id": id, "for": "all", "tokens": 100_000, "per": "total"});
        for id in ["deleted", "other"] {
            assert_eq!(admin(&gateway, "POST", "/budgets", budget(id)).await.status(), 201);
        }
        let mut client = streaming(&gateway, &model, &key).await;
        let held = admin(&gateway, "GET", "/budgets/deleted", Value::Null).await.json();
        assert!(held["reserved"].as_u64().unwrap() > 0, "{held}");
        assert_eq!(admin(&gateway, "DELETE", "/budgets/deleted", Value::Null).await.status(), 204);
        assert_eq!(admin(&gateway, "POST", "/budgets", budget("deleted")).await.status(), 201);
        gate.open();
        client.until("[DONE]").await;

        assert_eq!(spent(&gateway, "other").await, TOKENS, "{model}");
        let after = spent(&gateway, "deleted").await.as_u64().unwrap();
        assert!(after == 0 || after == TOKENS, "{model}: {after}");
        assert_eq!(ask(&gateway, &key).await.status(), 200);
        assert_eq!(spent(&gateway, "deleted").await, after + TOKENS, "{model}");
        assert_eq!(spent(&gateway, "other").await, 2 * TOKENS, "{model}");
    }
}

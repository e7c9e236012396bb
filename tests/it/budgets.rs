//! Budgets and costs: reserved before, booked after, refused in the client's own format, kept over a restart.

mod broken;
mod doors;
mod excess;
mod midnight;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::code::pack;
use weir_tests::program::until_budgets_are_kept;
use weir_tests::{Answer, Folder, Gate, Gateway, Program, Reply, Request, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, PROVIDERS, WireFormat, config_of};

/// The tokens of every answer: 10 of input, 4 of them cached, and 7 of output.
const TOKENS: u64 = 17;

/// A provider that answers in every format.
async fn provider() -> Upstream {
    Upstream::scripted(|request| {
        let wire_format = if request.line().contains("/messages") { ANTHROPIC } else { OPENAI };
        if request.line().contains("generateContent") {
            return Answer::json(200, PROVIDERS[2].whole());
        }
        if request.json()["stream"] != true {
            return Answer::json(200, wire_format.whole());
        }
        wire_format.stream().iter().fold(Answer::sse(), Answer::piece).end()
    })
    .await
}

fn budget(text: &str) -> String {
    format!("[[budgets]]\n{text}\n")
}

/// What is booked and reserved at the only budget, once no request has a reservation.
pub(crate) async fn settled(gateway: &Gateway) -> u64 {
    for _ in 0..2_000 {
        let budgets = gateway.get("/admin/budgets").await.json();
        let budget = &budgets["budgets"][0];
        if budget["reserved"] == 0 {
            return budget["settled"].as_u64().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a reservation is left: {}", gateway.get("/admin/budgets").await.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_used_is_booked_in_both_lanes_whole_and_streamed() {
    let upstream = provider().await;
    let all = budget("name = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"month\"");
    let gateway = Gateway::open(&(config_of(&[OPENAI, ANTHROPIC], &upstream) + &all)).await;
    let mut expected = 0;
    for client in [OPENAI, ANTHROPIC] {
        for target in [OPENAI, ANTHROPIC] {
            for model in [target.name.to_owned(), target.translated()] {
                for stream in [false, true] {
                    let reply = gateway.ask(&client.request(&model, stream)).await;
                    assert_eq!(reply.status(), 200, "{}", reply.text());
                    expected += TOKENS;
                    assert_eq!(settled(&gateway).await, expected, "{} to {model}, streamed: {stream}", client.name);
                }
            }
        }
    }
    assert_eq!(gateway.metric("weir_budget_limit{budget=\"all\"}").await, 1e6);
    assert_eq!(gateway.budget_used("all").await, expected as f64);
}

/// The error of a refusal in the client's format: its type, and its message.
fn error(client: WireFormat, reply: &Reply) -> (String, String) {
    let error = &reply.json()["error"];
    let kind = if client == PROVIDERS[2] { &error["status"] } else { &error["type"] };
    (kind.as_str().unwrap_or_default().to_owned(), error["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_a_clients_budget_is_refused_in_its_format_and_others_are_served() {
    for (client, kind) in
        [(OPENAI, "insufficient_quota"), (ANTHROPIC, "billing_error"), (PROVIDERS[2], "RESOURCE_EXHAUSTED")]
    {
        let mut upstream = provider().await;
        let clients = "[[clients]]\nname = \"poor\"\nkey = \"weir-key-of-the-poor-01\"\nteam = \"red\"\n\
                       [[clients]]\nname = \"rich\"\nkey = \"weir-key-of-the-rich-01\"\n";
        let red =
            budget("name = \"red-day\"\nfor = { team = \"red\" }\nrequests = 2\nper = \"day\"\ntz = \"Europe/Berlin\"");
        let gateway = Gateway::with(
            Folder::with(&["openai", "anthropic", "gemini"]),
            &(config_of(&[OPENAI], &upstream) + clients + &red),
        )
        .await;
        let ask = async |key: &str, model: &str| {
            let request = client.request(model, false);
            let request = if client == PROVIDERS[2] {
                request.header("x-goog-api-key", key)
            } else {
                request.header("authorization", &format!("Bearer {key}"))
            };
            gateway.ask(&request).await
        };
        for model in ["openai", "openai-t"] {
            let reply = ask("weir-key-of-the-poor-01", model).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            upstream.request().await;
        }
        for model in ["openai", "openai-t"] {
            let reply = ask("weir-key-of-the-poor-01", model).await;
            assert_eq!(reply.status(), 429, "{}", reply.text());
            assert_eq!(reply.header("x-should-retry"), Some("false"));
            let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=90_000).contains(&seconds), "{seconds}");
            let (found, message) = error(client, &reply);
            assert_eq!(found, kind, "{}", reply.text());
            assert!(message.contains("\"red-day\"") && message.contains("2 requests of 2 requests"), "{message}");
            assert!(upstream.unseen().is_none(), "nothing was sent");
            assert_eq!(ask("weir-key-of-the-rich-01", model).await.status(), 200);
            upstream.request().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_candidate_that_a_request_asks_for_has_to_have_room() {
    let mut upstream = provider().await;
    let few = budget("name = \"few\"\nfor = \"all\"\ntokens = 1000\nper = \"total\"");
    let config = config_of(&[OPENAI, PROVIDERS[2]], &upstream) + &few;
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &config).await;
    let chat = |model: &str, n: u32| {
        let messages = json!([{"role": "user", "content": "Hi"}]);
        let body = json!({"model": model, "messages": messages, "max_tokens": 400, "n": n});
        Request::post("/v1/chat/completions", body.to_string())
    };
    let completions = |model: &str, best_of: u32| {
        let body = json!({"model": model, "prompt": "Hi", "max_tokens": 400, "n": 1, "best_of": best_of});
        Request::post("/v1/completions", body.to_string())
    };
    let prompts = |model: &str, count: u32| {
        let body = json!({"model": model, "prompt": vec!["Hi"; count as usize], "max_tokens": 400});
        Request::post("/v1/completions", body.to_string())
    };
    let generate = |model: &str, count: u32| {
        let config = json!({"maxOutputTokens": 400, "candidateCount": count});
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": config});
        Request::post(&format!("/v1beta/models/{model}:generateContent"), body.to_string())
    };
    for (ask, model) in [
        (&chat as &dyn Fn(&str, u32) -> Request, "openai"),
        (&chat, "gemini"),
        (&completions, "openai"),
        (&prompts, "openai"),
        (&generate, "gemini"),
        (&generate, "openai"),
    ] {
        let reply = gateway.ask(&ask(model, 3)).await;
        assert_eq!(reply.status(), 429, "{}", reply.text());
        assert!(upstream.unseen().is_none(), "nothing was sent");
        let reply = gateway.ask(&ask(model, 1)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        upstream.request().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_needs_room_at_the_price_of_the_tier_that_it_asks_for() {
    let upstream = provider().await;
    let folder = Folder::with(&["openai", "anthropic", "gemini"]);
    let prices = r#"{"providers": {"openai": {"openai": [{"input": "1", "output": "1"},
        {"when": {"service_tier": "priority"}, "input": "1000000", "output": "1000000"}]}}}"#;
    std::fs::write(folder.path().join("prices.json"), prices).unwrap();
    let money = budget("name = \"money\"\nfor = \"all\"\nusd = 50\nper = \"total\"");
    let config = format!("price_file = \"prices.json\"\n{}{money}", config_of(&[OPENAI], &upstream));
    let gateway = Gateway::with(folder, &config).await;
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let contents = json!([{"role": "user", "parts": [{"text": "Hi"}]}]);
    for model in ["openai", "openai-t"] {
        for (tier, status) in [("auto", 200), ("flex", 200), ("priority", 429)] {
            let body = json!({"model": model, "messages": messages, "max_tokens": 100, "service_tier": tier});
            let reply = gateway.post("/v1/chat/completions", &body.to_string()).await;
            assert_eq!(reply.status(), status, "{tier}: {}", reply.text());
            let limit = json!({"maxOutputTokens": 100});
            let body = json!({"contents": contents, "generationConfig": limit, "serviceTier": tier});
            let reply = gateway.post(&format!("/v1beta/models/{model}:generateContent"), &body.to_string()).await;
            assert_eq!(reply.status(), status, "{tier}: {}", reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_a_region_cost_what_they_cost_there() {
    let upstream = provider().await;
    let folder = Folder::with(&["openai", "anthropic", "gemini"]);
    let prices = r#"{"providers": {"openai": {"openai": [{"input": "500000", "output": "500000"},
        {"when": {"region": "eu"}, "input": "1000000", "output": "1000000"}]}}}"#;
    std::fs::write(folder.path().join("prices.json"), prices).unwrap();
    let config = format!("price_file = \"prices.json\"\n{}", config_of(&[OPENAI], &upstream));
    let cost = async |gateway: &Gateway, model: &str| {
        let reply = gateway.ask(&OPENAI.request(model, false)).await;
        reply.header("x-weir-cost-usd").map(str::to_owned)
    };
    let gateway = Gateway::with(folder, &config).await;
    assert_eq!(cost(&gateway, "openai").await.as_deref(), Some("8.5"));
    let within = config.replace("timeouts = {", "region = \"eu\"\ntimeouts = {");
    let money = budget("name = \"money\"\nfor = \"all\"\nusd = 2000\nper = \"total\"");
    let gateway = gateway.restart(&(within + &money)).await;
    for model in ["openai", "openai-t"] {
        assert_eq!(cost(&gateway, model).await.as_deref(), Some("17"), "{model}");
    }
    let long = json!({"model": "openai", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3000});
    let reply = gateway.post("/v1/chat/completions", &long.to_string()).await;
    assert_eq!(reply.status(), 429, "three thousand tokens have no room at that price: {}", reply.text());
}

/// A price of one dollar for every token.
fn priced(upstream: &Upstream) -> String {
    let models = config_of(&[OPENAI, ANTHROPIC], upstream);
    models.replace("target = {", "price = { input = 1000000, output = 1000000 }\ntarget = {")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_of_either_lane_tells_its_cost_and_a_budget_of_money_is_settled_by_it() {
    let upstream = provider().await;
    let money = budget("name = \"money\"\nfor = \"all\"\nusd = 1000000\nper = \"total\"\nsoft = 0.00001");
    let gateway = Gateway::open(&(priced(&upstream) + &money)).await;
    for (client, target) in [(OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI), (OPENAI, OPENAI), (ANTHROPIC, ANTHROPIC)] {
        let reply = gateway.ask(&client.request(target.name, false)).await;
        assert_eq!(reply.header("x-weir-cost-usd"), Some("17"), "{}", reply.text());
    }
    let reply = gateway.ask(&OPENAI.request("anthropic", true)).await;
    assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, None), "a stream's cost is not known before");
    let warning = reply.header("x-weir-budget-warning").unwrap();
    assert!(warning.starts_with("money; $") && warning.ends_with(" of $1000000"), "{warning}");
    gateway.until_metric("weir_budget_used{budget=\"money\"}", 85.0).await;
    let budgets = gateway.get("/admin/budgets").await.json();
    let budget = &budgets["budgets"][0];
    assert_eq!((&budget["settled"], &budget["unit"]), (&Value::from("85"), &Value::from("usd")), "{budget}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_translated_stream_tells_its_cost_in_the_usage_that_its_client_asked_for() {
    let upstream = provider().await;
    let gateway = Gateway::open(&priced(&upstream)).await;
    let costs = async |request: &Request| {
        let reply = gateway.ask(request).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let cost = |line: &str| {
            let frame: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
            frame.pointer("/usage/cost").cloned()
        };
        reply.text().lines().filter_map(cost).collect::<Vec<_>>()
    };
    assert_eq!(costs(&OPENAI.request("anthropic", true)).await, [Value::from(17)]);
    let silent = r#"{"model":"anthropic","messages":[{"role":"user","content":"Hi"}],"stream":true}"#;
    let silent = Request::post("/v1/chat/completions", silent);
    assert!(costs(&silent).await.is_empty(), "the client did not ask");
    assert!(costs(&OPENAI.request("openai", true)).await.is_empty(), "a relayed answer's bytes stay as they are");
    assert!(costs(&ANTHROPIC.request("openai", true)).await.is_empty(), "the format has no such member");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_answer_keeps_its_bytes_whether_its_cost_is_reported_or_not() {
    let short = ANTHROPIC.whole();
    let packed = pack("gzip", short.as_bytes());
    let long = format!("{short}{}", " ".repeat(300 << 10));
    let json = [("content-type", "application/json")];
    let gzip = [json[0], ("content-encoding", "gzip")];
    let cases = [
        (Answer::begin(200, &json).pieces(&short, 7).end(), short.as_bytes(), Some("17")),
        (Answer::whole(200, &gzip, &packed), &packed, Some("17")),
        (Answer::json(200, &long), long.as_bytes(), None),
        (Answer::begin(200, &json).pieces(&long, 50_000).end(), long.as_bytes(), None),
    ];
    let count = cases.len() as u64;
    let upstream = Upstream::always(Answer::silence()).await;
    let all = budget("name = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"");
    let gateway = Gateway::open(&(priced(&upstream) + &all)).await;
    for (answer, body, cost) in cases {
        upstream.now(answer);
        let reply = gateway.ask(&ANTHROPIC.request("anthropic", false)).await;
        assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, cost));
        assert!(reply.body == body && !reply.cut);
    }
    assert_eq!(settled(&gateway).await, count * TOKENS);
    let half = &short[..short.len() / 2];
    upstream.now(Answer::begin(200, &json).piece(half).close());
    let reply = gateway.ask(&ANTHROPIC.request("anthropic", false)).await;
    assert_eq!((reply.text().as_str(), reply.cut), (half, true), "what arrived is passed on, and not as a whole");
    assert_eq!(reply.header("x-weir-cost-usd"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_price_a_budget_of_money_admits_only_what_its_setting_allows() {
    let mut upstream = provider().await;
    let clients = "[[clients]]\nname = \"red\"\nkey = \"weir-key-of-red-0123\"\nteam = \"red\"\n\
                   [[clients]]\nname = \"blue\"\nkey = \"weir-key-of-blue-0123\"\nteam = \"blue\"\n";
    let money = "name = \"money\"\nfor = { team = \"red\" }\nusd = 1\nper = \"total\"";
    let models = config_of(&[OPENAI, ANTHROPIC], &upstream) + clients;
    let mut requests = Vec::new();
    for (client, target) in [(OPENAI, OPENAI), (ANTHROPIC, OPENAI), (OPENAI, ANTHROPIC), (ANTHROPIC, ANTHROPIC)] {
        for model in [target.name.to_owned(), target.translated()] {
            requests.extend([false, true].map(|stream| client.request(&model, stream)));
        }
    }
    let gateway = Gateway::open(&(models.clone() + &budget(money))).await;
    for request in &requests {
        let reply = gateway.ask(&request.clone().bearer("weir-key-of-red-0123")).await;
        assert_eq!((reply.status(), reply.header("retry-after")), (429, None), "{}", reply.text());
        assert!(reply.text().contains("admits only models with a price"), "{}", reply.text());
        assert!(upstream.unseen().is_none());
        let reply = gateway.ask(&request.clone().bearer("weir-key-of-blue-0123")).await;
        assert_eq!(reply.status(), 200, "no budget of another team refuses: {}", reply.text());
        upstream.request().await;
    }
    let of_red = async |gateway: &Gateway, status: u16| {
        for request in &requests {
            let reply = gateway.ask(&request.clone().bearer("weir-key-of-red-0123")).await;
            assert_eq!(reply.status(), status, "{}", reply.text());
        }
    };
    let gateway = gateway.restart(&(models.clone() + &budget(&format!("{money}\nunpriced = \"allow\"")))).await;
    of_red(&gateway, 200).await;
    // A million dollars for a million tokens: the request alone costs more than is left.
    let gateway = gateway.restart(&(models + &budget(&format!("{money}\nunpriced = {{ price = 1000000 }}")))).await;
    of_red(&gateway, 429).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_may_pass_requests_on_to_another_model_or_only_notify() {
    let upstream = provider().await;
    let models = config_of(&[OPENAI, ANTHROPIC], &upstream);
    let one = "name = \"one\"\nfor = { model = \"openai\" }\nrequests = 1\nper = \"total\"\nwhen_over = ";
    let gateway = Gateway::open(&(models.clone() + &budget(&format!("{one}{{ downgrade = \"anthropic\" }}")))).await;
    for provider in ["openai", "anthropic", "anthropic"] {
        let reply = gateway.ask(&OPENAI.request("openai", false)).await;
        assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some(provider)), "{}", reply.text());
    }
    let gateway = gateway.restart(&(models + &budget(&format!("{one}\"notify\"\nsoft = 0.5")))).await;
    for used in 1..=3 {
        let reply = gateway.ask(&OPENAI.request("openai", false)).await;
        assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some("openai")));
        let warning = format!("one; {used} requests of 1 requests");
        assert_eq!(reply.header("x-weir-budget-warning"), Some(&*warning), "near the limit and beyond it: told once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_its_downgraded_request_waits_has_nothing_booked() {
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::scripted(move |request| {
        if !request.line().contains("/messages") {
            return Answer::json(200, OPENAI.whole());
        }
        Answer::begin(200, &[("content-type", "application/json")]).gate(&held).piece(ANTHROPIC.whole()).end()
    })
    .await;
    let models = config_of(&[OPENAI, ANTHROPIC], &upstream)
        + "[[models]]\nalias = \"small\"\nmax_concurrency = 1\n\
           target = { provider = \"anthropic\", model = \"anthropic\" }\n";
    let one = "name = \"one\"\nfor = { model = \"openai\" }\nrequests = 1\nper = \"total\"";
    let one = budget(&format!("{one}\nwhen_over = {{ downgrade = \"small\" }}"));
    let all = budget("name = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"");
    let gateway = Gateway::open(&(models + &all + &one)).await;
    let request = OPENAI.request("openai", false);
    assert_eq!(gateway.ask(&request).await.header("x-weir-provider"), Some("openai"));
    let spent = settled(&gateway).await;
    let mut served = gateway.connect().await;
    served.send(&request).await;
    gateway.until_metric("weir_in_flight", 1.0).await;
    let mut waiting = gateway.connect().await;
    waiting.send(&request).await;
    gateway.until_metric("weir_queue_depth", 1.0).await;
    waiting.leave();
    gateway.until_metric("weir_queue_depth", 0.0).await;
    let budgets = gateway.get("/admin/budgets").await.json();
    let settled =
        &budgets["budgets"].as_array().unwrap().iter().find(|budget| budget["name"] == "all").unwrap()["settled"];
    assert_eq!(*settled, spent, "nothing of it was sent");
    gate.open();
    assert_eq!(served.reply().await.header("x-weir-provider"), Some("anthropic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_whose_budget_is_used_up_is_passed_over() {
    let upstream = provider().await;
    let models = config_of(&[OPENAI, ANTHROPIC], &upstream)
        + "[[models]]\nalias = \"both\"\ntargets = [{ provider = \"openai\", model = \"openai\" }, \
           { provider = \"anthropic\", model = \"anthropic\" }]\n";
    let of_provider = budget("name = \"p\"\nfor = { provider = \"openai\" }\nrequests = 1\nper = \"total\"");
    let gateway = Gateway::open(&(models + &of_provider)).await;
    for provider in ["openai", "anthropic"] {
        let reply = gateway.ask(&OPENAI.request("both", false)).await;
        assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some(provider)), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_whose_budget_is_used_up_is_not_to_be_asked_again_in_pass_through() {
    let upstream = provider().await;
    let passes = config_of(&[OPENAI], &upstream).replace("timeouts =", "passthrough = [\"* *\"]\ntimeouts =");
    let of_provider = budget("name = \"p\"\nfor = { provider = \"openai\" }\nrequests = 1\nper = \"total\"");
    let gateway = Gateway::open(&(passes + &of_provider)).await;
    let body = OPENAI.request("openai", false).sent();
    for (status, retry) in [(200, None), (429, Some("false"))] {
        let reply = gateway.ask(&Request::post("/passthrough/openai/chat/completions", &body)).await;
        assert_eq!((reply.status(), reply.header("x-should-retry")), (status, retry), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_costs_nothing_and_one_that_its_client_leaves_stays_booked() {
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::scripted(move |request| {
        if request.json()["stream"] != true {
            return Answer::json(500, "{\"error\":{\"message\":\"no\"}}");
        }
        let pieces = OPENAI.stream();
        Answer::sse().piece(&pieces[0]).piece(&pieces[1]).gate(&held).end()
    })
    .await;
    let all = budget("name = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"month\"");
    let gateway = Gateway::open(&(config_of(&[OPENAI], &upstream) + &all)).await;
    for model in ["openai", "openai-t"] {
        assert!(gateway.ask(&OPENAI.request(model, false)).await.status() >= 500);
        assert_eq!(settled(&gateway).await, 0);
    }
    for (model, before) in [("openai", 0), ("openai-t", 1)] {
        let mut client = gateway.connect().await;
        client.send(&OPENAI.request(model, true)).await;
        assert_eq!(client.head().await.status, 200);
        client.until("content").await;
        client.leave();
        let mut booked = 0;
        for _ in 0..2_000 {
            booked = settled(&gateway).await;
            if booked > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(booked > before, "{model}: {booked}");
    }
    gate.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_given_up_before_a_connection_has_it_costs_nothing() {
    // It takes connections, and never answers the first message of TLS.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let formats = [OPENAI, ANTHROPIC];
    let upstream = provider().await;
    let mut config = config_of(&formats, &upstream).replace(&upstream.url(), &format!("https://{address}"));
    config += &budget("name = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"");
    for name in formats.map(|format| format.name) {
        let of_provider =
            format!("name = \"{name}\"\nfor = {{ provider = \"{name}\" }}\ntokens = 1000000\nper = \"total\"");
        config += &budget(&of_provider);
    }
    let gateway = Gateway::open(&config).await;
    let mut connections = Vec::new();
    for format in formats {
        for (model, stream) in [(format.name.to_owned(), false), (format.translated(), true)] {
            let request = format.request(&model, stream);
            let mut client = gateway.connect().await;
            client.send(&request).await;
            connections.push(silent.accept().await.unwrap());
            client.leave();
            gateway.until_metric("weir_in_flight", 0.0).await;
            assert_eq!(gateway.ask(&request.header("x-weir-timeout-ms", "1500")).await.status(), 504);
            connections.push(silent.accept().await.unwrap());
            let budgets = gateway.get("/admin/budgets").await.json();
            for budget in budgets["budgets"].as_array().unwrap() {
                assert_eq!((&budget["settled"], &budget["reserved"]), (&0.into(), &0.into()), "{model}: {budget}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_go_on_after_the_program_was_killed() {
    let upstream = provider().await;
    let folder = Folder::with(&["openai"]);
    let cache = weir_tests::plugins::target().join("test-cache");
    let all = budget("name = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"");
    let config = config_of(&[OPENAI], &upstream) + &all;
    let ask = async |program: &Program, request: &Request| {
        let mut client = weir_tests::Client::connect(program.address()).await;
        client.send(request).await;
        client.reply().await
    };
    let file = folder.path().join("weir-budgets.json");
    {
        let program = Program::start(&folder, &cache, &config);
        let address = program.address();
        for _ in 0..2 {
            let mut client = weir_tests::Client::connect(address).await;
            client.send(&OPENAI.request("openai", false)).await;
            assert_eq!(client.reply().await.status(), 200);
        }
        for _ in 0..2_000 {
            if std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"settled\":34")) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Dropped, the program is killed.
    }
    let program = Program::start(&folder, &cache, &config);
    let budgets = ask(&program, &Request::get("/admin/budgets")).await.json();
    assert_eq!(
        (&budgets["budgets"][0]["settled"], &budgets["budgets"][0]["reserved"]),
        (&34.into(), &0.into()),
        "{budgets}"
    );
    drop(program);
    std::fs::write(&file, "no JSON").unwrap();
    Program::start(&folder, &cache, &config).until("budgets cannot go on where they stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_over_a_budget_that_ends_streams_ends_with_the_formats_error_in_both_lanes() {
    // Some 14,000 tokens where 2,000 are left. How late the end comes depends on how much arrives at a time.
    let upstream = Upstream::scripted(|request| {
        let wire_format =
            PROVIDERS.into_iter().find(|wire_format| request.line().contains(path_of(*wire_format))).unwrap();
        let pieces = wire_format.stream();
        let head = Answer::sse().piece(&pieces[0]);
        (0..1200).fold(head, |answer, _| answer.piece(pieces[1].repeat(10))).end()
    })
    .await;
    for client in PROVIDERS {
        for (model, ends) in [(client.name.to_owned(), true), (client.translated(), true), (client.translated(), false)]
        {
            let abort = if ends { "abort_at = 1.1\n" } else { "" };
            let all = budget(&format!("name = \"all\"\nfor = \"all\"\ntokens = 2000\nper = \"month\"\n{abort}"));
            let gateway = Gateway::open(&(config_of(&PROVIDERS, &upstream) + &all)).await;
            let reply = gateway.ask(&client.request(&model, true)).await;
            let text = reply.text();
            assert_eq!(reply.status(), 200, "{text}");
            let settled = settled(&gateway).await;
            let is_used_up = text.contains("budget \\\"all\\\" is used up");
            assert_eq!(
                is_used_up,
                ends,
                "{} to {model}: {}",
                client.name,
                text.get(text.len().saturating_sub(600)..).unwrap()
            );
            if ends {
                assert!((2_200..8_000).contains(&settled), "{} to {model}: {settled}", client.name);
            } else {
                assert!(settled > 12_000, "{} to {model}: {settled}", client.name);
            }
        }
    }
}

/// A part of the path of a provider's endpoint for streams.
fn path_of(wire_format: WireFormat) -> &'static str {
    match wire_format.name {
        "openai" => "/chat/completions",
        "anthropic" => "/messages",
        _ => "streamGenerateContent",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_timed_out_is_booked_once_at_its_providers_budget() {
    let upstream = Upstream::scripted(|request| {
        let is_slow = request.text().contains("\"slow\"");
        if is_slow { Answer::silence() } else { Answer::json(200, OPENAI.whole()) }
    })
    .await;
    let provider = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\nretry = {{ max_retries = 0 }}\n\
         timeouts = {{ first_byte = \"800ms\" }}\n\
         [[models]]\nalias = \"openai\"\ntargets = [{{ provider = \"p\", model = \"slow\" }}, {{ provider = \"p\", model = \"fast\" }}]\n",
        upstream.url()
    );
    let of_provider = budget("name = \"p\"\nfor = { provider = \"p\" }\ntokens = 1000000\nper = \"month\"");
    let gateway = Gateway::open(&(provider + &of_provider)).await;
    let reply = gateway.ask(&OPENAI.request("openai", false)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let settled = settled(&gateway).await;
    // The answer's tokens and the estimated input of the attempt that was not answered, and no whole reservation
    // beside.
    assert!((TOKENS..TOKENS + 100).contains(&settled), "{settled}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loser_of_a_hedge_is_booked_as_any_attempt_that_was_not_answered() {
    let slow_or_fast = |request: &weir_tests::Received| {
        let is_slow = request.text().contains("\"slow\"");
        if is_slow { Answer::silence() } else { Answer::json(200, OPENAI.whole()) }
    };
    // At two providers, and twice at one.
    for (names, answer) in [(["slow", "fast"], 0), (["slow", "slow"], TOKENS)] {
        let upstream = Upstream::scripted(slow_or_fast).await;
        let account = |name: &str| {
            let url = upstream.url();
            format!("[[providers]]\nname = \"{name}\"\nadapter = \"openai\"\nurl = \"{url}\"\napi_key = \"KEY\"\n")
        };
        let providers = names.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().map(account);
        let model = format!(
            "[[models]]\nalias = \"openai\"\nhedge = \"100ms\"\ntargets = [{{ provider = \"{}\", model = \"slow\" }}, \
             {{ provider = \"{}\", model = \"fast\" }}]\n",
            names[0], names[1]
        );
        let of_slow = budget("name = \"slow\"\nfor = { provider = \"slow\" }\ntokens = 1000000\nper = \"month\"");
        let gateway = Gateway::open(&format!("{}{model}{of_slow}", providers.collect::<String>())).await;
        let reply = gateway.ask(&OPENAI.request("openai", false)).await;
        assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some(names[1])), "{}", reply.text());
        let settled = settled(&gateway).await;
        // Its estimated input, beside the answer's tokens if that came from the same provider, and no whole
        // reservation.
        assert!((answer + 1..answer + 100).contains(&settled), "{names:?}: {settled}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loser_of_a_hedge_is_booked_also_while_it_waits_between_two_attempts() {
    let count = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::scripted(move |request| match request.text().contains("\"slow\"") {
        // Received, and never answered. The wait for the next attempt is random, and the hedge comes first or finds it
        // silent.
        true if count.fetch_add(1, SeqCst) == 0 => Answer::raw("").reset(),
        true => Answer::silence(),
        false => Answer::json(200, OPENAI.whole()),
    })
    .await;
    let account = |name: &str| {
        let url = upstream.url();
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"openai\"\nurl = \"{url}\"\napi_key = \"KEY\"\n\
             retry = {{ retry_delay_ms = 9000 }}\n"
        )
    };
    let model = "[[models]]\nalias = \"openai\"\nhedge = \"100ms\"\ntargets = [{ provider = \"slow\", model = \"slow\" }, \
                 { provider = \"fast\", model = \"fast\" }]\n";
    let of_slow = budget("name = \"slow\"\nfor = { provider = \"slow\" }\ntokens = 1000000\nper = \"month\"");
    let gateway = Gateway::open(&[account("slow"), account("fast"), model.to_owned(), of_slow].concat()).await;
    let reply = gateway.ask(&OPENAI.request("openai", false)).await;
    assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some("fast")), "{}", reply.text());
    let settled = settled(&gateway).await;
    // The estimated input of what was sent, and neither nothing nor the whole reservation.
    assert!((1..100).contains(&settled), "{settled}");
}

/// How often the program is killed; `WEIR_KILLS` sets more.
const KILLS: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_time_a_budget_loses_one_interval_at_most_and_nothing_is_free() {
    let upstream = provider().await;
    let (folder, cache) = (Folder::with(&["openai"]), weir_tests::plugins::target().join("test-cache"));
    let all = budget("name = \"all\"\nfor = \"all\"\ntokens = 1000000000\nper = \"total\"");
    let config = config_of(&[OPENAI], &upstream) + &all;
    let kills = std::env::var("WEIR_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let (mut booked, mut seed) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    for round in 0..=kills {
        let program = Program::start(&folder, &cache, &config);
        let address = program.address();
        let shown = weir_tests::program::ask(address, &Request::get("/admin/budgets")).await.json();
        let settled = shown["budgets"][0]["settled"].as_u64().unwrap();
        assert!(settled >= booked, "round {round}: {settled} of {booked}");
        if round == kills {
            break;
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
        let ends = Arc::new(AtomicBool::new(false));
        let clients = [(); 4].map(|()| tokio::spawn(answers(address, Arc::clone(&ends))));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begun = Instant::now();
        until_budgets_are_kept(address, None).await;
        tokio::time::sleep(Duration::from_millis((seed >> 33) % 1_500)).await;
        ends.store(true, SeqCst);
        let answered = futures_util::future::join_all(clients).await.into_iter().flat_map(Result::unwrap);
        drop(program);
        // Kept in the interval before at the latest.
        let old = answered.filter(|at| *at < begun).count() as u64;
        assert!(old > 0, "the requests of this round tell nothing");
        booked = settled + old * TOKENS;
    }
}

/// When requests were answered, one after the other, until the end.
async fn answers(address: SocketAddr, ends: Arc<AtomicBool>) -> Vec<Instant> {
    let (mut answered, mut client) = (Vec::new(), weir_tests::Client::connect(address).await);
    while !ends.load(SeqCst) {
        client.send(&OPENAI.request("openai", false)).await;
        assert_eq!(client.reply().await.status(), 200);
        answered.push(Instant::now());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    answered
}

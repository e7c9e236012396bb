//! One log line for each request, whatever its outcome.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weir_tests::{Answer, Client, Folder, Gate, Program, Request, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, EVERY, OPENAI, PROVIDERS, TEXT, TOKENS, WireFormat, ZETA, config, config_of};

/// A gateway in a separate process, whose log is read.
struct Logged {
    program: Program,
    address: std::net::SocketAddr,
    _folder: Folder,
}

impl Logged {
    fn start(config: &str) -> Self {
        let folder = Folder::with(&["openai", "anthropic", "gemini", "zeta"]);
        let cache = weir_tests::plugins::target().join("test-cache");
        let program = Program::start(&folder, &cache, config);
        let address = program.address();
        Self { program, address, _folder: folder }
    }

    async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Sends a request with this id; returns the status and the log line of its end.
    async fn line(&self, id: &str, request: Request) -> (u16, Value) {
        let mut client = self.client().await;
        client.send(&request.header("x-request-id", id)).await;
        let status = client.reply().await.status();
        (status, self.of(id))
    }

    /// The line of the request with this id.
    fn of(&self, id: &str) -> Value {
        loop {
            // The id may be in other lines as well.
            let line = self.program.until(id);
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["target"] == "weir::access" {
                return line;
            }
        }
    }

    /// Checks that each request has one line, and that all lines during a request have its id.
    fn once(&self) {
        let log = self.program.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for line in lines.filter(|line| line["target"] == "weir::access") {
            *count.entry(line["request_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert!(count.values().all(|count| *count == 1), "{count:?}");
        assert!(!log.contains("KEY-OF-") && !log.contains("-0123456789"), "{log}");
    }
}

/// A provider that answers in the request's own format, streamed if requested.
async fn provider() -> Upstream {
    Upstream::scripted(|request| {
        let wire_format = ALL.into_iter().find(|wire_format| match wire_format.name {
            "openai" => request.line().contains("/chat/completions"),
            "anthropic" => request.line().contains("/messages"),
            _ => request.line().contains("parley"),
        });
        let wire_format = wire_format.unwrap_or(ZETA);
        let body = request.text();
        let streams = request.line().contains("drip") || body.contains("\"stream\":true");
        if streams { wire_format.streamed() } else { Answer::json(200, wire_format.whole()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_leaves_one_line_in_both_lanes_whole_and_streamed() {
    let upstream = provider().await;
    let logged = Logged::start(&config(&upstream));
    for from in ALL {
        for to in ALL {
            for (model, stream) in [(to.name.to_owned(), false), (to.name.to_owned(), true), (to.translated(), true)] {
                let id = format!("id-{}-{model}-{stream}", from.name);
                let (status, line) = logged.line(&id, from.request(&model, stream)).await;
                assert_eq!((status, &line["status"], &line["outcome"]), (200, &200.into(), &"ok".into()), "{line}");
                let lane = if model == from.name { "relay" } else { "translate" };
                assert_eq!((&line["lane"], &line["provider"]), (&lane.into(), &to.name.into()), "{line}");
                assert_eq!((&line["alias"], &line["model"]), (&model.as_str().into(), &to.name.into()), "{line}");
                assert_eq!((&line["attempts"], &line["operation"]), (&1.into(), &"chat".into()), "{line}");
                assert!(line["adapter"].as_str().unwrap().starts_with(&format!("{}@", to.name)), "{line}");
                let tokens = |name: &str| line[name].as_u64().unwrap_or_default();
                assert_eq!(tokens("input_tokens") + tokens("cache_read_tokens"), TOKENS.input, "{line}");
                assert_eq!(tokens("output_tokens") + tokens("reasoning_tokens"), TOKENS.output, "{line}");
                assert_eq!(line["estimated"], false, "{line}");
                assert_eq!(line["first_token_ms"].is_number(), stream, "{line}");
                assert!(line["own_ms"].as_f64() <= line["duration_ms"].as_f64(), "{line}");
                assert!(line["client"].is_null() && line["error"].is_null() && line["tried"].is_null(), "{line}");
            }
        }
    }
    let (_, line) = logged.line("id-list", Request::get("/v1/models")).await;
    assert_eq!((&line["outcome"], &line["operation"], &line["attempts"]), (&"ok".into(), &"models".into(), &0.into()));
    logged.once();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_its_line_too() {
    let upstream = provider().await;
    let clients = "[[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\nmodels = [\"openai*\"]\n\
                   [[clients]]\nname = \"few\"\nkey = \"weir-few-0123456789\"\nlimits = { requests_per_minute = 1 }\n";
    let logged = Logged::start(&format!("[server]\nmax_body_bytes = \"16KiB\"\n{}{clients}", config(&upstream)));
    let with = |request: Request, key: &str| request.header("authorization", &format!("Bearer {key}"));
    let chat = || OPENAI.request("openai", false);
    let large = format!("{{\"model\":\"openai\",\"pad\":\"{}\"}}", "x".repeat(20_000));
    let some = "weir-some-0123456789";
    let few = "weir-few-0123456789";
    for (n, (request, status, client, error)) in [
        (chat(), 401, None, "no API key"),
        (with(chat(), "weir-wrong-0123456789"), 401, None, "not known"),
        (with(OPENAI.request("anthropic", true), some), 403, Some("some"), "may not use"),
        (with(Request::get("/v1/files"), some), 403, Some("some"), "may not use the operation"),
        (with(Request::get("/v1/models/anthropic"), some), 404, Some("some"), "not known"),
        (with(Request::get("/v1/nowhere"), some), 404, None, "nothing is served"),
        (with(Request::get("/v1/chat/completions"), some), 405, None, "is not served"),
        (with(Request::post("/v1/chat/completions", &large), some), 413, Some("some"), "larger"),
        (with(Request::post("/v1/chat/completions", "{"), some), 400, Some("some"), "cannot be read"),
        (with(chat(), few), 200, Some("few"), ""),
        (with(chat(), few), 429, Some("few"), "requests"),
    ]
    .into_iter()
    .enumerate()
    {
        let (answered, line) = logged.line(&format!("id-refused-{n}."), request).await;
        assert_eq!((answered, &line["status"]), (status, &status.into()), "{line}");
        assert_eq!(line["client"].as_str(), client, "{line}");
        assert_eq!(line["outcome"], if status == 200 { "ok" } else { "refused" }, "{line}");
        assert!(line["error"].as_str().unwrap_or_default().contains(error), "{error}: {line}");
        assert!(line["address"] == "127.0.0.1" && line["method"].is_string() && line["path"].is_string(), "{line}");
    }
    logged.once();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_reports_the_attempts_and_the_providers_message() {
    let error = |wire_format: WireFormat, status: u16| {
        let words = format!("the model has a cold, says KEY-OF-{}", wire_format.name);
        let error = json!({"type": "invalid_request_error", "message": words});
        let body =
            if wire_format == ANTHROPIC { json!({"type": "error", "error": error}) } else { json!({"error": error}) };
        Answer::json(status, body.to_string())
    };
    let upstream = Upstream::always(Answer::default()).await;
    let logged = Logged::start(&config_of(&PROVIDERS, &upstream));
    for from in PROVIDERS {
        for status in [400, 404, 500, 503] {
            upstream.now(error(from, status));
            for (model, lane) in [(from.name.to_owned(), "relay"), (from.translated(), "translate")] {
                for stream in [false, true] {
                    let id = format!("id-{model}-{status}-{stream}.");
                    let (answered, line) = logged.line(&id, from.request(&model, stream)).await;
                    assert_eq!(
                        (answered, &line["status"], &line["outcome"]),
                        (status, &status.into(), &"failed".into()),
                        "{line}"
                    );
                    assert!(line["error"].as_str().unwrap().contains("the model has a cold"), "{line}");
                    assert!(line["tried"].as_str().unwrap().starts_with(&format!("{0}/{0}=", from.name)), "{line}");
                    assert_eq!(line["lane"], lane, "{line}");
                    let log = logged.program.log();
                    let failed =
                        log.lines().find(|line| line.contains("attempt failed") && line.contains(&id)).unwrap();
                    assert!(failed.contains("the model has a cold"), "the provider's own words: {failed}");
                }
            }
        }
    }
    logged.once();
}

#[tokio::test(flavor = "multi_thread")]
async fn skipped_targets_are_in_the_log_line() {
    let upstream = provider().await;
    let small = "[[models]]\nalias = \"small\"\ntarget = { provider = \"openai\", model = \"openai\" }\n\
                 capabilities = { context = 1 }\n";
    let logged = Logged::start(&format!(
        "{}{small}fallbacks = [\"anthropic\"]\n{}",
        config(&upstream),
        small.replace("small", "blind").replace("context = 1", "vision = false")
    ));
    let (status, line) = logged.line("id-small.", OPENAI.request("small", false)).await;
    assert_eq!((status, &line["tried"]), (200, &"openai/openai=skipped:context".into()), "{line}");
    assert_eq!((&line["provider"], &line["lane"]), (&"anthropic".into(), &"translate".into()), "{line}");
    let image = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}"#;
    let looks = format!(r#"{{"model":"blind","messages":[{{"role":"user","content":[{image}]}}]}}"#);
    let (status, line) = logged.line("id-blind.", OPENAI.request("blind", false).body(looks)).await;
    assert_eq!((status, &line["tried"]), (400, &"openai/openai=skipped:vision".into()), "{line}");
    assert!(line["lane"].is_null() && line["attempts"] == 0, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_shows_the_secrets_that_a_provider_quotes() {
    const SECRET: &str = "sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc";
    let told = format!("Invalid value for user: ada.king@analytical-engines.org with {SECRET}");
    let body = json!({"error": {"message": told, "type": "invalid_request_error", "param": "user", "code": null}});
    let upstream = Upstream::always(Answer::json(400, body.to_string())).await;
    let logged = Logged::start(&config_of(&[OPENAI], &upstream));
    // The rules are compiled beside the requests; lines before that leave out what may be a secret.
    let until_cleaned = async {
        for number in 0.. {
            let from = if number % 2 == 0 { OPENAI } else { ANTHROPIC };
            let (status, line) = logged.line(&format!("id-{number}."), from.request("openai", false)).await;
            assert_eq!(status, 400, "{line}");
            let error = line["error"].as_str().unwrap();
            assert!(error.contains("Invalid value for user: "), "{error}");
            if number > 1 && error.contains("user1@example.com with sk-proj-xxxx") {
                return;
            }
        }
    };
    weir_tests::soon("a line that is cleaned", until_cleaned).await;
    let log = logged.program.log();
    assert!(log.contains("attempt failed"), "{log}");
    for part in ["Zx81", "ada.king"] {
        assert!(!log.contains(part), "{part}: {log}");
    }
}

/// A server that sends an error's head and delays its body is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_whose_body_stalls_is_reported_all_the_same() {
    let upstream = Upstream::always(Answer::default()).await;
    let logged = Logged::start(&config(&upstream));
    let gate = Gate::default();
    upstream.now(Answer::begin(503, &[("content-type", "application/json")]).gate(&gate).piece("{}").end());
    let mut client = logged.client().await;
    client.send(&OPENAI.request("openai", false).header("x-request-id", "id-slow.")).await;
    assert_eq!(client.head().await.status, 503);
    gate.open();
    assert_eq!(client.rest().await, (b"{}".to_vec(), false));
    assert!(logged.of("id-slow.")["error"].as_str().unwrap().contains("503"));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_outlast_the_stop_end_with_an_error_and_are_booked_as_broken() {
    let upstream = Upstream::scripted(|request| {
        let own = EVERY.into_iter().find(|one| {
            let path = match one.name {
                "openai" => "/chat/completions",
                "anthropic" => "/messages",
                "gemini" => "streamGenerateContent",
                _ => "parley",
            };
            request.line().contains(path)
        });
        let own = own.unwrap();
        own.stream().iter().take(2).fold(own.begin(), Answer::piece).hang()
    })
    .await;
    let logged = Logged::start(&format!("[server]\nshutdown_timeout = \"50ms\"\n{}", config_of(&EVERY, &upstream)));
    let mut open = Vec::new();
    for from in EVERY {
        for model in [from.name.to_owned(), from.translated()] {
            let id = format!("id-of-{model}.");
            let mut client = logged.client().await;
            client.send(&from.request(&model, true).header("x-request-id", &id)).await;
            assert_eq!(client.head().await.status, 200, "{model}");
            client.until(TEXT.split_at(6).0).await;
            open.push((client, model, id));
        }
    }
    logged.program.stop();
    for (client, model, _) in &mut open {
        let (rest, is_cut) = client.rest().await;
        let rest = String::from_utf8(rest).unwrap();
        assert!(is_cut && rest.contains("send the request again"), "{model}: {rest}");
    }
    logged.program.until("\"message\":\"stopped\"");
    let log = logged.program.log();
    for (_, _, id) in open {
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["target"] == "weir::access" && line["request_id"] == id).unwrap();
        assert_eq!((&line["status"], &line["outcome"]), (&200.into(), &"cut".into()), "{line}");
        assert!(line["output_tokens"].as_u64().unwrap() > 0, "what arrived is not free: {line}");
    }
    logged.once();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_and_a_broken_answer_are_distinguished() {
    for from in [OPENAI, ANTHROPIC, ZETA] {
        for model in [from.name.to_owned(), from.translated()] {
            let gate = Gate::default();
            let begun = |answer: Answer| from.stream().iter().take(2).fold(answer, Answer::piece);
            let mut upstream = Upstream::always(begun(from.begin()).gate(&gate).reset()).await;
            let logged = Logged::start(&config(&upstream));
            let mut leaving = logged.client().await;
            leaving.send(&from.request(&model, true).header("x-request-id", "id-left.")).await;
            assert_eq!(leaving.head().await.status, 200);
            leaving.piece().await.unwrap();
            leaving.leave();
            let line = logged.of("id-left.");
            assert_eq!((&line["status"], &line["outcome"]), (&200.into(), &"cancelled".into()), "{line}");
            let mut broken = logged.client().await;
            broken.send(&from.request(&model, true).header("x-request-id", "id-broken.")).await;
            assert_eq!(broken.head().await.status, 200);
            broken.piece().await.unwrap();
            gate.open();
            gate.open();
            drop(broken.rest().await);
            let line = logged.of("id-broken.");
            assert_eq!(line["outcome"], "cut", "{line}");
            upstream.now(Answer::silence());
            let mut waiting = logged.client().await;
            waiting.send(&from.request(&model, true).header("x-request-id", "id-waiting.")).await;
            for _ in ["left", "broken", "waiting"] {
                upstream.request().await;
            }
            waiting.leave();
            let line = logged.of("id-waiting.");
            assert_eq!((&line["status"], &line["outcome"]), (&499.into(), &"cancelled".into()), "{line}");
            logged.once();
            let log = logged.program.log();
            for message in ["stream broke", "relayed answer broke"] {
                let own = |line: &&str| line.contains(message) && !line.contains("\"request_id\":\"id-broken.\"");
                assert!(log.lines().find(own).is_none(), "{log}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_access_log_there_is_none() {
    let upstream = provider().await;
    let logged = Logged::start(&format!("[server]\naccess_log = false\n{}", config(&upstream)));
    let mut client = logged.client().await;
    client.send(&OPENAI.request("openai", false)).await;
    assert_eq!(client.reply().await.status(), 200);
    client.send(&Request::post("/admin/config/reload", "")).await;
    client.reply().await;
    assert!(!logged.program.log().contains("weir::access"));
}

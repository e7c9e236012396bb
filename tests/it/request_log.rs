//! The request log: one fact for each request, whatever its outcome, read over the admin endpoints; and requests that
//! are served whatever the store does.

mod bodies;
mod bytes_out;
mod costs;
mod dimensions;
mod entry_points;
mod erase;
mod fixtures;
mod killed;
mod reported_costs;
mod trouble;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use weir_test_postgres::Database;
use weir_tests::{Answer, Client, Folder, Gate, Program, Reply, Request, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, TOKENS, WireFormat, ZETA, config_of};

/// The admin token of these tests.
const TOKEN: &str = "the-token-of-the-operator-0123";

/// A gateway in a process of its own, with its folder.
struct Kept {
    program: Program,
    address: std::net::SocketAddr,
    folder: Folder,
}

impl Kept {
    fn start(config: &str) -> Self {
        Self::start_in(Folder::with(&["openai", "anthropic", "zeta"]), config)
    }

    fn start_in(folder: Folder, config: &str) -> Self {
        Self::start_as(std::process::Command::new(weir_tests::program::file()), folder, config)
    }

    fn start_as(command: std::process::Command, folder: Folder, config: &str) -> Self {
        let cache = weir_tests::plugins::target().join("test-cache");
        let config = format!("{config}\n[admin]\ntoken = \"{TOKEN}\"\n");
        let program = Program::start_as(command, &folder, &cache, &config);
        let address = program.address();
        Self { program, address, folder }
    }

    async fn ask(&self, request: &Request) -> Reply {
        weir_tests::program::ask(self.address, request).await
    }

    /// An admin page.
    async fn admin(&self, path: &str) -> Reply {
        self.ask(&Request::get(path).header("authorization", &format!("Bearer {TOKEN}"))).await
    }

    /// The requests that meet a search, once there are so many.
    async fn found(&self, search: &str, count: usize) -> Vec<Value> {
        let mut last = Value::Null;
        for _ in 0..2_000 {
            let reply = self.admin(&format!("/admin/v1/requests?limit=1000&{search}")).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            last = reply.json();
            let items = last["items"].as_array().unwrap();
            if items.len() >= count {
                assert_eq!(items.len(), count, "{last}");
                return items.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{search} finds {last}\n{}", self.program.log());
    }

    /// The fact of a request.
    async fn of(&self, id: &str) -> Value {
        self.found(&format!("client_request_id={id}"), 1).await.remove(0)
    }

    fn stop(&self) {
        let id = self.program.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.program.until("stopped");
    }
}

/// A provider that answers in the request's own format, streamed if requested.
async fn provider() -> Upstream {
    Upstream::scripted(|request| {
        let line = request.line().to_owned();
        let wire_format = [(OPENAI, "/chat/completions"), (ANTHROPIC, "/messages")];
        let wire_format =
            wire_format.into_iter().find(|(_, path)| line.contains(path)).map_or(ZETA, |(wire_format, _)| wire_format);
        let streams = line.contains("drip") || request.text().contains("\"stream\":true");
        if streams { wire_format.streamed() } else { Answer::json(200, wire_format.whole()) }
    })
    .await
}

fn text<'a>(fact: &'a Value, name: &str) -> &'a str {
    fact[name].as_str().unwrap_or_else(|| panic!("no text {name} in {fact}"))
}

fn number(fact: &Value, name: &str) -> u64 {
    fact[name].as_u64().unwrap_or_default()
}

fn check_answered(fact: &Value, from: WireFormat, to: WireFormat, model: &str) {
    let lane = if model == from.name { "relay" } else { "translate" };
    for (name, expected) in [
        ("lane", lane),
        ("provider", to.name),
        ("model_asked", model),
        ("model_served", to.name),
        ("operation", "chat"),
        ("outcome", "ok"),
        ("finish", if lane == "relay" { "" } else { "stop" }),
        ("error_kind", ""),
        ("adapter", to.name),
        ("target", &format!("{0}/{0}", to.name)),
    ] {
        assert_eq!(text(fact, name), expected, "{name}: {fact}");
    }
    assert_eq!((number(fact, "status"), text(fact, "adapter_digest").len()), (200, 64), "{fact}");
    let tokens = &fact["tokens"];
    assert_eq!(number(tokens, "input") + number(tokens, "cache_read"), TOKENS.input, "{fact}");
    assert_eq!(number(tokens, "output") + number(tokens, "reasoning"), TOKENS.output, "{fact}");
    assert!(number(fact, "total_us") >= number(fact, "own_us") && number(fact, "own_us") > 0, "{fact}");
    assert!(number(fact, "bytes_in") > 20 && number(fact, "bytes_out") > 20, "{fact}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_leaves_one_fact_in_both_lanes_whole_and_streamed() {
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&ALL, &upstream));
    let mut ids = BTreeSet::new();
    for from in ALL {
        for to in ALL {
            for (model, stream) in [(to.name.to_owned(), false), (to.name.to_owned(), true), (to.translated(), true)] {
                let id = format!("id-{}-{model}-{stream}", from.name);
                let reply = kept.ask(&from.request(&model, stream).header("x-request-id", &id)).await;
                assert_eq!(reply.status(), 200, "{}", reply.text());
                let fact = kept.of(&id).await;
                check_answered(&fact, from, to, &model);
                assert_eq!(Some(text(&fact, "id")), reply.header("x-weir-request-id"));
                assert_eq!(fact["first_token_us"].is_number(), stream, "{fact}");
                assert!(ids.insert(text(&fact, "id").to_owned()));
                let one = kept.admin(&format!("/admin/v1/requests/{}", text(&fact, "id"))).await.json();
                assert_eq!(one["explained"]["adapter"]["digest"], fact["adapter_digest"], "{one}");
            }
        }
    }
    let pages = kept.admin("/admin/v1/requests?limit=10").await.json();
    let next = kept.admin(&format!("/admin/v1/requests?cursor={}", text(&pages, "next_cursor"))).await.json();
    let listed = [&pages, &next].into_iter().flat_map(|page| page["items"].as_array().unwrap());
    let mut listed: Vec<&str> = listed.map(|item| text(item, "id")).collect();
    listed.reverse();
    assert_eq!(listed, ids.iter().map(String::as_str).collect::<Vec<_>>(), "newest first, and in the order of time");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_has_the_time_when_it_began_and_how_long_it_took() {
    let upstream = Upstream::scripted(|request| {
        let to = WireFormat::of(request);
        match to.wants_stream(request) {
            _ if request.text().contains("\"broken\"") => Answer::json(500, "{}"),
            true => to.streamed(),
            false => Answer::json(200, to.whole()),
        }
    })
    .await;
    let model = "[[models]]\nalias = \"patient\"\ntargets = [{ provider = \"openai\", model = \"broken\" }, \
                 { provider = \"anthropic\", model = \"m\" }]\n\
                 [[models]]\nalias = \"hopeless\"\ntarget = { provider = \"openai\", model = \"broken\" }\n";
    let kept = Kept::start(&(config_of(&[OPENAI, ANTHROPIC], &upstream) + model));
    for (from, stream) in [(OPENAI, false), (OPENAI, true), (ANTHROPIC, false), (ANTHROPIC, true)] {
        let id = format!("id-{}-{stream}", from.name);
        let reply = kept.ask(&from.request("patient", stream).header("x-request-id", &id)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let fact = kept.of(&id).await;
        let [failed, answered] = fact["attempts"].as_array().unwrap().as_slice() else { panic!("two in {fact}") };
        assert_eq!((text(failed, "target"), text(failed, "failed")), ("openai/broken", "upstream"), "{fact}");
        assert_eq!((text(answered, "target"), number(answered, "status")), ("anthropic/m", 200), "{fact}");
        let times = [failed, answered].map(|one| ["began_us", "took_us"].map(|name| number(one, name)));
        let [[first, lasted], [second, took]] = times;
        assert!(first > 0 && lasted > 0 && took > 0, "{fact}");
        assert!(second >= first + lasted, "the second begins when the first has failed: {fact}");
        assert!(second + took <= number(&fact, "total_us"), "{fact}");
    }
    assert_ne!(kept.ask(&OPENAI.request("hopeless", false).header("x-request-id", "id-2")).await.status(), 200);
    let fact = kept.of("id-2").await;
    let [failed] = fact["attempts"].as_array().unwrap().as_slice() else { panic!("one in {fact}") };
    assert!(number(failed, "took_us") > 0 && failed["began_us"].is_u64(), "{fact}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fact_of_a_hedged_request_is_that_of_the_answer_it_got() {
    let upstream = Upstream::scripted(|request| match request.text().contains("\"slow\"") {
        true => Answer::silence(),
        false if ANTHROPIC.wants_stream(request) => ANTHROPIC.streamed(),
        false => Answer::json(200, ANTHROPIC.whole()),
    })
    .await;
    let model = "[[models]]\nalias = \"both\"\nhedge = \"100ms\"\ntargets = [{ provider = \"openai\", model = \"slow\" }, \
                 { provider = \"anthropic\", model = \"m\" }]\n";
    let kept = Kept::start(&(config_of(&[OPENAI, ANTHROPIC], &upstream) + model));
    for stream in [false, true] {
        let id = format!("id-{stream}");
        let reply = kept.ask(&OPENAI.request("both", stream).header("x-request-id", &id)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let fact = kept.of(&id).await;
        let told = ["target", "lane", "finish"].map(|name| text(&fact, name));
        assert_eq!(told, ["anthropic/m", "translate", "stop"], "{fact}");
        assert!(
            number(&fact["attempts"][0], "began_us") >= 100_000,
            "it began when the first had been silent for so long: {fact}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_requests_are_logged_by_client_and_no_client_reads_the_log() {
    let upstream = provider().await;
    let clients = "[[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\nteam = \"red\"\ntags = [\"batch\"]\n\
                   [[clients]]\nname = \"few\"\nkey = \"weir-few-0123456789\"\nlimits = { requests_per_minute = 1 }\n";
    let kept = Kept::start(&format!("{}{clients}", config_of(&[OPENAI], &upstream)));
    let with = |model: &str, key: &str| {
        OPENAI.request(model, false).header("authorization", &format!("Bearer weir-{key}-0123456789"))
    };
    for (id, request, status, key, kind) in [
        ("id-none", OPENAI.request("openai", false), 401, "", "authentication"),
        ("id-wrong", with("openai", "wrong"), 401, "", "authentication"),
        ("id-model", with("nothing", "some"), 404, "some", "not_found"),
        ("id-well", with("openai", "some"), 200, "some", ""),
        ("id-first", with("openai", "few"), 200, "few", ""),
        ("id-second", with("openai", "few"), 429, "few", "rate_limited"),
    ] {
        let reply = kept.ask(&request.header("x-request-id", id)).await;
        assert_eq!(reply.status(), status, "{id}: {}", reply.text());
        let fact = kept.of(id).await;
        let found = (number(&fact, "status"), text(&fact, "key"), text(&fact, "error_kind"));
        assert_eq!(found, (status.into(), key, kind), "{fact}");
        assert_eq!(text(&fact, "outcome"), if status == 200 { "ok" } else { "refused" }, "{fact}");
    }
    let facts = kept.found("key=some", 2).await;
    assert!(facts.iter().all(|fact| fact["team"] == "red" && fact["tags"]["batch"] == ""), "{facts:?}");
    assert_eq!(kept.found("status=4xx", 4).await.len(), 4);
    assert_eq!(kept.found("error=NOT%20KNOWN&status=401", 1).await[0]["client_request_id"], "id-wrong");
    for page in ["", "/tail", "/export"] {
        for key in [None, Some("Bearer weir-some-0123456789")] {
            let request = Request::get(&format!("/admin/v1/requests{page}"));
            let request = key.iter().fold(request, |request, key| request.header("authorization", key));
            assert_eq!(kept.ask(&request).await.status(), 401, "{page}");
        }
    }
    let wrong = kept.admin("/admin/v1/requests?colour=red").await;
    assert_eq!((wrong.status(), wrong.json()["error"]["code"].as_str()), (400, Some("bad_parameter")));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_break_and_clients_that_leave_are_logged_with_what_came() {
    for from in [OPENAI, ZETA] {
        for model in [from.name.to_owned(), from.translated()] {
            let gate = Gate::default();
            let begun = |answer: Answer| from.stream().iter().take(2).fold(answer, Answer::piece);
            let upstream = Upstream::always(begun(from.begin()).gate(&gate).reset()).await;
            let kept = Kept::start(&config_of(&[from], &upstream));
            for (id, breaks) in [("id-left", false), ("id-cut", true)] {
                let mut client = Client::connect(kept.address).await;
                client.send(&from.request(&model, true).header("x-request-id", id)).await;
                assert_eq!(client.head().await.status, 200);
                client.piece().await.unwrap();
                if breaks {
                    gate.open();
                    gate.open();
                    drop(client.rest().await);
                } else {
                    client.leave();
                }
                let fact = kept.of(id).await;
                let (outcome, kind) = if breaks { ("cut", "broken") } else { ("cancelled", "") };
                assert_eq!((text(&fact, "outcome"), text(&fact, "error_kind")), (outcome, kind), "{fact}");
                assert!(number(&fact, "bytes_out") > 0 && number(&fact, "status") == 200, "{fact}");
                assert_eq!(fact["estimated"], true, "the provider did not come to tell its usage: {fact}");
                assert!(number(&fact["tokens"], "input") > 0, "{fact}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_survives_a_kill_and_a_new_process_goes_on() {
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    for n in 0..5 {
        let request = OPENAI.request("openai", false).header("x-request-id", &format!("id-{n}"));
        assert_eq!(kept.ask(&request).await.status(), 200);
    }
    kept.found("", 5).await;
    let Kept { program, folder, .. } = kept;
    // A kill without notice.
    drop(program);
    let kept = Kept::start_in(folder, &config_of(&[OPENAI], &upstream));
    kept.found("", 5).await;
    let request = OPENAI.request("openai", false).header("x-request-id", "id-after");
    assert_eq!(kept.ask(&request).await.status(), 200);
    kept.found("", 6).await;
    // An orderly end writes what waits.
    let request = OPENAI.request("openai", false).header("x-request-id", "id-last");
    assert_eq!(kept.ask(&request).await.status(), 200);
    kept.stop();
    let Kept { program, folder, .. } = kept;
    drop(program);
    Kept::start_in(folder, &config_of(&[OPENAI], &upstream)).of("id-last").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_takes_no_file_costs_the_log_and_no_request() {
    let upstream = provider().await;
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    // Rights do not keep root from writing, but a folder in the place of a file does.
    std::fs::create_dir(folder.path().join("weir.db.lock")).unwrap();
    let kept = Kept::start_in(folder, &config_of(&[OPENAI], &upstream));
    assert_eq!(kept.ask(&OPENAI.request("openai", false)).await.status(), 200);
    let reply = kept.admin("/admin/v1/requests").await;
    assert_eq!((reply.status(), reply.json()["error"]["code"].as_str()), (501, Some("no_store")));
    assert_eq!(kept.admin("/ready").await.json()["store"]["kind"], "none");
    assert_eq!(kept.program.log().matches("no request log is kept").count(), 1, "{}", kept.program.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_a_budget_ended_says_so_in_its_fact() {
    let upstream = Upstream::scripted(|_| {
        let pieces = OPENAI.stream();
        let head = Answer::sse().piece(&pieces[0]);
        (0..1200).fold(head, |answer, _| answer.piece(pieces[1].repeat(10))).end()
    })
    .await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 2000\nper = \"month\"\nabort_at = 1.1\n";
    for (from, id) in [(OPENAI, "relayed"), (ANTHROPIC, "translated")] {
        let kept = Kept::start(&(config_of(&[OPENAI], &upstream) + budget));
        let reply = kept.ask(&from.request("openai", true).header("x-request-id", id)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let fact = kept.of(id).await;
        assert!(text(&fact, "error_text").contains("abort_at"), "{fact}");
        assert_eq!((text(&fact, "outcome"), number(&fact, "status")), ("cut", 200), "{fact}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_of_an_error_is_kept_without_the_secrets_that_a_provider_quotes() {
    const SECRET: &str = "sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc";
    let told = format!("Invalid value for 'user': ada.king@analytical-engines.org with {SECRET}, CUST-4711.");
    let body = json!({"error": {"message": told, "type": "invalid_request_error", "param": "user", "code": null}});
    let upstream = Upstream::always(Answer::json(400, body.to_string())).await;
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let rule = "[[rule]]\nname = \"customer\"\npattern = 'CUST-\\d+'\nreplace = \"CUST-0\"\n";
    std::fs::write(folder.path().join("own.toml"), rule).unwrap();
    let config = config_of(&[OPENAI], &upstream) + "[store]\nredaction_rules = \"own.toml\"\n";
    let kept = Kept::start_in(folder, &config);
    for (from, streamed) in [(OPENAI, false), (ANTHROPIC, false), (ANTHROPIC, true), (ZETA, false)] {
        let id = format!("{}-{streamed}", from.name);
        let reply = kept.ask(&from.request("openai", streamed).header("x-request-id", &id)).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        let fact = kept.of(&id).await;
        let whole = fact.to_string();
        assert!(!whole.contains(SECRET) && !whole.contains("ada.king") && !whole.contains("4711"), "{id}: {whole}");
        if from != OPENAI {
            let error = text(&fact, "error_text");
            assert!(error.contains("Invalid value for 'user': ") && error.contains("CUST-0"), "{id}: {error}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn many_requests_that_are_refused_right_after_a_start_wait_for_the_rules_without_a_thread_each() {
    const REQUESTS: usize = 64;
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    let requests: Vec<_> = (0..REQUESTS).map(|_| OPENAI.request("no-such-model", false)).collect();
    let replies = futures_util::future::join_all(requests.iter().map(|request| kept.ask(request))).await;
    assert!(replies.iter().all(|reply| reply.status() == 404));
    // Threads for blocking work stay for ten seconds.
    let status = std::fs::read_to_string(format!("/proc/{}/status", kept.program.id())).unwrap();
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap().trim();
    assert!(threads.parse::<usize>().unwrap() < 40, "{threads} threads");
    let facts = kept.found("model=no-such-model", REQUESTS).await;
    assert!(facts.iter().all(|fact| text(fact, "error_text").contains("no-such-model")), "{:?}", facts.first());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_where_the_text_of_an_error_is_cut_leaves_no_half_of_itself() {
    const SECRET: &str = "sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc";
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    // Adapters cut it behind the 1,000th character, where less of the key may stand than the rules know it by.
    for before in [980, 986] {
        let told = format!("{}{SECRET} {}", "a ".repeat(before / 2), "b ".repeat(6_000));
        let body = json!({"error": {"message": told, "type": "invalid_request_error", "param": null, "code": null}});
        upstream.now(Answer::json(400, body.to_string()));
        let id = before.to_string();
        let reply = kept.ask(&ANTHROPIC.request("openai", false).header("x-request-id", &id)).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        let fact = kept.of(&id).await;
        let error = text(&fact, "error_text");
        assert!(error.len() > 900 && !error.contains("Zx8"), "{id}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_agree_with_facts_and_costs_are_explained_line_by_line() {
    let upstream = provider().await;
    let priced = "[[models]]\nalias = \"dear\"\ntarget = { provider = \"openai\", model = \"openai\", \
                  price = { input = 1000, output = 2000, cache_read = 500 } }\n";
    let client = "[[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\nteam = \"red\"\n";
    let kept = Kept::start(&format!("{}{priced}{client}", config_of(&[OPENAI], &upstream)));
    for (n, model) in ["dear", "dear", "openai"].into_iter().enumerate() {
        let request = OPENAI.request(model, false).header("x-request-id", &format!("id-{n}"));
        let reply = kept.ask(&request.header("authorization", "Bearer weir-some-0123456789")).await;
        assert_eq!(reply.status(), 200);
    }
    let facts = kept.found("model=openai", 3).await;
    let cost: u64 = facts.iter().map(|fact| number(fact, "cost_nano")).sum();
    assert!(cost > 0, "{facts:?}");
    let dear = kept.of("id-0").await;
    let one = kept.admin(&format!("/admin/v1/requests/{}", text(&dear, "id"))).await.json();
    let lines = one["explained"]["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["measure"] == "output") && lines.len() > 1, "{one}");
    assert!(one["explained"]["adapter"]["places"][0]["pointers"].is_array(), "{one}");
    for (by, name) in [("key", "some"), ("team", "red"), ("provider", "openai"), ("model", "openai")] {
        let mut sums = Value::Null;
        for _ in 0..2_000 {
            sums = kept.admin(&format!("/admin/v1/usage?by={by}")).await.json();
            if sums["items"][0]["requests"] == 3 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let sum = &sums["items"][0];
        assert_eq!(
            (text(sum, "name"), number(sum, "requests"), number(sum, "unpriced_requests")),
            (name, 3, 1),
            "{sums}"
        );
        assert_eq!(number(sum, "cost_nano"), cost, "{sums}");
        let tokens = &sum["tokens"];
        assert_eq!(number(tokens, "output") + number(tokens, "reasoning"), 3 * TOKENS.output, "{sums}");
    }
    let backwards = kept.admin("/admin/v1/usage?from=2026-11-02&to=2026-11-01").await;
    assert_eq!(backwards.status(), 400, "{}", backwards.text());
    let exported = kept.admin("/admin/v1/requests/export?model=openai").await.text();
    assert_eq!(exported.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 3, "{exported}");
    let audit = kept.admin("/admin/v1/audit").await.json();
    assert!(audit["items"].is_array(), "{audit}");
    assert_eq!(kept.admin("/admin/v1/audit/check").await.json()["intact"], true);
    for list in ["requests", "audit", "keys", "budgets", "limits"] {
        for (limit, status) in [("0", 400), ("1001", 400), ("-1", 400), ("1", 200), ("1000", 200)] {
            let page = kept.admin(&format!("/admin/v1/{list}?limit={limit}")).await;
            assert_eq!(page.status(), status, "{list}, {limit}: {}", page.text());
        }
    }
    // All requests are sent there, so that a limit would be a mistake.
    assert_eq!(kept.admin("/admin/v1/requests/export?limit=1").await.status(), 400);
    let metrics = kept.admin("/metrics").await.text();
    assert!(metrics.contains("weir_request_log_written_total{what=\"fact\"} 3"), "{metrics}");
    assert_eq!(kept.admin("/ready").await.json()["store"]["log"], "working");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_shows_requests_as_they_end() {
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    let mut tail = Client::connect(kept.address).await;
    let path = "/admin/v1/requests/tail?model=openai";
    tail.send(&Request::get(path).header("authorization", &format!("Bearer {TOKEN}"))).await;
    assert_eq!(tail.head().await.status, 200);
    for (id, model) in [("id-other", "nothing"), ("id-seen", "openai")] {
        kept.ask(&OPENAI.request(model, false).header("x-request-id", id)).await;
    }
    let mut seen = String::new();
    while !seen.contains("\n\n") {
        seen.push_str(&String::from_utf8(tail.piece().await.unwrap().unwrap()).unwrap());
    }
    assert!(seen.contains("event: request") && seen.contains("id-seen") && !seen.contains("id-other"), "{seen}");
    kept.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_ends_when_its_key_is_revoked() {
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    let admin = |method: &str, path: &str| {
        Request::new(method, &format!("/admin/v1{path}")).header("authorization", &format!("Bearer {TOKEN}"))
    };
    let made = r#"{"name": "reader", "grants": [{"access": "read"}]}"#;
    let made = kept.ask(&admin("POST", "/keys").header("content-type", "application/json").body(made)).await.json();
    let mut tail = Client::connect(kept.address).await;
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    tail.send(&Request::get("/admin/v1/requests/tail").header("authorization", &bearer)).await;
    assert_eq!(tail.head().await.status, 200);
    let ask = |id: &str| OPENAI.request("openai", false).header("authorization", &bearer).header("x-request-id", id);
    kept.ask(&ask("before")).await;
    let mut seen = String::new();
    while !seen.contains("\n\n") {
        seen.push_str(&String::from_utf8(tail.piece().await.unwrap().unwrap()).unwrap());
    }
    assert!(seen.contains("before"), "{seen}");
    let path = format!("/keys/{}/disable", made["id"].as_str().unwrap());
    assert_eq!(kept.ask(&admin("POST", &path)).await.status(), 200);
    kept.ask(&ask("after")).await;
    while let Ok(Some(piece)) = tail.piece().await {
        let piece = String::from_utf8(piece).unwrap();
        assert!(!piece.contains("event: request"), "{piece}");
    }
    kept.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_keeps_the_log_and_requests_are_served_while_it_is_gone() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let config = format!("[store]\nurl = \"{}\"\n{}", database.url(), config_of(&[OPENAI], &upstream));
    let kept = Kept::start(&config);
    let ask = |id: &str| OPENAI.request("openai", false).header("x-request-id", id);
    assert_eq!(kept.ask(&ask("id-before")).await.status(), 200);
    check_answered(&kept.of("id-before").await, OPENAI, OPENAI, "openai");
    database.stop();
    assert_eq!(kept.ask(&ask("id-during")).await.status(), 200);
    kept.program.until("the store cannot be written");
    let reply = kept.admin("/admin/v1/requests").await;
    assert_eq!((reply.status(), reply.json()["error"]["code"].as_str()), (503, Some("store_unavailable")));
    // Money may be what could not be written first.
    let mut looks = 0;
    while kept.admin("/ready").await.json()["store"]["log"] != "failing" {
        looks += 1;
        assert!(looks < 500, "the log is not known to fail");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    database.go();
    kept.program.until("the store is written again");
    kept.of("id-during").await;
    kept.stop();
}

/// The commands, asking the gateway of the configuration beside it.
async fn command(kept: &Kept, arguments: &[&str]) -> (bool, String) {
    let mut command = std::process::Command::new(weir_tests::program::file());
    command.args(arguments).arg("--admin").arg(format!("http://{}", kept.address));
    command.arg("--config").arg(kept.folder.path().join("weir.toml"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), text)
}

/// A gateway that has two requests in its log, `id-0` and `id-1`; its provider; and their facts.
async fn with_two_requests() -> (Upstream, Kept, Vec<Value>) {
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    for id in ["id-0", "id-1"] {
        assert_eq!(kept.ask(&OPENAI.request("openai", false).header("x-request-id", id)).await.status(), 200);
    }
    let facts = kept.found("model=openai", 2).await;
    (upstream, kept, facts)
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_search_the_log_and_show_one_request() {
    let (_upstream, kept, facts) = with_two_requests().await;
    let id = text(&facts[0], "id");
    let (done, found) = command(&kept, &["log", "search", "--client-id", "id-1", "--json"]).await;
    assert!(done && found.contains(id) && !found.contains("id-0"), "{found}");
    let (done, shown) = command(&kept, &["log", "show", id]).await;
    assert!(done && shown.contains("\"explained\""), "{shown}");
    let (done, why) = command(&kept, &["log", "show", "0000"]).await;
    assert!(!done && why.contains("not the id of a request"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_exported_as_lines_for_collectors_and_as_parquet_and_a_failure_leaves_what_was_there() {
    let (_upstream, kept, _) = with_two_requests().await;
    let (done, exported) = command(&kept, &["log", "export", "--from", "1h"]).await;
    assert!(done && exported.contains("id-0") && exported.contains("id-1"), "{exported}");
    let (done, exported) = command(&kept, &["log", "export", "--from", "1h", "--format", "otlp"]).await;
    let data: Value = serde_json::from_str(exported.trim()).unwrap();
    let records = data["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
    assert!(done && records.len() > 1, "{exported}");
    let ids: Vec<&Value> = records
        .iter()
        .flat_map(|record| record["attributes"].as_array().unwrap())
        .filter(|attribute| attribute["key"] == "weir.client_request_id")
        .map(|attribute| &attribute["value"]["stringValue"])
        .collect();
    assert!(ids.contains(&&json!("id-0")) && ids.contains(&&json!("id-1")), "{exported}");
    let none = kept.admin("/admin/v1/requests/export?format=otlp&model=none-such").await;
    assert_eq!((none.status(), none.text().as_str()), (200, ""));
    assert_eq!(kept.admin("/admin/v1/requests/export?format=xlsx").await.status(), 400);
    let file = kept.folder.path().join("log.parquet");
    let (done, output) =
        command(&kept, &["log", "export", "--from", "1h", "--format", "parquet", "-o", file.to_str().unwrap()]).await;
    let exported = std::fs::read(&file).unwrap();
    assert!(done && exported.starts_with(b"PAR1") && exported.ends_with(b"PAR1"), "{output}");
    let refused = ["log", "export", "--from", "never", "--format", "parquet", "-o", file.to_str().unwrap()];
    for arguments in [&refused[..], &["log", "export", "--url", "http://127.0.0.1:1", "-o", file.to_str().unwrap()]] {
        assert!(!command(&kept, arguments).await.0, "{arguments:?}");
        assert_eq!(std::fs::read(&file).unwrap(), exported, "what was exported before stays");
    }
    let names = std::fs::read_dir(kept.folder.path()).unwrap().map(|one| one.unwrap().file_name());
    assert!(!names.map(PathBuf::from).any(|name| name.extension().is_some_and(|ending| ending == "part")));
    let none = kept.admin("/admin/v1/requests/export?format=parquet&model=none-such").await;
    assert_eq!(none.header("content-type"), Some("application/vnd.apache.parquet"));
    assert!(none.body.starts_with(b"PAR1") && none.body.ends_with(b"PAR1"), "a file without rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_explain_reprice_and_reconcile_costs() {
    let (_upstream, kept, facts) = with_two_requests().await;
    let (id, day) = (text(&facts[0], "id"), &text(&facts[0], "time")[..10]);
    let (done, explained) = command(&kept, &["ledger", "explain", id]).await;
    assert!(done && explained.contains("openai sha256:") && explained.contains("/usage/prompt_tokens"), "{explained}");
    let file = |name: &str, content: &str| {
        let path = kept.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let prices =
        r#"{"version":"test","providers":{"openai":{"openai":{"input":1000,"output":1000,"cache_read":1000}}}}"#;
    let (done, repriced) = command(&kept, &["ledger", "reprice", "--prices", &file("prices.json", prices)]).await;
    assert!(done && repriced.contains("openai/openai") && repriced.contains("2 then, 0 now"), "{repriced}");
    let (input, output) = (2 * TOKENS.input, 2 * TOKENS.output);
    for (input, agrees) in [(input, true), (input + 1, false)] {
        let csv = format!("day,model,requests,input_tokens,output_tokens\n{day},openai,2,{input},{output}\n");
        let (done, output) = command(&kept, &["ledger", "reconcile", "--export", &file("usage.csv", &csv)]).await;
        assert_eq!((done, output.contains("everything agrees")), (agrees, agrees), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_client_wrote_controls_the_operators_terminal() {
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    let hostile = json!({"model": "m\u{1b}]0;taken\u{7}\u{9b}2J", "messages": [{"role": "user", "content": "Hi"}]});
    let reply = kept.ask(&Request::post("/v1/chat/completions", hostile.to_string())).await;
    assert_eq!(reply.status(), 404, "{}", reply.text());
    let facts = kept.found("status=404", 1).await;
    assert!(text(&facts[0], "model_asked").contains('\u{9b}'), "{facts:?}");
    let id = text(&facts[0], "id");
    for arguments in [
        vec!["ledger", "explain", id],
        vec!["ledger", "explain", id, "--json"],
        vec!["log", "show", id],
        vec!["log", "search"],
        vec!["log", "search", "--json"],
    ] {
        let (done, shown) = command(&kept, &arguments).await;
        assert!(done && shown.contains("taken"), "{arguments:?}: {shown}");
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{arguments:?}: {shown:?}");
    }
}

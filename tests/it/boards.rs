//! The board and the alerts of `deploy/` ask only for series and labels that a running Weir has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use weir_tests::plugins::root;
use weir_tests::{Answer, Folder, Gate, Gateway, Request, Upstream};

use crate::retries::{QUICK, provider};
use crate::wire_format::{ANTHROPIC, OPENAI, TEXT, WireFormat};

/// The series of a page of metrics by name, each with its labels.
type Series = BTreeMap<String, BTreeSet<String>>;

/// Labels that Prometheus adds to what it reads.
const ADDED: [&str; 2] = ["instance", "job"];

/// Adds the series of a page of metrics.
fn add(page: &str, series: &mut Series) {
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once([' ', '{']) else { continue };
        let labels = rest.rsplit_once('}').map_or("", |(labels, _)| labels);
        series.entry(name.to_owned()).or_default().extend(names_before(labels, "=\""));
    }
}

/// The names that stand directly before a mark.
fn names_before(text: &str, mark: &str) -> Vec<String> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = |at: usize| -> String {
        let reversed: String = text[..at].chars().rev().take_while(|c| is_inner(*c)).collect();
        reversed.chars().rev().collect()
    };
    text.match_indices(mark).map(|(at, _)| name(at)).filter(|name| !name.is_empty()).collect()
}

/// What is wrong with an expression: series that are not there, and labels that its series do not have.
fn wrong(expression: &str, series: &Series) -> Vec<String> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut wrong = Vec::new();
    let mut known: BTreeSet<&str> = ADDED.into();
    let starts = ["weir_", "gen_ai_"].into_iter().flat_map(|start| expression.match_indices(start));
    for (at, _) in starts.filter(|(at, _)| !expression[..*at].ends_with(is_inner)) {
        let rest = &expression[at..];
        let (name, rest) = rest.split_at(rest.find(|c| !is_inner(c)).unwrap_or(rest.len()));
        let Some(labels) = series.get(name) else {
            wrong.push(format!("there is no {name}"));
            continue;
        };
        known.extend(labels.iter().map(String::as_str));
        let matchers = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inner, _)| inner);
        let asked = ["=\"", "=~\"", "!=\"", "!~\""].iter().flat_map(|mark| names_before(matchers, mark));
        let strange = asked.filter(|label| !labels.contains(label) && !ADDED.contains(&label.as_str()));
        wrong.extend(strange.map(|label| format!("{name} has no label {label}")));
    }
    for (_, rest) in expression.match_indices("by (").map(|(at, found)| expression.split_at(at + found.len())) {
        let labels = rest.split(')').next().unwrap_or_default().split(',').map(str::trim);
        wrong.extend(
            labels.filter(|label| !known.contains(label)).map(|label| format!("nothing has the label {label}")),
        );
    }
    wrong
}

/// The expressions of the board: all members `expr`, and the definition of its variables.
fn of_board(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if matches!(name.as_str(), "expr" | "definition") => found.push(text.clone()),
                    value => of_board(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| of_board(item, found)),
        _ => {}
    }
}

fn of_alerts(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).map(str::to_owned).collect()
}

/// Answers well, fails, or breaks off, by the path of the provider.
async fn upstream() -> Upstream {
    Upstream::scripted(|request| {
        let line = request.line().to_owned();
        if line.contains("/talk") {
            return Answer::lines().piece("{\"a\":1}\n").end();
        }
        let body = request.json();
        let model = body["model"].as_str().unwrap_or_default();
        let wire_format = WireFormat::of(request);
        match (model, body["stream"] == true) {
            ("failing", _) => Answer::json(500, "{}"),
            ("silent", _) => Answer::json(200, wire_format.whole().replace("\"usage\"", "\"unusual\"")),
            ("broken", _) => Answer::sse().piece(&wire_format.stream()[0]).piece(&wire_format.stream()[1]).reset(),
            (_, true) => wire_format.stream().iter().fold(Answer::sse(), Answer::piece).end(),
            (_, false) => Answer::json(200, wire_format.whole()),
        }
    })
    .await
}

/// A Weir with these buckets, to which everything happens that the board and the alerts are about.
async fn eventful(upstream: &Upstream, buckets: &str) -> Gateway {
    let model = |alias: &str, targets: &str, more: &str| {
        format!("[[models]]\nalias = \"{alias}\"\n{more}\ntargets = [{targets}]\n")
    };
    let target = |provider: &str, model: &str| format!("{{ provider = \"{provider}\", model = \"{model}\" }}");
    let settings = [
        "default_provider = \"hostile\"\n[store]\nurl = \"sqlite://facts.db\"\n".to_owned(),
        format!(
            "[[providers]]\nname = \"hostile\"\nadapter = \"hostile\"\nurl = \"{}\"\napi_key = \"HOSTILE-KEY\"\n",
            upstream.url()
        ),
        provider(upstream, OPENAI, "first", QUICK),
        provider(upstream, ANTHROPIC, "second", QUICK),
        model("priced", &target("first", "gpt-4o-mini"), ""),
        model(
            "two",
            &format!("{}, {}", target("first", "failing"), target("second", "anthropic")),
            "strategy = \"priority\"",
        ),
        model("silent", &target("first", "silent"), ""),
        model("broken", &target("first", "broken"), ""),
        model("limited", &target("first", "openai"), "limits = { requests_per_minute = 1 }"),
        "[[budgets]]\nname = \"small\"\nfor = { provider = \"second\" }\nrequests = 3\nper = \"month\"\n".to_owned(),
        format!("[metrics]\nbuckets = \"{buckets}\"\n"),
    ];
    Gateway::with(Folder::with(&["openai", "anthropic", "hostile"]), &settings.concat()).await
}

async fn everything_happens(gateway: &Gateway) {
    for (model, stream) in [("priced", false), ("priced", true), ("two", false), ("silent", false), ("broken", true)] {
        gateway.ask(&OPENAI.request(model, stream)).await;
    }
    // A field that is dropped, and one that is changed.
    let body = r#"{"model":"second-t","seed":7,"temperature":1.9,"messages":[{"role":"user","content":"Hi"}]}"#;
    gateway.ask(&Request::post("/v1/chat/completions", body)).await;
    for model in ["limited", "second-t", "render.trap"] {
        for _ in 0..3 {
            gateway.ask(&OPENAI.request(model, false)).await;
        }
    }
    let reply = gateway.ask(&OPENAI.request("priced", false)).await;
    assert_eq!(OPENAI.parsed(&reply, false).text, TEXT, "{}", reply.text());
    gateway.ask(&Request::post("/v1/chat/completions", "{")).await;
}

/// A Weir that is too busy for a second request, and whose first client leaves.
async fn crowded(buckets: &str, series: &mut Series) {
    let gate = Gate::default();
    let pieces = OPENAI.stream();
    let held = Answer::sse().piece(&pieces[0]).piece(&pieces[1]).gate(&gate).hang();
    let upstream = Upstream::always(held).await;
    let settings = format!(
        "[server]\nmax_concurrency = 1\nqueue = {{ length = 0 }}\n[metrics]\nbuckets = \"{buckets}\"\n{}",
        provider(&upstream, OPENAI, "first", QUICK)
    );
    let gateway = Gateway::open(&settings).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("first", true)).await;
    client.head().await;
    assert_eq!(gateway.ask(&OPENAI.request("first", true)).await.status(), 503);
    client.leave();
    gateway.until_metric("weir_client_disconnects_total", 1.0).await;
    add(&gateway.metrics().await, series);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_and_the_alerts_ask_for_what_a_running_weir_shows() {
    for buckets in ["few", "native"] {
        compare_with(buckets).await;
    }
}

async fn compare_with(buckets: &str) {
    let mut series = Series::new();
    let upstream = upstream().await;
    let gateway = eventful(&upstream, buckets).await;
    everything_happens(&gateway).await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    add(&gateway.metrics().await, &mut series);
    crowded(buckets, &mut series).await;
    let deploy = root().join("deploy");
    let board: Value = serde_json::from_slice(&fs::read(deploy.join("grafana/weir.json")).unwrap()).unwrap();
    let mut expressions = of_alerts(&fs::read_to_string(deploy.join("prometheus/alerts.yml")).unwrap());
    assert!(expressions.len() > 10);
    of_board(&board, &mut expressions);
    assert!(expressions.len() > 50);
    let wrong: Vec<String> = expressions
        .iter()
        .flat_map(|expression| wrong(expression, &series).into_iter().map(move |what| format!("{what}: {expression}")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\nthere are {:#?}", series.keys());
}

#[test]
fn what_is_not_there_is_found() {
    let mut series = Series::new();
    add("# TYPE weir_a counter\nweir_a{x=\"1\",y=\"2\"} 3\nweir_b 1\n", &mut series);
    assert_eq!(wrong("sum by (x, instance) (rate(weir_a{y=~\"2\"}[5m])) / weir_b{job=\"weir\"}", &series), [""; 0]);
    assert_eq!(wrong("weir_c > 1", &series), ["there is no weir_c"]);
    assert_eq!(wrong("weir_a{z!=\"1\"}", &series), ["weir_a has no label z"]);
    assert_eq!(wrong("sum by (q) (weir_b)", &series), ["nothing has the label q"]);
}

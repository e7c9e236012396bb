//! The names of attributes in each version of OpenTelemetry's conventions for generative AI, as files. With
//! `UPDATE_GOLDEN=1` the tests write them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use weir_config::{Config, Conventions, Environment};
use weir_tests::{Answer, Gateway, Upstream};

use super::collector::{Collector, Span};
use super::{asked, both};
use crate::wire_format::{self, ANTHROPIC};

/// Attributes whose values differ from run to run.
const VARYING: [&str; 3] = ["weir.request_id", "server.port", "gen_ai.response.time_to_first_chunk"];

/// The spans of a whole answer behind a failed attempt, of a streamed one, and of a refused request.
async fn spans(conventions: &str) -> String {
    let mut collector = Collector::open().await;
    let first = Upstream::always(Answer::json(503, "{}")).await;
    let second = wire_format::provider(ANTHROPIC).await;
    let gateway = Gateway::open(&(collector.config(conventions) + &both(&first, &second))).await;
    let mut text = String::new();
    let requests = [asked(false, true), asked(true, true), wire_format::OPENAI.request("unknown", false)];
    for (at, request) in requests.iter().enumerate() {
        gateway.ask(request).await;
        let whole = collector.requests(at + 1).await.remove(at);
        write(&mut text, &collector, &whole, 0);
    }
    text
}

/// A span with its attributes, and below it its children.
fn write(text: &mut String, collector: &Collector, span: &Span, depth: usize) {
    let margin = "  ".repeat(depth);
    let kind = ["", "internal", "server", "client"][usize::try_from(span.kind).unwrap()];
    let failed = if span.status == 2 { ", failed" } else { "" };
    writeln!(text, "{margin}{} ({kind}{failed})", span.name).unwrap();
    for (name, value) in &span.attributes {
        let value = if VARYING.contains(&name.as_str()) { "*" } else { value };
        writeln!(text, "{margin}  {name} = {value}").unwrap();
    }
    for child in collector.beneath(span) {
        write(text, collector, &child, depth + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_of_the_conventions_has_its_names() {
    for version in ["1.36", "1.37", "1.42"] {
        let found = spans(&format!("conventions = \"{version}\"")).await;
        is_as_written(&found, &format!("golden/spans-{version}.txt"));
    }
}

fn is_as_written(found: &str, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, written, "{} is not what is sent: UPDATE_GOLDEN=1 writes it", path.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_have_the_names_and_the_form_of_the_conventions() {
    let mut collector = Collector::open().await;
    let upstream = wire_format::provider(ANTHROPIC).await;
    let config =
        collector.config("conventions = \"1.42\"\ncontent = true") + &wire_format::config_of(&[ANTHROPIC], &upstream);
    let config = config.replace("target = {", "cache = \"1h\"\ntarget = {");
    let gateway = Gateway::open(&(config + "[store]\nurl = \"sqlite://weir.db\"\nbodies = \"all\"\n")).await;
    let mut text = String::new();
    // A streamed answer, the same once more from the cache, and a refused request.
    for (at, model) in ["anthropic", "anthropic", "unknown"].into_iter().enumerate() {
        gateway.ask(&wire_format::OPENAI.request(model, true)).await;
        let whole = collector.requests(at + 1).await.remove(at);
        if at == 0 {
            collector.attempt(&whole).await;
            gateway.until_metric("weir_cache_entries", 2.0).await;
        }
        write(&mut text, &collector, &whole, 0);
    }
    is_as_written(&text, "golden/spans-1.42-messages.txt");
}

#[test]
fn the_variable_of_opentelemetry_asks_for_the_newest_names() {
    let chosen = |value: &str, file: &str| {
        let environment = Environment::from_iter([("OTEL_SEMCONV_STABILITY_OPT_IN", value)]);
        let text = format!("[traces]\nendpoint = \"http://127.0.0.1:1\"\n{file}");
        let config = Config::parse("weir.toml", &text, Path::new(""), environment);
        config.unwrap().traces.unwrap().names()
    };
    assert_eq!(chosen("http, gen_ai_latest_experimental", ""), Conventions::V1_42);
    assert_eq!(chosen("http", ""), Conventions::V1_37);
    assert_eq!(chosen("gen_ai_latest_experimental", "conventions = \"1.36\""), Conventions::V1_36);
}

//! The page of metrics: how long it is, what bounds it, and its form with exemplars.

use weir_tests::{Gateway, Request, Upstream};

use crate::retries::{QUICK, provider};
use crate::wire_format::{self, ANTHROPIC, OPENAI};

/// Three models at two providers, and two clients.
fn three_models(openai: &Upstream, anthropic: &Upstream) -> String {
    let model = |alias: &str, provider: &str| {
        format!("[[models]]\nalias = \"{alias}\"\ntarget = {{ provider = \"{provider}\", model = \"m\" }}\n")
    };
    let providers = provider(openai, OPENAI, "first", QUICK) + &provider(anthropic, ANTHROPIC, "second", QUICK);
    let models = model("large", "first") + &model("small", "first") + &model("other", "second");
    providers + &models + &client("red") + &client("blue")
}

fn client(name: &str) -> String {
    format!("[[clients]]\nname = \"{name}\"\nkey = \"key-of-{name}-0123456789\"\n")
}

pub(crate) fn by(name: &str, request: Request) -> Request {
    request.header("authorization", &format!("Bearer key-of-{name}-0123456789"))
}

/// Asks each model in each format, whole and streamed, as each client.
async fn everything(gateway: &Gateway) {
    for model in ["large", "small", "other"] {
        for (format, stream) in [(OPENAI, false), (OPENAI, true), (ANTHROPIC, false), (ANTHROPIC, true)] {
            for name in ["red", "blue"] {
                assert_eq!(gateway.ask(&by(name, format.request(model, stream))).await.status(), 200);
            }
        }
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
}

/// The page without comments.
fn lines(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.starts_with('#')).collect()
}

pub(crate) async fn gateway(settings: &str) -> Gateway {
    let (openai, anthropic) = (wire_format::provider(OPENAI).await, wire_format::provider(ANTHROPIC).await);
    let settings = format!("[admin]\nopen_metrics = true\n{settings}\n{}", three_models(&openai, &anthropic));
    let gateway = Gateway::open(&settings).await;
    everything(&gateway).await;
    gateway
}

#[tokio::test(flavor = "multi_thread")]
async fn three_models_make_a_short_page() {
    let page = gateway("").await.metrics().await;
    let series = lines(&page);
    assert!(series.len() < 400, "{} series\n{page}", series.len());
    assert!(!page.contains("gen_ai_"), "what the conventions name counts the same");
    let unused: Vec<_> = series.iter().filter(|line| line.starts_with("weir_tokens_estimated_total")).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_the_route_of_requests_and_the_model_of_tokens_and_a_target_has_the_providers_name() {
    let gateway = gateway("").await;
    for alias in ["large", "small", "other"] {
        assert_eq!(gateway.metric(&format!("weir_requests_total{{route=\"{alias}\"}}")).await, 8.0);
        assert!(gateway.metric(&format!("weir_tokens_total{{model=\"{alias}\"}}")).await > 0.0);
    }
    let page = gateway.metrics().await;
    let of = |name: &str| lines(&page).into_iter().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
    let targets = of("weir_breaker_state");
    let has = |model: &str| targets.iter().any(|line| line.contains(&format!("model=\"{model}\"")));
    assert!(has("m") && !["large", "small", "other"].into_iter().any(has), "{targets:?}");
    assert!(of("weir_requests_total").iter().all(|line| !line.contains("model=")), "{page}");
    assert!(of("weir_tokens_total").iter().all(|line| !line.contains("route=")), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_buckets_and_the_names_of_the_conventions_are_there_by_choice() {
    let few = gateway("").await.metrics().await;
    let page = gateway("[metrics]\nbuckets = \"many\"\ngen_ai = true").await.metrics().await;
    assert!(lines(&page).len() > 2 * lines(&few).len());
    for name in ["operation_duration_seconds_count", "token_usage_count"] {
        assert!(page.contains(&format!("gen_ai_client_{name}{{gen_ai_operation_name=\"chat\"")), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_models_without_room_are_counted_as_other() {
    let gateway = gateway("[metrics]\nmax_series = 30").await;
    assert!(gateway.metric("weir_metrics_overflow_total").await > 0.0);
    assert!(gateway.metric("weir_requests_total{client=\"other\",route=\"other\"}").await > 0.0);
    assert_eq!(gateway.metric("weir_requests_total").await, 24.0, "none is lost");
    assert_eq!(gateway.metric("weir_request_duration_seconds_count").await, 24.0);
    let page = gateway.metrics().await;
    let of_requests = |line: &&&str| ["route=\"", "client=\""].iter().any(|label| line.contains(label));
    let all = lines(&page);
    let (other, named): (Vec<&str>, Vec<&str>) =
        all.iter().filter(of_requests).partition(|line| line.contains("\"other\""));
    assert!(named.len() <= 30 && !other.is_empty(), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_openmetrics_finds_the_request_and_the_trace_of_a_bucket() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let gateway = gateway("[traces]\nendpoint = \"http://127.0.0.1:9\"").await;
    let page = Request::get("/metrics").header("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    assert!(!gateway.ask(&page).await.text().contains("trace_id"), "they are kept for a reader only");
    let request = by("red", OPENAI.request("large", false)).header("x-request-id", "find-me");
    gateway.ask(&request.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"))).await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    let reply = gateway.ask(&page).await;
    assert_eq!(reply.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = reply.text();
    let expected = format!(" # {{trace_id=\"{TRACE}\",request_id=\"find-me\"}} ");
    let found: Vec<&str> = text.lines().filter(|line| line.contains(&expected)).collect();
    assert!(found.len() == 1 && found[0].starts_with("weir_request_duration_seconds_bucket{"), "{text}");
    assert!(text.contains("# TYPE weir_requests counter\n") && text.ends_with("# EOF\n"), "{text}");
    assert!(!gateway.metrics().await.contains(TRACE), "the older format has none");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_alerts_look_for_is_counted_from_nothing_on() {
    let upstream = wire_format::provider(OPENAI).await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nper = \"day\"\nrequests = 1\n";
    let settings = provider(&upstream, OPENAI, "first", QUICK)
        + "[[models]]\nalias = \"new\"\ntarget = { provider = \"first\", model = \"of-no-known-price\" }\n"
        + budget;
    let gateway = Gateway::open(&settings).await;
    let before = gateway.metrics().await;
    for series in [
        "weir_shed_total{reason=\"full\"}",
        "weir_shed_total{reason=\"late\"}",
        "weir_shed_total{reason=\"provider\"}",
        "weir_stream_errors_total{side=\"upstream\"}",
        "weir_budget_refused_total{budget=\"all\",reason=\"exhausted\"}",
        "weir_price_unknown_total{model=\"new\",provider=\"first\"}",
    ] {
        assert!(before.contains(&format!("{series} 0\n")), "{series}:\n{before}");
    }
    let statuses = [gateway.ask(&OPENAI.request("new", false)).await, gateway.ask(&OPENAI.request("new", false)).await];
    assert_eq!(statuses.map(|reply| reply.status()), [200, 429]);
    gateway.until_metric("weir_price_unknown_total{model=\"new\",provider=\"first\"}", 1.0).await;
    gateway.until_metric("weir_budget_refused_total{budget=\"all\",reason=\"exhausted\"}", 1.0).await;
}

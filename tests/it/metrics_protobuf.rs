//! The page of metrics in Prometheus's protobuf format: who gets it, and what is in it. The messages are written from
//! `io/prometheus/client/metrics.proto`, apart from those of the gateway.

use std::collections::BTreeMap;

use prost::Message;
use weir_tests::{Gateway, Reply, Request};

use crate::metrics_page::{by, gateway};
use crate::wire_format::OPENAI;

/// What Prometheus sends that takes native histograms.
const ACCEPT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                      application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const DURATION: &str = "weir_request_duration_seconds";
const COUNTER: i32 = 0;
const GAUGE: i32 = 1;
const HISTOGRAM: i32 = 4;

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    r#type: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    sample_count: u64,
    #[prost(double, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<BucketSpan>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    cumulative_count: u64,
    #[prost(double, tag = "2")]
    upper_bound: f64,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Histogram {
    /// Its buckets that are not empty, by their numbers.
    fn native(&self) -> BTreeMap<i32, i64> {
        let mut deltas = self.positive_delta.iter();
        let (mut number, mut count, mut found) = (0, 0, BTreeMap::new());
        for span in &self.positive_span {
            number += span.offset;
            for _ in 0..span.length {
                count += deltas.next().expect("each bucket has a difference");
                assert!(count >= 0, "{self:?}");
                found.insert(number, count);
                number += 1;
            }
        }
        assert_eq!(deltas.next(), None, "no difference is without a bucket");
        found.retain(|_, count| *count > 0);
        found
    }

    fn check(&self, is_native: bool, name: &str) {
        let classic: Vec<_> = self.bucket.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative_count)).collect();
        assert!(classic.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}: {classic:?}");
        assert_eq!(classic.last(), Some(&(f64::INFINITY, self.sample_count)), "{name}");
        assert_eq!(self.schema, is_native.then_some(3), "{name}");
        assert_eq!(self.zero_threshold > 0.0, is_native, "{name}");
        if is_native {
            let all = self.native().values().sum::<i64>() as u64 + self.zero_count;
            assert_eq!(all, self.sample_count, "{name}: all that is counted is in a bucket");
        }
    }
}

fn accept(accept: &str) -> Request {
    Request::get("/metrics").header("accept", accept)
}

fn families(reply: &Reply) -> BTreeMap<String, MetricFamily> {
    assert_eq!(
        reply.header("content-type"),
        Some("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
    );
    let mut rest = reply.body.as_slice();
    let mut families = BTreeMap::new();
    while !rest.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut rest).expect("messages follow each other");
        assert!(!family.help.is_empty() && !family.metric.is_empty() && family.unit.is_empty(), "{family:?}");
        let before = families.insert(family.name.clone(), family);
        assert!(before.is_none(), "each name has one family: {before:?}");
    }
    families
}

fn histograms(families: &BTreeMap<String, MetricFamily>) -> impl Iterator<Item = (&str, &Histogram)> {
    let all = families.values().filter(|family| family.r#type == HISTOGRAM);
    all.flat_map(|family| family.metric.iter().map(|metric| (&*family.name, metric.histogram.as_ref().unwrap())))
}

/// The figures of the page that do not change while it is read, with the names and labels of the text.
async fn text(gateway: &Gateway) -> BTreeMap<String, f64> {
    let page = gateway.metrics().await;
    let lines = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    lines.map(|(series, figure)| (series.to_owned(), figure.parse().unwrap())).collect()
}

fn label(pairs: &[LabelPair], le: Option<f64>) -> String {
    let le =
        le.map(|bound| format!("le=\"{}\"", if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() }));
    let all: Vec<_> = pairs.iter().map(|pair| format!("{}=\"{}\"", pair.name, pair.value)).chain(le).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

/// The same figures as the text has.
fn as_text(families: &BTreeMap<String, MetricFamily>) -> BTreeMap<String, f64> {
    let mut figures = BTreeMap::new();
    for (name, family) in families {
        for metric in &family.metric {
            let labels = label(&metric.label, None);
            match (family.r#type, &metric.counter, &metric.gauge, &metric.histogram) {
                (COUNTER, Some(Number { value }), None, None) | (GAUGE, None, Some(Number { value }), None) => {
                    figures.insert(format!("{name}{labels}"), *value);
                }
                (HISTOGRAM, None, None, Some(histogram)) => {
                    figures.insert(format!("{name}_count{labels}"), histogram.sample_count as f64);
                    figures.insert(format!("{name}_sum{labels}"), histogram.sample_sum);
                    for bucket in &histogram.bucket {
                        let labels = label(&metric.label, Some(bucket.upper_bound));
                        figures.insert(format!("{name}_bucket{labels}"), bucket.cumulative_count as f64);
                    }
                }
                _ => panic!("{family:?}"),
            }
        }
    }
    figures
}

/// The figures without that of open connections: one that has ended counts for a moment longer, so that two pages
/// differ in it.
fn at_rest(mut figures: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    assert!(figures.remove("weir_connections{listener=\"main\"}").is_some_and(|open| open >= 1.0));
    figures
}

#[tokio::test(flavor = "multi_thread")]
async fn who_prefers_protobuf_gets_native_histograms_and_all_figures_of_the_text() {
    let gateway = gateway("[metrics]\nbuckets = \"native\"\ngen_ai = true").await;
    let families = families(&gateway.ask(&accept(ACCEPT)).await);
    histograms(&families).for_each(|(name, histogram)| histogram.check(true, name));
    let asked: u64 =
        families[DURATION].metric.iter().map(|metric| metric.histogram.as_ref().unwrap().sample_count).sum();
    assert_eq!(asked, 24);
    let waits = families["weir_queue_wait_seconds"].metric[0].histogram.as_ref().unwrap();
    assert!(waits.schema.is_some(), "it is native before its first event");
    assert_eq!(at_rest(as_text(&families)), at_rest(text(&gateway).await));
    let few = self::gateway("").await;
    let durations =
        |text: BTreeMap<String, f64>| text.into_keys().filter(|name| name.contains(DURATION)).collect::<Vec<_>>();
    assert_eq!(durations(text(&gateway).await), durations(text(&few).await), "the text has the few classic buckets");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_native_histograms_protobuf_has_the_classic_ones() {
    for buckets in ["few", "many"] {
        let gateway = gateway(&format!("[metrics]\nbuckets = \"{buckets}\"")).await;
        let families = families(&gateway.ask(&accept(ACCEPT)).await);
        histograms(&families).for_each(|(name, histogram)| {
            histogram.check(false, name);
            assert!(histogram.positive_span.is_empty() && histogram.exemplars.is_empty(), "{name}");
        });
        assert_eq!(at_rest(as_text(&families)), at_rest(text(&gateway).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_prefers_text_gets_it_with_native_histograms_too() {
    let gateway = gateway("[metrics]\nbuckets = \"native\"").await;
    for (prefers, kind) in [
        (ACCEPT.replace("delimited", "delimited;q=0.1"), "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (ACCEPT.replace("delimited", "text"), "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("text/html, */*;q=0.8".to_owned(), "text/plain; version=0.0.4; charset=utf-8"),
    ] {
        let reply = gateway.ask(&accept(&prefers)).await;
        assert_eq!(reply.header("content-type"), Some(kind), "{prefers}");
        assert!(reply.text().contains(&format!("{DURATION}_bucket{{")), "{prefers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exemplar_names_the_request_in_its_bucket_and_in_the_histogram() {
    let gateway = gateway("[metrics]\nbuckets = \"native\"").await;
    let all = |families: &BTreeMap<String, MetricFamily>| -> Vec<Histogram> {
        families[DURATION].metric.iter().filter_map(|metric| metric.histogram.clone()).collect()
    };
    let before = all(&families(&gateway.ask(&accept(ACCEPT)).await));
    assert!(before.iter().all(|histogram| histogram.exemplars.is_empty()), "they are kept for a reader only");
    gateway.ask(&by("red", OPENAI.request("large", false)).header("x-request-id", "find-me")).await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    let after = all(&families(&gateway.ask(&accept(ACCEPT)).await));
    let of_series: Vec<_> = after.iter().filter(|histogram| !histogram.exemplars.is_empty()).collect();
    let [histogram] = of_series[..] else { panic!("{after:?}") };
    let [exemplar] = &histogram.exemplars[..] else { panic!("{histogram:?}") };
    assert_eq!(exemplar.label, [LabelPair { name: "request_id".to_owned(), value: "find-me".to_owned() }]);
    assert!(exemplar.timestamp.as_ref().is_some_and(|at| at.seconds > 0), "native ones need a time");
    let at = histogram.bucket.iter().position(|bucket| exemplar.value <= bucket.upper_bound).unwrap();
    assert_eq!(histogram.bucket[at].exemplar.as_ref(), Some(exemplar));
    let native = histogram.native().into_keys().any(|number| {
        let bound = |number: i32| (f64::from(number) / 8.0).exp2();
        bound(number - 1) < exemplar.value && exemplar.value <= bound(number)
    });
    assert!(native, "{histogram:?}");
}

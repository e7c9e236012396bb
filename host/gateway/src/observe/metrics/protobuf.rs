//! The page of metrics in Prometheus's protobuf format, the only one that has native histograms: a row of messages
//! `io.prometheus.client.MetricFamily`, each behind its length. A histogram has its classic buckets there as well.

use std::time::UNIX_EPOCH;

use prometheus::proto::{self, MetricType};
use prost::Message;

use super::exemplar::{Exemplar, Exemplars};
use super::histogram::{ExponentialBuckets, Picture, ZERO};

/// The gap of empty buckets that is written as such: a new span takes more room.
const GAP: i32 = 2;

/// Writes the families. `histograms` has the series of a family of histograms, by its name; `exemplars` those of a
/// series, by the family's name and its labels.
pub(super) fn write<E: AsRef<Exemplars>>(
    families: &[proto::MetricFamily],
    histograms: impl Fn(&str) -> Vec<(Vec<proto::LabelPair>, Picture)>,
    exemplars: impl Fn(&str, &[proto::LabelPair]) -> Option<E>,
) -> Vec<u8> {
    let mut page = Vec::new();
    for family in families {
        let (name, kind) = (family.name(), family.get_field_type());
        let metric = match kind {
            MetricType::COUNTER => family.get_metric().iter().map(counter).collect(),
            MetricType::GAUGE => family.get_metric().iter().map(gauge).collect(),
            MetricType::HISTOGRAM => {
                let series = histograms(name).into_iter();
                series.map(|(labels, picture)| histogram(&labels, picture, exemplars(name, &labels).as_ref())).collect()
            }
            // None is made.
            _ => continue,
        };
        let help = Some(family.help().to_owned());
        let family = MetricFamily { name: Some(name.to_owned()), help, kind: Some(kind as i32), metric };
        page.extend(family.encode_length_delimited_to_vec());
    }
    page
}

fn counter(metric: &proto::Metric) -> Metric {
    let value = Some(metric.get_counter().get_value());
    Metric { label: labels(metric.get_label()), counter: Some(Value { value }), ..Metric::default() }
}

fn gauge(metric: &proto::Metric) -> Metric {
    let value = Some(metric.get_gauge().get_value());
    Metric { label: labels(metric.get_label()), gauge: Some(Value { value }), ..Metric::default() }
}

fn labels(pairs: &[proto::LabelPair]) -> Vec<LabelPair> {
    pairs.iter().map(|pair| label(pair.name(), pair.value().to_owned())).collect()
}

fn label(name: &str, value: String) -> LabelPair {
    LabelPair { name: Some(name.to_owned()), value: Some(value) }
}

fn histogram<E: AsRef<Exemplars>>(pairs: &[proto::LabelPair], picture: Picture, exemplars: Option<&E>) -> Metric {
    let Picture { count, sum, classic, native } = picture;
    let exemplar = |at| exemplars?.as_ref().of(at).map(|exemplar| example(&exemplar));
    let all = classic.into_iter().chain([(f64::INFINITY, count)]).enumerate();
    let bucket = all.map(|(at, (bound, count))| Bucket {
        cumulative_count: Some(count),
        upper_bound: Some(bound),
        exemplar: exemplar(at),
    });
    let mut made = Histogram {
        sample_count: Some(count),
        sample_sum: Some(sum),
        bucket: bucket.collect(),
        ..Histogram::default()
    };
    if let Some(buckets) = native {
        made.exemplars = made.bucket.iter().filter_map(|bucket| bucket.exemplar.clone()).collect();
        made.schema = Some(buckets.schema);
        made.zero_threshold = Some(ZERO);
        made.zero_count = Some(buckets.zero);
        (made.positive_span, made.positive_delta) = spans(&buckets);
    }
    Metric { label: labels(pairs), histogram: Some(made), ..Metric::default() }
}

/// Where buckets follow each other, and the difference of each count to the one before.
fn spans(buckets: &ExponentialBuckets) -> (Vec<BucketSpan>, Vec<i64>) {
    let (mut spans, mut deltas): (Vec<BucketSpan>, Vec<i64>) = (Vec::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (number, count) in &buckets.counts {
        let gap = number - next;
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        match spans.last_mut() {
            Some(span) if gap <= GAP => {
                for _ in 0..gap {
                    deltas.push(-before);
                    before = 0;
                }
                span.length = span.length.map(|length| length + gap as u32 + 1);
            }
            _ => spans.push(BucketSpan { offset: Some(gap), length: Some(1) }),
        }
        deltas.push(count - before);
        (next, before) = (number + 1, count);
    }
    (spans, deltas)
}

fn example(exemplar: &Exemplar) -> ExemplarMessage {
    let at = exemplar.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    ExemplarMessage {
        label: exemplar.labels().into_iter().map(|(name, value)| label(name, value)).collect(),
        value: Some(exemplar.seconds),
        timestamp: Some(Timestamp {
            seconds: i64::try_from(at.as_secs()).ok(),
            nanos: i32::try_from(at.subsec_nanos()).ok(),
        }),
    }
}

/// What a counter and a gauge have.
#[derive(Message)]
struct Value {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Value>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Value>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<ExemplarMessage>,
}

#[derive(Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<ExemplarMessage>,
}

#[derive(PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct ExemplarMessage {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, optional, tag = "1")]
    seconds: Option<i64>,
    #[prost(int32, optional, tag = "2")]
    nanos: Option<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(i32, u64)]) -> (Vec<(i32, u32)>, Vec<i64>) {
        let (spans, deltas) = spans(&ExponentialBuckets { schema: 3, zero: 0, counts: counts.to_vec() });
        (spans.iter().map(|span| (span.offset(), span.length())).collect(), deltas)
    }

    #[test]
    fn a_gap_of_more_than_two_buckets_begins_a_span() {
        assert_eq!(of(&[]), (vec![], vec![]));
        assert_eq!(of(&[(7, 3)]), (vec![(7, 1)], vec![3]));
        assert_eq!(of(&[(-5, 3), (-4, 1), (-1, 2)]), (vec![(-5, 5)], vec![3, -2, -1, 0, 2]));
        assert_eq!(of(&[(-5, 3), (-1, 2), (0, 9)]), (vec![(-5, 1), (3, 2)], vec![3, -1, 7]));
    }

    /// Written by hand from the format's description.
    #[test]
    fn a_family_is_a_message_behind_its_length() {
        let mut pair = proto::LabelPair::default();
        pair.set_name("x".to_owned());
        pair.set_value("1".to_owned());
        let mut counter = proto::Counter::default();
        counter.set_value(2.0);
        let mut metric = proto::Metric::from_label(vec![pair]);
        metric.set_counter(counter);
        let mut family = proto::MetricFamily::default();
        family.set_name("a_total".to_owned());
        family.set_help("Of a".to_owned());
        family.set_field_type(MetricType::COUNTER);
        family.set_metric(vec![metric]);
        let page = write(&[family], |_| Vec::new(), |_, _| None::<std::sync::Arc<Exemplars>>);
        let value = b"\x1a\x09\x09\0\0\0\0\0\0\0\x40";
        let metric = [b"\x0a\x06\x0a\x01x\x12\x011", &value[..]].concat();
        let family = [b"\x0a\x07a_total\x12\x04Of a\x18\0\x22\x13", &metric[..]].concat();
        assert_eq!(page, [&[family.len() as u8], &family[..]].concat());
    }
}

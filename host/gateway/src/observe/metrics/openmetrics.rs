//! The page of metrics in the `OpenMetrics` text format 1.0, which shows exemplars.

use std::fmt::{self, Write as _};
use std::time::UNIX_EPOCH;

use prometheus::proto::{Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::exemplar::{Exemplar, Exemplars};

/// Writes the families. `exemplars` has those of a family's series, by its name and labels.
pub(super) fn write<E>(families: &[MetricFamily], exemplars: impl Fn(&str, &[LabelPair]) -> Option<E>) -> String
where
    E: AsRef<Exemplars>,
{
    let mut page = String::new();
    for family in families {
        // Writing to a string does not fail.
        let _written = write_family(&mut page, family, &exemplars);
    }
    page.push_str("# EOF\n");
    page
}

fn write_family<E: AsRef<Exemplars>>(
    page: &mut String,
    family: &MetricFamily,
    exemplars: &impl Fn(&str, &[LabelPair]) -> Option<E>,
) -> fmt::Result {
    let (name, kind) = (family.name(), family.get_field_type());
    let (base, kind_name) = match kind {
        MetricType::COUNTER => (name.strip_suffix("_total").unwrap_or(name), "counter"),
        MetricType::GAUGE => (name, "gauge"),
        MetricType::HISTOGRAM => (name, "histogram"),
        // None is made.
        _ => return Ok(()),
    };
    writeln!(page, "# TYPE {base} {kind_name}\n# HELP {base} {}", Escaped(family.help()))?;
    for metric in family.get_metric() {
        let labels = metric.get_label();
        match kind {
            MetricType::COUNTER => {
                writeln!(page, "{base}_total{} {}", Labels(labels, None), metric.get_counter().get_value())?;
            }
            MetricType::GAUGE => writeln!(page, "{name}{} {}", Labels(labels, None), metric.get_gauge().get_value())?,
            _ => write_histogram(page, name, metric, exemplars(name, labels).as_ref().map(AsRef::as_ref))?,
        }
    }
    Ok(())
}

fn write_histogram(page: &mut String, name: &str, metric: &Metric, exemplars: Option<&Exemplars>) -> fmt::Result {
    let (labels, histogram): (_, &Histogram) = (metric.get_label(), metric.get_histogram());
    let finite = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    let finite = finite.map(|bucket| (format!("{:?}", bucket.upper_bound()), bucket.cumulative_count()));
    let last = ("+Inf".to_owned(), histogram.get_sample_count());
    for (at, (bound, count)) in finite.chain([last]).enumerate() {
        write!(page, "{name}_bucket{} {count}", Labels(labels, Some(&bound)))?;
        if let Some(exemplar) = exemplars.and_then(|exemplars| exemplars.of(at)) {
            write_exemplar(page, &exemplar)?;
        }
        page.push('\n');
    }
    writeln!(page, "{name}_sum{} {}", Labels(labels, None), histogram.get_sample_sum())?;
    writeln!(page, "{name}_count{} {}", Labels(labels, None), histogram.get_sample_count())
}

fn write_exemplar(page: &mut String, exemplar: &Exemplar) -> fmt::Result {
    let label = |(name, value): (&str, String)| format!("{name}=\"{}\"", Escaped(&value));
    let labels: Vec<String> = exemplar.labels().into_iter().map(label).collect();
    let at = exemplar.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    write!(page, " # {{{}}} {} {:.3}", labels.join(","), exemplar.seconds, at.as_secs_f64())
}

/// The labels of a sample, and a bucket's bound.
struct Labels<'a>(&'a [LabelPair], Option<&'a str>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.0.iter().map(|pair| (pair.name(), pair.value()));
        let mut all = own.chain(self.1.map(|bound| ("le", bound))).peekable();
        if all.peek().is_none() {
            return Ok(());
        }
        let mut before = '{';
        for (name, value) in all {
            write!(f, "{before}{name}=\"{}\"", Escaped(value))?;
            before = ',';
        }
        f.write_char('}')
    }
}

/// A text with the escapes of the format.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus::core::Collector as _;
    use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};

    use super::super::exemplar::ExemplarStore;
    use super::*;

    #[test]
    fn counters_lose_their_ending_and_buckets_have_exemplars() {
        let counter = IntCounterVec::new(Opts::new("a_total", "Of \"a\""), &["x"]).unwrap();
        counter.with_label_values(&["1\n2"]).inc();
        let buckets = HistogramOpts::new("b_seconds", "Of b").buckets(vec![0.5, 1.0]);
        let histogram = HistogramVec::new(buckets, &["y"]).unwrap();
        histogram.with_label_values(&["z"]).observe(0.75);
        let store = ExemplarStore::new(&[0.5, 1.0]);
        let of = store.of(["b", "z"]);
        store.keep(&of, 0.75, &Arc::from("early"), None);
        store.ask();
        store.keep(&of, 0.75, &Arc::from("req-1"), None);
        store.keep(&of, 2.0, &Arc::from("r".repeat(200)), None);
        let families = [counter.collect(), histogram.collect()].concat();
        let page = write(&families, |name, _| (name == "b_seconds").then(|| Arc::clone(&of)));
        let lines: Vec<&str> = page.lines().map(|line| line.rsplit_once(" 1").map_or(line, |_| line)).collect();
        assert_eq!(lines[..3], ["# TYPE a counter", "# HELP a Of \\\"a\\\"", "a_total{x=\"1\\n2\"} 1"]);
        assert_eq!(lines[5], "b_seconds_bucket{y=\"z\",le=\"0.5\"} 0");
        assert!(
            lines[6].starts_with("b_seconds_bucket{y=\"z\",le=\"1.0\"} 1 # {request_id=\"req-1\"} 0.75 "),
            "{page}"
        );
        assert!(lines[7].starts_with("b_seconds_bucket{y=\"z\",le=\"+Inf\"} 1 # {} 2 "), "{page}");
        assert_eq!(lines[8..], ["b_seconds_sum{y=\"z\"} 0.75", "b_seconds_count{y=\"z\"} 1", "# EOF"]);
    }
}

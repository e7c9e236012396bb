//! `GET /admin/v1/overview`: what was asked, spent and failed in some time, hour by hour, against the time before.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::read;
use crate::admin::{Operations, Parameters, Problem};
use crate::store::latency::Latencies;
use crate::store::shown::dollars;
use crate::store::sums::{ALL, FAILED, FIRST, REQUESTS, SAVED, TOOK, UNPRICED};
use crate::time::from_milliseconds;
use weir_ledger::Timestamp;
use weir_store::{HOUR_MS, LedgerKey, LedgerQuery, LedgerSums, first_hour_kept};

/// Hours that are shown if no time is given.
const USUAL_HOURS: u64 = 24;
/// The most hours that are shown; as many before them are summed too.
const MAX_HOURS: u64 = 92 * 24;
/// The most models, and providers, that are named; the rest is summed up.
const MAX_GROUPS: usize = 20;

/// The sums of several requests.
#[derive(Debug, Clone, Default)]
struct Figures {
    requests: i64,
    failed: i64,
    unpriced: i64,
    cost_nano: i64,
    tokens: BTreeMap<String, i64>,
    /// Requests that kept answers served, and what that saved.
    hits: i64,
    saved_nano: i64,
    took: Latencies,
    first: Latencies,
}

impl Figures {
    fn add(&mut self, key: &LedgerKey, sums: &LedgerSums) {
        let count = u64::try_from(sums.units).unwrap_or_default();
        let step = |prefix| key.bucket.strip_prefix(prefix).and_then(|step| step.parse().ok());
        if key.bucket == REQUESTS {
            self.requests += sums.requests;
            self.cost_nano = self.cost_nano.saturating_add(sums.cost_nano);
            self.unpriced += if key.price_dim == UNPRICED { sums.requests } else { 0 };
        } else if key.bucket == SAVED {
            self.hits += sums.requests;
            self.saved_nano = self.saved_nano.saturating_add(sums.cost_nano);
        } else if key.bucket == FAILED {
            self.failed += sums.requests;
        } else if let Some(step) = step(TOOK) {
            self.took.add(step, count);
        } else if let Some(step) = step(FIRST) {
            self.first.add(step, count);
        } else {
            *self.tokens.entry(key.bucket.clone()).or_default() += sums.units;
        }
    }

    fn shown(&self) -> Value {
        let of = |latencies: &Latencies| {
            let milliseconds = |share| latencies.quantile(share).map(|micros| micros as f64 / 1_000.0);
            json!({"p50": milliseconds(0.5), "p95": milliseconds(0.95), "p99": milliseconds(0.99)})
        };
        json!({
            "requests": self.requests,
            "failed": self.failed,
            "unpriced_requests": self.unpriced,
            "cost_nano": self.cost_nano,
            "cost_usd": dollars(self.cost_nano),
            "cache_hits": self.hits,
            "saved_nano": self.saved_nano,
            "saved_usd": dollars(self.saved_nano),
            "tokens": self.tokens,
            "took_ms": of(&self.took),
            "first_token_ms": of(&self.first),
        })
    }
}

/// The groups of one kind with their figures of the time and of the time before.
#[derive(Debug, Default)]
struct Groups(BTreeMap<String, (Figures, Figures)>);

impl Groups {
    fn add(&mut self, name: &str, is_before: bool, key: &LedgerKey, sums: &LedgerSums) {
        let (now, before) = self.0.entry(name.to_owned()).or_default();
        if is_before { before.add(key, sums) } else { now.add(key, sums) }
    }

    /// The dearest groups first, and among those of one cost the busiest.
    fn shown(self) -> Value {
        let mut all: Vec<_> = self.0.into_iter().filter(|(_, (now, _))| now.requests > 0).collect();
        all.sort_by_key(|(_, (now, _))| std::cmp::Reverse((now.cost_nano, now.requests)));
        let more = all.len().saturating_sub(MAX_GROUPS);
        let one = |(name, (now, before)): &(String, (Figures, Figures))| {
            let mut item = now.shown();
            item["name"] = json!(name);
            item["before"] = before.shown();
            item
        };
        json!({"items": all.iter().take(MAX_GROUPS).map(one).collect::<Vec<_>>(), "more": more})
    }
}

/// The figures of some time, by whole hours.
pub(super) async fn show(
    State(operations): State<Operations>,
    RawQuery(url): RawQuery,
) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["from", "to"])?;
    let now_hour = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default() / HOUR_MS;
    let to = parameters.time("to")?.map_or(now_hour + 1, |time| time.div_ceil(HOUR_MS));
    let from = parameters.time("from")?.map_or(to.saturating_sub(USUAL_HOURS), |time| time / HOUR_MS);
    let hours = to.saturating_sub(from);
    if hours == 0 || hours > MAX_HOURS {
        return Err(Problem::parameter(format!("`to` must be after `from`, by {MAX_HOURS} hours at most")));
    }
    let earliest = first_hour_kept(now_hour * HOUR_MS) + hours;
    if from < earliest {
        let time = from_milliseconds(earliest * HOUR_MS).map(|time| time.to_string()).unwrap_or_default();
        let message = format!(
            "for {hours} hours and those before, `from` must be {time} or later: sums of earlier hours are not kept. \
             `/admin/v1/usage` has earlier days"
        );
        return Err(Problem::parameter(message));
    }
    let subject = Some(ALL.to_owned());
    let query = LedgerQuery { from_hour: from.saturating_sub(hours), to_hour: to, subject };
    let rows = read(&operations, move |store| store.ledger(&query)).await?;
    Ok(Json(summed(&rows, from, to)))
}

fn summed(rows: &[(LedgerKey, LedgerSums)], from: u64, to: u64) -> Value {
    let (mut now, mut before) = (Figures::default(), Figures::default());
    let mut series = vec![Figures::default(); usize::try_from(to - from).unwrap_or_default()];
    let (mut models, mut providers) = (Groups::default(), Groups::default());
    for (key, sums) in rows {
        let place = key.hour.checked_sub(from).and_then(|at| usize::try_from(at).ok());
        match place.and_then(|at| series.get_mut(at)) {
            Some(hour) => {
                hour.add(key, sums);
                now.add(key, sums);
            }
            None => before.add(key, sums),
        }
        models.add(&key.served, place.is_none(), key, sums);
        providers.add(&key.provider, place.is_none(), key, sums);
    }
    let time = |hour: u64| from_milliseconds(hour.saturating_mul(HOUR_MS)).map(|time| time.to_string());
    let hour = |(at, figures): (u64, &Figures)| {
        let mut item = figures.shown();
        item["start"] = json!(time(from + at));
        item
    };
    json!({
        "from": time(from),
        "to": time(to),
        "now": now.shown(),
        "before": before.shown(),
        "hours": (0..).zip(&series).map(hour).collect::<Vec<_>>(),
        "models": models.shown(),
        "providers": providers.shown(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hour: u64, served: &str, bucket: &str, units: i64, cost_nano: i64) -> (LedgerKey, LedgerSums) {
        let key = LedgerKey {
            hour,
            subject: ALL.to_owned(),
            provider: "p".to_owned(),
            served: served.to_owned(),
            price_dim: String::new(),
            bucket: bucket.to_owned(),
        };
        (key, LedgerSums { units, requests: units, estimated: 0, cost_nano })
    }

    #[test]
    fn the_time_and_the_time_before_are_summed_apart() {
        let rows = [
            row(8, "a", REQUESTS, 1, 50),
            row(10, "a", REQUESTS, 3, 100),
            row(11, "b", REQUESTS, 1, 900),
            row(11, "b", FAILED, 1, 0),
            row(11, "b", "input", 70, 0),
            row(11, "b", "took:48", 1, 0),
        ];
        let shown = summed(&rows, 10, 12);
        assert_eq!((&shown["now"]["requests"], &shown["now"]["cost_nano"]), (&json!(4), &json!(1000)));
        assert_eq!((&shown["now"]["failed"], &shown["now"]["tokens"]["input"]), (&json!(1), &json!(70)));
        assert_eq!((&shown["before"]["requests"], &shown["before"]["took_ms"]["p50"]), (&json!(1), &Value::Null));
        assert_eq!(shown["hours"].as_array().unwrap().len(), 2);
        assert_eq!(shown["hours"][0]["start"], "1970-01-01T10:00:00Z");
        let median = shown["hours"][1]["took_ms"]["p50"].as_f64().unwrap();
        assert!((4.0..5.2).contains(&median), "{median}");
        assert_eq!(shown["models"]["items"][0]["name"], "b", "the dearest first");
        assert_eq!(shown["models"]["items"][1]["before"]["requests"], 1);
        assert_eq!(shown["providers"]["items"][0]["requests"], 4);
    }
}

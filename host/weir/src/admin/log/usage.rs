//! `GET /admin/v1/usage`: sums of use by key, team, model, provider or day.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::read;
use crate::admin::{Operations, Parameters, Problem};
use crate::store::facts::{REQUESTS, SAVED, UNPRICED};
use crate::store::shown::dollars;
use crate::time::from_milliseconds;
use weir_ledger::Timestamp;
use weir_store::{Day, HOUR_MS, LedgerKey, LedgerQuery, LedgerSums};

/// Hours of the time that is summed if none is given: 30 days.
const USUAL_HOURS: u64 = 30 * 24;

/// What sums are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Key,
    Team,
    Model,
    Provider,
    Day,
}

impl By {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "key" => Self::Key,
            "team" => Self::Team,
            "model" => Self::Model,
            "provider" => Self::Provider,
            "day" => Self::Day,
            _ => return None,
        })
    }

    /// The group of a sum; none if it is another group's. Sums of teams are those of keys once more, so only one of the
    /// two counts.
    fn group(self, key: &LedgerKey, team: Option<&str>) -> Option<String> {
        let (kind, name) = key.subject.split_once(':')?;
        let wanted = if self == Self::Team || team.is_some() { "team" } else { "key" };
        (kind == wanted).then(|| match self {
            Self::Key | Self::Team => name.to_owned(),
            Self::Model => key.served.clone(),
            Self::Provider => key.provider.clone(),
            Self::Day => Day::of(key.hour * HOUR_MS).to_string(),
        })
    }
}

/// One group's sums.
#[derive(Debug, Default)]
struct Group {
    requests: i64,
    unpriced: i64,
    estimated: i64,
    cost_nano: i64,
    tokens: BTreeMap<String, i64>,
    /// Requests that kept answers served, and what that saved.
    hits: i64,
    saved_nano: i64,
}

impl Group {
    fn add(&mut self, key: &LedgerKey, sums: &LedgerSums) {
        if key.bucket == SAVED {
            self.hits += sums.requests;
            self.saved_nano = self.saved_nano.saturating_add(sums.cost_nano);
            return;
        }
        if key.bucket != REQUESTS {
            *self.tokens.entry(key.bucket.clone()).or_default() += sums.units;
            return;
        }
        self.requests += sums.requests;
        self.estimated += sums.estimated;
        self.cost_nano = self.cost_nano.saturating_add(sums.cost_nano);
        if key.price_dim == UNPRICED {
            self.unpriced += sums.requests;
        }
    }

    fn shown(&self, name: &str) -> Value {
        json!({
            "name": name,
            "requests": self.requests,
            "unpriced_requests": self.unpriced,
            "estimated_requests": self.estimated,
            "tokens": self.tokens,
            "cost_nano": self.cost_nano,
            "cost_usd": dollars(self.cost_nano),
            "cache_hits": self.hits,
            "saved_nano": self.saved_nano,
            "saved_usd": dollars(self.saved_nano),
        })
    }
}

/// The sums of some time, by whole hours.
pub(super) async fn sums(
    State(operations): State<Operations>,
    RawQuery(url): RawQuery,
) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["by", "from", "to", "key", "team", "top"])?;
    let words = "key, team, model, provider or day";
    let named = parameters.text("by").unwrap_or_else(|| "day".to_owned());
    let by = By::parse(&named).ok_or_else(|| Problem::parameter(format!("`by` must be {words}")))?;
    let now_hour = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default() / HOUR_MS;
    let to_hour = parameters.time("to")?.map_or(now_hour + 1, |time| time.div_ceil(HOUR_MS));
    let from_hour = parameters.time("from")?.map_or(to_hour.saturating_sub(USUAL_HOURS), |time| time / HOUR_MS);
    let team = parameters.text("team");
    let subject = match (parameters.text("key"), &team) {
        (Some(_), Some(_)) => return Err(Problem::parameter("give `key` or `team`, not both".to_owned())),
        (Some(key), None) => Some(format!("key:{key}")),
        (None, Some(team)) => Some(format!("team:{team}")),
        (None, None) => None,
    };
    let query = LedgerQuery { from_hour, to_hour, subject };
    let rows = read(&operations, move |store| store.ledger(&query)).await?;
    let mut groups = BTreeMap::<String, Group>::new();
    for (key, sums) in &rows {
        if let Some(group) = by.group(key, team.as_deref()) {
            groups.entry(group).or_default().add(key, sums);
        }
    }
    let mut groups: Vec<(String, Group)> = groups.into_iter().collect();
    let top: usize = parameters.parsed("top", "a number")?.unwrap_or(usize::MAX);
    let more = groups.len().saturating_sub(top);
    if top < usize::MAX {
        groups.sort_by_key(|(_, group)| Reverse((group.cost_nano, group.requests)));
    }
    let items: Vec<Value> = groups.iter().take(top).map(|(name, group)| group.shown(name)).collect();
    let time = |hour: u64| from_milliseconds(hour.saturating_mul(HOUR_MS)).map(|time| time.to_string());
    Ok(Json(json!({"by": named, "from": time(from_hour), "to": time(to_hour), "items": items, "more": more})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_keys_and_of_teams_are_not_added_to_each_other() {
        let key = |subject: &str, bucket: &str| LedgerKey {
            hour: 24,
            subject: subject.to_owned(),
            provider: "p".to_owned(),
            served: "m".to_owned(),
            price_dim: String::new(),
            bucket: bucket.to_owned(),
        };
        assert_eq!(By::Model.group(&key("key:a", "input"), None).as_deref(), Some("m"));
        assert_eq!(By::Model.group(&key("team:a", "input"), None), None);
        assert_eq!(By::Model.group(&key("team:a", "input"), Some("a")).as_deref(), Some("m"));
        assert_eq!(By::Team.group(&key("team:red", "input"), None).as_deref(), Some("red"));
        assert_eq!(By::Key.group(&key("key:", "input"), None).as_deref(), Some(""));
        assert_eq!(By::Day.group(&key("key:a", "input"), None).as_deref(), Some("1970-01-02"));
        let mut group = Group::default();
        group.add(&key("key:a", REQUESTS), &LedgerSums { units: 2, requests: 2, estimated: 1, cost_nano: 7 });
        group.add(&key("key:a", "input"), &LedgerSums { units: 50, requests: 2, estimated: 1, cost_nano: 0 });
        let unpriced = LedgerKey { price_dim: UNPRICED.to_owned(), ..key("key:a", REQUESTS) };
        group.add(&unpriced, &LedgerSums { units: 1, requests: 1, estimated: 0, cost_nano: 0 });
        group.add(&key("key:a", SAVED), &LedgerSums { units: 1, requests: 1, estimated: 0, cost_nano: 9 });
        assert_eq!((group.hits, group.saved_nano), (1, 9));
        assert_eq!((group.requests, group.unpriced, group.cost_nano, group.tokens["input"]), (3, 1, 7, 50));
    }
}

//! `GET /admin/v1/usage`: sums of use by key, team, model, provider or day.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde_json::{Value, json};

use super::read;
use crate::admin::identity::AdminCaller;
use crate::admin::{Operations, Parameters, Problem};
use crate::store::shown::dollars;
use crate::store::sums::{REQUESTS, SAVED, UNPRICED};
use crate::time::from_milliseconds;
use weir_identity::document::{Access, TeamId};
use weir_identity::{Directory, KeyId};
use weir_ledger::Timestamp;
use weir_store::{Day, HOUR_MS, Subjects, UsageBy, UsageQuery, UsageSum, first_hour_kept};

/// Hours of the time that is summed if none is given: 30 days.
const USUAL_HOURS: u64 = 30 * 24;

/// What sums are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GroupedBy {
    Key,
    Team,
    Model,
    Provider,
    Day,
}

impl GroupedBy {
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

    /// The kind of subjects whose sums count. Sums of teams are those of keys once more, so only one of the two counts.
    fn kind(self, is_of_team: bool) -> &'static str {
        if self == Self::Team || is_of_team { "team" } else { "key" }
    }

    /// What the store puts the sums together by.
    fn grouping(self) -> UsageBy {
        match self {
            Self::Key | Self::Team => UsageBy::Subject,
            Self::Model => UsageBy::Served,
            Self::Provider => UsageBy::Provider,
            Self::Day => UsageBy::Day,
        }
    }

    /// The name of a group of the store.
    fn name(self, group: &str) -> String {
        match self {
            Self::Key | Self::Team => group.split_once(':').map_or(group, |(_, name)| name).to_owned(),
            Self::Model | Self::Provider => group.to_owned(),
            Self::Day => {
                let day: u64 = group.parse().unwrap_or_default();
                Day::of(day.saturating_mul(24 * HOUR_MS)).to_string()
            }
        }
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
    fn add(&mut self, sum: &UsageSum) {
        let UsageSum { bucket, price_dim, sums, .. } = sum;
        if bucket == SAVED {
            self.hits += sums.requests;
            self.saved_nano = self.saved_nano.saturating_add(sums.cost_nano);
            return;
        }
        if bucket != REQUESTS {
            *self.tokens.entry(bucket.clone()).or_default() += sums.units;
            return;
        }
        self.requests += sums.requests;
        self.estimated += sums.estimated;
        self.cost_nano = self.cost_nano.saturating_add(sums.cost_nano);
        if price_dim == UNPRICED {
            self.unpriced += sums.requests;
        }
    }

    fn shown(&self, name: &str, title: Option<&str>) -> Value {
        json!({
            "name": name,
            "title": title,
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

/// A time with whole days where there are no hours any more.
fn by_what_is_kept(from_hour: u64, to_hour: u64, first_kept: u64) -> (u64, u64) {
    const DAY: u64 = 24;
    let from = if from_hour < first_kept { from_hour - from_hour % DAY } else { from_hour };
    let to = if to_hour < first_kept { to_hour.next_multiple_of(DAY) } else { to_hour };
    (from, to)
}

/// The name for people of a key of the store, whose sums stand under its id.
fn title<'a>(directory: &'a Directory, by: GroupedBy, name: &str) -> Option<&'a str> {
    let id = KeyId::parse(name).ok().filter(|_| by == GroupedBy::Key)?;
    directory.key(id).map(|key| &*key.name)
}

/// Whether a caller may read the sums of a subject. A grant for a team is for the sums of this team; those of one of
/// its keys may have begun while the key was another team's.
fn may_read(caller: &AdminCaller, key: Option<&str>, team: Option<&str>) -> bool {
    let own = if key.is_none() { team.and_then(|team| TeamId::parse(team).ok()) } else { None };
    caller.may(Access::Read, own.as_ref())
}

/// The sums of some time, by whole hours, or by whole days if it is long ago. Whole days are read from their own sums.
pub(super) async fn sums(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    RawQuery(url): RawQuery,
) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["by", "from", "to", "key", "team", "top"])?;
    let (key, team) = (parameters.text("key"), parameters.text("team"));
    if !may_read(&caller, key.as_deref(), team.as_deref()) {
        return Err(Problem::forbidden());
    }
    let words = "key, team, model, provider or day";
    let named = parameters.text("by").unwrap_or_else(|| "day".to_owned());
    let by = GroupedBy::parse(&named).ok_or_else(|| Problem::parameter(format!("`by` must be {words}")))?;
    let now_hour = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default() / HOUR_MS;
    let to_hour = parameters.time("to")?.map_or(now_hour + 1, |time| time.div_ceil(HOUR_MS));
    let from_hour = parameters.time("from")?.map_or(to_hour.saturating_sub(USUAL_HOURS), |time| time / HOUR_MS);
    if from_hour >= to_hour {
        return Err(Problem::parameter("`to` must be after `from`, by whole hours".to_owned()));
    }
    let first_kept = first_hour_kept(now_hour * HOUR_MS);
    let (from_hour, to_hour) = by_what_is_kept(from_hour, to_hour, first_kept);
    let subject = match (key, &team) {
        (Some(_), Some(_)) => return Err(Problem::parameter("give `key` or `team`, not both".to_owned())),
        (Some(key), None) => Some(format!("key:{key}")),
        (None, Some(team)) => Some(format!("team:{team}")),
        (None, None) => None,
    };
    let kind = by.kind(team.is_some());
    let mut groups = BTreeMap::<String, Group>::new();
    // A key is in no team's sums.
    if subject.as_ref().is_none_or(|subject| subject.split(':').next() == Some(kind)) {
        let subjects = subject.map_or_else(|| Subjects::Kind(kind.to_owned()), Subjects::One);
        let query = UsageQuery { from_hour, to_hour, subjects, by: by.grouping() };
        for sum in read(&operations, move |store| store.usage(&query)).await? {
            groups.entry(by.name(&sum.group)).or_default().add(&sum);
        }
    }
    let mut groups: Vec<(String, Group)> = groups.into_iter().collect();
    let top: usize = parameters.parsed("top", "a number")?.unwrap_or(usize::MAX);
    let more = groups.len().saturating_sub(top);
    if top < usize::MAX {
        groups.sort_by_key(|(_, group)| Reverse((group.cost_nano, group.requests)));
    }
    let directory = operations.gateway.stored_keys().directory();
    let shown = |(name, group): &(String, Group)| group.shown(name, title(&directory, by, name));
    let items: Vec<Value> = groups.iter().take(top).map(shown).collect();
    let time = |hour: u64| from_milliseconds(hour.saturating_mul(HOUR_MS)).map(|time| time.to_string());
    Ok(Json(json!({"by": named, "from": time(from_hour), "to": time(to_hour), "items": items, "more": more})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_store::LedgerSums;

    #[test]
    fn groups_have_the_names_of_what_they_are() {
        assert_eq!(
            (GroupedBy::Key.kind(false), GroupedBy::Model.kind(false), GroupedBy::Model.kind(true)),
            ("key", "key", "team")
        );
        assert_eq!((GroupedBy::Team.kind(false), GroupedBy::Key.kind(true)), ("team", "team"));
        assert_eq!((GroupedBy::Key.name("key:a:b"), GroupedBy::Key.name("key:")), ("a:b".to_owned(), String::new()));
        assert_eq!(
            (GroupedBy::Model.name("m:1"), GroupedBy::Day.name("1")),
            ("m:1".to_owned(), "1970-01-02".to_owned())
        );
    }

    #[test]
    fn a_time_long_ago_is_made_of_whole_days() {
        assert_eq!(by_what_is_kept(30, 80, 0), (30, 80));
        assert_eq!(by_what_is_kept(30, 80, 72), (24, 80));
        assert_eq!(by_what_is_kept(30, 71, 72), (24, 72));
        assert_eq!(by_what_is_kept(24, 48, 72), (24, 48));
        assert_eq!(by_what_is_kept(30, 200, 72), (24, 200));
    }

    #[test]
    fn the_sums_of_a_group_are_added_by_what_they_count() {
        let sum = |price_dim: &str, bucket: &str, [units, requests, estimated, cost_nano]: [i64; 4]| UsageSum {
            group: "key:a".to_owned(),
            price_dim: price_dim.to_owned(),
            bucket: bucket.to_owned(),
            sums: LedgerSums { units, requests, estimated, cost_nano },
        };
        let mut group = Group::default();
        group.add(&sum("", REQUESTS, [2, 2, 1, 7]));
        group.add(&sum("", "input", [50, 2, 1, 0]));
        group.add(&sum(UNPRICED, REQUESTS, [1, 1, 0, 0]));
        group.add(&sum("", SAVED, [1, 1, 0, 9]));

        assert_eq!((group.hits, group.saved_nano), (1, 9));
        assert_eq!((group.requests, group.unpriced, group.cost_nano, group.tokens["input"]), (3, 1, 7, 50));
    }
}

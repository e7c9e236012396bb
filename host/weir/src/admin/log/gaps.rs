//! `GET /admin/v1/requests/gaps`: how many facts of a day the log lacks.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::{read, written};
use crate::admin::{Operations, Parameters, Problem};
use weir_store::{Day, Gap};

/// What a day lacks, by process: each process numbers its facts, so that those show which never reached the
/// store, and those that were erased.
pub(super) async fn list(
    State(operations): State<Operations>,
    RawQuery(url): RawQuery,
) -> Result<Json<Value>, Problem> {
    let day = Parameters::parse(url.as_deref(), &["day"])?.time("day")?;
    let now = || u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
    let day = Day::of(day.unwrap_or_else(now));
    // What cannot be written now is missing now.
    let _is_written = written(&operations).await?;
    let gaps = read(&operations, move |store| store.gaps(day)).await?;
    let missing: u64 = gaps.iter().map(|gap| gap.missing).sum();
    let items: Vec<Value> = gaps.iter().map(shown).collect();
    Ok(Json(json!({"items": items, "missing": missing})))
}

fn shown(gap: &Gap) -> Value {
    let time = |ms| crate::time::from_milliseconds(ms).map(|time| time.to_string());
    // As text: JavaScript's numbers do not hold all of these.
    json!({"process": gap.process.to_string(), "from": time(gap.from_ms), "to": time(gap.to_ms), "missing": gap.missing})
}

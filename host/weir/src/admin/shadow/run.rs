//! One shadow run: reads logged exchanges, newest first, and compares what two versions of an adapter make of each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::report::Report;
use crate::admin::Problem;
use crate::admin::log::exchange::{Exchange, exchange};
use crate::store::bill;
use axum::http::StatusCode;
use weir_fixtures::proof::{Comparison, Fixture, Pair, shadow};
use weir_gateway::serving::Serving;
use weir_sandbox::{Adapter, Digest};
use weir_store::{Fact, Page, Query, RequestId, Store, StoreError};

/// The longest run.
const LONGEST: Duration = Duration::from_mins(10);
/// Facts that are read at a time.
const PAGE: usize = 200;
/// Facts that are looked at for each request that is wanted, at most.
const LOOKED_AT: usize = 20;

/// A run and what it has found so far.
#[derive(Debug)]
pub(super) struct Run {
    id: String,
    begun: Timestamp,
    serving: Arc<Serving>,
    before: Arc<Adapter>,
    after: Arc<Adapter>,
    query: Query,
    wanted: usize,
    is_cancelled: AtomicBool,
    report: Mutex<Report>,
}

/// Why an exchange is left out.
enum LeftOut {
    /// Another adapter's.
    NotIts,
    NoContent,
    Unfit(String),
}

impl Run {
    /// A run that has not begun: the requests of a search, as they would be served now.
    pub(super) fn new(
        serving: Arc<Serving>,
        after: Arc<Adapter>,
        query: Query,
        wanted: usize,
    ) -> Result<Self, Problem> {
        let nothing = |text: String| Problem::of_status(StatusCode::CONFLICT, text);
        let before = serving.adapter(&after.name).cloned();
        let before = before.ok_or_else(|| nothing(format!("no version of `{}` serves", after.name)))?;
        if before.digest == after.digest {
            return Err(nothing("this version serves, so there is nothing to compare it with".to_owned()));
        }
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|_| Problem::internal())?;
        let begun = Timestamp::now();
        let id = RequestId::new(u64::try_from(begun.as_millisecond()).unwrap_or_default(), random).to_string();
        let (is_cancelled, report) = (AtomicBool::new(false), Mutex::default());
        Ok(Self { id, begun, serving, before, after, query, wanted, is_cancelled, report })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The digest of the version that is tried.
    pub(super) fn digest(&self) -> String {
        self.after.digest.hex()
    }

    pub(super) fn is_running(&self) -> bool {
        self.report().is_running()
    }

    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Replays the exchanges. Blocks, on one thread, until the end of the run.
    pub(super) fn carry_out(&self, store: &dyn Store) {
        let ended = self.replay_all(store);
        self.report().end(match ended {
            Ok(()) if self.is_cancelled.load(Ordering::Relaxed) => "cancelled",
            Ok(()) => "done",
            Err(error) => {
                tracing::warn!(%error, run = self.id, "a shadow run cannot use the store");
                "failed: the store cannot be used at present"
            }
        });
    }

    fn replay_all(&self, store: &dyn Store) -> Result<(), StoreError> {
        let begun = Instant::now();
        let mut query = Query { limit: PAGE, ..self.query.clone() };
        let mut looked_at = 0;
        loop {
            let Page { facts, next } = store.search(&query)?;
            for fact in facts {
                let is_over = self.is_cancelled.load(Ordering::Relaxed)
                    || begun.elapsed() > LONGEST
                    || looked_at >= self.wanted * LOOKED_AT
                    || self.report().compared() >= self.wanted;
                if is_over {
                    return Ok(());
                }
                looked_at += 1;
                self.look_at(store, &fact)?;
            }
            match next {
                Some(cursor) => query.after = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    fn look_at(&self, store: &dyn Store, fact: &Fact) -> Result<(), StoreError> {
        let compared = match self.compare(store, fact)? {
            Ok(compared) => compared,
            Err(left_out) => {
                match left_out {
                    LeftOut::NotIts => {}
                    LeftOut::NoContent => self.report().leave_out("its content is not kept"),
                    LeftOut::Unfit(reason) => self.report().leave_out(&reason),
                }
                return Ok(());
            }
        };
        let cost = |usage: &Option<_>| usage.as_ref().and_then(|usage| bill::cost_of(&self.serving, fact, usage));
        let costs = [cost(&compared.before.usage), cost(&compared.after.usage)];
        // One request is shown in full, many by their differences.
        self.report().note(fact, &compared, costs, self.query.id.is_some());
        Ok(())
    }

    fn compare(&self, store: &dyn Store, fact: &Fact) -> Result<Result<Comparison, LeftOut>, StoreError> {
        let faces = &self.serving.faces;
        let face = faces.all().iter().find(|face| face.format() == fact.dialect);
        let dialect = face.and_then(|face| self.serving.adapter(&face.adapter));
        let provider = self.serving.adapter(&fact.adapter);
        let (Some(dialect), Some(provider)) = (dialect, provider) else { return Ok(Err(LeftOut::NotIts)) };
        let is_its = |adapter: &Arc<Adapter>| adapter.name == self.after.name;
        if !is_its(dialect) && !is_its(provider) {
            return Ok(Err(LeftOut::NotIts));
        }
        let Some(text) = recording(&exchange(store, fact.clone())?, fact) else {
            return Ok(Err(LeftOut::NoContent));
        };
        let fixture = match Fixture::parse(&fact.id.to_string(), text) {
            Ok(fixture) => fixture,
            Err(reason) => return Ok(Err(LeftOut::Unfit(reason))),
        };
        let with = |version| Pair {
            dialect: if is_its(dialect) { version } else { dialect },
            provider: if is_its(provider) { version } else { provider },
        };
        Ok(shadow(&fixture, faces, with(&self.before), with(&self.after)).map_err(LeftOut::Unfit))
    }

    /// The run with all that it has found.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.in_brief();
        self.report().show(&mut shown);
        shown
    }

    pub(super) fn in_brief(&self) -> Value {
        let version =
            |adapter: &Adapter| json!({"version": adapter.manifest.version, "digest": digest(adapter.digest)});
        let mut shown = json!({
            "id": self.id,
            "adapter": *self.after.name,
            "begun": self.begun,
            "serving": version(&self.before),
            "candidate": version(&self.after),
            "wanted": self.wanted,
        });
        self.report().show_progress(&mut shown);
        shown
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(digest: Digest) -> String {
    digest.hex()
}

/// A logged exchange as a fixture with the client's request; none if a part of it is not kept.
fn recording(exchange: &Exchange, fact: &Fact) -> Option<String> {
    let client = exchange.client.request.as_deref()?;
    let mut recording = serde_json::to_value(exchange.recording()?).ok()?;
    recording["client"] = serde_json::from_str(client.get()).ok()?;
    recording["operation"] = json!(fact.operation);
    if let Some((_, model)) = fact.target.split_once('/') {
        recording["model"] = json!(model);
    }
    Some(recording.to_string())
}

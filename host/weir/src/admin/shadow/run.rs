//! One shadow run: reads logged exchanges, newest first, and compares what two versions of an adapter make of each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::report::Report;
use crate::admin::Problem;
use crate::admin::log::exchange::{Exchange, exchange};
use crate::store::bill;
use axum::http::StatusCode;
use weir_fixtures::proof::{Comparison, Fixture, FixtureError, Pair, Unfit, shadow};
use weir_gateway::serving::Serving;
use weir_sandbox::Adapter;
use weir_store::{Fact, Page, Query, RequestId, Store, StoreError};

/// The longest run.
const MAX_RUN: Duration = Duration::from_mins(10);
/// Facts that are read at a time.
const PAGE: usize = 200;
/// Facts that are looked at for each request that is wanted, at most.
const LOOKED_AT: usize = 20;

/// A run and what it has found so far. It holds no component: a run that is over keeps none in memory.
#[derive(Debug)]
pub(super) struct Run {
    id: String,
    begun: Timestamp,
    adapter: String,
    serving: Version,
    candidate: Version,
    query: Query,
    wanted: usize,
    is_cancelled: AtomicBool,
    report: Mutex<Report>,
}

/// A version of the adapter, as runs show it.
#[derive(Debug)]
struct Version {
    number: String,
    digest: String,
}

/// What a run is carried out with, until its end.
pub(super) struct Versions {
    serving: Arc<Serving>,
    before: Arc<Adapter>,
    after: Arc<Adapter>,
}

/// Why an exchange is left out.
enum LeftOut {
    /// Another adapter's.
    NotIts,
    NoContent,
    /// It is no fixture.
    Wrong(FixtureError),
    /// It cannot be replayed with these adapters.
    Unfit(Unfit),
}

impl Run {
    /// A run that has not begun, and what it is carried out with: the requests of a search, as they would be served
    /// now.
    pub(super) fn new(
        serving: Arc<Serving>,
        after: Arc<Adapter>,
        query: Query,
        wanted: usize,
    ) -> Result<(Self, Versions), Problem> {
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
        let (adapter, is_cancelled, report) = (after.name.to_string(), AtomicBool::new(false), Mutex::default());
        let (now, candidate) = (Version::of(&before), Version::of(&after));
        let run = Self { id, begun, adapter, serving: now, candidate, query, wanted, is_cancelled, report };
        Ok((run, Versions { serving, before, after }))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The digest of the version that is tried.
    pub(super) fn digest(&self) -> &str {
        &self.candidate.digest
    }

    pub(super) fn is_running(&self) -> bool {
        self.report().is_running()
    }

    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Replays the exchanges, until the program stops. Blocks, on one thread, until the end of the run.
    pub(super) fn carry_out(&self, versions: &Versions, store: &dyn Store, stopping: &watch::Receiver<bool>) {
        let look_at = |fact: &Fact| self.look_at(versions, store, fact);
        self.conduct(|query| store.search(query), || *stopping.borrow(), look_at);
    }

    /// Looks at the facts of the search in turn. However that ends, the run has ended then.
    fn conduct(
        &self,
        search: impl FnMut(&Query) -> Result<Page, StoreError>,
        is_stopping: impl Fn() -> bool,
        look_at: impl FnMut(&Fact) -> Result<(), StoreError>,
    ) {
        let mut ending = Ending { run: self, how: "failed: it broke off, the log says why" };
        let is_stopped = || self.is_cancelled.load(Ordering::Relaxed) || is_stopping();
        ending.how = match self.look_at_all(search, &is_stopped, look_at) {
            Ok(()) if is_stopped() => "cancelled",
            Ok(()) => "done",
            Err(error) => {
                tracing::warn!(%error, run = self.id, "a shadow run cannot use the store");
                "failed: the store cannot be used at present"
            }
        };
    }

    fn look_at_all(
        &self,
        mut search: impl FnMut(&Query) -> Result<Page, StoreError>,
        is_stopped: &impl Fn() -> bool,
        mut look_at: impl FnMut(&Fact) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let begun = Instant::now();
        let mut query = Query { limit: PAGE, ..self.query.clone() };
        let mut looked_at = 0;
        loop {
            let Page { facts, next } = search(&query)?;
            for fact in facts {
                let is_over = is_stopped()
                    || begun.elapsed() > MAX_RUN
                    || looked_at >= self.wanted * LOOKED_AT
                    || self.report().compared() >= self.wanted;
                if is_over {
                    return Ok(());
                }
                looked_at += 1;
                look_at(&fact)?;
            }
            match next {
                Some(cursor) => query.after = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    fn look_at(&self, versions: &Versions, store: &dyn Store, fact: &Fact) -> Result<(), StoreError> {
        let compared = match versions.compare(store, fact)? {
            Ok(compared) => compared,
            Err(left_out) => {
                match left_out {
                    LeftOut::NotIts => {}
                    LeftOut::NoContent => self.report().leave_out("its content is not kept"),
                    LeftOut::Wrong(reason) => self.report().leave_out(&reason.to_string()),
                    LeftOut::Unfit(reason) => self.report().leave_out(&reason.to_string()),
                }
                return Ok(());
            }
        };
        let cost = |usage: &Option<_>| usage.as_ref().and_then(|usage| bill::cost_of(&versions.serving, fact, usage));
        let costs = [cost(&compared.before.usage), cost(&compared.after.usage)];
        // One request is shown in full, many by their differences.
        self.report().note(fact, &compared, costs, self.query.id.is_some());
        Ok(())
    }

    /// The run with all that it has found.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.in_brief();
        self.report().show(&mut shown);
        shown
    }

    pub(super) fn in_brief(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "adapter": self.adapter,
            "begun": self.begun,
            "serving": self.serving.shown(),
            "candidate": self.candidate.shown(),
            "wanted": self.wanted,
        });
        self.report().show_progress(&mut shown);
        shown
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Version {
    fn of(adapter: &Adapter) -> Self {
        Self { number: adapter.manifest.version.clone(), digest: adapter.digest.hex() }
    }

    fn shown(&self) -> Value {
        json!({"version": self.number, "digest": self.digest})
    }
}

impl Versions {
    /// What both versions make of a logged exchange.
    fn compare(&self, store: &dyn Store, fact: &Fact) -> Result<Result<Comparison, LeftOut>, StoreError> {
        let endpoints = &self.serving.endpoints;
        let endpoint = endpoints.all().iter().find(|endpoint| endpoint.format() == fact.dialect);
        let dialect = endpoint.and_then(|endpoint| self.serving.adapter(&endpoint.adapter));
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
            Err(reason) => return Ok(Err(LeftOut::Wrong(reason))),
        };
        let with = |version| Pair {
            dialect: if is_its(dialect) { version } else { dialect },
            provider: if is_its(provider) { version } else { provider },
        };
        Ok(shadow(&fixture, endpoints, with(&self.before), with(&self.after)).map_err(LeftOut::Unfit))
    }
}

/// Ends a run where it goes out of scope, also by a panic: no other one begins before.
struct Ending<'a> {
    run: &'a Run,
    how: &'static str,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.run.report().end(self.how);
    }
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn run() -> Run {
        let version = || Version { number: "1".to_owned(), digest: "0".repeat(64) };
        Run {
            id: "run".to_owned(),
            begun: Timestamp::UNIX_EPOCH,
            adapter: "zeta".to_owned(),
            serving: version(),
            candidate: version(),
            query: Query::default(),
            wanted: 100,
            is_cancelled: AtomicBool::new(false),
            report: Mutex::default(),
        }
    }

    fn three() -> Page {
        Page { facts: (0..3).map(|n| Fact::of(RequestId::new(n, [1; 10]))).collect(), next: None }
    }

    #[test]
    fn a_run_ends_with_the_exchange_during_which_the_program_stops() {
        let (run, (stop, stopping), mut looked_at) = (run(), watch::channel(false), 0);
        run.conduct(
            |_| Ok(three()),
            || *stopping.borrow(),
            |_| {
                looked_at += 1;
                stop.send_replace(true);
                Ok(())
            },
        );
        assert_eq!((looked_at, &run.in_brief()["status"]), (1, &json!("cancelled")));
    }

    #[test]
    fn a_run_that_panics_has_ended() {
        let run = run();
        let conducted =
            catch_unwind(AssertUnwindSafe(|| run.conduct(|_| Ok(three()), || false, |_| panic!("a defect"))));
        assert!(conducted.is_err() && !run.is_running());
        assert!(run.in_brief()["status"].as_str().unwrap().starts_with("failed"), "{}", run.in_brief());
    }
}

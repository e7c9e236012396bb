//! Stored answers that no client has read finished: reads them from their providers, and books what they used.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};

use super::Gateway;
use crate::accept::Acceptance;
use crate::accounting::access::{Arrival, RequestRecord};
use crate::accounting::{Account, ExchangeStart, StoredRead, StoredUse, Unread};
use crate::admission::budgets::HeldBudget;
use crate::admission::{AdmissionPermit, Demand, Uses};
use crate::attempt::{StoredAnswerId, StoredState, read_stored};
use crate::observe::log::current;
use crate::observe::trace::Span;
use crate::provenance::{Claim, Issuer, ObjectKind, ProvenanceRecorder, ReadRequests, RecordScope};
use crate::route::{Route, Target, keys};
use crate::serving::{Serving, Stored};
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::exchange::Exchange;

/// How long a read may take, and one of the results of work, which may have gigabytes.
const TIMEOUT: Duration = Duration::from_mins(1);
const RESULTS_TIMEOUT: Duration = Duration::from_mins(30);
/// How the path of a request ends that reads an answer.
const BY_ID: &str = "/{id}";
/// The program that these requests come from, in the log.
const PROGRAM: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

/// The outcome of reading an answer that was not booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// It is finished, and was booked unless another process has to.
    Finished,
    /// It is still being made.
    UnderWay,
    /// It was read, and its usage is not known: it reports none, or its results cannot be read now.
    Unreported,
    /// Its provider does not have it.
    Gone,
    /// It cannot be read now.
    Unreadable,
}

/// The way on which an answer is read.
pub(super) struct StoredAnswerRoute<'a> {
    pub(super) route: &'a Route,
    pub(super) target: &'a Arc<Target>,
    pub(super) endpoint: &'a Arc<Endpoint>,
    acceptance: &'a Acceptance,
}

impl Gateway {
    /// The stored answers to read now, at most so many.
    pub(crate) fn unread(&self, most: usize) -> Vec<Unread> {
        self.unbooked.due(Instant::now(), self.serving.load().config.server.book_unread_after, most)
    }

    /// The number of batches that are not booked yet, and whether a store keeps them.
    pub(crate) fn unbooked_work(&self) -> (usize, bool) {
        (self.unbooked.work(), self.unbooked.is_kept())
    }

    /// Reads a stored answer, and books it if it is finished. Such a read is no client's: it takes nothing of a limit,
    /// and says nothing about the target's health.
    pub(crate) async fn book_unread(&self, unread: Unread) -> ReadOutcome {
        let serving = self.serving.load_full();
        // The configuration may have the provider again later.
        let Some(way) = way_to(&serving, &unread.issuer, unread.read_by) else { return ReadOutcome::Unreadable };
        let results = way_to(&serving, &unread.issuer, Stored::Results).filter(|_| unread.read_by == Stored::Work);
        let exchange = Exchange::begin(&HeaderMap::new());
        let mut recorder = self.recorder_of_read(&serving, &way, &unread);
        let read = self.read(&serving, &way, &unread, &unread.id, &mut recorder).await;
        if let Some(results) = recorder.results_id() {
            self.unbooked.note_results(&unread.caller.tenant, &unread.id, results);
        }
        // Results may have an id of their own, which the work names.
        let work_id_places = serving.work_id_places(way.endpoint.index);
        let results_id =
            if work_id_places.is_some() { recorder.results_id().map(str::to_owned) } else { Some(unread.id.clone()) };
        let read = match (read, &results, results_id) {
            // It says that it is finished, and its results have the rest.
            (Ok(StoredState::Unreported | StoredState::Failed), Some(results), Some(id)) => {
                self.read(&serving, results, &unread, &id, &mut recorder).await
            }
            (Ok(StoredState::Failed), _, None) => {
                Ok(StoredState::Finished(Box::new(StoredUse::Whole { usage: None, content: 0, model: None })))
            }
            (read, ..) => read,
        };
        match read {
            Ok(StoredState::Finished(used)) => {
                let id = Arc::clone(&exchange.id);
                current::within(id, async { self.book_finished(&serving, &way, &unread, &exchange, *used) }).await;
                ReadOutcome::Finished
            }
            Ok(StoredState::UnderWay) => ReadOutcome::UnderWay,
            Ok(StoredState::Failed | StoredState::Unreported) => ReadOutcome::Unreported,
            Err(outcome) => outcome,
        }
    }

    /// Reads a stored answer, or its results; says why if it cannot be read.
    async fn read(
        &self,
        serving: &Serving,
        way: &StoredAnswerRoute<'_>,
        unread: &Unread,
        id: &str,
        recorder: &mut ProvenanceRecorder,
    ) -> Result<StoredState, ReadOutcome> {
        let reads = serving.stored(way.endpoint.index);
        let timeout = if reads == Stored::Results { RESULTS_TIMEOUT } else { TIMEOUT };
        let of_results = way.acceptance.tap.as_ref().filter(|_| reads == Stored::Results);
        let tap = of_results.unwrap_or(&unread.tap);
        let named = StoredAnswerId { id, reads };
        let read = read_stored(self.context(serving), way.target, way.acceptance, tap, named, recorder);
        match tokio::time::timeout(timeout, read).await {
            Ok(Ok(state)) => return Ok(state),
            Ok(Err(fault)) => {
                let is_gone = matches!(fault.error.status, Some(404 | 410));
                // What work used may be more than is reserved for it, so that it is asked for again.
                if is_gone && unread.read_by != Stored::Work {
                    self.unbooked.forget(unread);
                } else {
                    tracing::info!(provider = %way.target.label, error = %fault, "a stored answer cannot be read");
                }
                if is_gone && reads == unread.read_by {
                    return Err(ReadOutcome::Gone);
                }
            }
            Err(_) => tracing::info!(provider = %way.target.label, "a stored answer cannot be read in time"),
        }
        Err(if reads == unread.read_by { ReadOutcome::Unreadable } else { ReadOutcome::Unreported })
    }

    /// Records what the answer names for its client, as a read by that would: the results of work are its own as well.
    fn recorder_of_read(&self, serving: &Serving, way: &StoredAnswerRoute<'_>, unread: &Unread) -> ProvenanceRecorder {
        let tenant = Arc::clone(&unread.caller.tenant);
        let claim = serving.created_objects(way.endpoint.index, &self.stored_keys).map(|_| Claim {
            owners: self.reasoning_cache.owners().clone(),
            kind: ObjectKind::Object,
            depth: 1,
            named: vec![unread.id.clone()],
            inputs: Vec::new(),
            sent: None,
            requests: ReadRequests::default(),
        });
        let work_id_places = serving.work_id_places(way.endpoint.index);
        let nothing = RecordScope { values: false, objects: false };
        let provenance = self.reasoning_cache.provenance().clone();
        let recorder = ProvenanceRecorder::new(provenance, tenant, unread.issuer.clone(), nothing, Vec::new());
        recorder.claiming(claim.filter(|_| work_id_places.is_some())).finding_work_ids(work_id_places)
    }

    /// Books a finished answer as a read by its client would, to whom it counts.
    fn book_finished(
        &self,
        serving: &Serving,
        &StoredAnswerRoute { route, target, endpoint, .. }: &StoredAnswerRoute<'_>,
        unread: &Unread,
        exchange: &Exchange,
        used: StoredUse,
    ) {
        let Unread { id, caller, .. } = unread;
        if self.unbooked.tap(&caller.tenant, id).is_none() {
            return;
        }
        let series = route.series(&self.metrics, endpoint, caller.label());
        let start = ExchangeStart {
            begun: exchange.begun,
            request_id: &exchange.id,
            operation: endpoint.face.operation.name(),
            span: &Span::default(),
            counts: false,
        };
        let mut account = Account::open(&self.metrics, series, start, AdmissionPermit::free());
        account.set_record(self.record_of_read(serving, endpoint, unread, exchange));
        account.reads_stored(StoredRead::new(&self.unbooked, &caller.tenant, Some(id)));
        account.start_attempt(&target.label, "", target.tariff(""));
        account.answering(200, false, true);
        if !unread.is_reserved {
            self.owe(&mut account, target, unread);
        }
        account.stored_is_finished(used);
        account.complete();
    }

    /// Has budgets count what they have reserved nothing for, whether or not they have room.
    fn owe(&self, account: &mut Account, target: &Arc<Target>, Unread { caller, alias, .. }: &Unread) {
        let (budgets, demand) = (&self.admission.budgets, Demand::of(None, 0, Uses::Free));
        if let Some(granted) = budgets.owe_at(caller, alias, target, &demand) {
            account.reserve(HeldBudget::of_counted(granted.reservation, None));
        }
        if let Some(granted) = budgets.owe_attempt(target, &demand) {
            account.reserve(HeldBudget::of_counted(granted.reservation, Some(Arc::clone(&target.label))));
        }
    }

    fn record_of_read(
        &self,
        serving: &Serving,
        endpoint: &Arc<Endpoint>,
        Unread { id, caller, .. }: &Unread,
        exchange: &Exchange,
    ) -> Option<Box<RequestRecord>> {
        let arrival = Arrival {
            id: Arc::clone(&exchange.id),
            own_id: exchange.own_id,
            begun: exchange.begun,
            method: &Method::GET,
            path: &endpoint.face.path.replace("{id}", id),
            address: None,
            user_agent: Some(PROGRAM),
        };
        let mut record = RequestRecord::begin(arrival, serving.config.server.access_log, self.log.get().cloned())?;
        record.set_endpoint(endpoint);
        record.set_caller(caller);
        Some(record)
    }
}

/// The way to an answer, or to its results: at its provider with the key that had it made, by the target itself if that
/// is still there.
pub(super) fn way_to<'a>(serving: &'a Serving, issuer: &Issuer, read_by: Stored) -> Option<StoredAnswerRoute<'a>> {
    let reads = |endpoint: &&Arc<Endpoint>| {
        serving.stored(endpoint.index) == read_by
            && endpoint.face.method == "GET"
            && (read_by == Stored::Results || endpoint.face.path.ends_with(BY_ID))
    };
    let endpoints: Vec<&Arc<Endpoint>> = serving.endpoints.all().iter().filter(reads).collect();
    let of_models = serving.routes.iter().flat_map(|(_, route)| {
        let targets = route.targets.iter().flatten();
        targets.map(move |target| (&**route, target))
    });
    let all = of_models.chain(serving.passages.iter().map(|passage| (&passage.route, passage.target())));
    let of_provider = all.filter(|(_, target)| *target.label == *issuer.provider);
    let of_key = of_provider.flat_map(|(route, target)| keys(target).map(move |target| (route, target)));
    let ways = of_key.filter(|(_, target)| target.key == issuer.key).filter_map(|(route, target)| {
        let accepted = |endpoint: &&'a Arc<Endpoint>| target.accepts(endpoint.format(), &endpoint.face.operation);
        let (endpoint, acceptance) = endpoints.iter().find_map(|endpoint| Some((*endpoint, accepted(endpoint)?)))?;
        Some(StoredAnswerRoute { route, target, endpoint, acceptance })
    });
    ways.max_by_key(|way| way.target.id == issuer.target)
}

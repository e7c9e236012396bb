//! Resumption of a broken stream: the next target gets the text so far and is asked for the rest.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use super::follow_up::CancelOnDrop;
use super::partial_answer::is_curable;
use super::pipeline::Successor;
use super::{InboundRequest, RequestContext, policy, translate};
use crate::accounting::Account;
use crate::admission::Admission;
use crate::health::Health;
use crate::observe::log::clean::cleaned;
use crate::provenance::Carried;
use crate::reasoning_cache::ReasoningCache;
use crate::route::{Candidate, Target};
use weir_config::Config;
use weir_types::fault::{Fault, Side};
use weir_upstream::{Decoded, Upstreams};

/// How often one stream may be resumed.
const TIMES: u32 = 3;

/// The data for resuming a stream, kept while the stream runs.
#[derive(Debug, Clone)]
pub struct ResumeContext {
    /// The client's request.
    pub inbound: Arc<InboundRequest>,
    /// The configuration that the request began with.
    pub config: Arc<Config>,
    /// The client for requests to providers.
    pub upstreams: Upstreams,
    /// The cache of values that clients' formats cannot carry.
    pub reasoning_cache: Arc<ReasoningCache>,
    /// The health of all targets.
    pub health: Arc<Health>,
    /// The limits of providers.
    pub admission: Arc<Admission>,
    /// The request's candidates.
    pub candidates: Vec<Candidate>,
    /// The opaque values and object ids of earlier answers that the request carries.
    pub carried: Carried,
    /// The deadline of the whole request.
    pub deadline: Option<Instant>,
    /// How often the stream has been resumed.
    pub times: u32,
}

/// Another target's stream that continues the broken one.
pub(super) struct Continued {
    pub(super) upstream: Decoded,
    pub(super) successor: Successor,
    pub(super) cancel_on_drop: Option<CancelOnDrop>,
}

/// A continuing stream with the account of its attempt.
pub(super) struct ResumedStream {
    pub(super) stream: Continued,
    pub(super) account: Account,
    /// Whether the stream is another model's than the one asked for.
    pub(super) stands_in: bool,
}

type Search = Pin<Box<dyn Future<Output = Result<ResumedStream, Fault>> + Send>>;

/// A running search for a target that continues. The mutex is never locked: it makes the body `Sync`.
pub(super) struct Resuming(Mutex<Search>);

impl Resuming {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResumedStream, Fault>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(cx)
    }
}

impl fmt::Debug for Resuming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resuming")
    }
}

impl ResumeContext {
    /// Starts the search for a target that continues the stream after this failure; `None` if it cannot be resumed.
    pub(super) fn begin(
        &mut self,
        fault: &Fault,
        sent: &str,
        from: &Arc<Target>,
        account: &Account,
    ) -> Option<Resuming> {
        let is_over = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        if fault.side != Side::Upstream || !is_curable(fault.error.kind) || is_over || self.times >= TIMES {
            return None;
        }
        self.times += 1;
        let (onward, fault, sent, from) = (self.clone(), fault.clone(), sent.to_owned(), Arc::clone(from));
        let account = account.branch();
        let found = async move { onward.find(&sent, &from, account).await.ok_or(fault) };
        Some(Resuming(Mutex::new(Box::pin(found))))
    }

    /// Tries the targets after the broken one, then those before it, then the broken one itself.
    async fn find(&self, sent: &str, from: &Arc<Target>, mut account: Account) -> Option<ResumedStream> {
        for candidate in in_turn(&self.candidates, from) {
            let is_over = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
            if is_over || !candidate.route.take_repetition(Instant::now()) {
                return None;
            }
            if let Some((stream, target)) = self.ask(candidate, sent, &mut account).await {
                account.metrics().tries.resumed(&from.id, &target.id);
                let request_id = &*self.inbound.exchange.id;
                tracing::warn!(request_id, from = %from.id, to = %target.id, sent = sent.len(), "stream continues at another target");
                return Some(ResumedStream { stream, account, stands_in: candidate.name.is_some() });
            }
        }
        None
    }

    async fn ask(&self, candidate: &Candidate, sent: &str, account: &mut Account) -> Option<(Continued, Arc<Target>)> {
        let demand = self.inbound.demand();
        let mut held = self.admission.admit_to(&candidate.target.provider, &demand).await.ok()?;
        let granted = self.admission.budgets.reserve_attempt(&candidate.target, &demand).await.ok()?;
        held.reserve_all(granted, &candidate.target.label, &demand);
        account.share_budgets_of(&mut held);
        let (target, mut ticket) = candidate.admit(&self.health, Instant::now(), &self.carried)?;
        let Self { config, upstreams, reasoning_cache, deadline, .. } = self;
        let judged = self.inbound.judged();
        let context = RequestContext { config, upstreams, reasoning_cache, deadline: *deadline, judged };
        let model = self.inbound.model();
        account.start_attempt(&target.label, target.model(model), target.tariff(model));
        let on_the_way = held.on_the_way(account.hand_over());
        let resumed = translate::continuation::resume(context, &self.inbound, &target, sent, account).await;
        drop(on_the_way);
        match resumed {
            Ok(stream) => {
                ticket.answers();
                account.serve(ticket);
                account.hold(held);
                Some((stream, target))
            }
            Err(fault) => {
                held.set_in_flight(false);
                if let Some(tokens) = account.pending() {
                    let [input, output] = tokens.map(u64::from);
                    held.attempts_used(Some((input, output)));
                }
                if account.is_in_doubt() {
                    account.keep_budgets_of(&mut held);
                }
                ticket.failed(policy::blame(&fault));
                let side = fault.side.as_str();
                account.failed("resume");
                account.tried(&candidate.health, "resume", None);
                account.metrics().tries.failed(&target.label, "resume", side);
                let request_id = &*self.inbound.exchange.id;
                let error = cleaned(&fault);
                tracing::warn!(request_id, upstream = %target.id, side, error, "target cannot continue the stream");
                None
            }
        }
    }
}

/// The candidates in the order in which they are tried; only the broken one if it does not allow fallback.
fn in_turn<'a>(candidates: &'a [Candidate], from: &'a Target) -> impl Iterator<Item = &'a Candidate> {
    let behind = candidates.iter().position(|candidate| candidate.target.id == from.id).map_or(0, |at| at + 1);
    let (before, after) = candidates.split_at(behind.min(candidates.len()));
    after.iter().chain(before).filter(|candidate| from.enable_fallback || candidate.target.id == from.id)
}

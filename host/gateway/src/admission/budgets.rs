//! Budgets: what a request reserves before it is sent, and books when it has ended.

mod forecast;
mod gauges;
mod held;
mod kept;
mod owed;
mod pages;
mod resumed;
mod work;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::{GaugeVec, IntCounterVec, Opts};

pub(crate) use self::forecast::DEFAULT_OUTPUT;
use self::forecast::{amounts, cost, of_work};
use super::{Demand, Uses};
use crate::auth::{Caller, StoredCaller};
use crate::observe::metrics::Metrics;
use crate::route::{Plan, Target};
use crate::sharing::Sharing;
pub(crate) use held::AbandonedBudgets;
pub use held::{Charge, HeldBudget};
pub use resumed::KeptBudget;
use weir_ledger::{
    Budget, BudgetSet, BudgetSharing, Granted, Nano, Notice, NoticeKind, Owner, PoolReport, Refusal, RefusalReason,
    Request, Spend, StoredRows, Timestamp, Window,
};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
pub(super) use work::WorkPart;

/// Output tokens that must fit into a budget if the request sets no limit. A longer answer is booked too.
const MIN_OUTPUT: u64 = 1024;
/// How often a request may be passed on from one model to another because of budgets.
pub(crate) const DOWNGRADES: usize = 4;

/// The label in metrics of all budgets of the store together.
const STORED: &str = "store:";

/// All budgets. They outlive reloads of the configuration.
#[derive(Debug)]
pub struct Budgets {
    set: ArcSwap<BudgetSet>,
    sources: Mutex<Sources>,
    /// The names of the configuration's budgets. Apart from the sources, whose lock is held while all budgets are
    /// joined.
    configured: ArcSwap<HashSet<Arc<str>>>,
    /// How often all budgets were joined.
    generation: AtomicU64,
    used: GaugeVec,
    limit: GaugeVec,
    refused: IntCounterVec,
    /// The state of this node among those that share its budgets, if any do.
    sharing: OnceLock<Arc<Sharing>>,
}

/// Where budgets come from.
#[derive(Debug, Default)]
struct Sources {
    configured: Vec<Budget>,
    /// The budgets of keys, teams and organisations of the store.
    stored: Vec<Budget>,
    /// Counts of an earlier process at budgets that are not known yet because the store was not read so far.
    waiting: StoredRows,
}

/// A budget's state now: the budget, its window, and what is settled and reserved in it.
pub type Status = (Arc<Budget>, Window, u64, u64);

impl Budgets {
    /// No budgets.
    pub fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let used = Opts::new(
            "weir_budget_used",
            "What is booked and reserved in a budget's window: dollars, tokens, requests",
        );
        let limit = Opts::new("weir_budget_limit", "What may be used in a budget's window: dollars, tokens, requests");
        let refused = Opts::new("weir_budget_refused_total", "Requests for which a budget had no room");
        let made = Self {
            set: ArcSwap::default(),
            sources: Mutex::default(),
            configured: ArcSwap::default(),
            generation: AtomicU64::new(0),
            used: GaugeVec::new(used, &["budget"])?,
            limit: GaugeVec::new(limit, &["budget"])?,
            refused: IntCounterVec::new(refused, &["budget", "reason"])?,
            sharing: OnceLock::new(),
        };
        metrics.registry().register(Box::new(made.used.clone()))?;
        metrics.registry().register(Box::new(made.limit.clone()))?;
        metrics.registry().register(Box::new(made.refused.clone()))?;
        Ok(made)
    }

    /// Replaces the budgets of the configuration; those that stay the same keep their counts.
    pub fn replace(&self, budgets: &[Budget]) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.configured = budgets.to_vec();
        self.configured.store(Arc::new(budgets.iter().map(|budget| Arc::clone(&budget.name)).collect()));
        // The counters begin with 0, so that the first refusal shows as an increase.
        for budget in budgets {
            for reason in [RefusalReason::Exhausted, RefusalReason::TooLarge, RefusalReason::Unpriced] {
                self.refused.with_label_values(&[&budget.name, reason_name(reason)]).inc_by(0);
            }
        }
        self.join(&mut sources);
    }

    /// Replaces the budgets of the store; those that stay the same keep their counts.
    pub fn replace_stored(&self, budgets: Vec<Budget>) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.stored = budgets;
        self.join(&mut sources);
        // The store was read, so no further budgets will come.
        sources.waiting = StoredRows::default();
    }

    fn join(&self, sources: &mut Sources) {
        let configured = self.configured.load();
        let is_free = |budget: &&Budget| {
            let is_taken = configured.contains(&budget.name);
            if is_taken {
                tracing::error!(
                    budget = &*budget.name,
                    "a budget of the store has the name of one of the configuration, and is left out: rename that one"
                );
            }
            !is_taken
        };
        let stored = sources.stored.iter().filter(is_free);
        let budgets: Vec<Budget> = sources.configured.iter().chain(stored).cloned().collect();
        let rows = sources.waiting.take(budgets.iter());
        match self.set.load().with(budgets) {
            Ok(set) => {
                set.restore(&rows, sources.waiting.node.as_deref());
                self.set.store(Arc::new(set));
                self.generation.fetch_add(1, Ordering::Release);
            }
            Err(error) => tracing::error!(%error, "the budgets are not changed"),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.set.load().is_empty()
    }

    /// The state of all budgets, including what other nodes have used, as far as this one knows.
    pub fn status(&self) -> Vec<Status> {
        self.set.load().status(self.now())
    }

    /// Shares the budgets with other nodes from now on.
    pub(super) fn share(&self, sharing: &Arc<Sharing>) {
        let _only_once = self.sharing.set(Arc::clone(sharing));
    }

    /// The time in which windows are counted: that of the server between the nodes, if there is one.
    pub(crate) fn now(&self) -> Timestamp {
        self.sharing.get().map_or_else(Timestamp::now, |sharing| sharing.now())
    }

    /// The fault for a request that a budget has no room for. Every format has its own spelling of it.
    pub fn refused(&self, refusal: &Refusal) -> Fault {
        let fault = Fault::new(Side::Client, ErrorKind::Quota, refusal.to_string()).with_status(429);
        match refusal.retry_after(self.now()) {
            Some(seconds) => fault.with_retry_after(Duration::from_secs(seconds)),
            None => fault,
        }
    }

    /// The reports for other nodes: about all budgets in use, or only about those whose share is short.
    pub fn reports(&self, node: &str, only_urgent: bool, at: Duration) -> Vec<PoolReport> {
        self.set.load().reports(node, only_urgent, at)
    }

    /// Returns the unused part of shared budgets with the next reports.
    pub fn leave(&self) {
        self.set.load().leave();
    }

    /// Whether a budget comes from the configuration.
    pub fn is_configured(&self, name: &str) -> bool {
        self.configured.load().contains(name)
    }

    /// Reserves what a request may use at most, at the budgets of its client, team, organisation, tags and model.
    pub async fn reserve(
        &self,
        caller: &Caller,
        plan: &Plan,
        demand: &Demand<'_>,
    ) -> Result<Option<Granted>, Box<Refusal>> {
        if self.set.load().is_empty() {
            return Ok(None);
        }
        let targets = plan.targets();
        let model = demand.model.map(|_| plan.route.alias.as_str());
        pin!(self.reserve_at(caller, model, &targets, demand)).await
    }

    /// Reserves what a request may use at most at these targets, for the model with this alias.
    pub(crate) async fn reserve_at(
        &self,
        caller: &Caller,
        model: Option<&str>,
        targets: &[&Target],
        demand: &Demand<'_>,
    ) -> Result<Option<Granted>, Box<Refusal>> {
        let tags = tags(caller);
        let owner = Owner { same_models: demand.same_models, ..owner(caller, model, &tags) };
        pin!(self.reserve_for(owner, targets, demand)).await
    }

    /// Whether a caller may use the model to which a budget passes its request on. The operator decides that for a
    /// budget of the configuration; a budget of a key, team or organisation gives no caller more rights.
    pub(crate) fn may_follow(&self, refusal: &Refusal, caller: &Caller, model: &str) -> bool {
        self.is_configured(&refusal.budget) || caller.may_use(model)
    }

    /// Reserves what an attempt may use at most, at the budgets of its provider.
    pub(crate) async fn reserve_attempt(
        &self,
        target: &Target,
        demand: &Demand<'_>,
    ) -> Result<Option<Granted>, Box<Refusal>> {
        pin!(self.reserve_for(Owner::attempt_at(&target.label), &[target], demand)).await
    }

    async fn reserve_for(
        &self,
        owner: Owner<'_>,
        targets: &[&Target],
        demand: &Demand<'_>,
    ) -> Result<Option<Granted>, Box<Refusal>> {
        let Some(request) = self.request(owner, targets, demand) else { return Ok(None) };
        let granted = match self.sharing.get() {
            None => self.set.load().reserve(&request, Timestamp::now()),
            Some(sharing) => Box::pin(self.reserve_shared(sharing, &request)).await,
        };
        let granted = granted.inspect_err(|refusal| self.count_refusal(refusal))?;
        granted.notices.iter().for_each(log_notice);
        Ok(Some(granted))
    }

    /// Reserves from this node's shares, and asks for more of them where they have no room.
    async fn reserve_shared(&self, sharing: &Sharing, request: &Request<'_>) -> Result<Granted, Box<Refusal>> {
        let mut asked = 0;
        loop {
            let budget_sharing = BudgetSharing::Shared { status: sharing.status(), asked };
            let reserved = {
                let set = self.set.load();
                let reserved = set.reserve_on(request, sharing.now(), &budget_sharing);
                if reserved.is_ok() && set.is_urgent() {
                    sharing.wake();
                }
                reserved
            };
            match reserved {
                Err(refusal) if refusal.may_ask => sharing.ask().await,
                reserved => return reserved,
            };
            asked += 1;
        }
    }

    /// The reservation for a request; `None` if no budget counts it.
    fn request<'a>(&self, owner: Owner<'a>, targets: &[&Target], demand: &Demand<'a>) -> Option<Request<'a>> {
        let set = self.set.load();
        if set.is_empty() {
            return None;
        }
        let counts_money = set.counts_money(&owner)?;
        let now = Timestamp::now();
        if !demand.work.is_empty() {
            let [most, least] =
                [None, Some(MIN_OUTPUT)].map(|usual| of_work(targets, demand, usual, counts_money, now));
            return Some(Request { owner, model: demand.model, most, least, is_free: false });
        }
        let (most, least) = (amounts(targets, demand, None), amounts(targets, demand, Some(MIN_OUTPUT)));
        let spend = |tokens: [u64; 2]| {
            let cost = if counts_money { cost(targets, demand, tokens, now) } else { Some(Nano::ZERO) };
            let sum = tokens.into_iter().fold(0, u64::saturating_add);
            cost.map_or(Spend::unpriced(sum), |cost| Spend::priced(cost, sum))
        };
        let reserved = spend(most);
        let needed = if least == most { reserved } else { spend(least) };
        let is_free = demand.uses == Uses::Free;
        Some(Request { owner, model: demand.model, most: reserved, least: needed, is_free })
    }

    fn count_refusal(&self, refusal: &Refusal) {
        let budget = if self.is_configured(&refusal.budget) { &*refusal.budget } else { STORED };
        self.refused.with_label_values(&[budget, reason_name(refusal.reason)]).inc();
    }
}

/// A reason's name in metrics.
fn reason_name(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Exhausted => "exhausted",
        RefusalReason::TooLarge => "too_large",
        RefusalReason::Unpriced => "unpriced",
    }
}

/// The tags of a caller's requests.
fn tags(caller: &Caller) -> Vec<&str> {
    match caller.stored.as_deref() {
        Some(stored) => stored.tags(),
        None => caller.client.iter().flat_map(|client| &client.tags).map(|tag| &**tag).collect(),
    }
}

/// The owners whose budgets count a caller's request for a model.
fn owner<'a>(caller: &'a Caller, model: Option<&'a str>, tags: &'a [&'a str]) -> Owner<'a> {
    let (client, stored) = (caller.client.as_deref(), caller.stored.as_deref());
    let [team, organisation] = caller.groups();
    Owner {
        key: client.map(|client| &*client.name).or(stored.map(StoredCaller::id)),
        team,
        organisation,
        tags,
        model,
        ..Owner::default()
    }
}

/// The warnings of budgets, for a header: each once, also if a budget is both near its limit and beyond it.
pub fn warnings(notices: &[Notice]) -> Option<String> {
    let one = |notice: &Notice| {
        let (used, limit) = (notice.limit.show(notice.used), notice.limit.show(notice.limit.amount()));
        format!("{}; {used} of {limit}", notice.budget)
    };
    let mut warnings: Vec<String> = notices.iter().map(one).collect();
    warnings.dedup();
    (!warnings.is_empty()).then(|| warnings.join(", "))
}

fn log_notice(notice: &Notice) {
    if notice.is_first {
        let (used, limit) = (notice.limit.show(notice.used), notice.limit.show(notice.limit.amount()));
        let what = match notice.kind {
            NoticeKind::Soft => "budget is nearly used up",
            NoticeKind::Over => "budget is exceeded",
        };
        tracing::warn!(budget = &*notice.budget, used, limit, "{what}");
    }
}

#[cfg(test)]
mod tests;

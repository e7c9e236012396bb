//! Asks the targets of a session's model for it, one after the other.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;

use super::super::refusal::note_fault;
use super::handshake::ClientHandshake;
use super::pending::{PendingSession, accepted, session_demand};
use crate::accounting::Account;
use crate::admission::AdmissionPermit;
use crate::admission::budgets::HeldBudget;
use crate::attempt::{blame, is_overload};
use crate::health::{Blame, Ticket};
use crate::realtime::UpstreamHandshake;
use crate::realtime::billing::{BudgetRefused, demand, reserve};
use crate::route::{Candidate, Plan, Target, keys};
use weir_realtime::CompiledSessionTap;
use weir_types::fault::{Fault, Side, error_kind_name};
use weir_upstream::UpstreamSession;

/// What a target granted.
pub(super) struct TargetGrant {
    pub(super) provider: UpstreamSession,
    pub(super) target: Arc<Target>,
    pub(super) tap: Arc<CompiledSessionTap>,
    pub(super) headers: HeaderMap,
    pub(super) ticket: Ticket,
    pub(super) held: AdmissionPermit,
    /// What the first response may cost.
    pub(super) prepared: Vec<HeldBudget>,
}

/// A target that does not grant a session.
struct TargetRefusal {
    fault: Fault,
    /// Whether all others would refuse it too: a rule of the client's or a budget of its own does.
    is_everywhere: bool,
    /// The number of the key that the provider refused or limited, if that was why.
    by_key: Option<usize>,
}

impl From<Fault> for TargetRefusal {
    fn from(fault: Fault) -> Self {
        Self { is_everywhere: fault.side == Side::Client, fault, by_key: None }
    }
}

impl From<BudgetRefused> for TargetRefusal {
    fn from(BudgetRefused { fault, is_providers }: BudgetRefused) -> Self {
        Self { is_everywhere: !is_providers, fault, by_key: None }
    }
}

impl PendingSession {
    /// Asks one target after the other for the session, until one grants it.
    pub(super) async fn ask_targets(
        &self,
        model: &str,
        plan: &Plan,
        account: &mut Account,
    ) -> Result<TargetGrant, Fault> {
        let mut last = None;
        for candidate in &plan.candidates {
            match self.ask_target(model, plan, candidate, account).await {
                Ok(granted) => return Ok(granted),
                Err(TargetRefusal { fault, is_everywhere, .. }) => {
                    let reason = error_kind_name(fault.error.kind);
                    account.failed(reason);
                    account.tried(&candidate.health, reason, None);
                    note_fault(&fault, &self.id);
                    let is_final = is_everywhere || !candidate.target.enable_fallback;
                    last = Some(fault);
                    if is_final {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| plan.exhausted(&self.health, Instant::now())))
    }

    /// Asks a target for the session, with another key if its provider refuses or limits one.
    async fn ask_target(
        &self,
        model: &str,
        plan: &Plan,
        candidate: &Candidate,
        account: &mut Account,
    ) -> Result<TargetGrant, TargetRefusal> {
        let mut spare_keys = keys(&candidate.target).count() - 1;
        loop {
            let ungranted = match self.ask_with_a_key(model, plan, candidate, account).await {
                Ok(granted) => return Ok(granted),
                Err(ungranted) => ungranted,
            };
            let now = Instant::now();
            let has_other = |key| spare_keys > 0 && candidate.has_other_key(&self.health, key, now);
            if !ungranted.by_key.is_some_and(has_other) {
                return Err(ungranted);
            }
            spare_keys -= 1;
        }
    }

    async fn ask_with_a_key(
        &self,
        model: &str,
        plan: &Plan,
        candidate: &Candidate,
        account: &mut Account,
    ) -> Result<TargetGrant, TargetRefusal> {
        let now = Instant::now();
        let Some((target, mut ticket)) = candidate.admit(&self.health, now, &plan.carried) else {
            return Err(plan.exhausted(&self.health, now).into());
        };
        let Some((acceptance, tap)) = accepted(&self.endpoint, &target) else {
            return Err(Fault::internal("the target takes no sessions").into());
        };
        let demanded = session_demand(Some(model));
        let held = self.admission.admit_to(&target.provider, &demanded).await.map_err(|refused| refused.fault)?;
        let alias = plan.route.alias.as_str();
        let prepared = reserve(&self.admission, &self.caller, alias, &target, &demand(model, 0)).await?;
        account.start_attempt(&target.label, target.model(model), target.tariff(model));
        account.set_lane("relay");
        if let Some(record) = account.record() {
            let adapter = (Arc::clone(&target.adapter.name), target.adapter.digest);
            record.answered(target.model(model), target.health_id(model), adapter);
        }
        let ClientHandshake { query, headers, protocols, .. } = &self.handshake;
        let protocols: Vec<&str> = protocols.iter().map(String::as_str).collect();
        let greeting = UpstreamHandshake { model, query, headers, protocols: &protocols };
        let provider = match Box::pin(greeting.send(&self.upstreams, &target, acceptance, account)).await {
            Ok(provider) => provider,
            Err(fault) => {
                let blame = blame(&fault);
                ticket.failed(blame);
                if is_overload(&fault, blame) {
                    held.overloaded(now);
                }
                let by_key = matches!(blame, Blame::Key | Blame::Limit(_)).then_some(target.key);
                return Err(TargetRefusal { by_key, ..fault.into() });
            }
        };
        ticket.answers();
        held.record_success();
        let mut headers = HeaderMap::new();
        acceptance.response_headers.forward(&provider.headers, &mut headers);
        let tap = Arc::clone(tap);
        Ok(TargetGrant { provider, target, tap, headers, ticket, held, prepared })
    }
}

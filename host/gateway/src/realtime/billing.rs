//! Admits the responses of a session, reserves what they may cost, and opens their accounts: a response is to limits,
//! budgets, metrics and logs what a request is elsewhere.

use std::sync::Arc;
use std::time::Instant;

use http::Method;

use super::NAME;
use crate::accounting::access::{AccessLine, Arrival};
use crate::accounting::request_log::RequestLog;
use crate::accounting::{Account, Opening};
use crate::admission::budgets::{self, HeldBudget};
use crate::admission::{Admission, AdmissionPermit, Demand, Uses};
use crate::auth::Caller;
use crate::observe::metrics::{Metrics, Series};
use crate::observe::trace::{Attribute, Span};
use crate::route::Target;
use crate::serving::Serving;
use weir_translate::dialect::faces::Endpoint;
use weir_types::exchange::Exchange;
use weir_types::fault::Fault;

/// Bytes of a request that count as one token in an estimate.
const BYTES_A_TOKEN: u64 = 4;

/// Whose session it is, and where it leads.
#[derive(Debug)]
pub(crate) struct Billing {
    /// What the session is served from: it keeps what it began with.
    pub(crate) serving: Arc<Serving>,
    /// Limits and budgets.
    pub(crate) admission: Arc<Admission>,
    /// The gateway's metrics.
    pub(crate) metrics: Arc<Metrics>,
    /// The handles of metrics of this route, face and client.
    pub(crate) series: Arc<Series>,
    /// What takes the record of each response.
    pub(crate) log: Option<Arc<dyn RequestLog>>,
    /// The endpoint that was called.
    pub(crate) face: Arc<Endpoint>,
    /// Whose session it is.
    pub(crate) caller: Caller,
    /// The session's id.
    pub(crate) id: Arc<str>,
    /// The path of the handshake.
    pub(crate) path: String,
    /// The model as the client names it.
    pub(crate) model: String,
    /// The alias of its route.
    pub(crate) alias: String,
    /// The provider with its model and key.
    pub(crate) target: Arc<Target>,
    /// The session's span, below which each response has its own.
    pub(crate) span: Span,
}

impl Billing {
    /// What a response needs that a request of so many bytes asks for, after one that read so many tokens.
    fn demand(&self, request_len: usize, known_input: u64) -> Demand<'_> {
        let known = usize::try_from(known_input.saturating_mul(BYTES_A_TOKEN)).unwrap_or(usize::MAX);
        demand(&self.model, request_len.saturating_add(known))
    }

    /// Reserves at the budgets what the next response may cost.
    pub(super) async fn reserve(&self, known_input: u64) -> Result<Vec<HeldBudget>, Fault> {
        let demand = self.demand(0, known_input);
        reserve(&self.admission, (&self.caller, &self.alias), &self.target, &demand).await
    }

    /// Takes a response's tokens from the limits of its client, model and provider.
    pub(super) async fn admit(&self, request_len: usize, known_input: u64) -> Result<AdmissionPermit, Fault> {
        let demand = self.demand(request_len, known_input);
        let admitted =
            self.admission.admit_response(&self.serving.config, &self.caller, &self.target.provider, &demand);
        admitted.await.map_err(|refused| refused.fault)
    }

    /// Opens the account of a response; `number` counts those of the session.
    pub(super) fn open(&self, number: u32, permit: AdmissionPermit, budgets: Vec<HeldBudget>) -> Account {
        let mut line = self.line(number);
        let span = self.span.internal(|| format!("{NAME} response"));
        let id = self.id_of(number);
        span.set(Attribute::RequestId, id.to_string());
        let opening = Opening { begun: Instant::now(), request_id: &id, operation: NAME, span: &span, counts: true };
        let mut account = Account::open(&self.metrics, Arc::clone(&self.series), opening, permit);
        let target = &self.target;
        let model = target.model(&self.model);
        let adapter = (Arc::clone(&target.adapter.name), target.adapter.digest);
        if let Some(line) = &mut line {
            line.answered(model, target.health_id(&self.model), adapter);
        }
        account.set_line(line);
        for budget in budgets {
            account.reserve(budget);
        }
        account.tries_at(&target.label, model, target.tariff(&self.model));
        account.goes("relay");
        // Until its end says what it used, all that was reserved is taken to be used.
        account.stays_unknown();
        account.answering(200, true, true);
        account
    }

    /// Records a response that was refused.
    pub(super) fn refused(&self, number: u32, fault: &Fault) {
        let Some(mut line) = self.line(number) else { return };
        line.failed(fault);
        line.ends_with(fault.error.status.unwrap_or(429), 0);
    }

    fn id_of(&self, number: u32) -> Arc<str> {
        Arc::from(format!("{}.{number}", self.id))
    }

    fn line(&self, number: u32) -> Option<Box<AccessLine>> {
        let exchange = Exchange::begin(&http::HeaderMap::new());
        let arrival = Arrival {
            id: self.id_of(number),
            own_id: exchange.own_id,
            begun: exchange.begun,
            method: &Method::GET,
            path: &self.path,
            address: self.caller.address,
            user_agent: None,
        };
        let mut line = AccessLine::begin(arrival, self.serving.config.server.access_log, self.log.clone())?;
        line.called(&self.face);
        line.asked_by(&self.caller);
        line.asks_for(Some(&self.model));
        Some(line)
    }
}

/// What a response needs, as far as it can be foreseen.
pub(crate) fn demand(model: &str, body_len: usize) -> Demand<'_> {
    Demand { model: Some(model), output_limit: None, body_len, stream: false, uses: Uses::Both }
}

/// Reserves what a response may cost at the budgets of its caller and model, and at those of its provider.
pub(crate) async fn reserve(
    admission: &Admission,
    (caller, alias): (&Caller, &str),
    target: &Arc<Target>,
    demand: &Demand<'_>,
) -> Result<Vec<HeldBudget>, Fault> {
    let refused = |refusal: Box<weir_ledger::Refusal>| budgets::refused(&refusal);
    let own = admission.budgets.reserve_at(caller, Some(alias), &[&**target], demand).await.map_err(refused)?;
    let mut held: Vec<HeldBudget> = own.map(|granted| HeldBudget::new(granted.reservation, None)).into_iter().collect();
    let attempt = admission.budgets.reserve_attempt(target, demand).await.map_err(refused)?;
    held.extend(attempt.map(|granted| HeldBudget::new(granted.reservation, Some(Arc::clone(&target.label)))));
    Ok(held)
}

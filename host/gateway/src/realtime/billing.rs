//! Admits the responses of a session, reserves what they may cost, and opens their accounts: a response is to limits,
//! budgets, metrics and logs what a request is elsewhere.

use std::sync::Arc;
use std::time::Instant;

use http::Method;

use super::NAME;
use crate::accounting::access::{Arrival, RequestRecord};
use crate::accounting::request_log::RequestLog;
use crate::accounting::{Account, ExchangeStart};
use crate::admission::budgets::HeldBudget;
use crate::admission::{Admission, AdmissionPermit, Demand, Uses};
use crate::auth::Caller;
use crate::observe::metrics::{Metrics, Series};
use crate::observe::trace::{Attribute, Span};
use crate::pricing::Tariff;
use crate::route::Target;
use crate::serving::Serving;
use weir_ledger::Granted;
use weir_translate::dialect::endpoints::Endpoint;
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
    pub(crate) endpoint: Arc<Endpoint>,
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

/// A model beside the session's own, which uses what is no response's: one that writes down what is said.
#[derive(Debug)]
pub(super) struct ModelBeside {
    /// The provider's name for it.
    name: String,
    /// The alias of its route; the session's, if it has none.
    alias: String,
    /// The provider with its prices.
    target: Arc<Target>,
    series: Arc<Series>,
}

impl ModelBeside {
    /// The provider's name for it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Billing {
    /// The model beside the session's own that its provider calls so; `None` if no price of it is known. What it uses
    /// then has the price of the session's.
    pub(super) fn beside(&self, name: &str) -> Option<ModelBeside> {
        let Serving { routes, prices, .. } = &*self.serving;
        let (alias, target) = match routes.of_provider(&self.target.label, name) {
            Some((alias, target)) => (alias, Arc::clone(target)),
            // The price that the configuration sets for the session's model is not one of this model.
            None => (&*self.alias, Arc::new(Target::clone(&self.target).priced(&prices.book, None))),
        };
        let route = routes.find(alias).filter(|_| *alias != *self.alias);
        let series = route.map(|route| route.series(&self.metrics, &self.endpoint, self.caller.label()));
        target.pricing.knows(name).then(|| ModelBeside {
            name: name.to_owned(),
            alias: alias.to_owned(),
            target,
            series: series.unwrap_or_else(|| Arc::clone(&self.series)),
        })
    }

    /// What a response needs that reads so many tokens. None reads more than the model's context.
    fn demand(&self, tokens: u64) -> Demand<'_> {
        let context = self.target.capabilities_of(&self.model).context.unwrap_or(u64::MAX);
        let bytes = tokens.min(context).saturating_mul(BYTES_A_TOKEN);
        demand(&self.model, usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Reserves at the budgets what a response may cost that reads so many tokens.
    pub(super) async fn reserve(&self, tokens: u64) -> Result<Vec<HeldBudget>, Fault> {
        let demand = self.demand(tokens);
        let reserved = reserve(&self.admission, &self.caller, &self.alias, &self.target, &demand).await;
        reserved.map_err(|refused| refused.fault)
    }

    /// Reserves the same for a response that its provider has begun, whether or not the budgets have room for it.
    pub(super) fn owe(&self, tokens: u64) -> Vec<HeldBudget> {
        self.owe_at(&self.alias, &self.target, &self.demand(tokens))
    }

    /// The same for what a model beside the session's has used.
    pub(super) fn owe_beside(&self, beside: &ModelBeside) -> Vec<HeldBudget> {
        let used_up = Demand { output_limit: Some(0), ..Demand::of(Some(&beside.alias), 0, Uses::Both) };
        self.owe_at(&beside.alias, &beside.target, &used_up)
    }

    fn owe_at(&self, alias: &str, target: &Arc<Target>, demand: &Demand<'_>) -> Vec<HeldBudget> {
        let budgets = &self.admission.budgets;
        let own = budgets.owe_at(&self.caller, alias, target, demand);
        let attempt = budgets.owe_attempt(target, demand);
        let own = own.map(|granted| HeldBudget::new(granted.reservation, None));
        own.into_iter().chain(attempt.map(|granted| at_provider(granted, target))).collect()
    }

    /// Takes a response's tokens from the limits of its client, model and provider.
    pub(super) async fn admit(&self, tokens: u64) -> Result<AdmissionPermit, Fault> {
        let (config, demand) = (&self.serving.config, self.demand(tokens));
        let admitted = self.admission.admit_response(config, &self.caller, &self.target.provider, &demand);
        admitted.await.map_err(|refused| refused.fault)
    }

    /// Takes the same for a response that its provider has begun, whatever is left of the limits.
    pub(super) fn admit_begun(&self, tokens: u64) -> AdmissionPermit {
        let (config, demand) = (&self.serving.config, self.demand(tokens));
        self.admission.admit_begun(config, &self.caller, &self.target.provider, &demand)
    }

    /// Opens the account of a response; `number` counts those of the session.
    pub(super) fn open(&self, number: u32) -> Box<Account> {
        let (target, model) = (&self.target, self.target.model(&self.model));
        let mut record = self.record(number, &self.model);
        if let Some(record) = &mut record {
            let adapter = (Arc::clone(&target.adapter.name), target.adapter.digest);
            record.answered(model, target.health_id(&self.model), adapter);
        }
        self.opened(number, record, &self.series, (model, target.tariff(&self.model)))
    }

    /// Opens the account of what a model beside the session's has used.
    pub(super) fn open_beside(&self, number: u32, beside: &ModelBeside) -> Box<Account> {
        let ModelBeside { name, target, series, .. } = beside;
        let mut record = self.record(number, name);
        if let Some(record) = &mut record {
            let adapter = (Arc::clone(&target.adapter.name), target.adapter.digest);
            record.answered(name, Arc::clone(&target.id), adapter);
        }
        self.opened(number, record, series, (name, target.pricing.tariff(name)))
    }

    fn opened(
        &self,
        number: u32,
        record: Option<Box<RequestRecord>>,
        series: &Arc<Series>,
        (model, tariff): (&str, Tariff),
    ) -> Box<Account> {
        let span = self.span.internal(|| format!("{NAME} response"));
        let id = self.id_of(number);
        span.set(Attribute::RequestId, id.to_string());
        let start =
            ExchangeStart { begun: Instant::now(), request_id: &id, operation: NAME, span: &span, counts: true };
        let mut account = Account::open(&self.metrics, Arc::clone(series), start, AdmissionPermit::free());
        account.set_record(record);
        account.start_attempt(&self.target.label, model, tariff);
        account.set_lane("relay");
        // Until its end says what it used, all that was reserved is taken to be used.
        account.mark_usage_unknown();
        account.answering(200, true, true);
        account
    }

    /// Records a response that was refused.
    pub(super) fn refused(&self, number: u32, fault: &Fault) {
        let Some(mut record) = self.record(number, &self.model) else { return };
        record.failed(fault);
        record.finish_own_answer(fault.error.status.unwrap_or(429), 0);
    }

    fn id_of(&self, number: u32) -> Arc<str> {
        Arc::from(format!("{}.{number}", self.id))
    }

    fn record(&self, number: u32, model: &str) -> Option<Box<RequestRecord>> {
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
        let mut record = RequestRecord::begin(arrival, self.serving.config.server.access_log, self.log.clone())?;
        record.set_endpoint(&self.endpoint);
        record.set_caller(&self.caller);
        record.set_model(Some(model));
        Some(record)
    }
}

/// What a response needs, as far as it can be foreseen.
pub(crate) fn demand(model: &str, body_len: usize) -> Demand<'_> {
    Demand::of(Some(model), body_len, Uses::Speech)
}

/// A budget that has no room.
#[derive(Debug)]
pub(crate) struct BudgetRefused {
    /// The error.
    pub(crate) fault: Fault,
    /// Whether it is one of the provider's, so that another provider may have room.
    pub(crate) is_providers: bool,
}

/// Reserves what a response may cost at the budgets of its caller and model, and at those of its provider.
pub(crate) async fn reserve(
    admission: &Admission,
    caller: &Caller,
    alias: &str,
    target: &Arc<Target>,
    demand: &Demand<'_>,
) -> Result<Vec<HeldBudget>, BudgetRefused> {
    let refused = |is_providers| {
        move |refusal: Box<weir_ledger::Refusal>| BudgetRefused {
            fault: admission.budgets.refused(&refusal),
            is_providers,
        }
    };
    let own = admission.budgets.reserve_at(caller, Some(alias), &[&**target], demand).await.map_err(refused(false))?;
    // It is given back if the provider's budgets have no room.
    let own = own.map(|granted| HeldBudget::new(granted.reservation, None));
    let attempt = admission.budgets.reserve_attempt(target, demand).await.map_err(refused(true))?;
    Ok(own.into_iter().chain(attempt.map(|granted| at_provider(granted, target))).collect())
}

fn at_provider(granted: Granted, target: &Target) -> HeldBudget {
    HeldBudget::new(granted.reservation, Some(Arc::clone(&target.label)))
}

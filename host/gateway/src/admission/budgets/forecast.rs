//! The most that a request may use, before it is sent.

use std::iter;

use crate::admission::{Demand, ModelWork, Uses};
use crate::pricing::Tariff;
use crate::route::Target;
use weir_ledger::{Forecast, Nano, Spend, Timestamp};

/// Output tokens that are reserved where neither the request nor the model has a limit.
pub(crate) const DEFAULT_OUTPUT: u64 = 4096;

/// Input and output tokens that a request may use at most. Where it sets no limit of output, that is the model's, or
/// `usual` if that is less.
pub(super) fn amounts(targets: &[&Target], demand: &Demand<'_>, usual: Option<u64>) -> [u64; 2] {
    let asked = demand.model.unwrap_or_default();
    let of_model = || targets.iter().filter_map(|target| target.capabilities_of(asked).output).max();
    let unlimited = || of_model().unwrap_or(DEFAULT_OUTPUT).min(usual.unwrap_or(u64::MAX));
    match demand.uses {
        Uses::Free | Uses::Nothing => [0, 0],
        Uses::Input => [u64::from(Forecast::tokens_of(demand.counted_len)), 0],
        Uses::Both | Uses::Speech | Uses::Unknown => {
            let output = demand.output_limit.unwrap_or_else(unlimited);
            [u64::from(Forecast::tokens_of(demand.counted_len)), output.saturating_mul(demand.candidates)]
        }
    }
}

/// The cost of this many tokens at the dearest target, or at the dearest model that the request names besides; `None`
/// if one of the targets has no price. A further model without a price counts as the target's own, as it does once it
/// has answered. An operation whose use cannot be foreseen reserves nothing, if the model has any price.
pub(super) fn cost(
    targets: &[&Target],
    demand: &Demand<'_>,
    [input, output]: [u64; 2],
    now: Timestamp,
) -> Option<Nano> {
    if demand.uses == Uses::Unknown {
        return None;
    }
    let Some(asked) = demand.model else { return Some(Nano::ZERO) };
    let (may_be_audio, service_tier) = (demand.uses == Uses::Speech, demand.service_tier);
    let tariffs = targets.iter().flat_map(|target| {
        let own = target.tariff(asked);
        let further: Vec<Tariff> = demand.further_models.iter().map(|model| own.served_by(model)).collect();
        iter::once(own).chain(further)
    });
    let costs = tariffs.map(|tariff| {
        let region = tariff.region().map(|region| &**region);
        let forecast = Forecast { input, output, may_cache: true, may_be_audio, service_tier, region, batch: false };
        match demand.uses {
            Uses::Free | Uses::Nothing => tariff.is_known().then_some(Nano::ZERO),
            Uses::Input | Uses::Both | Uses::Speech | Uses::Unknown => {
                forecast.dearest(&[tariff.prices()], now).ok().flatten()
            }
        }
    });
    costs.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// The most that the work begun by a request may use, at the dearest target and its price of a batch. If a request sets
/// no limit of output, that of its model applies, or `usual` if that is less.
pub(super) fn of_work(
    targets: &[&Target],
    demand: &Demand<'_>,
    usual: Option<u64>,
    counts_money: bool,
    now: Timestamp,
) -> Spend {
    let (mut cost, mut tokens) = (Some(Nano::ZERO), 0_u64);
    for work in demand.work {
        let at = |target: &&Target| of_model(target, work, demand.model, usual, now);
        let of_targets: Vec<([u64; 2], Option<Nano>)> = targets.iter().map(at).collect();
        let most = of_targets.iter().map(|([input, output], _)| input.saturating_add(*output)).max();
        tokens = tokens.saturating_add(most.unwrap_or_default());
        if counts_money {
            let dearest = of_targets.into_iter().map(|(_, cost)| cost).collect::<Option<Vec<_>>>();
            let dearest = dearest.and_then(|costs| costs.into_iter().max());
            cost = cost.zip(dearest).map(|(sum, cost)| sum.plus(cost).unwrap_or(Nano::MAX));
        }
    }
    let spend = cost.map_or(Spend::unpriced(tokens), |cost| Spend::priced(cost, tokens));
    Spend { requests: demand.requests(), ..spend }
}

/// The use of a part of work at a target: input and output tokens, and their cost if it is known.
fn of_model(
    target: &Target,
    ModelWork { name, longest, asks, .. }: &ModelWork,
    own: Option<&str>,
    usual: Option<u64>,
    now: Timestamp,
) -> ([u64; 2], Option<Nano>) {
    let own = own.filter(|_| name.is_empty());
    let (tariff, longest) = match own {
        Some(model) => (target.tariff(model), target.capabilities_of(model).output),
        None => (target.pricing.tariff(name), *longest),
    };
    let longest = longest.unwrap_or(DEFAULT_OUTPUT).min(usual.unwrap_or(u64::MAX));
    let output = asks.output.saturating_add(asks.unlimited.saturating_mul(longest));
    // A model for embeddings makes no output, even if its requests set no limit.
    let output = if tariff.has_free_output() { 0 } else { output };
    let region = tariff.region().map(|region| &**region);
    let (input, may_cache, may_be_audio, service_tier) = (asks.input, true, false, None);
    let forecast = Forecast { input, output, may_cache, may_be_audio, service_tier, region, batch: true };
    ([input, output], forecast.dearest(&[tariff.prices()], now).ok().flatten())
}

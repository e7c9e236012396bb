//! What a request may use at most, before it is sent.

use std::iter;

use crate::admission::{Demand, Uses};
use crate::pricing::Tariff;
use crate::route::Target;
use weir_ledger::{Forecast, Nano, Timestamp};

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

/// The cost of so many tokens at the dearest target, and the dearest model of those that the request names; `None` if one of the
/// targets has no price. A further model without a price counts as the target's own, as it does once it has answered. An
/// operation whose use cannot be foreseen costs nothing before it is booked, if the model has any price.
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
    let count = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    let may_be_audio = demand.uses == Uses::Speech;
    let (input, output, service_tier) = (count(input), count(output), demand.service_tier);
    let tariffs = targets.iter().flat_map(|target| {
        let own = target.tariff(asked);
        let further: Vec<Tariff> = demand.further_models.iter().map(|model| own.served_by(model)).collect();
        iter::once(own).chain(further)
    });
    let costs = tariffs.map(|tariff| {
        let region = tariff.region().map(|region| &**region);
        let forecast = Forecast { input, output, may_cache: true, may_be_audio, service_tier, region };
        match demand.uses {
            Uses::Free | Uses::Nothing => tariff.is_known().then_some(Nano::ZERO),
            Uses::Input | Uses::Both | Uses::Speech | Uses::Unknown => {
                forecast.dearest(&[tariff.prices()], now).ok().flatten()
            }
        }
    });
    costs.collect::<Option<Vec<_>>>()?.into_iter().max()
}

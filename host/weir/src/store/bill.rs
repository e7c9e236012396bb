//! What a request's cost is made of: its counts from the store, priced again line by line.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::facts::buckets;
use weir_gateway::route::Target;
use weir_gateway::serving::Serving;
use weir_ledger::{Cost, Facts, MoneyError, PartialBill, Pieces, Quantity, Timestamp};
use weir_store::Fact;
use weir_types::contract::about::Bucket;
use weir_types::contract::types::Unit;
use weir_types::tokens::Tokens;

/// Why a stored request cannot be priced.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// Its units are none that this version knows.
    #[error("the stored units cannot be read: {0}")]
    Units(String),
    /// A count is no number of this kind.
    #[error(transparent)]
    Count(#[from] MoneyError),
}

/// The counts of a stored request, as prices are applied to.
pub fn counts(fact: &Fact) -> Result<Facts, BillError> {
    let time = crate::time::from_milliseconds(fact.id.time_ms());
    let mut facts = Facts::at(time.unwrap_or(Timestamp::UNIX_EPOCH));
    facts.tokens = tokens(fact);
    facts.pieces = pieces(fact)?;
    facts.service_tier = Some(fact.service_tier.clone()).filter(|tier| !tier.is_empty());
    facts.batch = fact.batch;
    facts.estimated = fact.estimated;
    Ok(facts)
}

fn tokens(fact: &Fact) -> Tokens {
    let mut tokens = Tokens::default();
    let stored = buckets(&fact.tokens);
    for bucket in Bucket::ALL {
        let count = stored.iter().find(|(name, _)| *name == bucket.name()).and_then(|(_, count)| *count);
        *tokens.slot(bucket) = count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    }
    tokens
}

fn pieces(fact: &Fact) -> Result<Pieces, BillError> {
    let mut pieces = Pieces::default();
    if fact.units.is_empty() {
        return Ok(pieces);
    }
    let stored: BTreeMap<String, f64> =
        serde_json::from_str(&fact.units).map_err(|error| BillError::Units(error.to_string()))?;
    for (name, count) in stored {
        let unit = Unit::ALL.into_iter().find(|unit| unit.name() == name).ok_or(BillError::Units(name))?;
        pieces.add(unit, Quantity::measured(count)?);
    }
    Ok(pieces)
}

/// How a request's cost came about: who read its counts from where, and which price was applied to each. Prices are
/// those of now; where the version has changed since, that is noted, and the amount of then stays.
pub fn explain(serving: &Serving, fact: &Fact) -> Value {
    let mut explained = json!({
        "adapter": adapter(serving, fact),
        "cost_usd_of_then": fact.cost_nano.map(text),
        "price_version_of_then": fact.price_version,
    });
    let Some(target) = target(serving, fact) else {
        explained["note"] = json!("the provider is configured no longer, so that there is no price for it");
        return explained;
    };
    let tariff = target.pricing.tariff(&fact.model_served);
    explained["price_version"] = json!(&**tariff.version());
    match counts(fact) {
        Err(error) => explained["note"] = json!(error.to_string()),
        Ok(counts) => bill(&mut explained, &tariff.cost(&counts), fact),
    }
    explained
}

/// The target whose prices hold: that of the route that the client asked for, else any of the provider.
fn target<'a>(serving: &'a Serving, fact: &Fact) -> Option<&'a Arc<Target>> {
    let is_its = |target: &&Arc<Target>| *target.label == fact.provider;
    let asked = serving.routes.find(&fact.model_asked);
    let of_route = asked.and_then(|route| route.targets.iter().flatten().find(is_its));
    of_route.or_else(|| serving.targets().find(is_its))
}

fn bill(explained: &mut Value, cost: &Cost, fact: &Fact) {
    let (bill, missing) = match cost {
        Cost::NoUsage => {
            explained["note"] = json!("no usage was counted, so that there is nothing to be priced");
            return;
        }
        Cost::Priced(bill) => (bill, &[][..]),
        Cost::Unpriced(PartialBill { known, missing }) => (known, missing.as_slice()),
    };
    let lines = bill.lines.iter().map(|line| {
        json!({
            "measure": line.measure.to_string(),
            "count": line.count.to_string(),
            "rate": line.rate.to_string(),
            "amount_usd": line.amount.to_string(),
            "file": *line.file,
            "place": format!("{}.{}", line.place, line.priced_as),
        })
    });
    explained["lines"] = lines.collect();
    explained["assumptions"] = bill.assumptions.iter().map(|one| json!(one.to_string())).collect();
    explained["without_price"] = missing.iter().map(|(measure, _)| json!(measure.to_string())).collect();
    explained["total_usd"] = json!(bill.total.to_string());
    let difference = fact.cost_nano.map(|then| then - bill.total.get()).filter(|_| missing.is_empty());
    explained["note"] = match difference {
        Some(0) | None => Value::Null,
        Some(more) if more > 0 && !fact.attempts.is_empty() => {
            json!(format!("{} USD more were charged for attempts that failed", text(more)))
        }
        Some(_) => json!("the amount of then differs: prices, or how the request was priced, have changed since"),
    };
}

/// The adapter with the places where it reads counts, if it is the one that answered.
fn adapter(serving: &Serving, fact: &Fact) -> Value {
    let mut shown = json!({"name": fact.adapter, "digest": fact.adapter_digest, "lane": fact.lane});
    let adapter = serving.adapter(&fact.adapter).filter(|adapter| adapter.digest.hex() == fact.adapter_digest);
    let Some(adapter) = adapter else { return shown };
    if fact.lane != "relay" {
        shown["places"] = json!("the adapter's code reads them from the provider's answer");
        return shown;
    }
    let format = adapter.manifest.formats.iter().find(|format| format.id == fact.dialect);
    let places = format.and_then(|format| format.tap.as_ref()).map(|tap| tap.usage.iter()).into_iter().flatten();
    shown["places"] = places.map(|place| json!({"bucket": place.bucket.name(), "pointers": place.pointers})).collect();
    shown
}

/// Nano-dollars as exact text.
fn text(nano: i64) -> String {
    weir_ledger::Nano::new(nano).map_or_else(|_| nano.to_string(), |amount| amount.to_string())
}

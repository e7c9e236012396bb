//! What a request's cost is made of: its counts from the store, priced again line by line.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::charged;
use super::facts::SEARCHED_REQUESTS;
use super::sums::buckets;
use weir_gateway::route::Target;
use weir_gateway::serving::Serving;
use weir_ledger::{Cost, Facts, MoneyError, PartialBill, Pieces, Quantity, REPORTED, Timestamp};
use weir_store::{Fact, TokenCounts};
use weir_types::contract::about::Bucket;
use weir_types::contract::types::{Unit, Usage};
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

/// What one provider charges for a stored request, by its model.
#[derive(Debug)]
pub struct Part {
    /// Who charges for it.
    pub provider: String,
    /// The name of its adapter.
    pub adapter: String,
    /// The provider's name for the model.
    pub model: String,
    /// The model that its answer names; empty if that is the same one.
    pub named: String,
    /// The counts, as prices are applied to.
    pub counts: Facts,
}

/// What a stored request is charged for: its attempts before the last one, if they are charged apart, and then the last
/// one. Parts without any count are left out.
pub fn parts(fact: &Fact) -> Result<Vec<Part>, BillError> {
    let others = charged::of_fact(fact);
    let counts = Facts { tokens: tokens(&charged::rest(&fact.tokens, &others)), ..all_counts(fact)? };
    let (provider, adapter) = (fact.provider.clone(), fact.adapter.clone());
    let (model, named) = (fact.model_served.clone(), fact.model_named.clone());
    let last = Part { provider, adapter, model, named, counts };
    let tier = Some(fact.service_tier.clone()).filter(|tier| !tier.is_empty());
    let plain = Facts::at(time(fact));
    // All models of a batch were asked in the same way.
    let shared = if charged::is_of_many(fact) {
        Facts { batch: true, context: Some(0), service_tier: tier, ..plain }
    } else {
        plain
    };
    let others = others.into_iter().map(|other| {
        let [region, tier] = [other.region, other.service_tier].map(|one| Some(one).filter(|one| !one.is_empty()));
        let (tokens, estimated) = (tokens(&other.tokens), other.estimated);
        let service_tier = tier.or_else(|| shared.service_tier.clone());
        let counts = Facts { tokens, region, service_tier, estimated, ..shared.clone() };
        Part { provider: other.provider, adapter: other.adapter, model: other.model, named: other.named, counts }
    });
    Ok(others.chain([last]).filter(|part| !part.counts.is_empty()).collect())
}

fn time(fact: &Fact) -> Timestamp {
    crate::time::from_milliseconds(fact.id.time_ms()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The counts of a stored request, those of all its attempts together.
fn all_counts(fact: &Fact) -> Result<Facts, BillError> {
    let mut facts = Facts::at(time(fact));
    facts.tokens = tokens(&fact.tokens);
    (facts.pieces, facts.searched) = pieces(fact)?;
    facts.service_tier = Some(fact.service_tier.clone()).filter(|tier| !tier.is_empty());
    facts.batch = fact.batch;
    facts.region = Some(fact.region.clone()).filter(|region| !region.is_empty());
    facts.estimated = fact.estimated;
    facts.context = charged::is_of_many(fact).then_some(0);
    Ok(facts)
}

fn tokens(stored: &TokenCounts) -> Tokens {
    let mut tokens = Tokens::default();
    let stored = buckets(stored);
    for bucket in Bucket::ALL {
        let count = stored.iter().find(|(name, _)| *name == bucket.name()).and_then(|(_, count)| *count);
        *tokens.slot(bucket) = count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    }
    tokens
}

/// What is billed by the piece, and how many requests of a batch made any search.
fn pieces(fact: &Fact) -> Result<(Pieces, Option<u32>), BillError> {
    let (mut pieces, mut searched) = (Pieces::default(), None);
    if fact.units.is_empty() {
        return Ok((pieces, searched));
    }
    let stored: BTreeMap<String, f64> =
        serde_json::from_str(&fact.units).map_err(|error| BillError::Units(error.to_string()))?;
    for (name, count) in stored {
        if name == SEARCHED_REQUESTS {
            searched = Some(count as u32);
            continue;
        }
        let unit = Unit::ALL.into_iter().find(|unit| unit.name() == name).ok_or(BillError::Units(name))?;
        pieces.add(unit, Quantity::measured(count)?);
    }
    Ok((pieces, searched))
}

/// How a request's cost came about: who read its counts from where, and which price was applied to each. Prices are
/// those of now; where the version has changed since, that is noted, and the amount of then stays.
pub fn explain(serving: &Serving, fact: &Fact) -> Value {
    let mut explained = json!({
        "adapter": adapter(serving, fact),
        "cost_usd_of_then": fact.cost_nano.map(text),
        "price_version_of_then": fact.price_version,
    });
    if fact.price_version == REPORTED {
        explained["price_version"] = json!(REPORTED);
        explained["total_usd"] = json!(fact.cost_nano.map(text));
        explained["note"] = json!("the answer reported this cost (`cost_place`), and no price gave it");
        return explained;
    }
    let parts = match parts(fact) {
        Ok(parts) => parts,
        Err(error) => {
            explained["note"] = json!(error.to_string());
            return explained;
        }
    };
    let mut costs = Vec::with_capacity(parts.len());
    for part in &parts {
        let Some(target) = target(serving, fact, &part.provider) else {
            let text = "the provider is configured no longer, so that there is no price for it";
            explained["note"] = json!(format!("{text}: {}", part.provider));
            return explained;
        };
        let tariff = target.pricing.tariff(&part.model).served_by(&part.named);
        explained["price_version"] = json!(&**tariff.version());
        costs.push((part, tariff.cost_as_stored(&part.counts)));
    }
    bill(&mut explained, &costs, fact);
    explained
}

/// What a request would cost now if its answer reported this usage, in nano-dollars; none if a price is not known.
pub(crate) fn cost_of(serving: &Serving, fact: &Fact, usage: &Usage) -> Option<i64> {
    let tariff = target(serving, fact, &fact.provider)?.pricing.tariff(&fact.model_served);
    let tariff = tariff.served_by(&fact.model_named);
    Some(tariff.cost_as_stored(&counts_of(fact, usage).ok()?).bill()?.total.get())
}

/// The counts of a stored request if its answer reported this usage; the tier and the region stay.
fn counts_of(fact: &Fact, usage: &Usage) -> Result<Facts, BillError> {
    let Facts { tokens, pieces, .. } = Facts::of(usage, time(fact))?;
    Ok(Facts { tokens, pieces, ..all_counts(fact)? })
}

/// The tokens of input and output that a stored request was billed for, if the provider bills by other counts than it
/// reports as usage.
pub(crate) fn billed_tokens(fact: &Fact) -> Option<[u64; 2]> {
    let units: BTreeMap<String, f64> = serde_json::from_str(&fact.units).ok()?;
    let count = |unit: Unit| units.get(unit.name()).map_or(0, |count| *count as u64);
    Some([count(Unit::BilledInput), count(Unit::BilledOutput)]).filter(|billed| *billed != [0; 2])
}

/// Whether anything of a stored request is billed by the piece. What cannot be read is taken for something.
pub(crate) fn has_pieces(fact: &Fact) -> bool {
    !pieces(fact).is_ok_and(|(pieces, _)| pieces.is_empty())
}

/// The target whose prices hold: that of the route that the client asked for, else any of the provider.
fn target<'a>(serving: &'a Serving, fact: &Fact, provider: &str) -> Option<&'a Arc<Target>> {
    let is_its = |target: &&Arc<Target>| *target.label == *provider;
    let asked = serving.routes.find(&fact.model_asked);
    let of_route = asked.and_then(|route| route.targets.iter().flatten().find(is_its));
    of_route.or_else(|| serving.targets().find(is_its))
}

/// The lines of all parts, with their target where there are several, and the total.
fn bill(explained: &mut Value, costs: &[(&Part, Cost)], fact: &Fact) {
    let (mut lines, mut assumptions, mut without_price, mut total) = (Vec::new(), Vec::new(), Vec::new(), 0_i64);
    let has_several = costs.len() > 1;
    for (part, cost) in costs {
        let (bill, missing) = match cost {
            Cost::NoUsage => continue,
            Cost::Priced(bill) => (bill, &[][..]),
            Cost::Unpriced(PartialBill { known, missing }) => (known, missing.as_slice()),
        };
        let target = has_several.then(|| format!("{}/{}", part.provider, part.model));
        lines.extend(bill.lines.iter().map(|line| {
            json!({
                "target": target,
                "measure": line.measure.to_string(),
                "count": line.count.to_string(),
                "rate": line.rate.to_string(),
                "amount_usd": line.amount.to_string(),
                "file": *line.file,
                "place": format!("{}.{}", line.place, line.priced_as),
            })
        }));
        assumptions.extend(bill.assumptions.iter().map(|one| json!(one.to_string())));
        without_price.extend(missing.iter().map(|(measure, _)| json!(measure.to_string())));
        total = total.saturating_add(bill.total.get());
    }
    if lines.is_empty() && without_price.is_empty() {
        explained["note"] = json!("no usage was counted, so that there is nothing to be priced");
        return;
    }
    let difference = fact.cost_nano.map(|then| then - total).filter(|_| without_price.is_empty());
    explained["lines"] = json!(lines);
    explained["assumptions"] = json!(assumptions);
    // What has no price may cost anything, so that the rest is no total.
    explained["total_usd"] = if without_price.is_empty() { json!(text(total)) } else { Value::Null };
    explained["without_price"] = json!(without_price);
    explained["note"] = match difference {
        Some(0) | None => Value::Null,
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

#[cfg(test)]
mod tests {
    use super::*;
    use weir_ledger::Measure;
    use weir_store::RequestId;
    use weir_types::contract::types::UnitCount;

    #[test]
    fn the_models_of_a_batch_are_priced_as_of_one_whatever_they_add_up_to() {
        let mut fact = Fact::of(RequestId::new(1_795_262_400_000, [1; 10]));
        (fact.tokens.input, fact.batch, fact.provider) = (Some(500), true, "p".to_owned());
        fact.attempts =
            r#"[{"target":"p/m","charged":{"provider":"p","model":"m","tokens":{"input":200}}}]"#.to_owned();
        for (operation, is_of_many) in [("batches-results", true), ("chat", false)] {
            fact.operation = operation.to_owned();
            let parts = parts(&fact).unwrap();
            let shown: Vec<_> = parts.iter().map(|part| (part.counts.tokens.input(), part.counts.batch)).collect();
            assert_eq!(shown, [(Some(200), is_of_many), (Some(300), true)]);
            assert_eq!(parts[0].counts.context(), if is_of_many { 0 } else { 200 });
        }
    }

    #[test]
    fn tokens_as_billed_are_read_from_the_units_and_from_another_usage() {
        let mut fact = Fact::of(RequestId::new(1_795_262_400_000, [1; 10]));
        (fact.tokens.input, fact.service_tier) = (Some(500), "flex".to_owned());
        assert_eq!(billed_tokens(&fact), None);
        fact.units = r#"{"search":2.0}"#.to_owned();
        assert_eq!(billed_tokens(&fact), None);
        fact.units = r#"{"billed_input":7.0}"#.to_owned();
        assert_eq!(billed_tokens(&fact), Some([7, 0]));
        let counts = &parts(&fact).unwrap()[0].counts;
        assert!(counts.is_billed_apart() && counts.context() == 500);
        fact.units = r#"{"search":7.0,"searched_request":4.0}"#.to_owned();
        let searched = all_counts(&fact).unwrap();
        assert_eq!(searched.count(Measure::SearchedRequest), Quantity::whole(4));
        assert_eq!(searched.count(Measure::Pieces(Unit::Search)), Quantity::whole(7));
        // What another version of the adapter reads counts alone, with the tier that served.
        let mut usage = Usage::of(Some(500), None);
        usage.units = vec![UnitCount { unit: Unit::BilledInput, count: 9.0 }];
        let other = counts_of(&fact, &usage).unwrap();
        assert_eq!(other.count(Measure::Pieces(Unit::BilledInput)), Quantity::whole(9));
        assert_eq!(other.service_tier.as_deref(), Some("flex"));
    }
}

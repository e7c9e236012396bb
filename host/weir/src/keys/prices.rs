//! Prices of the store, as the ledger takes them.

use std::collections::BTreeMap;

use weir_identity::document::{Invalid, PriceRule};
use weir_ledger::{PriceFile, PriceFileError, WrittenOffer};

/// The name of all of them together in bills.
const NAME: &str = "store";
/// The most prices of the store. Each change reads them all, and patterns among them cost each look-up a comparison.
const MAX_PRICES: usize = 2_000;

/// A file of all prices; `None` without any. Those that cannot be read are logged and left out: [`check`] lets none be
/// written.
pub(super) fn file(prices: &BTreeMap<String, PriceRule>) -> Option<PriceFile> {
    if prices.is_empty() {
        return None;
    }
    let log = |error: &PriceFileError| tracing::error!(%error, "prices of the store cannot be read, and are left out");
    let all: Vec<&PriceRule> = prices.values().collect();
    joined(&all).inspect_err(log).ok().or_else(|| {
        let good: Vec<&PriceRule> = all.into_iter().filter(|price| joined(&[*price]).is_ok()).collect();
        joined(&good).ok()
    })
}

/// Checks that a price can be put among the others.
///
/// # Errors
///
/// Names the price and the member that the ledger cannot read, or the other price that holds under the same conditions.
pub(super) fn check(price: &PriceRule, others: &BTreeMap<String, PriceRule>) -> Result<PriceFile, Invalid> {
    let mut all: Vec<&PriceRule> = others.values().filter(|other| other.id != price.id).collect();
    if all.len() >= MAX_PRICES {
        return Err(Invalid {
            field: "id".to_owned(),
            problem: format!("the store has {MAX_PRICES} prices; no more are taken"),
        });
    }
    let own = joined(&[price]).map_err(|error| invalid(price, &error))?;
    all.push(price);
    joined(&all).map_err(|error| invalid(price, &error))?;
    Ok(own)
}

fn joined(prices: &[&PriceRule]) -> Result<PriceFile, PriceFileError> {
    let members: Vec<String> = prices.iter().map(|price| members(price)).collect();
    let offers = prices.iter().zip(&members).map(|(price, members)| WrittenOffer {
        name: price.id.as_str(),
        provider: &price.provider,
        model: &price.model,
        members,
    });
    PriceFile::of_offers(NAME, &offers.collect::<Vec<_>>())
}

/// The members of a price as a price file has them.
fn members(price: &PriceRule) -> String {
    let mut members: serde_json::Map<_, _> = price.rates.clone().into_iter().collect();
    if !price.when.is_empty() {
        members.insert("when".to_owned(), price.when.clone().into());
    }
    if let Some(from) = &price.valid_from {
        members.insert("valid_from".to_owned(), from.as_str().into());
    }
    serde_json::Value::from(members).to_string()
}

fn invalid(price: &PriceRule, error: &PriceFileError) -> Invalid {
    let problems: Vec<String> = error.0.iter().map(|one| format!("`{}` {}", one.place, one.problem)).collect();
    Invalid { field: price.id.to_string(), problem: problems.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(id: &str, more: &str) -> PriceRule {
        let text = format!(
            r#"{{"schema": 1, "id": "{id}", "provider": "p", "model": "m", "created": "2026-11-21T12:00:00Z", {more}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn all(prices: &[PriceRule]) -> BTreeMap<String, PriceRule> {
        prices.iter().map(|price| (price.id.to_string(), price.clone())).collect()
    }

    #[test]
    fn a_price_that_cannot_be_read_is_refused_by_name_and_takes_no_other_with_it() {
        let good = price("good", r#""rates": {"input": "1"}"#);
        let bad = price("bad", r#""rates": {"inputs": "1", "output": "-1"}"#);
        let invalid = check(&bad, &all(std::slice::from_ref(&good))).unwrap_err().to_string();
        assert!(invalid.contains("`bad.inputs`") && invalid.contains("`bad.output` is negative"), "{invalid}");
        let same = price("same", r#""rates": {"input": "2"}"#);
        let invalid = check(&same, &all(std::slice::from_ref(&good))).unwrap_err().to_string();
        assert!(invalid.contains("`same.input`") && invalid.contains("`good`"), "{invalid}");
        assert!(check(&same, &BTreeMap::new()).is_ok() && check(&good, &all(std::slice::from_ref(&good))).is_ok());
        let kept = file(&all(&[good, bad])).unwrap();
        assert!(kept.version().starts_with("store@") && file(&BTreeMap::new()).is_none());
    }

    #[test]
    fn a_price_is_taken_with_its_conditions() {
        let dear =
            price("dear", r#""rates": {"input": 3.5}, "when": {"context_over": 1000}, "valid_from": "2026-01-01""#);
        let usual = price("usual", r#""rates": {"input": "1"}"#);
        assert!(check(&dear, &all(&[usual])).is_ok());
        let wrong = price("dear", r#""rates": {"input": "1"}, "when": {"hours": ["noon"]}"#);
        assert!(check(&wrong, &BTreeMap::new()).unwrap_err().problem.contains("noon"));
    }
}

//! A card as the JSON of a price file.

use std::collections::BTreeMap;

use anyhow::Result;

use super::super::rate_key::When;
use super::derived::derive_missing;
use super::{Card, Rates, TOKENS};

impl Card {
    /// Its offers.
    pub(in super::super) fn write(&self) -> Result<Vec<String>> {
        let mut all: BTreeMap<When, Rates> = BTreeMap::new();
        let mut gaps: BTreeMap<&When, BTreeMap<&str, &str>> = BTreeMap::new();
        // Prices for a region's own name come after, and replace, those that a multiplier gives.
        for (_, offers) in self.scopes.values() {
            all.extend(offers.rates.clone());
            if let Some(first) = offers.rates.keys().next() {
                let named = offers.gaps.iter().map(|(charge, measure)| (charge.as_str(), *measure));
                gaps.entry(first).or_default().extend(named);
            }
        }
        derive_missing(&mut all);
        let is_by_token = all.values().any(|rates| rates.contains_key("output_image"));
        let mut texts = Vec::new();
        for (when, rates) in &all {
            let mut members = Vec::new();
            // Images that are paid by their tokens have no price by their size.
            let is_paid = |measure: &str| is_by_token && measure == "image" && when.variant.is_some();
            for (measure, amount) in rates.iter().filter(|(measure, _)| !is_paid(measure)) {
                let usual = if TOKENS.contains(measure) { 1_000_000 } else { 1 };
                members.push(format!("\"{measure}\":{}", amount.write(usual)));
            }
            if members.is_empty() {
                continue;
            }
            if let Some(gaps) = gaps.get(when).filter(|gaps| !gaps.is_empty()) {
                members.push(format!("\"gaps\":{}", serde_json::to_string(gaps)?));
            }
            members.splice(0..0, conditions(when)?);
            texts.push(format!("{{{}}}", members.join(",")));
        }
        Ok(texts)
    }
}

fn conditions(when: &When) -> Result<Option<String>> {
    let mut members = Vec::new();
    let When { context_over, tier, batch, cache_minutes, region, variant, hours } = when;
    members.extend(context_over.map(|limit| format!("\"context_over\":{limit}")));
    if let Some(tier) = tier {
        members.push(format!("\"service_tier\":{}", serde_json::to_string(tier)?));
    }
    members.extend(batch.then(|| "\"batch\":true".to_owned()));
    members.extend(cache_minutes.map(|minutes| format!("\"cache_minutes\":{minutes}")));
    for (name, value) in [("region", region), ("variant", variant)] {
        if let Some(value) = value {
            members.push(format!("\"{name}\":{}", serde_json::to_string(value)?));
        }
    }
    members.extend(hours.as_ref().map(|hours| format!("\"hours\":{hours}")));
    Ok((!members.is_empty()).then(|| format!("\"when\":{{{}}}", members.join(","))))
}

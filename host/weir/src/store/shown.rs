//! The JSON form of facts, for the admin endpoints and for sinks.

use serde_json::{Value, json};

use weir_ledger::Nano;
use weir_store::Fact;

/// A fact as endpoints and sinks show it: with its time, its cost in dollars, and JSON where the store has text.
pub(crate) fn shown(fact: &Fact) -> Value {
    // A fact always has a JSON form.
    let mut item = serde_json::to_value(fact).unwrap_or_default();
    for name in ["attempts", "units", "losses"] {
        if let Some(text) = item[name].as_str() {
            item[name] = serde_json::from_str(text).unwrap_or(Value::Null);
        }
    }
    let time = crate::time::from_milliseconds(fact.id.time_ms());
    item["time"] = json!(time.map(|time| time.to_string()));
    item["cost_usd"] = json!(fact.cost_nano.and_then(dollars));
    item["similarity"] = json!(fact.similarity_millionths.map(|cosine| cosine as f64 / 1e6));
    item["saved_usd"] = json!(fact.saved_nano.and_then(dollars));
    item
}

/// Nano-dollars as exact text.
pub(crate) fn dollars(nano: i64) -> Option<String> {
    Nano::new(nano).ok().map(|amount| amount.to_string())
}

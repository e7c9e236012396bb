//! `weir ledger explain ID`: how a request's cost came about.

use std::fmt::Write as _;

use clap::Args;
use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::running::Running;

#[derive(Debug, Args)]
pub(in crate::cli) struct Explain {
    /// The request's id, as in the header x-weir-request-id.
    id: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: Running,
}

pub(super) fn run(asked: &Explain) -> Result<(), Failure> {
    let fact = crate::cli::log::one(&asked.running, &asked.id)?;
    let text = if asked.json { crate::cli::pretty(&fact)? } else { page(&fact) };
    crate::cli::print(&text);
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("-")
}

/// How a price is set. Of several targets it is not said which one lacks it.
fn remedy(fact: &Value, measure: &str) -> String {
    let is_of_several =
        fact["explained"]["lines"].as_array().into_iter().flatten().any(|line| line["target"].is_string());
    if is_of_several {
        return String::new();
    }
    let (provider, model) = (text(&fact["provider"]), text(&fact["model_served"]));
    format!(": weir prices create NAME --provider {provider} --model '{model}' --rate {measure}=DOLLARS")
}

/// The model that was asked for, and which provider served what.
fn served(fact: &Value) -> String {
    let known = |name: &str| fact[name].as_str().filter(|text| !text.is_empty());
    let asked = known("model_asked");
    match (asked, known("provider"), known("model_served")) {
        (asked, Some(provider), Some(model)) => format!("{} -> {provider}/{model}", asked.unwrap_or("none named")),
        (Some(asked), Some(provider), None) => format!("{asked} -> {provider}"),
        (None, Some(provider), None) => format!("none named; sent to {provider}"),
        (Some(asked), None, _) => format!("{asked}; no provider was asked"),
        (None, None, _) => "none named; no provider was asked".to_owned(),
    }
}

fn page(fact: &Value) -> String {
    let explained = &fact["explained"];
    let adapter = &explained["adapter"];
    let mut page = String::new();
    // Writing to a `String` cannot fail.
    let _ = writeln!(page, "request   {}  {}", text(&fact["id"]), text(&fact["time"]));
    let _ = writeln!(page, "model     {}", served(fact));
    if let Some(named) = fact["model_named"].as_str().filter(|named| !named.is_empty()) {
        let _ = writeln!(page, "answered  by {named}, whose price holds if it is known");
    }
    let _ = writeln!(
        page,
        "adapter   {} sha256:{}  lane {}",
        text(&adapter["name"]),
        text(&adapter["digest"]),
        text(&adapter["lane"])
    );
    match &adapter["places"] {
        Value::Array(places) => places.iter().for_each(|place| {
            let pointers = place["pointers"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let _ =
                writeln!(page, "  reads   {:<18} {}", text(&place["bucket"]), pointers.collect::<Vec<_>>().join(" "));
        }),
        Value::String(note) => _ = writeln!(page, "  reads   {note}"),
        _ => {}
    }
    let estimated = if fact["estimated"] == true { "  (some counts are estimates)" } else { "" };
    let _ = writeln!(page, "prices    {}{estimated}", text(&explained["price_version"]));
    for line in explained["lines"].as_array().into_iter().flatten() {
        let [measure, count, rate, amount] = ["measure", "count", "rate", "amount_usd"].map(|name| text(&line[name]));
        let (file, place) = (text(&line["file"]), text(&line["place"]));
        let target = line["target"].as_str().map(|target| format!("  ({target})")).unwrap_or_default();
        let _ = writeln!(page, "  {measure:<18} {count:>12}  at {rate:<24} = {amount:<18} {file} {place}{target}");
    }
    for missing in explained["without_price"].as_array().into_iter().flatten() {
        let _ = writeln!(page, "  {:<18} has no price{}", text(missing), remedy(fact, text(missing)));
    }
    for assumption in explained["assumptions"].as_array().into_iter().flatten() {
        let _ = writeln!(page, "  {}", text(assumption));
    }
    let total = explained["total_usd"].as_str().map_or_else(|| "unknown".to_owned(), |usd| format!("{usd} USD"));
    let _ = writeln!(page, "total     {total} by these prices");
    let (then, version) = (text(&explained["cost_usd_of_then"]), text(&explained["price_version_of_then"]));
    let _ = writeln!(page, "charged   {then} USD, by prices {version}");
    if let Some(note) = explained["note"].as_str() {
        let _ = writeln!(page, "note      {note}");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_from_the_request_to_the_amount() {
        let fact = serde_json::json!({
            "id": "0192", "time": "2026-11-21T08:00:00Z", "model_asked": "small", "provider": "p", "model_served": "m",
            "model_named": "m-2026", "estimated": false,
            "explained": {
                "adapter": {"name": "zeta", "digest": "abc", "lane": "relay",
                            "places": [{"bucket": "input", "pointers": ["/usage/in"]}]},
                "price_version": "2026-11", "price_version_of_then": "2026-10", "cost_usd_of_then": "0.002",
                "lines": [{"measure": "input", "count": "10", "rate": "2.5 per 1000000", "amount_usd": "0.000025",
                           "file": "prices.json", "place": "p.m.input"}],
                "without_price": ["search"], "assumptions": [], "total_usd": null, "note": "it differs",
            },
        });
        let page = page(&fact);
        let parts = [
            "answered  by m-2026",
            "zeta sha256:abc",
            "/usage/in",
            "2.5 per 1000000",
            "search",
            "total     unknown by these prices",
            "0.002 USD, by prices 2026-10",
            "it differs",
        ];
        for part in parts {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(page.contains("model     small -> p/m\n"), "{page}");
        let remedy = "has no price: weir prices create NAME --provider p --model 'm' --rate search=DOLLARS";
        assert!(page.contains(remedy), "{page}");
    }

    #[test]
    fn a_request_without_a_model_is_told_in_words() {
        let told = |asked: &str, provider: &str, model: &str| {
            served(&serde_json::json!({"model_asked": asked, "provider": provider, "model_served": model}))
        };
        assert_eq!(told("", "", ""), "none named; no provider was asked");
        assert_eq!(told("", "p", ""), "none named; sent to p");
        assert_eq!(told("small", "", ""), "small; no provider was asked");
        assert_eq!(told("small", "p", ""), "small -> p");
        assert_eq!(told("", "p", "m"), "none named -> p/m");
    }
}

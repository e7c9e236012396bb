//! `weir prices …`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::cell;
use super::document::{Kind, Listing, Named};
use crate::cli::failure::{CommandError, Failure};

const PRICE: Kind = Kind { one: "price", all: "prices" };

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Lists the prices in the store; with `--all`, the price in force for each model at each of its targets.
    List(List),
    /// Shows a price as JSON.
    Show(Named),
    /// Makes a price. It overrides the bundled one, and the operator's price file overrides it.
    Create(Box<Create>),
    /// Changes the fields of a price that are given; other amounts and conditions stay.
    Set(Box<Set>),
    /// Deletes a price. What was billed by it stays billed.
    Delete(Named),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Lists the prices in force, wherever they are defined.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
#[command(mut_arg("provider", |provider| provider.required(true)), mut_arg("model", |model| model.required(true)))]
pub(in crate::cli) struct Create {
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    price: Named,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Set {
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    price: Named,
}

/// What a price says besides its name.
#[derive(Debug, Default, Args)]
struct Fields {
    /// The provider's name in the configuration or its kind; `*` for all.
    #[arg(long)]
    provider: Option<String>,
    /// The provider's name for the model, or a pattern with `*`.
    #[arg(long)]
    model: Option<String>,
    /// Dollars for a million tokens or for one piece, such as input=2.5, or for a number of pieces, such as
    /// search=10/1000. May be repeated.
    #[arg(long = "rate", value_name = "MEASURE=DOLLARS")]
    rates: Vec<String>,
    /// A condition, such as `context_over=200000`, `service_tier=flex`, `batch=true` or `region=eu`. May be repeated.
    #[arg(long = "when", value_name = "CONDITION=VALUE")]
    when: Vec<String>,
    /// The date or time from which on the price holds.
    #[arg(long = "from", value_name = "TIME")]
    valid_from: Option<String>,
}

pub(in crate::cli) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::List(asked) => list(&asked),
        Command::Show(asked) => asked.show(PRICE),
        Command::Create(asked) => create(&asked),
        Command::Set(asked) => set(&asked),
        Command::Delete(asked) => asked.delete(PRICE),
    };
    crate::cli::finish(done)
}

/// What is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum PriceError {
    /// It is not said what costs anything.
    #[error("the price has no rate: give --rate, such as --rate input=2.5 for a million tokens of input")]
    NoRate,
    /// A change without anything that changes.
    #[error("nothing is to be changed: give --rate or another field")]
    NoChange,
    /// No name and value.
    #[error("{usage}, not `{text}`")]
    Pair { usage: &'static str, text: String },
    /// What stands behind the slash of a rate.
    #[error("{usage}: `{text}` is not a count")]
    Count { usage: &'static str, text: String },
}

impl CommandError for PriceError {
    const IS_OF_USAGE: bool = true;
}

/// How rates and conditions are given.
const RATES: &str = "--rate MEASURE=DOLLARS";
const CONDITIONS: &str = "--when CONDITION=VALUE";

fn create(asked: &Create) -> Result<String, Failure> {
    let mut fields = asked.fields.written()?;
    if !fields.contains_key("rates") {
        return Err(PriceError::NoRate.into());
    }
    fields.insert("id".to_owned(), json!(asked.price.name));
    PRICE.create(&asked.price.running, fields)
}

fn set(asked: &Set) -> Result<String, Failure> {
    let fields = asked.fields.written()?;
    if fields.is_empty() {
        return Err(PriceError::NoChange.into());
    }
    asked.price.change(PRICE, fields)
}

fn list(asked: &List) -> Result<String, Failure> {
    if asked.all {
        return list_in_force(&asked.listing);
    }
    let row = |price: &Value| {
        let [name, provider, model, from] =
            [&price["id"], &price["provider"], &price["model"], &price["valid_from"]].map(cell);
        [name, provider, model, members(&price["rates"]), members(&price["when"]), from]
    };
    let heading = ["NAME", "PROVIDER", "MODEL", "RATES", "WHEN", "FROM"];
    asked.listing.rows("/prices", &[("origin", "store")], heading, row)
}

fn list_in_force(listing: &Listing) -> Result<String, Failure> {
    let mut answer = listing.endpoints()?.send(Method::GET, "/prices", &[], None)?;
    let prices = answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let row = |price: &Value| {
        let rates = price["rates"].as_array().into_iter().flatten();
        let rates = rates.map(|rate| format!("{}={}", cell(&rate["measure"]), cell(&rate["rate"])));
        let [model, provider, served] = [&price["model"], &price["provider"], &price["model_served"]].map(cell);
        [model, provider, served, rates.collect::<Vec<_>>().join(" ")]
    };
    listing.print(prices, ["MODEL", "PROVIDER", "SERVED", "RATES"], row)
}

/// The members of an object as they are given to `create`.
fn members(value: &Value) -> String {
    let Some(members) = value.as_object().filter(|members| !members.is_empty()) else { return "-".to_owned() };
    let one = |(name, value): (&String, &Value)| match (&value["amount"], &value["per"]) {
        (Value::Null, _) => format!("{name}={}", cell(value)),
        (amount, Value::Null) => format!("{name}={}", cell(amount)),
        (amount, per) => format!("{name}={}/{per}", cell(amount)),
    };
    members.iter().map(one).collect::<Vec<_>>().join(" ")
}

impl Fields {
    /// What was given, as the endpoints take it.
    fn written(&self) -> Result<Map<String, Value>, PriceError> {
        let mut fields = Map::new();
        let texts = [("provider", &self.provider), ("model", &self.model), ("valid_from", &self.valid_from)];
        fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))));
        let rate = |text: &str| match text.split_once('/') {
            None => Ok(json!(text)),
            Some((amount, per)) => {
                let count: Result<u64, _> = per.parse();
                let wrong = |_| PriceError::Count { usage: RATES, text: per.to_owned() };
                count.map(|per| json!({"amount": amount, "per": per})).map_err(wrong)
            }
        };
        let condition = |text: &str| Ok(serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
        let pairs = pairs(RATES, &self.rates, rate)?;
        let when = self::pairs(CONDITIONS, &self.when, condition)?;
        for (name, members) in [("rates", pairs), ("when", when)] {
            if !members.is_empty() {
                fields.insert(name.to_owned(), Value::Object(members));
            }
        }
        Ok(fields)
    }
}

fn pairs(
    usage: &'static str,
    texts: &[String],
    read: impl Fn(&str) -> Result<Value, PriceError>,
) -> Result<Map<String, Value>, PriceError> {
    let pair = |text: &String| {
        let pair = text.split_once('=').ok_or_else(|| PriceError::Pair { usage, text: text.clone() });
        pair.and_then(|(name, value)| Ok((name.to_owned(), read(value)?)))
    };
    texts.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_conditions_are_written_as_a_price_file_has_them() {
        let of = |rates: &[&str], when: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            Fields { rates: owned(rates), when: owned(when), ..Fields::default() }.written().map(Value::Object)
        };
        let written =
            of(&["input=2.5", "search=10/1000"], &["context_over=200000", "batch=true", "region=!us"]).unwrap();
        let expected = json!({"rates": {"input": "2.5", "search": {"amount": "10", "per": 1000}},
                              "when": {"context_over": 200_000, "batch": true, "region": "!us"}});
        assert_eq!(written, expected);
        assert_eq!(members(&written["rates"]), "input=2.5 search=10/1000");
        assert!(of(&["input"], &[]).is_err() && of(&["search=1/x"], &[]).is_err());
        assert_eq!(of(&[], &[]), Ok(json!({})));
    }
}

//! `cargo xtask prices FILE`: turns a price list into `host/ledger/prices/bundled.json`.
//!
//! `sources.json` beside that file says which providers of the list are which adapter. Amounts are taken from the
//! list's text, so that none passes through a float.

mod amount;
mod card;
mod rate_key;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::workspace::Workspace;
use card::{Card, Entry};

const FOLDER: &str = "host/ledger/prices";
/// The member of the list that explains the others.
const SAMPLE: &str = "sample_spec";

/// An entry of the list: members and their text.
type Members = BTreeMap<String, Box<RawValue>>;
/// Models of a provider with the text of their offers.
type Models = BTreeMap<String, Card>;

/// Writes the bundled prices from a list.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let [path] = words else { bail!("usage: cargo xtask prices PRICES.json") };
    let folder = workspace.root.join(FOLDER);
    let sources = fs::read_to_string(folder.join("sources.json")).context("could not read sources.json")?;
    let list = fs::read_to_string(path).with_context(|| format!("could not read {path}"))?;
    let (text, left_out) = generate(&sources, &list)?;
    fs::write(folder.join("bundled.json"), text)?;
    for (reason, count) in left_out {
        println!("left out: {count:>5} {reason}");
    }
    Ok(())
}

/// The bundled file, and how often something was left out for which reason.
fn generate(sources: &str, list: &str) -> Result<(String, BTreeMap<String, usize>)> {
    let sources: Value = serde_json::from_str(sources).context("sources.json")?;
    let list: BTreeMap<String, Members> = serde_json::from_str(list).context("the price list")?;
    let mut providers: BTreeMap<String, Models> = BTreeMap::new();
    let mut left_out = BTreeMap::new();
    let skip = strings(&sources["skip"]);
    for (name, members) in list.iter().filter(|(name, _)| *name != SAMPLE) {
        let Some((kind, source, rank)) = kind_of(&sources, members) else { continue };
        if skip.iter().any(|part| name.contains(part)) {
            *left_out.entry("entries that name no model of an endpoint".to_owned()).or_default() += 1;
            continue;
        }
        let entry = Entry::named(name, members, source, rank, &strings(&sources["open_ended"]));
        let Some(card) = Card::read(&entry, members, source["zero_is_free"] == true, &mut left_out)? else { continue };
        let models = providers.entry(kind.to_owned()).or_default();
        for model in &entry.models {
            models.entry(model.clone()).or_default().merge(&card);
        }
    }
    Ok((write(&sources, &providers)?, left_out))
}

/// The adapter of an entry, its source and the rank of the list's provider there: lower ones come first.
fn kind_of<'a>(sources: &'a Value, members: &Members) -> Option<(&'a str, &'a Value, usize)> {
    let provider: String = serde_json::from_str(members.get("litellm_provider")?.get()).ok()?;
    let is = |name: &str| name.strip_suffix('*').map_or(name == provider, |start| provider.starts_with(start));
    sources["providers"].as_object()?.iter().find_map(|(kind, source)| {
        let rank = strings(&source["names"]).iter().position(|name| is(name))?;
        Some((kind.as_str(), source, rank))
    })
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// One line a model, so that changes of prices are changes of lines.
fn write(sources: &Value, providers: &BTreeMap<String, Models>) -> Result<String> {
    let mut parts = Vec::new();
    for (kind, models) in providers {
        let mut offers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (model, card) in models {
            offers.entry(model).or_default().extend(card.write()?);
        }
        for (model, extra) in sources["extra"][kind].as_object().into_iter().flatten() {
            let extra = extra.as_array().with_context(|| format!("the extra offers of {kind} {model} are no list"))?;
            offers.entry(model).or_default().extend(extra.iter().map(Value::to_string));
        }
        let line = |(model, offers): (&&str, &Vec<String>)| {
            Ok(format!("   {}: [{}]", serde_json::to_string(model)?, offers.join(",")))
        };
        let lines = offers.iter().map(line).collect::<Result<Vec<_>>>()?;
        parts.push(format!("  {}: {{\n{}\n  }}", serde_json::to_string(kind)?, lines.join(",\n")));
    }
    let head = ["source", "licence", "version", "tiers"].map(|name| format!(" \"{name}\": {},\n", sources[name]));
    let about = "Prices by adapter and the provider's name for the model, in US dollars for a million tokens, a piece or a \
                 request. Made by `cargo xtask prices`; host/ledger/src/price_book/file.rs describes the shape.";
    Ok(format!("{{\n \"about\": \"{about}\",\n{} \"providers\": {{\n{}\n }}\n}}\n", head.concat(), parts.join(",\n")))
}

#[cfg(test)]
mod tests;

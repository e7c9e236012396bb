//! The offers of one model.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Members;
use super::amount::Amount;
use super::rate_key::{Meaning, When, meaning};

mod derived;
mod extras;
mod write;

/// The name that stands for all models of a provider.
pub(super) const EVERY_MODEL: &str = "*";

/// Measures that are counted in tokens.
const TOKENS: [&str; 10] = [
    "input",
    "input_audio",
    "input_image",
    "cache_read",
    "cache_write",
    "cache_write_hour",
    "output",
    "output_audio",
    "output_image",
    "reasoning",
];

/// What models are for whose answers consist of tokens that they make, as those of embeddings and ranks do not.
const WRITES: [&str; 6] = ["chat", "completion", "responses", "image_generation", "image_edit", "audio_speech"];

/// Amounts of one unit by measure.
type Rates = BTreeMap<&'static str, Amount>;

/// What an entry's name in the list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The provider's names for the model.
    pub(super) models: Vec<String>,
    /// The region that its prices are for.
    region: Option<String>,
    /// The quality and size that its prices are for.
    variant: Option<String>,
    /// The lower one is taken where two entries are for the same model.
    rank: usize,
    searches: Searches,
}

/// How a model charges for searches.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Searches {
    /// Each of them.
    Each,
    /// Every request has a fee, for searches of this size unless it names another one.
    EveryRequest(String),
    /// A request has one fee if there was any search.
    SearchedRequest,
}

impl Searches {
    /// Reads the provider's rules, which go by parts of the entry's name, and for fees of requests with searches by
    /// what its members say as well.
    fn of(name: &str, members: &Members, source: &Value) -> Self {
        let is_meant = |rule: &Value| {
            let has = |list: &str| super::strings(&rule[list]).iter().any(|part| name.contains(part));
            has("models") && !has("except")
        };
        let (fee, once) = (&source["search_fee"], &source["searched_request"]);
        let says = |(member, value): (&String, &Value)| {
            let said = members.get(member).and_then(|said| serde_json::from_str::<Value>(said.get()).ok());
            said.as_ref() == Some(value)
        };
        match fee["size"].as_str() {
            Some(size) if is_meant(fee) => Self::EveryRequest(size.to_owned()),
            _ if is_meant(once) && !once["unless"].as_object().into_iter().flatten().any(says) => Self::SearchedRequest,
            _ => Self::Each,
        }
    }

    /// The measure that a price of searches of one size is for.
    const fn by_size(&self) -> &'static str {
        match self {
            Self::Each => "search",
            Self::EveryRequest(_) => "request",
            Self::SearchedRequest => "searched_request",
        }
    }

    /// The measure of another rate, which may be that of searches of another kind.
    fn of_rate(&self, measure: &'static str) -> &'static str {
        if *self == Self::SearchedRequest && measure == "search" { self.by_size() } else { measure }
    }
}

impl Entry {
    /// Takes a name apart: `azure/eu/x`, `bedrock/us-gov-west-1/x`, `hd/1024-x-1024/x`.
    pub(super) fn named(name: &str, members: &Members, source: &Value, rank: usize, open_ended: &[&str]) -> Self {
        let mut rest = name;
        for prefix in super::strings(&source["prefixes"]) {
            rest = rest.strip_prefix(prefix).unwrap_or(rest);
        }
        // A name with the provider's own prefix is meant for this provider and no other.
        let rank = rank * 2 + usize::from(rest.len() == name.len());
        let mut region = None;
        if let Some((first, model)) = rest.split_once('/')
            && let Some(named) = source["regions"][first].as_str()
        {
            (rest, region) = (model, Some(named.to_owned()).filter(|named| !named.is_empty()));
        }
        let mut variant = None;
        let mut parts: Vec<&str> = rest.split('/').collect();
        let is_size =
            |part: &&str| part.split_once("-x-").is_some_and(|(w, h)| [w, h].iter().all(|n| n.parse::<u32>().is_ok()));
        if let Some(mut end) = parts.iter().position(is_size) {
            end += 1 + usize::from(parts.get(end + 1).is_some_and(|part| part.ends_with("-steps")));
            let model = parts.split_off(end.min(parts.len()));
            (variant, parts) = (Some(parts.join("/").replace("-x-", "x")), model);
        }
        let model = parts.join("/");
        let is_open = open_ended.iter().any(|start| model.starts_with(start));
        let models = match &*model {
            // What a tool of the provider costs, whichever model uses it.
            tool if super::strings(&source["for_all"]).contains(&tool) => vec![EVERY_MODEL.to_owned()],
            _ if is_open => vec![format!("{model}:*"), model],
            _ => vec![model],
        };
        Self { models, region, variant, rank, searches: Searches::of(name, members, source) }
    }
}

/// The offers that one or several entries have for a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Card {
    /// By the region and variant in the entries' names, with the entry's rank.
    scopes: BTreeMap<(Option<String>, Option<String>), (usize, Offers)>,
}

/// The measure that a charge goes with that no measure expresses: `request` if it may be part of every answer.
fn gap_measure(name: &str) -> &'static str {
    let is_made = name.starts_with("output");
    match name {
        _ if name.contains("pixel") => "image",
        _ if name.contains("audio") => {
            if is_made {
                "output_audio"
            } else {
                "input_audio"
            }
        }
        _ if name.contains("image") || name.contains("video") => {
            if is_made {
                "output_image"
            } else {
                "input_image"
            }
        }
        _ => "request",
    }
}

/// Rates by condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Offers {
    rates: BTreeMap<When, Rates>,
    gaps: BTreeMap<String, &'static str>,
}

impl Card {
    /// Reads an entry; `None` if it has no price.
    pub(super) fn read(
        entry: &Entry,
        members: &Members,
        zero_is_free: bool,
        left_out: &mut BTreeMap<String, usize>,
    ) -> Result<Option<Self>> {
        let mode = members.get("mode").map(|mode| mode.get().trim_matches('"')).unwrap_or_default();
        let mut offers = Offers::default();
        for (name, value) in members {
            match meaning(name, mode) {
                Meaning::Rate(measure, when) => {
                    offers.add(when, entry.searches.of_rate(measure), Amount::parse(value.get())?);
                }
                Meaning::Gap => {
                    *left_out.entry(format!("rates `{name}`")).or_default() += 1;
                    offers.add_gap(name, value.get(), members)?;
                }
                Meaning::None => {}
            }
        }
        offers.add_searches(members, &entry.searches)?;
        offers.add_off_peak(members)?;
        offers.drop_pixels();
        offers.pay_images_by_token();
        offers.drop_repeated();
        let is_zero = offers.rates.values().flat_map(BTreeMap::values).all(|amount| amount.is_zero());
        if is_zero && !zero_is_free {
            // The list has zeros where it has no price, too: better unknown than free.
            *left_out.entry("entries whose prices are all zero or missing".to_owned()).or_default() += 1;
            return Ok(None);
        }
        if WRITES.contains(&mode) && !zero_is_free && offers.writes_for_nothing() {
            // Another model's price comes on top, as behind a router, or the answer is paid by what is counted as
            // nothing.
            *left_out.entry("entries of models that write for nothing".to_owned()).or_default() += 1;
            return Ok(None);
        }
        offers.uplift(members)?;
        offers.set_scope(entry);
        let scope = (entry.region.clone(), entry.variant.clone());
        Ok(Some(Self { scopes: BTreeMap::from([(scope, (entry.rank, offers))]) }))
    }

    /// Takes the offers of another entry for the same model.
    pub(super) fn merge(&mut self, other: &Self) {
        for (scope, (rank, offers)) in &other.scopes {
            let is_better = self.scopes.get(scope).is_none_or(|(own, _)| rank < own);
            if is_better {
                self.scopes.insert(scope.clone(), (*rank, offers.clone()));
            }
        }
    }
}

impl Offers {
    /// Adds a rate; the higher one stays where two members mean the same.
    fn add(&mut self, when: When, measure: &'static str, amount: Amount) {
        let rate = self.rates.entry(when).or_default().entry(measure).or_insert(amount);
        if amount.is_above(*rate) {
            *rate = amount;
        }
    }

    /// Notes a charge that no measure expresses, unless it is not above what is charged anyway.
    fn add_gap(&mut self, name: &str, value: &str, members: &Members) -> Result<()> {
        if ["_batches", "_flex", "_priority"].iter().any(|end| name.ends_with(end)) {
            // The same charge without the suffix is a gap as well.
            return Ok(());
        }
        let measure = gap_measure(name);
        let Ok(amount) = Amount::parse(value) else {
            self.gaps.insert(name.to_owned(), measure);
            return Ok(());
        };
        // Cached audio and images are counted as other cached input.
        let counted_as = match name {
            _ if name.starts_with("cache_read_input_") => Some("cache_read_input_token_cost"),
            "input_cost_per_video_token" => Some("input_cost_per_image_token"),
            _ => None,
        };
        let counted =
            counted_as.and_then(|name| members.get(name)).map(|value| Amount::parse(value.get())).transpose()?;
        if !amount.is_zero() && counted.is_none_or(|counted| amount.is_above(counted)) {
            self.gaps.insert(name.to_owned(), measure);
        }
        Ok(())
    }

    /// Whether the output is said to cost nothing, in whatever form it is made.
    fn writes_for_nothing(&self) -> bool {
        let prices = |measure| self.rates.values().filter_map(move |rates| rates.get(measure));
        let is_free = |measure| prices(measure).all(|amount| amount.is_zero());
        prices("output").next().is_some() && ["output", "output_audio", "output_image"].into_iter().all(is_free)
    }

    /// Drops the price of a pixel where that of an image is known.
    fn drop_pixels(&mut self) {
        if self.rates.values().any(|rates| rates.contains_key("image")) {
            self.gaps.retain(|name, _| !name.ends_with("_per_pixel"));
        }
    }

    /// Images that are paid by their tokens have no price of their own. Where nothing else is made, all output is
    /// images, also where an answer does not tell its kinds apart, as streams of images do not.
    fn pay_images_by_token(&mut self) {
        let names = |measure| self.rates.values().any(|rates| rates.contains_key(measure));
        let is_all = !names("output");
        if names("output_image") {
            for rates in self.rates.values_mut() {
                rates.remove("image");
                if let Some(image) = rates.get("output_image").copied().filter(|_| is_all) {
                    rates.insert("output", image);
                }
            }
            if let Ok(nothing) = Amount::parse("0") {
                self.rates.entry(When::default()).or_default().insert("image", nothing);
            }
        }
    }

    /// Drops rates of parts that are the same as those of the whole under every condition that has them: the price book
    /// takes the latter where the former are missing.
    fn drop_repeated(&mut self) {
        for (part, whole) in [("reasoning", "output"), ("input_audio", "input"), ("input_image", "input")] {
            let is_same = |rates: &Rates| rates.get(part).is_none_or(|rate| rates.get(whole) == Some(rate));
            if self.rates.values().all(is_same) {
                for rates in self.rates.values_mut() {
                    rates.remove(part);
                }
            }
        }
        self.rates.retain(|_, rates| !rates.is_empty());
    }

    /// Adds the offers of regions and speeds that the list states as multipliers of token prices.
    fn uplift(&mut self, members: &Members) -> Result<()> {
        let specific: Value = match members.get("provider_specific_entry") {
            Some(text) => serde_json::from_str(text.get())?,
            None => Value::Null,
        };
        if !specific["fast"].is_null() {
            let fast = Amount::parse(&specific["fast"].to_string())?;
            let is_usual = |when: &When| when.tier.is_none() && !when.batch;
            self.multiply(fast, is_usual, |when| when.tier = Some("fast".to_owned()))?;
        }
        let mut regions = Vec::new();
        for (name, region) in [
            ("regional_processing_uplift_multiplier_eu", "eu"),
            ("regional_processing_uplift_multiplier_us", "us"),
            ("regional_endpoint_uplift_multiplier", "!global"),
        ] {
            regions.extend(members.get(name).map(|factor| (region, factor.get().to_owned())));
        }
        if !specific["us"].is_null() {
            regions.push(("us", specific["us"].to_string()));
        }
        let base = self.clone();
        for (region, factor) in regions {
            let mut offers = base.clone();
            offers.multiply(Amount::parse(&factor)?, |_| true, |when| when.region = Some(region.to_owned()))?;
            offers.rates.retain(|when, _| when.region.is_some());
            self.rates.extend(offers.rates);
        }
        Ok(())
    }

    /// Adds offers with multiplied token prices.
    fn multiply(&mut self, factor: Amount, is_meant: impl Fn(&When) -> bool, set: impl Fn(&mut When)) -> Result<()> {
        let mut more = BTreeMap::new();
        for (when, rates) in self.rates.iter().filter(|(when, _)| is_meant(when)) {
            let mut when = when.clone();
            set(&mut when);
            let tokens = rates.iter().filter(|(measure, _)| TOKENS.contains(measure));
            let times = |(measure, rate): (&&'static str, &Amount)| Ok((*measure, rate.times(factor)?));
            let rates = tokens.map(times).collect::<Result<Rates>>().context("an uplift")?;
            if !rates.is_empty() {
                more.insert(when, rates);
            }
        }
        self.rates.extend(more);
        Ok(())
    }

    /// Puts the region and variant of the entry's name into all conditions that have none.
    fn set_scope(&mut self, entry: &Entry) {
        let rates = std::mem::take(&mut self.rates);
        for (mut when, rates) in rates {
            when.region = when.region.or_else(|| entry.region.clone());
            when.variant = when.variant.or_else(|| entry.variant.clone());
            self.rates.insert(when, rates);
        }
    }
}

//! `[[models]]` and their targets.

use std::time::Duration;

use super::super::model::{Affinity, Capabilities, Price, Strategy};
use super::super::provider::Metering;
use super::super::{Address, Limits, Options, Place, Problem, Secret, keys};
use super::client::limits;
use super::provider::{METERINGS, RetryDraft, TimeoutsDraft, retry, timeouts};
use super::{Located, Section};

const STRATEGIES: &[(&str, Strategy)] = &[
    ("priority", Strategy::Priority),
    ("weighted", Strategy::Weighted),
    ("round-robin", Strategy::RoundRobin),
    ("least-latency", Strategy::LeastLatency),
    ("least-busy", Strategy::LeastBusy),
    ("cheapest", Strategy::Cheapest),
];

/// Longer names than any provider has.
const LONGEST_ALIAS: usize = 256;

/// A model as it was written.
#[derive(Debug)]
pub(in super::super) struct ModelDraft {
    pub(in super::super) alias: Located<String>,
    pub(in super::super) adapter: Option<Located<String>>,
    pub(in super::super) provider: Option<Located<String>>,
    /// Empty where the model has neither `target` nor `targets`.
    pub(in super::super) targets: Vec<TargetDraft>,
    pub(in super::super) strategy: Option<Strategy>,
    pub(in super::super) fallbacks: Vec<Located<String>>,
    pub(in super::super) enable_fallback: Option<bool>,
    pub(in super::super) resume: bool,
    pub(in super::super) fallback_when_filtered: bool,
    pub(in super::super) fallback_embeddings: bool,
    pub(in super::super) affinity: Affinity,
    pub(in super::super) hedge: Option<Duration>,
    pub(in super::super) translate: Option<bool>,
    pub(in super::super) strict: Option<bool>,
    pub(in super::super) metering: Option<Metering>,
    pub(in super::super) timeouts: TimeoutsDraft,
    pub(in super::super) retry: RetryDraft,
    pub(in super::super) max_concurrency: Option<usize>,
    pub(in super::super) limits: Limits,
    pub(in super::super) capabilities: Capabilities,
    pub(in super::super) price: Option<Price>,
    /// The table.
    pub(in super::super) place: Place,
}

/// A target as it was written.
#[derive(Debug, Default)]
pub(in super::super) struct TargetDraft {
    pub(in super::super) provider: Option<Located<String>>,
    pub(in super::super) url: Option<Located<Address>>,
    /// Whether a url was given, be it a wrong one.
    pub(in super::super) has_url: bool,
    pub(in super::super) key: Option<Located<Secret>>,
    /// Whether a key was given, be it one that cannot be had.
    pub(in super::super) has_key: bool,
    pub(in super::super) model: Option<String>,
    pub(in super::super) format: Option<Located<String>>,
    pub(in super::super) options: Options,
    pub(in super::super) translate: Option<bool>,
    pub(in super::super) metering: Option<Metering>,
    pub(in super::super) weight: Option<u32>,
    pub(in super::super) price: Option<Price>,
    pub(in super::super) place: Place,
}

pub(super) fn model(mut section: Section<'_>) -> Option<ModelDraft> {
    let alias = alias(&mut section);
    let draft = ModelDraft {
        adapter: section.name("type"),
        provider: section.text("provider"),
        targets: targets(&mut section),
        strategy: section.choice("strategy", STRATEGIES),
        fallbacks: section.texts("fallbacks"),
        enable_fallback: section.flag("enable_fallback"),
        resume: section.flag("resume").unwrap_or(false),
        fallback_when_filtered: section.flag("fallback_when_filtered").unwrap_or(false),
        fallback_embeddings: section.flag("fallback_embeddings").unwrap_or(false),
        affinity: affinity(&mut section),
        hedge: section.duration("hedge"),
        translate: section.flag("translate"),
        strict: section.flag("strict"),
        metering: section.choice("usage", METERINGS),
        timeouts: timeouts(&mut section),
        retry: retry(&mut section),
        max_concurrency: section.amount("max_concurrency"),
        limits: limits(&mut section),
        capabilities: section.section("capabilities", &keys::CAPABILITIES).map(capabilities).unwrap_or_default(),
        price: section.section("price", &keys::PRICE).map(price),
        place: section.place.clone(),
        // Without an alias the rest is still read, for the mistakes in it.
        alias: alias.clone().unwrap_or_else(|| Located { value: String::new(), place: Place::Unset }),
    };
    section.finish();
    alias.map(|_| draft)
}

fn affinity(section: &mut Section<'_>) -> Affinity {
    let Some(text) = section.text("affinity") else { return Affinity::default() };
    if text.value == "tenant" {
        return Affinity::Tenant;
    }
    if let Ok(name) = http::HeaderName::try_from(text.value.trim()) {
        return Affinity::Header(name.as_str().to_owned());
    }
    let problem = Problem::error(&text.place, "`affinity` is neither `tenant` nor the name of a header");
    section.reader.report(problem.with_help("such as `affinity = \"x-session-id\"`"));
    Affinity::default()
}

fn alias(section: &mut Section<'_>) -> Option<Located<String>> {
    let given = section.table.contains_key("alias");
    let Some(alias) = section.text("alias") else {
        if !given {
            section.missing("alias", "what clients call the model, such as `alias = \"gpt-4o\"`");
        }
        return None;
    };
    if alias.value.len() > LONGEST_ALIAS || alias.value.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let problem = Problem::error(&alias.place, "an alias holds no white space or control characters");
        section.reader.report(problem.with_help(format!("at most {LONGEST_ALIAS} bytes, `*` standing for any text")));
        return None;
    }
    Some(alias)
}

fn targets(section: &mut Section<'_>) -> Vec<TargetDraft> {
    let several_given = section.table.contains_key("targets");
    let one = section.section("target", &keys::TARGET).map(target);
    let places = section.table.get("targets").map(|member| (member.key.clone(), member.node.place.clone()));
    let mut targets: Vec<TargetDraft> = section.sections("targets", &keys::TARGET).into_iter().map(target).collect();
    if let (Some((key, _)), true) = (&places, one.is_some()) {
        let problem = Problem::error(key, "both `target` and `targets` are given");
        section.reader.report(problem.with_help("put all of them into `targets`"));
    }
    if several_given && targets.is_empty() && one.is_none() {
        let place = places.map(|(_, value)| value).unwrap_or_default();
        section.reader.report(Problem::error(&place, "`targets` must not be empty"));
    }
    targets.extend(one);
    targets
}

fn target(mut section: Section<'_>) -> TargetDraft {
    let has_key = section.table.contains_key("api_key");
    let mut options = section.options("options");
    section.auth(&mut options, has_key);
    let draft = TargetDraft {
        has_url: section.table.contains_key("url"),
        has_key,
        provider: section.text("provider"),
        url: section.address("url"),
        key: section.secret("api_key"),
        model: section.text("model").map(|model| model.value),
        format: section.text("format"),
        options,
        translate: section.flag("translate"),
        metering: section.choice("usage", METERINGS),
        price: section.section("price", &keys::PRICE).map(price),
        weight: section.count("weight", &(1..=1_000_000)).and_then(|weight| u32::try_from(weight).ok()),
        place: section.place.clone(),
    };
    section.finish();
    draft
}

fn capabilities(mut table: Section<'_>) -> Capabilities {
    let tokens = 1..=u64::from(u32::MAX);
    let capabilities = Capabilities {
        vision: table.flag("vision"),
        tools: table.flag("tools"),
        audio: table.flag("audio"),
        documents: table.flag("documents"),
        schema: table.flag("schema"),
        reasoning: table.flag("reasoning"),
        context: table.count("context", &tokens),
        output: table.count("output", &tokens),
    };
    table.finish();
    capabilities
}

fn price(mut table: Section<'_>) -> Price {
    let price = Price {
        input: table.number("input"),
        output: table.number("output"),
        cache_read: table.number("cache_read"),
        cache_write: table.number("cache_write"),
        reasoning: table.number("reasoning"),
    };
    table.finish();
    price
}

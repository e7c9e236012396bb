//! `[[models]]`.

use std::time::Duration;

use super::{Limits, RetryDraft, TargetDraft, TimeoutsDraft};
use crate::model::{Affinity, Strategy, Target};
use crate::provider::Metering;
use crate::raw::Node;
use crate::section::{Amount, Count, Entry, Located, Name, Section, Take, joined, part, section, take_table};
use crate::{Alias, Place};

/// Longer names than any provider has.
const LONGEST_ALIAS: usize = 256;

part! {
    /// What clients call a model, and where its requests go.
    #[derive(Debug)]
    struct Routing {
        /// What clients say, or a pattern with `*`. An exact alias wins over the longest one with a star at its end,
        /// that over any other pattern, and that over `*`.
        alias: Option<Located<String>> as Option<Located<ModelName>> => required "what clients call the model, such as `alias = \"gpt-4o\"`",
        /// The adapter, where a target has a `url` of its own instead of a provider.
        adapter "type": Option<Located<String>> as Option<Located<Name>>,
        /// The provider, where the target names none.
        provider: Option<Located<String>> => "`default_provider`",
        /// Where requests go.
        target: Option<TargetDraft>,
        /// Several places. Instead of `target`.
        targets: Option<Targets>,
        /// How one of several targets is chosen.
        strategy: Option<Strategy> => "\"weighted\" where a target has a weight, else \"priority\"",
        /// Models that are tried when every target failed.
        fallbacks: Vec<Located<String>>,
    }
}

part! {
    /// A model as clients name it (`[[models]]`), and where requests for it go.
    #[derive(Debug, Clone)]
    pub struct Model {
        /// Whether a request goes on to another target when a provider filtered its content.
        fallback_when_filtered: bool,
        /// Whether requests for embeddings may go to targets with another model than the first target's: vectors of
        /// different models cannot be compared.
        fallback_embeddings: bool,
        /// What keeps requests at one target as long as that is well, where the strategy leaves a choice: requests with
        /// the same value of that header, or of the same caller.
        affinity: Affinity => "`x-weir-session`, `x-session-id`",
        /// Asks the next target too when nothing has come for so long; the first answer counts, the other exchange is
        /// cancelled. Never without it.
        hedge: Option<Duration>,
        /// Whether a request for this model is refused where its translation would lose something.
        strict: Option<bool> => "as `[server]` has it",
        /// Exchanges at the same time; further ones wait in the `queue` of `[server]`. Not limited without it.
        max_concurrency: Option<usize> as Option<Amount>,
        /// What may be had of it; see `limits`.
        limits: Limits,
        /// What the model can do, where the bundled file does not know.
        capabilities: Capabilities,
        /// What the model costs, where the bundled file does not know.
        price: Option<Price>,
    } beside {
        /// What clients say.
        alias: Alias = Alias::Any,
        /// Where requests go; never empty.
        targets: Vec<Target> = Vec::new(),
        /// How one of them is chosen.
        strategy: Strategy = Strategy::default(),
        /// Aliases that are tried when every target failed. Each is one that [`crate::Aliases::lookup`] finds.
        fallbacks: Vec<String> = Vec::new(),
        /// The alias in the file.
        place: Place = Place::Unset,
    }
}

part! {
    /// What a model's targets take from it.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Inherited {
        /// Whether a request that failed may go elsewhere.
        enable_fallback: Option<bool> => "as the provider",
        /// Whether a streamed answer of text that breaks off by a provider's fault is gone on with by the next target.
        /// Streams for this model are translated even where they could be relayed.
        resume: bool,
        /// Whether even requests that could be relayed untouched are translated.
        translate: Option<bool> => "as the provider",
        /// How the tokens of relayed streams are counted.
        metering "usage": Option<Metering> => "as the provider",
        /// Time limits.
        timeouts: TimeoutsDraft => "as the provider",
        /// How often a failed attempt is repeated.
        retry: RetryDraft => "as the provider",
    }
}

joined! {
    /// A name that clients may ask for, and where such requests go.
    MODEL = "[[models]]": Routing::KEYS, Inherited::KEYS, Model::KEYS;
}

impl Model {
    /// The first target: there is always one.
    pub fn first(&self) -> Option<&Target> {
        self.targets.first()
    }
}

/// A model as it was written.
#[derive(Debug)]
pub(crate) struct ModelDraft {
    pub(crate) alias: Located<String>,
    pub(crate) adapter: Option<Located<String>>,
    pub(crate) provider: Option<Located<String>>,
    /// Empty where the model has neither `target` nor `targets`.
    pub(crate) targets: Vec<TargetDraft>,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) fallbacks: Vec<Located<String>>,
    pub(crate) inherited: Inherited,
    /// Everything that needs no joining.
    pub(crate) model: Model,
    /// The table.
    pub(crate) place: Place,
}

take_table!(ModelDraft, MODEL, by ModelDraft::of_table);

impl ModelDraft {
    fn of_table(section: &mut Section<'_>) -> Option<Self> {
        let routing = Routing::read(section, Routing::default());
        let inherited = Inherited::read(section, Inherited::default());
        let model = Model::read(section, Model::default());
        let targets = both_targets(section, routing.target, routing.targets);
        let place = section.place.clone();
        Some(Self {
            alias: routing.alias?,
            adapter: routing.adapter,
            provider: routing.provider,
            targets,
            strategy: routing.strategy,
            fallbacks: routing.fallbacks,
            inherited,
            model,
            place,
        })
    }
}

/// `target`, or `targets`.
fn both_targets(section: &Section<'_>, one: Option<TargetDraft>, several: Option<Targets>) -> Vec<TargetDraft> {
    let Some(several) = several else { return one.into_iter().collect() };
    if one.is_some() {
        let message = "both `target` and `targets` are given";
        section.error(&several.key, message, "put all of them into `targets`");
    }
    several.list.into_iter().chain(one).collect()
}

/// Several targets, and where their key stands.
#[derive(Debug)]
struct Targets {
    key: Place,
    list: Vec<TargetDraft>,
}

impl Take for Targets {
    type Value = Self;
    const TAKES: &'static str = TargetDraft::LIST;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let list = Located::<Vec<TargetDraft>>::take(entry, node)?;
        if list.value.is_empty() {
            entry.error(&list.place, format!("`{}` must not be empty", entry.name));
        }
        Some(Self { key: entry.key.clone(), list: list.value })
    }

    fn example() -> String {
        Vec::<TargetDraft>::example()
    }
}

/// What clients say, or a pattern.
#[derive(Debug)]
struct ModelName;

impl Take for ModelName {
    type Value = String;
    const TAKES: &'static str = String::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<String> {
        let text = Located::<String>::take(entry, node)?;
        if text.value.len() <= LONGEST_ALIAS && !text.value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Some(text.value);
        }
        let help = format!("at most {LONGEST_ALIAS} bytes, `*` standing for any text");
        entry.error_with(&text.place, "an alias holds no white space or control characters", help);
        None
    }

    fn example() -> String {
        Alias::example()
    }
}

impl Take for Affinity {
    type Value = Self;
    const TAKES: &'static str = "a header's name, \"tenant\"";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        if text.value == "tenant" {
            return Some(Self::Tenant);
        }
        if let Ok(name) = http::HeaderName::try_from(text.value.trim()) {
            return Some(Self::Header(name.as_str().to_owned()));
        }
        let message = format!("`{}` is neither `tenant` nor the name of a header", entry.name);
        entry.error_with(&text.place, message, "such as `affinity = \"x-session-id\"`");
        None
    }

    fn example() -> String {
        "\"tenant\"".to_owned()
    }
}

/// Tokens that a model takes.
type Tokens = Count<u64, 1, 0xffff_ffff>;

section! {
    /// What a model can do. What is left out is unknown.
    CAPABILITIES = "capabilities = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Capabilities {
        /// Takes images.
        vision: Option<bool>,
        /// Calls tools.
        tools: Option<bool>,
        /// Takes or makes sound.
        audio: Option<bool>,
        /// Takes documents.
        documents: Option<bool>,
        /// Answers in the shape of a schema.
        schema: Option<bool>,
        /// Thinks before it answers.
        reasoning: Option<bool>,
        /// Tokens of request and answer together.
        context: Option<u64> as Option<Tokens>,
        /// Tokens of an answer.
        output: Option<u64> as Option<Tokens>,
    }
}

section! {
    /// US dollars for a million tokens.
    PRICE = "price = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Price {
        /// Input that no cache served.
        input: Option<f64>,
        /// Visible output.
        output: Option<f64>,
        /// Input read from a cache.
        cache_read: Option<f64>,
        /// Input written to a cache.
        cache_write: Option<f64>,
        /// Reasoning.
        reasoning: Option<f64> => "as `output`",
    }
}

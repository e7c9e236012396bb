//! `[[models]]`: the names that clients use, and their targets.

use std::time::Duration;

use super::{Limits, RetryDraft, SemanticCache, TargetDraft, TimeoutsDraft};
use crate::model::{Affinity, Strategy, Target};
use crate::provider::Metering;
use crate::raw::Node;
use crate::section::{Amount, Count, Entry, Located, Name, Section, Take, joined, part, section, take_table};
use crate::{Alias, Place};

/// The most bytes of an alias; no provider has longer names.
const MAX_ALIAS_LEN: usize = 256;

part! {
    /// The name that clients use for a model, and the targets of its requests.
    #[derive(Debug)]
    struct Routing {
        /// The name that clients use, or a pattern with `*`. An exact alias goes before the longest alias with a star
        /// at its end, that before any other pattern, and that before `*`.
        alias: Option<Located<String>> as Option<Located<ModelName>> => required "what clients call the model, such as `alias = \"gpt-4o\"`",
        /// The adapter of targets that have their own `url` instead of a provider.
        adapter "type": Option<Located<String>> as Option<Located<Name>>,
        /// The provider of targets that name none.
        provider: Option<Located<String>> => "`default_provider`",
        /// Where requests go.
        target: Option<TargetDraft>,
        /// Several targets, instead of `target`.
        targets: Option<Targets>,
        /// How one of several targets is chosen.
        strategy: Option<Strategy> => "\"weighted\" where a target has a weight, else \"priority\"",
        /// Models to try when every target has failed.
        fallbacks: Vec<Located<String>>,
    }
}

part! {
    /// A model under the name that clients use (`[[models]]`), and the targets of its requests.
    #[derive(Debug, Clone)]
    pub struct Model {
        /// Whether a request goes on to another target when a provider has filtered its content.
        fallback_when_filtered: bool,
        /// Whether requests for embeddings may go to targets whose model differs from the first target's: vectors of
        /// different models cannot be compared.
        fallback_embeddings: bool,
        /// What keeps requests at the same target while it is healthy, if the strategy leaves a choice: the same value
        /// of this header, or the same client.
        affinity: Affinity => "`x-weir-session`, `x-session-id`",
        /// The time without an answer after which the next target is asked too. The first answer counts; the other
        /// exchange is cancelled. Off if unset.
        hedge: Option<Duration>,
        /// How long a complete answer is kept for equal requests of the same caller, which then cost nothing. Off if
        /// unset. See `docs/cache.md`.
        cache: Option<Duration>,
        /// Kept answers for questions that mean the same; see `semantic_cache`. It needs `cache`.
        semantic_cache: Option<SemanticCache>,
        /// Whether a request for this model is refused if its translation would lose something.
        strict: Option<bool> => "as `[server]` has it",
        /// Concurrent exchanges; further ones wait in the `queue` of `[server]`. No limit if unset.
        max_concurrency: Option<usize> as Option<Amount>,
        /// Limits of the model; see `limits`.
        limits: Limits,
        /// What the model can do. Each key overrides the bundled file.
        capabilities: Capabilities,
        /// What the model costs. If the model has one target, this overrides the bundled file; if it has several, it is
        /// used for targets whose price the bundled file does not know.
        price: Option<Price>,
    } beside {
        /// The name or pattern that clients use.
        alias: Alias = Alias::Any,
        /// The targets of its requests; never empty.
        targets: Vec<Target> = Vec::new(),
        /// How one of them is chosen.
        strategy: Strategy = Strategy::default(),
        /// Aliases to try when every target has failed. [`crate::Aliases::lookup`] finds each of them.
        fallbacks: Vec<String> = Vec::new(),
        /// Where the alias stands in the file.
        place: Place = Place::Unset,
    }
}

part! {
    /// Settings that a model's targets inherit.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Inherited {
        /// Whether a failed request may go to another target.
        enable_fallback: Option<bool> => "as the provider",
        /// Whether the next target continues a streamed text answer that breaks off because the provider failed.
        /// Streams for this model are then translated even if they could be relayed.
        resume: bool,
        /// Whether requests are translated even if they could be relayed unchanged.
        translate: Option<bool> => "as the provider",
        /// How the tokens of relayed streams are counted.
        metering "usage": Option<Metering> => "as the provider",
        /// Time limits.
        timeouts: TimeoutsDraft => "as the provider",
        /// How failed attempts are retried.
        retry: RetryDraft => "as the provider",
    }
}

joined! {
    /// A name that clients may request, and the targets of such requests.
    MODEL = "[[models]]": Routing::KEYS, Inherited::KEYS, Model::KEYS;
}

impl Model {
    /// The first target: there is always one.
    pub fn first(&self) -> Option<&Target> {
        self.targets.first()
    }
}

/// A model as written in the file, before it is joined with providers.
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
    /// The settings that refer to nothing else.
    pub(crate) model: Model,
    /// Where the table stands.
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

/// The targets from `target` or `targets`; reports a mistake if both are given.
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

/// The name that clients use, or a pattern.
#[derive(Debug)]
struct ModelName;

impl Take for ModelName {
    type Value = String;
    const TAKES: &'static str = String::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<String> {
        let text = Located::<String>::take(entry, node)?;
        if text.value.len() <= MAX_ALIAS_LEN && !text.value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Some(text.value);
        }
        let help = format!("at most {MAX_ALIAS_LEN} bytes, `*` standing for any text");
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

/// A number of tokens.
type Tokens = Count<u64, 1, 0xffff_ffff>;

section! {
    /// What a model can do. A key left out means unknown.
    CAPABILITIES = "capabilities = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Capabilities {
        /// Accepts images.
        vision: Option<bool>,
        /// Calls tools.
        tools: Option<bool>,
        /// Accepts or produces audio.
        audio: Option<bool>,
        /// Accepts documents.
        documents: Option<bool>,
        /// Answers according to a schema.
        schema: Option<bool>,
        /// Reasons before it answers.
        reasoning: Option<bool>,
        /// The most tokens of request and answer together.
        context: Option<u64> as Option<Tokens>,
        /// The most tokens of an answer.
        output: Option<u64> as Option<Tokens>,
    }
}

section! {
    /// Prices in US dollars per million tokens.
    PRICE = "price = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Price {
        /// Uncached input.
        input: Option<f64>,
        /// Visible output.
        output: Option<f64>,
        /// Input read from a cache.
        cache_read: Option<f64>,
        /// Input written to a cache.
        cache_write: Option<f64>,
        /// Reasoning tokens.
        reasoning: Option<f64> => "as `output`",
    }
}

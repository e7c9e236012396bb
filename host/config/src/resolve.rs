//! Resolves references: models to providers, fallbacks to models, everything else to the default provider.

mod anonymous;

use std::collections::HashMap;
use std::sync::Arc;

use super::alias::{Alias, Aliases};
use super::client::Clients;
use super::environment::provider_key_variable;
use super::keys::{Client, Inherited, Model, ModelDraft, Provider, TargetDraft};
use super::model::{Strategy, Target};
use super::options::Options;
use super::section::{Located, Reader};
use super::{Place, Problem, Severity, Source, suggest};

/// The resolved providers, models and clients.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) providers: Vec<Arc<Provider>>,
    pub(super) models: Aliases,
    pub(super) clients: Clients,
    pub(super) default_provider: Option<String>,
    pub(super) discover: bool,
    /// The names of all models of the file, also of those that a mistake leaves out.
    pub(super) written: Vec<Alias>,
}

/// Providers and models as they were written, and the context to join them.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) source: &'a Source,
    pub(super) providers: Vec<Provider>,
    pub(super) models: Vec<ModelDraft>,
    pub(super) clients: Vec<Client>,
    pub(super) default_provider: Option<Located<String>>,
    /// Variables with keys for providers that the file does not name.
    pub(super) unnamed_keys: Vec<String>,
}

/// Resolves all references; mistakes go to the reader.
pub(super) fn join(reader: &Reader<'_>, parts: Parts<'_>) -> Joined {
    let discover = parts.providers.is_empty() && parts.models.is_empty();
    let mut joiner = Joiner { reader, source: parts.source, providers: Vec::new(), named: HashMap::new() };
    joiner.take_named(parts.providers);
    let default_name = parts.default_provider.as_ref();
    let drafts = joiner.without_repetitions(parts.models);
    let mut models: Vec<Arc<Model>> =
        drafts.iter().filter_map(|draft| joiner.model(draft, default_name)).map(Arc::new).collect();
    let default = if discover { None } else { default_name.and_then(|name| joiner.default_provider(name)) };
    if let Some(default) = &default
        && !models.iter().any(|model| model.alias == Alias::Any)
    {
        models.push(Arc::new(everything_to(default)));
    }
    let models = Aliases::new(models);
    let clients = joiner.clients(parts.clients);
    joiner.check_fallbacks(&drafts, &models);
    joiner.check_semantic_caches(&drafts, &models);
    joiner.warn_of_unused(&models);
    if !discover {
        joiner.warn_of_keys(&parts.unnamed_keys);
    }
    let default_provider = parts.default_provider.map(|name| name.value);
    let written = drafts.iter().map(|draft| Alias::parse(&draft.alias.value)).collect();
    Joined { providers: joiner.providers, models, clients, default_provider, discover, written }
}

/// The model that routes all other names to a provider.
pub(super) fn everything_to(provider: &Arc<Provider>) -> Model {
    served_by(provider, Alias::Any)
}

/// A model that a provider serves under the name that the client used.
pub(super) fn served_by(provider: &Arc<Provider>, alias: Alias) -> Model {
    let draft = TargetDraft::default();
    Model {
        alias,
        targets: vec![target(&draft, Inherited::default(), Arc::clone(provider))],
        place: provider.places.name.clone(),
        ..Model::default()
    }
}

/// The target's own setting takes precedence over the model's, and that over the provider's.
fn target(draft: &TargetDraft, model: Inherited, provider: Arc<Provider>) -> Target {
    let format = draft.format.as_ref();
    // A provider made for this target already has the target's options.
    let options = if draft.options.values.is_empty() || provider.options.place == draft.options.place {
        provider.options.clone()
    } else {
        Options::overlaid(&provider.options, &draft.options)
    };
    Target {
        model: draft.model.clone(),
        format: format.map(|format| format.value.clone()).or_else(|| provider.format.clone()),
        format_place: format.map_or(&provider.places.format, |format| &format.place).or(&draft.place),
        translate: draft.translate.or(model.translate).unwrap_or(provider.translate),
        metering: draft.metering.or(model.metering).unwrap_or(provider.metering),
        options,
        weight: draft.weight.unwrap_or(1),
        price: draft.price,
        timeouts: model.timeouts.over(provider.timeouts),
        retry: model.retry.over(provider.retry),
        enable_fallback: model.enable_fallback.unwrap_or(provider.enable_fallback),
        resume: model.resume,
        place: draft.place.or(&provider.places.name),
        provider,
    }
}

impl Target {
    /// The target of requests to a provider that name no model of the configuration.
    pub fn of(provider: &Arc<Provider>) -> Self {
        target(&TargetDraft::default(), Inherited::default(), Arc::clone(provider))
    }
}

struct Joiner<'a> {
    reader: &'a Reader<'a>,
    source: &'a Source,
    /// Named providers first, then those made for targets.
    providers: Vec<Arc<Provider>>,
    named: HashMap<String, Arc<Provider>>,
}

impl Joiner<'_> {
    /// The clients; reports a name or a key that occurs twice.
    fn clients(&self, clients: Vec<Client>) -> Clients {
        // A file may have a hundred thousand of them.
        let (mut by_name, mut by_key) = (HashMap::new(), HashMap::new());
        for client in &clients {
            let first: &Client = by_name.entry(&client.name).or_insert(client);
            if !std::ptr::eq(first, client) {
                let message = format!("the client `{}` is there twice", client.name);
                self.report(&client.place, message, self.first_is_at(&first.place));
            }
            let owners = client.keys.iter().map(|key| *by_key.entry(key).or_insert(client));
            let others: Vec<&Client> = owners.filter(|owner| owner.name != client.name).collect();
            if let Some(other) = others.first() {
                let message = format!("the clients `{}` and `{}` have the same key", other.name, client.name);
                self.report(&client.place, message, "a key identifies a client: give each its own");
            }
        }
        Clients::new(clients.into_iter().map(Arc::new).collect())
    }

    /// Reports a missing name, unless it may be in a part of the file that could not be read.
    fn report_missing(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        if !self.reader.incomplete {
            self.report(place, message, help);
        }
    }

    fn report(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.reader.report(Problem::error(place, message).with_help(help));
    }

    fn first_is_at(&self, place: &Place) -> String {
        match place {
            Place::File(span) => format!("the first is on line {}", self.source.position(span.start).0),
            Place::Variable(name) => format!("the first comes from {name}"),
            Place::Unset => String::new(),
        }
    }

    fn take_named(&mut self, providers: Vec<Provider>) {
        for provider in providers {
            if let Some(first) = self.named.get(&provider.name) {
                let help = self.first_is_at(&first.places.name);
                self.report(&provider.places.name, format!("two providers are called `{}`", provider.name), help);
                continue;
            }
            let provider = Arc::new(provider);
            self.named.insert(provider.name.clone(), Arc::clone(&provider));
            self.providers.push(provider);
        }
    }

    fn without_repetitions(&self, drafts: Vec<ModelDraft>) -> Vec<ModelDraft> {
        let mut seen: HashMap<String, Place> = HashMap::new();
        let mut kept = Vec::with_capacity(drafts.len());
        for draft in drafts {
            if let Some(first) = seen.get(&draft.alias.value) {
                let help =
                    format!("{}; several targets of one alias stand in `targets = [...]`", self.first_is_at(first));
                self.report(&draft.alias.place, format!("two models have the alias `{}`", draft.alias.value), help);
                continue;
            }
            seen.insert(draft.alias.value.clone(), draft.alias.place.clone());
            kept.push(draft);
        }
        kept
    }

    fn model(&mut self, draft: &ModelDraft, default: Option<&Located<String>>) -> Option<Model> {
        let alias = Alias::parse(&draft.alias.value);
        let whole = [TargetDraft { place: draft.place.clone(), ..TargetDraft::default() }];
        let drafts = if draft.targets.is_empty() { whole.as_slice() } else { draft.targets.as_slice() };
        let mut targets = Vec::with_capacity(drafts.len());
        for part in drafts {
            if let Some(provider) = self.provider_of(draft, part, default) {
                targets.push(target(part, draft.inherited, provider));
            }
        }
        // The missing value has already been reported.
        if targets.is_empty() {
            return None;
        }
        let weighted = drafts.iter().any(|target| target.weight.is_some());
        Some(Model {
            alias,
            targets,
            strategy: draft.strategy.unwrap_or(if weighted { Strategy::Weighted } else { Strategy::Priority }),
            fallbacks: draft.fallbacks.iter().map(|name| name.value.clone()).collect(),
            place: draft.alias.place.clone(),
            ..draft.model.clone()
        })
    }

    /// The provider of a target: by name, made for its url, the model's, made for the model's adapter, the default.
    fn provider_of(
        &mut self,
        model: &ModelDraft,
        target: &TargetDraft,
        default: Option<&Located<String>>,
    ) -> Option<Arc<Provider>> {
        if let Some(name) = target.provider.as_ref().or(model.provider.as_ref().filter(|_| target.url.is_none())) {
            return self.named_for(model, target, name);
        }
        if let Some(name) = model.provider.as_ref().filter(|_| model.targets.len() == 1) {
            self.report(&name.place, "both `provider` and a `url` of the target's own are given", "keep one of them");
        }
        if let Some(adapter) = &model.adapter {
            return Some(self.anonymous(adapter, target));
        }
        if target.url.is_some() {
            self.report_missing(
                &target.place,
                "a target with a `url` needs the model's `type`",
                "`type` names the adapter, `type = \"NAME\"` for `plugins/NAME.wasm`",
            );
            return None;
        }
        let Some(name) = default else {
            let help = "give it a `provider`, or a `target` with a `url` together with a `type`";
            self.report_missing(&model.alias.place, format!("no target serves `{}`", model.alias.value), help);
            return None;
        };
        self.named_for(model, target, name)
    }

    fn named_for(&self, model: &ModelDraft, target: &TargetDraft, name: &Located<String>) -> Option<Arc<Provider>> {
        if target.url.is_some() {
            self.report(&target.place, "both `provider` and `url` are given", "keep one of them");
        }
        if target.key.is_some() {
            let help = format!("put the key into `[[providers]]` with the name `{}`", name.value);
            self.report(&target.place, "a target with a provider has no `api_key` of its own", help);
        }
        let provider = self.by_name(name)?;
        // The missing adapter has already been reported.
        let mismatch = |adapter: &&Located<String>| !provider.adapter.is_empty() && adapter.value != provider.adapter;
        if let Some(adapter) = model.adapter.as_ref().filter(mismatch) {
            let message =
                format!("`type` is `{}`, but the provider's adapter is `{}`", adapter.value, provider.adapter);
            self.report(&adapter.place, message, "leave `type` out where a provider is named");
        }
        Some(provider)
    }

    fn by_name(&self, name: &Located<String>) -> Option<Arc<Provider>> {
        let found = self.named.get(&name.value).cloned();
        if found.is_none() {
            let known = suggest::among(&name.value, self.providers.iter().map(|provider| provider.name.as_str()));
            let help = known.unwrap_or_else(|| "`[[providers]]` lists providers".to_owned());
            self.report_missing(&name.place, format!("no provider is called `{}`", name.value), help);
        }
        found
    }

    /// The default provider may also be one made for a target, or a well-known one whose key is set.
    fn default_provider(&mut self, name: &Located<String>) -> Option<Arc<Provider>> {
        if let Some(provider) = self.providers.iter().find(|provider| provider.name == name.value) {
            return Some(Arc::clone(provider));
        }
        let Some(key) = self.reader.environment.provider_key(&name.value) else { return self.by_name(name) };
        let mut provider = Provider::discovered(&name.value, &name.value, None, Some(key));
        provider.places.name = name.place.clone();
        provider.places.adapter = name.place.clone();
        let provider = Arc::new(provider);
        self.providers.push(Arc::clone(&provider));
        Some(provider)
    }

    fn check_fallbacks(&self, drafts: &[ModelDraft], models: &Aliases) {
        for (draft, fallback) in drafts.iter().flat_map(|draft| draft.fallbacks.iter().map(move |name| (draft, name))) {
            if fallback.value == draft.alias.value {
                self.report(&fallback.place, format!("`{}` falls back to itself", fallback.value), "leave it out");
                continue;
            }
            // A model that was left out because of its own mistake still exists in the file.
            let written = || drafts.iter().any(|other| Alias::parse(&other.alias.value).matches(&fallback.value));
            if models.lookup(&fallback.value).is_some() || written() {
                continue;
            }
            let aliases = drafts.iter().map(|other| other.alias.value.as_str());
            let help = suggest::among(&fallback.value, aliases).unwrap_or_default();
            self.report_missing(&fallback.place, format!("no alias matches the fallback `{}`", fallback.value), help);
        }
    }

    /// A semantic cache needs answers to keep, and a model that makes vectors.
    fn check_semantic_caches(&self, drafts: &[ModelDraft], models: &Aliases) {
        for draft in drafts {
            let Some(semantic) = &draft.model.semantic_cache else { continue };
            let (name, place) = (semantic.embeddings.as_str(), &semantic.place);
            if draft.model.cache.is_none() {
                let message = "`semantic_cache` needs `cache`: the model keeps no answers";
                self.report(place, message, "set `cache` of the model too, such as `cache = \"1h\"`");
            }
            let written = || drafts.iter().any(|other| Alias::parse(&other.alias.value).matches(name));
            if models.lookup(name).is_none() && !written() {
                let aliases = drafts.iter().map(|other| other.alias.value.as_str());
                let help = suggest::among(name, aliases).unwrap_or_default();
                self.report_missing(place, format!("no alias matches `{name}`, which is to make vectors"), help);
            }
        }
    }

    fn warn_of_unused(&self, models: &Aliases) {
        // After a mistake, a model that is referred to may have been left out.
        if self.reader.problems.borrow().iter().any(|problem| problem.severity == Severity::Error) {
            return;
        }
        for provider in self.named.values() {
            let used =
                models.iter().flat_map(|model| &model.targets).any(|target| Arc::ptr_eq(&target.provider, provider));
            if !used && provider.passthrough.is_empty() {
                let message = format!("no model refers to the provider `{}`", provider.name);
                let warning = Problem::warning(&provider.places.name, message);
                self.reader.report(warning.with_help("name it in `[[models]]`, or as `default_provider`"));
            }
        }
    }

    fn warn_of_keys(&self, variables: &[String]) {
        for variable in variables {
            let used = self.providers.iter().any(|provider| {
                provider_key_variable(&provider.name) == *variable
                    || provider_key_variable(&provider.adapter) == *variable
            });
            if !used {
                let known: Vec<String> =
                    self.providers.iter().map(|provider| provider_key_variable(&provider.name)).collect();
                let help = suggest::among(variable, known.iter().map(String::as_str)).unwrap_or_default();
                let warning = Problem::warning(&Place::Variable(variable.as_str().into()), "no provider has this name");
                self.reader.report(warning.with_help(help));
            }
        }
    }
}

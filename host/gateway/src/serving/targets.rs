//! Derives targets that can be attempted from configured ones.

use std::path::Path;
use std::sync::Arc;

use super::Compiled;
use super::credential::{Credentials, is_signed, missing_key, set_region, usual_region};
use super::url_template;
use super::urls::no_base;
use crate::model_catalog;
use crate::model_catalog::Facts;
use crate::pricing::{Prices, Pricing};
use crate::route::{Route, Routes, ShownNames, Target};
use weir_adapters::catalog::Snapshot;
use weir_config::{Address, Alias, Config, Environment, Model, Place, Price, Problem, Provider, Strategy, near_names};
use weir_ledger::{Budget, PriceBook, Subject};
use weir_sandbox::Adapter;
use weir_types::contract::types::Setting;
use weir_upstream::{AllowedOrigin, Base, Timeouts};

/// The routes of all models. A target that cannot be served has the reason in its place.
pub(super) fn routes(
    config: &Config,
    adapters: &Snapshot,
    known: &Compiled,
    prices: &Prices,
    problems: &mut Vec<Problem>,
) -> Routes {
    let problems = std::cell::RefCell::new(problems);
    let credentials = Credentials::new(&config.environment);
    let unpriced: std::cell::RefCell<Vec<weir_config::Target>> = std::cell::RefCell::default();
    let route = |model: &Model| {
        let targets = model.targets.iter().map(|target| {
            let facts = facts_of(model, target);
            if !is_priced(model, target, &facts) && !is_listed(&prices.book, model, target) {
                match model.strategy {
                    Strategy::Cheapest => problems.borrow_mut().push(comes_last(target)),
                    _ => unpriced.borrow_mut().push(target.clone()),
                }
            }
            let strict = model.strict.unwrap_or(config.server.strict);
            let of_model = ModelPart { strict, facts, before_star: before_star(model, target) };
            let made = make(target, of_model, adapters, known, &credentials);
            let made = made.map_err(|problem| telling_of_no_lock(problem, &config.plugins.lock));
            let made = made.map(|made| made.priced(&prices.book, set_price(model, target)));
            let warnings = made.as_ref().ok().map(|made| {
                let keyless = missing_key(target, &made.adapter, &config.environment);
                [keyless, no_base(&target.provider, &made.adapter, &config.environment)]
            });
            for problem in made.as_ref().err().into_iter().chain(warnings.iter().flatten().flatten()) {
                let known = problems.borrow().iter().any(|one| one.message == problem.message);
                if !known {
                    problems.borrow_mut().push(problem.clone());
                }
            }
            made.map(Arc::new)
        });
        Route::new(model, config.server.strict, targets.collect())
    };
    let routes = Routes::new(config.models.clone(), route);
    let missing = uncounted(&unpriced.borrow(), &config.budgets);
    problems.borrow_mut().extend(missing);
    routes
}

/// The part of the alias before the star, for a target with `model = "*"`, whose model is what the star matches.
fn before_star(model: &Model, target: &weir_config::Target) -> Option<Arc<str>> {
    match &model.alias {
        Alias::Prefix(prefix) if target.model.as_deref() == Some("*") => Some(Arc::from(prefix.as_str())),
        Alias::Any if target.model.as_deref() == Some("*") => Some(Arc::from("")),
        _ => None,
    }
}

/// What a target has from the model that it is a target of. The default is for a target of no model.
#[derive(Default)]
pub(super) struct ModelPart {
    strict: bool,
    facts: Facts,
    before_star: Option<Arc<str>>,
}

/// A target that can be attempted, with all of the provider's keys.
pub(super) fn make(
    target: &weir_config::Target,
    of_model: ModelPart,
    adapters: &Snapshot,
    known: &Compiled,
    credentials: &Credentials<'_>,
) -> Result<Target, Problem> {
    let ModelPart { strict, facts, before_star } = of_model;
    let provider = &target.provider;
    let adapter = adapters.adapters.get(provider.adapter.as_str()).filter(|adapter| adapter.guard.is_none());
    let adapter = adapter.ok_or_else(|| not_loaded(provider, adapters))?;
    check_format(target, adapter)?;
    let options =
        target.options.for_adapter().map(|(key, value)| Setting { key: key.clone(), json: value.to_string() });
    let base = base(provider, adapter)?;
    let model = target.model.as_deref().unwrap_or("*");
    let id = format!("{}/{model}", provider.name);
    let known = known.get(provider.adapter.as_str());
    let first = Target {
        id: Arc::from(id),
        label: Arc::from(provider.name.as_str()),
        provider: Arc::clone(provider),
        adapter: Arc::clone(adapter),
        accepts: known.map_or_else(|| Arc::from([]), |known| Arc::clone(&known.accepts)),
        read_headers: known.map(|known| Arc::clone(&known.read_headers)).unwrap_or_default(),
        limits: known.map(|known| Arc::clone(&known.limits)).unwrap_or_default(),
        credential: credentials.of(target, adapter, &base, 0)?,
        key: 0,
        spares: Vec::new(),
        base: base.clone(),
        model: target.model.clone().filter(|_| before_star.is_none()),
        before_star,
        format: target.format.clone(),
        translate: target.translate,
        strict,
        metering: target.metering,
        question: Arc::default(),
        options: options.collect(),
        shown: ShownNames::of([provider.name.as_str(), model, &*adapter.label]),
        timeouts: timeouts(&target.timeouts),
        capabilities: facts.capabilities,
        price: facts.price,
        region: credentials.price_region(target, adapter),
        pricing: Pricing::default(),
        weight: target.weight,
        retry: target.retry,
        enable_fallback: target.enable_fallback,
        resume: target.resume,
    };
    let spare = |key| {
        let credential = credentials.of(target, adapter, &base, key)?;
        Ok(Arc::new(Target { credential, key, ..first.clone() }))
    };
    let spares = (1..provider.keys.len()).map(spare).collect::<Result<_, Problem>>()?;
    Ok(Target { spares, ..first })
}

/// Refuses a format that the adapter does not have.
fn check_format(target: &weir_config::Target, adapter: &Adapter) -> Result<(), Problem> {
    let formats = &adapter.manifest.formats;
    let Some(format) = target.format.as_deref().filter(|format| !formats.iter().any(|known| known.id == **format))
    else {
        return Ok(());
    };
    let known: Vec<&str> = formats.iter().map(|format| format.id.as_str()).collect();
    let message = format!("the adapter `{}` has no format `{format}`", adapter.name);
    Err(Problem::error(&target.format_place, message).with_help(format!("it has {}", known.join(", "))))
}

/// The price that the configuration sets for a target.
fn set_price(model: &Model, target: &weir_config::Target) -> Option<Price> {
    let is_bundled = || {
        let name = target.model.as_deref().map_or_else(|| model.alias.to_string(), str::to_owned);
        model_catalog::of(&target.provider.adapter, &name).price.is_some()
    };
    target.price.or_else(|| model.price.filter(|_| model.targets.len() == 1 || !is_bundled()))
}

/// The facts of a target's model. The configuration takes precedence over the bundled file.
fn facts_of(model: &Model, target: &weir_config::Target) -> Facts {
    let name = target.model.as_deref().map_or_else(|| model.alias.to_string(), str::to_owned);
    let bundled = model_catalog::of(&target.provider.adapter, &name);
    Facts {
        capabilities: model_catalog::over(model.capabilities, bundled.capabilities),
        // The model's price does not apply to several targets, unless nothing better is known.
        price: target.price.or(model.price.filter(|_| model.targets.len() == 1)).or(bundled.price).or(model.price),
    }
}

/// Whether the price of a target is known. The bundled file knows the models of a pattern by their names.
fn is_priced(model: &Model, target: &weir_config::Target, facts: &Facts) -> bool {
    let is_open = matches!(target.model.as_deref(), None | Some("*")) && !matches!(model.alias, Alias::Exact(_));
    facts.price.is_some_and(|price| price.input.is_some())
        || is_open && model_catalog::has_prices(&target.provider.adapter)
}

/// Whether a price file or the store has any price of a target.
fn is_listed(book: &PriceBook, model: &Model, target: &weir_config::Target) -> bool {
    let name = target.model.as_deref().map_or_else(|| model.alias.to_string(), str::to_owned);
    let (provider, kind) = (&*target.provider.name, &*target.provider.adapter);
    book.knows(Subject { provider, kind, served: &name, asked: &name })
}

fn named(target: &weir_config::Target) -> String {
    format!("{}/{}", target.provider.name, target.model.as_deref().unwrap_or("*"))
}

/// Warns of an unknown price that the strategy depends on.
fn comes_last(target: &weir_config::Target) -> Problem {
    let name = target.model.as_deref().unwrap_or("the client's own");
    let message = format!("the price of the model `{name}` at `{}` is unknown: it comes last", target.provider.name);
    Problem::warning(&target.place, message).with_help(
        "`strategy = \"cheapest\"` goes by `price = { input = ..., output = ... }`, else by the prices in force",
    )
}

/// Warns of all unknown prices together, and of the budgets that refuse what has none.
fn uncounted(targets: &[weir_config::Target], budgets: &[Budget]) -> Option<Problem> {
    const SHOWN: usize = 8;
    let first = targets.first()?;
    let mut names: Vec<String> = targets.iter().map(named).collect();
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let refusing: Vec<String> = budgets.iter().filter(|budget| budget.refuses_unpriced()).map(quoted).collect();
    let follows = match refusing.as_slice() {
        [] if names.len() == 1 => "the cost of requests to it is not counted".to_owned(),
        [] => "the cost of requests to them is not counted".to_owned(),
        [one] => format!("the budget {one} refuses requests for them where it applies"),
        several => format!("the budgets {} refuse requests for them where they apply", several.join(", ")),
    };
    let message = format!("no price is known for {}{more}: {follows}", names.join(", "));
    let help = if refusing.is_empty() {
        "set `price = { input = ..., output = ... }` in dollars for a million tokens; 0 where it is free"
    } else {
        "set `price = { input = ..., output = ... }` in dollars for a million tokens, 0 where it is free; or `unpriced` \
         in the budget"
    };
    Some(Problem::warning(&first.place, message).with_help(help))
}

fn quoted(budget: &Budget) -> String {
    format!("`{}`", budget.name)
}

/// Warns of configured health checks that are not possible.
pub(super) fn unchecked(routes: &Routes, problems: &mut Vec<Problem>) {
    for target in routes.iter().flat_map(|(_, route)| route.targets.iter().flatten()) {
        let Some(check) = target.provider.check.as_ref().filter(|_| !target.can_be_checked()) else { continue };
        let (lacks, help) = match check.model {
            Some(_) => ("chat", "leave `check` out: its requests show how the provider is"),
            None => ("list of models", "name a `model` in `check`, which is then asked for one token"),
        };
        let message = format!("the adapter `{}` knows no {lacks}: nothing is checked", target.adapter.name);
        let problem = Problem::warning(&target.provider.places.name, message);
        if problems.iter().all(|known| known.message != problem.message) {
            problems.push(problem.with_help(help));
        }
    }
}

pub(super) fn not_loaded(provider: &Provider, adapters: &Snapshot) -> Problem {
    let name = &provider.adapter;
    if let Some(refusal) = adapters.refused.get(name.as_str()) {
        // The reason names the remedy. The reason of a missing file would send its reader to the wrong place.
        let reason = format!("the adapter `{name}` was refused: {}", refusal.reason);
        return Problem::error(&provider.places.adapter, reason);
    }
    let reason = if adapters.adapters.contains_key(name.as_str()) {
        format!("`{name}` is a guard and no adapter")
    } else {
        format!("there is no adapter `{name}`")
    };
    let of_providers = adapters.adapters.values().filter(|adapter| adapter.guard.is_none());
    let loaded: Vec<&str> = of_providers.map(|adapter| &*adapter.name).collect();
    let help = if loaded.is_empty() {
        "no adapter is loaded: `cargo xtask plugins` builds the bundled ones, `plugins.dir` names their folder"
            .to_owned()
    } else {
        let meant = near_names(name, loaded.iter().copied()).first().map(|near| format!("did you mean `{near}`? "));
        format!("{}loaded are {}", meant.unwrap_or_default(), loaded.join(", "))
    };
    Problem::error(&provider.places.adapter, reason).with_help(help)
}

/// What helps a provider without a url.
const NO_URL: &str = "set `url`; adapters' own suggestions are taken only if their digest is in the lock file";

/// Adds that there is no lock file to the help that sends its reader there.
fn telling_of_no_lock(problem: Problem, lock: &Path) -> Problem {
    if problem.help.as_deref() != Some(NO_URL) || lock.exists() {
        return problem;
    }
    let lock = lock.display();
    problem.with_help(format!(
        "{NO_URL}, and {lock} does not exist: it belongs beside the configuration or the plugins folder"
    ))
}

/// The provider's url with the origins that follow-ups may go to: the configured ones, and those that a trusted
/// adapter suggests, which never get the credential.
fn base(provider: &Provider, adapter: &Adapter) -> Result<Base, Problem> {
    let Some(address) = &provider.address else {
        let message = format!("the provider `{}` has no url", provider.name);
        return Err(Problem::error(&provider.places.name, message).with_help(NO_URL));
    };
    let configured = provider.allow_origins.iter();
    let configured = configured.map(|one| AllowedOrigin { origin: one.origin.to_string(), credential: one.credential });
    // The first of two equal origins decides.
    let suggested = adapter.manifest.suggests.origins.iter().filter(|_| adapter.trusted);
    let suggested = suggested.map(|origin| AllowedOrigin { origin: origin.clone(), credential: false });
    let allowed: Vec<AllowedOrigin> = configured.chain(suggested).collect();
    Base::open(&address.to_string(), &allowed, provider.http2)
        .map_err(|error| Problem::error(&provider.places.url, error.to_string()))
}

fn timeouts(timeouts: &weir_config::Timeouts) -> Timeouts {
    Timeouts {
        connect: timeouts.connect,
        first_byte: timeouts.first_byte,
        idle: timeouts.idle,
        total: timeouts.total,
        ..Timeouts::default()
    }
}

/// The url that an adapter suggests, with its placeholders filled from the provider's settings and the environment.
pub(super) fn suggested_address(adapter: &Adapter, provider: &Provider, environment: &Environment) -> Option<Address> {
    let usual = is_signed(adapter).then(|| usual_region(environment));
    let region = set_region(provider, &provider.options).or(usual.as_deref());
    let url = url_template::filled(adapter.manifest.suggests.url.as_deref()?, |placeholder| match placeholder {
        "region" => region,
        placeholder => match (placeholder.strip_prefix("option."), placeholder.strip_prefix("env.")) {
            (Some(name), _) => provider.options.text(name),
            // Such variables are written with and without a trailing slash.
            (_, name) => environment.get(name?).map(|url| url.trim().trim_end_matches('/')),
        },
    })?;
    Address::parse(&url, Path::new("")).ok()
}

/// Adds a provider for an adapter whose usual key variable is set.
pub(super) fn discover(config: &mut Config, adapter: &Adapter) {
    let suggests = &adapter.manifest.suggests;
    let variable = config.environment.key_variable(&adapter.name, &suggests.key_variables);
    let Some(key) = variable.and_then(|name| config.environment.secret(&name)) else { return };
    let mut provider = Provider::discovered(adapter.name.as_ref(), adapter.name.as_ref(), None, Some(key));
    provider.address = suggested_address(adapter, &provider, &config.environment);
    config.add_discovered(provider, &suggests.models);
}

/// Providers whose usual key variables are set, and which are not served without a configuration: an adapter that is
/// not pinned would say where the key goes.
pub(super) fn undiscovered(config: &Config, adapters: &Snapshot) -> Vec<Problem> {
    let unpinned = adapters.adapters.values().filter(|adapter| config.discover && !adapter.trusted);
    let left_out = unpinned.filter_map(|adapter| {
        let variable = config.environment.key_variable(&adapter.name, &adapter.manifest.suggests.key_variables)?;
        let message = format!("`{}` is not served: nothing pins its adapter in the lock file", adapter.name);
        let file = config.plugins.dir.join(format!("{}.wasm", adapter.name));
        let help = format!("`weir plugin install {}` pins it, `weir init` writes a configuration", file.display());
        Some(Problem::warning(&Place::Variable(variable.into()), message).with_help(help))
    });
    left_out.collect()
}

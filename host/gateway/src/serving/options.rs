//! Checks the options of providers, targets and guards against what their adapters say they take.

use std::sync::Arc;

use weir_adapters::catalog::Snapshot;
use weir_config::{Config, OptionRules, Options, Problem};
use weir_sandbox::Adapter;
use weir_types::contract::about::{AuthScheme, Manifest};

/// Options that the host reads itself, whether or not the schema of an adapter lists them.
const OF_HOST: [&str; 3] = ["region", "token_url", "location"];

/// Whether options are all that an adapter gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// They are: a required option that is missing is a mistake.
    Whole,
    /// Others may be added, such as by a target to those of its provider.
    Part,
}

/// The mistakes in options, each with its place. Options for adapters that are not loaded are not checked, nor those of
/// guards that are services.
pub fn option_mistakes(config: &Config, adapters: &Snapshot) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut check = |options: &Options, adapter: &Adapter, extent: Extent| {
        if options.values.is_empty() && extent == Extent::Part {
            return;
        }
        for problem in mistakes(options, adapter, extent) {
            // Targets repeat the options of their provider.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    };
    let is_adapter = |one: &&Arc<Adapter>| one.guard.is_none();
    let is_guard = |one: &&Arc<Adapter>| one.guard.is_some();
    for provider in &config.providers {
        if let Some(adapter) = adapters.adapters.get(provider.adapter.as_str()).filter(is_adapter) {
            check(&provider.options, adapter, Extent::Part);
        }
    }
    for target in config.models.iter().flat_map(|model| &model.targets) {
        if let Some(adapter) = adapters.adapters.get(target.provider.adapter.as_str()).filter(is_adapter) {
            check(&target.options, adapter, Extent::Whole);
        }
    }
    for guard in config.guards.iter().filter(|guard| guard.webhook.is_none()) {
        if let Some(component) = adapters.adapters.get(guard.plugin()).filter(is_guard) {
            let place = guard.options.place.or(&guard.place);
            let mut options = guard.options.clone();
            options.place = place;
            check(&options, component, Extent::Whole);
        }
    }
    problems
}

/// The mistakes in options that a command gives an adapter, as far as they go.
pub(crate) fn given_option_mistakes(options: &Options, adapter: &Adapter) -> Vec<Problem> {
    mistakes(options, adapter, Extent::Part)
}

/// The mistakes in options of one adapter or guard.
fn mistakes(options: &Options, adapter: &Adapter, extent: Extent) -> Vec<Problem> {
    let kind = if adapter.guard.is_some() { "guard" } else { "adapter" };
    let owner = format!("the {kind} `{}`", adapter.name);
    let placeholders = placeholders(&adapter.manifest);
    let host: Vec<&str> = OF_HOST.into_iter().chain(placeholders.iter().map(String::as_str)).collect();
    let whole = extent == Extent::Whole;
    options.mistakes(OptionRules { owner: &owner, schema: &adapter.manifest.settings, host: &host, whole })
}

/// The options that a manifest names in placeholders, `{option.NAME}`: a schema need not repeat them.
fn placeholders(manifest: &Manifest) -> Vec<String> {
    let of_accepts = manifest.accepts.iter().flat_map(|accept| {
        let headers = accept.set_headers.iter().map(|header| &header.value);
        let queries = accept.query.iter().map(|query| &query.value);
        [&accept.path].into_iter().chain(&accept.stream_path).chain(headers).chain(queries)
    });
    let of_auth = manifest.auth.iter().filter_map(|auth| match &auth.scheme {
        AuthScheme::Oauth2ClientCredentials(oauth) | AuthScheme::ServiceAccount(oauth) => Some(&oauth.token_url),
        _ => None,
    });
    let texts = manifest.suggests.url.iter().chain(of_accepts).chain(of_auth);
    let names = texts.flat_map(|text| text.split("{option.").skip(1).filter_map(|rest| rest.split_once('}')));
    let mut names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

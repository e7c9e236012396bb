//! Converts deployments to models, with the common settings of `router_settings` and `litellm_settings`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::super::{Draft, Entry};
use super::members;
use super::model::{Deployment, STREAM_TIMEOUT, duration, retry, seconds, timeouts};
use super::prefixes::Prefixes;

/// Settings that apply to all models.
#[derive(Debug, Default)]
struct Settings {
    strategy: Option<String>,
    retries: Option<u64>,
    timeout: Option<f64>,
    stream_timeout: Option<f64>,
    /// Fallbacks by model; those of the empty name apply to all models.
    fallbacks: BTreeMap<String, Vec<String>>,
    /// Fallbacks for errors of one kind only, which are appended to the ordinary ones.
    special: BTreeMap<String, Vec<String>>,
    /// Other names of models.
    aliases: Vec<(String, String)>,
    /// How long a failing deployment is not used, in seconds.
    cooldown: Option<f64>,
}

/// Adds the models to the draft.
pub(super) fn models(file: &Json, deployments: Vec<Deployment>, prefixes: &Prefixes, draft: &mut Draft) {
    let settings = settings(file, prefixes, draft);
    if let Some(seconds) = settings.cooldown {
        let breaker = Table::from_iter([("open".to_owned(), duration(seconds))]);
        draft.providers.iter_mut().for_each(|provider| provider.set("breaker", breaker.clone()));
    }
    let mut names: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, Vec<Deployment>> = BTreeMap::new();
    for deployment in deployments {
        if !names.contains(&deployment.alias) {
            names.push(deployment.alias.clone());
        }
        groups.entry(deployment.alias.clone()).or_default().push(deployment);
    }
    // Fallbacks may name a model by an alias.
    let aliases = settings.aliases.iter().filter(|(_, of)| names.contains(of)).map(|(other, _)| other.clone());
    let known: Vec<String> = names.iter().cloned().chain(aliases).collect();
    settings.note_unknown(&names, &known, draft);
    for name in &names {
        let Some(group) = groups.remove(name) else { continue };
        let entry = model(name, group, &settings, &known);
        note_star(name, &entry, draft);
        for (other, _) in settings.aliases.iter().filter(|(_, of)| of == name) {
            let mut copy = entry.clone();
            copy.set("alias", other.as_str());
            draft.models.push(copy);
        }
        draft.models.push(entry);
    }
}

fn model(name: &str, mut group: Vec<Deployment>, settings: &Settings, names: &[String]) -> Entry {
    let mut entry = Entry::default();
    entry.set("alias", name);
    let ordered = group.iter().any(|deployment| deployment.order.is_some());
    // The sort is stable, so deployments of equal order keep that of the file.
    group.sort_by_key(|deployment| deployment.order.unwrap_or(i64::MAX));
    let several = group.len() > 1;
    let mut members: Vec<(&'static str, Value)> = Vec::new();
    let mut targets: Vec<Value> = Vec::new();
    for deployment in group {
        for (key, value) in deployment.model {
            if !members.iter().any(|(known, _)| *known == key) {
                members.push((key, value));
            }
        }
        let mut target = deployment.target;
        if let Some(weight) = deployment.weight.filter(|_| several) {
            target.insert("weight".into(), Value::Integer(i64::try_from(weight).unwrap_or(i64::MAX)));
        }
        targets.push(target.into());
    }
    if several {
        let strategy = if ordered { "priority" } else { settings.strategy.as_deref().unwrap_or("weighted") };
        entry.set("strategy", strategy);
        entry.set("targets", Value::Array(targets));
    } else if let Some(target) = targets.pop() {
        entry.set("target", target);
    }
    for (key, value) in members {
        entry.set(key, value);
    }
    usual(&mut entry, settings);
    let fallbacks = settings.fallbacks_of(name, names);
    if !fallbacks.is_empty() {
        entry.set("fallbacks", Value::Array(fallbacks.into_iter().map(Value::from).collect()));
    }
    entry
}

/// Applies the common settings to a model that has none of its own.
fn usual(entry: &mut Entry, settings: &Settings) {
    if let (Some(retries), None) = (settings.retries, entry.get("retry")) {
        entry.set("retry", retry(retries));
    }
    if entry.get("timeouts").is_none()
        && let Some(timeouts) = timeouts(settings.timeout, settings.stream_timeout)
    {
        entry.set("timeouts", timeouts);
    }
}

/// Notes stars that have no counterpart: only a single one at the end, matching the whole of the provider's name, has.
fn note_star(name: &str, entry: &Entry, draft: &mut Draft) {
    let one = entry.get("target").and_then(Value::as_table);
    let several = entry.get("targets").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
    let mut models = one.into_iter().chain(several).filter_map(|target| target.get("model")?.as_str());
    if name.trim_end_matches('*').contains('*') || models.any(|model| model.contains('*') && model != "*") {
        draft.note(format!("`{name}`: only a single star at the end can be put into a target's `model`; look at it."));
    }
}

impl Settings {
    /// Notes aliases and fallbacks that name no model of the file.
    fn note_unknown(&self, names: &[String], known: &[String], draft: &mut Draft) {
        for (other, of) in self.aliases.iter().filter(|(_, of)| !names.contains(of)) {
            draft.note(format!("`model_group_alias`: `{other}` stands for `{of}`, which is not a model of the file."));
        }
        for (name, to) in self.fallbacks.iter().chain(&self.special) {
            let is_for_all = name.is_empty() || name == "*";
            if !is_for_all && !known.contains(name) {
                draft.note(format!("The fallbacks of `{name}` are left out: it is not a model of the file."));
            }
            for fallback in to.iter().filter(|fallback| !known.contains(fallback)) {
                draft.note(format!("The fallback `{fallback}` is left out: it is not a model of the file."));
            }
        }
    }

    fn fallbacks_of(&self, name: &str, names: &[String]) -> Vec<String> {
        let of = |list: &BTreeMap<String, Vec<String>>| {
            let found = [name, "*"].into_iter().filter_map(|name| list.get(name)).flatten();
            found.cloned().collect::<Vec<String>>()
        };
        let usual = self.fallbacks.get("").cloned().unwrap_or_default();
        let all = [of(&self.fallbacks), usual, of(&self.special)].concat();
        let mut list: Vec<String> = Vec::new();
        for fallback in all {
            if fallback != name && names.contains(&fallback) && !list.contains(&fallback) {
                list.push(fallback);
            }
        }
        list
    }
}

/// Adds the fallbacks of a list `[{model: [fallback, ...]}, ...]`.
fn add(list: &mut BTreeMap<String, Vec<String>>, value: &Json) {
    for (name, to) in value.as_array().into_iter().flatten().flat_map(|one| members(Some(one))) {
        let to = to.as_array().into_iter().flatten().filter_map(Json::as_str);
        list.entry(name.clone()).or_default().extend(to.map(str::to_owned));
    }
}

/// The members that name where LiteLLM sends what it notes of requests.
const CALLBACKS: [&str; 4] = ["callbacks", "success_callback", "failure_callback", "service_callback"];

fn settings(file: &Json, prefixes: &Prefixes, draft: &mut Draft) -> Settings {
    let mut settings = Settings::default();
    // The router's settings override the library's, so they are read last.
    for section in ["litellm_settings", "router_settings"] {
        for (name, value) in members(file.get(section)) {
            if CALLBACKS.contains(&name.as_str()) {
                draft.note(format!(
                    "`{section}.{name}` has no counterpart here: Weir sends spans by `[traces]` and facts of requests by \
                     `[[sinks]]` (docs/sinks.md)."
                ));
            } else if !settings.read(name, value, prefixes, draft) {
                draft.note(format!("`{section}.{name}` has no counterpart here."));
            }
        }
    }
    settings
}

impl Settings {
    /// Reads a member, and returns whether it is known.
    fn read(&mut self, name: &str, value: &Json, prefixes: &Prefixes, draft: &mut Draft) -> bool {
        match name {
            "num_retries" => self.retries = value.as_u64(),
            "request_timeout" | "timeout" => self.timeout = seconds(value),
            "stream_timeout" => {
                self.stream_timeout = seconds(value);
                draft.note(STREAM_TIMEOUT);
            }
            "cooldown_time" => self.cooldown = seconds(value),
            "fallbacks" => add(&mut self.fallbacks, value),
            "context_window_fallbacks" | "content_policy_fallbacks" => {
                add(&mut self.special, value);
                draft.note(format!("`{name}` joined `fallbacks`, behind the ordinary ones: here each error is followed by the same."));
            }
            "default_fallbacks" => {
                let all = value.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
                self.fallbacks.entry(String::new()).or_default().extend(all);
            }
            "routing_strategy" => {
                self.strategy = value.as_str().and_then(|name| prefixes.strategies.get(name)).cloned();
                if self.strategy.is_none() {
                    draft.note(format!("The routing strategy {value} is not known; `weighted` was taken."));
                }
            }
            "model_group_alias" => self.aliases.extend(members(Some(value)).filter_map(alias)),
            "drop_params" => draft.note(
                "`drop_params`: what a provider cannot take is always dropped and named in `x-weir-dropped-params`; `strict = true` \
                 refuses instead.",
            ),
            "allowed_fails" => draft.note("`allowed_fails`: see `breaker` of `[[providers]]`, which takes a rate."),
            "enable_pre_call_checks" => {}
            "cache" if value.as_bool() == Some(false) => {}
            "cache" | "cache_params" => draft.note(format!(
                "`{name}`: answers are kept with `cache = \"1h\"` of `[[models]]`, and shared by nodes with `[cache]`."
            )),
            _ => return false,
        }
        true
    }
}

fn alias((name, of): (&String, &Json)) -> Option<(String, String)> {
    // The value is a name, or a table with `model`.
    let of = of.as_str().or_else(|| of.get("model")?.as_str())?;
    Some((name.clone(), of.to_owned()))
}

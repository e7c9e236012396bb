//! Imports LiteLLM's `config.yaml`. Source: its public documentation (proxy configuration, all settings, load
//! balancing).

pub mod database;
mod model;
mod prefixes;
mod router;

use serde_json::{Map, Value as Json};

use super::Draft;
use prefixes::Prefixes;
use weir_wire::yaml::{YamlError, as_json};

/// Why the file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum LitellmError {
    /// It is not YAML.
    #[error("not valid YAML: {0}")]
    Yaml(YamlError),
    /// It has no list of models.
    #[error("there is no `model_list` in it: is this the configuration of LiteLLM's proxy?")]
    NoModels,
    /// The bundled list of prefixes is broken.
    #[error("the bundled list of prefixes: {0}")]
    Prefixes(#[from] toml::de::Error),
}

/// Converts the configuration.
///
/// # Errors
///
/// Fails if the text is not YAML, or has no models.
pub fn import(yaml: &str) -> Result<Draft, LitellmError> {
    let file: Json = yaml_of(yaml).map_err(LitellmError::Yaml)?;
    let prefixes = Prefixes::bundled()?;
    let models = file.get("model_list").and_then(Json::as_array).ok_or(LitellmError::NoModels)?;
    let mut draft = Draft::default();
    let deployments = model::deployments(models, &credentials(&file), &prefixes, &mut draft);
    router::models(&file, deployments, &prefixes, &mut draft);
    general(&file, &mut draft);
    Ok(draft)
}

fn yaml_of(text: &str) -> Result<Json, YamlError> {
    let mut file = as_json(text)?;
    merge(&mut file);
    Ok(file)
}

/// Resolves merge keys (`<<`), by which entries share members. An entry's own members take precedence.
fn merge(value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(merge),
        Json::Object(members) => {
            let merged = match members.remove("<<") {
                Some(Json::Array(list)) => list,
                Some(one) => vec![one],
                None => Vec::new(),
            };
            for (name, value) in merged.into_iter().filter_map(|one| one.as_object().cloned()).flatten() {
                members.entry(name).or_insert(value);
            }
            members.values_mut().for_each(merge);
        }
        _ => {}
    }
}

/// The entries of `credential_list`, by name.
fn credentials(file: &Json) -> Map<String, Json> {
    let list = file.get("credential_list").and_then(Json::as_array);
    let pair =
        |one: &Json| Some((one.get("credential_name")?.as_str()?.to_owned(), one.get("credential_values")?.clone()));
    list.into_iter().flatten().filter_map(pair).collect()
}

/// Converts `general_settings`, and notes the sections that have no counterpart.
fn general(file: &Json, draft: &mut Draft) {
    for (name, value) in members(file.get("general_settings")) {
        match (name.as_str(), value) {
            ("master_key", key) => master_key(key, draft),
            ("global_max_parallel_requests", Json::Number(limit)) if limit.as_i64().is_some_and(|limit| limit > 0) => {
                draft.note(format!("`global_max_parallel_requests` is `max_concurrency = {limit}` under `[server]`."));
            }
            ("database_url", _) => draft.note(
                "`general_settings.database_url`: `weir import litellm-db` takes keys, teams and budgets over from that \
                 database; Weir's own store is `url` under `[store]`.",
            ),
            (name, _) => draft.note(format!("`general_settings.{name}` has no counterpart here.")),
        }
    }
    for name in members(Some(file)).map(|(name, _)| name) {
        let known = ["model_list", "credential_list", "general_settings", "litellm_settings", "router_settings"];
        if name == "environment_variables" {
            draft.note("`environment_variables` are not set by Weir: set them where it is started.");
        } else if !known.contains(&name.as_str()) {
            draft.note(format!("`{name}` has no counterpart here."));
        }
    }
}

fn master_key(key: &Json, draft: &mut Draft) {
    let variable = key.as_str().and_then(variable_of);
    if variable.is_none() {
        draft.note("The master key stands in LiteLLM's file: set the variable LITELLM_MASTER_KEY to it.");
    }
    let mut client = super::Entry::default();
    client.set("name", "master");
    client.set("key", format!("env:{}", variable.unwrap_or("LITELLM_MASTER_KEY")));
    draft.clients.push(client);
}

/// The variable in `os.environ/NAME`.
fn variable_of(text: &str) -> Option<&str> {
    text.trim().strip_prefix("os.environ/").map(str::trim)
}

fn members(table: Option<&Json>) -> impl Iterator<Item = (&String, &Json)> {
    table.and_then(Json::as_object).into_iter().flatten()
}

#[cfg(test)]
mod tests;

//! The environment as a configuration: what Weir would find there by itself, written down.

use toml::Value;

use super::{Draft, Entry};
use crate::config::{Config, Provider};
use crate::plugin::Adapter;

/// A configuration of all loaded adapters whose usual key variable is set; `None` where there is none.
pub fn import<'a>(config: &Config, adapters: impl Iterator<Item = &'a Adapter>) -> Option<Draft> {
    let mut draft = Draft::default();
    for adapter in adapters {
        let suggests = &adapter.manifest.suggests;
        let set = suggests.key_variables.iter().find(|name| config.environment.get(name).is_some());
        let Some(variable) = set else { continue };
        let mut entry = Entry::default();
        entry.set("adapter", adapter.name.as_ref());
        entry.set("api_key", format!("env:{variable}"));
        let found =
            config.provider(&adapter.name).and_then(|provider: &std::sync::Arc<Provider>| provider.address.as_ref());
        if let Some(address) = found {
            entry.set("url", address.to_string());
        } else if let Some(url) = &suggests.url {
            draft.note(format!("`{}`: write its url, such as {url}.", adapter.name));
        }
        let provider = draft.provider(&adapter.name, entry);
        for pattern in &suggests.models {
            let mut model = Entry::default();
            model.set("alias", pattern.as_str());
            model.set("provider", Value::from(provider.as_str()));
            draft.models.push(model);
        }
    }
    (!draft.providers.is_empty()).then_some(draft)
}

//! A first configuration: of the providers that the environment has keys for, of the operator's own server, and of
//! model names that the operator chose.

use toml::{Table, Value};

use super::{Draft, Entry};
use weir_config::{Address, Config, Server};
use weir_types::contract::about::Suggestions;

/// An adapter for which the environment has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The adapter's name.
    pub adapter: String,
    /// The variable that holds the key.
    pub variable: String,
    /// The provider's url, if it can be used without asking because the lock file pins the adapter.
    pub url: Option<String>,
    /// Patterns of models that the provider serves.
    pub models: Vec<String>,
}

/// Finds the adapters for which the environment has a key. `config` is the configuration without a file, `adapters` are
/// the loaded adapters with their suggestions.
pub fn found<'a>(config: &Config, adapters: impl IntoIterator<Item = (&'a str, &'a Suggestions)>) -> Vec<Found> {
    let keyed = |(name, suggests): (&'a str, &'a Suggestions)| {
        let variable = config.environment.key_variable(name, &suggests.key_variables)?;
        let url = config.provider(name).and_then(|provider| provider.address.as_ref()).map(Address::to_string);
        Some(Found { adapter: name.to_owned(), variable, url, models: suggests.models.clone() })
    };
    adapters.into_iter().filter_map(keyed).collect()
}

/// A server of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnServer {
    /// The base url of its API.
    pub url: String,
    /// The adapter for its format.
    pub adapter: String,
    /// The model's name for clients.
    pub alias: String,
    /// The model's name at the server; `None` if it is the same.
    pub model: Option<String>,
}

/// A client-side name for one of a provider's models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The model's name for clients.
    pub alias: String,
    /// The provider's name.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
}

/// The operator's choices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Providers with a key in the environment.
    pub providers: Vec<Found>,
    /// A server of the operator's own.
    pub own: Option<OwnServer>,
    /// A name for one model.
    pub named: Option<Named>,
    /// The port to listen on; `None` means the default.
    pub port: Option<u16>,
}

/// Builds the configuration; `None` if it would serve nothing.
pub fn draft(choice: &Choice) -> Option<Draft> {
    let mut draft = Draft::default();
    if let Some(port) = choice.port.filter(|port| *port != Server::default().port) {
        draft.server.set("port", i64::from(port));
    }
    for one in &choice.providers {
        let mut entry = Entry::default();
        entry.set("adapter", one.adapter.as_str());
        if let Some(url) = &one.url {
            entry.set("url", url.as_str());
        }
        entry.set("api_key", format!("env:{}", one.variable));
        let provider = draft.provider(&one.adapter, entry);
        let models = one.models.iter().map(|pattern| {
            let mut model = Entry::default();
            model.set("alias", pattern.as_str());
            model.set("provider", provider.as_str());
            model
        });
        draft.models.extend(models);
    }
    if let Some(own) = &choice.own {
        let mut target = Table::from_iter([("url".to_owned(), Value::from(own.url.as_str()))]);
        target.extend(own.model.as_ref().map(|model| ("model".to_owned(), Value::from(model.as_str()))));
        let mut model = Entry::default();
        model.set("alias", own.alias.as_str());
        model.set("type", own.adapter.as_str());
        model.set("target", target);
        draft.models.push(model);
    }
    if let Some(Named { alias, provider, model }) = &choice.named {
        let target = [("provider", provider), ("model", model)];
        let target: Table =
            target.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value.as_str()))).collect();
        let mut entry = Entry::default();
        entry.set("alias", alias.as_str());
        entry.set("target", target);
        draft.models.push(entry);
    }
    let is_something = !draft.providers.is_empty() || !draft.models.is_empty();
    is_something.then_some(draft)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use weir_config::Environment;

    fn zeta() -> Found {
        let url = Some("https://zeta.example/v1/".to_owned());
        Found { adapter: "zeta".into(), variable: "ZETA_KEY".into(), url, models: vec!["zeta-*".into()] }
    }

    #[test]
    fn the_choices_become_a_valid_configuration() {
        let own = OwnServer {
            url: "http://localhost:11434/v1/".into(),
            adapter: "zeta".into(),
            alias: "local".into(),
            model: Some("small \"one\"".into()),
        };
        let named = Named { alias: "fast".into(), provider: "zeta".into(), model: "zeta-mini".into() };
        let choice = Choice { providers: vec![zeta()], own: Some(own), named: Some(named), port: Some(9000) };
        let text = draft(&choice).unwrap().text("answers");
        let environment = Environment::from_iter([("ZETA_KEY", "a-key-of-some-length")]);
        let config = Config::parse("weir.toml", &text, Path::new(""), environment);
        let config = config.unwrap_or_else(|problems| panic!("{}\n{text}", problems.render(false)));
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert_eq!(config.server.port, 9000);
        let model_of = |name: &str| config.models.lookup(name).unwrap().first().unwrap().model.clone();
        assert_eq!(model_of("fast").as_deref(), Some("zeta-mini"));
        assert_eq!(model_of("local").as_deref(), Some("small \"one\""));
        assert_eq!(model_of("zeta-large"), None);
        assert!(config.models.lookup("local").unwrap().first().unwrap().provider.keys.is_empty());
        assert!(!text.contains("a-key-of-some-length"), "{text}");
    }

    #[test]
    fn nothing_chosen_is_no_configuration() {
        assert!(draft(&Choice { port: Some(9000), ..Choice::default() }).is_none());
    }

    #[test]
    fn the_usual_port_is_not_written() {
        let choice = Choice { providers: vec![zeta()], port: Some(8080), ..Choice::default() };
        assert!(!draft(&choice).unwrap().text("x").contains("port"));
    }
}

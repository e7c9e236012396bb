//! A first configuration: of the providers that the environment has keys for, of a server of one's own, and of names that
//! the operator chose.

use toml::{Table, Value};

use super::{Draft, Entry};
use weir_config::{Address, Config, Server};
use weir_types::contract::about::Suggestions;

/// An adapter for which the environment has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub adapter: String,
    /// The variable with the key.
    pub variable: String,
    /// Its provider's url, where it may be taken without asking: the lock file pins the adapter.
    pub url: Option<String>,
    /// Names of models that its provider serves.
    pub models: Vec<String>,
}

/// Adapters for which the environment has a key. `config` is what Weir finds by itself, `adapters` are the loaded ones
/// with what they suggest.
pub fn found<'a>(config: &Config, adapters: impl IntoIterator<Item = (&'a str, &'a Suggestions)>) -> Vec<Found> {
    let keyed = |(name, suggests): (&'a str, &'a Suggestions)| {
        let variable = config.environment.key_variable(name, &suggests.key_variables)?;
        let url = config.provider(name).and_then(|provider| provider.address.as_ref()).map(Address::to_string);
        Some(Found { adapter: name.to_owned(), variable, url, models: suggests.models.clone() })
    };
    adapters.into_iter().filter_map(keyed).collect()
}

/// A server of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Where it is.
    pub url: String,
    /// The adapter that speaks to it.
    pub adapter: String,
    /// What clients call its model.
    pub alias: String,
    /// What it calls its model; as the client does if none.
    pub model: Option<String>,
}

/// A name for one of a provider's models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What clients say.
    pub alias: String,
    /// The provider.
    pub provider: String,
    /// What it calls the model.
    pub model: String,
}

/// What the operator chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Providers with keys.
    pub providers: Vec<Found>,
    /// A server of one's own.
    pub own: Option<Own>,
    /// A name for a model.
    pub named: Option<Named>,
    /// Where to listen; as usual if none.
    pub port: Option<u16>,
}

/// The configuration; none where there is nothing to serve.
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
    fn what_was_chosen_is_a_configuration_that_reads() {
        let own = Own {
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

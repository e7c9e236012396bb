//! A configuration from the environment: the one that Weir uses without a file, written down.

use toml::Value;

use super::{Draft, Entry};
use weir_config::Config;
use weir_types::contract::about::Suggestions;

/// A configuration of all adapters for which the environment has a key; `None` if there are none. `config` is the
/// configuration without a file, `adapters` are the loaded adapters with their suggestions. Keys are named, never
/// written.
pub fn import<'a>(config: &Config, adapters: impl IntoIterator<Item = (&'a str, &'a Suggestions)>) -> Option<Draft> {
    let mut draft = Draft::default();
    for (name, suggests) in adapters {
        let Some(variable) = config.environment.key_variable(name, &suggests.key_variables) else { continue };
        let mut entry = Entry::default();
        entry.set("adapter", name);
        entry.set("api_key", format!("env:{variable}"));
        let found = config.provider(name).and_then(|provider| provider.address.as_ref());
        if let Some(address) = found {
            entry.set("url", address.to_string());
        } else if let Some(url) = &suggests.url {
            let url = url.replace("{env.", "{");
            draft.note(format!("`{name}`: write its url, such as {url} ({{...}} stands for what you have there)."));
        }
        let provider = draft.provider(name, entry);
        for pattern in &suggests.models {
            let mut model = Entry::default();
            model.set("alias", pattern.as_str());
            model.set("provider", Value::from(provider.as_str()));
            draft.models.push(model);
        }
    }
    (!draft.providers.is_empty()).then_some(draft)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use weir_config::{Environment, Provider};

    const SECRET: &str = "a-key-that-nobody-sees";

    fn suggestions(url: Option<&str>, variables: &[&str], models: &[&str]) -> Suggestions {
        let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Suggestions {
            url: url.map(str::to_owned),
            key_variables: strings(variables),
            models: strings(models),
            origins: Vec::new(),
        }
    }

    fn config(variables: &[&str]) -> Config {
        let environment: Environment = variables.iter().map(|name| (*name, SECRET)).collect();
        Config::without_file(environment).unwrap()
    }

    #[test]
    fn keys_are_named_by_the_variable_that_would_be_used() {
        let config = config(&["ZETA_KEY", "USUAL", "OTHER", "WEIR_PROVIDERS_MY_OWN_API_KEY", "MY_KEY"]);
        let zeta = suggestions(None, &["ZETA_TOKEN", "ZETA_KEY", "OTHER"], &["zeta-*", "z1"]);
        let own = suggestions(None, &["MY_KEY"], &[]);
        let nobody = suggestions(None, &["NOBODY_KEY"], &["*"]);
        let draft = import(&config, [("zeta", &zeta), ("my-own", &own), ("nobody", &nobody)]).unwrap();
        let keys: Vec<_> =
            draft.providers.iter().map(|entry| entry.get("api_key").unwrap().as_str().unwrap()).collect();
        assert_eq!(keys, ["env:ZETA_KEY", "env:WEIR_PROVIDERS_MY_OWN_API_KEY"]);
        let models: Vec<_> = draft.models.iter().map(|entry| entry.get("alias").unwrap().as_str().unwrap()).collect();
        assert_eq!(models, ["zeta-*", "z1"]);
        assert!(!draft.text("the environment").contains(SECRET));
    }

    #[test]
    fn without_a_key_there_is_nothing_to_write() {
        let zeta = suggestions(Some("https://zeta.example/"), &["ZETA_KEY"], &["*"]);
        assert!(import(&config(&[]), [("zeta", &zeta)]).is_none());
    }

    #[test]
    fn a_url_without_a_pin_is_a_note_and_a_known_one_is_written() {
        let mut config = config(&["ZETA_KEY"]);
        let zeta = suggestions(Some("{env.ZETA_HOST}/v1/"), &["ZETA_KEY"], &["zeta-*"]);
        let draft = import(&config, [("zeta", &zeta)]).unwrap();
        assert!(draft.providers[0].get("url").is_none());
        assert!(draft.notes[0].contains("{ZETA_HOST}/v1/"), "{:?}", draft.notes);
        let key = config.environment.secret("ZETA_KEY");
        let address = weir_config::Address::parse("https://zeta.example/v1/", Path::new("")).ok();
        config.add_discovered(Provider::discovered("zeta", "zeta", address, key), &[]);
        let draft = import(&config, [("zeta", &zeta)]).unwrap();
        assert!(draft.notes.is_empty());
        let text = draft.text("the environment");
        assert!(text.contains("url = \"https://zeta.example/v1/\"") && !text.contains(SECRET), "{text}");
        let read = Config::parse("weir.toml", &text, Path::new(""), config.environment);
        assert_eq!(read.unwrap_or_else(|problems| panic!("{}", problems.render(false))).providers.len(), 1);
    }
}

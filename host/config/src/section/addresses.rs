//! Urls and origins.

use super::{Entry, Located, Take};
use crate::raw::Node;
use crate::{Address, Origin, Problem};

/// A provider's url; `env:NAME` stands for the value of a variable.
impl Take for Address {
    type Value = Self;
    const TAKES: &'static str = "url";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let mut text = Located::<String>::take(entry, node)?;
        let reader = entry.reader();
        if let Some(variable) = text.value.trim().strip_prefix("env:") {
            let Some(value) = reader.environment.get(variable.trim()) else {
                let message = format!("`{}`: the environment variable `{}` is not set", entry.name, variable.trim());
                entry.error_with(&text.place, message, "set it, or write the url itself");
                return None;
            };
            text.value = value.to_owned();
        }
        let address = Self::parse(text.value.trim(), reader.folder).map_err(|error| {
            let help = "for example \"https://api.example.com/v1/\", the API's base with its version";
            entry.error_with(&text.place, format!("`{}`: {error}", entry.name), help);
        });
        if let Ok(Self::Replay { folder, .. }) = &address
            && !folder.is_dir()
        {
            let problem = Problem::warning(&text.place, format!("there is no folder `{}`", folder.display()));
            reader.report(problem.with_help("a relative path is taken from the configuration's folder"));
        }
        address.ok()
    }

    fn example() -> String {
        "\"https://api.example.com/v1/\"".to_owned()
    }
}

impl Take for Origin {
    type Value = Self;
    const TAKES: &'static str = "url";
    const LIST: &'static str = "list of urls";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let parsed = Self::parse(text.value.trim());
        parsed.map_err(|error| entry.error(&text.place, format!("`{}`: {error}", entry.name))).ok()
    }

    fn example() -> String {
        "\"https://files.example.com\"".to_owned()
    }
}

//! The bundled list of LiteLLM's names and their meaning (`host/import/data/litellm.toml`).

use std::collections::BTreeMap;

use serde::Deserialize;

const BUNDLED: &str = include_str!("../../data/litellm.toml");

/// The bundled list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefixes {
    /// The prefix of names that have none and match no known start.
    otherwise: String,
    #[serde(rename = "prefixes")]
    known: BTreeMap<String, Prefix>,
    names: BTreeMap<String, String>,
    /// Weir's name of each routing strategy.
    pub(super) strategies: BTreeMap<String, String>,
    /// Maps members of `model_info` to members of `capabilities`.
    pub(super) capabilities: BTreeMap<String, String>,
    /// Maps members with a price per token to members of `price`.
    pub(super) prices: BTreeMap<String, String>,
    keys: Keys,
}

#[derive(Debug, Deserialize)]
struct Keys {
    none: Vec<String>,
}

/// Meaning of a prefix of model names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefix {
    /// The adapter of models with this prefix.
    pub(super) adapter: String,
    /// The variable with the key, if the file names none.
    pub(super) key: Option<String>,
    /// Whether servers of this kind need a key only if their operator set one up.
    #[serde(default)]
    pub(super) optional_key: bool,
    /// The variable with the base url.
    pub(super) base: Option<String>,
    /// Whether the variable must be read, because the adapter's suggested url is another service's.
    #[serde(default)]
    pub(super) needs_base: bool,
    /// A variable of Weir's own for the key, if LiteLLM's key consists of several variables.
    pub(super) own_key: Option<String>,
    /// How to write that key.
    pub(super) key_note: Option<String>,
    /// The base url, if the adapter's suggested url is another service's.
    pub(super) url: Option<String>,
    /// The path to append if a base is a host alone; an empty text means that there never is one.
    pub(super) path: Option<String>,
    /// Further prefixes to strip from the name.
    #[serde(default)]
    pub(super) strip: Vec<String>,
    /// Options of the adapter.
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
}

/// A parsed model name of LiteLLM.
#[derive(Debug)]
pub(super) struct PrefixedModel<'a> {
    /// The prefix itself.
    pub(super) label: &'a str,
    pub(super) prefix: &'a Prefix,
    /// The provider's own name for the model.
    pub(super) model: String,
}

impl Prefixes {
    /// Parses the bundled list.
    pub(super) fn bundled() -> Result<Self, toml::de::Error> {
        toml::from_str(BUNDLED)
    }

    /// Parses a name; `None` if its prefix is unknown. `custom` is `custom_llm_provider`, which takes precedence.
    pub(super) fn named<'a>(&'a self, full: &str, custom: Option<&str>) -> Option<PrefixedModel<'a>> {
        let (label, rest) = match (custom, full.split_once('/')) {
            (Some(custom), Some((first, rest))) if first == custom => (custom, rest),
            (Some(custom), _) => (custom, full),
            (None, Some((first, rest))) if self.known.contains_key(first) => (first, rest),
            // A slash in a name without a prefix, as open models have it: its provider is unknown.
            (None, Some(_)) => return None,
            (None, None) => (self.guessed(full), full),
        };
        let (label, prefix) = self.known.get_key_value(label)?;
        let bare = prefix.strip.iter().find_map(|word| rest.strip_prefix(word.as_str())).unwrap_or(rest);
        Some(PrefixedModel { label, prefix, model: bare.to_owned() })
    }

    fn guessed(&self, name: &str) -> &str {
        let found = self.names.iter().find(|(start, _)| name.starts_with(start.as_str()));
        found.map_or(&self.otherwise, |(_, label)| label)
    }

    /// Whether a key is a placeholder for none.
    pub(super) fn is_no_key(&self, text: &str) -> bool {
        self.keys.none.iter().any(|none| none == text.trim())
    }
}

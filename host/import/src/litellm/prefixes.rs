//! The bundled list of what LiteLLM's names mean (`host/import/data/litellm.toml`).

use std::collections::BTreeMap;

use serde::Deserialize;

const BUNDLED: &str = include_str!("../../data/litellm.toml");

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefixes {
    /// The prefix of a name that has none and says nothing.
    otherwise: String,
    #[serde(rename = "prefixes")]
    known: BTreeMap<String, Prefix>,
    names: BTreeMap<String, String>,
    /// Weir's name of each routing strategy.
    pub(super) strategies: BTreeMap<String, String>,
    /// Members of `model_info` to members of `capabilities`.
    pub(super) capabilities: BTreeMap<String, String>,
    /// Members with a price for a token to members of `price`.
    pub(super) prices: BTreeMap<String, String>,
    keys: Keys,
}

#[derive(Debug, Deserialize)]
struct Keys {
    none: Vec<String>,
}

/// What stands in front of a model's name means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefix {
    /// The adapter.
    pub(super) adapter: String,
    /// The variable with the key, where the file names none.
    pub(super) key: Option<String>,
    /// Whether servers of this kind want a key only if somebody set one up.
    #[serde(default)]
    pub(super) optional_key: bool,
    /// The variable with the base.
    pub(super) base: Option<String>,
    /// Whether the adapter's own suggestion of a base is another service's, so that the variable is read.
    #[serde(default)]
    pub(super) needs_base: bool,
    /// A variable of our own with the key, where theirs lie in several.
    pub(super) own_key: Option<String>,
    /// How that key is written.
    pub(super) key_note: Option<String>,
    /// The base, where the adapter's own suggestion is another service's.
    pub(super) url: Option<String>,
    /// What stands behind the host, where a base is the host alone; empty: nothing ever.
    pub(super) path: Option<String>,
    /// Further words in front of the name.
    #[serde(default)]
    pub(super) strip: Vec<String>,
    /// Options of the adapter.
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
}

/// A model as LiteLLM names it, taken apart.
#[derive(Debug)]
pub(super) struct Named<'a> {
    /// What the prefix is called.
    pub(super) label: &'a str,
    pub(super) prefix: &'a Prefix,
    /// The provider's own name for the model.
    pub(super) model: String,
}

impl Prefixes {
    /// The list that comes with Weir.
    pub(super) fn bundled() -> Result<Self, toml::de::Error> {
        toml::from_str(BUNDLED)
    }

    /// Takes a name apart; none where its prefix is not known. `custom` is `custom_llm_provider`, which goes before.
    pub(super) fn named<'a>(&'a self, full: &str, custom: Option<&str>) -> Option<Named<'a>> {
        let (label, rest) = match (custom, full.split_once('/')) {
            (Some(custom), Some((first, rest))) if first == custom => (custom, rest),
            (Some(custom), _) => (custom, full),
            (None, Some((first, rest))) if self.known.contains_key(first) => (first, rest),
            // A slash within a name without a prefix, as open models have it: nothing says who serves it.
            (None, Some(_)) => return None,
            (None, None) => (self.guessed(full), full),
        };
        let (label, prefix) = self.known.get_key_value(label)?;
        let bare = prefix.strip.iter().find_map(|word| rest.strip_prefix(word.as_str())).unwrap_or(rest);
        Some(Named { label, prefix, model: bare.to_owned() })
    }

    fn guessed(&self, name: &str) -> &str {
        let found = self.names.iter().find(|(start, _)| name.starts_with(start.as_str()));
        found.map_or(&self.otherwise, |(_, label)| label)
    }

    /// Whether a key stands for none.
    pub(super) fn is_no_key(&self, text: &str) -> bool {
        self.keys.none.iter().any(|none| none == text.trim())
    }
}

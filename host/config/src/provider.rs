//! Types of a provider's settings: metering, allowed origins, places in the file.

use super::section::{Entry, Located, Take, words};
use super::{Origin, Place};
use crate::raw::Node;

words! {
    /// How the token usage of relayed streams is determined.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Metering {
        /// Ask the provider where tokens matter, until it refuses the question.
        #[default]
        Auto = "auto",
        /// From the relayed data, and by an estimate where it reports nothing.
        Tap = "tap",
        /// Ask the provider, with the member that the manifest names.
        Ask = "ask",
    }
}

/// A JSON pointer at the cost of an answer, in US dollars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostPointer(String);

impl CostPointer {
    /// The pointer's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A pointer at one value of a member: the elements of a list are no cost of an answer.
    fn parse(text: &str) -> Option<Self> {
        let segments: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
        let is_name = |segment: &&str| !segment.is_empty() && *segment != "*" && is_escaped(segment);
        (segments.len() <= MAX_SEGMENTS && segments.iter().all(is_name)).then(|| Self(text.to_owned()))
    }
}

/// The most names in a pointer.
const MAX_SEGMENTS: usize = 16;

/// Whether each tilde begins one of the two escapes of a JSON pointer.
fn is_escaped(segment: &str) -> bool {
    segment.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

impl Take for CostPointer {
    type Value = Self;
    const TAKES: &'static str = "string";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let pointer = Self::parse(&text.value);
        if pointer.is_none() {
            let message = format!("`{}`: not a JSON pointer at one value", entry.name);
            entry.error_with(&text.place, message, "such as \"/usage/cost\"");
        }
        pointer
    }

    fn example() -> String {
        "\"/usage/cost\"".to_owned()
    }
}

/// An origin besides the provider's own that is allowed for follow-up requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin {
    /// Scheme, host and port.
    pub origin: Origin,
    /// Whether the provider's credential goes there too.
    pub credential: bool,
}

/// Where a provider's values stand in the file, for checks that only its adapter can make. (The options carry their own
/// places.)
#[derive(Debug, Clone, Default)]
pub struct ProviderPlaces {
    /// The provider's name, or the model that the provider was made for.
    pub name: Place,
    /// The adapter's name.
    pub adapter: Place,
    /// Where `url` stands.
    pub url: Place,
    /// The key or keys.
    pub keys: Place,
    /// Where `format` stands.
    pub format: Place,
    /// The list of origins.
    pub allow_origins: Place,
}

//! Types of a provider's settings: metering, allowed origins, places in the file.

use super::section::words;
use super::{Origin, Place};

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

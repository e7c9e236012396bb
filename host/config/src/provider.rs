//! What belongs to a provider besides its keys: words, origins, places.

use super::section::words;
use super::{Origin, Place};

words! {
    /// How the usage of relayed streams is learnt.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Metering {
        /// By asking the provider for it where tokens matter, until it refuses the question.
        #[default]
        Auto = "auto",
        /// From what passes by, and by estimate where nothing does.
        Tap = "tap",
        /// By asking the provider for it, with the one member that the manifest names.
        Ask = "ask",
    }
}

/// An origin besides the provider's own that follow-ups may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin {
    /// Scheme, host and port.
    pub origin: Origin,
    /// Whether the provider's credential goes there too.
    pub credential: bool,
}

/// Where a provider's values stand, for what only its adapter can judge. (Its options carry their own.)
#[derive(Debug, Clone, Default)]
pub struct ProviderPlaces {
    /// The name, or the model that it was made for.
    pub name: Place,
    /// The adapter's name.
    pub adapter: Place,
    /// The url.
    pub url: Place,
    /// The key or keys.
    pub keys: Place,
    /// The format.
    pub format: Place,
    /// The list of origins.
    pub allow_origins: Place,
}

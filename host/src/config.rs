//! The file and the environment, checked, as what the program needs.
//!
//! Text becomes a [`Config`] in three steps: `raw` turns TOML into a tree in which each value knows where it stands
//! and lays the environment's overrides over it, `read` walks the tree and collects every mistake, `resolve` joins
//! what refers to one another. Nothing stops at the first mistake; all are reported together ([`Problems`]).

mod address;
mod alias;
mod environment;
mod model;
mod options;
mod place;
mod problem;
mod provider;
mod secret;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;

pub use address::{Address, AddressError, BaseUrl, Origin};
pub use alias::{Alias, Aliases};
pub use environment::Environment;
pub use model::{Capabilities, Model, Price, Strategy, Target};
pub use options::Options;
pub use place::{Place, Source};
pub use problem::{Problem, Problems, Severity};
pub use provider::{AllowedOrigin, Breaker, Metering, Provider, ProviderPlaces, Retry, Timeouts};
pub use secret::Secret;
pub use settings::{AdapterSettings, Admin, Isolation, Log, LogFormat, LogLevel, Plugins, Server};

/// Everything that the program needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Names this configuration: a digest of its text and of the overrides, as 16 hexadecimal digits.
    pub revision: String,
    /// The main listener.
    pub server: Server,
    /// The operations side.
    pub admin: Admin,
    /// The log.
    pub log: Log,
    /// Adapters.
    pub plugins: Plugins,
    /// In the file's order, those that were made for a model's own url behind the named ones.
    pub providers: Vec<Arc<Provider>>,
    /// What clients may ask for. Where there is a default provider, `*` leads to it.
    pub models: Aliases,
    /// Who serves models that nothing else names.
    pub default_provider: Option<String>,
    /// Whether providers are to be looked for in the environment: the file names neither providers nor models.
    pub discover: bool,
    /// For look-ups of what only manifests name.
    pub environment: Environment,
    /// What somebody should know.
    pub warnings: Vec<Problem>,
    /// The file's folder, from which relative paths of recordings and secrets are taken.
    pub folder: PathBuf,
    /// The file as it is shown in messages.
    pub source: Arc<Source>,
}

//! The adapters of a configuration, and what is served with them.

use super::App;
use super::error::StartError;
use weir_adapters::load::Loader;
use weir_config::{Config, Problem, Severity};
use weir_embed::adapters::{self, Plugins, Proofs};
use weir_gateway::serving::{Serving, option_mistakes};

/// Creates the sandbox and the compile cache of this configuration.
pub fn loader(config: &Config) -> Result<Loader, StartError> {
    Ok(adapters::loader(config)?)
}

/// Loads the adapters of a configuration, each proved.
pub fn load_plugins(config: &Config) -> Result<Plugins, StartError> {
    Ok(adapters::load(config, Proofs::First)?)
}

/// Checks that there is an adapter, even if it was refused: without any, nothing could be served.
pub(crate) fn require_adapters(config: &Config, plugins: &Plugins) -> Result<(), StartError> {
    let snapshot = plugins.snapshot();
    if config.plugins.allow_empty || !snapshot.adapters.is_empty() || !snapshot.refused.is_empty() {
        return Ok(());
    }
    let dir = &config.plugins.dir;
    let why = match std::fs::read_dir(dir) {
        Ok(_) => "it holds no NAME.wasm".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        Err(error) => format!("it cannot be read: {error}"),
    };
    let whole = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
    Err(StartError::NoAdapters { dir: whole.display().to_string(), why })
}

/// Checks that adapters and guards take the options that are set for them.
fn require_known_options(config: &Config, plugins: &Plugins) -> Result<(), StartError> {
    let mut mistakes = option_mistakes(config, &plugins.snapshot());
    mistakes.retain(|problem| problem.severity == Severity::Error);
    if mistakes.is_empty() { Ok(()) } else { Err(StartError::Config(config.problems(mistakes))) }
}

/// Logs a problem of the configuration that only shows with the adapters loaded.
fn log(config: &Config, problem: &Problem) {
    let (at, severity) = (config.shown_place(&problem.place), problem.severity);
    let (problem, help) = (&problem.message, problem.help.as_deref());
    match severity {
        Severity::Error => tracing::error!(at, problem, help, "part of the configuration cannot be served"),
        Severity::Warning => tracing::warn!(at, problem, help, "part of the configuration may not be what was meant"),
    }
}

/// What would be served, with the configuration's problems that only show with the adapters loaded.
pub fn derive(config: &Config, plugins: &Plugins) -> Result<Serving, StartError> {
    Ok(Serving::derive(config, plugins.catalog.snapshot())?)
}

impl App {
    /// How many models and providers are served, with those that were found in the environment.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let config = &self.gateway.serving().config;
        (config.models.len(), config.providers.len())
    }
}

/// Loads the adapters, and what is served with them.
pub(super) fn load_served(config: &Config) -> Result<(Plugins, Serving), StartError> {
    let plugins = adapters::load(config, Proofs::Beside)?;
    require_adapters(config, &plugins)?;
    require_known_options(config, &plugins)?;
    let serving = Serving::derive(config, plugins.catalog.snapshot())?;
    serving.problems.iter().for_each(|problem| log(config, problem));
    Ok((plugins, serving))
}

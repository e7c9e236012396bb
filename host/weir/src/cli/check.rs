//! `weir check`: checks a configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app;
use crate::keys;
use weir_config::{Config, Environment, Problem, TlsFiles};
use weir_embed::granted;
use weir_gateway::serving::{Serving, certain_mistakes};
use weir_server::tls::Tls;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration (TOML).
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// Takes secrets and urls that are not there (`env:NAME`, `file:PATH`) for warnings: for machines that have none,
    /// as in CI.
    #[arg(long)]
    without_secrets: bool,
}

/// Loads the configuration and the adapters, and prints all problems.
pub(super) fn run(asked: &Check) -> ExitCode {
    let environment = Environment::of_process();
    let environment = if asked.without_secrets { environment.leaving_secrets_out() } else { environment };
    let (config, found) = match super::read(asked.config.as_deref(), environment) {
        Ok(read) => read,
        Err(problems) => {
            super::print_problems(&problems);
            return ExitCode::from(2);
        }
    };
    let mut problems: Vec<Problem> = found.iter().cloned().collect();
    problems.extend(config.server.tls.as_ref().and_then(certificate_problem));
    problems.extend(keys::tokens_problem(&config));
    if found.are_fatal() {
        // What cannot be served for certain is reported too. Without adapters, it is not known.
        let plugins = app::load_plugins(&config).map(|plugins| plugins.snapshot());
        problems.extend(plugins.map(|plugins| certain_mistakes(&config, &plugins)).unwrap_or_default());
        super::print_problems(&config.problems(problems));
        return ExitCode::from(2);
    }
    let plugins = app::load_plugins(&config);
    let some = |plugins| app::require_adapters(&config, &plugins).map(|()| plugins);
    let serving = match plugins.and_then(some).and_then(|plugins| app::derive(&config, &plugins)) {
        Ok(serving) => serving,
        Err(error) => {
            // What is known without adapters is reported all the same.
            let problems = config.problems(problems);
            if !problems.is_empty() {
                super::print_problems(&problems);
            }
            let code = super::start_failed(error);
            return if problems.are_fatal() { ExitCode::from(2) } else { code };
        }
    };
    problems.extend(serving.problems.iter().cloned());
    let problems = config.problems(problems);
    if !problems.is_empty() {
        super::print_problems(&problems);
    }
    if problems.are_fatal() {
        return ExitCode::from(2);
    }
    print_summary(&config, &serving);
    ExitCode::SUCCESS
}

/// What is wrong with the certificate or its key, at the setting that names the file.
fn certificate_problem(files: &TlsFiles) -> Option<Problem> {
    let error = Tls::load(files).err()?;
    Some(Problem::error(error.place(files), error.to_string()))
}

/// Prints what a configuration without an error serves, and what its adapters may use beyond their input.
fn print_summary(config: &Config, serving: &Serving) {
    // The counts include providers from the environment if there is no file.
    let (models, providers) = (serving.config.models.len(), serving.config.providers.len());
    super::print(&format!(
        "the configuration is fine: {}, {}",
        counted(models, "model"),
        counted(providers, "provider")
    ));
    if models == 0 && providers == 0 {
        super::print("no model is served yet: `weir init` writes a first configuration");
    }
    for (name, grants) in granted::of_all(config) {
        super::print(&grants.impurity().map(|impurity| format!("adapter {name}: {impurity}")).unwrap_or_default());
    }
}

/// A number of things in words: `1 model`, `2 models`.
fn counted(count: usize, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

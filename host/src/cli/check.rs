//! `weir check`: is this configuration right?

use std::path::Path;
use std::process::ExitCode;

use crate::app;

/// Reads the configuration, loads the adapters, and tells everything that is wrong.
pub(super) fn run(file: Option<&Path>) -> ExitCode {
    let config = match super::load(file) {
        Ok(config) => config,
        Err(problems) => {
            super::complain_of(&problems);
            return ExitCode::from(2);
        }
    };
    let found = app::load_plugins(&config).and_then(|plugins| app::problems(&config, &plugins));
    let mut problems = config.warnings.clone();
    match found {
        Ok(found) => problems.extend(found),
        Err(error) => {
            super::complain(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    }
    let problems = config.problems(problems);
    if !problems.is_empty() {
        super::complain_of(&problems);
    }
    if problems.are_fatal() {
        return ExitCode::from(2);
    }
    let (models, providers) = (config.models.len(), config.providers.len());
    super::print(&format!("the configuration is fine: {models} models, {providers} providers"));
    ExitCode::SUCCESS
}

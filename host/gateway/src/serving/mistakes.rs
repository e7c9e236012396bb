//! The mistakes for which adapters have to be loaded, in a configuration of which parts could not be read.

use weir_adapters::catalog::Snapshot;
use weir_config::{Config, Problem};

use super::options::option_mistakes;
use super::targets::not_loaded;
use crate::guard::Guards;

/// The mistakes that are certain even if some parts could not be read: adapters and guards that do not exist, and
/// options that theirs do not have.
pub fn certain_mistakes(config: &Config, adapters: &Snapshot) -> Vec<Problem> {
    let mut problems = option_mistakes(config, adapters);
    let is_loaded = |name: &str| adapters.adapters.get(name).is_some_and(|adapter| adapter.guard.is_none());
    // An adapter that could not be read has no name.
    let missing = config.providers.iter().filter(|one| !one.adapter.is_empty() && !is_loaded(&one.adapter));
    problems.extend(missing.map(|provider| not_loaded(provider, adapters)));
    let _guards = Guards::new(config, adapters, &mut problems);
    problems
}

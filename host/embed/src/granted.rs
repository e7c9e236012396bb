//! Converts the grants of a configuration to the types of [`weir_sandbox`].

use std::collections::BTreeMap;

use weir_config::Config;
use weir_sandbox::Grants;

/// Returns the grants by the adapter's name. Adapters without grants are not in it.
pub fn of_all(config: &Config) -> BTreeMap<String, Grants> {
    let names = config.plugins.adapters.keys();
    names.map(|name| (name.clone(), of(config, name))).filter(|(_, grants)| !grants.is_none()).collect()
}

/// Returns the grants of one adapter.
pub fn of(config: &Config, name: &str) -> Grants {
    let weir_config::Grants { clock, random, read } = config.plugins.adapter(name).grants.clone();
    Grants { clock, random, read }
}

//! Checks the configured operations of clients against those of the adapters.

use weir_config::{Config, Problem};
use weir_translate::dialect::endpoints::Endpoints;

/// Warns of allowed operations that no adapter has.
pub(super) fn unknown(config: &Config, endpoints: &Endpoints, problems: &mut Vec<Problem>) {
    let mut names: Vec<&str> = endpoints.all().iter().map(|endpoint| endpoint.face.operation.name()).collect();
    names.sort_unstable();
    names.dedup();
    for client in &config.clients {
        for allowed in client.operations.iter().flatten() {
            if names.iter().any(|name| allowed.matches(name)) {
                continue;
            }
            let message = format!("`operations` of the client `{}`: no adapter has `{allowed}`", client.name);
            let help = format!("there are {}", names.join(", "));
            problems.push(Problem::warning(&client.place, message).with_help(help));
        }
    }
}

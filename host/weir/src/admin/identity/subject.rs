//! Whether that exists whose use a budget counts. What does not may come later, so the budget is made, and its answer
//! warns, as a start warns of names in the configuration that nothing has.

use weir_config::Config;
use weir_gateway::serving::Serving;
use weir_identity::KeyId;
use weir_identity::change::Stored;
use weir_identity::document::{BudgetScope, OrganisationId, TeamId};

/// What there is not, in the words of a warning; `None` if it exists, or may be known to others only: tags come with
/// requests, and teams, organisations and accounts with tokens.
pub(super) fn missing(scope: &BudgetScope, stored: &impl Stored, serving: &Serving) -> Option<String> {
    let config: &Config = &serving.config;
    let comes_with_tokens = !config.issuers.is_empty();
    let clients = || config.clients.iter();
    let (kind, name, exists) = match scope {
        BudgetScope::All | BudgetScope::Tag(_) => return None,
        BudgetScope::Key(name) => {
            let is_stored = || KeyId::parse(name).is_ok_and(|id| stored.key(id).is_some());
            ("key", name, comes_with_tokens || clients().any(|client| *client.name == **name) || is_stored())
        }
        BudgetScope::Team(name) => {
            let is_stored = || TeamId::parse(name).is_ok_and(|id| stored.team(&id).is_some());
            let is_named = || clients().any(|client| client.team.as_deref() == Some(name));
            ("team", name, comes_with_tokens || is_named() || is_stored())
        }
        BudgetScope::Organisation(name) => {
            let is_stored = || OrganisationId::parse(name).is_ok_and(|id| stored.organisation(&id).is_some());
            let is_named = || clients().any(|client| client.organisation.as_deref() == Some(name));
            ("organisation", name, comes_with_tokens || is_named() || is_stored())
        }
        BudgetScope::Model(name) => ("model", name, serving.routes.find(name).is_some()),
        BudgetScope::Provider(name) => ("provider", name, config.providers.iter().any(|one| one.name == *name)),
    };
    (!exists).then(|| format!("there is no {kind} `{name}`: the budget counts nothing until there is one"))
}

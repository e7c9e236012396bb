//! Who makes a request, and what applies to it: the chain of key, team and organisation.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{KeyRecord, OrganisationRecord, TeamRecord, UserRecord};
use crate::document::{Budget, Grant, Kind, Limits, Pattern, Priority, Terms};
use crate::jwt::TokenIdentity;

/// By what a caller identified itself.
#[derive(Debug, Clone)]
pub enum Subject {
    /// By the text of a client key.
    Key(Arc<KeyRecord>),
    /// The token of an identity provider.
    Token(Arc<TokenIdentity>),
}

/// A caller with its owners. What it holds stays as it was when the request arrived: a key that expires does not end
/// running streams. Sessions look their caller up again.
#[derive(Debug, Clone)]
pub struct Caller {
    /// By what it identified itself.
    pub subject: Subject,
    /// The user who owns the key or was issued the token.
    pub user: Option<Arc<UserRecord>>,
    /// The team that the use is counted for.
    pub team: Option<Arc<TeamRecord>>,
    /// The organisation of its team.
    pub organisation: Option<Arc<OrganisationRecord>>,
}

impl Caller {
    /// The caller's id: of the key, which rotations keep, or of the token's account. It separates the data of callers.
    pub fn id(&self) -> &str {
        match &self.subject {
            Subject::Key(key) => key.id.as_str(),
            Subject::Token(token) => &token.id,
        }
    }

    /// The terms that apply together, with their owners: of the key, its team and its organisation.
    pub fn chain(&self) -> impl Iterator<Item = (Kind, &str, &Terms)> {
        let key = match &self.subject {
            Subject::Key(key) => Some((Kind::Key, key.id.as_str(), &*key.terms)),
            Subject::Token(_) => None,
        };
        let team = self.team.as_ref().map(|team| (Kind::Team, team.id.as_str(), &*team.terms));
        let organisation = self.organisation.as_ref().map(|it| (Kind::Organisation, it.id.as_str(), &*it.terms));
        key.into_iter().chain(team).chain(organisation)
    }

    /// Whether the caller may use a model: key, team and organisation all allow it. Each checks the name that the level
    /// below means, so that no alias of a key leads around the rights of its team.
    pub fn may_use(&self, model: &str) -> bool {
        let by_token = self.token_models().is_none_or(|models| models.iter().any(|pattern| pattern.matches(model)));
        let mut name = model;
        by_token
            && self.chain().all(|(_, _, terms)| {
                let allowed = terms.allows_model(name);
                name = terms.aliases.get(name).map_or(name, String::as_str);
                allowed
            })
    }

    /// Whether the caller may use an operation in a request with or without a model's name.
    pub fn may_do(&self, operation: &str, names_a_model: bool) -> bool {
        let by_token = self.token_models().is_none() || names_a_model;
        by_token && self.chain().all(|(_, _, terms)| terms.allows_operation(operation, names_a_model))
    }

    /// Whether the caller may use an operation that shows what other callers made.
    pub fn may_list(&self, operation: &str) -> bool {
        self.token_models().is_none() && self.chain().all(|(_, _, terms)| terms.allows_list(operation))
    }

    /// Whether the key, the team or the organisation names an operation in full.
    pub fn is_named(&self, operation: &str) -> bool {
        self.chain().any(|(_, _, terms)| terms.names_operation(operation))
    }

    /// The order of the caller's requests in queues: what the key says, else its team, else the organisation.
    pub fn priority(&self) -> Priority {
        self.chain().find_map(|(_, _, terms)| terms.priority).unwrap_or_default()
    }

    /// Whether the caller's requests may name their target, by the same order.
    pub fn may_choose(&self) -> bool {
        self.chain().find_map(|(_, _, terms)| terms.may_choose).unwrap_or_default()
    }

    /// The limits that apply, with the owners whose counters they use.
    pub fn limits(&self) -> impl Iterator<Item = (Kind, &str, &Limits)> {
        self.chain().map(|(kind, id, terms)| (kind, id, &terms.limits)).filter(|(_, _, limits)| !limits.is_empty())
    }

    /// The budgets that apply, with their owners. A request needs room in all of them.
    pub fn budgets(&self) -> impl Iterator<Item = (Kind, &str, &Budget)> {
        self.chain().flat_map(|(kind, id, terms)| terms.budgets.iter().map(move |budget| (kind, id, budget)))
    }

    /// The tags of the request's facts: those of the caller and all its owners.
    pub fn tags(&self) -> BTreeSet<&str> {
        let by_token = match &self.subject {
            Subject::Key(_) => None,
            Subject::Token(token) => Some(&token.tags),
        };
        let by_chain = self.chain().flat_map(|(_, _, terms)| &terms.tags);
        by_chain.chain(by_token.into_iter().flatten()).map(String::as_str).collect()
    }

    /// The model that a name means to this caller: what the key's alias names, that by the team's aliases, and that by
    /// the organisation's.
    pub fn model<'a>(&'a self, name: &'a str) -> &'a str {
        self.chain().fold(name, |name, (_, _, terms)| terms.aliases.get(name).map_or(name, String::as_str))
    }

    /// The names that the aliases of the caller and its owners define.
    pub fn aliases(&self) -> BTreeSet<&str> {
        self.chain().flat_map(|(_, _, terms)| terms.aliases.keys()).map(String::as_str).collect()
    }

    /// What the caller may do at the admin interface. A token has the grants of its user.
    pub fn grants(&self) -> &[Grant] {
        match (&self.subject, &self.user) {
            (Subject::Key(key), _) => &key.grants,
            (Subject::Token(_), Some(user)) => &user.grants,
            (Subject::Token(_), None) => &[],
        }
    }

    fn token_models(&self) -> Option<&[Pattern]> {
        match &self.subject {
            Subject::Key(_) => None,
            Subject::Token(token) => token.models.as_deref(),
        }
    }
}

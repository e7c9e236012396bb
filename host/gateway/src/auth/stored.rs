//! A caller whose key is in the store, or who presents an identity provider's token: what applies to it, in the terms
//! of this crate.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use weir_config::{KeyHash, Priority};
use weir_identity::KeyId;
use weir_identity::directory::Subject;
use weir_identity::document::{self, Kind, Terms};
use weir_identity::jwt::TokenIdentity;

use crate::rate_limit::{Estimate, Scope, Take, takes};

/// A caller of the store's directory. It stays as it was when its request arrived.
#[derive(Debug)]
pub struct StoredCaller {
    caller: weir_identity::Caller,
    label: Arc<str>,
}

impl StoredCaller {
    /// A caller with its label in metrics.
    pub(super) fn new(caller: weir_identity::Caller, label: Arc<str>) -> Self {
        Self { caller, label }
    }

    /// The caller as messages name it.
    pub(super) fn title(&self) -> String {
        match &self.caller.subject {
            Subject::Key(key) => format!("key `{}`", key.id),
            Subject::Token(token) => format!("token of `{}`", token.id),
        }
    }

    /// Separates the caller's data, instances and turns from all others'. No name in the configuration is like it.
    pub(super) fn tenant(&self) -> Arc<str> {
        let kind = match &self.caller.subject {
            Subject::Key(_) => "key",
            Subject::Token(_) => "token",
        };
        Arc::from(format!("{kind}:{}", self.caller.id()))
    }

    /// The id of the key or of the token's account. Rotations keep it.
    pub fn id(&self) -> &str {
        self.caller.id()
    }

    /// The key's id, unless the caller came with a token.
    pub fn key_id(&self) -> Option<&KeyId> {
        match &self.caller.subject {
            Subject::Key(key) => Some(&key.id),
            Subject::Token(_) => None,
        }
    }

    /// Whom the token identifies with which the caller came.
    pub(super) fn token(&self) -> Option<&Arc<TokenIdentity>> {
        match &self.caller.subject {
            Subject::Key(_) => None,
            Subject::Token(token) => Some(token),
        }
    }

    /// Until when the caller's key is valid, presented with this hash.
    pub(super) fn valid_until(&self, shown: &KeyHash) -> Option<Timestamp> {
        match &self.caller.subject {
            Subject::Key(key) => key.valid_until(shown),
            Subject::Token(token) => Some(token.expires),
        }
    }

    /// The id of the caller's team.
    pub fn team(&self) -> Option<&str> {
        self.caller.team.as_ref().map(|team| team.id.as_str())
    }

    /// The organisation of the team.
    pub fn organisation(&self) -> Option<&str> {
        self.caller.organisation.as_ref().map(|organisation| organisation.id.as_str())
    }

    /// The id of the caller's user.
    pub fn user(&self) -> Option<&str> {
        self.caller.user.as_ref().map(|user| user.id.as_str())
    }

    /// The tags of the caller's requests.
    pub fn tags(&self) -> Vec<&str> {
        self.caller.tags().into_iter().collect()
    }

    /// The label in metrics: the team, since there may be a million keys.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Whether the caller may use a model, in its own spelling.
    pub fn may_use(&self, model: &str) -> bool {
        self.caller.may_use(model)
    }

    /// The order of the caller's requests in queues.
    pub(super) fn priority(&self) -> Priority {
        match self.caller.priority() {
            document::Priority::High => Priority::High,
            document::Priority::Normal => Priority::Normal,
            document::Priority::Low => Priority::Low,
        }
    }

    /// Whether the caller's requests may name their target.
    pub(super) fn may_choose(&self) -> bool {
        self.caller.may_choose()
    }

    /// Whether the caller may use an operation, in a request with or without a model's name.
    pub fn may_do(&self, operation: &str, names_a_model: bool) -> bool {
        self.caller.may_do(operation, names_a_model)
    }

    /// Whether the caller may use an operation that shows what other callers made.
    pub fn may_list(&self, operation: &str) -> bool {
        self.caller.may_list(operation)
    }

    /// Whether the caller may use an operation that must be granted by name: the key, the team or the organisation
    /// names it in full, and none of them excludes it.
    pub(crate) fn is_given(&self, operation: &str) -> bool {
        self.caller.may_do(operation, false) && self.caller.is_named(operation)
    }

    /// Whether the caller is restricted to a part of the account.
    pub fn is_restricted(&self) -> bool {
        let has_models = matches!(&self.caller.subject, Subject::Token(token) if token.models.is_some());
        let is_restricted = |terms: &Terms| terms.models.is_some() || terms.operations.is_some();
        has_models || self.caller.chain().any(|(_, _, terms)| is_restricted(terms))
    }

    /// The model that a name means to this caller.
    pub fn model<'a>(&'a self, name: &'a str) -> &'a str {
        self.caller.model(name)
    }

    /// The names that its aliases define.
    pub(crate) fn aliases(&self) -> BTreeSet<&str> {
        self.caller.aliases()
    }

    /// The amounts that a request takes under the limits of the key, its team and its organisation.
    pub fn takes(&self, estimate: Estimate) -> Vec<Take> {
        let of = |(kind, id, limits): (Kind, &str, &document::Limits)| {
            let scope = match kind {
                Kind::Key | Kind::User | Kind::Budget | Kind::Price => Scope::Key,
                Kind::Team => Scope::Team,
                Kind::Organisation => Scope::Organisation,
            };
            takes(scope, &Arc::from(id), &(*limits).into(), estimate)
        };
        self.caller.limits().flat_map(of).collect()
    }
}

//! Warns of names that nothing has: a budget for a client that the file does not list counts nothing, and a guard for a
//! model that no alias matches judges nothing.
//!
//! A pattern may be meant for names to come, and the store may have keys, teams and organisations that no file lists.
//! So where one of these may have the name, only a near miss of a known one is warned of.

use std::collections::BTreeSet;

use weir_ledger::{Budget, Scope, ScopeKind};

use super::keys::{BodiesRule, Guard, Issuer, StoreSettings, StoreUrl};
use super::resolve::Joined;
use super::section::Reader;
use super::{Alias, Clients, Place, Problem, suggest};

/// The fewest letters of a name for which another may be a slip of it, if the store may have that.
const LEAST_NEAR: usize = 4;

/// The names that budgets, guards and rules may refer to.
pub(super) struct KnownNames<'a> {
    clients: &'a Clients,
    names: BTreeSet<&'a str>,
    teams: BTreeSet<&'a str>,
    organisations: BTreeSet<&'a str>,
    providers: BTreeSet<&'a str>,
    models: &'a [Alias],
    /// Whether every name of a model may exist: by a default provider, or since providers are found in the environment.
    takes_any_model: bool,
    discovers: bool,
    /// Whether keys, teams and organisations may be in the store, or come with tokens.
    may_be_stored: bool,
}

impl<'a> KnownNames<'a> {
    pub(super) fn new(joined: &'a Joined, store: &StoreSettings, issuers: &[Issuer]) -> Self {
        let clients = &joined.clients;
        let takes_any_model =
            joined.discover || joined.default_provider.is_some() || joined.written.contains(&Alias::Any);
        Self {
            clients,
            names: clients.iter().map(|client| &*client.name).collect(),
            teams: clients.iter().filter_map(|client| client.team.as_deref()).collect(),
            organisations: clients.iter().filter_map(|client| client.organisation.as_deref()).collect(),
            providers: joined.providers.iter().map(|provider| provider.name.as_str()).collect(),
            models: &joined.written,
            takes_any_model,
            discovers: joined.discover,
            may_be_stored: store.url != StoreUrl::Off || !issuers.is_empty(),
        }
    }

    /// Warns of every name that nothing has.
    pub(super) fn warn(
        &self,
        reader: &Reader<'_>,
        budgets: &[(Budget, Place)],
        guards: &[Guard],
        bodies: &[BodiesRule],
    ) {
        // What could not be read may have the name.
        if reader.incomplete {
            return;
        }
        let mut problems = Vec::new();
        for (budget, place) in budgets {
            let whose = format!("the budget `{}`", budget.name);
            let reference = Reference { whose: &whose, place, effect: "it counts nothing" };
            problems.extend(self.of_scope(&budget.scope, reference));
        }
        for rule in bodies {
            let whose = "the rule in `[[bodies]]`";
            let reference = Reference { whose, place: &rule.place, effect: "it fits no request" };
            problems.extend(self.of_scope(&rule.scope, reference));
        }
        for client in self.clients {
            let whose = format!("the client `{}`", client.name);
            let reference = Reference { whose: &whose, place: &client.place, effect: "it cannot use it" };
            let names = client.models.iter().filter_map(Alias::exact);
            problems.extend(names.filter_map(|name| self.model(name, reference)));
        }
        for guard in guards {
            let whose = format!("the guard `{}`", guard.name());
            let reference = Reference { whose: &whose, place: &guard.place, effect: "it judges nothing for that name" };
            let models = guard.scope.models.iter().filter_map(Alias::exact);
            problems.extend(models.filter_map(|name| self.model(name, reference)));
            // A guard's `clients` are those of the file only.
            let unlisted = guard.scope.clients.iter().filter(|name| !self.names.contains(name.as_str()));
            problems.extend(unlisted.map(|name| reference.unknown("client", name, &self.names)));
            let teams = guard.scope.teams.iter();
            problems.extend(teams.filter_map(|name| self.stored("team", name, &self.teams, reference)));
        }
        reader.problems.borrow_mut().extend(problems);
    }

    fn of_scope(&self, scope: &Scope, reference: Reference<'_>) -> Option<Problem> {
        let Scope::Of(kind, name) = scope else { return None };
        match kind {
            ScopeKind::Key => self.stored("client", name, &self.names, reference),
            ScopeKind::Team => self.stored("team", name, &self.teams, reference),
            ScopeKind::Organisation => self.stored("organisation", name, &self.organisations, reference),
            ScopeKind::Model => self.model(name, reference),
            ScopeKind::Provider if self.discovers || self.providers.contains(&**name) => None,
            ScopeKind::Provider => Some(reference.unknown("provider", name, &self.providers)),
            // Requests bring tags of their own.
            ScopeKind::Tag => None,
        }
    }

    fn model(&self, name: &str, reference: Reference<'_>) -> Option<Problem> {
        if self.takes_any_model || self.models.iter().any(|alias| alias.matches(name)) {
            return None;
        }
        let known: Vec<String> = self.models.iter().map(ToString::to_string).collect();
        let known = known.iter().map(String::as_str).collect();
        Some(reference.unknown("model", name, &known))
    }

    /// A name that the store may have too, whose ids are not known here.
    fn stored(&self, kind: &str, name: &str, known: &BTreeSet<&str>, reference: Reference<'_>) -> Option<Problem> {
        if known.contains(name) {
            return None;
        }
        if !self.may_be_stored {
            return Some(reference.unknown(kind, name, known));
        }
        // Names of a few letters are near to all others.
        let near = suggest::nearest(name, known.iter().copied().filter(|known| known.len() >= LEAST_NEAR))?;
        let message = format!("{} names the {kind} `{name}`, which the file does not have", reference.whose);
        let help = format!("did you mean `{near}`? It is right if the store has it");
        Some(Problem::warning(reference.place, message).with_help(help))
    }
}

/// What names something else, for a warning.
#[derive(Clone, Copy)]
struct Reference<'a> {
    /// What names it, in words: the budget of a name, say.
    whose: &'a str,
    place: &'a Place,
    /// What follows if nothing has the name.
    effect: &'a str,
}

impl Reference<'_> {
    /// The warning of a name that none of the known ones is.
    fn unknown(self, kind: &str, name: &str, known: &BTreeSet<&str>) -> Problem {
        let Self { whose, place, effect } = self;
        let message = format!("{whose} names the {kind} `{name}`, which does not exist: {effect}");
        let problem = Problem::warning(place, message);
        match suggest::among(name, known.iter().copied()) {
            Some(help) => problem.with_help(help),
            None => problem,
        }
    }
}

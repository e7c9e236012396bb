//! The routes of a configuration: each model's, by its name and by its target.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{Route, Target};
use weir_config::{Aliases, Model};

/// The routes of all models.
#[derive(Debug, Default)]
pub struct Routes {
    aliases: Aliases,
    /// Keyed by the model's address in memory; `aliases` keeps the models alive.
    by_model: HashMap<usize, Arc<Route>, RandomState>,
}

impl Routes {
    /// Creates a route for each model.
    pub fn new(aliases: Aliases, route: impl Fn(&Model) -> Route) -> Self {
        let by_model = aliases.iter().map(|model| (address(model), Arc::new(route(model)))).collect();
        Self { aliases, by_model }
    }

    /// The route of a model's name.
    pub fn find(&self, name: &str) -> Option<&Arc<Route>> {
        self.by_model.get(&address(self.aliases.lookup(name)?))
    }

    /// The first target, in the order of the configuration, that asks a provider for a model, with its route's alias.
    pub(crate) fn of_provider(&self, provider: &str, model: &str) -> Option<(&str, &Arc<Target>)> {
        let is_it = |target: &&Arc<Target>| *target.label == *provider && target.model.as_deref() == Some(model);
        self.iter().find_map(|(_, route)| Some((route.alias.as_str(), route.targets.iter().flatten().find(is_it)?)))
    }

    /// The aliases of other routes that ask the same providers for a model which a pattern's route passes on by its own
    /// name.
    pub(crate) fn same_as<'a>(&'a self, route: &'a Route, model: &'a str) -> impl Iterator<Item = &'a str> {
        let passes_on = |target: &&Arc<Target>| target.model.is_none();
        let labels = move || route.targets.iter().flatten().filter(passes_on).map(|target| &*target.label);
        // Most routes pass no name on, and there may be many others.
        let any = labels().next();
        let others = any.map(|_| self.aliases_at(move |label| labels().any(|one| one == label), model));
        others.into_iter().flatten().filter(move |alias| *alias != route.alias)
    }

    /// The aliases of the routes that ask any provider for a model.
    pub(crate) fn aliases_of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a str> {
        self.aliases_at(|_| true, model)
    }

    /// The aliases of the routes that ask one of these providers for a model.
    pub(crate) fn aliases_at<'a>(
        &'a self,
        is_at: impl Fn(&str) -> bool + 'a,
        model: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let is_it = move |target: &Arc<Target>| target.model.as_deref() == Some(model) && is_at(&target.label);
        let asks = move |route: &Route| route.targets.iter().flatten().any(&is_it);
        self.iter().filter(move |(_, route)| asks(route)).map(|(_, route)| route.alias.as_str())
    }

    /// Every route, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Model>, &Arc<Route>)> {
        self.aliases.iter().filter_map(|model| Some((model, self.by_model.get(&address(model))?)))
    }
}

fn address(model: &Arc<Model>) -> usize {
    Arc::as_ptr(model).addr()
}

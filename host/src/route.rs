//! From a model's name to the targets that can serve it, in order. Decisions only: nothing here does I/O.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::accept::Acceptance;
use crate::config::{Aliases, Metering, Model, Price, Provider};
use crate::contract::about::exports::weir::adapter::about::{Manifest, Operation};
use crate::contract::types::Setting;
use crate::dialect::faces::{Face, operation_name};
use crate::fault::Fault;
use crate::observe::metrics::{Labels, Metrics, Series};
use crate::plugin::Adapter;
use crate::upstream::{Base, Credential, Timeouts};

/// The header by which a request without a model says which provider it is for.
pub const PROVIDER_HEADER: &str = "x-weir-provider";

/// Where a request can go, with everything that an attempt needs.
#[derive(Debug)]
pub struct Target {
    /// The provider's name, a label.
    pub label: Arc<str>,
    /// The provider as configured.
    pub provider: Arc<Provider>,
    /// The adapter that speaks to it.
    pub adapter: Arc<Adapter>,
    /// What that adapter accepts as it is.
    pub accepts: Arc<[Acceptance]>,
    /// Where it is.
    pub base: Base,
    /// What proves who we are.
    pub credential: Option<Credential>,
    /// The provider's name for the model; the client's own if none.
    pub model: Option<String>,
    /// The format to translate to, where the adapter has several.
    pub format: Option<String>,
    /// Whether even what could be relayed is translated.
    pub translate: bool,
    /// Whether a request is refused where its translation would lose something.
    pub strict: bool,
    /// How usage is learnt in the relay lane.
    pub metering: Metering,
    /// The options, as contexts carry them.
    pub options: Vec<Setting>,
    /// Time limits.
    pub timeouts: Timeouts,
}

impl Target {
    /// The model as this provider names it.
    pub fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        self.model.as_deref().unwrap_or(asked)
    }

    /// How it takes a format for an operation as it is, if it does.
    pub fn accepts(&self, format: &str, operation: &Operation) -> Option<&Acceptance> {
        let mut able = self.able(operation);
        able.find(|one| one.format == format)
    }

    /// The acceptances of an operation for which this target sets what they need.
    fn able(&self, operation: &Operation) -> impl Iterator<Item = &Acceptance> + Clone {
        let open = |one: &&Acceptance| one.operation == *operation && one.is_open(|name| self.option(name));
        self.accepts.iter().filter(open)
    }

    /// The format to translate a client's request to: the configured one, the client's own where this adapter has it,
    /// the preferred one, the first.
    pub fn format_for<'a>(&'a self, client: &'a str, operation: &Operation) -> &'a str {
        format_for(self.format.as_deref(), client, &self.adapter.manifest, self.able(operation))
    }

    /// Takes this provider's keys out of a text: some providers repeat the key that they refuse.
    pub fn hide_keys(&self, text: &mut String) {
        self.provider.keys.iter().for_each(|key| key.hide_in(text));
        self.credential.iter().for_each(|credential| credential.hide_in(text));
    }

    /// An option as plain text: a string's own, a list's strings with commas, any other value's JSON.
    pub fn option(&self, name: &str) -> Option<String> {
        crate::accept::option(&self.options, name)
    }
}

/// The format to translate a client's request to; `able` are the acceptances of its operation.
pub fn format_for<'a>(
    configured: Option<&'a str>,
    client: &'a str,
    manifest: &'a Manifest,
    mut able: impl Iterator<Item = &'a Acceptance> + Clone,
) -> &'a str {
    if let Some(format) = configured {
        return format;
    }
    if manifest.formats.iter().any(|format| format.id == client) {
        return client;
    }
    let chosen = able.clone().find(|one| one.preferred).or_else(|| able.next());
    let first = || manifest.formats.first().map(|format| format.id.as_str());
    chosen.map(|one| one.format.as_str()).or_else(first).unwrap_or(client)
}

/// One model of the configuration, ready to be served.
#[derive(Debug)]
pub struct Route {
    /// The alias: a label.
    pub alias: String,
    /// What its tokens cost, where the operator says so.
    pub price: Option<Price>,
    /// Its targets, or why one cannot be served.
    pub targets: Vec<Result<Arc<Target>, String>>,
    /// By the face's index.
    series: RwLock<HashMap<usize, Arc<Series>>>,
}

impl Route {
    /// A route with these targets.
    pub fn new(alias: String, price: Option<Price>, targets: Vec<Result<Arc<Target>, String>>) -> Self {
        Self { alias, price, targets, series: RwLock::default() }
    }

    /// The metrics of this route for a face, which are made once.
    pub fn series(&self, metrics: &Metrics, face: &Face) -> Arc<Series> {
        if let Some(series) = self.series.read().unwrap_or_else(PoisonError::into_inner).get(&face.index) {
            return Arc::clone(series);
        }
        let provider = self.targets.iter().flatten().next().map_or("none", |target| &*target.label);
        let operation = operation_name(&face.claim.operation);
        let labels = Labels { dialect: face.format(), route: &self.alias, operation, provider, price: self.price };
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(face.index).or_insert_with(|| Arc::new(metrics.series(labels))))
    }
}

/// The targets for one request, in the order in which they are to be tried; never empty.
#[derive(Debug)]
pub struct Plan {
    /// The route that was found.
    pub route: Arc<Route>,
    /// Where to go.
    pub targets: Vec<Arc<Target>>,
}

/// All routes.
#[derive(Debug, Default)]
pub struct Routes {
    aliases: Aliases,
    /// By the model's address, which `aliases` keeps alive.
    by_model: HashMap<usize, Arc<Route>>,
}

impl Routes {
    /// The routes of these models; `route` makes each.
    pub fn new(aliases: Aliases, route: impl Fn(&Model) -> Route) -> Self {
        let by_model = aliases.iter().map(|model| (address(model), Arc::new(route(model)))).collect();
        Self { aliases, by_model }
    }

    /// The route that a model's name leads to.
    pub fn find(&self, name: &str) -> Option<&Arc<Route>> {
        self.by_model.get(&address(self.aliases.lookup(name)?))
    }

    /// Every route, in the configuration's order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Model>, &Arc<Route>)> {
        self.aliases.iter().filter_map(|model| Some((model, self.by_model.get(&address(model))?)))
    }
}

fn address(model: &Arc<Model>) -> usize {
    Arc::as_ptr(model).addr()
}

/// Decides where a request for a model goes.
pub fn plan(routes: &Routes, model: &str) -> Result<Plan, Fault> {
    let route = routes.find(model).ok_or_else(|| unknown_model(model))?;
    let targets: Vec<_> = route.targets.iter().filter_map(|target| target.as_ref().ok().cloned()).collect();
    if targets.is_empty() {
        let reason =
            route.targets.iter().find_map(|target| target.as_ref().err()).map_or("it has no target", String::as_str);
        return Err(Fault::internal(format!("the model `{}` cannot be served: {reason}", route.alias)).with_status(503));
    }
    Ok(Plan { route: Arc::clone(route), targets })
}

/// Decides where a request that names no model goes: to the provider that it names, else to the only one that takes such
/// requests as they are.
pub fn plan_for_provider(
    routes: &Routes,
    provider: Option<&str>,
    format: &str,
    operation: &Operation,
) -> Result<Plan, Fault> {
    let mut able: Vec<(&Arc<Route>, &Arc<Target>)> = Vec::new();
    for (_, route) in routes.iter() {
        for target in route.targets.iter().flatten() {
            let is_new = !able.iter().any(|(_, known)| known.label == target.label);
            if is_new && target.accepts(format, operation).is_some() {
                able.push((route, target));
            }
        }
    }
    let chosen = match (provider, able.as_slice()) {
        (Some(name), _) => able.iter().find(|(_, target)| *target.label == *name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    match chosen {
        Some((route, target)) => Ok(Plan { route: Arc::clone(route), targets: vec![Arc::clone(target)] }),
        None => Err(no_provider(provider, &able)),
    }
}

fn no_provider(asked: Option<&str>, able: &[(&Arc<Route>, &Arc<Target>)]) -> Fault {
    let names: Vec<&str> = able.iter().map(|(_, target)| &*target.label).collect();
    if names.is_empty() {
        return Fault::invalid("no configured provider takes this operation").with_code("unsupported_operation");
    }
    let able = format!("these providers take this operation: {}", names.join(", "));
    match asked {
        Some(_) => Fault::invalid(format!("{PROVIDER_HEADER} names none of those; {able}")),
        None => Fault::invalid(format!("the request names no model; say by {PROVIDER_HEADER} where it goes: {able}")),
    }
    .with_code("provider_not_chosen")
}

fn unknown_model(model: &str) -> Fault {
    let shown: String = model.chars().filter(|c| !c.is_control()).take(128).collect();
    let message = format!("the model `{shown}` is not known here; GET the list of models to see which are");
    Fault::not_found(message).at("model").with_code("model_not_found")
}

//! Guards: components that judge requests in the unified model, one after the other in the order of the configuration.
//! What a guard may see and how long it may take is decided here, and what becomes of a request that it fails to judge.

mod answer;
mod ends;
mod facts;
mod labels;
mod metrics;
mod note;
mod screen;
mod verdict;
mod webhook;

use std::sync::Arc;

use crate::auth::Caller;
use weir_adapters::catalog::Snapshot;
use weir_config::{Config, GuardFailure, GuardMode, Problem, near_names};
use weir_sandbox::guard::{Access, Facts, Phase};
use weir_sandbox::{Adapter, Interface};
use weir_types::contract::types::{ErrorKind, Setting};
use weir_types::fault::{Fault, Side};
use weir_wire::screen::Screen;

pub use answer::AnswerGuards;
pub use ends::Ends;
pub use facts::ExchangeFacts;
pub use metrics::GuardMetrics;
pub use note::{Note, Notes, header};
use screen::Screens;
pub(crate) use verdict::pass_unread;
pub use verdict::{Judgement, Turn, UnreadRequest, judge};
use webhook::Webhook;

/// A guard that will judge the answer to a request, or be notified of the end, with what it knows of the exchange.
#[derive(Debug, Clone)]
pub struct Pending {
    guard: Arc<Guard>,
    facts: Facts,
    /// The version that judges this exchange from its request to its end; `None` for a guard without a component.
    version: Option<Arc<Adapter>>,
    /// The bytes of the request.
    size: usize,
}

impl Pending {
    /// What the guard looks for in the answer; `None` if it has to be called, for example because it noted something
    /// about the request.
    pub(crate) async fn screen(&self, tenant: &Arc<str>) -> Option<Arc<Screen>> {
        if !self.facts.memo.is_empty() {
            return None;
        }
        self.guard.screen(self.version.as_ref(), tenant).await
    }

    /// Counts and notes that a whole answer passed the guard, since it has nothing that the guard looks for.
    pub(crate) fn pass_unread(&self, notes: &Notes, metrics: &GuardMetrics) {
        let (guard, verdict) = (&self.guard, "allow");
        metrics.judged_answer(&guard.name, guard.enforces(), verdict);
        notes.all().push(Note::of_answer(&guard.name, verdict, guard.enforces(), &[]));
    }
}

/// The guards of a configuration, in order.
#[derive(Debug, Default)]
pub struct Guards(Vec<Arc<Guard>>);

/// One guard with its component.
#[derive(Debug)]
pub struct Guard {
    settings: weir_config::Guard,
    name: Arc<str>,
    options: Vec<Setting>,
    judge: Judge,
    screens: Screens,
}

/// What judges.
#[derive(Debug)]
enum Judge {
    Component(Arc<Adapter>),
    Webhook(Box<Webhook>),
    /// No component of this name is loaded, or the service cannot be called.
    Missing,
}

impl Guards {
    /// Finds the component of each guard. A guard without one stays, and fails as its `fail` says.
    pub fn new(config: &Config, adapters: &Snapshot, problems: &mut Vec<Problem>) -> Self {
        let guard = |settings: &weir_config::Guard| {
            let judge = Judge::of(settings, config.outbound.as_ref(), adapters).unwrap_or_else(|problem| {
                problems.push(problem);
                Judge::Missing
            });
            let options = settings.options.values.iter();
            let guard = Guard {
                name: settings.name().into(),
                options: options.map(|(key, value)| Setting { key: key.clone(), json: value.to_string() }).collect(),
                judge,
                screens: Screens::default(),
                settings: settings.clone(),
            };
            problems.extend(guard.is_blind().then(|| sees_nothing(settings)));
            Arc::new(guard)
        };
        Self(config.guards.iter().map(guard).collect())
    }

    /// The guards that judge a request of this caller for one of these models, judge its answer, or are notified of its
    /// end. A request that names no model may be for any.
    pub fn of<T: AsRef<str>>(&self, caller: &Caller, models: &[T]) -> Vec<&Arc<Guard>> {
        let judges = |guard: &&Arc<Guard>| guard.judges_requests() || guard.judges_answers() || guard.notes_ends();
        self.0.iter().filter(|guard| judges(guard) && guard.is_for_any(models) && guard.is_for_caller(caller)).collect()
    }

    /// Whether any guard judges only requests for certain models.
    pub(crate) fn differ_by_model(&self) -> bool {
        self.0.iter().any(|guard| !guard.settings.scope.models.is_empty())
    }

    /// Refuses a request at an endpoint where nothing is read in the unified model, if a guard would have to judge it
    /// whose failures refuse requests. `models` are the names of its model; if it is empty, the request may be for any.
    ///
    /// # Errors
    ///
    /// There is such a guard.
    pub(crate) fn refuse_unreadable(&self, caller: &Caller, models: &[&str], entry_point: &str) -> Result<(), Fault> {
        let is_concerned =
            |guard: &&Arc<Guard>| !guard.fails_open() && guard.is_for_any(models) && guard.is_for_caller(caller);
        let Some(guard) = self.0.iter().find(is_concerned) else { return Ok(()) };
        let what = format!("requests, and cannot read those by {entry_point}: call an endpoint that serves models");
        Err(guard.cannot_judge_this(&what))
    }

    /// Refuses work on what a provider stores, such as a file of requests, and reading its results, if a guard of any
    /// model would have to judge the requests or the answers and its failures refuse requests.
    ///
    /// # Errors
    ///
    /// There is such a guard.
    pub(crate) fn refuse_work(&self, caller: &Caller) -> Result<(), Fault> {
        let is_concerned = |guard: &&Arc<Guard>| {
            let judges_content = guard.sees_requests() || guard.judges_answers();
            judges_content && !guard.fails_open() && guard.is_for_caller(caller)
        };
        let Some(guard) = self.0.iter().find(is_concerned) else { return Ok(()) };
        Err(guard.cannot_judge_this("requests and answers, and sees none of a batch: send each request by itself"))
    }

    /// Refuses to fetch an answer that a provider has kept, if a guard of any model would have to judge it whose
    /// failures refuse requests.
    ///
    /// # Errors
    ///
    /// There is such a guard.
    pub(crate) fn refuse_kept_answers(&self, caller: &Caller) -> Result<(), Fault> {
        let is_concerned =
            |guard: &&Arc<Guard>| guard.judges_answers() && !guard.fails_open() && guard.is_for_caller(caller);
        let Some(guard) = self.0.iter().find(is_concerned) else { return Ok(()) };
        Err(guard.cannot_judge_this("answers, and cannot judge one that its provider has kept: keep what was answered"))
    }
}

impl Guard {
    /// The name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The refusal of what it cannot judge.
    fn cannot_judge_this(&self, what: &str) -> Fault {
        let message = format!(
            "the guard `{}` judges this key's {what}, or ask the operator to leave this key out of the guard's `for`, or \
             to let its failures pass",
            self.name
        );
        Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403).with_code("guard_cannot_judge")
    }

    /// Whether it may see the content of requests.
    pub(crate) fn sees_requests(&self) -> bool {
        self.judges_requests() && self.access() != Access::None
    }

    /// Whether a request passes if the guard fails to judge it.
    pub(crate) fn fails_open(&self) -> bool {
        self.settings.fail == GuardFailure::Open || !self.enforces()
    }

    /// Whether its verdicts take effect.
    pub(crate) fn enforces(&self) -> bool {
        self.settings.mode == GuardMode::Enforce
    }

    /// Whether it judges requests. A guard without a component counts as one that does, so that its failure is noticed.
    fn judges_requests(&self) -> bool {
        self.manifest().is_none_or(|manifest| manifest.phases.contains(&Phase::Request))
    }

    /// Whether it judges answers: it does so only if it may see them.
    pub(crate) fn judges_answers(&self) -> bool {
        self.manifest().is_some_and(|manifest| manifest.phases.contains(&Phase::Event))
            && self.answer_access() != Access::None
    }

    /// Whether it takes note of the end of exchanges. It gets no content then.
    fn notes_ends(&self) -> bool {
        self.manifest().is_some_and(|manifest| manifest.phases.contains(&Phase::End))
    }

    /// The access to answers that it asks for and that the operator granted.
    fn answer_access(&self) -> Access {
        match self.manifest() {
            Some(manifest) if self.settings.grants.answer => manifest.answer,
            _ => Access::None,
        }
    }

    /// The version of its component for the next exchange. A version may not understand what another one noted about a
    /// request.
    fn version(&self) -> Option<Arc<Adapter>> {
        match &self.judge {
            Judge::Component(adapter) => Some(adapter.choose().adapter),
            Judge::Webhook(_) | Judge::Missing => None,
        }
    }

    /// Whether its component may say what it looks for.
    fn has_screen(&self) -> bool {
        matches!(&self.judge, Judge::Component(adapter) if adapter.has(Interface::Screen))
    }

    /// What a version of its component looks for; `None` if it has to judge everything, or cannot say.
    async fn screen(&self, version: Option<&Arc<Adapter>>, tenant: &Arc<str>) -> Option<Arc<Screen>> {
        let screen = self.screens.of(version?, &self.options, self.settings.deadline, tenant).await;
        screen.unwrap_or_else(|fault| {
            tracing::warn!(guard = &*self.name, error = %fault, "guard failed to say what it looks for");
            None
        })
    }

    fn manifest(&self) -> Option<&weir_sandbox::GuardManifest> {
        match &self.judge {
            Judge::Component(adapter) => adapter.guard.as_ref(),
            Judge::Webhook(webhook) => Some(webhook.manifest()),
            Judge::Missing => None,
        }
    }

    /// The access to requests that it asks for and that the operator granted.
    fn access(&self) -> Access {
        match self.manifest() {
            Some(manifest) if self.settings.grants.prompt => manifest.prompt,
            _ => Access::None,
        }
    }

    /// Whether it asks for content and is granted none, so that it would allow everything.
    fn is_blind(&self) -> bool {
        let asks = self.manifest().is_some_and(|of| of.prompt != Access::None || of.answer != Access::None);
        asks && self.access() == Access::None && self.answer_access() == Access::None
    }

    /// Whether it may see the client's labels and its name for its end user.
    fn sees_metadata(&self) -> bool {
        self.settings.grants.metadata && self.manifest().is_some_and(|manifest| manifest.metadata)
    }

    /// Whether it is for one of these models, or for those of a request that names none.
    fn is_for_any<T: AsRef<str>>(&self, models: &[T]) -> bool {
        let own = &self.settings.scope.models;
        let is_own = |model: &T| own.iter().any(|alias| alias.matches(model.as_ref()));
        own.is_empty() || models.is_empty() || models.iter().any(is_own)
    }

    fn is_for_caller(&self, caller: &Caller) -> bool {
        let scope = &self.settings.scope;
        let is_among = |names: &[String], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|one| one == name))
        };
        is_among(&scope.clients, facts::client_of(caller)) && is_among(&scope.teams, facts::team_of(caller))
    }
}

impl Judge {
    /// What judges for a guard, or why nothing does.
    fn of(
        settings: &weir_config::Guard,
        outbound: Option<&weir_config::Outbound>,
        adapters: &Snapshot,
    ) -> Result<Self, Problem> {
        if let Some(webhook) = &settings.webhook {
            let made = Webhook::new(webhook, outbound).map(|webhook| Self::Webhook(Box::new(webhook)));
            return made.map_err(|error| cannot_judge(settings, &error.to_string()));
        }
        let adapter = adapters.adapters.get(settings.plugin()).filter(|adapter| adapter.guard.is_some());
        adapter.cloned().map(Self::Component).ok_or_else(|| missing(settings, adapters))
    }
}

fn missing(settings: &weir_config::Guard, adapters: &Snapshot) -> Problem {
    let plugin = settings.plugin();
    let reason = match (adapters.refused.get(plugin), adapters.adapters.get(plugin)) {
        (Some(refusal), _) => format!("`{plugin}` was refused: {}", refusal.reason),
        (None, Some(_)) => format!("`{plugin}` is an adapter and no guard"),
        (None, None) => format!("there is no component `{plugin}`"),
    };
    let problem = cannot_judge(settings, &reason);
    if adapters.refused.contains_key(plugin) {
        // The reason has the remedy.
        return problem;
    }
    let guards = adapters.adapters.values().filter(|adapter| adapter.guard.is_some());
    let loaded: Vec<&str> = guards.map(|guard| &*guard.name).collect();
    if loaded.is_empty() {
        return problem.with_help("`cargo xtask plugins` builds the bundled guards, `plugins.dir` names the folder");
    }
    let meant = near_names(plugin, loaded.iter().copied()).first().map(|near| format!("did you mean `{near}`? "));
    problem.with_help(format!("{}loaded are {}", meant.unwrap_or_default(), loaded.join(", ")))
}

fn sees_nothing(settings: &weir_config::Guard) -> Problem {
    let message = format!("the guard `{}` sees neither requests nor answers, and allows all of them", settings.name());
    Problem::warning(&settings.place, message)
        .with_help("grant what it is to judge, such as `grants = { prompt = true }`")
}

fn cannot_judge(settings: &weir_config::Guard, reason: &str) -> Problem {
    let name = settings.name();
    match settings.fail {
        GuardFailure::Closed if settings.mode == GuardMode::Enforce => {
            let message = format!("the guard `{name}` cannot judge, and its requests are refused: {reason}");
            Problem::error(&settings.place, message)
        }
        GuardFailure::Closed | GuardFailure::Open => {
            let message = format!("the guard `{name}` cannot judge, and its requests pass unjudged: {reason}");
            Problem::warning(&settings.place, message)
        }
    }
}

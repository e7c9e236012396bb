//! Dry run of routing: the targets that a request for a model would be sent to, with the reasons and the losses.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;

use super::{DryRun, Explained, explain};
use crate::auth::Caller;
use crate::dialect::request_peek::{PeekPlan, RequestPeek};
use crate::health::{Health, Rest, TargetStatus};
use crate::provenance::{Carried, Provenance};
use crate::route::fit::Needs;
use crate::route::{Circumstances, Plan, Target, USUAL_LIST, plan, unknown_model};
use crate::serving::Serving;
use weir_config::{Affinity, Strategy};
use weir_translate::dialect::endpoints::Head;
use weir_translate::dialect::path::PathParams;
use weir_types::contract::types::{Body, Header, HttpRequest, Loss};
use weir_types::fault::{Fault, loss_kind};

/// The most targets for which the request is rendered.
const MAX_RENDERED: usize = 8;

/// The request whose routing is explained.
#[derive(Debug, Default)]
pub struct RouteQuestion {
    /// The model in the client's spelling.
    pub model: String,
    /// A request's format and body; optional.
    pub request: Option<(String, Bytes)>,
    /// Whether the request asks for a stream, for formats in which the path decides.
    pub stream: bool,
    /// The value of the session header, for affinity.
    pub session: Option<String>,
    /// The name of the client that makes the request. Only values from its own earlier answers count.
    pub client: Option<String>,
    /// The provider that the request selects.
    pub provider: Option<String>,
}

/// The result of a dry run of routing.
#[derive(Debug, Serialize)]
pub struct RouteExplained {
    /// The alias that matches the model.
    pub alias: String,
    /// The name of the route's strategy.
    pub strategy: &'static str,
    /// The features that the request uses.
    pub needs: Vec<String>,
    /// The targets in the order in which they would be tried, and then those that would not be tried.
    pub targets: Vec<TargetExplained>,
}

/// The position of one target.
#[derive(Debug, Serialize)]
pub struct TargetExplained {
    /// The alias that it is a target of: the matching one or a fallback.
    pub alias: String,
    /// The provider's name.
    pub provider: String,
    /// The provider's name for the model.
    pub model: String,
    /// The adapter's name.
    pub adapter: String,
    /// The position in the order, from 1; `None` if the target would not be tried.
    pub place: Option<usize>,
    /// Why the target has this position, or none.
    pub why: String,
    /// `relay` or `translate`, if a request was given.
    pub lane: Option<&'static str>,
    /// Why the request would be translated.
    pub reason: Option<String>,
    /// The fields that would be lost.
    pub losses: Vec<LossExplained>,
    /// Why the request could not be sent to this target.
    pub refused: Option<String>,
    /// What the provider would be sent, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamRequest>,
}

/// A request as a provider would get it.
#[derive(Debug, Serialize)]
pub struct UpstreamRequest {
    /// In capitals, as it would be sent.
    pub method: String,
    /// The path below the provider's url.
    pub path: String,
    /// The names and values of the query.
    pub query: Vec<(String, String)>,
    /// The names and values of the headers.
    pub headers: Vec<(String, String)>,
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub body: String,
}

/// A field that would be lost.
#[derive(Debug, Serialize)]
pub struct LossExplained {
    /// The field's name.
    pub field: String,
    /// `dropped`, `clamped` or `approximated`.
    pub kind: &'static str,
    /// Why the field would be lost.
    pub note: Option<String>,
}

/// Makes a dry run of routing.
///
/// # Errors
///
/// The error that the client would get.
pub async fn explain_route(
    serving: &Serving,
    health: &Health,
    provenance: &Provenance,
    question: &RouteQuestion,
) -> Result<RouteExplained, Fault> {
    let now = Instant::now();
    let peek = read(serving, question)?;
    let needs = peek.as_ref().map(RequestPeek::features).unwrap_or_default();
    let carried = carried(provenance, question, peek.as_ref());
    let (plan, left_out) = planned(serving, health, question, &needs, &carried, now)?;
    let mut targets = Vec::new();
    for (number, candidate) in plan.candidates.iter().enumerate() {
        let why = position_reason(&plan, number, health, now, &question.model);
        let mut found = shown(&candidate.route.alias, &candidate.target, Some(number + 1), why);
        if let Some((from, body)) = question.request.as_ref().filter(|_| number < MAX_RENDERED) {
            note(&mut found, explain(serving, &asked(question, from, body, Some(&candidate.target))).await);
        }
        targets.push(found);
    }
    targets.extend(left_out);
    let strategy = name(plan.route.strategy);
    Ok(RouteExplained { alias: plan.route.alias.clone(), strategy, needs, targets })
}

/// The plan, and the targets that it leaves out.
fn planned(
    serving: &Serving,
    health: &Health,
    question: &RouteQuestion,
    needs: &[String],
    carried: &Carried,
    now: Instant,
) -> Result<(Plan, Vec<TargetExplained>), Fault> {
    let body_len = question.request.as_ref().map_or(0, |(_, body)| body.len());
    let session = |affinity: &Affinity| match affinity {
        Affinity::Tenant => Some(String::new()),
        Affinity::Session | Affinity::Header(_) => question.session.clone(),
    };
    let circumstances = Circumstances {
        health,
        now,
        session: &session,
        needs: Needs { features: needs, body_len },
        provider: question.provider.as_deref(),
        carried,
        embeds: false,
        only_looks: true,
    };
    if serving.routes.find(&question.model).is_none() {
        return Err(unknown_model(&question.model, serving.model_names(&Caller::anonymous(None)), USUAL_LIST));
    }
    let plan = plan(&serving.routes, &question.model, circumstances)?;
    let out = left_out(serving, &plan, now);
    Ok((plan, out))
}

/// Peeks at the request, if one was given.
fn read(serving: &Serving, question: &RouteQuestion) -> Result<Option<RequestPeek>, Fault> {
    let Some((from, body)) = &question.request else { return Ok(None) };
    let about = asked(question, from, body, None);
    let endpoint = super::endpoint(serving, &about)?;
    let head = HeaderMap::new();
    let plan = Arc::new(PeekPlan::new(endpoint, std::iter::empty(), true));
    plan.read(std::slice::from_ref(body), &PathParams::default(), &Head { headers: &head, query: "" }).map(Some)
}

/// Looks up the issuers of the values that the request carries.
fn carried(provenance: &Provenance, question: &RouteQuestion, peek: Option<&RequestPeek>) -> Carried {
    let (Some((_, body)), Some(peek)) = (&question.request, peek) else { return Carried::default() };
    let (tenant, body) = (question.client.as_deref().unwrap_or_default(), std::slice::from_ref(body));
    let mut carried = Carried::in_body(provenance, tenant, body);
    carried.names(provenance, tenant, peek.object_ids(body, &PathParams::default()).all());
    carried
}

fn name(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Priority => "priority",
        Strategy::Weighted => "weighted",
        Strategy::RoundRobin => "round-robin",
        Strategy::LeastLatency => "least-latency",
        Strategy::LeastBusy => "least-busy",
        Strategy::Cheapest => "cheapest",
    }
}

/// The dry run of translation for a target.
fn asked(question: &RouteQuestion, from: &str, body: &Bytes, target: Option<&Target>) -> DryRun {
    DryRun {
        from: from.to_owned(),
        operation: "chat".to_owned(),
        to: target.map(|target| target.adapter.name.to_string()).unwrap_or_default(),
        to_format: target.and_then(|target| target.format.clone()),
        model: Some(target.map_or(question.model.as_str(), |target| target.model(&question.model)).to_owned()),
        options: target.map(|target| target.options.clone()).unwrap_or_default(),
        translate: target.is_some_and(|target| target.translate),
        resume: target.is_some_and(|target| target.resume),
        capabilities: target.map(|target| target.capabilities_of(&question.model)),
        stream: question.stream,
        body: body.clone(),
    }
}

fn shown(alias: &str, target: &Target, place: Option<usize>, why: String) -> TargetExplained {
    TargetExplained {
        alias: alias.to_owned(),
        provider: target.label.to_string(),
        model: target.model_label().to_owned(),
        adapter: target.adapter.name.to_string(),
        place,
        why,
        lane: None,
        reason: None,
        losses: Vec::new(),
        refused: None,
        upstream: None,
    }
}

/// Adds the result of translating the request for this target.
fn note(target: &mut TargetExplained, explained: Result<Explained, Fault>) {
    match explained {
        Err(fault) => target.refused = Some(fault.to_string()),
        Ok(explained) => {
            target.lane = Some(if explained.translated.is_some() { "translate" } else { "relay" });
            target.reason = explained.translated;
            target.losses = explained.losses.into_iter().map(lost).collect();
            target.upstream = Some(upstream(explained.request));
        }
    }
}

fn upstream(request: HttpRequest) -> UpstreamRequest {
    let pairs = |list: Vec<Header>| list.into_iter().map(|one| (one.name, one.value)).collect();
    let body = match request.body {
        Body::Text(text) => text,
        Body::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    UpstreamRequest {
        method: request.method,
        path: request.path,
        query: pairs(request.query),
        headers: pairs(request.headers),
        body,
    }
}

fn lost(loss: Loss) -> LossExplained {
    LossExplained { field: loss.field, kind: loss_kind(loss.kind), note: loss.note }
}

/// Why a target has its position.
fn position_reason(plan: &Plan, number: usize, health: &Health, now: Instant, model: &str) -> String {
    let Some(candidate) = plan.candidates.get(number) else { return String::new() };
    let target = &candidate.target;
    let is_well = candidate.status(health, now) == TargetStatus::Well;
    if let Some(reason) = plan.carried.reason(&target.id).filter(|_| is_well) {
        return format!("it {reason}");
    }
    if !Arc::ptr_eq(&candidate.route, &plan.route) {
        return format!("a fallback, should all targets of `{}` fail", plan.route.alias);
    }
    let known = health.known(&candidate.health);
    let by = match candidate.route.strategy {
        Strategy::Priority => "the order of the configuration".to_owned(),
        Strategy::Weighted => format!("drawn with the weight {}", target.weight),
        Strategy::RoundRobin => "its turn".to_owned(),
        Strategy::LeastLatency => match known.as_ref().and_then(|known| known.latency(now)) {
            Some(latency) => format!("a first piece after {} ms of late", latency.as_millis()),
            None => "nothing is known of how fast it is".to_owned(),
        },
        Strategy::LeastBusy => {
            format!("{} exchanges under way", known.map_or(0, |known| known.in_flight()))
        }
        Strategy::Cheapest => match target.dearness(model) {
            Some(dollars) => format!("{dollars} dollars for a million tokens of input and as many of output"),
            None => "its price is unknown".to_owned(),
        },
    };
    match candidate.status(health, now) {
        TargetStatus::Resting(_, Rest::Refused) => format!("{by}; last, because its keys were refused"),
        TargetStatus::Resting(_, Rest::Unstated) => {
            format!("{by}; late, because it asked for fewer requests a moment ago")
        }
        _ => by,
    }
}

/// The targets of the route and its fallbacks that the plan leaves out.
fn left_out(serving: &Serving, plan: &Plan, now: Instant) -> Vec<TargetExplained> {
    let fallbacks = plan.route.fallbacks.iter().filter_map(|name| serving.routes.find(name));
    let routes = std::iter::once(&plan.route).chain(fallbacks);
    let all = routes.flat_map(|route| route.targets.iter().flatten().map(move |target| (route, target)));
    let is_out = |target: &Target| !plan.candidates.iter().any(|candidate| candidate.target.id == target.id);
    all.filter(|(_, target)| is_out(target))
        .map(|(route, target)| {
            let skipped = plan.skipped.iter().find(|skipped| skipped.candidate.target.id == target.id);
            let why = skipped.map_or_else(|| "another provider was asked for".to_owned(), |one| one.why.text(now));
            shown(&route.alias, target, None, why)
        })
        .collect()
}

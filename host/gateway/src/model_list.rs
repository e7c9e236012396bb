//! Lists of models: the configured names and, for patterns, the models that providers list.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::Response;

use crate::attempt::{InboundRequest, ReplyBody, RequestContext, ask_models, set_adapter_headers};
use crate::observe::log::clean::cleaned;
use crate::route::{Target, USUAL_LIST, unknown_model};
use crate::serving::Serving;
use weir_config::Alias;
use weir_translate::unified::{Answer, Request, blame, parse, render_answer};
use weir_types::contract::types::{Body, Context, Header, HttpRequest, ModelInfo, ModelsRequest, ModelsResponse};
use weir_types::fault::Fault;
use weir_types::query;

/// How long a provider's list is cached, and how long a failure to fetch it is.
const FRESH: Duration = Duration::from_mins(5);
const FRESH_FAILURE: Duration = Duration::from_secs(30);
/// How long to wait for a provider's list.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Cached lists of models, one for each provider.
#[derive(Debug, Default)]
pub struct Lists(Mutex<HashMap<Arc<str>, Arc<List>>>);

/// The cached list of one provider.
#[derive(Debug, Default)]
struct List {
    /// Held by the request that fetches the list. Other requests wait for it; if it is cancelled, the next one
    /// fetches.
    asking: tokio::sync::Mutex<()>,
    kept: Mutex<Option<CachedList>>,
}

#[derive(Debug, Clone)]
struct CachedList {
    until: Instant,
    models: Arc<[ModelInfo]>,
}

impl Lists {
    /// Clears the cache, since the configuration has changed. A fetch in progress is no longer cached.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn of(&self, provider: &Arc<str>) -> Arc<List> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lists.entry(Arc::clone(provider)).or_default())
    }
}

impl List {
    fn get(&self) -> Option<Arc<[ModelInfo]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|kept| kept.until > Instant::now()).map(|kept| Arc::clone(&kept.models))
    }

    fn put(&self, models: Arc<[ModelInfo]>, fresh: Duration) {
        let kept = CachedList { until: Instant::now() + fresh, models };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

/// Answers a request for the list, or for one model.
pub async fn answer(
    context: RequestContext<'_>,
    serving: &Serving,
    lists: &Lists,
    inbound: &InboundRequest,
) -> Result<Response<ReplyBody>, Fault> {
    let adapter = inbound.side.dialect().ok_or_else(|| Fault::internal("a program's list is not written as bytes"))?;
    let mut dialect = adapter.lease(Arc::clone(&inbound.caller.tenant)).await.map_err(|fault| blame(&fault))?;
    let mut ctx = list_context(inbound);
    let http = HttpRequest {
        method: inbound.method.as_str().to_owned(),
        path: inbound.path.clone(),
        query: query::pairs(&inbound.query).map(|(name, value)| Header { name, value }).collect(),
        headers: Vec::new(),
        body: Body::Bytes(inbound.body.concat()),
    };
    let parsed = parse(&mut dialect, inbound.operation(), &ctx, &http)?;
    let Request::Models(mut request) = parsed.request else {
        return Err(Fault::internal("a request for models was read as something else"));
    };
    ctx.memo = parsed.memo;
    if request.id.is_none() {
        request.id = inbound.peek.model.clone().filter(|model| !model.is_empty());
    }
    let all = known(context, serving, lists, inbound).await;
    let models = select(serving, inbound, all, &request)?;
    let rendered = render_answer(&mut dialect, &ctx, &Answer::Models(ModelsResponse { models, cursor: None }))?;
    dialect.release();
    let bytes = match rendered.response.body {
        Body::Text(text) => Bytes::from(text),
        Body::Bytes(bytes) => Bytes::from(bytes),
    };
    let mut response = Response::new(ReplyBody::from(bytes));
    set_adapter_headers(response.headers_mut(), &rendered.response.headers);
    Ok(response)
}

fn list_context(inbound: &InboundRequest) -> Context {
    Context {
        model: inbound.model().to_owned(),
        format: inbound.endpoint.format().to_owned(),
        ..Context::new(&inbound.exchange.id, inbound.exchange.now_ms)
    }
}

/// The requested model, or all.
fn select(
    serving: &Serving,
    inbound: &InboundRequest,
    all: Vec<ModelInfo>,
    request: &ModelsRequest,
) -> Result<Vec<ModelInfo>, Fault> {
    let Some(id) = &request.id else { return Ok(all) };
    if let Some(found) = all.into_iter().find(|info| info.id == *id) {
        return Ok(vec![found]);
    }
    // A pattern also serves names that no list has. A model that the client may not use is reported as unknown.
    let Some(route) = serving.routes.find(id).filter(|_| inbound.caller.may_use(id)) else {
        return Err(unknown_model(id, serving.model_names(&inbound.caller), &list_for(serving, inbound)));
    };
    Ok(vec![info(id, route.targets.iter().find_map(|target| target.as_ref().ok()))])
}

/// Where the client of a request finds the models that it may use.
pub(crate) fn list_for(serving: &Serving, inbound: &InboundRequest) -> String {
    let own = inbound.side.list_of_models().map(str::to_owned);
    own.unwrap_or_else(|| list_at(serving, &inbound.endpoint.adapter, &inbound.path))
}

/// The list's path for a client that has called this path of an adapter's face.
pub(crate) fn list_at(serving: &Serving, adapter: &str, called: &str) -> String {
    let path = serving.endpoints.list_of_models(adapter, called);
    path.map_or_else(|| USUAL_LIST.to_owned(), |path| format!("GET {path}"))
}

/// Exact names first, then the models that providers list for patterns, then the caller's aliases; the first of equal
/// names counts.
pub(crate) async fn known(
    context: RequestContext<'_>,
    serving: &Serving,
    lists: &Lists,
    inbound: &InboundRequest,
) -> Vec<ModelInfo> {
    let mut all: Vec<ModelInfo> = Vec::new();
    let mut patterns: Vec<(&Alias, &Arc<Target>)> = Vec::new();
    for (model, route) in serving.routes.iter() {
        let target = route.targets.iter().find_map(|target| target.as_ref().ok());
        match (model.alias.exact(), target) {
            (Some(name), target) if inbound.caller.may_use(name) => all.push(info(name, target)),
            (None, Some(target)) => patterns.push((&model.alias, target)),
            (Some(_), _) | (None, None) => {}
        }
    }
    let mut names: HashSet<String> = all.iter().map(|known| known.id.clone()).collect();
    let listed = patterns.iter().map(|(_, target)| list(context, lists, inbound, target));
    for ((alias, target), models) in patterns.iter().zip(join_all(listed).await) {
        for model in models.iter().filter(|model| alias.matches(&model.id)) {
            // A target with a fixed model serves only that one, whatever the provider lists.
            let is_served = target.model.is_none() && inbound.caller.may_use(&model.id);
            if is_served && names.insert(model.id.clone()) {
                all.push(model.clone());
            }
        }
    }
    all.extend(aliases(serving, inbound).filter(|alias| names.insert(alias.id.clone())));
    all
}

/// The aliases of a stored key that lead to a model here.
fn aliases<'a>(serving: &'a Serving, inbound: &'a InboundRequest) -> impl Iterator<Item = ModelInfo> + 'a {
    let stored = inbound.caller.stored.as_ref();
    let names = stored.into_iter().flat_map(|stored| stored.aliases().into_iter().map(move |name| (stored, name)));
    names.filter(|(stored, name)| stored.may_use(name)).filter_map(|(stored, name)| {
        let route = serving.routes.find(stored.model(name))?;
        Some(info(name, route.targets.iter().find_map(|target| target.as_ref().ok())))
    })
}

fn info(id: &str, target: Option<&Arc<Target>>) -> ModelInfo {
    ModelInfo {
        id: id.to_owned(),
        display_name: None,
        created_ms: None,
        owner: target.map(|target| target.label.to_string()),
        context_tokens: None,
        output_tokens: None,
        extensions: Vec::new(),
    }
}

/// A provider's own list; empty if it does not arrive in time. Concurrent requests wait for one fetch.
async fn list(
    context: RequestContext<'_>,
    lists: &Lists,
    inbound: &InboundRequest,
    target: &Arc<Target>,
) -> Arc<[ModelInfo]> {
    let list = lists.of(&target.label);
    if let Some(models) = list.get() {
        return models;
    }
    let Ok(_turn) = tokio::time::timeout(TIMEOUT, list.asking.lock()).await else { return Arc::from([]) };
    if let Some(models) = list.get() {
        return models;
    }
    let (models, fresh) = match tokio::time::timeout(TIMEOUT, ask_models(context, inbound, target)).await {
        Ok(Ok(models)) => (models, FRESH),
        Ok(Err(fault)) => {
            tracing::info!(provider = %target.label, fault = cleaned(&fault), "provider gave no list of models");
            (Vec::new(), FRESH_FAILURE)
        }
        Err(_) => {
            tracing::info!(provider = %target.label, "provider gave no list of models in time");
            (Vec::new(), FRESH_FAILURE)
        }
    };
    let models: Arc<[ModelInfo]> = models.into();
    list.put(Arc::clone(&models), fresh);
    models
}

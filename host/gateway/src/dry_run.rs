//! Dry run of a translation: the request that would be sent to a provider, and its losses.

pub mod route;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use crate::accept::{Acceptance, Filling, option};
use crate::attempt::{ClientFields, adapt_to_model};
use crate::dialect::request_peek::{PeekPlan, RequestPeek};
use crate::model_catalog;
use crate::route::format_for;
use crate::route::lane::{Lane, LaneSettings};
use crate::serving::{Serving, given_option_mistakes};
use weir_config::{Capabilities, Options, near_names};
use weir_sandbox::Adapter;
use weir_translate::dialect::endpoints::{Endpoint, Head, Lookup};
use weir_translate::dialect::path::PathParams;
use weir_translate::unified::{Request, parse, render};
use weir_types::contract::about::{ModelPlace, StreamFlag};
use weir_types::contract::types::{Body, Context, HttpRequest, Loss, RenderedRequest, Setting};
use weir_types::fault::Fault;
use weir_upstream::encode_segment;
use weir_wire::estimate;
use weir_wire::peek::{Edit, splice};

/// A client's request and its destination.
#[derive(Debug)]
pub struct DryRun {
    /// The client's format.
    pub from: String,
    /// The operation's name.
    pub operation: String,
    /// The provider's adapter.
    pub to: String,
    /// The provider's format, if its adapter has several.
    pub to_format: Option<String>,
    /// The provider's name for the model.
    pub model: Option<String>,
    /// Options for the provider's adapter.
    pub options: Vec<Setting>,
    /// Whether to translate even if the request could be relayed.
    pub translate: bool,
    /// Whether the target resumes broken streams, which requires translation.
    pub resume: bool,
    /// The model's abilities; `None` takes them from the bundled file.
    pub capabilities: Option<Capabilities>,
    /// Whether to ask for a streamed answer, for formats in which the path decides.
    pub stream: bool,
    /// The request's body.
    pub body: Bytes,
}

/// The result of a dry run.
#[derive(Debug)]
pub struct Explained {
    /// Why the request would be translated; `None` if it would be relayed.
    pub translated: Option<String>,
    /// The format of the upstream request.
    pub format: String,
    /// The upstream request, without credentials.
    pub request: HttpRequest,
    /// The fields that the translation would lose.
    pub losses: Vec<Loss>,
}

/// Makes a dry run of a request.
///
/// # Errors
///
/// The error that the client would get.
pub async fn explain(serving: &Serving, question: &DryRun) -> Result<Explained, Fault> {
    let endpoint = endpoint(serving, question)?;
    let provider = adapter(serving, &question.to)?;
    check_format(provider, question.to_format.as_deref())?;
    let path = path(question, endpoint)?;
    let path_params = path_params(serving, endpoint, &path)?;
    let accepts = acceptances(serving, provider)?;
    let plan = Arc::new(PeekPlan::new(endpoint, accepts.iter(), false));
    let head = HeaderMap::new();
    let about = Head { headers: &head, query: "" };
    let peek = plan.read(std::slice::from_ref(&question.body), &path_params, &about)?;
    let option = |name: &str| option(&question.options, name);
    let of_operation = |one: &&Acceptance| one.operation == endpoint.face.operation && one.is_open(option);
    let accepted = accepts.iter().filter(of_operation).find(|one| one.format == question.from && one.is_relayed());
    let wishes = LaneSettings { translate: question.translate, resume: question.resume, strip: false };
    match Lane::of(&peek, &endpoint.face.operation, accepted, wishes) {
        Lane::Relay(acceptance) => relayed(question, &peek, &path_params, acceptance),
        Lane::Translate(cause) => {
            let acceptances = accepts.iter().filter(of_operation);
            let format = format_for(question.to_format.as_deref(), &question.from, &provider.manifest, acceptances);
            let format = format.to_owned();
            let way = Direction { endpoint, provider, path, format };
            let why = cause.text(&question.to, &question.from);
            translated(serving, question, &peek, way, Some(why)).await
        }
    }
}

/// Checks that there are the formats, the operation, the adapter and its options that a dry run names.
///
/// # Errors
///
/// What there is not, with what there is.
pub fn check_names(serving: &Serving, question: &DryRun) -> Result<(), Fault> {
    endpoint(serving, question)?;
    let provider = adapter(serving, &question.to)?;
    check_format(provider, question.to_format.as_deref())?;
    check_options(provider, &question.options)
}

fn endpoint<'s>(serving: &'s Serving, question: &DryRun) -> Result<&'s Arc<Endpoint>, Fault> {
    let all = serving.endpoints.all();
    let mut of_format = all.iter().filter(|endpoint| endpoint.format() == question.from).peekable();
    if of_format.peek().is_none() {
        let mut known: Vec<&str> = all.iter().map(|endpoint| endpoint.format()).collect();
        known.sort_unstable();
        known.dedup();
        let problem = format!("no adapter has the format `{}` for clients", question.from);
        // A family's name alone means its first format of the operation.
        let is_of_family = |endpoint: &&Arc<Endpoint>| {
            endpoint.face.operation.name() == question.operation
                && endpoint.format().split_once('.').is_some_and(|(family, _)| family == question.from)
        };
        let of_family = all.iter().filter(is_of_family).map(|endpoint| endpoint.format()).min();
        return Err(not_known(&problem, of_family.unwrap_or(&question.from), &known));
    }
    let fits = |endpoint: &&Arc<Endpoint>| endpoint.face.operation.name() == question.operation;
    let streams = |endpoint: &&Arc<Endpoint>| !matches!(endpoint.face.stream, StreamFlag::Constant(constant) if constant != question.stream);
    // A body without a model was sent to an endpoint whose path names it.
    let in_path = question.model.is_some() && !names_model(all, question);
    let found =
        of_format.filter(fits).min_by_key(|endpoint| (!streams(endpoint), takes_model_from_path(endpoint) != in_path));
    found.ok_or_else(|| {
        let of_format = all.iter().filter(|endpoint| endpoint.format() == question.from);
        let mut known: Vec<&str> = of_format.map(|endpoint| endpoint.face.operation.name()).collect();
        known.sort_unstable();
        known.dedup();
        let problem = format!("`{}` has no operation `{}`", question.from, question.operation);
        not_known(&problem, &question.operation, &known)
    })
}

fn takes_model_from_path(endpoint: &Endpoint) -> bool {
    endpoint.face.model.iter().any(|place| matches!(place, ModelPlace::Path))
}

/// Whether the body names the model where an endpoint looks for it. One that cannot be read is refused later.
fn names_model(endpoints: &[Arc<Endpoint>], question: &DryRun) -> bool {
    let is_of = |endpoint: &&Arc<Endpoint>| {
        endpoint.format() == question.from && endpoint.face.operation.name() == question.operation
    };
    let head = HeaderMap::new();
    let about = Head { headers: &head, query: "" };
    endpoints.iter().filter(is_of).any(|endpoint| {
        let plan = Arc::new(PeekPlan::new(endpoint, std::iter::empty(), false));
        let peek = plan.read(std::slice::from_ref(&question.body), &PathParams::default(), &about);
        peek.map_or(true, |peek| peek.model.is_some())
    })
}

fn adapter<'s>(serving: &'s Serving, name: &str) -> Result<&'s Arc<Adapter>, Fault> {
    serving.adapter(name).ok_or_else(|| {
        let of_providers = serving.adapters.adapters.values().filter(|adapter| adapter.guard.is_none());
        let known: Vec<&str> = of_providers.map(|adapter| &*adapter.name).collect();
        not_known(&format!("there is no adapter `{name}`"), name, &known)
    })
}

/// The fault for a name that is none of these.
fn not_known(problem: &str, name: &str, known: &[&str]) -> Fault {
    let meant = near_names(name, known.iter().copied()).first().map(|near| format!("; did you mean `{near}`?"));
    Fault::invalid(format!("{problem}{} There are {}", meant.unwrap_or_else(|| ".".to_owned()), known.join(", ")))
}

/// Checks that the adapter sends requests of this format.
fn check_format(provider: &Adapter, format: Option<&str>) -> Result<(), Fault> {
    let Some(format) = format else { return Ok(()) };
    let known: Vec<&str> = provider.manifest.formats.iter().map(|known| known.id.as_str()).collect();
    if known.contains(&format) {
        return Ok(());
    }
    Err(not_known(&format!("the adapter `{}` has no format `{format}`", provider.name), format, &known))
}

/// Checks that the adapter takes these options, with such values.
fn check_options(provider: &Adapter, given: &[Setting]) -> Result<(), Fault> {
    let value = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
    let values: Map<String, Value> = given.iter().map(|setting| (setting.key.clone(), value(&setting.json))).collect();
    let options = Options::from(values);
    let Some(problem) = given_option_mistakes(&options, provider).into_iter().next() else { return Ok(()) };
    let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
    Err(Fault::invalid(format!("{}{help}", problem.message)))
}

/// The path that a client would call.
fn path(question: &DryRun, endpoint: &Endpoint) -> Result<String, Fault> {
    let path = endpoint.face.path.replace("{model...}", "{model}");
    if !takes_model_from_path(endpoint) {
        return Ok(path);
    }
    let model = question.model.as_deref().ok_or_else(|| {
        Fault::invalid(format!("the model of `{}` stands in the path; name it with --model", question.from))
    })?;
    Ok(path.replace("{model}", &encode_segment(model)))
}

fn path_params(serving: &Serving, endpoint: &Endpoint, path: &str) -> Result<PathParams, Fault> {
    let method = Method::from_bytes(endpoint.face.method.as_bytes()).unwrap_or_default();
    let head = HeaderMap::new();
    match serving.endpoints.find(&method, path, &Head { headers: &head, query: "" }) {
        Lookup::Found(_, path_params) => Ok(path_params),
        _ => Err(Fault::invalid(format!("{path} is served only with headers that cannot be explained here"))),
    }
}

fn acceptances(serving: &Serving, provider: &Adapter) -> Result<Vec<Acceptance>, Fault> {
    let named = serving.config.server.key_headers.iter().map(String::as_str);
    let credentials: Vec<&str> = serving.endpoints.credential_headers().chain(named).collect();
    let compiled = provider.manifest.accepts.iter();
    let compiled = compiled.map(|claim| Acceptance::compile(claim, &provider.manifest, &credentials));
    compiled.collect::<Result<_, _>>().map_err(|error| Fault::internal(error.to_string()))
}

fn relayed(
    question: &DryRun,
    peek: &RequestPeek,
    path_params: &PathParams,
    acceptance: &Acceptance,
) -> Result<Explained, Fault> {
    let model = question.model.as_deref().or(peek.model.as_deref()).unwrap_or_default();
    let option = |name: &str| option(&question.options, name);
    let filling = Filling { model, id: path_params.get("id").unwrap_or_default(), option: &option };
    let query = acceptance.query("", &filling, peek.stream).into_iter();
    let pair = |(name, value)| weir_types::contract::types::Header { name, value };
    let request = HttpRequest {
        method: acceptance.method.to_string(),
        path: acceptance.path(&filling, peek.stream),
        query: query.map(pair).collect(),
        headers: Vec::new(),
        body: Body::Text(text(&renamed(&question.body, peek, model)?)?),
    };
    Ok(Explained { translated: None, format: question.from.clone(), request, losses: Vec::new() })
}

/// The two sides of a translation.
struct Direction<'s> {
    endpoint: &'s Arc<Endpoint>,
    provider: &'s Arc<Adapter>,
    path: String,
    format: String,
}

async fn translated(
    serving: &Serving,
    question: &DryRun,
    peek: &RequestPeek,
    way: Direction<'_>,
    why: Option<String>,
) -> Result<Explained, Fault> {
    let Direction { endpoint, provider, path, format } = way;
    let http = HttpRequest {
        method: endpoint.face.method.clone(),
        path,
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Text(text(&question.body)?),
    };
    let mut ctx = Context {
        model: peek.model.clone().unwrap_or_default(),
        format: question.from.clone(),
        ..Context::new("req_explained", 0.0)
    };
    let dialect = adapter(serving, &endpoint.adapter)?;
    let mut lease = dialect.lease("").await.map_err(|fault| weir_translate::unified::blame(&fault))?;
    let parsed = parse(&mut lease, &endpoint.face.operation, &ctx, &http)?;
    lease.release();
    let mut request = parsed.request;
    ctx.model = question.model.clone().unwrap_or(ctx.model);
    request.set_model(&ctx.model);
    let mut losses = parsed.losses;
    if let Request::Chat(chat) | Request::CountTokens(chat) = &mut request {
        ctx.input_tokens = Some(estimate::input_tokens(chat));
        let capabilities =
            question.capabilities.unwrap_or_else(|| model_catalog::of(&question.to, &ctx.model).capabilities);
        losses.extend(adapt_to_model(
            chat,
            &capabilities,
            ClientFields::new(&endpoint.face, std::slice::from_ref(&question.body)),
        ));
    }
    ctx.format.clone_from(&format);
    ctx.options.clone_from(&question.options);
    let mut lease = provider.lease("").await.map_err(|fault| weir_translate::unified::blame(&fault))?;
    let mut rendered: RenderedRequest = render(&mut lease, &ctx, &request)?;
    parsed.names.spell(&mut rendered.losses);
    lease.release();
    losses.extend(rendered.losses);
    let request = rendered.request;
    Ok(Explained { translated: why, format, request, losses })
}

/// A relayed body with the provider's name for the model wherever it names one.
fn renamed(body: &Bytes, peek: &RequestPeek, model: &str) -> Result<Vec<u8>, Fault> {
    let spots = peek.model_places.iter().filter(|spot| spot.name != model);
    let edits: Vec<Edit> = spots.map(|spot| spot.renamed(model)).collect();
    let chunks = splice(std::slice::from_ref(body), &edits).map_err(|error| Fault::internal(error.to_string()))?;
    Ok(chunks.concat())
}

fn text(body: &[u8]) -> Result<String, Fault> {
    String::from_utf8(body.to_vec()).map_err(|_| Fault::invalid("the request is not UTF-8"))
}

//! The translate lane: dialect → provider → upstream → provider → dialect.

mod adopt;
mod answer;
pub(super) mod continuation;
mod exchange;
mod guarded;
mod members;
mod screened;
mod strip_opaque;
mod unchanged;
pub(super) mod unreadable;
mod upstream_request;
mod whole;

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use self::exchange::Step;
use super::client_request::{ClientRequest, blob_limits, joined_len};
use super::follow_up::{CancelOnDrop, Steps};
use super::judged_request::JudgedCopy;
use super::put_back;
use super::reply::ReplyBody;
use super::send::{bytes_of, late_fault, rendered};
use super::versions::Versions;
use super::{InboundRequest, Judged, RequestContext, Values};
use crate::accounting::Account;
use crate::guard::AnswerGuards;
use crate::route::Target;
use weir_buffers::Held;
use weir_sandbox::{Adapter, Interface, Lease};
use weir_translate::bounds;
use weir_translate::names::Names;
use weir_translate::unified;
use weir_translate::unified::{Answer, Outcome, Parsed, Request};
use weir_types::contract::about::Operation;
use weir_types::contract::types::{
    Body, Context, ErrorKind, FollowUp, Framing, HttpRequest, Loss, LossKind, RenderedRequest,
};
use weir_types::fault::{Fault, Side};
use weir_types::in_place::pinned;
use weir_types::stage;
use weir_upstream::{Chunks, DecodeBound, UpstreamResponse};
use weir_wire::blob;
use weir_wire::blob::Lifted;
use weir_wire::estimate;
use weir_wire::screen::Screen;

pub(super) use unchanged::{can_read, relay_judged};

/// Translates a request, sends it, and translates the answer.
pub(super) async fn translate(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    values: Values,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Fault> {
    check_interfaces(inbound, target)?;
    let versions = Versions::choose(inbound, target);
    versions.note(inbound, target, account);
    let answer = pin!(translate_by(context, inbound, target, &versions, values, account)).await;
    let answer = answer.map_err(|fault| late_fault(fault, target));
    if let Err(fault) = &answer {
        versions.note_failure(fault);
    }
    answer
}

async fn translate_by(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    versions: &Versions,
    values: Values,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Fault> {
    let leased = pin!(versions.lease(&inbound.caller.tenant)).await;
    let (dialect, provider) = leased.map_err(|fault| unified::blame(&fault))?;
    let mut run = Run { values, ..Run::new(context, inbound, target, dialect, provider) };
    account.metrics().translated(inbound.endpoint.format(), &run.provider_ctx.format);
    run.make_room().await?;
    let length = inbound.pieces().iter().map(Bytes::len).sum();
    stage::begin_of(length).await;
    let parsed = run.parse_request(account)?;
    run.note(parsed.losses);
    let mut request = parsed.request;
    run.dialect_ctx.memo = parsed.memo;
    run.names = parsed.names;
    run.estimate(&request);
    let counts = matches!(request, Request::CountTokens(_));
    if counts && !target.adapter.has(Interface::ProviderCountTokens) {
        return Box::pin(run.answer_estimate(account)).await;
    }
    run.continuable = target.resume && continuation::is_continuable(&request);
    let streams = request.streams();
    pin!(run.prepare_guards(streams)).await?;
    stage::begin_of(length).await;
    let rendered = pin!(run.write(&mut request, account)).await;
    let first = match rendered {
        // An adapter that counts tokens may still not support every request.
        Err(fault) if counts && fault.error.kind == ErrorKind::Unsupported => {
            return Box::pin(run.answer_estimate(account)).await;
        }
        rendered => rendered?,
    };
    drop(request);
    let exchanged = pin!(run.exchange(first, streams, account)).await;
    match exchanged {
        Ok(Exchanged::Whole(answer)) => pin!(run.answer(answer, account)).await,
        Ok(Exchanged::Stream(response, framing, cancel_on_drop)) => {
            run.lease_screened().await?;
            pinned(|| run.stream(response, framing, cancel_on_drop, account)).await
        }
        // Many servers of a format lack its endpoint for counting.
        Err(fault) if counts && is_absent(&fault) => Box::pin(run.answer_estimate(account)).await,
        Err(fault) => Err(fault),
    }
}

/// Whether the provider lacks the requested operation, rather than having failed at it.
fn is_absent(fault: &Fault) -> bool {
    fault.side == Side::Upstream
        && (matches!(fault.error.kind, ErrorKind::NotFound | ErrorKind::Unsupported)
            || matches!(fault.error.status, Some(404 | 405 | 501)))
}

/// Refuses an operation that one of the two adapters has no interface for.
fn check_interfaces(inbound: &InboundRequest, target: &Target) -> Result<(), Fault> {
    let (parses, serves) = match inbound.operation() {
        Operation::Chat => (Interface::DialectChat, Interface::ProviderChat),
        Operation::Embeddings => (Interface::DialectEmbeddings, Interface::ProviderEmbeddings),
        Operation::Models => (Interface::DialectModels, Interface::ProviderModels),
        // If the provider cannot count, the host estimates.
        Operation::CountTokens => (Interface::DialectCountTokens, Interface::ProviderChat),
        Operation::Rerank => (Interface::DialectRerank, Interface::ProviderRerank),
        _ => return Err(unified::relayed_only()),
    };
    if inbound.side.has(parses) && target.adapter.has(serves) {
        return Ok(());
    }
    let (operation, provider) = (inbound.operation().name(), &target.label);
    let message = format!("the provider `{provider}` of this model has no {operation}; ask for another model");
    Err(Fault::new(Side::Client, ErrorKind::Unsupported, message).with_status(400).with_code("unsupported_operation"))
}

/// The result of the requests upstream.
enum Exchanged {
    Whole(Answer),
    /// A stream, and the cancellation to send if the client leaves before its end.
    Stream(UpstreamResponse, Framing, Option<CancelOnDrop>),
}

/// One translation in progress.
struct Run<'a> {
    context: RequestContext<'a>,
    inbound: &'a InboundRequest,
    target: &'a Arc<Target>,
    /// `None` for a program.
    dialect: Option<Lease>,
    provider: Lease,
    dialect_ctx: Context,
    provider_ctx: Context,
    lifted: Lifted,
    /// Bytes held for the translation besides the request itself.
    held: Held,
    losses: Vec<Loss>,
    /// The client's spelling of the request's fields.
    names: Names,
    framing: Option<Framing>,
    /// Which opaque values are sent.
    values: Values,
    /// Whether another target could continue the stream if it breaks.
    continuable: bool,
    /// The guards that judge the answer.
    guards: Option<Box<AnswerGuards>>,
    /// What the guards look for, if they are to judge only a whole answer that contains it.
    screens: Option<Vec<Arc<Screen>>>,
}

impl<'a> Run<'a> {
    fn new(
        context: RequestContext<'a>,
        inbound: &'a InboundRequest,
        target: &'a Arc<Target>,
        dialect: Option<Lease>,
        provider: Lease,
    ) -> Self {
        let dialect_ctx = Context {
            model: inbound.model().to_owned(),
            format: inbound.endpoint.format().to_owned(),
            ..Context::new(&inbound.exchange.id, inbound.exchange.now_ms)
        };
        let provider_ctx = Context {
            model: target.model(inbound.model()).to_owned(),
            format: target.format_for(inbound.endpoint.format(), inbound.operation()).to_owned(),
            options: target.options.clone(),
            ..Context::new(&inbound.exchange.id, inbound.exchange.now_ms)
        };
        let (lifted, losses, framing, continuable) = (Lifted::default(), Vec::new(), None, false);
        Self {
            context,
            inbound,
            target,
            dialect,
            provider,
            dialect_ctx,
            provider_ctx,
            lifted,
            held: inbound.held.beside(),
            losses,
            names: Names::default(),
            framing,
            values: Values::All,
            continuable,
            guards: None,
            screens: None,
        }
    }

    /// Holds the bytes of a copy of the body in one piece.
    async fn make_room(&mut self) -> Result<(), Fault> {
        Ok(self.held.grow(joined_len(self.inbound.pieces())).await?)
    }

    /// Parses the request with the dialect's adapter, with large base64 values lifted out.
    fn parse(&mut self) -> Result<Parsed, Fault> {
        let limit = self.context.config.server.translate_body_limit;
        let ClientRequest { http, lifted } = ClientRequest::new(self.inbound, limit, self.takes_blobs())?;
        self.lift(lifted);
        let dialect = self.dialect.as_mut().ok_or_else(|| Fault::internal("a program's request was read as bytes"))?;
        let parsed = unified::parse(dialect, self.inbound.operation(), &self.dialect_ctx, &http);
        dialect.rest();
        let mut parsed = parsed?;
        put_back::for_provider(&mut parsed.request, &self.lifted, &self.blob_limits())?;
        Ok(parsed)
    }

    /// Keeps the large values that were lifted out of the request.
    fn lift(&mut self, lifted: Lifted) {
        self.dialect_ctx.blobs = lifted.describe();
        self.provider_ctx.blobs.clone_from(&self.dialect_ctx.blobs);
        self.lifted = lifted;
    }

    /// Sets the estimated input tokens in both contexts. For a request that guards saw, the estimate is known already.
    fn estimate(&mut self, request: &Request) {
        if let Request::Chat(chat) | Request::CountTokens(chat) = request {
            let known = self.context.judged.and_then(Judged::copy).and_then(JudgedCopy::input_tokens);
            let tokens = known.or_else(|| Some(estimate::input_tokens(chat)));
            self.dialect_ctx.input_tokens = tokens;
            self.provider_ctx.input_tokens = tokens;
        }
    }

    /// Renders the upstream request with the provider's adapter. In strict mode, any loss so far refuses it.
    fn render(&mut self, request: &Request, account: &Account) -> Result<RenderedRequest, Fault> {
        let render = || unified::render(&mut self.provider, &self.provider_ctx, request);
        let rendered = called(account, &self.target.adapter, "render-request", render);
        self.provider.rest();
        let mut rendered = rendered.map_err(|fault| self.spelled(fault))?;
        members::check(request, &rendered.request.body, self.inbound.side.program().is_some())?;
        self.names.spell(&mut rendered.losses);
        self.note(std::mem::take(&mut rendered.losses));
        self.provider_ctx.memo = std::mem::take(&mut rendered.memo);
        self.framing = rendered.framing;
        if let Some(loss) = self.losses.iter().find(|loss| self.is_object(loss)) {
            let message =
                format!("`{}` names what only the provider that made it has; it cannot be passed on", loss.field);
            return Err(Fault::invalid(message).at(loss.field.clone()).with_code("unsupported_parameter"));
        }
        match self.losses.first() {
            Some(loss) if self.inbound.peek.strict || self.target.strict => Err(Fault::invalid(format!(
                "strict mode: `{}` cannot be passed on to this model{}",
                loss.field,
                loss.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default()
            ))
            .at(loss.field.clone())
            .with_code("unsupported_parameter")),
            _ => Ok(rendered),
        }
    }

    /// A fault whose field is in the client's spelling.
    fn spelled(&self, mut fault: Fault) -> Fault {
        self.names.spell_error(&mut fault.error);
        fault
    }

    /// Whether a lost field is the id of an object that an earlier answer made; without it, the request would change
    /// its meaning.
    fn is_object(&self, loss: &Loss) -> bool {
        let names =
            |pointer: &String| pointer.strip_prefix('/').is_some_and(|path| path.replace('/', ".") == loss.field);
        loss.kind == LossKind::Dropped && self.inbound.endpoint.face.object_ids.iter().any(names)
    }

    /// Sends the rendered request, and the follow-ups that its answers require.
    async fn exchange(
        &mut self,
        mut first: RenderedRequest,
        streams: bool,
        account: &mut Account,
    ) -> Result<Exchanged, Fault> {
        let (inbound, target, context) = (self.inbound, self.target, self.context);
        self.held.grow(weight(&first.request)).await?;
        let body = self.spliced(&mut first)?;
        let mut request = rendered(inbound, target, first.request, Some(body), None, streams)?;
        let mut streams = streams;
        let mut steps = Steps::new(target);
        let mut cancel_on_drop: Option<CancelOnDrop> = None;
        loop {
            let step = pin!(self.step(request, streams, account)).await;
            let cancel = cancel_on_drop.take();
            if let Ok(Step::Stream(response, framing)) = step {
                return Ok(Exchanged::Stream(response, framing, cancel));
            }
            cancel.into_iter().for_each(CancelOnDrop::disarm);
            let Step::Read(outcome) = step? else {
                return Err(Fault::internal("a stream was taken for something else"));
            };
            match *outcome {
                Outcome::Complete(answer, losses) => {
                    self.note(losses);
                    return Ok(Exchanged::Whole(answer));
                }
                Outcome::FollowUp(step) => {
                    self.follow(&step, &mut streams);
                    (request, cancel_on_drop) = Box::pin(steps.next(context, inbound, target, step)).await?;
                }
            }
        }
    }

    fn follow(&mut self, step: &FollowUp, streams: &mut bool) {
        self.provider_ctx.memo.clone_from(&step.memo);
        *streams = step.stream;
    }

    /// Takes the body out of a rendered request, with the lifted values in their places.
    fn spliced(&self, rendered: &mut RenderedRequest) -> Result<Chunks, Fault> {
        // An empty body of the same kind stays in the request.
        let body = match &mut rendered.request.body {
            Body::Text(text) => Body::Text(std::mem::take(text)),
            Body::Bytes(bytes) => Body::Bytes(std::mem::take(bytes)),
        };
        let (body, _) = bytes_of(body);
        let chunks = self.lifted.splice(&body, &self.blob_limits());
        chunks.map(Chunks::from).map_err(|error| Fault::adapter(error.to_string()))
    }

    /// Whether both adapters accept that large values are lifted out of bodies.
    fn takes_blobs(&self) -> bool {
        self.inbound.side.takes_blobs() && self.target.adapter.manifest.takes_blobs
    }

    fn blob_limits(&self) -> blob::Limits {
        blob_limits(self.context.config.server.translate_body_limit)
    }

    fn decode_bound(&self) -> DecodeBound {
        decode_bound(self.context.config.server.translate_body_limit)
    }

    fn note(&mut self, losses: Vec<Loss>) {
        bounds::note(&mut self.losses, losses);
    }
}

/// The bounds for decoding an answer of at most `limit` bytes.
fn decode_bound(limit: usize) -> DecodeBound {
    DecodeBound { piece: limit, ..DecodeBound::default() }
}

/// The length of a rendered body in bytes.
fn weight(request: &HttpRequest) -> usize {
    match &request.body {
        Body::Text(text) => text.len(),
        Body::Bytes(bytes) => bytes.len(),
    }
}

/// Calls an adapter within a span.
fn called<T>(account: &Account, adapter: &Adapter, what: &str, call: impl FnOnce() -> T) -> T {
    let span = account.attempt().internal(|| format!("{} {what}", adapter.name));
    let came = call();
    drop(span);
    came
}

//! A request and its guards: it is read once for all of them, and sent in the form that they gave it.

mod numbered;
mod relayed;
mod shown;
mod unread;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::client_request::{BLOB_MIN, ClientRequest, blob_limits, joined_len};
use super::media;
use super::put_back::{self, whole_again};
use super::side::ClientSide;
use super::{InboundRequest, RequestContext};
use crate::guard::{self, AnswerGuards, Ends, ExchangeFacts, Guard, GuardMetrics, Notes, Pending, Turn};
use weir_sandbox::ChosenVersion;
use weir_sandbox::guard::Asked;
use weir_translate::names::Names;
use weir_translate::unified;
use weir_translate::unified::{Parsed, Request};
use weir_types::contract::about::{BodyKind, Operation};
use weir_types::contract::types::{Body, Context, Loss};
use weir_types::fault::Fault;
use weir_wire::blob::Lifted;
use weir_wire::estimate;
use weir_wire::repeated::is_unambiguous;
use weir_wire::screen::Screen;

/// The judgement of a request by guards.
#[derive(Debug)]
pub struct Judged {
    /// What each guard did.
    notes: Notes,
    /// The request as guards saw it, and as they changed it. A translation begins with it, so that what was judged is
    /// what is sent. `None` if no guard saw the request.
    copy: Option<JudgedCopy>,
    /// Whether the client's bytes must not be sent: a guard changed the request, its bytes are ambiguous, or guards
    /// have not seen all of it.
    must_translate: bool,
    /// The guards that are going to judge the answer.
    pending: Vec<Pending>,
    /// The guards that are notified of the end of the exchange, until its account takes them.
    ends: Mutex<Option<Ends>>,
    metrics: GuardMetrics,
}

/// A request in the unified model, with everything else that a translation needs.
#[derive(Debug, Clone)]
pub(super) struct JudgedCopy {
    request: Request,
    losses: Vec<Loss>,
    memo: String,
    names: Names,
    lifted: Lifted,
    /// Its estimated input tokens, unless a guard changed it since.
    input_tokens: Option<u32>,
    /// Whether another reader may understand the request's bytes differently, or read more in them than guards saw.
    is_ambiguous: bool,
    /// The version of the dialect's adapter that read the request. It also writes the answer, since no other version
    /// understands its memo.
    dialect: Option<ChosenVersion>,
}

impl Judged {
    /// A judgement by no guard.
    pub(super) fn nothing(metrics: &GuardMetrics) -> Self {
        let (notes, copy, pending, ends) = (Notes::default(), None, Vec::new(), Mutex::default());
        Self { notes, copy, must_translate: false, pending, ends, metrics: metrics.clone() }
    }

    /// What each guard did so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Takes the guards that are notified of the end of the exchange.
    pub(crate) fn take_ends(&self) -> Option<Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Records that a guard refused the request or its answer.
    pub fn refused(&self) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).iter_mut().for_each(Ends::refused);
    }

    /// Takes over what further guards did, and those that are notified of the end.
    pub(super) fn adopt(&self, further: &Self) {
        self.notes.all().append(&mut further.notes.all());
        let Some(theirs) = further.take_ends() else { return };
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *ends {
            Some(own) => own.add(theirs),
            none => *none = Some(theirs),
        }
    }

    /// Whether the request must not be relayed because its bytes are not what was judged.
    pub(super) fn needs_translation(&self) -> bool {
        self.must_translate
    }

    /// Whether a guard is going to judge the answer.
    pub(super) fn judges_answer(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Leases the guards that judge the answer. What they do is added to `notes`.
    pub(super) async fn answer_guards(
        &self,
        tenant: &Arc<str>,
        request_id: &str,
        notes: Notes,
    ) -> Result<Option<AnswerGuards>, Fault> {
        AnswerGuards::begin(&self.pending, tenant, request_id, &self.metrics, notes).await
    }

    /// What the guards that will judge the answer look for; `None` if one of them has to see every answer.
    pub(super) async fn answer_screens(&self, tenant: &Arc<str>) -> Option<Vec<Arc<Screen>>> {
        let mut screens = Vec::with_capacity(self.pending.len());
        for pending in &self.pending {
            screens.push(pending.screen(tenant).await?);
        }
        Some(screens)
    }

    /// Lets a whole answer pass the guards, since its bytes have nothing that they look for. Adds that to `notes`.
    pub(super) fn pass_answer(&self, notes: &Notes) {
        self.pending.iter().for_each(|pending| pending.pass_unread(notes, &self.metrics));
    }

    /// The request as guards saw it and changed it, if any saw it.
    pub(super) fn copy(&self) -> Option<&JudgedCopy> {
        self.copy.as_ref()
    }
}

/// Has guards judge a request.
///
/// # Errors
///
/// A guard refused the request, or failed to judge it. The notes are kept in any case.
pub async fn judge(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    guards: &[&Arc<Guard>],
    metrics: &GuardMetrics,
) -> Result<(), Fault> {
    let (judged, refused) = judged_by(context, inbound, guards, metrics).await;
    let kept = inbound.judged.set(Box::new(judged));
    debug_assert!(kept.is_ok(), "a request is judged once");
    refused.map_or(Ok(()), Err)
}

/// Has further guards judge a request, in the form that those before them gave it.
pub(super) async fn judged_by(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    guards: &[&Arc<Guard>],
    metrics: &GuardMetrics,
) -> (Judged, Option<Fault>) {
    let before = inbound.judged();
    let mut seen = GuardView::default();
    let mut unread = None;
    let mut turns = Turn::of(guards);
    let passes_unread = unread::is_unread(inbound, before) && unread::passes(inbound, &mut turns).await;
    if !passes_unread && guards.iter().any(|guard| guard.sees_requests()) {
        match before.and_then(Judged::copy) {
            Some(copy) => seen = GuardView::from(copy.clone()),
            None => match seen_by_guards(context, inbound).await {
                Ok(read) => seen = read,
                Err(fault) => unread = Some(fault),
            },
        }
    }
    let facts = ExchangeFacts {
        request_id: &inbound.exchange.id,
        now_ms: inbound.exchange.now_ms,
        caller: &inbound.caller,
        model: inbound.model(),
        format: inbound.endpoint.format(),
        stream: inbound.peek.stream,
        size: inbound.size(),
        end_user: &inbound.endpoint.face.end_user,
        input_tokens: match &seen.content {
            Asked::Chat(chat) => Some(estimate::input_tokens(chat)),
            _ => None,
        },
    };
    let content = &mut seen.content;
    let judgement = guard::judge(turns, facts, content, unread.as_ref(), &inbound.held, metrics).await;
    // If guards only watch, the client's bytes are sent.
    let enforces = guards.iter().any(|guard| guard.enforces() && guard.sees_requests());
    let must_translate =
        judgement.changed || seen.is_ambiguous && enforces || before.is_some_and(|before| before.must_translate);
    // Only answers of chats are read.
    let mut pending = before.map(|before| before.pending.clone()).unwrap_or_default();
    if *inbound.operation() == Operation::Chat {
        pending.extend(judgement.pending);
    }
    let tokens = facts.input_tokens.filter(|_| !judgement.changed);
    let copy = seen.copy(inbound.operation(), tokens).or_else(|| before.and_then(Judged::copy).cloned());
    let (exchange, tenant) = (&inbound.exchange, &inbound.caller.tenant);
    let ends = Mutex::new(Ends::new(judgement.ends, tenant, &exchange.id, exchange.begun, metrics));
    let judged =
        Judged { notes: Notes::of(judgement.notes), copy, must_translate, pending, ends, metrics: metrics.clone() };
    let refused = judgement.refused.or_else(|| relayed::unread_answer(inbound, guards));
    if refused.is_some() {
        judged.refused();
    }
    (judged, refused)
}

/// A request as guards see it, and what its dialect's adapter reported about it.
struct GuardView {
    content: Asked,
    losses: Vec<Loss>,
    memo: String,
    names: Names,
    lifted: Lifted,
    /// Whether another reader may understand the request's bytes differently, or read more in them than guards see.
    is_ambiguous: bool,
    /// The version of the dialect's adapter that read the request.
    dialect: Option<ChosenVersion>,
}

impl Default for GuardView {
    fn default() -> Self {
        Self {
            content: Asked::Withheld,
            losses: Vec::new(),
            memo: String::new(),
            names: Names::default(),
            lifted: Lifted::default(),
            is_ambiguous: false,
            dialect: None,
        }
    }
}

impl From<JudgedCopy> for GuardView {
    fn from(JudgedCopy { request, losses, memo, names, lifted, is_ambiguous, dialect, .. }: JudgedCopy) -> Self {
        Self { content: content_of(request), losses, memo, names, lifted, is_ambiguous, dialect }
    }
}

impl GuardView {
    fn copy(self, operation: &Operation, input_tokens: Option<u32>) -> Option<JudgedCopy> {
        let Self { content, losses, memo, names, lifted, is_ambiguous, dialect } = self;
        let request = match (content, operation) {
            (Asked::Chat(chat), Operation::CountTokens) => Request::CountTokens(chat),
            (Asked::Chat(chat), _) => Request::Chat(chat),
            (Asked::Embeddings(request), _) => Request::Embeddings(request),
            (Asked::Rerank(request), _) => Request::Rerank(request),
            (Asked::Withheld | Asked::Other(_), _) => return None,
        };
        Some(JudgedCopy { request, losses, memo, names, lifted, input_tokens, is_ambiguous, dialect })
    }
}

/// Reads a request with the adapter of its dialect. One that is only relayed is shown as its JSON, or as the texts of
/// its form; other bodies, such as files, cannot be read.
async fn seen_by_guards(context: RequestContext<'_>, inbound: &InboundRequest) -> Result<GuardView, Fault> {
    let limit = context.config.server.translate_body_limit;
    let adapter = match &inbound.side {
        ClientSide::Program { request, .. } => return seen_of_program(Request::clone(request), limit),
        ClientSide::Dialect(adapter) => adapter,
    };
    let mut held = inbound.held.beside();
    held.grow(joined_len(inbound.pieces())).await?;
    let is_json = inbound.endpoint.face.body == BodyKind::Json;
    if inbound.operation().is_relayed_only() {
        let content = match inbound.endpoint.face.body {
            _ if inbound.pieces().iter().all(Bytes::is_empty) => Asked::Withheld,
            BodyKind::Json => match ClientRequest::new(inbound, limit, false)?.http.body {
                Body::Text(text) if is_unambiguous(&text) => Asked::Other(text),
                Body::Text(_) | Body::Bytes(_) => return Err(ambiguous()),
            },
            BodyKind::Multipart => Asked::Other(relayed::form(inbound, limit)?),
            BodyKind::Raw | BodyKind::Empty | BodyKind::Session => return Err(relayed::unreadable()),
        };
        return Ok(GuardView { content, ..GuardView::default() });
    }
    let ClientRequest { http, lifted } = ClientRequest::new(inbound, limit, adapter.manifest.takes_blobs)?;
    let chosen = adapter.choose();
    let mut dialect =
        chosen.adapter.lease(Arc::clone(&inbound.caller.tenant)).await.map_err(|fault| unified::blame(&fault))?;
    let ctx = Context {
        model: inbound.model().to_owned(),
        format: inbound.endpoint.format().to_owned(),
        blobs: lifted.describe(),
        ..Context::new(&inbound.exchange.id, inbound.exchange.now_ms)
    };
    let Parsed { mut request, losses, memo, names } = unified::parse(&mut dialect, inbound.operation(), &ctx, &http)?;
    dialect.release();
    numbered::check(&request)?;
    let is_ambiguous = is_json && !matches!(&http.body, Body::Text(text) if shown::shows_all(text, &request));
    put_back::for_guards(&mut request, &lifted, &blob_limits(limit))?;
    Ok(GuardView { content: content_of(request), losses, memo, names, lifted, is_ambiguous, dialect: Some(chosen) })
}

/// The refusal of a request that guards and its provider may read differently.
fn ambiguous() -> Fault {
    let message = "the request's JSON has a member twice in one object, or is nested too deep: guards and the provider \
                   might read different ones. Send each member once";
    Fault::invalid(message).with_code("repeated_member")
}

/// A program's request, with large media taken out.
fn seen_of_program(mut request: Request, limit: usize) -> Result<GuardView, Fault> {
    let mut lifted = Lifted::default();
    if let Request::Chat(chat) | Request::CountTokens(chat) = &mut request {
        media::lift(chat, BLOB_MIN, &mut lifted)?;
    }
    put_back::for_guards(&mut request, &lifted, &blob_limits(limit))?;
    numbered::check(&request)?;
    Ok(GuardView { content: content_of(request), lifted, ..GuardView::default() })
}

fn content_of(request: Request) -> Asked {
    match request {
        Request::Chat(chat) | Request::CountTokens(chat) => Asked::Chat(chat),
        Request::Embeddings(request) => Asked::Embeddings(request),
        Request::Rerank(request) => Asked::Rerank(request),
        Request::Models(_) => Asked::Withheld,
    }
}

impl JudgedCopy {
    /// The version of the dialect's adapter that read the request; `None` for a program.
    pub(super) fn dialect(&self) -> Option<&ChosenVersion> {
        self.dialect.as_ref()
    }

    /// The estimated input tokens; `None` for a request from which values were lifted, whose estimate depends on
    /// whether they are put back.
    pub(super) fn input_tokens(&self) -> Option<u32> {
        self.input_tokens.filter(|_| self.lifted.is_empty())
    }

    /// The request with the memo and the names that are needed to write an answer; `None` if values were lifted out of
    /// it.
    pub(super) fn for_answer(&self) -> Option<(&Request, &str, &Names)> {
        self.lifted.is_empty().then_some((&self.request, &self.memo, &self.names))
    }

    /// The request for a translation, with the values that were lifted out of it. They are put back if the target's
    /// adapter does not take that.
    pub(super) fn parsed(&self, takes_blobs: bool, limit: usize) -> Result<(Parsed, Lifted), Fault> {
        let mut parsed = Parsed {
            request: self.request.clone(),
            losses: self.losses.clone(),
            memo: self.memo.clone(),
            names: self.names.clone(),
        };
        if takes_blobs {
            return Ok((parsed, self.lifted.clone()));
        }
        if let (Request::Chat(chat) | Request::CountTokens(chat), false) = (&mut parsed.request, self.lifted.is_empty())
        {
            *chat = whole_again(chat, &self.lifted, &blob_limits(limit))?;
        }
        Ok((parsed, Lifted::default()))
    }
}

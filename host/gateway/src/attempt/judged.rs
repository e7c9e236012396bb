//! A request and its guards: it is read once for their eyes, and goes out in the form that they gave it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::client_request::{ClientRequest, blob_limits, joined_len};
use super::side::ClientSide;
use super::{InboundRequest, RequestContext};
use crate::guard::{self, AnswerGuards, ExchangeFacts, Guard, GuardMetrics, Note, Pending};
use weir_sandbox::guard::Asked;
use weir_translate::names::Names;
use weir_translate::unified;
use weir_translate::unified::{Parsed, Request};
use weir_types::contract::about::{BodyKind, Operation};
use weir_types::contract::types::{Body, Context, Loss};
use weir_types::fault::Fault;
use weir_wire::blob::{self, Lifted};
use weir_wire::estimate;

/// What guards made of a request.
#[derive(Debug)]
pub struct Judged {
    /// What each guard did.
    notes: Mutex<Vec<Note>>,
    /// The request in the form that the guards gave it; `None` if they let it pass as it was.
    replaced: Option<Replaced>,
    /// The guards that are going to judge the answer.
    pending: Vec<Pending>,
    metrics: GuardMetrics,
}

/// A request as guards changed it. It can only be translated: the client's bytes are no longer what is asked for.
#[derive(Debug)]
pub(super) struct Replaced {
    request: Request,
    losses: Vec<Loss>,
    memo: String,
    names: Names,
    lifted: Lifted,
}

impl Judged {
    /// What each guard did so far.
    pub fn notes(&self) -> MutexGuard<'_, Vec<Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a guard changed the request, or is going to judge the answer.
    pub(super) fn needs_translation(&self) -> bool {
        self.replaced.is_some() || !self.pending.is_empty()
    }

    /// Leases the guards that judge the answer.
    pub(super) async fn answer_guards(&self, tenant: &str, request_id: &str) -> Result<Option<AnswerGuards>, Fault> {
        AnswerGuards::begin(&self.pending, tenant, request_id, &self.metrics).await
    }

    /// The request as guards changed it, if they did.
    pub(super) fn replaced(&self) -> Option<&Replaced> {
        self.replaced.as_ref()
    }
}

/// Has guards judge a request.
///
/// # Errors
///
/// A guard refused the request, or failed to judge it. The notes are kept in any case.
pub async fn judge(
    context: RequestContext<'_>,
    asked: &InboundRequest,
    guards: &[&Arc<Guard>],
    metrics: &GuardMetrics,
) -> Result<(), Fault> {
    let mut seen = Seen::default();
    let mut unread = None;
    if guards.iter().any(|guard| guard.sees_requests()) {
        match seen_by_guards(context, asked).await {
            Ok(read) => seen = read,
            Err(fault) => unread = Some(fault),
        }
    }
    let facts = ExchangeFacts {
        request_id: &asked.exchange.id,
        now_ms: asked.exchange.now_ms,
        caller: &asked.caller,
        model: asked.model(),
        format: asked.face.format(),
        stream: asked.reading.stream,
        input_tokens: match &seen.content {
            Asked::Chat(chat) => Some(estimate::input_tokens(chat)),
            _ => None,
        },
    };
    let judgement = guard::judge(guards, facts, &mut seen.content, unread.as_ref(), metrics).await;
    let replaced = judgement.changed.then(|| seen.replaced(asked.operation())).flatten();
    // Only a chat has an answer with texts.
    let pending = if *asked.operation() == Operation::Chat { judgement.pending } else { Vec::new() };
    let notes = Mutex::new(judgement.notes);
    let kept = asked.judged.set(Judged { notes, replaced, pending, metrics: metrics.clone() });
    debug_assert!(kept.is_ok(), "a request is judged once");
    judgement.refused.map_or(Ok(()), Err)
}

/// What guards see of a request, and what its dialect said besides.
struct Seen {
    content: Asked,
    losses: Vec<Loss>,
    memo: String,
    names: Names,
    lifted: Lifted,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            content: Asked::Withheld,
            losses: Vec::new(),
            memo: String::new(),
            names: Names::default(),
            lifted: Lifted::default(),
        }
    }
}

impl Seen {
    fn replaced(self, operation: &Operation) -> Option<Replaced> {
        let Self { content, losses, memo, names, lifted } = self;
        let request = match (content, operation) {
            (Asked::Chat(chat), Operation::CountTokens) => Request::CountTokens(chat),
            (Asked::Chat(chat), _) => Request::Chat(chat),
            (Asked::Embeddings(request), _) => Request::Embeddings(request),
            (Asked::Rerank(request), _) => Request::Rerank(request),
            (Asked::Withheld | Asked::Other(_), _) => return None,
        };
        Some(Replaced { request, losses, memo, names, lifted })
    }
}

/// Reads a request with the adapter of its dialect. One that is only relayed is shown as its JSON; other bodies, such
/// as files, are not shown.
async fn seen_by_guards(context: RequestContext<'_>, asked: &InboundRequest) -> Result<Seen, Fault> {
    let adapter = match &asked.side {
        ClientSide::Program(request) => {
            return Ok(Seen { content: content_of(Request::clone(request)), ..Seen::default() });
        }
        ClientSide::Dialect(adapter) => adapter,
    };
    let limit = context.config.server.translate_body_limit;
    let mut held = asked.held.beside();
    held.grow(joined_len(&asked.body)).await?;
    if asked.operation().is_relayed_only() {
        let is_json = asked.face.claim.body == BodyKind::Json;
        let content = match ClientRequest::new(asked, limit, adapter.manifest.takes_blobs)?.http.body {
            Body::Text(text) if is_json && !text.is_empty() => Asked::Other(text),
            Body::Text(_) | Body::Bytes(_) => Asked::Withheld,
        };
        return Ok(Seen { content, ..Seen::default() });
    }
    let ClientRequest { http, lifted } = ClientRequest::new(asked, limit, adapter.manifest.takes_blobs)?;
    let chosen = adapter.choose();
    let mut dialect = chosen.adapter.lease(&asked.caller.tenant).await.map_err(|fault| unified::blame(&fault))?;
    let ctx = Context {
        model: asked.model().to_owned(),
        format: asked.face.format().to_owned(),
        blobs: lifted.describe(),
        ..Context::new(&asked.exchange.id, asked.exchange.now_ms)
    };
    let Parsed { request, losses, memo, names } = unified::parse(&mut dialect, asked.operation(), &ctx, &http)?;
    dialect.release();
    Ok(Seen { content: content_of(request), losses, memo, names, lifted })
}

fn content_of(request: Request) -> Asked {
    match request {
        Request::Chat(chat) | Request::CountTokens(chat) => Asked::Chat(chat),
        Request::Embeddings(request) => Asked::Embeddings(request),
        Request::Rerank(request) => Asked::Rerank(request),
        Request::Models(_) => Asked::Withheld,
    }
}

impl Replaced {
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

/// Puts lifted values back into a request.
fn whole_again<T>(value: &T, lifted: &Lifted, limits: &blob::Limits) -> Result<T, Fault>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let failed = |error: &dyn std::fmt::Display| Fault::internal(format!("lifted values cannot be put back: {error}"));
    let json = Bytes::from(serde_json::to_vec(value).map_err(|error| failed(&error))?);
    let chunks = lifted.splice(&json, limits).map_err(|error| failed(&error))?;
    serde_json::from_slice(&chunks.concat()).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{ChatRequest, Message, Part, Role, TextPart};

    #[test]
    fn lifted_values_return_to_their_places() {
        let mut lifted = Lifted::default();
        let token = lifted.add(Bytes::from_static(b"QUJD")).unwrap();
        let of = |text: &str| {
            let parts = vec![Part::Text(TextPart::plain(text)), Part::Text(TextPart::plain("\"{}\n"))];
            ChatRequest::plain("m", vec![Message::plain(Role::User, parts)])
        };
        let limits = blob_limits(1 << 20);
        assert_eq!(whole_again(&of(&token), &lifted, &limits).unwrap(), of("QUJD"));
    }
}

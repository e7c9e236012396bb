//! Decides what the cache may keep: requests that get the same answer each time, and complete answers. Both are read in
//! the unified model, by the adapter of the client's format.

mod answer;
mod named;
mod portable;
mod provider_tools;
mod rewritten;

use std::sync::Arc;

use bytes::Bytes;

use super::InboundRequest;
use super::send::body_of;
use super::side::ClientSide;
use weir_cache::ComparedBody;
use weir_sandbox::{Adapter, Interface};
use weir_translate::unified::{self, Parsed, Request};
use weir_types::contract::about::Operation;
use weir_types::contract::types::{ChatRequest, Context, Header, HttpRequest, Part, ResultPart, Tool};
use weir_types::query;

pub(super) use answer::AnswerReader;
pub(super) use answer::portable;
pub(crate) use portable::Portable;
pub(crate) use rewritten::rewritten;

/// The largest request whose answer may be kept: comparing a larger one would take the processor for too long.
const MAX_REQUEST_BYTES: usize = 4 << 20;
/// The member by which formats ask a provider to keep an answer.
const STORE: &str = "store";

/// A request whose answer may be kept.
#[derive(Debug)]
pub(crate) struct Keepable {
    /// The request's meaning; `None` if its adapter lost anything, a provider may read it differently, or it is not a
    /// chat.
    pub(crate) meaning: Option<Meaning>,
}

/// What a chat request means, whatever its format.
#[derive(Debug)]
pub(crate) struct Meaning {
    /// The request in the unified model.
    pub(crate) chat: ChatRequest,
    /// What its adapter needs to write the answer.
    memo: String,
}

/// Whether a request is short enough to be compared with others.
pub(crate) fn is_comparable(inbound: &InboundRequest) -> bool {
    inbound.size() <= MAX_REQUEST_BYTES
}

/// Reads a request; `None` if its answer may not be kept. It may be kept if nothing of it is stored at the provider, no
/// tool of the provider runs, the request names no object, and it asks for one answer, or for several that are always
/// the same. `stores` means that answers of this endpoint are stored unless a request forbids it.
pub(crate) async fn keepable(inbound: &InboundRequest, stores: bool, body: &ComparedBody) -> Option<Keepable> {
    if !inbound.named_objects().are_none() {
        return None;
    }
    match inbound.operation() {
        Operation::Chat => {}
        Operation::Embeddings | Operation::Rerank => return Some(Keepable { meaning: None }),
        _ => return None,
    }
    let ClientSide::Dialect(adapter) = &inbound.side else { return None };
    let parsed = parsed(inbound, adapter).await?;
    let Request::Chat(chat) = parsed.request else { return None };
    if !is_plain(&chat, stores) {
        return None;
    }
    // If the bytes are ambiguous, the provider may have understood them in another way than the adapter.
    let meaning = (body.is_clear() && parsed.losses.is_empty()).then_some(Meaning { chat, memo: parsed.memo });
    Some(Keepable { meaning })
}

/// The request of a client that uses the unified model; `None` if its answer may not be kept. Only words and tool calls
/// are allowed, since other parts and members may name objects of a provider.
pub(crate) fn plain_chat(inbound: &InboundRequest) -> Option<&ChatRequest> {
    let Request::Chat(chat) = inbound.side.program()? else { return None };
    let is_common = |part: &Part| match part {
        Part::Text(_) | Part::ToolCall(_) | Part::Refusal(_) => true,
        Part::ToolResult(result) => result.content.iter().all(|part| matches!(part, ResultPart::Text(_))),
        Part::Reasoning(_) | Part::Media(_) | Part::Opaque(_) => false,
    };
    let names_nothing = chat.extensions.is_empty()
        && chat.messages.iter().all(|message| message.extensions.is_empty() && message.parts.iter().all(is_common));
    (names_nothing && is_plain(chat, false)).then_some(chat)
}

async fn parsed(inbound: &InboundRequest, adapter: &Arc<Adapter>) -> Option<Parsed> {
    if !adapter.has(Interface::ProviderChat) {
        return None;
    }
    let mut lease = adapter.lease(Arc::clone(&inbound.caller.tenant)).await.ok()?;
    let parsed = unified::parse(&mut lease, inbound.operation(), &context(inbound), &http_of(inbound));
    lease.release();
    parsed.ok()
}

fn context(inbound: &InboundRequest) -> Context {
    Context {
        model: inbound.model().to_owned(),
        format: inbound.endpoint.format().to_owned(),
        ..Context::new(&inbound.exchange.id, inbound.exchange.now_ms)
    }
}

fn http_of(inbound: &InboundRequest) -> HttpRequest {
    let header = |name: &String| {
        let value = inbound.headers.get(name.as_str())?.to_str().ok()?;
        Some(Header { name: name.clone(), value: value.to_owned() })
    };
    HttpRequest {
        method: inbound.method.as_str().to_owned(),
        path: inbound.path.clone(),
        query: query::pairs(&inbound.query).map(|(name, value)| Header { name, value }).collect(),
        headers: inbound.endpoint.face.request_headers.iter().filter_map(header).collect(),
        body: body_of(&Bytes::from(inbound.body.concat())),
    }
}

fn is_plain(chat: &ChatRequest, stores: bool) -> bool {
    let stated = chat.extensions.iter().find(|member| member.key == STORE).map(|member| member.json.trim());
    let is_stored = match stated {
        Some("false" | "null") => false,
        Some(_) => true,
        None => stores,
    };
    let has_own_tools =
        chat.tools.iter().any(|tool| matches!(tool, Tool::Opaque(_))) || provider_tools::are_asked_for(chat);
    let sampling = &chat.sampling;
    let is_random = sampling.temperature.is_none_or(|temperature| temperature > 0.0);
    let wants_several = sampling.candidates.is_some_and(|count| count > 1);
    !(is_stored || has_own_tools || named::names_stored(chat) || wants_several && is_random)
}

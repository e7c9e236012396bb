//! What may be kept: requests whose answers are the same each time they are sent, and answers that are complete. Both are
//! read in the unified model, by the adapter of the client's format.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::InboundRequest;
use super::send::{body_of, response_of};
use weir_sandbox::{Adapter, Interface, Lease};
use weir_translate::unified::{self, Answer, Outcome, Request};
use weir_types::contract::about::Operation;
use weir_types::contract::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, FinishReason, Framing, Header, HttpRequest, Tool,
};
use weir_types::query;
use weir_upstream::{Coding, DecodeBound, Decoder};
use weir_wire::frame;

/// The largest request that is read for this.
const LARGEST: usize = 4 << 20;
/// The largest answer, uncompressed.
const LARGEST_ANSWER: usize = 32 << 20;
/// The member by which formats ask a provider to keep an answer.
const STORE: &str = "store";

/// Whether the answer to a request may be kept: nothing of it is stored at the provider, no tool of the provider's runs, it
/// names no object, and it asks for one answer, or for several that are always the same. `stores` means that answers of
/// this endpoint are stored unless a request says otherwise.
pub(crate) async fn is_keepable(asked: &InboundRequest, stores: bool) -> bool {
    if !asked.reading.object_ids(&asked.body, &asked.holes).is_empty() {
        return false;
    }
    match asked.operation() {
        Operation::Chat => {}
        Operation::Embeddings | Operation::Rerank => return true,
        _ => return false,
    }
    let Some(adapter) = asked.side.dialect().filter(|adapter| adapter.has(Interface::ProviderChat)) else {
        return false;
    };
    let length: usize = asked.body.iter().map(Bytes::len).sum();
    if length > LARGEST {
        return false;
    }
    let Ok(mut lease) = adapter.lease(&asked.caller.tenant).await else { return false };
    let parsed = unified::parse(&mut lease, asked.operation(), &context(asked), &http_of(asked));
    lease.release();
    matches!(parsed.map(|parsed| parsed.request), Ok(Request::Chat(chat)) if is_plain(&chat, stores))
}

fn context(asked: &InboundRequest) -> Context {
    Context {
        model: asked.model().to_owned(),
        format: asked.face.format().to_owned(),
        ..Context::new(&asked.exchange.id, asked.exchange.now_ms)
    }
}

fn http_of(asked: &InboundRequest) -> HttpRequest {
    let header = |name: &String| {
        let value = asked.headers.get(name.as_str())?.to_str().ok()?;
        Some(Header { name: name.clone(), value: value.to_owned() })
    };
    HttpRequest {
        method: asked.method.as_str().to_owned(),
        path: asked.path.clone(),
        query: query::pairs(&asked.query).map(|(name, value)| Header { name, value }).collect(),
        headers: asked.face.claim.request_headers.iter().filter_map(header).collect(),
        body: body_of(&Bytes::from(asked.body.concat())),
    }
}

fn is_plain(chat: &ChatRequest, stores: bool) -> bool {
    let told = chat.extensions.iter().find(|member| member.key == STORE).map(|member| member.json.trim());
    let is_stored = match told {
        Some("false" | "null") => false,
        Some(_) => true,
        None => stores,
    };
    let has_own_tools = chat.tools.iter().any(|tool| matches!(tool, Tool::Opaque(_)));
    let sampling = &chat.sampling;
    let is_random = sampling.temperature.is_none_or(|temperature| temperature > 0.0);
    let wants_several = sampling.candidates.is_some_and(|count| count > 1);
    !(is_stored || has_own_tools || wants_several && is_random)
}

/// Reads answers of one format.
#[derive(Debug)]
pub(super) struct Judge {
    adapter: Option<Arc<Adapter>>,
    tenant: Arc<str>,
    context: Context,
    operation: Operation,
    /// None for a whole answer.
    framing: Option<Framing>,
    limits: frame::Limits,
}

impl Judge {
    pub(super) fn of(asked: &InboundRequest, is_stream: bool, frame_bytes: usize) -> Self {
        Self {
            adapter: asked.side.dialect().cloned(),
            tenant: Arc::clone(&asked.caller.tenant),
            context: context(asked),
            operation: asked.operation().clone(),
            framing: is_stream.then_some(asked.framing),
            limits: frame::Limits { frame_bytes, ..frame::Limits::default() },
        }
    }

    /// Whether an answer is complete: neither cut short by a limit, nor filtered, refused or failed.
    pub(super) async fn is_complete(&self, headers: &HeaderMap, body: &Bytes) -> bool {
        if self.operation != Operation::Chat {
            return true;
        }
        let Some(adapter) = &self.adapter else { return false };
        let Some(plain) = decoded(headers, body) else { return false };
        let Ok(mut lease) = adapter.lease(&self.tenant).await else { return false };
        if let Some(framing) = self.framing {
            return self.is_complete_stream(framing, lease, &plain);
        }
        let http = response_of(StatusCode::OK, headers, &plain);
        let read = unified::parse_answer(&mut lease, &self.operation, &self.context, &http);
        lease.release();
        matches!(read, Ok(Outcome::Complete(Answer::Chat(chat), _)) if is_complete(&chat))
    }

    fn is_complete_stream(&self, framing: Framing, lease: Lease, plain: &[u8]) -> bool {
        let mut frames = Vec::new();
        let mut deframer = frame::Decoder::new(framing, self.limits);
        let is_read = deframer.push(plain, &mut |frame| frames.push(frame.to_owned())).is_ok()
            && deframer.finish(&mut |frame| frames.push(frame.to_owned())).is_ok();
        let Ok(mut decoder) = lease.decoder(&self.context) else { return false };
        let (Ok(Ok(most)), Ok(Ok(rest))) = (decoder.push(&frames), decoder.finish()) else { return false };
        decoder.release();
        let events = || most.events.iter().chain(&rest.events);
        let has_failed = events().any(|event| matches!(event, ChatEvent::Failure(_)));
        let mut ends = events().filter_map(|event| match event {
            ChatEvent::Finish(end) => Some(end.finish.reason),
            _ => None,
        });
        let first = ends.next();
        is_read && !has_failed && first.is_some_and(is_end) && ends.all(is_end)
    }
}

fn is_complete(chat: &ChatResponse) -> bool {
    let reason = |finish: &Option<weir_types::contract::types::Finish>| finish.as_ref().map(|finish| finish.reason);
    !chat.candidates.is_empty() && chat.candidates.iter().all(|one| reason(&one.finish).is_some_and(is_end))
}

fn is_end(reason: FinishReason) -> bool {
    matches!(reason, FinishReason::Complete | FinishReason::StopSequence | FinishReason::ToolCalls)
}

/// An answer's bytes without their coding; `None` if that is not known or broken.
fn decoded(headers: &HeaderMap, body: &Bytes) -> Option<Bytes> {
    let coding = Coding::of(headers).ok()?;
    if coding == Coding::Identity {
        return Some(body.clone());
    }
    let mut decoder = Decoder::new(coding, DecodeBound { piece: LARGEST_ANSWER, ..DecodeBound::default() }).ok()?;
    let mut plain = decoder.push(body).ok()?.to_vec();
    plain.extend_from_slice(&decoder.finish().ok()?);
    Some(Bytes::from(plain))
}

//! The contract's operations behind one set of types: parsed requests and answers, whatever the operation.

pub mod calls;

use std::time::Duration;

use super::bounds;
use super::names::Names;
use super::stated_json;
use weir_sandbox::{CallResult, FaultKind, Lease, PluginFault};
use weir_types::contract::about::Operation;
use weir_types::contract::types::{
    ChatRequest, ChatResponse, Context, EmbeddingsRequest, EmbeddingsResponse, Error, ErrorKind, FollowUp, HttpRequest,
    HttpResponse, Loss, ModelsRequest, ModelsResponse, RenderedRequest, RenderedResponse, RerankRequest,
    RerankResponse, TokenCount, Usage,
};
use weir_types::fault::{Fault, Side};

/// The code of a request or answer that is too large for the adapters of one target. Another target's adapters may
/// take it, or its provider may accept it in the relay lane.
pub const TOO_LARGE_TO_TRANSLATE: &str = "too_large_to_translate";
/// `Retry-After` when no instance is free.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A client's parsed request.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Asks for a chat completion.
    Chat(ChatRequest),
    /// Asks for embeddings.
    Embeddings(EmbeddingsRequest),
    /// Asks for the list of models, or for one of them.
    Models(ModelsRequest),
    /// Asks for the number of tokens of a chat request.
    CountTokens(ChatRequest),
    /// Asks for documents ranked by relevance.
    Rerank(RerankRequest),
}

/// A provider's parsed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A chat completion.
    Chat(ChatResponse),
    /// Answers a request for embeddings.
    Embeddings(EmbeddingsResponse),
    /// Answers a request for the list of models, or for one of them.
    Models(ModelsResponse),
    /// Answers a request for the number of tokens.
    CountTokens(TokenCount),
    /// Ranked documents.
    Rerank(RerankResponse),
}

/// The result of parsing a client's request.
#[derive(Debug)]
pub struct Parsed {
    /// The request in the unified model.
    pub request: Request,
    /// Fields that the unified model cannot hold.
    pub losses: Vec<Loss>,
    /// The dialect's memo, which its later calls get back.
    pub memo: String,
    /// The client's spelling of the request's fields.
    pub names: Names,
}

/// The result of parsing a provider's answer.
#[derive(Debug)]
pub enum Outcome {
    /// The answer is complete; the losses are those of parsing.
    Complete(Answer, Vec<Loss>),
    /// The provider needs one more request.
    FollowUp(FollowUp),
}

impl Request {
    /// Sets the model's name; a models request has none.
    pub fn set_model(&mut self, model: &str) {
        match self {
            Self::Chat(request) | Self::CountTokens(request) => model.clone_into(&mut request.model),
            Self::Embeddings(request) => model.clone_into(&mut request.model),
            Self::Rerank(request) => model.clone_into(&mut request.model),
            Self::Models(_) => {}
        }
    }

    /// Whether everything in it is JSON that has to be.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Chat(request) | Self::CountTokens(request) => stated_json::chat_is_sound(request),
            Self::Embeddings(request) => stated_json::embeddings_are_sound(request),
            Self::Rerank(request) => stated_json::rerank_is_sound(request),
            Self::Models(_) => true,
        }
    }

    /// Removes the client's spelling of fields from the request and returns it.
    pub(crate) fn take_names(&mut self) -> Names {
        match self {
            Self::Chat(request) | Self::CountTokens(request) => Names::take(request),
            Self::Embeddings(_) | Self::Models(_) | Self::Rerank(_) => Names::default(),
        }
    }

    /// Whether the request asks for a streamed answer.
    pub fn streams(&self) -> bool {
        matches!(self, Self::Chat(request) if request.stream)
    }
}

impl Answer {
    /// The usage that the answer reports, if any.
    pub fn usage(&self) -> Option<&Usage> {
        match self {
            Self::Chat(answer) => answer.usage.as_ref(),
            Self::Embeddings(answer) => answer.usage.as_ref(),
            Self::Rerank(answer) => answer.usage.as_ref(),
            Self::Models(_) | Self::CountTokens(_) => None,
        }
    }

    /// Whether the answer has to say how many tokens it used: each chat, and whatever else says so.
    pub fn is_metered(&self) -> bool {
        matches!(self, Self::Chat(_)) || self.usage().is_some()
    }

    /// The usage that the answer is billed by: with the service tier that stands beside it.
    pub fn billed(&self) -> Option<Usage> {
        let mut usage = self.usage()?.clone();
        if let Self::Chat(answer) = self {
            usage.take_tier(answer.service_tier.as_deref());
        }
        Some(usage)
    }

    /// Sets the model's name if the provider sent none: to the provider's spelling, as in a relayed answer. Returns
    /// the name; `None` for answers without a model.
    pub fn name_model(&mut self, model: &str) -> Option<&str> {
        let name = match self {
            Self::Chat(answer) => &mut answer.model,
            Self::Embeddings(answer) => &mut answer.model,
            Self::Rerank(answer) => &mut answer.model,
            Self::Models(_) | Self::CountTokens(_) => return None,
        };
        if name.as_deref().is_none_or(str::is_empty) {
            *name = Some(model.to_owned());
        }
        name.as_deref()
    }
}

/// Converts a component's failure to a fault for the client, without any text of the component's own.
pub fn blame(fault: &PluginFault) -> Fault {
    if fault.kind == FaultKind::Exhausted {
        let message = match fault.limit {
            Some(limit) => format!("the adapters hold as much memory as `{limit}` allows, try again in a moment"),
            None => "no adapter instance is free, try again in a moment".to_owned(),
        };
        return Fault::overloaded(message, RETRY_AFTER);
    }
    if fault.kind == FaultKind::Quarantined {
        let message = format!("the adapter `{}` is out of service: {}", fault.adapter, fault.detail);
        return Fault::new(Side::Adapter, ErrorKind::Overloaded, message)
            .with_status(503)
            .with_code("adapter_quarantined");
    }
    if let Some(limit) = fault.limit {
        return too_large(fault, limit);
    }
    tracing::warn!(adapter = %fault.adapter, function = fault.function, kind = fault.kind.name(), detail = fault.detail, "adapter failed");
    Fault::adapter(format!("the adapter `{}` failed in {}: {}", fault.adapter, fault.function, fault.kind.name()))
}

/// A fault for a legal request, or an answer, that is too large to translate.
fn too_large(fault: &PluginFault, limit: &str) -> Fault {
    let adapter = &fault.adapter;
    tracing::info!(%adapter, function = fault.function, limit, detail = fault.detail, "too large to be translated");
    if fault.function.ends_with("-request") {
        let message = format!(
            "the request is too large to be translated by the adapter `{adapter}`: send less at once, or raise `{limit}`"
        );
        return Fault::new(Side::Client, ErrorKind::TooLarge, message)
            .with_status(413)
            .with_code(TOO_LARGE_TO_TRANSLATE);
    }
    let message = format!("the answer is too large to be translated by the adapter `{adapter}`; raise `{limit}`");
    Fault::new(Side::Gateway, ErrorKind::Internal, message).with_status(502).with_code(TOO_LARGE_TO_TRANSLATE)
}

/// Converts a call's result; an error that the adapter returned on purpose is blamed on `side`.
pub fn attribute<T>(called: CallResult<T>, side: Side) -> Result<T, Fault> {
    match called {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::from_error(side, bounds::error(error))),
        Err(fault) => Err(blame(&fault)),
    }
}

/// A fault for an operation that no component translates.
pub fn relayed_only() -> Fault {
    let message = "the model's provider does not take this operation; ask for a model of a provider that does";
    let fault = Fault::from_error(Side::Client, Error { status: Some(400), ..Fault::invalid(message).error });
    fault.with_code("unsupported_operation")
}

/// Parses a client's request with the dialect's adapter. A value that is no JSON, though it has to be, would bring
/// members of its own into the provider's request, such as another model.
pub fn parse(dialect: &mut Lease, operation: &Operation, ctx: &Context, http: &HttpRequest) -> Result<Parsed, Fault> {
    let parsed = attribute(calls::parse(dialect, operation, ctx, http), Side::Client)?;
    if parsed.request.is_sound() {
        return Ok(parsed);
    }
    let adapter = &dialect.adapter().name;
    tracing::warn!(%adapter, "what the adapter calls JSON in a request is none");
    Err(Fault::adapter(format!("what the adapter `{adapter}` calls JSON in the request is none")))
}

/// Renders the upstream request with the provider's adapter.
pub fn render(provider: &mut Lease, ctx: &Context, request: &Request) -> Result<RenderedRequest, Fault> {
    attribute(calls::render(provider, ctx, request), Side::Client)
}

/// Parses the upstream's whole answer with the provider's adapter. What is to be JSON in it and is none is left out.
pub fn parse_answer(
    provider: &mut Lease,
    operation: &Operation,
    ctx: &Context,
    http: &HttpResponse,
) -> Result<Outcome, Fault> {
    let mut outcome = attribute(calls::parse_answer(provider, operation, ctx, http), Side::Upstream)?;
    if let Outcome::Complete(answer, losses) = &mut outcome {
        match answer {
            Answer::Chat(answer) => stated_json::clean_chat(answer, losses),
            Answer::Embeddings(answer) => stated_json::clean_embeddings(answer, losses),
            Answer::Models(answer) => stated_json::clean_models(answer, losses),
            Answer::Rerank(answer) => stated_json::clean_rerank(answer, losses),
            Answer::CountTokens(_) => {}
        }
    }
    Ok(outcome)
}

/// Renders the whole answer for the client with the dialect's adapter.
pub fn render_answer(dialect: &mut Lease, ctx: &Context, answer: &Answer) -> Result<RenderedResponse, Fault> {
    attribute(calls::render_answer(dialect, ctx, answer), Side::Adapter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sandbox::Digest;

    #[test]
    fn a_call_without_room_is_refused_for_a_moment_and_says_which_setting_is_reached() {
        let refused = |limit| {
            let (adapter, digest) = ("a".into(), Digest::from([0; 32]));
            let (function, kind, detail) = ("chat-dialect.parse-request", FaultKind::Exhausted, String::new());
            blame(&PluginFault { adapter, digest, function, kind, limit, detail }).error
        };
        for (limit, words) in [(None, "no adapter instance"), (Some("plugins.total_memory"), "`plugins.total_memory`")]
        {
            let error = refused(limit);
            assert_eq!((error.status, error.kind), (Some(503), ErrorKind::Overloaded));
            assert!(error.message.contains(words) && error.retry_after_ms.is_some(), "{error:?}");
        }
    }
}

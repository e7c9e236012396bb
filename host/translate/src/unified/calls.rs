//! The calls of an adapter, one function for each step whatever the operation. What an adapter returns as an error is
//! kept apart from the adapter's own failures, and from whose fault either is.

use weir_sandbox::call::ChatOutcome;
use weir_sandbox::{CallResult, Lease};
use weir_types::contract::about::Operation;
use weir_types::contract::types::{Context, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse};

use super::{Answer, Outcome, Parsed, Request, relayed_only};

macro_rules! parsed {
    ($called:expr, $wrap:path) => {
        $called.map(|result| {
            result.map(|parsed| {
                let mut request = $wrap(parsed.request);
                let names = request.take_names();
                Parsed { request, losses: parsed.losses, memo: parsed.memo, names }
            })
        })
    };
}

/// Parses a client's request with the dialect's adapter.
pub fn parse(dialect: &mut Lease, operation: &Operation, ctx: &Context, http: &HttpRequest) -> CallResult<Parsed> {
    match operation {
        Operation::Chat => parsed!(dialect.parse_chat(ctx, http), Request::Chat),
        Operation::Embeddings => parsed!(dialect.parse_embeddings(ctx, http), Request::Embeddings),
        Operation::Models => parsed!(dialect.parse_models(ctx, http), Request::Models),
        Operation::CountTokens => parsed!(dialect.parse_count(ctx, http), Request::CountTokens),
        Operation::Rerank => parsed!(dialect.parse_rerank(ctx, http), Request::Rerank),
        _ => Ok(Err(relayed_only().error)),
    }
}

/// Renders the upstream request with the provider's adapter.
pub fn render(provider: &mut Lease, ctx: &Context, request: &Request) -> CallResult<RenderedRequest> {
    match request {
        Request::Chat(request) => provider.render_chat(ctx, request),
        Request::Embeddings(request) => provider.render_embeddings(ctx, request),
        Request::Models(request) => provider.render_models(ctx, request),
        Request::CountTokens(request) => provider.render_count(ctx, request),
        Request::Rerank(request) => provider.render_rerank(ctx, request),
    }
}

/// Parses the upstream's whole answer with the provider's adapter.
pub fn parse_answer(
    provider: &mut Lease,
    operation: &Operation,
    ctx: &Context,
    http: &HttpResponse,
) -> CallResult<Outcome> {
    let complete = |answer| Outcome::Complete(answer, Vec::new());
    Ok(match operation {
        Operation::Chat => provider.parse_chat_response(ctx, http)?.map(chat_outcome),
        Operation::Embeddings => provider.parse_embeddings_response(ctx, http)?.map(Answer::Embeddings).map(complete),
        Operation::Models => provider.parse_models_response(ctx, http)?.map(Answer::Models).map(complete),
        Operation::CountTokens => provider.parse_count_response(ctx, http)?.map(Answer::CountTokens).map(complete),
        Operation::Rerank => provider.parse_rerank_response(ctx, http)?.map(Answer::Rerank).map(complete),
        _ => Err(relayed_only().error),
    })
}

fn chat_outcome(outcome: ChatOutcome) -> Outcome {
    match outcome {
        ChatOutcome::Complete(answer) => Outcome::Complete(Answer::Chat(answer.response), answer.losses),
        ChatOutcome::FollowUp(follow_up) => Outcome::FollowUp(follow_up),
    }
}

/// Renders the whole answer for the client with the dialect's adapter.
pub fn render_answer(dialect: &mut Lease, ctx: &Context, answer: &Answer) -> CallResult<RenderedResponse> {
    match answer {
        Answer::Chat(answer) => dialect.render_chat_response(ctx, answer),
        Answer::Embeddings(answer) => dialect.render_embeddings_response(ctx, answer),
        Answer::Models(answer) => dialect.render_models_response(ctx, answer),
        Answer::CountTokens(count) => dialect.render_count_response(ctx, count),
        Answer::Rerank(answer) => dialect.render_rerank_response(ctx, answer),
    }
}

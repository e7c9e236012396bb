//! The contract's operations as one, with an adapter's refusals told apart from its failures.

use crate::attempt::{Answer, Request};
use crate::contract::about::exports::weir::adapter::about::Operation;
use crate::contract::types::{Context, Error, ErrorKind, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse};
use crate::plugin::call::ChatOutcome;
use crate::plugin::{Called, Lease};

use super::{Read, Survived, Understood};

macro_rules! understood {
    ($called:expr, $wrap:path) => {
        $called.map(|heard| {
            heard.map(|parsed| {
                let mut request = $wrap(parsed.request);
                // How the client spells its fields is no part of what it says.
                request.take_names();
                Understood { request, losses: parsed.losses, memo: parsed.memo }
            })
        })
    };
}

/// Dialect: reads a client's request.
pub(super) fn parse(lease: &mut Lease, operation: &Operation, ctx: &Context, http: &HttpRequest) -> Called<Understood> {
    match operation {
        Operation::Chat => understood!(lease.parse_chat(ctx, http), Request::Chat),
        Operation::Embeddings => understood!(lease.parse_embeddings(ctx, http), Request::Embeddings),
        Operation::Models => understood!(lease.parse_models(ctx, http), Request::Models),
        Operation::CountTokens => understood!(lease.parse_count(ctx, http), Request::CountTokens),
        Operation::Rerank => understood!(lease.parse_rerank(ctx, http), Request::Rerank),
        Operation::Other(_) => Ok(Err(relayed_only())),
    }
}

/// Provider: writes the request for the upstream.
pub(super) fn render(lease: &mut Lease, ctx: &Context, request: &Request) -> Called<RenderedRequest> {
    match request {
        Request::Chat(request) => lease.render_chat(ctx, request),
        Request::Embeddings(request) => lease.render_embeddings(ctx, request),
        Request::Models(request) => lease.render_models(ctx, request),
        Request::CountTokens(request) => lease.render_count(ctx, request),
        Request::Rerank(request) => lease.render_rerank(ctx, request),
    }
}

/// Provider: reads a whole answer.
pub(super) fn parse_answer(
    lease: &mut Lease,
    operation: &Operation,
    ctx: &Context,
    http: &HttpResponse,
) -> Survived<Read> {
    let whole = |heard: Result<Answer, Error>| heard.map_or_else(Read::Error, |answer| Read::Whole(answer, Vec::new()));
    Ok(match operation {
        Operation::Chat => match lease.parse_chat_response(ctx, http)? {
            Ok(ChatOutcome::Complete(answer)) => Read::Whole(Answer::Chat(answer.response), answer.losses),
            Ok(ChatOutcome::FollowUp(follow_up)) => Read::FollowUp(follow_up),
            Err(error) => Read::Error(error),
        },
        Operation::Embeddings => whole(lease.parse_embeddings_response(ctx, http)?.map(Answer::Embeddings)),
        Operation::Models => whole(lease.parse_models_response(ctx, http)?.map(Answer::Models)),
        Operation::CountTokens => whole(lease.parse_count_response(ctx, http)?.map(Answer::CountTokens)),
        Operation::Rerank => whole(lease.parse_rerank_response(ctx, http)?.map(Answer::Rerank)),
        Operation::Other(_) => Read::Error(relayed_only()),
    })
}

/// Dialect: writes a whole answer for the client.
pub(super) fn render_answer(lease: &mut Lease, ctx: &Context, answer: &Answer) -> Called<RenderedResponse> {
    match answer {
        Answer::Chat(answer) => lease.render_chat_response(ctx, answer),
        Answer::Embeddings(answer) => lease.render_embeddings_response(ctx, answer),
        Answer::Models(answer) => lease.render_models_response(ctx, answer),
        Answer::CountTokens(count) => lease.render_count_response(ctx, count),
        Answer::Rerank(answer) => lease.render_rerank_response(ctx, answer),
    }
}

fn relayed_only() -> Error {
    let message = "no component translates this operation".to_owned();
    Error { kind: ErrorKind::Unsupported, message, status: None, code: None, param: None, retry_after_ms: None }
}

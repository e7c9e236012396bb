//! The provider's side: Cohere's service, and others with its format.

pub(crate) mod decoder;
mod documents;
mod messages;
mod request;
mod response;
mod thinking;
mod tools;

use weir_sdk::adapter::{ChatAnswer, ChatOutcome, ProviderChat, ProviderErrors, Result};
use weir_sdk::names::{IdRule, Names};
use weir_sdk::types::{ChatRequest, Context, Error, HttpResponse, RenderedRequest};

use crate::{Cohere, error};

impl ProviderChat for Cohere {
    type Decoder = decoder::ChatDecoder;

    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        request::write(ctx, &request)
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        let response = response::read(ctx, &response)?;
        Ok(ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }))
    }
}

impl ProviderErrors for Cohere {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        error::read(&response, ctx.now_ms)
    }
}

/// The names of a request's tools, without changes yet.
fn names() -> Names {
    Names::new(IdRule::NAME).letter_first()
}

/// The target's model, or else the request's.
pub(crate) fn model<'a>(ctx: &'a Context, named: &'a str) -> &'a str {
    if ctx.model.is_empty() { named } else { &ctx.model }
}

//! The provider's side: the service.

pub(crate) mod additional;
mod betas;
pub(crate) mod decoder;
pub(crate) mod error;
pub(crate) mod messages;
pub(crate) mod request;
mod response;
pub(crate) mod sampling;
mod schema;
pub(crate) mod thinking;
mod tools;

use weir_sdk::adapter::{ChatAnswer, ChatOutcome, ProviderChat, ProviderErrors, Result};
use weir_sdk::types::{ChatRequest, Context, Error, HttpResponse, RenderedRequest};

use crate::Bedrock;

impl ProviderChat for Bedrock {
    type Decoder = decoder::ConverseDecoder;

    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        request::write(ctx, &request)
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        let response = response::read(ctx, &response)?;
        Ok(ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }))
    }
}

impl ProviderErrors for Bedrock {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        error::read(&response, ctx.now_ms)
    }
}

//! The provider's side: Anthropic's service, and others with its format.

pub(crate) mod decoder;
pub(crate) mod error;
mod messages;
pub(crate) mod request;
mod response;
mod schema;
mod thinking;
mod tools;

use weir_sdk::adapter::{ChatAnswer, ChatOutcome, ProviderChat, ProviderErrors, Result};
use weir_sdk::types::{ChatRequest, Context, Error, HttpResponse, RenderedRequest};

use crate::Anthropic;

impl ProviderChat for Anthropic {
    type Decoder = decoder::MessagesDecoder;

    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        request::write(ctx, &request)
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        let response = response::read(ctx, &response)?;
        Ok(ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }))
    }
}

impl ProviderErrors for Anthropic {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        error::read(&response, ctx.now_ms)
    }
}

//! The provider's side: the server, on a user's own machine or in the cloud.

pub(crate) mod decoder;
pub(crate) mod error;
mod messages;
mod prompt;
mod request;
mod response;

use weir_sdk::adapter::{ChatAnswer, ChatOutcome, ProviderChat, ProviderErrors, Result};
use weir_sdk::types::{ChatRequest, Context, Error, HttpResponse, RenderedRequest};

use crate::Ollama;

impl ProviderChat for Ollama {
    type Decoder = decoder::LineDecoder;

    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        request::write(ctx, &request)
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        let response = response::read(ctx, &response)?;
        Ok(ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }))
    }
}

impl ProviderErrors for Ollama {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        error::read(&response, ctx.now_ms)
    }
}

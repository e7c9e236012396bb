//! The provider's side: Anthropic's service, and others with its format.

pub(crate) mod config;
mod contents;
pub(crate) mod decoder;
pub(crate) mod error;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod thinking;
pub(crate) mod tools;

use weir_sdk::adapter::{ChatAnswer, ChatOutcome, ProviderChat, ProviderErrors, Result};
use weir_sdk::types::{ChatRequest, Context, Error, HttpResponse, RenderedRequest};

use crate::{Gemini, user_project};

impl ProviderChat for Gemini {
    type Decoder = decoder::GenerateDecoder;

    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        Ok(user_project::named(ctx, request::write(ctx, &request)?))
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        let response = response::read(ctx, &response)?;
        Ok(ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }))
    }
}

impl ProviderErrors for Gemini {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        error::read(&response, ctx.now_ms)
    }
}

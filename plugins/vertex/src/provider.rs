//! Parses answers and errors of the service.

use weir_adapter_anthropic::Anthropic;
use weir_adapter_gemini::{Gemini, user_project};
use weir_sdk::adapter::{ChatOutcome, ProviderChat, ProviderErrors, Result};
use weir_sdk::types::{ChatRequest, Context, Error, HttpResponse, RenderedRequest};

use crate::decoder::VertexDecoder;
use crate::target::{Publisher, Target};
use crate::{Vertex, claude, error, google};

impl ProviderChat for Vertex {
    type Decoder = VertexDecoder;

    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        let target = Target::of(ctx, &request.model)?;
        let rendered = match target.publisher {
            Publisher::Google => google::chat(ctx, &target, request)?,
            Publisher::Anthropic => claude::chat(ctx, &target, request)?,
        };
        Ok(user_project::named(ctx, rendered))
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        match Target::of(ctx, "")?.publisher {
            Publisher::Google => <Gemini as ProviderChat>::parse_response(ctx, response),
            Publisher::Anthropic => match response.body.as_text().ok().and_then(error::platforms) {
                Some(error) => Err(error),
                None => <Anthropic as ProviderChat>::parse_response(ctx, response),
            },
        }
    }
}

impl ProviderErrors for Vertex {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        if response.body.as_text().is_ok_and(error::is_claudes) {
            return Anthropic::parse_error(ctx, response);
        }
        Gemini::parse_error(ctx, response)
    }
}

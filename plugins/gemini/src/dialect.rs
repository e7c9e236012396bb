//! The dialect's side: the format of clients.

mod config;
pub(crate) mod encoder;
mod names;
pub(crate) mod request;
mod response;
mod tools;
mod turns;

use weir_sdk::adapter::{DialectChat, ParsedChat, Result};
use weir_sdk::types::{ChatResponse, Context, HttpRequest, RenderedResponse};

use crate::Gemini;

impl DialectChat for Gemini {
    type Encoder = encoder::GenerateEncoder;

    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat> {
        let (request, losses) = request::read(ctx, &request)?;
        Ok(ParsedChat { request, losses, memo: String::new() })
    }

    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse> {
        Ok(response::write(ctx, &response))
    }
}

//! The dialect's side: the format of clients.

mod additional;
pub(crate) mod encoder;
mod names;
pub(crate) mod request;
mod response;
mod tools;

use weir_sdk::adapter::{DialectChat, ParsedChat, Result};
use weir_sdk::types::{ChatResponse, Context, HttpRequest, RenderedResponse};

use crate::Bedrock;

impl DialectChat for Bedrock {
    type Encoder = encoder::ConverseEncoder;

    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat> {
        Ok(ParsedChat { request: request::read(ctx, &request)?, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse> {
        Ok(response::write(ctx, &response))
    }
}

//! The dialect's side: the formats of clients.

mod encoder;
mod names;
mod request;
mod response;

use weir_sdk::adapter::{DialectChat, ParsedChat, Result};
use weir_sdk::types::{ChatResponse, Context, HttpRequest, RenderedResponse};

use crate::Cohere;

impl DialectChat for Cohere {
    type Encoder = encoder::ChatEncoder;

    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat> {
        Ok(ParsedChat { request: request::read(ctx, &request)?, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse> {
        Ok(response::write(ctx, &response))
    }
}

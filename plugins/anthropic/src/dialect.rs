//! The dialect's side: the format of clients.

pub(crate) mod encoder;
mod names;
pub(crate) mod request;
mod response;

use weir_sdk::adapter::{DialectChat, ParsedChat, Result};
use weir_sdk::types::{ChatResponse, Context, HttpRequest, RenderedResponse};

use crate::Anthropic;

impl DialectChat for Anthropic {
    type Encoder = encoder::MessagesEncoder;

    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedChat> {
        Ok(ParsedChat { request: request::read(&request)?, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse> {
        Ok(response::write(ctx, &response))
    }
}

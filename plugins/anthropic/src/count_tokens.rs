//! Counts the tokens of a request, on both sides.

use weir_sdk::adapter::{DialectCountTokens, ParsedCount, ProviderCountTokens, Result};
use weir_sdk::json::{object, parse};
use weir_sdk::types::{
    ChatRequest, Context, Error, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse, TokenCount,
};

use crate::{Anthropic, dialect, provider, wire};

impl ProviderCountTokens for Anthropic {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        provider::request::write_count(ctx, &request)
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<TokenCount> {
        let text = response.body.as_text().map_err(|_| Error::unreadable("the count is not UTF-8"))?;
        let counted: wire::Counted<'_> =
            parse(text).map_err(|error| Error::unreadable(format!("the count cannot be read: {error}")))?;
        let input = counted.input_tokens.ok_or_else(|| Error::unreadable("the count is missing"))?.0;
        Ok(TokenCount { input, cached: None })
    }
}

impl DialectCountTokens for Anthropic {
    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedCount> {
        Ok(ParsedCount { request: dialect::request::read(&request)?, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(_: &Context, response: TokenCount) -> Result<RenderedResponse> {
        let mut body = String::new();
        object(&mut body, |o| o.num("input_tokens", response.input));
        Ok(RenderedResponse::json(body))
    }
}

//! Counts the tokens of a request, on both sides.

use weir_sdk::adapter::{DialectCountTokens, ParsedCount, ProviderCountTokens, Result};
use weir_sdk::token_count;
use weir_sdk::types::{ChatRequest, Context, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse, TokenCount};

use crate::{Anthropic, dialect, provider, wire};

impl ProviderCountTokens for Anthropic {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        provider::request::write_count(ctx, &request)
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<TokenCount> {
        let counted: wire::Counted<'_> = token_count::parsed(&response)?;
        token_count::of(counted.input_tokens, None)
    }
}

impl DialectCountTokens for Anthropic {
    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedCount> {
        Ok(ParsedCount { request: dialect::request::read(&request)?, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(_: &Context, response: TokenCount) -> Result<RenderedResponse> {
        Ok(token_count::rendered(&response, "input_tokens", None))
    }
}

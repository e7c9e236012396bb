//! Counts the tokens of a request, on both sides.

use weir_sdk::adapter::{DialectCountTokens, ParsedCount, ProviderCountTokens, Result};
use weir_sdk::token_count;
use weir_sdk::types::{ChatRequest, Context, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse, TokenCount};

use crate::{Gemini, dialect, provider, user_project, wire};

impl ProviderCountTokens for Gemini {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        Ok(user_project::named(ctx, provider::request::write_count(ctx, &request)?))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<TokenCount> {
        let counted: wire::Counted<'_> = token_count::parsed(&response)?;
        token_count::of(counted.total, counted.cached)
    }
}

impl DialectCountTokens for Gemini {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedCount> {
        let (request, losses) = dialect::request::read_count(ctx, &request)?;
        Ok(ParsedCount { request, losses, memo: String::new() })
    }

    fn render_response(_: &Context, response: TokenCount) -> Result<RenderedResponse> {
        Ok(token_count::rendered(&response, "totalTokens", Some("cachedContentTokenCount")))
    }
}

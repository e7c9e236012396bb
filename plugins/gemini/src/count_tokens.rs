//! Counts the tokens of a request, on both sides.

use weir_sdk::adapter::{DialectCountTokens, ParsedCount, ProviderCountTokens, Result};
use weir_sdk::json::{object, parse};
use weir_sdk::types::{
    ChatRequest, Context, Error, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse, TokenCount,
};

use crate::{Gemini, dialect, provider, wire};

impl ProviderCountTokens for Gemini {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        provider::request::write_count(ctx, &request)
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<TokenCount> {
        let text = response.body.as_text().map_err(|_| Error::unreadable("the count is not UTF-8"))?;
        let counted: wire::Counted<'_> =
            parse(text).map_err(|error| Error::unreadable(format!("the count cannot be read: {error}")))?;
        let input = counted.total.ok_or_else(|| Error::unreadable("the count is missing"))?.0;
        Ok(TokenCount { input, cached: counted.cached.map(|count| count.0) })
    }
}

impl DialectCountTokens for Gemini {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedCount> {
        let (request, losses) = dialect::request::read_count(ctx, &request)?;
        Ok(ParsedCount { request, losses, memo: String::new() })
    }

    fn render_response(_: &Context, response: TokenCount) -> Result<RenderedResponse> {
        let mut body = String::new();
        object(&mut body, |o| {
            o.num("totalTokens", response.input);
            o.opt_num("cachedContentTokenCount", response.cached);
        });
        Ok(RenderedResponse::json(body))
    }
}

//! Counts the tokens of a talk.

use weir_sdk::adapter::{DialectCountTokens, ParsedCount, ProviderCountTokens, Result};
use weir_sdk::json::{object, parse};
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    ChatRequest, Context, Error, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse, TokenCount,
};

use crate::{Zeta, request, wire};

impl ProviderCountTokens for Zeta {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        let body = request::body(&request, &mut Losses::default())?;
        Ok(RenderedRequest::new(HttpRequest::post(format!("minds/{}:tally", ctx.model), body)))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<TokenCount> {
        let text = response.body.as_text().map_err(|_| Error::unreadable("the tally is not text"))?;
        let toll: wire::Toll<'_> = parse(text).map_err(|error| Error::unreadable(format!("no tally: {error}")))?;
        let input = toll.all_in.ok_or_else(|| Error::unreadable("the tally is empty"))?.0;
        Ok(TokenCount { input, cached: None })
    }
}

impl DialectCountTokens for Zeta {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedCount> {
        let parsed = request::read(ctx, &request)?;
        Ok(ParsedCount { request: parsed.request, losses: parsed.losses, memo: String::new() })
    }

    fn render_response(_: &Context, response: TokenCount) -> Result<RenderedResponse> {
        let mut body = String::new();
        object(&mut body, |o| o.num("all_in", response.input));
        Ok(RenderedResponse::json(body))
    }
}

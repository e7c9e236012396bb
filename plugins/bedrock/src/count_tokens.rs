//! Counts the tokens of a request, on both sides.

use weir_sdk::adapter::{DialectCountTokens, ParsedCount, ProviderCountTokens, Result};
use weir_sdk::json::parse;
use weir_sdk::token_count;
use weir_sdk::types::{
    ChatRequest, Context, Error, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse, TokenCount,
};

use crate::dialect::request;
use crate::{Bedrock, provider, wire};

impl ProviderCountTokens for Bedrock {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        provider::request::write_count(ctx, &request)
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<TokenCount> {
        let counted: wire::Counted<'_> = token_count::parsed(&response)?;
        token_count::of(counted.input, None)
    }
}

impl DialectCountTokens for Bedrock {
    /// Parses a request for a token count. The format of `InvokeModel` differs for each model, so its tokens are not
    /// counted.
    fn parse_request(ctx: &Context, http: HttpRequest) -> Result<ParsedCount> {
        let body: wire::Counting<'_> = parse(http.body.as_text()?).map_err(|error| request::unreadable(&error))?;
        let (model, _) = request::target(ctx, &http)?;
        let input = body.input.ok_or_else(|| Error::invalid("input is missing").at("input"))?;
        let Some(converse) = input.converse else {
            let message = "only what is in `converse` can be counted by a provider of another format";
            let known = input.invoke.is_some();
            let place = if known { "input.invokeModel" } else { "input" };
            return Err(if known { Error::unsupported(place, message) } else { Error::invalid(message).at(place) });
        };
        Ok(ParsedCount { request: request::converse(ctx, model, converse)?, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(_: &Context, response: TokenCount) -> Result<RenderedResponse> {
        Ok(token_count::rendered(&response, "inputTokens", None))
    }
}

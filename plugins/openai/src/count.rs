//! Counts the tokens of a Responses request: `POST /v1/responses/input_tokens`, on both sides.

use weir_sdk::adapter::{DialectCountTokens, ParsedCount, ProviderCountTokens, Result};
use weir_sdk::compat::responses;
use weir_sdk::json::{Count, object, parse};
use weir_sdk::types::{
    Body, ChatRequest, Context, Error, HttpRequest, HttpResponse, RenderedRequest, RenderedResponse, TokenCount,
};

use crate::OpenAi;
use crate::quirks::QUIRKS;

/// The provider's endpoint for counts, relative to its url.
pub(crate) const PATH: &str = "responses/input_tokens";

/// The members that the endpoint accepts; it refuses further ones of a request for an answer.
const MEMBERS: [&str; 11] = [
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

weir_sdk::wire! {
    struct Request<'a> {}

    struct Counted<'a> {
        "input_tokens" => input_tokens: Count,
    }
}

impl ProviderCountTokens for OpenAi {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        let mut rendered = responses::request::render(&QUIRKS, ctx, request)?;
        PATH.clone_into(&mut rendered.request.path);
        let counted = only_counted(rendered.request.body.as_text()?)?;
        rendered.request.body = Body::Text(counted);
        Ok(rendered)
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<TokenCount> {
        let text = response.text()?;
        let counted: Counted<'_> =
            parse(text).map_err(|error| Error::unreadable(format!("the count cannot be read: {error}")))?;
        let input = counted.input_tokens.ok_or_else(|| Error::unreadable("the count is missing"))?.0;
        Ok(TokenCount { input, cached: None })
    }
}

fn only_counted(body: &str) -> Result<String> {
    let request: Request<'_> = parse(body).map_err(|error| Error::invalid(error.to_string()))?;
    let mut counted = String::with_capacity(body.len());
    object(&mut counted, |o| {
        for (name, value) in request.rest.0.iter().filter(|(name, _)| MEMBERS.contains(&&**name)) {
            o.raw(name, value.get());
        }
    });
    Ok(counted)
}

impl DialectCountTokens for OpenAi {
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedCount> {
        let parsed = crate::responses::request::parse(ctx, &request)?;
        Ok(ParsedCount { request: parsed.request, losses: parsed.losses, memo: parsed.memo })
    }

    fn render_response(_: &Context, response: TokenCount) -> Result<RenderedResponse> {
        let mut body = String::new();
        object(&mut body, |o| {
            o.str("object", "response.input_tokens");
            o.num("input_tokens", response.input);
        });
        Ok(RenderedResponse::json(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_sent_only_what_it_counts() {
        let body = r#"{"model":"m","input":"Hi","max_output_tokens":5,"stream":false,"store":false,"tools":[]}"#;
        assert_eq!(only_counted(body).unwrap(), r#"{"model":"m","input":"Hi","tools":[]}"#);
    }

    #[test]
    fn a_count_is_read_and_written() {
        let response = written(16);
        assert_eq!(response, r#"{"object":"response.input_tokens","input_tokens":16}"#);
        let answer = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(response) };
        let read = <OpenAi as ProviderCountTokens>::parse_response(&Context::default(), answer).unwrap();
        assert_eq!((read.input, read.cached), (16, None));
    }

    fn written(input: u32) -> String {
        let count = TokenCount { input, cached: None };
        let rendered = <OpenAi as DialectCountTokens>::render_response(&Context::default(), count).unwrap();
        rendered.response.body.as_text().unwrap().to_owned()
    }
}

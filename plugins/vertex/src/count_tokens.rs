//! Counts the tokens of a request.

use weir_adapter_anthropic::Anthropic;
use weir_adapter_gemini::{Gemini, user_project};
use weir_sdk::adapter::{ProviderCountTokens, Result};
use weir_sdk::json::{Rest, object};
use weir_sdk::types::{Body, ChatRequest, Context, Error, HttpResponse, RenderedRequest, TokenCount};

use crate::target::{Publisher, Target};
use crate::{Vertex, claude, google};

/// The members of a Gemini request that are counted; the platform refuses all others. They are at the top of the body
/// here.
const COUNTED: [&str; 4] = ["contents", "systemInstruction", "tools", "generationConfig"];

impl ProviderCountTokens for Vertex {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        let target = Target::of(ctx, &request.model)?;
        let rendered = match target.publisher {
            Publisher::Google => of_gemini(ctx, &target, request)?,
            Publisher::Anthropic => claude::count(ctx, &target, request)?,
        };
        Ok(user_project::named(ctx, rendered))
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<TokenCount> {
        match Target::of(ctx, "")?.publisher {
            Publisher::Google => <Gemini as ProviderCountTokens>::parse_response(ctx, response),
            Publisher::Anthropic => <Anthropic as ProviderCountTokens>::parse_response(ctx, response),
        }
    }
}

fn of_gemini(ctx: &Context, target: &Target, mut request: ChatRequest) -> Result<RenderedRequest> {
    // A service tier costs no tokens.
    request.service_tier = None;
    google::prepare(ctx, &mut request)?;
    let mut rendered = <Gemini as ProviderCountTokens>::render_request(&google::inner(ctx, target), request)?;
    rendered.request.body = Body::Text(unwrapped(rendered.request.body.as_text()?)?);
    rendered.request.path = target.method("countTokens");
    Ok(rendered)
}

fn unwrapped(text: &str) -> Result<String> {
    let whole = Rest::parse(text).ok().and_then(|mut body| body.object("generateContentRequest"));
    let whole = whole.ok_or_else(|| Error::invalid("the request cannot be read"))?;
    let mut body = String::with_capacity(text.len());
    object(&mut body, |o| {
        let counted = whole.0.iter().filter(|(key, _)| COUNTED.contains(&&**key));
        counted.for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    Ok(body)
}

//! Counts tokens with `POST /v1/tokenize`, which has the model's tokenizer but no conversations: it counts the texts of
//! the messages and of the tools, without the model's template around them.

use weir_sdk::adapter::{ProviderCountTokens, Result};
use weir_sdk::json::{RawValue, Rest, object};
use weir_sdk::types::{
    ChatRequest, Context, Error, HttpRequest, HttpResponse, Part, RenderedRequest, ResultPart, TokenCount, Tool,
};

use crate::Cohere;
use crate::provider::model;

/// Most characters that the service takes; the host estimates the tokens of longer texts.
const LIMIT: usize = 65_536;

impl ProviderCountTokens for Cohere {
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        let text = words(&request)?;
        if text.is_empty() || text.chars().count() > LIMIT {
            return Err(Error::unsupported("messages", "the service tokenizes texts of 1 to 65536 characters"));
        }
        let mut body = String::with_capacity(text.len() + 64);
        object(&mut body, |o| {
            o.str("model", model(ctx, &request.model));
            o.str("text", &text);
        });
        Ok(RenderedRequest::new(HttpRequest::post("v1/tokenize", body)))
    }

    fn parse_response(_: &Context, response: HttpResponse) -> Result<TokenCount> {
        let text = response.text()?;
        let mut answer = Rest::parse(text).map_err(|error| Error::unreadable(format!("no count: {error}")))?;
        let tokens: Vec<&RawValue> = answer.list("tokens").ok_or_else(|| Error::unreadable("no tokens came"))?;
        Ok(TokenCount { input: u32::try_from(tokens.len()).unwrap_or(u32::MAX), cached: None })
    }
}

/// All text of the input, a line for each part.
fn words(request: &ChatRequest) -> Result<String> {
    let mut lines: Vec<&str> = Vec::new();
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        match part {
            Part::Text(text) => lines.push(&text.text),
            Part::Refusal(words) => lines.push(words),
            Part::Reasoning(thought) => lines.extend(thought.text.as_deref()),
            Part::ToolCall(call) => lines.extend([call.name.as_str(), &call.arguments]),
            Part::ToolResult(result) => {
                for part in &result.content {
                    match part {
                        ResultPart::Text(text) => lines.push(&text.text),
                        ResultPart::Json(json) => lines.push(json),
                        ResultPart::Opaque(opaque) => lines.push(&opaque.json),
                        ResultPart::Media(_) => return Err(media()),
                    }
                }
            }
            Part::Media(part) => match &part.source {
                weir_sdk::types::MediaSource::Text(text) => lines.push(text),
                _ => return Err(media()),
            },
            Part::Opaque(opaque) => lines.push(&opaque.json),
        }
    }
    for tool in &request.tools {
        match tool {
            Tool::Function(tool) => {
                lines.push(&tool.name);
                lines.extend(tool.description.as_deref());
                lines.extend(tool.parameters.as_deref());
            }
            Tool::Opaque(opaque) => lines.push(&opaque.json),
        }
    }
    Ok(lines.join("\n"))
}

fn media() -> Error {
    Error::unsupported("messages", "the service tokenizes texts only")
}

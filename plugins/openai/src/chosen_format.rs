//! The format in which a chat goes to OpenAI. The host asks for Chat unless the operator says otherwise, but some models answer
//! in Responses only, and others call no functions in Chat while they think.
//!
//! Sources: the endpoints of each model on its page and in the price data, and the service's errors: "Function tools with
//! `reasoning_effort` are not supported for gpt-5.4 in `/v1/chat/completions`. Please use `/v1/responses` instead.".

use weir_sdk::compat::{responses, wire};
use weir_sdk::types::{ChatRequest, Context, RenderedRequest};

use crate::thinking::{is_off, minor_version};

/// What a memo begins with if the request went in Responses although the context names Chat. No memo is of this form else.
const MARK: &str = "responses\n";

/// The first minor version of the fifth generation that thinks about calls in Responses only.
const THINKS_IN_RESPONSES: u32 = 4;

/// The context for a request that has to go in Responses although it was to go in Chat; `None` if it goes as it was to.
pub(crate) fn for_request(ctx: &Context, request: &ChatRequest) -> Option<Context> {
    let model = if ctx.model.is_empty() { &request.model } else { &ctx.model };
    let has_to = ctx.format == wire::FORMAT && (is_in_responses_only(model) || thinks_about_calls(model, request));
    has_to.then(|| Context { format: responses::FORMAT.to_owned(), ..ctx.clone() })
}

/// Marks a request of [`for_request`]'s context, so that its answer is read as one of Responses.
pub(crate) fn marked(mut rendered: RenderedRequest) -> RenderedRequest {
    rendered.memo.insert_str(0, MARK);
    rendered
}

/// The context for an answer to a marked request; `None` for any other.
pub(crate) fn for_answer(ctx: &Context) -> Option<Context> {
    let memo = ctx.memo.strip_prefix(MARK)?;
    Some(Context { format: responses::FORMAT.to_owned(), memo: memo.to_owned(), ..ctx.clone() })
}

/// Whether OpenAI serves a model in Responses only.
fn is_in_responses_only(model: &str) -> bool {
    let is_of = |family: &str| model.starts_with(family);
    let is_variant = |name: &str| model.split('-').any(|word| word == name);
    match () {
        () if is_of("gpt-5") => is_variant("codex") || is_variant("pro"),
        () if is_of("o1-") || is_of("o3-") || is_of("o4-") => is_variant("pro") || model.contains("deep-research"),
        () => is_of("codex-mini") || is_of("computer-use-"),
    }
}

/// Whether a request has functions, and the model thinks about them. Since `gpt-5.5`, models think unless they are asked not to.
fn thinks_about_calls(model: &str, request: &ChatRequest) -> bool {
    let Some(version) = minor_version(model).filter(|version| *version >= THINKS_IN_RESPONSES) else { return false };
    let thinks = match &request.reasoning {
        Some(reasoning) => !is_off(reasoning),
        None => version > THINKS_IN_RESPONSES,
    };
    thinks && !request.tools.is_empty()
}

#[cfg(test)]
mod tests {
    use weir_sdk::adapter::{ChatOutcome, ProviderChat};
    use weir_sdk::testing::{context, json};
    use weir_sdk::types::{Body, FunctionTool, HttpResponse, Message, Part, ReasoningRequest, Role, Tool};

    use super::*;
    use crate::OpenAi;

    fn chat(model: &str) -> Context {
        Context { format: wire::FORMAT.to_owned(), ..context(model) }
    }

    fn request(effort: Option<&str>, has_tools: bool) -> ChatRequest {
        let tool = Tool::Function(FunctionTool::new("look"));
        let reasoning =
            effort.map(|effort| ReasoningRequest { effort: Some(effort.to_owned()), ..ReasoningRequest::default() });
        ChatRequest {
            messages: vec![Message::new(Role::User, vec![Part::text("Hi")])],
            tools: has_tools.then_some(tool).into_iter().collect(),
            reasoning,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn a_request_goes_where_its_model_takes_it() {
        for (model, effort, has_tools, is_responses) in [
            ("gpt-5.1-codex-max", None, false, true),
            ("gpt-5-codex", None, false, true),
            ("gpt-5.2-pro-2025-12-11", None, false, true),
            ("o3-deep-research", None, false, true),
            ("o1-pro", None, false, true),
            ("computer-use-preview", None, false, true),
            ("gpt-5.4", Some("high"), true, true),
            ("gpt-5.4-mini-2026-03-17", Some("low"), true, true),
            ("gpt-5.6-terra", None, true, true),
            ("gpt-5.5", Some("none"), true, false),
            ("gpt-5.4", Some("none"), true, false),
            ("gpt-5.4", None, true, false),
            ("gpt-5.4", Some("high"), false, false),
            ("gpt-5.6", None, false, false),
            ("gpt-5.2", Some("high"), true, false),
            ("gpt-5.3-chat-latest", Some("high"), true, false),
            ("gpt-5", Some("high"), true, false),
            ("gpt-4o", None, true, false),
            ("o3", Some("high"), true, false),
            ("my-deployment", Some("high"), true, false),
        ] {
            let rendered = OpenAi::render_request(&chat(model), request(effort, has_tools)).unwrap();
            let body = json(&rendered.request.body);
            let case = format!("{model}, {effort:?}, {has_tools}: {body}");
            assert_eq!(rendered.request.path.ends_with("responses"), is_responses, "{case}");
            assert_eq!(body.get("input").is_some(), is_responses, "{case}");
            assert_eq!(rendered.memo.starts_with(MARK), is_responses, "{case}");
        }
    }

    #[test]
    fn its_answer_is_read_as_one_of_that_format() {
        let rendered = OpenAi::render_request(&chat("gpt-5.4"), request(Some("high"), true)).unwrap();
        let ctx = Context { memo: rendered.memo, ..chat("gpt-5.4") };
        let body = r#"{"id":"resp_1","object":"response","status":"completed","model":"gpt-5.4","output":[
            {"id":"fc_1","type":"function_call","status":"completed","call_id":"c","name":"look","arguments":"{}"}]}"#;
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.to_owned()) };
        let ChatOutcome::Complete(answer) = OpenAi::parse_response(&ctx, response).unwrap() else { panic!() };
        assert!(matches!(&answer.response.candidates[0].parts[..], [Part::ToolCall(call)] if call.name == "look"));
    }
}

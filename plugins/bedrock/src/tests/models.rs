//! What models of other vendors than Anthropic's and Amazon's take of requests in other formats.

use weir_sdk::adapter::ProviderCountTokens;
use weir_sdk::types::{ChatRequest, FunctionTool, Message, Part, Role, Setting, Tool};

use super::{CLAUDE, context};
use crate::Bedrock;

fn asking() -> ChatRequest {
    let tools = ["f", "g"].map(|name| Tool::Function(FunctionTool::new(name))).to_vec();
    let messages = vec![Message::new(Role::User, vec![Part::text("?")])];
    ChatRequest { messages, tools, ..ChatRequest::default() }
}

#[test]
fn c59_tokens_are_counted_for_the_model_behind_a_profile() {
    let path = |model: &str, base: Option<&str>| {
        let mut ctx = context(model);
        ctx.options.extend(base.map(|base| Setting { key: "base_model".into(), json: format!("\"{base}\"") }));
        <Bedrock as ProviderCountTokens>::render_request(&ctx, asking()).unwrap().request.path
    };
    let expected = "model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens";
    assert_eq!(path(CLAUDE, None), expected);
    assert_eq!(path("arn:aws:bedrock:us-east-1:1:application-inference-profile/a", Some(CLAUDE)), expected);
}

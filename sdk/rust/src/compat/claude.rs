//! What Claude's models take behind servers that are compatible with OpenAI, by their names.

use super::breakpoints as own_breakpoints;
use crate::claude::{Claude, breakpoints};
use crate::losses::Losses;
use crate::turns::GO_ON;
use crate::types::{ChatRequest, Context, Error, Message, Part, Role};

/// Leaves as many breakpoints for the cache as the models take, and lets the user speak last, for those that refuse a
/// conversation that ends with their own turn. Requests to other models stay as they are.
pub fn prepare(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    let model = if ctx.model.is_empty() { &request.model } else { &ctx.model };
    let Some(claude) = Claude::of(model) else { return Ok(()) };
    breakpoints::bound(request, losses);
    own_breakpoints::forget(&mut request.messages);
    let Some(at) = ends_with_model(&request.messages) else { return Ok(()) };
    if !claude.goes_on() {
        losses.approximated(format!("messages[{at}]"), "the model does not continue its turn: the user asks for it");
        request.messages.push(Message::new(Role::User, vec![Part::text(GO_ON)]));
    }
    Ok(())
}

/// The model's turn at the end of a conversation; `None` if the user speaks last, or calls wait for their results.
fn ends_with_model(messages: &[Message]) -> Option<usize> {
    let speaks =
        |message: &Message| !message.parts.is_empty() && !matches!(message.role, Role::System | Role::Developer);
    let (at, last) = messages.iter().enumerate().rev().find(|(_, message)| speaks(message))?;
    let is_call = |part: &Part| matches!(part, Part::ToolCall(_));
    (last.role == Role::Assistant && !last.parts.iter().any(is_call)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::content::BREAKPOINT;
    use crate::testing::fields;
    use crate::types::{CacheHint, Extension, TextPart, ToolCall};

    fn said(role: Role, text: &str) -> Message {
        Message::new(role, vec![Part::text(text)])
    }

    /// What is added to a conversation with this model, and the losses.
    fn added(model: &str, messages: Vec<Message>) -> (Vec<Message>, Vec<String>) {
        let ctx = Context { model: model.into(), ..Context::default() };
        let (before, mut losses) = (messages.len(), Losses::default());
        let mut request = ChatRequest { messages, ..ChatRequest::default() };
        prepare(&ctx, &mut request, &mut losses).unwrap();
        (request.messages.split_off(before), fields(&losses.into_losses()))
    }

    #[test]
    fn newer_models_are_asked_to_go_on_by_the_user() {
        let begun =
            || vec![said(Role::User, "Write."), said(Role::Assistant, "Once"), said(Role::Developer, "Briefly.")];
        let asked = (vec![said(Role::User, GO_ON)], vec!["messages[1]".to_owned()]);
        for model in ["anthropic/claude-sonnet-4.6", "databricks-claude-opus-4-8"] {
            assert_eq!(added(model, begun()), asked, "{model}");
        }
        for model in ["anthropic/claude-sonnet-4.5", "claude-latest", "openai/gpt-5.6"] {
            assert_eq!(added(model, begun()), (Vec::new(), Vec::new()), "{model}");
        }
    }

    #[test]
    fn breakpoints_are_the_latest_four_and_no_member_of_openais() {
        let own = Extension { format: "openai.chat".into(), key: BREAKPOINT.into(), json: "{}".into() };
        let hint = Some(CacheHint { ttl: None });
        let text = TextPart { cache: hint, extensions: vec![own], ..TextPart::new("a") };
        let messages = vec![Message::new(Role::User, vec![Part::Text(text); 5])];
        let ctx = Context { model: "anthropic/claude-opus-5".into(), ..Context::default() };
        let (mut request, mut losses) = (ChatRequest { messages, ..ChatRequest::default() }, Losses::default());
        prepare(&ctx, &mut request, &mut losses).unwrap();
        let kept = |part: &Part| matches!(part, Part::Text(text) if text.cache.is_some() && text.extensions.is_empty());
        assert_eq!(request.messages[0].parts.iter().filter(|part| kept(part)).count(), 4);
        assert_eq!(fields(&losses.into_losses()), ["messages[0].content[0].cache_control"]);
    }

    #[test]
    fn a_conversation_that_the_user_ends_stays_as_it_is() {
        let call = || Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("c", "f", "{}"))]);
        let silent = || Message::new(Role::Assistant, Vec::new());
        for last in [said(Role::User, "Go."), call(), silent()] {
            let history = vec![said(Role::User, "Write."), last];
            assert_eq!(added("anthropic/claude-opus-5", history), (Vec::new(), Vec::new()));
        }
    }
}

//! What Claude's models take behind servers that are compatible with OpenAI, by their names.

use crate::claude::Claude;
use crate::losses::Losses;
use crate::turns::GO_ON;
use crate::types::{ChatRequest, Context, Error, Message, Part, Role};

/// Lets the user speak last, for models that refuse a conversation that ends with their own turn. Requests to other models
/// stay as they are.
pub fn prepare(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    let Some(at) = ends_with_model(&request.messages) else { return Ok(()) };
    let model = if ctx.model.is_empty() { &request.model } else { &ctx.model };
    if Claude::of(model).is_some_and(|claude| !claude.goes_on()) {
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
    use crate::testing::fields;
    use crate::types::ToolCall;

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
    fn a_conversation_that_the_user_ends_stays_as_it_is() {
        let call = || Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("c", "f", "{}"))]);
        let silent = || Message::new(Role::Assistant, Vec::new());
        for last in [said(Role::User, "Go."), call(), silent()] {
            let history = vec![said(Role::User, "Write."), last];
            assert_eq!(added("anthropic/claude-opus-5", history), (Vec::new(), Vec::new()));
        }
    }
}

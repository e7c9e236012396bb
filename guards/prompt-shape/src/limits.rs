//! How much a request may ask for, and of what.

use weir_sdk::guard::{self, Asked, Facts};
use weir_sdk::types::{ChatRequest, OutputFormat, Part, ResultPart, Role, Tool};

/// The limits among the guard's options. What is not set is not limited.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    max_messages: Option<usize>,
    max_characters: Option<usize>,
    max_output_tokens: Option<u32>,
    roles: Option<Vec<String>>,
    tools: Option<Vec<String>>,
    media: Option<bool>,
    output: Option<String>,
}

impl Limits {
    /// Reads the options.
    ///
    /// # Errors
    ///
    /// An option has another type.
    pub(crate) fn read(facts: &Facts) -> Result<Self, String> {
        Ok(Self {
            max_messages: facts.option("max_messages")?,
            max_characters: facts.option("max_characters")?,
            max_output_tokens: facts.option("max_output_tokens")?,
            roles: facts.option("roles")?,
            tools: facts.option("tools")?,
            media: facts.option("media")?,
            output: facts.option("output")?,
        })
    }

    /// The first limit that a request breaks, and what to tell the client.
    pub(crate) fn broken_by(&self, chat: &ChatRequest) -> Option<(&'static str, String)> {
        let parts = || chat.messages.iter().flat_map(|message| &message.parts);
        if let Some(most) = self.max_messages.filter(|most| chat.messages.len() > *most) {
            return Some(("max_messages", format!("the request has more than {most} messages")));
        }
        if let Some(most) = self.max_characters.filter(|most| characters(chat) > *most) {
            return Some(("max_characters", format!("the request's messages have more than {most} characters")));
        }
        let role = |role: &Role| self.roles.as_ref().is_some_and(|roles| !roles.iter().any(|one| one == name_of(role)));
        if let Some(message) = chat.messages.iter().find(|message| role(&message.role)) {
            return Some(("roles", format!("messages of the role `{}` are not allowed here", name_of(&message.role))));
        }
        let is_allowed = |name: &str| self.tools.as_ref().is_none_or(|tools| tools.iter().any(|one| one == name));
        if let Some(tool) = chat.tools.iter().map(tool_name).find(|name| !is_allowed(name)) {
            return Some(("tools", format!("the tool `{tool}` is not allowed here")));
        }
        if self.media == Some(false) && parts().any(is_media) {
            return Some(("media", "images and files are not allowed here".to_owned()));
        }
        if let Some(most) =
            self.max_output_tokens.filter(|most| chat.max_output_tokens.is_none_or(|asked| asked > *most))
        {
            let message = format!("the request must limit its answer to {most} tokens or less");
            return Some(("max_output_tokens", message));
        }
        let is_shaped = match self.output.as_deref() {
            None => true,
            Some("schema") => matches!(chat.output, Some(OutputFormat::Schema(_))),
            Some(_) => matches!(chat.output, Some(OutputFormat::Json | OutputFormat::Schema(_))),
        };
        (!is_shaped)
            .then(|| ("output", "the request must ask for an answer in JSON, with a schema if one is set".to_owned()))
    }
}

/// The characters of texts and tool results.
fn characters(chat: &ChatRequest) -> usize {
    let mut asked = Asked::Chat(ChatRequest { messages: chat.messages.clone(), ..ChatRequest::default() });
    let mut sum = 0;
    guard::texts::visit(&mut asked, &mut |text| sum += text.as_str().chars().count());
    sum
}

/// Whether a part is a medium, or the result of a tool with one.
fn is_media(part: &Part) -> bool {
    match part {
        Part::Media(_) => true,
        Part::ToolResult(result) => result.content.iter().any(|piece| matches!(piece, ResultPart::Media(_))),
        _ => false,
    }
}

fn name_of(role: &Role) -> &str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::Other(name) => name,
    }
}

/// The name of a function, or the type of a tool that a provider runs.
fn tool_name(tool: &Tool) -> &str {
    match tool {
        Tool::Function(tool) => &tool.name,
        Tool::Opaque(tool) => &tool.kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::{FunctionTool, Message};

    fn chat() -> ChatRequest {
        let message =
            |role, text: &str| Message { role, name: None, parts: vec![Part::text(text)], extensions: Vec::new() };
        let tool = FunctionTool {
            name: "look_up".into(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            extensions: Vec::new(),
        };
        ChatRequest {
            messages: vec![message(Role::System, "Kürze!"), message(Role::User, "Hi")],
            tools: vec![Tool::Function(tool)],
            max_output_tokens: Some(100),
            ..ChatRequest::default()
        }
    }

    #[test]
    fn each_limit_is_kept_and_broken_at_its_border() {
        let words = |all: &[&str]| Some(all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let kept = Limits {
            max_messages: Some(2),
            max_characters: Some(8),
            max_output_tokens: Some(100),
            roles: words(&["system", "user"]),
            tools: words(&["look_up"]),
            media: Some(false),
            output: None,
        };
        assert_eq!(kept.broken_by(&chat()), None);
        assert_eq!(Limits::default().broken_by(&chat()), None);
        for (limits, name) in [
            (Limits { max_messages: Some(1), ..Limits::default() }, "max_messages"),
            (Limits { max_characters: Some(7), ..Limits::default() }, "max_characters"),
            (Limits { max_output_tokens: Some(99), ..Limits::default() }, "max_output_tokens"),
            (Limits { roles: words(&["user"]), ..Limits::default() }, "roles"),
            (Limits { tools: words(&[]), ..Limits::default() }, "tools"),
            (Limits { output: Some("json".into()), ..Limits::default() }, "output"),
        ] {
            assert_eq!(limits.broken_by(&chat()).map(|(limit, _)| limit), Some(name));
        }
    }
}

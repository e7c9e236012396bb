//! How many tokens a request has, without its model's tokenizer: an estimate that says that it is one.
//!
//! Four bytes of English a token, fewer for other scripts, a little for every message and tool; media by kind.

use crate::contract::types::{ChatRequest, MediaPart, MediaSource, Message, Part, ResultPart, Tool};

/// Tokens that a turn costs besides its text.
const PER_MESSAGE: usize = 4;
/// Tokens of an image or a page where nothing better is known.
const PER_MEDIUM: usize = 1000;

/// The estimated input tokens of a request.
pub fn input_tokens(request: &ChatRequest) -> u32 {
    let messages: usize = request.messages.iter().map(message).sum();
    let tools: usize = request.tools.iter().map(tool).sum();
    u32::try_from(messages + tools + 3).unwrap_or(u32::MAX)
}

/// The estimated tokens of a text.
pub fn text_tokens(words: &str) -> u32 {
    u32::try_from(text(words)).unwrap_or(u32::MAX)
}

fn message(message: &Message) -> usize {
    PER_MESSAGE + message.parts.iter().map(part).sum::<usize>()
}

fn part(part: &Part) -> usize {
    match part {
        Part::Text(part) => text(&part.text),
        Part::Media(part) => medium(part),
        Part::ToolCall(call) => PER_MESSAGE + text(&call.name) + text(&call.arguments),
        Part::ToolResult(result) => PER_MESSAGE + result.content.iter().map(result_part).sum::<usize>(),
        Part::Reasoning(reasoning) => reasoning.text.as_deref().map_or(0, text),
        Part::Refusal(refusal) => text(refusal),
        Part::Opaque(opaque) => text(&opaque.json),
    }
}

fn result_part(part: &ResultPart) -> usize {
    match part {
        ResultPart::Text(part) => text(&part.text),
        ResultPart::Media(part) => medium(part),
        ResultPart::Json(json) => text(json),
        ResultPart::Opaque(opaque) => text(&opaque.json),
    }
}

fn medium(part: &MediaPart) -> usize {
    match &part.source {
        MediaSource::Text(words) => text(words),
        MediaSource::Url(_) | MediaSource::Base64(_) | MediaSource::FileId(_) => PER_MEDIUM,
    }
}

fn tool(tool: &Tool) -> usize {
    match tool {
        Tool::Function(tool) => {
            let description = tool.description.as_deref().map_or(0, text);
            2 * PER_MESSAGE + text(&tool.name) + description + tool.parameters.as_deref().map_or(0, text)
        }
        Tool::Opaque(opaque) => text(&opaque.json),
    }
}

/// A character beyond ASCII counts as a token of its own, half of one where it is a letter with an accent.
fn text(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let other = text.len() - ascii;
    ascii.div_ceil(4) + other.div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_letters_are_a_token_and_other_scripts_cost_more() {
        assert_eq!(text("four"), 1);
        assert_eq!(text(""), 0);
        assert_eq!(text("漢字"), 2);
        assert!(text("hello world, how are you today?") <= 8);
    }
}

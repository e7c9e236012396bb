//! Answers in JSON, as far as OpenAI takes what other formats ask for.
//!
//! The mode in which its models answer with any JSON is refused unless a message has the word: "'messages' must contain
//! the word 'json' in some form, to use '`response_format`' of type '`json_object`'." Clients of other formats need not
//! say so twice. And the schema of an answer must be that of an object.

use crate::losses::Losses;
use crate::schema::is_of_no_object;
use crate::types::{ChatRequest, Message, OutputFormat, Part, ResultPart, Role};

/// The word that a message must have.
const WORD: &str = "json";
/// The system message that is added if no message has the word.
const WORDS: &str = "Answer with JSON.";

/// Adds the word, if the answer is to be any JSON and no message has it.
pub(super) fn say_word(request: &mut ChatRequest, losses: &mut Losses) {
    if !matches!(request.output, Some(OutputFormat::Json)) || request.messages.iter().any(says_word) {
        return;
    }
    request.messages.push(Message::new(Role::System, vec![Part::text(WORDS)]));
    losses.approximated("response_format", "the mode needs the word JSON, which a message was added for");
}

/// Asks in words for an answer that follows a schema which OpenAI refuses: "schema must be a JSON Schema of 'type:
/// "object"'".
pub(super) fn describe_other_schema(request: &mut ChatRequest, losses: &mut Losses) {
    let is_refused =
        |output: &mut OutputFormat| matches!(output, OutputFormat::Schema(own) if is_of_no_object(&own.schema));
    let Some(OutputFormat::Schema(refused)) = request.output.take_if(is_refused) else { return };
    let words = format!("{WORDS} It must follow this JSON Schema:\n{}", refused.schema);
    request.messages.push(Message::new(Role::System, vec![Part::text(words)]));
    losses.approximated("response_format", "a schema of anything but an object is asked for in words");
}

fn says_word(message: &Message) -> bool {
    let has = |text: &str| text.as_bytes().windows(WORD.len()).any(|word| word.eq_ignore_ascii_case(WORD.as_bytes()));
    message.parts.iter().any(|part| match part {
        Part::Text(text) => has(&text.text),
        Part::ToolResult(result) => result.content.iter().any(|part| match part {
            ResultPart::Text(text) => has(&text.text),
            ResultPart::Json(json) => has(json),
            _ => false,
        }),
        Part::Opaque(opaque) => has(&opaque.json),
        _ => false,
    })
}

//! Answers in JSON, as far as OpenAI takes what other formats ask for.
//!
//! The mode in which its models answer with any JSON is refused unless a message has the word: "'messages' must contain the word
//! 'json' in some form, to use '`response_format`' of type '`json_object`'." Clients of other formats need not say so twice. And the
//! schema of an answer must be that of an object.

use weir_sdk::losses::Losses;
use weir_sdk::schema::is_of_no_object;
use weir_sdk::types::{ChatRequest, Message, OutputFormat, Part, ResultPart, Role};

/// The word.
const WORD: &str = "json";
/// What is said in the system's name where nobody has said the word.
const WORDS: &str = "Answer with JSON.";

/// Says the word, if the answer is to be any JSON and nobody has said it.
pub(crate) fn say_word(request: &mut ChatRequest, losses: &mut Losses) {
    if !matches!(request.output, Some(OutputFormat::Json)) || request.messages.iter().any(says_word) {
        return;
    }
    request.messages.push(Message::new(Role::System, vec![Part::text(WORDS)]));
    losses.approximated("response_format", "the mode needs the word JSON, which a message was added for");
}

/// Asks in words for an answer that follows a schema which OpenAI refuses: "schema must be a JSON Schema of 'type: "object"'".
pub(crate) fn describe_other_schema(request: &mut ChatRequest, losses: &mut Losses) {
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

#[cfg(test)]
mod tests {
    use weir_sdk::compat::{request, responses};
    use weir_sdk::testing::{context, fields, json};
    use weir_sdk::types::JsonSchema;

    use super::*;
    use crate::quirks::QUIRKS;

    #[test]
    fn a_schema_of_a_list_is_asked_for_in_words() {
        for (kind, is_said) in [("array", true), ("STRING", true), ("object", false)] {
            for render in [request::render, responses::request::render] {
                let schema = format!(r#"{{"type":"{kind}"}}"#);
                let output = OutputFormat::Schema(JsonSchema { name: None, description: None, schema, strict: None });
                let messages = vec![Message::new(Role::User, vec![Part::text("who?")])];
                let asked = ChatRequest { messages, output: Some(output), ..ChatRequest::default() };
                let rendered = render(&QUIRKS, &context("gpt-4o"), asked).unwrap();
                let body = json(&rendered.request.body);
                let has_format = body.get("response_format").or_else(|| body.get("text")).is_some();
                assert_eq!(has_format, !is_said, "{body}");
                let list = body.get("messages").or_else(|| body.get("input")).and_then(|list| list.as_array()).unwrap();
                assert_eq!(list.last().unwrap()["content"].as_str().unwrap().contains(kind), is_said, "{body}");
                assert_eq!(rendered.losses.len(), usize::from(is_said), "{body}");
            }
        }
    }

    #[test]
    fn the_word_is_said_once_and_only_where_it_is_needed() {
        for (text, output, is_added) in [
            ("who?", OutputFormat::Json, true),
            ("who? As a JSON object", OutputFormat::Json, false),
            ("who?", OutputFormat::Plain, false),
        ] {
            for render in [request::render, responses::request::render] {
                let messages = vec![Message::new(Role::User, vec![Part::text(text)])];
                let asked = ChatRequest { messages, output: Some(output.clone()), ..ChatRequest::default() };
                let rendered = render(&QUIRKS, &context("gpt-4o"), asked).unwrap();
                let body = json(&rendered.request.body);
                let list = body.get("messages").or_else(|| body.get("input")).and_then(|list| list.as_array()).unwrap();
                assert_eq!(list.len(), 1 + usize::from(is_added), "{body}");
                let expected = if is_added { vec!["response_format".to_owned()] } else { Vec::new() };
                assert_eq!(fields(&rendered.losses), expected, "{body}");
                assert!(!is_added || list[1]["content"] == WORDS && list[1]["role"] == "system", "{body}");
            }
        }
    }
}

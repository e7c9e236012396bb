//! Answers in JSON.

use weir_sdk::compat::{request, responses};
use weir_sdk::testing::{context, fields, json};
use weir_sdk::types::{ChatRequest, JsonSchema, Message, OutputFormat, Part, Role};

use crate::quirks::QUIRKS;

const WORDS: &str = "Answer with JSON.";

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

//! Tools that take free text.
//!
//! Chat has their members in an object, `{"type":"custom","custom":{…}}`, and a grammar's likewise; in Responses both
//! are flat. Other formats have functions only. So a client's tool for free text becomes a function with one argument,
//! the text, and a note: a provider of this family restores the tool, and calls from any other provider are read back
//! by the dialect.

use crate::compat::responses::FORMAT as RESPONSES;
use crate::compat::wire::FORMAT as CHAT;
use crate::json::{self, Object, Rest, Str};
use crate::losses::{extension, extensions};
use crate::types::{Extension, FunctionTool, Tool};

/// The type of these tools, and the key of the note.
pub const KIND: &str = "custom";
/// The argument that is the text.
pub const INPUT: &str = "input";
const GRAMMAR: &str = "grammar";
/// The member for the grammar.
pub const SHAPE: &str = "format";

/// The function for a tool, from the tool's own members in a format's spelling; `None` if it has no name.
pub fn lowered(format: &str, mut custom: Rest<'_>) -> Option<FunctionTool> {
    let name = custom.str("name")?.into_string();
    let description = custom.str("description").map(Str::into_string);
    let mut extensions = extensions(format, custom);
    let parameters = Some(schema(extension(&extensions, format, SHAPE)));
    extensions.push(Extension { format: format.to_owned(), key: KIND.to_owned(), json: "null".to_owned() });
    Some(FunctionTool { name, description, parameters, strict: None, cache: None, extensions })
}

/// The function's schema. Where the text has a grammar, the argument is described by it: other formats hold no model to
/// one.
fn schema(shape: Option<&str>) -> String {
    let grammar = shape.and_then(|json| {
        let mut shape = Rest::parse(json).ok()?;
        let mut inner = shape.object(GRAMMAR).unwrap_or_default();
        inner.0.append(&mut shape.0);
        let (syntax, definition) = (inner.str("syntax"), inner.str("definition")?);
        Some(format!("Follows this grammar ({}):\n{}", syntax.as_deref().unwrap_or(GRAMMAR), &*definition))
    });
    let mut out = String::new();
    json::object(&mut out, |o| {
        o.str("type", "object");
        o.object("properties", |o| {
            o.object(INPUT, |o| {
                o.str("type", "string");
                o.opt_str("description", grammar.as_deref());
            });
        });
        o.array("required", |a| a.str(INPUT));
    });
    out
}

/// Whether a function stands for a tool that takes free text.
pub fn is_lowered(tool: &FunctionTool) -> bool {
    tool.extensions.iter().any(|own| is_ours(own) && own.key == KIND && own.json == "null")
}

fn is_ours(extension: &Extension) -> bool {
    extension.format == CHAT || extension.format == RESPONSES
}

/// Whether the tool of this name takes free text.
pub fn is_custom(tools: &[Tool], name: &str) -> bool {
    tools.iter().any(|tool| match tool {
        Tool::Function(function) => function.name == name && is_lowered(function),
        Tool::Opaque(opaque) => opaque.kind == KIND && name_of(&opaque.json).as_deref() == Some(name),
    })
}

fn name_of(json: &str) -> Option<String> {
    let mut wire = Rest::parse(json).ok()?;
    let inner = wire.object(KIND).and_then(|mut custom| custom.str("name"));
    wire.str("name").or(inner).map(Str::into_string)
}

/// Writes the tool that a function stands for, in Chat's spelling.
pub fn write_nested(o: &mut Object<'_>, tool: &FunctionTool) {
    o.str("type", KIND);
    o.object(KIND, |o| write(o, tool, CHAT));
}

/// The same in Responses' spelling.
pub fn write_flat(o: &mut Object<'_>, tool: &FunctionTool) {
    o.str("type", KIND);
    write(o, tool, RESPONSES);
}

fn write(o: &mut Object<'_>, tool: &FunctionTool, format: &str) {
    o.str("name", &tool.name);
    o.opt_str("description", tool.description.as_deref());
    for own in tool.extensions.iter().filter(|own| is_ours(own) && own.json != "null") {
        if own.key == SHAPE {
            o.raw(SHAPE, &shape(&own.json, format == CHAT));
        } else if own.format == format {
            o.raw(&own.key, &own.json);
        }
    }
}

/// The tool's members beside those that each format has.
pub fn others(tool: &FunctionTool) -> Vec<Extension> {
    tool.extensions.iter().filter(|own| own.key != SHAPE).cloned().collect()
}

/// The format of the text, with its grammar in an object or flat.
fn shape(json: &str, nested: bool) -> String {
    let mut wire = Rest::parse(json).unwrap_or_default();
    let kind = wire.str("type").map(Str::into_string);
    let mut grammar = wire.object(GRAMMAR).unwrap_or_default();
    grammar.0.append(&mut wire.0);
    let mut out = String::new();
    json::object(&mut out, |o| {
        o.opt_str("type", kind.as_deref());
        if nested && kind.as_deref() == Some(GRAMMAR) {
            o.object(GRAMMAR, |o| members(o, &grammar));
        } else {
            members(o, &grammar);
        }
    });
    out
}

/// Chat's tool in Responses' spelling.
pub fn flat(chat: &str) -> String {
    let custom = Rest::parse(chat).ok().and_then(|mut tool| tool.object(KIND)).unwrap_or_default();
    let mut out = String::new();
    json::object(&mut out, |o| match lowered(CHAT, custom) {
        Some(tool) => write_flat(o, &tool),
        None => o.str("type", KIND),
    });
    out
}

fn members(o: &mut Object<'_>, rest: &Rest<'_>) {
    rest.0.iter().for_each(|(key, value)| o.raw(key, value.get()));
}

/// The text in a call's arguments, as far as they go; all of them if they are not as the function's schema demands.
pub fn text(arguments: &str) -> String {
    let input = match Rest::parse(arguments) {
        Ok(mut object) => object.str(INPUT).map(Str::into_string),
        Err(_) => so_far(arguments),
    };
    input.unwrap_or_else(|| arguments.to_owned())
}

/// The text in arguments that were cut off, where the model reached its limit; `None` if they begin in another way.
fn so_far(arguments: &str) -> Option<String> {
    let mut rest = arguments;
    for expected in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_start();
        if expected.starts_with(rest) && rest.len() < expected.len() {
            return Some(String::new());
        }
        rest = rest.strip_prefix(expected)?;
    }
    let text = rest.get(..whole_characters(rest))?;
    json::parse::<Str<'_>>(&format!("\"{text}\"")).ok().map(Str::into_string)
}

/// How much of a JSON string is complete: all up to its end, or up to an escape that was cut off.
fn whole_characters(string: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = string.get(at..).unwrap_or_default();
        at += match rest.find(['"', '\\']) {
            None => return string.len(),
            Some(before) if rest.as_bytes().get(before) == Some(&b'"') => return at + before,
            Some(before) => match escape(rest.get(before..).unwrap_or_default()) {
                Some(length) => before + length,
                None => return at + before,
            },
        };
    }
}

/// The length of the escape that a text begins with, with both halves of a pair; `None` if it is cut off.
fn escape(text: &str) -> Option<usize> {
    const UNIT: usize = "\\u0000".len();
    if text.as_bytes().get(1)? != &b'u' {
        return Some(2);
    }
    let unit = text.get(2..UNIT)?;
    let is_first_half = u32::from_str_radix(unit, 16).is_ok_and(|unit| (0xD800..0xDC00).contains(&unit));
    let length = if is_first_half { 2 * UNIT } else { UNIT };
    (text.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT_TOOL: &str = r#"{"type":"custom","custom":{"name":"run","description":"d","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"a"}}}}"#;
    const FLAT: &str = r#"{"type":"custom","name":"run","description":"d","format":{"type":"grammar","syntax":"lark","definition":"a"}}"#;

    fn written(tool: &FunctionTool, write: fn(&mut Object<'_>, &FunctionTool)) -> String {
        let mut out = String::new();
        json::object(&mut out, |o| write(o, tool));
        out
    }

    #[test]
    fn a_tool_comes_back_in_both_spellings() {
        let flat_tool = lowered(RESPONSES, {
            let mut wire = Rest::parse(FLAT).unwrap();
            wire.take("type");
            wire
        });
        let chat_tool = lowered(CHAT, Rest::parse(CHAT_TOOL).unwrap().object(KIND).unwrap());
        for tool in [flat_tool.unwrap(), chat_tool.unwrap()] {
            assert_eq!(written(&tool, write_flat), FLAT);
            assert_eq!(written(&tool, write_nested), CHAT_TOOL);
            assert!(is_custom(&[Tool::Function(tool)], "run"));
        }
        assert_eq!(flat(CHAT_TOOL), FLAT);
    }

    #[test]
    fn a_grammar_describes_the_argument() {
        let described = |tool: Option<FunctionTool>| {
            let schema: serde_json::Value = serde_json::from_str(&tool.unwrap().parameters.unwrap()).unwrap();
            assert_eq!((&schema["type"], &schema["required"]), (&"object".into(), &serde_json::json!([INPUT])));
            schema["properties"][INPUT]["description"].clone()
        };
        let expected = "Follows this grammar (lark):\na";
        assert_eq!(described(lowered(RESPONSES, Rest::parse(FLAT).unwrap())), expected);
        assert_eq!(described(lowered(CHAT, Rest::parse(CHAT_TOOL).unwrap().object(KIND).unwrap())), expected);
        let plain = r#"{"name":"run","format":{"type":"text"}}"#;
        assert_eq!(described(lowered(RESPONSES, Rest::parse(plain).unwrap())), serde_json::Value::Null);
    }

    #[test]
    fn a_calls_text_is_its_one_argument() {
        assert_eq!(text(r#"{"input":"a\nb"}"#), "a\nb");
        assert_eq!(text("ls"), "ls");
        assert_eq!(text(r#"{"command":1}"#), r#"{"command":1}"#);
    }

    #[test]
    fn a_call_that_is_cut_off_shows_the_text_so_far() {
        let whole = r#" { "input" : "a\nü \ud83d\ude00\"b" }"#;
        let expected = "a\nü 😀\"b";
        for (at, _) in whole.char_indices().skip(2) {
            let shown = text(&whole[..at]);
            assert!(expected.starts_with(&shown), "{}: {shown}", &whole[..at]);
        }
        assert_eq!(text(whole.trim_end_matches('}')), expected);
        assert_eq!((text(r#"{"input":"ls -"#), text(r#"{"in"#)), ("ls -".to_owned(), String::new()));
        for other in [r#"{"command":"ls"#, r#"{"input":["#, "ls", "{}x", ""] {
            assert_eq!(text(other), other);
        }
    }
}

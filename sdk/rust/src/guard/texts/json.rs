//! The texts within JSON: its strings and numbers, and the names of members, as a reader sees them.

use super::{Text, Visit, plain};
use crate::guard::spelling;

/// Visits the strings and numbers of a JSON text. In the place of a number, another text is put as a string. What is
/// not JSON is visited as it is: a model may have written it.
pub fn json(text: &mut String, f: &mut Visit<'_>) {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return plain(text, f);
    }
    let (mut changed, mut copied): (Option<String>, usize) = (None, 0);
    let mut at = 0;
    while let Some(start) = next(text, at) {
        let is_string = text.as_bytes().get(start) == Some(&b'"');
        let end = if is_string { end_of_string(text, start) } else { end_of_number(text, start) };
        let Some(token) = end.and_then(|end| text.get(start..end)) else { break };
        at = start + token.len();
        let mut value = if is_string { spelling::of_json(token) } else { token.to_owned() };
        let mut visited = Text::of(&mut value);
        f(&mut visited);
        if visited.is_changed {
            let out = changed.get_or_insert_default();
            out.push_str(text.get(copied..start).unwrap_or_default());
            out.push_str(&serde_json::Value::String(value).to_string());
            copied = at;
        }
    }
    if let Some(mut out) = changed {
        out.push_str(text.get(copied..).unwrap_or_default());
        *text = out;
    }
}

/// Visits the strings and numbers of JSON that stays as it is.
pub(super) fn fixed_json(text: &str, f: &mut Visit<'_>) {
    json(&mut text.to_owned(), &mut |found| f(&mut Text { is_fixed: true, ..Text::of(found.value) }));
}

/// The place of the next string or number of a JSON text.
fn next(text: &str, at: usize) -> Option<usize> {
    let begins = |byte: &u8| matches!(byte, b'"' | b'-' | b'0'..=b'9');
    Some(at + text.as_bytes().get(at..)?.iter().position(begins)?)
}

/// The place behind the number that begins at `start`.
fn end_of_number(text: &str, start: usize) -> Option<usize> {
    let goes_on = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    let rest = text.as_bytes().get(start..)?;
    Some(start + rest.iter().position(|byte| !goes_on(byte)).unwrap_or(rest.len()))
}

/// The place behind the closing quote of the string that begins at `start`.
fn end_of_string(text: &str, start: usize) -> Option<usize> {
    let mut is_escaped = false;
    let inside = text.as_bytes().get(start + 1..)?;
    let closing = inside.iter().position(|byte| {
        let closes = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        closes
    });
    closing.map(|at| start + at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        json(&mut text.to_owned(), &mut |text| seen.push(text.as_str().to_owned()));
        seen
    }

    #[test]
    fn strings_in_json_are_seen_without_escapes_and_names_too() {
        assert_eq!(texts(r#"{"a\u0062":["x\"y",{"n":-1.5e3}],"e":"\\"}"#), ["ab", "x\"y", "n", "-1.5e3", "e", "\\"]);
        assert_eq!(texts("{\"half\": \"of i"), ["{\"half\": \"of i"], "what is no JSON is a text");
    }

    #[test]
    fn half_a_character_hides_nothing() {
        assert_eq!(
            texts(r#"{"q":"the key \u0041KIA \ud83d","card":4111111111111111}"#).concat(),
            "qthe key AKIA \u{fffd}card4111111111111111"
        );
    }

    #[test]
    fn a_number_that_is_changed_becomes_a_string() {
        let mut text = r#"{"card":4111111111111111,"n":[1, 2]}"#.to_owned();
        json(&mut text, &mut |text| {
            if text.as_str().len() > 10 {
                text.set("[card]".to_owned());
            }
        });
        assert_eq!(text, r#"{"card":"[card]","n":[1, 2]}"#);
    }

    #[test]
    fn only_changed_strings_are_written_anew() {
        let mut text = r#"{ "a" : "\u0078", "b":1.50, "c":"x" }"#.to_owned();
        json(&mut text, &mut |text| {
            if text.as_str() == "c" {
                text.set("\"".to_owned());
            }
        });
        assert_eq!(text, r#"{ "a" : "\u0078", "b":1.50, "\"":"x" }"#);
    }
}

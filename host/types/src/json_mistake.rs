//! Mistakes in JSON and in its contents, in plain words: the parser's messages name its own types, which authors of
//! files do not know.

use std::fmt;

use serde_json::error::Category;

/// The most characters of a value that are repeated.
const SHOWN: usize = 60;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonMistake {
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1; 0 at the beginning of a line.
    pub column: usize,
    /// What is wrong, without the place.
    pub problem: String,
}

impl From<&serde_json::Error> for JsonMistake {
    fn from(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let said = text.rsplit_once(" at line ").map_or(text.as_str(), |(said, _)| said);
        let problem = match error.classify() {
            Category::Eof => "the text ends within the JSON: a bracket, a brace or a quote is not closed".to_owned(),
            Category::Syntax => syntax(said),
            Category::Data => in_words(said),
            Category::Io => said.to_owned(),
        };
        Self { line: error.line(), column: error.column(), problem }
    }
}

impl std::error::Error for JsonMistake {}

impl fmt::Display for JsonMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, problem } = self;
        if *line == 0 { f.write_str(problem) } else { write!(f, "line {line}, column {column}: {problem}") }
    }
}

/// What is wrong with a text that is no JSON.
fn syntax(said: &str) -> String {
    let wanted = match said {
        "expected value" => "a value should stand here",
        "key must be a string" => "the name of a member in double quotes should stand here",
        "trailing comma" => "nothing follows this comma",
        "trailing characters" => "the JSON ended before this",
        "invalid escape" => "after a backslash, one of \" \\ / b f n r t u should stand",
        "recursion limit exceeded" => "it is nested too deeply",
        said if said.starts_with("control character") => {
            "a line break, a tab or another control character stands in a text: write it as \\n, \\t or \\u…"
        }
        said => {
            return format!(
                "this is not JSON: {}",
                said.strip_prefix("expected ")
                    .map_or_else(|| said.to_owned(), |wanted| format!("{wanted} should stand here"),)
            );
        }
    };
    format!("this is not JSON: {wanted}")
}

/// A readable message for JSON of an unexpected shape, from the parser's own message.
pub fn in_words(said: &str) -> String {
    if let Some(name) = said.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    if let Some(name) = said.strip_prefix("duplicate field ") {
        return format!("{name} stands there twice");
    }
    if let Some((name, known)) = said.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", expected ")) {
        return format!("there is no member {name}: known are {}", listed(known));
    }
    if let Some((name, known)) = said.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected ")) {
        return format!("{name} is not possible here: {}", listed(known));
    }
    let found =
        ["invalid type: ", "invalid value: ", "invalid length "].into_iter().find_map(|kind| said.strip_prefix(kind));
    if let Some((found, wanted)) = found.and_then(|rest| rest.rsplit_once(", expected ")) {
        return format!("{} should stand here, not {}", expected(wanted), value(found));
    }
    if said.starts_with("data did not match any variant") {
        return "this value has another form than is expected here".to_owned();
    }
    said.to_owned()
}

/// A list of names, as the parser gives it.
fn listed(known: &str) -> &str {
    known.strip_prefix("one of ").unwrap_or(known)
}

/// What is expected, from the parser's name of a type.
fn expected(wanted: &str) -> String {
    let known = match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "str" | "a borrowed string" => "a text in double quotes",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "null",
        other if other.starts_with("struct ") || other.starts_with("internally tagged enum ") => "an object",
        other if other.starts_with("a tuple") => "a list",
        other => other,
    };
    known.to_owned()
}

/// A value that was found, from the parser's description of it.
fn value(found: &str) -> String {
    let (kind, rest) = found.split_once(' ').unwrap_or((found, ""));
    match kind {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "unit" | "null" => "null".to_owned(),
        "string" => format!("the text {}", short(rest)),
        "integer" | "floating" | "number" => {
            format!("the number {}", short(rest.trim_start_matches("point ").trim_matches('`')))
        }
        "boolean" => rest.trim_matches('`').to_owned(),
        _ => short(found),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is of interest")]
    struct File {
        status: u16,
        name: Option<String>,
        fine: Option<bool>,
        list: Option<Vec<f64>>,
        map: Option<BTreeMap<String, i32>>,
    }

    fn mistake(text: &str) -> String {
        JsonMistake::from(&serde_json::from_str::<File>(text).unwrap_err()).to_string()
    }

    #[test]
    fn a_text_that_is_no_json_is_said_with_its_line() {
        assert_eq!(
            mistake("{\"status\": 1,\n"),
            "line 2, column 0: the text ends within the JSON: a bracket, a brace or a quote is not closed"
        );
        for (text, said) in [
            ("{\n  \"status\": ,\n}", "line 2, column 13: this is not JSON: a value should stand here"),
            ("{\"status\": 1,}", "this is not JSON: nothing follows this comma"),
            ("{status: 1}", "this is not JSON: the name of a member in double quotes should stand here"),
            ("{\"status\" 1}", "this is not JSON: `:` should stand here"),
            ("{\"status\": 1 \"name\": \"a\"}", "this is not JSON: `,` or `}` should stand here"),
            ("{\"status\": 1} x", "this is not JSON: the JSON ended before this"),
            ("{\"name\": \"a\tb\"}", "control character stands in a text"),
        ] {
            assert!(mistake(text).contains(said), "{text}: {}", mistake(text));
        }
    }

    #[test]
    fn what_is_expected_is_said_in_words_of_json() {
        for (text, said) in [
            ("{}", "line 1, column 2: `status` is missing"),
            ("{\"status\": \"200\"}", "a whole number that is not negative should stand here, not the text \"200\""),
            ("{\"status\": -2}", "not the number -2"),
            ("{\"status\": 2.5}", "not the number 2.5"),
            ("{\"status\": 1, \"name\": 5}", "a text in double quotes should stand here, not the number 5"),
            ("{\"status\": 1, \"fine\": [1]}", "true or false should stand here, not a list"),
            ("{\"status\": 1, \"list\": {}}", "a list should stand here, not an object"),
            ("{\"status\": 1, \"map\": null, \"list\": [true]}", "a number should stand here, not true"),
            (
                "{\"status\": 1, \"nam\": 1}",
                "there is no member `nam`: known are `status`, `name`, `fine`, `list`, `map`",
            ),
            ("{\"status\": 1, \"status\": 1}", "`status` stands there twice"),
            ("5", "an object should stand here, not the number 5"),
        ] {
            assert!(mistake(text).contains(said), "{text}: {}", mistake(text));
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let said = mistake(&format!("{{\"status\": \"{}\"}}", "x".repeat(500)));
        assert!(said.len() < 200 && said.ends_with('…'), "{said}");
    }
}

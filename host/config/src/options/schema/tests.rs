use super::*;
use crate::raw;

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["project"],
  "properties": {
    "auth": {"enum": ["bearer"]},
    "project": {"type": "string"},
    "max_tokens": {"type": "integer", "minimum": 1, "maximum": 60},
    "schemas": {"enum": ["json-schema", "openapi"]},
    "shape": {"type": ["object", "string"]},
    "inputs": {"type": "object", "additionalProperties": {"type": "string"}},
    "patterns": {
      "type": "array",
      "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    }
  }
}"#;

fn mistakes_in(toml: &str, schema: &str, whole: bool) -> Vec<String> {
    let (root, _) = raw::parse(toml);
    let raw::Value::Table(table) = root.value else { panic!() };
    let options = raw::options(table, Place::File(0..1)).unwrap();
    let rules = OptionRules { owner: "the adapter `a`", schema, host: &["region"], whole };
    let line = |problem: &Problem| match &problem.place {
        Place::File(span) => toml[..span.start].matches('\n').count() + 1,
        _ => 0,
    };
    let told = |problem: Problem| {
        format!("{}: {} ({})", line(&problem), problem.message, problem.help.as_deref().unwrap_or_default())
    };
    options.mistakes(rules).into_iter().map(told).collect()
}

fn mistakes(toml: &str) -> Vec<String> {
    mistakes_in(&format!("project = 'p'\n{toml}"), SCHEMA, true)
}

#[test]
fn what_the_schema_allows_is_no_mistake() {
    let toml = "max_tokens = 60\nschemas = 'openapi'\nshape = 'x'\ninputs = { any = 'y' }\nregion = 'r'\nauth = 'odd'\n\
                patterns = [{ name = 'n', further = 1 }]\n";
    assert_eq!(mistakes(toml), [""; 0]);
    assert_eq!(mistakes("shape = { any = 1 }\n"), [""; 0]);
}

#[test]
fn a_slip_is_found_with_its_line_and_what_was_meant() {
    assert_eq!(
        mistakes("max_token = 1\n"),
        ["2: the adapter `a` has no option `max_token` (did you mean `max_tokens`?)"]
    );
    let others = "it has `inputs`, `max_tokens`, `patterns`, `project`, `schemas`, `shape`";
    assert_eq!(mistakes("colour = 1\n"), [format!("2: the adapter `a` has no option `colour` ({others})")]);
}

#[test]
fn a_value_is_held_to_its_kind_its_words_and_its_bounds() {
    let of = "an option of the adapter `a`";
    for (toml, message) in [
        ("max_tokens = 'many'", format!("2: `max_tokens` must be an integer, not a string ({of})")),
        ("max_tokens = 1.5", format!("2: `max_tokens` must be an integer, not 1.5 ({of})")),
        ("max_tokens = 0", format!("2: `max_tokens` must be at least 1, not 0 ({of})")),
        ("max_tokens = 61", format!("2: `max_tokens` must be at most 60, not 61 ({of})")),
        (
            "schemas = 'openai'",
            "2: `schemas` must be `json-schema` or `openapi`, not `openai` (did you mean `openapi`?)".to_owned(),
        ),
        ("shape = [1]", format!("2: `shape` must be a table or a string, not a list ({of})")),
        ("inputs = { a = 1 }", format!("2: `inputs.a` must be a string, not 1 ({of})")),
        ("patterns = [\n{ name = 1 }]", format!("3: `patterns[0].name` must be a string, not 1 ({of})")),
        ("patterns = [{ }]", "2: `patterns[0]` needs `name` ()".to_owned()),
    ] {
        assert_eq!(mistakes(toml), [message], "{toml}");
    }
}

#[test]
fn a_value_that_may_be_a_secret_is_not_repeated() {
    for toml in ["max_tokens = 'sk-very-secret'", "inputs = 'sk-very-secret'"] {
        let found = mistakes(toml);
        assert!(found.len() == 1 && !found[0].contains("very-secret"), "{found:?}");
    }
}

#[test]
fn a_required_option_is_only_missed_where_all_are_known() {
    assert_eq!(mistakes_in("", SCHEMA, true), ["1: the adapter `a` needs the option `project` ()"]);
    assert_eq!(mistakes_in("", SCHEMA, false), [""; 0]);
}

#[test]
fn open_options_stay_open() {
    let open = r#"{"properties": {"api_version": {"type": "string"}}, "additionalProperties": true}"#;
    assert_eq!(mistakes_in("anything = 1\n", open, true), [""; 0]);
    let slip = "1: the adapter `a` lists no option `api_verison` (did you mean `api_version`?)";
    assert_eq!(mistakes_in("api_verison = '1'\n", open, true), [slip]);
    for schema in ["{}", "true", "not json", r#"{"additionalProperties": false, "patternProperties": {"^x": {}}}"#] {
        assert_eq!(mistakes_in("anything = 1\n", schema, true), [""; 0], "{schema}");
    }
    let none = mistakes_in("region = 'r'\nanything = 1\n", "", true);
    assert_eq!(none.len(), 1);
    assert!(none[0].starts_with("2: the adapter `a` says that it has no options"), "{none:?}");
}

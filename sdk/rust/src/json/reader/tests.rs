use proptest::prelude::*;
use serde_json::Value;

use crate::json::{Count, Number, RawValue, Seq, Str, parse};

/// Checks that both readers accept the text or both reject it, and that their values are equal.
fn same(text: &str) {
    let (here, there) = (parse::<Value>(text), serde_json::from_str::<Value>(text));
    assert_eq!(here.as_ref().ok(), there.as_ref().ok(), "{text}");
    let (here, there) = (parse::<&RawValue>(text), serde_json::from_str::<&RawValue>(text));
    assert_eq!(here.ok().map(RawValue::get), there.ok().map(RawValue::get), "{text}");
}

const NUMBERS_AND_WORDS: &[&str] = &[
    "",
    " ",
    "null",
    " true ",
    "false",
    "nul",
    "truee",
    "0",
    "-0",
    "-",
    "01",
    "1.",
    ".5",
    "1e",
    "1e+",
    "-1.5E-3",
    "+1",
    "1 2",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "1e400",
    "NaN",
    "\"\"",
    "\"",
    "\"a",
    "\"\\\"",
];

const TEXTS_AND_LISTS: &[&str] = &[
    "\"\\u00e9\\n\\/\"",
    "\"\\u12\"",
    "\"\\u+123\"",
    "\"\\ud83e\\udd80\"",
    "\"\\ud83e\"",
    "\"\\udd80\"",
    "\"\\ud83ex\"",
    "\"\\x\"",
    "\"\t\"",
    "\"12345678\t\"",
    "\"grüße 🦀\"",
    "\"1234567\u{7f}é\\n\"",
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[",
    "[1",
    "]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{,}",
    "{\"a\" 1}",
    "{a:1}",
    "{\"a\":}",
    "{\"a\"}",
    "{1:2}",
    "{",
    "{\"a\":1",
    "[[[]],{\"a\":[{}]}]",
    "[}",
    "{]",
    "[1}",
    "{\"a\":1]",
    "\u{feff}1",
    "é",
];

#[test]
fn what_is_json_is_read_and_what_is_not_is_refused() {
    NUMBERS_AND_WORDS.iter().chain(TEXTS_AND_LISTS).for_each(|text| same(text));
}

#[test]
fn depth_is_bounded_where_types_are_read_and_only_there() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    same(&nested(127));
    assert!(parse::<Value>(&nested(129)).is_err() && serde_json::from_str::<Value>(&nested(129)).is_err());
    assert!(parse::<&RawValue>(&nested(100_000)).is_ok());
    same(&format!("[{}1]", "[[[]]],".repeat(200)));
}

#[test]
fn errors_say_what_and_where() {
    let error = parse::<Seq<Str<'_>>>("[\"a\",\n 5]").unwrap_err();
    assert_eq!(error.to_string(), "[1]: expected a string, found a number at line 2 column 2");
    assert_eq!(parse::<u32>("\"a\"").unwrap_err().to_string(), "expected u32, found a string");
}

#[test]
fn a_spelling_that_is_null_leaves_the_other() {
    crate::wire! {
        /// Two spellings of one member.
        struct Two<'a> { "topN" | "top_n" => top: Str<'a> }
    }
    let top = |text: &str| parse::<Two<'_>>(text).unwrap().top.map(Str::into_string);
    for text in [r#"{"topN":"a","top_n":null}"#, r#"{"topN":null,"top_n":"a"}"#, r#"{"topN":"b","top_n":"a"}"#] {
        assert_eq!(top(text).as_deref(), Some("a"), "{text}");
    }
    assert_eq!(top(r#"{"topN":null}"#), None);
}

#[test]
fn numbers_may_be_written_as_text() {
    let number = |text: &str| parse::<Number>(text).ok().map(|number| number.0);
    for (text, value) in [(r#""12""#, 12.0), (r#""-0.5""#, -0.5), (r#""1\u0032e1""#, 120.0), ("12", 12.0)] {
        assert_eq!(number(text), Some(value), "{text}");
    }
    for text in ["\"\"", r#""x""#, r#""1x""#, r#""NaN""#, r#""2026-01-01""#, r#""[1]""#, "true", "[1]"] {
        assert_eq!(number(text), None, "{text}");
    }
    assert_eq!(parse::<Count>(r#""7""#).ok(), Some(Count(7)));
    assert_eq!(parse::<Count>(r#""x""#).unwrap_err().to_string(), "expected a number, found a string");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~\\n\"\\\\]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn all_values_are_read_the_same(value in values(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        same(&text.unwrap());
    }

    #[test]
    fn broken_texts_are_refused_the_same(value in values(), at: prop::sample::Index, with in "[\\[\\]{},:\"\\\\u0-9eE.\\-a ]?") {
        let mut text: Vec<char> = value.to_string().chars().collect();
        let at = at.index(text.len());
        text.splice(at..=at, with.chars());
        same(&text.into_iter().collect::<String>());
    }
}

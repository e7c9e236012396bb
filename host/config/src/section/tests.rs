use std::cell::RefCell;

use super::*;
use crate::raw;

section! {
    /// What is kept
    /// of examples.
    EXAMPLES = "[examples]" at "examples";
    #[derive(Debug, PartialEq)]
    struct Examples {
        /// The largest example.
        example_limit: usize as Bytes<16> = 1 << 20,
        /// Where they are
        /// from.
        from "origin": Option<String> => "no place",
        /// How many there are.
        count: u8 as Count<u8, 1, 9> => required "some number",
    } beside {
        /// No key.
        seen: bool = true,
    }
}

/// The result of reading a text, and the mistakes in it.
fn read(text: &str) -> (Examples, Vec<String>) {
    let (root, problems) = raw::parse(text);
    assert!(problems.is_empty(), "{problems:?}");
    let environment = Environment::default();
    let reader = Reader {
        folder: Path::new(""),
        environment: &environment,
        incomplete: false,
        tables: &[&EXAMPLES],
        problems: RefCell::default(),
        secret_files: RefCell::default(),
    };
    let mut section = Section::new(&reader, root, &EXAMPLES).unwrap();
    let read = Examples::read(&mut section, Examples::default());
    section.finish();
    let problems = reader.problems.into_inner();
    let text_of = |problem: Problem| format!("{} ({})", problem.message, problem.help.unwrap_or_default());
    (read, problems.into_iter().map(text_of).collect())
}

#[test]
fn one_declaration_makes_the_setting_its_default_its_bounds_and_its_text() {
    let read = |text: &str| read(&format!("{text}\ncount = 3"));
    let expected = |example_limit, from: Option<&str>| Examples {
        example_limit,
        from: from.map(str::to_owned),
        count: 3,
        seen: true,
    };
    assert_eq!(read(""), (expected(1 << 20, None), Vec::new()));
    assert_eq!(read("example_limit = '2KiB'\norigin = 'here'"), (expected(2048, Some("here")), Vec::new()));
    assert_eq!(read("example_limit = 15").1, ["`example_limit` must be at least 16 bytes ()"]);
    let unknown = "unknown key `exampel_limit` in `[examples]` (did you mean `example_limit`?)";
    assert_eq!(read("exampel_limit = 15").1, [unknown]);
    let listed = EXAMPLES.list.iter().map(|key| (key.name, key.takes, key.default(), key.meaning()));
    let expected = [
        ("example_limit", "size", "\"1MiB\"".to_owned(), "The largest example."),
        ("origin", "string", "no place".to_owned(), "Where they are from."),
        ("count", "integer", "required".to_owned(), "How many there are."),
    ];
    assert_eq!(listed.collect::<Vec<_>>(), expected);
    assert_eq!(EXAMPLES.meaning(), "What is kept of examples.");
}

#[test]
fn a_required_key_that_is_left_out_is_a_mistake_with_a_word_on_what_to_write() {
    assert_eq!(read("").1, ["`[examples]` needs `count` (some number)"]);
    assert_eq!(read("count = 12").1, ["`count` must be an integer from 1 to 9, not 12 ()"]);
}

#[test]
fn the_name_of_a_field_is_no_key_where_the_key_has_another() {
    let found = read("count = 1\nfrom = 'here'\nseen = false");
    assert_eq!((found.0.from, found.0.seen), (None, true));
    assert_eq!(found.1.len(), 2, "{:?}", found.1);
}

/// A name that the table does not declare has no value and is unknown, even if code reads it.
#[test]
fn a_key_that_is_not_declared_cannot_be_read() {
    let (root, _) = raw::parse("stray = 'text'");
    let environment = Environment::default();
    let (problems, secret_files) = (RefCell::default(), RefCell::default());
    let folder = Path::new("");
    let reader = Reader { folder, environment: &environment, incomplete: false, tables: &[], problems, secret_files };
    let mut section = Section::new(&reader, root, &EXAMPLES).unwrap();
    assert_eq!(section.value::<String>("stray"), None);
    section.finish();
    assert_eq!(reader.problems.borrow()[0].message, "unknown key `stray` in `[examples]`");
}

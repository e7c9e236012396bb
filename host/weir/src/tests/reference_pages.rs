//! Tests that the reference pages of headers and metrics agree with the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use http::HeaderName;
use weir_types::headers::{ALL, Direction};

/// The list of headers.
const HEADERS: &str = "types/src/headers.rs";
/// Prefixes of the names of metrics.
const METRICS: [&str; 2] = ["weir_", "gen_ai_"];
/// Labels with the same prefixes, and what asks for the newest names of attributes.
const LABELS: [&str; 5] = [
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_token_type",
    "gen_ai_latest_experimental",
];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn page(name: &str) -> String {
    fs::read_to_string(docs().join(name)).unwrap()
}

/// The code of all crates of `host/`, without its tests: path and text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
                files.push((path.strip_prefix(&root).unwrap().display().to_string(), code));
            }
        }
    }
    assert!(files.len() > 100);
    files
}

/// The words of a text with this prefix.
fn words(text: &str, beginning: &str) -> BTreeSet<String> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let starts = text.match_indices(beginning).map(|(at, _)| at);
    let whole = starts.filter(|at| !text[..*at].ends_with(is_inner));
    whole.map(|at| text[at..].chars().take_while(|c| is_inner(*c)).collect()).collect()
}

/// Words with this prefix that are whole string literals.
fn quoted(text: &str, beginning: &str) -> BTreeSet<String> {
    let is_quoted = |word: &String| text.contains(&format!("\"{word}\""));
    words(text, beginning).into_iter().filter(is_quoted).collect()
}

/// The first column of a section's table.
fn rows(page: &str, section: &str) -> BTreeSet<String> {
    let text = page.split("\n## ").find(|part| part.starts_with(section));
    let text = text.unwrap_or_else(|| panic!("there is no section {section:?}"));
    let names = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn listed(direction: Direction) -> BTreeSet<String> {
    let is_both = |one: Direction| one == Direction::Both && direction != Direction::Call;
    let of = |one: &&(&HeaderName, Direction)| one.1 == direction || is_both(one.1);
    ALL.iter().filter(of).map(|(name, _)| name.to_string()).collect()
}

#[test]
fn the_page_of_headers_names_every_header_and_no_other() {
    let page = page("headers.md");
    assert_eq!(
        rows(&page, "Requests"),
        listed(Direction::Request),
        "docs/headers.md (left) and host/types/src/headers.rs"
    );
    assert_eq!(
        rows(&page, "Answers"),
        listed(Direction::Response),
        "docs/headers.md (left) and host/types/src/headers.rs"
    );
    assert_eq!(rows(&page, "Calls"), listed(Direction::Call), "docs/headers.md (left) and host/types/src/headers.rs");
}

#[test]
fn code_takes_the_names_of_headers_from_the_list() {
    for (file, text) in sources().iter().filter(|(file, _)| file != HEADERS) {
        let written: Vec<String> = quoted(text, "x-weir-").into_iter().filter(|word| !word.ends_with('-')).collect();
        assert!(written.is_empty(), "{file} writes {written:?} out: it belongs into host/types/src/headers.rs");
    }
}

#[test]
fn no_text_mentions_a_missing_header() {
    let known: BTreeSet<&str> = ALL.iter().map(|(name, _)| name.as_str()).collect();
    let pages = fs::read_dir(docs()).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    let pages = pages.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()));
    for (file, text) in sources().into_iter().chain(pages) {
        for word in words(&text, "x-weir-") {
            let is_whole = word != "x-weir-";
            assert!(!is_whole || known.contains(word.as_str()), "{file} names `{word}`, which is not there");
        }
    }
}

#[test]
fn the_page_of_metrics_names_every_metric_and_no_other() {
    let page = page("metrics.md");
    let documented: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    let made: BTreeSet<String> = sources()
        .iter()
        .flat_map(|(_, text)| METRICS.into_iter().flat_map(|beginning| quoted(text, beginning)))
        .filter(|name| !LABELS.contains(&name.as_str()))
        .collect();
    let missing: Vec<_> = made.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&made).collect();
    assert!(missing.is_empty() && gone.is_empty(), "docs/metrics.md lacks {missing:?}, and names {gone:?}");
}

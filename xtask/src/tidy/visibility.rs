//! Reports functions and constants of `host/` that are `pub` although no other crate names them. Types are left out,
//! since the signature of a function needs them without naming them elsewhere.

use std::collections::{HashMap, HashSet};

use super::Findings;
use super::source::{File, Tree};

/// Names that are public for programs outside of this repository.
const FOR_OTHERS: [&str; 5] = ["MAX_BODY", "MAX_DOCUMENTS", "MAX_ERROR_TEXT", "MAX_JSON", "MAX_NAME"];

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    // In how many crates a name occurs matters only up to two.
    let mut crates_of: HashMap<&str, HashSet<&str>> = HashMap::new();
    for file in tree.files.iter().filter(|file| file.is_a("rs")) {
        let own = crate_of(&file.path);
        let mut is_example = false;
        for line in file.text.lines() {
            let comment = line.trim_start().strip_prefix("//");
            is_example ^= comment.is_some_and(|text| text.trim_start_matches(['/', '!', ' ']).starts_with("```"));
            // The examples of a crate's documentation are programs that use it.
            let place = if comment.is_some() { "example" } else { own };
            if comment.is_none() || is_example {
                for word in words(line) {
                    crates_of.entry(word).or_default().insert(place);
                }
            }
        }
    }
    for file in tree.rust().filter(|file| crate_of(&file.path).starts_with("host/")) {
        for (line, name) in public(file) {
            let is_named_once = crates_of.get(name).is_none_or(|crates| crates.len() < 2);
            if is_named_once && !FOR_OTHERS.contains(&name) {
                findings.warn(format!("{}:{line}: no other crate names `{name}`; must it be `pub`?", file.path));
            }
        }
    }
}

/// `host/NAME` for a file of that library; anything else is a program of its own.
fn crate_of(path: &str) -> &str {
    let library = path.split_once("/src/").filter(|(name, rest)| name.starts_with("host/") && *rest != "main.rs");
    library.map_or(path, |(name, _)| name)
}

/// The public functions and constants of a file, each with its line.
fn public(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.code().filter_map(|(line, code)| {
        let mut rest = code.trim_start().strip_prefix("pub ")?;
        for word in ["async ", "unsafe ", "const fn ", "fn ", "const ", "static "] {
            let Some(after) = rest.strip_prefix(word) else { continue };
            rest = after;
            if !matches!(word, "async " | "unsafe ") {
                return Some((line, words(rest).next()?));
            }
        }
        None
    })
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(files: &[(&str, &str)]) -> Vec<String> {
        Findings::of(check, files).warnings
    }

    #[test]
    fn what_another_crate_names_may_be_public() {
        let own =
            "pub async fn used() {}\npub const fn lonely() { used() }\npub const MOST: u8 = 1;\npub struct Any;\n";
        let found = warnings(&[("host/wire/src/a.rs", own), ("host/weir/src/b.rs", "a::used();")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("host/wire/src/a.rs:2: ") && found[1].starts_with("host/wire/src/a.rs:3: "));
    }

    #[test]
    fn tests_examples_and_the_program_are_users() {
        let own = "pub fn one() {}\npub fn two() {}\npub fn three() {}\n";
        let doc = "//! ```\n//! wire::three();\n//! ```\n";
        let users = [
            ("host/wire/src/a.rs", own),
            ("host/wire/tests/it/b.rs", "one()"),
            ("host/wire/src/main.rs", "two()"),
            ("host/wire/src/lib.rs", doc),
        ];
        assert_eq!(warnings(&users), [""; 0]);
    }
}

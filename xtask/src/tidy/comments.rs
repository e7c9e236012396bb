//! Comments say more than the name that they stand at, and their lines are no longer than those of code.

use super::Findings;
use super::source::Tree;

/// Words that add nothing to a name.
const EMPTY: &[&str] =
    &["the", "a", "an", "of", "its", "it", "this", "is", "s", "in", "for", "to", "and", "that", "which", "has"];

/// Most columns of a line. The formatter holds code to it, but leaves comments as they are.
const COLUMNS: usize = 120;

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    for file in tree.rust() {
        check_columns(&file.path, &file.text, findings);
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        for (at, window) in lines.windows(3).enumerate() {
            let &[before, comment, after] = window else { continue };
            let Some(comment) = comment.strip_prefix("/// ").filter(|_| !before.starts_with("///")) else { continue };
            let item = if after.starts_with("#[") { lines.get(at + 3).copied().unwrap_or_default() } else { after };
            if !item.starts_with("///") && repeats(comment, item) {
                findings.problem(format!("{}:{}: `{comment}` says no more than the name", file.path, at + 2));
            }
        }
    }
}

/// Rows of tables and what stands between fences cannot be wrapped.
fn check_columns(path: &str, text: &str, findings: &mut Findings) {
    let mut is_fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        let Some(comment) = line.trim_start().strip_prefix("//") else {
            is_fenced = false;
            continue;
        };
        let comment = comment.trim_start_matches(['/', '!', ' ']);
        is_fenced ^= comment.starts_with("```");
        let columns = line.chars().count();
        if columns > COLUMNS && !is_fenced && !comment.starts_with('|') {
            findings.problem(format!("{path}:{number}: a comment of {columns} columns; at most {COLUMNS}"));
        }
    }
}

/// Whether all words of a comment occur in the name of an item.
fn repeats(comment: &str, item: &str) -> bool {
    let name = words(&name(item));
    let mut rest = words(comment).into_iter().filter(|word| !EMPTY.contains(&word.as_str())).peekable();
    rest.peek().is_some() && rest.all(|word| name.iter().any(|part| stem(part) == stem(&word)))
}

/// The name that an item declares: the first word that is no keyword.
fn name(item: &str) -> String {
    const KEYWORDS: &[&str] = &["pub", "async", "const", "fn", "struct", "enum", "trait", "type", "static", "unsafe"];
    let item = match item.strip_prefix("pub(").and_then(|rest| rest.split_once(')')) {
        Some((_, rest)) => rest,
        None => item,
    };
    let mut parts = item.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
    parts.find(|part| !KEYWORDS.contains(part)).unwrap_or_default().to_owned()
}

/// The words of a text or of a name, in small letters.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in text.chars() {
        if !c.is_alphabetic() || c.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphabetic()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn stem(word: &str) -> &str {
    ["es", "ed", "ing", "s"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> usize {
        Findings::of(check, &[("host/wire/src/a.rs", text)]).problems.len()
    }

    #[test]
    fn a_comment_that_repeats_a_name_is_found() {
        assert_eq!(problems("\n/// The request's id.\n    pub request_id: String,\n"), 1);
        assert_eq!(problems("\n/// An answer.\n#[derive(Debug)]\npub(crate) struct Answers;\n"), 1);
        assert_eq!(problems("\n/// The id that the log lines have.\npub request_id: String,\n"), 0);
        assert_eq!(problems("/// What it is.\n/// The name.\npub name: String,\n"), 0);
    }

    #[test]
    fn long_lines_of_comments_are_found_but_in_tables_and_examples() {
        let long = "words ".repeat(20);
        assert_eq!(problems(&format!("// {long}\n//! {long}\n    /// {long}\n")), 3);
        assert_eq!(problems(&format!("//! | {long} |\n//!\n//! ```text\n//! {long}\n//! ```\n")), 0);
        assert_eq!(problems(&format!("// é{}\n", "é".repeat(COLUMNS - 4))), 0);
    }
}

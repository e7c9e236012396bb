//! Test names cite promises by number (`c19_…`), and `tests/CONFORMANCE.md` lists the promises. Each cited number must
//! have a row, and each row must name an existing test that cites its number, or be marked as open.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use super::source::Tree;

const PAGE: &str = "tests/CONFORMANCE.md";

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let Some(page) = tree.files.iter().find(|file| file.path == PAGE) else {
        return findings.problem(format!("{PAGE} is missing"));
    };
    let rows = rows(&page.text);
    let mut tests: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for file in tree.files.iter().filter(|file| file.is_a("rs")) {
        for name in file.text.lines().filter_map(function) {
            let cited = numbers(name);
            if let Some(number) = cited.iter().find(|number| !rows.contains_key(number)) {
                findings.problem(format!("{}: `{name}` cites C-{number:02}, which {PAGE} lacks", file.path));
            }
            if !cited.is_empty() {
                tests.insert(name, cited);
            }
        }
    }
    for (number, test) in rows {
        match test {
            Some(test) if !tests.get(test).is_some_and(|cited| cited.contains(&number)) => {
                findings.problem(format!("{PAGE}: C-{number:02} names `{test}`, which is no test that cites it"));
            }
            None if !page.text.lines().any(|line| is_open(line, number)) => {
                findings.problem(format!("{PAGE}: C-{number:02} names no test and is not marked as open"));
            }
            None if tests.values().any(|cited| cited.contains(&number)) => {
                findings.problem(format!("{PAGE}: C-{number:02} is marked as open, but there are tests"));
            }
            _ => {}
        }
    }
}

/// The rows by number, with the test that each names; `None` for an open one.
fn rows(page: &str) -> BTreeMap<u32, Option<&str>> {
    let number = |line: &str| line.strip_prefix("| C-")?.split(' ').next()?.parse().ok();
    page.lines().filter_map(|line| Some((number(line)?, last_cell(line)))).collect()
}

fn is_open(line: &str, number: u32) -> bool {
    line.starts_with(&format!("| C-{number:02} ")) && line.contains("| open: ")
}

fn last_cell(line: &str) -> Option<&str> {
    line.trim_end_matches([' ', '|']).rsplit("| ").next()?.strip_prefix('`')?.strip_suffix('`')
}

/// The name of the function that a line declares.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
    rest.split('(').next()
}

/// The numbers at the beginning of a test's name: 8 and 17 of `c08_c17_streams_…`.
fn numbers(name: &str) -> BTreeSet<u32> {
    let number = |word: &str| word.strip_prefix('c').filter(|digits| digits.len() == 2)?.parse().ok();
    name.split('_').map_while(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(page: &str, code: &str) -> Vec<String> {
        Findings::of(check, &[(PAGE, page), ("tests/it/a.rs", code)]).problems
    }

    #[test]
    fn names_and_rows_agree_in_both_directions() {
        let page = "| C-08 | whole | `c08_c17_a` |\n| C-17 | cut | `c08_c17_a` |\n| C-76 | cache | open: none yet |\n";
        assert!(problems(page, "    async fn c08_c17_a() {").is_empty());
        assert_eq!(problems(page, "fn c08_a() {").len(), 2, "both rows name a test that is not there");
        assert_eq!(problems("| C-08 | whole | none |", "").len(), 1, "a row without a test that is not open");
        assert_eq!(problems(page, "fn c08_c17_a() {}\nfn c99_b() {}").len(), 1, "a number without a row");
        assert_eq!(problems(page, "fn c08_c17_a() {}\nfn c76_b() {}").len(), 1, "an open row that has a test");
    }

    #[test]
    fn only_leading_numbers_are_citations() {
        assert_eq!(numbers("c08_c17_streams_of_c20"), [8, 17].into());
        assert!(numbers("cut_c08").is_empty() && numbers("c1_x").is_empty());
    }
}

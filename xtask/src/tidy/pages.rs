//! Checks that the pages of `docs/` agree with the code: the index links every page, each page has one first-level
//! heading, `errors.md` lists the contract's kinds and the host's codes, and `providers.md` has a row for each bundled
//! adapter that agrees with the interfaces that the adapter exports.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use super::source::Tree;

const INDEX: &str = "docs/README.md";
const ERRORS: &str = "docs/errors.md";
const PROVIDERS: &str = "docs/providers.md";
const CONTRACT: &str = "wit/types.wit";
/// The interface of each column of [`PROVIDERS`], and the cells that stand for a missing interface.
const COLUMNS: [(&str, &str, &[&str]); 5] = [
    ("chat", "provider_chat", &["–"]),
    ("embeddings", "provider_embeddings", &["–"]),
    ("reranking", "provider_rerank", &["–"]),
    ("token counts", "provider_count_tokens", &["–", "estimate"]),
    ("list of models", "provider_models", &["–"]),
];

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    index(tree, findings);
    errors(tree, findings);
    providers(tree, findings);
}

fn text<'t>(tree: &'t Tree, path: &str) -> &'t str {
    tree.files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str())
}

fn index(tree: &Tree, findings: &mut Findings) {
    let index = text(tree, INDEX);
    let is_page = |path: &str| path.strip_prefix("docs/").is_some_and(|name| !name.contains('/'));
    for file in tree.files.iter().filter(|file| file.is_a("md") && is_page(&file.path)) {
        let name = file.path.trim_start_matches("docs/");
        if file.path != INDEX && !index.contains(&format!("({name})")) {
            findings.problem(format!("{INDEX} does not link {name}"));
        }
        let headings = first_level_headings(&file.text);
        if headings != 1 {
            findings.problem(format!("{}: {headings} first-level headings, a page has one", file.path));
        }
    }
}

/// Counts first-level headings; lines in code blocks are not headings.
fn first_level_headings(page: &str) -> usize {
    let mut is_code = false;
    let mut count = 0;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        count += usize::from(!is_code && line.starts_with("# "));
    }
    count
}

fn errors(tree: &Tree, findings: &mut Findings) {
    let page = text(tree, ERRORS);
    let kinds = rows(section(page, "Kinds"));
    let declared = kinds_of(text(tree, CONTRACT));
    report(findings, ERRORS, "kind", &declared, &kinds.keys().cloned().collect());
    let codes: BTreeSet<String> = rows(section(page, "Codes")).into_keys().collect();
    let host: Vec<&str> = tree
        .rust()
        .filter(|file| file.path.starts_with("host/"))
        .flat_map(|file| file.code().map(|(_, line)| line))
        .collect();
    let set = host.iter().flat_map(|line| line.split("with_code(\"").skip(1));
    let set: BTreeSet<String> = set.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect();
    for missing in set.difference(&codes) {
        findings.problem(format!("{ERRORS}: lacks the code `{missing}`"));
    }
    let is_written = |code: &String| host.iter().any(|line| line.contains(&format!("\"{code}\"")));
    for gone in codes.iter().filter(|code| !is_written(code)) {
        findings.problem(format!("{ERRORS}: the host sets no code `{gone}`"));
    }
}

/// The cases of `error-kind`.
fn kinds_of(contract: &str) -> BTreeSet<String> {
    let body = contract.split_once("enum error-kind {").map_or("", |(_, rest)| rest);
    let lines = body.lines().map(str::trim).take_while(|line| *line != "}");
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).map(|line| line.replace(',', "")).collect()
}

fn providers(tree: &Tree, findings: &mut Findings) {
    let page = text(tree, PROVIDERS);
    let header = page.lines().find(|line| line.starts_with("| adapter | chat")).unwrap_or_default();
    let table = page.split_once(header).map_or("", |(_, rest)| rest).split("\n\n").next().unwrap_or_default();
    let (columns, rows) = (cells(header), rows(table));
    let exports: BTreeMap<String, BTreeSet<&str>> = tree
        .files
        .iter()
        .filter_map(|file| {
            let name = file.path.strip_prefix("plugins/")?.strip_suffix("/src/lib.rs")?;
            Some((name.to_owned(), exports(&file.text)))
        })
        .collect();
    report(findings, PROVIDERS, "adapter", &exports.keys().cloned().collect(), &rows.keys().cloned().collect());
    for (name, row) in &rows {
        let Some(exports) = exports.get(name) else { continue };
        for (column, interface, missing) in COLUMNS {
            let at = columns.iter().position(|title| *title == column);
            let cell = at.and_then(|at| row.get(at)).copied().unwrap_or_default();
            let is_served = !cell.is_empty() && !missing.contains(&cell);
            if is_served != exports.contains(interface) {
                let verb = if is_served { "does not export" } else { "exports" };
                findings
                    .problem(format!("{PROVIDERS}: {name}, {column}: {cell:?}, but the adapter {verb} {interface}"));
            }
        }
    }
}

/// The interfaces in a call of `weir_sdk::export!`.
fn exports(code: &str) -> BTreeSet<&str> {
    let list = code.split_once("weir_sdk::export!(").and_then(|(_, rest)| rest.split_once(");"));
    let list = list.and_then(|(list, _)| list.split_once(':')).map_or("", |(_, list)| list);
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

fn report(findings: &mut Findings, page: &str, what: &str, there: &BTreeSet<String>, listed: &BTreeSet<String>) {
    for missing in there.difference(listed) {
        findings.problem(format!("{page}: lacks the {what} `{missing}`"));
    }
    for gone in listed.difference(there) {
        findings.problem(format!("{page}: there is no {what} `{gone}`"));
    }
}

/// The text below a second-level heading.
fn section<'p>(page: &'p str, title: &str) -> &'p str {
    let found = page.split_once(&format!("\n## {title}\n")).map_or("", |(_, rest)| rest);
    found.split("\n## ").next().unwrap_or_default()
}

/// The rows of tables by their first cell, if that is a name in backticks.
fn rows(text: &str) -> BTreeMap<String, Vec<&str>> {
    let row = |line| {
        let cells = cells(line);
        let name = cells.first()?.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        Some((name, cells))
    };
    text.lines().filter_map(row).collect()
}

fn cells(line: &str) -> Vec<&str> {
    let Some(inner) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else { return Vec::new() };
    inner.split('|').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(check: fn(&Tree, &mut Findings), files: &[(&str, &str)]) -> Vec<String> {
        Findings::of(check, files).problems
    }

    #[test]
    fn the_index_links_every_page_and_a_page_has_one_heading() {
        let good = "# A\n```sh\n# a comment\n```\n## B\n";
        assert!(problems(index, &[(INDEX, "# Index\n[a](a.md)"), ("docs/a.md", good)]).is_empty());
        let found = problems(index, &[(INDEX, "# Index\n"), ("docs/a.md", "# A\n# B\n")]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn kinds_and_codes_of_errors_agree_in_both_directions() {
        let wit = "enum error-kind {\n  /// Wrong.\n  invalid-request,\n  too-large,\n}\n";
        let page =
            "# Errors\n\n## Kinds\n| `invalid-request` | 400 |\n| `too-large` | 413 |\n\n## Codes\n| `full` | 503 |\n";
        let code = "fault.with_code(\"full\")";
        assert!(problems(errors, &[(ERRORS, page), (CONTRACT, wit), ("host/wire/src/a.rs", code)]).is_empty());
        let found =
            problems(errors, &[(ERRORS, page), (CONTRACT, wit), ("host/wire/src/a.rs", "fault.with_code(\"gone\")")]);
        assert_eq!(found.len(), 2, "{found:?}");
        let found = problems(
            errors,
            &[(ERRORS, page), (CONTRACT, "enum error-kind {\n  quota,\n}"), ("host/wire/src/a.rs", code)],
        );
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn rows_of_providers_agree_with_what_adapters_export() {
        let page = "| adapter | chat | embeddings | reranking | token counts | list of models |\n|---|---|---|---|---|---|\n\
                    | `a` | relay | – | – | estimate | yes |\n\n| `b` | of another table |\n";
        let code = |list: &str| format!("weir_sdk::export!(A: about, provider_chat, {list});");
        let right = code("provider_models");
        assert!(problems(providers, &[(PROVIDERS, page), ("plugins/a/src/lib.rs", &right)]).is_empty());
        let more = code("provider_models,\n    provider_rerank,");
        assert_eq!(problems(providers, &[(PROVIDERS, page), ("plugins/a/src/lib.rs", &more)]).len(), 1);
        let other = [(PROVIDERS, page), ("plugins/a/src/lib.rs", right.as_str()), ("plugins/c/src/lib.rs", "")];
        assert_eq!(problems(providers, &other).len(), 1, "a folder without a row");
    }
}

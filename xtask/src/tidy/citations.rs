//! Checks that every path of this repository that a page cites exists, so that the map can be followed.

use std::collections::HashSet;
use std::path::Path;

use super::Findings;
use super::source::Tree;

/// Pages for projects of authors, which cite the files of those projects.
const TEMPLATES: &str = "sdk/templates/";

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let known = known(tree);
    for page in tree.files.iter().filter(|file| file.is_a("md") && !file.path.starts_with(TEMPLATES)) {
        for (at, line) in page.text.lines().enumerate() {
            for path in cited(line).flat_map(spelled_out).filter(|path| is_own(path, &known)) {
                // Pictures and components are no text, so that the tree does not have them.
                if !known.contains(path.trim_end_matches('/')) && !tree.root.join(&path).exists() {
                    findings.problem(format!("{}:{}: there is no `{path}`", page.path, at + 1));
                }
            }
        }
    }
}

/// All files and the folders that hold them.
fn known(tree: &Tree) -> HashSet<&str> {
    let mut known = HashSet::new();
    for file in &tree.files {
        let ends = file.path.match_indices('/').map(|(at, _)| &file.path[..at]);
        known.extend(ends.chain([file.path.as_str()]));
    }
    known
}

/// What stands between backticks in a line and looks like a path.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    let is_path = |text: &&str| text.contains('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    line.split('`').skip(1).step_by(2).filter(is_path)
}

/// `a/{b,c}.rs` as `a/b.rs` and `a/c.rs`.
fn spelled_out(path: &str) -> Vec<String> {
    let braces = path.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    match braces {
        Some((head, (choices, tail))) => choices.split(',').map(|choice| format!("{head}{choice}{tail}")).collect(),
        None => vec![path.to_owned()],
    }
}

/// Whether a path begins in a folder of the repository and has no placeholder: a word in capitals, or a star. Adapters
/// as files are built, not kept.
fn is_own(path: &str, known: &HashSet<&str>) -> bool {
    let is_placeholder =
        |part: &str| part.contains(['*', '$', '<', ':', '=']) || part.bytes().any(|byte| byte.is_ascii_uppercase());
    let top = path.split('/').next().unwrap_or_default();
    known.contains(top)
        && !path.split('/').any(is_placeholder)
        && Path::new(path).extension().is_none_or(|ending| ending != "wasm")
}

#[cfg(test)]
mod tests {
    use super::super::source::File;
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let files = vec![File::new("host/wire/src/tap.rs", ""), File::new("MAP.md", text)];
        let mut findings = Findings::default();
        check(&Tree { root: ".".into(), files }, &mut findings);
        findings.problems
    }

    #[test]
    fn files_and_folders_that_exist_may_be_cited() {
        assert!(
            problems("`host/wire/src/tap.rs` in `host/wire/`, `host/NAME/x.rs`, `other/x.rs`, `host/wire/*.rs`")
                .is_empty()
        );
    }

    #[test]
    fn what_is_gone_is_a_problem_also_between_braces() {
        assert_eq!(problems("line\nsee `host/wire/src/pat.rs`"), ["MAP.md:2: there is no `host/wire/src/pat.rs`"]);
        assert_eq!(problems("`host/wire/src/{tap,pat}.rs`").len(), 1);
    }
}

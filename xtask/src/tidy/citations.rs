//! Checks that every path of this repository that a page cites exists, so that the map can be followed.

use std::collections::HashSet;
use std::path::Path;

use super::Findings;
use super::source::Tree;

/// Pages for projects of authors, which cite the files of those projects.
const TEMPLATES: &str = "sdk/templates/";
/// Pages that shorten paths, such as `attempt/policy.rs`, beside the folder that these are in.
const MAPS: [&str; 2] = ["ARCHITECTURE.md", "CONTRIBUTING.md"];

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let known = known(tree);
    for page in tree.files.iter().filter(|file| file.is_a("md") && !file.path.starts_with(TEMPLATES)) {
        for (at, line) in page.text.lines().enumerate() {
            for path in cited(line).flat_map(spelled_out) {
                // Pictures and components are no text, so that the tree does not have them.
                let is_gone = if is_own(&path, &known) {
                    !known.contains(path.trim_end_matches('/')) && !tree.root.join(&path).exists()
                } else {
                    MAPS.contains(&&*page.path) && is_shortened(&path) && !is_end_of_one(&path, &known)
                };
                if is_gone {
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

/// Whether a text is a file of Rust without the folders that it is in.
fn is_shortened(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-./".contains(&byte);
    Path::new(path).extension().is_some_and(|ending| ending == "rs") && path.bytes().all(is_plain)
}

/// Whether a file of the repository has this end.
fn is_end_of_one(path: &str, known: &HashSet<&str>) -> bool {
    known.iter().any(|file| file.strip_suffix(path).is_some_and(|folder| folder.ends_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        problems_of("PAGE.md", text)
    }

    fn problems_of(page: &str, text: &str) -> Vec<String> {
        Findings::of(check, &[("host/wire/src/tap.rs", ""), (page, text)]).problems
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
        assert_eq!(problems("line\nsee `host/wire/src/pat.rs`"), ["PAGE.md:2: there is no `host/wire/src/pat.rs`"]);
        assert_eq!(problems("`host/wire/src/{tap,pat}.rs`").len(), 1);
    }

    #[test]
    fn a_map_may_shorten_paths_of_files_that_exist() {
        let shortened = "`src/tap.rs`, `wire/src/tap.rs`, `NAME/x.rs`, `rc/tap.rs`, `src/{tap,pat}.rs`";
        let gone = ["rc/tap.rs", "src/pat.rs"].map(|path| format!("ARCHITECTURE.md:1: there is no `{path}`"));
        assert_eq!(problems_of("ARCHITECTURE.md", shortened), gone);
        assert!(problems(shortened).is_empty());
    }
}

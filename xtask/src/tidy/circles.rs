//! Checks that the modules below a crate's root form no circle, so that each can be read with only the modules that it
//! uses. `layers` checks the order of the crates.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use super::source::{File, Tree};

/// The modules of a crate, each with the modules that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let mut crates: BTreeMap<&str, Uses> = BTreeMap::new();
    for file in tree.rust() {
        let Some((name, path)) = place(&file.path) else { continue };
        let Some(module) = path.split('/').next().and_then(|part| part.split('.').next()) else { continue };
        if !matches!(module, "lib" | "main" | "tests") {
            crates.entry(name).or_default().entry(module.to_owned()).or_default().extend(uses(file, path));
        }
    }
    for (name, uses) in crates {
        for module in uses.keys() {
            let circle = circle(&uses, module);
            if circle.first() == Some(module) && circle.len() > 1 {
                findings.problem(format!("host/{name}: the modules {} use each other", circle.join(", ")));
            }
        }
    }
}

/// The crate that a file belongs to, and its path below `src/`.
fn place(path: &str) -> Option<(&str, &str)> {
    let (name, rest) = path.strip_prefix("host/")?.split_once('/')?;
    Some((name, rest.strip_prefix("src/")?))
}

/// The top modules that a file names.
fn uses(file: &File, path: &str) -> BTreeSet<String> {
    let text: String = file.code().flat_map(|(_, line)| [line, "\n"]).collect();
    let up = "super::".repeat(path.split('/').count());
    ["crate::", up.as_str()].into_iter().flat_map(|root| names(&text, root)).collect()
}

/// The first name after each occurrence of `root`.
fn names(text: &str, root: &str) -> Vec<String> {
    let is_inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let starts = text.match_indices(root).filter(|(at, _)| !text[..*at].ends_with(is_inner));
    starts.flat_map(|(at, _)| firsts(&text[at + root.len()..])).collect()
}

/// One name, or the first name of each member of a group.
fn firsts(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut expected) = (0_usize, true);
    let mut found = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && !c.is_whitespace() => {
                found.push(name(&group[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    found
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The modules in a circle with a module: those that it reaches and that reach it, and itself.
fn circle(uses: &Uses, module: &str) -> Vec<String> {
    let reached = reach(uses, module);
    let is_in = |other: &&String| *other == module || (reached.contains(*other) && reach(uses, other).contains(module));
    uses.keys().filter(is_in).cloned().collect()
}

fn reach(uses: &Uses, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&String> = uses.get(from).into_iter().flatten().collect();
    while let Some(module) = next.pop() {
        if uses.contains_key(module) && found.insert(module.clone()) {
            next.extend(&uses[module]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        Findings::of(check, files).problems
    }

    #[test]
    fn modules_may_use_others_one_way() {
        let files = [
            ("host/wire/src/peek.rs", "use crate::frame::Frame;"),
            ("host/wire/src/peek/scan.rs", "use super::super::frame;"),
            ("host/wire/src/frame.rs", "use weir_types::peek;"),
        ];
        assert_eq!(problems(&files), [""; 0]);
    }

    #[test]
    fn a_circle_is_reported_once_however_long_it_is() {
        let files = [
            ("host/wire/src/peek.rs", "use crate::{frame, tap::{self, Tap}};"),
            ("host/wire/src/frame/cut.rs", "fn f() { super::super::tap::read() }"),
            ("host/wire/src/tap.rs", "\nuse super::peek::Peek;"),
        ];
        assert_eq!(problems(&files), ["host/wire: the modules frame, peek, tap use each other"]);
    }

    #[test]
    fn tests_may_use_what_they_like() {
        let files = [
            ("host/wire/src/peek.rs", "use crate::frame::Frame;"),
            ("host/wire/src/frame.rs", "#[cfg(test)]\nmod tests {\n use crate::peek;\n}"),
        ];
        assert_eq!(problems(&files), [""; 0]);
    }
}

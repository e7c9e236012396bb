//! Who may use whom in `host/src`: a module uses those on lower floors, and neighbours that are named here.

use std::collections::BTreeSet;

use super::Findings;
use super::source::{File, Tree};

/// The floors, the highest first. A new module needs a place here.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["listen", "operations"],
    &["gateway"],
    &["attempt"],
    &["identify", "dialect", "admit", "route", "account"],
    &["config"],
    &["upstream", "plugin"],
    &["exchange", "observe"],
    &["fault"],
    &["peek", "frame"],
    &["contract"],
];

/// Edges on one floor: the first may use the second. Never both ways.
const NEIGHBOURS: &[(&str, &str)] = &[];

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    for file in tree.rust() {
        let Some(module) = module(&file.path) else { continue };
        let Some(floor) = floor(module) else {
            findings.problem(format!("{}: xtask/src/tidy/layers.rs gives {module:?} no floor", file.path));
            continue;
        };
        for (line, used) in uses(file) {
            if !allowed(module, floor, &used) {
                findings.problem(format!("{}:{line}: {module} may not use {used}, which is not below it", file.path));
            }
        }
    }
}

/// The top module that a file of the host belongs to; none for the list of modules itself.
fn module(path: &str) -> Option<&str> {
    let first = path.strip_prefix("host/src/")?.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib").then_some(name)
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn allowed(module: &str, from: usize, used: &str) -> bool {
    // What is no module is an item of the crate's root, or another mistake that the compiler finds.
    let Some(to) = floor(used) else { return true };
    used == module || to > from || NEIGHBOURS.contains(&(module, used))
}

/// The modules that a file names, with the line of the first time each.
fn uses(file: &File) -> Vec<(usize, String)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let code: Vec<(usize, &str)> = file.code().collect();
    let text: String = code.iter().flat_map(|(_, line)| [*line, "\n"]).collect();
    for root in ["crate::", "weir::"] {
        for (at, _) in text.match_indices(root) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                continue;
            }
            let line = text[..at].matches('\n').count() + 1;
            for name in names(&text[at + root.len()..]) {
                if seen.insert(name.to_owned()) {
                    found.push((line, name.to_owned()));
                }
            }
        }
    }
    found
}

/// What stands behind `crate::`: one name, or the first name of each member of a group.
fn names(rest: &str) -> Vec<&str> {
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut depth = 0_usize;
    let mut expected = true;
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

fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        let tree = Tree { root: ".".into(), files: vec![File::new(path, text)] };
        check(&tree, &mut findings);
        findings.problems
    }

    #[test]
    fn a_module_may_use_those_below_it() {
        assert_eq!(
            problems("host/src/plugin/pool.rs", "use crate::contract::Frame;\nuse crate::plugin::Pool;\n"),
            [""; 0]
        );
    }

    #[test]
    fn a_module_may_not_reach_back() {
        let found = problems("host/src/frame.rs", "\nuse crate::{contract, plugin::{self, Pool}};\n");
        assert_eq!(found, ["host/src/frame.rs:2: frame may not use plugin, which is not below it"]);
        assert_eq!(problems("host/src/frame.rs", "let a = crate::gateway::serve();").len(), 1);
    }

    #[test]
    fn neighbours_are_strangers_unless_named() {
        assert_eq!(problems("host/src/upstream.rs", "use crate::plugin::Pool;").len(), 1);
    }

    #[test]
    fn tests_may_use_what_they_like() {
        assert_eq!(problems("host/src/frame.rs", "#[cfg(test)]\nmod tests {\n use crate::gateway::serve;\n"), [""; 0]);
    }

    #[test]
    fn a_module_without_a_floor_is_a_problem() {
        assert_eq!(problems("host/src/helper.rs", "").len(), 1);
        assert_eq!(problems("host/src/lib.rs", "pub mod helper;"), [""; 0]);
    }

    #[test]
    fn neighbours_never_go_both_ways() {
        for (a, b) in NEIGHBOURS {
            assert_eq!(floor(a), floor(b), "{a} and {b} are no neighbours");
            assert!(!NEIGHBOURS.contains(&(b, a)), "{a} and {b} use each other");
        }
    }
}

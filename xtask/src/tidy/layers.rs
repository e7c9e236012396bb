//! Who may use whom in `host/src`: its `lib.rs` lists the modules from the top of the house to its ground, and each uses
//! those below it alone. So the list that people read is the rule that is checked.

use std::collections::BTreeSet;

use super::Findings;
use super::source::{File, Tree};

const LIST: &str = "host/src/lib.rs";

/// Edges against the order, each with its reason beside it: the first may use the second.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let Some(list) = tree.files.iter().find(|file| file.path == LIST) else { return };
    let order = order(&list.text);
    for file in tree.rust() {
        let Some(module) = module(&file.path).filter(|module| !is_test(&list.text, module)) else { continue };
        let Some(own) = floor(&order, module) else {
            findings.problem(format!("{}: {LIST} does not list {module:?} in its table of modules", file.path));
            continue;
        };
        for (line, used) in uses(file) {
            // What is no module is an item of the crate's root, or another mistake that the compiler finds.
            let is_below = floor(&order, &used).is_none_or(|floor| floor > own);
            if !is_below && used != module && !EXCEPTIONS.contains(&(module, &used)) {
                findings
                    .problem(format!("{}:{line}: {module} uses {used}, which is not below it in {LIST}", file.path));
            }
        }
    }
}

/// The modules as the table lists them (`//! | [`name`] | what it does |`), the highest first.
fn order(list: &str) -> Vec<&str> {
    let rows = list.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    std::iter::once("main").chain(rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name)).collect()
}

/// Whether the list of modules has it for tests only.
fn is_test(list: &str, module: &str) -> bool {
    list.contains(&format!("#[cfg(test)]\nmod {module};"))
}

/// The top module that a file of the host belongs to; none for the list of modules itself.
fn module(path: &str) -> Option<&str> {
    let first = path.strip_prefix("host/src/")?.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib").then_some(name)
}

fn floor(order: &[&str], module: &str) -> Option<usize> {
    order.iter().position(|listed| *listed == module)
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

    const HOUSE: &str = "//! | module | does |\n//! |---|---|\n//! | [`gateway`] | all |\n//! | [`plugin`] | adapters |\n\
        //! | [`frame`] | frames |\n\npub mod frame;\n#[cfg(test)]\nmod seeds;\n";

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        let files = vec![File::new(LIST, HOUSE), File::new(path, text)];
        check(&Tree { root: ".".into(), files }, &mut findings);
        findings.problems
    }

    #[test]
    fn a_module_may_use_those_below_it() {
        assert_eq!(
            problems("host/src/plugin/pool.rs", "use crate::frame::Frame;\nuse crate::plugin::Pool;\n"),
            [""; 0]
        );
        assert_eq!(problems("host/src/main.rs", "fn main() { weir::gateway::run() }"), [""; 0]);
    }

    #[test]
    fn a_module_may_not_reach_back() {
        let found = problems("host/src/frame.rs", "\nuse crate::{frame, plugin::{self, Pool}};\n");
        assert_eq!(found, ["host/src/frame.rs:2: frame uses plugin, which is not below it in host/src/lib.rs"]);
        assert_eq!(problems("host/src/frame/cut.rs", "let a = crate::gateway::serve();").len(), 1);
    }

    #[test]
    fn tests_may_use_what_they_like() {
        assert_eq!(problems("host/src/frame.rs", "#[cfg(test)]\nmod tests {\n use crate::gateway::serve;\n"), [""; 0]);
        assert_eq!(problems("host/src/seeds.rs", "use crate::gateway::serve;\n"), [""; 0]);
    }

    #[test]
    fn code_behind_a_module_of_tests_counts() {
        let text = "#[cfg(test)]\nmod tests;\nuse crate::gateway::serve;\n";
        assert_eq!(problems("host/src/frame.rs", text).len(), 1);
    }

    #[test]
    fn a_module_that_is_not_listed_is_a_problem() {
        assert_eq!(problems("host/src/helper.rs", "").len(), 1);
    }
}

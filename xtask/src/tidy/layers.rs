//! Checks the layers of `host/`: each crate uses only crates above it in the table of `ARCHITECTURE.md`. Cargo forbids
//! circles, and knows of no order.

use super::Findings;
use super::source::Tree;

/// The page with the table.
const MAP: &str = "ARCHITECTURE.md";

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let Some(map) = tree.files.iter().find(|file| file.path == MAP) else { return };
    let order: Vec<&str> = map.text.lines().filter_map(row).collect();
    for file in &tree.files {
        let Some(name) = crate_of(&file.path) else { continue };
        let Some(at) = order.iter().position(|crate_name| *crate_name == name) else {
            findings.problem(format!("{MAP}: the table has no row for host/{name}"));
            continue;
        };
        for used in dependencies(&file.text) {
            if order[at..].contains(&used) {
                findings.problem(format!("{}: weir-{used} stands below host/{name} in {MAP}", file.path));
            }
        }
    }
}

/// The crate that a row of the table begins with: `wire` of "| `host/wire` | …".
fn row(line: &str) -> Option<&str> {
    line.strip_prefix("| `host/")?.split_once('`').map(|(name, _)| name)
}

/// The crate of a path such as `host/wire/Cargo.toml`.
fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("host/")?.strip_suffix("/Cargo.toml").filter(|name| !name.contains('/'))
}

/// The crates of `host/`, without `weir-`, among a manifest's own dependencies. Those of its tests do not count.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let own = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]")).unwrap_or_default();
    let names = own.lines().filter_map(|line| line.strip_prefix("weir-"));
    names.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '-').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "| where | what |\n|---|---|\n| `host/types` | words |\n| `host/wire` | bytes |\n| … `peek/` | a part |\n";

    fn problems(manifests: &[(&str, &str)]) -> Vec<String> {
        Findings::of(check, &[&[(MAP, TABLE)][..], manifests].concat()).problems
    }

    #[test]
    fn a_crate_may_use_those_above_it_and_its_tests_any() {
        let text = "[package]\nname = \"weir-wire\"\n\n[dependencies]\nweir-types.workspace = true\n\n[dev-dependencies]\nweir-wire = {}\n";
        assert_eq!(problems(&[("host/wire/Cargo.toml", text)]), [""; 0]);
    }

    #[test]
    fn a_crate_may_not_use_one_below_it() {
        let text = "[package]\n\n[dependencies]\nserde = \"1\"\nweir-wire = { workspace = true }\n";
        let found = problems(&[("host/types/Cargo.toml", text)]);
        assert_eq!(found, ["host/types/Cargo.toml: weir-wire stands below host/types in ARCHITECTURE.md"]);
    }

    #[test]
    fn every_crate_has_a_row() {
        let found = problems(&[("host/new/Cargo.toml", "[package]\n")]);
        assert_eq!(found, ["ARCHITECTURE.md: the table has no row for host/new"]);
    }
}

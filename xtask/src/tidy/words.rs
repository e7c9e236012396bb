//! Checks the first law: the host knows no wire format, so its code contains no provider's name. Also checks that no
//! test is ignored.

use std::collections::BTreeSet;

use super::Findings;
use super::source::Tree;

/// Names beside those of the folders in `plugins/`: models, clouds and other gateways.
const NAMES: [&str; 5] = ["claude", "llama", "litellm", "langfuse", "lmbroker"];
/// The folder of a provider whose name is an English word.
const ENGLISH: &str = "together";

/// Lines that may contain a name: the file and the text. Each needs a reason beside it.
const EXCEPTIONS: &[(&str, &str)] = &[
    // A header with a key that no vendor's format owns; the default is documented.
    ("host/config/src/keys/server.rs", "x-litellm-api-key"),
];

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let names = names(tree);
    for file in tree.rust().filter(|file| is_host(&file.path)) {
        for (number, line) in file.code() {
            let lower = line.to_lowercase();
            let Some(name) = names.iter().find(|name| lower.contains(**name)) else { continue };
            let excepted = |(path, text): &(&str, &str)| file.path == *path && line.contains(text);
            if !EXCEPTIONS.iter().any(excepted) {
                findings
                    .problem(format!("{}:{number}: the host knows no wire format, but this names {name}", file.path));
            }
        }
    }
    for file in tree.files.iter().filter(|file| file.is_a("rs")) {
        for (at, line) in file.text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("#[ignore")) {
            findings.problem(format!("{}:{}: {}: a test runs or goes", file.path, at + 1, line.trim()));
        }
    }
}

/// The names of all adapters, and others.
fn names(tree: &Tree) -> BTreeSet<&str> {
    let adapters = tree.files.iter().filter_map(|file| file.path.strip_prefix("plugins/")?.split_once('/'));
    adapters.map(|(name, _)| name).filter(|name| *name != ENGLISH).chain(NAMES).collect()
}

/// Whether a file is the host's own: the code of one of its crates. The one that reads configurations of other
/// gateways, and its command, are the place for their names.
fn is_host(path: &str) -> bool {
    if path.starts_with("host/import/") || path.starts_with("host/weir/src/cli/import") {
        return false;
    }
    path.strip_prefix("host/").and_then(|rest| rest.split('/').nth(1)) == Some("src")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        Findings::of(check, &[("plugins/openai/Cargo.toml", ""), (path, text)]).problems.len()
    }

    #[test]
    fn a_name_counts_in_the_hosts_code_only() {
        assert_eq!(problems("host/wire/src/a.rs", "let path = \"/OpenAI/x\";"), 1);
        assert_eq!(problems("host/wire/src/a.rs", "/// As openai does.\n#[cfg(test)]\nmod tests {\nopenai"), 0);
        assert_eq!(problems("plugins/openai/src/lib.rs", "openai"), 0);
    }

    #[test]
    fn an_ignored_test_is_found_in_tests_too() {
        assert_eq!(problems("tests/it/main.rs", "#[test]\n    #[ignore = \"slow\"]\n"), 1);
    }
}

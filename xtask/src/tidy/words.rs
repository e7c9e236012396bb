//! Checks the first law: the host knows no wire format, so its code contains no provider's name. Also checks that no
//! test is ignored.

use super::Findings;
use super::source::Tree;

const NAMES: &[&str] = &[
    "openai",
    "anthropic",
    "claude",
    "gemini",
    "ollama",
    "cohere",
    "bedrock",
    "databricks",
    "groq",
    "mistral",
    "replicate",
    "huggingface",
];

/// Lines that may contain a name: the file and the text. Each needs a reason beside it.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    for file in tree.rust().filter(|file| is_host(&file.path)) {
        for (number, line) in file.code() {
            let lower = line.to_lowercase();
            let Some(name) = NAMES.iter().find(|name| lower.contains(**name)) else { continue };
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

/// Whether a file is the host's own: the code of one of its crates.
fn is_host(path: &str) -> bool {
    path.strip_prefix("host/").and_then(|rest| rest.split('/').nth(1)) == Some("src")
}

#[cfg(test)]
mod tests {
    use super::super::source::File;
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        let mut findings = Findings::default();
        check(&Tree { root: ".".into(), files: vec![File::new(path, text)] }, &mut findings);
        findings.problems.len()
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

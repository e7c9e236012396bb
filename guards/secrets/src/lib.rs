//! `secrets`: a guard that finds keys of providers, clouds and code hosts, tokens and private keys in requests and answers.

mod patterns;

use weir_sdk::guard::{Configured, Facts, Finder, Found, Search, Setup, spelling};

use patterns::{PATTERNS, Pattern};

/// The message of a refusal, unless the option `message` sets another.
const MESSAGE: &str = "this contains a secret, such as an API key; remove it and send the request again";

weir_sdk::export_guard!(Search<Options>);

/// The guard's options.
#[derive(Debug)]
pub struct Options {
    /// Labels that are not searched for.
    ignore: Vec<String>,
}

impl Options {
    fn first_at<'p>(&self, text: &str, at: usize) -> Option<(&'p Pattern, usize)> {
        let mut found = PATTERNS.iter().filter_map(|pattern| Some((pattern, pattern.end(text, at)?)));
        found.find(|(pattern, _)| !self.ignore.iter().any(|label| label == pattern.label))
    }
}

impl Configured for Options {
    const NAME: &'static str = "secrets";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "finds keys, tokens and private keys in requests and answers";
    const SETTINGS: &'static str = include_str!("settings.json");

    fn setup(facts: &Facts) -> Result<Setup<Self>, String> {
        Ok(Setup {
            finder: Self { ignore: facts.option("ignore")?.unwrap_or_default() },
            action: facts.option("action")?.unwrap_or_default(),
            message: facts.option("message")?.unwrap_or_else(|| MESSAGE.to_owned()),
            restores: false,
        })
    }
}

impl Options {
    /// Finds everything that is spelled in ASCII.
    fn find_plain(&self, text: &str) -> Vec<Found> {
        let (bytes, mut all, mut at) = (text.as_bytes(), Vec::new(), 0);
        while let Some(byte) = bytes.get(at) {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let is_start = patterns::may_begin(*byte) && before.is_none_or(|byte| patterns::may_precede(*byte));
            let found = if is_start { self.first_at(text, at) } else { None };
            if let Some((pattern, end)) = found {
                all.push(Found { range: at..end, label: pattern.label.to_owned() });
                at = end;
            } else {
                at += 1;
            }
        }
        all
    }
}

impl Finder for Options {
    fn find(&self, text: &str) -> Vec<Found> {
        spelling::as_it_looks(text, |text| self.find_plain(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str, ignore: &[&str]) -> Vec<String> {
        let ignore = ignore.iter().map(|label| (*label).to_owned()).collect();
        let options = Options { ignore };
        options.find(text).into_iter().map(|found| found.label).collect()
    }

    /// Texts are put together here, so that this file contains nothing that looks like a secret.
    fn of(head: &str, tail: &str, times: usize) -> String {
        format!("{head}{}", tail.repeat(times))
    }

    #[test]
    fn secrets_are_found_within_text_and_ordinary_words_are_not() {
        for (secret, label) in [
            (of("AKIA", "ABCD2345", 2), "aws-access-key"),
            (of("sk-ant-", "api03Ab_-", 4), "api-key"),
            (of("sk-proj-", "Ab12", 8), "api-key"),
            (of("ghp_", "Ab12", 9), "github-token"),
            (of("github_pat_", "Ab12_", 8), "github-token"),
            (of("xoxb-", "12345-", 4), "slack-token"),
            (of("AIza", "Ab1-_", 7), "google-api-key"),
            (of("hf_", "Ab12", 9), "api-key"),
            (of("glpat-", "Ab12", 6), "gitlab-token"),
            (of("-----BEGIN RSA PRIVATE ", "KEY-----", 1), "private-key"),
            (of("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.", "Ab1-", 8), "jwt"),
        ] {
            for text in [secret.clone(), format!("my key: {secret}."), format!("Schlüssel=\"{secret}\"")] {
                assert_eq!(labels(&text, &[]), [label], "{text}");
                assert_eq!(labels(&text, &[label]), [""; 0], "{text}");
            }
        }
        for text in [
            "a task-oriented-approach-to-everything-that-matters-in-life",
            "sk-short",
            "AKIAshort",
            "-----BEGIN PUBLIC KEY-----",
            "eyJust.a.word",
            "disk-proj-0123456789012345678901234567890",
            "",
        ] {
            assert_eq!(labels(text, &[]), [""; 0], "{text}");
        }
    }

    #[test]
    fn two_secrets_are_two_findings() {
        let (one, other) = (of("AKIA", "ABCD2345", 2), of("ghp_", "Ab12", 9));
        assert_eq!(labels(&format!("{one},{other} {one}"), &[]), ["aws-access-key", "github-token", "aws-access-key"]);
    }
}

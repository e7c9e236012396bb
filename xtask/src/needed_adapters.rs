//! Which adapters must be built before a Weir command can run.

use std::fs;
use std::path::PathBuf;

use crate::workspace::{Adapter, Workspace};

/// The adapters that are built first if the configuration is unknown: the formats of most clients.
const USUAL: [&str; 2] = ["openai", "anthropic"];
/// The file that `weir` reads by default.
const USUAL_FILE: &str = "weir.toml";

/// Splits the adapters into those that `weir WORDS` needs at once, and those that may be built later.
pub(crate) fn split(workspace: &Workspace, words: &[String]) -> (Vec<Adapter>, Vec<Adapter>) {
    let all = workspace.adapters.clone();
    if !is_serving(words) {
        // A command that inspects adapters needs all of them.
        return (all, Vec::new());
    }
    let file = workspace.root.join(configuration(words));
    let text = fs::read_to_string(file).unwrap_or_default();
    let (named, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|adapter| is_named(&text, &adapter.name));
    if !named.is_empty() {
        return (named, others);
    }
    others.into_iter().partition(|adapter| USUAL.contains(&adapter.name.as_str()))
}

/// Whether these words make Weir serve; no command means `serve`.
fn is_serving(words: &[String]) -> bool {
    words.first().is_none_or(|word| word == "serve" || word.starts_with('-'))
}

/// The path of the configuration, from the command line or else from the environment.
fn configuration(words: &[String]) -> PathBuf {
    let next = |at: usize| words.get(at + 1).map(String::as_str);
    let of_word = |(at, word): (usize, &String)| match word.as_str() {
        "--config" | "-c" => next(at).map(PathBuf::from),
        word => word.strip_prefix("--config=").map(PathBuf::from),
    };
    let given = words.iter().enumerate().find_map(of_word);
    given.or_else(|| std::env::var_os("WEIR_CONFIG").map(PathBuf::from)).unwrap_or_else(|| USUAL_FILE.into())
}

/// Whether a name stands in quotes outside of comments. A wrong guess costs a moment, while a TOML parser would add to
/// every newcomer's first build.
fn is_named(text: &str, name: &str) -> bool {
    let quoted = [format!("\"{name}\""), format!("'{name}'")];
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.any(|line| quoted.iter().any(|quoted| line.contains(quoted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn workspace(root: &std::path::Path) -> Workspace {
        let adapter = |name: &&str| Adapter {
            name: (*name).into(),
            folder: format!("plugins/{name}").into(),
            package: format!("weir-{name}"),
            profile: "adapter".into(),
        };
        let adapters = ["anthropic", "azure-openai", "gemini", "openai"].iter().map(adapter).collect();
        Workspace { root: root.into(), target: root.join("target"), adapters, test_adapters: Vec::new() }
    }

    fn first(text: &str, line: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.toml"), text).unwrap();
        let (first, later) = split(&workspace(folder.path()), &words(line));
        assert_eq!(first.len() + later.len(), 4, "none is lost");
        first.into_iter().map(|adapter| adapter.name).collect()
    }

    #[test]
    fn what_the_configuration_names_comes_first() {
        let text = "[[providers]]\nadapter = \"gemini\"\n#adapter = \"openai\"\n[[models]]\ntype='anthropic'\n";
        for line in ["serve --config a.toml", "serve -c a.toml", "--config=a.toml"] {
            assert_eq!(first(text, line), ["anthropic", "gemini"], "{line}");
        }
        assert_eq!(
            first("adapter = \"azure-openai\"", "serve -c a.toml"),
            ["azure-openai"],
            "no part of a name counts"
        );
    }

    #[test]
    fn the_usual_ones_come_first_where_nothing_is_named() {
        for line in ["serve -c a.toml", "serve -c nowhere.toml"] {
            assert_eq!(first("port = 8080", line), ["anthropic", "openai"], "{line}");
        }
    }

    #[test]
    fn what_only_looks_at_adapters_sees_all() {
        assert_eq!(first("adapter = \"gemini\"", "plugin list -c a.toml").len(), 4);
    }

    #[test]
    fn the_example_needs_two() {
        let text = include_str!("../../config.example.toml");
        assert_eq!(first(text, "serve --config a.toml"), ["anthropic", "openai"]);
    }
}

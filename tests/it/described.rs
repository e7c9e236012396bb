//! The program describes itself: its version, its manual and the completions of shells.

use std::fs;
use std::path::Path;
use std::process::Command;

use weir_sandbox::Version;
use weir_tests::program;

/// Commands of which each has a page and is completed: one with commands of its own, and two of those.
const COMMANDS: [&str; 3] = ["plugin", "plugin-install", "plugin-push"];

fn printed(words: &[&str], folder: &Path) -> String {
    let output = Command::new(program::file()).args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "weir {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_version_names_the_contracts_and_the_commit_of_the_build_if_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let commit = option_env!("WEIR_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!(", commit {commit}")).unwrap_or_default();
    let (number, contracts) = (env!("CARGO_PKG_VERSION"), Version::supported());
    let expected = format!("weir {number} (contract weir:adapter@{contracts}{commit})\n");
    assert!(contracts.starts_with("0."), "{contracts}");
    for flag in ["--version", "-V"] {
        assert_eq!(printed(&[flag], folder.path()), expected);
    }
}

#[test]
fn the_manual_is_printed_and_written_with_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let page = printed(&["man"], folder.path());
    assert!(page.contains(".TH weir 1") && page.contains("weir\\-serve(1)"), "{page}");
    let told = printed(&["man", "--out", "share/man1"], folder.path());
    assert!(told.contains("share/man1"), "{told}");
    let written = |name: &str| fs::read_to_string(folder.path().join(format!("share/man1/{name}.1"))).unwrap();
    assert!(written("weir").contains(".TH weir 1"), "the page of weir itself");
    for command in COMMANDS {
        let page = written(&format!("weir-{command}"));
        assert!(page.contains(&format!(".TH weir-{command} 1")) && page.contains(".SH DESCRIPTION"), "{page}");
    }
}

#[test]
fn each_shell_has_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, registered) in [("bash", "complete -F _weir"), ("zsh", "#compdef weir"), ("fish", "complete -c weir")] {
        let script = printed(&["completions", shell], folder.path());
        assert!(script.contains(registered), "{shell}: {script}");
        for word in COMMANDS.iter().flat_map(|command| command.split('-')).chain(["allow-downgrade", "mirror"]) {
            assert!(script.contains(word), "{shell} completes no {word}");
        }
    }
}

//! Tests that the pages for readers write commands that there are, with options that these have.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};

use super::Cli;

/// The folders with pages, and pages at the root. The changelog names what there was.
const PLACES: [&str; 8] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs", "plugins", "guards", "sdk", "host/weir/pgo"];
/// Blocks in which lines are typed.
const SHELLS: [&str; 4] = ["", "sh", "console", "bash"];

#[test]
fn pages_write_commands_and_options_that_there_are() {
    let mut program = Cli::command();
    program.build();
    let mut problems = Vec::new();
    let mut found = 0;
    for (place, line) in pages().iter().flat_map(|path| lines(path)) {
        for words in commands_in(&line) {
            found += 1;
            problems.extend(problem(&program, &words).map(|problem| format!("{place}: {problem}")));
        }
    }
    assert!(found > 200, "only {found} commands were found");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_wrong_command_and_a_wrong_option_are_found() {
    let mut program = Cli::command();
    program.build();
    let wrong = |line: &str| commands_in(line).iter().filter_map(|words| problem(&program, words)).collect::<Vec<_>>();
    assert_eq!(wrong("KEY=$(weir keys create build --team red) # as `--team`"), [""; 0]);
    assert_eq!(wrong("$ weir plugin new demo --lang LANG && weir plugin build"), [""; 0]);
    assert_eq!(wrong("weir teams make red"), ["there is no `weir teams make`"]);
    assert_eq!(wrong("weir adapter list | cat"), ["there is no `weir adapter`"]);
    assert_eq!(wrong("target/quick/weir log tail --colour=no"), ["`weir log tail` has no `--colour`"]);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages() -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = PLACES.iter().map(|place| root().join(place)).collect();
    let mut pages = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules" && name != "target") {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|kind| kind == "md") {
            pages.push(path);
        }
    }
    assert!(pages.len() > 60, "{pages:?}");
    pages
}

/// What stands as code on a page: the lines of blocks for a shell, and words in backticks. Each with its place.
fn lines(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap().replace("\\\n", " ");
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let mut block = None;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(language.trim().to_owned()) };
        } else if let Some(language) = &block {
            found.extend(SHELLS.contains(&language.as_str()).then(|| (place, line.to_owned())));
        } else if line.starts_with("    ") {
            found.push((place, line.to_owned()));
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            found.extend(spans.map(|span| (place.clone(), span.to_owned())));
        }
    }
    found
}

/// The words of each `weir …` of a line.
fn commands_in(line: &str) -> Vec<Vec<&str>> {
    let line = line.split(" #").next().unwrap_or_default();
    let parts = line.split("&&").flat_map(|part| part.split("$(")).flat_map(|part| part.split(['|', ';', ')']));
    let mut commands = Vec::new();
    for part in parts {
        let words = part.split_whitespace().skip_while(|word| matches!(*word, "$" | ">") || is_setting(word));
        let words: Vec<&str> = words.collect();
        if let Some((program, rest)) = words.split_first()
            && (*program == "weir" || program.ends_with("/weir"))
            && !rest.is_empty()
        {
            commands.push(rest.to_vec());
        }
    }
    commands
}

/// Whether a word in front of a command sets a variable.
fn is_setting(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
}

fn problem(program: &Command, words: &[&str]) -> Option<String> {
    let (mut command, mut words) = (program, words);
    while let Some((word, rest)) = words.split_first()
        && let Some(below) = command.find_subcommand(word)
    {
        (command, words) = (below, rest);
    }
    let name = command.get_bin_name().unwrap_or(program.get_name());
    let is_word = |word: &&&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if command.has_subcommands()
        && let Some(word) = words.first().filter(is_word).filter(|word| !word.starts_with('-'))
    {
        return Some(format!("there is no `{name} {word}`"));
    }
    let options = words.iter().map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-'));
    let mut options = options.filter_map(|word| word.split('=').next()?.strip_prefix("--"));
    let unknown = options.find(|option| !option.is_empty() && !has(command, option))?;
    Some(format!("`{name}` has no `--{unknown}`"))
}

fn has(command: &Command, option: &str) -> bool {
    ["help", "version"].contains(&option) || command.get_arguments().any(|known| known.get_long() == Some(option))
}

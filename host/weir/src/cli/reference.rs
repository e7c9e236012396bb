//! Tests that `docs/commands.md` has every command, as `--help` describes it, and makes the page from the same
//! definitions.

use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use super::Cli;

/// The end of what is written by hand.
const MARK: &str = "UPDATE_DOCS=1 cargo test -p weir. -->\n\n";
/// An option that so many commands have is explained once.
const MANY: usize = 5;
const MANY_TITLE: &str = "Common options";

#[test]
fn the_page_of_commands_is_made_from_their_definitions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let text = fs::read_to_string(&path).unwrap();
    let (prose, found) = text.split_once(MARK).unwrap();
    let made = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{prose}{MARK}{made}")).unwrap();
        return;
    }
    assert!(found == made, "docs/commands.md is out of date: run UPDATE_DOCS=1 cargo test -p weir");
}

fn page() -> String {
    let mut program = Cli::command();
    program.build();
    let shared = options_of_many(&program);
    let rows: String = commands(&program).map(overview).collect();
    let mut parts = vec![format!("## All commands\n\n| command | does |\n|---|---|\n{rows}\n")];
    parts.push(format!("## {MANY_TITLE}\n\n{}", table(shared.iter().copied())));
    parts.extend(commands(&program).map(|command| section(command, &shared, 2)));
    format!("{}\n", parts.concat().trim_end())
}

/// The commands below one, but for the one that prints help.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|one| one.get_name() != "help" && !one.is_hide_set())
}

/// Arguments and options, but for those that every command has.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_own = |one: &&Arg| !one.is_hide_set() && !["help", "version"].contains(&one.get_id().as_str());
    command.get_arguments().filter(is_own)
}

/// The options that many commands have in the same sense.
fn options_of_many(program: &Command) -> Vec<&Arg> {
    let mut counts: Vec<(&Arg, usize)> = Vec::new();
    let every = commands(program).flat_map(|one| std::iter::once(one).chain(commands(one)));
    for option in every.flat_map(arguments).filter(|one| !one.is_positional()) {
        match counts.iter_mut().find(|(known, _)| is_same(known, option)) {
            Some((_, count)) => *count += 1,
            None => counts.push((option, 1)),
        }
    }
    counts.into_iter().filter(|(_, count)| *count >= MANY).map(|(option, _)| option).collect()
}

fn is_same(one: &Arg, other: &Arg) -> bool {
    one.get_long() == other.get_long() && meaning(one) == meaning(other)
}

/// A command's row in the table of all: those below it are linked too.
fn overview(command: &Command) -> String {
    let title = |one: &Command| one.get_bin_name().unwrap_or_default().to_owned();
    let link = |name: &str, one: &Command| format!("[`{name}`](#{})", title(one).replace(' ', "-"));
    let below: Vec<String> = commands(command).map(|one| link(one.get_name(), one)).collect();
    let colon = if below.is_empty() { "" } else { ": " };
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    format!("| {}{colon}{} | {} |\n", link(&title(command), command), below.join(", "), cell(&sentence(&about)))
}

fn section(command: &Command, shared: &[&Arg], level: usize) -> String {
    let title = command.get_bin_name().unwrap_or_default();
    let mut parts = vec![format!("{} `{title}`\n\n{}\n\n", "#".repeat(level), about(command))];
    if commands(command).next().is_none() {
        let usage = command.clone().render_usage().to_string();
        parts.push(format!("```text\n{}\n```\n\n", usage.trim_start_matches("Usage: ")));
    }
    let is_shared = |one: &&Arg| shared.iter().any(|known| !one.is_positional() && is_same(known, one));
    let (of_many, own): (Vec<&Arg>, Vec<&Arg>) = arguments(command).partition(is_shared);
    if !own.is_empty() {
        parts.push(table(own.into_iter()));
    }
    if !of_many.is_empty() {
        let names: Vec<String> = of_many.iter().filter_map(|one| Some(format!("`--{}`", one.get_long()?))).collect();
        let anchor = MANY_TITLE.to_lowercase().replace(' ', "-");
        parts.push(format!("[Common options](#{anchor}): {}.\n\n", names.join(", ")));
    }
    parts.extend(commands(command).map(|one| section(one, shared, level + 1)));
    parts.concat()
}

/// What a command does, in paragraphs.
fn about(command: &Command) -> String {
    let text = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    text.split("\n\n").map(sentence).collect::<Vec<_>>().join("\n\n")
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows: String = arguments.map(row).collect();
    format!("| argument | default | meaning |\n|---|---|---|\n{rows}\n")
}

fn row(argument: &Arg) -> String {
    let short = argument.get_short().map(|letter| format!("-{letter}, ")).unwrap_or_default();
    format!(
        "| `{}` | {} | {} |\n",
        cell(&format!("{short}{argument}")),
        cell(&default(argument)),
        cell(&meaning(argument))
    )
}

fn default(argument: &Arg) -> String {
    let variable = argument.get_env().map(|name| format!("the variable `{}`", name.display()));
    if argument.is_required_set() && !argument.is_positional() {
        return variable.map_or_else(|| "required".to_owned(), |variable| format!("required, or {variable}"));
    }
    if let Some(variable) = variable {
        return variable;
    }
    let values = argument.get_default_values().iter().filter(|_| argument.get_action().takes_values());
    values.map(|value| format!("`{}`", value.display())).collect::<Vec<_>>().join(", ")
}

fn meaning(argument: &Arg) -> String {
    let text = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let words: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| argument.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if words.is_empty() { sentence(&text) } else { format!("{} One of {}.", sentence(&text), words.join(", ")) }
}

/// A text in one line, with a full stop unless it ends with signs that are meant.
fn sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_open = line.ends_with(|last: char| last.is_alphanumeric() || matches!(last, ')' | '`'));
    if is_open { line + "." } else { line }
}

/// A text within a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

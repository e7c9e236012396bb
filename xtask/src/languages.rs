//! `cargo xtask languages`: makes an adapter and a guard from each language's templates. The commands are those of
//! `docs/authors.md` and `docs/guards.md`, word for word, so that the guides are tested. Then Weir serves with the
//! results.

mod scripts;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::check::Outcome;
use crate::plugins;
use crate::process::{self, linting_cargo};
use crate::workspace::Workspace;

const GUIDE: &str = "docs/authors.md";
const GUIDE_FOR_GUARDS: &str = "docs/guards.md";
/// The name of the adapter's project.
const PROJECT: &str = "demo";
/// All languages, cheap ones first.
const LANGUAGES: [&str; 5] = ["javascript", "python", "go", "c", "rust"];
/// The option that adds slow checks: JavaScript on a second engine.
const ALL: &str = "--all";
/// The adapters whose formats the clients use.
const FACES: [&str; 2] = ["openai", "anthropic"];
/// The time that the guide promises a new author, without the installation of the tool.
const PROMISED: Duration = Duration::from_mins(5);

/// Builds the program and checks all languages, or those that are named.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    if let Some(word) = words.iter().find(|word| *word != ALL && !LANGUAGES.contains(&word.as_str())) {
        bail!("there is no template in {word:?} (there are: {})", LANGUAGES.join(", "));
    }
    plugins::build(workspace, &FACES.map(str::to_owned))?;
    process::run(linting_cargo().current_dir(&workspace.root).args(["build", "--workspace", "--bin", "weir"]))?;
    match drive(workspace, words)? {
        Outcome::Passed => Ok(()),
        Outcome::Skipped(reason) => bail!("{reason}"),
    }
}

/// The step of `cargo xtask test`; it expects the binary and the adapters to be built.
pub(crate) fn test(workspace: &Workspace) -> Result<Outcome> {
    drive(workspace, &[])
}

fn drive(workspace: &Workspace, words: &[String]) -> Result<Outcome> {
    let [commands, for_guards] = [GUIDE, GUIDE_FOR_GUARDS].map(|guide| -> Result<_> {
        transcript(&fs::read_to_string(workspace.root.join(guide))?).with_context(|| guide.to_owned())
    });
    let (commands, for_guards) = (commands?, for_guards?);
    let (all, words): (Vec<&str>, Vec<&str>) = words.iter().map(String::as_str).partition(|word| *word == ALL);
    let place = workspace.target.join("authors");
    let mut lines = Vec::new();
    let mut made = false;
    fs::remove_dir_all(&place).or_else(|error| if place.exists() { Err(error) } else { Ok(()) })?;
    for language in LANGUAGES.into_iter().filter(|language| words.is_empty() || words.contains(language)) {
        let tool = match tools::of(language, workspace) {
            Ok(tool) => tool,
            Err(error) => {
                lines.push(format!("{language:<10}  skipped: {error:#}"));
                continue;
            }
        };
        println!("\n-- {language}");
        let begun = Instant::now();
        follow(&commands, language, &place.join(language), &tool, workspace).with_context(|| language.to_owned())?;
        let took = begun.elapsed();
        follow(&for_guards, language, &place.join(language), &tool, workspace)
            .with_context(|| format!("a guard in {language}"))?;
        let project = place.join(language).join(PROJECT);
        scripts::check(language, &project, &tool, workspace)?;
        if language == "javascript" && !all.is_empty() {
            scripts::starling(&project, &mut weir(workspace, &tool)?, workspace)?;
        }
        // A busy machine is no reason to fail.
        let note = if took > PROMISED { ", which is more than the guide promises" } else { "" };
        lines.push(format!("{language:<10}  {:.1} s from `new` to a passing test{note}", took.as_secs_f64()));
        made = true;
    }
    println!("\n{}", lines.join("\n"));
    if !made {
        return Ok(Outcome::Skipped("no language's tool is there".to_owned()));
    }
    serve(workspace, &place)?;
    Ok(Outcome::Passed)
}

/// A guide's first transcript, command by command.
fn transcript(guide: &str) -> Result<Vec<String>> {
    let block = guide.split_once("```console\n").and_then(|(_, rest)| rest.split_once("```"));
    let (block, _) = block.context("the guide has no transcript")?;
    let commands: Vec<String> = block.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect();
    if !commands.iter().any(|command| command.contains("plugin test")) {
        bail!("the guide's first transcript tests nothing");
    }
    Ok(commands)
}

/// Runs the commands, with `language` in place of `LANG`.
fn follow(commands: &[String], language: &str, place: &Path, tool: &tools::Tool, workspace: &Workspace) -> Result<()> {
    fs::create_dir_all(place)?;
    let mut folder = place.to_owned();
    for line in commands {
        let line = line.replace("LANG", language);
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words.as_slice() {
            ["cd", to] => {
                folder = folder.join(to);
                tool.prepare(&folder, workspace)?;
            }
            ["weir", ref words @ ..] => {
                println!("$ {line}");
                let mut command = weir(workspace, tool)?;
                if words.contains(&"inspect") {
                    // The output is long, and not shown here.
                    command.stdout(Stdio::null());
                }
                process::run(command.current_dir(&folder).args(words))?;
            }
            _ => bail!("what is {line:?}?"),
        }
    }
    Ok(())
}

/// The binary of this build, with the language's tool on its path.
fn weir(workspace: &Workspace, tool: &tools::Tool) -> Result<Command> {
    let binary = workspace.target.join("debug").join(format!("weir{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(binary);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = tool.path.iter().cloned().chain(std::env::split_paths(&path)).collect();
    command.env("PATH", std::env::join_paths(folders)?);
    command.envs(tool.variables.iter().map(|(name, value)| (name, value)));
    // The same cache as the tests', which serve with these components: each is compiled once.
    command.env("WEIR_PLUGINS__CACHE_DIR", workspace.target.join("test-cache")).env_remove("WEIR_CONFIG");
    for (name, _) in std::env::vars_os() {
        // Cargo's variables about this repository would mislead the cargo that builds the project.
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Runs the tests that serve with the adapters. They use the same selection of packages as the other steps, so that
/// nothing is rebuilt.
fn serve(workspace: &Workspace, place: &Path) -> Result<()> {
    let words = ["test", "--quiet", "--workspace", "--test", "it", "authors::", "--", "--nocapture"];
    process::run(linting_cargo().current_dir(&workspace.root).args(words).env("WEIR_AUTHORS", place))
        .context("Weir does not serve with what the templates make")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_first_transcript_goes_from_new_to_a_test() {
        let guide = include_str!("../../docs/authors.md");
        let commands = transcript(guide).unwrap();
        assert_eq!(commands[0], "weir plugin new demo --lang LANG");
        assert!(commands.iter().all(|command| command.starts_with("weir plugin ") || command == "cd demo"));
        let commands = transcript(include_str!("../../docs/guards.md")).unwrap();
        assert_eq!(commands[0], "weir plugin new my-guard --guard --lang LANG");
    }

    #[test]
    fn a_guide_that_tests_nothing_is_none() {
        assert!(transcript("```console\n$ weir plugin build\n```").is_err());
        assert!(transcript("no").is_err());
    }
}

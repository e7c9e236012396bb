//! The commands: arguments, output, and exit codes.

mod cache;
mod check;
mod client_key;
mod completions;
mod explain;
mod failure;
mod fixture;
mod identity;
mod import;
mod init;
mod ledger;
mod log;
mod man;
mod output;
#[cfg(test)]
mod pages;
mod plugin;
mod record;
#[cfg(test)]
mod reference;
mod route;
mod running;
mod serve;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use serde::Serialize;
use tokio::runtime::{self, Runtime};

use self::failure::{Failure, NoRuntime, UnwritableJson};
use self::output::{inert, print, print_problems, print_stderr};
use crate::app::StartError;
use weir_adapters::compile::child::{ChildError, REFUSED};
use weir_adapters::{Compiler, compile};
use weir_config::{Config, Environment, Problems};
use weir_gateway::observe::log as log_lines;

/// The configuration file that is used if none is named.
const USUAL_FILE: &str = "weir.toml";

#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version = crate::version::TEXT.as_str(),
    about = "A gateway for large language models whose wire formats are sandboxed WebAssembly components",
    long_about = "A gateway for large language models: clients use the API that they already know, Weir answers from \
                  whatever provider the configuration names. Every wire format is a sandboxed WebAssembly component in \
                  the plugins folder, which never sees a key.",
    after_help = "Without a command, weir serves. Without --config, it reads weir.toml in the working directory; if there is \
                  none, it serves the bundled providers whose usual key variables are set. `weir init` writes a first file.\n\n\
                  Every key of the file can be overridden by a variable: WEIR_SERVER__PORT=9000.\n\n\
                  Exit codes of all commands: 0 done; 1 not done, or what was checked is wrong; 2 a mistake in the command \
                  line or the configuration.",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    file: File,
}

#[derive(Debug, Args)]
struct File {
    /// The configuration (TOML).
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until it is stopped (the default).
    Serve(File),
    /// Writes a first configuration, from a few questions.
    Init(init::Init),
    /// Checks the configuration without serving: every mistake at once, with its line.
    Check(check::Check),
    /// Shows what would be sent for a request, and what would be lost, without sending it.
    Explain(Box<explain::Explain>),
    /// Explains where requests go.
    Route {
        #[command(subcommand)]
        command: route::Command,
    },
    /// Records the exchanges of a client and a provider, as files that can replace the provider.
    Record(record::Record),
    /// Imports and checks recordings.
    Fixture {
        #[command(subcommand)]
        command: fixture::Command,
    },
    /// Converts another gateway's configuration, or the environment, to a configuration.
    Import {
        #[command(subcommand)]
        command: import::Command,
    },
    /// Creates a key for a client of the configuration, and its hash; `weir keys` makes keys that need no entry there.
    #[command(alias = "key")]
    ClientKey(client_key::ClientKey),
    /// Reads the log of requests of a running Weir.
    Log {
        #[command(subcommand)]
        command: log::Command,
    },
    /// Explains, re-prices and reconciles what requests cost.
    Ledger {
        #[command(subcommand)]
        command: ledger::Command,
    },
    /// Shows and removes kept answers of a running Weir.
    Cache {
        #[command(subcommand)]
        command: cache::Command,
    },
    /// Makes, lists, changes, rotates and revokes keys of a running Weir, which keeps them in its store.
    ///
    /// Keys made here need no entry in the configuration. The commands talk to the admin side of the Weir that the
    /// configuration belongs to, or to --admin, with `admin.token` (`WEIR_ADMIN_TOKEN`).
    Keys {
        #[command(subcommand)]
        command: identity::keys::Command,
    },
    /// Makes, lists, changes, disables and deletes the teams of a running Weir, whose rights, limits and budgets their
    /// keys share.
    Teams {
        #[command(subcommand)]
        command: identity::teams::Command,
    },
    /// Lists the budgets of a running Weir and their use; makes, changes and deletes those in its store.
    Budgets {
        #[command(subcommand)]
        command: identity::budgets::Command,
    },
    /// Lists the prices of models in a running Weir; makes, changes and deletes those in its store.
    Prices {
        #[command(subcommand)]
        command: identity::prices::Command,
    },
    /// Lists, checks, installs and builds adapters.
    Plugin {
        #[command(subcommand)]
        command: plugin::Command,
    },
    /// Prints a completion script for a shell.
    Completions(completions::Completions),
    /// Prints the manual as a page for `man`, or writes the pages of all commands.
    Man(man::Man),
}

/// Compiles a component from standard input; only `weir` itself starts this. It is not part of [`Command`], so that no
/// help text and no suggestion mentions it.
#[derive(Debug, Parser)]
struct Compile {
    /// Memory limit in bytes.
    #[arg(long)]
    memory: u64,
    /// Time limit in seconds.
    #[arg(long)]
    seconds: u64,
}

/// Runs the command in the arguments. Exit codes: 0 for success, 1 for a failure, 2 for a mistake in the command or the
/// configuration.
pub fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == compile::COMMAND) {
        let Compile { memory, seconds } = Compile::parse_from(words.into_iter().skip(1));
        return compile(memory, seconds);
    }
    let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| with_usage(error, &words).exit());
    let code = run_command(cli);
    log_lines::flush();
    code
}

fn run_command(cli: Cli) -> ExitCode {
    match cli.command {
        None => serve::run(cli.file.config.as_deref()),
        Some(Command::Serve(file)) => serve::run(file.config.as_deref()),
        Some(Command::Check(asked)) => check::run(&asked),
        Some(Command::Explain(asked)) => explain::run(*asked),
        Some(Command::Route { command }) => route::run(command),
        Some(Command::Init(asked)) => init::run(&asked),
        Some(Command::Completions(asked)) => completions::run(&asked),
        Some(Command::Man(asked)) => finish(man::run(&asked)),
        Some(Command::Record(asked)) => record::run(asked),
        Some(Command::Fixture { command }) => fixture::run(command),
        Some(Command::Import { command }) => import::run(command),
        Some(Command::ClientKey(asked)) => client_key::run(&asked),
        Some(Command::Log { command }) => log::run(command),
        Some(Command::Ledger { command }) => ledger::run(command),
        Some(Command::Cache { command }) => cache::run(command),
        Some(Command::Keys { command }) => identity::keys::run(command),
        Some(Command::Teams { command }) => identity::teams::run(command),
        Some(Command::Budgets { command }) => identity::budgets::run(command),
        Some(Command::Prices { command }) => identity::prices::run(command),
        Some(Command::Plugin { command }) => plugin::run(command),
    }
}

fn compile(memory: u64, seconds: u64) -> ExitCode {
    match compile::child::run(memory, seconds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_stderr(&error.to_string());
            ExitCode::from(match error {
                ChildError::Refused(_) => REFUSED,
                ChildError::Failed(_) => 1,
            })
        }
    }
}

/// Loads the named configuration, or the default file, or none.
fn load(file: Option<&Path>) -> Result<Config, Problems> {
    match named_or_usual(file) {
        Some(file) => Config::load(file, Environment::of_process()).map(compiling),
        None => without_file(),
    }
}

/// Loads the same for a command that serves nothing and sends no secret but the admin token: its caller needs to know
/// none of the others.
fn load_without_secrets(file: Option<&Path>) -> Result<Config, Problems> {
    let environment = Environment::of_process().leaving_secrets_out();
    let loaded = match named_or_usual(file) {
        Some(file) => Config::load(file, environment),
        None => Config::without_file(environment),
    };
    loaded.map(compiling)
}

/// Reads the same as far as that is possible, with all mistakes.
fn read(file: Option<&Path>, environment: Environment) -> Result<(Config, Problems), Problems> {
    let read = Config::read(named_or_usual(file), environment);
    read.map(|(config, problems)| (compiling(config), problems))
}

fn named_or_usual(file: Option<&Path>) -> Option<&Path> {
    let usual = Path::new(USUAL_FILE);
    file.or_else(|| usual.is_file().then_some(usual))
}

/// The configuration from the environment alone.
fn without_file() -> Result<Config, Problems> {
    Config::without_file(Environment::of_process()).map(compiling)
}

/// Makes child processes of this program compile the adapters.
fn compiling(mut config: Config) -> Config {
    config.plugins.compiler = Compiler::this_program();
    config
}

/// The usage line of a command, to be printed below a mistake in its arguments.
fn usage(command: &str) -> String {
    usage_of([command.into()]).to_string()
}

/// The usage line of the command that these words begin with.
fn usage_of(words: impl IntoIterator<Item = OsString>) -> StyledStr {
    let mut all = Cli::command();
    all.build();
    let mut found = &all;
    for word in words {
        let Some(below) = found.find_subcommand(word) else { break };
        found = below;
    }
    found.clone().render_usage()
}

/// A mistake in the arguments, with the usage of its command. Without that, it would name options whose variables are
/// set, such as the one for the admin token, as if they had to be typed.
fn with_usage(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    if error.get(ContextKind::Usage).is_some() {
        let usage = usage_of(words.iter().skip(1).cloned());
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
    error
}

/// Prints a command's text, or why it fails.
fn finish(done: Result<String, Failure>) -> ExitCode {
    match done {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(failure) => failure.report(),
    }
}

/// A value as JSON, for people and programs.
fn pretty(value: &impl Serialize) -> Result<String, UnwritableJson> {
    Ok(serde_json::to_string_pretty(value)?)
}

/// A runtime for what one command waits for.
fn runtime() -> Result<Runtime, NoRuntime> {
    Ok(runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// Prints why Weir does not start, and returns the exit code.
fn start_failed(error: StartError) -> ExitCode {
    Failure::from(error).report()
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    /// The words of each command that does something itself, the program's own among them.
    fn all_commands(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        let mut subcommands = command.get_subcommands().filter(|one| one.get_name() != "help").peekable();
        if subcommands.peek().is_none() || words.len() == 1 {
            found.push(words.to_vec());
        }
        for one in subcommands {
            let words: Vec<String> = words.iter().cloned().chain([one.get_name().to_owned()]).collect();
            all_commands(one, &words, found);
        }
    }

    #[test]
    fn no_command_takes_an_option_that_it_does_not_know() {
        let mut commands = Vec::new();
        all_commands(&Cli::command(), &["weir".to_owned()], &mut commands);
        assert!(commands.len() > 50, "{commands:?}");
        for words in commands {
            for unknown in ["--colour-of-the-sky", "--colour-of-the-sky=blue", "-~"] {
                let line = words.iter().map(String::as_str).chain([unknown]);
                let error = Cli::try_parse_from(line).unwrap_err();
                let (kind, text) = (error.kind(), error.to_string());
                assert_eq!((kind, error.exit_code()), (ErrorKind::UnknownArgument, 2), "{words:?}: {text}");
                assert!(text.contains(&format!("Usage: {}", words.join(" "))), "{words:?}: {text}");
            }
        }
    }

    #[test]
    fn a_usage_line_names_its_command() {
        assert!(usage("explain").starts_with("Usage: weir explain "), "{}", usage("explain"));
    }

    #[test]
    fn an_export_goes_to_a_file_by_the_name_of_the_option_before_too() {
        for option in ["-o", "--out", "--output"] {
            assert!(Cli::try_parse_from(["weir", "log", "export", option, "november.jsonl"]).is_ok(), "{option}");
        }
    }

    #[test]
    fn a_mistake_shows_how_its_command_is_called() {
        for (line, expected) in [
            ("weir keys create", "Usage: weir keys create [OPTIONS] <NAME>"),
            ("weir keys create --admin-token t", "Usage: weir keys create [OPTIONS] <NAME>"),
            ("weir serve --confi x", "Usage: weir serve [OPTIONS]"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let error = with_usage(Cli::try_parse_from(&words).unwrap_err(), &words).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

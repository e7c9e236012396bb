//! The commands: what is typed, what is printed, and the exit codes.

mod check;
mod explain;
mod fixture;
mod import;
mod key;
mod plugin;
mod record;
mod route;
mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Environment, Problems};
use crate::plugin::compile::child::{ChildError, REFUSED};
use crate::plugin::{Compiler, compile};

/// Where a configuration is looked for when none is named.
const USUAL_FILE: &str = "weir.toml";

#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    about = "A gateway for large language models whose wire formats are sandboxed WebAssembly components",
    long_about = "A gateway for large language models: clients speak the API that they already know, Weir answers from \
                  whatever provider the configuration names. Every wire format is a sandboxed WebAssembly component in \
                  the plugins folder, which never sees a key.",
    after_help = "Without a command weir serves. Without --config it takes weir.toml from the working directory if there \
                  is one, and else the bundled providers whose usual key variables are set.\n\n\
                  Every key can be overridden from the environment: WEIR_SERVER__PORT=9000.",
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
    /// Serves until it is told to stop (the default).
    Serve(File),
    /// Checks the configuration without serving: every mistake at once, with its line.
    Check(File),
    /// Shows what would be sent for a request, and what would be lost, without sending it.
    Explain(Box<explain::Explain>),
    /// Tells where requests go.
    Route {
        #[command(subcommand)]
        command: route::Command,
    },
    /// Compiles a component from standard input: what `weir` starts, not people.
    #[command(name = compile::COMMAND, hide = true)]
    Compile {
        /// Bytes of memory.
        #[arg(long)]
        memory: u64,
        /// Seconds.
        #[arg(long)]
        seconds: u64,
    },
    /// Records what passes between a client and a provider, as files that can stand in for the provider.
    Record(record::Record),
    /// Imports and checks recordings.
    Fixture {
        #[command(subcommand)]
        command: fixture::Command,
    },
    /// Makes a configuration out of another gateway's, or out of the environment.
    Import {
        #[command(subcommand)]
        command: import::Command,
    },
    /// Makes a key for a client, and its hash for the configuration.
    Key(key::Key),
    /// Looks at adapters.
    Plugin {
        #[command(subcommand)]
        command: plugin::Command,
    },
}

/// Runs what was asked for. Exit codes: 0 for success, 1 for a failure, 2 for a mistake in the command or the
/// configuration.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        None => serve::run(cli.file.config.as_deref()),
        Some(Command::Serve(file)) => serve::run(file.config.as_deref()),
        Some(Command::Check(file)) => check::run(file.config.as_deref()),
        Some(Command::Explain(asked)) => explain::run(*asked),
        Some(Command::Route { command }) => route::run(command),
        Some(Command::Compile { memory, seconds }) => compile(memory, seconds),
        Some(Command::Record(asked)) => record::run(asked),
        Some(Command::Fixture { command }) => fixture::run(command),
        Some(Command::Import { command }) => import::run(command),
        Some(Command::Key(asked)) => key::run(&asked),
        Some(Command::Plugin { command }) => plugin::run(command),
    }
}

fn compile(memory: u64, seconds: u64) -> ExitCode {
    match compile::child::run(memory, seconds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(match error {
                ChildError::Refused(_) => REFUSED,
                ChildError::Failed(_) => 1,
            })
        }
    }
}

/// Loads the configuration that was named, or the usual one, or none.
fn load(file: Option<&Path>) -> Result<Config, Problems> {
    let environment = Environment::of_process();
    let mut config = match file {
        Some(file) => Config::load(file, environment),
        None if Path::new(USUAL_FILE).is_file() => Config::load(Path::new(USUAL_FILE), environment),
        None => Config::without_file(environment),
    }?;
    config.plugins.compiler = Compiler::this_program();
    Ok(config)
}

#[expect(clippy::print_stdout, reason = "the command line answers here")]
fn print(text: &str) {
    println!("{}", text.trim_end());
}

#[expect(clippy::print_stderr, reason = "the command line complains here")]
fn complain(text: &str) {
    eprintln!("{}", text.trim_end());
}

/// Prints problems the way that suits the reader.
fn complain_of(problems: &Problems) {
    complain(&problems.render(std::io::IsTerminal::is_terminal(&std::io::stderr())));
}

//! The commands: what is typed, what is printed, and the exit codes.

mod check;
mod completions;
mod explain;
mod fixture;
mod import;
mod init;
mod key;
mod plugin;
mod record;
mod route;
mod serve;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use weir_adapters::compile::child::{ChildError, REFUSED};
use weir_adapters::{Compiler, compile};
use weir_config::{Config, Environment, Problems};
use weir_gateway::observe::log;

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
                  is one, and else the bundled providers whose usual key variables are set. `weir init` writes a first file.\n\n\
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
    /// Writes a first configuration, from a few questions.
    Init(init::Init),
    /// Checks the configuration without serving: every mistake at once, with its line.
    Check(File),
    /// Shows what would be sent for a request, and what would be lost, without sending it.
    Explain(Box<explain::Explain>),
    /// Tells where requests go.
    Route {
        #[command(subcommand)]
        command: route::Command,
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
    /// Prints what makes a shell complete `weir`'s commands.
    Completions(completions::Completions),
}

/// Compiles a component from standard input: what `weir` itself starts. It is none of [`Command`], so that no help and no
/// suggestion speaks of it.
#[derive(Debug, Parser)]
struct Compile {
    /// Bytes of memory.
    #[arg(long)]
    memory: u64,
    /// Seconds.
    #[arg(long)]
    seconds: u64,
}

/// Runs what was asked for. Exit codes: 0 for success, 1 for a failure, 2 for a mistake in the command or the
/// configuration.
pub fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == compile::COMMAND) {
        let Compile { memory, seconds } = Compile::parse_from(words.into_iter().skip(1));
        return compile(memory, seconds);
    }
    let cli = Cli::parse_from(words);
    let code = run_command(cli);
    log::flush();
    code
}

fn run_command(cli: Cli) -> ExitCode {
    match cli.command {
        None => serve::run(cli.file.config.as_deref()),
        Some(Command::Serve(file)) => serve::run(file.config.as_deref()),
        Some(Command::Check(file)) => check::run(file.config.as_deref()),
        Some(Command::Explain(asked)) => explain::run(*asked),
        Some(Command::Route { command }) => route::run(command),
        Some(Command::Init(asked)) => init::run(&asked),
        Some(Command::Completions(asked)) => completions::run(&asked),
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
    let usual = Path::new(USUAL_FILE);
    match file.or_else(|| usual.is_file().then_some(usual)) {
        Some(file) => Config::load(file, Environment::of_process()).map(compiling),
        None => without_file(),
    }
}

/// What the environment alone configures.
fn without_file() -> Result<Config, Problems> {
    Config::without_file(Environment::of_process()).map(compiling)
}

/// Has adapters compiled by processes of this program.
fn compiling(mut config: Config) -> Config {
    config.plugins.compiler = Compiler::this_program();
    config
}

/// Answers on standard output. A reader that has left (`weir … | head -1`) has read what it wanted.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()));
}

/// Complains on standard error, to whoever still listens there.
fn complain(text: &str) {
    // What was logged before comes first.
    log::flush();
    drop(writeln!(std::io::stderr().lock(), "{}", text.trim_end()));
}

/// Prints problems the way that suits the reader.
fn complain_of(problems: &Problems) {
    complain(&problems.render(std::io::IsTerminal::is_terminal(&std::io::stderr())));
}

//! `weir plugin …`: a look at adapters, and what their authors need.

mod bench;
mod build;
mod dev;
mod inspect;
mod install;
mod list;
mod new;
mod running;
mod sign;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use weir_adapters::load::Loader;
use weir_adapters::{Bounds, Cache, Compiler};
use weir_sandbox::{Engine, Limits};

/// How long a component may compile here: nobody's requests wait, and an author's machine may be a busy one.
const PATIENCE: Duration = Duration::from_mins(5);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists the adapters of the plugins folder: which bytes, what they speak, whether they would serve.
    List(list::List),
    /// Measures what adapters cost: loading, an instance, a request, an answer, a frame of a stream.
    Bench {
        /// The components (`.wasm`); those of a folder where one is given.
        #[arg(default_value = "plugins")]
        files: Vec<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes a new adapter's project: a small complete one, with fixtures and a README.
    New(new::New),
    /// Builds the project in a folder as a component: NAME.wasm.
    Build(build::Build),
    /// Builds and tests a project again whenever it changes, and installs what passes into a running Weir's folder.
    Dev(dev::Dev),
    /// Proves an adapter by recorded exchanges: replays them through the component and shows the first difference.
    Test(test::Test),
    /// Checks an adapter as Weir would, puts it in the folder in one step, and pins its digest in the lock file.
    Install(install::Install),
    /// Makes a pair of keys to sign adapters with.
    Keygen(sign::Keygen),
    /// Signs a component.
    Sign(sign::Sign),
    /// Tells whether a key that is trusted signed a component.
    Verify(sign::Verify),
    /// Shows everything about one component as JSON: what it is made of, its manifest, what it costs here and now.
    Inspect {
        /// The component (`.wasm`).
        file: PathBuf,
    },
}

pub(super) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Test(asked) => return test::run(&asked),
        Command::List(list) => list::run(&list),
        Command::Install(install) => install.run(),
        Command::Keygen(keygen) => keygen.run(),
        Command::Sign(sign) => sign.run(),
        Command::Verify(verify) => verify.run(),
        Command::Bench { files, json } => bench::run(&files, json),
        Command::New(asked) => new::run(&asked),
        Command::Build(asked) => build::run(&asked),
        Command::Dev(asked) => dev::run(&asked),
        Command::Inspect { file } => inspect::run(&file),
    };
    match done {
        Ok(text) => {
            super::print(&text);
            ExitCode::SUCCESS
        }
        Err(text) => {
            super::complain(&text);
            ExitCode::FAILURE
        }
    }
}

/// What makes adapters to look at them, not to serve: a few instances do. What it compiles is kept where the configuration
/// in force says, so that one command after another compiles a component once.
fn loader() -> Result<Loader, String> {
    let Ok(config) = super::load(None) else {
        super::complain("warning: the configuration cannot be read, so compiled adapters are not kept: `weir check`");
        return keeping(None);
    };
    keeping(config.plugins.cache_dir.as_deref())
}

/// The same, with the compile cache in this folder. A cache that cannot be used costs time and nothing else.
fn keeping(dir: Option<&Path>) -> Result<Loader, String> {
    let engine = Engine::new(Limits::for_connections(8)).map_err(|error| format!("error: {error}"))?;
    let cache = dir.and_then(|dir| match Cache::open(dir, &engine) {
        Ok(cache) => Some(cache),
        Err(error) => {
            super::complain(&format!("warning: {error}; compiled adapters are not kept"));
            None
        }
    });
    let compiler = Compiler::this_program().map_or(Compiler::Here, |program| Compiler::Child {
        program,
        bounds: Bounds { time: PATIENCE, ..Bounds::default() },
    });
    Ok(Loader::new(engine, cache).compiling(compiler))
}

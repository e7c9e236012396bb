//! `weir plugin …`: inspects and installs adapters, and has the tools for their authors.

mod attest;
mod bench;
mod build;
mod dev;
mod inspect;
mod install;
mod list;
mod new;
mod push;
mod registry;
pub(in crate::cli) mod running;
mod sign;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use super::failure::CommandError;
use weir_adapters::load::{Admission, LoadError, Loader};
use weir_adapters::{Bounds, Cache, Compiler};
use weir_embed::granted;
use weir_sandbox::engine::EngineError;
use weir_sandbox::{AdapterLimits, Engine, Limits};

/// Time limit of a compilation here. It is long, because no request waits, and an author's machine may be busy.
const TIMEOUT: Duration = Duration::from_mins(5);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists the adapters of the plugins folder: digests, formats, and whether they would serve.
    List(list::List),
    /// Measures the cost of adapters: loading, an instance, a request, an answer, a frame of a stream.
    Bench {
        /// The components (`.wasm`), or folders of them.
        #[arg(default_value = "plugins")]
        files: Vec<PathBuf>,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Creates the project of a new adapter: small and complete, with fixtures and a README.
    New(new::New),
    /// Builds the project in a folder as a component: NAME.wasm.
    Build(build::Build),
    /// Builds and tests a project whenever it changes, and installs adapters that pass into a running Weir's folder.
    Dev(dev::Dev),
    /// Proves an adapter with recorded exchanges: replays them through the component and shows the first difference.
    Test(test::Test),
    /// Checks an adapter as Weir would, installs it in the folder in one step, and pins its digest in the lock file.
    Install(install::Install),
    /// Pushes an adapter to a registry, with its signature and its fixtures.
    Push(push::Push),
    /// Fetches an adapter from a registry into a folder, with its signature and its fixtures, without checking them.
    Pull(registry::Pull),
    /// Creates a key pair to sign adapters with.
    Keygen(sign::Keygen),
    /// Signs a component.
    Sign(sign::Sign),
    /// Checks that a trusted key signed a component.
    Verify(sign::Verify),
    /// Shows all facts about one component as JSON: its structure, its manifest, its cost on this machine.
    Inspect {
        /// The component (`.wasm`).
        file: PathBuf,
    },
}

pub(super) fn run(command: Command) -> ExitCode {
    // Those that need no configuration lose only the cache of compiled code if it has mistakes.
    let done = match command {
        Command::Test(asked) => return test::run(&asked),
        Command::List(list) => list::run(&list),
        Command::Install(install) => install.run(),
        Command::Push(push) => push.run(),
        Command::Pull(pull) => pull.run(),
        Command::Keygen(keygen) => keygen.run(),
        Command::Sign(sign) => sign.run(),
        Command::Verify(verify) => verify.run(),
        Command::Bench { files, json } => bench::run(&files, json),
        Command::New(asked) => new::run(&asked),
        Command::Build(asked) => build::run(&asked),
        Command::Dev(asked) => dev::run(&asked),
        Command::Inspect { file } => inspect::run(&file),
    };
    super::finish(done)
}

/// A component that Weir would not load.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
struct Unloadable {
    path: PathBuf,
    source: LoadError,
}

impl Unloadable {
    fn at(path: &Path) -> impl Fn(LoadError) -> Self + '_ {
        move |source| Self { path: path.to_owned(), source }
    }
}

impl CommandError for Unloadable {}

/// Creates a loader for inspecting adapters; a few instances suffice. It uses the compile cache of the configuration in
/// force, so that consecutive commands compile a component once.
fn loader() -> Result<Loader, EngineError> {
    let Ok(config) = super::load_without_secrets(None) else {
        super::print_stderr(
            "warning: the configuration cannot be read, so compiled adapters are not kept: `weir check`",
        );
        return keeping(None);
    };
    keeping(config.plugins.cache_dir.as_deref())
}

/// Creates a loader with the compile cache in this folder. A cache that cannot be used only costs time.
fn keeping(dir: Option<&Path>) -> Result<Loader, EngineError> {
    let engine = Engine::new(Limits::for_connections(8))?;
    let cache = dir.and_then(|dir| match Cache::open(dir, &engine) {
        Ok(cache) => Some(cache),
        Err(error) => {
            super::print_stderr(&format!("warning: {error}; compiled adapters are not kept"));
            None
        }
    });
    let compiler = Compiler::this_program().map_or(Compiler::Here, |program| Compiler::Child {
        program,
        bounds: Bounds { time: TIMEOUT, ..Bounds::default() },
    });
    Ok(Loader::new(engine, cache).compiling(compiler))
}

/// Returns the settings for loading a component with this name: the grants that the configuration gives it.
fn admission(name: &str) -> Admission {
    let grants = super::load_without_secrets(None).map(|config| granted::of(&config, name)).unwrap_or_default();
    Admission { adapter_limits: AdapterLimits { grants, ..AdapterLimits::default() }, ..Admission::default() }
}

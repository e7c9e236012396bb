//! `weir plugin …`: a look at adapters, and what their authors need.

mod bench;
mod build;
mod dev;
mod inspect;
mod new;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use crate::plugin::inspect::{self as listing, Listed};
use crate::plugin::load::Loader;
use crate::plugin::lock::Lock;
use crate::plugin::{Engine, Limits};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists the adapters of the plugins folder: which bytes, what they speak, whether they would serve.
    List {
        /// The configuration that names the folder.
        #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
        config: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
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
    /// Shows everything about one component as JSON: what it is made of, its manifest, what it costs here and now.
    Inspect {
        /// The component (`.wasm`).
        file: PathBuf,
    },
}

pub(super) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Test(asked) => return test::run(&asked),
        Command::List { config, json } => list(config.as_deref(), json),
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

/// An engine for looking, not for serving: a few instances do.
fn loader() -> Result<Loader, String> {
    let engine = Engine::new(Limits::for_connections(8)).map_err(|error| format!("error: {error}"))?;
    Ok(Loader::new(engine, None))
}

fn list(config: Option<&Path>, json: bool) -> Result<String, String> {
    let config = super::load(config).map_err(|problems| problems.render(false))?;
    let lock = Lock::read(&config.plugins.lock).map_err(|error| format!("error: {error}"))?;
    let dir = &config.plugins.dir;
    let listed = listing::list(&loader()?, dir, &lock)
        .map_err(|error| format!("error: the folder {} cannot be read: {error}", dir.display()))?;
    if json {
        return serde_json::to_string_pretty(&listed).map_err(|error| format!("error: {error}"));
    }
    if listed.is_empty() {
        return Ok(format!("no adapters in {}; `cargo xtask plugins` builds the bundled ones", dir.display()));
    }
    Ok(listed.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn line(one: &Listed) -> String {
    let digest = one.digest.map(|digest| digest.short()).unwrap_or_default();
    let version = one.version.as_deref().unwrap_or("-");
    let state = match (&one.refused, one.trusted) {
        (Some(reason), _) => format!("refused: {reason}"),
        (None, true) => format!("trusted   speaks {}", one.faces.join(", ")),
        (None, false) => format!("untrusted speaks {}", one.faces.join(", ")),
    };
    format!("{:16} {version:8} {digest:14} {state}", one.name)
}

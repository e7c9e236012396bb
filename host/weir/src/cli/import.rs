//! `weir import`: converts configurations of other gateways.

mod litellm_db;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::failure::{CommandError, Failure};
use crate::app;
use weir_config::{Config, Environment};
use weir_import::litellm::LitellmError;
use weir_import::{Draft, env, litellm};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Converts LiteLLM's `config.yaml`. Keys in it are not copied: the notes name variables for them.
    Litellm {
        /// LiteLLM's `config.yaml`.
        #[arg(value_name = "CONFIG.yaml")]
        file: PathBuf,
        /// Where to write the configuration; it is printed without this. An existing file is not overwritten.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Takes keys, teams, organisations, users and their budgets out of LiteLLM's PostgreSQL database, into a running
    /// Weir.
    ///
    /// Clients go on with the keys that they have. Nothing in that database is changed. Documents that Weir has already
    /// stay as they are, so that the command can be repeated.
    LitellmDb(litellm_db::LitellmDb),
    /// Writes the configuration that Weir finds in the environment: the adapters whose usual key variables are set.
    Env {
        /// Where to write the configuration; it is printed without this. An existing file is not overwritten.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub(super) fn run(command: Command) -> ExitCode {
    let (made, out) = match command {
        Command::Litellm { file, out } => (from_litellm(&file), out),
        Command::Env { out } => (from_environment(), out),
        Command::LitellmDb(asked) => {
            return super::finish(litellm_db::run(&asked));
        }
    };
    match made.and_then(|(draft, from)| write(&draft, &from, out.as_deref())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Why no configuration is made.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    /// The other gateway's file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It is none of that gateway's.
    #[error("{}: {source}", path.display())]
    Litellm { path: PathBuf, source: LitellmError },
    /// The environment has nothing that an adapter looks for.
    #[error("no adapter's usual key variable is set; `weir plugin inspect` lists their names")]
    NoKeys,
    /// The file exists.
    #[error("{} is there already and is not overwritten; --out names another file", .0.display())]
    Exists(PathBuf),
    /// The configuration cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritten { path: PathBuf, source: io::Error },
}

impl CommandError for ImportError {
    fn is_of_usage(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }
}

fn from_litellm(file: &Path) -> Result<(Draft, String), Failure> {
    let text =
        std::fs::read_to_string(file).map_err(|source| ImportError::Unreadable { path: file.to_owned(), source })?;
    let draft = litellm::import(&text).map_err(|source| ImportError::Litellm { path: file.to_owned(), source })?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Ok((draft, format!("LiteLLM's {name}")))
}

fn from_environment() -> Result<(Draft, String), Failure> {
    let config = Config::without_file(Environment::of_process())?;
    let plugins = app::load_plugins(&config)?;
    app::require_adapters(&config, &plugins)?;
    let serving = app::derive(&config, &plugins)?;
    let snapshot = plugins.snapshot();
    let suggested = snapshot.adapters.iter().map(|(name, adapter)| (name.as_ref(), &adapter.manifest.suggests));
    let draft = env::import(&serving.config, suggested);
    Ok((draft.ok_or(ImportError::NoKeys)?, "the environment".to_owned()))
}

fn write(draft: &Draft, from: &str, out: Option<&Path>) -> Result<(), Failure> {
    let text = draft.text(from);
    let Some(path) = out else {
        super::print(&text);
        return Ok(());
    };
    let failed = |source| ImportError::Unwritten { path: path.to_owned(), source };
    if path.exists() {
        return Err(ImportError::Exists(path.to_owned()).into());
    }
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    for note in &draft.notes {
        super::print_stderr(&format!("note: {note}"));
    }
    super::print(&format!("{} written; `weir check --config {}` looks at it", path.display(), path.display()));
    Ok(())
}
